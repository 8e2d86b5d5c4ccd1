/*
 * worker_role.c
 *	  As which role the worker's session runs: triage.worker_role.
 *
 * Whatever a trigger, rule or default on our tables does, it does in the worker's session.  A session that begins as the
 * role has nothing to go back to: RESET SESSION AUTHORIZATION and deferred triggers gain nothing either.  Without the
 * setting the worker takes the owner's rights for each transaction instead, see queue.c.
 *
 * The rights looked at here are those without which nothing works at all, and whose lack is a role without
 * grant_access(); whatever else is missing is an error of the statement that needs it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/guc.h"
#include "pg/shmem.h"
#include "pg/worker_role.h"
#include "postmaster/bgworker.h"
#include "utils/acl.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* The log hears of the same trouble this often from one process. */
#define COMPLAIN_MS 60000

static char connected_as[NAMEDATALEN];

bool
worker_role_is_set(void)
{
	return triage_worker_role && *triage_worker_role;
}

static const char *
missing_rights(Oid role)
{
	static const struct
	{
		const char *table;
		AclMode		rights;
	}			needed[] = {
		{"ai_jobs", ACL_SELECT | ACL_UPDATE | ACL_DELETE}, {"tickets", ACL_SELECT}, {"providers", ACL_SELECT},
		{"ai_runs", ACL_INSERT},
	};
	Oid			schema = get_namespace_oid("triage", true);

	if (!OidIsValid(schema))
		return NULL;			/* no extension: nothing to serve, which is found out elsewhere */
	if (!compat_may_use_schema(schema, role))
		return "it has no right to use schema triage";
	for (size_t i = 0; i < lengthof(needed); i++)
	{
		Oid			table = get_relname_relid(needed[i].table, schema);

		if (OidIsValid(table) && pg_class_aclmask(table, role, needed[i].rights, ACLMASK_ALL) != needed[i].rights)
			return "it lacks rights on the tables of triage";
	}
	return NULL;
}

/* In a transaction; static text. */
static const char *
trouble_with_role(Oid database)
{
	HeapTuple	tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(triage_worker_role));
	Form_pg_authid form;
	Oid			role;
	bool		can_login,
				is_superuser;

	if (!HeapTupleIsValid(tuple))
		return "it does not exist";
	form = (Form_pg_authid) GETSTRUCT(tuple);
	role = form->oid;
	can_login = form->rolcanlogin;
	is_superuser = form->rolsuper;
	ReleaseSysCache(tuple);
	if (is_superuser)
		return "it is a superuser";
	if (!can_login && COMPAT_WORKER_NEEDS_LOGIN)
		return "it has not the attribute LOGIN";
	if (!compat_may_connect(database, role))
		return "it has no right to connect to the database";
	return database == MyDatabaseId ? missing_rights(role) : NULL;
}

static const char *
find_trouble(Oid database)
{
	MemoryContext outer = CurrentMemoryContext;
	bool		began = !IsTransactionState();
	const char *trouble;

	if (!worker_role_is_set())
		return NULL;
	if (began)
		StartTransactionCommand();
	trouble = trouble_with_role(database);
	if (began)
		CommitTransactionCommand();
	MemoryContextSwitchTo(outer);
	return trouble;
}

#define MESSAGE "triage worker cannot serve database %u as role \"%s\": %s"
#define HINT "The setting triage.worker_role names it. It needs " COMPAT_WORKER_NEEDS ", and in each database " \
	"SELECT triage.grant_access('%s', 'worker')."

bool
worker_role_may_serve(Oid database)
{
	static TimestampTz next_complaint = 0;
	static const char *last_trouble = NULL;
	const char *trouble = find_trouble(database);
	TimestampTz now = GetCurrentTimestamp();

	if (trouble == NULL)
		return true;
	if (trouble == last_trouble && now < next_complaint)
		return false;
	/* the launcher says it, once for all sessions */
	if (triage_shared && MyBackendType == B_BACKEND)
		return false;
	last_trouble = trouble;
	next_complaint = TimestampTzPlusMilliseconds(now, COMPLAIN_MS);
	ereport(LOG,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg(MESSAGE, database, triage_worker_role, trouble),
			 errhint(HINT, triage_worker_role),
			 errhidestmt(true)));
	return false;
}

void
worker_role_require(Oid database)
{
	const char *trouble = find_trouble(database);

	if (trouble)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no triage worker can serve this database as its configured role: %s", trouble),
				 errhint("Ask the administrator to look at triage.worker_role.")));
}

/* Says whose fault a FATAL is. */
static void
name_setting(void *arg)
{
	errcontext("triage worker connecting as role \"%s\", which setting triage.worker_role names", (const char *) arg);
}

void
worker_role_connect(Oid database)
{
	ErrorContextCallback context = {.callback = name_setting,.arg = connected_as};

	strlcpy(connected_as, triage_worker_role ? triage_worker_role : "", sizeof(connected_as));
	if (connected_as[0] == '\0')
	{
		BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
		return;
	}
	context.previous = error_context_stack;
	error_context_stack = &context;
	compat_connect_worker(database, connected_as);
	error_context_stack = context.previous;
}

bool
worker_role_changed(void)
{
	return strcmp(connected_as, triage_worker_role ? triage_worker_role : "") != 0;
}
