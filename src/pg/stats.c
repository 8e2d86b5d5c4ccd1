/*
 * stats.c
 *	  What the workers counted, from shared memory, for worker_counters().
 *
 * Reads only.  A counter may be ahead of another that belongs to it: they are read one by one while the worker works.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/shmem.h"
#include "utils/timestamp.h"

#define COUNTER_COLUMNS (14 + OUTCOME_COUNT)

PG_FUNCTION_INFO_V1(triage_worker_counters);

static Datum
count(WorkerEntry *entry, WorkerCounter counter)
{
	return Int64GetDatum((int64) pg_atomic_read_u64(&entry->counters[counter]));
}

static Datum
milliseconds(uint64 us)
{
	return Float8GetDatum((double) us / 1000.0);
}

static void
put_entry(ReturnSetInfo *result, WorkerEntry *entry)
{
	Datum		values[COUNTER_COLUMNS];
	bool		nulls[COUNTER_COLUMNS] = {0};
	uint64		wakes = pg_atomic_read_u64(&entry->counters[COUNTER_WAKES]);
	int			n = 0;

	values[n++] = Int32GetDatum(entry->pid);
	values[n++] = Int32GetDatum(entry->slot);
	values[n++] = TimestampTzGetDatum(entry->started_at);
	values[n++] = Int32GetDatum((int) pg_atomic_read_u64(&entry->counters[COUNTER_IN_FLIGHT]));
	values[n++] = count(entry, COUNTER_CLAIMED);
	values[n++] = count(entry, COUNTER_WRITTEN);
	values[n++] = count(entry, COUNTER_RETRIED);
	values[n++] = count(entry, COUNTER_FAILED);
	values[n++] = count(entry, COUNTER_STALE);
	for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++)
		values[n++] = count(entry, COUNTER_OUTCOMES + outcome);
	values[n++] = count(entry, COUNTER_BYTES_SENT);
	values[n++] = count(entry, COUNTER_BYTES_RECEIVED);
	values[n++] = Int64GetDatum((int64) wakes);
	nulls[n] = nulls[n + 1] = wakes == 0;
	values[n++] = milliseconds(pg_atomic_read_u64(&entry->counters[COUNTER_WAKE_US]) / Max(wakes, 1));
	values[n++] = milliseconds(pg_atomic_read_u64(&entry->counters[COUNTER_WAKE_MAX_US]));
	Assert(n == COUNTER_COLUMNS);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
triage_worker_counters(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	if (triage_shared == NULL)
		return (Datum) 0;
	LWLockAcquire(triage_shared->lock, LW_SHARED);
	for (int i = 0; i < SHMEM_MAX_WORKERS; i++)
		if (triage_shared->workers[i].database == MyDatabaseId)
			put_entry((ReturnSetInfo *) fcinfo->resultinfo, &triage_shared->workers[i]);
	LWLockRelease(triage_shared->lock);
	return (Datum) 0;
}
