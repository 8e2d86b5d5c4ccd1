/*
 * worker.c
 *	  The process that serves one database: entry, signals, the three waits, exit.
 *
 * Waits for the latch, the postmaster's death and one socket, which is the epoll descriptor that holds all of
 * libcurl's; between two waits it does one turn of dispatch.c.  Leaves with 0 when it is not wanted (no extension,
 * stopped, another one serves) and with 1 when it should come back.
 *
 * SIGTERM only sets a flag while the worker waits or calls libcurl; in SQL it also cancels the statement, which may
 * wait for somebody's lock: the answers at hand are written, and the claims given back, in transactions of their own.  libcurl is not cleaned up at exit: that would join hung resolver threads.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/dispatch.h"
#include "pg/pause.h"
#include "pg/queue.h"
#include "pg/shmem.h"
#include "pg/wake.h"
#include "pg/worker.h"
#include "pg/worker_role.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "storage/procsignal.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Session-level lock that makes a slot one process's: our own number in a field that pg_advisory_lock() cannot set. */
#define SLOT_LOCK_KEY 0x74726961
#define SLOT_LOCK_FIELD4 7
#define MAX_ONESHOT_SLOTS 16

PGDLLEXPORT void triage_worker_main(Datum arg);

static volatile sig_atomic_t shutdown_requested = false;

static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	/* the postmaster signals the process and its group: the second must not cancel the give-back */
	if (!shutdown_requested && IsTransactionState())
		InterruptPending = QueryCancelPending = true;
	shutdown_requested = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
set_up_signals(void)
{
	pqsignal(SIGTERM, handle_sigterm);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
}

static bool
lock_slot(int slot)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, SLOT_LOCK_KEY, slot, SLOT_LOCK_FIELD4);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* The resident worker's slot is 0; a one-shot worker takes the first that is free. */
static int
take_slot(const WorkerArgs *args)
{
	int			slot = -1;

	StartTransactionCommand();
	if (args->slot == 0)
		slot = lock_slot(0) ? 0 : -1;
	else
		for (int i = 1; i <= MAX_ONESHOT_SLOTS && slot < 0; i++)
			if (lock_slot(i))
				slot = i;
	CommitTransactionCommand();
	return slot;
}

/* Owner of the tables, or InvalidOid when the extension or its tables are not there. */
static Oid
find_owner(void)
{
	Oid			owner = InvalidOid;
	Oid			schema;
	Oid			table;
	HeapTuple	tuple;

	StartTransactionCommand();
	schema = get_namespace_oid("triage", true);
	table = OidIsValid(schema) ? get_relname_relid("ai_jobs", schema) : InvalidOid;
	if (OidIsValid(get_extension_oid("triage", true)) && OidIsValid(table))
	{
		tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
		if (HeapTupleIsValid(tuple))
		{
			owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
			ReleaseSysCache(tuple);
		}
	}
	CommitTransactionCommand();
	return owner;
}

static void
set_up_session(void)
{
	SetConfigOption("search_path", QUEUE_SEARCH_PATH, PGC_USERSET, PGC_S_OVERRIDE);
	/* the queue's plans must not flip when its statistics do */
	SetConfigOption("enable_seqscan", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("enable_bitmapscan", "off", PGC_USERSET, PGC_S_OVERRIDE);
	/* a batch against its own keys, row by row: 128 times 128 comparisons */
	SetConfigOption("enable_nestloop", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("plan_cache_mode", "force_generic_plan", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("jit", "off", PGC_USERSET, PGC_S_OVERRIDE);
	/* a table somebody locks must not hold up the calls for long */
	SetConfigOption("lock_timeout", "200ms", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("row_security", "on", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("triage.actor", "triage", PGC_USERSET, PGC_S_OVERRIDE);
}

/* What a predecessor of this slot left claimed is free at once: the slot's lock says that it is gone. */
static void
free_predecessor(int slot)
{
	queue_begin();
	if (queue_free_slot(slot) > 0)
		ereport(LOG,
				(errmsg("triage worker freed the jobs that a predecessor had claimed")));
	queue_commit(true);
}

static void
show_activity(Dispatch *d)
{
	static char activity[1024];
	static int	shown = -1;
	static const char *shown_trouble = NULL;
	static TimestampTz shown_since = 0;
	static char shown_hold[PAUSE_TEXT_MAX] = "";
	int			in_flight = dispatch_in_flight(d);
	const char *trouble = dispatch_trouble(d);
	const char *hold = dispatch_hold(d) ? dispatch_hold(d) : "";

	if (!dispatch_showed(d) && in_flight == shown && trouble == shown_trouble && dispatch_trouble_since(d) == shown_since &&
		strcmp(hold, shown_hold) == 0)
		return;
	shown = in_flight;
	shown_trouble = trouble;
	shown_since = dispatch_trouble_since(d);
	strlcpy(shown_hold, hold, sizeof(shown_hold));
	if (*hold)
		snprintf(activity, sizeof(activity), "%d calls in flight; %s", in_flight, hold);
	else
		snprintf(activity, sizeof(activity), "%d calls in flight%s%s", in_flight,
				 trouble ? "; provider paused: " : "", trouble ? trouble : "");
	pgstat_report_activity(STATE_IDLE, activity);
}

static void
serve(Dispatch *d, bool oneshot)
{
	WaitEventSet *set = compat_create_wait_event_set(3);

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(set, WL_SOCKET_READABLE, dispatch_fd(d), NULL, NULL);
	while (!shutdown_requested && !dispatch_is_unwanted(d) && !(oneshot && dispatch_is_done(d)))
	{
		WaitEvent	event;

		show_activity(d);
		if (WaitEventSetWait(set, dispatch_timeout(d), &event, 1, PG_WAIT_EXTENSION) > 0 &&
			(event.events & WL_LATCH_SET))
		{
			ResetLatch(MyLatch);
			dispatch_wake(d);
		}
		if (shutdown_requested)
			break;
		/* outside of a statement there is nothing to cancel, and an ERROR here would end the worker */
		QueryCancelPending = false;
		CHECK_FOR_INTERRUPTS();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			if (worker_role_changed())
				break;
			dispatch_reload(d);
		}
		dispatch_turn(d);
		/* revoked while it runs: leave, instead of asking every second */
		if (dispatch_is_denied(d) && !worker_role_may_serve(MyDatabaseId))
			break;
	}
	QueryCancelPending = false;
	dispatch_give_back(d);
}

static void
report_to(uint32 handle, int finished)
{
	dsm_segment *segment;
	WorkerReport *report;

	if (handle == 0)
		return;
	segment = dsm_attach(handle);
	if (segment == NULL)
		return;					/* nobody waits any more */
	report = dsm_segment_address(segment);
	pg_atomic_write_u32(&report->finished, finished);
	dsm_detach(segment);
}

void
triage_worker_main(Datum arg)
{
	WorkerArgs	args;
	int			slot;
	Oid			owner;
	Dispatch   *d;

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	set_up_signals();
	worker_role_connect(DatumGetObjectId(arg));
	set_up_session();
	owner = find_owner();
	if (!OidIsValid(owner))
	{
		shmem_set_unwanted(MyDatabaseId, true);
		proc_exit(0);
	}
	slot = take_slot(&args);
	if (slot < 0)
		proc_exit(0);
	/* no restart: what is missing must be granted first, and the next start asks for it beforehand */
	if (!worker_role_may_serve(MyDatabaseId))
		proc_exit(0);
	queue_set_owner(worker_role_is_set() ? InvalidOid : owner);
	shmem_set_unwanted(MyDatabaseId, false);
	free_predecessor(slot);
	d = dispatch_create(slot, args.slot == 0 ? -1 : args.max_jobs, shmem_join(slot));
	serve(d, args.slot > 0);
	if (args.slot > 0)
		report_to(args.report, dispatch_finished(d));
	if (args.slot > 0)
		proc_exit(0);
	/* as another role, unless that one cannot */
	if (!shutdown_requested && !worker_role_may_serve(MyDatabaseId))
		proc_exit(0);
	/* back it comes, if the server goes on, unless it is still not wanted: worker_start() found it running */
	if (shutdown_requested || !dispatch_still_unwanted(d))
		proc_exit(1);
	shmem_set_unwanted(MyDatabaseId, true);
	proc_exit(0);
}
