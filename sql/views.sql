-- The views, on a queue whose every state the test sets up itself.
\set ECHO none
\set tenant views
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

SELECT triage.create_ticket('none', 'd', external_id => 'a', request_triage => false) > 0,
	triage.create_ticket('pending', 'd', external_id => 'b') > 0,
	triage.create_ticket('processing', 'd', external_id => 'c') > 0,
	triage.create_ticket('lease over', 'd', external_id => 'd') > 0,
	triage.create_ticket('failed', 'd', external_id => 'e', request_triage => false) > 0,
	triage.create_ticket('processed', ' ', external_id => 'f', request_triage => false, requester_email => 'f@example.org') > 0,
	triage.create_ticket('asked again', 'd', external_id => 'g') > 0,
	triage.create_ticket('retrying', 'd', external_id => 'h') > 0,
	triage.create_ticket('closed', 'd', external_id => 'i') > 0,
	triage.create_ticket('deleted', 'd', external_id => 'j') > 0;
UPDATE triage.ai_jobs SET lease_until = now() + interval '1 hour', fence = 1, attempts = 1
	WHERE ticket_id = pg_temp.ticket('c');
UPDATE triage.ai_jobs SET lease_until = now() - interval '1 second', fence = 1, attempts = 1
	WHERE ticket_id = pg_temp.ticket('d');
UPDATE triage.ai_jobs SET fence = 2, attempts = 2, run_at = '2100-01-01' WHERE ticket_id = pg_temp.ticket('h');
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('views', -1, pg_temp.ticket('e'), 'triage', 'medium', 5, 5, 'refused', 'the model refused', now());
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, error)
	SELECT 'views', j.id, j.ticket_id, 'triage', f, 'p', 'm' || f, 'transient', 'HTTP 50' || f
		FROM triage.ai_jobs j, generate_series(1, 2) f WHERE j.ticket_id = pg_temp.ticket('h');
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, error)
	VALUES ('views', -1, pg_temp.ticket('e'), 'triage', 5, 'p', 'm', 'refused', 'the model refused');
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply,
		processed_at, superseded_at)
	VALUES ('views', pg_temp.ticket('f'), 1, 'general', 'low', 2, 'Old', '2025-01-01', '2025-01-02'),
		('views', pg_temp.ticket('f'), 1, 'billing', 'high', 7, 'Dear customer', '2025-01-02', NULL),
		('views', pg_temp.ticket('g'), 1, 'general', 'low', 1, 'Dear customer', '2025-01-02', NULL);
SELECT triage.close_ticket(pg_temp.ticket('i')) > 0, triage.delete_ticket(pg_temp.ticket('j')) > 0;

SELECT i.subject, i.status, i.ai_state, i.waiting_for >= '0' AS waiting, i.urgency, i.sentiment_score, i.draft_reply
	FROM triage.inbox i
	WHERE i.tenant_id = 'views'
	ORDER BY i.waiting_since, i.id;
SELECT s.ai_state, count(*) FROM triage.ai_state s WHERE s.tenant_id = 'views' GROUP BY 1 ORDER BY 1;

-- the dashboard's list and detail, asked as it was first designed
PREPARE dashboard_list (int) AS
	SELECT id, email, content, status, created_at, updated_at, category, sentiment_score, urgency, draft_reply, processed_at
		FROM triage.dashboard
		WHERE tenant_id = 'views'
		ORDER BY created_at DESC
		LIMIT 50 OFFSET $1;
CREATE TEMP TABLE listed AS EXECUTE dashboard_list (0);
SELECT content, email, status, category, sentiment_score, urgency, draft_reply, processed_at FROM listed ORDER BY id;
SELECT id = pg_temp.ticket('f') AS right_one, content, status FROM triage.dashboard WHERE id = pg_temp.ticket('f');

SELECT q.kind, q.pending, q.running, q.delayed, q.oldest_due_seconds >= 0 AS some_due, q.dead, q.next_run_at <= now() AS due
	FROM triage.queue_stats q
	WHERE q.tenant_id = 'views';
SELECT f.ticket_id = pg_temp.ticket('e') AS e, f.state, f.attempts, f.class, f.message, f.next_try_at,
		f.failed_at IS NOT NULL AS failed, f.provider, f.model
	FROM triage.ai_failures f
	WHERE f.tenant_id = 'views'
	ORDER BY f.state;
-- a job that is asked for anew has not failed yet
SELECT triage.request_triage(pg_temp.ticket('h')) > 0 AS requested;
SELECT f.state, count(*) FROM triage.ai_failures f WHERE f.tenant_id = 'views' GROUP BY 1;
SELECT count(*) AS workers FROM triage.worker_status WHERE database = current_database();

-- all run with the rights of who reads them
SELECT c.oid::regclass AS view_with_the_owners_rights
	FROM pg_class c
	WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind = 'v'
		AND NOT coalesce(c.reloptions, '{}') && '{security_invoker=true}';
