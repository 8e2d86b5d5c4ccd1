/*
 * similarity.c
 *	  How much two texts have in common: Dice's coefficient of their words.
 *
 * By words, because what an agent changes in a draft is words; of the scripts that are written without spaces each
 * character counts as one.  Words are compared by a hash of 64 bits and sorted, so the time for a text of n words is
 * n log n, however hostile it is.
 */
#include "core/similarity.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "core/utf8.h"

#define FNV_START 14695981039346656037u
#define FNV_PRIME 1099511628211u

typedef enum Letter
{
	LETTER_NONE,				/* ends a word */
	LETTER_OF_WORD,
	LETTER_ALONE				/* is a word */
} Letter;

typedef struct Words
{
	uint64_t   *hashes;
	size_t		count;
} Words;

static bool
between(uint32_t c, uint32_t first, uint32_t last)
{
	return c >= first && c <= last;
}

static Letter
letter_of(uint32_t c)
{
	if (c < 0x80)
		return between(c, '0', '9') || between(c, 'A', 'Z') || between(c, 'a', 'z') ? LETTER_OF_WORD : LETTER_NONE;
	/* Latin-1's signs, general punctuation, symbols, that of CJK, and full-width ASCII's */
	if (between(c, 0x80, 0xBF) || c == 0xD7 || c == 0xF7 || between(c, 0x2000, 0x2BFF) || between(c, 0x3000, 0x303F) ||
		between(c, 0xFF00, 0xFF0F) || between(c, 0xFF1A, 0xFF20) || between(c, 0xFF3B, 0xFF40) ||
		between(c, 0xFF5B, 0xFF65))
		return LETTER_NONE;
	/* Thai and Lao, Myanmar, Khmer; radicals, kana and ideographs */
	if (between(c, 0x0E00, 0x0EFF) || between(c, 0x1000, 0x109F) || between(c, 0x1780, 0x17FF) ||
		between(c, 0x2E80, 0x2FDF) || between(c, 0x3040, 0x9FFF) || between(c, 0xF900, 0xFAFF) ||
		between(c, 0xFF66, 0xFF9D) || between(c, 0x20000, 0x3FFFF))
		return LETTER_ALONE;
	return LETTER_OF_WORD;
}

static uint64_t
hash_more(uint64_t hash, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		unsigned char byte = (unsigned char) text[i];

		if (byte >= 'A' && byte <= 'Z')
			byte += 'a' - 'A';
		hash = (hash ^ byte) * FNV_PRIME;
	}
	return hash;
}

static int
compare_hashes(const void *a, const void *b)
{
	uint64_t	x = *(const uint64_t *) a;
	uint64_t	y = *(const uint64_t *) b;

	return x < y ? -1 : x > y;
}

/* False: out of memory. */
static bool
split(const char *text, size_t len, Words *words)
{
	uint64_t	hash = FNV_START;
	bool		inside = false;
	size_t		length;

	words->count = 0;
	/* no text has more words than bytes */
	words->hashes = malloc((len + 1) * sizeof(uint64_t));
	if (words->hashes == NULL)
		return false;
	for (size_t at = 0; at < len; at += length)
	{
		Letter		letter = letter_of(utf8_decode(text + at, len - at, &length));

		if (inside && letter != LETTER_OF_WORD)
			words->hashes[words->count++] = hash;
		if (letter == LETTER_ALONE)
			words->hashes[words->count++] = hash_more(FNV_START, text + at, length);
		else if (letter == LETTER_OF_WORD)
			hash = hash_more(inside ? hash : FNV_START, text + at, length);
		inside = letter == LETTER_OF_WORD;
	}
	if (inside)
		words->hashes[words->count++] = hash;
	qsort(words->hashes, words->count, sizeof(uint64_t), compare_hashes);
	return true;
}

static size_t
count_common(const Words *a, const Words *b)
{
	size_t		common = 0;

	for (size_t i = 0, k = 0; i < a->count && k < b->count;)
	{
		if (a->hashes[i] == b->hashes[k])
		{
			common++;
			i++;
			k++;
		}
		else if (a->hashes[i] < b->hashes[k])
			i++;
		else
			k++;
	}
	return common;
}

double
text_similarity(const char *a, size_t a_len, const char *b, size_t b_len)
{
	Words		first = {0};
	Words		second = {0};
	double		similarity = -1;

	if (split(a, a_len, &first) && split(b, b_len, &second))
		similarity = first.count + second.count == 0 ? 1 :
			2.0 * (double) count_common(&first, &second) / (double) (first.count + second.count);
	free(first.hashes);
	free(second.hashes);
	return similarity;
}
