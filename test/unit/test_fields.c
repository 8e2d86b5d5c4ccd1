/*
 * test_fields.c
 *	  What an answer's description makes of the request's schema, and of the answers that come back.
 *
 * The tables hold an answer and what is stored of it, or why it is not.
 */
#include <stdlib.h>

#include "check.h"
#include "core/fields_read.h"
#include "core/kinds.h"
#include "core/labels.h"
#include "core/utf8.h"
#include "core/verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const colours[] = {"red", "sea \"green\""};

static const Field part_fields[] = {
	{"title", FIELD_TEXT, true, "Its name.", .max = 5},
	{"share", FIELD_NUMBER, false, "Of the whole.", .min = -1, .max = 1},
	{"tags", FIELD_TEXTS, false, "Words.", .max = 3, .max_items = 2},
};

static const Field all_fields[] = {
	{"text", FIELD_TEXT, true, "Words \"quoted\".", .max = 4},
	{"colour", FIELD_LABEL, false, "A colour.", .labels = colours, .label_stride = sizeof(colours[0]), .label_count = 2},
	{"scale", FIELD_SCALE, false, "How much.", .min = 1, .max = 3},
	{"number", FIELD_NUMBER, false, "How sure.", .min = -2, .max = 2},
	{"flag", FIELD_FLAG, false, "Whether.", .max = 0},
	{"texts", FIELD_TEXTS, false, "Some.", .max = 3, .max_items = 2},
	{"parts", FIELD_OBJECTS, false, "Parts.", .max_items = 2, .fields = part_fields, .field_count = COUNT(part_fields)},
};

static RunOutcome
normalise(const char *answer, const Field *fields, int count, Buf *out, char *reason)
{
	RunOutcome	outcome = OUTCOME_SUCCEEDED;
	Ending		ending = {&outcome, reason};
	json_object *object = NULL;

	reason[0] = '\0';
	buf_init(out, 1 << 20);
	object = json_parse_object(NULL, answer, strlen(answer), "answer", ending);
	if (object != NULL && fields_normalise(out, object, fields, count, ending))
		CHECK(utf8_valid(out->data, out->len));
	json_object_put(object);
	return outcome;
}

static void
what_was_asked_for_is_stored_and_nothing_else(void)
{
	static const char *const rows[][2] = {
		{"{\"text\":\"abcd\"}", "{\"text\":\"abcd\"}"},
		/* in the description's order; unknown keys go; of duplicates the last counts */
		{"{\"flag\":true,\"x\":[{}],\"text\":\"a\",\"text\":\"b\"}", "{\"text\":\"b\",\"flag\":true}"},
		/* characters, not bytes, count */
		{"{\"text\":\"\xC3\xA4\xC3\xB6\xC3\xBC\xE2\x82\xAC\"}", "{\"text\":\"\xC3\xA4\xC3\xB6\xC3\xBC\xE2\x82\xAC\"}"},
		{"{\"text\":\" a\\n\"}", "{\"text\":\" a\\n\"}"},
		{"{\"text\":\"\\\"\\\\\"}", "{\"text\":\"\\\"\\\\\"}"},
		/* left out: missing, null, blank */
		{"{\"text\":\"a\",\"colour\":null,\"scale\":null,\"number\":null,\"flag\":null,\"texts\":null,\"parts\":null}", "{\"text\":\"a\"}"},
		{"{\"text\":\"a\",\"colour\":\" \"}", "{\"text\":\"a\"}"},
		{"{\"text\":\"a\",\"colour\":\"sea \\\"green\\\"\"}", "{\"text\":\"a\",\"colour\":\"sea \\\"green\\\"\"}"},
		{"{\"text\":\"a\",\"scale\":3.0}", "{\"text\":\"a\",\"scale\":3}"},
		{"{\"text\":\"a\",\"scale\":1e0}", "{\"text\":\"a\",\"scale\":1}"},
		/* numbers with four decimals and no more digits than they need */
		{"{\"text\":\"a\",\"number\":0.5}", "{\"text\":\"a\",\"number\":0.5}"},
		{"{\"text\":\"a\",\"number\":-0.25}", "{\"text\":\"a\",\"number\":-0.25}"},
		{"{\"text\":\"a\",\"number\":0.123449}", "{\"text\":\"a\",\"number\":0.1234}"},
		{"{\"text\":\"a\",\"number\":0.99996}", "{\"text\":\"a\",\"number\":1}"},
		{"{\"text\":\"a\",\"number\":-2}", "{\"text\":\"a\",\"number\":-2}"},
		{"{\"text\":\"a\",\"number\":1e-300}", "{\"text\":\"a\",\"number\":0}"},
		{"{\"text\":\"a\",\"flag\":false}", "{\"text\":\"a\",\"flag\":false}"},
		{"{\"text\":\"a\",\"texts\":[]}", "{\"text\":\"a\",\"texts\":[]}"},
		{"{\"text\":\"a\",\"texts\":[\"\",\"b\",\" \",\"c\"]}", "{\"text\":\"a\",\"texts\":[\"b\",\"c\"]}"},
		{"{\"text\":\"a\",\"parts\":[]}", "{\"text\":\"a\",\"parts\":[]}"},
		{"{\"text\":\"a\",\"parts\":[{\"title\":\"one\"},{\"tags\":[\"x\",\"\"],\"share\":-1,\"title\":\"two\",\"no\":1}]}",
		"{\"text\":\"a\",\"parts\":[{\"title\":\"one\"},{\"title\":\"two\",\"share\":-1,\"tags\":[\"x\"]}]}"},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		int			before = check_failures;
		char		reason[REASON_MAX];
		Buf			out;

		CHECK_INT(normalise(rows[i][0], all_fields, COUNT(all_fields), &out, reason), OUTCOME_SUCCEEDED);
		CHECK_STR(out.data, rows[i][1]);
		CHECK_STR(reason, "");
		buf_free(&out);
		CHECK_ROW(before, "%s", rows[i][0]);
	}
}

static void
anything_else_is_refused_with_a_reason(void)
{
	static const char *const rows[][2] = {
		{"{}", "the answer has no text"},
		{"{\"text\":null}", "the answer has no text"},
		{"{\"text\":7}", "the answer's text is not a string"},
		{"{\"text\":[\"a\"]}", "the answer's text is not a string"},
		{"{\"text\":\"\"}", "the answer's text is blank"},
		{"{\"text\":\" \\t\\r\\n\"}", "the answer's text is blank"},
		{"{\"text\":\"abcde\"}", "the answer's text is longer than 4 characters"},
		{"{\"text\":\"a\\u0000b\"}", "the answer's text contains a NUL character"},
		{"{\"text\":\"\xC0\xAF\"}", "not valid"},
		{"{'text':'a'}", "the answer is not valid JSON"},
		{"[]", "the answer is not a JSON object"},
		{"{\"text\":\"a\"", "cut off"},
		{"{\"text\":\"a\",\"colour\":\"Red\"}", "the answer's colour is unknown: \"Red\""},
		{"{\"text\":\"a\",\"colour\":\"red \"}", "the answer's colour is unknown: \"red \""},
		{"{\"text\":\"a\",\"colour\":1}", "the answer's colour is not a string"},
		{"{\"text\":\"a\",\"scale\":\"2\"}", "the answer's scale is not a number"},
		{"{\"text\":\"a\",\"scale\":true}", "the answer's scale is not a number"},
		{"{\"text\":\"a\",\"scale\":0}", "the answer's scale is not from 1 to 3"},
		{"{\"text\":\"a\",\"scale\":4}", "the answer's scale is not from 1 to 3"},
		{"{\"text\":\"a\",\"scale\":1e999}", "the answer's scale is not from 1 to 3"},
		{"{\"text\":\"a\",\"scale\":99999999999999999999}", "the answer's scale is not from 1 to 3"},
		{"{\"text\":\"a\",\"scale\":1.5}", "the answer's scale is not a whole number"},
		{"{\"text\":\"a\",\"number\":\"1\"}", "the answer's number is not a number"},
		{"{\"text\":\"a\",\"number\":2.0001}", "the answer's number is not from -2 to 2"},
		{"{\"text\":\"a\",\"number\":-2.5}", "the answer's number is not from -2 to 2"},
		{"{\"text\":\"a\",\"flag\":\"true\"}", "the answer's flag is neither true nor false"},
		{"{\"text\":\"a\",\"flag\":1}", "the answer's flag is neither true nor false"},
		{"{\"text\":\"a\",\"texts\":\"b\"}", "the answer's texts is not an array"},
		{"{\"text\":\"a\",\"texts\":{}}", "the answer's texts is not an array"},
		{"{\"text\":\"a\",\"texts\":[\"b\",1]}", "the answer's texts[1] is not a string"},
		{"{\"text\":\"a\",\"texts\":[null]}", "the answer's texts[0] is not a string"},
		{"{\"text\":\"a\",\"texts\":[\"b\",\"long\"]}", "the answer's texts[1] is longer than 3 characters"},
		{"{\"text\":\"a\",\"texts\":[\"\\u0000\"]}", "the answer's texts[0] contains a NUL character"},
		{"{\"text\":\"a\",\"texts\":[\"b\",\"c\",\"d\"]}", "the answer's texts has more than 2 items"},
		{"{\"text\":\"a\",\"parts\":{}}", "the answer's parts is not an array"},
		{"{\"text\":\"a\",\"parts\":[\"b\"]}", "the answer's parts[0] is not an object"},
		{"{\"text\":\"a\",\"parts\":[null]}", "the answer's parts[0] is not an object"},
		{"{\"text\":\"a\",\"parts\":[{\"title\":\"b\"},{}]}", "the answer has no parts[1].title"},
		{"{\"text\":\"a\",\"parts\":[{\"title\":\"too long\"}]}", "the answer's parts[0].title is longer than 5 characters"},
		{"{\"text\":\"a\",\"parts\":[{\"title\":\"b\",\"share\":2}]}", "the answer's parts[0].share is not from -1 to 1"},
		{"{\"text\":\"a\",\"parts\":[{\"title\":\"b\",\"tags\":[\"x\",2]}]}", "tags[1] is not a string"},
		{"{\"text\":\"a\",\"parts\":[{\"title\":\"b\"},{\"title\":\"c\"},{\"title\":\"d\"}]}", "the answer's parts has more than 2 items"},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		int			before = check_failures;
		char		reason[REASON_MAX];
		Buf			out;

		CHECK_INT(normalise(rows[i][0], all_fields, COUNT(all_fields), &out, reason), OUTCOME_UNUSABLE_ANSWER);
		CHECK_CONTAINS(reason, rows[i][1]);
		buf_free(&out);
		CHECK_ROW(before, "%s", rows[i][0]);
	}
}

static void
schema_says_what_can_be_said(void)
{
	Buf			out;

	buf_init(&out, 1 << 20);
	fields_schema(&out, all_fields, COUNT(all_fields));
	CHECK_STR(out.data, "{\"type\":\"object\",\"properties\":{"
			  "\"text\":{\"type\":\"string\",\"description\":\"Words \\\"quoted\\\".\"},"
			  "\"colour\":{\"type\":\"string\",\"enum\":[\"red\",\"sea \\\"green\\\"\"],\"description\":\"A colour.\"},"
			  "\"scale\":{\"type\":\"integer\",\"enum\":[1,2,3],\"description\":\"How much.\"},"
			  "\"number\":{\"type\":\"number\",\"description\":\"How sure.\"},"
			  "\"flag\":{\"type\":\"boolean\",\"description\":\"Whether.\"},"
			  "\"texts\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"Some.\"},"
			  "\"parts\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
			  "\"title\":{\"type\":\"string\",\"description\":\"Its name.\"},"
			  "\"share\":{\"type\":\"number\",\"description\":\"Of the whole.\"},"
			  "\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"description\":\"Words.\"}},"
			  "\"required\":[\"title\",\"share\",\"tags\"],\"additionalProperties\":false},\"description\":\"Parts.\"}},"
			  "\"required\":[\"text\",\"colour\",\"scale\",\"number\",\"flag\",\"texts\",\"parts\"],\"additionalProperties\":false}");
	buf_free(&out);
}

static void
too_little_room_fails_without_harm(void)
{
	const char	answer[] = "{\"text\":\"abcd\",\"texts\":[\"b\"]}";

	for (size_t cap = 0; cap < sizeof(answer); cap++)
	{
		RunOutcome	outcome = OUTCOME_SUCCEEDED;
		char		reason[REASON_MAX] = "";
		Ending		ending = {&outcome, reason};
		json_object *object = json_parse_object(NULL, answer, strlen(answer), "answer", ending);
		Buf			out;
		bool		fits;

		buf_init(&out, cap);
		fits = fields_normalise(&out, object, all_fields, COUNT(all_fields), ending);
		CHECK(fits == (cap >= strlen(answer)));
		CHECK_INT(outcome, fits ? OUTCOME_SUCCEEDED : OUTCOME_TRANSIENT);
		buf_free(&out);
		json_object_put(object);
	}
}

/* Each kind's answer: good in full, good with no more than is required, and one that goes wrong in each field. */
typedef struct KindRow
{
	JobKind		kind;
	const char *answer;
	const char *want;			/* what is stored; begins with "the answer": the reason */
} KindRow;

#define REPLY "{\"reply\":\"Hello\",\"action\":\"answer\""
#define SUMMARY "{\"summary\":\"S\""
#define LABELLED(area) "\"area\":\"" area "\",\"issue_type\":\"bug\",\"severity\":\"high\""
#define ISSUE(more) "{" LABELLED("PAYROLL/errors") ",\"summary\":\"s\"" more "}"
#define ISSUES(list) "{\"issues\":[" list "]}"
#define MATCH(number, label, more) "{\"issue\":" number ",\"cluster\":\"" label "\"" more "}"
#define MATCHES(list) "{\"matches\":[" list "]}"
#define NAMED "{\"name\":\"N\""

/* What the answers of issue mining may name: of three issues in one conversation. */
static const Category choices[] = {
	{"PAYROLL/errors", "Payroll stops."}, {"SETTINGS/deductions", ""}, {"none", "None of them."}, {"C17", "<s>"},
};
static const Offer offered = {.labels = choices, .label_count = (int) COUNT(choices), .text_count = 3};

static const KindRow kind_rows[] = {
	{KIND_CHAT_REPLY, REPLY ",\"cause\":\"none\",\"reason\":\"r\",\"confidence\":0.75,\"sentiment_score\":10}",
	REPLY ",\"cause\":\"none\",\"reason\":\"r\",\"confidence\":0.75,\"sentiment_score\":10}"},
	{KIND_CHAT_REPLY, REPLY "}", REPLY "}"},
	{KIND_CHAT_REPLY, REPLY ",\"reason\":\"\",\"cause\":\"\"}", REPLY "}"},
	{KIND_CHAT_REPLY, "{\"action\":\"answer\"}", "the answer has no reply"},
	{KIND_CHAT_REPLY, "{\"reply\":\" \",\"action\":\"answer\"}", "the answer's reply is blank"},
	{KIND_CHAT_REPLY, "{\"reply\":\"a\"}", "the answer has no action"},
	{KIND_CHAT_REPLY, "{\"reply\":\"a\",\"action\":\"refund\"}", "the answer's action is unknown: \"refund\""},
	{KIND_CHAT_REPLY, REPLY ",\"cause\":\"ai_failed\"}", "the answer's cause is unknown"},
	{KIND_CHAT_REPLY, REPLY ",\"confidence\":1.1}", "the answer's confidence is not from 0 to 1"},
	{KIND_CHAT_REPLY, REPLY ",\"sentiment_score\":11}", "the answer's sentiment_score is not from 1 to 10"},
	{KIND_SUMMARIZE, SUMMARY ",\"customer_request\":\"c\",\"open_questions\":[\"a?\",\"b?\"],\"sentiment_score\":3,\"language\":\"de\"}",
	SUMMARY ",\"customer_request\":\"c\",\"open_questions\":[\"a?\",\"b?\"],\"sentiment_score\":3,\"language\":\"de\"}"},
	{KIND_SUMMARIZE, SUMMARY "}", SUMMARY "}"},
	{KIND_SUMMARIZE, SUMMARY ",\"open_questions\":[]}", SUMMARY ",\"open_questions\":[]}"},
	{KIND_SUMMARIZE, SUMMARY ",\"open_questions\":[1]}", "the answer's open_questions[0] is not a string"},
	{KIND_SUMMARIZE, SUMMARY ",\"open_questions\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\"]}",
	"the answer's open_questions has more than 10 items"},
	{KIND_SUMMARIZE, "{\"summary\":\"\"}", "the answer's summary is blank"},
	{KIND_SUMMARIZE, SUMMARY ",\"language\":\"a language with a name that is too long\"}",
	"the answer's language is longer than 35 characters"},

	{KIND_EXTRACT_ISSUES, ISSUES(""), ISSUES("")},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE("")), ISSUES(ISSUE(""))},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE(",\"detail\":\"d\",\"quote\":\"q\",\"confidence\":0.5") "," ISSUE("")),
	ISSUES(ISSUE(",\"detail\":\"d\",\"quote\":\"q\",\"confidence\":0.5") "," ISSUE(""))},
	/* as small models leave it out, or say more than they were asked */
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE(",\"detail\":null,\"quote\":\" \",\"confidence\":null,\"id\":7")), ISSUES(ISSUE(""))},
	{KIND_EXTRACT_ISSUES, "{\"thoughts\":\"x\",\"issues\":[]}", ISSUES("")},
	/* the same problem twice is no harm: numbers are told apart, words are not */
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE("") "," ISSUE("")), ISSUES(ISSUE("") "," ISSUE(""))},
	{KIND_EXTRACT_ISSUES, "{}", "the answer has no issues"},
	{KIND_EXTRACT_ISSUES, "{\"issues\":null}", "the answer has no issues"},
	{KIND_EXTRACT_ISSUES, "{\"issues\":{}}", "the answer's issues is not an array"},
	{KIND_EXTRACT_ISSUES, ISSUES("\"x\""), "the answer's issues[0] is not an object"},
	{KIND_EXTRACT_ISSUES, ISSUES("{" LABELLED("PAYROLL/errors") "}"), "the answer has no issues[0].summary"},
	{KIND_EXTRACT_ISSUES, ISSUES("{" LABELLED("PAYROLL/errors") ",\"summary\":\" \"}"), "the answer's issues[0].summary is blank"},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE("") ",{" LABELLED("payroll/errors") ",\"summary\":\"s\"}"),
	"the answer's issues[1].area is unknown: \"payroll/errors\""},
	{KIND_EXTRACT_ISSUES, ISSUES("{" LABELLED("PAYROLL") ",\"summary\":\"s\"}"), "the answer's issues[0].area is unknown: \"PAYROLL\""},
	{KIND_EXTRACT_ISSUES, ISSUES("{" LABELLED("") ",\"summary\":\"s\"}"), "the answer's issues[0].area is unknown: \"\""},
	{KIND_EXTRACT_ISSUES, ISSUES("{\"issue_type\":\"bug\",\"severity\":\"low\",\"summary\":\"s\"}"), "the answer has no issues[0].area"},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE(",\"issue_type\":\"defect\"")), "the answer's issues[0].issue_type is unknown: \"defect\""},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE(",\"severity\":\"urgent\"")), "the answer's issues[0].severity is unknown: \"urgent\""},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE(",\"confidence\":95")), "the answer's issues[0].confidence is not from 0 to 1"},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE(",\"quote\":\"a\\u0000\"")), "the answer's issues[0].quote contains a NUL character"},
	{KIND_EXTRACT_ISSUES, ISSUES(ISSUE("") "," ISSUE("") "," ISSUE("") "," ISSUE("") "," ISSUE("") "," ISSUE("") ","
								 ISSUE("") "," ISSUE("") "," ISSUE("") "," ISSUE("") "," ISSUE("")),
	"the answer's issues has more than 10 items"},

	{KIND_MATCH_ISSUES, MATCHES(""), MATCHES("")},
	{KIND_MATCH_ISSUES, MATCHES(MATCH("3", "C17", ",\"confidence\":0.9,\"reason\":\"r\"") "," MATCH("1", "none", "")),
	MATCHES(MATCH("3", "C17", ",\"confidence\":0.9,\"reason\":\"r\"") "," MATCH("1", "none", ""))},
	{KIND_MATCH_ISSUES, MATCHES(MATCH("1.0", "none", ",\"reason\":\"\"")), MATCHES(MATCH("1", "none", ""))},
	/* of what is said twice of an issue the first counts, however often it is said */
	{KIND_MATCH_ISSUES, MATCHES(MATCH("2", "C17", "") "," MATCH("2", "none", "") "," MATCH("1", "none", "")),
	MATCHES(MATCH("2", "C17", "") "," MATCH("1", "none", ""))},
	{KIND_MATCH_ISSUES, MATCHES(MATCH("1", "none", "") "," MATCH("1", "none", "") "," MATCH("1", "none", "") "," MATCH("1", "none", "")
								"," MATCH("1", "none", "") "," MATCH("1", "none", "") "," MATCH("1", "none", "") ","
								MATCH("1", "none", "") "," MATCH("1", "none", "") "," MATCH("1", "none", "") ","
								MATCH("1", "none", "") "," MATCH("2", "none", "")),
	MATCHES(MATCH("1", "none", "") "," MATCH("2", "none", ""))},
	/* but what is said must be good */
	{KIND_MATCH_ISSUES, MATCHES(MATCH("2", "C17", "") "," MATCH("2", "C1", "")), "the answer's matches[1].cluster is unknown: \"C1\""},
	{KIND_MATCH_ISSUES, MATCHES(MATCH("4", "C17", "")), "the answer's matches[0].issue is not from 1 to 3"},
	{KIND_MATCH_ISSUES, MATCHES(MATCH("0", "C17", "")), "the answer's matches[0].issue is not from 1 to 3"},
	{KIND_MATCH_ISSUES, MATCHES(MATCH("1.5", "C17", "")), "the answer's matches[0].issue is not a whole number"},
	{KIND_MATCH_ISSUES, MATCHES(MATCH("\"1\"", "C17", "")), "the answer's matches[0].issue is not a number"},
	{KIND_MATCH_ISSUES, MATCHES("{\"cluster\":\"C17\"}"), "the answer has no matches[0].issue"},
	{KIND_MATCH_ISSUES, MATCHES("{\"issue\":1}"), "the answer has no matches[0].cluster"},
	{KIND_MATCH_ISSUES, MATCHES("{\"issue\":1,\"cluster\":null}"), "the answer has no matches[0].cluster"},
	{KIND_MATCH_ISSUES, "{}", "the answer has no matches"},

	{KIND_NAME_CLUSTER, NAMED ",\"summary\":\"S\"}", NAMED ",\"summary\":\"S\"}"},
	{KIND_NAME_CLUSTER, NAMED ",\"summary\":\"S\",\"why\":\"x\"}", NAMED ",\"summary\":\"S\"}"},
	{KIND_NAME_CLUSTER, NAMED "}", "the answer has no summary"},
	{KIND_NAME_CLUSTER, NAMED ",\"summary\":\"\"}", "the answer's summary is blank"},
	{KIND_NAME_CLUSTER, "{\"name\":\"\\t\",\"summary\":\"S\"}", "the answer's name is blank"},
	{KIND_NAME_CLUSTER, "{\"name\":7,\"summary\":\"S\"}", "the answer's name is not a string"},
};

static void
each_kind_has_its_answer(void)
{
	for (size_t i = 0; i < COUNT(kind_rows); i++)
	{
		const KindRow *row = &kind_rows[i];
		int			before = check_failures;
		VerdictResult result;

		verdict_parse_answer(row->answer, strlen(row->answer), row->kind, &offered, &result);
		if (strncmp(row->want, "the answer", 10) == 0)
		{
			CHECK_INT(result.outcome, OUTCOME_UNUSABLE_ANSWER);
			CHECK_CONTAINS(result.reason, row->want);
			CHECK(result.verdict.object == NULL);
		}
		else
		{
			CHECK_INT(result.outcome, OUTCOME_SUCCEEDED);
			CHECK_STR(result.verdict.object, row->want);
			CHECK(result.verdict.draft_reply == NULL);
		}
		verdict_free(&result.verdict);
		CHECK_ROW(before, "%s %s", kind_name(row->kind), row->answer);
	}
}

/* As the limits of the stored columns: exactly so many characters are good, one more is not. */
static void
each_limit_is_kept_to_the_character(void)
{
	static const struct
	{
		JobKind		kind;
		const char *head;
		const char *tail;
		int			max;
	}			rows[] = {
		{KIND_CHAT_REPLY, "{\"action\":\"answer\",\"reply\":\"", "\"}", 4000},
		{KIND_CHAT_REPLY, REPLY ",\"reason\":\"", "\"}", 500},
		{KIND_SUMMARIZE, "{\"summary\":\"", "\"}", 4000},
		{KIND_SUMMARIZE, SUMMARY ",\"customer_request\":\"", "\"}", 1000},
		{KIND_SUMMARIZE, SUMMARY ",\"open_questions\":[\"", "\"]}", 500},
		{KIND_SUMMARIZE, SUMMARY ",\"language\":\"", "\"}", 35},
		{KIND_EXTRACT_ISSUES, "{\"issues\":[{" LABELLED("PAYROLL/errors") ",\"summary\":\"", "\"}]}", 500},
		{KIND_EXTRACT_ISSUES, "{\"issues\":[{" LABELLED("PAYROLL/errors") ",\"summary\":\"s\",\"detail\":\"", "\"}]}", 4000},
		{KIND_EXTRACT_ISSUES, "{\"issues\":[{" LABELLED("PAYROLL/errors") ",\"summary\":\"s\",\"quote\":\"", "\"}]}", 2000},
		{KIND_MATCH_ISSUES, "{\"matches\":[{\"issue\":1,\"cluster\":\"none\",\"reason\":\"", "\"}]}", 300},
		{KIND_NAME_CLUSTER, "{\"summary\":\"s\",\"name\":\"", "\"}", 200},
		{KIND_NAME_CLUSTER, NAMED ",\"summary\":\"", "\"}", 1000},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		for (int extra = 0; extra < 2; extra++)
		{
			int			before = check_failures;
			VerdictResult result;
			Buf			answer;

			buf_init(&answer, 1 << 16);
			buf_puts(&answer, rows[i].head);
			for (int k = 0; k < rows[i].max + extra; k++)
				buf_puts(&answer, "\xE2\x82\xAC");
			buf_puts(&answer, rows[i].tail);
			verdict_parse_answer(answer.data, answer.len, rows[i].kind, &offered, &result);
			CHECK_INT(result.outcome, extra ? OUTCOME_UNUSABLE_ANSWER : OUTCOME_SUCCEEDED);
			verdict_free(&result.verdict);
			buf_free(&answer);
			CHECK_ROW(before, "%s, %d more", rows[i].head, extra);
		}
}

static void
no_description_is_wider_than_the_reader(void)
{
	for (int kind = 0; kind < KIND_COUNT; kind++)
	{
		const KindForm *form = kind_form((JobKind) kind);

		CHECK(form->field_count <= FIELDS_MAX);
		CHECK(form->field_count > 0);
		for (int i = 0; i < form->field_count; i++)
		{
			CHECK(form->fields[i].description != NULL);
			CHECK(form->fields[i].field_count <= FIELDS_MAX);
			for (int k = 0; k < form->fields[i].field_count; k++)
				CHECK(!form->fields[i].fields[k].distinct ||
					  form->fields[i].fields[k].max - form->fields[i].fields[k].min < 64);
		}
	}
}

/* The job's own labels and numbers, deep in a list, and nothing of one job is left for the next. */
static void
schema_has_the_labels_of_the_job(void)
{
	static const Category other[] = {{"X/y", ""}};
	const Offer others = {.labels = other, .label_count = 1, .text_count = 20};
	AnswerForm	form;
	Buf			out;

	buf_init(&out, 1 << 20);
	kind_answer_form(KIND_EXTRACT_ISSUES, &offered, &form);
	fields_schema(&out, form.fields, form.count);
	CHECK_CONTAINS(out.data, "{\"type\":\"object\",\"properties\":{\"issues\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":{"
				   "\"area\":{\"type\":\"string\",\"enum\":[\"PAYROLL/errors\",\"SETTINGS/deductions\",\"none\",\"C17\"],");
	CHECK_CONTAINS(out.data, "\"required\":[\"area\",\"issue_type\",\"severity\",\"summary\",\"detail\",\"quote\",\"confidence\"],"
				   "\"additionalProperties\":false}");
	/* what is known of a label is a stranger's text */
	CHECK_LACKS(out.data, "Payroll stops.");
	buf_reset(&out, 1 << 20);
	kind_answer_form(KIND_MATCH_ISSUES, &offered, &form);
	fields_schema(&out, form.fields, form.count);
	CHECK_CONTAINS(out.data, "\"issue\":{\"type\":\"integer\",\"enum\":[1,2,3],");
	CHECK_CONTAINS(out.data, "\"cluster\":{\"type\":\"string\",\"enum\":[\"PAYROLL/errors\",\"SETTINGS/deductions\",\"none\",\"C17\"],");
	buf_reset(&out, 1 << 20);
	kind_answer_form(KIND_MATCH_ISSUES, &others, &form);
	fields_schema(&out, form.fields, form.count);
	CHECK_CONTAINS(out.data, "\"enum\":[1,2,3,4,5,6,7,8,9,10],");
	CHECK_CONTAINS(out.data, "\"enum\":[\"X/y\"],");
	CHECK_LACKS(out.data, "PAYROLL");
	buf_free(&out);
}

static void
what_no_strict_schema_takes_is_not_offered(void)
{
	static char names[OFFER_LABELS_MAX + 1][16];
	static char lengthy[OFFER_NAMES_MAX + 2];
	Category	many[OFFER_LABELS_MAX + 1];
	const Category twice[] = {{"a", ""}, {"b", ""}, {"a", "x"}};
	const Category empty[] = {{"a", ""}, {"", "x"}};
	const Category odd[] = {{"a\nb", ""}};
	Category	longest[] = {{lengthy, ""}};

	for (int i = 0; i <= OFFER_LABELS_MAX; i++)
	{
		snprintf(names[i], sizeof(names[i]), "C%d", i);
		many[i] = (Category) {names[i], ""};
	}
	memset(lengthy, 'x', OFFER_NAMES_MAX + 1);
	for (int kind = 0; kind < KIND_COUNT; kind++)
	{
		bool		chooses = kind == KIND_EXTRACT_ISSUES || kind == KIND_MATCH_ISSUES;

		CHECK(kind_takes_offer((JobKind) kind) == chooses);
		if (!chooses)
		{
			CHECK(kind_offer_problem((JobKind) kind, &(Offer) {0}) == NULL);
			continue;
		}
		lengthy[OFFER_NAMES_MAX] = 'x';
		CHECK_STR(kind_offer_problem((JobKind) kind, &(Offer) {0}), "there are no labels to choose from");
		CHECK(kind_offer_problem((JobKind) kind, &offered) == NULL);
		CHECK(kind_offer_problem((JobKind) kind, &(Offer) {many, OFFER_LABELS_MAX, 1}) == NULL);
		CHECK_STR(kind_offer_problem((JobKind) kind, &(Offer) {many, OFFER_LABELS_MAX + 1, 1}), "there are more than 250 labels to choose from");
		CHECK_STR(kind_offer_problem((JobKind) kind, &(Offer) {twice, 3, 1}), "a label to choose from is there twice");
		CHECK_CONTAINS(kind_offer_problem((JobKind) kind, &(Offer) {empty, 2, 1}), "is empty or has a control character");
		CHECK_CONTAINS(kind_offer_problem((JobKind) kind, &(Offer) {odd, 1, 1}), "is empty or has a control character");
		CHECK_CONTAINS(kind_offer_problem((JobKind) kind, &(Offer) {longest, 1, 1}), "more than 12000 bytes");
		lengthy[OFFER_NAMES_MAX] = '\0';
		CHECK(kind_offer_problem((JobKind) kind, &(Offer) {longest, 1, 1}) == NULL);
	}
}

/* Whatever a reader has met, the next text is read as by a new one. */
static void
reader_is_as_new_after_any_text(void)
{
	static const char *const bad[] = {
		"{\"text\":\"ab", "{\"text\":[[[[", "{\"text\" \"a\"}", "{\"text\":\"\xC3", "{\"text\":\"\\ud83d", "{\"a\":99999999999999999999",
		"{\"text\":tru", "{\"text\":\"a\"} {", "{\"text\":'a'}", "{\"text\":\"\xFF\"}", "[", "", "{\"text\":\"\\ud83d\\",
		"{\"text\":\"\\ud83d\\u00zz\"}"
	};
	/* the second half of a character alone is none */
	static const char *const good[][2] = {
		{"{\"text\":\"next\"}", "next"},
		{"{\"text\":\"caf\\u00e9\"}", "caf\xC3\xA9"},
		{"{\"text\":\"x\\ude00\"}", "x\xEF\xBF\xBD"},
	};
	const size_t long_len = 200000;
	char	   *lengthy = malloc(long_len + 1);
	JsonReader *reader = json_reader_create();

	memset(lengthy, 'x', long_len);
	memcpy(lengthy, "{\"text\":\"", 9);
	strcpy(lengthy + long_len - 2, "\"}");
	for (size_t i = 0; i < (COUNT(bad) + 1) * COUNT(good); i++)
	{
		const char *first = i / COUNT(good) < COUNT(bad) ? bad[i / COUNT(good)] : lengthy;
		const char *const *next = good[i % COUNT(good)];
		int			before = check_failures;
		RunOutcome	outcome = OUTCOME_SUCCEEDED;
		char		reason[REASON_MAX] = "";
		Ending		ending = {&outcome, reason};
		json_object *object = json_parse_object(reader, first, strlen(first), "answer", ending);

		CHECK((object != NULL) == (first == lengthy));
		json_object_put(object);
		outcome = OUTCOME_SUCCEEDED;
		reason[0] = '\0';
		object = json_parse_object(reader, next[0], strlen(next[0]), "answer", ending);
		CHECK_STR(reason, "");
		CHECK(object != NULL);
		CHECK_STR(json_object_get_string(json_member(object, "text")), next[1]);
		CHECK_ROW(before, "%s after %s", next[0], first);
		json_object_put(object);
	}
	json_reader_free(reader);
	json_reader_free(NULL);
	free(lengthy);
}

int
main(void)
{
	static const CheckTest tests[] = {
		CHECK_TEST(what_was_asked_for_is_stored_and_nothing_else),
		CHECK_TEST(anything_else_is_refused_with_a_reason),
		CHECK_TEST(schema_says_what_can_be_said),
		CHECK_TEST(too_little_room_fails_without_harm),
		CHECK_TEST(each_kind_has_its_answer),
		CHECK_TEST(each_limit_is_kept_to_the_character),
		CHECK_TEST(no_description_is_wider_than_the_reader),
		CHECK_TEST(schema_has_the_labels_of_the_job),
		CHECK_TEST(what_no_strict_schema_takes_is_not_offered),
		CHECK_TEST(reader_is_as_new_after_any_text),
	};

	return check_run_all(tests);
}
