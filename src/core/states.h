/*
 * states.h
 *	  The ticket's state machine: which status may follow which, and who answers the customer.
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

/* Order and names are those of the SQL enum ticket_handler. */
typedef enum TicketHandler
{
	HANDLER_AI,
	HANDLER_HUMAN
} TicketHandler;
#define HANDLER_COUNT 2

extern const char *status_name(TicketStatus status);
/* A status may always stay what it is. */
extern bool status_may_follow(TicketStatus from, TicketStatus to);
/* Resolved or closed: nothing more is to be done. */
extern bool status_is_finished(TicketStatus status);

extern const char *handler_name(TicketHandler handler);
/* Who answers changes by a handover, with its reason on record, and not because somebody writes the column. */
extern bool handler_may_follow(TicketHandler from, TicketHandler to, bool is_handover);
/* A ticket that an agent has is answered by people: to assign it is to take it over. */
extern TicketHandler handler_of(TicketHandler asked_for, bool has_agent);

#endif
