/*
 * test_error_classes.c
 *	  The table of failures, row for row: what a call came to, the class it is, and how long to wait.
 *
 * The bodies stand in test/data/errors, one per file, named after the provider and the status under which they come;
 * every file must be in the table.  Each row goes through verdict_of_call(), as a worker's replies do, and then
 * through the retry policy, so that what is paid for twice is seen here.  Runs in the top directory of the project.
 */
#include <dirent.h>
#include <stdlib.h>

#include "check.h"
#include "core/classify.h"
#include "core/json_reader.h"
#include "core/labels.h"
#include "core/retry.h"
#include "core/verdict.h"
#include "net/transfer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BODY_MAX 65536

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW INT64_C(784111777000)

static const Category shop_categories[] = {{"technical", ""}, {"billing", ""}};
static JsonReader *reader;
static const Offer shop = {.labels = shop_categories, .label_count = (int) COUNT(shop_categories)};

/* What becomes of the job of a first call that ended so. */
typedef enum Fate
{
	STORED,
	FAILS_AT_ONCE,				/* asking again would be paid for again */
	ASKED_ONCE_MORE,
	ASKED_TWICE_MORE,
	COUNTED,					/* tried again until the attempts are spent */
	WAITS						/* for the provider; no attempt is spent */
} Fate;

typedef struct Row
{
	int			status;
	const char *file;			/* NULL: no body */
	RunOutcome	outcome;
	Fate		fate;
	int64_t		wait_ms;		/* the hint; negative: none */
	CallReply	headers;
	const char *reason;			/* part of it, or NULL */
} Row;

#define HINT(ms) .wait_ms = (ms)
#define NO_HINT HINT(-1)

static const Row rows[] = {
	/* 408, 409, 425, 500, 502, 503, 504, 520-524, 529: transient, retry-after honoured */
	{408, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{409, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{425, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{500, NULL, OUTCOME_TRANSIENT, COUNTED, HINT(3000), .headers = {.retry_after = "3"}},
	{500, "openai_500", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{500, "anthropic_500", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{500, "gemini_500", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{500, "ollama_500", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{502, "gateway_502_html", OUTCOME_TRANSIENT, COUNTED, NO_HINT, .reason = "a web page instead of an answer"},
	{502, "openrouter_502", OUTCOME_TRANSIENT, COUNTED, NO_HINT, .reason = "upstream connect error"},
	{503, "openai_503", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{503, "gemini_503", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{503, "ollama_503", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{503, "llamacpp_503_loading", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{503, "deepseek_503", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{504, "anthropic_504", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{504, "gemini_504", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{520, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{521, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{522, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{523, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{524, "gateway_524_html", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{529, "anthropic_529", OUTCOME_TRANSIENT, COUNTED, NO_HINT},

	/* 429, and 503 or 529 that say when: throttled, no attempt counted */
	{429, NULL, OUTCOME_THROTTLED, WAITS, NO_HINT},
	{429, "openai_429_requests", OUTCOME_THROTTLED, WAITS, HINT(20000)},
	{429, "openai_429_requests", OUTCOME_THROTTLED, WAITS, HINT(120), .headers = {.retry_after_ms = "120", .retry_after = "1"}},
	{429, "openai_429_tokens", OUTCOME_THROTTLED, WAITS, HINT(360000),
	.headers = {.ratelimit_reset_requests = "1s", .ratelimit_reset_tokens = "6m0s"}},
	{429, "azure_429", OUTCOME_THROTTLED, WAITS, HINT(37000)},
	{429, "azure_429", OUTCOME_THROTTLED, WAITS, HINT(36500), .headers = {.retry_after_ms = "36500", .retry_after = "37"}},
	{429, "mistral_429", OUTCOME_THROTTLED, WAITS, NO_HINT, .headers = {.ratelimit_reset_requests = "-1", .ratelimit_reset_tokens = "0"}},
	{429, "mistral_429", OUTCOME_THROTTLED, WAITS, HINT(2000), .headers = {.retry_after = "2"}},
	{429, "anthropic_429", OUTCOME_THROTTLED, WAITS, HINT(12000), .headers = {.retry_after = "12",
	.other_resets = {NULL, "1994-11-06T08:50:37Z", "1994-11-06T08:49:40Z"}}},
	{429, "anthropic_429", OUTCOME_THROTTLED, WAITS, HINT(60000),
	.headers = {.other_resets = {NULL, "1994-11-06T08:50:37Z", "1994-11-06T08:49:40Z"}}},
	{429, "anthropic_429", OUTCOME_THROTTLED, WAITS, HINT(33000),
	.headers = {.other_resets = {NULL, NULL, NULL, "1994-11-06T08:50:00Z", "1994-11-06T08:50:10Z"}}},
	{429, "gemini_429_minute", OUTCOME_THROTTLED, WAITS, HINT(34000)},
	{429, "gemini_429_array", OUTCOME_THROTTLED, WAITS, HINT(3500)},
	{429, "gemini_429_proxy", OUTCOME_THROTTLED, WAITS, HINT(12000)},
	{429, "gemini_429_no_details", OUTCOME_THROTTLED, WAITS, NO_HINT},
	{429, "openrouter_429", OUTCOME_THROTTLED, WAITS, NO_HINT, .reason = "Rate limited upstream"},
	{429, "openrouter_429", OUTCOME_THROTTLED, WAITS, HINT(HINT_MAX_MS), .headers = {.other_resets = {"1784111777000"}}},
	{429, "groq_429", OUTCOME_THROTTLED, WAITS, HINT(179560)},
	{429, "groq_429", OUTCOME_THROTTLED, WAITS, HINT(3000), .headers = {.retry_after = "3", .ratelimit_reset_requests = "2m59.56s"}},
	{498, "groq_498", OUTCOME_THROTTLED, WAITS, NO_HINT},
	{503, "openai_503", OUTCOME_THROTTLED, WAITS, HINT(7000), .headers = {.retry_after = "Sun, 06 Nov 1994 08:49:44 GMT"}},
	{529, "anthropic_529", OUTCOME_THROTTLED, WAITS, HINT(1000), .headers = {.retry_after = "1"}},

	/* the account: 429 for want of money, 402 */
	{429, "openai_429_quota", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{429, "anthropic_429_spend", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{429, "gemini_429_day", OUTCOME_ACCOUNT, WAITS, HINT(34000)},
	{429, "openrouter_429_free_day", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{400, "anthropic_400_credit", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{402, "anthropic_402", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{402, "openrouter_402", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{402, "deepseek_402", OUTCOME_ACCOUNT, WAITS, NO_HINT},

	/* the key, the model's name: 401, 403, 404, and the 400 of one provider */
	{401, "openai_401", OUTCOME_ACCOUNT, WAITS, NO_HINT, .reason = "Incorrect API key provided: [redacted]"},
	{401, "anthropic_401", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{401, "azure_401", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{401, "llamacpp_401", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{400, "gemini_400_key", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{403, "anthropic_403", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{403, "gemini_403", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{404, "openai_404_model", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{404, "azure_404_deployment", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{404, "anthropic_404", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{404, "gemini_404", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{404, "ollama_404", OUTCOME_MISCONFIGURED, WAITS, NO_HINT, .reason = "try pulling it first"},
	{404, "ollama_404_v1", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{404, "llamacpp_404", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{404, "vllm_404", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{400, "mistral_400_model", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{501, "llamacpp_501", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},

	/* our request does not suit the endpoint: 400 for schema or parameters */
	{400, "openai_400_decimal_below_min_value", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{400, "openai_400_unsupported_value", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{400, "openai_400_not_supported", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{400, "anthropic_400_schema", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{400, "anthropic_400_grammar", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{400, "gemini_400_precondition", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{400, "llamacpp_400_schema", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},
	{422, "mistral_422", OUTCOME_MISCONFIGURED, WAITS, NO_HINT},

	/* this ticket is too long: fails at once */
	{400, "openai_400_context_length", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{400, "openai_400_string_too_long", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{400, "anthropic_400_prompt", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{400, "llamacpp_400_context", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{400, "vllm_400_context", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{413, "anthropic_413", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{413, "groq_413", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{413, NULL, OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{422, NULL, OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{429, "openai_429_too_large", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},

	/* its content is refused: fails at once */
	{400, "openai_400_content_policy", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{400, "openai_400_invalid_prompt", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{400, "azure_400_content_filter", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{403, "openrouter_403_guardrail", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{200, "openai_200_refusal", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT, .reason = "I'm sorry, I cannot assist"},
	{200, "openai_200_content_filter", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{200, "gemini_200_compatible_filter", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT, .reason = "SAFETY"},
	{200, "gemini_200_blocked", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT, .reason = "PROHIBITED_CONTENT"},
	{200, "gemini_200_safety", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{200, "anthropic_200_refusal", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{200, "responses_200_filtered", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},

	/* cut at the output limit: once more */
	{200, "openai_200_length", OUTCOME_UNUSABLE_ANSWER, ASKED_ONCE_MORE, NO_HINT, .reason = "truncated"},
	{200, "responses_200_incomplete", OUTCOME_UNUSABLE_ANSWER, ASKED_ONCE_MORE, NO_HINT, .reason = "truncated"},
	{200, "anthropic_200_max_tokens", OUTCOME_UNUSABLE_ANSWER, ASKED_ONCE_MORE, NO_HINT, .reason = "truncated"},
	{200, "gemini_200_max_tokens", OUTCOME_UNUSABLE_ANSWER, ASKED_ONCE_MORE, NO_HINT, .reason = "truncated"},
	{200, "ollama_200_length", OUTCOME_UNUSABLE_ANSWER, ASKED_ONCE_MORE, NO_HINT, .reason = "truncated"},

	/* no answer that can be used: at most twice more */
	{200, "openai_200_not_json", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT},
	{200, "openai_200_schema", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT, .reason = "refund"},
	{200, "openai_200_empty", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT},
	{200, NULL, OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT, .reason = "empty"},
	{200, "gateway_502_html", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT},
	{400, "groq_400_json", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT},
	{400, "groq_400_tool", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT},
	{500, "llamacpp_500_peg", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT},

	/* an error that came with a success: by its body, and its wait is kept */
	{200, "responses_200_failed", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{200, "responses_200_rate", OUTCOME_THROTTLED, WAITS, HINT(1500)},
	{200, "responses_200_invalid_prompt", OUTCOME_REFUSED, FAILS_AT_ONCE, NO_HINT},
	{200, "openrouter_200_429", OUTCOME_THROTTLED, WAITS, HINT(2000)},
	{200, "openrouter_200_429", OUTCOME_THROTTLED, WAITS, HINT(9000), .headers = {.retry_after = "9"}},
	{200, "gemini_429_minute", OUTCOME_THROTTLED, WAITS, HINT(34000)},
	{200, "mistral_429", OUTCOME_UNUSABLE_ANSWER, ASKED_TWICE_MORE, NO_HINT, .reason = "the reply has no choices"},
	{200, "openrouter_200_503", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{200, "openrouter_200_503", OUTCOME_THROTTLED, WAITS, HINT(5000), .headers = {.retry_after = "5"}},
	{200, "openrouter_200_402", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{200, "openrouter_200_context", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT},
	{200, "openrouter_200_choice_error", OUTCOME_THROTTLED, WAITS, HINT(4000)},
	{200, "openrouter_200_choice_failed", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{200, "openai_401", OUTCOME_ACCOUNT, WAITS, NO_HINT},
	{200, "anthropic_529", OUTCOME_TRANSIENT, COUNTED, NO_HINT},
	{200, "azure_200_filter_down", OUTCOME_SUCCEEDED, STORED, NO_HINT},

	/* x-should-retry has the last word, but on who is to blame */
	{500, "anthropic_500", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT, .headers = {.should_retry = "false"}},
	{503, "ollama_503", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT, .headers = {.should_retry = "False"}},
	{400, "groq_400_json", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT, .headers = {.should_retry = "false"}},
	{429, "anthropic_429", OUTCOME_ACCOUNT, WAITS, NO_HINT, .headers = {.should_retry = "false"}},
	{429, "anthropic_429", OUTCOME_THROTTLED, WAITS, HINT(12000), .headers = {.should_retry = "false", .retry_after = "12"}},
	{413, NULL, OUTCOME_TRANSIENT, COUNTED, HINT(2000), .headers = {.should_retry = "true", .retry_after = "2"}},
	{400, "openai_400_content_policy", OUTCOME_TRANSIENT, COUNTED, NO_HINT, .headers = {.should_retry = "true"}},
	{401, "anthropic_401", OUTCOME_ACCOUNT, WAITS, NO_HINT, .headers = {.should_retry = "true"}},
	{404, "anthropic_404", OUTCOME_MISCONFIGURED, WAITS, NO_HINT, .headers = {.should_retry = "true"}},
	{500, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT, .headers = {.should_retry = "true"}},
	{500, NULL, OUTCOME_TRANSIENT, COUNTED, NO_HINT, .headers = {.should_retry = "perhaps"}},
	{200, "openrouter_200_503", OUTCOME_BAD_REQUEST, FAILS_AT_ONCE, NO_HINT, .headers = {.should_retry = "false"}},
};

static size_t
read_body(const char *file, char *body)
{
	char		path[200];
	FILE	   *in;
	size_t		len;

	if (file == NULL)
		return 0;
	snprintf(path, sizeof(path), "test/data/errors/%s.json", file);
	in = fopen(path, "rb");
	if (!CHECK(in != NULL))
		return 0;
	len = fread(body, 1, BODY_MAX, in);
	CHECK(len > 0 && len < BODY_MAX);
	fclose(in);
	return len;
}

/* The same limits as the worker's: see job_decide(). */
static Fate
fate_of(const VerdictResult *result)
{
	RetryPolicy policy = {
		.max_attempts = 5, .max_unusable_answers = result->truncated ? 2 : 3, .base_ms = 1000, .cap_ms = 60000
	};
	RetryDecision first = retry_decide(&policy, result->outcome, 1, result->retry_after_ms, 0);
	int			tries = 1;

	if (first.action == RETRY_DONE)
		return STORED;
	if (first.action == RETRY_GIVE_UP)
		return FAILS_AT_ONCE;
	if (!first.attempt_spent)
		return WAITS;
	while (tries < 10 && retry_decide(&policy, result->outcome, tries, -1, 0).action == RETRY_LATER)
		tries++;
	return tries == 2 ? ASKED_ONCE_MORE : tries == 3 ? ASKED_TWICE_MORE : COUNTED;
}

/* What was read before with the same reader makes no difference. */
static void
check_alone(const CallReply *reply, const VerdictResult *result)
{
	VerdictResult alone;

	verdict_of_call(NULL, reply, NOW, KIND_TRIAGE, &shop, &alone);
	CHECK_INT(alone.outcome, result->outcome);
	CHECK_STR(alone.reason, result->reason);
	CHECK_STR(alone.model, result->model);
	CHECK_INT(alone.usage.input_tokens, result->usage.input_tokens);
	CHECK_INT(alone.usage.output_tokens, result->usage.output_tokens);
	verdict_free(&alone.verdict);
}

static void
judge(const CallReply *reply, VerdictResult *result)
{
	/* whatever is not set is seen */
	memset(result, 0x55, sizeof(*result));
	verdict_of_call(reader, reply, NOW, KIND_TRIAGE, &shop, result);
	check_alone(reply, result);
	CHECK_INT(fate_of(result) == STORED, result->outcome == OUTCOME_SUCCEEDED);
	CHECK_INT(result->reason[0] == '\0', result->outcome == OUTCOME_SUCCEEDED);
	verdict_free(&result->verdict);
}

static void
every_failure_has_its_class_its_wait_and_its_fate(void)
{
	char		body[BODY_MAX];

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		const Row  *row = &rows[i];
		CallReply	reply = row->headers;
		VerdictResult result;
		int			before = check_failures;

		reply.transport = TRANSPORT_OK;
		reply.http_status = row->status;
		reply.body = body;
		reply.body_len = read_body(row->file, body);
		judge(&reply, &result);
		CHECK_STR(outcome_name(result.outcome), outcome_name(row->outcome));
		CHECK_INT(fate_of(&result), row->fate);
		CHECK_INT(result.retry_after_ms, row->wait_ms);
		CHECK_CONTAINS(result.reason, row->reason ? row->reason : "");
		CHECK_LACKS(result.reason, "sk-");
		CHECK_ROW(before, "row %zu: %d %s: %s", i, row->status, row->file ? row->file : "no body", result.reason);
	}
}

/* Deleting what a wait says must never make a call wait longer, nor an odd header crash or change the class. */
static void
nonsense_in_a_header_is_as_good_as_none(void)
{
	static const char *const nonsense[] = {
		"", " ", "-1", "-5s", "soon", "0", "1e9", "NaN", "Sun, 06 Nov 1994 08:49:30 GMT", "1994-11-06T08:49:30Z", "12 apples"
	};

	for (size_t i = 0; i < COUNT(nonsense); i++)
	{
		CallReply	reply = {.http_status = 429, .retry_after_ms = nonsense[i], .retry_after = nonsense[i],
			.ratelimit_reset_requests = nonsense[i], .ratelimit_reset_tokens = nonsense[i], .should_retry = nonsense[i],
			.date = nonsense[i]};
		VerdictResult result;
		int			before = check_failures;

		for (int j = 0; j < OTHER_RESETS; j++)
			reply.other_resets[j] = nonsense[i];
		/* a date that is the server's own clock as well is now */
		judge(&reply, &result);
		CHECK_INT(result.outcome, OUTCOME_THROTTLED);
		CHECK_INT(result.retry_after_ms, -1);
		CHECK_ROW(before, "\"%s\"", nonsense[i]);
	}
}

static void
waits_are_clamped_to_a_day(void)
{
	static const char *const endless[] = {"86401", "25h", "1995-11-06T08:49:37Z", "Sun, 06 Nov 1999 08:49:37 GMT", "999999999"};
	CallReply	reply = {.http_status = 429};
	VerdictResult result;

	for (size_t i = 0; i < COUNT(endless); i++)
	{
		reply.retry_after = endless[i];
		judge(&reply, &result);
		CHECK_INT(result.retry_after_ms, HINT_MAX_MS);
	}
}

static bool
in_table(const char *name)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		if (rows[i].file != NULL && strcmp(rows[i].file, name) == 0)
			return true;
	return false;
}

static void
every_recorded_error_is_in_the_table(void)
{
	DIR		   *dir = opendir("test/data/errors");
	struct dirent *entry;

	if (!CHECK(dir != NULL))
		return;
	while ((entry = readdir(dir)) != NULL)
	{
		char	   *suffix = strstr(entry->d_name, ".json");

		if (suffix == NULL)
			continue;
		*suffix = '\0';
		if (!CHECK(in_table(entry->d_name)))
			printf("#   %s stands in no row\n", entry->d_name);
	}
	closedir(dir);
}

/* ---- libcurl's codes ---- */

typedef struct CurlRow
{
	CURLcode	code;
	Transport	transport;
	RunOutcome	outcome;
} CurlRow;

static const CurlRow curl_rows[] = {
	/* transient; without a connection or an address no attempt is spent either (see calls.c) */
	{CURLE_COULDNT_RESOLVE_PROXY, TRANSPORT_RESOLVE, OUTCOME_TRANSIENT},
	{CURLE_COULDNT_RESOLVE_HOST, TRANSPORT_RESOLVE, OUTCOME_TRANSIENT},
	{CURLE_COULDNT_CONNECT, TRANSPORT_CONNECT, OUTCOME_TRANSIENT},
	{CURLE_HTTP2, TRANSPORT_CUT, OUTCOME_TRANSIENT},
	{CURLE_PARTIAL_FILE, TRANSPORT_CUT, OUTCOME_TRANSIENT},
	{CURLE_OPERATION_TIMEDOUT, TRANSPORT_TIMEOUT, OUTCOME_TRANSIENT},
	{CURLE_GOT_NOTHING, TRANSPORT_CUT, OUTCOME_TRANSIENT},
	{CURLE_SEND_ERROR, TRANSPORT_CUT, OUTCOME_TRANSIENT},
	{CURLE_RECV_ERROR, TRANSPORT_CUT, OUTCOME_TRANSIENT},
	{CURLE_HTTP2_STREAM, TRANSPORT_CUT, OUTCOME_TRANSIENT},
	{CURLE_HTTP3, TRANSPORT_OTHER, OUTCOME_TRANSIENT},
	{CURLE_WEIRD_SERVER_REPLY, TRANSPORT_OTHER, OUTCOME_TRANSIENT},
	{CURLE_OUT_OF_MEMORY, TRANSPORT_OTHER, OUTCOME_TRANSIENT},
	/* configuration */
	{CURLE_PEER_FAILED_VERIFICATION, TRANSPORT_TLS, OUTCOME_MISCONFIGURED},
	{CURLE_SSL_CACERT_BADFILE, TRANSPORT_TLS, OUTCOME_MISCONFIGURED},
	{CURLE_SSL_CERTPROBLEM, TRANSPORT_TLS, OUTCOME_MISCONFIGURED},
	{CURLE_UNSUPPORTED_PROTOCOL, TRANSPORT_URL, OUTCOME_MISCONFIGURED},
	{CURLE_URL_MALFORMAT, TRANSPORT_URL, OUTCOME_MISCONFIGURED},
	/* a certificate, unless the peer just hung up */
	{CURLE_SSL_CONNECT_ERROR, TRANSPORT_TLS, OUTCOME_MISCONFIGURED},
	/* our cap, and libcurl's own */
	{CURLE_FILESIZE_EXCEEDED, TRANSPORT_TOO_LARGE, OUTCOME_BAD_REQUEST},
};

static RunOutcome
outcome_of_transport(Transport transport)
{
	CallReply	reply = {.transport = transport, .transport_message = "in its words"};
	VerdictResult result;

	judge(&reply, &result);
	CHECK_INT(result.retry_after_ms, -1);
	CHECK_CONTAINS(result.reason, "in its words");
	return result.outcome;
}

static void
every_code_of_libcurl_has_its_class(void)
{
	Transfer	transfer;

	for (size_t i = 0; i < COUNT(curl_rows); i++)
	{
		int			before = check_failures;

		memset(&transfer, 0, sizeof(transfer));
		CHECK_INT(transport_of(&transfer, curl_rows[i].code), curl_rows[i].transport);
		CHECK_STR(outcome_name(outcome_of_transport(curl_rows[i].transport)), outcome_name(curl_rows[i].outcome));
		CHECK_ROW(before, "CURLE %d", (int) curl_rows[i].code);
	}
	memset(&transfer, 0, sizeof(transfer));
	strcpy(transfer.message, "OpenSSL SSL_connect: SSL_ERROR_SYSCALL in connection to h:443");
	CHECK_INT(transport_of(&transfer, CURLE_SSL_CONNECT_ERROR), TRANSPORT_CUT);
	memset(&transfer, 0, sizeof(transfer));
	transfer.too_large = true;
	CHECK_INT(transport_of(&transfer, CURLE_WRITE_ERROR), TRANSPORT_TOO_LARGE);
	memset(&transfer, 0, sizeof(transfer));
	transfer.refusal = "address is link-local";
	CHECK_INT(transport_of(&transfer, CURLE_COULDNT_CONNECT), TRANSPORT_REFUSED_ADDRESS);
	CHECK_INT(outcome_of_transport(TRANSPORT_REFUSED_ADDRESS), OUTCOME_MISCONFIGURED);
	memset(&transfer, 0, sizeof(transfer));
	CHECK_INT(transport_of(&transfer, CURLE_OK), TRANSPORT_OK);
}

static const CheckTest tests[] = {
	CHECK_TEST(every_failure_has_its_class_its_wait_and_its_fate),
	CHECK_TEST(nonsense_in_a_header_is_as_good_as_none),
	CHECK_TEST(waits_are_clamped_to_a_day),
	CHECK_TEST(every_recorded_error_is_in_the_table),
	CHECK_TEST(every_code_of_libcurl_has_its_class),
};

int
main(void)
{
	int			code;

	reader = json_reader_create();
	code = check_run_all(tests);
	json_reader_free(reader);
	return code;
}
