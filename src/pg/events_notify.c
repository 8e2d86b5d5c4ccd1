/*
 * events_notify.c
 *	  NOTIFY triage, when events are committed.
 *
 * Off by default, because it costs those who write tickets: a transaction that notifies takes a lock of the whole
 * cluster at its commit, and keeps it until its commit record is on disk, so that notifying transactions commit one
 * after the other (22,700 inserts a second became 5,400).  Where it is on, at most one transaction in so many
 * milliseconds pays that for all of them; the others commit side by side.
 *
 * So a notification is a hint that there is something to read, and its absence is none that there is not: a transaction
 * that commits within the interval says nothing, and neither does one that is prepared.  A consumer reads at every
 * notification, and every few seconds whatever comes.
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "miscadmin.h"
#include "pg/events_notify.h"
#include "pg/guc.h"
#include "port/atomics.h"
#include "utils/timestamp.h"

#define CHANNEL "triage"
#define MAX_DATABASES 256

/* When a database last notified.  A place is taken for good; where none is left, each session counts for itself. */
typedef struct LastNotify
{
	pg_atomic_uint32 database;
	pg_atomic_uint64 at;		/* a TimestampTz */
} LastNotify;

static LastNotify *shared_places = NULL;
static TimestampTz local_last = 0;
static bool armed = false;

Size
events_notify_shared_size(void)
{
	return mul_size(MAX_DATABASES, sizeof(LastNotify));
}

void
events_notify_shared_init(void *memory, bool found)
{
	shared_places = memory;
	for (int i = 0; i < MAX_DATABASES && !found; i++)
	{
		pg_atomic_init_u32(&shared_places[i].database, InvalidOid);
		pg_atomic_init_u64(&shared_places[i].at, 0);
	}
}

static LastNotify *
find_place(void)
{
	for (int i = 0; i < MAX_DATABASES && shared_places; i++)
	{
		LastNotify *place = &shared_places[(MyDatabaseId + i) % MAX_DATABASES];
		uint32		database = InvalidOid;

		if (pg_atomic_compare_exchange_u32(&place->database, &database, MyDatabaseId) || database == MyDatabaseId)
			return place;
	}
	return NULL;
}

/* Takes the turn, if it is time for one. */
static bool
take_turn(void)
{
	TimestampTz now = GetCurrentTimestamp();
	LastNotify *place = find_place();
	uint64		last = place ? pg_atomic_read_u64(&place->at) : (uint64) local_last;

	if (!TimestampDifferenceExceeds((TimestampTz) last, now, triage_notify_interval) && (TimestampTz) last <= now)
		return false;
	if (place)
		return pg_atomic_compare_exchange_u64(&place->at, &last, (uint64) now);
	local_last = now;
	return true;
}

static void
xact_callback(XactEvent event, void *arg)
{
	(void) arg;
	/* before the server looks for what there is to notify; after this, little can make the transaction fail */
	if (event == XACT_EVENT_PRE_COMMIT && armed && triage_notify_interval >= 0 && take_turn())
		Async_Notify(CHANNEL, "");
	if (event != XACT_EVENT_PARALLEL_PRE_COMMIT && event != XACT_EVENT_PARALLEL_COMMIT &&
		event != XACT_EVENT_PARALLEL_ABORT)
		armed = false;
}

void
events_notify_at_commit(void)
{
	static bool registered = false;

	if (!registered)
		RegisterXactCallback(xact_callback, NULL);
	registered = true;
	armed = true;
}
