-- The audit trail: one row for each changed column, whoever changes it and however, and nobody rewrites it.
\ir prepare.psql
SELECT plan(44);

CREATE FUNCTION pg_temp.trail(external_id text) RETURNS SETOF text
	LANGUAGE sql
AS $$
	SELECT format('%s: %s -> %s', h.field, coalesce(h.old_value::text, 'NULL'), coalesce(h.new_value::text, 'NULL'))
		FROM triage.ticket_history h
		WHERE h.ticket_id = pg_temp.ticket(external_id)
		ORDER BY h.id
$$;
CREATE FUNCTION pg_temp.assigned(external_id text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(concat_ws(' ', a.agent_id, 'by', a.assigned_by, CASE WHEN a.unassigned_at IS NOT NULL THEN '(past)' END),
			', ' ORDER BY a.id)
		FROM triage.ticket_assignments a WHERE a.ticket_id = pg_temp.ticket(external_id)
$$;

CREATE ROLE regress_triage_agent;
GRANT USAGE ON SCHEMA triage TO regress_triage_agent;
GRANT SELECT, INSERT, UPDATE, DELETE ON triage.tickets, triage.ticket_comments, triage.people TO regress_triage_agent;
GRANT SELECT ON triage.ticket_categories, triage.ticket_history, triage.tenants TO regress_triage_agent;
GRANT EXECUTE ON FUNCTION triage.current_tenant() TO regress_triage_agent;
INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('bob', 'agent');

-- What is written --------------------------------------------------------------------------------------------------------

INSERT INTO triage.tickets (external_id, subject, description) VALUES ('a', 'Invoice', 'wrong sum');
SELECT is_empty($$SELECT pg_temp.trail('a')$$, 'a new ticket has no history');
SET LOCAL triage.actor = 'ann';
UPDATE triage.tickets SET subject = 'Invoice 7', priority = 'high', tags = '{money,late}', custom_fields = '{"no": 7}',
		category = 'billing', language = 'en', description = E'wrong "sum"\n'
	WHERE external_id = 'a';
SELECT set_eq($$SELECT pg_temp.trail('a')$$, ARRAY[
		'language: NULL -> "en"',
		'subject: "Invoice" -> "Invoice 7"',
		'description: "wrong sum" -> "wrong \"sum\"\n"',
		'custom_fields: {} -> {"no": 7}',
		'tags: [] -> ["money", "late"]',
		'priority: "medium" -> "high"',
		'category: NULL -> "billing"'],
	'a row for each changed column, the values as jsonb, and nothing of what the machine keeps');
SELECT is(count(DISTINCT (h.tenant_id, h.changed_by, h.session_role, h.created_at)), 1::bigint, 'all by one, at one time')
	FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('a');
SELECT is(min(h.changed_by), 'ann', 'the actor is the one that the session claims')
	FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('a');
SELECT is(min(h.session_role), session_user::text, 'the role is the one that logged in')
	FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('a');

RESET triage.actor;
SET LOCAL ROLE regress_triage_agent;
UPDATE triage.tickets SET tags = '{money}' WHERE external_id = 'a';
RESET ROLE;
SELECT is(h.changed_by || ' ' || h.session_role, session_user || ' ' || session_user, 'SET ROLE changes neither; without a claim the actor is the session''s role')
	FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('a') ORDER BY h.id DESC LIMIT 1;
SET LOCAL SESSION AUTHORIZATION regress_triage_agent;
UPDATE triage.tickets SET tags = '{late}' WHERE external_id = 'a';
RESET SESSION AUTHORIZATION;
SELECT is(h.changed_by || ' ' || h.session_role, 'regress_triage_agent regress_triage_agent', 'a session of its own does')
	FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('a') ORDER BY h.id DESC LIMIT 1;
SELECT lives_ok($$SET LOCAL ROLE regress_triage_agent; UPDATE triage.tickets SET tags = '{}' WHERE external_id = 'a'$$,
	'who may change a ticket need not be allowed to write its history');
RESET ROLE;

INSERT INTO triage.tickets (external_id, subject, description) VALUES ('b', 's', 'd'), ('c', 's', 'd');
UPDATE triage.tickets SET subject = 's', priority = 'medium', version = 9, updated_at = now(), waiting_since = now(),
		first_response_at = now(), category_is_manual = true, priority_is_manual = true
	WHERE external_id = 'b';
SELECT is_empty($$SELECT pg_temp.trail('b')$$, 'what stays the same and what the machine keeps leaves no trace');
UPDATE triage.tickets SET subject = 't' WHERE external_id IN ('b', 'c');
SELECT is(pg_temp.trail('b') || '; ' || pg_temp.trail('c'), 'subject: "s" -> "t"; subject: "s" -> "t"', 'an UPDATE of many rows: a row for each');
UPDATE triage.tickets SET subject = external_id || version WHERE external_id IN ('b', 'c');
SELECT results_eq($$SELECT pg_temp.trail('c') OFFSET 1$$, ARRAY['subject: "t" -> "c2"'], 'old and new values of the same ticket stand together');
INSERT INTO triage.tickets (external_id, subject, description) VALUES ('c', 'other', 'x'), ('d', 'new', 'x')
	ON CONFLICT ON CONSTRAINT tickets_external_id_key DO UPDATE SET description = excluded.description;
SELECT results_eq($$SELECT pg_temp.trail('c') OFFSET 2$$, ARRAY['description: "d" -> "x"'], 'ON CONFLICT DO UPDATE: the changed column');
SELECT is_empty($$SELECT pg_temp.trail('d')$$, 'and nothing for the row that it inserted');
WITH moved AS (UPDATE triage.tickets SET source = 'email' WHERE external_id = 'c' RETURNING 1) SELECT FROM moved;
SELECT results_eq($$SELECT pg_temp.trail('c') OFFSET 3$$, ARRAY['source: "api" -> "email"'], 'an UPDATE inside a WITH');
MERGE INTO triage.tickets t USING (VALUES ('c')) AS s (name) ON t.external_id = s.name
	WHEN MATCHED THEN UPDATE SET language = 'de';
SELECT results_eq($$SELECT pg_temp.trail('c') OFFSET 4$$, ARRAY['language: NULL -> "de"'], 'MERGE');
UPDATE triage.tickets SET language = NULL WHERE external_id = 'c';
SELECT results_eq($$SELECT pg_temp.trail('c') OFFSET 5$$, ARRAY['language: "de" -> NULL'], 'a value that goes');

-- the status brings its resolution and times along
UPDATE triage.tickets SET status = 'resolved', resolved_at = '2020-02-02' WHERE external_id = 'd';
SELECT set_eq($$SELECT pg_temp.trail('d')$$, ARRAY['status: "open" -> "resolved"', 'resolution: NULL -> "resolved"',
		'resolved_at: NULL -> "2020-02-02T00:00:00+00:00"'], 'what follows from a change of status is history too');

-- a column of the application's own
ALTER TABLE triage.tickets ADD COLUMN machine_no int, ADD COLUMN place point;
INSERT INTO triage.tickets (external_id, description, machine_no) VALUES ('e', 'x', 1);
UPDATE triage.tickets SET machine_no = 2 WHERE external_id = 'e';
UPDATE triage.tickets SET place = '(1,2)' WHERE external_id = 'e';
SELECT results_eq($$SELECT pg_temp.trail('e')$$, ARRAY['machine_no: 1 -> 2', 'place: NULL -> "(1,2)"'],
	'a column that a user added, of a type without an equality operator too');
ALTER TABLE triage.tickets DROP COLUMN machine_no;
UPDATE triage.tickets SET place = '(1,2)', tags = '{x}' WHERE external_id = 'e';
SELECT results_eq($$SELECT pg_temp.trail('e') OFFSET 2$$, ARRAY['tags: [] -> ["x"]'], 'and one that was dropped again');

-- more rows than are gathered at once
INSERT INTO triage.tickets (description, source) SELECT 'bulk ' || i, 'bulk' FROM generate_series(1, 2500) AS i;
UPDATE triage.tickets SET description = description || '!', tags = '{a}' WHERE source = 'bulk';
SELECT is(count(*) FILTER (WHERE h.field = 'description' AND h.new_value = to_jsonb(t.description)), 2500::bigint, 'each of 2500 changed texts is there')
	FROM triage.ticket_history h JOIN triage.tickets t ON t.id = h.ticket_id WHERE t.source = 'bulk';
SELECT is(count(*), 5000::bigint, 'and nothing else') FROM triage.ticket_history h JOIN triage.tickets t ON t.id = h.ticket_id WHERE t.source = 'bulk';

-- Who had it -----------------------------------------------------------------------------------------------------------------

SET LOCAL triage.actor = 'boss';
INSERT INTO triage.tickets (external_id, description, assignee_id) VALUES ('f', 'x', 'ann');
SELECT is(pg_temp.assigned('f'), 'ann by boss', 'a ticket that begins with an agent');
UPDATE triage.tickets SET assignee_id = 'bob' WHERE external_id = 'f';
SELECT is(pg_temp.assigned('f'), 'ann by boss (past), bob by boss', 'the next one ends the first');
UPDATE triage.tickets SET assignee_id = 'bob', subject = 'y' WHERE external_id = 'f';
SELECT is(pg_temp.assigned('f'), 'ann by boss (past), bob by boss', 'the same one is no change');
INSERT INTO triage.people (id) VALUES ('a customer');
SELECT throws_ok($$UPDATE triage.tickets SET assignee_id = 'a customer' WHERE external_id = 'f'$$, '23514', 'a customer cannot be assigned a ticket', 'plain SQL assigns no customer');
SELECT throws_ok($$INSERT INTO triage.tickets (description, assignee_id) VALUES ('x', 'a customer')$$, '23514', 'a customer cannot be assigned a ticket', 'nor does an insert');
UPDATE triage.tickets SET assignee_id = NULL WHERE external_id = 'f';
SELECT is(pg_temp.assigned('f'), 'ann by boss (past), bob by boss (past)', 'nobody has it');
UPDATE triage.tickets SET assignee_id = 'ann' WHERE external_id IN ('f', 'e');
SELECT is(pg_temp.assigned('f') || '; ' || pg_temp.assigned('e'), 'ann by boss (past), bob by boss (past), ann by boss; ann by boss',
	'several at once');
SELECT ok(bool_and(a.unassigned_at >= a.assigned_at), 'each ends after it began') FROM triage.ticket_assignments a WHERE a.unassigned_at IS NOT NULL;

-- Append-only, for its owner too -------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome($$UPDATE triage.ticket_history SET changed_by = 'me'$$), '42501', 'no UPDATE of history');
SELECT is(pg_temp.outcome($$DELETE FROM triage.ticket_history$$), '42501', 'no DELETE');
SELECT is(pg_temp.outcome($$TRUNCATE triage.ticket_history$$), '42501', 'no TRUNCATE');
SELECT is(pg_temp.outcome($$TRUNCATE triage.tickets CASCADE$$), '42501', 'nor one by way of the tickets');
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, cost)
	VALUES ('default', 1, pg_temp.ticket('a'), 'triage', 1, 'succeeded', 0.01);
SELECT is(pg_temp.outcome($$UPDATE triage.ai_runs SET cost = 0$$), '42501', 'no UPDATE of runs');
SELECT is(pg_temp.outcome($$DELETE FROM triage.ai_runs$$), '42501', 'no DELETE');
SELECT is(pg_temp.outcome($$TRUNCATE triage.ai_runs$$), '42501', 'no TRUNCATE');
SET LOCAL row_security = off;
SELECT is(pg_temp.outcome($$DELETE FROM triage.ticket_history$$), '42501', 'row_security off opens nothing');
RESET row_security;
SELECT isnt_empty($$SELECT pg_temp.trail('a')$$, 'the history is all there');

-- a ticket that is purged takes along what is its own, and not what was paid for
INSERT INTO triage.ticket_comments (ticket_id, content) SELECT pg_temp.ticket('a'), 'x';
SELECT pg_temp.ticket('a') AS a \gset
DELETE FROM triage.tickets WHERE external_id = 'a';
SELECT is((SELECT count(*) FROM triage.ticket_history h WHERE h.ticket_id = :a), 0::bigint, 'a purged ticket''s history goes with it');
SELECT is((SELECT count(*) FROM triage.ticket_comments c WHERE c.ticket_id = :a), 0::bigint, 'so do its comments');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = :a), 0::bigint, 'and its job');
SELECT is((SELECT count(*) FROM triage.ai_runs r WHERE r.ticket_id = :a), 1::bigint, 'its runs stay');
SELECT isnt_empty($$SELECT pg_temp.trail('b')$$, 'other tickets keep theirs');
SELECT is(pg_temp.outcome($$UPDATE triage.tickets SET id = DEFAULT WHERE external_id = 'b'$$), '23503 ticket_history_ticket_fkey',
	'a ticket with a history keeps its id');

SELECT finish();
ROLLBACK;
