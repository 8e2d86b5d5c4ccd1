-- Retention: everything is kept for ever until the owner says otherwise, and then only what is over goes, by batches.
\set ECHO none
\set tenant retention
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

SELECT * FROM triage.retention ORDER BY target;
SELECT * FROM triage.apply_retention();

-- years of everything; of this tenant's only
DELETE FROM triage.ticket_ai_results WHERE superseded_at IS NOT NULL;
SELECT count(triage.create_ticket('ticket ' || i, 'text', external_id => 't' || i)) FROM generate_series(1, 6) AS i;
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, cost, finished_at)
	SELECT 'retention', i, i, 'triage', 1, 'succeeded', 0.01, now() - i * interval '100 days' FROM generate_series(0, 9) AS i;
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at, failed_at)
	SELECT 'retention', -i, pg_temp.ticket('t' || i), 'triage', 'low', 1, 1, 'refused', 'x', now(), now() - i * interval '100 days'
		FROM generate_series(1, 4) AS i;
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply, processed_at,
		superseded_at)
	SELECT 'retention', pg_temp.ticket('t1'), 1, 'billing', 'low', 1, 'answer ' || i, now() - i * interval '100 days',
			CASE WHEN i > 0 THEN now() - (i - 1) * interval '100 days' END
		FROM generate_series(0, 5) AS i;
SELECT triage.add_comment(pg_temp.ticket('t5'), 'hello', author_role => 'customer') > 0, triage.delete_ticket(pg_temp.ticket('t5')) > 0, triage.delete_ticket(pg_temp.ticket('t6')) > 0;
UPDATE triage.tickets SET deleted_at = now() - interval '200 days' WHERE tenant_id = 'retention' AND external_id = 't5';
CREATE VIEW pg_temp.kept AS
	SELECT (SELECT count(*) FROM triage.ai_runs r WHERE r.tenant_id = 'retention') AS runs,
		(SELECT count(*) FROM triage.ai_dead_letters d WHERE d.tenant_id = 'retention') AS dead_letters,
		(SELECT string_agg(r.draft_reply, ', ' ORDER BY r.id) FROM triage.ticket_ai_results r WHERE r.tenant_id = 'retention') AS results,
		(SELECT string_agg(t.external_id, ' ' ORDER BY t.id) FROM triage.tickets t WHERE t.tenant_id = 'retention') AS tickets,
		(SELECT count(*) FROM triage.ticket_history h WHERE h.tenant_id = 'retention') AS history,
		(SELECT count(*) FROM triage.ticket_comments c WHERE c.tenant_id = 'retention') AS comments;
SELECT * FROM pg_temp.kept;
SELECT * FROM triage.apply_retention();
SELECT * FROM pg_temp.kept;

-- one target at a time, in batches
UPDATE triage.retention SET keep = '250 days' WHERE target = 'ai_runs';
SELECT * FROM triage.apply_retention(3);
SELECT * FROM triage.apply_retention(3);
SELECT * FROM triage.apply_retention(3);
SELECT * FROM pg_temp.kept;
UPDATE triage.retention SET keep = '250 days' WHERE target IN ('ai_dead_letters', 'superseded_results');
SELECT * FROM triage.apply_retention();
SELECT * FROM pg_temp.kept;
-- a ticket that was deleted goes with all that is its own; what was not deleted stays, however old
UPDATE triage.retention SET keep = '100 days' WHERE target = 'deleted_tickets';
SELECT * FROM triage.apply_retention();
SELECT * FROM pg_temp.kept;
-- summaries that others replaced; and conversations, when they are archived and their ticket is finished
INSERT INTO triage.chat_sessions (tenant_id, metadata) SELECT 'retention', jsonb_build_object('n', i) FROM generate_series(1, 5) AS i;
INSERT INTO triage.chat_messages (tenant_id, session_id, content) SELECT 'retention', s.id, 'said' FROM triage.chat_sessions s WHERE s.metadata ? 'n';
SELECT count(triage.link_session(s.id, pg_temp.ticket('t' || (s.metadata ->> 'n')), 'origin')) FROM triage.chat_sessions s WHERE s.metadata ->> 'n' IN ('1', '2');
SELECT triage.resolve_ticket(pg_temp.ticket('t2')) > 0;
INSERT INTO triage.conversation_summaries (tenant_id, session_id, summary, superseded_at)
	SELECT 'retention', s.id, 'summary ' || i, CASE WHEN i > 0 THEN now() - i * interval '200 days' END
		FROM triage.chat_sessions s, generate_series(0, 2) AS i WHERE s.metadata ->> 'n' IN ('3', '4');
SET session_replication_role = replica;
-- 1 to 4 are archived for long, 1 with an open ticket; 5 is resolved for as long
UPDATE triage.chat_sessions SET status = CASE WHEN metadata ->> 'n' = '5' THEN 'resolved' ELSE 'archived' END::triage.session_status,
		ended_at = now() - interval '2 years', updated_at = now() - CASE WHEN metadata ->> 'n' = '4' THEN interval '20 days' ELSE interval '2 years' END
	WHERE tenant_id = 'retention';
RESET session_replication_role;
CREATE VIEW pg_temp.talks AS
	SELECT (SELECT string_agg(s.metadata ->> 'n', ' ' ORDER BY s.id) FROM triage.chat_sessions s WHERE s.tenant_id = 'retention') AS sessions,
		(SELECT count(*) FROM triage.chat_messages m WHERE m.tenant_id = 'retention') AS messages,
		(SELECT string_agg(c.summary, ', ' ORDER BY c.id) FROM triage.conversation_summaries c WHERE c.tenant_id = 'retention') AS summaries;
SELECT * FROM triage.apply_retention(1) WHERE target = 'superseded_results';
SELECT * FROM triage.apply_retention(10) WHERE target = 'superseded_results';
SELECT * FROM pg_temp.talks;
UPDATE triage.retention SET keep = '1 year' WHERE target = 'archived_sessions';
SELECT * FROM triage.apply_retention(1) WHERE target = 'archived_sessions';
SELECT * FROM pg_temp.talks;
SELECT * FROM triage.apply_retention() WHERE target = 'archived_sessions';
SELECT * FROM pg_temp.talks;
-- the ledger's younger rows are as safe as before
SELECT * FROM pg_temp.outcome('DELETE FROM triage.ai_runs WHERE tenant_id = ''retention''');
SELECT * FROM pg_temp.outcome('UPDATE triage.ai_runs SET cost = 0 WHERE tenant_id = ''retention''');
SELECT * FROM pg_temp.kept;

-- what it does not take
SELECT * FROM pg_temp.outcome('SELECT triage.apply_retention(0)');
SELECT * FROM pg_temp.outcome('SELECT triage.apply_retention(NULL)');
SELECT * FROM pg_temp.outcome($$UPDATE triage.retention SET keep = '90'$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.retention VALUES ('tickets', '1 year')$$);

-- who may delete runs, and whose time is not over: only the owner, and only what retention gives free
CREATE ROLE regress_triage_purger;
GRANT USAGE ON SCHEMA triage TO regress_triage_purger;
GRANT SELECT, DELETE ON triage.ai_runs, triage.retention TO regress_triage_purger;
GRANT EXECUTE ON FUNCTION triage.current_tenant() TO regress_triage_purger;
UPDATE triage.retention SET keep = '1 day' WHERE target = 'ai_runs';
SET ROLE regress_triage_purger;
SELECT * FROM pg_temp.outcome('DELETE FROM triage.ai_runs');
RESET ROLE;
UPDATE triage.retention SET keep = NULL;
SELECT * FROM pg_temp.outcome('DELETE FROM triage.ai_runs WHERE tenant_id = ''retention'' AND finished_at < now() - interval ''150 days''');
DROP OWNED BY regress_triage_purger;
DROP ROLE regress_triage_purger;
-- install() leaves the owner's choice alone
UPDATE triage.retention SET keep = '2 years' WHERE target = 'ai_runs';
SELECT triage.install();
SELECT * FROM triage.retention ORDER BY target;
UPDATE triage.retention SET keep = NULL;
