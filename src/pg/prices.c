/*
 * prices.c
 *	  What calls cost: tokens times the row of model_prices that price_of() chooses.
 *
 * The arithmetic is numeric's, in SQL: money is never a float.  The sum is scaled by a multiplication, since a numeric
 * division rounds.  While there are no prices, nothing is executed.
 *
 * The table is the administrator's word: what a reply says it cost counts only where the table gives no cost.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "pg/prices.h"
#include "pg/spi_util.h"
#include "pg/tables.h"
#include "storage/bufmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"

enum
{
	ASK_ROW, ASK_MODEL, ASK_ASKED, ASK_PROVIDER, ASK_STARTED, ASK_INPUT, ASK_CACHED, ASK_WRITTEN, ASK_OUTPUT, ASK_COUNT
};

static const Oid ask_types[ASK_COUNT] = {
	INT4OID, TEXTOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, INT4OID, INT4OID, INT4OID, INT4OID
};

bool
prices_table_has_pages(const char *table)
{
	Oid			id = tables_find(table);
	Relation	relation;
	bool		pages;

	if (!OidIsValid(id))
		return false;
	relation = relation_open(id, AccessShareLock);
	pages = RelationGetNumberOfBlocks(relation) > 0;
	relation_close(relation, AccessShareLock);
	return pages;
}

static void
ask(ArrayBuildState **columns, int column, Datum value, bool null)
{
	columns[column] = accumArrayResult(columns[column], value, null, ask_types[column], CurrentMemoryContext);
}

static void
ask_for_job(ArrayBuildState **columns, int row, const Job *job)
{
	const Usage *usage = &job->usage;

	ask(columns, ASK_ROW, Int32GetDatum(row), false);
	ask(columns, ASK_MODEL, spi_text(job->model), false);
	ask(columns, ASK_ASKED, spi_text(job->asked_model), job->asked_model[0] == '\0');
	ask(columns, ASK_PROVIDER, spi_text(job->provider), false);
	ask(columns, ASK_STARTED, TimestampTzGetDatum(job->started_at), false);
	ask(columns, ASK_INPUT, Int32GetDatum(usage->input_tokens), usage->input_tokens < 0);
	ask(columns, ASK_CACHED, Int32GetDatum(Max(usage->cached_tokens, 0)), false);
	ask(columns, ASK_WRITTEN, Int32GetDatum(Max(usage->cache_write_tokens, 0)), false);
	ask(columns, ASK_OUTPUT, Int32GetDatum(usage->output_tokens), usage->output_tokens < 0);
}

/* int8, for the difference of two int4 may be none */
static const char *const cost_statement =
"SELECT u.n, CASE WHEN greatest(p.input, p.cached_input, p.cache_write, p.output) = 0 THEN 0 ELSE trim_scale(0.000001 * "
"(greatest(u.input::int8 - u.cached - u.written, 0) * p.input + u.cached * p.cached_input + u.written * p.cache_write "
"+ u.output * p.output)) END, p.currency, jsonb_build_object('model', p.model_pattern, 'provider', p.for_provider, "
"'valid_from', p.valid_from, 'input', p.input, 'cached_input', p.cached_input, 'cache_write', p.cache_write, "
"'output', p.output, 'currency', p.currency)::text "
"FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9) "
"AS u(n, model, asked, provider, started_at, input, cached, written, output) "
"CROSS JOIN LATERAL triage.price_of(u.model, u.provider, u.started_at, u.asked) AS p";

static void
take_costs(RunCost *costs, uint64 rows)
{
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		RunCost    *cost = &costs[spi_int4(row, 1)];

		cost->cost = spi_value(row, 2, &null);
		cost->known = !null;
		cost->currency = spi_value(row, 3, &null);
		cost->price = spi_value(row, 4, &null);
		cost->priced = true;
	}
}

/* OpenRouter's usage.cost is in its credits, and one is a dollar. */
static void
take_charges(RunCost *costs, Job **jobs, int count)
{
	for (int i = 0; i < count; i++)
		if (jobs[i]->called && !costs[i].known && jobs[i]->charged[0] != '\0')
			costs[i] = (RunCost) {
				.known = true,
				.cost = DirectFunctionCall3(numeric_in, CStringGetDatum(jobs[i]->charged), ObjectIdGetDatum(InvalidOid),
											Int32GetDatum(-1)),
				.currency = CStringGetTextDatum("USD")
			};
}

static void
price_jobs(RunCost *costs, ArrayBuildState **columns)
{
	static SPIPlanPtr plan;
	Datum		values[ASK_COUNT];

	for (int i = 0; i < ASK_COUNT; i++)
		values[i] = makeArrayResult(columns[i], CurrentMemoryContext);
	spi_prepare(&plan, cost_statement, ASK_COUNT, INT4ARRAYOID, TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID,
				TIMESTAMPTZARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID);
	take_costs(costs, spi_execute(plan, values, NULL, 0));
}

RunCost *
prices_cost(Job **jobs, int count)
{
	RunCost    *costs = palloc0((count + 1) * sizeof(RunCost));
	ArrayBuildState *columns[ASK_COUNT] = {0};
	bool		any = false;
	bool		look = prices_table_has_pages("model_prices");

	for (int i = 0; i < count; i++)
	{
		if (jobs[i]->free)
			costs[i] = (RunCost) {.known = true, .cost = NumericGetDatum(int64_to_numeric(0))};
		else if (look && jobs[i]->called && jobs[i]->stored != STORE_LOCKED)
		{
			ask_for_job(columns, i, jobs[i]);
			any = true;
		}
	}
	if (any)
		price_jobs(costs, columns);
	take_charges(costs, jobs, count);
	return costs;
}
