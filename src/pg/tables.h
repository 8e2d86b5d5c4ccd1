/*
 * tables.h
 *	  Tables of schema triage by name, for code that may run where they are not, or not any more.
 */
#ifndef TRIAGE_PG_TABLES_H
#define TRIAGE_PG_TABLES_H

#include "postgres.h"

/* InvalidOid: there is none. */
extern Oid	tables_find(const char *name);
/* InvalidOid also for a table that is gone. */
extern Oid	tables_owner(Oid table);

#endif
