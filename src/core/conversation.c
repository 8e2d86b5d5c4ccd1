/*
 * conversation.c
 *	  A conversation as the model is to read it, within bounds.
 *
 * Decides which texts of a long conversation are sent, and how the model can tell who wrote what: the line before each text
 * carries the boundary, which no text can spell.
 */
#include "core/conversation.h"

#include <string.h>

#include "core/labels.h"
#include "core/untrusted.h"

/* The line before a text, the line feed after it, and the note of what was cut; the boundary has at most 32 characters. */
#define SPEECH_MARKS (64 + UNTRUSTED_NOTE_MAX)
/* The first and the last line, the heading's name, the note that texts were left out. */
#define FRAME_MARKS 512
/* A text of which less would be left is left out. */
#define WORTH_CUTTING 200

static size_t
at_most(size_t len, size_t max)
{
	return len < max ? len : max;
}

/*
 * How many bytes there are for the text that is cut to fit; *first: the oldest that is sent, which it is unless everything
 * fits.
 */
static size_t
choose_first(const Conversation *conversation, size_t room, int oldest, int *first)
{
	*first = conversation->count;
	while (*first > oldest)
	{
		size_t		len = at_most(conversation->speeches[*first - 1].len, CONVERSATION_TEXT_MAX);

		if (len + SPEECH_MARKS > room)
		{
			if (room < WORTH_CUTTING + SPEECH_MARKS)
				return CONVERSATION_TEXT_MAX;
			(*first)--;
			return room - SPEECH_MARKS;
		}
		room -= len + SPEECH_MARKS;
		(*first)--;
	}
	return CONVERSATION_TEXT_MAX;
}

static void
add_speech(Buf *out, const Speech *speech, size_t max, const char *boundary)
{
	buf_printf(out, "%s %s:\n", boundary, speaker_name(speech->speaker));
	untrusted_add_clipped(out, speech->text, speech->len, max, boundary);
	buf_puts(out, "\n");
}

void
conversation_add(Buf *out, const Conversation *conversation, const char *boundary)
{
	const Speech *speeches = conversation->speeches;
	size_t		heading_len = at_most(conversation->heading_len, CONVERSATION_HEADING_MAX);
	size_t		room = CONVERSATION_MAX - FRAME_MARKS - UNTRUSTED_NOTE_MAX - heading_len;
	int			oldest = conversation->count > 1 && speeches[0].speaker == SPEAKER_SUMMARY ? 1 : 0;
	size_t		first_max;
	int			first;

	if (oldest > 0)
		room -= at_most(speeches[0].len, CONVERSATION_TEXT_MAX) + SPEECH_MARKS;
	first_max = choose_first(conversation, room, oldest, &first);

	buf_printf(out, "----- conversation %s begins -----\n", boundary);
	if (conversation->heading_len > 0)
	{
		buf_puts(out, "Subject: ");
		untrusted_add_clipped(out, conversation->heading, conversation->heading_len, CONVERSATION_HEADING_MAX, boundary);
		buf_puts(out, "\n");
	}
	if (oldest > 0)
		add_speech(out, &speeches[0], CONVERSATION_TEXT_MAX, boundary);
	if (first > oldest)
		buf_printf(out, "[... %d earlier texts left out here ...]\n", first - oldest);
	for (int i = first; i < conversation->count; i++)
		add_speech(out, &speeches[i], i == first ? at_most(first_max, CONVERSATION_TEXT_MAX) : CONVERSATION_TEXT_MAX,
				   boundary);
	buf_printf(out, "----- conversation %s ends -----\n", boundary);
}
