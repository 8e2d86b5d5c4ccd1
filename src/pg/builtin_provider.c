/*
 * builtin_provider.c
 *	  The provider "builtin": answers in process, from text search and a lexicon.
 *
 * The server's text search scores the categories (triage.score_categories), core/builtin.c does the rest.  Its runs
 * are runs like any other's, and cost nothing.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/builtin.h"
#include "core/builtin_talk.h"
#include "pg/builtin_provider.h"
#include "pg/spi_util.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define BUILTIN_MODEL "builtin-1"

static int
category_index(const Vocabulary *vocabulary, const char *name)
{
	for (int i = 0; i < vocabulary->category_count; i++)
		if (strcmp(vocabulary->categories[i].name, name) == 0)
			return i;
	return -1;
}

static void
read_scores(Job **jobs, BuiltinScores *scores, int count)
{
	static SPIPlanPtr plan;
	Datum	   *tenants = palloc(count * sizeof(Datum));
	int64	   *ids = palloc(count * sizeof(int64));
	Datum		values[2];
	uint64		rows;

	spi_prepare(&plan,
				"SELECT s.ticket_id, s.category, s.best::float8, s.second::float8, s.tenant_id "
				"FROM triage.score_categories($1, $2) s",
				2, TEXTARRAYOID, INT8ARRAYOID);
	for (int i = 0; i < count; i++)
	{
		tenants[i] = CStringGetTextDatum(jobs[i]->tenant_id);
		ids[i] = jobs[i]->ticket_id;
		scores[i] = (BuiltinScores) {0};
	}
	values[0] = PointerGetDatum(construct_array(tenants, count, TEXTOID, -1, false, TYPALIGN_INT));
	values[1] = spi_int8_array(ids, count);
	rows = spi_execute(plan, values, NULL, 0);
	for (uint64 row = 0; row < rows; row++)
	{
		bool		null;
		int64		id = spi_int8(row, 1);
		char	   *name = TextDatumGetCString(spi_value(row, 2, &null));
		char	   *tenant_id = TextDatumGetCString(spi_value(row, 5, &null));

		for (int i = 0; i < count; i++)
		{
			int			category;

			if (jobs[i]->ticket_id != id || strcmp(jobs[i]->tenant_id, tenant_id) != 0)
				continue;
			category = category_index(jobs[i]->vocabulary, name);
			if (category < 0)
				continue;
			scores[i].category = category;
			scores[i].best = DatumGetFloat8(spi_value(row, 3, &null));
			scores[i].second = DatumGetFloat8(spi_value(row, 4, &null));
		}
	}
}

static void
set_answered(Job *job, int latency_ms)
{
	job->outcome = OUTCOME_SUCCEEDED;
	job->decision = (RetryDecision) {.action = RETRY_DONE, .attempt_spent = true};
	job->called = true;
	job->free = true;
	job->latency_ms = latency_ms;
	strlcpy(job->model, BUILTIN_MODEL, sizeof(job->model));
	job->state = JOB_ANSWERED;
}

void
builtin_provider_converse(Job *job, const Conversation *conversation)
{
	Offer		offer = job_offer(job);
	instr_time	start,
				end;

	INSTR_TIME_SET_CURRENT(start);
	if (!builtin_converse(job->kind, conversation, &offer, &job->verdict))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	set_answered(job, (int) (INSTR_TIME_GET_MILLISEC(end) + 0.5));
}

void
builtin_provider_answer(Job **jobs, const TicketInput *inputs, int count)
{
	BuiltinScores *scores = palloc(count * sizeof(BuiltinScores) + 1);
	instr_time	start,
				end;
	int			per_job_ms;

	if (count == 0)
		return;
	INSTR_TIME_SET_CURRENT(start);
	read_scores(jobs, scores, count);
	for (int i = 0; i < count; i++)
		if (!builtin_answer(&inputs[i], jobs[i]->vocabulary->categories, &scores[i], &jobs[i]->verdict))
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	per_job_ms = (int) (INSTR_TIME_GET_MILLISEC(end) / count + 0.5);
	for (int i = 0; i < count; i++)
		set_answered(jobs[i], per_job_ms);
}
