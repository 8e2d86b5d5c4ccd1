/*
 * config.h
 *	  What the worker is told by tables: providers, and each tenant's prompt and categories.
 */
#ifndef TRIAGE_PG_CONFIG_H
#define TRIAGE_PG_CONFIG_H

#include "pg/queue.h"

typedef enum ProviderApi
{
	API_OPENAI,
	API_BUILTIN
} ProviderApi;

typedef struct Provider
{
	char		name[64];
	ProviderApi api;
	char		base_url[2049];
	char		model[MODEL_SIZE];	/* in UTF-8 */
	char		secret[256];	/* name of the key's file; "" for none */
	int			max_in_flight;	/* 0: no limit of its own */
	int			timeout_ms;
	int			requests_per_minute;	/* 0: no limit, as below */
	int			tokens_per_minute;
	bool		paused;			/* by hand */
	char		pause_reason[201];	/* in UTF-8; "": none was given */
	int			max_output_tokens;	/* 0: not sent */
	char		max_tokens_field[32];
	TimestampTz updated_at;
} Provider;

/* One state of a provider's row. */
typedef struct ProviderVersion
{
	char		name[64];
	TimestampTz updated_at;
} ProviderVersion;

/* So many stand in for each other. */
#define MAX_PROVIDERS 16
/* From this rank on a provider serves only while none before it is enabled, as the builtin one that install() makes. */
#define RANK_RESERVE 1000

/* The version of the tables that this library works with; install() records it.  A test builds it with the next one. */
#ifndef SCHEMA_VERSION
#define SCHEMA_VERSION 1
#endif

/*
 * The enabled providers by rank, at most MAX_PROVIDERS, palloc'd; NULL when they are those of known[].  count: of known[]
 * before, of the enabled ones after.  stopped: worker_stop() was called.
 */
extern Provider *config_providers(const ProviderVersion *known, int *count, bool *stopped);
/* Gives each job its tenant's vocabulary as of now. */
extern void config_vocabularies(Job **jobs, int count);
/* True when the tables are there and of SCHEMA_VERSION; else what is wrong, and what to do. */
extern bool config_schema_fits(const char **why, const char **hint);

/* spi_connect() for a function that needs the tables: raises 55000 with the call that helps, unless they fit. */
extern void config_connect(void);
/* No worker is to run: worker_stop() was called and worker_start() not since, the tables are missing, or a copy. */
extern bool config_worker_stopped(void);

#endif
