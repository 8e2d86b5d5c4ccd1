/*
 * test_redact.c
 *	  A known secret in a stranger's words: found however it is spelled, and nothing else touched.
 */
#include "core/redact.h"

#include <stdlib.h>

#include "check.h"

#define KEY "sk-proj-Ab3/dE+fG=0123456789"

typedef struct Row
{
	const char *text;
	size_t		least;
	const char *want;
} Row;

static const Row rows[] = {
	/* whole */
	{KEY, 28, "****************************"},
	{"key " KEY ".", 28, "key ****************************."},
	{KEY KEY, 28, "********************************************************"},
	{"sk-proj-Ab3/dE+fG=012345678", 28, "sk-proj-Ab3/dE+fG=012345678"},
	{"sk-proj-Ab3/dE+fG=012345678x", 28, "sk-proj-Ab3/dE+fG=012345678x"},
	{"SK-PROJ-AB3/DE+FG=0123456789", 28, "SK-PROJ-AB3/DE+FG=0123456789"},
	{"{\"draft_reply\":\"use " KEY " \\u00e9\"}", 28, "{\"draft_reply\":\"use **************************** \\u00e9\"}"},
	/* as JSON may spell it */
	{"\"sk-proj-Ab3\\/dE+fG=0123456789\"", 28, "\"*****************************\""},
	{"\"sk-proj-Ab3\\u002fdE\\u002BfG\\u003d0123456789\"", 28, "\"*******************************************\""},
	{"\"\\u0073\\u006b-proj-Ab3/dE+fG=012345678\\u0039\"", 28, "\"*******************************************\""},
	/* an escape that is cut or none ends the stretch, and is left alone */
	{"sk-proj-Ab3\\u00", 8, "***********\\u00"},
	{"sk-proj-Ab3\\", 8, "***********\\"},
	{"sk-proj-Ab3\\\\", 8, "***********\\\\"},
	{"\\n0123456789\\n", 8, "\\n**********\\n"},
	/* parts */
	{"Incorrect API key provided: sk-proj-********6789", 8, "Incorrect API key provided: ****************6789"},
	{"sk-proj-", 8, "********"},
	{"sk-proj", 8, "sk-proj"},
	{"k-proj-A and b3/dE+fG", 8, "******** and ********"},
	{"01234567 1234567 23456789", 8, "******** 1234567 ********"},
	{"0123456701234567", 8, "****************"},
	{"x0123456x", 8, "x0123456x"},
	{"3210987654", 8, "3210987654"},
	{"", 8, ""},
	{"caf\xC3\xA9 sk-proj-Ab3", 8, "caf\xC3\xA9 ***********"},
};

static void
key_is_found_however_it_is_spelled(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		int			before = check_failures;
		char		text[200];

		strcpy(text, rows[i].text);
		redact(text, strlen(text), KEY, rows[i].least);
		CHECK_STR(text, rows[i].want);
		CHECK_ROW(before, "%s", rows[i].text);
	}
}

static void
short_secret_is_left_alone(void)
{
	char		text[] = "none of it: none";

	redact(text, strlen(text), "none", 8);
	CHECK_STR(text, "none of it: none");
	redact(text, strlen(text), "", 8);
	redact(text, strlen(text), "", 0);
	redact(text, strlen(text), "none", 0);
	CHECK_STR(text, "none of it: none");
}

/* Bytes that are no text, a NUL among them. */
static void
any_bytes_will_do(void)
{
	char		text[] = "\0\xFF\x80" KEY "\0" KEY "\xC3";

	redact(text, sizeof(text) - 1, KEY, 28);
	CHECK(memcmp(text, "\0\xFF\x80****************************\0****************************\xC3", sizeof(text) - 1) == 0);
}

/* Every stretch of the key in a text of its own, against the plain way to find it. */
static void
every_stretch_is_found(void)
{
	size_t		key_len = strlen(KEY);

	for (size_t from = 0; from < key_len; from++)
		for (size_t n = 1; from + n <= key_len; n++)
		{
			char		text[64] = "<";

			strncat(text, &KEY[from], n);
			strcat(text, ">");
			redact(text, strlen(text), KEY, 8);
			CHECK(strspn(text + 1, "*") == (n >= 8 ? n : 0));
		}
}

/* A megabyte of near misses with the largest key takes no longer than a look at each byte: this would take hours. */
static void
long_texts_do_not_take_long(void)
{
	size_t		len = 1024 * 1024;
	char	   *text = malloc(len + 1);
	char	   *key = malloc(8193);

	memset(key, 'a', 8192);
	key[8192] = '\0';
	key[4096] = 'b';
	memset(text, 'a', len);
	text[len] = '\0';
	redact(text, len, key, 8192);
	CHECK(text[0] == 'a' && text[len - 1] == 'a');
	redact(text, len, key, 8);
	CHECK_INT(strspn(text, "*"), len);
	free(text);
	free(key);
}

static const CheckTest tests[] = {
	CHECK_TEST(key_is_found_however_it_is_spelled),
	CHECK_TEST(short_secret_is_left_alone),
	CHECK_TEST(any_bytes_will_do),
	CHECK_TEST(every_stretch_is_found),
	CHECK_TEST(long_texts_do_not_take_long),
};

int
main(void)
{
	return check_run_all(tests);
}
