/*
 * utf8.h
 *	  Strict UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF.
 *
 * json-c's own check lets those through, and the server would store them.
 */
#ifndef TRIAGE_CORE_UTF8_H
#define TRIAGE_CORE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length in bytes of the valid sequence at text, or 0. */
extern size_t utf8_sequence(const char *text, size_t len);
/* The character at text, and its length; a byte that is not valid UTF-8 is a character of its own. */
extern uint32_t utf8_decode(const char *text, size_t len, size_t *length);
extern bool utf8_valid(const char *text, size_t len);
/* Number of characters of valid UTF-8. */
extern size_t utf8_length(const char *text, size_t len);
/* Most bytes <= limit that end between two characters. */
extern size_t utf8_clip(const char *text, size_t len, size_t limit);

#endif
