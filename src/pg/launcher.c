/*
 * launcher.c
 *	  The static process, when the library is preloaded, that keeps a worker running in each database.
 *
 * Connected to the shared catalogs only, so it is in nobody's way.  It lists the databases, starts a worker in each
 * that triage.databases names or a session asked for and that has none, and starts it again with a doubling pause when
 * it ends.  A database whose worker said that it has nothing to do there is left alone until a session asks.  When no
 * background worker slot is free, the database that has waited longest is next; see yield.c for who makes room.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pg/clock.h"
#include "pg/guc.h"
#include "pg/launcher.h"
#include "pg/shmem.h"
#include "pg/wake.h"
#include "pg/worker_role.h"
#include "pg/yield.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#define LOOK_INTERVAL_MS 10000
/* of a database whose DROP was interrupted; minor releases older than that have no name for it */
#ifndef DATCONNLIMIT_INVALID_DB
#define DATCONNLIMIT_INVALID_DB -2
#endif
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 60000
/* with no slot free: asking costs no process */
#define FIRST_SLOT_PAUSE_MS 100
#define LONGEST_SLOT_PAUSE_MS 10000

PGDLLEXPORT void triage_launcher_main(Datum arg);

/* What the launcher remembers of a database. */
typedef struct Served
{
	Oid			database;
	NameData	name;
	bool		listed;			/* seen in the last look */
	int64		pause_ms;		/* before the next start */
	TimestampTz next_start;
	TimestampTz missing_since;	/* 0: it has a worker, or wants none */
} Served;

static Served *served = NULL;
static int	served_count = 0;
static int	served_size = 0;

static int64 slot_pause_ms = FIRST_SLOT_PAUSE_MS;
static TimestampTz next_slot = 0;
static bool told_of_slots = false;
/* names in triage.databases that lead nowhere and were told of since it was read */
static List *told_names = NIL;

void
launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = 1;
	strlcpy(worker.bgw_library_name, "triage", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "triage_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "triage launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "triage launcher", sizeof(worker.bgw_type));
	RegisterBackgroundWorker(&worker);
}

/* The names in triage.databases, in the current memory context. */
static List *
named_databases(void)
{
	char	   *list = pstrdup(triage_databases ? triage_databases : "");
	List	   *names;

	if (SplitIdentifierString(list, ',', &names))
		return names;
	return NIL;					/* the setting's check lets no such list through */
}

static bool
contains(const List *names, const char *wanted)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), wanted) == 0)
			return true;
	return false;
}

/* Once for each name, until the setting is read again. */
static void
tell_of_unknown(const List *names, const List *existing)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		const char *name = lfirst(cell);
		MemoryContext old;

		if (strcmp(name, "*") == 0 || contains(existing, name) || contains(told_names, name))
			continue;
		ereport(WARNING,
				(errcode(ERRCODE_UNDEFINED_DATABASE),
				 errmsg("database \"%s\" in setting \"%s\" does not exist", name, "triage.databases"),
				 errhint("A name with capital letters must be in double quotes. A database that is created later is served then.")));
		old = MemoryContextSwitchTo(TopMemoryContext);
		told_names = lappend(told_names, pstrdup(name));
		MemoryContextSwitchTo(old);
	}
}

static Served *
remember(Oid database)
{
	for (int i = 0; i < served_count; i++)
		if (served[i].database == database)
			return &served[i];
	if (served_count == served_size)
	{
		served_size = served_size ? served_size * 2 : 16;
		if (served == NULL)
			served = MemoryContextAlloc(TopMemoryContext, served_size * sizeof(Served));
		else
			served = repalloc(served, served_size * sizeof(Served));
	}
	served[served_count] = (Served) {.database = database, .pause_ms = FIRST_PAUSE_MS};
	return &served[served_count++];
}

static void
see_database(Form_pg_database database, const List *names)
{
	Served	   *entry;

	if (!database->datallowconn || database->datistemplate || database->datconnlimit == DATCONNLIMIT_INVALID_DB)
		return;
	if (!contains(names, "*") && !contains(names, NameStr(database->datname)) && !shmem_is_requested(database->oid))
		return;
	entry = remember(database->oid);
	entry->name = database->datname;
	entry->listed = true;
}

/* Marks the databases that may have a worker, and forgets those that are gone. */
static void
list_databases(void)
{
	MemoryContext context = CurrentMemoryContext;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	List	   *names = named_databases();
	List	   *existing = NIL;
	Oid		   *oids = NULL;
	int			kept = 0;
	int			count = 0;

	for (int i = 0; i < served_count; i++)
		served[i].listed = false;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		MemoryContextSwitchTo(context);
		oids = count == 0 ? palloc(sizeof(Oid)) : repalloc(oids, (count + 1) * sizeof(Oid));
		oids[count++] = database->oid;
		existing = lappend(existing, pstrdup(NameStr(database->datname)));
		see_database(database, names);
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	for (int i = 0; i < served_count; i++)
		if (served[i].listed)
			served[kept++] = served[i];
	served_count = kept;
	shmem_keep_notes(oids, count);
	tell_of_unknown(names, existing);
}

/* Once, until every database has its worker again. */
static void
tell_of_slots(const Served *entry)
{
	if (told_of_slots)
		return;
	told_of_slots = true;
	ereport(WARNING,
			(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
			 errmsg("no background worker slot is free for the triage worker of database \"%s\"", NameStr(entry->name)),
			 errdetail("Databases that wait for one take turns with those that have one."),
			 errhint("Increase max_worker_processes (now %d) and restart the server, or name fewer databases in triage.databases.",
					 max_worker_processes)));
}

/* The next start of a worker there is not before a while, which doubles; returns how long. */
static long
put_off(Served *entry, TimestampTz now)
{
	long		pause_ms = (long) entry->pause_ms;

	entry->next_start = TimestampTzPlusMilliseconds(now, entry->pause_ms);
	entry->pause_ms = Min(entry->pause_ms * 2, LONGEST_PAUSE_MS);
	return pause_ms;
}

static bool
start_one(Served *entry, TimestampTz now)
{
	WorkerArgs	args = {0};

	if (!wake_start_worker(entry->database, &args, NULL))
	{
		tell_of_slots(entry);
		next_slot = TimestampTzPlusMilliseconds(now, slot_pause_ms);
		slot_pause_ms = Min(slot_pause_ms * 2, LONGEST_SLOT_PAUSE_MS);
		return false;
	}
	slot_pause_ms = FIRST_SLOT_PAUSE_MS;
	(void) put_off(entry, now);
	return true;
}

static int
by_patience(const void *a, const void *b)
{
	TimestampTz left = ((const Served *) a)->missing_since;
	TimestampTz right = ((const Served *) b)->missing_since;

	return left < right ? -1 : left > right;
}

/* Does it lack a worker that it wants? */
static bool
is_missing(Served *entry, TimestampTz now)
{
	if (shmem_take_fresh(entry->database))
	{
		entry->pause_ms = FIRST_PAUSE_MS;
		entry->next_start = now;
	}
	if (shmem_find_worker(entry->database) != NULL)
	{
		/* it ran at all, so the next end is a new one; a quick series still meets the first pause */
		if (now >= entry->next_start)
			entry->pause_ms = FIRST_PAUSE_MS;
		entry->missing_since = 0;
		return false;
	}
	if (shmem_is_unwanted(entry->database))
	{
		entry->missing_since = 0;
		return false;
	}
	if (entry->missing_since == 0)
		entry->missing_since = now;
	return true;
}

static void
notice_clock(TimestampTz now)
{
	static TimestampTz last = 0;

	if (!clock_set_back(&last, now))
		return;
	next_slot = now;
	for (int i = 0; i < served_count; i++)
	{
		served[i].next_start = Min(served[i].next_start, now);
		served[i].missing_since = Min(served[i].missing_since, now);
	}
}

/* Starts what is missing and due; returns how long nothing more will be. */
static long
start_missing(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		timeout = LOOK_INTERVAL_MS;
	int			missing = 0;
	int			waiting = 0;

	notice_clock(now);
	qsort(served, served_count, sizeof(Served), by_patience);
	for (int i = 0; i < served_count; i++)
	{
		Served	   *entry = &served[i];

		if (!is_missing(entry, now))
			continue;
		missing++;
		if (now < entry->next_start)
			timeout = Min(timeout, TimestampDifferenceMilliseconds(now, entry->next_start));
		else if (yield_database_taken(entry->database))
			timeout = Min(timeout, YIELD_LOOK_MS);
		else if (!worker_role_may_serve(entry->database))
			timeout = Min(timeout, put_off(entry, now));
		else if (now < next_slot || !start_one(entry, now))
			waiting++;
		else
			timeout = Min(timeout, FIRST_PAUSE_MS);
	}
	if (waiting > 0)
		timeout = Min(timeout, TimestampDifferenceMilliseconds(now, next_slot));
	pg_atomic_write_u32(&triage_shared->waiting, waiting);
	if (missing == 0)
		told_of_slots = false;
	return timeout;
}

static void
forget_launcher(int code, Datum arg)
{
	(void) code;
	(void) arg;
	triage_shared->launcher_latch = NULL;
}

void
triage_launcher_main(Datum arg)
{
	MemoryContext context;

	(void) arg;
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("triage launcher");
	before_shmem_exit(forget_launcher, (Datum) 0);
	triage_shared->launcher_latch = MyLatch;
	context = AllocSetContextCreate(TopMemoryContext, "triage launcher", ALLOCSET_DEFAULT_SIZES);
	while (!ShutdownRequestPending)
	{
		long		timeout;

		MemoryContextReset(context);
		MemoryContextSwitchTo(context);
		list_databases();
		MemoryContextSwitchTo(context);
		timeout = start_missing();
		pgstat_report_stat(true);
		if (WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION) & WL_LATCH_SET)
			slot_pause_ms = FIRST_SLOT_PAUSE_MS;	/* a worker may have ended; its slot is free a moment later */
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			list_free_deep(told_names);
			told_names = NIL;
			/* what kept workers from starting may be mended */
			for (int i = 0; i < served_count; i++)
			{
				served[i].pause_ms = FIRST_PAUSE_MS;
				served[i].next_start = Min(served[i].next_start, GetCurrentTimestamp());
			}
		}
	}
	proc_exit(1);
}
