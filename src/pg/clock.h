/*
 * clock.h
 *	  Was the clock set back?  A process that waits for points in time would wait for them by as much longer.  And what
 *	  it shows, as core counts time.
 */
#ifndef TRIAGE_PG_CLOCK_H
#define TRIAGE_PG_CLOCK_H

#include "core/clock.h"
#include "datatype/timestamp.h"

/* last: what the caller was told the time was before, kept here; 0 at first. */
static inline bool
clock_set_back(TimestampTz *last, TimestampTz now)
{
	bool		back = *last != 0 && now < *last - CLOCK_JUMP_MS * INT64CONST(1000);

	*last = now;
	return back;
}

/* Milliseconds since the Unix epoch. */
static inline int64
clock_epoch_ms(TimestampTz at)
{
	return (at + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY) / 1000;
}

#endif
