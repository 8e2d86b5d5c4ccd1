/*
 * pause.h
 *	  Whether this database's AI work is held: pause() and triage.enabled.
 */
#ifndef TRIAGE_PG_PAUSE_H
#define TRIAGE_PG_PAUSE_H

#include "postgres.h"

/* Room for "paused: " and the longest reason. */
#define PAUSE_TEXT_MAX 840

/*
 * Inside a transaction with an SPI connection: true when nothing may be claimed or called now, and why, in the server's
 * encoding.  Read as the table's owner, whoever asks.
 */
extern bool pause_in_force(char *why, size_t size);
/* Raises 55000 when it is in force. */
extern void pause_refuse(void);

#endif
