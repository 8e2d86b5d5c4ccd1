-- Imports: the application's own tickets, comments and change log come in as they are, once, and set nothing off.
\ir prepare.psql
SELECT no_plan();
SET LOCAL triage.auto_triage = on;

-- The application's tables, as the seed has them -------------------------------------------------------------------------------

CREATE TABLE public."HelpdeskTicket" (
	id text PRIMARY KEY, title text, description text, priority text, category text, status text, "conversationId" text,
	"assignedTo" text, "createdBy" text, "aiAssisted" boolean, "createdAt" timestamp, "updatedAt" timestamp,
	"resolvedAt" timestamp, "deletedAt" timestamp);
INSERT INTO public."HelpdeskTicket" VALUES
	('c1', 'Printer', 'It jams', 'HIGH', 'TECHNICAL', 'OPEN', 's', NULL, 'carl', false, '2024-01-01', '2024-01-02', NULL, NULL),
	('c2', 'Bill', 'Twice', 'URGENT', 'BILLING', 'OPEN', 's', 'ann', 'carl', true, '2024-01-03', '2024-01-04', NULL, NULL),
	('c3', 'Export', 'PDF', 'LOW', 'FEATURE_REQUEST', 'REVIEW', 's', 'ann', 'eve', true, '2024-01-05', '2024-01-06', NULL, NULL),
	('c4', 'Crash', 'On start', 'MEDIUM', 'BUG_REPORT', 'RESOLVED', 's', 'ann', 'eve', true, '2024-01-07', '2024-01-09', '2024-01-08', NULL),
	('c5', 'Hours', 'When?', 'LOW', 'GENERAL', 'CLOSED', 's', 'carl', 'eve', false, '2024-01-10', '2024-01-12', '2024-01-11', '2024-01-13'),
	('c6', 'Working', 'on it', 'LOW', 'GENERAL', 'IN_PROGRESS', 's', 'ann', NULL, false, '2024-01-14', NULL, NULL, NULL);

SELECT is(triage.import_columns('public."HelpdeskTicket"'), '{"external_id": "id", "subject": "title", "description": "description", "priority": "priority",
		"category": "category", "status": "status", "assignee_id": "assignedTo", "requester_id": "createdBy", "created_at": "createdAt",
		"updated_at": "updatedAt", "resolved_at": "resolvedAt", "deleted_at": "deletedAt"}'::jsonb, '[seed 75] the columns of the seed''s table are recognised');
SELECT results_eq($$SELECT word, label, source_rows, known FROM triage.preview_import('public."HelpdeskTicket"', labels => '{"status": {"REVIEW": "on_hold"}}')
		WHERE col = 'status' AND word IN ('OPEN', 'REVIEW')$$,
	$$VALUES ('OPEN'::text, 'open'::text, 2::bigint, true), ('REVIEW', 'on_hold', 1, true)$$, 'a preview tells what words would become');
SELECT is((SELECT count(*) FROM triage.tickets), 0::bigint, 'and imports nothing');

CREATE FUNCTION pg_temp.import(arguments text, target text DEFAULT 'tickets') RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	result record;
BEGIN
	EXECUTE format('CALL triage.import_%s(%s, commit_batches => false)', target, arguments) INTO result;
	RETURN concat_ws('/', result.imported, result.skipped, result.failed);
END
$$;
SELECT is(pg_temp.import('''public."HelpdeskTicket"'', batch_size => 2'), '6/0/0', '[seed 75] existing tickets come in');
SELECT results_eq($$SELECT external_id, subject, status::text, resolution::text, priority::text, category, assignee_id, requester_id FROM triage.tickets ORDER BY external_id$$,
	$$VALUES ('c1'::text, 'Printer'::text, 'open'::text, NULL::text, 'high'::text, 'technical'::text, NULL::text, 'carl'::text),
		('c2', 'Bill', 'open', NULL, 'urgent', 'billing', 'ann', 'carl'),
		('c3', 'Export', 'review', NULL, 'low', 'feature_request', 'ann', 'eve'),
		('c4', 'Crash', 'resolved', 'resolved', 'medium', 'bug_report', 'ann', 'eve'),
		('c5', 'Hours', 'closed', 'resolved', 'low', 'general', 'carl', 'eve'),
		('c6', 'Working', 'in_progress', NULL, 'low', 'general', 'ann', NULL)$$,
	'[seed 75] states, labels and people are kept, that of an assigned open ticket too');
SELECT results_eq($$SELECT external_id, to_char(created_at, 'DD'), to_char(updated_at, 'DD'), to_char(resolved_at, 'DD'), to_char(closed_at, 'DD'), to_char(deleted_at, 'DD'), version
		FROM triage.tickets ORDER BY external_id$$,
	$$VALUES ('c1'::text, '01'::text, '02'::text, NULL::text, NULL::text, NULL::text, 1), ('c2', '03', '04', NULL, NULL, NULL, 1), ('c3', '05', '06', NULL, NULL, NULL, 1),
		('c4', '07', '09', '08', NULL, NULL, 1), ('c5', '10', '12', '11', '12', '13', 1), ('c6', '14', '14', NULL, NULL, NULL, 1)$$,
	'[seed 75] dates are kept, and what is missing is not now');
SELECT is((SELECT bool_and(priority_is_manual AND category_is_manual) FROM triage.tickets), true, 'the labels are people''s, and the model will leave them alone');
SELECT is((SELECT count(*) FROM triage.ticket_history), 0::bigint, 'the history has no changes that nobody made');
SELECT is((SELECT count(*) FROM triage.ai_jobs), 0::bigint, 'the model is not asked');
SELECT results_eq($$SELECT t.external_id, a.agent_id, a.assigned_at FROM triage.ticket_assignments a JOIN triage.tickets t ON t.id = a.ticket_id WHERE a.unassigned_at IS NULL ORDER BY 1$$,
	$$VALUES ('c2'::text, 'ann'::text, '2024-01-04 00:00+00'::timestamptz), ('c3', 'ann', '2024-01-06 00:00+00'), ('c4', 'ann', '2024-01-09 00:00+00'),
		('c5', 'carl', '2024-01-12 00:00+00'), ('c6', 'ann', '2024-01-14 00:00+00')$$, 'who is assigned is in the log, at a time of the source');
SELECT results_eq($$SELECT id, role::text FROM triage.people ORDER BY id$$, $$VALUES ('ann'::text, 'agent'::text), ('carl', 'agent'), ('eve', 'customer')$$,
	'people are there, and who has tickets assigned is an agent');
SELECT is(pg_temp.import('''public."HelpdeskTicket"'''), '0/6/0', 'again: nothing comes twice');
SELECT is(current_setting('triage.syncing') || current_setting('triage.auto_triage'), 'offon', 'what the import set, it has set back');

-- Comments and change log --------------------------------------------------------------------------------------------------------

CREATE TABLE public.comments (id int PRIMARY KEY, "ticketId" text, "authorId" text, "isInternal" boolean, content text, "createdAt" timestamptz);
INSERT INTO public.comments VALUES
	(1, 'c1', 'carl', false, 'Still jams', '2024-02-01'), (2, 'c1', 'ann', false, 'Paper?', '2024-02-02'), (3, 'c1', 'carl', false, 'No', '2024-02-03'),
	(4, 'c1', 'ann', true, 'He is lying', '2024-02-04'), (5, 'c2', 'ann', false, 'Done', '2024-02-05'), (6, 'c4', 'eve', false, 'Thanks', '2024-02-06'),
	(7, 'c5', 'eve', false, 'On a closed one', '2024-02-07'), (8, 'c9', 'eve', false, 'Of nothing', '2024-02-08'), (9, 'c1', 'eve', false, '', '2024-02-09');
UPDATE triage.people SET role = 'customer' WHERE id = 'carl';
SELECT is(pg_temp.import('''public.comments'', batch_size => 3', 'comments'), '7/0/2', 'comments come in');
SELECT results_eq($$SELECT c.external_id, t.external_id, c.author_id, c.author_role::text, c.visibility::text, to_char(c.created_at, 'MM-DD')
		FROM triage.ticket_comments c JOIN triage.tickets t ON t.id = c.ticket_id ORDER BY c.created_at$$,
	$$VALUES ('1'::text, 'c1'::text, 'carl'::text, 'customer'::text, 'public'::text, '02-01'::text), ('2', 'c1', 'ann', 'agent', 'public', '02-02'), ('3', 'c1', 'carl', 'customer', 'public', '02-03'),
		('4', 'c1', 'ann', 'agent', 'internal', '02-04'), ('5', 'c2', 'ann', 'agent', 'public', '02-05'), ('6', 'c4', 'eve', 'customer', 'public', '02-06'), ('7', 'c5', 'eve', 'customer', 'public', '02-07')$$,
	'with author, role, visibility and date, on closed and deleted tickets, too');
SELECT results_eq($$SELECT external_id, status::text, to_char(first_response_at, 'MM-DD'), to_char(waiting_since, 'MM-DD'), to_char(updated_at, 'MM-DD') FROM triage.tickets
		WHERE external_id IN ('c1', 'c2', 'c4', 'c5') ORDER BY 1$$,
	$$VALUES ('c1'::text, 'open'::text, '02-02'::text, '02-03'::text, '01-02'::text), ('c2', 'open', '02-05', NULL, '01-04'), ('c4', 'resolved', NULL, NULL, '01-09'), ('c5', 'closed', NULL, NULL, '01-12')$$,
	'a ticket waits for what is unanswered; none was reopened or changed');
SELECT results_eq($$SELECT e.row_key, e.state FROM triage.import_errors e ORDER BY e.row_key$$, $$VALUES ('8'::text, 'P0002'::text), ('9', '23514')$$, 'rows without ticket or text are turned down, with the reason');
SELECT is(pg_temp.import('''public.comments''', 'comments'), '0/7/2', 'again: none comes twice');

CREATE TABLE public.changes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), ticket_id text, field text, "oldValue" text, "newValue" text, "changedBy" text, "createdAt" timestamptz);
INSERT INTO public.changes (ticket_id, field, "oldValue", "newValue", "changedBy", "createdAt") VALUES
	('c4', 'status', 'OPEN', 'RESOLVED', 'ann', '2024-01-08'), ('c4', 'assignedTo', NULL, 'ann', 'ann', '2024-01-07'), ('c4', 'title', 'Crsh', 'Crash', 'eve', '2024-01-07');
SELECT is(pg_temp.import('''public.changes''', 'history'), '3/0/0', 'the change log comes in');
SELECT results_eq($$SELECT field, old_value, new_value, changed_by, session_role = session_user, to_char(created_at, 'MM-DD') FROM triage.ticket_history ORDER BY field$$,
	$$VALUES ('assignee_id'::text, NULL::jsonb, '"ann"'::jsonb, 'ann'::text, true, '01-07'::text), ('status', '"open"', '"resolved"', 'ann', true, '01-08'),
		('subject', '"Crsh"', '"Crash"', 'eve', true, '01-07')$$, 'in triage''s words; the session user is who imported');
SELECT is(pg_temp.import('''public.changes''', 'history'), '0/3/0', 'again: no change comes twice');

-- What cannot be imported -------------------------------------------------------------------------------------------------------

CREATE TABLE public.odd (id int, title text, body text, state text, prio text, created text, tags text, plan text, "a""b';--" text, email text);
INSERT INTO public.odd VALUES
	(1, 'fine', 'x', 'solved', 'normal', '2024-05-01', 'a, b ,', 'pro', 'q', 'x@example.com'),
	(2, ' ', ' ', 'new', 'normal', NULL, NULL, NULL, NULL, NULL),
	(3, 'date', 'x', 'new', 'normal', 'yesterdayish', NULL, NULL, NULL, NULL),
	(4, 'state', 'x', 'limbo', 'normal', NULL, NULL, NULL, NULL, NULL),
	(5, repeat('ä', 1200), 'rest', 'hold', 'critical', NULL, NULL, NULL, NULL, NULL),
	(5, 'twin', 'x', 'new', 'normal', NULL, NULL, NULL, NULL, NULL),
	(6, 'mail', 'x', 'new', 'normal', NULL, NULL, NULL, NULL, repeat('x', 321)),
	(NULL, 'no id', 'x', 'new', 'normal', NULL, NULL, NULL, NULL, NULL),
	(7, 'last', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT is(pg_temp.import($$'public.odd', '{"priority": "prio", "custom_fields": ["plan", "a\"b'';--"]}', batch_size => 4$$), '3/0/6', 'good rows come in, whatever is wrong with others');
SELECT results_eq($$SELECT e.row_key, e.state FROM triage.import_errors e JOIN triage.imports i ON i.id = e.import_id WHERE i.source = 'odd' ORDER BY 1$$,
	$$VALUES ('2'::text, '23514'::text), ('3', '22007'), ('4', '22023'), ('5', '23505'), ('6', '23514'), (NULL, '22004')$$, 'each of the others has its reason');
SELECT results_eq($$SELECT external_id, status::text, priority::text, priority_is_manual, tags, custom_fields FROM triage.tickets WHERE source = 'odd' ORDER BY 1$$,
	$$VALUES ('1'::text, 'resolved'::text, 'medium'::text, true, '{a,b}'::text[], '{"plan": "pro", "a\"b'';--": "q"}'::jsonb), ('5', 'on_hold', 'urgent', true, '{}', '{}'), ('7', 'open', 'medium', false, '{}', '{}')$$,
	'words, tags and fields are translated; a strange name of a column is a name');
SELECT is((SELECT length(subject) || ' ' || (description = repeat('ä', 1200) || E'\n\nrest') FROM triage.tickets WHERE source = 'odd' AND external_id = '5'), '998 true', 'a subject too long is whole in the description');
SELECT is(pg_temp.outcome(command), state, command)
	FROM (VALUES
		('CALL triage.import_tickets(''public.odd'', ''{"subject": "nothing"}'', commit_batches => false)', '42703'),
		('CALL triage.import_tickets(''public.odd'', ''{"subject": "title FROM pg_authid --"}'', commit_batches => false)', '42703'),
		('CALL triage.import_tickets(''public.odd'', ''{"sujet": "title"}'', commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.odd'', ''{"subject": ["title"]}'', commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.odd'', ''{"subject": 1}'', commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.odd'', ''{"external_id": null}'', commit_batches => false)', '42703'),
		('CALL triage.import_tickets(''public.odd'', ''[]'', commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.odd'', labels => ''{"mood": {}}'', commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.odd'', labels => ''{"status": {"limbo": "nirvana"}}'', commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.odd'', labels => ''{"status": "open"}'', commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.odd'', batch_size => 0, commit_batches => false)', '22023'),
		('CALL triage.import_tickets(''public.nothing'', commit_batches => false)', '42P01'),
		('CALL triage.import_tickets(''public.odd''::regclass)', '25001'),
		('CALL triage.import_comments(''public.comments'', commit_batches => false)', '22023'),
		('CALL triage.resume_import(-1, false)', 'P0002')) AS c (command, state);
SELECT is(pg_temp.import($$'public.odd', '{"priority": "prio"}', '{"status": {"*": "pending"}}'$$), '1/3/5', 'a label for all other words');

-- An empty text is no value: many a table has those instead of NULLs.
CREATE TABLE public.blanks (id int, title text, status text, priority varchar(10), category char(8), "assignedTo" text, "userId" text, email text, "createdAt" text, "updatedAt" text, "closedAt" text);
INSERT INTO public.blanks VALUES (1, 'empty', '', '', '', '', '', '', '', '', ''), (2, 'closed', 'CLOSED', ' ', NULL, '', 'ina', '', '2024-01-01', '', '');
SELECT is_empty($$SELECT p.col, p.word FROM triage.preview_import('public.blanks') p WHERE NOT p.known$$, 'none of it is a word that has to be explained');
SELECT is(pg_temp.import('''public.blanks'''), '2/0/0', 'rows with empty texts come in');
SELECT results_eq($$SELECT status::text, priority::text, priority_is_manual, category, assignee_id, requester_id, requester_email, created_at, closed_at FROM triage.tickets WHERE source = 'blanks' ORDER BY external_id$$,
	$$VALUES ('open'::text, 'medium'::text, false, NULL::text, NULL::text, NULL::text, NULL::text, now(), NULL::timestamptz), ('closed', 'medium', false, NULL, NULL, 'ina', NULL, '2024-01-01', '2024-01-01')$$,
	'as if there were nothing');
SELECT is(pg_temp.import($$'public.blanks', labels => '{"status": {"": "on_hold"}}', source => 'blanks again'$$), '2/0/0', 'but where it is said what it means');
SELECT is((SELECT status::text FROM triage.tickets WHERE source = 'blanks again' AND external_id = '1'), 'on_hold', 'it means that');

-- Asked to, it has the model look at open tickets ------------------------------------------------------------------------------------

CREATE VIEW public.old AS SELECT 'k' || id AS id, title AS subject, state AS status FROM public.odd WHERE id IN (1, 7);
SELECT is(pg_temp.import('''public.old'', request_triage => true, source => ''crm'''), '2/0/0', 'a view will do');
SELECT results_eq($$SELECT t.external_id FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id$$, $$VALUES ('k7'::text)$$, 'the model is asked about the one that is not finished');

-- Batch by batch, by hand ----------------------------------------------------------------------------------------------------------

SELECT triage.import_start('tickets', 'public.old', '{}', '{}', 'hand', NULL, false, 1) AS hand \gset
SELECT is(triage.import_batch(:hand), true, 'a batch is read');
SELECT is((SELECT last_key FROM triage.imports WHERE id = :hand), 'k1', 'the import knows how far it is');
SELECT is(triage.import_batch(:hand), true, 'another');
SELECT is(triage.import_batch(:hand), false, 'nothing is left');
SELECT is(triage.import_batch(:hand), false, 'and it stays so');
SELECT is((SELECT rows_imported FROM triage.imports WHERE id = :hand AND finished_at IS NOT NULL), 2::bigint, 'it is finished');

-- Tenants and rights -----------------------------------------------------------------------------------------------------------------

SELECT triage.create_tenant('acme');
SELECT is(pg_temp.import('''public.old'', tenant => ''acme'''), '2/0/0', 'into another tenant');
RESET triage.tenant;
SELECT is((SELECT string_agg(DISTINCT tenant_id, ' ') FROM triage.tickets WHERE source = 'old'), 'acme', 'and nowhere else');

CREATE ROLE regress_triage_agent;
CREATE ROLE regress_triage_admin;
SELECT triage.grant_access('regress_triage_agent', 'agent'), triage.grant_access('regress_triage_admin', 'admin');
CREATE FUNCTION pg_temp.as_role(role text, command text) RETURNS text
	LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE regress_triage_%s', role);
	EXECUTE command;
	RAISE EXCEPTION 'done' USING ERRCODE = 'TR000';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(pg_temp.as_role('agent', 'CALL triage.import_tickets(''public.old'', commit_batches => false)'), '42501 permission denied for procedure import_tickets', 'an agent may not import');
SELECT is(pg_temp.as_role('agent', 'SELECT triage.set_syncing(true)'), '42501 permission denied for function set_syncing', 'nor pretend to');
SELECT is(pg_temp.as_role('agent', 'SET triage.syncing = on'), '55P02 parameter "triage.syncing" cannot be changed', 'nor set the setting');
SELECT is(pg_temp.as_role('admin', 'SELECT set_config(''triage.syncing'', ''on'', true)'), '55P02 parameter "triage.syncing" cannot be changed', 'which nobody can');
SELECT is(pg_temp.outcome('ALTER ROLE regress_triage_agent SET triage.syncing = on'), '55P02', 'not for a role either');
SELECT is(pg_temp.as_role('admin', 'CALL triage.import_tickets(''public.old'', commit_batches => false)'), '42501 permission denied for view old', 'an administrator imports what he may read');
GRANT SELECT ON public.old TO regress_triage_admin;
SELECT is(pg_temp.as_role('admin', 'CALL triage.import_tickets(''public.old'', commit_batches => false)'), 'TR000 done', 'then it works');
SELECT is(pg_temp.as_role('admin', 'SELECT triage.import_store_history(''x'', ''{}'', ''{}'')'), '42501 permission denied for function import_store_history', 'history is the owner''s');

-- Nobody is led to read what another role has put there ------------------------------------------------------------------------------------

SET LOCAL ROLE regress_triage_admin;
SELECT triage.import_start('tickets', 'public.old', '{}', '{}', 'trap', NULL, false, 1) AS trap \gset
RESET ROLE;
SELECT is(pg_temp.outcome(format('SELECT triage.import_batch(%s)', :trap)), '42501', 'the owner does not go on with an administrator''s import');
SELECT triage.import_start('tickets', 'public.old', '{}', '{}', 'mine', NULL, false, 1) AS mine \gset
SELECT is(left(pg_temp.as_role('admin', format(command, :mine)), 5), '42501', format('an administrator may not: ' || command, 'N'))
	FROM (VALUES ('UPDATE triage.imports SET source_table = ''x'' WHERE id = %s'), ('UPDATE triage.imports SET columns = ''{}'' WHERE id = %s'),
		('UPDATE triage.imports SET started_by = ''x'' WHERE id = %s'), ('SELECT triage.import_batch(%s)'),
		('INSERT INTO triage.imports (tenant_id, target, source_table, source, columns, batch_size, started_by) VALUES (''default'', ''tickets'', ''x'', ''x'', ''{}'', %s, ''x'')')) AS c (command);
SELECT is(pg_temp.as_role('admin', format('SELECT triage.import_batch(%s)', :trap)), 'TR000 done', 'he may go on with his own');
SELECT is(triage.import_batch(:mine), true, 'and the owner with hers');

-- Times that are none ------------------------------------------------------------------------------------------------------------------------

CREATE TABLE public.times (id text PRIMARY KEY, title text, "createdAt" timestamptz, "updatedAt" text);
INSERT INTO public.times VALUES ('a', 'infinity in the text is none', '0044-03-15 BC', '2024-01-01'), ('b', 'x', 'infinity', NULL), ('c', 'x', '-infinity', NULL),
	('d', 'x', '2024-01-01', ' Infinity ');
SELECT is(pg_temp.import('''public.times'''), '1/0/3', 'a ticket that begins or ends never is turned down');
SELECT is((SELECT string_agg(DISTINCT e.state || ' ' || e.message, ',') FROM triage.import_errors e WHERE e.row_key IN ('b', 'c', 'd')), '22008 a date of it is infinite', 'and it says why');
SELECT is((SELECT t.created_at FROM triage.tickets t WHERE t.source = 'times'), '0044-03-15 BC'::timestamptz, 'an old one is not');

-- Keys that are dates, and a session that writes them otherwise ----------------------------------------------------------------------

CREATE DOMAIN public.a_day AS date;
CREATE FUNCTION pg_temp.by_day(type text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	import bigint;
BEGIN
	EXECUTE format('CREATE TABLE public.by_%s (key %1$s, title text)', type);
	EXECUTE format('INSERT INTO public.by_%s SELECT d::date, ''day '' || d::date FROM generate_series(timestamp ''2024-01-01'', ''2024-02-20'', ''1 day'') d', type);
	SET LOCAL datestyle = 'SQL, DMY';
	import := triage.import_start('tickets', ('public.by_' || type)::regclass, '{"external_id": "key"}', '{}', type, NULL, false, 7);
	PERFORM triage.import_batch(import);
	SET LOCAL datestyle = 'ISO, MDY';
	PERFORM triage.import_batch(import);
	SET LOCAL datestyle = 'German, DMY';
	WHILE triage.import_batch(import) LOOP
		SET LOCAL datestyle = 'SQL, MDY';
	END LOOP;
	SET LOCAL datestyle = 'ISO, MDY';
	RETURN (SELECT format('%s/%s/%s %s', i.rows_imported, i.rows_skipped, i.rows_failed, min(t.external_id))
		FROM triage.imports i JOIN triage.tickets t ON t.source = type WHERE i.id = import GROUP BY i.id, i.tenant_id);
END
$$;
SELECT is(pg_temp.by_day(t.type), t.read, 'a key of type ' || t.type || ' is gone on with under another DateStyle')
	FROM (VALUES ('date', '51/0/0 2024-01-01'), ('a_day', '51/0/0 2024-01-01'), ('timestamp', '51/0/0 2024-01-01T00:00:00')) t (type, read);
SELECT is(pg_temp.import('''public.by_date'', ''{"external_id": "key"}'', source => ''date'''), '0/51/0', 'and what is here is known again');

-- What syncing suspends, and what not -------------------------------------------------------------------------------------------------

SELECT t.id AS closed FROM triage.tickets t WHERE t.external_id = 'c5' \gset
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET status = ''pending'' WHERE id = %s', :closed)), '23514', 'closed is final');
SELECT triage.set_syncing(true);
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET status = ''pending'', updated_at = ''2024-03-01'' WHERE id = %s', :closed)), 'ok', 'a copy follows its original');
SELECT triage.set_syncing(false);
SELECT results_eq(format('SELECT status::text, updated_at, version, closed_at, resolution::text FROM triage.tickets WHERE id = %s', :closed),
	$$VALUES ('pending'::text, '2024-03-01 00:00+00'::timestamptz, 2, NULL::timestamptz, NULL::text)$$, 'with the source''s clock, and a version of its own');
SELECT is((SELECT string_agg(field, ' ' ORDER BY field) FROM triage.ticket_history WHERE ticket_id = :closed), 'closed_at resolution resolved_at status', 'and that is a change, in the history');
SAVEPOINT s;
SELECT triage.set_syncing(true);
ROLLBACK TO s;
SELECT is(triage.syncing(), false, 'a subtransaction that fails takes it back');

-- What the outbox says of copies -------------------------------------------------------------------------------------------------------

CREATE TABLE public.told (id int PRIMARY KEY, title text, status text, "assignedTo" text, "createdAt" timestamptz);
INSERT INTO public.told VALUES (1, 'a', 'OPEN', NULL, '2024-05-01'), (2, 'b', 'CLOSED', 'ann', '2024-05-02');
CREATE TABLE public.told_comments (id int PRIMARY KEY, "ticketId" int, body text, "authorId" text, "createdAt" timestamptz);
INSERT INTO public.told_comments VALUES (1, 1, 'x', 'carl', '2024-05-03'), (2, 2, 'y', 'ann', '2024-05-04');
SELECT triage.add_consumer('webhooks', '{ticket.created,ticket.assigned,ticket.status_changed,ticket.updated,comment.created}');
SELECT pg_temp.import('''public.told'''), pg_temp.import('''public.told_comments'', ticket_source => ''told''', 'comments');
SELECT is_empty('SELECT FROM triage.events', 'an import sets no webhook off');
SELECT triage.add_consumer('warehouse');
SELECT pg_temp.import('''public.told'', source => ''told again''') AS "4", pg_temp.import('''public.told_comments'', ticket_source => ''told again'', source => ''told again''', 'comments') AS "5";
SELECT triage.set_syncing(true);
UPDATE triage.tickets SET status = 'on_hold' WHERE source = 'told again' AND external_id = '2';
UPDATE triage.tickets SET updated_at = '2024-06-01' WHERE source = 'told again' AND external_id = '2';
SELECT triage.set_syncing(false);
UPDATE triage.tickets SET tags = '{x}' WHERE source = 'told again' AND external_id = '2';
SELECT results_eq($$SELECT t.external_id, e.topic::text, e.labels FROM triage.events e JOIN triage.tickets t ON t.id = e.ticket_id ORDER BY e.id$$,
	$$VALUES ('1'::text, 'ticket.copied'::text, '{"status": "open", "priority": "medium", "category": null}'::jsonb),
		('2', 'ticket.copied', '{"status": "closed", "priority": "medium", "category": null}'),
		('1', 'comment.copied', '{"visibility": "public", "author_role": "customer"}'),
		('2', 'comment.copied', '{"visibility": "public", "author_role": "agent"}'),
		('2', 'ticket.copied', '{"status": "on_hold", "priority": "medium", "category": null}'),
		('2', 'ticket.updated', '{"fields": ["tags"]}')$$, 'who keeps a copy of the tables hears of each row, once');
SELECT triage.drop_consumer('webhooks'), triage.drop_consumer('warehouse');

-- A person who was erased does not come back ------------------------------------------------------------------------------------------

SELECT is((SELECT count(*) FROM triage.erase_person('eve')), (SELECT count(*) FROM triage.erase_person('ann')), '(two persons are erased)');
DELETE FROM triage.tickets WHERE source = 'HelpdeskTicket';
SELECT is(pg_temp.import('''public."HelpdeskTicket"'''), '3/0/3', 'their tickets are turned down');
SELECT is((SELECT count(*) FROM triage.tickets WHERE requester_id = 'eve'), 0::bigint, 'none of them is here');
SELECT is(pg_temp.import('''public.comments'', ticket_source => ''HelpdeskTicket''', 'comments'), '2/0/7', 'nor are comments by or about them');

SELECT finish();
ROLLBACK;
