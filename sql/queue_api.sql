-- The queue's protocol in SQL: claim, complete, fail, reap, and what people may ask of it.
\set ECHO none
\set tenant queue_api
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

-- claim_jobs serves all tenants: what other tests left behind must not be in the way
DELETE FROM triage.ai_jobs;
CREATE VIEW pg_temp.jobs AS
	SELECT t.external_id AS ticket, j.priority, j.fence, j.attempts, j.lease_until > now() AS leased, j.run_at <= now() AS due
		FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id AND t.tenant_id = j.tenant_id
		WHERE j.tenant_id = 'queue_api'
		ORDER BY t.external_id;
CREATE VIEW pg_temp.runs AS
	SELECT t.external_id AS ticket, r.fence, r.provider, r.model, r.outcome, r.input_tokens, r.output_tokens, r.error
		FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id AND t.tenant_id = r.tenant_id
		WHERE r.tenant_id = 'queue_api'
		ORDER BY r.id;
CREATE FUNCTION pg_temp.job(ticket text) RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT j.id FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket(ticket)
$$;
CREATE FUNCTION pg_temp.answer(category text, urgency text, sentiment_score int, draft_reply text) RETURNS jsonb
	LANGUAGE sql
AS $$
	SELECT jsonb_build_object('category', category, 'urgency', urgency, 'sentiment_score', sentiment_score,
		'draft_reply', draft_reply)
$$;
SELECT triage.create_ticket('a', 'text a', external_id => 'a') > 0, triage.create_ticket('b', 'text b', external_id => 'b') > 0,
	triage.create_ticket('c', 'text c', external_id => 'c', priority => 'urgent') > 0;

-- urgent ones first, then the oldest; a claim is a lease and a fence
CREATE TEMP TABLE claimed AS SELECT * FROM triage.claim_jobs(2, lease => '1 hour');
SELECT c.subject, c.description, c.fence, c.attempts, c.ticket_version, c.lease_until > now() AS leased FROM claimed c ORDER BY 1;
SELECT * FROM pg_temp.jobs;
INSERT INTO claimed SELECT * FROM triage.claim_jobs(128, lease => '1 hour');
SELECT count(*) AS all_claimed FROM claimed;
SELECT count(*) AS none_left FROM triage.claim_jobs(128);
SELECT triage.wait_for_triage(pg_temp.ticket('a'), '0') AS a;

-- an answer: the result, the run, and the labels that no person set
SELECT triage.complete_job(pg_temp.job('c'), 1, pg_temp.answer('billing', 'low', 3, 'Dear customer') || '{"confidence": 0.5}',
	model => 'm', input_tokens => 100, cached_tokens => 50, output_tokens => 20);
SELECT triage.wait_for_triage(pg_temp.ticket('c')) AS c;
SELECT t.category, t.priority, t.version, r.category, r.urgency, r.sentiment_score, r.draft_reply, r.confidence, r.ticket_version
	FROM triage.tickets t JOIN triage.ticket_ai_results r ON r.ticket_id = t.id
	WHERE t.id = pg_temp.ticket('c');
SELECT h.field, h.old_value, h.new_value, h.changed_by FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('c');
SELECT * FROM pg_temp.runs;

-- answers that cannot be used are refused, and the claim stands
SELECT * FROM pg_temp.outcome($$SELECT triage.complete_job(pg_temp.job('a'), 1, pg_temp.answer('gardening', 'low', 3, 'x'))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.complete_job(pg_temp.job('a'), 1, pg_temp.answer('billing', 'critical', 3, 'x'))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.complete_job(pg_temp.job('a'), 1, pg_temp.answer('billing', 'low', 11, 'x'))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.complete_job(pg_temp.job('a'), 1, pg_temp.answer('billing', 'low', 3, NULL))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.complete_job(pg_temp.job('a'), 1, '[]')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.complete_job(pg_temp.job('a'), 1, NULL)$$);
SELECT * FROM pg_temp.jobs;

-- an answer to a text that was changed since is stale
SELECT triage.update_ticket(pg_temp.ticket('a'), '{"description": "text a, corrected"}');
SELECT triage.complete_job(pg_temp.job('a'), 1, pg_temp.answer('billing', 'low', 3, 'to the old text')) AS stale;
SELECT * FROM pg_temp.jobs;
-- one to a ticket whose assignee was changed is not
SELECT (triage.claim_jobs(1)).job_id IS NOT NULL AS claimed;
SELECT triage.assign_ticket(pg_temp.ticket('a'), 'ann');
SELECT triage.complete_job(pg_temp.job('a'), 3, pg_temp.answer('billing', 'high', 9, 'to the new text')) AS current;
SELECT r.draft_reply FROM triage.ticket_ai_results r WHERE r.tenant_id = 'queue_api' ORDER BY r.id;

-- a failure that may pass is tried again later
SELECT triage.fail_job(pg_temp.job('b'), 1, 'transient', 'HTTP 503') AS b;
SELECT * FROM pg_temp.jobs;
SELECT f.state, f.attempts, f.class, f.message, f.provider, f.next_try_at > f.failed_at AS later FROM triage.ai_failures f
	WHERE f.tenant_id = 'queue_api';
SELECT * FROM pg_temp.outcome($$SELECT triage.fail_job(pg_temp.job('b'), 1, 'succeeded', 'x')$$);
-- one that cannot pass is given up, and comes back when a person asks
UPDATE triage.ai_jobs SET run_at = now() WHERE id = pg_temp.job('b');
SELECT c.fence, c.attempts FROM triage.claim_jobs(1) c;
SELECT pg_temp.job('b') AS b \gset
SELECT triage.fail_job(:b, 2, 'refused', 'the model refused') AS b;
SELECT triage.wait_for_triage(pg_temp.ticket('b')) AS b;
SELECT * FROM pg_temp.jobs;
SELECT f.state, f.attempts, f.class, f.message FROM triage.ai_failures f WHERE f.tenant_id = 'queue_api';
SELECT triage.retry_failed(class => 'throttled') AS none, triage.retry_failed(failed_before => '2025-01-01') AS none,
	triage.retry_failed(max_jobs => 0) AS none;
SELECT triage.retry_failed(class => 'refused', failed_before => now() + interval '1 minute', max_jobs => 10) AS one;
SELECT pg_temp.job('b') = :b AS same_job;
SELECT * FROM pg_temp.jobs;
SELECT count(*) AS failures FROM triage.ai_failures f WHERE f.tenant_id = 'queue_api';
-- its old claim is not the current one
SELECT triage.complete_job(:b, 2, pg_temp.answer('billing', 'low', 3, 'late')) AS late;

-- oldest first, and only of tickets that are still open
SELECT triage.create_ticket('d' || i, 'x', external_id => 'd' || i, request_triage => false) > 0 FROM generate_series(1, 4) i;
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at, failed_at)
	SELECT 'queue_api', -i, pg_temp.ticket('d' || i), 'triage', 'medium', 9, 5, 'account', 'HTTP 402', now(),
			now() - i * interval '1 day'
		FROM generate_series(1, 4) i;
SELECT triage.close_ticket(pg_temp.ticket('d4')) > 0;
SELECT triage.retry_failed(max_jobs => 1) AS one;
SELECT * FROM pg_temp.jobs WHERE ticket LIKE 'd%';
SELECT triage.retry_failed() AS the_rest;
SELECT * FROM pg_temp.jobs WHERE ticket LIKE 'd%';

-- a lease that ends without an answer: a lost run, and the job waits again
SELECT count(*) FROM triage.claim_jobs(128, lease => '1 hour');
UPDATE triage.ai_jobs SET lease_until = now() - interval '1 second' WHERE id = pg_temp.job('b');
SELECT triage.reap_jobs() AS reaped, triage.reap_jobs() AS none;
SELECT * FROM pg_temp.jobs;

-- a request by hand: again from the start, before others; an answer on its way is stale
SELECT triage.request_triage(pg_temp.ticket('d1')) = pg_temp.job('d1') AS same_job;
SELECT * FROM pg_temp.jobs WHERE ticket = 'd1';
SELECT triage.complete_job(pg_temp.job('d1'), 11, pg_temp.answer('billing', 'low', 3, 'late')) AS stale;
SELECT triage.request_triage(pg_temp.ticket('c')) > 0 AS new_job;
SELECT * FROM pg_temp.jobs WHERE ticket = 'c';
SELECT triage.wait_for_triage(pg_temp.ticket('c'), '0') AS c;
SELECT c.subject FROM triage.claim_jobs(1) c;
SELECT triage.complete_job(pg_temp.job('c'), 1, pg_temp.answer('technical', 'medium', 2, 'second opinion'));
SELECT r.draft_reply, r.superseded_at IS NULL AS current FROM triage.ticket_ai_results r
	WHERE r.ticket_id = pg_temp.ticket('c') ORDER BY r.id;
SELECT * FROM pg_temp.outcome($$SELECT triage.request_triage(pg_temp.ticket('d4'))$$);
SELECT triage.resolve_ticket(pg_temp.ticket('d3')) > 0;
SELECT * FROM pg_temp.outcome($$SELECT triage.request_triage(pg_temp.ticket('d3'))$$);

-- withdrawn
SELECT pg_temp.job('d2') AS d2 \gset
SELECT triage.cancel_job(:d2) AS cancelled, triage.cancel_job(:d2) AS again;
SELECT triage.wait_for_triage(pg_temp.ticket('d2')) AS d2;
SELECT triage.complete_job(:d2, 11, pg_temp.answer('billing', 'low', 3, 'late')) AS stale;

SELECT * FROM pg_temp.runs;
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(0)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, lease => '0')$$);
SELECT triage.complete_job(-1, 1, pg_temp.answer('billing', 'low', 3, 'x')) AS no_such_job,
	triage.fail_job(-1, 1, 'transient', 'x') AS no_such_job;

-- text longer than its field is cut between two characters
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, provider => repeat('ä', 32))$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, provider => '')$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, kinds => '{}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.fail_job(1, 1, NULL, 'x')$$);
SELECT triage.request_triage(pg_temp.ticket('d1')) IS NOT NULL AS requested;
SELECT c.fence AS fence FROM triage.claim_jobs(1, provider => repeat('ä', 31)) c \gset
SELECT triage.fail_job(pg_temp.job('d1'), :fence, 'refused', repeat('ä', 2000)) AS fate;
SELECT d.class, length(d.message) AS characters FROM triage.ai_dead_letters d WHERE d.ticket_id = pg_temp.ticket('d1');
