/*
 * builtin_talk.h
 *	  What the provider that is no language model has to say in a conversation: that a person will look at it.
 */
#ifndef TRIAGE_CORE_BUILTIN_TALK_H
#define TRIAGE_CORE_BUILTIN_TALK_H

#include "core/ticket.h"

/*
 * The answer to a job of any kind but triage, as verdict->object; nothing else of verdict is set.  A reply that leaves the
 * conversation to a person, a summary made of the conversation's own words.  False: out of memory.
 */
extern bool builtin_converse(JobKind kind, const Conversation *conversation, Verdict *verdict);

#endif
