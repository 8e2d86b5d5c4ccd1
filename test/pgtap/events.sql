-- The outbox: whose events a consumer gets, who may read, what is written without being wanted.
\ir prepare.psql
SELECT no_plan();

-- What the transaction itself does comes to no reader, so events are made those of an older one.
CREATE FUNCTION pg_temp.committed() RETURNS void
	LANGUAGE sql
AS $$
	UPDATE triage.events SET xid = '3';
	UPDATE triage.event_consumers SET seen = '1:1:'
$$;
CREATE FUNCTION pg_temp.got(consumer text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(e.tenant_id || ' ' || e.topic, ', ' ORDER BY e."position") FROM triage.read_events(consumer) e
$$;
SELECT triage.create_tenant('one'), triage.create_tenant('two');

SELECT triage.create_ticket('x', 'x');
SELECT is_empty('SELECT FROM triage.events', 'while nobody wants events, none are written');
SELECT triage.add_consumer('files', '{comment.created}');
SELECT triage.create_ticket('x', 'x', external_id => 'f');
SELECT is_empty('SELECT FROM triage.events', 'while nobody wants a topic, nothing of it is');
SELECT triage.add_comment(pg_temp.ticket('f'), 'x', 'carl');
SELECT results_eq('SELECT topic::text FROM triage.events', $$VALUES ('comment.created')$$, 'what is wanted is');
SELECT triage.drop_consumer('files');

-- Each topic that tickets, comments, results and reviews have ----------------------------------------------------------

SELECT triage.add_consumer('all');
SET LOCAL triage.actor = 'sue';
SELECT triage.create_ticket('x', 'x', 'carl', external_id => 't') AS t \gset
SELECT is((SELECT e.actor FROM triage.events e WHERE e.topic = 'ticket.created' AND e.ticket_id = :t), 'sue', 'who typed a ticket in is in its event [seed 52]');
SELECT triage.assign_ticket(:t, 'ann');
SELECT triage.assign_ticket(:t, 'bob');
SELECT triage.unassign_ticket(:t);
SELECT triage.update_ticket(:t, '{"subject": "y", "custom_fields": {"a": 1}, "category": "billing", "language": "de"}');
SELECT triage.add_comment(:t, 'x', 'carl') AS c \gset
UPDATE triage.ticket_comments SET content = 'y' WHERE id = :c;
UPDATE triage.ticket_comments SET content = content WHERE id = :c;
SELECT triage.complete_job(j.job_id, j.fence, '{"category": "technical", "urgency": "medium", "sentiment_score": 3, "draft_reply": "x", "needs_human": true}')
	FROM triage.claim_jobs(10) j WHERE j.ticket_id = :t;
SELECT r.id AS r FROM triage.ticket_ai_results r WHERE r.ticket_id = :t \gset
SELECT triage.correct_result(:r, '{"sentiment_score": 9}', 'ann');
SELECT triage.reject_draft(:r, 'secret', 'ann');
SELECT triage.edit_draft(:r, 'x y', 'bob') AS sent \gset
SELECT triage.resolve_ticket(:t);
UPDATE triage.tickets SET resolution = 'spam' WHERE id = :t;
SELECT triage.reopen_ticket(:t);
UPDATE triage.tickets SET deleted_at = now() WHERE id = :t;
UPDATE triage.tickets SET deleted_at = NULL WHERE id = :t;
UPDATE triage.tickets SET deleted_at = deleted_at WHERE id = :t;
DELETE FROM triage.tickets WHERE id = :t;
RESET triage.actor;
SELECT results_eq($$SELECT e.topic::text, e.object_id, e.labels FROM triage.events e WHERE e.ticket_id = $$ || :t || ' ORDER BY e.id',
	format($$VALUES ('ticket.created', NULL::bigint, '{"status": "open", "category": null, "priority": "medium"}'::jsonb),
		('ticket.status_changed', NULL, '{"from": "open", "to": "in_progress", "resolution": null}'),
		('ticket.assigned', NULL, '{"from": null, "to": "ann"}'),
		('ticket.assigned', NULL, '{"from": "ann", "to": "bob"}'),
		('ticket.status_changed', NULL, '{"from": "in_progress", "to": "open", "resolution": null}'),
		('ticket.assigned', NULL, '{"from": "bob", "to": null}'),
		('ticket.updated', NULL, '{"fields": ["language", "subject", "custom_fields", "category"]}'),
		('comment.created', %1$s, '{"visibility": "public", "author_role": "customer"}'),
		('comment.edited', %1$s, '{"visibility": "public", "author_role": "customer"}'),
		('result.stored', %2$s, '{"category": "technical", "urgency": "medium", "sentiment_score": 3, "needs_human": true}'),
		('result.corrected', %2$s, '{"person": "ann", "fields": ["sentiment_score"]}'),
		('draft.rejected', %2$s, '{"person": "ann"}'),
		('comment.created', %3$s, '{"visibility": "public", "author_role": "agent"}'),
		('draft.edited', %2$s, '{"person": "bob", "comment": %3$s, "similarity": 0.667}'),
		('ticket.status_changed', NULL, '{"from": "open", "to": "resolved", "resolution": "resolved"}'),
		('ticket.status_changed', NULL, '{"from": "resolved", "to": "resolved", "resolution": "spam"}'),
		('ticket.status_changed', NULL, '{"from": "resolved", "to": "open", "resolution": null}'),
		('ticket.deleted', NULL, '{}'),
		('ticket.updated', NULL, '{"fields": ["deleted_at"]}'),
		('ticket.purged', NULL, '{}')$$, :c, :r, :sent), 'a ticket''s life in events, by plain SQL and functions alike');
SELECT is((SELECT count(*) FROM triage.events e WHERE e.ticket_id = :t AND e.actor NOT IN ('sue', 'triage')), 0::bigint, 'each with its actor');
SELECT is((SELECT count(*) FROM triage.events e WHERE (e.topic::text ~ '^ticket\.' OR e.topic = 'result.stored') AND e.version IS NULL), 0::bigint, 'and those of the ticket with its version');
-- each topic can be written
SELECT lives_ok(format('SELECT triage.emit_event(''default'', %L, -1, 2, 3, ''{"a": 1}'', 4)', t), t || ' is a topic')
	FROM unnest(enum_range(NULL::triage.event_topic)::text[]) t;
SELECT is((SELECT count(DISTINCT e.topic) FROM triage.events e), cardinality(enum_range(NULL::triage.event_topic))::bigint, 'all are there');
SELECT results_eq($$SELECT session_id, object_id, version, labels::text FROM triage.events WHERE topic = 'chat.message_posted'$$,
	$$VALUES (2::bigint, 3::bigint, 4, '{"a": 1}')$$, 'with what was handed over');
SELECT triage.erase_person('carl');
SELECT is((SELECT e.labels::text FROM triage.events e WHERE e.topic = 'person.erased' AND e.labels <> '{"a": 1}'), '{"person": "carl"}', 'who keeps copies is told of an erasure');
SELECT triage.drop_consumer('all');
DELETE FROM triage.events;

-- Conversations --------------------------------------------------------------------------------------------------------

SELECT triage.start_session('carl') AS idle \gset
SELECT triage.post_message(:idle, 'secret');
SELECT is_empty('SELECT FROM triage.events', 'a conversation writes no event while nobody wants any');
SELECT triage.add_consumer('talk');
SELECT triage.start_session('carl') AS s \gset
SELECT triage.post_message(:s, 'secret') AS m1 \gset
-- the bot's, as a worker stores it
SELECT triage.store_chat_reply('default', NULL, :s, NULL, NULL, :m1, 'fake', 'fake-model',
	'{"reply": "secret", "action": "escalate", "cause": "policy", "reason": "secret", "confidence": 0.9, "sentiment_score": 2}');
SELECT l.ticket_id AS o FROM triage.chat_tickets l WHERE l.session_id = :s \gset
SELECT max(m.id) AS m2 FROM triage.chat_messages m WHERE m.session_id = :s \gset
SELECT x.id AS x1 FROM triage.ticket_escalations x WHERE x.session_id = :s \gset
SELECT triage.hand_back_to_ai(:o), triage.hand_back_to_ai(:o);
SELECT triage.escalate_ticket(:o, 'customer_request', 'secret');
SELECT max(x.id) AS x2 FROM triage.ticket_escalations x WHERE x.session_id = :s \gset
SELECT triage.end_session(:s, by_client => true), triage.archive_session(:s), triage.archive_session(:s);
SELECT results_eq($$SELECT e.topic::text, e.ticket_id, e.object_id, e.labels FROM triage.events e
		WHERE e.session_id = $$ || :s || ' ORDER BY e.id',
	format($$VALUES ('chat.session_started', NULL::bigint, NULL::bigint, '{}'::jsonb),
		('chat.message_posted', NULL, %1$s, '{"role": "user"}'),
		('chat.message_posted', NULL, %2$s, '{"role": "assistant"}'),
		('ticket.escalated', %3$s, %4$s, '{"cause": "policy"}'),
		('ticket.handed_back', %3$s, NULL, '{}'),
		('ticket.escalated', %3$s, %5$s, '{"cause": "customer_request"}'),
		('chat.session_ended', %3$s, NULL, '{"status": "resolved", "resolution": "closed_by_client"}'),
		('chat.session_archived', %3$s, NULL, '{}')$$, :m1, :m2, :o, :x1, :x2),
	'a conversation''s life in events: from its start through the bot''s message, the handover and back, to the archive');
SELECT is_empty('SELECT FROM triage.events e WHERE to_jsonb(e)::text ~ ''secret''', 'with nothing of what was said');
SELECT is((SELECT count(*) FROM triage.events e WHERE e.ticket_id = :o AND e.session_id IS NOT NULL AND e.version IS NULL), 0::bigint,
	'and with the version of its ticket');
-- plain SQL
DELETE FROM triage.events;
INSERT INTO triage.chat_sessions (customer_id) VALUES ('carl') RETURNING id AS p \gset
INSERT INTO triage.chat_messages (session_id, role, content) VALUES (:p, 'user', 'x'), (:p, 'system', 'y');
UPDATE triage.chat_sessions SET metadata = '{"a": 1}' WHERE id = :p;
UPDATE triage.chat_sessions SET status = 'resolved' WHERE id = :p;
INSERT INTO triage.chat_messages (session_id, role, content) VALUES (:p, 'user', 'z');
SELECT results_eq($$SELECT e.topic || ' ' || e.labels FROM triage.events e WHERE e.session_id = $$ || :p || ' ORDER BY e.id',
	$$VALUES ('chat.session_started {}'), ('chat.message_posted {"role": "user"}'), ('chat.message_posted {"role": "system"}'),
		('chat.session_ended {"status": "resolved", "resolution": null}'), ('chat.message_posted {"role": "user"}')$$,
	'plain INSERT and UPDATE are told as well, and no change of another column');
-- a role that may write no events
CREATE ROLE regress_triage_chat;
SELECT triage.grant_access('regress_triage_chat', 'agent');
DELETE FROM triage.events;
SET LOCAL ROLE regress_triage_chat;
SELECT triage.start_session('carl', open_ticket => true) AS q \gset
SELECT triage.post_message(:q, 'x');
SELECT triage.escalate_session(:q, 'customer_request');
RESET ROLE;
SELECT is((SELECT string_agg(e.topic::text, ' ' ORDER BY e.id) FROM triage.events e WHERE e.session_id = :q),
	'chat.session_started chat.message_posted ticket.escalated', 'what a role does that may write none is told');
SELECT triage.drop_consumer('talk');
DELETE FROM triage.events;

-- Tenants ------------------------------------------------------------------------------------------------------------

SELECT triage.add_consumer('every', all_tenants => true);
SET LOCAL triage.tenant = 'one';
SELECT triage.add_consumer('own');
SELECT triage.create_ticket('x', 'x');
SET LOCAL triage.tenant = 'two';
SELECT triage.add_consumer('own', '{comment.created}');
SELECT triage.add_comment(triage.create_ticket('x', 'x'), 'x', 'carl');
SELECT pg_temp.committed();
SELECT is(pg_temp.got('own'), 'two comment.created', 'a consumer gets its tenant''s events, of its topics');
SELECT is(pg_temp.got('every'), 'one ticket.created, two ticket.created, two comment.created', 'one of all tenants gets all');
SET LOCAL triage.tenant = 'one';
SELECT is(pg_temp.got('own'), 'one ticket.created', 'names are the tenants'' own');
SELECT is(pg_temp.outcome('SELECT triage.add_consumer(''every'')'), '42710', 'but for those of all tenants');
SELECT results_eq('SELECT triage.confirm_events(''own'', 1)', 'VALUES (1::bigint)', 'each confirms for itself');
SET LOCAL triage.tenant = 'two';
SELECT is(pg_temp.got('own'), 'two comment.created', 'and for nobody else');

-- Roles --------------------------------------------------------------------------------------------------------------

CREATE ROLE regress_triage_admin;
CREATE ROLE regress_triage_relay;
CREATE ROLE regress_triage_confined;
SELECT triage.grant_access('regress_triage_admin', 'admin'), triage.grant_access('regress_triage_relay', 'consumer'),
	triage.grant_access('regress_triage_confined', 'admin');
SELECT triage.allow_tenant('regress_triage_confined', 'one');
SET LOCAL triage.tenant = 'one';
SET LOCAL ROLE regress_triage_relay;
SELECT is((SELECT count(*) FROM triage.read_events('every')), 3::bigint, 'level consumer reads');
SELECT is(triage.confirm_events('every', 1), 1::bigint, 'and confirms');
SELECT is(pg_temp.outcome(c), '42501', c) FROM unnest(ARRAY['SELECT FROM triage.events', 'SELECT FROM triage.event_consumers', 'SELECT FROM triage.tickets',
	'SELECT triage.add_consumer(''x'')', 'SELECT triage.drop_consumer(''every'')', 'SELECT triage.current_tenant()',
	'SELECT triage.emit_event(''one'', ''ticket.created'', 1)']) c;
SET LOCAL ROLE regress_triage_admin;
SELECT is(pg_temp.outcome('SELECT triage.emit_event(''one'', ''ticket.created'', 1)'), '42501', 'an admin makes no events up');
SELECT is(pg_temp.outcome('UPDATE triage.event_consumers SET confirmed = delivered'), '42501', 'nor positions');
SELECT is((SELECT string_agg(s.name || ' ' || s.pending, ', ' ORDER BY s.name) FROM triage.event_consumers_status s), 'every 2, own 0', 'but sees how far consumers are');
SET LOCAL ROLE regress_triage_confined;
SELECT is(pg_temp.outcome('SELECT * FROM triage.read_events(''every'')'), '42704', 'a role that is held to a tenant does not read all tenants'' events');
SELECT is(pg_temp.outcome('SELECT triage.drop_consumer(''every'')'), '42704', 'nor drops their consumer');
SELECT is(pg_temp.outcome('SELECT triage.add_consumer(''mine'', all_tenants => true)'), '42501', 'nor adds one');
SELECT is(pg_temp.outcome('SELECT triage.rebuild_trends(all_tenants => true)'), '42501', 'nor is told how many issues they have all together');
SELECT is(pg_temp.outcome('SELECT triage.rebuild_trends()'), 'ok', 'its own tenant''s are counted for it');
SELECT is(pg_temp.got('own'), NULL, 'its tenant''s it may read');
SELECT is((SELECT s.pending FROM triage.event_consumers_status s WHERE s.name = 'every'), 0::bigint, 'and is told of nobody else''s');
RESET ROLE;

-- An application's role, which may write tickets and nothing of the outbox
CREATE ROLE regress_triage_app;
SELECT triage.grant_access('regress_triage_app', 'agent');
SET LOCAL ROLE regress_triage_app;
SELECT triage.create_ticket('by the app', 'x', external_id => 'app');
SELECT triage.add_comment(pg_temp.ticket('app'), 'x', 'carl');
RESET ROLE;
SELECT is((SELECT string_agg(e.topic::text, ' ' ORDER BY e.id) FROM triage.events e WHERE e.ticket_id = pg_temp.ticket('app')), 'ticket.created comment.created',
	'what a role does that may write no events is told');
ALTER TABLE triage.tickets ADD COLUMN "crm ""ref""" text;
UPDATE triage.tickets SET "crm ""ref""" = 'x' WHERE external_id = 'app';
SELECT is((SELECT e.labels FROM triage.events e WHERE e.topic = 'ticket.updated' AND e.ticket_id = pg_temp.ticket('app')), '{"fields": ["crm \"ref\""]}', 'a column of one''s own, too');

SELECT finish();
ROLLBACK;
