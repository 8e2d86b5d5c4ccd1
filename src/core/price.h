/*
 * price.h
 *	  Whether a call without a known cost may still be on the bill.
 */
#ifndef TRIAGE_CORE_PRICE_H
#define TRIAGE_CORE_PRICE_H

#include "core/ticket.h"

/*
 * outcome, http_status (0: none): how the call ended; attempt_spent: whether it counts as a try.  True where nobody can
 * say that nothing was billed.
 */
extern bool price_may_be_billed(RunOutcome outcome, int http_status, bool attempt_spent);

#endif
