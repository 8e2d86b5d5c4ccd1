/*
 * buf.h
 *	  Growable bytes with a hard cap.
 *
 * A Buf never exits and never raises: a failed append (out of memory, over the cap) sets `failed`, which sticks, so
 * that a long chain of appends needs one check at its end.  The contents always end in a NUL that len does not count.
 */
#ifndef TRIAGE_CORE_BUF_H
#define TRIAGE_CORE_BUF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Buf
{
	char	   *data;			/* NULL until the first append */
	size_t		len;
	size_t		size;
	size_t		cap;			/* most bytes it may ever hold */
	bool		failed;
} Buf;

extern void buf_init(Buf *buf, size_t cap);
/* Forgets the contents and keeps the memory; gives it back when it grew beyond keep bytes. */
extern void buf_reset(Buf *buf, size_t keep);
extern void buf_free(Buf *buf);
/* Makes room for more bytes and a NUL behind them; fails where an append of so many would. */
extern bool buf_reserve(Buf *buf, size_t more);
extern bool buf_add(Buf *buf, const char *data, size_t len);
extern bool buf_puts(Buf *buf, const char *text);
extern bool buf_printf(Buf *buf, const char *format,...) __attribute__((format(printf, 2, 3)));
/* Appends text as a JSON string with its quotes.  Invalid UTF-8 becomes U+FFFD. */
extern bool buf_json(Buf *buf, const char *text, size_t len);

#endif
