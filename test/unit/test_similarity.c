/*
 * test_similarity.c
 *	  What two texts have in common, by their words.
 */
#include "core/similarity.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static const struct
{
	const char *a;
	const char *b;
	int			thousandths;
	const char *what;
}			cases[] = {
	{"", "", 1000, "two empty texts are the same"},
	{" \t\n", "...", 1000, "so are two without words"},
	{"word", "", 0, "a text and nothing have nothing in common"},
	{"Turn it off.", "Turn it off.", 1000, "a text is like itself"},
	{"Turn it off!", "turn IT -- off", 1000, "whatever its punctuation and its letters' case"},
	{"off it turn", "Turn it off", 1000, "and the order of its words"},
	{"one two three four", "one two three five", 750, "three words of four"},
	{"one two", "one two three four", 667, "two of two, and of four"},
	{"a a a b", "a b b b", 500, "a word counts as often as it stands in both"},
	{"abc", "abcd", 0, "a word is compared as a whole"},
	{"caf\xc3\xa9 noir", "caf\xc3\xa9 blanc", 500, "letters beyond ASCII are letters"},
	{"caf\xc3\xa9", "caf\xc3\xa8", 0, "and tell words apart"},
	{"a\xc2\xa0" "b", "a b", 1000, "a no-break space parts words"},
	{"\xe2\x80\x9cquoted\xe2\x80\x9d", "quoted", 1000, "quotation marks do not count"},
	{"\xe8\xaf\xb7\xe9\x87\x8d\xe5\x90\xaf", "\xe8\xaf\xb7\xe9\x87\x8d\xe8\xaf\x95", 667, "each ideograph is a word"},
	{"\xe8\xaf\xb7\xe3\x80\x82" "ok", "ok \xe8\xaf\xb7", 1000, "beside others, and its full stop is none"},
	{"\xef\xbc\x8c\xe8\xaf\xb7\xf0\xa0\x80\x80", "\xf0\xa0\x80\x80", 667, "beyond the basic plane too"},
	{"\xe0\xb8\x81\xe0\xb8\x82", "\xe0\xb8\x81", 667, "each Thai character"},
	{"\xd0\xbf\xd1\x80\xd0\xb8 \xd0\xbc", "\xd0\xbc \xd0\xbf\xd1\x80\xd0\xb8", 1000, "Cyrillic has words"},
	{"x\xff\xfey", "x y", 0, "bytes that are not UTF-8 are letters of some word"},
	{"cut \xe8\xaf", "cut", 667, "also a character that is cut off"},
};

static void
words_in_common_count(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		double		there = text_similarity(cases[i].a, strlen(cases[i].a), cases[i].b, strlen(cases[i].b));
		double		back = text_similarity(cases[i].b, strlen(cases[i].b), cases[i].a, strlen(cases[i].a));

		if (!CHECK_INT((int) (there * 1000 + 0.5), cases[i].thousandths) || !CHECK(there == back))
			printf("# %s\n", cases[i].what);
	}
}

static void
a_large_text_is_compared(void)
{
	size_t		size = 2000000;
	char	   *large = malloc(size + 1);

	for (size_t i = 0; i < size; i += 2)
		memcpy(large + i, "a ", 3);
	CHECK(text_similarity(large, size, large, size) == 1);
	CHECK(text_similarity(large, size, large, size / 2) < 0.67);
	free(large);
}

int
main(void)
{
	static const CheckTest tests[] = {
		CHECK_TEST(words_in_common_count),
		CHECK_TEST(a_large_text_is_compared),
	};

	return check_run_all(tests);
}
