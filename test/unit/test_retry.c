/*
 * test_retry.c
 *	  What becomes of a job after its call: every outcome, both ends of every random range, and the numbers' limits.
 */
#include "core/retry.h"

#include "check.h"

static const RetryPolicy policy = {
	.max_attempts = 5, .max_unusable_answers = 3, .base_ms = 1000, .cap_ms = 60000
};

typedef struct Row
{
	const char *name;
	RunOutcome	outcome;
	int			attempts;
	int64_t		hint_ms;
	RetryAction action;
	bool		spent;
	int64_t		low;			/* delay for the smallest random number ... */
	int64_t		high;			/* ... and for the largest */
} Row;

static const Row rows[] = {
	{"success", OUTCOME_SUCCEEDED, 1, -1, RETRY_DONE, true, 0, 0},
	{"success on the last attempt", OUTCOME_SUCCEEDED, 5, -1, RETRY_DONE, true, 0, 0},
	{"stale", OUTCOME_STALE, 1, -1, RETRY_DONE, true, 0, 0},
	{"stale on the last attempt", OUTCOME_STALE, 5, -1, RETRY_DONE, true, 0, 0},
	{"bad request", OUTCOME_BAD_REQUEST, 1, -1, RETRY_GIVE_UP, true, 0, 0},
	{"refused", OUTCOME_REFUSED, 1, 5000, RETRY_GIVE_UP, true, 0, 0},
	{"throttled with a hint", OUTCOME_THROTTLED, 1, 7000, RETRY_LATER, false, 7000, 8000},
	{"throttled with a long hint", OUTCOME_THROTTLED, 1, 100000, RETRY_LATER, false, 100000, 110000},
	{"throttled with a very long hint", OUTCOME_THROTTLED, 1, 3600000, RETRY_LATER, false, 3600000, 3615000},
	{"throttled with a tiny hint", OUTCOME_THROTTLED, 1, 1, RETRY_LATER, false, 1, 1001},
	{"throttled with a zero hint", OUTCOME_THROTTLED, 1, 0, RETRY_LATER, false, 1000, 2000},
	{"throttled without a hint", OUTCOME_THROTTLED, 1, -1, RETRY_LATER, false, 1000, 2000},
	{"throttled on the last attempt", OUTCOME_THROTTLED, 5, -1, RETRY_LATER, false, 1000, 2000},
	{"throttled far beyond the last attempt", OUTCOME_THROTTLED, 5000, -1, RETRY_LATER, false, 1000, 2000},
	{"account", OUTCOME_ACCOUNT, 1, -1, RETRY_LATER, false, 60000, 75000},
	{"account, the hint is not for this", OUTCOME_ACCOUNT, 5, 7200000, RETRY_LATER, false, 60000, 75000},
	{"misconfigured", OUTCOME_MISCONFIGURED, 5, -1, RETRY_LATER, false, 60000, 75000},
	{"first transient", OUTCOME_TRANSIENT, 1, -1, RETRY_LATER, true, 1, 1000},
	{"second transient", OUTCOME_TRANSIENT, 2, -1, RETRY_LATER, true, 1, 2000},
	{"third transient", OUTCOME_TRANSIENT, 3, -1, RETRY_LATER, true, 1, 4000},
	{"fourth transient", OUTCOME_TRANSIENT, 4, -1, RETRY_LATER, true, 1, 8000},
	{"last transient", OUTCOME_TRANSIENT, 5, -1, RETRY_GIVE_UP, true, 0, 0},
	{"beyond the last", OUTCOME_TRANSIENT, 6, -1, RETRY_GIVE_UP, true, 0, 0},
	{"a hint inside the range lifts its floor", OUTCOME_TRANSIENT, 3, 3000, RETRY_LATER, true, 3000, 4000},
	{"a hint above the range replaces it", OUTCOME_TRANSIENT, 1, 30000, RETRY_LATER, true, 30000, 30000},
	{"lost", OUTCOME_LOST, 2, -1, RETRY_LATER, true, 1, 2000},
	{"last lost", OUTCOME_LOST, 5, -1, RETRY_GIVE_UP, true, 0, 0},
	{"first unusable answer", OUTCOME_UNUSABLE_ANSWER, 1, -1, RETRY_LATER, true, 1, 1000},
	{"second unusable answer", OUTCOME_UNUSABLE_ANSWER, 2, -1, RETRY_LATER, true, 1, 2000},
	{"third unusable answer", OUTCOME_UNUSABLE_ANSWER, 3, -1, RETRY_GIVE_UP, true, 0, 0},
	{"attempts below one count as one", OUTCOME_TRANSIENT, 0, -1, RETRY_LATER, true, 1, 1000},
	{"attempts far below one", OUTCOME_TRANSIENT, INT32_MIN, -1, RETRY_LATER, true, 1, 1000},
	{"smallest hint", OUTCOME_TRANSIENT, 1, INT64_MIN, RETRY_LATER, true, 1, 1000},
	{"largest hint is a day", OUTCOME_THROTTLED, 1, INT64_MAX, RETRY_LATER, false, 86400000, 86415000},
	{"largest hint as a floor", OUTCOME_TRANSIENT, 1, INT64_MAX, RETRY_LATER, true, 86400000, 86400000},
};

static void
check_decision(const char *name, RetryDecision decision, RetryAction action, bool spent, int64_t delay)
{
	int			before = check_failures;

	CHECK_INT(decision.action, action);
	CHECK_INT(decision.attempt_spent, spent);
	CHECK_INT(decision.delay_ms, delay);
	CHECK_ROW(before, "%s", name);
}

static void
each_outcome_has_its_action_and_delay(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		const Row  *row = &rows[i];

		check_decision(row->name, retry_decide(&policy, row->outcome, row->attempts, row->hint_ms, 0),
					   row->action, row->spent, row->low);
		check_decision(row->name, retry_decide(&policy, row->outcome, row->attempts, row->hint_ms, UINT32_MAX),
					   row->action, row->spent, row->high);
	}
}

static void
every_outcome_is_decided(void)
{
	bool		seen[OUTCOME_COUNT] = {false};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		seen[rows[i].outcome] = true;
	for (int i = 0; i < OUTCOME_COUNT; i++)
		CHECK(seen[i]);
}

static int64_t
longest(RetryPolicy p, int attempts)
{
	return retry_decide(&p, OUTCOME_TRANSIENT, attempts, -1, UINT32_MAX).delay_ms;
}

static void
backoff_stops_at_the_cap(void)
{
	RetryPolicy p = {.max_attempts = INT32_MAX, .max_unusable_answers = 3, .base_ms = 1000, .cap_ms = 60000};

	CHECK_INT(longest(p, 6), 32000);
	CHECK_INT(longest(p, 7), 60000);
	CHECK_INT(longest(p, 8), 60000);
	CHECK_INT(longest(p, INT32_MAX - 1), 60000);
	p.cap_ms = 64000;
	CHECK_INT(longest(p, 7), 64000);
	CHECK_INT(longest(p, 8), 64000);
	p.cap_ms = 63999;
	CHECK_INT(longest(p, 7), 63999);
	p.cap_ms = 500;				/* below the base */
	CHECK_INT(longest(p, 1), 500);
	CHECK_INT(longest(p, 2), 500);
}

static void
absurd_policies_do_not_overflow(void)
{
	RetryPolicy p = {.max_attempts = INT32_MAX, .max_unusable_answers = 3, .base_ms = INT64_MAX, .cap_ms = INT64_MAX};

	/* the random span is kept in 32 bits */
	CHECK_INT(longest(p, 1), UINT32_MAX);
	CHECK_INT(longest(p, 1000), UINT32_MAX);
	p.base_ms = 1;
	CHECK_INT(longest(p, 1), 1);
	CHECK_INT(longest(p, 64), UINT32_MAX);
	CHECK_INT(longest(p, INT32_MAX - 1), UINT32_MAX);
	p.base_ms = 0;
	CHECK_INT(longest(p, 2), 2);
	p.base_ms = INT64_MIN;
	p.cap_ms = INT64_MIN;
	CHECK_INT(longest(p, 3), 1);
	p.cap_ms = 1;
	CHECK_INT(longest(p, 3), 1);
}

/* What cut an answer at the output limit is there still: it gets one try fewer (see job_decide()). */
static void
truncated_answers_are_asked_for_once_more(void)
{
	RetryPolicy p = policy;

	p.max_unusable_answers = 2;
	CHECK_INT(retry_decide(&p, OUTCOME_UNUSABLE_ANSWER, 1, -1, 0).action, RETRY_LATER);
	CHECK_INT(retry_decide(&p, OUTCOME_UNUSABLE_ANSWER, 2, -1, 0).action, RETRY_GIVE_UP);
	CHECK_INT(retry_decide(&p, OUTCOME_TRANSIENT, 2, -1, 0).action, RETRY_LATER);
}

static void
policy_without_attempts_gives_up(void)
{
	RetryPolicy p = {.max_attempts = 0, .max_unusable_answers = 3, .base_ms = 1000, .cap_ms = 60000};

	CHECK_INT(retry_decide(&p, OUTCOME_TRANSIENT, 1, -1, 0).action, RETRY_GIVE_UP);
	CHECK_INT(retry_decide(&p, OUTCOME_UNUSABLE_ANSWER, 1, -1, 0).action, RETRY_GIVE_UP);
	CHECK_INT(retry_decide(&p, OUTCOME_THROTTLED, 1, -1, 0).action, RETRY_LATER);
	p.max_attempts = 2;			/* fewer than an unusable answer would have */
	CHECK_INT(retry_decide(&p, OUTCOME_UNUSABLE_ANSWER, 1, -1, 0).action, RETRY_LATER);
	CHECK_INT(retry_decide(&p, OUTCOME_UNUSABLE_ANSWER, 2, -1, 0).action, RETRY_GIVE_UP);
}

/* Jobs that failed together must not come back together: over the random range every tenth gets its share. */
static void
jitter_covers_the_whole_range_evenly(void)
{
	int			tenths[10] = {0};
	int64_t		last = 0;

	for (uint32_t i = 0; i < 10000; i++)
	{
		int64_t		delay = retry_decide(&policy, OUTCOME_TRANSIENT, 4, -1, i * (UINT32_MAX / 10000)).delay_ms;

		CHECK(delay >= 1 && delay <= 8000 && delay >= last);
		last = delay;
		tenths[(delay - 1) / 800]++;
	}
	for (int i = 0; i < 10; i++)
		CHECK(tenths[i] >= 990 && tenths[i] <= 1010);
}

static const CheckTest tests[] = {
	CHECK_TEST(each_outcome_has_its_action_and_delay),
	CHECK_TEST(every_outcome_is_decided),
	CHECK_TEST(backoff_stops_at_the_cap),
	CHECK_TEST(absurd_policies_do_not_overflow),
	CHECK_TEST(truncated_answers_are_asked_for_once_more),
	CHECK_TEST(policy_without_attempts_gives_up),
	CHECK_TEST(jitter_covers_the_whole_range_evenly),
};

int
main(void)
{
	return check_run_all(tests);
}
