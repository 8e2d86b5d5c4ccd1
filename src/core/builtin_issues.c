/*
 * builtin_issues.c
 *	  Which product issue a ticket reports, as far as words tell.
 *
 * Decides to which of the offered labels a ticket's words belong: a word counts for the labels that have it in their name or
 * note, and the less the more of them do.  Where no label stands out there is no issue: a wrong one is worse.  Type and
 * severity come from small lists; the summary is the ticket's subject.  Never sure of anything, so no confidence.
 */
#include "core/builtin_issues.h"

#include <stdlib.h>
#include <string.h>

#include "core/builtin.h"
#include "core/lexicon.h"

/* The words of a ticket that are looked at. */
#define WORDS_READ 600
#define STEM_SLOTS 2048
/* A label stands out from this on: one word that it has alone. */
#define SCORE_LEAST 1.0
#define SHORTEST_STEM 3
#define LONGEST_QUOTE 1000

typedef struct Stem
{
	const char *text;
	size_t		len;
	int			labels;			/* that have it */
	int			last;			/* label in which it was met, plus one */
} Stem;

typedef struct Stems
{
	Stem		slots[STEM_SLOTS];
} Stems;

static const char small_words[] =
" the and for with that this have has had was were are not but you your our they them their from what when where which who "
"how why can could would should will does did done there here then than just only also any all some more most very been "
"being its into out about after before again please thank thanks hello dear regards best way get got one two use used "
"using need want like see still since every each other another too now new ";

static const struct
{
	const char *type;
	const char *phrases;		/* each between '|' */
}			types[] = {
	{"feature_request", "|feature request|would be nice|would be great|would like to see|please add|could you add|can you add|"
	"wish|suggestion|suggest|there is no way to|is it possible to|enhancement|"},
	{"documentation_gap", "|documentation|documented|manual|tutorial|help page|help article|user guide|knowledge base|"},
	{"bug", "|error|errors|bug|bugs|crash|crashes|crashed|broken|not working|does not work|doesnt work|stopped working|fails|"
		"failed|failing|freezes|frozen|stuck|blank screen|exception|cannot|cant|unable|"},
	{"data_issue", "|incorrect|wrong|duplicate|duplicated|duplicates|missing|mismatch|lost|does not match|doesnt match|"},
	{"ux_confusion", "|how do i|how can i|how to|where is|where do i|where can i|confusing|confused|unclear|do not understand|"
	"dont understand|cannot find|cant find|"},
};

static bool
ends_with(const char *word, size_t len, const char *ending)
{
	size_t		ending_len = strlen(ending);

	return len >= ending_len + SHORTEST_STEM && memcmp(word + len - ending_len, ending, ending_len) == 0;
}

/* Without the endings in which a note and a ticket differ most: "punches", "punched" and "punching" are one. */
static size_t
stem_length(const char *word, size_t len)
{
	static const char *const endings[] = {"ing", "ed", "es", "s", "e"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		if (ends_with(word, len, endings[i]))
			return len - strlen(endings[i]);
	return len;
}

/* The stem's place, or the free one for it; NULL for a word that tells nothing. */
static Stem *
find_stem(Stems *stems, const char *word, size_t len)
{
	uint32_t	hash = 2166136261u;
	size_t		stem;

	if (len < SHORTEST_STEM || word_list_has(small_words, word, len))
		return NULL;
	stem = stem_length(word, len);
	for (size_t i = 0; i < stem; i++)
		hash = (hash ^ (unsigned char) word[i]) * 16777619u;
	for (uint32_t i = hash % STEM_SLOTS;; i = (i + 1) % STEM_SLOTS)
	{
		Stem	   *slot = &stems->slots[i];

		if (slot->text == NULL || (slot->len == stem && memcmp(slot->text, word, stem) == 0))
		{
			slot->len = stem;
			return slot;
		}
	}
}

static void
take_stems(Stems *stems, const Words *words)
{
	for (size_t i = 0; i < words->count && i < WORDS_READ; i++)
	{
		const char *word = words->text + words->items[i].offset;
		Stem	   *stem = find_stem(stems, word, words->items[i].len);

		if (stem != NULL)
			stem->text = word;
	}
}

/* What a label is told by.  An underscore joins words of its name. */
static bool
add_label_words(Words *words, const Category *label)
{
	size_t		len = strlen(label->name);
	char	   *name = malloc(len + 1);
	bool		added = name != NULL;

	for (size_t i = 0; added && i <= len; i++)
		name[i] = label->name[i] == '_' ? ' ' : label->name[i];
	added = added && words_add(words, name, len) && words_add(words, label->description, strlen(label->description));
	free(name);
	return added;
}

/* Counts, of the ticket's stems, those that the label has, each once; weigh: adds up what they weigh instead. */
static bool
meet_label(Stems *stems, const Category *label, int number, bool weigh, double *score)
{
	Words		words = {0};
	bool		added = add_label_words(&words, label);

	*score = 0;
	for (size_t i = 0; added && i < words.count; i++)
	{
		Stem	   *stem = find_stem(stems, words.text + words.items[i].offset, words.items[i].len);

		if (stem == NULL || stem->text == NULL || stem->last == number)
			continue;
		stem->last = number;
		if (weigh)
			*score += 1.0 / stem->labels;
		else
			stem->labels++;
	}
	words_free(&words);
	return added;
}

/* *best: -1 when none stands out.  False: out of memory. */
static bool
best_label(Stems *stems, const Offer *offer, int *best)
{
	double		best_score = 0;
	double		second = 0;

	*best = -1;
	for (int pass = 0; pass < 2; pass++)
		for (int i = 0; i < offer->label_count; i++)
		{
			double		score;

			if (!meet_label(stems, &offer->labels[i], pass * offer->label_count + i + 1, pass == 1, &score))
				return false;
			if (score > best_score)
			{
				second = best_score;
				best_score = score;
				*best = i;
			}
			else if (score > second)
				second = score;
		}
	if (best_score < SCORE_LEAST || best_score - second < 1e-9)
		*best = -1;
	return true;
}

static bool
phrase_at(const Words *words, size_t at, const char *phrase, size_t len)
{
	for (;; at++)
	{
		const char *space = memchr(phrase, ' ', len);
		size_t		word_len = space != NULL ? (size_t) (space - phrase) : len;

		if (at >= words->count || words->items[at].len != word_len ||
			memcmp(words->text + words->items[at].offset, phrase, word_len) != 0)
			return false;
		if (space == NULL)
			return true;
		phrase = space + 1;
		len -= word_len + 1;
	}
}

static bool
has_phrase(const Words *words, const char *phrases)
{
	for (const char *at = phrases + 1; *at != '\0';)
	{
		size_t		len = strcspn(at, "|");

		for (size_t i = 0; i < words->count && i < WORDS_READ; i++)
			if (phrase_at(words, i, at, len))
				return true;
		at += len + 1;
	}
	return false;
}

static const char *
type_of(const Words *words)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (has_phrase(words, types[i].phrases))
			return types[i].type;
	return "friction";
}

static void
add_text(Buf *out, const char *key, Buf *text)
{
	if (text->failed)
		out->failed = true;
	else if (text->len > 0)
	{
		buf_printf(out, ",\"%s\":", key);
		buf_json(out, text->data, text->len);
	}
	buf_free(text);
}

static void
add_issue(Buf *out, const TicketInput *ticket, const char *area, const Words *words, size_t subject_words)
{
	static const char *const severities[PRIORITY_COUNT] = {
		[PRIORITY_LOW] = "low", [PRIORITY_MEDIUM] = "medium", [PRIORITY_HIGH] = "high", [PRIORITY_URGENT] = "critical"
	};
	const char *sentence = ticket->description;
	size_t		len = ticket->description_len;
	Buf			text;

	buf_puts(out, "{\"area\":");
	buf_json(out, area, strlen(area));
	buf_printf(out, ",\"issue_type\":\"%s\",\"severity\":\"%s\"", type_of(words),
			   severities[builtin_urgency(words, subject_words)]);
	buf_init(&text, ISSUE_SUMMARY_MAX * 4);
	/* a limit in bytes keeps to the one in characters */
	builtin_put_topic(&text, ticket, ISSUE_SUMMARY_MAX - 4);
	add_text(out, "summary", &text);
	builtin_first_sentence(&sentence, &len);
	buf_init(&text, LONGEST_QUOTE * 2);
	if (len <= LONGEST_QUOTE)
		builtin_put_line(&text, sentence, len, LONGEST_QUOTE);
	add_text(out, "quote", &text);
	buf_puts(out, "}");
}

bool
builtin_extract_issues(Buf *out, const Conversation *conversation, const Offer *offer)
{
	TicketInput ticket = {conversation->heading, conversation->heading_len, "", 0};
	Stems	   *stems = calloc(1, sizeof(Stems));
	Words		words = {0};
	size_t		subject_words;
	int			best = -1;
	bool		read = stems != NULL && words_add(&words, ticket.subject, ticket.subject_len);

	subject_words = words.count;
	for (int i = 0; read && i < conversation->count; i++)
	{
		const Speech *speech = &conversation->speeches[i];
		size_t		before = words.count;

		if (speech->speaker != SPEAKER_CUSTOMER)
			continue;
		read = words_add(&words, speech->text, speech->len);
		if (ticket.description_len == 0 && words.count > before)
		{
			ticket.description = speech->text;
			ticket.description_len = speech->len;
		}
	}
	if (read)
	{
		take_stems(stems, &words);
		read = best_label(stems, offer, &best);
	}
	buf_puts(out, "{\"issues\":[");
	if (read && best >= 0)
		add_issue(out, &ticket, offer->labels[best].name, &words, subject_words);
	buf_puts(out, "]}");
	words_free(&words);
	free(stems);
	return read;
}
