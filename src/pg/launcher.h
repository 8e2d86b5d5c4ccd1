/*
 * launcher.h
 *	  The static process, when the library is preloaded, that keeps a worker running in each database.
 */
#ifndef TRIAGE_PG_LAUNCHER_H
#define TRIAGE_PG_LAUNCHER_H

/* From _PG_init in the postmaster. */
extern void launcher_register(void);

#endif
