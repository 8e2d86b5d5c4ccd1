/*
 * shmem.h
 *	  What the launcher, the workers and the backends share when the library is preloaded.
 *
 * Without preload triage_shared is NULL and everybody must do without: a worker is then found through the proc array,
 * and has no counters to show.
 */
#ifndef TRIAGE_PG_SHMEM_H
#define TRIAGE_PG_SHMEM_H

#include "postgres.h"

#include "core/ticket.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#define SHMEM_MAX_WORKERS 64
#define SHMEM_MAX_UNWANTED 1024

typedef enum WorkerCounter
{
	COUNTER_CLAIMED,
	COUNTER_WRITTEN,
	COUNTER_RETRIED,
	COUNTER_FAILED,
	COUNTER_STALE,
	COUNTER_IN_FLIGHT,			/* a gauge */
	COUNTER_BYTES_SENT,
	COUNTER_BYTES_RECEIVED,
	COUNTER_WAKES,				/* claims that followed a wake-up, and how long after it they were committed */
	COUNTER_WAKE_US,
	COUNTER_WAKE_MAX_US,
	COUNTER_OUTCOMES,			/* one for each RunOutcome from here on */
	COUNTER_COUNT = COUNTER_OUTCOMES + OUTCOME_COUNT
} WorkerCounter;

/* One running worker; free when database is InvalidOid.  All but the counters are guarded by the lock. */
typedef struct WorkerEntry
{
	Oid			database;
	pid_t		pid;
	int			slot;
	Latch	   *latch;
	TimestampTz started_at;
	pg_atomic_uint64 counters[COUNTER_COUNT];
	pg_atomic_uint64 woken_at;	/* a TimestampTz: the first wake-up that the worker has not noticed yet; 0: none */
} WorkerEntry;

typedef struct TriageShared
{
	LWLock	   *lock;
	Latch	   *launcher_latch;
	WorkerEntry workers[SHMEM_MAX_WORKERS];
	/* databases whose worker found that it has nothing to do there: no extension, or stopped */
	int			unwanted_count;
	Oid			unwanted[SHMEM_MAX_UNWANTED];
} TriageShared;

extern TriageShared *triage_shared;

extern void shmem_request(void);
/* The calling worker's entry, or NULL without preload or when all are taken.  Given back at exit. */
extern WorkerEntry *shmem_join(int slot);
/* Latch of the database's worker, or NULL. */
extern Latch *shmem_find_worker(Oid database);
/* Wakes the workers of all databases but the caller: a gate has opened. */
extern void shmem_wake_workers(void);
/* At COMMIT, where nothing may fail: whoever is about to set the latch it found last says when. */
extern void shmem_note_wake(void);
/* A worker says whether its database wants one; when the list is full the launcher's back-off has to do. */
extern void shmem_set_unwanted(Oid database, bool unwanted);
extern bool shmem_is_unwanted(Oid database);
/* Tells the launcher to look again. */
extern void shmem_poke_launcher(void);

#endif
