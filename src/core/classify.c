/*
 * classify.c
 *	  What a finished call means: a class that decides what happens next, a sentence for people, a wait.
 *
 * Two tables decide: one by HTTP status, one by what the error body says.  A body can only refine what its status
 * allows, so that a ticket's words echoed in an error message cannot pause a provider.  The words of a provider are
 * untrusted and go through reason.c before anybody sees them.  Knows nothing of jobs, retries or the server.
 */
#include "core/classify.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/reason.h"

/* Errors are short; whatever is longer is no error body that a table could know. */
#define ERROR_BODY_MAX (256 * 1024)
#define ERROR_TEXT_MAX 1024
#define ERROR_NAME_MAX 64
#define ERROR_NAMES 8
#define ERROR_DEPTH_MAX 3

/* What an error body says, in no provider's shape. */
typedef struct ErrorFacts
{
	char		text[ERROR_TEXT_MAX];	/* the message: clean, but not yet redacted */
	char		names[ERROR_NAMES][ERROR_NAME_MAX]; /* code, type, status, ... */
	int			name_count;
	int			number;			/* an HTTP status inside the body, or 0 */
	int64_t		hint_ms;
	bool		per_day;		/* a quota that was exceeded is one per day ... */
	bool		per_minute;		/* ... or per minute */
} ErrorFacts;

typedef struct StatusRow
{
	int			first;
	int			last;
	RunOutcome	outcome;
} StatusRow;

/* The first row that holds the status decides. */
static const StatusRow status_rows[] = {
	{200, 200, OUTCOME_SUCCEEDED},
	{201, 299, OUTCOME_UNUSABLE_ANSWER},	/* not what a completed call returns */
	{300, 399, OUTCOME_MISCONFIGURED},	/* redirects are not followed */
	{401, 403, OUTCOME_ACCOUNT},
	{404, 407, OUTCOME_MISCONFIGURED},
	{408, 409, OUTCOME_TRANSIENT},
	{410, 411, OUTCOME_MISCONFIGURED},
	{414, 415, OUTCOME_MISCONFIGURED},
	{417, 417, OUTCOME_MISCONFIGURED},
	{421, 421, OUTCOME_TRANSIENT},
	{423, 425, OUTCOME_TRANSIENT},
	{426, 428, OUTCOME_MISCONFIGURED},
	{429, 429, OUTCOME_THROTTLED},
	{431, 431, OUTCOME_MISCONFIGURED},
	{451, 451, OUTCOME_REFUSED},
	{498, 498, OUTCOME_THROTTLED},	/* no capacity in this service tier */
	{499, 499, OUTCOME_TRANSIENT},	/* the server saw us hang up */
	{400, 499, OUTCOME_BAD_REQUEST},
	{501, 501, OUTCOME_MISCONFIGURED},
	{505, 505, OUTCOME_MISCONFIGURED},
	{510, 511, OUTCOME_MISCONFIGURED},
};

/* Statuses that a body may refine. */
enum
{
	ON_RATE = 1,				/* 429, 498 */
	ON_REQUEST = 2,				/* 400, 413, 422 */
	ON_FORBIDDEN = 4,			/* 403 */
	ON_SERVER = 8				/* 5xx */
};

typedef struct BodyRow
{
	int			statuses;
	bool		phrase;			/* part of the message; else the whole of a code, type or status */
	const char *text;			/* compared without regard to case */
	RunOutcome	outcome;
} BodyRow;

/* The first row that fits decides, so content comes before parameters and money before everything. */
static const BodyRow body_rows[] = {
	/* never succeeds: one request is larger than the whole limit */
	{ON_RATE, true, "Request too large for", OUTCOME_BAD_REQUEST},
	{ON_RATE | ON_REQUEST, false, "insufficient_quota", OUTCOME_ACCOUNT},
	{ON_RATE | ON_REQUEST, false, "enforced_spend_limit_reached", OUTCOME_ACCOUNT},
	{ON_RATE | ON_REQUEST, false, "billing_hard_limit_reached", OUTCOME_ACCOUNT},
	{ON_RATE | ON_REQUEST, false, "billing_not_active", OUTCOME_ACCOUNT},
	{ON_RATE | ON_REQUEST, false, "billing_error", OUTCOME_ACCOUNT},
	{ON_RATE | ON_REQUEST, false, "payment_required", OUTCOME_ACCOUNT},
	{ON_REQUEST, false, "API_KEY_INVALID", OUTCOME_ACCOUNT},
	{ON_REQUEST, false, "invalid_api_key", OUTCOME_ACCOUNT},
	{ON_REQUEST, false, "authentication_error", OUTCOME_ACCOUNT},
	{ON_RATE, true, "exceeded your current quota", OUTCOME_ACCOUNT},
	{ON_RATE, true, "enforced_spend_limit", OUTCOME_ACCOUNT},
	{ON_RATE, true, "PerDay", OUTCOME_ACCOUNT},
	{ON_RATE, true, "free-models-per-day", OUTCOME_ACCOUNT},
	{ON_REQUEST, true, "API key not valid", OUTCOME_ACCOUNT},
	{ON_REQUEST, true, "credit balance is too low", OUTCOME_ACCOUNT},

	{ON_REQUEST, false, "json_validate_failed", OUTCOME_UNUSABLE_ANSWER},
	{ON_REQUEST, false, "tool_use_failed", OUTCOME_UNUSABLE_ANSWER},
	{ON_SERVER, true, "peg-native", OUTCOME_UNUSABLE_ANSWER},

	{ON_REQUEST | ON_FORBIDDEN, false, "content_filter", OUTCOME_REFUSED},
	{ON_REQUEST | ON_FORBIDDEN, false, "content_policy_violation", OUTCOME_REFUSED},
	{ON_REQUEST | ON_FORBIDDEN, false, "ResponsibleAIPolicyViolation", OUTCOME_REFUSED},
	{ON_REQUEST | ON_FORBIDDEN, false, "refusal", OUTCOME_REFUSED},
	{ON_REQUEST, false, "invalid_prompt", OUTCOME_REFUSED},
	{ON_REQUEST, true, "content management policy", OUTCOME_REFUSED},
	{ON_FORBIDDEN, true, "guardrail", OUTCOME_REFUSED},
	{ON_FORBIDDEN, true, "was flagged", OUTCOME_REFUSED},

	{ON_REQUEST, false, "context_length_exceeded", OUTCOME_BAD_REQUEST},
	{ON_REQUEST, false, "exceed_context_size_error", OUTCOME_BAD_REQUEST},
	{ON_REQUEST, false, "request_too_large", OUTCOME_BAD_REQUEST},
	{ON_REQUEST, false, "string_too_long", OUTCOME_BAD_REQUEST},
	{ON_REQUEST, false, "string_above_max_length", OUTCOME_BAD_REQUEST},

	{ON_REQUEST, false, "unsupported_value", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "unsupported_parameter", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "unknown_parameter", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "missing_required_parameter", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "extra_forbidden", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "unknown_model", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "invalid_model", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "model_not_found", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "invalid_json_schema", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "decimal_below_min_value", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "integer_below_min_value", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, false, "integer_above_max_value", OUTCOME_MISCONFIGURED},
	/* phrases for servers without codes; length first, or "... tokens is not supported" would stop the provider */
	{ON_REQUEST, true, "context length", OUTCOME_BAD_REQUEST},
	{ON_REQUEST, true, "context size", OUTCOME_BAD_REQUEST},
	{ON_REQUEST, true, "prompt is too long", OUTCOME_BAD_REQUEST},
	{ON_REQUEST, true, "is not supported", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, true, "compiled grammar is too large", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, true, "Unable to generate parser", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, true, "Extra inputs are not permitted", OUTCOME_MISCONFIGURED},
	{ON_REQUEST, true, "not a valid model", OUTCOME_MISCONFIGURED},
};

/* The status that a name stands for, where the HTTP status says nothing: an error inside a 200. */
static const struct
{
	const char *name;
	int			status;
}			implied_statuses[] = {
	{"rate_limit_exceeded", 429}, {"rate_limit_error", 429}, {"insufficient_quota", 429},
	{"enforced_spend_limit_reached", 429}, {"RESOURCE_EXHAUSTED", 429},
	{"overloaded_error", 529}, {"provider_overloaded", 529},
	{"provider_unavailable", 503}, {"unavailable_error", 503}, {"UNAVAILABLE", 503},
	{"timeout_error", 504}, {"DEADLINE_EXCEEDED", 504},
	{"server_error", 500}, {"api_error", 500}, {"INTERNAL", 500},
	{"authentication", 401}, {"authentication_error", 401}, {"invalid_api_key", 401}, {"UNAUTHENTICATED", 401},
	{"payment_required", 402}, {"billing_error", 402},
	{"permission_denied", 403}, {"permission_error", 403},
	{"model_not_found", 404}, {"not_found_error", 404}, {"NOT_FOUND", 404},
	{"request_too_large", 413}, {"context_length_exceeded", 400}, {"exceed_context_size_error", 400},
	{"content_filter", 400}, {"content_policy_violation", 400}, {"refusal", 400}, {"invalid_prompt", 400},
	{"json_validate_failed", 400}, {"unsupported_value", 400}, {"unknown_model", 400},
	{"invalid_request", 400}, {"invalid_request_error", 400}, {"INVALID_ARGUMENT", 400},
};

static const struct
{
	RunOutcome	outcome;
	const char *words;
}			transport_rows[] = {
	[TRANSPORT_OK] = {OUTCOME_SUCCEEDED, ""},
	[TRANSPORT_RESOLVE] = {OUTCOME_TRANSIENT, "the host name could not be resolved"},
	[TRANSPORT_CONNECT] = {OUTCOME_TRANSIENT, "could not connect"},
	[TRANSPORT_TIMEOUT] = {OUTCOME_TRANSIENT, "timed out"},
	[TRANSPORT_TLS] = {OUTCOME_MISCONFIGURED, "TLS handshake or certificate check failed"},
	[TRANSPORT_URL] = {OUTCOME_MISCONFIGURED, "the URL is malformed or not supported"},
	[TRANSPORT_REFUSED_ADDRESS] = {OUTCOME_MISCONFIGURED, "the address is not allowed"},
	/* the next one would be as large, and paid for as well */
	[TRANSPORT_TOO_LARGE] = {OUTCOME_BAD_REQUEST, "the answer is too large"},
	[TRANSPORT_CUT] = {OUTCOME_TRANSIENT, "the connection ended early"},
	[TRANSPORT_OTHER] = {OUTCOME_TRANSIENT, "the call failed"},
};

/* ---- error bodies ---- */

static void read_error_text(ErrorFacts *facts, const char *text, size_t len, bool bare, int depth);

static bool
member(struct json_object *object, const char *name, struct json_object **value)
{
	return json_object_is_type(object, json_type_object) &&
		json_object_object_get_ex(object, name, value) && *value != NULL;
}

static void
add_name(ErrorFacts *facts, const char *name)
{
	if (facts->name_count == ERROR_NAMES || strlen(name) >= ERROR_NAME_MAX)
		return;
	strcpy(facts->names[facts->name_count++], name);
}

/* A code or type: a word to most, a number or a number in quotes to some. */
static void
read_name(ErrorFacts *facts, struct json_object *object, const char *name)
{
	struct json_object *value;
	const char *text;

	if (!member(object, name, &value))
		return;
	text = json_object_get_string(value);
	if (json_object_is_type(value, json_type_string))
		add_name(facts, text);
	else if (!json_object_is_type(value, json_type_int))
		return;
	if (strlen(text) == 3 && strspn(text, "0123456789") == 3 && (text[0] == '4' || text[0] == '5'))
		facts->number = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
}

static void
read_message(ErrorFacts *facts, struct json_object *value, int depth)
{
	if (json_object_is_type(value, json_type_string))
		read_error_text(facts, json_object_get_string(value), (size_t) json_object_get_string_len(value), true, depth);
}

/* {"msg":"...","type":"..."}, one of them or a list, as servers do that validate with a schema */
static void
read_detail(ErrorFacts *facts, struct json_object *value, int depth)
{
	struct json_object *message;

	if (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0)
		value = json_object_array_get_idx(value, 0);
	read_name(facts, value, "type");
	if (member(value, "msg", &message))
		value = message;
	read_message(facts, value, depth);
}

/* google.rpc: RetryInfo, QuotaFailure, ErrorInfo */
static void
read_rpc_details(ErrorFacts *facts, struct json_object *details)
{
	size_t		count = json_object_is_type(details, json_type_array) ? json_object_array_length(details) : 0;

	for (size_t i = 0; i < count; i++)
	{
		struct json_object *detail = json_object_array_get_idx(details, i);
		struct json_object *value;

		read_name(facts, detail, "reason");
		if (member(detail, "retryDelay", &value) && json_object_is_type(value, json_type_string))
			facts->hint_ms = hint_parse(json_object_get_string(value), 0);
		if (!member(detail, "violations", &value) || !json_object_is_type(value, json_type_array))
			continue;
		for (size_t j = 0; j < json_object_array_length(value); j++)
		{
			struct json_object *quota;

			if (!member(json_object_array_get_idx(value, j), "quotaId", &quota))
				continue;
			facts->per_day = facts->per_day || strstr(json_object_get_string(quota), "PerDay") != NULL;
			facts->per_minute = facts->per_minute || strstr(json_object_get_string(quota), "PerMinute") != NULL;
		}
	}
}

/* OpenRouter: its own name for the error, and what the provider behind it said. */
static void
read_metadata(ErrorFacts *facts, struct json_object *metadata, int depth)
{
	struct json_object *raw;
	ErrorFacts	inner = {.hint_ms = -1};
	char		joined[2 * ERROR_TEXT_MAX + 2];

	read_name(facts, metadata, "error_type");
	if (!member(metadata, "raw", &raw))
		return;
	read_message(&inner, raw, depth);
	for (int i = 0; i < inner.name_count; i++)
		add_name(facts, inner.names[i]);
	if (inner.text[0] == '\0')
		return;
	snprintf(joined, sizeof(joined), "%s%s%s", facts->text, facts->text[0] != '\0' ? ": " : "", inner.text);
	reason_clean(facts->text, sizeof(facts->text), joined, strlen(joined));
}

/* The object that holds message, code and type, wherever it was found. */
static void
read_error_object(ErrorFacts *facts, struct json_object *object, int depth)
{
	struct json_object *value;

	read_name(facts, object, "code");
	read_name(facts, object, "type");
	read_name(facts, object, "status");
	if (member(object, "innererror", &value))
		read_name(facts, value, "code");
	if (member(object, "details", &value))
		read_rpc_details(facts, value);
	if (member(object, "message", &value))
	{
		struct json_object *detail;

		read_message(facts, value, depth);
		if (member(value, "detail", &detail))
			read_detail(facts, detail, depth);
	}
	if (member(object, "metadata", &value))
		read_metadata(facts, value, depth);
}

static bool
said_something(const ErrorFacts *facts)
{
	return facts->name_count > 0 || facts->number > 0 || facts->text[0] != '\0';
}

/* bare: the text stands where only an error can stand, so a flat object and plain words count as well. */
static bool
read_error_json(ErrorFacts *facts, struct json_object *root, bool bare, int depth)
{
	struct json_object *value;
	struct json_object *flat;

	if (json_object_is_type(root, json_type_array) && json_object_array_length(root) > 0)
		root = json_object_array_get_idx(root, 0);
	if (member(root, "error", &value))
	{
		if (json_object_is_type(value, json_type_object))
			read_error_object(facts, value, depth);
		else
			read_message(facts, value, depth);
		if (said_something(facts))
			return true;
	}
	if (!member(root, "object", &flat))
		flat = NULL;
	if (!bare && (flat == NULL || strcmp(json_object_get_string(flat), "error") != 0))
		return false;
	read_error_object(facts, root, depth);
	if (member(root, "detail", &value))
		read_detail(facts, value, depth);
	return said_something(facts);
}

/* NULL: no JSON.  Lenient, because nothing in an error body is stored but a cleaned line. */
static struct json_object *
parse_error(const char *text, size_t len)
{
	struct json_tokener *tokener;
	struct json_object *root;

	if (len == 0 || len > ERROR_BODY_MAX || (text[0] != '{' && text[0] != '['))
		return NULL;
	tokener = json_tokener_new();
	if (tokener == NULL)
		return NULL;
	root = json_tokener_parse_ex(tokener, text, (int) len);
	json_tokener_free(tokener);
	return root;
}

/* A proxy may wrap the provider's body in a message of its own, so a text is looked into as deep as that happens. */
static void
read_error_text(ErrorFacts *facts, const char *text, size_t len, bool bare, int depth)
{
	struct json_object *root = NULL;
	bool		found;

	while (len > 0 && (*text == ' ' || *text == '\t' || *text == '\r' || *text == '\n'))
		text++, len--;
	if (depth < ERROR_DEPTH_MAX)
		root = parse_error(text, len);
	found = root != NULL && read_error_json(facts, root, bare, depth + 1);
	json_object_put(root);
	if (found || !bare)
		return;
	if (len > 0 && *text == '<')
		strcpy(facts->text, "a web page instead of an answer");
	else
		reason_clean(facts->text, sizeof(facts->text), text, len);
}

static void
read_error(ErrorFacts *facts, const char *body, size_t len, bool bare)
{
	memset(facts, 0, sizeof(*facts));
	facts->hint_ms = -1;
	if (body != NULL)
		read_error_text(facts, body, len, bare, 0);
	if (facts->hint_ms < 0)
		facts->hint_ms = hint_in_message(facts->text);
}

/* ---- judgement ---- */

static RunOutcome
outcome_of_status(int status)
{
	for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++)
		if (status >= status_rows[i].first && status <= status_rows[i].last)
			return status_rows[i].outcome;
	return OUTCOME_TRANSIENT;	/* other 5xx, and what is no status at all */
}

static int
refinable(int status)
{
	if (status == 429 || status == 498)
		return ON_RATE;
	if (status == 400 || status == 413 || status == 422)
		return ON_REQUEST;
	if (status == 403)
		return ON_FORBIDDEN;
	return status >= 500 ? ON_SERVER : 0;
}

static bool
contains(const char *text, const char *phrase)
{
	for (; *text != '\0'; text++)
		if (strncasecmp(text, phrase, strlen(phrase)) == 0)
			return true;
	return false;
}

static bool
named(const ErrorFacts *facts, const char *name)
{
	for (int i = 0; i < facts->name_count; i++)
		if (strcasecmp(facts->names[i], name) == 0)
			return true;
	return false;
}

static RunOutcome
outcome_of_error(const ErrorFacts *facts, int status)
{
	int			statuses = refinable(status);

	/* quota ids are exact where the sentence beside them is the same for a minute and for a day */
	if (statuses == ON_RATE && facts->per_day)
		return OUTCOME_ACCOUNT;
	if (statuses == ON_RATE && facts->per_minute)
		return OUTCOME_THROTTLED;
	for (size_t i = 0; i < sizeof(body_rows) / sizeof(body_rows[0]); i++)
	{
		const BodyRow *row = &body_rows[i];

		if ((row->statuses & statuses) != 0 &&
			(row->phrase ? contains(facts->text, row->text) : named(facts, row->text)))
			return row->outcome;
	}
	return outcome_of_status(status);
}

/* The status to judge an error by that came with a success; 0 when its body names none. */
static int
implied_status(const ErrorFacts *facts)
{
	if (facts->number > 0)
		return facts->number;
	for (size_t i = 0; i < sizeof(implied_statuses) / sizeof(implied_statuses[0]); i++)
		if (named(facts, implied_statuses[i].name))
			return implied_statuses[i].status;
	return 0;
}

static void
describe(char *reason, const char *prefix, const char *words)
{
	char		line[ERROR_TEXT_MAX];

	reason[0] = '\0';
	reason_append(reason, prefix, strlen(prefix));
	reason_clean(line, sizeof(line), words, strlen(words));
	if (line[0] == '\0')
		return;
	reason_append(reason, ": ", 2);
	reason_append_redacted(reason, line);
}

/* hint_ms: what the provider asked for in so many words; not the time at which a limit is reset. */
static void
judge(const ErrorFacts *facts, int http_status, int64_t hint_ms, Classified *out)
{
	int			status = http_status >= 400 ? http_status : implied_status(facts);
	char		prefix[32];

	out->outcome = outcome_of_error(facts, status);
	/* overloaded and says when to come back: that is throttling, and no attempt is spent on it */
	if ((status == 503 || status == 529) && out->outcome == OUTCOME_TRANSIENT && hint_ms > 0)
		out->outcome = OUTCOME_THROTTLED;
	out->retry_after_ms = hint_ms > 0 ? hint_ms : -1;
	snprintf(prefix, sizeof(prefix), "HTTP %d", http_status);
	describe(out->reason, prefix, facts->text[0] == '\0' && facts->name_count > 0 ? facts->names[0] : facts->text);
}

/* Milliseconds by name: a bare number must not be read as seconds. */
static int64_t
hint_of_ms(const char *text)
{
	char		with_unit[48];
	size_t		len;

	if (text == NULL)
		return -1;
	text += strspn(text, " \t");
	len = strspn(text, "0123456789.");
	if (len > sizeof(with_unit) - 3 || text[len + strspn(text + len, " \t\r\n")] != '\0')
		return -1;
	snprintf(with_unit, sizeof(with_unit), "%.*sms", (int) len, text);
	return hint_parse(with_unit, 0);
}

/* In order of precision.  Zero says nothing about when a call would succeed, so it counts as silence. */
static int64_t
spoken_hint(const CallReply *reply, int64_t now_ms, const ErrorFacts *facts)
{
	int64_t		hint = hint_of_ms(reply->retry_after_ms);

	if (hint <= 0)
		hint = hint_parse(reply->retry_after, now_ms);
	if (hint <= 0)
		hint = facts->hint_ms;
	return hint;
}

/* The latest of them: which limit it was that was reached, the headers do not say. */
static int64_t
reset_hint(const CallReply *reply, int64_t now_ms)
{
	int64_t		requests = hint_parse(reply->ratelimit_reset_requests, now_ms);
	int64_t		latest = hint_parse(reply->ratelimit_reset_tokens, now_ms);

	if (requests > latest)
		latest = requests;
	for (int i = 0; i < OTHER_RESETS; i++)
	{
		int64_t		other = hint_parse(reply->other_resets[i], now_ms);

		if (other > latest)
			latest = other;
	}
	return latest > 0 ? latest : -1;
}

/*
 * x-should-retry is the server's last word on whether to try again; whom a failure concerns it does not tell.  So a
 * provider that cannot serve stays one, whose jobs wait and are tried again anyway; and a limit that trying again does
 * not lift, and that names no end, is one that somebody has to raise.
 */
static void
obey_should_retry(const CallReply *reply, Classified *out)
{
	if (reply->should_retry == NULL)
		return;
	if (strcasecmp(reply->should_retry, "true") == 0)
	{
		if (out->outcome == OUTCOME_BAD_REQUEST || out->outcome == OUTCOME_REFUSED)
			out->outcome = OUTCOME_TRANSIENT;
	}
	else if (strcasecmp(reply->should_retry, "false") == 0)
	{
		if (out->outcome == OUTCOME_TRANSIENT || out->outcome == OUTCOME_UNUSABLE_ANSWER)
			out->outcome = OUTCOME_BAD_REQUEST;
		else if (out->outcome == OUTCOME_THROTTLED && out->retry_after_ms < 0)
			out->outcome = OUTCOME_ACCOUNT;
	}
}

static void
judge_with_headers(const CallReply *reply, int64_t now_ms, const ErrorFacts *facts, Classified *out)
{
	int64_t		server_now_ms;

	/* what a server says about time is meant by its own clock */
	if (reply->date == NULL || !hint_time(reply->date, &server_now_ms))
		server_now_ms = now_ms;
	judge(facts, reply->http_status, spoken_hint(reply, server_now_ms, facts), out);
	/* these headers come with every answer; only a refused call waits for them */
	if (out->outcome == OUTCOME_THROTTLED && out->retry_after_ms < 0)
		out->retry_after_ms = reset_hint(reply, server_now_ms);
	obey_should_retry(reply, out);
}

static void
classify_failure(const CallReply *reply, int64_t now_ms, Classified *out)
{
	ErrorFacts	facts;

	read_error(&facts, reply->body, reply->body_len, true);
	judge_with_headers(reply, now_ms, &facts, out);
}

bool
classify_carried_error(const CallReply *reply, int64_t now_ms, Classified *out)
{
	ErrorFacts	facts;

	read_error(&facts, reply->body, reply->body_len, reply->http_status >= 400);
	if (!said_something(&facts))
		return false;
	judge_with_headers(reply, now_ms, &facts, out);
	return true;
}

bool
classify_error_body(const char *body, size_t len, int http_status, Classified *out)
{
	const CallReply reply = {.transport = TRANSPORT_OK, .http_status = http_status, .body = body, .body_len = len};

	return classify_carried_error(&reply, 0, out);
}

static void
classify_transport(const CallReply *reply, Classified *out)
{
	size_t		rows = sizeof(transport_rows) / sizeof(transport_rows[0]);
	size_t		row = (size_t) reply->transport < rows ? (size_t) reply->transport : TRANSPORT_OTHER;

	out->outcome = transport_rows[row].outcome;
	describe(out->reason, transport_rows[row].words, reply->transport_message ? reply->transport_message : "");
}

void
classify_reply(const CallReply *reply, int64_t now_ms, Classified *out)
{
	char		prefix[32];

	out->retry_after_ms = -1;
	out->reason[0] = '\0';
	/* a refusal whose body broke off is still that refusal; a success is not one until it is complete */
	if (reply->http_status >= 400 &&
		(reply->transport == TRANSPORT_OK || reply->transport == TRANSPORT_CUT ||
		 reply->transport == TRANSPORT_TIMEOUT || reply->transport == TRANSPORT_TOO_LARGE))
	{
		classify_failure(reply, now_ms, out);
		return;
	}
	if (reply->transport != TRANSPORT_OK)
	{
		classify_transport(reply, out);
		return;
	}
	out->outcome = outcome_of_status(reply->http_status);
	if (out->outcome == OUTCOME_SUCCEEDED)
		return;
	snprintf(prefix, sizeof(prefix), "HTTP %d", reply->http_status);
	describe(out->reason, prefix, out->outcome == OUTCOME_MISCONFIGURED ? "redirects are not followed" :
			 "not the status of a complete answer");
}
