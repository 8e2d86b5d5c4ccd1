/*
 * withdrawals.c
 *	  Part of dispatch: calls off what nobody waits for any more.
 *
 * A job that is cancelled, whose ticket is closed or deleted, or whose text changed has lost its row or has another
 * fence there.  Whoever did it wakes the worker, which then compares its claims with the table: what was withdrawn is
 * cut off in the air, leaves a stale run (the request may have been billed), and its place goes to another call.
 *
 * Any insert wakes the worker too, hence the pause between two looks: one statement twice a second at most.
 */
#include "postgres.h"

#include "pg/dispatch_state.h"
#include "pg/guc.h"
#include "pg/kinds.h"

#define LOOK_PAUSE_MS 500

typedef struct Claims
{
	Job		  **jobs;			/* sorted by id and tenant */
	bool	   *current;
	int			count;
} Claims;

static int
compare_jobs(const void *a, const void *b)
{
	const Job  *x = *(Job *const *) a;
	const Job  *y = *(Job *const *) b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return strcmp(x->tenant_id, y->tenant_id);
}

static void
find_current(Dispatch *d, void *arg)
{
	Claims	   *claims = arg;

	(void) d;
	queue_find_current(claims->jobs, claims->count, claims->current);
}

static void
call_off(Dispatch *d, Job *job)
{
	if (job->state == JOB_READY)
	{
		for (int i = 0; i < d->ready.count; i++)
			if (d->ready.jobs[i] == job)
			{
				job_list_remove(&d->ready, i, 1);
				break;
			}
		dispatch_return_job(job, 0);
	}
	else
	{
		calls_abort(d, job);
		/* whoever holds the job's row now decides what becomes of it: this claim only leaves its run */
		dispatch_return_job(job, 0);
		job->outcome = OUTCOME_STALE;
		snprintf(job->reason, sizeof(job->reason), "cancelled in the air: its job was withdrawn or its %s %s; it may have been billed",
				 kinds_topic(job), is_talk(job) ? "went on" : "changed");
	}
	dispatch_add_answered(d, job);
}

/* Nobody wakes a one-shot worker: it looks all the same. */
static TimestampTz
next_look(const Dispatch *d)
{
	return in_ms(d->claims_checked_at,
				 d->claims_suspect || d->slot > 0 ? LOOK_PAUSE_MS : Max(triage_poll_interval, LOOK_PAUSE_MS));
}

void
withdrawals_call_off(Dispatch *d, TimestampTz now)
{
	Claims		claims = {.count = d->flying.count + d->ready.count};
	ErrorData  *error;

	if (claims.count == 0)
		d->claims_suspect = false;
	if (claims.count == 0 || now < next_look(d) || now < d->paused_until)
		return;
	claims.jobs = palloc(claims.count * sizeof(Job *));
	claims.current = palloc0(claims.count * sizeof(bool));
	/* a list that never had a job has no memory: memcpy() must not be asked to copy nothing from there */
	if (d->flying.count > 0)
		memcpy(claims.jobs, d->flying.jobs, d->flying.count * sizeof(Job *));
	if (d->ready.count > 0)
		memcpy(claims.jobs + d->flying.count, d->ready.jobs, d->ready.count * sizeof(Job *));
	qsort(claims.jobs, claims.count, sizeof(Job *), compare_jobs);
	error = dispatch_transact(d, find_current, &claims, false);
	d->claims_checked_at = now;
	if (error)
	{
		dispatch_report(error, "look for withdrawn jobs");
		return;
	}
	d->claims_suspect = false;
	for (int i = 0; i < claims.count; i++)
		if (!claims.current[i])
			call_off(d, claims.jobs[i]);
}

long
withdrawals_timeout(const Dispatch *d, TimestampTz now)
{
	if (d->flying.count + d->ready.count == 0)
		return LONG_MAX;
	return TimestampDifferenceMilliseconds(now, next_look(d));
}
