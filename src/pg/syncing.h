/*
 * syncing.h
 *	  Whether the current transaction brings in what happened elsewhere.
 */
#ifndef TRIAGE_PG_SYNCING_H
#define TRIAGE_PG_SYNCING_H

#include "postgres.h"

/* Behind setting triage.syncing, which is guc.c's to define and set_syncing()'s to set. */
extern bool triage_syncing;

#endif
