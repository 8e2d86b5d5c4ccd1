/*
 * review.c
 *	  text_similarity(): the server's texts, handed to core/similarity.c in UTF-8.
 */
#include "postgres.h"

#include "core/similarity.h"
#include "fmgr.h"
#include "pg/encoding.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(triage_text_similarity);

static char *
utf8_argument(text *value)
{
	return encoding_to_utf8(text_to_cstring(value));
}

Datum
triage_text_similarity(PG_FUNCTION_ARGS)
{
	char	   *a = utf8_argument(PG_GETARG_TEXT_PP(0));
	char	   *b = utf8_argument(PG_GETARG_TEXT_PP(1));
	double		similarity = text_similarity(a, strlen(a), b, strlen(b));

	if (similarity < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	PG_RETURN_FLOAT8(similarity);
}
