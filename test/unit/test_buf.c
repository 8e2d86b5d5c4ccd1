/*
 * test_buf.c
 *	  Buf: contents, growth, the cap, sticky failure, JSON strings.
 */
#include <stdint.h>
#include <stdlib.h>
#include <wchar.h>

#include "check.h"
#include "core/buf.h"

static void
empty_buffer_holds_nothing(void)
{
	Buf			buf;

	buf_init(&buf, 100);
	CHECK(buf.data == NULL);
	CHECK_INT(buf.len, 0);
	CHECK(!buf.failed);
	buf_free(&buf);
}

static void
appends_join_and_end_in_nul(void)
{
	Buf			buf;

	buf_init(&buf, 100);
	CHECK(buf_puts(&buf, "one"));
	CHECK(buf_add(&buf, " two!", 4));
	CHECK(buf_printf(&buf, " %d-%s", 3, "x"));
	CHECK_STR(buf.data, "one two 3-x");
	CHECK_INT(buf.len, 11);
	buf_free(&buf);
}

static void
empty_append_gives_an_empty_string(void)
{
	Buf			buf;

	buf_init(&buf, 0);
	CHECK(buf_add(&buf, NULL, 0));
	CHECK_STR(buf.data, "");
	CHECK(buf_printf(&buf, "%s", ""));
	CHECK_INT(buf.len, 0);
	buf_free(&buf);
}

static void
embedded_nul_is_kept(void)
{
	Buf			buf;

	buf_init(&buf, 100);
	CHECK(buf_add(&buf, "a\0b", 3));
	CHECK_INT(buf.len, 3);
	CHECK(memcmp(buf.data, "a\0b", 4) == 0);
	buf_free(&buf);
}

static void
grows_byte_by_byte_without_losing_any(void)
{
	Buf			buf;
	bool		same = true;

	buf_init(&buf, 100000);
	for (int i = 0; i < 100000; i++)
	{
		char		c = (char) ('a' + i % 26);

		buf_add(&buf, &c, 1);
	}
	CHECK(!buf.failed);
	CHECK_INT(buf.len, 100000);
	for (int i = 0; i < 100000; i++)
		same &= buf.data[i] == 'a' + i % 26;
	CHECK(same);
	buf_free(&buf);
}

static void
memory_never_exceeds_the_cap(void)
{
	Buf			buf;

	buf_init(&buf, 300);
	for (int i = 0; i < 300; i++)
		CHECK(buf_add(&buf, "x", 1));
	CHECK_INT(buf.len, 300);
	CHECK_INT(buf.size, 301);	/* and the NUL */
	CHECK(!buf_add(&buf, "x", 1));
	CHECK_INT(buf.size, 301);
	buf_free(&buf);
}

static void
reserved_room_is_used_and_not_exceeded(void)
{
	Buf			buf;
	char	   *data;

	buf_init(&buf, 1000);
	CHECK(buf_puts(&buf, "some"));
	CHECK(buf_reserve(&buf, 900));
	data = buf.data;
	CHECK_STR(buf.data, "some");
	for (int i = 0; i < 900; i++)
		CHECK(buf_puts(&buf, "x"));
	CHECK(buf.data == data);
	CHECK_INT(buf.len, 904);
	CHECK(buf_reserve(&buf, 96));
	CHECK(!buf_reserve(&buf, 97));
	CHECK(buf.failed);
	CHECK_INT(buf.len, 904);
	buf_free(&buf);
}

static void
append_over_the_cap_changes_nothing(void)
{
	Buf			buf;

	buf_init(&buf, 5);
	CHECK(buf_puts(&buf, "four"));
	CHECK(!buf_puts(&buf, "xy"));
	CHECK(buf.failed);
	CHECK_STR(buf.data, "four");
	CHECK_INT(buf.len, 4);
	buf_free(&buf);
}

static void
failure_sticks_until_reset(void)
{
	Buf			buf;

	buf_init(&buf, 5);
	CHECK(!buf_puts(&buf, "too long"));
	CHECK(!buf_puts(&buf, "ok"));
	CHECK(!buf_printf(&buf, "ok"));
	CHECK(!buf_json(&buf, "a", 1));
	CHECK_INT(buf.len, 0);
	buf_reset(&buf, 1000);
	CHECK(buf_puts(&buf, "ok"));
	CHECK_STR(buf.data, "ok");
	buf_free(&buf);
}

static void
formatted_text_over_the_cap_fails(void)
{
	Buf			buf;

	buf_init(&buf, 5);
	CHECK(!buf_printf(&buf, "%06d", 1));
	CHECK(buf.failed);
	CHECK_INT(buf.len, 0);
	buf_free(&buf);
}

static void
absurd_length_fails_instead_of_wrapping(void)
{
	Buf			buf;

	buf_init(&buf, SIZE_MAX);
	CHECK(buf_puts(&buf, "x"));
	CHECK(!buf_add(&buf, "x", SIZE_MAX));
	CHECK(!buf_add(&buf, "x", SIZE_MAX - 1));
	CHECK_STR(buf.data, "x");
	buf_free(&buf);
}

/* With a sanitizer too, memory that cannot be had is to be a NULL, as it is without one. */
extern const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void
memory_that_cannot_be_had_is_a_failure(void)
{
	Buf			buf;

	buf_init(&buf, SIZE_MAX);
	CHECK(buf_puts(&buf, "x"));
	CHECK(!buf_add(&buf, "y", (size_t) 1 << 46));	/* nothing is read: there is no room for it */
	CHECK(buf.failed);
	CHECK_STR(buf.data, "x");
	buf_free(&buf);
}

static void
text_that_cannot_be_formatted_is_a_failure(void)
{
	static const wchar_t no_character[] = {0x7FFFFFFF, 0};
	Buf			buf;

	buf_init(&buf, 100);
	CHECK(!buf_printf(&buf, "%ls", no_character));
	CHECK(buf.failed);
	CHECK_INT(buf.len, 0);
	buf_free(&buf);
}

static void
reset_keeps_small_memory(void)
{
	Buf			buf;
	char	   *data;

	buf_init(&buf, 10000);
	buf_puts(&buf, "text");
	data = buf.data;
	buf_reset(&buf, 4096);
	CHECK(buf.data == data);
	CHECK_STR(buf.data, "");
	CHECK_INT(buf.len, 0);
	buf_free(&buf);
}

static void
reset_gives_back_large_memory(void)
{
	Buf			buf;

	buf_init(&buf, 10000);
	for (int i = 0; i < 1000; i++)
		buf_puts(&buf, "12345678");
	buf_reset(&buf, 4096);
	CHECK(buf.data == NULL);
	CHECK_INT(buf.size, 0);
	CHECK(buf_puts(&buf, "again"));
	CHECK_STR(buf.data, "again");
	buf_free(&buf);
}

static void
freed_buffer_can_be_used_again(void)
{
	Buf			buf;

	buf_init(&buf, 5);
	buf_puts(&buf, "12345");
	buf_free(&buf);
	CHECK(buf.data == NULL);
	CHECK(buf_puts(&buf, "again"));
	CHECK(!buf_puts(&buf, "!"));
	buf_free(&buf);
}

typedef struct JsonRow
{
	const char *text;
	size_t		len;
	const char *want;
} JsonRow;

#define ROW(text, want) {text, sizeof(text) - 1, want}

static const JsonRow json_rows[] = {
	ROW("", "\"\""),
	ROW("plain", "\"plain\""),
	ROW("say \"hi\"", "\"say \\\"hi\\\"\""),
	ROW("a\\b/c", "\"a\\\\b/c\""),
	ROW("\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\""),
	ROW("\x01\x1F\x7F", "\"\\u0001\\u001f\\u007f\""),
	ROW("a\0b", "\"a\\u0000b\""),
	ROW("gr\xC3\xBC\xC3\x9F \xF0\x9F\x99\x82", "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x99\x82\""),
	ROW("\xE2\x80\xA8", "\"\xE2\x80\xA8\""),
	ROW("a\xFF" "b", "\"a\xEF\xBF\xBD" "b\""),
	ROW("\xC0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\""),
	ROW("\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""),
	ROW("cut \xE2\x82", "\"cut \xEF\xBF\xBD\xEF\xBF\xBD\""),
	ROW("\"\"", "\"\\\"\\\"\""),
	ROW("\x02\x07\x0B\x0E\x10", "\"\\u0002\\u0007\\u000b\\u000e\\u0010\""),
	ROW(" !#[]~", "\" !#[]~\""),
	ROW("\xC2\x80\\", "\"\xC2\x80\\\\\""),
};

static void
json_strings_are_escaped(void)
{
	for (size_t i = 0; i < sizeof(json_rows) / sizeof(json_rows[0]); i++)
	{
		int			before = check_failures;
		Buf			buf;

		buf_init(&buf, 1000);
		CHECK(buf_json(&buf, json_rows[i].text, json_rows[i].len));
		CHECK_STR(buf.data, json_rows[i].want);
		CHECK_ROW(before, "%zu", i);
		buf_free(&buf);
	}
}

/* As far as the plain characters around it are looked at several at once. */
static void
every_byte_is_escaped_at_every_place(void)
{
	enum { PLACES = 20 };

	for (int c = 0; c <= 0xFF; c++)
	{
		char		one = (char) c;
		Buf			alone;

		buf_init(&alone, 20);
		buf_json(&alone, &one, 1);
		for (int place = 0; place < PLACES; place++)
		{
			int			before = check_failures;
			char		text[PLACES];
			Buf			got;
			Buf			want;

			memset(text, place % 2 ? '!' : '~', sizeof(text));
			buf_init(&got, 100);
			buf_init(&want, 100);
			buf_puts(&want, "\"");
			buf_add(&want, text, (size_t) place);
			buf_add(&want, alone.data + 1, alone.len - 2);
			buf_add(&want, text, (size_t) (PLACES - 1 - place));
			buf_puts(&want, "\"");
			text[place] = one;
			CHECK(buf_json(&got, text, sizeof(text)));
			CHECK_STR(got.data, want.data);
			CHECK_ROW(before, "byte %d at %d", c, place);
			buf_free(&got);
			buf_free(&want);
		}
		/* alone it is looked at by itself */
		CHECK((alone.len == 3) == (c >= ' ' && c < 0x7F && c != '"' && c != '\\'));
		buf_free(&alone);
	}
}

static void
json_string_over_the_cap_fails(void)
{
	/* every place where the cap can strike: quotes, plain text, escapes, replacements */
	for (size_t cap = 0; cap < 13; cap++)
	{
		Buf			buf;

		buf_init(&buf, cap);
		CHECK(!buf_json(&buf, "ab\n\x01\xFF", 5));
		CHECK(buf.failed);
		CHECK(buf.len <= cap);
		buf_free(&buf);
	}
}

static const CheckTest tests[] = {
	CHECK_TEST(empty_buffer_holds_nothing),
	CHECK_TEST(appends_join_and_end_in_nul),
	CHECK_TEST(empty_append_gives_an_empty_string),
	CHECK_TEST(embedded_nul_is_kept),
	CHECK_TEST(grows_byte_by_byte_without_losing_any),
	CHECK_TEST(memory_never_exceeds_the_cap),
	CHECK_TEST(reserved_room_is_used_and_not_exceeded),
	CHECK_TEST(append_over_the_cap_changes_nothing),
	CHECK_TEST(failure_sticks_until_reset),
	CHECK_TEST(formatted_text_over_the_cap_fails),
	CHECK_TEST(absurd_length_fails_instead_of_wrapping),
	CHECK_TEST(memory_that_cannot_be_had_is_a_failure),
	CHECK_TEST(text_that_cannot_be_formatted_is_a_failure),
	CHECK_TEST(reset_keeps_small_memory),
	CHECK_TEST(reset_gives_back_large_memory),
	CHECK_TEST(freed_buffer_can_be_used_again),
	CHECK_TEST(json_strings_are_escaped),
	CHECK_TEST(every_byte_is_escaped_at_every_place),
	CHECK_TEST(json_string_over_the_cap_fails),
};

int
main(void)
{
	return check_run_all(tests);
}
