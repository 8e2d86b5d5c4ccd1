/*
 * zendesk.c
 *	  What Zendesk is asked, and what an answer that is no page means.
 *
 * Incremental export by cursor: start_time only with the first request, the cursor with every other, never both.  What a
 * status means here differs from what it means at a provider of models: a cursor can be refused, a ticket can be gone,
 * and a start too close to now is a matter of waiting.
 */
#include "core/zendesk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COMMENTS_PAGE_SIZE 100
/* An account's budget is one of a minute: what says more is not believed. */
#define ACCOUNT_WAIT_MAX_MS INT64_C(300000)
/* An error is short; in a longer body its words are not looked for. */
#define ERROR_SEARCHED 65536
/* The longest digits of an id. */
#define ID_DIGITS_MAX 20

static void
add_escaped(Buf *url, const char *text)
{
	for (; *text != '\0'; text++)
	{
		unsigned char c = (unsigned char) *text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("-._~", c) != NULL)
			buf_add(url, text, 1);
		else
			buf_printf(url, "%%%02X", c);
	}
}

static bool
is_id(const char *text)
{
	size_t		len = text != NULL ? strspn(text, "0123456789") : 0;

	return len > 0 && len <= ID_DIGITS_MAX && text[len] == '\0';
}

static bool
has_cursor(const ZendeskAsk *ask)
{
	return ask->cursor != NULL && ask->cursor[0] != '\0';
}

static void
add_tickets(Buf *url, const ZendeskAsk *ask)
{
	buf_puts(url, "/api/v2/incremental/tickets/cursor.json?");
	if (has_cursor(ask))
	{
		buf_puts(url, "cursor=");
		add_escaped(url, ask->cursor);
	}
	else
		buf_printf(url, "start_time=%" PRId64, ask->start_epoch);
	buf_printf(url, "&include=users,organizations&per_page=%d", ask->page_size);
	if (ask->support_type_scope != NULL && ask->support_type_scope[0] != '\0')
	{
		buf_puts(url, "&support_type_scope=");
		add_escaped(url, ask->support_type_scope);
	}
}

static void
add_comments(Buf *url, const ZendeskAsk *ask)
{
	buf_printf(url, "/api/v2/tickets/%s/comments.json?include=users&page%%5Bsize%%5D=%d", ask->ticket_id, COMMENTS_PAGE_SIZE);
	if (!has_cursor(ask))
		return;
	buf_puts(url, "&page%5Bafter%5D=");
	add_escaped(url, ask->cursor);
}

bool
zendesk_url(Buf *url, const ZendeskAsk *ask, const char **why)
{
	size_t		len = strlen(ask->base_url);

	*why = "out of memory";
	if (ask->stream == ZENDESK_COMMENTS && !is_id(ask->ticket_id))
	{
		*why = "a ticket's id must be digits";
		return false;
	}
	while (len > 0 && ask->base_url[len - 1] == '/')
		len--;
	buf_add(url, ask->base_url, len);
	if (ask->stream == ZENDESK_TICKETS)
		add_tickets(url, ask);
	else
		add_comments(url, ask);
	return !url->failed;
}

static bool
mentions(const CallReply *reply, const char *word)
{
	size_t		word_len = strlen(word);
	size_t		len = reply->body_len < ERROR_SEARCHED ? reply->body_len : ERROR_SEARCHED;

	for (size_t i = 0; reply->body != NULL && i + word_len <= len; i++)
		if (strncasecmp(reply->body + i, word, word_len) == 0)
			return true;
	return false;
}

/* A refusal that is about the place in the stream, not about who asks. */
static bool
rejects_cursor(const CallReply *reply, const ZendeskAsk *ask)
{
	int			status = reply->http_status;

	if (!has_cursor(ask))
		return false;
	if (status == 404 || status == 410)
		return ask->stream == ZENDESK_COMMENTS || mentions(reply, "cursor");
	return (status == 400 || status == 422) &&
		(mentions(reply, "cursor") || mentions(reply, "page[after]") || mentions(reply, "pagination"));
}

/* Their clock is behind ours, or the source was made this minute: the same request will do later. */
static bool
starts_too_late(const CallReply *reply, const ZendeskAsk *ask)
{
	return (reply->http_status == 400 || reply->http_status == 422) && !has_cursor(ask) && mentions(reply, "recent");
}

static bool
is_gone(const CallReply *reply, const ZendeskAsk *ask)
{
	return ask->stream == ZENDESK_COMMENTS && !has_cursor(ask) && (reply->http_status == 404 || reply->http_status == 410);
}

static RunOutcome
outcome_of(const CallReply *reply, const ZendeskAsk *ask, RunOutcome otherwise)
{
	int			status = reply->http_status;

	if (rejects_cursor(reply, ask))
		return OUTCOME_BAD_REQUEST;
	if (starts_too_late(reply, ask) || status == 409 || status >= 500)
		return OUTCOME_TRANSIENT;
	if (status == 429)
		return OUTCOME_THROTTLED;
	if (status == 401 || status == 402 || status == 403)
		return OUTCOME_ACCOUNT;
	return otherwise;
}

static int64_t
account_wait(const CallReply *reply, int64_t now_ms)
{
	int64_t		wait_ms;

	if (reply->account_remaining == NULL || reply->account_reset == NULL || strcmp(reply->account_remaining, "0") != 0)
		return 0;
	wait_ms = hint_parse(reply->account_reset, now_ms);
	if (wait_ms < 0)
		return 0;
	return wait_ms < ACCOUNT_WAIT_MAX_MS ? wait_ms : ACCOUNT_WAIT_MAX_MS;
}

static void
read_failure(const CallReply *reply, const ZendeskAsk *ask, int64_t now_ms, ZendeskResult *result)
{
	Classified	classified;

	classify_reply(reply, now_ms, &classified);
	result->outcome = classified.outcome;
	result->retry_after_ms = classified.retry_after_ms;
	memcpy(result->reason, classified.reason, sizeof(result->reason));
	if (reply->http_status < 400)
		return;
	if (reply->body != NULL && reply->body_len <= ERROR_SEARCHED)
		zendesk_describe(reply->body, reply->body_len, result->reason);
	result->outcome = outcome_of(reply, ask, classified.outcome);
	result->cursor_rejected = rejects_cursor(reply, ask);
	if (result->retry_after_ms < 0 && account_wait(reply, now_ms) > 0)
		result->retry_after_ms = account_wait(reply, now_ms);
}

void
zendesk_read(const CallReply *reply, const ZendeskAsk *ask, int64_t now_ms, ZendeskResult *result)
{
	memset(result, 0, sizeof(*result));
	result->outcome = OUTCOME_SUCCEEDED;
	result->retry_after_ms = -1;
	buf_init(&result->page, ZENDESK_PAGE_MAX);
	if (reply->transport != TRANSPORT_OK || (reply->http_status != 200 && !is_gone(reply, ask)))
		read_failure(reply, ask, now_ms, result);
	else if (reply->http_status == 200)
		zendesk_page(reply->body != NULL ? reply->body : "", reply->body_len, ask, account_wait(reply, now_ms), result);
	/* deleted there, and its comments with it */
	else if (!buf_puts(&result->page, "{\"comments\":[],\"users\":[],\"after_cursor\":null,\"has_more\":false,\"gone\":true}"))
	{
		result->outcome = OUTCOME_TRANSIENT;
		snprintf(result->reason, sizeof(result->reason), "out of memory");
	}
}
