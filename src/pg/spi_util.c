/*
 * spi_util.c
 *	  Prepared statements that last a session, executed with an error worth reading.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/parsenodes.h"
#include "pg/encoding.h"
#include "pg/spi_util.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define MAX_ARGS 24

static void
read_types(Oid *types, int nargs, va_list args)
{
	Assert(nargs <= MAX_ARGS);
	for (int i = 0; i < nargs; i++)
		types[i] = va_arg(args, Oid);
}

static uint64
check_result(int rc)
{
	if (rc < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not execute a statement"),
				 errdetail("%s", SPI_result_code_string(rc))));
	return SPI_processed;
}

void
spi_connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
spi_prepare(SPIPlanPtr *plan, const char *sql, int nargs,...)
{
	va_list		args;

	va_start(args, nargs);
	spi_prepare_va(plan, sql, nargs, args);
	va_end(args);
}

void
spi_prepare_va(SPIPlanPtr *plan, const char *sql, int nargs, va_list args)
{
	Oid			types[MAX_ARGS];
	SPIPlanPtr	prepared;

	if (*plan != NULL)
		return;
	read_types(types, nargs, args);
	/* generic: the arguments are arrays whose contents no plan should depend on */
	prepared = SPI_prepare_cursor(sql, nargs, types, CURSOR_OPT_GENERIC_PLAN);
	if (prepared == NULL || SPI_keepplan(prepared) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not prepare a statement"),
				 errdetail("%s: %s", SPI_result_code_string(SPI_result), sql)));
	*plan = prepared;
}

uint64
spi_execute(SPIPlanPtr plan, Datum *values, const char *nulls, long limit)
{
	return check_result(SPI_execute_plan(plan, values, nulls, false, limit));
}

uint64
spi_execute_fresh(const char *sql, Datum *values, int nargs,...)
{
	va_list		args;
	uint64		processed;

	va_start(args, nargs);
	processed = spi_execute_fresh_va(sql, values, nargs, args);
	va_end(args);
	return processed;
}

uint64
spi_execute_fresh_va(const char *sql, Datum *values, int nargs, va_list args)
{
	Oid			types[MAX_ARGS];

	read_types(types, nargs, args);
	return check_result(SPI_execute_with_args(sql, nargs, types, values, NULL, false, 0));
}

Datum
spi_text(const char *utf8)
{
	return CStringGetTextDatum(encoding_from_utf8(utf8, strlen(utf8)));
}

char *
spi_utf8(Datum value, size_t *len)
{
	char	   *utf8 = encoding_to_utf8(TextDatumGetCString(value));

	if (len)
		*len = strlen(utf8);
	return utf8;
}

char *
spi_strdup(const char *text)
{
	char	   *copy = strdup(text);

	if (copy == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	return copy;
}

Datum
spi_int8_array(const int64 *values, int count)
{
	Datum	   *datums = palloc((count + 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		datums[i] = Int64GetDatum(values[i]);
	return PointerGetDatum(construct_array(datums, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

Datum
spi_value(uint64 row, int column, bool *null)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, null);
}

int64
spi_int8(uint64 row, int column)
{
	bool		null;
	Datum		value = spi_value(row, column, &null);

	return null ? 0 : DatumGetInt64(value);
}

int
spi_int4(uint64 row, int column)
{
	bool		null;
	Datum		value = spi_value(row, column, &null);

	return null ? 0 : DatumGetInt32(value);
}
