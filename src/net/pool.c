/*
 * pool.c
 *	  N HTTP calls in the air: which are running, finished, lent out or idle, and how many more may start.
 *
 * Decides the ramp and the limits, and which lane a call takes.  When libcurl runs is loop.c's business, what a call
 * looks like transfer.c's.
 *
 * What lets libcurl work on calls, or makes or frees a handle, stands between block_signals() and restore_signals();
 * setting a handle's options and adding it to a multi handle start no thread.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "net/loop.h"
#include "net/transfer.h"

#define POOL_MAX_IN_FLIGHT 4096
/*
 * Calls in a lane.  libcurl looks at each connection of a lane when one of its calls starts and ends; but each lane has
 * connections of its own and parses the certificates for itself (20 ms, 0.9 MB).
 */
#define POOL_LANE_CALLS 256
_Static_assert(LOOP_MAX_LANES * POOL_LANE_CALLS >= POOL_MAX_IN_FLIGHT, "too few lanes");
/* For how long what libcurl saw of a lane's connections counts. */
#define POOL_SEEN_US 2000000
/* Descriptors of a lane's own, by which libcurl can be woken. */
#define POOL_LANE_FILES 2
/* New connections a step, once a name has been resolved. */
#define POOL_NEW_PER_STEP 32
/* Calls without a connection at any time: each may hold one of libcurl's resolver threads. */
#define POOL_MAX_UNCONNECTED 64
/* Descriptors for everybody else in the process: what the server thinks it may open, and what it needs at least. */
#define POOL_FILES_WANTED 1100
#define POOL_FILES_RESERVED 128

typedef struct TransferList
{
	Transfer   *head;
	Transfer   *tail;
	int			count;
} TransferList;

/* What stays in a lane: a handle returns to the one that it was made for. */
typedef struct LaneCalls
{
	const ConnectionCounts *connections;
	int			in_flight;
	bool		entered;		/* a call has started there since the last step */
	int64_t		seen_us;		/* when libcurl last looked at its connections */
	TransferList idle;
} LaneCalls;

struct Pool
{
	PoolConfig	config;
	Loop		loop;
	int			max_in_flight;
	int			lane_max;		/* of them, in one lane */
	int			transfers;		/* handles that exist */
	int			fresh;			/* calls started since the last step */
	LaneCalls	lanes[LOOP_MAX_LANES];
	TransferList in_flight;
	TransferList finished;
	TransferList borrowed;
};

static void
list_add(TransferList *list, Transfer *transfer)
{
	transfer->prev = list->tail;
	transfer->next = NULL;
	if (list->tail != NULL)
		list->tail->next = transfer;
	else
		list->head = transfer;
	list->tail = transfer;
	list->count++;
}

static void
list_remove(TransferList *list, Transfer *transfer)
{
	if (transfer->prev != NULL)
		transfer->prev->next = transfer->next;
	else
		list->head = transfer->next;
	if (transfer->next != NULL)
		transfer->next->prev = transfer->prev;
	else
		list->tail = transfer->prev;
	list->count--;
}

static Transfer *
list_find(const TransferList *list, const void *tag)
{
	for (Transfer *transfer = list->head; transfer != NULL; transfer = transfer->next)
	{
		if (transfer->tag == tag)
			return transfer;
	}
	return NULL;
}

static void
block_signals(sigset_t *saved)
{
	sigset_t	all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, saved);
}

static void
restore_signals(const sigset_t *saved)
{
	pthread_sigmask(SIG_SETMASK, saved, NULL);
}

static int
divide_up(int number, int by)
{
	return (number + by - 1) / by;
}

/*
 * Makes room for one descriptor a call, and the lanes' own, on top of what the server counts on.  Where the hard limit
 * is lower, fewer calls fit: running out would fail the server's own files.
 */
static int
raise_file_limit(int max_in_flight)
{
	struct rlimit limit;
	int			lanes = divide_up(max_in_flight, POOL_LANE_CALLS);
	rlim_t		wanted = (rlim_t) max_in_flight + (rlim_t) lanes * POOL_LANE_FILES + POOL_FILES_WANTED;
	long		left;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return max_in_flight;
	if (limit.rlim_cur < wanted)
	{
		rlim_t		before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			limit.rlim_cur = before;
	}
	if (limit.rlim_cur >= wanted)
		return max_in_flight;
	left = (long) limit.rlim_cur - POOL_FILES_RESERVED;
	left -= divide_up((int) left, POOL_LANE_CALLS) * POOL_LANE_FILES;
	return left > 1 ? (int) left : 1;
}

/* Under blocked signals. */
static void
apply_max_in_flight(Pool *pool, int max_in_flight)
{
	int			files;

	if (max_in_flight < 1)
		max_in_flight = 1;
	if (max_in_flight > POOL_MAX_IN_FLIGHT)
		max_in_flight = POOL_MAX_IN_FLIGHT;
	files = raise_file_limit(max_in_flight);
	pool->max_in_flight = max_in_flight < files ? max_in_flight : files;
	loop_widen(&pool->loop, divide_up(pool->max_in_flight, POOL_LANE_CALLS));
	pool->lane_max = divide_up(pool->max_in_flight, pool->loop.lane_count);
	/* or libcurl closes connections that are about to be used again */
	for (int i = 0; i < pool->loop.lane_count; i++)
	{
		curl_multi_setopt(pool->loop.lanes[i].multi, CURLMOPT_MAXCONNECTS, (long) pool->lane_max);
		pool->lanes[i].connections = &pool->loop.lanes[i].counts;
	}
}

Pool *
pool_create(const PoolConfig *config, const char **why)
{
	Pool	   *pool = calloc(1, sizeof(Pool));
	sigset_t	saved;
	bool		created;

	*why = "out of memory";
	if (pool == NULL)
		return NULL;
	pool->config = *config;
	/* libcurl would write the TLS session keys to the file that this names */
	unsetenv("SSLKEYLOGFILE");
	block_signals(&saved);
	created = loop_open(&pool->loop, why);
	if (created)
		apply_max_in_flight(pool, config->max_in_flight);
	restore_signals(&saved);
	if (created)
		return pool;
	free(pool);
	return NULL;
}

void
pool_set_max_in_flight(Pool *pool, int max_in_flight)
{
	sigset_t	saved;

	block_signals(&saved);
	apply_max_in_flight(pool, max_in_flight);
	restore_signals(&saved);
}

int
pool_fd(const Pool *pool)
{
	return pool->loop.epoll_fd;
}

int
pool_in_flight(const Pool *pool)
{
	return pool->in_flight.count + pool->finished.count;
}

/* Connections that no call held when the last step ended; with HTTP/2 calls outnumber connections. */
static int
unused_connections(const LaneCalls *lane)
{
	int			unused = lane->connections->open - (lane->in_flight - lane->connections->unconnected);

	return unused > 0 ? unused : 0;
}

/* They may have been closed at the other end, which libcurl finds out when a call starts in their lane. */
static bool
is_stale(const LaneCalls *lane, int64_t now_us)
{
	return now_us - lane->seen_us > POOL_SEEN_US;
}

int
pool_room(const Pool *pool)
{
	int			free_slots = pool->max_in_flight - pool_in_flight(pool);
	int64_t		now_us = loop_now_us();
	bool		resolved = false;
	int			unconnected = 0;
	int			unused = 0;
	int			may_open;
	int			room;

	if (free_slots <= 0)
		return 0;
	for (int i = 0; i < pool->loop.lane_count; i++)
	{
		const LaneCalls *lane = &pool->lanes[i];

		resolved = resolved || lane->connections->resolved;
		unconnected += lane->connections->unconnected;
		if (!is_stale(lane, now_us))
			unused += unused_connections(lane);
	}
	/* nobody knows yet whether the resolver answers: find out with one thread, not with N */
	if (!resolved)
		return pool->in_flight.count == 0 ? 1 : 0;

	may_open = POOL_NEW_PER_STEP - pool->fresh;
	if (may_open > POOL_MAX_UNCONNECTED - unconnected)
		may_open = POOL_MAX_UNCONNECTED - unconnected;
	room = unused + may_open;
	if (room < 0)
		return 0;
	return room < free_slots ? room : free_slots;
}

long
pool_timeout_ms(const Pool *pool)
{
	return pool->finished.count > 0 ? 0 : loop_timeout_ms(&pool->loop);
}

/* A lane whose connections are to be seen to, or -1. */
static int
stale_lane(const Pool *pool, int64_t now_us)
{
	for (int i = 0; i < pool->loop.lane_count; i++)
	{
		const LaneCalls *lane = &pool->lanes[i];

		if (unused_connections(lane) > 0 && is_stale(lane, now_us) && !lane->entered && lane->in_flight < pool->lane_max)
			return i;
	}
	return -1;
}

/*
 * The first that has a connection to use again, and a handle if possible, because the same ones then serve again and
 * again, and are found in the processor's caches; else one whose connections carry more than one call each (HTTP/2); else
 * the one with the fewest calls.
 */
static int
choose_lane(const Pool *pool)
{
	int64_t		now_us = loop_now_us();
	int			stale = stale_lane(pool, now_us);
	int			connected = -1;
	int			shared = -1;
	int			emptiest = 0;

	for (int i = 0; i < pool->loop.lane_count && stale < 0; i++)
	{
		const LaneCalls *lane = &pool->lanes[i];

		if (lane->in_flight < pool->lanes[emptiest].in_flight)
			emptiest = i;
		if (lane->in_flight >= pool->lane_max)
			continue;
		if (unused_connections(lane) > 0 && !is_stale(lane, now_us))
		{
			if (lane->idle.count > 0)
				return i;
			if (connected < 0)
				connected = i;
		}
		if (shared < 0 && lane->in_flight > lane->connections->open)
			shared = i;
	}
	return stale >= 0 ? stale : connected >= 0 ? connected : shared >= 0 ? shared : emptiest;
}

static Transfer *
take_idle(Pool *pool)
{
	int			number = choose_lane(pool);
	LaneCalls  *lane = &pool->lanes[number];
	Transfer   *transfer = lane->idle.tail;
	sigset_t	saved;

	if (transfer != NULL)
	{
		list_remove(&lane->idle, transfer);
		return transfer;
	}
	block_signals(&saved);
	transfer = transfer_new(&pool->config, &pool->loop.lanes[number]);
	restore_signals(&saved);
	if (transfer != NULL)
		pool->transfers++;
	return transfer;
}

static LaneCalls *
calls_of(Pool *pool, const Transfer *transfer)
{
	return &pool->lanes[transfer->lane - pool->loop.lanes];
}

static void
enter_air(Pool *pool, Transfer *transfer)
{
	LaneCalls  *lane = calls_of(pool, transfer);

	transfer->state = TRANSFER_IN_FLIGHT;
	list_add(&pool->in_flight, transfer);
	lane->in_flight++;
	lane->entered = true;
}

static void
leave_air(Pool *pool, Transfer *transfer)
{
	list_remove(&pool->in_flight, transfer);
	calls_of(pool, transfer)->in_flight--;
}

static void
give_back(Pool *pool, Transfer *transfer)
{
	sigset_t	saved;

	if (pool->transfers > pool->max_in_flight)
	{
		pool->transfers--;
		block_signals(&saved);
		transfer_free(transfer);
		restore_signals(&saved);
		return;
	}
	transfer_reset(transfer);
	transfer->state = TRANSFER_IDLE;
	list_add(&calls_of(pool, transfer)->idle, transfer);
}

static bool
start_transfer(Pool *pool, PoolRequest *request, const char **why)
{
	Transfer   *transfer = take_idle(pool);
	CURLMcode	code;

	if (transfer == NULL)
	{
		*why = "out of memory";
		return false;
	}
	if (!transfer_prepare(transfer, request, why))
	{
		give_back(pool, transfer);
		return false;
	}
	code = curl_multi_add_handle(transfer->lane->multi, transfer->easy);
	if (code != CURLM_OK)
	{
		*why = curl_multi_strerror(code);
		give_back(pool, transfer);
		return false;
	}
	enter_air(pool, transfer);
	pool->fresh++;
	return true;
}

bool
pool_start(Pool *pool, PoolRequest *request, const char **why)
{
	bool		started = false;

	*why = "too many calls in flight";
	if (pool_in_flight(pool) < pool->max_in_flight)
		started = start_transfer(pool, request, why);
	if (!started && request->body != NULL)
		buf_free(request->body);
	return started;
}

static void
harvest(Pool *pool, CURLM *multi)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(multi, &left)) != NULL)
	{
		CURL	   *easy = message->easy_handle;
		CURLcode	code = message->data.result;
		Transfer   *transfer;

		if (message->msg != CURLMSG_DONE ||
			curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &transfer) != CURLE_OK)
			continue;
		/* the message is gone after this, and the request's memory may go */
		curl_multi_remove_handle(multi, easy);
		if (transfer_again(transfer, code) && curl_multi_add_handle(multi, easy) == CURLM_OK)
			continue;
		transfer_finish(transfer, code);
		leave_air(pool, transfer);
		transfer->state = TRANSFER_FINISHED;
		list_add(&pool->finished, transfer);
	}
}

/* The calls that had been started are on their way: before, libcurl has thrown away what was closed. */
static void
note_seen(LaneCalls *lane)
{
	if (lane->entered)
		lane->seen_us = loop_now_us();
	lane->entered = false;
}

int
pool_step(Pool *pool)
{
	sigset_t	saved;
	int			open = 0;

	block_signals(&saved);
	for (int i = 0; i < pool->loop.lane_count; i++)
		open += pool->lanes[i].connections->open;
	loop_run(&pool->loop, open);
	for (int i = 0; i < pool->loop.lane_count; i++)
	{
		harvest(pool, pool->loop.lanes[i].multi);
		note_seen(&pool->lanes[i]);
	}
	restore_signals(&saved);
	pool->fresh = 0;
	return pool->finished.count;
}

bool
pool_next(Pool *pool, PoolReply *reply)
{
	Transfer   *transfer = pool->finished.head;

	if (transfer == NULL)
		return false;
	list_remove(&pool->finished, transfer);
	transfer->state = TRANSFER_BORROWED;
	list_add(&pool->borrowed, transfer);
	transfer_reply(transfer, reply);
	return true;
}

void
pool_done(Pool *pool, PoolReply *reply)
{
	Transfer   *transfer = reply->transfer;

	if (transfer == NULL || transfer->state != TRANSFER_BORROWED)
		return;
	list_remove(&pool->borrowed, transfer);
	give_back(pool, transfer);
	memset(reply, 0, sizeof(*reply));
}

bool
pool_cancel(Pool *pool, void *tag)
{
	Transfer   *transfer = list_find(&pool->in_flight, tag);
	sigset_t	saved;

	block_signals(&saved);
	if (transfer != NULL)
	{
		curl_multi_remove_handle(transfer->lane->multi, transfer->easy);
		leave_air(pool, transfer);
		give_back(pool, transfer);
	}
	else if ((transfer = list_find(&pool->finished, tag)) != NULL)
	{
		list_remove(&pool->finished, transfer);
		give_back(pool, transfer);
	}
	restore_signals(&saved);
	return transfer != NULL;
}

static void
free_list(TransferList *list)
{
	while (list->head != NULL)
	{
		Transfer   *transfer = list->head;

		list_remove(list, transfer);
		transfer_free(transfer);
	}
}

void
pool_destroy(Pool *pool)
{
	sigset_t	saved;

	if (pool == NULL)
		return;
	block_signals(&saved);
	for (Transfer *transfer = pool->in_flight.head; transfer != NULL; transfer = transfer->next)
		curl_multi_remove_handle(transfer->lane->multi, transfer->easy);
	free_list(&pool->in_flight);
	free_list(&pool->finished);
	free_list(&pool->borrowed);
	for (int i = 0; i < pool->loop.lane_count; i++)
		free_list(&pool->lanes[i].idle);
	loop_close(&pool->loop);
	restore_signals(&saved);
	free(pool);
}
