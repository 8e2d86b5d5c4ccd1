-- Bad input: a clear error with SQLSTATE and hint, and nothing changed.
\set ECHO none
\set tenant bad_input
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

SELECT triage.create_ticket('Subject', 'Text', external_id => 'a') > 0 AS created;
CREATE VIEW pg_temp.all_rows AS
	SELECT md5(string_agg(t::text, '|' ORDER BY t.id)) AS tickets,
			(SELECT count(*) FROM triage.ticket_comments c WHERE c.tenant_id = 'bad_input') AS comments,
			(SELECT count(*) FROM triage.people p WHERE p.tenant_id = 'bad_input') AS people,
			(SELECT count(*) FROM triage.ai_jobs j WHERE j.tenant_id = 'bad_input') AS jobs,
			(SELECT count(*) FROM triage.ticket_history h WHERE h.tenant_id = 'bad_input') AS history,
			(SELECT count(*) FROM triage.providers) AS providers
		FROM triage.tickets t WHERE t.tenant_id = 'bad_input';
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.all_rows;

-- texts
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket('', '')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket(NULL, E' \n\t')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket('s', repeat('x', 1048577), requester_id => 'nobody')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket(repeat('x', 999), 'd')$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.tickets (subject, description) VALUES ('', ' ')$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.tickets (description) VALUES (repeat('x', 1048577))$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.tickets (subject, description) VALUES (repeat(U&'\00E4', 999), 'd')$$);
SELECT * FROM pg_temp.outcome($$UPDATE triage.tickets SET subject = '', description = E'\t' WHERE id = pg_temp.ticket('a')$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (pg_temp.ticket('a'), ' ')$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (pg_temp.ticket('a'), repeat('x', 1048577))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket('s', convert_from('\xc328', 'UTF8'))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket('s', E'a\u0000b')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"subject": "a\u0000b"}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"subject": "", "description": " "}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.add_comment(pg_temp.ticket('a'), ' ', author_role => 'agent')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.add_comment(pg_temp.ticket('a'), NULL, author_role => 'agent')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.add_comment(pg_temp.ticket('a'), repeat('x', 1048577), author_role => 'agent')$$);

-- labels
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket('s', 'd', priority => 'critical')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_ticket('s', 'd', category => 'gardening', requester_id => 'nobody')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"category": "gardening"}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"priority": "critical"}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"status": "done"}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.resolve_ticket(pg_temp.ticket('a'), 'done')$$);

-- keys and types
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"id": 1}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"subject": null}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"subject": 7}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"tags": ["a", 1]}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"custom_fields": []}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '[]')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), NULL)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"resolution": "spam"}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('a'), '{"requester_id": ""}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.assign_ticket(pg_temp.ticket('a'), '')$$);

-- tickets that are not there: never were, deleted, another tenant's
SELECT triage.create_ticket('s', 'd', external_id => 'gone') AS gone \gset
SELECT triage.delete_ticket(:gone) > 0 AS deleted;
SET triage.tenant = 'default';
SELECT triage.create_ticket('s', 'd', external_id => 'bad input: not mine') AS foreign_id \gset
SET triage.tenant = 'bad_input';
DROP TABLE before;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.all_rows;
SELECT o.outcome, string_agg(DISTINCT call, ' ' ORDER BY call) AS calls, count(*)
	FROM (VALUES (-1), (:gone), (:foreign_id), (NULL)) i (id),
		unnest(ARRAY ['update_ticket(%s, ''{}'')', 'assign_ticket(%s, ''x'')', 'unassign_ticket(%s)', 'resolve_ticket(%s)',
			'close_ticket(%s)', 'reopen_ticket(%s)', 'delete_ticket(%s)', 'add_comment(%s, ''x'', ''new'')',
			'request_triage(%s)', 'wait_for_triage(%s)']) call,
		LATERAL (SELECT replace(string_agg(o, E'\n'), 'NULL', 'N') AS outcome
			FROM pg_temp.outcome('SELECT triage.' || format(call, coalesce(i.id::text, 'NULL::bigint'))) o) o
	GROUP BY o.outcome
	ORDER BY o.outcome \gx
SELECT triage.cancel_job(-1) AS no_such_job, triage.cancel_job(NULL) AS null_job,
	triage.cancel_job((SELECT j.id FROM triage.ai_jobs j WHERE j.ticket_id = :foreign_id)) AS not_mine;

-- a resolution without its status
SELECT * FROM pg_temp.outcome($$UPDATE triage.tickets SET resolution = 'spam' WHERE id = pg_temp.ticket('a')$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.tickets (subject, description, resolution) VALUES ('s', 'd', 'spam')$$);

-- paging and waiting
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.list_tickets(max_rows => -1)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.list_tickets(max_rows => 1001)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.list_tickets(after_created_at => now())$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.list_tickets(after_id => 4711)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.list_tickets(after_created_at => now(), after_id => -5)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.search_tickets('x', max_rows => -1)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.search_tickets('x', max_rows => NULL)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.retry_failed(max_jobs => -1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.wait_for_triage(pg_temp.ticket('a'), '-1 second')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.wait_for_triage(triage.create_ticket('s', 'd'))$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM pg_temp.outcome($$SELECT triage.wait_for_triage(pg_temp.ticket('a'))$$);
COMMIT;

-- the protocol of an external worker
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(0)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(129)$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, '1 ms')$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, provider => '')$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, kinds => '{}')$$);
SELECT * FROM pg_temp.outcome($$SELECT * FROM triage.claim_jobs(1, kinds => '{gardening}')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.complete_job(1, 1, NULL)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.fail_job(1, 1, 'transient', NULL)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.fail_job(1, 1, 'succeeded', 'x')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.run_pending(0)$$);
BEGIN;
SELECT count(*) FROM (SELECT FROM triage.tenants WHERE id = 'default' FOR UPDATE) held;
SELECT * FROM pg_temp.outcome($$SELECT triage.run_pending(1, wait => true)$$);
ROLLBACK;
SELECT triage.complete_job(-1, 1, '{}') AS no_such_job, triage.fail_job(-1, 1, 'transient', 'x') AS nor_to_fail;

-- tenants
SELECT * FROM pg_temp.outcome($$SELECT triage.create_tenant('bad_input')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_tenant('')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_tenant(' ')$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.create_tenant(NULL)$$);

SELECT CASE WHEN b = a THEN 'nothing changed' ELSE 'changed: ' || a::text || ' was ' || b::text END AS result
	FROM before b, pg_temp.all_rows a;
