/*
 * events_notify.h
 *	  NOTIFY triage, when events are committed: off unless triage.notify_interval says otherwise.
 */
#ifndef TRIAGE_PG_EVENTS_NOTIFY_H
#define TRIAGE_PG_EVENTS_NOTIFY_H

#include "postgres.h"

/* This transaction writes events: it notifies at its commit, unless another one did a moment ago. */
extern void events_notify_at_commit(void);

extern Size events_notify_shared_size(void);
extern void events_notify_shared_init(void *memory, bool found);

#endif
