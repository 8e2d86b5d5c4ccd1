/*
 * rows.c
 *	  Rows made in C, handed to a statement as relation "u".
 *
 * The server's own means for transition tables: a tuplestore registered with SPI under a name.  Knows no table.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "pg/encoding.h"
#include "pg/rows.h"
#include "pg/spi_util.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/plancache.h"
#include "utils/queryenvironment.h"
#include "utils/resowner.h"
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
	tuplestore_putvalues(rows->store, rows->desc, rows->values, rows->nulls);
	rows->next = 0;
	rows->count++;
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

static void
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
}

uint64
rows_execute(Rows *rows, SPIPlanPtr *plan, const char *sql, Datum *values, int nargs,...)
{
	va_list		types;
	uint64		processed;

	register_rows(rows);
	va_start(types, nargs);
	spi_prepare_va(plan, sql, nargs, types);
	va_end(types);
	processed = spi_execute(*plan, values, NULL, 0);
	SPI_unregister_relation(RELATION_NAME);
	return processed;
}

/*
 * The plan is made before it is executed, if there is none: the setting is for this statement, not for what triggers do,
 * who may well want a nested loop from a few of our rows into a large table.
 */
uint64
rows_execute_by_id(Rows *rows, SPIPlanPtr *plan, const char *sql, const int64 *ids)
{
	Datum		value = spi_int8_array(ids, (int) rows->count);
	int			nest = NewGUCNestLevel();
	uint64		processed;

	register_rows(rows);
	spi_prepare(plan, sql, 1, INT8ARRAYOID);
	(void) set_config_option("enable_nestloop", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	ReleaseCachedPlan(SPI_plan_get_cached_plan(*plan), CurrentResourceOwner);
	AtEOXact_GUC(true, nest);
	processed = spi_execute(*plan, &value, NULL, 0);
	SPI_unregister_relation(RELATION_NAME);
	return processed;
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
