/*
 * shmem.c
 *	  Reserve, attach and keep the shared memory that exists when the library is preloaded.
 *
 * Knows nothing of the queue.  A worker that dies without its exit callback takes the whole server through a crash
 * restart, which makes this memory anew, so an entry never outlives its process.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pg/events_notify.h"
#include "pg/gate.h"
#include "pg/shmem.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

#define TRANCHE_NAME "triage"

TriageShared *triage_shared = NULL;

static shmem_request_hook_type previous_request_hook = NULL;
static shmem_startup_hook_type previous_startup_hook = NULL;
static WorkerEntry *my_entry = NULL;

static Size
shared_size(void)
{
	return add_size(offsetof(TriageShared, workers), mul_size(max_worker_processes, sizeof(WorkerEntry)));
}

static void
request_hook(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(shared_size());
	RequestAddinShmemSpace(gate_shared_size());
	RequestAddinShmemSpace(events_notify_shared_size());
	/* the workers' list, the gates' table */
	RequestNamedLWLockTranche(TRANCHE_NAME, 2);
}

static void
startup_hook(void)
{
	bool		found;
	void	   *gates;
	void	   *notified;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	triage_shared = ShmemInitStruct("triage", shared_size(), &found);
	if (!found)
	{
		memset(triage_shared, 0, shared_size());
		triage_shared->worker_count = max_worker_processes;
		pg_atomic_init_u32(&triage_shared->waiting, 0);
		triage_shared->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		for (int i = 0; i < triage_shared->worker_count; i++)
		{
			for (int c = 0; c < COUNTER_COUNT; c++)
				pg_atomic_init_u64(&triage_shared->workers[i].counters[c], 0);
			pg_atomic_init_u64(&triage_shared->workers[i].woken_at, 0);
		}
	}
	gates = ShmemInitStruct("triage gates", gate_shared_size(), &found);
	gate_shared_init(gates, found, &GetNamedLWLockTranche(TRANCHE_NAME)[1].lock);
	notified = ShmemInitStruct("triage notifications", events_notify_shared_size(), &found);
	events_notify_shared_init(notified, found);
	LWLockRelease(AddinShmemInitLock);
}

void
shmem_request(void)
{
	previous_request_hook = shmem_request_hook;
	shmem_request_hook = request_hook;
	previous_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_hook;
}

static void
poke_launcher(void)
{
	/* read once: the launcher takes it back when it ends, and a commit may be here just then */
	Latch	   *latch = triage_shared ? *(Latch *volatile *) &triage_shared->launcher_latch : NULL;

	if (latch)
		SetLatch(latch);
}

static void
leave(int code, Datum arg)
{
	(void) code;
	(void) arg;
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	my_entry->database = InvalidOid;
	my_entry->pid = 0;
	my_entry->serving = false;
	my_entry->latch = NULL;
	LWLockRelease(triage_shared->lock);
	poke_launcher();
}

WorkerEntry *
shmem_join(Oid database, int slot)
{
	if (triage_shared == NULL)
		return NULL;
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < triage_shared->worker_count && my_entry == NULL; i++)
	{
		WorkerEntry *entry = &triage_shared->workers[i];

		if (OidIsValid(entry->database))
			continue;
		entry->database = database;
		entry->pid = MyProcPid;
		entry->slot = slot;
		entry->latch = MyLatch;
		entry->started_at = GetCurrentTimestamp();
		for (int c = 0; c < COUNTER_COUNT; c++)
			pg_atomic_write_u64(&entry->counters[c], 0);
		pg_atomic_write_u64(&entry->woken_at, 0);
		my_entry = entry;
	}
	LWLockRelease(triage_shared->lock);
	/* registered before the connection, so run after its end: who is told by it finds the slot's lock free */
	if (my_entry)
		before_shmem_exit(leave, (Datum) 0);
	return my_entry;
}

void
shmem_serve(WorkerEntry *entry, int slot)
{
	if (entry == NULL)
		return;
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	entry->slot = slot;
	entry->serving = true;
	LWLockRelease(triage_shared->lock);
}

Latch *
shmem_find_worker(Oid database)
{
	Latch	   *latch = NULL;

	LWLockAcquire(triage_shared->lock, LW_SHARED);
	for (int i = 0; i < triage_shared->worker_count; i++)
	{
		WorkerEntry *entry = &triage_shared->workers[i];

		if (entry->database != database || entry->slot != 0)
			continue;
		if (latch == NULL || entry->serving)
			latch = entry->latch;
	}
	LWLockRelease(triage_shared->lock);
	return latch;
}

void
shmem_wake_workers(void)
{
	if (triage_shared == NULL)
		return;
	LWLockAcquire(triage_shared->lock, LW_SHARED);
	for (int i = 0; i < triage_shared->worker_count; i++)
		if (triage_shared->workers[i].latch && triage_shared->workers[i].pid != MyProcPid)
			SetLatch(triage_shared->workers[i].latch);
	LWLockRelease(triage_shared->lock);
}

void
shmem_wake_database(Oid database)
{
	LWLockAcquire(triage_shared->lock, LW_SHARED);
	for (int i = 0; i < triage_shared->worker_count; i++)
	{
		WorkerEntry *entry = &triage_shared->workers[i];
		uint64		none = 0;

		if (entry->database != database || entry->slot != 0)
			continue;
		/* the first one counts: it is the one that waits longest */
		pg_atomic_compare_exchange_u64(&entry->woken_at, &none, (uint64) GetCurrentTimestamp());
		SetLatch(entry->latch);
	}
	LWLockRelease(triage_shared->lock);
}

/* With the lock held; make: in exclusive mode. */
static DatabaseNote *
find_note(Oid database, bool make)
{
	DatabaseNote *note;

	for (int i = 0; i < triage_shared->note_count; i++)
		if (triage_shared->notes[i].database == database)
			return &triage_shared->notes[i];
	if (!make || triage_shared->note_count == SHMEM_MAX_NOTES)
		return NULL;
	note = &triage_shared->notes[triage_shared->note_count++];
	*note = (DatabaseNote) {.database = database};
	return note;
}

void
shmem_set_unwanted(Oid database, bool unwanted)
{
	DatabaseNote *note;

	if (triage_shared == NULL)
		return;
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	note = find_note(database, unwanted);
	if (note)
	{
		note->unwanted = unwanted;
		if (unwanted)
			note->requested = note->fresh = false;
		/* nothing to say of it any more: the last one takes its place */
		if (!note->unwanted && !note->requested && !note->fresh)
			*note = triage_shared->notes[--triage_shared->note_count];
	}
	LWLockRelease(triage_shared->lock);
}

bool
shmem_is_unwanted(Oid database)
{
	DatabaseNote *note;
	bool		unwanted;

	LWLockAcquire(triage_shared->lock, LW_SHARED);
	note = find_note(database, false);
	unwanted = note && note->unwanted;
	LWLockRelease(triage_shared->lock);
	return unwanted;
}

bool
shmem_request_worker(Oid database, bool requested, bool at_once)
{
	DatabaseNote *note;

	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	note = find_note(database, true);
	if (note)
	{
		note->fresh |= note->unwanted || at_once;
		note->requested |= requested;
		note->unwanted = false;
	}
	LWLockRelease(triage_shared->lock);
	poke_launcher();
	return note != NULL;
}

bool
shmem_is_requested(Oid database)
{
	DatabaseNote *note;
	bool		requested;

	LWLockAcquire(triage_shared->lock, LW_SHARED);
	note = find_note(database, false);
	requested = note && note->requested;
	LWLockRelease(triage_shared->lock);
	return requested;
}

bool
shmem_take_fresh(Oid database)
{
	DatabaseNote *note;
	bool		fresh;

	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	note = find_note(database, false);
	fresh = note && note->fresh;
	if (fresh)
		note->fresh = false;
	LWLockRelease(triage_shared->lock);
	return fresh;
}

void
shmem_keep_notes(const Oid *databases, int count)
{
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	for (int i = triage_shared->note_count - 1; i >= 0; i--)
	{
		bool		keep = false;

		for (int k = 0; k < count && !keep; k++)
			keep = databases[k] == triage_shared->notes[i].database;
		if (!keep)
			triage_shared->notes[i] = triage_shared->notes[--triage_shared->note_count];
	}
	LWLockRelease(triage_shared->lock);
}
