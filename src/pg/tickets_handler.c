/*
 * tickets_handler.c
 *	  Changing who answers a ticket's customer: the only way to do it.
 *
 * The row trigger refuses a handler that is written like any other column, so that no conversation changes hands without
 * a reason on record, the bot's work called off, and the next one asked.  The SQL functions that see to all this end
 * here; the trigger knows their update by the ticket's id, which is set while it runs and cannot be set from SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "pg/spi_util.h"
#include "pg/tickets.h"

PG_FUNCTION_INFO_V1(triage_set_handler);

/*
 * To the AI: nobody has the ticket any more, and one in_progress, which says that somebody has, goes back to open.  To
 * people: the customer waits from now on, if they did not already; an agent who is given takes it.
 */
#define SET_HANDLER \
	"UPDATE triage.tickets t SET handler = $3::triage.ticket_handler, " \
	"assignee_id = CASE WHEN $3 = 'human' THEN coalesce($4, t.assignee_id) END, " \
	"status = CASE WHEN $3 = 'ai' AND t.status = 'in_progress' THEN 'open' ELSE t.status END, " \
	"waiting_since = CASE WHEN $3 = 'human' AND t.status NOT IN ('resolved', 'closed') " \
	"THEN coalesce(t.waiting_since, now()) ELSE t.waiting_since END " \
	"WHERE t.tenant_id = $1 AND t.id = $2 AND t.handler <> $3::triage.ticket_handler"

Datum
triage_set_handler(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan;
	Datum		values[4];
	char		nulls[4];
	int64		outer = ticket_handed_over;
	uint64		moved = 0;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("tenant, ticket and handler must not be null")));
	for (int i = 0; i < 4; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	spi_connect();
	spi_prepare(&plan, SET_HANDLER, 4, TEXTOID, INT8OID, TEXTOID, TEXTOID);
	PG_TRY();
	{
		ticket_handed_over = DatumGetInt64(values[1]);
		moved = spi_execute(plan, values, nulls, 0);
	}
	PG_FINALLY();
	{
		ticket_handed_over = outer;
	}
	PG_END_TRY();
	SPI_finish();
	PG_RETURN_BOOL(moved > 0);
}
