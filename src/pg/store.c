/*
 * store.c
 *	  Storing: what an answer does to job, result, run, ticket and dead letters, in one transaction.
 *
 * Works on sets: each step is one statement for the whole batch.  Lock order is ticket before job, and a ticket that
 * somebody holds is skipped, so an agent's open transaction neither deadlocks with a batch nor stalls it.  The fence
 * decides: a claim whose row is gone or claimed anew may write its run (the call was made) and nothing else.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "catalog/pg_type.h"
#include "core/labels.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/append.h"
#include "pg/budget.h"
#include "pg/events.h"
#include "pg/foreign_keys.h"
#include "pg/queue.h"
#include "pg/guc.h"
#include "pg/kinds.h"
#include "pg/prices.h"
#include "pg/rows.h"
#include "pg/spi_util.h"
#include "pg/store.h"
#include "pg/tables.h"
#include "pg/tickets.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* What the lock on a ticket told. */
typedef struct LockedTicket
{
	int64		id;
	char	   *tenant_id;
	bool		category_is_manual;
	bool		priority_is_manual;
	char	   *category;		/* NULL: none */
	Priority	priority;
} LockedTicket;

/* An id alone may stand in several tenants: whoever inserts with OVERRIDING SYSTEM VALUE sees to that. */
static int
compare_locked(const void *a, const void *b)
{
	const LockedTicket *x = a;
	const LockedTicket *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->tenant_id, y->tenant_id);
}

static LockedTicket *
find_locked(LockedTicket *locked, int count, const Job *job)
{
	LockedTicket key = {.id = job->ticket_id, .tenant_id = job->tenant_id};

	return bsearch(&key, locked, count, sizeof(LockedTicket), compare_locked);
}

static LockedTicket *
lock_tickets(Job **jobs, int count, int *locked_count)
{
	static SPIPlanPtr plan;
	int64	   *ids = palloc((count + 1) * sizeof(int64));
	Datum	   *tenants = palloc((count + 1) * sizeof(Datum));
	int			tenant_count = 0;
	Datum		values[2];
	uint64		rows;
	LockedTicket *locked;

	spi_prepare(&plan,
				"SELECT t.id, t.category_is_manual, t.priority_is_manual, t.category, t.priority::text, t.tenant_id "
				"FROM triage.tickets t WHERE t.id = ANY ($1) AND t.tenant_id = ANY ($2) "
				"ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED",
				2, INT8ARRAYOID, TEXTARRAYOID);
	for (int i = 0; i < count; i++)
	{
		ids[i] = jobs[i]->ticket_id;
		/* most batches have one tenant */
		if (tenant_count == 0 || strcmp(jobs[i]->tenant_id, jobs[i - 1]->tenant_id) != 0)
			tenants[tenant_count++] = CStringGetTextDatum(jobs[i]->tenant_id);
	}
	values[0] = spi_int8_array(ids, count);
	values[1] = PointerGetDatum(construct_array(tenants, tenant_count, TEXTOID, -1, false, TYPALIGN_INT));
	rows = spi_execute(plan, values, NULL, 0);
	locked = palloc0((rows + 1) * sizeof(LockedTicket));
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		Datum		category;

		locked[row].id = DatumGetInt64(spi_value(row, 1, &null));
		locked[row].category_is_manual = DatumGetBool(spi_value(row, 2, &null));
		locked[row].priority_is_manual = DatumGetBool(spi_value(row, 3, &null));
		category = spi_value(row, 4, &null);
		locked[row].category = null ? NULL : TextDatumGetCString(category);
		priority_parse(TextDatumGetCString(spi_value(row, 5, &null)), &locked[row].priority);
		locked[row].tenant_id = TextDatumGetCString(spi_value(row, 6, &null));
	}
	qsort(locked, rows, sizeof(LockedTicket), compare_locked);
	*locked_count = (int) rows;
	return locked;
}

/* Of the tickets that could not be locked, those that are still there wait; a deleted ticket took its job along. */
static void
sort_out_missing(Job **jobs, int count, LockedTicket *locked, int locked_count)
{
	static SPIPlanPtr plan;
	int64	   *ids = palloc((count + 1) * sizeof(int64));
	int			missing = 0;
	Datum		value;
	uint64		rows;

	for (int i = 0; i < count; i++)
		if (find_locked(locked, locked_count, jobs[i]) == NULL)
			ids[missing++] = jobs[i]->ticket_id;
	if (missing == 0)
		return;
	spi_prepare(&plan, "SELECT t.id, t.tenant_id FROM triage.tickets t WHERE t.id = ANY ($1)", 1, INT8ARRAYOID);
	value = spi_int8_array(ids, missing);
	rows = spi_execute(plan, &value, NULL, 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		int64		id = DatumGetInt64(spi_value(row, 1, &null));
		char	   *tenant_id = TextDatumGetCString(spi_value(row, 2, &null));

		for (int i = 0; i < count; i++)
			if (jobs[i]->ticket_id == id && strcmp(jobs[i]->tenant_id, tenant_id) == 0 &&
				find_locked(locked, locked_count, jobs[i]) == NULL)
				jobs[i]->stored = STORE_LOCKED;
	}
}

static bool
is_final(const Job *job)
{
	return job->outcome == OUTCOME_SUCCEEDED || job->unwanted || job->decision.action != RETRY_LATER;
}

/*
 * The claim that a row of the current result is about: its first three columns are job, tenant and fence.  One batch may
 * hold two claims of a job: the answer that an edit made stale, and the answer to the edited text.
 */
static int
find_job(Job **jobs, int count, uint64 row)
{
	bool		null;
	int64		id = DatumGetInt64(spi_value(row, 1, &null));
	int			fence = DatumGetInt32(spi_value(row, 3, &null));
	char	   *tenant_id = NULL;

	for (int i = 0; i < count; i++)
	{
		if (jobs[i]->id != id || jobs[i]->fence != fence)
			continue;
		if (tenant_id == NULL)
			tenant_id = TextDatumGetCString(spi_value(row, 2, &null));
		if (strcmp(jobs[i]->tenant_id, tenant_id) == 0)
			return i;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("job %lld was not asked for", (long long) id)));
	return -1;					/* not reached */
}

static void
mark_current(Job **jobs, int count, uint64 rows)
{
	for (uint64 row = 0; row < rows; row++)
		jobs[find_job(jobs, count, row)]->stored = STORE_WRITTEN;
}

static void
add_id_or_null(Rows *rows, int64 id)
{
	rows_add(rows, Int64GetDatum(id), id == 0);
}

#define ADD_LETTERS \
	"INSERT INTO triage.ai_dead_letters " \
	"(id, tenant_id, ticket_id, session_id, cluster_id, kind, priority, fence, attempts, class, message, created_at) " \
	"SELECT u.id, u.tenant_id, u.ticket_id, u.session_id, u.cluster_id, u.kind::triage.job_kind, u.priority::triage.ticket_priority, " \
	"u.fence, u.attempts, u.class::triage.run_outcome, u.message, u.created_at FROM u "
#define REPLACE_LETTER \
	"DO UPDATE SET id = excluded.id, " \
	"priority = excluded.priority, fence = excluded.fence, attempts = excluded.attempts, " \
	"class = excluded.class, message = excluded.message, created_at = excluded.created_at, failed_at = now()"

static void
add_dead_letters(Job **jobs, int count, uint64 rows)
{
	static const RowColumn columns[] = {
		{"id", INT8OID}, {"tenant_id", TEXTOID}, {"ticket_id", INT8OID}, {"session_id", INT8OID}, {"cluster_id", INT8OID},
		{"kind", TEXTOID}, {"priority", TEXTOID}, {"fence", INT4OID}, {"attempts", INT4OID}, {"class", TEXTOID}, {"message", TEXTOID}, {"created_at", TIMESTAMPTZOID}
	};
	static SPIPlanPtr plan;
	static SPIPlanPtr session_plan;
	static SPIPlanPtr cluster_plan;
	Rows		of_tickets;
	Rows		of_sessions;
	Rows		of_clusters;

	rows_init(&of_tickets, columns, lengthof(columns));
	rows_init(&of_sessions, columns, lengthof(columns));
	rows_init(&of_clusters, columns, lengthof(columns));
	for (uint64 row = 0; row < rows; row++)
	{
		Job		   *job = jobs[find_job(jobs, count, row)];
		Rows	   *letters = job->cluster_id != 0 ? &of_clusters : job->session_id != 0 ? &of_sessions : &of_tickets;
		bool		null;

		if (job->outcome == OUTCOME_SUCCEEDED || job->unwanted)
			continue;
		job->buried = true;
		rows_add_int8(letters, job->id);
		rows_add_server_text(letters, job->tenant_id);
		add_id_or_null(letters, job->ticket_id);
		add_id_or_null(letters, job->session_id);
		add_id_or_null(letters, job->cluster_id);
		rows_add_server_text(letters, TextDatumGetCString(spi_value(row, 4, &null)));
		rows_add_server_text(letters, TextDatumGetCString(spi_value(row, 5, &null)));
		rows_add_int4(letters, job->fence);
		rows_add_int4(letters, job->attempts);
		rows_add_text(letters, outcome_name(job->outcome));
		rows_add_text(letters, job->reason);
		rows_add_time(letters, DatumGetTimestampTz(spi_value(row, 6, &null)));
	}
	if (of_tickets.count > 0)
		rows_execute(&of_tickets, &plan,
					 ADD_LETTERS "ON CONFLICT ON CONSTRAINT ai_dead_letters_one_per_ticket " REPLACE_LETTER, NULL, 0);
	if (of_sessions.count > 0)
		rows_execute(&of_sessions, &session_plan,
					 ADD_LETTERS "ON CONFLICT (tenant_id, session_id, kind) WHERE session_id IS NOT NULL " REPLACE_LETTER,
					 NULL, 0);
	if (of_clusters.count > 0)
		rows_execute(&of_clusters, &cluster_plan,
					 ADD_LETTERS "ON CONFLICT (tenant_id, cluster_id, kind) WHERE cluster_id IS NOT NULL " REPLACE_LETTER,
					 NULL, 0);
}

/* A finished job leaves the queue; the fence tells whether it is still ours. */
static void
finish_jobs(Job **jobs, int count)
{
	static const RowColumn columns[] = {{"id", INT8OID}, {"fence", INT4OID}, {"tenant_id", TEXTOID}};
	static SPIPlanPtr plan;
	Rows		keys;
	int64	   *ids = palloc((count + 1) * sizeof(int64));
	uint64		rows;

	rows_init(&keys, columns, lengthof(columns));
	for (int i = 0; i < count; i++)
	{
		if (jobs[i]->stored == STORE_LOCKED || !is_final(jobs[i]))
			continue;
		ids[keys.count] = jobs[i]->id;
		rows_add_int8(&keys, jobs[i]->id);
		rows_add_int4(&keys, jobs[i]->fence);
		rows_add_server_text(&keys, jobs[i]->tenant_id);
	}
	if (keys.count == 0)
		return;
	rows = rows_execute_by_id(&keys, &plan,
							  "DELETE FROM triage.ai_jobs j USING u WHERE " STORE_CLAIM_OF_U " "
							  "RETURNING j.id, j.tenant_id, j.fence, j.kind::text, j.priority::text, j.created_at",
							  ids);
	mark_current(jobs, count, rows);
	add_dead_letters(jobs, count, rows);
}

static void
return_jobs(Job **jobs, int count)
{
	static const RowColumn columns[] = {
		{"id", INT8OID}, {"fence", INT4OID}, {"given_back", INT4OID}, {"run_at", TIMESTAMPTZOID}, {"tenant_id", TEXTOID}
	};
	static SPIPlanPtr plan;
	Rows		rows;
	int64	   *ids = palloc((count + 1) * sizeof(int64));
	TimestampTz now = GetCurrentTimestamp();

	rows_init(&rows, columns, lengthof(columns));
	for (int i = 0; i < count; i++)
	{
		Job		   *job = jobs[i];

		if (job->stored == STORE_LOCKED || is_final(job))
			continue;
		ids[rows.count] = job->id;
		rows_add_int8(&rows, job->id);
		rows_add_int4(&rows, job->fence);
		rows_add_int4(&rows, job->decision.attempt_spent ? 0 : 1);
		rows_add_time(&rows, TimestampTzPlusMilliseconds(now, job->decision.delay_ms));
		rows_add_server_text(&rows, job->tenant_id);
	}
	if (rows.count == 0)
		return;
	mark_current(jobs, count,
				 rows_execute_by_id(&rows, &plan,
									"UPDATE triage.ai_jobs j SET lease_until = NULL, slot = NULL, run_at = u.run_at, "
									"attempts = greatest(j.attempts - u.given_back, 0) FROM u "
									"WHERE " STORE_CLAIM_OF_U " RETURNING j.id, j.tenant_id, j.fence",
									ids));
}

uint64
store_lease(Job **jobs, int count, TimestampTz lease_until, SPIPlanPtr *plan, const char *sql)
{
	static const RowColumn columns[] = {
		{"id", INT8OID}, {"fence", INT4OID}, {"tenant_id", TEXTOID}, {"lease_until", TIMESTAMPTZOID}
	};
	Rows		rows;
	int64	   *ids = palloc((count + 1) * sizeof(int64));

	rows_init(&rows, columns, lengthof(columns));
	for (int i = 0; i < count; i++)
	{
		ids[i] = jobs[i]->id;
		rows_add_int8(&rows, jobs[i]->id);
		rows_add_int4(&rows, jobs[i]->fence);
		rows_add_server_text(&rows, jobs[i]->tenant_id);
		rows_add_time(&rows, lease_until);
	}
	return rows_execute_by_id(&rows, plan, sql, ids);
}

static const RowColumn run_columns[] = {
	{"tenant_id", TEXTOID}, {"job_id", INT8OID}, {"ticket_id", INT8OID}, {"fence", INT4OID}, {"provider", TEXTOID},
	{"model", TEXTOID}, {"prompt_version", INT4OID}, {"outcome", ROWS_LABEL}, {"http_status", INT4OID},
	{"request_id", TEXTOID}, {"error", TEXTOID}, {"input_tokens", INT4OID}, {"cached_tokens", INT4OID},
	{"output_tokens", INT4OID}, {"cost", NUMERICOID}, {"latency_ms", INT4OID}, {"started_at", TIMESTAMPTZOID},
	{"cache_write_tokens", INT4OID}, {"currency", TEXTOID}, {"price", JSONBOID}, {"session_id", INT8OID}, {"kind", ROWS_LABEL},
	{"cluster_id", INT8OID}, {"finished_at", TIMESTAMPTZOID}
};
static AppendTable runs_table = {.name = "ai_runs", .columns = run_columns, .count = lengthof(run_columns)};

static void
add_run(Rows *runs, const Job *job, const RunCost *cost)
{
	char		moved_on[64];
	RunOutcome	outcome = job->outcome;
	const char *reason = job->reason;

	if (job->stored == STORE_STALE && outcome == OUTCOME_SUCCEEDED)
	{
		outcome = OUTCOME_STALE;
		snprintf(moved_on, sizeof(moved_on), "the %s moved on while the call was in the air", kinds_topic(job));
		reason = moved_on;
	}
	/* what an endpoint said may quote a text that was erased since */
	else if (job->stored == STORE_STALE && outcome != OUTCOME_STALE)
		reason = "its job was withdrawn while the call was in the air; what the endpoint said is not kept";
	rows_add_server_text(runs, job->tenant_id);
	rows_add_int8(runs, job->id);
	add_id_or_null(runs, job->ticket_id);
	rows_add_int4(runs, job->fence);
	rows_add_text_or_null(runs, job->provider);
	rows_add_text_or_null(runs, job->model);
	rows_add_int4(runs, job->vocabulary && job->vocabulary->prompt_version > 0 ? job->vocabulary->prompt_version : -1);
	rows_add_label(runs, outcome_name(outcome));
	rows_add_int4(runs, job->http_status > 0 ? job->http_status : -1);
	rows_add_text_or_null(runs, job->request_id);
	rows_add_text_or_null(runs, reason);
	rows_add_int4(runs, job->usage.input_tokens);
	rows_add_int4(runs, job->usage.cached_tokens);
	rows_add_int4(runs, job->usage.output_tokens);
	rows_add(runs, cost->cost, !cost->known);
	rows_add_int4(runs, job->latency_ms);
	rows_add_time(runs, job->started_at);
	rows_add_int4(runs, job->usage.cache_write_tokens);
	rows_add(runs, cost->currency, cost->currency == (Datum) 0);
	rows_add(runs, cost->priced ? DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(cost->price))) : (Datum) 0,
			 !cost->priced);
	add_id_or_null(runs, job->session_id);
	rows_add_label(runs, kind_name(job->kind));
	add_id_or_null(runs, job->cluster_id);
	rows_add_time(runs, GetCurrentTimestamp());
}

/* Appends the runs; run_ids[i] is set for each job whose run was written. */
static void
write_runs(Job **jobs, int count, const RunCost *costs, int64 *run_ids)
{
	int64	   *ids = palloc0((count + 1) * sizeof(int64));
	int		   *whose = palloc((count + 1) * sizeof(int));
	Appender   *append = NULL;
	int			n = 0;

	for (int i = 0; i < count; i++)
	{
		if (jobs[i]->stored == STORE_LOCKED || !jobs[i]->called)
			continue;
		if (append == NULL)
			append = append_begin(&runs_table, ids);
		add_run(append_rows(append), jobs[i], &costs[i]);
		whose[n++] = i;
	}
	if (append)
		append_end(append);
	for (int i = 0; i < n; i++)
		run_ids[whose[i]] = ids[i];
}

static const char *
category_of(const Job *job)
{
	return job->vocabulary->categories[job->verdict.category].name;
}

static const RowColumn result_columns[] = {
	{"tenant_id", TEXTOID}, {"ticket_id", INT8OID}, {"run_id", INT8OID}, {"ticket_version", INT4OID},
	{"category", TEXTOID}, {"urgency", ROWS_LABEL}, {"sentiment_score", INT4OID}, {"needs_human", BOOLOID},
	{"confidence", NUMERICOID}, {"language", TEXTOID}, {"summary", TEXTOID}, {"draft_reply", TEXTOID},
	{"processed_at", TIMESTAMPTZOID}
};
static AppendTable results_table = {
	.name = "ticket_ai_results", .columns = result_columns, .count = lengthof(result_columns),
	.unique = "ticket_ai_results_one_current",
	.give_way = "UPDATE triage.ticket_ai_results r SET superseded_at = clock_timestamp() FROM u "
	"WHERE r.tenant_id = u.tenant_id AND r.ticket_id = u.ticket_id AND r.superseded_at IS NULL"
};

/* As numeric (3,2). */
static Datum
confidence_of(const Verdict *verdict)
{
	return NumericGetDatum(int64_div_fast_to_numeric((int64) rint(verdict->confidence * 100), 2));
}

static void
add_result(Rows *results, const Job *job, int64 run_id)
{
	const Verdict *verdict = &job->verdict;

	rows_add_server_text(results, job->tenant_id);
	rows_add_int8(results, job->ticket_id);
	rows_add_int8(results, run_id);
	rows_add_int4(results, job->ticket_version);
	rows_add_text(results, category_of(job));
	rows_add_label(results, priority_name(verdict->urgency));
	rows_add_int4(results, verdict->sentiment_score);
	rows_add(results, BoolGetDatum(verdict->needs_human > 0), verdict->needs_human < 0);
	rows_add(results, verdict->confidence < 0 ? (Datum) 0 : confidence_of(verdict), verdict->confidence < 0);
	rows_add_text(results, verdict->language);
	rows_add_text(results, verdict->summary);
	rows_add_text(results, verdict->draft_reply);
	rows_add_time(results, GetCurrentTimestamp());
}

static bool
same_category(const Job *a, const Job *b)
{
	return a->vocabulary == b->vocabulary ? a->verdict.category == b->verdict.category :
		strcmp(a->tenant_id, b->tenant_id) == 0 && strcmp(category_of(a), category_of(b)) == 0;
}

/* What is held stays there: nobody's triggers but ours see what a batch writes. */
static bool
is_alone(void)
{
	static const char *const tables[] = {"tickets", "ai_jobs", "ai_runs", "ticket_ai_results", "ticket_history"};
	bool		alone = true;

	for (size_t i = 0; i < lengthof(tables) && alone; i++)
	{
		Relation	rel = table_open(tables_find(tables[i]), AccessShareLock);

		alone = foreign_keys_are_alone(rel);
		table_close(rel, NoLock);
	}
	return alone;
}

/*
 * The foreign keys' own look at the categories, made once for each of them instead of once for a result and once for a
 * ticket.  InvalidOid where this role may not lock them, or one is gone: the keys look for themselves.
 */
static Oid
hold_categories(Job **written, int count)
{
	static const RowColumn columns[] = {{"tenant_id", TEXTOID}, {"category", TEXTOID}};
	static SPIPlanPtr plan;
	Job		  **distinct = palloc((count + 1) * sizeof(Job *));
	int			n = 0;
	Oid			table = tables_find("ticket_categories");
	Rows		categories;

	if (pg_class_aclcheck(table, GetUserId(), ACL_UPDATE) != ACLCHECK_OK)
		return InvalidOid;
	rows_init(&categories, columns, lengthof(columns));
	for (int i = 0; i < count; i++)
	{
		int			known = 0;

		while (known < n && !same_category(distinct[known], written[i]))
			known++;
		if (known < n)
			continue;
		distinct[n++] = written[i];
		rows_add_server_text(&categories, written[i]->tenant_id);
		rows_add_text(&categories, category_of(written[i]));
	}
	return rows_execute_by_index(&categories, &plan,
								 "SELECT FROM u JOIN ONLY triage.ticket_categories c ON c.tenant_id = u.tenant_id "
								 "AND c.category = u.category FOR KEY SHARE OF c") == categories.count ? table : InvalidOid;
}

static void
write_results(Job **written, int count, const int64 *run_ids, bool alone, Oid categories)
{
	Appender   *results = append_begin(&results_table, NULL);

	if (alone)
		append_holds(results, "ticket_id", tables_find("tickets"));
	append_holds(results, "category", categories);
	for (int i = 0; i < count; i++)
		add_result(append_rows(results), written[i], run_ids[i]);
	append_end(results);
}

/* What the result sets on the ticket: the labels that no person chose, and only where they change. */
static bool
ticket_needs(const Job *job, const LockedTicket *ticket, const char **category, Priority *priority)
{
	*category = ticket->category_is_manual ? ticket->category : category_of(job);
	*priority = ticket->priority_is_manual ? ticket->priority : job->verdict.urgency;
	return *priority != ticket->priority ||
		(*category && (ticket->category == NULL || strcmp(*category, ticket->category) != 0));
}

static void
update_tickets(Job **written, int count, LockedTicket *locked, int locked_count, bool alone, Oid categories)
{
	static const RowColumn columns[] = {
		{"id", INT8OID}, {"tenant_id", TEXTOID}, {"category", TEXTOID}, {"priority", TEXTOID}
	};
	static SPIPlanPtr plan;
	Rows		tickets;
	int64	   *ids = palloc((count + 1) * sizeof(int64));
	int			nest;

	rows_init(&tickets, columns, lengthof(columns));
	for (int i = 0; i < count; i++)
	{
		const char *category;
		Priority	priority;
		LockedTicket *ticket = find_locked(locked, locked_count, written[i]);

		if (ticket == NULL || !ticket_needs(written[i], ticket, &category, &priority))
			continue;
		ids[tickets.count] = written[i]->ticket_id;
		rows_add_int8(&tickets, written[i]->ticket_id);
		rows_add_server_text(&tickets, written[i]->tenant_id);
		rows_add_text(&tickets, category);
		rows_add_text(&tickets, priority_name(priority));
	}
	if (tickets.count == 0)
		return;
	nest = NewGUCNestLevel();
	(void) set_config_option("triage.actor", ACTOR_TRIAGE, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	ticket_result_is_written = true;
	ticket_is_held = alone;
	PG_TRY();
	{
		rows_update_by_id(&tickets, &plan,
						  "UPDATE triage.tickets t SET category = u.category, priority = u.priority::triage.ticket_priority "
						  "FROM u WHERE t.id = ANY ($1) AND t.id = u.id AND t.tenant_id IS NOT DISTINCT FROM u.tenant_id",
						  ids, "category", categories);
	}
	PG_FINALLY();
	{
		ticket_result_is_written = ticket_is_held = false;
	}
	PG_END_TRY();
	AtEOXact_GUC(true, nest);
}

/* What triage found of tickets that are locked. */
static void
write_triage(Job **jobs, int count, const int64 *run_ids, LockedTicket *locked, int locked_count)
{
	Job		  **written = palloc((count + 1) * sizeof(Job *));
	int64	   *ids = palloc((count + 1) * sizeof(int64));
	int			n = 0;
	bool		alone;
	Oid			categories;

	for (int i = 0; i < count; i++)
	{
		if (jobs[i]->stored != STORE_WRITTEN || jobs[i]->outcome != OUTCOME_SUCCEEDED || is_conversation(jobs[i]))
			continue;
		written[n] = jobs[i];
		ids[n++] = run_ids[i];
	}
	if (n == 0)
		return;
	alone = is_alone();
	categories = alone ? hold_categories(written, n) : InvalidOid;
	write_results(written, n, ids, alone, categories);
	update_tickets(written, n, locked, locked_count, alone, categories);
}

/* Tickets that wait for triage, and what jobs of other kinds are about. */
static LockedTicket *
lock_subjects(Job **jobs, int count, int *locked_count)
{
	Job		  **of_triage = palloc((count + 1) * sizeof(Job *));
	int			n = 0;
	LockedTicket *locked = NULL;

	*locked_count = 0;
	for (int i = 0; i < count; i++)
		if (!is_conversation(jobs[i]))
			of_triage[n++] = jobs[i];
	if (n > 0)
		locked = lock_tickets(of_triage, n, locked_count);
	if (*locked_count < n)		/* no more than one job of the kind a ticket */
		sort_out_missing(of_triage, n, locked, *locked_count);
	if (n < count)
		kinds_lock(jobs, count);
	return locked;
}

/* One by one: what these answers do is the business of SQL functions. */
static void
write_conversations(Job **jobs, int count, const int64 *run_ids)
{
	for (int i = 0; i < count; i++)
	{
		Job		   *job = jobs[i];

		if (!is_conversation(job))
			continue;
		if (job->buried)
			kinds_give_up(job);
		else if (job->stored == STORE_WRITTEN && job->outcome == OUTCOME_SUCCEEDED)
			kinds_store(job, run_ids[i]);
		else if (job->stored == STORE_WRITTEN && job->outcome == OUTCOME_STALE)
			/* for whoever counts, and whoever reported the answer */
			job->stored = STORE_STALE;
	}
}

void
queue_store(Job **jobs, int count)
{
	int			locked_count;
	LockedTicket *locked;
	int64	   *run_ids = palloc0(count * sizeof(int64));
	RunCost    *costs;

	if (count == 0)
		return;
	for (int i = 0; i < count; i++)
	{
		jobs[i]->stored = STORE_STALE;
		jobs[i]->buried = false;
	}
	locked = lock_subjects(jobs, count, &locked_count);
	finish_jobs(jobs, count);
	return_jobs(jobs, count);
	costs = prices_cost(jobs, count);
	write_runs(jobs, count, costs, run_ids);
	write_triage(jobs, count, run_ids, locked, locked_count);
	events_of_jobs(jobs, count, run_ids);
	write_conversations(jobs, count, run_ids);
	budget_settle(jobs, count, costs);
}

void
store_lost(Job **jobs, int count)
{
	int64	   *run_ids = palloc0((count + 1) * sizeof(int64));
	Job		  **spent = palloc((count + 1) * sizeof(Job *));
	int			spent_count = 0;
	RunCost    *costs;

	for (int i = 0; i < count; i++)
	{
		jobs[i]->stored = STORE_WRITTEN;
		jobs[i]->decision.action = RETRY_GIVE_UP;
		/* counted before the call was made, so a ticket that kills its worker cannot do so for ever */
		if (jobs[i]->attempts >= triage_max_attempts)
			spent[spent_count++] = jobs[i];
	}
	costs = prices_cost(jobs, count);
	write_runs(jobs, count, costs, run_ids);
	if (spent_count > 0)
		finish_jobs(spent, spent_count);
	events_of_jobs(spent, spent_count, run_ids);
	write_conversations(spent, spent_count, run_ids);
	/* who reaps settles the next batch in this transaction, too */
	budget_lock_reserved();
	budget_settle(jobs, count, costs);
}

void
store_stale(Job *job)
{
	int64		run_id;
	RunCost    *cost;

	job->stored = STORE_STALE;
	cost = prices_cost(&job, 1);
	if (!budget_is_settled_by(job, cost))
		return;
	write_runs(&job, 1, cost, &run_id);
	budget_settle(&job, 1, cost);
}
