-- What an operator looks at, asked by a role that grant_access() let in: a reader asks for his tenant's tickets and for the
-- state of the whole, an administrator also for what mends it.
\ir prepare.psql
SELECT no_plan();

CREATE ROLE regress_triage_reader;
CREATE ROLE regress_triage_admin;
SELECT triage.grant_access('regress_triage_reader', 'reader'), triage.grant_access('regress_triage_admin', 'admin');
SELECT triage.create_ticket('a', 'a', external_id => 'a') AS a \gset
SELECT triage.create_tenant('other');
SET LOCAL triage.tenant = 'other';
SELECT triage.create_ticket('b', 'b') AS b \gset
RESET triage.tenant;
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, prompt_version, outcome) VALUES ('default', 1, :a, 'triage', 1, 1, 'succeeded');

SET LOCAL ROLE regress_triage_reader;
SELECT cmp_ok((SELECT count(*) FROM triage.health()), '>', 10::bigint, 'a reader may ask health()');
SELECT ok((triage.explain_ticket(:a)) #>> '{runs,0,prompt_sha256}' ~ '^[0-9a-f]{64}$', 'and explain_ticket(), which tells the hash of a prompt that he may not read');
SELECT is(pg_temp.outcome('SELECT system_text FROM triage.prompts'), '42501', '(he may not)');
SELECT is(pg_temp.outcome('SELECT triage.explain_ticket(' || :b || ')'), 'P0002', 'of his tenant');
SELECT is((SELECT sum(calls) FROM triage.run_stats()), 1::numeric, 'and run_stats()');
SELECT is(pg_temp.outcome('SELECT FROM triage.worker_stats'), 'ok', 'and worker_stats');
SELECT is(pg_temp.outcome(c.call), '42501', c.call || ' is not for a reader')
	FROM (VALUES ('SELECT triage.doctor()'), ('SELECT triage.secret_refusal(''x'')'), ('SELECT triage.exposed_origins()'), ('SELECT triage.listed_origins()'), ('SELECT triage.provider_troubles()')) AS c (call);
SET LOCAL ROLE regress_triage_admin;
SELECT is(pg_temp.outcome('SELECT triage.doctor()'), 'ok', 'an administrator may ask doctor()');
SELECT is(pg_temp.outcome(c.call), '42501', c.call || ' is not for an administrator either')
	FROM (VALUES ('SELECT triage.secret_refusal(''x'')'), ('SELECT triage.exposed_origins()'), ('SELECT triage.listed_origins()')) AS c (call);
RESET ROLE;

SELECT finish();
ROLLBACK;
