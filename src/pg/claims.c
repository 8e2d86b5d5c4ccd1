/*
 * claims.c
 *	  Part of dispatch: when to claim, how many, and what a claimed ticket becomes: a request, or builtin's answer.
 */
#include "postgres.h"

#include "core/kinds.h"
#include "core/labels.h"
#include "core/prompt.h"
#include "pg/budget.h"
#include "pg/builtin_provider.h"
#include "pg/dispatch_state.h"
#include "pg/guc.h"
#include "pg/home.h"
#include "pg/kinds.h"
#include "pg/plans.h"

/* Most bytes of a request: a tenant with hundreds of described categories has some hundred thousand. */
#define MAX_REQUEST (16 * 1024 * 1024)
/* From the start of the queue again this often: late commits and leases that ran out lie behind the cursor. */
#define RESCAN_MS 5000
/* Claimed ahead of a free place, jobs wait no longer than one call, or than this. */
#define AHEAD_MS 1000
/* So often conversations are looked for whose customer has waited too long. */
#define ESCALATE_MS 5000
/* With no place free, a wake-up is no reason to claim; but is the worker wanted still? */
#define CONTROL_MS 100
/* So long leases that have ended are freed part by part, when one of them cannot be. */
#define REAP_PARTS_MS 1000

typedef struct Claim
{
	Job		   *jobs[QUEUE_MAX_BATCH];
	int			asked;
	int			claimed;
	int			lost;			/* leases that had run out */
	Batch		kept;			/* whose leases were prolonged */
	TimestampTz now;
	TimestampTz next_due;
	bool		full;			/* no place was free */
	bool		rescanned;		/* from the start of the queue */
	bool		put_off;		/* the look behind the cursor, to the time for it */
	bool		judged;			/* terms are known */
	bool		last_resort;	/* builtin serves what the budgets leave nothing for */
	BudgetTerms first;			/* of the provider that would serve but for them */
	BudgetTerms terms;			/* of the one that serves */
} Claim;

static void
give_up_unasked(Job *job, RunOutcome outcome)
{
	job->outcome = outcome;
	job->decision = (RetryDecision) {.action = RETRY_GIVE_UP};
	job->state = JOB_ANSWERED;
}

/* Nobody who writes a ticket can guess it, which is what it is for.  Drawn ahead: one draw costs as much as a hundred. */
static uint64
draw_boundary(void)
{
	static uint64 drawn[64];
	static int	left = 0;

	if (left == 0)
	{
		if (!pg_strong_random(drawn, sizeof(drawn)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random boundary")));
		left = lengthof(drawn);
	}
	return drawn[--left];
}

/* conversation: of any kind but triage, which has input. */
static void
build_request(const Provider *provider, Job *job, const TicketInput *input, const Conversation *conversation)
{
	char		boundary[33];
	Vocabulary *vocabulary = job->vocabulary;
	bool		own_frame = kind_takes_offer(job->kind);
	Prompt		prompt = {
		.kind = job->kind,
		.model = provider->model,
		.system_text = vocabulary->system_text,
		.offer = job_offer(job),
		.boundary = boundary,
		.max_output_tokens = provider->max_output_tokens,
		.max_tokens_field = provider->max_tokens_field
	};

	if (own_frame)
		prompt_frame_free(&vocabulary->frame);
	if ((own_frame || !vocabulary->framed) && !prompt_frame_build(&vocabulary->frame, &prompt, MAX_REQUEST))
	{
		prompt_frame_free(&vocabulary->frame);
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	vocabulary->framed = true;
	snprintf(boundary, sizeof(boundary), "%016llx", (unsigned long long) draw_boundary());
	buf_init(&job->body, MAX_REQUEST);
	if (!(is_conversation(job) ? prompt_build_conversation(&job->body, &prompt, &vocabulary->frame, conversation) :
		  prompt_build(&job->body, &prompt, &vocabulary->frame, input)))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	strlcpy(job->model, provider->model, sizeof(job->model));
	strlcpy(job->asked_model, provider->model, sizeof(job->asked_model));
	job->provider_version = provider->updated_at;
	job->timeout_ms = provider->timeout_ms;
}

static void
wait_for_tenant(Job *job, const char *what)
{
	int64		id;
	const char *subject = job_subject(job, &id);

	ereport(LOG,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("tenant \"%s\" has no active %s: its %s %lld waits", job->tenant_id, what, subject, (long long) id)));
	dispatch_return_job(job, TENANT_PAUSE_MS);
}

static void
prepare_conversation(const Provider *provider, Job *job)
{
	Conversation conversation;

	if (!kinds_read(job, &conversation))
		return;
	if (provider->api == API_BUILTIN)
		builtin_provider_converse(job, &conversation);
	else if (job->vocabulary->system_text == NULL)
		wait_for_tenant(job, psprintf("prompt of kind %s", kind_name(job->kind)));
	else
		build_request(provider, job, NULL, &conversation);
}

static void
prepare_tickets(const Provider *provider, Job **jobs, int n)
{
	TicketText *texts = palloc((n + 1) * sizeof(TicketText));
	Job		   *ready[QUEUE_MAX_BATCH];
	TicketInput inputs[QUEUE_MAX_BATCH];
	int			ready_count = 0;

	if (n == 0)
		return;
	queue_read_tickets(jobs, n, texts);
	for (int i = 0; i < n; i++)
	{
		Vocabulary *vocabulary = jobs[i]->vocabulary;

		if (!texts[i].found)
			dispatch_return_job(jobs[i], 0);
		else if (vocabulary->category_count == 0 || (vocabulary->system_text == NULL && provider->api != API_BUILTIN))
			wait_for_tenant(jobs[i], vocabulary->category_count == 0 ? "category" : "prompt");
		else
		{
			inputs[ready_count] = texts[i].input;
			ready[ready_count++] = jobs[i];
		}
	}
	if (provider->api == API_BUILTIN)
		builtin_provider_answer(ready, inputs, ready_count);
	else
		for (int i = 0; i < ready_count; i++)
			build_request(provider, ready[i], &inputs[i], NULL);
}

static void
prepare_work(Dispatch *d, void *arg)
{
	Batch	   *batch = arg;
	const Provider *provider = &d->serving->provider;
	Job		   *of_triage[QUEUE_MAX_BATCH];
	int			n = 0;

	config_vocabularies(batch->jobs, batch->count);
	for (int i = 0; i < batch->count; i++)
	{
		if (is_conversation(batch->jobs[i]))
			prepare_conversation(provider, batch->jobs[i]);
		else
			of_triage[n++] = batch->jobs[i];
	}
	prepare_tickets(provider, of_triage, n);
}

/*
 * Reads and words what the claim holds, in a transaction after the claim's: a ticket that cannot be read must have
 * its attempt counted, or it would be claimed for ever and nothing behind it ever.
 */
static void
prepare_range(Dispatch *d, Job **jobs, int n)
{
	Batch		batch = {jobs, n};
	ErrorData  *error;

	dispatch_show(d, "reading tickets");
	error = dispatch_transact(d, prepare_work, &batch, false);
	if (error == NULL)
		return;
	for (int i = 0; i < n; i++)
		job_forget_request(jobs[i]);
	if (dispatch_is_passing(error->sqlerrcode))
	{
		dispatch_report(error, "read tickets");
		for (int i = 0; i < n; i++)
			dispatch_return_job(jobs[i], 0);
		d->paused_until = in_ms(GetCurrentTimestamp(), ERROR_PAUSE_MS);
		return;
	}
	if (n > 1)
	{
		prepare_range(d, jobs, n / 2);
		prepare_range(d, jobs + n / 2, n - n / 2);
		return;
	}
	dispatch_report(error, psprintf("prepare a %s", kinds_topic(jobs[0])));
	job_set_text(jobs[0]->reason, sizeof(jobs[0]->reason),
				 psprintf("the %s could not be prepared: %s", kinds_topic(jobs[0]), error->message));
	give_up_unasked(jobs[0], OUTCOME_BAD_REQUEST);
}

/* Once told. */
bool
claims_may_serve(const Dispatch *d)
{
	const char *why;
	const char *hint;
	HomeState	home = HOME_HERE;

	if (config_schema_fits(&why, &hint))
	{
		home = home_state();
		if (home == HOME_CARRIED)
			home_settle();
		why = home_refusal(home);
		hint = home_hint(home);
	}
	/* install() and adopt() start a worker when they are done */
	if (why && !d->unwanted)
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("triage worker leaves: %s", why),
				 errhint("%s", hint)));
	return why == NULL;
}

void
claims_read_provider(Dispatch *d)
{
	bool		stopped;

	if (!claims_may_serve(d))
	{
		d->unwanted = true;
		return;
	}
	endpoints_read(d, &stopped);
	d->unwanted = stopped && d->slot == 0;
}

/*
 * Under load so many are claimed ahead, that a free place never waits for a claim: what will be started soon.  While nobody
 * knows how long a call takes, as many as may be in the air.
 */
static int
claimed_ahead(const Dispatch *d)
{
	int			limit = dispatch_limit(d);
	int			latency_ms = d->serving ? d->serving->latency_ms : 0;
	int			soon = latency_ms > 0 ? Min((int64) limit * AHEAD_MS / latency_ms, QUEUE_MAX_BATCH) : 0;

	return Min(Max(limit, soon), QUEUE_MAX_BATCH);
}

/* How many to claim: to fill the air, and some ahead. */
static int
wanted(const Dispatch *d)
{
	int			limit = dispatch_limit(d);
	int			ahead = d->more ? claimed_ahead(d) : 0;
	int			n = triage_max_in_flight + ahead - pool_in_flight(d->pool) - d->ready.count;

	if (d->serving && d->serving->gate)
	{
		/* what is in the air to another provider takes nothing from this one */
		if (d->serving->provider.max_in_flight > 0)
			n = Min(n, limit + ahead - gate_in_flight_here(d->serving->gate) - d->ready.count);
		n = Min(n, d->serving_room);
	}
	if (d->answered.count > limit + QUEUE_MAX_BATCH)
		return 0;				/* not faster than answers can be written */
	n = Min(n, QUEUE_MAX_BATCH);
	return d->jobs_left >= 0 ? Min(n, d->jobs_left) : n;
}

/* What will not be given back by calls under way is another provider's to serve. */
static bool
stays_closed(const BudgetTerms *terms)
{
	return terms->used_up || !terms->bounded || terms->other_currency;
}

/* The reasons are in the memory of the transaction that chooses. */
static void
forget_reasons(Dispatch *d)
{
	for (int i = 0; i < d->endpoint_count; i++)
		d->endpoints[i].over_budget = NULL;
}

/* The best provider by rank and gate whose calls the budgets cover. */
static void
choose_provider(Dispatch *d, Claim *claim)
{
	for (;;)
	{
		Endpoint   *endpoint;

		endpoints_choose(d, claim->now);
		endpoint = d->serving;
		if (endpoint == NULL)
			break;
		budget_terms(&claim->terms, endpoint->provider.name, endpoint->provider.updated_at, claim->now);
		if (!claim->judged)
			claim->first = claim->terms;
		claim->judged = true;
		if (!claim->terms.closed)
			break;
		if (claim->terms.changed || !stays_closed(&claim->terms))
		{
			d->serving = NULL;
			d->open_at = claim->terms.changed ? in_ms(claim->now, ERROR_PAUSE_MS) : DT_NOEND;
			break;
		}
		endpoint->over_budget = pstrdup(claim->terms.why);
		endpoint->over_until = claim->terms.resets_at;
	}
	forget_reasons(d);
}

/* What the budgets of some tenants leave nothing for is builtin's, if it is ranked as one that stands in. */
static bool
claim_last_resort(Dispatch *d, Claim *claim, const ClaimRequest *like, Datum tenants)
{
	Endpoint   *serving = d->serving;
	Cursor		cursor;
	ClaimRequest request = *like;

	for (Endpoint *e = serving + 1; e < d->endpoints + d->endpoint_count; e++)
		if (e->provider.api == API_BUILTIN && !e->provider.paused)
			d->serving = e;
	if (d->serving == serving)
		return false;
	request.provider = d->serving->provider.name;
	request.terms = NULL;
	request.which = CLAIM_ONLY;
	request.tenants = tenants;
	cursor_reset(&cursor);
	claim->claimed = queue_claim(&request, &cursor, claim->jobs);
	claim->last_resort = claim->claimed > 0;
	if (!claim->last_resort)
		d->serving = serving;
	return claim->last_resort;
}

static void
claim_under_budget(Dispatch *d, Claim *claim, ClaimRequest *request)
{
	BudgetTerms *terms = &claim->terms;

	/* in turn with the provider, where only some tenants' budgets are used up */
	d->last_resort_turn = !d->last_resort_turn;
	if (terms->used_up_count > 0 && d->last_resort_turn &&
		claim_last_resort(d, claim, request, terms->used_up_tenants))
		return;
	if (terms->apply)
	{
		request->terms = terms;
		request->which = terms->closed_count > 0 ? CLAIM_EXCEPT : CLAIM_ALL;
		request->tenants = terms->closed_tenants;
		request->max_jobs = Min(request->max_jobs, terms->fit);
	}
	claim->claimed = queue_claim(request, &d->cursor, claim->jobs);
	/* what is left covers none of them, and no call under way will give any back */
	if (claim->claimed == 0 && terms->denied > 0 && !terms->reserved)
		claim_last_resort(d, claim, request, terms->denied_tenants);
}

/* Also while nothing may be called: then above all customers wait for an answer that does not come. */
static void
escalate_work(Dispatch *d, void *arg)
{
	(void) arg;
	claims_read_provider(d);
	if (!d->unwanted)
		kinds_escalate_unanswered();
}

static void
escalate_unanswered(Dispatch *d, TimestampTz now)
{
	ErrorData  *error;

	if (now < d->next_escalation)
		return;
	d->next_escalation = in_ms(now, ESCALATE_MS);
	error = dispatch_transact(d, escalate_work, NULL, true);
	if (error)
		dispatch_report(error, "hand over conversations that wait");
}

/* False: this worker is to do nothing here and now. */
static bool
is_served(Dispatch *d)
{
	claims_read_provider(d);
	d->held = pause_in_force(d->hold, sizeof(d->hold));
	return !d->unwanted && !d->held;
}

/*
 * While its table was locked, or the machine slept, leases of this worker's own may have ended.  It holds the answers, or will:
 * to reap those would be to pay for them twice.
 */
static void
keep_claims(Dispatch *d, Claim *claim)
{
	int			count = d->ready.count + d->flying.count + d->answered.count;
	Batch	   *kept = &claim->kept;

	/* read again after an error, too */
	kept->jobs = MemoryContextAlloc(d->context, (count + 1) * sizeof(Job *));
	kept->count = 0;
	dispatch_find_ending(&d->ready, claim->now, kept);
	dispatch_find_ending(&d->flying, claim->now, kept);
	dispatch_find_ending(&d->answered, claim->now, kept);
	if (kept->count > 0)
		dispatch_extend(kept);
}

/* What was rolled back is prolonged no more. */
static void
forget_kept(Claim *claim)
{
	for (int i = 0; i < claim->kept.count; i++)
		claim->kept.jobs[i]->lease_until = claim->now;
}

static bool
may_reap(Dispatch *d, const Claim *claim)
{
	if (!is_served(d))
		return false;
	endpoints_choose(d, claim->now);
	return d->serving != NULL;
}

/* With the end of the queue in sight, all of it is looked through. */
static const Cursor *
reap_up_to(const Dispatch *d)
{
	return d->more ? &d->cursor : NULL;
}

static void
reap_work(Dispatch *d, void *arg)
{
	Claim	   *claim = arg;

	if (!may_reap(d, claim))
		return;
	claim->rescanned = true;
	plans_review(claim->now);
	keep_claims(d, claim);
	claim->lost = queue_reap(reap_up_to(d), claim->now);
}

typedef struct Ended
{
	Claim	   *claim;
	int64		ids[QUEUE_MAX_ENDED];
	int			count;
	const int64 *part;			/* of ids */
	int			part_count;
	int			freed;			/* of the part */
	TimestampTz until;			/* no more parts after this */
} Ended;

static void
find_ended_work(Dispatch *d, void *arg)
{
	Ended	   *ended = arg;

	if (!may_reap(d, ended->claim))
		return;
	keep_claims(d, ended->claim);
	ended->count = queue_find_ended(reap_up_to(d), ended->claim->now, ended->ids);
}

static void
reap_part_work(Dispatch *d, void *arg)
{
	Ended	   *ended = arg;

	(void) d;
	ended->freed = queue_reap_these(ended->part, ended->part_count, ended->claim->now);
}

static void
reap_range(Dispatch *d, Ended *ended, const int64 *ids, int n)
{
	ErrorData  *error;

	if (n == 0 || GetCurrentTimestamp() > ended->until)
		return;
	ended->part = ids;
	ended->part_count = n;
	error = dispatch_transact(d, reap_part_work, ended, false);
	if (error == NULL)
		ended->claim->lost += ended->freed;
	else if (n == 1 || dispatch_is_passing(error->sqlerrcode))
		dispatch_report(error, "free a lease that has ended");
	else
	{
		reap_range(d, ended, ids, n / 2);
		reap_range(d, ended, ids + n / 2, n - n / 2);
	}
}

/* One whose lost run cannot be written must not keep the others: found by halving, as an answer is. */
static void
reap_parts(Dispatch *d, Claim *claim)
{
	Ended		ended = {.claim = claim, .until = in_ms(GetCurrentTimestamp(), REAP_PARTS_MS)};
	ErrorData  *error = dispatch_transact(d, find_ended_work, &ended, false);

	if (error)
	{
		dispatch_report(error, "free leases that have ended");
		forget_kept(claim);
		return;
	}
	reap_range(d, &ended, ended.ids, ended.count);
}

/*
 * In a transaction of its own: what it takes from a budget locks that budget's figures, and a claim waits for the budgets
 * themselves.  A failure is no reason not to claim.
 */
static void
reap(Dispatch *d, Claim *claim)
{
	ErrorData  *error = dispatch_transact(d, reap_work, claim, false);

	if (error)
	{
		forget_kept(claim);
		claim->lost = 0;
		if (dispatch_is_passing(error->sqlerrcode))
			dispatch_report(error, "free leases that have ended");
		else
			reap_parts(d, claim);
	}
	if (claim->rescanned)
		cursor_reset(&d->cursor);
}

static void
claim_work(Dispatch *d, void *arg)
{
	Claim	   *claim = arg;
	ClaimRequest request = {.slot = d->slot, .now = claim->now};

	if (!is_served(d))
		return;
	choose_provider(d, claim);
	if (d->serving == NULL)
		return;
	claim->asked = wanted(d);
	if (claim->asked <= 0)
	{
		claim->full = true;
		return;
	}
	for (int i = 0; i < claim->asked; i++)
		claim->jobs[i] = dispatch_new_job(d);
	request.max_jobs = claim->asked;
	request.provider = d->serving->provider.name;
	request.lease_until = in_ms(claim->now, 2 * (int64) d->serving->provider.timeout_ms + LEASE_MARGIN_MS);
	claim_under_budget(d, claim, &request);
	/* a transaction that began before others that were served, and has just committed: its job lies behind the cursor */
	claim->put_off = d->look_behind && !claim->rescanned && claim->claimed < request.max_jobs && !claim->last_resort &&
		claim->terms.denied == 0;
	if (claim->put_off && claim->now >= d->next_early_rescan)
	{
		claim->put_off = false;
		claim->rescanned = true;
		cursor_reset(&d->cursor);
		request.max_jobs -= claim->claimed;
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
			dispatch_free_job(d, job);
		else if (job->state == JOB_ANSWERED)
			dispatch_add_answered(d, job);
		else
			job_list_add(&d->ready, job);
	}
}

/* Says once what keeps jobs waiting; calls that are under way are not worth a line in the log. */
static void
follow_budget(Dispatch *d, const Claim *claim)
{
	const BudgetTerms *terms = claim->first.closed ? &claim->first : &claim->terms;

	if (!claim->judged)
		return;
	d->budget_waits = terms->apply && (terms->closed || terms->closed_count > 0 || terms->denied > 0 ||
									   claim->claimed >= terms->fit);
	if (strcmp(d->budget_trouble, terms->why) == 0)
		return;
	strlcpy(d->budget_trouble, terms->why, sizeof(d->budget_trouble));
	d->budget_trouble_since = claim->now;
	if (terms->why[0] && (terms->used_up || terms->used_up_count > 0 || !terms->reserved))
		ereport(WARNING,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("triage calls are held back by a budget: %s", terms->why),
				 errhint("SELECT * FROM triage.budget_status shows what was taken from each budget.")));
}

/* From a commit's wake-up to the claim that took its job.  With no place free there is nothing to learn. */
static void
count_wake(Dispatch *d, const Claim *claim)
{
	int64		took_us = GetCurrentTimestamp() - d->woken_at;
	bool		woken = d->woken_at != 0;

	d->woken_at = 0;
	if (!woken || claim->claimed == 0 || took_us < 0)
		return;
	dispatch_count(d, COUNTER_WAKES, 1);
	dispatch_count(d, COUNTER_WAKE_US, took_us);
	/* nobody else writes it */
	if (took_us > (int64) pg_atomic_read_u64(&d->entry->counters[COUNTER_WAKE_MAX_US]))
		pg_atomic_write_u64(&d->entry->counters[COUNTER_WAKE_MAX_US], took_us);
}

void
claims_make(Dispatch *d, TimestampTz now)
{
	Claim		claim = {.now = now};
	bool		rescan = now >= d->next_rescan;
	ErrorData  *error;

	if (now < d->paused_until)
		return;
	d->look_behind = d->look_behind || d->look;
	dispatch_show(d, "claiming jobs");
	escalate_unanswered(d, now);
	if (rescan)
		reap(d, &claim);
	error = dispatch_transact(d, claim_work, &claim, false);
	count_wake(d, &claim);
	if (error == NULL)
		follow_budget(d, &claim);
	if (error == NULL && claim.claimed > 0)
		prepare_range(d, claim.jobs, claim.claimed);
	sort_claimed(d, &claim, error != NULL);
	if (error)
	{
		forget_reasons(d);
		dispatch_report(error, "claim jobs");
		cursor_reset(&d->cursor);
		d->paused_until = in_ms(now, ERROR_PAUSE_MS);
		d->next_look = d->paused_until;
		d->more = false;
		return;
	}
	dispatch_count(d, COUNTER_CLAIMED, claim.claimed);
	dispatch_count(d, COUNTER_OUTCOMES + OUTCOME_LOST, claim.lost);
	if (d->jobs_left >= 0)
		d->jobs_left -= claim.claimed;
	d->more = claim.full || (claim.asked > 0 && claim.claimed == claim.asked);
	d->next_control = in_ms(now, CONTROL_MS);
	if (claim.rescanned)
	{
		/* under an old snapshot the head of the queue is slow to walk: no more than a twentieth of the time for it */
		int64		took_ms = (GetCurrentTimestamp() - now) / 1000;

		if (rescan)
			d->next_rescan = in_ms(now, Max(RESCAN_MS, 20 * took_ms));
		d->next_early_rescan = in_ms(now, 20 * took_ms);
		d->look_behind = false;
	}
	d->look = false;
	d->next_look = in_ms(now, triage_poll_interval);
	if (claim.put_off)
		d->next_look = Min(d->next_look, d->next_early_rescan);
	if (claim.first.resets_at > now)
		d->next_look = Min(d->next_look, claim.first.resets_at);
	if (claim.next_due != 0)
		d->next_look = Min(d->next_look, claim.next_due);
	if (d->serving == NULL)
		d->next_look = Min(d->next_look, d->open_at);
}

bool
claims_due(const Dispatch *d, TimestampTz now)
{
	int			n;

	if (now < d->paused_until)
		return false;
	if (!d->look && !d->more && now < d->next_look)
		return false;
	if (d->budget_waits && !d->more && now < d->next_control)
		return false;
	n = d->serving ? wanted(d) : 1;
	if (d->jobs_left == 0)
		return false;
	if (n <= 0)
		return now >= (d->look ? Min(d->next_control, d->next_look) : d->next_look);
	/* under load claim by the batch: a transaction costs more than a row, and a quarter is left to start meanwhile */
	return !d->more || d->ready.count == 0 || n >= (claimed_ahead(d) + 1) * 3 / 4;
}
