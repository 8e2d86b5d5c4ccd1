-- Tickets: what an application calls.
--
-- All run with the caller's rights (search_tickets aside), and every statement writes the tenant predicate out: the
-- tables' owner, whom row security does not bind, must not reach another tenant by accident.
-- A ticket that is unknown, deleted or another tenant's is answered in one way, so the answer tells nothing apart.

-- Helpers ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.lock_ticket(ticket_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
BEGIN
	-- NO KEY UPDATE: comments and history rows that refer to the ticket need not wait
	SELECT t.version INTO current_version
		FROM triage.tickets t
		WHERE t.id = lock_ticket.ticket_id AND t.tenant_id = triage.current_tenant() AND t.deleted_at IS NULL
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'ticket % does not exist', coalesce(ticket_id::text, 'NULL')
			USING ERRCODE = 'no_data_found',
				HINT = 'Tickets that were deleted, and those of other tenants, cannot be reached.';
	END IF;
	IF expected_version <> current_version THEN
		RAISE EXCEPTION 'ticket % was changed since it was read', ticket_id
			USING ERRCODE = 'serialization_failure',
				DETAIL = format('Expected version %s, current version is %s.', expected_version, current_version),
				HINT = 'Read the ticket again, decide anew, and retry with its current version.';
	END IF;
	RETURN current_version;
END
$$;
COMMENT ON FUNCTION triage.lock_ticket(bigint, int) IS
	'locks a ticket of the current tenant until the transaction ends; expected_version: the version the caller read, NULL accepts any; returns the current version; raises P0002 when there is no such ticket, 40001 when its version is another one';
REVOKE ALL ON FUNCTION triage.lock_ticket(bigint, int) FROM PUBLIC;

-- What the foreign key says, said so that a mistyped triage.tenant is recognised.
CREATE FUNCTION triage.check_tenant() RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM triage.tenants n WHERE n.id = triage.current_tenant()) THEN
		RAISE EXCEPTION 'tenant "%" does not exist', left(triage.current_tenant(), 100)
			USING ERRCODE = 'foreign_key_violation',
				HINT = 'SET triage.tenant to one that does, or make it with triage.create_tenant.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_tenant() IS
	'returns when the current tenant is there; raises 23503 else';
REVOKE ALL ON FUNCTION triage.check_tenant() FROM PUBLIC;

CREATE FUNCTION triage.check_category(category text, current text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	active boolean;
	known text;
BEGIN
	IF category IS NULL OR category = current THEN
		RETURN;
	END IF;
	SELECT c.is_active INTO active
		FROM triage.ticket_categories c
		WHERE c.tenant_id = triage.current_tenant() AND c.category = check_category.category;
	IF active THEN
		RETURN;
	END IF;
	SELECT string_agg(c.category, ', ' ORDER BY c.category) INTO known
		FROM (SELECT c.category FROM triage.ticket_categories c
				WHERE c.tenant_id = triage.current_tenant() AND c.is_active
				ORDER BY c.category LIMIT 50) c;
	IF NOT active THEN
		RAISE EXCEPTION 'category "%" is not in use any more', left(category, 100)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets',
				HINT = coalesce('The categories in use are: ' || known || '.', 'Set is_active in triage.ticket_categories.');
	END IF;
	RAISE EXCEPTION 'category "%" does not exist', left(category, 100)
		USING ERRCODE = 'foreign_key_violation', SCHEMA = 'triage', TABLE = 'tickets', CONSTRAINT = 'tickets_category_fkey',
			HINT = coalesce('The categories are: ' || known || '.', 'Insert it into triage.ticket_categories first.');
END
$$;
COMMENT ON FUNCTION triage.check_category(text, text) IS
	'checks that a category exists in the current tenant and is active; NULL passes, and so does current, the one that the ticket has; returns nothing; raises 23503 when it does not exist, 23514 when it is not active, with those that are as hint';
REVOKE ALL ON FUNCTION triage.check_category(text, text) FROM PUBLIC;

CREATE FUNCTION triage.check_length(relation text, attribute text, value text, least_characters int, most_characters int, hint text)
	RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF length(value) NOT BETWEEN least_characters AND most_characters THEN
		RAISE EXCEPTION '% has % characters, not %', attribute,
				CASE least_characters WHEN 0 THEN 'at most' ELSE least_characters || ' to' END || ' ' || most_characters, length(value)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = relation,
				CONSTRAINT = relation || '_' || attribute || '_length', HINT = check_length.hint;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_length(text, text, text, int, int, text) IS
	'checks a text before it is stored as attribute of a table, whose constraint says the same without a hint and with the row; NULL passes; returns nothing; raises 23514 when it has fewer or more characters';
REVOKE ALL ON FUNCTION triage.check_length(text, text, text, int, int, text) FROM PUBLIC;

CREATE FUNCTION triage.ensure_person(person_id text, role triage.person_role DEFAULT 'customer', email text DEFAULT NULL)
	RETURNS triage.person_role
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known triage.person_role;
BEGIN
	IF person_id IS NULL OR length(person_id) NOT BETWEEN 1 AND 200 THEN
		RAISE EXCEPTION 'a person''s id has 1 to 200 characters'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Use the id that the application itself gives its users.';
	END IF;
	SELECT p.role INTO known
		FROM triage.people p
		WHERE p.tenant_id = triage.current_tenant() AND p.id = person_id;
	IF FOUND THEN
		RETURN known;
	END IF;
	PERFORM triage.check_tenant();
	PERFORM triage.check_length('people', 'email', email, 0, 320, 'Give the address alone, without a name.');
	INSERT INTO triage.people (tenant_id, id, role, email)
		VALUES (triage.current_tenant(), person_id, coalesce(ensure_person.role, 'customer'), ensure_person.email)
		ON CONFLICT ON CONSTRAINT people_pkey DO NOTHING
		RETURNING people.role INTO known;
	IF NOT FOUND THEN					-- somebody else was first
		SELECT p.role INTO known
			FROM triage.people p
			WHERE p.tenant_id = triage.current_tenant() AND p.id = person_id;
	END IF;
	RETURN known;
END
$$;
COMMENT ON FUNCTION triage.ensure_person(text, triage.person_role, text) IS
	'creates a person of the current tenant on first sight, with that role (NULL is customer) and e-mail address; a known person stays as is; returns the role on record; raises 22023 when the id has not 1 to 200 characters, 23514 when the address has more than 320, 23503 when the tenant does not exist';
REVOKE ALL ON FUNCTION triage.ensure_person(text, triage.person_role, text) FROM PUBLIC;

CREATE FUNCTION triage.ensure_agent(agent_id text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF triage.ensure_person(agent_id, 'agent') = 'customer' THEN
		RAISE EXCEPTION 'a customer cannot be assigned a ticket'
			USING ERRCODE = 'check_violation',
				DETAIL = format('Person "%s" has the role customer.', agent_id),
				HINT = 'Set the role in triage.people to agent or admin first.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.ensure_agent(text) IS
	'creates an agent of the current tenant on first sight; returns nothing; raises 23514 when the person is a customer, 22023 when the id has not 1 to 200 characters';
REVOKE ALL ON FUNCTION triage.ensure_agent(text) FROM PUBLIC;

-- Creating -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.create_ticket(
	subject text,
	description text,
	requester_id text DEFAULT NULL,
	requester_email text DEFAULT NULL,
	priority triage.ticket_priority DEFAULT NULL,
	category text DEFAULT NULL,
	tags text[] DEFAULT '{}',
	custom_fields jsonb DEFAULT '{}',
	source text DEFAULT 'api',
	external_id text DEFAULT NULL,
	request_triage boolean DEFAULT true,
	language text DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_id bigint;
	previous text;
BEGIN
	PERFORM triage.check_schema();
	subject := coalesce(subject, '');
	description := coalesce(description, '');
	source := coalesce(source, 'api');
	PERFORM triage.check_external_id(source, external_id, 'tickets');

	-- Second round: the other caller's ticket, which the insert ran into, is now committed and visible.  Third: it was
	-- purged in between.
	FOR i IN 1 .. 3 LOOP
		IF external_id IS NOT NULL THEN
			SELECT t.id INTO new_id
				FROM triage.tickets t
				WHERE t.tenant_id = triage.current_tenant()
					AND t.source = create_ticket.source AND t.external_id = create_ticket.external_id;
			IF FOUND THEN
				RETURN new_id;
			END IF;
		END IF;

		IF i = 1 THEN
			PERFORM triage.check_tenant();
			PERFORM triage.check_category(category);
			PERFORM triage.check_tags(tags);
			PERFORM triage.check_custom_fields(custom_fields);
			IF requester_id IS NOT NULL THEN
				PERFORM triage.ensure_person(requester_id, 'customer', requester_email);
			END IF;
		END IF;

		IF request_triage IS FALSE THEN
			previous := coalesce(current_setting('triage.auto_triage', true), 'on');
			PERFORM set_config('triage.auto_triage', 'off', true);
		END IF;
		INSERT INTO triage.tickets (tenant_id, source, external_id, requester_id, requester_email, language,
				subject, description, custom_fields, tags, priority, priority_is_manual, category, category_is_manual)
			VALUES (triage.current_tenant(), create_ticket.source, create_ticket.external_id, create_ticket.requester_id,
				create_ticket.requester_email, create_ticket.language, create_ticket.subject, create_ticket.description,
				coalesce(create_ticket.custom_fields, '{}'), coalesce(create_ticket.tags, '{}'),
				coalesce(create_ticket.priority, 'medium'), create_ticket.priority IS NOT NULL,
				create_ticket.category, create_ticket.category IS NOT NULL)
			ON CONFLICT ON CONSTRAINT tickets_external_id_key DO NOTHING
			RETURNING id INTO new_id;
		IF request_triage IS FALSE THEN
			PERFORM set_config('triage.auto_triage', previous, true);
		END IF;
		IF new_id IS NOT NULL THEN
			RETURN new_id;
		END IF;
	END LOOP;
	RAISE EXCEPTION 'could not create ticket % of source %', quote_literal(external_id), quote_literal(source)
		USING ERRCODE = 'serialization_failure',
			HINT = 'Tickets with this external id come and go at the moment; retry.';
END
$$;
COMMENT ON FUNCTION triage.create_ticket(text, text, text, text, triage.ticket_priority, text, text[], jsonb, text, text, boolean, text) IS
	'creates a ticket in the current tenant and returns its id; a ticket with this source and external_id, even a deleted one, is left as it is and its id returned; requester_id: the application''s own id of the person, created on first sight; priority or category given count as set by a person and the model leaves them alone; request_triage false: no AI job; language: of the text, such as ''de''; raises 23514 when the texts are blank or too long, requester_email (320 characters) or language (35) too long, source or external_id empty or too long, tags or custom fields beyond their limits (100 tags of 100 characters, 65536 bytes) or the category not active, 22023 when tags is an array of arrays, 23503 for an unknown category or tenant';
REVOKE ALL ON FUNCTION triage.create_ticket(text, text, text, text, triage.ticket_priority, text, text[], jsonb, text, text, boolean, text) FROM PUBLIC;

-- Changing -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_ticket_changes(changes jsonb) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keys CONSTANT text := 'subject, description, language, priority, category, status, resolution, tags, '
		'custom_fields, requester_id, requester_email, assignee_id';
	entry record;
BEGIN
	IF jsonb_typeof(changes) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'changes must be a JSON object'
			USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys it may have: %s.', keys);
	END IF;
	FOR entry IN
		SELECT c.key, c.value, a.json_type, a.nullable, a.labels
			FROM jsonb_each(changes) c
			LEFT JOIN (VALUES
				('subject', 'string', false, NULL::text[]),
				('description', 'string', false, NULL),
				('language', 'string', true, NULL),
				('priority', 'string', false, enum_range(NULL::triage.ticket_priority)::text[]),
				('category', 'string', true, NULL),
				('status', 'string', false, enum_range(NULL::triage.ticket_status)::text[]),
				('resolution', 'string', true, enum_range(NULL::triage.ticket_resolution)::text[]),
				('tags', 'array', false, NULL),
				('custom_fields', 'object', false, NULL),
				('requester_id', 'string', true, NULL),
				('requester_email', 'string', true, NULL),
				('assignee_id', 'string', true, NULL)) a (key, json_type, nullable, labels) ON a.key = c.key
			ORDER BY c.key
	LOOP
		IF entry.json_type IS NULL THEN
			RAISE EXCEPTION 'a ticket has no key "%" that can be changed', left(entry.key, 100)
				USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys are: %s.', keys);
		ELSIF jsonb_typeof(entry.value) = 'null' AND entry.nullable THEN
			CONTINUE;
		ELSIF jsonb_typeof(entry.value) <> entry.json_type THEN
			RAISE EXCEPTION 'key "%" must be a JSON %, not %', entry.key, entry.json_type, jsonb_typeof(entry.value)
				USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys are: %s.', keys);
		ELSIF entry.labels IS NOT NULL AND NOT (entry.value #>> '{}') = ANY (entry.labels) THEN
			RAISE EXCEPTION '"%" is not a value of key "%"', left(entry.value #>> '{}', 100), entry.key
				USING ERRCODE = 'invalid_parameter_value',
					HINT = format('The values are: %s.', array_to_string(entry.labels, ', '));
		ELSIF entry.json_type = 'array' AND EXISTS (
			SELECT FROM jsonb_array_elements(entry.value) e WHERE jsonb_typeof(e) <> 'string')
		THEN
			RAISE EXCEPTION 'key "%" must be a JSON array of strings', entry.key
				USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys are: %s.', keys);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.check_ticket_changes(jsonb) IS
	'checks the keys, JSON types and labels of update_ticket''s changes; returns nothing; raises 22023 naming the key, with what is allowed as hint';
REVOKE ALL ON FUNCTION triage.check_ticket_changes(jsonb) FROM PUBLIC;

CREATE FUNCTION triage.update_ticket(ticket_id bigint, changes jsonb, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old record;
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_ticket_changes(changes);
	new_version := triage.lock_ticket(ticket_id, expected_version);
	IF changes = '{}' THEN
		RETURN new_version;
	END IF;

	SELECT t.status, t.category INTO old
		FROM triage.tickets t
		WHERE t.id = update_ticket.ticket_id AND t.tenant_id = triage.current_tenant();
	IF changes ->> 'resolution' IS NOT NULL
		AND coalesce((changes ->> 'status')::triage.ticket_status, old.status) NOT IN ('resolved', 'closed')
	THEN
		RAISE EXCEPTION 'ticket % is not finished and cannot have a resolution', ticket_id
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets',
				CONSTRAINT = 'tickets_resolution_when_finished',
				HINT = 'Set status to resolved or closed in the same call.';
	END IF;
	PERFORM triage.check_category(changes ->> 'category', old.category);
	IF changes ? 'tags' THEN
		PERFORM triage.check_tags(ARRAY (SELECT jsonb_array_elements_text(changes -> 'tags')));
	END IF;
	PERFORM triage.check_custom_fields(changes -> 'custom_fields');
	IF changes ->> 'requester_id' IS NOT NULL THEN
		PERFORM triage.ensure_person(changes ->> 'requester_id', 'customer', changes ->> 'requester_email');
	END IF;
	IF changes ->> 'assignee_id' IS NOT NULL THEN
		PERFORM triage.ensure_agent(changes ->> 'assignee_id');
	END IF;

	-- A key that is absent leaves its column as it is: ->> gives NULL both for that and for a JSON null, so the columns
	-- that may become NULL ask with ?.
	UPDATE triage.tickets t
		SET subject = coalesce(changes ->> 'subject', t.subject),
			description = coalesce(changes ->> 'description', t.description),
			language = CASE WHEN changes ? 'language' THEN changes ->> 'language' ELSE t.language END,
			priority = coalesce((changes ->> 'priority')::triage.ticket_priority, t.priority),
			-- said again, it is still said by a person
			priority_is_manual = t.priority_is_manual OR (changes ? 'priority' AND triage.current_actor() <> 'triage'),
			category = CASE WHEN changes ? 'category' THEN changes ->> 'category' ELSE t.category END,
			category_is_manual = t.category_is_manual OR (changes ? 'category' AND triage.current_actor() <> 'triage'),
			status = coalesce((changes ->> 'status')::triage.ticket_status, t.status),
			resolution = CASE WHEN changes ? 'resolution' THEN (changes ->> 'resolution')::triage.ticket_resolution
				ELSE t.resolution END,
			tags = CASE WHEN changes ? 'tags' THEN ARRAY (SELECT jsonb_array_elements_text(changes -> 'tags'))
				ELSE t.tags END,
			custom_fields = coalesce(changes -> 'custom_fields', t.custom_fields),
			requester_id = CASE WHEN changes ? 'requester_id' THEN changes ->> 'requester_id' ELSE t.requester_id END,
			requester_email = CASE WHEN changes ? 'requester_email' THEN changes ->> 'requester_email'
				ELSE t.requester_email END,
			assignee_id = CASE WHEN changes ? 'assignee_id' THEN changes ->> 'assignee_id' ELSE t.assignee_id END
		WHERE t.id = update_ticket.ticket_id AND t.tenant_id = triage.current_tenant()
		RETURNING t.version INTO new_version;
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.update_ticket(bigint, jsonb, int) IS
	'changes a ticket; changes: a JSON object of subject, description, language, priority, category, status, resolution, tags (array of strings, replaces), custom_fields (object, replaces), requester_id, requester_email, assignee_id; null clears what may be empty; expected_version: the version the caller read, NULL accepts any; returns the new version; raises 22023 for an unknown key, JSON type or label, P0002 when there is no such ticket, 40001 when its version is another one, 23514 for an illegal transition or text, for tags or custom fields beyond their limits, and for another category that is not active, 23503 for an unknown one';
REVOKE ALL ON FUNCTION triage.update_ticket(bigint, jsonb, int) FROM PUBLIC;

CREATE FUNCTION triage.assign_ticket(ticket_id bigint, agent_id text, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	new_version := triage.lock_ticket(ticket_id, expected_version);
	PERFORM triage.ensure_agent(agent_id);
	UPDATE triage.tickets t
		SET assignee_id = agent_id
		WHERE t.id = assign_ticket.ticket_id AND t.tenant_id = triage.current_tenant()
			AND t.assignee_id IS DISTINCT FROM agent_id
		RETURNING t.version INTO new_version;
	IF NOT FOUND THEN
		SELECT t.version INTO new_version
			FROM triage.tickets t
			WHERE t.id = assign_ticket.ticket_id AND t.tenant_id = triage.current_tenant();
	END IF;
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.assign_ticket(bigint, text, int) IS
	'assigns a ticket to an agent, who is created on first sight; an open ticket goes in_progress; nothing changes when the agent has it already; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 23514 when the person is a customer';
REVOKE ALL ON FUNCTION triage.assign_ticket(bigint, text, int) FROM PUBLIC;

CREATE FUNCTION triage.unassign_ticket(ticket_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	current_version := triage.lock_ticket(ticket_id, expected_version);
	UPDATE triage.tickets t
		SET assignee_id = NULL,
			-- in_progress means that somebody has taken it
			status = CASE t.status WHEN 'in_progress' THEN 'open' ELSE t.status END
		WHERE t.id = unassign_ticket.ticket_id AND t.tenant_id = triage.current_tenant() AND t.assignee_id IS NOT NULL
		RETURNING t.version INTO new_version;
	RETURN coalesce(new_version, current_version);
END
$$;
COMMENT ON FUNCTION triage.unassign_ticket(bigint, int) IS
	'takes a ticket from its agent; one in_progress goes back to open; nothing changes when nobody has it; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one';
REVOKE ALL ON FUNCTION triage.unassign_ticket(bigint, int) FROM PUBLIC;

CREATE FUNCTION triage.resolve_ticket(
	ticket_id bigint,
	resolution triage.ticket_resolution DEFAULT 'resolved',
	expected_version int DEFAULT NULL)
	RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	current_version := triage.lock_ticket(ticket_id, expected_version);
	resolution := coalesce(resolution, 'resolved');
	UPDATE triage.tickets t
		SET status = 'resolved', resolution = resolve_ticket.resolution
		WHERE t.id = resolve_ticket.ticket_id AND t.tenant_id = triage.current_tenant()
			AND (t.status <> 'resolved' OR t.resolution <> resolve_ticket.resolution)
		RETURNING t.version INTO new_version;
	RETURN coalesce(new_version, current_version);
END
$$;
COMMENT ON FUNCTION triage.resolve_ticket(bigint, triage.ticket_resolution, int) IS
	'resolves a ticket and drops its AI job; resolution: how it ended; nothing changes when it is resolved so already; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 23514 when it is closed, and for closed_by_client of a ticket that began as a chat session (see end_session)';
REVOKE ALL ON FUNCTION triage.resolve_ticket(bigint, triage.ticket_resolution, int) FROM PUBLIC;

CREATE FUNCTION triage.close_ticket(
	ticket_id bigint,
	resolution triage.ticket_resolution DEFAULT NULL,
	expected_version int DEFAULT NULL)
	RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	current_version := triage.lock_ticket(ticket_id, expected_version);
	UPDATE triage.tickets t
		SET status = 'closed', resolution = coalesce(close_ticket.resolution, t.resolution, 'resolved')
		WHERE t.id = close_ticket.ticket_id AND t.tenant_id = triage.current_tenant() AND t.status <> 'closed'
		RETURNING t.version INTO new_version;
	RETURN coalesce(new_version, current_version);
END
$$;
COMMENT ON FUNCTION triage.close_ticket(bigint, triage.ticket_resolution, int) IS
	'closes a ticket for good and drops its AI job; resolution: how it ended, NULL keeps that of a resolved ticket and is ''resolved'' for others; nothing changes when it is closed already; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 23514 for closed_by_client of a ticket that began as a chat session (see end_session)';
REVOKE ALL ON FUNCTION triage.close_ticket(bigint, triage.ticket_resolution, int) FROM PUBLIC;

CREATE FUNCTION triage.reopen_ticket(ticket_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	current_version := triage.lock_ticket(ticket_id, expected_version);
	IF EXISTS (
		SELECT FROM triage.tickets t
			WHERE t.id = reopen_ticket.ticket_id AND t.tenant_id = triage.current_tenant() AND t.status = 'closed')
	THEN
		RAISE EXCEPTION 'ticket % is closed and cannot be reopened', ticket_id
			USING ERRCODE = 'check_violation', HINT = 'Closed is final: create a follow-up ticket.';
	END IF;
	UPDATE triage.tickets t
		SET status = CASE WHEN t.assignee_id IS NULL THEN 'open' ELSE 'in_progress' END::triage.ticket_status,
			-- else it would come last in the inbox
			waiting_since = now()
		WHERE t.id = reopen_ticket.ticket_id AND t.tenant_id = triage.current_tenant() AND t.status = 'resolved'
		RETURNING t.version INTO new_version;
	RETURN coalesce(new_version, current_version);
END
$$;
COMMENT ON FUNCTION triage.reopen_ticket(bigint, int) IS
	'reopens a resolved ticket: in_progress when it has an agent, else open; the customer''s wait starts anew; nothing changes when it is not finished; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 23514 when it is closed';
REVOKE ALL ON FUNCTION triage.reopen_ticket(bigint, int) FROM PUBLIC;

CREATE FUNCTION triage.delete_ticket(ticket_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_ticket(ticket_id, expected_version);
	UPDATE triage.tickets t
		SET deleted_at = now()
		WHERE t.id = delete_ticket.ticket_id AND t.tenant_id = triage.current_tenant()
		RETURNING t.version INTO new_version;
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.delete_ticket(bigint, int) IS
	'hides a ticket and drops its AI job; the row stays, with deleted_at set; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket (deleted before, too), 40001 when its version is another one';
REVOKE ALL ON FUNCTION triage.delete_ticket(bigint, int) FROM PUBLIC;

-- Finding ------------------------------------------------------------------------------------------------------------

-- With the owner's rights: text search operators are not leakproof, so that under row security no index would serve
-- them (199 ms against 0.18 ms).  Hence no dynamic SQL here, and the tenant predicate stands in the query.
--
-- Ranking reads each match, and a common word has as many as there are tickets: so the newest matches are ranked, not all.
-- The planner then finds those of a rare word in tickets_search and those of a common one along tickets_created; it must
-- see the words for that, hence a plan for each call.
CREATE FUNCTION triage.search_tickets(query text, max_rows int DEFAULT 50, language text DEFAULT NULL)
	RETURNS TABLE (
		id bigint,
		public_id uuid,
		subject text,
		status triage.ticket_status,
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
	ranked CONSTANT int := 1000;
	wanted tsquery;
	verbatim tsquery;
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
	-- The words as they stand find names and tickets in other languages.  But "-paper" as it stands would let the
	-- stem's match through, so a query with a negation is asked in its language only.
	IF position('!' IN wanted::text) = 0 THEN
		verbatim := websearch_to_tsquery('simple', query);
		-- said twice, the same words would be thought to match twice as many tickets
		IF verbatim <> wanted THEN
			wanted := wanted || verbatim;
		END IF;
	END IF;
	RETURN QUERY
		SELECT n.id, n.public_id, n.subject, n.status, n.created_at, ts_rank(n.search, wanted) AS rank
			FROM (SELECT t.*
					FROM triage.tickets t
					WHERE t.tenant_id = tenant AND t.deleted_at IS NULL AND t.search @@ wanted
					ORDER BY t.created_at DESC, t.id DESC
					LIMIT ranked) AS n
			ORDER BY 6 DESC, n.id DESC
			LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION triage.search_tickets(text, int, text) IS
	'finds tickets of the current tenant by the words of subject and description, best match first; of more than 1000 matches the newest 1000 are ranked; query: words, "a phrase", or, -not, 1000 characters at most; max_rows: 0 to 1000; language: of the query, such as ''de'', NULL is English; deleted tickets are not found; raises 22023 when max_rows is out of range or query too long';
REVOKE ALL ON FUNCTION triage.search_tickets(text, int, text) FROM PUBLIC;

CREATE FUNCTION triage.list_tickets(
	statuses triage.ticket_status[] DEFAULT NULL,
	priorities triage.ticket_priority[] DEFAULT NULL,
	categories text[] DEFAULT NULL,
	assignee text DEFAULT NULL,
	requester text DEFAULT NULL,
	unassigned boolean DEFAULT false,
	include_finished boolean DEFAULT true,
	after_created_at timestamptz DEFAULT NULL,
	after_id bigint DEFAULT NULL,
	max_rows int DEFAULT 50,
	tags text[] DEFAULT NULL,
	max_examined int DEFAULT NULL)
	RETURNS TABLE (
		id bigint,
		public_id uuid,
		subject text,
		status triage.ticket_status,
		priority triage.ticket_priority,
		category text,
		assignee_id text,
		requester_id text,
		ai_state text,
		created_at timestamptz,
		updated_at timestamptz,
		version int)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	-- Along the index that has the order of the list, until the page is full.  For a few thousand tickets the planner would
	-- rather read and sort them all, as it takes the labels of the filters for rarer than they are.
	SET enable_seqscan = off
	SET enable_sort = off
	-- a sort that must be all the same, as that of the few tickets with rare tags, counts as dear enough to be compiled
	SET jit = off
AS $$
DECLARE
	filters text := '';
	source text := 'triage.tickets';
	tagged bigint[];
	edge_at timestamptz;
	edge_id bigint;
	found_rows bigint;
BEGIN
	PERFORM triage.check_schema();
	IF max_rows IS NULL OR max_rows NOT BETWEEN 0 AND 1000 THEN
		RAISE EXCEPTION 'max_rows must be between 0 and 1000, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'For the next page, pass id of the last row as after_id.';
	ELSIF after_id < 0 THEN
		RAISE EXCEPTION 'after_id is negative: %', after_id
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass id of the last row of the page before.';
	ELSIF after_created_at IS NOT NULL AND after_id IS NULL THEN
		RAISE EXCEPTION 'after_created_at comes without after_id'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass id of the last row of the page before, too.';
	ELSIF max_examined < 1 THEN
		RAISE EXCEPTION 'max_examined must be positive, not %', max_examined
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL sets no limit.';
	END IF;

	-- Dynamic, but of constant pieces: the values are parameters.  A filter that is not asked for must not be in the
	-- query ("x IS NULL OR ..." is no index condition), and the plan must be made for this call's values.
	IF after_id IS NOT NULL THEN
		-- exact, for many a client's times have no microseconds; what was purged meanwhile goes by what the caller has of it
		SELECT t.created_at INTO edge_at FROM triage.tickets t WHERE t.tenant_id = triage.current_tenant() AND t.id = after_id;
		IF after_created_at IS NULL OR date_trunc('milliseconds', after_created_at) = date_trunc('milliseconds', edge_at) THEN
			after_created_at := edge_at;
		END IF;
		IF after_created_at IS NULL THEN
			RAISE EXCEPTION 'after_id names no ticket: %', after_id
				USING ERRCODE = 'invalid_parameter_value',
					HINT = 'Where tickets are purged, pass created_at of the last row as after_created_at, too.';
		END IF;
		filters := filters || ' AND (t.created_at, t.id) < ($1, $2)';
		edge_at := NULL;
	END IF;
	IF assignee IS NOT NULL THEN
		filters := filters || ' AND t.assignee_id = $6';
	END IF;
	IF requester IS NOT NULL THEN
		filters := filters || ' AND t.requester_id = $7';
	END IF;
	-- the words of the predicate of tickets_open and tickets_mine: open tickets are few beside the finished ones
	IF NOT include_finished OR NOT statuses && '{resolved,closed}' THEN
		filters := filters || ' AND t.deleted_at IS NULL AND t.status NOT IN (''resolved'', ''closed'')';
	END IF;
	-- So far it is all in an index.  What follows is looked for ticket by ticket, down to the one where it is enough.
	IF max_examined IS NOT NULL THEN
		EXECUTE 'SELECT t.created_at, t.id FROM triage.tickets t WHERE t.tenant_id = $9' || filters ||
			' ORDER BY t.created_at DESC, t.id DESC LIMIT 1 OFFSET $10'
			INTO edge_at, edge_id
			USING after_created_at, after_id, NULL, NULL, NULL, assignee, requester, NULL, triage.current_tenant(), max_examined - 1;
		IF edge_id IS NOT NULL THEN
			filters := filters || ' AND (t.created_at, t.id) >= ($12, $13)';
		END IF;
	END IF;
	IF statuses IS NOT NULL THEN
		filters := filters || ' AND t.status = ANY ($3)';
	END IF;
	IF priorities IS NOT NULL THEN
		filters := filters || ' AND t.priority = ANY ($4)';
	END IF;
	IF categories IS NOT NULL THEN
		filters := filters || ' AND t.category = ANY ($5)';
	END IF;
	IF unassigned THEN
		filters := filters || ' AND t.assignee_id IS NULL';
	END IF;
	-- Of rare tags an index knows the few tickets, which are then looked up (OFFSET 0: before all else); tickets with
	-- common ones are met soon on the way through the list.
	IF cardinality(tags) > 0 THEN
		tagged := triage.tickets_tagged(tags, 2000);
		filters := filters || ' AND t.tags @> $10';
	END IF;
	IF tagged IS NOT NULL THEN
		source := '(SELECT * FROM triage.tickets g WHERE g.tenant_id = $9 AND g.id = ANY ($11) OFFSET 0)';
	END IF;

	RETURN QUERY EXECUTE
		'SELECT p.id, p.public_id, p.subject, p.status, p.priority, p.category, p.assignee_id, p.requester_id,
				a.ai_state, p.created_at, p.updated_at, p.version
			FROM (SELECT * FROM ' || source || ' t
					WHERE t.tenant_id = $9 AND t.deleted_at IS NULL' || filters || '
					ORDER BY t.created_at DESC, t.id DESC
					LIMIT $8) p
			JOIN triage.ai_state a ON a.tenant_id = p.tenant_id AND a.ticket_id = p.id
			ORDER BY p.created_at DESC, p.id DESC'
		USING after_created_at, after_id, statuses, priorities, categories, assignee, requester, max_rows,
			triage.current_tenant(), tags, tagged, edge_at, edge_id;
	GET DIAGNOSTICS found_rows = ROW_COUNT;
	IF edge_id IS NOT NULL AND found_rows < max_rows THEN
		id := edge_id;
		created_at := edge_at;
		RETURN NEXT;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.list_tickets(triage.ticket_status[], triage.ticket_priority[], text[], text, text, boolean, boolean, timestamptz, bigint, int, text[], int) IS
	'lists tickets of the current tenant, newest first; statuses, priorities, categories: any of these, NULL all; assignee, requester: a person''s id; unassigned: only those nobody has; include_finished false: none that are resolved or closed; after_id: id of the last row of the page before, deleted or not; after_created_at: its created_at, where it may have been purged meanwhile; max_rows: 0 to 1000; tags: only those that have all of these; max_examined: look at so many tickets at most, NULL as many as it takes; where that ends a page before it is full, one more row comes last, which has id and created_at only, to go on after; deleted tickets are not listed; raises 22023 when max_rows is out of range, max_examined not positive, after_created_at comes without after_id, or after_id alone names no ticket';
REVOKE ALL ON FUNCTION triage.list_tickets(triage.ticket_status[], triage.ticket_priority[], text[], text, text, boolean, boolean, timestamptz, bigint, int, text[], int) FROM PUBLIC;

-- Waiting ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.wait_for_triage(ticket_id bigint, timeout interval DEFAULT '60 seconds') RETURNS text
	LANGUAGE plpgsql VOLATILE			-- volatile: each look takes a snapshot of its own
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	deadline timestamptz;
	pause float8 := 0.005;
	remaining float8;
	seen record;
BEGIN
	PERFORM triage.check_schema();
	IF timeout IS NULL THEN
		RAISE EXCEPTION 'timeout must not be NULL'
			USING ERRCODE = 'null_value_not_allowed', HINT = 'Leave it away to wait up to a minute; zero looks once and does not wait.';
	ELSIF timeout < '0' THEN
		RAISE EXCEPTION 'timeout must not be negative'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Zero looks once and does not wait.';
	END IF;
	IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
		RAISE EXCEPTION 'wait_for_triage cannot see another transaction''s answer at isolation level %',
				current_setting('transaction_isolation')
			USING ERRCODE = 'active_sql_transaction', HINT = 'Call it at READ COMMITTED.';
	END IF;
	deadline := clock_timestamp() + least(timeout, '1000 years');		-- a date that there is
	LOOP
		SELECT a.ai_state, triage.written_here(t.xmin) OR coalesce(triage.written_here(j.xmin), false) AS uncommitted
			INTO seen
			FROM triage.tickets t
			JOIN triage.ai_state a ON a.tenant_id = t.tenant_id AND a.ticket_id = t.id
			LEFT JOIN triage.ai_jobs j ON j.tenant_id = t.tenant_id AND j.ticket_id = t.id AND j.kind = 'triage'
			WHERE t.id = wait_for_triage.ticket_id AND t.tenant_id = triage.current_tenant() AND t.deleted_at IS NULL;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'ticket % does not exist', coalesce(ticket_id::text, 'NULL')
				USING ERRCODE = 'no_data_found',
					HINT = 'Tickets that were deleted, and those of other tenants, cannot be reached.';
		ELSIF seen.uncommitted THEN
			RAISE EXCEPTION 'ticket % was written by this transaction, which the worker cannot see yet', ticket_id
				USING ERRCODE = 'active_sql_transaction', HINT = 'Commit first, then wait.';
		END IF;
		remaining := extract(epoch FROM deadline - clock_timestamp());
		IF seen.ai_state NOT IN ('pending', 'processing') OR remaining <= 0 THEN
			RETURN seen.ai_state;
		END IF;
		PERFORM pg_sleep(least(pause, remaining));
		pause := least(pause * 1.5, 0.1);
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.wait_for_triage(bigint, interval) IS
	'waits until the AI is done with a ticket; timeout: zero looks once; returns the AI state: processed, ai_failed, none (nothing was asked), or pending or processing when the time ran out; raises P0002 when there is no such ticket, 25001 when this transaction wrote it or its isolation level is above READ COMMITTED, 22023 for a negative timeout, 22004 for NULL';
REVOKE ALL ON FUNCTION triage.wait_for_triage(bigint, interval) FROM PUBLIC;
