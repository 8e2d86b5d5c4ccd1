/*
 * test_zendesk.c
 *	  What Zendesk is asked, what its pages become, and what its refusals mean: table by table.
 */
#include <stdlib.h>

#include "check.h"
#include "core/labels.h"
#include "core/zendesk.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BASE "https://x.zendesk.com"
/* Sun, 06 Nov 1994 08:49:37 GMT */
#define NOW INT64_C(784111777000)

static const ZendeskAsk first_tickets = {.stream = ZENDESK_TICKETS,.base_url = BASE,.start_epoch = 1300000000,.page_size = 1000};
static const ZendeskAsk next_tickets = {.stream = ZENDESK_TICKETS,.base_url = BASE,.cursor = "abc",.page_size = 1000};
static const ZendeskAsk first_comments = {.stream = ZENDESK_COMMENTS,.base_url = BASE,.ticket_id = "35436"};
static const ZendeskAsk next_comments = {.stream = ZENDESK_COMMENTS,.base_url = BASE,.ticket_id = "35436",.cursor = "abc"};

static void
requests_are_spelled_as_the_contract_says(void)
{
	static const struct
	{
		ZendeskAsk	ask;
		const char *url;		/* NULL: refused */
	}			rows[] = {
		{{.stream = ZENDESK_TICKETS,.base_url = BASE,.start_epoch = 1300000000,.page_size = 1000},
		BASE "/api/v2/incremental/tickets/cursor.json?start_time=1300000000&include=users,organizations&per_page=1000"},
		/* the cursor instead of the start, never both; opaque, so escaped */
		{{.stream = ZENDESK_TICKETS,.base_url = BASE "/",.cursor = "MT|U=&+ %\xc3\xa9",.start_epoch = 1,.page_size = 5},
		BASE "/api/v2/incremental/tickets/cursor.json?cursor=MT%7CU%3D%26%2B%20%25%C3%A9&include=users,organizations&per_page=5"},
		{{.stream = ZENDESK_TICKETS,.base_url = BASE "//",.cursor = "",.start_epoch = 7,.page_size = 5,.support_type_scope = "ai_agent"},
		BASE "/api/v2/incremental/tickets/cursor.json?start_time=7&include=users,organizations&per_page=5&support_type_scope=ai_agent"},
		{{.stream = ZENDESK_COMMENTS,.base_url = "http://127.0.0.1:80/zd",.ticket_id = "35436"},
		"http://127.0.0.1:80/zd/api/v2/tickets/35436/comments.json?include=users&page%5Bsize%5D=100"},
		{{.stream = ZENDESK_COMMENTS,.base_url = BASE,.ticket_id = "35436",.cursor = "a=="},
		BASE "/api/v2/tickets/35436/comments.json?include=users&page%5Bsize%5D=100&page%5Bafter%5D=a%3D%3D"},
		{{.stream = ZENDESK_COMMENTS,.base_url = BASE,.ticket_id = "../users/me"}, NULL},
		{{.stream = ZENDESK_COMMENTS,.base_url = BASE,.ticket_id = ""}, NULL},
		{{.stream = ZENDESK_COMMENTS,.base_url = BASE,.ticket_id = "123456789012345678901"}, NULL},
		{{.stream = ZENDESK_COMMENTS,.base_url = BASE}, NULL}
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		Buf			url;
		const char *why;
		bool		made;

		buf_init(&url, 4096);
		made = zendesk_url(&url, &rows[i].ask, &why);
		CHECK_INT(made, rows[i].url != NULL);
		if (made)
			CHECK_STR(url.data, rows[i].url);
		buf_free(&url);
	}
}

static char *
read_file(const char *name, size_t *len)
{
	char		path[200];
	char	   *data = malloc(65536);
	FILE	   *file;

	snprintf(path, sizeof(path), "test/data/zendesk/%s", name);
	file = fopen(path, "r");
	*len = file != NULL ? fread(data, 1, 65535, file) : 0;
	data[*len] = '\0';
	if (file != NULL)
		fclose(file);
	return data;
}

static void
read_body(const char *body, size_t len, const ZendeskAsk *ask, ZendeskResult *result)
{
	CallReply	reply = {.transport = TRANSPORT_OK,.http_status = 200,.body = body,.body_len = len};

	zendesk_read(&reply, ask, NOW, result);
}

static void
the_documented_page_of_tickets_is_read(void)
{
	ZendeskResult result;
	size_t		len;
	char	   *body = read_file("tickets.json", &len);

	read_body(body, len, &first_tickets, &result);
	CHECK_INT(result.outcome, OUTCOME_SUCCEEDED);
	CHECK_STR(result.reason, "");
	CHECK_INT(result.rows, 1);
	CHECK_STR(result.page.data,
			  "{\"tickets\":[{\"id\":\"35436\",\"created_at\":1248130529,\"updated_at\":1304591932,\"generated_at\":1304591932,"
			  "\"status\":\"open\",\"subject\":\"Help, my printer is on fire!\",\"description\":\"The fire is very colorful.\","
			  "\"priority\":\"high\",\"type\":\"incident\",\"requester_id\":\"20978392\",\"submitter_id\":\"76872\","
			  "\"assignee_id\":\"235323\",\"organization_id\":\"509974\",\"tags\":[\"enterprise\",\"other_tag\"],"
			  "\"custom_fields\":{\"27642\":\"745\",\"27649\":[\"a\",\"b\"],\"27650\":true},\"channel\":\"web\"}],"
			  "\"users\":[{\"id\":\"20978392\",\"name\":\"Johnny Agent\",\"email\":\"johnny@example.com\",\"role\":\"end-user\","
			  "\"organization_id\":\"509974\"},{\"id\":\"235323\",\"name\":\"Ada\",\"email\":null,\"role\":\"agent\",\"organization_id\":null}],"
			  "\"organizations\":[{\"id\":\"509974\",\"name\":\"Example\"}],"
			  "\"after_cursor\":\"MTU3NjYxMzUzOS4wfHw0Njd8\",\"end_of_stream\":true}");
	buf_free(&result.page);
	free(body);
}

static void
the_documented_page_of_comments_is_read_without_the_description(void)
{
	ZendeskResult result;
	size_t		len;
	char	   *body = read_file("comments.json", &len);

	read_body(body, len, &first_comments, &result);
	CHECK_INT(result.outcome, OUTCOME_SUCCEEDED);
	CHECK_INT(result.rows, 2);
	CHECK_STR(result.page.data,
			  "{\"comments\":[{\"id\":\"1275\",\"created_at\":1248134129,\"public\":true,\"author_id\":\"235323\","
			  "\"body\":\"Have you tried water?\",\"channel\":\"email\",\"attachments\":[{\"file_name\":\"crash.log\","
			  "\"content_url\":\"https://company.zendesk.com/attachments/crash.log\",\"content_type\":\"text/plain\",\"size\":2532}]},"
			  "{\"id\":\"1276\",\"created_at\":1248134400,\"public\":false,\"author_id\":\"-1\",\"body\":\"Call\","
			  "\"channel\":\"phone\",\"attachments\":[]}],"
			  "\"users\":[{\"id\":\"123123\",\"name\":\"A\",\"email\":\"a@example.com\",\"role\":\"end-user\",\"organization_id\":null}],"
			  "\"after_cursor\":\"eyJvIjoi\",\"has_more\":true}");
	buf_free(&result.page);
	/* a later page begins with a comment like any other */
	read_body(body, len, &next_comments, &result);
	CHECK_INT(result.rows, 3);
	buf_free(&result.page);
	free(body);
}

#define TIMES "\"created_at\":\"2020-01-01T00:00:00Z\",\"updated_at\":\"2020-01-01T00:00:01Z\""
#define TEXTS "\"subject\":\"s\",\"description\":\"d\",\"requester_id\":5"
#define GOOD "{\"id\":1,\"status\":\"new\"," TIMES "," TEXTS "}"
#define PAGE(tickets) "{\"tickets\":[" tickets "],\"after_cursor\":\"n\",\"end_of_stream\":false}"
#define COMMENT_TIME "\"created_at\":\"2020-01-01T00:00:00Z\""
#define DESCRIPTION "{\"id\":1," COMMENT_TIME ",\"public\":true,\"body\":\"d\"}"
#define COMMENTS(comments) "{\"comments\":[" DESCRIPTION "," comments "],\"meta\":{\"has_more\":false}}"
#define TEN(x) x "," x "," x "," x "," x "," x "," x "," x "," x "," x

static const struct
{
	const ZendeskAsk *ask;
	const char *body;
	int			rows;			/* negative: the page is refused */
	int			skipped;
	const char *part;			/* of the page, or of the reason */
}			pages[] = {
	/* ids are numbers or strings; times have any offset and fraction; fields nobody knows are left alone */
	{&first_tickets, PAGE("{\"id\":\"77\",\"status\":\"hold\",\"created_at\":\"2020-01-01T02:00:00.5+02:00\",\"updated_at\":\"2020-01-01T00:00:00Z\",\"generated_timestamp\":\"1577836900\",\"new_thing\":{\"a\":[1]}," TEXTS "}"),
	1, 0, "{\"id\":\"77\",\"created_at\":1577836800,\"updated_at\":1577836800,\"generated_at\":1577836900,\"status\":\"hold\""},
	/* without a generated_timestamp the update's time has to do */
	{&first_tickets, PAGE(GOOD), 1, 0, "\"generated_at\":1577836801"},
	/* what is not among the known words is nothing */
	{&first_tickets, PAGE("{\"id\":1,\"status\":\"open\",\"priority\":\"asap\",\"type\":7,\"tags\":{\"a\":1},\"via\":[]," TIMES "," TEXTS "}"),
	1, 0, "\"priority\":null,\"type\":null,\"requester_id\":\"5\",\"submitter_id\":null,\"assignee_id\":null,\"organization_id\":null,\"tags\":[],\"custom_fields\":{},\"channel\":null"},
	{&first_tickets, PAGE("{\"id\":1,\"status\":\"open\",\"requester_id\":\"x\",\"subject\":null,\"description\":{}," TIMES "}"),
	1, 0, "\"subject\":null,\"description\":null"},
	/* a deleted one may have lost all but its id */
	{&first_tickets, PAGE("{\"id\":1,\"status\":\"deleted\",\"updated_at\":\"2020-01-01T00:00:01Z\"}"),
	1, 0, "{\"id\":\"1\",\"created_at\":1577836801,\"updated_at\":1577836801,\"generated_at\":1577836801,\"status\":\"deleted\",\"deleted\":true"},
	/* values of any kind, numbers that no database holds */
	{&first_tickets, PAGE("{\"id\":1,\"status\":\"new\",\"fields\":[{\"id\":1,\"value\":1e999},{\"id\":2,\"value\":{\"k\\u0000\":[0.5,-3,null,false]}},{\"id\":{},\"value\":1},7]," TIMES "," TEXTS "}"),
	1, 0, "\"custom_fields\":{\"1\":null,\"2\":{\"k\":[0.5,-3,null,false]}}"},
	/* integers that 64 bits do not hold, and the last that they do; digits of texts, fractions and exponents are none */
	{&first_tickets, PAGE("{\"id\":1,\"status\":\"new\",\"fields\":[{\"id\":1,\"value\":[123456789012345678901234567890,-9223372036854775809,-9223372036854775808,9223372036854775807]},"
	"{\"id\":2,\"value\":[0.12345678901234567890123,1e000000000000000000005,\"\\\"12345678901234567890123\"]}]," TIMES "," TEXTS "}"),
	1, 0, "\"custom_fields\":{\"1\":[1.2345678901234568e+29,-9.2233720368547758e+18,-9223372036854775808,9223372036854775807],"
	"\"2\":[0.12345678901234568,100000,\"\\\"12345678901234567890123\"]}"},
	/* no byte that the database refuses */
	{&first_tickets, PAGE("{\"id\":1,\"status\":\"new\",\"subject\":\"a\\u0000b \xe9 \xed\xa0\x80 \xc3\xa9 \\ud800 \\ud83d\\ude00\",\"description\":\"\",\"requester_id\":1," TIMES "}"),
	1, 0, "\"subject\":\"a\xEF\xBF\xBD" "b \xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD \xc3\xa9 \xEF\xBF\xBD \xF0\x9F\x98\x80\""},
	/* a bad row is left out and named, also when it is alone */
	{&first_tickets, PAGE(GOOD ",{\"id\":2,\"status\":\"new\",\"created_at\":\"yesterday\",\"updated_at\":\"2020-01-01T00:00:00Z\"," TEXTS "}"),
	1, 1, "\"skipped\":[\"ticket 2: created_at is not a time\"]"},
	{&first_tickets, PAGE("{\"id\":2,\"status\":\"frozen\"," TIMES "," TEXTS "}"), 0, 1, "\"skipped\":[\"ticket 2: status is not one that is known\"]"},
	{&first_tickets, PAGE("{\"id\":2,\"status\":\"open\\u0000\"," TIMES "," TEXTS "}"), 0, 1, "\"skipped\":[\"ticket 2: status is not one that is known\"]"},
	{&first_tickets, PAGE(GOOD ",7," GOOD), 2, 1, "\"skipped\":[\"ticket at place 2: it has no id\"]"},
	{&first_tickets, PAGE(GOOD ",{\"id\":-4,\"status\":\"new\"," TIMES "," TEXTS "}"), 1, 1, "ticket -4: id is not a ticket's"},
	{&first_tickets, PAGE(GOOD ",{\"id\":1.5,\"status\":\"new\"," TIMES "," TEXTS "}"), 1, 1, "ticket at place 2: id is not an id"},
	{&first_tickets, PAGE(GOOD ",{\"id\":99999999999999999999,\"status\":\"new\"," TIMES "," TEXTS "}"), 1, 1, "id is not an id"},
	{&first_tickets, PAGE(GOOD ",{\"id\":\"007\",\"status\":\"new\"," TIMES "," TEXTS "}"), 1, 1, "id is not an id"},
	{&first_tickets, PAGE(GOOD ",{\"id\":3,\"status\":\"new\",\"created_at\":\"1960-01-01T00:00:00Z\",\"updated_at\":\"2020-01-01T00:00:00Z\"," TEXTS "}"), 1, 1, "ticket 3: created_at is not a time"},
	{&first_tickets, PAGE(GOOD "," TEN("7") "," TEN("7") ",7,7"), 1, 22, "ticket at place 21: it has no id\",\"2 more\"]"},
	/* users and organizations that cannot be read */
	{&first_tickets, "{\"tickets\":[" GOOD "],\"users\":[{\"id\":\"x\"},{\"id\":9,\"name\":\"N\",\"role\":\"owner\"}],\"organizations\":[{\"name\":\"O\"}],\"after_cursor\":\"n\",\"end_of_stream\":false}",
	1, 2, "\"users\":[{\"id\":\"9\",\"name\":\"N\",\"email\":null,\"role\":\"end-user\",\"organization_id\":null}],\"organizations\":[],\"after_cursor\":\"n\",\"end_of_stream\":false,\"skipped\":[\"user at place 1: id is not an id\",\"organization at place 1: it has no id\"]"},
	/* where the stream ends */
	{&first_tickets, "{\"tickets\":[],\"after_cursor\":null,\"end_of_stream\":true}", 0, 0, "\"after_cursor\":null,\"end_of_stream\":true"},
	{&next_tickets, "{\"tickets\":[],\"after_cursor\":null,\"end_of_stream\":false}", 0, 0, "\"after_cursor\":null,\"end_of_stream\":true"},
	{&next_tickets, "{\"tickets\":[" GOOD "],\"after_cursor\":\"abc\",\"end_of_stream\":false}", 1, 0, "\"after_cursor\":null,\"end_of_stream\":true"},
	{&next_tickets, "{\"tickets\":[" GOOD "],\"after_cursor\":\"\",\"end_of_stream\":false}", 1, 0, "\"after_cursor\":null,\"end_of_stream\":true"},
	{&next_tickets, PAGE(GOOD), 1, 0, "\"after_cursor\":\"n\",\"end_of_stream\":false}"},
	/* a page that lacks what is needed */
	{&first_tickets, "{\"records\":[],\"after_cursor\":\"n\",\"end_of_stream\":false}", -1, 0, "the page has no array \"tickets\": the schema has changed"},
	{&first_tickets, "{\"tickets\":{},\"after_cursor\":\"n\",\"end_of_stream\":false}", -1, 0, "no array \"tickets\""},
	{&first_tickets, "{\"tickets\":[],\"end_of_stream\":true}", -1, 0, "the page has no \"after_cursor\": the schema has changed"},
	{&first_tickets, "{\"tickets\":[],\"after_cursor\":5,\"end_of_stream\":true}", -1, 0, "\"after_cursor\" is not text: the schema has changed"},
	{&first_tickets, "{\"tickets\":[],\"after_cursor\":\"n\"}", -1, 0, "the page has no \"end_of_stream\": the schema has changed"},
	{&first_tickets, "{\"tickets\":[],\"after_cursor\":\"n\",\"end_of_stream\":\"no\"}", -1, 0, "no \"end_of_stream\""},
	{&first_tickets, PAGE("{\"id\":1,\"status\":\"new\",\"subject\":\"s\",\"requester_id\":1," TIMES "}"), -1, 0, "no ticket of the page has a field \"description\": the schema has changed"},
	{&first_tickets, PAGE("{\"id\":1,\"state\":\"new\"," TIMES "," TEXTS "}"), -1, 1, "none of the page's 1 tickets can be used (ticket 1: it has no status): the schema has changed"},
	{&first_tickets, PAGE(TEN("{\"id\":1,\"status\":\"frozen\"," TIMES "," TEXTS "}")), -1, 10, "none of the page's 10 tickets can be used (ticket 1: status is not one that is known)"},
	/* what is no page at all */
	{&first_tickets, "", -1, 0, "the page is empty"},
	{&first_tickets, "<html>", -1, 0, "the page is not a JSON object"},
	{&first_tickets, "{\"tickets\":[", -1, 0, "the page is cut off"},
	{&first_tickets, PAGE(GOOD) "x", -1, 0, "the page is not valid JSON"},
	/* comments */
	{&first_comments, COMMENTS("{\"id\":\"2\"," COMMENT_TIME ",\"public\":false,\"body\":\"\",\"author_id\":\"8\",\"attachments\":[{\"file_name\":1},{\"file_name\":\"f\",\"content_url\":\"u\",\"size\":-1},3]}"),
	1, 0, "{\"comments\":[{\"id\":\"2\",\"created_at\":1577836800,\"public\":false,\"author_id\":\"8\",\"body\":\"\",\"channel\":null,\"attachments\":[{\"file_name\":\"f\",\"content_url\":\"u\",\"content_type\":null,\"size\":null}]}],\"users\":[],\"after_cursor\":null,\"has_more\":false}"},
	{&first_comments, "{\"comments\":[],\"meta\":{\"has_more\":false}}", 0, 0, "{\"comments\":[]"},
	{&first_comments, "{\"comments\":[" DESCRIPTION "],\"meta\":{\"has_more\":true,\"after_cursor\":\"x\"}}", 0, 0, "\"after_cursor\":\"x\",\"has_more\":true"},
	{&next_comments, "{\"comments\":[" DESCRIPTION "],\"meta\":{\"has_more\":true,\"after_cursor\":\"abc\"}}", 1, 0, "\"after_cursor\":null,\"has_more\":false"},
	{&first_comments, COMMENTS("{\"id\":2," COMMENT_TIME ",\"public\":true,\"body\":null,\"plain_body\":\"p\"}"), 1, 0, "\"body\":\"p\""},
	{&first_comments, COMMENTS("{\"id\":2," COMMENT_TIME ",\"public\":\"yes\",\"body\":\"b\"}"), 0, 1, "comment 2: public is not true or false"},
	{&first_comments, COMMENTS("{\"id\":2," COMMENT_TIME ",\"public\":true,\"body\":9}"), 0, 1, "comment 2: body is not text"},
	{&first_comments, COMMENTS("{\"id\":2," COMMENT_TIME ",\"body\":\"b\"}"), -1, 1, "none of the page's 1 comments can be used (comment 2: it has no public)"},
	{&first_comments, "{\"comments\":[]}", -1, 0, "the page has no \"meta.has_more\""},
	{&first_comments, "{\"comments\":[],\"meta\":{\"has_more\":true}}", -1, 0, "the page has no \"meta.after_cursor\""},
	{&first_comments, "{\"audits\":[]}", -1, 0, "the page has no array \"comments\""}
};

static void
pages_are_taken_or_refused_as_the_table_says(void)
{
	for (size_t i = 0; i < COUNT(pages); i++)
	{
		ZendeskResult result;
		int			before = check_failures;

		read_body(pages[i].body, strlen(pages[i].body), pages[i].ask, &result);
		CHECK_INT(result.outcome, pages[i].rows < 0 ? OUTCOME_UNUSABLE_ANSWER : OUTCOME_SUCCEEDED);
		if (pages[i].rows >= 0)
			CHECK_INT(result.rows, pages[i].rows);
		CHECK_INT(result.skipped, pages[i].skipped);
		CHECK_CONTAINS(pages[i].rows < 0 ? result.reason : result.page.data, pages[i].part);
		CHECK_INT(result.page.data != NULL, pages[i].rows >= 0);
		CHECK_INT(result.cursor_rejected, false);
		CHECK_ROW(before, "%.200s", pages[i].body);
		buf_free(&result.page);
	}
}

static void
a_cursor_that_fits_no_url_is_not_taken(void)
{
	char		body[16000];
	ZendeskResult result;

	for (int len = 8000; len <= 8001; len++)
	{
		snprintf(body, sizeof(body), "{\"tickets\":[],\"after_cursor\":\"%0*d\",\"end_of_stream\":false}", len, 7);
		read_body(body, strlen(body), &next_tickets, &result);
		CHECK_INT(result.outcome, len == 8000 ? OUTCOME_SUCCEEDED : OUTCOME_UNUSABLE_ANSWER);
		CHECK_CONTAINS(len == 8000 ? result.page.data : result.reason, len == 8000 ? "7\",\"end_of_stream\":false" : "has more than 8000 bytes");
		buf_free(&result.page);
	}
}

/* unit repeated until there are len bytes, as a field of a page */
static char *
page_of(const char *unit, size_t len)
{
	static const char begin[] = "{\"tickets\":[],\"after_cursor\":null,\"end_of_stream\":true,\"more\":[";
	char	   *page = malloc(len + 64 + sizeof(begin));
	size_t		used = sizeof(begin) - 1;

	memcpy(page, begin, used);
	for (size_t unit_len = strlen(unit); used + unit_len + 1 < len; page[used++] = ',')
	{
		memcpy(page + used, unit, unit_len);
		used += unit_len;
	}
	memcpy(page + used - 1, "]}", 3);
	return page;
}

static void
a_page_that_would_fill_the_memory_is_not_read(void)
{
	static const struct
	{
		const char *unit;
		size_t		len;
		bool		heavy;
	}			rows[] = {
		{"{}", 4 * 1024 * 1024, true}, {"[]", 8 * 1024 * 1024, true}, {"1", 16 * 1024 * 1024, true},
		{"{\"a\":{\"a\":{}}}", 8 * 1024 * 1024, true},
		{"{}", 1024 * 1024, false},
		/* ordinary ones: many fields, long texts, brackets in them */
		{"{\"id\":360012345678,\"value\":\"abcdefgh\"}", 12 * 1024 * 1024, false},
		{"\"{{{{{{{{[[[[[[[[,,,,,,,,::::::::\\\"{{{{{{{{[[[[[[[[,,,,,,,,::::::::\"", 8 * 1024 * 1024, false}
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		ZendeskResult result;
		int			before = check_failures;
		char	   *page = page_of(rows[i].unit, rows[i].len);

		read_body(page, strlen(page), &next_tickets, &result);
		CHECK_INT(result.too_heavy, rows[i].heavy);
		CHECK_INT(result.outcome, rows[i].heavy ? OUTCOME_UNUSABLE_ANSWER : OUTCOME_SUCCEEDED);
		if (rows[i].heavy)
			CHECK_CONTAINS(result.reason, "the page would take more than 536870912 bytes of memory");
		CHECK_ROW(before, "%s", rows[i].unit);
		buf_free(&result.page);
		free(page);
	}
}

static void
refusals_mean_what_the_table_says(void)
{
	static const struct
	{
		const ZendeskAsk *ask;
		CallReply	reply;
		const char *body;
		RunOutcome	outcome;
		int64_t		wait_ms;
		bool		rejected;
		const char *part;		/* of the reason */
	}			rows[] = {
		{&next_tickets, {.http_status = 429,.retry_after = "93"}, "Rate limit exceeded", OUTCOME_THROTTLED, 93000, false, "429"},
		{&next_tickets, {.http_status = 429}, "Number of allowed incremental ticket export API requests per minute exceeded", OUTCOME_THROTTLED, -1, false, "429"},
		{&next_tickets, {.http_status = 429,.retry_after = "soon"}, NULL, OUTCOME_THROTTLED, -1, false, "429"},
		{&next_tickets, {.http_status = 429,.account_remaining = "0",.account_reset = "41"}, NULL, OUTCOME_THROTTLED, 41000, false, "429"},
		{&next_tickets, {.http_status = 429,.account_remaining = "3",.account_reset = "41"}, NULL, OUTCOME_THROTTLED, -1, false, "429"},
		{&next_tickets, {.http_status = 429,.account_remaining = "0",.account_reset = "86400"}, NULL, OUTCOME_THROTTLED, 300000, false, "429"},
		{&next_tickets, {.http_status = 401}, "{\"error\":\"Couldn't authenticate you\"}", OUTCOME_ACCOUNT, -1, false, "authenticate you"},
		{&next_tickets, {.http_status = 403}, "{\"error\":{\"title\":\"Forbidden\",\"message\":\"You do not have access to this page.\"}}", OUTCOME_ACCOUNT, -1, false, "You do not have access"},
		{&next_comments, {.http_status = 403}, NULL, OUTCOME_ACCOUNT, -1, false, "403"},
		{&next_tickets, {.http_status = 404}, "{\"error\":\"RecordNotFound\",\"description\":\"Not found\"}", OUTCOME_MISCONFIGURED, -1, false, "Not found"},
		{&next_tickets, {.http_status = 302}, NULL, OUTCOME_MISCONFIGURED, -1, false, "redirects are not followed"},
		{&next_tickets, {.http_status = 409}, NULL, OUTCOME_TRANSIENT, -1, false, "409"},
		{&next_tickets, {.http_status = 500}, NULL, OUTCOME_TRANSIENT, -1, false, "500"},
		{&next_tickets, {.http_status = 502}, "<html>", OUTCOME_TRANSIENT, -1, false, "502"},
		{&next_tickets, {.http_status = 503,.retry_after = "7"}, NULL, OUTCOME_TRANSIENT, 7000, false, "503"},
		{&next_tickets, {.http_status = 520}, NULL, OUTCOME_TRANSIENT, -1, false, "520"},
		{&next_tickets, {.http_status = 524}, NULL, OUTCOME_TRANSIENT, -1, false, "524"},
		{&next_tickets, {.http_status = 204}, NULL, OUTCOME_UNUSABLE_ANSWER, -1, false, "204"},
		/* a cursor that is refused; the same words without a cursor are something else */
		{&next_tickets, {.http_status = 400}, "{\"error\":\"InvalidCursor\",\"description\":\"Cursor has expired\"}", OUTCOME_BAD_REQUEST, -1, true, "expired"},
		{&next_tickets, {.http_status = 422}, "{\"error\":\"InvalidValue\",\"description\":\"invalid cursor\"}", OUTCOME_BAD_REQUEST, -1, true, "invalid cursor"},
		{&next_tickets, {.http_status = 410}, "cursor is gone", OUTCOME_BAD_REQUEST, -1, true, "410"},
		{&next_comments, {.http_status = 400}, "{\"errors\":[{\"code\":\"InvalidPaginationParameter\",\"title\":\"page[after] is not valid\"}]}", OUTCOME_BAD_REQUEST, -1, true, "400"},
		{&next_comments, {.http_status = 404}, NULL, OUTCOME_BAD_REQUEST, -1, true, "404"},
		{&next_tickets, {.http_status = 400}, "{\"error\":\"BadRequest\"}", OUTCOME_BAD_REQUEST, -1, false, "400"},
		{&first_tickets, {.http_status = 400}, "{\"error\":\"start_time or cursor, not both\"}", OUTCOME_BAD_REQUEST, -1, false, "400"},
		/* their clock is behind ours */
		{&first_tickets, {.http_status = 422}, "{\"error\":\"StartTimeTooRecent\",\"description\":\"Too recent start_time. Use a start_time older than 60 seconds\"}", OUTCOME_TRANSIENT, -1, false, "422"},
		{&next_tickets, {.transport = TRANSPORT_TIMEOUT,.transport_message = "Operation timed out"}, NULL, OUTCOME_TRANSIENT, -1, false, "timed out"},
		{&next_tickets, {.transport = TRANSPORT_CUT,.http_status = 200}, "{\"tickets\":[", OUTCOME_TRANSIENT, -1, false, ""},
		{&next_tickets, {.transport = TRANSPORT_CUT,.http_status = 429,.retry_after = "5"}, "Rate", OUTCOME_THROTTLED, 5000, false, "429"},
		{&next_tickets, {.transport = TRANSPORT_REFUSED_ADDRESS,.transport_message = "address is link-local"}, NULL, OUTCOME_MISCONFIGURED, -1, false, "link-local"},
		{&next_tickets, {.transport = TRANSPORT_TLS,.transport_message = "certificate"}, NULL, OUTCOME_MISCONFIGURED, -1, false, "certificate"}
	};

	for (size_t i = 0; i < COUNT(rows); i++)
	{
		CallReply	reply = rows[i].reply;
		ZendeskResult result;
		int			before = check_failures;

		reply.body = rows[i].body;
		reply.body_len = rows[i].body != NULL ? strlen(rows[i].body) : 0;
		zendesk_read(&reply, rows[i].ask, NOW, &result);
		CHECK_STR(outcome_name(result.outcome), outcome_name(rows[i].outcome));
		CHECK_INT(result.retry_after_ms, rows[i].wait_ms);
		CHECK_INT(result.cursor_rejected, rows[i].rejected);
		CHECK_CONTAINS(result.reason, rows[i].part);
		CHECK(result.reason[0] != '\0');
		CHECK(result.page.data == NULL);
		CHECK_ROW(before, "%d %s", reply.http_status, reply.body ? reply.body : "");
		buf_free(&result.page);
	}
}

static void
comments_of_a_deleted_ticket_are_none(void)
{
	static const int statuses[] = {404, 410};

	for (size_t i = 0; i < COUNT(statuses); i++)
	{
		CallReply	reply = {.http_status = statuses[i],.body = "{\"error\":\"RecordNotFound\"}",.body_len = 26};
		ZendeskResult result;

		zendesk_read(&reply, &first_comments, NOW, &result);
		CHECK_INT(result.outcome, OUTCOME_SUCCEEDED);
		CHECK_STR(result.page.data, "{\"comments\":[],\"users\":[],\"after_cursor\":null,\"has_more\":false,\"gone\":true}");
		buf_free(&result.page);
	}
}

static void
a_spent_budget_comes_with_the_page(void)
{
	const char *body = "{\"tickets\":[],\"after_cursor\":\"n\",\"end_of_stream\":false}";
	CallReply	reply = {.http_status = 200,.body = body,.body_len = strlen(body),.account_remaining = "0",.account_reset = "12"};
	ZendeskResult result;

	zendesk_read(&reply, &next_tickets, NOW, &result);
	CHECK_CONTAINS(result.page.data, ",\"wait_ms\":12000}");
	buf_free(&result.page);
	reply.account_remaining = "1";
	zendesk_read(&reply, &next_tickets, NOW, &result);
	CHECK_LACKS(result.page.data, "wait_ms");
	buf_free(&result.page);
}

static const CheckTest tests[] = {
	CHECK_TEST(requests_are_spelled_as_the_contract_says),
	CHECK_TEST(the_documented_page_of_tickets_is_read),
	CHECK_TEST(the_documented_page_of_comments_is_read_without_the_description),
	CHECK_TEST(pages_are_taken_or_refused_as_the_table_says),
	CHECK_TEST(a_cursor_that_fits_no_url_is_not_taken),
	CHECK_TEST(a_page_that_would_fill_the_memory_is_not_read),
	CHECK_TEST(refusals_mean_what_the_table_says),
	CHECK_TEST(comments_of_a_deleted_ticket_are_none),
	CHECK_TEST(a_spent_budget_comes_with_the_page)
};

int
main(void)
{
	return check_run_all(tests);
}
