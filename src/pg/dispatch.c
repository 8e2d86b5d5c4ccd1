/*
 * dispatch.c
 *	  One pass of the worker: take answers, write them, claim, call.
 *
 * Decides when to claim and how many, when a provider is left alone, and in which order a turn does things: a finished
 * call's place in the air is filled from the claimed jobs at hand before anything is written, so that writing does not
 * cost throughput.  No transaction is open when pool_step() runs; each transaction is one call of transact().
 * Knows SQL only through queue.h and config.h, HTTP only through pool.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/pg_prng.h"
#include "core/builtin.h"
#include "core/classify.h"
#include "core/origin.h"
#include "miscadmin.h"
#include "net/pool.h"
#include "net/secret.h"
#include "pg/builtin_provider.h"
#include "pg/config.h"
#include "pg/dispatch.h"
#include "pg/guc.h"
#include "pg/queue.h"
#include "pgstat.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/timestamp.h"

/* Most bytes of a response: a triage answer has some thousand. */
#define MAX_BODY (1024 * 1024)
/* Most bytes of a request: a tenant with hundreds of described categories has some hundred thousand. */
#define MAX_REQUEST (16 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS 5000
/* A lease outlives the wait for a place in the air, the call, and the write. */
#define LEASE_MARGIN_MS 30000
/*
 * Under load answers wait a little for company: a transaction costs more than a row in it, and the places in the air
 * are filled again before anything is written, so throughput does not wait with them.
 */
#define GATHER_MIN_MS 5
#define GATHER_MAX_MS 25
#define GATHER_SHARE 20			/* of the calls' own latency: a twentieth */
#define GATHER_ANSWERS 64
#define BUSY_IN_FLIGHT 16
/* Answers whose ticket is locked are tried again after this, and then after twice as long. */
#define LOCKED_PAUSE_MS 100
#define LOCKED_PAUSE_MAX_MS 2000
/* So long a write looks for the rows that wait for a lock. */
#define HALVE_LOCKED_MS 2000
/* Gone round without effect: after an error in a transaction, and for a provider that cannot serve. */
#define ERROR_PAUSE_MS 1000
#define PROVIDER_PAUSE_MS 60000
/* From the start of the queue again this often: late commits and leases that ran out lie behind the cursor. */
#define RESCAN_MS 5000
/* With no place free, a wake-up is no reason to claim; but is the worker wanted still? */
#define CONTROL_MS 100

typedef struct JobList
{
	Job		  **jobs;
	int			count;
	int			size;
} JobList;

struct Dispatch
{
	int			slot;
	int			jobs_left;		/* negative: no limit */
	int			finished;
	WorkerEntry *entry;
	MemoryContext context;		/* reset every turn */
	Pool	   *pool;
	JobList		free;
	JobList		ready;			/* claimed, oldest first */
	JobList		flying;
	JobList		answered;
	Cursor		cursor;
	Provider	provider;
	bool		has_provider;
	char		secret[SECRET_MAX + 1];
	bool		secret_known;
	TimestampTz provider_closed_until;	/* throttled, or cannot serve */
	char		trouble[REASON_MAX];	/* why, for pg_stat_activity */
	int			unreachable;	/* rounds in which no connection could be made; then one call probes */
	bool		look;			/* the queue may hold something to claim */
	bool		more;			/* the last claim took all it asked for */
	TimestampTz next_look;
	TimestampTz next_rescan;
	TimestampTz next_early_rescan;	/* not before this, for a wake-up that brought nothing new */
	TimestampTz next_control;
	TimestampTz next_write;		/* when the gathered answers are due */
	TimestampTz halve_until;	/* no more halving of what waits for locks after this */
	TimestampTz paused_until;	/* after an error */
	bool		unwanted;
};

typedef void (*Work) (Dispatch *d, void *arg);

static void
list_add(JobList *list, Job *job)
{
	if (list->count == list->size)
	{
		list->size = list->size ? list->size * 2 : 64;
		if (list->jobs == NULL)
			list->jobs = MemoryContextAlloc(TopMemoryContext, list->size * sizeof(Job *));
		else
			list->jobs = repalloc(list->jobs, list->size * sizeof(Job *));
	}
	list->jobs[list->count++] = job;
}

static void
list_remove(JobList *list, int i, int count)
{
	memmove(&list->jobs[i], &list->jobs[i + count], (list->count - i - count) * sizeof(Job *));
	list->count -= count;
}

static Job *
new_job(Dispatch *d)
{
	if (d->free.count == 0)
		list_add(&d->free, MemoryContextAllocZero(TopMemoryContext, sizeof(Job)));
	return d->free.jobs[--d->free.count];
}

static void
free_job(Dispatch *d, Job *job)
{
	job_reset(job);
	list_add(&d->free, job);
}

static void
count(Dispatch *d, WorkerCounter counter, int n)
{
	if (d->entry)
		pg_atomic_fetch_add_u64(&d->entry->counters[counter], n);
}

static TimestampTz
in_ms(TimestampTz now, int64 ms)
{
	return TimestampTzPlusMilliseconds(now, ms);
}

/* Errors that say nothing against the rows: try the same again. */
static bool
is_passing(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TRANSACTION_ROLLBACK || category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_OPERATOR_INTERVENTION || sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
		sqlstate == ERRCODE_UNDEFINED_TABLE || sqlstate == ERRCODE_UNDEFINED_COLUMN ||
		sqlstate == ERRCODE_UNDEFINED_FUNCTION || sqlstate == ERRCODE_INVALID_SCHEMA_NAME ||
		sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE || sqlstate == ERRCODE_READ_ONLY_SQL_TRANSACTION;
}

/* One transaction; NULL on success, else the error, in the turn's context. */
static ErrorData *
transact(Dispatch *d, Work work, void *arg, bool synchronous)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		queue_begin();
		work(d, arg);
		queue_commit(synchronous);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(d->context);
		error = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(d->context);
	pgstat_report_stat(false);
	return error;
}

static void
report(ErrorData *error, const char *what)
{
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("triage worker could not %s: %s", what, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
}

static int
limit_in_flight(const Dispatch *d)
{
	if (d->unreachable > 0)
		return 1;
	if (d->provider.max_in_flight > 0)
		return Min(triage_max_in_flight, d->provider.max_in_flight);
	return triage_max_in_flight;
}

/* ---- answers ---- */

/* Leaves the provider alone for a while; said once, not per job. */
static void
close_provider(Dispatch *d, const Job *job, int64 ms, bool warn)
{
	TimestampTz until = in_ms(GetCurrentTimestamp(), ms);

	if (strcmp(job->provider, d->provider.name) != 0 || until <= d->provider_closed_until)
		return;
	if (warn && d->provider_closed_until <= GetCurrentTimestamp())
		ereport(WARNING,
				(errcode(ERRCODE_CONFIG_FILE_ERROR),
				 errmsg("triage provider \"%s\" cannot serve: %s", job->provider, job->reason),
				 errdetail("Its jobs stay pending; it is tried again in %d seconds, and after a reload.",
						   (int) (ms / 1000)),
				 errhint("Check the provider with SELECT * FROM triage.providers, triage.allowed_origins and the key file.")));
	d->provider_closed_until = until;
	strlcpy(d->trouble, job->reason, sizeof(d->trouble));
}

static void
add_answered(Dispatch *d, Job *job)
{
	job->state = JOB_ANSWERED;
	if (d->answered.count == 0)
		d->next_write = in_ms(GetCurrentTimestamp(), pool_in_flight(d->pool) < BUSY_IN_FLIGHT ? 0 :
							  Min(Max(job->latency_ms / GATHER_SHARE, GATHER_MIN_MS), GATHER_MAX_MS));
	list_add(&d->answered, job);
}

static void
follow_outcome(Dispatch *d, Job *job, int64 hint_ms)
{
	job_decide(job, hint_ms);
	if (job->outcome == OUTCOME_THROTTLED)
		close_provider(d, job, Max(hint_ms, 1000), false);
	else if (job->outcome == OUTCOME_ACCOUNT || job->outcome == OUTCOME_MISCONFIGURED)
	{
		/* a rotated key is the usual cure; the job waits with its provider, not longer */
		d->secret_known = false;
		close_provider(d, job, PROVIDER_PAUSE_MS, true);
		job->decision.delay_ms = 0;
	}
	add_answered(d, job);
}

/*
 * No connection, no attempt: an endpoint that is down says nothing about a ticket.  It is probed with one call after
 * a pause that doubles, so an outage neither fails the queue nor fills the ledger.
 */
static void
follow_unreachable(Dispatch *d, Job *job)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		current = strcmp(job->provider, d->provider.name) == 0;
	int64		pause_ms;

	if (current && (now >= d->provider_closed_until || d->unreachable == 0))
		d->unreachable++;
	pause_ms = Min(PROVIDER_PAUSE_MS, INT64CONST(1000) << Min(Max(d->unreachable, 1) - 1, 16));
	close_provider(d, job, pause_ms, d->unreachable == 1);
	job->decision = (RetryDecision) {.action = RETRY_LATER, .delay_ms = pause_ms};
	add_answered(d, job);
}

static void
read_reply(Dispatch *d, Job *job, const PoolReply *reply)
{
	Classified	classified;
	VerdictResult result;

	job->http_status = reply->reply.http_status;
	job->latency_ms = reply->latency_ms;
	strlcpy(job->request_id, reply->request_id, sizeof(job->request_id));
	classify_reply(&reply->reply, GetCurrentTimestamp() / 1000 + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
				   (int64) SECS_PER_DAY * 1000, &classified);
	job->outcome = classified.outcome;
	strlcpy(job->reason, classified.reason, sizeof(job->reason));
	if (reply->reply.transport == TRANSPORT_CONNECT || reply->reply.transport == TRANSPORT_RESOLVE)
	{
		follow_unreachable(d, job);
		return;
	}
	d->unreachable = 0;
	if (job->outcome == OUTCOME_SUCCEEDED)
	{
		verdict_parse(reply->reply.body, reply->reply.body_len, job->vocabulary->categories,
					  job->vocabulary->category_count, &result);
		job->outcome = result.outcome;
		job->usage = result.usage;
		strlcpy(job->reason, result.reason, sizeof(job->reason));
		if (result.model[0])
			strlcpy(job->model, result.model, sizeof(job->model));
		if (result.outcome == OUTCOME_SUCCEEDED)
			job->verdict = result.verdict;
	}
	follow_outcome(d, job, classified.retry_after_ms);
}

static void
add_flying(Dispatch *d, Job *job)
{
	job->state = JOB_IN_FLIGHT;
	job->place = d->flying.count;
	list_add(&d->flying, job);
}

static void
remove_flying(Dispatch *d, Job *job)
{
	Job		   *last = d->flying.jobs[--d->flying.count];

	d->flying.jobs[job->place] = last;
	last->place = job->place;
}

static void
take_replies(Dispatch *d)
{
	PoolReply	reply;

	while (pool_next(d->pool, &reply))
	{
		Job		   *job = reply.tag;

		remove_flying(d, job);
		read_reply(d, job, &reply);
		pool_done(d->pool, &reply);
	}
}

/* ---- writing ---- */

typedef struct Batch
{
	Job		  **jobs;
	int			count;
} Batch;

static void
store_work(Dispatch *d, void *arg)
{
	Batch	   *batch = arg;

	(void) d;
	queue_store(batch->jobs, batch->count);
}

static void
extend_work(Dispatch *d, void *arg)
{
	Batch	   *batch = arg;

	queue_extend(batch->jobs, batch->count,
				 in_ms(GetCurrentTimestamp(), d->provider.timeout_ms + LEASE_MARGIN_MS));
}

/* An answer that the tables refuse, whatever the parser thought of it: said, and treated as unusable. */
static void
refuse_answer(Job *job, ErrorData *error)
{
	job_set_text(job->reason, sizeof(job->reason), psprintf("the answer could not be stored: %s", error->message));
	if (job->outcome == OUTCOME_SUCCEEDED)
		verdict_free(&job->verdict);
	job->outcome = OUTCOME_UNUSABLE_ANSWER;
	job_decide(job, -1);
}

static bool
is_lock_error(int sqlstate)
{
	return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE || sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED;
}

static void
put_off(Job **jobs, int n)
{
	for (int i = 0; i < n; i++)
		jobs[i]->stored = STORE_LOCKED;
}

/*
 * Bad rows are found by halving, each half in a transaction of its own; and so are those that wait for somebody's
 * lock (on a category, say), until the time for that is up: the rest must not wait with them.
 */
static void
store_range(Dispatch *d, Job **jobs, int n)
{
	Batch		batch = {jobs, n};
	ErrorData  *error = transact(d, store_work, &batch, true);
	bool		locked;

	if (error == NULL)
		return;
	locked = is_lock_error(error->sqlerrcode);
	if (locked && (n == 1 || GetCurrentTimestamp() > d->halve_until))
	{
		put_off(jobs, n);
		return;
	}
	if (!locked && is_passing(error->sqlerrcode))
	{
		report(error, "write answers");
		d->paused_until = in_ms(GetCurrentTimestamp(), ERROR_PAUSE_MS);
		put_off(jobs, n);
		return;
	}
	if (n > 1)
	{
		store_range(d, jobs, n / 2);
		store_range(d, jobs + n / 2, n - n / 2);
		return;
	}
	report(error, "write an answer");
	if (jobs[0]->outcome != OUTCOME_SUCCEEDED)
	{
		/* not even its failure can be written: the lease will end and say "lost" */
		jobs[0]->stored = STORE_STALE;
		return;
	}
	refuse_answer(jobs[0], error);
	store_range(d, jobs, 1);
}

static void
count_stored(Dispatch *d, const Job *job)
{
	d->finished++;
	if (job->stored == STORE_STALE)
		count(d, COUNTER_STALE, 1);
	else if (job->outcome == OUTCOME_SUCCEEDED)
		count(d, COUNTER_WRITTEN, 1);
	else if (job->decision.action == RETRY_LATER)
		count(d, COUNTER_RETRIED, 1);
	else
		count(d, COUNTER_FAILED, 1);
}

static void
write_some(Dispatch *d, TimestampTz now)
{
	Job		   *due[QUEUE_MAX_BATCH];
	int			n = 0,
				kept = 0;

	for (int i = 0; i < d->answered.count; i++)
	{
		Job		   *job = d->answered.jobs[i];

		if (n < QUEUE_MAX_BATCH && job->not_before <= now)
			due[n++] = job;
		else
			d->answered.jobs[kept++] = job;
	}
	d->answered.count = kept;
	if (n == 0)
		return;
	d->halve_until = in_ms(GetCurrentTimestamp(), HALVE_LOCKED_MS);
	store_range(d, due, n);
	for (int i = 0; i < n; i++)
	{
		if (due[i]->stored == STORE_LOCKED)
		{
			due[i]->put_off_ms = Min(Max(due[i]->put_off_ms * 2, LOCKED_PAUSE_MS), LOCKED_PAUSE_MAX_MS);
			due[i]->not_before = in_ms(GetCurrentTimestamp(), due[i]->put_off_ms);
			list_add(&d->answered, due[i]);
			continue;
		}
		count_stored(d, due[i]);
		/* a job that went back may be due at once, and an edited ticket's is pending already */
		d->look = d->look || due[i]->stored == STORE_STALE || due[i]->decision.action == RETRY_LATER;
		free_job(d, due[i]);
	}
}

/* Answers that wait for a locked ticket must not lose their claim meanwhile. */
static void
keep_leases(Dispatch *d, TimestampTz now)
{
	Batch		batch = {palloc(d->answered.count * sizeof(Job *) + 1), 0};
	ErrorData  *error;

	for (int i = 0; i < d->answered.count; i++)
		if (d->answered.jobs[i]->lease_until < in_ms(now, LEASE_MARGIN_MS / 2))
			batch.jobs[batch.count++] = d->answered.jobs[i];
	if (batch.count == 0)
		return;
	error = transact(d, extend_work, &batch, false);
	if (error)
		report(error, "prolong leases");
}

static void
write_answers(Dispatch *d, TimestampTz now)
{
	if (now < d->paused_until || (now < d->next_write && d->answered.count < GATHER_ANSWERS))
		return;
	while (d->answered.count > 0)
	{
		int			before = d->answered.count;

		write_some(d, now);
		if (d->answered.count == before || now < d->paused_until)
			break;
	}
	if (d->answered.count > 0)
		keep_leases(d, now);
}

/* ---- claiming ---- */

typedef struct Claim
{
	Job		   *jobs[QUEUE_MAX_BATCH];
	int			asked;
	int			claimed;
	TimestampTz now;
	TimestampTz next_due;
	bool		full;			/* no place was free */
	bool		rescanned;		/* from the start of the queue */
} Claim;

static void
give_up_unasked(Job *job, RunOutcome outcome)
{
	job->outcome = outcome;
	job->decision = (RetryDecision) {.action = RETRY_GIVE_UP};
	job->state = JOB_ANSWERED;
}

static void
return_unasked(Job *job, int64 delay_ms)
{
	job->outcome = OUTCOME_LOST;
	job->decision = (RetryDecision) {.action = RETRY_LATER, .delay_ms = delay_ms};
	job->state = JOB_ANSWERED;
}

static void
build_request(const Provider *provider, Job *job, const TicketInput *input)
{
	uint64		random = pg_prng_uint64(&pg_global_prng_state);
	char		boundary[33];
	Vocabulary *vocabulary = job->vocabulary;
	Prompt		prompt = {
		.model = provider->model,
		.system_text = vocabulary->system_text,
		.categories = vocabulary->categories,
		.category_count = vocabulary->category_count,
		.boundary = boundary
	};

	if (!vocabulary->framed && !prompt_frame_build(&vocabulary->frame, &prompt, MAX_REQUEST))
	{
		prompt_frame_free(&vocabulary->frame);
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	vocabulary->framed = true;
	if (!pg_strong_random(&random, sizeof(random)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random boundary")));
	snprintf(boundary, sizeof(boundary), "%016llx", (unsigned long long) random);
	buf_init(&job->body, MAX_REQUEST);
	if (!prompt_build(&job->body, &prompt, &vocabulary->frame, input))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	strlcpy(job->model, provider->model, sizeof(job->model));
	job->provider_version = provider->updated_at;
}

static void
prepare_work(Dispatch *d, void *arg)
{
	Batch	   *batch = arg;
	Job		  **jobs = batch->jobs;
	int			n = batch->count;
	TicketText *texts = palloc(n * sizeof(TicketText));
	Job		   *ready[QUEUE_MAX_BATCH];
	TicketInput inputs[QUEUE_MAX_BATCH];
	int			ready_count = 0;

	config_vocabularies(jobs, n);
	queue_read_tickets(jobs, n, texts);
	for (int i = 0; i < n; i++)
	{
		Vocabulary *vocabulary = jobs[i]->vocabulary;

		if (!texts[i].found)
			return_unasked(jobs[i], 0);
		else if (vocabulary->category_count == 0 || (vocabulary->system_text == NULL && d->provider.api != API_BUILTIN))
		{
			ereport(LOG,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("tenant \"%s\" has no active %s: its ticket %lld waits", jobs[i]->tenant_id,
							vocabulary->category_count == 0 ? "category" : "prompt", (long long) jobs[i]->ticket_id)));
			return_unasked(jobs[i], PROVIDER_PAUSE_MS);
		}
		else
		{
			inputs[ready_count] = texts[i].input;
			ready[ready_count++] = jobs[i];
		}
	}
	if (d->provider.api == API_BUILTIN)
		builtin_provider_answer(ready, inputs, ready_count);
	else
		for (int i = 0; i < ready_count; i++)
			build_request(&d->provider, ready[i], &inputs[i]);
}

/*
 * Reads and words what the claim holds, in a transaction after the claim's: a ticket that cannot be read must have
 * its attempt counted, or it would be claimed for ever and nothing behind it ever.
 */
static void
prepare_range(Dispatch *d, Job **jobs, int n)
{
	Batch		batch = {jobs, n};
	ErrorData  *error = transact(d, prepare_work, &batch, false);

	if (error == NULL)
		return;
	for (int i = 0; i < n; i++)
		job_forget_request(jobs[i]);
	if (is_passing(error->sqlerrcode))
	{
		report(error, "read tickets");
		for (int i = 0; i < n; i++)
			return_unasked(jobs[i], 0);
		d->paused_until = in_ms(GetCurrentTimestamp(), ERROR_PAUSE_MS);
		return;
	}
	if (n > 1)
	{
		prepare_range(d, jobs, n / 2);
		prepare_range(d, jobs + n / 2, n - n / 2);
		return;
	}
	report(error, "prepare a ticket");
	job_set_text(jobs[0]->reason, sizeof(jobs[0]->reason),
				 psprintf("the ticket could not be prepared: %s", error->message));
	give_up_unasked(jobs[0], OUTCOME_BAD_REQUEST);
}

static void
read_provider(Dispatch *d)
{
	Provider	provider;
	bool		stopped;
	const char *why;

	d->unwanted = !config_schema_fits(&why);
	if (d->unwanted)
	{
		/* install() starts a worker when it is done */
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("triage worker leaves: %s", why),
				 errhint("Run SELECT triage.install().")));
		return;
	}
	d->has_provider = config_provider(&provider, &stopped);
	d->unwanted = stopped && d->slot == 0;
	if (!d->has_provider || (strcmp(provider.name, d->provider.name) == 0 && provider.updated_at == d->provider.updated_at))
		return;
	d->provider = provider;
	d->provider_closed_until = 0;
	d->unreachable = 0;
	d->secret_known = false;
}

/* How many to claim: to fill the air, and under load some ahead, so that a free place never waits for a claim. */
static int
wanted(const Dispatch *d)
{
	int			limit = limit_in_flight(d);
	int			ahead = d->more ? Min(QUEUE_MAX_BATCH, limit) : 0;
	int			n = limit + ahead - pool_in_flight(d->pool) - d->ready.count;

	if (d->answered.count > limit + QUEUE_MAX_BATCH)
		return 0;				/* not faster than answers can be written */
	n = Min(n, QUEUE_MAX_BATCH);
	return d->jobs_left >= 0 ? Min(n, d->jobs_left) : n;
}

static void
claim_work(Dispatch *d, void *arg)
{
	Claim	   *claim = arg;
	ClaimRequest request = {.slot = d->slot, .now = claim->now};

	read_provider(d);
	if (d->unwanted || !d->has_provider || claim->now < d->provider_closed_until)
		return;
	if (claim->now >= d->next_rescan)
	{
		/* with the end of the queue in sight, all of it is looked through */
		queue_reap(d->more ? &d->cursor : NULL, claim->now);
		cursor_reset(&d->cursor);
		claim->rescanned = true;
	}
	claim->asked = wanted(d);
	if (claim->asked <= 0)
	{
		claim->full = true;
		return;
	}
	for (int i = 0; i < claim->asked; i++)
		claim->jobs[i] = new_job(d);
	request.max_jobs = claim->asked;
	request.provider = d->provider.name;
	request.lease_until = in_ms(claim->now, 2 * (int64) d->provider.timeout_ms + LEASE_MARGIN_MS);
	claim->claimed = queue_claim(&request, &d->cursor, claim->jobs);
	if (claim->claimed < claim->asked && d->look && !claim->rescanned && claim->now >= d->next_early_rescan)
	{
		/* a transaction that began long ago and has just committed: its job lies behind the cursor */
		claim->rescanned = true;
		cursor_reset(&d->cursor);
		request.max_jobs = claim->asked - claim->claimed;
		claim->claimed += queue_claim(&request, &d->cursor, claim->jobs + claim->claimed);
	}
	if (claim->claimed < claim->asked)
		claim->next_due = queue_next_due(claim->now);
}

static void
sort_claimed(Dispatch *d, Claim *claim, bool failed)
{
	for (int i = 0; i < claim->asked; i++)
	{
		Job		   *job = claim->jobs[i];

		if (job == NULL)
			continue;
		if (failed || i >= claim->claimed)
			free_job(d, job);
		else if (job->state == JOB_ANSWERED)
			add_answered(d, job);
		else
			list_add(&d->ready, job);
	}
}

static void
claim_jobs(Dispatch *d, TimestampTz now)
{
	Claim		claim = {.now = now};
	bool		rescan = now >= d->next_rescan;
	ErrorData  *error;

	if (now < d->paused_until)
		return;
	error = transact(d, claim_work, &claim, false);
	if (error == NULL && claim.claimed > 0)
		prepare_range(d, claim.jobs, claim.claimed);
	sort_claimed(d, &claim, error != NULL);
	if (error)
	{
		report(error, "claim jobs");
		cursor_reset(&d->cursor);
		d->paused_until = in_ms(now, ERROR_PAUSE_MS);
		d->next_look = d->paused_until;
		d->more = false;
		return;
	}
	count(d, COUNTER_CLAIMED, claim.claimed);
	if (d->jobs_left >= 0)
		d->jobs_left -= claim.claimed;
	d->more = claim.full || (claim.asked > 0 && claim.claimed == claim.asked);
	d->next_control = in_ms(now, CONTROL_MS);
	if (claim.rescanned)
	{
		/* under an old snapshot the head of the queue is slow to walk: no more than a twentieth of the time for it */
		int64		took_ms = (GetCurrentTimestamp() - now) / 1000;

		if (rescan)
		{
			d->next_rescan = in_ms(now, Max(RESCAN_MS, 20 * took_ms));
			/* tables grow: no plan is older than this */
			ResetPlanCache();
		}
		d->next_early_rescan = in_ms(now, 20 * took_ms);
	}
	d->look = false;
	d->next_look = in_ms(now, triage_poll_interval);
	if (claim.next_due != 0)
		d->next_look = Min(d->next_look, claim.next_due);
	if (d->provider_closed_until > now)
		d->next_look = Min(d->next_look, d->provider_closed_until);
}

static bool
should_claim(const Dispatch *d, TimestampTz now)
{
	int			n;

	if (now < d->paused_until)
		return false;
	if (!d->look && !d->more && now < d->next_look)
		return false;
	n = d->has_provider ? wanted(d) : 1;
	if (d->jobs_left == 0)
		return false;
	if (n <= 0)
		return now >= (d->look ? Min(d->next_control, d->next_look) : d->next_look);
	/* under load claim by the batch */
	return !d->more || d->ready.count == 0 || n >= Min(QUEUE_MAX_BATCH / 2, (limit_in_flight(d) + 1) / 2);
}

/* ---- calling ---- */

static bool
read_secret(Dispatch *d, const char **why)
{
	static char message[REASON_MAX];

	if (d->secret_known || d->provider.secret[0] == '\0')
		return true;
	d->secret_known = secret_read(triage_secrets_directory, d->provider.secret, d->secret, message, sizeof(message));
	*why = message;
	return d->secret_known;
}

/* Before anything is looked up or connected: is this URL listed, and is the key there? */
static bool
may_call(Dispatch *d, const char **why)
{
	if (!origin_listed(triage_allowed_origins, d->provider.base_url, why))
		return false;
	return read_secret(d, why);
}

static void
refuse_call(Dispatch *d, Job *job, const char *why)
{
	job->outcome = OUTCOME_MISCONFIGURED;
	snprintf(job->reason, sizeof(job->reason), "not called: %s", why ? why : "refused");
	job->http_status = 0;
	follow_outcome(d, job, -1);
}

static void
start_call(Dispatch *d, Job *job)
{
	const char *why = NULL;
	char	   *url = psprintf("%s/chat/completions", d->provider.base_url);
	PoolRequest request = {
		.url = url,
		.secret = d->provider.secret[0] ? d->secret : NULL,
		.body = &job->body,
		.timeout_ms = d->provider.timeout_ms,
		.tag = job
	};

	if (!may_call(d, &why))
	{
		refuse_call(d, job, why);
		return;
	}
	job->started_at = GetCurrentTimestamp();
	if (!pool_start(d->pool, &request, &why))
	{
		refuse_call(d, job, why);
		return;
	}
	job->called = true;
	add_flying(d, job);
}

/* A claim made for another provider, or for what it was, or too old for a whole call goes back uncalled. */
static bool
may_start(const Dispatch *d, const Job *job, TimestampTz now)
{
	return d->has_provider && job->provider_version == d->provider.updated_at &&
		strcmp(job->provider, d->provider.name) == 0 && now >= d->provider_closed_until &&
		job->lease_until >= in_ms(now, d->provider.timeout_ms + LEASE_MARGIN_MS / 2);
}

static void
start_calls(Dispatch *d, TimestampTz now)
{
	int			limit = limit_in_flight(d);
	int			taken = 0;

	while (taken < d->ready.count)
	{
		Job		   *job = d->ready.jobs[taken];

		if (!may_start(d, job, now))
		{
			return_unasked(job, 0);
			add_answered(d, job);
			taken++;
			continue;
		}
		if (pool_in_flight(d->pool) >= limit || pool_room(d->pool) <= 0)
			break;
		start_call(d, job);
		taken++;
	}
	if (taken > 0)
		list_remove(&d->ready, 0, taken);
}

/* ---- the turn ---- */

Dispatch *
dispatch_create(int slot, int max_jobs, WorkerEntry *entry)
{
	Dispatch   *d = MemoryContextAllocZero(TopMemoryContext, sizeof(Dispatch));
	PoolConfig	config = {
		.max_in_flight = triage_max_in_flight,
		.max_body = MAX_BODY,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS
	};
	const char *why = NULL;

	d->slot = slot;
	d->jobs_left = max_jobs;
	d->entry = entry;
	d->look = true;
	d->context = AllocSetContextCreate(TopMemoryContext, "triage turn", ALLOCSET_DEFAULT_SIZES);
	cursor_reset(&d->cursor);
	d->pool = pool_create(&config, &why);
	if (d->pool == NULL)
		ereport(FATAL,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not set up the HTTP client: %s", why ? why : "out of memory")));
	return d;
}

int
dispatch_fd(const Dispatch *d)
{
	return pool_fd(d->pool);
}

void
dispatch_wake(Dispatch *d)
{
	d->look = true;
}

void
dispatch_reload(Dispatch *d)
{
	pool_set_max_in_flight(d->pool, triage_max_in_flight);
	d->secret_known = false;
	d->provider_closed_until = 0;
	d->unreachable = 0;
	d->look = true;
}

void
dispatch_turn(Dispatch *d)
{
	TimestampTz now;

	MemoryContextReset(d->context);
	MemoryContextSwitchTo(d->context);
	pool_step(d->pool);
	take_replies(d);
	now = GetCurrentTimestamp();
	start_calls(d, now);
	write_answers(d, now);
	now = GetCurrentTimestamp();
	if (!d->unwanted && should_claim(d, now))
	{
		claim_jobs(d, now);
		start_calls(d, GetCurrentTimestamp());
	}
	if (d->entry)
		pg_atomic_write_u64(&d->entry->counters[COUNTER_IN_FLIGHT], pool_in_flight(d->pool));
}

static long
ms_until(TimestampTz when, TimestampTz now)
{
	return when <= now ? 0 : (long) ((when - now + 999) / 1000);
}

long
dispatch_timeout(const Dispatch *d)
{
	TimestampTz now = GetCurrentTimestamp();
	/* a look that is due but not made waits for a place in the air, and a reply frees one */
	long		timeout = d->next_look > now ? ms_until(d->next_look, now) : triage_poll_interval;
	long		pool = pool_timeout_ms(d->pool);

	if (should_claim(d, now) || (d->ready.count > 0 && pool_room(d->pool) > 0 &&
								 pool_in_flight(d->pool) < limit_in_flight(d)))
		timeout = 0;
	else if (d->look)
		timeout = Min(timeout, Max(ms_until(d->next_control, now), 1));
	for (int i = 0; i < d->answered.count; i++)
		timeout = Min(timeout, ms_until(Max(Max(d->answered.jobs[i]->not_before, d->next_write), d->paused_until), now));
	if (now < d->paused_until)
		timeout = Max(Min(timeout, ms_until(d->paused_until, now)), 1);
	return pool >= 0 ? Min(timeout, pool) : timeout;
}

int
dispatch_in_flight(const Dispatch *d)
{
	return pool_in_flight(d->pool);
}

const char *
dispatch_trouble(const Dispatch *d)
{
	return d->provider_closed_until > GetCurrentTimestamp() ? d->trouble : NULL;
}

TimestampTz
dispatch_trouble_since(const Dispatch *d)
{
	return d->provider_closed_until;
}

int
dispatch_finished(const Dispatch *d)
{
	return d->finished;
}

bool
dispatch_is_done(const Dispatch *d)
{
	bool		idle = d->flying.count == 0 && d->ready.count == 0 && d->answered.count == 0;

	return d->jobs_left >= 0 && idle && (d->jobs_left == 0 || (!d->look && !d->more));
}

bool
dispatch_is_unwanted(const Dispatch *d)
{
	return d->unwanted;
}

static void
look_at_control(Dispatch *d, void *arg)
{
	(void) arg;
	read_provider(d);
}

bool
dispatch_still_unwanted(Dispatch *d)
{
	return transact(d, look_at_control, NULL, false) == NULL && d->unwanted;
}

void
dispatch_give_back(Dispatch *d)
{
	pool_step(d->pool);
	take_replies(d);
	for (int i = 0; i < d->ready.count; i++)
	{
		return_unasked(d->ready.jobs[i], 0);
		list_add(&d->answered, d->ready.jobs[i]);
	}
	for (int i = 0; i < d->flying.count; i++)
	{
		Job		   *job = d->flying.jobs[i];

		return_unasked(job, 0);
		strlcpy(job->reason, "the worker was stopped before the answer came; the call may have been billed",
				sizeof(job->reason));
		list_add(&d->answered, job);
	}
	d->ready.count = d->flying.count = 0;
	for (int i = 0; i < d->answered.count; i++)
		d->answered.jobs[i]->not_before = 0;
	for (int errors = 0; errors < 2 && d->answered.count > 0;)
	{
		int			before = d->answered.count;

		d->paused_until = 0;
		write_some(d, DT_NOEND);
		if (d->paused_until != 0 || d->answered.count >= before)
			errors++;
	}
}
