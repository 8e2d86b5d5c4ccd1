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

#define SHMEM_MAX_NOTES 1024

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

/*
 * One worker process, from before it connects; free when database is InvalidOid.  All but the counters are guarded by
 * the lock.
 */
typedef struct WorkerEntry
{
	Oid			database;
	pid_t		pid;
	int			slot;
	bool		serving;		/* it has its slot; another one of this slot is about to leave */
	Latch	   *latch;
	TimestampTz started_at;
	pg_atomic_uint64 counters[COUNTER_COUNT];
	pg_atomic_uint64 woken_at;	/* a TimestampTz: the first wake-up that the worker has not noticed yet; 0: none */
} WorkerEntry;

/* What the launcher must know of a database that pg_database does not say. */
typedef struct DatabaseNote
{
	Oid			database;
	bool		unwanted;		/* its worker found that it has nothing to do there: no extension, or stopped */
	bool		requested;		/* a session asked for a worker: also where triage.databases does not name it */
	bool		fresh;			/* and the launcher has not seen that yet: its back-off begins anew */
} DatabaseNote;

typedef struct TriageShared
{
	LWLock	   *lock;
	Latch	   *launcher_latch;
	pg_atomic_uint32 waiting;	/* databases that have no worker because no slot is free */
	int			note_count;
	DatabaseNote notes[SHMEM_MAX_NOTES];
	/* each worker takes one of max_worker_processes, so there is an entry for all that can be */
	int			worker_count;
	WorkerEntry workers[FLEXIBLE_ARRAY_MEMBER];
} TriageShared;

extern TriageShared *triage_shared;

extern void shmem_request(void);
/* The calling worker's entry, or NULL without preload.  It may not be connected yet; given back at exit. */
extern WorkerEntry *shmem_join(Oid database, int slot);
/* It has its slot, and goes on to serve.  entry may be NULL. */
extern void shmem_serve(WorkerEntry *entry, int slot);
/* Latch of the database's resident worker, be it starting, or NULL. */
extern Latch *shmem_find_worker(Oid database);
/* Sets the latch of every such worker, and notes when; at COMMIT, where nothing may fail. */
extern void shmem_wake_database(Oid database);
/* Wakes the workers of all databases but the caller: a gate has opened. */
extern void shmem_wake_workers(void);
/* A worker says whether its database wants one; when the list is full the launcher's back-off has to do. */
extern void shmem_set_unwanted(Oid database, bool unwanted);
extern bool shmem_is_unwanted(Oid database);
/*
 * A session wants a worker in its database.  requested: even if triage.databases does not name it; at_once: whatever
 * became of the last one.  False: the list is full.
 */
extern bool shmem_request_worker(Oid database, bool requested, bool at_once);
/* For the launcher: was a worker requested here; and since it asked last, so that it should begin anew? */
extern bool shmem_is_requested(Oid database);
extern bool shmem_take_fresh(Oid database);
/* Drops what is noted of other databases than these: they are gone. */
extern void shmem_keep_notes(const Oid *databases, int count);

#endif
