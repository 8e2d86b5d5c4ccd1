-- Tenants do not meet: row security for an application's role, written-out predicates for the owner.
\set ECHO none
\set tenant tenancy
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

SELECT triage.create_tenant('tenancy 2');
CREATE ROLE regress_triage_app;
GRANT USAGE ON SCHEMA triage TO regress_triage_app;
GRANT SELECT, INSERT, UPDATE ON triage.tickets, triage.ticket_comments, triage.people TO regress_triage_app;
GRANT SELECT ON triage.ticket_categories, triage.ticket_history, triage.ticket_assignments, triage.ticket_ai_results, triage.conversation_summaries, triage.ticket_escalations, triage.ai_feedback,
	triage.ai_jobs, triage.ai_dead_letters, triage.ai_runs, triage.tenants, triage.schema_version, triage.inbox,
	triage.dashboard, triage.ai_state, triage.queue_stats, triage.ai_failures TO regress_triage_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA triage TO regress_triage_app;

SET ROLE regress_triage_app;
SELECT triage.create_ticket('first', 'tenant one', 'c1', external_id => 'a') AS one \gset
SET triage.tenant = 'tenancy 2';
-- the same ids and external ids in both
SELECT triage.create_ticket('second', 'tenant two', 'c1', external_id => 'a') AS two \gset
SELECT :one <> :two AS two_tickets;
SELECT triage.add_comment(:two, 'hello', 'c1') > 0 AS added;

-- neither sees the other's
SELECT t.subject FROM triage.tickets t;
SELECT i.subject FROM triage.inbox i;
SELECT d.content FROM triage.dashboard d;
SELECT l.subject FROM triage.list_tickets() l;
SELECT s.subject FROM triage.search_tickets('tenant') s;
SELECT t.id FROM triage.tenants t;
SELECT q.tenant_id, q.pending FROM triage.queue_stats q;
SELECT count(*) AS categories FROM triage.ticket_categories c;
SET triage.tenant = 'tenancy';
SELECT t.subject FROM triage.tickets t;
SELECT s.subject FROM triage.search_tickets('tenant') s;
SELECT count(*) AS comments FROM triage.ticket_comments c;

-- nor reaches them
SELECT * FROM pg_temp.outcome(format('SELECT triage.update_ticket(%s, ''{"subject": "mine"}'')', :two));
SELECT * FROM pg_temp.outcome(format('SELECT triage.add_comment(%s, ''mine'')', :two));
SELECT * FROM pg_temp.outcome(format('SELECT triage.request_triage(%s)', :two));
UPDATE triage.tickets SET subject = 'mine' WHERE id = :two RETURNING subject;
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.tickets (tenant_id, description) VALUES ('tenancy 2', 'x')$$);
SELECT * FROM pg_temp.outcome(format('UPDATE triage.tickets SET tenant_id = ''tenancy 2'' WHERE id = %s', :one));
SELECT * FROM pg_temp.outcome(format('INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (%s, ''x'')', :two));
-- a category of the other tenant's is not there either
RESET ROLE;
INSERT INTO triage.ticket_categories (tenant_id, category) VALUES ('tenancy 2', 'gardening');
SET ROLE regress_triage_app;
SELECT * FROM pg_temp.outcome(format('SELECT triage.update_ticket(%s, ''{"category": "gardening"}'')', :one));

-- what has one writer cannot be written by hand
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.ticket_history (tenant_id, ticket_id, field, changed_by, session_role) VALUES ('tenancy', 1, 'x', 'x', 'x')$$);
SELECT * FROM pg_temp.outcome($$DELETE FROM triage.ai_jobs$$);
SELECT * FROM pg_temp.outcome($$UPDATE triage.ai_runs SET cost = 0$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.set_provider('p', 'builtin')$$);

-- who may write comments need not be allowed to change tickets: what a comment does to its ticket is the trigger's
RESET ROLE;
REVOKE UPDATE ON triage.tickets FROM regress_triage_app;
SELECT triage.update_ticket(:one, '{"status": "pending"}');
SET ROLE regress_triage_app;
SELECT triage.add_comment(:one, 'an answer', 'c1') > 0 AS added;
SELECT t.status FROM triage.tickets t;
SELECT * FROM pg_temp.outcome(format('SELECT triage.resolve_ticket(%s)', :one));

-- the owner is not bound by row security, but its calls reach its tenant only
RESET ROLE;
SELECT * FROM pg_temp.outcome(format('SELECT triage.resolve_ticket(%s)', :two));
SELECT * FROM pg_temp.outcome(format('SELECT triage.add_comment(%s, ''x'')', :two));
SELECT l.subject FROM triage.list_tickets() l;
SELECT s.subject FROM triage.search_tickets('tenant') s;
-- not even a reference leads across, whatever row security says
SELECT * FROM pg_temp.outcome(format('INSERT INTO triage.ticket_comments (tenant_id, ticket_id, content) VALUES (''tenancy'', %s, ''x'')', :two));

-- each tenant table has its policy, and tenant_id in each key
SELECT c.oid::regclass AS table_without_policy
	FROM pg_class c
	WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind = 'r'
		AND (c.relname = 'tenants' OR EXISTS (
			SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped))
		AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant'));
SELECT i.indexrelid::regclass AS unique_index_across_tenants
	FROM pg_index i
	JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'tenant_id'
	JOIN pg_class c ON c.oid = i.indrelid
	WHERE c.relnamespace = 'triage'::regnamespace AND i.indisunique AND NOT a.attnum = ANY (i.indkey::int2[]);
SELECT o.conrelid::regclass AS "table", o.conname AS reference_across_tenants
	FROM pg_constraint o
	JOIN pg_attribute a ON a.attrelid = o.conrelid AND a.attname = 'tenant_id'
	JOIN pg_class c ON c.oid = o.conrelid
	WHERE c.relnamespace = 'triage'::regnamespace AND o.contype = 'f' AND NOT a.attnum = ANY (o.conkey);

DROP OWNED BY regress_triage_app;
DROP ROLE regress_triage_app;
