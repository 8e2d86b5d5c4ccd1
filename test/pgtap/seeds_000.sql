-- What the support tickets with escalation ask for beyond what handoff.sql and chat.sql show (test/seeds/items.tsv, 1 to
-- 41): types that clients are made from, keys, the five queries that its indexes are for, and what is built on it.
\ir prepare.psql
\ir seeds.psql
SELECT no_plan();

-- The model, as a client's generator sees it ------------------------------------------------------------------------------------------

SELECT is(pg_temp.columns('support_tickets'), 'id bigint, conversation_id bigint, client_id text, assigned_to_id text, status triage.support_status, escalation_reason text, '
	'initial_summary text, opened_at timestamp with time zone, assigned_at timestamp with time zone, closed_at timestamp with time zone, tenant_id text',
	'SupportTicket has its columns, each with a type of its own [seed 1] [seed 7] [seed 8] [seed 9] [seed 10] [seed 11] [seed 32] [seed 36]');
SELECT results_eq('SELECT unnest(enum_range(NULL::triage.support_status))::text',
	'{OPEN_AI_HANDLING,PENDING_HUMAN_ASSIGNMENT,ACTIVE_HUMAN_CHAT,CLOSED_RESOLVED,CLOSED_BY_CLIENT}'::text[], 'TicketStatus is an enum of five [seed 18] [seed 36]');
SELECT is(pg_temp.primary_key('tickets'), 'PRIMARY KEY (id, tenant_id)', 'a ticket is known by its id [seed 2]');
SELECT is(pg_temp.about('tickets', 'created_at'), 'timestamp with time zone NOT NULL DEFAULT now()', 'and is opened now, if no other time is said [seed 9]');
SELECT is(pg_temp.refers(k.relation, k.col), k.definition, format('%s.%s refers to %s %s', k.relation, k.col, k.target, k.items))
	FROM (VALUES
		('tickets', 'requester_id', 'a person', 'FOREIGN KEY (tenant_id, requester_id) REFERENCES triage.people(tenant_id, id)', '[seed 4] [seed 22] [seed 28] [seed 34]'),
		('tickets', 'assignee_id', 'a person', 'FOREIGN KEY (tenant_id, assignee_id) REFERENCES triage.people(tenant_id, id)', '[seed 5] [seed 22] [seed 28] [seed 34]'),
		('chat_tickets', 'session_id', 'a session', 'FOREIGN KEY (tenant_id, session_id) REFERENCES triage.chat_sessions(tenant_id, id) ON DELETE CASCADE', '[seed 3] [seed 22] [seed 28] [seed 34]'),
		('chat_tickets', 'ticket_id', 'a ticket', 'FOREIGN KEY (tenant_id, ticket_id) REFERENCES triage.tickets(tenant_id, id) ON DELETE CASCADE', '[seed 21] [seed 28] [seed 34]'))
		k (relation, col, target, definition, items);
SELECT is((SELECT i.indexdef FROM pg_indexes i WHERE i.schemaname = 'triage' AND i.indexname = 'chat_tickets_one_origin'),
	'CREATE UNIQUE INDEX chat_tickets_one_origin ON triage.chat_tickets USING btree (tenant_id, session_id) WHERE (relation = ''origin''::triage.session_link)',
	'a conversation has one ticket [seed 3] [seed 21] [seed 23]');

-- A generator reads catalogs.  What it would have to leave out: a column of a type that it does not know, a table without a key, a label that makes no name.
SELECT is_empty($$SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'v') AND t.typtype NOT IN ('b', 'e')$$,
	'every column is of a base type or an enum [seed 35] [seed 36]');
SELECT is_empty($$SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind = 'r'
		AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p')$$, 'every table has a primary key [seed 35]');
SELECT is_empty($$SELECT t.typname FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typnamespace = 'triage'::regnamespace
		GROUP BY t.typname, regexp_replace(e.enumlabel, '\W', '_', 'g') HAVING count(*) > 1 OR min(e.enumlabel) !~ '^[A-Za-z]'$$,
	'every label makes a name, and no two of a type the same [seed 35]');

-- Types and constraints refuse what they do not mean: a value of each wrong kind, by plain SQL and through functions.
INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('carl', 'customer');
SELECT triage.create_ticket('printer', 'jams', 'carl', external_id => 'typed') AS typed \gset
SELECT is(pg_temp.outcome(format(c.command, :typed)), c.outcome, format('%s [seed 36] [seed 32]', c.command))
	FROM (VALUES
		('UPDATE triage.tickets SET status = ''PENDING_HUMAN_ASSIGNMENT'' WHERE id = %s', '22P02'),
		('UPDATE triage.tickets SET handler = ''bot'' WHERE id = %s', '22P02'),
		('UPDATE triage.tickets SET created_at = ''soon'' WHERE id = %s', '22007'),
		('UPDATE triage.tickets SET created_at = NULL WHERE id = %s', '23502'),
		('UPDATE triage.tickets SET public_id = ''not-a-uuid'' WHERE id = %s', '22P02'),
		('UPDATE triage.tickets SET custom_fields = ''[]'' WHERE id = %s', '23514 tickets_custom_fields_object'),
		('UPDATE triage.tickets SET assignee_id = ''nobody'' WHERE id = %s', '23503 tickets_assignee_fkey'),
		('SELECT triage.assign_ticket(%s, ''carl'')', '23514'),
		('SELECT triage.create_ticket(''x'', ''x'', priority => ''whenever'')', '22P02'),
		('SELECT triage.update_ticket(%s, ''{"status": 1}'')', '22023'),
		('SELECT triage.update_ticket(%s, ''{"colour": "red"}'')', '22023')) c (command, outcome);

-- The queries that its indexes are for ------------------------------------------------------------------------------------------------

INSERT INTO triage.people (id, role) SELECT 'agent' || i, 'agent' FROM generate_series(0, 19) i;
INSERT INTO triage.people (id) SELECT 'customer' || i FROM generate_series(0, 199) i;
SET LOCAL session_replication_role = replica;
INSERT INTO triage.tickets (description, requester_id, assignee_id, status, resolution, resolved_at, waiting_since, created_at)
	SELECT 'text ' || i, 'customer' || i % 200, CASE i % 2 WHEN 0 THEN 'agent' || i % 20 END, CASE WHEN i % 10 < 9 THEN 'resolved' ELSE 'open' END::triage.ticket_status,
			CASE WHEN i % 10 < 9 THEN 'resolved' END::triage.ticket_resolution, CASE WHEN i % 10 < 9 THEN now() END, now() - i * interval '1 hour', now() - i * interval '1 hour'
		FROM generate_series(1, 4000) i;
INSERT INTO triage.chat_sessions (customer_id) SELECT t.requester_id FROM triage.tickets t WHERE t.description LIKE 'text %' ORDER BY t.id;
INSERT INTO triage.chat_tickets (session_id, ticket_id)
	SELECT s.id, t.id FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM triage.chat_sessions) s
		JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM triage.tickets t WHERE t.description LIKE 'text %') t USING (n);
SET LOCAL session_replication_role = origin;
ANALYZE triage.tickets, triage.chat_sessions, triage.chat_tickets, triage.people;
SELECT t.id AS some, t.requester_id AS client, o.session_id AS conversation FROM triage.tickets t JOIN triage.chat_tickets o ON o.ticket_id = t.id
	WHERE t.description = 'text 2000' \gset
CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SET LOCAL ROLE regress_triage_agent;
SELECT matches(pg_temp.path(q.query), '^(?!.*all of tickets\M).*\m' || q.index || '\M', format('%s by index %s', q.name, q.items))
	FROM (VALUES
		('the ticket of a conversation', '[seed 23]', 'chat_tickets_(one_origin|pair_key)', format('SELECT s.id FROM triage.support_tickets s WHERE s.conversation_id = %s', :conversation)),
		('a client''s tickets', '[seed 24] [seed 39]', 'tickets_requester', format('SELECT s.id FROM triage.support_tickets s WHERE s.client_id = %L', :'client')),
		('an agent''s tickets', '[seed 25] [seed 39]', 'tickets_assignee', 'SELECT t.id FROM triage.tickets t WHERE t.assignee_id = ''agent4'' AND t.status NOT IN (''resolved'', ''closed'')'),
		('what is not over', '[seed 26] [seed 39]', 'tickets_inbox', 'SELECT i.id FROM triage.inbox i ORDER BY i.waiting_since LIMIT 50'),
		('by the time of opening', '[seed 27]', 'tickets_created', 'SELECT t.id FROM triage.tickets t ORDER BY t.created_at DESC LIMIT 50')) q (name, items, index, query);
SELECT results_eq(format('SELECT s.id, s.client_id FROM triage.support_tickets s WHERE s.conversation_id = %s', :conversation), format('VALUES (%s::bigint, %L)', :some, :'client'),
	'and it is that one [seed 3] [seed 21]');
SELECT is((SELECT count(*) FROM triage.support_tickets s WHERE s.client_id = :'client'), 20::bigint, 'a client has many [seed 19]');
SELECT is((SELECT count(*) FROM triage.support_tickets s WHERE s.assigned_to_id = 'agent4'), 200::bigint, 'so has an agent [seed 20]');
RESET ROLE;

-- Migration, and what is built on it ----------------------------------------------------------------------------------------------------

SELECT is((SELECT string_agg(concat_ws(' ', o.kind, o.name), ', ' ORDER BY o.kind, o.name)
		FROM (VALUES ('type', 'support_status'), ('type', 'ticket_status'), ('table', 'chat_sessions'), ('table', 'chat_tickets'), ('table', 'people'), ('table', 'tickets'), ('view', 'support_tickets'),
			('index', 'chat_tickets_one_origin'), ('index', 'tickets_requester'), ('index', 'tickets_assignee'), ('index', 'tickets_created'),
			('key', 'tickets_requester_fkey'), ('key', 'tickets_assignee_fkey'), ('key', 'chat_tickets_session_fkey')) o (kind, name)
		WHERE NOT CASE o.kind
			WHEN 'type' THEN EXISTS (SELECT FROM pg_type t WHERE t.oid = to_regtype('triage.' || o.name) AND t.typtype = 'e')
			WHEN 'key' THEN EXISTS (SELECT FROM pg_constraint k WHERE k.conname = o.name AND k.contype = 'f' AND k.convalidated)
			ELSE to_regclass('triage.' || o.name) IS NOT NULL END), NULL, 'one script makes types, tables, indexes and foreign keys [seed 31] [seed 33]');
SELECT is_empty($$SELECT f.name FROM unnest('{start_session,post_message,escalate_session,escalate_ticket,hand_back_to_ai,assign_ticket,resolve_ticket,close_ticket,end_session}'::text[]) f (name)
		WHERE NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = to_regproc('triage.' || f.name) AND obj_description(p.oid, 'pg_proc') <> '')$$,
	'the API is functions, each with a word on what it does [seed 41]');
SELECT is((SELECT string_agg(DISTINCT e.enumlabel, ' ' ORDER BY e.enumlabel) FROM pg_enum e WHERE e.enumtypid = 'triage.job_kind'::regtype AND e.enumlabel IN ('chat_reply', 'summarize', 'triage')),
	'chat_reply summarize triage', 'the model answers, sums up and sorts [seed 41]');
SELECT finish();
ROLLBACK;
