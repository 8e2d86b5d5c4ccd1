-- doctor(): each finding that one transaction can provoke, with its remedy tried where that is possible here.  Those that
-- need other sessions, a restart or committed rows are in test/e2e/t/151_doctor.pl.
\ir prepare.psql
SELECT no_plan();

-- The findings but those of this server's settings and owner.
CREATE FUNCTION pg_temp.findings() RETURNS SETOF text LANGUAGE sql AS
	$$ SELECT d.finding || ': ' || d.detail FROM triage.doctor() d WHERE d.finding NOT IN ('not preloaded', 'superuser owner') $$;
CREATE FUNCTION pg_temp.found(finding text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT count(*) FROM triage.doctor() d WHERE d.finding = found.finding $$;
-- Runs what doctor() proposes; what no transaction may do is done in the way that it may.
CREATE FUNCTION pg_temp.mend() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	proposal record;
BEGIN
	FOR proposal IN SELECT * FROM triage.doctor() d WHERE d.finding NOT IN ('not preloaded', 'superuser owner') LOOP
		EXECUTE replace(proposal.fix_sql, ' CONCURRENTLY', '');
	END LOOP;
END
$$;

SELECT is_empty('SELECT pg_temp.findings()', 'nothing is wrong with a fresh installation');
SELECT is(pg_temp.found('not preloaded'), 1::bigint, 'but that the library is not preloaded');
SELECT is(pg_temp.found('superuser owner'), 1::bigint, 'and that a superuser owns it');
SAVEPOINT a;

-- What install() makes, as doctor() reads it, and as it is ------------------------------------------------------------------------

CREATE VIEW pg_temp.present AS
	SELECT 'constraint' AS kind, c.relname::text AS relation, k.conname::text AS name
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
		WHERE c.relnamespace = 'triage'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c')
	UNION ALL
	SELECT 'index', c.relname, i.indexrelid::regclass::name
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		WHERE c.relnamespace = 'triage'::regnamespace AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
	UNION ALL
	SELECT 'trigger', c.relname, t.tgname
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'triage'::regnamespace AND NOT t.tgisinternal
	UNION ALL
	SELECT CASE c.relkind WHEN 'v' THEN 'view' ELSE 'table' END, c.relname, c.relname
		FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v');
SET LOCAL search_path = triage, pg_catalog, public, pg_temp;		-- so that regclass prints bare names
SELECT set_eq('SELECT kind, relation, name FROM triage.expected_objects()', 'SELECT kind, relation, name FROM pg_temp.present',
	'doctor() knows every table, view, constraint, index and trigger');
RESET search_path;

-- Every one of them is missed when it is gone, and comes back as it was -----------------------------------------------------------

CREATE VIEW pg_temp.definitions AS
	SELECT k.conname::text AS name, pg_get_constraintdef(k.oid) AS definition
		FROM pg_constraint k WHERE k.connamespace = 'triage'::regnamespace AND k.contype IN ('p', 'u', 'f', 'c')
	UNION ALL
	SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'triage'::regnamespace
	UNION ALL
	SELECT t.tgname, pg_get_triggerdef(t.oid)
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE c.relnamespace = 'triage'::regnamespace AND NOT t.tgisinternal;
CREATE TABLE pg_temp.before AS SELECT * FROM pg_temp.definitions;
CREATE FUNCTION pg_temp.drop_all(wanted text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	o record;
	n bigint := 0;
BEGIN
	FOR o IN SELECT * FROM triage.expected_objects() e WHERE e.kind = wanted LOOP
		IF wanted = 'constraint' THEN
			-- a key takes what refers to it along
			EXECUTE format('ALTER TABLE triage.%I DROP CONSTRAINT IF EXISTS %I CASCADE', o.relation, o.name);
		ELSIF wanted = 'index' THEN
			EXECUTE format('DROP INDEX triage.%I', o.name);
		ELSE
			EXECUTE format('DROP TRIGGER %I ON triage.%I', o.name, o.relation);
		END IF;
		n := n + 1;
	END LOOP;
	RETURN n;
END
$$;
SELECT is(pg_temp.drop_all(k.kind), pg_temp.found('missing ' || k.kind), 'every ' || k.kind || ' that is gone is found')
	FROM (VALUES ('trigger'), ('index'), ('constraint')) AS k (kind);
SELECT pg_temp.mend();
SELECT is_empty('SELECT pg_temp.findings()', 'and then nothing is wrong any more');
SELECT set_eq('SELECT * FROM pg_temp.definitions', 'SELECT * FROM pg_temp.before', 'all are as they were');
ROLLBACK TO a;

DROP VIEW triage.inbox;
SELECT results_eq('SELECT pg_temp.findings()', $$VALUES ('missing view: view inbox of inbox is not there')$$, 'a view that is gone');
SELECT pg_temp.mend();
SELECT is_empty('SELECT pg_temp.findings()', 'comes back');
DROP TABLE triage.ticket_ai_results CASCADE;
SELECT is(pg_temp.found('missing table'), 1::bigint, 'a table that is gone');
ROLLBACK TO a;
UPDATE triage.schema_version SET version = 99;
SELECT results_eq('SELECT finding, fix_sql FROM triage.doctor()', $$VALUES ('tables', 'SELECT triage.install();')$$, 'tables of another version: nothing else is said');
ROLLBACK TO a;

-- One by one: what is done, the finding, whether its remedy can be tried here ------------------------------------------------------

CREATE FUNCTION pg_temp.provoke(what text, harm text, finding text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE harm;
	RETURN NEXT is((SELECT string_agg(DISTINCT d.finding, ', ') FROM triage.doctor() d WHERE d.finding NOT IN ('not preloaded', 'superuser owner')),
		finding, what || ' is found');
	PERFORM pg_temp.mend();
	RETURN NEXT is((SELECT string_agg(f, ', ') FROM pg_temp.findings() f), NULL, what || ' can be mended');
END
$$;
SELECT pg_temp.provoke(p.what, p.harm, p.finding)
	FROM (VALUES
		('an index that a failed CREATE INDEX CONCURRENTLY left', 'UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''triage.tickets_inbox''::regclass', 'invalid index'),
		('a constraint that was added NOT VALID', 'ALTER TABLE triage.tickets ADD CONSTRAINT tickets_mine CHECK (version > 0) NOT VALID', 'constraint not validated'),
		('a trigger that is off', 'ALTER TABLE triage.tickets DISABLE TRIGGER tickets_after_insert', 'disabled trigger'),
		('a trigger for replicas only', 'ALTER TABLE triage.ticket_history ENABLE REPLICA TRIGGER ticket_history_append_only', 'disabled trigger'),
		('foreign keys that are off', 'ALTER TABLE triage.ticket_comments DISABLE TRIGGER ALL', 'disabled trigger'),
		('row security that is off', 'ALTER TABLE triage.tickets DISABLE ROW LEVEL SECURITY', 'no row security'),
		('a policy that is gone', 'DROP POLICY tenant ON triage.ai_runs', 'no row security'),
		('autovacuum that leaves the queue alone', 'ALTER TABLE triage.ai_jobs SET (autovacuum_enabled = off)', 'autovacuum off'),
		('a queue without its settings', 'ALTER TABLE triage.ai_jobs RESET (fillfactor, vacuum_truncate)', 'queue settings'),
		('work that was paused', 'SELECT triage.pause()', 'paused'),
		('a copy that nobody adopted', 'UPDATE triage.home SET database_oid = 1', 'not at home'),
		('a provider that was paused', 'SELECT triage.pause_provider(''builtin'')', 'provider paused'),
		('a worker that was stopped', 'SELECT triage.worker_stop()', 'worker stopped'),
		('no enabled provider', 'UPDATE triage.providers SET enabled = false', 'no provider'),
		('a tenant without prompt', 'UPDATE triage.prompts SET is_active = false', 'no prompt'),
		('a tenant without a prompt for what its customers wait for',
			'SELECT triage.post_message(triage.start_session(), ''x''); UPDATE triage.prompts SET is_active = false WHERE kind = ''chat_reply''', 'no prompt'),
		('a tenant that never had a prompt for summaries',
			'SELECT triage.request_session_summary(triage.start_session()); SET LOCAL session_replication_role = replica; DELETE FROM triage.prompts WHERE kind = ''summarize''; SET LOCAL session_replication_role = origin', 'no prompt'),
		('a tenant without category', 'UPDATE triage.ticket_categories SET is_active = false', 'no category'),
		('a tenant with nothing', 'INSERT INTO triage.tenants (id) VALUES (''O''''Neill''); INSERT INTO triage.prompts (tenant_id, kind, version, system_text) VALUES (''O''''Neill'', ''triage'', 1, ''x'')',
			'no category')
		) AS p (what, harm, finding);
SELECT current_setting('server_version_num')::int >= 180000 AS knows_not_enforced \gset
\if :knows_not_enforced
SELECT pg_temp.provoke('a foreign key that is not enforced', 'ALTER TABLE triage.ticket_comments ALTER CONSTRAINT ticket_comments_ticket_fkey NOT ENFORCED', 'constraint not validated');
\endif
ROLLBACK TO a;

UPDATE triage.prompts SET is_active = false WHERE kind <> 'triage';
SELECT is(pg_temp.found('no prompt'), 0::bigint, 'a tenant without conversations needs no prompt for them');
ROLLBACK TO a;

-- Money ----------------------------------------------------------------------------------------------------------------------------

SELECT triage.set_provider('acme', 'openai', 'https://api.example.com/v1', 'it''s');
SELECT is((SELECT fix_sql FROM triage.doctor() WHERE finding = 'no price'),
	'SELECT triage.set_price(''it''''s'', input => ..., output => ..., currency => ...); -- per million tokens', 'a model without a price');
SELECT triage.set_price('it*', 1, 2, 'EUR');
SELECT is(pg_temp.found('no price'), 0::bigint, 'until it has one');
SELECT is(pg_temp.found('not under budget'), 0::bigint, 'without a budget no answer needs a limit');
SELECT triage.set_budget('day', 10, 'EUR');
SELECT is(pg_temp.found('not under budget'), 1::bigint, 'with one it does');
SELECT triage.set_output_limit('acme', 2000);
SELECT is(pg_temp.found('not under budget'), 0::bigint, 'until it has one');
ROLLBACK TO a;

-- Findings whose remedy lies elsewhere -----------------------------------------------------------------------------------------------

SELECT triage.set_provider('acme', 'openai', 'https://api.example.com/v1', 'm', secret => 'acme');
SELECT set_eq('SELECT finding, detail FROM triage.doctor() WHERE detail LIKE ''provider acme%''',
	$$VALUES ('origin refused', 'provider acme: the list of allowed origins is empty'), ('key file', 'provider acme: triage.secrets_directory is not set')$$,
	'a provider whose origin is not listed and whose key is not there');
SELECT is((SELECT fix_sql FROM triage.doctor() WHERE finding = 'origin refused'),
	'ALTER SYSTEM SET triage.allowed_origins = ''https://api.example.com''; SELECT pg_reload_conf();', 'the origin is cut out of the URL, and is the whole of a list that was empty');
UPDATE triage.providers SET base_url = 'https://api.example.com:99999/v1' WHERE name = 'acme';
SELECT is((SELECT fix_sql FROM triage.doctor() WHERE finding = 'origin refused'),
	'UPDATE triage.providers SET base_url = ... WHERE name = ''acme''; -- it can be called nowhere', 'no list helps a URL without an origin');
UPDATE triage.providers SET enabled = false WHERE name = 'acme';
SELECT is_empty('SELECT pg_temp.findings()', 'a provider that is not enabled is left alone');
ROLLBACK TO a;
SELECT triage.create_ticket('x', 'x') > 0;
SELECT count(*) FROM triage.claim_jobs(1, lease => '59 seconds', provider => 'builtin');
SELECT is(pg_temp.found('lease too short'), 1::bigint, 'a lease shorter than its provider''s timeout');
UPDATE triage.ai_jobs SET lease_until = claimed_at + interval '60 seconds';
SELECT is(pg_temp.found('lease too short'), 0::bigint, 'one of the same length is not');
ROLLBACK TO a;
SET LOCAL track_counts = off;
SELECT is(pg_temp.found('autovacuum off'), 1::bigint, 'nothing counts dead rows');
ROLLBACK TO a;

-- Who may ask -------------------------------------------------------------------------------------------------------------------------

CREATE ROLE regress_triage_doctor;
GRANT USAGE ON SCHEMA triage TO regress_triage_doctor;
GRANT EXECUTE ON FUNCTION triage.doctor(interval) TO regress_triage_doctor;
UPDATE triage.providers SET enabled = false;
SET LOCAL ROLE regress_triage_doctor;
SELECT is(pg_temp.found('no provider'), 1::bigint, 'the right to call it is enough');
SELECT is(pg_temp.outcome('SELECT triage.secret_refusal(''x'')'), '42501', 'but not to ask for the names of files');
SELECT is(pg_temp.outcome('SELECT triage.exposed_origins()'), '42501', 'or for origins');
RESET ROLE;

SELECT finish();
ROLLBACK;
