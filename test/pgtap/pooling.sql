-- Behind a pooler that hands a connection to another client after each transaction: tenant and actor travel as SET LOCAL
-- and end with the transaction, and the API leaves nothing else behind.  No prepare.psql: these are transactions that end.
\set QUIET on
SET client_min_messages = warning;
SET triage.autostart = off;
SELECT no_plan();
CREATE FUNCTION pg_temp.who() RETURNS text
	LANGUAGE sql
AS $$ SELECT triage.current_tenant() || ' ' || CASE triage.current_actor() WHEN session_user THEN 'session' ELSE triage.current_actor() END $$;
CREATE TEMP TABLE settings AS SELECT s.name, s.setting FROM pg_settings s WHERE s.name NOT LIKE 'transaction%';

SELECT is(pg_temp.who(), 'default session', 'a client that says nothing is nobody in particular [seed 87]');
SELECT triage.create_tenant('two') IS NULL AS created \gset
BEGIN;
SET LOCAL triage.tenant = 'two';
SET LOCAL triage.actor = 'ann';
SELECT is(pg_temp.who(), 'two ann', 'SET LOCAL says for whom and by whom [seed 87]');
SELECT triage.create_ticket('printer', 'jams', 'carl') AS ticket \gset
SELECT triage.update_ticket(:ticket, '{"priority": "high"}') AS version \gset
COMMIT;
SELECT is(pg_temp.who(), 'default session', 'with COMMIT that is over [seed 87]');
SELECT is_empty('SELECT FROM triage.list_tickets()', 'the next client of the connection has another tenant''s list [seed 87]');
SELECT is((SELECT t.tenant_id FROM triage.tickets t WHERE t.id = :ticket), 'two', 'the ticket is the tenant''s that was said');
SELECT is((SELECT h.changed_by FROM triage.ticket_history h WHERE h.ticket_id = :ticket AND h.field = 'priority'), 'ann', 'and changed by whom was said');

BEGIN;
SET LOCAL triage.tenant = 'two';
SET LOCAL triage.actor = 'ann';
ROLLBACK;
SELECT is(pg_temp.who(), 'default session', 'with ROLLBACK it is over, too [seed 87]');
BEGIN;
SELECT set_config('triage.tenant', 'two', true), set_config('triage.actor', 'bob', true) \gset
SELECT is(pg_temp.who(), 'two bob', 'set_config(..., true) says the same [seed 87]');
SELECT triage.assign_ticket(:ticket, 'ann') AS assigned, triage.add_comment(:ticket, 'we look into it', 'ann') AS comment, triage.resolve_ticket(:ticket) AS resolved \gset
SELECT count(*) AS listed FROM triage.list_tickets() \gset
SELECT count(*) AS found FROM triage.search_tickets('printer') \gset
SELECT is(:listed + :found, 2, '(and the tenant''s tickets are found)');
COMMIT;
SELECT is(pg_temp.who(), 'default session', 'and ends as SET LOCAL does [seed 87]');

-- What a pooler would have to clean up with DISCARD ALL.
SELECT is_empty('SELECT s.name, s.setting FROM pg_settings s JOIN settings b USING (name) WHERE s.setting IS DISTINCT FROM b.setting', 'the API leaves no setting behind [seed 87]');
SELECT is_empty('SELECT p.name FROM pg_prepared_statements p', 'no prepared statement [seed 87]');
SELECT is_empty('SELECT c.name FROM pg_cursors c WHERE c.is_holdable', 'no cursor [seed 87]');
SELECT is_empty('SELECT l.* FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.locktype = ''advisory''', 'no lock [seed 87]');
SELECT is_empty('SELECT pg_listening_channels()', 'and listens to nothing [seed 87]');
SELECT is_empty('SELECT c.relname FROM pg_class c WHERE c.relnamespace = pg_my_temp_schema() AND c.relkind IN (''r'', ''v'') AND c.relname !~ ''^(__t|settings$|pg_)''',
	'no temporary table [seed 87]');

-- Nor memory: what an answer that fails had read goes with the error.
CREATE FUNCTION pg_temp.kilobytes() RETURNS bigint
	LANGUAGE sql
AS $$ SELECT substring(pg_read_file('/proc/self/status', 0, 10000) FROM 'VmRSS:\s+([0-9]+)')::bigint $$;
CREATE FUNCTION pg_temp.answer_in_vain(times int) RETURNS int
	LANGUAGE plpgsql
AS $$
DECLARE
	failed int := 0;
	claim record;
BEGIN
	SELECT * INTO STRICT claim FROM triage.claim_jobs(1);
	FOR i IN 1 .. times LOOP
		BEGIN
			PERFORM triage.complete_job(claim.job_id, claim.fence, '{"category": "long_1", "urgency": "low", "sentiment_score": 3, "draft_reply": "in vain"}');
		EXCEPTION WHEN check_violation THEN
			failed := failed + 1;
		END;
	END LOOP;
	RETURN failed;
END
$$;
SELECT pg_read_file('/proc/self/maps', 0, 1000000) ~ 'libasan' AS keeps_what_is_freed \gset
BEGIN;
INSERT INTO triage.ticket_categories (category, description) SELECT 'long_' || i, repeat('x', 2000) FROM generate_series(1, 200) i;
ALTER TABLE triage.ticket_ai_results ADD CONSTRAINT ours CHECK (draft_reply <> 'in vain');
SELECT triage.create_ticket('printer', 'jams') IS NULL AS created \gset
SELECT pg_temp.kilobytes() AS before \gset
SELECT pg_temp.answer_in_vain(300) AS failed \gset
SELECT pg_temp.kilobytes() - :before AS grown \gset
ROLLBACK;
SELECT is(:failed, 300, '(three hundred answers fail)');
\if :keeps_what_is_freed
	SELECT skip('memory that is freed stays with the sanitizer', 1);
\else
	SELECT cmp_ok(:grown::bigint, '<', 30000::bigint, 'no memory of answers that failed');
\endif
SELECT finish();
