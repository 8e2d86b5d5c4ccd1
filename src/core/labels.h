/*
 * labels.h
 *	  Enum <-> text.  The texts are the SQL enums' labels.
 */
#ifndef TRIAGE_CORE_LABELS_H
#define TRIAGE_CORE_LABELS_H

#include "core/ticket.h"

extern const char *const priority_names[PRIORITY_COUNT];
extern const char *priority_name(Priority priority);
extern const char *outcome_name(RunOutcome outcome);
extern const char *kind_name(JobKind kind);
/* A speaker's are of no SQL enum: the functions that read conversations use them. */
extern const char *speaker_name(Speaker speaker);
/* Exact match; false when text is no label. */
extern bool priority_parse(const char *text, Priority *priority);
extern bool outcome_parse(const char *text, RunOutcome *outcome);
extern bool kind_parse(const char *text, JobKind *kind);
extern bool speaker_parse(const char *text, Speaker *speaker);

#endif
