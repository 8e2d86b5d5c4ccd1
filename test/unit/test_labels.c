/*
 * test_labels.c
 *	  Enum <-> text, both ways.
 */
#include "check.h"
#include "core/labels.h"

static void
priorities_have_their_sql_labels_in_order(void)
{
	static const char *const want[] = {"low", "medium", "high", "urgent"};

	CHECK_INT(sizeof(want) / sizeof(want[0]), PRIORITY_COUNT);
	for (int i = 0; i < PRIORITY_COUNT; i++)
		CHECK_STR(priority_name((Priority) i), want[i]);
}

static void
outcomes_have_their_sql_labels_in_order(void)
{
	static const char *const want[] = {
		"succeeded", "throttled", "account", "misconfigured", "bad_request",
		"refused", "transient", "unusable_answer", "stale", "lost",
	};

	CHECK_INT(sizeof(want) / sizeof(want[0]), OUTCOME_COUNT);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		CHECK_STR(outcome_name((RunOutcome) i), want[i]);
}

static void
kinds_have_their_sql_labels_in_order(void)
{
	static const char *const want[] = {"triage", "chat_reply", "summarize", "extract_issues", "match_issues",
	"name_cluster"};

	CHECK_INT(sizeof(want) / sizeof(want[0]), KIND_COUNT);
	for (int i = 0; i < KIND_COUNT; i++)
		CHECK_STR(kind_name((JobKind) i), want[i]);
}

static void
every_label_reads_back(void)
{
	for (int i = 0; i < KIND_COUNT; i++)
	{
		JobKind		kind = KIND_TRIAGE;

		CHECK(kind_parse(kind_name((JobKind) i), &kind));
		CHECK_INT(kind, i);
	}
	for (int i = 0; i < SPEAKER_COUNT; i++)
	{
		Speaker		speaker = SPEAKER_CUSTOMER;

		CHECK(speaker_parse(speaker_name((Speaker) i), &speaker));
		CHECK_INT(speaker, i);
	}
	for (int i = 0; i < PRIORITY_COUNT; i++)
	{
		Priority	priority = PRIORITY_LOW;

		CHECK(priority_parse(priority_name((Priority) i), &priority));
		CHECK_INT(priority, i);
	}
	for (int i = 0; i < OUTCOME_COUNT; i++)
	{
		RunOutcome	outcome = OUTCOME_SUCCEEDED;

		CHECK(outcome_parse(outcome_name((RunOutcome) i), &outcome));
		CHECK_INT(outcome, i);
	}
}

static void
near_misses_are_no_labels(void)
{
	static const char *const misses[] = {"", "Low", "LOW", "low ", " low", "lo", "lower", "critical", "succeede", "stale\n"};

	for (size_t i = 0; i < sizeof(misses) / sizeof(misses[0]); i++)
	{
		Priority	priority = PRIORITY_HIGH;
		RunOutcome	outcome = OUTCOME_LOST;
		JobKind		kind;
		Speaker		speaker;
		int			before = check_failures;

		CHECK(!priority_parse(misses[i], &priority));
		CHECK(!outcome_parse(misses[i], &outcome));
		CHECK(!kind_parse(misses[i], &kind));
		CHECK(!speaker_parse(misses[i], &speaker));
		CHECK_INT(priority, PRIORITY_HIGH);
		CHECK_INT(outcome, OUTCOME_LOST);
		CHECK_ROW(before, "\"%s\"", misses[i]);
	}
}

static const CheckTest tests[] = {
	CHECK_TEST(priorities_have_their_sql_labels_in_order),
	CHECK_TEST(outcomes_have_their_sql_labels_in_order),
	CHECK_TEST(kinds_have_their_sql_labels_in_order),
	CHECK_TEST(every_label_reads_back),
	CHECK_TEST(near_misses_are_no_labels),
};

int
main(void)
{
	return check_run_all(tests);
}
