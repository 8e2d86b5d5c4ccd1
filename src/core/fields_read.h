/*
 * fields_read.h
 *	  Reading an answer by the description of its fields; for the files of core that know json-c.
 */
#ifndef TRIAGE_CORE_FIELDS_READ_H
#define TRIAGE_CORE_FIELDS_READ_H

#include "core/fields.h"
#include "core/json_read.h"

typedef struct FieldValue
{
	bool		given;			/* false: missing, null or blank, and not required */
	Text		text;			/* TEXT, LABEL; owned by the object */
	int			label;			/* which */
	double		number;			/* SCALE, NUMBER */
	bool		flag;
	json_object *list;			/* TEXTS, OBJECTS: whose items have been checked */
} FieldValue;

/* values has a place for each field.  False with the ending: the object is not what was asked for. */
extern bool fields_read(json_object *object, const Field *fields, int count, FieldValue *values, Ending ending);
/*
 * Appends the object as it is to be stored: its fields in their order, and no others; what was left out is left out.
 * False with the ending.
 */
extern bool fields_normalise(Buf *out, json_object *object, const Field *fields, int count, Ending ending);

#endif
