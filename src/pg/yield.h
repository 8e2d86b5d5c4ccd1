/*
 * yield.h
 *	  Whom a worker makes room for: statements that want its database for themselves, and other databases.
 */
#ifndef TRIAGE_PG_YIELD_H
#define TRIAGE_PG_YIELD_H

#include "postgres.h"

#include "datatype/timestamp.h"

/* How often a worker looks whether it is in the way, in milliseconds: DROP DATABASE waits five seconds. */
#define YIELD_LOOK_MS 500

/* A statement holds or awaits the lock on the database that keeps everybody else out of it. */
extern bool yield_database_taken(Oid database);
/* Connections to the worker's own database have been forbidden; outside of a transaction. */
extern bool yield_database_closed(void);
/* Other databases wait for a slot of max_worker_processes, and this worker has had its turn. */
extern bool yield_turn_over(TimestampTz since, TimestampTz now, bool idle);

#endif
