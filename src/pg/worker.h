/*
 * worker.h
 *	  The process that serves one database.
 */
#ifndef TRIAGE_PG_WORKER_H
#define TRIAGE_PG_WORKER_H

#include "postgres.h"

#include "port/atomics.h"

/* What a one-shot worker reports to the session that waits for it, in a dynamic shared memory segment. */
typedef struct WorkerReport
{
	pg_atomic_uint32 finished;	/* jobs whose fate was written */
} WorkerReport;

/*
 * Waits for a worker of this database that has looked for the last time whether it is wanted, and lets none do so until
 * the transaction ends: what that is about to say must not be missed.
 */
extern void worker_await_leaving(void);

#endif
