/*
 * fake_model.c
 *	  An OpenAI-compatible model server that thinks nothing: for tests and benchmarks, on the loopback interface.
 *
 * One thread, one epoll descriptor, timers in a heap; fast enough that it never is what a benchmark measures.  A
 * POST to .../chat/completions is answered with a valid answer of the kind that its schema is named after, which carries
 * the first TOKEN-... found in the request (of a conversation the last), so that a test can tell whose answer it got.
 * Issue mining: a line "ISSUE area|type|severity|summary|quote" of a ticket is one issue; an issue belongs to the first
 * label whose note has the same TOKEN-...; a cluster is named after the first one.
 * What goes wrong is said by the ticket itself, or by the last message of the conversation that says anything of it:
 *
 *	  [[fake status=429 retry_after=7 times=2]]
 *
 * or for all requests by POST /config.  See usage() for the keys.  What was served is told by GET /stats and GET /log.
 *
 * Vocabulary: plan = what a request will get; fault = the part of a plan that times= limits to a token's first K
 * requests.  A request counts as served when its body is complete, whatever becomes of the answer.
 *
 *	  cc -std=c11 -D_GNU_SOURCE -O2 -o fake_model fake_model.c
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define MAX_HEAD 16384
#define MAX_BODY (16 * 1024 * 1024)
#define EVENTS 512
#define TOKEN_SIZE 48
#define HUGE_ANSWER (5 * 1024 * 1024)
#define DEEP_ANSWER 20000
#define KEEP_BUFFER 65536

typedef struct Text
{
	char	   *data;
	size_t		len;
	size_t		size;
} Text;

typedef enum Answer
{
	ANSWER_GOOD, ANSWER_NOTJSON, ANSWER_TRUNCATED, ANSWER_WRONGTYPES, ANSWER_UNKNOWNLABEL, ANSWER_OUTOFRANGE,
	ANSWER_HUGE, ANSWER_DEEP, ANSWER_FENCED, ANSWER_ERROR200, ANSWER_REFUSAL, ANSWER_LENGTH, ANSWER_EMPTY,
	ANSWER_MINIMAL, ANSWER_NUL, ANSWER_BADUTF8, ANSWER_CONTENTFILTER
} Answer;

static const char *const answer_names[] = {
	"good", "notjson", "truncated", "wrongtypes", "unknownlabel", "outofrange",
	"huge", "deep", "fenced", "error200", "refusal", "length", "empty",
	"minimal", "nul", "badutf8", "contentfilter"
};
#define ANSWER_COUNT ((int) (sizeof(answer_names) / sizeof(answer_names[0])))

/* By the name of the request's schema. */
typedef enum Kind
{
	KIND_TRIAGE, KIND_CHAT_REPLY, KIND_SUMMARIZE, KIND_EXTRACT_ISSUES, KIND_MATCH_ISSUES, KIND_NAME_CLUSTER
} Kind;

static const char *const kind_names[] = {"triage", "chat_reply", "summarize", "extract_issues", "match_issues", "name_cluster"};
#define KIND_COUNT ((int) (sizeof(kind_names) / sizeof(kind_names[0])))
/* The field that holds the words. */
static const char *const kind_texts[] = {"draft_reply", "reply", "summary", "issues", "matches", "name"};
#define NO_LABEL "no such label"

/* What one request gets. */
typedef struct Plan
{
	Kind		kind;
	int			status;
	int			times;			/* 0: always */
	char		retry_after[64];
	char		code[64];		/* error code, "" = the usual one for the status */
	long		latency_ms;		/* negative: the default */
	Answer		answer;
	bool		cut;
	bool		hang;
	bool		garbage;
	bool		echo;			/* repeats the key it was shown, wherever it can */
	char		key[256];
	bool		reset;			/* the connection, before any answer */
	char		category[128];
	char		urgency[32];
	char		sentiment[32];
	char		action[32];
	char		cause[32];
	char		confidence[32];
	char		model[64];		/* that answers; "" = the one that was asked */
	char		cost[32];		/* usage.cost, as it stands; "" = none */
	char		token[TOKEN_SIZE];
} Plan;

typedef struct LogLine
{
	int64_t		at_us;
	int64_t		gone_us;		/* who asked went away before the answer; 0: did not */
	int			status;
	const char *kind;
	char		token[TOKEN_SIZE];
} LogLine;

typedef struct Conn
{
	int			fd;
	Text		in;
	Text		out;
	size_t		sent;
	bool		busy;			/* a request is being answered */
	bool		thinking;		/* counted in in_flight */
	size_t		line;			/* of the log, of the latest request; 0: none */
	bool		writing;		/* waits for EPOLLOUT */
	bool		close_after;
	bool		continued;		/* 100 Continue was sent */
	int64_t		due_us;
	int			heap_at;		/* -1: not in the heap */
	struct Conn *next_dead;
	struct Conn *prev;			/* all that are open */
	struct Conn *next;
} Conn;

/* How often a token was asked about. */
typedef struct TokenCount
{
	char		token[TOKEN_SIZE];
	int			count;
} TokenCount;

typedef struct Settings
{
	long		latency_ms;
	long		jitter_ms;
	double		slow_percent;
	long		slow_ms;
	int			status;
	char		retry_after[64];
	char		key[128];		/* "": any will do */
	bool		hang;
	char		limits[4][64];	/* the limit_headers, "" for none */
} Settings;

typedef struct Server
{
	int			epoll_fd;
	int			listen_fd;
	int			port;
	int			timer_fd;
	Conn	   *conns;
	int64_t		outage_us;		/* until when nobody listens; 0: somebody does */
	int			outage_ms;		/* asked for, begins when the asker has its answer */
	int64_t		timer_us;		/* what timer_fd is set to; 0: off */
	int64_t		started_us;
	int64_t		started_epoch_us;
	int64_t		now_us;
	uint64_t	random;
	Settings	settings;
	Conn	  **heap;
	int			heap_count;
	int			heap_size;
	Conn	   *dead;			/* closed in this round; freed after it, events may still point here */
	TokenCount *tokens;
	size_t		token_count;
	size_t		token_size;		/* power of two */
	LogLine    *log;
	size_t		log_count;
	size_t		log_size;
	long		requests;
	int			in_flight;
	int			max_in_flight;
	long		connections;
	int			open_connections;
	Text		user;			/* message of the last request for issue mining */
	long		by_status[600];
	Text		answer;			/* scratch */
	Text		last_body;		/* of the last completion request */
} Server;

static Server server;
static volatile sig_atomic_t stop_requested;

/* What is left of a provider's own limits: setting and response header. */
static const struct
{
	const char *setting;
	const char *header;
}			limit_headers[4] = {
	{"remaining_requests", "x-ratelimit-remaining-requests"},
	{"reset_requests", "x-ratelimit-reset-requests"},
	{"remaining_tokens", "x-ratelimit-remaining-tokens"},
	{"reset_tokens", "x-ratelimit-reset-tokens"}
};

/* Memory: a test tool may die of its lack. */
static void *
must(void *memory)
{
	if (memory == NULL)
	{
		fputs("fake_model: out of memory\n", stderr);
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
	int			len;

	text_reserve(text, 512);
	va_start(args, format);
	len = vsnprintf(text->data + text->len, text->size - text->len, format, args);
	va_end(args);
	if ((size_t) len >= text->size - text->len)
	{
		text_reserve(text, (size_t) len);
		va_start(args, format);
		vsnprintf(text->data + text->len, text->size - text->len, format, args);
		va_end(args);
	}
	text->len += (size_t) len;
}

/* The inside of a JSON string; bytes above 0x7f pass as they are. */
static void
text_escape(Text *text, const char *data, size_t len)
{
	text_reserve(text, len * 2);
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) data[i];

		if (c == '"' || c == '\\')
		{
			char		pair[2] = {'\\', (char) c};

			text_add(text, pair, 2);
		}
		else if (c < 0x20)
			text_printf(text, "\\u%04x", c);
		else
			text_add(text, data + i, 1);
	}
}

static void
text_clear(Text *text)
{
	text->len = 0;
	if (text->size > KEEP_BUFFER)
	{
		free(text->data);
		*text = (Text) {0};
	}
}

static int64_t
clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double
random_unit(void)
{
	server.random ^= server.random << 13;
	server.random ^= server.random >> 7;
	server.random ^= server.random << 17;
	return (double) (server.random >> 11) / 9007199254740992.0;
}

/* Timer heap, earliest first. */
static void
heap_put(int at, Conn *conn)
{
	server.heap[at] = conn;
	conn->heap_at = at;
}

static void
heap_up(int at, Conn *conn)
{
	while (at > 0 && server.heap[(at - 1) / 2]->due_us > conn->due_us)
	{
		heap_put(at, server.heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(at, conn);
}

static void
heap_down(int at, Conn *conn)
{
	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= server.heap_count)
			break;
		if (child + 1 < server.heap_count && server.heap[child + 1]->due_us < server.heap[child]->due_us)
			child++;
		if (server.heap[child]->due_us >= conn->due_us)
			break;
		heap_put(at, server.heap[child]);
		at = child;
	}
	heap_put(at, conn);
}

static void
heap_add(Conn *conn)
{
	if (server.heap_count == server.heap_size)
	{
		server.heap_size = server.heap_size > 0 ? server.heap_size * 2 : 1024;
		server.heap = must(realloc(server.heap, (size_t) server.heap_size * sizeof(Conn *)));
	}
	heap_up(server.heap_count++, conn);
}

static void
heap_remove(Conn *conn)
{
	int			at = conn->heap_at;
	Conn	   *last;

	if (at < 0)
		return;
	conn->heap_at = -1;
	last = server.heap[--server.heap_count];
	if (last == conn)
		return;
	if (at > 0 && server.heap[(at - 1) / 2]->due_us > last->due_us)
		heap_up(at, last);
	else
		heap_down(at, last);
}

/* Returns how many requests with this token came before. */
static TokenCount *
token_slot(TokenCount *table, size_t size, const char *token)
{
	uint64_t	hash = 1469598103934665603u;

	for (const char *c = token; *c != '\0'; c++)
		hash = (hash ^ (unsigned char) *c) * 1099511628211u;
	for (size_t at = hash & (size - 1);; at = (at + 1) & (size - 1))
	{
		if (table[at].token[0] == '\0' || strcmp(table[at].token, token) == 0)
			return &table[at];
	}
}

static int
count_token(const char *token)
{
	TokenCount *slot;

	if (server.token_count * 2 >= server.token_size)
	{
		size_t		size = server.token_size > 0 ? server.token_size * 2 : 4096;
		TokenCount *table = must(calloc(size, sizeof(TokenCount)));

		for (size_t i = 0; i < server.token_size; i++)
		{
			if (server.tokens[i].token[0] != '\0')
				*token_slot(table, size, server.tokens[i].token) = server.tokens[i];
		}
		free(server.tokens);
		server.tokens = table;
		server.token_size = size;
	}
	slot = token_slot(server.tokens, server.token_size, token);
	if (slot->token[0] == '\0')
	{
		strcpy(slot->token, token);
		server.token_count++;
	}
	return slot->count++;
}

static void
log_request(const Plan *plan, const char *kind, int status)
{
	LogLine    *line;

	if (server.log_count == server.log_size)
	{
		server.log_size = server.log_size > 0 ? server.log_size * 2 : 4096;
		server.log = must(realloc(server.log, server.log_size * sizeof(LogLine)));
	}
	line = &server.log[server.log_count++];
	line->at_us = server.now_us - server.started_us;
	line->gone_us = 0;
	line->status = status;
	line->kind = kind;
	strcpy(line->token, plan->token[0] != '\0' ? plan->token : "-");
	if (status >= 0 && status < 600)
		server.by_status[status]++;
}

static void
set_text(char *target, size_t size, const char *value, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(target, value, len);
	target[len] = '\0';
}

static long
to_long(const char *value, size_t len)
{
	char		copy[32];

	set_text(copy, sizeof(copy), value, len);
	return strtol(copy, NULL, 10);
}

static bool
is_key(const char *key, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(key, name, len) == 0;
}

/* A flag alone is set; "=0" clears it. */
static bool
flag_value(const char *value, size_t len)
{
	return !(len == 1 && value[0] == '0');
}

static Answer
parse_answer(const char *value, size_t len)
{
	for (int i = 0; i < ANSWER_COUNT; i++)
	{
		if (is_key(value, len, answer_names[i]))
			return (Answer) i;
	}
	fprintf(stderr, "fake_model: unknown answer \"%.*s\"\n", (int) len, value);
	return ANSWER_GOOD;
}

static void
apply_directive(Plan *plan, const char *key, size_t key_len, const char *value, size_t len)
{
	if (is_key(key, key_len, "kind"))
		return;
	if (is_key(key, key_len, "status"))
		plan->status = (int) to_long(value, len);
	else if (is_key(key, key_len, "times"))
		plan->times = (int) to_long(value, len);
	else if (is_key(key, key_len, "retry_after"))
		set_text(plan->retry_after, sizeof(plan->retry_after), value, len);
	else if (is_key(key, key_len, "code"))
		set_text(plan->code, sizeof(plan->code), value, len);
	else if (is_key(key, key_len, "latency"))
		plan->latency_ms = to_long(value, len);
	else if (is_key(key, key_len, "answer"))
		plan->answer = parse_answer(value, len);
	else if (is_key(key, key_len, "category"))
		set_text(plan->category, sizeof(plan->category), value, len);
	else if (is_key(key, key_len, "urgency"))
		set_text(plan->urgency, sizeof(plan->urgency), value, len);
	else if (is_key(key, key_len, "sentiment"))
		set_text(plan->sentiment, sizeof(plan->sentiment), value, len);
	else if (is_key(key, key_len, "action"))
		set_text(plan->action, sizeof(plan->action), value, len);
	else if (is_key(key, key_len, "cause"))
		set_text(plan->cause, sizeof(plan->cause), value, len);
	else if (is_key(key, key_len, "confidence"))
		set_text(plan->confidence, sizeof(plan->confidence), value, len);
	else if (is_key(key, key_len, "model"))
		set_text(plan->model, sizeof(plan->model), value, len);
	else if (is_key(key, key_len, "cost"))
		set_text(plan->cost, sizeof(plan->cost), value, len);
	else if (is_key(key, key_len, "cut"))
		plan->cut = flag_value(value, len);
	else if (is_key(key, key_len, "hang"))
		plan->hang = flag_value(value, len);
	else if (is_key(key, key_len, "garbage"))
		plan->garbage = flag_value(value, len);
	else if (is_key(key, key_len, "echo"))
		plan->echo = flag_value(value, len);
	else if (is_key(key, key_len, "reset"))
		plan->reset = flag_value(value, len);
	else
		fprintf(stderr, "fake_model: unknown key \"%.*s\"\n", (int) key_len, key);
}

/* The ticket stands in a JSON string: a backslash begins an escape, so it ends a word, like the quote and the space. */
static bool
ends_word(char c)
{
	return c == ' ' || c == ']' || c == '"' || c == '\\' || c == '\0';
}

/* Of a conversation the last word counts; elsewhere what is behind the first text belongs to others. */
static bool
is_talk(Kind kind)
{
	return kind == KIND_CHAT_REPLY || kind == KIND_SUMMARIZE;
}

/* "kind=match_issues" in front: meant for requests of that kind only. */
static bool
is_for_kind(Kind kind, const char *directive)
{
	size_t		len = strlen(kind_names[kind]);

	if (strncmp(directive, "kind=", 5) != 0)
		return true;
	return strncmp(directive + 5, kind_names[kind], len) == 0 && (directive[5 + len] == ' ' || directive[5 + len] == ']');
}

static void
read_directives(Plan *plan, const char *body, size_t len)
{
	static const char opening[] = "[[fake ";
	const char *at = NULL;
	/* what is said of a label is not said of the issue */
	const char *labels = plan->kind == KIND_MATCH_ISSUES ? memmem(body, len, " label none:", 12) : NULL;

	if (labels != NULL)
		len = (size_t) (labels - body);
	for (const char *next = body;
		 (at == NULL || is_talk(plan->kind)) &&
		 (next = memmem(next, len - (size_t) (next - body), opening, sizeof(opening) - 1)) != NULL;)
	{
		next += sizeof(opening) - 1;
		if (is_for_kind(plan->kind, next))
			at = next;
	}
	if (at == NULL)
		return;
	while (*at != ']' && *at != '\0' && *at != '"' && *at != '\\')
	{
		const char *key = at;
		const char *value;
		size_t		key_len;

		while (!ends_word(*at) && *at != '=')
			at++;
		key_len = (size_t) (at - key);
		value = *at == '=' ? ++at : at;
		while (!ends_word(*at))
			at++;
		if (key_len > 0)
			apply_directive(plan, key, key_len, value, (size_t) (at - value));
		while (*at == ' ')
			at++;
	}
}

static void
read_token(Plan *plan, const char *body, size_t len)
{
	static const char prefix[] = "TOKEN-";
	const char *end = body + len;
	const char *at = body;

	while ((at = memmem(at, (size_t) (end - at), prefix, sizeof(prefix) - 1)) != NULL)
	{
		const char *stop = at + sizeof(prefix) - 1;

		while (stop < end && ((*stop >= '0' && *stop <= '9') || (*stop >= 'a' && *stop <= 'z') ||
							  (*stop >= 'A' && *stop <= 'Z')))
			stop++;
		if (stop > at + sizeof(prefix) - 1)
		{
			set_text(plan->token, sizeof(plan->token), at, (size_t) (stop - at));
			if (!is_talk(plan->kind))
				return;
		}
		at = stop;
	}
}

/* Copies the JSON string after key, still escaped, e.g. the first label of "category": {"enum": ["label", ...]}. */
static bool
find_string(const char *body, size_t len, const char *key, const char *inner, char *target, size_t size)
{
	const char *at = memmem(body, len, key, strlen(key));
	const char *start;

	if (at != NULL && inner != NULL)
		at = strstr(at, inner);
	if (at == NULL)
		return false;
	at += strlen(inner != NULL ? inner : key);
	while (*at == ' ' || *at == ':' || *at == '[' || *at == '\n' || *at == '\t')
		at++;
	if (*at != '"')
		return false;
	start = ++at;
	while (*at != '"' && *at != '\0')
		at += *at == '\\' && at[1] != '\0' ? 2 : 1;
	set_text(target, size, start, (size_t) (at - start));
	return true;
}

/* What the user message says, without the escapes of JSON; \uXXXX stays as it is. */
static void
read_user_text(Text *text, const char *body, size_t len)
{
	static const char opening[] = "\"role\":\"user\",\"content\":\"";
	const char *at = memmem(body, len, opening, sizeof(opening) - 1);

	text_clear(text);
	text_puts(text, "");
	if (at == NULL)
		return;
	for (at += sizeof(opening) - 1; *at != '"' && *at != '\0'; at++)
	{
		char		c = *at;

		if (c == '\\' && at[1] != '\0' && at[1] != 'u')
		{
			at++;
			c = *at == 'n' ? '\n' : *at == 't' ? '\t' : *at == 'r' ? '\r' : *at;
		}
		text_add(text, &c, 1);
	}
}

static void
make_plan(Plan *plan, const char *body, size_t len)
{
	char		name[32];

	*plan = (Plan) {.status = 200,.latency_ms = -1,.urgency = "medium",.sentiment = "5",.action = "answer",.cause = "none",
	.confidence = "0.9"};
	if (find_string(body, len, "\"json_schema\"", "\"name\"", name, sizeof(name)))
		for (int i = 0; i < KIND_COUNT; i++)
			if (strcmp(name, kind_names[i]) == 0)
				plan->kind = (Kind) i;
	read_token(plan, body, len);
	read_directives(plan, body, len);
	if (plan->kind > KIND_SUMMARIZE)
		read_user_text(&server.user, body, len);
	if (plan->token[0] != '\0')
	{
		char		counted[TOKEN_SIZE];
		int			earlier;

		/* a ticket is asked about by several kinds */
		set_text(counted, sizeof(counted), plan->token, strlen(plan->token));
		if (plan->kind > KIND_SUMMARIZE)
			snprintf(counted, sizeof(counted), "%d/%.40s", (int) plan->kind, plan->token);
		earlier = count_token(counted);

		if (plan->times > 0 && earlier >= plan->times)
		{
			plan->status = 200;
			plan->retry_after[0] = '\0';
			plan->latency_ms = -1;
			plan->answer = ANSWER_GOOD;
			plan->cut = plan->hang = plan->garbage = plan->reset = plan->echo = false;
		}
	}
	if (server.settings.status != 0)
	{
		plan->status = server.settings.status;
		if (server.settings.retry_after[0] != '\0')
			strcpy(plan->retry_after, server.settings.retry_after);
	}
	if (server.settings.hang)
		plan->hang = true;
	if (plan->category[0] == '\0' &&
		!find_string(body, len, "\"category\"", "\"enum\"", plan->category, sizeof(plan->category)))
		strcpy(plan->category, "other");
}

static void
good_chat_reply(Text *out, const Plan *plan)
{
	text_printf(out, "{\"reply\":\"About %s: we hear you.\",\"action\":\"%s\"", plan->token, plan->action);
	if (plan->answer != ANSWER_MINIMAL)
		text_printf(out, ",\"cause\":\"%s\",\"reason\":\"because of %s\",\"confidence\":%s,\"sentiment_score\":%s",
					plan->cause, plan->token, plan->confidence, plan->sentiment);
	text_puts(out, "}");
}

static void
good_summary(Text *out, const Plan *plan)
{
	text_printf(out, "{\"summary\":\"A conversation about %s.\"", plan->token);
	if (plan->answer != ANSWER_MINIMAL)
		text_printf(out, ",\"customer_request\":\"help with %s\",\"open_questions\":[\"what is %s?\"],"
					"\"sentiment_score\":%s,\"language\":\"en\"", plan->token, plan->token, plan->sentiment);
	text_puts(out, "}");
}

static void
put_part(Text *out, const char *key, const char *value, size_t len)
{
	text_printf(out, "\"%s\":\"", key);
	text_escape(out, value, len);
	text_puts(out, "\"");
}

/* One line's parts between bars; the last may be left out. */
static void
good_issue(Text *out, const Plan *plan, const char *line, size_t len)
{
	static const char *const keys[] = {"area", "issue_type", "severity", "summary", "quote"};
	bool		unknown = strcmp(plan->action, NO_LABEL) == 0;

	text_puts(out, "{");
	for (int i = 0; i < 5 && (i == 0 || len > 0); i++)
	{
		const char *bar = i < 4 ? memchr(line, '|', len) : NULL;
		size_t		part = bar != NULL ? (size_t) (bar - line) : len;

		text_puts(out, i > 0 ? "," : "");
		if (i == 0 && unknown)
			put_part(out, keys[i], NO_LABEL, strlen(NO_LABEL));
		else
			put_part(out, keys[i], line, part);
		line += part;
		len -= part;
		if (bar != NULL)
		{
			line++;
			len--;
		}
	}
	if (plan->answer != ANSWER_MINIMAL)
		text_printf(out, ",\"confidence\":%s", strcmp(plan->sentiment, "99") == 0 ? "99" : plan->confidence);
	text_puts(out, "}");
}

static void
good_issues(Text *out, const Plan *plan)
{
	const char *line = server.user.data;
	int			count = 0;

	text_puts(out, "{\"issues\":[");
	while (*line != '\0')
	{
		size_t		len = strcspn(line, "\n");

		if (strncmp(line, "ISSUE ", 6) == 0)
		{
			text_puts(out, count++ > 0 ? "," : "");
			good_issue(out, plan, line + 6, len - 6);
		}
		line += line[len] == '\n' ? len + 1 : len;
	}
	text_puts(out, "]}");
}

/* The token in the text from here to the next line of the boundary; "" when there is none. */
static void
token_of_text(const char *at, const char *boundary, char *token)
{
	const char *end = strstr(at, boundary);
	size_t		len;

	at = strstr(at, "TOKEN-");
	token[0] = '\0';
	if (at == NULL || (end != NULL && at > end))
		return;
	len = strspn(at + 6, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") + 6;
	set_text(token, TOKEN_SIZE, at, len);
}

/* The first label that has the token in its note. */
static void
label_of_token(const char *labels, const char *boundary, const char *token, char *label, size_t size)
{
	char		opening[128];
	const char *at = labels;

	strcpy(label, "none");
	if (token[0] == '\0')
		return;
	snprintf(opening, sizeof(opening), "%s label ", boundary);
	while ((at = strstr(at, opening)) != NULL)
	{
		const char *name = at + strlen(opening);
		size_t		len = strcspn(name, "\n");
		const char *note = name + len;
		const char *end = strstr(note, boundary);
		const char *found = strstr(note, token);
		size_t		token_len = strlen(token);

		if (found != NULL && (end == NULL || found < end) && strchr(" .,;:\n\"'\0", found[token_len]) != NULL)
		{
			set_text(label, size, name, len - 1);	/* without the colon */
			return;
		}
		at = note;
	}
}

static void
good_matches(Text *out, const Plan *plan)
{
	char		boundary[64] = "";
	char		opening[128];
	const char *begins = strstr(server.user.data, " begins -----\n");
	const char *at = begins;
	int			count = 0;

	while (at != NULL && at > server.user.data && at[-1] != ' ')
		at--;
	if (at != NULL)
		set_text(boundary, sizeof(boundary), at, (size_t) (begins - at));
	snprintf(opening, sizeof(opening), "%s issue ", boundary);
	text_puts(out, "{\"matches\":[");
	for (at = begins; at != NULL && (at = strstr(at, opening)) != NULL; count++)
	{
		char		token[TOKEN_SIZE];
		char		label[128];

		at += strlen(opening);
		token_of_text(at, boundary, token);
		label_of_token(at, boundary, token, label, sizeof(label));
		if (strcmp(plan->action, NO_LABEL) == 0)
			strcpy(label, NO_LABEL);
		text_printf(out, "%s{\"issue\":%ld,", count > 0 ? "," : "",
					strcmp(plan->sentiment, "99") == 0 ? 99L : strtol(at, NULL, 10));
		put_part(out, "cluster", label, strlen(label));
		if (plan->answer != ANSWER_MINIMAL)
			text_printf(out, ",\"confidence\":%s,\"reason\":\"because of %s\"", plan->confidence, token);
		text_puts(out, "}");
	}
	text_puts(out, "]}");
}

static void
good_content(Text *out, const Plan *plan)
{
	const char *token = plan->token[0] != '\0' ? plan->token : "your message";

	if (plan->kind == KIND_CHAT_REPLY)
	{
		good_chat_reply(out, plan);
		return;
	}
	if (plan->kind == KIND_SUMMARIZE)
	{
		good_summary(out, plan);
		return;
	}
	if (plan->kind == KIND_EXTRACT_ISSUES)
	{
		good_issues(out, plan);
		return;
	}
	if (plan->kind == KIND_MATCH_ISSUES)
	{
		good_matches(out, plan);
		return;
	}
	if (plan->kind == KIND_NAME_CLUSTER)
	{
		text_printf(out, "{\"name\":\"Cluster about %s\",\"summary\":\"Customers report %s.\"}", token, token);
		return;
	}
	text_printf(out, "{\"category\":\"%s\",\"urgency\":\"%s\",\"sentiment_score\":%s,"
				"\"draft_reply\":\"Hello, thank you for writing. We are looking into %s and will be back soon.%s%s\"",
				plan->category, plan->urgency, plan->sentiment, token, plan->key[0] != '\0' ? " Key: " : "", plan->key);
	if (plan->answer != ANSWER_MINIMAL)
		text_printf(out, ",\"summary\":\"A customer asks about %s.\",\"language\":\"en\",\"confidence\":0.9,"
					"\"needs_human\":false", token);
	text_puts(out, "}");
}

static void
fill(Text *out, char c, size_t count)
{
	text_reserve(out, count);
	memset(out->data + out->len, c, count);
	out->len += count;
	out->data[out->len] = '\0';
}

/* The text of the model's message. */
static void
make_content(Text *out, const Plan *plan)
{
	Plan		changed = *plan;

	switch (plan->answer)
	{
		case ANSWER_NOTJSON:
			text_printf(out, "I believe that %s is about an invoice.", plan->token);
			break;
		case ANSWER_TRUNCATED:
		case ANSWER_LENGTH:
			good_content(out, plan);
			out->len = out->len * 2 / 3;
			break;
		case ANSWER_WRONGTYPES:
			text_printf(out, "{\"category\":7,\"urgency\":[\"high\"],\"sentiment_score\":\"very\","
						"\"%s\":{\"text\":\"%s\"},\"needs_human\":\"maybe\"}", kind_texts[plan->kind], plan->token);
			break;
		case ANSWER_UNKNOWNLABEL:
			strcpy(changed.category, NO_LABEL);
			strcpy(changed.action, NO_LABEL);
			good_content(out, &changed);
			break;
		case ANSWER_OUTOFRANGE:
			strcpy(changed.sentiment, "99");
			good_content(out, &changed);
			break;
		case ANSWER_HUGE:
			text_printf(out, "{\"category\":\"%s\",\"urgency\":\"%s\",\"sentiment_score\":%s,\"%s\":\"%s ",
						plan->category, plan->urgency, plan->sentiment, kind_texts[plan->kind], plan->token);
			fill(out, 'x', HUGE_ANSWER);
			text_puts(out, "\"}");
			break;
		case ANSWER_DEEP:
			text_puts(out, "{\"category\":");
			fill(out, '[', DEEP_ANSWER);
			fill(out, ']', DEEP_ANSWER);
			text_puts(out, "}");
			break;
		case ANSWER_FENCED:
			text_puts(out, "```json\n");
			good_content(out, plan);
			text_puts(out, "\n```");
			break;
		case ANSWER_NUL:
			text_printf(out, "{\"category\":\"%s\",\"urgency\":\"%s\",\"sentiment_score\":%s,"
						"\"%s\":\"before\\u0000after %s\"}",
						plan->category, plan->urgency, plan->sentiment, kind_texts[plan->kind], plan->token);
			break;
		case ANSWER_BADUTF8:
			text_printf(out, "{\"category\":\"%s\",\"urgency\":\"%s\",\"sentiment_score\":%s,"
						"\"%s\":\"caf\xe9 \xc3( \xed\xa0\x80 %s\"}",
						plan->category, plan->urgency, plan->sentiment, kind_texts[plan->kind], plan->token);
			break;
		case ANSWER_EMPTY:
		case ANSWER_REFUSAL:
		case ANSWER_CONTENTFILTER:
		case ANSWER_ERROR200:
			break;
		default:
			good_content(out, plan);
	}
}

static const char *
finish_reason(Answer answer)
{
	if (answer == ANSWER_LENGTH)
		return "length";
	return answer == ANSWER_CONTENTFILTER ? "content_filter" : "stop";
}

static void
make_completion(Text *out, const Plan *plan, const char *model, size_t request_len)
{
	Text	   *content = &server.answer;
	long		prompt_tokens = (long) request_len / 4;
	long		completion_tokens;

	text_clear(content);
	make_content(content, plan);
	completion_tokens = (long) content->len / 4;
	text_printf(out, "{\"id\":\"chatcmpl-%ld\",\"object\":\"chat.completion\",\"created\":%lld,\"model\":\"%s\","
				"\"choices\":[{\"index\":0,\"finish_reason\":\"%s\",\"logprobs\":null,"
				"\"message\":{\"role\":\"assistant\",\"content\":",
				server.requests, (long long) time(NULL), plan->model[0] != '\0' ? plan->model : model, finish_reason(plan->answer));
	if (plan->answer == ANSWER_REFUSAL)
		text_puts(out, "null,\"refusal\":\"I cannot help with that.\"");
	else if (plan->answer == ANSWER_CONTENTFILTER)
		text_puts(out, "null,\"refusal\":null");
	else
	{
		text_puts(out, "\"");
		text_escape(out, content->data != NULL ? content->data : "", content->len);
		text_puts(out, "\",\"refusal\":null");
	}
	text_printf(out, "}}],\"usage\":{\"prompt_tokens\":%ld,\"completion_tokens\":%ld,\"total_tokens\":%ld,"
				"\"prompt_tokens_details\":{\"cached_tokens\":%ld},"
				"\"completion_tokens_details\":{\"reasoning_tokens\":0}%s%s}}",
				prompt_tokens, completion_tokens, prompt_tokens + completion_tokens, prompt_tokens / 2,
				plan->cost[0] != '\0' ? ",\"cost\":" : "", plan->cost);
}

static void
make_error(Text *out, const Plan *plan)
{
	static const struct
	{
		int			status;
		const char *type;
		const char *code;
		const char *message;
	}			errors[] = {
		{400, "invalid_request_error", "invalid_value", "The request is not valid."},
		{401, "invalid_request_error", "invalid_api_key", "The key is not valid."},
		{402, "insufficient_quota", "insufficient_quota", "The account has no credit left."},
		{403, "invalid_request_error", "permission_denied", "The key may not use this model."},
		{404, "invalid_request_error", "model_not_found", "The model does not exist."},
		{413, "invalid_request_error", "request_too_large", "The request is too large."},
		{429, "requests", "rate_limit_exceeded", "The rate limit was reached."},
		{503, "server_error", "overloaded", "The server is overloaded."},
		{0, "server_error", "server_error", "The server had an error."}
	};
	int			i = 0;

	while (errors[i].status != 0 && errors[i].status != plan->status)
		i++;
	text_printf(out, "{\"error\":{\"message\":\"%s%s%s\",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}",
				errors[i].message, plan->key[0] != '\0' ? " You sent " : "", plan->key, plan->code[0] != '\0' ? plan->code : errors[i].type,
				plan->code[0] != '\0' ? plan->code : errors[i].code);
}

static const char *
status_text(int status)
{
	switch (status)
	{
		case 200:
			return "OK";
		case 302:
			return "Found";
		case 400:
			return "Bad Request";
		case 401:
			return "Unauthorized";
		case 404:
			return "Not Found";
		case 429:
			return "Too Many Requests";
		case 500:
			return "Internal Server Error";
		case 503:
			return "Service Unavailable";
		default:
			return "Status";
	}
}

/* Renewed once a second: strftime for each answer would be seen in a profile. */
static const char *
date_header(void)
{
	static char text[64];
	static time_t at;
	time_t		now = time(NULL);

	if (now != at)
	{
		struct tm	parts;

		at = now;
		gmtime_r(&now, &parts);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
	}
	return text;
}

/* Head and body into conn->out; the body is what write_body put behind position head. */
static void
add_response(Conn *conn, int status, const char *content_type, const char *extra, const Text *body)
{
	text_printf(&conn->out, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n%s\r\n",
				status, status_text(status), date_header(), content_type, extra, body->len,
				conn->close_after ? "Connection: close\r\n" : "");
	if (body->len > 0)
		text_add(&conn->out, body->data, body->len);
}

static void
conn_close(Conn *conn)
{
	if (conn->fd < 0)
		return;
	heap_remove(conn);
	if (conn->thinking)
		server.in_flight--;
	conn->thinking = false;
	close(conn->fd);
	conn->fd = -1;
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		server.conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	server.open_connections--;
	conn->next_dead = server.dead;
	server.dead = conn;
}

static void
free_dead(void)
{
	while (server.dead != NULL)
	{
		Conn	   *conn = server.dead;

		server.dead = conn->next_dead;
		free(conn->in.data);
		free(conn->out.data);
		free(conn);
	}
}

static void
watch(Conn *conn, uint32_t events)
{
	struct epoll_event event = {.events = events,.data.ptr = conn};

	epoll_ctl(server.epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

/* Sends what there is; true when all of it went out and the connection stays. */
static bool
conn_send(Conn *conn)
{
	while (conn->sent < conn->out.len)
	{
		ssize_t		n = send(conn->fd, conn->out.data + conn->sent, conn->out.len - conn->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
		{
			if (!conn->writing)
				watch(conn, EPOLLIN | EPOLLOUT);
			conn->writing = true;
			return false;
		}
		if (n < 0)
		{
			conn_close(conn);
			return false;
		}
		conn->sent += (size_t) n;
	}
	if (conn->writing)
		watch(conn, EPOLLIN);
	conn->writing = false;
	conn->sent = 0;
	text_clear(&conn->out);
	if (conn->close_after)
	{
		/* the peer must get all of it before it hears of the close: no reset by unread input */
		shutdown(conn->fd, SHUT_WR);
		conn_close(conn);
		return false;
	}
	conn->busy = false;
	return true;
}

static int64_t
latency_us(const Plan *plan)
{
	const Settings *settings = &server.settings;
	double		ms = (double) settings->latency_ms;

	if (plan->latency_ms >= 0)
		return plan->latency_ms * 1000;
	if (settings->slow_percent > 0 && random_unit() * 100.0 < settings->slow_percent)
		return settings->slow_ms * 1000;
	if (settings->jitter_ms > 0)
		ms += (2 * random_unit() - 1) * (double) settings->jitter_ms;
	return ms > 0 ? (int64_t) (ms * 1000) : 0;
}

/* Puts the answer to one request into conn->out. */
static void
make_answer(Conn *conn, const Plan *plan, const char *request, size_t request_len)
{
	static Text body;
	char		model[128] = "fake-model";
	char		extra[1024];
	int			used;

	if (plan->garbage)
	{
		text_add(&conn->out, "\x16\x03 this is not HTTP\n\x7f", 20);
		conn->close_after = true;
		return;
	}
	find_string(request, request_len, "\"model\":", NULL, model, sizeof(model));
	text_clear(&body);
	if (plan->status == 200 && plan->answer != ANSWER_ERROR200)
		make_completion(&body, plan, model, request_len);
	else
		make_error(&body, plan);
	used = snprintf(extra, sizeof(extra), "x-request-id: req-%ld%s\r\n", server.requests, plan->key);
	if (plan->retry_after[0] != '\0')
		used += snprintf(extra + used, sizeof(extra) - (size_t) used, "retry-after: %s\r\n", plan->retry_after);
	for (int i = 0; i < 4; i++)
		if (server.settings.limits[i][0] != '\0')
			used += snprintf(extra + used, sizeof(extra) - (size_t) used, "%s: %s\r\n", limit_headers[i].header,
							 server.settings.limits[i]);
	add_response(conn, plan->status, "application/json", extra, &body);
	if (plan->cut)
	{
		conn->out.len -= body.len / 2;
		conn->close_after = true;
	}
}

static const char *
plan_kind(const Plan *plan)
{
	if (plan->reset)
		return "reset";
	if (plan->hang)
		return "hang";
	if (plan->garbage)
		return "garbage";
	if (plan->cut)
		return "cut";
	return plan->status == 200 ? answer_names[plan->answer] : "error";
}

/* The bearer token of the request at the front of conn->in. */
static void
read_key(Conn *conn, char *key, size_t size)
{
	static const char name[] = "Authorization: Bearer ";
	const char *at = strstr(conn->in.data, name);

	if (at != NULL)
		set_text(key, size, at + sizeof(name) - 1, strcspn(at + sizeof(name) - 1, "\r\n"));
}

/* Not closed: taken away, as by a crashed machine's successor. */
static void
conn_reset(Conn *conn)
{
	struct linger none = {.l_onoff = 1,.l_linger = 0};

	setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	conn_close(conn);
}

static void
serve_completion(Conn *conn, bool key_fits, const char *body, size_t len)
{
	Plan		plan;
	int64_t		delay;

	make_plan(&plan, body, len);
	if (plan.echo)
		read_key(conn, plan.key, sizeof(plan.key));
	text_clear(&server.last_body);
	text_add(&server.last_body, body, len);
	if (!key_fits)
	{
		plan.status = 401;
		plan.reset = plan.hang = plan.garbage = plan.cut = false;
		plan.code[0] = plan.retry_after[0] = '\0';
	}
	server.requests++;
	conn->busy = true;
	conn->thinking = true;
	if (++server.in_flight > server.max_in_flight)
		server.max_in_flight = server.in_flight;
	log_request(&plan, plan_kind(&plan), plan.hang || plan.garbage || plan.reset ? 0 : plan.status);
	conn->line = server.log_count;
	if (plan.reset)
	{
		conn_reset(conn);
		return;
	}
	if (plan.hang)
		return;

	make_answer(conn, &plan, body, len);
	delay = latency_us(&plan);
	if (delay > 0)
	{
		conn->due_us = server.now_us + delay;
		heap_add(conn);
		return;
	}
	conn->thinking = false;
	server.in_flight--;
	conn_send(conn);
}

static void
reply_text(Conn *conn, int status, const char *type, Text *body)
{
	conn->busy = true;
	add_response(conn, status, type, "", body);
	conn_send(conn);
	free(body->data);
}

static void
serve_stats(Conn *conn)
{
	Text		body = {0};
	bool		first = true;

	text_printf(&body, "{\"requests\": %ld, \"in_flight\": %d, \"max_in_flight\": %d, \"connections\": %ld, "
				"\"open_connections\": %d, \"started_at_us\": %lld, \"by_status\": {",
				server.requests, server.in_flight, server.max_in_flight, server.connections,
				server.open_connections, (long long) server.started_epoch_us);
	for (int status = 0; status < 600; status++)
	{
		if (server.by_status[status] == 0)
			continue;
		text_printf(&body, "%s\"%d\": %ld", first ? "" : ", ", status, server.by_status[status]);
		first = false;
	}
	text_puts(&body, "}}\n");
	reply_text(conn, 200, "application/json", &body);
}

static void
serve_log(Conn *conn)
{
	Text		body = {0};

	for (size_t i = 0; i < server.log_count; i++)
	{
		const LogLine *line = &server.log[i];

		text_printf(&body, "%zu %.3f %s %d %s\n", i + 1, (double) line->at_us / 1000.0, line->token, line->status,
					line->kind);
	}
	reply_text(conn, 200, "text/plain", &body);
}

/* Requests that were cut off: when, and whose. */
static void
serve_gone(Conn *conn)
{
	Text		body = {0};

	for (size_t i = 0; i < server.log_count; i++)
	{
		if (server.log[i].gone_us > 0)
			text_printf(&body, "%.3f %s\n", (double) server.log[i].gone_us / 1000.0, server.log[i].token);
	}
	reply_text(conn, 200, "text/plain", &body);
}

static void
serve_last_body(Conn *conn)
{
	Text		body = {0};

	text_add(&body, server.last_body.data != NULL ? server.last_body.data : "", server.last_body.len);
	reply_text(conn, 200, "application/json", &body);
}

/* Every answer that is being waited for is due; run_timers() follows. */
static void
release_answers(void)
{
	for (int i = 0; i < server.heap_count; i++)
		server.heap[i]->due_us = server.now_us;
}

static bool
apply_setting(const char *key, size_t key_len, const char *value, size_t len)
{
	Settings   *settings = &server.settings;

	for (int i = 0; i < 4; i++)
	{
		if (!is_key(key, key_len, limit_headers[i].setting))
			continue;
		set_text(settings->limits[i], sizeof(settings->limits[i]), value, len);
		return true;
	}
	if (is_key(key, key_len, "latency_ms"))
		settings->latency_ms = to_long(value, len);
	else if (is_key(key, key_len, "jitter_ms"))
		settings->jitter_ms = to_long(value, len);
	else if (is_key(key, key_len, "slow_percent"))
		settings->slow_percent = strtod(value, NULL);
	else if (is_key(key, key_len, "slow_ms"))
		settings->slow_ms = to_long(value, len);
	else if (is_key(key, key_len, "status"))
		settings->status = (int) to_long(value, len);
	else if (is_key(key, key_len, "retry_after"))
		set_text(settings->retry_after, sizeof(settings->retry_after), value, len);
	else if (is_key(key, key_len, "hang"))
		settings->hang = flag_value(value, len);
	else if (is_key(key, key_len, "key"))
		set_text(settings->key, sizeof(settings->key), value, len);
	else if (is_key(key, key_len, "outage_ms"))
		server.outage_ms = (int) to_long(value, len);
	else if (is_key(key, key_len, "release"))
		release_answers();
	else
		return false;
	return true;
}

static void
serve_config(Conn *conn, const char *text, size_t len)
{
	Text		body = {0};
	const char *end = text + len;
	int			status = 200;

	while (text < end && status == 200)
	{
		const char *stop = memchr(text, '&', (size_t) (end - text));
		const char *equals;

		if (stop == NULL)
			stop = end;
		equals = memchr(text, '=', (size_t) (stop - text));
		if (equals == NULL || !apply_setting(text, (size_t) (equals - text), equals + 1, (size_t) (stop - equals - 1)))
		{
			text_printf(&body, "unknown setting: %.*s\n", (int) (stop - text), text);
			status = 400;
		}
		text = stop + 1;
	}
	if (status == 200)
		text_puts(&body, "ok\n");
	reply_text(conn, status, "text/plain", &body);
}

/* Counters, log and tokens; not the settings. */
static void
serve_reset(Conn *conn)
{
	Text		body = {0};

	server.requests = 0;
	server.max_in_flight = server.in_flight;
	server.connections = 0;
	server.log_count = 0;
	for (Conn *open = server.conns; open != NULL; open = open->next)
		open->line = 0;
	memset(server.by_status, 0, sizeof(server.by_status));
	free(server.tokens);
	server.tokens = NULL;
	server.token_count = server.token_size = 0;
	text_puts(&body, "ok\n");
	reply_text(conn, 200, "text/plain", &body);
}

static void
serve_not_found(Conn *conn)
{
	Text		body = {0};

	text_puts(&body, "{\"error\":{\"message\":\"Not found.\",\"type\":\"invalid_request_error\",\"code\":null}}");
	reply_text(conn, 404, "application/json", &body);
}

typedef struct Request
{
	const char *method;
	size_t		method_len;
	const char *path;
	size_t		path_len;
	bool		key_fits;
	const char *body;
	size_t		body_len;
} Request;

static bool
ends_with(const char *text, size_t len, const char *tail)
{
	size_t		tail_len = strlen(tail);

	return len >= tail_len && memcmp(text + len - tail_len, tail, tail_len) == 0;
}

static void
serve(Conn *conn, const Request *request)
{
	bool		post = is_key(request->method, request->method_len, "POST");
	bool		get = is_key(request->method, request->method_len, "GET");

	if (post && ends_with(request->path, request->path_len, "/chat/completions"))
		serve_completion(conn, request->key_fits, request->body, request->body_len);
	else if (get && is_key(request->path, request->path_len, "/stats"))
		serve_stats(conn);
	else if (get && is_key(request->path, request->path_len, "/log"))
		serve_log(conn);
	else if (get && is_key(request->path, request->path_len, "/gone"))
		serve_gone(conn);
	else if (get && is_key(request->path, request->path_len, "/body"))
		serve_last_body(conn);
	else if (post && is_key(request->path, request->path_len, "/config"))
		serve_config(conn, request->body, request->body_len);
	else if (post && is_key(request->path, request->path_len, "/reset"))
		serve_reset(conn);
	else
		serve_not_found(conn);
}

/* Value of a header in a head that ends in a NUL, or NULL. */
static const char *
head_value(const char *head, const char *name)
{
	size_t		len = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n"))
	{
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
		{
			line += len + 1;
			while (*line == ' ')
				line++;
			return line;
		}
	}
	return NULL;
}

static bool
read_head(Conn *conn, char *head, Request *request)
{
	const char *value;
	char	   *space = strchr(head, ' ');
	char	   *path_end;

	if (space == NULL || (path_end = strchr(space + 1, ' ')) == NULL || head_value(head, "Transfer-Encoding") != NULL)
		return false;
	request->method = head;
	request->method_len = (size_t) (space - head);
	request->path = space + 1;
	request->path_len = (size_t) (path_end - space - 1);
	value = head_value(head, "Content-Length");
	request->body_len = value != NULL ? strtoul(value, NULL, 10) : 0;
	value = head_value(head, "Connection");
	conn->close_after = value != NULL && strncasecmp(value, "close", 5) == 0;
	value = head_value(head, "Authorization");
	request->key_fits = server.settings.key[0] == '\0' ||
		(value != NULL && strncmp(value, "Bearer ", 7) == 0 &&
		 strncmp(value + 7, server.settings.key, strlen(server.settings.key)) == 0 &&
		 value[7 + strlen(server.settings.key)] == '\r');
	value = head_value(head, "Expect");
	if (value != NULL && !conn->continued)
	{
		conn->continued = true;
		if (send(conn->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL) != 25)
			return false;
	}
	return request->body_len <= MAX_BODY;
}

/* Serves the request at the front of conn->in; false when it is not complete, or the connection is gone. */
static bool
serve_next(Conn *conn)
{
	Request		request;
	char	   *head_end;
	size_t		head_len;
	size_t		total;
	char		saved;
	bool		valid;

	head_end = conn->in.len > 0 ? memmem(conn->in.data, conn->in.len, "\r\n\r\n", 4) : NULL;
	if (head_end == NULL)
	{
		/* too long, or no HTTP (a TLS handshake): do not wait for its end */
		if (conn->in.len > MAX_HEAD || (conn->in.len > 0 && (conn->in.data[0] < 'A' || conn->in.data[0] > 'Z')))
			conn_close(conn);
		return false;
	}
	head_len = (size_t) (head_end - conn->in.data) + 4;
	head_end[2] = '\0';
	valid = read_head(conn, conn->in.data, &request);
	head_end[2] = '\r';
	if (!valid)
	{
		conn_close(conn);
		return false;
	}
	total = head_len + request.body_len;
	if (conn->in.len < total)
		return false;

	/* a NUL behind the body, where the next request may begin */
	conn->continued = false;
	request.body = conn->in.data + head_len;
	saved = conn->in.data[total];
	conn->in.data[total] = '\0';
	serve(conn, &request);
	conn->in.data[total] = saved;
	memmove(conn->in.data, conn->in.data + total, conn->in.len - total);
	conn->in.len -= total;
	conn->in.data[conn->in.len] = '\0';
	if (conn->in.len == 0)
		text_clear(&conn->in);
	return conn->fd >= 0;
}

static void
conn_read(Conn *conn)
{
	ssize_t		n;

	text_reserve(&conn->in, 4096);
	n = recv(conn->fd, conn->in.data + conn->in.len, conn->in.size - conn->in.len - 1, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
	{
		if (conn->thinking && conn->line > 0)
			server.log[conn->line - 1].gone_us = server.now_us - server.started_us;
		conn_close(conn);
		return;
	}
	conn->in.len += (size_t) n;
	conn->in.data[conn->in.len] = '\0';
	while (!conn->busy && serve_next(conn))
		;
}

static void
accept_all(void)
{
	int			one = 1;
	int			fd;

	while ((fd = accept4(server.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
	{
		Conn	   *conn = must(calloc(1, sizeof(Conn)));
		struct epoll_event event = {.events = EPOLLIN,.data.ptr = conn};

		conn->fd = fd;
		conn->heap_at = -1;
		conn->next = server.conns;
		if (server.conns != NULL)
			server.conns->prev = conn;
		server.conns = conn;
		server.connections++;
		server.open_connections++;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
			conn_close(conn);
	}
}

static void
run_timers(void)
{
	while (server.heap_count > 0 && server.heap[0]->due_us <= server.now_us)
	{
		Conn	   *conn = server.heap[0];

		heap_remove(conn);
		conn->thinking = false;
		server.in_flight--;
		if (conn_send(conn))
		{
			while (!conn->busy && serve_next(conn))
				;
		}
	}
}

/* A descriptor, because epoll_wait counts in milliseconds and a benchmark at 50 ms would see the rounding. */
static void
set_timer(void)
{
	int64_t		due = server.heap_count > 0 ? server.heap[0]->due_us : 0;
	struct itimerspec spec = {.it_value = {due / 1000000, (due % 1000000) * 1000}};

	if (due == server.timer_us)
		return;
	server.timer_us = due;
	timerfd_settime(server.timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void
handle_event(const struct epoll_event *event)
{
	Conn	   *conn = event->data.ptr;

	if (conn == NULL)
		accept_all();
	else if (event->data.ptr == &server.timer_fd)
	{
		uint64_t	expirations;

		if (read(server.timer_fd, &expirations, sizeof(expirations)) > 0)
			server.timer_us = 0;
	}
	else if (conn->fd >= 0)
	{
		if ((event->events & EPOLLOUT) && !conn_send(conn))
			return;
		if (event->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
			conn_read(conn);
	}
}

static int	open_listener(int port);

/* As if the server had been stopped and started, but that it forgets nothing. */
static void
begin_outage(void)
{
	server.outage_us = server.now_us + (int64_t) server.outage_ms * 1000;
	server.outage_ms = 0;
	close(server.listen_fd);
	while (server.conns != NULL)
		conn_close(server.conns);
}

static void
end_outage(void)
{
	server.outage_us = 0;
	open_listener(server.port);
}

static void
serve_until_stopped(void)
{
	struct epoll_event events[EVENTS];

	while (!stop_requested)
	{
		int			ready;

		set_timer();
		ready = epoll_wait(server.epoll_fd, events, EVENTS, server.outage_us != 0 ? 10 : -1);
		server.now_us = clock_us(CLOCK_MONOTONIC);
		for (int i = 0; i < ready; i++)
			handle_event(&events[i]);
		run_timers();
		if (server.outage_ms > 0)
			begin_outage();
		else if (server.outage_us != 0 && server.now_us >= server.outage_us)
			end_outage();
		free_dead();
	}
}

static void
on_stop(int signal_number)
{
	(void) signal_number;
	stop_requested = 1;
}

static int
open_listener(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_port = htons((uint16_t) port)};
	struct epoll_event event = {.events = EPOLLIN,.data.ptr = NULL};
	socklen_t	len = sizeof(address);
	int			one = 1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server.listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(server.listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(server.listen_fd, (struct sockaddr *) &address, len) != 0 || listen(server.listen_fd, 4096) != 0 ||
		getsockname(server.listen_fd, (struct sockaddr *) &address, &len) != 0 ||
		epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, server.listen_fd, &event) != 0)
	{
		perror("fake_model: could not listen");
		exit(1);
	}
	return ntohs(address.sin_port);
}

static void
open_timer(void)
{
	struct epoll_event event = {.events = EPOLLIN,.data.ptr = &server.timer_fd};

	server.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, server.timer_fd, &event);
}

static void
usage(void)
{
	puts("usage: fake_model [--port N]\n"
		 "\n"
		 "Listens on 127.0.0.1; port 0 takes a free one.  Prints \"port N\".\n"
		 "\n"
		 "In the ticket: [[fake key=value ...]]\n"
		 "  faults: status retry_after code latency answer cut hang garbage reset echo; times=K limits them to a token's\n"
		 "  first K; kind=NAME in front: for requests of that kind only\n"
		 "  answer: good notjson truncated wrongtypes unknownlabel outofrange huge deep fenced error200 refusal\n"
		 "          length empty minimal nul badutf8 contentfilter\n"
		 "  also: model (that answers), cost (that usage tells), category urgency sentiment; of conversations action cause confidence; of issues confidence\n"
		 "Control: GET /stats, GET /log (sequence, ms since start, token, status, kind), POST /reset,\n"
		 "  GET /body (of the last request), GET /gone (requests whose caller went away: ms since start, token),\n"
		 "  POST /config latency_ms=&jitter_ms=&slow_percent=&slow_ms=&status=&retry_after=&hang=&key=&outage_ms=\n"
		 "    &remaining_requests=&reset_requests=&remaining_tokens=&reset_tokens=\n"
		 "  key: what Authorization must bring, or 401; outage_ms: all connections end, none is taken for so long;\n"
		 "  release=1: what is being waited for is answered now");
}

static int
port_of(int argc, char **argv)
{
	int			port = 0;

	for (int i = 1; i < argc; i++)
	{
		if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
			port = atoi(argv[++i]);
		else
		{
			usage();
			exit(strcmp(argv[i], "--help") == 0 ? 0 : 2);
		}
	}
	return port;
}

int
main(int argc, char **argv)
{
	int			port = port_of(argc, argv);
	struct sigaction action = {.sa_handler = on_stop};
	struct rlimit files;

	server.random = 88172645463325252u;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
	{
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	open_timer();
	server.started_us = server.now_us = clock_us(CLOCK_MONOTONIC);
	server.started_epoch_us = clock_us(CLOCK_REALTIME);
	server.port = open_listener(port);
	printf("port %d\n", server.port);
	fflush(stdout);

	serve_until_stopped();
	return 0;
}
