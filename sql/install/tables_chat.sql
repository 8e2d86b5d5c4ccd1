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
		CONSTRAINT chat_sessions_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT chat_sessions_public_id_key UNIQUE (public_id, tenant_id),
		CONSTRAINT chat_sessions_customer_fkey FOREIGN KEY (tenant_id, customer_id) REFERENCES triage.people (tenant_id, id),
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
		created_at timestamptz NOT NULL DEFAULT now(),
		search     tsvector GENERATED ALWAYS AS (to_tsvector(triage.ts_config(language), left(content, 100000))) STORED,
		CONSTRAINT chat_messages_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT chat_messages_client_id_key UNIQUE (tenant_id, session_id, client_id),
		CONSTRAINT chat_messages_session_fkey FOREIGN KEY (tenant_id, session_id)
			REFERENCES triage.chat_sessions (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT chat_messages_author_fkey FOREIGN KEY (tenant_id, author_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT chat_messages_content_length CHECK (octet_length(content) <= 262144),
		CONSTRAINT chat_messages_content_not_empty CHECK (content ~ '\S'),
		CONSTRAINT chat_messages_language_length CHECK (length(language) <= 35),
		CONSTRAINT chat_messages_metadata_object CHECK (jsonb_typeof(metadata) = 'object'),
		CONSTRAINT chat_messages_client_id_length CHECK (length(client_id) BETWEEN 1 AND 200));
	CREATE INDEX IF NOT EXISTS chat_messages_session ON triage.chat_messages (tenant_id, session_id, id);
	CREATE INDEX IF NOT EXISTS chat_messages_author ON triage.chat_messages (tenant_id, author_id)
		WHERE author_id IS NOT NULL;
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
		CONSTRAINT chat_attachments_file_name_length CHECK (length(file_name) BETWEEN 1 AND 500),
		CONSTRAINT chat_attachments_file_type_length CHECK (length(file_type) BETWEEN 1 AND 200),
		CONSTRAINT chat_attachments_byte_size CHECK (byte_size >= 0));
	CREATE INDEX IF NOT EXISTS chat_attachments_message ON triage.chat_attachments (tenant_id, message_id);

	-- A session has at most one ticket that it began as: its origin.
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
	CREATE INDEX IF NOT EXISTS chat_tickets_ticket ON triage.chat_tickets (tenant_id, ticket_id);
END
$install$;
COMMENT ON FUNCTION triage.install_chat_tables() IS
	'part of install(): creates the tables of chat that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_chat_tables() FROM PUBLIC;
