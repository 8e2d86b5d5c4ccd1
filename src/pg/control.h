/*
 * control.h
 *	  Start, stop and look at workers, from SQL.
 */
#ifndef TRIAGE_PG_CONTROL_H
#define TRIAGE_PG_CONTROL_H

#include "postgres.h"

/* worker_stop() was called in this database and worker_start() not since; also while the tables are missing. */
extern bool control_worker_stopped(void);

#endif
