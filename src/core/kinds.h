/*
 * kinds.h
 *	  What each kind of job tells a model and wants of it.
 */
#ifndef TRIAGE_CORE_KINDS_H
#define TRIAGE_CORE_KINDS_H

#include "core/conversation.h"
#include "core/fields.h"
#include "core/ticket.h"

typedef struct KindForm
{
	const char *what;			/* as its boundary lines call what the model is to read: "ticket" */
	const char *rule;			/* what the instructions say of that */
	const Field *fields;		/* of the answer, without the labels that are the job's */
	int			field_count;
	ConversationCut cut;		/* unused for triage */
} KindForm;

/* The fields of one job's answer. */
typedef struct AnswerForm
{
	Field		fields[FIELDS_MAX];
	Field		items[FIELDS_MAX];	/* of the one field that is a list of objects */
	int			count;
} AnswerForm;

extern const KindForm *kind_form(JobKind kind);

/* In the order in which a grammar makes a model write them: the reply is drafted after the labels are chosen. */
enum
{
	TRIAGE_CATEGORY, TRIAGE_URGENCY, TRIAGE_SENTIMENT, TRIAGE_DRAFT, TRIAGE_SUMMARY, TRIAGE_LANGUAGE, TRIAGE_CONFIDENCE,
	TRIAGE_NEEDS_HUMAN, TRIAGE_FIELDS
};

/* offer: NULL for nothing; lives as long as the form is used. */
extern void kind_answer_form(JobKind kind, const Offer *offer, AnswerForm *form);
/* Does an answer name labels of the job's own, or its texts?  Then each of its requests has another schema. */
extern bool kind_takes_offer(JobKind kind);
/* Why no model can be asked to choose from this; NULL when it can. */
extern const char *kind_offer_problem(JobKind kind, const Offer *offer);

#endif
