/*
 * test_breaker.c
 *	  A provider's gate: every state and every event, as stories of (time, what happens, what the gate says).
 */
#include "core/breaker.h"

#include "check.h"

#define S INT64_C(1000)			/* milliseconds */

typedef struct Step
{
	int64_t		at;
	int64_t		started;		/* of the call that the event is about */
	GateEvent	event;
	int64_t		hint_ms;
	GateChange	change;
	GateState	state;
	int64_t		closed_until;
} Step;

typedef struct Story
{
	const char *name;
	Step		steps[8];
	int			count;
} Story;

static const Story stories[] = {
	{"success leaves it open", {
		{10 * S, 9 * S, EVENT_SERVED, -1, GATE_UNCHANGED, GATE_OPEN, 0}}, 1},
	{"throttled until the hint, and on until a call succeeds", {
		{10 * S, 9 * S, EVENT_THROTTLED, 7 * S, GATE_CLOSED, GATE_THROTTLED, 17 * S},
		{18 * S, 17 * S, EVENT_SERVED, -1, GATE_OPENED, GATE_OPEN, 0}}, 2},
	{"throttled without a hint doubles, up to a minute", {
		{10 * S, 9 * S, EVENT_THROTTLED, -1, GATE_CLOSED, GATE_THROTTLED, 11 * S},
		{12 * S, 11 * S, EVENT_THROTTLED, 0, GATE_CLOSED_AGAIN, GATE_THROTTLED, 14 * S},
		{14 * S, 14 * S, EVENT_THROTTLED, -1, GATE_CLOSED_AGAIN, GATE_THROTTLED, 18 * S},
		{18 * S, 18 * S, EVENT_THROTTLED, -1, GATE_CLOSED_AGAIN, GATE_THROTTLED, 26 * S},
		{26 * S, 26 * S, EVENT_THROTTLED, -1, GATE_CLOSED_AGAIN, GATE_THROTTLED, 42 * S},
		{42 * S, 42 * S, EVENT_THROTTLED, -1, GATE_CLOSED_AGAIN, GATE_THROTTLED, 74 * S},
		{74 * S, 74 * S, EVENT_THROTTLED, -1, GATE_CLOSED_AGAIN, GATE_THROTTLED, 134 * S},
		{134 * S, 134 * S, EVENT_THROTTLED, -1, GATE_CLOSED_AGAIN, GATE_THROTTLED, 194 * S}}, 8},
	{"calls that were throttled together close it once, and the longest hint counts", {
		{10 * S, 9 * S, EVENT_THROTTLED, 5 * S, GATE_CLOSED, GATE_THROTTLED, 15 * S},
		{11 * S, 9 * S, EVENT_THROTTLED, -1, GATE_UNCHANGED, GATE_THROTTLED, 15 * S},
		{11 * S, 9 * S, EVENT_THROTTLED, 1 * S, GATE_UNCHANGED, GATE_THROTTLED, 15 * S},
		{11 * S, 9 * S, EVENT_THROTTLED, 9 * S, GATE_UNCHANGED, GATE_THROTTLED, 20 * S},
		{11 * S, 9 * S, EVENT_SERVED, -1, GATE_UNCHANGED, GATE_THROTTLED, 20 * S},
		{11 * S, 9 * S, EVENT_UNREACHABLE, -1, GATE_UNCHANGED, GATE_THROTTLED, 20 * S},
		{11 * S, 9 * S, EVENT_FAILED, -1, GATE_UNCHANGED, GATE_THROTTLED, 20 * S},
		{12 * S, 9 * S, EVENT_REFUSED, -1, GATE_CLOSED, GATE_PAUSED, 72 * S}}, 8},
	{"a refused key pauses for a minute, and doubles", {
		{10 * S, 9 * S, EVENT_REFUSED, 5 * S, GATE_CLOSED, GATE_PAUSED, 70 * S},
		{11 * S, 9 * S, EVENT_REFUSED, -1, GATE_UNCHANGED, GATE_PAUSED, 70 * S},
		{11 * S, 9 * S, EVENT_REFUSED_MAYBE, -1, GATE_UNCHANGED, GATE_PAUSED, 70 * S},
		{11 * S, 9 * S, EVENT_SERVED, -1, GATE_UNCHANGED, GATE_PAUSED, 70 * S},
		{11 * S, 9 * S, EVENT_THROTTLED, 900 * S, GATE_UNCHANGED, GATE_PAUSED, 70 * S},
		{71 * S, 70 * S, EVENT_REFUSED, -1, GATE_CLOSED_AGAIN, GATE_PAUSED, 191 * S},
		{192 * S, 191 * S, EVENT_REFUSED_MAYBE, -1, GATE_CLOSED_AGAIN, GATE_PAUSED, 432 * S},
		{433 * S, 432 * S, EVENT_SERVED, -1, GATE_OPENED, GATE_OPEN, 0}}, 8},
	{"a 403 between successes is the ticket's", {
		{10 * S, 9 * S, EVENT_SERVED, -1, GATE_UNCHANGED, GATE_OPEN, 0},
		{11 * S, 9 * S, EVENT_REFUSED_MAYBE, -1, GATE_UNCHANGED, GATE_OPEN, 0},
		{12 * S, 9 * S, EVENT_SERVED, -1, GATE_UNCHANGED, GATE_OPEN, 0},
		{13 * S, 9 * S, EVENT_REFUSED_MAYBE, -1, GATE_UNCHANGED, GATE_OPEN, 0},
		{14 * S, 9 * S, EVENT_REFUSED_MAYBE, -1, GATE_CLOSED, GATE_PAUSED, 74 * S}}, 5},
	{"a 403 before any success is the account's", {
		{10 * S, 9 * S, EVENT_REFUSED_MAYBE, -1, GATE_CLOSED, GATE_PAUSED, 70 * S}}, 1},
	{"no connection closes at once, doubles, and any success opens", {
		{10 * S, 9 * S, EVENT_UNREACHABLE, -1, GATE_CLOSED, GATE_UNREACHABLE, 11 * S},
		{10 * S, 9 * S, EVENT_UNREACHABLE, -1, GATE_UNCHANGED, GATE_UNREACHABLE, 11 * S},
		{12 * S, 11 * S, EVENT_UNREACHABLE, -1, GATE_CLOSED_AGAIN, GATE_UNREACHABLE, 14 * S},
		{13 * S, 9 * S, EVENT_THROTTLED, 4 * S, GATE_UNCHANGED, GATE_UNREACHABLE, 17 * S},
		{14 * S, 9 * S, EVENT_SERVED, -1, GATE_OPENED, GATE_OPEN, 0},
		{15 * S, 14 * S, EVENT_UNREACHABLE, -1, GATE_CLOSED, GATE_UNREACHABLE, 16 * S}}, 6},
	{"the probe after an outage of one kind may fail in another", {
		{10 * S, 9 * S, EVENT_UNREACHABLE, -1, GATE_CLOSED, GATE_UNREACHABLE, 11 * S},
		{12 * S, 11 * S, EVENT_FAILED, -1, GATE_CLOSED, GATE_FAILING, 13 * S},
		{14 * S, 13 * S, EVENT_FAILED, -1, GATE_CLOSED_AGAIN, GATE_FAILING, 16 * S},
		{17 * S, 16 * S, EVENT_THROTTLED, 2 * S, GATE_CLOSED, GATE_THROTTLED, 19 * S},
		{20 * S, 19 * S, EVENT_REFUSED_MAYBE, -1, GATE_CLOSED, GATE_PAUSED, 80 * S},
		{81 * S, 80 * S, EVENT_SERVED, -1, GATE_OPENED, GATE_OPEN, 0}}, 6},
};

static void
stories_end_as_told(void)
{
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
	{
		Breaker		breaker = {0};

		for (int k = 0; k < stories[i].count; k++)
		{
			const Step *step = &stories[i].steps[k];
			int			before = check_failures;

			CHECK_INT(breaker_event(&breaker, step->event, step->started, step->at, step->hint_ms), step->change);
			CHECK_INT(breaker.state, step->state);
			CHECK_INT(breaker.closed_until, step->closed_until);
			CHECK_ROW(before, "%s, step %d", stories[i].name, k + 1);
		}
	}
}

static void
so_many_failures_in_a_row_close_it(void)
{
	Breaker		breaker = {0};

	for (int i = 1; i < BREAKER_FAILURES; i++)
		CHECK_INT(breaker_event(&breaker, EVENT_FAILED, 9 * S, 10 * S, -1), GATE_UNCHANGED);
	CHECK_INT(breaker_event(&breaker, EVENT_SERVED, 9 * S, 10 * S, -1), GATE_UNCHANGED);
	CHECK_INT(breaker.failures, 0);
	for (int i = 1; i < BREAKER_FAILURES; i++)
		CHECK_INT(breaker_event(&breaker, EVENT_FAILED, 9 * S, 10 * S, -1), GATE_UNCHANGED);
	CHECK_INT(breaker_event(&breaker, EVENT_FAILED, 9 * S, 10 * S, -1), GATE_CLOSED);
	CHECK_INT(breaker.state, GATE_FAILING);
	CHECK_INT(breaker.since, 10 * S);
	CHECK_INT(breaker.closed_until, 11 * S);
	/* those that were in the air with it */
	CHECK_INT(breaker_event(&breaker, EVENT_FAILED, 9 * S, 10 * S, -1), GATE_UNCHANGED);
	CHECK_INT(breaker.closed_until, 11 * S);
	CHECK_INT(breaker.failures, BREAKER_FAILURES);
	CHECK_INT(breaker_event(&breaker, EVENT_SERVED, 9 * S, 10 * S, -1), GATE_OPENED);
	CHECK_INT(breaker.failures, 0);
}

static void
failures_count_while_the_hint_of_a_throttle_is_over(void)
{
	Breaker		breaker = {0};

	breaker_event(&breaker, EVENT_THROTTLED, 9 * S, 10 * S, 1 * S);
	for (int i = 1; i < BREAKER_FAILURES; i++)
		CHECK_INT(breaker_event(&breaker, EVENT_FAILED, 12 * S, 12 * S, -1), GATE_UNCHANGED);
	CHECK_INT(breaker_event(&breaker, EVENT_FAILED, 12 * S, 12 * S, -1), GATE_CLOSED);
	CHECK_INT(breaker.state, GATE_FAILING);
}

static void
no_pause_grows_beyond_its_end(void)
{
	Breaker		breaker = {0};
	int64_t		now = 10 * S;

	for (int i = 0; i < 100; i++)
	{
		breaker_event(&breaker, EVENT_REFUSED, now, now, -1);
		CHECK(breaker.closed_until - now <= 3600 * S);
		now = breaker.closed_until;
	}
	breaker_event(&breaker, EVENT_REFUSED, now, now, -1);
	CHECK_INT(breaker.closed_until - now, 3600 * S);
	now = breaker.closed_until;
	for (int i = 0; i < 100; i++)
	{
		breaker_event(&breaker, EVENT_UNREACHABLE, now, now, -1);
		now = breaker.closed_until;
	}
	breaker_event(&breaker, EVENT_UNREACHABLE, now, now, -1);
	CHECK_INT(breaker.closed_until - now, 60 * S);
}

static void
nobody_calls_while_it_is_closed_and_one_probes_then(void)
{
	static const GateEvent events[] = {EVENT_REFUSED, EVENT_UNREACHABLE};

	for (size_t i = 0; i < 2; i++)
	{
		Breaker		breaker = {0};
		int64_t		until = 0;

		CHECK_INT(breaker_ask(&breaker, 10 * S, &until), GATE_CALL);
		breaker_event(&breaker, events[i], 9 * S, 10 * S, -1);
		CHECK_INT(breaker_ask(&breaker, breaker.closed_until - 1, &until), GATE_WAIT);
		CHECK_INT(until, breaker.closed_until);
		CHECK_INT(breaker_ask(&breaker, 100 * S, &until), GATE_PROBE);
		breaker_probe(&breaker, 130 * S);
		CHECK_INT(breaker_ask(&breaker, 100 * S, &until), GATE_WAIT);
		CHECK_INT(until, 130 * S);
		/* its process is gone */
		CHECK_INT(breaker_ask(&breaker, 130 * S, &until), GATE_PROBE);
		breaker_probe(&breaker, 160 * S);
		breaker_forget_probe(&breaker);
		CHECK_INT(breaker_ask(&breaker, 131 * S, &until), GATE_PROBE);
		breaker_probe(&breaker, 160 * S);
		CHECK_INT(breaker_event(&breaker, EVENT_SERVED, 131 * S, 132 * S, -1), GATE_OPENED);
		CHECK_INT(breaker_ask(&breaker, 132 * S, &until), GATE_CALL);
		CHECK_INT(breaker.since, 132 * S);
	}
}

static void
a_throttle_ends_by_itself(void)
{
	Breaker		breaker = {0};
	int64_t		until = 0;

	breaker_event(&breaker, EVENT_THROTTLED, 9 * S, 10 * S, 5 * S);
	CHECK_INT(breaker_ask(&breaker, 15 * S - 1, &until), GATE_WAIT);
	CHECK_INT(until, 15 * S);
	CHECK_INT(breaker_ask(&breaker, 15 * S, &until), GATE_CALL);
}

static void
who_resumes_it_gets_one_probe_first(void)
{
	Breaker		breaker = {0};
	int64_t		until = 0;

	CHECK(!breaker_resume(&breaker, 5 * S, true));
	CHECK(!breaker.unproven);
	breaker_event(&breaker, EVENT_REFUSED, 9 * S, 10 * S, -1);
	CHECK(breaker_resume(&breaker, 12 * S, false));
	CHECK_INT(breaker.state, GATE_OPEN);
	CHECK_INT(breaker.since, 12 * S);
	CHECK_INT(breaker_ask(&breaker, 12 * S, &until), GATE_PROBE);
	breaker_probe(&breaker, 40 * S);
	CHECK_INT(breaker_ask(&breaker, 12 * S, &until), GATE_WAIT);
	/* it fails as before: the pause begins anew, and is told anew */
	CHECK_INT(breaker_event(&breaker, EVENT_REFUSED, 12 * S, 13 * S, -1), GATE_CLOSED);
	CHECK_INT(breaker.closed_until, 73 * S);
	CHECK(breaker_resume(&breaker, 14 * S, false));
	CHECK_INT(breaker_event(&breaker, EVENT_SERVED, 14 * S, 15 * S, -1), GATE_OPENED);
	CHECK_INT(breaker_ask(&breaker, 15 * S, &until), GATE_CALL);
	CHECK_INT(breaker_event(&breaker, EVENT_SERVED, 14 * S, 15 * S, -1), GATE_UNCHANGED);
}

static void
one_failure_closes_what_was_just_resumed(void)
{
	Breaker		breaker = {0};

	breaker_event(&breaker, EVENT_UNREACHABLE, 9 * S, 10 * S, -1);
	breaker_resume(&breaker, 11 * S, false);
	CHECK_INT(breaker_event(&breaker, EVENT_FAILED, 11 * S, 12 * S, -1), GATE_CLOSED);
	breaker_resume(&breaker, 13 * S, false);
	breaker.served = true;
	CHECK_INT(breaker_event(&breaker, EVENT_REFUSED_MAYBE, 13 * S, 14 * S, -1), GATE_CLOSED);
	CHECK_INT(breaker.state, GATE_PAUSED);
}

static void
a_throttle_is_resumed_only_on_demand(void)
{
	Breaker		breaker = {0};

	breaker_event(&breaker, EVENT_THROTTLED, 9 * S, 10 * S, 50 * S);
	CHECK(!breaker_resume(&breaker, 11 * S, false));
	CHECK_INT(breaker.state, GATE_THROTTLED);
	CHECK(breaker_resume(&breaker, 11 * S, true));
	CHECK_INT(breaker.state, GATE_OPEN);
}

static void
the_job_of_a_failed_probe_stands_back(void)
{
	Breaker		breaker = {0};
	int64_t		now = 10 * S;

	CHECK_INT(breaker_stand_back_ms(&breaker, now), 0);
	breaker_event(&breaker, EVENT_UNREACHABLE, now, now, -1);
	CHECK_INT(breaker_stand_back_ms(&breaker, now), 0);
	now = breaker.closed_until;
	breaker_event(&breaker, EVENT_FAILED, now, now, -1);
	CHECK_INT(breaker_stand_back_ms(&breaker, now), 2 * S);
	now = breaker.closed_until;
	breaker_event(&breaker, EVENT_FAILED, now, now, -1);
	CHECK_INT(breaker_stand_back_ms(&breaker, now), 6 * S);
	CHECK_INT(breaker_stand_back_ms(&breaker, breaker.closed_until + S), 0);
	for (int i = 0; i < 50; i++)
	{
		now = breaker.closed_until;
		breaker_event(&breaker, EVENT_FAILED, now, now, -1);
	}
	CHECK_INT(breaker_stand_back_ms(&breaker, now), 300 * S);
}

static void
a_clock_that_is_set_back_takes_the_gate_along(void)
{
	Breaker		breaker = {0};
	int64_t		now = 5000 * S;
	int64_t		until = 0;
	int64_t		wait;

	breaker_notice_clock(&breaker, now);
	breaker_event(&breaker, EVENT_UNREACHABLE, now, now, -1);
	wait = breaker.closed_until - now;
	CHECK(wait > 0);
	/* another process read the clock a little earlier: nothing moves */
	breaker_notice_clock(&breaker, now - S);
	CHECK_INT(breaker.closed_until, now + wait);
	CHECK_INT(breaker_ask(&breaker, now - S, &until), GATE_WAIT);
	now -= 3600 * S;
	breaker_notice_clock(&breaker, now);
	CHECK_INT(breaker.closed_until, now + wait);
	CHECK_INT(breaker.since, now);
	now += wait;
	breaker_notice_clock(&breaker, now);
	CHECK_INT(breaker_ask(&breaker, now, &until), GATE_PROBE);
	breaker_probe(&breaker, now + 10 * S);
	now -= 3600 * S;
	breaker_notice_clock(&breaker, now);
	CHECK_INT(breaker_ask(&breaker, now, &until), GATE_WAIT);
	CHECK_INT(until, now + 10 * S);
	/* what was called after the jump is news */
	CHECK_INT(breaker_event(&breaker, EVENT_SERVED, now, now + S, -1), GATE_OPENED);
	/* forward it is only later */
	breaker_notice_clock(&breaker, now + 7200 * S);
	CHECK_INT(breaker_ask(&breaker, now + 7200 * S, &until), GATE_CALL);
}

static const CheckTest tests[] = {
	CHECK_TEST(stories_end_as_told),
	CHECK_TEST(so_many_failures_in_a_row_close_it),
	CHECK_TEST(failures_count_while_the_hint_of_a_throttle_is_over),
	CHECK_TEST(no_pause_grows_beyond_its_end),
	CHECK_TEST(nobody_calls_while_it_is_closed_and_one_probes_then),
	CHECK_TEST(a_throttle_ends_by_itself),
	CHECK_TEST(who_resumes_it_gets_one_probe_first),
	CHECK_TEST(one_failure_closes_what_was_just_resumed),
	CHECK_TEST(a_throttle_is_resumed_only_on_demand),
	CHECK_TEST(the_job_of_a_failed_probe_stands_back),
	CHECK_TEST(a_clock_that_is_set_back_takes_the_gate_along),
};

int
main(void)
{
	return check_run_all(tests);
}
