-- What is to be seen of sync: its views, its checks in health() and doctor(), and that what hangs on a ticket goes with it.
\ir prepare.psql
SELECT no_plan();

SELECT triage.add_zendesk_source('acme', 'admin@example.com', 'key', requests_per_minute => 1000000, comment_requests_per_minute => 1000000);
SELECT triage.load_taxonomy();
CREATE FUNCTION pg_temp.t(id text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'created_at', 1700000000, 'updated_at', 1700000100, 'generated_at', 1700000100, 'subject', 'Subject ' || id,
		'description', 'Description ' || id, 'status', 'hold', 'priority', 'high', 'requester_id', '1', 'tags', '["a", "b"]'::jsonb) || more
$$;
CREATE FUNCTION pg_temp.copy(at_end boolean, VARIADIC tickets jsonb[]) RETURNS text LANGUAGE sql AS $$
	SELECT triage.store_sync_tickets(c.tenant_id, c.source, c.fence, jsonb_build_object('tickets', to_jsonb(tickets), 'after_cursor', 'c', 'end_of_stream', at_end,
			'users', '[{"id": "1", "name": "Carla", "email": "carla@example.com", "role": "end-user", "organization_id": "9"}, {"id": "2", "name": "Ann", "role": "agent"}]'::jsonb,
			'organizations', '[{"id": "9", "name": "Example Ltd"}, {"id": "10", "name": "Parent Inc"}]'::jsonb), 200, 5, clock_timestamp())
		FROM triage.claim_sync(0, 1) c WHERE c.stream = 'tickets'
$$;

-- Before anything came ----------------------------------------------------------------------------------------------------

SELECT results_eq('SELECT id, last_ticket_updated_at, tickets_synced, issues_extracted, sync_completed_at FROM triage.sync_state_overview',
	$$VALUES ('zendesk'::text, NULL::timestamptz, 0::bigint, 0::bigint, NULL::timestamptz)$$, '[seed 250] [seed 253] [seed 255] a source''s progress: nothing yet');
SELECT results_eq('SELECT stream::text, state, lag FROM triage.sync_status s ORDER BY s.stream', $$VALUES ('tickets'::text, 'catching up'::text, NULL::interval), ('comments', 'current', NULL)$$, 'and how it is');
SELECT is_empty('SELECT * FROM triage.zendesk_tickets', '[seed 197] no tickets');

-- Tickets -----------------------------------------------------------------------------------------------------------------

SELECT pg_temp.copy(true, pg_temp.t('35436'), pg_temp.t('35437', '{"organization_id": "10", "requester_id": null, "status": "solved"}'), pg_temp.t('abc'));
SELECT triage.store_sync_comments(c.tenant_id, c.source, c.fence, c.ticket_external_id, '{"comments": [
			{"id": "3", "author_id": "2", "body": "second public", "public": true, "created_at": 1700000300},
			{"id": "1", "author_id": "1", "body": "first public", "public": true, "created_at": 1700000200},
			{"id": "2", "author_id": "2", "body": "a note", "public": false, "created_at": 1700000250},
			{"id": "4", "author_id": "2", "body": "another note", "public": false, "created_at": 1700000400}], "users": [], "has_more": false}', 200, 5, clock_timestamp())
	FROM triage.claim_sync(0, 4) c WHERE c.ticket_external_id = '35436';
SELECT columns_are('triage', 'zendesk_tickets', ARRAY['id', 'public_id', 'zendesk_ticket_id', 'subject', 'description', 'internal_notes', 'public_comments', 'requester_email',
		'requester_org_name', 'zendesk_org_id', 'tags', 'status', 'priority', 'ticket_created_at', 'ticket_updated_at', 'synced_at', 'analyzed_at', 'source', 'deleted_at', 'tenant_id'],
	'[seed 197] the columns of tickets');
SELECT results_eq('SELECT id, public_id FROM triage.zendesk_tickets WHERE zendesk_ticket_id = 35436', 'SELECT t.id, t.public_id FROM triage.tickets t WHERE t.external_id = ''35436''',
	'[seed 198] [seed 199] by its number here, the uuid for outside, and the number there');
SELECT results_eq('SELECT subject, description, internal_notes, public_comments FROM triage.zendesk_tickets WHERE zendesk_ticket_id = 35436',
	$$VALUES ('Subject 35436'::text, 'Description 35436'::text, E'a note\n\nanother note'::text, E'first public\n\nsecond public'::text)$$,
	'[seed 200] [seed 201] [seed 202] [seed 203] texts, and comments in the order of time');
SELECT results_eq('SELECT requester_email, requester_org_name, zendesk_org_id, tags, status::text, priority::text FROM triage.zendesk_tickets WHERE zendesk_ticket_id = 35436',
	$$VALUES ('carla@example.com'::text, 'Example Ltd'::text, 9::bigint, '["a", "b"]'::jsonb, 'on_hold'::text, 'high'::text)$$,
	'[seed 204] [seed 205] [seed 206] [seed 207] [seed 208] [seed 209] who asks and for whom, tags, status, priority');
SELECT results_eq('SELECT requester_email, requester_org_name, zendesk_org_id, internal_notes FROM triage.zendesk_tickets WHERE zendesk_ticket_id = 35437',
	$$VALUES (NULL::text, 'Parent Inc'::text, 10::bigint, NULL::text)$$, 'the ticket''s own organization goes before its requester''s');
SELECT results_eq('SELECT ticket_created_at, ticket_updated_at, synced_at, analyzed_at FROM triage.zendesk_tickets WHERE zendesk_ticket_id = 35436',
	$$VALUES (to_timestamp(1700000000), to_timestamp(1700000100), now(), NULL::timestamptz)$$, '[seed 210] [seed 211] [seed 212] [seed 213] times, by the source''s clock and ours');
SELECT is((SELECT zendesk_ticket_id FROM triage.zendesk_tickets WHERE subject = 'Subject abc'), NULL, 'an id that is no number is none');
SELECT isnt_empty('SELECT FROM triage.ai_jobs WHERE kind = ''extract_issues'' AND ticket_id = pg_temp.ticket(''35436'')', '[seed 214] what was not analysed yet is in the queue');
INSERT INTO triage.ticket_extractions (tenant_id, ticket_id, content_version, issues, analyzed_at) VALUES ('default', pg_temp.ticket('35436'), 1, 1, '2026-01-01 00:00+00');
INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at, superseded_at)
	SELECT 'default', pg_temp.ticket('35436'), x.category, x.subcategory, 'bug', 'low', 'It burns', '', now(), s
		FROM (SELECT * FROM triage.issue_taxonomy WHERE tenant_id = 'default' LIMIT 1) x, (VALUES (NULL::timestamptz), (now())) v (s);
SELECT is((SELECT analyzed_at FROM triage.zendesk_tickets WHERE zendesk_ticket_id = 35436), '2026-01-01 00:00+00', '[seed 213] then it says when');
SELECT results_eq('SELECT id, last_ticket_updated_at, tickets_synced, issues_extracted, sync_completed_at FROM triage.sync_state_overview',
	$$VALUES ('zendesk'::text, to_timestamp(1700000100), 3::bigint, 1::bigint, now())$$, '[seed 251] [seed 252] [seed 253] [seed 255] the source''s progress, in the singleton''s columns');
SELECT columns_are('triage', 'sync_state_overview', ARRAY['id', 'last_ticket_updated_at', 'tickets_synced', 'issues_extracted', 'sync_completed_at', 'tenant_id'], '[seed 250] which are these');
-- indexes
SELECT has_index('triage', 'tickets', 'tickets_external_id_key', ARRAY['tenant_id', 'source', 'external_id'], '[seed 214] a ticket is found by its number there');
SELECT index_is_unique('triage', 'tickets', 'tickets_external_id_key', '[seed 199] of which there is one');
SELECT has_index('triage', 'synced_tickets', 'synced_tickets_number', ARRAY['tenant_id', 'external_number'], '[seed 199] [seed 214] a view can ask by that number');
SELECT has_index('triage', 'synced_tickets', 'synced_tickets_updated', ARRAY['tenant_id', 'source', 'source_updated_at'], '[seed 211] [seed 214] and by when it changed');
SELECT has_index('triage', 'ticket_extractions', 'ticket_extractions_analyzed', ARRAY['tenant_id', 'analyzed_at'], '[seed 213] [seed 214] and by when it was analysed');

-- How a source is ---------------------------------------------------------------------------------------------------------------

SELECT results_eq('SELECT stream::text, state, copied, waiting, last_ticket_updated_at, sync_completed_at, lag FROM triage.sync_status s ORDER BY s.stream',
	$$VALUES ('tickets'::text, 'current'::text, 3::bigint, NULL::bigint, to_timestamp(1700000100), now(), interval '0'), ('comments', 'running', 1, 2, NULL, NULL, interval '0')$$, 'what is copied and what waits');
SELECT triage.take_over_sync(0);
SELECT is((SELECT state FROM triage.sync_status WHERE stream = 'comments'), 'catching up', 'it has more to read');
SELECT set_eq($$SELECT check_name, level::text FROM triage.health() WHERE check_name LIKE 'sync%'$$, $$VALUES ('sync'::text, 'ok'::text), ('sync rows', 'ok')$$, 'health() has nothing to say');
UPDATE triage.sync_state SET sync_completed_at = now() - interval '16 minutes' WHERE stream = 'tickets';
SELECT is((SELECT level || ': ' || what FROM triage.health() WHERE check_name = 'sync'), 'warning: of 1 sources 1 streams are behind', 'but when it lags');
UPDATE triage.sync_sources SET poll_interval = '10 minutes';
SELECT is((SELECT level::text FROM triage.health() WHERE check_name = 'sync'), 'ok', 'unless that is its pace');
UPDATE triage.sync_state SET consecutive_failures = 3, last_error = 'HTTP 500' WHERE stream = 'comments';
SELECT is((SELECT level || ': ' || what FROM triage.health() WHERE check_name = 'sync'), 'warning: of 1 sources 1 streams fail again and again: HTTP 500', 'when it fails');
SELECT triage.create_tenant('elsewhere');
SET LOCAL triage.tenant = 'elsewhere';
SELECT is((SELECT level || ': ' || what FROM triage.health() WHERE check_name = 'sync'), 'warning: of 1 sources 1 streams fail again and again', 'whose answer no other tenant is told');
RESET triage.tenant;
SELECT is((SELECT state || ': ' || reason FROM triage.sync_status WHERE stream = 'comments'), 'failing: HTTP 500', 'as sync_status says');
UPDATE triage.sync_state SET resting_since = now() - interval '1 hour', next_run_at = 'infinity', last_error = 'HTTP 401: the token is invalid' WHERE stream = 'tickets';
SELECT is((SELECT level || ': ' || (since = now() - interval '1 hour') FROM triage.health() WHERE check_name = 'sync'), 'critical: true', 'when its key is refused nothing comes any more');
SELECT results_eq('SELECT state, reason, stopped_since, due_at FROM triage.sync_status WHERE stream = ''tickets''',
	$$VALUES ('resting'::text, 'HTTP 401: the token is invalid'::text, now() - interval '1 hour', NULL::timestamptz)$$, 'as sync_status says');
SELECT triage.pause_source('zendesk', 'moving house');
SELECT is((SELECT string_agg(state || ': ' || reason, ', ') FROM triage.sync_status), 'paused: moving house, paused: moving house', 'paused by hand');
SELECT is((SELECT level || ': ' || what FROM triage.health() WHERE check_name = 'sync'), 'warning: of 1 sources 1 are paused by hand', 'which health() says, too');
SELECT is((SELECT fix_sql FROM triage.doctor() WHERE finding = 'source paused'), 'SET triage.tenant = ''default''; SELECT triage.resume_source(''zendesk'');', 'and doctor() what to do');
SELECT triage.resume_source('zendesk');
SELECT is((SELECT count(*) FROM triage.doctor() WHERE finding IN ('source rests', 'source paused')), 0::bigint, 'once that is done');
SELECT alike((SELECT detail FROM triage.doctor() WHERE finding = 'origin refused'), 'source zendesk of tenant default: %', 'an origin that is not listed');
SELECT alike((SELECT detail FROM triage.doctor() WHERE finding = 'key file'), 'source zendesk of tenant default: %', 'a key''s file that is not there');
DELETE FROM triage.sync_state WHERE stream = 'comments';
SELECT is((SELECT fix_sql FROM triage.doctor() WHERE finding = 'source without state'), 'INSERT INTO triage.sync_state (tenant_id, source, stream) VALUES (''default'', ''zendesk'', ''comments'');',
	'a state that somebody deleted');
INSERT INTO triage.sync_state (tenant_id, source, stream) VALUES ('default', 'zendesk', 'comments');
UPDATE triage.sync_sources SET include_comments = false;
SELECT is((SELECT state FROM triage.sync_status WHERE stream = 'comments'), 'off', 'comments that are not wanted');
UPDATE triage.sync_state SET next_run_at = now(), paced_until = now();
SELECT pg_temp.copy(false, pg_temp.t('7', '{"created_at": "x"}'));
SELECT is((SELECT level || ': ' || what FROM triage.health() WHERE check_name = 'sync rows'), 'warning: 1 requests in the last day brought rows that could not be stored', 'rows that were left out');
SELECT triage.drop_source('zendesk');
SELECT is_empty('SELECT FROM triage.sync_status UNION ALL SELECT FROM triage.sync_state_overview UNION ALL SELECT FROM triage.zendesk_tickets', 'a source that is dropped shows nowhere');

-- What hangs on a ticket ------------------------------------------------------------------------------------------------------

SELECT triage.add_zendesk_source('acme', 'admin@example.com', 'key', requests_per_minute => 1000000);
SELECT pg_temp.copy(false, pg_temp.t('35436', '{"generated_at": 1700000500}'));
SELECT isnt_empty('SELECT FROM triage.synced_tickets', 'added again, it goes on with the tickets that are there');
SELECT triage.delete_ticket(pg_temp.ticket('35436'));
SELECT is((SELECT deleted_at IS NOT NULL FROM triage.zendesk_tickets), true, 'a deleted ticket is shown as deleted');
SELECT triage.purge_deleted('0');
SELECT is_empty('SELECT FROM triage.extracted_issues UNION ALL SELECT FROM triage.synced_tickets UNION ALL SELECT FROM triage.ticket_extractions',
	'[seed 215] its issues, and what the source said of it, go with it');

-- Other roles -----------------------------------------------------------------------------------------------------------------

CREATE ROLE regress_triage_reader;
CREATE ROLE regress_triage_admin;
SELECT triage.grant_access('regress_triage_reader', 'reader'), triage.grant_access('regress_triage_admin', 'admin');
SELECT pg_temp.copy(false, pg_temp.t('8'));
CREATE ROLE regress_triage_worker;
SELECT triage.grant_access('regress_triage_worker', 'worker');
SET LOCAL ROLE regress_triage_worker;
SELECT pg_temp.copy(false, pg_temp.t('9'));
SELECT is(pg_temp.outcome('SELECT triage.set_syncing(true)'), '42501', 'a worker''s role stores pages, and copies nothing else');
RESET ROLE;
SELECT isnt(pg_temp.ticket('9'), NULL, '(it did)');
DELETE FROM triage.tickets WHERE external_id = '9';
SET LOCAL ROLE regress_triage_reader;
SELECT is((SELECT count(*) FROM triage.zendesk_tickets) + (SELECT count(*) FROM triage.sync_state_overview), 2::bigint, 'a reader sees tickets and progress');
SELECT is(pg_temp.outcome(command), '42501', command)
	FROM unnest(ARRAY['SELECT * FROM triage.sync_status', 'SELECT triage.sync_now()', 'SELECT triage.pause_source(''zendesk'')', 'UPDATE triage.synced_tickets SET details = ''{}''',
		'UPDATE triage.sync_state SET cursor = ''x''']) c (command);
SET LOCAL ROLE regress_triage_admin;
SELECT is(pg_temp.outcome(command), 'ok', command)
	FROM unnest(ARRAY['SELECT * FROM triage.sync_status', 'SELECT triage.sync_now()', 'SELECT triage.pause_source(''zendesk'', ''x'')', 'SELECT triage.resume_source(''zendesk'')']) c (command);
SELECT is(pg_temp.outcome(command), '42501', 'only the owner says where tickets come from: ' || command)
	FROM unnest(ARRAY['SELECT triage.add_zendesk_source(''acme'', ''a@b.c'', ''openai.key'')', 'SELECT triage.drop_source(''zendesk'')', 'UPDATE triage.sync_sources SET base_url = ''https://evil.example''',
		'INSERT INTO triage.sync_sources (name, base_url, auth, secret, start_time) VALUES (''x'', ''https://evil.example'', ''oauth'', ''openai.key'', now())',
		'SELECT * FROM triage.claim_sync(0, 1)', 'SELECT triage.store_sync_tickets(''default'', ''zendesk'', 1, ''{}'', 200, 1, now())']) c (command);
RESET ROLE;
SELECT triage.pause_source('zendesk'), triage.allow_tenant('regress_triage_admin', 'elsewhere');
SELECT isnt_empty($$SELECT FROM triage.doctor() WHERE detail ~ 'tenant default'$$, 'doctor() names a source and its tenant');
SET LOCAL SESSION AUTHORIZATION regress_triage_admin;
SELECT is_empty($$SELECT FROM triage.doctor() WHERE detail ~ 'tenant default'$$, 'but to no administrator who is held to another tenant');
RESET SESSION AUTHORIZATION;

SELECT finish();
ROLLBACK;
