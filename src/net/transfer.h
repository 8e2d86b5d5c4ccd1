/*
 * transfer.h
 *	  One HTTP call: its easy handle, its buffers, and what libcurl's callbacks leave behind.
 *
 * Private to src/net.  Whoever makes or frees a transfer has blocked all signals (pool.h says why).
 */
#ifndef TRIAGE_NET_TRANSFER_H
#define TRIAGE_NET_TRANSFER_H

#include <curl/curl.h>

#include "net/loop.h"
#include "net/pool.h"

#if !CURL_AT_LEAST_VERSION(7, 85, 0)
#error "libcurl 7.85 or newer is needed"
#endif

#define TRANSFER_HEADER_MAX 200

/* The response headers that somebody reads. */
typedef enum HeaderField
{
	HEADER_RETRY_AFTER,
	HEADER_RETRY_AFTER_MS,
	HEADER_RESET_REQUESTS,
	HEADER_RESET_TOKENS,
	HEADER_RESET_OTHER,			/* the first of OTHER_RESETS */
	HEADER_RESET_OTHER_LAST = HEADER_RESET_OTHER + OTHER_RESETS - 1,
	HEADER_SHOULD_RETRY,
	HEADER_REMAINING_REQUESTS,
	HEADER_REMAINING_TOKENS,
	HEADER_DATE,
	HEADER_ACCOUNT_REMAINING,
	HEADER_ACCOUNT_RESET,
	HEADER_X_REQUEST_ID,
	HEADER_REQUEST_ID
} HeaderField;
#define HEADER_COUNT (HEADER_REQUEST_ID + 1)
_Static_assert(HEADER_COUNT <= 32, "a bit for each header");

typedef enum TransferState
{
	TRANSFER_IDLE,
	TRANSFER_IN_FLIGHT,
	TRANSFER_FINISHED,			/* its reply waits to be fetched */
	TRANSFER_BORROWED			/* the caller reads its reply */
} TransferState;

typedef struct Transfer
{
	CURL	   *easy;
	struct Transfer *prev;		/* in whatever list it is */
	struct Transfer *next;
	TransferState state;
	void	   *tag;
	Lane	   *lane;			/* where it flies */

	/* the request */
	char	   *url;
	CURLU	   *address;		/* the same taken apart, which takes long enough to be kept from call to call */
	bool		https;
	long		timeout_ms;
	Buf			body;
	char	   *authorization;	/* header line; wiped at the end */
	size_t		authorization_size;
	size_t		credentials_at;	/* where in it what authorizes begins */
	char	   *secret;			/* what that encodes, when it is not the secret itself; wiped at the end */
	struct curl_slist lines[3]; /* the header list, without libcurl's copies of its strings */

	/* what the callbacks saw */
	bool		waiting;		/* counted in unconnected */
	bool		tried_address;	/* an address was allowed, whether or not it answered */
	bool		sent;			/* the request went out, on a new or a used connection */
	bool		too_large;
	const char *refusal;		/* why an address was refused, or NULL */
	int			socket_errno;
	uint32_t	headers;		/* bits of those that came: the others hold what an earlier reply left */
	char		header[HEADER_COUNT][TRANSFER_HEADER_MAX + 1];
	Buf			response;

	/* the result */
	Transport	transport;
	int			http_status;
	int			latency_ms;
	curl_off_t	bytes_sent;
	curl_off_t	bytes_received;
	char		message[CURL_ERROR_SIZE];
} Transfer;

extern Transfer *transfer_new(const PoolConfig *config, Lane *lane);
extern void transfer_free(Transfer *transfer);
/* NULL: it did not come, or was empty. */
extern char *transfer_header(Transfer *transfer, HeaderField field);
/* Takes the request's body over, also on failure. */
extern bool transfer_prepare(Transfer *transfer, PoolRequest *request, const char **why);
/* authorization.c: makes the header line; false with a reason. */
extern bool authorization_make(Transfer *transfer, const PoolRequest *request, const char **why);
/* The endpoint was shown the secret and may show it again: nobody above src/net gets to see that. */
extern void authorization_redact(Transfer *transfer);
extern void authorization_forget(Transfer *transfer);
/* True: it ended in a way that another try answers, and the handle is set up for that, once. */
extern bool transfer_again(Transfer *transfer, CURLcode code);
/* Reads the result off the handle; afterwards nothing of the request is left. */
extern void transfer_finish(Transfer *transfer, CURLcode code);
/* Forgets request and reply; keeps handle and buffers for the next call. */
extern void transfer_reset(Transfer *transfer);
extern void transfer_reply(Transfer *transfer, PoolReply *reply);

/* transport.c */
extern Transport transport_of(const Transfer *transfer, CURLcode code);
extern void transport_explain(Transfer *transfer, CURLcode code);

#endif
