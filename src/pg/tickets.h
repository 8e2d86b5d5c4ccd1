/*
 * tickets.h
 *	  What the row trigger and the statement triggers of tickets share: columns by name, enum labels by oid.
 */
#ifndef TRIAGE_PG_TICKETS_H
#define TRIAGE_PG_TICKETS_H

#include "postgres.h"

#include "access/tupdesc.h"
#include "core/states.h"
#include "core/ticket.h"
#include "utils/relcache.h"

/* The actor under which a result is written; a name only, which any session may claim. */
#define ACTOR_TRIAGE "triage"

/* Set while a result is written: what changes then is not a person's choice.  No session can set it from SQL. */
extern bool ticket_result_is_written;

/* Set, beside the former, where nobody's triggers but ours see what is written: the ticket that was locked is there. */
extern bool ticket_is_held;

/* Set while a person's text is erased: history must not keep what it was.  No session can set it from SQL. */
extern bool ticket_text_is_erased;

/* What stands where text was erased; sql/install/api_records.sql says the same. */
#define ERASED_TEXT "[erased]"
/* The ticket that a handover, or its customer's end_session(), is changing, else 0.  No session can set it from SQL. */
extern int64 ticket_handed_over;

typedef enum TicketColumn
{
	COL_TENANT_ID,
	COL_ID,
	COL_SOURCE,
	COL_EXTERNAL_ID,
	COL_REQUESTER_ID,
	COL_REQUESTER_EMAIL,
	COL_LANGUAGE,
	COL_SUBJECT,
	COL_DESCRIPTION,
	COL_CUSTOM_FIELDS,
	COL_TAGS,
	COL_SEARCH,
	COL_CREATED_AT,
	COL_STATUS,
	COL_RESOLUTION,
	COL_HANDLER,
	COL_PRIORITY,
	COL_PRIORITY_IS_MANUAL,
	COL_CATEGORY,
	COL_CATEGORY_IS_MANUAL,
	COL_ASSIGNEE_ID,
	COL_WAITING_SINCE,
	COL_FIRST_RESPONSE_AT,
	COL_RESOLVED_AT,
	COL_CLOSED_AT,
	COL_DELETED_AT,
	COL_UPDATED_AT,
	COL_VERSION,
	COL_COUNT
} TicketColumn;

/* Looked up once per session and table. */
typedef struct TicketShape
{
	Oid			relation;
	AttrNumber	attno[COL_COUNT];
	Oid			status[STATUS_COUNT];	/* oids of the enum's labels */
	Oid			priority_medium;
	Oid			resolution_resolved;
	Oid			handler[HANDLER_COUNT];
} TicketShape;

extern const TicketShape *ticket_shape(Relation rel);
extern TicketStatus ticket_status_of(const TicketShape *shape, Oid label);
extern TicketHandler ticket_handler_of(const TicketShape *shape, Oid label);
/* Neither value is NULL. */
extern bool ticket_value_differs(Datum a, Datum b, Form_pg_attribute attr);

#endif
