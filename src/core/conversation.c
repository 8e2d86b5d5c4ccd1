/*
 * conversation.c
 *	  A conversation, or another list of texts, as the model is to read it, within bounds.
 *
 * Decides which texts of a long conversation are sent, and how the model can tell who wrote what: the line before each text
 * carries the boundary, which no text can spell.
 */
#include "core/conversation.h"

#include <string.h>

#include "core/labels.h"
#include "core/untrusted.h"
#include "core/utf8.h"

/* The line before a text, the line feed after it, and the note of what was cut; the boundary has at most 32 characters. */
#define SPEECH_MARKS (64 + UNTRUSTED_NOTE_MAX)
/* The first and the last line, the heading's name, the note that texts were left out. */
#define FRAME_MARKS 512
/* A text of which less would be left is left out. */
#define WORTH_CUTTING 200
/* The line before a label, the line feed after what is known of it, the dots where that was cut. */
#define CHOICE_MARKS 64

/* Which texts are sent, and how many bytes of each. */
typedef struct Plan
{
	int			head;			/* so many at the beginning, whatever is left out behind them: 0 or 1 */
	size_t		head_max;
	int			first;			/* then these */
	int			end;
	size_t		first_max;		/* of the first of them */
	size_t		each_max;
} Plan;

static size_t
at_most(size_t len, size_t max)
{
	return len < max ? len : max;
}

/* From first on as many of the newest as there is room for; the oldest of these is cut to fit. */
static void
plan_newest(Plan *plan, const Conversation *conversation, size_t room, int oldest)
{
	plan->first = plan->end = conversation->count;
	plan->first_max = plan->each_max = CONVERSATION_TEXT_MAX;
	while (plan->first > oldest)
	{
		size_t		len = at_most(conversation->speeches[plan->first - 1].len, CONVERSATION_TEXT_MAX);

		if (len + SPEECH_MARKS > room)
		{
			if (room < WORTH_CUTTING + SPEECH_MARKS)
				return;
			plan->first--;
			plan->first_max = room - SPEECH_MARKS;
			return;
		}
		room -= len + SPEECH_MARKS;
		plan->first--;
	}
}

/* What the others leave, and no less than any text may have. */
static size_t
room_for_head(const Conversation *conversation, size_t room)
{
	size_t		others = SPEECH_MARKS;

	for (int i = 1; i < conversation->count && others < room; i++)
		others += at_most(conversation->speeches[i].len, CONVERSATION_TEXT_MAX) + SPEECH_MARKS;
	return others + CONVERSATION_TEXT_MAX < room ? room - others : CONVERSATION_TEXT_MAX;
}

/*
 * The same for each of count lengths, but what the short ones do not take is the long ones'.  A few rounds do: a byte more
 * or less is no matter.
 */
static size_t
fair_share(const size_t *lengths, size_t stride, int count, size_t room)
{
	size_t		share = count > 0 ? room / (size_t) count : 0;

	for (int round = 0; round < 4; round++)
	{
		size_t		used = 0;
		size_t		longer = 0;

		for (int i = 0; i < count; i++)
		{
			size_t		len = *(const size_t *) ((const char *) lengths + (size_t) i * stride);

			used += at_most(len, share);
			longer += len > share;
		}
		if (longer == 0 || used >= room)
			break;
		share += (room - used) / longer;
	}
	return share;
}

static void
plan_each(Plan *plan, const Conversation *conversation, size_t room)
{
	int			most = (int) (room / (WORTH_CUTTING + SPEECH_MARKS));

	if (conversation->count == 0)
		return;
	plan->end = conversation->count < most ? conversation->count : most;
	plan->each_max = at_most(fair_share(&conversation->speeches[0].len, sizeof(Speech), plan->end,
										room - (size_t) plan->end * SPEECH_MARKS), CONVERSATION_TEXT_MAX);
	plan->first_max = plan->each_max;
}

static void
make_plan(Plan *plan, const Conversation *conversation, ConversationCut cut, size_t room)
{
	memset(plan, 0, sizeof(*plan));
	if (cut == CUT_EACH)
	{
		plan_each(plan, conversation, room);
		return;
	}
	plan->head = cut == CUT_MIDDLE ? conversation->count > 0 :
		conversation->count > 1 && conversation->speeches[0].speaker == SPEAKER_SUMMARY;
	if (plan->head > 0)
	{
		plan->head_max = cut == CUT_MIDDLE ? room_for_head(conversation, room) : CONVERSATION_TEXT_MAX;
		room -= at_most(conversation->speeches[0].len, plan->head_max) + SPEECH_MARKS;
	}
	plan_newest(plan, conversation, room, plan->head);
}

static void
add_speech(Buf *out, const Conversation *conversation, int i, size_t max, const char *boundary)
{
	const Speech *speech = &conversation->speeches[i];

	if (speech->speaker == SPEAKER_ISSUE)
		buf_printf(out, "%s %s %d:\n", boundary, speaker_name(speech->speaker), i + 1);
	else
		buf_printf(out, "%s %s:\n", boundary, speaker_name(speech->speaker));
	untrusted_add_clipped(out, speech->text, speech->len, max, boundary);
	buf_puts(out, "\n");
}

static void
add_speeches(Buf *out, const Conversation *conversation, const Plan *plan, const char *boundary)
{
	if (plan->head > 0)
		add_speech(out, conversation, 0, plan->head_max, boundary);
	if (plan->first > plan->head)
		buf_printf(out, "[... %d earlier texts left out here ...]\n", plan->first - plan->head);
	for (int i = plan->first; i < plan->end; i++)
		add_speech(out, conversation, i, i == plan->first ? at_most(plan->first_max, plan->each_max) : plan->each_max, boundary);
	if (plan->end < conversation->count)
		buf_printf(out, "[... %d more texts left out here ...]\n", conversation->count - plan->end);
}

static void
add_choices(Buf *out, const Offer *offer, const char *boundary)
{
	size_t		lengths[OFFER_LABELS_MAX] = {0};
	int			count = offer->label_count < OFFER_LABELS_MAX ? offer->label_count : OFFER_LABELS_MAX;
	size_t		room = CHOICES_MAX - at_most((size_t) count * CHOICE_MARKS, CHOICES_MAX);
	size_t		share;

	for (int i = 0; i < count; i++)
	{
		lengths[i] = at_most(strlen(offer->labels[i].description), CHOICE_TEXT_MAX);
		room -= at_most(strlen(offer->labels[i].name), room);
	}
	share = at_most(fair_share(lengths, sizeof(lengths[0]), count, room), CHOICE_TEXT_MAX);
	for (int i = 0; i < count; i++)
	{
		const char *text = offer->labels[i].description;
		size_t		len = strlen(text);
		size_t		shown = utf8_clip(text, len, share);

		buf_printf(out, "%s label ", boundary);
		untrusted_add(out, offer->labels[i].name, strlen(offer->labels[i].name), boundary);
		buf_puts(out, ":\n");
		untrusted_add(out, text, shown, boundary);
		buf_puts(out, shown < len ? " ...\n" : shown > 0 ? "\n" : "");
	}
}

void
conversation_add(Buf *out, const Conversation *conversation, const ConversationShape *shape)
{
	const char *boundary = shape->boundary;
	Plan		plan;

	make_plan(&plan, conversation, shape->cut,
			  CONVERSATION_MAX - FRAME_MARKS - UNTRUSTED_NOTE_MAX - at_most(conversation->heading_len, CONVERSATION_HEADING_MAX));
	buf_printf(out, "----- %s %s begins -----\n", shape->what, boundary);
	if (conversation->heading_len > 0)
	{
		buf_puts(out, "Subject: ");
		untrusted_add_clipped(out, conversation->heading, conversation->heading_len, CONVERSATION_HEADING_MAX, boundary);
		buf_puts(out, "\n");
	}
	add_speeches(out, conversation, &plan, boundary);
	if (shape->offer != NULL)
		add_choices(out, shape->offer, boundary);
	buf_printf(out, "----- %s %s ends -----\n", shape->what, boundary);
}
