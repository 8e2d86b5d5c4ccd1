/*
 * home.c
 *	  Is this database the one whose tickets are to be worked on, or a copy of it?
 *
 * A restored dump, a database made from another as its template, and a subscriber have the same pending jobs as their
 * original: both would ask a model about them.  So install() writes into triage.home where it is: the cluster's system
 * identifier and the database's oid.  A worker whose control file or database says otherwise calls nothing until
 * adopt() is called.  A standby that is promoted keeps both.
 *
 * pg_upgrade gives the cluster another identifier, but carries tables over as files, and keeps the oids of databases
 * and tables.  So the row also says its table's oid and its own xmin: a row with another identifier that still has
 * both was not written anew by a restore, and is at home.
 *
 * Called at PRE_COMMIT too, with whatever search path: no operator appears in the SQL here.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pg/home.h"
#include "pg/spi_util.h"
#include "pg/tables.h"
#include "utils/catcache.h"
#include "utils/syscache.h"

/* InvalidOid, or the table and who owns it. */
static Oid
find_table(const char *name, Oid *owner)
{
	Oid			table = tables_find(name);

	*owner = tables_owner(table);
	return OidIsValid(*owner) ? table : InvalidOid;
}

static bool
is_subscribed(Oid table)
{
	CatCList   *list = SearchSysCacheList1(SUBSCRIPTIONRELMAP, ObjectIdGetDatum(table));
	bool		subscribed = list->n_members > 0;

	ReleaseSysCacheList(list);
	return subscribed;
}

/* The row as it is now. */
static HomeState
compare_row(Oid table)
{
	static SPIPlanPtr plan;
	bool		null;
	int64		identifier;
	int64		database;
	int64		table_oid;
	int64		written_in;
	TransactionId xmin;

	spi_prepare(&plan, "SELECT h.system_identifier, h.database_oid, h.table_oid, h.written_in, h.xmin FROM triage.home h", 0);
	if (spi_execute(plan, NULL, NULL, 1) == 0)
		return HOME_UNKNOWN;
	identifier = spi_int8(0, 1);
	database = spi_int8(0, 2);
	table_oid = spi_int8(0, 3);
	written_in = spi_int8(0, 4);
	xmin = DatumGetTransactionId(spi_value(0, 5, &null));
	if (database != (int64) MyDatabaseId)
		return HOME_ELSEWHERE;
	if ((uint64) identifier == GetSystemIdentifier())
		return HOME_HERE;
	return table_oid == (int64) table && written_in == (int64) xmin ? HOME_CARRIED : HOME_ELSEWHERE;
}

HomeState
home_state(void)
{
	HomeState	state;
	Identity	caller;
	Oid			owner;
	Oid			jobs_owner;
	Oid			home = find_table("home", &owner);
	Oid			jobs = find_table("ai_jobs", &jobs_owner);

	if (!OidIsValid(home) || !OidIsValid(jobs))
		return HOME_UNKNOWN;
	if (is_subscribed(jobs))
		return HOME_REPLICATED;
	caller = tables_become(owner);
	state = compare_row(home);
	tables_give_back(caller);
	return state;
}

const char *
home_refusal(HomeState state)
{
	switch (state)
	{
		case HOME_HERE:
		case HOME_CARRIED:
			return NULL;
		case HOME_ELSEWHERE:
			return "the tables were copied from another database";
		case HOME_UNKNOWN:
			return "this database was never said to be the one that works on its tickets";
		case HOME_REPLICATED:
			return "table triage.ai_jobs is filled by a subscription";
	}
	return NULL;
}

const char *
home_hint(HomeState state)
{
	if (state == HOME_REPLICATED)
		return "Leave ai_jobs out of the publication, or drop the subscription, for jobs to be done here.";
	return "To have the tickets here worked on and models called, run SELECT triage.adopt(). In a copy, leave it so.";
}

void
home_settle(void)
{
	static SPIPlanPtr update;
	static SPIPlanPtr mark;
	Datum		identifier = Int64GetDatum((int64) GetSystemIdentifier());
	Identity	caller;
	Oid			owner;

	if (!OidIsValid(find_table("home", &owner)))
		return;
	caller = tables_become(owner);
	spi_prepare(&update, "UPDATE triage.home SET system_identifier = $1", 1, INT8OID);
	spi_execute(update, &identifier, NULL, 0);
	spi_prepare(&mark, "UPDATE triage.home SET written_in = xmin::text::bigint", 0);
	spi_execute(mark, NULL, NULL, 0);
	tables_give_back(caller);
	ereport(LOG,
			(errmsg("triage found its database in another cluster after pg_upgrade, and is at home there")));
}

void
home_check(void)
{
	HomeState	state = home_state();
	const char *why = home_refusal(state);

	if (why)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no model is called from this database: %s", why),
				 errhint("%s", home_hint(state))));
}
