/*
 * loop.c
 *	  A libcurl multi handle behind one epoll descriptor.
 *
 * Decides when libcurl is called: for the sockets that are ready and the timer that is due.  Does not know what a
 * call is, who started it, or what becomes of it.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"

/* Sockets taken out of epoll in one call. */
#define LOOP_EVENTS 256

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * Callbacks: called by libcurl, see the rule in transfer.c.  A socket that epoll does not take (out of memory, or over
 * the user's limit on watches) is left alone: its call ends by its time-out.  Failing here would kill the whole multi
 * handle instead.
 */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	Loop	   *loop = arg;
	struct epoll_event event = {.data.fd = fd};

	(void) easy;
	if (what == CURL_POLL_REMOVE)
	{
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
		return 0;
	}
	if (what & CURL_POLL_IN)
		event.events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		event.events |= EPOLLOUT;
	if (epoll_ctl(loop->epoll_fd, known != NULL ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0)
	{
		if (known == NULL)
			curl_multi_assign(loop->multi, fd, loop);
	}
	/* the number was closed and given out again without our hearing of it, or the other way round */
	else if (errno == ENOENT)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event);
	else if (errno == EEXIST)
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event);
	return 0;
}

static int
on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	Loop	   *loop = arg;

	(void) multi;
	loop->deadline_us = timeout_ms < 0 ? -1 : now_us() + (int64_t) timeout_ms * 1000;
	return 0;
}

static bool
create_multi(Loop *loop, const char **why)
{
	CURLcode	code = curl_global_init(CURL_GLOBAL_DEFAULT);
	CURLM	   *multi;

	if (code != CURLE_OK)
	{
		*why = curl_easy_strerror(code);
		return false;
	}
	multi = loop->multi = curl_multi_init();
	if (multi == NULL ||
		curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, loop) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
		curl_multi_setopt(multi, CURLMOPT_TIMERDATA, loop) != CURLM_OK)
	{
		*why = "could not create libcurl multi handle";
		curl_multi_cleanup(multi);
		curl_global_cleanup();
		return false;
	}
	return true;
}

bool
loop_open(Loop *loop, const char **why)
{
	loop->deadline_us = -1;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
	{
		*why = "could not create epoll descriptor";
		return false;
	}
	if (create_multi(loop, why))
		return true;
	close(loop->epoll_fd);
	return false;
}

void
loop_close(Loop *loop)
{
	curl_multi_cleanup(loop->multi);
	curl_global_cleanup();
	close(loop->epoll_fd);
}

long
loop_timeout_ms(const Loop *loop)
{
	int64_t		left;

	if (loop->deadline_us < 0)
		return -1;
	left = loop->deadline_us - now_us();
	return left <= 0 ? 0 : (long) ((left + 999) / 1000);
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
		{
			int			running;
			int			action = 0;

			if (events[i].events & EPOLLIN)
				action |= CURL_CSELECT_IN;
			if (events[i].events & EPOLLOUT)
				action |= CURL_CSELECT_OUT;
			if (events[i].events & (EPOLLERR | EPOLLHUP))
				action |= CURL_CSELECT_ERR;
			curl_multi_socket_action(loop->multi, events[i].data.fd, action, &running);
		}
	} while (ready == LOOP_EVENTS && --rounds > 0);
}

static void
run_timer(Loop *loop)
{
	int			running;

	if (loop->deadline_us < 0 || loop->deadline_us > now_us())
		return;
	/* libcurl sets the next one while it runs */
	loop->deadline_us = -1;
	curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

void
loop_run(Loop *loop, int sockets)
{
	run_sockets(loop, sockets);
	run_timer(loop);
}
