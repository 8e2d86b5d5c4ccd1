/*
 * queue.c
 *	  Claiming: which jobs a claimer gets, how long it holds them, and what ends a hold.
 *
 * Vocabulary: a lease says until when a claim holds, the fence which claim is the current one.  Both are written
 * before the work starts, in a transaction of their own, and neither is in an index, so that a claim is a HOT update.
 * What an answer does to the queue is in store.c.
 *
 * A claimer walks each priority with a keyset cursor, since dead index entries at the head, which an old snapshot
 * keeps alive, are what makes a claim slow.  The LIMIT is a literal: as a parameter it is planned as a tenth of the
 * table.  `ctid = ANY (ARRAY (SELECT ... LIMIT))` is the form that no plan change makes claim more than its LIMIT.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/pg_prng.h"
#include "core/labels.h"
#include "core/utf8.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/budget.h"
#include "pg/encoding.h"
#include "pg/guc.h"
#include "pg/queue.h"
#include "pg/spi_util.h"
#include "pg/store.h"
#include "pg/tables.h"
#include "postmaster/interrupt.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* LIMITs 1, 2, 4 ... QUEUE_MAX_BATCH, each with a plan of its own */
#define LADDER 8

/*
 * Full jitter between nothing and base * 2^n, capped.  An unusable answer is asked for twice more; one that was cut at
 * the model's output limit once more, for what cut it is there still.
 */
#define RETRY_BASE_MS 1000
#define RETRY_CAP_MS 300000
#define MAX_UNUSABLE_ANSWERS 3
#define MAX_TRUNCATED_ANSWERS 2

static Oid	owner = InvalidOid;
static Oid	known_tables = InvalidOid;	/* oid of schema_version, as first seen */
static bool replaced = false;
static Identity session;
static bool must_be_synchronous = false;

void
cursor_reset(Cursor *cursor)
{
	for (int i = 0; i < PRIORITY_COUNT; i++)
	{
		cursor->at[i].run_at = DT_NOBEGIN;
		cursor->at[i].id = 0;
	}
}

static SPIPlanPtr
claim_plan(int rung, ClaimTenants which, bool some_kinds)
{
	static const char *const filters[CLAIM_TENANTS_COUNT] = {
		"", "AND q.tenant_id <> ALL ($8) ", "AND q.tenant_id = ANY ($8) "
	};
	static SPIPlanPtr plans[CLAIM_TENANTS_COUNT][2][LADDER];
	SPIPlanPtr *plan = &plans[which][some_kinds][rung];
	char	   *sql;

	if (*plan)
		return *plan;
	sql = psprintf("UPDATE triage.ai_jobs j SET fence = j.fence + 1, attempts = j.attempts + 1, claimed_at = $5, "
				   "lease_until = $4, slot = $6, provider = $7 "
				   "WHERE j.ctid = ANY (ARRAY (SELECT q.ctid FROM triage.ai_jobs q "
				   "WHERE q.priority = $1::triage.ticket_priority AND q.run_at <= $5 AND (q.run_at, q.id) > ($2, $3) "
				   "AND q.lease_until IS NULL %s%sORDER BY q.run_at, q.id LIMIT %d FOR UPDATE SKIP LOCKED)) "
				   "RETURNING j.id, j.tenant_id, j.ticket_id, j.fence, j.attempts, j.run_at, j.session_id, j.kind::text, j.cluster_id",
				   filters[which], some_kinds ? "AND q.kind = ANY ($9::triage.job_kind[]) " : "", 1 << rung);
	spi_prepare(plan, sql, some_kinds ? 9 : which == CLAIM_ALL ? 7 : 8, TEXTOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID,
				TIMESTAMPTZOID, INT2OID, TEXTOID, TEXTARRAYOID, TEXTARRAYOID);
	return *plan;
}

static void
take_claimed(Job *job, uint64 row, const ClaimRequest *request)
{
	bool		null;

	job_reset(job);
	job->id = spi_int8(row, 1);
	job->tenant_id = spi_strdup(TextDatumGetCString(spi_value(row, 2, &null)));
	job_set_subject(job, row, 3, 7, 9);
	job_set_kind(job, TextDatumGetCString(spi_value(row, 8, &null)));
	job->fence = spi_int4(row, 4);
	job->attempts = DatumGetInt16(spi_value(row, 5, &null));
	job->run_at = DatumGetTimestampTz(spi_value(row, 6, &null));
	job->lease_until = request->lease_until;
	job->started_at = request->now;
	job_set_text(job->provider, sizeof(job->provider), request->provider ? request->provider : "");
	job->state = JOB_READY;
}

static int
compare_age(const void *a, const void *b)
{
	const Job  *x = *(Job *const *) a;
	const Job  *y = *(Job *const *) b;

	if (x->run_at != y->run_at)
		return x->run_at < y->run_at ? -1 : 1;
	return (x->id > y->id) - (x->id < y->id);
}

static int
claim_priority(const ClaimRequest *request, Priority priority, Cursor *cursor, Job **jobs, int max_jobs)
{
	int			rung = LADDER - 1;
	Datum		values[9];
	char		nulls[] = "         ";
	int			claimed;

	while ((1 << rung) > max_jobs)
		rung--;
	values[0] = CStringGetTextDatum(priority_name(priority));
	values[1] = TimestampTzGetDatum(cursor->at[priority].run_at);
	values[2] = Int64GetDatum(cursor->at[priority].id);
	values[3] = TimestampTzGetDatum(request->lease_until);
	values[4] = TimestampTzGetDatum(request->now);
	values[5] = Int16GetDatum(request->slot);
	values[6] = request->provider ? CStringGetTextDatum(request->provider) : (Datum) 0;
	if (request->provider == NULL)
		nulls[6] = 'n';
	values[7] = request->tenants;
	if (request->which == CLAIM_ALL)
		nulls[7] = 'n';
	values[8] = request->kinds;
	claimed = (int) spi_execute(claim_plan(rung, request->which, request->kinds != 0), values, nulls, 0);
	for (int i = 0; i < claimed; i++)
	{
		TimestampTz run_at;

		take_claimed(jobs[i], i, request);
		run_at = jobs[i]->run_at;
		/* RETURNING keeps no order: the cursor moves to the greatest */
		if (run_at > cursor->at[priority].run_at ||
			(run_at == cursor->at[priority].run_at && jobs[i]->id > cursor->at[priority].id))
		{
			cursor->at[priority].run_at = run_at;
			cursor->at[priority].id = jobs[i]->id;
		}
	}
	/* the oldest first: what a budget does not cover comes from the end */
	if (request->terms)
		qsort(jobs, claimed, sizeof(Job *), compare_age);
	return claimed;
}

int
queue_claim(const ClaimRequest *request, Cursor *cursor, Job **jobs)
{
	int			wanted = Min(request->max_jobs, QUEUE_MAX_BATCH);
	int			claimed = 0;

	for (int priority = PRIORITY_COUNT - 1; priority >= 0; priority--)
	{
		while (claimed < wanted)
		{
			int			asked = wanted - claimed;
			int			got = claim_priority(request, priority, cursor, jobs + claimed, asked);

			claimed += got;
			/* a full rung may have left some: the ladder's next smaller one fetches them */
			if (got == 0 || (got < asked && (got & (got - 1)) != 0))
				break;
		}
	}
	return request->terms ? budget_reserve(request->terms, request, jobs, claimed) : claimed;
}

void
queue_unclaim(Job **jobs, int count)
{
	static SPIPlanPtr plan;

	store_lease(jobs, count, 0, &plan,
				"UPDATE triage.ai_jobs j SET lease_until = NULL, slot = NULL, attempts = greatest(j.attempts - 1, 0) "
				"FROM u WHERE " STORE_CLAIM_OF_U " AND j.lease_until IS NOT NULL");
}

void
queue_read_tickets(Job **jobs, int count, TicketText *texts)
{
	static SPIPlanPtr plan;
	int64	   *ids = palloc(count * sizeof(int64));
	Datum		value;
	uint64		rows;

	spi_prepare(&plan,
				"SELECT t.id, t.version, t.subject, t.description, t.tenant_id FROM triage.tickets t WHERE t.id = ANY ($1)",
				1, INT8ARRAYOID);
	for (int i = 0; i < count; i++)
		ids[i] = jobs[i]->ticket_id;
	value = spi_int8_array(ids, count);
	memset(texts, 0, count * sizeof(TicketText));
	rows = spi_execute(plan, &value, NULL, 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		int64		id = spi_int8(row, 1);
		char	   *tenant_id = TextDatumGetCString(spi_value(row, 5, &null));

		for (int i = 0; i < count; i++)
		{
			if (jobs[i]->ticket_id != id || strcmp(jobs[i]->tenant_id, tenant_id) != 0)
				continue;
			jobs[i]->ticket_version = spi_int4(row, 2);
			texts[i].input.subject = spi_utf8(spi_value(row, 3, &null), &texts[i].input.subject_len);
			texts[i].input.description = spi_utf8(spi_value(row, 4, &null), &texts[i].input.description_len);
			texts[i].found = true;
			break;
		}
	}
}

/* The rows of an UPDATE that ended leases: each becomes a lost run, and a dead letter when its tries are spent. */
static int
record_lost(uint64 rows)
{
	Job		   *lost = palloc0(rows * sizeof(Job));
	Job		  **list = palloc(rows * sizeof(Job *));
	bool		null;

	for (uint64 row = 0; row < rows; row++)
	{
		Job		   *job = list[row] = &lost[row];
		Datum		provider;

		job->id = spi_int8(row, 1);
		job->tenant_id = TextDatumGetCString(spi_value(row, 2, &null));
		job_set_subject(job, row, 3, 8, 10);
		job_set_kind(job, TextDatumGetCString(spi_value(row, 9, &null)));
		job->fence = spi_int4(row, 4);
		job->attempts = DatumGetInt16(spi_value(row, 5, &null));
		provider = spi_value(row, 6, &null);
		if (!null)
			job_set_text(job->provider, sizeof(job->provider), TextDatumGetCString(provider));
		job->started_at = DatumGetTimestampTz(spi_value(row, 7, &null));
		job->called = true;
		job->outcome = OUTCOME_LOST;
		job->latency_ms = -1;
		job->usage = USAGE_UNKNOWN;
		strlcpy(job->reason, "the lease ended before an answer came; if the call was made, it may have been billed",
				sizeof(job->reason));
	}
	store_lost(list, (int) rows);
	return (int) rows;
}

#define LEASE_ENDED "SET lease_until = NULL, slot = NULL "
#define RETURNING_LOST "RETURNING j.id, j.tenant_id, j.ticket_id, j.fence, j.attempts, j.provider, j.claimed_at, " \
	"j.session_id, j.kind::text, j.cluster_id"
/*
 * A dead letter's foreign key waits for whoever holds the ticket, session or cluster, and who is told of a session's writes to it and
 * to its origin ticket: all would wait with it, and with jobs in hand that whoever holds them may come to want.  Such a job
 * is left for the next time.  LATERAL, for no plan of a join could be had without reading all tickets.
 */
#define WITH_FREE_SUBJECT "LEFT JOIN LATERAL (SELECT t.id FROM triage.tickets t " \
	"WHERE t.tenant_id = q.tenant_id AND t.id = q.ticket_id FOR KEY SHARE SKIP LOCKED) AS ticket ON true " \
	"LEFT JOIN LATERAL (SELECT t.id FROM triage.chat_tickets o JOIN triage.tickets t ON t.tenant_id = o.tenant_id AND t.id = o.ticket_id " \
	"WHERE o.tenant_id = q.tenant_id AND o.session_id = q.session_id AND o.relation = 'origin' " \
	"FOR NO KEY UPDATE OF t SKIP LOCKED) AS origin ON true " \
	"LEFT JOIN LATERAL (SELECT s.id FROM triage.chat_sessions s " \
	"WHERE s.tenant_id = q.tenant_id AND s.id = q.session_id AND (origin.id IS NOT NULL OR NOT EXISTS (" \
	"SELECT FROM triage.chat_tickets o WHERE o.tenant_id = s.tenant_id AND o.session_id = s.id AND o.relation = 'origin')) " \
	"FOR NO KEY UPDATE SKIP LOCKED) AS session ON true " \
	"LEFT JOIN LATERAL (SELECT c.id FROM triage.issue_clusters c " \
	"WHERE c.tenant_id = q.tenant_id AND c.id = q.cluster_id FOR NO KEY UPDATE SKIP LOCKED) AS cluster ON true "
#define SUBJECT_IS_FREE "AND coalesce(ticket.id, session.id, cluster.id) IS NOT NULL "

int
queue_free_slot(int slot)
{
	static SPIPlanPtr plan;
	Datum		value = Int16GetDatum(slot);

	spi_prepare(&plan,
				"UPDATE triage.ai_jobs j " LEASE_ENDED
				"WHERE j.ctid = ANY (ARRAY (SELECT q.ctid FROM triage.ai_jobs q " WITH_FREE_SUBJECT
				"WHERE q.slot = $1 AND q.lease_until IS NOT NULL " SUBJECT_IS_FREE "FOR UPDATE OF q SKIP LOCKED)) " RETURNING_LOST,
				1, INT2OID);
	return record_lost(spi_execute(plan, &value, NULL, 0));
}

/* up to the cursor: what lies beyond it this claimer has not passed, and will meet as a lease still running */
#define HAS_ENDED "q.priority = $1::triage.ticket_priority AND (q.run_at, q.id) <= ($2, $3) AND q.lease_until <= $4 "

static void
set_ended(Datum *values, Priority priority, const Cursor *cursor, TimestampTz now)
{
	values[0] = CStringGetTextDatum(priority_name(priority));
	/* a claimed job was due: what is due later need not be walked */
	values[1] = TimestampTzGetDatum(cursor ? cursor->at[priority].run_at : now);
	values[2] = Int64GetDatum(cursor ? cursor->at[priority].id : PG_INT64_MAX);
	values[3] = TimestampTzGetDatum(now);
}

int
queue_reap(const Cursor *cursor, TimestampTz now)
{
	static SPIPlanPtr plan;
	int			reaped = 0;

	spi_prepare(&plan,
				"UPDATE triage.ai_jobs j " LEASE_ENDED
				"WHERE j.ctid = ANY (ARRAY (SELECT q.ctid FROM triage.ai_jobs q " WITH_FREE_SUBJECT
				"WHERE " HAS_ENDED SUBJECT_IS_FREE "ORDER BY q.run_at, q.id LIMIT 128 FOR UPDATE OF q SKIP LOCKED)) " RETURNING_LOST,
				4, TEXTOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID);
	for (int priority = PRIORITY_COUNT - 1; priority >= 0; priority--)
	{
		Datum		values[4];
		uint64		rows;

		set_ended(values, priority, cursor, now);
		do
		{
			rows = spi_execute(plan, values, NULL, 0);
			if (rows > 0)
				reaped += record_lost(rows);
		} while (rows == QUEUE_MAX_BATCH);
	}
	budget_sweep(now);
	return reaped;
}

int
queue_find_ended(const Cursor *cursor, TimestampTz now, int64 *ids)
{
	static SPIPlanPtr plan;
	int			found = 0;

	/* at random: what cannot be freed must not take the place of what can be each time */
	spi_prepare(&plan,
				"SELECT q.id FROM triage.ai_jobs q WHERE " HAS_ENDED "ORDER BY random() LIMIT 128",
				4, TEXTOID, TIMESTAMPTZOID, INT8OID, TIMESTAMPTZOID);
	for (int priority = PRIORITY_COUNT - 1; priority >= 0; priority--)
	{
		Datum		values[4];
		uint64		rows;

		set_ended(values, priority, cursor, now);
		rows = spi_execute(plan, values, NULL, 0);
		for (uint64 row = 0; row < rows; row++)
			ids[found++] = spi_int8(row, 1);
	}
	budget_sweep(now);
	return found;
}

int
queue_reap_these(const int64 *ids, int count, TimestampTz now)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {spi_int8_array(ids, count), TimestampTzGetDatum(now)};
	uint64		rows;

	spi_prepare(&plan,
				"UPDATE triage.ai_jobs j " LEASE_ENDED
				"WHERE j.ctid = ANY (ARRAY (SELECT q.ctid FROM triage.ai_jobs q " WITH_FREE_SUBJECT
				"WHERE q.id = ANY ($1) AND q.lease_until <= $2 " SUBJECT_IS_FREE "FOR UPDATE OF q SKIP LOCKED)) " RETURNING_LOST,
				2, INT8ARRAYOID, TIMESTAMPTZOID);
	rows = spi_execute(plan, values, NULL, 0);
	return rows > 0 ? record_lost(rows) : 0;
}

void
queue_extend(Job **jobs, int count, TimestampTz lease_until)
{
	static SPIPlanPtr plan;
	uint64		extended;

	/* who has changed a ticket holds its job, too, and is not waited for */
	extended = store_lease(jobs, count, lease_until, &plan,
						   "UPDATE triage.ai_jobs j SET lease_until = u.lease_until FROM u "
						   "WHERE " STORE_CLAIM_OF_U " AND j.lease_until IS NOT NULL AND j.ctid = ANY (ARRAY ("
						   "SELECT q.ctid FROM triage.ai_jobs q WHERE q.id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED))");
	/* as long as some were left out, all are to be prolonged again */
	if (extended < (uint64) count)
		return;
	for (int i = 0; i < count; i++)
		jobs[i]->lease_until = lease_until;
}

void
queue_find_current(Job **jobs, int count, bool *current)
{
	static SPIPlanPtr plan;
	int64	   *ids = palloc(count * sizeof(int64));
	Datum		value;
	uint64		rows;

	/* all rows, instead of a join with what is asked for: no plan of it can go through the whole queue */
	spi_prepare(&plan, "SELECT j.id, j.fence, j.tenant_id FROM triage.ai_jobs j WHERE j.id = ANY ($1)", 1, INT8ARRAYOID);
	for (int i = 0; i < count; i++)
		ids[i] = jobs[i]->id;
	value = spi_int8_array(ids, count);
	rows = spi_execute(plan, &value, NULL, 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		int64		id = spi_int8(row, 1);
		int			fence = spi_int4(row, 2);
		char	   *tenant_id = NULL;
		int			low = 0,
					high = count;

		while (low < high)
		{
			int			middle = (low + high) / 2;

			if (jobs[middle]->id < id)
				low = middle + 1;
			else
				high = middle;
		}
		for (; low < count && jobs[low]->id == id; low++)
		{
			if (tenant_id == NULL)
				tenant_id = TextDatumGetCString(spi_value(row, 3, &null));
			if (jobs[low]->fence == fence && strcmp(jobs[low]->tenant_id, tenant_id) == 0)
				current[low] = true;
		}
	}
}

/* The success must have been asked for after the refusal, or it proves nothing. */
#define REFUSED_ALONE(subject) \
	"SELECT FROM triage.ai_runs r WHERE r.tenant_id = $1 AND r." subject " = $2 AND r.job_id = $3 " \
	"AND r.provider = $4 AND r.http_status = $5 AND EXISTS (SELECT FROM triage.ai_runs s WHERE s.id > r.id " \
	"AND s.provider = r.provider AND s.outcome = 'succeeded' AND s.started_at > r.started_at)"

bool
queue_refused_alone(const Job *job)
{
	static const char *const statements[] = {
		REFUSED_ALONE("ticket_id"), REFUSED_ALONE("session_id"), REFUSED_ALONE("cluster_id")
	};
	static SPIPlanPtr plans[lengthof(statements)];
	int			subject = job->cluster_id != 0 ? 2 : job->session_id != 0 ? 1 : 0;
	int64		id;
	Datum		values[5] = {CStringGetTextDatum(job->tenant_id), 0, Int64GetDatum(job->id),
	CStringGetTextDatum(job->provider), Int32GetDatum(job->http_status)};

	(void) job_subject(job, &id);
	values[1] = Int64GetDatum(id);
	spi_prepare(&plans[subject], statements[subject], 5, TEXTOID, INT8OID, INT8OID, TEXTOID, INT4OID);
	return spi_execute(plans[subject], values, NULL, 1) > 0;
}

TimestampTz
queue_next_due(TimestampTz now)
{
	static SPIPlanPtr plan;
	Datum		value = TimestampTzGetDatum(now);
	bool		null;

	spi_prepare(&plan,
				"SELECT min(due) FROM unnest(enum_range(NULL::triage.ticket_priority)) AS p(priority), LATERAL "
				"(SELECT q.run_at AS due FROM triage.ai_jobs q WHERE q.priority = p.priority AND q.run_at > $1 "
				"ORDER BY q.run_at LIMIT 1) AS next",
				1, TIMESTAMPTZOID);
	spi_execute(plan, &value, NULL, 0);
	value = spi_value(0, 1, &null);
	return null ? 0 : DatumGetTimestampTz(value);
}

static void
free_labels(Category *labels, int count)
{
	for (int i = 0; i < count; i++)
	{
		free((char *) labels[i].name);
		free((char *) labels[i].description);
	}
	free(labels);
}

static void
vocabulary_release(Vocabulary *vocabulary)
{
	if (vocabulary == NULL || --vocabulary->references > 0)
		return;
	free_labels(vocabulary->categories, vocabulary->category_count);
	prompt_frame_free(&vocabulary->frame);
	free(vocabulary->system_text);
	free(vocabulary);
}

void
job_forget_request(Job *job)
{
	buf_free(&job->body);
	verdict_free(&job->verdict);
	vocabulary_release(job->vocabulary);
	job->vocabulary = NULL;
	free_labels(job->labels, job->label_count);
	job->labels = NULL;
	job->label_count = 0;
	job->called = false;
	job->unwanted = false;
	job->is_read = false;
	job->state = JOB_READY;
}

Offer
job_offer(const Job *job)
{
	if (job->kind == KIND_TRIAGE)
		return (Offer) {.labels = job->vocabulary->categories, .label_count = job->vocabulary->category_count};
	return (Offer) {.labels = job->labels, .label_count = job->label_count, .text_count = job->text_count};
}

void
job_set_subject(Job *job, uint64 row, int ticket_column, int session_column, int cluster_column)
{
	job->ticket_id = spi_int8(row, ticket_column);
	job->session_id = spi_int8(row, session_column);
	job->cluster_id = spi_int8(row, cluster_column);
}

const char *
job_subject(const Job *job, int64 *id)
{
	*id = job->cluster_id ? job->cluster_id : job->session_id ? job->session_id : job->ticket_id;
	return job->cluster_id ? "cluster" : job->session_id ? "session" : "ticket";
}

void
job_reset(Job *job)
{
	job_forget_request(job);
	free(job->tenant_id);
	memset(job, 0, offsetof(Job, provider));
	job->provider[0] = job->model[0] = job->asked_model[0] = '\0';
	job->request_id[0] = job->reason[0] = job->charged[0] = '\0';
	job->latency_ms = -1;
	job->usage = USAGE_UNKNOWN;
}

void
job_set_kind(Job *job, const char *name)
{
	if (!kind_parse(name, &job->kind))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("this library knows no jobs of kind \"%s\"", name),
				 errhint("Restart the server, or reconnect if the library is not preloaded, to have the library of the installed version loaded.")));
}

/* Outside a transaction nothing can be converted: then ASCII is all that is kept. */
static char *
as_utf8(const char *text)
{
	char	   *plain = pstrdup(text);

	if (IsTransactionState() || GetDatabaseEncoding() == PG_UTF8)
		return encoding_to_utf8(plain);
	encoding_keep_ascii(plain);
	return plain;
}

void
job_set_text(char *field, size_t size, const char *text)
{
	char	   *utf8 = as_utf8(text);
	size_t		len = utf8_clip(utf8, strlen(utf8), size - 1);

	memcpy(field, utf8, len);
	field[len] = '\0';
}

void
job_decide(Job *job, int64 hint_ms)
{
	const RetryPolicy policy = {
		.max_attempts = triage_max_attempts,
		.max_unusable_answers = job->truncated ? MAX_TRUNCATED_ANSWERS : MAX_UNUSABLE_ANSWERS,
		.base_ms = RETRY_BASE_MS,
		.cap_ms = RETRY_CAP_MS
	};

	job->decision = retry_decide(&policy, job->outcome, job->attempts, hint_ms,
								 pg_prng_uint32(&pg_global_prng_state));
}

void
queue_set_owner(Oid role)
{
	owner = role;
}

/* No user's trigger on our tables may gain more rights than their owner has: the present one, who may have been given them since. */
static void
become_owner(void)
{
	Oid			present = tables_owner(tables_find("ai_jobs"));

	if (OidIsValid(present))
		owner = present;
	(void) tables_become(owner);
}

/*
 * uninstall() takes this lock first: whoever comes second waits before holding anything, so neither deadlocks.  What
 * was claimed from the tables of an extension that has been dropped must not meet those of its successor, whose jobs
 * may have the same ids and fences.
 */
static void
lock_schema(void)
{
	Oid			table = tables_find("schema_version");

	if (OidIsValid(table))
	{
		LockRelationOid(table, AccessShareLock);
		/* it may have been dropped while we waited */
		table = tables_find("schema_version");
	}
	if (!OidIsValid(table))
		return;
	if (!OidIsValid(known_tables))
		known_tables = table;
	replaced = table != known_tables;
	if (replaced)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the tables of triage were dropped and created anew")));
}

bool
queue_is_replaced(void)
{
	return replaced;
}

/* What a trigger has set for the session must not outlive its transaction: either would stop or mislead the next. */
static void
restore_session(void)
{
	if (strcmp(namespace_search_path, QUEUE_SEARCH_PATH) != 0)
		SetConfigOption("search_path", QUEUE_SEARCH_PATH, PGC_USERSET, PGC_S_SESSION);
	if (!row_security)
		SetConfigOption("row_security", "on", PGC_USERSET, PGC_S_SESSION);
}

void
queue_begin(void)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	restore_session();
	GetUserIdAndSecContext(&session.user, &session.context);
	if (OidIsValid(owner))
		become_owner();
	lock_schema();
	spi_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	must_be_synchronous = false;
}

void
queue_commit_synchronously(void)
{
	must_be_synchronous = true;
}

static void
set_commit_level(bool synchronous)
{
	const char *level = NULL;

	if (!synchronous && !must_be_synchronous)
		level = "off";
	/* who is to end waits for no standby, which may never answer; a server that stops sends it the rest first */
	else if (ShutdownRequestPending && synchronous_commit > SYNCHRONOUS_COMMIT_LOCAL_FLUSH)
		level = "local";
	if (level)
		(void) set_config_option("synchronous_commit", level, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
}

void
queue_commit(bool synchronous)
{
	set_commit_level(synchronous);
	PopActiveSnapshot();
	SPI_finish();
	/* a deferred trigger would run at commit: so the owner's rights end after it, not before */
	CommitTransactionCommand();
	tables_give_back(session);
}
