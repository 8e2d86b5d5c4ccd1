-- Handing conversations over: why, with what summary, and by which rules.

CREATE FUNCTION triage.install_handoff_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- Append-only: no application role may write it, the functions of api_handoff.sql do.
	CREATE TABLE IF NOT EXISTS triage.ticket_escalations (
		tenant_id     text NOT NULL,
		id            bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id     bigint NOT NULL,
		session_id    bigint,
		cause         triage.escalation_cause NOT NULL,
		reason        text,
		up_to_message bigint,
		created_by    text NOT NULL,
		session_role  text NOT NULL,
		created_at    timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT ticket_escalations_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ticket_escalations_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_escalations_session_fkey FOREIGN KEY (tenant_id, session_id)
			REFERENCES triage.chat_sessions (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_escalations_reason_length CHECK (length(reason) BETWEEN 1 AND 1000));
	CREATE INDEX IF NOT EXISTS ticket_escalations_ticket ON triage.ticket_escalations (tenant_id, ticket_id, id);
	CREATE INDEX IF NOT EXISTS ticket_escalations_session ON triage.ticket_escalations (tenant_id, session_id, id)
		WHERE session_id IS NOT NULL;

	CREATE TABLE IF NOT EXISTS triage.conversation_summaries (
		tenant_id        text NOT NULL,
		id               bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id        bigint,
		session_id       bigint,
		run_id           bigint,
		summary          text NOT NULL,
		customer_request text,
		open_questions   text[] NOT NULL DEFAULT '{}',
		sentiment_score  int,
		language         text,
		up_to_message    bigint NOT NULL DEFAULT 0,
		created_at       timestamptz NOT NULL DEFAULT now(),
		superseded_at    timestamptz,
		CONSTRAINT conversation_summaries_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT conversation_summaries_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT conversation_summaries_session_fkey FOREIGN KEY (tenant_id, session_id)
			REFERENCES triage.chat_sessions (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT conversation_summaries_one_subject CHECK ((ticket_id IS NULL) <> (session_id IS NULL)),
		CONSTRAINT conversation_summaries_summary_length CHECK (length(summary) BETWEEN 1 AND 4000),
		CONSTRAINT conversation_summaries_customer_request_length CHECK (length(customer_request) <= 1000),
		CONSTRAINT conversation_summaries_open_questions
			CHECK (array_position(open_questions, NULL) IS NULL AND cardinality(open_questions) <= 10),
		CONSTRAINT conversation_summaries_sentiment CHECK (sentiment_score BETWEEN 1 AND 10),
		CONSTRAINT conversation_summaries_language_length CHECK (length(language) <= 35));
	CREATE UNIQUE INDEX IF NOT EXISTS conversation_summaries_one_per_ticket ON triage.conversation_summaries (tenant_id, ticket_id)
		WHERE ticket_id IS NOT NULL AND superseded_at IS NULL;
	CREATE UNIQUE INDEX IF NOT EXISTS conversation_summaries_one_per_session ON triage.conversation_summaries (tenant_id, session_id)
		WHERE session_id IS NOT NULL AND superseded_at IS NULL;
	CREATE INDEX IF NOT EXISTS conversation_summaries_ticket ON triage.conversation_summaries (tenant_id, ticket_id, id)
		WHERE ticket_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS conversation_summaries_session ON triage.conversation_summaries (tenant_id, session_id, id)
		WHERE session_id IS NOT NULL;

	-- A tenant without a row has the defaults, which chat_settings_of() repeats.  A rule that is NULL is off.
	CREATE TABLE IF NOT EXISTS triage.chat_settings (
		tenant_id            text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT chat_settings_tenant_fkey REFERENCES triage.tenants (id),
		bot_enabled          boolean NOT NULL DEFAULT true,
		auto_close           boolean NOT NULL DEFAULT false,
		summarize_on_handoff boolean NOT NULL DEFAULT true,
		min_confidence       numeric(3,2) DEFAULT 0.3,
		unsure_below         numeric(3,2) DEFAULT 0.6,
		max_sentiment        int DEFAULT 8,
		max_failed_turns     int DEFAULT 3,
		max_replies          int DEFAULT 30,
		reply_delay_ms       int NOT NULL DEFAULT 0,
		history_messages     int NOT NULL DEFAULT 50,
		max_wait_ms          int DEFAULT 120000,
		updated_at           timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT chat_settings_pkey PRIMARY KEY (tenant_id),
		CONSTRAINT chat_settings_min_confidence CHECK (min_confidence BETWEEN 0 AND 1),
		CONSTRAINT chat_settings_unsure_below CHECK (unsure_below BETWEEN 0 AND 1),
		CONSTRAINT chat_settings_max_sentiment CHECK (max_sentiment BETWEEN 1 AND 10),
		CONSTRAINT chat_settings_max_failed_turns CHECK (max_failed_turns BETWEEN 1 AND 100),
		CONSTRAINT chat_settings_max_replies CHECK (max_replies BETWEEN 1 AND 10000),
		CONSTRAINT chat_settings_reply_delay CHECK (reply_delay_ms BETWEEN 0 AND 60000),
		CONSTRAINT chat_settings_history_messages CHECK (history_messages BETWEEN 2 AND 500),
		CONSTRAINT chat_settings_max_wait CHECK (max_wait_ms BETWEEN 1000 AND 86400000));
END
$install$;
COMMENT ON FUNCTION triage.install_handoff_tables() IS
	'part of install(): creates the tables of escalations, summaries and settings that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_handoff_tables() FROM PUBLIC;

CREATE FUNCTION triage.install_handoff_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- Tickets that began as a conversation, with one state for status, handler, assignee and resolution.
	CREATE OR REPLACE VIEW triage.support_tickets WITH (security_invoker = true) AS
		SELECT t.id, o.session_id AS conversation_id, t.requester_id AS client_id, t.assignee_id AS assigned_to_id,
				(CASE
					WHEN t.status IN ('resolved', 'closed') THEN
						CASE t.resolution WHEN 'closed_by_client' THEN 'CLOSED_BY_CLIENT' ELSE 'CLOSED_RESOLVED' END
					WHEN t.handler = 'ai' THEN 'OPEN_AI_HANDLING'
					WHEN t.assignee_id IS NULL THEN 'PENDING_HUMAN_ASSIGNMENT'
					ELSE 'ACTIVE_HUMAN_CHAT'
				END)::triage.support_status AS status,
				-- in the select list: they cost nothing where nobody asks for them
				(SELECT coalesce(e.reason, e.cause::text)
					FROM triage.ticket_escalations e
					WHERE e.tenant_id = t.tenant_id AND e.ticket_id = t.id
					ORDER BY e.id DESC LIMIT 1) AS escalation_reason,
				coalesce(
					(SELECT s.summary FROM triage.conversation_summaries s
						WHERE s.tenant_id = t.tenant_id AND s.ticket_id = t.id AND s.superseded_at IS NULL),
					(SELECT r.summary FROM triage.ticket_ai_results r
						WHERE r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.superseded_at IS NULL)) AS initial_summary,
				t.created_at AS opened_at,
				(SELECT a.assigned_at FROM triage.ticket_assignments a
					WHERE a.tenant_id = t.tenant_id AND a.ticket_id = t.id AND a.unassigned_at IS NULL) AS assigned_at,
				coalesce(t.closed_at, t.resolved_at) AS closed_at,
				t.tenant_id
			FROM triage.tickets t
			JOIN triage.chat_tickets o ON o.tenant_id = t.tenant_id AND o.ticket_id = t.id AND o.relation = 'origin'
			WHERE t.deleted_at IS NULL;
END
$install$;
COMMENT ON FUNCTION triage.install_handoff_views() IS
	'part of install(): creates or replaces view support_tickets; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_handoff_views() FROM PUBLIC;

CREATE FUNCTION triage.install_handoff_comments() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
DECLARE
	item record;
BEGIN
	COMMENT ON TABLE triage.ticket_escalations IS
		'why a conversation went from the AI to people, one row a time and one for each further reason; written by escalate_session(), escalate_ticket() and by what takes a ticket over, never changed';
	COMMENT ON TABLE triage.conversation_summaries IS
		'what the AI says a ticket or a session has come to, for whoever takes it over; the one without superseded_at is current';
	COMMENT ON TABLE triage.chat_settings IS
		'when the bot answers and when it hands over, by tenant; a tenant without a row has the defaults; set_chat_settings() writes it';
	COMMENT ON VIEW triage.support_tickets IS
		'tickets that began as a conversation and are not deleted, each in one of five states';
	FOR item IN
		SELECT v.relation, v.name, v.comment
		FROM (VALUES
			('ticket_escalations', 'id', 'grows in the order of writing'),
			('ticket_escalations', 'ticket_id', 'the ticket that people answer since'),
			('ticket_escalations', 'session_id', 'the conversation; null: the ticket has none'),
			('ticket_escalations', 'cause', 'why, of a closed list'),
			('ticket_escalations', 'reason', 'why, in words; null: the cause says it all'),
			('ticket_escalations', 'up_to_message', 'id of the last message of the conversation at that time; null: there was none'),
			('ticket_escalations', 'created_by', 'triage.actor, which the session claims; else the session''s role'),
			('ticket_escalations', 'session_role', 'the role that was logged in: a fact, where created_by is a claim'),
			('ticket_escalations', 'created_at', 'when it was escalated'),
			('conversation_summaries', 'id', 'grows in the order of writing'),
			('conversation_summaries', 'ticket_id', 'the ticket that is summarised; null: it is a session'),
			('conversation_summaries', 'session_id', 'the session that is summarised; null: it is a ticket'),
			('conversation_summaries', 'run_id', 'the call that gave it; no foreign key, runs may be purged'),
			('conversation_summaries', 'summary', 'what happened so far'),
			('conversation_summaries', 'customer_request', 'what the customer wants; null: not said'),
			('conversation_summaries', 'open_questions', 'what is not answered yet, at most ten'),
			('conversation_summaries', 'sentiment_score', '1 (calm) to 10 (furious), at the end of the conversation; null: not said'),
			('conversation_summaries', 'language', 'BCP 47 tag of the customer''s language; null: not said'),
			('conversation_summaries', 'up_to_message', 'id of the last chat message that it covers; 0: none'),
			('conversation_summaries', 'created_at', 'when it was stored'),
			('conversation_summaries', 'superseded_at', 'when a newer one took its place; null: it is current'),
			('chat_settings', 'bot_enabled', 'the bot answers; else a customer''s message goes to people at once'),
			('chat_settings', 'auto_close', 'where the bot takes a matter for settled, session and ticket are resolved, as deflected; else they stay open'),
			('chat_settings', 'summarize_on_handoff', 'a handover asks for a summary of the ticket'),
			('chat_settings', 'min_confidence', 'an answer below this confidence hands over (low_confidence); null: none does'),
			('chat_settings', 'unsure_below', 'an answer below this confidence is a failed turn; null: none is by its confidence'),
			('chat_settings', 'max_sentiment', 'a customer''s mood of this or above hands over (negative_sentiment), 1 calm to 10 furious; null: none does'),
			('chat_settings', 'max_failed_turns', 'so many failed turns in a row hand over (repeated_failure): answers that were unsure, or to a customer of mood 5 or above whose mood had got worse since the answer before; null: off'),
			('chat_settings', 'max_replies', 'so many answers in a session since the last handover hand over (usage_limit); null: off'),
			('chat_settings', 'reply_delay_ms', 'the bot waits so long for a further message before it answers, in milliseconds'),
			('chat_settings', 'history_messages', 'so many of a session''s newest messages are shown to the model, what is older as a summary'),
			('chat_settings', 'max_wait_ms', 'a customer who has waited so long for the AI''s answer is handed to people (ai_failed), in milliseconds; null: waits for ever'),
			('chat_settings', 'updated_at', 'when a setting was last set'),
			('support_tickets', 'id', 'the ticket''s id'),
			('support_tickets', 'conversation_id', 'the session that it began as'),
			('support_tickets', 'client_id', 'the customer; null: an anonymous one'),
			('support_tickets', 'assigned_to_id', 'the agent who has it'),
			('support_tickets', 'status', 'one of five states, see type support_status'),
			('support_tickets', 'escalation_reason', 'of the last escalation: its reason, else its cause; null: there was none'),
			('support_tickets', 'initial_summary', 'the current summary, else that of the triage result'),
			('support_tickets', 'opened_at', 'when the ticket was made'),
			('support_tickets', 'assigned_at', 'since when its agent has it'),
			('support_tickets', 'closed_at', 'when it was closed, or resolved while it is not closed'),
			('inbox', 'result_id', 'for accept_draft() and the like; null: no result yet'),
			('inbox', 'draft_verdict', 'what became of the draft; null: nobody has decided'),
			('inbox', 'initial_summary', 'for who takes it over: the current summary of the conversation, else that of the triage result'),
			('inbox', 'customer_request', 'what the customer wants, of the current summary'),
			('inbox', 'open_questions', 'what is not answered yet, of the current summary'),
			('inbox', 'mood', '1 (calm) to 10 (furious): of the current summary, else of the triage result'),
			('inbox', 'escalation_cause', 'why it came from the AI; null: it did not'),
			('inbox', 'escalation_reason', 'the same in words, of the last escalation')
		) AS v (relation, name, comment)
	LOOP
		EXECUTE format('COMMENT ON COLUMN triage.%I.%I IS %L', item.relation, item.name, item.comment);
	END LOOP;
END
$install$;
COMMENT ON FUNCTION triage.install_handoff_comments() IS
	'part of install(): comments the tables and views of handoff and their columns; takes nothing, returns nothing; raises what COMMENT raises';
REVOKE ALL ON FUNCTION triage.install_handoff_comments() FROM PUBLIC;
