/*
 * conversation.h
 *	  A conversation as the model is to read it, within bounds.
 */
#ifndef TRIAGE_CORE_CONVERSATION_H
#define TRIAGE_CORE_CONVERSATION_H

#include "core/buf.h"
#include "core/ticket.h"

/* Longest text of one speaker, longest heading, and longest conversation, lines and notes included, in bytes. */
#define CONVERSATION_TEXT_MAX 8000
#define CONVERSATION_HEADING_MAX 2000
#define CONVERSATION_MAX 32000

/*
 * Appends heading and texts between two lines with the boundary.  When they are too long together, the newest are kept
 * whole, and a summary at the beginning; then one is cut in its middle, and what is older left out; notes say how much.
 */
extern void conversation_add(Buf *out, const Conversation *conversation, const char *boundary);

#endif
