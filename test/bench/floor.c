/*
 * floor.c
 *	  The least a worker could cost: N requests over libcurl's multi handle, each answer parsed, and no database.
 *
 * What the worker reaches is given as a ratio to this.  Same shape as the worker's loop (own epoll descriptor,
 * curl_multi_socket_action, reused handles) but nothing else: no limits, no guard, no ramp, no signals.  A reply is
 * parsed twice by json-c, the envelope and the answer inside it, as any reader of it must.
 *
 *	  cc -std=c11 -D_GNU_SOURCE -O2 -o floor floor.c -lcurl -ljson-c
 */
#include <curl/curl.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#define EVENTS 256

typedef struct Options
{
	const char *url;
	const char *body_file;
	long		requests;
	long		in_flight;
} Options;

typedef struct Call
{
	CURL	   *easy;
	char	   *data;
	size_t		len;
	size_t		size;
} Call;

typedef struct Floor
{
	CURLM	   *multi;
	int			epoll_fd;
	int64_t		deadline_us;	/* negative: none */
	json_tokener *tokener;
	struct curl_slist *headers;
	char	   *body;
	long		body_len;
	long		started;
	long		finished;
	long		failed;
} Floor;

static void
fail(const char *what)
{
	fprintf(stderr, "floor: %s\n", what);
	exit(1);
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t
cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (int64_t) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
		usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	Call	   *call = arg;
	size_t		len = size * count;

	if (call->len + len > call->size)
	{
		call->size = (call->len + len) * 2;
		call->data = realloc(call->data, call->size);
		if (call->data == NULL)
			return 0;
	}
	memcpy(call->data + call->len, data, len);
	call->len += len;
	return len;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	Floor	   *floor = arg;
	struct epoll_event event = {.data.fd = fd};

	(void) easy;
	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(floor->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	event.events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
	epoll_ctl(floor->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
	if (known == NULL)
		curl_multi_assign(floor->multi, fd, floor);
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	Floor	   *floor = arg;

	(void) multi;
	floor->deadline_us = timeout_ms < 0 ? -1 : now_us() + (int64_t) timeout_ms * 1000;
	return 0;
}

static void
read_body(Floor *floor, const char *path)
{
	FILE	   *file = fopen(path, "rb");

	if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (floor->body_len = ftell(file)) < 0)
		fail("could not read the body's file");
	rewind(file);
	floor->body = malloc((size_t) floor->body_len + 1);
	if (floor->body == NULL || fread(floor->body, 1, (size_t) floor->body_len, file) != (size_t) floor->body_len)
		fail("could not read the body's file");
	fclose(file);
}

static void
prepare(Floor *floor, Call *call, const Options *options)
{
	CURL	   *easy = call->easy = curl_easy_init();

	if (easy == NULL)
		fail("out of memory");
	curl_easy_setopt(easy, CURLOPT_URL, options->url);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, floor->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, floor->body_len);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, floor->body);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, call);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, call);
}

static void
start(Floor *floor, Call *call)
{
	call->len = 0;
	floor->started++;
	if (curl_multi_add_handle(floor->multi, call->easy) != CURLM_OK)
		fail("could not start a request");
}

static json_object *
parse(Floor *floor, const char *text, size_t len)
{
	json_object *object;

	json_tokener_reset(floor->tokener);
	object = json_tokener_parse_ex(floor->tokener, text, (int) len);
	return object;
}

/* True when the reply holds a message whose content is a JSON object. */
static bool
read_answer(Floor *floor, const Call *call)
{
	json_object *reply = parse(floor, call->data, call->len);
	json_object *choices;
	json_object *message;
	json_object *content;
	json_object *answer = NULL;

	if (json_object_object_get_ex(reply, "choices", &choices) && json_object_array_length(choices) > 0 &&
		json_object_object_get_ex(json_object_array_get_idx(choices, 0), "message", &message) &&
		json_object_object_get_ex(message, "content", &content))
		answer = parse(floor, json_object_get_string(content), (size_t) json_object_get_string_len(content));

	json_object_put(reply);
	if (answer == NULL)
		return false;
	json_object_put(answer);
	return true;
}

static void
harvest(Floor *floor, const Options *options)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(floor->multi, &left)) != NULL)
	{
		CURLcode	code = message->data.result;
		Call	   *call;
		long		status = 0;

		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &call);
		curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
		curl_multi_remove_handle(floor->multi, call->easy);
		floor->finished++;
		if (code != CURLE_OK || status != 200 || !read_answer(floor, call))
			floor->failed++;
		if (floor->started < options->requests)
			start(floor, call);
	}
}

static void
step(Floor *floor)
{
	struct epoll_event events[EVENTS];
	int			running;
	int			timeout = -1;
	int			ready;

	if (floor->deadline_us >= 0)
	{
		int64_t		left = floor->deadline_us - now_us();

		timeout = left <= 0 ? 0 : (int) ((left + 999) / 1000);
	}
	do
	{
		ready = epoll_wait(floor->epoll_fd, events, EVENTS, timeout);
		timeout = 0;
		for (int i = 0; i < ready; i++)
		{
			int			action = (events[i].events & EPOLLIN ? CURL_CSELECT_IN : 0) |
				(events[i].events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
				(events[i].events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

			curl_multi_socket_action(floor->multi, events[i].data.fd, action, &running);
		}
	} while (ready == EVENTS);
	if (floor->deadline_us >= 0 && floor->deadline_us <= now_us())
	{
		floor->deadline_us = -1;
		curl_multi_socket_action(floor->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

static void
run(Floor *floor, const Options *options)
{
	Call	   *calls = calloc((size_t) options->in_flight, sizeof(Call));
	int64_t		began;
	int64_t		cpu;
	double		seconds;

	if (calls == NULL)
		fail("out of memory");
	for (long i = 0; i < options->in_flight; i++)
		prepare(floor, &calls[i], options);
	began = now_us();
	cpu = cpu_us();
	for (long i = 0; i < options->in_flight && floor->started < options->requests; i++)
		start(floor, &calls[i]);
	while (floor->finished < options->requests)
	{
		step(floor);
		harvest(floor, options);
	}
	cpu = cpu_us() - cpu;
	seconds = (double) (now_us() - began) / 1e6;
	for (long i = 0; i < options->in_flight; i++)
	{
		curl_easy_cleanup(calls[i].easy);
		free(calls[i].data);
	}
	free(calls);
	if (floor->failed > 0)
	{
		fprintf(stderr, "floor: %ld of %ld requests failed\n", floor->failed, options->requests);
		exit(1);
	}
	printf("requests=%ld in_flight=%ld seconds=%.3f per_second=%.0f cpu_us_per_request=%.1f\n",
		   options->requests, options->in_flight, seconds, (double) options->requests / seconds,
		   (double) cpu / (double) options->requests);
}

static void
read_options(int argc, char **argv, Options *options)
{
	for (int i = 1; i + 1 < argc; i += 2)
	{
		if (strcmp(argv[i], "--url") == 0)
			options->url = argv[i + 1];
		else if (strcmp(argv[i], "--body") == 0)
			options->body_file = argv[i + 1];
		else if (strcmp(argv[i], "--requests") == 0)
			options->requests = atol(argv[i + 1]);
		else if (strcmp(argv[i], "--in-flight") == 0)
			options->in_flight = atol(argv[i + 1]);
		else
			options->url = NULL, argc = 0;
	}
	if (options->url != NULL && options->body_file != NULL && options->requests > 0 && options->in_flight > 0)
		return;
	fputs("usage: floor --url URL --body FILE --requests N --in-flight C\n", stderr);
	exit(2);
}

static void
raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

int
main(int argc, char **argv)
{
	Options		options = {0};
	Floor		floor = {.deadline_us = -1};

	read_options(argc, argv, &options);
	raise_file_limit();
	read_body(&floor, options.body_file);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	floor.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	floor.multi = curl_multi_init();
	floor.tokener = json_tokener_new();
	floor.headers = curl_slist_append(curl_slist_append(NULL, "Content-Type: application/json"), "Expect:");
	if (floor.epoll_fd < 0 || floor.multi == NULL || floor.tokener == NULL || floor.headers == NULL)
		fail("could not start");
	curl_multi_setopt(floor.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(floor.multi, CURLMOPT_SOCKETDATA, &floor);
	curl_multi_setopt(floor.multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(floor.multi, CURLMOPT_TIMERDATA, &floor);
	curl_multi_setopt(floor.multi, CURLMOPT_MAXCONNECTS, options.in_flight);

	run(&floor, &options);

	curl_multi_cleanup(floor.multi);
	curl_slist_free_all(floor.headers);
	json_tokener_free(floor.tokener);
	free(floor.body);
	curl_global_cleanup();
	return 0;
}
