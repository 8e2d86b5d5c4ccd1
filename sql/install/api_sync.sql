-- Sync, people's side: sources of tickets, what is to be seen of them, and their part of health() and doctor().
--
-- Only the tables' owner says where tickets are copied from, as with providers: a source names a file with a key, and an
-- address that the key is sent to.  Administrators pause, resume and hurry what the owner has set up, and run as the owner
-- for that, with the tenant predicate written out.

CREATE FUNCTION triage.check_sync_source(name text) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF NOT EXISTS (
		SELECT FROM triage.sync_sources s WHERE s.tenant_id = triage.current_tenant() AND s.name = check_sync_source.name)
	THEN
		RAISE EXCEPTION 'source "%" does not exist', coalesce(left(name, 100), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = 'triage.sync_status lists those of this tenant.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_sync_source(text) IS
	'part of sync_now() and its like: returns when the current tenant has a source of that name; raises 42704 when it has none';
REVOKE ALL ON FUNCTION triage.check_sync_source(text) FROM PUBLIC;

CREATE FUNCTION triage.check_zendesk_source(name text, subdomain text, base_url text, auth triage.sync_auth, email text, secret text,
		start_time timestamptz)
	RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- a URL or secret that is refused is not repeated: it may hold a key
	IF name IS NULL OR name !~ '^[a-z][a-z0-9_-]{0,49}$' OR name IN ('api', 'chat', 'email', 'web') THEN
		RAISE EXCEPTION 'a source''s name has 1 to 50 small letters, digits, hyphens and underscores, and is not api, chat, email or web'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It begins with a letter. Its tickets have it as their source.';
	ELSIF (subdomain IS NULL) = (base_url IS NULL) THEN
		RAISE EXCEPTION 'a source needs either subdomain or base_url'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For https://acme.zendesk.com it is subdomain => ''acme''.';
	ELSIF subdomain !~* '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' THEN
		RAISE EXCEPTION 'subdomain is not the name of a Zendesk account'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is what stands before .zendesk.com, such as acme; for another address, use base_url.';
	ELSIF base_url !~ '^https?://[^[:space:][:cntrl:]@?#]+$' OR length(base_url) > 2000 THEN
		RAISE EXCEPTION 'base_url is not a plain http or https URL'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'It has no user, password, query or fragment, and at most 2000 characters; a key goes into a file that secret names.';
	ELSIF triage.url_refusal(base_url) IS NOT NULL THEN
		RAISE EXCEPTION 'base_url is not a URL that can be called: %', triage.url_refusal(base_url)
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'It is written https://host/path or http://host:port/path, and no entry of triage.allowed_origins would help.';
	ELSIF base_url ~* '/api(/v2)?$' THEN
		RAISE EXCEPTION 'base_url must end before /api'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'The worker appends that part itself.';
	ELSIF auth IS NULL THEN
		RAISE EXCEPTION 'auth must not be NULL'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = format('The values are: %s.', array_to_string(enum_range(NULL::triage.sync_auth), ', '));
	ELSIF auth = 'token' AND coalesce(email, '') !~ '^[^[:space:][:cntrl:]:@]+@[^[:space:][:cntrl:]:@]+$' OR length(email) > 320 THEN
		RAISE EXCEPTION 'auth token needs the e-mail address that the token belongs to'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Without /token, which the worker appends itself; an administrator''s, who alone may export tickets.';
	ELSIF auth <> 'token' AND email IS NOT NULL THEN
		RAISE EXCEPTION 'auth % takes no email', auth
			USING ERRCODE = 'invalid_parameter_value', HINT = 'The token alone says whose it is.';
	ELSIF secret IS NULL THEN
		RAISE EXCEPTION 'a source needs secret, the name of its token''s file'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Put the token into a file in triage.secrets_directory and give the file''s name; never the token itself.';
	ELSIF secret !~ '^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,254}$' THEN
		RAISE EXCEPTION 'secret is not the name of a file'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Put the token into a file in triage.secrets_directory and give the file''s name, without slashes; never the token itself.';
	ELSIF start_time IS NULL OR NOT isfinite(start_time) OR start_time < '1970-01-01 00:00:00+00' THEN
		RAISE EXCEPTION 'start_time must be a time, not before 1970'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Tickets that changed since then are copied; for all, give the day the account was opened.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_zendesk_source(text, text, text, triage.sync_auth, text, text, timestamptz) IS
	'part of add_zendesk_source(): checks its arguments; returns nothing; raises 22023 without repeating a URL or secret';
REVOKE ALL ON FUNCTION triage.check_zendesk_source(text, text, text, triage.sync_auth, text, text, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.add_zendesk_source(
	subdomain text DEFAULT NULL,
	email text DEFAULT NULL,
	secret text DEFAULT NULL,
	start_time timestamptz DEFAULT now() - interval '30 days',
	name text DEFAULT 'zendesk',
	base_url text DEFAULT NULL,
	auth triage.sync_auth DEFAULT 'token',
	include_comments boolean DEFAULT true,
	support_type_scope text DEFAULT NULL,
	page_size int DEFAULT 1000,
	poll_interval interval DEFAULT '1 minute',
	timeout_ms int DEFAULT 60000,
	requests_per_minute int DEFAULT 10,
	comment_requests_per_minute int DEFAULT 300)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	url text;
	old record;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_tenant();
	PERFORM triage.check_zendesk_source(name, subdomain, rtrim(base_url, '/'), auth, email, secret, start_time);
	url := coalesce(rtrim(base_url, '/'), 'https://' || lower(subdomain) || '.zendesk.com');
	IF page_size NOT BETWEEN 1 AND 1000 THEN
		RAISE EXCEPTION 'page_size must be between 1 and 1000, not %', page_size
			USING ERRCODE = 'invalid_parameter_value', HINT = 'More than 1000 tickets are not sent at a time.';
	ELSIF poll_interval NOT BETWEEN '1 second' AND '31 days' THEN
		RAISE EXCEPTION 'poll_interval must be between a second and 31 days, not %', poll_interval
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is how long to wait once all that changed has been read.';
	ELSIF timeout_ms NOT BETWEEN 100 AND 3600000 THEN
		RAISE EXCEPTION 'timeout_ms must be between 100 and 3600000, not %', timeout_ms
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is in milliseconds.';
	ELSIF least(requests_per_minute, comment_requests_per_minute) < 1 OR greatest(requests_per_minute, comment_requests_per_minute) > 1000000 THEN
		RAISE EXCEPTION 'a limit per minute must be between 1 and 1000000'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Zendesk allows 10 requests for tickets; pause_source() stops all.';
	ELSIF support_type_scope NOT IN ('all', 'agent', 'ai_agent') THEN
		RAISE EXCEPTION 'support_type_scope cannot be %', quote_literal(left(support_type_scope, 100))
			USING ERRCODE = 'invalid_parameter_value', HINT = 'The values are: all, agent, ai_agent. NULL leaves it to Zendesk, which then sends the agents'' tickets.';
	END IF;
	SELECT s.base_url, s.include_comments INTO old FROM triage.sync_sources s WHERE s.tenant_id = tenant AND s.name = add_zendesk_source.name;
	IF old.base_url <> url THEN
		RAISE EXCEPTION 'source "%" is another account', name
			USING ERRCODE = 'duplicate_object',
				HINT = 'Ids of two accounts would be taken for each other. Give this one a name of its own, or drop_source() that one first.';
	END IF;

	INSERT INTO triage.sync_sources AS s (tenant_id, name, base_url, auth, email, secret, start_time, page_size, poll_interval, timeout_ms,
			include_comments, support_type_scope, requests_per_minute, comment_requests_per_minute)
		VALUES (tenant, add_zendesk_source.name, url, add_zendesk_source.auth, add_zendesk_source.email, add_zendesk_source.secret,
			-- what is newer than a minute is not sent, and asking for it is an error
			least(add_zendesk_source.start_time, now() - interval '1 minute'), coalesce(add_zendesk_source.page_size, 1000),
			coalesce(add_zendesk_source.poll_interval, '1 minute'), coalesce(add_zendesk_source.timeout_ms, 60000),
			coalesce(add_zendesk_source.include_comments, true), add_zendesk_source.support_type_scope,
			coalesce(add_zendesk_source.requests_per_minute, 10), coalesce(add_zendesk_source.comment_requests_per_minute, 300))
		ON CONFLICT ON CONSTRAINT sync_sources_pkey DO UPDATE
			SET auth = excluded.auth, email = excluded.email, secret = excluded.secret, start_time = excluded.start_time,
				page_size = excluded.page_size, poll_interval = excluded.poll_interval, timeout_ms = excluded.timeout_ms,
				include_comments = excluded.include_comments, support_type_scope = excluded.support_type_scope,
				requests_per_minute = excluded.requests_per_minute,
				comment_requests_per_minute = excluded.comment_requests_per_minute, updated_at = clock_timestamp();
	-- Of a source that was dropped a page may still be on its way: its fence must not be met again.
	INSERT INTO triage.sync_state (tenant_id, source, stream, fence)
		SELECT tenant, add_zendesk_source.name, v.stream, CASE WHEN EXISTS (
					SELECT FROM triage.sync_runs r WHERE r.tenant_id = tenant AND r.source = add_zendesk_source.name)
				THEN (random() * 1000000000)::int ELSE 0 END
			FROM unnest(enum_range(NULL::triage.sync_stream)) v (stream)
		ON CONFLICT ON CONSTRAINT sync_state_pkey DO NOTHING;
	-- comments that were not wanted until now
	IF NOT old.include_comments AND coalesce(add_zendesk_source.include_comments, true) THEN
		UPDATE triage.synced_tickets c SET comments_due_at = clock_timestamp(), comments_cursor = NULL
			FROM triage.tickets t LEFT JOIN triage.people p ON p.tenant_id = t.tenant_id AND p.id = t.requester_id
			WHERE c.tenant_id = tenant AND c.source = add_zendesk_source.name AND c.comments_due_at IS NULL
				AND (c.comments_synced_at IS NULL OR c.comments_synced_at < c.synced_at)
				AND t.tenant_id = tenant AND t.id = c.ticket_id AND t.deleted_at IS NULL AND p.erased_at IS NULL;
	END IF;
	-- changed, so maybe mended
	PERFORM triage.revive_sync(tenant, add_zendesk_source.name);
	PERFORM triage.wake_worker();
	IF triage.origin_refusal(url) IS NOT NULL THEN
		RAISE WARNING 'source "%" will not be called: %', name, triage.origin_refusal(url)
			USING HINT = 'Add its origin to the setting triage.allowed_origins (ALTER SYSTEM, then SELECT pg_reload_conf()); until then nothing is copied.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.add_zendesk_source(text, text, text, timestamptz, text, text, triage.sync_auth, boolean, text, int, interval, int, int, int) IS
	'has the tickets of a Zendesk account copied into the current tenant, or changes how; subdomain: what stands before .zendesk.com, or base_url: the whole address; email: whose token it is, for auth token; secret: name of the token''s file in triage.secrets_directory; start_time: tickets that changed since then, clipped to a minute ago; name: the source, which its tickets carry; auth: token or oauth; include_comments: one more request a ticket; support_type_scope: all, agent or ai_agent, NULL Zendesk''s default; page_size: tickets a request, 1 to 1000; poll_interval: how long to wait once all was read; timeout_ms: of a request, in milliseconds; requests_per_minute, comment_requests_per_minute: at most so many; where it had got to stays when it is called again; returns nothing; raises 22023 for values that do not fit, 42710 when the name is another account''s, 42501 for all but the owner of the tables';
REVOKE ALL ON FUNCTION triage.add_zendesk_source(text, text, text, timestamptz, text, text, triage.sync_auth, boolean, text, int, interval, int, int, int) FROM PUBLIC;

CREATE FUNCTION triage.drop_source(source text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_sync_source(source);
	PERFORM triage.sync_lost(x.tenant_id, x.source, x.stream)
		FROM (SELECT t.tenant_id, t.source, t.stream FROM triage.sync_state t WHERE t.lease_until IS NOT NULL
			UNION ALL SELECT c.tenant_id, c.source, 'comments' FROM triage.synced_tickets c WHERE c.comments_slot IS NOT NULL) x
		WHERE x.tenant_id = triage.current_tenant() AND x.source = drop_source.source;
	-- first what a page that is on its way asks for: it is then stale
	DELETE FROM triage.sync_state t WHERE t.tenant_id = triage.current_tenant() AND t.source = drop_source.source;
	DELETE FROM triage.synced_tickets c WHERE c.tenant_id = triage.current_tenant() AND c.source = drop_source.source;
	DELETE FROM triage.sync_sources s WHERE s.tenant_id = triage.current_tenant() AND s.name = drop_source.source;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.drop_source(text) IS
	'ends the copying of a source of the current tenant; its tickets, comments, people, organizations and runs stay; where it had got to goes, and so do the rows of synced_tickets, and with them those of zendesk_tickets; returns nothing; raises 42704 when there is none of that name, 42501 for all but the owner of the tables';
REVOKE ALL ON FUNCTION triage.drop_source(text) FROM PUBLIC;

CREATE FUNCTION triage.pause_source(source text, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_sync_source(source);
	IF length(reason) > 500 THEN
		RAISE EXCEPTION 'reason must have at most 500 characters'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Put the details elsewhere, and a link here.';
	END IF;
	UPDATE triage.sync_sources s
		SET paused_at = coalesce(s.paused_at, now()), paused_by = triage.current_actor(),
			pause_reason = nullif(pause_source.reason, ''), updated_at = clock_timestamp()
		WHERE s.tenant_id = triage.current_tenant() AND s.name = pause_source.source;
	-- what is on its way is not stored any more
	UPDATE triage.synced_tickets c
		SET comments_fence = c.comments_fence + 1, comments_slot = NULL, comments_due_at = clock_timestamp()
		WHERE c.tenant_id = triage.current_tenant() AND c.source = pause_source.source AND c.comments_slot IS NOT NULL;
	UPDATE triage.sync_state t SET fence = t.fence + 1, lease_until = NULL, slot = NULL
		WHERE t.tenant_id = triage.current_tenant() AND t.source = pause_source.source AND t.lease_until IS NOT NULL;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.pause_source(text, text) IS
	'stops requests to a source of the current tenant until resume_source(), across restarts; what is on its way is not stored, and is asked for again then; reason: for people, at most 500 characters; again: replaces the reason; returns nothing; raises 42704 when there is none of that name, 22023 when reason is too long';
REVOKE ALL ON FUNCTION triage.pause_source(text, text) FROM PUBLIC;

CREATE FUNCTION triage.resume_source(source text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_sync_source(source);
	UPDATE triage.sync_sources s
		SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, updated_at = clock_timestamp()
		WHERE s.tenant_id = triage.current_tenant() AND s.name = resume_source.source AND s.paused_at IS NOT NULL;
	PERFORM triage.revive_sync(triage.current_tenant(), resume_source.source);
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.resume_source(text) IS
	'ends a pause by hand, and has streams tried again that rest because the source refused the key or could not be called; returns nothing; raises 42704 when the current tenant has no source of that name';
REVOKE ALL ON FUNCTION triage.resume_source(text) FROM PUBLIC;

CREATE FUNCTION triage.sync_now(source text DEFAULT NULL)
	RETURNS TABLE (source_name text, stream triage.sync_stream, due_at timestamptz, paused boolean, running boolean, last_error text)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	PERFORM triage.check_schema();
	IF sync_now.source IS NOT NULL THEN
		PERFORM triage.check_sync_source(sync_now.source);
	END IF;
	PERFORM triage.revive_sync(s.tenant_id, s.name)
		FROM triage.sync_sources s
		WHERE s.tenant_id = triage.current_tenant() AND (sync_now.source IS NULL OR s.name = sync_now.source);
	RETURN QUERY
		WITH asked AS (
			UPDATE triage.sync_state t
				SET requested_at = clock_timestamp(),
					-- who asked to wait is not asked sooner
					next_run_at = CASE WHEN t.last_outcome = 'throttled' THEN t.next_run_at ELSE least(t.next_run_at, now()) END
				WHERE t.tenant_id = triage.current_tenant() AND (sync_now.source IS NULL OR t.source = sync_now.source)
				RETURNING t.source, t.stream, greatest(t.next_run_at, t.paced_until, t.lease_until) AS due_at,
					t.lease_until > clock_timestamp() AS running, t.last_error)
		SELECT a.source, a.stream, nullif(a.due_at, 'infinity'), s.paused_at IS NOT NULL, coalesce(a.running, false), a.last_error
			FROM asked a
			JOIN triage.sync_sources s ON s.tenant_id = triage.current_tenant() AND s.name = a.source
			ORDER BY a.source, a.stream;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.sync_now(text) IS
	'has a source of the current tenant, or with NULL all, asked at once for what changed, as soon as its rate lets it and unless it is paused; returns its streams, when they are due, whether they are paused or a request is on its way, and the last error; raises 42704 when there is none of that name';
REVOKE ALL ON FUNCTION triage.sync_now(text) FROM PUBLIC;

-- What is wrong --------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.health_sync()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- beyond what a source's own pace explains
	patience CONSTANT interval := '15 minutes';
	n record;
	problems text[];
BEGIN
	SELECT count(DISTINCT (s.tenant_id, s.name)) AS sources,
			count(*) FILTER (WHERE t.resting_since IS NOT NULL AND s.paused_at IS NULL) AS resting,
			count(*) FILTER (WHERE t.resting_since IS NULL AND s.paused_at IS NULL AND t.consecutive_failures >= 3) AS failing,
			count(DISTINCT (s.tenant_id, s.name)) FILTER (WHERE s.paused_at IS NOT NULL) AS paused,
			count(*) FILTER (WHERE s.paused_at IS NULL AND t.resting_since IS NULL AND t.stream = 'tickets'
				AND t.sync_completed_at < now() - greatest(patience, 5 * s.poll_interval)) AS late,
			min(coalesce(t.resting_since, s.paused_at, t.sync_completed_at)) FILTER (WHERE t.resting_since IS NOT NULL OR s.paused_at IS NOT NULL
				OR t.sync_completed_at < now() - greatest(patience, 5 * s.poll_interval)) AS since,
			-- what another tenant's source answered is not for everybody who may ask this
			min(t.last_error) FILTER (WHERE s.paused_at IS NULL AND (t.resting_since IS NOT NULL OR t.consecutive_failures >= 3)
				AND s.tenant_id = triage.current_tenant()) AS error
		INTO n
		FROM triage.sync_sources s
		JOIN triage.sync_state t ON t.tenant_id = s.tenant_id AND t.source = s.name AND (t.stream = 'tickets' OR s.include_comments);
	check_name := 'sync';
	problems := array_remove(ARRAY[
		CASE WHEN n.resting > 0 THEN format('%s streams rest, for they cannot be called', n.resting) || coalesce(': ' || n.error, '') END,
		CASE WHEN n.failing > 0 THEN format('%s streams fail again and again', n.failing) || coalesce(': ' || n.error, '') END,
		CASE WHEN n.late > 0 THEN format('%s streams are behind', n.late) END,
		CASE WHEN n.paused > 0 THEN format('%s are paused by hand', n.paused) END], NULL);
	level := CASE WHEN n.resting > 0 THEN 'critical' WHEN problems <> '{}' THEN 'warning' ELSE 'ok' END;
	-- who may ask this may not know the tenants
	what := CASE WHEN n.sources = 0 THEN 'nothing is copied from elsewhere'
		WHEN problems = '{}' THEN format('tickets are copied from %s sources', n.sources)
		ELSE format('of %s sources ', n.sources) || array_to_string(problems, '; ') END;
	since := n.since;
	what_to_do := CASE WHEN level = 'ok' THEN NULL
		WHEN n.resting + n.failing > 0 THEN 'SELECT * FROM triage.sync_status; mend the key, account or address, then SELECT triage.resume_source(source);'
		ELSE 'SELECT * FROM triage.sync_status; has them all.' END;
	RETURN NEXT;

	check_name := 'sync rows';
	SELECT count(*) AS runs, min(r.finished_at) AS first_at INTO n
		FROM (SELECT x.finished_at FROM triage.sync_runs x
				WHERE x.error IS NOT NULL AND x.outcome = 'succeeded' AND x.finished_at > now() - interval '1 day'
				ORDER BY x.finished_at DESC LIMIT 1000) r;
	level := CASE WHEN n.runs = 0 THEN 'ok' ELSE 'warning' END;
	what := CASE WHEN n.runs = 0 THEN 'every row that came in the last day was stored'
		ELSE format('%s requests in the last day brought rows that could not be stored', n.runs) END;
	since := n.first_at;
	what_to_do := CASE WHEN n.runs > 0
		THEN 'SELECT source, stream, error, finished_at FROM triage.sync_runs WHERE error IS NOT NULL AND outcome = ''succeeded'' ORDER BY id DESC;' END;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.health_sync() IS
	'part of health(): checks that what is copied from elsewhere comes, and that all of it is stored; raises nothing';
REVOKE ALL ON FUNCTION triage.health_sync() FROM PUBLIC;

CREATE FUNCTION triage.doctor_sync() RETURNS TABLE (finding text, detail text, fix_sql text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- who is held to tenants is not told of those of others
	WITH sources AS (
		SELECT * FROM triage.sync_sources x WHERE x.tenant_id = triage.current_tenant() OR NOT triage.held_to_tenants())
	SELECT 'origin refused', format('source %s of tenant %s: %s', s.name, s.tenant_id, triage.origin_refusal(s.base_url)),
			CASE WHEN triage.url_refusal(s.base_url) IS NULL
				THEN format('ALTER SYSTEM SET triage.allowed_origins = %L; SELECT pg_reload_conf();',
					concat_ws(', ', triage.listed_origins(), substring(s.base_url FROM '^https?://[^/]+')))
				ELSE format('UPDATE triage.sync_sources SET base_url = ... WHERE tenant_id = %L AND name = %L; -- it can be called nowhere', s.tenant_id, s.name) END
		FROM sources s WHERE s.paused_at IS NULL AND triage.origin_refusal(s.base_url) IS NOT NULL
	UNION ALL
	SELECT 'key file', format('source %s of tenant %s: %s', s.name, s.tenant_id, triage.secret_refusal(s.secret)),
			format('-- in the shell, as the server''s user, in triage.secrets_directory: install -m 600 TOKENFILE %s; then SELECT pg_reload_conf();', s.secret)
		FROM sources s WHERE s.paused_at IS NULL AND triage.secret_refusal(s.secret) IS NOT NULL
	UNION ALL
	SELECT 'source rests', format('%s of source %s of tenant %s are not asked for: %s', t.stream, s.name, s.tenant_id, t.last_error),
			format('SET triage.tenant = %L; SELECT triage.resume_source(%L);', s.tenant_id, s.name)
		FROM sources s
		JOIN triage.sync_state t ON t.tenant_id = s.tenant_id AND t.source = s.name
		WHERE s.paused_at IS NULL AND t.resting_since IS NOT NULL
			AND triage.origin_refusal(s.base_url) IS NULL AND triage.secret_refusal(s.secret) IS NULL
	UNION ALL
	SELECT 'source without state', format('source %s of tenant %s has no row of its %s in sync_state: they are not asked for', s.name, s.tenant_id, v.stream),
			format('INSERT INTO triage.sync_state (tenant_id, source, stream) VALUES (%L, %L, %L);', s.tenant_id, s.name, v.stream)
		FROM sources s
		CROSS JOIN unnest(enum_range(NULL::triage.sync_stream)) v (stream)
		WHERE NOT EXISTS (
			SELECT FROM triage.sync_state t WHERE t.tenant_id = s.tenant_id AND t.source = s.name AND t.stream = v.stream)
	UNION ALL
	SELECT 'source paused', format('source %s of tenant %s was paused by %s at %s', s.name, s.tenant_id, s.paused_by, s.paused_at)
				|| coalesce(': ' || s.pause_reason, ''),
			format('SET triage.tenant = %L; SELECT triage.resume_source(%L);', s.tenant_id, s.name)
		FROM sources s WHERE s.paused_at IS NOT NULL
$$;
COMMENT ON FUNCTION triage.doctor_sync() IS
	'part of doctor(): what keeps sources from being asked for tickets, to who is held to tenants those of the current one; raises nothing';
REVOKE ALL ON FUNCTION triage.doctor_sync() FROM PUBLIC;
