-- Comments: what an application calls, and what a comment does to its ticket.

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
	IF content IS NULL OR content !~ '\S' THEN
		RAISE EXCEPTION 'a comment must not be blank'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ticket_comments',
				CONSTRAINT = 'ticket_comments_content_not_empty', HINT = 'Give it a character that is not white space.';
	ELSIF octet_length(content) > 1048576 THEN
		RAISE EXCEPTION 'comment is too long: % bytes', octet_length(content)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ticket_comments',
				CONSTRAINT = 'ticket_comments_content_length',
				HINT = 'A comment holds at most 1048576 bytes; split it.';
	END IF;

	FOR i IN 1 .. 3 LOOP				-- as in create_ticket
		IF external_id IS NOT NULL THEN
			SELECT c.id, c.ticket_id INTO known
				FROM triage.ticket_comments c
				WHERE c.tenant_id = triage.current_tenant()
					AND c.source = add_comment.source AND c.external_id = add_comment.external_id;
			IF FOUND AND known.ticket_id = add_comment.ticket_id THEN
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
			IF author_id IS NOT NULL THEN
				author_role := coalesce(author_role, triage.ensure_person(author_id));
				PERFORM triage.ensure_person(author_id, author_role);
			END IF;
		END IF;

		INSERT INTO triage.ticket_comments (tenant_id, ticket_id, author_id, author_role, visibility, content, source,
				external_id)
			VALUES (triage.current_tenant(), add_comment.ticket_id, add_comment.author_id,
				coalesce(add_comment.author_role, 'customer'), coalesce(add_comment.visibility, 'public'),
				add_comment.content, add_comment.source, add_comment.external_id)
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
	'adds a comment to a ticket and returns its id; a comment with this source and external_id is left as it is and its id returned; author_id: the application''s own id of the person, created on first sight; author_role: NULL takes that of a known author, else customer; visibility internal: a note the customer does not see; raises P0002 when there is no such ticket, 55000 for a public comment on a closed ticket, 23514 when it is blank or above 1048576 bytes, 23505 when the external id is that of a comment on another ticket';
REVOKE ALL ON FUNCTION triage.add_comment(bigint, text, text, triage.person_role, triage.comment_visibility, text, text) FROM PUBLIC;

-- What a comment does to its ticket holds for a plain INSERT too, hence triggers.  They run as the owner: who may write
-- comments need not be allowed to write tickets.
CREATE FUNCTION triage.ticket_comments_before() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket record;
BEGIN
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
	IF ticket.status = 'closed' AND NEW.visibility = 'public' THEN
		RAISE EXCEPTION 'ticket % is closed and takes no public comment', NEW.ticket_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Create a follow-up ticket, or make the comment an internal one.';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.ticket_comments_before() IS
	'trigger, before a comment is inserted: locks its ticket; raises P0002 when there is no such ticket, 55000 for a public comment on a closed one';
REVOKE ALL ON FUNCTION triage.ticket_comments_before() FROM PUBLIC;

CREATE FUNCTION triage.ticket_comments_after() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.visibility <> 'public' THEN
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
		UPDATE triage.tickets t
			SET waiting_since = NULL,
				first_response_at = coalesce(t.first_response_at, NEW.created_at),
				handler = 'human'
			WHERE t.id = NEW.ticket_id AND t.tenant_id = NEW.tenant_id
				AND (t.waiting_since IS NOT NULL OR t.first_response_at IS NULL OR t.handler <> 'human');
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
	'trigger, after a comment is inserted: a customer''s public comment reopens a pending, on_hold or resolved ticket and starts the wait; an agent''s public reply ends the wait, is the first response, and makes people the handler; that of the AI ends the wait where the handler is ai';
REVOKE ALL ON FUNCTION triage.ticket_comments_after() FROM PUBLIC;
