/*
 * test_classify.c
 *	  What a finished call means: providers' recorded and documented errors, waits in every notation, and nothing that
 *	  looks like a key in a message.
 */
#include "core/classify.h"

#include <stdlib.h>

#include "core/reason.h"
#include "core/utf8.h"

#include "check.h"

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW INT64_C(784111777000)

static Classified
classify(int status, const char *body)
{
	CallReply	reply = {.transport = TRANSPORT_OK, .transport_message = "", .http_status = status};
	Classified	out;

	reply.body = body;
	reply.body_len = body ? strlen(body) : 0;
	memset(&out, 0x55, sizeof(out));	/* whatever is not set is seen */
	classify_reply(&reply, NOW, &out);
	return out;
}

/* ---- statuses ---- */

static void
status_alone_decides_without_a_body(void)
{
	static const struct
	{
		int			first;
		int			last;
		RunOutcome	outcome;
	}			rows[] = {
		{-5, 0, OUTCOME_TRANSIENT}, {100, 103, OUTCOME_TRANSIENT}, {199, 199, OUTCOME_TRANSIENT},
		{200, 200, OUTCOME_SUCCEEDED}, {201, 206, OUTCOME_UNUSABLE_ANSWER}, {299, 299, OUTCOME_UNUSABLE_ANSWER},
		{300, 308, OUTCOME_MISCONFIGURED}, {399, 399, OUTCOME_MISCONFIGURED},
		{400, 400, OUTCOME_BAD_REQUEST}, {401, 403, OUTCOME_ACCOUNT}, {404, 407, OUTCOME_MISCONFIGURED},
		{408, 409, OUTCOME_TRANSIENT}, {410, 411, OUTCOME_MISCONFIGURED}, {412, 413, OUTCOME_BAD_REQUEST},
		{414, 415, OUTCOME_MISCONFIGURED}, {416, 416, OUTCOME_BAD_REQUEST}, {417, 417, OUTCOME_MISCONFIGURED},
		{418, 420, OUTCOME_BAD_REQUEST}, {421, 421, OUTCOME_TRANSIENT}, {422, 422, OUTCOME_BAD_REQUEST},
		{423, 425, OUTCOME_TRANSIENT}, {426, 428, OUTCOME_MISCONFIGURED}, {429, 429, OUTCOME_THROTTLED},
		{430, 430, OUTCOME_BAD_REQUEST}, {431, 431, OUTCOME_MISCONFIGURED}, {451, 451, OUTCOME_REFUSED},
		{498, 498, OUTCOME_THROTTLED}, {499, 499, OUTCOME_TRANSIENT}, {500, 500, OUTCOME_TRANSIENT},
		{501, 501, OUTCOME_MISCONFIGURED}, {502, 504, OUTCOME_TRANSIENT}, {505, 505, OUTCOME_MISCONFIGURED},
		{507, 508, OUTCOME_TRANSIENT}, {510, 511, OUTCOME_MISCONFIGURED}, {520, 530, OUTCOME_TRANSIENT},
		{600, 999, OUTCOME_TRANSIENT},
	};
	char		reason[32];

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		for (int status = rows[i].first; status <= rows[i].last; status++)
		{
			int			before = check_failures;
			Classified	out = classify(status, NULL);

			CHECK_INT(out.outcome, rows[i].outcome);
			CHECK_INT(out.retry_after_ms, -1);
			snprintf(reason, sizeof(reason), "HTTP %d", status);
			if (status == 200)
				CHECK_STR(out.reason, "");
			else
				CHECK_CONTAINS(out.reason, reason);
			CHECK_ROW(before, "%d", status);
		}
	}
	CHECK_STR(classify(503, NULL).reason, "HTTP 503");
	CHECK_STR(classify(302, "<html>").reason, "HTTP 302: redirects are not followed");
	CHECK_STR(classify(204, "").reason, "HTTP 204: not the status of a complete answer");
}

static void
transport_failures_have_their_class(void)
{
	static const struct
	{
		int			transport;
		RunOutcome	outcome;
		const char *words;
	}			rows[] = {
		{TRANSPORT_RESOLVE, OUTCOME_TRANSIENT, "resolved"}, {TRANSPORT_CONNECT, OUTCOME_TRANSIENT, "connect"},
		{TRANSPORT_TIMEOUT, OUTCOME_TRANSIENT, "timed out"}, {TRANSPORT_TLS, OUTCOME_MISCONFIGURED, "TLS"},
		{TRANSPORT_URL, OUTCOME_MISCONFIGURED, "URL"}, {TRANSPORT_REFUSED_ADDRESS, OUTCOME_MISCONFIGURED, "not allowed"},
		{TRANSPORT_TOO_LARGE, OUTCOME_BAD_REQUEST, "too large"}, {TRANSPORT_CUT, OUTCOME_TRANSIENT, "early"},
		{TRANSPORT_OTHER, OUTCOME_TRANSIENT, "failed"}, {TRANSPORT_OTHER + 1, OUTCOME_TRANSIENT, "failed"},
		{-1, OUTCOME_TRANSIENT, "failed"},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		/* a success is none before it is complete: the status of a broken 200 says nothing */
		CallReply	reply = {.transport = (Transport) rows[i].transport, .transport_message = "in its words",
		.http_status = i % 2 ? 200 : 0};
		int			before = check_failures;
		Classified	out;

		classify_reply(&reply, NOW, &out);
		CHECK_INT(out.outcome, rows[i].outcome);
		CHECK_INT(out.retry_after_ms, -1);
		CHECK_CONTAINS(out.reason, rows[i].words);
		CHECK_CONTAINS(out.reason, ": in its words");
		reply.transport_message = NULL;
		classify_reply(&reply, NOW, &out);
		CHECK_CONTAINS(out.reason, rows[i].words);
		CHECK_LACKS(out.reason, ": ");
		CHECK_ROW(before, "transport %d", rows[i].transport);
	}
}

static void
refusal_with_a_broken_body_is_still_a_refusal(void)
{
	static const Transport broken[] = {TRANSPORT_CUT, TRANSPORT_TIMEOUT, TRANSPORT_TOO_LARGE};
	CallReply	reply = {.http_status = 429, .retry_after = "7", .body = "{\"error\":{\"mess", .body_len = 15};
	Classified	out;

	for (size_t i = 0; i < LENGTH(broken); i++)
	{
		reply.transport = broken[i];
		classify_reply(&reply, NOW, &out);
		CHECK_INT(out.outcome, OUTCOME_THROTTLED);
		CHECK_INT(out.retry_after_ms, 7000);
	}
	reply.transport = TRANSPORT_CONNECT;
	classify_reply(&reply, NOW, &out);
	CHECK_INT(out.outcome, OUTCOME_TRANSIENT);
}

/* ---- bodies ---- */

typedef struct BodyRow
{
	int			status;
	RunOutcome	outcome;
	const char *body;
	const char *reason;			/* part of it; NULL: not looked at */
} BodyRow;

#define OPENAI(message, type, code) \
	"{\"error\":{\"message\":\"" message "\",\"type\":\"" type "\",\"param\":null,\"code\":\"" code "\"}}"
#define QUOTA "You exceeded your current quota, please check your plan and billing details."
#define GEMINI(id) \
	"{\"error\":{\"code\":429,\"message\":\"" QUOTA "\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[" \
	"{\"@type\":\"type.googleapis.com/google.rpc.QuotaFailure\",\"violations\":[{\"quotaId\":\"" id "\"}]}," \
	"{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"34s\"}]}}"

static const BodyRow bodies[] = {
	/* 429 */
	{429, OUTCOME_THROTTLED, OPENAI("Rate limit reached", "tokens", "rate_limit_exceeded"), "HTTP 429: Rate limit reached"},
	{429, OUTCOME_THROTTLED, "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"slow\"}}", "HTTP 429: slow"},
	{429, OUTCOME_THROTTLED, "Too Many Requests", "HTTP 429: Too Many Requests"},
	{429, OUTCOME_ACCOUNT, OPENAI(QUOTA, "insufficient_quota", "insufficient_quota"), "HTTP 429: You exceeded"},
	{429, OUTCOME_ACCOUNT, "{\"error\":{\"type\":\"insufficient_quota\",\"message\":\"no more\",\"code\":null}}", "no more"},
	{429, OUTCOME_ACCOUNT, OPENAI("x", "y", "INSUFFICIENT_QUOTA"), NULL},
	{429, OUTCOME_ACCOUNT, QUOTA, NULL},
	{429, OUTCOME_ACCOUNT, "{\"error\":{\"type\":\"enforced_spend_limit_reached\"}}", "HTTP 429: enforced_spend_limit_reached"},
	{429, OUTCOME_ACCOUNT, "blocked: enforced_spend_limit_reached for this workspace", NULL},
	{429, OUTCOME_ACCOUNT, OPENAI("x", "y", "billing_hard_limit_reached"), NULL},
	{429, OUTCOME_ACCOUNT, OPENAI("x", "y", "billing_not_active"), NULL},
	{429, OUTCOME_ACCOUNT, OPENAI("x", "billing_error", ""), NULL},
	{429, OUTCOME_ACCOUNT, OPENAI("x", "y", "payment_required"), NULL},
	{429, OUTCOME_ACCOUNT, GEMINI("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), "HTTP 429: You exceeded"},
	{429, OUTCOME_THROTTLED, GEMINI("GenerateRequestsPerMinutePerProjectPerModel"), NULL},
	{429, OUTCOME_ACCOUNT, GEMINI("other"), NULL},
	{429, OUTCOME_ACCOUNT, "Quota RequestsPerDay used up", NULL},
	{429, OUTCOME_ACCOUNT, OPENAI("Rate limit exceeded: free-models-per-day", "y", "z"), NULL},
	{429, OUTCOME_BAD_REQUEST, OPENAI("Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested 20000.", "tokens",
									  "rate_limit_exceeded"), "Request too large"},
	{498, OUTCOME_THROTTLED, OPENAI("Flex tier capacity exceeded", "", ""), NULL},
	/* what a 429 may not become */
	{429, OUTCOME_THROTTLED, OPENAI("the model is not supported", "x", "content_filter"), NULL},
	/* 401 to 404 */
	{401, OUTCOME_ACCOUNT, OPENAI("Incorrect API key", "invalid_request_error", "invalid_api_key"), "HTTP 401: Incorrect API key"},
	{401, OUTCOME_ACCOUNT, "{\"error\":{\"message\":\"Invalid API Key\",\"type\":\"authentication_error\",\"code\":401}}", "HTTP 401: Invalid"},
	{401, OUTCOME_ACCOUNT, OPENAI("was flagged", "x", "content_filter"), NULL},
	{402, OUTCOME_ACCOUNT, "{\"error\":{\"code\":402,\"message\":\"Insufficient credits\"}}", "HTTP 402: Insufficient credits"},
	{402, OUTCOME_ACCOUNT, OPENAI("Insufficient Balance", "unknown_error", "invalid_request_error"), NULL},
	{403, OUTCOME_ACCOUNT, "{\"error\":{\"code\":403,\"message\":\"denied\",\"status\":\"PERMISSION_DENIED\"}}", NULL},
	{403, OUTCOME_ACCOUNT, "<html><title>403</title></html>", "HTTP 403: a web page instead of an answer"},
	{403, OUTCOME_REFUSED, "{\"error\":{\"code\":403,\"message\":\"no\",\"metadata\":{\"error_type\":\"content_policy_violation\"}}}", NULL},
	{403, OUTCOME_REFUSED, "{\"error\":{\"code\":403,\"message\":\"no\",\"metadata\":{\"error_type\":\"refusal\"}}}", NULL},
	{403, OUTCOME_REFUSED, OPENAI("x", "y", "content_filter"), NULL},
	{403, OUTCOME_REFUSED, "{\"error\":{\"code\":403,\"message\":\"Blocked by a guardrail\"}}", NULL},
	{403, OUTCOME_REFUSED, "{\"error\":{\"code\":403,\"message\":\"Your input was flagged for violence\"}}", NULL},
	{404, OUTCOME_MISCONFIGURED, OPENAI("The model `nonexistent` does not exist or you do not have access to it.",
										"invalid_request_error", "model_not_found"), "`nonexistent` does not exist"},
	{404, OUTCOME_MISCONFIGURED, "{\"error\":\"model \\\"x\\\" not found, try pulling it first\"}", "HTTP 404: model \"x\" not found"},
	{404, OUTCOME_MISCONFIGURED, "{\"detail\":\"Not Found\"}", "HTTP 404: Not Found"},
	/* requests */
	{400, OUTCOME_BAD_REQUEST, OPENAI("something else", "invalid_request_error", "other"), "HTTP 400: something else"},
	{400, OUTCOME_BAD_REQUEST, OPENAI("5 tokens more is not supported", "y", "context_length_exceeded"), NULL},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{\"code\":400,\"message\":\"request (30021 tokens) exceeds the available context size (2048 "
		"tokens), try increasing it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":30021,\"n_ctx\":2048}}", "30021 tokens"},
	{400, OUTCOME_BAD_REQUEST, OPENAI("so long is not supported", "y", "string_too_long"), NULL},
	{400, OUTCOME_BAD_REQUEST, OPENAI("so long is not supported", "y", "string_above_max_length"), NULL},
	{400, OUTCOME_BAD_REQUEST, OPENAI("so much is not supported", "exceed_context_size_error", ""), NULL},
	{413, OUTCOME_BAD_REQUEST, "{\"type\":\"error\",\"error\":{\"type\":\"request_too_large\",\"message\":\"is not supported\"}}", NULL},
	{400, OUTCOME_BAD_REQUEST, OPENAI("This model's maximum context length is 4096 tokens; more is not supported", "x", "null"), NULL},
	{400, OUTCOME_BAD_REQUEST, OPENAI("the context size is not supported", "x", ""), NULL},
	{400, OUTCOME_BAD_REQUEST, OPENAI("Prompt is too long, which is not supported", "x", ""), NULL},
	{422, OUTCOME_BAD_REQUEST, "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\"],\"msg\":\"Field required\"}]}", "HTTP 422: Field required"},
	/* content */
	{400, OUTCOME_REFUSED, "{\"error\":{\"code\":\"content_filter\",\"status\":400,\"param\":\"prompt\",\"type\":null,\"message\":\"The response "
		"was filtered, which is not supported\"}}", "was filtered"},
	{400, OUTCOME_REFUSED, "{\"error\":{\"code\":null,\"message\":\"x\",\"innererror\":{\"code\":\"ResponsibleAIPolicyViolation\"}}}", NULL},
	{400, OUTCOME_REFUSED, OPENAI("x", "y", "content_policy_violation"), NULL},
	{400, OUTCOME_REFUSED, OPENAI("x", "y", "invalid_prompt"), NULL},
	{422, OUTCOME_REFUSED, OPENAI("x", "refusal", ""), NULL},
	{400, OUTCOME_REFUSED, OPENAI("The response triggered the content management policy", "y", "z"), NULL},
	/* configuration */
	{400, OUTCOME_MISCONFIGURED, OPENAI("Unsupported value: 'temperature'", "invalid_request_error", "unsupported_value"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "unsupported_parameter"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "unknown_parameter"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "missing_required_parameter"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "invalid_model"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "model_not_found"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "invalid_json_schema"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "decimal_below_min_value"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "integer_below_min_value"), NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x", "y", "integer_above_max_value"), NULL},
	{400, OUTCOME_MISCONFIGURED, "{\"object\":\"error\",\"message\":\"Invalid model: x\",\"type\":\"invalid_request_error\",\"param\":\"model\","
		"\"code\":\"unknown_model\"}", "HTTP 400: Invalid model: x"},
	{400, OUTCOME_MISCONFIGURED, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"output_format.schema: For "
		"'integer' type, property 'minimum' is not supported\"}}", "'minimum' is not supported"},
	{400, OUTCOME_MISCONFIGURED, OPENAI("The compiled grammar is too large", "x", ""), NULL},
	{400, OUTCOME_MISCONFIGURED, "{\"error\":{\"code\":400,\"message\":\"Unable to generate parser for this template. unrecognized type\"}}", NULL},
	{400, OUTCOME_MISCONFIGURED, OPENAI("x is not a valid model ID", "x", ""), NULL},
	{422, OUTCOME_MISCONFIGURED, "{\"object\":\"error\",\"message\":{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"seed\"],\"msg\":"
		"\"no such key\"}]}}", "HTTP 422: no such key"},
	{422, OUTCOME_MISCONFIGURED, "{\"detail\":[{\"msg\":\"Extra inputs are not permitted\"}]}", NULL},
	{501, OUTCOME_MISCONFIGURED, "{\"error\":{\"code\":501,\"message\":\"no\",\"type\":\"not_supported_error\"}}", "HTTP 501: no"},
	/* money and keys behind a 400 */
	{400, OUTCOME_ACCOUNT, "{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass one.\",\"status\":\"INVALID_ARGUMENT\"}}", NULL},
	{400, OUTCOME_ACCOUNT, "{\"error\":{\"code\":400,\"message\":\"x\",\"details\":[{\"reason\":\"API_KEY_INVALID\"}]}}", NULL},
	{400, OUTCOME_ACCOUNT, OPENAI("x", "y", "invalid_api_key"), NULL},
	{400, OUTCOME_ACCOUNT, OPENAI("x", "authentication_error", ""), NULL},
	{400, OUTCOME_ACCOUNT, OPENAI("Your credit balance is too low to access the API", "invalid_request_error", ""), NULL},
	/* answers */
	{400, OUTCOME_UNUSABLE_ANSWER, "{\"error\":{\"message\":\"Failed to generate JSON\",\"type\":\"invalid_request_error\",\"code\":"
		"\"json_validate_failed\",\"failed_generation\":\"content_filter is not supported\"}}", "HTTP 400: Failed to generate JSON"},
	{500, OUTCOME_UNUSABLE_ANSWER, "{\"error\":{\"code\":500,\"message\":\"The model produced output that does not match the expected peg-native "
		"format\",\"type\":\"server_error\"}}", "peg-native"},
	{503, OUTCOME_UNUSABLE_ANSWER, "{\"error\":{\"message\":\"peg-native, retry after 5 seconds\"}}", NULL},
	/* servers */
	{500, OUTCOME_TRANSIENT, OPENAI("The server had an error", "server_error", "is not supported"), "HTTP 500: The server had an error"},
	{500, OUTCOME_TRANSIENT, OPENAI("is not supported", "server_error", "content_filter"), NULL},
	{502, OUTCOME_TRANSIENT, "<!DOCTYPE html><html>bad gateway</html>", "HTTP 502: a web page instead of an answer"},
	{503, OUTCOME_TRANSIENT, "{\"error\":{\"message\":\"Loading model\",\"type\":\"unavailable_error\",\"code\":503}}", "HTTP 503: Loading model"},
	{503, OUTCOME_TRANSIENT, "{\"error\":\"server busy, please try again.  maximum pending requests exceeded\"}",
		"HTTP 503: server busy, please try again. maximum pending requests exceeded"},
	{529, OUTCOME_TRANSIENT, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", "HTTP 529: Overloaded"},
	/* shapes */
	{400, OUTCOME_BAD_REQUEST, "[{\"error\":{\"code\":400,\"message\":\"in a list\",\"status\":\"INVALID_ARGUMENT\"}}]", "HTTP 400: in a list"},
	{400, OUTCOME_REFUSED, "{\"error\":{\"message\":\"{\\\"error\\\":{\\\"message\\\":\\\"inside\\\",\\\"code\\\":\\\"content_filter\\\"}}\"}}",
		"HTTP 400: inside"},
	{400, OUTCOME_REFUSED, "{\"error\":{\"code\":400,\"message\":\"Provider returned error\",\"metadata\":{\"raw\":\"{\\\"error\\\":{\\\"message\\\":"
		"\\\"upstream\\\",\\\"code\\\":\\\"content_filter\\\"}}\"}}}", "HTTP 400: Provider returned error: upstream"},
	/* wrapped more often than anybody wraps: what is left is text, and text has no codes */
	{400, OUTCOME_BAD_REQUEST, "{\"error\":\"{\\\"error\\\":\\\"{\\\\\\\"error\\\\\\\":\\\\\\\"{\\\\\\\\\\\\\\\"error\\\\\\\\\\\\\\\":{"
		"\\\\\\\\\\\\\\\"code\\\\\\\\\\\\\\\":\\\\\\\\\\\\\\\"content_filter\\\\\\\\\\\\\\\"}}\\\\\\\"}\\\"}\"}", "HTTP 400: {\"error\":{\"code\":\"content_filter\"}}"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{\"metadata\":{\"raw\":\"plain words\"}}}", "HTTP 400: plain words"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{\"message\":\"m\",\"metadata\":{\"raw\":{\"a\":1}}}}", "HTTP 400: m"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":true,\"message\":\"flat beside a flag\"}", "HTTP 400: flat beside a flag"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{},\"message\":\"flat beside nothing\"}", "HTTP 400: flat beside nothing"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":null,\"message\":\"flat beside null\"}", "HTTP 400: flat beside null"},
	{400, OUTCOME_BAD_REQUEST, " \r\n\t{\"message\":\"behind blanks\"}", "HTTP 400: behind blanks"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{\"message\":\"{\\\"a\\\":1}\"}}", "HTTP 400: {\"a\":1}"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{\"message\":12,\"code\":{\"a\":1},\"type\":1.5,\"details\":{\"a\":1},\"metadata\":7}}", "HTTP 400"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{\"message\":\"d\",\"details\":[null,1,{\"violations\":7},{\"violations\":[1,{}]},"
		"{\"retryDelay\":5}]}}", "HTTP 400: d"},
	{400, OUTCOME_BAD_REQUEST, "{\"detail\":[]}", "HTTP 400"},
	{400, OUTCOME_BAD_REQUEST, "[]", "HTTP 400: []"},
	{400, OUTCOME_BAD_REQUEST, "[null]", "HTTP 400: [null]"},
	{400, OUTCOME_BAD_REQUEST, "{}", "HTTP 400: {}"},
	{400, OUTCOME_BAD_REQUEST, "{\"unfinished\":", "HTTP 400: {\"unfinished\":"},
	{400, OUTCOME_BAD_REQUEST, "", "HTTP 400"},
	{400, OUTCOME_BAD_REQUEST, "  \n", "HTTP 400"},
	{400, OUTCOME_BAD_REQUEST, "42", "HTTP 400: 42"},
	{400, OUTCOME_BAD_REQUEST, "{\"error\":{\"code\":\"other\"}}", "HTTP 400: other"},
};

static void
error_bodies_refine_their_status(void)
{
	for (size_t i = 0; i < LENGTH(bodies); i++)
	{
		int			before = check_failures;
		Classified	out = classify(bodies[i].status, bodies[i].body);

		CHECK_INT(out.outcome, bodies[i].outcome);
		if (bodies[i].reason != NULL)
			CHECK_CONTAINS(out.reason, bodies[i].reason);
		CHECK_ROW(before, "%d %s", bodies[i].status, bodies[i].body);
	}
}

/* The names of one error object may be many; a long one is none that a table knows. */
static void
surplus_and_long_names_are_left_out(void)
{
	char		body[2000];
	int			used;

	used = snprintf(body, sizeof(body), "{\"error\":{\"code\":\"%064d\",\"details\":[", 0);
	for (int i = 0; i < 20; i++)
		used += snprintf(body + used, sizeof(body) - (size_t) used, "{\"reason\":\"r%d\"},", i);
	snprintf(body + used, sizeof(body) - (size_t) used, "{\"reason\":\"API_KEY_INVALID\"}]}}");
	CHECK_INT(classify(400, body).outcome, OUTCOME_BAD_REQUEST);
	CHECK_STR(classify(400, body).reason, "HTTP 400: r0");
}

static void
oversized_error_body_is_judged_by_its_status(void)
{
	size_t		len = 300 * 1024;
	char	   *body = malloc(len + 1);

	memset(body, ' ', len);
	memcpy(body, "{\"error\":{\"code\":\"content_filter\"}}", 35);
	body[len] = '\0';
	CHECK_INT(classify(400, body).outcome, OUTCOME_BAD_REQUEST);
	body[1000] = '\0';
	CHECK_INT(classify(400, body).outcome, OUTCOME_REFUSED);
	free(body);
}

static void
deep_nesting_is_plain_text(void)
{
	char		body[600];

	memset(body, '[', 500);
	body[500] = '\0';
	CHECK_INT(classify(400, body).outcome, OUTCOME_BAD_REQUEST);
	CHECK_CONTAINS(classify(400, body).reason, "HTTP 400: [[[[");
}

/* ---- errors inside a 200 ---- */

static void
error_inside_a_success_is_judged_by_its_own_words(void)
{
	static const struct
	{
		const char *body;
		RunOutcome	outcome;
		int64_t		hint;
	}			rows[] = {
		{"{\"error\":{\"code\":429,\"message\":\"slow\"}}", OUTCOME_THROTTLED, -1},
		{"{\"error\":{\"code\":\"429\",\"message\":\"slow, try again in 2s\"}}", OUTCOME_THROTTLED, 2000},
		{"{\"error\":{\"code\":502,\"message\":\"bad\"}}", OUTCOME_TRANSIENT, -1},
		{"{\"error\":{\"code\":402}}", OUTCOME_ACCOUNT, -1},
		{"{\"error\":{\"code\":403,\"message\":\"x\",\"metadata\":{\"error_type\":\"content_policy_violation\"}}}", OUTCOME_REFUSED, -1},
		{"{\"error\":{\"code\":200,\"message\":\"x\"}}", OUTCOME_TRANSIENT, -1},
		{"{\"error\":{\"code\":4290,\"message\":\"x\"}}", OUTCOME_TRANSIENT, -1},
		{"{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}}", OUTCOME_THROTTLED, -1},
		{"{\"error\":{\"code\":\"insufficient_quota\"}}", OUTCOME_ACCOUNT, -1},
		{"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}", OUTCOME_TRANSIENT, -1},
		{"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"retry after 3 seconds\"}}", OUTCOME_THROTTLED, 3000},
		{"{\"error\":{\"metadata\":{\"error_type\":\"provider_overloaded\"}}}", OUTCOME_TRANSIENT, -1},
		{"{\"error\":{\"metadata\":{\"error_type\":\"authentication\"}}}", OUTCOME_ACCOUNT, -1},
		{"{\"error\":{\"metadata\":{\"error_type\":\"payment_required\"}}}", OUTCOME_ACCOUNT, -1},
		{"{\"error\":{\"metadata\":{\"error_type\":\"permission_denied\"}}}", OUTCOME_ACCOUNT, -1},
		{"{\"error\":{\"metadata\":{\"error_type\":\"invalid_request\"}}}", OUTCOME_BAD_REQUEST, -1},
		{"{\"error\":{\"code\":\"model_not_found\"}}", OUTCOME_MISCONFIGURED, -1},
		{"{\"error\":{\"code\":\"server_error\",\"message\":\"x\"}}", OUTCOME_TRANSIENT, -1},
		{"{\"error\":{\"code\":\"invalid_prompt\",\"message\":\"x\"}}", OUTCOME_REFUSED, -1},
		{"{\"error\":{\"code\":\"json_validate_failed\",\"message\":\"x\"}}", OUTCOME_UNUSABLE_ANSWER, -1},
		{"{\"error\":\"something broke\"}", OUTCOME_TRANSIENT, -1},
		{"{\"object\":\"error\",\"message\":\"flat\",\"code\":\"unknown_model\"}", OUTCOME_MISCONFIGURED, -1},
		{"[{\"error\":{\"code\":503,\"message\":\"x\",\"details\":[{\"retryDelay\":\"34.5s\"}]}}]", OUTCOME_THROTTLED, 34500},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		int			before = check_failures;
		Classified	out;

		memset(&out, 0x55, sizeof(out));
		CHECK(classify_error_body(rows[i].body, strlen(rows[i].body), 200, &out));
		CHECK_INT(out.outcome, rows[i].outcome);
		CHECK_INT(out.retry_after_ms, rows[i].hint);
		CHECK_CONTAINS(out.reason, "HTTP 200");
		CHECK_ROW(before, "%s", rows[i].body);
	}
}

static void
answers_are_not_taken_for_errors(void)
{
	static const char *const rows[] = {
		"", " ", "null", "[]", "{}", "plain text", "<html>", "{\"error\":null,\"status\":\"completed\"}", "{\"error\":{}}", "{\"error\":false}",
		"{\"error\":\"\"}", "{\"object\":\"chat.completion\",\"choices\":[{\"message\":{\"content\":\"error\"}}]}",
		"{\"message\":\"hello\",\"code\":\"content_filter\"}", "{\"detail\":\"x\"}", "{\"object\":7}", "{\"error\":{\"message\":\"cut",
	};
	Classified	out;

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		int			before = check_failures;

		CHECK(!classify_error_body(rows[i], strlen(rows[i]), 200, &out));
		CHECK_ROW(before, "%s", rows[i]);
	}
	CHECK(!classify_error_body(NULL, 0, 200, &out));
	CHECK(!classify_error_body(NULL, 0, 500, &out));
	/* under an error status anything is one */
	CHECK(classify_error_body("plain text", 10, 500, &out));
	CHECK_INT(out.outcome, OUTCOME_TRANSIENT);
}

/* ---- reasons ---- */

static void
reasons_hold_no_keys(void)
{
	static const struct
	{
		const char *message;
		const char *want;
	}			rows[] = {
		{"Incorrect API key provided: sk-abc123.", "Incorrect API key provided: [redacted]."},
		{"Incorrect API key provided: sk-proj-********************1234. You can find it.",
			"Incorrect API key provided: [redacted]. You can find it."},
		{"Incorrect API key provided: hunter2", "Incorrect API key provided: [redacted]"},
		{"bad key sk-a", "bad key [redacted]"},
		{"keys sk_live_1, gsk_x, pk-1, xai-1, hf_a, AIzaB, nvapi-1 end",
			"keys [redacted], [redacted], [redacted], [redacted], [redacted], [redacted], [redacted] end"},
		{"key **sk-abc** and x_sk-abc", "key [redacted] and [redacted]"},
		{"abcdefghij0123456789key: abc", "[redacted]: [redacted]"},
		{"Bearer abc", "Bearer [redacted]"},
		{"got 'Authorization: Bearer abc.def/ghi+j=' here", "got 'Authorization: Bearer [redacted]' here"},
		{"Authorization: Basic dXNlcg==", "Authorization: Basic [redacted]"},
		{"authorization=abc; x", "authorization=[redacted]; x"},
		{"X-Api-Key: abc", "X-Api-Key: [redacted]"},
		{"api_key=abc&x", "api_key=[redacted]"},
		{"/v1/models?key=abc", "/v1/models?key=[redacted]"},
		{"client secret: abc, password = abc", "client secret: [redacted], password = [redacted]"},
		{"Your api key: ****1234 is invalid", "Your api key: [redacted] is invalid"},
		{"key ****1234 is invalid", "key [redacted] is invalid"},
		{"token abcdefghij0123456789 seen", "token [redacted] seen"},
		{"abcdefghij012345678 is 19 long", "abcdefghij012345678 is 19 long"},
		{"abcdefghijabcdefghijabcdefghij has no digit", "abcdefghijabcdefghijabcdefghij has no digit"},
		{"01234567890123456789 has no letter", "01234567890123456789 has no letter"},
		{"a-b_c-d_e-f_g-h_i-j_1 mixed", "[redacted] mixed"},
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl is a JWT", "[redacted] is a JWT"},
		{"(abcdefghij0123456789)", "([redacted])"},
		{"https://x/abcdefghij0123456789/y", "https://x/[redacted]"},
		/* what must stay readable */
		{"https://platform.openai.com/account/api-keys", "https://platform.openai.com/account/api-keys"},
		{"provide an API key in the header", "provide an API key in the header"},
		{"maximum context length is 4096 tokens", "maximum context length is 4096 tokens"},
		{"model: llama-3.3-70b-versatile", "model: llama-3.3-70b-versatile"},
		{"the Bearer", "the Bearer"}, {"the key:", "the key:"}, {"the key: (see below)", "the key: (see below)"},
		{"a risk-free task", "a risk-free task"}, {"2 ** 3", "2 ** 3"}, {"**bold** word", "**bold** word"},
	};
	char		reason[REASON_MAX];

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		int			before = check_failures;

		reason[0] = '\0';
		reason_append_redacted(reason, rows[i].message);
		CHECK_STR(reason, rows[i].want);
		CHECK_ROW(before, "%s", rows[i].message);
	}
}

/* The same through the front door, from each place where a provider's or libcurl's words come in. */
static void
no_way_in_brings_a_key(void)
{
	static const char *const reply_bodies[] = {
		OPENAI("Incorrect API key provided: sk-SECRET12345. x", "a", "b"), "{\"error\":\"bad token: SECRETx\"}",
		"{\"error\":{\"code\":\"sk-SECRET\"}}", "{\"detail\":\"Bearer SECRET\"}", "Bearer SECRET is wrong",
		"{\"api_key\":\"SECRET\"}", "{\"error\":{\"message\":\"{\\\"error\\\":\\\"sk-SECRET\\\"}\"}}",
		"{\"error\":{\"message\":\"x\",\"metadata\":{\"raw\":\"sk-SECRET\"}}}",
	};
	CallReply	reply = {.transport = TRANSPORT_URL, .transport_message = "bad URL https://h/?key=SECRET"};
	Classified	out;

	for (size_t i = 0; i < LENGTH(reply_bodies); i++)
	{
		for (int status = 400; status <= 403; status++)
		{
			out = classify(status, reply_bodies[i]);
			CHECK_CONTAINS(out.reason, "[redacted]");
			CHECK_LACKS(out.reason, "SECRET");
		}
	}
	classify_reply(&reply, NOW, &out);
	CHECK_LACKS(out.reason, "SECRET");
}

static void
reasons_are_one_line_of_valid_utf8(void)
{
	static const struct
	{
		const char *message;
		const char *want;
	}			rows[] = {
		{"a\r\nb\tc\x01\x1B[2Jd\x7F" "e", "a b c [2Jd e"},
		{"  a  \n\n b  ", "a b"},
		{"bad \xFF\xC3(\xED\xA0\x80 end", "bad \xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD end"},
		{"cut \xE2\x82", "cut \xEF\xBF\xBD\xEF\xBF\xBD"},
		{"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"},
		{"a\xC2\x85" "b\xE2\x80\xA8" "c\xE2\x80\xAE" "d\xE2\x81\xA6\xE2\x81\xA9" "e\xC2\xA0" "f", "a b c d e\xC2\xA0" "f"},
		{"\xE2\x81\xA0\xE3\x80\x80", "\xE2\x81\xA0\xE3\x80\x80"},
		{"\xE2\x80\x93\xE2\x81\xAA\xE2\x82\xAC", "\xE2\x80\x93\xE2\x81\xAA\xE2\x82\xAC"},
	};
	char		line[REASON_MAX];

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		reason_clean(line, sizeof(line), rows[i].message, strlen(rows[i].message));
		CHECK_STR(line, rows[i].want);
	}
	reason_clean(line, sizeof(line), "a\0b", 3);
	CHECK_STR(line, "a b");
	CHECK_STR(classify(400, "{\"error\":\"a\\u0000b\\nc\"}").reason, "HTTP 400: a b c");
	CHECK_STR(classify(400, "a\nERROR: forged").reason, "HTTP 400: a ERROR: forged");
}

static void
long_reasons_are_clipped_between_characters(void)
{
	char		message[4000];
	Classified	out;

	for (size_t start = 0; start < 4; start++)
	{
		memset(message, 'a', start);
		for (size_t i = start; i + 3 < sizeof(message); i += 3)
			memcpy(message + i, "\xE2\x82\xAC", 4);
		out = classify(400, message);
		CHECK(strlen(out.reason) >= REASON_MAX - 4 && strlen(out.reason) < REASON_MAX);
		CHECK(utf8_valid(out.reason, strlen(out.reason)));
	}
	/* a redaction that does not fit is cut, not the key after it */
	memset(message, 'x', sizeof(message));
	memset(message, '.', 495);
	memcpy(message + 495, " sk-SECRET sk-SECRET", 21);
	out = classify(400, message);
	CHECK_INT(strlen(out.reason), REASON_MAX - 1);
	CHECK_LACKS(out.reason, "SECRET");
}

/* A key that stands where the text is cut off must not survive as a piece too short to be known. */
static void
key_at_the_cut_is_dropped_whole(void)
{
	char		message[2000];
	char		line[64];
	Classified	out;

	for (size_t at = 2; at < 64; at++)
	{
		memset(message, '.', sizeof(message));
		memset(message, ' ', at);
		message[0] = 'a';
		memcpy(message + at, "KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0", 71);
		reason_clean(line, sizeof(line), message, strlen(message));
		CHECK_STR(line, "a");
	}
	memset(message, 'K', sizeof(message));
	reason_clean(line, sizeof(line), message, sizeof(message));
	CHECK_STR(line, "");
	/* redaction shortens what stands before, so the cut can come into view */
	for (size_t at = 900; at < 1024; at++)
	{
		memset(message, ' ', sizeof(message));
		for (size_t i = 0; i < at - 81; i += 81)
		{
			memset(message + i, 'a', 80);
			message[i] = '1';
		}
		strcpy(message + at, "KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0KEYKEYKEY0");
		out = classify(400, message);
		CHECK_LACKS(out.reason, "KEY");
	}
}

/* ---- waits ---- */

static void
hints_are_read_in_every_notation(void)
{
	static const struct
	{
		const char *text;
		int64_t		want;
	}			rows[] = {
		{"7", 7000}, {"0", 0}, {"1.5", 1500}, {"0.0001", 1}, {" 7 ", 7000}, {"\t7\t", 7000}, {"7\r\n", 7000}, {"007", 7000}, {"86400", 86400000},
		{"86401", HINT_MAX_MS}, {"999999999", HINT_MAX_MS}, {"1.9999999999999", 2000},
		{"18446744073709551616", HINT_MAX_MS}, {"99999999999999999999999999999999999999", HINT_MAX_MS},
		{"9223372036854775807", HINT_MAX_MS}, {"9223372036854775808", HINT_MAX_MS}, {"100000000000000", HINT_MAX_MS},
		/* Go */
		{"1s", 1000}, {"6m0s", 360000}, {"120ms", 120}, {"1h2m3.5s", 3723500}, {"2m59.56s", 179560}, {"7.66s", 7660}, {"1us", 1},
		{"1ns", 1}, {"0s", 0}, {"1500\xC2\xB5s", 2}, {"1500\xCE\xBCs", 2}, {"1000000ns", 1}, {"1.5ms", 2}, {"0.5h", 1800000},
		{"1.5m", 90000}, {"24h", HINT_MAX_MS}, {"25h", HINT_MAX_MS}, {"24h1ns", HINT_MAX_MS}, {"23h59m59.999s", 86399999},
		{"9223372036854775807h", HINT_MAX_MS}, {"99999999999999999999999999h1s", HINT_MAX_MS}, {"13h13h", HINT_MAX_MS}, {"1.9us", 1},
		{"6M0S", 360000},
		/* dates, seven seconds ahead */
		{"Sun, 06 Nov 1994 08:49:44 GMT", 7000}, {"Sunday, 06-Nov-94 08:49:44 GMT", 7000}, {"Sun Nov  6 08:49:44 1994", 7000},
		{"Sun, 06 Nov 1994 08:49:44 GMT ", 7000}, {"1994-11-06T08:49:44Z", 7000}, {"1994-11-06t08:49:44z", 7000},
		{"1994-11-06 08:49:44Z", 7000}, {"1994-11-06T08:49:44.25Z", 7250}, {"1994-11-06T08:49:44.25678912345Z", 7256},
		{"1994-11-06T10:49:44+02:00", 7000}, {"1994-11-06T02:19:44-06:30", 7000}, {"1994-11-06T08:49:37Z", 0},
		{"2025-08-21T12:41:00Z", HINT_MAX_MS}, {"Sun, 06 Nov 9999 08:49:44 GMT", HINT_MAX_MS}, {"9999-12-31T23:59:60Z", HINT_MAX_MS},
		{"Sunday, 06-Nov-25 08:49:44 GMT", HINT_MAX_MS}, {"Mon Nov 07 08:49:37 1994", HINT_MAX_MS},
		{"-11 Sep 19 12:12:10 4124", -1}, {"-Sun, 06 Nov 1994 08:49:44 GMT", -1},
		/* Unix times */
		{"1784111784", HINT_MAX_MS}, {"1784111784000", HINT_MAX_MS}, {"784111784000", HINT_MAX_MS},
		/* in the past */
		{"Sun, 06 Nov 1994 08:49:36 GMT", -1}, {"1994-11-06T08:49:36.999Z", -1}, {"0000-01-01T00:00:00Z", -1},
		{"Sunday, 06-Nov-70 08:49:44 GMT", -1},
		/* no times */
		{"", -1}, {" ", -1}, {"-1", -1}, {"-1s", -1}, {"+7", -1}, {"7 s", -1}, {"7x", -1}, {"7{", -1}, {"7[", -1}, {"s", -1}, {"1.", -1}, {".5", -1}, {"1.5.5", -1},
		{"1e3", -1}, {"0x10", -1}, {"inf", -1}, {"nan", -1}, {"1,5", -1}, {"7, 7", -1}, {"7;w=1", -1}, {"1s2", -1}, {"1sx", -1}, {"1 s", -1},
		{"7 seconds", -1}, {"7seconds", -1}, {"soon", -1}, {"P1D", -1}, {"12:41:00", -1}, {"\xC2\xB5s", -1}, {"1\xC2s", -1},
		{"1994-11-06", -1}, {"1994-11-06T08:49:44", -1}, {"1994-11-06T08:49:44.Z", -1}, {"1994-11-06T08:49:44Zx", -1},
		{"1994-11-06T08:49Z", -1}, {"1994-11-06T24:00:00Z", -1}, {"1994-11-06T08:60:00Z", -1}, {"1994-11-06T08:49:61Z", -1},
		{"1994-11-06T08:4a:44Z", -1}, {"1994-11-06T0849:44Z", -1}, {"1994-11-06X08:49:44Z", -1}, {"1994-13-06T08:49:44Z", -1},
		{"1994-00-06T08:49:44Z", -1}, {"1994-11-00T08:49:44Z", -1}, {"1994-11-31T08:49:44Z", -1}, {"1994/11/06T08:49:44Z", -1},
		{"1994-11/06T08:49:44Z", -1}, {"1994-11-0", -1}, {"1994-1", -1}, {"199", 199000}, {"1994-", -1}, {"1994-11-06T08:49:44+0200", -1},
		{"1994-11-06T08:49:44+24:00", -1}, {"1994-11-06T08:49:44+02:60", -1}, {"1994-11-06T08:49:44+02:0", -1},
		{"1994-11-06T08:49:44+0x:00", -1}, {"9999-02-29T00:00:00Z", -1}, {"2900-02-29T00:00:00Z", -1},
		{"Sun, 06 Nov 1994 08:49:44 CET", -1}, {"Sun, 06 Nov 1994 08:49:44", -1}, {"Sun, 06 Nov 1994 08:49:44 GMTx", -1},
		{"Sun, 06 Nox 1994 08:49:44 GMT", -1}, {"Sun, 6 Nov 1994 08:49:44 GMT", -1}, {"Sun, 06/Nov/1994 08:49:44 GMT", -1},
		{"Sun, 06 Nov-1994 08:49:44 GMT", -1}, {"Sun, 06 Nov 4 08:49:44 GMT", -1}, {"Sun, 31 Nov 1994 08:49:44 GMT", -1},
		{"Sun, 06 Nov 1994T08:49:44 GMT", -1}, {"Sun, ", -1}, {",", -1}, {"Sun Nox  6 08:49:44 1994", -1}, {"Sun Nov x6 08:49:44 1994", -1},
		{"Sun Nov  6 08:49:44", -1}, {"Sun Nov  6 08:49:44 94", -1}, {"Sun Nov  6 08:49:44 1994 x", -1}, {"Sun Nov  6T08:49:44 1994", -1},
		{"Sun Nov31 08:49:44 1994", -1}, {"Sun Nov 31 08:49:44 1994", -1}, {"Sun ", -1}, {"Sund", -1}, {"Sunday", -1},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		int			before = check_failures;

		CHECK_INT(hint_parse(rows[i].text, NOW), rows[i].want);
		CHECK_ROW(before, "\"%s\"", rows[i].text);
	}
	CHECK_INT(hint_parse(NULL, NOW), -1);
	/* Unix times against a clock of today */
	CHECK_INT(hint_parse("1700000007", INT64_C(1700000000000)), 7000);
	CHECK_INT(hint_parse("1700000007000", INT64_C(1700000000000)), 7000);
	CHECK_INT(hint_parse("1699999999", INT64_C(1700000000000)), -1);
	/* absurd clocks */
	CHECK_INT(hint_parse("2025-08-21T12:41:00Z", INT64_MAX), -1);
	CHECK_INT(hint_parse("2025-08-21T12:41:00Z", INT64_MIN), -1);
	CHECK_INT(hint_parse("7", INT64_MIN), 7000);
}

static void
calendar_is_right_at_its_edges(void)
{
	static const struct
	{
		const char *text;
		int64_t		want;		/* seconds */
	}			rows[] = {
		{"1970-01-01T00:00:00Z", 0}, {"1969-12-31T23:59:59Z", -1}, {"2000-02-29T00:00:00Z", 951782400},
		{"2000-03-01T00:00:00Z", 951868800}, {"2024-02-29T12:00:00Z", 1709208000}, {"2038-01-19T03:14:08Z", INT64_C(2147483648)},
		{"0000-01-01T00:00:00Z", INT64_C(-62167219200)}, {"9999-12-31T23:59:59Z", INT64_C(253402300799)},
		{"2016-12-31T23:59:60Z", 1483228800}, {"1900-03-01T00:00:00Z", INT64_C(-2203891200)},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		int			before = check_failures;
		int64_t		ms = 1;

		CHECK(hint_time(rows[i].text, &ms));
		CHECK_INT(ms, rows[i].want * 1000);
		CHECK_ROW(before, "%s", rows[i].text);
	}
}

static void
hints_are_found_in_sentences(void)
{
	static const struct
	{
		const char *text;
		int64_t		want;
	}			rows[] = {
		{"Please retry after 37 seconds.", 37000}, {"Please try again in 37 seconds. Thanks", 37000}, {"try again in 7.66s.", 7660},
		{"Please try again in 6m0s.", 360000}, {"TRY AGAIN IN 120ms", 120}, {"Please retry in 34.074824224s.", 34075},
		{"retry after 37", 37000}, {"retry after 37.", 37000}, {"retry after 2 minutes", 120000}, {"retry after 1 hour", 3600000},
		{"retry after 1 minute 5 sec", 65000}, {"try again in 1h30m", 5400000}, {"try again in 3 apples", 3000},
		{"try again in 500 milliseconds", 500}, {"try again in 1 millisecond", 1}, {"try again in 1 second", 1000},
		{"try again in 2 secs", 2000}, {"try again in 2 min", 120000}, {"try again in 2 mins", 120000}, {"try again in 2 hours", 7200000},
		{"Please try again after 1 second.", 1000}, {"Please wait 20 seconds before your next request", 20000},
		{"try again in a while; retry after 5s", 5000}, {"try again in 99999999999999999999 hours", HINT_MAX_MS},
		{"please try again", -1}, {"try again in ", -1}, {"try again in a minute", -1}, {"retry after -5 seconds", -1}, {"", -1},
	};

	for (size_t i = 0; i < LENGTH(rows); i++)
	{
		int			before = check_failures;

		CHECK_INT(hint_in_message(rows[i].text), rows[i].want);
		CHECK_ROW(before, "%s", rows[i].text);
	}
}

typedef struct HintRow
{
	const char *name;
	CallReply	reply;
	RunOutcome	outcome;
	int64_t		want;
} HintRow;

#define WAIT_BODY "{\"error\":{\"message\":\"Please try again in 3s\"}}"

static const HintRow hint_rows[] = {
	{"milliseconds first", {.http_status = 429, .retry_after_ms = "1500", .retry_after = "2", .body = WAIT_BODY}, OUTCOME_THROTTLED, 1500},
	{"milliseconds with a fraction", {.http_status = 429, .retry_after_ms = " 1500.2 "}, OUTCOME_THROTTLED, 1501},
	{"milliseconds are no Unix time", {.http_status = 429, .retry_after_ms = "1784111784000"}, OUTCOME_THROTTLED, HINT_MAX_MS},
	{"unreadable milliseconds", {.http_status = 429, .retry_after_ms = "5s", .retry_after = "2"}, OUTCOME_THROTTLED, 2000},
	{"negative milliseconds", {.http_status = 429, .retry_after_ms = "-5", .retry_after = "2"}, OUTCOME_THROTTLED, 2000},
	{"empty milliseconds", {.http_status = 429, .retry_after_ms = "", .retry_after = "2"}, OUTCOME_THROTTLED, 2000},
	{"endless milliseconds", {.http_status = 429, .retry_after_ms = "11111111111111111111111111111111111111111111111111"},
	OUTCOME_THROTTLED, -1},
	{"zero milliseconds", {.http_status = 429, .retry_after_ms = "0", .retry_after = "2"}, OUTCOME_THROTTLED, 2000},
	{"retry-after before the body", {.http_status = 429, .retry_after = "2", .body = WAIT_BODY}, OUTCOME_THROTTLED, 2000},
	{"a float", {.http_status = 429, .retry_after = "1.5"}, OUTCOME_THROTTLED, 1500},
	{"a date by our clock", {.http_status = 429, .retry_after = "Sun, 06 Nov 1994 08:49:44 GMT"}, OUTCOME_THROTTLED, 7000},
	{"a date by the server's clock", {.http_status = 429, .retry_after = "Tue, 15 Nov 1994 08:12:41 GMT",
	.date = "Tue, 15 Nov 1994 08:12:31 GMT"}, OUTCOME_THROTTLED, 10000},
	{"an unreadable clock", {.http_status = 429, .retry_after = "Sun, 06 Nov 1994 08:49:44 GMT", .date = "today"}, OUTCOME_THROTTLED, 7000},
	{"a past date", {.http_status = 429, .retry_after = "Sun, 06 Nov 1994 08:49:30 GMT", .body = WAIT_BODY}, OUTCOME_THROTTLED, 3000},
	{"unreadable", {.http_status = 429, .retry_after = "soon", .body = WAIT_BODY}, OUTCOME_THROTTLED, 3000},
	{"negative", {.http_status = 429, .retry_after = "-1"}, OUTCOME_THROTTLED, -1},
	{"zero is silence", {.http_status = 429, .retry_after = "0"}, OUTCOME_THROTTLED, -1},
	{"beyond a day", {.http_status = 429, .retry_after = "604800"}, OUTCOME_THROTTLED, HINT_MAX_MS},
	{"the body before the reset", {.http_status = 429, .body = WAIT_BODY, .ratelimit_reset_tokens = "6m0s"}, OUTCOME_THROTTLED, 3000},
	{"retryDelay before the sentence", {.http_status = 429, .body = "{\"error\":{\"message\":\"retry in 3s\",\"details\":[{\"retryDelay\":"
	"\"34s\"}]}}"}, OUTCOME_THROTTLED, 34000},
	{"the larger reset", {.http_status = 429, .ratelimit_reset_requests = "1s", .ratelimit_reset_tokens = "6m0s"}, OUTCOME_THROTTLED, 360000},
	{"the larger reset, the other way round", {.http_status = 429, .ratelimit_reset_requests = "6m0s", .ratelimit_reset_tokens = "1s"},
	OUTCOME_THROTTLED, 360000},
	{"one reset", {.http_status = 429, .ratelimit_reset_requests = "12"}, OUTCOME_THROTTLED, 12000},
	{"a negative reset", {.http_status = 429, .ratelimit_reset_requests = "-1", .ratelimit_reset_tokens = "0"}, OUTCOME_THROTTLED, -1},
	{"a reset as a date", {.http_status = 429, .ratelimit_reset_tokens = "1994-11-06T08:50:00Z"}, OUTCOME_THROTTLED, 23000},
	{"none", {.http_status = 429}, OUTCOME_THROTTLED, -1},
	{"503 with a hint", {.http_status = 503, .retry_after = "2"}, OUTCOME_THROTTLED, 2000},
	{"503 with a hint in its body", {.http_status = 503, .body = WAIT_BODY}, OUTCOME_THROTTLED, 3000},
	{"503 with zero", {.http_status = 503, .retry_after = "0"}, OUTCOME_TRANSIENT, -1},
	{"503 with a reset only", {.http_status = 503, .ratelimit_reset_tokens = "6m0s"}, OUTCOME_TRANSIENT, -1},
	{"529 with a hint", {.http_status = 529, .retry_after_ms = "20"}, OUTCOME_THROTTLED, 20},
	{"529 without", {.http_status = 529}, OUTCOME_TRANSIENT, -1},
	{"500 with a hint stays transient", {.http_status = 500, .retry_after = "2"}, OUTCOME_TRANSIENT, 2000},
	{"200 has none", {.http_status = 200, .retry_after = "2", .ratelimit_reset_tokens = "6m0s"}, OUTCOME_SUCCEEDED, -1},
};

static void
hints_are_taken_in_order_of_precision(void)
{
	for (size_t i = 0; i < LENGTH(hint_rows); i++)
	{
		CallReply	reply = hint_rows[i].reply;
		int			before = check_failures;
		Classified	out;

		reply.body_len = reply.body ? strlen(reply.body) : 0;
		classify_reply(&reply, NOW, &out);
		CHECK_INT(out.outcome, hint_rows[i].outcome);
		CHECK_INT(out.retry_after_ms, hint_rows[i].want);
		CHECK_ROW(before, "%s", hint_rows[i].name);
	}
}

static const CheckTest tests[] = {
	CHECK_TEST(status_alone_decides_without_a_body),
	CHECK_TEST(transport_failures_have_their_class),
	CHECK_TEST(refusal_with_a_broken_body_is_still_a_refusal),
	CHECK_TEST(error_bodies_refine_their_status),
	CHECK_TEST(surplus_and_long_names_are_left_out),
	CHECK_TEST(oversized_error_body_is_judged_by_its_status),
	CHECK_TEST(deep_nesting_is_plain_text),
	CHECK_TEST(error_inside_a_success_is_judged_by_its_own_words),
	CHECK_TEST(answers_are_not_taken_for_errors),
	CHECK_TEST(reasons_hold_no_keys),
	CHECK_TEST(no_way_in_brings_a_key),
	CHECK_TEST(reasons_are_one_line_of_valid_utf8),
	CHECK_TEST(long_reasons_are_clipped_between_characters),
	CHECK_TEST(key_at_the_cut_is_dropped_whole),
	CHECK_TEST(hints_are_read_in_every_notation),
	CHECK_TEST(calendar_is_right_at_its_edges),
	CHECK_TEST(hints_are_found_in_sentences),
	CHECK_TEST(hints_are_taken_in_order_of_precision),
};

int
main(void)
{
	return check_run_all(tests);
}
