-- Tenants, providers and the queue: what an administrator calls.
--
-- Functions on the queue run as the owner, since no application role may write ai_jobs; each writes the tenant
-- predicate out.  Those on providers run as the caller: only the tables' owner decides where texts and keys are sent, and
-- an administrator may write no more of the table than that a provider is paused.

CREATE FUNCTION triage.create_tenant(id text, name text DEFAULT '') RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF coalesce(id, '') !~ '[^[:space:]]' OR length(id) > 200 OR length(name) > 500 THEN
		RAISE EXCEPTION 'a tenant''s id has 1 to 200 characters and is not blank, its name at most 500'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use the id that the application itself gives the tenant.';
	END IF;
	INSERT INTO triage.tenants (id, name)
		VALUES (create_tenant.id, coalesce(create_tenant.name, ''))
		ON CONFLICT ON CONSTRAINT tenants_pkey DO NOTHING;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'tenant "%" already exists', id
			USING ERRCODE = 'duplicate_object', HINT = 'Its name and vocabulary are rows that can be changed.';
	END IF;
	PERFORM triage.load_default_vocabulary(id);
END
$$;
COMMENT ON FUNCTION triage.create_tenant(text, text) IS
	'creates a tenant with the default categories and prompts; id: what the setting triage.tenant selects it by; returns nothing; raises 42710 when it exists, 22023 when id has not 1 to 200 characters or name more than 500';
REVOKE ALL ON FUNCTION triage.create_tenant(text, text) FROM PUBLIC;

-- Providers ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_provider_endpoint(api triage.provider_api, base_url text, model text, secret text)
	RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- No message repeats a URL or a secret: either may hold what must not reach the log.
	IF api = 'builtin' THEN
		IF base_url IS NOT NULL OR model IS NOT NULL OR secret IS NOT NULL THEN
			RAISE EXCEPTION 'api builtin takes no base_url, model or secret'
				USING ERRCODE = 'invalid_parameter_value', HINT = 'It answers in process; for an endpoint, use api openai.';
		END IF;
		RETURN;
	ELSIF base_url IS NULL OR model IS NULL THEN
		RAISE EXCEPTION 'api % needs base_url and model', api
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'For example base_url => ''http://127.0.0.1:11434/v1'', model => ''llama3.1''.';
	ELSIF base_url ~* '/chat/completions$' THEN
		RAISE EXCEPTION 'base_url must end before /chat/completions'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'The worker appends that part itself.';
	ELSIF base_url !~ '^https?://[^[:space:][:cntrl:]@?#]+$' OR length(base_url) > 2000 THEN
		RAISE EXCEPTION 'base_url is not a plain http or https URL'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'It has no user, password, query or fragment, and at most 2000 characters; a key goes into a file that secret names.';
	ELSIF triage.url_refusal(base_url) IS NOT NULL THEN
		RAISE EXCEPTION 'base_url is not a URL that can be called: %', triage.url_refusal(base_url)
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'It is written https://host/path or http://host:port/path, and no entry of triage.allowed_origins would help.';
	ELSIF length(model) NOT BETWEEN 1 AND 200 THEN
		RAISE EXCEPTION 'model must have 1 to 200 characters'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use the name that the endpoint gives the model.';
	ELSIF secret !~ '^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,254}$' OR secret ~ '^sk-' THEN
		RAISE EXCEPTION 'secret is not the name of a file'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Put the key into a file in triage.secrets_directory and give the file''s name, without slashes; never the key itself.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_provider_endpoint(triage.provider_api, text, text, text) IS
	'checks api, base_url, model and secret of set_provider; returns nothing; raises 22023 without repeating a URL or secret';
REVOKE ALL ON FUNCTION triage.check_provider_endpoint(triage.provider_api, text, text, text) FROM PUBLIC;

CREATE FUNCTION triage.set_provider(
	name text,
	api triage.provider_api,
	base_url text DEFAULT NULL,
	model text DEFAULT NULL,
	secret text DEFAULT NULL,
	max_in_flight int DEFAULT NULL,
	timeout_ms int DEFAULT 60000,
	rank int DEFAULT 100,
	enabled boolean DEFAULT true,
	requests_per_minute int DEFAULT NULL,
	tokens_per_minute int DEFAULT NULL)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	base_url := rtrim(base_url, '/');
	timeout_ms := coalesce(timeout_ms, 60000);
	IF name IS NULL OR name !~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$' THEN
		RAISE EXCEPTION 'a provider''s name has 1 to 63 letters, digits, dots, hyphens and underscores'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It begins with a letter or a digit.';
	ELSIF api IS NULL THEN
		RAISE EXCEPTION 'api must not be NULL'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = format('The values are: %s.', array_to_string(enum_range(NULL::triage.provider_api), ', '));
	ELSIF max_in_flight NOT BETWEEN 1 AND 4096 THEN
		RAISE EXCEPTION 'max_in_flight must be between 1 and 4096, not %', max_in_flight
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL leaves it to the setting triage.max_in_flight.';
	ELSIF timeout_ms NOT BETWEEN 100 AND 3600000 THEN
		RAISE EXCEPTION 'timeout_ms must be between 100 and 3600000, not %', timeout_ms
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is in milliseconds.';
	ELSIF requests_per_minute < 1 OR tokens_per_minute < 1 THEN
		RAISE EXCEPTION 'a limit per minute must be positive, not %', least(requests_per_minute, tokens_per_minute)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL sets no limit; pause_provider() stops all calls.';
	END IF;
	PERFORM triage.check_provider_endpoint(api, base_url, model, secret);

	INSERT INTO triage.providers AS p
			(name, api, base_url, model, secret, max_in_flight, timeout_ms, rank, enabled, requests_per_minute,
				tokens_per_minute)
		VALUES (set_provider.name, set_provider.api, set_provider.base_url, set_provider.model, set_provider.secret,
			set_provider.max_in_flight, set_provider.timeout_ms, coalesce(set_provider.rank, 100),
			coalesce(set_provider.enabled, true), set_provider.requests_per_minute, set_provider.tokens_per_minute)
		ON CONFLICT ON CONSTRAINT providers_pkey DO UPDATE
			SET api = excluded.api, base_url = excluded.base_url, model = excluded.model, secret = excluded.secret,
				max_in_flight = excluded.max_in_flight, timeout_ms = excluded.timeout_ms, rank = excluded.rank,
				enabled = excluded.enabled, requests_per_minute = excluded.requests_per_minute,
				tokens_per_minute = excluded.tokens_per_minute;
	-- one that is not enabled is not called, wherever it is
	IF coalesce(enabled, true) AND triage.origin_refusal(base_url) IS NOT NULL THEN
		RAISE WARNING 'provider "%" will not be called: %', name, triage.origin_refusal(base_url)
			USING HINT = 'Add its origin to the setting triage.allowed_origins (ALTER SYSTEM, then SELECT pg_reload_conf()); until then its jobs wait.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.set_provider(text, triage.provider_api, text, text, text, int, int, int, boolean, int, int) IS
	'creates or replaces a provider; base_url: ends before /chat/completions; secret: name of the key''s file in triage.secrets_directory; max_in_flight: calls at once, 1 to 4096, NULL the setting''s; timeout_ms: of a whole call, in milliseconds, 100 to 3600000; rank: the lowest enabled one is asked first, and while it cannot serve the next; from 1000 on only while none below is enabled; requests_per_minute, tokens_per_minute: at most so many, NULL any number; a burst of five seconds'' worth is let through at once; a pause by hand stays; returns nothing; raises 22023 for values that do not fit, 42501 without rights on triage.providers';
REVOKE ALL ON FUNCTION triage.set_provider(text, triage.provider_api, text, text, text, int, int, int, boolean, int, int) FROM PUBLIC;

CREATE FUNCTION triage.drop_provider(name text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	DELETE FROM triage.providers p WHERE p.name = drop_provider.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'provider "%" does not exist', coalesce(left(name, 100), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = 'triage.providers lists them.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.drop_provider(text) IS
	'removes a provider; runs that it answered stay; returns nothing; raises 42704 when there is none of that name, 42501 without rights on triage.providers';
REVOKE ALL ON FUNCTION triage.drop_provider(text) FROM PUBLIC;

CREATE FUNCTION triage.pause_provider(name text, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF length(reason) > 500 THEN
		RAISE EXCEPTION 'reason must have at most 500 characters'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Put the details elsewhere, and a link here.';
	END IF;
	UPDATE triage.providers p
		SET paused_at = coalesce(p.paused_at, now()), paused_by = triage.current_actor(),
			pause_reason = nullif(pause_provider.reason, '')
		WHERE p.name = pause_provider.name;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'provider "%" does not exist', coalesce(left(name, 100), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = 'triage.providers lists them.';
	END IF;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.pause_provider(text, text) IS
	'stops calls to a provider until resume_provider(), across restarts; calls on their way are finished; its jobs wait, or the next provider by rank serves them; reason: for people, at most 500 characters; again: replaces the reason; returns nothing; raises 42704 when there is none of that name, 22023 when reason is too long, 42501 without rights on triage.providers';
REVOKE ALL ON FUNCTION triage.pause_provider(text, text) FROM PUBLIC;

CREATE FUNCTION triage.resume_provider(name text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	provider record;
BEGIN
	PERFORM triage.check_schema();
	-- also when it was not paused by hand: the changed row tells the worker to try it at once
	UPDATE triage.providers p
		SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
		WHERE p.name = resume_provider.name
		RETURNING p.base_url, p.model, p.secret INTO provider;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'provider "%" does not exist', coalesce(left(name, 100), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = 'triage.providers lists them.';
	END IF;
	PERFORM triage.open_gate(provider.base_url, provider.model, provider.secret);
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.resume_provider(text) IS
	'ends a pause by hand, and one that the worker made: what the provider said or did is forgotten, and the next call tries it; for all databases that use the same account, when the library is preloaded, and else for this one, where a wait that the provider asked for goes on; returns nothing; raises 42704 when there is none of that name, 42501 without rights on triage.providers';
REVOKE ALL ON FUNCTION triage.resume_provider(text) FROM PUBLIC;

CREATE FUNCTION triage.provider_gates(base_url text, model text, secret text)
	RETURNS TABLE (state text, since timestamptz, closed_until timestamptz, reason text, in_flight int,
		failures_in_a_row int, calls bigint, last_success_at timestamptz)
	LANGUAGE c VOLATILE
	AS 'MODULE_PATHNAME', 'triage_provider_gates';
COMMENT ON FUNCTION triage.provider_gates(text, text, text) IS
	'the gate that all databases of this server share who call this URL and model with the secret of this name: a row, or none before the first call or when the library is not preloaded; see view provider_status; raises nothing';
REVOKE ALL ON FUNCTION triage.provider_gates(text, text, text) FROM PUBLIC;

CREATE FUNCTION triage.open_gate(base_url text, model text, secret text) RETURNS void
	LANGUAGE c VOLATILE
	AS 'MODULE_PATHNAME', 'triage_open_gate';
COMMENT ON FUNCTION triage.open_gate(text, text, text) IS
	'part of resume_provider(): opens the account''s gate in shared memory to one call, at once and whether or not the transaction commits; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.open_gate(text, text, text) FROM PUBLIC;

-- The queue ----------------------------------------------------------------------------------------------------------

-- Lock order, here as in the worker: tickets by id, then their jobs.

CREATE FUNCTION triage.request_triage(ticket_id bigint) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket record;
	job_id bigint;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_ticket(ticket_id);
	SELECT t.status, t.priority INTO ticket
		FROM triage.tickets t
		WHERE t.id = request_triage.ticket_id AND t.tenant_id = triage.current_tenant();
	IF ticket.status IN ('resolved', 'closed') THEN
		RAISE EXCEPTION 'ticket % is %', ticket_id, ticket.status
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = CASE ticket.status
					WHEN 'resolved' THEN 'Reopen it with triage.reopen_ticket first.'
					ELSE 'Closed is final: create a follow-up ticket.' END;
	END IF;

	DELETE FROM triage.ai_dead_letters d
		WHERE d.ticket_id = request_triage.ticket_id AND d.tenant_id = triage.current_tenant() AND d.kind = 'triage';
	-- a new fence: an answer on its way was asked for under the old one and will be stale
	INSERT INTO triage.ai_jobs AS j (tenant_id, ticket_id, kind, priority)
		VALUES (triage.current_tenant(), request_triage.ticket_id, 'triage', greatest(ticket.priority, 'high'))
		ON CONFLICT ON CONSTRAINT ai_jobs_one_per_ticket DO UPDATE
			SET fence = j.fence + 1, lease_until = NULL, claimed_at = NULL, slot = NULL, provider = NULL,
				attempts = 0, run_at = now(), priority = greatest(j.priority, excluded.priority)
		RETURNING j.id INTO job_id;
	PERFORM triage.wake_worker();
	RETURN job_id;
END
$$;
COMMENT ON FUNCTION triage.request_triage(bigint) IS
	'asks the model about a ticket, or asks again, with priority high at least; an answer that is on its way will be dropped; returns the job''s id; raises P0002 when there is no such ticket, 55000 when it is resolved or closed';
REVOKE ALL ON FUNCTION triage.request_triage(bigint) FROM PUBLIC;

CREATE FUNCTION triage.cancel_job(job_id bigint) RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	PERFORM FROM triage.tickets t
		JOIN triage.ai_jobs j ON j.tenant_id = t.tenant_id AND j.ticket_id = t.id
		WHERE j.id = job_id AND j.tenant_id = triage.current_tenant()
		FOR NO KEY UPDATE OF t;
	PERFORM FROM triage.chat_sessions s
		JOIN triage.ai_jobs j ON j.tenant_id = s.tenant_id AND j.session_id = s.id
		WHERE j.id = job_id AND j.tenant_id = triage.current_tenant()
		FOR NO KEY UPDATE OF s;
	PERFORM FROM triage.issue_clusters c
		JOIN triage.ai_jobs j ON j.tenant_id = c.tenant_id AND j.cluster_id = c.id
		WHERE j.id = job_id AND j.tenant_id = triage.current_tenant()
		FOR NO KEY UPDATE OF c;
	DELETE FROM triage.ai_jobs j WHERE j.id = job_id AND j.tenant_id = triage.current_tenant();
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	-- the worker cuts off the call, if one is in the air
	PERFORM triage.wake_worker();
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.cancel_job(bigint) IS
	'withdraws a job; a call that is in the air for it is cut off within a second and leaves a stale run; returns whether there was such a job in the current tenant';
REVOKE ALL ON FUNCTION triage.cancel_job(bigint) FROM PUBLIC;

CREATE FUNCTION triage.retry_failed(
	class triage.run_outcome DEFAULT NULL,
	failed_before timestamptz DEFAULT NULL,
	max_jobs int DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	moved bigint;
BEGIN
	PERFORM triage.check_schema();
	IF max_jobs < 0 THEN
		RAISE EXCEPTION 'max_jobs must not be negative'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL retries all.';
	END IF;
	-- The tickets are locked first, in order of id, then the sessions, then the clusters; one that was finished or deleted
	-- meanwhile is left out, for the lock reads its row anew.  What a ticket tells about the product is asked of finished
	-- ones, too.  OVERRIDING SYSTEM VALUE: the job keeps its id, and so its runs.
	WITH chosen AS MATERIALIZED (
		SELECT d.tenant_id, d.ticket_id, d.session_id, d.cluster_id, d.id, d.kind IN ('extract_issues', 'match_issues') AS mines
			FROM triage.ai_dead_letters d
			LEFT JOIN triage.tickets t ON t.tenant_id = d.tenant_id AND t.id = d.ticket_id
			LEFT JOIN triage.chat_sessions s ON s.tenant_id = d.tenant_id AND s.id = d.session_id
			LEFT JOIN triage.issue_clusters c ON c.tenant_id = d.tenant_id AND c.id = d.cluster_id
			WHERE d.tenant_id = triage.current_tenant()
				AND (t.deleted_at IS NULL AND (t.status NOT IN ('resolved', 'closed') OR d.kind IN ('extract_issues', 'match_issues'))
					OR s.status = 'active' OR c.id IS NOT NULL AND c.merged_into_id IS NULL AND c.archived_at IS NULL)
				AND (retry_failed.class IS NULL OR d.class = retry_failed.class)
				AND (retry_failed.failed_before IS NULL OR d.failed_at < retry_failed.failed_before)
			ORDER BY d.failed_at, d.id
			LIMIT max_jobs
	), locked AS MATERIALIZED (
		SELECT t.tenant_id, t.id AS ticket_id, t.status IN ('resolved', 'closed') AS finished
			FROM triage.tickets t
			WHERE (t.tenant_id, t.id) IN (SELECT c.tenant_id, c.ticket_id FROM chosen c) AND t.deleted_at IS NULL
			ORDER BY t.id
			FOR NO KEY UPDATE
	), locked_sessions AS MATERIALIZED (
		SELECT s.tenant_id, s.id AS session_id
			FROM triage.chat_sessions s
			WHERE (SELECT count(*) FROM locked) >= 0
				AND (s.tenant_id, s.id) IN (SELECT c.tenant_id, c.session_id FROM chosen c) AND s.status = 'active'
			ORDER BY s.id
			FOR NO KEY UPDATE
	), locked_clusters AS MATERIALIZED (
		SELECT k.tenant_id, k.id AS cluster_id
			FROM triage.issue_clusters k
			WHERE (SELECT count(*) FROM locked_sessions) >= 0
				AND (k.tenant_id, k.id) IN (SELECT c.tenant_id, c.cluster_id FROM chosen c)
				AND k.merged_into_id IS NULL AND k.archived_at IS NULL
			ORDER BY k.id
			FOR NO KEY UPDATE
	), letters AS (
		DELETE FROM triage.ai_dead_letters d
			USING (SELECT c.tenant_id, c.id FROM chosen c JOIN locked l USING (tenant_id, ticket_id) WHERE c.mines OR NOT l.finished
				UNION ALL SELECT c.tenant_id, c.id FROM chosen c JOIN locked_sessions l USING (tenant_id, session_id)
				UNION ALL SELECT c.tenant_id, c.id FROM chosen c JOIN locked_clusters l USING (tenant_id, cluster_id)) c
			WHERE d.tenant_id = c.tenant_id AND d.id = c.id
			RETURNING d.*
	)
	-- a job that has been asked for anew meanwhile is the one that counts
	INSERT INTO triage.ai_jobs (tenant_id, id, ticket_id, session_id, cluster_id, kind, priority, run_at, created_at, fence, attempts)
		OVERRIDING SYSTEM VALUE
		SELECT l.tenant_id, l.id, l.ticket_id, l.session_id, l.cluster_id, l.kind, l.priority, now(), l.created_at, l.fence + 1, 0
			FROM letters l
			ORDER BY l.failed_at, l.id
		ON CONFLICT DO NOTHING;
	GET DIAGNOSTICS moved = ROW_COUNT;
	IF moved > 0 THEN
		PERFORM triage.wake_worker();
	END IF;
	RETURN moved;
END
$$;
COMMENT ON FUNCTION triage.retry_failed(triage.run_outcome, timestamptz, int) IS
	'puts failed jobs of the current tenant back into the queue, those that failed first first; class: only those that failed so; failed_before: only those that failed earlier than that; max_jobs: at most so many, NULL all; left out are tickets deleted since and (but for extract_issues and match_issues) resolved or closed, sessions that have ended, and clusters that are merged or archived; returns the number of jobs; raises 22023 when max_jobs is negative';
REVOKE ALL ON FUNCTION triage.retry_failed(triage.run_outcome, timestamptz, int) FROM PUBLIC;
