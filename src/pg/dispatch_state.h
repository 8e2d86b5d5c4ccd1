/*
 * dispatch_state.h
 *	  What the parts of dispatch share: the worker's jobs in their four lists, the provider, and what is due when.
 *
 * A job is in one list at a time: free, ready (claimed, not called), flying, answered (to be written).
 * dispatch.c turns the wheel (nothing below calls it), claims.c fills ready, calls.c moves jobs through flying to answered, writes.c empties it.
 */
#ifndef TRIAGE_PG_DISPATCH_STATE_H
#define TRIAGE_PG_DISPATCH_STATE_H

#include "postgres.h"

#include "net/pool.h"
#include "net/secret.h"
#include "pg/config.h"
#include "pg/dispatch.h"
#include "pg/queue.h"
#include "pg/shmem.h"
#include "utils/timestamp.h"

/* A lease outlives the wait for a place in the air, the call, and the write. */
#define LEASE_MARGIN_MS 30000
/* Gone round without effect: after an error in a transaction, and for a provider that cannot serve. */
#define ERROR_PAUSE_MS 1000
#define PROVIDER_PAUSE_MS 60000

typedef struct JobList
{
	Job		  **jobs;
	int			count;
	int			size;
} JobList;

struct Dispatch
{
	int			slot;
	int			jobs_left;		/* negative: no limit */
	int			finished;
	WorkerEntry *entry;
	MemoryContext context;		/* reset every turn */
	Pool	   *pool;
	JobList		free;
	JobList		ready;			/* claimed, oldest first */
	JobList		flying;
	JobList		answered;
	Cursor		cursor;
	Provider	provider;
	bool		has_provider;
	char		secret[SECRET_MAX + 1];
	bool		secret_known;
	TimestampTz provider_closed_until;	/* throttled, or cannot serve */
	char		trouble[REASON_MAX];	/* why, for pg_stat_activity */
	int			unreachable;	/* rounds in which no connection could be made; then one call probes */
	bool		look;			/* the queue may hold something to claim */
	bool		more;			/* the last claim took all it asked for */
	TimestampTz next_look;
	TimestampTz next_rescan;
	TimestampTz next_early_rescan;	/* not before this, for a wake-up that brought nothing new */
	TimestampTz next_control;
	TimestampTz next_write;		/* when the gathered answers are due */
	TimestampTz halve_until;	/* no more halving of what waits for locks after this */
	TimestampTz paused_until;	/* after an error */
	bool		unwanted;
	bool		last_resort;	/* the claim at hand is builtin's, the budget leaves the provider nothing */
	bool		last_resort_turn;
	bool		budget_waits;	/* jobs wait for what answers release, or for the next period */
	char		budget_trouble[REASON_MAX];
	TimestampTz budget_trouble_since;
};

typedef void (*Work) (Dispatch *d, void *arg);

typedef struct Batch
{
	Job		  **jobs;
	int			count;
} Batch;

static inline TimestampTz
in_ms(TimestampTz now, int64 ms)
{
	return TimestampTzPlusMilliseconds(now, ms);
}

/* dispatch_state.c */
extern void job_list_add(JobList *list, Job *job);
extern void job_list_remove(JobList *list, int i, int count);
extern Job *dispatch_new_job(Dispatch *d);
extern void dispatch_free_job(Dispatch *d, Job *job);
extern void dispatch_count(Dispatch *d, WorkerCounter counter, int n);
extern bool dispatch_is_passing(int sqlstate);
/* One transaction; NULL on success, else the error, in the turn's context. */
extern ErrorData *dispatch_transact(Dispatch *d, Work work, void *arg, bool synchronous);
extern void dispatch_report(ErrorData *error, const char *what);
/* How many calls may be in the air. */
extern int	dispatch_limit(const Dispatch *d);
extern void dispatch_add_answered(Dispatch *d, Job *job);
/* The claim ends without a call, and its attempt is given back. */
extern void dispatch_return_job(Job *job, int64 delay_ms);

/* claims.c */
/* Inside a transaction: the provider as it is now, and whether this worker is wanted. */
extern void claims_read_provider(Dispatch *d);
extern bool claims_due(const Dispatch *d, TimestampTz now);
extern void claims_make(Dispatch *d, TimestampTz now);

/* calls.c */
extern void calls_take_replies(Dispatch *d);
extern void calls_start(Dispatch *d, TimestampTz now);

/* writes.c */
extern void writes_some(Dispatch *d, TimestampTz now);
/* All answers that are due, unless they wait for company. */
extern void writes_answers(Dispatch *d, TimestampTz now);

#endif
