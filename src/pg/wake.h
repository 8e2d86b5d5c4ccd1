/*
 * wake.h
 *	  Commit-time wake-up of the database's worker, and how a worker is found and started.
 */
#ifndef TRIAGE_PG_WAKE_H
#define TRIAGE_PG_WAKE_H

#include "postgres.h"

#include "postmaster/bgworker.h"
#include "storage/latch.h"

#define WORKER_TYPE "triage worker"
#define ONESHOT_TYPE "triage one-shot worker"

/* What a worker is told at its start; travels in bgw_extra. */
typedef struct WorkerArgs
{
	int			slot;			/* 0: the database's resident worker; above: a one-shot worker */
	int			max_jobs;		/* one-shot: claim no more than this */
	uint32		report;			/* one-shot: dsm handle to report to, or 0 */
} WorkerArgs;

/* Wakes the worker when the current transaction commits; starts one if there is none and triage.autostart is on. */
extern void wake_at_commit(void);
/* The same, and starts one whatever triage.autostart says. */
extern void wake_start_at_commit(void);
/* Latch of this database's resident worker, or NULL. */
extern Latch *wake_find_worker(Oid database);
/* False: no free slot of max_worker_processes.  handle may be NULL, and must be at COMMIT. */
extern bool wake_start_worker(Oid database, const WorkerArgs *args, BackgroundWorkerHandle **handle);

#endif
