/*
 * wake.c
 *	  Commit-time wake-up of the database's worker, and how a worker is found and started.
 *
 * One transaction callback is registered once per backend.  The target is looked up at PRE_COMMIT, where an error
 * still aborts; at COMMIT, where an error would be a PANIC, only SetLatch() and a registration that allocates nothing
 * are left.  NOTIFY has no part in this: it serialises commits.
 *
 * A prepared transaction and a replica's apply wake nobody; the worker's poll finds their rows.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/config.h"
#include "pg/guc.h"
#include "pg/shmem.h"
#include "pg/wake.h"
#include "pg/worker_role.h"
#include "storage/proc.h"
#include "utils/timestamp.h"

/*
 * A starting worker takes some tens of milliseconds to be found, and one that cannot connect never is: a session does
 * not start one per commit, but after pauses that double.
 */
#define FIRST_PAUSE_MS 250
#define LONGEST_PAUSE_MS 10000

static bool callback_registered = false;
static bool armed = false;
static bool start_demanded = false;
static bool start_wanted = false;
static bool launch_wanted = false;
static Latch *target = NULL;
static TimestampTz next_start = 0;
static bool stopped = false;	/* as of the last look at the table */
static int	pause_ms = FIRST_PAUSE_MS;
static bool told_of_slots = false;

/* Which the postmaster knows: a PGPROC may keep the pid of a process that is gone. */
static bool
is_worker(int pid)
{
	const char *type = GetBackgroundWorkerTypeByPid(pid);

	return type != NULL && strcmp(type, WORKER_TYPE) == 0;
}

/* The worker this backend found last: its PGPROC stays where it is. */
static PGPROC *known_proc = NULL;
static int	known_pid = 0;

static Latch *
scan_proc_array(Oid database)
{
	if (known_proc && known_proc->pid == known_pid && known_proc->databaseId == database && is_worker(known_pid))
		return &known_proc->procLatch;
	known_proc = NULL;
	for (uint32 i = 0; i < ProcGlobal->allProcCount; i++)
	{
		PGPROC	   *proc = &ProcGlobal->allProcs[i];
		int			pid = proc->pid;

		if (pid == 0 || proc->databaseId != database || !compat_is_background_worker(proc) || !is_worker(pid))
			continue;
		known_proc = proc;
		known_pid = pid;
		return &proc->procLatch;
	}
	return NULL;
}

Latch *
wake_find_worker(Oid database)
{
	return triage_shared ? shmem_find_worker(database) : scan_proc_array(database);
}

bool
wake_start_worker(Oid database, const WorkerArgs *args, BackgroundWorkerHandle **handle)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	/* preloaded, the launcher restarts it with back-off; else only the postmaster can */
	worker.bgw_restart_time = (triage_shared || args->slot > 0) ? BGW_NEVER_RESTART : 1;
	strlcpy(worker.bgw_library_name, "triage", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "triage_worker_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_type, args->slot > 0 ? ONESHOT_TYPE : WORKER_TYPE, sizeof(worker.bgw_type));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "%s of database %u", worker.bgw_type, database);
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	StaticAssertStmt(sizeof(WorkerArgs) <= BGW_EXTRALEN, "arguments must fit");
	memcpy(worker.bgw_extra, args, sizeof(*args));
	worker.bgw_notify_pid = handle ? MyProcPid : 0;
	return RegisterDynamicBackgroundWorker(&worker, handle);
}

static void
look_up_target(void)
{
	target = wake_find_worker(MyDatabaseId);
	start_wanted = launch_wanted = false;
	if (target)
	{
		/* it came up: when it has gone, there is no pause before the next */
		pause_ms = FIRST_PAUSE_MS;
		next_start = 0;
	}
	if ((target && !start_demanded) || IsBinaryUpgrade || RecoveryInProgress())
		return;
	if (!start_demanded && GetCurrentTimestamp() < next_start)
	{
		/* the one that was asked for may have found nothing to do there yet: the launcher is to look once more */
		launch_wanted = !stopped && triage_shared != NULL && shmem_is_unwanted(MyDatabaseId);
		return;
	}
	stopped = config_worker_stopped();
	if (stopped)
	{
		/* whoever ends that demands a start: no need to ask at each commit */
		if (!start_demanded)
			next_start = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), FIRST_PAUSE_MS);
		return;
	}
	/* what can be found may be on its way out; of two, the second leaves at once, and the launcher starts but one */
	start_wanted = (start_demanded || (target == NULL && triage_autostart)) && worker_role_may_serve(MyDatabaseId);
	/* whatever its last worker found there, now there is work */
	launch_wanted = triage_shared != NULL;
}

/* A message below ERROR is safe at COMMIT. */
static void
start_directly(void)
{
	WorkerArgs	args = {0};

	if (wake_start_worker(MyDatabaseId, &args, NULL))
		told_of_slots = false;
	else if (!told_of_slots)
	{
		told_of_slots = true;
		ereport(LOG,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker slot is free for the triage worker of this database"),
				 errhint("Increase max_worker_processes (now %d) and restart the server.", max_worker_processes)));
	}
}

static void
start_target(void)
{
	next_start = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pause_ms);
	pause_ms = Min(pause_ms * 2, LONGEST_PAUSE_MS);
	/* one place where workers are started from, so that there is one back-off */
	if (launch_wanted && shmem_request_worker(MyDatabaseId, start_wanted, start_demanded))
		return;
	if (start_wanted)
		start_directly();
}

static void
xact_callback(XactEvent event, void *arg)
{
	(void) arg;
	if (!armed)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			look_up_target();
			return;
		case XACT_EVENT_COMMIT:
			/* all that are there: of two that start at once, one leaves and does not pass it on */
			if (target && triage_shared)
				shmem_wake_database(MyDatabaseId);
			else if (target)
				SetLatch(target);
			if (start_wanted || launch_wanted)
				start_target();
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	armed = false;
	start_demanded = false;
	target = NULL;
	start_wanted = launch_wanted = false;
}

void
wake_at_commit(void)
{
	if (!callback_registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		callback_registered = true;
	}
	armed = true;
}

void
wake_start_at_commit(void)
{
	wake_at_commit();
	start_demanded = true;
}
