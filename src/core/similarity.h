/*
 * similarity.h
 *	  How much two texts have in common.
 */
#ifndef TRIAGE_CORE_SIMILARITY_H
#define TRIAGE_CORE_SIMILARITY_H

#include <stddef.h>

/*
 * Dice's coefficient of the words of two UTF-8 texts, 0 to 1: a word that stands n times counts n times, and neither
 * order nor punctuation nor the case of ASCII letters counts.  1 when neither has a word.  Negative: out of memory.
 */
extern double text_similarity(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
