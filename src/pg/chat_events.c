/*
 * chat_events.c
 *	  Triggers that tell the outbox of comments, chat sessions, their messages and escalations.
 *
 * Those that look something up run as the owner, whoever writes the row, and do so only while a consumer wants the topic.
 * Labels are enum labels: nothing of what was said.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "pg/events.h"
#include "pg/spi_util.h"
#include "pg/syncing.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/rel.h"

PG_FUNCTION_INFO_V1(triage_chat_sessions_event);
PG_FUNCTION_INFO_V1(triage_chat_messages_event);
PG_FUNCTION_INFO_V1(triage_ticket_comments_event);
PG_FUNCTION_INFO_V1(triage_ticket_escalations_event);

/* $1 tenant, $2 session; what ended a session that has a ticket stands there */
#define ORIGIN_OF_SESSION \
	"SELECT t.id, t.version, t.resolution::text FROM triage.chat_tickets o " \
	"JOIN triage.tickets t ON t.tenant_id = o.tenant_id AND t.id = o.ticket_id " \
	"WHERE o.tenant_id = $1 AND o.session_id = $2 AND o.relation = 'origin'"
/* $1 tenant, $2 ticket */
#define VERSION_OF_TICKET \
	"SELECT t.id, t.version FROM triage.tickets t WHERE t.tenant_id = $1 AND t.id = $2"

static TriggerData *
check_trigger(FunctionCallInfo fcinfo, const char *name)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired AFTER, FOR EACH ROW", name)));
	return trigger;
}

static Datum
column(TriggerData *trigger, const char *name, bool *null)
{
	HeapTuple	tuple = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? trigger->tg_trigtuple : trigger->tg_newtuple;
	TupleDesc	desc = RelationGetDescr(trigger->tg_relation);

	return SPI_getbinval(tuple, desc, SPI_fnumber(desc, name), null);
}

static int64
id_column(TriggerData *trigger, const char *name)
{
	bool		null;
	Datum		id = column(trigger, name, &null);

	return null ? 0 : DatumGetInt64(id);
}

static const char *
label_column(TriggerData *trigger, const char *name)
{
	bool		null;

	return DatumGetCString(DirectFunctionCall1(enum_out, column(trigger, name, &null)));
}

/* {"key":"value"}; a value of NULL is null. */
static void
add_label(StringInfo labels, const char *key, const char *value)
{
	appendStringInfo(labels, "%c\"%s\":", labels->len == 0 ? '{' : ',', key);
	if (value)
		escape_json(labels, value);
	else
		appendStringInfoString(labels, "null");
}

/* What the query says of the event's ticket, if there is one; its third column, if it has one. */
static const char *
find_ticket(Event *event, const char *query, int64 id)
{
	Datum		keys[2] = {event->tenant_id, Int64GetDatum(id)};
	bool		null = true;
	Datum		resolution = (Datum) 0;

	if (id == 0 || spi_execute_fresh(query, keys, 2, TEXTOID, INT8OID) == 0)
		return NULL;
	event->ticket_id = spi_int8(0, 1);
	event->version = spi_int4(0, 2);
	if (SPI_tuptable->tupdesc->natts > 2)
		resolution = spi_value(0, 3, &null);
	return null ? NULL : TextDatumGetCString(resolution);
}

static void
begin(Event *event, TriggerData *trigger, StringInfo labels)
{
	bool		null;

	spi_connect();
	event->tenant_id = column(trigger, "tenant_id", &null);
	initStringInfo(labels);
}

static void
write_one(Event *event, StringInfo labels)
{
	Events	   *events = events_start();

	if (labels->len > 0)
	{
		appendStringInfoChar(labels, '}');
		event->labels = labels->data;
	}
	events_add(events, event);
	events_write(events);
	SPI_finish();
}

Datum
triage_chat_sessions_event(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger(fcinfo, "chat_sessions_event");
	const char *status = label_column(trigger, "status");
	Event		event = {.version = -1};
	StringInfoData labels;
	const char *resolution;

	event.topic = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? "chat.session_started"
		: strcmp(status, "archived") == 0 ? "chat.session_archived" : "chat.session_ended";
	if (!events_wanted(event.topic))
		return PointerGetDatum(NULL);
	begin(&event, trigger, &labels);
	event.session_id = id_column(trigger, "id");
	resolution = find_ticket(&event, ORIGIN_OF_SESSION, event.session_id);
	if (strcmp(event.topic, "chat.session_ended") == 0)
	{
		add_label(&labels, "status", status);
		add_label(&labels, "resolution", resolution);
	}
	write_one(&event, &labels);
	return PointerGetDatum(NULL);
}

Datum
triage_chat_messages_event(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger(fcinfo, "chat_messages_event");
	Event		event = {.version = -1,.topic = "chat.message_posted"};
	StringInfoData labels;

	if (!events_wanted(event.topic))
		return PointerGetDatum(NULL);
	begin(&event, trigger, &labels);
	event.session_id = id_column(trigger, "session_id");
	event.object_id = id_column(trigger, "id");
	find_ticket(&event, ORIGIN_OF_SESSION, event.session_id);
	add_label(&labels, "role", label_column(trigger, "role"));
	/* what shows a comment on the ticket is told of twice, for those who read conversations and for those who read tickets */
	if (id_column(trigger, "comment_id") != 0)
		appendStringInfo(&labels, ",\"comment\":" INT64_FORMAT, id_column(trigger, "comment_id"));
	write_one(&event, &labels);
	return PointerGetDatum(NULL);
}

Datum
triage_ticket_comments_event(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger(fcinfo, "ticket_comments_event");
	Event		event = {.version = -1};
	StringInfoData labels;

	if (triage_syncing)			/* a copy sets nothing off: see ticket_events.c */
		event.topic = "comment.copied";
	else
		event.topic = TRIGGER_FIRED_BY_INSERT(trigger->tg_event) ? "comment.created" : "comment.edited";
	if (!events_wanted(event.topic))
		return PointerGetDatum(NULL);
	begin(&event, trigger, &labels);
	event.ticket_id = id_column(trigger, "ticket_id");
	event.object_id = id_column(trigger, "id");
	add_label(&labels, "visibility", label_column(trigger, "visibility"));
	add_label(&labels, "author_role", label_column(trigger, "author_role"));
	write_one(&event, &labels);
	return PointerGetDatum(NULL);
}

Datum
triage_ticket_escalations_event(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = check_trigger(fcinfo, "ticket_escalations_event");
	Event		event = {.version = -1,.topic = "ticket.escalated"};
	StringInfoData labels;

	if (!events_wanted(event.topic))
		return PointerGetDatum(NULL);
	begin(&event, trigger, &labels);
	event.session_id = id_column(trigger, "session_id");
	event.object_id = id_column(trigger, "id");
	find_ticket(&event, VERSION_OF_TICKET, id_column(trigger, "ticket_id"));
	add_label(&labels, "cause", label_column(trigger, "cause"));
	write_one(&event, &labels);
	return PointerGetDatum(NULL);
}
