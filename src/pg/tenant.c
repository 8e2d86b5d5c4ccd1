/*
 * tenant.c
 *	  Which tenant a session works for: the setting, as far as triage.role_tenants lets its role have it.
 *
 * current_tenant() stands in every policy, so what the table says of a role is kept for the session.  A trigger on the
 * table tells all sessions to forget it when a row changes (DML by itself sends no relcache message).
 *
 * The session's role is the one that logged in; one taken with SET ROLE is held to its own rows as well.  Neither
 * changes inside a SECURITY DEFINER function, where current_user does.  Read past all rights: who is confined need not
 * be able to see that he is, and with a snapshot of its own: an old one must not be what the session remembers.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pg/guc.h"
#include "pg/tables.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(triage_current_tenant);
PG_FUNCTION_INFO_V1(triage_held_to_tenants);

#define DEFAULT_TENANT "default"

/* What the table says of one role: nothing (it may have any tenant), or these and no others. */
typedef struct RoleTenants
{
	Oid			role;			/* hash key */
	List	   *tenants;		/* of char * */
} RoleTenants;

static MemoryContext known_context = NULL;
static HTAB *known = NULL;
static Oid	known_table = InvalidOid;
static bool outdated = true;

static void
table_changed(Datum arg, Oid relid)
{
	(void) arg;
	if (relid == known_table || relid == InvalidOid)
		outdated = true;
}

static void
forget_all(void)
{
	static bool registered = false;
	HASHCTL		control = {.keysize = sizeof(Oid),.entrysize = sizeof(RoleTenants)};

	if (!registered)
		CacheRegisterRelcacheCallback(table_changed, (Datum) 0);
	registered = true;
	known = NULL;
	if (known_context)
		MemoryContextDelete(known_context);
	known_context = NULL;
	known_context = AllocSetContextCreate(CacheMemoryContext, "triage role tenants", ALLOCSET_SMALL_SIZES);
	control.hcxt = known_context;
	known = hash_create("triage role tenants", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* In the cache's context; what is read before an error is lost to it until the cache is made anew. */
static List *
read_tenants(Oid table, Oid role)
{
	AttrNumber	role_column = get_attnum(table, "role");
	AttrNumber	tenant_column = get_attnum(table, "tenant_id");
	Relation	rel = table_open(table, AccessShareLock);
	List	   *tenants = NIL;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;

	list_free(RelationGetIndexList(rel));
	ScanKeyInit(&key, role_column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(role));
	/* no snapshot given: one as of now, whatever the isolation level, and in a parallel worker too */
	scan = systable_beginscan(rel, rel->rd_pkindex, OidIsValid(rel->rd_pkindex), NULL, 1, &key);
	while ((tuple = systable_getnext(scan)) != NULL)
	{
		bool		null;
		Datum		tenant = heap_getattr(tuple, tenant_column, RelationGetDescr(rel), &null);
		MemoryContext outer = MemoryContextSwitchTo(known_context);

		if (!null)
			tenants = lappend(tenants, TextDatumGetCString(tenant));
		MemoryContextSwitchTo(outer);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tenants;
}

static List *
tenants_of(Oid role)
{
	RoleTenants *entry;
	List	   *tenants;
	Oid			table;

	if (!outdated && (entry = hash_search(known, &role, HASH_FIND, NULL)) != NULL)
		return entry->tenants;
	table = tables_find("role_tenants");
	if (!OidIsValid(table))
		return NIL;				/* not remembered: nobody tells when it is made */
	if (outdated)
	{
		forget_all();
		known_table = table;
		outdated = false;
	}
	/* a message that comes while it is read makes it outdated again, for the next call */
	tenants = read_tenants(table, role);
	entry = hash_search(known, &role, HASH_ENTER, NULL);
	entry->tenants = tenants;
	return tenants;
}

/* wanted: NULL when nobody has chosen yet. */
static const char *
confine(Oid role, const char *wanted)
{
	List	   *tenants = tenants_of(role);
	ListCell   *cell;

	if (tenants == NIL)
		return wanted;
	if (wanted == NULL)
		wanted = list_length(tenants) == 1 ? pstrdup(linitial(tenants)) : DEFAULT_TENANT;
	foreach(cell, tenants)
		if (strcmp(lfirst(cell), wanted) == 0)
			return wanted;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("role \"%s\" may not work for tenant \"%s\"", GetUserNameFromId(role, true), wanted),
			 errhint("Set triage.tenant to a tenant that triage.role_tenants lists for the role.")));
	return NULL;				/* not reached */
}

/* triage.tenant after its defaults. */
static const char *
current_tenant(void)
{
	const char *tenant = triage_tenant && *triage_tenant ? triage_tenant : NULL;
	Oid			session = GetSessionUserId();
	Oid			taken = GetOuterUserId();

	tenant = confine(session, tenant);
	if (taken != session)
		tenant = confine(taken, tenant);
	return tenant ? tenant : DEFAULT_TENANT;
}

Datum
triage_current_tenant(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(current_tenant()));
}

Datum
triage_held_to_tenants(PG_FUNCTION_ARGS)
{
	(void) fcinfo;
	PG_RETURN_BOOL(tenants_of(GetSessionUserId()) != NIL || tenants_of(GetOuterUserId()) != NIL);
}
