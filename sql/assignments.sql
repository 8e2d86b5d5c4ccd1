-- Who has a ticket, and who had it when.
\set ECHO none
\set tenant assignments
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

CREATE VIEW pg_temp.log AS
	SELECT a.agent_id, a.assigned_by, a.unassigned_at IS NULL AS current
		FROM triage.ticket_assignments a
		WHERE a.tenant_id = 'assignments'
		ORDER BY a.id;
SELECT triage.create_ticket('s', 'd', requester_id => 'carl', external_id => 'a') > 0 AS created;

-- the first agent is made known, and takes the ticket into work
SELECT triage.assign_ticket(pg_temp.ticket('a'), 'ann');
SELECT t.status, t.assignee_id FROM triage.tickets t WHERE t.id = pg_temp.ticket('a');
SELECT p.id, p.role FROM triage.people p WHERE p.tenant_id = 'assignments' ORDER BY 1;
SELECT triage.assign_ticket(pg_temp.ticket('a'), 'ann') AS again_is_no_change;
SET triage.actor = 'ann';
SELECT triage.assign_ticket(pg_temp.ticket('a'), 'bob');
SELECT triage.unassign_ticket(pg_temp.ticket('a'));
SELECT t.status, t.assignee_id FROM triage.tickets t WHERE t.id = pg_temp.ticket('a');
SELECT triage.unassign_ticket(pg_temp.ticket('a')) AS again_is_no_change;
SELECT * FROM pg_temp.log;

-- a plain UPDATE is logged the same way
UPDATE triage.tickets SET assignee_id = 'bob' WHERE id = pg_temp.ticket('a');
SELECT triage.update_ticket(pg_temp.ticket('a'), '{"assignee_id": "ann", "status": "pending"}');
SELECT t.status, t.assignee_id FROM triage.tickets t WHERE t.id = pg_temp.ticket('a');
SELECT * FROM pg_temp.log;
-- a pending ticket keeps its status when its agent leaves
SELECT triage.unassign_ticket(pg_temp.ticket('a'));
SELECT t.status FROM triage.tickets t WHERE t.id = pg_temp.ticket('a');

-- customers are not assigned tickets; strangers' ids are
SELECT * FROM pg_temp.outcome($$SELECT triage.assign_ticket(pg_temp.ticket('a'), 'carl')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"assignee_id": "carl"}')$$);
SELECT * FROM pg_temp.outcome($$UPDATE triage.tickets SET assignee_id = 'nobody' WHERE id = pg_temp.ticket('a')$$);
UPDATE triage.people SET role = 'admin' WHERE tenant_id = 'assignments' AND id = 'carl';
SELECT * FROM pg_temp.outcome($$SELECT triage.assign_ticket(pg_temp.ticket('a'), 'carl')$$);
SELECT * FROM pg_temp.log;
