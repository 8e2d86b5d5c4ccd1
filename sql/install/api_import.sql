-- Bringing in tickets that exist already, from tables of the application.
--
-- An import is a row of triage.imports: what is read, what its columns and words mean, and up to which key it was read.
-- import_batch() reads the next rows in the order of the source table's key; the procedures call it until there are none
-- and commit in between, so that an import holds no long transaction, shows its progress, and goes on after a crash.
--
-- Everything runs with the caller's rights: who imports must be allowed to read the source table.  Only the statement
-- that reads it is dynamic; of what the caller says it holds names of columns, which were found in the catalog, and no
-- more.  What a row does to a ticket is suspended while it is copied: see set_syncing().

CREATE FUNCTION triage.set_syncing("on" boolean) RETURNS void
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'triage_set_syncing';
COMMENT ON FUNCTION triage.set_syncing(boolean) IS
	'says that what this transaction writes from now on, or no more, is a copy of what happened elsewhere: tickets take any status and keep the updated_at they are given, comments neither reopen nor answer, events are ticket.copied and comment.copied and no others; history is written as ever, and triage.auto_triage says whether the model is asked; setting triage.syncing shows it, and only this function sets it, which agents may not call; raises 22004 when on is null';
REVOKE ALL ON FUNCTION triage.set_syncing(boolean) FROM PUBLIC;

CREATE FUNCTION triage.syncing() RETURNS boolean
	LANGUAGE c STABLE
	AS 'MODULE_PATHNAME', 'triage_is_syncing';
COMMENT ON FUNCTION triage.syncing() IS 'whether this transaction copies what happened elsewhere, see set_syncing(); for triggers; raises nothing';
REVOKE ALL ON FUNCTION triage.syncing() FROM PUBLIC;

CREATE FUNCTION triage.check_commit() RETURNS void
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'triage_check_commit';
COMMENT ON FUNCTION triage.check_commit() IS
	'part of the imports: returns nothing; raises 25001 inside a transaction block, where no batch can be committed';
REVOKE ALL ON FUNCTION triage.check_commit() FROM PUBLIC;

-- What columns and words mean ------------------------------------------------------------------------------------------

CREATE FUNCTION triage.squash(name text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT lower(regexp_replace(name, '[^[:alnum:]]', '', 'g'))
$$;
COMMENT ON FUNCTION triage.squash(text) IS
	'a name or word without regard to case, blanks and punctuation: createdAt, created_at and "Created at" are one; raises nothing';
REVOKE ALL ON FUNCTION triage.squash(text) FROM PUBLIC;

-- Guesses, in order of preference, squashed.  The five seeds of the usual schemas are all among them.
CREATE FUNCTION triage.import_guesses(target text) RETURNS TABLE (col text, needed boolean, guesses text[])
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT v.col, v.needed, string_to_array(v.guesses, ' ')
		FROM (VALUES
			('tickets', 'external_id', true, 'externalid id ticketid ticketnumber number key uuid'),
			('tickets', 'subject', false, 'subject title summary'),
			('tickets', 'description', false, 'description body content message text details'),
			('tickets', 'requester_id', false, 'requesterid requester customerid createdby createdbyid creatorid reporterid userid authorid submitterid contactid'),
			('tickets', 'requester_email', false, 'requesteremail email customeremail useremail contactemail fromemail'),
			('tickets', 'requester_name', false, 'requestername customername contactname'),
			('tickets', 'assignee_id', false, 'assigneeid assignee assignedto assignedtoid assigneduserid assignedagentid agentid'),
			('tickets', 'status', false, 'status state'),
			('tickets', 'resolution', false, 'resolution'),
			('tickets', 'priority', false, 'priority'),
			('tickets', 'category', false, 'category'),
			('tickets', 'language', false, 'language locale'),
			('tickets', 'tags', false, 'tags labels'),
			('tickets', 'custom_fields', false, 'customfields metadata'),
			('tickets', 'created_at', false, 'createdat created createdon insertedat openedat'),
			('tickets', 'updated_at', false, 'updatedat updated updatedon modifiedat lastmodified'),
			('tickets', 'first_response_at', false, 'firstresponseat firstrepliedat'),
			('tickets', 'resolved_at', false, 'resolvedat solvedat resolvedon'),
			('tickets', 'closed_at', false, 'closedat closedon'),
			('tickets', 'deleted_at', false, 'deletedat deletedon'),
			('comments', 'external_id', true, 'externalid id commentid key uuid'),
			('comments', 'ticket', true, 'ticketid ticket helpdeskticketid issueid conversationid'),
			('comments', 'content', true, 'content body text comment message'),
			('comments', 'author_id', false, 'authorid author userid createdby createdbyid'),
			('comments', 'author_role', false, 'authorrole authortype role'),
			('comments', 'visibility', false, 'visibility isinternal internal isprivate private ispublic public'),
			('comments', 'created_at', false, 'createdat created createdon insertedat'),
			('history', 'external_id', true, 'externalid id key uuid'),
			('history', 'ticket', true, 'ticketid ticket helpdeskticketid issueid'),
			('history', 'field', true, 'field fieldname columnname attribute property'),
			('history', 'old_value', false, 'oldvalue fromvalue previousvalue old'),
			('history', 'new_value', false, 'newvalue tovalue value new'),
			('history', 'changed_by', false, 'changedby changedbyid userid authorid actor createdby'),
			('history', 'created_at', false, 'createdat created changedat createdon')) v (target, col, needed, guesses)
		WHERE v.target = import_guesses.target
$$;
COMMENT ON FUNCTION triage.import_guesses(text) IS
	'the columns that an import of target (tickets, comments, history) knows, whether it cannot do without, and by which names, squashed, it finds them in the source table; raises nothing';
REVOKE ALL ON FUNCTION triage.import_guesses(text) FROM PUBLIC;

CREATE FUNCTION triage.import_columns(source_table regclass, columns jsonb DEFAULT '{}', target text DEFAULT 'tickets') RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entry record;
	found jsonb := '{}';
	missing text;
BEGIN
	IF source_table IS NULL OR NOT EXISTS (
		SELECT FROM pg_class c WHERE c.oid = source_table AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
	THEN
		RAISE EXCEPTION 'source_table must be a table or a view'
			USING ERRCODE = 'wrong_object_type', HINT = 'A view is the way to import what has to be joined or computed first.';
	ELSIF NOT EXISTS (SELECT FROM triage.import_guesses(target)) THEN
		RAISE EXCEPTION 'there is no import of %', coalesce(quote_literal(left(target, 100)), 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is of tickets, comments or history.';
	ELSIF jsonb_typeof(columns) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'columns must be a JSON object'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'As in {"subject": "headline", "custom_fields": ["plan", "browser"]}.';
	END IF;
	FOR entry IN
		SELECT c.key, c.value, g.col, n.name, a.attname
			FROM jsonb_each(columns) c
			LEFT JOIN triage.import_guesses(target) g ON g.col = c.key
			LEFT JOIN LATERAL (
				SELECT c.value #>> '{}' AS name WHERE jsonb_typeof(c.value) = 'string'
				UNION ALL
				SELECT e FROM jsonb_array_elements_text(CASE jsonb_typeof(c.value) WHEN 'array' THEN c.value ELSE '[]' END) e) n ON true
			LEFT JOIN pg_attribute a
				ON a.attrelid = source_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
			ORDER BY c.key
	LOOP
		IF entry.col IS NULL THEN
			RAISE EXCEPTION 'an import of % has no column "%"', target, left(entry.key, 100)
				USING ERRCODE = 'invalid_parameter_value',
					HINT = format('The columns are: %s.', (SELECT string_agg(g.col, ', ' ORDER BY g.col) FROM triage.import_guesses(target) g));
		ELSIF jsonb_typeof(entry.value) NOT IN ('string', 'null') AND (jsonb_typeof(entry.value) <> 'array' OR entry.key <> 'custom_fields') THEN
			RAISE EXCEPTION 'column "%" must be the name of a column, or null', entry.key
				USING ERRCODE = 'invalid_parameter_value', HINT = 'Only custom_fields may be an array of names.';
		ELSIF entry.attname IS NULL AND jsonb_typeof(entry.value) = 'string' OR entry.name IS NOT NULL AND entry.attname IS NULL THEN
			RAISE EXCEPTION 'table % has no column "%"', source_table, left(entry.name, 100)
				USING ERRCODE = 'undefined_column', HINT = 'Names are taken as they are, upper and lower case told apart.';
		END IF;
	END LOOP;
	found := columns;
	-- what was not said, by name; a column that was given another meaning is left out
	FOR entry IN
		SELECT g.col, (
				SELECT a.attname::text
					FROM pg_attribute a
					WHERE a.attrelid = source_table AND a.attnum > 0 AND NOT a.attisdropped
						AND triage.squash(a.attname) = ANY (g.guesses)
						AND NOT jsonb_path_exists(columns, '$.* ? (@ == $name)', jsonb_build_object('name', a.attname))
						-- "metadata" may be anything
						AND (g.col <> 'custom_fields' OR a.atttypid IN ('jsonb'::regtype, 'json'::regtype))
					ORDER BY array_position(g.guesses, triage.squash(a.attname)), a.attnum LIMIT 1) AS attname
			FROM triage.import_guesses(target) g
			WHERE NOT columns ? g.col
	LOOP
		IF entry.attname IS NOT NULL THEN
			found := found || jsonb_build_object(entry.col, entry.attname);
		END IF;
	END LOOP;
	SELECT string_agg(g.col, ', ' ORDER BY g.col) INTO missing
		FROM triage.import_guesses(target) g WHERE g.needed AND found ->> g.col IS NULL;
	IF missing IS NULL AND target = 'tickets' AND found ->> 'subject' IS NULL AND found ->> 'description' IS NULL THEN
		missing := 'subject or description';
	END IF;
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION 'cannot tell which column of table % is %', source_table, missing
			USING ERRCODE = 'undefined_column', HINT = 'Name it in columns, as in {"external_id": "ticket_no"}.';
	END IF;
	RETURN jsonb_strip_nulls(found);
END
$$;
COMMENT ON FUNCTION triage.import_columns(regclass, jsonb, text) IS
	'which column of a table an import takes for what: those that columns names, as in {"subject": "headline", "tags": null, "custom_fields": ["plan", "browser"]}, and for the others columns with a usual name (title, createdAt, assigned_to ...); target: tickets, comments or history; returns a JSON object; raises 42703 for a column that is not there or cannot be told, 22023 for a key, value or target that cannot be, 42809 when source_table is no table or view';
REVOKE ALL ON FUNCTION triage.import_columns(regclass, jsonb, text) FROM PUBLIC;

CREATE FUNCTION triage.import_word(kind text, word text, labels jsonb) RETURNS jsonb
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	plain CONSTANT text := triage.squash(word);
	label text;
BEGIN
	IF labels -> kind ? word THEN
		RETURN labels -> kind -> word;
	END IF;
	label := CASE kind
		WHEN 'category' THEN (
			SELECT c.category FROM triage.ticket_categories c
				WHERE c.tenant_id = triage.current_tenant() AND triage.squash(c.category) = plain
				ORDER BY c.category LIMIT 1)
		WHEN 'status' THEN CASE
			WHEN plain IN ('open', 'new', 'opened', 'reopened', 'todo', 'unassigned', 'received', 'submitted', 'unread',
				'openaihandling', 'pendinghumanassignment') THEN 'open'
			WHEN plain IN ('inprogress', 'progress', 'assigned', 'active', 'working', 'started', 'acknowledged', 'escalated',
				'activehumanchat', 'doing') THEN 'in_progress'
			WHEN plain IN ('pending', 'waiting', 'waitingoncustomer', 'waitingforcustomer', 'awaitingcustomer', 'awaitingreply',
				'pendingreminder', 'snoozed', 'replied', 'answered') THEN 'pending'
			WHEN plain IN ('hold', 'onhold', 'paused', 'blocked', 'waitingonthirdparty') THEN 'on_hold'
			WHEN plain IN ('review', 'inreview', 'testing') THEN 'review'
			WHEN plain IN ('resolved', 'solved', 'done', 'fixed', 'completed', 'complete', 'closedresolved') THEN 'resolved'
			WHEN plain IN ('closed', 'archived', 'closedbyclient', 'cancelled', 'canceled', 'abandoned', 'spam', 'merged',
				'duplicate') THEN 'closed' END
		-- what a status said of the end, or a column of its own
		WHEN 'resolution' THEN CASE
			WHEN plain = 'closedbyclient' THEN 'closed_by_client'
			WHEN plain IN ('cancelled', 'canceled', 'abandoned') THEN 'abandoned'
			WHEN plain = 'spam' THEN 'spam'
			WHEN plain IN ('merged', 'duplicate') THEN 'merged'
			WHEN plain = 'deflected' THEN 'deflected'
			WHEN plain IN ('resolved', 'solved', 'fixed', 'done', 'completed', 'complete', 'closedresolved') THEN 'resolved' END
		WHEN 'priority' THEN CASE
			WHEN plain IN ('low', 'lowest', 'minor', 'trivial', 'p4', 'p5') THEN 'low'
			WHEN plain IN ('medium', 'normal', 'moderate', 'standard', 'default', 'p3') THEN 'medium'
			WHEN plain IN ('high', 'important', 'major', 'p2') THEN 'high'
			WHEN plain IN ('urgent', 'critical', 'highest', 'blocker', 'emergency', 'p1', 'p0') THEN 'urgent' END
		WHEN 'author_role' THEN CASE
			WHEN plain IN ('customer', 'user', 'enduser', 'requester', 'client', 'contact') THEN 'customer'
			WHEN plain IN ('agent', 'support', 'staff', 'operator', 'employee') THEN 'agent'
			WHEN plain IN ('admin', 'administrator', 'owner') THEN 'admin'
			WHEN plain IN ('ai', 'bot', 'assistant') THEN 'ai'
			WHEN plain = 'system' THEN 'system' END
		WHEN 'visibility' THEN CASE
			WHEN plain = 'public' THEN 'public'
			WHEN plain IN ('internal', 'private', 'note') THEN 'internal' END
		END;
	RETURN coalesce(to_jsonb(label), labels -> kind -> '*',
		CASE WHEN word !~ '[^[:space:]]' AND kind IN ('status', 'resolution', 'priority', 'category') THEN 'null'::jsonb END);
END
$$;
COMMENT ON FUNCTION triage.import_word(text, text, jsonb) IS
	'the label for a word of the source table; kind: status, resolution, priority, category, author_role, visibility; labels: as in {"status": {"WAITING": "pending", "*": "open"}}, where null is no label and * every word not known otherwise; a blank word of a ticket is no label; returns a JSON string or null, SQL NULL for a word that is not known; raises nothing';
REVOKE ALL ON FUNCTION triage.import_word(text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.check_import_labels(labels jsonb) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entry record;
BEGIN
	IF jsonb_typeof(labels) IS DISTINCT FROM 'object' OR jsonb_path_exists(labels, 'strict $.* ? (@.type() != "object")') THEN
		RAISE EXCEPTION 'labels must be a JSON object of objects'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'As in {"status": {"WAITING": "pending"}, "category": {"*": null}}.';
	END IF;
	FOR entry IN
		SELECT k.key AS kind, k.known, w.value
			FROM (SELECT l.key, l.value, CASE l.key
						WHEN 'status' THEN enum_range(NULL::triage.ticket_status)::text[]
						WHEN 'resolution' THEN enum_range(NULL::triage.ticket_resolution)::text[]
						WHEN 'priority' THEN enum_range(NULL::triage.ticket_priority)::text[]
						WHEN 'author_role' THEN enum_range(NULL::triage.person_role)::text[]
						WHEN 'visibility' THEN enum_range(NULL::triage.comment_visibility)::text[]
						WHEN 'category' THEN ARRAY (
							SELECT c.category FROM triage.ticket_categories c
								WHERE c.tenant_id = triage.current_tenant() ORDER BY c.category) END AS known
					FROM jsonb_each(labels) l) k
			LEFT JOIN LATERAL jsonb_each(k.value) w ON true
	LOOP
		IF entry.known IS NULL THEN
			RAISE EXCEPTION 'labels has no key "%"', left(entry.kind, 100)
				USING ERRCODE = 'invalid_parameter_value',
					HINT = 'The keys are: status, resolution, priority, category, author_role, visibility.';
		ELSIF jsonb_typeof(entry.value) = 'null' THEN
			CONTINUE;
		ELSIF NOT (entry.value #>> '{}') = ANY (entry.known) THEN
			RAISE EXCEPTION '% is not a %', left(entry.value::text, 100), entry.kind
				USING ERRCODE = 'invalid_parameter_value', HINT = format('There are: %s.', array_to_string(entry.known, ', '));
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.check_import_labels(jsonb) IS
	'checks what an import was told of words; returns nothing; raises 22023 for a key or label that does not exist';
REVOKE ALL ON FUNCTION triage.check_import_labels(jsonb) FROM PUBLIC;

CREATE FUNCTION triage.preview_import(source_table regclass, columns jsonb DEFAULT '{}', labels jsonb DEFAULT '{}')
	RETURNS TABLE (col text, source_column text, word text, label text, source_rows bigint, known boolean)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	mapping CONSTANT jsonb := triage.import_columns(source_table, columns);
	kind text;
BEGIN
	PERFORM triage.check_import_labels(labels);
	RETURN QUERY
		SELECT m.key, m.value #>> '{}', NULL::text, NULL::text, NULL::bigint, true FROM jsonb_each(mapping) m ORDER BY m.key;
	FOREACH kind IN ARRAY ARRAY['status', 'resolution', 'priority', 'category'] LOOP
		IF mapping ? kind THEN
			RETURN QUERY EXECUTE format(
				'SELECT %1$L::text, %2$L::text, w.word, triage.import_word(%1$L, w.word, $1) #>> ''{}'', w.n,
						w.word IS NULL OR triage.import_word(%1$L, w.word, $1) IS NOT NULL
					FROM (SELECT h.%2$I::text AS word, count(*) AS n FROM %3$s h GROUP BY 1) w ORDER BY w.n DESC, w.word',
				kind, mapping ->> kind, source_table) USING labels;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.preview_import(regclass, jsonb, jsonb) IS
	'what import_tickets() would make of a table, without importing: a row for each column that it takes, then one for each word in the columns of status, resolution, priority and category, with the label that it would become and how many rows have it; known false: those rows would be turned down; reads the whole table; raises as import_columns() and check_import_labels() do';
REVOKE ALL ON FUNCTION triage.preview_import(regclass, jsonb, jsonb) FROM PUBLIC;

-- One batch ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.import_start(target text, source_table regclass, columns jsonb, labels jsonb, source text, ticket_source text,
	request_triage boolean, batch_size int)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_id bigint;
	sources text[];
BEGIN
	PERFORM triage.check_schema();
	IF batch_size IS NULL OR batch_size NOT BETWEEN 1 AND 10000 THEN
		RAISE EXCEPTION 'batch_size must be between 1 and 10000, not %', coalesce(batch_size::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'A batch is one transaction; a thousand rows are enough.';
	END IF;
	PERFORM triage.check_tenant();
	PERFORM triage.check_import_labels(coalesce(labels, '{}'));
	columns := triage.import_columns(source_table, coalesce(columns, '{}'), target);
	IF target <> 'tickets' AND ticket_source IS NULL THEN
		sources := ARRAY (
			SELECT DISTINCT i.source FROM triage.imports i WHERE i.tenant_id = triage.current_tenant() AND i.target = 'tickets');
		IF cardinality(sources) <> 1 THEN
			RAISE EXCEPTION 'cannot tell under which source the tickets were imported'
				USING ERRCODE = 'invalid_parameter_value', HINT = 'Say it in ticket_source.';
		END IF;
		ticket_source := sources[1];
	END IF;
	IF target = 'tickets' AND ticket_source IS NOT NULL THEN
		RAISE EXCEPTION 'an import of tickets has no ticket_source'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It says where comments and history find their tickets; source is what new ones get.';
	END IF;
	PERFORM triage.check_length('imports', 'source', source, 1, 100, 'Leave it NULL for the name of the table.');
	PERFORM triage.check_length('imports', 'ticket_source', ticket_source, 1, 100, 'It is the source under which the tickets were imported.');
	INSERT INTO triage.imports (tenant_id, target, source_table, source, ticket_source, columns, labels, request_triage, batch_size)
		VALUES (triage.current_tenant(), import_start.target, import_start.source_table::text,
			coalesce(import_start.source, (SELECT c.relname::text FROM pg_class c WHERE c.oid = import_start.source_table)),
			import_start.ticket_source, import_start.columns, coalesce(import_start.labels, '{}'),
			coalesce(import_start.request_triage, false), import_start.batch_size)
		RETURNING id INTO new_id;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.import_start(text, regclass, jsonb, jsonb, text, text, boolean, int) IS
	'begins an import and reads nothing yet: import_batch() does; arguments as those of import_tickets(), import_comments() and import_history(), whose name without import_ is target; returns the import''s id; raises 22023 and 42703 for arguments that do not fit';
REVOKE ALL ON FUNCTION triage.import_start(text, regclass, jsonb, jsonb, text, text, boolean, int) FROM PUBLIC;

CREATE FUNCTION triage.import_read(import_id bigint, OUT rows jsonb[], OUT last_key text, OUT without_key bigint)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job record;
	source_table regclass;
	key record;
	key_text text;
	list text;
	sort text;
	after text;
BEGIN
	SELECT i.* INTO STRICT job FROM triage.imports i WHERE i.tenant_id = triage.current_tenant() AND i.id = import_id;
	source_table := job.source_table::regclass;
	-- found anew: the table may have changed since the last batch
	PERFORM triage.import_columns(source_table, job.columns, job.target);
	SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS type, t.typnamespace = 'pg_catalog'::regnamespace AND t.typtype = 'b' AS plain,
			t.typcategory = 'D' AS dated
		INTO key
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = source_table AND a.attname = job.columns ->> 'external_id';
	-- A date as JSON has it: as text it reads as the session's DateStyle says, and another session may go on.
	key_text := format(CASE WHEN key.dated THEN 'to_jsonb(h.%I) #>> ''{}''' ELSE 'h.%I::text' END, key.attname);
	SELECT string_agg(CASE
			WHEN m.key = 'external_id' THEN key_text || ' AS external_id'
			WHEN jsonb_typeof(m.value) = 'array' THEN format('jsonb_strip_nulls(to_jsonb((SELECT f FROM (SELECT %s) f))) AS %I',
				(SELECT string_agg(format('h.%I', e), ', ') FROM jsonb_array_elements_text(m.value) e), m.key)
			-- nobody, nowhere, never: an empty text is no id, no address and no time
			WHEN c.category = 'S' AND m.key ~ '(_at|_id|_email|_name|_by|^language)$'
				THEN format('nullif(h.%I::text, '''') AS %I', m.value #>> '{}', m.key)
			ELSE format('h.%I AS %I', m.value #>> '{}', m.key) END, ', ')
		INTO list
		FROM jsonb_each(job.columns) m
		LEFT JOIN LATERAL (
			SELECT t.typcategory AS category FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
				WHERE a.attrelid = source_table AND a.attname = m.value #>> '{}') c ON true
		WHERE m.value <> '[]';
	-- An extension's type may sort otherwise than its operator of that name on our search_path compares.
	sort := CASE WHEN key.plain THEN format('h.%I', key.attname) ELSE format('(%s) COLLATE "C"', key_text) END;
	after := CASE WHEN job.last_key IS NULL THEN format('h.%I IS NOT NULL', key.attname)
		ELSE format('%s > $1::%s', sort, CASE WHEN key.plain THEN key.type ELSE 'text' END) END;
	-- with ties: rows that share a key, by mistake, must not be torn apart
	EXECUTE format('SELECT array_agg(to_jsonb(q)), (array_agg(q.external_id))[count(*)]
			FROM (SELECT %s FROM %s h WHERE %s ORDER BY %s FETCH FIRST %s ROWS WITH TIES) q',
			list, source_table, after, sort, job.batch_size)
		INTO rows, last_key USING job.last_key;
	IF rows IS NULL OR cardinality(rows) < job.batch_size THEN
		EXECUTE format('SELECT count(*) FROM %s h WHERE h.%I IS NULL', source_table, key.attname) INTO without_key;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.import_read(bigint) IS
	'part of import_batch(): the next rows of the source table as JSON objects in the order of its key, the last one''s key, and, once they are the last, how many rows have no key';
REVOKE ALL ON FUNCTION triage.import_read(bigint) FROM PUBLIC;

-- The words of a batch, each asked for once: rows have few different ones.
CREATE FUNCTION triage.import_words(rows jsonb[], labels jsonb) RETURNS jsonb
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(jsonb_object_agg(k.kind, k.words), '{}')
		FROM (SELECT v.kind, jsonb_object_agg(v.word, v.label) FILTER (WHERE v.label IS NOT NULL) AS words
				FROM (SELECT d.kind, d.word, triage.import_word(d.kind, d.word, labels) AS label
						FROM (SELECT DISTINCT k.kind, r.value ->> k.col AS word
								FROM unnest(rows) r (value), (VALUES ('status', 'status'), ('resolution', 'status'), ('resolution', 'resolution'),
									('priority', 'priority'), ('category', 'category'), ('author_role', 'author_role'), ('visibility', 'visibility')) k (kind, col)
								WHERE r.value ->> k.col IS NOT NULL) d) v
				GROUP BY v.kind) k
		WHERE k.words IS NOT NULL
$$;
COMMENT ON FUNCTION triage.import_words(jsonb[], jsonb) IS
	'part of import_batch(): the words of some rows with their labels, {kind: {word: label}}, without those that are not known';
REVOKE ALL ON FUNCTION triage.import_words(jsonb[], jsonb) FROM PUBLIC;

-- Which rows need not be tried: here already (state NULL), or turned down, told apart in one go.
CREATE FUNCTION triage.import_sieve(target text, source text, ticket_source text, rows jsonb[], words jsonb)
	RETURNS TABLE (n bigint, state text, message text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
BEGIN
	RETURN QUERY
		SELECT v.n, split_part(v.verdict, ' ', 1), substr(v.verdict, 7)
			FROM (SELECT r.n, CASE
					WHEN row_number() OVER (PARTITION BY r.value ->> 'external_id' ORDER BY r.n) > 1
						THEN '23505 the source table has another row with this id'
					WHEN target = 'tickets' AND EXISTS (
						SELECT FROM triage.tickets t
							WHERE t.tenant_id = tenant AND t.source = import_sieve.source AND t.external_id = r.value ->> 'external_id') THEN ''
					WHEN target = 'comments' AND EXISTS (
						SELECT FROM triage.ticket_comments c
							WHERE c.tenant_id = tenant AND c.source = import_sieve.source AND c.external_id = r.value ->> 'external_id') THEN ''
					WHEN target <> 'tickets' AND NOT EXISTS (
						SELECT FROM triage.tickets t
							WHERE t.tenant_id = tenant AND t.source = import_sieve.ticket_source AND t.external_id = r.value ->> 'ticket')
						THEN 'P0002 its ticket was not imported'
					WHEN EXISTS (
						SELECT FROM triage.people p
							WHERE p.tenant_id = tenant AND p.erased_at IS NOT NULL
								AND p.id = CASE target WHEN 'tickets' THEN r.value ->> 'requester_id' ELSE r.value ->> 'author_id' END)
						THEN '55000 the person was erased'
					WHEN target <> 'tickets' AND EXISTS (
						SELECT FROM triage.tickets t JOIN triage.people p ON p.tenant_id = t.tenant_id AND p.id = t.requester_id
							WHERE t.tenant_id = tenant AND t.source = import_sieve.ticket_source AND t.external_id = r.value ->> 'ticket'
								AND p.erased_at IS NOT NULL)
						THEN '55000 its ticket''s requester was erased'
					-- "never" and "always" are no times: such a ticket would lead every list, and no interval can be computed
					WHEN concat_ws(' ', r.value ->> 'created_at', r.value ->> 'updated_at', r.value ->> 'first_response_at',
							r.value ->> 'resolved_at', r.value ->> 'closed_at', r.value ->> 'deleted_at') ~* 'infinity'
						THEN '22008 a date of it is infinite'
					WHEN target = 'history' THEN NULL
					WHEN NOT coalesce(words -> 'status' ? (r.value ->> 'status'), r.value ->> 'status' IS NULL)
						THEN format('22023 status %s is not known: say in labels what it is', quote_literal(left(r.value ->> 'status', 100)))
					WHEN NOT coalesce(words -> 'resolution' ? (r.value ->> 'resolution'), r.value ->> 'resolution' IS NULL)
						THEN format('22023 resolution %s is not known: say in labels what it is', quote_literal(left(r.value ->> 'resolution', 100)))
					WHEN NOT coalesce(words -> 'priority' ? (r.value ->> 'priority'), r.value ->> 'priority' IS NULL)
						THEN format('22023 priority %s is not known: say in labels what it is', quote_literal(left(r.value ->> 'priority', 100)))
					WHEN NOT coalesce(words -> 'category' ? (r.value ->> 'category'), r.value ->> 'category' IS NULL)
						THEN format('22023 category %s is not known: create it, or say in labels what it is', quote_literal(left(r.value ->> 'category', 100)))
					WHEN NOT coalesce(words -> 'author_role' ? (r.value ->> 'author_role'), r.value ->> 'author_role' IS NULL)
						THEN format('22023 role %s is not known: say in labels what it is', quote_literal(left(r.value ->> 'author_role', 100)))
					-- that of a column isInternal or the like is true or false
					WHEN jsonb_typeof(r.value -> 'visibility') = 'string'
						AND NOT coalesce(words -> 'visibility' ? (r.value ->> 'visibility'), false)
						THEN format('22023 visibility %s is not known: say in labels what it is', quote_literal(left(r.value ->> 'visibility', 100)))
					END AS verdict
				FROM unnest(rows) WITH ORDINALITY r (value, n)) v
			WHERE v.verdict IS NOT NULL;
END
$$;
COMMENT ON FUNCTION triage.import_sieve(text, text, text, jsonb[], jsonb) IS
	'part of import_batch(): the rows, by number, that are here already (state empty) or cannot be imported, with the reason';
REVOKE ALL ON FUNCTION triage.import_sieve(text, text, text, jsonb[], jsonb) FROM PUBLIC;

CREATE FUNCTION triage.import_store_tickets(source text, rows jsonb[], words jsonb) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	stored bigint;
BEGIN
	-- in one statement and in order of id, as everybody who inserts several should: two imports at once have the same people
	INSERT INTO triage.people (tenant_id, id, role, display_name, email)
		SELECT tenant, p.id, CASE WHEN bool_or(p.assigned) THEN 'agent' ELSE 'customer' END::triage.person_role,
				max(left(p.name, 500)), max(p.email)
			FROM unnest(rows) r (value)
			CROSS JOIN LATERAL (VALUES (r.value ->> 'requester_id', false, r.value ->> 'requester_name', r.value ->> 'requester_email'),
				(r.value ->> 'assignee_id', true, NULL, NULL)) p (id, assigned, name, email)
			WHERE p.id IS NOT NULL
			GROUP BY p.id ORDER BY p.id
		ON CONFLICT ON CONSTRAINT people_pkey DO NOTHING;
	-- who has tickets assigned is no customer only, whatever he was seen as first
	INSERT INTO triage.people AS p (tenant_id, id, role)
		SELECT DISTINCT tenant, r.value ->> 'assignee_id', 'agent'::triage.person_role
			FROM unnest(rows) r (value) WHERE r.value ->> 'assignee_id' IS NOT NULL ORDER BY 2
		ON CONFLICT ON CONSTRAINT people_pkey DO UPDATE SET role = 'agent' WHERE p.role = 'customer';
	INSERT INTO triage.tickets (tenant_id, source, external_id, requester_id, requester_email, language, subject, description,
			custom_fields, tags, status, resolution, priority, priority_is_manual, category, category_is_manual, assignee_id,
			created_at, updated_at, first_response_at, resolved_at, closed_at, deleted_at)
		SELECT tenant, import_store_tickets.source, x.external_id, x.requester_id, x.requester_email, x.language,
				-- the whole of it is kept where there is room
				CASE WHEN length(x.subject) > 998 THEN left(x.subject, 995) || '...' ELSE coalesce(x.subject, '') END,
				CASE WHEN length(x.subject) > 998 THEN concat_ws(E'\n\n', x.subject, x.description) ELSE coalesce(x.description, '') END,
				CASE jsonb_typeof(x.custom_fields)
					WHEN 'string' THEN (x.custom_fields #>> '{}')::jsonb
					WHEN 'null' THEN '{}' ELSE coalesce(x.custom_fields, '{}') END,
				CASE jsonb_typeof(x.tags)
					WHEN 'array' THEN ARRAY (SELECT jsonb_array_elements_text(x.tags))
					WHEN 'string' THEN ARRAY (SELECT btrim(s) FROM regexp_split_to_table(x.tags #>> '{}', ',') s WHERE btrim(s) <> '')
					ELSE '{}' END,
				s.status,
				CASE WHEN s.finished THEN coalesce((words -> 'resolution' ->> x.resolution), (words -> 'resolution' ->> x.status),
					'resolved')::triage.ticket_resolution END,
				coalesce(words -> 'priority' ->> x.priority, 'medium')::triage.ticket_priority,
				words -> 'priority' ->> x.priority IS NOT NULL,
				words -> 'category' ->> x.category, words -> 'category' ->> x.category IS NOT NULL,
				x.assignee_id, c.created_at, greatest(x.updated_at, c.created_at), x.first_response_at,
				-- never now: it was over when the source last heard of it
				CASE WHEN s.finished THEN coalesce(x.resolved_at, x.closed_at, x.updated_at, c.created_at) END,
				CASE WHEN s.status = 'closed' THEN coalesce(x.closed_at, x.updated_at, x.resolved_at, c.created_at) END,
				x.deleted_at
			FROM unnest(rows) r (value)
			CROSS JOIN LATERAL jsonb_to_record(r.value) AS x (external_id text, subject text, description text, requester_id text,
				requester_email text, assignee_id text, status text, resolution text, priority text, category text, language text,
				tags jsonb, custom_fields jsonb, created_at timestamptz, updated_at timestamptz, first_response_at timestamptz,
				resolved_at timestamptz, closed_at timestamptz, deleted_at timestamptz)
			CROSS JOIN LATERAL (
				SELECT v.status, v.status IN ('resolved', 'closed') AS finished
					FROM (SELECT coalesce(words -> 'status' ->> x.status, 'open')::triage.ticket_status) v (status)) s
			CROSS JOIN LATERAL (SELECT coalesce(x.created_at, x.updated_at, now()) AS created_at) c
		ON CONFLICT ON CONSTRAINT tickets_external_id_key DO NOTHING;
	GET DIAGNOSTICS stored = ROW_COUNT;
	RETURN stored;
END
$$;
COMMENT ON FUNCTION triage.import_store_tickets(text, jsonb[], jsonb) IS
	'part of import_batch(): inserts tickets and their people; returns how many tickets; raises what a row that does not fit raises';
REVOKE ALL ON FUNCTION triage.import_store_tickets(text, jsonb[], jsonb) FROM PUBLIC;

CREATE FUNCTION triage.import_store_comments(source text, ticket_source text, rows jsonb[], words jsonb, visibility_column text)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	touched bigint[];
	stored bigint;
BEGIN
	-- ticket before comment, in order of id
	EXECUTE $sql$
		SELECT ARRAY (
			SELECT t.id
				FROM (SELECT DISTINCT r.value ->> 'ticket' AS ticket FROM unnest($3) r (value)) k
				JOIN triage.tickets t ON t.tenant_id = $1 AND t.source = $2 AND t.external_id = k.ticket
				ORDER BY t.id FOR NO KEY UPDATE OF t)
	$sql$ INTO touched USING tenant, ticket_source, rows;
	INSERT INTO triage.people (tenant_id, id, role)
		SELECT tenant, r.value ->> 'author_id', max(coalesce((words -> 'author_role' ->> (r.value ->> 'author_role')), 'customer')::triage.person_role)
			FROM unnest(rows) r (value) WHERE r.value ->> 'author_id' IS NOT NULL
			GROUP BY 2 ORDER BY 2
		ON CONFLICT ON CONSTRAINT people_pkey DO NOTHING;
	EXECUTE $sql$
		INSERT INTO triage.ticket_comments (tenant_id, ticket_id, author_id, author_role, visibility, content, source, external_id, created_at)
			SELECT $1, t.id, x.author_id,
					coalesce(($4 -> 'author_role' ->> x.author_role)::triage.person_role,
						CASE WHEN x.author_id = t.requester_id THEN 'customer'::triage.person_role END, p.role, 'customer'),
					CASE
						WHEN jsonb_typeof(x.visibility) = 'boolean'
							-- true is public in a column isPublic, and internal in all others
							THEN CASE WHEN x.visibility::boolean = (triage.squash($5) ~ 'public') THEN 'public' ELSE 'internal' END
						ELSE coalesce($4 -> 'visibility' ->> (x.visibility #>> '{}'), 'public') END::triage.comment_visibility,
					x.content, $6, x.external_id, coalesce(x.created_at, now())
				FROM unnest($3) r (value)
				CROSS JOIN LATERAL jsonb_to_record(r.value) AS x (external_id text, ticket text, content text, author_id text, author_role text,
					visibility jsonb, created_at timestamptz)
				JOIN triage.tickets t ON t.tenant_id = $1 AND t.source = $2 AND t.external_id = x.ticket
				LEFT JOIN triage.people p ON p.tenant_id = $1 AND p.id = x.author_id
			ON CONFLICT ON CONSTRAINT ticket_comments_external_id_key DO NOTHING
	$sql$ USING tenant, ticket_source, rows, words, visibility_column, source;
	GET DIAGNOSTICS stored = ROW_COUNT;
	-- who waits since when follows from all of a ticket's comments, those of other batches too
	EXECUTE $sql$
		UPDATE triage.tickets t
			SET first_response_at = f.first_response_at, waiting_since = f.waiting_since
			FROM (SELECT k.id, least(k.first_response_at, a.first_at) AS first_response_at,
						CASE WHEN k.status IN ('resolved', 'closed') THEN k.waiting_since
							WHEN a.last_at IS NULL THEN k.created_at
							ELSE (SELECT min(c.created_at) FROM triage.ticket_comments c
									WHERE c.tenant_id = $1 AND c.ticket_id = k.id AND c.visibility = 'public'
										AND c.author_role = 'customer' AND c.created_at > a.last_at) END AS waiting_since
					FROM triage.tickets k
					CROSS JOIN LATERAL (
						SELECT min(c.created_at) AS first_at, max(c.created_at) AS last_at FROM triage.ticket_comments c
							WHERE c.tenant_id = $1 AND c.ticket_id = k.id AND c.visibility = 'public'
								AND c.author_role IN ('agent', 'admin')) a
					WHERE k.tenant_id = $1 AND k.id = ANY ($2)) f
			WHERE t.tenant_id = $1 AND t.id = f.id
				AND (t.first_response_at, t.waiting_since) IS DISTINCT FROM (f.first_response_at, f.waiting_since)
	$sql$ USING tenant, touched;
	RETURN stored;
END
$$;
COMMENT ON FUNCTION triage.import_store_comments(text, text, jsonb[], jsonb, text) IS
	'part of import_batch(): inserts comments and their people, and works out since when their tickets wait; returns how many comments; raises what a row that does not fit raises';
REVOKE ALL ON FUNCTION triage.import_store_comments(text, text, jsonb[], jsonb, text) FROM PUBLIC;

CREATE FUNCTION triage.import_store_history(ticket_source text, rows jsonb[], labels jsonb) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	stored bigint;
BEGIN
	-- session_role stays a fact: it is who imported.  There is no id to know a row by, so that all it says is compared.
	-- What a field is and what a word means is found once for each different one.
	EXECUTE $sql$
		WITH given AS MATERIALIZED (
				SELECT r.n, t.id AS ticket_id, x.field AS said, x.old_value, x.new_value, coalesce(x.changed_by, 'unknown') AS changed_by,
						coalesce(x.created_at, t.created_at) AS created_at
					FROM unnest($3) WITH ORDINALITY r (value, n)
					CROSS JOIN LATERAL jsonb_to_record(r.value) AS x (ticket text, field text, old_value text, new_value text, changed_by text,
						created_at timestamptz)
					JOIN triage.tickets t ON t.tenant_id = $1 AND t.source = $2 AND t.external_id = x.ticket),
			fields AS MATERIALIZED (
				SELECT d.said, coalesce((SELECT g.col FROM triage.import_guesses('tickets') g
						WHERE triage.squash(g.col) = triage.squash(d.said) OR triage.squash(d.said) = ANY (g.guesses) LIMIT 1), d.said) AS field
					FROM (SELECT DISTINCT g.said FROM given g) d),
			labels_of AS MATERIALIZED (
				SELECT d.field, d.word, triage.import_word(d.field, d.word, $4) AS label
					FROM (SELECT f.field, g.old_value AS word FROM given g JOIN fields f ON f.said = g.said
						UNION SELECT f.field, g.new_value FROM given g JOIN fields f ON f.said = g.said) d
					WHERE d.field IN ('status', 'resolution', 'priority', 'category')),
			meant AS (
				SELECT g.n, g.ticket_id, f.field, coalesce(o.label, to_jsonb(g.old_value)) AS old_value,
						coalesce(w.label, to_jsonb(g.new_value)) AS new_value, g.changed_by, g.created_at
					FROM given g JOIN fields f ON f.said IS NOT DISTINCT FROM g.said
					LEFT JOIN labels_of o ON o.field = f.field AND o.word = g.old_value
					LEFT JOIN labels_of w ON w.field = f.field AND w.word = g.new_value)
		INSERT INTO triage.ticket_history (tenant_id, ticket_id, field, old_value, new_value, changed_by, session_role, created_at)
			SELECT $1, m.ticket_id, m.field, m.old_value, m.new_value, m.changed_by, session_user, m.created_at
				FROM meant m
				WHERE NOT EXISTS (
					SELECT FROM triage.ticket_history h
						WHERE h.tenant_id = $1 AND h.ticket_id = m.ticket_id AND h.field = m.field AND h.created_at = m.created_at
							AND h.changed_by = m.changed_by AND h.old_value IS NOT DISTINCT FROM m.old_value
							AND h.new_value IS NOT DISTINCT FROM m.new_value)
				ORDER BY m.n
	$sql$ USING tenant, ticket_source, rows, labels;
	GET DIAGNOSTICS stored = ROW_COUNT;
	RETURN stored;
END
$$;
COMMENT ON FUNCTION triage.import_store_history(text, jsonb[], jsonb) IS
	'part of import_batch(): inserts history that is not there yet; returns how many rows; raises what a row that does not fit raises, 42501 for all but the owner of the tables';
REVOKE ALL ON FUNCTION triage.import_store_history(text, jsonb[], jsonb) FROM PUBLIC;

-- What fails is halved until the bad row is alone, as the worker does with its answers.
CREATE FUNCTION triage.import_try(import_id bigint, rows jsonb[], words jsonb, OUT stored bigint, OUT failed bigint)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	count CONSTANT int := cardinality(rows);
	job record;
	part record;
	failure text;
BEGIN
	stored := 0;
	failed := 0;
	IF count = 0 THEN
		RETURN;
	END IF;
	SELECT i.* INTO STRICT job FROM triage.imports i WHERE i.tenant_id = triage.current_tenant() AND i.id = import_id;
	BEGIN
		-- not one expression: that would ask for the right to execute all three
		IF job.target = 'tickets' THEN
			stored := triage.import_store_tickets(job.source, rows, words);
		ELSIF job.target = 'comments' THEN
			stored := triage.import_store_comments(job.source, job.ticket_source, rows, words, job.columns ->> 'visibility');
		ELSE
			stored := triage.import_store_history(job.ticket_source, rows, job.labels);
		END IF;
		RETURN;
	EXCEPTION
		-- not the row's fault: trying others would not go better
		WHEN insufficient_privilege OR undefined_table OR undefined_column OR serialization_failure OR deadlock_detected
			OR lock_not_available OR insufficient_resources OR operator_intervention OR system_error OR internal_error THEN
			RAISE;
		WHEN OTHERS THEN
			IF count = 1 THEN
				GET STACKED DIAGNOSTICS failure = MESSAGE_TEXT;
				INSERT INTO triage.import_errors (tenant_id, import_id, row_key, person, state, message)
					VALUES (triage.current_tenant(), import_try.import_id, rows[1] ->> 'external_id',
						coalesce(rows[1] ->> 'requester_id', rows[1] ->> 'author_id', md5(lower(rows[1] ->> 'requester_email'))), SQLSTATE, left(failure, 1000));
				failed := 1;
				RETURN;
			END IF;
	END;
	FOR part IN
		SELECT p.* FROM (VALUES (1, rows[:count / 2]), (2, rows[count / 2 + 1:])) v (n, half)
			CROSS JOIN LATERAL triage.import_try(import_id, v.half, words) p ORDER BY v.n
	LOOP
		stored := stored + part.stored;
		failed := failed + part.failed;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.import_try(bigint, jsonb[], jsonb) IS
	'part of import_batch(): stores rows, and writes down those that do not fit; returns how many of each; raises what is no row''s fault';
REVOKE ALL ON FUNCTION triage.import_try(bigint, jsonb[], jsonb) FROM PUBLIC;

-- A plan made while the tables were empty would read all of them for each row when they are not: so import_sieve() keeps
-- none, and what writes and joins is EXECUTEd.  Not by a setting here: the checks of foreign keys would be planned anew for
-- each row.  And nothing here takes as long as compiling it would.
CREATE FUNCTION triage.import_batch(import_id bigint) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	job record;
	batch record;
	words jsonb;
	sieved bigint[];
	known bigint;
	bad bigint;
	result record;
	ask CONSTANT text := coalesce(current_setting('triage.auto_triage', true), 'on');
BEGIN
	PERFORM triage.check_schema();
	SELECT i.* INTO job FROM triage.imports i WHERE i.tenant_id = tenant AND i.id = import_batch.import_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'import % does not exist', coalesce(import_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Imports are in triage.imports; those of other tenants cannot be reached.';
	ELSIF job.finished_at IS NOT NULL THEN
		RETURN false;
	ELSIF job.started_by <> current_user THEN
		-- a view runs its functions with the rights of whoever reads it
		RAISE EXCEPTION 'import % was begun by role "%"', import_id, job.started_by
			USING ERRCODE = 'insufficient_privilege',
				HINT = 'Only that role goes on with it. Begin one of your own: what is here already is skipped.';
	END IF;
	SELECT r.* INTO batch FROM triage.import_read(import_id) r;
	batch.rows := coalesce(batch.rows, '{}');
	words := triage.import_words(batch.rows, job.labels);

	WITH sieve AS MATERIALIZED (
			SELECT s.* FROM triage.import_sieve(job.target, job.source, job.ticket_source, batch.rows, words) s),
		told AS (
			INSERT INTO triage.import_errors (tenant_id, import_id, row_key, person, state, message)
				SELECT tenant, import_batch.import_id, batch.rows[s.n] ->> 'external_id',
						coalesce(batch.rows[s.n] ->> 'requester_id', batch.rows[s.n] ->> 'author_id',
							md5(lower(batch.rows[s.n] ->> 'requester_email'))), s.state, s.message
					FROM sieve s WHERE s.state <> '' ORDER BY s.n)
		SELECT array_agg(s.n), count(*) FILTER (WHERE s.state = ''), count(*) FILTER (WHERE s.state <> '')
			INTO sieved, known, bad FROM sieve s;
	PERFORM triage.set_syncing(true);
	PERFORM set_config('triage.auto_triage', CASE WHEN job.request_triage THEN 'on' ELSE 'off' END, true);
	SELECT t.* INTO result
		FROM triage.import_try(import_id, ARRAY (
			SELECT r.value FROM unnest(batch.rows) WITH ORDINALITY r (value, n)
				WHERE r.n <> ALL (coalesce(sieved, '{}')) ORDER BY r.n), words) t;
	PERFORM set_config('triage.auto_triage', ask, true);
	PERFORM triage.set_syncing(false);

	IF batch.without_key > 0 THEN
		INSERT INTO triage.import_errors (tenant_id, import_id, state, message)
			VALUES (tenant, import_batch.import_id, '22004', format('%s rows of the source table have no id', batch.without_key));
	END IF;
	UPDATE triage.imports i
		SET last_key = coalesce(batch.last_key, i.last_key), rows_imported = i.rows_imported + result.stored,
			-- what another import brought in meanwhile is here, too
			rows_skipped = i.rows_skipped + cardinality(batch.rows) - bad - result.stored - result.failed,
			rows_failed = i.rows_failed + bad + result.failed + coalesce(batch.without_key, 0), updated_at = clock_timestamp(),
			finished_at = CASE WHEN batch.without_key IS NOT NULL THEN clock_timestamp() END
		WHERE i.tenant_id = tenant AND i.id = import_batch.import_id;
	RETURN batch.without_key IS NULL;
END
$$;
COMMENT ON FUNCTION triage.import_batch(bigint) IS
	'imports the next batch of an import that import_start() began, or that was cut short; returns whether to call it again; for drivers that cannot CALL a procedure that commits; raises P0002 when there is no such import, 42501 when another role began it, and what reading the source table raises';
REVOKE ALL ON FUNCTION triage.import_batch(bigint) FROM PUBLIC;

-- Whole imports --------------------------------------------------------------------------------------------------------

-- A procedure that commits can have no search_path of its own.  So these use no operator, no type but those that the
-- grammar knows, and name what they call in full: no search_path leads them astray.
CREATE PROCEDURE triage.resume_import(
	INOUT import_id bigint,
	commit_batches boolean DEFAULT true,
	tenant text DEFAULT NULL,
	INOUT imported bigint DEFAULT NULL,
	INOUT skipped bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
DECLARE
	more boolean;
BEGIN
	IF commit_batches THEN
		PERFORM triage.check_commit();
	END IF;
	LOOP
		-- SET LOCAL would not outlive the first commit
		IF tenant IS NOT NULL THEN
			PERFORM pg_catalog.set_config('triage.tenant', tenant, true);
		END IF;
		more := triage.import_batch(import_id);
		SELECT p.imported, p.skipped, p.failed INTO imported, skipped, failed FROM triage.import_progress(import_id) p;
		IF commit_batches THEN
			COMMIT;
		END IF;
		EXIT WHEN more IS NOT TRUE;
	END LOOP;
END
$$;
COMMENT ON PROCEDURE triage.resume_import(bigint, boolean, text, bigint, bigint, bigint) IS
	'goes on with an import that was cut short, to its end, a transaction for each batch; the arguments after import_id are those of import_tickets(); raises P0002 when there is no such import, 42501 when another role began it, 25001 inside a transaction block, and 2D000 called from a function, unless commit_batches is false';
REVOKE ALL ON PROCEDURE triage.resume_import(bigint, boolean, text, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.import_progress(import_id bigint, OUT imported bigint, OUT skipped bigint, OUT failed bigint)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT i.rows_imported, i.rows_skipped, i.rows_failed FROM triage.imports i
		WHERE i.tenant_id = triage.current_tenant() AND i.id = import_progress.import_id
$$;
COMMENT ON FUNCTION triage.import_progress(bigint) IS
	'how many rows an import has brought in, found here already, and turned down so far; NULLs when there is no such import';
REVOKE ALL ON FUNCTION triage.import_progress(bigint) FROM PUBLIC;

CREATE PROCEDURE triage.import_tickets(
	source_table regclass,
	columns jsonb DEFAULT '{}',
	labels jsonb DEFAULT '{}',
	source text DEFAULT NULL,
	request_triage boolean DEFAULT false,
	batch_size int DEFAULT 1000,
	commit_batches boolean DEFAULT true,
	tenant text DEFAULT NULL,
	INOUT import_id bigint DEFAULT NULL,
	INOUT imported bigint DEFAULT NULL,
	INOUT skipped bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
BEGIN
	IF tenant IS NOT NULL THEN
		PERFORM pg_catalog.set_config('triage.tenant', tenant, true);
	END IF;
	import_id := triage.import_start('tickets', source_table, columns, labels, source, NULL, request_triage, batch_size);
	CALL triage.resume_import(import_id, commit_batches, tenant, imported, skipped, failed);
END
$$;
COMMENT ON PROCEDURE triage.import_tickets(regclass, jsonb, jsonb, text, boolean, int, boolean, text, bigint, bigint, bigint, bigint) IS
	'brings the rows of a table or view of the application in as tickets, with their dates, states and people, an empty text in a column of ids, addresses or times being none; a row that is here already, by source and external_id, is skipped, so it can be run again; columns: see import_columns(); labels: see import_word(); source: the table''s name unless given; request_triage: have the model asked about those that are not finished; batch_size: rows of one transaction, 1 to 10000; commit_batches false: all in the caller''s transaction; tenant: for which, where SET LOCAL would end with the first commit; nothing is notified, reopened or written to the history; rows that cannot be imported are left in triage.import_errors with the reason; returns the import''s id and how many rows were imported, skipped and turned down; raises 22023 and 42703 for arguments that do not fit, 42501 without rights on the table, 25001 inside a transaction block, and 2D000 called from a function, unless commit_batches is false';
REVOKE ALL ON PROCEDURE triage.import_tickets(regclass, jsonb, jsonb, text, boolean, int, boolean, text, bigint, bigint, bigint, bigint) FROM PUBLIC;

CREATE PROCEDURE triage.import_comments(
	source_table regclass,
	columns jsonb DEFAULT '{}',
	labels jsonb DEFAULT '{}',
	source text DEFAULT NULL,
	ticket_source text DEFAULT NULL,
	batch_size int DEFAULT 1000,
	commit_batches boolean DEFAULT true,
	tenant text DEFAULT NULL,
	INOUT import_id bigint DEFAULT NULL,
	INOUT imported bigint DEFAULT NULL,
	INOUT skipped bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
BEGIN
	IF tenant IS NOT NULL THEN
		PERFORM pg_catalog.set_config('triage.tenant', tenant, true);
	END IF;
	import_id := triage.import_start('comments', source_table, columns, labels, source, ticket_source, false, batch_size);
	CALL triage.resume_import(import_id, commit_batches, tenant, imported, skipped, failed);
END
$$;
COMMENT ON PROCEDURE triage.import_comments(regclass, jsonb, jsonb, text, text, int, boolean, text, bigint, bigint, bigint, bigint) IS
	'brings in the comments of tickets that import_tickets() brought in, by the id that these had in their own table; ticket_source: the source they were imported under, where there is more than one; the author''s role is that of the row, else customer for the requester, else the one on record; a ticket''s first response and wait follow from them, nothing else does; the other arguments, what it returns and raises: as import_tickets()';
REVOKE ALL ON PROCEDURE triage.import_comments(regclass, jsonb, jsonb, text, text, int, boolean, text, bigint, bigint, bigint, bigint) FROM PUBLIC;

CREATE PROCEDURE triage.import_history(
	source_table regclass,
	columns jsonb DEFAULT '{}',
	labels jsonb DEFAULT '{}',
	ticket_source text DEFAULT NULL,
	batch_size int DEFAULT 1000,
	commit_batches boolean DEFAULT true,
	tenant text DEFAULT NULL,
	INOUT import_id bigint DEFAULT NULL,
	INOUT imported bigint DEFAULT NULL,
	INOUT skipped bigint DEFAULT NULL,
	INOUT failed bigint DEFAULT NULL)
	LANGUAGE plpgsql
AS $$
BEGIN
	IF tenant IS NOT NULL THEN
		PERFORM pg_catalog.set_config('triage.tenant', tenant, true);
	END IF;
	import_id := triage.import_start('history', source_table, columns, labels, NULL, ticket_source, false, batch_size);
	CALL triage.resume_import(import_id, commit_batches, tenant, imported, skipped, failed);
END
$$;
COMMENT ON PROCEDURE triage.import_history(regclass, jsonb, jsonb, text, int, boolean, text, bigint, bigint, bigint, bigint) IS
	'brings in the change log of tickets that import_tickets() brought in: a row for each change, with field, old and new value, who and when; for the tables'' owner only, as history is append-only and nobody else may write it; session_role says who imported; the arguments, what it returns and raises: as import_comments()';
REVOKE ALL ON PROCEDURE triage.import_history(regclass, jsonb, jsonb, text, int, boolean, text, bigint, bigint, bigint, bigint) FROM PUBLIC;
