/*
 * tickets_handler.c
 *	  Changing who answers a ticket's customer, and ending a conversation in the customer's name: the only way to do it.
 *
 * The triggers refuse a handler that is written like any other column, so that no conversation changes hands without
 * a reason on record, the bot's work called off, and the next one asked; and "closed by the client" where the client did
 * not end the conversation.  The SQL functions that see to all this end here; the triggers know their update by the
 * ticket's id, which is set while it runs and cannot be set from SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "pg/spi_util.h"
#include "pg/tickets.h"

PG_FUNCTION_INFO_V1(triage_set_handler);
PG_FUNCTION_INFO_V1(triage_close_by_client);
PG_FUNCTION_INFO_V1(triage_is_handed_over);

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

#define CLOSE_BY_CLIENT \
	"UPDATE triage.tickets t SET status = 'resolved', resolution = 'closed_by_client' " \
	"WHERE t.tenant_id = $1 AND t.id = $2 AND t.deleted_at IS NULL AND t.status NOT IN ('resolved', 'closed')"

/* Executes an update of that ticket which the triggers are to let pass. */
static bool
hand_over(SPIPlanPtr plan, Datum *values, const char *nulls, int64 ticket_id)
{
	int64		outer = ticket_handed_over;
	uint64		moved = 0;

	PG_TRY();
	{
		ticket_handed_over = ticket_id;
		moved = spi_execute(plan, values, nulls, 0);
	}
	PG_FINALLY();
	{
		ticket_handed_over = outer;
	}
	PG_END_TRY();
	return moved > 0;
}

Datum
triage_set_handler(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan;
	Datum		values[4];
	char		nulls[4];
	bool		moved;

	for (int i = 0; i < 3; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("tenant, ticket and handler must not be null"),
					 errhint("Call triage.escalate_ticket() or triage.hand_back_to_ai() instead.")));
	for (int i = 0; i < 4; i++)
	{
		values[i] = PG_GETARG_DATUM(i);
		nulls[i] = PG_ARGISNULL(i) ? 'n' : ' ';
	}
	spi_connect();
	spi_prepare(&plan, SET_HANDLER, 4, TEXTOID, INT8OID, TEXTOID, TEXTOID);
	moved = hand_over(plan, values, nulls, DatumGetInt64(values[1]));
	SPI_finish();
	PG_RETURN_BOOL(moved);
}

/* Declared STRICT. */
Datum
triage_close_by_client(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)};
	bool		moved;

	spi_connect();
	spi_prepare(&plan, CLOSE_BY_CLIENT, 2, TEXTOID, INT8OID);
	moved = hand_over(plan, values, NULL, DatumGetInt64(values[1]));
	SPI_finish();
	PG_RETURN_BOOL(moved);
}

/* For a trigger written in SQL.  Declared STRICT. */
Datum
triage_is_handed_over(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(ticket_handed_over != 0 && ticket_handed_over == PG_GETARG_INT64(0));
}
