-- Chat: what an application calls to start a session, to write and read messages, and to end it.
--
-- A session is a conversation with a customer; the ticket opened from it is its origin ticket, at most one.  The messages
-- of a session are the thread of its origin ticket: they are not copied into comments, and what a customer's comment does
-- to a ticket (reopening, the wait) a user's message does too.  A public comment on the ticket is said in the session, as a
-- message that follows what becomes of it.  The rules are kept by triggers (chat_rules.sql), so that a
-- plain INSERT into chat_messages does all that post_message() does.
--
-- Locks are taken in the order ticket, session, job: who writes to a session has locked its origin ticket before.

-- Helpers ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.lock_chat(session_id bigint, tenant_id text DEFAULT triage.current_tenant())
	RETURNS TABLE (status triage.session_status, customer_id text, ticket_id bigint)
	LANGUAGE plpgsql ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	session record;
	origin bigint;
BEGIN
	FOR i IN 1 .. 3 LOOP
		SELECT l.ticket_id INTO origin
			FROM triage.chat_tickets l
			WHERE l.tenant_id = lock_chat.tenant_id AND l.session_id = lock_chat.session_id AND l.relation = 'origin';
		IF FOUND THEN
			PERFORM FROM triage.tickets t WHERE t.id = origin AND t.tenant_id = lock_chat.tenant_id FOR NO KEY UPDATE;
		END IF;
		-- Opened while the session's lock was waited for, it is to be locked before the session: the block lets go of that.
		BEGIN
			SELECT s.status, s.customer_id INTO session
				FROM triage.chat_sessions s
				WHERE s.id = lock_chat.session_id AND s.tenant_id = lock_chat.tenant_id
				FOR NO KEY UPDATE;
			IF NOT FOUND THEN
				RAISE EXCEPTION 'chat session % does not exist', coalesce(session_id::text, 'NULL')
					USING ERRCODE = 'no_data_found', HINT = 'Sessions of other tenants cannot be reached.';
			ELSIF origin IS NULL AND EXISTS (
				SELECT FROM triage.chat_tickets l
					WHERE l.tenant_id = lock_chat.tenant_id AND l.session_id = lock_chat.session_id AND l.relation = 'origin')
			THEN
				RAISE EXCEPTION 'chat session % got a ticket meanwhile', session_id
					USING ERRCODE = 'serialization_failure', HINT = 'Retry.';
			END IF;
			EXIT;
		EXCEPTION WHEN serialization_failure THEN
			IF i = 3 THEN
				RAISE;
			END IF;
		END;
	END LOOP;
	RETURN QUERY SELECT session.status, session.customer_id, origin;
END
$$;
COMMENT ON FUNCTION triage.lock_chat(bigint, text) IS
	'locks a chat session until the transaction ends, and before it the origin ticket if it has one; tenant_id: whose session it is; returns its status, its customer and the ticket''s id (NULL: none); raises P0002 when there is no such session';
REVOKE ALL ON FUNCTION triage.lock_chat(bigint, text) FROM PUBLIC;

-- Sessions -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_chat_details(relation text, language text, metadata jsonb) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_length(relation, 'language', language, 0, 35, 'Give a language''s tag, such as de or pt-BR.');
	IF jsonb_typeof(metadata) <> 'object' THEN
		RAISE EXCEPTION 'metadata must be a JSON object, not %', jsonb_typeof(metadata)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = relation,
				CONSTRAINT = relation || '_metadata_object', HINT = 'Write it like {"page": "/pricing"}.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_chat_details(text, text, jsonb) IS
	'checks language and metadata of a chat session or message before they are stored; NULLs pass; returns nothing; raises 23514 when language exceeds 35 characters or metadata is no JSON object';
REVOKE ALL ON FUNCTION triage.check_chat_details(text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.start_session(
	customer_id text DEFAULT NULL,
	open_ticket boolean DEFAULT false,
	subject text DEFAULT NULL,
	language text DEFAULT NULL,
	metadata jsonb DEFAULT '{}',
	customer_email text DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	new_session bigint;
	new_ticket bigint;
	previous text;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_tenant();
	PERFORM triage.check_chat_details('chat_sessions', language, metadata);
	IF customer_id IS NOT NULL THEN
		PERFORM triage.ensure_person(customer_id, 'customer', customer_email);
	END IF;
	IF open_ticket THEN
		IF subject !~ '[^[:space:]]' THEN
			subject := NULL;
		END IF;
		-- Nothing was said yet: triage is asked for when the first message becomes the description.
		previous := coalesce(current_setting('triage.auto_triage', true), 'on');
		PERFORM set_config('triage.auto_triage', 'off', true);
		INSERT INTO triage.tickets (tenant_id, source, requester_id, requester_email, language, subject, description, handler)
			VALUES (tenant, 'chat', start_session.customer_id, start_session.customer_email, start_session.language,
				coalesce(start_session.subject, 'Chat'), '', 'ai')
			RETURNING id INTO new_ticket;
		PERFORM set_config('triage.auto_triage', previous, true);
	END IF;
	INSERT INTO triage.chat_sessions (tenant_id, customer_id, language, metadata)
		VALUES (tenant, start_session.customer_id, start_session.language, coalesce(start_session.metadata, '{}'))
		RETURNING id INTO new_session;
	IF open_ticket THEN
		INSERT INTO triage.chat_tickets (tenant_id, session_id, ticket_id, relation)
			VALUES (tenant, new_session, new_ticket, 'origin');
	END IF;
	RETURN new_session;
END
$$;
COMMENT ON FUNCTION triage.start_session(text, boolean, text, text, jsonb, text) IS
	'starts a chat session in the current tenant and returns its id; customer_id: the application''s own id of the person, created on first sight, NULL for a visitor; open_ticket: opens its ticket at once, handled by the AI, else only an escalation opens one; subject: of that ticket, NULL takes the first line of the first message; language: of the conversation, such as ''de''; metadata: the application''s own data, an object; raises 22023 when a person''s id has not 1 to 200 characters, 23514 when the subject exceeds 998 characters, language 35 or customer_email 320, or metadata is no object, 23503 when the tenant does not exist';
REVOKE ALL ON FUNCTION triage.start_session(text, boolean, text, text, jsonb, text) FROM PUBLIC;

CREATE FUNCTION triage.end_session(session_id bigint, by_client boolean DEFAULT false) RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	chat record;
BEGIN
	PERFORM triage.check_schema();
	SELECT * INTO chat FROM triage.lock_chat(end_session.session_id, tenant);
	IF chat.status = 'archived' THEN
		RAISE EXCEPTION 'chat session % is archived', session_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Archived is final: there is nothing left to end.';
	END IF;
	IF by_client THEN
		PERFORM triage.close_by_client(tenant, chat.ticket_id);
	ELSE
		UPDATE triage.tickets t
			SET status = 'resolved', resolution = 'resolved'
			WHERE t.id = chat.ticket_id AND t.tenant_id = tenant AND t.deleted_at IS NULL
				AND t.status NOT IN ('resolved', 'closed');
	END IF;
	UPDATE triage.chat_sessions s
		SET status = 'resolved'
		WHERE s.id = end_session.session_id AND s.tenant_id = tenant AND s.status = 'active';
	RETURN chat.status = 'active';
END
$$;
COMMENT ON FUNCTION triage.end_session(bigint, boolean) IS
	'ends a chat session: it becomes resolved, its AI jobs are called off, and its origin ticket, unless finished before, is resolved; by_client: the customer ended it, and the ticket''s resolution is closed_by_client; a user''s message makes session and ticket active again; returns whether the session was active; raises P0002 when there is no such session, 55000 when it is archived';
REVOKE ALL ON FUNCTION triage.end_session(bigint, boolean) FROM PUBLIC;

CREATE FUNCTION triage.archive_session(session_id bigint) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	chat record;
BEGIN
	PERFORM triage.check_schema();
	SELECT * INTO chat FROM triage.lock_chat(archive_session.session_id, tenant);
	IF chat.status = 'active' THEN
		RAISE EXCEPTION 'chat session % is active and cannot be archived', session_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Call triage.end_session() first.';
	END IF;
	UPDATE triage.chat_sessions s
		SET status = 'archived'
		WHERE s.id = archive_session.session_id AND s.tenant_id = tenant AND s.status = 'resolved';
	RETURN chat.status = 'resolved';
END
$$;
COMMENT ON FUNCTION triage.archive_session(bigint) IS
	'archives a resolved chat session for good: it takes no message and no file any more; its ticket is left as it is; nothing changes when it is archived already; returns whether it was archived now; raises P0002 when there is no such session, 55000 while it is active';
REVOKE ALL ON FUNCTION triage.archive_session(bigint) FROM PUBLIC;

CREATE FUNCTION triage.link_session(session_id bigint, ticket_id bigint, relation triage.session_link DEFAULT 'related')
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	known record;
	new_id bigint;
BEGIN
	PERFORM triage.check_schema();
	relation := coalesce(relation, 'related');
	PERFORM triage.lock_ticket(ticket_id);
	PERFORM triage.lock_chat(session_id, tenant);
	SELECT l.id, l.ticket_id, l.relation INTO known
		FROM triage.chat_tickets l
		WHERE l.tenant_id = tenant AND l.session_id = link_session.session_id
			AND (l.ticket_id = link_session.ticket_id OR (link_session.relation = 'origin' AND l.relation = 'origin'))
		ORDER BY l.ticket_id <> link_session.ticket_id
		LIMIT 1;
	IF known.ticket_id = link_session.ticket_id AND known.relation = link_session.relation THEN
		RETURN known.id;
	ELSIF known.ticket_id = link_session.ticket_id THEN
		RAISE EXCEPTION 'chat session % is linked to ticket % already, as %', session_id, ticket_id, known.relation
			USING ERRCODE = 'unique_violation', SCHEMA = 'triage', TABLE = 'chat_tickets', CONSTRAINT = 'chat_tickets_pair_key',
				HINT = 'A session and a ticket have one link.';
	ELSIF FOUND THEN
		RAISE EXCEPTION 'chat session % has an origin ticket already: %', session_id, known.ticket_id
			USING ERRCODE = 'unique_violation', SCHEMA = 'triage', TABLE = 'chat_tickets', CONSTRAINT = 'chat_tickets_one_origin',
				HINT = 'Link further tickets as followup or related.';
	END IF;
	SELECT l.session_id INTO known
		FROM triage.chat_tickets l
		WHERE l.tenant_id = tenant AND l.ticket_id = link_session.ticket_id AND l.relation = 'origin';
	IF FOUND AND relation = 'origin' THEN
		RAISE EXCEPTION 'ticket % began as another chat session: %', ticket_id, known.session_id
			USING ERRCODE = 'unique_violation', SCHEMA = 'triage', TABLE = 'chat_tickets', CONSTRAINT = 'chat_tickets_one_session',
				HINT = 'Link further sessions as followup or related.';
	END IF;
	INSERT INTO triage.chat_tickets (tenant_id, session_id, ticket_id, relation)
		VALUES (tenant, link_session.session_id, link_session.ticket_id, link_session.relation)
		RETURNING id INTO new_id;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.link_session(bigint, bigint, triage.session_link) IS
	'links a chat session with a ticket and returns the link''s id; relation: origin (the session''s own ticket, whose handler then answers it; one a session), followup or related; a link that is there already is left as it is and its id returned; raises P0002 when there is no such session or ticket, 23505 when the two are linked otherwise, the session has another origin, or the ticket began as another session, 23514 for an origin that is closed_by_client';
REVOKE ALL ON FUNCTION triage.link_session(bigint, bigint, triage.session_link) FROM PUBLIC;

-- Messages -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_message(content text, client_id text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- the table says the same; said here first for the sake of the hint, and so that a text is not logged as a failing row
	IF content IS NULL OR content !~ '[^[:space:]]' THEN
		RAISE EXCEPTION 'a chat message must not be blank'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'chat_messages',
				CONSTRAINT = 'chat_messages_content_not_empty', HINT = 'Give it a character that is not white space.';
	ELSIF octet_length(content) > 262144 THEN
		RAISE EXCEPTION 'chat message is too long: % bytes', octet_length(content)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'chat_messages',
				CONSTRAINT = 'chat_messages_content_length', HINT = 'A message holds at most 262144 bytes; attach longer texts as files.';
	ELSIF length(client_id) NOT BETWEEN 1 AND 200 THEN
		RAISE EXCEPTION 'a chat message''s client_id has 1 to 200 characters'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'chat_messages',
				CONSTRAINT = 'chat_messages_client_id_length', HINT = 'Use the id that the client gave the message, or NULL.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_message(text, text) IS
	'checks a chat message''s content and client_id before it is stored; returns nothing; raises 23514 when the content is blank or above 262144 bytes, or the client_id has not 1 to 200 characters';
REVOKE ALL ON FUNCTION triage.check_message(text, text) FROM PUBLIC;

CREATE FUNCTION triage.ensure_author(author_id text, role triage.message_role) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known triage.person_role;
BEGIN
	known := triage.ensure_person(author_id, CASE ensure_author.role
		WHEN 'user' THEN 'customer' WHEN 'assistant' THEN 'ai' ELSE ensure_author.role::text END::triage.person_role);
	IF ensure_author.role = 'agent' AND known = 'customer' THEN
		RAISE EXCEPTION 'a customer cannot write as an agent'
			USING ERRCODE = 'check_violation',
				DETAIL = format('Person "%s" has the role customer.', author_id),
				HINT = 'Post the message with role user, or set the role in triage.people to agent or admin first.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.ensure_author(text, triage.message_role) IS
	'creates the author of a chat message on first sight, as customer, agent, ai or system; returns nothing; raises 23514 when a customer is to speak as an agent, 22023 when the id has not 1 to 200 characters';
REVOKE ALL ON FUNCTION triage.ensure_author(text, triage.message_role) FROM PUBLIC;

CREATE FUNCTION triage.post_message(
	session_id bigint,
	content text,
	role triage.message_role DEFAULT 'user',
	author_id text DEFAULT NULL,
	client_id text DEFAULT NULL,
	metadata jsonb DEFAULT NULL,
	language text DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER			-- else a bot of the application's own could not speak
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	chat record;
	new_id bigint;
BEGIN
	PERFORM triage.check_schema();
	role := coalesce(role, 'user');
	-- Second round: the session's lock was waited for, and its holder has written this very message.
	FOR i IN 1 .. 2 LOOP
		IF client_id IS NOT NULL THEN
			SELECT m.id INTO new_id
				FROM triage.chat_messages m
				WHERE m.tenant_id = tenant AND m.session_id = post_message.session_id AND m.client_id = post_message.client_id;
			IF FOUND THEN
				RETURN new_id;
			END IF;
		END IF;
		IF i = 1 THEN
			PERFORM triage.check_message(content, client_id);
			PERFORM triage.check_chat_details('chat_messages', language, metadata);
			SELECT * INTO chat FROM triage.lock_chat(post_message.session_id, tenant);
		END IF;
	END LOOP;

	IF role = 'user' THEN
		author_id := coalesce(author_id, chat.customer_id);
	END IF;
	IF author_id IS NOT NULL THEN
		PERFORM triage.ensure_author(author_id, role);
	END IF;
	INSERT INTO triage.chat_messages (tenant_id, session_id, role, author_id, content, client_id, metadata, language)
		VALUES (tenant, post_message.session_id, post_message.role, post_message.author_id, post_message.content,
			post_message.client_id, post_message.metadata, post_message.language)
		ON CONFLICT ON CONSTRAINT chat_messages_client_id_key DO NOTHING
		RETURNING id INTO new_id;
	IF new_id IS NULL THEN				-- this snapshot is older than the message
		RAISE EXCEPTION 'could not post message % to chat session %', quote_literal(client_id), session_id
			USING ERRCODE = 'serialization_failure', HINT = 'It was posted meanwhile; retry to learn its id.';
	END IF;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.post_message(bigint, text, triage.message_role, text, text, jsonb, text) IS
	'writes a message to a chat session and returns its id; role: who speaks; a user''s message makes a resolved session and its ticket active again and, while the AI handles the session, asks it for a reply; an agent''s message makes a person handle it; author_id: the application''s own id of the person, created on first sight, NULL is the session''s customer for role user; client_id: the client''s own id of the message, by which posting it again writes nothing and returns the id it has; metadata: an object; language: of the text, such as ''de''; raises P0002 when there is no such session, 55000 when it is archived or its ticket is closed or deleted, 23514 when the content is blank or above 262144 bytes, the client_id has not 1 to 200 characters, language exceeds 35, metadata is no object or a customer is to speak as an agent, 40001 when the message was posted by another transaction that this one''s snapshot does not show';
REVOKE ALL ON FUNCTION triage.post_message(bigint, text, triage.message_role, text, text, jsonb, text) FROM PUBLIC;

CREATE FUNCTION triage.attach_file(
	message_id bigint,
	file_url text,
	file_name text,
	file_type text DEFAULT 'application/octet-stream',
	byte_size bigint DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	current_status triage.session_status;
	new_id bigint;
BEGIN
	PERFORM triage.check_schema();
	SELECT s.status INTO current_status
		FROM triage.chat_messages m
		JOIN triage.chat_sessions s ON s.tenant_id = m.tenant_id AND s.id = m.session_id
		WHERE m.tenant_id = tenant AND m.id = attach_file.message_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'chat message % does not exist', coalesce(message_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Messages of other tenants cannot be reached.';
	ELSIF current_status = 'archived' THEN
		RAISE EXCEPTION 'chat message % belongs to an archived session', message_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Archived is final: start a new session.';
	END IF;
	PERFORM triage.check_file('chat_attachments', file_url, file_name, file_type, byte_size);
	INSERT INTO triage.chat_attachments (tenant_id, message_id, file_url, file_name, file_type, byte_size)
		VALUES (tenant, attach_file.message_id, attach_file.file_url, attach_file.file_name,
			coalesce(attach_file.file_type, 'application/octet-stream'), attach_file.byte_size)
		RETURNING id INTO new_id;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.attach_file(bigint, text, text, text, bigint) IS
	'attaches a file to a chat message and returns the attachment''s id; file_url: where it is, up to 2000 characters; file_name: as people see it; file_type: its MIME type; byte_size: in bytes; raises P0002 when there is no such message, 55000 when its session is archived, 22023 for an address that is missing or too long, that a browser would run (javascript:, data: and the like) or that has blanks or control characters, 23514 for a name (1 to 500 characters), type (1 to 200) or size out of range, 22004 when the name is missing';
REVOKE ALL ON FUNCTION triage.attach_file(bigint, text, text, text, bigint) FROM PUBLIC;

-- Reading ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.conversation(
	session_id bigint,
	before_id bigint DEFAULT NULL,
	max_rows int DEFAULT 50,
	after_id bigint DEFAULT NULL)
	RETURNS TABLE (
		id bigint,
		role triage.message_role,
		author_id text,
		content text,
		metadata jsonb,
		client_id text,
		created_at timestamptz,
		attachments jsonb)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	page bigint[];
BEGIN
	PERFORM triage.check_schema();
	IF max_rows IS NULL OR max_rows NOT BETWEEN 0 AND 1000 THEN
		RAISE EXCEPTION 'max_rows must be between 0 and 1000, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'For the page before, pass the id of the first row as before_id; for what is new, that of the last as after_id.';
	ELSIF before_id IS NOT NULL AND after_id IS NOT NULL THEN
		RAISE EXCEPTION 'before_id and after_id cannot be combined'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass one of them to page back, or the other to read what is new.';
	ELSIF NOT EXISTS (
		SELECT FROM triage.chat_sessions s WHERE s.id = conversation.session_id AND s.tenant_id = tenant)
	THEN
		RAISE EXCEPTION 'chat session % does not exist', coalesce(session_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Sessions of other tenants cannot be reached.';
	END IF;
	-- one query for both would be planned with a NULL in one half of it
	IF after_id IS NULL THEN
		page := ARRAY (
			SELECT m.id FROM triage.chat_messages m
				WHERE m.tenant_id = tenant AND m.session_id = conversation.session_id
					AND m.id < coalesce(conversation.before_id, 9223372036854775807)
				ORDER BY m.id DESC
				LIMIT max_rows);
	ELSE
		page := ARRAY (
			SELECT m.id FROM triage.chat_messages m
				WHERE m.tenant_id = tenant AND m.session_id = conversation.session_id AND m.id > conversation.after_id
				ORDER BY m.id
				LIMIT max_rows);
	END IF;
	RETURN QUERY
		SELECT p.id, p.role, p.author_id, p.content, p.metadata, p.client_id, p.created_at,
				coalesce((
					SELECT jsonb_agg(jsonb_build_object('id', a.id, 'file_url', a.file_url, 'file_name', a.file_name,
							'file_type', a.file_type, 'byte_size', a.byte_size) ORDER BY a.id)
						FROM triage.chat_attachments a
						WHERE a.tenant_id = tenant AND a.message_id = p.id), '[]') || coalesce((
					SELECT jsonb_agg(jsonb_build_object('id', b.id, 'file_url', b.file_url, 'file_name', b.file_name,
							'file_type', b.file_type, 'byte_size', b.byte_size) ORDER BY b.id)
						FROM triage.comment_attachments b
						WHERE b.tenant_id = tenant AND b.comment_id = p.comment_id), '[]')
			FROM triage.chat_messages p
			WHERE p.tenant_id = tenant AND p.id = ANY (page)
			ORDER BY p.id;
END
$$;
COMMENT ON FUNCTION triage.conversation(bigint, bigint, int, bigint) IS
	'the messages of a chat session, the public comments on its ticket among them, oldest first: the last max_rows (0 to 1000) of them, or of those before before_id, or the first after after_id; within a session ids grow in the order of commits, so asking for what comes after the last id seen misses nothing; attachments: an array of id, file_url, file_name, file_type, byte_size; raises P0002 when there is no such session, 22023 when max_rows is out of range or both ids are given';
REVOKE ALL ON FUNCTION triage.conversation(bigint, bigint, int, bigint) FROM PUBLIC;

-- With the owner's rights and without dynamic SQL, as search_tickets() and for the same reason; and as there, a plan for
-- each call, which finds the matches of a rare word by chat_messages_search and those of a common one from the newest on.
-- A word that most messages have is not ranked over all of them: the newest 1000 are as good as any.
CREATE FUNCTION triage.search_messages(query text, max_rows int DEFAULT 50, language text DEFAULT NULL,
		in_session bigint DEFAULT NULL)
	RETURNS TABLE (
		id bigint,
		session_id bigint,
		role triage.message_role,
		author_id text,
		content text,
		created_at timestamptz,
		rank real)
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning	-- a query of stop words finds nothing; no NOTICE need say so
	SET plan_cache_mode = force_custom_plan
	SET enable_seqscan = off
	SET jit = off
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();	-- read once, not once a row
	candidates CONSTANT int := 1000;
	wanted tsquery;
	verbatim tsquery;
	found bigint[];
BEGIN
	PERFORM triage.check_schema();
	IF max_rows IS NULL OR max_rows NOT BETWEEN 0 AND 1000 THEN
		RAISE EXCEPTION 'max_rows must be between 0 and 1000, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Search for something narrower instead of more rows.';
	END IF;
	IF length(query) > 1000 THEN
		RAISE EXCEPTION 'the query is too long: % characters', length(query)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Search for at most 1000 characters: some words that matter.';
	END IF;
	wanted := websearch_to_tsquery(triage.ts_config(language), query);
	-- as in search_tickets(): the words as they stand too, unless one of them is not to be there
	IF position('!' IN wanted::text) = 0 THEN
		verbatim := websearch_to_tsquery('simple', query);
		IF verbatim <> wanted THEN
			wanted := wanted || verbatim;
		END IF;
	END IF;
	IF in_session IS NULL THEN
		found := ARRAY (
			SELECT m.id FROM triage.chat_messages m
				WHERE m.tenant_id = tenant AND m.search @@ wanted
				ORDER BY m.id DESC
				LIMIT candidates);
	ELSE
		found := ARRAY (
			SELECT m.id FROM triage.chat_messages m
				WHERE m.tenant_id = tenant AND m.session_id = in_session AND m.search @@ wanted
				ORDER BY m.id DESC
				LIMIT candidates);
	END IF;
	RETURN QUERY
		SELECT m.id, m.session_id, m.role, m.author_id, m.content, m.created_at, ts_rank(m.search, wanted) AS rank
			FROM triage.chat_messages m
			WHERE m.tenant_id = tenant AND m.id = ANY (found)
			ORDER BY 7 DESC, m.id DESC
			LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION triage.search_messages(text, int, text, bigint) IS
	'finds chat messages of the current tenant by their words, best match first; query: words, "a phrase", or, -not, 1000 characters at most; max_rows: 0 to 1000; language: of the query, such as ''de'', NULL is English; in_session: only that session''s; of more than 1000 matches the newest 1000 are ranked; raises 22023 when max_rows is out of range or query too long';
REVOKE ALL ON FUNCTION triage.search_messages(text, int, text, bigint) FROM PUBLIC;
