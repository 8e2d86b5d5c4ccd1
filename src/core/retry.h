/*
 * retry.h
 *	  Outcome + attempts + randomness -> what becomes of the job.
 */
#ifndef TRIAGE_CORE_RETRY_H
#define TRIAGE_CORE_RETRY_H

#include "core/ticket.h"

typedef enum RetryAction
{
	RETRY_DONE,					/* store the result */
	RETRY_LATER,				/* back to the queue after delay_ms */
	RETRY_GIVE_UP				/* to the dead letters */
} RetryAction;

typedef struct RetryPolicy
{
	int			max_attempts;
	int			max_unusable_answers;	/* attempts after which an unusable answer is final: 3 = two more tries */
	int64_t		base_ms;
	int64_t		cap_ms;
} RetryPolicy;

typedef struct RetryDecision
{
	RetryAction action;
	int64_t		delay_ms;
	bool		attempt_spent;	/* false: the claim's attempt is given back */
} RetryDecision;

/* attempts: claims counted so far, this one included (>= 1).  hint_ms: the provider's, negative for none. */
extern RetryDecision retry_decide(const RetryPolicy *policy, RunOutcome outcome, int attempts,
								  int64_t hint_ms, uint32_t rnd);

#endif
