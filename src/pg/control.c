/*
 * control.c
 *	  Start, stop and look at workers, from SQL; and the small functions that tables and policies rest on.
 *
 * A worker that was stopped stays stopped until worker_start(): that is a row, so it holds with and without preload,
 * and across a restart.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "core/labels.h"
#include "core/origin.h"
#include "core/states.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pg/config.h"
#include "pg/guc.h"
#include "pg/home.h"
#include "pg/pause.h"
#include "pg/shmem.h"
#include "pg/spi_util.h"
#include "pg/wake.h"
#include "pg/worker.h"
#include "pg/worker_role.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(triage_current_actor);
PG_FUNCTION_INFO_V1(triage_written_here);
PG_FUNCTION_INFO_V1(triage_enum_labels);
PG_FUNCTION_INFO_V1(triage_origin_refusal);
PG_FUNCTION_INFO_V1(triage_url_refusal);
PG_FUNCTION_INFO_V1(triage_check_schema);
PG_FUNCTION_INFO_V1(triage_home_refusal);
PG_FUNCTION_INFO_V1(triage_in_extension_script);
PG_FUNCTION_INFO_V1(triage_waiting_databases);
PG_FUNCTION_INFO_V1(triage_wake_worker);
PG_FUNCTION_INFO_V1(triage_worker_start);
PG_FUNCTION_INFO_V1(triage_worker_stop);
PG_FUNCTION_INFO_V1(triage_run_pending);

Datum
triage_current_actor(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(guc_actor()));
}

Datum
triage_written_here(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(TransactionIdIsCurrentTransactionId(PG_GETARG_TRANSACTIONID(0)));
}

Datum
triage_origin_refusal(PG_FUNCTION_ARGS)
{
	const char *why = NULL;

	if (origin_listed(triage_allowed_origins, text_to_cstring(PG_GETARG_TEXT_PP(0)), &why))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why ? why : "refused"));
}

Datum
triage_url_refusal(PG_FUNCTION_ARGS)
{
	Origin		origin;
	const char *why = NULL;

	if (origin_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &origin, &why))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why ? why : "refused"));
}

static void
put_label(ReturnSetInfo *result, const char *type, int position, const char *label)
{
	Datum		values[3] = {CStringGetTextDatum(type), Int32GetDatum(position), CStringGetTextDatum(label)};
	bool		nulls[3] = {0};

	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

Datum
triage_enum_labels(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < PRIORITY_COUNT; i++)
		put_label(result, "ticket_priority", i + 1, priority_name(i));
	for (int i = 0; i < OUTCOME_COUNT; i++)
		put_label(result, "run_outcome", i + 1, outcome_name(i));
	for (int i = 0; i < KIND_COUNT; i++)
		put_label(result, "job_kind", i + 1, kind_name(i));
	for (int i = 0; i < STATUS_COUNT; i++)
		put_label(result, "ticket_status", i + 1, status_name(i));
	return (Datum) 0;
}

Datum
triage_check_schema(PG_FUNCTION_ARGS)
{
	config_connect();
	SPI_finish();
	PG_RETURN_VOID();
}

Datum
triage_home_refusal(PG_FUNCTION_ARGS)
{
	const char *why;

	config_connect();
	why = home_refusal(home_state());
	SPI_finish();
	if (why == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(why));
}

Datum
triage_in_extension_script(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(creating_extension);
}

Datum
triage_waiting_databases(PG_FUNCTION_ARGS)
{
	if (triage_shared == NULL)
		PG_RETURN_NULL();
	PG_RETURN_INT32((int32) pg_atomic_read_u32(&triage_shared->waiting));
}

static void
refuse_in_recovery(void)
{
	if (RecoveryInProgress())
		ereport(ERROR,
				(errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION),
				 errmsg("a triage worker cannot run during recovery"),
				 errhint("Start it on the primary; a standby's own starts when it is promoted.")));
}

Datum
triage_wake_worker(PG_FUNCTION_ARGS)
{
	wake_at_commit();
	PG_RETURN_VOID();
}

/* True: one will run after the commit and did not before. */
Datum
triage_worker_start(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan;
	bool		running;

	refuse_in_recovery();
	config_connect();
	home_check();
	worker_await_leaving();
	spi_prepare(&plan, "UPDATE triage.worker_control SET stopped_at = NULL, stopped_by = NULL "
				"WHERE stopped_at IS NOT NULL", 0);
	spi_execute(plan, NULL, NULL, 0);
	SPI_finish();
	running = wake_find_worker(MyDatabaseId) != NULL;
	wake_start_at_commit();
	PG_RETURN_BOOL(!running);
}

Datum
triage_worker_stop(PG_FUNCTION_ARGS)
{
	static SPIPlanPtr plan;
	Datum		values[1] = {CStringGetTextDatum(guc_actor())};

	config_connect();
	spi_prepare(&plan, "INSERT INTO triage.worker_control AS c (id, stopped_at, stopped_by) VALUES (true, now(), $1) "
				"ON CONFLICT (id) DO UPDATE SET stopped_at = coalesce(c.stopped_at, now()), "
				"stopped_by = coalesce(c.stopped_by, $1)", 1, TEXTOID);
	spi_execute(plan, values, NULL, 0);
	SPI_finish();
	wake_at_commit();
	PG_RETURN_BOOL(wake_find_worker(MyDatabaseId) != NULL);
}

static void
start_oneshot(const WorkerArgs *args, BackgroundWorkerHandle **handle)
{
	if (IsBinaryUpgrade)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("no triage worker runs in binary upgrade mode"),
				 errhint("Try again when pg_upgrade is done.")));
	if (!wake_start_worker(MyDatabaseId, args, handle))
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("no background worker slot is free"),
				 errhint("Increase max_worker_processes, or try again later.")));
}

/* The worker would wait for what the transaction holds, which waits for the worker: no deadlock that the server sees. */
static void
refuse_to_wait_with_locks(void)
{
	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("a transaction that has written or locked rows cannot wait for a triage worker"),
				 errhint("Commit first, or call triage.run_pending() with wait => false.")));
}

/* The number of jobs whose fate was written; 0 when it does not wait. */
Datum
triage_run_pending(PG_FUNCTION_ARGS)
{
	WorkerArgs	args = {.slot = 1};
	bool		wait = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	BackgroundWorkerHandle *handle;
	dsm_segment *segment = NULL;
	WorkerReport *report = NULL;
	int32		finished = 0;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("max_jobs must not be null"),
				 errhint("A one-shot worker ends after so many jobs, or when the queue is empty.")));
	args.max_jobs = PG_GETARG_INT32(0);
	if (args.max_jobs <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("number of jobs must be positive, not %d", args.max_jobs),
				 errhint("A one-shot worker ends after so many jobs, or when the queue is empty.")));
	refuse_in_recovery();
	if (wait)
		refuse_to_wait_with_locks();
	config_connect();
	home_check();
	pause_refuse();
	SPI_finish();
	worker_role_require(MyDatabaseId);
	if (wait)
	{
		segment = dsm_create(sizeof(WorkerReport), 0);
		report = dsm_segment_address(segment);
		pg_atomic_init_u32(&report->finished, 0);
		args.report = dsm_segment_handle(segment);
	}
	start_oneshot(&args, &handle);
	if (wait)
	{
		if (WaitForBackgroundWorkerShutdown(handle) == BGWH_POSTMASTER_DIED)
			ereport(FATAL,
					(errcode(ERRCODE_ADMIN_SHUTDOWN),
					 errmsg("terminating because the postmaster is gone")));
		finished = (int32) pg_atomic_read_u32(&report->finished);
		dsm_detach(segment);
	}
	PG_RETURN_INT32(finished);
}
