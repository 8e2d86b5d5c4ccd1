/*
 * lexicon.h
 *	  The words that the builtin provider knows, and how a text is cut into words to look for them.
 *
 * Words are compared whole, without case, accents or apostrophes: "Isn’t" is isnt.  Nothing is kept between calls:
 * the index over the phrases is built anew each time, in a struct that the caller holds.
 */
#ifndef TRIAGE_CORE_LEXICON_H
#define TRIAGE_CORE_LEXICON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a phrase does to the tally. */
typedef enum TermKind
{
	TERM_PROBLEM,				/* something is wrong */
	TERM_PRESSURE,				/* somebody is in a hurry, or says not to hurry */
	TERM_EASE,					/* a question how, a wish, a matter settled: weighs against urgency */
	TERM_SCOPE,					/* many people or live business: makes a problem worse, alone means nothing */
	TERM_THANKS,				/* courtesy: counts for little beside a problem */
	TERM_MOOD,					/* says how the writer feels, not how soon help is needed */
	TERM_NEGATE,				/* turns the next term round */
	TERM_NEGATE_AGAIN,			/* "or", "nor": carries a negation over to the next term */
	TERM_STOP,					/* "but", "not only": ends a negation */
	TERM_BOOST,					/* the next term weighs more */
	TERM_DAMP					/* the next term weighs less */
} TermKind;

/*
 * Phrases that weigh the same, separated by '|'.  A '*' after a word also takes its forms in -s, -es, -d, -ed, -ing;
 * '#' stands for a number in figures or words.  "plain" weights hold for "it is down", "negated" ones for "not down".
 */
typedef struct TermGroup
{
	TermKind	kind;
	float		urgency;
	float		urgency_negated;
	float		mood;			/* positive: angrier */
	float		mood_negated;
	const char *phrases;
} TermGroup;

typedef enum Pause
{
	PAUSE_NONE,
	PAUSE_CLAUSE,				/* comma, colon, bracket */
	PAUSE_SENTENCE				/* full stop, question mark, blank line */
} Pause;

typedef struct Word
{
	uint32_t	offset;			/* into Words.text */
	uint32_t	len;
	uint8_t		pause;			/* what stood before it */
	bool		capitals;		/* two letters or more, none of them small */
} Word;

typedef struct Words
{
	char	   *text;			/* the folded words, without what stood between them */
	size_t		text_len;
	size_t		text_size;
	Word	   *items;
	size_t		count;
	size_t		size;
	int			exclamations;	/* single '!' */
	int			exclamation_runs;	/* "!!", "?!" and longer */
	int			questions;
} Words;

#define LEXICON_TERMS_MAX 2000
#define LEXICON_SLOTS 4096

typedef struct Lexicon
{
	struct
	{
		const char *phrase;
		uint16_t	len;
		uint16_t	group;
		uint16_t	next;		/* next term whose first word has this hash, plus one; 0 ends the chain */
	}			terms[LEXICON_TERMS_MAX];
	uint16_t	slots[LEXICON_SLOTS];	/* term plus one; 0: empty */
	int			count;
} Lexicon;

/* Appends the words of one text, a sentence of its own.  False: out of memory.  Zero the struct before the first. */
extern bool words_add(Words *words, const char *text, size_t len);
extern void words_free(Words *words);
/* Is the word in a list of words of at most 24 letters?  A blank stands before each and behind the last. */
extern bool word_list_has(const char *list, const char *word, size_t len);

/* The phrases, grouped by what they mean. */
extern const TermGroup *lexicon_groups(int *count);
extern void lexicon_init(Lexicon *lexicon);
/* The longest term that starts at words->items[at], and how many words it takes; -1 when there is none. */
extern int	lexicon_match(const Lexicon *lexicon, const Words *words, size_t at, size_t *taken);
/* Does the text look like English?  Judged by its small words. */
extern bool lexicon_is_english(const Words *words);

#endif
