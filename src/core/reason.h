/*
 * reason.h
 *	  Words of a stranger -> one line that may be stored, logged and shown.
 */
#ifndef TRIAGE_CORE_REASON_H
#define TRIAGE_CORE_REASON_H

#include <stdbool.h>
#include <stddef.h>

#include "core/verdict.h"

/*
 * One line of valid UTF-8: controls and runs of blanks become one blank, invalid bytes U+FFFD.  A word that the end
 * cuts through is dropped whole: half a key would no longer look like one.  out holds size bytes, the NUL included.
 */
extern void reason_clean(char *out, size_t size, const char *text, size_t len);
/* To a reason of REASON_MAX bytes; false when it did not all fit.  The text must be clean. */
extern bool reason_append(char *reason, const char *text, size_t len);
/* The same, with everything that looks like a key replaced by [redacted]. */
extern void reason_append_redacted(char *reason, const char *text);

#endif
