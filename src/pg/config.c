/*
 * config.c
 *	  Reads what the worker is told by tables: providers, and each tenant's prompt and categories.
 *
 * Read anew with every claim instead of cached: three index look-ups a batch cost less than being wrong, and a new
 * category counts from the next claim on.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "core/labels.h"
#include "pg/config.h"
#include "pg/home.h"
#include "pg/spi_util.h"
#include "pg/tables.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static void
copy_text(char *to, size_t size, uint64 row, int column)
{
	bool		null;
	Datum		value = spi_value(row, column, &null);

	job_set_text(to, size, null ? "" : TextDatumGetCString(value));
}

static void
read_provider(Provider *provider, uint64 row)
{
	char		api[16];
	bool		null;

	copy_text(provider->name, sizeof(provider->name), row, 1);
	provider->updated_at = DatumGetTimestampTz(spi_value(row, 2, &null));
	copy_text(api, sizeof(api), row, 3);
	provider->api = strcmp(api, "builtin") == 0 ? API_BUILTIN : API_OPENAI;
	copy_text(provider->base_url, sizeof(provider->base_url), row, 4);
	copy_text(provider->model, sizeof(provider->model), row, 5);
	copy_text(provider->secret, sizeof(provider->secret), row, 6);
	provider->max_in_flight = spi_int4(row, 7);
	provider->timeout_ms = spi_int4(row, 8);
	provider->requests_per_minute = spi_int4(row, 9);
	provider->tokens_per_minute = spi_int4(row, 10);
	provider->paused = DatumGetBool(spi_value(row, 11, &null));
	copy_text(provider->pause_reason, sizeof(provider->pause_reason), row, 12);
	provider->max_output_tokens = spi_int4(row, 14);
	copy_text(provider->max_tokens_field, sizeof(provider->max_tokens_field), row, 15);
}

/* Of the rows of the current result, in order of rank, those that stand in for each other. */
static int
count_in_chain(uint64 rows)
{
	bool		null;

	(void) spi_value(0, 1, &null);
	if (null)
		return 0;				/* the row of nulls of an outer join */
	if (spi_int4(0, 13) >= RANK_RESERVE)
		return (int) rows;
	for (uint64 row = 1; row < rows; row++)
		if (spi_int4(row, 13) >= RANK_RESERVE)
			return (int) row;
	return (int) rows;
}

static bool
is_known(const ProviderVersion *known, uint64 row)
{
	bool		null;

	return DatumGetTimestampTz(spi_value(row, 2, &null)) == known->updated_at &&
		strcmp(TextDatumGetCString(spi_value(row, 1, &null)), known->name) == 0;
}

Provider *
config_providers(const ProviderVersion *known, int *count, bool *stopped)
{
	static SPIPlanPtr plan;
	Provider   *providers;
	uint64		rows;
	int			found;
	int			same = 0;
	bool		null;

	spi_prepare(&plan,
				"SELECT p.name, p.updated_at, p.api::text, p.base_url, p.model, p.secret, p.max_in_flight, p.timeout_ms, "
				"p.requests_per_minute, p.tokens_per_minute, p.paused_at IS NOT NULL, p.pause_reason, p.rank, "
				"p.max_output_tokens, p.max_tokens_field, EXISTS (SELECT FROM triage.worker_control c WHERE c.stopped_at IS NOT NULL) "
				"FROM (VALUES (1)) AS one LEFT JOIN triage.providers p ON p.enabled "
				"ORDER BY p.rank, p.name LIMIT " CppAsString2(MAX_PROVIDERS), 0);
	rows = spi_execute(plan, NULL, NULL, 0);
	*stopped = DatumGetBool(spi_value(0, 16, &null));
	found = count_in_chain(rows);
	while (same < found && same < *count && is_known(&known[same], same))
		same++;
	if (same == found && same == *count)
		return NULL;
	*count = found;
	providers = palloc0((found + 1) * sizeof(Provider));
	for (int i = 0; i < found; i++)
		read_provider(&providers[i], i);
	return providers;
}

/* Allocated before the tables are read, so that an error in between leaves it with the job, which frees it. */
static void
new_vocabulary(Job *job)
{
	Vocabulary *vocabulary = calloc(1, sizeof(Vocabulary));

	if (vocabulary == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	vocabulary->references = 1;
	vocabulary->kind = job->kind;
	job->vocabulary = vocabulary;
}

static void
read_prompt(Vocabulary *vocabulary, Datum tenant_id)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {tenant_id, CStringGetTextDatum(kind_name(vocabulary->kind))};
	bool		null;

	spi_prepare(&plan,
				"SELECT p.version, p.system_text FROM triage.prompts p "
				"WHERE p.tenant_id = $1 AND p.kind = $2::triage.job_kind AND p.is_active ORDER BY p.version DESC LIMIT 1",
				2, TEXTOID, TEXTOID);
	if (spi_execute(plan, values, NULL, 1) == 0)
		return;
	vocabulary->prompt_version = spi_int4(0, 1);
	vocabulary->system_text = spi_strdup(spi_utf8(spi_value(0, 2, &null), NULL));
}

static void
read_categories(Vocabulary *vocabulary, Datum tenant_id)
{
	static SPIPlanPtr plan;
	uint64		rows;
	bool		null;

	spi_prepare(&plan,
				"SELECT c.category, c.description FROM triage.ticket_categories c "
				"WHERE c.tenant_id = $1 AND c.is_active ORDER BY c.category",
				1, TEXTOID);
	rows = spi_execute(plan, &tenant_id, NULL, 0);
	if (rows == 0)
		return;
	vocabulary->categories = calloc(rows, sizeof(Category));
	if (vocabulary->categories == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	for (uint64 row = 0; row < rows; row++)
	{
		vocabulary->categories[row].name = spi_strdup(spi_utf8(spi_value(row, 1, &null), NULL));
		vocabulary->category_count = (int) row + 1;
		vocabulary->categories[row].description = spi_strdup(spi_utf8(spi_value(row, 2, &null), NULL));
	}
}

void
config_vocabularies(Job **jobs, int count)
{
	for (int i = 0; i < count; i++)
	{
		Datum		tenant_id;

		for (int k = 0; k < i && jobs[i]->vocabulary == NULL; k++)
			if (jobs[k]->kind == jobs[i]->kind && strcmp(jobs[k]->tenant_id, jobs[i]->tenant_id) == 0)
			{
				jobs[i]->vocabulary = jobs[k]->vocabulary;
				jobs[i]->vocabulary->references++;
			}
		if (jobs[i]->vocabulary)
			continue;
		new_vocabulary(jobs[i]);
		tenant_id = CStringGetTextDatum(jobs[i]->tenant_id);
		read_prompt(jobs[i]->vocabulary, tenant_id);
		if (jobs[i]->kind == KIND_TRIAGE)
			read_categories(jobs[i]->vocabulary, tenant_id);
	}
}

bool
config_schema_fits(const char **why, const char **hint)
{
	static SPIPlanPtr plan;
	bool		null;
	int			version;

	*why = "triage tables are not installed";
	*hint = "Run SELECT triage.install().";
	if (!OidIsValid(tables_find("schema_version")))
		return false;
	spi_prepare(&plan, "SELECT max(v.version) FROM triage.schema_version v", 0);
	spi_execute(plan, NULL, NULL, 1);
	version = DatumGetInt32(spi_value(0, 1, &null));
	if (null)
		return false;
	*why = NULL;
	if (version < SCHEMA_VERSION)
	{
		*why = "triage tables are older than the library";
		*hint = "Run ALTER EXTENSION triage UPDATE; if the tables come from an older dump, then SELECT triage.install().";
	}
	else if (version > SCHEMA_VERSION)
	{
		*why = "triage tables are newer than the library";
		*hint = "Restart the server, or reconnect if the library is not preloaded, to have the library of the installed version loaded.";
	}
	return *why == NULL;
}

void
config_connect(void)
{
	const char *why;
	const char *hint;

	spi_connect();
	if (!config_schema_fits(&why, &hint))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s", why),
				 errhint("%s", hint)));
}

/* Once in a session: a database whose tickets wait for adopt() must not keep quiet about it. */
static bool
is_away(void)
{
	static bool told = false;
	HomeState	home = home_state();
	const char *why = home_refusal(home);

	if (why && !told)
		ereport(LOG,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no triage worker is started in this database: %s", why),
				 errhint("%s", home_hint(home)),
				 errhidestmt(true)));
	told = why != NULL;
	return why != NULL;
}

/* Called at PRE_COMMIT too, as whoever commits: so as the table's owner, and only if the table is there. */
bool
config_worker_stopped(void)
{
	static SPIPlanPtr plan;
	Oid			owner = tables_owner(tables_find("worker_control"));
	Identity	caller;
	bool		stopped;

	if (!OidIsValid(owner))
		return true;
	caller = tables_become(owner);
	spi_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	spi_prepare(&plan, "SELECT FROM triage.worker_control c WHERE c.stopped_at IS NOT NULL", 0);
	stopped = spi_execute(plan, NULL, NULL, 1) > 0 || is_away();
	PopActiveSnapshot();
	SPI_finish();
	tables_give_back(caller);
	return stopped;
}
