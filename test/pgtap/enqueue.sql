-- The job that a ticket asks for: when there is one, when it begins anew, when it goes.
\ir prepare.psql
SELECT plan(60);

CREATE FUNCTION pg_temp.job(external_id text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT concat_ws(' ', 'fence', j.fence, 'attempts', j.attempts, j.priority,
			CASE WHEN j.lease_until > clock_timestamp() THEN 'leased' END, CASE WHEN j.run_at > clock_timestamp() THEN 'delayed' END)
		FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket(external_id)
$$;
\set fresh '\'fence 0 attempts 0 medium\''
-- as claim_jobs() leaves it, after two earlier tries
CREATE FUNCTION pg_temp.claim(external_id text) RETURNS void
	LANGUAGE sql
AS $$
	UPDATE triage.ai_jobs j
		SET fence = fence + 1, attempts = 3, claimed_at = now(), lease_until = now() + interval '1 hour', slot = 0
		WHERE j.ticket_id = pg_temp.ticket(external_id)
$$;
CREATE FUNCTION pg_temp.finish(external_id text) RETURNS void
	LANGUAGE sql
AS $$
	DELETE FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket(external_id);
	INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply)
		VALUES ('default', pg_temp.ticket(external_id), 1, 'general', 'low', 1, 'x');
$$;

-- New tickets ------------------------------------------------------------------------------------------------------------------

INSERT INTO triage.tickets (external_id, description) VALUES ('a', 'x');
SELECT is(pg_temp.job('a'), :fresh, 'a plain INSERT asks for triage');
INSERT INTO triage.tickets (external_id, description, priority) VALUES ('b', 'x', 'urgent'), ('c', 'x', 'low'), ('d', 'x', 'medium');
SELECT is(pg_temp.job('b') || ', ' || pg_temp.job('c') || ', ' || pg_temp.job('d'),
	'fence 0 attempts 0 urgent, fence 0 attempts 0 low, fence 0 attempts 0 medium', 'so does one of many rows, each with its ticket''s priority');
INSERT INTO triage.tickets (description, source) SELECT 'bulk ' || i, 'bulk' FROM generate_series(1, 2000) AS i;
SELECT is(count(j.id), 2000::bigint, 'and one of thousands: one job each')
	FROM triage.tickets t LEFT JOIN triage.ai_jobs j ON j.ticket_id = t.id WHERE t.source = 'bulk';
SELECT triage.create_ticket('x', 'x', external_id => 'e') AS id \gset
SELECT is(pg_temp.job('e'), :fresh, 'create_ticket() does the same');
-- as object-relational mappers write it: prepared, all columns named, the key asked back
PREPARE orm (text, text, text) AS
	INSERT INTO "triage"."tickets" ("external_id", "subject", "description", "status", "tags", "custom_fields")
		VALUES ($1, $2, $3, DEFAULT, DEFAULT, DEFAULT) RETURNING "triage"."tickets"."id", "triage"."tickets"."public_id";
EXECUTE orm ('f', 's', 'x') \gset
SELECT is(pg_temp.job('f'), :fresh, 'so does an INSERT ... RETURNING of a mapper');
INSERT INTO triage.tickets (external_id, description) VALUES ('f', 'again'), ('g', 'new')
	ON CONFLICT ON CONSTRAINT tickets_external_id_key DO NOTHING;
SELECT is(pg_temp.job('f'), :fresh, 'ON CONFLICT DO NOTHING: nothing for the ticket that is there');
SELECT is(pg_temp.job('g'), :fresh, 'a job for the new one');
INSERT INTO triage.tickets (external_id, description) VALUES ('g', 'newer'), ('h', 'new')
	ON CONFLICT ON CONSTRAINT tickets_external_id_key DO UPDATE SET description = excluded.description;
SELECT is(pg_temp.job('g'), 'fence 1 attempts 0 medium', 'ON CONFLICT DO UPDATE: the changed text is asked about anew');
SELECT is(pg_temp.job('h'), :fresh, 'and the new ticket for the first time');
COPY triage.tickets (external_id, description) FROM stdin;
copied	x
\.
SELECT is(pg_temp.job('copied'), :fresh, 'COPY is an INSERT of many rows');
SELECT is(pg_temp.outcome($$INSERT INTO triage.tickets (description) SELECT 'x' WHERE false$$), 'ok', 'an INSERT of no rows is none');

INSERT INTO triage.tickets (external_id, description, status, deleted_at) VALUES
	('done', 'x', 'resolved', NULL), ('shut', 'x', 'closed', NULL), ('gone', 'x', 'open', now());
SELECT is(pg_temp.job('done'), NULL, 'a resolved ticket asks for nothing');
SELECT is(pg_temp.job('shut'), NULL, 'nor does a closed one');
SELECT is(pg_temp.job('gone'), NULL, 'nor does a deleted one');
SET LOCAL triage.auto_triage = off;
INSERT INTO triage.tickets (external_id, description) VALUES ('quiet', 'x');
UPDATE triage.tickets SET description = 'y' WHERE external_id IN ('quiet', 'a');
SELECT is(pg_temp.job('quiet'), NULL, 'with triage.auto_triage off neither a new ticket nor a changed text asks');
SELECT is(pg_temp.job('a'), :fresh, 'nor is a job that waits asked again');
SELECT isnt(triage.request_triage(pg_temp.ticket('quiet')), NULL, 'request_triage() does');
SELECT is(pg_temp.job('quiet'), 'fence 0 attempts 0 high', 'with high priority');
UPDATE triage.tickets SET status = 'resolved' WHERE external_id = 'quiet';
SELECT is(pg_temp.job('quiet'), NULL, 'a finished ticket calls its job off, with auto_triage off too');
RESET triage.auto_triage;
SELECT triage.create_ticket('x', 'x', external_id => 'manual', request_triage => false) AS id \gset
SELECT is(pg_temp.job('manual'), NULL, 'create_ticket(request_triage => false) does not ask');
SELECT is(current_setting('triage.auto_triage'), 'on', 'and leaves the setting as it was');
INSERT INTO triage.tickets (external_id, description) VALUES ('after', 'x');
SELECT is(pg_temp.job('after'), :fresh, 'the next ticket asks again');

-- A changed text ------------------------------------------------------------------------------------------------------------

SELECT pg_temp.claim('a');
SELECT is(pg_temp.job('a'), 'fence 1 attempts 3 medium leased', '(a running job)');
UPDATE triage.tickets SET subject = 'new subject' WHERE external_id = 'a';
SELECT is(pg_temp.job('a'), 'fence 2 attempts 0 medium', 'a changed subject: next fence, no lease, attempts from the start');
SELECT pg_temp.claim('a');
UPDATE triage.tickets SET description = 'new text' WHERE external_id = 'a';
SELECT is(pg_temp.job('a'), 'fence 4 attempts 0 medium', 'a changed description too');
SELECT pg_temp.claim('a');
UPDATE triage.tickets SET subject = subject, description = description WHERE external_id = 'a';
SELECT is(pg_temp.job('a'), 'fence 5 attempts 3 medium leased', 'the same text again does not');
UPDATE triage.tickets SET status = 'pending', priority = 'high', category = 'billing', tags = '{x}', language = 'en', custom_fields = '{"a": 1}' WHERE external_id = 'a';
SELECT triage.assign_ticket(pg_temp.ticket('a'), 'ann') AS version \gset
SELECT triage.add_comment(pg_temp.ticket('a'), 'hello', 'carl') AS comment \gset
SELECT is(pg_temp.job('a'), 'fence 5 attempts 3 medium leased', 'nor do status, agent, labels, tags or a comment');
UPDATE triage.ai_jobs SET lease_until = NULL, run_at = now() + interval '1 hour' WHERE ticket_id = pg_temp.ticket('a');
SELECT is(pg_temp.job('a'), 'fence 5 attempts 3 medium delayed', '(a job that waits after a failure)');
UPDATE triage.tickets SET description = 'third text' WHERE external_id = 'a';
SELECT is(pg_temp.job('a'), 'fence 6 attempts 0 medium', 'a changed text ends the wait');
SELECT is(count(*), 1::bigint, 'there is one job, however often the text changed') FROM triage.ai_jobs WHERE ticket_id = pg_temp.ticket('a');
UPDATE triage.tickets SET description = description || '!' WHERE external_id IN ('a', 'b', 'c');
SELECT is(pg_temp.job('a') || ', ' || pg_temp.job('b') || ', ' || pg_temp.job('c'),
	'fence 7 attempts 0 medium, fence 1 attempts 0 urgent, fence 1 attempts 0 low', 'many tickets in one UPDATE');

SELECT pg_temp.finish('d');
UPDATE triage.tickets SET tags = '{x}' WHERE external_id = 'd';
SELECT is(pg_temp.job('d'), NULL, 'a ticket that was triaged asks for nothing more');
UPDATE triage.tickets SET subject = 'changed' WHERE external_id = 'd';
SELECT is(pg_temp.job('d'), :fresh, 'until its text changes');
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	SELECT 'default', -1, pg_temp.ticket('manual'), 'triage', 'medium', 9, 5, 'refused', 'x', now();
UPDATE triage.tickets SET tags = '{x}' WHERE external_id = 'manual';
SELECT isnt_empty($$SELECT FROM triage.ai_dead_letters WHERE id = -1$$, 'a job that was given up stays so');
UPDATE triage.tickets SET description = 'changed' WHERE external_id = 'manual';
SELECT is(pg_temp.job('manual'), :fresh, 'until the text changes');
SELECT is_empty($$SELECT FROM triage.ai_dead_letters WHERE id = -1$$, 'then the failure is forgotten');

-- Finished, deleted, back again ---------------------------------------------------------------------------------------------

SELECT pg_temp.claim('b');
UPDATE triage.tickets SET status = 'resolved' WHERE external_id = 'b';
SELECT is(pg_temp.job('b'), NULL, 'a resolved ticket''s job goes, a running one too');
UPDATE triage.tickets SET subject = 'changed' WHERE external_id = 'b';
SELECT is(pg_temp.job('b'), NULL, 'its text may change without asking');
UPDATE triage.tickets SET status = 'open' WHERE external_id = 'b';
SELECT is(pg_temp.job('b'), 'fence 0 attempts 0 urgent', 'reopened without a result, it asks');
SELECT triage.resolve_ticket(pg_temp.ticket('d')) AS version \gset
SELECT is(pg_temp.job('d'), NULL, 'resolve_ticket() calls the job off');
SELECT triage.reopen_ticket(pg_temp.ticket('d')) AS version \gset
SELECT is(pg_temp.job('d'), NULL, 'reopened with a result, it does not ask');
UPDATE triage.tickets SET status = 'resolved' WHERE external_id = 'd';
UPDATE triage.tickets SET status = 'open', description = 'reworded' WHERE external_id = 'd';
SELECT is(pg_temp.job('d'), :fresh, 'unless its text changes with it');
UPDATE triage.tickets SET status = 'closed' WHERE external_id = 'd';
SELECT is(pg_temp.job('d'), NULL, 'a closed ticket''s job goes');
SELECT triage.delete_ticket(pg_temp.ticket('c')) AS version \gset
SELECT is(pg_temp.job('c'), NULL, 'so does a deleted one''s');
UPDATE triage.tickets SET description = 'x' WHERE external_id = 'c';
SELECT is(pg_temp.job('c'), NULL, 'whose text may change without asking');
UPDATE triage.tickets SET deleted_at = NULL WHERE external_id = 'c';
SELECT is(pg_temp.job('c'), 'fence 0 attempts 0 low', 'undeleted, it asks');
UPDATE triage.tickets SET status = 'resolved' WHERE external_id IN ('e', 'f');
SELECT is(coalesce(pg_temp.job('e'), 'none') || ' ' || coalesce(pg_temp.job('f'), 'none'), 'none none', 'many at once');

-- By hand --------------------------------------------------------------------------------------------------------------------

SELECT pg_temp.claim('h');
SELECT ok(triage.request_triage(pg_temp.ticket('h')) > 0, 'request_triage() on a running job');
SELECT is(pg_temp.job('h'), 'fence 2 attempts 0 high', 'withdraws the claim and raises the priority');
SELECT throws_ok($$SELECT triage.request_triage(pg_temp.ticket('done'))$$, '55000', NULL, 'a resolved ticket cannot be asked about');
SELECT throws_ok($$SELECT triage.request_triage(pg_temp.ticket('shut'))$$, '55000', NULL, 'nor a closed one');
SELECT throws_ok($$SELECT triage.request_triage(pg_temp.ticket('gone'))$$, 'P0002', NULL, 'nor a deleted one');
SELECT ok(triage.cancel_job(j.id), 'cancel_job() withdraws') FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('h');
SELECT is(pg_temp.job('h'), NULL, 'the job is gone');

-- Given up -------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.dead() RETURNS bigint
	LANGUAGE sql
AS $$ SELECT coalesce(sum(s.dead), 0)::bigint FROM triage.queue_stats s $$;
SELECT triage.create_ticket('x', 'x') AS given_up \gset
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	SELECT j.tenant_id, j.id, j.ticket_id, j.kind, j.priority, 1, 1, 'bad_request', 'x', now() FROM triage.ai_jobs j WHERE j.ticket_id = :given_up;
DELETE FROM triage.ai_jobs WHERE ticket_id = :given_up;
UPDATE triage.tickets SET status = 'resolved' WHERE id = :given_up;
SELECT is(triage.retry_failed(), 0::bigint, 'what was given up of a finished ticket is not retried');
SELECT is(pg_temp.dead(), 1::bigint, 'and goes on counting');
SAVEPOINT a;
SELECT triage.reopen_ticket(:given_up) > 0;
SELECT is(pg_temp.dead(), 0::bigint, 'until the ticket is reopened, which asks again');
ROLLBACK TO a;
SELECT triage.delete_ticket(:given_up) > 0;
SELECT is(triage.retry_failed(), 0::bigint, 'of a deleted one neither');
UPDATE triage.ai_dead_letters SET failed_at = now() - interval '91 days';
UPDATE triage.retention SET keep = '90 days' WHERE target = 'ai_dead_letters';
SELECT is(pg_temp.dead(), 1::bigint, 'that counts, too');
SELECT count(*) FROM triage.apply_retention();
SELECT is(pg_temp.dead(), 0::bigint, 'until it was kept for as long as retention says');

SELECT finish();
ROLLBACK;
