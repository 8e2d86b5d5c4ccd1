/*
 * tickets_row.c
 *	  BEFORE trigger of tickets: the state machine, the times and flags that follow from a change, the search column.
 *
 * Row at a time and without SQL: every insert and update of a ticket passes here.  `search` is kept by this trigger
 * instead of a generated column, because the server computes a generated column again on every update of a table with
 * a BEFORE UPDATE trigger, and parsing the text costs more than all the rest of an update.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "nodes/pg_list.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "pg/syncing.h"
#include "pg/tickets.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

/* Longest part of a description that is searched, in characters: a tsvector must stay below 1 MB. */
#define SEARCHED_DESCRIPTION 100000

/* As the table says. */
#define SUBJECT_MAX 998			/* characters */
#define DESCRIPTION_MAX 1048576 /* bytes */
#define EMAIL_MAX 320			/* characters */
#define SOURCE_MAX 100			/* characters */
#define EXTERNAL_ID_MAX 1000	/* characters */
#define TAGS_MAX 100
#define TAG_MAX 100				/* characters */
#define CUSTOM_FIELDS_MAX 65536 /* bytes */

PG_FUNCTION_INFO_V1(triage_tickets_before);

/* A tuple taken apart, and what is to be put back. */
typedef struct Row
{
	Relation	rel;
	const TicketShape *shape;
	HeapTuple	tuple;
	Datum	   *values;			/* of the tuple: looking up each for itself, most of it behind texts, takes as long as all else */
	bool	   *nulls;
	int			changes;
	int			column[COL_COUNT];
	Datum		value[COL_COUNT];
	bool		null[COL_COUNT];
} Row;

static void
take_apart(Row *row, Relation rel, HeapTuple tuple)
{
	TupleDesc	desc = RelationGetDescr(rel);

	row->rel = rel;
	row->shape = ticket_shape(rel);
	row->tuple = tuple;
	row->values = palloc(desc->natts * sizeof(Datum));
	row->nulls = palloc(desc->natts * sizeof(bool));
	heap_deform_tuple(tuple, desc, row->values, row->nulls);
}

static Datum
get(const Row *row, TicketColumn column, bool *null)
{
	int			i = row->shape->attno[column] - 1;

	*null = row->nulls[i];
	return row->values[i];
}

static bool
is_null(const Row *row, TicketColumn column)
{
	return row->nulls[row->shape->attno[column] - 1];
}

static void
put(Row *row, TicketColumn column, Datum value, bool null)
{
	int			i = row->changes++;

	Assert(i < COL_COUNT);
	row->column[i] = row->shape->attno[column];
	row->value[i] = value;
	row->null[i] = null;
}

static bool
differs(const Row *old, const Row *new, TicketColumn column)
{
	bool		old_null,
				new_null;
	Datum		a = get(old, column, &old_null);
	Datum		b = get(new, column, &new_null);

	if (old_null || new_null)
		return old_null != new_null;
	return ticket_value_differs(a, b, TupleDescAttr(RelationGetDescr(new->rel), new->shape->attno[column] - 1));
}

static TicketStatus
status_of(const Row *row)
{
	bool		null;
	Datum		label = get(row, COL_STATUS, &null);

	/* a NULL is for the NOT NULL constraint to refuse */
	return null ? STATUS_OPEN : ticket_status_of(row->shape, DatumGetObjectId(label));
}

static Oid
text_search_config(Datum language, bool null)
{
	static char known_language[LANGUAGE_MAX * 4 + 1];
	static Oid	known_config = InvalidOid;
	static bool known_null;
	char	   *name = null ? "" : TextDatumGetCString(language);
	Oid			argument = TEXTOID;
	Oid			function;
	Oid			config;
	FmgrInfo	flinfo;

	LOCAL_FCINFO(fcinfo, 1);

	if (OidIsValid(known_config) && null == known_null && strcmp(name, known_language) == 0)
		return known_config;
	function = LookupFuncName(list_make2(makeString("triage"), makeString("ts_config")), 1, &argument, false);
	fmgr_info(function, &flinfo);
	InitFunctionCallInfoData(*fcinfo, &flinfo, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = language;
	fcinfo->args[0].isnull = null;
	config = DatumGetObjectId(FunctionCallInvoke(fcinfo));
	/* a name too long to remember is one that the table refuses */
	known_config = strlcpy(known_language, name, sizeof(known_language)) < sizeof(known_language) ? config : InvalidOid;
	known_null = null;
	return config;
}

/* Blank for sure: white space of other scripts is left to the table. */
static bool
is_blank(const char *string)
{
	return string[strspn(string, " \t\n\v\f\r")] == '\0';
}

/*
 * The table says the same, without a hint and with the whole row in its DETAIL, which would take the text to the log.
 */
static void
check_texts(const Row *row)
{
	bool		subject_null,
				description_null;
	Datum		subject = get(row, COL_SUBJECT, &subject_null);
	Datum		description = get(row, COL_DESCRIPTION, &description_null);
	char	   *line;
	size_t		length;

	if (subject_null || description_null)
		return;					/* NOT NULL refuses the row */
	length = toast_raw_datum_size(description) - VARHDRSZ;
	if (length > DESCRIPTION_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("description is too long: %zu bytes", length),
				 errhint("A description holds at most %d bytes; add longer texts as comments.", DESCRIPTION_MAX),
				 errtableconstraint(row->rel, "tickets_description_length")));
	line = TextDatumGetCString(subject);
	length = pg_mbstrlen(line);
	if (length > SUBJECT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("subject is too long: %zu characters", length),
				 errhint("A subject holds at most %d characters; put the rest into the description.", SUBJECT_MAX),
				 errtableconstraint(row->rel, "tickets_subject_length")));
	if (is_blank(line) && is_blank(TextDatumGetCString(description)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a ticket needs a subject or a description"),
				 errhint("Give at least one of them a character that is not white space."),
				 errtableconstraint(row->rel, "tickets_text_not_empty")));
}

/* True where there is something to look at: in an update only what it changes. */
static bool
is_new(const Row *old, const Row *row, TicketColumn column, Datum *value)
{
	bool		null;

	*value = get(row, column, &null);
	return !null && (old == NULL || differs(old, row, column));
}

static void
check_length(const Row *old, const Row *row, TicketColumn column, const char *name, int least, int most, const char *hint)
{
	Datum		value;
	int			length;

	if (!is_new(old, row, column, &value))
		return;
	length = DatumGetInt32(DirectFunctionCall1(textlen, value));
	if (length < least || length > most)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 least > 0 ? errmsg("%s has %d to %d characters, not %d", name, least, most, length) :
				 errmsg("%s has at most %d characters, not %d", name, most, length),
				 errhint("%s", hint),
				 errtableconstraint(row->rel, psprintf("tickets_%s_length", name))));
}

static void
check_tag(const Row *row, Datum tag, bool null)
{
	int			length;

	if (null)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a tag must not be NULL"),
				 errhint("array_remove(tags, NULL) takes the NULLs out."),
				 errtableconstraint(row->rel, "tickets_tags_no_null")));
	length = DatumGetInt32(DirectFunctionCall1(textlen, tag));
	if (length > TAG_MAX || is_blank(TextDatumGetCString(tag)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a tag has 1 to %d characters, not all of them blank", TAG_MAX),
				 errhint("Tags are short labels; longer values belong into custom_fields."),
				 errtableconstraint(row->rel, "tickets_tags_limits")));
}

/* The table's constraints cannot look into an array of arrays, and fail over it with another error. */
static void
check_tags(const Row *old, const Row *row)
{
	Datum		value;
	ArrayType  *tags;
	Datum	   *tag;
	bool	   *nulls;
	int			count;

	if (!is_new(old, row, COL_TAGS, &value))
		return;
	tags = DatumGetArrayTypeP(value);
	if (ARR_NDIM(tags) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("tags must be a one-dimensional array"),
				 errhint("Write them like {vip,refund}, without further braces.")));
	if (ARR_NDIM(tags) == 0)
		return;
	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &tag, &nulls, &count);
	for (int i = 0; i < count; i++)
		check_tag(row, tag[i], nulls[i]);
	if (count > TAGS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("too many tags: %d", count),
				 errhint("A ticket has at most %d tags.", TAGS_MAX),
				 errtableconstraint(row->rel, "tickets_tags_limits")));
}

static void
check_custom_fields(const Row *old, const Row *row)
{
	Datum		fields;

	if (!is_new(old, row, COL_CUSTOM_FIELDS, &fields))
		return;
	if (!JB_ROOT_IS_OBJECT(DatumGetJsonbP(fields)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("custom fields are a JSON object, not %s",
						TextDatumGetCString(DirectFunctionCall1(jsonb_typeof, fields))),
				 errhint("Write them like {\"plan\": \"pro\", \"seats\": 5}."),
				 errtableconstraint(row->rel, "tickets_custom_fields_object")));
	if (toast_datum_size(fields) > CUSTOM_FIELDS_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("custom fields are too large: %zu bytes", (size_t) toast_datum_size(fields)),
				 errhint("A ticket's custom fields hold at most %d bytes together; attach larger values as files.",
						 CUSTOM_FIELDS_MAX),
				 errtableconstraint(row->rel, "tickets_custom_fields_size")));
}

static void
check_details(const Row *old, const Row *row)
{
	check_length(old, row, COL_SOURCE, "source", 1, SOURCE_MAX,
				 "Name the channel, such as 'email', or leave it away for 'api'.");
	check_length(old, row, COL_EXTERNAL_ID, "external_id", 1, EXTERNAL_ID_MAX, "Leave it NULL when the source gives none.");
	check_length(old, row, COL_REQUESTER_EMAIL, "requester_email", 0, EMAIL_MAX, "Give the address alone, without a name.");
	check_length(old, row, COL_LANGUAGE, "language", 0, LANGUAGE_MAX, "Give a language's tag, such as de or pt-BR.");
	check_tags(old, row);
	check_custom_fields(old, row);
}

static void
set_search(Row *row)
{
	bool		null,
				subject_null,
				description_null;
	Datum		language = get(row, COL_LANGUAGE, &null);
	Oid			config = text_search_config(language, null);
	Datum		subject = get(row, COL_SUBJECT, &subject_null);
	Datum		description = get(row, COL_DESCRIPTION, &description_null);

	if (subject_null || description_null)
		return;					/* NOT NULL refuses the row */
	subject = DirectFunctionCall2(tsvector_setweight,
								  DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(config), subject),
								  CharGetDatum('A'));
	if (toast_raw_datum_size(description) > SEARCHED_DESCRIPTION)
		description = DirectFunctionCall2(text_left, description, Int32GetDatum(SEARCHED_DESCRIPTION));
	description = DirectFunctionCall2(tsvector_setweight,
									  DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(config), description),
									  CharGetDatum('B'));
	put(row, COL_SEARCH, DirectFunctionCall2(tsvector_concat, subject, description), false);
}

/* What the status asks of the columns beside it; waiting_since of an open ticket is the comments' business. */
static void
follow_status(Row *row, TicketStatus status, TimestampTz now)
{
	bool		finished = status_is_finished(status);

	if (finished)
	{
		if (is_null(row, COL_RESOLUTION))
			put(row, COL_RESOLUTION, ObjectIdGetDatum(row->shape->resolution_resolved), false);
		if (is_null(row, COL_RESOLVED_AT))
			put(row, COL_RESOLVED_AT, TimestampTzGetDatum(now), false);
		if (!is_null(row, COL_WAITING_SINCE))
			put(row, COL_WAITING_SINCE, (Datum) 0, true);
	}
	else
	{
		if (!is_null(row, COL_RESOLUTION))
			put(row, COL_RESOLUTION, (Datum) 0, true);
		if (!is_null(row, COL_RESOLVED_AT))
			put(row, COL_RESOLVED_AT, (Datum) 0, true);
	}
	if (status == STATUS_CLOSED && is_null(row, COL_CLOSED_AT))
		put(row, COL_CLOSED_AT, TimestampTzGetDatum(now), false);
	else if (status != STATUS_CLOSED && !is_null(row, COL_CLOSED_AT))
		put(row, COL_CLOSED_AT, (Datum) 0, true);
}

/* Taking an open ticket starts the work on it; whether it did where a copy comes from is said there. */
static TicketStatus
take(Row *row, TicketStatus status)
{
	if (triage_syncing || status != STATUS_OPEN || is_null(row, COL_ASSIGNEE_ID))
		return status;
	put(row, COL_STATUS, ObjectIdGetDatum(row->shape->status[STATUS_IN_PROGRESS]), false);
	return STATUS_IN_PROGRESS;
}

static TicketHandler
handler_on(const Row *row)
{
	bool		null;
	Datum		label = get(row, COL_HANDLER, &null);

	/* a NULL is for the NOT NULL constraint to refuse */
	return null ? HANDLER_HUMAN : ticket_handler_of(row->shape, DatumGetObjectId(label));
}

/* Taking a ticket that the AI answers takes the conversation over; tickets_log.c puts that on record. */
static void
follow_assignee(Row *row)
{
	TicketHandler asked_for = handler_on(row);
	TicketHandler handler = handler_of(asked_for, !is_null(row, COL_ASSIGNEE_ID));

	if (handler != asked_for)
		put(row, COL_HANDLER, ObjectIdGetDatum(row->shape->handler[handler]), false);
}

static void
check_handler(const Row *old, const Row *row)
{
	bool		null;
	int64		id = DatumGetInt64(get(old, COL_ID, &null));
	TicketHandler from = handler_on(old);
	TicketHandler to = handler_on(row);

	if (handler_may_follow(from, to, ticket_handed_over == id))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("the handler of ticket %lld cannot be set from %s to %s",
					(long long) id, handler_name(from), handler_name(to)),
			 errhint("Hand the conversation over with triage.escalate_ticket() or triage.hand_back_to_ai().")));
}

/* A resolution that would be cleared at once is a mistake to be told, not to be swallowed. */
static void
check_resolution(const Row *old, const Row *row, TicketStatus status)
{
	if (status_is_finished(status) || is_null(row, COL_RESOLUTION) || (old && !differs(old, row, COL_RESOLUTION)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("a ticket that is %s has no resolution", status_name(status)),
			 errhint("Resolve or close it: set its status too, or call triage.resolve_ticket() or triage.close_ticket().")));
}

/* The table says the same, without a hint: 0 is how a job and what becomes of it say that they are about no ticket. */
static void
check_id(const Row *row)
{
	bool		null;
	int64		id = DatumGetInt64(get(row, COL_ID, &null));

	if (null || id != 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("a ticket cannot have the id 0"),
			 errhint("Leave it out, or number tickets from 1."),
			 errtableconstraint(row->rel, "tickets_id_not_zero")));
}

/* It counts the ticket's changes, for whoever asks whether it is still the one that he saw. */
static void
check_version(const Row *row)
{
	bool		null;
	int			version = DatumGetInt32(get(row, COL_VERSION, &null));

	if (null || version >= 1)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("the version of a ticket must be at least 1, not %d", version),
			 errhint("Leave it out: a new ticket has version 1, and each change counts it up.")));
}

static void
count_version(const Row *old, Row *row)
{
	bool		null;
	int			version = DatumGetInt32(get(old, COL_VERSION, &null));

	put(row, COL_VERSION, Int32GetDatum(null || version == PG_INT32_MAX ? 1 : version + 1), false);
}

static void
before_insert(Row *row, TimestampTz now)
{
	TicketStatus status = take(row, status_of(row));
	bool		null;
	Datum		value;

	check_id(row);
	check_texts(row);
	check_details(NULL, row);
	check_version(row);
	follow_assignee(row);
	check_resolution(NULL, row, status);
	follow_status(row, status, now);
	/* of a copy that is said to wait for the customer, or for others, nobody knows better yet */
	if (!status_is_finished(status) && is_null(row, COL_WAITING_SINCE) &&
		!(triage_syncing && (status == STATUS_PENDING || status == STATUS_ON_HOLD)))
	{
		value = get(row, COL_CREATED_AT, &null);
		put(row, COL_WAITING_SINCE, value, null);
	}
	if (!ticket_result_is_written)
	{
		if (!is_null(row, COL_CATEGORY))
			put(row, COL_CATEGORY_IS_MANUAL, BoolGetDatum(true), false);
		value = get(row, COL_PRIORITY, &null);
		if (!null && DatumGetObjectId(value) != row->shape->priority_medium)
			put(row, COL_PRIORITY_IS_MANUAL, BoolGetDatum(true), false);
	}
	set_search(row);
}

/* A person's choice of label sticks: the model does not overwrite it.  A flag set by hand is left as it was set. */
static void
mark_manual(const Row *old, Row *row, TicketColumn label, TicketColumn flag)
{
	if (differs(old, row, label) && !differs(old, row, flag) && !ticket_result_is_written)
		put(row, flag, BoolGetDatum(true), false);
}

static void
check_transition(const Row *old, TicketStatus from, TicketStatus to)
{
	bool		null;

	/* a copy follows its original */
	if (triage_syncing || status_may_follow(from, to))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("ticket %lld cannot go from %s to %s",
					(long long) DatumGetInt64(get(old, COL_ID, &null)), status_name(from), status_name(to)),
			 from == STATUS_CLOSED ?
			 errhint("Closed is final; create a new ticket to follow up.") :
			 errhint("Move the ticket to in_progress first.")));
}

static void
before_update(const Row *old, Row *row, TimestampTz now)
{
	TicketStatus from = status_of(old);
	TicketStatus status = status_of(row);
	bool		null;
	Datum		value;

	check_transition(old, from, status);
	check_handler(old, row);
	follow_assignee(row);
	if (differs(old, row, COL_ASSIGNEE_ID))
		status = take(row, status);
	check_resolution(old, row, status);
	follow_status(row, status, now);
	check_details(old, row);
	mark_manual(old, row, COL_CATEGORY, COL_CATEGORY_IS_MANUAL);
	mark_manual(old, row, COL_PRIORITY, COL_PRIORITY_IS_MANUAL);
	if (differs(old, row, COL_SUBJECT) || differs(old, row, COL_DESCRIPTION) || differs(old, row, COL_LANGUAGE))
	{
		check_texts(row);
		set_search(row);
	}
	else if (differs(old, row, COL_SEARCH))
	{
		value = get(old, COL_SEARCH, &null);
		put(row, COL_SEARCH, value, null);
	}
	count_version(old, row);
	if (!triage_syncing)
		put(row, COL_UPDATED_AT, TimestampTzGetDatum(now), false);
}

Datum
triage_tickets_before(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Row			row = {0};
	Row			old = {0};

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) || !TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be fired BEFORE, FOR EACH ROW", "tickets_before")));
	if (TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))
	{
		take_apart(&old, trigger->tg_relation, trigger->tg_trigtuple);
		take_apart(&row, trigger->tg_relation, trigger->tg_newtuple);
		before_update(&old, &row, GetCurrentTimestamp());
	}
	else
	{
		take_apart(&row, trigger->tg_relation, trigger->tg_trigtuple);
		before_insert(&row, GetCurrentTimestamp());
	}
	if (row.changes == 0)
		return PointerGetDatum(row.tuple);
	return PointerGetDatum(heap_modify_tuple_by_cols(row.tuple, RelationGetDescr(row.rel), row.changes,
													 row.column, row.value, row.null));
}
