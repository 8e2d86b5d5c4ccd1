/*
 * redact.h
 *	  Takes a known secret out of a stranger's words.
 */
#ifndef TRIAGE_CORE_REDACT_H
#define TRIAGE_CORE_REDACT_H

#include <stddef.h>

/*
 * Overwrites with asterisks what text has in common with secret: every stretch of at least `least` consecutive
 * characters of it, spelled as they are or with JSON's escapes.  What text means as JSON otherwise stays.  Nothing
 * when secret is shorter than that.
 */
extern void redact(char *text, size_t len, const char *secret, size_t least);

#endif
