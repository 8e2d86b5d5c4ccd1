/*
 * launcher.c
 *	  The static process, when the library is preloaded, that keeps a worker running in each database.
 *
 * Connected to the shared catalogs only, so it is in nobody's way.  It lists the databases, starts a worker in each
 * that triage.databases names and that has none, and starts it again with a doubling pause when it ends.  A database
 * whose worker said that it has nothing to do there is left alone: CREATE EXTENSION and worker_start() start one by
 * themselves.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pg/guc.h"
#include "pg/launcher.h"
#include "pg/shmem.h"
#include "pg/wake.h"
#include "pg/worker_role.h"
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
#define FIRST_PAUSE_MS 1000
#define LONGEST_PAUSE_MS 60000

PGDLLEXPORT void triage_launcher_main(Datum arg);

/* What the launcher remembers of a database. */
typedef struct Served
{
	Oid			database;
	bool		listed;			/* seen in the last look */
	int64		pause_ms;		/* before the next start */
	TimestampTz next_start;
} Served;

static Served *served = NULL;
static int	served_count = 0;
static int	served_size = 0;

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

static bool
is_named(const char *database)
{
	char	   *list = pstrdup(triage_databases ? triage_databases : "");
	List	   *names;
	ListCell   *cell;

	if (!SplitIdentifierString(list, ',', &names))
	{
		ereport(LOG,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid list of names in setting \"%s\"", "triage.databases")));
		return false;
	}
	foreach(cell, names)
		if (strcmp(lfirst(cell), "*") == 0 || strcmp(lfirst(cell), database) == 0)
			return true;
	return false;
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

/* Marks the databases that may have a worker, and forgets those that are gone. */
static void
list_databases(void)
{
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tuple;
	int			kept = 0;

	for (int i = 0; i < served_count; i++)
		served[i].listed = false;
	StartTransactionCommand();
	(void) GetTransactionSnapshot();
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (database->datallowconn && !database->datistemplate && is_named(NameStr(database->datname)))
			remember(database->oid)->listed = true;
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	for (int i = 0; i < served_count; i++)
		if (served[i].listed)
			served[kept++] = served[i];
	served_count = kept;
}

static void
start_one(Served *entry, TimestampTz now)
{
	WorkerArgs	args = {0};

	if (worker_role_may_serve(entry->database) && !wake_start_worker(entry->database, &args, NULL))
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("could not start a triage worker for database %u", entry->database),
				 errhint("You may need to increase max_worker_processes.")));
	entry->next_start = TimestampTzPlusMilliseconds(now, entry->pause_ms);
	entry->pause_ms = Min(entry->pause_ms * 2, LONGEST_PAUSE_MS);
}

/* Starts what is missing and due; returns how long nothing more will be. */
static long
start_missing(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		timeout = LOOK_INTERVAL_MS;

	for (int i = 0; i < served_count; i++)
	{
		Served	   *entry = &served[i];

		if (shmem_find_worker(entry->database) != NULL)
		{
			/* it ran at all, so the next end is a new one; a quick series still meets the first pause */
			if (now >= entry->next_start)
				entry->pause_ms = FIRST_PAUSE_MS;
			continue;
		}
		if (shmem_is_unwanted(entry->database))
			continue;
		if (now >= entry->next_start)
			start_one(entry, now);
		timeout = Min(timeout, (long) ((entry->next_start - now) / 1000) + 1);
	}
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
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
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
