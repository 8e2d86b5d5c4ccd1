-- The tables of chat: sessions, their messages and attachments, and which tickets a session belongs to.
--
-- Who answers a session is not stored here: it is its origin ticket's handler, and the AI while there is no such ticket.

CREATE FUNCTION triage.install_chat_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE TABLE IF NOT EXISTS triage.chat_sessions (
		tenant_id   text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT chat_sessions_tenant_fkey REFERENCES triage.tenants (id),
		id          bigint GENERATED ALWAYS AS IDENTITY,
		public_id   uuid NOT NULL DEFAULT gen_random_uuid(),
		customer_id text,
		language    text,
		status      triage.session_status NOT NULL DEFAULT 'active',
		metadata    jsonb NOT NULL DEFAULT '{}',
		created_at  timestamptz NOT NULL DEFAULT now(),
		updated_at  timestamptz NOT NULL DEFAULT now(),
		ended_at    timestamptz,
		context_start bigint,
		CONSTRAINT chat_sessions_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT chat_sessions_public_id_key UNIQUE (public_id, tenant_id),
		CONSTRAINT chat_sessions_customer_fkey FOREIGN KEY (tenant_id, customer_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT chat_sessions_id_not_zero CHECK (id <> 0),
		CONSTRAINT chat_sessions_language_length CHECK (length(language) <= 35),
		CONSTRAINT chat_sessions_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
		CONSTRAINT chat_sessions_ended_at_when_over CHECK ((status = 'active') = (ended_at IS NULL)));
	CREATE INDEX IF NOT EXISTS chat_sessions_recent ON triage.chat_sessions (tenant_id, updated_at DESC, id DESC);
	CREATE INDEX IF NOT EXISTS chat_sessions_customer ON triage.chat_sessions (tenant_id, customer_id)
		WHERE customer_id IS NOT NULL;

	-- client_id: the application's own id of the message, so that posting it again posts nothing.
	CREATE TABLE IF NOT EXISTS triage.chat_messages (
		tenant_id  text NOT NULL DEFAULT triage.current_tenant(),
		id         bigint GENERATED ALWAYS AS IDENTITY,
		session_id bigint NOT NULL,
		role       triage.message_role NOT NULL DEFAULT 'user',
		author_id  text,
		content    text NOT NULL,
		language   text,
		metadata   jsonb,
		client_id  text,
		run_id     bigint,
		comment_id bigint,
		created_at timestamptz NOT NULL DEFAULT now(),
		search     tsvector GENERATED ALWAYS AS (to_tsvector(triage.ts_config(language), left(content, 100000))) STORED,
		CONSTRAINT chat_messages_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT chat_messages_client_id_key UNIQUE (tenant_id, session_id, client_id),
		CONSTRAINT chat_messages_session_fkey FOREIGN KEY (tenant_id, session_id)
			REFERENCES triage.chat_sessions (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT chat_messages_comment_fkey FOREIGN KEY (tenant_id, comment_id)
			REFERENCES triage.ticket_comments (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT chat_messages_author_fkey FOREIGN KEY (tenant_id, author_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT chat_messages_content_length CHECK (octet_length(content) <= 262144),
		CONSTRAINT chat_messages_content_not_empty CHECK (content ~ '\S'),
		CONSTRAINT chat_messages_language_length CHECK (length(language) <= 35),
		CONSTRAINT chat_messages_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
		CONSTRAINT chat_messages_client_id_length CHECK (length(client_id) BETWEEN 1 AND 200));
	CREATE INDEX IF NOT EXISTS chat_messages_session ON triage.chat_messages (tenant_id, session_id, id);
	CREATE INDEX IF NOT EXISTS chat_messages_author ON triage.chat_messages (tenant_id, author_id)
		WHERE author_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS chat_messages_comment ON triage.chat_messages (tenant_id, comment_id)
		WHERE comment_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS chat_messages_search ON triage.chat_messages USING gin (search);

	CREATE TABLE IF NOT EXISTS triage.chat_attachments (
		tenant_id  text NOT NULL DEFAULT triage.current_tenant(),
		id         bigint GENERATED ALWAYS AS IDENTITY,
		message_id bigint NOT NULL,
		file_url   text NOT NULL,
		file_name  text NOT NULL,
		file_type  text NOT NULL,
		byte_size  bigint,
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT chat_attachments_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT chat_attachments_message_fkey FOREIGN KEY (tenant_id, message_id)
			REFERENCES triage.chat_messages (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT chat_attachments_file_url_length CHECK (length(file_url) BETWEEN 1 AND 2000),
		-- a browser drops blanks and control characters from an address before it looks for the scheme
		CONSTRAINT chat_attachments_file_url_safe CHECK (file_url !~ '[[:cntrl:][:space:]]'
			AND file_url ~ '^([a-zA-Z][a-zA-Z0-9+.-]*:|[^:]*$|[^:]*[/?#])'
			AND file_url !~* '^(javascript|data|vbscript|blob|filesystem|about):'),
		CONSTRAINT chat_attachments_file_name_length CHECK (length(file_name) BETWEEN 1 AND 500),
		CONSTRAINT chat_attachments_file_type_length CHECK (length(file_type) BETWEEN 1 AND 200),
		CONSTRAINT chat_attachments_byte_size CHECK (byte_size >= 0));
	CREATE INDEX IF NOT EXISTS chat_attachments_message ON triage.chat_attachments (tenant_id, message_id);

	-- A session has at most one ticket that it began as, its origin, and a ticket began as one session at most.
	CREATE TABLE IF NOT EXISTS triage.chat_tickets (
		tenant_id  text NOT NULL DEFAULT triage.current_tenant(),
		id         bigint GENERATED ALWAYS AS IDENTITY,
		session_id bigint NOT NULL,
		ticket_id  bigint NOT NULL,
		relation   triage.session_link NOT NULL DEFAULT 'origin',
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT chat_tickets_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT chat_tickets_pair_key UNIQUE (tenant_id, session_id, ticket_id),
		CONSTRAINT chat_tickets_session_fkey FOREIGN KEY (tenant_id, session_id)
			REFERENCES triage.chat_sessions (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT chat_tickets_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE);
	CREATE UNIQUE INDEX IF NOT EXISTS chat_tickets_one_origin ON triage.chat_tickets (tenant_id, session_id)
		WHERE relation = 'origin';
	CREATE UNIQUE INDEX IF NOT EXISTS chat_tickets_one_session ON triage.chat_tickets (tenant_id, ticket_id)
		WHERE relation = 'origin';
	CREATE INDEX IF NOT EXISTS chat_tickets_ticket ON triage.chat_tickets (tenant_id, ticket_id);
END
$install$;
COMMENT ON FUNCTION triage.install_chat_tables() IS
	'part of install(): creates the tables of chat that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_chat_tables() FROM PUBLIC;

CREATE FUNCTION triage.install_chat_comments() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
DECLARE
	item record;
BEGIN
	COMMENT ON TABLE triage.chat_sessions IS
		'conversations with a customer; who answers one is its origin ticket''s handler, and the AI while it has no such ticket';
	COMMENT ON TABLE triage.chat_messages IS
		'what was said in a session, in order of id; an INSERT does all that post_message() does';
	COMMENT ON TABLE triage.chat_attachments IS 'files of a message; only where they are, never their content';
	COMMENT ON TABLE triage.chat_tickets IS 'which tickets a session belongs to, and how';
	COMMENT ON VIEW triage.chat_overview IS
		'chat sessions with their ticket, their newest message and who waits; ORDER BY updated_at DESC, id DESC is the order of the index';
	FOR item IN
		SELECT v.relation, v.name, v.comment
		FROM (VALUES
			('chat_sessions', 'id', 'for joins; public_id is for URLs'),
			('chat_sessions', 'public_id', 'to be shown outside'),
			('chat_sessions', 'customer_id', 'the person who writes as user; null: not known'),
			('chat_sessions', 'language', 'BCP 47 tag of the conversation''s language; null: not known'),
			('chat_sessions', 'status', 'active; resolved: ended, a user''s message makes it active again; archived: final'),
			('chat_sessions', 'metadata', 'the application''s own data, an object'),
			('chat_sessions', 'created_at', 'when it began'),
			('chat_sessions', 'updated_at', 'when it last changed or a message was written'),
			('chat_sessions', 'ended_at', 'when it was resolved or archived; null while it is active'),
			('chat_sessions', 'context_start', 'id of the message that the AI''s view of the conversation begins with, set when a user''s message opens what was settled again; null: the first'),
			('chat_messages', 'id', 'grows in the order of writing'),
			('chat_messages', 'session_id', 'the session it belongs to'),
			('chat_messages', 'role', 'who speaks'),
			('chat_messages', 'author_id', 'the person who wrote it; null: not known, or no person'),
			('chat_messages', 'content', 'the text, up to 256 KiB'),
			('chat_messages', 'language', 'BCP 47 tag of the text, which chooses its stemmer; null: as English'),
			('chat_messages', 'metadata', 'data beside the text, an object; of the AI''s message: action, confidence, provider, model'),
			('chat_messages', 'client_id', 'the application''s own id of the message, by which it is stored once a session'),
			('chat_messages', 'run_id', 'the call that gave the AI''s message; no foreign key, runs may be purged'),
			('chat_messages', 'comment_id', 'the public comment on its ticket that it shows here, and whose text it has; null: it was written here'),
			('chat_messages', 'created_at', 'when it was written'),
			('chat_messages', 'search', 'its words, for search_messages()'),
			('chat_attachments', 'id', 'grows in the order of writing'),
			('chat_attachments', 'message_id', 'the message it belongs to'),
			('chat_attachments', 'file_url', 'where the file is'),
			('chat_attachments', 'file_name', 'its name, as people see it'),
			('chat_attachments', 'file_type', 'its MIME type'),
			('chat_attachments', 'byte_size', 'its size in bytes; null: not known'),
			('chat_attachments', 'created_at', 'when it was attached'),
			('chat_tickets', 'id', 'grows in the order of writing'),
			('chat_tickets', 'session_id', 'the session'),
			('chat_tickets', 'ticket_id', 'the ticket'),
			('chat_tickets', 'relation', 'origin: the ticket was opened from the session, one a session; followup; related'),
			('chat_tickets', 'created_at', 'when they were linked'),
			('chat_overview', 'id', 'the session''s id'),
			('chat_overview', 'public_id', 'to be shown outside'),
			('chat_overview', 'customer_id', 'the person who writes as user; null: not known'),
			('chat_overview', 'language', 'of the conversation'),
			('chat_overview', 'status', 'of the session: active, resolved or archived'),
			('chat_overview', 'has_ticket', 'whether any ticket is linked with it'),
			('chat_overview', 'ticket_id', 'its origin ticket; null: none'),
			('chat_overview', 'ticket_status', 'of the origin ticket'),
			('chat_overview', 'handler', 'who answers it: that of the origin ticket, ai without one'),
			('chat_overview', 'assignee_id', 'the agent who has the origin ticket'),
			('chat_overview', 'messages', 'how many it has'),
			('chat_overview', 'last_message_id', 'the newest message; null: there is none'),
			('chat_overview', 'last_role', 'who wrote that'),
			('chat_overview', 'last_message', 'its first 200 characters'),
			('chat_overview', 'last_message_at', 'when it was written'),
			('chat_overview', 'waiting_since', 'since when the customer waits for an answer: that of the origin ticket, else the oldest message not answered; null: answered, or over'),
			('chat_overview', 'reply_state', 'of the AI''s reply that is owed: pending or processing; ai_failed: given up; null: none is owed'),
			('chat_overview', 'created_at', 'when it began'),
			('chat_overview', 'updated_at', 'when it last changed or a message was written; with id the order to list it in'),
			('chat_overview', 'ended_at', 'when it was resolved or archived'),
			('chat_overview', 'summary', 'what it has come to: the current summary of the session, else of its origin ticket; null: there is none'),
			('ai_jobs', 'session_id', 'the chat session to work on; null: it is about a ticket'),
			('ai_dead_letters', 'session_id', 'the chat session that was to be worked on; null: it was about a ticket'),
			('ai_runs', 'session_id', 'the chat session, which may be gone; null: it was about a ticket')
		) AS v (relation, name, comment)
	LOOP
		EXECUTE format('COMMENT ON COLUMN triage.%I.%I IS %L', item.relation, item.name, item.comment);
	END LOOP;
END
$install$;
COMMENT ON FUNCTION triage.install_chat_comments() IS
	'part of install(): comments the tables of chat and their columns; takes nothing, returns nothing; raises what COMMENT raises';
REVOKE ALL ON FUNCTION triage.install_chat_comments() FROM PUBLIC;

CREATE FUNCTION triage.install_chat_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- Looked up for the sessions of a page only: nothing here reads a table as a whole.
	CREATE OR REPLACE VIEW triage.chat_overview WITH (security_invoker = true) AS
		SELECT s.id, s.public_id, s.tenant_id, s.customer_id, s.language, s.status,
				-- not EXISTS, which the planner may turn into one look at all links
				o.id IS NOT NULL OR (
					SELECT l.id FROM triage.chat_tickets l WHERE l.tenant_id = s.tenant_id AND l.session_id = s.id LIMIT 1) IS NOT NULL
					AS has_ticket,
				t.id AS ticket_id, t.status AS ticket_status, coalesce(t.handler, 'ai') AS handler, t.assignee_id,
				(SELECT count(*) FROM triage.chat_messages c WHERE c.tenant_id = s.tenant_id AND c.session_id = s.id) AS messages,
				m.id AS last_message_id, m.role AS last_role, left(m.content, 200) AS last_message, m.created_at AS last_message_at,
				CASE WHEN s.status <> 'active' THEN NULL
					WHEN t.id IS NOT NULL THEN t.waiting_since
					WHEN m.role IN ('assistant', 'agent') THEN NULL
					ELSE (
						SELECT u.created_at
							FROM triage.chat_messages u
							WHERE u.tenant_id = s.tenant_id AND u.session_id = s.id AND u.role = 'user' AND u.id > coalesce((
								SELECT r.id FROM triage.chat_messages r
									WHERE r.tenant_id = s.tenant_id AND r.session_id = s.id AND r.role IN ('assistant', 'agent')
									ORDER BY r.id DESC LIMIT 1), 0)
							ORDER BY u.id LIMIT 1) END AS waiting_since,
				CASE WHEN j.lease_until > now() THEN 'processing'
					WHEN j.id IS NOT NULL THEN 'pending'
					WHEN d.id IS NOT NULL THEN 'ai_failed' END AS reply_state,
				s.created_at, s.updated_at, s.ended_at,
				coalesce(
					(SELECT c.summary FROM triage.conversation_summaries c
						WHERE c.tenant_id = s.tenant_id AND c.session_id = s.id AND c.superseded_at IS NULL),
					(SELECT c.summary FROM triage.conversation_summaries c
						WHERE c.tenant_id = o.tenant_id AND c.ticket_id = o.ticket_id AND c.superseded_at IS NULL)) AS summary
			FROM triage.chat_sessions s
			LEFT JOIN triage.chat_tickets o
				ON o.tenant_id = s.tenant_id AND o.session_id = s.id AND o.relation = 'origin'
			LEFT JOIN triage.tickets t ON t.tenant_id = o.tenant_id AND t.id = o.ticket_id
			LEFT JOIN LATERAL (
				SELECT x.id, x.role, x.content, x.created_at
					FROM triage.chat_messages x
					WHERE x.tenant_id = s.tenant_id AND x.session_id = s.id
					ORDER BY x.id DESC LIMIT 1) m ON true
			LEFT JOIN triage.ai_jobs j
				ON j.tenant_id = s.tenant_id AND j.session_id = s.id AND j.kind = 'chat_reply'
			LEFT JOIN triage.ai_dead_letters d
				ON d.tenant_id = s.tenant_id AND d.session_id = s.id AND d.kind = 'chat_reply';
END
$install$;
COMMENT ON FUNCTION triage.install_chat_views() IS
	'part of install(): creates or replaces view chat_overview; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_chat_views() FROM PUBLIC;
