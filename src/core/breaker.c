/*
 * breaker.c
 *	  Whether a provider may be called: how replies close its gate, for how long, and what opens it again.
 *
 * Pure: no clock, no lock, no allocation.  Who keeps a Breaker says what it is about and who shares it.
 *
 * A reply to a call that was in the air when the gate closed is old news: of fifty calls that fail together only the first
 * may double the wait, and a success among them does not prove a key that was refused since.
 */
#include "core/breaker.h"
#include "core/clock.h"

#define SECOND_MS INT64_C(1000)
/* What passes by itself is looked at soon, and at last once a minute. */
#define PASSING_MS SECOND_MS
#define PASSING_MAX_MS (60 * SECOND_MS)
/* Where a person has to act, a call says nothing new for a long time. */
#define PAUSED_MS (60 * SECOND_MS)
#define PAUSED_MAX_MS (3600 * SECOND_MS)
/* Long enough for five others to be tried at one probe a minute; no longer than any failure makes a job wait. */
#define STAND_BACK_MAX_MS (300 * SECOND_MS)

static int64_t
doubled(int64_t base_ms, int64_t max_ms, int rounds)
{
	while (--rounds > 0 && base_ms < max_ms)
		base_ms *= 2;
	return base_ms < max_ms ? base_ms : max_ms;
}

static int64_t
closed_for_ms(GateState state, int rounds, int64_t hint_ms)
{
	if (state == GATE_PAUSED)
		return doubled(PAUSED_MS, PAUSED_MAX_MS, rounds);
	if (state == GATE_THROTTLED && hint_ms > 0)
		return hint_ms;
	return doubled(PASSING_MS, PASSING_MAX_MS, rounds);
}

static GateChange
close_gate(Breaker *breaker, GateState state, int64_t now, int64_t hint_ms)
{
	bool		again = breaker->state == state;

	if (!again)
	{
		breaker->rounds = 0;
		breaker->since = now;
	}
	/* no further than any doubling goes */
	if (breaker->rounds < 30)
		breaker->rounds++;
	breaker->state = state;
	breaker->unproven = false;
	breaker->probing = false;
	breaker->closed_until = now + closed_for_ms(state, breaker->rounds, hint_ms);
	return again ? GATE_CLOSED_AGAIN : GATE_CLOSED;
}

static GateChange
open_gate(Breaker *breaker, int64_t now)
{
	bool		was_closed = breaker->state != GATE_OPEN || breaker->unproven;

	if (breaker->state != GATE_OPEN)
		breaker->since = now;
	breaker->state = GATE_OPEN;
	breaker->unproven = false;
	breaker->probing = false;
	breaker->suspect = false;
	breaker->rounds = 0;
	breaker->failures = 0;
	breaker->closed_until = 0;
	return was_closed ? GATE_OPENED : GATE_UNCHANGED;
}

void
breaker_notice_clock(Breaker *breaker, int64_t now)
{
	int64_t		jump = breaker->seen - now;

	/* processes do not read the clock in the order in which they come here */
	if (jump > 0 && jump <= CLOCK_JUMP_MS)
		return;
	breaker->seen = now;
	if (jump <= 0)
		return;
	breaker->closed_until -= jump;
	breaker->probe_until -= jump;
	if (breaker->since > now)
		breaker->since = now;
}

GateAnswer
breaker_ask(const Breaker *breaker, int64_t now, int64_t *until)
{
	if (breaker->state != GATE_OPEN && now < breaker->closed_until)
	{
		*until = breaker->closed_until;
		return GATE_WAIT;
	}
	/* the provider itself said that it serves from then on */
	if ((breaker->state == GATE_OPEN && !breaker->unproven) || breaker->state == GATE_THROTTLED)
		return GATE_CALL;
	if (!breaker->probing || now >= breaker->probe_until)
		return GATE_PROBE;
	*until = breaker->probe_until;
	return GATE_WAIT;
}

void
breaker_probe(Breaker *breaker, int64_t until)
{
	breaker->probing = true;
	breaker->probe_until = until;
}

void
breaker_forget_probe(Breaker *breaker)
{
	breaker->probing = false;
}

/* Whom the reply of a call that was under way when the gate closed may still tell something. */
static GateChange
old_news(Breaker *breaker, GateEvent event, int64_t now, int64_t hint_ms)
{
	bool		passing = breaker->state == GATE_UNREACHABLE || breaker->state == GATE_FAILING;

	if (event == EVENT_SERVED && passing)
		return open_gate(breaker, now);
	if (event == EVENT_REFUSED && breaker->state != GATE_PAUSED)
		return close_gate(breaker, GATE_PAUSED, now, -1);
	if (event == EVENT_THROTTLED && breaker->state != GATE_PAUSED && hint_ms > 0 && now + hint_ms > breaker->closed_until)
		breaker->closed_until = now + hint_ms;
	return GATE_UNCHANGED;
}

static GateChange
failed(Breaker *breaker, int64_t now)
{
	bool		open = breaker->state == GATE_OPEN || breaker->state == GATE_THROTTLED;

	if (breaker->failures < BREAKER_FAILURES)
		breaker->failures++;
	if (open && !breaker->unproven && breaker->failures < BREAKER_FAILURES)
		return GATE_UNCHANGED;
	return close_gate(breaker, GATE_FAILING, now, -1);
}

/* Between successes one refusal is the ticket's; the second in a row, or one before any success, is the account's. */
static GateChange
refused_maybe(Breaker *breaker, int64_t now)
{
	if (breaker->state == GATE_OPEN && !breaker->unproven && breaker->served && !breaker->suspect)
	{
		breaker->suspect = true;
		return GATE_UNCHANGED;
	}
	return close_gate(breaker, GATE_PAUSED, now, -1);
}

GateChange
breaker_event(Breaker *breaker, GateEvent event, int64_t started, int64_t now, int64_t hint_ms)
{
	if (event == EVENT_SERVED)
		breaker->served = true;
	if (breaker->state != GATE_OPEN && started < breaker->closed_until)
		return old_news(breaker, event, now, hint_ms);
	switch (event)
	{
		case EVENT_SERVED:
			break;
		case EVENT_THROTTLED:
			return close_gate(breaker, GATE_THROTTLED, now, hint_ms);
		case EVENT_REFUSED:
			return close_gate(breaker, GATE_PAUSED, now, -1);
		case EVENT_REFUSED_MAYBE:
			return refused_maybe(breaker, now);
		case EVENT_UNREACHABLE:
			return close_gate(breaker, GATE_UNREACHABLE, now, -1);
		case EVENT_FAILED:
			return failed(breaker, now);
	}
	return open_gate(breaker, now);
}

bool
breaker_resume(Breaker *breaker, int64_t now, bool throttled)
{
	if (breaker->state == GATE_OPEN || (breaker->state == GATE_THROTTLED && !throttled))
		return false;
	(void) open_gate(breaker, now);
	breaker->unproven = true;
	return true;
}

int64_t
breaker_stand_back_ms(const Breaker *breaker, int64_t now)
{
	int64_t		wait = breaker->closed_until > now ? breaker->closed_until - now : 0;

	if (breaker->state != GATE_FAILING)
		return 0;
	/* behind all that were tried before it, so that in the end every job has been */
	wait *= breaker->rounds + 1;
	return wait < STAND_BACK_MAX_MS ? wait : STAND_BACK_MAX_MS;
}
