/*
 * test_quote.c
 *	  What a quote may differ in, and what makes two summaries the same.
 */
#include "core/quote.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static const struct
{
	const char *quote;
	const char *source;
	int			occurs;
	const char *what;
}			quotes[] = {
	{"b c", "a b c d", 1, "a part of the text"},
	{"a b c d", "a b c d", 1, "all of it"},
	{"b  \n\t c", "a b c", 1, "a run of white space is a space"},
	{"b c", "a b \r\n\r\n  c", 1, "in the text, too"},
	{"  b ", "a b", 1, "white space at the quote's ends says nothing"},
	{"b\xc2\xa0" "c", "b c", 1, "a no-break space is a space"},
	{"b c", "b\xe2\x80\xaf\xe3\x80\x80" "c", 1, "so are a narrow and an ideographic one"},
	{"bc", "b\xe2\x80\x8b" "c", 1, "a zero-width space cannot be seen"},
	{"b\xef\xbb\xbf" "c", "bc", 1, "nor can a byte order mark"},
	{"co-op", "co\xc2\xad-op", 1, "nor a soft hyphen"},
	{"b c", "b\xe2\x80\x8b" "c", 0, "a zero-width space is no space"},
	{"bc", "b c", 0, "a space is not nothing"},
	{"it's \"on\"", "it\xe2\x80\x99s \xe2\x80\x9con\xe2\x80\x9d", 1, "quotation marks have many shapes"},
	{"\xc2\xabon\xc2\xbb \xe2\x80\x9eoff\xe2\x80\x9c", "\"on\" \"off\"", 1, "French and German ones, too"},
	{"'on'", "\"on\"", 0, "single is not double"},
	{"9-5", "9\xe2\x80\x93" "5", 1, "dashes have many shapes"},
	{"-5", "\xe2\x88\x92" "5", 1, "and the minus is one"},
	{"and...", "and\xe2\x80\xa6", 1, "an ellipsis is three dots"},
	{"and\xe2\x80\xa6", "and..", 0, "not two"},
	{"B", "b", 0, "case counts"},
	{"caf\xc3\xa9", "cafe", 0, "accents count"},
	{"caf\xc3\xa9", "le caf\xc3\xa9.", 1, "letters beyond ASCII are compared"},
	{"a.c", "abc", 0, "a dot is a dot"},
	{".*", "abc", 0, "regular expressions mean themselves"},
	{"[a-z]+(x)?\\d{2}^$|", "see [a-z]+(x)?\\d{2}^$| there", 1, "and are found as they are"},
	{"100%_", "is 100%_ sure", 1, "LIKE's characters mean themselves"},
	{"100%_", "is 100 things", 0, "and nothing else"},
	{"", "abc", 0, "nothing is no quote"},
	{" \n\xe2\x80\x8b\xc2\xa0", "a b c", 0, "what cannot be seen is no quote"},
	{"a", "", 0, "nothing quotes nothing"},
	{"ab", "a", 0, "the quote is longer"},
	{"a ... c", "a b c", 0, "what is left out is no quote"},
	{"\xff\xfe", "x\xff\xfey", 1, "bytes that are not UTF-8 are compared"},
	{"\xa0", " ", 0, "and are not taken for characters"},
	{"b\xe2\x80", "b\xe2\x80\x93", 0, "a character that is cut off is not the whole one"},
	{"\xf0\x9f\x98\x80", "ok \xf0\x9f\x98\x80\xef\xb8\x8f", 1, "emoji, whatever their variant"},
};

static void
quotes_are_found(void)
{
	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++)
		if (!CHECK_INT(quote_occurs(quotes[i].quote, strlen(quotes[i].quote), quotes[i].source, strlen(quotes[i].source)),
					   quotes[i].occurs))
			printf("# %s\n", quotes[i].what);
}

static const struct
{
	const char *summary;
	const char *plain;
}			summaries[] = {
	{"Time clock drops punches.", "time clock drops punches"},
	{"  Time   CLOCK, drops \"punches\"!  ", "time clock drops punches"},
	{"Can\xe2\x80\x99t sync (offline)", "cant sync offline"},
	{"Time-clock sync", "time clock sync"},
	{"Balance is -5 at 14:30, not 1,000.5 hours", "balance is -5 at 14:30 not 1,000.5 hours"},
	{"Version 1.2.", "version 1.2"},
	{"C++ and C#", "c++ and c#"},
	{"\xc3\x9c" "bersicht", "\xc3\x9c" "bersicht"},
	{"", ""},
	{" ...!?", ""},
	{"401(k) match", "401 k match"},
};

static void
summaries_lose_what_does_not_matter(void)
{
	for (size_t i = 0; i < sizeof(summaries) / sizeof(summaries[0]); i++)
	{
		Buf			out;

		buf_init(&out, strlen(summaries[i].summary) + 1);
		CHECK(quote_fold_summary(&out, summaries[i].summary, strlen(summaries[i].summary)));
		CHECK_STR(out.data, summaries[i].plain);
		buf_free(&out);
	}
}

static void
folding_never_grows_and_stays_as_it_is(void)
{
	for (size_t i = 0; i < sizeof(quotes) / sizeof(quotes[0]); i++)
	{
		const char *text = quotes[i].source;
		Buf			once;
		Buf			twice;

		buf_init(&once, strlen(text) + 1);
		buf_init(&twice, strlen(text) + 1);
		CHECK(quote_fold(&once, text, strlen(text)));
		CHECK(once.len <= strlen(text));
		CHECK(quote_fold(&twice, once.data, once.len));
		CHECK_STR(twice.data, once.data);
		buf_free(&once);
		buf_free(&twice);
	}
}

static void
a_large_text_is_searched(void)
{
	size_t		size = 2000000;
	char	   *large = malloc(size + 1);

	memset(large, ' ', size);
	large[size] = '\0';
	large[0] = 'a';
	large[size - 1] = 'b';
	CHECK_INT(quote_occurs("a b", 3, large, size), 1);
	memset(large, 'a', size);
	CHECK_INT(quote_occurs("aab", 3, large, size), 0);
	free(large);
}

int
main(void)
{
	static const CheckTest tests[] = {
		CHECK_TEST(quotes_are_found),
		CHECK_TEST(summaries_lose_what_does_not_matter),
		CHECK_TEST(folding_never_grows_and_stays_as_it_is),
		CHECK_TEST(a_large_text_is_searched),
	};

	return check_run_all(tests);
}
