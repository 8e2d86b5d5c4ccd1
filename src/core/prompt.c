/*
 * prompt.c
 *	  Ticket or conversation -> body of a chat completions request.
 *
 * Decides what the model is told, what it is asked to return, and how the ticket's text is kept apart from both.
 * Knows nothing of providers' addresses, keys or headers.
 *
 * The system message ends with the only part that differs from call to call, the boundary: providers bill a repeated
 * beginning of a prompt at a lower price.
 */
#include <stdint.h>
#include <string.h>

#include "core/conversation.h"
#include "core/kinds.h"
#include "core/labels.h"
#include "core/prompt.h"
#include "core/untrusted.h"

static void
add_system_text(Buf *out, const Prompt *prompt)
{
	const KindForm *form = kind_form(prompt->kind);

	buf_puts(out, prompt->system_text);
	buf_puts(out, prompt->kind == KIND_TRIAGE ? "\n\nCategories:\n" : "\n");
	for (int i = 0; i < prompt->offer.label_count && prompt->kind == KIND_TRIAGE; i++)
	{
		const Category *category = &prompt->offer.labels[i];

		buf_printf(out, "- %s%s%s\n", category->name, category->description[0] != '\0' ? ": " : "",
				   category->description);
	}
	buf_puts(out, "\n");
	buf_puts(out, form->rule);
	/* last, so that all before it is the same from call to call: providers cache such a prefix */
	buf_printf(out, "The boundary of this %s is ", form->what);
}

static void
add_user_text(Buf *out, const Prompt *prompt, const TicketInput *ticket)
{
	size_t		described = ticket->description_len < PROMPT_DESCRIPTION_MAX ? ticket->description_len : PROMPT_DESCRIPTION_MAX;

	/* no more than is sure to come: a text that just fits under the cap must not fail here */
	buf_reserve(out, ticket->subject_len + described);
	buf_printf(out, "----- ticket %s begins -----\nSubject: ", prompt->boundary);
	untrusted_add(out, ticket->subject, ticket->subject_len, prompt->boundary);
	buf_puts(out, "\nDescription:\n");
	untrusted_add_clipped(out, ticket->description, ticket->description_len, PROMPT_DESCRIPTION_MAX, prompt->boundary);
	buf_printf(out, "\n----- ticket %s ends -----\n", prompt->boundary);
}

static void
add_schema(Buf *body, const Prompt *prompt)
{
	AnswerForm	form;

	kind_answer_form(prompt->kind, &prompt->offer, &form);
	fields_schema(body, form.fields, form.count);
}

/* The text as a JSON string; text's own failure becomes body's. */
static void
add_json(Buf *body, const Buf *text)
{
	if (text->failed)
		body->failed = true;
	else
		buf_json(body, text->data, text->len);
}

bool
prompt_frame_build(PromptFrame *frame, const Prompt *prompt, size_t cap)
{
	Buf			scratch;

	buf_init(&frame->head, cap);
	buf_init(&frame->tail, cap);
	/* no text can be longer than what it goes into */
	buf_init(&scratch, cap);

	buf_puts(&frame->head, "{\"model\":");
	buf_json(&frame->head, prompt->model, strlen(prompt->model));
	buf_puts(&frame->head, ",\"messages\":[{\"role\":\"system\",\"content\":");
	add_system_text(&scratch, prompt);
	add_json(&frame->head, &scratch);
	if (frame->head.len > 0)
		frame->head.len--;		/* the closing quote comes after the boundary */

	buf_puts(&frame->tail, "}],\"response_format\":{\"type\":\"json_schema\",\"json_schema\":"
			 "{\"name\":");
	buf_printf(&frame->tail, "\"%s\",\"strict\":true,\"schema\":", kind_name(prompt->kind));
	add_schema(&frame->tail, prompt);
	buf_puts(&frame->tail, "}}");
	if (prompt->max_output_tokens > 0)
	{
		buf_puts(&frame->tail, ",");
		buf_json(&frame->tail, prompt->max_tokens_field, strlen(prompt->max_tokens_field));
		buf_printf(&frame->tail, ":%d", prompt->max_output_tokens);
	}
	buf_puts(&frame->tail, "}");

	buf_free(&scratch);
	return !frame->head.failed && !frame->tail.failed;
}

void
prompt_frame_free(PromptFrame *frame)
{
	buf_free(&frame->head);
	buf_free(&frame->tail);
}

/* The frame around a user message, which is freed. */
static bool
build_around(Buf *body, const Prompt *prompt, const PromptFrame *frame, Buf *user)
{
	/* sure to come, too: escapes only add to it */
	buf_reserve(body, frame->head.len + user->len + frame->tail.len);
	buf_add(body, frame->head.data, frame->head.len);
	buf_puts(body, prompt->boundary);
	buf_puts(body, ".\"},{\"role\":\"user\",\"content\":");
	add_json(body, user);
	buf_add(body, frame->tail.data, frame->tail.len);
	buf_free(user);
	return !body->failed;
}

bool
prompt_build(Buf *body, const Prompt *prompt, const PromptFrame *frame, const TicketInput *ticket)
{
	Buf			user;

	buf_init(&user, body->cap);
	add_user_text(&user, prompt, ticket);
	return build_around(body, prompt, frame, &user);
}

bool
prompt_build_conversation(Buf *body, const Prompt *prompt, const PromptFrame *frame, const Conversation *conversation)
{
	const KindForm *form = kind_form(prompt->kind);
	Buf			user;

	buf_init(&user, body->cap);
	conversation_add(&user, conversation, &(ConversationShape) {
		.what = form->what, .cut = form->cut, .offer = kind_takes_offer(prompt->kind) ? &prompt->offer : NULL,
		.boundary = prompt->boundary
	});
	return build_around(body, prompt, frame, &user);
}

#define NAME_PLACES 2			/* instructions, enum */
#define CATEGORY_MARKS 8		/* punctuation about a category in both of them */

int64_t
prompt_token_bound(const PromptSize *size)
{
	int64_t		description = size->description < PROMPT_DESCRIPTION_MAX ? size->description : PROMPT_DESCRIPTION_MAX;

	return PROMPT_TOKENS_FIXED + size->system_text + size->category_count * CATEGORY_MARKS +
		size->category_names * NAME_PLACES + size->category_descriptions +
		(size->subject + description) * UNTRUSTED_GROWTH;
}

/* In the schema an offered name is at most twice as long, as it has no control character. */
#define NAME_ESCAPE 2
#define NAME_MARKS 3

int64_t
prompt_conversation_token_bound(JobKind kind, int64_t system_text)
{
	int64_t		offer = kind_takes_offer(kind) ? CHOICES_MAX * UNTRUSTED_GROWTH + OFFER_NAMES_MAX * NAME_ESCAPE +
		OFFER_LABELS_MAX * NAME_MARKS : 0;

	return PROMPT_TOKENS_FIXED + system_text + CONVERSATION_MAX * UNTRUSTED_GROWTH + offer;
}
