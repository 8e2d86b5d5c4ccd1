/*
 * test_pool.c
 *	  The network pool against the fake model server, which this program starts itself on the loopback interface.
 *
 * connect() and getaddrinfo() are replaced in this program, for libcurl too: no test can reach anything but the
 * loopback interface even if the guard under test were broken, names resolve without a network, and both note the
 * signal mask they are called with.  So are getrlimit() and setrlimit(), for limits that cannot be set here, and
 * epoll_ctl(), which is counted.
 *
 * The server's program is named by FAKE_MODEL, or stands beside this one.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "net/pool.h"
#include "spellings.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ADDRESS_SANITIZER true
#elif defined(__has_feature)
#define WITH_ADDRESS_SANITIZER __has_feature(address_sanitizer)
#else
#define WITH_ADDRESS_SANITIZER false
#endif

#define WAIT_SECONDS 60
#define CAP (1024 * 1024)

static pid_t server_pid;
static const char *server_program;
static int	server_port;

static atomic_int connects;			/* to the loopback interface */
static atomic_int connects_elsewhere;
static atomic_int resolutions;
static atomic_int calls_with_open_mask;
static atomic_int threads_resolving;
static int	epoll_changes;

static void
note_signal_mask(void)
{
	static const int handled[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGALRM, SIGCHLD, SIGURG};
	sigset_t	mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (size_t i = 0; i < sizeof(handled) / sizeof(handled[0]); i++)
	{
		if (!sigismember(&mask, handled[i]))
		{
			calls_with_open_mask++;
			return;
		}
	}
}

static bool
is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr) >> 24) == 127;
	if (address->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) address)->sin6_addr);
	return false;
}

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
	if (!is_loopback(address))
	{
		connects_elsewhere++;
		errno = ENETUNREACH;
		return -1;
	}
	note_signal_mask();
	connects++;
	return (int) syscall(SYS_connect, fd, address, len);
}

int
epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	epoll_changes++;
	return (int) syscall(SYS_epoll_ctl, epoll_fd, operation, fd, event);
}

static const struct
{
	const char *name;
	int			family;
	const char *address;
}			known_names[] = {
	{"localhost.test", AF_INET, "127.0.0.1"},
	{"metadata.test", AF_INET, "169.254.169.254"},
	{"mapped.test", AF_INET6, "::ffff:169.254.169.254"},
	{"linklocal.test", AF_INET6, "fe80::1"},
	{"translated.test", AF_INET6, "64:ff9b::a9fe:a9fe"},
	{"sixtofour.test", AF_INET6, "2002:a9fe:a9fe::1"},
	{"compatible.test", AF_INET6, "::169.254.169.254"},
	{"metadata6.test", AF_INET6, "fd00:ec2::254"},
	{"multicast.test", AF_INET, "224.0.0.251"},
	{"multicast6.test", AF_INET6, "ff02::fb"},
	{"unspecified.test", AF_INET, "0.0.0.0"},
	{"unspecified6.test", AF_INET6, "::"},
	{"broadcast.test", AF_INET, "255.255.255.255"},
	{"public.test", AF_INET, "192.0.2.1"},
	{"carrier.test", AF_INET, "100.64.0.1"},
	/* a name may have several: what one lookup gives is judged address by address */
	{"twofaced.test", AF_INET, "169.254.169.254"},
	{"twofaced.test", AF_INET, "127.0.0.1"},
	{"allbad.test", AF_INET, "169.254.169.254"},
	{"allbad.test", AF_INET6, "fe80::1"}
};

static struct addrinfo *
make_address(int family, const char *text, const char *service, const struct addrinfo *hints)
{
	struct addrinfo *result = calloc(1, sizeof(struct addrinfo) + sizeof(struct sockaddr_in6));
	struct sockaddr_in *in = (struct sockaddr_in *) (result + 1);
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *) (result + 1);

	/* the port is in the same place */
	in->sin_family = (sa_family_t) family;
	in->sin_port = htons((uint16_t) atoi(service));
	inet_pton(family, text, family == AF_INET ? (void *) &in->sin_addr : (void *) &in6->sin6_addr);
	result->ai_family = family;
	result->ai_socktype = hints != NULL && hints->ai_socktype != 0 ? hints->ai_socktype : SOCK_STREAM;
	result->ai_protocol = IPPROTO_TCP;
	result->ai_addrlen = family == AF_INET ? sizeof(*in) : sizeof(*in6);
	result->ai_addr = (struct sockaddr *) in;
	return result;
}

int
getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
	struct addrinfo **last = result;

	if (name == NULL || service == NULL)
		return EAI_NONAME;
	resolutions++;
	if (syscall(SYS_gettid) != getpid())
		threads_resolving++;
	note_signal_mask();
	*result = NULL;
	for (size_t i = 0; i < sizeof(known_names) / sizeof(known_names[0]); i++)
	{
		if (strcmp(name, known_names[i].name) != 0)
			continue;
		*last = make_address(known_names[i].family, known_names[i].address, service, hints);
		last = &(*last)->ai_next;
	}
	return *result == NULL ? EAI_NONAME : 0;
}

void
freeaddrinfo(struct addrinfo *result)
{
	while (result != NULL)
	{
		struct addrinfo *next = result->ai_next;

		free(result);
		result = next;
	}
}

/* Limits of descriptors that a test pretends; rlim_max 0: the real ones.  A lowered hard limit would be for ever. */
static struct rlimit pretended_limit;

int
getrlimit(__rlimit_resource_t resource, struct rlimit *limit)
{
	if (resource != RLIMIT_NOFILE || pretended_limit.rlim_max == 0)
		return prlimit(0, resource, NULL, limit);
	*limit = pretended_limit;
	return 0;
}

int
setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	if (resource != RLIMIT_NOFILE || pretended_limit.rlim_max == 0)
		return prlimit(0, resource, limit, NULL);
	if (limit->rlim_cur > limit->rlim_max || limit->rlim_max > pretended_limit.rlim_max)
	{
		errno = EPERM;
		return -1;
	}
	pretended_limit = *limit;
	return 0;
}

static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec + (double) now.tv_nsec / 1e9;
}

static void
die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
stop_server(void)
{
	kill(server_pid, SIGTERM);
	waitpid(server_pid, NULL, 0);
}

static void
start_server(const char *program)
{
	int			ends[2];
	FILE	   *output;

	server_program = program;
	if (pipe(ends) != 0 || (server_pid = fork()) < 0)
		die("could not start the fake model server");
	if (server_pid == 0)
	{
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execl(program, program, "--port", "0", (char *) NULL);
		perror(program);
		_exit(127);
	}
	close(ends[1]);
	output = fdopen(ends[0], "r");
	if (output == NULL || fscanf(output, "port %d", &server_port) != 1)
		die("the fake model server did not say its port");
	fclose(output);
}

/* A connected socket to the fake server, for control requests. */
static int
control_socket(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,.sin_port = htons((uint16_t) server_port)};
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || syscall(SYS_connect, fd, &address, sizeof(address)) != 0)
		die("could not reach the fake model server");
	return fd;
}

static void
control(const char *method, const char *path, const char *body, char *answer, size_t size)
{
	char		request[512];
	int			len = snprintf(request, sizeof(request),
							   "%s %s HTTP/1.1\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
							   method, path, strlen(body), body);
	int			fd = control_socket();
	size_t		used = 0;
	ssize_t		n;

	if (write(fd, request, (size_t) len) != len)
		die("control request");
	while (used < size - 1 && (n = read(fd, answer + used, size - 1 - used)) > 0)
		used += (size_t) n;
	answer[used] = '\0';
	close(fd);
}

static void
configure(const char *settings)
{
	char		answer[1024];

	control("POST", "/config", settings, answer, sizeof(answer));
	CHECK_CONTAINS(answer, " 200 ");
}

static void
reset_server(void)
{
	char		answer[1024];

	control("POST", "/reset", "", answer, sizeof(answer));
	configure("latency_ms=0&jitter_ms=0&status=0&hang=0");
}

static long
server_stat(const char *name)
{
	char		answer[4096];
	char		key[64];
	const char *at;

	control("GET", "/stats", "", answer, sizeof(answer));
	snprintf(key, sizeof(key), "\"%s\": ", name);
	at = strstr(answer, key);
	CHECK(at != NULL);
	return at != NULL ? strtol(at + strlen(key), NULL, 10) : -1;
}

static Pool *
open_pool(int max_in_flight, size_t max_body)
{
	PoolConfig	config = {.max_in_flight = max_in_flight,.max_body = max_body,.connect_timeout_ms = 5000};
	const char *why = "";
	Pool	   *pool = pool_create(&config, &why);

	if (pool == NULL)
		die(why);
	return pool;
}

static const char *
server_url(void)
{
	static char url[100];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1/chat/completions", server_port);
	return url;
}

static bool
start_at(Pool *pool, const char *url, const char *secret, const char *text, void *tag, long timeout_ms)
{
	Buf			body;
	PoolRequest request = {.url = url,.secret = secret,.body = &body,.timeout_ms = timeout_ms,.tag = tag};
	const char *why = "";
	bool		started;

	buf_init(&body, CAP);
	buf_printf(&body, "{\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}", text);
	started = pool_start(pool, &request, &why);
	/* taken over or freed, never left behind */
	CHECK(body.data == NULL && body.len == 0);
	if (!started)
		printf("# not started: %s\n", why);
	return started;
}

static bool
start(Pool *pool, const char *text, void *tag)
{
	return start_at(pool, server_url(), NULL, text, tag, 30000);
}

static void
wait_and_step(Pool *pool)
{
	struct pollfd wait = {.fd = pool_fd(pool),.events = POLLIN};
	long		timeout = pool_timeout_ms(pool);

	if (timeout < 0 || timeout > 100)
		timeout = 100;
	poll(&wait, 1, (int) timeout);
	pool_step(pool);
}

/* Waits for the next reply; false when none comes. */
static bool
next_reply(Pool *pool, PoolReply *reply)
{
	double		end = seconds() + WAIT_SECONDS;

	while (!pool_next(pool, reply))
	{
		if (pool_in_flight(pool) == 0 || seconds() > end)
		{
			printf("# no reply, %d in flight\n", pool_in_flight(pool));
			memset(reply, 0, sizeof(*reply));
			check_failures++;
			return false;
		}
		wait_and_step(pool);
	}
	return true;
}

/* One call from start to end; the caller gives the reply back. */
static void
call(Pool *pool, const char *text, PoolReply *reply)
{
	if (!CHECK(start(pool, text, NULL)) || !next_reply(pool, reply))
		memset(reply, 0, sizeof(*reply));
}

/* Keeps the pool full until total calls are answered; returns how many of them were a 200 with an answer. */
static int
run_calls_at(Pool *pool, const char *url, int total, const char *text)
{
	int			started = 0;
	int			ended = 0;
	int			good = 0;
	double		end = seconds() + WAIT_SECONDS * 10;

	while (ended < total && seconds() < end)
	{
		PoolReply	reply;

		for (int room = pool_room(pool); room > 0 && started < total; room--, started++)
		{
			if (!start_at(pool, url, NULL, text, NULL, 30000))
				return good;
		}
		wait_and_step(pool);
		while (pool_next(pool, &reply))
		{
			good += reply.reply.transport == TRANSPORT_OK && reply.reply.http_status == 200 &&
				strstr(reply.reply.body, "draft_reply") != NULL;
			ended++;
			pool_done(pool, &reply);
		}
	}
	return good;
}

static int
run_calls(Pool *pool, int total, const char *text)
{
	return run_calls_at(pool, server_url(), total, text);
}

static int
open_files(void)
{
	DIR		   *directory = opendir("/proc/self/fd");
	int			count = -1;		/* the directory's own */

	for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static long
resident_kb(void)
{
	FILE	   *file = fopen("/proc/self/statm", "r");
	long		total,
				resident = -1;

	if (file != NULL && fscanf(file, "%ld %ld", &total, &resident) != 2)
		resident = -1;
	if (file != NULL)
		fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void
hundreds_in_flight_each_get_their_own_answer(void)
{
	enum { COUNT = 500 };
	static bool seen[COUNT];
	Pool	   *pool = open_pool(COUNT, CAP);
	int			started = 0;
	int			ended = 0;
	double		end = seconds() + WAIT_SECONDS;

	reset_server();
	configure("latency_ms=2000");
	memset(seen, 0, sizeof(seen));
	while (ended < COUNT && seconds() < end)
	{
		char		text[64];
		PoolReply	reply;

		for (int room = pool_room(pool); room > 0 && started < COUNT; room--, started++)
		{
			snprintf(text, sizeof(text), "TOKEN-n%dx", started);
			CHECK(start(pool, text, (void *) (intptr_t) started));
		}
		wait_and_step(pool);
		while (pool_next(pool, &reply))
		{
			intptr_t	n = (intptr_t) reply.tag;

			snprintf(text, sizeof(text), "TOKEN-n%dx", (int) n);
			CHECK(!seen[n]);
			seen[n] = true;
			CHECK_CONTAINS(reply.reply.body, text);
			CHECK_INT(reply.reply.http_status, 200);
			CHECK_INT(strlen(reply.reply.body), reply.reply.body_len);
			pool_done(pool, &reply);
			ended++;
		}
	}
	CHECK_INT(ended, COUNT);
	/* nobody waited for somebody else's answer */
	CHECK_INT(server_stat("max_in_flight"), COUNT);
	CHECK_INT(pool_in_flight(pool), 0);
	pool_destroy(pool);
	reset_server();
}

static void
connections_open_a_few_at_a_time(void)
{
	enum { COUNT = 200 };
	Pool	   *pool = open_pool(COUNT, CAP);
	int			started = 0;
	double		end = seconds() + WAIT_SECONDS;
	int			before;

	reset_server();
	configure("hang=1");
	connects = 0;
	CHECK_INT(pool_room(pool), 1);
	CHECK(start(pool, "first", NULL));
	started++;
	CHECK_INT(pool_room(pool), 0);
	while (started < COUNT && seconds() < end)
	{
		wait_and_step(pool);
		before = connects;
		CHECK(pool_room(pool) <= 32);
		for (int room = pool_room(pool); room > 0 && started < COUNT; room--, started++)
			CHECK(start(pool, "more", NULL));
		pool_step(pool);
		CHECK(connects - before <= 32);
	}
	CHECK_INT(pool_in_flight(pool), COUNT);
	CHECK_INT(pool_room(pool), 0);
	pool_destroy(pool);
	reset_server();
}

static void
used_connections_do_not_count_as_new_ones(void)
{
	enum { COUNT = 200 };
	Pool	   *pool = open_pool(COUNT, CAP);

	reset_server();
	configure("latency_ms=1000");
	CHECK_INT(run_calls(pool, COUNT, "open them all"), COUNT);
	CHECK_INT(server_stat("max_in_flight"), COUNT);
	/* all of them are free for the next calls at once */
	CHECK_INT(pool_room(pool), COUNT);
	connects = 0;
	for (int i = 0; i < COUNT; i++)
		CHECK(start(pool, "again", NULL));
	CHECK_INT(run_calls(pool, 0, ""), 0);
	for (int i = 0; i < COUNT; i++)
	{
		PoolReply	reply;

		if (!next_reply(pool, &reply))
			break;
		pool_done(pool, &reply);
	}
	CHECK_INT(connects, 0);
	pool_destroy(pool);
	reset_server();
}

static void
connections_are_reused(void)
{
	Pool	   *pool = open_pool(20, CAP);

	reset_server();
	connects = 0;
	CHECK_INT(run_calls(pool, 2000, "TOKEN-reuse"), 2000);
	CHECK(connects <= 20);
	CHECK_INT(server_stat("requests"), 2000);
	pool_destroy(pool);
}

static void
body_over_the_cap_is_cut_off(void)
{
	Pool	   *pool = open_pool(4, 65536);
	PoolReply	reply;

	reset_server();
	call(pool, "[[fake answer=huge]]", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_TOO_LARGE);
	CHECK(reply.reply.body_len <= 65536);
	CHECK_CONTAINS(reply.reply.transport_message, "larger than 65536 bytes");
	pool_done(pool, &reply);

	/* and the handle is as good as new */
	call(pool, "after", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_STR(reply.reply.transport_message, "");
	CHECK_CONTAINS(reply.reply.body, "draft_reply");
	pool_done(pool, &reply);
	pool_destroy(pool);
}

static void
slow_answer_times_out(void)
{
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	reply;
	int			tag;

	reset_server();
	CHECK(start_at(pool, server_url(), NULL, "[[fake hang=1]]", &tag, 250));
	next_reply(pool, &reply);
	CHECK(reply.tag == &tag);
	CHECK_INT(reply.reply.transport, TRANSPORT_TIMEOUT);
	CHECK(reply.latency_ms >= 250 && reply.latency_ms < 30000);
	CHECK(reply.reply.transport_message[0] != '\0');
	pool_done(pool, &reply);
	pool_destroy(pool);
}

static void
cut_connection_is_reported_whatever_the_status_said(void)
{
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	reply;

	reset_server();
	call(pool, "[[fake cut=1]]", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_CUT);
	CHECK_INT(reply.reply.http_status, 200);
	pool_done(pool, &reply);
	pool_destroy(pool);
}

/* libcurl gives up after the sixth of them. */
static void
used_connections_that_are_gone_do_not_fail_a_call(void)
{
	enum { COUNT = 8 };
	Pool	   *pool = open_pool(COUNT, CAP);
	PoolReply	reply;

	reset_server();
	configure("latency_ms=500");
	CHECK_INT(run_calls(pool, COUNT, "open them all"), COUNT);
	CHECK_INT(server_stat("max_in_flight"), COUNT);
	configure("latency_ms=0");
	connects = 0;
	call(pool, "TOKEN-gone [[fake reset=1 times=6]]", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(reply.reply.http_status, 200);
	CHECK_INT(server_stat("requests"), COUNT + 7);
	CHECK_INT(connects, 1);
	pool_done(pool, &reply);
	/* a new connection that is cut as well is one that is cut: not tried for ever */
	call(pool, "TOKEN-cut [[fake reset=1]]", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_CUT);
	pool_done(pool, &reply);
	pool_destroy(pool);
}

static void
answer_that_is_not_http_is_no_fault_of_the_url(void)
{
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	reply;

	reset_server();
	/* on a new connection and on a used one */
	call(pool, "[[fake garbage=1]]", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OTHER);
	pool_done(pool, &reply);
	call(pool, "good", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	pool_done(pool, &reply);
	call(pool, "[[fake garbage=1]]", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OTHER);
	pool_done(pool, &reply);
	pool_destroy(pool);
}

/* A socket of our own; not listening: the port is taken and nobody answers. */
static int
own_socket(bool listening, char *url, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t	len = sizeof(address);
	int			fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *) &address, len) != 0 || (listening && listen(fd, 5) != 0) ||
		getsockname(fd, (struct sockaddr *) &address, &len) != 0)
		die("socket");
	snprintf(url, size, "http://127.0.0.1:%d/v1/x", ntohs(address.sin_port));
	return fd;
}

static void
closed_port_is_a_connect_failure(void)
{
	char		url[100];
	int			fd = own_socket(false, url, sizeof(url));
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	reply;

	CHECK(start_at(pool, url, NULL, "x", NULL, 5000));
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_CONNECT);
	CHECK_INT(reply.reply.http_status, 0);
	pool_done(pool, &reply);
	pool_destroy(pool);
	close(fd);
}

static void
headers_are_captured_and_forgotten(void)
{
	Pool	   *pool = open_pool(1, CAP);
	PoolReply	reply;

	reset_server();
	call(pool, "[[fake status=429 retry_after=7.5]]", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(reply.reply.http_status, 429);
	CHECK_STR(reply.reply.retry_after, "7.5");
	CHECK(reply.reply.retry_after_ms == NULL);
	CHECK_CONTAINS(reply.reply.date, "GMT");
	CHECK_STR(reply.request_id, "req-1");
	CHECK_CONTAINS(reply.reply.body, "rate_limit_exceeded");
	pool_done(pool, &reply);

	call(pool, "good", &reply);
	CHECK_INT(reply.reply.http_status, 200);
	CHECK(reply.reply.retry_after == NULL);
	CHECK_STR(reply.request_id, "req-2");
	pool_done(pool, &reply);

	/* nor does a call that got no answer at all show those of the one before */
	call(pool, "[[fake status=429 retry_after=7]]", &reply);
	pool_done(pool, &reply);
	CHECK(start_at(pool, server_url(), NULL, "[[fake hang=1]]", NULL, 100));
	next_reply(pool, &reply);
	CHECK(reply.reply.retry_after == NULL && reply.reply.date == NULL);
	CHECK_STR(reply.request_id, "");
	CHECK_INT(reply.reply.http_status, 0);
	pool_done(pool, &reply);
	pool_destroy(pool);
}

/* Serves one request by hand: reads until it ends with end_mark, sends answer. */
static void
serve_by_hand(Pool *pool, int listener, const char *end_mark, const char *answer, char *received, size_t size)
{
	struct pollfd wait = {.fd = listener,.events = POLLIN};
	double		end = seconds() + WAIT_SECONDS;
	size_t		used = 0;
	int			fd;

	received[0] = '\0';
	while (poll(&wait, 1, 1) == 0 && seconds() < end)
		wait_and_step(pool);
	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (!CHECK(fd >= 0))
		return;
	while ((used == 0 || strstr(received, end_mark) == NULL) && seconds() < end)
	{
		ssize_t		n;

		wait_and_step(pool);
		n = read(fd, received + used, size - 1 - used);
		used += n > 0 ? (size_t) n : 0;
		received[used] = '\0';
	}
	CHECK(write(fd, answer, strlen(answer)) == (ssize_t) strlen(answer));
	close(fd);
}

static void
peer_that_hangs_up_in_the_tls_handshake_is_a_cut_connection(void)
{
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	reply;
	char		url[100];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/v1/chat/completions", server_port);
	CHECK(start_at(pool, url, NULL, "x", NULL, 5000));
	next_reply(pool, &reply);
	if (!CHECK_INT(reply.reply.transport, TRANSPORT_CUT))
		printf("# %s\n", reply.reply.transport_message);
	pool_done(pool, &reply);
	pool_destroy(pool);
}

static void
plain_server_behind_https_is_a_tls_failure(void)
{
	char		url[100];
	char		hello[4096];
	int			listener = own_socket(true, url, sizeof(url));
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	reply;

	memmove(url + 5, url + 4, strlen(url + 4) + 1);
	url[4] = 's';
	CHECK(start_at(pool, url, NULL, "x", NULL, 5000));
	serve_by_hand(pool, listener, "", "HTTP/1.1 400 Bad Request\r\n\r\n", hello, sizeof(hello));
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_TLS);
	pool_done(pool, &reply);
	pool_destroy(pool);
	close(listener);
}

static void
request_on_the_wire_is_what_was_asked_for(void)
{
	char		url[100];
	char		received[4096];
	int			listener = own_socket(true, url, sizeof(url));
	Pool	   *pool = open_pool(1, CAP);
	PoolReply	reply;

	CHECK(start_at(pool, url, "sk-abc.123", "ticket text", NULL, 30000));
	serve_by_hand(pool, listener, "]}", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
				  received, sizeof(received));
	CHECK(strncmp(received, "POST /v1/x HTTP/1.1\r\n", 21) == 0);
	CHECK_CONTAINS(received, "\r\nContent-Type: application/json\r\n");
	CHECK_CONTAINS(received, "\r\nAuthorization: Bearer sk-abc.123\r\n");
	CHECK_LACKS(received, "Expect");
	CHECK_LACKS(received, "Accept-Encoding");
	CHECK_CONTAINS(received, "\r\n\r\n{\"messages\":[{\"role\":\"user\",\"content\":\"ticket text\"}]}");
	next_reply(pool, &reply);
	CHECK_STR(reply.reply.body, "{}");
	CHECK_INT(reply.bytes_sent, strlen("{\"messages\":[{\"role\":\"user\",\"content\":\"ticket text\"}]}"));
	CHECK_INT(reply.bytes_received, 2);
	pool_done(pool, &reply);

	/* the handle keeps nothing of the key */
	CHECK(start_at(pool, url, NULL, "no key", NULL, 30000));
	serve_by_hand(pool, listener, "]}", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", received, sizeof(received));
	CHECK_LACKS(received, "Authorization");
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.http_status, 204);
	CHECK_INT(reply.reply.body_len, 0);
	pool_done(pool, &reply);
	pool_destroy(pool);
	close(listener);
}

static void
handle_takes_one_url_after_another(void)
{
	char		url[100];
	char		other_url[100];
	char		longer[120];
	char		received[4096];
	int			listener = own_socket(true, url, sizeof(url));
	int			other = own_socket(true, other_url, sizeof(other_url));
	Pool	   *pool = open_pool(1, CAP);
	PoolReply	reply;
	const struct
	{
		const char *url;
		int			listener;
		const char *line;
	}			calls[] = {
		{url, listener, "POST /v1/x HTTP/1.1\r\n"},
		{url, listener, "POST /v1/x HTTP/1.1\r\n"},
		{longer, listener, "POST /v1/x/y?z=1 HTTP/1.1\r\n"},
		{other_url, other, "POST /v1/x HTTP/1.1\r\n"},
		{url, listener, "POST /v1/x HTTP/1.1\r\n"},
	};

	snprintf(longer, sizeof(longer), "%s/y?z=1", url);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
	{
		int			before = check_failures;

		CHECK(start_at(pool, calls[i].url, NULL, "text", NULL, 30000));
		serve_by_hand(pool, calls[i].listener, "]}", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
					  received, sizeof(received));
		CHECK(strncmp(received, calls[i].line, strlen(calls[i].line)) == 0);
		next_reply(pool, &reply);
		CHECK_INT(reply.reply.http_status, 200);
		pool_done(pool, &reply);
		CHECK_ROW(before, "call %zu", i);
	}
	pool_destroy(pool);
	close(listener);
	close(other);
}

static void
odd_responses_are_read_right(void)
{
	char		url[100];
	char		received[4096];
	int			listener = own_socket(true, url, sizeof(url));
	Pool	   *pool = open_pool(1, CAP);
	PoolReply	reply;

	/* what an interim response says is not the answer's; other ID header; bytes that may not go into a table */
	CHECK(start_at(pool, url, NULL, "x", NULL, 30000));
	serve_by_hand(pool, listener, "]}",
				  "HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\nX-Request-Id: early\r\n\r\n"
				  "HTTP/1.1 503 Busy\r\nRequest-Id: \tid\xff\x01z  \r\nRETRY-AFTER-MS:1500\r\n"
				  "anthropic-ratelimit-requests-reset: 2025-08-21T12:41:01Z\r\nanthropic-ratelimit-tokens-reset: 2025-08-21T12:41:02Z\r\n"
				  "anthropic-ratelimit-input-tokens-reset: 2025-08-21T12:41:03Z\r\n"
				  "anthropic-ratelimit-output-tokens-reset: 2025-08-21T12:41:04Z\r\nX-Should-Retry: true\r\n"
				  "x-ratelimit-reset-requests: 1s\r\nx-ratelimit-reset-tokens: 6m0s\r\nX-RateLimit-Reset: 1784111777000\r\n"
				  "X-RateLimit-Remaining-Requests: 59\r\nanthropic-ratelimit-tokens-remaining: 0\r\n"
				  "Content-Length: 0\r\nConnection: close\r\n\r\n", received, sizeof(received));
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(reply.reply.http_status, 503);
	CHECK(reply.reply.retry_after == NULL);
	CHECK_STR(reply.reply.retry_after_ms, "1500");
	CHECK_STR(reply.reply.ratelimit_reset_requests, "1s");
	CHECK_STR(reply.reply.ratelimit_reset_tokens, "6m0s");
	CHECK_STR(reply.reply.other_resets[0], "1784111777000");
	CHECK_STR(reply.reply.other_resets[1], "2025-08-21T12:41:01Z");
	CHECK_STR(reply.reply.other_resets[2], "2025-08-21T12:41:02Z");
	CHECK_STR(reply.reply.other_resets[3], "2025-08-21T12:41:03Z");
	CHECK_STR(reply.reply.other_resets[4], "2025-08-21T12:41:04Z");
	CHECK_STR(reply.reply.should_retry, "true");
	CHECK_STR(reply.reply.ratelimit_remaining_requests, "59");
	CHECK_STR(reply.reply.ratelimit_remaining_tokens, "0");
	CHECK_STR(reply.request_id, "id??z");
	pool_done(pool, &reply);

	/* a redirect is an answer like any other: it is not followed */
	connects_elsewhere = 0;
	CHECK(start_at(pool, url, NULL, "x", NULL, 30000));
	serve_by_hand(pool, listener, "]}",
				  "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest\r\n"
				  "Content-Length: 0\r\nConnection: close\r\n\r\n", received, sizeof(received));
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(reply.reply.http_status, 302);
	CHECK(reply.reply.should_retry == NULL && reply.reply.other_resets[0] == NULL);
	CHECK_INT(connects_elsewhere, 0);
	pool_done(pool, &reply);
	pool_destroy(pool);
	close(listener);
}

static void
forbidden_addresses_are_refused_before_connecting(void)
{
	static const char *const urls[] = {
		"http://169.254.1.1/", "http://169.254.169.254/latest/meta-data", "https://169.254.169.254/",
		"http://192.0.2.1/", "http://0.0.0.0/", "https://0.0.0.0/", "http://224.0.0.1/",
		"http://[fe80::1]/", "https://[fe80::1]/", "http://metadata.test/", "http://mapped.test/",
		"https://metadata.test/", "https://mapped.test/", "http://linklocal.test/", "https://linklocal.test/",
		"http://translated.test/", "https://translated.test/", "https://sixtofour.test/", "https://compatible.test/",
		"http://metadata6.test/", "https://metadata6.test/", "https://multicast.test/", "https://multicast6.test/",
		"http://unspecified.test/", "https://unspecified6.test/", "https://broadcast.test/", "http://public.test/",
		"http://carrier.test/", "http://allbad.test/", "https://allbad.test/"
	};
	Pool	   *pool = open_pool(4, CAP);

	connects = connects_elsewhere = 0;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
	{
		int			before = check_failures;
		int			files = open_files();
		PoolReply	reply;

		if (CHECK(start_at(pool, urls[i], "key", "x", NULL, 5000)) && next_reply(pool, &reply))
		{
			CHECK_INT(reply.reply.transport, TRANSPORT_REFUSED_ADDRESS);
			CHECK_INT(reply.reply.http_status, 0);
			CHECK(reply.reply.transport_message[0] != '\0');
			pool_done(pool, &reply);
		}
		CHECK(open_files() <= files + 1);	/* libcurl's own wake-up pipe of a resolver thread may live on */
		CHECK_ROW(before, "%s", urls[i]);
	}
	CHECK_INT(connects, 0);
	CHECK_INT(connects_elsewhere, 0);
	pool_destroy(pool);
}

/* Of a name's addresses the forbidden ones are passed over, and what may be called is called. */
static void
name_with_a_forbidden_address_reaches_its_other_one(void)
{
	char		url[100];
	Pool	   *pool = open_pool(1, CAP);
	PoolReply	reply;

	snprintf(url, sizeof(url), "http://twofaced.test:%d/v1/chat/completions", server_port);
	connects = connects_elsewhere = 0;
	CHECK(start_at(pool, url, NULL, "{\"messages\":[]}", NULL, 10000));
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(reply.reply.http_status, 200);
	pool_done(pool, &reply);
	CHECK_INT(connects, 1);
	CHECK_INT(connects_elsewhere, 0);
	pool_destroy(pool);
}

/* What the list of origins refuses never gets to libcurl, whose own reader of URLs is more forgiving. */
static void
ambiguous_urls_open_no_socket(void)
{
	Pool	   *pool = open_pool(4, CAP);
	int			files = open_files();

	connects = connects_elsewhere = resolutions = 0;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
	{
		int			before = check_failures;

		CHECK(!start_at(pool, refused[i], "key", "x", NULL, 5000));
		CHECK_INT(pool_in_flight(pool), 0);
		CHECK_ROW(before, "%s", refused[i]);
	}
	pool_step(pool);
	CHECK_INT(connects + connects_elsewhere + resolutions, 0);
	CHECK_INT(open_files(), files);
	CHECK(sizeof(refused) / sizeof(refused[0]) >= 40);
	pool_destroy(pool);
}

/* An endpoint that repeats the key it was shown, in every place where its words are kept. */
static void
echoed_key_goes_no_further(void)
{
	static const char key[] = "sk-echo-0123456789abcdefghijklmnop";
	static const struct
	{
		const char *status;
		const char *body;
		const char *want;
	}			rows[] = {
		{"401 Unauthorized", "{\"error\":{\"message\":\"Incorrect API key provided: sk-echo-0123456789abcdefghijklmnop\"}}",
		"{\"error\":{\"message\":\"Incorrect API key provided: **********************************\"}}"},
		{"401 Unauthorized", "bad key sk-echo-01*****mnop", "bad key **********" "*****mnop"},
		{"500 Error", "Bearer \\u0073k-echo-0123456789abcdefghijklmnop", "Bearer ***************************************"},
		{"200 OK", "{\"draft_reply\":\"sk-echo-0123456789abcdefghijklmnop\"}",
		"{\"draft_reply\":\"**********************************\"}"},
		{"200 OK", "{\"draft_reply\":\"echo-0123456789\"}", "{\"draft_reply\":\"echo-0123456789\"}"},
	};
	char		url[100];
	char		received[4096];
	char		answer[1000];
	int			listener = own_socket(true, url, sizeof(url));
	Pool	   *pool = open_pool(1, CAP);
	PoolReply	reply;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		int			before = check_failures;

		CHECK(start_at(pool, url, key, "x", NULL, 30000));
		snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nX-Request-Id: id-%s\r\nRetry-After: 7\r\nContent-Length: %zu\r\n"
				 "Connection: close\r\n\r\n%s", rows[i].status, key, strlen(rows[i].body), rows[i].body);
		serve_by_hand(pool, listener, "]}", answer, received, sizeof(received));
		CHECK_CONTAINS(received, key);
		next_reply(pool, &reply);
		CHECK_INT(reply.reply.body_len, strlen(rows[i].want));
		CHECK_STR(reply.reply.body, rows[i].want);
		CHECK_STR(reply.request_id, "id-**********************************");
		CHECK_STR(reply.reply.retry_after, "7");
		pool_done(pool, &reply);
		CHECK_ROW(before, "%s", rows[i].body);
	}
	pool_destroy(pool);
	close(listener);
}

static void
unusable_requests_are_refused_at_once(void)
{
	static const struct
	{
		const char *url;
		const char *secret;
		long		timeout_ms;
	}			rows[] = {
		{"ftp://127.0.0.1/", NULL, 1000},
		{"file:///etc/passwd", NULL, 1000},
		{"http://user:pass@127.0.0.1/", NULL, 1000},
		{"http://[::ffff:a9fe:a9fe]/", NULL, 1000},
		{"http://0x7f000001/", NULL, 1000},
		{"", NULL, 1000},
		{"http://127.0.0.1:1/", "two\r\nlines", 1000},
		{"http://127.0.0.1:1/", "a space", 1000},
		{"http://127.0.0.1:1/", "caf\xc3\xa9", 1000},
		{"http://127.0.0.1:1/", "key", 0},
		{"http://127.0.0.1:1/", "key", -5}
	};
	Pool	   *pool = open_pool(4, CAP);

	connects = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		int			before = check_failures;

		CHECK(!start_at(pool, rows[i].url, rows[i].secret, "x", NULL, rows[i].timeout_ms));
		CHECK_INT(pool_in_flight(pool), 0);
		CHECK_ROW(before, "%s %ld", rows[i].url, rows[i].timeout_ms);
	}
	CHECK_INT(connects, 0);
	CHECK_INT(pool_timeout_ms(pool), -1);
	pool_destroy(pool);
}

static void
names_are_resolved_in_threads_that_take_no_signals(void)
{
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	reply;
	char		url[100];

	reset_server();
	resolutions = threads_resolving = calls_with_open_mask = connects = 0;
	snprintf(url, sizeof(url), "http://localhost.test:%d/v1/chat/completions", server_port);
	CHECK(start_at(pool, url, NULL, "x", NULL, 5000));
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(reply.reply.http_status, 200);
	pool_done(pool, &reply);
	CHECK(resolutions >= 1);
	CHECK_INT(threads_resolving, resolutions);
	CHECK_INT(connects, 1);
	CHECK_INT(calls_with_open_mask, 0);
	pool_destroy(pool);
}

/* A pool of this size has several multi handles, each with connections of its own. */
static void
wide_pool_resolves_a_name_once(void)
{
	enum { COUNT = 300 };
	Pool	   *pool = open_pool(COUNT, CAP);
	char		url[100];

	reset_server();
	configure("latency_ms=300");
	resolutions = connects = 0;
	snprintf(url, sizeof(url), "http://localhost.test:%d/v1/chat/completions", server_port);
	CHECK_INT(run_calls_at(pool, url, COUNT, "x"), COUNT);
	/* no more than the first call asked for, IPv4 and IPv6 */
	CHECK(resolutions >= 1 && resolutions <= 2);
	CHECK(connects <= COUNT);
	pool_destroy(pool);
	reset_server();
}

static void
wide_pool_opens_one_connection_for_one_call_at_a_time(void)
{
	Pool	   *pool = open_pool(1000, CAP);
	PoolReply	reply;

	reset_server();
	connects = 0;
	for (int i = 0; i < 50; i++)
	{
		call(pool, "TOKEN-one", &reply);
		CHECK_INT(reply.reply.http_status, 200);
		pool_done(pool, &reply);
	}
	CHECK_INT(connects, 1);
	pool_destroy(pool);
}

static void
calls_on_used_connections_hardly_change_the_epoll_set(void)
{
	Pool	   *pool = open_pool(8, CAP);

	reset_server();
	CHECK_INT(run_calls(pool, 100, "warm"), 100);
	epoll_changes = connects = 0;
	CHECK_INT(run_calls(pool, 1000, "again"), 1000);
	CHECK_INT(connects, 0);
	/*
	 * Not two a call, but some: for a connection that was never waited for before; and newer versions of libcurl say
	 * what they wait for when the answer may be there already.
	 */
	printf("# %d changes for 1000 calls\n", epoll_changes);
	CHECK(epoll_changes < 500);
	pool_destroy(pool);
}

static bool
has_news(const Pool *pool, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = pool_fd(pool),.events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) > 0;
}

static void
closed_connection_is_news_once_and_is_not_used(void)
{
	Pool	   *pool = open_pool(8, CAP);
	PoolReply	reply;

	reset_server();
	/* an answer that is there at once is not waited for */
	configure("latency_ms=50");
	call(pool, "TOKEN-first", &reply);
	pool_done(pool, &reply);
	CHECK(!has_news(pool, 0));
	stop_server();
	CHECK(has_news(pool, WAIT_SECONDS * 1000));
	CHECK_INT(pool_step(pool), 0);
	CHECK(!has_news(pool, 0));
	start_server(server_program);
	for (int i = 0; i < 3; i++)
	{
		call(pool, "TOKEN-second", &reply);
		CHECK_INT(reply.reply.http_status, 200);
		CHECK_CONTAINS(reply.reply.body, "TOKEN-second");
		pool_done(pool, &reply);
	}
	pool_destroy(pool);
	reset_server();
}

/* Handles and connections of the wide pool go on to serve the narrow one, and the other way round. */
static void
pool_is_widened_and_narrowed_in_mid_flight(void)
{
	Pool	   *pool = open_pool(10, CAP);

	reset_server();
	configure("latency_ms=200");
	CHECK_INT(run_calls(pool, 10, "narrow"), 10);
	pool_set_max_in_flight(pool, 300);
	CHECK_INT(run_calls(pool, 300, "wide"), 300);
	CHECK(server_stat("max_in_flight") > 10);
	pool_set_max_in_flight(pool, 20);
	connects = 0;
	reset_server();
	configure("latency_ms=200");
	CHECK_INT(run_calls(pool, 100, "narrow again"), 100);
	CHECK_INT(server_stat("max_in_flight"), 20);
	CHECK(connects <= 20);
	CHECK_INT(pool_in_flight(pool), 0);
	pool_destroy(pool);
	reset_server();
}

/* Of all multi handles, though there is work for one only: each is called from time to time. */
static void
closed_connections_of_a_burst_are_let_go(void)
{
	enum { COUNT = 600 };
	Pool	   *pool = open_pool(COUNT, CAP);
	int			files = open_files();
	double		end;

	reset_server();
	configure("latency_ms=500");
	CHECK_INT(run_calls(pool, COUNT, "burst"), COUNT);
	CHECK(open_files() > files + 300);
	stop_server();
	start_server(server_program);
	end = seconds() + WAIT_SECONDS;
	while (open_files() > files + 5 && seconds() < end)
	{
		PoolReply	reply;

		call(pool, "alone", &reply);
		CHECK_INT(reply.reply.http_status, 200);
		pool_done(pool, &reply);
		poll(NULL, 0, 100);
	}
	printf("# %d files before the burst, %d now\n", files, open_files());
	CHECK(open_files() <= files + 5);
	CHECK(pool_room(pool) <= 40);
	pool_destroy(pool);
	reset_server();
}

/* Nobody has looked at them for a while: the next burst is no reason to open hundreds of connections at once. */
static void
connections_that_may_be_closed_are_not_counted_on(void)
{
	enum { COUNT = 300 };
	Pool	   *pool = open_pool(COUNT, CAP);
	double		end = seconds() + WAIT_SECONDS;

	reset_server();
	configure("latency_ms=500");
	CHECK_INT(run_calls(pool, COUNT, "burst"), COUNT);
	CHECK_INT(pool_room(pool), COUNT);
	while (pool_room(pool) > 32 && seconds() < end)
		poll(NULL, 0, 50);
	CHECK_INT(pool_room(pool), 32);
	configure("latency_ms=0");
	connects = 0;
	CHECK_INT(run_calls(pool, 1000, "again"), 1000);
	CHECK(connects <= 32);
	pool_destroy(pool);
}

static void
unknown_name_is_a_resolve_failure_and_opens_no_ramp(void)
{
	Pool	   *pool = open_pool(8, CAP);
	PoolReply	reply;

	CHECK(start_at(pool, "http://nowhere.test/", NULL, "x", NULL, 5000));
	next_reply(pool, &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_RESOLVE);
	CHECK_CONTAINS(reply.reply.transport_message, "nowhere.test");
	pool_done(pool, &reply);
	CHECK_INT(pool_room(pool), 1);
	pool_destroy(pool);
}

static void
proxy_of_the_environment_is_ignored(void)
{
	Pool	   *pool;
	PoolReply	reply;

	reset_server();
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("all_proxy", "http://127.0.0.1:1", 1);
	pool = open_pool(1, CAP);
	call(pool, "x", &reply);
	CHECK_INT(reply.reply.transport, TRANSPORT_OK);
	CHECK_INT(server_stat("requests"), 1);
	pool_done(pool, &reply);
	pool_destroy(pool);
	unsetenv("http_proxy");
	unsetenv("all_proxy");
}

static void
cancelled_call_gives_no_reply(void)
{
	Pool	   *pool = open_pool(8, CAP);
	PoolReply	reply;
	int			tags[3];
	double		end = seconds() + WAIT_SECONDS;

	reset_server();
	CHECK(start(pool, "[[fake hang=1]]", &tags[0]));
	while (server_stat("in_flight") == 0 && seconds() < end)
		wait_and_step(pool);
	CHECK(start(pool, "one", &tags[1]));
	CHECK(start(pool, "two", &tags[2]));
	CHECK(!pool_cancel(pool, &end));
	CHECK(pool_cancel(pool, &tags[0]));
	CHECK(!pool_cancel(pool, &tags[0]));
	CHECK_INT(pool_in_flight(pool), 2);

	/* one that has ended but was not fetched */
	while (pool_step(pool) < 2 && seconds() < end)
		wait_and_step(pool);
	CHECK_INT(pool_timeout_ms(pool), 0);
	CHECK(pool_cancel(pool, &tags[1]));
	CHECK(pool_next(pool, &reply));
	CHECK(reply.tag == &tags[2]);
	/* lent out: not in the air any more */
	CHECK(!pool_cancel(pool, &tags[2]));
	pool_done(pool, &reply);
	CHECK(!pool_next(pool, &reply));
	CHECK_INT(pool_in_flight(pool), 0);
	/* the model sees the connection go */
	while (server_stat("in_flight") > 0 && seconds() < end)
		wait_and_step(pool);
	CHECK_INT(server_stat("in_flight"), 0);
	pool_destroy(pool);
}

static void
reply_stays_valid_while_others_run(void)
{
	Pool	   *pool = open_pool(4, CAP);
	PoolReply	kept;
	char	   *copy;

	reset_server();
	call(pool, "TOKEN-kept", &kept);
	copy = strdup(kept.reply.body);
	CHECK_INT(run_calls(pool, 200, "TOKEN-other"), 200);
	CHECK_STR(kept.reply.body, copy);
	CHECK_CONTAINS(kept.reply.body, "TOKEN-kept");
	CHECK_STR(kept.request_id, "req-1");
	pool_done(pool, &kept);
	free(copy);
	pool_destroy(pool);
}

static void
limit_can_change_while_calls_run(void)
{
	Pool	   *pool = open_pool(2, CAP);
	PoolReply	reply;

	reset_server();
	call(pool, "first", &reply);
	pool_done(pool, &reply);
	configure("hang=1");
	CHECK(start(pool, "a", &pool));
	CHECK(start(pool, "b", &reply));
	CHECK_INT(pool_room(pool), 0);
	CHECK(!start(pool, "one too many", NULL));
	pool_set_max_in_flight(pool, 5);
	CHECK_INT(pool_room(pool), 3);
	CHECK(start(pool, "c", NULL));
	pool_set_max_in_flight(pool, 1);
	CHECK_INT(pool_room(pool), 0);
	CHECK_INT(pool_in_flight(pool), 3);
	CHECK(pool_cancel(pool, &pool));
	CHECK(pool_cancel(pool, &reply));
	CHECK_INT(pool_room(pool), 0);
	CHECK(pool_cancel(pool, NULL));
	CHECK_INT(pool_room(pool), 1);
	pool_destroy(pool);
	reset_server();
}

/* How many calls a pool of 1000 takes. */
static int
calls_that_fit(void)
{
	Pool	   *pool = open_pool(1000, CAP);
	double		end = seconds() + WAIT_SECONDS;
	int			fit = -1;

	/* it is full when it takes no more although all its calls have reached the model */
	while (seconds() < end && (fit != pool_in_flight(pool) || pool_room(pool) > 0 || server_stat("in_flight") < fit))
	{
		fit = pool_in_flight(pool);
		for (int room = pool_room(pool); room > 0; room--)
			CHECK(start(pool, "[[fake hang=1]]", NULL));
		wait_and_step(pool);
	}
	pool_destroy(pool);
	return fit;
}

static void
descriptor_limit_is_raised_or_respected(void)
{
	static const struct
	{
		rlim_t		soft;
		rlim_t		hard;
		int			soft_after;
		int			fit;
	}			rows[] = {
		{256, 4096, 2108, 1000},	/* raised as far as needed: 4 lanes have two each */
		{256, 300, 300, 170},	/* 128 stay for others, and 2 for the lane */
		{20, 100, 100, 1},		/* one call is always possible */
		{3000, 4096, 3000, 1000}	/* never lowered */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
	{
		int			before = check_failures;

		reset_server();
		pretended_limit = (struct rlimit) {.rlim_cur = rows[i].soft,.rlim_max = rows[i].hard};
		CHECK_INT(calls_that_fit(), rows[i].fit);
		CHECK_INT(pretended_limit.rlim_cur, rows[i].soft_after);
		CHECK_ROW(before, "limits %d, %d", (int) rows[i].soft, (int) rows[i].hard);
	}
	pretended_limit.rlim_max = 0;
}

static bool
same_mask(const sigset_t *want)
{
	sigset_t	mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number < 32; number++)
	{
		if (sigismember(&mask, number) != sigismember(want, number))
			return false;
	}
	return true;
}

static void
signal_mask_is_restored_after_each_call(void)
{
	sigset_t	original;
	sigset_t	mask;
	Pool	   *pool;
	PoolReply	reply;
	int			tag;

	reset_server();
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &mask, &original);
	connects = calls_with_open_mask = 0;
	pool = open_pool(4, CAP);
	CHECK(same_mask(&mask));
	pool_set_max_in_flight(pool, 8);
	CHECK(same_mask(&mask));
	CHECK(start(pool, "x", NULL));
	CHECK(same_mask(&mask));
	CHECK(!start_at(pool, "ftp://127.0.0.1/", NULL, "x", NULL, 1000));
	CHECK(same_mask(&mask));
	while (pool_step(pool) == 0)
	{
		if (!CHECK(same_mask(&mask)))
			break;
		wait_and_step(pool);
	}
	CHECK(same_mask(&mask));
	CHECK(pool_next(pool, &reply));
	CHECK(same_mask(&mask));
	pool_done(pool, &reply);
	CHECK(same_mask(&mask));
	CHECK(start(pool, "[[fake hang=1]]", &tag));
	CHECK(pool_cancel(pool, &tag));
	CHECK(same_mask(&mask));
	CHECK(start(pool, "[[fake hang=1]]", NULL));
	pool_step(pool);
	pool_destroy(pool);
	CHECK(same_mask(&mask));
	CHECK(connects > 0);
	CHECK_INT(calls_with_open_mask, 0);
	pthread_sigmask(SIG_SETMASK, &original, NULL);
}

static void
files_and_memory_stay_flat_over_20000_calls(void)
{
	/* a sanitizer's quarantine keeps what was freed, up to 256 MB; leaks it reports itself */
	const long	allowed_kb = WITH_ADDRESS_SANITIZER ? 300 * 1024 : 1024;
	Pool	   *pool = open_pool(64, CAP);
	int			files;
	long		resident;

	reset_server();
	CHECK_INT(run_calls(pool, 5000, "TOKEN-warm"), 5000);
	files = open_files();
	resident = resident_kb();
	CHECK_INT(run_calls(pool, 20000, "TOKEN-flat"), 20000);
	CHECK(open_files() <= files);
	printf("# resident memory %ld kB, then %ld kB\n", resident, resident_kb());
	CHECK(resident > 0 && resident_kb() - resident <= allowed_kb);
	CHECK_INT(server_stat("requests"), 25000);
	pool_destroy(pool);
}

static const CheckTest tests[] = {
	CHECK_TEST(hundreds_in_flight_each_get_their_own_answer),
	CHECK_TEST(connections_open_a_few_at_a_time),
	CHECK_TEST(used_connections_do_not_count_as_new_ones),
	CHECK_TEST(connections_are_reused),
	CHECK_TEST(body_over_the_cap_is_cut_off),
	CHECK_TEST(slow_answer_times_out),
	CHECK_TEST(cut_connection_is_reported_whatever_the_status_said),
	CHECK_TEST(used_connections_that_are_gone_do_not_fail_a_call),
	CHECK_TEST(answer_that_is_not_http_is_no_fault_of_the_url),
	CHECK_TEST(closed_port_is_a_connect_failure),
	CHECK_TEST(peer_that_hangs_up_in_the_tls_handshake_is_a_cut_connection),
	CHECK_TEST(plain_server_behind_https_is_a_tls_failure),
	CHECK_TEST(headers_are_captured_and_forgotten),
	CHECK_TEST(request_on_the_wire_is_what_was_asked_for),
	CHECK_TEST(handle_takes_one_url_after_another),
	CHECK_TEST(odd_responses_are_read_right),
	CHECK_TEST(forbidden_addresses_are_refused_before_connecting),
	CHECK_TEST(name_with_a_forbidden_address_reaches_its_other_one),
	CHECK_TEST(ambiguous_urls_open_no_socket),
	CHECK_TEST(echoed_key_goes_no_further),
	CHECK_TEST(unusable_requests_are_refused_at_once),
	CHECK_TEST(names_are_resolved_in_threads_that_take_no_signals),
	CHECK_TEST(wide_pool_resolves_a_name_once),
	CHECK_TEST(wide_pool_opens_one_connection_for_one_call_at_a_time),
	CHECK_TEST(pool_is_widened_and_narrowed_in_mid_flight),
	CHECK_TEST(calls_on_used_connections_hardly_change_the_epoll_set),
	CHECK_TEST(closed_connection_is_news_once_and_is_not_used),
	CHECK_TEST(closed_connections_of_a_burst_are_let_go),
	CHECK_TEST(connections_that_may_be_closed_are_not_counted_on),
	CHECK_TEST(unknown_name_is_a_resolve_failure_and_opens_no_ramp),
	CHECK_TEST(proxy_of_the_environment_is_ignored),
	CHECK_TEST(cancelled_call_gives_no_reply),
	CHECK_TEST(reply_stays_valid_while_others_run),
	CHECK_TEST(limit_can_change_while_calls_run),
	CHECK_TEST(descriptor_limit_is_raised_or_respected),
	CHECK_TEST(signal_mask_is_restored_after_each_call),
	CHECK_TEST(files_and_memory_stay_flat_over_20000_calls)
};

/* The pool of 1000 is real, even where the limits are pretended. */
static void
raise_own_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max < 2200)
		die("needs a hard limit of 2200 open files");
	limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("setrlimit");
}

int
main(int argc, char **argv)
{
	char		beside[4096];
	char		directory[4000];
	const char *program = getenv("FAKE_MODEL");
	int			result;

	(void) argc;
	signal(SIGPIPE, SIG_IGN);
	raise_own_file_limit();
	snprintf(directory, sizeof(directory), "%s", argv[0]);
	snprintf(beside, sizeof(beside), "%s/fake_model", dirname(directory));
	start_server(program != NULL ? program : beside);
	result = check_run_all(tests);
	stop_server();
	return result;
}
