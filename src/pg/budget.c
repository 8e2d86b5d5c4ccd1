/*
 * budget.c
 *	  Budgets: the most a call can cost is reserved when its job is claimed, and settled when its run is written.
 *
 * Both happen in the transaction of the claim and of the write, so that no crash comes between.  A claimer locks the
 * rows of the budgets that its jobs fall under, by id, before it reads what is left: two claimers cannot both take the
 * last of it.  These locks are the last that a transaction waits for, which keeps them out of any deadlock.
 *
 * A reply names the model that answered, and its price is what counts.  Which ones a provider's replies have named is kept
 * (provider_models): claims reserve at the dearest.  The first reply that names a dearer one also raises what is reserved
 * for the calls under way, under the locks that claims wait for.  Its own excess is past saving, and counted.
 *
 * A reservation is found again by job and fence, whatever became of job and ticket.  What is known to have been spent
 * takes its place; what was plainly not billed is released; what nobody knows stays, counted as unsettled.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "core/labels.h"
#include "core/price.h"
#include "core/prompt.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pg/budget.h"
#include "pg/kinds.h"
#include "pg/spi_util.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

/* So long after its lease a reservation that nobody settled is given up as unsettled. */
#define SWEEP_AFTER_MS (5 * 60 * 1000)
/* A character of another encoding may take this many bytes of UTF-8 for each of its own. */
#define UTF8_GROWTH 4
/* So many models are remembered of each that is asked for; beyond that only what is dearer than all of them. */
#define MODELS_KEPT "100"

PG_FUNCTION_INFO_V1(triage_least_request_tokens);

/* What is to be settled about a claim. */
typedef enum Fate
{
	FATE_RELEASED,				/* nothing was billed */
	FATE_SPENT,					/* its cost is known */
	FATE_UNSETTLED
} Fate;

typedef struct Budget
{
	int64		id;
	char	   *tenant;			/* NULL: all */
	TimestampTz period_start;
	Datum		left;			/* numeric */
} Budget;

/* One array parameter for each column. */
typedef struct Arrays
{
	int			count;
	ArrayBuildState *state[12];
} Arrays;

static void
put(Arrays *arrays, int column, Oid type, Datum value, bool null)
{
	arrays->state[column] = accumArrayResult(arrays->state[column], value, null, type, CurrentMemoryContext);
	arrays->count = Max(arrays->count, column + 1);
}

static void
make_arrays(Arrays *arrays, Datum *values)
{
	for (int i = 0; i < arrays->count; i++)
		values[i] = makeArrayResult(arrays->state[i], CurrentMemoryContext);
}

static Datum
times(Datum price, int64 count)
{
	return DirectFunctionCall2(numeric_mul, price, NumericGetDatum(int64_to_numeric(count)));
}

static bool
is_less(Datum a, Datum b)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, a, b));
}

/* () */
Datum
triage_least_request_tokens(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_INT32(PROMPT_TOKENS_FIXED);
}

static bool
budgets_exist(void)
{
	static SPIPlanPtr plan;

	if (!prices_table_has_pages("budgets"))
		return false;
	spi_prepare(&plan, "SELECT FROM triage.budgets b LIMIT 1", 0);
	return spi_execute(plan, NULL, NULL, 1) > 0;
}

/* False: its calls cost nothing. */
static bool
read_terms(BudgetTerms *terms, const char *provider, TimestampTz version, TimestampTz now)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {CStringGetTextDatum(provider), TimestampTzGetDatum(now)};
	Datum		value;
	bool		no_price,
				no_limit;
	bool		null;

	spi_prepare(&plan,
				"SELECT t.api, t.updated_at, t.currency, t.input_price, t.output_price, t.max_output_tokens, "
				"t.input_price = 0 AND t.output_price = 0 FROM triage.provider_terms($1, $2) AS t",
				2, TEXTOID, TIMESTAMPTZOID);
	if (spi_execute(plan, values, NULL, 1) == 0)
	{
		snprintf(terms->why, sizeof(terms->why), "provider \"%s\" is none of triage.providers", provider);
		return true;
	}
	if (strcmp(TextDatumGetCString(spi_value(0, 1, &null)), "builtin") == 0)
		return false;
	terms->changed = version != 0 && DatumGetTimestampTz(spi_value(0, 2, &null)) != version;
	value = spi_value(0, 7, &null);
	if (!null && DatumGetBool(value))
		return false;
	value = spi_value(0, 3, &no_price);
	terms->currency = no_price ? NULL : TextDatumGetCString(value);
	terms->input_price = spi_value(0, 4, &null);
	terms->output_price = spi_value(0, 5, &null);
	terms->max_output_tokens = DatumGetInt32(spi_value(0, 6, &no_limit));
	terms->bounded = !no_price && !no_limit;
	if (!terms->bounded)
		snprintf(terms->why, sizeof(terms->why), "provider \"%s\" has no %s, and so no place under a budget", provider,
				 no_price ? "price" : "limit of output tokens");
	return true;
}

/* What the shortest request costs at most: with less than that left there is no use in claiming. */
static Datum
least_amount(const BudgetTerms *terms)
{
	return DirectFunctionCall2(numeric_add, times(terms->input_price, PROMPT_TOKENS_FIXED),
							   times(terms->output_price, terms->max_output_tokens));
}

static void
say_closed(BudgetTerms *terms)
{
	if (!terms->bounded)
		return;					/* said by read_terms() */
	if (terms->other_currency)
		snprintf(terms->why, sizeof(terms->why), "there is a budget in another currency than %s, the price's", terms->currency);
	else if (terms->used_up || terms->used_up_count > 0)
		snprintf(terms->why, sizeof(terms->why), "%s used up, until %s", terms->used_up ? "the budget is" :
				 terms->used_up_count == 1 ? "a tenant's budget is" : "budgets of tenants are", timestamptz_to_str(terms->resets_at));
	else
		strlcpy(terms->why, "all that is left of the budget is reserved by calls under way", sizeof(terms->why));
}

/* One row of read_closed(): a budget of all tenants, or one that is closed. */
static void
take_closed(BudgetTerms *terms, uint64 row, ArrayBuildState **closed, ArrayBuildState **used_up)
{
	bool		all_tenants,
				unknown,
				null;
	Datum		tenant = spi_value(row, 1, &all_tenants);
	bool		same_currency = DatumGetBool(spi_value(row, 2, &unknown));
	TimestampTz resets_at = DatumGetTimestampTz(spi_value(row, 3, &null));
	bool		open = terms->bounded && same_currency && DatumGetBool(spi_value(row, 4, &null));
	bool		spent = terms->bounded && same_currency && !DatumGetBool(spi_value(row, 5, &null));

	if (all_tenants && open)
		terms->fit = Min(terms->fit, (int) spi_int8(row, 6));
	terms->reserved = terms->reserved || DatumGetBool(spi_value(row, 7, &null));
	if (open)
		return;
	if (all_tenants)
		terms->closed = true;
	else
		*closed = accumArrayResult(*closed, tenant, false, TEXTOID, CurrentMemoryContext);
	terms->closed_count += !all_tenants;
	if (!spent)
		return;
	if (all_tenants)
		terms->used_up = true;
	else
		*used_up = accumArrayResult(*used_up, tenant, false, TEXTOID, CurrentMemoryContext);
	terms->used_up_count += !all_tenants;
	if (terms->resets_at == 0 || resets_at < terms->resets_at)
		terms->resets_at = resets_at;
}

/* The budgets that have nothing left for this provider, and those of all tenants in any case. */
static void
read_closed(BudgetTerms *terms, TimestampTz now)
{
	static SPIPlanPtr plan;
	Datum		values[3] = {TimestampTzGetDatum(now), (Datum) 0, (Datum) 0};
	ArrayBuildState *closed = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	ArrayBuildState *used_up = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	uint64		rows;

	if (terms->bounded)
	{
		values[1] = CStringGetTextDatum(terms->currency);
		values[2] = least_amount(terms);
	}
	terms->fit = QUEUE_MAX_BATCH;
	spi_prepare(&plan,
				"SELECT b.tenant, b.currency = $2, triage.budget_period_end(b.period, date_trunc(b.period::text, $1, 'UTC')), "
				"b.spend_limit - f.settled - f.reserved >= $3, b.spend_limit - f.settled >= $3, "
				"CASE WHEN $3 > 0 THEN greatest(least(floor((b.spend_limit - f.settled - f.reserved) / $3), 128), 0)::int8 ELSE 128 END, "
				"f.reserved > 0 FROM triage.budgets b LEFT JOIN triage.budget_usage u "
				"ON u.budget = b.id AND u.period_start = date_trunc(b.period::text, $1, 'UTC') "
				"CROSS JOIN LATERAL (SELECT coalesce(u.spent + u.unsettled, 0) AS settled, coalesce(u.reserved, 0) AS reserved) f "
				"WHERE b.tenant IS NULL OR (b.currency = $2 AND b.spend_limit - f.settled - f.reserved >= $3) IS NOT TRUE",
				3, TIMESTAMPTZOID, TEXTOID, NUMERICOID);
	rows = spi_execute(plan, values, terms->bounded ? NULL : " nn", 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		unknown;

		take_closed(terms, row, &closed, &used_up);
		terms->other_currency = terms->other_currency || (!DatumGetBool(spi_value(row, 2, &unknown)) && !unknown);
	}
	terms->closed_tenants = makeArrayResult(closed, CurrentMemoryContext);
	terms->used_up_tenants = makeArrayResult(used_up, CurrentMemoryContext);
	if (terms->closed || terms->closed_count > 0)
		say_closed(terms);
	else
		terms->why[0] = '\0';
}

void
budget_terms(BudgetTerms *terms, const char *provider, TimestampTz version, TimestampTz now)
{
	/* again when there is no bound: the price that was set with the budget may have come between the two statements */
	for (int round = 0; round < 2; round++)
	{
		memset(terms, 0, sizeof(*terms));
		if (!budgets_exist() || !read_terms(terms, provider, version, now))
		{
			memset(terms, 0, sizeof(*terms));
			return;
		}
		terms->apply = true;
		read_closed(terms, now);
		terms->closed = terms->closed || terms->changed;
		if (terms->bounded)
			return;
	}
}

static Datum
tenants_of(Job **jobs, int count)
{
	ArrayBuildState *tenants = initArrayResult(TEXTOID, CurrentMemoryContext, false);

	for (int i = 0; i < count; i++)
	{
		int			k = 0;

		while (k < i && strcmp(jobs[k]->tenant_id, jobs[i]->tenant_id) != 0)
			k++;
		if (k == i)
			tenants = accumArrayResult(tenants, CStringGetTextDatum(jobs[i]->tenant_id), false, TEXTOID, CurrentMemoryContext);
	}
	return makeArrayResult(tenants, CurrentMemoryContext);
}

/* Two statements: the second one's snapshot is taken when all locks are held, and so it sees what is left. */
static Budget *
lock_budgets(BudgetTerms *terms, Datum tenants, TimestampTz now, int *budget_count)
{
	static SPIPlanPtr lock_plan;
	static SPIPlanPtr read_plan;
	Datum		values[3] = {tenants, TimestampTzGetDatum(now), CStringGetTextDatum(terms->currency)};
	Budget	   *budgets;

	spi_prepare(&lock_plan,
				"SELECT b.id FROM triage.budgets b WHERE b.tenant IS NULL OR b.tenant = ANY ($1) "
				"ORDER BY b.id FOR NO KEY UPDATE", 1, TEXTARRAYOID);
	spi_execute(lock_plan, values, NULL, 0);
	spi_prepare(&read_plan,
				"SELECT b.id, b.tenant, p.start, CASE WHEN b.currency = $3 "
				"THEN b.spend_limit - coalesce(u.spent + u.reserved + u.unsettled, 0) ELSE -1 END, "
				"coalesce(u.reserved, 0) > 0 "
				"FROM triage.budgets b CROSS JOIN LATERAL (SELECT date_trunc(b.period::text, $2, 'UTC') AS start) p "
				"LEFT JOIN triage.budget_usage u ON u.budget = b.id AND u.period_start = p.start "
				"WHERE b.tenant IS NULL OR b.tenant = ANY ($1)",
				3, TEXTARRAYOID, TIMESTAMPTZOID, TEXTOID);
	*budget_count = (int) spi_execute(read_plan, values, NULL, 0);
	budgets = palloc((*budget_count + 1) * sizeof(Budget));
	for (int i = 0; i < *budget_count; i++)
	{
		bool		null;
		Datum		tenant = spi_value(i, 2, &null);

		budgets[i].tenant = null ? NULL : TextDatumGetCString(tenant);
		budgets[i].id = spi_int8(i, 1);
		budgets[i].period_start = DatumGetTimestampTz(spi_value(i, 3, &null));
		budgets[i].left = spi_value(i, 4, &null);
		terms->reserved = terms->reserved || DatumGetBool(spi_value(i, 5, &null));
	}
	return budgets;
}

/* A conversation's bound: what is said in it is bounded by its wording, so only the prompt is to be looked up. */
static void
read_prompt_sizes(Job **jobs, int count, int64 *bounds)
{
	static SPIPlanPtr plan;
	int64		growth = GetDatabaseEncoding() == PG_UTF8 ? 1 : UTF8_GROWTH;

	spi_prepare(&plan,
				"SELECT octet_length(p.system_text)::int8 FROM triage.prompts p WHERE p.tenant_id = $1 "
				"AND p.kind = $2::triage.job_kind AND p.is_active ORDER BY p.version DESC LIMIT 1", 2, TEXTOID, TEXTOID);
	for (int i = 0; i < count; i++)
	{
		Datum		values[2];
		int64		size = 0;

		if (!is_conversation(jobs[i]))
			continue;
		values[0] = CStringGetTextDatum(jobs[i]->tenant_id);
		values[1] = CStringGetTextDatum(kind_name(jobs[i]->kind));
		/* without a prompt there will be no call; were there one by then, it would be of the usual size */
		if (spi_execute(plan, values, NULL, 1) > 0)
			size = spi_int8(0, 1) * growth;
		bounds[i] = prompt_conversation_token_bound(jobs[i]->kind, size);
	}
}

/* What a tenant's requests have in common, for each of count jobs; -1: the ticket is gone. */
static void
read_sizes(Job **jobs, int count, Datum tenants, int64 *bounds)
{
	static SPIPlanPtr plan;
	int64		growth = GetDatabaseEncoding() == PG_UTF8 ? 1 : UTF8_GROWTH;
	int64	   *ids = palloc(count * sizeof(int64));
	Datum		values[2];
	uint64		rows;

	spi_prepare(&plan,
				"SELECT t.id, t.tenant_id, octet_length(t.subject)::int8, octet_length(t.description)::int8, "
				"v.system_text, v.categories, v.names, v.descriptions "
				"FROM (SELECT n.tenant_id, coalesce((SELECT octet_length(p.system_text) FROM triage.prompts p "
				"WHERE p.tenant_id = n.tenant_id AND p.kind = 'triage' AND p.is_active ORDER BY p.version DESC LIMIT 1), 0)::int8 "
				"AS system_text, c.* FROM unnest($2) AS n(tenant_id) CROSS JOIN LATERAL (SELECT count(*) AS categories, "
				"coalesce(sum(octet_length(k.category)), 0) AS names, coalesce(sum(octet_length(k.description)), 0) AS descriptions "
				"FROM triage.ticket_categories k WHERE k.tenant_id = n.tenant_id AND k.is_active) c) v "
				"JOIN triage.tickets t ON t.tenant_id = v.tenant_id WHERE t.id = ANY ($1)",
				2, INT8ARRAYOID, TEXTARRAYOID);
	for (int i = 0; i < count; i++)
	{
		ids[i] = jobs[i]->ticket_id;
		bounds[i] = -1;
	}
	values[0] = spi_int8_array(ids, count);
	values[1] = tenants;
	rows = spi_execute(plan, values, NULL, 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		int64		sizes[6];
		char	   *tenant_id = TextDatumGetCString(spi_value(row, 2, &null));
		int64		id = spi_int8(row, 1);

		for (int k = 0; k < 6; k++)
			sizes[k] = spi_int8(row, 3 + k) * (k == 3 ? 1 : growth);
		for (int i = 0; i < count; i++)
			if (!is_conversation(jobs[i]) && jobs[i]->ticket_id == id && strcmp(jobs[i]->tenant_id, tenant_id) == 0)
				bounds[i] = prompt_token_bound(&(PromptSize) {
					.subject = sizes[0], .description = sizes[1], .system_text = sizes[2],
					.category_count = sizes[3], .category_names = sizes[4], .category_descriptions = sizes[5]
				});
	}
}

/* A reply may have named a dearer model since the terms were read: no more, now that the budgets are locked. */
static void
follow_prices(BudgetTerms *terms, const ClaimRequest *request)
{
	BudgetTerms fresh = {0};

	if (!read_terms(&fresh, request->provider, 0, request->now) || !fresh.bounded ||
		strcmp(fresh.currency, terms->currency) != 0)
		return;
	terms->input_price = fresh.input_price;
	terms->output_price = fresh.output_price;
}

static bool
falls_under(const Job *job, const Budget *budget)
{
	return budget->tenant == NULL || strcmp(budget->tenant, job->tenant_id) == 0;
}

/* All budgets that the job falls under cover it, or none is touched. */
static bool
take(const Job *job, const BudgetTerms *terms, int64 bound, Budget *budgets, int budget_count, Arrays *rows)
{
	Datum		amount = DirectFunctionCall2(numeric_add, times(terms->input_price, bound),
											 times(terms->output_price, terms->max_output_tokens));

	for (int i = 0; i < budget_count; i++)
		if (falls_under(job, &budgets[i]) && is_less(budgets[i].left, amount))
			return false;
	for (int i = 0; i < budget_count; i++)
	{
		if (!falls_under(job, &budgets[i]))
			continue;
		budgets[i].left = DirectFunctionCall2(numeric_sub, budgets[i].left, amount);
		put(rows, 0, TEXTOID, CStringGetTextDatum(job->tenant_id), false);
		put(rows, 1, INT8OID, Int64GetDatum(job->id), false);
		put(rows, 2, INT4OID, Int32GetDatum(job->fence), false);
		put(rows, 3, INT8OID, Int64GetDatum(budgets[i].id), false);
		put(rows, 4, TIMESTAMPTZOID, TimestampTzGetDatum(budgets[i].period_start), false);
		put(rows, 5, NUMERICOID, amount, false);
		put(rows, 6, INT8OID, Int64GetDatum(job->ticket_id), job->ticket_id == 0);
		put(rows, 7, INT8OID, Int64GetDatum(job->session_id), job->session_id == 0);
		put(rows, 8, TEXTOID, CStringGetTextDatum(kind_name(job->kind)), false);
		put(rows, 9, INT8OID, Int64GetDatum(job->cluster_id), job->cluster_id == 0);
		put(rows, 10, INT8OID, Int64GetDatum(bound), false);
		put(rows, 11, INT4OID, Int32GetDatum(terms->max_output_tokens), false);
	}
	return true;
}

static void
write_reservations(Arrays *rows, const ClaimRequest *request)
{
	static SPIPlanPtr plan;
	Datum		values[15];

	if (rows->count == 0)
		return;
	spi_prepare(&plan,
				"WITH reserved AS (INSERT INTO triage.budget_reservations "
				"(tenant, job, fence, budget, period_start, amount, ticket, session, kind, cluster, input_tokens, output_tokens, "
				"provider, reserved_at, expires_at) "
				"SELECT u.tenant, u.job, u.fence, u.budget, u.period_start, u.amount, u.ticket, u.session, "
				"u.kind::triage.job_kind, u.cluster, u.input_tokens, u.output_tokens, $13, $14, $15 "
				"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
				"AS u(tenant, job, fence, budget, period_start, amount, ticket, session, kind, cluster, input_tokens, output_tokens) "
				"RETURNING budget, period_start, amount) "
				"INSERT INTO triage.budget_usage AS t (budget, period_start, reserved) "
				"SELECT r.budget, r.period_start, sum(r.amount) FROM reserved r GROUP BY 1, 2 ORDER BY 1, 2 "
				"ON CONFLICT ON CONSTRAINT budget_usage_pkey DO UPDATE SET reserved = t.reserved + excluded.reserved",
				15, TEXTARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, NUMERICARRAYOID,
				INT8ARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT4ARRAYOID, TEXTOID, TIMESTAMPTZOID,
				TIMESTAMPTZOID);
	make_arrays(rows, values);
	values[12] = CStringGetTextDatum(request->provider);
	values[13] = TimestampTzGetDatum(request->now);
	values[14] = TimestampTzGetDatum(request->lease_until);
	spi_execute(plan, values, NULL, 0);
	/* were it lost in a crash, its call might be billed all the same */
	if (synchronous_commit == SYNCHRONOUS_COMMIT_OFF)
		(void) set_config_option("synchronous_commit", "on", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	queue_commit_synchronously();
}

int
budget_reserve(BudgetTerms *terms, const ClaimRequest *request, Job **jobs, int count)
{
	Arrays		rows = {0};
	Datum		tenants;
	Budget	   *budgets;
	int			budget_count;
	int64	   *bounds = palloc((count + 1) * sizeof(int64));
	Job		  **denied = palloc((count + 1) * sizeof(Job *));
	int			kept = 0;

	terms->denied = 0;
	if (count == 0)
		return 0;
	tenants = tenants_of(jobs, count);
	read_sizes(jobs, count, tenants, bounds);
	read_prompt_sizes(jobs, count, bounds);
	if (terms->bounded)
	{
		budgets = lock_budgets(terms, tenants, request->now, &budget_count);
		follow_prices(terms, request);
	}
	else
	{
		/* only tenants without a budget are claimed for */
		budgets = NULL;
		budget_count = 0;
	}
	for (int i = 0; i < count; i++)
	{
		/* without a ticket there will be no call */
		if (budget_count == 0 || bounds[i] < 0 ||
			take(jobs[i], terms, bounds[i], budgets, budget_count, &rows))
			jobs[kept++] = jobs[i];
		else
			denied[terms->denied++] = jobs[i];
	}
	if (kept == 0 && terms->denied > 0 && !terms->reserved)
		strlcpy(terms->why, "what is left of the budget covers none of the jobs that are due", sizeof(terms->why));
	memcpy(jobs + kept, denied, terms->denied * sizeof(Job *));
	write_reservations(&rows, request);
	if (terms->denied > 0)
	{
		terms->denied_tenants = tenants_of(denied, terms->denied);
		queue_unclaim(denied, terms->denied);
	}
	return kept;
}

static Fate
fate_of(const Job *job, const RunCost *cost)
{
	if (!job->called)
		return FATE_RELEASED;
	if (cost->known)
		return FATE_SPENT;
	return price_may_be_billed(job->outcome, job->http_status, job->decision.attempt_spent) ? FATE_UNSETTLED : FATE_RELEASED;
}

bool
budget_is_settled_by(const Job *job, const RunCost *cost)
{
	return fate_of(job, cost) != FATE_UNSETTLED;
}

/* What replies named that is to be remembered: $1 ... $3 say who named which model, asked for which, $4 is now. */
#define NEW_MODELS \
"SELECT DISTINCT u.provider, u.asked, u.model FROM unnest($1, $2, $3) AS u(provider, asked, model) " \
"WHERE NOT EXISTS (SELECT FROM triage.provider_models m " \
"WHERE m.provider = u.provider AND m.asked_model = u.asked AND m.model = u.model) " \
"AND ((SELECT count(*) FROM triage.provider_models m WHERE m.provider = u.provider AND m.asked_model = u.asked) < " MODELS_KEPT " " \
"OR EXISTS (SELECT FROM triage.provider_terms(u.provider, $4) t, triage.price_of(u.model, u.provider, $4) c " \
"WHERE c.currency = t.currency AND (greatest(c.input, c.cached_input, c.cache_write) * 0.000001 > t.input_price " \
"OR c.output * 0.000001 > t.output_price)))"

/*
 * Remembers the models that these runs name.  False: all of them are known.  Otherwise *providers are those whose calls
 * may cost more than was thought, and the budgets are locked: no claim has read the old prices and not yet reserved.
 */
static bool
learn_models(Job **jobs, int count, TimestampTz now, Datum *providers)
{
	static SPIPlanPtr look_plan;
	static SPIPlanPtr lock_plan;
	static SPIPlanPtr add_plan;
	Arrays		named = {0};
	Datum		values[4];

	for (int i = 0; i < count; i++)
	{
		const Job  *job = jobs[i];

		if (job->stored == STORE_LOCKED || !job->called || job->free || job->provider[0] == '\0' ||
			job->asked_model[0] == '\0' || job->model[0] == '\0' || strcmp(job->model, job->asked_model) == 0)
			continue;
		put(&named, 0, TEXTOID, spi_text(job->provider), false);
		put(&named, 1, TEXTOID, spi_text(job->asked_model), false);
		put(&named, 2, TEXTOID, spi_text(job->model), false);
	}
	if (named.count == 0)
		return false;
	make_arrays(&named, values);
	values[3] = TimestampTzGetDatum(now);
	spi_prepare(&look_plan, NEW_MODELS " LIMIT 1", 4, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID);
	if (spi_execute(look_plan, values, NULL, 1) == 0)
		return false;
	spi_prepare(&lock_plan, "SELECT FROM triage.budgets b ORDER BY b.id FOR NO KEY UPDATE", 0);
	spi_execute(lock_plan, NULL, NULL, 0);
	spi_prepare(&add_plan, "INSERT INTO triage.provider_models (provider, asked_model, model) " NEW_MODELS " ON CONFLICT DO NOTHING",
				4, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID);
	spi_execute(add_plan, values, NULL, 0);
	*providers = values[0];
	return true;
}

/*
 * kept and gone part the reservations between them; what was spent without one (the claim is older than the budget, or
 * was written off) counts in the present period.  A cost in another currency settles nothing.
 */
#define SETTLES "(u.fate = 0 OR (u.fate = 1 AND (u.cost = 0 OR u.currency = b.currency)))"
#define MATCHES "r.job = u.job AND r.fence = u.fence AND r.tenant = u.tenant AND b.id = r.budget"
#define SETTLE(raise, raised) \
"WITH u AS MATERIALIZED (SELECT * FROM unnest($1, $2, $3, $4, $5, $6) AS x(tenant, job, fence, fate, cost, currency)), " \
raise \
"kept AS (UPDATE triage.budget_reservations r SET unsettled_since = $7 FROM u, triage.budgets b " \
"WHERE " MATCHES " AND r.unsettled_since IS NULL AND NOT " SETTLES " RETURNING r.budget, r.period_start, r.amount), " \
"gone AS (DELETE FROM triage.budget_reservations r USING u, triage.budgets b " \
"WHERE " MATCHES " AND " SETTLES " RETURNING r.budget, r.period_start, r.unsettled_since IS NOT NULL AS late, r.amount, u.cost, " \
"greatest(u.cost - (r.amount - r.raised), 0) AS excess), " \
"change AS (SELECT k.budget, k.period_start, -k.amount AS reserved, 0 AS spent, k.amount AS unsettled, 0 AS excess FROM kept k " \
"UNION ALL SELECT g.budget, g.period_start, CASE WHEN g.late THEN 0 ELSE -g.amount END, coalesce(g.cost, 0), " \
"CASE WHEN g.late THEN -g.amount ELSE 0 END, g.excess FROM gone g " raised \
"UNION ALL SELECT b.id, date_trunc(b.period::text, $7, 'UTC'), 0, u.cost, 0, u.cost FROM u JOIN triage.budgets b " \
"ON (b.tenant IS NULL OR b.tenant = u.tenant) AND b.currency = u.currency WHERE u.fate = 1 AND u.cost > 0 " \
"AND NOT EXISTS (SELECT FROM triage.budget_reservations r WHERE " MATCHES ")) " \
"INSERT INTO triage.budget_usage AS t (budget, period_start, reserved, spent, unsettled, excess, excess_at) " \
"SELECT c.budget, c.period_start, sum(c.reserved), sum(c.spent), sum(c.unsettled), sum(c.excess), " \
"CASE WHEN sum(c.excess) > 0 THEN $7 END FROM change c GROUP BY 1, 2 ORDER BY 1, 2 " \
"ON CONFLICT ON CONSTRAINT budget_usage_pkey DO UPDATE SET reserved = t.reserved + excluded.reserved, " \
"spent = t.spent + excluded.spent, unsettled = t.unsettled + excluded.unsettled, excess = t.excess + excluded.excess, " \
"excess_at = coalesce(excluded.excess_at, t.excess_at)"

static const char *const settle_statement = SETTLE("", "");

/* Also raises, to the dearest price known by now, what is reserved for the calls of $8 that are under way. */
#define MORE "d.input_price * r.input_tokens + d.output_price * r.output_tokens - r.amount"
static const char *const settle_and_raise_statement = SETTLE(
"dear AS MATERIALIZED (SELECT n.name, t.currency, t.input_price, t.output_price FROM (SELECT DISTINCT unnest($8)) AS n(name) "
"CROSS JOIN LATERAL triage.provider_terms(n.name, $7) AS t), "
/* what somebody else holds is just being settled */
"held AS MATERIALIZED (SELECT r.tenant, r.job, r.fence, r.budget, " MORE " AS more FROM triage.budget_reservations r "
"JOIN dear d ON d.name = r.provider JOIN triage.budgets b ON b.id = r.budget AND b.currency = d.currency "
"WHERE r.unsettled_since IS NULL AND " MORE " > 0 "
"AND NOT EXISTS (SELECT FROM u WHERE r.job = u.job AND r.fence = u.fence AND r.tenant = u.tenant) "
"FOR NO KEY UPDATE OF r SKIP LOCKED), "
"raised AS (UPDATE triage.budget_reservations r SET amount = r.amount + h.more, raised = r.raised + h.more FROM held h "
"WHERE r.tenant = h.tenant AND r.job = h.job AND r.fence = h.fence AND r.budget = h.budget "
"RETURNING r.budget, r.period_start, h.more), ",
"UNION ALL SELECT d.budget, d.period_start, d.more, 0, 0, 0 FROM raised d ");

static void
add_settled(Arrays *rows, const Job *job, const RunCost *cost)
{
	Fate		fate = fate_of(job, cost);

	put(rows, 0, TEXTOID, CStringGetTextDatum(job->tenant_id), false);
	put(rows, 1, INT8OID, Int64GetDatum(job->id), false);
	put(rows, 2, INT4OID, Int32GetDatum(job->fence), false);
	put(rows, 3, INT4OID, Int32GetDatum(fate), false);
	put(rows, 4, NUMERICOID, cost->cost, fate != FATE_SPENT);
	put(rows, 5, TEXTOID, cost->currency, cost->currency == (Datum) 0);
}

void
budget_settle(Job **jobs, int count, const RunCost *costs)
{
	static SPIPlanPtr plan;
	static SPIPlanPtr raise_plan;
	TimestampTz now = GetCurrentTimestamp();
	Arrays		rows = {0};
	Datum		values[8];

	if (!budgets_exist())
		return;
	for (int i = 0; i < count; i++)
		if (jobs[i]->stored != STORE_LOCKED)
			add_settled(&rows, jobs[i], &costs[i]);
	if (rows.count == 0)
		return;
	make_arrays(&rows, values);
	values[6] = TimestampTzGetDatum(now);
	if (learn_models(jobs, count, now, &values[7]))
	{
		spi_prepare(&raise_plan, settle_and_raise_statement, 8, TEXTARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID,
					NUMERICARRAYOID, TEXTARRAYOID, TIMESTAMPTZOID, TEXTARRAYOID);
		spi_execute(raise_plan, values, NULL, 0);
		return;
	}
	spi_prepare(&plan, settle_statement, 7, TEXTARRAYOID, INT8ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, NUMERICARRAYOID,
				TEXTARRAYOID, TIMESTAMPTZOID);
	spi_execute(plan, values, NULL, 0);
}

bool
budget_find_claim(Job *job, int64 id, int fence)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {Int64GetDatum(id), Int32GetDatum(fence)};
	Datum		value;
	bool		null;

	if (!prices_table_has_pages("budget_reservations"))
		return false;
	spi_prepare(&plan,
				"SELECT r.tenant, r.ticket, r.provider, r.reserved_at, r.session, r.kind::text, "
				"(SELECT p.model FROM triage.providers p WHERE p.name = r.provider), r.cluster FROM triage.budget_reservations r "
				"WHERE r.job = $1 AND r.fence = $2 ORDER BY r.tenant LIMIT 1",
				2, INT8OID, INT4OID);
	if (spi_execute(plan, values, NULL, 1) == 0)
		return false;
	job_reset(job);
	job->id = id;
	job->fence = fence;
	job->tenant_id = spi_strdup(TextDatumGetCString(spi_value(0, 1, &null)));
	job_set_subject(job, 0, 2, 5, 8);
	job_set_kind(job, TextDatumGetCString(spi_value(0, 6, &null)));
	value = spi_value(0, 7, &null);
	if (!null)
		job_set_text(job->asked_model, sizeof(job->asked_model), TextDatumGetCString(value));
	job_set_text(job->provider, sizeof(job->provider), TextDatumGetCString(spi_value(0, 3, &null)));
	job->started_at = DatumGetTimestampTz(spi_value(0, 4, &null));
	job->called = true;
	return true;
}

/* In the order in which a statement that settles takes them; whatever is settled is reserved in one of these rows. */
void
budget_lock_reserved(void)
{
	static SPIPlanPtr plan;

	if (!prices_table_has_pages("budget_reservations"))
		return;
	spi_prepare(&plan,
				"SELECT FROM triage.budget_usage u WHERE u.reserved > 0 ORDER BY u.budget, u.period_start FOR NO KEY UPDATE", 0);
	spi_execute(plan, NULL, NULL, 0);
}

void
budget_sweep(TimestampTz now)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {TimestampTzGetDatum(now), TimestampTzGetDatum(now - SWEEP_AFTER_MS * INT64CONST(1000))};

	if (!prices_table_has_pages("budget_reservations"))
		return;
	spi_prepare(&plan,
				"WITH due AS (SELECT r.tenant, r.job, r.fence, r.budget FROM triage.budget_reservations r "
				"WHERE r.unsettled_since IS NULL AND r.expires_at <= $2 AND NOT EXISTS (SELECT FROM triage.ai_jobs j "
				"WHERE j.tenant_id = r.tenant AND j.id = r.job AND j.fence = r.fence AND j.lease_until > $1) "
				"ORDER BY r.expires_at LIMIT 1000 FOR UPDATE SKIP LOCKED), "
				"moved AS (UPDATE triage.budget_reservations r SET unsettled_since = $1 FROM due d "
				"WHERE r.tenant = d.tenant AND r.job = d.job AND r.fence = d.fence AND r.budget = d.budget "
				"RETURNING r.budget, r.period_start, r.amount) "
				"INSERT INTO triage.budget_usage AS t (budget, period_start, reserved, unsettled) "
				"SELECT m.budget, m.period_start, -sum(m.amount), sum(m.amount) FROM moved m GROUP BY 1, 2 ORDER BY 1, 2 "
				"ON CONFLICT ON CONSTRAINT budget_usage_pkey DO UPDATE SET reserved = t.reserved + excluded.reserved, "
				"unsettled = t.unsettled + excluded.unsettled",
				2, TIMESTAMPTZOID, TIMESTAMPTZOID);
	spi_execute(plan, values, NULL, 0);
}
