/*
 * worker.c
 *	  The process that serves one database: entry, signals, the wait, exit.
 *
 * Waits for the latch, the postmaster's death and two sockets, which are epoll descriptors that hold all of libcurl's:
 * one of the calls to models, one of those that copy tickets; between two waits it does one turn of dispatch.c.  Leaves
 * with 0 when it is not wanted (no extension, stopped, another one serves, the database is gone or closed) and with 1 when
 * it should come back: preloaded, the launcher starts it again, else the postmaster.
 *
 * SIGTERM only sets a flag while the worker waits or calls libcurl; in SQL it also cancels the statement, which may wait
 * for somebody's lock, or the commit's wait for a standby: the answers at hand are written, and the claims given back, in
 * transactions of their own, for which there are some seconds; what is left is freed by the next worker.  libcurl is not
 * cleaned up at exit: that would join hung resolver threads.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "commands/extension.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/clock.h"
#include "pg/compat.h"
#include "pg/dispatch.h"
#include "pg/encoding.h"
#include "pg/pause.h"
#include "pg/queue.h"
#include "pg/shmem.h"
#include "pg/tables.h"
#include "pg/wake.h"
#include "pg/worker.h"
#include "pg/worker_role.h"
#include "pg/yield.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lock.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Session-level lock that makes a slot one process's: our own number in a field that pg_advisory_lock() cannot set. */
#define SLOT_LOCK_KEY 0x74726961
#define SLOT_LOCK_FIELD4 7
#define MAX_ONESHOT_SLOTS 16
/* Not a slot: see worker_await_leaving(). */
#define LEAVING_LOCK 0xFFFF

/* May it still connect here?  Every so many looks whether it is in the way. */
#define CLOSED_LOOKS 10
/* What is in the air when its turn is over may take so long to come down. */
#define DRAIN_MS 10000
/* After an error that nothing else caught, before the postmaster may start it again. */
#define REST_MS 10000

typedef enum Leave
{
	STAY,
	LEAVE_FOR_GOOD,				/* no use to come back before somebody asks */
	LEAVE_FOR_NOW
} Leave;

/* What the look around goes by. */
typedef struct Watch
{
	TimestampTz since;
	TimestampTz next_look;
	int			looks;
	bool		draining;		/* claims no more, and leaves when the calls are answered */
	TimestampTz drain_until;
	TimestampTz last;			/* by the clock then */
} Watch;

PGDLLEXPORT void triage_worker_main(Datum arg);

static bool connected = false;

static void
handle_sigterm(SIGNAL_ARGS)
{
	int			save_errno = errno;

	/*
	 * The postmaster signals the process and its group: the second must not cancel the give-back.  Who waits in a commit
	 * for a standby is in no IsTransactionState() any more, and takes a cancel as the end of the wait.
	 */
	if (!ShutdownRequestPending && IsTransactionOrTransactionBlock())
		InterruptPending = QueryCancelPending = true;
	ShutdownRequestPending = true;
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

void
worker_await_leaving(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, SLOT_LOCK_KEY, LEAVING_LOCK, SLOT_LOCK_FIELD4);
	(void) LockAcquire(&tag, ShareLock, false, false);
}

/* False: somebody is about to want this worker.  Kept to the end of the process. */
static bool
begin_to_leave(void)
{
	bool		begun;

	StartTransactionCommand();
	begun = lock_slot(LEAVING_LOCK);
	CommitTransactionCommand();
	return begun;
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

	StartTransactionCommand();
	if (OidIsValid(get_extension_oid("triage", true)))
		owner = tables_owner(tables_find("ai_jobs"));
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
	SetConfigOption("plan_cache_mode", "force_generic_plan", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("jit", "off", PGC_USERSET, PGC_S_OVERRIDE);
	/* a table somebody locks must not hold up the calls for long */
	SetConfigOption("lock_timeout", "200ms", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("statement_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("idle_in_transaction_session_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("standard_conforming_strings", "on", PGC_USERSET, PGC_S_OVERRIDE);
	/* our triggers are part of what a result does */
	SetConfigOption("session_replication_role", "origin", PGC_SUSET, PGC_S_OVERRIDE);
	/* known from 17 on */
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		SetConfigOption("transaction_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("row_security", "on", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("triage.actor", "triage", PGC_USERSET, PGC_S_OVERRIDE);
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

	/*
	 * Every session of the server reads pg_stat_activity as text of its own database's encoding, and may fail at other
	 * bytes.  UTF-8 stays, as it does in what other sessions of such a database show there.
	 */
	if (GetDatabaseEncoding() != PG_UTF8)
		encoding_keep_ascii(activity);
	pgstat_report_activity(STATE_IDLE, activity);
}

/* Is it in somebody's way? */
static Leave
look_around(Dispatch *d, Watch *watch)
{
	TimestampTz now = GetCurrentTimestamp();

	if (clock_set_back(&watch->last, now))
	{
		watch->since = watch->next_look = now;
		watch->drain_until = TimestampTzPlusMilliseconds(now, DRAIN_MS);
	}
	if (watch->draining && (dispatch_is_done(d) || now >= watch->drain_until))
		return LEAVE_FOR_NOW;
	if (now < watch->next_look)
		return STAY;
	watch->next_look = TimestampTzPlusMilliseconds(now, YIELD_LOOK_MS);
	if (yield_database_taken(MyDatabaseId))
	{
		ereport(LOG,
				(errmsg("triage worker makes room for a statement on its database")));
		return LEAVE_FOR_NOW;
	}
	if (++watch->looks % CLOSED_LOOKS == 0 && yield_database_closed())
	{
		ereport(LOG,
				(errmsg("triage worker leaves: its database allows no connections any more")));
		return LEAVE_FOR_GOOD;
	}
	if (!watch->draining && yield_turn_over(watch->since, now, dispatch_is_idle(d)))
	{
		watch->draining = true;
		watch->drain_until = TimestampTzPlusMilliseconds(now, DRAIN_MS);
		dispatch_drain(d);
	}
	return STAY;
}

static long
next_timeout(const Dispatch *d, const Watch *watch)
{
	return Min(dispatch_timeout(d), TimestampDifferenceMilliseconds(GetCurrentTimestamp(), watch->next_look));
}

static Leave
serve(Dispatch *d, bool oneshot)
{
	WaitEventSet *set = compat_create_wait_event_set(4);
	Watch		watch = {.since = GetCurrentTimestamp()};
	Leave		leave = STAY;
	bool		copies = false;

	AddWaitEventToSet(set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(set, WL_SOCKET_READABLE, dispatch_fd(d), NULL, NULL);
	while (!ShutdownRequestPending && !queue_is_replaced() && !dispatch_is_unwanted(d) && !(oneshot && dispatch_is_done(d)) &&
		   (leave = look_around(d, &watch)) == STAY)
	{
		WaitEvent	event;

		show_activity(d);
		if (!copies && dispatch_sync_fd(d) >= 0)
		{
			AddWaitEventToSet(set, WL_SOCKET_READABLE, dispatch_sync_fd(d), NULL, NULL);
			copies = true;
		}
		if (WaitEventSetWait(set, next_timeout(d, &watch), &event, 1, PG_WAIT_EXTENSION) > 0 &&
			(event.events & WL_LATCH_SET))
		{
			ResetLatch(MyLatch);
			dispatch_wake(d);
		}
		if (ShutdownRequestPending)
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
	if (queue_is_replaced())
		return LEAVE_FOR_NOW;
	dispatch_give_back(d);
	return leave;
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

/* At exit: a database that cannot be connected to would be tried by the postmaster for ever. */
static void
forgive_failed_connection(int code, Datum arg)
{
	(void) arg;
	if (code != 0 && !connected && !ShutdownRequestPending)
		proc_exit(0);
}

/* From the connection to the end; returns the exit code. */
static int
work(const WorkerArgs *args, WorkerEntry *entry)
{
	Oid			owner;
	int			slot;
	Dispatch   *d;
	Leave		leave;

	set_up_session();
	owner = find_owner();
	if (!OidIsValid(owner))
	{
		shmem_set_unwanted(MyDatabaseId, true);
		return 0;
	}
	slot = take_slot(args);
	if (slot < 0)
		return 0;
	/* no restart: what is missing must be granted first, and the next start asks for it beforehand */
	if (!worker_role_may_serve(MyDatabaseId))
		return 0;
	queue_set_owner(worker_role_is_set() ? InvalidOid : owner);
	shmem_serve(entry, slot);
	d = dispatch_create(slot, args->slot == 0 ? -1 : args->max_jobs, entry);
	leave = serve(d, args->slot > 0);
	if (args->slot > 0)
	{
		report_to(args->report, dispatch_finished(d));
		return 0;
	}
	if (leave == LEAVE_FOR_GOOD)
		return 0;
	/* as another role, unless that one cannot */
	if (!ShutdownRequestPending && !worker_role_may_serve(MyDatabaseId))
		return 0;
	/* no failure, so no back-off */
	if (leave == LEAVE_FOR_NOW && triage_shared)
		shmem_request_worker(MyDatabaseId, false, true);
	/* back it comes, if the server goes on, unless it is still not wanted: worker_start() found it running */
	if (leave == LEAVE_FOR_NOW || ShutdownRequestPending || !begin_to_leave() || !dispatch_still_unwanted(d))
		return 1;
	shmem_set_unwanted(MyDatabaseId, true);
	return 0;
}

/* The postmaster, which starts it again after a second, knows no back-off. */
static void
rest(void)
{
	EmitErrorReport();
	FlushErrorState();
	AbortCurrentTransaction();
	pgstat_report_activity(STATE_IDLE, "resting after an error, see the server's log");
	for (TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REST_MS);
		 !ShutdownRequestPending && GetCurrentTimestamp() < end;)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, YIELD_LOOK_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		QueryCancelPending = false;
		CHECK_FOR_INTERRUPTS();
		if (yield_database_taken(MyDatabaseId))
			break;
	}
}

void
triage_worker_main(Datum arg)
{
	WorkerArgs	args;
	WorkerEntry *entry;
	volatile int code = 1;

	memcpy(&args, MyBgworkerEntry->bgw_extra, sizeof(args));
	set_up_signals();
	on_proc_exit(forgive_failed_connection, (Datum) 0);
	/* before it connects, which may have to wait: nobody must start another one meanwhile */
	entry = shmem_join(DatumGetObjectId(arg), args.slot);
	worker_role_connect(DatumGetObjectId(arg));
	connected = true;
	PG_TRY();
	{
		code = work(&args, entry);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(TopMemoryContext);
		/* preloaded, the launcher has a back-off; and nobody waits for the next one-shot worker */
		if (triage_shared || args.slot > 0)
			PG_RE_THROW();
		rest();
	}
	PG_END_TRY();
	proc_exit(code);
}
