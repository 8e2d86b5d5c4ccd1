/*
 * retry.c
 *	  What becomes of a job after its call.
 *
 * Pure: no clock, no allocation, no provider.  The caller supplies the attempts and the randomness, so a unit test
 * reaches every branch.  An attempt is given back when the failure says nothing about the ticket: a throttled or unpaid
 * account must not turn a queue into dead letters.
 */
#include "core/retry.h"

/* Without a hint a throttled provider is asked again after this long: the limits are per minute or per second. */
#define RETRY_THROTTLED_MS 1000
/* A person has to act: look again once a minute. */
#define RETRY_OPERATOR_MS 60000
#define RETRY_OPERATOR_JITTER_MS 15000
/* Hints beyond this are nonsense, whoever passes them. */
#define RETRY_HINT_MAX_MS INT64_C(86400000)
/* Keeps the random span in 32 bits: 49 days. */
#define RETRY_SPAN_MAX_MS ((int64_t) UINT32_MAX)

static int64_t
min_ms(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
max_ms(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Evenly in [low, high]. */
static int64_t
random_between(int64_t low, int64_t high, uint32_t rnd)
{
	uint64_t	span = (uint64_t) min_ms(high - low, RETRY_SPAN_MAX_MS - 1) + 1;

	return low + (int64_t) (((uint64_t) rnd * span) >> 32);
}

/* base * 2^(attempts - 1), at most cap. */
static int64_t
backoff_ceiling(const RetryPolicy *policy, int attempts)
{
	int64_t		ceiling = max_ms(policy->base_ms, 1);
	int64_t		cap = max_ms(policy->cap_ms, 1);

	/* counts no further than the doublings that fit, so neither number can overflow */
	for (int i = 1; i < attempts; i++)
	{
		if (ceiling > cap / 2)
			return cap;
		ceiling *= 2;
	}
	return min_ms(ceiling, cap);
}

/* Full jitter: jobs that failed together must not come back together.  A hint is a floor, never a ceiling. */
static int64_t
backoff_ms(const RetryPolicy *policy, int attempts, int64_t hint_ms, uint32_t rnd)
{
	int64_t		low = max_ms(hint_ms, 1);

	return random_between(low, max_ms(backoff_ceiling(policy, attempts), low), rnd);
}

/* Only upwards: earlier than the provider said is too early. */
static int64_t
throttled_ms(int64_t hint_ms, uint32_t rnd)
{
	int64_t		wait = hint_ms > 0 ? hint_ms : RETRY_THROTTLED_MS;

	return random_between(wait, wait + min_ms(max_ms(wait / 10, RETRY_THROTTLED_MS), RETRY_OPERATOR_JITTER_MS), rnd);
}

RetryDecision
retry_decide(const RetryPolicy *policy, RunOutcome outcome, int attempts, int64_t hint_ms, uint32_t rnd)
{
	const RetryDecision done = {RETRY_DONE, 0, true};
	const RetryDecision give_up = {RETRY_GIVE_UP, 0, true};
	RetryDecision later = {RETRY_LATER, 0, true};

	hint_ms = min_ms(hint_ms, RETRY_HINT_MAX_MS);
	switch (outcome)
	{
		case OUTCOME_SUCCEEDED:
		case OUTCOME_STALE:		/* the job is somebody else's by now: nothing to put back, nothing to bury */
			return done;
		case OUTCOME_BAD_REQUEST:
		case OUTCOME_REFUSED:	/* asking again costs money and changes nothing */
			return give_up;
		case OUTCOME_THROTTLED:
			later.attempt_spent = false;
			later.delay_ms = throttled_ms(hint_ms, rnd);
			return later;
		case OUTCOME_ACCOUNT:
		case OUTCOME_MISCONFIGURED:
			/* no hint here: once the key or the URL is right, the jobs should not sleep for hours */
			later.attempt_spent = false;
			later.delay_ms = random_between(RETRY_OPERATOR_MS, RETRY_OPERATOR_MS + RETRY_OPERATOR_JITTER_MS, rnd);
			return later;
		case OUTCOME_UNUSABLE_ANSWER:
			if (attempts >= policy->max_unusable_answers)
				return give_up;
			break;
		case OUTCOME_TRANSIENT:
		case OUTCOME_LOST:
			break;
	}
	if (attempts >= policy->max_attempts)
		return give_up;
	later.delay_ms = backoff_ms(policy, attempts, hint_ms, rnd);
	return later;
}
