/*
 * sync_queue.h
 *	  What sync asks of its tables: what is due, where a page goes, what a failure means for its stream.
 *
 * All inside a transaction with an SPI connection.
 */
#ifndef TRIAGE_PG_SYNC_QUEUE_H
#define TRIAGE_PG_SYNC_QUEUE_H

#include "postgres.h"

#include "core/zendesk.h"
#include "datatype/timestamp.h"
#include "net/secret.h"

typedef enum SyncCallState
{
	SYNC_READY,					/* claimed, not called */
	SYNC_FLYING,
	SYNC_LANDED					/* its page or its failure is to be written */
} SyncCallState;

/* One claimed request, from the claim to the write; lies in its own context. */
typedef struct SyncCall
{
	MemoryContext context;
	SyncCallState state;
	char	   *tenant_id;		/* in the server's encoding, as the source's name */
	char	   *source;
	int			fence;
	ZendeskAsk	ask;			/* its strings in UTF-8, in the context */
	char	   *user;			/* NULL: the secret is a bearer token */
	char	   *secret;			/* the name of its file */
	SecretStamp stamp;			/* of that file before it was read */
	int			timeout_ms;
	TimestampTz give_up_at;		/* the lease is about to end */
	TimestampTz started_at;		/* 0: never */
	int			latency_ms;
	int			http_status;	/* 0: none */
	ZendeskResult result;
	TimestampTz not_before;		/* of the write */
	int			pause_ms;		/* before it is tried again */
} SyncCall;

/* Are there sources at all?  Executes nothing. */
extern bool sync_queue_has_sources(void);
/* worker_stop() was called. */
extern bool sync_queue_is_stopped(void);
/* Up to max calls; returns how many. */
extern int	sync_queue_claim(int slot, int max, SyncCall **calls);
/* When something is due next; DT_NOEND: nothing is. */
extern TimestampTz sync_queue_next(void);
/* False: somebody holds a ticket of the page, and nothing was stored; a claim that is not current any more is true. */
extern bool sync_queue_store(const SyncCall *call);
extern void sync_queue_fail(const SyncCall *call);
/* What rests for want of a right or a setting is due again; NULL: of all sources. */
extern int	sync_queue_revive(const char *tenant_id, const char *source);
/* What a predecessor in this slot had claimed is free. */
extern int	sync_queue_take_over(int slot);

extern void sync_call_free(SyncCall *call);

#endif
