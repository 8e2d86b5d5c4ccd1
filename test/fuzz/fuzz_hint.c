/*
 * fuzz_hint.c
 *	  Any bytes as a wait, as a time and as a sentence: what is read from them keeps its promises.
 *
 * Input: a byte that chooses the clock, then text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/classify.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool promise)
{
	if (!promise)
		abort();
}

static void
require_hint(int64_t hint)
{
	require(hint >= -1 && hint <= HINT_MAX_MS);
}

/* Blanks around a wait say nothing, and a sign before it makes nonsense of it. */
static void
fuzz_wait(const char *text, int64_t now_ms)
{
	size_t		size = strlen(text) + 8;
	char	   *changed = malloc(size);
	int64_t		hint = hint_parse(text, now_ms);

	require_hint(hint);
	snprintf(changed, size, " \t%s\r\n", text);
	require(hint_parse(changed, now_ms) == hint);
	snprintf(changed, size, "-%s", text);
	require(hint_parse(changed, now_ms) == -1);
	free(changed);
}

/* What is a time is a wait as well, unless it is over, and one second later it is a second less. */
static void
fuzz_time(const char *text, int64_t now_ms)
{
	int64_t		at_ms;

	if (!hint_time(text, &at_ms))
		return;
	require(at_ms >= INT64_C(-62167305600000) && at_ms <= INT64_C(253402387200000));
	require(hint_parse(text, at_ms) == 0 && hint_parse(text, at_ms + 1) == -1);
	require(hint_parse(text, at_ms - 1000) == 1000 && hint_parse(text, at_ms - 2 * HINT_MAX_MS) == HINT_MAX_MS);
	require((hint_parse(text, now_ms) < 0) == (at_ms < now_ms));
}

/* A wait that stands alone is found in a sentence too, and is the same there. */
static void
fuzz_sentence(const char *text)
{
	size_t		size = strlen(text) + 40;
	char	   *sentence = malloc(size);
	int64_t		alone = hint_parse(text, 0);

	require_hint(hint_in_message(text));
	snprintf(sentence, size, "Please try again in %s", text);
	require_hint(hint_in_message(sentence));
	/* a duration; a number alone may be a Unix time, which nobody writes in a sentence */
	if (alone > 0 && strspn(text, "0123456789") > 0 && strspn(text + strlen(text) - 1, "smh") == 1 && strchr(text, '-') == NULL)
		require(hint_in_message(sentence) == alone);
	free(sentence);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int64_t clocks[] = {0, INT64_C(784111777000), INT64_C(1700000000000), INT64_C(4102444800000)};
	int64_t		now_ms;
	char	   *text;

	if (size == 0)
		return 0;
	now_ms = clocks[data[0] % (sizeof(clocks) / sizeof(clocks[0]))];
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	fuzz_wait(text, now_ms);
	fuzz_time(text, now_ms);
	fuzz_sentence(text);
	free(text);
	return 0;
}
