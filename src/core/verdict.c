/*
 * verdict.c
 *	  Response body -> verdict, or why it is unusable.
 *
 * Decides whether an answer may be stored.  The answer is untrusted: what the schema asked for is checked again here,
 * and so is what json-c lets through (overlong UTF-8, single quotes, NaN, NUL inside a string).  Of duplicate keys the
 * last one counts.  Knows nothing of retries: it only names the outcome.
 *
 * Vocabulary: the reply is the provider's whole body, the answer is the model's JSON object inside it.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "core/classify.h"
#include "core/labels.h"
#include "core/reason.h"
#include "core/utf8.h"
#include "core/verdict.h"

/* Replies stay under 12 levels; more is an attack on somebody's stack. */
#define JSON_DEPTH 32

/* How much of the model's own words a reason quotes, in bytes. */
#define LABEL_SHOWN 80
#define REFUSAL_SHOWN 300

/* A string inside a json object: its owner is the object. */
typedef struct Text
{
	const char *data;
	size_t		len;
} Text;

static void
result_init(VerdictResult *result)
{
	memset(result, 0, sizeof(*result));
	result->outcome = OUTCOME_UNUSABLE_ANSWER;
	result->verdict.confidence = -1;
	result->verdict.needs_human = -1;
	result->retry_after_ms = -1;
	result->usage = USAGE_UNKNOWN;
}

void
verdict_free(Verdict *verdict)
{
	free(verdict->draft_reply);
	free(verdict->summary);
	free(verdict->language);
	verdict->draft_reply = NULL;
	verdict->summary = NULL;
	verdict->language = NULL;
}

/* Ends the reading with an outcome and its reason; always false, so that callers can return it. */
static bool __attribute__((format(printf, 3, 4)))
end_with(VerdictResult *result, RunOutcome outcome, const char *format,...)
{
	char		raw[2 * REASON_MAX];
	char		line[REASON_MAX];
	va_list		args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	result->outcome = outcome;
	reason_clean(line, sizeof(line), raw, strlen(raw));
	result->reason[0] = '\0';
	/* a model repeats what it was told, and people paste keys into tickets */
	reason_append_redacted(result->reason, line);
	return false;
}

#define unusable(result, ...) end_with((result), OUTCOME_UNUSABLE_ANSWER, __VA_ARGS__)

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static Text
trimmed(const char *data, size_t len)
{
	while (len > 0 && is_space(data[0]))
	{
		data++;
		len--;
	}
	while (len > 0 && is_space(data[len - 1]))
		len--;
	return (Text) {data, len};
}

/*
 * Offset of the first thing that json-c's strict mode takes though it is no JSON, or that only some of its versions
 * take: single quotes, NaN and Infinity, raw control characters in a string.  len when there is none.
 */
static size_t
lax_json_at(const Text *json)
{
	bool		in_string = false;

	for (size_t i = 0; i < json->len; i++)
	{
		unsigned char c = (unsigned char) json->data[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string && c < 0x20)
			return i;
		else if (in_string && c == '\\')
			i++;
		else if (!in_string && (c == '\'' || c == 'N' || c == 'I'))
			return i;
	}
	return json->len;
}

/* The whole of text as one JSON object, or NULL with the reason in result.  what: "reply" or "answer". */
static json_object *
parse_object(const char *data, size_t len, const char *what, VerdictResult *result)
{
	Text		json = trimmed(data, len);
	json_tokener *tokener;
	json_object *object;
	enum json_tokener_error error;
	size_t		end;
	size_t		lax;

	if (json.len == 0)
		unusable(result, "the %s is empty", what);
	else if (json.data[0] != '{')
		unusable(result, "the %s is not a JSON object", what);
	else if (json.len > INT_MAX)
		unusable(result, "the %s is too large", what);
	if (result->reason[0] != '\0')
		return NULL;

	tokener = json_tokener_new_ex(JSON_DEPTH);
	if (tokener == NULL)
	{
		end_with(result, OUTCOME_TRANSIENT, "out of memory while reading the %s", what);
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	object = json_tokener_parse_ex(tokener, json.data, (int) json.len);
	error = json_tokener_get_error(tokener);
	end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);
	lax = lax_json_at(&json);

	if (error == json_tokener_continue)
		unusable(result, "the %s is cut off: its JSON ends too early", what);
	else if (error == json_tokener_error_depth)
		unusable(result, "the %s is nested too deeply", what);
	else if (error != json_tokener_success || end != json.len)
		unusable(result, "the %s is not valid JSON, near byte %zu", what, end);
	else if (lax != json.len)
		unusable(result, "the %s is not valid JSON, near byte %zu", what, lax);
	if (result->reason[0] == '\0')
		return object;
	json_object_put(object);
	return NULL;
}

/* The value under key if object is an object that has it, else NULL; a JSON null is NULL too. */
static json_object *
member(json_object *object, const char *key)
{
	json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		json_object_object_get_ex(object, key, &value);
	return value;
}

static bool
is_text(json_object *value)
{
	return json_object_is_type(value, json_type_string);
}

static Text
text_of(json_object *value)
{
	return (Text) {json_object_get_string(value), (size_t) json_object_get_string_len(value)};
}

static bool
text_equals(const Text *text, const char *want)
{
	return text->len == strlen(want) && memcmp(text->data, want, text->len) == 0;
}

/* A string that the server can store. */
static bool
read_text(json_object *answer, const char *key, Text *text, VerdictResult *result)
{
	json_object *value = member(answer, key);

	if (value == NULL)
		return unusable(result, "the answer has no %s", key);
	if (!is_text(value))
		return unusable(result, "the answer's %s is not a string", key);
	*text = text_of(value);
	if (memchr(text->data, '\0', text->len) != NULL)
		return unusable(result, "the answer's %s contains a NUL character", key);
	if (!utf8_valid(text->data, text->len))
		return unusable(result, "the answer's %s is not valid UTF-8", key);
	return true;
}

static bool
unknown_label(const char *key, const Text *label, VerdictResult *result)
{
	return unusable(result, "the answer's %s is unknown: \"%.*s%s\"", key,
					(int) utf8_clip(label->data, label->len, LABEL_SHOWN), label->data,
					label->len > LABEL_SHOWN ? "..." : "");
}

static bool
read_category(json_object *answer, const Category *categories, int category_count, VerdictResult *result)
{
	Text		label;

	if (!read_text(answer, "category", &label, result))
		return false;
	for (int i = 0; i < category_count; i++)
	{
		if (!text_equals(&label, categories[i].name))
			continue;
		result->verdict.category = i;
		return true;
	}
	return unknown_label("category", &label, result);
}

static bool
read_urgency(json_object *answer, VerdictResult *result)
{
	Text		label;

	if (!read_text(answer, "urgency", &label, result))
		return false;
	/* json-c ends its strings with a NUL, and read_text() made sure that there is no other */
	if (!priority_parse(label.data, &result->verdict.urgency))
		return unknown_label("urgency", &label, result);
	return true;
}

/* A number as it was written, whole or not; false for anything else. */
static bool
number_of(json_object *value, double *number)
{
	if (!json_object_is_type(value, json_type_int) && !json_object_is_type(value, json_type_double))
		return false;
	*number = json_object_get_double(value);
	return true;
}

static bool
read_sentiment(json_object *answer, VerdictResult *result)
{
	json_object *value = member(answer, "sentiment_score");
	double		number;

	if (value == NULL)
		return unusable(result, "the answer has no sentiment_score");
	if (!number_of(value, &number))
		return unusable(result, "the answer's sentiment_score is not a number");
	if (!(number >= SENTIMENT_MIN && number <= SENTIMENT_MAX))
		return unusable(result, "the answer's sentiment_score is not from %d to %d", SENTIMENT_MIN, SENTIMENT_MAX);
	if (number != (int) number)
		return unusable(result, "the answer's sentiment_score is not a whole number");
	result->verdict.sentiment_score = (int) number;
	return true;
}

/* limit: in characters.  A copy goes to *copy; a text of nothing but white space is as good as none. */
static bool
read_prose(json_object *answer, const char *key, size_t limit, char **copy, VerdictResult *result)
{
	Text		text;

	if (!read_text(answer, key, &text, result))
		return false;
	if (utf8_length(text.data, text.len) > limit)
		return unusable(result, "the answer's %s is longer than %zu characters", key, limit);
	if (trimmed(text.data, text.len).len == 0)
		return true;
	*copy = strndup(text.data, text.len);
	if (*copy == NULL)
		return end_with(result, OUTCOME_TRANSIENT, "out of memory while reading the answer");
	return true;
}

static bool
read_optional_prose(json_object *answer, const char *key, size_t limit, char **copy, VerdictResult *result)
{
	return member(answer, key) == NULL || read_prose(answer, key, limit, copy, result);
}

static bool
read_confidence(json_object *answer, VerdictResult *result)
{
	json_object *value = member(answer, "confidence");
	double		number;

	if (value == NULL)
		return true;
	if (!number_of(value, &number))
		return unusable(result, "the answer's confidence is not a number");
	if (!(number >= 0 && number <= 1))
		return unusable(result, "the answer's confidence is not from 0 to 1");
	result->verdict.confidence = number;
	return true;
}

static bool
read_needs_human(json_object *answer, VerdictResult *result)
{
	json_object *value = member(answer, "needs_human");

	if (value == NULL)
		return true;
	if (!json_object_is_type(value, json_type_boolean))
		return unusable(result, "the answer's needs_human is neither true nor false");
	result->verdict.needs_human = json_object_get_boolean(value) ? 1 : 0;
	return true;
}

static bool
read_fields(json_object *answer, const Category *categories, int category_count, VerdictResult *result)
{
	Verdict    *verdict = &result->verdict;

	if (!read_category(answer, categories, category_count, result) ||
		!read_urgency(answer, result) ||
		!read_sentiment(answer, result) ||
		!read_prose(answer, "draft_reply", DRAFT_REPLY_MAX, &verdict->draft_reply, result))
		return false;
	if (verdict->draft_reply == NULL)
		return unusable(result, "the answer's draft_reply is blank");
	return read_optional_prose(answer, "summary", SUMMARY_MAX, &verdict->summary, result) &&
		read_optional_prose(answer, "language", LANGUAGE_MAX, &verdict->language, result) &&
		read_confidence(answer, result) &&
		read_needs_human(answer, result);
}

static void
read_answer(const char *data, size_t len,
			const Category *categories, int category_count, VerdictResult *result)
{
	json_object *answer = parse_object(data, len, "answer", result);

	if (answer == NULL)
		return;
	if (read_fields(answer, categories, category_count, result))
		result->outcome = OUTCOME_SUCCEEDED;
	else
		verdict_free(&result->verdict);
	json_object_put(answer);
}

/* Models without a grammar like to wrap their JSON in a Markdown fence; nothing else around it is forgiven. */
static Text
without_fence(Text text)
{
	static const char fence[] = "```";
	const size_t fence_len = sizeof(fence) - 1;

	text = trimmed(text.data, text.len);
	if (text.len < fence_len || memcmp(text.data, fence, fence_len) != 0)
		return text;
	text.data += fence_len;
	text.len -= fence_len;
	/* the word after it, usually "json" */
	while (text.len > 0 && text.data[0] != '{' && !is_space(text.data[0]))
	{
		text.data++;
		text.len--;
	}
	text = trimmed(text.data, text.len);
	if (text.len >= fence_len && memcmp(text.data + text.len - fence_len, fence, fence_len) == 0)
		text.len -= fence_len;
	return trimmed(text.data, text.len);
}

/* A count of tokens, or -1: not said, or not believable. */
static int
token_count(json_object *usage, const char *key)
{
	json_object *value = member(usage, key);
	int64_t		count;

	if (!json_object_is_type(value, json_type_int))
		return -1;
	count = json_object_get_int64(value);
	return count >= 0 && count <= INT_MAX ? (int) count : -1;
}

static void
read_accounting(json_object *reply, VerdictResult *result)
{
	json_object *usage = member(reply, "usage");
	json_object *model = member(reply, "model");

	result->usage.input_tokens = token_count(usage, "prompt_tokens");
	result->usage.output_tokens = token_count(usage, "completion_tokens");
	result->usage.cached_tokens = token_count(member(usage, "prompt_tokens_details"), "cached_tokens");
	result->usage.cache_write_tokens = token_count(member(usage, "prompt_tokens_details"), "cache_write_tokens");
	if (is_text(model))
	{
		Text		name = text_of(model);

		reason_clean(result->model, sizeof(result->model), name.data,
					 utf8_clip(name.data, name.len, sizeof(result->model) - 1));
	}
}

/* How a model can end before its answer does, in the words of every provider; compared without regard to case. */
static const struct
{
	const char *word;
	RunOutcome	outcome;
}			ends[] = {
	{"length", OUTCOME_UNUSABLE_ANSWER},
	{"max_tokens", OUTCOME_UNUSABLE_ANSWER},
	{"max_output_tokens", OUTCOME_UNUSABLE_ANSWER},
	{"model_length", OUTCOME_UNUSABLE_ANSWER},
	{"model_context_window_exceeded", OUTCOME_UNUSABLE_ANSWER},
	{"content_filter", OUTCOME_REFUSED},
	{"refusal", OUTCOME_REFUSED},
	{"safety", OUTCOME_REFUSED},
	{"recitation", OUTCOME_REFUSED},
	{"blocklist", OUTCOME_REFUSED},
	{"prohibited_content", OUTCOME_REFUSED},
	{"spii", OUTCOME_REFUSED},
	{"error", OUTCOME_TRANSIENT},
};

/* Some add their own word behind a colon: "content_filter: SAFETY". */
static bool
is_end(const Text *word, const char *end)
{
	size_t		len = strlen(end);

	return word->len >= len && strncasecmp(word->data, end, len) == 0 && (word->len == len || word->data[len] == ':');
}

/* False with the outcome when finish, a string, is no normal end. */
static bool
check_finish(json_object *finish, VerdictResult *result)
{
	RunOutcome	outcome = OUTCOME_SUCCEEDED;
	Text		word;

	if (!is_text(finish))
		return true;			/* some servers leave it out */
	word = text_of(finish);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && outcome == OUTCOME_SUCCEEDED; i++)
		if (is_end(&word, ends[i].word))
			outcome = ends[i].outcome;
	if (outcome == OUTCOME_REFUSED)
		return end_with(result, outcome, "the provider's content filter stopped the answer (%.*s)",
						(int) utf8_clip(word.data, word.len, LABEL_SHOWN), word.data);
	if (outcome == OUTCOME_TRANSIENT)
		return end_with(result, outcome, "the provider failed while the model was answering");
	result->truncated = outcome == OUTCOME_UNUSABLE_ANSWER;
	if (result->truncated)
		return unusable(result, "the answer was truncated: the model reached its output limit");
	return true;
}

/* Did the model end as it should?  False with the outcome when it refused, was stopped or ran out of room. */
static bool
ended_normally(json_object *choice, VerdictResult *result)
{
	json_object *refusal = member(member(choice, "message"), "refusal");
	Text		why;

	if (is_text(refusal) && json_object_get_string_len(refusal) > 0)
	{
		why = text_of(refusal);
		return end_with(result, OUTCOME_REFUSED, "the model refused: %.*s%s",
						(int) utf8_clip(why.data, why.len, REFUSAL_SHOWN), why.data,
						why.len > REFUSAL_SHOWN ? "..." : "");
	}
	return check_finish(member(choice, "finish_reason"), result);
}

static json_object *
first_of(json_object *array)
{
	if (!json_object_is_type(array, json_type_array) || json_object_array_length(array) == 0)
		return NULL;
	return json_object_array_get_idx(array, 0);
}

/* A reply in another API's shape, as a gateway may pass it on: no answer for us, but maybe the reason why. */
static bool
explain_no_choices(json_object *reply, VerdictResult *result)
{
	json_object *blocked = member(member(reply, "promptFeedback"), "blockReason");
	Text		why;

	if (is_text(blocked))
	{
		why = text_of(blocked);
		return end_with(result, OUTCOME_REFUSED, "the provider's content filter refused the request (%.*s)",
						(int) utf8_clip(why.data, why.len, LABEL_SHOWN), why.data);
	}
	return check_finish(member(member(reply, "incomplete_details"), "reason"), result) &&
		check_finish(member(reply, "stop_reason"), result) &&
		check_finish(member(reply, "done_reason"), result) &&
		check_finish(member(first_of(member(reply, "candidates")), "finishReason"), result) &&
		unusable(result, "the reply has no choices");
}

/* An error object in spite of status 200: some providers find out after they have sent the status. */
static bool
carries_error(json_object *holder, const CallReply *call, int64_t now_ms, VerdictResult *result)
{
	json_object *error = member(holder, "error");
	Classified	classified;

	if (!json_object_is_type(error, json_type_object) && !is_text(error))
		return false;
	if (!classify_carried_error(call, now_ms, &classified))
		return false;
	end_with(result, classified.outcome, "%s", classified.reason);
	result->retry_after_ms = classified.retry_after_ms;
	return true;
}

/* The same inside a choice: a router's provider failed while it answered. */
static bool
choice_carries_error(json_object *choice, const CallReply *call, int64_t now_ms, VerdictResult *result)
{
	CallReply	inner = *call;

	if (member(choice, "error") == NULL)
		return false;
	inner.body = json_object_to_json_string(choice);
	inner.body_len = strlen(inner.body);
	return carries_error(choice, &inner, now_ms, result);
}

/* The model's words in the reply; false with the outcome when there are none to read. */
static bool
read_reply(json_object *reply, const CallReply *call, int64_t now_ms, Text *content, VerdictResult *result)
{
	json_object *choices = member(reply, "choices");
	json_object *choice;
	json_object *text;

	if (carries_error(reply, call, now_ms, result))
		return false;
	if (!json_object_is_type(choices, json_type_array) || json_object_array_length(choices) == 0)
		return explain_no_choices(reply, result);
	choice = json_object_array_get_idx(choices, 0);
	if (choice_carries_error(choice, call, now_ms, result) || !ended_normally(choice, result))
		return false;
	text = member(member(choice, "message"), "content");
	if (text == NULL)
		return unusable(result, "the reply has no content");
	if (!is_text(text))
		return unusable(result, "the reply's content is not a string");
	*content = text_of(text);
	return true;
}

static void
read_success(const CallReply *call, int64_t now_ms,
			 const Category *categories, int category_count, VerdictResult *result)
{
	json_object *reply = parse_object(call->body, call->body_len, "reply", result);
	Text		content;

	if (reply == NULL)
		return;
	read_accounting(reply, result);
	if (read_reply(reply, call, now_ms, &content, result))
	{
		content = without_fence(content);
		read_answer(content.data, content.len, categories, category_count, result);
	}
	json_object_put(reply);
}

void
verdict_of_call(const CallReply *reply, int64_t now_ms,
				const Category *categories, int category_count, VerdictResult *result)
{
	Classified	classified;

	result_init(result);
	classify_reply(reply, now_ms, &classified);
	if (classified.outcome == OUTCOME_SUCCEEDED)
	{
		read_success(reply, now_ms, categories, category_count, result);
		return;
	}
	result->outcome = classified.outcome;
	result->retry_after_ms = classified.retry_after_ms;
	memcpy(result->reason, classified.reason, sizeof(result->reason));
}

void
verdict_parse(const char *body, size_t len,
			  const Category *categories, int category_count, VerdictResult *result)
{
	const CallReply reply = {.transport = TRANSPORT_OK, .http_status = 200, .body = body, .body_len = len};

	result_init(result);
	read_success(&reply, 0, categories, category_count, result);
}

void
verdict_parse_answer(const char *answer, size_t len,
					 const Category *categories, int category_count, VerdictResult *result)
{
	result_init(result);
	read_answer(answer, len, categories, category_count, result);
}
