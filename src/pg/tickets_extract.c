/*
 * tickets_extract.c
 *	  What a change of tickets means for the product issues that were found in them, or are being looked for.
 *
 * Part of the statement trigger of tickets (tickets_log.c): row triggers with conditions of their own would have those
 * conditions prepared for each statement, which costs an update of one ticket a third of its time.  Which tickets are to be
 * looked at is decided in sql/install/extract_issues.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "pg/syncing.h"
#include "pg/tickets_extract.h"
#include "utils/timestamp.h"

static void
start(Rows *rows, bool *any)
{
	static const RowColumn columns[] = {
		{"tenant_id", TEXTOID}, {"id", INT8OID}, {"was_deleted_at", TIMESTAMPTZOID}, {"deleted_at", TIMESTAMPTZOID}
	};

	if (!*any)
		rows_init(rows, columns, lengthof(columns));
	*any = true;
}

static void
add(Rows *rows, bool *any, const TicketShape *shape, TupleTableSlot *old, TupleTableSlot *new)
{
	int			deleted_at = shape->attno[COL_DELETED_AT] - 1;

	start(rows, any);
	rows_add(rows, new->tts_values[shape->attno[COL_TENANT_ID] - 1], false);
	rows_add(rows, new->tts_values[shape->attno[COL_ID] - 1], false);
	rows_add(rows, old->tts_values[deleted_at], old->tts_isnull[deleted_at]);
	rows_add(rows, new->tts_values[deleted_at], new->tts_isnull[deleted_at]);
}

static bool
deletion_changed(const TicketShape *shape, TupleTableSlot *old, TupleTableSlot *new)
{
	int			att = shape->attno[COL_DELETED_AT] - 1;

	if (old->tts_isnull[att] || new->tts_isnull[att])
		return old->tts_isnull[att] != new->tts_isnull[att];
	return DatumGetTimestampTz(old->tts_values[att]) != DatumGetTimestampTz(new->tts_values[att]);
}

void
extraction_compare(ExtractionChanges *changes, const TicketShape *shape, TupleTableSlot *old, TupleTableSlot *new,
				   const bool *differs)
{
	Datum		status = new->tts_values[shape->attno[COL_STATUS] - 1];

	if (differs[shape->attno[COL_SUBJECT] - 1] || differs[shape->attno[COL_DESCRIPTION] - 1])
		add(&changes->edited, &changes->any_edited, shape, old, new);
	/* an erasure says itself what becomes of them */
	if (!ticket_text_is_erased &&
		(differs[shape->attno[COL_REQUESTER_ID] - 1] || differs[shape->attno[COL_REQUESTER_EMAIL] - 1]))
		add(&changes->moved, &changes->any_moved, shape, old, new);
	if (deletion_changed(shape, old, new))
		add(&changes->hidden, &changes->any_hidden, shape, old, new);
	/* a copy is looked at when sync says so */
	if (status != old->tts_values[shape->attno[COL_STATUS] - 1] && new->tts_isnull[shape->attno[COL_DELETED_AT] - 1] &&
		status_is_finished(ticket_status_of(shape, DatumGetObjectId(status))) && !triage_syncing)
		add(&changes->ended, &changes->any_ended, shape, old, new);
}

bool
extraction_follow(ExtractionChanges *changes)
{
	bool		wake = false;

	/* what runs is begun anew; what waits will read the new text */
	if (changes->any_edited)
		wake = rows_execute_fresh(&changes->edited,
								  "UPDATE triage.ai_jobs j SET fence = j.fence + 1, lease_until = NULL, slot = NULL, "
								  "attempts = 0, run_at = now() FROM u "
								  "WHERE j.tenant_id = u.tenant_id AND j.ticket_id = u.id AND j.kind = 'extract_issues' "
								  "AND j.lease_until IS NOT NULL", NULL, 0) > 0;
	/* those that were current when it was deleted carry the time of that, and come back with it */
	if (changes->any_hidden)
		rows_execute_fresh(&changes->hidden,
						   "UPDATE triage.extracted_issues i SET superseded_at = u.deleted_at FROM u "
						   "WHERE i.tenant_id = u.tenant_id AND i.ticket_id = u.id "
						   "AND i.superseded_at IS NOT DISTINCT FROM u.was_deleted_at", NULL, 0);
	if (changes->any_moved)
		rows_execute_fresh(&changes->moved,
						   "UPDATE triage.extracted_issues i SET customer = n.customer "
						   "FROM (SELECT u.tenant_id, u.id, triage.issue_customer(u.tenant_id, u.id) AS customer FROM u) n "
						   "WHERE i.tenant_id = n.tenant_id AND i.ticket_id = n.id "
						   "AND i.customer IS DISTINCT FROM n.customer", NULL, 0);
	if (changes->any_ended)
		rows_execute_fresh(&changes->ended,
						   "SELECT triage.extract_finished(u.tenant_id, array_agg(u.id ORDER BY u.id)) FROM u "
						   "GROUP BY u.tenant_id", NULL, 0);
	return wake;
}
