/*
 * sync.h
 *	  Part of dispatch: copies tickets and comments from where they are kept (sources), a page at a time.
 */
#ifndef TRIAGE_PG_SYNC_H
#define TRIAGE_PG_SYNC_H

#include "postgres.h"

#include "datatype/timestamp.h"

struct Dispatch;
typedef struct Sync Sync;

extern Sync *sync_create(struct Dispatch *d);
/* Readable when a call has moved; negative: no call was ever made, ask again after the next turn. */
extern int	sync_fd(const Sync *sync);
/* Something may have been committed: look for what is due. */
extern void sync_wake(Sync *sync);
/* The settings were read anew. */
extern void sync_reload(Sync *sync);
extern void sync_turn(Sync *sync);
/* How long the next turn can wait, in milliseconds. */
extern long sync_timeout(const Sync *sync, TimestampTz now);
/* Nothing is claimed, in the air or to be written. */
extern bool sync_is_idle(const Sync *sync);
/* Writes the pages at hand, and gives back what is unfinished. */
extern void sync_give_back(Sync *sync);

#endif
