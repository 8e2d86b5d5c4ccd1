/*
 * inspect.c
 *	  What health() and doctor() cannot read from catalogs: the library's state in this server, key files, origins.
 *
 * Looks and changes nothing.  A key is read as the worker reads it, because only so it is known that the worker can,
 * and is wiped before anything else happens; what comes back are reasons, never a byte of it.
 */
#include "postgres.h"

#include "core/origin.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "net/secret.h"
#include "pg/config.h"
#include "pg/guc.h"
#include "pg/shmem.h"
#include "pg/wake.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(triage_library_state);
PG_FUNCTION_INFO_V1(triage_secret_refusal);
PG_FUNCTION_INFO_V1(triage_exposed_origins);
PG_FUNCTION_INFO_V1(triage_listed_origins);

Datum
triage_library_state(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum		values[4];
	bool		nulls[4] = {0};

	InitMaterializedSRF(fcinfo, 0);
	values[0] = BoolGetDatum(triage_shared != NULL);
	values[1] = BoolGetDatum(triage_shared != NULL && triage_shared->launcher_latch != NULL);
	values[2] = BoolGetDatum(wake_find_worker(MyDatabaseId) != NULL);
	values[3] = Int32GetDatum(SCHEMA_VERSION);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* The directory is shown to superusers only, so a reason does not repeat it. */
static char *
without_directory(const char *why, const char *directory)
{
	char	   *quoted = psprintf("directory \"%s\"", directory);
	const char *at = strstr(why, quoted);

	if (at == NULL)
		return pstrdup(why);
	return psprintf("%.*striage.secrets_directory%s", (int) (at - why), why, at + strlen(quoted));
}

Datum
triage_secret_refusal(PG_FUNCTION_ARGS)
{
	char		value[SECRET_MAX + 1];
	char		why[REASON_MAX];
	bool		usable;

	if (triage_secrets_directory == NULL || *triage_secrets_directory == '\0')
		PG_RETURN_TEXT_P(cstring_to_text("triage.secrets_directory is not set"));
	usable = secret_read(triage_secrets_directory, text_to_cstring(PG_GETARG_TEXT_PP(0)), value, why, sizeof(why));
	secret_wipe(value, sizeof(value));
	if (usable)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(without_directory(why, triage_secrets_directory)));
}

Datum
triage_exposed_origins(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *list = pstrdup(triage_allowed_origins ? triage_allowed_origins : "");
	char	   *rest = NULL;

	/* one column is no row type: what the caller expects says what it is */
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	for (char *entry = strtok_r(list, ", \t\n", &rest); entry != NULL; entry = strtok_r(NULL, ", \t\n", &rest))
	{
		Origin		origin;
		const char *why;
		Datum		value;
		bool		null = false;

		if (!origin_parse_exact(entry, &origin, &why) || origin.https || origin_is_loopback(&origin))
			continue;
		value = CStringGetTextDatum(entry);
		tuplestore_putvalues(result->setResult, result->setDesc, &value, &null);
	}
	return (Datum) 0;
}

Datum
triage_listed_origins(PG_FUNCTION_ARGS)
{
	const char *list = triage_allowed_origins;

	if (list == NULL || list[strspn(list, " \t\r\n")] == '\0')
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(list));
}
