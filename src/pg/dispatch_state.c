/*
 * dispatch_state.c
 *	  What the parts of dispatch do with the worker's jobs and transactions in common.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "pg/dispatch_state.h"
#include "pg/guc.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "utils/memutils.h"
#include "utils/timeout.h"

/* With fewer calls in the air or about to start nobody comes along to share a write with. */
#define BUSY_IN_FLIGHT 16
/* Under load answers wait a little for company, see writes.c: not longer than they were waited for anyway. */
#define GATHER_MIN_MS 20
#define GATHER_MAX_MS 250
#define REPORT_AGAIN_MS 60000
/* Told to end, all transactions together may take so long, and each that is still to come so long: the server waits. */
#define END_MS 5000
#define END_EACH_MS 500

void
job_list_add(JobList *list, Job *job)
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

void
job_list_remove(JobList *list, int i, int count)
{
	/* a list that never held anything has no memory to move */
	if (count == 0)
		return;
	memmove(&list->jobs[i], &list->jobs[i + count], (list->count - i - count) * sizeof(Job *));
	list->count -= count;
}

Job *
dispatch_new_job(Dispatch *d)
{
	if (d->free.count == 0)
		job_list_add(&d->free, MemoryContextAllocZero(TopMemoryContext, sizeof(Job)));
	return d->free.jobs[--d->free.count];
}

void
dispatch_free_job(Dispatch *d, Job *job)
{
	job_reset(job);
	job_list_add(&d->free, job);
}

void
dispatch_count(Dispatch *d, WorkerCounter counter, int64 n)
{
	pg_atomic_uint64 *count;

	if (d->entry == NULL)
		return;
	count = &d->entry->counters[counter];
	/* nobody else writes it, so nothing is to be locked */
	pg_atomic_write_u64(count, pg_atomic_read_u64(count) + n);
}

void
dispatch_show(Dispatch *d, const char *what)
{
	char		activity[64];

	snprintf(activity, sizeof(activity), "%s; %d calls in flight", what, pool_in_flight(d->pool));
	pgstat_report_activity(STATE_RUNNING, activity);
	d->showed = true;
}

/* Errors that say nothing against the rows, nor would other rows help: try the same again. */
bool
dispatch_is_passing(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_TRANSACTION_ROLLBACK || category == ERRCODE_INSUFFICIENT_RESOURCES ||
		category == ERRCODE_OPERATOR_INTERVENTION || category == ERRCODE_SYSTEM_ERROR ||
		category == ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE || sqlstate == ERRCODE_UNDEFINED_TABLE || sqlstate == ERRCODE_UNDEFINED_COLUMN ||
		sqlstate == ERRCODE_UNDEFINED_FUNCTION || sqlstate == ERRCODE_INVALID_SCHEMA_NAME ||
		sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE || sqlstate == ERRCODE_READ_ONLY_SQL_TRANSACTION;
}

/*
 * SIGTERM cancels one transaction; no second one ends what comes after it, a user's slow trigger say.  To be asked for
 * inside the transaction: a signal that comes later cancels this one.
 */
static bool
limit_last_transaction(void)
{
	static TimestampTz until = 0;
	TimestampTz now = GetCurrentTimestamp();

	if (!ShutdownRequestPending)
		return false;
	if (until == 0)
		until = in_ms(now, END_MS);
	/* by a clock that was set back it is not longer */
	enable_timeout_after(STATEMENT_TIMEOUT, Max(Min(TimestampDifferenceMilliseconds(now, until), END_MS), END_EACH_MS));
	return true;
}

static void
lift_limit(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	/* it may have struck in the commit, and is not meant for the next one */
	QueryCancelPending = false;
}

/* One transaction; NULL on success, else the error, in the turn's context. */
ErrorData *
dispatch_transact(Dispatch *d, Work work, void *arg, bool synchronous)
{
	ErrorData  *volatile error = NULL;
	volatile bool limited = false;

	PG_TRY();
	{
		queue_begin();
		limited = limit_last_transaction();
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
	if (limited)
		lift_limit();
	MemoryContextSwitchTo(d->context);
	d->denied = error && error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE;
	pgstat_report_stat(false);
	return error;
}

/* What failed, and why; when it was said last, and how often it was not since. */
typedef struct Said
{
	uint32		hash;
	TimestampTz said_at;
	int			unsaid;
} Said;

/* Of a row that breaks a constraint the detail is the row: another one each time, with what customers write. */
static const char *
detail_of(const ErrorData *error)
{
	return ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ? NULL : error->detail;
}

/* A free place is the one that was used longest ago: never. */
static Said *
find_said(uint32 hash)
{
	static Said known[8];
	Said	   *oldest = &known[0];

	for (size_t i = 0; i < lengthof(known); i++)
	{
		if (known[i].hash == hash)
			return &known[i];
		if (known[i].said_at < oldest->said_at)
			oldest = &known[i];
	}
	*oldest = (Said) {.hash = hash};
	return oldest;
}

/*
 * What stays wrong is tried every second, and said every minute.  Returns how often it was not said since, or -1 when this
 * time is no more than one of those.
 */
static int
left_unsaid(const char *what, const ErrorData *error)
{
	const char *detail = detail_of(error);
	const char *text = psprintf("%s: %s %s", what, error->message, detail ? detail : "");
	Said	   *said = find_said(string_hash(text, strlen(text) + 1));
	TimestampTz now = GetCurrentTimestamp();
	int			unsaid = said->unsaid;

	if (said->said_at != 0 && now >= said->said_at && now < in_ms(said->said_at, REPORT_AGAIN_MS))
	{
		said->unsaid++;
		return -1;
	}
	said->said_at = now;
	said->unsaid = 0;
	return unsaid;
}

void
dispatch_report(ErrorData *error, const char *what)
{
	const char *detail = detail_of(error);
	int			unsaid = left_unsaid(what, error);

	if (unsaid < 0)
		return;
	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("triage worker could not %s: %s", what, error->message),
			 detail ? errdetail_internal("%s", detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 unsaid > 0 ? errcontext("after %d times of the same since this was last said", unsaid) : 0));
}

int
dispatch_limit(const Dispatch *d)
{
	if (d->serving && d->serving->provider.max_in_flight > 0)
		return Min(triage_max_in_flight, d->serving->provider.max_in_flight);
	return triage_max_in_flight;
}

void
dispatch_gather(Dispatch *d, TimestampTz now)
{
	d->next_write = in_ms(now, Min(Max(d->latency_ms, GATHER_MIN_MS), GATHER_MAX_MS));
}

void
dispatch_add_answered(Dispatch *d, Job *job)
{
	job->state = JOB_ANSWERED;
	if (job->called)
		d->latency_ms = job->latency_ms;
	/* somebody looks at the screen for a chat's answer, and takes along what was gathered */
	if (job->kind == KIND_CHAT_REPLY || pool_in_flight(d->pool) + d->ready.count < BUSY_IN_FLIGHT)
		d->next_write = 0;
	else if (d->answered.count == 0)
		dispatch_gather(d, GetCurrentTimestamp());
	job_list_add(&d->answered, job);
}

void
dispatch_find_ending(const JobList *list, TimestampTz now, Batch *ending)
{
	for (int i = 0; i < list->count; i++)
		if (list->jobs[i]->lease_until < in_ms(now, LEASE_MARGIN_MS / 2))
			ending->jobs[ending->count++] = list->jobs[i];
}

void
dispatch_extend(const Batch *ending)
{
	int			timeout_ms = 0;

	for (int i = 0; i < ending->count; i++)
		timeout_ms = Max(timeout_ms, ending->jobs[i]->timeout_ms);
	queue_extend(ending->jobs, ending->count, in_ms(GetCurrentTimestamp(), timeout_ms + LEASE_MARGIN_MS));
}

void
dispatch_return_job(Job *job, int64 delay_ms)
{
	job->outcome = OUTCOME_LOST;
	job->decision = (RetryDecision) {.action = RETRY_LATER, .delay_ms = delay_ms};
	job->state = JOB_ANSWERED;
}
