/*
 * utf8.c
 *	  Strict UTF-8.
 *
 * Decides what a valid sequence is; knows nothing of who asks.
 */
#include "core/utf8.h"

static bool
is_continuation(unsigned char c)
{
	return (c & 0xC0) == 0x80;
}

/* Length that a first byte announces; 0 for a byte that can start nothing. */
static size_t
announced_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xC2)
		return 0;				/* continuation bytes, and C0 and C1, which could only be overlong */
	if (first < 0xE0)
		return 2;
	if (first < 0xF0)
		return 3;
	if (first < 0xF5)
		return 4;
	return 0;
}

/* The second byte alone tells overlong forms, surrogates and what lies beyond U+10FFFF. */
static bool
second_byte_allowed(unsigned char first, unsigned char second)
{
	switch (first)
	{
		case 0xE0:
			return second >= 0xA0;
		case 0xED:
			return second <= 0x9F;
		case 0xF0:
			return second >= 0x90;
		case 0xF4:
			return second <= 0x8F;
		default:
			return true;
	}
}

size_t
utf8_sequence(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *) text;
	size_t		need;

	if (len == 0)
		return 0;
	need = announced_length(bytes[0]);
	if (need == 0 || need > len)
		return 0;
	for (size_t i = 1; i < need; i++)
		if (!is_continuation(bytes[i]))
			return 0;
	if (need > 1 && !second_byte_allowed(bytes[0], bytes[1]))
		return 0;
	return need;
}

uint32_t
utf8_decode(const char *text, size_t len, size_t *length)
{
	const unsigned char *byte = (const unsigned char *) text;
	size_t		n = utf8_sequence(text, len);
	uint32_t	c = n <= 1 ? byte[0] : byte[0] & (0xFF >> (n + 1));

	for (size_t i = 1; i < n; i++)
		c = (c << 6) | (byte[i] & 0x3F);
	*length = n > 0 ? n : 1;
	return c;
}

bool
utf8_valid(const char *text, size_t len)
{
	while (len > 0)
	{
		/* most of most texts is ASCII */
		size_t		step = (unsigned char) *text < 0x80 ? 1 : utf8_sequence(text, len);

		if (step == 0)
			return false;
		text += step;
		len -= step;
	}
	return true;
}

size_t
utf8_length(const char *text, size_t len)
{
	size_t		count = 0;

	for (size_t i = 0; i < len; i++)
		count += !is_continuation((unsigned char) text[i]);
	return count;
}

size_t
utf8_clip(const char *text, size_t len, size_t limit)
{
	if (len <= limit)
		return len;
	/* the byte after the cut must start a character */
	while (limit > 0 && is_continuation((unsigned char) text[limit]))
		limit--;
	return limit;
}
