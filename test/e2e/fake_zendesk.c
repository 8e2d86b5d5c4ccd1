/*
 * fake_zendesk.c
 *	  Zendesk's published contract without Zendesk: for tests and benchmarks, on the loopback interface.
 *
 * Serves the incremental export of tickets by cursor, with users and organizations beside them, and the comments of a
 * ticket page by page; checks who asks, counts how often, and refuses as Zendesk does.  What a ticket is follows from its
 * number and its version alone, so thousands cost nothing, and GET /truth says of each what a copy of it must hold.
 *
 * Vocabulary: event = a version of a ticket and when it was generated; the export is the events in that order, and a
 * cursor a place in it.  fault = what becomes of the next requests instead of an answer.  The settings (POST /config) and
 * faults (POST /fault) are listed in usage().
 *
 * A thread a connection and one lock: nobody measures this program but by the thousand tickets.
 *
 *	  cc -std=c11 -D_GNU_SOURCE -O2 -pthread -o fake_zendesk fake_zendesk.c
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FIRST_TICKET 1001
#define REQUESTERS 500
#define FIRST_REQUESTER 90001
#define AGENTS 6				/* the last is an admin */
#define FIRST_AGENT 801
#define ORGANIZATIONS 50
#define FIRST_ORGANIZATION 701
#define MAX_FAULTS 64
#define MAX_HEAD 16384
#define WITHHELD_SECONDS 60
#define GZIP_BLOCK 65535

typedef struct Text
{
	char	   *data;
	size_t		len;
	size_t		size;
} Text;

typedef struct Ticket
{
	int			version;
	bool		deleted;
	int			comments;		/* the description included */
	int64_t		updated;
} Ticket;

typedef struct Event
{
	int64_t		generated;
	int			ticket;
	int			version;
	int64_t		updated;
	bool		deleted;
} Event;

typedef struct Fault
{
	char		stream[16];		/* tickets, comments, any */
	int			after;			/* so many requests pass first */
	int			times;
	int			status;			/* 200: the answer is spoiled, not replaced */
	char		retry_after[32];
	char		answer[32];		/* echo, hang, cut, reset, garbage, notjson, truncated, html, expired, huge, heavy or the name of a schema change */
	char		body[256];
} Fault;

typedef struct LogLine
{
	int64_t		at_us;
	char		stream[16];
	char		what[160];		/* start_time=..., cursor=..., ticket 5 ... */
	char		auth[16];
	int			status;
} LogLine;

typedef struct Settings
{
	int			tickets;
	int			comments;		/* of a ticket: its number modulo this, plus the description */
	int			description_bytes;
	long		step;			/* seconds between the first versions of two tickets */
	long		age;			/* of the newest of them */
	char		basic[200];		/* email/token:SECRET; "": anybody may ask */
	char		bearer[200];
	bool		forbidden;
	int			per_minute;		/* of the export */
	int			account_per_minute;
	long		window_ms;		/* what counts as a minute */
	char		no_retry_after[8];
	long		clock_offset;	/* this clock minus the true one, seconds */
	long		latency_ms;
	int			overlap;		/* events that a page repeats of the one before */
	char		schema[32];		/* a change that every answer shows */
	char		end[16];		/* null: the last cursor is null; never: end_of_stream stays false */
	int			bad_ticket;		/* its created_at cannot be read */
	int			max_page;		/* more than per_page says it does not give */
	bool		gzip;
} Settings;

static struct
{
	pthread_mutex_t lock;
	Settings	settings;
	Ticket	   *tickets;
	Event	   *events;
	size_t		event_count;
	size_t		event_size;
	Fault		faults[MAX_FAULTS];
	int			fault_count;
	LogLine    *log;
	size_t		log_count;
	size_t		log_size;
	int64_t		started_us;
	long		connections;
}			fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Memory: a test tool may die of its lack. */
static void *
must(void *memory)
{
	if (memory == NULL)
	{
		fputs("fake_zendesk: out of memory\n", stderr);
		exit(1);
	}
	return memory;
}

static void
text_reserve(Text *text, size_t more)
{
	size_t		need = text->len + more + 1;

	if (need <= text->size)
		return;
	text->size = text->size > 0 ? text->size : 4096;
	while (text->size < need)
		text->size *= 2;
	text->data = must(realloc(text->data, text->size));
}

static void
text_add(Text *text, const char *data, size_t len)
{
	text_reserve(text, len);
	memcpy(text->data + text->len, data, len);
	text->len += len;
	text->data[text->len] = '\0';
}

static void
text_puts(Text *text, const char *data)
{
	text_add(text, data, strlen(data));
}

static void __attribute__((format(printf, 2, 3)))
text_printf(Text *text, const char *format, ...)
{
	va_list		args;
	char		line[4096];
	int			len;

	va_start(args, format);
	len = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	text_add(text, line, (size_t) len < sizeof(line) ? (size_t) len : sizeof(line) - 1);
}

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
fake_now(void)
{
	return (int64_t) time(NULL) + fake.settings.clock_offset;
}

/* What tickets are ------------------------------------------------------------------------------------------------ */

static int
requester_of(int i)
{
	return FIRST_REQUESTER + i % REQUESTERS;
}

static int
organization_of(int requester)
{
	return requester % 5 == 0 ? 0 : FIRST_ORGANIZATION + requester % ORGANIZATIONS;
}

static const char *
status_of(const Event *event)
{
	static const char *const statuses[] = {"new", "open", "pending", "hold", "solved", "closed"};

	return event->deleted ? "deleted" : statuses[(event->ticket + event->version) % 6];
}

static const char *
priority_of(int ticket, int version)
{
	static const char *const priorities[] = {"null", "\"low\"", "\"normal\"", "\"high\"", "\"urgent\""};

	return priorities[(ticket + version) % 5];
}

/* truth: as a copy must hold it; else as it is sent. */
static void
put_subject(Text *out, int ticket, int version, bool truth)
{
	text_printf(out, "Ticket %d, version %d", FIRST_TICKET + ticket, version);
	if (ticket % 97 == 0)
		text_puts(out, truth ? " \xEF\xBF\xBD \\\"quoted\\\" \xF0\x9F\x98\x80 caf\xC3\xA9" : " \\u0000 \\\"quoted\\\" \\ud83d\\ude00 caf\\u00e9");
}

static void
put_description(Text *out, int ticket)
{
	static const char words[] = "The export of the monthly report does not end and the page stays white. ";
	size_t		bytes = (size_t) fake.settings.description_bytes;

	text_printf(out, "Description of TOKEN-%d. ", FIRST_TICKET + ticket);
	for (size_t done = 0; done < bytes; done += sizeof(words) - 1)
		text_add(out, words, sizeof(words) - 1);
	text_puts(out, "End.");
}

static const char *
format_time(char *out, size_t size, int64_t epoch)
{
	time_t		at = (time_t) epoch;
	struct tm	parts;

	gmtime_r(&at, &parts);
	strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts);
	return out;
}

static int64_t
created_of(int ticket)
{
	return fake.events[ticket].generated - 3600;
}

static bool
schema_is(const Fault *fault, const char *name)
{
	return strcmp(fake.settings.schema, name) == 0 || (fault != NULL && strcmp(fault->answer, name) == 0);
}

static void
put_ticket(Text *out, const Event *event, const Fault *fault)
{
	int			i = event->ticket;
	int			requester = requester_of(i);
	int			organization = organization_of(requester);
	char		created[40];
	char		updated[40];

	if (fake.settings.bad_ticket == FIRST_TICKET + i)
		strcpy(created, "some day");
	else
		format_time(created, sizeof(created), created_of(i));
	text_printf(out, "{\"url\":\"http://fake/api/v2/tickets/%d.json\",\"id\":%d,\"external_id\":null,\"via\":{\"channel\":\"%s\","
				"\"source\":{\"from\":{},\"to\":{},\"rel\":null}},\"created_at\":\"%s\",\"updated_at\":\"%s\","
				"\"generated_timestamp\":%lld,\"type\":%s,\"subject\":\"",
				FIRST_TICKET + i, FIRST_TICKET + i, i % 2 == 0 ? "web" : "email", created,
				format_time(updated, sizeof(updated), event->updated), (long long) event->generated,
				i % 3 == 0 ? "null" : "\"incident\"");
	put_subject(out, i, event->version, false);
	text_puts(out, "\",\"raw_subject\":\"raw\"");
	if (!schema_is(fault, "no_description"))
	{
		text_puts(out, ",\"description\":\"");
		put_description(out, i);
		text_puts(out, "\"");
	}
	text_printf(out, ",\"priority\":%s,\"%s\":\"%s\",\"recipient\":null,\"requester_id\":%d,\"submitter_id\":%d,",
				priority_of(i, event->version), schema_is(fault, "no_status") ? "state" : "status", status_of(event), requester, requester);
	if (i % 4 == 0)
		text_puts(out, "\"assignee_id\":null,");
	else
		text_printf(out, "\"assignee_id\":%d,", FIRST_AGENT + i % AGENTS);
	if (organization == 0)
		text_puts(out, "\"organization_id\":null,");
	else
		text_printf(out, "\"organization_id\":%d,", organization);
	text_printf(out, "\"group_id\":98738,\"collaborator_ids\":[],\"has_incidents\":false,\"is_public\":true,\"tags\":[\"tag%d\",\"v%d\"],"
				"\"custom_fields\":[{\"id\":27642,\"value\":\"%d\"},{\"id\":27648,\"value\":null}],"
				"\"fields\":[{\"id\":27642,\"value\":\"%d\"},{\"id\":27648,\"value\":null}],\"brand_id\":1,\"ticket_form_id\":2,"
				"\"satisfaction_rating\":{\"score\":\"unoffered\"},\"allow_channelback\":false}",
				i % 7, event->version, i, i);
}

static void
put_user(Text *out, int id)
{
	if (id >= FIRST_REQUESTER)
	{
		int			organization = organization_of(id);

		text_printf(out, "{\"id\":%d,\"name\":\"Customer %d\",\"email\":", id, id);
		if (id % 11 == 0)
			text_puts(out, "null");
		else
			text_printf(out, "\"customer%d@example.com\"", id);
		text_puts(out, ",\"role\":\"end-user\",\"organization_id\":");
		if (organization == 0)
			text_puts(out, "null");
		else
			text_printf(out, "%d", organization);
		text_puts(out, ",\"active\":true}");
		return;
	}
	text_printf(out, "{\"id\":%d,\"name\":\"Agent %d\",\"email\":\"agent%d@example.com\",\"role\":\"%s\",\"organization_id\":null}",
				id, id, id, id == FIRST_AGENT + AGENTS - 1 ? "admin" : "agent");
}

static int
comment_author(int ticket, int comment)
{
	return comment % 2 == 0 ? requester_of(ticket) : FIRST_AGENT + ticket % AGENTS;
}

static bool
comment_public(int comment)
{
	return comment % 3 != 2;
}

static int64_t
comment_time(int ticket, int comment)
{
	return created_of(ticket) + comment;
}

static void
put_comment_body(Text *out, int ticket, int comment)
{
	if (comment == 0)
		put_description(out, ticket);
	else
		text_printf(out, "Comment %d of TOKEN-%d", comment, FIRST_TICKET + ticket);
}

static void
put_comment(Text *out, int ticket, int comment, const Fault *fault)
{
	char		created[40];

	text_printf(out, "{\"id\":%lld,\"type\":\"Comment\",\"author_id\":%d,\"body\":\"", (FIRST_TICKET + ticket) * 10000LL + comment,
				comment_author(ticket, comment));
	put_comment_body(out, ticket, comment);
	text_puts(out, "\",\"html_body\":\"<p>\",\"plain_body\":\"\",");
	if (!schema_is(fault, "no_public"))
		text_printf(out, "\"public\":%s,", comment_public(comment) ? "true" : "false");
	text_printf(out, "\"audit_id\":1,\"created_at\":\"%s\",\"via\":{\"channel\":\"web\"},\"metadata\":{\"system\":{\"client\":\"c\"}},"
				"\"attachments\":[", format_time(created, sizeof(created), comment_time(ticket, comment)));
	if (comment % 5 == 1)
		text_printf(out, "{\"id\":1,\"file_name\":\"file%d.txt\",\"content_url\":\"https://fake.example/%d\",\"content_type\":\"text/plain\","
					"\"size\":%d,\"thumbnails\":[]}", comment, comment, 100 + comment);
	text_puts(out, "]}");
}

/* The data --------------------------------------------------------------------------------------------------------- */

static void
add_event(Event event)
{
	if (fake.event_count == fake.event_size)
	{
		fake.event_size = fake.event_size > 0 ? fake.event_size * 2 : 1024;
		fake.events = must(realloc(fake.events, fake.event_size * sizeof(Event)));
	}
	fake.events[fake.event_count++] = event;
}

static void
make_data(void)
{
	int64_t		last = fake_now() - fake.settings.age;
	int			count = fake.settings.tickets;

	fake.tickets = must(realloc(fake.tickets, (size_t) (count + 1) * sizeof(Ticket)));
	fake.event_count = 0;
	for (int i = 0; i < count; i++)
	{
		int64_t		at = last - (count - 1 - i) * fake.settings.step;

		fake.tickets[i] = (Ticket) {.version = 1,.updated = at,
		.comments = 1 + (fake.settings.comments > 0 ? i % (fake.settings.comments + 1) : 0)};
		add_event((Event) {.generated = at,.updated = at,.ticket = i,.version = 1});
	}
}

/* A new version: of tickets first, first + every, ...; it counts as generated so many seconds ago. */
static int
update_tickets(int first, int every, int64_t ago, bool deleted, bool comment)
{
	int			count = 0;

	for (int i = first - FIRST_TICKET; i >= 0 && i < fake.settings.tickets; i += every > 0 ? every : fake.settings.tickets)
	{
		Ticket	   *ticket = &fake.tickets[i];
		int64_t		at = fake_now() - ago;

		if (fake.event_count > 0 && fake.events[fake.event_count - 1].generated > at)
			at = fake.events[fake.event_count - 1].generated;
		ticket->version++;
		ticket->deleted = ticket->deleted || deleted;
		ticket->comments += comment;
		ticket->updated = at;
		add_event((Event) {.generated = at,.updated = at,.ticket = i,.version = ticket->version,.deleted = ticket->deleted});
		count++;
	}
	return count;
}

/* Requests ---------------------------------------------------------------------------------------------------------- */

typedef struct Request
{
	int			fd;
	char	   *method;
	char	   *path;			/* without the query */
	char	   *query;			/* or "" */
	const char *head;
	const char *body;
	size_t		body_len;
} Request;

typedef struct Reply
{
	int			status;
	const char *type;
	Text		headers;
	Text		body;
	char		spoil[32];		/* what is done to it on the way out */
} Reply;

static void
decode_percent(char *text)
{
	char	   *to = text;

	for (; *text != '\0'; text++)
	{
		unsigned	c;

		if (*text == '%' && sscanf(text + 1, "%2x", &c) == 1)
		{
			*to++ = (char) c;
			text += 2;
		}
		else
			*to++ = *text == '+' ? ' ' : *text;
	}
	*to = '\0';
}

/* The parameter's value, decoded, in a buffer of 512 bytes; false when there is none. */
static bool
parameter(const char *query, const char *name, char *value)
{
	while (*query != '\0')
	{
		size_t		len = strcspn(query, "&");
		size_t		equals = strcspn(query, "=");
		char		key[128];

		if (equals < len && equals < sizeof(key) && len - equals <= 512)
		{
			memcpy(key, query, equals);
			key[equals] = '\0';
			decode_percent(key);
			memcpy(value, query + equals + 1, len - equals - 1);
			value[len - equals - 1] = '\0';
			decode_percent(value);
			if (strcmp(key, name) == 0)
				return true;
		}
		query += len + (query[len] == '&');
	}
	return false;
}

static long
number_parameter(const char *query, const char *name, long otherwise)
{
	char		value[512];

	return parameter(query, name, value) ? strtol(value, NULL, 10) : otherwise;
}

static const char *
header_value(const Request *request, const char *name)
{
	size_t		len = strlen(name);

	for (const char *line = strstr(request->head, "\r\n"); line != NULL; line = strstr(line, "\r\n"))
	{
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " ");
	}
	return NULL;
}

static void
base64(char *out, const char *text)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t		len = strlen(text);

	for (size_t i = 0; i < len; i += 3)
	{
		uint32_t	three = (uint32_t) (unsigned char) text[i] << 16;

		if (i + 1 < len)
			three |= (uint32_t) (unsigned char) text[i + 1] << 8;
		if (i + 2 < len)
			three |= (unsigned char) text[i + 2];
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = i + 1 < len ? digits[three >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[three & 63] : '=';
	}
	*out = '\0';
}

static bool
value_is(const char *value, const char *scheme, const char *rest)
{
	size_t		len = strlen(scheme);
	size_t		rest_len = strlen(rest);

	return value != NULL && strncmp(value, scheme, len) == 0 && strncmp(value + len, rest, rest_len) == 0 &&
		value[len + rest_len] == '\r';
}

/* How it authorizes itself; "none" and "bad" are refused. */
static const char *
check_auth(const Request *request)
{
	const char *value = header_value(request, "Authorization");
	char		expected[400];

	if (fake.settings.basic[0] == '\0' && fake.settings.bearer[0] == '\0')
		return "any";
	if (value == NULL)
		return "none";
	base64(expected, fake.settings.basic);
	if (fake.settings.basic[0] != '\0' && value_is(value, "Basic ", expected))
		return "basic";
	if (fake.settings.bearer[0] != '\0' && value_is(value, "Bearer ", fake.settings.bearer))
		return "bearer";
	return "bad";
}

static void
reply_error(Reply *reply, int status, const char *error, const char *description)
{
	reply->status = status;
	reply->body.len = 0;
	text_printf(&reply->body, "{\"error\":\"%s\",\"description\":\"%s\"}", error, description);
}

static LogLine *
log_request(const char *stream, const char *what, const char *auth)
{
	LogLine    *line;

	if (fake.log_count == fake.log_size)
	{
		fake.log_size = fake.log_size > 0 ? fake.log_size * 2 : 4096;
		fake.log = must(realloc(fake.log, fake.log_size * sizeof(LogLine)));
	}
	line = &fake.log[fake.log_count++];
	*line = (LogLine) {.at_us = clock_us(CLOCK_MONOTONIC) - fake.started_us};
	snprintf(line->stream, sizeof(line->stream), "%s", stream);
	snprintf(line->what, sizeof(line->what), "%s", what);
	snprintf(line->auth, sizeof(line->auth), "%s", auth);
	return line;
}

/* Requests of the stream that were not refused, in the minute before this one; *oldest: when the first of them was. */
static int
count_recent(const char *stream, int64_t *oldest)
{
	int64_t		since = clock_us(CLOCK_MONOTONIC) - fake.started_us - fake.settings.window_ms * 1000;
	int			count = 0;

	*oldest = fake.log[fake.log_count - 1].at_us;
	for (size_t i = fake.log_count - 1; i-- > 0 && fake.log[i].at_us > since;)
	{
		if (fake.log[i].status == 429 || (stream != NULL && strcmp(fake.log[i].stream, stream) != 0))
			continue;
		*oldest = fake.log[i].at_us;
		count++;
	}
	return count;
}

/* More than its budget?  The request itself is in the log already. */
static bool
is_over_budget(const char *stream, Reply *reply)
{
	int64_t		oldest;
	int64_t		now = clock_us(CLOCK_MONOTONIC) - fake.started_us;
	int			account = count_recent(NULL, &oldest);
	int			left = fake.settings.account_per_minute - account - 1;
	bool		over = left < 0;

	text_printf(&reply->headers, "X-Rate-Limit: %d\r\nX-Rate-Limit-Remaining: %d\r\nratelimit-reset: %d\r\n",
				fake.settings.account_per_minute, left > 0 ? left : 0,
				(int) ((oldest + fake.settings.window_ms * 1000 - now) / 1000000 + 1));
	if (!over && strcmp(stream, "tickets") == 0)
		over = count_recent(stream, &oldest) >= fake.settings.per_minute;
	if (!over)
		return false;
	reply->status = 429;
	reply->type = "text/plain";
	text_puts(&reply->body, "Number of allowed API requests per minute exceeded");
	if (fake.settings.no_retry_after[0] == '\0')
		text_printf(&reply->headers, "Retry-After: %d\r\n", (int) ((oldest + fake.settings.window_ms * 1000 - now) / 1000000 + 1));
	return true;
}

static const Fault *
take_fault(const char *stream, Fault *copy)
{
	for (int i = 0; i < fake.fault_count; i++)
	{
		Fault	   *fault = &fake.faults[i];

		if (strcmp(fault->stream, "any") != 0 && strcmp(fault->stream, stream) != 0)
			continue;
		if (fault->after > 0)
		{
			fault->after--;
			continue;
		}
		if (fault->times == 0)
			continue;
		fault->times--;
		*copy = *fault;
		return copy;
	}
	return NULL;
}

/* Repeats what authorized the request, as it came and as it was meant. */
static void
put_echo(const Request *request, Reply *reply)
{
	const char *value = header_value(request, "Authorization");

	text_printf(&reply->headers, "X-Request-Id: %.*s\r\n", value ? (int) strcspn(value, "\r") : 0, value ? value : "");
	text_printf(&reply->body, "{\"error\":\"refused\",\"description\":\"you sent %.*s, which is %s%s\"}",
				value ? (int) strcspn(value, "\r") : 0, value ? value : "", fake.settings.basic, fake.settings.bearer);
}

/* True: the fault is the answer. */
static bool
apply_fault(const Fault *fault, const Request *request, Reply *reply)
{
	if (fault == NULL)
		return false;
	if (strcmp(fault->answer, "echo") == 0)
	{
		reply->status = fault->status;
		put_echo(request, reply);
		return true;
	}
	if (fault->status >= 300 && fault->status < 400)
		text_puts(&reply->headers, "Location: http://127.0.0.1:1/elsewhere\r\n");
	snprintf(reply->spoil, sizeof(reply->spoil), "%s", fault->answer);
	if (fault->retry_after[0] != '\0')
		text_printf(&reply->headers, "Retry-After: %s\r\n", fault->retry_after);
	if (strcmp(fault->answer, "expired") == 0)
		reply_error(reply, 400, "InvalidCursor", "The cursor has expired");
	else if (fault->status != 200)
	{
		reply->status = fault->status;
		reply->type = fault->status == 429 ? "text/plain" : "application/json";
		text_puts(&reply->body, fault->body[0] != '\0' ? fault->body : fault->status == 429 ? "Rate limit exceeded" : "{\"error\":\"fault\"}");
	}
	return reply->status != 200;
}

/* The export -------------------------------------------------------------------------------------------------------- */

static void
put_cursor(Text *out, size_t place)
{
	text_printf(out, "MTU3|%zu|=&%%+", place);
}

static bool
read_cursor(const char *text, size_t *place)
{
	Text		again = {0};
	bool		same;

	if (sscanf(text, "MTU3|%zu|", place) != 1 || *place > fake.event_count)
		return false;
	put_cursor(&again, *place);
	same = strcmp(again.data, text) == 0;
	free(again.data);
	return same;
}

static size_t
first_event(int64_t start_time)
{
	size_t		place = 0;

	while (place < fake.event_count && fake.events[place].generated < start_time)
		place++;
	return place;
}

/* Where to begin; false with the refusal in reply. */
static bool
find_place(const char *query, Reply *reply, size_t *place)
{
	char		cursor[512];
	char		start[512];
	bool		has_cursor = parameter(query, "cursor", cursor);
	bool		has_start = parameter(query, "start_time", start);

	if (has_cursor == has_start)
		reply_error(reply, 400, "BadRequest", "give start_time or cursor, and not both");
	else if (has_start && strtoll(start, NULL, 10) > fake_now() - WITHHELD_SECONDS)
		reply_error(reply, 422, "StartTimeTooRecent", "Too recent start_time. Use a start_time older than 60 seconds");
	else if (has_cursor && !read_cursor(cursor, place))
		reply_error(reply, 400, "InvalidCursor", "The cursor is invalid or has expired");
	else if (has_start)
		*place = first_event(strtoll(start, NULL, 10));
	return reply->status == 200;
}

static void
put_people(Text *body, const bool *requesters)
{
	const char *separator = "";

	text_puts(body, "],\"users\":[");
	for (int i = 0; i < AGENTS; i++, separator = ",")
	{
		text_puts(body, separator);
		put_user(body, FIRST_AGENT + i);
	}
	for (int i = 0; i < REQUESTERS; i++)
	{
		if (!requesters[i])
			continue;
		text_puts(body, separator);
		put_user(body, FIRST_REQUESTER + i);
	}
	text_puts(body, "],\"organizations\":[");
	for (int i = 0; i < ORGANIZATIONS; i++)
		text_printf(body, "%s{\"id\":%d,\"name\":\"Organization %d\",\"domain_names\":[]}", i > 0 ? "," : "",
					FIRST_ORGANIZATION + i, FIRST_ORGANIZATION + i);
}

static void
put_end(Text *body, size_t place, size_t end, bool last, const Fault *fault)
{
	bool		null = last && strcmp(fake.settings.end, "null") == 0;

	text_puts(body, "],\"after_url\":\"http://fake/next\"");
	if (!schema_is(fault, "no_cursor"))
	{
		text_puts(body, ",\"after_cursor\":");
		if (null)
			text_puts(body, "null");
		else
		{
			text_puts(body, "\"");
			put_cursor(body, end);
			text_puts(body, "\"");
		}
	}
	text_printf(body, ",\"before_url\":null,\"before_cursor\":null,\"count\":%zu", end - place);
	if (!schema_is(fault, "no_end"))
		text_printf(body, ",\"end_of_stream\":%s", last && strcmp(fake.settings.end, "never") != 0 ? "true" : "false");
	text_puts(body, "}");
}

static void
serve_tickets(const Request *request, Reply *reply, const Fault *fault)
{
	bool		requesters[REQUESTERS] = {false};
	size_t		limit = (size_t) number_parameter(request->query, "per_page", 1000);
	size_t		place;
	size_t		end;
	size_t		visible = fake.event_count;
	char		include[512] = "";

	if (!find_place(request->query, reply, &place))
		return;
	parameter(request->query, "include", include);
	if (limit > (size_t) fake.settings.max_page)
		limit = (size_t) fake.settings.max_page;
	while (visible > 0 && fake.events[visible - 1].generated > fake_now() - WITHHELD_SECONDS)
		visible--;
	if (place > visible)
		place = visible;
	end = visible - place > limit ? place + limit : visible;
	place = place > (size_t) fake.settings.overlap ? place - (size_t) fake.settings.overlap : 0;
	text_printf(&reply->body, "{\"%s\":[", schema_is(fault, "no_tickets") ? "records" : "tickets");
	for (size_t i = place; i < end; i++)
	{
		text_puts(&reply->body, i > place ? "," : "");
		put_ticket(&reply->body, &fake.events[i], fault);
		requesters[requester_of(fake.events[i].ticket) - FIRST_REQUESTER] = true;
	}
	if (strstr(include, "users") != NULL && strstr(include, "organizations") != NULL)
		put_people(&reply->body, requesters);
	put_end(&reply->body, place, end, end == visible, fault);
}

static void
serve_comments(const Request *request, int ticket, Reply *reply, const Fault *fault)
{
	long		size = number_parameter(request->query, "page[size]", 100);
	char		after[512];
	int			from = 0;
	int			end;

	if (ticket < 0 || ticket >= fake.settings.tickets || fake.tickets[ticket].deleted)
	{
		reply_error(reply, 404, "RecordNotFound", "Not found");
		return;
	}
	if (parameter(request->query, "page[after]", after) && sscanf(after, "k|%d=", &from) != 1)
	{
		reply_error(reply, 400, "InvalidPaginationParameter", "page[after] is not valid");
		return;
	}
	if (size > fake.settings.max_page)
		size = fake.settings.max_page;
	end = fake.tickets[ticket].comments - from > size ? from + (int) size : fake.tickets[ticket].comments;
	text_printf(&reply->body, "{\"%s\":[", schema_is(fault, "no_comments") ? "audits" : "comments");
	for (int i = from; i < end; i++)
	{
		text_puts(&reply->body, i > from ? "," : "");
		put_comment(&reply->body, ticket, i, fault);
	}
	text_puts(&reply->body, "],\"users\":[");
	put_user(&reply->body, requester_of(ticket));
	text_puts(&reply->body, ",");
	put_user(&reply->body, FIRST_AGENT + ticket % AGENTS);
	text_printf(&reply->body, "],\"meta\":{\"has_more\":%s,\"after_cursor\":\"k|%d=\",\"before_cursor\":null},\"links\":{\"next\":null}}",
				end < fake.tickets[ticket].comments ? "true" : "false", end);
}

static void
serve_api(const Request *request, Reply *reply)
{
	int			ticket = -1;
	bool		comments = sscanf(request->path, "/api/v2/tickets/%d/comments.json", &ticket) == 1;
	const char *stream = comments ? "comments" : "tickets";
	const char *auth = check_auth(request);
	Fault		copy;
	const Fault *fault = take_fault(stream, &copy);
	char		what[150];
	LogLine    *line;
	size_t		at;

	if (comments)
		snprintf(what, sizeof(what), "%d", ticket);
	else
		snprintf(what, sizeof(what), "%.*s", (int) strcspn(request->query, "&"), request->query);
	line = log_request(stream, what, auth);
	at = (size_t) (line - fake.log);
	if (strcmp(auth, "bad") == 0 || strcmp(auth, "none") == 0)
		reply_error(reply, 401, "Couldn't authenticate you", "");
	else if (fake.settings.forbidden)
	{
		reply->status = 403;
		text_puts(&reply->body, "{\"error\":{\"title\":\"Forbidden\",\"message\":\"You do not have access to this page. "
				  "Please contact the account owner of this help desk for further help.\"}}");
	}
	else if (!apply_fault(fault, request, reply) && !is_over_budget(stream, reply))
	{
		if (comments)
			serve_comments(request, ticket - FIRST_TICKET, reply, fault);
		else if (strcmp(request->path, "/api/v2/incremental/tickets/cursor.json") == 0)
			serve_tickets(request, reply, fault);
		else
			reply_error(reply, 404, "InvalidEndpoint", "Not found");
	}
	fake.log[at].status = strcmp(reply->spoil, "hang") == 0 ? 0 : reply->status;
}

/* What tests ask ---------------------------------------------------------------------------------------------------- */

static void
serve_log(Reply *reply)
{
	reply->type = "text/plain";
	for (size_t i = 0; i < fake.log_count; i++)
		text_printf(&reply->body, "%zu %.3f %s %d %s %s\n", i + 1, (double) fake.log[i].at_us / 1000.0, fake.log[i].stream,
					fake.log[i].status, fake.log[i].auth, fake.log[i].what);
}

/* A line of JSON a ticket: what a copy of its newest version that is old enough to be told must hold. */
static void
serve_truth(Reply *reply)
{
	Event	   *newest = must(calloc((size_t) fake.settings.tickets + 1, sizeof(Event)));

	reply->type = "text/plain";
	for (size_t i = 0; i < fake.event_count && fake.events[i].generated <= fake_now() - WITHHELD_SECONDS; i++)
		newest[fake.events[i].ticket] = fake.events[i];
	for (int i = 0; i < fake.settings.tickets; i++)
	{
		const Event *event = &newest[i];

		if (event->version == 0 || fake.settings.bad_ticket == FIRST_TICKET + i)
			continue;
		text_printf(&reply->body, "{\"id\":\"%d\",\"deleted\":%s,\"status\":\"%s\",\"priority\":%s,\"created\":%lld,\"updated\":%lld,"
					"\"requester\":\"%d\",\"subject\":\"", FIRST_TICKET + i, event->deleted ? "true" : "false", status_of(event),
					priority_of(i, event->version), (long long) created_of(i), (long long) event->updated, requester_of(i));
		put_subject(&reply->body, i, event->version, true);
		text_puts(&reply->body, "\",\"description\":\"");
		put_description(&reply->body, i);
		text_printf(&reply->body, "\",\"tags\":\"tag%d,v%d\",\"organization\":\"%d\"}\n", i % 7, event->version,
					organization_of(requester_of(i)));
	}
	free(newest);
}

/* A line of JSON a comment, the descriptions and what belongs to deleted tickets left out. */
static void
serve_true_comments(Reply *reply)
{
	reply->type = "text/plain";
	for (int i = 0; i < fake.settings.tickets; i++)
	{
		for (int k = 1; !fake.tickets[i].deleted && k < fake.tickets[i].comments; k++)
		{
			text_printf(&reply->body, "{\"ticket\":\"%d\",\"id\":\"%lld\",\"author\":\"%d\",\"public\":%s,\"created\":%lld,\"body\":\"",
						FIRST_TICKET + i, (FIRST_TICKET + i) * 10000LL + k, comment_author(i, k), comment_public(k) ? "true" : "false",
						(long long) comment_time(i, k));
			put_comment_body(&reply->body, i, k);
			text_puts(&reply->body, "\"}\n");
		}
	}
}

static bool
set_string(char *target, size_t size, const char *value)
{
	snprintf(target, size, "%s", value);
	return true;
}

static bool
set_one(const char *key, const char *value)
{
	Settings   *s = &fake.settings;
	long		number = strtol(value, NULL, 10);
	const struct
	{
		const char *name;
		int		   *place;
	}			ints[] = {
		{"tickets", &s->tickets}, {"comments", &s->comments}, {"description_bytes", &s->description_bytes},
		{"per_minute", &s->per_minute}, {"account_per_minute", &s->account_per_minute}, {"overlap", &s->overlap},
		{"bad_ticket", &s->bad_ticket}, {"max_page", &s->max_page}
	};
	const struct
	{
		const char *name;
		long	   *place;
	}			longs[] = {
		{"step", &s->step}, {"age", &s->age}, {"window_ms", &s->window_ms}, {"clock_offset", &s->clock_offset}, {"latency_ms", &s->latency_ms}
	};

	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
		if (strcmp(key, ints[i].name) == 0)
			return *ints[i].place = (int) number, true;
	for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]); i++)
		if (strcmp(key, longs[i].name) == 0)
			return *longs[i].place = number, true;
	if (strcmp(key, "basic") == 0)
		return set_string(s->basic, sizeof(s->basic), value);
	if (strcmp(key, "bearer") == 0)
		return set_string(s->bearer, sizeof(s->bearer), value);
	if (strcmp(key, "schema") == 0)
		return set_string(s->schema, sizeof(s->schema), value);
	if (strcmp(key, "end") == 0)
		return set_string(s->end, sizeof(s->end), value);
	if (strcmp(key, "no_retry_after") == 0)
		return set_string(s->no_retry_after, sizeof(s->no_retry_after), value);
	if (strcmp(key, "forbidden") == 0)
		return s->forbidden = number != 0, true;
	if (strcmp(key, "gzip") == 0)
		return s->gzip = number != 0, true;
	return false;
}

/* Calls set for each pair of a form's body; false when it knows one not. */
static bool
each_pair(const char *form, bool (*set) (const char *, const char *), Reply *reply)
{
	char	   *copy = must(strdup(form));
	char	   *rest = copy;
	char	   *pair;
	bool		known = true;

	while ((pair = strsep(&rest, "&")) != NULL)
	{
		char	   *equals = strchr(pair, '=');

		if (equals == NULL)
			continue;
		*equals = '\0';
		decode_percent(equals + 1);
		if (!set(pair, equals + 1))
		{
			known = false;
			reply->status = 400;
			text_printf(&reply->body, "unknown: %s\n", pair);
		}
	}
	free(copy);
	return known;
}

static Fault new_fault;

static bool
set_fault(const char *key, const char *value)
{
	if (strcmp(key, "stream") == 0)
		return set_string(new_fault.stream, sizeof(new_fault.stream), value);
	if (strcmp(key, "after") == 0)
		return new_fault.after = atoi(value), true;
	if (strcmp(key, "times") == 0)
		return new_fault.times = atoi(value), true;
	if (strcmp(key, "status") == 0)
		return new_fault.status = atoi(value), true;
	if (strcmp(key, "retry_after") == 0)
		return set_string(new_fault.retry_after, sizeof(new_fault.retry_after), value);
	if (strcmp(key, "answer") == 0)
		return set_string(new_fault.answer, sizeof(new_fault.answer), value);
	if (strcmp(key, "body") == 0)
		return set_string(new_fault.body, sizeof(new_fault.body), value);
	return false;
}

static void
serve_update(const Request *request, Reply *reply)
{
	const char *form = request->body;
	int			count = update_tickets((int) number_parameter(form, "first", FIRST_TICKET), (int) number_parameter(form, "every", 0),
									   number_parameter(form, "ago", 120), number_parameter(form, "deleted", 0) != 0,
									   number_parameter(form, "comment", 0) != 0);

	text_printf(&reply->body, "%d\n", count);
}

static void
serve_fault(const Request *request, Reply *reply)
{
	new_fault = (Fault) {.stream = "any",.times = 1,.status = 200};
	if (!each_pair(request->body, set_fault, reply))
		return;
	/* the oldest that are spent make room */
	if (fake.fault_count == MAX_FAULTS)
		memmove(fake.faults, fake.faults + 1, (size_t) --fake.fault_count * sizeof(Fault));
	fake.faults[fake.fault_count++] = new_fault;
}

static bool
serve_control(const Request *request, Reply *reply)
{
	if (strcmp(request->path, "/log") == 0)
		serve_log(reply);
	else if (strcmp(request->path, "/truth") == 0)
		serve_truth(reply);
	else if (strcmp(request->path, "/truth/comments") == 0)
		serve_true_comments(reply);
	else if (strcmp(request->path, "/config") == 0)
		each_pair(request->body, set_one, reply);
	else if (strcmp(request->path, "/fill") == 0)
	{
		if (each_pair(request->body, set_one, reply))
			make_data();
	}
	else if (strcmp(request->path, "/update") == 0)
		serve_update(request, reply);
	else if (strcmp(request->path, "/fault") == 0)
		serve_fault(request, reply);
	else if (strcmp(request->path, "/reset") == 0)
		fake.log_count = 0, fake.fault_count = 0;
	else
		return false;
	return true;
}

/* The wire ---------------------------------------------------------------------------------------------------------- */

static bool
send_all(int fd, const char *data, size_t len)
{
	while (len > 0)
	{
		ssize_t		n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t) n;
	}
	return true;
}

static uint32_t
crc32_of(const char *data, size_t len)
{
	uint32_t	crc = 0xFFFFFFFF;

	for (size_t i = 0; i < len; i++)
	{
		crc ^= (unsigned char) data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
	}
	return ~crc;
}

/* The shape of gzip, with blocks that are stored as they are. */
static void
wrap_gzip(Text *body)
{
	Text		out = {0};
	uint32_t	trailer[2] = {crc32_of(body->data, body->len), (uint32_t) body->len};

	text_add(&out, "\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
	for (size_t at = 0; at < body->len; at += GZIP_BLOCK)
	{
		size_t		len = body->len - at > GZIP_BLOCK ? GZIP_BLOCK : body->len - at;
		unsigned char head[5] = {at + len == body->len, len & 255, len >> 8, ~len & 255, ~len >> 8 & 255};

		text_add(&out, (char *) head, 5);
		text_add(&out, body->data + at, len);
	}
	text_add(&out, (char *) trailer, 8);	/* little endian, as every machine that tests run on */
	free(body->data);
	*body = out;
}

static void
spoil_body(Reply *reply)
{
	Text	   *body = &reply->body;

	if (strcmp(reply->spoil, "truncated") == 0)
		body->len /= 2;
	else if (strcmp(reply->spoil, "notjson") == 0)
		body->len = 0, text_puts(body, "all is well");
	else if (strcmp(reply->spoil, "html") == 0)
		body->len = 0, text_puts(body, "<html><body>maintenance</body></html>");
	/* a few bytes each, and some hundred times as many for who reads them */
	else if (strcmp(reply->spoil, "heavy") == 0)
	{
		body->len--;
		text_puts(body, ",\"more\":[{}");
		for (int i = 0; i < 1000000; i++)
			text_puts(body, ",{}");
		text_puts(body, "]}");
	}
	else if (strcmp(reply->spoil, "huge") == 0)
	{
		Text		blank = {0};

		text_reserve(&blank, 1024 * 1024);
		memset(blank.data, ' ', 1024 * 1024);
		for (int i = 0; i < 70; i++)
			text_add(body, blank.data, 1024 * 1024);
		free(blank.data);
	}
}

/* False: the connection is over. */
static bool
send_reply(const Request *request, Reply *reply)
{
	bool		cut = strcmp(reply->spoil, "cut") == 0;
	bool		packed = fake.settings.gzip && reply->status == 200 && header_value(request, "Accept-Encoding") != NULL;
	struct pollfd gone = {.fd = request->fd,.events = POLLIN};
	Text		head = {0};
	char		date[64];
	time_t		now = (time_t) fake_now();
	struct tm	parts;
	bool		sent;

	if (strcmp(reply->spoil, "hang") == 0)
	{
		poll(&gone, 1, 600000);
		return false;
	}
	if (strcmp(reply->spoil, "reset") == 0)
		return false;
	if (strcmp(reply->spoil, "garbage") == 0)
	{
		send_all(request->fd, "\x16\x03 this is not HTTP\n\x7f", 20);
		return false;
	}
	spoil_body(reply);
	if (packed)
		wrap_gzip(&reply->body);
	gmtime_r(&now, &parts);
	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
	text_printf(&head, "HTTP/1.1 %d Status\r\nDate: %s\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n%s\r\n", reply->status, date,
				reply->type, packed ? "Content-Encoding: gzip\r\n" : "", reply->body.len, reply->headers.len > 0 ? reply->headers.data : "");
	sent = send_all(request->fd, head.data, head.len) &&
		send_all(request->fd, reply->body.data, cut ? reply->body.len / 2 : reply->body.len);
	free(head.data);
	return sent && !cut;
}

static bool
serve(Request *request)
{
	Reply		reply = {.status = 200,.type = "application/json"};
	const char *value;
	bool		goes_on;

	text_reserve(&reply.body, 1);
	pthread_mutex_lock(&fake.lock);
	if (!serve_control(request, &reply))
		serve_api(request, &reply);
	pthread_mutex_unlock(&fake.lock);
	if (fake.settings.latency_ms > 0 && strncmp(request->path, "/api/", 5) == 0)
		usleep((useconds_t) fake.settings.latency_ms * 1000);
	value = header_value(request, "Connection");
	goes_on = send_reply(request, &reply) && !(value != NULL && strncasecmp(value, "close", 5) == 0);
	free(reply.body.data);
	free(reply.headers.data);
	return goes_on;
}

/* Reads on until the request at the front of in is complete; false at the end of the connection. */
static bool
read_request(int fd, Text *in, Request *request, size_t *total)
{
	char	   *head_end;
	const char *value;

	while ((head_end = in->len > 0 ? strstr(in->data, "\r\n\r\n") : NULL) == NULL ||
		   in->len < (*total = (size_t) (head_end - in->data) + 4 + request->body_len))
	{
		ssize_t		n;

		text_reserve(in, 65536);
		n = recv(fd, in->data + in->len, 65536, 0);
		if (n <= 0 || (head_end == NULL && in->len > MAX_HEAD))
			return false;
		in->len += (size_t) n;
		in->data[in->len] = '\0';
		head_end = strstr(in->data, "\r\n\r\n");
		request->head = in->data;
		value = head_end != NULL ? header_value(request, "Content-Length") : NULL;
		request->body_len = value != NULL ? strtoul(value, NULL, 10) : 0;
	}
	request->fd = fd;
	request->head = in->data;
	request->body = head_end + 4;
	return true;
}

static bool
split_line(Request *request, char *line)
{
	char	   *query;

	request->method = strsep(&line, " ");
	request->path = line != NULL ? strsep(&line, " ") : NULL;
	if (request->path == NULL)
		return false;
	query = strchr(request->path, '?');
	request->query = query != NULL ? query + 1 : request->path + strlen(request->path);
	if (query != NULL)
		*query = '\0';
	return true;
}

static void *
run_connection(void *arg)
{
	int			fd = (int) (intptr_t) arg;
	Text		in = {0};
	bool		goes_on = true;

	while (goes_on)
	{
		Request		request = {0};
		size_t		total;
		char	   *line;

		if (!read_request(fd, &in, &request, &total))
			break;
		line = must(strndup(in.data, strcspn(in.data, "\r")));
		goes_on = split_line(&request, line) && serve(&request);
		free(line);
		memmove(in.data, in.data + total, in.len - total + 1);
		in.len -= total;
	}
	free(in.data);
	close(fd);
	return NULL;
}

static int
open_listener(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_port = htons((uint16_t) port)};
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int			one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *) &address, sizeof(address)) != 0 || listen(fd, 64) != 0)
	{
		perror("fake_zendesk");
		exit(1);
	}
	return fd;
}

static void
usage(void)
{
	puts("fake_zendesk [--port N]\n"
		 "POST /fill    settings, then makes the data anew\n"
		 "POST /config  tickets comments description_bytes step age basic=email/token:SECRET bearer forbidden per_minute\n"
		 "              account_per_minute window_ms no_retry_after clock_offset latency_ms overlap schema end bad_ticket max_page gzip\n"
		 "POST /fault   stream=tickets|comments|any after times status retry_after body\n"
		 "              answer=echo|hang|cut|reset|garbage|notjson|truncated|html|huge|heavy|expired|no_tickets|no_cursor|no_end|no_status|\n"
		 "              no_description|no_comments|no_public\n"
		 "POST /update  first every ago deleted comment: a new version of these tickets\n"
		 "POST /reset   forgets log and faults\n"
		 "GET  /log /truth /truth/comments");
}

int
main(int argc, char **argv)
{
	struct sockaddr_in address;
	socklen_t	len = sizeof(address);
	int			port = 0;
	int			listener;

	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
			port = atoi(argv[++i]);
		else
		{
			usage();
			return strcmp(argv[i], "--help") != 0;
		}
	}
	fake.settings = (Settings) {.tickets = 0,.step = 60,.age = 3600,.per_minute = 10,.account_per_minute = 700,.window_ms = 60000,
	.max_page = 1000};
	fake.started_us = clock_us(CLOCK_MONOTONIC);
	make_data();
	listener = open_listener(port);
	getsockname(listener, (struct sockaddr *) &address, &len);
	printf("port %d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;)
	{
		int			fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		int			one = 1;
		pthread_t	thread;

		if (fd < 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		fake.connections++;
		if (pthread_create(&thread, NULL, run_connection, (void *) (intptr_t) fd) != 0)
			close(fd);
		else
			pthread_detach(thread);
	}
}
