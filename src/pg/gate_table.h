/*
 * gate_table.h
 *	  The gates' table, for gate.c, which changes it, and gate_status.c, which shows it.
 */
#ifndef TRIAGE_PG_GATE_TABLE_H
#define TRIAGE_PG_GATE_TABLE_H

#include "postgres.h"

#include "core/bucket.h"
#include "pg/gate.h"
#include "storage/spin.h"


/* Guarded by its lock; a new account begins with all zero from breaker on. */
struct Gate
{
	slock_t		lock;
	Breaker		breaker;
	Bucket		requests;
	Bucket		tokens;
	double		usual_tokens;	/* what a call is estimated at, lately */
	int			in_flight;
	int			waiting_pid;	/* a process that has no place: the next one is its */
	int64		waiting_until;	/* unless it has not asked again by then */
	uint32		pauses;
	uint64		calls;			/* since the server started */
	int64		last_success;	/* 0: never */
	int64		used_at;
	int64		failed_job;		/* what closed it last ... */
	Oid			failed_database;
	char		reason[REASON_MAX]; /* ... and why; in UTF-8 */
};

typedef struct GateTable
{
	LWLock	   *lock;			/* guards keys; NULL when the table is one process's */
	uint64		keys[GATE_COUNT];	/* 0: free */
	Gate		gates[GATE_COUNT];
} GateTable;

extern GateTable *gate_table(void);
/* Place of the account's gate, or negative.  The caller holds the table's lock. */
extern int	gate_search(const GateTable *table, uint64 key);

/* Until when the provider's own count says that nothing is left; 0: it does not. */
static inline int64
gate_limited_until(const Gate *gate, int64 now_ms)
{
	int64		wait = Max(bucket_wait_ms(&gate->requests, 0, 1, now_ms), bucket_wait_ms(&gate->tokens, 0, 1, now_ms));

	return wait > 0 ? now_ms + wait : 0;
}

#endif
