/*
 * config.c
 *	  Reads what the worker is told by tables: providers, and each tenant's prompt and categories.
 *
 * Read anew with every claim instead of cached: three index look-ups a batch cost less than being wrong, and a new
 * category counts from the next claim on.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/config.h"
#include "pg/spi_util.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

static void
copy_text(char *to, size_t size, uint64 row, int column)
{
	bool		null;
	Datum		value = spi_value(row, column, &null);

	job_set_text(to, size, null ? "" : TextDatumGetCString(value));
}

bool
config_provider(Provider *provider, bool *stopped)
{
	static SPIPlanPtr plan;
	char		api[16];
	bool		null;
	Datum		value;

	spi_prepare(&plan,
				"SELECT p.name, p.api::text, p.base_url, p.model, p.secret, p.max_in_flight, p.timeout_ms, p.updated_at, "
				"EXISTS (SELECT FROM triage.worker_control c WHERE c.stopped_at IS NOT NULL), "
				"p.max_output_tokens, p.max_tokens_field "
				"FROM (VALUES (1)) AS one LEFT JOIN triage.providers p ON p.enabled "
				"ORDER BY p.rank, p.name LIMIT 1", 0);
	memset(provider, 0, sizeof(*provider));
	spi_execute(plan, NULL, NULL, 1);
	*stopped = DatumGetBool(spi_value(0, 9, &null));
	(void) spi_value(0, 1, &null);
	if (null)
		return false;
	copy_text(provider->name, sizeof(provider->name), 0, 1);
	copy_text(api, sizeof(api), 0, 2);
	provider->api = strcmp(api, "builtin") == 0 ? API_BUILTIN : API_OPENAI;
	copy_text(provider->base_url, sizeof(provider->base_url), 0, 3);
	copy_text(provider->model, sizeof(provider->model), 0, 4);
	copy_text(provider->secret, sizeof(provider->secret), 0, 5);
	value = spi_value(0, 6, &null);
	provider->max_in_flight = null ? 0 : DatumGetInt32(value);
	provider->timeout_ms = DatumGetInt32(spi_value(0, 7, &null));
	provider->updated_at = DatumGetTimestampTz(spi_value(0, 8, &null));
	value = spi_value(0, 10, &null);
	provider->max_output_tokens = null ? 0 : DatumGetInt32(value);
	copy_text(provider->max_tokens_field, sizeof(provider->max_tokens_field), 0, 11);
	return true;
}

bool
config_last_resort(const char *after, char *name, size_t size)
{
	static SPIPlanPtr plan;
	Datum		value = CStringGetTextDatum(after);

	spi_prepare(&plan,
				"SELECT b.name FROM triage.providers b JOIN triage.providers p ON p.name = $1 "
				"WHERE b.api = 'builtin' AND b.enabled AND (b.rank, b.name) > (p.rank, p.name) ORDER BY b.rank, b.name LIMIT 1",
				1, TEXTOID);
	if (spi_execute(plan, &value, NULL, 1) == 0)
		return false;
	copy_text(name, size, 0, 1);
	return true;
}

static char *
utf8_copy(Datum value)
{
	char	   *server = TextDatumGetCString(value);
	char	   *copy = strdup(pg_server_to_any(server, strlen(server), PG_UTF8));

	if (copy == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return copy;
}

/* Allocated before the tables are read, so that an error in between leaves it with the job, which frees it. */
static Vocabulary *
new_vocabulary(Job *job)
{
	Vocabulary *vocabulary = calloc(1, sizeof(Vocabulary));

	if (vocabulary == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	vocabulary->references = 1;
	job->vocabulary = vocabulary;
	return vocabulary;
}

static void
read_prompt(Vocabulary *vocabulary, Datum tenant_id)
{
	static SPIPlanPtr plan;
	bool		null;

	spi_prepare(&plan,
				"SELECT p.version, p.system_text FROM triage.prompts p "
				"WHERE p.tenant_id = $1 AND p.kind = 'triage' AND p.is_active ORDER BY p.version DESC LIMIT 1",
				1, TEXTOID);
	if (spi_execute(plan, &tenant_id, NULL, 1) == 0)
		return;
	vocabulary->prompt_version = DatumGetInt32(spi_value(0, 1, &null));
	vocabulary->system_text = utf8_copy(spi_value(0, 2, &null));
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
		vocabulary->categories[row].name = utf8_copy(spi_value(row, 1, &null));
		vocabulary->category_count = (int) row + 1;
		vocabulary->categories[row].description = utf8_copy(spi_value(row, 2, &null));
	}
}

void
config_vocabularies(Job **jobs, int count)
{
	for (int i = 0; i < count; i++)
	{
		Datum		tenant_id;

		for (int k = 0; k < i && jobs[i]->vocabulary == NULL; k++)
			if (strcmp(jobs[k]->tenant_id, jobs[i]->tenant_id) == 0)
			{
				jobs[i]->vocabulary = jobs[k]->vocabulary;
				jobs[i]->vocabulary->references++;
			}
		if (jobs[i]->vocabulary)
			continue;
		new_vocabulary(jobs[i]);
		tenant_id = CStringGetTextDatum(jobs[i]->tenant_id);
		read_prompt(jobs[i]->vocabulary, tenant_id);
		read_categories(jobs[i]->vocabulary, tenant_id);
	}
}

bool
config_schema_fits(const char **why)
{
	static SPIPlanPtr plan;
	Oid			schema = get_namespace_oid("triage", true);
	bool		null;
	int			version;

	*why = "triage tables are not installed";
	if (!OidIsValid(schema) || !OidIsValid(get_relname_relid("schema_version", schema)))
		return false;
	spi_prepare(&plan, "SELECT max(v.version) FROM triage.schema_version v", 0);
	spi_execute(plan, NULL, NULL, 1);
	version = DatumGetInt32(spi_value(0, 1, &null));
	if (null)
		return false;
	*why = "triage tables are of another version than the library";
	return version == SCHEMA_VERSION;
}

void
config_connect(void)
{
	const char *why;

	spi_connect();
	if (!config_schema_fits(&why))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("%s", why),
				 errhint("Run SELECT triage.install().")));
}

/* Called at PRE_COMMIT too, as whoever commits: so as the table's owner, and only if the table is there. */
bool
config_worker_stopped(void)
{
	static SPIPlanPtr plan;
	Oid			schema = get_namespace_oid("triage", true);
	Oid			table = OidIsValid(schema) ? get_relname_relid("worker_control", schema) : InvalidOid;
	HeapTuple	tuple;
	Oid			user;
	int			context;
	bool		stopped;

	if (!OidIsValid(table))
		return true;
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	if (!HeapTupleIsValid(tuple))
		return true;
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(((Form_pg_class) GETSTRUCT(tuple))->relowner,
						   context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION);
	ReleaseSysCache(tuple);
	spi_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	spi_prepare(&plan, "SELECT FROM triage.worker_control c WHERE c.stopped_at IS NOT NULL", 0);
	stopped = spi_execute(plan, NULL, NULL, 1) > 0;
	PopActiveSnapshot();
	SPI_finish();
	SetUserIdAndSecContext(user, context);
	return stopped;
}
