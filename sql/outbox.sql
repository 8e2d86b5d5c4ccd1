-- The outbox: what is written for whom, and how it is read.
SET triage.autostart = off;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS triage;
DO $$ BEGIN PERFORM triage.worker_stop(); END $$;
DELETE FROM triage.tickets;
\set SHOW_CONTEXT never
CREATE VIEW last_event AS SELECT count(*) AS events FROM triage.events;

-- nobody wants any: nothing is written
SELECT triage.create_ticket('before', 'x', external_id => 'before') IS NOT NULL AS created;
TABLE last_event;

SELECT triage.add_consumer('relay');
SELECT triage.add_consumer('mail', '{ticket.created,comment.created}');
SELECT triage.create_ticket('printer', 'jams', 'carl', external_id => 'outbox') AS t \gset
SELECT triage.assign_ticket(:t, 'ann') AS version;
SELECT triage.update_ticket(:t, '{"subject": "secret words", "priority": "high", "tags": ["x"]}') AS version;
SELECT triage.add_comment(:t, 'more secret words', 'carl', external_id => 'outbox') IS NOT NULL AS added;
SET triage.actor = 'ann';
SELECT triage.resolve_ticket(:t, 'spam') AS version;
SELECT triage.delete_ticket(:t) AS version;
RESET triage.actor;
-- rolled back: not told
BEGIN;
SELECT triage.create_ticket('never', 'x') IS NOT NULL AS created;
ROLLBACK;

SELECT "position", topic, ticket_id = :t AS ticket, object_id IS NOT NULL AS object, version, actor = session_user AS by_role, labels
	FROM triage.read_events('relay', 5);
-- the same until they are confirmed, and then what follows
SELECT array_agg("position" ORDER BY "position") AS again FROM triage.read_events('relay', 3);
SELECT triage.confirm_events('relay', 6);
SELECT triage.confirm_events('relay', 4);
SELECT triage.confirm_events('relay', 2);
SELECT "position", topic, actor = session_user AS by_role, labels FROM triage.read_events('relay');
SELECT triage.confirm_events('relay', 7);
SELECT count(*) AS left_over FROM triage.read_events('relay');
SELECT "position", topic FROM triage.read_events('mail');
SELECT triage.confirm_events('mail', 2);
SELECT name, confirmed, pending, lag = '0' AS up_to_date FROM triage.event_consumers_status ORDER BY name;
-- not a word of what was written
SELECT count(*) FILTER (WHERE e::text LIKE '%secret%') AS with_text, count(*) AS events FROM triage.events e;

-- a transaction does not read what it has written itself, before or after it reads
BEGIN;
INSERT INTO triage.tickets (description) VALUES ('own one');
SELECT count(*) AS own FROM triage.read_events('mail');
INSERT INTO triage.tickets (description) VALUES ('own two');
SELECT count(*) AS own FROM triage.read_events('mail');
COMMIT;
SELECT "position", topic FROM triage.read_events('mail');
SELECT triage.confirm_events('mail', 4);

-- one event a ticket, whatever the statement; the worker's answers and failures
INSERT INTO triage.tickets (description) SELECT 'bulk' FROM generate_series(1, 2500);
SELECT count(*) AS created, min("position"), max("position"), count(DISTINCT id) FROM triage.read_events('mail', 10000);
SELECT triage.confirm_events('mail', 2504);
DELETE FROM triage.tickets WHERE description = 'bulk';
SELECT topic, count(*) FROM triage.read_events('relay', 10000) GROUP BY topic ORDER BY topic;
SELECT triage.confirm_events('relay', 5009);
SELECT job_id, fence FROM triage.claim_jobs(1) \gset
SELECT triage.complete_job(:job_id, :fence, '{"category": "billing", "urgency": "low", "sentiment_score": 3, "draft_reply": "x", "confidence": 0.5}');
SELECT job_id, fence FROM triage.claim_jobs(1) \gset
SELECT triage.fail_job(:job_id, :fence, 'refused', 'x');
SELECT topic, actor, labels FROM triage.read_events('relay', 10000);

-- refusals
SELECT triage.confirm_events('relay', 5014);
SELECT triage.confirm_events('relay', NULL);
SELECT * FROM triage.read_events('relay', 0);
SELECT * FROM triage.read_events('nobody');
SELECT triage.add_consumer('relay');
SELECT triage.add_consumer('relay', all_tenants => true);
SELECT triage.add_consumer('a b');
SELECT triage.add_consumer('other', '{ticket.created,ticket.closed}');
SELECT triage.add_consumer('other', '{}');
SELECT triage.emit_event('default', 'ticket.closed', 1);
SELECT triage.emit_event(NULL, 'ticket.created', 1);
SELECT triage.drop_consumer('nobody');

-- deleted once all who want it have confirmed it
UPDATE triage.retention SET keep = '7 days' WHERE target = 'events';
UPDATE triage.events SET created_at = now() - interval '8 days';
SELECT deleted FROM triage.apply_retention(1000) WHERE target = 'events';
SELECT deleted FROM triage.apply_retention() WHERE target = 'events';
TABLE last_event;
SELECT check_name, level, what ~ 'has not confirmed an event of' AS what, what_to_do FROM triage.health() WHERE check_name = 'events';
SELECT triage.confirm_events('relay', 5012);
SELECT level, what_to_do FROM triage.health() WHERE check_name = 'events';
SELECT deleted FROM triage.apply_retention() WHERE target = 'events';
TABLE last_event;

-- nobody again
SELECT triage.drop_consumer('relay');
SELECT triage.drop_consumer('mail');
INSERT INTO triage.tickets (description) VALUES ('after');
TABLE last_event;
DELETE FROM triage.tickets;
DROP VIEW last_event;
