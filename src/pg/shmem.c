/*
 * shmem.c
 *	  Reserve, attach and keep the shared memory that exists when the library is preloaded.
 *
 * Knows nothing of the queue.  A worker that dies without its exit callback takes the whole server through a crash
 * restart, which makes this memory anew, so an entry never outlives its process.
 */
#include "postgres.h"

#include "miscadmin.h"
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
/* The worker found last.  When it is gone meanwhile, another one measures a wake-up that was not its own. */
static WorkerEntry *found_entry = NULL;

static void
request_hook(void)
{
	if (previous_request_hook)
		previous_request_hook();
	RequestAddinShmemSpace(sizeof(TriageShared));
	RequestAddinShmemSpace(gate_shared_size());
	/* the workers' list, the gates' table */
	RequestNamedLWLockTranche(TRANCHE_NAME, 2);
}

static void
startup_hook(void)
{
	bool		found;
	void	   *gates;

	if (previous_startup_hook)
		previous_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	triage_shared = ShmemInitStruct("triage", sizeof(TriageShared), &found);
	if (!found)
	{
		memset(triage_shared, 0, sizeof(TriageShared));
		triage_shared->lock = &GetNamedLWLockTranche(TRANCHE_NAME)->lock;
		for (int i = 0; i < SHMEM_MAX_WORKERS; i++)
		{
			for (int c = 0; c < COUNTER_COUNT; c++)
				pg_atomic_init_u64(&triage_shared->workers[i].counters[c], 0);
			pg_atomic_init_u64(&triage_shared->workers[i].woken_at, 0);
		}
	}
	gates = ShmemInitStruct("triage gates", gate_shared_size(), &found);
	gate_shared_init(gates, found, &GetNamedLWLockTranche(TRANCHE_NAME)[1].lock);
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
leave(int code, Datum arg)
{
	(void) code;
	(void) arg;
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	my_entry->database = InvalidOid;
	my_entry->pid = 0;
	my_entry->latch = NULL;
	LWLockRelease(triage_shared->lock);
	shmem_poke_launcher();
}

WorkerEntry *
shmem_join(int slot)
{
	if (triage_shared == NULL)
		return NULL;
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < SHMEM_MAX_WORKERS && my_entry == NULL; i++)
	{
		WorkerEntry *entry = &triage_shared->workers[i];

		if (OidIsValid(entry->database))
			continue;
		entry->database = MyDatabaseId;
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
	if (my_entry)
		before_shmem_exit(leave, (Datum) 0);
	return my_entry;
}

Latch *
shmem_find_worker(Oid database)
{
	Latch	   *latch = NULL;

	LWLockAcquire(triage_shared->lock, LW_SHARED);
	for (int i = 0; i < SHMEM_MAX_WORKERS && latch == NULL; i++)
		if (triage_shared->workers[i].database == database && triage_shared->workers[i].slot == 0)
		{
			found_entry = &triage_shared->workers[i];
			latch = found_entry->latch;
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
	for (int i = 0; i < SHMEM_MAX_WORKERS; i++)
		if (triage_shared->workers[i].latch && triage_shared->workers[i].pid != MyProcPid)
			SetLatch(triage_shared->workers[i].latch);
	LWLockRelease(triage_shared->lock);
}

void
shmem_note_wake(void)
{
	uint64		none = 0;

	/* the first one counts: it is the one that waits longest */
	if (triage_shared && found_entry)
		pg_atomic_compare_exchange_u64(&found_entry->woken_at, &none, (uint64) GetCurrentTimestamp());
}

static int
find_unwanted(Oid database)
{
	for (int i = 0; i < triage_shared->unwanted_count; i++)
		if (triage_shared->unwanted[i] == database)
			return i;
	return -1;
}

void
shmem_set_unwanted(Oid database, bool unwanted)
{
	int			i;

	if (triage_shared == NULL)
		return;
	LWLockAcquire(triage_shared->lock, LW_EXCLUSIVE);
	i = find_unwanted(database);
	if (unwanted && i < 0 && triage_shared->unwanted_count < SHMEM_MAX_UNWANTED)
		triage_shared->unwanted[triage_shared->unwanted_count++] = database;
	else if (!unwanted && i >= 0)
		triage_shared->unwanted[i] = triage_shared->unwanted[--triage_shared->unwanted_count];
	LWLockRelease(triage_shared->lock);
}

bool
shmem_is_unwanted(Oid database)
{
	bool		unwanted;

	LWLockAcquire(triage_shared->lock, LW_SHARED);
	unwanted = find_unwanted(database) >= 0;
	LWLockRelease(triage_shared->lock);
	return unwanted;
}

void
shmem_poke_launcher(void)
{
	if (triage_shared && triage_shared->launcher_latch)
		SetLatch(triage_shared->launcher_latch);
}
