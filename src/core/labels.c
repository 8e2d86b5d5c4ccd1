/*
 * labels.c
 *	  Enum <-> text tables.
 *
 * The one place in C where the labels of the SQL enums are spelled; a regression test compares the two.
 */
#include <string.h>

#include "core/labels.h"

const char *const priority_names[PRIORITY_COUNT] = {
	[PRIORITY_LOW] = "low",
	[PRIORITY_MEDIUM] = "medium",
	[PRIORITY_HIGH] = "high",
	[PRIORITY_URGENT] = "urgent",
};

static const char *const outcome_names[] = {
	[OUTCOME_SUCCEEDED] = "succeeded",
	[OUTCOME_THROTTLED] = "throttled",
	[OUTCOME_ACCOUNT] = "account",
	[OUTCOME_MISCONFIGURED] = "misconfigured",
	[OUTCOME_BAD_REQUEST] = "bad_request",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_TRANSIENT] = "transient",
	[OUTCOME_UNUSABLE_ANSWER] = "unusable_answer",
	[OUTCOME_STALE] = "stale",
	[OUTCOME_LOST] = "lost",
};

static const char *const kind_names[] = {
	[KIND_TRIAGE] = "triage",
	[KIND_CHAT_REPLY] = "chat_reply",
	[KIND_SUMMARIZE] = "summarize",
	[KIND_EXTRACT_ISSUES] = "extract_issues",
	[KIND_MATCH_ISSUES] = "match_issues",
	[KIND_NAME_CLUSTER] = "name_cluster",
};

/* of no SQL enum */
static const char *const speaker_names[] = {
	[SPEAKER_CUSTOMER] = "customer",
	[SPEAKER_ASSISTANT] = "assistant",
	[SPEAKER_AGENT] = "agent",
	[SPEAKER_NOTE] = "note",
	[SPEAKER_SYSTEM] = "system",
	[SPEAKER_SUMMARY] = "summary",
	[SPEAKER_ISSUE] = "issue",
};

_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == KIND_COUNT, "a kind has no label");
_Static_assert(sizeof(speaker_names) / sizeof(speaker_names[0]) == SPEAKER_COUNT, "a speaker has no label");
_Static_assert(sizeof(outcome_names) / sizeof(outcome_names[0]) == OUTCOME_COUNT, "an outcome has no label");

/* Index of text in names, or -1. */
static int
find_name(const char *const *names, int count, const char *text)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], text) == 0)
			return i;
	return -1;
}

const char *
priority_name(Priority priority)
{
	return priority_names[priority];
}

const char *
outcome_name(RunOutcome outcome)
{
	return outcome_names[outcome];
}

const char *
kind_name(JobKind kind)
{
	return kind_names[kind];
}

const char *
speaker_name(Speaker speaker)
{
	return speaker_names[speaker];
}

bool
kind_parse(const char *text, JobKind *kind)
{
	int			found = find_name(kind_names, KIND_COUNT, text);

	if (found < 0)
		return false;
	*kind = (JobKind) found;
	return true;
}

bool
speaker_parse(const char *text, Speaker *speaker)
{
	int			found = find_name(speaker_names, SPEAKER_COUNT, text);

	if (found < 0)
		return false;
	*speaker = (Speaker) found;
	return true;
}

bool
priority_parse(const char *text, Priority *priority)
{
	int			found = find_name(priority_names, PRIORITY_COUNT, text);

	if (found < 0)
		return false;
	*priority = (Priority) found;
	return true;
}

bool
outcome_parse(const char *text, RunOutcome *outcome)
{
	int			found = find_name(outcome_names, OUTCOME_COUNT, text);

	if (found < 0)
		return false;
	*outcome = (RunOutcome) found;
	return true;
}
