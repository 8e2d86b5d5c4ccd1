/*
 * jobs.c
 *	  The queue's protocol for SQL: an external worker claims, completes and fails with the same code as the C worker.
 *
 * The functions run as the extension's owner (SECURITY DEFINER), over the jobs of every tenant: they are for an operator's
 * role, see level worker of grant_access().
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/labels.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "pg/budget.h"
#include "pg/config.h"
#include "pg/kinds.h"
#include "pg/pause.h"
#include "pg/queue.h"
#include "pg/spi_util.h"
#include "pg/store.h"
#include "pg/wake.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(triage_claim_jobs);
PG_FUNCTION_INFO_V1(triage_complete_job);
PG_FUNCTION_INFO_V1(triage_fail_job);
PG_FUNCTION_INFO_V1(triage_reap_jobs);

/* Jobs of one call.  What they hold is malloc's, and goes with the memory that they stand in: an error takes both along. */
typedef struct OwnJobs
{
	MemoryContextCallback callback;
	int			count;
	Job			jobs[FLEXIBLE_ARRAY_MEMBER];
} OwnJobs;

static void
free_jobs(void *arg)
{
	OwnJobs    *own = arg;

	for (int i = 0; i < own->count; i++)
		job_reset(&own->jobs[i]);
}

static Job *
make_jobs(int count)
{
	OwnJobs    *own = palloc0(offsetof(OwnJobs, jobs) + count * sizeof(Job));

	own->count = count;
	own->callback = (MemoryContextCallback) {.func = free_jobs,.arg = own};
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &own->callback);
	return own->jobs;
}

static int64
interval_ms(const Interval *interval)
{
	double		ms = (interval->time + (interval->day + interval->month * (double) DAYS_PER_MONTH) * USECS_PER_DAY) / 1000;

	/* no int64 has room for the microseconds of the longest intervals */
	return (int64) Max(-1e15, Min(ms, 1e15));
}

/* text: of a ticket to triage; request: of any other kind. */
static void
put_claimed(ReturnSetInfo *result, const Job *job, const TicketText *text, Datum request)
{
	Datum		values[13];
	bool		nulls[13] = {0};
	Oid			kind_type = TupleDescAttr(result->setDesc, 9)->atttypid;

	values[0] = Int64GetDatum(job->id);
	values[1] = Int32GetDatum(job->fence);
	values[2] = CStringGetTextDatum(job->tenant_id);
	values[3] = Int64GetDatum(job->ticket_id);
	nulls[3] = job->ticket_id == 0;
	values[4] = Int32GetDatum(job->attempts);
	values[5] = TimestampTzGetDatum(job->lease_until);
	nulls[6] = nulls[7] = nulls[8] = !text->found;
	values[6] = Int32GetDatum(job->ticket_version);
	values[7] = text->found ? spi_text(text->input.subject) : (Datum) 0;
	values[8] = text->found ? spi_text(text->input.description) : (Datum) 0;
	values[9] = DirectFunctionCall2(enum_in, CStringGetDatum(kind_name(job->kind)), ObjectIdGetDatum(kind_type));
	values[10] = Int64GetDatum(job->session_id);
	nulls[10] = job->session_id == 0;
	values[11] = request;
	nulls[11] = request == (Datum) 0;
	values[12] = Int64GetDatum(job->cluster_id);
	nulls[12] = job->cluster_id == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

static void
check_arguments(int max_jobs, int64 lease_ms, const char *provider)
{
	if (max_jobs < 1 || max_jobs > QUEUE_MAX_BATCH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of jobs must be between 1 and %d, not %d", QUEUE_MAX_BATCH, max_jobs),
				 errhint("Claim as many as you can call a model about at once, and the next ones when these are done.")));
	if (lease_ms < 1000 || lease_ms > SECS_PER_DAY * INT64CONST(1000))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("lease must be between one second and one day"),
				 errhint("Choose a lease longer than the longest call you make.")));
	if (*provider == '\0' || strlen(provider) >= sizeof(((Job *) NULL)->provider))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("name of the provider must have 1 to 63 bytes"),
				 errhint("It stands in the runs; under a budget it must be that of a row of triage.providers.")));
}

/* What is used up yields no rows, like a queue without due jobs; what can never be called is an error. */
static void
keep_to_budget(ClaimRequest *request, BudgetTerms *terms)
{
	if (terms->closed && (!terms->bounded || terms->other_currency))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("jobs cannot be claimed under a budget: %s", terms->why),
				 errhint("A claim reserves what its call can cost at most. Name a row of triage.providers (it may have "
						 "enabled => false), with a price (set_price) and a limit of output tokens (set_output_limit).")));
	request->terms = terms;
	request->which = terms->closed_count > 0 ? CLAIM_EXCEPT : CLAIM_ALL;
	request->tenants = terms->closed_tenants;
}

/* True: of all kinds. */
static bool
check_kinds(ArrayType *kinds)
{
	Datum	   *names;
	bool	   *nulls;
	int			count;
	bool		wanted[KIND_COUNT] = {0};
	int			distinct = 0;

	deconstruct_array(kinds, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
	for (int i = 0; i < count; i++)
	{
		JobKind		kind;

		if (nulls[i] || !kind_parse(TextDatumGetCString(names[i]), &kind))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("there is no kind of job \"%s\"", nulls[i] ? "NULL" : TextDatumGetCString(names[i])),
					 errhint("SELECT enum_range(NULL::triage.job_kind) has them all.")));
		distinct += !wanted[kind];
		wanted[kind] = true;
	}
	if (distinct == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("kinds must name a kind of job at least"),
				 errhint("Without this argument only jobs of kind triage are claimed.")));
	return distinct == KIND_COUNT;
}

/* Reads what was claimed, and gives it out; what there is nothing to do about goes.  Returns how many were given out. */
static int
give_out(ReturnSetInfo *result, Job **jobs, int count)
{
	TicketText *texts = palloc(count * sizeof(TicketText));
	Job		  **dropped = palloc(count * sizeof(Job *));
	int			dropped_count = 0;

	queue_read_tickets(jobs, count, texts);
	for (int i = 0; i < count; i++)
	{
		Datum		request = (Datum) 0;

		if (is_conversation(jobs[i]))
			texts[i].found = false;
		if (is_conversation(jobs[i]) && !kinds_read_jsonb(jobs[i], &request))
		{
			dropped[dropped_count++] = jobs[i];
		}
		else
			put_claimed(result, jobs[i], &texts[i], request);
	}
	queue_store(dropped, dropped_count);
	return count - dropped_count;
}

/* (max_jobs int, lease interval, provider text, kinds text[]) */
Datum
triage_claim_jobs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int64		lease_ms;
	ClaimRequest request = {.slot = SLOT_EXTERNAL, .now = GetCurrentTimestamp()};
	Job		   *jobs = make_jobs(QUEUE_MAX_BATCH);
	Job		   *list[QUEUE_MAX_BATCH];
	Cursor		cursor;
	char		hold[PAUSE_TEXT_MAX];
	int			claimed;
	BudgetTerms terms;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("max_jobs, lease, provider and kinds must not be null"),
				 errhint("Each has a default, which stands for an argument that is left out.")));
	request.max_jobs = PG_GETARG_INT32(0);
	lease_ms = interval_ms(PG_GETARG_INTERVAL_P(1));
	request.provider = text_to_cstring(PG_GETARG_TEXT_PP(2));
	check_arguments(request.max_jobs, lease_ms, request.provider);
	if (!check_kinds(PG_GETARG_ARRAYTYPE_P(3)))
		request.kinds = PG_GETARG_DATUM(3);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < QUEUE_MAX_BATCH; i++)
		list[i] = &jobs[i];
	request.lease_until = TimestampTzPlusMilliseconds(request.now, lease_ms);
	cursor_reset(&cursor);
	config_connect();
	if (pause_in_force(hold, sizeof(hold)))
	{
		ereport(NOTICE,
				(errmsg("nothing is claimed: %s", hold)));
		SPI_finish();
		return (Datum) 0;
	}
	budget_terms(&terms, request.provider, 0, request.now);
	if (terms.apply)
		keep_to_budget(&request, &terms);
	/* again when all that was claimed went: no rows means that none is due */
	do
		claimed = terms.closed ? 0 : queue_claim(&request, &cursor, list);
	while (claimed > 0 && give_out(result, list, claimed) == 0);
	SPI_finish();
	return (Datum) 0;
}

/*
 * Fills in what the claim left in the row; false when the claim is not the current one.  A claim whose lease ended is
 * current until the next one: its answer is still good, but its failure has been dealt with.
 */
static bool
read_claim(Job *job, int64 id, int fence, bool leased)
{
	static SPIPlanPtr plan;
	Datum		values[3] = {Int64GetDatum(id), Int32GetDatum(fence), BoolGetDatum(leased)};
	bool		null;
	Datum		value;

	spi_prepare(&plan,
				"SELECT j.tenant_id, j.ticket_id, j.attempts, j.provider, j.claimed_at, t.version, j.session_id, j.kind::text, "
				"(SELECT p.model FROM triage.providers p WHERE p.name = j.provider), j.cluster_id "
				"FROM triage.ai_jobs j LEFT JOIN triage.tickets t ON t.id = j.ticket_id AND t.tenant_id = j.tenant_id "
				"WHERE j.id = $1 AND j.fence = $2 AND j.claimed_at IS NOT NULL AND (j.lease_until IS NOT NULL OR NOT $3)",
				3, INT8OID, INT4OID, BOOLOID);
	if (spi_execute(plan, values, NULL, 1) == 0)
		return false;
	job_reset(job);
	job->id = id;
	job->fence = fence;
	job->tenant_id = spi_strdup(TextDatumGetCString(spi_value(0, 1, &null)));
	job_set_subject(job, 0, 2, 7, 10);
	job_set_kind(job, TextDatumGetCString(spi_value(0, 8, &null)));
	value = spi_value(0, 9, &null);
	if (!null)
		job_set_text(job->asked_model, sizeof(job->asked_model), TextDatumGetCString(value));
	job->attempts = DatumGetInt16(spi_value(0, 3, &null));
	value = spi_value(0, 4, &null);
	if (!null)
		job_set_text(job->provider, sizeof(job->provider), TextDatumGetCString(value));
	job->started_at = DatumGetTimestampTz(spi_value(0, 5, &null));
	job->ticket_version = spi_int4(0, 6);
	job->latency_ms = (int) Min((GetCurrentTimestamp() - job->started_at) / 1000, INT_MAX);
	job->called = true;
	return true;
}

static bool
is_int64(Numeric number, int64 *value)
{
	char	   *digits = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	char	   *end;

	errno = 0;
	*value = strtoll(digits, &end, 10);
	return *end == '\0' && errno == 0;
}

/*
 * An answer says which version of the request it is of, or goes for that of now.  One that names texts by their numbers has
 * to say so: by now they may have others.
 */
static void
take_version(Job *job, Jsonb *answer)
{
	JsonbValue	value;
	const JsonbValue *version = JB_ROOT_IS_OBJECT(answer) ?
		getKeyJsonValueFromContainer(&answer->root, "version", strlen("version"), &value) : NULL;

	if (version != NULL && version->type == jbvNumeric && is_int64(version->val.numeric, &job->version))
		return;
	if (version != NULL || job->kind == KIND_MATCH_ISSUES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("answer is not usable: its version is not that of a request"),
				 errhint("Copy the number version from the request that claim_jobs() returned.")));
}

static StoreResult
store_one(Job *job)
{
	StoreResult stored;
	int64		id;
	const char *subject = job_subject(job, &id);

	queue_store(&job, 1);
	stored = job->stored;
	job_reset(job);
	if (stored == STORE_LOCKED)
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("the %s of this job is locked by another transaction", subject),
				 errhint("Try again in a moment; the claim still holds.")));
	return stored;
}

/* Arguments first ... first + 4: the model that answered, and what it took. */
static void
set_usage(FunctionCallInfo fcinfo, int first, Job *job)
{
	Usage	   *usage = &job->usage;
	int		   *parts[] = {&usage->input_tokens, &usage->cached_tokens, &usage->output_tokens,
	&usage->cache_write_tokens};

	/* who is not told goes by what its provider was to be asked */
	if (!PG_ARGISNULL(first))
		job_set_text(job->model, sizeof(job->model), text_to_cstring(PG_GETARG_TEXT_PP(first)));
	else
		memcpy(job->model, job->asked_model, sizeof(job->model));
	for (int i = 0; i < (int) lengthof(parts); i++)
		if (!PG_ARGISNULL(first + 1 + i))
			*parts[i] = PG_GETARG_INT32(first + 1 + i);
}

/* The claim is lost, but the call was made: under a budget what it took is still of use. */
static void
settle_stale(FunctionCallInfo fcinfo, int first, RunOutcome outcome)
{
	Job		   *job = make_jobs(1);

	if (!budget_find_claim(job, PG_GETARG_INT64(0), PG_GETARG_INT32(1)))
		return;
	job->outcome = outcome;
	job->decision.attempt_spent = true;
	strlcpy(job->reason, "the claim was no longer current", sizeof(job->reason));
	set_usage(fcinfo, first, job);
	store_stale(job);
}

/*
 * (job_id bigint, fence int, answer jsonb, model text, input_tokens int, cached_tokens int, output_tokens int,
 * cache_write_tokens int)
 */
Datum
triage_complete_job(PG_FUNCTION_ARGS)
{
	Job		   *job = make_jobs(1);
	char	   *answer;
	char	   *utf8;
	Offer		offer;
	VerdictResult verdict;
	Datum		request;
	bool		stored;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("job_id, fence and answer must not be null"),
				 errhint("Pass job_id and fence as claim_jobs() returned them; without an answer, call fail_job().")));
	config_connect();
	if (!read_claim(job, PG_GETARG_INT64(0), PG_GETARG_INT32(1), false))
	{
		settle_stale(fcinfo, 3, OUTCOME_SUCCEEDED);
		SPI_finish();
		PG_RETURN_BOOL(false);
	}
	/* the fence says that nothing new was said since the claim, so what is there now is what was answered */
	if (is_conversation(job) && !kinds_read_jsonb(job, &request))
	{
		set_usage(fcinfo, 3, job);
		(void) store_one(job);
		SPI_finish();
		PG_RETURN_BOOL(false);
	}
	if (is_conversation(job))
		take_version(job, PG_GETARG_JSONB_P(2));
	config_vocabularies(&job, 1);
	answer = JsonbToCString(NULL, &PG_GETARG_JSONB_P(2)->root, 0);
	utf8 = pg_server_to_any(answer, strlen(answer), PG_UTF8);
	offer = job_offer(job);
	verdict_parse_answer(utf8, strlen(utf8), job->kind, &offer, &verdict);
	if (verdict.outcome != OUTCOME_SUCCEEDED)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("answer is not usable: %s", verdict.reason),
				 errhint("Correct it, or call fail_job() with class unusable_answer.")));
	job->verdict = verdict.verdict;
	job->outcome = OUTCOME_SUCCEEDED;
	job->decision = (RetryDecision) {.action = RETRY_DONE, .attempt_spent = true};
	set_usage(fcinfo, 3, job);
	stored = store_one(job) == STORE_WRITTEN;
	SPI_finish();
	PG_RETURN_BOOL(stored);
}

/*
 * (job_id bigint, fence int, class run_outcome, message text, retry_after interval, model text, input_tokens int,
 * cached_tokens int, output_tokens int, cache_write_tokens int)
 */
Datum
triage_fail_job(PG_FUNCTION_ARGS)
{
	Job		   *job = make_jobs(1);
	int64		hint_ms = PG_ARGISNULL(4) ? -1 : interval_ms(PG_GETARG_INTERVAL_P(4));
	RunOutcome	outcome;
	const char *class;
	const char *fate;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1) || PG_ARGISNULL(2) || PG_ARGISNULL(3))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("job_id, fence, class and message must not be null"),
				 errhint("Pass job_id and fence as claim_jobs() returned them, and say what went wrong.")));
	class = DatumGetCString(DirectFunctionCall1(enum_out, PG_GETARG_DATUM(2)));
	if (!outcome_parse(class, &outcome) || outcome == OUTCOME_SUCCEEDED || outcome == OUTCOME_STALE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a job cannot fail with class %s", class),
				 errhint("Choose the class that says whether to try again, such as transient or refused; for an answer, call complete_job().")));
	config_connect();
	if (!read_claim(job, PG_GETARG_INT64(0), PG_GETARG_INT32(1), true))
	{
		settle_stale(fcinfo, 5, outcome);
		SPI_finish();
		PG_RETURN_TEXT_P(cstring_to_text("stale"));
	}
	job->outcome = outcome;
	job_set_text(job->reason, sizeof(job->reason), text_to_cstring(PG_GETARG_TEXT_PP(3)));
	set_usage(fcinfo, 5, job);
	job_decide(job, hint_ms);
	fate = job->decision.action == RETRY_LATER ? "retry" : "failed";
	if (store_one(job) != STORE_WRITTEN)
		fate = "stale";
	SPI_finish();
	wake_at_commit();
	PG_RETURN_TEXT_P(cstring_to_text(fate));
}

Datum
triage_reap_jobs(PG_FUNCTION_ARGS)
{
	int			reaped;

	config_connect();
	/* first: it locks tickets, which come before jobs */
	kinds_escalate_unanswered();
	reaped = queue_reap(NULL, GetCurrentTimestamp());
	SPI_finish();
	if (reaped > 0)
		wake_at_commit();
	PG_RETURN_INT64(reaped);
}
