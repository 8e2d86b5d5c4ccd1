/*
 * loop.h
 *	  A libcurl multi handle behind one epoll descriptor.
 *
 * Private to src/net: only pool.c includes it.  All but loop_timeout_ms() call libcurl, so the caller has blocked all
 * signals (pool.h says why).  A Loop must not move: libcurl keeps its address.
 */
#ifndef TRIAGE_NET_LOOP_H
#define TRIAGE_NET_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Loop
{
	CURLM	   *multi;
	int			epoll_fd;
	int64_t		deadline_us;	/* libcurl's timer; negative: none */
} Loop;

extern bool loop_open(Loop *loop, const char **why);
extern void loop_close(Loop *loop);
/* Milliseconds until libcurl's timer; -1: none. */
extern long loop_timeout_ms(const Loop *loop);
/* Lets libcurl do what can be done now; sockets: how many it holds. */
extern void loop_run(Loop *loop, int sockets);

#endif
