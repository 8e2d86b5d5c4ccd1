/*
 * calls.c
 *	  Part of dispatch: starts calls, takes replies, and tells the provider's gate what they say of it.
 *
 * What a reply means is core's business (classify, verdict); what becomes of the job, retry's; of the provider, breaker's.
 */
#include "postgres.h"

#include "core/bucket.h"
#include "core/classify.h"
#include "core/utf8.h"
#include "pg/clock.h"
#include "pg/dispatch_state.h"
#include "pg/guc.h"

/* A model's answer in tokens, beside the request's: category, urgency and score, a summary and a reply of some 1500 bytes. */
#define ANSWER_TOKENS 400
/* English has four characters a token, by the rule of thumb of those who sell them. */
#define BYTES_PER_TOKEN 4
/* Places that other workers hold are given back without a word to us. */
#define BLOCKED_MS 20
/* A job that a limit turned away: longest time until the gate is asked again. */
#define LIMITED_MAX_MS 1000
/* With each answer so much of a slower one's time is forgotten: an nth. */
#define LATENCY_FADES 64
/* Between a refusal that may be the ticket's and its next try: time for another ticket to be served. */
#define SUSPECT_MS 1000

static GateEvent
event_of(const Job *job, Transport transport)
{
	int			status = job->http_status;

	if (transport == TRANSPORT_CONNECT || transport == TRANSPORT_RESOLVE)
		return EVENT_UNREACHABLE;
	switch (job->outcome)
	{
		case OUTCOME_THROTTLED:
			return EVENT_THROTTLED;
		case OUTCOME_ACCOUNT:
		case OUTCOME_MISCONFIGURED:
			/* a key or a debt is never one ticket's affair; what a gateway thinks of a text is */
			return status >= 400 && status < 500 && status != 401 && status != 402 && status != 429 ?
				EVENT_REFUSED_MAYBE : EVENT_REFUSED;
		case OUTCOME_TRANSIENT:
			return EVENT_FAILED;
		default:
			return EVENT_SERVED;
	}
}

/* Said once when it happens, not per job. */
static void
say_closed(const Job *job, const char *reason)
{
	ereport(WARNING,
			(errcode(ERRCODE_CONFIG_FILE_ERROR),
			 errmsg("triage provider \"%s\" cannot serve: %s", job->provider, reason),
			 errdetail("Its jobs stay pending, unless another provider serves them, and no attempt is counted. It is tried "
					   "again with one call at a time, and when its key file, its row or the settings change."),
			 errhint("See triage.provider_status; triage.resume_provider() tries it at once.")));
}

static void
say_change(const Job *job, GateChange change, GateState state, const char *reason)
{
	if (change == GATE_CLOSED && state != GATE_THROTTLED)
		say_closed(job, reason);
	else if (change == GATE_OPENED)
		ereport(LOG, (errmsg("triage provider \"%s\" serves again", job->provider)));
}

/* What becomes of a job whose provider is in trouble: it waits with its provider, not longer, or goes to the next one. */
static void
wait_for_gate(Dispatch *d, Job *job, GateEvent event, GateState state, int64 stand_back_ms)
{
	bool		closed = state == GATE_PAUSED || state == GATE_UNREACHABLE || state == GATE_FAILING;

	if (event == EVENT_SERVED || (event == EVENT_FAILED && !closed))
		return;					/* the failure counts as the ticket's */
	job->decision = (RetryDecision) {.action = RETRY_LATER};
	if (event == EVENT_REFUSED_MAYBE && state == GATE_OPEN)
		job->decision.delay_ms = SUSPECT_MS;
	else if (event == EVENT_FAILED && job->probe)
	{
		endpoints_choose(d, GetCurrentTimestamp());
		job->decision.delay_ms = d->serving ? 0 : stand_back_ms;
	}
}

static void
tell_gate(Dispatch *d, Job *job, GateEvent event, int64 hint_ms)
{
	char		reason[REASON_MAX + 64];
	GateReport	report = {
		.event = event,
		.started = job->started_at,
		.now = GetCurrentTimestamp(),
		.hint_ms = hint_ms,
		.job_id = job->id,
		.reason = reason
	};
	GateState	state;
	int64		stand_back_ms;
	GateChange	change;

	if (event == EVENT_FAILED)
		snprintf(reason, sizeof(reason), "%d calls in a row failed, the last with: %s", BREAKER_FAILURES, job->reason);
	else
		strlcpy(reason, job->reason, sizeof(reason));
	reason[utf8_clip(reason, strlen(reason), REASON_MAX - 1)] = '\0';
	change = gate_report(job->gate, &report, &state, &stand_back_ms);
	say_change(job, change, state, reason);
	if (change != GATE_UNCHANGED)
		d->look = true;
	wait_for_gate(d, job, event, state, stand_back_ms);
}

static void
look_for_refusal(Dispatch *d, void *arg)
{
	Job		   *job = arg;

	(void) d;
	job->refused_alone = queue_refused_alone(job);
}

/* The provider has served others since it refused this ticket for the first time: then the ticket is why. */
static bool
is_refused_alone(Dispatch *d, Job *job)
{
	char		reason[REASON_MAX + 64];

	if (job->fence < 2 || dispatch_transact(d, look_for_refusal, job, false) != NULL || !job->refused_alone)
		return false;
	snprintf(reason, sizeof(reason), "refused for this ticket, while others are served: %s", job->reason);
	memcpy(job->reason, reason, sizeof(job->reason));
	job->reason[utf8_clip(reason, strlen(reason), sizeof(job->reason) - 1)] = '\0';
	job->outcome = OUTCOME_BAD_REQUEST;
	return true;
}

static void
follow_outcome(Dispatch *d, Job *job, Transport transport, int64 hint_ms)
{
	GateEvent	event = event_of(job, transport);
	bool		alone = event == EVENT_REFUSED_MAYBE && is_refused_alone(d, job);

	job_decide(job, hint_ms);
	if (!alone)
		tell_gate(d, job, event, hint_ms);
	dispatch_add_answered(d, job);
}

/* now_ms: since the Unix epoch. */
static void
settle_limits(Dispatch *d, const Job *job, const CallReply *reply, int64 now_ms)
{
	Endpoint   *endpoint = endpoint_find(d, job->provider);
	GateUse		use = {job->tokens, -1, -1, -1, -1, -1};

	if (reply->date)
		(void) hint_time(reply->date, &now_ms);
	if (job->usage.input_tokens >= 0 && job->usage.output_tokens >= 0)
		use.tokens = job->usage.input_tokens + job->usage.output_tokens;
	if (!bucket_read_headers(reply->ratelimit_remaining_requests, reply->ratelimit_reset_requests, now_ms,
							 &use.requests_left, &use.requests_reset_ms))
		use.requests_left = -1;
	if (!bucket_read_headers(reply->ratelimit_remaining_tokens, reply->ratelimit_reset_tokens, now_ms,
							 &use.tokens_left, &use.tokens_reset_ms))
		use.tokens_left = -1;
	if (endpoint == NULL || !gate_settle(job->gate, &endpoint->limits, &use, GetCurrentTimestamp()) ||
		endpoint->limited_until == 0)
		return;
	endpoint->limited_until = 0;
	d->look = true;
}

/* A refusal takes no time; of answers the slow ones count, and are forgotten slowly. */
static void
note_latency(Endpoint *endpoint, int latency_ms)
{
	if (endpoint)
		endpoint->latency_ms = Max(Max(latency_ms, 1), endpoint->latency_ms - endpoint->latency_ms / LATENCY_FADES);
}

static void
read_reply(Dispatch *d, Job *job, const PoolReply *reply)
{
	int64		now_ms = clock_epoch_ms(GetCurrentTimestamp());
	Offer		offer = job_offer(job);
	VerdictResult result;

	job->http_status = reply->reply.http_status;
	job->latency_ms = reply->latency_ms;
	dispatch_count(d, COUNTER_BYTES_SENT, reply->bytes_sent);
	dispatch_count(d, COUNTER_BYTES_RECEIVED, reply->bytes_received);
	strlcpy(job->request_id, reply->request_id, sizeof(job->request_id));
	verdict_of_call(d->reader, &reply->reply, now_ms, job->kind, &offer, &result);
	job->outcome = result.outcome;
	job->truncated = result.truncated;
	job->usage = result.usage;
	strlcpy(job->charged, result.charged, sizeof(job->charged));
	strlcpy(job->reason, result.reason, sizeof(job->reason));
	if (result.model[0])
		strlcpy(job->model, result.model, sizeof(job->model));
	if (result.outcome == OUTCOME_SUCCEEDED)
	{
		job->verdict = result.verdict;
		note_latency(endpoint_find(d, job->provider), job->latency_ms);
		gate_note_success(job->gate, GetCurrentTimestamp());
	}
	settle_limits(d, job, &reply->reply, now_ms);
	follow_outcome(d, job, reply->reply.transport, result.retry_after_ms);
}

static void
add_flying(Dispatch *d, Job *job)
{
	job->state = JOB_IN_FLIGHT;
	job->place = d->flying.count;
	job_list_add(&d->flying, job);
}

/* Whoever ends a call, with or without a reply, gives its place back here. */
static void
remove_flying(Dispatch *d, Job *job)
{
	Job		   *last = d->flying.jobs[--d->flying.count];

	gate_leave(job->gate, job->probe);
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

		/* in this order: until the gate has heard of a probe's end no other may go */
		read_reply(d, job, &reply);
		remove_flying(d, job);
		pool_done(d->pool, &reply);
	}
}

static void
refuse_call(Dispatch *d, Job *job, const char *why)
{
	job->outcome = OUTCOME_MISCONFIGURED;
	snprintf(job->reason, sizeof(job->reason), "not called: %s", why ? why : "refused");
	job->http_status = 0;
	follow_outcome(d, job, TRANSPORT_OK, -1);
	gate_leave(job->gate, job->probe);
}

/* The job's place at the gate is taken. */
static void
start_call(Dispatch *d, Endpoint *endpoint, Job *job, uint32 pauses)
{
	const char *why = NULL;
	PoolRequest request = {
		.url = psprintf("%s/chat/completions", endpoint->provider.base_url),
		.body = &job->body,
		.timeout_ms = endpoint->provider.timeout_ms,
		.tag = job
	};

	job->started_at = GetCurrentTimestamp();
	if (endpoint_may_be_called(endpoint, pauses, &why))
	{
		request.secret = endpoint->provider.secret[0] ? endpoint->secret : NULL;
		if (pool_start(d->pool, &request, &why))
		{
			job->called = true;
			add_flying(d, job);
			return;
		}
	}
	gate_refund(job->gate, &endpoint->limits, job->tokens);
	refuse_call(d, job, why);
}

/* A claim made for another provider, or for what it was, or too old for a whole call goes back uncalled. */
static bool
may_start(const Dispatch *d, const Endpoint *endpoint, const Job *job, TimestampTz now)
{
	return dispatch_hold(d) == NULL && endpoint && endpoint->gate && !endpoint->provider.paused && job->provider_version == endpoint->provider.updated_at &&
		job->lease_until >= in_ms(now, endpoint->provider.timeout_ms + LEASE_MARGIN_MS / 2);
}

/* A job that has not failed tells more of the provider; of one that was claimed less often less is known. */
static bool
is_better_probe(const Job *job, const Job *than, int64 avoid_job)
{
	if ((job->id == avoid_job) != (than->id == avoid_job))
		return than->id == avoid_job;
	if (job->attempts != than->attempts)
		return job->attempts < than->attempts;
	return job->fence < than->fence;
}

/*
 * The job that its gate was closed by is not the probe when another can be, nor is one that was tried before: several that
 * always fail, at the head of the queue, would keep the gate closed.
 */
static bool
should_stand_back(const Dispatch *d, Endpoint *endpoint, const Job *job)
{
	if (endpoint->avoid_job == 0)
		return false;
	for (int i = 0; i < d->ready.count; i++)
	{
		const Job  *other = d->ready.jobs[i];

		if (other != job && other->state == JOB_READY && strcmp(other->provider, job->provider) == 0 &&
			is_better_probe(other, job, endpoint->avoid_job))
			return true;
	}
	return false;
}

static void
return_uncalled(Dispatch *d, Job *job)
{
	dispatch_return_job(job, 0);
	dispatch_add_answered(d, job);
}

/* False: it stays ready. */
static bool
try_start(Dispatch *d, Job *job, TimestampTz now)
{
	Endpoint   *endpoint = endpoint_find(d, job->provider);
	TimestampTz until;
	uint32		pauses;
	GateEntry	entry;

	if (!may_start(d, endpoint, job, now) || should_stand_back(d, endpoint, job))
	{
		return_uncalled(d, job);
		return true;
	}
	job->gate = endpoint->gate;
	job->tokens = (int) (job->body.len / BYTES_PER_TOKEN) + ANSWER_TOKENS;
	entry = gate_enter(job->gate, &endpoint->limits, job->tokens, endpoint->provider.timeout_ms, now, &until, &pauses);
	job->probe = entry == ENTRY_PROBE;
	switch (entry)
	{
		case ENTRY_FULL:
			d->next_start = in_ms(now, BLOCKED_MS);
			return false;
		case ENTRY_LIMITED:
			/* not longer: somebody may raise or lift the limit meanwhile, and the gate knows best */
			endpoint->limited_until = Min(until, in_ms(now, LIMITED_MAX_MS));
			/* fall through */
		case ENTRY_CLOSED:
			return_uncalled(d, job);
			return true;
		default:
			start_call(d, endpoint, job, pauses);
			return true;
	}
}

/* Also while every place in the air is taken: what will not be called must not wait for one to go back. */
void
calls_recheck(Dispatch *d, TimestampTz now)
{
	int			kept = 0;

	for (int i = 0; i < d->ready.count; i++)
	{
		Job		   *job = d->ready.jobs[i];

		if (may_start(d, endpoint_find(d, job->provider), job, now))
			d->ready.jobs[kept++] = job;
		else
			return_uncalled(d, job);
	}
	d->ready.count = kept;
}

void
calls_start(Dispatch *d, TimestampTz now)
{
	int			kept = 0;
	int			i = 0;

	d->next_start = 0;
	for (; i < d->ready.count; i++)
	{
		Job		   *job = d->ready.jobs[i];

		if (pool_in_flight(d->pool) >= triage_max_in_flight || pool_room(d->pool) <= 0)
			break;
		if (!try_start(d, job, now))
			d->ready.jobs[kept++] = job;
	}
	job_list_remove(&d->ready, kept, i - kept);
}
