/*
 * labels.h
 *	  Enum <-> text.  The texts are the SQL enums' labels.
 */
#ifndef TRIAGE_CORE_LABELS_H
#define TRIAGE_CORE_LABELS_H

#include "core/ticket.h"

extern const char *priority_name(Priority priority);
extern const char *outcome_name(RunOutcome outcome);
/* Exact match; false when text is no label. */
extern bool priority_parse(const char *text, Priority *priority);
extern bool outcome_parse(const char *text, RunOutcome *outcome);

#endif
