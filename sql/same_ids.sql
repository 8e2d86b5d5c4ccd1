-- An id may stand in several tenants, if somebody sees to it: nothing may take one tenant's ticket for another's.
\set ECHO none
\set tenant same_ids
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

SELECT triage.create_tenant('same_ids 2');
INSERT INTO triage.tickets (id, subject, description) OVERRIDING SYSTEM VALUE
	VALUES (-7001, 'one', 'of the first tenant');
INSERT INTO triage.tickets (tenant_id, id, subject, description, category) OVERRIDING SYSTEM VALUE
	VALUES ('same_ids 2', -7001, 'two', 'of the second tenant', 'billing');
UPDATE triage.ai_jobs SET priority = 'urgent' WHERE ticket_id = -7001;

CREATE TEMP TABLE claimed AS SELECT * FROM triage.claim_jobs(2) WITH ORDINALITY;
SELECT c.tenant_id, c.subject, c.description FROM claimed c WHERE c.ticket_id = -7001 ORDER BY c.tenant_id;
SELECT c.tenant_id, triage.complete_job(c.job_id, c.fence, jsonb_build_object('category', 'technical', 'urgency', 'low',
		'sentiment_score', 2, 'draft_reply', 'for ' || c.subject))
	FROM claimed c WHERE c.ticket_id = -7001 ORDER BY c.tenant_id;
-- each its own answer; the category that a person set stays where he set it, and only there
SELECT r.tenant_id, r.draft_reply, t.category, t.priority
	FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.tenant_id = r.tenant_id AND t.id = r.ticket_id
	WHERE r.ticket_id = -7001 ORDER BY r.tenant_id;
SELECT s.tenant_id, s.category FROM triage.score_categories('{same_ids}', '{-7001}') s;

-- a job and a dead letter of one ticket can coexist for a moment: the next failure replaces the letter
SELECT triage.create_ticket('s', 'd', external_id => 'twice', priority => 'urgent') IS NOT NULL AS created;
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('same_ids', -7002, pg_temp.ticket('twice'), 'triage', 'low', 1, 1, 'transient', 'the first', now());
SELECT triage.fail_job(c.job_id, c.fence, 'refused', 'the second') AS fate
	FROM triage.claim_jobs(1) c;
SELECT d.class, d.message FROM triage.ai_dead_letters d WHERE d.ticket_id = pg_temp.ticket('twice');

-- no language and an empty one are two things
SELECT triage.create_ticket('charged', 'x', language => '', external_id => 'empty') IS NOT NULL AS created;
SELECT triage.create_ticket('charged', 'x', external_id => 'none') IS NOT NULL AS created;
SELECT t.external_id, t.search FROM triage.tickets t
	WHERE t.tenant_id = 'same_ids' AND t.external_id IN ('empty', 'none') ORDER BY t.external_id;
