/*
 * encoding.h
 *	  From UTF-8, which core and net speak, to the server's encoding, and back.
 */
#ifndef TRIAGE_PG_ENCODING_H
#define TRIAGE_PG_ENCODING_H

#include "postgres.h"

/*
 * palloc'd, or utf8 itself where nothing is to be converted.  What the server has no character for is put in ASCII or becomes
 * a question mark.  In a transaction only.
 */
extern char *encoding_from_utf8(const char *utf8, size_t len);
/* palloc'd, or text itself, in which bytes that are no text become question marks where the server lets them in. */
extern char *encoding_to_utf8(char *text);
/* Where nothing can be converted: all other bytes of the text become question marks. */
extern void encoding_keep_ascii(char *text);

#endif
