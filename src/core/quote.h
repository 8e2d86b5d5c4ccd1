/*
 * quote.h
 *	  Is a quote really in a text, and do two summaries read alike?
 */
#ifndef TRIAGE_CORE_QUOTE_H
#define TRIAGE_CORE_QUOTE_H

#include "core/buf.h"

/*
 * Appends UTF-8 text with each run of white space as one space and none at its ends, typographic quotes, dashes and
 * ellipses as ASCII's, and nothing that cannot be seen.  It never grows: a cap of len + 1 is enough.
 */
extern bool quote_fold(Buf *out, const char *text, size_t len);
/* The same in small letters of ASCII, without the punctuation that ends or parts sentences. */
extern bool quote_fold_summary(Buf *out, const char *text, size_t len);
/* Whether the quote, folded, stands in the source, folded: 1 or 0.  An empty one stands nowhere.  -1: out of memory. */
extern int	quote_occurs(const char *quote, size_t quote_len, const char *source, size_t source_len);

#endif
