-- What an operator looks at: health(), run_stats(), explain_ticket().  doctor() is in api_doctor.sql.
--
-- health() is asked every few seconds by a monitoring system: each check reads a bounded number of rows through an
-- index, whatever the tables hold, and takes no lock that anybody waits for.  It runs as the owner, because it speaks of
-- all tenants, and says nothing that a person without further rights may not read: no key, no path, no ticket text.

CREATE FUNCTION triage.library_state()
	RETURNS TABLE (preloaded boolean, launcher_running boolean, worker_running boolean, schema_version int)
	LANGUAGE c STABLE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_library_state';
COMMENT ON FUNCTION triage.library_state() IS
	'the library in this server: whether it is preloaded, whether its launcher and this database''s resident worker run, and the version of the tables it works with; raises nothing';
REVOKE ALL ON FUNCTION triage.library_state() FROM PUBLIC;

CREATE FUNCTION triage.secret_refusal(secret text) RETURNS text
	LANGUAGE c STABLE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_secret_refusal';
COMMENT ON FUNCTION triage.secret_refusal(text) IS
	'why the worker could not use the file of this name in triage.secrets_directory as a key (missing, mode, owner, size, contents); null when it could; the file is read as the worker would read it, and nothing of it is returned; raises nothing';
REVOKE ALL ON FUNCTION triage.secret_refusal(text) FROM PUBLIC;

-- The parts of health() ------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.queue_head()
	RETURNS TABLE (due bigint, running bigint, over bigint, oldest_due timestamptz, oldest_over timestamptz, ahead_of_time bigint,
		longest_wait timestamptz)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	-- the order of the index or nothing: a sort of a long queue is what this must not do
	SET enable_seqscan = off
	SET enable_bitmapscan = off
	SET enable_sort = off
	SET jit = off
AS $$
	SELECT count(*) FILTER (WHERE j.lease_until IS NULL),
			count(*) FILTER (WHERE j.lease_until > statement_timestamp()),
			count(*) FILTER (WHERE j.lease_until < statement_timestamp() - interval '1 minute'),
			min(j.run_at) FILTER (WHERE j.lease_until IS NULL),
			min(j.lease_until) FILTER (WHERE j.lease_until < statement_timestamp() - interval '1 minute'),
			count(*) FILTER (WHERE j.claimed_at > statement_timestamp() + interval '1 minute'),
			-- a bulk of product issues may wait for hours, and no customer does
			min(j.run_at) FILTER (WHERE j.lease_until IS NULL AND j.kind NOT IN ('extract_issues', 'match_issues', 'name_cluster'))
		FROM unnest(enum_range(NULL::triage.ticket_priority)) AS p (priority)
		CROSS JOIN LATERAL (
			SELECT q.run_at, q.lease_until, q.claimed_at, q.kind
				FROM triage.ai_jobs q
				WHERE q.priority = p.priority AND q.run_at <= statement_timestamp()
				ORDER BY q.run_at, q.id
				LIMIT 1000) j
$$;
COMMENT ON FUNCTION triage.queue_head() IS
	'part of health(): what the first 1000 due jobs of each priority come to: how many wait, run, or have had a lease that ended more than a minute ago, since when, how many were claimed in the future, and since when one waits that is not about product issues; raises nothing';
REVOKE ALL ON FUNCTION triage.queue_head() FROM PUBLIC;

CREATE FUNCTION triage.latest_runs()
	RETURNS TABLE (provider text, model text, outcome triage.run_outcome, error text, latency_ms int, cost numeric,
		input_tokens int, started_at timestamptz, finished_at timestamptz)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET enable_bitmapscan = off
	SET enable_sort = off
	SET jit = off
AS $$
	SELECT l.provider, l.model, l.outcome, l.error, l.latency_ms, l.cost, l.input_tokens, l.started_at, l.finished_at
		FROM (SELECT r.* FROM triage.ai_runs r ORDER BY r.id DESC LIMIT 1000) l
		WHERE l.finished_at > statement_timestamp() - interval '1 hour'
$$;
COMMENT ON FUNCTION triage.latest_runs() IS
	'part of health(): the runs of the last hour, at most the latest 1000, newest first; raises nothing';
REVOKE ALL ON FUNCTION triage.latest_runs() FROM PUBLIC;

-- A provider of rank 1000 or more serves only while none below is enabled, as the worker has it.
CREATE FUNCTION triage.provider_troubles()
	RETURNS TABLE (name text, in_turn boolean, serves boolean, soon boolean, unpriced boolean, level triage.health_level, what text,
		since timestamptz)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	p record;
	uncovered CONSTANT text[] := ARRAY (SELECT unnest(b.uncovered_providers) FROM triage.budget_status b WHERE b.tenant IS NULL);
BEGIN
	FOR p IN
		SELECT x.*, g.state AS gate, g.reason AS gate_reason, g.since AS gate_since, g.closed_until,
				x.rank < 1000 OR NOT EXISTS (SELECT FROM triage.providers o WHERE o.enabled AND o.rank < 1000) AS in_turn,
				l.outcome AS last_outcome, l.error AS last_error, l.finished_at AS last_at
			FROM triage.providers x
			LEFT JOIN LATERAL triage.provider_gates(x.base_url, x.model, x.secret) g ON true
			-- without shared memory there is no gate to ask: then what the last call was told has to do
			LEFT JOIN LATERAL (
				SELECT r.outcome, r.error, r.finished_at
					FROM triage.latest_runs() r
					WHERE g.state IS NULL AND r.provider = x.name AND r.finished_at >= x.updated_at AND r.outcome NOT IN ('lost', 'stale')
					LIMIT 1) l ON true
			WHERE x.enabled
			ORDER BY x.rank, x.name
	LOOP
		name := p.name;
		in_turn := p.in_turn;
		serves := false;
		soon := false;
		unpriced := false;
		level := 'critical';
		since := NULL;
		IF p.paused_at IS NOT NULL THEN
			level := 'warning';
			what := format('paused by %s', p.paused_by) || coalesce(': ' || p.pause_reason, '');
			since := p.paused_at;
		ELSIF triage.origin_refusal(p.base_url) IS NOT NULL THEN
			what := triage.origin_refusal(p.base_url);
		ELSIF triage.secret_refusal(p.secret) IS NOT NULL THEN
			what := 'its key cannot be read: ' || triage.secret_refusal(p.secret);
		ELSIF p.name = ANY (uncovered) THEN
			unpriced := true;
			level := 'warning';
			what := 'not called under the budget of all tenants: it has no price in the budget''s currency, or no limit of output tokens';
		ELSIF p.gate = 'paused' OR p.last_outcome IN ('account', 'misconfigured') THEN
			what := coalesce(p.gate_reason, p.last_error);
			since := coalesce(p.gate_since, p.last_at);
		ELSIF p.gate IN ('unreachable', 'failing') THEN
			level := CASE WHEN p.gate_since > statement_timestamp() - interval '5 minutes' THEN 'warning' ELSE 'critical' END;
			what := format('%s: %s', p.gate, p.gate_reason);
			since := p.gate_since;
		ELSIF p.gate IN ('throttled', 'probing') THEN
			soon := true;
			level := 'warning';
			what := CASE p.gate WHEN 'throttled' THEN format('it asked to wait until %s: %s', p.closed_until, p.gate_reason)
				ELSE 'one call is on its way that tries it again' || coalesce(': ' || p.gate_reason, '') END;
			since := p.gate_since;
		ELSE
			serves := true;
			level := 'ok';
			what := CASE WHEN p.in_turn THEN 'nothing is known against it' ELSE 'in reserve until no provider of a rank below 1000 is enabled' END;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.provider_troubles() IS
	'part of health(): each enabled provider by rank: whether it is in turn (rank below 1000, or none such is enabled), whether it serves, or will do so soon without anybody''s help, whether a budget of all tenants keeps it from being called as the cost of a call has no bound, and what is known against it, in the endpoint''s words, too, which may repeat a ticket: see said_in_public(); raises nothing';
REVOKE ALL ON FUNCTION triage.provider_troubles() FROM PUBLIC;

CREATE FUNCTION triage.said_in_public(what text) RETURNS text
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT regexp_replace(what, E'(\\mHTTP \\d{3}): .*', E'\\1')
$$;
COMMENT ON FUNCTION triage.said_in_public(text) IS
	'part of health(): what is known against a provider without what its endpoint said, which may repeat the ticket of another tenant; raises nothing';
REVOKE ALL ON FUNCTION triage.said_in_public(text) FROM PUBLIC;

CREATE FUNCTION triage.hold_reason() RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	control record;
	state record;
	trouble text;
BEGIN
	SELECT * INTO state FROM triage.library_state();
	SELECT * INTO control FROM triage.worker_control c;
	IF pg_is_in_recovery() THEN
		RETURN 'this server is a standby';
	ELSIF triage.home_refusal() IS NOT NULL THEN
		RETURN triage.home_refusal();
	ELSIF NOT current_setting('triage.enabled')::boolean THEN
		RETURN 'triage.enabled is off';
	ELSIF control.paused_at IS NOT NULL THEN
		RETURN format('%s paused all work', control.paused_by) || coalesce(': ' || control.pause_reason, '');
	ELSIF control.stopped_at IS NOT NULL THEN
		RETURN format('the worker was stopped by %s', control.stopped_by);
	ELSIF NOT EXISTS (SELECT FROM triage.providers p WHERE p.enabled) THEN
		RETURN 'no provider is enabled';
	END IF;
	SELECT format('provider %s cannot serve: %s', t.name, triage.said_in_public(t.what)) INTO trouble
		FROM triage.provider_troubles() t
		WHERE t.in_turn
			AND NOT EXISTS (SELECT FROM triage.provider_troubles() o WHERE o.in_turn AND o.serves)
		LIMIT 1;
	IF trouble IS NOT NULL THEN
		RETURN trouble;
	ELSIF EXISTS (SELECT FROM triage.budget_status b
		WHERE b.exhausted AND (b.tenant IS NULL OR b.tenant = triage.current_tenant()))
	THEN
		RETURN (SELECT format('the %s budget of %s is used up until %s', b.period, coalesce('tenant ' || b.tenant, 'all tenants'), b.resets_at)
			FROM triage.budget_status b
			WHERE b.exhausted AND (b.tenant IS NULL OR b.tenant = triage.current_tenant())
			ORDER BY b.resets_at DESC LIMIT 1);
	ELSIF NOT state.worker_running THEN
		RETURN 'no worker runs';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.hold_reason() IS
	'why no job of the current tenant is worked on at present, in words; null when nothing holds them up; raises nothing';
REVOKE ALL ON FUNCTION triage.hold_reason() FROM PUBLIC;

CREATE FUNCTION triage.health_worker(oldest_due timestamptz)
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	control record;
	state record;
	waits boolean := oldest_due < statement_timestamp() - interval '1 minute';
BEGIN
	SELECT * INTO state FROM triage.library_state();
	check_name := 'library';
	IF state.preloaded THEN
		level := 'ok';
		what := 'the library is preloaded';
	ELSE
		level := 'warning';
		what := 'the library is not preloaded: workers do not start with the server, and nothing counts what they do';
		what_to_do := 'Add triage to shared_preload_libraries and restart the server.';
	END IF;
	RETURN NEXT;

	SELECT * INTO control FROM triage.worker_control c;
	check_name := 'enabled';
	level := CASE WHEN current_setting('triage.enabled')::boolean THEN 'ok' ELSE 'warning' END;
	what := CASE level WHEN 'ok' THEN 'models may be called' ELSE 'triage.enabled is off: no model is called from any database of this server' END;
	what_to_do := CASE WHEN level > 'ok' THEN 'ALTER SYSTEM SET triage.enabled = on; SELECT pg_reload_conf();' END;
	RETURN NEXT;

	check_name := 'pause';
	level := CASE WHEN control.paused_at IS NULL THEN 'ok' ELSE 'warning' END;
	since := control.paused_at;
	what := CASE level WHEN 'ok' THEN 'nobody paused the work of this database'
		ELSE format('%s paused all work', control.paused_by) || coalesce(': ' || control.pause_reason, '') END;
	what_to_do := CASE WHEN level > 'ok' THEN 'SELECT triage.resume();' END;
	RETURN NEXT;

	check_name := 'home';
	-- that may be as it should be; but if this is the database to work in, nobody else will say so
	level := CASE WHEN triage.home_refusal() IS NULL THEN 'ok' WHEN waits THEN 'critical' ELSE 'warning' END;
	since := CASE level WHEN 'critical' THEN oldest_due END;
	what := coalesce('no model is called from here: ' || triage.home_refusal(), 'the tickets of this database are worked on in this database');
	what_to_do := CASE WHEN level > 'ok' THEN 'If this is a copy, leave it so. If it is the database to work in: SELECT triage.adopt();' END;
	RETURN NEXT;

	check_name := 'worker';
	since := NULL;
	level := 'ok';
	what_to_do := NULL;
	IF pg_is_in_recovery() THEN
		what := 'this server is a standby: its worker starts when it is promoted';
	ELSIF triage.home_refusal() IS NOT NULL THEN
		level := 'warning';
		what := format('no model is called from this database: %s', triage.home_refusal());
		what_to_do := 'In a copy, nothing. If this database is to do the work: SELECT triage.adopt(); and no subscription may fill triage.ai_jobs.';
	ELSIF control.stopped_at IS NOT NULL THEN
		level := 'warning';
		since := control.stopped_at;
		what := format('the worker was stopped by %s', control.stopped_by);
		what_to_do := 'SELECT triage.worker_start();';
	ELSIF state.worker_running THEN
		what := 'the worker runs';
	ELSIF triage.waiting_databases() > 0 THEN
		level := CASE WHEN waits THEN 'critical' ELSE 'warning' END::triage.health_level;
		since := CASE WHEN waits THEN oldest_due END;
		what := format('no slot of max_worker_processes (%s) is free: databases take turns', current_setting('max_worker_processes'));
		what_to_do := 'Increase max_worker_processes and restart the server, or name fewer databases in triage.databases.';
	ELSIF waits THEN
		level := 'critical';
		since := oldest_due;
		what := 'no worker runs, and jobs wait';
		what_to_do := 'SELECT triage.worker_start(); and when none appears, SELECT * FROM triage.doctor();';
	ELSIF state.preloaded THEN
		level := 'warning';
		what := 'no worker runs, although the library is preloaded';
		what_to_do := 'Is the database in triage.databases, and is a slot of max_worker_processes free? Then SELECT triage.worker_start();';
	ELSE
		what := 'no worker runs, and no job is due: a new ticket starts one';
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_worker(timestamptz) IS
	'part of health(): checks library, switches and worker; oldest_due: since when the oldest job that nobody holds has been due; raises nothing';
REVOKE ALL ON FUNCTION triage.health_worker(timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.health_queue()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	head record;
	depth bigint;
	age interval;
BEGIN
	SELECT * INTO head FROM triage.queue_head();
	RETURN QUERY SELECT * FROM triage.health_worker(head.oldest_due);

	age := date_trunc('second', statement_timestamp() - head.longest_wait);
	-- beyond what was looked at, the statistics' count is near enough
	depth := greatest(head.due + head.running, pg_stat_get_live_tuples('triage.ai_jobs'::regclass));
	check_name := 'queue';
	level := CASE WHEN age > '1 hour' THEN 'critical' WHEN age > '5 minutes' THEN 'warning' ELSE 'ok' END;
	since := head.longest_wait;
	what := CASE WHEN head.longest_wait IS NULL AND head.due > 0 THEN format('only product issues wait, %s in the queue', depth)
		WHEN head.longest_wait IS NULL THEN format('no job is due, %s in the queue', depth)
		ELSE format('the oldest job that is due has waited for %s, %s in the queue', age, depth) END;
	IF level > 'ok' THEN
		what_to_do := CASE WHEN triage.hold_reason() IS NOT NULL THEN format('First: %s.', triage.hold_reason())
			ELSE 'Calls are slower than tickets come: raise triage.max_in_flight, or the provider''s max_in_flight.' END;
	END IF;
	RETURN NEXT;

	check_name := 'leases';
	level := CASE WHEN head.over > 0 THEN 'warning' ELSE 'ok' END;
	since := head.oldest_over;
	what := CASE WHEN head.over > 0 THEN format('%s leases ended without an answer and were not taken back', head.over)
		ELSE 'no lease has outlived its time' END;
	what_to_do := CASE WHEN head.over > 0 THEN 'SELECT triage.reap_jobs();' END;
	RETURN NEXT;

	check_name := 'clock';
	level := CASE WHEN head.ahead_of_time > 0 THEN 'warning' ELSE 'ok' END;
	since := NULL;
	what := CASE WHEN head.ahead_of_time > 0 THEN format('%s jobs were claimed in the future: the server''s clock was set back', head.ahead_of_time)
		ELSE 'no job was claimed in the future' END;
	what_to_do := CASE WHEN head.ahead_of_time > 0
		THEN 'Keep the clock by NTP. Leases and retries hold until the clock has caught up, or: SELECT triage.worker_stop(); SELECT triage.worker_start();' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_queue() IS
	'part of health(): checks library, worker, queue, leases and clock; raises nothing';
REVOKE ALL ON FUNCTION triage.health_queue() FROM PUBLIC;

CREATE FUNCTION triage.health_providers()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	p record;
	serving text;
	soon boolean := false;
	enabled int := 0;
BEGIN
	FOR p IN SELECT * FROM triage.provider_troubles() LOOP
		enabled := enabled + 1;
		IF p.in_turn AND p.serves THEN
			serving := coalesce(serving, p.name);
		END IF;
		soon := soon OR (p.in_turn AND p.soon);
		check_name := 'provider ' || p.name;
		level := p.level;
		what := triage.said_in_public(p.what);
		since := p.since;
		what_to_do := CASE WHEN p.level = 'ok' THEN NULL
			WHEN p.unpriced THEN format('SELECT triage.set_price(...) for its model and SELECT triage.set_output_limit(%L, ...);', p.name)
			WHEN p.soon THEN 'It goes on by itself. If it happens often, lower its max_in_flight or requests_per_minute.'
			ELSE format('Mend its origin, key, account or model (triage.provider_status has its words, triage.doctor() may know more), then SELECT triage.resume_provider(%L);', p.name) END;
		RETURN NEXT;
	END LOOP;

	check_name := 'providers';
	level := CASE WHEN serving IS NOT NULL THEN 'ok' WHEN soon THEN 'warning' ELSE 'critical' END;
	since := NULL;
	what := CASE WHEN enabled = 0 THEN 'no provider is enabled'
		WHEN serving IS NOT NULL THEN format('provider %s serves', serving)
		WHEN soon THEN 'every provider whose turn it is has asked to wait'
		ELSE 'no provider whose turn it is can serve' END;
	what_to_do := CASE level WHEN 'ok' THEN NULL
		WHEN 'warning' THEN 'Wait, or add another provider: SELECT triage.set_provider(...);'
		ELSE 'Mend one, or SELECT triage.set_provider(...); the provider builtin needs no network, and is in turn with a rank below 1000.' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_providers() IS
	'part of health(): checks each enabled provider, and that there is one that can serve; raises nothing';
REVOKE ALL ON FUNCTION triage.health_providers() FROM PUBLIC;

CREATE FUNCTION triage.health_runs()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	r record;
BEGIN
	-- throttled calls, stale answers and what a restart cut off say nothing of whether the model answers well
	SELECT count(*) FILTER (WHERE l.outcome NOT IN ('throttled', 'stale', 'lost')) AS calls,
			count(*) FILTER (WHERE l.outcome = 'succeeded') AS good,
			mode() WITHIN GROUP (ORDER BY l.outcome) FILTER (WHERE l.outcome NOT IN ('succeeded', 'throttled', 'stale', 'lost')) AS mostly,
			percentile_disc(0.95) WITHIN GROUP (ORDER BY l.latency_ms) AS p95,
			min(p.timeout_ms) AS timeout_ms,
			string_agg(DISTINCT l.model, ', ') FILTER (WHERE l.cost IS NULL AND l.input_tokens IS NOT NULL) AS unpriced
		INTO r
		FROM triage.latest_runs() l LEFT JOIN triage.providers p ON p.name = l.provider;

	check_name := 'answers';
	level := CASE WHEN r.calls < 10 OR r.good >= 0.9 * r.calls THEN 'ok' WHEN r.good >= 0.5 * r.calls THEN 'warning' ELSE 'critical' END;
	what := CASE WHEN r.calls = 0 THEN 'no call in the last hour'
		ELSE format('%s of the latest %s calls in the last hour succeeded', r.good, r.calls)
			|| coalesce(', the others mostly ' || r.mostly, '') END;
	what_to_do := CASE WHEN level > 'ok'
		THEN 'SELECT class, message, count(*) FROM triage.ai_failures GROUP BY 1, 2 ORDER BY 3 DESC;' END;
	RETURN NEXT;

	check_name := 'latency';
	level := CASE WHEN r.p95 >= 0.8 * r.timeout_ms THEN 'warning' ELSE 'ok' END;
	what := CASE WHEN r.p95 IS NULL THEN 'no call in the last hour'
		ELSE format('95 of 100 calls took %s ms at most', r.p95) || coalesce(', the timeout is ' || r.timeout_ms || ' ms', '') END;
	what_to_do := CASE WHEN level > 'ok' THEN 'Raise the provider''s timeout_ms, or lower its max_in_flight.' END;
	RETURN NEXT;

	check_name := 'prices';
	level := CASE WHEN r.unpriced IS NULL THEN 'ok' ELSE 'warning' END;
	what := CASE WHEN r.unpriced IS NULL THEN 'the cost of every call in the last hour is known, if it told its tokens'
		ELSE format('no price is known for %s: its calls are not counted as money', r.unpriced) END;
	what_to_do := CASE WHEN level > 'ok' THEN 'SELECT triage.set_price(model, input, output, currency); per million tokens.' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_runs() IS
	'part of health(): checks success, latency and prices of the latest calls; raises nothing';
REVOKE ALL ON FUNCTION triage.health_runs() FROM PUBLIC;

CREATE FUNCTION triage.health_budgets()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	n record;
	worst record;
BEGIN
	SELECT count(*) AS budgets, count(*) FILTER (WHERE b.exhausted) AS exhausted,
			(SELECT string_agg(c.amount || ' ' || c.currency, ', ' ORDER BY c.currency)
				FROM (SELECT c.currency, round(sum(c.unsettled), 4)::text AS amount
						FROM triage.budget_status c WHERE c.unsettled > 0 GROUP BY c.currency) c) AS unsettled,
			(SELECT string_agg(c.amount || ' ' || c.currency, ', ' ORDER BY c.currency)
				FROM (SELECT c.currency, round(max(c.excess), 4)::text AS amount
						FROM triage.budget_status c WHERE c.excess_at > now() - interval '1 day' GROUP BY c.currency) c) AS excess,
			min(b.excess_at) FILTER (WHERE b.excess_at > now() - interval '1 day') AS excess_at,
			(SELECT string_agg(DISTINCT u.name, ', ') FROM triage.budget_status c, unnest(c.uncovered_providers) AS u (name)) AS uncovered
		INTO n
		FROM triage.budget_status b;
	-- one of all tenants before those of one
	SELECT b.*, coalesce(1 - b.remaining / nullif(b.spend_limit, 0), 1) AS used INTO worst
		FROM triage.budget_status b
		ORDER BY b.exhausted DESC, b.tenant IS NOT NULL, b.remaining / nullif(b.spend_limit, 0) LIMIT 1;
	check_name := 'budgets';
	level := CASE WHEN n.budgets = 0 THEN 'ok' WHEN worst.exhausted AND worst.tenant IS NULL THEN 'critical'
		WHEN worst.exhausted OR worst.used > 0.8 OR n.uncovered IS NOT NULL OR n.unsettled IS NOT NULL
			OR n.excess IS NOT NULL THEN 'warning' ELSE 'ok' END;
	-- who may ask this may not know the tenants
	what := CASE WHEN n.budgets = 0 THEN 'there are no budgets'
		ELSE format('%s of %s budgets are used up; the %s budget of %s has %s of %s %s left until %s', n.exhausted, n.budgets, worst.period,
				CASE WHEN worst.tenant IS NULL THEN 'all tenants' ELSE 'one tenant' END, round(worst.remaining, 4), worst.spend_limit,
				worst.currency, worst.resets_at)
			|| coalesce('; not called under them: ' || n.uncovered, '')
			|| coalesce('; ' || n.unsettled || ' may have been spent by calls of which nobody knows', '')
			|| coalesce('; ' || n.excess || ' were spent beyond what calls had reserved', '') END;
	since := n.excess_at;
	what_to_do := CASE WHEN level = 'ok' THEN NULL
		WHEN n.uncovered IS NOT NULL THEN 'SELECT triage.set_price(...) for their models and triage.set_output_limit(...) for them.'
		WHEN n.unsettled IS NOT NULL AND NOT worst.exhausted AND worst.used <= 0.8
			THEN 'Compare with the provider''s bill, then SELECT triage.write_off(period, tenant).'
		WHEN n.excess IS NOT NULL AND NOT worst.exhausted AND worst.used <= 0.8
			THEN 'See finding dearer model of triage.doctor(); otherwise the endpoint does not keep to max_output_tokens. From the next claim on the dearer price is reserved.'
		ELSE 'Wait, or SELECT triage.set_budget(...); SELECT * FROM triage.budget_status has them all.' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_budgets() IS
	'part of health(): checks the budgets; raises nothing';
REVOKE ALL ON FUNCTION triage.health_budgets() FROM PUBLIC;

-- The worker puts a job whose tenant has no prompt for it off again and again, so those that are not due count as well.
CREATE FUNCTION triage.health_prompts()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET enable_bitmapscan = off
	SET enable_sort = off
	SET jit = off
AS $$
DECLARE
	n record;
BEGIN
	-- who may ask this may not know the tenants
	SELECT count(DISTINCT w.tenant_id) AS tenants, sum(w.jobs) AS jobs, string_agg(DISTINCT w.kind::text, ', ') AS kinds, min(w.since) AS since
		INTO n
		FROM (
			SELECT j.tenant_id, j.kind, count(*) AS jobs, min(j.created_at) AS since
				FROM unnest(enum_range(NULL::triage.ticket_priority)) AS p (priority)
				CROSS JOIN LATERAL (
					SELECT q.tenant_id, q.kind, q.created_at, q.lease_until
						FROM triage.ai_jobs q
						WHERE q.priority = p.priority
						ORDER BY q.run_at, q.id
						LIMIT 1000) j
				WHERE j.lease_until IS NULL AND j.created_at < statement_timestamp() - interval '1 minute'
				GROUP BY j.tenant_id, j.kind) w
		-- builtin reads none
		WHERE EXISTS (SELECT FROM triage.providers p WHERE p.enabled AND p.api <> 'builtin')
			AND NOT EXISTS (SELECT FROM triage.prompts p WHERE p.tenant_id = w.tenant_id AND p.kind = w.kind AND p.is_active);
	check_name := 'prompts';
	level := CASE WHEN n.tenants = 0 THEN 'ok' ELSE 'warning' END;
	since := n.since;
	what := CASE WHEN n.tenants = 0 THEN 'no job waits for a prompt'
		ELSE format('%s jobs of %s tenants wait because there is no active prompt of their kind: %s', n.jobs, n.tenants, n.kinds) END;
	what_to_do := CASE WHEN level > 'ok' THEN 'SELECT * FROM triage.doctor() WHERE finding = ''no prompt'';' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_prompts() IS
	'part of health(): checks whether jobs, among the first 1000 of each priority, wait for a prompt that their tenant does not have; raises nothing';
REVOKE ALL ON FUNCTION triage.health_prompts() FROM PUBLIC;

CREATE FUNCTION triage.health_failures()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET jit = off
AS $$
DECLARE
	d record;
BEGIN
	-- the latest 1000: with more than that in a day the figures are "at least"
	WITH letters AS (
		SELECT l.class, l.failed_at FROM triage.ai_dead_letters l
			WHERE l.failed_at > statement_timestamp() - interval '1 day'
			ORDER BY l.failed_at DESC LIMIT 1000
	), classes AS (
		SELECT l.class, count(*) AS n, count(*) FILTER (WHERE l.failed_at > statement_timestamp() - interval '1 hour') AS n_hour,
				min(l.failed_at) FILTER (WHERE l.failed_at > statement_timestamp() - interval '1 hour') AS since
			FROM letters l GROUP BY l.class)
	SELECT coalesce(sum(c.n), 0) AS day, coalesce(sum(c.n_hour), 0) AS hour, min(c.since) AS since,
			string_agg(format('%s %s', c.n, c.class), ', ' ORDER BY c.n DESC, c.class) AS classes
		INTO d FROM classes c;
	check_name := 'failures';
	level := CASE WHEN d.hour = 0 THEN 'ok'
		WHEN d.hour >= 10 AND d.hour > (SELECT count(*) FROM triage.latest_runs() r WHERE r.outcome = 'succeeded') THEN 'critical'
		ELSE 'warning' END;
	since := d.since;
	what := format('%s jobs were given up in the last hour, %s in the last day', d.hour, d.day) || coalesce(': ' || d.classes, '');
	what_to_do := CASE WHEN level > 'ok'
		THEN 'SELECT kind, ticket_id, session_id, cluster_id, class, message FROM triage.ai_failures; and when the cause is gone, SELECT triage.retry_failed();' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_failures() IS
	'part of health(): checks how many jobs were given up lately, by class; raises nothing';
REVOKE ALL ON FUNCTION triage.health_failures() FROM PUBLIC;

CREATE FUNCTION triage.health()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET jit = off
	-- whoever watches must not wait in the line that is the trouble
	SET lock_timeout = '1s'
AS $$
BEGIN
	PERFORM triage.check_schema();
	RETURN QUERY SELECT * FROM triage.health_queue();
	RETURN QUERY SELECT * FROM triage.health_providers();
	RETURN QUERY SELECT * FROM triage.health_prompts();
	RETURN QUERY SELECT * FROM triage.health_failures();
	RETURN QUERY SELECT * FROM triage.health_runs();
	RETURN QUERY SELECT * FROM triage.health_budgets();
	RETURN QUERY SELECT * FROM triage.health_events();
	RETURN QUERY SELECT * FROM triage.health_sync();
	check_name := 'tables';
	level := 'ok';
	SELECT format('the tables are of version %s, as the library wants them', s.schema_version) INTO what FROM triage.library_state() s;
	RETURN NEXT;
EXCEPTION
	-- first the one that is of the other's class
	WHEN lock_not_available THEN
		check_name := 'tables';
		level := 'critical';
		what := 'somebody has locked a table of triage against everybody else: tickets are not triaged meanwhile, and what was not checked is missing here';
		what_to_do := 'SELECT pid, mode, relation::regclass FROM pg_locks WHERE relation::regclass::text LIKE ''triage.%'' AND mode = ''AccessExclusiveLock'';';
		RETURN NEXT;
	WHEN object_not_in_prerequisite_state THEN
		check_name := 'tables';
		level := 'critical';
		what := SQLERRM;
		what_to_do := 'SELECT triage.install();';
		RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health() IS
	'the state of triage in this database, one row a check: its name, how bad it is (ok, warning, critical), what was found, since when if that is known, and what to do about it; SELECT max(level) for the whole; takes some milliseconds whatever the tables hold, and waits a second at most for a lock; raises nothing';
REVOKE ALL ON FUNCTION triage.health() FROM PUBLIC;

-- Runs by time -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.run_stats(
	since timestamptz DEFAULT now() - interval '1 hour',
	until timestamptz DEFAULT 'infinity',
	bucket interval DEFAULT '1 minute')
	RETURNS TABLE (bucket_start timestamptz, provider text, model text, calls bigint, succeeded bigint, throttled bigint,
		account bigint, misconfigured bigint, bad_request bigint, refused bigint, transient bigint, unusable_answer bigint,
		stale bigint, lost bigint, p50_ms int, p95_ms int, input_tokens bigint, cached_tokens bigint, output_tokens bigint,
		cost numeric, currency text, unknown_cost bigint)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
BEGIN
	IF bucket IS NULL OR bucket NOT BETWEEN '1 second' AND '36525 days' OR extract(month FROM bucket) <> 0 OR extract(year FROM bucket) <> 0 THEN
		RAISE EXCEPTION 'bucket must be from a second to 36525 days, and not in months'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For instance ''1 minute'', ''1 hour'' or ''1 day''.';
	ELSIF since IS NULL OR NOT isfinite(since) OR until IS NULL OR until < since THEN
		RAISE EXCEPTION 'since must be a time, and not after until'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'The rows are found through an index on finished_at, so give them an end.';
	END IF;
	RETURN QUERY
		-- from a fixed point, so that buckets of two questions are the same ones
		SELECT date_bin(bucket, r.finished_at, timestamptz '2000-01-01 00:00:00+00'), r.provider, r.model, count(*),
				count(*) FILTER (WHERE r.outcome = 'succeeded'), count(*) FILTER (WHERE r.outcome = 'throttled'),
				count(*) FILTER (WHERE r.outcome = 'account'), count(*) FILTER (WHERE r.outcome = 'misconfigured'),
				count(*) FILTER (WHERE r.outcome = 'bad_request'), count(*) FILTER (WHERE r.outcome = 'refused'),
				count(*) FILTER (WHERE r.outcome = 'transient'), count(*) FILTER (WHERE r.outcome = 'unusable_answer'),
				count(*) FILTER (WHERE r.outcome = 'stale'), count(*) FILTER (WHERE r.outcome = 'lost'),
				percentile_disc(0.5) WITHIN GROUP (ORDER BY r.latency_ms), percentile_disc(0.95) WITHIN GROUP (ORDER BY r.latency_ms),
				sum(r.input_tokens), sum(r.cached_tokens), sum(r.output_tokens), sum(r.cost),
				r.currency, count(*) FILTER (WHERE r.cost IS NULL)
			FROM triage.ai_runs r
			WHERE r.finished_at >= since AND r.finished_at < until
			GROUP BY 1, 2, 3, r.currency
			ORDER BY 1, 2, 3, r.currency;
END
$$;
COMMENT ON FUNCTION triage.run_stats(timestamptz, timestamptz, interval) IS
	'the calls that ended from since until (not included), by stretches of time of length bucket (1 second to 36525 days, no months), provider, model and currency (null: no price, or builtin): how many, by outcome, median and 95th percentile of their latency in milliseconds, tokens, cost, and how many of unknown cost; a tenant sees its own; raises 22023 for a bucket or times that cannot be used';
REVOKE ALL ON FUNCTION triage.run_stats(timestamptz, timestamptz, interval) FROM PUBLIC;

-- One ticket -------------------------------------------------------------------------------------------------------------

-- As the owner: that an answer came of this prompt and of no other is for everybody to check, its text is not to be read.
CREATE FUNCTION triage.prompt_sha256(version int, kind triage.job_kind DEFAULT 'triage') RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT encode(sha256(convert_to(p.system_text, 'UTF8')), 'hex')
		FROM triage.prompts p
		WHERE p.tenant_id = triage.current_tenant() AND p.kind = prompt_sha256.kind AND p.version = prompt_sha256.version
$$;
COMMENT ON FUNCTION triage.prompt_sha256(int, triage.job_kind) IS
	'the SHA-256 of the text, in UTF-8, of a version of the current tenant''s prompt of that kind, in hexadecimal; null when there is no such version; raises nothing';
REVOKE ALL ON FUNCTION triage.prompt_sha256(int, triage.job_kind) FROM PUBLIC;

CREATE FUNCTION triage.explain_runs(ticket_id bigint) RETURNS jsonb
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('run_id', r.id, 'job_id', r.job_id, 'fence', r.fence, 'outcome', r.outcome,
			'error', r.error, 'provider', r.provider, 'model', r.model, 'prompt_version', r.prompt_version,
			'kind', r.kind, 'prompt_sha256', triage.prompt_sha256(r.prompt_version, r.kind),
			'http_status', r.http_status, 'request_id', r.request_id, 'started_at', r.started_at, 'finished_at', r.finished_at,
			'latency_ms', r.latency_ms, 'input_tokens', r.input_tokens, 'cached_tokens', r.cached_tokens,
			'cache_write_tokens', r.cache_write_tokens, 'output_tokens', r.output_tokens, 'cost', r.cost, 'currency', r.currency,
			'price', r.price) ORDER BY r.id), '[]')
		FROM triage.ai_runs r
		WHERE r.tenant_id = triage.current_tenant() AND r.ticket_id = explain_runs.ticket_id
$$;
COMMENT ON FUNCTION triage.explain_runs(bigint) IS
	'part of explain_ticket(): the calls made for a ticket of the current tenant, oldest first; raises nothing';
REVOKE ALL ON FUNCTION triage.explain_runs(bigint) FROM PUBLIC;

CREATE FUNCTION triage.explain_results(ticket_id bigint) RETURNS jsonb
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- What a result changed stands in the history under the actor triage.  It was written just before the result's own
	-- time, and after the one of the result before.
	WITH result AS (
		SELECT r.*, lag(r.processed_at, 1, '-infinity') OVER (ORDER BY r.id) AS since
			FROM triage.ticket_ai_results r
			WHERE r.tenant_id = triage.current_tenant() AND r.ticket_id = explain_results.ticket_id
	), history AS (
		SELECT h.*, jsonb_build_object('field', h.field, 'from', h.old_value, 'to', h.new_value, 'at', h.created_at) AS change
			FROM triage.ticket_history h
			WHERE h.tenant_id = triage.current_tenant() AND h.ticket_id = explain_results.ticket_id
				AND h.field IN ('category', 'priority')
	)
	SELECT coalesce(jsonb_agg(jsonb_build_object('result_id', r.id, 'run_id', r.run_id, 'processed_at', r.processed_at,
			'superseded_at', r.superseded_at, 'ticket_version', r.ticket_version, 'category', r.category, 'urgency', r.urgency,
			'sentiment_score', r.sentiment_score, 'confidence', r.confidence, 'needs_human', r.needs_human,
			'language', r.language,
			'applied', (SELECT coalesce(jsonb_agg(h.change ORDER BY h.id), '[]') FROM history h
				WHERE h.changed_by = 'triage' AND h.created_at > r.since AND h.created_at <= r.processed_at),
			'overridden', (SELECT coalesce(jsonb_agg(h.change || jsonb_build_object('by', h.changed_by, 'session_role', h.session_role)
						ORDER BY h.id), '[]') FROM history h
				WHERE h.changed_by <> 'triage' AND h.created_at > r.processed_at
					AND h.created_at <= coalesce(r.superseded_at, 'infinity')))
			ORDER BY r.id DESC), '[]')
		FROM result r
$$;
COMMENT ON FUNCTION triage.explain_results(bigint) IS
	'part of explain_ticket(): the accepted answers to a ticket of the current tenant, newest first, with what each changed on the ticket and what people changed after it; raises nothing';
REVOKE ALL ON FUNCTION triage.explain_results(bigint) FROM PUBLIC;

CREATE FUNCTION triage.explain_job(ticket_id bigint) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	j record;
	last record;
	waits_because text;
BEGIN
	SELECT * INTO j FROM triage.ai_jobs x WHERE x.tenant_id = tenant AND x.ticket_id = explain_job.ticket_id AND x.kind = 'triage';
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	SELECT r.outcome INTO last FROM triage.ai_runs r
		WHERE r.tenant_id = tenant AND r.ticket_id = explain_job.ticket_id AND r.job_id = j.id
		ORDER BY r.id DESC LIMIT 1;
	waits_because := CASE
		WHEN j.lease_until > statement_timestamp() THEN NULL
		WHEN NOT EXISTS (SELECT FROM triage.ticket_categories c WHERE c.tenant_id = tenant AND c.is_active)
			THEN 'the tenant has no active category'
		WHEN triage.hold_reason() IS NOT NULL THEN triage.hold_reason()
		WHEN j.run_at > statement_timestamp() THEN coalesce('its last try ended as ' || last.outcome, 'its time has not come')
		ELSE 'others that are more urgent or older come first' END;
	RETURN jsonb_build_object('job_id', j.id, 'state', CASE WHEN waits_because IS NULL THEN 'processing' ELSE 'pending' END,
		'priority', j.priority, 'attempts', j.attempts, 'max_attempts', current_setting('triage.max_attempts')::int,
		'requested_at', j.created_at, 'next_try_at', CASE WHEN waits_because IS NOT NULL THEN j.run_at END,
		'lease_until', j.lease_until, 'provider', j.provider, 'waits_because', waits_because);
END
$$;
COMMENT ON FUNCTION triage.explain_job(bigint) IS
	'part of explain_ticket(): the job of a ticket of the current tenant and why it waits; null when there is none; raises nothing';
REVOKE ALL ON FUNCTION triage.explain_job(bigint) FROM PUBLIC;

CREATE FUNCTION triage.explain_ticket(ticket_id bigint) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	ticket record;
	results jsonb;
	runs jsonb;
	current jsonb;
BEGIN
	PERFORM triage.check_schema();
	SELECT t.version, t.status, t.handler, t.category, t.category_is_manual, t.priority, t.priority_is_manual, s.ai_state INTO ticket
		FROM triage.tickets t
		JOIN triage.ai_state s ON s.tenant_id = t.tenant_id AND s.ticket_id = t.id
		WHERE t.tenant_id = tenant AND t.id = explain_ticket.ticket_id AND t.deleted_at IS NULL;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'ticket % does not exist', coalesce(ticket_id::text, 'NULL')
			USING ERRCODE = 'no_data_found',
				HINT = 'Tickets that were deleted, and those of other tenants, cannot be reached.';
	END IF;
	results := triage.explain_results(ticket_id);
	runs := triage.explain_runs(ticket_id);
	IF results #>> '{0,superseded_at}' IS NULL THEN
		-- the answer with the call that brought it
		current := results -> 0;
		current := current || jsonb_build_object('run',
				jsonb_path_query_first(runs, '$[*] ? (@.run_id == $id)', jsonb_build_object('id', current -> 'run_id')),
			'not_applied', (SELECT coalesce(jsonb_agg(f.field ORDER BY f.field), '[]')
				FROM (VALUES ('category', ticket.category_is_manual AND ticket.category <> current ->> 'category'),
					('priority', ticket.priority_is_manual AND ticket.priority::text <> current ->> 'urgency')) AS f (field, kept)
				WHERE f.kept AND NOT jsonb_path_exists(current, '$.overridden[*] ? (@.field == $field)', jsonb_build_object('field', f.field))));
		results := results - 0;
	END IF;
	RETURN jsonb_build_object('ticket_id', ticket_id, 'ai_state', ticket.ai_state,
		'ticket', jsonb_build_object('version', ticket.version, 'status', ticket.status, 'handler', ticket.handler,
			'category', ticket.category, 'category_is_manual', ticket.category_is_manual,
			'priority', ticket.priority, 'priority_is_manual', ticket.priority_is_manual),
		'result', current, 'superseded', results, 'runs', runs,
		'cost', (SELECT coalesce(jsonb_object_agg(c.currency, c.cost), '{}')
			FROM (SELECT r ->> 'currency' AS currency, sum((r ->> 'cost')::numeric) AS cost
					FROM jsonb_array_elements(runs) r WHERE r ->> 'currency' IS NOT NULL GROUP BY 1) c WHERE c.cost IS NOT NULL),
		'job', triage.explain_job(ticket_id),
		'failure', (SELECT jsonb_build_object('job_id', d.id, 'class', d.class, 'message', d.message, 'attempts', d.attempts,
				'failed_at', d.failed_at, 'what_to_do', 'SELECT triage.retry_failed(); or triage.request_triage(ticket_id)')
			FROM triage.ai_dead_letters d
			WHERE d.tenant_id = tenant AND d.ticket_id = explain_ticket.ticket_id AND d.kind = 'triage'),
		'other_failures', (SELECT coalesce(jsonb_agg(jsonb_build_object('job_id', d.id, 'kind', d.kind, 'session_id', d.session_id,
				'class', d.class, 'message', d.message, 'attempts', d.attempts, 'failed_at', d.failed_at) ORDER BY d.failed_at, d.id), '[]')
			FROM triage.ai_dead_letters d
			WHERE d.tenant_id = tenant AND d.kind <> 'triage'
				AND (d.ticket_id = explain_ticket.ticket_id
					OR d.session_id = (SELECT o.session_id FROM triage.chat_tickets o
						WHERE o.tenant_id = tenant AND o.ticket_id = explain_ticket.ticket_id AND o.relation = 'origin'))));
END
$$;
COMMENT ON FUNCTION triage.explain_ticket(bigint) IS
	'where the AI''s answer to a ticket comes from, as an object: ai_state; ticket (labels as they are now); result (the current answer, the run that brought it with prompt version and the SHA-256 of its text, provider, model, tokens, cost and the price it was computed with, latency and request id, what was applied to the ticket, what was not because a person had chosen before, and who overrode it since); superseded (earlier answers); runs (every call with its outcome and times, stale and lost ones too); cost (what they are known to have cost, by currency); job (what waits or runs, its next try and why it waits) and failure (why it was given up), null where there is none; other_failures (what else was given up about the ticket or the chat session that it began as, such as a reply or a summary); raises P0002 when there is no such ticket';
REVOKE ALL ON FUNCTION triage.explain_ticket(bigint) FROM PUBLIC;
