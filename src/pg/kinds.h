/*
 * kinds.h
 *	  The kinds of job beside triage: what they are about is read, locked and written by SQL functions.
 *
 * Every function here runs inside the caller's transaction and SPI connection.
 */
#ifndef TRIAGE_PG_KINDS_H
#define TRIAGE_PG_KINDS_H

#include "pg/queue.h"

static inline bool
is_conversation(const Job *job)
{
	return job->kind != KIND_TRIAGE;
}

/*
 * Reads a claimed job's conversation, palloc'd, in UTF-8, and notes in the job its version and what its answer may name.
 * False: there is nothing to ask, and the job is answered: it is to go, or to become a dead letter; queue_store() does it.
 */
extern bool kinds_read(Job *job, Conversation *conversation);
/* The same as jsonb, for a worker that is not part of the server. */
extern bool kinds_read_jsonb(Job *job, Datum *request);
/*
 * Locks what the jobs are about, without waiting: stored becomes STORE_LOCKED where somebody else has a lock.  An answer
 * that was overtaken becomes a stale one, and its job goes back to be looked at anew.
 */
extern void kinds_lock(Job **jobs, int count);
/* Stores an answer whose run has that id. */
extern void kinds_store(const Job *job, int64 run_id);
/* Hands conversations to people that have waited for the AI too long. */
extern void kinds_escalate_unanswered(void);
/* Tells that the job became a dead letter; an error of it is logged, unless waiting would help. */
extern void kinds_give_up(const Job *job);

#endif
