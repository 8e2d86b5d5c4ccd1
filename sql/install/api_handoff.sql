-- Who answers a conversation: from the AI to people and back, why, and what the next one is told.
--
-- All but the settings run as the owner, since no application role may write escalations, summaries and jobs; each statement
-- writes the tenant predicate out.  Those that take a tenant are called by the functions and triggers that already know it, and by
-- the worker.  Locks: the ticket, then its session, then jobs.

-- Rules --------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.chat_settings_of(tenant_id text)
	RETURNS TABLE (bot_enabled boolean, auto_close boolean, summarize_on_handoff boolean, min_confidence numeric,
		unsure_below numeric, max_sentiment int, max_failed_turns int, max_replies int, reply_delay_ms int,
		history_messages int, max_wait_ms int)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT s.bot_enabled, s.auto_close, s.summarize_on_handoff, s.min_confidence, s.unsure_below, s.max_sentiment,
				s.max_failed_turns, s.max_replies, s.reply_delay_ms, s.history_messages, s.max_wait_ms
			FROM triage.chat_settings s
			WHERE s.tenant_id = chat_settings_of.tenant_id;
	IF NOT FOUND THEN				-- the columns' defaults; a test compares
		RETURN QUERY SELECT true, false, true, 0.3::numeric, 0.6::numeric, 8, 3, 30, 0, 50, 120000;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.chat_settings_of(text) IS
	'the rules by which a tenant''s bot answers and hands over: its row of chat_settings, or the defaults; one row; raises nothing';
REVOKE ALL ON FUNCTION triage.chat_settings_of(text) FROM PUBLIC;

CREATE FUNCTION triage.set_chat_settings(settings jsonb) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keys CONSTANT text := 'bot_enabled, auto_close, summarize_on_handoff, min_confidence, unsure_below, max_sentiment, '
		'max_failed_turns, max_replies, reply_delay_ms, history_messages, max_wait_ms';
	entry record;
	now_set record;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_tenant();
	IF jsonb_typeof(settings) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'settings must be a JSON object'
			USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys it may have: %s.', keys);
	END IF;
	FOR entry IN
		SELECT c.key, c.value, a.json_type, a.nullable, a.low, a.high, a.whole
			FROM jsonb_each(settings) c
			LEFT JOIN (VALUES
				('bot_enabled', 'boolean', false, NULL::numeric, NULL::numeric, false),
				('auto_close', 'boolean', false, NULL, NULL, false),
				('summarize_on_handoff', 'boolean', false, NULL, NULL, false),
				('min_confidence', 'number', true, 0, 1, false),
				('unsure_below', 'number', true, 0, 1, false),
				('max_sentiment', 'number', true, 1, 10, true),
				('max_failed_turns', 'number', true, 1, 100, true),
				('max_replies', 'number', true, 1, 10000, true),
				('reply_delay_ms', 'number', false, 0, 60000, true),
				('history_messages', 'number', false, 2, 500, true),
				('max_wait_ms', 'number', true, 1000, 86400000, true)) a (key, json_type, nullable, low, high, whole)
				ON a.key = c.key
			ORDER BY c.key
	LOOP
		IF entry.json_type IS NULL THEN
			RAISE EXCEPTION 'there is no chat setting "%"', left(entry.key, 100)
				USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys are: %s.', keys);
		ELSIF jsonb_typeof(entry.value) = 'null' AND entry.nullable THEN
			CONTINUE;
		ELSIF jsonb_typeof(entry.value) <> entry.json_type THEN
			RAISE EXCEPTION 'chat setting "%" must be a JSON %, not %', entry.key, entry.json_type, jsonb_typeof(entry.value)
				USING ERRCODE = 'invalid_parameter_value',
					HINT = CASE WHEN entry.nullable THEN 'null switches the rule off.' ELSE 'It cannot be null.' END;
		ELSIF entry.json_type = 'number' AND ((entry.value #>> '{}')::numeric NOT BETWEEN entry.low AND entry.high
			OR entry.whole AND (entry.value #>> '{}')::numeric <> trunc((entry.value #>> '{}')::numeric))
		THEN
			RAISE EXCEPTION 'chat setting "%" must be % from % to %', entry.key,
					CASE WHEN entry.whole THEN 'a whole number' ELSE 'a number' END, entry.low, entry.high
				USING ERRCODE = 'invalid_parameter_value',
					HINT = CASE WHEN entry.nullable THEN 'null switches the rule off.' ELSE 'It cannot be null.' END;
		END IF;
	END LOOP;

	INSERT INTO triage.chat_settings (tenant_id) VALUES (triage.current_tenant()) ON CONFLICT DO NOTHING;
	SELECT * INTO now_set
		FROM triage.chat_settings s WHERE s.tenant_id = triage.current_tenant() FOR UPDATE;
	-- a key that is absent leaves its setting as it is
	UPDATE triage.chat_settings s
		SET bot_enabled = coalesce((settings ->> 'bot_enabled')::boolean, now_set.bot_enabled),
			auto_close = coalesce((settings ->> 'auto_close')::boolean, now_set.auto_close),
			summarize_on_handoff = coalesce((settings ->> 'summarize_on_handoff')::boolean, now_set.summarize_on_handoff),
			min_confidence = CASE WHEN settings ? 'min_confidence' THEN (settings ->> 'min_confidence')::numeric
				ELSE now_set.min_confidence END,
			unsure_below = CASE WHEN settings ? 'unsure_below' THEN (settings ->> 'unsure_below')::numeric
				ELSE now_set.unsure_below END,
			max_sentiment = CASE WHEN settings ? 'max_sentiment' THEN (settings ->> 'max_sentiment')::numeric::int
				ELSE now_set.max_sentiment END,
			max_failed_turns = CASE WHEN settings ? 'max_failed_turns' THEN (settings ->> 'max_failed_turns')::numeric::int
				ELSE now_set.max_failed_turns END,
			max_replies = CASE WHEN settings ? 'max_replies' THEN (settings ->> 'max_replies')::numeric::int
				ELSE now_set.max_replies END,
			reply_delay_ms = coalesce((settings ->> 'reply_delay_ms')::numeric::int, now_set.reply_delay_ms),
			history_messages = coalesce((settings ->> 'history_messages')::numeric::int, now_set.history_messages),
			max_wait_ms = CASE WHEN settings ? 'max_wait_ms' THEN (settings ->> 'max_wait_ms')::numeric::int
				ELSE now_set.max_wait_ms END,
			updated_at = now()
		WHERE s.tenant_id = triage.current_tenant();

	-- who was promised an answer is heard by people
	IF now_set.bot_enabled AND (settings ->> 'bot_enabled')::boolean IS FALSE THEN
		FOR entry IN
			SELECT j.session_id FROM triage.ai_jobs j
				WHERE j.tenant_id = triage.current_tenant() AND j.kind = 'chat_reply'
				ORDER BY j.session_id
		LOOP
			BEGIN
				PERFORM triage.escalate_session(entry.session_id, 'policy');
			EXCEPTION WHEN object_not_in_prerequisite_state OR no_data_found THEN
				NULL;					-- ended or deleted meanwhile: nobody waits
			END;
		END LOOP;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.set_chat_settings(jsonb) IS
	'sets rules of the current tenant''s bot; settings: a JSON object of bot_enabled, auto_close, summarize_on_handoff (booleans), min_confidence, unsure_below (0 to 1), max_sentiment (1 to 10), max_failed_turns (1 to 100), max_replies (1 to 10000), reply_delay_ms (0 to 60000), history_messages (2 to 500), max_wait_ms (1000 to 86400000); a key that is absent stays as it is, null switches a rule off; see table chat_settings; switching the bot off hands the conversations that wait for its answer to people; returns nothing; raises 22023 naming the key, 23503 when the tenant does not exist, 42501 without rights on the table';
REVOKE ALL ON FUNCTION triage.set_chat_settings(jsonb) FROM PUBLIC;

CREATE FUNCTION triage.handoff_cause(answer jsonb, failed_turns int, replies int, min_confidence numeric,
	max_sentiment int, max_failed_turns int, max_replies int)
	RETURNS triage.escalation_cause
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		-- what the model says itself comes first
		WHEN answer ->> 'action' = 'escalate'
			THEN coalesce(nullif(answer ->> 'cause', 'none'), 'missing_knowledge')::triage.escalation_cause
		WHEN (answer ->> 'sentiment_score')::numeric >= max_sentiment THEN 'negative_sentiment'
		WHEN (answer ->> 'confidence')::numeric < min_confidence THEN 'low_confidence'
		WHEN failed_turns >= max_failed_turns THEN 'repeated_failure'
		-- who takes his leave needs no one to take over
		WHEN replies >= max_replies AND answer ->> 'action' <> 'close' THEN 'usage_limit'
	END
$$;
COMMENT ON FUNCTION triage.handoff_cause(jsonb, int, int, numeric, int, int, int) IS
	'why an answer of the bot hands the conversation over, by the rules given (see chat_settings, NULL: off); answer: as the model gave it; failed_turns: in a row, this answer included; replies: of the bot, this one included; NULL: it goes on; raises nothing';
REVOKE ALL ON FUNCTION triage.handoff_cause(jsonb, int, int, numeric, int, int, int) FROM PUBLIC;

-- Locks and states ---------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.set_handler(tenant_id text, ticket_id bigint, handler text, agent_id text DEFAULT NULL) RETURNS boolean
	LANGUAGE c
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_set_handler';
COMMENT ON FUNCTION triage.set_handler(text, bigint, text, text) IS
	'part of every handover: changes who answers a ticket''s customer, which nothing else may; handler human: agent_id, if given, takes it; ai: nobody has it any more; returns whether it changed; raises 22004 when one of the first three is null';
REVOKE ALL ON FUNCTION triage.set_handler(text, bigint, text, text) FROM PUBLIC;

CREATE FUNCTION triage.close_by_client(tenant_id text, ticket_id bigint) RETURNS boolean
	LANGUAGE c STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_close_by_client';
COMMENT ON FUNCTION triage.close_by_client(text, bigint) IS
	'part of end_session(): resolves a conversation''s ticket as closed by its client, which nothing else may; returns whether it was not finished or deleted before; raises nothing';
REVOKE ALL ON FUNCTION triage.close_by_client(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.is_handed_over(ticket_id bigint) RETURNS boolean
	LANGUAGE c STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_is_handed_over';
COMMENT ON FUNCTION triage.is_handed_over(bigint) IS
	'part of the triggers on tickets: whether set_handler() or close_by_client() is what changes that ticket now; raises nothing';
REVOKE ALL ON FUNCTION triage.is_handed_over(bigint) FROM PUBLIC;

-- A ticket without a conversation has no end_session(): whoever hears of the customer that the matter is settled says so.
CREATE FUNCTION triage.check_closed_by_client() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	conversation bigint;
BEGIN
	IF triage.is_handed_over(NEW.id) OR triage.syncing() THEN
		RETURN NULL;
	END IF;
	SELECT o.session_id INTO conversation
		FROM triage.chat_tickets o
		WHERE o.tenant_id = NEW.tenant_id AND o.ticket_id = NEW.id AND o.relation = 'origin';
	IF FOUND THEN
		RAISE EXCEPTION 'ticket % cannot be resolved as closed_by_client: its conversation was not ended by the client', NEW.id
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets',
				HINT = format('Call triage.end_session(%s, by_client => true).', conversation);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.check_closed_by_client() IS
	'trigger on tickets: the ticket of a conversation becomes closed_by_client by end_session() only; raises 23514';
REVOKE ALL ON FUNCTION triage.check_closed_by_client() FROM PUBLIC;

CREATE FUNCTION triage.conversation_trouble(tenant_id text, session_id bigint) RETURNS text
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
			WHEN s.status <> 'active' THEN format('session %s is %s', s.id, s.status)
			WHEN t.deleted_at IS NOT NULL THEN format('ticket %s was deleted', t.id)
			WHEN t.status IN ('resolved', 'closed') THEN format('ticket %s is %s', t.id, t.status) END
		FROM triage.chat_sessions s
		LEFT JOIN triage.chat_tickets o
			ON o.tenant_id = s.tenant_id AND o.session_id = s.id AND o.relation = 'origin'
		LEFT JOIN triage.tickets t ON t.tenant_id = o.tenant_id AND t.id = o.ticket_id
		WHERE s.tenant_id = conversation_trouble.tenant_id AND s.id = conversation_trouble.session_id
$$;
COMMENT ON FUNCTION triage.conversation_trouble(text, bigint) IS
	'why nobody can take a session over, in words: it is not active, or its ticket is finished or deleted; NULL when one can; raises nothing';
REVOKE ALL ON FUNCTION triage.conversation_trouble(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.check_conversation(tenant_id text, session_id bigint) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	trouble CONSTANT text := triage.conversation_trouble(tenant_id, session_id);
BEGIN
	IF trouble IS NOT NULL THEN
		RAISE EXCEPTION '%', trouble
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'A conversation changes hands while its session is active and its ticket is not finished.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_conversation(text, bigint) IS
	'checks that a session can be taken over; returns nothing; raises 55000 when it is not active, or its ticket is finished or deleted';
REVOKE ALL ON FUNCTION triage.check_conversation(text, bigint) FROM PUBLIC;

-- What a handover leaves behind ----------------------------------------------------------------------------------------

CREATE FUNCTION triage.ask_summary(tenant_id text, ticket_id bigint, session_id bigint) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	job_id bigint;
BEGIN
	DELETE FROM triage.ai_dead_letters d
		WHERE d.tenant_id = ask_summary.tenant_id AND d.kind = 'summarize'
			AND (d.ticket_id = ask_summary.ticket_id OR d.session_id = ask_summary.session_id);
	-- a new fence: what is on its way is about less than there is now
	IF ticket_id IS NOT NULL THEN
		INSERT INTO triage.ai_jobs AS j (tenant_id, ticket_id, kind, priority)
			VALUES (ask_summary.tenant_id, ask_summary.ticket_id, 'summarize', 'high')
			ON CONFLICT ON CONSTRAINT ai_jobs_one_per_ticket DO UPDATE
				SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0, run_at = excluded.run_at
			RETURNING j.id INTO job_id;
	ELSE
		INSERT INTO triage.ai_jobs AS j (tenant_id, session_id, kind, priority)
			VALUES (ask_summary.tenant_id, ask_summary.session_id, 'summarize', 'high')
			ON CONFLICT (tenant_id, session_id, kind) WHERE session_id IS NOT NULL DO UPDATE
				SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0, run_at = excluded.run_at
			RETURNING j.id INTO job_id;
	END IF;
	PERFORM triage.wake_worker();
	RETURN job_id;
END
$$;
COMMENT ON FUNCTION triage.ask_summary(text, bigint, bigint) IS
	'asks the model for a summary of a ticket or a session, or asks again; returns the job''s id; raises nothing';
REVOKE ALL ON FUNCTION triage.ask_summary(text, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.add_escalation(tenant_id text, ticket_id bigint, session_id bigint, cause triage.escalation_cause,
	reason text)
	RETURNS void
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, session_id, cause, reason, up_to_message, created_by,
			session_role)
		VALUES (add_escalation.tenant_id, add_escalation.ticket_id, add_escalation.session_id, add_escalation.cause,
			add_escalation.reason,
			(SELECT max(m.id) FROM triage.chat_messages m
				WHERE m.tenant_id = add_escalation.tenant_id AND m.session_id = add_escalation.session_id),
			triage.current_actor(), session_user)
$$;
COMMENT ON FUNCTION triage.add_escalation(text, bigint, bigint, triage.escalation_cause, text) IS
	'puts on record why a ticket is with people, and up to which message the AI answered; returns nothing; raises 23514 when reason is empty or above 1000 characters';
REVOKE ALL ON FUNCTION triage.add_escalation(text, bigint, bigint, triage.escalation_cause, text) FROM PUBLIC;

CREATE FUNCTION triage.origin_session(tenant_id text, ticket_id bigint) RETURNS bigint
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT o.session_id
		FROM triage.chat_tickets o
		WHERE o.tenant_id = origin_session.tenant_id AND o.ticket_id = origin_session.ticket_id AND o.relation = 'origin'
		ORDER BY o.session_id DESC
		LIMIT 1
$$;
COMMENT ON FUNCTION triage.origin_session(text, bigint) IS
	'the session that a ticket began as, NULL when it is none; raises nothing';
REVOKE ALL ON FUNCTION triage.origin_session(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.record_handoff(tenant_id text, ticket_id bigint, session_id bigint, cause triage.escalation_cause,
	reason text)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	session_id := coalesce(session_id, triage.origin_session(tenant_id, ticket_id));
	PERFORM triage.add_escalation(tenant_id, ticket_id, session_id, cause, reason);
	-- the worker cuts off the call, if one is in the air
	DELETE FROM triage.ai_jobs j
		WHERE j.tenant_id = record_handoff.tenant_id AND j.session_id = record_handoff.session_id AND j.kind = 'chat_reply';
	IF (SELECT s.summarize_on_handoff FROM triage.chat_settings_of(record_handoff.tenant_id) s) AND EXISTS (
		SELECT FROM triage.tickets t
			WHERE t.tenant_id = record_handoff.tenant_id AND t.id = record_handoff.ticket_id
				AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL)
	THEN
		PERFORM triage.ask_summary(tenant_id, ticket_id, NULL);
	END IF;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.record_handoff(text, bigint, bigint, triage.escalation_cause, text) IS
	'part of every handover to people: puts the reason on record, calls the bot''s answer off and asks for a summary for whoever takes over; session_id NULL: the session that the ticket began as; returns nothing; raises as add_escalation() does';
REVOKE ALL ON FUNCTION triage.record_handoff(text, bigint, bigint, triage.escalation_cause, text) FROM PUBLIC;

CREATE FUNCTION triage.open_ticket_of(tenant_id text, session_id bigint, agent_id text) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	said text;
	new_id bigint;
BEGIN
	-- what the customer said first is what the ticket is about; the rest is in the session
	SELECT left(string_agg(m.content, E'\n\n' ORDER BY m.id), 20000) INTO said
		FROM (SELECT m.id, m.content
				FROM triage.chat_messages m
				WHERE m.tenant_id = open_ticket_of.tenant_id AND m.session_id = open_ticket_of.session_id AND m.role = 'user'
				ORDER BY m.id LIMIT 20) m;
	INSERT INTO triage.tickets (tenant_id, source, requester_id, language, subject, description, handler, assignee_id)
		SELECT s.tenant_id, 'chat', s.customer_id, s.language,
				left(btrim(regexp_replace(left(coalesce(said, ''), 1000), '[[:space:]]+', ' ', 'g')), 120),
				coalesce(said, 'A conversation in which the customer has not said anything yet.'), 'human',
				open_ticket_of.agent_id
			FROM triage.chat_sessions s
			WHERE s.tenant_id = open_ticket_of.tenant_id AND s.id = open_ticket_of.session_id
		RETURNING id INTO new_id;
	INSERT INTO triage.chat_tickets (tenant_id, session_id, ticket_id, relation)
		VALUES (open_ticket_of.tenant_id, open_ticket_of.session_id, new_id, 'origin');
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.open_ticket_of(text, bigint, text) IS
	'opens the ticket of a locked session that has none, with people as its handler: what the customer said first becomes its text; agent_id: who has it, NULL nobody; returns its id; raises 23505 when it has one';
REVOKE ALL ON FUNCTION triage.open_ticket_of(text, bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.reason_text(reason text) RETURNS text
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT nullif(btrim(left(btrim(reason, E' \t\r\n'), 1000), E' \t\r\n'), '')
$$;
COMMENT ON FUNCTION triage.reason_text(text) IS
	'a reason as it is stored: without white space around it, 1000 characters at most, NULL when nothing is left; raises nothing';
REVOKE ALL ON FUNCTION triage.reason_text(text) FROM PUBLIC;

CREATE FUNCTION triage.check_escalation(cause triage.escalation_cause, reason text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF cause IS NULL THEN
		RAISE EXCEPTION 'cause must not be null'
			USING ERRCODE = 'null_value_not_allowed',
				HINT = format('The causes are: %s.', array_to_string(enum_range(NULL::triage.escalation_cause), ', '));
	ELSIF length(reason) > 1000 THEN
		RAISE EXCEPTION 'reason is too long: % characters', length(reason)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ticket_escalations',
				CONSTRAINT = 'ticket_escalations_reason_length', HINT = 'It may have at most 1000; add longer texts as an internal comment.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_escalation(triage.escalation_cause, text) IS
	'checks what an escalation is called with; returns nothing; raises 22004 when cause is null, 23514 when reason has more than 1000 characters';
REVOKE ALL ON FUNCTION triage.check_escalation(triage.escalation_cause, text) FROM PUBLIC;

CREATE FUNCTION triage.hand_to_people(tenant_id text, ticket_id bigint, session_id bigint, cause triage.escalation_cause,
	reason text)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF triage.set_handler(tenant_id, ticket_id, 'human') THEN
		PERFORM triage.record_handoff(tenant_id, ticket_id, session_id, cause, reason);
	ELSIF reason IS NOT NULL AND NOT EXISTS (
		SELECT FROM triage.ticket_escalations e
			WHERE e.tenant_id = hand_to_people.tenant_id AND e.ticket_id = hand_to_people.ticket_id
				AND e.cause = hand_to_people.cause AND e.reason = hand_to_people.reason)
	THEN
		-- with people already: who asks again adds what he says, not another handover
		PERFORM triage.add_escalation(tenant_id, ticket_id, session_id, cause, reason);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.hand_to_people(text, bigint, bigint, triage.escalation_cause, text) IS
	'part of escalate_session() and escalate_ticket(), for a locked ticket: makes people its handler with all that belongs to it; where they are already, a reason that is not on record yet is added and nothing else; returns nothing; raises as add_escalation() does';
REVOKE ALL ON FUNCTION triage.hand_to_people(text, bigint, bigint, triage.escalation_cause, text) FROM PUBLIC;

-- From the AI to people ------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.escalate_for(tenant_id text, session_id bigint, cause triage.escalation_cause, reason text) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket_id bigint := (SELECT c.ticket_id FROM triage.lock_chat(session_id, tenant_id) c);
BEGIN
	IF triage.conversation_trouble(tenant_id, session_id) IS NOT NULL THEN
		RETURN NULL;
	END IF;
	IF ticket_id IS NULL THEN
		ticket_id := triage.open_ticket_of(tenant_id, session_id, NULL);
		PERFORM triage.record_handoff(tenant_id, ticket_id, session_id, cause, triage.reason_text(reason));
	ELSE
		PERFORM triage.hand_to_people(tenant_id, ticket_id, session_id, cause, triage.reason_text(reason));
	END IF;
	RETURN ticket_id;
END
$$;
COMMENT ON FUNCTION triage.escalate_for(text, bigint, triage.escalation_cause, text) IS
	'escalate_session() for a tenant that is named, for triggers and the worker: does nothing and returns NULL where that would raise 55000, and cuts a longer reason at 1000 characters; raises P0002 when there is no such session';
REVOKE ALL ON FUNCTION triage.escalate_for(text, bigint, triage.escalation_cause, text) FROM PUBLIC;

-- The job is what says that a reply is owed, and since when.  A call in the air is left to come back.
CREATE FUNCTION triage.escalate_unanswered(max_sessions int DEFAULT 100) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	waiting record;
	escalated int := 0;
BEGIN
	IF max_sessions IS NULL OR max_sessions < 0 THEN
		RAISE EXCEPTION 'max_sessions must be 0 or more, not %', coalesce(max_sessions::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It bounds what one call hands over.';
	END IF;
	FOR waiting IN
		SELECT j.tenant_id, j.session_id, c.max_wait_ms
			FROM triage.ai_jobs j
			CROSS JOIN LATERAL triage.chat_settings_of(j.tenant_id) c
			WHERE j.session_id IS NOT NULL AND j.kind = 'chat_reply' AND j.lease_until IS NULL
				AND j.created_at < now() - c.max_wait_ms * interval '1 millisecond'
			ORDER BY j.tenant_id, j.session_id
			LIMIT max_sessions
	LOOP
		BEGIN
			IF triage.escalate_for(waiting.tenant_id, waiting.session_id, 'ai_failed',
				format('no answer within %s seconds', round(waiting.max_wait_ms / 1000.0))) IS NOT NULL
			THEN
				escalated := escalated + 1;
			END IF;
		EXCEPTION WHEN lock_not_available OR no_data_found THEN
			NULL;						-- somebody has it at this moment, or it is gone: the next time
		END;
	END LOOP;
	RETURN escalated;
END
$$;
COMMENT ON FUNCTION triage.escalate_unanswered(int) IS
	'for the worker, every few seconds, and for schedulers where none runs: hands conversations of all tenants to people, with cause ai_failed, whose customer has waited for the AI longer than the tenant''s max_wait_ms, because no provider serves, a budget is used up, calls fail or work is paused; max_sessions: at most so many; returns how many; raises 22023 when max_sessions is negative or null';
REVOKE ALL ON FUNCTION triage.escalate_unanswered(int) FROM PUBLIC;

CREATE FUNCTION triage.escalate_session(session_id bigint, cause triage.escalation_cause, reason text DEFAULT NULL) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_escalation(cause, reason);
	PERFORM triage.lock_chat(session_id);
	PERFORM triage.check_conversation(triage.current_tenant(), session_id);
	RETURN triage.escalate_for(triage.current_tenant(), session_id, cause, reason);
END
$$;
COMMENT ON FUNCTION triage.escalate_session(bigint, triage.escalation_cause, text) IS
	'hands a conversation from the AI to people: opens its ticket if there is none, makes people its handler, puts cause and reason on record, calls the bot''s answer off and asks for a summary; where people answer already, only a reason that is not on record yet is added; reason: at most 1000 characters; returns the ticket''s id; raises P0002 when there is no such session, 55000 when it is not active or its ticket is finished, 22004 when cause is null, 23514 when reason is too long';
REVOKE ALL ON FUNCTION triage.escalate_session(bigint, triage.escalation_cause, text) FROM PUBLIC;

CREATE FUNCTION triage.escalate_ticket(ticket_id bigint, cause triage.escalation_cause, reason text DEFAULT NULL,
	expected_version int DEFAULT NULL)
	RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	session bigint;
	ticket record;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_escalation(cause, reason);
	PERFORM triage.lock_ticket(ticket_id, expected_version);
	session := triage.origin_session(tenant, ticket_id);
	PERFORM FROM triage.chat_sessions s WHERE s.tenant_id = tenant AND s.id = session FOR NO KEY UPDATE;
	SELECT t.status INTO ticket FROM triage.tickets t WHERE t.tenant_id = tenant AND t.id = escalate_ticket.ticket_id;
	IF ticket.status IN ('resolved', 'closed') THEN
		RAISE EXCEPTION 'ticket % is %', ticket_id, ticket.status
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = CASE ticket.status
					WHEN 'resolved' THEN 'Reopen it with triage.reopen_ticket first.'
					ELSE 'Closed is final: create a follow-up ticket.' END;
	END IF;
	PERFORM triage.hand_to_people(tenant, ticket_id, session, cause, triage.reason_text(reason));
	RETURN (SELECT t.version FROM triage.tickets t WHERE t.tenant_id = tenant AND t.id = escalate_ticket.ticket_id);
END
$$;
COMMENT ON FUNCTION triage.escalate_ticket(bigint, triage.escalation_cause, text, int) IS
	'hands a ticket from the AI to people: makes them its handler, puts cause and reason on record, calls the bot''s answer off and asks for a summary; where people answer already, only a reason that is not on record yet is added; reason: at most 1000 characters; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 55000 when it is finished, 22004 when cause is null, 23514 when reason is too long';
REVOKE ALL ON FUNCTION triage.escalate_ticket(bigint, triage.escalation_cause, text, int) FROM PUBLIC;

CREATE FUNCTION triage.take_over_session(session_id bigint, agent_id text) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	ticket_id bigint;
	assignee text;
BEGIN
	PERFORM triage.check_schema();
	ticket_id := (SELECT c.ticket_id FROM triage.lock_chat(session_id, tenant) c);
	PERFORM triage.check_conversation(tenant, session_id);
	PERFORM triage.ensure_agent(agent_id);
	IF ticket_id IS NULL THEN
		ticket_id := triage.open_ticket_of(tenant, session_id, agent_id);
		PERFORM triage.record_handoff(tenant, ticket_id, session_id, 'agent_takeover', NULL);
		RETURN ticket_id;
	END IF;
	SELECT t.assignee_id INTO assignee
		FROM triage.tickets t
		WHERE t.tenant_id = tenant AND t.id = ticket_id;
	IF assignee <> agent_id THEN
		RAISE EXCEPTION 'agent "%" has the conversation already', assignee
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('triage.assign_ticket(%s, ...) takes it from one agent and gives it to another.', ticket_id);
	ELSIF assignee IS NULL THEN
		-- from the AI, that is a handover: the triggers of tickets see to the rest
		UPDATE triage.tickets t
			SET assignee_id = take_over_session.agent_id
			WHERE t.tenant_id = tenant AND t.id = ticket_id;
	END IF;
	RETURN ticket_id;
END
$$;
COMMENT ON FUNCTION triage.take_over_session(bigint, text) IS
	'gives a conversation that no agent has to an agent, who is created on first sight: opens its ticket if there is none, assigns it, and where the AI answered, stops it as escalate_session() does, with cause agent_takeover; nothing changes when the agent has it already; returns the ticket''s id; raises P0002 when there is no such session, 55000 when another agent has it, it is not active or its ticket is finished, 23514 when the person is a customer';
REVOKE ALL ON FUNCTION triage.take_over_session(bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.agent_spoke(tenant_id text, ticket_id bigint, agent_id text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	session CONSTANT bigint := triage.origin_session(tenant_id, ticket_id);
	ticket record;
BEGIN
	SELECT t.handler, t.status, t.assignee_id INTO ticket
		FROM triage.tickets t
		WHERE t.tenant_id = agent_spoke.tenant_id AND t.id = agent_spoke.ticket_id
		FOR NO KEY UPDATE;
	-- Whoever answers a conversation that nobody has, has it.  Other tickets stay for whom they are assigned to.
	SELECT p.id INTO agent_id
		FROM triage.people p
		WHERE p.tenant_id = agent_spoke.tenant_id AND p.id = agent_spoke.agent_id AND p.role IN ('agent', 'admin')
			AND session IS NOT NULL AND ticket.status NOT IN ('resolved', 'closed');
	IF ticket.handler = 'ai' THEN
		PERFORM triage.set_handler(tenant_id, ticket_id, 'human', agent_id);
		PERFORM triage.record_handoff(tenant_id, ticket_id, session, 'agent_takeover', NULL);
	ELSIF ticket.assignee_id IS NULL AND agent_id IS NOT NULL THEN
		UPDATE triage.tickets t
			SET assignee_id = agent_spoke.agent_id
			WHERE t.tenant_id = agent_spoke.tenant_id AND t.id = agent_spoke.ticket_id;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.agent_spoke(text, bigint, text) IS
	'what an agent''s public reply does to a ticket: the AI, if it answered, is stopped at once with cause agent_takeover; an agent (NULL: not known) who answers a conversation that nobody has, has it; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.agent_spoke(text, bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.take_over_for(tenant_id text, session_id bigint, agent_id text) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket_id bigint := (SELECT c.ticket_id FROM triage.lock_chat(session_id, tenant_id) c);
BEGIN
	IF ticket_id IS NULL THEN
		IF triage.conversation_trouble(tenant_id, session_id) IS NOT NULL THEN
			RETURN NULL;
		END IF;
		ticket_id := triage.open_ticket_of(tenant_id, session_id, NULL);
		PERFORM triage.record_handoff(tenant_id, ticket_id, session_id, 'agent_takeover', NULL);
	END IF;
	PERFORM triage.agent_spoke(tenant_id, ticket_id, agent_id);
	RETURN ticket_id;
END
$$;
COMMENT ON FUNCTION triage.take_over_for(text, bigint, text) IS
	'what an agent''s message in a session does: as agent_spoke(), and its ticket is opened if there is none; returns the ticket''s id, NULL when there is none and the session is not active; raises P0002 when there is no such session';
REVOKE ALL ON FUNCTION triage.take_over_for(text, bigint, text) FROM PUBLIC;

-- Back to the AI -------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.hand_back_to_ai(ticket_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	session bigint;
	trouble text;
	handed_back boolean;
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_ticket(ticket_id, expected_version);
	session := triage.origin_session(tenant, ticket_id);
	PERFORM FROM triage.chat_sessions s WHERE s.tenant_id = tenant AND s.id = session FOR NO KEY UPDATE;
	trouble := CASE WHEN session IS NULL THEN format('ticket %s did not begin as a conversation', ticket_id)
		ELSE triage.conversation_trouble(tenant, session) END;
	IF trouble IS NOT NULL THEN
		RAISE EXCEPTION '%', trouble
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'The AI can answer in an active session whose ticket is not finished.';
	ELSIF NOT (SELECT s.bot_enabled FROM triage.chat_settings_of(tenant) s) THEN
		RAISE EXCEPTION 'the bot of tenant "%" is switched off', tenant
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'triage.set_chat_settings(''{"bot_enabled": true}'') switches it on.';
	END IF;
	-- that the customer has the last word and waits for an answer is seen by the triggers of chat
	handed_back := triage.set_handler(tenant, ticket_id, 'ai');
	SELECT t.version INTO new_version
		FROM triage.tickets t
		WHERE t.tenant_id = tenant AND t.id = hand_back_to_ai.ticket_id;
	IF handed_back THEN
		PERFORM triage.emit_event(tenant, 'ticket.handed_back', ticket_id, session, version => new_version);
	END IF;
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.hand_back_to_ai(bigint, int) IS
	'hands a conversation back to the AI: takes the ticket from its agent, makes the AI its handler, and has it answer at once if the customer has the last word; nothing changes when it is the AI''s already; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 55000 when it is finished, did not begin as a session, that is not active, or the bot is switched off';
REVOKE ALL ON FUNCTION triage.hand_back_to_ai(bigint, int) FROM PUBLIC;

-- After each answer of the bot -------------------------------------------------------------------------------------------

-- Whether the answer helped is not to be known; these are signs that it did not: the model was unsure of it, or the
-- customer came back angrier than he was at the answer before.  The sign is kept with the message, so that the rules of
-- tomorrow do not judge the answers of today.
CREATE FUNCTION triage.mark_turn(tenant_id text, session_id bigint, message_id bigint, answer jsonb, unsure_below numeric,
	after_message bigint)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	mood CONSTANT numeric := (answer ->> 'sentiment_score')::numeric;
	mood_before numeric;
BEGIN
	-- an application may have written of its own what it calls an assistant's, with any metadata
	SELECT CASE WHEN jsonb_typeof(m.metadata -> 'sentiment_score') = 'number' THEN (m.metadata ->> 'sentiment_score')::numeric END
		INTO mood_before
		FROM triage.chat_messages m
		WHERE m.tenant_id = mark_turn.tenant_id AND m.session_id = mark_turn.session_id AND m.role = 'assistant'
			AND m.id < message_id AND m.id > after_message
		ORDER BY m.id DESC LIMIT 1;
	UPDATE triage.chat_messages m
		SET metadata = coalesce(m.metadata, '{}') || jsonb_strip_nulls(jsonb_build_object('sentiment_score', mood,
			'failed_turn', coalesce((answer ->> 'confidence')::numeric < unsure_below, false)
				OR coalesce(mood >= 5 AND mood > mood_before, false)))
		WHERE m.tenant_id = mark_turn.tenant_id AND m.id = message_id;
END
$$;
COMMENT ON FUNCTION triage.mark_turn(text, bigint, bigint, jsonb, numeric, bigint) IS
	'part of follow_chat_reply(): writes the customer''s mood and whether the turn failed into the metadata of the bot''s message; after_message: the last message before the AI took the conversation; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.mark_turn(text, bigint, bigint, jsonb, numeric, bigint) FROM PUBLIC;

CREATE FUNCTION triage.handoff_reason(cause triage.escalation_cause, answer jsonb, failed_turns int, replies int) RETURNS text
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN answer ->> 'action' = 'escalate' THEN answer ->> 'reason'
		WHEN cause = 'negative_sentiment' THEN format('the customer''s mood is %s of 10', answer ->> 'sentiment_score')
		WHEN cause = 'low_confidence' THEN format('the AI''s confidence in its answer is %s', answer ->> 'confidence')
		WHEN cause = 'repeated_failure' THEN format('%s answers in a row did not help', failed_turns)
		WHEN cause = 'usage_limit' THEN format('the AI has given %s answers', replies) END
$$;
COMMENT ON FUNCTION triage.handoff_reason(triage.escalation_cause, jsonb, int, int) IS
	'what is put on record beside a cause that handoff_cause() gave: the model''s reason, or the figure that a rule looked at; raises nothing';
REVOKE ALL ON FUNCTION triage.handoff_reason(triage.escalation_cause, jsonb, int, int) FROM PUBLIC;

CREATE FUNCTION triage.deflect_session(tenant_id text, session_id bigint) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE triage.tickets t
		SET status = 'resolved', resolution = 'deflected'
		FROM triage.chat_tickets o
		WHERE o.tenant_id = deflect_session.tenant_id AND o.session_id = deflect_session.session_id AND o.relation = 'origin'
			AND t.tenant_id = o.tenant_id AND t.id = o.ticket_id AND t.handler = 'ai'
			AND t.status NOT IN ('resolved', 'closed');
	UPDATE triage.chat_sessions s
		SET status = 'resolved', ended_at = now(), updated_at = now()
		WHERE s.tenant_id = deflect_session.tenant_id AND s.id = deflect_session.session_id AND s.status = 'active';
END
$$;
COMMENT ON FUNCTION triage.deflect_session(text, bigint) IS
	'part of follow_chat_reply(): ends a locked session that the bot has settled, its ticket resolved as deflected; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.deflect_session(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.follow_chat_reply(tenant_id text, session_id bigint, message_id bigint, answer jsonb) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rules record;
	turns record;
	after_message bigint;
	cause triage.escalation_cause;
BEGIN
	SELECT * INTO rules FROM triage.chat_settings_of(follow_chat_reply.tenant_id);
	-- What was before people had it, or before it was settled once, does not count: else each conversation that is handed
	-- back would return at once.
	SELECT greatest(coalesce(s.context_start - 1, 0), coalesce((
				SELECT max(e.up_to_message)
					FROM triage.ticket_escalations e
					WHERE e.tenant_id = s.tenant_id AND e.session_id = s.id), 0)) INTO after_message
		FROM triage.chat_sessions s
		WHERE s.tenant_id = follow_chat_reply.tenant_id AND s.id = follow_chat_reply.session_id;
	PERFORM triage.mark_turn(tenant_id, session_id, message_id, answer, rules.unsure_below, after_message);
	SELECT count(*)::int AS replies,
			(count(*) FILTER (WHERE a.id > coalesce(a.last_good, 0)))::int AS failed
			INTO turns
		FROM (SELECT m.id, max(m.id) FILTER (WHERE coalesce(m.metadata -> 'failed_turn' <> 'true', true)) OVER () AS last_good
				FROM triage.chat_messages m
				WHERE m.tenant_id = follow_chat_reply.tenant_id AND m.session_id = follow_chat_reply.session_id
					AND m.role = 'assistant' AND m.id > after_message) a;
	cause := triage.handoff_cause(answer, turns.failed, turns.replies, rules.min_confidence, rules.max_sentiment,
		rules.max_failed_turns, rules.max_replies);
	IF cause IS NOT NULL THEN
		PERFORM triage.escalate_for(tenant_id, session_id, cause,
			triage.handoff_reason(cause, answer, turns.failed, turns.replies));
	ELSIF answer ->> 'action' = 'close' AND rules.auto_close THEN
		PERFORM triage.deflect_session(tenant_id, session_id);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.follow_chat_reply(text, bigint, bigint, jsonb) IS
	'what follows from an answer of the bot that was just written as message_id into a locked session, by the rules of chat_settings: the conversation is escalated, or ended where the bot may, or goes on; answer: as the model gave it; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.follow_chat_reply(text, bigint, bigint, jsonb) FROM PUBLIC;

-- Summaries ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.request_summary(ticket_id bigint) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket record;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_ticket(ticket_id);
	SELECT t.status INTO ticket
		FROM triage.tickets t
		WHERE t.tenant_id = triage.current_tenant() AND t.id = request_summary.ticket_id;
	IF ticket.status IN ('resolved', 'closed') THEN
		RAISE EXCEPTION 'ticket % is %', ticket_id, ticket.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'A finished ticket has no AI work.';
	END IF;
	RETURN triage.ask_summary(triage.current_tenant(), ticket_id, NULL);
END
$$;
COMMENT ON FUNCTION triage.request_summary(bigint) IS
	'asks the model for a summary of a ticket, its comments and its conversation, or asks again; it will be in inbox and support_tickets; returns the job''s id; raises P0002 when there is no such ticket, 55000 when it is resolved or closed';
REVOKE ALL ON FUNCTION triage.request_summary(bigint) FROM PUBLIC;

CREATE FUNCTION triage.request_session_summary(session_id bigint) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	PERFORM FROM triage.chat_sessions s
		WHERE s.tenant_id = triage.current_tenant() AND s.id = request_session_summary.session_id
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'session % does not exist', coalesce(session_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Sessions of other tenants cannot be reached.';
	END IF;
	RETURN triage.ask_summary(triage.current_tenant(), NULL, session_id);
END
$$;
COMMENT ON FUNCTION triage.request_session_summary(bigint) IS
	'asks the model for a summary of a session: of the one there is, if any, and of what was said since; it will be the current one in conversation_summaries; returns the job''s id; raises P0002 when there is no such session';
REVOKE ALL ON FUNCTION triage.request_session_summary(bigint) FROM PUBLIC;

-- What was said about a ticket, in one order: comments and the messages of the sessions that it began as.
CREATE FUNCTION triage.ticket_talk(tenant_id text, ticket_id bigint, max_items int)
	RETURNS TABLE (spoken_at timestamptz, message_id bigint, speaker text, content text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT i.created_at, i.message_id, i.speaker, i.content
		FROM (
			(SELECT c.created_at, NULL::bigint AS message_id, c.id AS position,
					CASE WHEN c.visibility = 'internal' THEN 'note'
						ELSE (CASE c.author_role WHEN 'customer' THEN 'customer' WHEN 'ai' THEN 'assistant'
							WHEN 'system' THEN 'system' ELSE 'agent' END) END AS speaker,
					c.content
				FROM triage.ticket_comments c
				WHERE c.tenant_id = ticket_talk.tenant_id AND c.ticket_id = ticket_talk.ticket_id
					-- its conversation shows it, at its place
					AND NOT EXISTS (
						SELECT FROM triage.chat_messages m WHERE m.tenant_id = c.tenant_id AND m.comment_id = c.id)
				ORDER BY c.created_at DESC, c.id DESC
				LIMIT max_items)
			UNION ALL
			(SELECT m.created_at, m.id, m.id, CASE m.role WHEN 'user' THEN 'customer' ELSE m.role::text END, m.content
				FROM triage.chat_tickets o
				JOIN triage.chat_messages m ON m.tenant_id = o.tenant_id AND m.session_id = o.session_id
				WHERE o.tenant_id = ticket_talk.tenant_id AND o.ticket_id = ticket_talk.ticket_id AND o.relation = 'origin'
				ORDER BY m.id DESC
				LIMIT max_items)) i
		ORDER BY i.created_at DESC, i.message_id DESC NULLS LAST, i.position DESC
		LIMIT max_items
$$;
COMMENT ON FUNCTION triage.ticket_talk(text, bigint, int) IS
	'part of read_summarize(): what was last said on a ticket and in its conversation, newest first, max_items at most, with speakers as the model is told of them; raises nothing';
REVOKE ALL ON FUNCTION triage.ticket_talk(text, bigint, int) FROM PUBLIC;

CREATE FUNCTION triage.read_summarize(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[])
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	max_items CONSTANT int := 200;
	-- in bytes, a text: many more than the model is shown, so that a batch stays small in memory
	max_text CONSTANT int := 20000;
BEGIN
	IF ticket_id IS NOT NULL THEN
		RETURN QUERY
			WITH ticket AS (
				SELECT t.subject, t.description
					FROM triage.tickets t
					WHERE t.tenant_id = read_summarize.tenant_id AND t.id = read_summarize.ticket_id
						AND t.deleted_at IS NULL AND t.status NOT IN ('resolved', 'closed')),
			talk AS (
				SELECT k.message_id, k.speaker, left(k.content, max_text) AS content, row_number() OVER () AS n
					FROM triage.ticket_talk(read_summarize.tenant_id, read_summarize.ticket_id, max_items) k),
			item AS (
				SELECT 0 AS part, 0::bigint AS n, 'customer' AS speaker, left(t.description, max_text) AS content
					-- of a ticket that was opened from a conversation it is the first message
					FROM ticket t WHERE t.description ~ '[^[:space:]]' AND NOT EXISTS (
						SELECT FROM talk k WHERE k.speaker = 'customer' AND k.content = left(t.description, max_text))
				UNION ALL
				-- stands for what is too old to be shown
				SELECT 1, 0, 'summary', s.summary
					FROM triage.conversation_summaries s
					WHERE s.tenant_id = read_summarize.tenant_id AND s.ticket_id = read_summarize.ticket_id
						AND s.superseded_at IS NULL AND (SELECT count(*) FROM talk) = max_items
				UNION ALL
				SELECT 2, -k.n, k.speaker, k.content FROM talk k)
			SELECT (SELECT coalesce(max(k.message_id), 0) FROM talk k), t.subject, x.speakers, x.texts
				FROM ticket t
				CROSS JOIN (SELECT coalesce(array_agg(i.speaker ORDER BY i.part, i.n), '{}') AS speakers,
						coalesce(array_agg(i.content ORDER BY i.part, i.n), '{}') AS texts FROM item i) x;
	ELSE
		RETURN QUERY
			WITH known AS (
				SELECT s.summary, s.up_to_message
					FROM triage.conversation_summaries s
					WHERE s.tenant_id = read_summarize.tenant_id AND s.session_id = read_summarize.session_id
						AND s.superseded_at IS NULL),
			message AS (
				SELECT m.id, CASE m.role WHEN 'user' THEN 'customer' ELSE m.role::text END AS speaker,
						left(m.content, max_text) AS content
					FROM triage.chat_messages m
					WHERE m.tenant_id = read_summarize.tenant_id AND m.session_id = read_summarize.session_id
						AND m.id > coalesce((SELECT k.up_to_message FROM known k), 0)
					ORDER BY m.id DESC
					LIMIT max_items),
			item AS (
				SELECT 0::bigint AS n, 'summary' AS speaker, k.summary AS content FROM known k
				UNION ALL
				SELECT m.id, m.speaker, m.content FROM message m)
			SELECT (SELECT max(m.id) FROM message m), ''::text, array_agg(i.speaker ORDER BY i.n), array_agg(i.content ORDER BY i.n)
				FROM item i
				HAVING EXISTS (SELECT FROM message m);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.read_summarize(text, bigint, bigint, bigint) IS
	'for the worker: what a summary of this ticket or session is to be made of; version: id of the last chat message in it; heading: the ticket''s subject; speakers: customer, assistant, agent, note (internal), system, summary (of what is older); texts: oldest first; no row when there is nothing to summarise; raises nothing';
REVOKE ALL ON FUNCTION triage.read_summarize(text, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.lock_summarize(tenant_ids text[], ticket_ids bigint[], session_ids bigint[], cluster_ids bigint[],
	versions bigint[])
	RETURNS TABLE (n int, state text)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	ticket record;
BEGIN
	FOR item IN
		SELECT u.tenant_id, u.ticket_id, u.session_id, u.version, u.n::int AS n
			FROM unnest(tenant_ids, ticket_ids, session_ids, versions) WITH ORDINALITY u (tenant_id, ticket_id, session_id, version, n)
			ORDER BY u.ticket_id NULLS LAST, u.session_id, u.tenant_id
	LOOP
		n := item.n;
		state := NULL;
		IF item.ticket_id IS NOT NULL THEN
			SELECT t.status, t.deleted_at INTO ticket
				FROM triage.tickets t
				WHERE t.tenant_id = item.tenant_id AND t.id = item.ticket_id
				FOR NO KEY UPDATE SKIP LOCKED;
			IF FOUND THEN
				state := CASE WHEN ticket.deleted_at IS NOT NULL THEN 'gone'
					WHEN ticket.status IN ('resolved', 'closed') THEN 'stale'
					ELSE 'current' END;
			ELSIF NOT EXISTS (
				SELECT FROM triage.tickets t WHERE t.tenant_id = item.tenant_id AND t.id = item.ticket_id)
			THEN
				state := 'gone';
			END IF;
		ELSE
			PERFORM FROM triage.chat_sessions s
				WHERE s.tenant_id = item.tenant_id AND s.id = item.session_id
				FOR NO KEY UPDATE SKIP LOCKED;
			IF FOUND THEN
				state := CASE WHEN EXISTS (
						SELECT FROM triage.conversation_summaries s
							WHERE s.tenant_id = item.tenant_id AND s.session_id = item.session_id
								AND s.superseded_at IS NULL AND s.up_to_message >= item.version)
					THEN 'stale' ELSE 'current' END;
			ELSIF NOT EXISTS (
				SELECT FROM triage.chat_sessions s WHERE s.tenant_id = item.tenant_id AND s.id = item.session_id)
			THEN
				state := 'gone';
			END IF;
		END IF;
		IF state IS NOT NULL THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.lock_summarize(text[], bigint[], bigint[], bigint[], bigint[]) IS
	'for the worker, before it writes summaries: locks their tickets and sessions; n: the position in the arrays; state: current; stale: no longer wanted, as the ticket is finished or a newer summary is there; gone: there is no such ticket or session; no row: somebody else has it locked; raises nothing';
REVOKE ALL ON FUNCTION triage.lock_summarize(text[], bigint[], bigint[], bigint[], bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.store_summarize(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint, run_id bigint,
	version bigint, provider text, model text, answer jsonb)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE triage.conversation_summaries s
		SET superseded_at = clock_timestamp()
		WHERE s.tenant_id = store_summarize.tenant_id AND s.superseded_at IS NULL
			AND (s.ticket_id = store_summarize.ticket_id OR s.session_id = store_summarize.session_id);
	INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, session_id, run_id, summary, customer_request,
			open_questions, sentiment_score, language, up_to_message)
		VALUES (store_summarize.tenant_id, store_summarize.ticket_id, store_summarize.session_id, store_summarize.run_id,
			answer ->> 'summary', nullif(answer ->> 'customer_request', ''),
			ARRAY (SELECT jsonb_array_elements_text(coalesce(answer -> 'open_questions', '[]'))),
			(answer ->> 'sentiment_score')::numeric::int, answer ->> 'language', store_summarize.version);
END
$$;
COMMENT ON FUNCTION triage.store_summarize(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) IS
	'for the worker: stores an accepted summary as the current one of its locked ticket or session; answer: as the model gave it; version: as read_summarize() said; returns nothing; raises 23514 when it is out of range';
REVOKE ALL ON FUNCTION triage.store_summarize(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.give_up_summarize(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint,
	class triage.run_outcome, message text)
	RETURNS void
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	-- nothing hangs on a summary: the agent reads the conversation, and retry_failed() or request_summary() asks again
$$;
COMMENT ON FUNCTION triage.give_up_summarize(text, bigint, bigint, bigint, triage.run_outcome, text) IS
	'for the worker, when a summary was given up: nothing follows from it but the dead letter; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.give_up_summarize(text, bigint, bigint, bigint, triage.run_outcome, text) FROM PUBLIC;
