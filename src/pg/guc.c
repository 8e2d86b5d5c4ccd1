/*
 * guc.c
 *	  The settings: names, ranges, who may change them and when.
 *
 * In alphabetical order (a lint checks it).  Nothing here holds a secret: keys are files, see net/secret.h.
 */
#include "postgres.h"

#include <limits.h>

#include "core/origin.h"
#include "miscadmin.h"
#include "pg/guc.h"
#include "pg/syncing.h"
#include "utils/guc.h"
#include "utils/varlena.h"

char	   *triage_actor;
char	   *triage_allowed_origins;
bool		triage_auto_triage = true;
bool		triage_autostart = true;
char	   *triage_databases;
bool		triage_enabled = true;
int			triage_max_attempts = 5;
int			triage_max_in_flight = 64;
int			triage_notify_interval = -1;
int			triage_poll_interval = 5000;
char	   *triage_secrets_directory;
char	   *triage_tenant;
char	   *triage_worker_role;

static bool
check_allowed_origins(char **newval, void **extra, GucSource source)
{
	char		bad[ORIGIN_MAX];
	const char *why = NULL;

	(void) extra;
	(void) source;
	if (*newval == NULL || origin_list_valid(*newval, bad, sizeof(bad), &why))
		return true;
	GUC_check_errdetail("\"%s\" is not an origin: %s.", bad, why ? why : "malformed");
	GUC_check_errhint("List exact origins separated by commas, such as \"https://api.example.com, http://127.0.0.1:11434\".");
	return false;
}

static bool
check_databases(char **newval, void **extra, GucSource source)
{
	char	   *list = pstrdup(*newval ? *newval : "");
	List	   *names;
	bool		valid = SplitIdentifierString(list, ',', &names);

	(void) extra;
	(void) source;
	list_free(names);
	pfree(list);
	if (!valid)
		GUC_check_errdetail("List syntax is invalid.");
	return valid;
}

static bool
check_secrets_directory(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (*newval == NULL || **newval == '\0' || **newval == '/')
		return true;
	GUC_check_errdetail("\"triage.secrets_directory\" must be an absolute path.");
	return false;
}

static bool
check_worker_role(char **newval, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (*newval == NULL || strlen(*newval) < NAMEDATALEN)
		return true;
	GUC_check_errdetail("A role's name has at most %d bytes.", NAMEDATALEN - 1);
	return false;
}

/* In two halves, for a function has an end. */
static void
define_a_to_l(void)
{
	DefineCustomStringVariable("triage.actor",
							   "Sets who the audit trail says is acting.",
							   "Empty means the session user. The audit trail stores the session user beside it.",
							   &triage_actor, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("triage.allowed_origins",
							   "Lists the origins that providers may be called at.",
							   "Exact origins separated by commas. Empty means that nothing leaves the database: "
							   "only the builtin provider serves.",
							   &triage_allowed_origins, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_allowed_origins, NULL, NULL);
	DefineCustomBoolVariable("triage.auto_triage",
							 "Requests triage of each new or changed ticket.",
							 "Off, tickets are triaged only when request_triage() asks for it.",
							 &triage_auto_triage, true,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("triage.autostart",
							 "Starts the worker of a database when work is committed and none runs.",
							 NULL,
							 &triage_autostart, true,
							 PGC_SUSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("triage.databases",
							   "Lists the databases that the launcher starts workers in.",
							   "Names separated by commas. \"*\" means every database where the extension is "
							   "installed. Has effect only when the library is preloaded.",
							   &triage_databases, "*",
							   PGC_SIGHUP, 0, check_databases, NULL, NULL);
	DefineCustomBoolVariable("triage.enabled",
							 "Lets models be called.",
							 "Off, nothing is claimed and no call is made in any database of the server; calls in the "
							 "air are finished, and tickets are enqueued as ever.",
							 &triage_enabled, true,
							 PGC_SIGHUP, 0, NULL, NULL, NULL);
}

void
guc_define(void)
{
	define_a_to_l();
	DefineCustomIntVariable("triage.max_attempts",
							"Sets how many times a job is tried before it fails.",
							"Being throttled by a provider does not count as a try.",
							&triage_max_attempts, 5, 1, 100,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("triage.max_in_flight",
							"Sets how many calls to a provider one worker keeps in the air.",
							"A provider's own max_in_flight may lower it.",
							&triage_max_in_flight, 64, 1, 4096,
							PGC_SIGHUP, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("triage.notify_interval",
							"Sets how often at most a commit with events does NOTIFY triage.",
							"-1 means never, 0 at each such commit. A consumer must poll nevertheless: commits within the "
							"interval say nothing. Transactions that notify commit one after the other.",
							&triage_notify_interval, -1, -1, INT_MAX,
							PGC_SUSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("triage.poll_interval",
							"Sets the longest time the worker sleeps between looks at the queue.",
							"It wakes sooner when a ticket is committed.",
							&triage_poll_interval, 5000, 10, INT_MAX,
							PGC_SIGHUP, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomStringVariable("triage.secrets_directory",
							   "Sets the directory whose files hold the providers' keys.",
							   "Empty means that no provider can have a key.",
							   &triage_secrets_directory, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_secrets_directory, NULL, NULL);
	DefineCustomBoolVariable("triage.syncing",
							 "Shows whether this transaction brings in what happened elsewhere.",
							 "Turned on by triage.set_syncing(), which import_tickets() and its like call; nothing else can.",
							 &triage_syncing, false,
							 PGC_INTERNAL, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("triage.tenant",
							   "Sets the tenant that this session works for.",
							   "Empty means the tenant \"default\".",
							   &triage_tenant, "",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("triage.worker_role",
							   "Sets the role that the worker connects as.",
							   "It needs LOGIN (up to PostgreSQL 16), CONNECT and triage.grant_access(role, 'worker'). Empty: the worker "
							   "takes the rights of the tables' owner, restricted, for each of its transactions.",
							   &triage_worker_role, "",
							   PGC_SIGHUP, GUC_SUPERUSER_ONLY, check_worker_role, NULL, NULL);
	MarkGUCPrefixReserved("triage");
}

const char *
guc_actor(void)
{
	return triage_actor && *triage_actor ? triage_actor : GetUserNameFromId(GetSessionUserId(), false);
}
