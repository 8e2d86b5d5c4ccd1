/*
 * erase.c
 *	  Part of erase_person(): blanks the text of tickets without writing it down once more.
 *
 * An ordinary update would copy the old text into the history, and ask the model about the new one.  So the triggers
 * are told by a flag, which no session can set from SQL: history then says that a column was erased, when and by whom,
 * and not what was in it.
 *
 * A ticket that somebody else requested may have the person's words for its text: the one that follows up a closed
 * ticket, and the one that a conversation was opened as.  Of such a ticket the words go, and what is the requester's stays.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "pg/spi_util.h"
#include "pg/tickets.h"

PG_FUNCTION_INFO_V1(triage_erase_tickets);

/* What open_ticket_of() and the trigger of chat_messages make of a text: its first words or its first line. */
#define SUBJECT_IS_OF_TEXT \
	"(strpos(t.description, t.subject) > 0 OR strpos(regexp_replace(left(t.description, 1000), '\\s+', ' ', 'g'), t.subject) > 0)"

/* Executable by the owner only; the tickets are locked by the caller. */
Datum
triage_erase_tickets(PG_FUNCTION_ARGS)
{
	Datum		values[3] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1), PG_GETARG_DATUM(2)};
	uint64		rows = 0;

	spi_connect();
	ticket_text_is_erased = true;
	PG_TRY();
	{
		rows = spi_execute_fresh("UPDATE triage.tickets t "
								 "SET subject = CASE WHEN t.subject = '' OR NOT ($3 OR " SUBJECT_IS_OF_TEXT ") THEN t.subject "
								 "ELSE '" ERASED_TEXT "' END, "
								 "description = CASE t.description WHEN '' THEN '' ELSE '" ERASED_TEXT "' END, "
								 "requester_email = CASE WHEN NOT $3 THEN t.requester_email END, "
								 "custom_fields = CASE WHEN $3 THEN '{}' ELSE t.custom_fields END "
								 "WHERE t.tenant_id = $1 AND t.id = ANY ($2) AND (t.description NOT IN ('', '" ERASED_TEXT "') "
								 "OR $3 AND (t.subject NOT IN ('', '" ERASED_TEXT "') "
								 "OR t.requester_email IS NOT NULL OR t.custom_fields <> '{}'))",
								 values, 3, TEXTOID, INT8ARRAYOID, BOOLOID);
	}
	PG_FINALLY();
	{
		ticket_text_is_erased = false;
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_INT64((int64) rows);
}
