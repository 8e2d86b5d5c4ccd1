/*
 * test_utf8.c
 *	  Strict UTF-8: every lead byte's edges, lengths, clipping.
 */
#include <stdint.h>

#include "check.h"
#include "core/utf8.h"

typedef struct SequenceRow
{
	const char *name;
	const char *text;
	size_t		len;
	size_t		want;
} SequenceRow;

#define ROW(name, text, want) {name, text, sizeof(text) - 1, want}

static const SequenceRow sequence_rows[] = {
	ROW("nothing", "", 0),
	ROW("NUL", "\0", 1),
	ROW("last of one byte", "\x7F", 1),
	ROW("continuation alone", "\x80", 0),
	ROW("last continuation alone", "\xBF", 0),
	ROW("overlong NUL", "\xC0\x80", 0),
	ROW("overlong slash", "\xC1\xAF", 0),
	ROW("first of two bytes", "\xC2\x80", 2),
	ROW("last of two bytes", "\xDF\xBF", 2),
	ROW("two bytes cut", "\xC3", 0),
	ROW("two bytes without continuation", "\xC3(", 0),
	ROW("overlong in three bytes", "\xE0\x9F\xBF", 0),
	ROW("first of three bytes", "\xE0\xA0\x80", 3),
	ROW("last before the surrogates", "\xED\x9F\xBF", 3),
	ROW("first surrogate", "\xED\xA0\x80", 0),
	ROW("last surrogate", "\xED\xBF\xBF", 0),
	ROW("first after the surrogates", "\xEE\x80\x80", 3),
	ROW("last of three bytes", "\xEF\xBF\xBF", 3),
	ROW("three bytes cut", "\xE2\x82", 0),
	ROW("third byte wrong", "\xE2\x82(", 0),
	ROW("overlong in four bytes", "\xF0\x8F\xBF\xBF", 0),
	ROW("first of four bytes", "\xF0\x90\x80\x80", 4),
	ROW("a face", "\xF0\x9F\x99\x82", 4),
	ROW("last character", "\xF4\x8F\xBF\xBF", 4),
	ROW("beyond the last", "\xF4\x90\x80\x80", 0),
	ROW("four bytes cut", "\xF0\x9F\x99", 0),
	ROW("fourth byte wrong", "\xF0\x9F\x99 ", 0),
	ROW("lead byte of no plane", "\xF5\x80\x80\x80", 0),
	ROW("five bytes", "\xF8\x88\x80\x80\x80", 0),
	ROW("all ones", "\xFF", 0),
	ROW("only the first of several", "ab", 1),
};

static void
sequences_are_strict(void)
{
	for (size_t i = 0; i < sizeof(sequence_rows) / sizeof(sequence_rows[0]); i++)
	{
		const SequenceRow *row = &sequence_rows[i];
		int			before = check_failures;

		CHECK_INT(utf8_sequence(row->text, row->len), row->want);
		CHECK_ROW(before, "%s", row->name);
	}
}

/* What the bytes would mean if nothing were checked but their shape. */
static uint32_t
decode(const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *) text;
	uint32_t	point = len == 1 ? bytes[0] : bytes[0] & (0xFF >> (len + 1));

	for (size_t i = 1; i < len; i++)
		point = point << 6 | (bytes[i] & 0x3F);
	return point;
}

static size_t
encode(uint32_t point, char *text)
{
	size_t		len = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
	static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};

	for (size_t i = len; i-- > 1;)
	{
		text[i] = (char) (0x80 | (point & 0x3F));
		point >>= 6;
	}
	text[0] = (char) (lead[len] | point);
	return len;
}

static void
exactly_the_scalar_values_are_valid(void)
{
	size_t		wrong = 0;

	for (uint32_t point = 0; point < 0x1FFFFF; point++)
	{
		char		text[4];
		size_t		len = encode(point, text);
		bool		scalar = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);

		wrong += utf8_sequence(text, len) != (scalar ? len : 0);
		wrong += decode(text, len) != point;
	}
	CHECK_INT(wrong, 0);
}

static void
one_bad_byte_anywhere_makes_a_text_invalid(void)
{
	char		text[] = "gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x99\x82";

	CHECK(utf8_valid(text, strlen(text)));
	CHECK(utf8_valid("", 0));
	for (size_t i = 0; i < sizeof(text) - 1; i++)
	{
		char		saved = text[i];

		text[i] = (char) 0xFF;
		CHECK(!utf8_valid(text, strlen(text)));
		text[i] = saved;
	}
	CHECK(!utf8_valid(text, strlen(text) - 1));
}

static void
length_counts_characters(void)
{
	CHECK_INT(utf8_length("", 0), 0);
	CHECK_INT(utf8_length("abc", 3), 3);
	CHECK_INT(utf8_length("a\0c", 3), 3);
	CHECK_INT(utf8_length("gr\xC3\xBC\xC3\x9F", 6), 4);
	CHECK_INT(utf8_length("\xE2\x82\xAC\xF0\x9F\x99\x82", 7), 2);
}

static void
clip_ends_between_characters(void)
{
	const char	text[] = "a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x99\x82z";	/* 1 + 2 + 3 + 4 + 1 bytes */
	static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11};

	for (size_t limit = 0; limit < sizeof(want) / sizeof(want[0]); limit++)
	{
		int			before = check_failures;

		CHECK_INT(utf8_clip(text, 11, limit), want[limit]);
		CHECK_ROW(before, "limit %zu", limit);
	}
	CHECK_INT(utf8_clip("", 0, 10), 0);
}

static void
clip_of_invalid_text_stays_inside_it(void)
{
	CHECK_INT(utf8_clip("\x80\x80\x80\x80", 4, 2), 0);
	CHECK_INT(utf8_clip("\xFF\xFF\xFF", 3, 2), 2);
}

static const CheckTest tests[] = {
	CHECK_TEST(sequences_are_strict),
	CHECK_TEST(exactly_the_scalar_values_are_valid),
	CHECK_TEST(one_bad_byte_anywhere_makes_a_text_invalid),
	CHECK_TEST(length_counts_characters),
	CHECK_TEST(clip_ends_between_characters),
	CHECK_TEST(clip_of_invalid_text_stays_inside_it),
};

int
main(void)
{
	return check_run_all(tests);
}
