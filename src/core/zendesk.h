/*
 * zendesk.h
 *	  Zendesk's published contract: what is asked, and what an answer comes to.
 *
 * Pure.  A page of foreign JSON becomes a page in our own words (zendesk_page.c says which), or a class, a sentence and a
 * wait.  Nothing here knows when to ask or where a page is stored.
 */
#ifndef TRIAGE_CORE_ZENDESK_H
#define TRIAGE_CORE_ZENDESK_H

#include "core/buf.h"
#include "core/classify.h"

typedef enum ZendeskStream
{
	ZENDESK_TICKETS,
	ZENDESK_COMMENTS			/* of one ticket */
} ZendeskStream;

typedef struct ZendeskAsk
{
	ZendeskStream stream;
	const char *base_url;		/* https://company.zendesk.com, with or without a slash at its end */
	const char *cursor;			/* of the page before; NULL: the first page */
	int64_t		start_epoch;	/* seconds; where the first page of tickets begins */
	int			page_size;		/* of tickets */
	const char *support_type_scope; /* NULL: Zendesk's default */
	const char *ticket_id;		/* of comments; digits */
} ZendeskAsk;

typedef struct ZendeskResult
{
	RunOutcome	outcome;		/* SUCCEEDED: there is a page */
	char		reason[REASON_MAX]; /* of a failure: one line of UTF-8 */
	int64_t		retry_after_ms; /* of a failure; negative: the answer did not say */
	bool		cursor_rejected;	/* of a failure: the same cursor will not do again */
	Buf			page;			/* JSON; buf_free() it */
	bool		too_heavy;		/* of a failure: reading it takes too much memory; a part of it may do */
	int			rows;			/* tickets or comments in it */
	int			skipped;		/* what could not be read, named in the page */
} ZendeskResult;

/* Most bytes that a page may take while it is read: brackets alone would otherwise take 8 GB of a page of 32 MB. */
#define ZENDESK_WEIGHT_MAX ((size_t) 512 * 1024 * 1024)
/* Most bytes of a page in our own words. */
#define ZENDESK_PAGE_MAX ((size_t) 256 * 1024 * 1024)

/* False: out of memory, or something that has no place in a URL; why is static. */
extern bool zendesk_url(Buf *url, const ZendeskAsk *ask, const char **why);
/* now_ms: milliseconds since the Unix epoch. */
extern void zendesk_read(const CallReply *reply, const ZendeskAsk *ask, int64_t now_ms, ZendeskResult *result);

/* zendesk_page.c: the body of a success.  wait_ms: the account's budget is used up for so long; 0: it is not. */
extern void zendesk_page(const char *body, size_t len, const ZendeskAsk *ask, int64_t wait_ms, ZendeskResult *result);
/* zendesk_page.c: adds to the reason of a failure what its body says more: {"error": code, "description": words}. */
extern void zendesk_describe(const char *body, size_t len, char *reason);

#endif
