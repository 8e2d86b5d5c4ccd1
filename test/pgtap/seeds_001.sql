-- What the story of the ticket management system asks for beyond what helpdesk.sql shows (test/seeds/items.tsv, 42 to
-- 107): its migration, its indexes, its search, and its lists among more than a thousand tickets.
\ir prepare.psql
\ir seeds.psql
SELECT no_plan();

-- Migration ------------------------------------------------------------------------------------------------------------------------

SELECT is((SELECT string_agg(concat_ws(' ', m.model, c.relkind), ', ' ORDER BY m.model)
		FROM (VALUES ('helpdesk_tickets'), ('ticket_assignments'), ('ticket_comments'), ('ticket_history'), ('tickets')) m (model)
		JOIN pg_class c ON c.oid = to_regclass('triage.' || m.model)),
	'helpdesk_tickets v, ticket_assignments r, ticket_comments r, ticket_history r, tickets r', 'one script makes the models [seed 72] [seed 105]');
SELECT is(pg_temp.outcome('CREATE EXTENSION triage'), '42710', 'and runs once [seed 72]');
SELECT is(pg_temp.about('ticket_assignments', c.name), c.about, c.name || ' [seed 66]')
	FROM (VALUES ('assigned_at', 'timestamp with time zone NOT NULL DEFAULT now()'), ('unassigned_at', 'timestamp with time zone')) c (name, about);

-- Five tickets, as in the story's record: three comments, two changes, two assignments ------------------------------------------------

INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('root', 'admin'), ('carl', 'customer');
SELECT count(triage.create_ticket('subject ' || i, 'text ' || i, 'carl', external_id => i::text)) AS five FROM generate_series(1, 5) i \gset
SELECT triage.add_comment(pg_temp.ticket(i::text), 'comment ' || i, 'carl') AS comment FROM generate_series(1, 3) i \g /dev/null
SELECT triage.update_ticket(pg_temp.ticket(i::text), '{"priority": "high"}') AS version FROM generate_series(1, 2) i \g /dev/null
SELECT triage.assign_ticket(pg_temp.ticket(i::text), 'ann') AS assigned FROM generate_series(4, 5) i \g /dev/null
SELECT results_eq($$SELECT count(*) FROM triage.tickets UNION ALL SELECT count(*) FROM triage.ticket_comments
		UNION ALL SELECT count(*) FROM triage.ticket_history h WHERE h.field = 'priority' UNION ALL SELECT count(*) FROM triage.ticket_assignments$$,
	$$VALUES (5::bigint), (3), (2), (2)$$, 'five tickets, three comments, two records of history, two assignments [seed 105]');

-- More than a thousand ------------------------------------------------------------------------------------------------------------------

INSERT INTO triage.people (id, role) SELECT 'agent' || i, 'agent' FROM generate_series(0, 9) i;
INSERT INTO triage.people (id, role) SELECT 'customer' || i, 'customer' FROM generate_series(0, 99) i;
INSERT INTO triage.tickets (subject, description, requester_id, assignee_id, priority, category, status, created_at)
	SELECT 'subject ' || i, 'text ' || i || CASE i % 400 WHEN 1 THEN ' about a walrus' ELSE '' END, 'customer' || i % 100, CASE WHEN i % 3 > 0 THEN 'agent' || i % 10 END,
			(enum_range(NULL::triage.ticket_priority))[1 + i % 4], ('{technical,billing,general,feature_request,bug_report}'::text[])[1 + i % 5],
			CASE i % 8 WHEN 0 THEN 'open' WHEN 1 THEN 'in_progress' ELSE 'resolved' END::triage.ticket_status, now() - i * interval '1 hour'
		FROM generate_series(1, 4000) i;
ANALYZE triage.tickets, triage.people;
SELECT cmp_ok((SELECT count(*) FROM triage.tickets), '>', 1000::bigint, 'there are more than a thousand [seed 97]');

-- Rows of a list, and rows of tickets that were read for them, inside functions too.
CREATE FUNCTION pg_temp.rows_read(query text) RETURNS TABLE (returned bigint, read bigint)
	LANGUAGE plpgsql
AS $$
DECLARE
	before bigint;
BEGIN
	SELECT s.seq_tup_read + s.idx_tup_fetch INTO before FROM pg_stat_xact_user_tables s WHERE s.relid = 'triage.tickets'::regclass;
	EXECUTE 'SELECT count(*) FROM (' || query || ') q' INTO returned;
	SELECT s.seq_tup_read + s.idx_tup_fetch - before INTO read FROM pg_stat_xact_user_tables s WHERE s.relid = 'triage.tickets'::regclass;
	RETURN NEXT;
END
$$;
SELECT is(r.returned || ' ' || CASE WHEN r.read <= q.bound THEN 'few' ELSE r.read || ' of 4000' END, q.wanted || ' few', format('%s %s', q.name, q.items))
	FROM (VALUES
		('the newest page', '[seed 97] [seed 105]', 50, 110, 'SELECT * FROM triage.list_tickets()'),
		('what is open, by priority', '[seed 97] [seed 102] [seed 105]', 50, 1110, 'SELECT * FROM triage.list_tickets(priorities => ''{urgent,low}'', include_finished => false)'),
		('an agent''s', '[seed 97] [seed 102] [seed 105]', 50, 1110, 'SELECT * FROM triage.list_tickets(assignee => ''agent5'')'),
		('a customer''s', '[seed 97] [seed 102] [seed 105]', 40, 130, 'SELECT * FROM triage.list_tickets(requester => ''customer7'')'),
		('what is open, of an agent and a category', '[seed 97] [seed 102] [seed 105]', 50, 1110,
			'SELECT * FROM triage.list_tickets(categories => ''{billing}'', assignee => ''agent1'', include_finished => false)'),
		('words', '[seed 97] [seed 100] [seed 102] [seed 105]', 10, 30, 'SELECT * FROM triage.search_tickets(''walruses'')')) q (name, items, wanted, bound, query),
		LATERAL pg_temp.rows_read(q.query) r;

SELECT is(pg_temp.path(q.query), q.path, format('%s %s', q.name, q.items))
	FROM (VALUES
		('what is open, who waits longest first', '[seed 83] [seed 102]', 'tickets_inbox',
			'SELECT * FROM triage.tickets t WHERE t.tenant_id = ''default'' AND t.status NOT IN (''resolved'', ''closed'') AND t.deleted_at IS NULL AND t.priority = ''urgent'' '
			'ORDER BY t.waiting_since LIMIT 20'),
		('an assignee''s', '[seed 83] [seed 102]', 'tickets_assignee',
			'SELECT * FROM triage.tickets t WHERE t.tenant_id = ''default'' AND t.assignee_id = ''ann'''),
		('a creator''s', '[seed 102]', 'tickets_requester',
			'SELECT * FROM triage.tickets t WHERE t.tenant_id = ''default'' AND t.requester_id = ''customer7'' ORDER BY t.created_at DESC LIMIT 20')) q (name, items, path, query);

-- A ticket belongs to a conversation, and a conversation may have many ------------------------------------------------------------------

SELECT triage.start_session('carl', true, 'from the chat') AS conversation \gset
SELECT triage.link_session(:conversation, pg_temp.ticket('1')) AS link \gset
SELECT results_eq('SELECT t.title, t.created_by, t.conversation_id FROM triage.helpdesk_tickets t WHERE t.title IN (''from the chat'', ''subject 2'') ORDER BY t.title',
	format('VALUES (''from the chat'', ''carl'', %s::bigint), (''subject 2'', ''carl'', NULL), (''subject 2'', ''customer2'', NULL)', :conversation),
	'a ticket has the conversation that it began as [seed 50] [seed 77]');
SELECT set_eq(format('SELECT t.subject FROM triage.chat_tickets l JOIN triage.tickets t ON t.id = l.ticket_id WHERE l.session_id = %s', :conversation),
	'{from the chat,subject 1}'::text[], 'and others may belong to it [seed 58] [seed 77]');
SELECT is(pg_temp.refers('chat_tickets', 'session_id') || ', ' || pg_temp.about('chat_tickets', 'session_id'),
	'FOREIGN KEY (tenant_id, session_id) REFERENCES triage.chat_sessions(tenant_id, id) ON DELETE CASCADE, bigint NOT NULL', 'by a foreign key [seed 50] [seed 74] [seed 77]');

-- Native search --------------------------------------------------------------------------------------------------------------------------

SELECT is((SELECT i.indexdef FROM pg_indexes i WHERE i.schemaname = 'triage' AND i.tablename = 'tickets' AND i.indexname = 'tickets_search'),
	'CREATE INDEX tickets_search ON triage.tickets USING gin (search)', 'full text search is PostgreSQL''s own [seed 100] [seed 102]');
SELECT is(pg_temp.about('tickets', 'search'), 'tsvector', 'over words of title and description [seed 100]');
SELECT is((SELECT t.search FROM triage.tickets t WHERE t.external_id = '1') @@ to_tsquery('simple', 'subject & text & 1'), true, 'which are kept with the ticket [seed 100]');
SELECT is((SELECT count(*) FROM pg_extension e WHERE e.extname NOT IN ('triage', 'pgtap', 'plpgsql')), 0::bigint, 'no other extension is needed for it [seed 100]');

-- The script's part that makes tables, run again over what is there.
SELECT count(*) AS tickets FROM triage.tickets \gset
SELECT is(pg_temp.outcome('SELECT triage.install()'), 'ok', 'what makes the tables may run again [seed 72] [seed 75]');
SELECT is((SELECT count(*) FROM triage.tickets), :tickets::bigint, 'and leaves what is in them [seed 75]');
SELECT finish();
ROLLBACK;
