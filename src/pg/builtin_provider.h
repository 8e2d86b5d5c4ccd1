/*
 * builtin_provider.h
 *	  The provider "builtin": answers in process, from text search and a lexicon.
 */
#ifndef TRIAGE_PG_BUILTIN_PROVIDER_H
#define TRIAGE_PG_BUILTIN_PROVIDER_H

#include "pg/queue.h"

/* Answers each job at once: they come back JOB_ANSWERED.  Inside the claim's transaction: no network is involved. */
extern void builtin_provider_answer(Job **jobs, const TicketInput *inputs, int count);
/* The same for a job of another kind. */
extern void builtin_provider_converse(Job *job, const Conversation *conversation);

#endif
