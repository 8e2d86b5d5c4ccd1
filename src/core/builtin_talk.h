/*
 * builtin_talk.h
 *	  What the provider that is no language model answers to jobs of any kind but triage.
 */
#ifndef TRIAGE_CORE_BUILTIN_TALK_H
#define TRIAGE_CORE_BUILTIN_TALK_H

#include "core/ticket.h"

/*
 * The answer to a job of any kind but triage, as verdict->object; nothing else of verdict is set.  A reply that leaves the
 * conversation to a person, a summary made of the conversation's own words, no judgement of issues.  False: out of memory.
 */
extern bool builtin_converse(JobKind kind, const Conversation *conversation, const Offer *offer, Verdict *verdict);

#endif
