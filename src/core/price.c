/*
 * price.c
 *	  Whether a call without a known cost may still be on the bill.
 *
 * An endpoint that turns a request away does not charge for it.  One that fell silent may have done the work.  Wrong in
 * one direction, an outage would use up a budget that nothing was taken from; in the other, a limit would not hold: so
 * only what is plainly an answer of "not done" is believed to be free.
 */
#include "core/price.h"

bool
price_may_be_billed(RunOutcome outcome, int http_status, bool attempt_spent)
{
	switch (outcome)
	{
		case OUTCOME_THROTTLED:
		case OUTCOME_ACCOUNT:
		case OUTCOME_MISCONFIGURED:
		case OUTCOME_BAD_REQUEST:
			return false;
		case OUTCOME_TRANSIENT:
			/* no connection was made; or the endpoint itself failed, where a gateway's 502 or 504 knows nothing of it */
			return !(http_status == 0 && !attempt_spent) && http_status != 500 && http_status != 503 && http_status != 529;
		case OUTCOME_SUCCEEDED:
		case OUTCOME_REFUSED:
		case OUTCOME_UNUSABLE_ANSWER:
		case OUTCOME_STALE:
		case OUTCOME_LOST:
			break;
	}
	return true;
}
