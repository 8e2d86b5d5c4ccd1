/*
 * builtin.c
 *	  The provider that is no language model: a verdict from counted words.
 *
 * Decides the urgency and the mood of a ticket from the lexicon's terms, how sure to be of the category that the text
 * search found, and which sentences a first reply is put together from.  Knows nothing of the server, of time or of
 * any other ticket: the same ticket gets the same answer.  The reply says that it is automatic.
 *
 * Vocabulary: a term is a phrase of the lexicon found in the text; its weights are added up in a tally, one heap for
 * each kind, because kinds weigh against each other differently (thanks do not undo an outage).
 */
#include "core/builtin.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/lexicon.h"
#include "core/utf8.h"

#define SUBJECT_WEIGHT 1.25f
/* later words are history, logs and signatures rather than the request */
#define REQUEST_WORDS 250
#define HISTORY_WORDS 1500

/* how many words a negation and an intensifier reach */
#define NEGATION_REACH 4
#define FACTOR_REACH 3

#define URGENT_FROM 5.9f
#define HIGH_FROM 2.6f
#define LOW_UP_TO (-1.4f)

#define NEUTRAL_MOOD 3
#define FURIOUS_FROM 8
#define SURE_FROM 0.4

#define SUMMARY_LENGTH 200
#define QUOTE_LENGTH 120
#define DRAFT_LENGTH 4000

typedef struct Tally
{
	float		kinds[TERM_DAMP + 1];	/* urgency, summed */
	float		strongest[TERM_DAMP + 1];	/* the greatest single weight in it */
	float		anger;			/* of words that say how the writer feels */
	float		strain;			/* of faults and hurry, which upset people who do not say so */
	float		calm;
	int			shouted_terms;	/* terms in capitals among words that are not */
	int			shouted_words;	/* words in capitals that follow another one */
} Tally;

/* What acts on the next term while the text is read. */
typedef struct Scope
{
	bool		negated;
	int			negation_left;	/* words it still reaches; 0: none */
	size_t		negated_term_end;	/* where "or" takes the negation up again; 0: nowhere */
	float		factor;
	int			factor_left;
} Scope;

typedef struct Reading
{
	const Lexicon *lexicon;
	const TermGroup *groups;
	const Words *words;
	size_t		subject_words;
	Scope		scope;
	Tally		tally;
	uint8_t		seen[LEXICON_TERMS_MAX];
} Reading;

static float
place_weight(const Reading *reading, size_t at)
{
	if (at < reading->subject_words)
		return SUBJECT_WEIGHT;
	at -= reading->subject_words;
	return at < REQUEST_WORDS ? 1 : at < HISTORY_WORDS ? 0.5f : 0.2f;
}

/* Adds a term that says something by itself, as far as it was not said before. */
static void
count_term(Reading *reading, int term, size_t at)
{
	const TermGroup *group = &reading->groups[reading->lexicon->terms[term].group];
	Tally	   *tally = &reading->tally;
	Scope	   *scope = &reading->scope;
	TermKind	kind = group->kind;
	float		weight = place_weight(reading, at);
	float		urgency = scope->negated ? group->urgency_negated : group->urgency;
	float		mood = scope->negated ? group->mood_negated : group->mood;

	/* a word said ten times is no ten problems */
	if (reading->seen[term] >= 2)
		return;
	if (reading->seen[term] == 1)
		weight *= 0.4f;
	/* "login" alone names a subject; only what weighs something counts as said */
	if (urgency != 0 || mood != 0)
		reading->seen[term]++;
	weight *= scope->factor_left > 0 ? scope->factor : 1;

	urgency *= weight;
	mood *= weight;

	/* a fault or a hurry denied is ease, ease denied ("not fixed") is a fault */
	if ((kind == TERM_PROBLEM || kind == TERM_PRESSURE) && urgency < 0)
		kind = TERM_EASE;
	else if (kind == TERM_EASE && urgency > 0)
		kind = TERM_PROBLEM;
	tally->kinds[kind] += urgency;
	if (urgency > tally->strongest[kind])
		tally->strongest[kind] = urgency;

	if (mood < 0)
		tally->calm -= mood;
	else if (group->kind == TERM_MOOD)
		tally->anger += mood;
	else
		tally->strain += mood;
}

/* Acts on what follows, or counts; the negation in force is used up by the term that it turned round. */
static void
read_term(Reading *reading, int term, size_t at, size_t taken)
{
	Scope	   *scope = &reading->scope;
	bool		shouted = reading->words->items[at].capitals;

	switch (reading->groups[reading->lexicon->terms[term].group].kind)
	{
		case TERM_NEGATE:
			scope->negated = true;
			scope->negation_left = NEGATION_REACH + (int) taken;
			return;
		case TERM_NEGATE_AGAIN:
			scope->negated = scope->negated || (scope->negated_term_end > 0 && at <= scope->negated_term_end + 1);
			scope->negation_left = scope->negated ? NEGATION_REACH + (int) taken : 0;
			return;
		case TERM_STOP:
			scope->negated = false;
			return;
		case TERM_BOOST:
		case TERM_DAMP:
			scope->factor = reading->groups[reading->lexicon->terms[term].group].kind == TERM_BOOST ? 1.5f : 0.5f;
			scope->factor_left = FACTOR_REACH + (int) taken;
			return;
		default:
			break;
	}
	count_term(reading, term, at);
	reading->tally.shouted_terms += shouted;
	scope->negated_term_end = scope->negated ? at + taken : 0;
	scope->negated = false;
	scope->factor_left = 0;
}

static void
pass_words(Scope *scope, size_t count)
{
	for (size_t i = 0; i < count; i++)
	{
		if (scope->negation_left > 0 && --scope->negation_left == 0)
			scope->negated = false;
		if (scope->factor_left > 0)
			scope->factor_left--;
	}
}

static void
read_words(Reading *reading)
{
	const Words *words = reading->words;
	size_t		at = 0;
	bool		shouting = false;

	while (at < words->count)
	{
		const Word *word = &words->items[at];
		size_t		taken;
		int			term;

		if (word->pause != PAUSE_NONE)
			reading->scope = (Scope){0};
		term = lexicon_match(reading->lexicon, words, at, &taken);
		if (term < 0)
			taken = 1;
		else
			read_term(reading, term, at, taken);
		for (size_t i = 0; i < taken; i++)
		{
			reading->tally.shouted_words += shouting && words->items[at + i].capitals;
			shouting = words->items[at + i].capitals;
		}
		pass_words(&reading->scope, taken);
		at += taken;
	}
}

static float
at_most(float value, float limit)
{
	return value < limit ? value : limit;
}

/* How loud the text is, 0 to 2.  Two capitalised words may be a product's name; a shouted term, or five, are not. */
static float
loudness(const Reading *reading)
{
	const Tally *tally = &reading->tally;
	const Words *words = reading->words;
	float		loud = 0;

	if (tally->shouted_words >= 4 || (tally->shouted_words >= 1 && tally->shouted_terms >= 1))
		loud += 1;
	else if (tally->shouted_terms >= 1)
		loud += 0.5f;
	if (words->exclamation_runs > 0)
		loud += 0.7f;
	else if (words->exclamations > 0)
		loud += words->exclamations > 2 ? 0.5f : 0.2f;
	return at_most(loud, 2);
}

/* The strongest term of a kind, and a little for each further one: three small faults are no outage. */
static float
weight_of(const Tally *tally, TermKind kind)
{
	return tally->strongest[kind] + at_most(0.25f * (tally->kinds[kind] - tally->strongest[kind]), 1.2f);
}

static Priority
judge_urgency(const Reading *reading)
{
	const float *kinds = reading->tally.kinds;
	float		problem = weight_of(&reading->tally, TERM_PROBLEM);
	float		score = problem + weight_of(&reading->tally, TERM_PRESSURE);

	score += kinds[TERM_EASE] > -5 ? kinds[TERM_EASE] : -5;
	if (problem >= 1.5f)
		score += weight_of(&reading->tally, TERM_SCOPE);
	if (problem >= 1 || kinds[TERM_PRESSURE] >= 1)
		score += 0.5f * loudness(reading) + at_most(0.15f * reading->tally.anger, 0.8f);
	else
	{
		score += kinds[TERM_THANKS] > -2.5f ? kinds[TERM_THANKS] : -2.5f;
		score += kinds[TERM_MOOD] < 0 ? kinds[TERM_MOOD] : 0;
		if (reading->words->questions > 0)
			score -= 0.8f;
	}
	return score >= URGENT_FROM ? PRIORITY_URGENT :
		score >= HIGH_FROM ? PRIORITY_HIGH :
		score <= LOW_UP_TO ? PRIORITY_LOW : PRIORITY_MEDIUM;
}

static int
judge_sentiment(const Reading *reading)
{
	const Tally *tally = &reading->tally;
	float		anger = tally->anger + at_most(0.4f * tally->strain, tally->anger > 0 ? 1.5f : 1);
	float		step;
	int			mood;

	/* loud thanks are no anger; loud complaints are more of it */
	if (anger > tally->calm)
		anger += 1.2f * loudness(reading);
	/* "thanks in advance" closes an angry letter as well */
	step = anger - at_most(tally->calm, anger > 2 ? 0.6f : 2.0f);
	/* the last steps of the scale are the hardest to reach */
	if (step > 4)
		step = 4 + (step - 4) / 2;
	mood = NEUTRAL_MOOD + (int) (step < 0 ? step - 0.5f : step + 0.5f);
	return mood < SENTIMENT_MIN ? SENTIMENT_MIN : mood > SENTIMENT_MAX ? SENTIMENT_MAX : mood;
}

/* From the margin between the two best categories and from how much was found at all; two decimals, as stored. */
static double
judge_confidence(const BuiltinScores *scores)
{
	double		confidence = 0.1;

	if (scores->best > 0)
	{
		double		second = scores->second > 0 ? scores->second : 0;
		double		margin = second < scores->best ? (scores->best - second) / scores->best : 0;

		confidence = 0.25 + 0.7 * margin * scores->best / (scores->best + 1);
	}
	return (double) (int) (confidence * 100 + 0.5) / 100;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

void
builtin_put_line(Buf *buf, const char *text, size_t len, size_t limit)
{
	size_t		start = buf->len;
	size_t		at = 0;

	while (at < len && buf->len - start <= limit)
	{
		size_t		taken = utf8_sequence(text + at, len - at);

		if (taken == 1 && ((unsigned char) text[at] <= ' ' || text[at] == 0x7F))
		{
			if (buf->len > start && buf->data[buf->len - 1] != ' ')
				buf_add(buf, " ", 1);
		}
		else if (taken > 0)
			buf_add(buf, text + at, taken);
		at += taken > 0 ? taken : 1;
		if (buf->failed)
			return;
	}
	if (buf->len - start > limit)
	{
		size_t		end = start + utf8_clip(buf->data + start, buf->len - start, limit);
		size_t		space = end;

		/* no word is longer than a third of the line, unless it is no word */
		while (space > start + limit * 2 / 3 && buf->data[space] != ' ')
			space--;
		buf->len = buf->data[space] == ' ' ? space : end;
		buf_puts(buf, "…");
	}
	while (buf->len > start && buf->data[buf->len - 1] == ' ')
		buf->data[--buf->len] = '\0';
}

void
builtin_first_sentence(const char **text, size_t *len)
{
	size_t		at = 0;
	size_t		end;

	for (;;)
	{
		while (at < *len && is_space((*text)[at]))
			at++;
		end = at;
		while (end < *len && (*text)[end] != '\n')
			end++;
		if (end == *len || end - at > 40)
			break;
		while (end > at && is_space((*text)[end - 1]))
			end--;
		if (end == at || (*text)[end - 1] != ',')
			break;
		at = end;
	}
	*text += at;
	*len -= at;
	for (end = 0; end < *len; end++)
	{
		char		c = (*text)[end];

		if ((c == '.' || c == '!' || c == '?') && (end + 1 == *len || is_space((*text)[end + 1])))
		{
			*len = end + 1;
			return;
		}
		if (c == '\n' && end + 1 < *len && ((*text)[end + 1] == '\n' || (*text)[end + 1] == '\r'))
			break;
	}
	*len = end;
}

static bool
is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (!is_space(text[i]))
			return false;
	}
	return true;
}

void
builtin_put_topic(Buf *buf, const TicketInput *ticket, size_t limit)
{
	const char *text = ticket->subject;
	size_t		len = ticket->subject_len;

	if (is_blank(text, len))
	{
		text = ticket->description;
		len = ticket->description_len;
		builtin_first_sentence(&text, &len);
	}
	builtin_put_line(buf, text, len, limit);
}

static const char *
category_sentence(const char *category)
{
	static const char *const sentences[][2] =
	{
		{"technical", "It has been sorted as a technical question; it helps to know what you tried last and what you saw then."},
		{"billing", "It has been sorted as a billing matter; if it concerns an invoice or a payment, its number and date help us to find it."},
		{"general", "It has been sorted as a general question."},
		{"feature_request", "It has been sorted as a suggestion; it helps to know what you would like to achieve with it."},
		{"bug_report", "It has been sorted as a report of a fault; the steps that lead to it and the exact error message help to reproduce it."},
	};

	for (size_t i = 0; i < sizeof(sentences) / sizeof(sentences[0]); i++)
	{
		if (strcmp(category, sentences[i][0]) == 0)
			return sentences[i][1];
	}
	return "It has been sorted for the people who know the subject.";
}

static const char *
urgency_sentence(Priority urgency)
{
	static const char *const sentences[PRIORITY_COUNT] =
	{
		[PRIORITY_LOW] = "We read it as a matter that does not hold up your work; if it does, please tell us.",
		[PRIORITY_MEDIUM] = "If it becomes more pressing, please tell us in a reply.",
		[PRIORITY_HIGH] = "It is marked as important, so that it is seen before routine questions.",
		[PRIORITY_URGENT] = "It is marked as urgent, so that it is seen first.",
	};

	return sentences[urgency];
}

static void
put_draft(Buf *buf, const TicketInput *ticket, const Category *category, const Verdict *verdict)
{
	buf_puts(buf, "Hello,\n\nthank you for your message about “");
	builtin_put_topic(buf, ticket, QUOTE_LENGTH);
	buf_puts(buf, "”. This is an automatic confirmation that we have received it.\n\n");
	if (verdict->sentiment_score >= FURIOUS_FROM - 1)
		buf_puts(buf, "We are sorry for the trouble that this has caused you. ");
	buf_puts(buf, category_sentence(category->name));
	buf_puts(buf, " ");
	buf_puts(buf, urgency_sentence(verdict->urgency));
	buf_puts(buf, "\n\nKind regards,\nthe support team");
}

/* The memory goes to the caller; an empty text is one too. */
static char *
take_text(Buf *buf)
{
	char	   *text = buf_puts(buf, "") ? buf->data : NULL;

	if (text == NULL)
		buf_free(buf);
	return text;
}

static bool
write_texts(const TicketInput *ticket, const Category *category, const Words *words, Verdict *verdict)
{
	Buf			draft;
	Buf			summary;

	buf_init(&draft, DRAFT_LENGTH);
	buf_init(&summary, DRAFT_LENGTH);
	put_draft(&draft, ticket, category, verdict);
	builtin_put_topic(&summary, ticket, SUMMARY_LENGTH);
	verdict->draft_reply = take_text(&draft);
	verdict->summary = take_text(&summary);
	if (lexicon_is_english(words))
		verdict->language = strdup("en");
	return verdict->draft_reply != NULL && verdict->summary != NULL &&
		(verdict->language != NULL || !lexicon_is_english(words));
}

static void
judge(const Words *words, size_t subject_words, Verdict *verdict)
{
	Lexicon		lexicon;
	Reading		reading = {.lexicon = &lexicon, .words = words, .subject_words = subject_words};
	int			group_count;

	lexicon_init(&lexicon);
	reading.groups = lexicon_groups(&group_count);
	read_words(&reading);
	verdict->urgency = judge_urgency(&reading);
	verdict->sentiment_score = judge_sentiment(&reading);
}

int
builtin_sentiment(const Words *words)
{
	Verdict		verdict;

	judge(words, 0, &verdict);
	return verdict.sentiment_score;
}

Priority
builtin_urgency(const Words *words, size_t subject_words)
{
	Verdict		verdict;

	judge(words, subject_words, &verdict);
	return verdict.urgency;
}

bool
builtin_answer(const TicketInput *ticket, const Category *categories,
			   const BuiltinScores *scores, Verdict *verdict)
{
	Words		words = {0};
	size_t		subject_words;
	bool		done;

	memset(verdict, 0, sizeof(*verdict));
	done = words_add(&words, ticket->subject, ticket->subject_len);
	subject_words = words.count;
	done = done && words_add(&words, ticket->description, ticket->description_len);
	if (done)
	{
		judge(&words, subject_words, verdict);
		verdict->category = scores->category;
		verdict->confidence = judge_confidence(scores);
		verdict->needs_human = verdict->confidence < SURE_FROM || verdict->urgency == PRIORITY_URGENT ||
			verdict->sentiment_score >= FURIOUS_FROM;
		done = write_texts(ticket, &categories[scores->category], &words, verdict);
	}
	words_free(&words);
	if (!done)
	{
		free(verdict->draft_reply);
		free(verdict->summary);
		free(verdict->language);
		memset(verdict, 0, sizeof(*verdict));
	}
	return done;
}
