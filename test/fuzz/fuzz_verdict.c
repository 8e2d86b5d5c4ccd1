/*
 * fuzz_verdict.c
 *	  Any bytes as a reply and as an answer: no crash, and what is accepted keeps its promises.
 *
 * Seeds: test/data/good, test/data/bad and test/data/kinds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/classify.h"
#include "core/json_reader.h"
#include "core/utf8.h"
#include "core/verdict.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Category categories[] = {
	{"technical", "Something technical does not work"},
	{"billing", "Charges, invoices, refunds, plans"},
	{"general", ""},
};

#define CATEGORY_COUNT ((int) (sizeof(categories) / sizeof(categories[0])))

static const Offer offer = {.labels = categories, .label_count = CATEGORY_COUNT, .text_count = 3};

static void
promise(bool kept)
{
	if (!kept)
		abort();
}

static void
promise_line(const char *text, size_t size)
{
	size_t		len = strnlen(text, size);

	promise(len < size);
	promise(utf8_valid(text, len));
	for (size_t i = 0; i < len; i++)
		promise((unsigned char) text[i] >= 0x20 && text[i] != 0x7F);
}

static void
promise_text(const char *text, size_t limit)
{
	size_t		len = strlen(text);

	promise(len > 0);
	promise(utf8_valid(text, len));
	promise(utf8_length(text, len) <= limit);
}

static void
promise_verdict(const Verdict *verdict)
{
	promise(verdict->category >= 0 && verdict->category < CATEGORY_COUNT);
	promise((int) verdict->urgency >= 0 && (int) verdict->urgency < PRIORITY_COUNT);
	promise(verdict->sentiment_score >= SENTIMENT_MIN && verdict->sentiment_score <= SENTIMENT_MAX);
	promise(verdict->draft_reply != NULL);
	promise_text(verdict->draft_reply, DRAFT_REPLY_MAX);
	if (verdict->summary != NULL)
		promise_text(verdict->summary, SUMMARY_MAX);
	if (verdict->language != NULL)
		promise_text(verdict->language, LANGUAGE_MAX);
	promise(verdict->confidence == -1 || (verdict->confidence >= 0 && verdict->confidence <= 1));
	promise(verdict->needs_human >= -1 && verdict->needs_human <= 1);
}

/* Whatever was stored is an answer again, and the same one. */
static void
promise_object(const char *object)
{
	size_t		len = strlen(object);
	bool		same = false;

	promise(len > 0 && utf8_valid(object, len));
	for (int kind = KIND_TRIAGE + 1; kind < KIND_COUNT; kind++)
	{
		VerdictResult again;

		verdict_parse_answer(object, len, (JobKind) kind, &offer, &again);
		same = same || (again.outcome == OUTCOME_SUCCEEDED && strcmp(again.verdict.object, object) == 0);
		verdict_free(&again.verdict);
	}
	promise(same);
}

static void
promise_result(VerdictResult *result)
{
	promise((int) result->outcome >= 0 && (int) result->outcome < OUTCOME_COUNT);
	promise_line(result->reason, sizeof(result->reason));
	promise_line(result->model, sizeof(result->model));
	promise(result->retry_after_ms >= -1 && result->retry_after_ms <= HINT_MAX_MS);
	promise(!result->truncated || result->outcome == OUTCOME_UNUSABLE_ANSWER);
	promise(result->usage.input_tokens >= -1);
	promise(result->usage.cached_tokens >= -1);
	promise(result->usage.output_tokens >= -1);
	if (result->outcome == OUTCOME_SUCCEEDED)
	{
		promise(result->reason[0] == '\0');
		if (result->verdict.object != NULL)
			promise_object(result->verdict.object);
		else
			promise_verdict(&result->verdict);
	}
	else
	{
		promise(result->reason[0] != '\0');
		promise(result->verdict.draft_reply == NULL);
		promise(result->verdict.summary == NULL);
		promise(result->verdict.language == NULL);
		promise(result->verdict.object == NULL);
	}
	verdict_free(&result->verdict);
}

static bool
is_same(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

/* What was read before with the same reader makes no difference. */
static void
promise_reader_forgets(const char *data, size_t size)
{
	static JsonReader *reader = NULL;
	const CallReply reply = {.transport = TRANSPORT_OK, .http_status = 200, .body = data, .body_len = size};
	VerdictResult kept;
	VerdictResult alone;

	if (reader == NULL)
		reader = json_reader_create();
	verdict_of_call(reader, &reply, 0, KIND_TRIAGE, &offer, &kept);
	verdict_of_call(NULL, &reply, 0, KIND_TRIAGE, &offer, &alone);
	promise(kept.outcome == alone.outcome && is_same(kept.reason, alone.reason) && is_same(kept.model, alone.model));
	if (kept.outcome == OUTCOME_SUCCEEDED)
		promise(kept.verdict.category == alone.verdict.category && kept.verdict.urgency == alone.verdict.urgency &&
				is_same(kept.verdict.draft_reply, alone.verdict.draft_reply) &&
				is_same(kept.verdict.summary, alone.verdict.summary) &&
				is_same(kept.verdict.language, alone.verdict.language));
	verdict_free(&kept.verdict);
	verdict_free(&alone.verdict);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VerdictResult result;

	promise_reader_forgets((const char *) data, size);

	verdict_parse((const char *) data, size, KIND_TRIAGE, &offer, &result);
	promise_result(&result);
	for (int kind = 0; kind < KIND_COUNT; kind++)
	{
		verdict_parse_answer((const char *) data, size, (JobKind) kind, &offer, &result);
		promise_result(&result);
	}
	return 0;
}
