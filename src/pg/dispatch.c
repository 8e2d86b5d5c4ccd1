/*
 * dispatch.c
 *	  One pass of the worker: take answers, call, write them, claim.
 *
 * Decides in which order a turn does things, and when the next one is: a finished call's place in the air is filled
 * from the claimed jobs at hand before anything is written, so that writing does not cost throughput.  No transaction
 * is open when pool_step() runs; each transaction is one call of dispatch_transact().
 * Knows SQL only through queue.h and config.h, HTTP only through pool.h.
 */
#include "postgres.h"

#include "pg/clock.h"
#include "pg/dispatch_state.h"
#include "pg/guc.h"
#include "pg/sync.h"
#include "postmaster/interrupt.h"
#include "utils/memutils.h"

/* Most bytes of a response: a triage answer has some thousand. */
#define MAX_BODY (1024 * 1024)
#define CONNECT_TIMEOUT_MS 5000
/* What a predecessor had claimed could not be freed: the next try, and the longest pause between two. */
#define TAKE_OVER_PAUSE_MS 1000
#define TAKE_OVER_LONGEST_MS 60000
/* A one-shot worker waits for its provider's limit, but not for a quota of a day. */
#define LIMIT_WAIT_MS 60000

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
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not set up the HTTP client: %s", why ? why : "out of memory")));
	d->reader = json_reader_create();
	if (slot == 0)
		d->sync = sync_create(d);
	return d;
}

int
dispatch_fd(const Dispatch *d)
{
	return pool_fd(d->pool);
}

int
dispatch_sync_fd(const Dispatch *d)
{
	return d->sync ? sync_fd(d->sync) : -1;
}

void
dispatch_wake(Dispatch *d)
{
	if (d->sync)
		sync_wake(d->sync);
	d->look = true;
	d->claims_suspect = true;
	if (d->entry && d->woken_at == 0)
		d->woken_at = (TimestampTz) pg_atomic_exchange_u64(&d->entry->woken_at, 0);
}

bool
dispatch_showed(Dispatch *d)
{
	bool		showed = d->showed;

	d->showed = false;
	return showed;
}

void
dispatch_reload(Dispatch *d)
{
	pool_set_max_in_flight(d->pool, triage_max_in_flight);
	endpoints_reload(d);
	d->look = true;
	if (d->sync)
		sync_reload(d->sync);
}

/* The slot's lock says that its predecessor is gone: what that left claimed is free at once. */
static void
take_over(Dispatch *d, void *arg)
{
	(void) arg;
	claims_read_provider(d);
	if (!d->unwanted && queue_free_slot(d->slot) > 0)
		ereport(LOG,
				(errmsg("triage worker freed the jobs that a predecessor had claimed")));
}

/* A failure is no reason not to serve: those leases end by themselves, later. */
static void
take_over_once(Dispatch *d, TimestampTz now)
{
	ErrorData  *error;

	if (d->taken_over || now < d->next_take_over)
		return;
	error = dispatch_transact(d, take_over, NULL, true);
	d->taken_over = error == NULL;
	if (error == NULL)
		return;
	dispatch_report(error, "free what its predecessor had claimed");
	d->take_over_pause_ms = d->take_over_pause_ms == 0 ? TAKE_OVER_PAUSE_MS :
		Min(2 * d->take_over_pause_ms, TAKE_OVER_LONGEST_MS);
	d->next_take_over = in_ms(now, d->take_over_pause_ms);
}

/* After that no time to wait for counts. */
static void
notice_clock(Dispatch *d, TimestampTz now)
{
	if (!clock_set_back(&d->last_turn, now))
		return;
	d->next_look = d->next_rescan = d->next_early_rescan = d->next_control = d->next_write = d->next_start = d->next_escalation = now;
	d->paused_until = d->halve_until = d->next_take_over = d->claims_checked_at = 0;
	d->next_watch = Min(d->next_watch, now);
	for (int i = 0; i < d->endpoint_count; i++)
		d->endpoints[i].limited_until = 0;
	for (int i = 0; i < d->answered.count; i++)
		d->answered.jobs[i]->not_before = 0;
	cursor_reset(&d->cursor);
}

void
dispatch_turn(Dispatch *d)
{
	TimestampTz now;

	MemoryContextReset(d->context);
	MemoryContextSwitchTo(d->context);
	pool_step(d->pool);
	calls_take_replies(d);
	now = GetCurrentTimestamp();
	notice_clock(d, now);
	take_over_once(d, now);
	withdrawals_call_off(d, now);
	calls_start(d, now);
	/* a call that was started is sent by a step: it is to be in the air while answers are written */
	if (writes_due(d, now))
		pool_step(d->pool);
	writes_answers(d, now);
	/* told to end meanwhile: what were claimed and called now would be lost, and may be billed */
	if (ShutdownRequestPending)
		return;
	now = GetCurrentTimestamp();
	endpoints_watch(d, now);
	if (!d->unwanted && claims_due(d, now))
	{
		claims_make(d, now);
		calls_recheck(d, now);
		calls_start(d, GetCurrentTimestamp());
	}
	if (d->sync)
		sync_turn(d->sync);
	if (d->entry)
		pg_atomic_write_u64(&d->entry->counters[COUNTER_IN_FLIGHT], pool_in_flight(d->pool));
}

long
dispatch_timeout(const Dispatch *d)
{
	TimestampTz now = GetCurrentTimestamp();
	/* a look that is due but not made waits for a place in the air, and a reply frees one */
	long		timeout = d->next_look > now ? TimestampDifferenceMilliseconds(now, d->next_look) : triage_poll_interval;
	long		pool = pool_timeout_ms(d->pool);

	if (claims_due(d, now))
		timeout = 0;
	else if (d->look)
		timeout = Min(timeout, Max(TimestampDifferenceMilliseconds(now, d->next_control), 1));
	if (d->ready.count > 0 && pool_room(d->pool) > 0 && pool_in_flight(d->pool) < triage_max_in_flight)
		timeout = Min(timeout, TimestampDifferenceMilliseconds(now, d->next_start));
	if (d->next_watch != 0)
		timeout = Min(timeout, TimestampDifferenceMilliseconds(now, d->next_watch));
	for (int i = 0; i < d->answered.count; i++)
		timeout = Min(timeout, TimestampDifferenceMilliseconds(now, Max(Max(d->answered.jobs[i]->not_before, d->next_write), d->paused_until)));
	timeout = Min(timeout, withdrawals_timeout(d, now));
	if (now < d->paused_until)
		timeout = Max(Min(timeout, TimestampDifferenceMilliseconds(now, d->paused_until)), 1);
	if (d->sync)
		timeout = Min(timeout, sync_timeout(d->sync, now));
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
	if (d->trouble[0] && d->open_at > GetCurrentTimestamp())
		return d->trouble;
	return d->budget_trouble[0] ? d->budget_trouble : NULL;
}

const char *
dispatch_hold(const Dispatch *d)
{
	if (!triage_enabled)
		return "triage.enabled is off";
	return d->held ? d->hold : NULL;
}

TimestampTz
dispatch_trouble_since(const Dispatch *d)
{
	return Max(d->trouble_since, d->budget_trouble_since);
}

int
dispatch_finished(const Dispatch *d)
{
	return d->finished;
}

bool
dispatch_is_idle(const Dispatch *d)
{
	return d->flying.count == 0 && d->ready.count == 0 && d->answered.count == 0 && (d->sync == NULL || sync_is_idle(d->sync));
}

void
dispatch_drain(Dispatch *d)
{
	d->jobs_left = 0;
}

bool
dispatch_is_done(const Dispatch *d)
{
	/* a limit per minute makes it slow, not done */
	if (d->serving == NULL && d->limited && d->jobs_left > 0 && d->open_at < in_ms(GetCurrentTimestamp(), LIMIT_WAIT_MS))
		return false;
	return d->jobs_left >= 0 && dispatch_is_idle(d) && (d->jobs_left == 0 || (!d->look && !d->more));
}

bool
dispatch_is_unwanted(const Dispatch *d)
{
	return d->unwanted;
}

bool
dispatch_is_denied(const Dispatch *d)
{
	return d->denied;
}

static void
look_at_control(Dispatch *d, void *arg)
{
	(void) arg;
	claims_read_provider(d);
}

bool
dispatch_still_unwanted(Dispatch *d)
{
	return dispatch_transact(d, look_at_control, NULL, false) == NULL && d->unwanted;
}

static void
give_back_jobs(Dispatch *d)
{
	pool_step(d->pool);
	calls_take_replies(d);
	for (int i = 0; i < d->ready.count; i++)
	{
		dispatch_return_job(d->ready.jobs[i], 0);
		job_list_add(&d->answered, d->ready.jobs[i]);
	}
	for (int i = 0; i < d->flying.count; i++)
	{
		Job		   *job = d->flying.jobs[i];

		dispatch_return_job(job, 0);
		strlcpy(job->reason, "the worker was stopped before the answer came; the call may have been billed",
				sizeof(job->reason));
		job_list_add(&d->answered, job);
	}
	d->ready.count = d->flying.count = 0;
	for (int i = 0; i < d->answered.count; i++)
		d->answered.jobs[i]->not_before = 0;
	for (int errors = 0; errors < 2 && d->answered.count > 0;)
	{
		int			before = d->answered.count;

		d->paused_until = 0;
		writes_some(d, DT_NOEND);
		if (d->paused_until != 0 || d->answered.count >= before)
			errors++;
	}
}

void
dispatch_give_back(Dispatch *d)
{
	/* first what was paid for: a page that is not written comes again */
	give_back_jobs(d);
	if (d->sync)
		sync_give_back(d->sync);
}
