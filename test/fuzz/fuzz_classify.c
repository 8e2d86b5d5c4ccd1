/*
 * fuzz_classify.c
 *	  libFuzzer: no reply, header, URL or list may crash the readers or break what they promise.
 *
 * Input: two bytes (what arrived, a status), then fields that end in a NUL; the last one is the body.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/classify.h"
#include "core/origin.h"
#include "core/utf8.h"

#define FIELDS 8

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool promise)
{
	if (!promise)
		abort();
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_token(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* No run of 20 token characters with both a letter and a digit, and none that begins like a key. */
static void
require_no_key(const char *reason)
{
	for (size_t i = 0; reason[i] != '\0';)
	{
		size_t		len = 0;
		bool		letter = false;
		bool		digit = false;

		for (; is_token(reason[i + len]); len++)
		{
			digit = digit || (reason[i + len] >= '0' && reason[i + len] <= '9');
			letter = letter || is_letter(reason[i + len]);
		}
		require(len < 20 || !letter || !digit);
		require(len < 3 || strncmp(reason + i, "sk-", 3) != 0);
		i += len > 0 ? len : 1;
	}
}

static void
require_sound(const Classified *out)
{
	size_t		len = strnlen(out->reason, REASON_MAX);

	require(out->outcome <= OUTCOME_LOST && out->outcome != OUTCOME_STALE && out->outcome != OUTCOME_LOST);
	require(out->retry_after_ms >= -1 && out->retry_after_ms <= HINT_MAX_MS);
	require(len < REASON_MAX && utf8_valid(out->reason, len));
	for (size_t i = 0; i < len; i++)
		require((unsigned char) out->reason[i] >= ' ' && out->reason[i] != 0x7F);
	require_no_key(out->reason);
	require((out->outcome == OUTCOME_SUCCEEDED) == (len == 0));
}

/* What is accepted has one spelling, and that spelling is accepted as itself. */
static void
fuzz_origin(const char *url, const char *list)
{
	char		written[ORIGIN_MAX + 1];
	char		bad[16];
	Origin		origin;
	Origin		again;
	const char *why;
	bool		ok = origin_parse(url, &origin, &why);

	require((why == NULL) == ok);
	if (ok)
	{
		require(origin.port >= 1 && origin.port <= 65535 && origin.host[0] != '\0');
		snprintf(written, sizeof(written), strchr(origin.host, ':') ? "%s://[%s]:%d" : "%s://%s:%d",
				 origin.https ? "https" : "http", origin.host, origin.port);
		require(origin_parse_exact(written, &again, &why) && origin_equal(&origin, &again));
		require(origin_listed(written, url, &why));
	}
	if (origin_listed(list, url, &why))
		require(ok);
	require(origin_list_valid(list, bad, sizeof(bad), &why) == (why == NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int statuses[] = {0, 200, 301, 400, 401, 403, 404, 413, 422, 429, 498, 500, 503, 529};
	char	   *fields[FIELDS] = {NULL};
	CallReply	reply = {.transport = TRANSPORT_OK};
	Classified	out;
	char	   *text;
	char	   *p;
	size_t		left;

	if (size < 2)
		return 0;
	left = size - 2;
	text = malloc(left + 1);
	memcpy(text, data + 2, left);
	text[left] = '\0';
	p = text;
	for (int i = 0; i < FIELDS && memchr(p, '\0', left) != NULL; i++)
	{
		fields[i] = p;
		left -= strlen(p) + 1;
		p += strlen(p) + 1;
	}

	reply.transport = data[0] < 128 ? TRANSPORT_OK : (Transport) (data[0] % (TRANSPORT_OTHER + 1));
	reply.http_status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];
	reply.retry_after = fields[0];
	reply.retry_after_ms = fields[1];
	reply.ratelimit_reset_requests = fields[2];
	reply.ratelimit_reset_tokens = fields[3];
	reply.date = fields[4];
	reply.transport_message = fields[5];
	reply.should_retry = fields[6];
	for (int i = 0; i < OTHER_RESETS; i++)
		reply.other_resets[i] = fields[(i + 2) % FIELDS];
	/* in memory of its own, so that a byte read behind it is seen */
	reply.body = left > 0 ? memcpy(malloc(left), p, left) : NULL;
	reply.body_len = left;

	memset(&out, 0x55, sizeof(out));
	classify_reply(&reply, INT64_C(1700000000000), &out);
	require_sound(&out);
	if (classify_error_body(reply.body, reply.body_len, reply.http_status, &out))
		require_sound(&out);
	if (classify_carried_error(&reply, INT64_C(1700000000000), &out))
		require_sound(&out);
	fuzz_origin(text, fields[5] ? fields[5] : text);

	free((void *) reply.body);
	free(text);
	return 0;
}
