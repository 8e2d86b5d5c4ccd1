/*
 * tickets_log.c
 *	  AFTER triggers of tickets: history, assignment log, and the AI work that a change asks for or calls off.
 *
 * Once per statement, over the transition tables: what a statement changed is written with one INSERT a table, so a
 * bulk change and the worker's batch pay for the SQL once.  The SQL functions are SECURITY DEFINER with a pinned
 * search_path, since no application role may write the tables that are written here.
 *
 * Lock order is ticket before job: the tickets are locked already when these triggers touch ai_jobs.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pg/append.h"
#include "pg/events.h"
#include "pg/foreign_keys.h"
#include "pg/guc.h"
#include "pg/rows.h"
#include "pg/spi_util.h"
#include "pg/syncing.h"
#include "pg/tickets.h"
#include "pg/tickets_extract.h"
#include "pg/wake.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(triage_tickets_after_insert);
PG_FUNCTION_INFO_V1(triage_tickets_after_update);
PG_FUNCTION_INFO_V1(triage_tickets_after_delete);

/* Kept by the machine, or following from another column: not somebody's change. */
static const char *const bookkeeping[] = {
	"category_is_manual", "first_response_at", "priority_is_manual", "search", "updated_at", "version", "waiting_since"
};

/* Tickets of one statement that need one thing done: key, priority, assignee; made at the first of them. */
typedef struct KeyList
{
	Rows		rows;
	bool		any;
} KeyList;

typedef struct Changes
{
	Relation	rel;
	const TicketShape *shape;
	MemoryContext row;			/* what the history of one row takes */
	bool	   *skip;			/* by attribute: bookkeeping or dropped */
	FmgrInfo   *to_jsonb;		/* by attribute, made at first use */
	Appender   *history;		/* NULL: nothing changed so far */
	Datum		actor;
	Datum		session_role;
	Appender   *jobs;			/* NULL: no new ticket so far */
	Oid			tickets_index;	/* where it is looked up that their tickets are there; invalid: the foreign key looks */
	KeyList		assigned;
	KeyList		reworded;		/* asks for triage of the new text */
	KeyList		finished;		/* calls the job off */
	KeyList		reopened;		/* asks for triage if it never had one */
	Events	   *events;			/* NULL: nobody wants any */
	bool	   *differs;		/* by attribute, of the row at hand; for events */
	KeyList		taken_over;		/* from the AI, by being assigned */
	ExtractionChanges extraction;
} Changes;

static Datum
column_of(TupleTableSlot *slot, const TicketShape *shape, TicketColumn column)
{
	return slot->tts_values[shape->attno[column] - 1];
}

static void
key_add(KeyList *list, TupleTableSlot *slot, const TicketShape *shape)
{
	static const RowColumn columns[] = {
		{"tenant_id", TEXTOID}, {"id", INT8OID}, {"priority", TEXTOID}, {"assignee_id", TEXTOID}
	};
	int			assignee = shape->attno[COL_ASSIGNEE_ID] - 1;

	if (!list->any)
		rows_init(&list->rows, columns, lengthof(columns));
	list->any = true;
	rows_add(&list->rows, column_of(slot, shape, COL_TENANT_ID), false);
	rows_add(&list->rows, column_of(slot, shape, COL_ID), false);
	rows_add_server_text(&list->rows,
						 DatumGetCString(DirectFunctionCall1(enum_out, column_of(slot, shape, COL_PRIORITY))));
	rows_add(&list->rows, slot->tts_values[assignee], slot->tts_isnull[assignee]);
}

/* ensure_agent() says the same for the functions; this is for plain SQL. */
static void
refuse_customers(KeyList *list)
{
	bool		null;

	if (rows_execute_fresh(&list->rows,
						   "SELECT p.id FROM u JOIN triage.people p ON p.tenant_id = u.tenant_id AND p.id = u.assignee_id "
						   "WHERE p.role = 'customer' LIMIT 1", NULL, 0) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a customer cannot be assigned a ticket"),
				 errdetail("Person \"%s\" has the role customer.", TextDatumGetCString(spi_value(0, 1, &null))),
				 errhint("Set the role in triage.people to agent or admin first.")));
}

/* One ends where the next begins, though both may lie in the past. */
static void
copy_assignments(KeyList *list, Datum actor, bool may_be_open)
{
	if (may_be_open)
		rows_execute_fresh(&list->rows,
						   "UPDATE triage.ticket_assignments a "
						   "SET unassigned_at = greatest(least(t.updated_at, clock_timestamp()), a.assigned_at) "
						   "FROM u JOIN triage.tickets t ON t.tenant_id = u.tenant_id AND t.id = u.id "
						   "WHERE a.tenant_id = u.tenant_id AND a.ticket_id = u.id AND a.unassigned_at IS NULL",
						   NULL, 0);
	rows_execute_fresh(&list->rows,
					   "INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by, assigned_at) "
					   "SELECT u.tenant_id, u.id, u.assignee_id, $1, greatest(least(t.updated_at, clock_timestamp()), "
					   "(SELECT max(a.unassigned_at) FROM triage.ticket_assignments a "
					   "WHERE a.tenant_id = u.tenant_id AND a.ticket_id = u.id)) "
					   "FROM u JOIN triage.tickets t "
					   "ON t.tenant_id = u.tenant_id AND t.id = u.id WHERE u.assignee_id IS NOT NULL",
					   &actor, 1, TEXTOID);
}

static void
log_assignments(KeyList *list, bool may_be_open)
{
	static SPIPlanPtr open_plan;
	Datum		actor = CStringGetTextDatum(guc_actor());

	/* of a copy nobody knows since when; then at the latest, and surely not now */
	if (triage_syncing)
	{
		copy_assignments(list, actor, may_be_open);
		return;
	}
	if (may_be_open)
		rows_execute_fresh(&list->rows,
						   "UPDATE triage.ticket_assignments a "
						   "SET unassigned_at = greatest(clock_timestamp(), a.assigned_at) FROM u "
						   "WHERE a.tenant_id = u.tenant_id AND a.ticket_id = u.id AND a.unassigned_at IS NULL",
						   NULL, 0);
	refuse_customers(list);
	rows_execute(&list->rows, &open_plan,
				 "INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by, assigned_at) "
				 "SELECT u.tenant_id, u.id, u.assignee_id, $1, clock_timestamp() FROM u WHERE u.assignee_id IS NOT NULL",
				 &actor, 1, TEXTOID);
}

/*
 * A running job's fence moves, so the answer to the old text is stale; its lease ends, so it runs again.  Edits of a
 * job that waits collapse into the one call that it will make.
 */
#define BEGIN_ANEW \
	"ON CONFLICT (tenant_id, ticket_id, kind) DO UPDATE SET fence = t.fence + 1, lease_until = NULL, " \
	"slot = NULL, attempts = 0, run_at = now()"
#define REQUEST_JOBS(condition) \
	"INSERT INTO triage.ai_jobs AS t (tenant_id, ticket_id, priority) " \
	"SELECT u.tenant_id, u.id, u.priority::triage.ticket_priority " \
	"FROM u " condition BEGIN_ANEW

/* Of a new ticket: it has no job, unless one was asked for in the statement that made it. */
static void
add_job(Changes *changes, TupleTableSlot *slot)
{
	static const RowColumn columns[] = {{"tenant_id", TEXTOID}, {"ticket_id", INT8OID}, {"priority", ROWS_LABEL}};
	static AppendTable table = {
		.name = "ai_jobs", .columns = columns, .count = lengthof(columns),
		.unique = "ai_jobs_one_per_ticket", .on_conflict = BEGIN_ANEW
	};
	Datum		tenant_id = column_of(slot, changes->shape, COL_TENANT_ID);
	Datum		id = column_of(slot, changes->shape, COL_ID);
	Datum		priority = column_of(slot, changes->shape, COL_PRIORITY);
	Rows	   *rows;

	if (changes->jobs == NULL)
	{
		changes->jobs = append_begin(&table, NULL);
		changes->tickets_index = foreign_keys_index(changes->rel);
		if (OidIsValid(changes->tickets_index) && !append_holds(changes->jobs, "ticket_id", RelationGetRelid(changes->rel)))
			changes->tickets_index = InvalidOid;
	}
	rows = append_rows(changes->jobs);
	rows_add(rows, tenant_id, false);
	rows_add(rows, id, false);
	rows_add_label(rows, DatumGetCString(DirectFunctionCall1(enum_out, priority)));
	/* after the row is in: what a user's CHECK deletes meanwhile is seen, and what is deleted later takes the job along */
	if (OidIsValid(changes->tickets_index) &&
		!foreign_keys_wrote(changes->rel, changes->tickets_index, DatumGetInt64(id), tenant_id))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("ticket %lld was deleted or moved within the statement that made it", (long long) DatumGetInt64(id)),
				 errhint("Change it in a statement of its own, not in a trigger or a RETURNING list."),
				 err_generic_string(PG_DIAG_SCHEMA_NAME, "triage"),
				 err_generic_string(PG_DIAG_TABLE_NAME, "ai_jobs"),
				 err_generic_string(PG_DIAG_CONSTRAINT_NAME, "ai_jobs_ticket_fkey")));
}

static void
request_jobs_again(KeyList *list, bool only_without_result)
{
	if (only_without_result)
		rows_execute_fresh(&list->rows,
						   REQUEST_JOBS("WHERE NOT EXISTS (SELECT FROM triage.ticket_ai_results r "
										"WHERE r.tenant_id = u.tenant_id AND r.ticket_id = u.id AND r.superseded_at IS NULL) "),
						   NULL, 0);
	else
		rows_execute_fresh(&list->rows, REQUEST_JOBS(""), NULL, 0);
	rows_execute_fresh(&list->rows,
					   "DELETE FROM triage.ai_dead_letters d USING u, triage.ai_jobs j "
					   "WHERE d.tenant_id = u.tenant_id AND d.ticket_id = u.id "
					   "AND j.tenant_id = d.tenant_id AND j.ticket_id = d.ticket_id AND j.kind = d.kind",
					   NULL, 0);
	wake_at_commit();
}

static void
call_off_jobs(KeyList *list)
{
	/*
	 * The worker cuts off the calls that are in the air for them.  What a ticket says of the product is asked of finished
	 * ones, too.
	 */
	if (rows_execute_fresh(&list->rows,
						   "DELETE FROM triage.ai_jobs j USING u WHERE j.tenant_id = u.tenant_id AND j.ticket_id = u.id "
						   "AND (j.kind NOT IN ('extract_issues', 'match_issues') OR EXISTS (SELECT FROM triage.tickets t "
						   "WHERE t.tenant_id = u.tenant_id AND t.id = u.id AND t.deleted_at IS NOT NULL))",
						   NULL, 0) > 0)
		wake_at_commit();
}

/* Whose handler changed through a handover function has its reason on record already. */
static void
record_takeovers(KeyList *list)
{
	rows_execute_fresh(&list->rows,
					   "SELECT triage.record_handoff(u.tenant_id, u.id, NULL, 'agent_takeover', NULL) FROM u", NULL, 0);
}

static Rows *
history_rows(Changes *changes)
{
	static const RowColumn columns[] = {
		{"tenant_id", TEXTOID}, {"ticket_id", INT8OID}, {"field", TEXTOID}, {"old_value", JSONBOID},
		{"new_value", JSONBOID}, {"changed_by", TEXTOID}, {"session_role", TEXTOID}
	};
	static AppendTable table = {.name = "ticket_history", .columns = columns, .count = lengthof(columns)};

	if (changes->history == NULL)
	{
		changes->actor = CStringGetTextDatum(guc_actor());
		changes->session_role = CStringGetTextDatum(GetUserNameFromId(GetSessionUserId(), false));
		changes->history = append_begin(&table, NULL);
		if (ticket_result_is_written && ticket_is_held)
			append_holds(changes->history, "ticket_id", RelationGetRelid(changes->rel));
	}
	return append_rows(changes->history);
}

/* to_jsonb() is polymorphic: it asks its caller's expression for the argument's type. */
static Datum
as_jsonb(Changes *changes, int att, Datum value)
{
	FmgrInfo   *flinfo = &changes->to_jsonb[att];

	if (!OidIsValid(flinfo->fn_oid))
	{
		MemoryContext outer = MemoryContextSwitchTo(GetMemoryChunkContext(changes->to_jsonb));
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(changes->rel), att);
		Const	   *argument = makeNullConst(attr->atttypid, attr->atttypmod, attr->attcollation);

		fmgr_info(F_TO_JSONB, flinfo);
		fmgr_info_set_expr((Node *) makeFuncExpr(F_TO_JSONB, JSONBOID, list_make1(argument), InvalidOid, InvalidOid,
												 COERCE_EXPLICIT_CALL), flinfo);
		MemoryContextSwitchTo(outer);
	}
	return FunctionCall1(flinfo, value);
}

/* That there was something, for those who read the history; not what. */
static Datum
erased(void)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum("\"" ERASED_TEXT "\""));
}

static void
add_history(Changes *changes, TupleTableSlot *old, TupleTableSlot *new, int att)
{
	Rows	   *rows = history_rows(changes);
	MemoryContext outer = MemoryContextSwitchTo(changes->row);
	const TicketShape *shape = changes->shape;
	bool		old_null = old->tts_isnull[att];
	bool		new_null = new->tts_isnull[att];
	Datum		old_value = (Datum) 0;
	Datum		new_value = (Datum) 0;

	if (!old_null)
		old_value = ticket_text_is_erased ? erased() : as_jsonb(changes, att, old->tts_values[att]);
	if (!new_null)
		new_value = ticket_text_is_erased ? erased() : as_jsonb(changes, att, new->tts_values[att]);
	rows_add(rows, column_of(new, shape, COL_TENANT_ID), false);
	rows_add(rows, column_of(new, shape, COL_ID), false);
	rows_add_server_text(rows, NameStr(TupleDescAttr(RelationGetDescr(changes->rel), att)->attname));
	rows_add(rows, old_value, old_null);
	rows_add(rows, new_value, new_null);
	rows_add(rows, changes->actor, false);
	rows_add(rows, changes->session_role, false);
	MemoryContextSwitchTo(outer);
}

static bool
changed(TupleTableSlot *old, TupleTableSlot *new, int att)
{
	if (old->tts_isnull[att] || new->tts_isnull[att])
		return old->tts_isnull[att] != new->tts_isnull[att];
	return ticket_value_differs(old->tts_values[att], new->tts_values[att],
								TupleDescAttr(new->tts_tupleDescriptor, att));
}

/* Work is called for while a ticket is neither finished nor deleted. */
static bool
is_live(const TicketShape *shape, TupleTableSlot *slot)
{
	TicketStatus status = ticket_status_of(shape, DatumGetObjectId(slot->tts_values[shape->attno[COL_STATUS] - 1]));

	return !status_is_finished(status) && slot->tts_isnull[shape->attno[COL_DELETED_AT] - 1];
}

static void
compare_row(Changes *changes, TupleTableSlot *old, TupleTableSlot *new)
{
	const TicketShape *shape = changes->shape;
	int			assignee = shape->attno[COL_ASSIGNEE_ID] - 1;
	bool		was_live,
				live;

	slot_getallattrs(old);
	slot_getallattrs(new);
	for (int att = 0; att < new->tts_tupleDescriptor->natts; att++)
	{
		changes->differs[att] = !changes->skip[att] && changed(old, new, att);
		if (changes->differs[att])
			add_history(changes, old, new, att);
	}
	MemoryContextReset(changes->row);
	if (changes->events)
		events_add_updated(changes->events, shape, old, new, changes->differs);
	if (changed(old, new, assignee))
		key_add(&changes->assigned, new, shape);
	if (changed(old, new, shape->attno[COL_HANDLER] - 1) &&
		ticket_handed_over != DatumGetInt64(column_of(new, shape, COL_ID)))
		key_add(&changes->taken_over, new, shape);
	extraction_compare(&changes->extraction, shape, old, new, changes->differs);
	was_live = is_live(shape, old);
	live = is_live(shape, new);
	if (was_live && !live)
		key_add(&changes->finished, new, shape);
	else if (live && triage_auto_triage && !ticket_text_is_erased)
	{
		if (changed(old, new, shape->attno[COL_SUBJECT] - 1) || changed(old, new, shape->attno[COL_DESCRIPTION] - 1))
			key_add(&changes->reworded, new, shape);
		else if (!was_live)
			key_add(&changes->reopened, new, shape);
	}
}

static void
changes_init(Changes *changes, Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);

	memset(changes, 0, sizeof(*changes));
	changes->rel = rel;
	changes->shape = ticket_shape(rel);
	changes->row = AllocSetContextCreate(CurrentMemoryContext, "triage history", ALLOCSET_DEFAULT_SIZES);
	changes->events = events_start();
	changes->differs = palloc0(desc->natts * sizeof(bool));
	changes->skip = palloc0(desc->natts * sizeof(bool));
	changes->to_jsonb = palloc0(desc->natts * sizeof(FmgrInfo));
	for (int att = 0; att < desc->natts; att++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, att);

		changes->skip[att] = attr->attisdropped;
		for (size_t i = 0; i < lengthof(bookkeeping); i++)
			if (strcmp(NameStr(attr->attname), bookkeeping[i]) == 0)
				changes->skip[att] = true;
	}
}

static TriggerData *
statement_trigger(FunctionCallInfo fcinfo, bool right_event, const char *name)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !right_event)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER, FOR EACH STATEMENT, with transition tables", name)));
	return trigger;
}

Datum
triage_tickets_after_insert(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = statement_trigger(fcinfo, CALLED_AS_TRIGGER(fcinfo) &&
											 ((TriggerData *) fcinfo->context)->tg_newtable != NULL,
											 "tickets_after_insert");
	Tuplestorestate *rows = trigger->tg_newtable;
	TupleTableSlot *slot;
	Changes		changes;
	int			assignee;

	spi_connect();
	changes_init(&changes, trigger->tg_relation);
	assignee = changes.shape->attno[COL_ASSIGNEE_ID] - 1;
	slot = MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple);
	tuplestore_rescan(rows);
	while (tuplestore_gettupleslot(rows, true, false, slot))
	{
		slot_getallattrs(slot);
		if (triage_auto_triage && is_live(changes.shape, slot))
			add_job(&changes, slot);
		if (!slot->tts_isnull[assignee])
			key_add(&changes.assigned, slot, changes.shape);
		if (changes.events)
			events_add_created(changes.events, changes.shape, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	events_write(changes.events);
	if (changes.jobs)
	{
		append_end(changes.jobs);
		wake_at_commit();
	}
	if (changes.assigned.any)
		log_assignments(&changes.assigned, false);
	SPI_finish();
	return PointerGetDatum(NULL);
}

Datum
triage_tickets_after_update(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = statement_trigger(fcinfo, CALLED_AS_TRIGGER(fcinfo) &&
											 ((TriggerData *) fcinfo->context)->tg_newtable != NULL &&
											 ((TriggerData *) fcinfo->context)->tg_oldtable != NULL,
											 "tickets_after_update");
	TupleTableSlot *old,
			   *new;
	Changes		changes;

	spi_connect();
	changes_init(&changes, trigger->tg_relation);
	old = MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple);
	new = MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple);
	/* the server adds a row's old and new version together: the two stores run in step */
	tuplestore_rescan(trigger->tg_oldtable);
	tuplestore_rescan(trigger->tg_newtable);
	while (tuplestore_gettupleslot(trigger->tg_oldtable, true, false, old) &&
		   tuplestore_gettupleslot(trigger->tg_newtable, true, false, new))
		compare_row(&changes, old, new);
	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
	if (changes.history)
		append_end(changes.history);
	events_write(changes.events);
	if (changes.assigned.any)
		log_assignments(&changes.assigned, true);
	if (changes.taken_over.any)
		record_takeovers(&changes.taken_over);
	if (extraction_follow(&changes.extraction))
		wake_at_commit();
	if (changes.finished.any)
		call_off_jobs(&changes.finished);
	if (changes.reworded.any)
		request_jobs_again(&changes.reworded, false);
	if (changes.reopened.any)
		request_jobs_again(&changes.reopened, true);
	SPI_finish();
	return PointerGetDatum(NULL);
}

static void
tell_of_purged(TriggerData *trigger)
{
	const TicketShape *shape = ticket_shape(trigger->tg_relation);
	TupleTableSlot *slot;
	Events	   *events;

	spi_connect();
	events = events_start();
	slot = MakeSingleTupleTableSlot(RelationGetDescr(trigger->tg_relation), &TTSOpsMinimalTuple);
	tuplestore_rescan(trigger->tg_oldtable);
	while (tuplestore_gettupleslot(trigger->tg_oldtable, true, false, slot))
	{
		slot_getallattrs(slot);
		events_add_purged(events, shape, slot);
	}
	ExecDropSingleTupleTableSlot(slot);
	events_write(events);
	SPI_finish();
}

/* The jobs go by cascade; the worker is told, for there may be calls in the air for them. */
Datum
triage_tickets_after_delete(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = statement_trigger(fcinfo, CALLED_AS_TRIGGER(fcinfo) &&
											 ((TriggerData *) fcinfo->context)->tg_oldtable != NULL,
											 "tickets_after_delete");

	if (events_wanted("ticket.purged"))
		tell_of_purged(trigger);
	wake_at_commit();
	return PointerGetDatum(NULL);
}
