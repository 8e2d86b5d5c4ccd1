/*
 * states.c
 *	  The ticket's state machine: which status may follow which, and who answers the customer.
 *
 * Pure.  Closed is final; resolved may be reopened; review goes on or back, never to "nobody has taken it".  A
 * conversation goes from the AI to people and back by a handover only.
 */
#include "core/states.h"

static const char *const names[STATUS_COUNT] = {
	"open", "in_progress", "pending", "on_hold", "review", "resolved", "closed"
};

/* rows: from; columns: to, in the order of the enum */
static const bool may_follow[STATUS_COUNT][STATUS_COUNT] = {
	[STATUS_OPEN] = {1, 1, 1, 1, 1, 1, 1},
	[STATUS_IN_PROGRESS] = {1, 1, 1, 1, 1, 1, 1},
	[STATUS_PENDING] = {1, 1, 1, 1, 0, 1, 1},
	[STATUS_ON_HOLD] = {1, 1, 1, 1, 0, 1, 1},
	[STATUS_REVIEW] = {0, 1, 1, 0, 1, 1, 1},
	[STATUS_RESOLVED] = {1, 1, 0, 0, 0, 1, 1},
	[STATUS_CLOSED] = {0, 0, 0, 0, 0, 0, 1},
};

const char *
status_name(TicketStatus status)
{
	return names[status];
}

bool
status_may_follow(TicketStatus from, TicketStatus to)
{
	return may_follow[from][to];
}

bool
status_is_finished(TicketStatus status)
{
	return status == STATUS_RESOLVED || status == STATUS_CLOSED;
}

const char *
handler_name(TicketHandler handler)
{
	return handler == HANDLER_AI ? "ai" : "human";
}

bool
handler_may_follow(TicketHandler from, TicketHandler to, bool is_handover)
{
	return from == to || is_handover;
}

TicketHandler
handler_of(TicketHandler asked_for, bool has_agent)
{
	return has_agent ? HANDLER_HUMAN : asked_for;
}
