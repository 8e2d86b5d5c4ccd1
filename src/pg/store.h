/*
 * store.h
 *	  What queue.c and store.c share.
 */
#ifndef TRIAGE_PG_STORE_H
#define TRIAGE_PG_STORE_H

#include "pg/queue.h"

/* Writes a lost run for each job whose lease was ended, and moves those whose tries are spent to the dead letters. */
extern void store_lost(Job **jobs, int count);
/*
 * Writes the run of an answer whose claim is no longer current, and settles what the claim had reserved; does nothing
 * when the answer does not tell what the call cost.
 */
extern void store_stale(Job *job);
/* The keys of a claim as two arrays: ids and fences. */
extern void store_key_arrays(Job **jobs, int count, Datum *ids, Datum *fences);

#endif
