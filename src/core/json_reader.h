/*
 * json_reader.h
 *	  What one reading of JSON leaves for the next: the parser's memory.  For callers that must not see json-c.
 */
#ifndef TRIAGE_CORE_JSON_READER_H
#define TRIAGE_CORE_JSON_READER_H

typedef struct JsonReader JsonReader;

/* NULL: out of memory; wherever a reader is asked for, NULL stands for one that is made and freed there. */
extern JsonReader *json_reader_create(void);
extern void json_reader_free(JsonReader *reader);

#endif
