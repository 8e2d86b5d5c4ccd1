/*
 * test_pool_get.c
 *	  GET and Basic authorization against the fake Zendesk, which this program starts itself on the loopback interface.
 *
 * What holds for every call (addresses, limits, signals) is test_pool's; here is what pages need beside it.  The server's
 * program is named by FAKE_ZENDESK.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "net/pool.h"

#define CAP ((size_t) 8 * 1024 * 1024)
#define EXPORT "/api/v2/incremental/tickets/cursor.json?start_time=1"
#define USER "admin@example.com/token"
#define SECRET "the-secret-of-zendesk"
/* of USER ":" SECRET */
#define ENCODED "YWRtaW5AZXhhbXBsZS5jb20vdG9rZW46dGhlLXNlY3JldC1vZi16ZW5kZXNr"

static pid_t server_pid;
static int	server_port;

static void
start_server(void)
{
	const char *program = getenv("FAKE_ZENDESK");
	int			out[2];
	char		line[64] = "";

	if (program == NULL || pipe(out) != 0)
	{
		printf("Bail out! FAKE_ZENDESK does not name the fake's program\n");
		exit(1);
	}
	server_pid = fork();
	if (server_pid == 0)
	{
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		execl(program, program, (char *) NULL);
		_exit(1);
	}
	close(out[1]);
	if (read(out[0], line, sizeof(line) - 1) <= 0 || sscanf(line, "port %d", &server_port) != 1)
	{
		printf("Bail out! the fake did not start\n");
		exit(1);
	}
}

static void
stop_server(void)
{
	kill(server_pid, SIGKILL);
	waitpid(server_pid, NULL, 0);
}

static Pool *
new_pool(void)
{
	const PoolConfig config = {.max_in_flight = 2,.max_body = CAP,.connect_timeout_ms = 5000};
	const char *why;

	return pool_create(&config, &why);
}

/* One call, to its end. */
static bool
call(Pool *pool, PoolRequest request, const char *path, PoolReply *reply)
{
	char		url[300];
	const char *why = NULL;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", server_port, path);
	request.url = url;
	request.timeout_ms = 20000;
	if (!pool_start(pool, &request, &why))
	{
		printf("# %s: %s\n", path, why);
		return false;
	}
	for (;;)
	{
		struct pollfd waiting = {.fd = pool_fd(pool),.events = POLLIN};

		pool_step(pool);
		if (pool_next(pool, reply))
			return true;
		poll(&waiting, 1, (int) pool_timeout_ms(pool));
	}
}

static bool
get(Pool *pool, const char *user, const char *secret, const char *path, PoolReply *reply)
{
	return call(pool, (PoolRequest) {.method = POOL_GET,.user = user,.secret = secret}, path, reply);
}

/* A form to the fake, by POST. */
static void
tell(Pool *pool, const char *path, const char *form)
{
	Buf			body;
	PoolReply	reply;

	buf_init(&body, 4096);
	buf_puts(&body, form);
	CHECK(call(pool, (PoolRequest) {.body = &body}, path, &reply));
	CHECK_INT(reply.reply.http_status, 200);
	pool_done(pool, &reply);
}

static void
basic_and_bearer_are_what_they_should_be(void)
{
	static const struct
	{
		const char *user;
		const char *secret;
		int			status;
	}			rows[] = {
		{USER, SECRET, 200}, {NULL, "a-bearer-token", 200}, {USER, "a-bearer-token", 401}, {NULL, SECRET, 401},
		{NULL, NULL, 401}, {"", SECRET, 401}
	};
	Pool	   *pool = new_pool();

	tell(pool, "/fill", "tickets=3&per_minute=1000&basic=" USER ":" SECRET "&bearer=a-bearer-token");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		PoolReply	reply;

		CHECK(get(pool, rows[i].user, rows[i].secret, EXPORT, &reply));
		CHECK_INT(reply.reply.http_status, rows[i].status);
		pool_done(pool, &reply);
	}
	/* every number of bytes that base64 has a way for */
	for (size_t len = 1; len <= 7; len++)
	{
		char		form[100];
		PoolReply	reply;

		snprintf(form, sizeof(form), "basic=u:%.*s", (int) len, "abcdefg");
		tell(pool, "/config", form);
		snprintf(form, sizeof(form), "%.*s", (int) len, "abcdefg");
		CHECK(get(pool, "u", form, EXPORT, &reply));
		CHECK_INT(reply.reply.http_status, 200);
		pool_done(pool, &reply);
	}
	pool_destroy(pool);
}

static void
what_would_break_the_header_is_not_sent(void)
{
	static const char *const bad[][2] = {{"a:b", SECRET}, {"a\r\nX: y", SECRET}, {"a b", SECRET}, {"a", "b\nc"}, {NULL, "b\r"}, {"\xc3\xa9", SECRET}};
	Pool	   *pool = new_pool();

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		PoolRequest request = {.method = POOL_GET,.url = "http://127.0.0.1:1/",.user = bad[i][0],.secret = bad[i][1],.timeout_ms = 1000};
		const char *why = NULL;

		CHECK(!pool_start(pool, &request, &why));
		CHECK_CONTAINS(why, "characters");
	}
	CHECK_INT(pool_in_flight(pool), 0);
	pool_destroy(pool);
}

static void
neither_form_of_a_secret_comes_back(void)
{
	static const char *const faults[] = {"answer=echo&status=400", "answer=echo&status=200"};
	Pool	   *pool = new_pool();

	tell(pool, "/fill", "tickets=3&per_minute=1000&basic=" USER ":" SECRET "&bearer=");
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
	{
		PoolReply	reply;

		tell(pool, "/fault", faults[i]);
		CHECK(get(pool, USER, SECRET, EXPORT, &reply));
		CHECK_CONTAINS(reply.reply.body, "you sent Basic ");
		CHECK_LACKS(reply.reply.body, SECRET);
		CHECK_LACKS(reply.reply.body, ENCODED);
		CHECK_LACKS(reply.request_id, ENCODED);
		/* of an error no part of it either */
		if (i == 0)
		{
			CHECK_LACKS(reply.reply.body, "of-zendesk");
			CHECK_LACKS(reply.reply.body, "LXNlY3JldC1v");
		}
		pool_done(pool, &reply);
	}
	pool_destroy(pool);
}

static void
get_and_post_take_turns_on_a_handle(void)
{
	Pool	   *pool = new_pool();
	PoolReply	reply;

	for (int i = 0; i < 3; i++)
	{
		tell(pool, "/fill", i % 2 == 0 ? "tickets=3&basic=" : "tickets=5&basic=");
		CHECK(get(pool, NULL, NULL, "/truth", &reply));
		CHECK_CONTAINS(reply.reply.body, "\"1003\"");
		CHECK_INT(strstr(reply.reply.body, "\"1005\"") != NULL, i % 2);
		CHECK_INT(reply.bytes_sent, 0);
		pool_done(pool, &reply);
	}
	pool_destroy(pool);
}

static void
a_compressed_page_is_unpacked_and_capped_by_what_comes_out(void)
{
	Pool	   *pool = new_pool();
	PoolReply	reply;

	tell(pool, "/fill", "tickets=300&description_bytes=1000&gzip=1&basic=&per_minute=1000");
	CHECK(get(pool, NULL, NULL, EXPORT, &reply));
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_CONTAINS(reply.reply.body, "TOKEN-1300");
	CHECK_CONTAINS(reply.reply.body, "\"end_of_stream\":true}");
	pool_done(pool, &reply);
	tell(pool, "/fault", "answer=huge");
	CHECK(get(pool, NULL, NULL, EXPORT, &reply));
	CHECK_INT(reply.reply.transport, TRANSPORT_TOO_LARGE);
	pool_done(pool, &reply);
	tell(pool, "/config", "gzip=0");
	tell(pool, "/fault", "answer=huge");
	CHECK(get(pool, NULL, NULL, EXPORT, &reply));
	CHECK_INT(reply.reply.transport, TRANSPORT_TOO_LARGE);
	pool_done(pool, &reply);
	pool_destroy(pool);
}

static void
headers_of_limits_are_kept(void)
{
	Pool	   *pool = new_pool();
	PoolReply	reply;

	tell(pool, "/fill", "tickets=3&per_minute=1&window_ms=60000&account_per_minute=9&basic=");
	tell(pool, "/reset", "");
	CHECK(get(pool, NULL, NULL, EXPORT, &reply));
	CHECK_INT(reply.reply.http_status, 200);
	CHECK_STR(reply.reply.account_remaining, "8");
	CHECK(reply.reply.account_reset != NULL);
	CHECK(reply.reply.retry_after == NULL);
	pool_done(pool, &reply);
	CHECK(get(pool, NULL, NULL, EXPORT, &reply));
	CHECK_INT(reply.reply.http_status, 429);
	CHECK(reply.reply.retry_after != NULL);
	CHECK_CONTAINS(reply.reply.body, "requests per minute");
	pool_done(pool, &reply);
	pool_destroy(pool);
}

static void
a_redirect_is_an_answer(void)
{
	Pool	   *pool = new_pool();
	PoolReply	reply;

	tell(pool, "/fill", "tickets=3&per_minute=100&basic=");
	tell(pool, "/fault", "status=302");
	CHECK(get(pool, USER, SECRET, EXPORT, &reply));
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(reply.reply.http_status, 302);
	pool_done(pool, &reply);
	pool_destroy(pool);
}

static const CheckTest tests[] = {
	CHECK_TEST(basic_and_bearer_are_what_they_should_be),
	CHECK_TEST(what_would_break_the_header_is_not_sent),
	CHECK_TEST(neither_form_of_a_secret_comes_back),
	CHECK_TEST(get_and_post_take_turns_on_a_handle),
	CHECK_TEST(a_compressed_page_is_unpacked_and_capped_by_what_comes_out),
	CHECK_TEST(headers_of_limits_are_kept),
	CHECK_TEST(a_redirect_is_an_answer)
};

int
main(void)
{
	int			failed;

	start_server();
	failed = check_run_all(tests);
	stop_server();
	return failed;
}
