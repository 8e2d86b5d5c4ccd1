/*
 * pool.h
 *	  N HTTP calls in the air on libcurl multi handles.
 *
 * Owns an epoll descriptor that holds libcurl's sockets: the caller waits for that one descriptor (level triggered)
 * together with whatever else it waits for, bounded by pool_timeout_ms(), then calls pool_step().  Knows nothing of
 * tickets, JSON or the server; malloc only; never raises.  Every call into libcurl that may start a thread runs with
 * all signals blocked, because its resolver threads inherit the mask and must not run the server's handlers.
 */
#ifndef TRIAGE_NET_POOL_H
#define TRIAGE_NET_POOL_H

#include <stdint.h>

#include "core/buf.h"
#include "core/classify.h"

typedef struct Pool Pool;

typedef struct PoolConfig
{
	int			max_in_flight;	/* 1..4096 */
	size_t		max_body;		/* cap on a response body, bytes */
	long		connect_timeout_ms;
} PoolConfig;

typedef enum PoolMethod
{
	POOL_POST,
	POOL_GET					/* without a body; a compressed answer is unpacked, and the cap is on what comes out */
} PoolMethod;

typedef struct PoolRequest
{
	PoolMethod	method;
	const char *url;			/* copied */
	const char *user;			/* NULL: the secret is a bearer token; else Basic authorization, user and secret */
	const char *secret;			/* or NULL; copied, wiped after use */
	Buf		   *body;			/* JSON, NULL for GET; its memory is taken over, the Buf is left empty */
	long		timeout_ms;		/* absolute: name resolution, connect, transfer */
	void	   *tag;			/* handed back with the reply */
} PoolRequest;

/* Borrowed until pool_done(). */
typedef struct PoolReply
{
	void	   *tag;
	CallReply	reply;			/* for classify_reply(); body NUL-terminated */
	char		request_id[201];	/* x-request-id or request-id; "" when absent */
	int			latency_ms;
	int64_t		bytes_sent;		/* of the bodies; headers and TLS come on top */
	int64_t		bytes_received;
	void	   *transfer;		/* the pool's own */
} PoolReply;

/* NULL with a message in why (static or libcurl's) on failure.  Calls curl_global_init once per process. */
extern Pool *pool_create(const PoolConfig *config, const char **why);
extern void pool_set_max_in_flight(Pool *pool, int max_in_flight);
extern int	pool_fd(const Pool *pool);
extern int	pool_in_flight(const Pool *pool);
/*
 * How many calls may be started now.  Less than the free slots while connections are being opened: until the first
 * name is resolved one call, then at most a few dozen new ones a step, or N calls would open N connections (and start
 * N resolver threads) at once.
 */
extern int	pool_room(const Pool *pool);
/* Milliseconds until pool_step() must be called even if the descriptor stays quiet; -1: no limit; 0: now. */
extern long pool_timeout_ms(const Pool *pool);
/* False: refused or out of memory, reason in why; the request's body is freed in any case. */
extern bool pool_start(Pool *pool, PoolRequest *request, const char **why);
/* Moves everything that can move; returns the number of replies waiting. */
extern int	pool_step(Pool *pool);
/* Next finished call; false when there is none. */
extern bool pool_next(Pool *pool, PoolReply *reply);
/* Gives a reply's memory back. */
extern void pool_done(Pool *pool, PoolReply *reply);
/* Ends the call that carries tag, without a reply; false when it is not in the air. */
extern bool pool_cancel(Pool *pool, void *tag);
/* For tests and tools.  The worker does not call it at exit: it would wait for hung resolver threads. */
extern void pool_destroy(Pool *pool);

#endif
