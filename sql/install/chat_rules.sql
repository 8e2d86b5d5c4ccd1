-- What a message, and the end of a session or a ticket, does: the triggers of chat.
--
-- A message is written under the locks of its session's origin ticket and of the session, which are taken before it gets
-- its final id: so the ids within a session grow in the order of commits.  What follows from it is done once a statement.
-- A job of kind chat_reply is there exactly while a reply is owed: a user's message makes it, or has the running one
-- begin again; somebody else's message, the end of the session and a ticket that is not the AI's any more call it off.
-- Those that write elsewhere run as the owner: who may write messages need not be allowed to write tickets, and nobody
-- may write jobs.

CREATE FUNCTION triage.request_chat_reply(tenant_id text, session_id bigint) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	settings record;
BEGIN
	SELECT c.bot_enabled, c.reply_delay_ms INTO settings
		FROM triage.chat_settings_of(request_chat_reply.tenant_id) c;
	IF NOT settings.bot_enabled OR coalesce(current_setting('triage.auto_triage', true), 'on')::boolean IS FALSE
		OR NOT EXISTS (
			SELECT FROM triage.chat_sessions s
				LEFT JOIN triage.chat_tickets l ON l.tenant_id = s.tenant_id AND l.session_id = s.id AND l.relation = 'origin'
				LEFT JOIN triage.tickets t ON t.tenant_id = l.tenant_id AND t.id = l.ticket_id
				WHERE s.tenant_id = request_chat_reply.tenant_id AND s.id = request_chat_reply.session_id
					AND s.status = 'active' AND (l.id IS NULL
						OR t.handler = 'ai' AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL))
	THEN
		RETURN false;
	END IF;
	INSERT INTO triage.ai_jobs AS j (tenant_id, session_id, kind, priority, run_at)
		VALUES (request_chat_reply.tenant_id, request_chat_reply.session_id, 'chat_reply', 'urgent',
			now() + settings.reply_delay_ms * interval '1 millisecond')
		ON CONFLICT (tenant_id, session_id, kind) WHERE session_id IS NOT NULL DO UPDATE
			SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0, run_at = excluded.run_at;
	DELETE FROM triage.ai_dead_letters d
		WHERE d.tenant_id = request_chat_reply.tenant_id AND d.session_id = request_chat_reply.session_id
			AND d.kind = 'chat_reply';
	PERFORM triage.wake_worker();
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.request_chat_reply(text, bigint) IS
	'asks the AI for a reply in a session of that tenant, or anew when one is on its way; returns false, and asks nothing, unless the session is active, the AI handles it, the tenant''s bot is enabled and triage.auto_triage is on; raises nothing';
REVOKE ALL ON FUNCTION triage.request_chat_reply(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.call_off_chat_reply(tenant_id text, session_id bigint) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM triage.ai_jobs j
		WHERE j.tenant_id = call_off_chat_reply.tenant_id AND j.session_id = call_off_chat_reply.session_id
			AND j.kind = 'chat_reply';
	IF FOUND THEN
		-- it cuts the call off that may be in the air
		PERFORM triage.wake_worker();
	END IF;
END
$$;
COMMENT ON FUNCTION triage.call_off_chat_reply(text, bigint) IS
	'calls off the reply that the AI owes in a session of that tenant, if any: an answer that comes yet is stale; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.call_off_chat_reply(text, bigint) FROM PUBLIC;

-- Messages -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.chat_messages_before() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	chat record;
	ticket record;
BEGIN
	-- row security refuses it, but later: what is said here would tell of another tenant's sessions
	IF triage.held_to_tenants() AND NEW.tenant_id <> triage.current_tenant() THEN
		RETURN NEW;
	END IF;
	PERFORM triage.check_created_at(NEW.created_at, 'chat_messages');
	SELECT * INTO chat FROM triage.lock_chat(NEW.session_id, NEW.tenant_id);
	IF chat.status = 'archived' THEN
		RAISE EXCEPTION 'chat session % is archived and takes no message', NEW.session_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Archived is final: start a new session.';
	END IF;
	IF chat.ticket_id IS NOT NULL AND NEW.role <> 'system' THEN
		SELECT t.status, t.deleted_at INTO ticket
			FROM triage.tickets t WHERE t.id = chat.ticket_id AND t.tenant_id = NEW.tenant_id;
		IF ticket.status = 'closed' OR ticket.deleted_at IS NOT NULL THEN
			RAISE EXCEPTION 'the ticket of chat session % is % and takes no message', NEW.session_id,
					CASE WHEN ticket.deleted_at IS NULL THEN 'closed' ELSE 'deleted' END
				USING ERRCODE = 'object_not_in_prerequisite_state',
					HINT = 'Start a new session, and link it with triage.link_session(session_id, ticket_id, ''followup'').';
		END IF;
	END IF;
	-- whoever was written while the lock was waited for may have a higher id: readers go by the ids.  And an id that nobody
	-- drew would be higher than those of all messages to come.
	IF NEW.id > pg_sequence_last_value(pg_get_serial_sequence('triage.chat_messages', 'id')::regclass) OR EXISTS (
		SELECT FROM triage.chat_messages m
			WHERE m.tenant_id = NEW.tenant_id AND m.session_id = NEW.session_id AND m.id > NEW.id)
	THEN
		NEW.id := nextval(pg_get_serial_sequence('triage.chat_messages', 'id'));
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.chat_messages_before() IS
	'trigger, before a chat message is inserted: locks the origin ticket and the session, and gives the message an id above those of the session''s other messages; raises P0002 when there is no such session, 55000 when it is archived or its ticket is closed or deleted, 23514 when created_at is infinite';
REVOKE ALL ON FUNCTION triage.chat_messages_before() FROM PUBLIC;

-- Whoever acts with the owner's rights is one of the functions: the trigger itself runs with those of who writes.
CREATE FUNCTION triage.chat_guard() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
		RAISE EXCEPTION 'role "%" may not %', current_user, CASE TG_TABLE_NAME WHEN 'chat_messages' THEN 'write what the AI says'
				ELSE format('set context_start of chat session %s', NEW.id) END
			USING ERRCODE = 'insufficient_privilege', HINT = CASE TG_TABLE_NAME WHEN 'chat_messages'
				THEN 'A bot of the application''s own speaks through triage.post_message(); run_id and comment_id are written by triage only.'
				ELSE 'What the AI is shown begins anew when the customer writes after the session or its ticket was resolved.' END;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.chat_guard() IS
	'trigger, before a message of role assistant, or one with a run or a comment, is inserted, and before context_start of a chat session is set: raises 42501 (insufficient_privilege) unless a function of triage does it, or the owner';
REVOKE ALL ON FUNCTION triage.chat_guard() FROM PUBLIC;

CREATE FUNCTION triage.chat_messages_after() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	said record;
BEGIN
	FOR said IN
		SELECT m.tenant_id, m.session_id,
				min(m.id) FILTER (WHERE m.role = 'user') AS first_user,
				(array_agg(m.role ORDER BY m.id DESC) FILTER (WHERE m.role <> 'system'))[1] AS speaker,
				-- since when the customer waits: what was answered within the statement does not count
				min(m.created_at) FILTER (WHERE m.role = 'user' AND m.id > coalesce(m.last_reply, 0)) AS asked_at,
				min(m.created_at) FILTER (WHERE m.role = 'agent') AS agent_at,
				(array_agg(m.author_id ORDER BY m.id DESC) FILTER (WHERE m.role = 'agent'))[1] AS agent_id,
				(array_agg(m.content ORDER BY m.id) FILTER (WHERE m.role = 'user'))[1] AS first_text
			FROM (
				SELECT n.*, max(n.id) FILTER (WHERE n.role IN ('agent', 'assistant')) OVER (PARTITION BY n.tenant_id, n.session_id)
						AS last_reply
					FROM new_messages n) m
			GROUP BY m.tenant_id, m.session_id
			ORDER BY m.tenant_id, m.session_id
	LOOP
		PERFORM triage.follow_messages(said.tenant_id, said.session_id, said.speaker, said.first_user, said.first_text,
			said.asked_at, said.agent_at, said.agent_id);
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.chat_messages_after() IS
	'trigger, after chat messages are inserted: calls follow_messages() for each session that a statement wrote to';
REVOKE ALL ON FUNCTION triage.chat_messages_after() FROM PUBLIC;

CREATE FUNCTION triage.follow_messages(tenant_id text, session_id bigint, speaker triage.message_role, first_user bigint,
		first_text text, asked_at timestamptz, agent_at timestamptz, agent_id text)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	chat record;
	ticket record;
	reopened boolean;
BEGIN
	SELECT * INTO chat FROM triage.lock_chat(follow_messages.session_id, follow_messages.tenant_id);
	SELECT t.handler, t.status INTO ticket
		FROM triage.tickets t WHERE t.tenant_id = follow_messages.tenant_id AND t.id = chat.ticket_id;
	reopened := first_user IS NOT NULL AND (chat.status = 'resolved' OR coalesce(ticket.status = 'resolved', false));
	UPDATE triage.chat_sessions s
		SET status = CASE WHEN first_user IS NULL THEN s.status ELSE 'active' END,
			-- what was settled before is not what the customer asks now
			context_start = CASE WHEN reopened THEN first_user ELSE s.context_start END,
			updated_at = now()
		WHERE s.tenant_id = follow_messages.tenant_id AND s.id = follow_messages.session_id;

	IF agent_at IS NOT NULL THEN
		PERFORM triage.take_over_for(follow_messages.tenant_id, follow_messages.session_id, follow_messages.agent_id);
	END IF;
	PERFORM triage.follow_messages_ticket(follow_messages.tenant_id, l.ticket_id, speaker, first_user IS NOT NULL, first_text,
			asked_at, agent_at)
		FROM triage.chat_tickets l
		WHERE l.tenant_id = follow_messages.tenant_id AND l.session_id = follow_messages.session_id AND l.relation = 'origin';

	IF speaker = 'user' AND NOT (SELECT c.bot_enabled FROM triage.chat_settings_of(follow_messages.tenant_id) c)
		AND coalesce(ticket.handler, 'ai') = 'ai'
	THEN
		PERFORM triage.escalate_for(follow_messages.tenant_id, follow_messages.session_id, 'policy', NULL);
	ELSIF speaker <> 'user' THEN
		PERFORM triage.call_off_chat_reply(follow_messages.tenant_id, follow_messages.session_id);
	ELSIF speaker IS NULL OR NOT triage.request_chat_reply(follow_messages.tenant_id, follow_messages.session_id) THEN
		-- what was said is part of what the AI is told, even if nobody asks it: a reply on its way begins again
		UPDATE triage.ai_jobs j
			SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0
			WHERE j.tenant_id = follow_messages.tenant_id AND j.session_id = follow_messages.session_id
				AND j.kind = 'chat_reply';
		IF FOUND THEN
			PERFORM triage.wake_worker();
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.follow_messages(text, bigint, triage.message_role, bigint, text, timestamptz, timestamptz, text) IS
	'part of the trigger of chat_messages: what the messages that a statement wrote to one session do to it, to its origin ticket and to the reply that the AI owes; speaker: who spoke last, NULL when only the application did; first_user, first_text: the first message of the customer; asked_at: since when that one waits; agent_at, agent_id: an agent''s; returns nothing';
REVOKE ALL ON FUNCTION triage.follow_messages(text, bigint, triage.message_role, bigint, text, timestamptz, timestamptz, text) FROM PUBLIC;

-- As comments do, see ticket_comments_after(); besides, the first message is the text of a ticket that was opened without.
CREATE FUNCTION triage.follow_messages_ticket(tenant_id text, ticket_id bigint, speaker triage.message_role,
		customer_wrote boolean, first_text text, asked_at timestamptz, agent_at timestamptz)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old record;
	new record;
BEGIN
	SELECT t.status, t.waiting_since, t.first_response_at, t.handler, t.subject, t.description, t.assignee_id INTO old
		FROM triage.tickets t
		WHERE t.tenant_id = follow_messages_ticket.tenant_id AND t.id = follow_messages_ticket.ticket_id;
	SELECT CASE
				WHEN NOT customer_wrote OR old.status NOT IN ('pending', 'on_hold', 'resolved') THEN old.status
				WHEN old.assignee_id IS NULL THEN 'open'
				ELSE 'in_progress' END AS status,
			CASE
				WHEN speaker = 'user' AND agent_at IS NULL THEN coalesce(old.waiting_since, asked_at)
				WHEN speaker = 'user' THEN asked_at
				-- where people answer, what a machine says leaves the customer waiting for them
				WHEN agent_at IS NOT NULL OR speaker = 'assistant' AND old.handler = 'ai' THEN NULL
				ELSE old.waiting_since END AS waiting_since,
			CASE WHEN agent_at IS NULL THEN old.first_response_at ELSE coalesce(old.first_response_at, agent_at) END AS first_response_at,
			CASE WHEN customer_wrote AND old.description !~ '[^[:space:]]' AND old.subject = 'Chat'
				THEN coalesce(nullif(left(btrim((regexp_match(first_text, E'\\S[^\\r\\n]*'))[1]), 120), ''), old.subject)
				ELSE old.subject END AS subject,
			CASE WHEN customer_wrote AND old.description !~ '[^[:space:]]' THEN first_text ELSE old.description END AS description
		INTO new;
	-- one without a real change would raise the version and turn an agent's edit down
	IF (old.status, old.waiting_since, old.first_response_at, old.subject, old.description)
		IS DISTINCT FROM (new.status, new.waiting_since, new.first_response_at, new.subject, new.description)
	THEN
		UPDATE triage.tickets t
			SET status = new.status, waiting_since = new.waiting_since, first_response_at = new.first_response_at,
				subject = new.subject, description = new.description
			WHERE t.tenant_id = follow_messages_ticket.tenant_id AND t.id = follow_messages_ticket.ticket_id;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.follow_messages_ticket(text, bigint, triage.message_role, boolean, text, timestamptz, timestamptz) IS
	'part of the trigger of chat_messages: a customer''s message reopens a pending, on_hold or resolved ticket, starts the wait, and is the text of a ticket that has none; an agent''s ends the wait and is the first response; the AI''s ends the wait where it handles the ticket; arguments as of follow_messages(); returns nothing';
REVOKE ALL ON FUNCTION triage.follow_messages_ticket(text, bigint, triage.message_role, boolean, text, timestamptz, timestamptz) FROM PUBLIC;

-- Sessions, tickets and their links ------------------------------------------------------------------------------------

CREATE FUNCTION triage.chat_sessions_before() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
		('active', 'resolved'), ('resolved', 'active'), ('resolved', 'archived'))
	THEN
		RAISE EXCEPTION 'chat session % cannot go from % to %', OLD.id, OLD.status, NEW.status
			USING ERRCODE = 'check_violation',
				HINT = CASE OLD.status WHEN 'archived' THEN 'Archived is final: start a new session.' ELSE 'End the session first.' END;
	END IF;
	NEW.ended_at := CASE WHEN NEW.status = 'active' THEN NULL
		WHEN OLD.status = 'active' THEN coalesce(NEW.ended_at, now())
		ELSE NEW.ended_at END;
	NEW.updated_at := now();
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.chat_sessions_before() IS
	'trigger, before a chat session is updated: sets updated_at, and ended_at as the status asks; raises 23514 for a transition other than active to resolved and back, and resolved to archived';
REVOKE ALL ON FUNCTION triage.chat_sessions_before() FROM PUBLIC;

CREATE FUNCTION triage.chat_sessions_over() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'UPDATE' THEN
		DELETE FROM triage.ai_jobs j WHERE j.tenant_id = NEW.tenant_id AND j.session_id = NEW.id;
	END IF;
	PERFORM triage.wake_worker();
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.chat_sessions_over() IS
	'trigger of chat_sessions: calls off the AI jobs of a session that ended, and wakes the worker, which cuts off calls that are in the air for it or for a deleted one; raises nothing';
REVOKE ALL ON FUNCTION triage.chat_sessions_over() FROM PUBLIC;

CREATE FUNCTION triage.chat_tickets_before() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- row security refuses it, but later: another tenant's rows are not to be locked until then
	IF triage.held_to_tenants() AND NEW.tenant_id <> triage.current_tenant() THEN
		RETURN NEW;
	ELSIF NEW.relation = 'origin'
		AND (OLD.session_id, OLD.ticket_id, OLD.relation) IS DISTINCT FROM (NEW.session_id, NEW.ticket_id, NEW.relation)
	THEN
		-- whose session it is changes under the locks that a message is written under
		PERFORM FROM triage.tickets t
			WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.ticket_id FOR NO KEY UPDATE;
		PERFORM FROM triage.chat_sessions s
			WHERE s.tenant_id = NEW.tenant_id AND s.id = NEW.session_id FOR NO KEY UPDATE;
		-- check_closed_by_client() from the other side
		IF NOT triage.syncing() AND EXISTS (
			SELECT FROM triage.tickets t
				WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.ticket_id AND t.resolution = 'closed_by_client')
		THEN
			RAISE EXCEPTION 'ticket % is closed_by_client and cannot become the origin of chat session %', NEW.ticket_id, NEW.session_id
				USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'chat_tickets',
					HINT = 'Its client did not end that conversation: link it as related or followup.';
		ELSIF EXISTS (
			SELECT FROM triage.tickets t
				WHERE t.tenant_id = NEW.tenant_id AND t.id = NEW.ticket_id
					AND (t.handler <> 'ai' OR t.status IN ('resolved', 'closed') OR t.deleted_at IS NOT NULL))
		THEN
			PERFORM triage.call_off_chat_reply(NEW.tenant_id, NEW.session_id);
		END IF;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.chat_tickets_before() IS
	'trigger, before a chat session gets its origin ticket: locks the ticket and the session, and calls off the reply that the AI owes when the ticket is not the AI''s; raises 23514 when the ticket is closed_by_client, which end_session() alone makes of a conversation';
REVOKE ALL ON FUNCTION triage.chat_tickets_before() FROM PUBLIC;

-- Without its ticket a session would be the AI's, and answered again.
CREATE FUNCTION triage.chat_tickets_deleted() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- whoever takes away the link alone wants the session to go on
	IF EXISTS (SELECT FROM triage.tickets t WHERE t.tenant_id = OLD.tenant_id AND t.id = OLD.ticket_id) THEN
		RETURN NULL;
	END IF;
	UPDATE triage.chat_sessions s SET status = 'resolved'
		WHERE s.tenant_id = OLD.tenant_id AND s.id = OLD.session_id AND s.status = 'active';
	UPDATE triage.chat_sessions s SET status = 'archived'
		WHERE s.tenant_id = OLD.tenant_id AND s.id = OLD.session_id AND s.status = 'resolved';
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.chat_tickets_deleted() IS
	'trigger, after the link of a session with its origin ticket is deleted: archives the session when the ticket is gone; raises nothing';
REVOKE ALL ON FUNCTION triage.chat_tickets_deleted() FROM PUBLIC;

CREATE FUNCTION triage.tickets_chat() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	origin record;
	speaker triage.message_role;
BEGIN
	FOR origin IN
		SELECT l.session_id FROM triage.chat_tickets l
			WHERE l.tenant_id = NEW.tenant_id AND l.ticket_id = NEW.id AND l.relation = 'origin'
			ORDER BY l.session_id
	LOOP
		IF NEW.handler <> 'ai' OR NEW.status IN ('resolved', 'closed') OR NEW.deleted_at IS NOT NULL THEN
			PERFORM triage.call_off_chat_reply(NEW.tenant_id, origin.session_id);
		ELSIF OLD.handler <> 'ai' OR OLD.status IN ('resolved', 'closed') OR OLD.deleted_at IS NOT NULL THEN
			SELECT m.role INTO speaker
				FROM triage.chat_messages m
				WHERE m.tenant_id = NEW.tenant_id AND m.session_id = origin.session_id AND m.role <> 'system'
				ORDER BY m.id DESC
				LIMIT 1;
			IF speaker = 'user' THEN
				PERFORM triage.request_chat_reply(NEW.tenant_id, origin.session_id);
			END IF;
		END IF;
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.tickets_chat() IS
	'trigger, after a ticket''s handler, status or deletion changed: calls off the reply that the AI owes in its session when the ticket is not the AI''s any more, and asks for one when it is again and the customer spoke last; raises nothing';
REVOKE ALL ON FUNCTION triage.tickets_chat() FROM PUBLIC;

CREATE FUNCTION triage.install_chat_triggers() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	CREATE OR REPLACE TRIGGER chat_messages_before
		BEFORE INSERT ON triage.chat_messages
		FOR EACH ROW EXECUTE FUNCTION triage.chat_messages_before();
	-- a customer's message does not pay for it
	CREATE OR REPLACE TRIGGER chat_messages_guard
		BEFORE INSERT ON triage.chat_messages
		FOR EACH ROW WHEN (NEW.role = 'assistant' OR NEW.run_id IS NOT NULL OR NEW.comment_id IS NOT NULL)
		EXECUTE FUNCTION triage.chat_guard();
	CREATE OR REPLACE TRIGGER chat_messages_after
		AFTER INSERT ON triage.chat_messages
		REFERENCING NEW TABLE AS new_messages
		FOR EACH STATEMENT EXECUTE FUNCTION triage.chat_messages_after();
	CREATE OR REPLACE TRIGGER chat_tickets_before
		BEFORE INSERT OR UPDATE ON triage.chat_tickets
		FOR EACH ROW EXECUTE FUNCTION triage.chat_tickets_before();
	CREATE OR REPLACE TRIGGER chat_tickets_deleted
		AFTER DELETE ON triage.chat_tickets
		FOR EACH ROW WHEN (OLD.relation = 'origin')
		EXECUTE FUNCTION triage.chat_tickets_deleted();
	CREATE OR REPLACE TRIGGER chat_sessions_guard_insert
		BEFORE INSERT ON triage.chat_sessions
		FOR EACH ROW WHEN (NEW.context_start IS NOT NULL) EXECUTE FUNCTION triage.chat_guard();
	CREATE OR REPLACE TRIGGER chat_sessions_guard_update
		BEFORE UPDATE OF context_start ON triage.chat_sessions
		FOR EACH ROW WHEN (OLD.context_start IS DISTINCT FROM NEW.context_start)
		EXECUTE FUNCTION triage.chat_guard();
	CREATE OR REPLACE TRIGGER chat_sessions_before
		BEFORE UPDATE ON triage.chat_sessions
		FOR EACH ROW EXECUTE FUNCTION triage.chat_sessions_before();
	CREATE OR REPLACE TRIGGER chat_sessions_ended
		AFTER UPDATE ON triage.chat_sessions
		FOR EACH ROW WHEN (OLD.status = 'active' AND NEW.status <> 'active')
		EXECUTE FUNCTION triage.chat_sessions_over();
	CREATE OR REPLACE TRIGGER chat_sessions_deleted
		AFTER DELETE ON triage.chat_sessions
		FOR EACH STATEMENT EXECUTE FUNCTION triage.chat_sessions_over();
	-- the condition costs less than the call, and most updates of tickets are a result's
	CREATE OR REPLACE TRIGGER tickets_chat
		AFTER UPDATE ON triage.tickets
		FOR EACH ROW WHEN (OLD.handler <> NEW.handler OR OLD.status <> NEW.status OR OLD.deleted_at IS DISTINCT FROM NEW.deleted_at)
		EXECUTE FUNCTION triage.tickets_chat();
END
$install$;
COMMENT ON FUNCTION triage.install_chat_triggers() IS
	'part of install(): creates or replaces the triggers of chat; takes nothing, returns nothing';
REVOKE ALL ON FUNCTION triage.install_chat_triggers() FROM PUBLIC;
