/*
 * worker_role.h
 *	  As which role the worker's session runs: triage.worker_role.
 */
#ifndef TRIAGE_PG_WORKER_ROLE_H
#define TRIAGE_PG_WORKER_ROLE_H

#include "postgres.h"

extern bool worker_role_is_set(void);

/*
 * Could a worker serve this database as the configured role?  Says in the log why not, once in a while.  Asked before a
 * worker is started: one that cannot connect is a FATAL, which the postmaster would meet every second.
 */
extern bool worker_role_may_serve(Oid database);
/* The same for who asks for a worker himself: an ERROR. */
extern void worker_role_require(Oid database);

/* Connects this background worker as the configured role, from the start of its session; unset: as no role. */
extern void worker_role_connect(Oid database);
/* After a reload: the setting names another role than this session's. */
extern bool worker_role_changed(void);

#endif
