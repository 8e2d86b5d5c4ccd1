/*
 * classify.h
 *	  (transport code, HTTP status, headers, body) -> outcome class, reason, and how long to wait.
 *
 * One pure function; the tables are those of the providers' documented and recorded errors.
 */
#ifndef TRIAGE_CORE_CLASSIFY_H
#define TRIAGE_CORE_CLASSIFY_H

#include "core/ticket.h"
#include "core/verdict.h"

/* What the network layer knows of a finished call.  Transport codes are its own, so that core needs no curl header. */
typedef enum Transport
{
	TRANSPORT_OK,				/* a complete HTTP response */
	TRANSPORT_RESOLVE,			/* name not resolved */
	TRANSPORT_CONNECT,			/* not connected */
	TRANSPORT_TIMEOUT,
	TRANSPORT_TLS,				/* handshake or certificate */
	TRANSPORT_URL,				/* malformed or unsupported URL */
	TRANSPORT_REFUSED_ADDRESS,	/* our own guard said no */
	TRANSPORT_TOO_LARGE,		/* our own cap on the body */
	TRANSPORT_CUT,				/* connection ended early, send or receive error */
	TRANSPORT_OTHER
} Transport;

#define OTHER_RESETS 5

typedef struct CallReply
{
	Transport	transport;
	const char *transport_message;	/* "" or libcurl's words */
	int			http_status;	/* 0: none */
	const char *body;			/* may be NULL */
	size_t		body_len;
	const char *retry_after;	/* header values as received, NULL when absent */
	const char *retry_after_ms;
	const char *ratelimit_reset_requests;
	const char *ratelimit_reset_tokens;
	const char *ratelimit_remaining_requests;
	const char *ratelimit_remaining_tokens;
	const char *other_resets[OTHER_RESETS]; /* the same of other providers: x-ratelimit-reset, anthropic-ratelimit-*-reset */
	const char *should_retry;	/* x-should-retry */
	const char *date;			/* the server's clock, to read an HTTP-date against */
	const char *account_remaining;	/* x-rate-limit-remaining: calls that an account has left for this minute */
	const char *account_reset;	/* ratelimit-reset: seconds until it has more */
} CallReply;

typedef struct Classified
{
	RunOutcome	outcome;		/* SUCCEEDED means: status 200, now parse the body */
	int64_t		retry_after_ms; /* negative: no hint */
	char		reason[REASON_MAX]; /* for people; valid UTF-8, one line; never echoes anything that looks like a key */
} Classified;

/* now_ms: milliseconds since the Unix epoch. */
extern void classify_reply(const CallReply *reply, int64_t now_ms, Classified *out);

/* The same for an error object that came with a success; false when the body carries none. */
extern bool classify_carried_error(const CallReply *reply, int64_t now_ms, Classified *out);

/* The provider's error object in a body, whatever the status and without headers; false when there is none. */
extern bool classify_error_body(const char *body, size_t len, int http_status, Classified *out);

/* The longest wait that is believed. */
#define HINT_MAX_MS INT64_C(86400000)

/*
 * "7", "1.5", "6m0s", "120ms", RFC 3339, HTTP-date -> milliseconds from now_ms, at most HINT_MAX_MS.  A number too
 * large for seconds is read as a Unix time.  Negative: unreadable, negative or in the past.
 */
extern int64_t hint_parse(const char *text, int64_t now_ms);
/* The same out of a sentence ("... try again in 37 seconds"); negative when it names no time. */
extern int64_t hint_in_message(const char *message);
/* RFC 3339 or one of the three HTTP date forms -> milliseconds since the Unix epoch. */
extern bool hint_time(const char *text, int64_t *epoch_ms);

#endif
