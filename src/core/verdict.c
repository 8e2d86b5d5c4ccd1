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
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "core/classify.h"
#include "core/fields_read.h"
#include "core/json_read.h"
#include "core/kinds.h"
#include "core/reason.h"
#include "core/utf8.h"
#include "core/verdict.h"

/* How much of the model's own words a reason quotes, in bytes. */
#define LABEL_SHOWN 80
#define REFUSAL_SHOWN 300
/* In USD: what a call is believed to cost, and what rounds to nothing. */
#define CHARGE_MAX 1e6
#define CHARGE_MIN 1e-12
/* No answer comes near it: each field has its limit. */
#define OBJECT_MAX (16 * 1024 * 1024)

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
	free(verdict->object);
	verdict->draft_reply = NULL;
	verdict->summary = NULL;
	verdict->language = NULL;
	verdict->object = NULL;
}

#define ending_of(result) ((Ending) {&(result)->outcome, (result)->reason})
#define end_with(result, ...) json_end(ending_of(result), __VA_ARGS__)
#define unusable(result, ...) end_with((result), OUTCOME_UNUSABLE_ANSWER, __VA_ARGS__)

static bool
take_text(char **copy, const FieldValue *value, VerdictResult *result)
{
	if (!value->given)
		return true;
	*copy = strndup(value->text.data, value->text.len);
	return *copy != NULL || end_with(result, OUTCOME_TRANSIENT, "out of memory while reading the answer");
}

static bool
read_verdict(json_object *answer, const Field *fields, VerdictResult *result)
{
	Verdict    *verdict = &result->verdict;
	FieldValue	values[TRIAGE_FIELDS];

	if (!fields_read(answer, fields, TRIAGE_FIELDS, values, ending_of(result)))
		return false;
	verdict->category = values[TRIAGE_CATEGORY].label;
	verdict->urgency = (Priority) values[TRIAGE_URGENCY].label;
	verdict->sentiment_score = (int) values[TRIAGE_SENTIMENT].number;
	if (values[TRIAGE_CONFIDENCE].given)
		verdict->confidence = values[TRIAGE_CONFIDENCE].number;
	if (values[TRIAGE_NEEDS_HUMAN].given)
		verdict->needs_human = values[TRIAGE_NEEDS_HUMAN].flag ? 1 : 0;
	return take_text(&verdict->draft_reply, &values[TRIAGE_DRAFT], result) &&
		take_text(&verdict->summary, &values[TRIAGE_SUMMARY], result) &&
		take_text(&verdict->language, &values[TRIAGE_LANGUAGE], result);
}

/* Of any other kind: the answer as a JSON object of nothing but its fields. */
static bool
read_object(json_object *answer, const AnswerForm *form, VerdictResult *result)
{
	Buf			object;

	buf_init(&object, OBJECT_MAX);
	if (!fields_normalise(&object, answer, form->fields, form->count, ending_of(result)))
	{
		buf_free(&object);
		return false;
	}
	result->verdict.object = object.data;
	return true;
}

static void
read_answer(JsonReader *reader, const char *data, size_t len, JobKind kind, const Offer *offer, VerdictResult *result)
{
	json_object *answer = json_parse_object(reader, data, len, "answer", ending_of(result));
	AnswerForm	form;
	bool		read;

	if (answer == NULL)
		return;
	kind_answer_form(kind, offer, &form);
	if (kind == KIND_TRIAGE)
		read = read_verdict(answer, form.fields, result);
	else
		read = read_object(answer, &form, result);
	if (read)
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

	text = json_trimmed(text.data, text.len);
	if (text.len < fence_len || memcmp(text.data, fence, fence_len) != 0)
		return text;
	text.data += fence_len;
	text.len -= fence_len;
	/* the word after it, usually "json" */
	while (text.len > 0 && text.data[0] != '{' && !json_is_space(text.data[0]))
	{
		text.data++;
		text.len--;
	}
	text = json_trimmed(text.data, text.len);
	if (text.len >= fence_len && memcmp(text.data + text.len - fence_len, fence, fence_len) == 0)
		text.len -= fence_len;
	return json_trimmed(text.data, text.len);
}

/* A count of tokens, or -1: not said, or not believable. */
static int
token_count(json_object *usage, const char *key)
{
	json_object *value = json_member(usage, key);
	int64_t		count;

	if (!json_object_is_type(value, json_type_int))
		return -1;
	count = json_object_get_int64(value);
	return count >= 0 && count <= INT_MAX ? (int) count : -1;
}

/*
 * The number as it was written, since money is no float: one that is no amount, that nobody can be charged for a call, or
 * that takes more digits than money has, says nothing.
 */
static void
read_charge(json_object *usage, char *charged)
{
	json_object *value = json_member(usage, "cost");
	double		amount;
	const char *digits;

	if (!json_number_of(value, &amount) || !(amount >= 0 && amount <= CHARGE_MAX))
		return;
	digits = amount < CHARGE_MIN ? "0" : json_object_get_string(value);
	if (strlen(digits) < CHARGED_SIZE)
		memcpy(charged, digits, strlen(digits) + 1);
}

static void
read_accounting(json_object *reply, VerdictResult *result)
{
	json_object *usage = json_member(reply, "usage");
	json_object *model = json_member(reply, "model");

	result->usage.input_tokens = token_count(usage, "prompt_tokens");
	result->usage.output_tokens = token_count(usage, "completion_tokens");
	result->usage.cached_tokens = token_count(json_member(usage, "prompt_tokens_details"), "cached_tokens");
	result->usage.cache_write_tokens = token_count(json_member(usage, "prompt_tokens_details"), "cache_write_tokens");
	read_charge(usage, result->charged);
	if (json_is_text(model))
	{
		Text		name = json_text_of(model);

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

	if (!json_is_text(finish))
		return true;			/* some servers leave it out */
	word = json_text_of(finish);
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
	json_object *refusal = json_member(json_member(choice, "message"), "refusal");
	Text		why;

	if (json_is_text(refusal) && json_object_get_string_len(refusal) > 0)
	{
		why = json_text_of(refusal);
		return end_with(result, OUTCOME_REFUSED, "the model refused: %.*s%s",
						(int) utf8_clip(why.data, why.len, REFUSAL_SHOWN), why.data,
						why.len > REFUSAL_SHOWN ? "..." : "");
	}
	return check_finish(json_member(choice, "finish_reason"), result);
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
	json_object *blocked = json_member(json_member(reply, "promptFeedback"), "blockReason");
	Text		why;

	if (json_is_text(blocked))
	{
		why = json_text_of(blocked);
		return end_with(result, OUTCOME_REFUSED, "the provider's content filter refused the request (%.*s)",
						(int) utf8_clip(why.data, why.len, LABEL_SHOWN), why.data);
	}
	return check_finish(json_member(json_member(reply, "incomplete_details"), "reason"), result) &&
		check_finish(json_member(reply, "stop_reason"), result) &&
		check_finish(json_member(reply, "done_reason"), result) &&
		check_finish(json_member(first_of(json_member(reply, "candidates")), "finishReason"), result) &&
		unusable(result, "the reply has no choices");
}

/* An error object in spite of status 200: some providers find out after they have sent the status. */
static bool
carries_error(json_object *holder, const CallReply *call, int64_t now_ms, VerdictResult *result)
{
	json_object *error = json_member(holder, "error");
	Classified	classified;

	if (!json_object_is_type(error, json_type_object) && !json_is_text(error))
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

	if (json_member(choice, "error") == NULL)
		return false;
	inner.body = json_object_to_json_string(choice);
	inner.body_len = strlen(inner.body);
	return carries_error(choice, &inner, now_ms, result);
}

/* The model's words in the reply; false with the outcome when there are none to read. */
static bool
read_reply(json_object *reply, const CallReply *call, int64_t now_ms, Text *content, VerdictResult *result)
{
	json_object *choices = json_member(reply, "choices");
	json_object *choice;
	json_object *text;

	if (carries_error(reply, call, now_ms, result))
		return false;
	if (!json_object_is_type(choices, json_type_array) || json_object_array_length(choices) == 0)
		return explain_no_choices(reply, result);
	choice = json_object_array_get_idx(choices, 0);
	if (choice_carries_error(choice, call, now_ms, result) || !ended_normally(choice, result))
		return false;
	text = json_member(json_member(choice, "message"), "content");
	if (text == NULL)
		return unusable(result, "the reply has no content");
	if (!json_is_text(text))
		return unusable(result, "the reply's content is not a string");
	*content = json_text_of(text);
	return true;
}

static void
read_success(JsonReader *reader, const CallReply *call, int64_t now_ms, JobKind kind, const Offer *offer,
			 VerdictResult *result)
{
	json_object *reply = json_parse_object(reader, call->body, call->body_len, "reply", ending_of(result));
	Text		content;

	if (reply == NULL)
		return;
	read_accounting(reply, result);
	if (read_reply(reply, call, now_ms, &content, result))
	{
		content = without_fence(content);
		read_answer(reader, content.data, content.len, kind, offer, result);
	}
	json_object_put(reply);
}

void
verdict_of_call(JsonReader *reader, const CallReply *reply, int64_t now_ms, JobKind kind, const Offer *offer,
				VerdictResult *result)
{
	Classified	classified;

	result_init(result);
	classify_reply(reply, now_ms, &classified);
	if (classified.outcome == OUTCOME_SUCCEEDED)
	{
		read_success(reader, reply, now_ms, kind, offer, result);
		return;
	}
	result->outcome = classified.outcome;
	result->retry_after_ms = classified.retry_after_ms;
	memcpy(result->reason, classified.reason, sizeof(result->reason));
}

void
verdict_parse(const char *body, size_t len, JobKind kind, const Offer *offer, VerdictResult *result)
{
	const CallReply reply = {.transport = TRANSPORT_OK, .http_status = 200, .body = body, .body_len = len};

	result_init(result);
	read_success(NULL, &reply, 0, kind, offer, result);
}

void
verdict_parse_answer(const char *answer, size_t len, JobKind kind, const Offer *offer, VerdictResult *result)
{
	result_init(result);
	read_answer(NULL, answer, len, kind, offer, result);
}
