/*
 * gate_status.c
 *	  The gates in SQL: what provider_status shows of one, and how resume_provider() opens it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "pg/encoding.h"
#include "pg/gate_table.h"
#include "pg/shmem.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(triage_provider_gates);
PG_FUNCTION_INFO_V1(triage_open_gate);

#define COLUMNS 8

static const char *const state_names[GATE_STATE_COUNT] = {
	[GATE_OPEN] = "serving",
	[GATE_THROTTLED] = "throttled",
	[GATE_PAUSED] = "paused",
	[GATE_UNREACHABLE] = "unreachable",
	[GATE_FAILING] = "failing"
};

/* The worker names accounts in UTF-8. */
static const char *
utf8_argument(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? "" : encoding_to_utf8(text_to_cstring(PG_GETARG_TEXT_PP(i)));
}

static Gate *
find_argument(FunctionCallInfo fcinfo)
{
	GateTable  *table;
	int			i;

	if (triage_shared == NULL || PG_ARGISNULL(0) || PG_ARGISNULL(1))
		return NULL;
	table = gate_table();
	LWLockAcquire(table->lock, LW_SHARED);
	i = gate_search(table, gate_key(utf8_argument(fcinfo, 0), utf8_argument(fcinfo, 1), utf8_argument(fcinfo, 2)));
	LWLockRelease(table->lock);
	return i < 0 ? NULL : &table->gates[i];
}

static void
put_time(Datum *value, bool *null, int64 ms)
{
	*value = TimestampTzGetDatum(ms * 1000);
	*null = ms == 0;
}

static void
describe_state(const Gate *gate, int64 now_ms, Datum *values, bool *nulls)
{
	const char *state = state_names[gate->breaker.state];
	const char *reason = gate->breaker.state == GATE_OPEN ? NULL : gate->reason;
	int64		closed_until = gate->breaker.closed_until;
	int64		limited_until = gate_limited_until(gate, now_ms);

	if (gate->breaker.probing && now_ms < gate->breaker.probe_until)
		state = "probing";
	else if (gate->breaker.state == GATE_OPEN && limited_until > 0)
	{
		state = "throttled";
		reason = "the provider says that nothing is left of its limit";
		closed_until = limited_until;
	}
	else if (gate->breaker.state == GATE_THROTTLED && now_ms >= closed_until)
	{
		/* it ended by itself, and nobody has called since */
		state = "serving";
		reason = NULL;
		closed_until = 0;
	}
	values[0] = CStringGetTextDatum(state);
	put_time(&values[1], &nulls[1], gate->breaker.since);
	put_time(&values[2], &nulls[2], closed_until);
	nulls[3] = reason == NULL;
	if (reason)
		values[3] = CStringGetTextDatum(encoding_from_utf8(reason, strlen(reason)));
}

/* (base_url text, model text, secret text): a row when the account's gate is in shared memory */
Datum
triage_provider_gates(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Gate	   *found = find_argument(fcinfo);
	Gate		gate;
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {0};

	InitMaterializedSRF(fcinfo, 0);
	if (found == NULL)
		return (Datum) 0;
	SpinLockAcquire(&found->lock);
	gate = *found;
	SpinLockRelease(&found->lock);
	describe_state(&gate, GetCurrentTimestamp() / 1000, values, nulls);
	values[4] = Int32GetDatum(gate.in_flight);
	values[5] = Int32GetDatum(gate.breaker.failures);
	values[6] = Int64GetDatum((int64) gate.calls);
	put_time(&values[7], &nulls[7], gate.last_success);
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	return (Datum) 0;
}

/* (base_url text, model text, secret text) */
Datum
triage_open_gate(PG_FUNCTION_ARGS)
{
	Gate	   *gate = find_argument(fcinfo);

	if (gate)
		gate_resume(gate, true, GetCurrentTimestamp());
	PG_RETURN_VOID();
}
