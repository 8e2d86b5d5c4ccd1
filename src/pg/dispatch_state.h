/*
 * dispatch_state.h
 *	  What the parts of dispatch share: the worker's jobs in their four lists, the providers, and what is due when.
 *
 * A job is in one list at a time: free, ready (claimed, not called), flying, answered (to be written).
 * dispatch.c turns the wheel (nothing below calls it), claims.c fills ready, calls.c moves jobs through flying to answered,
 * withdrawals.c moves there what was called off, writes.c empties it.
 */
#ifndef TRIAGE_PG_DISPATCH_STATE_H
#define TRIAGE_PG_DISPATCH_STATE_H

#include "postgres.h"

#include "core/json_reader.h"
#include "net/pool.h"
#include "pg/dispatch.h"
#include "pg/endpoint.h"
#include "pg/pause.h"
#include "pg/queue.h"
#include "pg/shmem.h"
#include "utils/timestamp.h"

/* A lease outlives the wait for a place in the air, the call, and the write. */
#define LEASE_MARGIN_MS 30000
/* Gone round without effect: after an error in a transaction, and for a tenant that lacks what a request needs. */
#define ERROR_PAUSE_MS 1000
#define TENANT_PAUSE_MS 60000

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
	JsonReader *reader;			/* of answers; or NULL */
	JobList		free;
	JobList		ready;			/* claimed, oldest first */
	JobList		flying;
	JobList		answered;
	Cursor		cursor;
	Endpoint	endpoints[MAX_PROVIDERS];	/* by rank */
	int			endpoint_count;
	Endpoint   *serving;		/* the first that may be called; NULL: none */
	int			serving_room;	/* calls that it may be sent now */
	TimestampTz open_at;		/* while none serves: when to look again */
	bool		limited;		/* while none serves: a limit per minute is why */
	char		trouble[REASON_MAX];	/* while none serves: why, for pg_stat_activity; in UTF-8 */
	TimestampTz trouble_since;
	TimestampTz next_watch;		/* when to look at key files; 0: no provider waits for one */
	TimestampTz next_start;		/* when to try the ready jobs again that no call's end will move */
	bool		look;			/* the queue may hold something to claim */
	bool		look_behind;	/* and so since the start of the queue was looked at last */
	bool		more;			/* the last claim took all it asked for */
	TimestampTz next_look;
	TimestampTz next_rescan;
	TimestampTz next_escalation;	/* of conversations that have waited too long */
	TimestampTz next_early_rescan;	/* not before this, for a wake-up that brought nothing new */
	TimestampTz next_control;
	TimestampTz next_write;		/* when the gathered answers are due */
	int			latency_ms;		/* of the latest call */
	TimestampTz halve_until;	/* no more halving of what waits for locks after this */
	TimestampTz paused_until;	/* after an error */
	TimestampTz last_turn;		/* by the clock then */
	bool		taken_over;		/* what the slot's last process had claimed is free */
	TimestampTz next_take_over;
	int			take_over_pause_ms;
	TimestampTz woken_at;		/* a wake-up that no claim has followed yet; 0: none */
	bool		denied;			/* the last transaction lacked a right */
	bool		unwanted;
	bool		claims_suspect; /* woken: a claim may have been withdrawn */
	TimestampTz claims_checked_at;
	bool		held;			/* nothing is claimed and called, as of the last claim */
	char		hold[PAUSE_TEXT_MAX];	/* why */
	bool		showed;			/* pg_stat_activity tells of a transaction */
	bool		last_resort_turn;
	bool		budget_waits;	/* jobs wait for what answers release, or for the next period */
	char		budget_trouble[REASON_MAX];
	TimestampTz budget_trouble_since;
	struct Sync *sync;			/* NULL in a one-shot worker */
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
extern void dispatch_count(Dispatch *d, WorkerCounter counter, int64 n);
/* What the next transaction does, for pg_stat_activity. */
extern void dispatch_show(Dispatch *d, const char *what);
extern bool dispatch_is_passing(int sqlstate);
/* One transaction; NULL on success, else the error, in the turn's context. */
extern ErrorData *dispatch_transact(Dispatch *d, Work work, void *arg, bool synchronous);
extern void dispatch_report(ErrorData *error, const char *what);
/* How many calls may be in the air to the provider that serves. */
extern int	dispatch_limit(const Dispatch *d);
/* The answers that are there wait for others, from now on. */
extern void dispatch_gather(Dispatch *d, TimestampTz now);
extern void dispatch_add_answered(Dispatch *d, Job *job);
/* Adds those of the list whose leases end soon; jobs[] has room for all. */
extern void dispatch_find_ending(const JobList *list, TimestampTz now, Batch *ending);
/* Inside a transaction: prolongs their leases by all that a call may take. */
extern void dispatch_extend(const Batch *ending);
/* The claim ends without a call, and its attempt is given back. */
extern void dispatch_return_job(Job *job, int64 delay_ms);

/* endpoint.c */
/* Inside a transaction: the providers as they are now.  stopped: worker_stop() was called. */
extern void endpoints_read(Dispatch *d, bool *stopped);
/* Sets serving, or what stands in its way. */
extern void endpoints_choose(Dispatch *d, TimestampTz now);
/* By the provider's name; NULL when it is gone. */
extern Endpoint *endpoint_find(Dispatch *d, const char *name);
/* Before anything is looked up or connected: is this URL listed, and is the key there?  pauses: as gate_enter() said. */
extern bool endpoint_may_be_called(Endpoint *endpoint, uint32 pauses, const char **why);
/* Has a key file changed that a paused provider waits for? */
extern void endpoints_watch(Dispatch *d, TimestampTz now);
/* The settings were read anew. */
extern void endpoints_reload(Dispatch *d);

/* claims.c */
/* Inside a transaction; false: this worker has no business in this database. */
extern bool claims_may_serve(const Dispatch *d);
/* Inside a transaction: the provider as it is now, and whether this worker is wanted. */
extern void claims_read_provider(Dispatch *d);
extern bool claims_due(const Dispatch *d, TimestampTz now);
extern void claims_make(Dispatch *d, TimestampTz now);

/* calls.c */
extern void calls_take_replies(Dispatch *d);
/* After the providers were read anew: claims that may not be called any more go back. */
extern void calls_recheck(Dispatch *d, TimestampTz now);
extern void calls_start(Dispatch *d, TimestampTz now);
/* Ends a call without an answer; the job is in no list then. */
extern void calls_abort(Dispatch *d, Job *job);

/* withdrawals.c */
/* Calls off the claims that are not current any more, if it is time to look for them. */
extern void withdrawals_call_off(Dispatch *d, TimestampTz now);
/* Milliseconds until it is time. */
extern long withdrawals_timeout(const Dispatch *d, TimestampTz now);

/* writes.c */
extern void writes_some(Dispatch *d, TimestampTz now);
/* All answers that are due, unless they wait for company. */
/* Are there answers to write now? */
extern bool writes_due(const Dispatch *d, TimestampTz now);
extern void writes_answers(Dispatch *d, TimestampTz now);

#endif
