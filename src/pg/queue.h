/*
 * queue.h
 *	  The queue's protocol: claim, store, release, reap.
 *
 * Every function here runs inside a transaction with an SPI connection that the caller opened (queue_begin() and
 * queue_commit() for the worker; a SQL function has its own), as the tables' owner.  None of them touches the network.
 */
#ifndef TRIAGE_PG_QUEUE_H
#define TRIAGE_PG_QUEUE_H

#include "postgres.h"

#include "core/prompt.h"
#include "core/retry.h"
#include "core/ticket.h"
#include "core/verdict.h"
#include "datatype/timestamp.h"

/* Most jobs one claim takes, and most answers one write stores: 64 to 128 cost least per ticket. */
#define QUEUE_MAX_BATCH 128

/* A model's name has up to 200 characters. */
#define MODEL_SIZE 801

/* Slots of claims that no worker process of ours holds. */
#define SLOT_EXTERNAL (-1)

/* One tenant's labels and prompt for one kind as of a claim; shared by the jobs of that claim.  malloc'd. */
typedef struct Vocabulary
{
	int			references;
	JobKind		kind;
	char	   *system_text;	/* NULL: the tenant has no active prompt */
	int			prompt_version;
	Category   *categories;
	int			category_count;
	bool		framed;			/* frame is made, for the provider of this claim */
	PromptFrame frame;
} Vocabulary;

typedef enum JobState
{
	JOB_FREE,
	JOB_READY,					/* claimed, its call not started */
	JOB_IN_FLIGHT,
	JOB_ANSWERED				/* waits to be written */
} JobState;

/* What became of an answer when it was stored. */
typedef enum StoreResult
{
	STORE_WRITTEN,				/* result, or its failure, or its return to the queue */
	STORE_STALE,				/* the claim was no longer current: only its run was written */
	STORE_LOCKED				/* somebody holds the ticket: try again later */
} StoreResult;

/* A claimed job from claim to write.  malloc'd parts are freed by job_reset(). */
typedef struct Job
{
	JobState	state;
	/* the claim */
	int64		id;
	JobKind		kind;
	int64		ticket_id;		/* it is about this, or a session, or a cluster: the others are 0 */
	int64		session_id;
	int64		cluster_id;
	char	   *tenant_id;
	int			fence;
	int			attempts;		/* this claim included */
	int			ticket_version;
	bool		is_read;		/* of another kind than triage: version is that of what was read */
	int64		version;
	TimestampTz run_at;			/* since when it was due */
	TimestampTz lease_until;
	Vocabulary *vocabulary;
	Category   *labels;			/* that were read with it, in UTF-8: what its answer may name */
	int			label_count;
	int			text_count;
	/* the call */
	TimestampTz provider_version;	/* the provider's updated_at when the request was worded */
	int			timeout_ms;		/* of the provider that it was claimed for */
	struct Gate *gate;			/* in whose count it is while its call is in the air */
	bool		probe;			/* its call decides whether the gate opens */
	int			tokens;			/* that the call was estimated to take */
	bool		refused_alone;	/* queue_refused_alone() */
	Buf			body;
	int			place;			/* in the caller's list of calls */
	bool		called;			/* a model was asked: that is a run, whatever became of it */
	TimestampTz started_at;
	/* the answer */
	RunOutcome	outcome;
	bool		truncated;		/* UNUSABLE_ANSWER because the model ran out of room */
	int			http_status;	/* 0: none */
	Usage		usage;
	bool		free;			/* answered in process: costs nothing, whatever the prices say */
	int			latency_ms;		/* negative: no call was finished */
	Verdict		verdict;		/* when SUCCEEDED */
	RetryDecision decision;
	bool		unwanted;		/* there is nothing to do about it any more: the job goes */
	bool		buried;			/* it became a dead letter */
	StoreResult stored;
	int			put_off_ms;		/* STORE_LOCKED: how long the last time */
	TimestampTz not_before;		/* and when to try again */
	/* texts, after all that job_reset() sets to zero: emptied, they are left alone */
	char		provider[64];
	char		model[MODEL_SIZE];	/* that was asked, then that answered */
	char		asked_model[MODEL_SIZE];
	char		request_id[201];
	char		reason[REASON_MAX];
	char		charged[CHARGED_SIZE];	/* what the reply says it cost, in USD; "": nothing */
} Job;

/* Where the claimer stands in each priority; every zeroed entry means the start. */
typedef struct Cursor
{
	struct
	{
		TimestampTz run_at;
		int64		id;
	}			at[PRIORITY_COUNT];
} Cursor;

/* Of which tenants jobs are claimed. */
typedef enum ClaimTenants
{
	CLAIM_ALL,
	CLAIM_EXCEPT,
	CLAIM_ONLY
} ClaimTenants;
#define CLAIM_TENANTS_COUNT 3

struct BudgetTerms;

typedef struct ClaimRequest
{
	int			max_jobs;
	int			slot;
	TimestampTz lease_until;
	TimestampTz now;
	const char *provider;
	ClaimTenants which;
	Datum		tenants;		/* text[], unless CLAIM_ALL */
	struct BudgetTerms *terms;	/* NULL: the claim reserves nothing */
	Datum		kinds;			/* text[]; 0: all */
} ClaimRequest;

extern void cursor_reset(Cursor *cursor);

/*
 * Claims up to request->max_jobs due jobs in order of priority and age into jobs[], which the caller offers as
 * JOB_FREE; counts each one's attempt and moves its fence.  Returns how many.  The tickets' text is not read.  Under
 * terms, only jobs that the budgets cover stay claimed, and the pointers in jobs[] may change places.
 */
extern int	queue_claim(const ClaimRequest *request, Cursor *cursor, Job **jobs);

/* A claimed job's ticket, palloc'd, in UTF-8; found is false when it was deleted meanwhile. */
typedef struct TicketText
{
	bool		found;
	TicketInput input;
} TicketText;
extern void queue_read_tickets(Job **jobs, int count, TicketText *texts);

/*
 * Writes what became of each job: result and ticket, or its return to the queue, or its dead letter; and the run of
 * each that was called, except STORE_LOCKED.  A claim that is no longer current is dropped (STORE_STALE).
 */
extern void queue_store(Job **jobs, int count);

/* Ends the leases of a slot whose process is gone (slot >= 0), writing a lost run for each. */
extern int	queue_free_slot(int slot);
/* Ends the leases that ran out at or before the cursor (NULL: everywhere), writing a lost run for each. */
extern int	queue_reap(const Cursor *cursor, TimestampTz now);
/*
 * Where one of them cannot be freed: some of the jobs whose leases those are, not always the same, into ids[], and what else
 * queue_reap() does; then the same for those named.
 */
#define QUEUE_MAX_ENDED (PRIORITY_COUNT * QUEUE_MAX_BATCH)
extern int	queue_find_ended(const Cursor *cursor, TimestampTz now, int64 *ids);
extern int	queue_reap_these(const int64 *ids, int count, TimestampTz now);
/* Undoes claims of this very transaction: no attempt is counted. */
extern void queue_unclaim(Job **jobs, int count);
/* An earlier run of the job was refused with the same status, and the provider has served another ticket since. */
extern bool queue_refused_alone(const Job *job);
/* Prolongs the leases of claims that are still current; where somebody has locked one, the jobs' lease_until stay as they are. */
extern void queue_extend(Job **jobs, int count, TimestampTz lease_until);
/*
 * Which of the claims are the current ones of their jobs.  jobs[] is sorted by id and tenant; current[] comes zeroed.
 */
extern void queue_find_current(Job **jobs, int count, bool *current);
/* When the next job that is not yet due becomes so; 0: there is none. */
extern TimestampTz queue_next_due(TimestampTz now);

/* For a row whose columns are ticket, session and cluster. */
extern void job_set_subject(Job *job, uint64 row, int ticket_column, int session_column, int cluster_column);
/* What the job is about, as people call it, and its id. */
extern const char *job_subject(const Job *job, int64 *id);
/* What its answer may name: of triage the tenant's categories. */
extern Offer job_offer(const Job *job);
extern void job_reset(Job *job);
extern void job_set_kind(Job *job, const char *name);
/* Copies text of the server's encoding into a field of a Job, in UTF-8, clipped between two characters. */
extern void job_set_text(char *field, size_t size, const char *text);
/* Undoes what was read and built for the call, and keeps the claim. */
extern void job_forget_request(Job *job);
/* What becomes of a job whose outcome is set.  hint_ms: the provider's wish, negative for none. */
extern void job_decide(Job *job, int64 hint_ms);

#define QUEUE_SEARCH_PATH "pg_catalog, pg_temp"

/* The worker's own transactions.  Commit is asynchronous for a claim: a lost claim's caller died with it. */
/* owner: whose rights they have, until the tables are another's; InvalidOid: the session's own. */
extern void queue_set_owner(Oid owner);
/* Raises when the tables are not those of the first time. */
extern void queue_begin(void);
/* It has found them so: this process has nothing more to do with them. */
extern bool queue_is_replaced(void);
extern void queue_commit(bool synchronous);
/* This transaction's commit is synchronous, whatever queue_commit() is told. */
extern void queue_commit_synchronously(void);

#endif
