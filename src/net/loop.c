/*
 * loop.c
 *	  libcurl multi handles, the lanes, behind one epoll descriptor.
 *
 * Decides when libcurl is called: for the sockets that are ready and the timer that is due.  Does not know what a
 * call is, who started it, or what becomes of it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"

/* Sockets taken out of epoll in one call. */
#define LOOP_EVENTS 256

int64_t
loop_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* An event says which socket, and in whose hands it is. */
static uint64_t
mark(const Lane *lane, int fd)
{
	return (uint64_t) (lane - lane->loop->lanes) << 32 | (uint32_t) fd;
}

/* NULL: not a connection's, or there was no memory to watch it. */
static Watch *
find_watch(const Loop *loop, int fd)
{
	return fd < loop->watch_count && loop->watches[fd].lane != NULL ? &loop->watches[fd] : NULL;
}

void
loop_opened(Lane *lane, int fd)
{
	Loop	   *loop = lane->loop;

	if (fd >= loop->watch_count)
	{
		int			count = 2 * fd + 1;
		Watch	   *watches = realloc(loop->watches, count * sizeof(Watch));

		if (watches == NULL)
			return;
		memset(watches + loop->watch_count, 0, (count - loop->watch_count) * sizeof(Watch));
		loop->watches = watches;
		loop->watch_count = count;
	}
	loop->watches[fd] = (Watch) {.lane = lane};
}

void
loop_closed(Lane *lane, int fd)
{
	Watch	   *watch = find_watch(lane->loop, fd);

	if (watch != NULL && watch->lane == lane)
		watch->lane = NULL;
}

static bool
watch_socket(const Lane *lane, int fd, uint32_t events, bool known)
{
	int			epoll_fd = lane->loop->epoll_fd;
	struct epoll_event event = {.data.u64 = mark(lane, fd),.events = events};

	if (epoll_ctl(epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
		return true;
	/* the number was closed and given out again without our hearing of it, or the other way round */
	if (errno == ENOENT)
		return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
	return errno == EEXIST && epoll_ctl(epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0;
}

static void
leave_socket(const Loop *loop, int fd)
{
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/*
 * A connection is watched on between two calls, which mostly follow soon: so a call costs no change of the epoll set.
 * What it says meanwhile, its end above all, is for the next call to find out.
 */
static void
follow_connection(const Lane *lane, int fd, uint32_t events, Watch *watch)
{
	watch->resting = events == 0;
	if (events == watch->events || (events == 0 && watch->events == EPOLLIN))
		return;
	if (events == 0)
		leave_socket(lane->loop, fd);	/* one that may be written to has news all the time */
	else if (!watch_socket(lane, fd, events, watch->events != 0))
		events = 0;
	watch->events = events;
}

/*
 * Callbacks: called by libcurl, see the rule in transfer.c.  A socket that epoll does not take (out of memory, or over
 * the user's limit on watches) is left alone: its call ends by its time-out.  Failing here would kill the whole multi
 * handle instead.
 */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	Lane	   *lane = arg;
	Watch	   *watch = find_watch(lane->loop, fd);
	uint32_t	events = 0;

	(void) easy;
	/* the number has been given to another lane since: what is spoken of was closed */
	if (watch != NULL && watch->lane != lane)
		return 0;
	if (what != CURL_POLL_REMOVE)
		events = (what & CURL_POLL_IN ? (uint32_t) EPOLLIN : 0) | (what & CURL_POLL_OUT ? (uint32_t) EPOLLOUT : 0);
	if (watch != NULL)
		follow_connection(lane, fd, events, watch);
	else if (what == CURL_POLL_REMOVE)
		leave_socket(lane->loop, fd);
	else if (watch_socket(lane, fd, events, known != NULL) && known == NULL)
		curl_multi_assign(lane->multi, fd, lane);
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	Lane	   *lane = arg;

	(void) multi;
	lane->deadline_us = timeout_ms < 0 ? -1 : loop_now_us() + (int64_t) timeout_ms * 1000;
	return 0;
}

static bool
open_lane(Loop *loop)
{
	Lane	   *lane = &loop->lanes[loop->lane_count];
	CURLM	   *multi = curl_multi_init();

	if (multi == NULL ||
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, lane) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERDATA, lane) != CURLM_OK)
	{
		curl_multi_cleanup(multi);
		return false;
	}
	*lane = (Lane) {.loop = loop,.multi = multi,.deadline_us = -1};
	loop->lane_count++;
	return true;
}

void
loop_widen(Loop *loop, int lanes)
{
	while (loop->lane_count < lanes && loop->lane_count < LOOP_MAX_LANES && open_lane(loop))
		;
}

/* Without locks: one thread uses it, and the threads that resolve names do not. */
static bool
open_share(Loop *loop)
{
	loop->share = curl_share_init();
	return loop->share != NULL && curl_share_setopt(loop->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK;
}

bool
loop_open(Loop *loop, const char **why)
{
	CURLcode	code = curl_global_init(CURL_GLOBAL_DEFAULT);

	if (code != CURLE_OK)
	{
		*why = curl_easy_strerror(code);
		return false;
	}
	loop->lane_count = 0;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		*why = "could not create epoll descriptor";
	else if (!open_share(loop) || !open_lane(loop))
		*why = "could not create libcurl multi handle";
	else
		return true;
	loop_close(loop);
	return false;
}

void
loop_close(Loop *loop)
{
	for (int i = 0; i < loop->lane_count; i++)
		curl_multi_cleanup(loop->lanes[i].multi);
	curl_share_cleanup(loop->share);
	curl_global_cleanup();
	free(loop->watches);
	if (loop->epoll_fd >= 0)
		close(loop->epoll_fd);
}

/* The first of the lanes' timers; -1: none. */
static int64_t
next_deadline(const Loop *loop)
{
	int64_t		next = -1;

	for (int i = 0; i < loop->lane_count; i++)
	{
		int64_t		deadline = loop->lanes[i].deadline_us;

		if (deadline >= 0 && (next < 0 || deadline < next))
			next = deadline;
	}
	return next;
}

long
loop_timeout_ms(const Loop *loop)
{
	int64_t		deadline = next_deadline(loop);
	int64_t		left;

	if (deadline < 0)
		return -1;
	left = deadline - loop_now_us();
	return left <= 0 ? 0 : (long) ((left + 999) / 1000);
}

static void
run_socket(Loop *loop, const struct epoll_event *event)
{
	int			fd = (int) (uint32_t) event->data.u64;
	Watch	   *watch = find_watch(loop, fd);
	int			action = 0;
	int			running;

	if (watch != NULL && watch->resting)
	{
		leave_socket(loop, fd);
		watch->events = 0;
		return;
	}
	if (event->events & EPOLLIN)
		action |= CURL_CSELECT_IN;
	if (event->events & EPOLLOUT)
		action |= CURL_CSELECT_OUT;
	if (event->events & (EPOLLERR | EPOLLHUP))
		action |= CURL_CSELECT_ERR;
	curl_multi_socket_action(loop->lanes[event->data.u64 >> 32].multi, fd, action, &running);
}

/*
 * Sockets first, all of them: a timer that fires before a waiting answer is read would end the call.  Bounded, because
 * the descriptor is level triggered and a socket may be ready again at once.
 */
static void
run_sockets(Loop *loop, int sockets)
{
	struct epoll_event events[LOOP_EVENTS];
	int			rounds = 1 + sockets / LOOP_EVENTS;
	int			ready;

	do
	{
		ready = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS, 0);
		for (int i = 0; i < ready; i++)
			run_socket(loop, &events[i]);
	} while (ready == LOOP_EVENTS && --rounds > 0);
}

static void
run_timers(Loop *loop)
{
	int64_t		now = loop_now_us();

	for (int i = 0; i < loop->lane_count; i++)
	{
		Lane	   *lane = &loop->lanes[i];
		int			running;

		if (lane->deadline_us < 0 || lane->deadline_us > now)
			continue;
		/* libcurl sets the next one while it runs */
		lane->deadline_us = -1;
		curl_multi_socket_action(lane->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
}

void
loop_run(Loop *loop, int sockets)
{
	run_sockets(loop, sockets);
	run_timers(loop);
}
