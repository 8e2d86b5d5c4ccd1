/*
 * endpoint.h
 *	  A provider as a worker sees it: its row, its gate, its key.
 */
#ifndef TRIAGE_PG_ENDPOINT_H
#define TRIAGE_PG_ENDPOINT_H

#include "postgres.h"

#include "net/secret.h"
#include "pg/config.h"
#include "pg/gate.h"

typedef struct Endpoint
{
	Provider	provider;
	GateLimits	limits;
	uint64		gate_key;
	Gate	   *gate;			/* NULL: builtin, which nothing closes */
	char	   *secret;			/* SECRET_MAX + 1 bytes, or NULL */
	bool		secret_known;
	uint32		secret_pauses;	/* the gate's pauses when it was read */
	bool		stamp_known;
	SecretStamp stamp;			/* of the key's file when it was read last */
	bool		watched;		/* paused, and its key's file may be the cure */
	TimestampTz limited_until;	/* a call was turned away by a limit */
	const char *over_budget;	/* while a claim chooses: why it may not be this one; NULL: it may */
	TimestampTz over_until;		/* 0: no time ends it */
	int64		avoid_job;		/* not to be the probe when there is another */
	int			latency_ms;		/* of its slower answers lately; 0: none came so far */
} Endpoint;

#endif
