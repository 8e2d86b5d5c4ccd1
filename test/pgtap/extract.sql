-- Extraction: which tickets the model looks at, what it is told of one, and what becomes of its answer.
\ir prepare.psql
SELECT no_plan();

SELECT triage.create_tenant('other');
INSERT INTO triage.people (id, role) VALUES ('ann', 'agent');
INSERT INTO triage.organizations (id, name) VALUES ('acme', 'Acme');
INSERT INTO triage.people (id, email, organization_id) VALUES ('olaf', 'olaf@acme.example', 'acme'), ('carl', 'carl@example.com', NULL);
SELECT triage.load_taxonomy() \g /dev/null

-- What waits for the model, by the ticket's name.
CREATE FUNCTION pg_temp.asked() RETURNS SETOF text LANGUAGE sql
	AS $$ SELECT t.external_id FROM triage.ai_jobs j JOIN triage.tickets t ON t.tenant_id = j.tenant_id AND t.id = j.ticket_id WHERE j.kind = 'extract_issues' ORDER BY 1 $$;
-- A look of the model at a ticket, as the worker does it; what the ticket's state was, and, where it was current, stored.
CREATE FUNCTION pg_temp.look(name text, answer jsonb, told bigint DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket CONSTANT record := (SELECT t FROM triage.tickets t WHERE t.external_id = name);
	told_version CONSTANT bigint := coalesce(told, (SELECT r.version FROM triage.read_extract_issues(ticket.tenant_id, ticket.id, NULL, NULL) r));
	found_state text;
BEGIN
	SELECT l.state INTO found_state
		FROM triage.lock_extract_issues(ARRAY[ticket.tenant_id], ARRAY[ticket.id], ARRAY[NULL::bigint], ARRAY[NULL::bigint], ARRAY[told_version]) l;
	IF found_state = 'current' THEN
		DELETE FROM triage.ai_jobs j WHERE j.ticket_id = ticket.id AND j.kind = 'extract_issues';
		PERFORM triage.store_extract_issues(ticket.tenant_id, ticket.id, NULL, NULL, 7, told_version, 'p', 'm', answer);
	END IF;
	RETURN found_state;
END
$$;
CREATE FUNCTION pg_temp.issue(summary text, area text DEFAULT 'PAYROLL/errors', quote text DEFAULT NULL, severity text DEFAULT 'medium') RETURNS jsonb LANGUAGE sql
	AS $$ SELECT jsonb_strip_nulls(jsonb_build_object('area', area, 'issue_type', 'bug', 'severity', severity, 'summary', summary, 'quote', quote)) $$;
CREATE FUNCTION pg_temp.answer(VARIADIC issues jsonb[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('issues', to_jsonb(issues)) $$;
CREATE FUNCTION pg_temp.current_issues(name text) RETURNS SETOF text LANGUAGE sql
	AS $$ SELECT i.summary FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket(name) AND i.superseded_at IS NULL ORDER BY i.id $$;
CREATE FUNCTION pg_temp.told(name text) RETURNS TABLE (version bigint, heading text, speakers text[], texts text[], labels text[], label_notes text[]) LANGUAGE sql
	AS $$ SELECT r.* FROM triage.tickets t, triage.read_extract_issues(t.tenant_id, t.id, NULL, NULL) r WHERE t.external_id = name $$;

-- What the model is told ------------------------------------------------------------------------------------------------------

SELECT triage.create_ticket('Clock is down', 'It shows nothing.', 'carl', external_id => 'talk') \g /dev/null
SELECT triage.add_comment(pg_temp.ticket('talk'), 'Did you restart it?', 'ann') \g /dev/null
SELECT triage.add_comment(pg_temp.ticket('talk'), 'Firmware bug 17.', 'ann', visibility => 'internal') \g /dev/null
SELECT triage.add_comment(pg_temp.ticket('talk'), 'Yes, twice.', 'carl') \g /dev/null
UPDATE triage.ticket_comments c SET created_at = now() + interval '1 second' * c.id;
SELECT results_eq($$SELECT r.heading, r.speakers, r.texts FROM pg_temp.told('talk') r$$,
	$$VALUES ('Clock is down', '{customer,agent,note,customer}'::text[], ARRAY['It shows nothing.', 'Did you restart it?', 'Firmware bug 17.', 'Yes, twice.'])$$,
	'subject, description and comments, internal ones as notes, oldest first');
SELECT is((SELECT cardinality(r.labels) FROM pg_temp.told('talk') r), 14, 'labels are the active taxonomy');
SELECT ok((SELECT r.label_notes[array_position(r.labels, 'PAYROLL/errors')] ~ '^Payroll stops or fails.*\npayroll error, error, ' FROM pg_temp.told('talk') r), 'with what belongs there, and words for builtin');
INSERT INTO triage.providers (name, api, base_url, model, rank) VALUES ('model', 'openai', 'http://127.0.0.1:1/v1', 'm', 10);
SELECT ok((SELECT r.label_notes[array_position(r.labels, 'PAYROLL/errors')] ~ '^Payroll stops or fails[^\n]*$' FROM pg_temp.told('talk') r), 'which a model does not need');
DELETE FROM triage.providers p WHERE p.name = 'model';
SELECT triage.deactivate_taxonomy('PAYROLL', 'errors') \g /dev/null
SELECT ok((SELECT array_position(r.labels, 'PAYROLL/errors') IS NULL AND cardinality(r.label_notes) = 13 FROM pg_temp.told('talk') r), 'not what is out of use');
SELECT triage.set_taxonomy('PAYROLL', 'errors') \g /dev/null
SELECT triage.set_mining_settings('{"summary_language": "de"}') \g /dev/null
SELECT is((SELECT r.speakers[2] || ': ' || r.texts[2] FROM pg_temp.told('talk') r), 'system: Language of summary and detail: de', 'another language than English is said behind the description');
SELECT triage.set_mining_settings('{"summary_language": null}') \g /dev/null

-- too long: head, tail, and the latest
SELECT triage.create_ticket('long', 'BEGIN ' || repeat('abcde ', 20000) || 'END', 'carl', external_id => 'long') \g /dev/null
INSERT INTO triage.ticket_comments (ticket_id, content, author_id, created_at)
	SELECT pg_temp.ticket('long'), format('%s %s .%s', n, repeat('x', 2000), n), 'carl', now() + interval '1 second' * n FROM generate_series(1, 250) n;
SELECT ok((SELECT r.texts[1] ~ '^BEGIN .*\[\.\.\. 11\d{4} characters left out here \.\.\.\].* END$' FROM pg_temp.told('long') r), 'a long description keeps its beginning and its end');
SELECT ok((SELECT r.texts[cardinality(r.texts)] ~ '^250 x+ \.250$' FROM pg_temp.told('long') r), 'the latest comment is there');
SELECT ok((SELECT r.speakers[2] = 'system' AND r.texts[2] ~ '^Of what was said next, \d+ texts or more is left out here\.$' FROM pg_temp.told('long') r), 'what is missing is said');
SELECT ok((SELECT sum(octet_length(t) + 128) + octet_length(max(r.heading)) BETWEEN 20000 AND 31000 FROM pg_temp.told('long') r, unnest(r.texts) t), 'together they fit into what is sent');
SELECT triage.create_ticket('longer', repeat('ж', 20000), 'carl', external_id => 'cyrillic') \g /dev/null
SELECT ok((SELECT octet_length(r.texts[1]) BETWEEN 27900 AND 28100 FROM pg_temp.told('cyrillic') r), 'counted in bytes');

-- a ticket that began as a conversation
SELECT triage.start_session('carl', open_ticket => true) AS session \gset
SELECT triage.post_message(:session, 'The reader beeps') \g /dev/null
SELECT triage.post_message(:session, 'Since when?', 'agent', 'ann') \g /dev/null
UPDATE triage.tickets t SET external_id = 'chat' WHERE t.id = (SELECT c.ticket_id FROM triage.chat_tickets c WHERE c.session_id = :session);
SELECT results_eq($$SELECT r.speakers, r.texts FROM pg_temp.told('chat') r$$, $$VALUES ('{customer,agent}'::text[], ARRAY['The reader beeps', 'Since when?'])$$,
	'the conversation that a ticket began as is told, its first message once');

-- Versions: what makes an answer late -----------------------------------------------------------------------------------------

SELECT triage.create_ticket('version', 'one', 'carl', external_id => 'v') \g /dev/null
SELECT triage.add_comment(pg_temp.ticket('v'), 'first', 'carl') AS comment \gset
CREATE TEMP TABLE version_seen (step text, version bigint);
CREATE FUNCTION pg_temp.note_version(step text) RETURNS void LANGUAGE sql AS $$ INSERT INTO version_seen SELECT step, r.version FROM pg_temp.told('v') r $$;
SELECT pg_temp.note_version('made') \g /dev/null
SELECT triage.update_ticket(pg_temp.ticket('v'), '{"priority": "high", "tags": ["x"]}'), triage.assign_ticket(pg_temp.ticket('v'), 'ann') \g /dev/null
SELECT is((SELECT r.version FROM pg_temp.told('v') r), (SELECT s.version FROM version_seen s), 'priority, tags and assignee are no other text');
SELECT triage.update_ticket(pg_temp.ticket('v'), '{"subject": "version two"}') \g /dev/null
SELECT pg_temp.note_version('subject') \g /dev/null
SELECT triage.update_ticket(pg_temp.ticket('v'), '{"description": "two"}') \g /dev/null
SELECT pg_temp.note_version('description') \g /dev/null
SELECT triage.add_comment(pg_temp.ticket('v'), 'second', 'ann', visibility => 'internal') \g /dev/null
SELECT pg_temp.note_version('comment') \g /dev/null
SELECT triage.edit_comment(:comment, 'First') \g /dev/null
SELECT pg_temp.note_version('edit') \g /dev/null
SELECT triage.redact_comment(:comment) \g /dev/null
SELECT pg_temp.note_version('redaction') \g /dev/null
SELECT is((SELECT count(DISTINCT s.version) FROM version_seen s), 6::bigint, 'subject, description, comment, edit and redaction each make another');
SELECT ok((SELECT min(s.version) >= 0 AND max(s.version) < 2::numeric ^ 53 FROM version_seen s), 'a version is a whole number that JSON keeps');
SELECT is(pg_temp.look('v', pg_temp.answer(pg_temp.issue('late')), (SELECT s.version FROM version_seen s WHERE s.step = 'edit')), 'stale', 'an answer about another text is stale');
SELECT is_empty($$SELECT pg_temp.current_issues('v')$$, 'and stores nothing');
SELECT is(pg_temp.look('v', '{"issues": []}'), 'current', 'an answer about this one is not');
SELECT is((SELECT l.state FROM triage.lock_extract_issues('{default}', '{-1}', '{NULL}', '{NULL}', '{0}') l), 'gone', 'a ticket that is not there');

-- What is stored --------------------------------------------------------------------------------------------------------------

SELECT triage.create_ticket('Payroll fails', E'It says “E-17” —\n\n  every   time…', 'olaf', external_id => 'a') \g /dev/null
UPDATE triage.tickets t SET created_at = '2026-03-01 12:00+00' WHERE t.external_id = 'a';
SELECT triage.add_comment(pg_temp.ticket('a'), 'The report is empty, too.', 'olaf') \g /dev/null
SELECT is(triage.analyzed_at('default', pg_temp.ticket('a')), NULL, '[seed 213] a ticket that nobody looked at was never analysed');
SELECT is(pg_temp.look('a', '{"issues": [
	{"area": "PAYROLL/errors", "issue_type": "bug", "severity": "critical", "summary": "Pay run stops with error E-17", "detail": "Each time.", "quote": "It says \"E-17\" - every time...", "confidence": 0.876},
	{"area": "PAYROLL/reporting", "issue_type": "data_issue", "severity": "low", "summary": "Payroll register is empty", "quote": "The payroll report is empty"}]}'), 'current', 'a look');
SELECT results_eq($$SELECT i.category, i.subcategory, i.issue_type::text, i.severity::text, i.summary, i.detail, i.representative_quote, i.quote_verified, i.confidence, i.customer,
			i.reported_at, i.run_id, i.superseded_at IS NULL
		FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('a') ORDER BY i.id$$,
	$$VALUES ('PAYROLL', 'errors', 'bug', 'critical', 'Pay run stops with error E-17', 'Each time.', 'It says "E-17" - every time...', true, 0.88, 'org:acme', timestamptz '2026-03-01 12:00+00', 7::bigint, true),
		('PAYROLL', 'reporting', 'data_issue', 'low', 'Payroll register is empty', NULL, 'The payroll report is empty', false, NULL, 'org:acme', timestamptz '2026-03-01 12:00+00', 7::bigint, true)$$,
	'[seed 216] [seed 222] [seed 223] [seed 224] [seed 225] [seed 226] [seed 227] [seed 265] one ticket, two issues: a quote is verified, what is none is kept and marked');
SELECT ok((SELECT bool_and(i.public_id IS NOT NULL AND i.extracted_at = now() AND i.fingerprint = triage.issue_fingerprint(i.category, i.subcategory, i.summary)) FROM triage.extracted_issues i
	WHERE i.ticket_id = pg_temp.ticket('a')), '[seed 217] [seed 228] each has its ids, time and fingerprint');
SELECT ok(triage.analyzed_at('default', pg_temp.ticket('a')) >= now(), '[seed 213] the ticket was analysed');
SELECT results_eq($$SELECT x.issues, x.provider, x.model FROM triage.ticket_extractions x WHERE x.ticket_id = pg_temp.ticket('a')$$, $$VALUES (2, 'p', 'm')$$, 'by whom, and how many were found');
SELECT ok(triage.analyzed_at('default', pg_temp.ticket('v')) >= now(), '[seed 213] so was one in which nothing was found');
SELECT is((SELECT x.issues FROM triage.ticket_extractions x WHERE x.ticket_id = pg_temp.ticket('v')), 0, 'as is said');
SELECT is((SELECT count(*) FROM triage.extracted_issues i WHERE i.tenant_id = 'default'), 2::bigint, '[seed 254] issues are counted, not kept as a number');

SELECT triage.create_ticket('x', 'x', 'carl', external_id => 'person') \g /dev/null
SELECT triage.create_ticket('x', 'x', requester_email => 'Joe@Example.COM', external_id => 'mail') \g /dev/null
SELECT triage.create_ticket('x', 'x', external_id => 'nobody') \g /dev/null
SELECT pg_temp.look(n, pg_temp.answer(pg_temp.issue('x'))) FROM unnest('{person,mail,nobody}'::text[]) n \g /dev/null
SELECT results_eq($$SELECT t.external_id, i.customer FROM triage.extracted_issues i JOIN triage.tickets t ON t.id = i.ticket_id WHERE t.external_id IN ('person', 'mail', 'nobody') ORDER BY 1$$,
	$$VALUES ('mail', 'email:joe@example.com'), ('nobody', NULL), ('person', 'person:carl')$$, 'the customer is the organization, else the person, else the address');
SAVEPOINT requesters;
SELECT triage.update_ticket(t.id, c.changes) FROM (VALUES ('person', '{"requester_id": "olaf"}'::jsonb), ('mail', '{"requester_email": "ann@example.com"}'), ('nobody', '{"requester_id": "carl"}')) c (ticket, changes)
	JOIN triage.tickets t ON t.external_id = c.ticket \g /dev/null
SELECT results_eq($$SELECT t.external_id, i.customer FROM triage.extracted_issues i JOIN triage.tickets t ON t.id = i.ticket_id WHERE t.external_id IN ('person', 'mail', 'nobody') ORDER BY 1$$,
	$$VALUES ('mail', 'email:ann@example.com'), ('nobody', 'person:carl'), ('person', 'org:acme')$$, 'and follows when the ticket gets another requester');
SELECT is_empty($$SELECT c.detail FROM triage.check_integrity() c$$, 'counted for that one');
UPDATE triage.tickets SET requester_email = NULL WHERE external_id = 'mail';
SELECT is((SELECT i.customer FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('mail')), NULL, 'or for nobody');
ROLLBACK TO requesters;

-- an answer outside the taxonomy or its limits stores nothing at all
SELECT is(pg_temp.outcome(format('SELECT pg_temp.look(''a'', pg_temp.answer(pg_temp.issue(''new''), %L))', v.issue)), v.state, v.what)
	FROM (VALUES (pg_temp.issue('x', 'PAYROLL/pto'), '23503 extracted_issues_taxonomy_fkey', '[seed 229] an area that is not there is refused'),
		(pg_temp.issue('x', 'PAYROLL'), '23503 extracted_issues_taxonomy_fkey', 'half an area, too'),
		(pg_temp.issue(repeat('x', 501)), '23514 extracted_issues_summary_length', 'a summary is not clipped in silence'),
		(pg_temp.issue(''), '23514 extracted_issues_summary_length', 'nor missing'),
		(pg_temp.issue('x') || '{"issue_type": "rant"}', '22P02', 'a type that does not exist'),
		(pg_temp.issue('x', severity => 'fatal'), '22P02', 'a severity that does not exist'),
		(pg_temp.issue('x') || '{"confidence": 1.5}', '23514 extracted_issues_confidence', '[seed 227] a confidence above one')) v (issue, state, what);
SELECT is((SELECT count(*) FROM pg_temp.current_issues('a')), 2::bigint, '(what was there is there)');

-- Looking again ---------------------------------------------------------------------------------------------------------------

-- a person's decision
INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name) VALUES ('default', 'PAYROLL', 'errors', 'by hand') RETURNING id AS cluster \gset
UPDATE triage.extracted_issues i SET cluster_id = :cluster, assigned_by = 'human', assigned_at = now() WHERE i.summary = 'Pay run stops with error E-17';
SELECT i.id AS first FROM triage.extracted_issues i WHERE i.summary = 'Pay run stops with error E-17' \gset
SELECT pg_temp.look('a', pg_temp.answer(pg_temp.issue('pay run stops, with error E-17!', quote => 'every time', severity => 'low'), pg_temp.issue('Time clock is slow', 'TIME_AND_ATTENDANCE/hardware_issues'))) \g /dev/null
SELECT results_eq($$SELECT i.id, i.cluster_id, i.assigned_by::text, i.severity::text, i.quote_verified FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('a') AND i.category = 'PAYROLL' AND i.superseded_at IS NULL$$,
	format('VALUES (%s::bigint, %s::bigint, ''human'', ''low'', true)', :first, :cluster), 'an issue that reads as before keeps its row, its cluster and a person''s decision');
SELECT results_eq($$SELECT i.summary FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('a') AND i.superseded_at IS NOT NULL$$, $$VALUES ('Payroll register is empty')$$,
	'what is not found any more is superseded');
SELECT results_eq($$SELECT pg_temp.current_issues('a')$$, $$VALUES ('Pay run stops with error E-17'), ('Time clock is slow')$$, 'what is new is added');
SELECT pg_temp.look('a', pg_temp.answer(pg_temp.issue('Employee import fails', 'PAYROLL/errors'), pg_temp.issue('Error E-17 stops pay runs', 'PAYROLL/errors'))) \g /dev/null
SELECT results_eq($$SELECT i.summary, i.fingerprint = triage.issue_fingerprint(i.category, i.subcategory, i.summary) FROM triage.extracted_issues i WHERE i.id = $$ || :first || $$ AND i.superseded_at IS NULL AND i.assigned_by = 'human'$$,
	$$VALUES ('Error E-17 stops pay runs', true)$$, 'a person''s decision outlives another wording: the likest takes its row');
SELECT is((SELECT count(*) FROM pg_temp.current_issues('a')), 2::bigint, 'and the other one is an issue of its own');
SELECT pg_temp.look('a', pg_temp.answer(pg_temp.issue('Twice', severity => 'low'), pg_temp.issue('twice.', severity => 'high'))) \g /dev/null
SELECT is((SELECT string_agg(i.severity::text, ' ') FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('a') AND i.superseded_at IS NULL AND i.summary ILIKE 'twice%'), 'high',
	'what is said twice is there once, as the worse');
SELECT pg_temp.look('a', pg_temp.answer(pg_temp.issue('twice', 'PAYROLL/reporting'), pg_temp.issue('Another matter', 'PAYROLL/reporting'))) \g /dev/null
SELECT results_eq($$SELECT i.id, i.subcategory, i.cluster_id, i.fingerprint = triage.issue_fingerprint(i.category, i.subcategory, i.summary) FROM triage.extracted_issues i
		WHERE i.ticket_id = pg_temp.ticket('a') AND i.superseded_at IS NULL AND i.assigned_by = 'human'$$,
	format('VALUES (%s::bigint, ''reporting'', %s::bigint, true)', :first, :cluster), 'and another area, if it reads alike');
SELECT pg_temp.look('a', '{"issues": []}') \g /dev/null
SELECT results_eq($$SELECT pg_temp.current_issues('a')$$, $$VALUES ('twice')$$, 'where nothing is found any more, only what a person has placed is current');
SELECT cmp_ok((SELECT count(*) FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('a')), '>=', 4::bigint, 'though all is kept');

-- Keys and indexes ------------------------------------------------------------------------------------------------------------

SELECT i.id AS first FROM triage.extracted_issues i WHERE i.cluster_id = :cluster \gset
DELETE FROM triage.issue_clusters c WHERE c.id = :cluster;
SELECT results_eq(format('SELECT i.cluster_id, i.assigned_by::text FROM triage.extracted_issues i WHERE i.id = %s', :first), 'VALUES (NULL::bigint, NULL::text)', '[seed 219] [seed 231] the issues of a cluster that is deleted stay, without one');
SELECT ok(EXISTS (SELECT FROM pg_index i WHERE i.indrelid = 'triage.extracted_issues'::regclass AND pg_get_indexdef(i.indexrelid) LIKE '%(tenant_id, ' || v.columns || ')%'), format('[seed %s] an index on %s', v.seed, v.columns))
	FROM (VALUES ('category, subcategory, severity', 230), ('cluster_id, reported_at', 230), ('cluster_id, reported_at', 219), ('reported_at', 230), ('ticket_id', 218)) v (columns, seed);

-- Deleted tickets -------------------------------------------------------------------------------------------------------------

SELECT pg_temp.look('a', pg_temp.answer(pg_temp.issue('kept'))) \g /dev/null
SELECT count(*) AS superseded FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('a') AND i.superseded_at IS NOT NULL \gset
SELECT triage.delete_ticket(pg_temp.ticket('a')) \g /dev/null
SELECT is_empty($$SELECT pg_temp.current_issues('a')$$, 'a deleted ticket''s issues are current no more');
SELECT is_empty($$SELECT FROM pg_temp.told('a')$$, 'nor is the model told of it');
UPDATE triage.tickets t SET deleted_at = NULL WHERE t.external_id = 'a';
SELECT results_eq($$SELECT pg_temp.current_issues('a')$$, $$VALUES ('kept')$$, 'and come back with it');
SELECT is((SELECT count(*) FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('a') AND i.superseded_at IS NOT NULL), :superseded::bigint, 'those and no others');
SELECT triage.delete_ticket(pg_temp.ticket('a')), triage.purge_deleted('0') \g /dev/null
SELECT is((SELECT count(*) FROM triage.extracted_issues i WHERE i.run_id = 7 AND i.summary IN ('kept', 'twice.')) + (SELECT count(*) FROM triage.ticket_extractions x WHERE x.issues = 1 AND NOT EXISTS (
	SELECT FROM triage.tickets t WHERE t.id = x.ticket_id)), 0::bigint, '[seed 218] [seed 231] [seed 263] [seed 215] deleted for good, its issues go with it');

-- When tickets are looked at --------------------------------------------------------------------------------------------------

DELETE FROM triage.ai_jobs;
SELECT triage.create_ticket('x', 'x', 'carl', external_id => 'r' || n) FROM generate_series(1, 6) n \g /dev/null
SELECT is_empty('SELECT pg_temp.asked()', 'a new ticket is not looked at');
SELECT triage.resolve_ticket(pg_temp.ticket('r1')), triage.close_ticket(pg_temp.ticket('r2')), triage.resolve_ticket(pg_temp.ticket('r3'), 'spam') \g /dev/null
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('r1'), ('r2')$$, 'one that is resolved or closed is, unless it is spam');
SELECT is((SELECT string_agg(DISTINCT j.priority::text, ' ') FROM triage.ai_jobs j WHERE j.kind = 'extract_issues'), 'low', 'after everything else');
SELECT pg_temp.look('r1', '{"issues": []}') \g /dev/null
SELECT triage.close_ticket(pg_temp.ticket('r1')) \g /dev/null
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('r2')$$, 'once for what it says');
SELECT pg_temp.look('r4', '{"issues": []}') \g /dev/null
SELECT triage.resolve_ticket(pg_temp.ticket('r4')) \g /dev/null
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('r2')$$, 'also if it was looked at before it was resolved');
SELECT triage.add_comment(pg_temp.ticket('r4'), 'It is back', 'carl'), triage.resolve_ticket(pg_temp.ticket('r4')) \g /dev/null
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('r2'), ('r4')$$, 'and again when it says more');
SELECT triage.set_mining_settings('{"extract_on_resolve": false}') \g /dev/null
SELECT triage.resolve_ticket(pg_temp.ticket('r5')) \g /dev/null
SELECT triage.set_mining_settings('{"extract_on_resolve": null}') \g /dev/null
SAVEPOINT copying;
SELECT triage.set_syncing(true), triage.resolve_ticket(pg_temp.ticket('r6')), triage.set_syncing(false) \g /dev/null
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('r2'), ('r4')$$, 'not where the tenant does not want it, nor when a copy is written');
SET LOCAL triage.tenant = 'other';
SELECT triage.create_ticket('x', 'x', external_id => 'o') \g /dev/null
SELECT triage.resolve_ticket(pg_temp.ticket('o')) \g /dev/null
SELECT is(triage.request_extraction('other', ARRAY[pg_temp.ticket('o')]), 0::bigint, 'without a taxonomy sync asks for nothing');
SELECT is(pg_temp.outcome($$SELECT triage.extract_issues(pg_temp.ticket('o'))$$), '55000', 'and who asks is told');
SELECT is(pg_temp.outcome($$SELECT triage.extract_all()$$), '55000', 'in bulk, too');
SELECT is_empty($$SELECT FROM triage.ai_jobs j WHERE j.tenant_id = 'other' AND j.kind = 'extract_issues'$$, 'nothing is ever enqueued');
SELECT is_empty($$SELECT FROM pg_temp.told('o')$$, 'nor told');
RESET triage.tenant;

-- by a job that is there when the ticket ends
DELETE FROM triage.ai_jobs;
SELECT triage.create_ticket('x', 'x', 'carl', external_id => 'h1'), triage.create_ticket('x', 'x', 'carl', external_id => 'h2') \g /dev/null
SELECT triage.extract_issues(pg_temp.ticket('h1')) AS job \gset
SELECT is(:job::bigint, (SELECT j.id FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('h1') AND j.kind = 'extract_issues'), 'by hand: the job''s id');
SELECT j.fence AS fence FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('h1') AND j.kind = 'extract_issues' \gset
SELECT triage.resolve_ticket(pg_temp.ticket('h1')) \g /dev/null
SELECT is((SELECT j.fence FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('h1') AND j.kind = 'extract_issues'), :fence, 'a ticket that ends does not disturb its look');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('h1')), 1::bigint, '(though it calls off the rest)');
SELECT triage.extract_issues(pg_temp.ticket('h1')) \g /dev/null
SELECT is((SELECT j.fence FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('h1') AND j.kind = 'extract_issues'), :fence + 1, 'asked again, it begins anew');
SELECT pg_temp.look('h1', '{"issues": []}'), triage.extract_issues(pg_temp.ticket('h1')) \g /dev/null
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('h1')$$, 'by hand also what was looked at already');
SELECT is(pg_temp.outcome('SELECT triage.extract_issues(-1)'), 'P0002', 'a ticket that is not there');
SELECT triage.extract_issues(pg_temp.ticket('h2')), triage.delete_ticket(pg_temp.ticket('h2')) \g /dev/null
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('h1')$$, 'a deleted ticket is not looked at');
SELECT is(pg_temp.outcome($$SELECT triage.extract_issues(pg_temp.ticket('h2'))$$), 'P0002', 'nor can it be');

-- by sync
DELETE FROM triage.ai_jobs;
SELECT triage.create_ticket('x', 'x', 'carl', external_id => 's' || n) FROM generate_series(1, 3) n \g /dev/null
SELECT triage.delete_ticket(pg_temp.ticket('s3')) \g /dev/null
SELECT is(triage.request_extraction('default', ARRAY[pg_temp.ticket('s1'), pg_temp.ticket('s2'), pg_temp.ticket('s3'), -1]), 2::bigint, 'sync asks for what is there');
SELECT is(triage.request_extraction('default', ARRAY[pg_temp.ticket('s1'), pg_temp.ticket('s2')]), 0::bigint, 'once');
SELECT pg_temp.look('s1', '{"issues": []}') \g /dev/null
SELECT is(triage.request_extraction('default', ARRAY[pg_temp.ticket('s1')]), 0::bigint, 'not for what was looked at');
UPDATE triage.tickets t SET description = 'y' WHERE t.external_id = 's1';
SELECT is(triage.request_extraction('default', ARRAY[pg_temp.ticket('s1')]), 1::bigint, 'but for what changed since');
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('default', -1, pg_temp.ticket('s2'), 'extract_issues', 'low', 1, 1, 'refused', 'x', now());
DELETE FROM triage.ai_jobs;
SELECT is(triage.request_extraction('default', ARRAY[pg_temp.ticket('s2')]), 1::bigint, 'and for what was given up');
SELECT is_empty($$SELECT FROM triage.ai_dead_letters d WHERE d.ticket_id = pg_temp.ticket('s2')$$, 'which is no failure any more');
SELECT is(triage.request_extraction('default', '{}') + triage.request_extraction('default', NULL), 0::bigint, 'of nothing there is nothing');

-- What is removed or erased ----------------------------------------------------------------------------------------------------

SAVEPOINT gone;
SELECT triage.create_ticket('Deposits', 'They are late.', 'carl', external_id => 'q', request_triage => false) AS q \gset
SELECT triage.add_comment(:q, 'My account is 4711.', 'carl') AS said \gset
SELECT triage.add_comment(:q, 'Mine as well, 0815.', 'olaf') \g /dev/null
SELECT pg_temp.look('q', pg_temp.answer(pg_temp.issue('late', quote => 'They are late.'), pg_temp.issue('account', quote => 'account is 4711'), pg_temp.issue('other', quote => 'as well, 0815'))) \g /dev/null
SELECT triage.redact_comment(:said) \g /dev/null
SELECT results_eq($$SELECT i.summary, i.representative_quote, i.quote_verified FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('q') ORDER BY i.id$$,
	$$VALUES ('late', 'They are late.', true), ('account', NULL, false), ('other', 'as well, 0815', true)$$, 'what is removed from a comment is quoted no more');
SELECT is((SELECT e.erased FROM triage.erase_person('olaf') e WHERE e.relation = 'extracted_issues'), 1::bigint, 'erasing a person tells how many issues it changed');
SELECT results_eq($$SELECT i.summary, i.representative_quote FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('q') ORDER BY i.id$$,
	$$VALUES ('late', 'They are late.'), ('account', NULL), ('other', NULL)$$, 'and what the person wrote on another''s ticket is quoted no more');
SELECT is((SELECT count(*) FROM triage.erase_person('carl')) > 0, true, '(the requester is erased)');
SELECT is(triage.changed_tickets('default', ARRAY[pg_temp.ticket('q')]), '{}'::bigint[], 'which is no reason to look again');
SELECT is_empty($$SELECT FROM pg_temp.told('q')$$, 'and nothing could be told');
SELECT is((SELECT count(*) FROM pg_temp.current_issues('q')), 3::bigint, 'the issues count as before');
ROLLBACK TO gone;

-- As an external worker does it ------------------------------------------------------------------------------------------------

SAVEPOINT external;
DELETE FROM triage.ai_jobs;
SELECT triage.create_ticket('Export', 'The export button does nothing.', 'carl', external_id => 'w', request_triage => false) AS w \gset
SELECT triage.extract_issues(:w) AS job \gset
SELECT j.fence AS fence, j.request FROM triage.claim_jobs(1, kinds => '{extract_issues}') j \gset
SELECT is(:'request'::jsonb ->> 'heading' || jsonb_array_length(:'request'::jsonb -> 'labels'), 'Export14', 'a job comes with what the model is to be told');
SELECT results_eq($$SELECT p.pending, p.running FROM triage.extraction_progress p WHERE p.tenant_id = 'default'$$, $$VALUES (0::bigint, 1::bigint)$$, 'and runs');
CREATE FUNCTION pg_temp.late(change text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	claim record;
	told record;
BEGIN
	SELECT * INTO claim FROM triage.claim_jobs(1, kinds => '{extract_issues}');
	EXECUTE change;
	IF triage.complete_job(claim.job_id, claim.fence, pg_temp.answer(pg_temp.issue('Export button does nothing', 'PAYROLL/reporting'))) THEN
		RETURN 'stored';
	END IF;
	SELECT j.lease_until, j.attempts INTO told FROM triage.ai_jobs j WHERE j.id = claim.job_id;
	RETURN format('stale, %s, job %s', (SELECT count(*) FROM pg_temp.current_issues('w')), CASE WHEN told.lease_until IS NULL AND told.attempts = 0 THEN 'waits' ELSE 'is lost' END);
END
$$;
UPDATE triage.ai_jobs j SET lease_until = NULL;
SELECT is(pg_temp.late(v.change), 'stale, 0, job waits', v.change || ': the answer about the text before does not count')
	FROM (VALUES ($$UPDATE triage.tickets t SET description = 'The export button is gone.' WHERE t.external_id = 'w'$$), ($$UPDATE triage.tickets t SET subject = 'Export!' WHERE t.external_id = 'w'$$),
		($$SELECT triage.add_comment(t.id, 'It is back', 'carl') FROM triage.tickets t WHERE t.external_id = 'w'$$), ($$SELECT triage.add_comment(t.id, 'Known', 'ann', visibility => 'internal') FROM triage.tickets t WHERE t.external_id = 'w'$$),
		($$SELECT triage.edit_comment(c.id, 'It is gone') FROM triage.ticket_comments c WHERE c.content = 'It is back'$$)) v (change);
SELECT is(pg_temp.late($$UPDATE triage.tickets t SET priority = 'high' WHERE t.external_id = 'w'$$), 'stored', 'another priority is no other text');
SELECT triage.extract_issues(:w) AS job \gset
SELECT j.fence AS fence FROM triage.claim_jobs(1, kinds => '{extract_issues}') j \gset
SELECT is(pg_temp.outcome(format('SELECT triage.complete_job(%s, %s, pg_temp.answer(pg_temp.issue(''x'', ''PAYROLL/pto'')))', :job, :fence)), '22023', 'an answer with a label that was not offered is refused');
SELECT is(triage.complete_job(:job, :fence, pg_temp.answer(pg_temp.issue('Export button is missing', 'PAYROLL/reporting', 'export button is gone')), 'm', 10, 0, 10), true, 'one about the text as it is counts');
SELECT results_eq($$SELECT i.summary, i.quote_verified, i.run_id = (SELECT max(r.id) FROM triage.ai_runs r WHERE r.kind = 'extract_issues') FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('w') AND i.superseded_at IS NULL$$,
	$$VALUES ('Export button is missing', true, true)$$, '[seed 265] what it says is stored, with the call it came from');
SELECT is_empty('SELECT pg_temp.asked()', 'and the job is done');
SELECT triage.extract_issues(:w) AS job \gset
SELECT j.fence AS fence FROM triage.claim_jobs(1, kinds => '{extract_issues}') j \gset
SELECT is(triage.fail_job(:job, :fence, 'refused', 'no'), 'failed', 'one that is given up');
SELECT results_eq($$SELECT p.pending, p.running, p.failed FROM triage.extraction_progress p WHERE p.tenant_id = 'default'$$, $$VALUES (0::bigint, 0::bigint, 1::bigint)$$, 'is counted as failed');
SELECT results_eq($$SELECT pg_temp.current_issues('w')$$, $$VALUES ('Export button is missing')$$, 'and takes nothing away');
SELECT triage.resolve_ticket(:w) \g /dev/null
SELECT is(triage.retry_failed(), 1::bigint, 'it can be tried again, though the ticket is finished');
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('w')$$, '(and waits)');
ROLLBACK TO external;

-- Integrity and retention -----------------------------------------------------------------------------------------------------

SELECT is_empty($$SELECT * FROM triage.check_integrity() c WHERE c.problem = 'issue'$$, 'nothing contradicts itself');
SELECT pg_temp.look('s1', pg_temp.answer(pg_temp.issue('one'), pg_temp.issue('two'))), pg_temp.look('s1', pg_temp.answer(pg_temp.issue('two'))) \g /dev/null
SAVEPOINT broken;
SET LOCAL session_replication_role = replica;
UPDATE triage.tickets t SET deleted_at = now() WHERE t.external_id = 's1';
RESET session_replication_role;
SELECT is((SELECT string_agg(regexp_replace(c.detail, '\d+', 'N'), ', ') FROM triage.check_integrity() c WHERE c.problem = 'issue'), 'issue N is current, and its ticket is deleted', 'current issues of a deleted ticket are found');
ROLLBACK TO broken;
UPDATE triage.extracted_issues i SET superseded_at = NULL, fingerprint = (SELECT x.fingerprint FROM triage.extracted_issues x WHERE x.summary = 'two'), quote_verified = true WHERE i.summary = 'one';
SELECT set_eq($$SELECT regexp_replace(c.detail, '\d+', 'N') FROM triage.check_integrity() c WHERE c.problem = 'issue'$$, $$VALUES ('issue N is current 2 times'), ('issue N has a verified quote, and none')$$,
	'so is one that is there twice, and a quote that is verified and not there');
ROLLBACK TO broken;
UPDATE triage.retention SET keep = '10 days' WHERE target = 'superseded_results';
UPDATE triage.extracted_issues i SET superseded_at = now() - interval '11 days' WHERE i.summary = 'one';
SELECT pg_temp.look('s2', pg_temp.answer(pg_temp.issue('hidden'))) \g /dev/null
SELECT triage.delete_ticket(pg_temp.ticket('s2')) \g /dev/null
UPDATE triage.tickets t SET deleted_at = now() - interval '11 days' WHERE t.external_id = 's2';
SELECT is((SELECT r.deleted FROM triage.apply_retention() r WHERE r.target = 'superseded_results'), 1::bigint, 'what is superseded for long enough is deleted');
SELECT set_eq($$SELECT i.summary FROM triage.extracted_issues i WHERE i.ticket_id IN (pg_temp.ticket('s1'), pg_temp.ticket('s2'))$$, '{two,hidden}'::text[], 'not what is current, nor what hides with its ticket');
ROLLBACK TO broken;

-- In bulk, and what it costs --------------------------------------------------------------------------------------------------

DELETE FROM triage.ai_jobs;
DELETE FROM triage.tickets t WHERE t.tenant_id = 'default';
SELECT triage.set_mining_settings('{"extract_on_sync": false, "extract_on_resolve": false}') \g /dev/null
SELECT triage.create_ticket('subject', repeat('x', 393), 'carl', external_id => 'b' || n) FROM generate_series(1, 5) n \g /dev/null
UPDATE triage.tickets t SET created_at = now() - interval '1 day' * substr(t.external_id, 2)::int WHERE t.tenant_id = 'default';
SELECT triage.resolve_ticket(pg_temp.ticket('b5'), 'spam') \g /dev/null
DELETE FROM triage.ai_jobs;
SELECT results_eq('SELECT e.tickets, e.cost, e.currency, e.provider FROM triage.estimate_extraction() e', $$VALUES (4::bigint, NULL::numeric, NULL::text, 'builtin')$$, 'builtin costs nothing that could be told');
INSERT INTO triage.providers (name, api, base_url, model, rank) VALUES ('p', 'openai', 'http://127.0.0.1:1/v1', 'm', 10);
SELECT results_eq('SELECT e.tickets, e.cost, e.currency, e.provider, e.model FROM triage.estimate_extraction() e', $$VALUES (4::bigint, NULL::numeric, NULL::text, 'p', 'm')$$, 'without a price the cost is not known, which is not nothing');
SELECT triage.set_price('m', input => 2, output => 10, currency => 'EUR') \g /dev/null
SELECT ok((SELECT e.cost = round((e.input_tokens * 2 + e.output_tokens * 10) / 1000000.0, 6) AND e.cost > 0 AND e.currency = 'EUR' AND e.output_tokens = 4 * 250 FROM triage.estimate_extraction() e),
	'with one it is that of tokens in and out');
SELECT ok((SELECT e.input_tokens / e.tickets BETWEEN 100 + 2000 AND 100 + 6000 FROM triage.estimate_extraction() e), 'a request is prompt, labels and text');
SELECT is((SELECT e.tickets FROM triage.estimate_extraction(now() - interval '60 hours') e), 2::bigint, 'of tickets since then');
SELECT is((SELECT e.tickets FROM triage.estimate_extraction(max_tickets => 3) e), 3::bigint, 'or so many');
SELECT ok((SELECT e.input_tokens = 0 AND e.tickets = 0 AND e.cost = 0 FROM triage.estimate_extraction(now() + interval '1 day') e), 'or none');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.kind = 'extract_issues'), 0::bigint, '(an estimate asks for nothing)');
INSERT INTO triage.ai_runs (tenant_id, job_id, kind, fence, outcome, provider, model, input_tokens, output_tokens, cost, currency)
	VALUES ('default', 1, 'extract_issues', 1, 'succeeded', 'p', 'm', 100, 90, 0.5, 'EUR'), ('default', 2, 'extract_issues', 1, 'succeeded', 'p', 'm', 100, 110, 0.25, 'EUR'),
		('default', 3, 'extract_issues', 1, 'transient', 'p', 'm', NULL, NULL, NULL, NULL), ('default', 3, 'triage', 1, 'succeeded', 'p', 'm', 5, 5, 3, 'EUR');
SELECT is((SELECT e.output_tokens / e.tickets FROM triage.estimate_extraction() e), 100::bigint, 'answers are taken to be as long as they were');
SELECT is(triage.extract_all(max_tickets => 2), 2::bigint, 'extract_all asks for so many');
SELECT results_eq('SELECT pg_temp.asked()', $$VALUES ('b1'), ('b2')$$, 'the newest');
SELECT is((SELECT e.tickets FROM triage.estimate_extraction() e), 2::bigint, 'what waits is not counted again');
SELECT pg_temp.look('b1', pg_temp.answer(pg_temp.issue('x'))) \g /dev/null
UPDATE triage.ai_jobs j SET lease_until = now() + interval '1 minute' WHERE j.ticket_id = pg_temp.ticket('b2') AND j.kind = 'extract_issues';
SELECT is(triage.extract_all(now() - interval '84 hours'), 1::bigint, 'nor are those that were looked at');
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('default', -1, pg_temp.ticket('b4'), 'extract_issues', 'low', 1, 1, 'refused', 'x', now());
SELECT results_eq('SELECT p.pending, p.running, p.done, p.failed, p.issues, p.cost, p.currency, p.unpriced_calls FROM triage.extraction_progress p WHERE p.tenant_id = ''default''',
	$$VALUES (1::bigint, 1::bigint, 1::bigint, 1::bigint, 1::bigint, 0.75, 'EUR', 0::bigint)$$, 'extraction_progress tells how far it is, and what it has cost');
INSERT INTO triage.ai_runs (tenant_id, job_id, kind, fence, outcome, provider, model, input_tokens, output_tokens, cost, currency)
	VALUES ('default', 4, 'extract_issues', 1, 'succeeded', 'p', 'm', 100, 90, NULL, NULL), ('default', 4, 'extract_issues', 1, 'succeeded', 'p', 'm', 100, 90, 1, 'USD');
SELECT results_eq('SELECT p.cost, p.currency, p.unpriced_calls FROM triage.extraction_progress p WHERE p.tenant_id = ''default''', $$VALUES (NULL::numeric, NULL::text, 1::bigint)$$,
	'two currencies have no sum, and what has no price is counted');
SELECT triage.create_tenant('thrifty') \g /dev/null
INSERT INTO triage.ai_runs (tenant_id, job_id, kind, fence, outcome, provider, model, cost) VALUES ('thrifty', 1, 'extract_issues', 1, 'succeeded', 'builtin', 'builtin-1', 0);
SELECT is((SELECT p.cost FROM triage.extraction_progress p WHERE p.tenant_id = 'thrifty'), 0::numeric, 'what cost nothing has cost 0, in no currency');
SELECT is(triage.extract_all(again => true), 2::bigint, 'with again also those that were looked at');
SELECT is(pg_temp.outcome('SELECT triage.extract_all(max_tickets => 0)'), '22023', 'so many is one or more');
SELECT is(pg_temp.outcome('SELECT * FROM triage.estimate_extraction(max_tickets => -1)'), '22023', 'for the estimate, too');

-- Quotes ----------------------------------------------------------------------------------------------------------------------

SELECT is(triage.quote_occurs(v.quote, v.source), v.occurs, v.what)
	FROM (VALUES ('a b', E'x a \t\r\n b y', true, 'a run of white space is a space'), (U&'a\00A0b', 'a b', true, 'a no-break space is one'), (U&'a\200Bb', 'ab', true, 'a zero-width space is nothing'),
		('ab', 'a b', false, 'a space is not'), (U&'\201Cit\2019s\201D \2014 so\2026', '"it''s" - so...', true, 'typography is no difference'), ('A', 'a', false, 'case is'), ('a.c(', 'abc(', false, 'no character is special'),
		('.*[x]{2}\d$', 'y .*[x]{2}\d$ y', true, 'nor in the text'), ('%', 'abc', false, 'nor LIKE''s'), ('', 'abc', false, 'nothing is no quote'), (U&'\200B \FEFF', 'abc', false, 'nor what cannot be seen')) v (quote, source, occurs, what);
SELECT is(triage.quote_occurs(NULL, 'x'), NULL, 'NULL is NULL');
SELECT is(encode(triage.issue_fingerprint('PAYROLL', 'errors', U&'  The \201Cpay-run\201D  STOPS. '), 'hex'),
	encode(sha256(E'PAYROLL/errors\nthe pay run stops'::bytea), 'hex'), 'a fingerprint is of the area and the plain summary');
SELECT isnt(triage.issue_fingerprint('PAYROLL', 'reporting', 'x'), triage.issue_fingerprint('TIME_AND_ATTENDANCE', 'reporting', 'x'), 'the same words in another area are another issue');
SELECT is((SELECT p.provolatile::text FROM pg_proc p WHERE p.oid = 'triage.issue_fingerprint(text,text,text)'::regprocedure), 'i', 'it is always the same');

SELECT finish();
ROLLBACK;
