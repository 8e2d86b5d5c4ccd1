-- The helpdesk as a whole, under the names of a plain model of it: tickets, comments, history and assignments through plain SQL
-- and through the functions, what is refused, the timeline, and the indexes that a page rests on.
\ir prepare.psql
SELECT no_plan();

INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('bob', 'agent'), ('root', 'admin'), ('carl', 'customer');
CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SELECT triage.create_tenant('other');

-- The model ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.columns(relation text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, NULL)), ', ' ORDER BY a.attnum)
		FROM pg_attribute a WHERE a.attrelid = ('triage.' || relation)::regclass AND a.attnum > 0 AND NOT a.attisdropped
$$;
SELECT is(pg_temp.columns('helpdesk_tickets'), 'id bigint, title text, description text, priority triage.ticket_priority, category text, status triage.ticket_status, '
	'conversation_id bigint, assigned_to text, created_by text, ai_assisted boolean, created_at timestamp with time zone, updated_at timestamp with time zone, '
	'resolved_at timestamp with time zone, deleted_at timestamp with time zone, tenant_id text', '[seed 43] [seed 71] HelpdeskTicket has its columns');
SELECT matches(pg_temp.columns('ticket_comments'), e.part, '[seed 59] [seed 60] [seed 71] TicketComment has ' || e.part)
	FROM unnest('{id bigint,content text,ticket_id bigint,author_id text,created_at timestamp with time zone}'::text[]) e (part);
SELECT matches(pg_temp.columns('ticket_history'), e.part, '[seed 62] [seed 63] [seed 71] TicketHistory has ' || e.part)
	FROM unnest('{id bigint,ticket_id bigint,field text,old_value jsonb,new_value jsonb,changed_by text,created_at timestamp with time zone}'::text[]) e (part);
SELECT matches(pg_temp.columns('ticket_assignments'), e.part, '[seed 65] [seed 66] [seed 71] TicketAssignment has ' || e.part)
	FROM unnest('{id bigint,ticket_id bigint,agent_id text,assigned_by text,assigned_at timestamp with time zone,unassigned_at timestamp with time zone}'::text[]) e (part);
CREATE FUNCTION pg_temp.refers(relation text, col text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT k.confrelid::regclass || CASE k.confdeltype WHEN 'c' THEN ' cascade' ELSE ' restrict' END
		FROM pg_constraint k
		WHERE k.conrelid = ('triage.' || relation)::regclass AND k.contype = 'f'
			AND (SELECT a.attnum FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attname = col) = ANY (k.conkey)
			AND cardinality(k.conkey) > 1
$$;
SELECT is(pg_temp.refers(r.relation, r.col), r.target, format('[seed 74] %s %s.%s refers to %s', r.items, r.relation, r.col, r.target))
	FROM (VALUES ('[seed 51] [seed 58] [seed 79]', 'tickets', 'assignee_id', 'triage.people restrict'), ('[seed 52] [seed 58] [seed 78]', 'tickets', 'requester_id', 'triage.people restrict'),
		('[seed 48]', 'tickets', 'category', 'triage.ticket_categories restrict'),
		('[seed 58] [seed 61] [seed 80] [seed 90]', 'ticket_comments', 'ticket_id', 'triage.tickets cascade'), ('[seed 61] [seed 80]', 'ticket_comments', 'author_id', 'triage.people restrict'),
		('[seed 58] [seed 90]', 'ticket_history', 'ticket_id', 'triage.tickets cascade'), ('[seed 64]', 'ticket_history', 'changed_by', NULL),
		('[seed 58] [seed 67] [seed 90]', 'ticket_assignments', 'ticket_id', 'triage.tickets cascade'), ('[seed 67]', 'ticket_assignments', 'agent_id', 'triage.people restrict'),
		('[seed 67]', 'ticket_assignments', 'assigned_by', NULL)) r (items, relation, col, target);
SELECT is(enum_range(NULL::triage.ticket_priority)::text, '{low,medium,high,urgent}', '[seed 68] the priorities, which sort by weight');
SELECT ok('{open,in_progress,review,resolved,closed}' <@ enum_range(NULL::triage.ticket_status)::text[], '[seed 70] the statuses');
SELECT set_eq('SELECT c.category FROM triage.ticket_categories c WHERE c.tenant_id = ''default'' AND c.is_active', '{technical,billing,general,feature_request,bug_report}'::text[],
	'[seed 69] the categories');

-- Create, read, update, delete: by the functions as an agent's role -----------------------------------------------------------------

SET LOCAL ROLE regress_triage_agent;
SELECT triage.create_ticket('printer', 'jams', 'carl', external_id => 'a') AS a \gset
SELECT results_eq(format('SELECT t.title, t.description, t.priority::text, t.category, t.status::text, t.conversation_id, t.assigned_to, t.created_by, t.ai_assisted,
		t.created_at = now(), t.resolved_at, t.deleted_at FROM triage.helpdesk_tickets t WHERE t.id = %s', :a),
	$$VALUES ('printer', 'jams', 'medium', NULL::text, 'open', NULL::bigint, NULL::text, 'carl', false, true, NULL::timestamptz, NULL::timestamptz)$$,
	'[seed 42] [seed 45] [seed 46] [seed 47] [seed 48] [seed 49] [seed 50] [seed 52] [seed 53] [seed 54] a ticket is created, with defaults');
SELECT isnt((SELECT t.public_id FROM triage.tickets t WHERE t.id = :a), NULL, '[seed 44] it has an id for outside, too');
SELECT triage.update_ticket(:a, '{"subject": "printer again", "priority": "high", "category": "technical"}');
SELECT results_eq(format('SELECT t.title, t.priority::text, t.category, t.updated_at > t.created_at FROM triage.helpdesk_tickets t WHERE t.id = %s', :a),
	$$VALUES ('printer again', 'high', 'technical', true)$$, '[seed 55] [seed 96] it is updated, and says when');
SELECT triage.assign_ticket(:a, 'ann'), triage.assign_ticket(:a, 'bob');
SELECT is((SELECT t.assigned_to FROM triage.helpdesk_tickets t WHERE t.id = :a), 'bob', '[seed 51] it is assigned');
SELECT triage.add_comment(:a, 'we look into it', 'ann');
SELECT is((SELECT t.ai_assisted FROM triage.helpdesk_tickets t WHERE t.id = :a), false, '[seed 53] what agents write is no help of the AI''s');
SELECT triage.add_comment(:a, 'a note of the AI''s', author_role => 'ai', visibility => 'internal');
SELECT is((SELECT t.ai_assisted FROM triage.helpdesk_tickets t WHERE t.id = :a), false, '[seed 53] nor is what the customer does not see');
SELECT triage.add_comment(:a, 'have you tried', author_role => 'ai');
SELECT is((SELECT t.ai_assisted FROM triage.helpdesk_tickets t WHERE t.id = :a), true, '[seed 53] what it wrote to the customer is');
SELECT triage.unassign_ticket(:a), triage.assign_ticket(:a, 'ann'), triage.resolve_ticket(:a);
SELECT results_eq(format('SELECT t.status::text, t.resolved_at IS NOT NULL FROM triage.helpdesk_tickets t WHERE t.id = %s', :a), $$VALUES ('resolved', true)$$, '[seed 56] it is resolved, and says when');
SELECT results_eq(format('SELECT s.agent_id, s.assigned_by = session_user, s.assigned_at >= now(), s.unassigned_at >= s.assigned_at FROM triage.ticket_assignments s WHERE s.ticket_id = %s ORDER BY s.id', :a),
	$$VALUES ('ann', true, true, true), ('bob', true, true, true), ('ann', true, true, NULL)$$, '[seed 65] [seed 66] [seed 67] [seed 82] who had it over time');
SELECT results_eq(format('SELECT h.field, h.old_value, h.new_value, h.changed_by = session_user FROM triage.ticket_history h WHERE h.ticket_id = %s ORDER BY h.id', :a),
	$$VALUES ('subject', '"printer"'::jsonb, '"printer again"'::jsonb, true), ('priority', '"medium"', '"high"', true), ('category', NULL, '"technical"', true),
		('status', '"open"', '"in_progress"', true), ('assignee_id', NULL, '"ann"', true), ('assignee_id', '"ann"', '"bob"', true),
		('status', '"in_progress"', '"open"', true), ('assignee_id', '"bob"', NULL, true), ('status', '"open"', '"in_progress"', true), ('assignee_id', NULL, '"ann"', true),
		('status', '"in_progress"', '"resolved"', true), ('resolution', NULL, '"resolved"', true), ('resolved_at', NULL, (SELECT to_jsonb(t.resolved_at) FROM triage.tickets t WHERE t.external_id = 'a'), true)$$,
	'[seed 62] [seed 63] [seed 64] [seed 81] every change, with the value before and after, and who');
SET LOCAL triage.actor = 'somebody who is no person';
SELECT triage.add_tags(:a, '{x}');
SELECT is((SELECT h.changed_by FROM triage.ticket_history h WHERE h.ticket_id = :a ORDER BY h.id DESC LIMIT 1), 'somebody who is no person', '[seed 64] an actor need not be a person on record');
RESET triage.actor;
SELECT triage.delete_ticket(:a);
SELECT is((SELECT t.deleted_at IS NOT NULL FROM triage.helpdesk_tickets t WHERE t.id = :a), true, '[seed 57] [seed 96] it is deleted, and says when');
SELECT is_empty('SELECT FROM triage.list_tickets()', '[seed 57] lists leave it out');
SELECT is(concat(current_setting('triage.tenant', true), current_setting('triage.actor', true), current_setting('triage.auto_triage')), 'on', '[seed 87] no function leaves a setting behind for who gets the connection next');

-- and by plain SQL
INSERT INTO triage.tickets (subject, description, requester_id, external_id) VALUES ('plain', 'x', 'carl', 'b') RETURNING id AS b \gset
UPDATE triage.tickets SET assignee_id = 'ann', priority = 'urgent' WHERE id = :b;
INSERT INTO triage.ticket_comments (ticket_id, author_id, content) VALUES (:b, 'carl', 'hello?');
SELECT results_eq(format('SELECT t.status::text, t.assigned_to, t.priority::text FROM triage.helpdesk_tickets t WHERE t.id = %s', :b), $$VALUES ('in_progress', 'ann', 'urgent')$$, '[seed 96] plain SQL does the same');
SELECT results_eq(format('SELECT count(*) FROM triage.ticket_assignments s WHERE s.ticket_id = %1$s UNION ALL SELECT count(*) FROM triage.ticket_history h WHERE h.ticket_id = %1$s', :b), $$VALUES (1::bigint), (3)$$,
	'[seed 81] [seed 82] and leaves the same trail');
SAVEPOINT chosen;
INSERT INTO triage.tickets (subject, description, priority, priority_is_manual, external_id)
	VALUES ('p', 'x', 'medium', DEFAULT, 'p default'), ('p', 'x', 'medium', true, 'p said'), ('p', 'x', 'high', DEFAULT, 'p other');
SELECT triage.create_ticket('p', 'x', priority => 'medium', external_id => 'p call') > 0;
SELECT is((SELECT string_agg(t.external_id, ', ' ORDER BY t.external_id) FROM triage.tickets t WHERE t.subject = 'p' AND t.priority_is_manual),
	'p call, p other, p said', 'the default priority is a person''s choice where that is said');
ROLLBACK TO chosen;
RESET ROLE;

-- what of a deleted ticket is shown, as tickets.deleted_at says
SAVEPOINT shown;
INSERT INTO triage.tickets (subject, description) VALUES ('gone', 'x') RETURNING id AS gone \gset
SELECT triage.start_session() AS gone_session \gset
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (:gone_session, :gone, 'origin');
SELECT triage.link_tickets(:b, 'related', :gone) > 0;
CREATE VIEW pg_temp.shown AS
	SELECT 'inbox' AS view, id AS ticket_id FROM triage.inbox
	UNION ALL SELECT 'dashboard', id FROM triage.dashboard
	UNION ALL SELECT 'support_tickets', id FROM triage.support_tickets
	UNION ALL SELECT 'linked_tickets', other_id FROM triage.linked_tickets
	UNION ALL SELECT 'ai_state', ticket_id FROM triage.ai_state
	UNION ALL SELECT 'chat_overview', ticket_id FROM triage.chat_overview
	UNION ALL SELECT 'helpdesk_tickets', id FROM triage.helpdesk_tickets
	UNION ALL SELECT 'ticket_timeline', ticket_id FROM triage.ticket_timeline;
SELECT is((SELECT string_agg(DISTINCT s.view, ' ' ORDER BY s.view) FROM pg_temp.shown s WHERE s.ticket_id = :gone),
	'ai_state chat_overview dashboard helpdesk_tickets inbox linked_tickets support_tickets ticket_timeline', 'a ticket is in the views');
SELECT triage.delete_ticket(:gone) > 0;
SELECT is((SELECT string_agg(DISTINCT s.view, ' ' ORDER BY s.view) FROM pg_temp.shown s WHERE s.ticket_id = :gone),
	'ai_state chat_overview helpdesk_tickets ticket_timeline', 'some leave it out once it is deleted, some do not');
ROLLBACK TO shown;
DELETE FROM triage.tickets WHERE id = :b;
SELECT is((SELECT count(*) FROM triage.ticket_comments c WHERE c.ticket_id = :b) + (SELECT count(*) FROM triage.ticket_history h WHERE h.ticket_id = :b)
	+ (SELECT count(*) FROM triage.ticket_assignments s WHERE s.ticket_id = :b) + (SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = :b), 0::bigint,
	'[seed 90] [seed 91] what belongs to a ticket goes with it');

-- every column of a ticket that a person may change leaves a row of history
INSERT INTO triage.tickets (subject, description, external_id, handler) VALUES ('all', 'columns', 'all', 'ai') RETURNING id AS every \gset
UPDATE triage.tickets SET subject = 's', description = 'd', source = 'email', external_id = 'every', requester_id = 'carl', requester_email = 'c@example.org', language = 'de', custom_fields = '{"a": 1}',
		tags = '{x}', priority = 'low', category = 'billing', assignee_id = 'ann', created_at = '2026-01-01', public_id = gen_random_uuid()
	WHERE id = :every;
SELECT triage.close_ticket(:every, 'spam');
SELECT triage.delete_ticket(:every);
SELECT set_eq(format('SELECT h.field FROM triage.ticket_history h WHERE h.ticket_id = %s', :every),
	$$SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = 'triage.tickets'::regclass AND a.attnum > 0 AND NOT a.attisdropped
		AND a.attname <> ALL ('{id,tenant_id,search,version,updated_at,waiting_since,first_response_at,priority_is_manual,category_is_manual}')$$,
	'[seed 81] the history knows every column but bookkeeping');

-- What is refused -----------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome(c.command), c.outcome, c.items || ' ' || left(c.command, 150))
	FROM (VALUES
		('[seed 45] [seed 99]', 'INSERT INTO triage.tickets (subject, description) VALUES (NULL, ''x'')', '23502'),
		('[seed 46] [seed 99]', 'INSERT INTO triage.tickets (subject) VALUES (''x'')', '23502'),
		('[seed 47] [seed 99]', 'INSERT INTO triage.tickets (description, priority) VALUES (''x'', NULL)', '23502'),
		('[seed 49] [seed 99]', 'INSERT INTO triage.tickets (description, status) VALUES (''x'', NULL)', '23502'),
		('[seed 88] [seed 99]', 'INSERT INTO triage.tickets (description, status) VALUES (''x'', ''OPEN'')', '22P02'),
		('[seed 88] [seed 99]', 'INSERT INTO triage.tickets (description, priority) VALUES (''x'', ''highest'')', '22P02'),
		('[seed 88] [seed 99]', 'INSERT INTO triage.tickets (description, category) VALUES (''x'', ''gardening'')', '23503 tickets_category_fkey'),
		('[seed 88] [seed 99]', 'SELECT triage.create_ticket(''x'', ''x'', category => ''gardening'')', '23503 tickets_category_fkey'),
		('[seed 88] [seed 99]', format('SELECT triage.update_ticket(%s, ''{"status": "done"}'')', :every), '22023'),
		('[seed 89] [seed 99]', 'INSERT INTO triage.tickets (subject, description) VALUES ('' '', '''')', '23514 tickets_text_not_empty'),
		('[seed 89] [seed 99]', 'INSERT INTO triage.tickets (description, resolution) VALUES (''x'', ''spam'')', '23514'),
		('[seed 89] [seed 99]', format('UPDATE triage.tickets SET status = ''open'' WHERE id = %s', :every), '23514'),
		('[seed 89] [seed 99]', 'INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by, unassigned_at) VALUES (''default'', 1, ''ann'', ''x'', ''2000-01-01'')', '23514 ticket_assignments_order'),
		('[seed 91] [seed 99]', 'INSERT INTO triage.tickets (description, requester_id) VALUES (''x'', ''nobody'')', '23503 tickets_requester_fkey'),
		('[seed 91] [seed 99]', 'INSERT INTO triage.tickets (description, assignee_id) VALUES (''x'', ''nobody'')', '23503 tickets_assignee_fkey'),
		('[seed 90] [seed 91]', 'DELETE FROM triage.people WHERE id = ''carl''', '23503 tickets_requester_fkey'),
		('[seed 90] [seed 91]', 'DELETE FROM triage.ticket_categories WHERE category = ''billing'' AND tenant_id = ''default''', '23503 tickets_category_fkey'),
		('[seed 92] [seed 99]', 'INSERT INTO triage.tickets (subject, description) VALUES (repeat(''x'', 999), '''')', '23514 tickets_subject_length'),
		('[seed 92] [seed 99]', 'INSERT INTO triage.tickets (description) VALUES (repeat(''x'', 1048577))', '23514 tickets_description_length'),
		('[seed 92] [seed 99]', 'INSERT INTO triage.people (id) VALUES ('''')', '23514 people_id_length'),
		('[seed 92] [seed 99]', 'INSERT INTO triage.people (id, email) VALUES (''x'', repeat(''x'', 321))', '23514 people_email_length')) c (items, command, outcome);
SELECT is(pg_temp.outcome('SELECT triage.assign_ticket(triage.create_ticket(''x'', ''x''), ''carl'')'), '23514', '[seed 89] a customer is no agent');

-- The timeline, and what a page reads ------------------------------------------------------------------------------------------------

SET LOCAL triage.auto_triage = off;
INSERT INTO triage.tickets (external_id, subject, description, requester_id, assignee_id, priority, category, status, created_at)
	SELECT 'n' || n, 'subject ' || n, CASE WHEN n % 1000 = 0 THEN 'needle' ELSE 'text' END, 'carl', CASE WHEN n % 50 = 0 THEN 'ann' END,
			(enum_range(NULL::triage.ticket_priority))[1 + n % 4], (ARRAY ['technical', 'billing', 'general', 'feature_request', 'bug_report'])[1 + n % 5],
			CASE WHEN n % 20 = 0 THEN 'in_progress' ELSE 'closed' END::triage.ticket_status, now() - n * interval '1 minute'
		FROM generate_series(1, 4000) n;
INSERT INTO triage.ticket_comments (ticket_id, author_role, visibility, content)
	SELECT t.id, 'agent', 'internal', 'x' FROM triage.tickets t WHERE t.external_id LIKE 'n%';
UPDATE triage.tickets SET tags = '{x}' WHERE external_id LIKE 'n%';
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply)
	SELECT 'default', t.id, 1, 'billing', 'low', 1, 'x' FROM triage.tickets t WHERE t.external_id LIKE 'n%';
INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by, unassigned_at)
	SELECT 'default', t.id, 'bob', 'x', now() FROM triage.tickets t WHERE t.external_id LIKE 'n%';
SET LOCAL session_replication_role = replica;		-- edits and links in number, without their triggers
INSERT INTO triage.comment_edits (tenant_id, comment_id, old_content, edited_by, session_role) SELECT 'default', c.id, 'x', 'x', 'x' FROM triage.ticket_comments c;
INSERT INTO triage.comment_attachments (comment_id, file_url, file_name) SELECT c.id, 'x', 'x' FROM triage.ticket_comments c;
INSERT INTO triage.ticket_links (ticket_id, kind, other_id) SELECT t.id, 'duplicate_of', t.id + 1 FROM triage.tickets t WHERE t.external_id LIKE 'n%' AND t.external_id <> 'n4000';
INSERT INTO triage.chat_sessions (customer_id, metadata) SELECT 'carl', jsonb_build_object('n', n) FROM generate_series(1, 2000) n;
INSERT INTO triage.chat_tickets (session_id, ticket_id) SELECT s.id, pg_temp.ticket('n' || (s.metadata ->> 'n')) FROM triage.chat_sessions s WHERE s.metadata ? 'n' AND s.metadata ->> 'n' <> '20';
INSERT INTO triage.chat_messages (session_id, content) SELECT s.id, 'x' FROM triage.chat_sessions s, generate_series(1, 5);
INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) SELECT m.id, '/x', 'x', 'x' FROM triage.chat_messages m WHERE m.id % 5 = 0;
INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, cause, created_by, session_role) SELECT 'default', t.id, 'policy', 'x', 'x' FROM triage.tickets t WHERE t.external_id LIKE 'n%' AND t.external_id <> 'n20';
RESET session_replication_role;
SELECT pg_temp.ticket('n20') AS t \gset
SELECT triage.edit_comment(triage.add_comment(:t, 'hello', 'carl'), 'hello!', 'carl');
SELECT triage.attach_to_comment((SELECT max(c.id) FROM triage.ticket_comments c), '/a.png', 'a.png', 'image/png', 5);
SELECT triage.update_ticket(:t, '{"priority": "urgent"}');
SELECT triage.assign_ticket(:t, 'ann'), triage.link_tickets(:t, 'related', pg_temp.ticket('n1'));
ANALYZE triage.chat_sessions, triage.chat_tickets, triage.chat_messages, triage.chat_attachments, triage.ticket_escalations;
ANALYZE triage.tickets, triage.ticket_comments, triage.ticket_history, triage.ticket_assignments, triage.ticket_ai_results, triage.comment_edits, triage.comment_attachments, triage.ticket_links;

SET LOCAL ROLE regress_triage_agent;
SELECT set_eq(format('SELECT l.kind, l.content FROM triage.ticket_timeline l WHERE l.ticket_id = %s', :t),
	$$VALUES ('created', 'subject 20'), ('comment', 'x'), ('comment', 'hello!'), ('change', 'tags'), ('change', 'priority'), ('assignment', 'ann'), ('assignment', 'bob'),
		('ai_result', NULL), ('link', 'subject 19'), ('link', 'subject 21'), ('link', 'subject 1')$$, '[seed 58] the timeline has all that happened');
SELECT results_eq(format($$SELECT l.actor, l.visibility::text, l.details ->> 'author_role', l.details ->> 'edited_at' IS NOT NULL, l.details -> 'attachments' FROM triage.ticket_timeline l
		WHERE l.ticket_id = %s AND l.kind = 'comment' AND l.content = 'hello!'$$, :t),
	$$VALUES ('carl', 'public', 'customer', true, '[{"byte_size": 5, "file_name": "a.png", "file_type": "image/png", "file_url": "/a.png"}]'::jsonb)$$, 'a comment with its files, and whether it was edited');
SELECT triage.start_session('carl', open_ticket => true) AS s \gset
SELECT triage.post_message(:s, 'my roof leaks') AS m \gset
SELECT triage.attach_file(:m, '/roof.png', 'roof.png', 'image/png', 7);
SELECT triage.post_message(:s, 'I pass you on', 'assistant');
SELECT triage.escalate_session(:s, 'customer_request', 'asks for a person') AS o \gset
SELECT triage.link_session(triage.start_session('carl'), :o, 'followup') > 0 AS linked \gset
SELECT triage.post_message(l.session_id, 'another matter') > 0 AS posted FROM triage.chat_tickets l WHERE l.ticket_id = :o AND l.relation = 'followup' \gset
SELECT results_eq(format($$SELECT l.kind, CASE WHEN l.kind = 'message' THEN l.actor END, l.content, l.details - '{session_role,session_id}'::text[] FROM triage.ticket_timeline l
		WHERE l.ticket_id = %s AND l.kind IN ('message', 'escalation') ORDER BY l.kind DESC, l.entry_id$$, :o),
	$$VALUES ('message', 'carl', 'my roof leaks', '{"role": "user", "attachments": [{"byte_size": 7, "file_name": "roof.png", "file_type": "image/png", "file_url": "/roof.png"}]}'::jsonb),
		('message', 'triage', 'I pass you on', '{"role": "assistant", "attachments": []}'),
		('escalation', NULL, 'asks for a person', '{"cause": "customer_request"}')$$,
	'[seed 58] so has it the messages of its own conversation, with their files, and why people took over');
SELECT is((SELECT l.details - 'session_role' FROM triage.ticket_timeline l WHERE l.ticket_id = :t AND l.content = 'priority'), '{"old": "low", "new": "urgent"}', 'a change with both values');
SELECT is((SELECT count(*) FROM triage.ticket_timeline l JOIN triage.tickets t ON t.id = l.ticket_id WHERE t.tenant_id = 'other'), 0::bigint, 'of the own tenant only');
SET LOCAL triage.tenant = 'other';
SELECT is_empty(format('SELECT FROM triage.ticket_timeline l WHERE l.ticket_id = %s', :t), 'another tenant sees nothing of it');
RESET triage.tenant;

CREATE FUNCTION pg_temp.plan(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	line text;
	answer text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || command LOOP
		answer := answer || line || E'\n';
	END LOOP;
	RETURN answer;
END
$$;
SELECT unalike(pg_temp.plan(c.command), '%Seq Scan on ' || c.what || '%', '[seed 73] ' || c.items || ' not read as a whole: ' || c.command)
	FROM (VALUES
		('[seed 58]', '', format('SELECT * FROM triage.ticket_timeline WHERE ticket_id = %s ORDER BY happened_at, entry_id', :t)),
		('[seed 58]', '', format('SELECT * FROM triage.linked_tickets WHERE ticket_id = %s', :t)),
		('[seed 43]', '', format('SELECT * FROM triage.helpdesk_tickets WHERE id = %s', :t)),
		('[seed 83]', '', 'SELECT * FROM triage.helpdesk_tickets WHERE assigned_to = ''ann'' AND status = ''in_progress'''),
		('[seed 83]', 'tickets', 'SELECT * FROM triage.inbox WHERE priority = ''urgent'' ORDER BY waiting_since LIMIT 20'),
		('[seed 84]', 'tickets', 'SELECT * FROM triage.inbox WHERE status = ''in_progress'' AND priority = ''high'' AND category = ''billing'' ORDER BY waiting_since LIMIT 20'),
		('[seed 84]', 'tickets', 'SELECT * FROM triage.tickets WHERE requester_id = ''carl'' AND created_at > now() - interval ''10 minutes'' ORDER BY created_at DESC LIMIT 20'),
		('[seed 86]', 'tickets', 'SELECT * FROM triage.tickets ORDER BY created_at DESC, id DESC LIMIT 20')) c (items, what, command);
-- a sequential scan would be seen
SELECT alike(pg_temp.plan('SELECT * FROM triage.ticket_timeline WHERE content = ''x'''), '%Seq Scan on %', '(one that must read it is seen)');
RESET ROLE;
SELECT alike(pg_temp.plan('SELECT t.id FROM triage.tickets t WHERE t.tenant_id = ''default'' AND t.search @@ ''needl'''), '%tickets_search%', '[seed 85] full text search over title and description has its index');
SET LOCAL ROLE regress_triage_agent;
SELECT is((SELECT count(*) FROM triage.search_tickets('needle')), 4::bigint, '[seed 85] and finds');
SELECT results_eq($$SELECT l.status::text, l.priority::text, l.category, count(*) FROM triage.list_tickets('{in_progress}', '{urgent,high}', '{billing,technical}', 'ann', 'carl', max_rows => 1000) l GROUP BY 1, 2, 3 ORDER BY 1, 2, 3$$,
	$$SELECT t.status::text, t.priority::text, t.category, count(*) FROM triage.tickets t
		WHERE t.status = 'in_progress' AND t.priority IN ('urgent', 'high') AND t.category IN ('billing', 'technical') AND t.assignee_id = 'ann' AND t.requester_id = 'carl' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3$$,
	'[seed 86] lists are filtered');
RESET ROLE;

-- The conversation is that of chat_tickets, which is not of this part's making: where it is not there, a table like it is.  Its
-- keys and triggers are left aside.
CREATE TABLE IF NOT EXISTS triage.chat_tickets (tenant_id text DEFAULT 'default', id bigint GENERATED ALWAYS AS IDENTITY, session_id bigint, ticket_id bigint, relation text DEFAULT 'origin');
SET LOCAL session_replication_role = replica;
INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (4711, :every);
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (4712, :every, 'related'), (4713, :a, 'related');
RESET session_replication_role;
SELECT triage.install_ticket_views();
SELECT results_eq(format('SELECT t.id, t.conversation_id FROM triage.helpdesk_tickets t WHERE t.id IN (%1$s, %2$s) ORDER BY t.conversation_id', :every, :a),
	format('VALUES (%s::bigint, 4711::bigint), (%s, NULL)', :every, :a), '[seed 50] [seed 77] a ticket''s conversation is the session that it began as');

-- Paging: the id of a row is enough to go on after it, and a client whose times have milliseconds only misses nothing.
SELECT set_config('triage.tenant', 'paged', false) FROM triage.create_tenant('paged', 'Paged');
INSERT INTO triage.tickets (subject, description) SELECT 'p' || n, 'd' FROM generate_series(1, 9) n;
UPDATE triage.tickets SET deleted_at = now() WHERE subject = 'p4';
CREATE FUNCTION pg_temp.paged(known text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	page record;
	seen text := '';
	at timestamptz;
	last bigint;
	went_on boolean := true;
BEGIN
	WHILE went_on LOOP
		went_on := false;
		FOR page IN SELECT * FROM triage.list_tickets(max_rows => 2, after_created_at => date_trunc(known, at), after_id => last) LOOP
			at := page.created_at;
			last := page.id;
			seen := concat_ws(' ', nullif(seen, ''), page.subject);
			went_on := true;
		END LOOP;
		seen := seen || ',';
	END LOOP;
	RETURN seen;
END
$$;
SELECT is(pg_temp.paged(p.known), 'p9 p8, p7 p6, p5 p3, p2 p1,,', 'all pages, of the time the client knows ' || coalesce(p.known, 'nothing'))
	FROM (VALUES ('microseconds'), ('milliseconds'), (NULL)) p (known);
SELECT is((SELECT string_agg(l.subject, ' ') FROM triage.list_tickets(after_id => (SELECT t.id FROM triage.tickets t WHERE t.subject = 'p4')) l), 'p3 p2 p1',
	'after one that was deleted meanwhile');
RESET triage.tenant;
SELECT finish();
ROLLBACK;
