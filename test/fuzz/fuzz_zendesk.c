/*
 * fuzz_zendesk.c
 *	  Any bytes as a page and as a refusal: no crash, and what is taken is JSON that the database takes.
 *
 * Seeds: test/data/zendesk.
 */
#include <json-c/json.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"
#include "core/zendesk.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
promise(bool kept)
{
	if (!kept)
		abort();
}

static size_t
length_of(json_object *page, const char *key)
{
	json_object *array = NULL;

	promise(json_object_object_get_ex(page, key, &array) && json_object_is_type(array, json_type_array));
	return json_object_array_length(array);
}

static void
promise_page(const ZendeskResult *result, const ZendeskAsk *ask)
{
	bool		tickets = ask->stream == ZENDESK_TICKETS;
	json_object *page;
	json_object *cursor = NULL;

	promise(result->reason[0] == '\0' && !result->cursor_rejected && result->rows >= 0 && result->skipped >= 0);
	promise(strlen(result->page.data) == result->page.len && utf8_valid(result->page.data, result->page.len));
	page = json_tokener_parse(result->page.data);
	promise(page != NULL);
	promise(length_of(page, tickets ? "tickets" : "comments") == (size_t) result->rows);
	length_of(page, "users");
	promise(json_object_object_get_ex(page, "after_cursor", &cursor));
	promise(json_object_object_get_ex(page, "skipped", NULL) == (result->skipped > 0));
	/* a stream that goes on goes on somewhere else */
	promise(cursor == NULL || ask->cursor == NULL || strcmp(json_object_get_string(cursor), ask->cursor) != 0);
	json_object_put(page);
}

static void
promise_failure(const ZendeskResult *result)
{
	promise((int) result->outcome > 0 && (int) result->outcome < OUTCOME_COUNT);
	promise(result->reason[0] != '\0' && utf8_valid(result->reason, strlen(result->reason)) && strchr(result->reason, '\n') == NULL);
	promise(result->retry_after_ms >= -1 && result->retry_after_ms <= HINT_MAX_MS);
	promise(result->page.data == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const ZendeskAsk asks[] = {
		{.stream = ZENDESK_TICKETS,.base_url = "https://x.zendesk.com",.page_size = 100},
		{.stream = ZENDESK_TICKETS,.base_url = "https://x.zendesk.com",.page_size = 100,.cursor = "c"},
		{.stream = ZENDESK_COMMENTS,.base_url = "https://x.zendesk.com",.ticket_id = "1"},
		{.stream = ZENDESK_COMMENTS,.base_url = "https://x.zendesk.com",.ticket_id = "1",.cursor = "eyJvIjoi"}
	};
	static const int statuses[] = {200, 400, 404, 429, 500};

	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++)
	{
		for (size_t k = 0; k < sizeof(statuses) / sizeof(statuses[0]); k++)
		{
			CallReply	reply = {.http_status = statuses[k],.body = (const char *) data,.body_len = size};
			ZendeskResult result;

			zendesk_read(&reply, &asks[i], 0, &result);
			if (result.outcome == OUTCOME_SUCCEEDED)
				promise_page(&result, &asks[i]);
			else
				promise_failure(&result);
			buf_free(&result.page);
		}
	}
	return 0;
}
