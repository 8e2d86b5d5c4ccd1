/*
 * redact.c
 *	  Takes a known secret out of a stranger's words.
 *
 * An endpoint that is shown a key may show it again, whole or in part, in an error or in an answer.  reason.c knows what
 * keys look like; this knows the key.  One pass whatever the lengths: the texts are up to a megabyte long and come from
 * a stranger, who must not choose how long it takes.  So the secret's windows of `least` characters are looked up by a
 * rolling hash of 64 bits.  A collision overwrites a few of the stranger's own words, which hurts nobody.
 */
#include "core/redact.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BASE UINT64_C(0x9E3779B97F4A7C15)

/* Hashes of all windows of the secret; 0 is an empty place. */
typedef struct HashSet
{
	uint64_t   *place;
	size_t		mask;
} HashSet;

/* The last `least` characters read, and where each begins in the text. */
typedef struct Window
{
	unsigned char *character;
	size_t	   *start;
	size_t		least;
	size_t		count;			/* read since the last text that cannot be part of a secret */
	uint64_t	hash;
	uint64_t	top;			/* BASE to the power of least - 1 */
} Window;

static uint64_t
mixed(uint64_t hash)
{
	hash ^= hash >> 29;
	return hash == 0 ? 1 : hash;
}

static bool
set_find(const HashSet *set, uint64_t hash, size_t *at)
{
	hash = mixed(hash);
	for (*at = (size_t) (hash >> 32 ^ hash) & set->mask; set->place[*at] != 0; *at = (*at + 1) & set->mask)
		if (set->place[*at] == hash)
			return true;
	return false;
}

static void
window_add(Window *window, unsigned char c, size_t start)
{
	size_t		i = window->count % window->least;

	if (window->count >= window->least)
		window->hash -= (window->character[i] + UINT64_C(1)) * window->top;
	window->hash = window->hash * BASE + c + 1;
	window->character[i] = c;
	window->start[i] = start;
	window->count++;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char) (c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character as JSON would read it: "\/" and "\u002f" are a slash.  Returns how many bytes spell it. */
static size_t
read_character(const char *text, size_t len, unsigned char *c)
{
	int			value = 0;

	*c = (unsigned char) text[0];
	if (text[0] != '\\' || len < 2)
		return 1;
	if (text[1] == '/' || text[1] == '"' || text[1] == '\\')
	{
		*c = (unsigned char) text[1];
		return 2;
	}
	if (text[1] != 'u' || len < 6)
		return 1;
	for (int i = 2; i < 6; i++)
	{
		int			digit = hex_digit(text[i]);

		if (digit < 0)
			return 1;
		value = value * 16 + digit;
	}
	if (value == 0 || value >= 0x80)
		return 1;
	*c = (unsigned char) value;
	return 6;
}

static void
set_fill(HashSet *set, Window *window, const char *secret)
{
	size_t		at;

	for (size_t i = 0; secret[i] != '\0'; i++)
	{
		window_add(window, (unsigned char) secret[i], i);
		if (window->count >= window->least && !set_find(set, window->hash, &at))
			set->place[at] = mixed(window->hash);
	}
	window->count = 0;
	window->hash = 0;
}

static void
overwrite(char *text, size_t len, const HashSet *set, Window *window)
{
	size_t		step;
	size_t		done = 0;		/* overwritten up to here */
	size_t		at;

	for (size_t i = 0; i < len; i += step)
	{
		unsigned char c;

		step = read_character(text + i, len - i, &c);
		window_add(window, c, i);
		if (window->count >= window->least && set_find(set, window->hash, &at))
		{
			size_t		start = window->start[window->count % window->least];

			if (start < done)
				start = done;
			memset(text + start, '*', i + step - start);
			done = i + step;
		}
	}
}

void
redact(char *text, size_t len, const char *secret, size_t least)
{
	size_t		secret_len = strlen(secret);
	size_t		places = 16;
	HashSet		set;
	Window		window = {.least = least,.top = 1};

	if (least == 0 || secret_len < least || len < least)
		return;
	while (places < secret_len * 2)
		places *= 2;
	set.place = calloc(places, sizeof(uint64_t));
	set.mask = places - 1;
	window.character = calloc(least, 1);
	window.start = calloc(least, sizeof(size_t));
	for (size_t i = 1; i < least; i++)
		window.top *= BASE;
	if (set.place == NULL || window.character == NULL || window.start == NULL)
		memset(text, '*', len); /* rather nothing than a key */
	else
	{
		set_fill(&set, &window, secret);
		overwrite(text, len, &set, &window);
	}
	if (window.character != NULL)
		explicit_bzero(window.character, least);
	free(window.character);
	free(window.start);
	free(set.place);
}
