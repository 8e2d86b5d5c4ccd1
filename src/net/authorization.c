/*
 * authorization.c
 *	  The header line that authorizes a call, and what must not come back of it.
 *
 * Two schemes: a bearer token, and Basic, which is base64 of "user:secret".  What an endpoint repeats is taken out of
 * its reply in either form.  Every copy made here is wiped when the call is over; libcurl's send buffer is out of reach.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/redact.h"
#include "net/transfer.h"

/* What an endpoint repeats of the key: in an error any part of this length, in an answer only the whole. */
#define KEY_PART_MIN 8
/* A shorter one ("not-needed", for a server that asks for none) may stand in an answer as a word. */
#define WHOLE_KEY_MIN 16

static const char bearer[] = "Authorization: Bearer ";
static const char basic[] = "Authorization: Basic ";

static void
wipe(char **text, size_t size)
{
	if (*text == NULL)
		return;
	explicit_bzero(*text, size);
	free(*text);
	*text = NULL;
}

/* Four characters for each three bytes begun, and a NUL. */
static void
base64(char *out, const char *data, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *) data;

	for (size_t i = 0; i < len; i += 3)
	{
		size_t		left = len - i;
		uint32_t	three = (uint32_t) in[i] << 16;

		if (left > 1)
			three |= (uint32_t) in[i + 1] << 8;
		if (left > 2)
			three |= in[i + 2];
		*out++ = digits[three >> 18];
		*out++ = digits[three >> 12 & 63];
		*out++ = left > 1 ? digits[three >> 6 & 63] : '=';
		*out++ = left > 2 ? digits[three & 63] : '=';
	}
	*out = '\0';
}

static bool
make_bearer(Transfer *transfer, const char *secret)
{
	size_t		len = strlen(secret);

	transfer->credentials_at = sizeof(bearer) - 1;
	transfer->authorization_size = sizeof(bearer) + len;
	transfer->authorization = malloc(transfer->authorization_size);
	if (transfer->authorization == NULL)
		return false;
	memcpy(transfer->authorization, bearer, sizeof(bearer) - 1);
	memcpy(transfer->authorization + sizeof(bearer) - 1, secret, len + 1);
	return true;
}

static bool
make_basic(Transfer *transfer, const char *user, const char *secret)
{
	size_t		len = strlen(user) + 1 + strlen(secret);
	char	   *pair = malloc(len + 1);

	transfer->credentials_at = sizeof(basic) - 1;
	transfer->authorization_size = sizeof(basic) + (len + 2) / 3 * 4;
	transfer->authorization = malloc(transfer->authorization_size);
	transfer->secret = strdup(secret);
	if (pair == NULL || transfer->authorization == NULL || transfer->secret == NULL)
	{
		wipe(&pair, 0);
		return false;
	}
	snprintf(pair, len + 1, "%s:%s", user, secret);
	memcpy(transfer->authorization, basic, sizeof(basic) - 1);
	base64(transfer->authorization + sizeof(basic) - 1, pair, len);
	wipe(&pair, len + 1);
	return true;
}

/* Nothing may end the header line early, and a colon ends the user. */
static bool
fits(const char *text, const char *forbidden)
{
	for (; *text != '\0'; text++)
		if (*text <= ' ' || *text > '~' || strchr(forbidden, *text) != NULL)
			return false;
	return true;
}

bool
authorization_make(Transfer *transfer, const PoolRequest *request, const char **why)
{
	if (!fits(request->secret, ""))
	{
		*why = "secret holds characters that cannot stand in a header";
		return false;
	}
	if (request->user != NULL && !fits(request->user, ":"))
	{
		*why = "user holds characters that cannot stand before a secret";
		return false;
	}
	if (request->user != NULL ? make_basic(transfer, request->user, request->secret) : make_bearer(transfer, request->secret))
		return true;
	*why = "out of memory";
	return false;
}

static void
take_out(Transfer *transfer, const char *key)
{
	size_t		len = strlen(key);

	if (transfer->http_status != 200)
		redact(transfer->response.data, transfer->response.len, key, KEY_PART_MIN);
	else if (len >= WHOLE_KEY_MIN)
		redact(transfer->response.data, transfer->response.len, key, len);
	for (int i = 0; i < HEADER_COUNT; i++)
	{
		char	   *value = transfer_header(transfer, (HeaderField) i);

		if (value != NULL)
			redact(value, strlen(value), key, KEY_PART_MIN);
	}
	redact(transfer->message, strlen(transfer->message), key, KEY_PART_MIN);
}

void
authorization_redact(Transfer *transfer)
{
	if (transfer->authorization == NULL)
		return;
	take_out(transfer, transfer->authorization + transfer->credentials_at);
	if (transfer->secret != NULL)
		take_out(transfer, transfer->secret);
}

void
authorization_forget(Transfer *transfer)
{
	wipe(&transfer->authorization, transfer->authorization_size);
	wipe(&transfer->secret, transfer->secret != NULL ? strlen(transfer->secret) : 0);
}
