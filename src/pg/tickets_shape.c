/*
 * tickets_shape.c
 *	  Where the columns of tickets are, and which oids its enum labels have.
 *
 * By name, because users add columns and dumps restore them in any order.
 */
#include "postgres.h"

#include "executor/spi.h"
#include "pg/tickets.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/rel.h"

bool		ticket_result_is_written = false;
bool		ticket_is_held = false;
bool		ticket_text_is_erased = false;
int64		ticket_handed_over = 0;

static const char *const column_names[COL_COUNT] = {
	[COL_TENANT_ID] = "tenant_id",
	[COL_ID] = "id",
	[COL_SOURCE] = "source",
	[COL_EXTERNAL_ID] = "external_id",
	[COL_REQUESTER_ID] = "requester_id",
	[COL_REQUESTER_EMAIL] = "requester_email",
	[COL_LANGUAGE] = "language",
	[COL_SUBJECT] = "subject",
	[COL_DESCRIPTION] = "description",
	[COL_CUSTOM_FIELDS] = "custom_fields",
	[COL_TAGS] = "tags",
	[COL_SEARCH] = "search",
	[COL_CREATED_AT] = "created_at",
	[COL_STATUS] = "status",
	[COL_RESOLUTION] = "resolution",
	[COL_HANDLER] = "handler",
	[COL_PRIORITY] = "priority",
	[COL_PRIORITY_IS_MANUAL] = "priority_is_manual",
	[COL_CATEGORY] = "category",
	[COL_CATEGORY_IS_MANUAL] = "category_is_manual",
	[COL_ASSIGNEE_ID] = "assignee_id",
	[COL_WAITING_SINCE] = "waiting_since",
	[COL_FIRST_RESPONSE_AT] = "first_response_at",
	[COL_RESOLVED_AT] = "resolved_at",
	[COL_CLOSED_AT] = "closed_at",
	[COL_DELETED_AT] = "deleted_at",
	[COL_UPDATED_AT] = "updated_at",
	[COL_VERSION] = "version",
};

static TicketShape shape;

static Oid
enum_label(Relation rel, TicketColumn column, const char *label)
{
	Oid			type = TupleDescAttr(RelationGetDescr(rel), shape.attno[column] - 1)->atttypid;

	return DatumGetObjectId(DirectFunctionCall2(enum_in, CStringGetDatum(label), ObjectIdGetDatum(type)));
}

const TicketShape *
ticket_shape(Relation rel)
{
	if (shape.relation == RelationGetRelid(rel))
		return &shape;
	shape.relation = InvalidOid;
	for (int i = 0; i < COL_COUNT; i++)
	{
		shape.attno[i] = SPI_fnumber(RelationGetDescr(rel), column_names[i]);
		if (shape.attno[i] <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" has no column \"%s\"", RelationGetRelationName(rel), column_names[i]),
					 errhint("This trigger belongs on the table triage.tickets; SELECT triage.install() brings that up to date.")));
	}
	for (int i = 0; i < STATUS_COUNT; i++)
		shape.status[i] = enum_label(rel, COL_STATUS, status_name(i));
	shape.priority_medium = enum_label(rel, COL_PRIORITY, "medium");
	shape.resolution_resolved = enum_label(rel, COL_RESOLUTION, "resolved");
	for (int i = 0; i < HANDLER_COUNT; i++)
		shape.handler[i] = enum_label(rel, COL_HANDLER, handler_name(i));
	shape.relation = RelationGetRelid(rel);
	return &shape;
}

TicketStatus
ticket_status_of(const TicketShape *known, Oid label)
{
	for (int i = 0; i < STATUS_COUNT; i++)
		if (known->status[i] == label)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INTERNAL_ERROR),
			 errmsg("unknown ticket status with oid %u", label)));
	return STATUS_OPEN;			/* not reached */
}

TicketHandler
ticket_handler_of(const TicketShape *known, Oid label)
{
	return label == known->handler[HANDLER_AI] ? HANDLER_AI : HANDLER_HUMAN;
}

bool
ticket_value_differs(Datum a, Datum b, Form_pg_attribute attr)
{
	/* an untouched value is carried over as it is stored: compare that before anything is detoasted */
	if (attr->attlen == -1)
	{
		struct varlena *x = (struct varlena *) DatumGetPointer(a);
		struct varlena *y = (struct varlena *) DatumGetPointer(b);

		if (VARSIZE_ANY(x) == VARSIZE_ANY(y) && memcmp(x, y, VARSIZE_ANY(x)) == 0)
			return false;
	}
	return !datum_image_eq(a, b, attr->attbyval, attr->attlen);
}
