-- Tags, custom fields, links between tickets, and what create_ticket(), update_ticket() and the searches refuse with a hint.
\ir prepare.psql
SELECT no_plan();

CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SELECT triage.create_tenant('other');
CREATE FUNCTION pg_temp.refusal(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	hint text;
	violated text;
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT, violated = CONSTRAINT_NAME;
	RETURN concat_ws(' | ', SQLSTATE, regexp_replace(SQLERRM, '(ticket|Ticket) \d+', '\1 N', 'g'), nullif(violated, ''), nullif(hint, ''));
END
$$;
CREATE FUNCTION pg_temp.trail(ticket_id bigint, field text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(format('%s -> %s', h.old_value, h.new_value), '; ' ORDER BY h.id)
		FROM triage.ticket_history h WHERE h.ticket_id = trail.ticket_id AND h.field = trail.field
$$;
SELECT triage.create_ticket('printer', 'jams', external_id => 'a', tags => '{hardware}') AS a \gset
SELECT triage.create_ticket('paper', 'none', external_id => 'b') AS b \gset
SELECT triage.create_ticket('toner', 'none', external_id => 'c') AS c \gset
SELECT triage.create_ticket('gone', 'x', external_id => 'gone') AS gone \gset
SELECT triage.delete_ticket(:gone);

-- Tags ------------------------------------------------------------------------------------------------------------------------

SELECT is(triage.add_tags(:a, '{vip,hardware,eu,vip}'), 2, 'tags are added');
SELECT is((SELECT t.tags FROM triage.tickets t WHERE t.id = :a), '{hardware,vip,eu}', 'each once, in the order in which they came');
SELECT is(triage.add_tags(:a, '{eu}'), 2, 'what is there already changes nothing');
SELECT is(triage.add_tags(:a, '{}'), 2, 'nor do none');
SELECT is(triage.add_tags(:a, NULL), 2, 'or NULL');
SELECT is(triage.add_tags(:a, '{Eu}', expected_version => 2), 3, 'upper and lower case are told apart');
SELECT is(triage.remove_tags(:a, '{hardware,Eu,unknown,NULL}'), 4, 'tags are taken away');
SELECT is((SELECT t.tags FROM triage.tickets t WHERE t.id = :a), '{vip,eu}', 'the others stay');
SELECT is(triage.remove_tags(:a, '{hardware}'), 4, 'what is not there changes nothing');
SELECT is(triage.remove_tags(:a, NULL), 4, 'nor does NULL');
SELECT is(pg_temp.trail(:a, 'tags'), '["hardware"] -> ["hardware", "vip", "eu"]; ["hardware", "vip", "eu"] -> ["hardware", "vip", "eu", "Eu"]; ["hardware", "vip", "eu", "Eu"] -> ["vip", "eu"]',
	'[seed 81] the history has each change');
SELECT is(pg_temp.refusal(format(c.command, :a)), c.refusal, c.command)
	FROM (VALUES
		('SELECT triage.add_tags(%s, ''{a,NULL}'')', '23514 | a tag must not be NULL | tickets_tags_no_null | array_remove(tags, NULL) takes the NULLs out.'),
		('SELECT triage.add_tags(%s, ''{" "}'')', '23514 | a tag has 1 to 100 characters, not all of them blank | tickets_tags_limits | Tags are short labels; longer values belong into custom_fields.'),
		('SELECT triage.add_tags(%s, ARRAY [repeat(''x'', 101)])', '23514 | a tag has 1 to 100 characters, not all of them blank | tickets_tags_limits | Tags are short labels; longer values belong into custom_fields.'),
		('SELECT triage.add_tags(%s, ARRAY (SELECT ''t'' || n FROM generate_series(1, 99) n))', '23514 | too many tags: 101 | tickets_tags_limits | A ticket has at most 100 tags.'),
		('SELECT triage.add_tags(%s, ''{x}'', expected_version => 3)', '40001 | ticket N was changed since it was read | Read the ticket again, decide anew, and retry with its current version.'),
		('SELECT triage.remove_tags(%s, ''{x}'', expected_version => 3)', '40001 | ticket N was changed since it was read | Read the ticket again, decide anew, and retry with its current version.'),
		('SELECT triage.create_ticket(''x'', ''x'', tags => ''{a,NULL}''), %s', '23514 | a tag must not be NULL | tickets_tags_no_null | array_remove(tags, NULL) takes the NULLs out.'),
		('SELECT triage.update_ticket(%s, ''{"tags": ["a", ""]}'')', '23514 | a tag has 1 to 100 characters, not all of them blank | tickets_tags_limits | Tags are short labels; longer values belong into custom_fields.')) c (command, refusal);
SELECT is(pg_temp.outcome(format('SELECT triage.add_tags(%s, ARRAY (SELECT ''t'' || n FROM generate_series(1, 98) n))', :a)), 'ok', 'a hundred may be');
SELECT is(pg_temp.outcome(c.command), 'P0002', c.command)
	FROM (VALUES ('SELECT triage.add_tags(-1, ''{x}'')'), ('SELECT triage.remove_tags(NULL, ''{x}'')'), (format('SELECT triage.add_tags(%s, ''{x}'')', :gone))) c (command);

-- listing by them, rare and common
CREATE FUNCTION pg_temp.listed(tags text[], unassigned boolean DEFAULT false) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(t.external_id, ' ' ORDER BY l.created_at DESC, l.id DESC)
		FROM triage.list_tickets(tags => listed.tags, unassigned => listed.unassigned) l JOIN triage.tickets t ON t.id = l.id
$$;
SELECT triage.remove_tags(:a, ARRAY (SELECT 't' || n FROM generate_series(1, 98) n));
SELECT triage.add_tags(:b, '{eu}');
SELECT triage.assign_ticket(:b, 'ann');
UPDATE triage.tickets SET tags = '{eu}' WHERE id = :gone;
INSERT INTO triage.tickets (tenant_id, description, tags) VALUES ('other', 'x', '{eu}');
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.listed('{eu}'), 'b a', 'list_tickets() by tag');
SELECT is(pg_temp.listed('{vip,eu}'), 'a', 'a ticket must have all of them');
SELECT is(pg_temp.listed('{eu}', true), 'a', 'beside other filters');
SELECT is(pg_temp.listed('{none}'), NULL, 'one that no ticket has');
SELECT is(pg_temp.listed('{}'), 'c b a', 'no tag is no filter');
SELECT is(pg_temp.listed('{NULL}'), NULL, 'NULL is no ticket''s tag');
SELECT is(triage.tickets_tagged('{eu}', 1), NULL, 'beyond the limit the index is not gone by');
RESET ROLE;
SET LOCAL triage.auto_triage = off;
INSERT INTO triage.tickets (external_id, description, tags, created_at) SELECT 'm' || n, 'x', '{many}', now() - n * interval '1 s' FROM generate_series(1, 2100) n;
SELECT is((SELECT array_agg(t.external_id ORDER BY l.created_at DESC) FROM triage.list_tickets(tags => '{many}', max_rows => 3) l JOIN triage.tickets t ON t.id = l.id),
	'{m1,m2,m3}', 'a common tag');
ANALYZE triage.tickets;
CREATE FUNCTION pg_temp.plan(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	line text;
	answer text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || command LOOP
		answer := answer || line || E'\n';
	END LOOP;
	RETURN answer;
END
$$;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
SELECT matches(pg_temp.plan($$SELECT t.id FROM triage.tickets t WHERE t.tenant_id = 'default' AND t.deleted_at IS NULL AND t.tags <> '{}' AND t.tags @> '{vip}' LIMIT 2001$$),
	'Bitmap Index Scan on tickets_tags', 'the index on tags serves tickets_tagged()');
RESET enable_seqscan;
RESET enable_indexscan;

-- Custom fields -------------------------------------------------------------------------------------------------------------------

SELECT is(triage.set_custom_fields(:c, '{"plan": "pro", "seats": 5, "a": {"b": 1}}'), 2, 'custom fields are set');
SELECT is(triage.set_custom_fields(:c, '{"seats": 6, "a": {"c": 2}, "plan": null, "gone": null}', expected_version => 2), 3, 'merged, and with null removed');
SELECT is((SELECT t.custom_fields FROM triage.tickets t WHERE t.id = :c), '{"a": {"c": 2}, "seats": 6}', 'key by key, a value as a whole');
SELECT is(triage.set_custom_fields(:c, '{"seats": 6, "none": null}'), 3, 'what is so already changes nothing');
SELECT is(triage.set_custom_fields(:c, '{}'), 3, 'nor does nothing');
SELECT is(pg_temp.trail(:c, 'custom_fields'), '{} -> {"a": {"b": 1}, "plan": "pro", "seats": 5}; {"a": {"b": 1}, "plan": "pro", "seats": 5} -> {"a": {"c": 2}, "seats": 6}',
	'[seed 81] the history has both values');
SELECT is(pg_temp.refusal(format(c.command, :c)), c.refusal, c.command)
	FROM (VALUES
		('SELECT triage.set_custom_fields(%s, NULL)', '22023 | changes must be a JSON object | An empty one changes nothing.'),
		('SELECT triage.set_custom_fields(%s, ''[1]'')', '23514 | custom fields are a JSON object, not array | tickets_custom_fields_object | Write them like {"plan": "pro", "seats": 5}.'),
		('SELECT triage.set_custom_fields(%s, ''null'')', '23514 | custom fields are a JSON object, not null | tickets_custom_fields_object | Write them like {"plan": "pro", "seats": 5}.'),
		('SELECT triage.set_custom_fields(%s, ''{"": 1}'')', '23514 | the name of a custom field has 1 to 100 characters, not 0 | Use a shorter name.'),
		('SELECT triage.set_custom_fields(%s, jsonb_build_object(repeat(''x'', 101), 1))', '23514 | the name of a custom field has 1 to 100 characters, not 101 | Use a shorter name.'),
		('SELECT triage.set_custom_fields(%s, ''{"x": 1}'', 2)', '40001 | ticket N was changed since it was read | Read the ticket again, decide anew, and retry with its current version.'),
		('SELECT triage.create_ticket(''x'', ''x'', custom_fields => ''"x"''), %s', '23514 | custom fields are a JSON object, not string | tickets_custom_fields_object | Write them like {"plan": "pro", "seats": 5}.')) c (command, refusal);
SELECT matches(pg_temp.refusal(format(c.command, :c)), '^23514 \| custom fields are too large: \d+ bytes \| tickets_custom_fields_size \| A ticket''s custom fields hold at most 65536 bytes together; attach larger values as files.$', c.command)
	FROM (VALUES ('SELECT triage.set_custom_fields(%s, jsonb_build_object(''x'', repeat(''x'', 70000)))'), ('SELECT triage.update_ticket(%s, jsonb_build_object(''custom_fields'', jsonb_build_object(''x'', repeat(''x'', 70000))))'),
		('SELECT triage.create_ticket(''x'', ''x'', custom_fields => jsonb_build_object(''x'', repeat(''x'', 70000))), %s')) c (command);
SELECT triage.set_custom_fields(:c, jsonb_build_object('x', repeat('x', 40000)));
SELECT matches(pg_temp.refusal(format('SELECT triage.set_custom_fields(%s, jsonb_build_object(''y'', repeat(''y'', 40000)))', :c)), '^23514 \| custom fields are too large', 'it is the sum that is limited');
SELECT is(pg_temp.outcome(format('SELECT triage.set_custom_fields(%s, ''{}'')', :gone)), 'P0002', 'not those of a deleted ticket');

-- Links -----------------------------------------------------------------------------------------------------------------------------

SELECT triage.link_tickets(:b, 'duplicate_of', :a) AS link \gset
SELECT is(triage.link_tickets(:b, 'duplicate_of', :a), :link::bigint, 'a link is there once');
SELECT triage.link_tickets(:c, 'related', :a) AS related \gset
SELECT is(triage.link_tickets(:a, 'related', :c), :related::bigint, 'related has no direction');
SELECT triage.link_tickets(:c, 'caused_by', :b), triage.link_tickets(:c, 'followup_of', :b), triage.link_tickets(:a, 'caused_by', :c);
CREATE FUNCTION pg_temp.links(ticket_id bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(format('%s %s', l.relation, o.external_id), ', ' ORDER BY l.link_id)
		FROM triage.linked_tickets l JOIN triage.tickets o ON o.id = l.other_id WHERE l.ticket_id = links.ticket_id
$$;
SELECT is(pg_temp.links(:a), 'duplicated_by b, related c, caused_by c', 'links are seen from both sides: a');
SELECT is(pg_temp.links(:b), 'duplicate_of a, cause_of c, followed_up_by c', 'b');
SELECT is(pg_temp.links(:c), 'related a, caused_by b, followup_of b, cause_of a', 'c');
SELECT results_eq(format('SELECT l.other_subject, l.other_status::text, l.created_by FROM triage.linked_tickets l WHERE l.ticket_id = %s AND l.relation = ''duplicate_of''', :b),
	$$VALUES ('printer', 'open', triage.current_actor())$$, 'with what the other is, and who linked them');
SELECT is(pg_temp.refusal(c.command), c.refusal, c.command)
	FROM (VALUES
		(format('SELECT triage.link_tickets(%s, ''related'', %1$s)', :a), '23514 | ticket N cannot be linked to itself | ticket_links_not_self | Name two tickets.'),
		(format('SELECT triage.link_tickets(%s, ''duplicate_of'', %s)', :a, :b), '23514 | ticket N is duplicate_of ticket N already | It cannot be so both ways round: call triage.unlink_tickets() for that link first.'),
		(format('SELECT triage.link_tickets(%s, NULL, %s)', :a, :b), '22023 | a link has a kind | The kinds are: duplicate_of, caused_by, followup_of, related.'),
		(format('SELECT triage.link_tickets(%s, ''related'', %s)', :a, :gone), 'P0002 | ticket N does not exist | Tickets that were deleted, and those of other tenants, cannot be reached.'),
		(format('SELECT triage.link_tickets(%s, ''related'', NULL)', :a), 'P0002 | ticket NULL does not exist | Tickets that were deleted, and those of other tenants, cannot be reached.'),
		(format('SELECT triage.link_tickets(NULL, ''related'', %s)', :a), 'P0002 | ticket NULL does not exist | Tickets that were deleted, and those of other tenants, cannot be reached.'),
		(format('SELECT triage.link_tickets(%s, ''related'', (SELECT t.id FROM triage.tickets t WHERE t.tenant_id = ''other''))', :a),
			'P0002 | ticket N does not exist | Tickets that were deleted, and those of other tenants, cannot be reached.')) c (command, refusal);
SELECT is(pg_temp.outcome(format('SELECT triage.link_tickets(%s, ''parent_of'', %s)', :a, :b)), '22P02', '[seed 99] no kind that there is not');
SELECT is(triage.unlink_tickets(:b, 'duplicate_of', :a), true, 'a link is taken away');
SELECT is(triage.unlink_tickets(:b, 'duplicate_of', :a), false, 'once');
SELECT is(triage.unlink_tickets(:b, 'caused_by', :c), false, 'the other way round it is another');
SELECT is(triage.unlink_tickets(:a, 'related', :c), true, 'but not of related ones');
SELECT is(pg_temp.links(:a), 'caused_by c', 'the others stay');
SELECT triage.delete_ticket(:c);
SELECT is(pg_temp.links(:a), NULL, 'deleted tickets are not shown');
DELETE FROM triage.tickets WHERE id = :c;
SELECT is_empty('SELECT FROM triage.ticket_links', '[seed 90] links go with their tickets');
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.outcome(c.command), 'ok', 'an agent''s role: ' || c.command)
	FROM (VALUES (format('SELECT triage.link_tickets(%s, ''related'', %s)', :a, :b)), (format('SELECT triage.unlink_tickets(%s, ''related'', %s)', :a, :b)),
		(format('SELECT triage.add_tags(%s, ''{x}'')', :a)), (format('SELECT triage.remove_tags(%s, ''{x}'')', :a)), (format('SELECT triage.set_custom_fields(%s, ''{"x": 1}'')', :a))) c (command);
RESET ROLE;

-- Hints ------------------------------------------------------------------------------------------------------------------------------

UPDATE triage.ticket_categories SET is_active = false WHERE tenant_id = 'default' AND category = 'billing';
UPDATE triage.tickets SET category = 'billing' WHERE id = :a;
SELECT is(pg_temp.refusal(format(c.command, :b)), c.refusal, c.command)
	FROM (VALUES
		('SELECT triage.create_ticket(''x'', ''x'', external_id => ''''), %s', '23514 | external_id has 1 to 1000 characters, not 0 | tickets_external_id_length | Leave it NULL when the source gives none.'),
		('SELECT triage.create_ticket(''x'', ''x'', external_id => repeat(''x'', 1001)), %s', '23514 | external_id has 1 to 1000 characters, not 1001 | tickets_external_id_length | Leave it NULL when the source gives none.'),
		('SELECT triage.create_ticket(''x'', ''x'', source => ''''), %s', '23514 | source has 1 to 100 characters, not 0 | tickets_source_length | Name the channel, such as ''email'', or leave it away for ''api''.'),
		('SELECT triage.create_ticket(''x'', ''x'', category => ''billing''), %s', '23514 | category "billing" is not in use any more | The categories in use are: bug_report, feature_request, general, technical.'),
		('SELECT triage.update_ticket(%s, ''{"category": "billing"}'')', '23514 | category "billing" is not in use any more | The categories in use are: bug_report, feature_request, general, technical.'),
		('SELECT triage.create_ticket(''x'', ''x'', category => ''gardening''), %s', '23503 | category "gardening" does not exist | tickets_category_fkey | The categories are: bug_report, feature_request, general, technical.')) c (command, refusal);
SELECT is(pg_temp.outcome(format('SELECT triage.update_ticket(%s, ''{"category": "billing", "subject": "y"}'')', :a)), 'ok', 'a ticket keeps a category that is not in use any more');
UPDATE triage.ticket_categories SET is_active = false WHERE tenant_id = 'default';
SELECT is(pg_temp.refusal(format('SELECT triage.update_ticket(%s, ''{"category": "general"}'')', :b)),
	'23514 | category "general" is not in use any more | Set is_active in triage.ticket_categories.', 'where none is in use');
SELECT is(pg_temp.refusal(format('SELECT FROM triage.search_tickets(%s)', c.query)), c.refusal, 'search for ' || c.query)
	FROM (VALUES ('repeat(''x '', 500)', 'ok'), ('repeat(''x'', 1001)', '22023 | the query is too long: 1001 characters | Search for at most 1000 characters: some words that matter.'),
		('repeat(''word '', 400000)', '22023 | the query is too long: 2000000 characters | Search for at most 1000 characters: some words that matter.')) c (query, refusal);

-- A mistyped tenant ----------------------------------------------------------------------------------------------------

SET LOCAL triage.tenant = 'defualt';
SELECT is(pg_temp.refusal(c), '23503 | tenant "defualt" does not exist | SET triage.tenant to one that does, or make it with triage.create_tenant.', c)
	FROM unnest(ARRAY['SELECT triage.create_ticket(''x'', ''x'')', 'SELECT triage.create_ticket(''x'', ''x'', ''carl'')',
		'SELECT triage.create_ticket(''x'', ''x'', category => ''billing'')', 'SELECT triage.start_session()', 'SELECT triage.start_session(''carl'', true)',
		'SELECT triage.ensure_person(''carl'')', 'SELECT triage.ensure_agent(''ann'')', 'SELECT triage.set_chat_settings(''{"auto_close": true}'')']) c;
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.refusal('SELECT triage.create_ticket(''x'', ''x'')'), '23503 | tenant "defualt" does not exist | SET triage.tenant to one that does, or make it with triage.create_tenant.',
	'an agent''s role is told the same');
SET LOCAL triage.tenant = 'other';
SELECT is(pg_temp.refusal('SELECT triage.create_ticket(''x'', ''x'', ''carl'')'), 'ok', 'and not of one that is there');
RESET ROLE;
RESET triage.tenant;

SELECT finish();
ROLLBACK;
