-- Tags, custom fields, and links between tickets.

-- Tags -----------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_tags(tags text[]) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tag text;
BEGIN
	IF array_ndims(tags) > 1 THEN
		RAISE EXCEPTION 'tags must be a one-dimensional array'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Write them like {vip,refund}, without further braces.';
	ELSIF array_position(tags, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'a tag must not be NULL'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets', CONSTRAINT = 'tickets_tags_no_null',
				HINT = 'array_remove(tags, NULL) takes the NULLs out.';
	ELSIF cardinality(tags) > 100 THEN
		RAISE EXCEPTION 'too many tags: %', cardinality(tags)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets', CONSTRAINT = 'tickets_tags_limits',
				HINT = 'A ticket has at most 100 tags.';
	END IF;
	FOREACH tag IN ARRAY coalesce(tags, '{}') LOOP
		IF tag !~ '[^[:space:]]' OR length(tag) > 100 THEN
			RAISE EXCEPTION 'a tag has 1 to 100 characters, not all of them blank'
				USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets', CONSTRAINT = 'tickets_tags_limits',
					DETAIL = format('The tag is "%s".', left(tag, 120)),
					HINT = 'Tags are short labels; longer values belong into custom_fields.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.check_tags(text[]) IS
	'checks tags before they are stored; NULL passes; returns nothing; raises 22023 for an array of arrays, 23514 when one is NULL, blank or above 100 characters, or there are more than 100';
REVOKE ALL ON FUNCTION triage.check_tags(text[]) FROM PUBLIC;

CREATE FUNCTION triage.add_tags(ticket_id bigint, tags text[], expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
	new_version int;
	wanted text[];
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_tags(tags);
	current_version := triage.lock_ticket(ticket_id, expected_version);
	-- what is there keeps its place, what is new comes behind it in the order given
	SELECT t.tags || ARRAY (
			SELECT n.tag FROM unnest(add_tags.tags) WITH ORDINALITY n (tag, place)
				WHERE n.tag <> ALL (t.tags)
				GROUP BY n.tag ORDER BY min(n.place))
		INTO wanted
		FROM triage.tickets t
		WHERE t.id = add_tags.ticket_id AND t.tenant_id = triage.current_tenant();
	PERFORM triage.check_tags(wanted);
	UPDATE triage.tickets t
		SET tags = wanted
		WHERE t.id = add_tags.ticket_id AND t.tenant_id = triage.current_tenant() AND t.tags <> wanted
		RETURNING t.version INTO new_version;
	RETURN coalesce(new_version, current_version);
END
$$;
COMMENT ON FUNCTION triage.add_tags(bigint, text[], int) IS
	'adds tags to a ticket; those it has already are left as they are, and nothing changes when it has them all; upper and lower case are told apart; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 22023 for an array of arrays, 23514 when a tag is NULL, blank or above 100 characters, or the ticket would have more than 100';
REVOKE ALL ON FUNCTION triage.add_tags(bigint, text[], int) FROM PUBLIC;

CREATE FUNCTION triage.remove_tags(ticket_id bigint, tags text[], expected_version int DEFAULT NULL) RETURNS int
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
		SET tags = ARRAY (
			SELECT o.tag FROM unnest(t.tags) WITH ORDINALITY o (tag, place)
				WHERE (o.tag = ANY (remove_tags.tags)) IS NOT TRUE
				ORDER BY o.place)
		WHERE t.id = remove_tags.ticket_id AND t.tenant_id = triage.current_tenant() AND t.tags && remove_tags.tags
		RETURNING t.version INTO new_version;
	RETURN coalesce(new_version, current_version);
END
$$;
COMMENT ON FUNCTION triage.remove_tags(bigint, text[], int) IS
	'takes tags from a ticket; nothing changes when it has none of them; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one';
REVOKE ALL ON FUNCTION triage.remove_tags(bigint, text[], int) FROM PUBLIC;

-- With the owner's rights, as search_tickets: @> is not leakproof, so that under row security no index would serve it.
CREATE FUNCTION triage.tickets_tagged(tags text[], max_rows int) RETURNS bigint[]
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET enable_indexscan = off				-- a LIMIT makes the planner hope for an early hit on another index
	SET jit = off
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	ids bigint[];
BEGIN
	PERFORM triage.check_schema();
	ids := ARRAY (
		SELECT t.id FROM triage.tickets t
			WHERE t.tenant_id = tenant AND t.deleted_at IS NULL AND t.tags <> '{}' AND t.tags @> tickets_tagged.tags
			LIMIT max_rows + 1);
	RETURN CASE WHEN cardinality(ids) <= max_rows THEN ids END;
END
$$;
COMMENT ON FUNCTION triage.tickets_tagged(text[], int) IS
	'part of list_tickets(): the ids of the current tenant''s tickets that have all of these tags, in no order; NULL when there are more than max_rows; raises nothing';
REVOKE ALL ON FUNCTION triage.tickets_tagged(text[], int) FROM PUBLIC;

-- Custom fields --------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_custom_fields(fields jsonb) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	bad text;
BEGIN
	IF fields IS NULL THEN
		RETURN;
	ELSIF jsonb_typeof(fields) <> 'object' THEN
		RAISE EXCEPTION 'custom fields are a JSON object, not %', jsonb_typeof(fields)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets',
				CONSTRAINT = 'tickets_custom_fields_object', HINT = 'Write them like {"plan": "pro", "seats": 5}.';
	ELSIF pg_column_size(fields) > 65536 THEN
		RAISE EXCEPTION 'custom fields are too large: % bytes', pg_column_size(fields)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets',
				CONSTRAINT = 'tickets_custom_fields_size',
				HINT = 'A ticket''s custom fields hold at most 65536 bytes together; attach larger values as files.';
	END IF;
	SELECT k.key INTO bad FROM jsonb_object_keys(fields) k (key) WHERE length(k.key) NOT BETWEEN 1 AND 100 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the name of a custom field has 1 to 100 characters, not %', length(bad)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'tickets',
				DETAIL = format('The name is "%s".', left(bad, 120)), HINT = 'Use a shorter name.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_custom_fields(jsonb) IS
	'checks custom fields before they are stored; NULL passes; returns nothing; raises 23514 when they are no JSON object, above 65536 bytes together, or a name has not 1 to 100 characters';
REVOKE ALL ON FUNCTION triage.check_custom_fields(jsonb) FROM PUBLIC;

CREATE FUNCTION triage.set_custom_fields(ticket_id bigint, changes jsonb, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
	new_version int;
	wanted jsonb;
BEGIN
	PERFORM triage.check_schema();
	IF changes IS NULL THEN
		RAISE EXCEPTION 'changes must be a JSON object'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'An empty one changes nothing.';
	END IF;
	PERFORM triage.check_custom_fields(changes);
	current_version := triage.lock_ticket(ticket_id, expected_version);
	SELECT (t.custom_fields || changes) - ARRAY (SELECT c.key FROM jsonb_each(changes) c WHERE c.value = 'null')
		INTO wanted
		FROM triage.tickets t
		WHERE t.id = set_custom_fields.ticket_id AND t.tenant_id = triage.current_tenant();
	PERFORM triage.check_custom_fields(wanted);
	UPDATE triage.tickets t
		SET custom_fields = wanted
		WHERE t.id = set_custom_fields.ticket_id AND t.tenant_id = triage.current_tenant() AND t.custom_fields <> wanted
		RETURNING t.version INTO new_version;
	RETURN coalesce(new_version, current_version);
END
$$;
COMMENT ON FUNCTION triage.set_custom_fields(bigint, jsonb, int) IS
	'changes some of a ticket''s custom fields; changes: a JSON object, whose keys are set, those with null removed, while all others stay; a value is replaced as a whole; nothing changes when they are so already; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such ticket, 40001 when its version is another one, 22023 when changes is NULL, 23514 when it is no object, a name has not 1 to 100 characters, or the fields would exceed 65536 bytes';
REVOKE ALL ON FUNCTION triage.set_custom_fields(bigint, jsonb, int) FROM PUBLIC;

-- Links ----------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.link_tickets(ticket_id bigint, kind triage.ticket_link_kind, other_id bigint) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_id bigint;
	first_id CONSTANT bigint := CASE WHEN kind = 'related' THEN least(ticket_id, other_id) ELSE ticket_id END;
	second_id CONSTANT bigint := CASE WHEN kind = 'related' THEN greatest(ticket_id, other_id) ELSE other_id END;
BEGIN
	PERFORM triage.check_schema();
	IF kind IS NULL THEN
		RAISE EXCEPTION 'a link has a kind'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = format('The kinds are: %s.', array_to_string(enum_range(NULL::triage.ticket_link_kind), ', '));
	ELSIF ticket_id = other_id THEN
		RAISE EXCEPTION 'ticket % cannot be linked to itself', ticket_id
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ticket_links',
				CONSTRAINT = 'ticket_links_not_self', HINT = 'Name two tickets.';
	END IF;
	-- in the order of ids, as everybody does who locks several
	PERFORM triage.lock_ticket(least(ticket_id, other_id));
	PERFORM triage.lock_ticket(greatest(ticket_id, other_id));
	-- null is neither less nor greater than an id
	PERFORM triage.lock_ticket(NULL) WHERE ticket_id IS NULL OR other_id IS NULL;

	SELECT l.id INTO new_id
		FROM triage.ticket_links l
		WHERE l.tenant_id = triage.current_tenant() AND l.ticket_id = first_id AND l.kind = link_tickets.kind
			AND l.other_id = second_id;
	IF FOUND THEN
		RETURN new_id;
	END IF;
	IF EXISTS (
		SELECT FROM triage.ticket_links l
			WHERE l.tenant_id = triage.current_tenant() AND l.ticket_id = second_id AND l.kind = link_tickets.kind
				AND l.other_id = first_id)
	THEN
		RAISE EXCEPTION 'ticket % is % ticket % already', other_id, kind, ticket_id
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ticket_links',
				HINT = 'It cannot be so both ways round: call triage.unlink_tickets() for that link first.';
	END IF;
	INSERT INTO triage.ticket_links (tenant_id, ticket_id, kind, other_id)
		VALUES (triage.current_tenant(), first_id, link_tickets.kind, second_id)
		RETURNING id INTO new_id;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.link_tickets(bigint, triage.ticket_link_kind, bigint) IS
	'links two tickets of the current tenant, closed ones too; kind: what ticket_id is to other_id; returns the link''s id, that of the link that is there already too; view linked_tickets shows it from both sides; raises P0002 when there is no such ticket, 23514 when both are the same or the other way round is there already, 22023 when kind is NULL';
REVOKE ALL ON FUNCTION triage.link_tickets(bigint, triage.ticket_link_kind, bigint) FROM PUBLIC;

CREATE FUNCTION triage.unlink_tickets(ticket_id bigint, kind triage.ticket_link_kind, other_id bigint) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	DELETE FROM triage.ticket_links l
		WHERE l.tenant_id = triage.current_tenant() AND l.kind = unlink_tickets.kind
			AND ((l.ticket_id = unlink_tickets.ticket_id AND l.other_id = unlink_tickets.other_id)
				OR (l.kind = 'related' AND l.ticket_id = unlink_tickets.other_id AND l.other_id = unlink_tickets.ticket_id));
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION triage.unlink_tickets(bigint, triage.ticket_link_kind, bigint) IS
	'takes a link between two tickets away; kind: what ticket_id is to other_id, related counts both ways round; returns whether there was such a link; raises nothing';
REVOKE ALL ON FUNCTION triage.unlink_tickets(bigint, triage.ticket_link_kind, bigint) FROM PUBLIC;
