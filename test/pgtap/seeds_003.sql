-- What the schema of the chat-ticket system asks for (test/seeds/items.tsv, 161 to 196), item by item: the columns of its
-- four tables, its keys, its indexes and its values.  What people do with them is in chat.sql.
\ir prepare.psql
\ir seeds.psql
SELECT no_plan();

-- Columns ------------------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.about(c.relation, c.name), c.about, format('%s.%s %s', c.relation, c.name, c.items))
	FROM (VALUES
		('chat_sessions', 'id', 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY', '[seed 161] [seed 162] [seed 194]'),
		('chat_sessions', 'public_id', 'uuid NOT NULL DEFAULT gen_random_uuid()', '[seed 162]'),
		('chat_sessions', 'tenant_id', 'text NOT NULL DEFAULT triage.current_tenant()', '[seed 163] [seed 194]'),
		('chat_sessions', 'status', 'triage.session_status NOT NULL DEFAULT ''active''::triage.session_status', '[seed 164] [seed 194]'),
		('chat_sessions', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 166]'),
		('chat_sessions', 'updated_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 166]'),
		('chat_messages', 'id', 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY', '[seed 168] [seed 194]'),
		('chat_messages', 'session_id', 'bigint NOT NULL', '[seed 169]'),
		('chat_messages', 'content', 'text NOT NULL', '[seed 170] [seed 194]'),
		('chat_messages', 'role', 'triage.message_role NOT NULL DEFAULT ''user''::triage.message_role', '[seed 171] [seed 194]'),
		('chat_messages', 'metadata', 'jsonb', '[seed 172]'),
		('chat_messages', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 173]'),
		('chat_attachments', 'id', 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY', '[seed 175] [seed 194]'),
		('chat_attachments', 'message_id', 'bigint NOT NULL', '[seed 176]'),
		('chat_attachments', 'file_url', 'text NOT NULL', '[seed 177] [seed 194]'),
		('chat_attachments', 'file_name', 'text NOT NULL', '[seed 177] [seed 194]'),
		('chat_attachments', 'file_type', 'text NOT NULL', '[seed 177] [seed 194]'),
		('chat_attachments', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 178]'),
		('chat_tickets', 'id', 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY', '[seed 180] [seed 194]'),
		('chat_tickets', 'session_id', 'bigint NOT NULL', '[seed 181]'),
		('chat_tickets', 'ticket_id', 'bigint NOT NULL', '[seed 182]'),
		('chat_tickets', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 183]')) c (relation, name, about, items);
SELECT is(pg_temp.about('chat_overview', 'has_ticket'), 'boolean', 'has_ticket is what the rows say [seed 165]');
SELECT is(pg_temp.primary_key(k.relation), 'PRIMARY KEY (id, tenant_id)', format('%s.id is the key %s', k.relation, k.item))
	FROM (VALUES ('chat_sessions', '[seed 162]'), ('chat_messages', '[seed 168]'), ('chat_attachments', '[seed 175]'), ('chat_tickets', '[seed 180]')) k (relation, item);
SELECT is(pg_temp.refers(k.relation, k.col), format('FOREIGN KEY (tenant_id, %s) REFERENCES triage.%s(tenant_id, id) ON DELETE CASCADE', k.col, k.target),
		format('%s.%s refers to %s [seed 193] %s', k.relation, k.col, k.target, k.item))
	FROM (VALUES ('chat_messages', 'session_id', 'chat_sessions', '[seed 169]'), ('chat_attachments', 'message_id', 'chat_messages', '[seed 176]'),
		('chat_tickets', 'session_id', 'chat_sessions', '[seed 181]'), ('chat_tickets', 'ticket_id', 'tickets', '[seed 182]')) k (relation, col, target, item);
SELECT is(pg_temp.refers('chat_sessions', 'tenant_id') ~ '^FOREIGN KEY \(tenant_id\) REFERENCES triage.tenants\(id\)', true, 'a session''s tenant is one that is known [seed 163]');

-- Rows ----------------------------------------------------------------------------------------------------------------------------

INSERT INTO triage.chat_sessions DEFAULT VALUES RETURNING id AS s, public_id AS outside \gset
INSERT INTO triage.chat_sessions (updated_at) VALUES ('2001-01-01') RETURNING id AS u \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:s, 'hello') RETURNING id AS m \gset
INSERT INTO triage.chat_messages (session_id, role, content, metadata) VALUES (:s, 'assistant', 'how can I help?', '{"model": "m", "tokens": [1, 2]}') RETURNING id AS reply \gset
INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) VALUES (:m, 'https://files.example/a.png', 'a.png', 'image/png') RETURNING id AS a \gset
SELECT triage.create_ticket('one', 'x') AS one, triage.create_ticket('two', 'x') AS two \gset
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (:s, :one, 'related') RETURNING id AS link \gset
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (:s, :two, 'related'), (:u, :one, 'related');
SELECT results_eq('SELECT s.status::text, s.tenant_id, s.created_at = now(), s.public_id IS NOT NULL FROM triage.chat_sessions s WHERE s.id = ' || :s,
	$$VALUES ('active', 'default', true, true)$$, 'a session needs nothing but what it has by default [seed 161] [seed 162] [seed 163] [seed 164]');
SELECT isnt(:'outside', (SELECT s.public_id::text FROM triage.chat_sessions s WHERE s.id = :u), 'each has an id of its own [seed 162]');
SELECT results_eq('SELECT m.role::text, m.content, m.created_at = now() FROM triage.chat_messages m WHERE m.id = ' || :m, $$VALUES ('user', 'hello', true)$$,
	'a message is its session and its text [seed 167] [seed 168] [seed 173]');
SELECT is((SELECT m.metadata FROM triage.chat_messages m WHERE m.id = :reply), '{"model": "m", "tokens": [1, 2]}', 'and what the AI adds [seed 172]');
SELECT results_eq('SELECT a.file_url, a.file_name, a.file_type, a.created_at = now() FROM triage.chat_attachments a WHERE a.id = ' || :a,
	$$VALUES ('https://files.example/a.png', 'a.png', 'image/png', true)$$, 'an attachment is where and what it is [seed 174] [seed 177] [seed 178]');
SELECT results_eq('SELECT l.ticket_id, l.created_at = now() FROM triage.chat_tickets l WHERE l.id = ' || :link, format('VALUES (%s::bigint, true)', :one),
	'a link is a session and a ticket [seed 179] [seed 180] [seed 183]');
SELECT results_eq('SELECT (SELECT count(*) FROM triage.chat_tickets l WHERE l.session_id = ' || :s || '), (SELECT count(*) FROM triage.chat_tickets l WHERE l.ticket_id = ' || :one || ')',
	'VALUES (2::bigint, 2::bigint)', 'a session has many tickets, a ticket many sessions [seed 192]');
SELECT is((SELECT o.has_ticket FROM triage.chat_overview o WHERE o.id = :s), true, 'it has one, so the overview says [seed 165]');
UPDATE triage.chat_sessions SET language = 'de' WHERE id = :u;
SELECT cmp_ok((SELECT s.updated_at FROM triage.chat_sessions s WHERE s.id = :u), '>=', now(), 'an update sets updated_at, whoever the client is [seed 166]');

-- What is refused --------------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome(c.command), c.outcome, c.items || ' ' || c.command)
	FROM (VALUES
		('[seed 163] [seed 194]', 'INSERT INTO triage.chat_sessions (tenant_id) VALUES (NULL)', '23502'),
		('[seed 163]', 'INSERT INTO triage.chat_sessions (tenant_id) VALUES (''nowhere'')', '23503 chat_sessions_tenant_fkey'),
		('[seed 164] [seed 194]', 'INSERT INTO triage.chat_sessions (status) VALUES (NULL)', '23502'),
		('[seed 190]', 'INSERT INTO triage.chat_sessions (status) VALUES (''open'')', '22P02'),
		('[seed 170] [seed 194]', format('INSERT INTO triage.chat_messages (session_id, content) VALUES (%s, NULL)', :s), '23502'),
		('[seed 171] [seed 194]', format('INSERT INTO triage.chat_messages (session_id, role, content) VALUES (%s, NULL, ''x'')', :s), '23502'),
		('[seed 171] [seed 191]', format('INSERT INTO triage.chat_messages (session_id, role, content) VALUES (%s, ''bot'', ''x'')', :s), '22P02'),
		('[seed 172]', format('INSERT INTO triage.chat_messages (session_id, content, metadata) VALUES (%s, ''x'', ''1'')', :s), '23514 chat_messages_metadata_object'),
		('[seed 176] [seed 193]', 'INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) VALUES (-1, ''/a'', ''a'', ''text/plain'')', '23503 chat_attachments_message_fkey'),
		('[seed 177] [seed 194]', format('INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) VALUES (%s, NULL, ''a'', ''text/plain'')', :m), '23502'),
		('[seed 177] [seed 194]', format('INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) VALUES (%s, ''/a'', NULL, ''text/plain'')', :m), '23502'),
		('[seed 177] [seed 194]', format('INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) VALUES (%s, ''/a'', ''a'', NULL)', :m), '23502'),
		('[seed 181] [seed 193]', format('INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (-1, %s)', :one), '23503 chat_tickets_session_fkey'),
		('[seed 182] [seed 193]', format('INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (%s, -1)', :u), '23503 chat_tickets_ticket_fkey'),
		('[seed 181] [seed 194]', format('INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (NULL, %s)', :one), '23502'),
		('[seed 182] [seed 194]', format('INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (%s, NULL)', :u), '23502'),
		('[seed 192]', format('INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (%s, %s, ''related'')', :s, :one), '23505 chat_tickets_pair_key'),
		('[seed 168] [seed 194]', format('INSERT INTO triage.chat_messages (id, session_id, content) VALUES (NULL, %s, ''x'')', :s), '428C9'),
		('[seed 169] [seed 193]', 'INSERT INTO triage.chat_messages (session_id, content) VALUES (-1, ''x'')', 'P0002')) c (items, command, outcome);
SELECT results_eq('SELECT unnest(enum_range(NULL::triage.session_status))::text', '{active,resolved,archived}'::text[], 'the states of a session [seed 190]');
SELECT cmp_ok(enum_range(NULL::triage.message_role)::text[], '@>', '{user,assistant}'::text[], 'the roles, with user and assistant [seed 171] [seed 191]');

-- What goes with what ------------------------------------------------------------------------------------------------------------------

DELETE FROM triage.chat_messages WHERE id = :m;
SELECT is_empty('SELECT FROM triage.chat_attachments a WHERE a.id = ' || :a, 'a message''s attachments go with it [seed 176]');
DELETE FROM triage.tickets WHERE id = :two;
SELECT is((SELECT count(*) FROM triage.chat_tickets l WHERE l.session_id = :s), 1::bigint, 'a ticket''s links go with it, the session stays [seed 182]');
DELETE FROM triage.chat_sessions WHERE id = :s;
SELECT is((SELECT count(*) FROM triage.chat_messages m WHERE m.session_id = :s) + (SELECT count(*) FROM triage.chat_tickets l WHERE l.session_id = :s), 0::bigint,
	'a session''s messages and links do [seed 169] [seed 181]');
SELECT is((SELECT count(*) FROM triage.tickets t WHERE t.id = :one), 1::bigint, 'its tickets stay [seed 181]');

-- Indexes --------------------------------------------------------------------------------------------------------------------------------

DELETE FROM triage.chat_tickets;
SET LOCAL session_replication_role = replica;
INSERT INTO triage.chat_sessions (customer_id) SELECT NULL FROM generate_series(1, 2000);
INSERT INTO triage.chat_messages (session_id, role, content)
	SELECT s.id, CASE n WHEN 1 THEN 'user' ELSE 'assistant' END::triage.message_role, 'message ' || n || CASE s.id % 500 WHEN 0 THEN ' about walruses' ELSE '' END
		FROM triage.chat_sessions s, generate_series(1, 2) n;
INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) SELECT m.id, '/a', 'a', 'text/plain' FROM triage.chat_messages m WHERE m.id % 2 = 0;
INSERT INTO triage.tickets (description) SELECT 'x' FROM generate_series(1, 2000);
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation)
	SELECT s.id, t.id, 'related' FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM triage.chat_sessions) s
		JOIN (SELECT id, row_number() OVER (ORDER BY id) AS n FROM triage.tickets) t USING (n);
SET LOCAL session_replication_role = origin;
SELECT gin_clean_pending_list('triage.chat_messages_search') AS cleaned \gset
ANALYZE triage.chat_sessions, triage.chat_messages, triage.chat_attachments, triage.chat_tickets, triage.tickets;
SELECT is(pg_temp.path(q.query), q.path, format('%s %s', q.name, q.items))
	FROM (VALUES
		('a tenant''s sessions, the newest first', '[seed 184]', 'chat_sessions_recent',
			'SELECT * FROM triage.chat_sessions s WHERE s.tenant_id = ''default'' ORDER BY s.updated_at DESC, s.id DESC LIMIT 50'),
		('a session''s messages, in their order', '[seed 185]', 'chat_messages_session',
			'SELECT * FROM triage.chat_messages m WHERE m.tenant_id = ''default'' AND m.session_id = 500 ORDER BY m.id LIMIT 50'),
		('a message''s attachments', '[seed 186]', 'chat_attachments_message',
			'SELECT * FROM triage.chat_attachments a WHERE a.tenant_id = ''default'' AND a.message_id = 500'),
		('a session''s tickets', '[seed 187]', 'chat_tickets_pair_key',
			'SELECT * FROM triage.chat_tickets l WHERE l.tenant_id = ''default'' AND l.session_id = 500'),
		('a ticket''s sessions', '[seed 188]', 'chat_tickets_ticket',
			'SELECT * FROM triage.chat_tickets l WHERE l.tenant_id = ''default'' AND l.ticket_id = 500'),
		('the words of a message', '[seed 189]', 'chat_messages_search',
			'SELECT * FROM triage.chat_messages m WHERE m.search @@ to_tsquery(''english'', ''walrus'')')) q (name, items, path, query);
SELECT is(i.indexdef, 'CREATE INDEX chat_messages_search ON triage.chat_messages USING gin (search)', 'by a GIN index [seed 189]')
	FROM pg_indexes i WHERE i.schemaname = 'triage' AND i.indexname = 'chat_messages_search';
SELECT is((SELECT m.search FROM triage.chat_messages m WHERE m.id = (SELECT max(x.id) FROM triage.chat_messages x)), to_tsvector('english', 'message 2'),
	'over English stems where no language is said [seed 189]');

-- Tenants, and migrations ----------------------------------------------------------------------------------------------------------------

SELECT triage.create_tenant('two') IS NULL AS created \gset
INSERT INTO triage.chat_sessions (tenant_id) VALUES ('two') RETURNING id AS theirs \gset
CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SET LOCAL ROLE regress_triage_agent;
SELECT is((SELECT count(*) FROM triage.chat_sessions s WHERE s.id = :theirs), 0::bigint, 'another tenant''s session is not seen [seed 195]');
SET LOCAL triage.tenant = 'two';
SELECT results_eq('SELECT s.id FROM triage.chat_sessions s', format('VALUES (%s::bigint)', :theirs), 'its own is, and no other [seed 195]');
RESET ROLE;
RESET triage.tenant;
SELECT is((SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relname IN
		('chat_attachments', 'chat_messages', 'chat_sessions', 'chat_tickets') AND c.relkind = 'r' AND c.relrowsecurity
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),
	'chat_attachments chat_messages chat_sessions chat_tickets', 'the tables are ordinary ones that a migration tool sees, each with row security [seed 195] [seed 196]');
SELECT is((SELECT max(v.version) FROM triage.schema_version v), 1, 'and their version is on record, for the extension''s updates to go by [seed 196]');
SELECT finish();
ROLLBACK;
