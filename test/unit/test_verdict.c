/*
 * test_verdict.c
 *	  Which answers are accepted, and what is said of the others.
 *
 * The replies stand in test/data/good and test/data/bad, one per file; the tables here say what becomes of each, and
 * every file must be in its table.  A file whose name starts with "bare_" holds the answer alone, without the reply
 * around it.  Runs in the top directory of the project.
 */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>

#include "check.h"
#include "core/buf.h"
#include "core/labels.h"
#include "core/utf8.h"
#include "core/verdict.h"

#define DATA_MAX (64 * 1024 * 1024)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DRAFT "Hello,\n\nwe see the second charge of 3 May and are returning it today.\n\nKind regards"
#define SUMMARY "Charged twice for May."

static const Category shop_categories[] = {
	{"technical", "Something technical does not work"},
	{"billing", "Charges, invoices, refunds, plans"},
	{"general", ""},
};

static const Offer shop = {.labels = shop_categories, .label_count = (int) COUNT(shop_categories)};

typedef struct GoodRow
{
	const char *file;
	int			sentiment_score;
	const char *draft_reply;
	const char *summary;
	const char *language;
	double		confidence;
	int			needs_human;
	Usage		usage;
	const char *model;
} GoodRow;

#define USUAL_USAGE {412, 256, 96, -1}
#define USUAL_MODEL "gpt-5.4-mini"
#define USUAL_FIELDS 7, DRAFT, SUMMARY, "en", 0.82, 0

/* Category billing and urgency high in all of them. */
static const GoodRow good_rows[] = {
	{"full", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"required_only", 7, DRAFT, NULL, NULL, -1, -1, {388, 0, 61, -1}, "qwen2.5-7b-instruct-q4_k_m.gguf"},
	{"null_optionals", 7, DRAFT, NULL, NULL, -1, -1, USUAL_USAGE, USUAL_MODEL},
	{"blank_optionals", 7, DRAFT, NULL, NULL, -1, -1, USUAL_USAGE, USUAL_MODEL},
	{"fenced", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"fenced_one_line", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"fenced_plain", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"fenced_unclosed", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"fence_in_draft", 7, "Please run\n```\nsystemctl status\n```", SUMMARY, "en", 0.82, 0, USUAL_USAGE, USUAL_MODEL},
	{"integral_double", 7, "Hello", NULL, NULL, 1, -1, USUAL_USAGE, USUAL_MODEL},
	{"exponent_double", 10, "Hello", NULL, NULL, 0, -1, USUAL_USAGE, USUAL_MODEL},
	{"duplicate_keys", 7, "Hello", NULL, NULL, -1, -1, USUAL_USAGE, USUAL_MODEL},
	{"padded", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"unicode", 7, "Gr\xC3\xBC\xC3\x9F" "e \xF0\x9F\x99\x82 \xE4\xBD\xA0\xE5\xA5\xBD",
	"\xD0\x97\xD0\xB0\xD0\xBF\xD1\x80\xD0\xBE\xD1\x81", "zh-Hant-TW", 0.82, 0, USUAL_USAGE, USUAL_MODEL},
	{"lone_surrogate", 7, "Hello \xEF\xBF\xBD there", NULL, NULL, -1, -1, {-1, -1, -1, -1}, ""},
	{"router", USUAL_FIELDS, {390, -1, 88, -1}, "meta-llama/llama-3.3-70b-instruct"},
	{"cache_write", USUAL_FIELDS, {4020, 0, 96, 4012}, USUAL_MODEL},
	{"no_usage", USUAL_FIELDS, {-1, -1, -1, -1}, ""},
	{"odd_usage", USUAL_FIELDS, {-1, -1, -1, -1}, ""},
	{"huge_usage", USUAL_FIELDS, {-1, -1, INT_MAX, -1}, "x y"},
	{"null_error", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"empty_refusal", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"unknown_finish_reason", USUAL_FIELDS, USUAL_USAGE, USUAL_MODEL},
	{"second_choice_ignored", USUAL_FIELDS, {-1, -1, -1, -1}, ""},
	{"bare_full", USUAL_FIELDS, {-1, -1, -1, -1}, ""},
	{"bare_required_only", 7, DRAFT, NULL, NULL, -1, -1, {-1, -1, -1, -1}, ""},
};

typedef struct BadRow
{
	const char *file;
	RunOutcome	outcome;
	const char *reason;			/* a part of it */
} BadRow;

#define UNUSABLE OUTCOME_UNUSABLE_ANSWER

static const BadRow bad_rows[] = {
	/* the reply is no JSON object */
	{"empty", UNUSABLE, "the reply is empty"},
	{"white_space", UNUSABLE, "the reply is empty"},
	{"html_gateway", UNUSABLE, "the reply is not a JSON object"},
	{"plain_text", UNUSABLE, "the reply is not a JSON object"},
	{"event_stream", UNUSABLE, "the reply is not a JSON object"},
	{"array", UNUSABLE, "the reply is not a JSON object"},
	{"scalar", UNUSABLE, "the reply is not a JSON object"},
	{"cut_in_reply", UNUSABLE, "the reply is cut off"},
	{"cut_before_last_brace", UNUSABLE, "the reply is cut off"},
	{"trailing_junk", UNUSABLE, "the reply is not valid JSON"},
	{"trailing_nul", UNUSABLE, "the reply is not valid JSON"},
	{"nul_in_reply", UNUSABLE, "the reply is not valid JSON, near byte 22"},
	{"trailing_comma", UNUSABLE, "the reply is not valid JSON"},
	{"comment", UNUSABLE, "the reply is not valid JSON"},
	{"single_quotes_in_reply", UNUSABLE, "the reply is not valid JSON, near byte 1"},
	{"nan_in_reply", UNUSABLE, "the reply is not valid JSON, near byte 21"},
	{"infinity_in_reply", UNUSABLE, "the reply is not valid JSON, near byte 22"},
	{"raw_control_in_reply", UNUSABLE, "the reply is not valid JSON, near byte 8"},
	{"deep_reply", UNUSABLE, "the reply is nested too deeply"},
	{"invalid_utf8_in_reply", UNUSABLE, "the reply is not valid JSON"},

	/* the reply holds no answer */
	{"empty_object", UNUSABLE, "the reply has no choices"},
	{"choices_null", UNUSABLE, "the reply has no choices"},
	{"choices_empty", UNUSABLE, "the reply has no choices"},
	{"choices_object", UNUSABLE, "the reply has no choices"},
	{"error_number", UNUSABLE, "the reply has no choices"},
	{"choice_number", UNUSABLE, "the reply has no content"},
	{"choice_null", UNUSABLE, "the reply has no content"},
	{"message_missing", UNUSABLE, "the reply has no content"},
	{"message_string", UNUSABLE, "the reply has no content"},
	{"content_missing", UNUSABLE, "the reply has no content"},
	{"content_null", UNUSABLE, "the reply has no content"},
	{"tool_call", UNUSABLE, "the reply has no content"},
	{"legacy_text", UNUSABLE, "the reply has no content"},
	{"content_parts", UNUSABLE, "the reply's content is not a string"},
	{"content_object", UNUSABLE, "the reply's content is not a string"},
	{"content_empty", UNUSABLE, "the answer is empty"},
	{"content_blank", UNUSABLE, "the answer is empty"},

	/* the model did not finish */
	{"refusal", OUTCOME_REFUSED, "the model refused: I cannot help with this request."},
	{"refusal_long", OUTCOME_REFUSED, "the model refused: x\xC3\xB6\xC3\xB6"},
	{"refusal_overlong_utf8", OUTCOME_REFUSED, "No \xEF\xBF\xBD\xEF\xBF\xBD way"},
	{"refusal_with_content", OUTCOME_REFUSED, "the model refused: No."},
	{"content_filter", OUTCOME_REFUSED, "content filter"},
	{"finish_length", UNUSABLE, "truncated"},
	{"finish_length_complete", UNUSABLE, "truncated"},
	{"finish_error", OUTCOME_TRANSIENT, "the provider failed while the model was answering"},

	/* an error in spite of status 200 */
	{"error_throttled", OUTCOME_THROTTLED, "Rate limit reached, please slow down"},
	{"error_overloaded", OUTCOME_TRANSIENT, "The provider is overloaded"},
	{"error_quota", OUTCOME_ACCOUNT, "You have no credits left"},
	{"error_key", OUTCOME_ACCOUNT, "Incorrect API key provided"},
	{"error_context", OUTCOME_BAD_REQUEST, "exceeds the available context size"},
	{"error_text", OUTCOME_TRANSIENT, "upstream went away"},
	{"error_with_usage", OUTCOME_TRANSIENT, "The server had an error"},
	{"error_empty", UNUSABLE, "the reply has no choices"},

	/* the answer is no JSON object */
	{"prose_before", UNUSABLE, "the answer is not a JSON object"},
	{"prose_after", UNUSABLE, "the answer is not valid JSON"},
	{"thoughts_before", UNUSABLE, "the answer is not a JSON object"},
	{"closing_fence_only", UNUSABLE, "the answer is not valid JSON"},
	{"fence_twice", UNUSABLE, "the answer is not a JSON object"},
	{"fence_empty", UNUSABLE, "the answer is empty"},
	{"fence_alone", UNUSABLE, "the answer is empty"},
	{"answer_array_in_content", UNUSABLE, "the answer is not a JSON object"},
	{"answer_scalar_in_content", UNUSABLE, "the answer is not a JSON object"},
	{"answer_cut", UNUSABLE, "the answer is cut off"},
	{"answer_single_quotes", UNUSABLE, "the answer is not valid JSON"},
	{"answer_nan", UNUSABLE, "the answer is not valid JSON"},
	{"answer_raw_newline", UNUSABLE, "the answer is not valid JSON"},
	{"answer_deep", UNUSABLE, "the answer is nested too deeply"},
	{"bare_fenced", UNUSABLE, "the answer is not a JSON object"},
	{"bare_array", UNUSABLE, "the answer is not a JSON object"},
	{"bare_cut", UNUSABLE, "the answer is cut off"},
	{"bare_unknown_category", UNUSABLE, "category is unknown: \"refund\""},

	/* one field is wrong */
	{"category_missing", UNUSABLE, "has no category"},
	{"category_null", UNUSABLE, "has no category"},
	{"category_unknown", UNUSABLE, "category is unknown: \"refund\""},
	{"category_case", UNUSABLE, "category is unknown: \"Billing\""},
	{"category_padded", UNUSABLE, "category is unknown: \"billing \""},
	{"category_prefix", UNUSABLE, "category is unknown: \"bill\""},
	{"category_number", UNUSABLE, "category is not a string"},
	{"category_nul", UNUSABLE, "category contains a NUL character"},
	{"category_long", UNUSABLE, "\xC3\xA9 \xC3\xA9..."},
	{"category_hostile", UNUSABLE, "category is unknown: \"x\"; DROP TABLE tickets; -- [2J\""},
	{"category_overlong_utf8", UNUSABLE, "category is not valid UTF-8"},
	{"category_like_a_key", UNUSABLE, "category is unknown: \"[redacted]\""},
	{"urgency_missing", UNUSABLE, "has no urgency"},
	{"urgency_unknown", UNUSABLE, "urgency is unknown: \"critical\""},
	{"urgency_case", UNUSABLE, "urgency is unknown: \"HIGH\""},
	{"urgency_number", UNUSABLE, "urgency is not a string"},
	{"urgency_nul", UNUSABLE, "urgency contains a NUL character"},
	{"sentiment_missing", UNUSABLE, "has no sentiment_score"},
	{"sentiment_zero", UNUSABLE, "sentiment_score is not from 1 to 10"},
	{"sentiment_eleven", UNUSABLE, "sentiment_score is not from 1 to 10"},
	{"sentiment_negative", UNUSABLE, "sentiment_score is not from 1 to 10"},
	{"sentiment_huge", UNUSABLE, "sentiment_score is not from 1 to 10"},
	{"sentiment_infinite", UNUSABLE, "sentiment_score is not from 1 to 10"},
	{"sentiment_fraction", UNUSABLE, "sentiment_score is not a whole number"},
	{"sentiment_string", UNUSABLE, "sentiment_score is not a number"},
	{"sentiment_true", UNUSABLE, "sentiment_score is not a number"},
	{"sentiment_array", UNUSABLE, "sentiment_score is not a number"},
	{"draft_missing", UNUSABLE, "has no draft_reply"},
	{"draft_null", UNUSABLE, "has no draft_reply"},
	{"draft_empty", UNUSABLE, "draft_reply is blank"},
	{"draft_blank", UNUSABLE, "draft_reply is blank"},
	{"draft_object", UNUSABLE, "draft_reply is not a string"},
	{"draft_nul", UNUSABLE, "draft_reply contains a NUL character"},
	{"draft_invalid_utf8", UNUSABLE, "the reply is not valid JSON"},
	{"draft_overlong_utf8", UNUSABLE, "draft_reply is not valid UTF-8"},
	{"draft_surrogate_utf8", UNUSABLE, "draft_reply is not valid UTF-8"},
	{"draft_beyond_unicode", UNUSABLE, "draft_reply is not valid UTF-8"},
	{"summary_number", UNUSABLE, "summary is not a string"},
	{"summary_nul", UNUSABLE, "summary contains a NUL character"},
	{"language_array", UNUSABLE, "language is not a string"},
	{"language_long", UNUSABLE, "language is longer than 35 characters"},
	{"confidence_above_one", UNUSABLE, "confidence is not from 0 to 1"},
	{"confidence_negative", UNUSABLE, "confidence is not from 0 to 1"},
	{"confidence_infinite", UNUSABLE, "confidence is not from 0 to 1"},
	{"confidence_string", UNUSABLE, "confidence is not a number"},
	{"needs_human_string", UNUSABLE, "needs_human is neither true nor false"},
	{"needs_human_number", UNUSABLE, "needs_human is neither true nor false"},
};

/* ---- helpers ---- */

static bool
read_file(const char *path, Buf *content)
{
	char		chunk[8192];
	size_t		got;
	FILE	   *file = fopen(path, "rb");

	if (!CHECK(file != NULL))
	{
		printf("#   cannot open %s\n", path);
		return false;
	}
	buf_add(content, "", 0);
	while ((got = fread(chunk, 1, sizeof(chunk), file)) > 0)
		buf_add(content, chunk, got);
	CHECK(!ferror(file) && !content->failed);
	fclose(file);
	return true;
}

/*
 * The parser gets memory of exactly the text's size: where there is a sanitizer, one byte too many read is seen.
 */
static void
parse_exactly(void (*parse) (const char *, size_t, JobKind, const Offer *, VerdictResult *),
			  const char *text, size_t len, VerdictResult *result)
{
	char	   *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	memset(result, 0xAA, sizeof(*result));
	parse(copy, len, KIND_TRIAGE, &shop, result);
	free(copy);
}

static bool
parse_file(const char *directory, const char *name, VerdictResult *result)
{
	char		path[300];
	Buf			content;
	bool		found;

	snprintf(path, sizeof(path), "test/data/%s/%s.json", directory, name);
	buf_init(&content, DATA_MAX);
	found = read_file(path, &content);
	if (found)
		parse_exactly(strncmp(name, "bare_", 5) == 0 ? verdict_parse_answer : verdict_parse,
					  content.data, content.len, result);
	buf_free(&content);
	return found;
}

/* A reason must be fit to be stored, logged and shown. */
static void
check_reason_is_presentable(const VerdictResult *result)
{
	size_t		len = strnlen(result->reason, REASON_MAX);

	CHECK(len > 0 && len < REASON_MAX);
	CHECK(utf8_valid(result->reason, len));
	for (size_t i = 0; i < len; i++)
		CHECK((unsigned char) result->reason[i] >= 0x20 && result->reason[i] != 0x7F);
}

static void
check_nothing_to_free(const Verdict *verdict)
{
	CHECK(verdict->draft_reply == NULL);
	CHECK(verdict->summary == NULL);
	CHECK(verdict->language == NULL);
}

static void
parse_answer_text(const char *text, VerdictResult *result)
{
	parse_exactly(verdict_parse_answer, text, strlen(text), result);
}

/* An answer whose text field key holds count times unit. */
static void
parse_answer_with_long(const char *key, const char *unit, size_t count, VerdictResult *result)
{
	Buf			answer;

	buf_init(&answer, DATA_MAX);
	buf_puts(&answer, "{\"category\":\"billing\",\"urgency\":\"high\",\"sentiment_score\":7,\"draft_reply\":\"Hello\"");
	buf_printf(&answer, ",\"%s\":\"", key);
	for (size_t i = 0; i < count; i++)
		buf_puts(&answer, unit);
	buf_puts(&answer, "\"}");
	CHECK(!answer.failed);
	parse_exactly(verdict_parse_answer, answer.data, answer.len, result);
	buf_free(&answer);
}

/* ---- tests ---- */

static void
good_replies_are_accepted_field_by_field(void)
{
	for (size_t i = 0; i < COUNT(good_rows); i++)
	{
		const GoodRow *row = &good_rows[i];
		int			before = check_failures;
		VerdictResult result;

		if (!parse_file("good", row->file, &result))
			continue;
		CHECK_STR(outcome_name(result.outcome), "succeeded");
		CHECK_STR(result.reason, "");
		CHECK_INT(result.verdict.category, 1);
		CHECK_INT(result.verdict.urgency, PRIORITY_HIGH);
		CHECK_INT(result.verdict.sentiment_score, row->sentiment_score);
		CHECK_STR(result.verdict.draft_reply, row->draft_reply);
		CHECK_STR(result.verdict.summary, row->summary);
		CHECK_STR(result.verdict.language, row->language);
		CHECK(result.verdict.confidence == row->confidence);
		CHECK_INT(result.verdict.needs_human, row->needs_human);
		CHECK_INT(result.usage.input_tokens, row->usage.input_tokens);
		CHECK_INT(result.usage.cached_tokens, row->usage.cached_tokens);
		CHECK_INT(result.usage.output_tokens, row->usage.output_tokens);
		CHECK_INT(result.usage.cache_write_tokens, row->usage.cache_write_tokens);
		CHECK_STR(result.model, row->model);
		CHECK_STR(result.charged, strcmp(row->file, "router") == 0 ? "0.00021" : "");
		CHECK_ROW(before, "good/%s.json", row->file);
		verdict_free(&result.verdict);
	}
}

static void
bad_replies_are_classed_and_explained(void)
{
	for (size_t i = 0; i < COUNT(bad_rows); i++)
	{
		const BadRow *row = &bad_rows[i];
		int			before = check_failures;
		VerdictResult result;

		if (!parse_file("bad", row->file, &result))
			continue;
		CHECK_STR(outcome_name(result.outcome), outcome_name(row->outcome));
		CHECK_CONTAINS(result.reason, row->reason);
		check_reason_is_presentable(&result);
		check_nothing_to_free(&result.verdict);
		CHECK_ROW(before, "bad/%s.json", row->file);
	}
}

static bool
in_table(const char *directory, const char *name)
{
	if (strcmp(directory, "good") == 0)
	{
		for (size_t i = 0; i < COUNT(good_rows); i++)
			if (strcmp(good_rows[i].file, name) == 0)
				return true;
		return false;
	}
	for (size_t i = 0; i < COUNT(bad_rows); i++)
		if (strcmp(bad_rows[i].file, name) == 0)
			return true;
	return false;
}

static size_t
check_files_are_in_table(const char *directory)
{
	char		path[300];
	size_t		count = 0;
	DIR		   *dir;
	struct dirent *entry;

	snprintf(path, sizeof(path), "test/data/%s", directory);
	dir = opendir(path);
	if (!CHECK(dir != NULL))
		return 0;
	while ((entry = readdir(dir)) != NULL)
	{
		char	   *suffix = strstr(entry->d_name, ".json");

		if (entry->d_name[0] == '.')
			continue;
		if (suffix != NULL)
			*suffix = '\0';
		if (!CHECK(in_table(directory, entry->d_name)))
			printf("#   %s/%s stands in no table\n", path, entry->d_name);
		count++;
	}
	closedir(dir);
	return count;
}

static void
every_recorded_reply_is_in_a_table(void)
{
	CHECK_INT(check_files_are_in_table("good"), COUNT(good_rows));
	CHECK_INT(check_files_are_in_table("bad"), COUNT(bad_rows));
}

static void
usage_is_read_from_an_unusable_answer(void)
{
	/* before a field is wrong, after a refusal, beside an error: all were billed */
	static const char *const files[] = {
		"category_unknown", "refusal", "content_filter", "finish_length", "choices_empty", "content_null",
		"answer_cut", "error_with_usage",
	};

	for (size_t i = 0; i < COUNT(files); i++)
	{
		int			before = check_failures;
		VerdictResult result;

		if (!parse_file("bad", files[i], &result))
			continue;
		CHECK(result.outcome != OUTCOME_SUCCEEDED);
		CHECK_INT(result.usage.input_tokens, 412);
		CHECK_INT(result.usage.cached_tokens, 256);
		CHECK_INT(result.usage.output_tokens, 96);
		CHECK_STR(result.model, USUAL_MODEL);
		CHECK_ROW(before, "bad/%s.json", files[i]);
	}
}

/* usage.cost, as it may be written, and what is made of it. */
static const struct
{
	const char *cost;
	const char *charged;
}			charges[] = {
	{"0.00021", "0.00021"}, {"0", "0"}, {"0.0", "0"}, {"-0.0", "0"}, {"3", "3"}, {"1.", "1."}, {"1.4e-05", "1.4e-05"}, {"1E2", "1E2"},
	{"0.1234567890123456789012345678", "0.1234567890123456789012345678"},	/* no float has it */
	{"1000000", "1000000"}, {"1000000.01", ""}, {"1e300", ""}, {"1e999", ""}, {"9223372036854775808", ""},
	{"99999999999999999999999999999999999999999999", ""},
	{"1e-13", "0"}, {"1e-999", "0"}, {"1e-99999999999", "0"},
	{"0.12345678901234567890123456789012345678901234567890", ""},	/* more digits than there is room for */
	{"-0.01", ""}, {"-1e300", ""}, {"\"0.01\"", ""}, {"null", ""}, {"true", ""}, {"{\"total\":1}", ""}, {"[1]", ""},
};

static void
what_a_reply_says_it_cost(void)
{
	for (size_t i = 0; i < COUNT(charges); i++)
	{
		int			before = check_failures;
		char		body[300];
		VerdictResult result;

		snprintf(body, sizeof(body), "{\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"cost\":%s}}", charges[i].cost);
		verdict_parse(body, strlen(body), KIND_TRIAGE, &shop, &result);
		CHECK_INT(result.usage.input_tokens, 4);
		CHECK_STR(result.charged, charges[i].charged);
		CHECK_ROW(before, "cost %s", charges[i].cost);
	}
}

static void
a_cost_that_is_no_json_makes_the_reply_unusable(void)
{
	static const char *const costs[] = {"NaN", "Infinity", "-Infinity", "0x10", "1,5"};

	for (size_t i = 0; i < COUNT(costs); i++)
	{
		int			before = check_failures;
		char		body[300];
		VerdictResult result;

		snprintf(body, sizeof(body), "{\"choices\":[],\"usage\":{\"prompt_tokens\":4,\"cost\":%s}}", costs[i]);
		verdict_parse(body, strlen(body), KIND_TRIAGE, &shop, &result);
		CHECK_INT(result.usage.input_tokens, -1);
		CHECK_STR(result.charged, "");
		CHECK_CONTAINS(result.reason, "not valid JSON");
		CHECK_ROW(before, "cost %s", costs[i]);
	}
}

static void
unread_reply_says_nothing_of_usage(void)
{
	VerdictResult result;

	if (!parse_file("bad", "cut_in_reply", &result))
		return;
	CHECK_INT(result.usage.input_tokens, -1);
	CHECK_INT(result.usage.cached_tokens, -1);
	CHECK_INT(result.usage.output_tokens, -1);
	CHECK_INT(result.usage.cache_write_tokens, -1);
	CHECK_STR(result.model, "");
}

static void
a_reply_cut_anywhere_is_unusable(void)
{
	Buf			content;

	buf_init(&content, DATA_MAX);
	if (read_file("test/data/good/full.json", &content))
	{
		size_t		end = content.len;
		size_t		accepted = 0;

		while (end > 0 && content.data[end - 1] != '}')
			end--;
		for (size_t len = 0; len < end; len++)
		{
			VerdictResult result;

			parse_exactly(verdict_parse, content.data, len, &result);
			accepted += result.outcome != OUTCOME_UNUSABLE_ANSWER;
			verdict_free(&result.verdict);
		}
		CHECK(end > 100);
		CHECK_INT(accepted, 0);
	}
	buf_free(&content);
}

static void
limits_count_characters_and_not_bytes(void)
{
	static const struct
	{
		const char *key;
		size_t		limit;
	}			rows[] = {
		{"draft_reply", DRAFT_REPLY_MAX}, {"summary", SUMMARY_MAX}, {"language", LANGUAGE_MAX},
	};
	static const char *const units[] = {"x", "\xC3\xBC", "\xF0\x9F\x99\x82", "\\u00fc", "\\ud83d\\ude42"};

	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < COUNT(units); j++)
		{
			int			before = check_failures;
			VerdictResult result;

			parse_answer_with_long(rows[i].key, units[j], rows[i].limit, &result);
			CHECK_STR(outcome_name(result.outcome), "succeeded");
			verdict_free(&result.verdict);
			parse_answer_with_long(rows[i].key, units[j], rows[i].limit + 1, &result);
			CHECK_STR(outcome_name(result.outcome), "unusable_answer");
			CHECK_CONTAINS(result.reason, rows[i].key);
			CHECK_CONTAINS(result.reason, "is longer than");
			check_nothing_to_free(&result.verdict);
			CHECK_ROW(before, "%s of %s", rows[i].key, units[j]);
		}
}

static void
five_megabytes_of_answer_are_refused(void)
{
	VerdictResult result;

	parse_answer_with_long("draft_reply", "0123456789", 500 * 1000, &result);
	CHECK_STR(outcome_name(result.outcome), "unusable_answer");
	check_nothing_to_free(&result.verdict);
}

static void
five_megabytes_of_an_unasked_field_do_no_harm(void)
{
	VerdictResult result;

	parse_answer_with_long("aside", "0123456789", 500 * 1000, &result);
	CHECK_STR(outcome_name(result.outcome), "succeeded");
	CHECK_STR(result.verdict.draft_reply, "Hello");
	verdict_free(&result.verdict);
}

static void
nesting_is_read_up_to_a_limit(void)
{
	/* far from it on both sides: versions of the library count the innermost level differently */
	static const struct
	{
		int			depth;
		const char *outcome;
	}			rows[] = {
		{1, "succeeded"}, {24, "succeeded"}, {40, "unusable_answer"}, {1000, "unusable_answer"},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		int			before = check_failures;
		Buf			answer;
		VerdictResult result;

		buf_init(&answer, DATA_MAX);
		buf_puts(&answer, "{\"category\":\"billing\",\"urgency\":\"high\",\"sentiment_score\":7,"
				 "\"draft_reply\":\"Hello\",\"aside\":");
		for (int level = 0; level < rows[i].depth; level++)
			buf_puts(&answer, "[");
		for (int level = 0; level < rows[i].depth; level++)
			buf_puts(&answer, "]");
		buf_puts(&answer, "}");
		parse_exactly(verdict_parse_answer, answer.data, answer.len, &result);
		CHECK_STR(outcome_name(result.outcome), rows[i].outcome);
		CHECK_ROW(before, "depth %d", rows[i].depth);
		verdict_free(&result.verdict);
		buf_free(&answer);
	}
}

static void
long_words_of_a_stranger_are_clipped_between_characters(void)
{
	VerdictResult result;
	Buf			reply;
	const char *dots;

	if (parse_file("bad", "refusal_long", &result))
	{
		dots = strstr(result.reason, "\xC3\xB6...");
		CHECK(dots != NULL && dots[5] == '\0');
	}
	buf_init(&reply, DATA_MAX);
	buf_puts(&reply, "{\"model\":\"x");
	for (int i = 0; i < 300; i++)
		buf_puts(&reply, "\xC3\xBC");
	buf_puts(&reply, "\"}");
	parse_exactly(verdict_parse, reply.data, reply.len, &result);
	CHECK_INT(strlen(result.model), 199);
	CHECK(utf8_valid(result.model, strlen(result.model)));
	buf_free(&reply);
}

static void
a_hundred_thousand_open_brackets_do_no_harm(void)
{
	const size_t len = 100000;
	char	   *text = malloc(len);
	VerdictResult result;

	memset(text, '[', len);
	memcpy(text, "{\"a\":", 5);
	parse_exactly(verdict_parse, text, len, &result);
	CHECK_STR(outcome_name(result.outcome), "unusable_answer");
	CHECK_CONTAINS(result.reason, "nested too deeply");
	free(text);
}

static void
without_categories_every_answer_is_unusable(void)
{
	static const char answer[] = "{\"category\":\"\",\"urgency\":\"low\",\"sentiment_score\":1,\"draft_reply\":\"x\"}";
	VerdictResult result;

	verdict_parse_answer(answer, sizeof(answer) - 1, KIND_TRIAGE, NULL, &result);
	CHECK_STR(outcome_name(result.outcome), "unusable_answer");
	CHECK_CONTAINS(result.reason, "category is unknown: \"\"");
}

static void
every_label_of_either_list_is_read(void)
{
	for (size_t i = 0; i < COUNT(shop_categories); i++)
		for (int j = 0; j < PRIORITY_COUNT; j++)
		{
			char		text[300];
			VerdictResult result;

			snprintf(text, sizeof(text),
					 "{\"category\":\"%s\",\"urgency\":\"%s\",\"sentiment_score\":1,\"draft_reply\":\"x\"}",
					 shop_categories[i].name, priority_name((Priority) j));
			parse_answer_text(text, &result);
			CHECK_STR(outcome_name(result.outcome), "succeeded");
			CHECK_INT(result.verdict.category, i);
			CHECK_INT(result.verdict.urgency, j);
			verdict_free(&result.verdict);
		}
}

static void
numbers_are_judged_by_value(void)
{
	static const struct
	{
		const char *sentiment;
		const char *confidence;
		bool		accepted;
	}			rows[] = {
		{"1", "0", true}, {"10", "1", true}, {"1.0", "0.0", true}, {"10.0", "1.0", true}, {"1e0", "1e-300", true},
		{"100e-1", "0.5", true}, {"5", "-0.0", true}, {"5", "1.0000000000000002", false}, {"10.000001", "1", false},
		{"0.999999", "1", false}, {"-1", "1", false}, {"18446744073709551616", "1", false},
		{"-9223372036854775809", "1", false}, {"4294967303", "1", false}, {"5", "2", false}, {"5", "-1e-300", false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		int			before = check_failures;
		char		text[300];
		VerdictResult result;

		snprintf(text, sizeof(text), "{\"category\":\"billing\",\"urgency\":\"low\",\"sentiment_score\":%s,"
				 "\"draft_reply\":\"x\",\"confidence\":%s}", rows[i].sentiment, rows[i].confidence);
		parse_answer_text(text, &result);
		CHECK_STR(outcome_name(result.outcome), rows[i].accepted ? "succeeded" : "unusable_answer");
		CHECK_ROW(before, "%s, %s", rows[i].sentiment, rows[i].confidence);
		verdict_free(&result.verdict);
	}
}

/* A value that nobody asked for, and the byte of it that is no JSON whatever the library thinks of it; -1: none. */
static const struct
{
	const char *value;
	size_t		len;
	int			lax_at;
}			asides[] = {
#define ASIDE(value, lax_at) {value, sizeof(value) - 1, lax_at}
	ASIDE("\"\"", -1), ASIDE("\"'NaN' Infinity\"", -1), ASIDE("\"\\\"'\"", -1), ASIDE("\"\\\\\"", -1),
	ASIDE("\"\\\\\\\"N\"", -1), ASIDE("[\"\\\\\",'']", 6), ASIDE("[\"\\\\\\\"\",NaN]", 8), ASIDE("['',NaN]", 1),
	ASIDE("[NaN,Infinity]", 1), ASIDE("[-Infinity]", 2), ASIDE("{'a':1}", 1), ASIDE("\"\t\"", 1), ASIDE("\"a\x1F\"", 2),
	ASIDE("\"\x7F \xC3\xBC \xF0\x9F\x99\x82\"", -1), ASIDE("[\t1\n]", -1),
	ASIDE("9223372036854775807", -1), ASIDE("-9223372036854775808", -1), ASIDE("[-9223372036854775809]", -1),
	ASIDE("99999999999999999999", -1), ASIDE("99999999999999999999.5", -1), ASIDE("99999999999999999999e-5", -1),
	ASIDE("[99999999999999999999,NaN]", 22), ASIDE("\"99999999999999999999\"", -1),
};

static void
what_is_no_json_is_refused_although_the_library_takes_it(void)
{
	static const char front[] = "{\"category\":\"billing\",\"urgency\":\"high\",\"sentiment_score\":7,"
		"\"draft_reply\":\"Hello\",\"aside\":";

	for (size_t i = 0; i < COUNT(asides); i++)
	{
		int			before = check_failures;
		char		near[60] = "";
		Buf			answer;
		VerdictResult result;

		buf_init(&answer, DATA_MAX);
		buf_puts(&answer, front);
		buf_add(&answer, asides[i].value, asides[i].len);
		buf_puts(&answer, "}");
		parse_exactly(verdict_parse_answer, answer.data, answer.len, &result);
		if (asides[i].lax_at >= 0)
			snprintf(near, sizeof(near), "the answer is not valid JSON, near byte %zu",
					 sizeof(front) - 1 + (size_t) asides[i].lax_at);
		CHECK_STR(result.reason, near);
		CHECK_ROW(before, "%s", asides[i].value);
		verdict_free(&result.verdict);
		buf_free(&answer);
	}
}

static void
a_lone_quote_ends_too_early(void)
{
	static const char *const texts[] = {"{\"", "{\"\\", "{\"\\\"", "{\"a\":\"N", "{\"a\":1"};

	for (size_t i = 0; i < COUNT(texts); i++)
	{
		int			before = check_failures;
		VerdictResult result;

		parse_answer_text(texts[i], &result);
		CHECK_CONTAINS(result.reason, "the answer is cut off");
		CHECK_ROW(before, "%s", texts[i]);
	}
}

static void
an_integer_that_is_too_long_changes_nothing_around_it(void)
{
	VerdictResult result;

	parse_answer_text(" \n{\"category\":\"billing\",\"urgency\":\"low\",\"aside\":[99999999999999999999,-99999999999999999999],"
					  "\"sentiment_score\":1,\"draft_reply\":\"x\",\"summary\":\"no. 99999999999999999999\"} ", &result);
	CHECK_STR(outcome_name(result.outcome), "succeeded");
	CHECK_STR(result.verdict.summary, "no. 99999999999999999999");
	CHECK_INT(result.verdict.sentiment_score, 1);
	verdict_free(&result.verdict);
}

static void
texts_of_the_last_wrong_field_leave_nothing_behind(void)
{
	VerdictResult result;

	/* three strings are copied before the fault is found; a leak is the sanitizer's to see */
	parse_answer_text("{\"category\":\"billing\",\"urgency\":\"low\",\"sentiment_score\":1,\"draft_reply\":\"x\","
					  "\"summary\":\"y\",\"language\":\"en\",\"confidence\":1,\"needs_human\":3}", &result);
	CHECK_STR(outcome_name(result.outcome), "unusable_answer");
	check_nothing_to_free(&result.verdict);
}

static void
verdict_can_be_freed_twice(void)
{
	VerdictResult result;

	if (!parse_file("good", "full", &result))
		return;
	verdict_free(&result.verdict);
	check_nothing_to_free(&result.verdict);
	verdict_free(&result.verdict);
}

static const CheckTest tests[] = {
	CHECK_TEST(good_replies_are_accepted_field_by_field),
	CHECK_TEST(bad_replies_are_classed_and_explained),
	CHECK_TEST(every_recorded_reply_is_in_a_table),
	CHECK_TEST(usage_is_read_from_an_unusable_answer),
	CHECK_TEST(what_a_reply_says_it_cost),
	CHECK_TEST(a_cost_that_is_no_json_makes_the_reply_unusable),
	CHECK_TEST(unread_reply_says_nothing_of_usage),
	CHECK_TEST(a_reply_cut_anywhere_is_unusable),
	CHECK_TEST(limits_count_characters_and_not_bytes),
	CHECK_TEST(five_megabytes_of_answer_are_refused),
	CHECK_TEST(five_megabytes_of_an_unasked_field_do_no_harm),
	CHECK_TEST(nesting_is_read_up_to_a_limit),
	CHECK_TEST(long_words_of_a_stranger_are_clipped_between_characters),
	CHECK_TEST(a_hundred_thousand_open_brackets_do_no_harm),
	CHECK_TEST(without_categories_every_answer_is_unusable),
	CHECK_TEST(every_label_of_either_list_is_read),
	CHECK_TEST(numbers_are_judged_by_value),
	CHECK_TEST(what_is_no_json_is_refused_although_the_library_takes_it),
	CHECK_TEST(a_lone_quote_ends_too_early),
	CHECK_TEST(an_integer_that_is_too_long_changes_nothing_around_it),
	CHECK_TEST(texts_of_the_last_wrong_field_leave_nothing_behind),
	CHECK_TEST(verdict_can_be_freed_twice),
};

int
main(void)
{
	return check_run_all(tests);
}
