/*
 * json_read.h
 *	  Reading JSON that a stranger wrote, and saying what is wrong with it.
 *
 * For the files of core that know json-c; the server's headers cannot stand beside its own.
 */
#ifndef TRIAGE_CORE_JSON_READ_H
#define TRIAGE_CORE_JSON_READ_H

#include <json-c/json.h>

#include "core/json_reader.h"
#include "core/verdict.h"

/* A string inside a json object: its owner is the object. */
typedef struct Text
{
	const char *data;
	size_t		len;
} Text;

/* Where it is said how a reading ended: reason has REASON_MAX bytes. */
typedef struct Ending
{
	RunOutcome *outcome;
	char	   *reason;
} Ending;

/* Ends the reading with an outcome and its reason; always false, so that callers can return it. */
extern bool json_end(Ending ending, RunOutcome outcome, const char *format,...) __attribute__((format(printf, 3, 4)));

extern bool json_is_space(char c);
extern Text json_trimmed(const char *data, size_t len);
/* What data takes in memory once it is read, at most; an object takes some hundred times its two brackets. */
extern size_t json_weight(const char *data, size_t len);
/* The whole of data as one JSON object, or NULL with the reason in ending.  what: "reply" or "answer". */
extern json_object *json_parse_object(JsonReader *reader, const char *data, size_t len, const char *what, Ending ending);
/* The same, but that its strings may hold bytes that are no UTF-8: for who cleans them one by one. */
extern json_object *json_parse_object_unclean(const char *data, size_t len, const char *what, Ending ending);
/* The value under key if object is an object that has it, else NULL; a JSON null is NULL too. */
extern json_object *json_member(json_object *object, const char *key);
extern bool json_is_text(json_object *value);
extern Text json_text_of(json_object *value);
/* A number as it was written, whole or not; false for anything else. */
extern bool json_number_of(json_object *value, double *number);

#endif
