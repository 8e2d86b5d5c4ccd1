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
	int			max_output_tokens;	/* 0: not sent */
	char		max_tokens_field[32];
	TimestampTz updated_at;
} Provider;

/* The version of the tables that this library works with; install() records it. */
#define SCHEMA_VERSION 1

/*
 * Of the enabled providers the one with the lowest rank; false when there is none.  stopped: worker_stop() was called.
 */
extern bool config_provider(Provider *provider, bool *stopped);
/* The name of an enabled provider builtin that is ranked after this one; false when there is none. */
extern bool config_last_resort(const char *after, char *name, size_t size);
/* Gives each job its tenant's vocabulary as of now. */
extern void config_vocabularies(Job **jobs, int count);
/* True when the tables are there and of SCHEMA_VERSION; else why says what to do. */
extern bool config_schema_fits(const char **why);

/* spi_connect() for a function that needs the tables: raises 55000 with the call that helps, unless they fit. */
extern void config_connect(void);
/* worker_stop() was called in this database and worker_start() not since; also while the tables are missing. */
extern bool config_worker_stopped(void);

#endif
