-- History: who changed what, written by whatever way the change came, and by nobody else.
\set ECHO none
\set tenant audit
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

CREATE VIEW pg_temp.history AS
	SELECT h.field, h.old_value, h.new_value,
			CASE h.changed_by WHEN session_user THEN 'session user' ELSE h.changed_by END AS changed_by,
			h.session_role = session_user AS by_this_session
		FROM triage.ticket_history h
		WHERE h.tenant_id = 'audit' AND h.field NOT LIKE '%\_at'
		ORDER BY h.id;

SELECT triage.create_ticket('Invoice', 'Wrong sum', external_id => 'a') > 0 AS created;
SELECT * FROM pg_temp.history;
SET triage.actor = 'ann';
SELECT triage.update_ticket(pg_temp.ticket('a'), '{"subject": "Invoice 7", "tags": ["money"], "custom_fields": {"no": 7}}');
SELECT triage.assign_ticket(pg_temp.ticket('a'), 'bob');
SET triage.actor = 'bob';
UPDATE triage.tickets SET priority = 'high', updated_at = now() WHERE id = pg_temp.ticket('a');
SELECT triage.resolve_ticket(pg_temp.ticket('a'));
SELECT * FROM pg_temp.history;

-- a change that changes nothing leaves no trace
UPDATE triage.tickets SET priority = 'high', subject = 'Invoice 7' WHERE id = pg_temp.ticket('a');
SELECT count(*) FROM pg_temp.history;
-- the actor is a claim; without one it is the session's role
RESET triage.actor;
UPDATE triage.tickets SET tags = '{}' WHERE id = pg_temp.ticket('a');
SELECT h.changed_by = session_user AS the_session FROM triage.ticket_history h
	WHERE h.tenant_id = 'audit' ORDER BY h.id DESC LIMIT 1;
-- SET LOCAL ends with the transaction
BEGIN;
SET LOCAL triage.actor = 'carol';
SELECT triage.update_ticket(pg_temp.ticket('a'), '{"tags": ["x"]}') > 0 AS changed;
COMMIT;
SELECT h.changed_by FROM triage.ticket_history h WHERE h.tenant_id = 'audit' ORDER BY h.id DESC LIMIT 1;

-- an internal comment changes nothing on the ticket; a customer's on a resolved one reopens it
SET triage.actor = 'tester';
SELECT triage.add_comment(pg_temp.ticket('a'), 'note', visibility => 'internal') > 0,
	triage.add_comment(pg_temp.ticket('a'), 'still wrong', author_role => 'customer') > 0;
SELECT field, old_value, new_value, changed_by FROM pg_temp.history OFFSET 8;

-- append-only
SELECT * FROM pg_temp.outcome($$UPDATE triage.ticket_history SET changed_by = 'me' WHERE tenant_id = 'audit'$$);
SELECT * FROM pg_temp.outcome($$DELETE FROM triage.ticket_history WHERE tenant_id = 'audit'$$);
SELECT * FROM pg_temp.outcome($$TRUNCATE triage.ticket_history$$);
-- but a ticket that is purged takes its history along
DELETE FROM triage.tickets WHERE id = pg_temp.ticket('a');
SELECT count(*) FROM triage.ticket_history WHERE tenant_id = 'audit';
