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

static const CheckTest tests[] = {
	CHECK_TEST(every_transition_is_as_specified),
	CHECK_TEST(resolved_and_closed_are_finished),
	CHECK_TEST(names_are_distinct),
};

int
main(void)
{
	return check_run_all(tests);
}
