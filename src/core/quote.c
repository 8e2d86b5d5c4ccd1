/*
 * quote.c
 *	  Is a quote really in a text, and do two summaries read alike?
 *
 * Decides what a model may change while it copies a text and still have quoted it: white space, the shape of quotation
 * marks, dashes and ellipses, and characters that nobody sees.  Not one letter, not the case of one.
 */
#include "core/quote.h"

#include <stdint.h>
#include <string.h>

#include "core/utf8.h"

typedef struct Range
{
	uint32_t	first;
	uint32_t	last;
	const char *as;				/* "": is not seen; " ": white space */
} Range;

/* In the order of their code points. */
static const Range ranges[] = {
	{0x0009, 0x000D, " "},
	{0x0020, 0x0020, " "},
	{0x0085, 0x0085, " "},
	{0x00A0, 0x00A0, " "},		/* no-break space */
	{0x00AB, 0x00AB, "\""},
	{0x00AD, 0x00AD, ""},		/* soft hyphen */
	{0x00B4, 0x00B4, "'"},
	{0x00BB, 0x00BB, "\""},
	{0x061C, 0x061C, ""},
	{0x1680, 0x1680, " "},
	{0x180E, 0x180E, ""},
	{0x2000, 0x200A, " "},
	{0x200B, 0x200F, ""},		/* zero-width spaces and joiners, marks of direction */
	{0x2010, 0x2015, "-"},
	{0x2018, 0x201B, "'"},
	{0x201C, 0x201F, "\""},
	{0x2026, 0x2026, "..."},
	{0x2028, 0x2029, " "},
	{0x202A, 0x202E, ""},
	{0x202F, 0x202F, " "},
	{0x2032, 0x2032, "'"},
	{0x2033, 0x2033, "\""},
	{0x2039, 0x203A, "'"},
	{0x205F, 0x205F, " "},
	{0x2060, 0x2064, ""},
	{0x2066, 0x206F, ""},
	{0x2212, 0x2212, "-"},
	{0x3000, 0x3000, " "},
	{0xFE00, 0xFE0F, ""},		/* variation selectors */
	{0xFE58, 0xFE58, "-"},
	{0xFE63, 0xFE63, "-"},
	{0xFEFF, 0xFEFF, ""},		/* byte order mark */
	{0xFF0D, 0xFF0D, "-"},
};

/* What a character becomes; NULL: itself. */
static const char *
replacement(uint32_t c)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]) && ranges[i].first <= c; i++)
		if (c <= ranges[i].last)
			return ranges[i].as;
	return NULL;
}

bool
quote_fold(Buf *out, const char *text, size_t len)
{
	size_t		start = out->len;
	bool		space = false;
	size_t		length;

	buf_add(out, "", 0);
	for (size_t at = 0; at < len; at += length)
	{
		uint32_t	c = utf8_decode(text + at, len - at, &length);
		/* a byte that is no character is not taken for one */
		const char *as = c >= 0x80 && length == 1 ? NULL : replacement(c);

		if (as != NULL && as[0] == '\0')
			continue;
		if (as != NULL && as[0] == ' ')
		{
			space = true;
			continue;
		}
		if (space && out->len > start)
			buf_add(out, " ", 1);
		space = false;
		if (as != NULL)
			buf_puts(out, as);
		else
			buf_add(out, text + at, length);
	}
	return !out->failed;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
	return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (unsigned char) c >= 0x80;
}

/* Does this punctuation say nothing of what is meant?  Between digits ("14:30", "1.5") it does, and so does a minus. */
static bool
is_idle(char before, char c, char after)
{
	if (c == '-')
		return is_word(before) && is_word(after) && !is_digit(after);
	if (strchr(".,:", c) != NULL)
		return !(is_digit(before) && is_digit(after));
	return strchr(";!?\"()[]{}", c) != NULL;
}

bool
quote_fold_summary(Buf *out, const char *text, size_t len)
{
	Buf			plain;
	size_t		start = out->len;
	bool		space = false;

	buf_init(&plain, len + 1);
	buf_add(out, "", 0);
	if (!quote_fold(&plain, text, len))
		out->failed = true;
	for (size_t at = 0; !out->failed && at < plain.len; at++)
	{
		char		c = plain.data[at];

		if (c == '\'')
			continue;
		if (c == ' ' || is_idle(at > 0 ? plain.data[at - 1] : ' ', c, at + 1 < plain.len ? plain.data[at + 1] : ' '))
		{
			space = true;
			continue;
		}
		if (c >= 'A' && c <= 'Z')
			c += 'a' - 'A';
		if (space && out->len > start)
			buf_add(out, " ", 1);
		space = false;
		buf_add(out, &c, 1);
	}
	buf_free(&plain);
	return !out->failed;
}

int
quote_occurs(const char *quote, size_t quote_len, const char *source, size_t source_len)
{
	Buf			needle;
	Buf			hay;
	int			occurs = -1;

	buf_init(&needle, quote_len + 1);
	buf_init(&hay, source_len + 1);
	if (quote_fold(&needle, quote, quote_len) && quote_fold(&hay, source, source_len))
		occurs = needle.len > 0 && memmem(hay.data, hay.len, needle.data, needle.len) != NULL;
	buf_free(&needle);
	buf_free(&hay);
	return occurs;
}
