/*
 * clock.h
 *	  From when on a clock that goes back was set back.
 */
#ifndef TRIAGE_CORE_CLOCK_H
#define TRIAGE_CORE_CLOCK_H

/* Less is only another process that looked at the clock a little earlier, or a clock that is slewed. */
#define CLOCK_JUMP_MS 1000

#endif
