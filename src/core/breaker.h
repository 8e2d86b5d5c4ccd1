/*
 * breaker.h
 *	  Whether a provider may be called: how replies close its gate, for how long, and what opens it again.
 *
 * Vocabulary: a gate is open or closed; a closed one says why and until when.  Once that time is over a probe, one call
 * alone, decides whether it opens.  Times are milliseconds of any one clock.
 */
#ifndef TRIAGE_CORE_BREAKER_H
#define TRIAGE_CORE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum GateState
{
	GATE_OPEN,
	GATE_THROTTLED,				/* the provider asked us to wait */
	GATE_PAUSED,				/* key, account, model or URL: a person has to act */
	GATE_UNREACHABLE,			/* no connection */
	GATE_FAILING				/* BREAKER_FAILURES failures in a row */
} GateState;
#define GATE_STATE_COUNT 5

/* What a reply says about the provider. */
typedef enum GateEvent
{
	EVENT_SERVED,				/* it answered, whatever the answer is worth */
	EVENT_THROTTLED,
	EVENT_REFUSED,				/* key, account, model or URL */
	EVENT_REFUSED_MAYBE,		/* the same, unless it is about the ticket alone, as a 403 can be */
	EVENT_UNREACHABLE,
	EVENT_FAILED				/* 5xx, timeout, cut connection */
} GateEvent;

/* What an event did to the gate. */
typedef enum GateChange
{
	GATE_UNCHANGED,
	GATE_CLOSED,				/* for a reason that it was not closed for already */
	GATE_CLOSED_AGAIN,			/* the probe failed in the same way */
	GATE_OPENED
} GateChange;

typedef enum GateAnswer
{
	GATE_CALL,
	GATE_PROBE,					/* one call, and no other beside it */
	GATE_WAIT
} GateAnswer;

typedef struct Breaker
{
	GateState	state;
	bool		unproven;		/* opened by hand or by a new key: a probe goes first */
	bool		served;			/* it has answered since this began */
	bool		suspect;		/* the last answer was EVENT_REFUSED_MAYBE */
	bool		probing;
	int			rounds;			/* closed so often in a row for the same reason */
	int			failures;		/* EVENT_FAILED in a row */
	int64_t		since;			/* when it got into this state; 0: it never changed */
	int64_t		closed_until;
	int64_t		probe_until;	/* a probe that is not heard of by then is forgotten */
	int64_t		seen;			/* the latest time that it was told of */
} Breaker;

/*
 * So many failures in a row close the gate: no more than the attempts that a job has by default, so that an outage gives
 * up not even a ticket that is alone in it.  At a provider where one call in ten fails by chance that happens once in
 * 10^5 calls, and costs a second.
 */
#define BREAKER_FAILURES 5

/* To be told the time before anything else: a clock that was set back takes what lies ahead along. */
extern void breaker_notice_clock(Breaker *breaker, int64_t now);
/* until: with GATE_WAIT, when to ask again. */
extern GateAnswer breaker_ask(const Breaker *breaker, int64_t now, int64_t *until);
/* A call was started that breaker_ask() called a probe; until: by then it must be over. */
extern void breaker_probe(Breaker *breaker, int64_t until);
/* The probe ended without saying anything. */
extern void breaker_forget_probe(Breaker *breaker);
/* started: of the call that the event comes from.  hint_ms: the provider's wish, not positive for none. */
extern GateChange breaker_event(Breaker *breaker, GateEvent event, int64_t started, int64_t now, int64_t hint_ms);
/* Somebody changed what was wrong.  throttled: opens it also where the provider asked us to wait.  False: it was open. */
extern bool breaker_resume(Breaker *breaker, int64_t now, bool throttled);
/*
 * How long the job waits whose probe failed, so that another job's call is the next probe: a ticket that alone makes the
 * provider fail must not keep it closed.
 */
extern int64_t breaker_stand_back_ms(const Breaker *breaker, int64_t now);

#endif
