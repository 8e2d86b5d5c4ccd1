/*
 * labels.c
 *	  Enum <-> text tables.
 *
 * The one place in C where the labels of the SQL enums are spelled; a regression test compares the two.
 */
#include <string.h>

#include "core/labels.h"

static const char *const priority_names[] = {
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

_Static_assert(sizeof(priority_names) / sizeof(priority_names[0]) == PRIORITY_COUNT, "a priority has no label");
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
