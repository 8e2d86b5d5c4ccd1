/*
 * untrusted.h
 *	  A stranger's text on its way into a request: nothing in it ends the place where it stands or changes the speaker.
 */
#ifndef TRIAGE_CORE_UNTRUSTED_H
#define TRIAGE_CORE_UNTRUSTED_H

#include "core/buf.h"

/* No text becomes longer than this many times itself: a space may follow each byte. */
#define UNTRUSTED_GROWTH 2
/* Most bytes of the note that something was left out. */
#define UNTRUSTED_NOTE_MAX 64

/* Appends text with a space after the first character of everything that could end its place or change the speaker. */
extern void untrusted_add(Buf *out, const char *text, size_t len, const char *boundary);
/* The same of at most max bytes: of a longer text its beginning and its end, with a note saying how much was left out. */
extern void untrusted_add_clipped(Buf *out, const char *text, size_t len, size_t max, const char *boundary);

#endif
