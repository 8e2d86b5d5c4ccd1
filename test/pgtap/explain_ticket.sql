-- explain_ticket(): on rows that the test writes itself.  A ticket's life with a real worker is in
-- test/e2e/t/152_explain_ticket.pl.
\ir prepare.psql
SELECT no_plan();

CREATE FUNCTION pg_temp.told(ticket_id bigint, path text) RETURNS text LANGUAGE sql AS
	$$ SELECT jsonb_path_query_array(triage.explain_ticket(ticket_id), path::jsonpath)::text $$;

SELECT is(pg_temp.outcome('SELECT triage.explain_ticket(0)'), 'P0002', 'a ticket that is not there');
SELECT is(pg_temp.outcome('SELECT triage.explain_ticket(NULL)'), 'P0002', 'nor is NULL');
SELECT triage.create_ticket('a', 'a', external_id => 'a') AS a \gset
SELECT triage.create_tenant('other');
SET LOCAL triage.tenant = 'other';
SELECT is(pg_temp.outcome('SELECT triage.explain_ticket(' || :a || ')'), 'P0002', 'another tenant''s is not there either');
RESET triage.tenant;
SELECT triage.create_ticket('gone', 'gone') AS gone \gset
SELECT triage.delete_ticket(:gone) > 0;
SELECT is(pg_temp.outcome('SELECT triage.explain_ticket(' || :gone || ')'), 'P0002', 'nor is one that was deleted');
SELECT set_eq('SELECT jsonb_object_keys(triage.explain_ticket(' || :a || '))', '{ticket_id,ai_state,ticket,result,superseded,runs,cost,job,failure,other_failures}'::text[],
	'the keys are always there');

-- Before any call -----------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.told(:a, '$.ai_state'), '["pending"]', 'pending');
SELECT is(pg_temp.told(:a, '$.result'), '[null]', 'no result');
SELECT is(pg_temp.told(:a, '$.runs'), '[[]]', 'no call');
SELECT is(pg_temp.told(:a, '$.job.attempts'), '[0]', 'no attempt');
SELECT is(pg_temp.told(:a, '$.job.waits_because'), '["no worker runs"]', 'why it waits: no worker');
SAVEPOINT a;
SET LOCAL triage.actor = 'ann';
SELECT triage.pause('import');
SELECT is(pg_temp.told(:a, '$.job.waits_because'), '["ann paused all work: import"]', 'the work was paused');
ROLLBACK TO a;
SELECT triage.worker_stop();
SELECT matches(pg_temp.told(:a, '$.job.waits_because'), 'the worker was stopped by', 'the worker was stopped');
ROLLBACK TO a;
SELECT triage.set_budget('day', 0, 'EUR', 'default');
SELECT matches(pg_temp.told(:a, '$.job.waits_because'), 'the day budget of tenant default is used up until', 'a budget that is used up');
ROLLBACK TO a;
UPDATE triage.home SET database_oid = 1;
SELECT is(pg_temp.told(:a, '$.job.waits_because'), '["the tables were copied from another database"]', 'a copy');
ROLLBACK TO a;
UPDATE triage.providers SET enabled = false;
SELECT is(pg_temp.told(:a, '$.job.waits_because'), '["no provider is enabled"]', 'no provider');
ROLLBACK TO a;
SELECT triage.set_provider('acme', 'openai', 'https://api.example.com/v1', 'm');
UPDATE triage.providers SET enabled = false WHERE name = 'builtin';
SELECT matches(pg_temp.told(:a, '$.job.waits_because'), 'provider acme cannot serve: the list of allowed origins is empty', 'a provider that cannot serve');
ROLLBACK TO a;
UPDATE triage.ticket_categories SET is_active = false;
SELECT is(pg_temp.told(:a, '$.job.waits_because'), '["the tenant has no active category"]', 'nothing to choose from');
ROLLBACK TO a;
UPDATE triage.ai_jobs SET lease_until = now() + interval '1 hour', fence = 1, attempts = 1, provider = 'acme';
SELECT is(pg_temp.told(:a, '$.job.state'), '["processing"]', 'a job that runs');
SELECT is(pg_temp.told(:a, '$.job.waits_because'), '[null]', 'does not wait');
SELECT is(pg_temp.told(:a, '$.job.provider'), '["acme"]', 'and says who has it');
ROLLBACK TO a;

-- Calls and a result ---------------------------------------------------------------------------------------------------------------

INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, prompt_version, outcome, error, http_status, request_id,
		input_tokens, output_tokens, cost, currency, price, latency_ms, started_at, finished_at)
	SELECT 'default', j.id, j.ticket_id, 'triage', f.fence, 'acme', 'm', 1, f.outcome::triage.run_outcome, nullif(f.outcome, 'succeeded'), f.status,
			'req-' || f.fence, 10 * f.fence, f.fence, 0.5, 'EUR', '{"input": 3}', 100, now() - interval '1 hour', now() - interval '1 hour'
		FROM triage.ai_jobs j, (VALUES (1, 'transient', 500), (2, 'lost', NULL), (3, 'succeeded', 200)) AS f (fence, outcome, status)
		WHERE j.ticket_id = :a;
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome) VALUES ('other', 1, :a, 'triage', 1, 'refused');
SELECT is(pg_temp.told(:a, '$.runs[*].outcome'), '["transient", "lost", "succeeded"]', 'every call, oldest first, and none of another tenant''s');
SELECT is(pg_temp.told(:a, '$.runs[0].http_status'), '[500]', 'with its status');
SELECT is(pg_temp.told(:a, '$.runs[*].prompt_sha256'),
	(SELECT format('["%s", "%1$s", "%1$s"]', encode(sha256(convert_to(p.system_text, 'UTF8')), 'hex')) FROM triage.prompts p WHERE p.tenant_id = 'default' AND p.kind = 'triage'),
	'and the hash of its prompt');
INSERT INTO triage.ticket_history (tenant_id, ticket_id, field, old_value, new_value, changed_by, session_role, created_at)
	VALUES ('default', :a, 'category', 'null', '"billing"', 'triage', 'postgres', now() - interval '61 minutes'),
		('default', :a, 'priority', '"medium"', '"high"', 'triage', 'postgres', now() - interval '61 minutes'),
		('default', :a, 'category', '"billing"', '"general"', 'ann', 'app', now() - interval '30 minutes');
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, run_id, ticket_version, category, urgency, sentiment_score, draft_reply, processed_at)
	SELECT 'default', :a, max(r.id), 1, 'billing', 'high', 5, 'x', now() - interval '1 hour' FROM triage.ai_runs r WHERE r.ticket_id = :a AND r.tenant_id = 'default';
SELECT is(pg_temp.told(:a, '$.result.run.request_id'), '["req-3"]', 'the result has the call that brought it');
SELECT is(pg_temp.told(:a, '$.result.run.cost'), '[0.5]', 'with its cost');
SELECT is(pg_temp.told(:a, '$.result.run.price.input'), '[3]', 'and the price that it was computed with');
SELECT is(pg_temp.told(:a, '$.result.applied[*].field'), '["category", "priority"]', 'what it changed on the ticket');
SELECT is(pg_temp.told(:a, '$.result.overridden[*].by'), '["ann"]', 'and who changed that');
SELECT is(pg_temp.told(:a, '$.result.overridden[*].to'), '["general"]', 'to what');
SELECT is(pg_temp.told(:a, '$.result.not_applied'), '[[]]', 'an override is not what kept a label from being set');
UPDATE triage.tickets SET priority = 'low' WHERE id = :a;
SELECT is(pg_temp.told(:a, '$.result.overridden[*].field'), '["category", "priority"]', 'an override through a plain UPDATE');
-- asked again, and a person's choice stands
UPDATE triage.ticket_ai_results SET superseded_at = clock_timestamp();
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, run_id, ticket_version, category, urgency, sentiment_score, draft_reply, processed_at)
	VALUES ('default', :a, NULL, 2, 'technical', 'urgent', 5, 'x', clock_timestamp());
SELECT is(pg_temp.told(:a, '$.superseded[*].category'), '["billing"]', 'an earlier answer');
SELECT is(pg_temp.told(:a, '$.superseded[*].overridden[*].field'), '["category", "priority"]', 'keeps what became of it');
SELECT is(pg_temp.told(:a, '$.result.category'), '["technical"]', 'the current one');
SELECT is(pg_temp.told(:a, '$.result.run'), '[null]', 'whose run may be gone');
SELECT is(pg_temp.told(:a, '$.result.applied'), '[[]]', 'which changed nothing');
SELECT is(pg_temp.told(:a, '$.result.not_applied'), '[["priority"]]', 'because a person had chosen (the category was only said to have been)');

-- Waiting for the next try, and given up --------------------------------------------------------------------------------------------

UPDATE triage.ai_jobs SET run_at = now() + interval '1 hour', attempts = 3;
SELECT ok(pg_temp.told(:a, '$.job.waits_because') LIKE '%no worker runs%' AND pg_temp.told(:a, '$.job.attempts') = '[3]', 'what holds up all jobs is said first');
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	SELECT 'default', j.id, j.ticket_id, 'triage', 'low', 3, 5, 'transient', 'HTTP 500', now() FROM triage.ai_jobs j WHERE j.ticket_id = :a;
DELETE FROM triage.ai_jobs WHERE ticket_id = :a;
SELECT is(pg_temp.told(:a, '$.job'), '[null]', 'no job');
SELECT is(pg_temp.told(:a, '$.failure.class'), '["transient"]', 'but the reason why it was given up');
SELECT is(pg_temp.told(:a, '$.ai_state'), '["ai_failed"]', 'and the state');
SELECT is(pg_temp.told(:a, '$.other_failures'), '[[]]', 'nothing else was given up');
INSERT INTO triage.chat_sessions (customer_id) VALUES (NULL) RETURNING id AS s \gset
INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (:s, :a);
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, session_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('default', -1, :a, NULL, 'summarize', 'high', 1, 5, 'refused', 'no', now()), ('default', -2, NULL, :s, 'chat_reply', 'urgent', 1, 5, 'transient', 'no', now());
SELECT is(pg_temp.told(:a, '$.other_failures[*].kind'), '["chat_reply", "summarize"]', 'until a reply or a summary is');

SELECT finish();
ROLLBACK;
