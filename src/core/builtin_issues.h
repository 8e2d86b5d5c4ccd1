/*
 * builtin_issues.h
 *	  Which product issue a ticket reports, as far as words tell.
 */
#ifndef TRIAGE_CORE_BUILTIN_ISSUES_H
#define TRIAGE_CORE_BUILTIN_ISSUES_H

#include "core/buf.h"
#include "core/ticket.h"

/*
 * Appends the answer to an extract_issues job: one issue, or none when no label of the offer has the ticket's words in its
 * name or note.  False: out of memory.
 */
extern bool builtin_extract_issues(Buf *out, const Conversation *conversation, const Offer *offer);

#endif
