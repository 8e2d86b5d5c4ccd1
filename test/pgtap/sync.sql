-- Sync: sources, what the worker is given to request, and how the pages that come are stored, hostile ones too.
\ir prepare.psql
SELECT no_plan();
-- as in the worker's session
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL lock_timeout = '200ms';

-- Sources --------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome('SELECT triage.add_zendesk_source(' || arguments || ')'), '22023', arguments)
	FROM (VALUES (''), ('''acme'''), ('''acme'', ''a@b'''), ('''acme'', ''a@b'', ''../key'''), ('''acme'', ''a@b'', ''sub/key'''),
		('''acme.zendesk.com'', ''a@b'', ''key'''), ('''-acme'', ''a@b'', ''key'''), ('''acme'', ''a@b/token:x'', ''key'''),
		('''acme'', ''not an address'', ''key'''), ('''acme'', ''a@b'', ''key'', auth => ''oauth'''), ('''acme'', ''a@b'', ''key'', auth => NULL'),
		('''acme'', ''a@b'', ''key'', base_url => ''https://acme.zendesk.com'''), ('email => ''a@b'', secret => ''key'', base_url => ''https://me:pw@acme.example'''),
		('email => ''a@b'', secret => ''key'', base_url => ''https://acme.example/api/v2'''), ('''acme'', ''a@b'', ''key'', NULL'),
		('''acme'', ''a@b'', ''key'', ''infinity'''), ('''acme'', ''a@b'', ''key'', ''1969-12-31'''), ('''acme'', ''a@b'', ''key'', name => ''Zendesk'''),
		('''acme'', ''a@b'', ''key'', name => ''api'''), ('''acme'', ''a@b'', ''key'', page_size => 1001'), ('''acme'', ''a@b'', ''key'', poll_interval => ''0'''),
		('''acme'', ''a@b'', ''key'', timeout_ms => 1'), ('''acme'', ''a@b'', ''key'', requests_per_minute => 0'),
		('''acme'', ''a@b'', ''key'', support_type_scope => ''mine''')) v (arguments);
SELECT throws_ok('SELECT triage.add_zendesk_source(''acme'', ''a@b'')', '22023', 'a source needs secret, the name of its token''s file', 'a secret that is not given is asked for');
SELECT is((SELECT count(*) FROM triage.sync_sources), 0::bigint, 'what does not fit adds no source');
SELECT triage.create_tenant('other');
SELECT triage.add_zendesk_source('Acme', 'admin@example.com', 'key', now() + interval '1 day', requests_per_minute => 1000000, comment_requests_per_minute => 1000000);
SELECT results_eq('SELECT base_url, start_time <= now() - interval ''1 minute'', paused_at IS NULL FROM triage.sync_sources',
	$$VALUES ('https://acme.zendesk.com'::text, true, true)$$, '[seed 264] a subdomain is an address, and a start is a minute ago at least');
SELECT results_eq('SELECT s.source, s.stream::text, s.cursor, s.sync_completed_at FROM triage.sync_state s ORDER BY 2',
	$$VALUES ('zendesk'::text, 'comments'::text, NULL::text, NULL::timestamptz), ('zendesk', 'tickets', NULL, NULL)$$,
	'[seed 250] [seed 251] a source has a row of state for each stream, by its natural key');
SELECT is(pg_temp.outcome('SELECT triage.add_zendesk_source(''other'', ''a@b'', ''key'')'), '42710', 'a name is one account''s');
SELECT triage.add_zendesk_source('acme', 'admin@example.com', 'key2', now() - interval '7 days', requests_per_minute => 1000000, comment_requests_per_minute => 1000000);
SELECT results_eq('SELECT secret, start_time FROM triage.sync_sources', $$VALUES ('key2'::text, now() - interval '7 days')$$, 'once more changes it');
SELECT is(pg_temp.outcome('SELECT triage.' || call), '42704', call)
	FROM unnest(ARRAY['pause_source(''nowhere'')', 'resume_source(NULL)', 'drop_source(''nowhere'')', 'sync_now(''nowhere'')']) c (call);

-- What is requested ----------------------------------------------------------------------------------------------------

SELECT cmp_ok(triage.next_sync(), '<=', clock_timestamp(), 'there is something to request');
SELECT results_eq('SELECT tenant_id, source, stream, fence, base_url, auth, email, secret, cursor, start_epoch, page_size, ticket_external_id FROM triage.claim_sync(3, 4)',
	$$VALUES ('default'::text, 'zendesk'::text, 'tickets'::text, 1, 'https://acme.zendesk.com'::text, 'token'::text, 'admin@example.com'::text, 'key2'::text, NULL::text,
		extract(epoch FROM now() - interval '7 days')::bigint, 1000, NULL::text)$$, 'the first page of tickets, from the start');
SELECT is_empty('SELECT * FROM triage.claim_sync(3, 4)', 'a page that is on its way is not requested twice');
SELECT cmp_ok(triage.next_sync(), '>', clock_timestamp() + interval '80 seconds', 'until its lease ends');
SELECT is(triage.take_over_sync(2), 0, 'another worker''s is left to it');
SELECT is(triage.take_over_sync(3), 1, 'a worker that starts frees what one before it had claimed');
SELECT results_eq('SELECT outcome::text, stream::text FROM triage.sync_runs', $$VALUES ('lost'::text, 'tickets'::text)$$, 'which is on record');
SELECT is((SELECT fence FROM triage.claim_sync(3, 4)), 3, 'and the claim is a new one');
SELECT is(triage.store_sync_tickets('default', 'zendesk', 1, '{"tickets": [{"id": "1", "status": "open", "subject": "late"}], "after_cursor": "late"}', 200, 1, now()), 'stale',
	'what comes under an old one is stale');
SELECT is((SELECT count(*) FROM triage.tickets) + (SELECT count(cursor) FROM triage.sync_state), 0::bigint, 'and nothing of it is stored');
SELECT triage.take_over_sync(3);

-- A page at a time ------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.t(id text, at int, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'created_at', 1700000000, 'updated_at', 1700000000 + at, 'generated_at', 1700000000 + at, 'subject', 'Subject ' || id,
		'description', 'Description ' || id, 'status', 'open', 'priority', 'normal', 'requester_id', '1', 'assignee_id', NULL, 'organization_id', '9',
		'tags', '["a"]'::jsonb, 'custom_fields', '{}'::jsonb, 'channel', 'web', 'type', 'incident') || more
$$;
CREATE FUNCTION pg_temp.page(tickets jsonb, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('tickets', tickets, 'users', '[{"id": "1", "name": "Carla", "email": "carla@example.com", "role": "end-user", "organization_id": "9"},
			{"id": "2", "name": "Ann", "email": "ann@example.com", "role": "agent"}, {"id": "3", "name": "Bob", "role": "admin"}]'::jsonb,
		'organizations', '[{"id": "9", "name": "Example Ltd"}]'::jsonb, 'after_cursor', 'c1', 'end_of_stream', false) || more
$$;
CREATE FUNCTION pg_temp.copy(VARIADIC tickets jsonb[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	claim record;
BEGIN
	-- a claim of comments takes one of tickets with it
	UPDATE triage.sync_state SET lease_until = NULL, slot = NULL WHERE stream = 'tickets';
	SELECT * INTO STRICT claim FROM triage.claim_sync(0, 1) c WHERE c.stream = 'tickets';
	RETURN triage.store_sync_tickets(claim.tenant_id, claim.source, claim.fence, pg_temp.page(to_jsonb(tickets)), 200, 5, clock_timestamp());
END
$$;
CREATE FUNCTION pg_temp.run() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', r.outcome, r.tickets_received, r.tickets_upserted, r.tickets_deleted, r.error) FROM triage.sync_runs r ORDER BY r.id DESC LIMIT 1
$$;

SELECT is(pg_temp.copy(pg_temp.t('35', 100, '{"assignee_id": "2", "custom_fields": {"27": "745"}}')), 'stored', '[seed 264] a page is stored');
SELECT results_eq($$SELECT subject, description, status::text, priority::text, requester_id, requester_email, assignee_id, tags, custom_fields, source, created_at, updated_at, deleted_at
		FROM triage.tickets WHERE external_id = '35'$$,
	$$VALUES ('Subject 35'::text, 'Description 35'::text, 'in_progress'::text, 'medium'::text, 'zendesk:1'::text, 'carla@example.com'::text, 'zendesk:2'::text, '{a}'::text[], '{"27": "745"}'::jsonb,
		'zendesk'::text, to_timestamp(1700000000), to_timestamp(1700000100), NULL::timestamptz)$$, '[seed 197] [seed 199] a ticket of it is a ticket here');
SELECT results_eq('SELECT id, role::text, display_name, email, organization_id FROM triage.people WHERE id ~ ''^zendesk:'' ORDER BY id',
	$$VALUES ('zendesk:1'::text, 'customer'::text, 'Carla'::text, 'carla@example.com'::text, 'zendesk:9'::text), ('zendesk:2', 'agent', 'Ann', 'ann@example.com', NULL),
		('zendesk:3', 'agent', 'Bob', NULL, NULL)$$, '[seed 204] its users are people, and an admin there is none here');
SELECT results_eq('SELECT id, name FROM triage.organizations', $$VALUES ('zendesk:9'::text, 'Example Ltd'::text)$$, '[seed 205] [seed 206] organizations are kept');
SELECT is((SELECT cursor FROM triage.sync_state WHERE stream = 'tickets'), 'c1', 'the cursor is stored with it');
SELECT is((SELECT last_ticket_updated_at FROM triage.sync_state WHERE stream = 'tickets'), to_timestamp(1700000100), '[seed 252] and how new the newest is, for people');
SELECT is((SELECT cursor FROM triage.claim_sync(0, 1)), 'c1', 'with which the next request begins');
SELECT triage.take_over_sync(0);
SELECT is_empty('SELECT FROM triage.ai_jobs', 'no model is asked');
SELECT results_eq('SELECT agent_id, assigned_by, assigned_at FROM triage.ticket_assignments',
	$$VALUES ('zendesk:2'::text, 'zendesk'::text, to_timestamp(1700000100))$$, 'who has it, has it from the source''s time');
SELECT is_empty('SELECT FROM triage.ticket_history', 'and nothing changed yet');
SELECT is(current_setting('triage.syncing') || coalesce(current_setting('triage.actor', true), '') || current_setting('triage.auto_triage'), 'offon', 'afterwards changes are changes again');

SELECT triage.take_over_sync(0);
SELECT pg_temp.copy(pg_temp.t('s1', 1, '{"status": "new"}'), pg_temp.t('s2', 1, '{"status": "open"}'), pg_temp.t('s3', 1, '{"status": "pending"}'), pg_temp.t('s4', 1, '{"status": "hold"}'),
	pg_temp.t('s5', 1, '{"status": "solved"}'), pg_temp.t('s6', 1, '{"status": "closed"}'), pg_temp.t('s7', 1, '{"status": "closed", "tags": ["closed_by_merge"]}'),
	pg_temp.t('s8', 1, '{"status": "paused"}'), pg_temp.t('s9', 1, '{"status": null}'));
SELECT results_eq('SELECT external_id, status::text, resolution::text, resolved_at, closed_at, waiting_since IS NOT NULL FROM triage.tickets WHERE external_id ~ ''^s'' ORDER BY 1',
	$$VALUES ('s1'::text, 'open'::text, NULL::text, NULL::timestamptz, NULL::timestamptz, true), ('s2', 'in_progress', NULL, NULL, NULL, true), ('s3', 'pending', NULL, NULL, NULL, false),
		('s4', 'on_hold', NULL, NULL, NULL, false), ('s5', 'resolved', 'resolved', to_timestamp(1700000001), NULL, false),
		('s6', 'closed', 'resolved', to_timestamp(1700000001), to_timestamp(1700000001), false),
		('s7', 'closed', 'merged', to_timestamp(1700000001), to_timestamp(1700000001), false), ('s8', 'open', NULL, NULL, NULL, true), ('s9', 'open', NULL, NULL, NULL, true)$$,
	'[seed 208] each status is one of ours, at its own time; one that is not known is open');
SELECT is((SELECT details ->> 'status' || ': ' || (details -> 'notes' ->> 0) FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket('s8')), 'paused: the status is not known here',
	'and kept as it is beside it');
SELECT pg_temp.copy(pg_temp.t('p1', 1, '{"priority": "low"}'), pg_temp.t('p2', 1, '{"priority": "normal"}'), pg_temp.t('p3', 1, '{"priority": "high"}'), pg_temp.t('p4', 1, '{"priority": "urgent"}'),
	pg_temp.t('p5', 1, '{"priority": null}'), pg_temp.t('p6', 1, '{"priority": "vip"}'));
SELECT is((SELECT string_agg(priority || CASE WHEN priority_is_manual THEN ' said' ELSE '' END, ', ' ORDER BY external_id) FROM triage.tickets WHERE external_id ~ '^p'),
	'low said, medium said, high said, urgent said, medium, medium', '[seed 209] each priority, too');
SELECT is((SELECT details ->> 'priority' FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket('p6')), 'vip', 'as the source said it');

-- Versions ----------------------------------------------------------------------------------------------------------------

SELECT pg_temp.copy(pg_temp.t('35', 200, '{"status": "solved", "priority": "high", "assignee_id": "2", "subject": "Printer"}'));
SELECT results_eq('SELECT status::text, priority::text, subject, resolved_at, updated_at FROM triage.tickets WHERE external_id = ''35''',
	$$VALUES ('resolved'::text, 'high'::text, 'Printer'::text, to_timestamp(1700000200), to_timestamp(1700000200))$$, '[seed 210] [seed 211] a newer version changes it, at the source''s time');
SELECT set_eq('SELECT field, changed_by FROM triage.ticket_history WHERE ticket_id = pg_temp.ticket(''35'') AND field NOT IN (''custom_fields'')',
	$$VALUES ('status'::text, 'zendesk'::text), ('priority', 'zendesk'), ('subject', 'zendesk'), ('resolution', 'zendesk'), ('resolved_at', 'zendesk')$$, 'the history says what the source changed');
SELECT pg_temp.copy(pg_temp.t('35', 150, '{"status": "new", "subject": "Older"}'));
SELECT is((SELECT subject || ' ' || status FROM triage.tickets WHERE external_id = '35'), 'Printer resolved', 'an older one does not: the source''s clock says which is newer');
SELECT is(pg_temp.run(), 'succeeded 1 0 0', 'nor is it counted');
SELECT version AS version FROM triage.tickets WHERE external_id = '35' \gset
SELECT pg_temp.copy(pg_temp.t('35', 200, '{"status": "solved", "priority": "high", "assignee_id": "2", "subject": "Printer"}'));
SELECT is((SELECT version FROM triage.tickets WHERE external_id = '35'), :version, 'the same once more changes nothing');
SELECT is(pg_temp.run(), 'succeeded 1 0 0', 'and counts for nothing');
SELECT pg_temp.copy(pg_temp.t('d1', 300, '{"subject": "newest"}'), pg_temp.t('d1', 299, '{"subject": "older"}'), pg_temp.t('d1', 298));
SELECT is((SELECT string_agg(subject, ',') FROM triage.tickets WHERE external_id = 'd1'), 'newest', 'of several on one page the newest counts');
SELECT is(pg_temp.run(), 'succeeded 3 1 0', 'once');
-- a system's update has an older updated_at than the version before
SELECT pg_temp.copy(pg_temp.t('d1', 298, '{"subject": "by the system", "generated_at": 1700000400}'));
SELECT is((SELECT subject FROM triage.tickets WHERE external_id = 'd1'), 'by the system', 'the version of the export goes before the time of the change');
SELECT pg_temp.copy(pg_temp.t('f1', 1, '{"updated_at": 99999999999, "generated_at": 99999999999, "created_at": 88888888888, "subject": "from the future"}'),
	pg_temp.t('f2', 1, '{"updated_at": 1e300, "generated_at": -5, "created_at": -1e300}'));
SELECT results_eq('SELECT external_id, created_at <= now(), updated_at <= now() FROM triage.tickets WHERE external_id ~ ''^f'' ORDER BY 1',
	$$VALUES ('f1'::text, true, true), ('f2', true, true)$$, 'times that lie ahead are now');
SELECT pg_temp.copy(pg_temp.t('f1', 1, jsonb_build_object('updated_at', extract(epoch FROM now()) + 100, 'generated_at', extract(epoch FROM now()) + 100, 'subject', 'later')));
SELECT is((SELECT subject FROM triage.tickets WHERE external_id = 'f1'), 'later', 'and do not keep what comes later away');

-- Deleted -----------------------------------------------------------------------------------------------------------------

SELECT pg_temp.copy(pg_temp.t('35', 300, '{"status": "deleted", "deleted": true, "subject": "SCRUBBED", "description": "SCRUBBED", "requester_id": null, "tags": []}'));
SELECT results_eq('SELECT deleted_at, subject, status::text, tags FROM triage.tickets WHERE external_id = ''35''',
	$$VALUES (to_timestamp(1700000300), 'Printer'::text, 'resolved'::text, '{a}'::text[])$$, 'a ticket that is deleted there is deleted here, and as it was besides');
SELECT is(pg_temp.run(), 'succeeded 1 1 1', 'which is counted');
SELECT is((SELECT comments_due_at FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket('35')), NULL, 'its comments are not fetched');
SELECT pg_temp.copy(pg_temp.t('35', 400, '{"status": "open", "priority": "high", "subject": "Printer again", "assignee_id": "2"}'));
SELECT results_eq('SELECT deleted_at, subject, status::text, resolution::text FROM triage.tickets WHERE external_id = ''35''',
	$$VALUES (NULL::timestamptz, 'Printer again'::text, 'in_progress'::text, NULL::text)$$, 'one that is restored there is restored here');
SELECT pg_temp.copy(pg_temp.t('g1', 300, '{"status": "deleted", "subject": "Secret", "description": "Secret"}'));
SELECT is((SELECT subject || description || (deleted_at IS NOT NULL) FROM triage.tickets WHERE external_id = 'g1'), 'Ticket g1true', 'of one that was never here no text comes');
SELECT pg_temp.copy(pg_temp.t('g1', 200));
SELECT isnt((SELECT deleted_at FROM triage.tickets WHERE external_id = 'g1'), NULL, 'and an older version of it does not bring it back');
SELECT pg_temp.copy(pg_temp.t('g1', 400));
SELECT is((SELECT subject || (deleted_at IS NULL) || tags::text FROM triage.tickets WHERE external_id = 'g1'), 'Subject g1true{a}', 'a newer one does');

-- What was changed here -----------------------------------------------------------------------------------------------------

SELECT pg_temp.copy(pg_temp.t('e1', 100, '{"tags": ["a", "b"], "custom_fields": {"1": "x"}, "assignee_id": "2"}'));
SELECT triage.update_ticket(pg_temp.ticket('e1'), '{"priority": "urgent", "category": "billing"}'), triage.add_tags(pg_temp.ticket('e1'), VARIADIC '{mine}'::text[]),
	triage.remove_tags(pg_temp.ticket('e1'), VARIADIC '{a}'::text[]), triage.set_custom_fields(pg_temp.ticket('e1'), '{"plan": "pro"}'), triage.assign_ticket(pg_temp.ticket('e1'), 'eve');
SELECT pg_temp.copy(pg_temp.t('e1', 200, '{"tags": ["a", "b"], "custom_fields": {"1": "x"}, "assignee_id": "2", "subject": "renamed there"}'));
SELECT results_eq('SELECT subject, priority::text, category, tags, custom_fields, assignee_id FROM triage.tickets WHERE external_id = ''e1''',
	$$VALUES ('renamed there'::text, 'urgent'::text, 'billing'::text, '{b,mine}'::text[], '{"1": "x", "plan": "pro"}'::jsonb, 'eve'::text)$$,
	'what was changed here stays while the source does not change the same: it is not assigned anew, nor its labels');
SELECT pg_temp.copy(pg_temp.t('e1', 300, '{"tags": ["a", "c"], "custom_fields": {"2": "y"}, "assignee_id": "3", "priority": "low", "subject": "renamed there"}'));
SELECT results_eq('SELECT priority::text, category, tags, custom_fields, assignee_id FROM triage.tickets WHERE external_id = ''e1''',
	$$VALUES ('low'::text, 'billing'::text, '{c,mine}'::text[], '{"2": "y", "plan": "pro"}'::jsonb, 'zendesk:3'::text)$$,
	'what the source changes follows it; tags and fields of ours stay beside its own');
SELECT triage.delete_ticket(pg_temp.ticket('e1'));
SELECT pg_temp.copy(pg_temp.t('e1', 400));
SELECT isnt((SELECT deleted_at FROM triage.tickets WHERE external_id = 'e1'), NULL, 'what was deleted here is not brought back by a change there');
SELECT pg_temp.copy(pg_temp.t('e2', 100));
SELECT triage.close_ticket(pg_temp.ticket('e2'));
SELECT pg_temp.copy(pg_temp.t('e2', 200, '{"subject": "x"}'));
SELECT is((SELECT status::text FROM triage.tickets WHERE external_id = 'e2'), 'closed', 'nor reopened');
SELECT pg_temp.copy(pg_temp.t('e2', 300, '{"subject": "x", "status": "new"}'));
SELECT is((SELECT status::text FROM triage.tickets WHERE external_id = 'e2'), 'open', 'unless that is what was changed there: a copy follows its original whatever the rules here');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket('e2') AND j.kind = 'triage'), 0::bigint, 'and the model is not asked');
-- brought in before by other means
SELECT triage.create_ticket('old', 'old', 'zendesk:1', source => 'zendesk', external_id => 'i1', request_triage => false) AS i1 \gset
SELECT pg_temp.copy(pg_temp.t('i1', 100));
SELECT results_eq('SELECT id, subject FROM triage.tickets WHERE external_id = ''i1''', format('VALUES (%s::bigint, ''Subject i1''::text)', :i1), 'a ticket of that source and id that is here already is the same ticket');

-- What does not fit -----------------------------------------------------------------------------------------------------------

SELECT pg_temp.copy(
	pg_temp.t('h1', 1, jsonb_build_object('subject', repeat('ä', 999), 'description', 'rest')),
	pg_temp.t('h2', 1, jsonb_build_object('description', repeat('ä', 600000))),
	pg_temp.t('h3', 1, '{"subject": "", "description": "  "}'),
	pg_temp.t('h4', 1, '{"subject": null, "description": null, "requester_id": null, "tags": null, "custom_fields": null}'),
	pg_temp.t('h5', 1, jsonb_build_object('tags', (SELECT jsonb_agg('tag' || i) FROM generate_series(1, 150) i) || to_jsonb(ARRAY[repeat('x', 101), '', 'tag1']))),
	pg_temp.t('h6', 1, jsonb_build_object('custom_fields', jsonb_build_object('1', repeat('x', 70000)))),
	pg_temp.t('h7', 1, '{"created_at": "yesterday"}'),
	pg_temp.t('h8', 1, '{"updated_at": "NaN"}'),
	'{"id": "h9"}', '{}', '{"id": ""}', '"text"', 'null', '[1]',
	pg_temp.t('h10', 1, jsonb_build_object('id', repeat('9', 2000))));
SELECT results_eq($$SELECT external_id, length(subject), octet_length(description) <= 1048576, left(description, 3) FROM triage.tickets WHERE external_id ~ '^h' ORDER BY length(external_id), 1$$,
	$$VALUES ('h1'::text, 998, true, 'äää'::text), ('h2', 10, true, 'äää'), ('h3', 9, true, '  '), ('h4', 9, true, ''), ('h5', 10, true, 'Des'), ('h6', 10, true, 'Des'), ('h8', 10, true, 'Des'), ('h9', 9, true, '')$$,
	'[seed 200] [seed 201] texts are cut to what a ticket holds, and none is a ticket all the same');
SELECT is((SELECT created_at FROM triage.tickets WHERE external_id = 'h9'), now(), '(nor any time)');
SELECT is((SELECT octet_length(description) FROM triage.tickets WHERE external_id = 'h2'), 1048575, '(no more than need be)');
SELECT is((SELECT right(description, 4) FROM triage.tickets WHERE external_id = 'h1'), 'rest', 'a subject that was cut stands whole before the description');
SELECT is((SELECT cardinality(tags) FROM triage.tickets WHERE external_id = 'h5'), 100, '[seed 207] so are tags');
SELECT is((SELECT custom_fields FROM triage.tickets WHERE external_id = 'h6'), '{}', 'fields that are too large are left out');
SELECT is((SELECT string_agg(details -> 'notes' ->> 0, '; ' ORDER BY t.external_id) FROM triage.synced_tickets s JOIN triage.tickets t ON t.id = s.ticket_id
		WHERE t.external_id IN ('h1', 'h2', 'h5', 'h6')),
	'the subject was cut, and stands before the description; the description was cut; tags were cut; custom fields were left out: they are too large', 'with a note of it');
SELECT alike(pg_temp.run(), 'succeeded 15 8 0 % left out: %ticket h7: a value cannot be read (22P02)%', 'a row that cannot be stored is left out, and named, and does not fail its page');
SELECT unalike(pg_temp.run(), '%yesterday%', 'but not quoted');
SELECT is((SELECT last_error IS NOT NULL AND consecutive_failures = 0 FROM triage.sync_state WHERE stream = 'tickets'), true, 'the stream goes on');
SELECT triage.store_sync_tickets('default', 'zendesk', c.fence, page, 200, 1, now()) FROM triage.claim_sync(0, 1) c,
	(VALUES ('{"tickets": null, "users": 3, "organizations": {}, "after_cursor": null, "skipped": ["ticket 7: created_at is not a time", "user 8: no id"]}'::jsonb)) v (page);
SELECT is(pg_temp.run(), 'succeeded 0 0 0 2 left out: ticket 7: created_at is not a time; user 8: no id', 'what could not be read before it came here is named as well');
SELECT is((SELECT cursor FROM triage.sync_state WHERE stream = 'tickets'), 'c1', 'no cursor: the last one stays');
SELECT triage.store_sync_tickets('default', 'zendesk', c.fence, pg_temp.page('[]', jsonb_build_object('users', jsonb_build_array(
		jsonb_build_object('id', '50', 'name', repeat('x', 600), 'email', repeat('x', 400), 'role', 'owner', 'organization_id', '77'), '{"id": "51"}'::jsonb, '{}'::jsonb, 7,
		jsonb_build_object('id', repeat('9', 300)), '{"id": "1", "name": "Carla C.", "email": "carla@example.com", "role": "end-user", "organization_id": "9"}'::jsonb),
	'organizations', '[{"id": "78", "name": ""}, {}, null, {"id": "9", "name": "Example Inc"}]'::jsonb)), 200, 1, now()) FROM triage.claim_sync(0, 1) c;
SELECT results_eq('SELECT id, role::text, length(display_name), email, organization_id FROM triage.people WHERE id ~ ''^zendesk:(1|5.)$'' ORDER BY 1',
	$$VALUES ('zendesk:1'::text, 'customer'::text, 8, 'carla@example.com'::text, 'zendesk:9'::text), ('zendesk:50', 'customer', 500, NULL, 'zendesk:77'), ('zendesk:51', 'customer', NULL, NULL, NULL)$$,
	'so it is with users');
SELECT results_eq('SELECT id, name FROM triage.organizations ORDER BY 1', $$VALUES ('zendesk:77'::text, 'Organization 77'::text), ('zendesk:78', 'Organization 78'), ('zendesk:9', 'Example Inc')$$,
	'and organizations');

-- Who is who --------------------------------------------------------------------------------------------------------------------

UPDATE triage.people SET role = 'admin' WHERE id = 'zendesk:2';
SELECT pg_temp.copy(pg_temp.t('w1', 1, '{"requester_id": "60", "assignee_id": "61"}'), pg_temp.t('w2', 1, '{"assignee_id": "1"}'));
SELECT results_eq('SELECT id, role::text FROM triage.people WHERE id IN (''zendesk:2'', ''zendesk:60'', ''zendesk:61'') ORDER BY 1',
	$$VALUES ('zendesk:2'::text, 'admin'::text), ('zendesk:60', 'customer'), ('zendesk:61', 'agent')$$, 'who was raised here stays; who did not come with the page is made');
SELECT results_eq('SELECT external_id, assignee_id FROM triage.tickets WHERE external_id ~ ''^w'' ORDER BY 1', $$VALUES ('w1'::text, 'zendesk:61'::text), ('w2', NULL)$$, 'a customer is assigned nothing');
SELECT is((SELECT details ->> 'assignee_id' FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket('w2')), '1', 'but it is on record');

-- Erased people -----------------------------------------------------------------------------------------------------------------

SELECT pg_temp.copy(pg_temp.t('x1', 100, '{"requester_id": "70", "description": "SECRETX"}'));
SELECT triage.erase_person('zendesk:70');
SELECT results_eq('SELECT details, copied, comments_due_at FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket(''x1'')', $$VALUES ('{}'::jsonb, '{}'::jsonb, NULL::timestamptz)$$,
	'what the source said of an erased person''s ticket goes with him');
SELECT pg_temp.copy(pg_temp.t('x1', 200, '{"requester_id": "70", "description": "SECRETX", "status": "solved", "custom_fields": {"1": "SECRETX"}}'), pg_temp.t('x2', 200, '{"requester_id": "70", "subject": "SECRETX"}'));
SELECT results_eq('SELECT external_id, subject, description, custom_fields, status::text FROM triage.tickets WHERE external_id ~ ''^x'' ORDER BY 1',
	$$VALUES ('x1'::text, '[erased]'::text, '[erased]'::text, '{}'::jsonb, 'resolved'::text)$$, 'and does not come back: labels follow the source, texts do not, and no new ticket of his');
SELECT is((SELECT s.comments_due_at IS NULL AND NOT s.copied ? 'description' FROM triage.synced_tickets s WHERE s.ticket_id = pg_temp.ticket('x1')), true, 'nor comments, nor a hash');
SELECT is((SELECT display_name || email FROM triage.people WHERE id = 'zendesk:70'), NULL, 'nor the name');

-- Redacted there --------------------------------------------------------------------------------------------------------------

SELECT pg_temp.copy(pg_temp.t('r1', 100, '{"description": "my card is 4111"}'));
-- issues that quote what is to go, and what is to stay
INSERT INTO triage.issue_taxonomy (category, subcategory, is_active) VALUES ('A', 'x', false);
CREATE FUNCTION pg_temp.quote(ticket text, VARIADIC quotes text[]) RETURNS void LANGUAGE sql AS $$
	INSERT INTO triage.extracted_issues (ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at, representative_quote, quote_verified)
		SELECT pg_temp.ticket(ticket), 'A', 'x', 'bug', 'low', q, sha256(convert_to(q, 'UTF8')), now(), q, true FROM unnest(quotes) q
$$;
SELECT pg_temp.quote('r1', 'card is 4111', 'my card');
SELECT pg_temp.copy(pg_temp.t('r1', 200, '{"description": "my card is ▇▇▇▇"}'));
SELECT results_eq('SELECT description FROM triage.tickets WHERE external_id = ''r1''', $$VALUES ('my card is ▇▇▇▇'::text)$$, 'what was redacted there is redacted here');
SELECT results_eq('SELECT field, old_value, new_value FROM triage.ticket_history WHERE ticket_id = pg_temp.ticket(''r1'')', $$VALUES ('description'::text, '"[erased]"'::jsonb, '"[erased]"'::jsonb)$$,
	'and the history says that it was, not what it was');
SELECT results_eq('SELECT i.representative_quote, i.quote_verified FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket(''r1'') ORDER BY i.id', $$VALUES (NULL::text, false), ('my card', true)$$,
	'nor is it quoted any more');

-- Comments ----------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.c(id text, at int, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'author_id', '1', 'body', 'Comment ' || id, 'public', true, 'created_at', 1700000000 + at) || more
$$;
-- one ticket at a time: the others' comments wait
UPDATE triage.synced_tickets SET comments_due_at = NULL;
CREATE FUNCTION pg_temp.comments(ticket text, more jsonb, VARIADIC comments jsonb[] DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	claim record;
BEGIN
	SELECT * INTO STRICT claim FROM triage.claim_sync(0, 4) c WHERE c.stream = 'comments' AND c.ticket_external_id = ticket;
	RETURN triage.store_sync_comments(claim.tenant_id, claim.source, claim.fence, ticket,
		jsonb_build_object('comments', to_jsonb(comments), 'users', '[{"id": "1", "name": "Carla C.", "email": "carla@example.com", "role": "end-user", "organization_id": "9"},
			{"id": "2", "name": "Ann", "role": "agent"}]'::jsonb, 'has_more', false) || more, 200, 5, clock_timestamp());
END
$$;
SELECT pg_temp.copy(pg_temp.t('k1', 500, '{"assignee_id": "2"}'));
SELECT triage.next_sync() <= clock_timestamp() AS due \gset
SELECT is(:'due'::text, 't', 'a ticket that changed has its comments fetched');
SELECT is(pg_temp.comments('k1', '{"has_more": true, "after_cursor": "k"}', pg_temp.c('900', 600, '{"author_id": "2", "body": "Try again", "attachments": [
	{"file_name": "x.png", "content_url": "https://files.example/x.png?token=1", "content_type": "image/png", "size": 12}, {"file_name": "bad", "content_url": "javascript:alert(1)"},
	{"file_name": "a\nb", "content_url": "https://files.example/y"}, {}, 7]}'), pg_temp.c('901', 700, '{"public": false, "author_id": "2", "body": "A note"}')), 'stored', 'a page of them');
SELECT results_eq('SELECT external_id, author_id, author_role::text, visibility::text, content, source, created_at FROM triage.ticket_comments WHERE ticket_id = pg_temp.ticket(''k1'') ORDER BY 1',
	$$VALUES ('900'::text, 'zendesk:2'::text, 'admin'::text, 'public'::text, 'Try again'::text, 'zendesk'::text, to_timestamp(1700000600)),
		('901', 'zendesk:2', 'admin', 'internal', 'A note', 'zendesk', to_timestamp(1700000700))$$, '[seed 202] [seed 203] public and internal comments, by whom and when');
SELECT results_eq('SELECT file_url, file_name, file_type, byte_size FROM triage.comment_attachments', $$VALUES ('https://files.example/x.png?token=1'::text, 'x.png'::text, 'image/png'::text, 12::bigint)$$,
	'with the files whose addresses are safe');
SELECT results_eq('SELECT status::text, first_response_at, waiting_since, updated_at FROM triage.tickets WHERE external_id = ''k1''',
	$$VALUES ('in_progress'::text, to_timestamp(1700000600), NULL::timestamptz, to_timestamp(1700000500))$$, 'an agent''s answer ends the wait at its time');
SELECT is((SELECT cursor FROM triage.claim_sync(0, 4)), 'k', 'the next request goes on behind it');
SELECT triage.take_over_sync(0);
SELECT pg_temp.comments('k1', '{"has_more": true, "after_cursor": "k"}', pg_temp.c('901', 700, '{"public": false, "author_id": "2", "body": "A note"}'), pg_temp.c('902', 800));
SELECT results_eq('SELECT comments_due_at, comments_cursor, comments_synced_at FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket(''k1'')', $$VALUES (NULL::timestamptz, NULL::text, now())$$,
	'a cursor that does not move is followed no further');
SELECT is((SELECT string_agg(external_id, ',' ORDER BY external_id) FROM triage.ticket_comments WHERE ticket_id = pg_temp.ticket('k1')), '900,901,902', 'what came twice is there once');
SELECT results_eq('SELECT status::text, waiting_since FROM triage.tickets WHERE external_id = ''k1''', $$VALUES ('in_progress'::text, to_timestamp(1700000800))$$, 'the customer waits since he wrote, and nothing was reopened');
SELECT is((SELECT comments_upserted FROM triage.sync_runs ORDER BY id DESC LIMIT 1), 1, 'which the run counts');
-- hostile ones
UPDATE triage.synced_tickets SET comments_due_at = clock_timestamp() WHERE ticket_id = pg_temp.ticket('k1');
SELECT pg_temp.comments('k1', '{}', pg_temp.c('910', 1, '{"body": ""}'), pg_temp.c('911', 1, jsonb_build_object('body', repeat('ä', 600000))), pg_temp.c('912', 1, '{"created_at": "x"}'), '{"body": "no id"}', '7',
	pg_temp.c('913', 1, '{"author_id": "-1", "body": "a trigger ran"}'), pg_temp.c('914', 1, '{"author_id": null}'), pg_temp.c('915', 1, '{"created_at": 9e20}'), pg_temp.c('916', 1, '{"author_id": "70"}'));
SELECT results_eq('SELECT external_id, author_id, author_role::text, left(content, 10), created_at <= now() FROM triage.ticket_comments WHERE external_id ~ ''^91'' ORDER BY 1',
	$$VALUES ('910'::text, 'zendesk:1'::text, 'customer'::text, '(no text)'::text, true), ('911', 'zendesk:1', 'customer', repeat('ä', 10), true), ('913', NULL, 'system', 'a trigger ', true),
		('914', NULL, 'customer', 'Comment 91', true), ('915', 'zendesk:1', 'customer', 'Comment 91', true)$$, 'comments that do not fit are cut or left out, and those of an erased person');
SELECT alike((SELECT error FROM triage.sync_runs ORDER BY id DESC LIMIT 1), '% left out: %comment 912: a value cannot be read (22P02)%', 'and named');
-- changed there, changed here
SELECT triage.edit_comment(c.id, 'edited here') FROM triage.ticket_comments c WHERE external_id = '902';
SELECT triage.redact_comment(c.id) FROM triage.ticket_comments c WHERE external_id = '910';
SELECT pg_temp.quote('k1', c.content) FROM triage.ticket_comments c WHERE external_id = '900';
SELECT triage.attach_to_comment(c.id, '/uploads/mine.txt', 'mine.txt') FROM triage.ticket_comments c WHERE external_id = '900';
UPDATE triage.synced_tickets SET comments_due_at = clock_timestamp() WHERE ticket_id = pg_temp.ticket('k1');
SELECT pg_temp.comments('k1', '{}', pg_temp.c('900', 600, '{"author_id": "2", "body": "Try ▇▇"}'), pg_temp.c('901', 700, '{"public": true, "author_id": "2", "body": "A note"}'),
	pg_temp.c('902', 800, '{"attachments": [{"file_name": "redacted.txt", "content_url": "https://files.example/redacted.txt"}]}'),
	pg_temp.c('910', 1, '{"body": "resurrected", "attachments": [{"file_name": "y.png", "content_url": "https://files.example/y.png"}]}'));
SELECT results_eq('SELECT c.external_id, a.file_name, a.source FROM triage.comment_attachments a JOIN triage.ticket_comments c ON c.id = a.comment_id ORDER BY 1, 2',
	$$VALUES ('900'::text, 'mine.txt'::text, 'api'::text), ('902', 'redacted.txt', 'zendesk')$$, 'a file that was redacted there goes here, one that came up since comes, and those attached here stay');
SELECT results_eq('SELECT external_id, content, visibility::text FROM triage.ticket_comments WHERE external_id IN (''900'', ''901'', ''902'', ''910'') ORDER BY 1',
	$$VALUES ('900'::text, 'Try ▇▇'::text, 'public'::text), ('901', 'A note', 'public'), ('902', 'edited here', 'public'), ('910', '[removed]', 'public')$$,
	'what was redacted or shown there follows; what was edited or removed here stays');
SELECT is_empty('SELECT FROM triage.comment_edits WHERE old_content ~ ''again''', 'the text that was redacted is kept nowhere');
SELECT results_eq('SELECT representative_quote FROM triage.extracted_issues WHERE ticket_id = pg_temp.ticket(''k1'')', '{NULL}'::text[], 'and not quoted');
-- gone
UPDATE triage.synced_tickets SET comments_due_at = clock_timestamp() WHERE ticket_id = pg_temp.ticket('k1');
SELECT is(pg_temp.comments('k1', '{"gone": true}'), 'stored', 'a ticket that is not there any more');
SELECT is((SELECT comments_due_at FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket('k1')), NULL, 'has no comments, and is not asked for again');
-- it changes while they are on their way
UPDATE triage.synced_tickets SET comments_due_at = clock_timestamp() WHERE ticket_id = pg_temp.ticket('k1');
SELECT fence AS fence FROM triage.claim_sync(0, 4) c WHERE c.stream = 'comments' \gset
SELECT triage.take_over_sync(9);
UPDATE triage.sync_state SET lease_until = NULL, slot = NULL WHERE stream = 'tickets';
SELECT pg_temp.copy(pg_temp.t('k1', 900, '{"assignee_id": "2"}'));
SELECT is(triage.store_sync_comments('default', 'zendesk', :fence, 'k1', '{"comments": []}', 200, 1, now()), 'stale', 'comments of a ticket that has changed meanwhile are stale');
SELECT is((SELECT comments_due_at <= clock_timestamp() FROM triage.synced_tickets WHERE ticket_id = pg_temp.ticket('k1')), true, 'and fetched again');
SELECT is(triage.store_sync_comments('default', 'zendesk', 1, 'nowhere', '{"comments": []}', 200, 1, now()), 'stale', 'so are those of a ticket that is not here');

-- The next request ------------------------------------------------------------------------------------------------------------

UPDATE triage.synced_tickets SET comments_due_at = NULL;
SELECT triage.store_sync_tickets('default', 'zendesk', c.fence, pg_temp.page('[]', '{"end_of_stream": true, "after_cursor": "c9"}'), 200, 1, now()) FROM triage.claim_sync(0, 1) c;
SELECT is((SELECT next_run_at FROM triage.sync_state WHERE stream = 'tickets'), now() + interval '1 minute', 'once all was read, nothing is asked for until the next poll');
SELECT is((SELECT sync_completed_at FROM triage.sync_state WHERE stream = 'tickets'), now(), '[seed 255] and that it was read is on record');
SELECT results_eq('SELECT source_name, stream::text, due_at <= clock_timestamp() FROM triage.sync_now()', $$VALUES ('zendesk'::text, 'tickets'::text, true), ('zendesk', 'comments', true)$$,
	'sync_now() has it asked at once, and says when');
SELECT isnt_empty('SELECT * FROM triage.claim_sync(0, 1)', 'so it is');
SELECT triage.sync_now('zendesk');
SELECT triage.store_sync_tickets('default', 'zendesk', 1000000, '{}', 200, 1, now());
SELECT triage.store_sync_tickets('default', 'zendesk', t.fence, pg_temp.page('[]', '{"end_of_stream": true, "wait_ms": 90000}'), 200, 1, now() - interval '1 second') FROM triage.sync_state t WHERE t.stream = 'tickets';
SELECT is((SELECT next_run_at FROM triage.sync_state WHERE stream = 'tickets'), now(), 'who asked while a page was on its way is not put off by it');
SELECT is((SELECT min(paced_until) FROM triage.sync_state), now() + interval '90 seconds', 'when the account''s budget is used up, neither stream is asked');
SELECT is_empty('SELECT * FROM triage.claim_sync(0, 4)', 'whoever wants it');
SELECT is(triage.next_sync(), now() + interval '90 seconds', 'until then');
-- rates
UPDATE triage.sync_sources SET requests_per_minute = 10, comment_requests_per_minute = 60;
UPDATE triage.sync_state SET paced_until = now() - interval '1 day', next_run_at = now();
UPDATE triage.synced_tickets SET comments_due_at = now() WHERE ticket_id IN (SELECT t.id FROM triage.tickets t WHERE t.external_id ~ '^p');
SELECT is((SELECT string_agg(c.stream, ',' ORDER BY c.stream) FROM triage.claim_sync(0, 4) c), 'comments,comments,tickets', 'a page of tickets, and as many comments as a second''s worth allows');
SELECT is((SELECT round(extract(epoch FROM t.paced_until - clock_timestamp())) FROM triage.sync_state t WHERE t.stream = 'tickets'), 6::numeric, 'ten pages a minute: the next in six seconds');
UPDATE triage.sync_state SET lease_until = NULL;
SELECT is_empty('SELECT * FROM triage.claim_sync(0, 4)', 'and not before');
SELECT triage.take_over_sync(0);
UPDATE triage.sync_sources SET requests_per_minute = 1000000, comment_requests_per_minute = 1000000;
UPDATE triage.sync_state SET paced_until = now(), next_run_at = now();
UPDATE triage.synced_tickets SET comments_due_at = NULL;

-- Failures --------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.fails(class triage.run_outcome, http_status int, retry_after_ms bigint DEFAULT NULL, rejected boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	claim record;
BEGIN
	UPDATE triage.sync_state SET next_run_at = now(), paced_until = now(), lease_until = NULL, resting_since = NULL WHERE stream = 'tickets';
	SELECT * INTO STRICT claim FROM triage.claim_sync(0, 1);
	PERFORM triage.fail_sync(claim.tenant_id, claim.source, claim.stream, claim.fence, NULL, class, http_status, 'HTTP ' || http_status, retry_after_ms, rejected, 5, now());
END
$$;
CREATE FUNCTION pg_temp.waits() RETURNS numeric LANGUAGE sql AS $$ SELECT extract(epoch FROM t.next_run_at - clock_timestamp()) FROM triage.sync_state t WHERE t.stream = 'tickets' $$;
SELECT pg_temp.fails('throttled', 429, 7000);
SELECT cmp_ok(abs(pg_temp.waits() - 7), '<', 1::numeric, '429: as long as it says');
SELECT is_empty('SELECT FROM triage.claim_sync(0, 1)', 'not sooner');
SELECT triage.sync_now();
SELECT cmp_ok(pg_temp.waits(), '>', 5::numeric, 'whoever wants it');
SELECT pg_temp.fails('throttled', 429);
SELECT cmp_ok(abs(pg_temp.waits() - 60), '<', 1::numeric, 'a minute when it does not say');
SELECT pg_temp.fails('transient', 503);
SELECT cmp_ok(abs(pg_temp.waits() - 60), '<', 1::numeric, 'so with 503');
SELECT pg_temp.fails('throttled', 429, 999999999);
SELECT cmp_ok(abs(pg_temp.waits() - 3600), '<', 1::numeric, 'an hour at most');
UPDATE triage.sync_state SET consecutive_failures = 0;
SELECT pg_temp.fails('transient', 500);
SELECT cmp_ok(pg_temp.waits(), '<=', 10::numeric, 'a server''s error: ten seconds at most');
SELECT pg_temp.fails('transient', 500), pg_temp.fails('transient', 500), pg_temp.fails('transient', 500), pg_temp.fails('transient', 500), pg_temp.fails('transient', 520), pg_temp.fails('unusable_answer', 200);
SELECT cmp_ok(pg_temp.waits(), '>=', 299::numeric, 'then longer and longer');
SELECT cmp_ok(pg_temp.waits(), '<=', 600::numeric, 'ten minutes at most');
SELECT is((SELECT cursor || ' ' || last_outcome || ' ' || consecutive_failures FROM triage.sync_state WHERE stream = 'tickets'), 'c1 unusable_answer 7', 'a page that cannot be read leaves the cursor where it was, and shows');
SELECT pg_temp.fails('account', 401);
SELECT results_eq('SELECT next_run_at, resting_since FROM triage.sync_state WHERE stream = ''tickets''', $$VALUES ('infinity'::timestamptz, now())$$, 'a key that is refused: it rests');
SELECT is_empty('SELECT FROM triage.claim_sync(0, 1)', 'and is not asked');
SELECT is(triage.revive_sync(NULL, NULL), 1, 'until the key has changed');
SELECT isnt_empty('SELECT FROM triage.claim_sync(0, 1)', 'when it is');
SELECT triage.take_over_sync(0);
SELECT pg_temp.fails('misconfigured', 404);
SELECT triage.resume_source('zendesk');
SELECT is((SELECT resting_since FROM triage.sync_state WHERE stream = 'tickets'), NULL, 'or somebody resumes it');
UPDATE triage.sync_state SET consecutive_failures = 0;
SELECT pg_temp.fails('bad_request', 400, rejected => true);
SELECT results_eq('SELECT cursor, restart_at, next_run_at <= clock_timestamp() FROM triage.sync_state WHERE stream = ''tickets''',
	$$SELECT NULL::text, t.last_ticket_updated_at - interval '1 hour', true FROM triage.sync_state t WHERE t.stream = 'tickets'$$, 'a cursor that is rejected: again from an hour before the last ticket');
SELECT alike((SELECT error FROM triage.sync_runs ORDER BY id DESC LIMIT 1), '%reading again from an hour before%', 'which is on record');
SELECT is((SELECT cursor || start_epoch FROM triage.claim_sync(0, 1)), NULL, 'without a cursor');
SELECT triage.take_over_sync(0);
SELECT pg_temp.fails('bad_request', 400, rejected => true);
SELECT cmp_ok(pg_temp.waits(), '>', 4::numeric, 'but not in a circle');
SELECT pg_temp.fails('lost', NULL);
SELECT is((SELECT last_outcome || ' ' || (lease_until IS NULL) FROM triage.sync_state WHERE stream = 'tickets'), 'lost true', 'what the worker gave up is free again');
SELECT triage.fail_sync('default', 'zendesk', 'tickets', 1, NULL, 'transient', 500, 'late', NULL, false, 1, now());
SELECT is((SELECT last_error FROM triage.sync_state WHERE stream = 'tickets') = 'late', NULL, 'a failure under an old claim is on record and changes nothing');
-- of comments
SELECT pg_temp.copy(pg_temp.t('z1', 950), pg_temp.t('z2', 951));
CREATE FUNCTION pg_temp.comments_fail(ticket text, class triage.run_outcome, http_status int, rejected boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	claim record;
BEGIN
	UPDATE triage.sync_state SET next_run_at = now(), paced_until = now(), resting_since = NULL WHERE stream = 'comments';
	UPDATE triage.synced_tickets SET comments_due_at = CASE WHEN ticket_id = pg_temp.ticket(ticket) THEN now() END, comments_slot = NULL;
	UPDATE triage.sync_state SET next_run_at = 'infinity' WHERE stream = 'tickets';
	SELECT * INTO STRICT claim FROM triage.claim_sync(0, 1);
	PERFORM triage.fail_sync('default', 'zendesk', 'comments', claim.fence, ticket, class, http_status, 'x', NULL, rejected, 5, now());
	RETURN (SELECT CASE WHEN s.comments_due_at IS NULL THEN 'never' WHEN s.comments_due_at <= clock_timestamp() THEN 'now' ELSE 'later' END || ' ' || s.comments_failures || ' ' ||
			CASE WHEN t.next_run_at = 'infinity' THEN 'never' WHEN t.next_run_at <= clock_timestamp() THEN 'now' ELSE 'later' END
		FROM triage.synced_tickets s, triage.sync_state t WHERE s.ticket_id = pg_temp.ticket(ticket) AND t.stream = 'comments');
END
$$;
SELECT is(pg_temp.comments_fail('z1', 'bad_request', 404), 'never 0 now', '404: it has no comments');
SELECT is(pg_temp.comments_fail('z1', 'bad_request', 422), 'later 1 now', 'one ticket''s failure holds nobody else up');
SELECT is(pg_temp.comments_fail('z1', 'bad_request', 400, true), 'later 2 now', 'nor does its cursor''s');
SELECT is(pg_temp.comments_fail('z1', 'throttled', 429), 'now 2 later', 'a limit does');
SELECT is(pg_temp.comments_fail('z1', 'transient', 500), 'later 3 later', 'and a server in trouble');
SELECT is(pg_temp.comments_fail('z1', 'account', 403), 'now 3 never', 'a key that is refused stops all');
UPDATE triage.synced_tickets SET comments_failures = 9 WHERE ticket_id = pg_temp.ticket('z1');
SELECT is(pg_temp.comments_fail('z1', 'unusable_answer', 200), 'never 10 now', 'after ten failures it is given up');
SELECT is(pg_temp.comments_fail('z1', 'lost', NULL), 'now 10 now', 'what was lost is not counted');

-- Issues in them -----------------------------------------------------------------------------------------------------------------

SELECT triage.load_taxonomy();
UPDATE triage.synced_tickets SET comments_due_at = NULL, comments_slot = NULL;
UPDATE triage.sync_state SET next_run_at = now(), paced_until = now(), resting_since = NULL, consecutive_failures = 0;
SELECT pg_temp.copy(pg_temp.t('m1', 1));
SELECT is_empty('SELECT FROM triage.ai_jobs WHERE kind = ''extract_issues''', 'issues are not looked for before the comments are there');
SELECT pg_temp.comments('m1', '{}', pg_temp.c('950', 1));
SELECT results_eq('SELECT ticket_id, priority::text FROM triage.ai_jobs WHERE kind = ''extract_issues''', 'SELECT pg_temp.ticket(''m1''), ''low''', '[seed 265] then they are');
SELECT pg_temp.comments_fail('z2', 'bad_request', 404);
SELECT is((SELECT count(*) FROM triage.ai_jobs WHERE kind = 'extract_issues'), 2::bigint, 'also where there are none');
UPDATE triage.sync_sources SET include_comments = false;
UPDATE triage.sync_state SET next_run_at = now(), paced_until = now();
SELECT pg_temp.copy(pg_temp.t('m2', 1), pg_temp.t('m3', 1, '{"status": "deleted"}'), pg_temp.t('m4', 1, '{"status": "solved"}'));
SELECT set_eq('SELECT ticket_id FROM triage.ai_jobs WHERE kind = ''extract_issues''', 'SELECT pg_temp.ticket(t) FROM unnest(ARRAY[''m1'', ''z2'', ''m2'', ''m4'']) t', 'without comments at once, also of what is solved');
SELECT is((SELECT count(*) FROM triage.synced_tickets s WHERE s.ticket_id IN (pg_temp.ticket('m2'), pg_temp.ticket('m4')) AND s.comments_due_at IS NOT NULL), 0::bigint, 'comments are not fetched then');
SELECT triage.set_mining_settings('{"extract_on_sync": false}');
SELECT pg_temp.copy(pg_temp.t('m5', 1));
SELECT is((SELECT count(*) FROM triage.ai_jobs WHERE ticket_id = pg_temp.ticket('m5')), 0::bigint, 'and none where the tenant does not want it');
SELECT triage.add_zendesk_source('acme', 'admin@example.com', 'key2', requests_per_minute => 1000000, comment_requests_per_minute => 1000000);
SELECT is((SELECT string_agg(t.external_id, ',' ORDER BY t.external_id) FROM triage.synced_tickets s JOIN triage.tickets t ON t.id = s.ticket_id
	WHERE s.comments_due_at IS NOT NULL AND t.external_id ~ '^m'), 'm2,m4,m5', 'once comments are wanted, those that were left out are fetched');
UPDATE triage.synced_tickets SET comments_due_at = NULL;
SELECT is(triage.store_sync_tickets(c.tenant_id, c.source, c.fence, '{"tickets": [], "end_of_stream": "yes", "wait_ms": -1, "users": {"x": 1}}', 200, 1, now()), 'stored', 'a page with nothing that can be used in it')
	FROM triage.claim_sync(0, 1) c;

-- Pausing and ending ----------------------------------------------------------------------------------------------------------------

SELECT fence AS fence FROM triage.claim_sync(0, 1) \gset
SELECT is(pg_temp.outcome('SELECT triage.pause_source(''zendesk'', repeat(''x'', 501))'), '22023', 'a reason is short');
SELECT triage.pause_source('zendesk', 'moving house');
SELECT is(triage.store_sync_tickets('default', 'zendesk', :fence, pg_temp.page(jsonb_build_array(pg_temp.t('q1', 1))), 200, 1, now()), 'stale', 'what was on its way when it was paused is not stored');
SELECT is(triage.next_sync(), NULL, 'a source that is paused is not asked');
SELECT is_empty('SELECT FROM triage.claim_sync(0, 4)', 'at all');
SELECT triage.resume_source('zendesk');
SELECT isnt_empty('SELECT FROM triage.claim_sync(0, 1)', 'once it is resumed it is');
SELECT results_eq('SELECT paused_at, paused_by, pause_reason FROM triage.sync_sources', 'VALUES (NULL::timestamptz, NULL::text, NULL::text)', 'and nothing is left of the pause');
SET LOCAL triage.tenant = 'other';
SELECT is(pg_temp.outcome('SELECT triage.' || call), '42704', 'not another tenant''s: ' || call)
	FROM unnest(ARRAY['pause_source(''zendesk'')', 'resume_source(''zendesk'')', 'drop_source(''zendesk'')', 'sync_now(''zendesk'')']) c (call);
SELECT is_empty('SELECT * FROM triage.sync_now()', 'nor all of another tenant''s');
SELECT triage.add_zendesk_source('acme', 'a@b.c', 'key');
SELECT results_eq('SELECT c.tenant_id, c.source FROM triage.claim_sync(0, 4) c WHERE c.stream = ''tickets''', $$VALUES ('other'::text, 'zendesk'::text)$$, 'who has a source of that name, too');
UPDATE triage.sync_sources SET requests_per_minute = 10;
UPDATE triage.sync_state SET next_run_at = now(), paced_until = now(), lease_until = NULL WHERE tenant_id = 'default';
SELECT is_empty('SELECT FROM triage.claim_sync(0, 4) c WHERE c.stream = ''tickets''', 'an account''s limit holds for all who ask it');
UPDATE triage.sync_state SET paced_until = now();
UPDATE triage.sync_sources SET requests_per_minute = 1000000;
SELECT is(triage.store_sync_tickets('other', 'zendesk', 1, pg_temp.page(jsonb_build_array(pg_temp.t('35', 1, '{"subject": "the other''s"}'))), 200, 1, now()), 'stored', 'stores in his own rows');
SELECT results_eq('SELECT tenant_id, subject FROM triage.tickets WHERE external_id = ''35'' ORDER BY 1', $$VALUES ('default'::text, 'Printer again'::text), ('other', 'the other''s')$$, 'and leaves the others'' alone');
RESET triage.tenant;
SELECT count(*) AS tickets, max(id) AS last FROM triage.tickets WHERE tenant_id = 'default' \gset
SELECT triage.drop_source('zendesk');
SELECT is((SELECT count(*) FROM triage.tickets WHERE tenant_id = 'default'), :tickets::bigint, 'a source that is dropped leaves its tickets');
SELECT results_eq('SELECT tenant_id FROM triage.sync_sources UNION ALL SELECT DISTINCT tenant_id FROM triage.sync_state UNION ALL SELECT DISTINCT tenant_id FROM triage.synced_tickets',
	$$VALUES ('other'::text), ('other'), ('other')$$, 'and where it had got to is forgotten');
SELECT is(triage.store_sync_tickets('default', 'zendesk', 1, pg_temp.page('[]'), 200, 1, now()), 'stale', 'what comes for it is stale');

-- A source that is dropped while it is asked and added anew, under the same name for another account.
CREATE FUNCTION pg_temp.claimed(stream text) RETURNS int LANGUAGE sql AS $$ SELECT c.fence FROM triage.claim_sync(0, 4) c WHERE c.stream = claimed.stream AND c.tenant_id = 'default' $$;
SELECT triage.add_zendesk_source('first', 'a@b.c', 'key', name => 'anew', requests_per_minute => 1000000, comment_requests_per_minute => 1000000);
SELECT pg_temp.claimed('tickets') AS page_fence \gset
SELECT triage.store_sync_tickets('default', 'anew', :page_fence, pg_temp.page(jsonb_build_array(pg_temp.t('77', 1)), '{"end_of_stream": true}'), 200, 1, now());
SELECT triage.sync_now('anew');
UPDATE triage.sync_state SET paced_until = now();
SELECT max(c.fence) FILTER (WHERE c.stream = 'tickets') AS page_fence, max(c.fence) FILTER (WHERE c.stream = 'comments') AS comment_fence
	FROM triage.claim_sync(0, 4) c WHERE c.source = 'anew' \gset
SELECT triage.drop_source('anew');
SELECT is((SELECT count(*) FROM triage.sync_runs WHERE source = 'anew' AND outcome = 'lost'), 2::bigint, 'what was on its way is on record as lost');
SELECT triage.add_zendesk_source('second', 'a@b.c', 'key', name => 'anew', requests_per_minute => 1000000, comment_requests_per_minute => 1000000);
SELECT pg_temp.claimed('tickets') AS new_fence \gset
SELECT isnt(:new_fence, 1, 'a source that is added again has other fences');
UPDATE triage.sync_state SET fence = fence - :new_fence + 1000 WHERE source = 'anew' AND stream = 'tickets';
SELECT is(triage.store_sync_tickets('default', 'anew', :page_fence, pg_temp.page(jsonb_build_array(pg_temp.t('78', 1)), '{"end_of_stream": true}'), 200, 1, now()),
	'stale', 'so a page of the account before is not taken for one of the new');
SELECT triage.store_sync_tickets('default', 'anew', 1000, pg_temp.page(jsonb_build_array(pg_temp.t('77', 5)), '{"end_of_stream": true}'), 200, 1, now());
UPDATE triage.sync_state SET paced_until = now();
SELECT pg_temp.claimed('comments') AS new_fence \gset
SELECT is(triage.store_sync_comments('default', 'anew', :comment_fence, '77', '{"comments": [{"id": "1", "body": "another''s", "public": true, "created_at": 1700000000}], "has_more": false}', 200, 1, now()),
	'stale', 'nor are its comments');
SELECT triage.drop_source('anew');

-- What is append-only, and for how long ------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome(command), '42501', command)
	FROM unnest(ARRAY['UPDATE triage.sync_runs SET error = NULL', 'DELETE FROM triage.sync_runs', 'TRUNCATE triage.sync_runs']) c (command);
SELECT is((SELECT deleted FROM triage.apply_retention() WHERE target = 'sync_runs'), 0::bigint, 'runs are kept for a month');
INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome, finished_at) VALUES ('default', 'zendesk', 'tickets', 'succeeded', now() - interval '31 days');
SELECT is((SELECT deleted FROM triage.apply_retention() WHERE target = 'sync_runs'), 1::bigint, 'and no longer');
SELECT is_empty('SELECT * FROM triage.check_integrity(true)', 'nothing of all that contradicts itself');

SELECT finish();
ROLLBACK;
