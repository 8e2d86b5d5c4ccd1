/*
 * gate.c
 *	  Keeps the gates: finds one by its account, locks it, counts what is in the air, wakes those who wait for it.
 *
 * A gate has a spinlock: what is done under it is arithmetic and a copy of a short text.  The table has a lightweight lock,
 * taken to find a gate once a claim, not once a call.  Time is in milliseconds inside, as in core.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "core/bucket.h"
#include "core/origin.h"
#include "miscadmin.h"
#include "pg/gate.h"
#include "pg/gate_table.h"
#include "pg/shmem.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/*
 * A place is taken over by another account when nobody has asked for the old one for so long: sooner when the gate is open,
 * for there is nothing to remember but how often it was called.
 */
#define FORGET_MS (3600 * INT64CONST(1000))
#define FORGET_OPEN_MS (300 * INT64CONST(1000))
/* Beyond the call's own timeout, before a probe is held to be lost. */
#define PROBE_MARGIN_MS 5000
/* Whoever waits for a place asks every 20 ms; a few times as long without a word, and it does not wait any more. */
#define WAITING_MS 100
/* Of so many calls, roughly, the usual one is the mean. */
#define USUAL_OF 8
/* More than any claim takes. */
#define MAX_ROOM 1000000

static GateTable *shared_table = NULL;
static GateTable *local_table = NULL;
/* What this process has in the air, by place in the table: given back at its exit. */
static int	held[GATE_COUNT];
static bool held_probe[GATE_COUNT];
static bool exit_registered = false;

static int64
to_ms(TimestampTz time)
{
	return time / 1000;
}

Size
gate_shared_size(void)
{
	return sizeof(GateTable);
}

static void
init_table(GateTable *table, LWLock *lock)
{
	memset(table, 0, sizeof(GateTable));
	table->lock = lock;
	for (int i = 0; i < GATE_COUNT; i++)
		SpinLockInit(&table->gates[i].lock);
}

void
gate_shared_init(void *memory, bool found, LWLock *lock)
{
	shared_table = memory;
	if (!found)
		init_table(shared_table, lock);
}

GateTable *
gate_table(void)
{
	if (shared_table)
		return shared_table;
	if (local_table == NULL)
	{
		local_table = MemoryContextAlloc(TopMemoryContext, sizeof(GateTable));
		init_table(local_table, NULL);
	}
	return local_table;
}

static void
lock_table(GateTable *table, LWLockMode mode)
{
	if (table->lock)
		LWLockAcquire(table->lock, mode);
}

static void
unlock_table(GateTable *table)
{
	if (table->lock)
		LWLockRelease(table->lock);
}

static uint64
hash_text(const char *text, uint64 seed)
{
	return hash_bytes_extended((const unsigned char *) text, (int) strlen(text), seed);
}

/* Never 0, which is a free place. */
uint64
gate_key(const char *base_url, const char *model, const char *secret)
{
	Origin		origin;
	const char *why;
	const char *path = strstr(base_url, "://");
	uint64		key;

	if (path && origin_parse(base_url, &origin, &why))
	{
		path = strchr(path + 3, '/');
		key = hash_text(origin.host, (uint64) origin.port << 1 | origin.https);
		key = hash_text(path ? path : "", key);
	}
	else
		key = hash_text(base_url, 0);	/* it will be refused, and paused as what it is */
	key = hash_text(secret, hash_text(model, key));
	return key ? key : 1;
}

int
gate_search(const GateTable *table, uint64 key)
{
	for (int i = 0; i < GATE_COUNT; i++)
		if (table->keys[i] == key)
			return i;
	return -1;
}

/* A free place, or the one that nobody has asked for for longest; negative: all are in use. */
static int
free_place(GateTable *table, int64 now_ms)
{
	int			oldest = -1;

	for (int i = 0; i < GATE_COUNT; i++)
	{
		const Gate *gate = &table->gates[i];

		if (table->keys[i] == 0)
			return i;
		if (gate->in_flight == 0 &&
			now_ms - gate->used_at > (gate->breaker.state == GATE_OPEN ? FORGET_OPEN_MS : FORGET_MS) &&
			(oldest < 0 || gate->used_at < table->gates[oldest].used_at))
			oldest = i;
	}
	return oldest;
}

static Gate *
make_gate(GateTable *table, uint64 key)
{
	int64		now_ms = to_ms(GetCurrentTimestamp());
	Gate	   *gate = NULL;
	int			i;

	lock_table(table, LW_EXCLUSIVE);
	i = gate_search(table, key);
	if (i < 0 && (i = free_place(table, now_ms)) >= 0)
	{
		gate = &table->gates[i];
		SpinLockAcquire(&gate->lock);
		memset((char *) gate + offsetof(Gate, breaker), 0, sizeof(Gate) - offsetof(Gate, breaker));
		gate->used_at = now_ms;
		table->keys[i] = key;
		SpinLockRelease(&gate->lock);
	}
	else if (i >= 0)
		gate = &table->gates[i];
	unlock_table(table);
	return gate;
}

Gate *
gate_find(uint64 key)
{
	GateTable  *table = gate_table();
	int			i;

	lock_table(table, LW_SHARED);
	i = gate_search(table, key);
	unlock_table(table);
	return i >= 0 ? &table->gates[i] : make_gate(table, key);
}

static int
place_of(const Gate *gate)
{
	return (int) (gate - gate_table()->gates);
}

int
gate_in_flight_here(const Gate *gate)
{
	return held[place_of(gate)];
}

static int64
limits_wait_ms(const Gate *gate, const GateLimits *limits, double tokens, int64 now_ms)
{
	return Max(bucket_wait_ms(&gate->requests, limits->requests_per_minute, 1, now_ms),
			   bucket_wait_ms(&gate->tokens, limits->tokens_per_minute, tokens, now_ms));
}

static void
notice_clock(Gate *gate, int64 now_ms)
{
	breaker_notice_clock(&gate->breaker, now_ms);
	bucket_notice_clock(&gate->requests, now_ms);
	bucket_notice_clock(&gate->tokens, now_ms);
}

static const char *
limit_reason(const Gate *gate, int64 now_ms)
{
	if (gate_limited_until(gate, now_ms) > 0)
		return "the provider says that nothing is left of its limit";
	return "the limit per minute is used up";
}

void
gate_look(Gate *gate, const GateLimits *limits, TimestampTz now, GateView *view)
{
	int64		now_ms = to_ms(now);
	int64		until_ms = 0;
	int64		wait_ms;
	double		usual_tokens;
	double		room;

	memset(view, 0, offsetof(GateView, reason) + 1);
	SpinLockAcquire(&gate->lock);
	gate->used_at = now_ms;
	notice_clock(gate, now_ms);
	usual_tokens = Max(gate->usual_tokens, 1);
	view->state = gate->breaker.state;
	view->answer = breaker_ask(&gate->breaker, now_ms, &until_ms);
	if (view->answer == GATE_WAIT)
		strlcpy(view->reason, gate->reason, sizeof(view->reason));
	else if ((wait_ms = limits_wait_ms(gate, limits, usual_tokens, now_ms)) > 0)
	{
		view->answer = GATE_WAIT;
		until_ms = now_ms + wait_ms;
		strlcpy(view->reason, limit_reason(gate, now_ms), sizeof(view->reason));
	}
	room = bucket_room(&gate->tokens, limits->tokens_per_minute, now_ms) / usual_tokens;
	room = Min(Max(room, 1), (double) bucket_room(&gate->requests, limits->requests_per_minute, now_ms));
	view->room = (int) Min(room, MAX_ROOM);
	if (view->answer == GATE_PROBE && gate->failed_database == MyDatabaseId)
		view->avoid_job = gate->failed_job;
	SpinLockRelease(&gate->lock);
	view->until = until_ms * 1000;
}

/* What a process leaves in the air when it goes would count for ever. */
static void
give_back_all(int code, Datum arg)
{
	GateTable  *table = gate_table();

	(void) code;
	(void) arg;
	for (int i = 0; i < GATE_COUNT; i++)
	{
		Gate	   *gate = &table->gates[i];

		if (held[i] == 0)
			continue;
		SpinLockAcquire(&gate->lock);
		gate->in_flight -= held[i];
		if (held_probe[i])
			breaker_forget_probe(&gate->breaker);
		SpinLockRelease(&gate->lock);
		held[i] = 0;
		held_probe[i] = false;
	}
}

/*
 * Is there a place for us?  A process takes the one that its own reply freed at once, and another that asks every few
 * milliseconds would never come across a free one: so the last one is left to who has none and waits.
 */
static bool
find_place(Gate *gate, int max_in_flight, int64 now_ms)
{
	bool		waiting = gate->waiting_pid != 0 && now_ms < gate->waiting_until &&
		gate->waiting_until <= now_ms + WAITING_MS;
	bool		others = waiting && gate->waiting_pid != MyProcPid;

	if (max_in_flight <= 0 || gate->in_flight < max_in_flight - (others ? 1 : 0))
	{
		if (!others)
			gate->waiting_pid = 0;
		return true;
	}
	/* who has some gets the next when one of them comes back */
	if (!others && held[place_of(gate)] == 0)
	{
		gate->waiting_pid = MyProcPid;
		gate->waiting_until = now_ms + WAITING_MS;
	}
	return false;
}

GateEntry
gate_enter(Gate *gate, const GateLimits *limits, int tokens, int timeout_ms, TimestampTz now, TimestampTz *until,
		   uint32 *pauses)
{
	int64		now_ms = to_ms(now);
	int64		until_ms = now_ms;
	int64		wait_ms;
	GateAnswer	answer;
	GateEntry	entry;

	if (!exit_registered)
		before_shmem_exit(give_back_all, (Datum) 0);
	exit_registered = true;
	SpinLockAcquire(&gate->lock);
	gate->used_at = now_ms;
	notice_clock(gate, now_ms);
	answer = breaker_ask(&gate->breaker, now_ms, &until_ms);
	if (answer == GATE_WAIT)
		entry = ENTRY_CLOSED;
	else if (!find_place(gate, limits->max_in_flight, now_ms))
		entry = ENTRY_FULL;
	/* by the usual size, as gate_look() did: a larger call goes into debt, and the next one waits for it */
	else if ((wait_ms = limits_wait_ms(gate, limits, Min(tokens, Max(gate->usual_tokens, 1)), now_ms)) > 0)
	{
		entry = ENTRY_LIMITED;
		until_ms = now_ms + wait_ms;
	}
	else
	{
		entry = answer == GATE_PROBE ? ENTRY_PROBE : ENTRY_CALL;
		if (entry == ENTRY_PROBE)
			breaker_probe(&gate->breaker, now_ms + timeout_ms + PROBE_MARGIN_MS);
		bucket_take(&gate->requests, limits->requests_per_minute, 1, now_ms);
		bucket_take(&gate->tokens, limits->tokens_per_minute, tokens, now_ms);
		gate->usual_tokens += (tokens - gate->usual_tokens) / USUAL_OF;
		gate->in_flight++;
		gate->calls++;
	}
	*pauses = gate->pauses;
	SpinLockRelease(&gate->lock);
	if (entry == ENTRY_CALL || entry == ENTRY_PROBE)
		held[place_of(gate)]++;
	if (entry == ENTRY_PROBE)
		held_probe[place_of(gate)] = true;
	*until = until_ms * 1000;
	return entry;
}

void
gate_leave(Gate *gate, bool probe)
{
	SpinLockAcquire(&gate->lock);
	gate->in_flight--;
	if (probe)
		breaker_forget_probe(&gate->breaker);
	SpinLockRelease(&gate->lock);
	held[place_of(gate)]--;
	if (probe)
		held_probe[place_of(gate)] = false;
}

void
gate_refund(Gate *gate, const GateLimits *limits, int tokens)
{
	SpinLockAcquire(&gate->lock);
	bucket_refund(&gate->requests, limits->requests_per_minute, 1);
	bucket_refund(&gate->tokens, limits->tokens_per_minute, tokens);
	gate->calls--;
	SpinLockRelease(&gate->lock);
}

GateChange
gate_report(Gate *gate, const GateReport *report, GateState *state, int64 *stand_back_ms)
{
	int64		now_ms = to_ms(report->now);
	GateChange	change;

	SpinLockAcquire(&gate->lock);
	notice_clock(gate, now_ms);
	change = breaker_event(&gate->breaker, report->event, to_ms(report->started), now_ms, report->hint_ms);
	if (change == GATE_CLOSED || change == GATE_CLOSED_AGAIN)
	{
		strlcpy(gate->reason, report->reason, sizeof(gate->reason));
		gate->failed_job = report->job_id;
		gate->failed_database = MyDatabaseId;
		if (gate->breaker.state == GATE_PAUSED)
			gate->pauses++;
	}
	*state = gate->breaker.state;
	*stand_back_ms = breaker_stand_back_ms(&gate->breaker, now_ms);
	SpinLockRelease(&gate->lock);
	if (change == GATE_OPENED)
		shmem_wake_workers();
	return change;
}

bool
gate_settle(Gate *gate, const GateLimits *limits, const GateUse *use, TimestampTz now)
{
	int64		now_ms = to_ms(now);
	int			too_many = use->tokens >= 0 ? use->estimated_tokens - use->tokens : 0;

	SpinLockAcquire(&gate->lock);
	bucket_refund(&gate->tokens, limits->tokens_per_minute, too_many);
	bucket_narrow(&gate->requests, use->requests_left, use->requests_reset_ms, now_ms);
	bucket_narrow(&gate->tokens, use->tokens_left, use->tokens_reset_ms, now_ms);
	SpinLockRelease(&gate->lock);
	return too_many > 0 && limits->tokens_per_minute > 0;
}

void
gate_note_success(Gate *gate, TimestampTz now)
{
	SpinLockAcquire(&gate->lock);
	gate->last_success = to_ms(now);
	SpinLockRelease(&gate->lock);
}

bool
gate_resume(Gate *gate, bool all, TimestampTz now)
{
	bool		resumed;

	SpinLockAcquire(&gate->lock);
	resumed = breaker_resume(&gate->breaker, to_ms(now), all);
	if (all)
	{
		bucket_widen(&gate->requests);
		bucket_widen(&gate->tokens);
	}
	gate->pauses++;
	SpinLockRelease(&gate->lock);
	if (resumed || all)
		shmem_wake_workers();
	return resumed;
}
