-- Comments: what an application calls, and what a comment does to its ticket.

CREATE FUNCTION triage.check_external_id(source text, external_id text, relation text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- the tables say the same, without the hint
	IF length(external_id) NOT BETWEEN 1 AND 1000 THEN
		RAISE EXCEPTION 'external_id has 1 to 1000 characters, not %', length(external_id)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = relation,
				CONSTRAINT = relation || '_external_id_length', HINT = 'Leave it NULL when the source gives none.';
	ELSIF length(source) NOT BETWEEN 1 AND 100 THEN
		RAISE EXCEPTION 'source has 1 to 100 characters, not %', length(source)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = relation,
				CONSTRAINT = relation || '_source_length',
				HINT = 'Name the channel, such as ''email'', or leave it away for ''api''.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_external_id(text, text, text) IS
	'checks source and external id of a row of a table before it is stored; NULLs pass; returns nothing; raises 23514 when source has not 1 to 100 characters or external_id not 1 to 1000';
REVOKE ALL ON FUNCTION triage.check_external_id(text, text, text) FROM PUBLIC;

CREATE FUNCTION triage.check_created_at(created_at timestamptz, relation text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT isfinite(created_at) THEN
		RAISE EXCEPTION 'created_at must not be infinite'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = relation, COLUMN = 'created_at',
				HINT = 'Leave it away when the time is not known, and it is that of the transaction.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_created_at(timestamptz, text) IS
	'part of the triggers before a comment or message is inserted: checks when a row of a table says that it was written; NULL passes; returns nothing; raises 23514 when that is infinite';
REVOKE ALL ON FUNCTION triage.check_created_at(timestamptz, text) FROM PUBLIC;

CREATE FUNCTION triage.check_comment_text(content text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF content IS NULL OR content !~ '[^[:space:]]' THEN
		RAISE EXCEPTION 'a comment must not be blank'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ticket_comments',
				CONSTRAINT = 'ticket_comments_content_not_empty', HINT = 'Give it a character that is not white space.';
	ELSIF octet_length(content) > 1048576 THEN
		RAISE EXCEPTION 'comment is too long: % bytes', octet_length(content)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ticket_comments',
				CONSTRAINT = 'ticket_comments_content_length',
				HINT = 'A comment holds at most 1048576 bytes; split it.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_comment_text(text) IS
	'checks the text of a comment before it is stored; returns nothing; raises 23514 when it is blank or above 1048576 bytes';
REVOKE ALL ON FUNCTION triage.check_comment_text(text) FROM PUBLIC;

-- Adding ---------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.comment_role(tenant_id text, author_id text, visibility triage.comment_visibility)
	RETURNS triage.person_role
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- customers write no notes
	SELECT coalesce(
		(SELECT p.role FROM triage.people p WHERE p.tenant_id = comment_role.tenant_id AND p.id = comment_role.author_id),
		CASE visibility WHEN 'internal' THEN 'agent' ELSE 'customer' END::triage.person_role)
$$;
COMMENT ON FUNCTION triage.comment_role(text, text, triage.comment_visibility) IS
	'the role under which a comment is written whose role nobody gave: that of its author in people of the tenant; of one who is not known there, or NULL, customer, or agent of a note; raises nothing';
REVOKE ALL ON FUNCTION triage.comment_role(text, text, triage.comment_visibility) FROM PUBLIC;

CREATE FUNCTION triage.add_comment(
	ticket_id bigint,
	content text,
	author_id text DEFAULT NULL,
	author_role triage.person_role DEFAULT NULL,
	visibility triage.comment_visibility DEFAULT 'public',
	source text DEFAULT 'api',
	external_id text DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known record;
	new_id bigint;
BEGIN
	PERFORM triage.check_schema();
	source := coalesce(source, 'api');
	visibility := coalesce(visibility, 'public');
	PERFORM triage.check_external_id(source, external_id, 'ticket_comments');

	FOR i IN 1 .. 3 LOOP				-- as in create_ticket
		IF external_id IS NOT NULL THEN
			SELECT c.id, c.ticket_id INTO known
				FROM triage.ticket_comments c
				WHERE c.tenant_id = triage.current_tenant()
					AND c.source = add_comment.source AND c.external_id = add_comment.external_id;
			IF FOUND AND (known.ticket_id = add_comment.ticket_id
				OR known.ticket_id = ANY (triage.follow_ups(add_comment.ticket_id, triage.current_tenant())))
			THEN
				RETURN known.id;
			ELSIF FOUND THEN
				RAISE EXCEPTION 'comment % of source % belongs to another ticket',
						quote_literal(external_id), quote_literal(source)
					USING ERRCODE = 'unique_violation', SCHEMA = 'triage', TABLE = 'ticket_comments',
						CONSTRAINT = 'ticket_comments_external_id_key',
						HINT = 'An external id names one comment of its source; use another one.';
			END IF;
		END IF;

		IF i = 1 THEN
			-- Before a person is created for a ticket that is not there.  No lock: the trigger takes it as the owner,
			-- while who may write comments need not be allowed to change tickets.
			IF NOT EXISTS (
				SELECT FROM triage.tickets t
					WHERE t.id = add_comment.ticket_id AND t.tenant_id = triage.current_tenant() AND t.deleted_at IS NULL)
			THEN
				RAISE EXCEPTION 'ticket % does not exist', coalesce(ticket_id::text, 'NULL')
					USING ERRCODE = 'no_data_found',
						HINT = 'Tickets that were deleted, and those of other tenants, cannot be reached.';
			END IF;
			-- Nobody named: it is the actor who writes.  Where that is no person either, nobody is taken for the customer:
			-- his reply would reopen the ticket.
			IF author_id IS NULL AND author_role IS NULL THEN
				SELECT p.id, p.role INTO author_id, author_role
					FROM triage.people p
					WHERE p.tenant_id = triage.current_tenant() AND p.id = triage.current_actor();
				IF NOT FOUND AND visibility = 'public' THEN
					RAISE EXCEPTION 'cannot tell who wrote the comment'
						USING ERRCODE = 'invalid_parameter_value',
							DETAIL = format('The actor "%s" is not known in triage.people.', left(triage.current_actor(), 200)),
							HINT = 'Pass author_id or author_role, or set triage.actor to a person; triage.receive_reply() is for what a customer wrote.';
				END IF;
			END IF;
			IF author_id IS NOT NULL THEN
				author_role := coalesce(author_role, triage.ensure_person(author_id,
					triage.comment_role(triage.current_tenant(), author_id, visibility)));
				PERFORM triage.ensure_person(author_id, author_role);
			END IF;								-- else a note, whose role the trigger gives it
		END IF;

		INSERT INTO triage.ticket_comments (tenant_id, ticket_id, author_id, author_role, visibility, content, source,
				external_id)
			VALUES (triage.current_tenant(), add_comment.ticket_id, add_comment.author_id, add_comment.author_role,
				add_comment.visibility, add_comment.content, add_comment.source, add_comment.external_id)
			ON CONFLICT ON CONSTRAINT ticket_comments_external_id_key DO NOTHING
			RETURNING id INTO new_id;
		IF new_id IS NOT NULL THEN
			RETURN new_id;
		END IF;
	END LOOP;
	RAISE EXCEPTION 'could not add comment % of source %', quote_literal(external_id), quote_literal(source)
		USING ERRCODE = 'serialization_failure',
			HINT = 'Comments with this external id come and go at the moment; retry.';
END
$$;
COMMENT ON FUNCTION triage.add_comment(bigint, text, text, triage.person_role, triage.comment_visibility, text, text) IS
	'adds a comment to a ticket and returns its id; a comment with this source and external_id is left as it is and its id returned; author_id: the application''s own id of the person, created on first sight, NULL with NULL as author_role is the actor; author_role: NULL takes that of a known author, else customer, or agent of a note; visibility internal: a note the customer does not see; a customer''s public comment on a closed ticket goes to its follow-up ticket, which is created if none is open: receive_reply() tells which, and so does the comment''s ticket_id; raises P0002 when there is no such ticket, 22023 when neither author nor role is given and the actor is nobody in people, unless it is a note, 55000 for another public comment on a closed ticket, 23514 when it is blank or above 1048576 bytes or external_id or source is empty or too long, 23505 when the external id is that of a comment on another ticket';
REVOKE ALL ON FUNCTION triage.add_comment(bigint, text, text, triage.person_role, triage.comment_visibility, text, text) FROM PUBLIC;

CREATE FUNCTION triage.receive_reply(
	ticket_id bigint,
	content text,
	author_id text DEFAULT NULL,
	source text DEFAULT 'api',
	external_id text DEFAULT NULL)
	RETURNS TABLE (comment_id bigint, landed_on bigint, is_follow_up boolean)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	comment_id := triage.add_comment(ticket_id, content, author_id, 'customer', 'public', source, external_id);
	SELECT c.ticket_id INTO landed_on
		FROM triage.ticket_comments c
		WHERE c.id = receive_reply.comment_id AND c.tenant_id = triage.current_tenant();
	is_follow_up := landed_on <> receive_reply.ticket_id;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.receive_reply(bigint, text, text, text, text) IS
	'adds what a customer wrote to a ticket as a public comment, like add_comment(), and tells where it landed; a pending, on_hold or resolved ticket is reopened; on a closed one the text goes to the follow-up ticket that is open, or begins one; returns comment_id, landed_on (the ticket it is on) and is_follow_up (whether that is another ticket than the one named); raises what add_comment() raises';
REVOKE ALL ON FUNCTION triage.receive_reply(bigint, text, text, text, text) FROM PUBLIC;

-- Editing --------------------------------------------------------------------------------------------------------------

-- With the owner's rights: nobody else may change a comment, so that there is no way around what is checked here.
CREATE FUNCTION triage.lock_comment(comment_id bigint, editor_id text, by_author boolean) RETURNS text
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known record;
	editor text := coalesce(editor_id, triage.current_actor());
	editor_role triage.person_role;
BEGIN
	SELECT c.author_id INTO known
		FROM triage.ticket_comments c
		JOIN triage.tickets t ON t.tenant_id = c.tenant_id AND t.id = c.ticket_id AND t.deleted_at IS NULL
		WHERE c.id = lock_comment.comment_id AND c.tenant_id = triage.current_tenant()
		FOR NO KEY UPDATE OF c;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'comment % does not exist', coalesce(comment_id::text, 'NULL')
			USING ERRCODE = 'no_data_found',
				HINT = 'Comments of tickets that were deleted, and those of other tenants, cannot be reached.';
	END IF;
	SELECT p.role INTO editor_role
		FROM triage.people p
		WHERE p.tenant_id = triage.current_tenant() AND p.id = editor;
	-- Nobody named, and the actor is no person: the application itself.  A name that is not known counts as a customer's.
	IF editor_id IS NULL AND editor_role IS NULL
		OR editor_role IN ('agent', 'admin')
		OR by_author AND known.author_id = editor
	THEN
		RETURN editor;
	END IF;
	RAISE EXCEPTION 'person "%" may not change comment %', left(editor, 200), comment_id
		USING ERRCODE = 'insufficient_privilege',
			HINT = CASE WHEN by_author THEN 'Its author may, and people whose role in triage.people is agent or admin.'
				ELSE 'People whose role in triage.people is agent or admin may.' END;
END
$$;
COMMENT ON FUNCTION triage.lock_comment(bigint, text, boolean) IS
	'locks a comment of the current tenant until the transaction ends and checks that the editor may change it; editor_id: NULL is the actor; by_author: whether its author may, who is a customer; returns the editor; raises P0002 when there is no such comment, 42501 when the editor may not';
REVOKE ALL ON FUNCTION triage.lock_comment(bigint, text, boolean) FROM PUBLIC;

CREATE FUNCTION triage.edit_comment(comment_id bigint, content text, editor_id text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	editor text;
	actor CONSTANT text := coalesce(current_setting('triage.actor', true), '');
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_comment_text(content);
	editor := triage.lock_comment(comment_id, editor_id, true);
	PERFORM set_config('triage.actor', editor, true);		-- for the trigger, which keeps the text that was there
	UPDATE triage.ticket_comments c
		SET content = edit_comment.content
		WHERE c.id = edit_comment.comment_id AND c.tenant_id = triage.current_tenant()
			AND c.content <> edit_comment.content;
	PERFORM set_config('triage.actor', actor, true);
END
$$;
COMMENT ON FUNCTION triage.edit_comment(bigint, text, text) IS
	'changes the text of a comment; the text before is kept in comment_edits, with who and when; editor_id: the person who edits, NULL is the actor; the author may, and people with role agent or admin, and the application when neither editor_id nor the actor is a person; the same text changes nothing; returns nothing; raises P0002 when there is no such comment, 42501 when the editor may not, 23514 when it is blank or above 1048576 bytes';
REVOKE ALL ON FUNCTION triage.edit_comment(bigint, text, text) FROM PUBLIC;

CREATE FUNCTION triage.redact_comment(comment_id bigint, editor_id text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	editor text;
	actor CONSTANT text := coalesce(current_setting('triage.actor', true), '');
BEGIN
	PERFORM triage.check_schema();
	editor := triage.lock_comment(comment_id, editor_id, false);
	PERFORM set_config('triage.actor', editor, true);
	UPDATE triage.ticket_comments c
		SET content = '[removed]'
		WHERE c.id = redact_comment.comment_id AND c.tenant_id = triage.current_tenant() AND c.content <> '[removed]';
	-- the trigger has just kept the text, and may have before
	UPDATE triage.comment_edits e
		SET old_content = ''
		WHERE e.comment_id = redact_comment.comment_id AND e.tenant_id = triage.current_tenant() AND e.old_content <> '';
	DELETE FROM triage.comment_attachments a
		WHERE a.comment_id = redact_comment.comment_id AND a.tenant_id = triage.current_tenant();
	PERFORM triage.forget_quotes(triage.current_tenant(), ARRAY (
		SELECT c.ticket_id FROM triage.ticket_comments c
			WHERE c.id = redact_comment.comment_id AND c.tenant_id = triage.current_tenant()));
	PERFORM set_config('triage.actor', actor, true);
END
$$;
COMMENT ON FUNCTION triage.redact_comment(bigint, text) IS
	'removes the text of a comment for good, what it said before its edits, its attachments, and the quotes that issues have of it; the comment stays and says "[removed]", and comment_edits who did it and when; editor_id: the person who does it, NULL is the actor; people with role agent or admin may, and the application when neither editor_id nor the actor is a person; the files themselves, and what history or a model''s answers otherwise tell of the text, stay; returns nothing; raises P0002 when there is no such comment, 42501 when the editor may not';
REVOKE ALL ON FUNCTION triage.redact_comment(bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.ticket_comments_edited() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.comment_edits (tenant_id, comment_id, old_content, edited_by, session_role)
		VALUES (OLD.tenant_id, OLD.id, OLD.content, triage.current_actor(), session_user);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.ticket_comments_edited() IS
	'trigger, after the text of a comment was changed: keeps the text that was there, who changed it and when';
REVOKE ALL ON FUNCTION triage.ticket_comments_edited() FROM PUBLIC;

CREATE FUNCTION triage.comment_edits_append_only() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- a cascade passes: the comment is gone already
	IF TG_OP = 'DELETE' AND NOT EXISTS (
		SELECT FROM triage.ticket_comments c WHERE c.id = OLD.comment_id AND c.tenant_id = OLD.tenant_id)
	THEN
		RETURN OLD;
	END IF;
	-- and the owner may take the text away, and nothing else: what was redacted or erased must not survive here
	IF TG_OP = 'UPDATE' THEN
		IF NEW.old_content IN ('', '[erased]') AND (to_jsonb(NEW) - 'old_content') = (to_jsonb(OLD) - 'old_content')
			AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
		THEN
			RETURN NEW;
		END IF;
	END IF;
	RAISE EXCEPTION 'table "%" is append-only', TG_TABLE_NAME
		USING ERRCODE = 'insufficient_privilege',
			HINT = 'It says what comments said before they were edited; triage.redact_comment() removes a text for good.';
END
$$;
COMMENT ON FUNCTION triage.comment_edits_append_only() IS
	'trigger of comment_edits: lets the edits of a deleted comment go with it, lets the owner take old_content away, and raises 42501 (insufficient_privilege) for every other UPDATE, DELETE or TRUNCATE';
REVOKE ALL ON FUNCTION triage.comment_edits_append_only() FROM PUBLIC;

-- Attachments ----------------------------------------------------------------------------------------------------------

-- With the owner's rights, for the lock: two deliveries of one mail attach its file once.
CREATE FUNCTION triage.attach_to_comment(
	comment_id bigint,
	file_url text,
	file_name text,
	file_type text DEFAULT NULL,
	byte_size bigint DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_id bigint;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_file('comment_attachments', file_url, file_name, file_type, byte_size);
	PERFORM FROM triage.ticket_comments c
		JOIN triage.tickets t ON t.tenant_id = c.tenant_id AND t.id = c.ticket_id AND t.deleted_at IS NULL
		WHERE c.id = attach_to_comment.comment_id AND c.tenant_id = triage.current_tenant()
		FOR NO KEY UPDATE OF c;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'comment % does not exist', coalesce(comment_id::text, 'NULL')
			USING ERRCODE = 'no_data_found',
				HINT = 'Comments of tickets that were deleted, and those of other tenants, cannot be reached.';
	END IF;
	SELECT a.id INTO new_id
		FROM triage.comment_attachments a
		WHERE a.tenant_id = triage.current_tenant() AND a.comment_id = attach_to_comment.comment_id
			AND a.file_url = attach_to_comment.file_url
		ORDER BY a.id LIMIT 1;
	IF FOUND THEN
		RETURN new_id;
	END IF;
	INSERT INTO triage.comment_attachments (tenant_id, comment_id, file_url, file_name, file_type, byte_size)
		VALUES (triage.current_tenant(), attach_to_comment.comment_id, attach_to_comment.file_url,
			attach_to_comment.file_name, coalesce(attach_to_comment.file_type, 'application/octet-stream'),
			attach_to_comment.byte_size)
		RETURNING id INTO new_id;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.attach_to_comment(bigint, text, text, text, bigint) IS
	'notes a file that belongs to a comment and returns the note''s id; a file_url that is there already is left as it is and its id returned; file_url: a URL or path of 1 to 2000 characters; file_name: as people see it, 1 to 500; file_type: media type, NULL is application/octet-stream; byte_size: in bytes; the file itself is kept elsewhere; raises P0002 when there is no such comment, 22023 for a URL that a browser might execute, 22004 when file_name is missing, 23514 for other values out of range';
REVOKE ALL ON FUNCTION triage.attach_to_comment(bigint, text, text, text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.check_file(relation text, file_url text, file_name text, file_type text, byte_size bigint) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- the tables' constraints say the same; the URL is not repeated, it may hold a signature
	IF file_url IS NULL OR length(file_url) NOT BETWEEN 1 AND 2000 THEN
		RAISE EXCEPTION 'a file''s URL has 1 to 2000 characters'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Store where the file is kept, not its content.';
	ELSIF file_url ~ '[[:cntrl:][:space:]]' THEN
		RAISE EXCEPTION 'a file''s URL must not contain blanks or control characters'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Write a blank as %20.';
	ELSIF file_url !~ '^([a-zA-Z][a-zA-Z0-9+.-]*:|[^:]*$|[^:]*[/?#])'
		OR file_url ~* '^(javascript|data|vbscript|blob|filesystem|about):'
	THEN
		RAISE EXCEPTION 'a file''s URL must not have scheme "%"', left(split_part(file_url, ':', 1), 50)
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Give an http or https URL, that of an object store, or a path.';
	ELSIF file_name IS NULL THEN
		RAISE EXCEPTION 'file_name must not be null'
			USING ERRCODE = 'null_value_not_allowed', HINT = 'It is what people see; without one, the end of the URL will do.';
	ELSIF byte_size < 0 THEN
		RAISE EXCEPTION 'byte_size must not be negative, as % is', byte_size
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = relation, CONSTRAINT = relation || '_byte_size',
				HINT = 'Leave it NULL when it is not known.';
	END IF;
	PERFORM triage.check_length(relation, 'file_name', file_name, 1, 500, 'It is what people see; the end of a path will do.');
	PERFORM triage.check_length(relation, 'file_type', file_type, 1, 200, 'Give a media type such as image/png, or NULL.');
	IF relation = 'comment_attachments' AND concat(file_name, file_type) ~ '[[:cntrl:]]' THEN
		RAISE EXCEPTION 'name and type of a file must not contain control characters'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = relation,
				CONSTRAINT = relation || CASE WHEN file_name ~ '[[:cntrl:]]' THEN '_file_name_printable' ELSE '_file_type_printable' END,
				HINT = 'Line breaks and tabs are such characters, too.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_file(text, text, text, text, bigint) IS
	'checks what is noted of a file before it is stored in a table: that its URL is one that a browser would load and not execute, and name, type and size; returns nothing; raises 22023 when the URL has not 1 to 2000 characters, contains blanks or control characters, or has a scheme such as javascript or data, 22004 without a name, 23514 when name, type or size are out of range';
REVOKE ALL ON FUNCTION triage.check_file(text, text, text, text, bigint) FROM PUBLIC;

-- What a comment does --------------------------------------------------------------------------------------------------

-- What a comment does to its ticket holds for a plain INSERT too, hence triggers.  They run as the owner: who may write
-- comments need not be allowed to write tickets.
CREATE FUNCTION triage.ticket_comments_before() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket record;
BEGIN
	NEW.author_role := coalesce(NEW.author_role, triage.comment_role(NEW.tenant_id, NEW.author_id, NEW.visibility));
	-- a copy comes to any ticket, and import_comments() holds its lock
	IF triage.syncing() THEN
		RETURN NEW;
	END IF;
	-- else the ticket's constraints, or those of a follow-up, would refuse it first, with that row
	PERFORM triage.check_comment_text(NEW.content);
	PERFORM triage.check_external_id(NEW.source, NEW.external_id, 'ticket_comments');
	PERFORM triage.check_created_at(NEW.created_at, 'ticket_comments');
	IF NEW.source IS NULL THEN
		RAISE EXCEPTION 'source must not be NULL'
			USING ERRCODE = 'not_null_violation', SCHEMA = 'triage', TABLE = 'ticket_comments', COLUMN = 'source',
				HINT = 'Name the channel, such as ''email'', or leave it away for ''api''.';
	END IF;
	-- the lock keeps the ticket from being closed while the comment is on its way, and is the one that _after needs
	SELECT t.status INTO ticket
		FROM triage.tickets t
		WHERE t.id = NEW.ticket_id AND t.tenant_id = NEW.tenant_id AND t.deleted_at IS NULL
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'ticket % does not exist', coalesce(NEW.ticket_id::text, 'NULL')
			USING ERRCODE = 'no_data_found',
				HINT = 'Tickets that were deleted, and those of other tenants, cannot be reached.';
	END IF;
	IF ticket.status <> 'closed' OR NEW.visibility <> 'public' THEN
		RETURN NEW;
	END IF;
	IF NEW.author_role <> 'customer' THEN
		RAISE EXCEPTION 'ticket % is closed and takes no public comment', NEW.ticket_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Create a follow-up ticket, or make the comment an internal one.';
	END IF;
	-- What was delivered before is for the unique index to refuse: no ticket is to be made for it.
	IF NOT EXISTS (
		SELECT FROM triage.ticket_comments c
			WHERE c.tenant_id = NEW.tenant_id AND c.source = NEW.source AND c.external_id = NEW.external_id)
	THEN
		NEW.ticket_id := triage.follow_up(NEW.ticket_id, NEW.tenant_id, NEW.content, NEW.source);
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.ticket_comments_before() IS
	'trigger, before a comment is inserted: gives it the role of its author where it has none, locks its ticket, and sends a customer''s public comment on a closed one to a follow-up ticket, which RETURNING ticket_id tells; raises P0002 when there is no such ticket, 55000 for another public comment on a closed one, 23514 when the text is blank or too long, source or external_id is empty or too long, or created_at infinite, 23502 without a source';
REVOKE ALL ON FUNCTION triage.ticket_comments_before() FROM PUBLIC;

-- The tickets that followed a ticket, and those that followed them, oldest first.
CREATE FUNCTION triage.follow_ups(ticket_id bigint, tenant_id text) RETURNS bigint[]
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- UNION, not UNION ALL: links may have been laid in a circle
	WITH RECURSIVE chain (id) AS (
		SELECT follow_ups.ticket_id
		UNION
		SELECT l.ticket_id
			FROM chain c
			JOIN triage.ticket_links l
				ON l.tenant_id = follow_ups.tenant_id AND l.other_id = c.id AND l.kind = 'followup_of')
	SELECT coalesce(array_agg(c.id ORDER BY c.id), '{}') FROM chain c WHERE c.id <> follow_ups.ticket_id
$$;
COMMENT ON FUNCTION triage.follow_ups(bigint, text) IS
	'the ids of the tickets of a tenant that are follow-ups of a ticket, directly or through others, in order; raises nothing';
REVOKE ALL ON FUNCTION triage.follow_ups(bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.follow_up(closed_id bigint, tenant_id text, content text, source text) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old record;
	new_id bigint;
	followers CONSTANT bigint[] := triage.follow_ups(closed_id, tenant_id);
BEGIN
	-- The caller holds the closed ticket's lock: of two customers' comments the second finds the first one's ticket.
	FOR i IN REVERSE cardinality(followers) .. 1 LOOP
		PERFORM FROM triage.tickets t
			WHERE t.id = followers[i] AND t.tenant_id = follow_up.tenant_id AND t.status <> 'closed' AND t.deleted_at IS NULL
			FOR NO KEY UPDATE;
		IF FOUND THEN
			RETURN followers[i];
		END IF;
	END LOOP;

	SELECT t.subject, t.language, t.requester_id, t.requester_email, t.priority, t.priority_is_manual, t.category,
			t.category_is_manual
		INTO old
		FROM triage.tickets t
		WHERE t.id = closed_id AND t.tenant_id = follow_up.tenant_id;
	INSERT INTO triage.tickets (tenant_id, source, requester_id, requester_email, language, subject, description,
			priority, category)
		VALUES (follow_up.tenant_id, follow_up.source, old.requester_id, old.requester_email, old.language, old.subject,
			content, old.priority, old.category)
		RETURNING id INTO new_id;
	-- an insert takes labels for a person's choice; these are, if they were
	UPDATE triage.tickets t
		SET priority_is_manual = old.priority_is_manual, category_is_manual = old.category_is_manual
		WHERE t.id = new_id AND t.tenant_id = follow_up.tenant_id
			AND (t.priority_is_manual <> old.priority_is_manual OR t.category_is_manual <> old.category_is_manual);
	INSERT INTO triage.ticket_links (tenant_id, ticket_id, kind, other_id)
		VALUES (follow_up.tenant_id, new_id, 'followup_of', closed_id);
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.follow_up(bigint, text, text, text) IS
	'part of ticket_comments_before(): locks the newest open follow-up of a closed ticket, or creates one with its requester, subject, language, priority and category and that text; returns its id; raises what an INSERT raises';
REVOKE ALL ON FUNCTION triage.follow_up(bigint, text, text, text) FROM PUBLIC;

CREATE FUNCTION triage.say_in_chat(tenant_id text, ticket_id bigint, comment_id bigint, author_role triage.person_role,
	author_id text, content text, created_at timestamptz)
	RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	-- archived is final: what is said after it stands on the ticket only
	INSERT INTO triage.chat_messages (tenant_id, session_id, role, author_id, content, language, comment_id, created_at)
		SELECT s.tenant_id, s.id,
				CASE author_role WHEN 'customer' THEN 'user' WHEN 'ai' THEN 'assistant' WHEN 'system' THEN 'system'
					ELSE 'agent' END::triage.message_role,
				author_id, triage.message_text(content), s.language, comment_id, created_at
			FROM triage.chat_tickets o
			JOIN triage.chat_sessions s ON s.tenant_id = o.tenant_id AND s.id = o.session_id AND s.status <> 'archived'
			WHERE o.tenant_id = say_in_chat.tenant_id AND o.ticket_id = say_in_chat.ticket_id AND o.relation = 'origin';
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION triage.say_in_chat(text, bigint, bigint, triage.person_role, text, text, timestamptz) IS
	'part of ticket_comments_after(): writes a public comment into the session that its ticket began as; arguments: those of the comment; returns whether there is such a session that is not archived; raises nothing';
REVOKE ALL ON FUNCTION triage.say_in_chat(text, bigint, bigint, triage.person_role, text, text, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.message_text(content text) RETURNS text
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN octet_length(content) > 262144 THEN triage.sync_fit(content, 262144) ELSE content END
$$;
COMMENT ON FUNCTION triage.message_text(text) IS
	'a comment''s text as a chat message has it: of more than 262144 bytes the beginning; raises nothing';
REVOKE ALL ON FUNCTION triage.message_text(text) FROM PUBLIC;

CREATE FUNCTION triage.ticket_comments_changed() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.visibility = 'public' THEN
		UPDATE triage.chat_messages m SET content = triage.message_text(NEW.content)
			WHERE m.tenant_id = NEW.tenant_id AND m.comment_id = NEW.id;
	ELSE
		DELETE FROM triage.chat_messages m WHERE m.tenant_id = NEW.tenant_id AND m.comment_id = NEW.id;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.ticket_comments_changed() IS
	'trigger, after the text or the visibility of a comment was changed: the message that shows it in a conversation follows, or goes when the comment became internal; raises nothing';
REVOKE ALL ON FUNCTION triage.ticket_comments_changed() FROM PUBLIC;

CREATE FUNCTION triage.ticket_comments_after() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.visibility <> 'public' OR triage.syncing() THEN
		RETURN NULL;
	END IF;
	-- What is said on the ticket of a conversation is said in it, and does to both what a message does.
	IF triage.say_in_chat(NEW.tenant_id, NEW.ticket_id, NEW.id, NEW.author_role, NEW.author_id, NEW.content, NEW.created_at) THEN
		RETURN NULL;
	END IF;

	-- each UPDATE asks for a real change: one without would raise the version and turn an agent's edit down
	IF NEW.author_role = 'customer' THEN
		UPDATE triage.tickets t
			SET status = CASE
					WHEN t.status NOT IN ('pending', 'on_hold', 'resolved') THEN t.status
					WHEN t.assignee_id IS NULL THEN 'open'
					ELSE 'in_progress' END,
				waiting_since = coalesce(t.waiting_since, NEW.created_at)
			WHERE t.id = NEW.ticket_id AND t.tenant_id = NEW.tenant_id
				AND (t.waiting_since IS NULL OR t.status IN ('pending', 'on_hold', 'resolved'));
	ELSIF NEW.author_role IN ('agent', 'admin') THEN
		-- a person has answered, so a person holds the conversation
		PERFORM triage.agent_spoke(NEW.tenant_id, NEW.ticket_id, NEW.author_id);
		UPDATE triage.tickets t
			SET waiting_since = NULL,
				first_response_at = coalesce(t.first_response_at, NEW.created_at)
			WHERE t.id = NEW.ticket_id AND t.tenant_id = NEW.tenant_id
				AND (t.waiting_since IS NOT NULL OR t.first_response_at IS NULL);
	ELSIF NEW.author_role = 'ai' THEN
		-- where people answer, what a machine says leaves the customer waiting for them
		UPDATE triage.tickets t
			SET waiting_since = NULL
			WHERE t.id = NEW.ticket_id AND t.tenant_id = NEW.tenant_id
				AND t.waiting_since IS NOT NULL AND t.handler = 'ai';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.ticket_comments_after() IS
	'trigger, after a comment is inserted: a public one on the ticket of a conversation is shown there, and does what a message does; else a customer''s public comment reopens a pending, on_hold or resolved ticket and starts the wait; an agent''s public reply ends the wait, is the first response, and makes people the handler; that of the AI ends the wait where the handler is ai';
REVOKE ALL ON FUNCTION triage.ticket_comments_after() FROM PUBLIC;
