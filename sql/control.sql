-- Holding AI work, letting it go on, and putting it first.
\set ECHO none
\set tenant control
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

DELETE FROM triage.ai_jobs;
CREATE VIEW pg_temp.jobs AS
	SELECT t.external_id AS ticket, j.priority AS job, t.priority AS ticket_priority, j.fence, j.attempts, j.lease_until > now() AS leased
		FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id AND t.tenant_id = j.tenant_id
		WHERE j.tenant_id = 'control'
		ORDER BY t.external_id;
CREATE VIEW pg_temp.control AS
	SELECT c.paused_at IS NOT NULL AS paused, c.paused_by, c.pause_reason FROM triage.worker_control c;
SELECT count(triage.create_ticket(name, 'text ' || name, external_id => name)) FROM unnest('{a,b,c,d}'::text[]) AS name;

-- held: nothing is claimed, by nobody; tickets are enqueued all the same
SET client_min_messages = notice;
SELECT triage.pause(E'  provider\tis down  ') AS first, triage.pause(E'provider\nis down, still') AS again;
SELECT * FROM pg_temp.control;
SELECT count(*) FROM triage.claim_jobs(10);
SELECT * FROM pg_temp.outcome('SELECT triage.run_pending(1)');
SELECT triage.create_ticket('e', 'text e', external_id => 'e') IS NOT NULL AS enqueued;
SELECT count(*) AS waiting FROM triage.ai_jobs;
SELECT triage.pause('   ') AS without_reason;
SELECT * FROM pg_temp.control;
SELECT count(*) FROM triage.claim_jobs(10);
SELECT * FROM pg_temp.outcome($$SELECT triage.pause(repeat('x', 201))$$);
SELECT triage.resume() AS resumed, triage.resume() AS again;
SELECT * FROM pg_temp.control;
SET client_min_messages = warning;

-- a rolled-back pause holds nothing
BEGIN;
SELECT triage.pause('not meant');
ROLLBACK;
SELECT * FROM pg_temp.control;

-- the job's priority, not the ticket's; behind those that have it already
SELECT triage.reprioritise(pg_temp.ticket('c'), 'urgent') AS c, triage.reprioritise(pg_temp.ticket('a'), 'urgent') AS a,
	triage.reprioritise(pg_temp.ticket('b'), 'low') AS b, triage.reprioritise(pg_temp.ticket('e'), 'medium') AS same;
SELECT * FROM pg_temp.jobs;
SELECT string_agg(c.subject, ' ') AS in_this_order
	FROM (SELECT subject FROM triage.claim_jobs(1) UNION ALL SELECT subject FROM triage.claim_jobs(1) UNION ALL
		SELECT subject FROM triage.claim_jobs(1) UNION ALL SELECT subject FROM triage.claim_jobs(1)) c;
-- a job that runs is not pending
SELECT triage.reprioritise(pg_temp.ticket('a'), 'low') AS running;
SELECT * FROM pg_temp.jobs WHERE ticket = 'a';
-- a retry keeps its time
UPDATE triage.ai_jobs SET run_at = now() + interval '1 hour', lease_until = NULL WHERE ticket_id = pg_temp.ticket('c');
SELECT triage.reprioritise(pg_temp.ticket('c'), 'high') AS delayed;
SELECT j.priority, j.run_at > now() AS still_delayed FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('c');
-- nothing to put first
SELECT triage.cancel_job(j.id) FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('d');
SELECT triage.reprioritise(pg_temp.ticket('d'), 'urgent') AS no_job;
SELECT * FROM pg_temp.outcome('SELECT triage.reprioritise(-1, ''urgent'')');
SELECT * FROM pg_temp.outcome('SELECT triage.reprioritise(pg_temp.ticket(''d''), NULL)');
SELECT * FROM pg_temp.outcome('SELECT triage.reprioritise(pg_temp.ticket(''d''), ''first'')');
SELECT triage.resolve_ticket(pg_temp.ticket('d')) > 0;
SELECT * FROM pg_temp.outcome('SELECT triage.reprioritise(pg_temp.ticket(''d''), ''urgent'')');

-- edits of a ticket whose job waits end in one call, with the text of then
UPDATE triage.tickets SET subject = 'first edit' WHERE id = pg_temp.ticket('b');
SELECT triage.update_ticket(pg_temp.ticket('b'), '{"description": "second edit"}') > 0;
SELECT triage.request_triage(pg_temp.ticket('b')) IS NOT NULL;
SELECT count(*) AS jobs FROM triage.ai_jobs WHERE ticket_id = pg_temp.ticket('b');
SELECT c.subject, c.description, c.ticket_version FROM triage.claim_jobs(10) c WHERE c.ticket_id = pg_temp.ticket('b');
