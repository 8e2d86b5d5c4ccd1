-- Rights: nothing is open to a role that was granted nothing, and rights on the tables that people write give no way into
-- those that have one writer.
\ir prepare.psql
SELECT no_plan();

CREATE ROLE regress_triage_stranger;			-- no grant at all
CREATE ROLE regress_triage_visitor;				-- may look into the schema
CREATE ROLE regress_triage_app;					-- writes tickets, comments and people
CREATE ROLE regress_triage_caller;				-- may call every function, and has no right on any table
GRANT USAGE ON SCHEMA triage TO regress_triage_visitor, regress_triage_app, regress_triage_caller;
GRANT SELECT ON ALL TABLES IN SCHEMA triage TO regress_triage_app;
GRANT INSERT, UPDATE ON triage.tickets, triage.people TO regress_triage_app;
GRANT INSERT ON triage.ticket_comments TO regress_triage_app;
GRANT EXECUTE ON FUNCTION triage.current_tenant() TO regress_triage_app;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA triage TO regress_triage_caller;

SELECT triage.create_ticket('printer', 'jams', 'carl', external_id => 'a') AS a \gset
SELECT triage.assign_ticket(:a, 'ann') AS version \gset
SELECT triage.create_ticket('x', 'x', external_id => 'b') AS b \gset
UPDATE triage.tickets SET tags = '{x}';
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply)
	VALUES ('default', :a, 1, 'billing', 'low', 1, 'x');
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome) VALUES ('default', 1, :a, 'triage', 1, 'succeeded');
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('default', -1, :b, 'triage', 'low', 1, 1, 'refused', 'x', now());

-- Every relation and every function, from the catalogs --------------------------------------------------------------------------

CREATE TABLE pg_temp.relation AS
	SELECT c.relname::text AS name, c.relkind,
			(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1) AS first_column
		FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S');
-- a call with NULL for each argument (from a sub-select: with a constant a strict function is not even called), or for a
-- trigger function a trigger
CREATE TABLE pg_temp.call AS
	SELECT p.oid::regprocedure::text AS name, p.prorettype = 'trigger'::regtype AS is_trigger,
			CASE WHEN p.prorettype = 'trigger'::regtype
				THEN format('CREATE TRIGGER mine BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION triage.%I()', p.proname)
				WHEN p.prokind = 'p' THEN format('CALL triage.%I(%s)', p.proname,
					(SELECT string_agg(format('NULL::%s', format_type(u.type, NULL)), ', ' ORDER BY u.o)
						FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u (type, o)))
				ELSE format('SELECT * FROM triage.%I(%s)', p.proname,
					(SELECT string_agg(format('(SELECT NULL::%s)', format_type(u.type, NULL)), ', ' ORDER BY u.o)
						FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u (type, o))) END AS command
		FROM pg_proc p WHERE p.pronamespace = 'triage'::regnamespace;
GRANT SELECT ON pg_temp.relation, pg_temp.call TO PUBLIC;
CREATE TEMP TABLE mine ();
ALTER TABLE mine OWNER TO regress_triage_visitor;

SELECT cmp_ok((SELECT count(*) FROM pg_temp.relation), '>=', 21::bigint, '(there are relations to try)');
SELECT cmp_ok((SELECT count(*) FROM pg_temp.call), '>=', 55::bigint, '(there are functions to try)');

CREATE FUNCTION pg_temp.ways_in(relation text, kind "char", first_column text) RETURNS TABLE (command text)
	LANGUAGE sql
AS $$
	SELECT format(c.command, relation, first_column)
		FROM (VALUES ('SELECT count(*) FROM triage.%I'), ('SELECT %2$I FROM triage.%1$I'), ('INSERT INTO triage.%I DEFAULT VALUES'),
			('UPDATE triage.%1$I SET %2$I = NULL'), ('DELETE FROM triage.%I'), ('TRUNCATE triage.%I CASCADE'),
			('SELECT FROM triage.%I FOR UPDATE'), ('LOCK TABLE triage.%I IN ACCESS SHARE MODE'), ('LOCK TABLE triage.%I IN ACCESS EXCLUSIVE MODE'),
			('CREATE TRIGGER mine BEFORE INSERT ON triage.%I FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()'),
			('ALTER TABLE triage.%I DISABLE TRIGGER ALL'), ('ALTER TABLE triage.%I DISABLE ROW LEVEL SECURITY'), ('DROP TABLE triage.%I CASCADE')) AS c (command)
		WHERE kind IN ('r', 'p')
	UNION ALL
	SELECT format('SELECT count(*) FROM triage.%I', relation) WHERE kind IN ('v', 'm')
	UNION ALL
	SELECT format(c.command, relation)
		FROM (VALUES ('SELECT * FROM triage.%I'), ('SELECT nextval(''triage.%I'')'), ('SELECT setval(''triage.%I'', 1)')) AS c (command)
		WHERE kind = 'S'
$$;

SET LOCAL ROLE regress_triage_visitor;
SELECT is(string_agg(format('%s: %s', w.command, o.outcome), E'\n') FILTER (WHERE o.outcome <> '42501'), NULL, r.name || ' is closed to who was granted nothing')
	FROM pg_temp.relation r, pg_temp.ways_in(r.name, r.relkind, r.first_column) w, LATERAL (SELECT pg_temp.outcome(w.command) AS outcome) o
	GROUP BY r.name ORDER BY r.name;
SELECT is(pg_temp.outcome(c.command), '42501', c.name || ' cannot be called without a grant') FROM pg_temp.call c ORDER BY c.name;
SELECT is(pg_temp.outcome('CREATE TABLE triage.mine ()'), '42501', 'nothing can be put into the schema');
SELECT is(pg_temp.outcome('DROP EXTENSION triage CASCADE'), '42501', 'the extension cannot be dropped');
SELECT is(pg_temp.outcome($$SET triage.allowed_origins = 'http://127.0.0.1:1'$$), '55P02', 'where texts may go cannot be set in a session');
SELECT is(pg_temp.outcome('SHOW triage.allowed_origins'), '42501', 'nor seen');
SELECT is(pg_temp.outcome('SHOW triage.secrets_directory'), '42501', 'nor where the keys lie');
SELECT is(pg_temp.outcome('SET triage.autostart = on'), '42501', 'nor can a worker be forbidden or allowed');
SET LOCAL ROLE regress_triage_stranger;
SELECT is(pg_temp.outcome(format('SELECT FROM triage.%I', r.name)), '42501', r.name || ' is out of reach without the schema')
	FROM pg_temp.relation r WHERE r.relkind = 'r' ORDER BY r.name;
SELECT is(pg_temp.outcome('SELECT triage.current_tenant()'), '42501', 'so are the functions');

-- Rights on tickets, comments and people ---------------------------------------------------------------------------------------

SET LOCAL ROLE regress_triage_app;
SELECT is(pg_temp.outcome($$INSERT INTO triage.people (id) VALUES ('eve')$$), 'ok', 'rights on tables and current_tenant() are enough for a person');
SELECT is(pg_temp.outcome($$INSERT INTO triage.tickets (external_id, description, requester_id) VALUES ('app', 'x', 'eve')$$), 'ok', 'for a ticket');
SELECT is(pg_temp.outcome($$UPDATE triage.tickets SET subject = 'changed', assignee_id = 'ann' WHERE external_id = 'app'$$), 'ok', 'for changing it');
SELECT is(pg_temp.outcome($$INSERT INTO triage.ticket_comments (ticket_id, content) SELECT pg_temp.ticket('app'), 'hello'$$), 'ok', 'and for a comment');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('app')), 1::bigint, 'the ticket has its job');
SELECT is((SELECT string_agg(h.field, ' ' ORDER BY h.field) FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('app')), 'assignee_id status subject', 'its history');
SELECT is((SELECT count(*) FROM triage.ticket_assignments a WHERE a.ticket_id = pg_temp.ticket('app')), 1::bigint, 'and its assignment');
SELECT is(pg_temp.outcome(format(c.command, t.name, t.change)), '42501', format(c.command, t.name, t.change))
	FROM (VALUES ('ticket_history', 'changed_by = ''me'''), ('ticket_assignments', 'assigned_by = ''me'''), ('ai_jobs', 'priority = ''urgent'''),
			('ai_dead_letters', 'message = ''me'''), ('ai_runs', 'cost = 0'), ('ticket_ai_results', 'urgency = ''urgent'''),
			('prompts', 'is_active = false'), ('providers', 'base_url = ''http://127.0.0.1/'''), ('worker_control', 'stopped_at = now()'), ('home', 'database_oid = 1'),
			('schema_version', 'version = 99'), ('retention', 'keep = ''1 day'''), ('tenants', 'name = ''me'''), ('ticket_categories', 'is_active = false')) AS t (name, change),
		(VALUES ('UPDATE triage.%s SET %s'), ('DELETE FROM triage.%s'), ('INSERT INTO triage.%s DEFAULT VALUES'), ('TRUNCATE triage.%s CASCADE')) AS c (command)
	ORDER BY t.name, c.command;
SELECT is(pg_temp.outcome('TRUNCATE triage.tickets CASCADE'), '42501', 'no TRUNCATE of tickets');
SELECT is(pg_temp.outcome('DELETE FROM triage.tickets'), '42501', 'no DELETE without the right');
SELECT is(pg_temp.outcome('INSERT INTO triage.tickets (id, description) OVERRIDING SYSTEM VALUE SELECT id, ''x'' FROM triage.tickets'), '23505 tickets_pkey',
	'a ticket''s id can be given but not taken over');
SELECT is(pg_temp.outcome(c.command), '42501', c.command)
	FROM (VALUES ('SELECT triage.run_pending(1)'), ('SELECT triage.claim_jobs()'), ('SELECT triage.complete_job(1, 1, ''{}'')'),
		('SELECT triage.fail_job(1, 1, ''transient'', ''x'')'), ('SELECT triage.reap_jobs()'), ('SELECT triage.worker_start()'),
		('SELECT triage.worker_stop()'), ('SELECT triage.pause()'), ('SELECT triage.resume()'), ('SELECT triage.reprioritise(1, ''low'')'), ('SELECT triage.apply_retention()'),
		('SELECT triage.worker_counters()'), ('SELECT triage.install()'),
		('SELECT triage.adopt()'), ('SELECT triage.home_refusal()'), ('SELECT triage.write_home()'), ('SELECT triage.in_extension_script()'), ('SELECT triage.waiting_databases()'),
		('SELECT triage.uninstall(''delete all tickets'')'), ('SELECT triage.set_provider(''p'', ''builtin'')'),
		('SELECT triage.drop_provider(''builtin'')'), ('SELECT triage.pause_provider(''builtin'')'),
		('SELECT triage.resume_provider(''builtin'')'), ('SELECT triage.provider_gates(''x'', ''x'', ''x'')'),
		('SELECT triage.open_gate(''x'', ''x'', ''x'')'), ('SELECT triage.create_tenant(''x'')'), ('SELECT triage.cancel_job(1)'),
		('SELECT triage.retry_failed()'), ('SELECT triage.request_triage(1)'), ('SELECT triage.load_default_vocabulary(''default'')')) AS c (command);

-- EXECUTE alone: what runs as the caller needs the caller's rights -----------------------------------------------------------------

SET LOCAL ROLE regress_triage_caller;
SELECT is(pg_temp.outcome(c.command), '42501', c.command || ' needs rights on the tables')
	FROM (VALUES ('SELECT triage.set_provider(''p'', ''builtin'')'), ('SELECT triage.drop_provider(''builtin'')'),
		('SELECT triage.pause_provider(''builtin'')'), ('SELECT triage.resume_provider(''builtin'')'),
		('SELECT triage.uninstall(''delete all tickets'')'), ('SELECT triage.create_ticket(''x'', ''x'')'),
		('SELECT triage.update_ticket(1, ''{"subject": "x"}'')'), ('SELECT triage.assign_ticket(1, ''ann'')'),
		('SELECT triage.unassign_ticket(1)'), ('SELECT triage.resolve_ticket(1)'), ('SELECT triage.close_ticket(1)'),
		('SELECT triage.reopen_ticket(1)'), ('SELECT triage.delete_ticket(1)'), ('SELECT triage.add_comment(1, ''x'')'),
		('SELECT FROM triage.list_tickets()'), ('SELECT triage.wait_for_triage(1, ''0'')'), ('SELECT triage.load_default_vocabulary(''default'')')) AS c (command);
SELECT is(pg_temp.outcome('SELECT triage.install()'), '55000', 'install() is for the tables'' owner');
SELECT is(pg_temp.outcome('SELECT FROM triage.search_tickets(''printer'')'), 'ok', 'search_tickets() runs as the owner');
SELECT is(pg_temp.outcome('SELECT triage.check_schema()'), 'ok', 'so does check_schema()');
-- no function that runs as the owner can be made to run the caller's code
SET LOCAL search_path = pg_temp, public, pg_catalog;
CREATE FUNCTION pg_temp.websearch_to_tsquery(regconfig, text) RETURNS tsquery LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran the caller''s'; END $$;
CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'ran the caller''s'; END $$;
SELECT is(pg_temp.outcome('SELECT FROM triage.search_tickets(''printer'')'), 'ok', 'a function of the caller''s own is not called in its place');
SELECT is(pg_temp.outcome('SELECT triage.retry_failed()'), 'ok', 'nor here');
RESET search_path;
RESET ROLE;
-- a schema that was there before the extension, its owner waiting for it
CREATE ROLE regress_triage_landlord;
SAVEPOINT landlord;
GRANT CREATE ON DATABASE :"DBNAME" TO regress_triage_landlord;
ALTER SCHEMA triage OWNER TO regress_triage_landlord;
SELECT is(pg_temp.outcome('SELECT triage.install()'), '55000', 'install() makes no tables in somebody else''s schema');
ALTER ROLE regress_triage_landlord SUPERUSER;
SELECT is(pg_temp.outcome('SELECT triage.install()'), 'ok', 'another superuser''s will do: he needs no trap');
ROLLBACK TO landlord;
SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'triage'::regnamespace AND p.prosecdef AND p.proname NOT IN (
		'check_schema', 'tickets_after_insert', 'tickets_after_update', 'ticket_comments_before', 'ticket_comments_after',
		'edit_comment', 'redact_comment', 'attach_to_comment', 'ticket_comments_edited', 'ticket_comments_changed', 'tickets_tagged', 'post_message',
		'search_tickets', 'create_tenant', 'request_triage', 'cancel_job', 'retry_failed', 'pause', 'resume', 'reprioritise',
		'purge_deleted', 'erase_person',
		'apply_retention', 'set_budget', 'drop_budget', 'write_off',
		'chat_messages_before', 'chat_messages_after', 'chat_sessions_over', 'chat_tickets_before', 'chat_tickets_deleted', 'tickets_chat', 'search_messages',
		'read_chat_reply', 'lock_chat_reply', 'store_chat_reply', 'give_up_chat_reply',
		'claim_jobs', 'complete_job', 'fail_job', 'reap_jobs', 'worker_start', 'worker_stop', 'worker_counters', 'adopt', 'home_refusal',
		'accept_draft', 'edit_draft', 'reject_draft', 'correct_result', 'ai_feedback_event', 'chat_sessions_event', 'chat_messages_event', 'ticket_escalations_event',
		'add_consumer', 'drop_consumer', 'read_events', 'confirm_events', 'pending_events',
		'end_session', 'check_closed_by_client', 'escalate_session', 'escalate_ticket', 'escalate_for', 'escalate_unanswered', 'take_over_session', 'hand_back_to_ai', 'follow_chat_reply',
		'request_summary', 'request_session_summary', 'read_summarize', 'lock_summarize', 'store_summarize',
		'count_issues', 'forget_issues', 'fold_trends', 'rebuild_trends', 'issue_candidates',
		'extract_issues', 'extract_all', 'estimate_extraction', 'read_extract_issues', 'lock_extract_issues', 'store_extract_issues', 'ticket_comments_extract',
		'assign_issue', 'unassign_issue', 'split_cluster', 'merge_clusters', 'unmerge_cluster', 'rename_cluster', 'set_pm_status', 'archive_cluster', 'unarchive_cluster', 'suggest_merges', 'delete_cluster', 'place_unclustered', 'issue_clusters_after', 'issue_clusters_deleted',
		'issue_candidates',
		'read_match_issues', 'lock_match_issues', 'store_match_issues', 'give_up_match_issues', 'read_name_cluster', 'lock_name_cluster', 'store_name_cluster',
		'claim_sync', 'next_sync', 'store_sync_tickets', 'store_sync_comments', 'fail_sync', 'revive_sync', 'take_over_sync', 'sync_now', 'pause_source', 'resume_source',
		'health', 'doctor', 'hold_reason', 'prompt_sha256')$$,
	'these functions run as the owner, and no others');

-- Nothing of this changed anything ---------------------------------------------------------------------------------------------

SELECT is((SELECT count(*) FROM triage.tickets), 3::bigint, 'the tickets are there');
SELECT is((SELECT count(*) FROM triage.worker_control WHERE stopped_at IS NULL), 1::bigint, 'no worker was stopped');
SELECT is((SELECT string_agg(p.name, ' ') FROM triage.providers p), 'builtin', 'the providers are those that were');

SELECT finish();
ROLLBACK;
