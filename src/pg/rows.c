/*
 * rows.c
 *	  Rows made in C, handed to a statement as relation "u".
 *
 * The server's own means for transition tables: a tuplestore registered with SPI under a name.  Knows no table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "pg/compat.h"
#include "pg/encoding.h"
#include "pg/foreign_keys.h"
#include "pg/rows.h"
#include "pg/spi_util.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/resowner.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define RELATION_NAME "u"
#define STORE_KB (1024 * 1024)

void
rows_init(Rows *rows, const RowColumn *columns, int count)
{
	Assert(count <= ROWS_MAX_COLUMNS);
	memset(rows, 0, sizeof(*rows));
	rows->desc = CreateTemplateTupleDesc(count);
	for (int i = 0; i < count; i++)
		TupleDescInitEntry(rows->desc, (AttrNumber) (i + 1), columns[i].name, columns[i].type, -1, 0);
	/* in memory whatever work_mem is: nobody closes its file, and a batch is bounded by the lengths of what it holds */
	rows->store = tuplestore_begin_heap(false, false, STORE_KB);
}

void
rows_add(Rows *rows, Datum value, bool null)
{
	rows->values[rows->next] = value;
	rows->nulls[rows->next++] = null;
	if (rows->next < rows->desc->natts)
		return;
	rows->next = 0;
	if (rows->take)
		rows->take(rows);
	else
		rows_store(rows);
}

void
rows_store(Rows *rows)
{
	tuplestore_putvalues(rows->store, rows->desc, rows->values, rows->nulls);
	rows->count++;
}

void
rows_clear(Rows *rows)
{
	tuplestore_clear(rows->store);
	rows->count = 0;
}

void
rows_add_int8(Rows *rows, int64 value)
{
	rows_add(rows, Int64GetDatum(value), false);
}

void
rows_add_int4(Rows *rows, int value)
{
	rows_add(rows, Int32GetDatum(value), value < 0);
}

void
rows_add_time(Rows *rows, TimestampTz value)
{
	rows_add(rows, TimestampTzGetDatum(value), value == 0);
}

void
rows_add_server_text(Rows *rows, const char *text)
{
	rows_add(rows, CStringGetTextDatum(text), false);
}

void
rows_add_text(Rows *rows, const char *utf8)
{
	if (utf8 == NULL)
		rows_add(rows, (Datum) 0, true);
	else
		rows_add_server_text(rows, encoding_from_utf8(utf8, strlen(utf8)));
}

void
rows_add_text_or_null(Rows *rows, const char *utf8)
{
	rows_add_text(rows, utf8 && *utf8 ? utf8 : NULL);
}

void
rows_add_label(Rows *rows, const char *label)
{
	Oid			type = TupleDescAttr(rows->desc, rows->next)->atttypid;

	if (type == TEXTOID)
		rows_add_server_text(rows, label);
	else
		rows_add(rows, DirectFunctionCall2(enum_in, CStringGetDatum(label), ObjectIdGetDatum(type)), false);
}

static EphemeralNamedRelation
register_rows(Rows *rows)
{
	EphemeralNamedRelation relation = palloc0(sizeof(EphemeralNamedRelationData));
	int			rc;

	Assert(rows->next == 0);
	relation->md.name = RELATION_NAME;
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = rows->desc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = (double) rows->count;
	relation->reldata = rows->store;
	rc = SPI_register_relation(relation);
	if (rc != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register a relation with SPI: %s", SPI_result_code_string(rc));
	return relation;
}

static uint64
execute_registered(SPIPlanPtr plan, Datum *values)
{
	uint64		processed = spi_execute(plan, values, NULL, 0);

	SPI_unregister_relation(RELATION_NAME);
	return processed;
}

uint64
rows_execute(Rows *rows, SPIPlanPtr *plan, const char *sql, Datum *values, int nargs,...)
{
	va_list		types;

	register_rows(rows);
	va_start(types, nargs);
	spi_prepare_va(plan, sql, nargs, types);
	va_end(types);
	return execute_registered(*plan, values);
}

/* What is there may still turn out to be out of date when it is fetched: then it is planned anew without the settings. */
static bool
is_planned(SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	CachedPlanSource *source = list_length(sources) == 1 ? linitial(sources) : NULL;

	return source && source->is_valid && source->gplan && source->gplan->is_valid;
}

/*
 * The plan is made before it is executed, if there is none: the settings are for this statement, not for what triggers
 * do, who may well want another kind of join from a few of our rows into a large table.
 */
static CachedPlan *
plan_without(SPIPlanPtr plan, const char *const *settings, int count)
{
	CachedPlan *cached;
	int			nest;

	if (is_planned(plan))
		return SPI_plan_get_cached_plan(plan);
	nest = NewGUCNestLevel();
	for (int i = 0; i < count; i++)
		(void) set_config_option(settings[i], "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	cached = SPI_plan_get_cached_plan(plan);
	AtEOXact_GUC(true, nest);
	return cached;
}

/* Each row of a batch would be compared with all others. */
static const char *const by_id[] = {"enable_nestloop"};

uint64
rows_execute_by_id(Rows *rows, SPIPlanPtr *plan, const char *sql, const int64 *ids)
{
	Datum		value = spi_int8_array(ids, (int) rows->count);

	register_rows(rows);
	spi_prepare(plan, sql, 1, INT8ARRAYOID);
	ReleaseCachedPlan(plan_without(*plan, by_id, lengthof(by_id)), CurrentResourceOwner);
	return execute_registered(*plan, &value);
}

static void
leave_out_looks(EState *estate, const char *column, Oid parent)
{
	ResultRelInfo *info;

	/* of a partitioned table each partition has its own, as soon as it is written to */
	if (!OidIsValid(parent) || list_length(estate->es_opened_result_relations) != 1)
		return;
	info = linitial(estate->es_opened_result_relations);
	foreign_keys_are_held(info, column, parent);
	foreign_keys_stay(info);
}

/* As SPI does it, but for the look at held rows. */
static uint64
update(EphemeralNamedRelation relation, PlannedStmt *stmt, const char *sql, Datum value, const char *column, Oid parent)
{
	ParamListInfo params = makeParamList(1);
	QueryEnvironment *environment = create_queryEnv();
	QueryDesc  *query;
	uint64		processed;

	params->params[0] = (ParamExternData) {.value = value,.pflags = PARAM_FLAG_CONST,.ptype = INT8ARRAYOID};
	register_ENR(environment, relation);
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	query = CreateQueryDesc(stmt, sql, GetActiveSnapshot(), InvalidSnapshot, None_Receiver, params, environment, 0);
	ExecutorStart(query, 0);
	leave_out_looks(query->estate, column, parent);
	compat_executor_run(query);
	processed = query->estate->es_processed;
	ExecutorFinish(query);
	ExecutorEnd(query);
	FreeQueryDesc(query);
	PopActiveSnapshot();
	return processed;
}

uint64
rows_update_by_id(Rows *rows, SPIPlanPtr *plan, const char *sql, const int64 *ids, const char *column, Oid parent)
{
	EphemeralNamedRelation relation = register_rows(rows);
	Datum		value = spi_int8_array(ids, (int) rows->count);
	CachedPlan *cached;
	uint64		processed;

	spi_prepare(plan, sql, 1, INT8ARRAYOID);
	cached = plan_without(*plan, by_id, lengthof(by_id));
	/* somebody's rule makes more of it, or something else */
	if (list_length(cached->stmt_list) == 1 && linitial_node(PlannedStmt, cached->stmt_list)->commandType == CMD_UPDATE)
		processed = update(relation, linitial(cached->stmt_list), sql, value, column, parent);
	else
		processed = spi_execute(*plan, &value, NULL, 0);
	ReleaseCachedPlan(cached, CurrentResourceOwner);
	SPI_unregister_relation(RELATION_NAME);
	return processed;
}

uint64
rows_execute_by_index(Rows *rows, SPIPlanPtr *plan, const char *sql)
{
	static const char *const by_index[] = {"enable_hashjoin", "enable_mergejoin", "enable_seqscan"};

	register_rows(rows);
	spi_prepare(plan, sql, 0);
	ReleaseCachedPlan(plan_without(*plan, by_index, lengthof(by_index)), CurrentResourceOwner);
	return execute_registered(*plan, NULL);
}

uint64
rows_execute_fresh(Rows *rows, const char *sql, Datum *values, int nargs,...)
{
	va_list		types;
	uint64		processed;

	register_rows(rows);
	va_start(types, nargs);
	processed = spi_execute_fresh_va(sql, values, nargs, types);
	va_end(types);
	SPI_unregister_relation(RELATION_NAME);
	return processed;
}
