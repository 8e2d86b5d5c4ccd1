/*
 * test_price.c
 *	  Which calls without a known cost may be on the bill.
 */
#include "core/price.h"

#include "check.h"

typedef struct Row
{
	const char *name;
	RunOutcome	outcome;
	int			http_status;
	bool		attempt_spent;
	bool		billed;
} Row;

static const Row rows[] = {
	{"an answer that does not say what it took", OUTCOME_SUCCEEDED, 200, true, true},
	{"a refusal", OUTCOME_REFUSED, 200, true, true},
	{"an answer that cannot be used", OUTCOME_UNUSABLE_ANSWER, 200, true, true},
	{"an answer that came too late", OUTCOME_STALE, 200, true, true},
	{"no answer before the lease ended", OUTCOME_LOST, 0, true, true},
	{"a worker that was stopped in mid-flight", OUTCOME_LOST, 0, false, true},
	{"a time-out", OUTCOME_TRANSIENT, 0, true, true},
	{"a connection that was cut", OUTCOME_TRANSIENT, 200, true, true},
	{"a gateway without an answer", OUTCOME_TRANSIENT, 502, true, true},
	{"a gateway that waited too long", OUTCOME_TRANSIENT, 504, true, true},
	{"no connection at all", OUTCOME_TRANSIENT, 0, false, false},
	{"an endpoint that failed", OUTCOME_TRANSIENT, 500, true, false},
	{"an endpoint that is not there", OUTCOME_TRANSIENT, 503, true, false},
	{"an endpoint that is overloaded", OUTCOME_TRANSIENT, 529, true, false},
	{"throttled", OUTCOME_THROTTLED, 429, false, false},
	{"a key that is refused", OUTCOME_ACCOUNT, 401, false, false},
	{"no such model", OUTCOME_MISCONFIGURED, 404, false, false},
	{"a request that is not accepted", OUTCOME_BAD_REQUEST, 400, true, false},
};

static void
only_what_was_plainly_not_done_is_free(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		int			before = check_failures;

		CHECK_INT(price_may_be_billed(rows[i].outcome, rows[i].http_status, rows[i].attempt_spent), rows[i].billed);
		CHECK_ROW(before, "%s", rows[i].name);
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

static const CheckTest tests[] = {
	CHECK_TEST(only_what_was_plainly_not_done_is_free),
	CHECK_TEST(every_outcome_is_decided),
};

int
main(void)
{
	return check_run_all(tests);
}
