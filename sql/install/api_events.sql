-- The outbox's functions: add_consumer(), read_events(), confirm_events(), drop_consumer().
--
-- They run as the owner, because no application role may write what they write; whose events are read is decided here,
-- by the tenant of the session and, for a consumer of all tenants, by the session's role not being held to some.

-- In C ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.emit_event(
	tenant_id text,
	topic text,
	ticket_id bigint,
	session_id bigint DEFAULT NULL,
	object_id bigint DEFAULT NULL,
	labels jsonb DEFAULT '{}',
	version int DEFAULT NULL)
	RETURNS void
	LANGUAGE c
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_emit_event';
COMMENT ON FUNCTION triage.emit_event(text, text, bigint, bigint, bigint, jsonb, int) IS
	'writes an event, unless no consumer wants the topic, which costs no statement; for trigger functions that run as the owner; topic: a label of type event_topic; object_id: the comment, message, escalation, result or job; labels: a JSON object of labels and ids, never a text that somebody wrote; version: the ticket''s; returns nothing; raises 22P02 for a topic that does not exist and that a consumer of all topics would get, 22004 without tenant or topic';
REVOKE ALL ON FUNCTION triage.emit_event(text, text, bigint, bigint, bigint, jsonb, int) FROM PUBLIC;

CREATE FUNCTION triage.event_generation() RETURNS int
	LANGUAGE c
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_event_generation';
COMMENT ON FUNCTION triage.event_generation() IS
	'the generation of the cluster that this is, added to event_generations where its identifier is not the last one there; raises nothing';
REVOKE ALL ON FUNCTION triage.event_generation() FROM PUBLIC;

CREATE FUNCTION triage.held_to_tenants() RETURNS boolean
	LANGUAGE c STABLE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_held_to_tenants';
COMMENT ON FUNCTION triage.held_to_tenants() IS
	'whether role_tenants holds the session''s role, or the one taken with SET ROLE, to some tenants; raises nothing';
REVOKE ALL ON FUNCTION triage.held_to_tenants() FROM PUBLIC;

CREATE FUNCTION triage.ticket_comments_event() RETURNS trigger
	LANGUAGE c
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_ticket_comments_event';
COMMENT ON FUNCTION triage.ticket_comments_event() IS
	'trigger of ticket_comments: writes the event of a new comment or a changed text, if a consumer wants it; raises nothing';
REVOKE ALL ON FUNCTION triage.ticket_comments_event() FROM PUBLIC;

CREATE FUNCTION triage.chat_sessions_event() RETURNS trigger
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_chat_sessions_event';
COMMENT ON FUNCTION triage.chat_sessions_event() IS
	'trigger of chat_sessions: writes the event of a session that began, ended or was archived, if a consumer wants it; raises nothing';
REVOKE ALL ON FUNCTION triage.chat_sessions_event() FROM PUBLIC;

CREATE FUNCTION triage.chat_messages_event() RETURNS trigger
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_chat_messages_event';
COMMENT ON FUNCTION triage.chat_messages_event() IS
	'trigger of chat_messages: writes the event of a new message, if a consumer wants it; raises nothing';
REVOKE ALL ON FUNCTION triage.chat_messages_event() FROM PUBLIC;

CREATE FUNCTION triage.ticket_escalations_event() RETURNS trigger
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_ticket_escalations_event';
COMMENT ON FUNCTION triage.ticket_escalations_event() IS
	'trigger of ticket_escalations: writes the event of an escalation, if a consumer wants it; raises nothing';
REVOKE ALL ON FUNCTION triage.ticket_escalations_event() FROM PUBLIC;

-- Parts --------------------------------------------------------------------------------------------------------------

-- A snapshot never lists the transaction that takes it as running, so what that transaction writes later would count as
-- committed in it, and be passed over.
CREATE FUNCTION triage.committed_snapshot() RETURNS pg_snapshot
	LANGUAGE sql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
			WHEN o.own IS NULL OR o.own >= pg_snapshot_xmax(s.current) THEN s.current
			ELSE format('%s:%s:%s', CASE WHEN o.own < pg_snapshot_xmin(s.current) THEN o.own ELSE pg_snapshot_xmin(s.current) END,
				pg_snapshot_xmax(s.current),
				(SELECT string_agg(x.xid::text, ',' ORDER BY x.xid)
					FROM (SELECT pg_snapshot_xip(s.current) UNION SELECT o.own) x (xid)))::pg_snapshot END
		FROM (SELECT pg_current_snapshot() AS current) s, (SELECT pg_current_xact_id_if_assigned() AS own) o
$$;
COMMENT ON FUNCTION triage.committed_snapshot() IS
	'the current snapshot, the calling transaction listed among those that have not committed; raises nothing';
REVOKE ALL ON FUNCTION triage.committed_snapshot() FROM PUBLIC;

CREATE FUNCTION triage.lock_consumer(consumer text) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known bigint;
BEGIN
	PERFORM triage.check_schema();
	SELECT c.id INTO known
		FROM triage.event_consumers c
		WHERE c.name = consumer
			AND (c.tenant = triage.current_tenant() OR (c.tenant IS NULL AND NOT triage.held_to_tenants()))
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'event consumer "%" does not exist', coalesce(left(consumer, 100), 'NULL')
			USING ERRCODE = 'undefined_object',
				HINT = 'Add it with triage.add_consumer. Those of other tenants cannot be reached, nor those of all tenants by a role that is held to some.';
	ELSIF EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = 'triage.events'::regclass) THEN
		RAISE EXCEPTION 'table triage.events is filled by a subscription'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Which of its rows are complete is known where they come from: read there, or drop the subscription first.';
	END IF;
	RETURN known;
END
$$;
COMMENT ON FUNCTION triage.lock_consumer(text) IS
	'part of the functions of the outbox: finds a consumer of the current tenant or of all tenants and locks its row until the transaction ends; returns its id; raises 42704 when there is none, 55000 when the events come from a subscription';
REVOKE ALL ON FUNCTION triage.lock_consumer(text) FROM PUBLIC;

-- Through the index of transactions: what began since, and what was under way then.  "+ 0" keeps the planner from
-- looking for the least id along the primary key, past everything that was read long ago.
CREATE FUNCTION triage.first_event(generation int, seen pg_snapshot, batch pg_snapshot, tenant text, topics text[]) RETURNS bigint
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET jit = off
AS $$
	SELECT least((
		SELECT min(e.id + 0)
			FROM triage.events e
			WHERE e.generation = first_event.generation
				AND e.xid >= pg_snapshot_xmax(seen) AND e.xid < pg_snapshot_xmax(batch) AND pg_visible_in_snapshot(e.xid, batch)
				AND (tenant IS NULL OR e.tenant_id = tenant) AND (topics IS NULL OR e.topic::text = ANY (topics))
	), (
		SELECT min(e.id + 0)
			FROM triage.events e
			WHERE e.generation = first_event.generation
				AND e.xid = ANY (ARRAY (SELECT pg_snapshot_xip(seen))) AND pg_visible_in_snapshot(e.xid, batch)
				AND (tenant IS NULL OR e.tenant_id = tenant) AND (topics IS NULL OR e.topic::text = ANY (topics))))
$$;
COMMENT ON FUNCTION triage.first_event(int, pg_snapshot, pg_snapshot, text, text[]) IS
	'part of read_events(): the least id of the events of one generation that had committed in snapshot batch and not in seen, of one tenant (NULL: all) and these topics (NULL: all); NULL: there is none; raises nothing';
REVOKE ALL ON FUNCTION triage.first_event(int, pg_snapshot, pg_snapshot, text, text[]) FROM PUBLIC;

CREATE FUNCTION triage.pending_events(consumer_id bigint, max_rows int DEFAULT 10000)
	RETURNS TABLE (pending bigint, oldest timestamptz)
	LANGUAGE sql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
	SELECT count(*), min(p.created_at)
		FROM (
			SELECT e.created_at
				FROM triage.event_consumers c
				JOIN triage.events e
					ON (e.generation, e.xid) >= (c.generation, pg_snapshot_xmin(c.seen))
					AND (e.generation > c.generation OR NOT pg_visible_in_snapshot(e.xid, c.seen))
					AND NOT coalesce(e.generation = c.generation AND pg_visible_in_snapshot(e.xid, c.batch) AND e.id <= c.batch_after, false)
					AND (c.tenant IS NULL OR e.tenant_id = c.tenant)
					AND (c.topics IS NULL OR e.topic::text = ANY (c.topics))
				WHERE c.id = consumer_id AND (c.tenant = triage.current_tenant() OR NOT triage.held_to_tenants())
				ORDER BY e.generation, e.xid
				LIMIT max_rows) p
$$;
COMMENT ON FUNCTION triage.pending_events(bigint, int) IS
	'how many events a consumer has not confirmed, and when the oldest of these was written; max_rows: the count goes no further; 0 when the session may not read its events; raises nothing';
REVOKE ALL ON FUNCTION triage.pending_events(bigint, int) FROM PUBLIC;

-- Consumers ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.add_consumer(name text, topics text[] DEFAULT NULL, all_tenants boolean DEFAULT false) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wrong text;
BEGIN
	PERFORM triage.check_schema();
	IF name IS NULL OR name !~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$' THEN
		RAISE EXCEPTION 'invalid name for an event consumer: "%"', coalesce(left(name, 100), 'NULL')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'It has 1 to 63 letters, digits, dots, hyphens and underscores, and begins with a letter or digit.';
	ELSIF all_tenants AND triage.held_to_tenants() THEN
		RAISE EXCEPTION 'role "%" may not read the events of all tenants', session_user
			USING ERRCODE = 'insufficient_privilege', HINT = 'triage.role_tenants holds it to some: add a consumer for one tenant.';
	ELSIF array_ndims(topics) > 1 THEN
		RAISE EXCEPTION 'topics must be a one-dimensional array'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Write them like {ticket.created,comment.created}, without further braces.';
	END IF;
	SELECT coalesce(quote_literal(left(t.topic, 100)), 'NULL') INTO wrong
		FROM unnest(topics) t (topic)
		WHERE t.topic IS NULL OR NOT t.topic = ANY (enum_range(NULL::triage.event_topic)::text[]) LIMIT 1;
	IF FOUND OR cardinality(topics) = 0 THEN
		RAISE EXCEPTION 'there is no event topic %', coalesce(wrong, 'in an empty list')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = format('The topics are: %s. NULL is all of them.', array_to_string(enum_range(NULL::triage.event_topic), ', '));
	END IF;
	-- Whoever changes tickets now commits before this does, or goes on after it and finds the consumer: so a copy of the
	-- tables that is taken after this, and the events, are the whole between them.
	-- Not EXCLUSIVE: whoever has only locked a ticket so far need not end first, and could not, with his comment waiting.
	LOCK TABLE triage.ticket_comments, triage.chat_messages, triage.tickets IN SHARE ROW EXCLUSIVE MODE;
	LOCK TABLE triage.event_consumers IN SHARE ROW EXCLUSIVE MODE;
	IF EXISTS (
		SELECT FROM triage.event_consumers c
			WHERE c.name = add_consumer.name AND (all_tenants OR c.tenant IS NULL OR c.tenant = triage.current_tenant()))
	THEN
		RAISE EXCEPTION 'event consumer "%" exists', name
			USING ERRCODE = 'duplicate_object',
				HINT = 'Choose another name; one of all tenants and one of a tenant cannot share it. To begin anew, drop it first.';
	END IF;
	INSERT INTO triage.event_consumers (tenant, name, topics, generation, seen, created_by)
		VALUES (CASE WHEN all_tenants THEN NULL ELSE triage.current_tenant() END, add_consumer.name, add_consumer.topics,
			triage.event_generation(), triage.committed_snapshot(), triage.current_actor());
END
$$;
COMMENT ON FUNCTION triage.add_consumer(text, text[], boolean) IS
	'adds a reader of events, to be found under this name; topics: labels of type event_topic, NULL is all of them; all_tenants: events of all tenants, else of the current one; it gets what is changed after this commits: for tickets, comments and messages that is exact, as it waits for open transactions that change them and holds new ones up until it commits; returns nothing; raises 22023 for an invalid name or topic, 42710 when the name is taken, 42501 for all tenants when the role is held to some';
REVOKE ALL ON FUNCTION triage.add_consumer(text, text[], boolean) FROM PUBLIC;

CREATE FUNCTION triage.drop_consumer(consumer text) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_id CONSTANT bigint := triage.lock_consumer(consumer);
BEGIN
	DELETE FROM triage.event_consumers c WHERE c.id = found_id;
END
$$;
COMMENT ON FUNCTION triage.drop_consumer(text) IS
	'drops a consumer of events: what it has not read is kept for it no longer, and what no other consumer wants is written no longer; returns nothing; raises 42704 when there is none of that name';
REVOKE ALL ON FUNCTION triage.drop_consumer(text) FROM PUBLIC;

-- Reading ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.next_batch(consumer_id bigint) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- in it all have committed, and none
	everything CONSTANT pg_snapshot := '9223372036854775807:9223372036854775807:';
	nothing CONSTANT pg_snapshot := '1:1:';
	here CONSTANT int := triage.event_generation();
	c record;
	first_id bigint;
BEGIN
	SELECT x.tenant, x.topics, x.generation, x.batch IS NOT NULL AS had_batch, coalesce(x.batch, x.seen) AS seen, NULL::pg_snapshot AS batch
		INTO c
		FROM triage.event_consumers x WHERE x.id = consumer_id;
	-- What another cluster wrote and a restore brought here has all been committed; it comes first.
	FOR g IN c.generation .. here LOOP
		IF g > c.generation THEN
			c.seen := nothing;
		END IF;
		c.batch := CASE WHEN g < here THEN everything ELSE triage.committed_snapshot() END;
		first_id := triage.first_event(g, c.seen, c.batch, c.tenant, c.topics);
		IF first_id IS NOT NULL THEN
			UPDATE triage.event_consumers x
				SET generation = g, seen = c.seen, batch = c.batch, batch_after = first_id - 1
				WHERE x.id = consumer_id;
			RETURN true;
		END IF;
	END LOOP;
	-- Nothing.  The position moves only past events of other topics and tenants, so that an idle look writes nothing.
	UPDATE triage.event_consumers x
		SET generation = here, seen = c.batch, batch = NULL, batch_after = 0, read_at = now()
		WHERE x.id = consumer_id
			AND (c.had_batch OR c.generation < here OR x.read_at IS NULL OR x.read_at < now() - interval '1 minute'
				OR EXISTS (SELECT FROM triage.events e
					WHERE e.generation = here AND e.xid >= pg_snapshot_xmax(c.seen) AND e.xid < pg_snapshot_xmax(c.batch)));
	RETURN false;
END
$$;
COMMENT ON FUNCTION triage.next_batch(bigint) IS
	'part of read_events(): begins the consumer''s next batch when the last one is confirmed; returns whether there is anything in it; raises nothing';
REVOKE ALL ON FUNCTION triage.next_batch(bigint) FROM PUBLIC;

CREATE FUNCTION triage.read_events(consumer text, max_events int DEFAULT 100)
	RETURNS TABLE (
		"position" bigint,
		tenant_id text,
		id bigint,
		topic triage.event_topic,
		ticket_id bigint,
		session_id bigint,
		object_id bigint,
		version int,
		actor text,
		labels jsonb,
		created_at timestamptz)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	-- along the primary key: of a large batch, no more than what is asked for
	SET enable_seqscan = off
	SET enable_bitmapscan = off
	SET enable_sort = off
	SET jit = off
AS $$
DECLARE
	consumer_id bigint;
	c record;
	found_rows bigint;
BEGIN
	IF max_events IS NULL OR max_events NOT BETWEEN 1 AND 10000 THEN
		RAISE EXCEPTION 'max_events must be between 1 and 10000, not %', coalesce(max_events::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Confirm what was read, then read on.';
	END IF;
	consumer_id := triage.lock_consumer(consumer);
	LOOP
		SELECT x.tenant, x.topics, x.generation, x.seen, x.batch, x.batch_after, x.confirmed INTO c
			FROM triage.event_consumers x WHERE x.id = consumer_id;
		RETURN QUERY
			SELECT c.confirmed + row_number() OVER (ORDER BY e.id), e.tenant_id, e.id, e.topic, e.ticket_id, e.session_id,
					e.object_id, e.version, e.actor, e.labels, e.created_at
				FROM triage.events e
				WHERE e.id > c.batch_after AND e.generation = c.generation
					AND pg_visible_in_snapshot(e.xid, c.batch) AND NOT pg_visible_in_snapshot(e.xid, c.seen)
					AND (c.tenant IS NULL OR e.tenant_id = c.tenant) AND (c.topics IS NULL OR e.topic::text = ANY (c.topics))
				ORDER BY e.id
				LIMIT max_events;
		GET DIAGNOSTICS found_rows = ROW_COUNT;
		IF found_rows > 0 THEN
			UPDATE triage.event_consumers x
				SET delivered = greatest(x.delivered, c.confirmed + found_rows), read_at = now()
				WHERE x.id = consumer_id;
			RETURN;
		END IF;
		EXIT WHEN NOT triage.next_batch(consumer_id);
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.read_events(text, int) IS
	'the next events for a consumer, at most max_events (1 to 10000), and the same ones again until confirm_events() is called: each is delivered at least once; position: counts 1, 2, 3 ... for this consumer, so one that keeps the last position with what it does has done each event once; an event comes when its transaction has committed, in the order of commits, and those that came up together in the order of writing: what happened to one ticket comes in the order in which it happened; what the calling transaction itself did comes later; a second reader of the same consumer waits for the first one''s transaction; raises 42704 when there is no such consumer, 22023 when max_events is out of range, 55000 when the events come from a subscription';
REVOKE ALL ON FUNCTION triage.read_events(text, int) FROM PUBLIC;

CREATE FUNCTION triage.confirm_events(consumer text, up_to bigint) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET enable_bitmapscan = off
	SET enable_sort = off
	SET jit = off
AS $$
DECLARE
	consumer_id CONSTANT bigint := triage.lock_consumer(consumer);
	c record;
	last_id bigint;
BEGIN
	SELECT x.tenant, x.topics, x.generation, x.seen, x.batch, x.batch_after, x.confirmed, x.delivered INTO c
		FROM triage.event_consumers x WHERE x.id = consumer_id;
	IF up_to IS NULL OR up_to < 0 OR up_to > c.delivered THEN
		RAISE EXCEPTION 'consumer "%" has not read an event at position %', consumer, coalesce(up_to::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The last position read is %s.', c.delivered),
				HINT = 'Pass the greatest position that read_events() returned and that is dealt with.';
	ELSIF up_to <= c.confirmed THEN
		RETURN c.confirmed;			-- said again
	END IF;
	SELECT e.id INTO STRICT last_id
		FROM triage.events e
		WHERE e.id > c.batch_after AND e.generation = c.generation
			AND pg_visible_in_snapshot(e.xid, c.batch) AND NOT pg_visible_in_snapshot(e.xid, c.seen)
			AND (c.tenant IS NULL OR e.tenant_id = c.tenant) AND (c.topics IS NULL OR e.topic::text = ANY (c.topics))
		ORDER BY e.id
		OFFSET up_to - c.confirmed - 1 LIMIT 1;
	UPDATE triage.event_consumers x
		SET batch_after = last_id, confirmed = up_to, confirmed_at = now()
		WHERE x.id = consumer_id;
	RETURN up_to;
END
$$;
COMMENT ON FUNCTION triage.confirm_events(text, bigint) IS
	'tells that a consumer has dealt with all events up to a position that read_events() returned: they are not delivered again, and may be deleted when all other consumers have confirmed them; an earlier position changes nothing; returns the position that is confirmed; raises 22023 for one that was not read, 42704 when there is no such consumer';
REVOKE ALL ON FUNCTION triage.confirm_events(text, bigint) FROM PUBLIC;

-- Keeping ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.trim_events(before timestamptz, max_rows int) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	deleted bigint;
BEGIN
	DELETE FROM triage.events x WHERE x.ctid = ANY (ARRAY (
		SELECT e.ctid
			FROM triage.events e
			WHERE e.created_at < before AND NOT EXISTS (
				SELECT FROM triage.event_consumers c
					WHERE (c.tenant IS NULL OR c.tenant = e.tenant_id) AND (c.topics IS NULL OR e.topic::text = ANY (c.topics))
						AND (e.generation > c.generation OR (e.generation = c.generation
							AND NOT pg_visible_in_snapshot(e.xid, c.seen)
							AND NOT coalesce(pg_visible_in_snapshot(e.xid, c.batch) AND e.id <= c.batch_after, false))))
			LIMIT max_rows FOR UPDATE SKIP LOCKED));
	GET DIAGNOSTICS deleted = ROW_COUNT;
	RETURN deleted;
END
$$;
COMMENT ON FUNCTION triage.trim_events(timestamptz, int) IS
	'part of apply_retention(): deletes events that were written before a time and that every consumer that wants them has confirmed, at most max_rows; returns their number; raises nothing';
REVOKE ALL ON FUNCTION triage.trim_events(timestamptz, int) FROM PUBLIC;

CREATE FUNCTION triage.health_events()
	RETURNS TABLE (check_name text, level triage.health_level, what text, since timestamptz, what_to_do text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- a day: what is not read for so long is not read at all
	SELECT 'events', CASE WHEN w.name IS NULL THEN 'ok' ELSE 'warning' END::triage.health_level,
			CASE WHEN w.name IS NULL THEN 'no consumer of events is more than a day behind'
				ELSE format('event consumer "%s"%s has not confirmed an event of %s, which is kept for it with all that came after it', w.name,
					coalesce(' of tenant "' || w.tenant || '"', ''), to_char(w.oldest, 'YYYY-MM-DD HH24:MI')) END,
			w.oldest,
			CASE WHEN w.name IS NOT NULL THEN format('Look at what reads it; if nothing does, SELECT triage.drop_consumer(%L);', w.name) END
		FROM (SELECT) one
		LEFT JOIN (
			SELECT c.name, c.tenant, p.oldest
				FROM triage.event_consumers c
				CROSS JOIN LATERAL triage.pending_events(c.id, 100) p
				WHERE p.oldest < now() - interval '1 day'
				ORDER BY p.oldest LIMIT 1) w ON true
$$;
COMMENT ON FUNCTION triage.health_events() IS
	'part of health(): checks whether a consumer of events is more than a day behind; raises nothing';
REVOKE ALL ON FUNCTION triage.health_events() FROM PUBLIC;
