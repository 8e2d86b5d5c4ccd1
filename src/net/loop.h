/*
 * loop.h
 *	  libcurl multi handles, the lanes, behind one epoll descriptor.
 *
 * More than one, because libcurl goes through the list of a handle's connections when a call starts and again when it
 * ends: a thousand of them cost as much as all else that it does for a call.
 *
 * Private to src/net.  What opens, widens, runs or closes a loop calls libcurl, so the caller has blocked all signals
 * (pool.h says why).  A Loop must not move: libcurl keeps its address.
 */
#ifndef TRIAGE_NET_LOOP_H
#define TRIAGE_NET_LOOP_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#define LOOP_MAX_LANES 16

/* Of a lane: what the calls' callbacks count, so that the pool can ramp. */
typedef struct ConnectionCounts
{
	int			open;			/* sockets libcurl holds */
	int			unconnected;	/* calls in the air that have neither opened a socket nor got a used connection */
	bool		resolved;		/* a name has led to an address at least once */
} ConnectionCounts;

typedef struct Lane
{
	struct Loop *loop;
	CURLM	   *multi;
	int64_t		deadline_us;	/* libcurl's timer; negative: none */
	ConnectionCounts counts;
} Lane;

/* A connection's socket, as epoll knows it. */
typedef struct Watch
{
	Lane	   *lane;			/* whose it is; NULL: closed */
	bool		resting;		/* libcurl has no call on it */
	uint32_t	events;			/* 0: not in epoll */
} Watch;

typedef struct Loop
{
	int			epoll_fd;
	Watch	   *watches;		/* by descriptor */
	int			watch_count;
	CURLSH	   *share;			/* the names that one lane has resolved are known to all */
	int			lane_count;
	Lane		lanes[LOOP_MAX_LANES];
} Loop;

/* Microseconds of a clock that only goes forward. */
extern int64_t loop_now_us(void);
/* With one lane. */
extern bool loop_open(Loop *loop, const char **why);
/* No fewer lanes than this, as far as memory goes. */
extern void loop_widen(Loop *loop, int lanes);
extern void loop_close(Loop *loop);
/* Of a connection, by libcurl's callbacks. */
extern void loop_opened(Lane *lane, int fd);
extern void loop_closed(Lane *lane, int fd);
/* Milliseconds until libcurl's timer; -1: none. */
extern long loop_timeout_ms(const Loop *loop);
/* Lets libcurl do what can be done now; sockets: how many it holds. */
extern void loop_run(Loop *loop, int sockets);

#endif
