/*
 * endpoint.c
 *	  Part of dispatch: which provider serves, by rank and by gate, and what each needs to be called.
 *
 * The rows are read anew with each claim; what a worker knows besides (the key, what it waits for) stays with a row as
 * long as that does not change.  A changed row opens its gate to a probe: it may be the cure.
 */
#include "postgres.h"

#include "core/origin.h"
#include "pg/dispatch_state.h"
#include "pg/guc.h"
#include "utils/memutils.h"

/* A key's file is looked at so often while its provider is paused. */
#define WATCH_MS 1000
/* The next account is forgotten some minutes after its last call. */
#define NO_GATE_MS 60000
/* Jobs to choose a probe from: more are claimed and given back for nothing, fewer may all be such that always fail. */
#define PROBE_CHOICE 8

static void
forget_secret(Endpoint *endpoint)
{
	if (endpoint->secret == NULL)
		return;
	secret_wipe(endpoint->secret, SECRET_MAX + 1);
	pfree(endpoint->secret);
	endpoint->secret = NULL;
	endpoint->secret_known = false;
}

/* Asked for anew by each that wants it: one that nobody asks for becomes another account's after a while. */
static Gate *
find_gate(Endpoint *endpoint)
{
	endpoint->gate = endpoint->provider.api == API_BUILTIN ? NULL : gate_find(endpoint->gate_key);
	return endpoint->gate;
}

/* What was wrong may have been mended. */
static void
resume(Endpoint *endpoint)
{
	if (find_gate(endpoint))
		gate_resume(endpoint->gate, false, GetCurrentTimestamp());
}

static void
make_endpoint(Endpoint *endpoint, const Provider *provider)
{
	memset(endpoint, 0, sizeof(*endpoint));
	endpoint->provider = *provider;
	endpoint->limits = (GateLimits) {
		.max_in_flight = provider->max_in_flight,
		.requests_per_minute = provider->requests_per_minute,
		.tokens_per_minute = provider->tokens_per_minute
	};
	endpoint->gate_key = gate_key(provider->base_url, provider->model, provider->secret);
}

static void
replace_endpoints(Dispatch *d, const Provider *providers, int count)
{
	Endpoint   *old = palloc((d->endpoint_count + 1) * sizeof(Endpoint));
	int			old_count = d->endpoint_count;

	memcpy(old, d->endpoints, old_count * sizeof(Endpoint));
	d->serving = NULL;
	d->endpoint_count = 0;
	for (int i = 0; i < count; i++)
	{
		Endpoint   *endpoint = &d->endpoints[i];
		int			k = 0;

		while (k < old_count && strcmp(old[k].provider.name, providers[i].name) != 0)
			k++;
		if (k < old_count && old[k].provider.updated_at == providers[i].updated_at)
		{
			*endpoint = old[k];
			old[k].secret = NULL;
		}
		else
		{
			make_endpoint(endpoint, &providers[i]);
			if (k < old_count)
				resume(endpoint);
		}
		d->endpoint_count = i + 1;
	}
	for (int k = 0; k < old_count; k++)
		forget_secret(&old[k]);
}

void
endpoints_read(Dispatch *d, bool *stopped)
{
	ProviderVersion known[MAX_PROVIDERS];
	int			count = d->endpoint_count;
	Provider   *providers;

	for (int i = 0; i < count; i++)
	{
		strlcpy(known[i].name, d->endpoints[i].provider.name, sizeof(known[i].name));
		known[i].updated_at = d->endpoints[i].provider.updated_at;
	}
	providers = config_providers(known, &count, stopped);
	if (providers)
		replace_endpoints(d, providers, count);
}

/* The best ranked one's trouble is told; the first that opens ends the wait. */
static void
note_closed(Dispatch *d, TimestampTz until, const char *reason, char *trouble)
{
	d->open_at = Min(d->open_at, until);
	if (trouble[0] == '\0')
		strlcpy(trouble, reason, REASON_MAX);
}

static bool
look_at(Dispatch *d, Endpoint *endpoint, TimestampTz now, char *trouble)
{
	GateView	view = {.answer = GATE_CALL, .room = QUEUE_MAX_BATCH};
	char		by_hand[REASON_MAX];

	endpoint->watched = false;
	endpoint->avoid_job = 0;
	if (endpoint->provider.paused)
	{
		snprintf(by_hand, sizeof(by_hand), "paused by hand%s%s", endpoint->provider.pause_reason[0] ? ": " : "",
				 endpoint->provider.pause_reason);
		note_closed(d, DT_NOEND, by_hand, trouble);
		return false;
	}
	if (endpoint->over_budget)
	{
		note_closed(d, endpoint->over_until ? endpoint->over_until : DT_NOEND, endpoint->over_budget, trouble);
		return false;
	}
	if (find_gate(endpoint) == NULL && endpoint->provider.api != API_BUILTIN)
	{
		note_closed(d, in_ms(now, NO_GATE_MS),
					"more than " CppAsString2(GATE_COUNT) " provider accounts are in use on this server", trouble);
		return false;
	}
	if (endpoint->gate)
		gate_look(endpoint->gate, &endpoint->limits, now, &view);
	endpoint->watched = view.state == GATE_PAUSED && endpoint->provider.secret[0];
	if (view.answer != GATE_WAIT && now < endpoint->limited_until)
	{
		note_closed(d, endpoint->limited_until, "the limit per minute is used up", trouble);
		d->limited = true;
	}
	else if (view.answer == GATE_WAIT)
	{
		note_closed(d, view.until, view.reason, trouble);
		d->limited = d->limited || view.state == GATE_OPEN;
	}
	else
	{
		d->serving = endpoint;
		d->serving_room = view.room;
		/* with others at hand the probe need not be the one that failed, nor one that failed before it */
		if (view.answer == GATE_PROBE)
			d->serving_room = view.avoid_job ? Min(view.room, PROBE_CHOICE) : 1;
		endpoint->avoid_job = view.avoid_job;
		return true;
	}
	return false;
}

void
endpoints_choose(Dispatch *d, TimestampTz now)
{
	char		trouble[REASON_MAX] = "";
	bool		watch = false;

	d->serving = NULL;
	d->open_at = DT_NOEND;
	d->limited = false;
	for (int i = 0; i < d->endpoint_count; i++)
	{
		bool		serves = look_at(d, &d->endpoints[i], now, trouble);

		watch = watch || d->endpoints[i].watched;
		if (serves)
			break;
	}
	if (!watch)
		d->next_watch = 0;
	else if (d->next_watch == 0)
		d->next_watch = in_ms(now, WATCH_MS);
	if (d->serving)
		trouble[0] = '\0';
	if (strcmp(trouble, d->trouble) == 0)
		return;
	strlcpy(d->trouble, trouble, sizeof(d->trouble));
	d->trouble_since = now;
}

Endpoint *
endpoint_find(Dispatch *d, const char *name)
{
	for (int i = 0; i < d->endpoint_count; i++)
		if (strcmp(d->endpoints[i].provider.name, name) == 0)
			return &d->endpoints[i];
	return NULL;
}

static bool
read_secret(Endpoint *endpoint, uint32 pauses, const char **why)
{
	static char message[REASON_MAX];
	const char *name = endpoint->provider.secret;

	if (name[0] == '\0' || (endpoint->secret_known && endpoint->secret_pauses == pauses))
		return true;
	if (endpoint->secret == NULL)
		endpoint->secret = MemoryContextAlloc(TopMemoryContext, SECRET_MAX + 1);
	/* looked at first: a file that is replaced in between is then seen to have changed */
	secret_look(triage_secrets_directory, name, &endpoint->stamp);
	endpoint->stamp_known = true;
	endpoint->secret_known = secret_read(triage_secrets_directory, name, endpoint->secret, message, sizeof(message));
	endpoint->secret_pauses = pauses;
	*why = message;
	return endpoint->secret_known;
}

bool
endpoint_may_be_called(Endpoint *endpoint, uint32 pauses, const char **why)
{
	if (!origin_listed(triage_allowed_origins, endpoint->provider.base_url, why))
		return false;
	return read_secret(endpoint, pauses, why);
}

static bool
file_changed(Endpoint *endpoint)
{
	SecretStamp now;
	bool		changed;

	secret_look(triage_secrets_directory, endpoint->provider.secret, &now);
	changed = endpoint->stamp_known && memcmp(&now, &endpoint->stamp, sizeof(now)) != 0;
	endpoint->stamp = now;
	endpoint->stamp_known = true;
	return changed;
}

void
endpoints_watch(Dispatch *d, TimestampTz now)
{
	if (d->next_watch == 0 || now < d->next_watch)
		return;
	d->next_watch = in_ms(now, WATCH_MS);
	for (int i = 0; i < d->endpoint_count; i++)
	{
		Endpoint   *endpoint = &d->endpoints[i];

		if (!endpoint->watched || !file_changed(endpoint))
			continue;
		resume(endpoint);
		endpoint->watched = false;
		d->look = true;
	}
}

void
endpoints_reload(Dispatch *d)
{
	for (int i = 0; i < d->endpoint_count; i++)
	{
		Endpoint   *endpoint = &d->endpoints[i];

		endpoint->secret_known = false;
		resume(endpoint);
	}
}
