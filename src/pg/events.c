/*
 * events.c
 *	  The outbox: who wants which events, and writing those of one statement together.
 *
 * While no consumer wants a topic, no event of it is written and nothing is executed: which topics are wanted is kept
 * for the session, and a trigger on event_consumers has all sessions read it anew.  What is written is written as the
 * owner of the table, whoever the caller is: no role has the right to, so that none can make events up.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "pg/events.h"
#include "pg/events_notify.h"
#include "pg/guc.h"
#include "pg/rows.h"
#include "pg/spi_util.h"
#include "pg/tables.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(triage_emit_event);
PG_FUNCTION_INFO_V1(triage_event_generation);

/* Events gathered before they are written: bounds the memory of a bulk change. */
#define EVENTS_BATCH 1000

struct Events
{
	MemoryContext batch;
	Rows		rows;			/* in that context */
};

/* Who wants what, for the session ------------------------------------------------------------------------------------ */

static MemoryContext wanted_context = NULL;
static List *wanted_topics = NIL;	/* of char * */
static bool wanted_all = false;
static Oid	wanted_table = InvalidOid;
static bool outdated = true;

static void
table_changed(Datum arg, Oid relid)
{
	(void) arg;
	if (relid == wanted_table || relid == InvalidOid)
		outdated = true;
}

static void
want_topics(ArrayType *topics)
{
	MemoryContext outer = MemoryContextSwitchTo(wanted_context);
	Datum	   *labels;
	int			count;

	deconstruct_array(topics, TEXTOID, -1, false, TYPALIGN_INT, &labels, NULL, &count);
	for (int i = 0; i < count; i++)
		wanted_topics = lappend(wanted_topics, TextDatumGetCString(labels[i]));
	MemoryContextSwitchTo(outer);
}

/* Past all rights, and with a snapshot as of now: an old one must not be what the session remembers. */
static void
read_consumers(Oid table)
{
	AttrNumber	column = get_attnum(table, "topics");
	Relation	rel = table_open(table, AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, NULL, 0, NULL);
	HeapTuple	tuple;

	while ((tuple = systable_getnext(scan)) != NULL)
	{
		bool		null;
		Datum		topics = heap_getattr(tuple, column, RelationGetDescr(rel), &null);

		if (null)
			wanted_all = true;
		else
			want_topics(DatumGetArrayTypeP(topics));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static void
learn_wanted(Oid table)
{
	static bool registered = false;

	if (!registered)
		CacheRegisterRelcacheCallback(table_changed, (Datum) 0);
	registered = true;
	if (wanted_context)
		MemoryContextDelete(wanted_context);
	wanted_context = NULL;
	wanted_topics = NIL;
	wanted_all = false;
	wanted_table = table;
	wanted_context = AllocSetContextCreate(CacheMemoryContext, "triage event topics", ALLOCSET_SMALL_SIZES);
	/* a message that comes while it is read makes it outdated again, for the next call; so does an error */
	outdated = false;
	PG_TRY();
	{
		read_consumers(table);
	}
	PG_CATCH();
	{
		outdated = true;
		PG_RE_THROW();
	}
	PG_END_TRY();
}

bool
events_wanted(const char *topic)
{
	ListCell   *cell;

	if (outdated)
	{
		Oid			table = tables_find("event_consumers");

		if (!OidIsValid(table))
			return false;		/* not remembered: nobody tells when it is made */
		learn_wanted(table);
	}
	if (wanted_all || topic == NULL)
		return wanted_all || wanted_topics != NIL;
	foreach(cell, wanted_topics)
		if (strcmp(lfirst(cell), topic) == 0)
			return true;
	return false;
}

/* Writing ------------------------------------------------------------------------------------------------------------ */

static Identity
become_owner(void)
{
	Oid			owner = tables_owner(tables_find("events"));

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" does not exist", "triage.events"),
				 errhint("Run SELECT triage.install().")));
	return tables_become(owner);
}

/* As the owner.  Of two that notice a new cluster at once, one waits for the other. */
static Datum
current_generation(void)
{
	static SPIPlanPtr latest;
	static SPIPlanPtr add;
	Datum		here = Int64GetDatum((int64) GetSystemIdentifier());
	bool		null;

	spi_prepare(&latest, "SELECT g.generation, g.system_identifier FROM triage.event_generations g "
				"ORDER BY g.generation DESC LIMIT 1", 0);
	spi_prepare(&add, "INSERT INTO triage.event_generations (generation, system_identifier) "
				"SELECT coalesce(max(g.generation), 0) + 1, $1 FROM triage.event_generations g ON CONFLICT DO NOTHING",
				1, INT8OID);
	while (spi_execute(latest, NULL, NULL, 1) == 0 || spi_int8(0, 2) != DatumGetInt64(here))
		spi_execute(add, &here, NULL, 0);
	return spi_value(0, 1, &null);
}

Datum
triage_event_generation(PG_FUNCTION_ARGS)
{
	Identity	caller;
	int32		generation;

	(void) fcinfo;
	spi_connect();
	caller = become_owner();
	generation = DatumGetInt32(current_generation());
	tables_give_back(caller);
	SPI_finish();
	PG_RETURN_INT32(generation);
}

static void
start_batch(Events *events)
{
	static const RowColumn columns[] = {
		{"tenant_id", TEXTOID}, {"topic", TEXTOID}, {"ticket_id", INT8OID}, {"session_id", INT8OID},
		{"object_id", INT8OID}, {"version", INT4OID}, {"labels", TEXTOID}
	};
	MemoryContext outer = MemoryContextSwitchTo(events->batch);

	rows_init(&events->rows, columns, lengthof(columns));
	MemoryContextSwitchTo(outer);
}

Events *
events_start(void)
{
	Events	   *events;

	if (!events_wanted(NULL))
		return NULL;
	events = palloc0(sizeof(Events));
	events->batch = AllocSetContextCreate(CurrentMemoryContext, "triage events", ALLOCSET_DEFAULT_SIZES);
	start_batch(events);
	return events;
}

void
events_write(Events *events)
{
	static SPIPlanPtr plan;
	Identity	caller;
	Datum		values[2];

	if (events == NULL || events->rows.count == 0)
		return;
	caller = become_owner();
	values[0] = current_generation();
	values[1] = CStringGetTextDatum(guc_actor());
	rows_execute(&events->rows, &plan,
				 "INSERT INTO triage.events (generation, actor, tenant_id, topic, ticket_id, session_id, object_id, version, labels) "
				 "SELECT $1, $2, u.tenant_id, u.topic::triage.event_topic, u.ticket_id, u.session_id, u.object_id, u.version, "
				 "u.labels::jsonb FROM u",
				 values, 2, INT4OID, TEXTOID);
	tables_give_back(caller);
	events_notify_at_commit();
	/* ended, not only forgotten: a long batch may have a file */
	tuplestore_end(events->rows.store);
	MemoryContextReset(events->batch);
	start_batch(events);
}

static void
add_id(Rows *rows, int64 id)
{
	rows_add(rows, Int64GetDatum(id), id == 0);
}

void
events_add(Events *events, const Event *event)
{
	MemoryContext outer;

	if (events == NULL || !events_wanted(event->topic))
		return;
	if (events->rows.count >= EVENTS_BATCH)
		events_write(events);
	outer = MemoryContextSwitchTo(events->batch);
	rows_add(&events->rows, event->tenant_id, false);
	rows_add_server_text(&events->rows, event->topic);
	add_id(&events->rows, event->ticket_id);
	add_id(&events->rows, event->session_id);
	add_id(&events->rows, event->object_id);
	rows_add_int4(&events->rows, event->version);
	rows_add_server_text(&events->rows, event->labels ? event->labels : "{}");
	MemoryContextSwitchTo(outer);
}

/* From SQL ----------------------------------------------------------------------------------------------------------- */

static int64
id_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? 0 : PG_GETARG_INT64(n);
}

Datum
triage_emit_event(PG_FUNCTION_ARGS)
{
	Events	   *events;
	Event		event = {0};

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("an event has a tenant and a topic"),
				 errhint("Pass both to triage.emit_event().")));
	event.topic = text_to_cstring(PG_GETARG_TEXT_PP(1));
	if (!events_wanted(event.topic))
		PG_RETURN_VOID();
	event.tenant_id = PG_GETARG_DATUM(0);
	event.ticket_id = id_argument(fcinfo, 2);
	event.session_id = id_argument(fcinfo, 3);
	event.object_id = id_argument(fcinfo, 4);
	if (!PG_ARGISNULL(5))
	{
		Jsonb	   *labels = PG_GETARG_JSONB_P(5);

		event.labels = JsonbToCString(NULL, &labels->root, VARSIZE(labels));
	}
	event.version = PG_ARGISNULL(6) ? -1 : PG_GETARG_INT32(6);
	spi_connect();
	events = events_start();
	events_add(events, &event);
	events_write(events);
	SPI_finish();
	PG_RETURN_VOID();
}

/* Jobs --------------------------------------------------------------------------------------------------------------- */

/* Planned for what is there now: these are joins. */
static void
write_for_jobs(Rows *keys, const char *sql)
{
	Identity	caller;
	Datum		generation;

	if (keys->count == 0)
		return;
	caller = become_owner();
	generation = current_generation();
	if (rows_execute_fresh(keys, sql, &generation, 1, INT4OID) > 0)
		events_notify_at_commit();
	tables_give_back(caller);
}

void
events_of_jobs(Job **jobs, int count, const int64 *run_ids)
{
	static const RowColumn columns[] = {{"tenant_id", TEXTOID}, {"ticket_id", INT8OID}, {"id", INT8OID}};
	bool		want_results = events_wanted("result.stored");
	bool		want_failures = events_wanted("job.failed");
	Rows		results;
	Rows		failures;

	if (!want_results && !want_failures)
		return;
	rows_init(&results, columns, lengthof(columns));
	rows_init(&failures, columns, lengthof(columns));
	for (int i = 0; i < count; i++)
	{
		const Job  *job = jobs[i];
		bool		succeeded = job->outcome == OUTCOME_SUCCEEDED;
		Rows	   *keys = succeeded ? &results : &failures;

		if (job->stored != STORE_WRITTEN || !(succeeded ? want_results : want_failures))
			continue;
		rows_add_server_text(keys, job->tenant_id);
		rows_add_int8(keys, job->ticket_id);
		rows_add_int8(keys, succeeded ? run_ids[i] : job->id);
	}
	write_for_jobs(&results,
				   "INSERT INTO triage.events (generation, actor, tenant_id, topic, ticket_id, object_id, version, labels) "
				   "SELECT $1, '" ACTOR_TRIAGE "', r.tenant_id, 'result.stored', r.ticket_id, r.id, t.version, jsonb_strip_nulls("
				   "jsonb_build_object('category', r.category, 'urgency', r.urgency, 'sentiment_score', r.sentiment_score, "
				   "'needs_human', r.needs_human, 'confidence', r.confidence)) "
				   "FROM u JOIN triage.ticket_ai_results r ON r.tenant_id = u.tenant_id AND r.ticket_id = u.ticket_id "
				   "AND r.superseded_at IS NULL AND r.run_id = u.id "
				   "JOIN triage.tickets t ON t.tenant_id = r.tenant_id AND t.id = r.ticket_id");
	/* one that waits for its next try has no letter */
	write_for_jobs(&failures,
				   "INSERT INTO triage.events (generation, actor, tenant_id, topic, ticket_id, session_id, object_id, labels) "
				   "SELECT $1, '" ACTOR_TRIAGE "', d.tenant_id, 'job.failed', d.ticket_id, d.session_id, d.id, "
				   "jsonb_build_object('kind', d.kind, 'class', d.class, 'attempts', d.attempts) "
				   "FROM u JOIN triage.ai_dead_letters d ON d.tenant_id = u.tenant_id AND d.id = u.id");
}
