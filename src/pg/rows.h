/*
 * rows.h
 *	  Rows made in C, handed to a statement as relation "u".
 *
 * Instead of one array a column: unnest() of seventeen arrays is seventeen function scans, each with a tuplestore of
 * its own, and cost a sixth of what a write of answers costs.
 */
#ifndef TRIAGE_PG_ROWS_H
#define TRIAGE_PG_ROWS_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "datatype/timestamp.h"
#include "executor/spi.h"
#include "utils/tuplestore.h"

#define ROWS_MAX_COLUMNS 24
/* The type of a column of labels, for who knows which enum that is. */
#define ROWS_LABEL InvalidOid

typedef struct RowColumn
{
	const char *name;
	Oid			type;
} RowColumn;

typedef struct Rows Rows;

struct Rows
{
	TupleDesc	desc;
	Tuplestorestate *store;
	Datum		values[ROWS_MAX_COLUMNS];
	bool		nulls[ROWS_MAX_COLUMNS];
	int			next;			/* column that the next value is for */
	uint64		count;
	void		(*take) (Rows *rows);	/* what becomes of a complete row; NULL: rows_store() */
};

/* In the current memory context, like everything that is added. */
extern void rows_init(Rows *rows, const RowColumn *columns, int count);

/* The values of a row are added in the columns' order; the last one completes the row. */
extern void rows_add(Rows *rows, Datum value, bool null);
extern void rows_add_int8(Rows *rows, int64 value);
/* Negative means unknown. */
extern void rows_add_int4(Rows *rows, int value);
/* 0 means unknown. */
extern void rows_add_time(Rows *rows, TimestampTz value);
/* UTF-8 from below the line into the server's encoding; raises when it has no such character.  NULL is unknown. */
extern void rows_add_text(Rows *rows, const char *utf8);
/* The same; "" is unknown too. */
extern void rows_add_text_or_null(Rows *rows, const char *utf8);
/* Text that came from the server and is in its encoding still. */
extern void rows_add_server_text(Rows *rows, const char *text);

/* A label of the column's enum; of a column that is text instead, its text. */
extern void rows_add_label(Rows *rows, const char *label);

/* Keeps the complete row; forgets all that were kept. */
extern void rows_store(Rows *rows);
extern void rows_clear(Rows *rows);

/*
 * Prepares the statement at the first call, see spi_prepare(), and executes it with the rows as relation u.  Called in
 * a context that lasts as long as the SPI connection: SPI keeps its list of relations where it is first needed.
 */
extern uint64 rows_execute(Rows *rows, SPIPlanPtr *plan, const char *sql, Datum *values, int nargs,...);
/*
 * For a statement that finds the rows of a table by id = ANY ($1) and then joins them with u: that join is no nested loop,
 * which would compare each row of a batch with all others.
 */
extern uint64 rows_execute_by_id(Rows *rows, SPIPlanPtr *plan, const char *sql, const int64 *ids);
/* The same for an UPDATE that leaves keys alone; column and parent, unless that is InvalidOid: see foreign_keys.h. */
extern uint64 rows_update_by_id(Rows *rows, SPIPlanPtr *plan, const char *sql, const int64 *ids, const char *column, Oid parent);
/* For a statement that looks up each of the rows by an index, however small the table was when the plan was made. */
extern uint64 rows_execute_by_index(Rows *rows, SPIPlanPtr *plan, const char *sql);
/* Plans, executes, forgets. */
extern uint64 rows_execute_fresh(Rows *rows, const char *sql, Datum *values, int nargs,...);

#endif
