/*
 * erase.c
 *	  Part of erase_person(): blanks the text of tickets without writing it down once more.
 *
 * An ordinary update would copy the old text into the history, and ask the model about the new one.  So the triggers
 * are told by a flag, which no session can set from SQL: history then says that a column was erased, when and by whom,
 * and not what was in it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "pg/spi_util.h"
#include "pg/tickets.h"

PG_FUNCTION_INFO_V1(triage_erase_tickets);

/* Executable by the owner only; the tickets are locked by the caller. */
Datum
triage_erase_tickets(PG_FUNCTION_ARGS)
{
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	uint64		rows = 0;

	spi_connect();
	ticket_text_is_erased = true;
	PG_TRY();
	{
		rows = spi_execute_fresh("UPDATE triage.tickets t "
								 "SET subject = CASE t.subject WHEN '' THEN '' ELSE '" ERASED_TEXT "' END, "
								 "description = CASE t.description WHEN '' THEN '' ELSE '" ERASED_TEXT "' END, "
								 "requester_email = NULL, custom_fields = '{}' "
								 "WHERE t.tenant_id = $1 AND t.id = ANY ($2) AND (t.subject NOT IN ('', '" ERASED_TEXT "') "
								 "OR t.description NOT IN ('', '" ERASED_TEXT "') "
								 "OR t.requester_email IS NOT NULL OR t.custom_fields <> '{}')",
								 values, 2, TEXTOID, INT8ARRAYOID);
	}
	PG_FINALLY();
	{
		ticket_text_is_erased = false;
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_INT64((int64) rows);
}
