/*
 * tables.h
 *	  Tables of schema triage by name and their owner, for code that may run where they are not, or not any more.
 */
#ifndef TRIAGE_PG_TABLES_H
#define TRIAGE_PG_TABLES_H

#include "postgres.h"

/* InvalidOid: there is none. */
extern Oid	tables_find(const char *name);
/* InvalidOid also for a table that is gone. */
extern Oid	tables_owner(Oid table);

/* Whose rights a session has. */
typedef struct Identity
{
	Oid			user;
	int			context;
} Identity;

/* Gives whoever calls the rights of a table's owner, until they are given back; an abort does that too. */
extern Identity tables_become(Oid owner);
extern void tables_give_back(Identity caller);

#endif
