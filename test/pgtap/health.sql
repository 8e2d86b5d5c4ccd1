-- health() on a database where nothing is wrong, and each of its checks made to fail.  What needs a server that runs for
-- a while (a worker, a provider that answers 401) is in test/e2e/t/150_health.pl.
\ir prepare.psql
SELECT no_plan();

CREATE FUNCTION pg_temp.level(name text) RETURNS text LANGUAGE sql AS
	$$ SELECT h.level::text FROM triage.health() h WHERE h.check_name = name $$;
CREATE FUNCTION pg_temp.says(name text) RETURNS text LANGUAGE sql AS
	$$ SELECT h.what FROM triage.health() h WHERE h.check_name = name $$;
CREATE FUNCTION pg_temp.runs(n int, outcome triage.run_outcome, ago interval, latency_ms int DEFAULT 100, tokens int DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
	INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, error, latency_ms, input_tokens, started_at, finished_at)
		SELECT 'default', i, i, 'triage', 1, 'acme', 'm', outcome, outcome::text, latency_ms, tokens, clock_timestamp() - ago, clock_timestamp() - ago
			FROM generate_series(1, n) i
$$;

-- Fresh ------------------------------------------------------------------------------------------------------------------------

SELECT results_eq($$SELECT check_name FROM triage.health() WHERE level <> 'ok'$$, $$VALUES ('library')$$,
	'a fresh installation has nothing but the library to preload');
SELECT is(pg_temp.level('library'), 'warning', 'which is a warning');
SELECT is((SELECT count(*) FROM triage.health() WHERE what IS NULL OR what = '' OR level <> 'ok' AND coalesce(what_to_do, '') = ''), 0::bigint,
	'each row says what, and each that is not ok what to do');
SELECT is((SELECT count(*) FROM (SELECT check_name FROM triage.health() GROUP BY 1 HAVING count(*) > 1) twice), 0::bigint, 'each check has one row');
SELECT is((SELECT max(level) FROM triage.health()), 'warning', 'max(level) is the state of the whole');

-- The tables ---------------------------------------------------------------------------------------------------------------------

SAVEPOINT a;
UPDATE triage.schema_version SET version = 99;
SELECT results_eq($$SELECT check_name, level::text, what_to_do FROM triage.health()$$, $$VALUES ('tables', 'critical', 'SELECT triage.install();')$$,
	'tables of another version: nothing else is said');
ROLLBACK TO a;
SELECT triage.uninstall('delete all tickets');
SELECT results_eq($$SELECT check_name, level::text, what_to_do FROM triage.health()$$, $$VALUES ('tables', 'critical', 'SELECT triage.install();')$$,
	'no tables: likewise');
ROLLBACK TO a;

-- Worker and queue ----------------------------------------------------------------------------------------------------------------

SELECT triage.worker_stop();
SELECT is(pg_temp.level('worker'), 'warning', 'a worker that was stopped by hand');
SELECT is((SELECT since FROM triage.health() WHERE check_name = 'worker'), now(), 'since when');
SELECT matches(pg_temp.says('worker'), session_user, 'and by whom');
ROLLBACK TO a;
SET LOCAL triage.actor = 'ann';
SELECT triage.pause('a big import');
SELECT is(pg_temp.level('pause'), 'warning', 'work that somebody paused');
SELECT is(pg_temp.says('pause'), 'ann paused all work: a big import', 'who, and why');
SELECT is((SELECT since FROM triage.health() WHERE check_name = 'pause'), now(), 'since when');
SELECT is((SELECT what_to_do FROM triage.health() WHERE check_name = 'pause'), 'SELECT triage.resume();', 'and how to go on');
ROLLBACK TO a;
SELECT triage.create_tenant('other');
SELECT triage.post_message(triage.start_session(), 'hello?'), triage.request_session_summary(triage.start_session());
SELECT triage.set_provider('acme', 'openai', 'https://api.example.com/v1', 'm');
UPDATE triage.prompts SET is_active = false WHERE kind = 'chat_reply';
SELECT is(pg_temp.level('prompts'), 'ok', 'a job that has just come may wait');
-- as the worker puts it off
UPDATE triage.ai_jobs SET created_at = statement_timestamp() - interval '2 minutes', run_at = statement_timestamp() + interval '1 minute';
SELECT is(pg_temp.level('prompts'), 'warning', 'customers wait for a bot without a prompt');
SELECT is(pg_temp.says('prompts'), '1 jobs of 1 tenants wait because there is no active prompt of their kind: chat_reply', 'and for which');
SELECT is((SELECT since FROM triage.health() WHERE check_name = 'prompts'), (SELECT created_at FROM triage.ai_jobs WHERE kind = 'chat_reply'), 'since when');
UPDATE triage.prompts SET is_active = false WHERE tenant_id = 'default';
SELECT is(pg_temp.says('prompts'), '2 jobs of 1 tenants wait because there is no active prompt of their kind: chat_reply, summarize', 'summaries as well');
UPDATE triage.providers SET enabled = false WHERE name = 'acme';
SELECT is(pg_temp.level('prompts'), 'ok', 'builtin needs none');
ROLLBACK TO a;
SELECT triage.create_ticket('old', 'old', external_id => 'old') > 0;
SELECT is(pg_temp.level('worker'), 'ok', 'a job that has just come needs no worker yet');
UPDATE triage.ai_jobs SET run_at = statement_timestamp() - interval '2 minutes';
SELECT is(pg_temp.level('worker'), 'critical', 'jobs that wait and no worker');
SELECT is(pg_temp.level('queue'), 'ok', 'two minutes of waiting are no backlog');
UPDATE triage.ai_jobs SET run_at = statement_timestamp() - interval '6 minutes';
SELECT is(pg_temp.level('queue'), 'warning', 'six minutes are');
SELECT matches(pg_temp.says('queue'), 'waited for 00:06:0\d, 1 in the queue', 'and it says how long, and how many');
SELECT matches((SELECT what_to_do FROM triage.health() WHERE check_name = 'queue'), 'no worker runs', 'and why');
UPDATE triage.ai_jobs SET run_at = statement_timestamp() - interval '61 minutes';
SELECT is(pg_temp.level('queue'), 'critical', 'an hour is critical');
SAVEPOINT issues;
UPDATE triage.ai_jobs SET kind = 'extract_issues';
SELECT is(pg_temp.level('queue') || ': ' || pg_temp.says('queue'), 'ok: only product issues wait, 1 in the queue', 'but for product issues, for which nobody waits');
SELECT is(pg_temp.level('worker'), 'critical', 'a worker they need, too');
ROLLBACK TO issues;
UPDATE triage.ai_jobs SET lease_until = now() + interval '1 minute', claimed_at = now(), fence = 1;
SELECT is(pg_temp.level('queue'), 'ok', 'a job that runs does not wait');
SELECT is(pg_temp.level('leases'), 'ok', 'nor has its lease ended');
UPDATE triage.ai_jobs SET lease_until = statement_timestamp() - interval '61 seconds';
SELECT is(pg_temp.level('leases'), 'warning', 'a lease that ended and was not taken back');
SELECT is((SELECT since FROM triage.health() WHERE check_name = 'leases'), (SELECT lease_until FROM triage.ai_jobs), 'since when');
SELECT is(pg_temp.level('clock'), 'ok', 'the clock is right');
UPDATE triage.ai_jobs SET claimed_at = now() + interval '1 hour', lease_until = now() + interval '2 hours';
SELECT is(pg_temp.level('clock'), 'warning', 'a claim in the future');
ROLLBACK TO a;
UPDATE triage.home SET database_oid = 1;
SELECT is(pg_temp.level('home'), 'warning', 'a copy that nobody adopted');
SELECT is(pg_temp.says('home'), 'no model is called from here: the tables were copied from another database', 'in words');
SELECT matches((SELECT what_to_do FROM triage.health() WHERE check_name = 'home'), 'triage.adopt()', 'and how to go on');
SELECT triage.create_ticket('copied', 'copied') > 0;
SELECT is(pg_temp.level('home'), 'warning', 'a job that has just come is no reason to wake anybody');
UPDATE triage.ai_jobs SET run_at = statement_timestamp() - interval '2 minutes';
SELECT is(pg_temp.level('home'), 'critical', 'jobs that wait in it are: it may be the database to work in');
SELECT is((SELECT since FROM triage.health() WHERE check_name = 'home'), (SELECT run_at FROM triage.ai_jobs), 'since when');
ROLLBACK TO a;
SELECT triage.create_ticket('later', 'later') > 0;
UPDATE triage.ai_jobs SET run_at = now() + interval '1 hour';
SELECT matches(pg_temp.says('queue'), '^no job is due', 'what lies ahead is not due');
ROLLBACK TO a;

-- Providers -----------------------------------------------------------------------------------------------------------------------

UPDATE triage.providers SET enabled = false;
SELECT is(pg_temp.level('providers'), 'critical', 'no enabled provider');
SELECT is((SELECT count(*) FROM triage.health() WHERE check_name LIKE 'provider %'), 0::bigint, 'and no row for one that is not enabled');
ROLLBACK TO a;
SELECT triage.set_provider('acme', 'openai', 'https://api.example.com/v1', 'm');
SELECT is(pg_temp.level('provider acme'), 'critical', 'an origin that is not listed');
SELECT matches(pg_temp.says('provider acme'), 'allowed origins', 'said so');
SELECT is(pg_temp.level('provider builtin'), 'ok', 'builtin has nothing against it');
SELECT matches(pg_temp.says('provider builtin'), '^in reserve', 'but it is in reserve');
SELECT is(pg_temp.level('providers'), 'critical', 'so nobody serves');
UPDATE triage.providers SET rank = 999 WHERE name = 'builtin';
SELECT is(pg_temp.says('providers'), 'provider builtin serves', 'unless its rank lets it');
ROLLBACK TO a;
SET LOCAL triage.actor = 'ann';
SELECT triage.pause_provider('builtin', 'too simple');
SELECT is(pg_temp.level('provider builtin'), 'warning', 'a provider that was paused by hand');
SELECT is(pg_temp.says('provider builtin'), 'paused by ann: too simple', 'by whom, and why');
SELECT is((SELECT since FROM triage.health() WHERE check_name = 'provider builtin'), now(), 'since when');
SELECT is(pg_temp.level('providers'), 'critical', 'and nobody serves');
ROLLBACK TO a;
-- without shared memory: what its last call was told
SELECT pg_temp.runs(1, 'account', '-1 seconds');
UPDATE triage.providers SET name = 'acme', updated_at = now() - interval '1 hour';
SELECT is(pg_temp.level('provider acme'), 'critical', 'a provider whose last call was told that the key is not good');
SELECT is(pg_temp.says('provider acme'), 'account', 'in words');
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, error, finished_at)
	SELECT 'default', 1, 1, 'triage', 2, 'acme', 'm', 'misconfigured', 'HTTP 404: "my cat is ill" is not supported', statement_timestamp();
SELECT is(pg_temp.says('provider acme'), 'HTTP 404', 'but not in those of the endpoint, which may repeat another tenant''s ticket');
SELECT is(triage.hold_reason(), 'provider acme cannot serve: HTTP 404', 'nor is anybody else told');
SELECT alike((SELECT detail FROM triage.doctor() WHERE finding = 'provider paused'), '%my cat is ill%', 'but for who mends it');
SELECT pg_temp.runs(1, 'succeeded', '-2 seconds');
SELECT is(pg_temp.level('provider acme'), 'ok', 'until one succeeds');
ROLLBACK TO a;

-- Calls ----------------------------------------------------------------------------------------------------------------------------

UPDATE triage.providers SET name = 'acme', timeout_ms = 1000;
SELECT pg_temp.runs(9, 'transient', '1 minute');
SELECT is(pg_temp.level('answers'), 'ok', 'few calls prove nothing');
SELECT pg_temp.runs(1, 'transient', '1 minute');
SELECT is(pg_temp.level('answers'), 'critical', 'ten of ten failed');
SELECT matches(pg_temp.says('answers'), '^0 of the latest 10 calls .* mostly transient$', 'said so');
SELECT pg_temp.runs(10, 'succeeded', '1 minute');
SELECT is(pg_temp.level('answers'), 'warning', 'half of them');
SELECT pg_temp.runs(80, 'succeeded', '1 minute');
SELECT is(pg_temp.level('answers'), 'ok', 'one in ten');
SELECT pg_temp.runs(500, 'throttled', '1 minute'), pg_temp.runs(100, 'stale', '1 minute');
SELECT is(pg_temp.level('answers'), 'ok', 'to be throttled or late is no failure of the model');
SELECT pg_temp.runs(100, 'lost', '1 minute');
SELECT is(pg_temp.level('answers'), 'ok', 'nor is what a restart cut off');
ROLLBACK TO a;
SELECT pg_temp.runs(10, 'transient', '61 minutes');
SELECT is(pg_temp.level('answers'), 'ok', 'what was an hour ago is over');
ROLLBACK TO a;
UPDATE triage.providers SET name = 'acme', timeout_ms = 1000;
SELECT pg_temp.runs(94, 'succeeded', '1 minute', 100), pg_temp.runs(6, 'succeeded', '1 minute', 800);
SELECT is(pg_temp.level('latency'), 'warning', 'the slowest twentieth near the timeout');
SELECT pg_temp.runs(100, 'succeeded', '1 minute', 100);
SELECT is(pg_temp.level('latency'), 'ok', 'fewer than that are ok');
SELECT is(pg_temp.says('latency'), '95 of 100 calls took 100 ms at most, the timeout is 1000 ms', 'in figures');
UPDATE triage.providers SET name = 'gone';
SELECT is(pg_temp.says('latency'), '95 of 100 calls took 100 ms at most', 'and without a timeout when the provider is gone');
UPDATE triage.providers SET name = 'acme';
SELECT is(pg_temp.level('prices'), 'ok', 'calls that told no tokens cost nothing that could be known');
SELECT pg_temp.runs(1, 'succeeded', '1 minute', 100, 1000);
SELECT is(pg_temp.level('prices'), 'warning', 'tokens without a price');
SELECT matches(pg_temp.says('prices'), '\mm\M', 'of which model');
ROLLBACK TO a;

-- Budgets ------------------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.says('budgets'), 'there are no budgets', 'no budgets');
SELECT triage.set_budget('day', 10, 'EUR');
SELECT is(pg_temp.level('budgets'), 'ok', 'a budget that nothing was taken from');
UPDATE triage.budget_usage SET spent = 8, reserved = 0.5;
SELECT is(pg_temp.level('budgets'), 'warning', 'more than four fifths of it are gone');
SELECT matches(pg_temp.says('budgets'), '^0 of 1 budgets are used up; the day budget of all tenants has 1.5000 of 10 EUR left until [0-9: +-]+$', 'in figures');
UPDATE triage.budget_usage SET unsettled = 1.5;
SELECT is(pg_temp.level('budgets'), 'critical', 'it is used up');
SELECT matches(pg_temp.says('budgets'), '^1 of 1 .*; 1.5000 EUR may have been spent by calls of which nobody knows$', 'and by what');
SELECT triage.drop_budget('day');
SELECT triage.create_tenant('poor'), triage.set_budget('day', 0, 'EUR', 'poor');
SELECT is(pg_temp.level('budgets'), 'warning', 'one tenant''s is used up');
SELECT ok(pg_temp.says('budgets') !~ 'poor', 'whose, health() does not say');
SELECT triage.drop_budget('day', 'poor'), triage.set_budget('month', 10, 'EUR');
SELECT triage.set_provider('acme', 'openai', 'https://api.example.com/v1', 'm');
SELECT is(pg_temp.level('budgets'), 'warning', 'a provider that no budget lets call');
SELECT matches(pg_temp.says('budgets'), '; not called under them: acme$', 'is named');
SELECT matches((SELECT what_to_do FROM triage.health() WHERE check_name = 'provider acme'), '^Mend its origin', 'what keeps it anyway is to be mended first');
ROLLBACK TO a;

-- Failures ---------------------------------------------------------------------------------------------------------------------------

SELECT count(triage.create_ticket('x', 'x')) FROM generate_series(1, 12) \gset
CREATE FUNCTION pg_temp.letters(n int, class triage.run_outcome, ago interval) RETURNS void LANGUAGE sql AS $$
	INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at, failed_at)
		SELECT 'default', -t.id, t.id, 'triage', 'low', 1, 1, class, 'x', now(), statement_timestamp() - ago
			FROM triage.tickets t WHERE NOT EXISTS (SELECT FROM triage.ai_dead_letters d WHERE d.ticket_id = t.id) ORDER BY t.id LIMIT n
$$;
SELECT pg_temp.letters(1, 'refused', '61 minutes');
SELECT is(pg_temp.level('failures'), 'ok', 'a failure of the day');
SELECT matches(pg_temp.says('failures'), '^0 jobs .* hour, 1 in the last day: 1 refused$', 'is told');
SELECT pg_temp.letters(1, 'transient', '59 minutes');
SELECT is(pg_temp.level('failures'), 'warning', 'one of the hour');
SELECT is((SELECT since FROM triage.health() WHERE check_name = 'failures'), (SELECT max(failed_at) FROM triage.ai_dead_letters), 'since when');
SELECT pg_temp.letters(9, 'transient', '1 minute');
SELECT is(pg_temp.level('failures'), 'critical', 'more failures than answers');
SELECT pg_temp.runs(10, 'succeeded', '1 minute');
SELECT is(pg_temp.level('failures'), 'warning', 'fewer failures than answers');
SELECT matches(pg_temp.says('failures'), '^10 jobs .*, 11 in the last day: 10 transient, 1 refused$', 'by class');
ROLLBACK TO a;

-- What it costs (how many pages it reads is in 150_health.pl): the planner takes the functions for dear, and would compile
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p WHERE p.pronamespace = 'triage'::regnamespace
	AND p.proname IN ('health', 'doctor', 'explain_ticket', 'run_stats', 'hold_reason') AND NOT coalesce(p.proconfig @> '{jit=off}', false)$$,
	'what is asked every few seconds is not compiled each time');

-- Who may ask -------------------------------------------------------------------------------------------------------------------------

CREATE ROLE regress_triage_watcher;
GRANT USAGE ON SCHEMA triage TO regress_triage_watcher;
GRANT EXECUTE ON FUNCTION triage.health() TO regress_triage_watcher;
SELECT triage.create_tenant('other');
SET LOCAL triage.tenant = 'other';
SELECT triage.create_ticket('x', 'x') > 0;
RESET triage.tenant;
UPDATE triage.ai_jobs SET run_at = statement_timestamp() - interval '2 hours';
SET LOCAL ROLE regress_triage_watcher;
SELECT is(pg_temp.level('queue'), 'critical', 'the right to call it is enough, and it speaks of all tenants');
RESET ROLE;

SELECT finish();
ROLLBACK;
