/*
 * texts.c
 *	  quote_occurs(), plain_summary() and text_similarity(): the server's texts, handed to core in UTF-8.
 */
#include "postgres.h"

#include "core/quote.h"
#include "core/similarity.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pg/encoding.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(triage_quote_occurs);
PG_FUNCTION_INFO_V1(triage_plain_summary);
PG_FUNCTION_INFO_V1(triage_text_similarity);

static char *
utf8_argument(text *value)
{
	return encoding_to_utf8(text_to_cstring(value));
}

static void
fail_for_memory(void)
{
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

Datum
triage_quote_occurs(PG_FUNCTION_ARGS)
{
	char	   *quote = utf8_argument(PG_GETARG_TEXT_PP(0));
	char	   *source = utf8_argument(PG_GETARG_TEXT_PP(1));
	int			occurs = quote_occurs(quote, strlen(quote), source, strlen(source));

	if (occurs < 0)
		fail_for_memory();
	PG_RETURN_BOOL(occurs > 0);
}

Datum
triage_plain_summary(PG_FUNCTION_ARGS)
{
	char	   *summary = utf8_argument(PG_GETARG_TEXT_PP(0));
	Buf			plain;
	char	   *result;

	buf_init(&plain, strlen(summary) + 1);
	if (!quote_fold_summary(&plain, summary, strlen(summary)))
	{
		buf_free(&plain);
		fail_for_memory();
	}
	/* copied before anything can fail: the rest is the server's memory */
	result = palloc_extended(plain.len + 1, MCXT_ALLOC_NO_OOM);
	if (result != NULL)
		memcpy(result, plain.data, plain.len + 1);
	buf_free(&plain);
	if (result == NULL)
		fail_for_memory();
	PG_RETURN_TEXT_P(cstring_to_text(pg_any_to_server(result, strlen(result), PG_UTF8)));
}

Datum
triage_text_similarity(PG_FUNCTION_ARGS)
{
	char	   *a = utf8_argument(PG_GETARG_TEXT_PP(0));
	char	   *b = utf8_argument(PG_GETARG_TEXT_PP(1));
	double		similarity = text_similarity(a, strlen(a), b, strlen(b));

	if (similarity < 0)
		fail_for_memory();
	PG_RETURN_FLOAT8(similarity);
}
