/*
 * store.c
 *	  Storing: what an answer does to job, result, run, ticket and dead letters, in one transaction.
 *
 * Works on sets: each step is one statement for the whole batch.  Lock order is ticket before job, and a ticket that
 * somebody holds is skipped, so an agent's open transaction neither deadlocks with a batch nor stalls it.  The fence
 * decides: a claim whose row is gone or claimed anew may write its run (the call was made) and nothing else.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/labels.h"
#include "mb/pg_wchar.h"
#include "pg/budget.h"
#include "pg/queue.h"
#include "pg/guc.h"
#include "pg/prices.h"
#include "pg/spi_util.h"
#include "pg/store.h"
#include "pg/tickets.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#define MAX_COLUMNS 22

/* One array parameter per column of a set of rows. */
typedef struct Columns
{
	int			count;
	ArrayBuildState *array[MAX_COLUMNS];
	int			next;			/* column the current row adds to */
} Columns;

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

static void
add(Columns *columns, Oid type, Datum value, bool null)
{
	int			i = columns->next++;

	Assert(i < MAX_COLUMNS);
	/* no context of its own: the array may be made more than once */
	if (columns->array[i] == NULL)
		columns->array[i] = initArrayResult(type, CurrentMemoryContext, false);
	columns->array[i] = accumArrayResult(columns->array[i], value, null, type, CurrentMemoryContext);
	columns->count = Max(columns->count, columns->next);
}

static void
add_int8(Columns *columns, int64 value)
{
	add(columns, INT8OID, Int64GetDatum(value), false);
}

/* Negative means unknown. */
static void
add_int4(Columns *columns, int value)
{
	add(columns, INT4OID, Int32GetDatum(value), value < 0);
}

static void
add_time(Columns *columns, TimestampTz value)
{
	add(columns, TIMESTAMPTZOID, TimestampTzGetDatum(value), value == 0);
}

/* UTF-8 from below the line into the server's encoding; raises when it has no such character. */
static void
add_text(Columns *columns, const char *utf8)
{
	if (utf8 == NULL)
		add(columns, TEXTOID, (Datum) 0, true);
	else
		add(columns, TEXTOID, CStringGetTextDatum(pg_any_to_server(utf8, strlen(utf8), PG_UTF8)), false);
}

/* Text that came from the server and is in its encoding still. */
static void
add_server_text(Columns *columns, const char *text)
{
	add(columns, TEXTOID, CStringGetTextDatum(text), false);
}

static void
add_text_or_null(Columns *columns, const char *utf8)
{
	add_text(columns, utf8 && *utf8 ? utf8 : NULL);
}

static uint64
execute_columns(SPIPlanPtr plan, Columns *columns)
{
	Datum		values[MAX_COLUMNS];

	for (int i = 0; i < columns->count; i++)
		values[i] = makeArrayResult(columns->array[i], CurrentMemoryContext);
	return spi_execute(plan, values, NULL, 0);
}

void
store_key_arrays(Job **jobs, int count, Datum *ids, Datum *fences)
{
	Columns		columns = {0};

	for (int i = 0; i < count; i++, columns.next = 0)
	{
		add_int8(&columns, jobs[i]->id);
		add_int4(&columns, jobs[i]->fence);
	}
	*ids = makeArrayResult(columns.array[0], CurrentMemoryContext);
	*fences = makeArrayResult(columns.array[1], CurrentMemoryContext);
}

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
	Columns		ids = {0};
	uint64		rows;
	LockedTicket *locked;

	spi_prepare(&plan,
				"SELECT t.id, t.category_is_manual, t.priority_is_manual, t.category, t.priority::text, t.tenant_id "
				"FROM triage.tickets t WHERE t.id = ANY ($1) AND t.tenant_id = ANY ($2) "
				"ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED",
				2, INT8ARRAYOID, TEXTARRAYOID);
	for (int i = 0; i < count; i++, ids.next = 0)
	{
		add_int8(&ids, jobs[i]->ticket_id);
		add_server_text(&ids, jobs[i]->tenant_id);
	}
	rows = execute_columns(plan, &ids);
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
	Columns		ids = {0};
	uint64		rows;

	for (int i = 0; i < count; i++, ids.next = 0)
		if (find_locked(locked, locked_count, jobs[i]) == NULL)
			add_int8(&ids, jobs[i]->ticket_id);
	if (ids.count == 0)
		return;
	spi_prepare(&plan, "SELECT t.id, t.tenant_id FROM triage.tickets t WHERE t.id = ANY ($1)", 1, INT8ARRAYOID);
	rows = execute_columns(plan, &ids);
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
	return job->outcome == OUTCOME_SUCCEEDED || job->decision.action != RETRY_LATER;
}

/* The job that a row of the current result is about: its first two columns are id and tenant. */
static int
find_job(Job **jobs, int count, uint64 row)
{
	bool		null;
	int64		id = DatumGetInt64(spi_value(row, 1, &null));
	char	   *tenant_id = NULL;

	for (int i = 0; i < count; i++)
	{
		if (jobs[i]->id != id)
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
add_dead_letters(Job **jobs, int count, uint64 rows)
{
	static SPIPlanPtr plan;
	Columns		letters = {0};

	for (uint64 row = 0; row < rows; row++)
	{
		Job		   *job = jobs[find_job(jobs, count, row)];
		bool		null;

		if (job->outcome == OUTCOME_SUCCEEDED)
			continue;
		letters.next = 0;
		add_int8(&letters, job->id);
		add_server_text(&letters, job->tenant_id);
		add_int8(&letters, job->ticket_id);
		add_server_text(&letters, TextDatumGetCString(spi_value(row, 3, &null)));
		add_server_text(&letters, TextDatumGetCString(spi_value(row, 4, &null)));
		add_int4(&letters, job->fence);
		add_int4(&letters, job->attempts);
		add_text(&letters, outcome_name(job->outcome));
		add_text(&letters, job->reason);
		add_time(&letters, DatumGetTimestampTz(spi_value(row, 5, &null)));
	}
	if (letters.count == 0)
		return;
	spi_prepare(&plan,
				"INSERT INTO triage.ai_dead_letters "
				"(id, tenant_id, ticket_id, kind, priority, fence, attempts, class, message, created_at) "
				"SELECT u.id, u.tenant_id, u.ticket_id, u.kind::triage.job_kind, u.priority::triage.ticket_priority, "
				"u.fence, u.attempts, u.class::triage.run_outcome, u.message, u.created_at "
				"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) "
				"AS u(id, tenant_id, ticket_id, kind, priority, fence, attempts, class, message, created_at) "
				"ON CONFLICT ON CONSTRAINT ai_dead_letters_one_per_ticket DO UPDATE SET id = excluded.id, "
				"priority = excluded.priority, fence = excluded.fence, attempts = excluded.attempts, "
				"class = excluded.class, message = excluded.message, created_at = excluded.created_at, failed_at = now()",
				10, INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
				INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZARRAYOID);
	execute_columns(plan, &letters);
}

/* A finished job leaves the queue; the fence tells whether it is still ours. */
static void
finish_jobs(Job **jobs, int count)
{
	static SPIPlanPtr plan;
	Columns		keys = {0};
	uint64		rows;

	for (int i = 0; i < count; i++, keys.next = 0)
	{
		if (jobs[i]->stored == STORE_LOCKED || !is_final(jobs[i]))
			continue;
		add_int8(&keys, jobs[i]->id);
		add_int4(&keys, jobs[i]->fence);
		add_server_text(&keys, jobs[i]->tenant_id);
	}
	if (keys.count == 0)
		return;
	spi_prepare(&plan,
				"DELETE FROM triage.ai_jobs j USING unnest($1, $2, $3) AS u(id, fence, tenant_id) "
				"WHERE j.id = ANY ($1) AND j.id = u.id AND j.fence = u.fence AND j.tenant_id IS NOT DISTINCT FROM u.tenant_id "
				"RETURNING j.id, j.tenant_id, j.kind::text, j.priority::text, j.created_at",
				3, INT8ARRAYOID, INT4ARRAYOID, TEXTARRAYOID);
	rows = execute_columns(plan, &keys);
	mark_current(jobs, count, rows);
	add_dead_letters(jobs, count, rows);
}

static void
return_jobs(Job **jobs, int count)
{
	static SPIPlanPtr plan;
	Columns		rows = {0};
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < count; i++, rows.next = 0)
	{
		Job		   *job = jobs[i];

		if (job->stored == STORE_LOCKED || is_final(job))
			continue;
		add_int8(&rows, job->id);
		add_int4(&rows, job->fence);
		add_int4(&rows, job->decision.attempt_spent ? 0 : 1);
		add_time(&rows, TimestampTzPlusMilliseconds(now, job->decision.delay_ms));
		add_server_text(&rows, job->tenant_id);
	}
	if (rows.count == 0)
		return;
	spi_prepare(&plan,
				"UPDATE triage.ai_jobs j SET lease_until = NULL, slot = NULL, run_at = u.run_at, "
				"attempts = greatest(j.attempts - u.given_back, 0) "
				"FROM unnest($1, $2, $3, $4, $5) AS u(id, fence, given_back, run_at, tenant_id) "
				"WHERE j.id = ANY ($1) AND j.id = u.id AND j.fence = u.fence AND j.tenant_id IS NOT DISTINCT FROM u.tenant_id "
				"RETURNING j.id, j.tenant_id",
				5, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID, TEXTARRAYOID);
	mark_current(jobs, count, execute_columns(plan, &rows));
}

static void
add_run(Columns *runs, const Job *job, const RunCost *cost)
{
	RunOutcome	outcome = job->outcome;

	if (job->stored == STORE_STALE && outcome == OUTCOME_SUCCEEDED)
		outcome = OUTCOME_STALE;
	runs->next = 0;
	add_server_text(runs, job->tenant_id);
	add_int8(runs, job->id);
	add_int8(runs, job->ticket_id);
	add_int4(runs, job->fence);
	add_text_or_null(runs, job->provider);
	add_text_or_null(runs, job->model);
	add_int4(runs, job->vocabulary && job->vocabulary->prompt_version > 0 ? job->vocabulary->prompt_version : -1);
	add_text(runs, outcome_name(outcome));
	add_int4(runs, job->http_status > 0 ? job->http_status : -1);
	add_text_or_null(runs, job->request_id);
	add_text_or_null(runs, outcome == OUTCOME_STALE ? "the ticket moved on while the call was in the air" : job->reason);
	add_int4(runs, job->usage.input_tokens);
	add_int4(runs, job->usage.cached_tokens);
	add_int4(runs, job->usage.output_tokens);
	add(runs, NUMERICOID, cost->cost, !cost->known);
	add_int4(runs, job->latency_ms);
	add_time(runs, job->started_at);
	add_int4(runs, job->usage.cache_write_tokens);
	add(runs, TEXTOID, cost->currency, !cost->priced);
	add(runs, TEXTOID, cost->price, !cost->priced);
}

/* Appends the runs; run_ids[i] is set for each job whose run was written. */
static void
write_runs(Job **jobs, int count, const RunCost *costs, int64 *run_ids)
{
	static SPIPlanPtr plan;
	Columns		runs = {0};
	uint64		rows;

	for (int i = 0; i < count; i++)
		if (jobs[i]->stored != STORE_LOCKED && jobs[i]->called)
			add_run(&runs, jobs[i], &costs[i]);
	if (runs.count == 0)
		return;
	spi_prepare(&plan,
				"INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, prompt_version, "
				"outcome, http_status, request_id, error, input_tokens, cached_tokens, output_tokens, cost, "
				"latency_ms, started_at, cache_write_tokens, currency, price, finished_at) "
				"SELECT u.tenant_id, u.job_id, u.ticket_id, 'triage', u.fence, u.provider, u.model, u.prompt_version, "
				"u.outcome::triage.run_outcome, u.http_status, u.request_id, u.error, u.input_tokens, u.cached_tokens, "
				"u.output_tokens, u.cost, u.latency_ms, u.started_at, u.cache_write_tokens, u.currency, u.price::jsonb, "
				"clock_timestamp() FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
				"$18, $19, $20) "
				"AS u(tenant_id, job_id, ticket_id, fence, provider, model, prompt_version, outcome, http_status, "
				"request_id, error, input_tokens, cached_tokens, output_tokens, cost, latency_ms, started_at, "
				"cache_write_tokens, currency, price) "
				"RETURNING job_id, tenant_id, id",
				20, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
				TEXTARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID,
				NUMERICARRAYOID, INT4ARRAYOID, TIMESTAMPTZARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID);
	rows = execute_columns(plan, &runs);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;

		run_ids[find_job(jobs, count, row)] = DatumGetInt64(spi_value(row, 3, &null));
	}
}

static const char *
category_of(const Job *job)
{
	return job->vocabulary->categories[job->verdict.category].name;
}

static void
add_result(Columns *results, const Job *job, int64 run_id)
{
	const Verdict *verdict = &job->verdict;

	results->next = 0;
	add_server_text(results, job->tenant_id);
	add_int8(results, job->ticket_id);
	add_int8(results, run_id);
	add_int4(results, job->ticket_version);
	add_text(results, category_of(job));
	add_text(results, priority_name(verdict->urgency));
	add_int4(results, verdict->sentiment_score);
	add(results, BOOLOID, BoolGetDatum(verdict->needs_human > 0), verdict->needs_human < 0);
	add(results, FLOAT8OID, Float8GetDatum(verdict->confidence), verdict->confidence < 0);
	add_text(results, verdict->language);
	add_text(results, verdict->summary);
	add_text(results, verdict->draft_reply);
}

/* A ticket that has a result already: the new one takes its place.  Rare, so planned for what is there now. */
static void
supersede_results(Columns *results)
{
	Datum		keys[3];

	for (int i = 0; i < 3; i++)
		keys[i] = makeArrayResult(results->array[i], CurrentMemoryContext);
	spi_execute_fresh("UPDATE triage.ticket_ai_results r SET superseded_at = clock_timestamp() "
					  "FROM unnest($1, $2, $3) AS u(tenant_id, ticket_id, run_id) "
					  "WHERE r.tenant_id = u.tenant_id AND r.ticket_id = u.ticket_id AND r.superseded_at IS NULL "
					  "AND r.run_id IS DISTINCT FROM u.run_id",
					  keys, 3, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID);
}

static void
write_results(Job **jobs, int count, const int64 *run_ids)
{
	static SPIPlanPtr plan;
	Columns		results = {0};
	uint64		wanted = 0;

	for (int i = 0; i < count; i++)
	{
		if (jobs[i]->stored != STORE_WRITTEN || jobs[i]->outcome != OUTCOME_SUCCEEDED)
			continue;
		add_result(&results, jobs[i], run_ids[i]);
		wanted++;
	}
	if (wanted == 0)
		return;
	/* the unique index finds what is in the way: no look-up whose plan could go stale */
	spi_prepare(&plan,
				"INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, run_id, ticket_version, category, urgency, "
				"sentiment_score, needs_human, confidence, language, summary, draft_reply, processed_at) "
				"SELECT u.tenant_id, u.ticket_id, u.run_id, u.ticket_version, u.category, "
				"u.urgency::triage.ticket_priority, u.sentiment_score, u.needs_human, round(u.confidence::numeric, 2), "
				"u.language, u.summary, u.draft_reply, clock_timestamp() "
				"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) AS u(tenant_id, ticket_id, run_id, "
				"ticket_version, category, urgency, sentiment_score, needs_human, confidence, language, summary, "
				"draft_reply) ON CONFLICT ON CONSTRAINT ticket_ai_results_one_current DO NOTHING",
				12, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, INT4ARRAYOID,
				BOOLARRAYOID, FLOAT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID);
	if (execute_columns(plan, &results) == wanted)
		return;
	supersede_results(&results);
	execute_columns(plan, &results);
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
update_tickets(Job **jobs, int count, LockedTicket *locked, int locked_count)
{
	static SPIPlanPtr plan;
	Columns		tickets = {0};
	int			nest;

	for (int i = 0; i < count; i++)
	{
		const char *category;
		Priority	priority;
		LockedTicket *ticket;

		if (jobs[i]->stored != STORE_WRITTEN || jobs[i]->outcome != OUTCOME_SUCCEEDED)
			continue;
		ticket = find_locked(locked, locked_count, jobs[i]);
		if (ticket == NULL || !ticket_needs(jobs[i], ticket, &category, &priority))
			continue;
		tickets.next = 0;
		add_int8(&tickets, jobs[i]->ticket_id);
		add_server_text(&tickets, jobs[i]->tenant_id);
		add_text(&tickets, category);
		add_text(&tickets, priority_name(priority));
	}
	if (tickets.count == 0)
		return;
	spi_prepare(&plan,
				"UPDATE triage.tickets t SET category = u.category, priority = u.priority::triage.ticket_priority "
				"FROM unnest($1, $2, $3, $4) AS u(id, tenant_id, category, priority) "
				"WHERE t.id = ANY ($1) AND t.id = u.id AND t.tenant_id IS NOT DISTINCT FROM u.tenant_id",
				4, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID);
	nest = NewGUCNestLevel();
	(void) set_config_option("triage.actor", ACTOR_TRIAGE, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	ticket_result_is_written = true;
	PG_TRY();
	{
		execute_columns(plan, &tickets);
	}
	PG_FINALLY();
	{
		ticket_result_is_written = false;
	}
	PG_END_TRY();
	AtEOXact_GUC(true, nest);
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
		jobs[i]->stored = STORE_STALE;
	locked = lock_tickets(jobs, count, &locked_count);
	if (locked_count < count)	/* no more than one job a ticket */
		sort_out_missing(jobs, count, locked, locked_count);
	finish_jobs(jobs, count);
	return_jobs(jobs, count);
	costs = prices_cost(jobs, count);
	write_runs(jobs, count, costs, run_ids);
	write_results(jobs, count, run_ids);
	update_tickets(jobs, count, locked, locked_count);
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
