/*
 * spi_util.h
 *	  Prepared statements that last a session, executed with an error worth reading.
 *
 * A kept plan is as old as the session, and one made while a table was empty walks whole indexes when it is not.  So
 * a session of a user keeps the plans of statements without joins only, and has the others planned at each execution;
 * the worker drops its plans when a table has outgrown them (plans.h).
 */
#ifndef TRIAGE_PG_SPI_UTIL_H
#define TRIAGE_PG_SPI_UTIL_H

#include "postgres.h"

#include <stdarg.h>

#include "executor/spi.h"

/* Undone by SPI_finish(). */
extern void spi_connect(void);
/* Prepares once: *plan is a static pointer of the caller.  The arguments' types follow. */
extern void spi_prepare(SPIPlanPtr *plan, const char *sql, int nargs,...);
extern void spi_prepare_va(SPIPlanPtr *plan, const char *sql, int nargs, va_list types);
/* nulls: as SPI wants them, or NULL.  limit 0: all rows.  Returns the number of rows; SPI_tuptable holds them. */
extern uint64 spi_execute(SPIPlanPtr plan, Datum *values, const char *nulls, long limit);
/* Plans, executes, forgets.  The arguments' types follow. */
extern uint64 spi_execute_fresh(const char *sql, Datum *values, int nargs,...);
extern uint64 spi_execute_fresh_va(const char *sql, Datum *values, int nargs, va_list types);
/* UTF-8 from below as text in the server's encoding (encoding.h), and back, palloc'd; len may be NULL. */
extern Datum spi_text(const char *utf8);
extern char *spi_utf8(Datum value, size_t *len);
/* malloc'd, or an error. */
extern char *spi_strdup(const char *text);
/* bigint[] */
extern Datum spi_int8_array(const int64 *values, int count);
/* A column of the current result; the numbers are 0 where it is NULL. */
extern Datum spi_value(uint64 row, int column, bool *null);
extern int64 spi_int8(uint64 row, int column);
extern int	spi_int4(uint64 row, int column);

#endif
