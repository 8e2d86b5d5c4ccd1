/*
 * sync.c
 *	  Part of dispatch: copies tickets and comments from where they are kept, a page at a time.
 *
 * A call goes through three transactions that know nothing of each other's time: it is claimed, it is in the air while
 * none is open, and what came of it is written, a page with its cursor.  What is due is decided in SQL (sync_queue.c);
 * here only how much at once: a few calls, one page written a turn, after the answers of the AI's jobs.  The calls have a
 * pool of their own, since a page may be a hundred times the longest answer of a model, and a source that cannot be
 * reached must not hold up a provider's calls, nor the other way round.
 *
 * A stream whose key or right is refused rests; its key's file is watched here, as a provider's is.
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "core/origin.h"
#include "core/utf8.h"
#include "net/pool.h"
#include "pg/clock.h"
#include "pg/dispatch_state.h"
#include "pg/guc.h"
#include "pg/pause.h"
#include "pg/sync.h"
#include "pg/sync_queue.h"
#include "utils/memutils.h"

/* Calls at a time: comments come one request a ticket, 300 a minute by default, and a request takes some 300 ms. */
#define SYNC_CALLS 4
/*
 * Of a thousand tickets some 10 MB are usual.  Reading and storing a page takes up to fifteen times its size for as long; one
 * that is larger than this is asked for in parts.
 */
#define MAX_PAGE ((size_t) 32 * 1024 * 1024)
#define CONNECT_TIMEOUT_MS 5000
/* A wake-up is rarely sync's: between two looks that only it is the reason for. */
#define WAKE_PAUSE_MS 200
#define LONGEST_PAUSE_MS 60000
#define WATCH_MS 1000
/* Of the pages that are asked for in part, so many until more is asked for; more than this no page has. */
#define LIMITED_PAGES 32
#define LARGEST_PAGE 1000
/* Between a look that found nothing and the next, however soon that was said to be. */
#define EMPTY_PAUSE_MS 20
/* What a page of this size leaves in malloc's hands goes back to the system. */
#define TRIM_BYTES (1024 * 1024)

/* A key's file that a resting stream waits for. */
typedef struct Watched
{
	char	   *tenant_id;
	char	   *source;
	ZendeskStream stream;
	char	   *secret;
	SecretStamp stamp;
	struct Watched *next;
} Watched;

/* A source whose pages were too large, and how many tickets it is asked for now. */
typedef struct PageLimit
{
	char	   *tenant_id;
	char	   *source;
	int			page_size;
	int			pages;			/* that have fitted since it was set */
	struct PageLimit *next;
} PageLimit;

struct Sync
{
	Dispatch   *d;
	Pool	   *pool;			/* NULL until the first call */
	SyncCall   *calls[SYNC_CALLS];
	int			count;
	bool		look;			/* woken */
	TimestampTz next_look;
	TimestampTz next_early_look;	/* not before this, for a wake-up alone */
	TimestampTz paused_until;	/* after an error */
	int			pause_ms;
	bool		taken_over;
	Watched    *watched;
	TimestampTz next_watch;
	PageLimit  *limits;
	TimestampTz last_turn;		/* by the clock then */
};

Sync *
sync_create(Dispatch *d)
{
	Sync	   *sync = MemoryContextAllocZero(TopMemoryContext, sizeof(Sync));

	sync->d = d;
	sync->look = true;
	return sync;
}

int
sync_fd(const Sync *sync)
{
	return sync->pool ? pool_fd(sync->pool) : -1;
}

void
sync_wake(Sync *sync)
{
	sync->look = true;
}

bool
sync_is_idle(const Sync *sync)
{
	return sync->count == 0;
}

/* What malloc keeps of a large page would be this process' for good. */
static void
give_memory_back(int64 bytes)
{
#ifdef __GLIBC__
	if (bytes >= TRIM_BYTES)
		(void) malloc_trim(0);
#else
	(void) bytes;
#endif
}

static void
forget_call(Sync *sync, SyncCall *call)
{
	int64		bytes = (int64) call->result.page.len;
	int			i = 0;

	while (sync->calls[i] != call)
		i++;
	sync->calls[i] = sync->calls[--sync->count];
	sync_call_free(call);
	give_memory_back(bytes);
}

static bool
is_of(const SyncCall *call, const char *tenant_id, const char *source)
{
	return strcmp(call->tenant_id, tenant_id) == 0 && strcmp(call->source, source) == 0;
}

/* After an error: what is tried again at once would fail again. */
static void
pause_looking(Sync *sync, ErrorData *error, const char *what)
{
	dispatch_report(error, what);
	sync->pause_ms = sync->pause_ms == 0 ? ERROR_PAUSE_MS : Min(2 * sync->pause_ms, LONGEST_PAUSE_MS);
	sync->paused_until = in_ms(GetCurrentTimestamp(), sync->pause_ms);
}

static void
end_with(SyncCall *call, RunOutcome outcome, const char *reason)
{
	call->state = SYNC_LANDED;
	call->result.outcome = outcome;
	call->result.retry_after_ms = -1;
	buf_free(&call->result.page);
	strlcpy(call->result.reason, reason, sizeof(call->result.reason));
	call->result.reason[utf8_clip(reason, strlen(reason), sizeof(call->result.reason) - 1)] = '\0';
}

/* Watching ------------------------------------------------------------------------------------------------------ */

static Watched **
find_watched(Sync *sync, const SyncCall *call)
{
	Watched   **at = &sync->watched;

	while (*at && !((*at)->stream == call->ask.stream && is_of(call, (*at)->tenant_id, (*at)->source)))
		at = &(*at)->next;
	return at;
}

static void
forget_watched(Watched **at)
{
	Watched    *watched = *at;

	*at = watched->next;
	pfree(watched->tenant_id);
	pfree(watched->source);
	pfree(watched->secret);
	pfree(watched);
}

/* Before it is told that the stream rests: from now on the file may be the cure. */
static void
watch_file(Sync *sync, const SyncCall *call)
{
	Watched   **at = find_watched(sync, call);
	Watched    *watched;

	if (*at)
		forget_watched(at);
	watched = MemoryContextAllocZero(TopMemoryContext, sizeof(Watched));
	watched->tenant_id = MemoryContextStrdup(TopMemoryContext, call->tenant_id);
	watched->source = MemoryContextStrdup(TopMemoryContext, call->source);
	watched->secret = MemoryContextStrdup(TopMemoryContext, call->secret);
	watched->stream = call->ask.stream;
	watched->stamp = call->stamp;
	watched->next = sync->watched;
	sync->watched = watched;
	sync->next_watch = in_ms(GetCurrentTimestamp(), WATCH_MS);
}

static void
revive_work(Dispatch *d, void *arg)
{
	const Watched *watched = arg;

	(void) d;
	if (sync_queue_has_sources())
		sync_queue_revive(watched ? watched->tenant_id : NULL, watched ? watched->source : NULL);
}

static void
look_at_files(Sync *sync, TimestampTz now)
{
	Watched   **at = &sync->watched;

	if (sync->watched == NULL || now < sync->next_watch)
		return;
	sync->next_watch = in_ms(now, WATCH_MS);
	while (*at)
	{
		SecretStamp stamp;
		ErrorData  *error;

		secret_look(triage_secrets_directory, (*at)->secret, &stamp);
		if (memcmp(&stamp, &(*at)->stamp, sizeof(stamp)) == 0)
		{
			at = &(*at)->next;
			continue;
		}
		error = dispatch_transact(sync->d, revive_work, *at, true);
		if (error)
		{
			pause_looking(sync, error, "have a source tried with its new key");
			return;
		}
		forget_watched(at);
		sync->look = true;
	}
}

void
sync_reload(Sync *sync)
{
	ErrorData  *error = dispatch_transact(sync->d, revive_work, NULL, true);

	if (error)
		pause_looking(sync, error, "have sources tried with new settings");
	sync->look = true;
}

/* The size of a page ---------------------------------------------------------------------------------------------- */

static PageLimit **
find_limit(Sync *sync, const SyncCall *call)
{
	PageLimit **at = &sync->limits;

	while (*at && !is_of(call, (*at)->tenant_id, (*at)->source))
		at = &(*at)->next;
	return at;
}

static void
apply_limit(Sync *sync, SyncCall *call)
{
	PageLimit  *limit = *find_limit(sync, call);

	if (limit && call->ask.stream == ZENDESK_TICKETS)
		call->ask.page_size = Min(call->ask.page_size, limit->page_size);
}

static bool
is_divisible(const SyncCall *call)
{
	return call->ask.stream == ZENDESK_TICKETS && call->ask.page_size > 1;
}

/* What does not fit is asked for in halves. */
static void
ask_for_less(Sync *sync, SyncCall *call, const char *why)
{
	PageLimit **at = find_limit(sync, call);

	if (*at == NULL)
	{
		*at = MemoryContextAllocZero(TopMemoryContext, sizeof(PageLimit));
		(*at)->tenant_id = MemoryContextStrdup(TopMemoryContext, call->tenant_id);
		(*at)->source = MemoryContextStrdup(TopMemoryContext, call->source);
	}
	(*at)->page_size = call->ask.page_size / 2;
	(*at)->pages = 0;
	end_with(call, OUTCOME_TRANSIENT, psprintf("%s; instead of %d tickets the next page is asked for %d", why,
											   call->ask.page_size, (*at)->page_size));
}

/* It has fitted for a while: twice as much may do. */
static void
ask_for_more(Sync *sync, const SyncCall *call)
{
	PageLimit  *limit = *find_limit(sync, call);

	if (limit == NULL || call->ask.stream != ZENDESK_TICKETS || ++limit->pages < LIMITED_PAGES)
		return;
	limit->pages = 0;
	limit->page_size = Min(2 * limit->page_size, LARGEST_PAGE);
}

/* Calls ----------------------------------------------------------------------------------------------------------- */

static bool
have_pool(Sync *sync, const char **why)
{
	PoolConfig	config = {
		.max_in_flight = SYNC_CALLS,
		.max_body = MAX_PAGE,
		.connect_timeout_ms = CONNECT_TIMEOUT_MS
	};

	if (sync->pool == NULL)
		sync->pool = pool_create(&config, why);
	return sync->pool != NULL;
}

static bool
send_request(Sync *sync, SyncCall *call, const Buf *url, char *secret, char *why, size_t why_size)
{
	PoolRequest request = {
		.method = POOL_GET,
		.url = url->data,
		.user = call->user,
		.secret = secret,
		.timeout_ms = call->timeout_ms,
		.tag = call
	};
	const char *reason = "out of memory";
	bool		sent = have_pool(sync, &reason) && pool_start(sync->pool, &request, &reason);

	strlcpy(why, reason ? reason : "", why_size);
	return sent;
}

/* Every time anew: is this URL listed, and what is the key?  Requests are few, and a file that was replaced counts at once. */
static void
start_call_to(Sync *sync, SyncCall *call, const Buf *url)
{
	char		why[REASON_MAX] = "";
	char		secret[SECRET_MAX + 1];
	const char *refusal = NULL;
	bool		sent;

	/* looked at first, and for each refusal: a file that is replaced from now on is then seen to have changed, and no other */
	secret_look(triage_secrets_directory, call->secret, &call->stamp);
	if (!origin_listed(triage_allowed_origins, call->ask.base_url, &refusal))
	{
		end_with(call, OUTCOME_MISCONFIGURED, refusal ? refusal : "refused");
		return;
	}
	if (!secret_read(triage_secrets_directory, call->secret, secret, why, sizeof(why)))
	{
		end_with(call, OUTCOME_MISCONFIGURED, why);
		return;
	}
	sent = send_request(sync, call, url, secret, why, sizeof(why));
	secret_wipe(secret, sizeof(secret));
	if (!sent)
	{
		end_with(call, OUTCOME_MISCONFIGURED, why);
		return;
	}
	call->started_at = GetCurrentTimestamp();
	call->state = SYNC_FLYING;
}

/* What cannot be asked for is that ticket's or that cursor's fault, and no reason for all others to rest. */
static void
start_call(Sync *sync, SyncCall *call)
{
	const char *why;
	Buf			url;

	buf_init(&url, 65536);
	if (zendesk_url(&url, &call->ask, &why))
		start_call_to(sync, call, &url);
	else
		end_with(call, OUTCOME_BAD_REQUEST, why);
	buf_free(&url);
}

static void
start_calls(Sync *sync)
{
	for (int i = 0; i < sync->count; i++)
	{
		SyncCall   *call = sync->calls[i];

		if (call->state == SYNC_READY && (sync->pool == NULL || pool_room(sync->pool) > 0))
			start_call(sync, call);
	}
}

/* What a page with fewer tickets may mend; NULL: nothing. */
static const char *
excess(const SyncCall *call, const PoolReply *reply)
{
	if (!is_divisible(call) || reply->reply.http_status != 200)
		return NULL;
	if (call->result.too_heavy)
		return call->result.reason;
	return reply->reply.transport == TRANSPORT_TOO_LARGE ? psprintf("the page is larger than %zu bytes", MAX_PAGE) : NULL;
}

/* One a turn: reading a large page takes as long as many an answer waits. */
static void
take_reply(Sync *sync)
{
	PoolReply	reply;
	SyncCall   *call;
	int64		bytes;
	const char *why;

	if (sync->pool == NULL)
		return;
	pool_step(sync->pool);
	if (!pool_next(sync->pool, &reply))
		return;
	call = reply.tag;
	call->latency_ms = reply.latency_ms;
	call->http_status = reply.reply.http_status;
	bytes = (int64) reply.reply.body_len;
	zendesk_read(&reply.reply, &call->ask, clock_epoch_ms(GetCurrentTimestamp()), &call->result);
	why = excess(call, &reply);
	if (why)
		ask_for_less(sync, call, why);
	call->state = SYNC_LANDED;
	pool_done(sync->pool, &reply);
	give_memory_back(bytes);
}

/* Writing --------------------------------------------------------------------------------------------------------- */

typedef struct Write
{
	SyncCall   *call;
	bool		busy;			/* somebody holds what it is about */
	TimestampTz next;
} Write;

static void
write_work(Dispatch *d, void *arg)
{
	Write	   *write = arg;

	(void) d;
	if (write->call->result.outcome == OUTCOME_SUCCEEDED)
		write->busy = !sync_queue_store(write->call);
	else
		sync_queue_fail(write->call);
	write->next = sync_queue_next();
}

/* The page is kept and tried again as long as its lease lasts. */
static void
try_again(SyncCall *call, const char *why)
{
	TimestampTz now = GetCurrentTimestamp();

	call->pause_ms = call->pause_ms == 0 ? ERROR_PAUSE_MS / 4 : 2 * call->pause_ms;
	call->not_before = in_ms(now, call->pause_ms);
	if (call->not_before < call->give_up_at)
		return;
	call->not_before = 0;
	end_with(call, OUTCOME_LOST, psprintf("the page could not be written in time: %s", why));
}

static void
note_success(Sync *sync, const SyncCall *call)
{
	Watched   **watched = find_watched(sync, call);

	if (*watched)
		forget_watched(watched);
	ask_for_more(sync, call);
}

/* Returns false when the call is still there. */
static bool
write_call(Sync *sync, SyncCall *call)
{
	Write		write = {.call = call,.next = DT_NOEND};
	RunOutcome	outcome = call->result.outcome;
	bool		page = outcome == OUTCOME_SUCCEEDED;
	ErrorData  *error;

	if (outcome == OUTCOME_ACCOUNT || outcome == OUTCOME_MISCONFIGURED)
		watch_file(sync, call);
	dispatch_show(sync->d, page ? "storing what was copied" : "noting that a source failed");
	error = dispatch_transact(sync->d, write_work, &write, true);
	if (error == NULL && !write.busy)
	{
		if (page)
			note_success(sync, call);
		sync->next_look = Min(sync->next_look, write.next);
		forget_call(sync, call);
		return true;
	}
	if (error && page && error->sqlerrcode == ERRCODE_OUT_OF_MEMORY && is_divisible(call))
	{
		ask_for_less(sync, call, psprintf("the page could not be stored: %s", error->message));
		return false;
	}
	if (error == NULL || (dispatch_is_passing(error->sqlerrcode) && GetCurrentTimestamp() < call->give_up_at))
	{
		try_again(call, error ? error->message : "somebody holds a ticket of it");
		return false;
	}
	dispatch_report(error, page ? "store a page of a source" : "note that a source failed");
	if (page)
	{
		end_with(call, OUTCOME_UNUSABLE_ANSWER, psprintf("the page could not be stored: %s", error->message));
		return false;
	}
	/* its lease ends by itself */
	forget_call(sync, call);
	return true;
}

/* One a turn, so that the AI's answers come in between. */
static void
write_one(Sync *sync, TimestampTz now)
{
	for (int i = 0; i < sync->count; i++)
	{
		SyncCall   *call = sync->calls[i];

		if (call->state != SYNC_LANDED || now < call->not_before)
			continue;
		(void) write_call(sync, call);
		return;
	}
}

/* Claiming -------------------------------------------------------------------------------------------------------- */

typedef struct SyncClaim
{
	SyncCall   *calls[SYNC_CALLS];
	int			max;
	int			count;
	TimestampTz next;
} SyncClaim;

/* False: this worker is to copy nothing here and now. */
static bool
may_copy(Dispatch *d)
{
	char		why[PAUSE_TEXT_MAX];

	if (!claims_may_serve(d) || sync_queue_is_stopped())
	{
		d->unwanted = true;
		return false;
	}
	return !pause_in_force(why, sizeof(why));
}

static void
take_over_work(Dispatch *d, void *arg)
{
	bool	   *done = arg;

	if (!sync_queue_has_sources())
	{
		*done = true;
		return;
	}
	if (!may_copy(d))
		return;
	if (sync_queue_take_over(d->slot) > 0)
		ereport(LOG,
				(errmsg("triage worker freed the requests to sources that a predecessor had claimed")));
	sync_queue_revive(NULL, NULL);
	*done = true;
}

static void
claim_work(Dispatch *d, void *arg)
{
	SyncClaim  *claim = arg;

	if (!sync_queue_has_sources() || !may_copy(d))
		return;
	claim->count = sync_queue_claim(d->slot, claim->max, claim->calls);
	claim->next = sync_queue_next();
}

static int
room(const Sync *sync)
{
	int			free_calls = SYNC_CALLS - sync->count;

	if (sync->d->unwanted || sync->d->jobs_left == 0)
		return 0;
	return Min(free_calls, sync->pool ? pool_room(sync->pool) : 1);
}

static TimestampTz
due_at(const Sync *sync)
{
	TimestampTz due = sync->look ? Min(sync->next_look, sync->next_early_look) : sync->next_look;

	return Max(due, sync->paused_until);
}

static void
claim_some(Sync *sync, TimestampTz now)
{
	SyncClaim	claim = {.max = room(sync),.next = DT_NOEND};
	bool		taken_over = sync->taken_over;
	ErrorData  *error = NULL;

	if (claim.max <= 0 || now < due_at(sync))
		return;
	sync->look = false;
	sync->next_early_look = in_ms(now, WAKE_PAUSE_MS);
	if (!taken_over)
		error = dispatch_transact(sync->d, take_over_work, &taken_over, true);
	/* at once: the time of a request's start, which the rate is kept by, must outlive a crash */
	if (error == NULL)
		error = dispatch_transact(sync->d, claim_work, &claim, true);
	sync->next_look = in_ms(now, triage_poll_interval);
	if (error)
	{
		for (int i = 0; i < SYNC_CALLS; i++)
			if (claim.calls[i])
				sync_call_free(claim.calls[i]);
		pause_looking(sync, error, "claim requests to sources");
		return;
	}
	sync->taken_over = taken_over;
	sync->pause_ms = 0;
	for (int i = 0; i < claim.count; i++)
	{
		apply_limit(sync, claim.calls[i]);
		sync->calls[sync->count++] = claim.calls[i];
	}
	if (claim.count == 0)
		claim.next = Max(claim.next, in_ms(now, EMPTY_PAUSE_MS));
	sync->next_look = Min(sync->next_look, claim.next);
}

static void
notice_clock(Sync *sync, TimestampTz now)
{
	if (!clock_set_back(&sync->last_turn, now))
		return;
	sync->next_look = sync->next_early_look = sync->next_watch = now;
	sync->paused_until = 0;
	for (int i = 0; i < sync->count; i++)
		sync->calls[i]->not_before = 0;
}

void
sync_turn(Sync *sync)
{
	TimestampTz now;

	take_reply(sync);
	now = GetCurrentTimestamp();
	notice_clock(sync, now);
	write_one(sync, now);
	look_at_files(sync, now);
	claim_some(sync, GetCurrentTimestamp());
	start_calls(sync);
}

long
sync_timeout(const Sync *sync, TimestampTz now)
{
	long		timeout = triage_poll_interval;
	long		pool = sync->pool ? pool_timeout_ms(sync->pool) : -1;

	if (room(sync) > 0)
		timeout = Min(timeout, TimestampDifferenceMilliseconds(now, due_at(sync)));
	for (int i = 0; i < sync->count; i++)
		if (sync->calls[i]->state == SYNC_LANDED)
			timeout = Min(timeout, TimestampDifferenceMilliseconds(now, sync->calls[i]->not_before));
	if (sync->watched)
		timeout = Min(timeout, TimestampDifferenceMilliseconds(now, sync->next_watch));
	return pool >= 0 ? Min(timeout, pool) : timeout;
}

void
sync_give_back(Sync *sync)
{
	take_reply(sync);
	for (int i = sync->count - 1; i >= 0; i--)
	{
		SyncCall   *call = sync->calls[i];

		if (call->state != SYNC_LANDED)
		{
			if (call->state == SYNC_FLYING)
				pool_cancel(sync->pool, call);
			end_with(call, OUTCOME_LOST, "the worker was stopped before the page came");
		}
		/* once: what cannot be written now comes again with the next request */
		if (!write_call(sync, call) && call->result.outcome == OUTCOME_SUCCEEDED)
			end_with(call, OUTCOME_LOST, "the worker was stopped before the page was written");
	}
	for (int tries = 0; sync->count > 0 && tries < SYNC_CALLS; tries++)
		(void) write_call(sync, sync->calls[0]);
}
