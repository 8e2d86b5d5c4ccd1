/*
 * tickets_extract.h
 *	  What a change of tickets means for the product issues that were found in them, or are being looked for.
 */
#ifndef TRIAGE_PG_TICKETS_EXTRACT_H
#define TRIAGE_PG_TICKETS_EXTRACT_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "pg/rows.h"
#include "pg/tickets.h"

typedef struct ExtractionChanges
{
	bool		any_edited;
	bool		any_ended;
	bool		any_hidden;
	bool		any_moved;
	Rows		edited;			/* another text: a look that runs begins anew */
	Rows		ended;			/* resolved or closed: to be looked at */
	Rows		hidden;			/* deleted, or taken back: so are their issues */
	Rows		moved;			/* another requester: so is who reported their issues */
} ExtractionChanges;

/* Looks at one row that was updated, by differs[attribute number - 1] in what.  Both are deformed. */
extern void extraction_compare(ExtractionChanges *changes, const TicketShape *shape, TupleTableSlot *old,
							   TupleTableSlot *new, const bool *differs);
/* Does what follows, by one statement each; whether jobs were made or changed, so that the worker is to be woken. */
extern bool extraction_follow(ExtractionChanges *changes);

#endif
