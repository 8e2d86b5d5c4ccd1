/*
 * ticket_events.c
 *	  Which events a change of a ticket is, and their labels.
 *
 * Labels are enum labels, names of columns, and ids of people and categories: nothing that somebody wrote about the
 * ticket.  One change may be several events: a ticket that is assigned goes in_progress, too.
 *
 * What is a copy of something that happened elsewhere, and had its consequences there, is ticket.copied and nothing else:
 * whoever sends mail at ticket.created must not send a hundred thousand because an old table is imported, and whoever
 * keeps a copy of the tables must hear of each row.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "pg/events.h"
#include "pg/syncing.h"
#include "utils/builtins.h"
#include "utils/json.h"

/* Told by ticket.status_changed and ticket.assigned, so not by ticket.updated. */
static const char *const told_elsewhere[] = {
	"assignee_id", "closed_at", "resolution", "resolved_at", "status"
};

static Datum
value_of(const TicketShape *shape, TupleTableSlot *slot, TicketColumn column)
{
	return slot->tts_values[shape->attno[column] - 1];
}

static bool
is_null(const TicketShape *shape, TupleTableSlot *slot, TicketColumn column)
{
	return slot->tts_isnull[shape->attno[column] - 1];
}

static Event
event_of(const TicketShape *shape, TupleTableSlot *slot, const char *topic)
{
	return (Event) {
		.tenant_id = value_of(shape, slot, COL_TENANT_ID),
		.topic = topic,
		.ticket_id = DatumGetInt64(value_of(shape, slot, COL_ID)),
		.version = DatumGetInt32(value_of(shape, slot, COL_VERSION))
	};
}

static void
add_key(StringInfo labels, const char *key)
{
	appendStringInfo(labels, "%s\"%s\":", labels->len > 1 ? "," : "", key);
}

static void
add_enum(StringInfo labels, const char *key, const TicketShape *shape, TupleTableSlot *slot, TicketColumn column)
{
	add_key(labels, key);
	if (is_null(shape, slot, column))
		appendStringInfoString(labels, "null");
	else
		escape_json(labels, DatumGetCString(DirectFunctionCall1(enum_out, value_of(shape, slot, column))));
}

static void
add_text(StringInfo labels, const char *key, const TicketShape *shape, TupleTableSlot *slot, TicketColumn column)
{
	add_key(labels, key);
	if (is_null(shape, slot, column))
		appendStringInfoString(labels, "null");
	else
		escape_json(labels, TextDatumGetCString(value_of(shape, slot, column)));
}

/* old: NULL for a new ticket. */
static void
add_assigned(Events *events, const TicketShape *shape, TupleTableSlot *old, TupleTableSlot *new)
{
	Event		event = event_of(shape, new, "ticket.assigned");
	StringInfoData labels;

	if (!events_wanted(event.topic))
		return;
	initStringInfo(&labels);
	appendStringInfoChar(&labels, '{');
	if (old)
		add_text(&labels, "from", shape, old, COL_ASSIGNEE_ID);
	else
		appendStringInfoString(&labels, "\"from\":null");
	add_text(&labels, "to", shape, new, COL_ASSIGNEE_ID);
	appendStringInfoChar(&labels, '}');
	event.labels = labels.data;
	events_add(events, &event);
	pfree(labels.data);
}

static void
add_ticket_as_it_is(Events *events, const TicketShape *shape, TupleTableSlot *ticket, const char *topic)
{
	Event		event = event_of(shape, ticket, topic);
	StringInfoData labels;

	if (!events_wanted(topic))
		return;
	initStringInfo(&labels);
	appendStringInfoChar(&labels, '{');
	add_enum(&labels, "status", shape, ticket, COL_STATUS);
	add_enum(&labels, "priority", shape, ticket, COL_PRIORITY);
	add_text(&labels, "category", shape, ticket, COL_CATEGORY);
	appendStringInfoChar(&labels, '}');
	event.labels = labels.data;
	events_add(events, &event);
	pfree(labels.data);
}

void
events_add_created(Events *events, const TicketShape *shape, TupleTableSlot *ticket)
{
	add_ticket_as_it_is(events, shape, ticket, triage_syncing ? "ticket.copied" : "ticket.created");
	if (!triage_syncing && !is_null(shape, ticket, COL_ASSIGNEE_ID))
		add_assigned(events, shape, NULL, ticket);
}

static void
add_status_changed(Events *events, const TicketShape *shape, TupleTableSlot *old, TupleTableSlot *new)
{
	Event		event = event_of(shape, new, "ticket.status_changed");
	StringInfoData labels;

	if (!events_wanted(event.topic))
		return;
	initStringInfo(&labels);
	appendStringInfoChar(&labels, '{');
	add_enum(&labels, "from", shape, old, COL_STATUS);
	add_enum(&labels, "to", shape, new, COL_STATUS);
	add_enum(&labels, "resolution", shape, new, COL_RESOLUTION);
	appendStringInfoChar(&labels, '}');
	event.labels = labels.data;
	events_add(events, &event);
	pfree(labels.data);
}

static bool
is_told_elsewhere(const char *column)
{
	for (size_t i = 0; i < lengthof(told_elsewhere); i++)
		if (strcmp(column, told_elsewhere[i]) == 0)
			return true;
	return false;
}

/* deleted: its deleted_at is told by ticket.deleted. */
static void
add_fields(Events *events, const TicketShape *shape, TupleTableSlot *new, const bool *changed, bool deleted)
{
	Event		event = event_of(shape, new, "ticket.updated");
	StringInfoData labels;
	int			count = 0;

	if (!events_wanted(event.topic))
		return;
	initStringInfo(&labels);
	appendStringInfoString(&labels, "{\"fields\":[");
	for (int att = 0; att < new->tts_tupleDescriptor->natts; att++)
	{
		const char *name = NameStr(TupleDescAttr(new->tts_tupleDescriptor, att)->attname);

		if (!changed[att] || is_told_elsewhere(name) || (deleted && att == shape->attno[COL_DELETED_AT] - 1))
			continue;
		if (count++ > 0)
			appendStringInfoChar(&labels, ',');
		escape_json(&labels, name);
	}
	appendStringInfoString(&labels, "]}");
	event.labels = labels.data;
	if (count > 0)
		events_add(events, &event);
	pfree(labels.data);
}

void
events_add_updated(Events *events, const TicketShape *shape, TupleTableSlot *old, TupleTableSlot *new,
				   const bool *changed)
{
	bool		deleted = is_null(shape, old, COL_DELETED_AT) && !is_null(shape, new, COL_DELETED_AT);
	Event		event;

	if (triage_syncing)
	{
		for (int att = 0; att < new->tts_tupleDescriptor->natts; att++)
			if (changed[att])
			{
				add_ticket_as_it_is(events, shape, new, "ticket.copied");
				break;
			}
		return;
	}
	add_fields(events, shape, new, changed, deleted);
	if (changed[shape->attno[COL_STATUS] - 1] || changed[shape->attno[COL_RESOLUTION] - 1])
		add_status_changed(events, shape, old, new);
	if (changed[shape->attno[COL_ASSIGNEE_ID] - 1])
		add_assigned(events, shape, old, new);
	if (!deleted)
		return;
	event = event_of(shape, new, "ticket.deleted");
	events_add(events, &event);
}

void
events_add_purged(Events *events, const TicketShape *shape, TupleTableSlot *ticket)
{
	Event		event = event_of(shape, ticket, "ticket.purged");

	events_add(events, &event);
}
