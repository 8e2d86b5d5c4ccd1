/*
 * conversation.h
 *	  A conversation, or another list of texts, as the model is to read it, within bounds.
 */
#ifndef TRIAGE_CORE_CONVERSATION_H
#define TRIAGE_CORE_CONVERSATION_H

#include "core/buf.h"
#include "core/ticket.h"

/* Longest text of one speaker, longest heading, and longest conversation, lines and notes included, in bytes. */
#define CONVERSATION_TEXT_MAX 8000
#define CONVERSATION_HEADING_MAX 2000
#define CONVERSATION_MAX 32000
/* Likewise what is said of the labels to choose from, of one of them and of all. */
#define CHOICE_TEXT_MAX 2000
#define CHOICES_MAX 40000

/* What gives way when the texts are too long together; notes say how much. */
typedef enum ConversationCut
{
	CUT_OLDEST,					/* the newest are kept whole, and a summary at the beginning; then one is cut in its middle */
	CUT_MIDDLE,					/* the same, but the first text stays, whoever wrote it, with what room the others leave */
	CUT_EACH					/* all are cut alike */
} ConversationCut;

typedef struct ConversationShape
{
	const char *what;			/* as the first and the last line call it */
	ConversationCut cut;
	const Offer *offer;			/* whose labels stand after the texts, with what is known of them; NULL: none */
	const char *boundary;
} ConversationShape;

/* Appends heading, texts and labels between two lines with the boundary. */
extern void conversation_add(Buf *out, const Conversation *conversation, const ConversationShape *shape);

#endif
