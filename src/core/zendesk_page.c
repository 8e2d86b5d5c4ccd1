/*
 * zendesk_page.c
 *	  A page as Zendesk writes it -> a page in our own words.
 *
 * Tolerant of what it does not know, strict on what is needed: an array of tickets or comments, the place to go on from,
 * and of each row an id, its times and what it is.  A row that lacks that is left out and named under "skipped"; when
 * every row lacks a field, or ten rows and more cannot be read and none can, the page is not what it was when this was
 * written, and nothing of it is taken.  Ids become text whether they were numbers or strings, times seconds since 1970,
 * and every text valid UTF-8 without NUL, for the database takes no other.
 */
#include "core/zendesk.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/json_read.h"
#include "core/reason.h"

#define ID_SIZE 24
/* 9999-12-31: the last second that a timestamp of four digits can be */
#define EPOCH_MAX INT64_C(253402300799)
/* So many unreadable rows are no accident. */
#define UNREADABLE_ROWS 10
/* A longer one has no place in a URL. */
#define CURSOR_MAX 8000
/* Named in the page; of the rest only their number. */
#define SKIPPED_NAMED 20

/* What is being read. */
typedef struct Reading
{
	const ZendeskAsk *ask;
	ZendeskResult *result;
	Buf		   *out;
	Buf			skipped;		/* the elements of a JSON array */
	const char *what;			/* "ticket", ... */
	bool		value_fault;	/* some row had a field whose value was no good */
	char		first_fault[200];
} Reading;

static Ending
ending_of(Reading *reading)
{
	return (Ending) {&reading->result->outcome, reading->result->reason};
}

static void
put_text(Buf *out, Text text)
{
	char	   *copy;

	if (text.len == 0 || memchr(text.data, '\0', text.len) == NULL)
	{
		buf_json(out, text.data, text.len);
		return;
	}
	copy = malloc(text.len);
	if (copy == NULL)
	{
		out->failed = true;
		return;
	}
	/* a byte that belongs to no character becomes U+FFFD, as all such do */
	for (size_t i = 0; i < text.len; i++)
		copy[i] = text.data[i] != '\0' ? text.data[i] : (char) 0xFF;
	buf_json(out, copy, text.len);
	free(copy);
}

static void
put_text_or_null(Buf *out, json_object *value)
{
	if (json_is_text(value))
		put_text(out, json_text_of(value));
	else
		buf_puts(out, "null");
}

static bool put_value(Buf *out, json_object *value);

static bool
put_array(Buf *out, json_object *array)
{
	buf_puts(out, "[");
	for (size_t i = 0; i < json_object_array_length(array); i++)
	{
		if (i > 0)
			buf_puts(out, ",");
		put_value(out, json_object_array_get_idx(array, i));
	}
	return buf_puts(out, "]");
}

static bool
put_object(Buf *out, json_object *object)
{
	const char *separator = "";

	buf_puts(out, "{");
	json_object_object_foreach(object, key, value)
	{
		buf_puts(out, separator);
		put_text(out, (Text) {key, strlen(key)});
		buf_puts(out, ":");
		put_value(out, value);
		separator = ",";
	}
	return buf_puts(out, "}");
}

/* Whatever it is; a number that no database holds is null. */
static bool
put_value(Buf *out, json_object *value)
{
	double		number;

	switch (json_object_get_type(value))
	{
		case json_type_string:
			put_text(out, json_text_of(value));
			return !out->failed;
		case json_type_array:
			return put_array(out, value);
		case json_type_object:
			return put_object(out, value);
		case json_type_boolean:
			return buf_puts(out, json_object_get_boolean(value) ? "true" : "false");
		case json_type_int:
			return buf_printf(out, "%" PRId64, json_object_get_int64(value));
		case json_type_double:
			number = json_object_get_double(value);
			return isfinite(number) ? buf_printf(out, "%.17g", number) : buf_puts(out, "null");
		default:
			return buf_puts(out, "null");
	}
}

/* Digits, maybe with a sign (-1 is Zendesk's own user), spelled in one way only. */
static bool
id_from_text(Text text, char *id)
{
	size_t		sign = text.len > 0 && text.data[0] == '-';
	size_t		digits = text.len - sign;

	if (digits == 0 || text.len >= ID_SIZE || (digits > 1 && text.data[sign] == '0'))
		return false;
	for (size_t i = sign; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	memcpy(id, text.data, text.len);
	id[text.len] = '\0';
	return true;
}

static bool
id_of(json_object *value, char *id)
{
	int64_t		number;

	if (json_is_text(value))
		return id_from_text(json_text_of(value), id);
	if (!json_object_is_type(value, json_type_int))
		return false;
	number = json_object_get_int64(value);
	/* what it makes of a larger one */
	if (number == INT64_MAX || number == INT64_MIN)
		return false;
	snprintf(id, ID_SIZE, "%" PRId64, number);
	return true;
}

static void
put_id_or_null(Buf *out, json_object *value)
{
	char		id[ID_SIZE];

	if (id_of(value, id))
		buf_printf(out, "\"%s\"", id);
	else
		buf_puts(out, "null");
}

/* RFC 3339. */
static bool
time_of(json_object *value, int64_t *epoch)
{
	Text		text;
	int64_t		epoch_ms;

	if (!json_is_text(value))
		return false;
	text = json_text_of(value);
	if (text.len < 10 || strlen(text.data) != text.len || text.data[0] < '0' || text.data[0] > '9' ||
		!hint_time(text.data, &epoch_ms) || epoch_ms < 0)
		return false;
	*epoch = epoch_ms / 1000;
	return *epoch <= EPOCH_MAX;
}

/* Seconds, as a number or as digits. */
static bool
seconds_of(json_object *value, int64_t *epoch)
{
	char		id[ID_SIZE];

	if (!id_of(value, id))
		return false;
	*epoch = strtoll(id, NULL, 10);
	return *epoch >= 0 && *epoch <= EPOCH_MAX;
}

static bool
is_one_of(json_object *value, const char *const *words)
{
	if (!json_is_text(value))
		return false;
	for (; *words != NULL; words++)
		if (strlen(*words) == json_text_of(value).len && strcmp(json_object_get_string(value), *words) == 0)
			return true;
	return false;
}

static void
put_word_or_null(Buf *out, json_object *value, const char *const *words)
{
	if (is_one_of(value, words))
		put_text(out, json_text_of(value));
	else
		buf_puts(out, "null");
}

/* Names what is left out; always false. */
static bool __attribute__((format(printf, 4, 5)))
skip(Reading *reading, size_t position, json_object *row, const char *format, ...)
{
	char		fault[120];
	char		line[200];
	char		id[ID_SIZE];
	va_list		args;
	int			used;

	va_start(args, format);
	vsnprintf(fault, sizeof(fault), format, args);
	va_end(args);
	if (id_of(json_member(row, "id"), id))
		used = snprintf(line, sizeof(line), "%s %s: %s", reading->what, id, fault);
	else
		used = snprintf(line, sizeof(line), "%s at place %zu: %s", reading->what, position + 1, fault);
	if (reading->first_fault[0] == '\0')
		memcpy(reading->first_fault, line, sizeof(line));
	if (reading->result->skipped < SKIPPED_NAMED)
	{
		buf_puts(&reading->skipped, reading->skipped.len > 0 ? "," : "");
		buf_json(&reading->skipped, line, (size_t) used);
	}
	reading->result->skipped++;
	return false;
}

/* Has the row the field?  Without it the page is of another make than it should be. */
static bool
require(Reading *reading, size_t position, json_object *row, const char *key)
{
	if (json_object_is_type(row, json_type_object) && json_object_object_get_ex(row, key, NULL))
		return true;
	return skip(reading, position, row, "it has no %s", key);
}

static bool
refuse(Reading *reading, size_t position, json_object *row, const char *key, const char *what)
{
	reading->value_fault = true;
	return skip(reading, position, row, "%s is not %s", key, what);
}

static bool
read_id(Reading *reading, size_t position, json_object *row, char *id)
{
	if (!require(reading, position, row, "id"))
		return false;
	return id_of(json_member(row, "id"), id) || refuse(reading, position, row, "id", "an id");
}

static bool
read_time(Reading *reading, size_t position, json_object *row, const char *key, int64_t *epoch)
{
	if (!require(reading, position, row, key))
		return false;
	return time_of(json_member(row, key), epoch) || refuse(reading, position, row, key, "a time");
}

static void
put_tags(Buf *out, json_object *tags)
{
	const char *separator = "";

	buf_puts(out, "[");
	for (size_t i = 0; json_object_is_type(tags, json_type_array) && i < json_object_array_length(tags); i++)
	{
		json_object *tag = json_object_array_get_idx(tags, i);

		if (!json_is_text(tag))
			continue;
		buf_puts(out, separator);
		put_text(out, json_text_of(tag));
		separator = ",";
	}
	buf_puts(out, "]");
}

/* [{"id": n, "value": v}] -> {"n": v}; most are null and say nothing. */
static void
put_custom_fields(Buf *out, json_object *fields)
{
	const char *separator = "";

	buf_puts(out, "{");
	for (size_t i = 0; json_object_is_type(fields, json_type_array) && i < json_object_array_length(fields); i++)
	{
		json_object *field = json_object_array_get_idx(fields, i);
		json_object *value = json_member(field, "value");
		char		id[ID_SIZE];

		if (value == NULL || !id_of(json_member(field, "id"), id))
			continue;
		buf_printf(out, "%s\"%s\":", separator, id);
		put_value(out, value);
		separator = ",";
	}
	buf_puts(out, "}");
}

typedef struct Ticket
{
	char		id[ID_SIZE];
	int64_t		created;
	int64_t		updated;
	int64_t		generated;
	bool		deleted;
} Ticket;

static bool
read_ticket(Reading *reading, size_t position, json_object *row, Ticket *ticket)
{
	static const char *const statuses[] = {"new", "open", "pending", "hold", "solved", "closed", "deleted", NULL};
	json_object *status = json_member(row, "status");

	if (!read_id(reading, position, row, ticket->id) || !require(reading, position, row, "status"))
		return false;
	if (ticket->id[0] == '-' || strcmp(ticket->id, "0") == 0)
		return refuse(reading, position, row, "id", "a ticket's");
	if (!is_one_of(status, statuses))
		return refuse(reading, position, row, "status", "one that is known");
	ticket->deleted = strcmp(json_object_get_string(status), "deleted") == 0;
	if (!read_time(reading, position, row, "updated_at", &ticket->updated))
		return false;
	/* of a deleted ticket only the fact is needed */
	if (ticket->deleted && !time_of(json_member(row, "created_at"), &ticket->created))
		ticket->created = ticket->updated;
	else if (!read_time(reading, position, row, "created_at", &ticket->created))
		return false;
	if (!seconds_of(json_member(row, "generated_timestamp"), &ticket->generated))
		ticket->generated = ticket->updated;
	return true;
}

static void
put_ticket(Buf *out, const Ticket *ticket, json_object *row)
{
	static const char *const priorities[] = {"urgent", "high", "normal", "low", NULL};
	static const char *const types[] = {"problem", "incident", "question", "task", NULL};
	static const char *const people[] = {"requester_id", "submitter_id", "assignee_id", "organization_id"};
	json_object *fields = json_member(row, "custom_fields");

	buf_printf(out, "{\"id\":\"%s\",\"created_at\":%" PRId64 ",\"updated_at\":%" PRId64 ",\"generated_at\":%" PRId64 ",\"status\":",
			   ticket->id, ticket->created, ticket->updated, ticket->generated);
	put_text_or_null(out, json_member(row, "status"));
	if (ticket->deleted)
		buf_puts(out, ",\"deleted\":true");
	buf_puts(out, ",\"subject\":");
	put_text_or_null(out, json_member(row, "subject"));
	buf_puts(out, ",\"description\":");
	put_text_or_null(out, json_member(row, "description"));
	buf_puts(out, ",\"priority\":");
	put_word_or_null(out, json_member(row, "priority"), priorities);
	buf_puts(out, ",\"type\":");
	put_word_or_null(out, json_member(row, "type"), types);
	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++)
	{
		buf_printf(out, ",\"%s\":", people[i]);
		put_id_or_null(out, json_member(row, people[i]));
	}
	buf_puts(out, ",\"tags\":");
	put_tags(out, json_member(row, "tags"));
	buf_puts(out, ",\"custom_fields\":");
	put_custom_fields(out, fields != NULL ? fields : json_member(row, "fields"));
	buf_puts(out, ",\"channel\":");
	put_text_or_null(out, json_member(json_member(row, "via"), "channel"));
	buf_puts(out, "}");
}

static bool
add_ticket(Reading *reading, size_t position, json_object *row)
{
	Ticket		ticket;

	if (!read_ticket(reading, position, row, &ticket))
		return false;
	buf_puts(reading->out, reading->result->rows > 0 ? "," : "");
	put_ticket(reading->out, &ticket, row);
	return true;
}

static void
put_attachments(Buf *out, json_object *attachments)
{
	const char *separator = "";

	buf_puts(out, "[");
	for (size_t i = 0; json_object_is_type(attachments, json_type_array) && i < json_object_array_length(attachments); i++)
	{
		json_object *row = json_object_array_get_idx(attachments, i);
		json_object *size = json_member(row, "size");

		if (!json_is_text(json_member(row, "file_name")) || !json_is_text(json_member(row, "content_url")))
			continue;
		buf_printf(out, "%s{\"file_name\":", separator);
		put_text(out, json_text_of(json_member(row, "file_name")));
		buf_puts(out, ",\"content_url\":");
		put_text(out, json_text_of(json_member(row, "content_url")));
		buf_puts(out, ",\"content_type\":");
		put_text_or_null(out, json_member(row, "content_type"));
		buf_puts(out, ",\"size\":");
		put_value(out, json_object_is_type(size, json_type_int) && json_object_get_int64(size) >= 0 ? size : NULL);
		buf_puts(out, "}");
		separator = ",";
	}
	buf_puts(out, "]");
}

static bool
add_comment(Reading *reading, size_t position, json_object *row)
{
	Buf		   *out = reading->out;
	json_object *is_public = json_member(row, "public");
	json_object *body = json_member(row, "body");
	char		id[ID_SIZE];
	int64_t		created;

	if (!read_id(reading, position, row, id) || !read_time(reading, position, row, "created_at", &created) ||
		!require(reading, position, row, "public") || !require(reading, position, row, "body"))
		return false;
	/* a guess could show the customer what was written for agents */
	if (!json_object_is_type(is_public, json_type_boolean))
		return refuse(reading, position, row, "public", "true or false");
	if (!json_is_text(body))
		body = json_member(row, "plain_body");
	if (!json_is_text(body))
		return refuse(reading, position, row, "body", "text");
	buf_printf(out, "%s{\"id\":\"%s\",\"created_at\":%" PRId64 ",\"public\":%s,\"author_id\":", reading->result->rows > 0 ? "," : "",
			   id, created, json_object_get_boolean(is_public) ? "true" : "false");
	put_id_or_null(out, json_member(row, "author_id"));
	buf_puts(out, ",\"body\":");
	put_text(out, json_text_of(body));
	buf_puts(out, ",\"channel\":");
	put_text_or_null(out, json_member(json_member(row, "via"), "channel"));
	buf_puts(out, ",\"attachments\":");
	put_attachments(out, json_member(row, "attachments"));
	buf_puts(out, "}");
	return true;
}

static void
put_user(Buf *out, json_object *row)
{
	static const char *const roles[] = {"end-user", "agent", "admin", NULL};

	buf_puts(out, ",\"email\":");
	put_text_or_null(out, json_member(row, "email"));
	/* whoever is not known to be more is a customer */
	buf_puts(out, ",\"role\":");
	if (is_one_of(json_member(row, "role"), roles))
		put_text(out, json_text_of(json_member(row, "role")));
	else
		buf_puts(out, "\"end-user\"");
	buf_puts(out, ",\"organization_id\":");
	put_id_or_null(out, json_member(row, "organization_id"));
}

/* Users or organizations beside the rows; one that cannot be read is no reason to lose the page.  put: what it has but a name. */
static void
put_beside(Reading *reading, const char *what, json_object *rows, void (*put) (Buf *out, json_object *row))
{
	Buf		   *out = reading->out;
	const char *separator = "";

	reading->what = what;
	buf_printf(out, ",\"%ss\":[", what);
	for (size_t i = 0; json_object_is_type(rows, json_type_array) && i < json_object_array_length(rows); i++)
	{
		json_object *row = json_object_array_get_idx(rows, i);
		char		id[ID_SIZE];

		if (!read_id(reading, i, row, id))
			continue;
		buf_printf(out, "%s{\"id\":\"%s\",\"name\":", separator, id);
		put_text_or_null(out, json_member(row, "name"));
		if (put != NULL)
			put(out, row);
		buf_puts(out, "}");
		separator = ",";
	}
	buf_puts(out, "]");
}

/* A field that no ticket has any more would otherwise look like tickets without a text. */
static bool
check_expected(Reading *reading, json_object *rows)
{
	static const char *const expected[] = {"subject", "description", "requester_id"};
	size_t		count = json_object_array_length(rows);

	for (size_t k = 0; k < sizeof(expected) / sizeof(expected[0]); k++)
	{
		size_t		live = 0;
		size_t		lacking = 0;

		for (size_t i = 0; i < count; i++)
		{
			json_object *row = json_object_array_get_idx(rows, i);
			json_object *status = json_member(row, "status");

			if (!json_object_is_type(row, json_type_object) ||
				(json_is_text(status) && strcmp(json_object_get_string(status), "deleted") == 0))
				continue;
			live++;
			lacking += !json_object_object_get_ex(row, expected[k], NULL);
		}
		if (live > 0 && lacking == live)
			return json_end(ending_of(reading), OUTCOME_UNUSABLE_ANSWER,
							"no ticket of the page has a field \"%s\": the schema has changed", expected[k]);
	}
	return true;
}

/* rows from first on; false when the page is not what it should be. */
static bool
add_rows(Reading *reading, json_object *rows, size_t first, bool (*add) (Reading *, size_t, json_object *))
{
	size_t		count = json_object_array_length(rows);

	for (size_t i = first; i < count && !reading->out->failed; i++)
		if (add(reading, i, json_object_array_get_idx(rows, i)))
			reading->result->rows++;
	if (count <= first || reading->result->rows > 0 || reading->out->failed ||
		(reading->value_fault && count - first < UNREADABLE_ROWS))
		return true;
	return json_end(ending_of(reading), OUTCOME_UNUSABLE_ANSWER, "none of the page's %zu %ss can be used (%s): the schema has changed",
					count - first, reading->what, reading->first_fault);
}

/* The array that the page is about. */
static bool
find_rows(Reading *reading, json_object *page, const char *key, json_object **rows)
{
	*rows = json_member(page, key);
	if (json_object_is_type(*rows, json_type_array))
		return true;
	return json_end(ending_of(reading), OUTCOME_UNUSABLE_ANSWER, "the page has no array \"%s\": the schema has changed", key);
}

/* Where to go on, as text or NULL; a cursor that does not move on is none. */
static bool
find_cursor(Reading *reading, json_object *holder, const char *name, json_object **cursor)
{
	const char *asked = reading->ask->cursor;
	Text		text;

	*cursor = json_member(holder, "after_cursor");
	if (!json_object_is_type(holder, json_type_object) || !json_object_object_get_ex(holder, "after_cursor", NULL))
		return json_end(ending_of(reading), OUTCOME_UNUSABLE_ANSWER, "the page has no \"%s\": the schema has changed", name);
	if (*cursor != NULL && !json_is_text(*cursor))
		return json_end(ending_of(reading), OUTCOME_UNUSABLE_ANSWER, "\"%s\" is not text: the schema has changed", name);
	if (*cursor == NULL)
		return true;
	text = json_text_of(*cursor);
	if (text.len > CURSOR_MAX)
		return json_end(ending_of(reading), OUTCOME_UNUSABLE_ANSWER, "\"%s\" has more than %d bytes", name, CURSOR_MAX);
	if (text.len == 0 || (asked != NULL && strcmp(text.data, asked) == 0))
		*cursor = NULL;
	return true;
}

static bool
find_flag(Reading *reading, json_object *holder, const char *key, const char *name, bool *flag)
{
	json_object *value = json_member(holder, key);

	if (!json_object_is_type(value, json_type_boolean))
		return json_end(ending_of(reading), OUTCOME_UNUSABLE_ANSWER, "the page has no \"%s\": the schema has changed", name);
	*flag = json_object_get_boolean(value);
	return true;
}

static bool
read_tickets(Reading *reading, json_object *page)
{
	json_object *rows;
	json_object *cursor;
	bool		end;

	reading->what = "ticket";
	if (!find_rows(reading, page, "tickets", &rows) || !find_cursor(reading, page, "after_cursor", &cursor) ||
		!find_flag(reading, page, "end_of_stream", "end_of_stream", &end) || !check_expected(reading, rows))
		return false;
	buf_puts(reading->out, "{\"tickets\":[");
	if (!add_rows(reading, rows, 0, add_ticket))
		return false;
	buf_puts(reading->out, "]");
	put_beside(reading, "user", json_member(page, "users"), put_user);
	put_beside(reading, "organization", json_member(page, "organizations"), NULL);
	buf_puts(reading->out, ",\"after_cursor\":");
	put_text_or_null(reading->out, cursor);
	buf_printf(reading->out, ",\"end_of_stream\":%s", end || cursor == NULL ? "true" : "false");
	return true;
}

/* The first comment of the first page is the ticket's description. */
static bool
read_comments(Reading *reading, json_object *page)
{
	bool		first_page = reading->ask->cursor == NULL || reading->ask->cursor[0] == '\0';
	json_object *rows;
	json_object *cursor = NULL;
	bool		more;

	reading->what = "comment";
	if (!find_rows(reading, page, "comments", &rows) ||
		!find_flag(reading, json_member(page, "meta"), "has_more", "meta.has_more", &more))
		return false;
	if (more && !find_cursor(reading, json_member(page, "meta"), "meta.after_cursor", &cursor))
		return false;
	buf_puts(reading->out, "{\"comments\":[");
	if (!add_rows(reading, rows, first_page ? 1 : 0, add_comment))
		return false;
	buf_puts(reading->out, "]");
	put_beside(reading, "user", json_member(page, "users"), put_user);
	buf_puts(reading->out, ",\"after_cursor\":");
	put_text_or_null(reading->out, cursor);
	buf_printf(reading->out, ",\"has_more\":%s", cursor != NULL ? "true" : "false");
	return true;
}

static void
put_skipped(Reading *reading)
{
	int			unnamed = reading->result->skipped - SKIPPED_NAMED;

	if (reading->result->skipped == 0)
		return;
	if (unnamed > 0)
		buf_printf(&reading->skipped, ",\"%d more\"", unnamed);
	buf_puts(reading->out, ",\"skipped\":[");
	buf_add(reading->out, reading->skipped.data, reading->skipped.len);
	buf_puts(reading->out, "]");
}

void
zendesk_describe(const char *body, size_t len, char *reason)
{
	RunOutcome	ignored;
	char		unread[REASON_MAX] = "";
	char		line[REASON_MAX];
	json_object *error = json_parse_object_unclean(body, len, "error", (Ending) {&ignored, unread});
	json_object *description = json_member(error, "description");

	if (json_is_text(json_member(error, "error")) && json_is_text(description) && reason_append(reason, ": ", 2))
	{
		Text		text = json_text_of(description);

		reason_clean(line, sizeof(line), text.data, text.len);
		reason_append_redacted(reason, line);
	}
	json_object_put(error);
}

void
zendesk_page(const char *body, size_t len, const ZendeskAsk *ask, int64_t wait_ms, ZendeskResult *result)
{
	Reading		reading = {.ask = ask,.result = result,.out = &result->page};
	json_object *page;
	bool		read;

	result->too_heavy = json_weight(body, len) > ZENDESK_WEIGHT_MAX;
	if (result->too_heavy)
	{
		json_end(ending_of(&reading), OUTCOME_UNUSABLE_ANSWER, "the page would take more than %zu bytes of memory to read",
				 ZENDESK_WEIGHT_MAX);
		return;
	}
	page = json_parse_object_unclean(body, len, "page", ending_of(&reading));
	if (page == NULL)
		return;
	buf_init(&reading.skipped, 65536);
	read = ask->stream == ZENDESK_TICKETS ? read_tickets(&reading, page) : read_comments(&reading, page);
	if (read)
	{
		put_skipped(&reading);
		if (wait_ms > 0)
			buf_printf(reading.out, ",\"wait_ms\":%" PRId64, wait_ms);
		buf_puts(reading.out, "}");
		result->too_heavy = reading.out->failed || reading.skipped.failed;
		if (result->too_heavy)
			read = json_end(ending_of(&reading), OUTCOME_TRANSIENT, "out of memory while reading the page");
	}
	if (!read)
		buf_free(&result->page);
	buf_free(&reading.skipped);
	json_object_put(page);
}
