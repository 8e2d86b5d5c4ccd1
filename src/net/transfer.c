/*
 * transfer.c
 *	  One HTTP call on one reusable easy handle: options, callbacks, result.
 *
 * Decides what a request looks like on the wire, which addresses may be reached, and how much of an answer is kept.
 * Knows nothing of other transfers.  The callbacks run inside libcurl,
 * which does not survive being left in the middle: they append to a Buf, set flags and return, nothing else.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/origin.h"
#include "net/transfer.h"

/* A response buffer larger than this is given back after use: a few huge answers must not stay in every handle. */
#define TRANSFER_KEEP_BYTES 32768
/* Certificates and DNS entries change: seconds after which a connection is not used again, idle and in all. */
#define TRANSFER_MAX_IDLE_SECONDS 110L
#define TRANSFER_MAX_LIFETIME_SECONDS 600L

/* Lengths beside the names: each line of each response is compared with all of them. */
#define HEADER_NAME(text) text, sizeof(text) - 1

static const struct
{
	const char *name;
	size_t		len;
	HeaderField field;
}			header_names[] = {
	{HEADER_NAME("retry-after"), HEADER_RETRY_AFTER},
	{HEADER_NAME("retry-after-ms"), HEADER_RETRY_AFTER_MS},
	{HEADER_NAME("x-ratelimit-reset-requests"), HEADER_RESET_REQUESTS},
	{HEADER_NAME("x-ratelimit-reset-tokens"), HEADER_RESET_TOKENS},
	{HEADER_NAME("x-ratelimit-remaining-requests"), HEADER_REMAINING_REQUESTS},
	{HEADER_NAME("x-ratelimit-remaining-tokens"), HEADER_REMAINING_TOKENS},
	{HEADER_NAME("x-ratelimit-reset"), HEADER_RESET_OTHER},
	{HEADER_NAME("anthropic-ratelimit-requests-reset"), HEADER_RESET_OTHER + 1},
	{HEADER_NAME("anthropic-ratelimit-requests-reset"), HEADER_RESET_REQUESTS},
	{HEADER_NAME("anthropic-ratelimit-tokens-reset"), HEADER_RESET_OTHER + 2},
	{HEADER_NAME("anthropic-ratelimit-tokens-reset"), HEADER_RESET_TOKENS},
	{HEADER_NAME("anthropic-ratelimit-input-tokens-reset"), HEADER_RESET_OTHER + 3},
	{HEADER_NAME("anthropic-ratelimit-output-tokens-reset"), HEADER_RESET_OTHER + 4},
	{HEADER_NAME("x-should-retry"), HEADER_SHOULD_RETRY},
	{HEADER_NAME("anthropic-ratelimit-requests-remaining"), HEADER_REMAINING_REQUESTS},
	{HEADER_NAME("anthropic-ratelimit-tokens-remaining"), HEADER_REMAINING_TOKENS},
	{HEADER_NAME("date"), HEADER_DATE},
	{HEADER_NAME("x-rate-limit-remaining"), HEADER_ACCOUNT_REMAINING},
	{HEADER_NAME("ratelimit-remaining"), HEADER_ACCOUNT_REMAINING},
	{HEADER_NAME("ratelimit-reset"), HEADER_ACCOUNT_RESET},
	{HEADER_NAME("x-request-id"), HEADER_X_REQUEST_ID},
	{HEADER_NAME("request-id"), HEADER_REQUEST_ID}
};
#define HEADER_NAME_COUNT (sizeof(header_names) / sizeof(header_names[0]))

static void
start_waiting(Transfer *transfer)
{
	if (transfer->waiting)
		return;
	transfer->waiting = true;
	transfer->lane->counts.unconnected++;
}

static void
stop_waiting(Transfer *transfer)
{
	if (!transfer->waiting)
		return;
	transfer->waiting = false;
	transfer->lane->counts.unconnected--;
}

static size_t
on_body(char *data, size_t size, size_t count, void *arg)
{
	Transfer   *transfer = arg;
	size_t		len = size * count;

	if (len > transfer->response.cap - transfer->response.len)
	{
		transfer->too_large = true;
		return 0;
	}
	return buf_add(&transfer->response, data, len) ? len : 0;
}

/* Printable ASCII only: these values end up in tables and messages.  Clipped, not refused. */
static void
keep_header(char *target, const char *value, size_t len)
{
	size_t		used = 0;

	while (len > 0 && (*value == ' ' || *value == '\t'))
		value++, len--;
	while (len > 0 && strchr(" \t\r\n", value[len - 1]) != NULL)
		len--;
	for (; used < len && used < TRANSFER_HEADER_MAX; used++)
		target[used] = value[used] >= ' ' && value[used] <= '~' ? value[used] : '?';
	target[used] = '\0';
}

static size_t
on_header(char *data, size_t size, size_t count, void *arg)
{
	Transfer   *transfer = arg;
	size_t		len = size * count;
	const char *colon;

	/* an interim (1xx) response has headers of its own */
	if (len >= 5 && strncmp(data, "HTTP/", 5) == 0)
	{
		transfer->headers = 0;
		return len;
	}
	colon = memchr(data, ':', len);
	if (colon == NULL)
		return len;
	for (size_t i = 0; i < HEADER_NAME_COUNT; i++)
	{
		size_t		name_len = header_names[i].len;
		HeaderField field = header_names[i].field;

		if ((size_t) (colon - data) != name_len || strncasecmp(data, header_names[i].name, name_len) != 0)
			continue;
		keep_header(transfer->header[field], colon + 1, len - name_len - 1);
		transfer->headers |= (uint32_t) 1 << field;
	}
	return len;
}

static bool
address_allowed(Transfer *transfer, const struct curl_sockaddr *address)
{
	const char *why = "address family is not IP";
	bool		allowed = false;

	if (address->family == AF_INET)
	{
		const struct sockaddr_in *in = (const struct sockaddr_in *) &address->addr;

		allowed = origin_address_allowed((const uint8_t *) &in->sin_addr, 4, transfer->https, &why);
	}
	else if (address->family == AF_INET6)
	{
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) &address->addr;

		allowed = origin_address_allowed((const uint8_t *) &in6->sin6_addr, 16, transfer->https, &why);
	}
	if (!allowed)
		transfer->refusal = why;
	return allowed;
}

/* Asked about the address itself, after name resolution: a name that changes its mind between two looks gains nothing. */
static curl_socket_t
on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	Transfer   *transfer = arg;
	int			fd;

	transfer->lane->counts.resolved = true;
	stop_waiting(transfer);
	if (purpose != CURLSOCKTYPE_IPCXN || !address_allowed(transfer, address))
		return CURL_SOCKET_BAD;

	transfer->tried_address = true;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
	{
		transfer->socket_errno = errno;
		return CURL_SOCKET_BAD;
	}
	transfer->lane->counts.open++;
	loop_opened(transfer->lane, fd);
	return fd;
}

/* Belongs to the connection, which may outlive the transfer that opened it: the argument is its lane. */
static int
on_close_socket(void *arg, curl_socket_t fd)
{
	Lane	   *lane = arg;

	lane->counts.open--;
	loop_closed(lane, fd);
	return close(fd);
}

/* The request is about to be sent: on a used connection this is the first we hear of it. */
static int
on_request(void *arg, char *primary_ip, char *local_ip, int primary_port, int local_port)
{
	Transfer   *transfer = arg;

	(void) primary_ip;
	(void) local_ip;
	(void) primary_port;
	(void) local_port;
	stop_waiting(transfer);
	transfer->sent = true;
	return CURL_PREREQFUNC_OK;
}

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)

/* Everything that is the same for every call. */
static bool
set_fixed_options(Transfer *transfer, const PoolConfig *config)
{
	CURL	   *easy = transfer->easy;
	bool		ok = true;

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	/* not even from the environment: the guard would see the proxy's address only */
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_NOPROXY, "*");
	/* with a directory set, libcurl may not cache the parsed bundle: 20 ms of CPU a connection instead of 1 */
	SET(CURLOPT_CAPATH, NULL);
	SET(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(CURLOPT_MAXAGE_CONN, TRANSFER_MAX_IDLE_SECONDS);
	SET(CURLOPT_MAXLIFETIME_CONN, TRANSFER_MAX_LIFETIME_SECONDS);
	SET(CURLOPT_CONNECTTIMEOUT_MS, config->connect_timeout_ms);
	SET(CURLOPT_USERAGENT, "triage");
	SET(CURLOPT_PRIVATE, transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->message);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->lane);
	SET(CURLOPT_PREREQFUNCTION, on_request);
	SET(CURLOPT_PREREQDATA, transfer);
	SET(CURLOPT_SHARE, transfer->lane->loop->share);
	return ok;
}

Transfer *
transfer_new(const PoolConfig *config, Lane *lane)
{
	Transfer   *transfer = calloc(1, sizeof(Transfer));

	if (transfer == NULL)
		return NULL;
	transfer->lane = lane;
	buf_init(&transfer->response, config->max_body);
	transfer->easy = curl_easy_init();
	if (transfer->easy == NULL || !set_fixed_options(transfer, config))
	{
		transfer_free(transfer);
		return NULL;
	}
	return transfer;
}

static void
forget_request(Transfer *transfer)
{
	stop_waiting(transfer);
	authorization_forget(transfer);
	buf_free(&transfer->body);
}

void
transfer_free(Transfer *transfer)
{
	if (transfer->easy != NULL)
		curl_easy_cleanup(transfer->easy);
	forget_request(transfer);
	curl_url_cleanup(transfer->address);
	free(transfer->url);
	buf_free(&transfer->response);
	free(transfer);
}

static void
link_header_lines(Transfer *transfer, PoolMethod method)
{
	static char accept[] = "Accept: application/json";
	static char content_type[] = "Content-Type: application/json";
	static char no_expect[] = "Expect:";	/* or a large body waits a second for "100 Continue" */
	struct curl_slist *line = transfer->lines;

	line[0] = (struct curl_slist) {.data = method == POOL_GET ? accept : content_type,.next = &line[1]};
	line[1] = (struct curl_slist) {.data = no_expect,.next = NULL};
	if (transfer->authorization == NULL)
		return;
	line[1].next = &line[2];
	line[2] = (struct curl_slist) {.data = transfer->authorization,.next = NULL};
}

/* The handle may have served the other method before: each undoes what that has set. */
static bool
set_method(Transfer *transfer, PoolMethod method)
{
	CURL	   *easy = transfer->easy;
	bool		ok = true;

	if (method == POOL_GET)
	{
		SET(CURLOPT_HTTPGET, 1L);
		/* all that libcurl was built with; on_body() counts what comes out of it */
		SET(CURLOPT_ACCEPT_ENCODING, "");
		return ok;
	}
	SET(CURLOPT_ACCEPT_ENCODING, NULL);
	SET(CURLOPT_POST, 1L);
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) transfer->body.len);
	SET(CURLOPT_POSTFIELDS, transfer->body.data != NULL ? transfer->body.data : "");
	return ok;
}

static bool
set_url(Transfer *transfer, const char *url, const char **why)
{
	CURL	   *easy = transfer->easy;
	CURLUcode	code;
	bool		ok = true;

	if (transfer->url != NULL && strcmp(transfer->url, url) == 0)
		return true;
	free(transfer->url);
	transfer->url = NULL;
	if (transfer->address == NULL)
		transfer->address = curl_url();
	code = transfer->address == NULL ? CURLUE_OUT_OF_MEMORY :
		curl_url_set(transfer->address, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	/* or libcurl goes on showing what it put together of the last one */
	SET(CURLOPT_URL, NULL);
	SET(CURLOPT_CURLU, transfer->address);
	if (code == CURLUE_OK && ok)
		transfer->url = strdup(url);
	if (transfer->url != NULL)
		return true;
	*why = code == CURLUE_OK ? "out of memory" : curl_url_strerror(code);
	return false;
}

static bool
set_request_options(Transfer *transfer, const PoolRequest *request)
{
	CURL	   *easy = transfer->easy;
	bool		ok = set_method(transfer, request->method);

	SET(CURLOPT_TIMEOUT_MS, request->timeout_ms);
	SET(CURLOPT_FRESH_CONNECT, 0L);
	SET(CURLOPT_HTTPHEADER, transfer->lines);

	/*
	 * Over TLS the handshake tells whether calls can share the connection, so waiting for it is cheap.  Without TLS
	 * only the first answer tells, and all others would wait as long as the model thinks.
	 */
	SET(CURLOPT_PIPEWAIT, transfer->https ? 1L : 0L);
	return ok;
}

bool
transfer_prepare(Transfer *transfer, PoolRequest *request, const char **why)
{
	Origin		origin;

	if (request->body != NULL)
	{
		transfer->body = *request->body;
		buf_init(request->body, transfer->body.cap);
	}

	*why = "out of memory";
	if (transfer->body.failed)
		return false;
	if (request->timeout_ms <= 0)
	{
		*why = "time-out must be positive";
		return false;
	}
	if (!origin_parse(request->url, &origin, why))
		return false;
	transfer->https = origin.https;
	if (request->secret != NULL && !authorization_make(transfer, request, why))
		return false;
	link_header_lines(transfer, request->method);
	if (!set_url(transfer, request->url, why))
		return false;
	if (!set_request_options(transfer, request))
	{
		*why = "out of memory";
		return false;
	}
	transfer->tag = request->tag;
	transfer->timeout_ms = request->timeout_ms;
	start_waiting(transfer);
	return true;
}

/*
 * When a call meets a used connection that the other end has closed, libcurl takes another one, and gives up after six.
 * A provider that goes away or is started anew closes all of them, and newer versions of libcurl do not look before
 * they use one: what a new connection meets is what there is to say.
 */
bool
transfer_again(Transfer *transfer, CURLcode code)
{
	CURL	   *easy = transfer->easy;
	curl_off_t	total_us = 0;
	long		answered = 0;
	long		left_ms;
	bool		ok = true;

	if ((code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING) || transfer->tried_address)
		return false;
	curl_easy_getinfo(easy, CURLINFO_HEADER_SIZE, &answered);
	if (answered > 0)
		return false;
	curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &total_us);
	left_ms = transfer->timeout_ms - (long) (total_us / 1000);
	if (left_ms <= 0)
		return false;
	SET(CURLOPT_TIMEOUT_MS, left_ms);
	SET(CURLOPT_FRESH_CONNECT, 1L);
	if (!ok)
		return false;
	transfer->sent = false;
	transfer->message[0] = '\0';
	start_waiting(transfer);
	return true;
}

void
transfer_finish(Transfer *transfer, CURLcode code)
{
	long		status = 0;
	curl_off_t	total_us = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &total_us);
	transfer->bytes_sent = transfer->bytes_received = 0;
	curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &transfer->bytes_sent);
	curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &transfer->bytes_received);
	transfer->http_status = (int) status;
	transfer->latency_ms = (int) (total_us / 1000);
	transfer->transport = transport_of(transfer, code);
	transport_explain(transfer, code);
	authorization_redact(transfer);
	forget_request(transfer);
}

void
transfer_reset(Transfer *transfer)
{
	forget_request(transfer);
	transfer->headers = 0;
	buf_reset(&transfer->response, TRANSFER_KEEP_BYTES);
	transfer->tag = NULL;
	transfer->tried_address = false;
	transfer->sent = false;
	transfer->too_large = false;
	transfer->refusal = NULL;
	transfer->socket_errno = 0;
	transfer->http_status = 0;
	transfer->message[0] = '\0';
}

char *
transfer_header(Transfer *transfer, HeaderField field)
{
	bool		came = transfer->headers >> field & 1;

	return came && transfer->header[field][0] != '\0' ? transfer->header[field] : NULL;
}

void
transfer_reply(Transfer *transfer, PoolReply *reply)
{
	const char *id = transfer_header(transfer, HEADER_X_REQUEST_ID);

	if (id == NULL)
		id = transfer_header(transfer, HEADER_REQUEST_ID);
	reply->tag = transfer->tag;
	reply->transfer = transfer;
	reply->latency_ms = transfer->latency_ms;
	reply->bytes_sent = transfer->bytes_sent;
	reply->bytes_received = transfer->bytes_received;
	snprintf(reply->request_id, sizeof(reply->request_id), "%s", id != NULL ? id : "");
	reply->reply = (CallReply) {
		.transport = transfer->transport,
		.transport_message = transfer->message,
		.http_status = transfer->http_status,
		.body = transfer->response.data,
		.body_len = transfer->response.len,
		.retry_after = transfer_header(transfer, HEADER_RETRY_AFTER),
		.retry_after_ms = transfer_header(transfer, HEADER_RETRY_AFTER_MS),
		.ratelimit_reset_requests = transfer_header(transfer, HEADER_RESET_REQUESTS),
		.ratelimit_reset_tokens = transfer_header(transfer, HEADER_RESET_TOKENS),
		.ratelimit_remaining_requests = transfer_header(transfer, HEADER_REMAINING_REQUESTS),
		.ratelimit_remaining_tokens = transfer_header(transfer, HEADER_REMAINING_TOKENS),
		.should_retry = transfer_header(transfer, HEADER_SHOULD_RETRY),
		.date = transfer_header(transfer, HEADER_DATE),
		.account_remaining = transfer_header(transfer, HEADER_ACCOUNT_REMAINING),
		.account_reset = transfer_header(transfer, HEADER_ACCOUNT_RESET)
	};
	for (int i = 0; i < OTHER_RESETS; i++)
		reply->reply.other_resets[i] = transfer_header(transfer, HEADER_RESET_OTHER + i);
}
