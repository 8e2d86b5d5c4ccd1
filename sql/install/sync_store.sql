-- Sync, the worker's side: what is to be fetched from a source, and how what came is stored.
--
-- The worker knows the source's protocol and nothing of tickets; here it is the other way round.  A page and the cursor
-- behind it are stored in one transaction, so that a crash between any two requests loses nothing and doubles nothing.
-- These functions run as the owner, take the tenant as an argument, and are granted to workers only.
--
-- Lock order: tickets in the order of their ids, then what else is written, the source's state included.  Nobody is waited
-- for: while somebody holds a ticket of the page it is not stored, and the worker comes again.
--
-- Which of two versions of a ticket is the newer is for the source's clock to say.  What was changed here since the last
-- copy stays until the source changes the same.

-- What to fetch --------------------------------------------------------------------------------------------------------

-- The account's limits, not the source's.
CREATE FUNCTION triage.sync_pace(account text, stream triage.sync_stream) RETURNS timestamptz
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT max(t.paced_until)
		FROM triage.sync_sources s
		JOIN triage.sync_state t ON t.tenant_id = s.tenant_id AND t.source = s.name AND t.stream = sync_pace.stream
		WHERE s.base_url = account);
END
$$;
COMMENT ON FUNCTION triage.sync_pace(text, triage.sync_stream) IS
	'part of claim_sync(): before when no source that calls this address may be asked for this stream, whosever it is; raises nothing';
REVOKE ALL ON FUNCTION triage.sync_pace(text, triage.sync_stream) FROM PUBLIC;

CREATE FUNCTION triage.claim_sync(slot int, max_claims int)
	RETURNS TABLE (tenant_id text, source text, stream text, fence int, base_url text, auth text, email text, secret text,
		cursor text, start_epoch bigint, page_size int, support_type_scope text, ticket_external_id text, timeout_ms int)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	tick CONSTANT timestamptz := clock_timestamp();
	-- Times of the clock are written into rows that others compare with the times their transactions began.
	burst CONSTANT interval := '1 second';
	due record;
	state record;
	item record;
	apart interval;
	free int := max_claims;
BEGIN
	FOR due IN
		SELECT s.tenant_id, s.name
			FROM triage.sync_sources s
			JOIN triage.sync_state t ON t.tenant_id = s.tenant_id AND t.source = s.name AND t.stream = 'tickets'
			WHERE s.paused_at IS NULL AND t.next_run_at <= tick AND t.paced_until <= tick
				AND (t.lease_until IS NULL OR t.lease_until <= tick) AND triage.sync_pace(s.base_url, 'tickets') <= tick
			ORDER BY greatest(t.next_run_at, t.paced_until), s.tenant_id, s.name
	LOOP
		EXIT WHEN free < 1;
		SELECT t.lease_until, t.fence, t.cursor, t.restart_at, s.* INTO state
			FROM triage.sync_state t
			JOIN triage.sync_sources s ON s.tenant_id = t.tenant_id AND s.name = t.source
			WHERE t.tenant_id = due.tenant_id AND t.source = due.name AND t.stream = 'tickets'
				AND s.paused_at IS NULL AND t.next_run_at <= tick AND t.paced_until <= tick
				AND (t.lease_until IS NULL OR t.lease_until <= tick)
			FOR NO KEY UPDATE OF t SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		IF state.lease_until IS NOT NULL THEN
			PERFORM triage.sync_lost(due.tenant_id, due.name, 'tickets');
		END IF;
		UPDATE triage.sync_state t
			SET fence = t.fence + 1, slot = claim_sync.slot,
				lease_until = tick + make_interval(secs => state.timeout_ms / 1000.0 + 30),
				paced_until = tick + make_interval(secs => 60.0 / state.requests_per_minute)
			WHERE t.tenant_id = due.tenant_id AND t.source = due.name AND t.stream = 'tickets'
			RETURNING t.fence INTO fence;
		tenant_id := due.tenant_id;
		source := due.name;
		stream := 'tickets';
		base_url := state.base_url;
		auth := state.auth;
		email := state.email;
		secret := state.secret;
		cursor := state.cursor;
		-- what changed within the last minute is withheld, and asking for it is refused
		start_epoch := greatest(0, extract(epoch FROM least(coalesce(state.restart_at, state.start_time), tick - interval '61 seconds')))::bigint;
		page_size := state.page_size;
		support_type_scope := state.support_type_scope;
		ticket_external_id := NULL;
		timeout_ms := state.timeout_ms;
		RETURN NEXT;
		free := free - 1;
		EXIT;					-- one a call: its page is large
	END LOOP;

	FOR due IN
		SELECT s.tenant_id, s.name
			FROM triage.sync_sources s
			JOIN triage.sync_state t ON t.tenant_id = s.tenant_id AND t.source = s.name AND t.stream = 'comments'
			WHERE s.paused_at IS NULL AND s.include_comments AND t.next_run_at <= tick AND t.paced_until <= tick
				AND triage.sync_pace(s.base_url, 'comments') <= tick
			ORDER BY t.paced_until, s.tenant_id, s.name
	LOOP
		EXIT WHEN free < 1;
		SELECT t.paced_until, s.* INTO state
			FROM triage.sync_state t
			JOIN triage.sync_sources s ON s.tenant_id = t.tenant_id AND s.name = t.source
			WHERE t.tenant_id = due.tenant_id AND t.source = due.name AND t.stream = 'comments'
				AND s.paused_at IS NULL AND s.include_comments AND t.next_run_at <= tick AND t.paced_until <= tick
			FOR NO KEY UPDATE OF t SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		apart := make_interval(secs => 60.0 / state.comment_requests_per_minute);
		state.paced_until := greatest(state.paced_until, tick - burst);
		-- The newest first: a long import does not keep what happens today waiting.
		FOR item IN
			SELECT c.ticket_id, c.comments_cursor, c.comments_slot, k.external_id
				FROM triage.synced_tickets c
				JOIN triage.tickets k ON k.tenant_id = c.tenant_id AND k.id = c.ticket_id
				WHERE c.tenant_id = due.tenant_id AND c.source = due.name AND c.comments_due_at <= tick
				ORDER BY c.comments_due_at DESC
				LIMIT free FOR NO KEY UPDATE OF c SKIP LOCKED
		LOOP
			EXIT WHEN state.paced_until > tick;
			state.paced_until := state.paced_until + apart;
			IF item.comments_slot IS NOT NULL THEN
				PERFORM triage.sync_lost(due.tenant_id, due.name, 'comments');
			END IF;
			UPDATE triage.synced_tickets c
				SET comments_fence = c.comments_fence + 1, comments_slot = claim_sync.slot,
					comments_due_at = tick + make_interval(secs => state.timeout_ms / 1000.0 + 30)
				WHERE c.tenant_id = due.tenant_id AND c.ticket_id = item.ticket_id
				RETURNING c.comments_fence INTO fence;
			tenant_id := due.tenant_id;
			source := due.name;
			stream := 'comments';
			base_url := state.base_url;
			auth := state.auth;
			email := state.email;
			secret := state.secret;
			cursor := item.comments_cursor;
			start_epoch := NULL;
			page_size := state.page_size;
			support_type_scope := state.support_type_scope;
			ticket_external_id := item.external_id;
			timeout_ms := state.timeout_ms;
			RETURN NEXT;
			free := free - 1;
		END LOOP;
		UPDATE triage.sync_state t SET paced_until = state.paced_until
			WHERE t.tenant_id = due.tenant_id AND t.source = due.name AND t.stream = 'comments' AND t.paced_until <> state.paced_until;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.claim_sync(int, int) IS
	'for the worker: what to request next, at most max_claims rows, of which one at most is a page of tickets; slot: the worker''s; each is leased for the source''s timeout_ms and half a minute, and what comes back must carry its fence; keeps to the source''s requests a minute; cursor NULL: begin at start_epoch, seconds since 1970; ticket_external_id: whose comments, by the source''s id; raises nothing';
REVOKE ALL ON FUNCTION triage.claim_sync(int, int) FROM PUBLIC;

CREATE FUNCTION triage.next_sync() RETURNS timestamptz
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- no SQL function: that would be planned for each call
	RETURN (SELECT nullif(min(greatest(t.next_run_at, triage.sync_pace(s.base_url, t.stream), CASE t.stream
				WHEN 'tickets' THEN t.lease_until
				ELSE (SELECT c.comments_due_at FROM triage.synced_tickets c
						WHERE c.tenant_id = t.tenant_id AND c.source = t.source AND c.comments_due_at IS NOT NULL
						ORDER BY c.comments_due_at LIMIT 1) END)), 'infinity')
		FROM triage.sync_sources s
		JOIN triage.sync_state t ON t.tenant_id = s.tenant_id AND t.source = s.name
		WHERE s.paused_at IS NULL
			AND (t.stream = 'tickets' OR s.include_comments AND EXISTS (
				SELECT FROM triage.synced_tickets c
					WHERE c.tenant_id = t.tenant_id AND c.source = t.source AND c.comments_due_at IS NOT NULL)));
END
$$;
COMMENT ON FUNCTION triage.next_sync() IS
	'for the worker: when claim_sync() will have something, maybe a time that has passed; NULL: nothing, until somebody changes that and wakes the worker; raises nothing';
REVOKE ALL ON FUNCTION triage.next_sync() FROM PUBLIC;

CREATE FUNCTION triage.sync_lost(tenant text, source text, stream triage.sync_stream) RETURNS void
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome, error)
		VALUES (tenant, source, stream, 'lost', 'nothing was heard of the request before its lease ended')
$$;
COMMENT ON FUNCTION triage.sync_lost(text, text, triage.sync_stream) IS
	'part of claim_sync() and take_over_sync(): puts on record that a request was claimed and nothing heard of it; raises nothing';
REVOKE ALL ON FUNCTION triage.sync_lost(text, text, triage.sync_stream) FROM PUBLIC;

CREATE FUNCTION triage.take_over_sync(slot int) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	freed int := 0;
BEGIN
	FOR item IN
		UPDATE triage.synced_tickets c
			SET comments_fence = c.comments_fence + 1, comments_slot = NULL, comments_due_at = clock_timestamp()
			FROM triage.sync_sources s
			WHERE c.tenant_id = s.tenant_id AND c.source = s.name AND c.comments_slot = take_over_sync.slot
			RETURNING c.tenant_id, c.source, 'comments'::triage.sync_stream AS stream
	LOOP
		PERFORM triage.sync_lost(item.tenant_id, item.source, item.stream);
		freed := freed + 1;
	END LOOP;
	FOR item IN
		UPDATE triage.sync_state t SET fence = t.fence + 1, slot = NULL, lease_until = NULL
			WHERE t.slot = take_over_sync.slot AND t.lease_until IS NOT NULL
			RETURNING t.tenant_id, t.source, t.stream
	LOOP
		PERFORM triage.sync_lost(item.tenant_id, item.source, item.stream);
		freed := freed + 1;
	END LOOP;
	RETURN freed;
END
$$;
COMMENT ON FUNCTION triage.take_over_sync(int) IS
	'for the worker, when it starts: frees what a worker before it in this slot had claimed, which is then due again as soon as the source''s rate lets it, and puts on record that it was lost; returns how many requests; raises nothing';
REVOKE ALL ON FUNCTION triage.take_over_sync(int) FROM PUBLIC;

CREATE FUNCTION triage.revive_sync(tenant_id text, source text) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	revived int;
BEGIN
	UPDATE triage.sync_state t
		SET next_run_at = now(), resting_since = NULL, consecutive_failures = 0
		WHERE t.resting_since IS NOT NULL
			AND (revive_sync.tenant_id IS NULL OR t.tenant_id = revive_sync.tenant_id)
			AND (revive_sync.source IS NULL OR t.source = revive_sync.source);
	GET DIAGNOSTICS revived = ROW_COUNT;
	RETURN revived;
END
$$;
COMMENT ON FUNCTION triage.revive_sync(text, text) IS
	'for the worker: has streams tried again that rest because the source refused the key or could not be called; tenant_id, source: whose and which, NULL all; returns how many; raises nothing';
REVOKE ALL ON FUNCTION triage.revive_sync(text, text) FROM PUBLIC;

-- What came ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.sync_fit(txt text, most_bytes int) RETURNS text
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fits text := txt;
BEGIN
	WHILE octet_length(fits) > most_bytes - 3 LOOP
		fits := left(fits, least(length(fits) - 1, (length(fits)::bigint * (most_bytes - 3) / octet_length(fits))::int));
	END LOOP;
	RETURN fits || '...';
END
$$;
COMMENT ON FUNCTION triage.sync_fit(text, int) IS
	'part of store_sync_tickets() and message_text(): the beginning of a text that is longer than most_bytes, with an ellipsis; raises nothing';
REVOKE ALL ON FUNCTION triage.sync_fit(text, int) FROM PUBLIC;

CREATE FUNCTION triage.sync_store_people(tenant text, source text, users jsonb, organizations jsonb) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	-- in order of id, as everybody who writes several should; of one that did not come with the page its number is known
	INSERT INTO triage.organizations AS o (tenant_id, id, name)
		SELECT tenant, source || ':' || g.id, g.name
			FROM (SELECT DISTINCT ON (e.value ->> 'id') e.value ->> 'id' AS id,
						left(coalesce(nullif(btrim(e.value ->> 'name'), ''), 'Organization ' || (e.value ->> 'id')), 500) AS name
					FROM jsonb_array_elements(CASE jsonb_typeof(organizations) WHEN 'array' THEN organizations ELSE '[]' END) WITH ORDINALITY e (value, n)
					WHERE length(e.value ->> 'id') BETWEEN 1 AND 100
					ORDER BY 1, e.n DESC) g
			ORDER BY 2
		ON CONFLICT ON CONSTRAINT organizations_pkey DO UPDATE SET name = excluded.name WHERE o.name <> excluded.name;
	INSERT INTO triage.organizations (tenant_id, id, name)
		SELECT DISTINCT tenant, source || ':' || (e.value ->> 'organization_id'), 'Organization ' || (e.value ->> 'organization_id')
			FROM jsonb_array_elements(CASE jsonb_typeof(users) WHEN 'array' THEN users ELSE '[]' END) e (value)
			WHERE length(e.value ->> 'organization_id') BETWEEN 1 AND 100
			ORDER BY 2
		ON CONFLICT ON CONSTRAINT organizations_pkey DO NOTHING;
	-- Who was erased stays erased.  Nobody becomes an admin here by being one there, and whoever was raised here stays.
	INSERT INTO triage.people AS p (tenant_id, id, role, display_name, email, organization_id)
		SELECT tenant, source || ':' || u.id, u.role, u.name, u.email, source || ':' || u.organization_id
			FROM (SELECT DISTINCT ON (e.value ->> 'id') e.value ->> 'id' AS id,
						CASE WHEN e.value ->> 'role' IN ('agent', 'admin') THEN 'agent' ELSE 'customer' END::triage.person_role AS role,
						left(nullif(btrim(e.value ->> 'name'), ''), 500) AS name,
						CASE WHEN length(e.value ->> 'email') BETWEEN 1 AND 320 THEN e.value ->> 'email' END AS email,
						CASE WHEN length(e.value ->> 'organization_id') BETWEEN 1 AND 100 THEN e.value ->> 'organization_id' END AS organization_id
					FROM jsonb_array_elements(CASE jsonb_typeof(users) WHEN 'array' THEN users ELSE '[]' END) WITH ORDINALITY e (value, n)
					WHERE length(e.value ->> 'id') BETWEEN 1 AND 100
					ORDER BY 1, e.n DESC) u
			ORDER BY 2
		ON CONFLICT ON CONSTRAINT people_pkey DO UPDATE
			SET role = CASE WHEN p.role = 'customer' THEN excluded.role ELSE p.role END,
				display_name = excluded.display_name, email = excluded.email, organization_id = excluded.organization_id
			WHERE p.erased_at IS NULL
				AND ((p.display_name, p.email, p.organization_id) IS DISTINCT FROM (excluded.display_name, excluded.email, excluded.organization_id)
					OR p.role = 'customer' AND excluded.role <> 'customer');
END
$$;
COMMENT ON FUNCTION triage.sync_store_people(text, text, jsonb, jsonb) IS
	'part of store_sync_tickets() and store_sync_comments(): writes the users and organizations that came with a page, whose ids here are source:id; tenant, source: whose and which; raises 55P03 when somebody holds one of them for long';
REVOKE ALL ON FUNCTION triage.sync_store_people(text, text, jsonb, jsonb) FROM PUBLIC;

-- A ticket of a page as it is to be stored, with a note of what did not fit.  Each is looked for by itself: a join by the
-- source's id, planned while nothing is known of a table that fills, may read all that came before for each of them.  Nor may
-- the planner take an index by tenant alone, as good as any while it knows nothing: BETWEEN and the order leave it the one.
CREATE FUNCTION triage.sync_normal_tickets(tenant text, source text, tickets jsonb) RETURNS jsonb
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object(
				'n', x.n, 'external_id', x.id,
				'ticket_id', (SELECT t.id FROM triage.tickets t
					WHERE t.tenant_id = tenant AND t.source = sync_normal_tickets.source AND t.external_id BETWEEN x.id AND x.id
					ORDER BY t.external_id LIMIT 1),
				'generated_at', x.generated_at, 'source_updated_at', x.updated_at,
				'created_at', to_timestamp(greatest(0, least(coalesce((x.t ->> 'created_at')::numeric, 'infinity'), extract(epoch FROM x.updated_at)))::float8),
				'deleted', x.deleted, 'subject', x.subject, 'description', x.description, 'tags', x.tags,
				'custom_fields', x.custom_fields, 'status', x.status, 'priority', coalesce(x.priority, 'medium'),
				'priority_given', x.priority IS NOT NULL, 'merged', x.tags ? 'closed_by_merge',
				'requester_id', x.requester_id, 'assignee_id', x.assignee_id,
				'details', jsonb_strip_nulls(jsonb_build_object(
					'status', x.t -> 'status', 'priority', x.t -> 'priority', 'type', x.t -> 'type', 'channel', x.t -> 'channel',
					'requester_id', x.t -> 'requester_id', 'submitter_id', x.t -> 'submitter_id', 'assignee_id', x.t -> 'assignee_id',
					'organization_id', x.t -> 'organization_id', 'notes', nullif(to_jsonb(array_remove(ARRAY[
						CASE WHEN x.status IS NULL AND NOT x.deleted THEN 'the status is not known here' END,
						CASE WHEN x.priority IS NULL AND x.t ->> 'priority' IS NOT NULL THEN 'the priority is not known here' END,
						CASE WHEN x.tags <> coalesce(x.t -> 'tags', '[]') THEN 'tags were cut' END,
						CASE WHEN length(x.t ->> 'subject') > 998 THEN 'the subject was cut, and stands before the description' END,
						CASE WHEN right(x.description, 3) = '...' AND octet_length(x.description) > 1048000 THEN 'the description was cut' END,
						CASE WHEN x.custom_fields IS NULL THEN 'custom fields were left out: they are too large' END], NULL)), '[]'))),
				-- of a deleted one nothing more is known
				'copied', CASE WHEN x.deleted THEN '{"deleted": true}' ELSE jsonb_build_object('status', x.status, 'priority', coalesce(x.priority, 'medium'), 'requester_id', x.requester_id,
					'assignee_id', x.assignee_id, 'tags', x.tags, 'deleted', x.deleted, 'subject', md5(x.subject),
					'description', md5(x.description), 'custom_fields', md5(x.custom_fields::text)) END)
			ORDER BY x.n), '[]')
		FROM (SELECT DISTINCT ON (v.id) v.*, d.description, s.subject
				FROM (SELECT e.n, e.value AS t, e.value ->> 'id' AS id,
							greatest(0, least(coalesce((e.value ->> 'generated_at')::numeric, (e.value ->> 'updated_at')::numeric, 0),
								extract(epoch FROM now())))::bigint AS generated_at,
							-- a time that lies ahead would stay the newest for as long as it does
							to_timestamp(greatest(0, least(coalesce((e.value ->> 'updated_at')::numeric, (e.value ->> 'generated_at')::numeric,
								'infinity'), extract(epoch FROM now())))::float8) AS updated_at,
							coalesce(e.value ->> 'status' = 'deleted' OR e.value -> 'deleted' = 'true', false) AS deleted,
							CASE e.value ->> 'status' WHEN 'new' THEN 'open' WHEN 'open' THEN 'in_progress' WHEN 'pending' THEN 'pending'
								WHEN 'hold' THEN 'on_hold' WHEN 'solved' THEN 'resolved' WHEN 'closed' THEN 'closed' END AS status,
							CASE e.value ->> 'priority' WHEN 'low' THEN 'low' WHEN 'normal' THEN 'medium' WHEN 'high' THEN 'high'
								WHEN 'urgent' THEN 'urgent' END AS priority,
							CASE WHEN length(e.value ->> 'requester_id') BETWEEN 1 AND 100 THEN source || ':' || (e.value ->> 'requester_id') END AS requester_id,
							CASE WHEN length(e.value ->> 'assignee_id') BETWEEN 1 AND 100 THEN source || ':' || (e.value ->> 'assignee_id') END AS assignee_id,
							(SELECT coalesce(jsonb_agg(g.tag ORDER BY g.n), '[]')
								FROM (SELECT left(a.tag, 100) AS tag, min(a.n) AS n
										FROM jsonb_array_elements_text(CASE jsonb_typeof(e.value -> 'tags') WHEN 'array' THEN e.value -> 'tags' ELSE '[]' END)
											WITH ORDINALITY a (tag, n)
										WHERE a.tag ~ '[^[:space:]]' GROUP BY 1 ORDER BY 2 LIMIT 100) g) AS tags,
							CASE WHEN jsonb_typeof(e.value -> 'custom_fields') IS DISTINCT FROM 'object' THEN '{}'
								WHEN pg_column_size(e.value -> 'custom_fields') <= 60000 THEN e.value -> 'custom_fields' END AS custom_fields
						FROM jsonb_array_elements(tickets) WITH ORDINALITY e (value, n)) v
				CROSS JOIN LATERAL (
					SELECT CASE WHEN octet_length(w.full_text) > 1048576 THEN triage.sync_fit(w.full_text, 1048576)
								ELSE w.full_text END AS description
						FROM (SELECT CASE WHEN length(v.t ->> 'subject') > 998 THEN concat_ws(E'\n\n', v.t ->> 'subject', v.t ->> 'description')
									ELSE coalesce(v.t ->> 'description', '') END AS full_text) w) d
				CROSS JOIN LATERAL (
					SELECT CASE WHEN length(v.t ->> 'subject') > 998 THEN left(v.t ->> 'subject', 995) || '...'
								WHEN coalesce(v.t ->> 'subject', '') !~ '[^[:space:]]' AND d.description !~ '[^[:space:]]' THEN 'Ticket ' || v.id
								ELSE coalesce(v.t ->> 'subject', '') END AS subject) s
				ORDER BY v.id, v.generated_at DESC, v.updated_at DESC, v.n DESC) x
$$;
COMMENT ON FUNCTION triage.sync_normal_tickets(text, text, jsonb) IS
	'part of store_sync_tickets(): the tickets of a page, each once, in its newest version, with columns and labels as they are here; raises what a value that cannot be read raises';
REVOKE ALL ON FUNCTION triage.sync_normal_tickets(text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.sync_store_tickets(tenant text, source text, tickets jsonb, fetch_comments boolean,
		OUT upserted int, OUT deleted int, OUT newest timestamptz)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	page CONSTANT jsonb := triage.sync_normal_tickets(tenant, source, tickets);
	complete bigint[];
	rewritten bigint[];
BEGIN
	IF jsonb_path_exists(page, '$[*] ? (!exists(@.external_id) || @.external_id == null || @.external_id == "")') THEN
		RAISE EXCEPTION 'a ticket has no id'
			USING ERRCODE = 'not_null_violation', HINT = 'Nothing of the page is stored: by its id a ticket is known again.';
	END IF;
	-- those who did not come with the page; who has tickets assigned is no customer
	INSERT INTO triage.people (tenant_id, id, role)
		SELECT tenant, v.id, max(v.role)::triage.person_role
			FROM jsonb_to_recordset(page) AS i (requester_id text, assignee_id text)
			CROSS JOIN LATERAL (VALUES (i.requester_id, 'customer'::triage.person_role), (i.assignee_id, 'agent')) v (id, role)
			WHERE v.id IS NOT NULL
			GROUP BY v.id ORDER BY v.id
		ON CONFLICT ON CONSTRAINT people_pkey DO NOTHING;

	-- Each column follows the source if the source changed it since the last copy, and else stays as it is here.  Of a
	-- ticket that is deleted there the text is gone; here it stays until it is purged.
	WITH old AS MATERIALIZED (
			SELECT i.*, t.id, s.copied AS before, t.status AS old_status, coalesce(p.erased_at, q.erased_at) IS NOT NULL AS erased,
					CASE WHEN a.role <> 'customer' THEN i.assignee_id END AS agent_id, coalesce(t.requester_email, q.email) AS email
				FROM jsonb_to_recordset(page) AS i (ticket_id bigint, generated_at bigint, source_updated_at timestamptz, deleted boolean,
					subject text, description text, tags jsonb, custom_fields jsonb, status triage.ticket_status,
					priority triage.ticket_priority, merged boolean, requester_id text, assignee_id text, copied jsonb)
				JOIN triage.tickets t ON t.tenant_id = tenant AND t.id = i.ticket_id
				LEFT JOIN triage.synced_tickets s ON s.tenant_id = tenant AND s.ticket_id = t.id
				LEFT JOIN triage.people p ON p.tenant_id = tenant AND p.id = t.requester_id
				LEFT JOIN triage.people q ON q.tenant_id = tenant AND q.id = i.requester_id
				LEFT JOIN triage.people a ON a.tenant_id = tenant AND a.id = i.assignee_id
				WHERE s.ticket_id IS NULL OR (i.generated_at, i.source_updated_at) >= (s.generated_at, s.source_updated_at)),
		new AS (
			SELECT o.id, o.source_updated_at, o.merged,
					o.deleted <> coalesce((o.before -> 'deleted')::boolean, false) AS moved, o.deleted,
					NOT o.deleted AND NOT o.erased AND md5(o.subject) IS DISTINCT FROM o.before ->> 'subject' AS subject_changed, o.subject,
					NOT o.deleted AND NOT o.erased AND md5(o.description) IS DISTINCT FROM o.before ->> 'description' AS description_changed,
					o.description,
					NOT o.deleted AND NOT o.erased AND o.custom_fields IS NOT NULL
						AND md5(o.custom_fields::text) IS DISTINCT FROM o.before ->> 'custom_fields' AS fields_changed, o.custom_fields,
					NOT o.deleted AND o.tags IS DISTINCT FROM o.before -> 'tags' AS tags_changed, o.tags, coalesce(o.before -> 'tags', '[]') AS old_tags,
					CASE WHEN NOT o.deleted AND o.status::text IS DISTINCT FROM o.before ->> 'status' THEN coalesce(o.status, o.old_status)
						ELSE o.old_status END AS status,
					NOT o.deleted AND o.priority::text IS DISTINCT FROM o.before ->> 'priority' AS priority_changed, o.priority,
					NOT o.deleted AND o.requester_id IS DISTINCT FROM o.before ->> 'requester_id' AS requester_changed, o.requester_id,
					NOT o.deleted AND o.assignee_id IS DISTINCT FROM o.before ->> 'assignee_id' AS assignee_changed, o.agent_id,
					CASE WHEN NOT o.erased THEN o.email END AS email
				FROM old o)
	UPDATE triage.tickets t
		SET subject = CASE WHEN n.subject_changed THEN n.subject ELSE t.subject END,
			description = CASE WHEN n.description_changed THEN n.description ELSE t.description END,
			-- the source's fields have numbers for names; what else is there is the application's
			custom_fields = CASE WHEN n.fields_changed
				THEN t.custom_fields - ARRAY (SELECT k FROM jsonb_object_keys(t.custom_fields) k WHERE k ~ '^[0-9]+$') || n.custom_fields
				ELSE t.custom_fields END,
			-- with those that were added here, and without those that were removed here
			tags = CASE WHEN n.tags_changed THEN ARRAY (
					SELECT g.tag FROM (
						SELECT e.tag, e.n FROM jsonb_array_elements_text(n.tags) WITH ORDINALITY e (tag, n)
							WHERE NOT n.old_tags ? e.tag OR e.tag = ANY (t.tags)
						UNION ALL
						SELECT e.tag, e.n + 1000 FROM unnest(t.tags) WITH ORDINALITY e (tag, n)
							WHERE NOT n.old_tags ? e.tag AND NOT n.tags ? e.tag) g
						ORDER BY g.n LIMIT 100)
				ELSE t.tags END,
			status = n.status,
			resolution = CASE WHEN n.status IN ('resolved', 'closed')
				THEN CASE WHEN n.status <> t.status AND n.merged THEN 'merged' ELSE coalesce(t.resolution, 'resolved') END END,
			resolved_at = CASE WHEN n.status IN ('resolved', 'closed') THEN coalesce(t.resolved_at, n.source_updated_at) END,
			closed_at = CASE WHEN n.status = 'closed' THEN coalesce(t.closed_at, n.source_updated_at) END,
			waiting_since = CASE WHEN n.status IN ('pending', 'on_hold') AND n.status <> t.status THEN NULL ELSE t.waiting_since END,
			priority = CASE WHEN n.priority_changed THEN n.priority ELSE t.priority END,
			requester_id = CASE WHEN n.requester_changed THEN coalesce(n.requester_id, t.requester_id) ELSE t.requester_id END,
			requester_email = n.email,
			assignee_id = CASE WHEN n.assignee_changed THEN n.agent_id ELSE t.assignee_id END,
			deleted_at = CASE WHEN NOT n.moved THEN t.deleted_at WHEN n.deleted THEN coalesce(t.deleted_at, n.source_updated_at) END,
			updated_at = greatest(t.updated_at, n.source_updated_at)
		FROM new n
		WHERE t.tenant_id = tenant AND t.id = n.id
			AND (n.subject_changed OR n.description_changed OR n.fields_changed OR n.tags_changed OR n.status <> t.status
				OR n.priority_changed OR n.requester_changed OR n.assignee_changed OR n.moved OR n.source_updated_at > t.updated_at);

	-- A description is not edited at the source: one that differs was redacted there, so its old text is not kept here.
	UPDATE triage.ticket_history h
		SET old_value = CASE WHEN h.old_value IS NOT NULL THEN to_jsonb('[erased]'::text) END,
			new_value = CASE WHEN h.new_value IS NOT NULL THEN to_jsonb('[erased]'::text) END
		FROM jsonb_to_recordset(page) AS i (ticket_id bigint, generated_at bigint, source_updated_at timestamptz, copied jsonb)
		JOIN triage.synced_tickets s ON s.tenant_id = tenant AND s.ticket_id = i.ticket_id
		WHERE h.tenant_id = tenant AND h.ticket_id = i.ticket_id AND h.field = 'description'
			AND s.copied ->> 'description' <> i.copied ->> 'description'
			AND (i.generated_at, i.source_updated_at) >= (s.generated_at, s.source_updated_at)
			AND (h.old_value <> to_jsonb('[erased]'::text) OR h.new_value <> to_jsonb('[erased]'::text));
	-- nor do issues quote what is not there any more
	rewritten := ARRAY (
		SELECT i.ticket_id
			FROM jsonb_to_recordset(page) AS i (ticket_id bigint, copied jsonb)
			JOIN triage.synced_tickets s ON s.tenant_id = tenant AND s.ticket_id = i.ticket_id
			WHERE s.copied ->> 'description' <> i.copied ->> 'description' OR s.copied ->> 'subject' <> i.copied ->> 'subject');
	IF rewritten <> '{}' THEN
		PERFORM triage.forget_quotes(tenant, rewritten);
	END IF;

	-- New ones.  Of one that was deleted before it was ever here, its place is kept: an older version of it may come yet.
	INSERT INTO triage.tickets (tenant_id, source, external_id, requester_id, requester_email, subject, description, custom_fields,
			tags, status, resolution, priority, priority_is_manual, assignee_id, created_at, updated_at, resolved_at, closed_at, deleted_at)
		SELECT tenant, sync_store_tickets.source, i.external_id, i.requester_id, CASE WHEN NOT i.deleted THEN q.email END,
				CASE WHEN i.deleted THEN 'Ticket ' || i.external_id ELSE i.subject END,
				CASE WHEN i.deleted THEN '' ELSE i.description END,
				CASE WHEN i.deleted THEN '{}' ELSE coalesce(i.custom_fields, '{}') END,
				CASE WHEN i.deleted THEN '{}' ELSE ARRAY (SELECT jsonb_array_elements_text(i.tags)) END,
				coalesce(i.status, 'open'),
				CASE WHEN i.status IN ('resolved', 'closed') THEN CASE WHEN i.merged THEN 'merged' ELSE 'resolved' END END::triage.ticket_resolution,
				i.priority, i.priority_given, CASE WHEN a.role <> 'customer' THEN i.assignee_id END, i.created_at, i.source_updated_at,
				CASE WHEN i.status IN ('resolved', 'closed') THEN i.source_updated_at END,
				CASE WHEN i.status = 'closed' THEN i.source_updated_at END,
				CASE WHEN i.deleted THEN i.source_updated_at END
			FROM jsonb_to_recordset(page) AS i (n bigint, ticket_id bigint, external_id text, source_updated_at timestamptz, created_at timestamptz,
				deleted boolean, subject text, description text, tags jsonb, custom_fields jsonb, status triage.ticket_status,
				priority triage.ticket_priority, priority_given boolean, merged boolean, requester_id text, assignee_id text)
			LEFT JOIN triage.people q ON q.tenant_id = tenant AND q.id = i.requester_id
			LEFT JOIN triage.people a ON a.tenant_id = tenant AND a.id = i.assignee_id
			WHERE q.erased_at IS NULL AND i.ticket_id IS NULL
			ORDER BY i.n;

	-- A request for comments that is in the air was made for an older version: its answer is stale.
	WITH stored AS (
		INSERT INTO triage.synced_tickets AS s (tenant_id, ticket_id, source, external_number, source_updated_at, generated_at, details, copied, comments_due_at,
				comments_fence)
			SELECT tenant, t.id, sync_store_tickets.source, CASE WHEN i.external_id ~ '^[0-9]{1,18}$' THEN i.external_id::bigint END, i.source_updated_at, i.generated_at, i.details,
					-- a hash of a text that was erased is not kept either
					CASE WHEN p.erased_at IS NULL THEN i.copied ELSE i.copied - '{subject,description,custom_fields}'::text[] END,
					CASE WHEN fetch_comments AND NOT i.deleted AND p.erased_at IS NULL THEN clock_timestamp() END,
					-- not one that a source of this name had before it was dropped
					coalesce((SELECT f.fence FROM triage.sync_state f
						WHERE f.tenant_id = tenant AND f.source = sync_store_tickets.source AND f.stream = 'comments'), 0)
				FROM jsonb_to_recordset(page) AS i (ticket_id bigint, external_id text, generated_at bigint, source_updated_at timestamptz,
					deleted boolean, details jsonb, copied jsonb)
				CROSS JOIN LATERAL (
					SELECT t.id, t.requester_id FROM triage.tickets t
						WHERE t.tenant_id = tenant AND t.source = sync_store_tickets.source AND t.external_id BETWEEN i.external_id AND i.external_id
						ORDER BY t.external_id LIMIT 1) t
				LEFT JOIN triage.people p ON p.tenant_id = tenant AND p.id = t.requester_id
				ORDER BY t.id
			ON CONFLICT ON CONSTRAINT synced_tickets_pkey DO UPDATE
				SET source = excluded.source, source_updated_at = excluded.source_updated_at, generated_at = excluded.generated_at,
					details = CASE WHEN excluded.copied -> 'deleted' = 'true' THEN s.details ELSE '{}' END || excluded.details,
					copied = CASE WHEN excluded.copied -> 'deleted' = 'true' THEN s.copied ELSE '{}' END || excluded.copied,
					synced_at = now(), comments_due_at = excluded.comments_due_at,
					comments_cursor = NULL, comments_failures = 0, comments_slot = NULL, comments_fence = s.comments_fence + 1
				WHERE (excluded.generated_at, excluded.source_updated_at) > (s.generated_at, s.source_updated_at)
					OR (excluded.generated_at, excluded.source_updated_at) = (s.generated_at, s.source_updated_at)
						AND NOT s.copied @> excluded.copied
			RETURNING s.ticket_id, s.copied -> 'deleted' = 'true' AS is_deleted)
		SELECT count(*), count(*) FILTER (WHERE n.is_deleted), array_agg(n.ticket_id ORDER BY n.ticket_id) FILTER (WHERE NOT n.is_deleted)
			INTO upserted, deleted, complete FROM stored n;
	newest := (SELECT max(i.source_updated_at) FROM jsonb_to_recordset(page) AS i (source_updated_at timestamptz));
	-- else when its comments are here
	IF NOT fetch_comments THEN
		PERFORM triage.sync_extract(tenant, complete);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.sync_store_tickets(text, text, jsonb, boolean) IS
	'part of store_sync_tickets(): writes tickets of a page; fetch_comments: whether their comments are to be fetched; returns how many were newer than what was here, and how many of those are deleted at the source; raises what a row that does not fit raises';
REVOKE ALL ON FUNCTION triage.sync_store_tickets(text, text, jsonb, boolean) FROM PUBLIC;

-- What fails is halved until the bad row is alone, as the worker does with its answers.
CREATE FUNCTION triage.sync_try_tickets(tenant text, source text, tickets jsonb, fetch_comments boolean,
		OUT upserted int, OUT deleted int, OUT newest timestamptz, OUT left_out text[])
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	count CONSTANT int := jsonb_array_length(tickets);
	part record;
	failure text;
BEGIN
	upserted := 0;
	deleted := 0;
	left_out := '{}';
	IF count = 0 THEN
		RETURN;
	END IF;
	BEGIN
		SELECT s.upserted, s.deleted, s.newest INTO upserted, deleted, newest FROM triage.sync_store_tickets(tenant, source, tickets, fetch_comments) s;
		RETURN;
	EXCEPTION
		-- not the row's fault: trying others would not go better; or somebody has just made a ticket of that source and id
		WHEN unique_violation OR insufficient_privilege OR undefined_table OR undefined_column OR undefined_function OR serialization_failure
			OR deadlock_detected OR lock_not_available OR insufficient_resources OR operator_intervention OR system_error
			OR internal_error OR object_not_in_prerequisite_state THEN
			RAISE;
		WHEN OTHERS THEN
			IF count = 1 THEN
				GET STACKED DIAGNOSTICS failure = CONSTRAINT_NAME;
				-- no message: it may quote the ticket
				left_out := ARRAY[format('ticket %s: %s', left(coalesce(tickets #>> '{0,id}', 'without id'), 50),
					coalesce('it violates ' || nullif(failure, ''), 'a value cannot be read') || ' (' || SQLSTATE || ')')];
				RETURN;
			END IF;
	END;
	FOR part IN
		SELECT p.*
			FROM (SELECT h.second, jsonb_agg(h.value ORDER BY h.n) AS tickets
					FROM (SELECT e.value, e.n, e.n > count / 2 AS second FROM jsonb_array_elements(tickets) WITH ORDINALITY e (value, n)) h
					GROUP BY h.second) v
			CROSS JOIN LATERAL triage.sync_try_tickets(tenant, source, v.tickets, fetch_comments) p ORDER BY v.second
	LOOP
		upserted := upserted + part.upserted;
		deleted := deleted + part.deleted;
		newest := greatest(newest, part.newest);
		left_out := left_out || part.left_out;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.sync_try_tickets(text, text, jsonb, boolean) IS
	'part of store_sync_tickets(): writes tickets of a page but those that do not fit, which it names with the reason; raises what is no row''s fault';
REVOKE ALL ON FUNCTION triage.sync_try_tickets(text, text, jsonb, boolean) FROM PUBLIC;

CREATE FUNCTION triage.sync_errors(skipped jsonb, left_out text[]) RETURNS text
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT left(count(*) || ' left out: ' || string_agg(left(v.line, 200), '; ' ORDER BY v.n), 2000)
		FROM (SELECT e.line, e.n FROM jsonb_array_elements_text(CASE jsonb_typeof(skipped) WHEN 'array' THEN skipped ELSE '[]' END)
				WITH ORDINALITY e (line, n)
			UNION ALL SELECT e.line, e.n + 1000000 FROM unnest(left_out) WITH ORDINALITY e (line, n)) v
		HAVING count(*) > 0);
END
$$;
COMMENT ON FUNCTION triage.sync_errors(jsonb, text[]) IS
	'part of store_sync_tickets() and store_sync_comments(): what was left out of a page, in one text for sync_runs; NULL for nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.sync_errors(jsonb, text[]) FROM PUBLIC;

CREATE FUNCTION triage.store_sync_tickets(tenant_id text, source text, fence int, page jsonb, http_status int, latency_ms int,
		started_at timestamptz)
	RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	actor CONSTANT text := coalesce(current_setting('triage.actor', true), '');
	ask CONSTANT text := coalesce(current_setting('triage.auto_triage', true), 'on');
	tickets CONSTANT jsonb := CASE jsonb_typeof(page -> 'tickets') WHEN 'array' THEN page -> 'tickets' ELSE '[]' END;
	known bigint[];
	held int;
	settings record;
	result record;
	at_end CONSTANT boolean := coalesce(page -> 'end_of_stream' = 'true', false);
	pause CONSTANT interval := make_interval(secs => least(greatest(coalesce((page ->> 'wait_ms')::float8, 0), 0), 3600000) / 1000);
	problems text;
BEGIN
	known := ARRAY (
		SELECT DISTINCT k.id
			FROM jsonb_array_elements(tickets) e (value)
			CROSS JOIN LATERAL (
				SELECT t.id FROM triage.tickets t
					WHERE t.tenant_id = store_sync_tickets.tenant_id AND t.source = store_sync_tickets.source
						AND t.external_id BETWEEN e.value ->> 'id' AND e.value ->> 'id'
					ORDER BY t.external_id LIMIT 1) k
			ORDER BY k.id);
	SELECT count(*) INTO held
		FROM (SELECT FROM triage.tickets t
				WHERE t.tenant_id = store_sync_tickets.tenant_id AND t.id = ANY (known)
				ORDER BY t.id FOR NO KEY UPDATE SKIP LOCKED) k;
	IF held < cardinality(known) AND held < (
		SELECT count(*) FROM triage.tickets t WHERE t.tenant_id = store_sync_tickets.tenant_id AND t.id = ANY (known))
	THEN
		RETURN 'busy';
	END IF;
	SELECT s.poll_interval, s.include_comments INTO settings
		FROM triage.sync_state t
		JOIN triage.sync_sources s ON s.tenant_id = t.tenant_id AND s.name = t.source
		WHERE t.tenant_id = store_sync_tickets.tenant_id AND t.source = store_sync_tickets.source AND t.stream = 'tickets'
			AND t.fence = store_sync_tickets.fence AND t.lease_until IS NOT NULL
		FOR NO KEY UPDATE OF t;
	IF NOT FOUND THEN
		INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome, http_status, tickets_received, latency_ms, started_at)
			VALUES (store_sync_tickets.tenant_id, store_sync_tickets.source, 'tickets', 'stale', store_sync_tickets.http_status,
				jsonb_array_length(tickets), store_sync_tickets.latency_ms, store_sync_tickets.started_at);
		RETURN 'stale';
	END IF;

	PERFORM triage.set_syncing(true);
	PERFORM set_config('triage.auto_triage', 'off', true);
	PERFORM set_config('triage.actor', store_sync_tickets.source, true);
	PERFORM triage.sync_store_people(store_sync_tickets.tenant_id, store_sync_tickets.source, page -> 'users', page -> 'organizations');
	SELECT r.* INTO result
		FROM triage.sync_try_tickets(store_sync_tickets.tenant_id, store_sync_tickets.source, tickets, settings.include_comments) r;
	PERFORM set_config('triage.actor', actor, true);
	PERFORM set_config('triage.auto_triage', ask, true);
	PERFORM triage.set_syncing(false);

	problems := triage.sync_errors(page -> 'skipped', result.left_out);
	UPDATE triage.sync_state t
		SET cursor = coalesce(page ->> 'after_cursor', t.cursor),
			last_ticket_updated_at = greatest(t.last_ticket_updated_at, result.newest),
			sync_completed_at = CASE WHEN at_end THEN now() ELSE t.sync_completed_at END,
			-- who asked while this page was on its way, asked for what came after it
			next_run_at = CASE WHEN at_end AND NOT coalesce(t.requested_at > store_sync_tickets.started_at, false)
				THEN now() + settings.poll_interval ELSE now() END,
			requested_at = CASE WHEN at_end AND t.requested_at <= store_sync_tickets.started_at THEN NULL ELSE t.requested_at END,
			paced_until = greatest(t.paced_until, now() + pause), lease_until = NULL, slot = NULL, consecutive_failures = 0,
			resting_since = NULL, last_outcome = 'succeeded', last_http_status = store_sync_tickets.http_status, last_error = problems
		WHERE t.tenant_id = store_sync_tickets.tenant_id AND t.source = store_sync_tickets.source AND t.stream = 'tickets';
	IF pause > '0' THEN
		UPDATE triage.sync_state t SET paced_until = greatest(t.paced_until, now() + pause)
			WHERE t.tenant_id = store_sync_tickets.tenant_id AND t.source = store_sync_tickets.source AND t.stream = 'comments';
	END IF;
	INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome, http_status, error, tickets_received, tickets_upserted,
			tickets_deleted, latency_ms, started_at)
		VALUES (store_sync_tickets.tenant_id, store_sync_tickets.source, 'tickets', 'succeeded', store_sync_tickets.http_status, problems,
			jsonb_array_length(tickets), result.upserted, result.deleted, store_sync_tickets.latency_ms, store_sync_tickets.started_at);
	RETURN 'stored';
EXCEPTION
	WHEN lock_not_available OR deadlock_detected OR unique_violation THEN
		RETURN 'busy';
END
$$;
COMMENT ON FUNCTION triage.store_sync_tickets(text, text, int, jsonb, int, int, timestamptz) IS
	'for the worker: stores a page of tickets with its users, organizations and the cursor behind it; tenant_id, source, fence: as claimed; page: an object with tickets, users, organizations, after_cursor, end_of_stream and, if any, skipped (what could not be read) and wait_ms (no request for so long); http_status, latency_ms, started_at: of the request; returns stored, stale (the claim is not the current one: nothing was stored) or busy (somebody holds one of the tickets: nothing was stored, to be called again with the same page); a row that does not fit is left out and named in sync_runs; raises what is no row''s fault';
REVOKE ALL ON FUNCTION triage.store_sync_tickets(text, text, int, jsonb, int, int, timestamptz) FROM PUBLIC;

-- Comments -------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.sync_store_comments(tenant text, source text, ticket_id bigint, comments jsonb) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	changed int;
	added bigint[];
BEGIN
	INSERT INTO triage.people (tenant_id, id, role)
		SELECT tenant, source || ':' || (e.value ->> 'author_id'),
				max(CASE WHEN e.value -> 'public' = 'false' THEN 'agent' ELSE 'customer' END::triage.person_role)
			FROM jsonb_array_elements(comments) e (value)
			WHERE length(e.value ->> 'author_id') BETWEEN 1 AND 100 AND e.value ->> 'author_id' !~ '^-'
			GROUP BY 2 ORDER BY 2
		ON CONFLICT ON CONSTRAINT people_pkey DO NOTHING;

	-- At the source a comment is redacted or hidden and not edited.  What was edited, removed or erased here stays so; but
	-- what was redacted there (with U+2587) goes here, too, and the text before it.
	WITH given AS (
			SELECT e.value ->> 'id' AS external_id, triage.sync_comment_text(e.value) AS content,
					CASE WHEN e.value -> 'public' = 'false' THEN 'internal' ELSE 'public' END::triage.comment_visibility AS visibility
				FROM jsonb_array_elements(comments) e (value)),
		known AS (
			SELECT DISTINCT ON (c.id) c.id, g.visibility,
					CASE WHEN c.content NOT IN ('[removed]', '[erased]') AND (position(E'\\xe29687'::bytea IN convert_to(g.content, 'UTF8')) > 0 OR NOT EXISTS (
							SELECT FROM triage.comment_edits d
								WHERE d.tenant_id = tenant AND d.comment_id = c.id AND d.edited_by <> sync_store_comments.source))
						THEN g.content ELSE c.content END AS content
				FROM given g
				CROSS JOIN LATERAL (
					SELECT k.* FROM triage.ticket_comments k
						WHERE k.tenant_id = tenant AND k.source = sync_store_comments.source AND k.external_id BETWEEN g.external_id AND g.external_id
						ORDER BY k.external_id LIMIT 1) c
				WHERE c.ticket_id = sync_store_comments.ticket_id AND (c.content <> g.content OR c.visibility <> g.visibility)),
		done AS (
			UPDATE triage.ticket_comments c SET content = k.content, visibility = k.visibility
				FROM known k
				WHERE c.tenant_id = tenant AND c.id = k.id AND (c.content <> k.content OR c.visibility <> k.visibility)
				RETURNING c.id)
		SELECT array_agg(d.id) INTO added FROM done d;
	changed := coalesce(cardinality(added), 0);
	IF changed > 0 THEN
		UPDATE triage.comment_edits d SET old_content = ''
			WHERE d.tenant_id = tenant AND d.comment_id = ANY (added) AND d.edited_by = sync_store_comments.source AND d.old_content <> '';
		PERFORM triage.forget_quotes(tenant, ARRAY[ticket_id]);
	END IF;

	WITH made AS (
		INSERT INTO triage.ticket_comments (tenant_id, ticket_id, author_id, author_role, visibility, content, source, external_id, created_at)
			SELECT tenant, t.id, p.id,
					CASE WHEN e.value ->> 'author_id' ~ '^-' THEN 'system' ELSE coalesce(p.role, 'customer') END,
					CASE WHEN e.value -> 'public' = 'false' THEN 'internal' ELSE 'public' END::triage.comment_visibility,
					triage.sync_comment_text(e.value), sync_store_comments.source, e.value ->> 'id',
					to_timestamp(greatest(0, least((e.value ->> 'created_at')::numeric, extract(epoch FROM now())))::float8)
				FROM jsonb_array_elements(comments) WITH ORDINALITY e (value, n)
				JOIN triage.tickets t ON t.tenant_id = tenant AND t.id = sync_store_comments.ticket_id
				LEFT JOIN triage.people p ON p.tenant_id = tenant AND p.id = source || ':' || (e.value ->> 'author_id')
				WHERE p.erased_at IS NULL
				ORDER BY e.n
			ON CONFLICT ON CONSTRAINT ticket_comments_external_id_key DO NOTHING
			RETURNING id)
		SELECT array_agg(m.id) INTO added FROM made m;
	PERFORM triage.sync_store_files(tenant, source, ticket_id, comments);
	-- since when the customer waits follows from all comments of the ticket
	UPDATE triage.tickets t
		SET first_response_at = least(t.first_response_at, a.first_at),
			waiting_since = CASE WHEN t.status IN ('resolved', 'closed') THEN t.waiting_since
				WHEN t.status IN ('pending', 'on_hold') THEN NULL
				WHEN a.last_at IS NULL THEN t.created_at
				ELSE (SELECT min(c.created_at) FROM triage.ticket_comments c
						WHERE c.tenant_id = tenant AND c.ticket_id = t.id AND c.visibility = 'public'
							AND c.author_role = 'customer' AND c.created_at > a.last_at) END
		FROM (SELECT min(c.created_at) AS first_at, max(c.created_at) AS last_at FROM triage.ticket_comments c
				WHERE c.tenant_id = tenant AND c.ticket_id = sync_store_comments.ticket_id AND c.visibility = 'public'
					AND c.author_role IN ('agent', 'admin')) a
		WHERE t.tenant_id = tenant AND t.id = sync_store_comments.ticket_id;
	RETURN changed + coalesce(cardinality(added), 0);
END
$$;
COMMENT ON FUNCTION triage.sync_store_comments(text, text, bigint, jsonb) IS
	'part of store_sync_comments(): writes comments of a ticket, and works out since when it waits; returns how many were new or changed; raises what a comment that does not fit raises';
REVOKE ALL ON FUNCTION triage.sync_store_comments(text, text, bigint, jsonb) FROM PUBLIC;

-- A file that was redacted at the source is not named there any more.  Those that were attached here stay, and a comment
-- whose text was taken away here gets none.
CREATE FUNCTION triage.sync_store_files(tenant text, source text, ticket_id bigint, comments jsonb) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	WITH comment AS MATERIALIZED (
			SELECT c.id, f.files
				FROM jsonb_array_elements(comments) e (value)
				CROSS JOIN LATERAL (
					SELECT k.id, k.ticket_id, k.content FROM triage.ticket_comments k
						WHERE k.tenant_id = tenant AND k.source = sync_store_files.source
							AND k.external_id BETWEEN e.value ->> 'id' AND e.value ->> 'id'
						ORDER BY k.external_id LIMIT 1) c
				CROSS JOIN LATERAL (
					SELECT CASE jsonb_typeof(e.value -> 'attachments') WHEN 'array' THEN e.value -> 'attachments' ELSE '[]' END) f (files)
				WHERE c.ticket_id = sync_store_files.ticket_id AND c.content NOT IN ('[removed]', '[erased]')),
		gone AS (
			DELETE FROM triage.comment_attachments a
				USING comment c
				WHERE a.tenant_id = tenant AND a.comment_id = c.id AND a.source = sync_store_files.source
					AND NOT c.files @> jsonb_build_array(jsonb_build_object('content_url', a.file_url)))
	INSERT INTO triage.comment_attachments (tenant_id, comment_id, source, file_url, file_name, file_type, byte_size)
		SELECT tenant, c.id, sync_store_files.source, f.value ->> 'content_url', left(f.value ->> 'file_name', 500),
				CASE WHEN f.value ->> 'content_type' ~ '^[^[:cntrl:]]{1,200}$' THEN f.value ->> 'content_type' ELSE 'application/octet-stream' END,
				CASE WHEN f.value ->> 'size' ~ '^[0-9]{1,18}$' THEN (f.value ->> 'size')::bigint END
			FROM comment c
			CROSS JOIN LATERAL jsonb_array_elements(c.files) WITH ORDINALITY f (value, n)
			-- what is no plain address of a file is left out
			WHERE f.value ->> 'content_url' ~ '^https?://[^[:space:][:cntrl:]]+$' AND length(f.value ->> 'content_url') <= 2000
				AND f.value ->> 'file_name' ~ '^[^[:cntrl:]]+$'
				AND NOT EXISTS (
					SELECT FROM triage.comment_attachments a
						WHERE a.tenant_id = tenant AND a.comment_id = c.id AND a.file_url = f.value ->> 'content_url')
			ORDER BY c.id, f.n;
END
$$;
COMMENT ON FUNCTION triage.sync_store_files(text, text, bigint, jsonb) IS
	'part of sync_store_comments(): makes the files that came with comments of a ticket those that the source names now; returns nothing; raises what a file that does not fit raises';
REVOKE ALL ON FUNCTION triage.sync_store_files(text, text, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.sync_comment_text(comment jsonb) RETURNS text
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE WHEN coalesce(comment ->> 'body', '') !~ '[^[:space:]]' THEN '(no text)'
		WHEN octet_length(comment ->> 'body') > 1048576 THEN triage.sync_fit(comment ->> 'body', 1048576)
		ELSE comment ->> 'body' END;
END
$$;
COMMENT ON FUNCTION triage.sync_comment_text(jsonb) IS
	'part of store_sync_comments(): what a comment says, in at most 1 MiB; raises nothing';
REVOKE ALL ON FUNCTION triage.sync_comment_text(jsonb) FROM PUBLIC;

CREATE FUNCTION triage.sync_try_comments(tenant text, source text, ticket_id bigint, comments jsonb, OUT upserted int, OUT left_out text[])
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	count CONSTANT int := jsonb_array_length(comments);
	part record;
	failure text;
BEGIN
	upserted := 0;
	left_out := '{}';
	IF count = 0 THEN
		RETURN;
	END IF;
	BEGIN
		upserted := triage.sync_store_comments(tenant, source, ticket_id, comments);
		RETURN;
	EXCEPTION
		WHEN insufficient_privilege OR undefined_table OR undefined_column OR undefined_function OR serialization_failure
			OR deadlock_detected OR lock_not_available OR insufficient_resources OR operator_intervention OR system_error
			OR internal_error OR object_not_in_prerequisite_state THEN
			RAISE;
		WHEN OTHERS THEN
			IF count = 1 THEN
				GET STACKED DIAGNOSTICS failure = CONSTRAINT_NAME;
				left_out := ARRAY[format('comment %s: %s', left(coalesce(comments #>> '{0,id}', 'without id'), 50),
					coalesce('it violates ' || nullif(failure, ''), 'a value cannot be read') || ' (' || SQLSTATE || ')')];
				RETURN;
			END IF;
	END;
	FOR part IN
		SELECT p.*
			FROM (SELECT h.second, jsonb_agg(h.value ORDER BY h.n) AS comments
					FROM (SELECT e.value, e.n, e.n > count / 2 AS second FROM jsonb_array_elements(comments) WITH ORDINALITY e (value, n)) h
					GROUP BY h.second) v
			CROSS JOIN LATERAL triage.sync_try_comments(tenant, source, ticket_id, v.comments) p ORDER BY v.second
	LOOP
		upserted := upserted + part.upserted;
		left_out := left_out || part.left_out;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.sync_try_comments(text, text, bigint, jsonb) IS
	'part of store_sync_comments(): writes comments of a ticket but those that do not fit, which it names with the reason; raises what is no comment''s fault';
REVOKE ALL ON FUNCTION triage.sync_try_comments(text, text, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.store_sync_comments(tenant_id text, source text, fence int, ticket_external_id text, page jsonb,
		http_status int, latency_ms int, started_at timestamptz)
	RETURNS text
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	actor CONSTANT text := coalesce(current_setting('triage.actor', true), '');
	ask CONSTANT text := coalesce(current_setting('triage.auto_triage', true), 'on');
	comments CONSTANT jsonb := CASE jsonb_typeof(page -> 'comments') WHEN 'array' THEN page -> 'comments' ELSE '[]' END;
	pause CONSTANT interval := make_interval(secs => least(greatest(coalesce((page ->> 'wait_ms')::float8, 0), 0), 3600000) / 1000);
	ticket bigint;
	row record;
	result record;
	more boolean;
	problems text;
BEGIN
	SELECT t.id INTO ticket
		FROM triage.tickets t
		WHERE t.tenant_id = store_sync_comments.tenant_id AND t.source = store_sync_comments.source
			AND t.external_id = store_sync_comments.ticket_external_id
		FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND AND EXISTS (
		SELECT FROM triage.tickets t
			WHERE t.tenant_id = store_sync_comments.tenant_id AND t.source = store_sync_comments.source
				AND t.external_id = store_sync_comments.ticket_external_id)
	THEN
		RETURN 'busy';
	END IF;
	SELECT s.comments_cursor INTO row
		FROM triage.synced_tickets s
		WHERE s.tenant_id = store_sync_comments.tenant_id AND s.ticket_id = ticket AND s.source = store_sync_comments.source
			AND s.comments_fence = store_sync_comments.fence AND s.comments_slot IS NOT NULL
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome, http_status, latency_ms, started_at)
			VALUES (store_sync_comments.tenant_id, store_sync_comments.source, 'comments', 'stale', store_sync_comments.http_status,
				store_sync_comments.latency_ms, store_sync_comments.started_at);
		RETURN 'stale';
	END IF;

	PERFORM triage.set_syncing(true);
	PERFORM set_config('triage.auto_triage', 'off', true);
	PERFORM set_config('triage.actor', store_sync_comments.source, true);
	PERFORM triage.sync_store_people(store_sync_comments.tenant_id, store_sync_comments.source, page -> 'users', NULL);
	SELECT r.* INTO result
		FROM triage.sync_try_comments(store_sync_comments.tenant_id, store_sync_comments.source, ticket, comments) r;
	PERFORM set_config('triage.actor', actor, true);
	PERFORM set_config('triage.auto_triage', ask, true);
	PERFORM triage.set_syncing(false);

	-- a cursor that does not move would be followed for ever
	more := coalesce(page -> 'has_more' = 'true', false) AND page ->> 'after_cursor' <> coalesce(row.comments_cursor, '');
	UPDATE triage.synced_tickets s
		SET comments_cursor = CASE WHEN more THEN page ->> 'after_cursor' END,
			comments_due_at = CASE WHEN more THEN clock_timestamp() END,
			comments_synced_at = CASE WHEN more THEN s.comments_synced_at ELSE now() END,
			comments_failures = 0, comments_slot = NULL
		WHERE s.tenant_id = store_sync_comments.tenant_id AND s.ticket_id = ticket;
	problems := triage.sync_errors(page -> 'skipped', result.left_out);
	UPDATE triage.sync_state t
		SET paced_until = greatest(t.paced_until, now() + pause), consecutive_failures = 0, last_outcome = 'succeeded',
			last_http_status = store_sync_comments.http_status, last_error = problems,
			sync_completed_at = CASE WHEN EXISTS (
				SELECT FROM triage.synced_tickets s
					WHERE s.tenant_id = t.tenant_id AND s.source = t.source AND s.comments_due_at IS NOT NULL)
				THEN t.sync_completed_at ELSE now() END
		WHERE t.tenant_id = store_sync_comments.tenant_id AND t.source = store_sync_comments.source AND t.stream = 'comments';
	IF pause > '0' THEN
		UPDATE triage.sync_state t SET paced_until = greatest(t.paced_until, now() + pause)
			WHERE t.tenant_id = store_sync_comments.tenant_id AND t.source = store_sync_comments.source AND t.stream = 'tickets';
	END IF;
	INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome, http_status, error, comments_upserted, latency_ms, started_at)
		VALUES (store_sync_comments.tenant_id, store_sync_comments.source, 'comments', 'succeeded', store_sync_comments.http_status,
			problems, result.upserted, store_sync_comments.latency_ms, store_sync_comments.started_at);
	IF NOT more THEN
		PERFORM triage.sync_extract(store_sync_comments.tenant_id, ARRAY[ticket]);
	END IF;
	RETURN 'stored';
EXCEPTION
	WHEN lock_not_available OR deadlock_detected THEN
		RETURN 'busy';
END
$$;
COMMENT ON FUNCTION triage.store_sync_comments(text, text, int, text, jsonb, int, int, timestamptz) IS
	'for the worker: stores a page of a ticket''s comments with their authors and the cursor behind it; tenant_id, source, fence, ticket_external_id: as claimed; page: an object with comments, users, after_cursor, has_more and, if any, gone (the source knows no such ticket), skipped and wait_ms; http_status, latency_ms, started_at: of the request; returns and raises as store_sync_tickets() does';
REVOKE ALL ON FUNCTION triage.store_sync_comments(text, text, int, text, jsonb, int, int, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.sync_extract(tenant text, tickets bigint[]) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF cardinality(tickets) > 0 THEN
		PERFORM triage.request_extraction(tenant, tickets);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.sync_extract(text, bigint[]) IS
	'part of store_sync_comments(): asks for the issues that tickets report, if the tenant wants that of what is copied; raises nothing';
REVOKE ALL ON FUNCTION triage.sync_extract(text, bigint[]) FROM PUBLIC;

-- What did not come ----------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.sync_wait(failures int, base interval, cap interval) RETURNS interval
	LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- upper half at random: what failed together must not return together
	RETURN least(base * (2 ^ least(greatest(failures, 1) - 1, 20)), cap) * (0.5 + random() / 2);
END
$$;
COMMENT ON FUNCTION triage.sync_wait(int, interval, interval) IS
	'part of fail_sync(): how long to wait after so many failures in a row: base, doubled with each, cap at most; raises nothing';
REVOKE ALL ON FUNCTION triage.sync_wait(int, interval, interval) FROM PUBLIC;

CREATE FUNCTION triage.fail_sync_comments(tenant text, source text, fence int, ticket_external_id text, class triage.run_outcome,
		http_status int, cursor_rejected boolean)
	RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	most_failures CONSTANT int := 10;
	done boolean;
	ticket bigint;
BEGIN
	UPDATE triage.synced_tickets s
		SET comments_slot = NULL,
			comments_cursor = CASE WHEN NOT cursor_rejected THEN s.comments_cursor END,
			comments_failures = s.comments_failures + (class IN ('transient', 'bad_request', 'refused', 'unusable_answer') AND coalesce(http_status, 0) NOT IN (404, 410))::int,
			comments_due_at = CASE
				-- what is not there has no comments
				WHEN http_status IN (404, 410) THEN NULL
				WHEN class IN ('lost', 'throttled', 'account', 'misconfigured') THEN clock_timestamp()
				WHEN s.comments_failures + 1 >= most_failures THEN NULL
				WHEN cursor_rejected AND s.comments_failures = 0 THEN clock_timestamp()
				ELSE clock_timestamp() + triage.sync_wait(s.comments_failures + 1, '30 seconds', '1 hour') END
		FROM triage.tickets t
		WHERE t.tenant_id = tenant AND t.source = fail_sync_comments.source AND t.external_id = ticket_external_id
			AND s.tenant_id = tenant AND s.ticket_id = t.id AND s.source = fail_sync_comments.source
			AND s.comments_fence = fence AND s.comments_slot IS NOT NULL
		RETURNING s.comments_due_at IS NULL, t.id INTO done, ticket;
	IF done THEN
		PERFORM triage.sync_extract(tenant, ARRAY[ticket]);
	END IF;
	RETURN done IS NOT NULL;
END
$$;
COMMENT ON FUNCTION triage.fail_sync_comments(text, text, int, text, triage.run_outcome, int, boolean) IS
	'part of fail_sync(): says when the comments of a ticket are tried again, or that they are not: after ten failures, or when the source has no such ticket; returns whether the claim was the current one; raises nothing';
REVOKE ALL ON FUNCTION triage.fail_sync_comments(text, text, int, text, triage.run_outcome, int, boolean) FROM PUBLIC;

CREATE FUNCTION triage.fail_sync(tenant_id text, source text, stream text, fence int, ticket_external_id text,
		class triage.run_outcome, http_status int, message text, retry_after_ms bigint, cursor_rejected boolean, latency_ms int,
		started_at timestamptz)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	rejected CONSTANT boolean := coalesce(cursor_rejected, false);
	throttled CONSTANT boolean := class = 'throttled' OR coalesce(http_status IN (429, 503), false);
	rests CONSTANT boolean := class IN ('account', 'misconfigured')
		AND NOT (stream = 'comments' AND coalesce(http_status IN (404, 410), false));
	-- whoever asks for more than an hour is asked again after one
	which CONSTANT triage.sync_stream := stream::triage.sync_stream;
	asked CONSTANT interval := make_interval(secs => least(greatest(coalesce(retry_after_ms, 60000), 0), 3600000) / 1000.0);
	state record;
	current boolean;
BEGIN
	IF which = 'comments' THEN
		current := triage.fail_sync_comments(fail_sync.tenant_id, fail_sync.source, fence, ticket_external_id,
			CASE WHEN throttled THEN 'throttled' ELSE class END, http_status, rejected);
	ELSE
		PERFORM FROM triage.sync_state t
			WHERE t.tenant_id = fail_sync.tenant_id AND t.source = fail_sync.source AND t.stream = which
				AND t.fence = fail_sync.fence AND t.lease_until IS NOT NULL
			FOR NO KEY UPDATE;
		current := FOUND;
	END IF;
	INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome, http_status, error, retry_after_ms, latency_ms, started_at)
		VALUES (fail_sync.tenant_id, fail_sync.source, which, class, fail_sync.http_status,
			left(concat_ws('; ', nullif(message, ''), CASE WHEN rejected AND current
				THEN CASE which WHEN 'tickets' THEN 'the cursor was rejected: reading again from an hour before the last ticket'
					ELSE 'the cursor was rejected: reading from the first comment' END END), 2000),
			fail_sync.retry_after_ms, fail_sync.latency_ms, fail_sync.started_at);
	IF NOT current THEN
		RETURN;
	END IF;
	SELECT t.resting_since, t.consecutive_failures INTO state
		FROM triage.sync_state t
		WHERE t.tenant_id = fail_sync.tenant_id AND t.source = fail_sync.source AND t.stream = which
		FOR NO KEY UPDATE;
	UPDATE triage.sync_state t
		SET lease_until = CASE WHEN which <> 'tickets' THEN t.lease_until END, slot = CASE WHEN which <> 'tickets' THEN t.slot END,
			cursor = CASE WHEN NOT rejected OR which <> 'tickets' THEN t.cursor END,
			restart_at = CASE WHEN rejected AND which = 'tickets' THEN t.last_ticket_updated_at - interval '1 hour' ELSE t.restart_at END,
			resting_since = CASE WHEN rests THEN coalesce(t.resting_since, now()) ELSE t.resting_since END,
			consecutive_failures = t.consecutive_failures + (class <> 'lost')::int,
			last_outcome = class, last_http_status = fail_sync.http_status, last_error = left(nullif(message, ''), 2000),
			next_run_at = CASE
				WHEN class = 'lost' THEN t.next_run_at
				WHEN t.next_run_at = 'infinity' OR rests THEN 'infinity'
				WHEN throttled THEN clock_timestamp() + asked
				-- of one ticket's comments: the others are tried all the same, if anybody answers at all
				WHEN which = 'comments' AND class <> 'transient' OR rejected AND t.consecutive_failures = 0 THEN clock_timestamp()
				ELSE clock_timestamp() + triage.sync_wait(t.consecutive_failures + 1,
					CASE which WHEN 'tickets' THEN interval '10 seconds' ELSE interval '2 seconds' END, '10 minutes') END
		WHERE t.tenant_id = fail_sync.tenant_id AND t.source = fail_sync.source AND t.stream = which;
	IF rests AND state.resting_since IS NULL THEN
		RAISE WARNING 'sync of % from source "%" rests: %', which, source, coalesce(nullif(message, ''), class::text)
			USING HINT = format('Mend its key, account or address, then SELECT triage.resume_source(%L);', source);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.fail_sync(text, text, text, int, text, triage.run_outcome, int, text, bigint, boolean, int, timestamptz) IS
	'for the worker: says how a request of sync failed, and works out when it is made again: after retry_after_ms milliseconds (an hour at most; NULL: a minute) when class is throttled or the status 429 or 503; not before somebody has mended it when class is account or misconfigured; at once, from an hour before the last ticket, when the source rejected the cursor; else after a time that doubles with each failure; tenant_id, source, stream, fence, ticket_external_id: as claimed; message: for people; returns nothing; raises a WARNING once when a stream is not called any more';
REVOKE ALL ON FUNCTION triage.fail_sync(text, text, text, int, text, triage.run_outcome, int, text, bigint, boolean, int, timestamptz) FROM PUBLIC;
