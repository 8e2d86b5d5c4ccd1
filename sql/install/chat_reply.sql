-- The AI's reply in a chat session: what the model is told, whether its answer is still wanted, and how it is appended.
--
-- Called by the worker, which knows kinds of jobs but nothing of sessions; with the owner's rights, the tenant as an
-- argument, and granted to workers only, for they reach all tenants.  What the model said has been checked by then; here
-- it is data that is stored, and the action is one of a closed list.
--
-- The job is what says that a reply is owed (chat_rules.sql).  A reply is appended under the locks that messages are
-- written under, and only while the session is active, the AI's, and nothing was said since the conversation was read.

CREATE FUNCTION triage.read_chat_reply(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[])
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	most_bytes CONSTANT int := 24576;			-- of the messages together
	longest CONSTANT int := 8000;				-- characters of one
	most_files CONSTANT int := 20;				-- of one
	settings record;
	chat record;
	question bigint;
	history record;
BEGIN
	SELECT c.bot_enabled, c.history_messages INTO settings FROM triage.chat_settings_of(read_chat_reply.tenant_id) c;
	-- switched off since it was asked: whoever was promised an answer is heard by people
	IF NOT settings.bot_enabled THEN
		PERFORM triage.escalate_for(read_chat_reply.tenant_id, read_chat_reply.session_id, 'policy', 'the bot was switched off');
		RETURN;
	END IF;
	SELECT coalesce(s.context_start, 0) AS context_start, t.subject INTO chat
		FROM triage.chat_sessions s
		LEFT JOIN triage.chat_tickets l ON l.tenant_id = s.tenant_id AND l.session_id = s.id AND l.relation = 'origin'
		LEFT JOIN triage.tickets t ON t.tenant_id = l.tenant_id AND t.id = l.ticket_id
		WHERE s.tenant_id = read_chat_reply.tenant_id AND s.id = read_chat_reply.session_id
			AND s.status = 'active'
			AND (l.id IS NULL OR t.handler = 'ai' AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL);
	IF NOT FOUND THEN
		RETURN;
	END IF;

	SELECT m.id INTO question
		FROM triage.chat_messages m
		WHERE m.tenant_id = read_chat_reply.tenant_id AND m.session_id = read_chat_reply.session_id
			AND m.role = 'user' AND m.id >= chat.context_start
		ORDER BY m.id DESC
		LIMIT 1;
	IF NOT FOUND THEN
		RETURN;
	END IF;

	-- The newest messages that fit, one more than fits at least, so that there is always the last; and what the customer
	-- said last, however much the application has written since.
	SELECT max(w.id) AS last_id, min(w.id) AS first_id,
			array_agg(CASE w.role WHEN 'user' THEN 'customer' ELSE w.role::text END ORDER BY w.id) AS speakers,
			array_agg(w.text ORDER BY w.id) AS texts
		INTO history
		FROM (
			SELECT b.*, sum(octet_length(b.text)) OVER (ORDER BY b.id DESC) - octet_length(b.text) AS bytes_after
				FROM (
					SELECT m.id, m.role, left(m.content, longest) || coalesce((
								SELECT string_agg(format(E'\n[file: %s, %s]', f.file_name, f.file_type), '' ORDER BY f.id)
									FROM (SELECT a.id, a.file_name, a.file_type
											FROM triage.chat_attachments a
											WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id
										UNION ALL
										SELECT b.id, b.file_name, b.file_type
											FROM triage.comment_attachments b
											WHERE b.tenant_id = m.tenant_id AND b.comment_id = m.comment_id
										ORDER BY id
										LIMIT most_files) f), '') AS text
						FROM triage.chat_messages m
						WHERE m.tenant_id = read_chat_reply.tenant_id AND m.session_id = read_chat_reply.session_id
							AND m.id = ANY (question || ARRAY (
								SELECT n.id FROM triage.chat_messages n
									WHERE n.tenant_id = read_chat_reply.tenant_id AND n.session_id = read_chat_reply.session_id
										AND n.id >= chat.context_start
									ORDER BY n.id DESC
									LIMIT settings.history_messages))) b) w
		WHERE w.bytes_after < most_bytes OR w.id = question;

	version := history.last_id;
	heading := coalesce(nullif(chat.subject, 'Chat'), '');
	speakers := history.speakers;
	texts := history.texts;
	IF EXISTS (
		SELECT FROM triage.chat_messages m
			WHERE m.tenant_id = read_chat_reply.tenant_id AND m.session_id = read_chat_reply.session_id
				AND m.id >= chat.context_start AND m.id < history.first_id)
	THEN
		SELECT array_prepend('summary', history.speakers), array_prepend(u.summary, history.texts) INTO speakers, texts
			FROM triage.conversation_summaries u
			-- not that of the ticket: it is made of the agents' notes, too, and the customer reads what becomes of this
			WHERE u.tenant_id = read_chat_reply.tenant_id AND u.session_id = read_chat_reply.session_id
				AND u.superseded_at IS NULL AND u.up_to_message >= chat.context_start;
		IF NOT FOUND THEN
			speakers := history.speakers;
			texts := history.texts;
		END IF;
	END IF;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.read_chat_reply(text, bigint, bigint, bigint) IS
	'for the worker: the conversation that a chat_reply job is about; tenant_id, session_id: whose and which; ticket_id, cluster_id: not used; returns the id of its last message as version, the ticket''s subject as heading, and who said what, oldest first: the newest messages up to the tenant''s history_messages and 24 kB, since what was settled before, and the session''s current summary before them when older ones are left out; no row when no reply is owed any more; raises nothing';
REVOKE ALL ON FUNCTION triage.read_chat_reply(text, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.lock_chat_reply(tenant_ids text[], ticket_ids bigint[], session_ids bigint[], cluster_ids bigint[],
	versions bigint[])
	RETURNS TABLE (n int, state text)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	locked bigint[] := array_fill(NULL::bigint, ARRAY[greatest(cardinality(session_ids), 1)]);
	held boolean[] := array_fill(false, ARRAY[greatest(cardinality(session_ids), 1)]);
	origin record;
	present boolean;
BEGIN
	FOR item IN
		SELECT u.i::int AS i, u.tenant, l.ticket_id
			FROM unnest(tenant_ids, session_ids) WITH ORDINALITY u (tenant, session, i)
			JOIN triage.chat_tickets l ON l.tenant_id = u.tenant AND l.session_id = u.session AND l.relation = 'origin'
			ORDER BY l.ticket_id, u.tenant
	LOOP
		locked[item.i] := item.ticket_id;
		PERFORM FROM triage.tickets t
			WHERE t.tenant_id = item.tenant AND t.id = item.ticket_id FOR NO KEY UPDATE SKIP LOCKED;
		held[item.i] := NOT FOUND;
	END LOOP;

	FOR item IN
		SELECT u.i::int AS i, u.tenant, u.session, u.version
			FROM unnest(tenant_ids, session_ids, versions) WITH ORDINALITY u (tenant, session, version, i)
			ORDER BY u.session, u.tenant
	LOOP
		CONTINUE WHEN held[item.i];
		PERFORM FROM triage.chat_sessions s
			WHERE s.tenant_id = item.tenant AND s.id = item.session FOR NO KEY UPDATE SKIP LOCKED;
		present := FOUND;
		n := item.i;
		IF NOT present AND EXISTS (SELECT FROM triage.chat_sessions s WHERE s.tenant_id = item.tenant AND s.id = item.session) THEN
			CONTINUE;					-- somebody holds it
		ELSIF NOT present THEN
			state := 'gone';
			RETURN NEXT;
			CONTINUE;
		END IF;
		-- read again: only now can nobody change it any more
		SELECT l.ticket_id, t.handler, t.status, t.deleted_at INTO origin
			FROM triage.chat_tickets l JOIN triage.tickets t ON t.tenant_id = l.tenant_id AND t.id = l.ticket_id
			WHERE l.tenant_id = item.tenant AND l.session_id = item.session AND l.relation = 'origin';
		CONTINUE WHEN origin.ticket_id IS DISTINCT FROM locked[item.i];		-- opened in between: next time with its lock
		state := CASE WHEN
				(origin.ticket_id IS NOT NULL
					AND (origin.handler <> 'ai' OR origin.status IN ('resolved', 'closed') OR origin.deleted_at IS NOT NULL))
				OR NOT (SELECT c.bot_enabled FROM triage.chat_settings_of(item.tenant) c)
				OR EXISTS (SELECT FROM triage.chat_sessions s
					WHERE s.tenant_id = item.tenant AND s.id = item.session AND s.status <> 'active')
				OR EXISTS (SELECT FROM triage.chat_messages m
					WHERE m.tenant_id = item.tenant AND m.session_id = item.session AND m.id > item.version)
			THEN 'stale' ELSE 'current' END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.lock_chat_reply(text[], bigint[], bigint[], bigint[], bigint[]) IS
	'for the worker: locks the sessions of chat_reply jobs and before them their origin tickets, each in the order of ids, passing over what others hold; arrays: tenant, ticket and cluster (not used), session and version as read_chat_reply() returned it, of each job; returns the position and current (locked, and the answer is still wanted), stale (not wanted any more: the session ended, is not the AI''s, or something was said since) or gone (deleted), and no row for what others hold; raises nothing';
REVOKE ALL ON FUNCTION triage.lock_chat_reply(text[], bigint[], bigint[], bigint[], bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.store_chat_reply(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint, run_id bigint,
		version bigint, provider text, model text, answer jsonb)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_message bigint;
BEGIN
	INSERT INTO triage.chat_messages (tenant_id, session_id, role, content, language, run_id, metadata)
		SELECT store_chat_reply.tenant_id, s.id, 'assistant', store_chat_reply.answer ->> 'reply', s.language, store_chat_reply.run_id,
				jsonb_strip_nulls(jsonb_build_object('action', answer -> 'action', 'cause', answer -> 'cause',
					'reason', answer -> 'reason', 'confidence', answer -> 'confidence',
					'sentiment_score', answer -> 'sentiment_score', 'provider', store_chat_reply.provider,
					'model', store_chat_reply.model, 'answers', store_chat_reply.version))
			FROM triage.chat_sessions s
			WHERE s.tenant_id = store_chat_reply.tenant_id AND s.id = store_chat_reply.session_id
		RETURNING id INTO new_message;
	PERFORM triage.follow_chat_reply(store_chat_reply.tenant_id, store_chat_reply.session_id, new_message,
		store_chat_reply.answer);
	PERFORM triage.request_chat_summary(store_chat_reply.tenant_id, store_chat_reply.session_id);
END
$$;
COMMENT ON FUNCTION triage.store_chat_reply(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) IS
	'for the worker: appends the AI''s message to a session that lock_chat_reply() locked, and does what its action asks for; tenant_id, session_id: whose and which; ticket_id, cluster_id: not used; run_id: the call; version: the last message that was answered; provider, model: who answered; answer: an object with reply, action and, if said, cause, reason, confidence and sentiment_score; returns nothing; raises what an INSERT into chat_messages raises';
REVOKE ALL ON FUNCTION triage.store_chat_reply(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) FROM PUBLIC;

-- Before the oldest messages drop out of what the model is shown, they are summarised.
CREATE FUNCTION triage.request_chat_summary(tenant_id text, session_id bigint) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	covered bigint;
	shown int;
	uncovered bigint;
BEGIN
	SELECT c.history_messages INTO shown FROM triage.chat_settings_of(request_chat_summary.tenant_id) c;
	SELECT greatest(coalesce(s.context_start - 1, 0), coalesce((
				SELECT max(u.up_to_message) FROM triage.conversation_summaries u
					WHERE u.tenant_id = s.tenant_id AND u.session_id = s.id AND u.superseded_at IS NULL), 0))
		INTO covered
		FROM triage.chat_sessions s
		WHERE s.tenant_id = request_chat_summary.tenant_id AND s.id = request_chat_summary.session_id AND s.status = 'active';
	SELECT count(*) INTO uncovered
		FROM (SELECT FROM triage.chat_messages m
				WHERE m.tenant_id = request_chat_summary.tenant_id AND m.session_id = request_chat_summary.session_id
					AND m.id > covered
				LIMIT shown) m;
	IF covered IS NULL OR uncovered < shown THEN
		RETURN false;
	END IF;
	INSERT INTO triage.ai_jobs (tenant_id, session_id, kind, priority)
		VALUES (request_chat_summary.tenant_id, request_chat_summary.session_id, 'summarize', 'high')
		ON CONFLICT (tenant_id, session_id, kind) WHERE session_id IS NOT NULL DO NOTHING;
	PERFORM triage.wake_worker();
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.request_chat_summary(text, bigint) IS
	'asks the AI for a summary of an active session of that tenant when as many messages as the model is shown at most (history_messages) are not covered by the last one; returns whether it did; raises nothing';
REVOKE ALL ON FUNCTION triage.request_chat_summary(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.give_up_chat_reply(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint,
		class triage.run_outcome, message text)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.escalate_for(s.tenant_id, s.id, 'ai_failed', left(format('%s: %s', give_up_chat_reply.class, give_up_chat_reply.message), 500))
		FROM triage.chat_sessions s
		LEFT JOIN triage.chat_tickets l ON l.tenant_id = s.tenant_id AND l.session_id = s.id AND l.relation = 'origin'
		LEFT JOIN triage.tickets t ON t.tenant_id = l.tenant_id AND t.id = l.ticket_id
		WHERE s.tenant_id = give_up_chat_reply.tenant_id AND s.id = give_up_chat_reply.session_id AND s.status = 'active'
			AND (l.id IS NULL OR t.handler = 'ai' AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL);
END
$$;
COMMENT ON FUNCTION triage.give_up_chat_reply(text, bigint, bigint, bigint, triage.run_outcome, text) IS
	'for the worker: hands a session over to people when the AI''s reply was given up, unless it ended or is theirs already; tenant_id, session_id: whose and which; ticket_id, cluster_id: not used; class, message: how the last try ended; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.give_up_chat_reply(text, bigint, bigint, bigint, triage.run_outcome, text) FROM PUBLIC;
