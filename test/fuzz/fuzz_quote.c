/*
 * fuzz_quote.c
 *	  Any bytes as a text and a quote of it: folding keeps its promises, and a part of a text is found in it.
 *
 * Input: a byte that says where the quote begins, one for its length, then the text.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/quote.h"
#include "core/utf8.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool promise)
{
	if (!promise)
		abort();
}

/* It never grows, valid text stays valid, and what is folded stays as it is. */
static void
fuzz_folding(const char *text, size_t len, bool (*fold) (Buf *out, const char *text, size_t len))
{
	Buf			once;
	Buf			twice;

	buf_init(&once, len + 1);
	require(fold(&once, text, len));
	require(once.len <= len && (once.len == 0 || (once.data[0] != ' ' && once.data[once.len - 1] != ' ')));
	if (utf8_valid(text, len))
		require(utf8_valid(once.data, once.len));
	buf_init(&twice, once.len + 1);
	require(fold(&twice, once.data, once.len));
	if (utf8_valid(text, len))
		require(twice.len == once.len && memcmp(twice.data, once.data, once.len) == 0);
	buf_free(&once);
	buf_free(&twice);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *) data + 2;
	size_t		len = size - 2;
	size_t		start;
	size_t		part;

	if (size < 3)
		return 0;
	fuzz_folding(text, len, quote_fold);
	fuzz_folding(text, len, quote_fold_summary);
	if (!utf8_valid(text, len))
		return 0;
	start = utf8_clip(text, len, data[0] % len);
	part = utf8_clip(text + start, len - start, data[1]);
	if (quote_occurs(text + start, part, text + start, part) == 1)
		require(quote_occurs(text + start, part, text, len) == 1);
	return 0;
}
