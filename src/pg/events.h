/*
 * events.h
 *	  The outbox: who wants which events, and writing those of one statement together.
 */
#ifndef TRIAGE_PG_EVENTS_H
#define TRIAGE_PG_EVENTS_H

#include "postgres.h"

#include "executor/tuptable.h"
#include "pg/queue.h"
#include "pg/tickets.h"

typedef struct Events Events;

/* labels: JSON text, NULL for none.  0: no such id; negative: no version known. */
typedef struct Event
{
	Datum		tenant_id;		/* text */
	const char *topic;			/* a label of triage.event_topic */
	int64		ticket_id;
	int64		session_id;
	int64		object_id;
	int			version;
	const char *labels;
} Event;

/* Does a consumer want the topic (NULL: any)?  Executes nothing. */
extern bool events_wanted(const char *topic);

/*
 * Gathers events, with an SPI connection open; NULL while nobody wants any, and then the functions below do nothing.
 * An event that nobody wants is not taken.
 */
extern Events *events_start(void);
extern void events_add(Events *events, const Event *event);
extern void events_write(Events *events);

/* What happened to a ticket.  changed: by attribute, what a person would call a change.  In ticket_events.c. */
extern void events_add_created(Events *events, const TicketShape *shape, TupleTableSlot *ticket);
extern void events_add_updated(Events *events, const TicketShape *shape, TupleTableSlot *old, TupleTableSlot *new,
							   const bool *changed);
extern void events_add_purged(Events *events, const TicketShape *shape, TupleTableSlot *ticket);

/* What became of jobs that were stored; run_ids: of their results, as they were stored. */
extern void events_of_jobs(Job **jobs, int count, const int64 *run_ids);

#endif
