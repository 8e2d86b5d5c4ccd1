/*
 * pool.c
 *	  N HTTP calls in the air: which are running, finished, lent out or idle, and how many more may start.
 *
 * Decides the ramp and the limits.  When libcurl runs is loop.c's business, what a call looks like transfer.c's.
 *
 * Every function that enters libcurl does so between block_signals() and restore_signals().
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "net/loop.h"
#include "net/transfer.h"

#define POOL_MAX_IN_FLIGHT 4096
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

struct Pool
{
	PoolConfig	config;
	Loop		loop;
	int			max_in_flight;
	int			transfers;		/* handles that exist */
	int			fresh;			/* calls started since the last step */
	ConnectionCounts counts;
	TransferList in_flight;
	TransferList finished;
	TransferList borrowed;
	TransferList idle;
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

/*
 * Makes room for one descriptor a call on top of what the server counts on.  Where the hard limit is lower, fewer
 * calls fit: running out would fail the server's own files.
 */
static int
raise_file_limit(int max_in_flight)
{
	struct rlimit limit;
	rlim_t		wanted = (rlim_t) max_in_flight + POOL_FILES_WANTED;

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
	return limit.rlim_cur > POOL_FILES_RESERVED + 1 ? (int) limit.rlim_cur - POOL_FILES_RESERVED : 1;
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
	/* or libcurl closes connections that are about to be used again */
	curl_multi_setopt(pool->loop.multi, CURLMOPT_MAXCONNECTS, (long) pool->max_in_flight);
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

int
pool_room(const Pool *pool)
{
	int			free_slots = pool->max_in_flight - pool_in_flight(pool);
	int			unused;
	int			may_open;
	int			room;

	if (free_slots <= 0)
		return 0;
	/* nobody knows yet whether the resolver answers: find out with one thread, not with N */
	if (!pool->counts.resolved)
		return pool->in_flight.count == 0 ? 1 : 0;

	/* connections that no call held when the last step ended; with HTTP/2 calls outnumber connections */
	unused = pool->counts.open - (pool->in_flight.count - pool->counts.unconnected);
	if (unused < 0)
		unused = 0;
	may_open = POOL_NEW_PER_STEP - pool->fresh;
	if (may_open > POOL_MAX_UNCONNECTED - pool->counts.unconnected)
		may_open = POOL_MAX_UNCONNECTED - pool->counts.unconnected;
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

/* Under blocked signals. */
static Transfer *
take_idle(Pool *pool)
{
	Transfer   *transfer = pool->idle.tail;

	if (transfer != NULL)
	{
		list_remove(&pool->idle, transfer);
		return transfer;
	}
	transfer = transfer_new(&pool->config, &pool->counts);
	if (transfer != NULL)
		pool->transfers++;
	return transfer;
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
	list_add(&pool->idle, transfer);
}

/* Under blocked signals. */
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
	code = curl_multi_add_handle(pool->loop.multi, transfer->easy);
	if (code != CURLM_OK)
	{
		*why = curl_multi_strerror(code);
		give_back(pool, transfer);
		return false;
	}
	transfer->state = TRANSFER_IN_FLIGHT;
	list_add(&pool->in_flight, transfer);
	pool->fresh++;
	return true;
}

bool
pool_start(Pool *pool, PoolRequest *request, const char **why)
{
	sigset_t	saved;
	bool		started = false;

	*why = "too many calls in flight";
	if (pool_in_flight(pool) < pool->max_in_flight)
	{
		block_signals(&saved);
		started = start_transfer(pool, request, why);
		restore_signals(&saved);
	}
	if (!started && request->body != NULL)
		buf_free(request->body);
	return started;
}

static void
harvest(Pool *pool)
{
	CURLMsg    *message;
	int			left;

	while ((message = curl_multi_info_read(pool->loop.multi, &left)) != NULL)
	{
		CURL	   *easy = message->easy_handle;
		CURLcode	code = message->data.result;
		Transfer   *transfer;

		if (message->msg != CURLMSG_DONE ||
			curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &transfer) != CURLE_OK)
			continue;
		/* the message is gone after this, and the request's memory may go */
		curl_multi_remove_handle(pool->loop.multi, easy);
		if (transfer_again(transfer, code) && curl_multi_add_handle(pool->loop.multi, easy) == CURLM_OK)
			continue;
		transfer_finish(transfer, code);
		list_remove(&pool->in_flight, transfer);
		transfer->state = TRANSFER_FINISHED;
		list_add(&pool->finished, transfer);
	}
}

int
pool_step(Pool *pool)
{
	sigset_t	saved;

	block_signals(&saved);
	loop_run(&pool->loop, pool->counts.open);
	harvest(pool);
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
		curl_multi_remove_handle(pool->loop.multi, transfer->easy);
		list_remove(&pool->in_flight, transfer);
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
		curl_multi_remove_handle(pool->loop.multi, transfer->easy);
	free_list(&pool->in_flight);
	free_list(&pool->finished);
	free_list(&pool->borrowed);
	free_list(&pool->idle);
	loop_close(&pool->loop);
	restore_signals(&saved);
	free(pool);
}
