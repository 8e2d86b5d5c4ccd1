/*
 * dispatch.h
 *	  One pass of the worker: take answers, call, write them, claim.
 */
#ifndef TRIAGE_PG_DISPATCH_H
#define TRIAGE_PG_DISPATCH_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "pg/shmem.h"

typedef struct Dispatch Dispatch;

/* max_jobs: claim no more than this in all; negative: no limit.  entry: where to count, or NULL. */
extern Dispatch *dispatch_create(int slot, int max_jobs, WorkerEntry *entry);
extern int	dispatch_fd(const Dispatch *d);
/* The same for what is copied from sources; negative: nothing was yet, ask again after the next turn. */
extern int	dispatch_sync_fd(const Dispatch *d);
/* Something may have been committed: look at the queue in the next turn. */
extern void dispatch_wake(Dispatch *d);
/* The settings were read anew. */
extern void dispatch_reload(Dispatch *d);
extern void dispatch_turn(Dispatch *d);
/* How long the next turn can wait, in milliseconds. */
extern long dispatch_timeout(const Dispatch *d);
extern int	dispatch_in_flight(const Dispatch *d);
/* Why the provider is left alone for now, or NULL. */
extern const char *dispatch_trouble(const Dispatch *d);
/* Why nothing is claimed and called, or NULL. */
extern const char *dispatch_hold(const Dispatch *d);
/* True once after each stretch in which pg_stat_activity told of transactions. */
extern bool dispatch_showed(Dispatch *d);
/* Changes with each trouble. */
extern TimestampTz dispatch_trouble_since(const Dispatch *d);
extern int	dispatch_finished(const Dispatch *d);
/* Nothing is claimed, in the air or to be written. */
extern bool dispatch_is_idle(const Dispatch *d);
/* Claims no more; done when what is claimed is. */
extern void dispatch_drain(Dispatch *d);
/* With max_jobs, or draining: everything that was to be done is done. */
extern bool dispatch_is_done(const Dispatch *d);
/* worker_stop() was called, or the tables are gone. */
extern bool dispatch_is_unwanted(const Dispatch *d);
/* The last transaction lacked a right. */
extern bool dispatch_is_denied(const Dispatch *d);
/* Looks again: worker_start() may have been called since. */
extern bool dispatch_still_unwanted(Dispatch *d);
/* Writes the answers at hand, and gives back what is unfinished. */
extern void dispatch_give_back(Dispatch *d);

#endif
