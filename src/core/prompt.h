/*
 * prompt.h
 *	  Ticket or conversation -> body of a chat completions request.
 *
 * The answer's JSON schema comes from the kind's fields, see fields.h; triage's from the tenant's live categories, too.
 * The ticket is data: it stands in the user message between two lines that carry a boundary the caller drew at
 * random, with chat control tokens broken up; it is never joined to the instructions.
 */
#ifndef TRIAGE_CORE_PROMPT_H
#define TRIAGE_CORE_PROMPT_H

#include "core/buf.h"
#include "core/ticket.h"

/* Longest description sent, in bytes; the middle of a longer one is left out, with a note saying so. */
#define PROMPT_DESCRIPTION_MAX 24000

typedef struct Prompt
{
	JobKind		kind;
	const char *model;
	const char *system_text;	/* row of prompts */
	Offer		offer;			/* what the answer may name: of kind triage the categories */
	const char *boundary;		/* random, [0-9a-f], e.g. 16 characters */
	int			max_output_tokens;	/* 0: the endpoint's own limit */
	const char *max_tokens_field;	/* as the endpoint calls that; used when there is a limit */
} Prompt;

/*
 * What is the same in every request of a tenant: the body before the boundary, and after the ticket.  Worded once and
 * copied; it is most of a request's bytes.  Of a kind that takes an offer of its own, see kinds.h, it is one request's.
 */
typedef struct PromptFrame
{
	Buf			head;
	Buf			tail;
} PromptFrame;

/* From all of prompt but its boundary.  False: out of memory, or longer than cap; free it in any case. */
extern bool prompt_frame_build(PromptFrame *frame, const Prompt *prompt, size_t cap);
extern void prompt_frame_free(PromptFrame *frame);
/* frame: made from this prompt.  False: out of memory (body->failed). */
extern bool prompt_build(Buf *body, const Prompt *prompt, const PromptFrame *frame, const TicketInput *ticket);
/* The same for the kinds that are about a conversation, see conversation.h. */
extern bool prompt_build_conversation(Buf *body, const Prompt *prompt, const PromptFrame *frame,
									  const Conversation *conversation);

/* What a request is made of, in bytes of UTF-8. */
typedef struct PromptSize
{
	int64_t		system_text;
	int64_t		category_count;
	int64_t		category_names;		/* of all together */
	int64_t		category_descriptions;
	int64_t		subject;
	int64_t		description;
} PromptSize;

/* What our own words take: instructions, schema, the speakers' marks. */
#define PROMPT_TOKENS_FIXED 4096
/*
 * No model counts more tokens than this for such a request, since no tokenizer makes more than one of a byte.  Known
 * before the request is worded, and several times what it will take.
 */
extern int64_t prompt_token_bound(const PromptSize *size);
/* The same for any conversation: what is said is not known before it is read.  system_text: bytes of the prompt. */
extern int64_t prompt_conversation_token_bound(JobKind kind, int64_t system_text);

#endif
