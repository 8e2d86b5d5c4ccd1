-- Erasing a person, and deleting for good: what goes, what stays, and whose.
\ir prepare.psql
SELECT no_plan();

-- The list is complete -----------------------------------------------------------------------------------------------------------

CREATE TEMP VIEW text_column AS
	SELECT c.relname::text COLLATE "default" AS relation, a.attname::text COLLATE "default" AS col
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p')
			-- numbers, times, flags, ids and closed lists hold no text; whatever else there is may
			AND coalesce(e.typcategory, t.typcategory) NOT IN ('N', 'D', 'T', 'B', 'E') AND coalesce(e.typname, t.typname) <> 'uuid';
CREATE TEMP VIEW unlisted AS
	SELECT x.relation || '.' || x.col AS col FROM text_column x
		WHERE NOT EXISTS (SELECT FROM triage.erasure_list() l WHERE l.relation IN (x.relation, '*') AND l.col = x.col);
SELECT cmp_ok((SELECT count(*) FROM text_column), '>=', 90::bigint, '(there are columns of text)');
SELECT is_empty('SELECT col FROM unlisted', 'each column that can hold text is on the list');
SELECT is_empty($$SELECT l.relation || '.' || l.col FROM triage.erasure_list() l
		WHERE to_regclass('triage.' || l.relation) IS NOT NULL AND NOT EXISTS (SELECT FROM text_column x WHERE x.relation = l.relation AND x.col = l.col)$$,
	'and nothing that is not there');
SELECT is_empty($$SELECT l.relation, l.col FROM triage.erasure_list() l GROUP BY 1, 2 HAVING count(*) > 1$$, 'or twice');
ALTER TABLE triage.tickets ADD COLUMN planted jsonb[];
SELECT results_eq('SELECT col FROM unlisted', $$VALUES ('tickets.planted'::text)$$, '(a new column would be seen)');
ALTER TABLE triage.tickets DROP COLUMN planted;

-- A person's traces, in every table that keeps any ---------------------------------------------------------------------------------

SELECT triage.create_tenant('other');
CREATE FUNCTION pg_temp.leave_traces(person text, mark text, key text) RETURNS void
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket bigint;
	job record;
	item record;
BEGIN
	INSERT INTO triage.people (id, role, display_name, email) VALUES (person, 'customer', mark, mark || '@example.com');
	ticket := triage.create_ticket(mark, mark, person, mark || '@example.com', custom_fields => jsonb_build_object('note', mark),
		tags => '{vip}', category => 'billing', external_id => key);
	PERFORM triage.add_comment(ticket, mark, person);
	PERFORM triage.add_comment(ticket, 'Dear ' || mark, 'ann', 'agent');
	SELECT * INTO job FROM triage.claim_jobs(1);
	PERFORM triage.complete_job(job.job_id, job.fence, jsonb_build_object('category', 'technical', 'urgency', 'low',
		'sentiment_score', 1, 'draft_reply', 'Dear ' || mark, 'summary', mark || ' complains'), 'm', 10, 0, 10);
	PERFORM triage.reject_draft(r.id, mark, 'ann') FROM triage.ticket_ai_results r WHERE r.ticket_id = ticket;
	PERFORM triage.update_ticket(ticket, jsonb_build_object('subject', mark || ' again', 'priority', 'high', 'custom_fields', jsonb_build_object('note', mark || '2')));
	SELECT * INTO job FROM triage.claim_jobs(1);
	PERFORM triage.fail_job(job.job_id, job.fence, 'bad_request', 'cannot read "' || mark || '"');
	PERFORM triage.create_ticket(mark || ' by mail', mark, requester_email => upper(mark || '@example.com'), external_id => key || ' mail', request_triage => false);
	PERFORM triage.delete_ticket(triage.create_ticket(mark || ' hidden', mark, person, external_id => key || ' hidden'));
	-- $1 the ticket, $2 the person, $3 the mark; where there is such a table
	FOR item IN
		SELECT v.command
			FROM (VALUES
				('comment_edits', 'INSERT INTO triage.comment_edits (tenant_id, comment_id, old_content, edited_by, session_role)
					SELECT c.tenant_id, c.id, $3, $2, $2 FROM triage.ticket_comments c WHERE c.ticket_id = $1'),
				('comment_attachments', 'INSERT INTO triage.comment_attachments (tenant_id, comment_id, file_url, file_name)
					SELECT c.tenant_id, c.id, ''https://files.example/'' || $3, $3 FROM triage.ticket_comments c WHERE c.ticket_id = $1'),
				('sync_sources', 'INSERT INTO triage.sync_sources (name, base_url, auth, email, secret, start_time)
					VALUES (''zendesk'', ''https://a.zendesk.com'', ''token'', ''a@b'', ''s'', now()) ON CONFLICT DO NOTHING'),
				('synced_tickets', 'INSERT INTO triage.synced_tickets (tenant_id, ticket_id, source, source_updated_at, generated_at, details, copied)
					SELECT t.tenant_id, t.id, ''zendesk'', now(), 1, jsonb_build_object(''x'', $3), jsonb_build_object(''x'', $3) FROM triage.tickets t WHERE t.id = $1'),
				('chat_sessions', 'INSERT INTO triage.chat_sessions (customer_id, metadata) VALUES ($2, jsonb_build_object(''page'', $3))'),
				('chat_messages', 'INSERT INTO triage.chat_messages (session_id, content, metadata)
					SELECT s.id, $3, jsonb_build_object(''x'', $3) FROM triage.chat_sessions s WHERE s.metadata ->> ''page'' = $3'),
				('chat_attachments', 'INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type)
					SELECT m.id, ''https://files.example/'' || $3, $3, ''text/plain'' FROM triage.chat_messages m WHERE m.content = $3'),
				('ticket_escalations', 'INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, cause, reason, created_by, session_role)
					SELECT t.tenant_id, t.id, (enum_range(NULL::triage.escalation_cause))[1], $3, ''ann'', ''app'' FROM triage.tickets t WHERE t.id = $1'),
				('conversation_summaries', 'INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, summary, customer_request, open_questions)
					SELECT t.tenant_id, t.id, $3, $3, ARRAY[$3] FROM triage.tickets t WHERE t.id = $1')) v (relation, command)
			WHERE to_regclass('triage.' || v.relation) IS NOT NULL
	LOOP
		EXECUTE item.command USING ticket, person, mark;
	END LOOP;
	PERFORM triage.load_taxonomy();
	INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, detail, representative_quote, quote_verified, customer, fingerprint, reported_at)
		SELECT t.tenant_id, t.id, 'PAYROLL', 'errors', 'bug', 'low', mark, mark, mark, true, 'email:' || lower(mark || '@example.com'), mark::bytea, now()
			FROM triage.tickets t WHERE t.tenant_id = triage.current_tenant() AND t.external_id IN (key, key || ' mail');
	PERFORM triage.place_issues(triage.current_tenant(), pg_temp.ticket(key));
	PERFORM triage.store_name_cluster(c.tenant_id, NULL, NULL, c.id, 1, 0, 'p', 'm', jsonb_build_object('name', mark || ' complains', 'summary', mark))
		FROM triage.issue_clusters c WHERE c.cluster_name = mark;
	INSERT INTO triage.ai_jobs (tenant_id, cluster_id, kind)
		SELECT c.tenant_id, c.id, 'name_cluster' FROM triage.issue_clusters c WHERE c.cluster_name = mark || ' complains';
	SELECT * INTO job FROM triage.claim_jobs(1, kinds => '{name_cluster}');
	PERFORM triage.fail_job(job.job_id, job.fence, 'bad_request', 'cannot name "' || mark || '"');
	PERFORM triage.add_cluster_event(i.tenant_id, 'unplaced', NULL, i.id, 'model', 0.5, NULL, jsonb_build_object('reason', mark))
		FROM triage.extracted_issues i WHERE i.summary = mark;
	INSERT INTO triage.imports (target, source_table, source, columns) VALUES ('tickets', 't', 't', '{}');
	INSERT INTO triage.import_errors (import_id, person, state, message)
		SELECT max(i.id), person, '22007', 'invalid input syntax: "' || mark || '"' FROM triage.imports i WHERE i.tenant_id = triage.current_tenant();
END
$$;
SELECT pg_temp.leave_traces('carl', 'VICTIMX', 'c'), pg_temp.leave_traces('eve', 'BYSTANDERX', 'e');
SELECT triage.add_comment(pg_temp.ticket('e'), 'VICTIMX was here', 'carl');
SET LOCAL triage.tenant = 'other';
SELECT pg_temp.leave_traces('carl', 'NAMESAKEX', 'o');
RESET triage.tenant;
SELECT triage.start_session('eve', true) AS hers \gset
SELECT triage.post_message(:hers, 'Hello');
SELECT triage.escalate_session(:hers, 'policy') AS with_people \gset
DELETE FROM triage.ai_jobs WHERE ticket_id = :with_people;
SELECT triage.add_comment(l.ticket_id, 'VICTIMX says so in a conversation of hers, too', 'carl') FROM triage.chat_tickets l WHERE l.session_id = :hers;
SELECT is((SELECT count(*) FROM triage.chat_messages m WHERE m.comment_id IS NOT NULL AND m.content ~ 'VICTIMX says'), 1::bigint, '(which is kept twice)');
SELECT triage.request_triage(pg_temp.ticket('c mail'));
CREATE TABLE public.seen AS SELECT now() AS at, r.* FROM triage.ai_runs r;

-- Where a mark stands, by table and column.
CREATE FUNCTION pg_temp.places(mark text) RETURNS SETOF text
	LANGUAGE plpgsql
AS $$
DECLARE
	item record;
	hit boolean;
BEGIN
	FOR item IN SELECT x.relation, x.col FROM text_column x ORDER BY 1, 2 LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM triage.%I t WHERE t.%I::text ILIKE %L)', item.relation, item.col, '%' || mark || '%') INTO hit;
		IF hit THEN
			RETURN NEXT item.relation || '.' || item.col;
		END IF;
	END LOOP;
END
$$;
CREATE TEMP VIEW must_have AS
	SELECT l.relation || '.' || l.col AS place FROM triage.erasure_list() l
		WHERE l.fate = 'erased' AND to_regclass('triage.' || l.relation) IS NOT NULL;
SELECT set_eq('SELECT pg_temp.places(''BYSTANDERX'')', 'SELECT place FROM must_have', '(a mark is in every column that is said to be erased)');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('c mail')), 1::bigint, '(and a job waits)');
SELECT count(*) AS history FROM triage.ticket_history \gset

SELECT set_has($$SELECT relation, erased FROM triage.erase_person('carl') WHERE erased > 0$$,
	$$VALUES ('tickets'::text, 3::bigint), ('ticket_comments', 4), ('ticket_ai_results', 1), ('ticket_history', 2), ('ai_dead_letters', 2), ('ai_runs', 2),
		('import_errors', 1), ('people', 1), ('extracted_issues', 2),
		('issue_clusters', 1), ('cluster_events', 3)$$, '[seed 91] it tells how much it erased where');
SELECT is_empty('SELECT pg_temp.places(''VICTIMX'')', 'nothing is left of the person''s text');
SELECT is((SELECT concat_ws(' ', count(*), count(DISTINCT i.customer), bool_or(i.quote_verified), min(i.category)) FROM triage.extracted_issues i WHERE i.tenant_id = 'default' AND i.summary = '[erased]'), '2 1 f PAYROLL',
	'issues stay, and are those of one customer whom nobody knows');
SELECT set_eq('SELECT pg_temp.places(''BYSTANDERX'')', 'SELECT place FROM must_have', 'another person''s is untouched');
SELECT set_eq('SELECT pg_temp.places(''NAMESAKEX'')', 'SELECT place FROM must_have', 'that of another tenant''s person of the same id, too');
SELECT is_empty($$SELECT FROM triage.erase_person('carl') WHERE erased > 0$$, 'a second time there is nothing to erase');
SELECT is((SELECT p.erased_at FROM triage.people p WHERE p.id = 'carl' AND p.tenant_id = 'default'), now(), 'the person is marked');

SELECT results_eq($$SELECT t.subject, t.description, t.requester_id, t.category, t.priority::text, t.tags, t.external_id FROM triage.tickets t WHERE t.tenant_id = 'default' AND t.external_id = 'c'$$,
	$$VALUES ('[erased]'::text, '[erased]'::text, 'carl'::text, 'billing'::text, 'high'::text, '{vip}'::text[], 'c'::text)$$, 'ids and labels stay');
SELECT results_eq($$SELECT r.id, r.outcome, r.cost, r.input_tokens, r.started_at, r.finished_at FROM triage.ai_runs r ORDER BY r.id$$,
	$$SELECT r.id, r.outcome, r.cost, r.input_tokens, r.started_at, r.finished_at FROM public.seen r ORDER BY r.id$$, 'runs keep what they cost');
SELECT cmp_ok((SELECT count(*) FROM triage.ticket_history), '>', :history::bigint, 'the history says that something was erased');
SELECT set_eq($$SELECT DISTINCT h.field, h.old_value FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('c')$$,
	$$VALUES ('subject'::text, '"[erased]"'::jsonb), ('description', '"[erased]"'), ('requester_email', '"[erased]"'), ('custom_fields', '"[erased]"'),
		('priority', '"medium"'), ('priority', '"low"')$$, 'not what; labels it keeps');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.tenant_id = 'default' AND j.ticket_id IN (pg_temp.ticket('c mail'))), 0::bigint, 'the model is not asked about a text that was erased');
SELECT is(pg_temp.outcome('SELECT triage.erase_person(''nobody'')'), 'P0002', 'a person who is not there');
SELECT is(pg_temp.outcome('SELECT triage.erase_person(NULL)'), 'P0002', 'or none at all');

-- What a person said elsewhere, and what is the person's though no column says so --------------------------------------------------

CREATE TABLE public.mails (id int PRIMARY KEY, subject text, email text, "createdAt" text);
INSERT INTO public.mails VALUES (1, 'x', 'Dora@Example.com', 'HIDDENX at noon'), (2, 'x', 'joe@example.com', 'SHOWNX at noon');
DO $$
DECLARE
	ticket CONSTANT bigint := triage.create_ticket('x', 'x', 'joe', external_id => 'j');
	anonymous bigint;
	named bigint;
	other bigint;
	again bigint;
	job record;
BEGIN
	INSERT INTO triage.people (id, role, email) VALUES ('dora', 'agent', 'dora@example.com');
	PERFORM triage.reprioritise(ticket, 'urgent');
	SELECT * INTO STRICT job FROM triage.claim_jobs(1) j;
	PERFORM triage.complete_job(job.job_id, job.fence, '{"category": "technical", "urgency": "low", "sentiment_score": 1, "draft_reply": "Dear Joe"}', 'm');
	PERFORM triage.reject_draft(r.id, 'HIDDENX would not say so', 'dora') FROM triage.ticket_ai_results r WHERE r.ticket_id = ticket;
	INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, cause, reason, created_by, session_role)
		VALUES ('default', ticket, 'agent_takeover', 'HIDDENX knows him', 'dora', 'app'), ('default', ticket, 'agent_takeover', 'SHOWNX', 'ann', 'app');
	INSERT INTO triage.chat_sessions (metadata) VALUES ('{"page": "HIDDENX"}') RETURNING id INTO anonymous;
	INSERT INTO triage.chat_sessions (metadata) VALUES ('{"page": "SHOWNX"}') RETURNING id INTO other;
	INSERT INTO triage.chat_sessions (customer_id) VALUES ('dora') RETURNING id INTO named;
	INSERT INTO triage.tickets (external_id, description, requester_id) VALUES ('anonymous', 'x', 'dora'), ('named', 'HIDDENX', NULL), ('other', 'SHOWNX', NULL);
	INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (anonymous, pg_temp.ticket('anonymous')), (named, pg_temp.ticket('named')),
		(other, pg_temp.ticket('other'));
	INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) SELECT other, pg_temp.ticket('anonymous'), v FROM unnest(enum_range(NULL::triage.session_link)) v WHERE v <> 'origin' LIMIT 1;
	INSERT INTO triage.chat_messages (session_id, content) VALUES (anonymous, 'I am HIDDENX'), (named, 'HIDDENX, too'), (other, 'SHOWNX');
	-- others' tickets whose text is the person's: a follow-up, and two that began as conversations
	PERFORM triage.close_ticket(triage.create_ticket('SHOWNX', 'x', 'joe', 'joe@example.com', external_id => 'over', request_triage => false));
	PERFORM triage.receive_reply(pg_temp.ticket('over'), 'HIDDENX has the same', 'dora', 'test', 'again');
	SELECT c.ticket_id INTO again FROM triage.ticket_comments c WHERE c.external_id = 'again';
	PERFORM triage.reprioritise(again, 'urgent');
	SELECT * INTO STRICT job FROM triage.claim_jobs(1, kinds => '{triage}') j;
	PERFORM triage.complete_job(job.job_id, job.fence, '{"category": "technical", "urgency": "low", "sentiment_score": 1, "draft_reply": "Dear HIDDENX"}', 'm');
	UPDATE triage.tickets SET custom_fields = '{"note": "SHOWNX"}', description = 'HIDDENX has that, too' WHERE id = again;
	PERFORM triage.post_message(triage.start_session('joe', open_ticket => true), E'HIDDENX\nspeaks for him', author_id => 'dora');
	other := triage.start_session('joe');
	PERFORM triage.post_message(other, 'SHOWNX here'), triage.post_message(other, E'and  HIDDENX', author_id => 'dora');
	PERFORM triage.escalate_session(other, 'policy');
END
$$;
CALL triage.import_tickets('public.mails', commit_batches => false);
SELECT pg_temp.ticket('j') AS joes \gset
SELECT set_has('SELECT pg_temp.places(''HIDDENX'')', $$VALUES ('ai_feedback.reason'), ('ticket_escalations.reason'), ('chat_sessions.metadata'), ('chat_messages.content'),
		('tickets.description'), ('tickets.subject'), ('ticket_ai_results.draft_reply'), ('import_errors.message')$$, '(the mark is there)');
SELECT count(*) AS shown FROM pg_temp.places('SHOWNX') \gset
SELECT triage.erase_person('dora');
SELECT is_empty('SELECT pg_temp.places(''HIDDENX'')', 'an agent''s reasons, a chat without a name and its ticket, a row of an import that came by mail: all are found');
SELECT is((SELECT count(*) FROM pg_temp.places('SHOWNX')), :shown::bigint, 'and nobody else''s');
SELECT results_eq($$SELECT t.subject, t.description, t.requester_id, t.requester_email, t.custom_fields ->> 'note' FROM triage.tickets t
		JOIN triage.ticket_links l ON l.ticket_id = t.id WHERE l.other_id = pg_temp.ticket('over')$$,
	$$VALUES ('SHOWNX', '[erased]', 'joe', 'joe@example.com', 'SHOWNX')$$, 'of another''s ticket only the words that were the person''s');
SELECT is(pg_temp.outcome(format('SELECT triage.%s', call)), '55000', 'a draft that was erased is not sent: ' || call)
	FROM triage.ticket_ai_results r, unnest(ARRAY['accept_draft(%s, ''bob'')', 'edit_draft(%s, ''x'', ''bob'')']) AS c (pattern), format(c.pattern, r.id) AS call
	WHERE r.tenant_id = 'default' AND r.ticket_id = pg_temp.ticket('c') AND r.superseded_at IS NULL;
SELECT is((SELECT count(*) FROM triage.ticket_comments WHERE source = 'draft'), 0::bigint, 'to nobody');

-- What is append-only stays so ----------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome(command), '42501', command)
	FROM (VALUES
		('UPDATE triage.ticket_history SET old_value = ''"other"'''), ('UPDATE triage.ticket_history SET old_value = NULL'),
		('UPDATE triage.ticket_history SET changed_by = ''me'', old_value = ''"[erased]"'''), ('UPDATE triage.ticket_history SET old_value = ''"[erased]"'' WHERE old_value IS NULL'),
		('UPDATE triage.ai_runs SET error = NULL'), ('UPDATE triage.ai_runs SET error = ''[erased]'', cost = 0'), ('UPDATE triage.ai_runs SET error = ''x''')) AS c (command)
	WHERE command !~ 'IS NULL' OR EXISTS (SELECT FROM triage.ticket_history WHERE old_value IS NULL);
CREATE ROLE regress_triage_app;
GRANT USAGE ON SCHEMA triage TO regress_triage_app;
GRANT ALL ON ALL TABLES IN SCHEMA triage TO regress_triage_app;
GRANT EXECUTE ON FUNCTION triage.current_tenant() TO regress_triage_app;
SET LOCAL ROLE regress_triage_app;
SELECT is(pg_temp.outcome('UPDATE triage.ticket_history SET old_value = ''"[erased]"'' WHERE old_value IS NOT NULL AND old_value <> ''"[erased]"'''), '42501',
	'another role cannot even blank, whatever it was granted');
SELECT is(pg_temp.outcome('SELECT triage.erase_tickets(''default'', ''{1}'')'), '42501', 'nor call a part of it');
RESET ROLE;

-- Deleting for good ------------------------------------------------------------------------------------------------------------------

SELECT triage.delete_ticket(pg_temp.ticket('e'));
SELECT pg_temp.ticket('e') AS eve \gset
SELECT is(triage.purge_deleted(), 0::bigint, '[seed 57] what was deleted just now stays');
SELECT is(pg_temp.outcome('SELECT triage.purge_deleted(''-1 day'')'), '22023', 'an age is not negative');
SELECT is(pg_temp.outcome('SELECT triage.purge_deleted(NULL)'), '22023', 'or NULL');
SELECT is(pg_temp.outcome('SELECT triage.purge_deleted(max_rows => 0)'), '22023', 'nor is a limit zero');
SELECT is(triage.purge_deleted('0', 1), 1::bigint, 'at most so many at a time');
SELECT is(triage.purge_deleted('0') + triage.purge_deleted('0'), 2::bigint, '[seed 57] then the rest of this tenant''s');
SELECT is((SELECT string_agg(t.external_id || ' ' || t.tenant_id, ',') FROM triage.tickets t WHERE t.deleted_at IS NOT NULL), 'o hidden other', 'not another''s');
SELECT is(
	(SELECT count(*) FROM triage.tickets t WHERE t.id = :eve) + (SELECT count(*) FROM triage.ticket_comments x WHERE x.ticket_id = :eve)
		+ (SELECT count(*) FROM triage.ticket_history x WHERE x.ticket_id = :eve) + (SELECT count(*) FROM triage.ticket_ai_results x WHERE x.ticket_id = :eve)
		+ (SELECT count(*) FROM triage.ticket_assignments x WHERE x.ticket_id = :eve) + (SELECT count(*) FROM triage.ai_jobs x WHERE x.ticket_id = :eve)
		+ (SELECT count(*) FROM triage.ai_dead_letters x WHERE x.ticket_id = :eve), 0::bigint, '[seed 90] what hung on a ticket is gone with it');
SELECT is((SELECT count(*) FROM triage.ai_runs r WHERE r.ticket_id = :eve), 2::bigint, 'what was spent on it is not');
SELECT is_empty($$SELECT k.conname FROM pg_constraint k WHERE k.contype = 'f' AND k.confrelid = 'triage.tickets'::regclass AND k.connamespace = 'triage'::regnamespace AND k.confdeltype <> 'c'$$,
	'[seed 90] [seed 91] whatever refers to a ticket goes with it');
-- a conversation is its ticket's thread
DO $$
DECLARE
	alone bigint := triage.start_session('zoe', open_ticket => true);
	continued bigint := triage.start_session('zoe', open_ticket => true);
	further bigint := triage.create_ticket('goes on', 'x', external_id => 'goes on', request_triage => false);
BEGIN
	PERFORM triage.post_message(alone, 'PURGEDX'), triage.post_message(continued, 'KEPTX'), triage.link_session(continued, further, 'followup');
	PERFORM triage.delete_ticket(o.ticket_id) FROM triage.chat_tickets o WHERE o.session_id IN (alone, continued) AND o.relation = 'origin';
END
$$;
SELECT is(triage.purge_deleted('0'), 2::bigint, '[seed 57] tickets of conversations are purged');
-- clusters that carry the words of what is purged: one that keeps an issue, one that is empty then, and one that a person named
INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ('PURGED', 'x');
INSERT INTO triage.tickets (external_id, description) SELECT 'purge ' || g, 'x' FROM generate_series(1, 4) g;
CREATE FUNCTION pg_temp.purged_issue(ticket text, cluster text, words text) RETURNS void LANGUAGE sql AS $$
	INSERT INTO triage.extracted_issues (ticket_id, cluster_id, assigned_by, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
		SELECT pg_temp.ticket(ticket), c.id, 'exact', 'PURGED', 'x', 'bug', 'low', words, sha256(convert_to(words, 'UTF8')), now() FROM triage.issue_clusters c WHERE c.cluster_name = cluster
$$;
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name, name_is_manual) VALUES ('PURGED', 'x', 'PURGED one', false), ('PURGED', 'x', 'PURGED two', false), ('PURGED', 'x', 'PURGED three', true);
SELECT pg_temp.purged_issue('purge 1', 'PURGED one', 'PURGED one'), pg_temp.purged_issue('purge 4', 'PURGED one', 'what is left'), pg_temp.purged_issue('purge 2', 'PURGED two', 'PURGED two'),
	pg_temp.purged_issue('purge 3', 'PURGED three', 'PURGED three');
UPDATE triage.tickets SET deleted_at = now() WHERE external_id IN ('purge 1', 'purge 2', 'purge 3');
SELECT is(triage.purge_deleted('0'), 3::bigint, '(tickets with issues are purged)');
SELECT results_eq($$SELECT c.cluster_name FROM triage.issue_clusters c WHERE c.category = 'PURGED' ORDER BY c.id$$, $$VALUES ('what is left'), ('[erased]'), ('PURGED three')$$,
	'what a cluster was called after a purged ticket is gone with it');
SELECT is_empty('SELECT pg_temp.places(''PURGEDX'')', 'with what was said in them');
SELECT is((SELECT string_agg(s.status::text, ',') FROM triage.chat_sessions s JOIN triage.chat_messages m ON m.tenant_id = s.tenant_id AND m.session_id = s.id WHERE m.content = 'KEPTX'),
	'archived', 'a conversation that another ticket goes on from is kept, and nobody''s to answer any more');
UPDATE triage.retention SET keep = '1 day' WHERE target = 'deleted_tickets';
UPDATE triage.tickets SET deleted_at = now() - interval '2 days' WHERE tenant_id = 'other' AND deleted_at IS NOT NULL;
SELECT results_eq($$SELECT target, deleted FROM triage.apply_retention() WHERE target = 'deleted_tickets'$$, $$VALUES ('deleted_tickets'::text, 1::bigint)$$, 'apply_retention() does the same by rule, for all tenants');

SELECT finish();
ROLLBACK;
