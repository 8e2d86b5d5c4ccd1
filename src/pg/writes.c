/*
 * writes.c
 *	  Part of dispatch: writes answers in batches, and finds what keeps a batch from being written.
 *
 * Under load answers wait a little for company: a transaction costs more than a row in it, and the places in the air
 * are filled again before anything is written, so throughput does not wait with them.
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "core/verdict.h"
#include "pg/dispatch_state.h"

#define GATHER_ANSWERS QUEUE_MAX_BATCH
/* Answers whose ticket is locked are tried again after this, and then after twice as long. */
#define LOCKED_PAUSE_MS 100
#define LOCKED_PAUSE_MAX_MS 2000
/* So long a write looks for the rows that wait for a lock. */
#define HALVE_LOCKED_MS 2000

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
	(void) d;
	dispatch_extend(arg);
}

/* Another answer may please a constraint, or somebody's trigger; an error of the code around it will come again. */
static bool
blames_answer(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		sqlstate == ERRCODE_RAISE_EXCEPTION;
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
	if (!blames_answer(error->sqlerrcode))
		job->decision.action = RETRY_GIVE_UP;
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

/* What the server lacks, or somebody asks of it, is no row's doing; and nothing is looked for without end. */
static bool
may_be_rows(const Dispatch *d, int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	if (!dispatch_is_passing(sqlstate))
		return true;
	return category != ERRCODE_INSUFFICIENT_RESOURCES && category != ERRCODE_OPERATOR_INTERVENTION &&
		GetCurrentTimestamp() <= d->halve_until;
}

static bool store_range(Dispatch *d, Job **jobs, int n, bool halve);

/* What fails in all of one half is not looked for in the other, unless it is a lock, or the answer itself. */
static bool
store_halves(Dispatch *d, Job **jobs, int n, int sqlstate)
{
	/* now this one first, now that one: what is tried last must not be the same each time */
	bool		swap = pg_prng_bool(&pg_global_prng_state);
	int			half = n / 2;
	bool		first = store_range(d, swap ? jobs + half : jobs, swap ? n - half : half, true);
	bool		halve = first || is_lock_error(sqlstate) || !dispatch_is_passing(sqlstate);

	return store_range(d, swap ? jobs : jobs + half, swap ? half : n - half, halve) || first;
}

/*
 * Bad rows are found by halving, each half in a transaction of its own; and so are those that wait for somebody's
 * lock (on a category, say) or that somebody's trigger holds up, until the time for that is up: the rest must not wait
 * with them.  Returns whether anything was written.
 */
static bool
store_range(Dispatch *d, Job **jobs, int n, bool halve)
{
	Batch		batch = {jobs, n};
	ErrorData  *error;
	bool		passing;

	dispatch_show(d, "writing answers");
	error = dispatch_transact(d, store_work, &batch, true);
	if (error == NULL)
		return true;
	passing = dispatch_is_passing(error->sqlerrcode);
	if (n > 1 && (halve || !passing) && may_be_rows(d, error->sqlerrcode))
		return store_halves(d, jobs, n, error->sqlerrcode);
	if (passing)
	{
		if (!is_lock_error(error->sqlerrcode))
		{
			dispatch_report(error, "write answers");
			d->paused_until = in_ms(GetCurrentTimestamp(), ERROR_PAUSE_MS);
		}
		put_off(jobs, n);
		return false;
	}
	dispatch_report(error, "write an answer");
	if (jobs[0]->outcome != OUTCOME_SUCCEEDED)
	{
		/* not even its failure can be written: the lease will end and say "lost" */
		jobs[0]->stored = STORE_STALE;
		return false;
	}
	refuse_answer(jobs[0], error);
	return store_range(d, jobs, 1, false);
}

static void
count_stored(Dispatch *d, const Job *job)
{
	d->finished++;
	if (job->called)
	{
		bool		stale = job->stored == STORE_STALE && job->outcome == OUTCOME_SUCCEEDED;

		dispatch_count(d, COUNTER_OUTCOMES + (stale ? OUTCOME_STALE : job->outcome), 1);
	}
	if (job->stored == STORE_STALE)
		dispatch_count(d, COUNTER_STALE, 1);
	else if (job->outcome == OUTCOME_SUCCEEDED)
		dispatch_count(d, COUNTER_WRITTEN, 1);
	else if (job->decision.action == RETRY_LATER)
		dispatch_count(d, COUNTER_RETRIED, 1);
	else
		dispatch_count(d, COUNTER_FAILED, 1);
}

void
writes_some(Dispatch *d, TimestampTz now)
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
	/* those that wait have times of their own */
	if (store_range(d, due, n, true))
		d->paused_until = 0;
	for (int i = 0; i < n; i++)
	{
		if (due[i]->stored == STORE_LOCKED)
		{
			due[i]->put_off_ms = Min(Max(due[i]->put_off_ms * 2, LOCKED_PAUSE_MS), LOCKED_PAUSE_MAX_MS);
			due[i]->not_before = in_ms(GetCurrentTimestamp(), due[i]->put_off_ms);
			job_list_add(&d->answered, due[i]);
			continue;
		}
		count_stored(d, due[i]);
		/* a job that went back may be due at once, and an edited ticket's is pending already */
		d->look = d->look || due[i]->stored == STORE_STALE || due[i]->decision.action == RETRY_LATER || d->budget_waits;
		dispatch_free_job(d, due[i]);
	}
}

/* Answers that wait for a locked ticket must not lose their claim meanwhile. */
static void
keep_leases(Dispatch *d, TimestampTz now)
{
	Batch		batch = {palloc(d->answered.count * sizeof(Job *) + 1), 0};
	ErrorData  *error;

	dispatch_find_ending(&d->answered, now, &batch);
	if (batch.count == 0)
		return;
	error = dispatch_transact(d, extend_work, &batch, false);
	if (error)
		dispatch_report(error, "prolong leases");
}

bool
writes_due(const Dispatch *d, TimestampTz now)
{
	return now >= d->paused_until && d->answered.count > 0 && (now >= d->next_write || d->answered.count >= GATHER_ANSWERS);
}

void
writes_answers(Dispatch *d, TimestampTz now)
{
	bool		due = now >= d->next_write;

	if (!writes_due(d, now))
		return;
	while (d->answered.count >= (due ? 1 : GATHER_ANSWERS))
	{
		int			before = d->answered.count;

		writes_some(d, now);
		if (d->answered.count == before || now < d->paused_until)
			break;
	}
	/* those that are left came last */
	if (!due)
		dispatch_gather(d, now);
	if (d->answered.count > 0)
		keep_leases(d, now);
}
