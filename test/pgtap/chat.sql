-- Chat: sessions, messages, attachments, links; what each function does and refuses, and that a plain INSERT does the same.
\ir prepare.psql
SELECT no_plan();
SET LOCAL triage.actor = 'tester';

-- A command's outcome with its message, numbers made N.
CREATE FUNCTION pg_temp.told(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '\d+', 'N', 'g') || CASE WHEN hint = '' THEN ' (no hint)' ELSE '' END;
END
$$;
-- The reply that is owed in a session: its fence and whether it runs.
CREATE FUNCTION pg_temp.owed(session bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT coalesce((SELECT format('fence %s %s', j.fence, CASE WHEN j.lease_until > clock_timestamp() THEN 'runs' ELSE 'waits' END)
		FROM triage.ai_jobs j WHERE j.session_id = session AND j.kind = 'chat_reply'), 'none')
$$;
CREATE FUNCTION pg_temp.origin(session bigint) RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT l.ticket_id FROM triage.chat_tickets l WHERE l.session_id = session AND l.relation = 'origin'
$$;
-- The ticket of a session, in short.
CREATE FUNCTION pg_temp.ticket_of(session bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT concat_ws(' ', t.status, t.resolution, t.handler, CASE WHEN t.waiting_since IS NULL THEN 'answered' ELSE 'waiting' END)
		FROM triage.tickets t WHERE t.id = pg_temp.origin(session)
$$;
CREATE FUNCTION pg_temp.claim_reply(session bigint) RETURNS void
	LANGUAGE sql
AS $$
	UPDATE triage.ai_jobs j SET lease_until = clock_timestamp() + interval '1 hour', fence = j.fence + 1, slot = 0, attempts = 1
		WHERE j.session_id = session AND j.kind = 'chat_reply'
$$;
CREATE FUNCTION pg_temp.lock_state(session bigint, version bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT l.state FROM triage.lock_chat_reply('{default}', ARRAY[NULL::bigint], ARRAY[session], '{NULL}', ARRAY[version]) l
$$;
CREATE FUNCTION pg_temp.spoken(session bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT array_to_string(r.speakers, ' ') || ': ' || array_to_string(r.texts, ' | ') FROM triage.read_chat_reply('default', NULL, session, NULL) r
$$;

-- The tables: every column, key and index that was asked for ---------------------------------------------------------------

SELECT is((SELECT format('%s%s', format_type(c.atttypid, c.atttypmod), CASE WHEN c.attnotnull THEN ' NOT NULL' END || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), ''))
		FROM pg_attribute c LEFT JOIN pg_attrdef d ON d.adrelid = c.attrelid AND d.adnum = c.attnum AND c.attgenerated = ''
		WHERE c.attrelid = ('triage.' || v.relation)::regclass AND c.attname = v.col), v.definition, format('%s.%s %s', v.relation, v.col, v.seeds))
	FROM (VALUES
		('chat_sessions', 'id', 'bigint NOT NULL', '[seed 162] [seed 194]'),
		('chat_sessions', 'public_id', 'uuid NOT NULL DEFAULT gen_random_uuid()', '[seed 162]'),
		('chat_sessions', 'tenant_id', 'text NOT NULL DEFAULT triage.current_tenant()', '[seed 163] [seed 194]'),
		('chat_sessions', 'status', 'triage.session_status NOT NULL DEFAULT ''active''::triage.session_status', '[seed 164] [seed 194]'),
		('chat_sessions', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 166]'),
		('chat_sessions', 'updated_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 166]'),
		('chat_messages', 'id', 'bigint NOT NULL', '[seed 168] [seed 194]'),
		('chat_messages', 'session_id', 'bigint NOT NULL', '[seed 169]'),
		('chat_messages', 'content', 'text NOT NULL', '[seed 170] [seed 194]'),
		('chat_messages', 'role', 'triage.message_role NOT NULL DEFAULT ''user''::triage.message_role', '[seed 171] [seed 194]'),
		('chat_messages', 'metadata', 'jsonb', '[seed 172]'),
		('chat_messages', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 173]'),
		('chat_attachments', 'id', 'bigint NOT NULL', '[seed 175] [seed 194]'),
		('chat_attachments', 'message_id', 'bigint NOT NULL', '[seed 176]'),
		('chat_attachments', 'file_url', 'text NOT NULL', '[seed 177] [seed 194]'),
		('chat_attachments', 'file_name', 'text NOT NULL', '[seed 177] [seed 194]'),
		('chat_attachments', 'file_type', 'text NOT NULL', '[seed 177] [seed 194]'),
		('chat_attachments', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 178]'),
		('chat_tickets', 'id', 'bigint NOT NULL', '[seed 180] [seed 194]'),
		('chat_tickets', 'session_id', 'bigint NOT NULL', '[seed 3] [seed 29] [seed 181]'),
		('chat_tickets', 'ticket_id', 'bigint NOT NULL', '[seed 182]'),
		('chat_tickets', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 183]')) AS v (relation, col, definition, seeds);
SELECT is((SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.connamespace = 'triage'::regnamespace AND k.conname = v.name), v.definition, v.name || ' ' || v.seeds)
	FROM (VALUES
		('chat_messages_session_fkey', 'FOREIGN KEY (tenant_id, session_id) REFERENCES triage.chat_sessions(tenant_id, id) ON DELETE CASCADE', '[seed 169] [seed 193]'),
		('chat_attachments_message_fkey', 'FOREIGN KEY (tenant_id, message_id) REFERENCES triage.chat_messages(tenant_id, id) ON DELETE CASCADE', '[seed 176] [seed 193]'),
		('chat_tickets_session_fkey', 'FOREIGN KEY (tenant_id, session_id) REFERENCES triage.chat_sessions(tenant_id, id) ON DELETE CASCADE', '[seed 181] [seed 193]'),
		('chat_tickets_ticket_fkey', 'FOREIGN KEY (tenant_id, ticket_id) REFERENCES triage.tickets(tenant_id, id) ON DELETE CASCADE', '[seed 182] [seed 193]')) AS v (name, definition, seeds);
SELECT is((SELECT regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', '') FROM pg_index i WHERE i.indexrelid = to_regclass('triage.' || v.name)), v.definition, v.name || ' ' || v.seeds)
	FROM (VALUES
		('chat_sessions_recent', 'btree (tenant_id, updated_at DESC, id DESC)', '[seed 184]'),
		('chat_messages_session', 'btree (tenant_id, session_id, id)', '[seed 185]'),
		('chat_attachments_message', 'btree (tenant_id, message_id)', '[seed 186]'),
		('chat_tickets_pair_key', 'btree (tenant_id, session_id, ticket_id)', '[seed 187]'),
		('chat_tickets_ticket', 'btree (tenant_id, ticket_id)', '[seed 188]'),
		('chat_messages_search', 'gin (search)', '[seed 189]')) AS v (name, definition, seeds);
SELECT is(pg_temp.told($$SELECT triage.install()$$), 'ok', 'the extension''s own script makes and mends them, again and again [seed 196]');

-- Starting ---------------------------------------------------------------------------------------------------------------

SELECT triage.start_session('carl', language => 'de', metadata => '{"page": "/help"}', customer_email => 'carl@example.com') AS s \gset
SELECT is((SELECT concat_ws(' ', s.status, s.customer_id, s.language, s.metadata, s.ended_at) FROM triage.chat_sessions s WHERE s.id = :s),
	'active carl de {"page": "/help"}', 'start_session() makes an active session [seed 161] [seed 164]');
SELECT is((SELECT p.role || ' ' || p.email FROM triage.people p WHERE p.id = 'carl'), 'customer carl@example.com', 'and the customer, on first sight [seed 12]');
SELECT is(pg_temp.origin(:s), NULL, 'without a ticket');
SELECT isnt((SELECT s.public_id FROM triage.chat_sessions s WHERE s.id = :s), NULL, 'with an id to be shown outside [seed 162]');
SELECT triage.start_session('carl', open_ticket => true) AS t \gset
SELECT is(pg_temp.ticket_of(:t), 'open ai waiting', 'open_ticket opens the ticket at once, handled by the AI [seed 13] [seed 37]');
SELECT is((SELECT concat_ws(' ', t.source, t.requester_id, t.subject, '"' || t.description || '"') FROM triage.tickets t WHERE t.id = pg_temp.origin(:t)),
	'chat carl Chat ""', 'of source chat, of the customer, without a text yet [seed 3] [seed 4]');
SELECT is_empty(format('SELECT FROM triage.ai_jobs j WHERE j.ticket_id = %s', pg_temp.origin(:t)), 'about which nothing is asked yet');
SELECT triage.start_session() AS visitor \gset
SELECT is((SELECT s.customer_id FROM triage.chat_sessions s WHERE s.id = :visitor), NULL, 'a visitor needs no name');
SELECT is(pg_temp.told(v.command), v.told, v.command)
	FROM (VALUES
		($$SELECT triage.start_session('')$$, '22023 a person''s id has N to N characters'),
		($$SELECT triage.start_session(open_ticket => true, subject => repeat('x', 999))$$, '23514 subject is too long: N characters'),
		($$SELECT triage.start_session(open_ticket => true, subject => ' ')$$, 'ok'),
		($$SELECT triage.start_session(language => repeat('x', 36))$$,
			'23514 language has at most N characters, not N'),
		($$SELECT triage.start_session(metadata => '[]')$$,
			'23514 metadata must be a JSON object, not array'),
		($$SELECT triage.start_session(metadata => NULL)$$, 'ok')) AS v (command, told);

-- Messages ----------------------------------------------------------------------------------------------------------------

SELECT triage.post_message(:s, 'My printer jams', client_id => 'c1', metadata => '{"device": "phone"}', language => 'en') AS m1 \gset
SELECT is((SELECT concat_ws(' ', m.role, m.author_id, m.content, m.client_id, m.metadata, m.language) FROM triage.chat_messages m WHERE m.id = :m1),
	'user carl My printer jams c1 {"device": "phone"} en', 'post_message() writes a message of the session''s customer [seed 167] [seed 170] [seed 171] [seed 172]');
SELECT is(pg_temp.owed(:s), 'fence 0 waits', 'and the AI owes a reply');
SELECT is((SELECT concat_ws(' ', j.priority, j.ticket_id, j.run_at = now()) FROM triage.ai_jobs j WHERE j.session_id = :s), 'urgent t', 'at once: a customer waits');
SELECT is(triage.post_message(:s, 'My printer jams again', client_id => 'c1'), :m1::bigint, 'posted again under its client''s id it is the same message');
SELECT is((SELECT count(*) FROM triage.chat_messages m WHERE m.session_id = :s), 1::bigint, 'and there is one');
SELECT is(pg_temp.owed(:s), 'fence 0 waits', 'which asks for nothing more');
SELECT isnt(triage.post_message(:t, E'  Hello,  \nmy invoice is wrong', client_id => 'c1'), :m1::bigint, 'in another session the same id is another message');
SELECT is((SELECT t.subject || '|' || t.description FROM triage.tickets t WHERE t.id = pg_temp.origin(:t)), E'Hello,|  Hello,  \nmy invoice is wrong',
	'the first message is the text of a ticket that was opened without one');
SELECT is((SELECT string_agg(j.kind::text, ' ' ORDER BY j.kind) FROM triage.ai_jobs j WHERE j.session_id = :t OR j.ticket_id = pg_temp.origin(:t)),
	'triage chat_reply', 'whose triage is asked for then');
SELECT triage.post_message(:t, 'still wrong') AS m2 \gset
SELECT is((SELECT t.subject FROM triage.tickets t WHERE t.id = pg_temp.origin(:t)), 'Hello,', 'the second is not');
SELECT triage.start_session(open_ticket => true, subject => 'Refund') AS r \gset
SELECT triage.post_message(:r, 'I want my money back') AS m3 \gset
SELECT is((SELECT t.subject || '|' || t.description FROM triage.tickets t WHERE t.id = pg_temp.origin(:r)), 'Refund|I want my money back', 'a subject that was given stays');

SELECT is(pg_temp.told(format(v.command, :s)), v.told, left(v.command, 110))
	FROM (VALUES
		($$SELECT triage.post_message(%s, E' \n')$$, '23514 a chat message must not be blank'),
		($$SELECT triage.post_message(%s, NULL)$$, '23514 a chat message must not be blank'),
		($$SELECT triage.post_message(%s, repeat('x', 262145))$$, '23514 chat message is too long: N bytes'),
		($$SELECT triage.post_message(%s, 'x', client_id => '')$$, '23514 a chat message''s client_id has N to N characters'),
		($$SELECT triage.post_message(%s, 'x', client_id => repeat('x', 201))$$, '23514 a chat message''s client_id has N to N characters'),
		($$SELECT triage.post_message(%s, 'x', author_id => '')$$, '22023 a person''s id has N to N characters'),
		($$SELECT triage.post_message(%s, 'x', 'agent', author_id => 'carl')$$, '23514 a customer cannot write as an agent'),
		($$SELECT triage.post_message(%s, 'x', metadata => '1')$$,
			'23514 metadata must be a JSON object, not number'),
		($$SELECT triage.post_message(%s, 'x', 'bot')$$, '22P02 invalid input value for enum triage.message_role: "bot" (no hint)'),
		($$SELECT triage.post_message(-%s, 'x')$$, 'P0002 chat session -N does not exist'),
		($$SELECT triage.post_message(NULL, 'x')$$, 'P0002 chat session NULL does not exist'),
		($$INSERT INTO triage.chat_messages (session_id, content) VALUES (-%s, 'x')$$, 'P0002 chat session -N does not exist')) AS v (command, told);

-- Who speaks, and what follows ------------------------------------------------------------------------------------------------

SELECT pg_temp.claim_reply(:s);
SELECT is(pg_temp.owed(:s), 'fence 1 runs', '(a reply is on its way)');
SELECT triage.post_message(:s, 'It blinks, too') AS m4 \gset
SELECT is(pg_temp.owed(:s), 'fence 2 waits', 'a further message of the customer has it begin again');
SELECT pg_temp.claim_reply(:s);
INSERT INTO triage.chat_messages (session_id, role, content) VALUES (:s, 'system', 'The printer is model 7');
SELECT is(pg_temp.owed(:s), 'fence 4 waits', 'so does what the application says');
SELECT is(pg_temp.spoken(:s), 'customer customer system: My printer jams | It blinks, too | The printer is model 7', 'and one reply answers all of it');
SELECT is((SELECT s.updated_at FROM triage.chat_sessions s WHERE s.id = :s), now(), 'updated_at is set in the database [seed 166]');
SELECT triage.post_message(:s, 'Open the lid.', 'assistant') AS m5 \gset
SELECT is(pg_temp.owed(:s), 'none', 'an assistant''s message, whoever wrote it, is the reply [seed 191]');

-- the same, by a plain INSERT, in a session with a ticket
SELECT triage.start_session('carl', true) AS p \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:p, 'help');
SELECT is(pg_temp.owed(:p) || ', ' || pg_temp.ticket_of(:p), 'fence 0 waits, open ai waiting', 'a plain INSERT asks for a reply as well');
INSERT INTO triage.chat_messages (session_id, role, content) VALUES (:p, 'assistant', 'how?');
SELECT is(pg_temp.owed(:p) || ', ' || pg_temp.ticket_of(:p), 'none, open ai answered', 'the AI''s answer ends the wait where it handles the ticket');
INSERT INTO triage.chat_messages (session_id, content, client_id) VALUES (:p, 'it burns', 'x'), (:p, 'quick', 'y'), (:t, 'hello?', 'z');
SELECT is(pg_temp.owed(:p) || ', ' || pg_temp.ticket_of(:p), 'fence 0 waits, open ai waiting', 'two messages of one statement are answered once');
SET LOCAL triage.auto_triage = off;
SELECT pg_temp.claim_reply(:p);
INSERT INTO triage.chat_messages (session_id, content) VALUES (:p, 'water does not help');
SELECT is(pg_temp.owed(:p), 'fence 2 waits', 'with auto_triage off a reply that was owed still is, to all of it');
SELECT triage.start_session('carl') AS quiet \gset
INSERT INTO triage.chat_messages (session_id, content, created_at) VALUES (:quiet, 'an old message', '2020-01-01');
SELECT is(pg_temp.owed(:quiet), 'none', 'and nothing is asked for messages that are brought in');
SET LOCAL triage.auto_triage = on;

-- an agent
SELECT triage.post_message(:p, 'I am on my way', 'agent', 'ann') AS m6 \gset
SELECT is(pg_temp.owed(:p), 'none', 'an agent''s message stops the bot at once');
SELECT alike(pg_temp.ticket_of(:p), '% human answered', 'people handle the ticket, and the customer has an answer [seed 15] [seed 37]');
SELECT is((SELECT t.first_response_at FROM triage.tickets t WHERE t.id = pg_temp.origin(:p)), now(), 'which is the first response');
INSERT INTO triage.chat_messages (session_id, content) VALUES (:p, 'thanks');
SELECT is(pg_temp.owed(:p) || ', ' || split_part(pg_temp.ticket_of(:p), ' ', 3), 'none, waiting', 'to what the customer says then people owe the answer');
INSERT INTO triage.chat_messages (session_id, role, content) VALUES (:p, 'assistant', 'An agent will be with you.');
SELECT is(split_part(pg_temp.ticket_of(:p), ' ', 3), 'waiting', 'what a machine says does not end that wait');
SELECT triage.post_message(:s, 'Did that help?', 'agent', 'ann') AS m7 \gset
SELECT alike(pg_temp.ticket_of(:s), '% human answered', 'an agent who writes in a session without a ticket opens it');
SELECT is((SELECT string_agg(p.role::text, ' ') FROM triage.people p WHERE p.id = 'ann'), 'agent', 'and is created as an agent');
SELECT is((SELECT concat_ws(' ', t.requester_id, t.assignee_id, (SELECT count(*) FROM triage.chat_tickets l WHERE l.ticket_id = t.id AND l.relation = 'origin'))
	FROM triage.tickets t WHERE t.id = pg_temp.origin(:p)), 'carl ann 1', 'the ticket has one conversation, its client, and the agent [seed 22]');

-- the rules of comments: pending, on_hold and resolved are reopened
SELECT triage.update_ticket(pg_temp.origin(:p), '{"status": "pending"}') AS version \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:p, 'here it is');
SELECT matches(pg_temp.ticket_of(:p), '^(open|in_progress) human waiting', 'a customer''s message reopens a pending ticket');

-- Ending and coming back ----------------------------------------------------------------------------------------------------

SELECT triage.start_session('carl', true) AS e \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:e, 'does it end?');
SELECT is(triage.end_session(:e), true, 'end_session() ends an active session');
SELECT is((SELECT s.status || ' ' || s.ended_at FROM triage.chat_sessions s WHERE s.id = :e), 'resolved ' || now(), 'it is resolved, and when [seed 190]');
SELECT is(pg_temp.ticket_of(:e) || ', ' || pg_temp.owed(:e), 'resolved resolved ai answered, none', 'so is its ticket, and the reply is called off [seed 16]');
SELECT is(triage.end_session(:e, true), false, 'ended again nothing changes');
SELECT is(pg_temp.ticket_of(:e), 'resolved resolved ai answered', 'not even by the client');
SELECT triage.post_message(:e, 'one more thing') AS again \gset
SELECT is((SELECT s.status || coalesce(s.ended_at::text, '') || (s.context_start = :again) FROM triage.chat_sessions s WHERE s.id = :e), 'activetrue',
	'a user''s message makes it active again');
SELECT alike(pg_temp.ticket_of(:e) || ', ' || pg_temp.owed(:e), 'open ai waiting, fence % waits', 'and its ticket, and asks the AI');
SELECT is(pg_temp.spoken(:e), 'customer: one more thing', 'which is not told what was settled before');
SELECT is(triage.end_session(:e, by_client => true), true, 'the client ends it');
SELECT is(pg_temp.ticket_of(:e), 'resolved closed_by_client ai answered', 'and its ticket is closed by the client [seed 17] [seed 37]');
INSERT INTO triage.chat_messages (session_id, role, content) VALUES (:e, 'assistant', 'Bye.'), (:e, 'system', 'left');
SELECT is((SELECT s.status::text FROM triage.chat_sessions s WHERE s.id = :e), 'resolved', 'nobody else''s message makes it active again');
SELECT is(pg_temp.told(format('SELECT triage.archive_session(%s)', :p)), '55000 chat session N is active and cannot be archived', 'only what ended is archived');
SELECT is(triage.archive_session(:e), true, 'archive_session() archives it [seed 190]');
SELECT is(triage.archive_session(:e), false, 'once');
SELECT is(pg_temp.told(format(v.command, :e)), v.told, v.command || ' of an archived session')
	FROM (VALUES
		($$SELECT triage.post_message(%s, 'x')$$, '55000 chat session N is archived and takes no message'),
		($$INSERT INTO triage.chat_messages (session_id, role, content) VALUES (%s, 'system', 'x')$$, '55000 chat session N is archived and takes no message'),
		($$SELECT triage.end_session(%s)$$, '55000 chat session N is archived'),
		($$SELECT triage.attach_file(max(m.id), 'https://x/', 'x') FROM triage.chat_messages m WHERE m.session_id = %s$$, '55000 chat message N belongs to an archived session'),
		($$UPDATE triage.chat_sessions SET status = 'active' WHERE id = %s$$, '23514 chat session N cannot go from archived to active'),
		($$UPDATE triage.chat_sessions SET status = 'resolved' WHERE id = %s$$, '23514 chat session N cannot go from archived to resolved'),
		($$UPDATE triage.chat_sessions SET metadata = '{"kept": true}' WHERE id = %s$$, 'ok')) AS v (command, told);
SELECT is(pg_temp.told(format($$UPDATE triage.chat_sessions SET status = 'archived' WHERE id = %s$$, :p)), '23514 chat session N cannot go from active to archived',
	'an UPDATE keeps to the transitions too');
SELECT triage.start_session() AS u \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:u, 'x');
UPDATE triage.chat_sessions SET status = 'resolved' WHERE id = :u;
SELECT is((SELECT s.ended_at FROM triage.chat_sessions s WHERE s.id = :u) = now() AND pg_temp.owed(:u) = 'none', true, 'and ends the session with all that belongs to it');
SELECT is(pg_temp.told(format('SELECT triage.%s(-1)', f)), 'P0002 chat session -N does not exist', f) FROM unnest('{end_session,archive_session,conversation,lock_chat}'::text[]) f;

-- a ticket that is finished for good
SELECT triage.start_session('carl', true) AS c \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:c, 'x');
SELECT triage.resolve_ticket(pg_temp.origin(:c)) AS version \gset
SELECT is(pg_temp.owed(:c), 'none', 'a ticket that is resolved calls the reply off');
SELECT triage.reopen_ticket(pg_temp.origin(:c)) AS version \gset
SELECT is(pg_temp.owed(:c), 'fence 0 waits', 'one that is reopened, the customer having spoken last, asks for it');
SELECT triage.resolve_ticket(pg_temp.origin(:c)) AS version \gset
SELECT triage.post_message(:c, 'the same again') AS m8 \gset
SELECT is(pg_temp.spoken(:c), 'customer: the same again', 'what the ticket settled is not told again either');
SELECT triage.close_ticket(pg_temp.origin(:c)) AS version \gset
SELECT is(pg_temp.told(format($$SELECT triage.post_message(%s, 'x')$$, :c)), '55000 the ticket of chat session N is closed and takes no message', 'a closed ticket takes no message');
SELECT is(pg_temp.told(format($$SELECT triage.post_message(%s, 'x', 'system')$$, :c)), 'ok', 'but the application''s');
SELECT triage.delete_ticket(pg_temp.origin(:r)) AS version \gset
SELECT is(pg_temp.owed(:r), 'none', 'a deleted ticket calls the reply off');
SELECT is(pg_temp.told(format($$SELECT triage.post_message(%s, 'x')$$, :r)), '55000 the ticket of chat session N is deleted and takes no message', 'and takes no message');

-- Links ------------------------------------------------------------------------------------------------------------------------

SELECT triage.start_session('carl') AS l \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:l, 'about my other ticket');
SELECT triage.create_ticket('other', 'x') AS k \gset
SELECT triage.create_ticket('third', 'x') AS k2 \gset
SELECT triage.link_session(:l, :k) AS link \gset
SELECT is((SELECT l.relation::text FROM triage.chat_tickets l WHERE l.id = :link), 'related', 'link_session() links a session with a ticket [seed 179] [seed 192]');
SELECT is(pg_temp.owed(:l), 'fence 0 waits', 'who answers it does not change');
SELECT is(triage.link_session(:l, :k, 'related'), :link::bigint, 'once');
SELECT triage.link_session(:l, :k2, 'followup') AS link2 \gset
SELECT is((SELECT count(*) FROM triage.chat_tickets l WHERE l.session_id = :l), 2::bigint, 'a session has any number of tickets');
SELECT triage.create_ticket('of a letter', 'x') AS k0 \gset
SELECT is(pg_temp.told(format(v.command, :l, :k, :k0)), v.told, v.command)
	FROM (VALUES
		($$SELECT triage.link_session(%s, %s, 'followup')$$, '23505 chat session N is linked to ticket N already, as related'),
		($$SELECT triage.link_session(%s, -1)$$, 'P0002 ticket -N does not exist'),
		($$SELECT triage.link_session(-%s, %s)$$, 'P0002 chat session -N does not exist'),
		($$SELECT triage.link_session(%1$s, %3$s, 'origin')$$, 'ok'),
		($$SELECT triage.link_session(%1$s, %2$s, 'origin')$$, '23505 chat session N is linked to ticket N already, as related')) AS v (command, told);
SELECT is(pg_temp.owed(:l), 'none', 'with an origin ticket that is people''s, the AI does not answer any more');
SELECT triage.create_ticket('fourth', 'x') AS k3 \gset
SELECT is(pg_temp.told(format('SELECT triage.link_session(%s, %s, ''origin'')', :l, :k3)), '23505 chat session N has an origin ticket already: N', 'one origin a session [seed 21] [seed 23]');
SELECT triage.start_session() AS other \gset
SELECT is(pg_temp.told(format('SELECT triage.link_session(%s, %s, ''origin'')', :other, (SELECT l.ticket_id FROM triage.chat_tickets l WHERE l.session_id = :l AND l.relation = 'origin'))),
	'23505 ticket N began as another chat session: N', 'and one session an origin ticket [seed 22]');

-- Attachments --------------------------------------------------------------------------------------------------------------------

SELECT triage.attach_file(:m1, 'https://files.example/a.png', 'a.png', 'image/png', 1234) AS a \gset
SELECT is((SELECT concat_ws(' ', a.message_id = :m1, a.file_url, a.file_name, a.file_type, a.byte_size) FROM triage.chat_attachments a WHERE a.id = :a),
	't https://files.example/a.png a.png image/png 1234', 'attach_file() attaches a file to a message [seed 174] [seed 177]');
SELECT is(pg_temp.told(format('SELECT triage.attach_file(%s, %L, ''x'')', :m1, v.url)), v.told, 'file_url ' || regexp_replace(v.url, '[[:cntrl:]]', '?', 'g'))
	FROM (VALUES
		('javascript:alert(1)', '22023 a file''s URL must not have scheme "javascript"'), ('JaVaScRiPt:alert(1)', '22023 a file''s URL must not have scheme "JaVaScRiPt"'),
		('data:text/html,x', '22023 a file''s URL must not have scheme "data"'), ('vbscript:x', '22023 a file''s URL must not have scheme "vbscript"'),
		('blob:https://x/y', '22023 a file''s URL must not have scheme "blob"'), (' javascript:alert(1)', '22023 a file''s URL must not contain blanks or control characters'),
		(E'java\tscript:alert(1)', '22023 a file''s URL must not contain blanks or control characters'), (E'\x01javascript:alert(1)', '22023 a file''s URL must not contain blanks or control characters'),
		(E'https://x/\r\nset-cookie: a', '22023 a file''s URL must not contain blanks or control characters'), ('1:x', '22023 a file''s URL must not have scheme "N"'),
		('', '22023 a file''s URL has N to N characters'),
		('https://files.example/a%20b.png?x=1:2#3', 'ok'), ('s3://bucket/key', 'ok'), ('/uploads/2026/a:b.png', 'ok'), ('uploads/a.png', 'ok')) AS v (url, told);
SELECT is(pg_temp.told(v.command), v.told, v.command)
	FROM (VALUES
		($$SELECT triage.attach_file(-1, 'https://x/', 'x')$$, 'P0002 chat message -N does not exist'),
		(format($$SELECT triage.attach_file(%s, 'https://x/', NULL)$$, :m1),
			'22004 file_name must not be null'),
		(format($$SELECT triage.attach_file(%s, 'https://x/', 'x', byte_size => -1)$$, :m1),
			'23514 byte_size must not be negative, as -N is')) AS v (command, told);

-- Reading ---------------------------------------------------------------------------------------------------------------------------

SELECT triage.start_session() AS long \gset
INSERT INTO triage.chat_messages (session_id, role, content)
	SELECT :long, CASE WHEN i % 2 = 1 THEN 'user' ELSE 'assistant' END::triage.message_role, 'message ' || i FROM generate_series(1, 100) i;
SELECT is((SELECT string_agg(c.content, ',' ORDER BY c.id) FROM triage.conversation(:long, max_rows => 3) c), 'message 98,message 99,message 100', 'conversation() gives the last messages');
SELECT is((SELECT array_agg(c.id) FROM triage.conversation(:long) c), (SELECT array_agg(c.id ORDER BY c.id) FROM triage.conversation(:long) c), 'oldest first');
SELECT min(c.id) AS first_of_page, max(c.id) AS last_of_page FROM triage.conversation(:long, max_rows => 10) c \gset
SELECT is((SELECT string_agg(c.content, ',' ORDER BY c.id) FROM triage.conversation(:long, :first_of_page, 2) c), 'message 89,message 90', 'pages back');
SELECT is_empty(format('SELECT FROM triage.conversation(%s, after_id => %s)', :long, :last_of_page), 'nothing is new');
INSERT INTO triage.chat_messages (session_id, content) VALUES (:long, 'new one'), (:long, 'new two');
SELECT is((SELECT string_agg(c.content, ',' ORDER BY c.id) FROM triage.conversation(:long, after_id => :last_of_page, max_rows => 1) c), 'new one', 'then it is');
SELECT is((SELECT jsonb_agg(x ->> 'file_name') FROM triage.conversation(:s) c, jsonb_array_elements(c.attachments) x WHERE c.id = :m1)::text,
	'["a.png", "x", "x", "x", "x"]', 'with its attachments');
SELECT is(pg_temp.told(format(v.command, :long)), v.told, v.command)
	FROM (VALUES
		('SELECT triage.conversation(%s, max_rows => 1001)', '22023 max_rows must be between N and N, not N'),
		('SELECT triage.conversation(%s, max_rows => NULL)', '22023 max_rows must be between N and N, not NULL'),
		('SELECT triage.conversation(%s, before_id => 1, after_id => 1)', '22023 before_id and after_id cannot be combined'),
		('SELECT triage.search_messages(''x'', -%s)', '22023 max_rows must be between N and N, not -N'),
		('SELECT triage.search_messages(repeat(''word '', 400000), 5, NULL, %s)', '22023 the query is too long: N characters')) AS v (command, told);

INSERT INTO triage.chat_messages (session_id, role, content, language) VALUES
	(:long, 'system', 'Die Häuser brennen', 'de'), (:long, 'system', 'the parrots were sleeping', NULL);
SELECT is((SELECT m.content FROM triage.search_messages('parrot sleeps') m), 'the parrots were sleeping', 'search_messages() finds words by their stems [seed 189]');
SELECT is((SELECT m.content FROM triage.search_messages('haus', language => 'de') m), 'Die Häuser brennen', 'in the message''s language');
SELECT is((SELECT count(*) FROM triage.search_messages('message', 5) m), 5::bigint, 'as many as asked for');
SELECT is((SELECT count(*) FROM triage.search_messages('printer', in_session => :s) m), 2::bigint, 'of one session');
SELECT is_empty($$SELECT FROM triage.search_messages('')$$, 'and nothing for nothing');
SELECT is_empty($$SELECT FROM triage.search_messages('the')$$, 'or a stop word only');
INSERT INTO triage.chat_messages (session_id, role, content) SELECT :long, 'system', 'common ' || i FROM generate_series(1, 1100) i;
SELECT is((SELECT count(*) || ' ' || bool_and(split_part(m.content, ' ', 2)::int > 100) FROM triage.search_messages('common', 1000) m), '1000 true',
	'of more than a thousand matches the newest are ranked');

SELECT is((SELECT concat_ws(' ', o.has_ticket, o.ticket_id IS NULL, o.handler, o.messages, o.last_role, o.last_message, o.reply_state, o.waiting_since IS NULL)
	FROM triage.chat_overview o WHERE o.id = :quiet), 'f t ai 1 user an old message f', 'chat_overview shows a session without a ticket [seed 165]');
SELECT is((SELECT o.waiting_since FROM triage.chat_overview o WHERE o.id = :quiet), '2020-01-01'::timestamptz, 'since when its customer waits');
SELECT is((SELECT concat_ws(' ', o.has_ticket, o.ticket_id = pg_temp.origin(:t), o.ticket_status, o.handler, o.reply_state) FROM triage.chat_overview o WHERE o.id = :t),
	't t open ai pending', 'one with a ticket that the AI handles [seed 165]');
SELECT is((SELECT concat_ws(' ', o.has_ticket, o.handler, coalesce(o.reply_state, 'none owed')) FROM triage.chat_overview o WHERE o.id = :s), 't human none owed', 'and one that people handle');
SELECT is((SELECT concat_ws(' ', o.last_role, o.waiting_since) FROM triage.chat_overview o WHERE o.id = :u), 'user', 'nobody waits in one that is over');
SELECT is((SELECT concat_ws(' ', o.has_ticket, o.messages, o.last_message_id) FROM triage.chat_overview o WHERE o.id = :visitor), 'f 0', 'nor in an empty one');
INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, summary) VALUES ('default', pg_temp.origin(:t), 'of the ticket');
SELECT is((SELECT o.summary FROM triage.chat_overview o WHERE o.id = :t), 'of the ticket', 'what it has come to, of its ticket');
INSERT INTO triage.conversation_summaries (tenant_id, session_id, summary, superseded_at) VALUES ('default', :t, 'an old one', now()), ('default', :t, 'of the session', NULL);
SELECT is((SELECT o.summary FROM triage.chat_overview o WHERE o.id = :t), 'of the session', 'or of itself, if there is one');
SELECT is((SELECT o.summary FROM triage.chat_overview o WHERE o.id = :visitor), NULL, 'or nothing');

-- The worker's side -------------------------------------------------------------------------------------------------------------------

SELECT triage.start_session('carl', true, 'Printer') AS w \gset
SELECT is(pg_temp.spoken(:w), NULL, 'nothing was said: nothing is read');
SELECT triage.post_message(:w, 'it jams') AS w1 \gset
SELECT triage.attach_file(:w1, 'https://x/1', 'photo.jpg', 'image/jpeg') AS wa \gset
SELECT is((SELECT concat_ws(' ', r.version = :w1, r.heading, r.speakers, r.texts) FROM triage.read_chat_reply('default', NULL, :w, NULL) r),
	't Printer {customer} {"it jams' || E'\n' || '[file: photo.jpg, image/jpeg]"}', 'read_chat_reply() gives the subject, who said what, and files by their names');
SELECT is_empty(format($$SELECT FROM triage.read_chat_reply('other', NULL, %s, NULL)$$, :w), 'to its tenant');
SELECT is(pg_temp.lock_state(:w, :w1), 'current', 'lock_chat_reply(): wanted');
SELECT is(pg_temp.lock_state(:w, :w1 - 1), 'stale', 'not when something was said since');
SELECT is(pg_temp.lock_state(-1, :w1), 'gone', 'nor in a session that is gone');
SELECT is((SELECT string_agg(l.n || ' ' || l.state, ', ' ORDER BY l.n) FROM triage.lock_chat_reply('{default,default,other,default}', '{1,2,3,4}',
		ARRAY[:w, :e, :w, :l], '{NULL}', ARRAY[:w1, 9223372036854775807, :w1, 9223372036854775807]) l), '1 current, 2 stale, 3 gone, 4 stale', 'many at once: an ended session, another tenant''s, people''s');
DELETE FROM triage.ai_jobs WHERE session_id = :w AND kind = 'chat_reply';
SELECT triage.store_chat_reply('default', NULL, :w, NULL, 77, :w1, 'p', 'm-1', '{"reply": "Open the lid.", "action": "answer", "cause": "none", "confidence": 0.9, "sentiment_score": 3}');
SELECT is((SELECT concat_ws(' ', m.role, m.author_id, m.content, m.run_id, m.metadata ->> 'action', m.metadata ->> 'confidence', m.metadata ->> 'provider', m.metadata ->> 'model', m.metadata ->> 'answers' = :'w1')
		FROM triage.chat_messages m WHERE m.session_id = :w ORDER BY m.id DESC LIMIT 1),
	'assistant Open the lid. 77 answer 0.9 p m-1 t', 'store_chat_reply() appends the AI''s message with where it came from [seed 37] [seed 172]');
SELECT is(pg_temp.ticket_of(:w) || ', ' || pg_temp.owed(:w), 'open ai answered, none', 'which ends the wait');
SELECT triage.post_message(:w, 'I want a person') AS w2 \gset
DELETE FROM triage.ai_jobs WHERE session_id = :w AND kind = 'chat_reply';
SELECT triage.store_chat_reply('default', NULL, :w, NULL, 78, :w2, 'p', 'm-1', '{"reply": "A colleague takes over.", "action": "escalate", "cause": "customer_request"}');
SELECT is(pg_temp.ticket_of(:w), 'open human waiting', 'one that escalates hands the ticket to people, who owe the answer [seed 14] [seed 37]');
SELECT is(pg_temp.spoken(:w), NULL, 'and nothing is read any more');
SELECT triage.start_session('carl') AS g \gset
SELECT triage.post_message(:g, 'hello') AS g1 \gset
SELECT triage.give_up_chat_reply('default', NULL, :g, NULL, 'refused', 'the model refused');
SELECT is(pg_temp.ticket_of(:g), 'open human waiting', 'give_up_chat_reply() hands the session to people');
SELECT is(pg_temp.owed(:g), 'none', 'and no reply is owed');
SELECT triage.give_up_chat_reply('default', NULL, :u, NULL, 'refused', 'x');
SELECT is(pg_temp.origin(:u), NULL, 'but not one that is over');

-- what the application writes does not hide what the customer asked
SELECT triage.start_session() AS q \gset
SELECT triage.post_message(:q, 'the question') AS asked \gset
SELECT triage.post_message(:q, repeat('page ', 1600), 'system') AS f FROM generate_series(1, 60);
SELECT is((SELECT format('%s %s %s', r.speakers[1], r.texts[1], cardinality(r.texts)) FROM triage.read_chat_reply('default', NULL, :q, NULL) r), 'customer the question 5',
	'the last message of the customer is told, however much the application wrote since');
-- an application's own messages, with metadata of its own
SELECT triage.start_session() AS own \gset
SELECT triage.post_message(:own, 'I was another bot', 'assistant', metadata => '{"failed_turn": "perhaps", "sentiment_score": "calm", "confidence": "no"}') AS f;
SELECT triage.post_message(:own, 'hm') AS asked \gset
SELECT lives_ok(format('SELECT triage.store_chat_reply(''default'', NULL, %s, NULL, 1, %s, ''p'', ''m'', %L)', :own, :asked, '{"reply": "r", "action": "answer", "sentiment_score": 6, "confidence": 0.9}'),
	'do not keep the AI from answering');

-- what the model is told is bounded
SELECT triage.start_session() AS b \gset
INSERT INTO triage.chat_messages (session_id, role, content)
	SELECT :b, CASE WHEN i % 2 = 1 THEN 'user' ELSE 'assistant' END::triage.message_role, 'm' || i FROM generate_series(1, 199) i;
SELECT is((SELECT format('%s %s %s', cardinality(r.texts) = c.history_messages, r.texts[cardinality(r.texts)], cardinality(r.speakers) = cardinality(r.texts))
		FROM triage.read_chat_reply('default', NULL, :b, NULL) r, triage.chat_settings_of('default') c), 't m199 t', 'the newest messages, as many as the settings say');
INSERT INTO triage.conversation_summaries (tenant_id, session_id, summary, up_to_message) SELECT 'default', :b, 'the story so far', max(m.id) - 60 FROM triage.chat_messages m WHERE m.session_id = :b;
SELECT is((SELECT format('%s %s %s', r.speakers[1], r.texts[1], r.texts[cardinality(r.texts)]) FROM triage.read_chat_reply('default', NULL, :b, NULL) r),
	'summary the story so far m199', 'after the latest summary, when older ones are left out');
INSERT INTO triage.tickets (source, subject, description, handler) VALUES ('chat', 'x', 'x', 'ai') RETURNING id AS noted \gset
SELECT triage.link_session(:b, :noted, 'origin') AS link \gset
INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, summary, up_to_message)
	SELECT 'default', :noted, 'agents think that he lies', max(m.id) - 55 FROM triage.chat_messages m WHERE m.session_id = :b;
SELECT is((SELECT r.texts[1] FROM triage.read_chat_reply('default', NULL, :b, NULL) r), 'the story so far',
	'the summary of the ticket, which is made of internal notes too, is not for who writes to the customer');
DELETE FROM triage.chat_tickets WHERE session_id = :b;
INSERT INTO triage.chat_messages (session_id, role, content) SELECT :b, 'user', repeat('x', 7000) FROM generate_series(1, 10);
SELECT is((SELECT format('%s %s', cardinality(r.texts), sum(octet_length(t)) <= 24576 + 8000) FROM triage.read_chat_reply('default', NULL, :b, NULL) r, unnest(r.texts) t GROUP BY r.texts),
	'5 t', 'and not above 24 kB but for the last one that begins below');
SELECT triage.attach_file(max(m.id), 'https://x', 'f' || i) AS f FROM triage.chat_messages m, generate_series(1, 30) i WHERE m.session_id = :b GROUP BY i ORDER BY i;
SELECT is((SELECT count(*) FROM triage.read_chat_reply('default', NULL, :b, NULL) r, regexp_matches(r.texts[cardinality(r.texts)], '\[file: ', 'g')), 20::bigint, 'nor more than 20 files of a message');
INSERT INTO triage.chat_messages (session_id, role, content) SELECT :b, 'user', repeat('ä', 100000);
SELECT is((SELECT format('%s %s', length(r.texts[cardinality(r.texts)]), cardinality(r.texts) > 1) FROM triage.read_chat_reply('default', NULL, :b, NULL) r), '8000 t', 'one that is too long is cut');
DELETE FROM triage.ai_jobs WHERE session_id = :b;
SELECT max(m.id) AS b1 FROM triage.chat_messages m WHERE m.session_id = :b \gset
SELECT triage.store_chat_reply('default', NULL, :b, NULL, 79, :b1, 'p', 'm', '{"reply": "ok", "action": "answer"}');
SELECT is((SELECT string_agg(j.kind || ' ' || j.priority, ', ') FROM triage.ai_jobs j WHERE j.session_id = :b), 'summarize high', 'a long conversation is summarised before the oldest messages drop out');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.session_id = :w AND j.kind = 'summarize'), 0::bigint, 'a short one is not');

-- the settings
SELECT triage.set_chat_settings('{"reply_delay_ms": 2000}');
SELECT triage.start_session('carl') AS d \gset
SELECT triage.post_message(:d, 'wait') AS d1 \gset
SELECT is((SELECT j.run_at - now() FROM triage.ai_jobs j WHERE j.session_id = :d), '2 seconds'::interval, 'the bot waits for further messages as long as it is told to');
SELECT triage.set_chat_settings('{"bot_enabled": false}');
SELECT is(pg_temp.lock_state(:d, :d1), 'stale', 'with the bot off no answer is wanted');
SELECT is(pg_temp.spoken(:d), NULL, 'nor asked for');
SELECT triage.start_session('carl') AS off \gset
SELECT triage.post_message(:off, 'anybody?') AS off1 \gset
SELECT is(pg_temp.ticket_of(:off) || ', ' || pg_temp.owed(:off), 'open human waiting, none', 'and a message goes to people at once');

-- deleting
SELECT triage.start_session('carl', true) AS lost \gset
SELECT triage.post_message(:lost, 'help') AS lost1 \gset
DELETE FROM triage.tickets WHERE id = pg_temp.origin(:lost);
SELECT is((SELECT s.status || ' ' || pg_temp.owed(s.id) FROM triage.chat_sessions s WHERE s.id = :lost), 'archived none', 'a session whose ticket is deleted for good is over, and not the AI''s again');
SELECT is(pg_temp.told(format('SELECT triage.post_message(%s, ''hello?'')', :lost)), '55000 chat session N is archived and takes no message', 'nobody answers there');
SELECT triage.start_session('carl', true) AS x \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:x, 'x');
SELECT triage.attach_file(max(m.id), 'https://x/', 'x') AS xa FROM triage.chat_messages m WHERE m.session_id = :x \gset
SELECT pg_temp.origin(:x) AS xt \gset
DELETE FROM triage.chat_sessions WHERE id = :x;
SELECT is((SELECT count(*) FROM triage.chat_messages m WHERE m.session_id = :x) + (SELECT count(*) FROM triage.chat_attachments a WHERE a.id = :xa)
	+ (SELECT count(*) FROM triage.chat_tickets l WHERE l.session_id = :x) + (SELECT count(*) FROM triage.ai_jobs j WHERE j.session_id = :x), 0::bigint,
	'a session''s messages, files, links and jobs go with it [seed 169] [seed 176] [seed 193]');
SELECT is((SELECT count(*) FROM triage.tickets t WHERE t.id = :xt), 1::bigint, 'its ticket stays [seed 181]');

-- One thread: what is said on the ticket is said in the conversation ---------------------------------------------------------------

SELECT triage.set_chat_settings('{"bot_enabled": true, "reply_delay_ms": 0}');
INSERT INTO triage.people (id, role) VALUES ('ann', 'agent') ON CONFLICT DO NOTHING;
CREATE FUNCTION pg_temp.thread(session bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(format('%s %s: %s', c.role, c.author_id, c.content), ' | ' ORDER BY c.id) FROM triage.conversation(session) c
$$;
SELECT triage.start_session('carl', true) AS one \gset
SELECT triage.post_message(:one, 'My printer burns') AS f;
SELECT pg_temp.origin(:one) AS one_ticket \gset
SELECT triage.add_consumer('threads', '{chat.message_posted,comment.created}');
SELECT triage.add_comment(:one_ticket, 'Use water', 'ann') AS said \gset
SELECT is(pg_temp.thread(:one), 'user carl: My printer burns | agent ann: Use water', 'an agent''s public comment is part of the conversation');
SELECT is(pg_temp.ticket_of(:one) || ', ' || pg_temp.owed(:one), 'in_progress human answered, none', 'and stops the bot, as a message does');
SELECT results_eq($$SELECT e.topic::text, e.labels FROM triage.events e ORDER BY e.id$$, format($$VALUES ('chat.message_posted'::text, '{"role": "agent", "comment": %s}'::jsonb),
	('comment.created', '{"visibility": "public", "author_role": "agent"}')$$, :said), 'whoever hears of both can tell that they are one');
SELECT triage.drop_consumer('threads');
SELECT is((SELECT concat_ws(' ', o.messages, o.last_role, o.last_message, o.waiting_since IS NULL) FROM triage.chat_overview o WHERE o.id = :one), '2 agent Use water t', 'the overview shows it');
SELECT is((SELECT string_agg(s.content, ',') FROM triage.search_messages('water', in_session => :one) s), 'Use water', 'the search finds it');
SELECT is((SELECT string_agg(l.kind || ' ' || l.content, ' | ' ORDER BY l.kind, l.entry_id) FROM triage.ticket_timeline l WHERE l.ticket_id = :one_ticket AND l.kind IN ('comment', 'message')),
	'comment Use water | message My printer burns', 'the timeline has each text once');
SELECT triage.add_comment(:one_ticket, 'He has no contract', 'ann', visibility => 'internal') AS f;
SELECT is(pg_temp.thread(:one), 'user carl: My printer burns | agent ann: Use water', 'a note is not said to the customer');
SELECT triage.attach_to_comment(:said, 'https://files.example/water.pdf', 'water.pdf') AS f;
SELECT is((SELECT c.attachments -> 0 ->> 'file_name' FROM triage.conversation(:one) c ORDER BY c.id DESC LIMIT 1), 'water.pdf', 'a file of the comment is there, too');
SELECT triage.edit_comment(:said, 'Use sand', 'ann');
SELECT is(pg_temp.thread(:one), 'user carl: My printer burns | agent ann: Use sand', 'an edit follows');
-- two speakers of one time: notes come first, whose place among the messages nobody knows
SELECT is((SELECT array_to_string(r.speakers, ' ') || ': ' || array_to_string(r.texts, ' | ') FROM triage.read_summarize('default', :one_ticket, NULL, NULL) r),
	'note customer agent: He has no contract | My printer burns | Use sand', 'a summary is made of each text once');
SELECT triage.hand_back_to_ai(:one_ticket) AS f;
SELECT is(pg_temp.owed(:one), 'none', 'handed back, the bot has nothing to answer: the agent has');
SELECT triage.post_message(:one, 'It is hot sand now') AS f;
SELECT is(pg_temp.spoken(:one), E'customer agent customer: My printer burns | Use sand\n[file: water.pdf, application/octet-stream] | It is hot sand now', 'it is told what the agent said when the customer goes on');
-- the customer's
SELECT triage.receive_reply(:one_ticket, 'And it smells', 'carl', 'email', 'thread-1') AS f;
SELECT is(pg_temp.owed(:one), 'fence 1 waits', 'a customer''s comment asks the bot anew');
SELECT is(pg_temp.spoken(:one) LIKE '%| And it smells', true, 'with what was said last');
SELECT triage.receive_reply(:one_ticket, 'And it smells', 'carl', 'email', 'thread-1') AS f;
SELECT is((SELECT count(*) FROM triage.conversation(:one)), 4::bigint, 'delivered twice it is said once');
SELECT triage.add_comment(:one_ticket, 'From another bot', author_role => 'ai') AS f;
SELECT is(pg_temp.owed(:one), 'none', 'and another machine''s comment answers it');
SELECT triage.end_session(:one) AS f;
SELECT triage.receive_reply(:one_ticket, 'It burns again', 'carl') AS f;
SELECT is((SELECT s.status || ', ' || pg_temp.ticket_of(s.id) || ', ' || pg_temp.spoken(s.id) FROM triage.chat_sessions s WHERE s.id = :one),
	'active, open ai waiting, customer: It burns again', 'a comment opens session and ticket again, and what was settled before is left out');
SELECT triage.redact_comment(:said, 'ann');
SELECT is(pg_temp.thread(:one) LIKE 'user carl: My printer burns | agent ann: [removed] | user carl: It is hot sand now |%', true, 'a redaction follows');
UPDATE triage.ticket_comments SET visibility = 'internal' WHERE id = :said;
SELECT is_empty(format('SELECT FROM triage.chat_messages m WHERE m.comment_id = %s', :said), 'what became a note is taken out of the conversation');
SELECT triage.add_comment(:one_ticket, repeat('ä', 200000), 'ann') AS long \gset
SELECT is((SELECT octet_length(m.content) <= 262144 AND m.content LIKE '%ä...' FROM triage.chat_messages m WHERE m.comment_id = :long), true, 'of a comment that is too long for a message its beginning is said');
DELETE FROM triage.ticket_comments WHERE id = :long;
SELECT is_empty(format('SELECT FROM triage.chat_messages m WHERE m.comment_id = %s', :long), 'a comment that is deleted takes it along');
SELECT triage.end_session(:one), triage.archive_session(:one) \g /dev/null
SELECT count(*) AS before FROM triage.chat_messages m WHERE m.session_id = :one \gset
SELECT is(pg_temp.told(format('SELECT triage.add_comment(%s, ''For the files'', ''ann'')', :one_ticket)), 'ok', 'archived is final');
SELECT is((SELECT count(*) FROM triage.chat_messages m WHERE m.session_id = :one), :before::bigint, 'a comment stays on the ticket then');

-- as the application's role ----------------------------------------------------------------------------------------------------------

CREATE ROLE regress_triage_chat_agent;
CREATE ROLE regress_triage_chat_reader;
SELECT triage.grant_access('regress_triage_chat_agent', 'agent'), triage.grant_access('regress_triage_chat_reader', 'reader');
SELECT triage.set_chat_settings('{"bot_enabled": true, "reply_delay_ms": 0}');
SET LOCAL ROLE regress_triage_chat_agent;
SELECT triage.start_session('dora', true) AS y \gset
SELECT triage.add_comment(pg_temp.origin(:y), 'I can wait', 'dora') AS yc \gset
SELECT is(pg_temp.thread(:y), 'user dora: I can wait', 'an agent''s role writes comments into conversations');
SELECT is(pg_temp.told(format(c.command, :y)), c.told, c.command)
	FROM (VALUES ('INSERT INTO triage.chat_messages (session_id, role, content) VALUES (%s, ''assistant'', ''x'')', '42501 role "regress_triage_chat_agent" may not write what the AI says'),
		('INSERT INTO triage.chat_messages (session_id, content, run_id) VALUES (%s, ''x'', 1)', '42501 role "regress_triage_chat_agent" may not write what the AI says'),
		('INSERT INTO triage.chat_messages (session_id, content, comment_id) VALUES (%s, ''x'', 1)', '42501 role "regress_triage_chat_agent" may not write what the AI says'),
		('UPDATE triage.chat_sessions SET context_start = 1 WHERE id = %s', '42501 role "regress_triage_chat_agent" may not set context_start of chat session N'),
		('INSERT INTO triage.chat_sessions (context_start) VALUES (%s)', '42501 role "regress_triage_chat_agent" may not set context_start of chat session N'),
		('SELECT triage.post_message(%s, ''I am a bot of the shop'', ''assistant'')', 'ok'),
		('UPDATE triage.chat_sessions SET metadata = ''{"x": 1}'' WHERE id = %s', 'ok')) c (command, told);
SELECT triage.start_session('dora', true) AS z \gset
SELECT triage.post_message(:z, 'help me with the parrot') AS z1 \gset
INSERT INTO triage.chat_messages (session_id, content) VALUES (:z, 'please');
SELECT triage.attach_file(:z1, 'https://x/', 'x') AS za \gset
SELECT is(pg_temp.owed(:z), 'fence 1 waits', 'an agent role starts and writes with its own rights');
SELECT triage.post_message(:z, 'I am here', 'agent', 'ann') AS z2 \gset
SELECT is((SELECT concat_ws(' ', o.handler, o.messages, o.last_role) FROM triage.chat_overview o WHERE o.id = :z), 'human 3 agent', 'takes over');
SELECT is(triage.end_session(:z, true) AND triage.archive_session(:z), true, 'ends and archives');
SELECT is(pg_temp.outcome(format(v.command, :z)), '42501', v.command || ' is refused to it')
	FROM (VALUES ('UPDATE triage.chat_messages SET content = ''x'' WHERE session_id = %s'), ('DELETE FROM triage.chat_messages WHERE session_id = %s'),
		('DELETE FROM triage.chat_sessions WHERE id = %s'), ('UPDATE triage.chat_tickets SET relation = ''related'' WHERE session_id = %s'),
		('INSERT INTO triage.ai_jobs (session_id, kind) VALUES (%s, ''chat_reply'')'),
		('SELECT triage.store_chat_reply(''default'', NULL, %s, NULL, 1, 1, ''p'', ''m'', ''{"reply": "x", "action": "answer"}'')'),
		('SELECT triage.request_chat_reply(''default'', %s)'), ('SELECT triage.read_chat_reply(''default'', NULL, %s, NULL)')) AS v (command);
SET LOCAL ROLE regress_triage_chat_reader;
SELECT is((SELECT count(*) FROM triage.conversation(:z)), 3::bigint, 'a reader reads the conversation');
SELECT is((SELECT m.content FROM triage.search_messages('parrots help') m), 'help me with the parrot', 'and searches');
SELECT is(pg_temp.outcome(format('SELECT triage.post_message(%s, ''x'')', :z)), '42501', 'but does not write');
RESET ROLE;

SELECT finish();
ROLLBACK;
