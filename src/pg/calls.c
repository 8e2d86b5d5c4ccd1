/*
 * calls.c
 *	  Part of dispatch: starts calls, takes replies, and leaves a provider alone that cannot serve.
 *
 * What a reply means is core's business (classify, verdict); what becomes of the job, retry's.
 */
#include "postgres.h"

#include "core/classify.h"
#include "core/origin.h"
#include "pg/dispatch_state.h"
#include "pg/guc.h"

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
	dispatch_add_answered(d, job);
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
	dispatch_add_answered(d, job);
}

static void
read_reply(Dispatch *d, Job *job, const PoolReply *reply)
{
	VerdictResult result;

	job->http_status = reply->reply.http_status;
	job->latency_ms = reply->latency_ms;
	strlcpy(job->request_id, reply->request_id, sizeof(job->request_id));
	verdict_of_call(&reply->reply, GetCurrentTimestamp() / 1000 + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) *
					(int64) SECS_PER_DAY * 1000, job->vocabulary->categories, job->vocabulary->category_count, &result);
	job->outcome = result.outcome;
	job->truncated = result.truncated;
	job->usage = result.usage;
	strlcpy(job->reason, result.reason, sizeof(job->reason));
	if (result.model[0])
		strlcpy(job->model, result.model, sizeof(job->model));
	if (result.outcome == OUTCOME_SUCCEEDED)
		job->verdict = result.verdict;
	if (reply->reply.transport == TRANSPORT_CONNECT || reply->reply.transport == TRANSPORT_RESOLVE)
	{
		follow_unreachable(d, job);
		return;
	}
	d->unreachable = 0;
	follow_outcome(d, job, result.retry_after_ms);
}

static void
add_flying(Dispatch *d, Job *job)
{
	job->state = JOB_IN_FLIGHT;
	job->place = d->flying.count;
	job_list_add(&d->flying, job);
}

static void
remove_flying(Dispatch *d, Job *job)
{
	Job		   *last = d->flying.jobs[--d->flying.count];

	d->flying.jobs[job->place] = last;
	last->place = job->place;
}

void
calls_abort(Dispatch *d, Job *job)
{
	pool_cancel(d->pool, job);
	remove_flying(d, job);
}

void
calls_take_replies(Dispatch *d)
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
	return dispatch_hold(d) == NULL && d->has_provider && job->provider_version == d->provider.updated_at &&
		strcmp(job->provider, d->provider.name) == 0 && now >= d->provider_closed_until &&
		job->lease_until >= in_ms(now, d->provider.timeout_ms + LEASE_MARGIN_MS / 2);
}

void
calls_start(Dispatch *d, TimestampTz now)
{
	int			limit = dispatch_limit(d);
	int			taken = 0;

	while (taken < d->ready.count)
	{
		Job		   *job = d->ready.jobs[taken];

		if (!may_start(d, job, now))
		{
			dispatch_return_job(job, 0);
			dispatch_add_answered(d, job);
			taken++;
			continue;
		}
		if (pool_in_flight(d->pool) >= limit || pool_room(d->pool) <= 0)
			break;
		start_call(d, job);
		taken++;
	}
	if (taken > 0)
		job_list_remove(&d->ready, 0, taken);
}
