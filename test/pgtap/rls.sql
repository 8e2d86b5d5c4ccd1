-- Row security: a role of the application's sees and writes its tenant's rows, and reaches no other tenant's by any door.
\ir prepare.psql
SELECT plan(194);

CREATE ROLE regress_triage_app;
GRANT USAGE ON SCHEMA triage TO regress_triage_app;
-- more than an application gets: what holds here holds for less
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA triage TO regress_triage_app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA triage TO regress_triage_app;

-- Two tenants with rows in every table --------------------------------------------------------------------------------------

SELECT triage.create_tenant('one'), triage.create_tenant('two');
CREATE ROLE regress_triage_other;
SELECT triage.allow_tenant('regress_triage_other', 'one'), triage.allow_tenant('regress_triage_other', 'two');
INSERT INTO triage.people (tenant_id, id, role) VALUES ('two', 'olga', 'agent');
INSERT INTO triage.ticket_categories (tenant_id, category) VALUES ('two', 'gardening');
CREATE FUNCTION pg_temp.fill(tenant text) RETURNS void
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket bigint;
	comment bigint;
	job record;
BEGIN
	PERFORM set_config('triage.tenant', tenant, true);
	PERFORM triage.add_consumer('of-' || tenant);
	ticket := triage.create_ticket('printer of ' || tenant, 'jams', 'carl', external_id => tenant);
	comment := triage.add_comment(ticket, 'comment of ' || tenant, 'carl');
	PERFORM triage.edit_comment(comment, 'edited comment of ' || tenant);
	PERFORM triage.attach_to_comment(comment, 'https://example.org/' || tenant, tenant);
	PERFORM triage.link_tickets(ticket, 'related', triage.create_ticket('linked of ' || tenant, 'x', external_id => 'linked ' || tenant, request_triage => false));
	PERFORM triage.assign_ticket(ticket, 'ann');
	SELECT * INTO job FROM triage.claim_jobs(1);
	PERFORM triage.complete_job(job.job_id, job.fence,
		jsonb_build_object('category', 'technical', 'urgency', 'low', 'sentiment_score', 1, 'confidence', 0.5, 'draft_reply', 'draft of ' || tenant));
	INSERT INTO triage.imports (target, source_table, source, columns) VALUES ('tickets', 't', 't', '{}');
	INSERT INTO triage.import_errors (import_id, state, message) SELECT i.id, '22023', 'x' FROM triage.imports i WHERE i.tenant_id = tenant;
	PERFORM triage.correct_result(r.id, '{"sentiment_score": 9}', 'ann') FROM triage.ticket_ai_results r WHERE r.tenant_id = tenant;
	PERFORM triage.create_ticket('failed of ' || tenant, 'x', external_id => 'failed ' || tenant);
	SELECT * INTO job FROM triage.claim_jobs(1);
	PERFORM triage.fail_job(job.job_id, job.fence, 'refused', 'x');
	INSERT INTO triage.chat_sessions (metadata) VALUES (jsonb_build_object('of', tenant));
	INSERT INTO triage.chat_messages (session_id, role, content) SELECT s.id, 'system', 'message of ' || tenant FROM triage.chat_sessions s WHERE s.metadata ->> 'of' = tenant;
	INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type)
		SELECT m.id, 'https://files.example/' || tenant, 'x', 'x' FROM triage.chat_messages m WHERE m.content = 'message of ' || tenant;
	INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) SELECT s.id, ticket, 'related' FROM triage.chat_sessions s WHERE s.metadata ->> 'of' = tenant;
	INSERT INTO triage.chat_settings DEFAULT VALUES;
	INSERT INTO triage.organizations (id, name) VALUES ('o', 'organization of ' || tenant);
	PERFORM triage.add_zendesk_source('acme', 'a@example.com', 'key', base_url => NULL);
	INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome) VALUES (tenant, 'zendesk', 'tickets', 'succeeded');
	INSERT INTO triage.synced_tickets (tenant_id, ticket_id, source, source_updated_at, generated_at) VALUES (tenant, ticket, 'zendesk', now(), 1);
	PERFORM triage.load_taxonomy(), triage.set_mining_settings('{"min_issues": 4}');
	INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
		VALUES (tenant, ticket, 'PAYROLL', 'errors', 'bug', 'low', 'issue of ' || tenant, '', now());
	INSERT INTO triage.issue_clusters (category, subcategory, cluster_name) VALUES ('PAYROLL', 'errors', 'cluster of ' || tenant);
	INSERT INTO triage.cluster_exclusions (cluster_id, fingerprint, created_by) SELECT c.id, 'x', 'x' FROM triage.issue_clusters c WHERE c.tenant_id = tenant;
	INSERT INTO triage.cluster_events (tenant_id, cluster_id, event, actor, session_role) SELECT tenant, c.id, 'created', 'x', 'x' FROM triage.issue_clusters c WHERE c.tenant_id = tenant;
	INSERT INTO triage.ticket_extractions (tenant_id, ticket_id, content_version, issues) VALUES (tenant, ticket, 1, 1);
	UPDATE triage.extracted_issues i SET cluster_id = c.id, assigned_by = 'human', customer = tenant
		FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND i.tenant_id = tenant;
	INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, summary) VALUES (tenant, ticket, 'summary of ' || tenant);
	INSERT INTO triage.chat_sessions (metadata) VALUES (jsonb_build_object('origin of', tenant));
	INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) SELECT s.id, ticket, 'origin' FROM triage.chat_sessions s WHERE s.metadata ->> 'origin of' = tenant;
	INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, cause, created_by, session_role) VALUES (tenant, ticket, 'policy', 'x', 'x');
END
$$;
SELECT pg_temp.fill('one'), pg_temp.fill('two');
-- of the roll-up of trends some is added up, and some is not
SELECT triage.fold_trends();
UPDATE triage.extracted_issues SET severity = 'high';
INSERT INTO triage.tickets (tenant_id, external_id, description) VALUES ('one', 'waiting one', 'x'), ('two', 'waiting two', 'x');
SELECT pg_temp.ticket('one') AS one, pg_temp.ticket('two') AS two \gset
SELECT s.id AS session_two FROM triage.chat_sessions s WHERE s.tenant_id = 'two' AND s.metadata ->> 'of' = 'two' \gset
SELECT j.id AS job_two FROM triage.ai_jobs j WHERE j.tenant_id = 'two' \gset

CREATE TABLE pg_temp.tenant_relation AS
	SELECT c.relname AS name, c.relkind = 'v' AS is_view
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'v');
GRANT SELECT ON pg_temp.tenant_relation TO regress_triage_app;

-- Which tenants' rows a relation shows.
CREATE FUNCTION pg_temp.tenants_of(relation text, key text DEFAULT 'tenant_id') RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	seen text;
BEGIN
	EXECUTE format('SELECT string_agg(DISTINCT %I, '','' ORDER BY %1$I) FROM triage.%I', key, relation) INTO seen;
	RETURN seen;
END
$$;
-- How many rows a command changes; a refusal is its SQLSTATE.
CREATE FUNCTION pg_temp.changes(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	rows bigint;
BEGIN
	EXECUTE command;
	GET DIAGNOSTICS rows = ROW_COUNT;
	RETURN rows::text;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;

RESET triage.tenant;
SELECT is(count(*), 60::bigint, 'these relations belong to tenants') FROM pg_temp.tenant_relation;
SELECT is(pg_temp.tenants_of('tickets'), 'one,two', '(the owner sees both tenants'' tickets)');

-- What is seen ---------------------------------------------------------------------------------------------------------------

SET LOCAL ROLE regress_triage_app;
SET LOCAL triage.tenant = 'one';
SELECT is(pg_temp.tenants_of(r.name), 'one', r.name || ' shows the tenant''s rows') FROM pg_temp.tenant_relation r ORDER BY r.name;
SELECT is(pg_temp.tenants_of('tenants', 'id'), 'one', 'tenants shows the tenant');
SET LOCAL triage.tenant = 'two';
SELECT is(pg_temp.tenants_of(r.name), 'two', r.name || ' follows the setting') FROM pg_temp.tenant_relation r ORDER BY r.name;
SET LOCAL triage.tenant = '';
SELECT is(coalesce(pg_temp.tenants_of('tickets'), 'none') || ' ' || pg_temp.tenants_of('tenants', 'id'), 'none default', 'unset: the tenant default');
SET LOCAL triage.tenant = 'nowhere';
SELECT is((SELECT count(*) FROM triage.tickets) + (SELECT count(*) FROM triage.tenants), 0::bigint, 'a tenant that is not there has nothing');
SET LOCAL triage.tenant = 'ONE';
SELECT is(pg_temp.tenants_of('tickets'), NULL, 'and names are compared as they are');

-- What is written ------------------------------------------------------------------------------------------------------------

SET LOCAL triage.tenant = 'one';
SELECT is(pg_temp.changes('UPDATE triage.tickets SET subject = ''mine'' WHERE tenant_id = ''two'''), '0', 'an UPDATE finds no ticket of another tenant');
SELECT is(pg_temp.changes('DELETE FROM triage.tickets WHERE tenant_id = ''two'''), '0', 'nor does a DELETE');
SELECT is(pg_temp.changes('INSERT INTO triage.tickets (tenant_id, description) VALUES (''two'', ''x'')'), '42501', 'no ticket can be put there');
SELECT is(pg_temp.changes('UPDATE triage.tickets SET tenant_id = ''two'' WHERE external_id = ''waiting one'''), '42501', 'or moved there');
SELECT is(pg_temp.changes('INSERT INTO triage.people (tenant_id, id) VALUES (''two'', ''eve'')'), '42501', 'no person');
SELECT is(pg_temp.changes('INSERT INTO triage.ticket_categories (tenant_id, category) VALUES (''two'', ''x'')'), '42501', 'no category');
SELECT is(pg_temp.changes('INSERT INTO triage.tenants (id) VALUES (''three'')'), '42501', 'no tenant');
SELECT is(pg_temp.changes('INSERT INTO triage.chat_sessions (tenant_id) VALUES (''two'')'), '42501', 'no chat session [seed 195]');
SELECT is(pg_temp.changes(format('INSERT INTO triage.chat_messages (session_id, role, content) VALUES (%s, ''system'', ''x'')', :session_two)), 'P0002',
	'no message in another tenant''s session, as in one that does not exist [seed 195]');
SELECT is(pg_temp.changes(format('INSERT INTO triage.chat_tickets (session_id, ticket_id) SELECT s.id, %s FROM triage.chat_sessions s WHERE s.metadata ? ''of'' LIMIT 1', :two)), '23503', 'no link to another tenant''s ticket [seed 195]');
SELECT is(pg_temp.changes('INSERT INTO triage.tickets (external_id, description) VALUES (''mine'', ''x'')'), '1', 'a plain INSERT goes to the session''s tenant');
SELECT is((SELECT t.tenant_id FROM triage.tickets t WHERE t.external_id = 'mine'), 'one', 'by default');
SELECT is((SELECT j.tenant_id FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id WHERE t.external_id = 'mine'), 'one', 'and so does its job');

-- foreign keys pass row security by, hence tenant_id in each
RESET ROLE;
ALTER TABLE triage.ticket_comments DISABLE TRIGGER ticket_comments_before;
SET LOCAL ROLE regress_triage_app;
SELECT is(pg_temp.changes(format('INSERT INTO triage.ticket_comments (ticket_id, author_role, content) VALUES (%s, ''customer'', ''x'')', :two)), '23503',
	'a comment cannot refer to another tenant''s ticket: the key refuses');
RESET ROLE;
ALTER TABLE triage.ticket_comments ENABLE TRIGGER ticket_comments_before;
SET LOCAL ROLE regress_triage_app;
SELECT is(pg_temp.changes(format('INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (%s, ''x'')', :two)), 'P0002',
	'and before it the trigger, as for a ticket that does not exist');
SELECT is(pg_temp.changes(format('INSERT INTO triage.ticket_comments (tenant_id, ticket_id, content) VALUES (''two'', %s, ''x'')', :two)), '42501',
	'nor can it be written as the other tenant''s');
SELECT is(pg_temp.changes('UPDATE triage.tickets SET assignee_id = ''olga'' WHERE external_id = ''mine'''), '23503', 'no agent of another tenant');
RESET ROLE;
ALTER TABLE triage.chat_messages DISABLE TRIGGER USER;
SET LOCAL ROLE regress_triage_app;
SELECT is(pg_temp.changes(format('INSERT INTO triage.chat_messages (session_id, role, content) VALUES (%s, ''system'', ''x'')', :session_two)), '23503',
	'and without the trigger the key refuses the message [seed 28] [seed 195]');
RESET ROLE;
ALTER TABLE triage.chat_messages ENABLE TRIGGER USER;
SET LOCAL ROLE regress_triage_app;
SELECT is(pg_temp.changes(format('INSERT INTO triage.chat_messages (tenant_id, session_id, role, content) VALUES (''two'', %s, ''system'', ''x'')', :session_two)), '42501',
	'nor can it be written as the other tenant''s');

-- The functions ----------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.message(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '\d+', 'N');
END
$$;
SELECT is(pg_temp.message(format(c.command, t.id)), 'P0002 ticket N does not exist', format(c.command, 'of ' || t.whose))
	FROM (VALUES (:two::bigint, 'another tenant'), (99999999, 'nobody')) AS t (id, whose),
		(VALUES ('SELECT triage.update_ticket(%s, ''{"subject": "mine"}'')'), ('SELECT triage.assign_ticket(%s, ''ann'')'),
			('SELECT triage.unassign_ticket(%s)'), ('SELECT triage.resolve_ticket(%s)'), ('SELECT triage.close_ticket(%s)'),
			('SELECT triage.reopen_ticket(%s)'), ('SELECT triage.delete_ticket(%s)'), ('SELECT triage.add_comment(%s, ''x'')'),
			('SELECT triage.request_triage(%s)'), ('SELECT triage.wait_for_triage(%s, ''0'')'), ('SELECT triage.lock_ticket(%s)')) AS c (command)
	ORDER BY c.command, t.whose;
SELECT is(pg_temp.message(format(c.command, t.id)), 'P0002 chat session N does not exist', format(c.command, 'of ' || t.whose))
	FROM (VALUES (:session_two::bigint, 'another tenant'), (99999999, 'nobody')) AS t (id, whose),
		(VALUES ('SELECT triage.post_message(%s, ''x'')'), ('SELECT triage.end_session(%s)'), ('SELECT triage.archive_session(%s)'),
			('SELECT triage.conversation(%s)'), ('SELECT triage.lock_chat(%s)')) AS c (command)
	ORDER BY c.command, t.whose;
SELECT set_eq($$SELECT m.content FROM triage.search_messages('message') m$$, ARRAY['message of one'], 'search_messages() finds the tenant''s');
SELECT is_empty($$SELECT FROM triage.search_messages('two')$$, 'and no word of another''s');
SELECT is(triage.cancel_job(:job_two), false, 'cancel_job() finds no job of another tenant');
SELECT is(triage.retry_failed(), 1::bigint, 'retry_failed() brings back the tenant''s failures');
SELECT set_eq($$SELECT s.subject FROM triage.search_tickets('printer') s$$, ARRAY['printer of one'], 'search_tickets() finds the tenant''s');
SELECT is_empty($$SELECT FROM triage.search_tickets('two')$$, 'and no word of another''s');
SELECT is_empty($$SELECT FROM triage.list_tickets() l WHERE l.subject LIKE '%two%'$$, 'list_tickets() lists none');
SELECT isnt(triage.create_ticket('x', 'x', external_id => 'two'), :two::bigint, 'an external id of another tenant is free');
SELECT is(triage.create_ticket('x', 'x', external_id => 'one'), :one::bigint, 'one of the own tenant is known');
SELECT is(pg_temp.message($$SELECT triage.create_ticket('x', 'x', category => 'gardening')$$), '23503 category "gardening" does not exist', 'no category of another tenant');

RESET ROLE;
SELECT isnt_empty($$SELECT FROM triage.ai_jobs WHERE tenant_id = 'two'$$, 'the other tenant''s job is there still');
SELECT isnt_empty($$SELECT FROM triage.ai_dead_letters WHERE tenant_id = 'two'$$, 'so is its failure');
SELECT is(string_agg(DISTINCT t.version::text, ' ' ORDER BY t.version::text), '1 3', 'and its tickets are as they were') FROM triage.tickets t WHERE t.tenant_id = 'two';

-- the owner, whom row security does not bind, reaches its tenant only through the functions
SET LOCAL triage.tenant = 'one';
SELECT is(pg_temp.message(format('SELECT triage.update_ticket(%s, ''{"subject": "mine"}'')', :two)), 'P0002 ticket N does not exist', 'the owner''s call meets no other tenant''s ticket');
SELECT is_empty($$SELECT FROM triage.search_tickets('two')$$, 'finds none');
SELECT is_empty($$SELECT FROM triage.list_tickets() l WHERE l.subject LIKE '%two%'$$, 'and lists none');
SELECT is_empty($$SELECT FROM triage.search_messages('two')$$, 'its search of messages finds none either');

SELECT finish();
ROLLBACK;
