/*
 * builtin_talk.c
 *	  What the provider that is no language model answers to jobs of any kind but triage.
 *
 * Decides in which language it says that a person will look at a conversation, and which of its own words make a summary.
 * It answers no question and is sure of nothing: every reply hands the conversation over, no answer has a confidence, and
 * whether two issues are one it does not judge.
 */
#include "core/builtin_talk.h"

#include <stdlib.h>
#include <string.h>

#include "core/buf.h"
#include "core/builtin.h"
#include "core/builtin_issues.h"
#include "core/lexicon.h"
#include "core/verdict.h"

#define ANSWER_MAX (64 * 1024)
#define HEADING_SHOWN 200
#define TEXT_SHOWN 600
#define REQUEST_SHOWN 400
#define QUESTION_SHOWN 400
/* Small words of a language among a text's first ones: so many at least, and one in so many. */
#define LANGUAGE_SAMPLE 200
#define LANGUAGE_LEAST 2
#define LANGUAGE_SHARE 8

/* The first one is what is said when no other fits.  Words without accents, as lexicon.c folds them. */
static const struct
{
	const char *tag;
	const char *words;
	const char *reply;
}			languages[] = {
	{"en", " the and you is to i my it not with for have this can of was a in what how ",
		"Thank you for your message. A member of our team will look at it and reply to you here."},
	{"de", " der die das und ich ist nicht mein meine mit ein eine wie zu sie es auf habe kann bitte den wir fur ",
		"Vielen Dank für Ihre Nachricht. Jemand aus unserem Team sieht sie sich an und antwortet Ihnen hier."},
	{"fr", " le la les et je est pas mon ma une un des vous ne que pour avec dans mes ai bonjour ",
		"Merci pour votre message. Un membre de notre équipe va le lire et vous répondra ici."},
	{"es", " el la los y yo es no mi una un de que por con para mis he hola como se en ",
		"Gracias por su mensaje. Una persona de nuestro equipo lo leerá y le responderá aquí."},
	{"it", " il la che e non mio mia un una per con ho sono di mi come buongiorno del gli ",
		"Grazie per il suo messaggio. Una persona del nostro team lo leggerà e le risponderà qui."},
	{"pt", " o a os que e nao meu minha um uma para com eu de por como ola do da ",
		"Obrigado pela sua mensagem. Uma pessoa da nossa equipe vai lê-la e responderá aqui."},
	{"nl", " de het een en ik is niet mijn met voor van dat hoe heb kan je u op wij ",
		"Bedankt voor uw bericht. Iemand van ons team bekijkt het en antwoordt u hier."},
};

#define LANGUAGE_COUNT ((int) (sizeof(languages) / sizeof(languages[0])))

typedef bool (*Answer) (Buf *out, const Conversation *conversation, const Offer *offer);

/* The customer's words, the newest text first: moods change. */
static bool
add_customer_words(Words *words, const Conversation *conversation)
{
	for (int i = conversation->count - 1; i >= 0; i--)
		if (conversation->speeches[i].speaker == SPEAKER_CUSTOMER &&
			!words_add(words, conversation->speeches[i].text, conversation->speeches[i].len))
			return false;
	return true;
}

/* Which of the languages; -1: it cannot be told. */
static int
language_of(const Words *words)
{
	size_t		sample = words->count < LANGUAGE_SAMPLE ? words->count : LANGUAGE_SAMPLE;
	size_t		best_found = 0;
	bool		tie = false;
	int			best = -1;

	for (int k = 0; k < LANGUAGE_COUNT; k++)
	{
		size_t		found = 0;

		for (size_t i = 0; i < sample; i++)
			found += word_list_has(languages[k].words, words->text + words->items[i].offset, words->items[i].len);
		tie = found == best_found || (tie && found < best_found);
		if (found <= best_found)
			continue;
		best_found = found;
		best = k;
	}
	return best_found >= LANGUAGE_LEAST && best_found * LANGUAGE_SHARE >= sample && !tie ? best : -1;
}

static bool
answer_chat_reply(Buf *out, const Conversation *conversation, const Offer *offer)
{
	Words		words = {0};
	bool		read = add_customer_words(&words, conversation);
	int			language = read ? language_of(&words) : -1;
	const char *reply = languages[language < 0 ? 0 : language].reply;

	words_free(&words);
	(void) offer;
	buf_puts(out, "{\"reply\":");
	buf_json(out, reply, strlen(reply));
	buf_puts(out, ",\"action\":\"escalate\",\"cause\":\"missing_knowledge\","
			 "\"reason\":\"no language model is configured\"}");
	return read;
}

static const Speech *
customer_text(const Conversation *conversation, bool newest)
{
	const Speech *found = NULL;

	for (int i = 0; i < conversation->count && (found == NULL || newest); i++)
		if (conversation->speeches[i].speaker == SPEAKER_CUSTOMER)
			found = &conversation->speeches[i];
	return found;
}

/* A JSON string of one line of text. */
static void
add_line(Buf *out, const char *before, const char *text, size_t len, size_t limit)
{
	Buf			line;

	buf_init(&line, ANSWER_MAX);
	buf_puts(&line, before);
	builtin_put_line(&line, text, len, limit);
	if (line.failed)
		out->failed = true;
	else
		buf_json(out, line.data, line.len);
	buf_free(&line);
}

static void
add_summary(Buf *out, const Conversation *conversation)
{
	const Speech *first = customer_text(conversation, false);
	const Speech *last = customer_text(conversation, true);
	Buf			text;

	buf_init(&text, ANSWER_MAX);
	if (conversation->heading_len > 0)
	{
		buf_puts(&text, "Subject: ");
		builtin_put_line(&text, conversation->heading, conversation->heading_len, HEADING_SHOWN);
		buf_puts(&text, "\n");
	}
	if (first != NULL)
	{
		buf_puts(&text, "The customer began with: ");
		builtin_put_line(&text, first->text, first->len, TEXT_SHOWN);
		buf_puts(&text, "\n");
	}
	if (last != first)
	{
		buf_puts(&text, "The customer's latest message: ");
		builtin_put_line(&text, last->text, last->len, TEXT_SHOWN);
		buf_puts(&text, "\n");
	}
	buf_printf(&text, "%d message%s so far. No language model has read them.", conversation->count,
			   conversation->count == 1 ? "" : "s");
	if (text.failed)
		out->failed = true;
	else
		buf_json(out, text.data, text.len);
	buf_free(&text);
}

static bool
ends_sentence(const char *text, size_t len, size_t at)
{
	char		c = text[at];

	if (c == '\n')
		return true;
	if (c != '.' && c != '!' && c != '?')
		return false;
	/* not within an address or a number; of "?!" and "?..." the last one */
	return at + 1 == len || text[at + 1] == ' ' || (text[at + 1] >= '\t' && text[at + 1] <= '\r') || text[at + 1] == '"';
}

/* Calls for each question of a text; returns how many there are.  The first skip ones are counted only. */
static int
add_questions_of(Buf *out, const Speech *speech, int skip, int count)
{
	size_t		start = 0;

	for (size_t i = 0; i < speech->len; i++)
	{
		if (!ends_sentence(speech->text, speech->len, i))
			continue;
		if (speech->text[i] == '?' && i > start && ++count > skip && out != NULL)
		{
			buf_puts(out, count > skip + 1 ? "," : "");
			add_line(out, "", speech->text + start, i + 1 - start, QUESTION_SHOWN);
		}
		start = i + 1;
	}
	return count;
}

/* The newest, in the order in which they were asked. */
static void
add_questions(Buf *out, const Conversation *conversation)
{
	int			count = 0;
	int			skip;

	for (int i = 0; i < conversation->count; i++)
		if (conversation->speeches[i].speaker == SPEAKER_CUSTOMER)
			count = add_questions_of(NULL, &conversation->speeches[i], 0, count);
	skip = count > QUESTIONS_MAX ? count - QUESTIONS_MAX : 0;
	count = 0;
	for (int i = 0; i < conversation->count; i++)
		if (conversation->speeches[i].speaker == SPEAKER_CUSTOMER)
			count = add_questions_of(out, &conversation->speeches[i], skip, count);
}

static bool
answer_summarize(Buf *out, const Conversation *conversation, const Offer *offer)
{
	const Speech *first = customer_text(conversation, false);
	Words		words = {0};
	bool		read = add_customer_words(&words, conversation);
	int			language = read ? language_of(&words) : -1;

	(void) offer;
	buf_puts(out, "{\"summary\":");
	add_summary(out, conversation);
	if (first != NULL)
	{
		buf_puts(out, ",\"customer_request\":");
		add_line(out, "", first->text, first->len, REQUEST_SHOWN);
	}
	buf_puts(out, ",\"open_questions\":[");
	add_questions(out, conversation);
	buf_puts(out, "]");
	if (read && first != NULL)
		buf_printf(out, ",\"sentiment_score\":%d", builtin_sentiment(&words));
	if (language >= 0)
		buf_printf(out, ",\"language\":\"%s\"", languages[language].tag);
	buf_puts(out, "}");
	words_free(&words);
	return read;
}

/* Whether two issues are one is a judgement, and words alone make none. */
static bool
answer_match_issues(Buf *out, const Conversation *conversation, const Offer *offer)
{
	(void) conversation;
	(void) offer;
	buf_puts(out, "{\"matches\":[]}");
	return true;
}

/* The first text that says anything. */
static bool
answer_name_cluster(Buf *out, const Conversation *conversation, const Offer *offer)
{
	const char *text = "?";
	size_t		len = 1;

	(void) offer;
	for (int i = conversation->count - 1; i >= 0; i--)
	{
		const Speech *speech = &conversation->speeches[i];
		Buf			line;

		buf_init(&line, ANSWER_MAX);
		builtin_put_line(&line, speech->text, speech->len, CLUSTER_NAME_ASKED);
		if (line.len > 0)
		{
			text = speech->text;
			len = speech->len;
		}
		buf_free(&line);
	}
	buf_puts(out, "{\"name\":");
	add_line(out, "", text, len, CLUSTER_NAME_ASKED);
	buf_puts(out, ",\"summary\":");
	add_line(out, "", text, len, TEXT_SHOWN);
	buf_puts(out, "}");
	return true;
}

static const Answer answers[KIND_COUNT] = {
	[KIND_CHAT_REPLY] = answer_chat_reply,
	[KIND_SUMMARIZE] = answer_summarize,
	[KIND_EXTRACT_ISSUES] = builtin_extract_issues,
	[KIND_MATCH_ISSUES] = answer_match_issues,
	[KIND_NAME_CLUSTER] = answer_name_cluster,
};

bool
builtin_converse(JobKind kind, const Conversation *conversation, const Offer *offer, Verdict *verdict)
{
	Buf			out;
	VerdictResult result = {.outcome = OUTCOME_TRANSIENT};

	buf_init(&out, ANSWER_MAX);
	/* judged like anybody's: what is blank is left out, and nothing is longer than it may be */
	if (answers[kind] (&out, conversation, offer) && !out.failed)
		verdict_parse_answer(out.data, out.len, kind, offer, &result);
	buf_free(&out);
	*verdict = result.verdict;
	return result.outcome == OUTCOME_SUCCEEDED;
}
