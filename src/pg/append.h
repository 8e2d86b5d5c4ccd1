/*
 * append.h
 *	  Rows for the tables to which each ticket adds some, inserted without a statement.
 *
 * The executor's own insert, as the server's logical replication uses it: constraints, defaults and indexes have their
 * say, users' included.  What falls away is the statement around it.
 *
 * Where anything else is in the table's way (triggers of users, rules, partitions, columns of another type, defaults by a
 * user's function, policies that hold for this role), its rows get there by an INSERT.
 */
#ifndef TRIAGE_PG_APPEND_H
#define TRIAGE_PG_APPEND_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "pg/rows.h"

/* A static of the caller: which columns of which table of schema triage it fills, each of the type that it says. */
typedef struct AppendTable
{
	const char *name;
	const RowColumn *columns;	/* ROWS_LABEL: an enum */
	int			count;

	/*
	 * With an index, unique: rows may be in the way of new ones there, which then go through an INSERT as relation u.  Before
	 * that INSERT comes give_way, a statement; behind it on_conflict, in which the table is t.  The index itself finds them,
	 * for the plan of a look-up could be as old as the table was small.
	 */
	const char *unique;
	const char *give_way;
	const char *on_conflict;
	/* what append.c found out about the table, for as long as that is so */
	struct AppendTable *next;
	MemoryContext context;
	Oid			relation;		/* invalid: nothing */
	bool		as_made;
	AttrNumber	id_attno;
	AttrNumber	attno[ROWS_MAX_COLUMNS];
	Oid			type[ROWS_MAX_COLUMNS];
	List	   *defaults;		/* of the other columns */
	List	   *null_keys;		/* foreign keys with a column that nobody fills */
} AppendTable;

typedef struct Appender Appender;

/*
 * Locks the table as an INSERT does.  An SPI connection is open, and the current context lives as long as that.
 * ids: zeros, where the rows' ids go, in their order; or NULL, as for a table with unique.  One that stays 0 is not known:
 * a trigger may leave rows out.
 */
extern Appender *append_begin(AppendTable *table, int64 *ids);
/* See foreign_keys_are_held(); before the first row.  False also where the rows go through an INSERT. */
extern bool append_holds(Appender *append, const char *column, Oid parent);
/* To add rows to.  A row that is complete may be in the table at once, or not before append_end(). */
extern Rows *append_rows(Appender *append);
extern void append_end(Appender *append);

#endif
