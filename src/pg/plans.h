/*
 * plans.h
 *	  When a worker's plans no longer fit its tables.
 */
#ifndef TRIAGE_PG_PLANS_H
#define TRIAGE_PG_PLANS_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* Drops this process's plans when a table has outgrown them, or they are old.  In a transaction. */
extern void plans_review(TimestampTz now);

#endif
