/*
 * test_states.c
 *	  The ticket's state machine against the table it is specified by.
 */
#include "check.h"
#include "core/states.h"

/* from, then one character per status in enum order: may it follow? */
static const struct
{
	TicketStatus from;
	const char *to;
}			table[] = {
	{STATUS_OPEN, "yyyyyyy"},
	{STATUS_IN_PROGRESS, "yyyyyyy"},
	{STATUS_PENDING, "yyyynyy"},
	{STATUS_ON_HOLD, "yyyynyy"},
	{STATUS_REVIEW, "nyynyyy"},
	{STATUS_RESOLVED, "yynnnyy"},
	{STATUS_CLOSED, "nnnnnny"},
};

static void
every_transition_is_as_specified(void)
{
	for (int from = 0; from < STATUS_COUNT; from++)
		for (int to = 0; to < STATUS_COUNT; to++)
			CHECK(status_may_follow(from, to) == (table[from].to[to] == 'y'));
}

static void
resolved_and_closed_are_finished(void)
{
	for (int status = 0; status < STATUS_COUNT; status++)
		CHECK(status_is_finished(status) == (status == STATUS_RESOLVED || status == STATUS_CLOSED));
}

static void
names_are_distinct(void)
{
	for (int a = 0; a < STATUS_COUNT; a++)
		for (int b = 0; b < a; b++)
			CHECK(strcmp(status_name(a), status_name(b)) != 0);
	CHECK_STR(status_name(STATUS_IN_PROGRESS), "in_progress");
}

static void
the_handler_changes_by_a_handover_only(void)
{
	CHECK(handler_may_follow(HANDLER_AI, HANDLER_AI, false));
	CHECK(handler_may_follow(HANDLER_HUMAN, HANDLER_HUMAN, false));
	CHECK(!handler_may_follow(HANDLER_AI, HANDLER_HUMAN, false));
	CHECK(!handler_may_follow(HANDLER_HUMAN, HANDLER_AI, false));
	CHECK(handler_may_follow(HANDLER_AI, HANDLER_HUMAN, true));
	CHECK(handler_may_follow(HANDLER_HUMAN, HANDLER_AI, true));
}

static void
who_has_an_agent_is_answered_by_people(void)
{
	CHECK(handler_of(HANDLER_AI, true) == HANDLER_HUMAN);
	CHECK(handler_of(HANDLER_HUMAN, true) == HANDLER_HUMAN);
	CHECK(handler_of(HANDLER_AI, false) == HANDLER_AI);
	CHECK(handler_of(HANDLER_HUMAN, false) == HANDLER_HUMAN);
	CHECK_STR(handler_name(HANDLER_AI), "ai");
	CHECK_STR(handler_name(HANDLER_HUMAN), "human");
}

static const CheckTest tests[] = {
	CHECK_TEST(every_transition_is_as_specified),
	CHECK_TEST(resolved_and_closed_are_finished),
	CHECK_TEST(names_are_distinct),
	CHECK_TEST(the_handler_changes_by_a_handover_only),
	CHECK_TEST(who_has_an_agent_is_answered_by_people),
};

int
main(void)
{
	return check_run_all(tests);
}
