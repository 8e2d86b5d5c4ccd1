/*
 * fields.h
 *	  The fields of an answer, described once: for the request's JSON schema and for the check of what comes back.
 *
 * The schema keeps to the subset that every provider takes: all properties required, additionalProperties false, enums
 * (also for the small integers), no minimum or maxLength.  What it cannot say (lengths, ranges, how many items) stands in
 * the description and is checked when the answer is read.  A field that is not required may be missing, null or blank all
 * the same: small models leave out what they cannot tell.
 */
#ifndef TRIAGE_CORE_FIELDS_H
#define TRIAGE_CORE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"

typedef enum FieldType
{
	FIELD_TEXT,					/* at most max characters */
	FIELD_LABEL,				/* one of labels, exactly as spelled */
	FIELD_SCALE,				/* a whole number from min to max */
	FIELD_NUMBER,				/* from min to max */
	FIELD_FLAG,
	FIELD_TEXTS,				/* at most max_items, each of at most max characters; blank ones count for none */
	FIELD_OBJECTS				/* at most max_items, each of fields */
} FieldType;
#define FIELD_TYPES 7

/* Most fields of one object. */
#define FIELDS_MAX 16

typedef struct Field
{
	const char *name;
	FieldType	type;
	bool		required;
	const char *description;	/* for the model */
	int			min;
	int			max;
	const void *labels;			/* the first label; the next ones label_stride bytes on */
	size_t		label_stride;
	int			label_count;
	bool		labels_of_job;	/* they are the job's own: kind_answer_form() sets them */
	bool		texts_of_job;	/* a SCALE, the number of one of the job's texts: there max is set likewise */
	bool		distinct;		/* a SCALE of at most 64 numbers in a list: of items with the same one the first counts */
	int			max_items;
	const struct Field *fields;
	int			field_count;
} Field;

/* Appends the schema of an object of these fields. */
extern void fields_schema(Buf *out, const Field *fields, int count);

#endif
