/*
 * builtin.h
 *	  The provider that is no language model: urgency, sentiment and a polite draft from a small lexicon of our own.
 *
 * The category is scored by the server's text search before this is called; here are the words, with negation
 * ("not urgent", "no longer broken") and intensifiers ("really", "!!!").  Pure and deterministic.
 */
#ifndef TRIAGE_CORE_BUILTIN_H
#define TRIAGE_CORE_BUILTIN_H

#include "core/buf.h"
#include "core/lexicon.h"
#include "core/ticket.h"

/* What the text search found for one ticket. */
typedef struct BuiltinScores
{
	int			category;		/* index of the best category */
	double		best;			/* its score; 0: nothing matched */
	double		second;			/* the runner-up's */
} BuiltinScores;

/* False: out of memory.  On success every field of verdict is set; language only if it can be told. */
extern bool builtin_answer(const TicketInput *ticket, const Category *categories,
						   const BuiltinScores *scores, Verdict *verdict);
/* The mood alone, on the scale of sentiment_score. */
extern int builtin_sentiment(const Words *words);
/* How soon somebody must act, by the words; the first subject_words of them are the subject. */
extern Priority builtin_urgency(const Words *words, size_t subject_words);
/* What the ticket is about, in one line: its subject, or how it begins. */
extern void builtin_put_topic(Buf *buf, const TicketInput *ticket, size_t limit);
/* Narrows a text to its first sentence, behind a line such as "Hello," that only greets. */
extern void builtin_first_sentence(const char **text, size_t *len);
/* Appends text on one line, without control characters, clipped between words to about limit bytes. */
extern void builtin_put_line(Buf *buf, const char *text, size_t len, size_t limit);

#endif
