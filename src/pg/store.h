/*
 * store.h
 *	  What queue.c and store.c share.
 */
#ifndef TRIAGE_PG_STORE_H
#define TRIAGE_PG_STORE_H

#include "executor/spi.h"
#include "pg/queue.h"

/* Writes a lost run for each job whose lease was ended, and moves those whose tries are spent to the dead letters. */
extern void store_lost(Job **jobs, int count);
/*
 * Writes the run of an answer whose claim is no longer current, and settles what the claim had reserved; does nothing
 * when the answer does not tell what the call cost.
 */
extern void store_stale(Job *job);
/* Condition that finds the jobs j of the claims u; see rows_execute_by_id(). */
#define STORE_CLAIM_OF_U "j.id = ANY ($1) AND j.id = u.id AND j.fence = u.fence AND j.tenant_id IS NOT DISTINCT FROM u.tenant_id"
/* Executes an update of the claims' jobs; u has a column lease_until, with this value in each row.  Returns how many were. */
extern uint64 store_lease(Job **jobs, int count, TimestampTz lease_until, SPIPlanPtr *plan, const char *sql);

#endif
