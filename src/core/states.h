/*
 * states.h
 *	  The ticket's state machine: which status may follow which.
 */
#ifndef TRIAGE_CORE_STATES_H
#define TRIAGE_CORE_STATES_H

#include <stdbool.h>

/* Order and names are those of the SQL enum ticket_status. */
typedef enum TicketStatus
{
	STATUS_OPEN,
	STATUS_IN_PROGRESS,
	STATUS_PENDING,
	STATUS_ON_HOLD,
	STATUS_REVIEW,
	STATUS_RESOLVED,
	STATUS_CLOSED
} TicketStatus;
#define STATUS_COUNT 7

extern const char *status_name(TicketStatus status);
/* A status may always stay what it is. */
extern bool status_may_follow(TicketStatus from, TicketStatus to);
/* Resolved or closed: nothing more is to be done. */
extern bool status_is_finished(TicketStatus status);

#endif
