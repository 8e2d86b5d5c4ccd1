/*
 * home.h
 *	  Is this database the one whose tickets are to be worked on, or a copy of it?
 */
#ifndef TRIAGE_PG_HOME_H
#define TRIAGE_PG_HOME_H

#include "postgres.h"

typedef enum HomeState
{
	HOME_HERE,
	HOME_CARRIED,				/* here, after pg_upgrade: home_settle() writes that down */
	HOME_ELSEWHERE,				/* the tables are a copy */
	HOME_UNKNOWN,				/* nobody has said so */
	HOME_REPLICATED				/* the queue is filled by a subscription */
} HomeState;

/* All inside a transaction with an SPI connection, and with the tables there. */
extern HomeState home_state(void);
/* Why no model may be called from here and what to do about it; NULL when it may. */
extern const char *home_refusal(HomeState state);
extern const char *home_hint(HomeState state);
/* Writes a HOME_CARRIED database down as being here. */
extern void home_settle(void);
/* Raises 55000 when no model may be called from here. */
extern void home_check(void);

#endif
