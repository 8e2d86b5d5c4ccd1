/*
 * prices.h
 *	  What calls cost, by the rows of model_prices, or by what the reply says.
 */
#ifndef TRIAGE_PG_PRICES_H
#define TRIAGE_PG_PRICES_H

#include "postgres.h"

#include "pg/queue.h"

/* Datums that live as long as the SPI connection; zeroed, it says that nothing is known. */
typedef struct RunCost
{
	bool		known;
	Datum		cost;			/* numeric, when known */
	bool		priced;			/* a price was found: also when the tokens, and so the cost, are not known */
	Datum		currency;		/* text; 0: none */
	Datum		price;			/* text of a JSON object, when priced */
} RunCost;

/* One for each job, palloc'd. */
extern RunCost *prices_cost(Job **jobs, int count);
/* False: a table of schema triage that holds nothing, found out without a statement. */
extern bool prices_table_has_pages(const char *table);

#endif
