/*
 * sync_queue.c
 *	  What sync asks of its tables, through the functions that own them (sql/install/sync_store.sql).
 *
 * Which request is due, how fast an account may be asked, and what a page or a failure does to its stream is decided
 * there; when to ask for that is sync.c's.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "core/labels.h"
#include "pg/encoding.h"
#include "pg/prices.h"
#include "pg/spi_util.h"
#include "pg/sync_queue.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/timestamp.h"

/* The lease is the time-out and 30 seconds: what is not written by then would be stale. */
#define WRITE_MARGIN_MS 25000

bool
sync_queue_has_sources(void)
{
	return prices_table_has_pages("sync_sources");
}

bool
sync_queue_is_stopped(void)
{
	static SPIPlanPtr plan;

	spi_prepare(&plan, "SELECT FROM triage.worker_control c WHERE c.stopped_at IS NOT NULL", 0);
	return spi_execute(plan, NULL, NULL, 1) > 0;
}

/* Column as a copy in the call's context, NULL when it is null. */
static char *
column_text(MemoryContext context, uint64 row, int column, bool utf8)
{
	bool		null;
	Datum		value = spi_value(row, column, &null);

	if (null)
		return NULL;
	return MemoryContextStrdup(context, utf8 ? spi_utf8(value, NULL) : TextDatumGetCString(value));
}

static void
read_call(SyncCall *call, uint64 row)
{
	MemoryContext context = call->context;
	char	   *stream = column_text(context, row, 3, false);
	char	   *email = column_text(context, row, 7, true);
	char	   *auth = column_text(context, row, 6, false);

	call->tenant_id = column_text(context, row, 1, false);
	call->source = column_text(context, row, 2, false);
	call->ask.stream = strcmp(stream, "tickets") == 0 ? ZENDESK_TICKETS : ZENDESK_COMMENTS;
	call->fence = spi_int4(row, 4);
	call->ask.base_url = column_text(context, row, 5, true);
	/* an API token stands for its owner's password, and says that it is none */
	if (strcmp(auth, "token") == 0)
		call->user = MemoryContextStrdup(context, psprintf("%s/token", email ? email : ""));
	call->secret = column_text(context, row, 8, true);
	call->ask.cursor = column_text(context, row, 9, true);
	call->ask.start_epoch = spi_int8(row, 10);
	call->ask.page_size = spi_int4(row, 11);
	call->ask.support_type_scope = column_text(context, row, 12, true);
	call->ask.ticket_id = column_text(context, row, 13, true);
	call->timeout_ms = spi_int4(row, 14);
	call->give_up_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), (int64) call->timeout_ms + WRITE_MARGIN_MS);
}

int
sync_queue_claim(int slot, int max, SyncCall **calls)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {Int32GetDatum(slot), Int32GetDatum(max)};
	int			count;

	spi_prepare(&plan, "SELECT c.tenant_id, c.source, c.stream, c.fence, c.base_url, c.auth, c.email, c.secret, c.cursor, "
				"c.start_epoch, c.page_size, c.support_type_scope, c.ticket_external_id, c.timeout_ms "
				"FROM triage.claim_sync($1, $2) AS c", 2, INT4OID, INT4OID);
	count = (int) spi_execute(plan, values, NULL, max);
	for (int i = 0; i < count; i++)
	{
		MemoryContext context = AllocSetContextCreate(TopMemoryContext, "triage sync call", ALLOCSET_SMALL_SIZES);

		/* known to the caller before anything can fail: it frees them */
		calls[i] = MemoryContextAllocZero(context, sizeof(SyncCall));
		calls[i]->context = context;
		read_call(calls[i], i);
	}
	return count;
}

TimestampTz
sync_queue_next(void)
{
	static SPIPlanPtr plan;
	TimestampTz next;
	bool		null;

	spi_prepare(&plan, "SELECT triage.next_sync()", 0);
	spi_execute(plan, NULL, NULL, 1);
	next = DatumGetTimestampTz(spi_value(0, 1, &null));
	return null ? DT_NOEND : next;
}

/* Without a copy that outlives the conversion: a page has tens of megabytes. */
static Datum
page_as_jsonb(const Buf *page)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(encoding_from_utf8(page->data, page->len)));
}

static Datum
status_or_null(const SyncCall *call, char *null)
{
	*null = call->http_status == 0 ? 'n' : ' ';
	return Int32GetDatum(call->http_status);
}

bool
sync_queue_store(const SyncCall *call)
{
	static SPIPlanPtr plans[2];
	bool		of_ticket = call->ask.stream == ZENDESK_COMMENTS;
	Datum		values[8];
	char		nulls[] = "        ";
	int			n = 3;
	bool		null;

	values[0] = CStringGetTextDatum(call->tenant_id);
	values[1] = CStringGetTextDatum(call->source);
	values[2] = Int32GetDatum(call->fence);
	if (of_ticket)
		values[n++] = spi_text(call->ask.ticket_id);
	values[n++] = page_as_jsonb(&call->result.page);
	values[n] = status_or_null(call, &nulls[n]);
	values[n + 1] = Int32GetDatum(call->latency_ms);
	values[n + 2] = TimestampTzGetDatum(call->started_at);
	if (of_ticket)
		spi_prepare(&plans[1], "SELECT triage.store_sync_comments($1, $2, $3, $4, $5, $6, $7, $8)", 8,
					TEXTOID, TEXTOID, INT4OID, TEXTOID, JSONBOID, INT4OID, INT4OID, TIMESTAMPTZOID);
	else
	{
		spi_prepare(&plans[0], "SELECT triage.store_sync_tickets($1, $2, $3, $4, $5, $6, $7)", 7,
					TEXTOID, TEXTOID, INT4OID, JSONBOID, INT4OID, INT4OID, TIMESTAMPTZOID);
		/*
		 * Tables fill while nobody tells the planner: plans for what is there now.  Once a page; plan_cache_mode would have
		 * one made for each row that a foreign key is checked of, which costs a third of the page.
		 */
		ResetPlanCache();
	}
	spi_execute(plans[of_ticket], values, nulls, 1);
	return strcmp(TextDatumGetCString(spi_value(0, 1, &null)), "busy") != 0;
}

void
sync_queue_fail(const SyncCall *call)
{
	static SPIPlanPtr plan;
	const ZendeskResult *result = &call->result;
	Datum		values[12] = {
		CStringGetTextDatum(call->tenant_id),
		CStringGetTextDatum(call->source),
		CStringGetTextDatum(call->ask.stream == ZENDESK_TICKETS ? "tickets" : "comments"),
		Int32GetDatum(call->fence)
	};
	char		nulls[] = "            ";

	if (call->ask.ticket_id)
		values[4] = spi_text(call->ask.ticket_id);
	else
		nulls[4] = 'n';
	values[5] = CStringGetTextDatum(outcome_name(result->outcome));
	values[6] = status_or_null(call, &nulls[6]);
	values[7] = CStringGetTextDatum(encoding_from_utf8(result->reason, strlen(result->reason)));
	values[8] = Int64GetDatum(result->retry_after_ms);
	nulls[8] = result->retry_after_ms < 0 ? 'n' : ' ';
	values[9] = BoolGetDatum(result->cursor_rejected);
	values[10] = Int32GetDatum(call->latency_ms);
	values[11] = TimestampTzGetDatum(call->started_at);
	nulls[10] = nulls[11] = call->started_at == 0 ? 'n' : ' ';
	spi_prepare(&plan, "SELECT triage.fail_sync($1, $2, $3, $4, $5, $6::triage.run_outcome, $7, $8, $9, $10, $11, $12)", 12,
				TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, INT4OID, TEXTOID, INT8OID, BOOLOID, INT4OID, TIMESTAMPTZOID);
	spi_execute(plan, values, nulls, 1);
}

int
sync_queue_revive(const char *tenant_id, const char *source)
{
	static SPIPlanPtr plan;
	Datum		values[2] = {0};
	char		nulls[] = "nn";

	if (tenant_id)
	{
		values[0] = CStringGetTextDatum(tenant_id);
		values[1] = CStringGetTextDatum(source);
		nulls[0] = nulls[1] = ' ';
	}
	spi_prepare(&plan, "SELECT triage.revive_sync($1, $2)", 2, TEXTOID, TEXTOID);
	spi_execute(plan, values, nulls, 1);
	return spi_int4(0, 1);
}

int
sync_queue_take_over(int slot)
{
	static SPIPlanPtr plan;
	Datum		value = Int32GetDatum(slot);

	spi_prepare(&plan, "SELECT triage.take_over_sync($1)", 1, INT4OID);
	spi_execute(plan, &value, NULL, 1);
	return spi_int4(0, 1);
}

void
sync_call_free(SyncCall *call)
{
	buf_free(&call->result.page);
	MemoryContextDelete(call->context);
}
