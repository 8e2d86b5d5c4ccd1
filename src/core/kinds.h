/*
 * kinds.h
 *	  What each kind of job tells a model and wants of it.
 */
#ifndef TRIAGE_CORE_KINDS_H
#define TRIAGE_CORE_KINDS_H

#include "core/fields.h"
#include "core/ticket.h"

typedef struct KindForm
{
	const char *what;			/* as its boundary lines call what the model is to read: "ticket" */
	const char *rule;			/* what the instructions say of that */
	const Field *fields;		/* of the answer; triage: see kind_triage_fields() */
	int			field_count;
} KindForm;

extern const KindForm *kind_form(JobKind kind);

/* In the order in which a grammar makes a model write them: the reply is drafted after the labels are chosen. */
enum
{
	TRIAGE_CATEGORY, TRIAGE_URGENCY, TRIAGE_SENTIMENT, TRIAGE_DRAFT, TRIAGE_SUMMARY, TRIAGE_LANGUAGE, TRIAGE_CONFIDENCE,
	TRIAGE_NEEDS_HUMAN, TRIAGE_FIELDS
};

/* fields has TRIAGE_FIELDS places; description: of the categories. */
extern void kind_triage_fields(Field *fields, const Category *categories, int category_count, const char *description);

#endif
