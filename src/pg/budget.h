/*
 * budget.h
 *	  Budgets: the most a call can cost is reserved when its job is claimed, and settled when its run is written.
 *
 * Every function here runs inside the caller's transaction and SPI connection.  While there are no budgets none of them
 * executes a statement.
 */
#ifndef TRIAGE_PG_BUDGET_H
#define TRIAGE_PG_BUDGET_H

#include "postgres.h"

#include "pg/prices.h"
#include "pg/queue.h"

/* Under which terms a provider's calls may be claimed now.  Its Datums live as long as the SPI connection. */
typedef struct BudgetTerms
{
	bool		apply;			/* there are budgets, and a call costs something: claims must reserve */
	bool		bounded;		/* the cost of a call has a known bound */
	bool		other_currency; /* a budget is in another currency than the price */
	bool		changed;		/* the provider is not what the caller knows */
	bool		closed;			/* nothing may be claimed for this provider */
	Datum		closed_tenants; /* text[]: nor for these tenants */
	int			closed_count;
	/* of what is closed, what will stay so when the calls under way have come back: another provider may serve it */
	bool		used_up;
	Datum		used_up_tenants;
	int			used_up_count;
	TimestampTz resets_at;		/* when the first of these begins anew; 0: none is used up */
	bool		reserved;		/* calls are under way */
	int			fit;			/* no more jobs than this can be covered */
	int			denied;			/* of the last claim, jobs that what was left did not cover: put back */
	Datum		denied_tenants; /* text[], theirs */
	char		why[REASON_MAX];	/* what keeps jobs waiting, for people; "" when nothing does */
	Datum		input_price;	/* numeric, of one token */
	Datum		output_price;
	int			max_output_tokens;
	char	   *currency;
} BudgetTerms;

/*
 * version: the provider's updated_at that the caller goes by, 0 for whatever it is; when it is another by now, the terms
 * are closed, and the caller reads the provider again.
 */
extern void budget_terms(BudgetTerms *terms, const char *provider, TimestampTz version, TimestampTz now);
/*
 * Reserves for claimed jobs, in their order, what they can cost at most.  Those that the budgets leave nothing for are
 * put back into the queue, unclaimed, and come last in jobs[].  Returns how many keep their claim.
 */
extern int	budget_reserve(BudgetTerms *terms, const ClaimRequest *request, Job **jobs, int count);
/* Settles what the claims of these jobs reserved, by what their runs cost; not of those that are STORE_LOCKED. */
extern void budget_settle(Job **jobs, int count, const RunCost *costs);
/* Whether budget_settle() would find out what became of the job's money. */
extern bool budget_is_settled_by(const Job *job, const RunCost *cost);
/*
 * What a claim that is no longer current has reserved, or left unsettled, tells of it: enough for its run.  False when
 * there is nothing of the kind.
 */
extern bool budget_find_claim(Job *job, int64 id, int fence);
/* Reservations of claims that ended without a trace (withdrawn, and their worker died) count as unsettled. */
extern void budget_sweep(TimestampTz now);
/* Before what one transaction settles in several statements: else two of them could wait for each other. */
extern void budget_lock_reserved(void);

#endif
