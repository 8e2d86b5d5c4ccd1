-- Budgets: a claim reserves what its call can cost at most, what becomes of it settles that, and nothing overshoots.
\set ECHO none
\set tenant budgets
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

-- claim_jobs serves all tenants: what other tests left behind must not be in the way
DELETE FROM triage.ai_jobs;
-- one output token costs 1 EUR, input nothing, and an answer has 10 tokens: so a call costs 10 EUR at most
SELECT triage.set_provider('regress.money', 'openai', 'http://127.0.0.1:11434/v1', 'money-1', enabled => false);
SELECT triage.set_output_limit('regress.money', 10);
SELECT triage.set_price('money-*', 0, 1000000, 'EUR', provider => 'regress.money');
CREATE VIEW pg_temp.status AS
	SELECT b.tenant, b.period, b.spend_limit AS lim, b.spent, b.reserved, b.unsettled, b.remaining
		FROM triage.budget_status b ORDER BY b.tenant NULLS FIRST, b.period;
CREATE FUNCTION pg_temp.claim(max_jobs int) RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT count(*) FROM triage.claim_jobs(max_jobs, '1 hour', 'regress.money')
$$;
CREATE FUNCTION pg_temp.finish(ticket text, output_tokens int, model text DEFAULT 'money-1') RETURNS boolean
	LANGUAGE sql
AS $$
	SELECT triage.complete_job(j.id, j.fence, '{"category": "billing", "urgency": "low", "sentiment_score": 3, "draft_reply": "x"}',
			model, 100, 0, output_tokens)
		FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket(ticket)
$$;
CREATE FUNCTION pg_temp.fail(ticket text, class triage.run_outcome) RETURNS text
	LANGUAGE sql
AS $$
	SELECT triage.fail_job(j.id, j.fence, class, 'x', '1 day') FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket(ticket)
$$;
INSERT INTO triage.tickets (external_id, description) SELECT 't' || n, 'x' FROM generate_series(1, 8) AS n;

-- what is not a budget
SELECT * FROM pg_temp.outcome($$SELECT triage.set_budget(NULL, 1, 'EUR')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_budget('day', -1, 'EUR')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_budget('day', 'NaN', 'EUR')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_budget('day', 1, 'Euro')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_budget('day', 1, 'EUR', tenant => 'nobody')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.drop_budget('month')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.write_off('month')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_output_limit('regress.money', 0)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_output_limit('regress.money', 1, 'n')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_output_limit('nobody', 1)$$);

-- without a budget nothing is reserved; a new budget counts what its period has cost already
SELECT pg_temp.claim(1), pg_temp.finish('t1', 4);
SELECT triage.set_budget('month', 35, 'EUR', tenant => 'budgets');
SELECT * FROM pg_temp.status;

-- 31 are left: enough for three calls, and the others are put back without a try counted
SELECT pg_temp.claim(128) AS claimed;
SELECT * FROM pg_temp.status;
SELECT count(*) FILTER (WHERE j.lease_until > now()) AS running, count(*) FILTER (WHERE j.lease_until IS NULL AND j.attempts = 0) AS untouched
	FROM triage.ai_jobs j;
SELECT pg_temp.claim(128) AS none;

-- what is known to be spent takes the place of what was reserved
SELECT pg_temp.finish('t2', 3);
SELECT * FROM pg_temp.status;
-- what was plainly not billed is released
SELECT pg_temp.fail('t3', 'throttled');
SELECT * FROM pg_temp.status;
-- what nobody knows stays
SELECT pg_temp.fail('t4', 'transient');
SELECT * FROM pg_temp.status;
SELECT count(*) AS reservations, count(r.unsettled_since) AS unsettled FROM triage.budget_reservations r;
-- the ledger
SELECT sum(r.cost) AS runs_cost FROM triage.ai_runs r WHERE r.tenant_id = 'budgets' AND r.currency = 'EUR';

-- two budgets: both must cover a call
SELECT triage.set_budget('day', 1000, 'EUR');
SELECT pg_temp.claim(128) AS claimed;
SELECT * FROM pg_temp.status;
SELECT triage.set_budget('month', 1000, 'EUR', tenant => 'budgets');
SELECT triage.set_budget('day', 30, 'EUR');
SELECT pg_temp.claim(128) AS claimed;
SELECT * FROM pg_temp.status;

-- an answer whose tokens nobody knows is unsettled
SELECT pg_temp.finish('t5', NULL);
SELECT * FROM pg_temp.status;
-- more than it should have been: counted as it is
SELECT triage.set_budget('day', 60, 'EUR');
SELECT pg_temp.claim(1) AS claimed;
SELECT pg_temp.finish('t6', 40);
SELECT * FROM pg_temp.status;

-- a claim that ends without a trace is swept up: its job was withdrawn, and its worker says no more
SELECT triage.set_budget('day', 1000, 'EUR');
SELECT pg_temp.claim(1) AS claimed;
SELECT triage.cancel_job(j.id) FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('t7');
SELECT triage.reap_jobs();
SELECT * FROM pg_temp.status;
UPDATE triage.budget_reservations SET expires_at = now() - interval '6 minutes' WHERE unsettled_since IS NULL;
SELECT triage.reap_jobs();
SELECT * FROM pg_temp.status;
-- a late answer to a withdrawn job is dropped, and its cost counts
SELECT pg_temp.claim(1) AS none_is_due;
SELECT triage.request_triage(pg_temp.ticket('t4')) > 0 AS asked, pg_temp.claim(1) AS claimed;
SELECT j.id AS job, j.fence FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('t4') \gset
SELECT triage.cancel_job(:job);
SELECT triage.fail_job(:job, :fence, 'transient', 'cut') AS tells_nothing;
SELECT triage.complete_job(:job, :fence, '{}', 'money-1', 100, 0, 6) AS stale, triage.complete_job(:job, :fence, '{}', 'money-1', 100, 0, 6) AS again;
SELECT r.outcome, r.provider, r.cost, r.ticket_id = pg_temp.ticket('t4') AS of_its_ticket FROM triage.ai_runs r WHERE r.job_id = :job AND r.fence = :fence;
SELECT * FROM pg_temp.status;
-- a lease that ends leaves a lost run, and its reservation unsettled
UPDATE triage.ai_jobs SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL;
SELECT triage.reap_jobs();
SELECT * FROM pg_temp.status;
-- its answer comes after all
SELECT pg_temp.finish('t8', 2);
SELECT * FROM pg_temp.status;
-- the bill shows that nothing was charged
SELECT triage.write_off('day'), triage.write_off('month', 'budgets');
SELECT * FROM pg_temp.status;
SELECT count(*) AS reservations FROM triage.budget_reservations;

-- a new period begins with nothing taken
UPDATE triage.budget_usage SET period_start = period_start - interval '62 days';
SELECT * FROM pg_temp.status;

-- unknown money passes no limit
INSERT INTO triage.tickets (external_id, description) SELECT 'u' || n, 'x' FROM generate_series(1, 3) AS n;
SELECT * FROM pg_temp.outcome($$SELECT count(*) FROM triage.claim_jobs(1)$$);
SELECT triage.set_output_limit('regress.money', NULL);
SELECT * FROM pg_temp.outcome($$SELECT pg_temp.claim(1)$$);
SELECT triage.set_output_limit('regress.money', 10);
SELECT triage.drop_price('money-*', 'regress.money');
SELECT * FROM pg_temp.outcome($$SELECT pg_temp.claim(1)$$);
SELECT triage.set_price('money-*', 0, 1000000, 'USD', provider => 'regress.money');
SELECT * FROM pg_temp.outcome($$SELECT pg_temp.claim(1)$$);
UPDATE triage.providers SET enabled = name = 'regress.money' WHERE name IN ('regress.money', 'builtin');
SELECT b.tenant, b.uncovered_providers FROM triage.budget_status b ORDER BY 1 NULLS FIRST;
SELECT * FROM pg_temp.outcome($$SELECT triage.set_budget('day', 1000, 'USD')$$);
SET client_min_messages = notice;
SELECT triage.set_budget('day', 999, 'EUR');
RESET client_min_messages;
SELECT triage.set_price('money-*', 0, 0, 'EUR', provider => 'regress.money', valid_from => '2020-01-01');
SELECT triage.drop_price('money-*', 'regress.money', m.valid_from) FROM triage.model_prices m WHERE m.currency = 'USD';
-- what costs nothing needs no budget
SELECT triage.set_budget('day', 0, 'EUR');
SELECT pg_temp.claim(1) AS free;
SELECT b.remaining, b.exhausted, b.uncovered_providers FROM triage.budget_status b WHERE b.tenant IS NULL;

-- a tenant without a budget of its own is not held up by another's
SELECT triage.drop_budget('day');
SELECT triage.set_price('money-*', 0, 1000000, 'EUR', provider => 'regress.money', valid_from => '2020-01-01');
SELECT triage.set_budget('month', 0, 'EUR', tenant => 'budgets');
SELECT triage.create_tenant('budgets two');
INSERT INTO triage.ticket_categories (tenant_id, category) VALUES ('budgets two', 'x') ON CONFLICT DO NOTHING;
INSERT INTO triage.tickets (tenant_id, external_id, description) VALUES ('budgets two', 'v', 'x');
SELECT c.tenant_id FROM triage.claim_jobs(128, '1 hour', 'regress.money') c;

-- a claim that reserves is committed synchronously, whatever the session does otherwise; one that does not, as it likes
SET synchronous_commit = off;
SELECT triage.set_budget('month', 1000, 'EUR', tenant => 'budgets');
BEGIN;
SELECT pg_temp.claim(1) AS claimed;
SHOW synchronous_commit;
COMMIT;
SHOW synchronous_commit;
SELECT triage.drop_budget('month', 'budgets');
BEGIN;
SELECT pg_temp.claim(1) AS claimed;
SHOW synchronous_commit;
COMMIT;
RESET synchronous_commit;
SELECT triage.set_budget('month', 1000, 'EUR', tenant => 'budgets');

-- no trace of it is left
UPDATE triage.providers SET enabled = true WHERE name = 'builtin';
SELECT triage.drop_budget('month', 'budgets');
SELECT triage.drop_price('money-*', 'regress.money');
SELECT triage.drop_provider('regress.money');
SELECT count(*) FROM triage.budget_usage;
DELETE FROM triage.ai_jobs;
