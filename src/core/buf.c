/*
 * buf.c
 *	  Growable bytes with a hard cap.
 *
 * Decides how memory grows; never exits, never raises, never holds more than its cap.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/utf8.h"

#define BUF_FIRST_SIZE 256

void
buf_init(Buf *buf, size_t cap)
{
	/* room for the NUL must not overflow */
	*buf = (Buf) {.cap = cap < SIZE_MAX ? cap : SIZE_MAX - 1};
}

void
buf_reset(Buf *buf, size_t keep)
{
	if (buf->size > keep)
	{
		free(buf->data);
		buf->data = NULL;
		buf->size = 0;
	}
	buf->len = 0;
	buf->failed = false;
	if (buf->data != NULL)
		buf->data[0] = '\0';
}

void
buf_free(Buf *buf)
{
	free(buf->data);
	buf_init(buf, buf->cap);
}

bool
buf_reserve(Buf *buf, size_t more)
{
	size_t		need;
	size_t		size;
	char	   *data;

	if (buf->failed)
		return false;
	if (more > buf->cap - buf->len)
	{
		buf->failed = true;
		return false;
	}
	need = buf->len + more + 1;
	if (need <= buf->size)
		return true;

	size = buf->size > 0 ? buf->size : BUF_FIRST_SIZE;
	while (size < need)
		size = size <= SIZE_MAX / 2 ? size * 2 : need;
	if (size > buf->cap + 1)
		size = buf->cap + 1;
	data = realloc(buf->data, size);
	if (data == NULL)
	{
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->size = size;
	return true;
}

bool
buf_add(Buf *buf, const char *data, size_t len)
{
	if (!buf_reserve(buf, len))
		return false;
	if (len > 0)				/* memcpy from NULL is undefined even for nothing */
		memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
	return true;
}

bool
buf_puts(Buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

bool
buf_printf(Buf *buf, const char *format,...)
{
	va_list		args;
	int			need;

	va_start(args, format);
	need = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (need < 0)
		buf->failed = true;
	if (need < 0 || !buf_reserve(buf, (size_t) need))
		return false;

	va_start(args, format);
	vsnprintf(buf->data + buf->len, (size_t) need + 1, format, args);
	va_end(args);
	buf->len += (size_t) need;
	return true;
}

#define EIGHT(letter) letter, letter, letter, letter, letter, letter, letter, letter

/* What stands behind the backslash of an ASCII character in a JSON string; 0: it needs none. */
static const char escapes[0x80] = {
	EIGHT('u'), 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u', EIGHT('u'), EIGHT('u'),
	['"'] = '"', ['\\'] = '\\', [0x7F] = 'u',
};

static bool
json_escape(Buf *buf, unsigned char c)
{
	if (escapes[c] == 'u')
		return buf_printf(buf, "\\u%04x", (unsigned) c);
	return buf_add(buf, (const char[]) {'\\', escapes[c]}, 2);
}

#define IN_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/*
 * Eight characters of ASCII that need no escape, all at once: a subtraction sets the high bit of a byte that it takes
 * below zero.  Of a byte that borrows from the next one, that one may look special too: false says nothing.
 */
static bool
eight_are_plain(const char *text)
{
	uint64_t	eight;

	memcpy(&eight, text, sizeof(eight));
	return ((eight | (eight - IN_EACH(' ')) | ((eight ^ IN_EACH('"')) - IN_EACH(1)) |
			 ((eight ^ IN_EACH('\\')) - IN_EACH(1)) | ((eight ^ IN_EACH(0x7F)) - IN_EACH(1))) & IN_EACH(0x80)) == 0;
}

/* Length of the longest front of text that JSON takes as it is. */
static size_t
json_plain_length(const char *text, size_t len)
{
	size_t		at = 0;

	while (at < len)
	{
		unsigned char c = (unsigned char) text[at];
		size_t		step = 1;

		if (len - at >= sizeof(uint64_t) && eight_are_plain(text + at))
			step = sizeof(uint64_t);
		else if (c >= 0x80)
			step = utf8_sequence(text + at, len - at);
		else if (escapes[c] != 0)
			break;
		if (step == 0)
			break;
		at += step;
	}
	return at;
}

bool
buf_json(Buf *buf, const char *text, size_t len)
{
	buf_puts(buf, "\"");
	while (len > 0 && !buf->failed)
	{
		size_t		plain = json_plain_length(text, len);

		buf_add(buf, text, plain);
		text += plain;
		len -= plain;
		if (len == 0)
			break;
		if ((unsigned char) *text < 0x80)
			json_escape(buf, (unsigned char) *text);
		else
			buf_puts(buf, "\xEF\xBF\xBD");	/* U+FFFD for each byte that belongs to no character */
		text++;
		len--;
	}
	return buf_puts(buf, "\"");
}
