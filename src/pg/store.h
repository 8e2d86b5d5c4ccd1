/*
 * store.h
 *	  What queue.c and store.c share.
 */
#ifndef TRIAGE_PG_STORE_H
#define TRIAGE_PG_STORE_H

#include "pg/queue.h"

/* Writes a lost run for each job whose lease was ended, and moves those whose tries are spent to the dead letters. */
extern void store_lost(Job **jobs, int count);
/* The keys of a claim as two arrays: ids and fences. */
extern void store_key_arrays(Job **jobs, int count, Datum *ids, Datum *fences);

#endif
