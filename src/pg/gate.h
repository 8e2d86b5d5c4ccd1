/*
 * gate.h
 *	  Why and until when a provider is not called, and how much may be sent to it: one gate for each account.
 *
 * A gate belongs to a URL, a model and a secret's name.  With the library preloaded it lies in shared memory, so the
 * workers of all databases that call the same account share it; else each process has gates of its own.  What events do
 * to a gate is decided in core/breaker.h and core/bucket.h; here it is kept, locked and shown.
 */
#ifndef TRIAGE_PG_GATE_H
#define TRIAGE_PG_GATE_H

#include "postgres.h"

#include "core/breaker.h"
#include "core/verdict.h"
#include "datatype/timestamp.h"
#include "storage/lwlock.h"

typedef struct Gate Gate;

/* So many accounts have a gate at a time. */
#define GATE_COUNT 256

/* 0: none */
typedef struct GateLimits
{
	int			max_in_flight;
	int			requests_per_minute;
	int			tokens_per_minute;
} GateLimits;

typedef enum GateEntry
{
	ENTRY_CALL,
	ENTRY_PROBE,
	ENTRY_CLOSED,
	ENTRY_FULL,					/* max_in_flight calls are in the air */
	ENTRY_LIMITED				/* requests or tokens are used up for now */
} GateEntry;

/* What a look at a gate tells. */
typedef struct GateView
{
	GateAnswer	answer;
	GateState	state;
	TimestampTz until;			/* GATE_WAIT: when to look again */
	int			room;			/* calls that its limits let through now */
	int64		avoid_job;		/* GATE_PROBE: the job of this database that the gate was closed by, or 0 */
	char		reason[REASON_MAX]; /* GATE_WAIT: why; in UTF-8 */
} GateView;

typedef struct GateReport
{
	GateEvent	event;
	TimestampTz started;
	TimestampTz now;
	int64		hint_ms;
	int64		job_id;
	const char *reason;
} GateReport;

/* What a call took of the limits, and what the reply says is left of the provider's; negative: not said. */
typedef struct GateUse
{
	int			estimated_tokens;
	int			tokens;
	int64		requests_left;
	int64		requests_reset_ms;
	int64		tokens_left;
	int64		tokens_reset_ms;
} GateUse;

/* For shmem.c. */
extern Size gate_shared_size(void);
extern void gate_shared_init(void *memory, bool found, LWLock *lock);

/* What names an account; all in UTF-8.  However its origin is spelled. */
extern uint64 gate_key(const char *base_url, const char *model, const char *secret);
/* Good as long as it is asked for again now and then, and while a call is in the air.  NULL: the table is full. */
extern Gate *gate_find(uint64 key);
extern void gate_look(Gate *gate, const GateLimits *limits, TimestampTz now, GateView *view);
/*
 * Takes a place for one call, which gate_leave() gives back.  until: with ENTRY_LIMITED, when to try again.  pauses
 * counts how often the gate was paused or resumed: a key read before that is not to be trusted.
 */
extern GateEntry gate_enter(Gate *gate, const GateLimits *limits, int tokens, int timeout_ms, TimestampTz now,
							TimestampTz *until, uint32 *pauses);
extern void gate_leave(Gate *gate, bool probe);
/* The call was not made after all: its request and tokens are given back. */
extern void gate_refund(Gate *gate, const GateLimits *limits, int tokens);
/* state: what the gate is in afterwards; stand_back_ms: breaker_stand_back_ms(). */
extern GateChange gate_report(Gate *gate, const GateReport *report, GateState *state, int64 *stand_back_ms);
/* True: tokens were given back, so that a call may leave sooner than was said. */
extern bool gate_settle(Gate *gate, const GateLimits *limits, const GateUse *use, TimestampTz now);
extern void gate_note_success(Gate *gate, TimestampTz now);
/* Calls of this process in the air. */
extern int	gate_in_flight_here(const Gate *gate);
/* What was wrong may have been mended: a probe may go.  all: also forgets that the provider asked to wait. */
extern bool gate_resume(Gate *gate, bool all, TimestampTz now);

#endif
