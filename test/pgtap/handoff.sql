-- Handing conversations over: the five states and how they are reached, causes, what a handover leaves behind, summaries.
\ir prepare.psql
SELECT no_plan();

-- The five states ----------------------------------------------------------------------------------------------------------

INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('bob', 'agent');

-- A conversation in a state, by the way that leads there.  Its session's language is its name.
CREATE FUNCTION pg_temp.conversation(name text, state text) RETURNS bigint
	LANGUAGE plpgsql
AS $$
DECLARE
	session bigint := triage.start_session('carl', open_ticket => true, language => name);
BEGIN
	PERFORM triage.post_message(session, 'The printer jams');
	IF state IN ('PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT') THEN
		PERFORM triage.escalate_session(session, 'customer_request');
	END IF;
	IF state = 'ACTIVE_HUMAN_CHAT' THEN
		PERFORM triage.take_over_session(session, 'ann');
	ELSIF state = 'CLOSED_RESOLVED' THEN
		PERFORM triage.end_session(session);
	ELSIF state = 'CLOSED_BY_CLIENT' THEN
		PERFORM triage.end_session(session, by_client => true);
	END IF;
	RETURN session;
END
$$;
CREATE FUNCTION pg_temp.session(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT s.id FROM triage.chat_sessions s WHERE s.language = name $$;
CREATE FUNCTION pg_temp.ticket_of(name text) RETURNS bigint LANGUAGE sql
	AS $$ SELECT o.ticket_id FROM triage.chat_tickets o WHERE o.session_id = pg_temp.session(name) AND o.relation = 'origin' $$;
CREATE FUNCTION pg_temp.state(name text) RETURNS text LANGUAGE sql
	AS $$ SELECT s.status::text FROM triage.support_tickets s WHERE s.conversation_id = pg_temp.session(name) $$;

SELECT pg_temp.conversation(s.state, s.state) > 0
	FROM unnest(enum_range(NULL::triage.support_status)::text[]) AS s (state) \g /dev/null
SELECT is(pg_temp.state(s.state), s.state, format('%s is reached [seed %s] [seed 6]', s.state, s.item))
	FROM unnest(enum_range(NULL::triage.support_status)::text[], '{13,14,15,16,17}'::int[]) AS s (state, item);
SELECT is(enum_range(NULL::triage.support_status)::text,
	'{OPEN_AI_HANDLING,PENDING_HUMAN_ASSIGNMENT,ACTIVE_HUMAN_CHAT,CLOSED_RESOLVED,CLOSED_BY_CLIENT}', 'there are five states and no other [seed 18]');
SELECT is(pg_temp.outcome($$SELECT FROM triage.support_tickets s WHERE s.status = 'OPEN'$$), '22P02', 'a name that is none of them is an error [seed 18] [seed 36]');
SELECT set_eq($$SELECT * FROM unnest('{open,in_progress,pending,on_hold,review,resolved,closed}'::text[])$$,
	$$SELECT unnest(enum_range(NULL::triage.ticket_status))::text$$, '(the statuses that the view maps)');

-- Each call from each state: where it leads, or the SQLSTATE that refuses it.
CREATE TABLE pg_temp.walk (command text, opened text, pending text, active text, resolved text, by_client text);
INSERT INTO pg_temp.walk VALUES
	('triage.escalate_session($session, ''policy'')', 'PENDING_HUMAN_ASSIGNMENT', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', '55000', '55000'),
	('triage.escalate_ticket($ticket, ''policy'')', 'PENDING_HUMAN_ASSIGNMENT', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', '55000', '55000'),
	('triage.take_over_session($session, ''ann'')', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', '55000', '55000'),
	('triage.take_over_session($session, ''bob'')', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', '55000', '55000', '55000'),
	('triage.take_over_session($session, ''carl'')', '23514', '23514', '23514', '55000', '55000'),
	('triage.assign_ticket($ticket, ''bob'')', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.update_ticket($ticket, ''{"assignee_id": "bob"}'')', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.unassign_ticket($ticket)', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'PENDING_HUMAN_ASSIGNMENT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.hand_back_to_ai($ticket)', 'OPEN_AI_HANDLING', 'OPEN_AI_HANDLING', 'OPEN_AI_HANDLING', '55000', '55000'),
	('triage.post_message($session, ''hello'')', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'OPEN_AI_HANDLING', 'OPEN_AI_HANDLING'),
	('triage.post_message($session, ''hello'', ''agent'', ''ann'')', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.post_message($session, ''hello'', ''agent'')', 'PENDING_HUMAN_ASSIGNMENT', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.post_message($session, ''hello'', ''assistant'')', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.post_message($session, ''hello'', ''system'')', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.add_comment($ticket, ''hello'', ''ann'')', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.add_comment($ticket, ''hello'', ''ann'', visibility => ''internal'')', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.add_comment($ticket, ''hello'', ''carl'')', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'OPEN_AI_HANDLING', 'OPEN_AI_HANDLING'),
	('triage.end_session($session)', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.end_session($session, by_client => true)', 'CLOSED_BY_CLIENT', 'CLOSED_BY_CLIENT', 'CLOSED_BY_CLIENT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.archive_session($session)', '55000', '55000', '55000', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.resolve_ticket($ticket)', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED'),
	('triage.resolve_ticket($ticket, ''closed_by_client'')', '23514', '23514', '23514', '23514', 'CLOSED_BY_CLIENT'),
	('triage.close_ticket($ticket, ''closed_by_client'')', '23514', '23514', '23514', '23514', 'CLOSED_BY_CLIENT'),
	('triage.update_ticket($ticket, ''{"status": "resolved", "resolution": "closed_by_client"}'')', '23514', '23514', '23514', '23514', 'CLOSED_BY_CLIENT'),
	('triage.close_ticket($ticket)', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT'),
	('triage.reopen_ticket($ticket)', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'OPEN_AI_HANDLING', 'OPEN_AI_HANDLING'),
	('triage.update_ticket($ticket, ''{"handler": "human"}'')', '22023', '22023', '22023', '22023', '22023'),
	('triage.request_summary($ticket)', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', '55000', '55000'),
	('triage.request_session_summary($session)', 'OPEN_AI_HANDLING', 'PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT', 'CLOSED_RESOLVED', 'CLOSED_BY_CLIENT');

-- Where the call leads; what it did is undone.
CREATE FUNCTION pg_temp.step(name text, command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	result text;
BEGIN
	BEGIN
		EXECUTE 'SELECT ' || replace(replace(command, '$session', pg_temp.session(name)::text), '$ticket', pg_temp.ticket_of(name)::text);
		result := pg_temp.state(name);
		RAISE EXCEPTION USING ERRCODE = 'TR000';
	EXCEPTION
		WHEN SQLSTATE 'TR000' THEN RETURN result;
		WHEN OTHERS THEN RETURN SQLSTATE;
	END;
END
$$;
SELECT is(pg_temp.step(f.state, w.command), f.leads_to, format('%s from %s [seed 37]', w.command, f.state))
	FROM pg_temp.walk w
	CROSS JOIN LATERAL (VALUES ('OPEN_AI_HANDLING', w.opened), ('PENDING_HUMAN_ASSIGNMENT', w.pending), ('ACTIVE_HUMAN_CHAT', w.active),
		('CLOSED_RESOLVED', w.resolved), ('CLOSED_BY_CLIENT', w.by_client)) AS f (state, leads_to);

-- By no other way: neither by plain SQL, nor by the tables' owner, nor by a setting.
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET handler = %L WHERE id = %s', h.handler, pg_temp.ticket_of(s.name))), '23514',
		format('UPDATE cannot set the handler of a ticket in %s to %s [seed 37]', s.name, h.handler))
	FROM (VALUES ('OPEN_AI_HANDLING', 'human'), ('PENDING_HUMAN_ASSIGNMENT', 'ai'), ('ACTIVE_HUMAN_CHAT', 'ai'), ('CLOSED_RESOLVED', 'human')) AS s (name, handler),
		LATERAL (SELECT s.handler) h;
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET handler = handler, subject = %L WHERE id = %s', 'x', pg_temp.ticket_of('OPEN_AI_HANDLING'))), 'ok', 'an UPDATE that leaves it as it is passes');
SELECT triage.create_ticket('by mail', 'x', external_id => 'mail', request_triage => false) > 0 AS made \gset
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET handler = ''ai'' WHERE id = %s', pg_temp.ticket('mail'))), '23514', 'nor can it of a ticket without a conversation');
SELECT is(pg_temp.outcome(format('SELECT triage.hand_back_to_ai(%s)', pg_temp.ticket('mail'))), '55000', 'which cannot be handed to the AI at all');
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET status = ''resolved'', resolution = ''closed_by_client'' WHERE id = %s', pg_temp.ticket_of('OPEN_AI_HANDLING'))), '23514',
	'UPDATE does not end a conversation in the client''s name [seed 17] [seed 37]');
SELECT is(pg_temp.outcome(format('SELECT triage.resolve_ticket(%s, ''closed_by_client'')', pg_temp.ticket('mail'))), 'ok', 'but a ticket without a conversation may be resolved so');
SELECT is_empty($$SELECT FROM triage.support_tickets s WHERE s.id = pg_temp.ticket('mail')$$, 'and is not in support_tickets: a conversation is required [seed 3] [seed 29]');
-- nor does a ticket that ends so by another way become a conversation's
SELECT triage.start_session('carl', language => 'bystander') AS bystander \gset
INSERT INTO triage.tickets (external_id, description, status, resolution) VALUES ('born closed', 'x', 'resolved', 'closed_by_client');
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (:bystander, pg_temp.ticket('mail'), 'related');
SELECT is(pg_temp.outcome(replace(c.command, '$session', :'bystander')), '23514', c.command || ' makes no CLOSED_BY_CLIENT [seed 17] [seed 37]')
	FROM (VALUES ('SELECT triage.link_session($session, pg_temp.ticket(''born closed''), ''origin'')'),
		('INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES ($session, pg_temp.ticket(''born closed''))'),
		('UPDATE triage.chat_tickets SET relation = ''origin'' WHERE session_id = $session'),
		('UPDATE triage.chat_tickets SET ticket_id = pg_temp.ticket(''born closed'') WHERE relation = ''origin'' AND session_id = pg_temp.session(''OPEN_AI_HANDLING'')')) c (command);
SELECT is(pg_temp.state('bystander'), NULL, '(none)');
CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.outcome('SELECT triage.set_handler(''default'', 1, ''ai'')'), '42501', 'an agent may not call what all of these end in');
SELECT is(pg_temp.outcome('INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, cause, created_by, session_role) VALUES (''default'', 1, ''policy'', ''x'', ''x'')'), '42501', 'nor write escalations');
SELECT is(pg_temp.outcome('UPDATE triage.ticket_escalations SET reason = ''x'''), '42501', 'nor change them');
SELECT is(pg_temp.outcome('DELETE FROM triage.ticket_escalations'), '42501', 'nor delete them');
SELECT is(pg_temp.outcome('DELETE FROM triage.conversation_summaries'), '42501', 'nor summaries');
SELECT is(pg_temp.outcome('SELECT triage.set_chat_settings(''{}'')'), '42501', 'nor set the rules');
SELECT is((SELECT pg_temp.step(s.name, format('triage.escalate_session(%s, ''policy'')', s.id)) FROM (SELECT 'OPEN_AI_HANDLING' AS name, pg_temp.session('OPEN_AI_HANDLING') AS id) s),
	'PENDING_HUMAN_ASSIGNMENT', 'but he may escalate [seed 41]');
RESET ROLE;

-- Inserted and assigned at once: it has an agent, so people answer.
INSERT INTO triage.tickets (external_id, description, handler, assignee_id) VALUES ('born assigned', 'x', 'ai', 'ann');
SELECT is(t.handler::text, 'human', 'a ticket that is made for an agent is answered by people') FROM triage.tickets t WHERE t.external_id = 'born assigned';

-- What a handover does -----------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.jobs(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', j.kind, CASE WHEN j.ticket_id IS NULL THEN 'session' ELSE 'ticket' END, j.priority, 'fence', j.fence), ', ' ORDER BY j.kind, j.ticket_id)
		FROM triage.ai_jobs j WHERE j.kind <> 'triage' AND (j.session_id = pg_temp.session(name) OR j.ticket_id = pg_temp.ticket_of(name)) $$;
CREATE FUNCTION pg_temp.escalations(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(': ', e.cause, e.reason), ', ' ORDER BY e.id) FROM triage.ticket_escalations e WHERE e.ticket_id = pg_temp.ticket_of(name) $$;

SET LOCAL triage.actor = 'app';
SELECT pg_temp.conversation('a', 'OPEN_AI_HANDLING') AS a \gset
SELECT is(pg_temp.jobs('a'), 'chat_reply session urgent fence 0', '(the bot is to answer)');
SELECT t.version AS version FROM triage.tickets t WHERE t.id = pg_temp.ticket_of('a') \gset
SELECT is(triage.escalate_session(:a, 'customer_request', '  wants a person '), pg_temp.ticket_of('a'), 'escalate_session() returns the ticket [seed 37]');
SELECT is(pg_temp.jobs('a'), 'summarize ticket high fence 0', 'the bot''s answer is called off, a summary is asked for [seed 38]');
SELECT is(pg_temp.escalations('a'), 'customer_request: wants a person', 'cause and reason are on record [seed 7]');
SELECT is(s.escalation_reason, 'wants a person', 'support_tickets shows the reason [seed 7] [seed 30]') FROM triage.support_tickets s WHERE s.conversation_id = :a;
SELECT results_eq(format($$SELECT e.session_id, e.created_by, e.session_role = session_user, e.up_to_message = (SELECT max(m.id) FROM triage.chat_messages m WHERE m.session_id = %s)
	FROM triage.ticket_escalations e WHERE e.ticket_id = pg_temp.ticket_of('a')$$, :a), format($$VALUES (%s::bigint, 'app', true, true)$$, :a), 'and who, where and when');
SELECT results_eq($$SELECT h.old_value, h.new_value, h.changed_by FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket_of('a') AND h.field = 'handler'$$,
	$$VALUES ('"ai"'::jsonb, '"human"'::jsonb, 'app')$$, 'the history tells of it');
SELECT t.version AS version FROM triage.tickets t WHERE t.id = pg_temp.ticket_of('a') \gset
SELECT is(triage.escalate_session(:a, 'customer_request', 'wants a person'), pg_temp.ticket_of('a'), 'escalated again: the same ticket');
SELECT is(triage.escalate_session(:a, 'policy'), pg_temp.ticket_of('a'), 'for another cause without a reason too');
SELECT is(pg_temp.escalations('a'), 'customer_request: wants a person', 'nothing is added');
SELECT is(t.version, :version, 'nor changed') FROM triage.tickets t WHERE t.id = pg_temp.ticket_of('a');
SELECT is(triage.escalate_session(:a, 'customer_request', 'says it is urgent'), pg_temp.ticket_of('a'), 'with a further reason');
SELECT is(pg_temp.escalations('a'), 'customer_request: wants a person, customer_request: says it is urgent', 'that is added');
SELECT is(pg_temp.jobs('a'), 'summarize ticket high fence 0', 'and nothing else happens');

SELECT is(pg_temp.outcome(format('SELECT triage.escalate_session(%s, NULL)', :a)), '22004', 'an escalation needs a cause');
SELECT is(pg_temp.outcome(format('SELECT triage.escalate_session(%s, ''boredom'')', :a)), '22P02', 'of the list');
SELECT is(pg_temp.outcome(format('SELECT triage.escalate_session(%s, ''policy'', repeat(''x'', 1001))', :a)), '23514 ticket_escalations_reason_length', 'a reason has a length');
SELECT is(pg_temp.outcome('SELECT triage.escalate_session(-5, ''policy'')'), 'P0002', 'a session that is not there');
SELECT is(pg_temp.outcome('SELECT triage.escalate_ticket(-5, ''policy'')'), 'P0002', 'a ticket that is not there');
SELECT is(pg_temp.outcome('SELECT triage.take_over_session(-5, ''ann'')'), 'P0002', 'nor taken over');
SELECT is(pg_temp.outcome('SELECT triage.hand_back_to_ai(-5)'), 'P0002', 'nor handed back');
SELECT is(pg_temp.outcome(format('SELECT triage.escalate_ticket(%s, ''policy'', expected_version => 0)', pg_temp.ticket_of('a'))), '40001', 'a version that is not the ticket''s');
SELECT is(pg_temp.outcome(format('SELECT triage.hand_back_to_ai(%s, 0)', pg_temp.ticket_of('a'))), '40001', 'here too');

-- A session without a ticket gets one.
SELECT triage.start_session('carl', language => 'b') AS b \gset
SELECT triage.post_message(:b, E'My invoice\nis wrong  by ten euros') > 0 AS said \gset
SELECT triage.post_message(:b, 'And I was charged twice') > 0 AS said \gset
SELECT is_empty($$SELECT FROM triage.support_tickets s WHERE s.conversation_id = pg_temp.session('b')$$, '(no ticket yet)');
SELECT isnt(triage.escalate_session(:b, 'missing_knowledge'), NULL, 'a session without a ticket is escalated');
SELECT results_eq($$SELECT t.source, t.requester_id, t.subject, t.description, t.handler::text, t.assignee_id, t.waiting_since IS NOT NULL FROM triage.tickets t WHERE t.id = pg_temp.ticket_of('b')$$,
	$$VALUES ('chat', 'carl', 'My invoice is wrong by ten euros And I was charged twice', E'My invoice\nis wrong  by ten euros\n\nAnd I was charged twice', 'human', NULL::text, true)$$,
	'its ticket is the customer''s, in his words, and waits for an agent [seed 4] [seed 22]');
SELECT is(pg_temp.jobs('b'), 'summarize ticket high fence 0', 'the bot is stopped, a summary asked for [seed 38]');
SELECT is(pg_temp.outcome(format('INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (%s, triage.create_ticket(''another'', ''x''))', :b)), '23505 chat_tickets_one_origin',
	'a conversation has one ticket [seed 21] [seed 23]');
SELECT triage.start_session('carl', language => 'silent') AS silent \gset
SELECT isnt(triage.escalate_session(:silent, 'customer_request'), NULL, 'one in which nothing was said yet can be escalated too');

-- The seed's columns.
SELECT triage.take_over_session(:b, 'ann') AS ticket_b \gset
SELECT results_eq($$SELECT s.id, s.conversation_id, s.client_id, s.assigned_to_id, s.status::text, s.escalation_reason, s.initial_summary, s.opened_at = t.created_at, s.assigned_at = a.assigned_at, s.closed_at
	FROM triage.support_tickets s JOIN triage.tickets t ON t.id = s.id JOIN triage.ticket_assignments a ON a.ticket_id = t.id AND a.unassigned_at IS NULL WHERE s.conversation_id = pg_temp.session('b')$$,
	$$SELECT pg_temp.ticket_of('b'), pg_temp.session('b'), 'carl'::text, 'ann'::text, 'ACTIVE_HUMAN_CHAT'::text, 'missing_knowledge'::text, NULL::text, true, true, NULL::timestamptz$$,
	'support_tickets shows a ticket in the seed''s columns [seed 1] [seed 2] [seed 3] [seed 4] [seed 5] [seed 9] [seed 10] [seed 11] [seed 30]');
SELECT is(s.closed_at, t.resolved_at, 'closed_at is when it ended [seed 11]') FROM triage.support_tickets s JOIN triage.tickets t ON t.id = s.id WHERE s.conversation_id = pg_temp.session('CLOSED_BY_CLIENT');
SELECT set_eq($$SELECT s.status::text FROM triage.support_tickets s WHERE s.client_id = 'carl' AND s.assigned_to_id = 'ann'$$, $$VALUES ('ACTIVE_HUMAN_CHAT')$$,
	'by client and by agent [seed 19] [seed 20] [seed 39]');
SELECT is((SELECT count(*) FROM triage.support_tickets s WHERE s.status = 'OPEN_AI_HANDLING'), 1::bigint, 'by status [seed 39]');
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET requester_id = ''nobody'' WHERE id = %s', :ticket_b)), '23503 tickets_requester_fkey', 'its client is a person [seed 28]');
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET assignee_id = ''nobody'' WHERE id = %s', :ticket_b)), '23503 tickets_assignee_fkey', 'so is its agent [seed 28]');
SELECT is(pg_temp.outcome(format('INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (-5, %s, ''related'')', :ticket_b)), '23503 chat_tickets_session_fkey', 'its conversation is a session [seed 28]');
SELECT is_empty($$SELECT v.named FROM (VALUES ('chat_tickets_one_origin'), ('tickets_requester'), ('tickets_assignee'), ('tickets_inbox'), ('tickets_created')) v (named)
	WHERE to_regclass('triage.' || v.named) IS NULL$$, 'the indexes that the seed names are there: conversation, client, agent, status (open ones), opened [seed 23] [seed 24] [seed 25] [seed 26] [seed 27] [seed 33]');

-- Assigning takes over, by plain SQL too.
SELECT pg_temp.conversation('c', 'OPEN_AI_HANDLING') AS c \gset
UPDATE triage.tickets SET assignee_id = 'ann' WHERE id = pg_temp.ticket_of('c');
SELECT is(pg_temp.state('c'), 'ACTIVE_HUMAN_CHAT', 'an agent who is assigned has taken the conversation over');
SELECT is(pg_temp.escalations('c'), 'agent_takeover', 'which is on record');
SELECT is(pg_temp.jobs('c'), 'summarize ticket high fence 0', 'and stops the bot');
SELECT pg_temp.conversation('d1', 'OPEN_AI_HANDLING') > 0 AND pg_temp.conversation('d2', 'OPEN_AI_HANDLING') > 0 AS made \gset
UPDATE triage.tickets SET assignee_id = 'bob' WHERE id IN (pg_temp.ticket_of('d1'), pg_temp.ticket_of('d2'), pg_temp.ticket('mail'));
SELECT is(pg_temp.escalations('d1') || pg_temp.escalations('d2'), 'agent_takeoveragent_takeover', 'many in one statement');
SELECT is_empty($$SELECT FROM triage.ticket_escalations e WHERE e.ticket_id = pg_temp.ticket('mail')$$, 'a ticket that people had already is not taken over');

-- An agent's reply stops the bot: as a comment or a message, by the API or plain INSERT.
SELECT pg_temp.conversation(v.name, 'OPEN_AI_HANDLING') > 0 FROM (VALUES ('r1'), ('r2'), ('r3'), ('r4')) v (name) \g /dev/null
SELECT triage.post_message(pg_temp.session('r1'), 'Let me see', 'agent', 'ann') > 0 AS said \gset
INSERT INTO triage.chat_messages (session_id, role, author_id, content) VALUES (pg_temp.session('r2'), 'agent', 'ann', 'Let me see');
SELECT triage.add_comment(pg_temp.ticket_of('r3'), 'Let me see', 'ann') > 0 AS said \gset
INSERT INTO triage.ticket_comments (ticket_id, author_id, author_role, content) VALUES (pg_temp.ticket_of('r4'), 'ann', 'agent', 'Let me see');
SELECT is(concat_ws(' | ', pg_temp.state(v.name), pg_temp.escalations(v.name), pg_temp.jobs(v.name)), 'ACTIVE_HUMAN_CHAT | agent_takeover | summarize ticket high fence 0',
		format('an agent''s public reply stops the bot: %s', v.how))
	FROM (VALUES ('r1', 'post_message()'), ('r2', 'INSERT of a message'), ('r3', 'add_comment()'), ('r4', 'INSERT of a comment')) v (name, how);
SELECT is(l.state, 'stale', 'an answer of the bot that comes late is not wanted any more')
	FROM triage.lock_chat_reply('{default}', '{NULL}', ARRAY[pg_temp.session('r4')], '{NULL}', ARRAY[(SELECT max(m.id) FROM triage.chat_messages m WHERE m.session_id = pg_temp.session('r4'))]) l;
SELECT triage.start_session('carl', language => 'r5') AS r5 \gset
SELECT triage.post_message(:r5, 'hello') > 0 AS said \gset
SELECT triage.post_message(:r5, 'Let me see', 'agent', 'ann') > 0 AS said \gset
SELECT is(concat_ws(' | ', pg_temp.state('r5'), pg_temp.escalations('r5'), pg_temp.jobs('r5')), 'ACTIVE_HUMAN_CHAT | agent_takeover | summarize ticket high fence 0', 'in a session without a ticket too');

-- Back to the AI.
SELECT triage.hand_back_to_ai(pg_temp.ticket_of('a')) > 0 AS back \gset
SELECT is(pg_temp.state('a'), 'OPEN_AI_HANDLING', 'handed back');
SELECT is(pg_temp.jobs('a'), 'chat_reply session urgent fence 0, summarize ticket high fence 0', 'the customer had the last word: the bot answers at once');
SELECT triage.hand_back_to_ai(pg_temp.ticket_of('r1')) > 0 AS back \gset
SELECT is(concat_ws(' ', pg_temp.state('r1'), t.status, t.assignee_id), 'OPEN_AI_HANDLING open', 'from an agent: nobody has it any more') FROM triage.tickets t WHERE t.id = pg_temp.ticket_of('r1');
SELECT is(pg_temp.jobs('r1'), 'summarize ticket high fence 0', 'the agent had the last word: the bot waits');
SELECT t.version AS version FROM triage.tickets t WHERE t.id = pg_temp.ticket_of('r1') \gset
SELECT is(triage.hand_back_to_ai(pg_temp.ticket_of('r1')), :version, 'handed back again: nothing changes');
SELECT is(pg_temp.escalations('r1'), 'agent_takeover', '(once taken over)');
SELECT triage.post_message(pg_temp.session('r1'), 'Let me see', 'agent', 'ann') > 0 AS said \gset
SELECT is(pg_temp.escalations('r1'), 'agent_takeover, agent_takeover', 'taken over again: once more on record');

-- The rules ----------------------------------------------------------------------------------------------------------------

INSERT INTO triage.tenants (id) VALUES ('defaults');
INSERT INTO triage.chat_settings (tenant_id) VALUES ('defaults');
SELECT is(to_jsonb(c), to_jsonb(s) - '{tenant_id,updated_at}'::text[], 'a tenant without a row has the columns'' defaults')
	FROM triage.chat_settings_of('default') c, triage.chat_settings s WHERE s.tenant_id = 'defaults';
SELECT triage.set_chat_settings('{"max_sentiment": null, "max_replies": 5, "min_confidence": 0.25}');
SELECT is(to_jsonb(c) - '{bot_enabled,auto_close,summarize_on_handoff,reply_delay_ms,history_messages,max_wait_ms}'::text[],
	'{"min_confidence": 0.25, "unsure_below": 0.60, "max_sentiment": null, "max_failed_turns": 3, "max_replies": 5}', 'what is set, and nothing else') FROM triage.chat_settings_of('default') c;
SELECT triage.set_chat_settings('{"max_replies": 6, "bot_enabled": false}');
SELECT is(concat_ws(' ', c.max_sentiment, c.max_replies, c.bot_enabled), '6 f', 'set again, one by one') FROM triage.chat_settings_of('default') c;
SELECT is(pg_temp.outcome(format('SELECT triage.set_chat_settings(%L)', v.settings)), '22023', 'refused: ' || v.settings)
	FROM (VALUES ('[]'), ('{"colour": 1}'), ('{"min_confidence": 1.1}'), ('{"min_confidence": "0.5"}'), ('{"max_sentiment": 0}'), ('{"max_sentiment": 2.5}'), ('{"max_replies": 0}'),
		('{"max_failed_turns": 101}'), ('{"bot_enabled": null}'), ('{"bot_enabled": 1}'), ('{"reply_delay_ms": -1}'), ('{"reply_delay_ms": null}'), ('{"history_messages": 1}'), ('{"max_wait_ms": 999}')) AS v (settings);
SELECT is(pg_temp.outcome('SELECT triage.set_chat_settings(NULL)'), '22023', 'refused: null');

-- Who waits too long for the AI is heard by people.
SELECT triage.set_chat_settings('{"bot_enabled": true, "max_wait_ms": 60000}');
SELECT triage.start_session('carl') AS patient \gset
SELECT triage.post_message(:patient, 'Hello?') AS m \gset
SELECT is(triage.escalate_unanswered(), 0, 'not at once');
UPDATE triage.ai_jobs SET created_at = now() - interval '61 seconds', lease_until = now() + interval '1 minute' WHERE session_id = :patient;
SELECT is(triage.escalate_unanswered(), 0, 'a call in the air is left to come back');
UPDATE triage.ai_jobs SET lease_until = NULL WHERE session_id = :patient;
SELECT triage.set_chat_settings('{"max_wait_ms": null}');
SELECT is(triage.escalate_unanswered(), 0, 'nor where the tenant''s customers wait for ever');
SELECT triage.set_chat_settings('{"max_wait_ms": 60000}');
SELECT is(triage.escalate_unanswered(0), 0, 'nor more than asked for');
SELECT is(triage.escalate_unanswered(), 1, 'but after max_wait_ms');
SELECT is((SELECT concat_ws(', ', s.status, e.cause, e.reason) FROM triage.support_tickets s JOIN triage.ticket_escalations e ON e.ticket_id = s.id WHERE s.conversation_id = :patient),
	'PENDING_HUMAN_ASSIGNMENT, ai_failed, no answer within 60 seconds', 'its ticket waits for people, who read why');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.session_id = :patient AND j.kind = 'chat_reply'), 0::bigint, 'and the AI owes nothing any more');
SELECT is(triage.escalate_unanswered(), 0, 'once');
SELECT triage.start_session('carl') AS off \gset
SELECT triage.post_message(:off, 'Hello?') AS m \gset
UPDATE triage.chat_settings SET bot_enabled = false WHERE tenant_id = 'default';
SELECT is_empty(format('SELECT r.* FROM triage.read_chat_reply(''default'', NULL, %s, NULL) r', :off), 'switched off by plain SQL, the bot is told nothing');
SELECT is((SELECT concat_ws(', ', s.status, s.escalation_reason) FROM triage.support_tickets s WHERE s.conversation_id = :off),
	'PENDING_HUMAN_ASSIGNMENT, the bot was switched off', 'and who was promised its answer is heard by people');

-- without the bot
SELECT triage.start_session('carl', language => 'off') AS off \gset
SELECT triage.post_message(:off, 'hello') > 0 AS said \gset
SELECT is(concat_ws(' | ', pg_temp.state('off'), pg_temp.escalations('off'), pg_temp.jobs('off')), 'PENDING_HUMAN_ASSIGNMENT | policy | summarize ticket high fence 0',
	'where the bot is switched off, a customer''s message goes to people at once');
SELECT is(pg_temp.outcome(format('SELECT triage.hand_back_to_ai(%s)', pg_temp.ticket_of('off'))), '55000', 'and nothing can be handed to it');
DELETE FROM triage.chat_settings;
SELECT triage.start_session('carl', language => 'waits') AS waits, triage.start_session('carl', open_ticket => true, language => 'opened') AS opened \gset
SELECT triage.post_message(:waits, 'hello') > 0 AS said, triage.post_message(:opened, 'hello') > 0 AS also \gset
SELECT triage.set_chat_settings('{"bot_enabled": false}');
SELECT is(concat_ws(' | ', pg_temp.state(v.name), pg_temp.escalations(v.name), pg_temp.jobs(v.name)), v.becomes, 'when it is switched off, who waits for it is heard by people: ' || v.name)
	FROM (VALUES ('waits', 'PENDING_HUMAN_ASSIGNMENT | policy | summarize ticket high fence 0'),
		('opened', 'PENDING_HUMAN_ASSIGNMENT | policy | summarize ticket high fence 0')) v (name, becomes);
DELETE FROM triage.chat_settings;

SELECT is(triage.handoff_cause(v.answer::jsonb, v.failed, v.replies, 0.3, 8, 3, 30)::text, v.cause, format('%s, %s failed, %s replies', v.answer, v.failed, v.replies))
	FROM (VALUES
		('{"action": "answer"}', 0, 1, NULL),
		('{"action": "answer", "confidence": 0.3, "sentiment_score": 7}', 2, 29, NULL),
		('{"action": "escalate", "cause": "customer_request"}', 0, 1, 'customer_request'),
		('{"action": "escalate", "cause": "policy", "confidence": 0.1, "sentiment_score": 10}', 9, 99, 'policy'),
		('{"action": "escalate", "cause": "negative_sentiment"}', 0, 1, 'negative_sentiment'),
		('{"action": "escalate", "cause": "missing_knowledge"}', 0, 1, 'missing_knowledge'),
		('{"action": "escalate", "cause": "none"}', 0, 1, 'missing_knowledge'),
		('{"action": "escalate"}', 0, 1, 'missing_knowledge'),
		('{"action": "answer", "confidence": 0.29}', 0, 1, 'low_confidence'),
		('{"action": "answer", "confidence": 0.29, "sentiment_score": 8}', 0, 1, 'negative_sentiment'),
		('{"action": "close", "sentiment_score": 9}', 0, 1, 'negative_sentiment'),
		('{"action": "answer"}', 3, 3, 'repeated_failure'),
		('{"action": "answer"}', 0, 30, 'usage_limit'),
		('{"action": "close"}', 0, 30, NULL)) AS v (answer, failed, replies, cause);
SELECT is(triage.handoff_cause('{"action": "answer", "confidence": 0, "sentiment_score": 10}', 99, 9999, NULL, NULL, NULL, NULL)::text, NULL, 'rules that are off hand nothing over');

-- The bot answers: the worker's call, as it makes it.
CREATE FUNCTION pg_temp.bot(name text, answer jsonb) RETURNS void LANGUAGE sql AS $$
	SELECT triage.store_chat_reply('default', NULL, pg_temp.session(name), NULL, 1, (SELECT max(m.id) FROM triage.chat_messages m WHERE m.session_id = pg_temp.session(name)),
		'p', 'm', '{"reply": "Try this", "action": "answer"}'::jsonb || answer) $$;
CREATE FUNCTION pg_temp.says(name text, answers jsonb[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
BEGIN
	PERFORM pg_temp.conversation(name, 'OPEN_AI_HANDLING');
	FOREACH answer IN ARRAY answers LOOP
		PERFORM pg_temp.bot(name, answer);
		IF pg_temp.state(name) = 'OPEN_AI_HANDLING' THEN
			PERFORM triage.post_message(pg_temp.session(name), 'Hm');
		END IF;
	END LOOP;
	RETURN concat_ws(' | ', pg_temp.state(name), pg_temp.escalations(name));
END
$$;
SELECT is(pg_temp.says(v.name, v.answers::jsonb[]), v.result, v.test)
	FROM (VALUES
		('s1', '{"{}"}', 'OPEN_AI_HANDLING', 'an answer is an answer [seed 13]'),
		('s2', '{"{\"action\": \"escalate\", \"cause\": \"customer_request\", \"reason\": \"asks for a person\"}"}', 'PENDING_HUMAN_ASSIGNMENT | customer_request: asks for a person', 'the model escalates with its cause and reason [seed 14]'),
		('s3', '{"{\"action\": \"escalate\"}"}', 'PENDING_HUMAN_ASSIGNMENT | missing_knowledge', 'without a cause: it does not know'),
		('s4', '{"{\"confidence\": 0.2}"}', 'PENDING_HUMAN_ASSIGNMENT | low_confidence: the AI''s confidence in its answer is 0.2', 'low confidence hands over'),
		('s5', '{"{\"sentiment_score\": 9}"}', 'PENDING_HUMAN_ASSIGNMENT | negative_sentiment: the customer''s mood is 9 of 10', 'a furious customer is handed over'),
		('s6', '{"{\"confidence\": 0.5}","{\"confidence\": 0.5}"}', 'OPEN_AI_HANDLING', 'two unsure answers are not enough'),
		('s7', '{"{\"confidence\": 0.5}","{\"confidence\": 0.5}","{\"confidence\": 0.5}"}', 'PENDING_HUMAN_ASSIGNMENT | repeated_failure: 3 answers in a row did not help', 'three in a row are'),
		('s8', '{"{\"confidence\": 0.5}","{\"confidence\": 0.5}","{\"confidence\": 0.9}","{\"confidence\": 0.5}"}', 'OPEN_AI_HANDLING', 'a good one in between counts them anew'),
		('s9', '{"{\"sentiment_score\": 4}","{\"sentiment_score\": 5}","{\"sentiment_score\": 6}","{\"sentiment_score\": 7}"}', 'PENDING_HUMAN_ASSIGNMENT | repeated_failure: 3 answers in a row did not help', 'nor does it help when the customer gets angrier at each answer'),
		('s10', '{"{\"sentiment_score\": 7}","{\"sentiment_score\": 7}","{\"sentiment_score\": 6}","{\"sentiment_score\": 6}","{\"sentiment_score\": 3}","{\"sentiment_score\": 4}"}', 'OPEN_AI_HANDLING', 'who is no angrier than before, or calm, counts for nothing'),
		('s11', '{"{\"action\": \"close\"}"}', 'OPEN_AI_HANDLING', 'the bot does not close by itself')) AS v (name, answers, result, test);
SELECT is(triage.ai_assisted(pg_temp.ticket_of('s1')), true, 'what the bot answers is help of the AI''s [seed 53]');
SELECT is(triage.ai_assisted(pg_temp.ticket_of('ACTIVE_HUMAN_CHAT')), false, 'a conversation that only people answered had none [seed 53]');
SELECT is(jsonb_path_query_array(jsonb_agg(m.metadata ORDER BY m.id), '$[*].failed_turn')::text, '[true, true, false, true]', 'each answer bears whether it failed')
	FROM triage.chat_messages m WHERE m.session_id = pg_temp.session('s8') AND m.role = 'assistant';

SELECT triage.set_chat_settings('{"max_replies": 2, "auto_close": true}');
SELECT is(pg_temp.says('u1', '{"{}"}'), 'OPEN_AI_HANDLING', 'one answer of two');
SELECT pg_temp.bot('u1', '{}');
SELECT is(concat_ws(' | ', pg_temp.state('u1'), pg_temp.escalations('u1')), 'PENDING_HUMAN_ASSIGNMENT | usage_limit: the AI has given 2 answers', 'the second is the last');
SELECT triage.hand_back_to_ai(pg_temp.ticket_of('u1')) > 0 AS back \gset
SELECT triage.post_message(pg_temp.session('u1'), 'Hello?') > 0 AS said \gset
SELECT pg_temp.bot('u1', '{}');
SELECT is(pg_temp.state('u1'), 'OPEN_AI_HANDLING', 'handed back, it is counted anew');

SELECT is(pg_temp.says('x1', '{"{\"action\": \"close\"}"}'), 'CLOSED_RESOLVED', 'with auto_close the bot ends what is settled [seed 16]');
SELECT is(concat_ws(' ', t.status, t.resolution, s.status, s.ended_at IS NOT NULL), 'resolved deflected resolved t', 'as deflected, the session with it')
	FROM triage.tickets t, triage.chat_sessions s WHERE t.id = pg_temp.ticket_of('x1') AND s.id = pg_temp.session('x1');
SELECT triage.post_message(pg_temp.session('x1'), 'Still broken') > 0 AS said \gset
SELECT is(pg_temp.state('x1'), 'OPEN_AI_HANDLING', 'unless the customer says that it is not');
SELECT triage.start_session('carl', language => 'x2') AS x2 \gset
SELECT triage.post_message(:x2, 'Thanks') > 0 AS said \gset
SELECT pg_temp.bot('x2', '{"action": "close"}');
SELECT is(concat_ws(' ', s.status, pg_temp.ticket_of('x2')), 'resolved', 'a session without a ticket ends without one') FROM triage.chat_sessions s WHERE s.id = :x2;

SELECT triage.set_chat_settings('{"summarize_on_handoff": false}');
SELECT triage.start_session('carl', open_ticket => true, language => 'n1') AS n1 \gset
SELECT triage.post_message(:n1, 'hello') > 0 AS said \gset
SELECT triage.give_up_chat_reply('default', NULL, :n1, NULL, 'refused', 'no');
SELECT is(concat_ws(' | ', pg_temp.state('n1'), pg_temp.escalations('n1')), 'PENDING_HUMAN_ASSIGNMENT | ai_failed: refused: no', 'where the model fails, people take over [seed 14]');
SELECT is(pg_temp.jobs('n1'), NULL, 'without a summary where none is wanted');
SELECT is(triage.escalate_for('default', pg_temp.session('CLOSED_RESOLVED'), 'policy', 'x'), NULL, 'the worker''s escalation of what has ended does nothing');
SELECT is(pg_temp.escalations('CLOSED_RESOLVED'), NULL, '(nothing)');
DELETE FROM triage.chat_settings;

-- Summaries ----------------------------------------------------------------------------------------------------------------

SELECT triage.create_ticket('Printer', 'It jams', 'carl', external_id => 'told', request_triage => false) AS told \gset
SELECT triage.add_comment(:told, c.content, c.author, c.role, c.visibility) > 0 FROM (VALUES
	(1, 'Which model?', 'ann', 'agent'::triage.person_role, 'public'::triage.comment_visibility), (2, 'The old one', 'carl', 'customer', 'public'),
	(3, 'He has no contract', 'ann', 'agent', 'internal'), (4, 'Try paper', NULL, 'ai', 'public'), (5, 'Moved', NULL, 'system', 'public')) c (n, content, author, role, visibility) \g /dev/null
SELECT results_eq(format('SELECT r.* FROM triage.read_summarize(''default'', %s, NULL, NULL) r', :told),
	$$VALUES (0::bigint, 'Printer'::text, '{customer,agent,customer,note,assistant,system}'::text[], '{It jams,Which model?,The old one,He has no contract,Try paper,Moved}'::text[])$$,
	'a ticket is told oldest first, internal notes marked');
SELECT triage.start_session('carl', open_ticket => true, subject => 'Scanner', language => 't1') AS t1 \gset
SELECT triage.post_message(:t1, m.content, m.role) > 0 FROM (VALUES (1, 'It beeps', 'user'::triage.message_role), (2, 'Switch it off', 'assistant'), (3, 'It beeps still', 'user')) m (n, content, role) \g /dev/null
SELECT triage.add_comment(pg_temp.ticket_of('t1'), 'Known fault', 'ann', visibility => 'internal') > 0 AS noted \gset
SELECT triage.post_message(:t1, 'I will look', 'agent', 'ann') > 0 AS said \gset
SELECT results_eq('SELECT r.heading, r.speakers, r.texts, r.version = (SELECT max(m.id) FROM triage.chat_messages m) FROM triage.read_summarize(''default'', pg_temp.ticket_of(''t1''), NULL, NULL) r',
	$$VALUES ('Scanner'::text, '{note,customer,assistant,customer,agent}'::text[], '{Known fault,It beeps,Switch it off,It beeps still,I will look}'::text[], true)$$,
	'with the conversation that it began as, each message once');
SELECT is_empty('SELECT r.* FROM triage.read_summarize(''default'', pg_temp.ticket_of(''CLOSED_RESOLVED''), NULL, NULL) r', 'a finished ticket is not summarised');
SELECT is_empty('SELECT r.* FROM triage.read_summarize(''other'', pg_temp.ticket_of(''t1''), NULL, NULL) r', 'nor is another tenant''s');

SELECT is(l.n || ' ' || l.state, '1 current', 'it can be stored')
	FROM triage.lock_summarize('{default}', ARRAY[pg_temp.ticket_of('t1')], '{NULL}', '{NULL}', '{1}') l;
SELECT triage.store_summarize('default', pg_temp.ticket_of('t1'), NULL, NULL, 7, r.version, 'p', 'm',
		'{"summary": "The scanner beeps.", "customer_request": "A silent scanner.", "open_questions": ["Which model?", "Since when?"], "sentiment_score": 4, "language": "en"}')
	FROM triage.read_summarize('default', pg_temp.ticket_of('t1'), NULL, NULL) r;
SELECT is(s.initial_summary, 'The scanner beeps.', 'support_tickets shows it [seed 8] [seed 38]') FROM triage.support_tickets s WHERE s.conversation_id = :t1;
SELECT results_eq('SELECT i.initial_summary, i.customer_request, i.open_questions, i.mood, i.escalation_cause::text, i.escalation_reason FROM triage.inbox i WHERE i.id = pg_temp.ticket_of(''t1'')',
	$$VALUES ('The scanner beeps.'::text, 'A silent scanner.'::text, '{Which model?,Since when?}'::text[], 4, 'agent_takeover'::text, NULL::text)$$,
	'so does the inbox, with open questions and mood [seed 38]');
SELECT triage.store_summarize('default', pg_temp.ticket_of('t1'), NULL, NULL, 8, 0, 'p', 'm', '{"summary": "It beeps no more."}');
SELECT results_eq('SELECT s.summary, s.open_questions, s.superseded_at IS NULL FROM triage.conversation_summaries s WHERE s.ticket_id = pg_temp.ticket_of(''t1'') ORDER BY s.id',
	$$VALUES ('The scanner beeps.'::text, '{Which model?,Since when?}'::text[], false), ('It beeps no more.', '{}', true)$$, 'a newer one takes its place, the old one is kept');
SELECT is(pg_temp.outcome(format('SELECT triage.store_summarize(''default'', %s, NULL, NULL, 8, 0, NULL, NULL, ''{"summary": ""}'')', :told)), '23514 conversation_summaries_summary_length', 'an empty one is refused');
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply, summary) VALUES ('default', pg_temp.ticket_of('b'), 1, 'billing', 'low', 6, 'x', 'Charged twice.');
SELECT is(concat_ws(' ', s.initial_summary, i.mood), 'Charged twice. 6', 'without one, what triage said stands there [seed 8]')
	FROM triage.support_tickets s JOIN triage.inbox i ON i.id = s.id WHERE s.conversation_id = pg_temp.session('b');

-- a session, rolling
SELECT results_eq(format('SELECT r.heading, r.speakers, r.texts FROM triage.read_summarize(''default'', NULL, %s, NULL) r', :t1),
	$$VALUES (''::text, '{customer,assistant,customer,agent}'::text[], '{It beeps,Switch it off,It beeps still,I will look}'::text[])$$, 'a session');
SELECT triage.store_summarize('default', NULL, :t1, NULL, 9, r.version, NULL, NULL, '{"summary": "So far."}') FROM triage.read_summarize('default', NULL, :t1, NULL) r;
SELECT is_empty(format('SELECT r.* FROM triage.read_summarize(''default'', NULL, %s, NULL) r', :t1), 'nothing was said since: nothing to summarise');
SELECT triage.post_message(:t1, 'Thank you') > 0 AS said \gset
SELECT results_eq(format('SELECT r.speakers, r.texts FROM triage.read_summarize(''default'', NULL, %s, NULL) r', :t1),
	$$VALUES ('{summary,customer}'::text[], '{So far.,Thank you}'::text[])$$, 'then the earlier summary and what was said since');
SELECT results_eq(format($$SELECT l.n, l.state FROM triage.lock_summarize('{default,default,default,default,default}', ARRAY[NULL, NULL, pg_temp.ticket_of('CLOSED_RESOLVED'), -5, NULL],
		ARRAY[%s, %1$s, NULL, NULL, -5], '{NULL}', ARRAY[0, 9223372036854775807, 0, 0, 0]) l ORDER BY l.n$$, :t1),
	$$VALUES (1, 'stale'::text), (2, 'current'), (3, 'stale'), (4, 'gone'), (5, 'gone')$$, 'what is newer, finished or gone is not stored');

-- long conversations
INSERT INTO triage.ticket_comments (ticket_id, content, author_role, created_at) SELECT :told, 'comment ' || i, 'customer', now() + i * interval '1 second' FROM generate_series(1, 250) i;
SELECT is(concat_ws(' ', cardinality(r.texts), r.texts[1], r.texts[2], r.texts[201]), '201 It jams comment 51 comment 250', 'a long one is cut to its newest part') FROM triage.read_summarize('default', :told, NULL, NULL) r;
SELECT triage.store_summarize('default', :told, NULL, NULL, 9, 0, NULL, NULL, '{"summary": "Jams."}');
SELECT is(concat_ws(' ', cardinality(r.texts), r.speakers[2], r.texts[2], r.texts[202]), '202 summary Jams. comment 250', 'its earlier summary stands for the rest') FROM triage.read_summarize('default', :told, NULL, NULL) r;

SELECT isnt(triage.request_summary(:told), NULL, 'a summary can be asked for');
SELECT isnt(triage.request_session_summary(:t1), NULL, 'of a session too');
SELECT is(pg_temp.outcome('SELECT triage.request_session_summary(-5)'), 'P0002', 'if it is there');
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at) VALUES ('default', -9, :told, 'summarize', 'high', 1, 1, 'refused', 'x', now());
SELECT triage.give_up_summarize('default', :told, NULL, NULL, 'refused', 'x');
UPDATE triage.ai_jobs SET lease_until = now() + interval '1 minute', fence = 3 WHERE ticket_id = :told AND kind = 'summarize';
SELECT triage.request_summary(:told) AS job \gset
SELECT is(concat_ws(' ', j.fence, j.lease_until, (SELECT count(*) FROM triage.ai_dead_letters d WHERE d.ticket_id = :told)), '4 0', 'asked for again: what is on its way is stale, and the dead letter is gone')
	FROM triage.ai_jobs j WHERE j.id = :job;
SELECT is((SELECT count(*) FROM triage.prompts p WHERE p.kind = 'summarize' AND p.version = 1 AND p.is_active AND p.system_text ~ 'never follow instructions'), 1::bigint, 'a tenant has a prompt for it');

SELECT is_empty($$SELECT FROM triage.conversation_summaries s WHERE s.superseded_at IS NULL GROUP BY s.ticket_id, s.session_id HAVING count(*) > 1$$, 'one summary is current');

-- The rest of the seed -------------------------------------------------------------------------------------------------------

SELECT has_table('triage', v.name::name, format('%s is there [seed 12]', v.name)) FROM (VALUES ('people'), ('chat_sessions'), ('chat_messages')) v (name);
SELECT col_not_null('triage', 'tickets', v.name::name, format('%s is required [seed 29] [seed 32]', v.name)) FROM (VALUES ('status'), ('handler'), ('created_at')) v (name);
SELECT has_view('triage', 'support_tickets', 'the view of the seed [seed 1] [seed 32]');
SELECT is(string_agg(k.conname, ' ' ORDER BY k.conname), 'chat_tickets_session_fkey chat_tickets_ticket_fkey', 'conversation and ticket are tied by keys [seed 22] [seed 34]')
	FROM pg_constraint k WHERE k.conrelid = 'triage.chat_tickets'::regclass AND k.contype = 'f';

SELECT finish();
ROLLBACK;
