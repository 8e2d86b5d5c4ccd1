-- Arguments that cannot be: a message that names the argument, an SQLSTATE and a hint, and never the row in its DETAIL.
\ir prepare.psql
SELECT no_plan();

CREATE FUNCTION pg_temp.refusal(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), coalesce(nullif(hint, ''), 'no hint'));
END
$$;
SELECT triage.create_ticket('printer', 'jams', external_id => 'a', tags => '{a,b}') AS a \gset

-- Tags are a list ------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.refusal(c.command), '22023 | tags must be a one-dimensional array | Write them like {vip,refund}, without further braces.', c.command)
	FROM (VALUES
		('SELECT triage.create_ticket(''s'', ''d'', tags => ''{{a,b},{c,d}}'', requester_id => ''nobody'')'),
		(format('SELECT triage.add_tags(%s, ''{{a,b}}'')', :a)),
		('INSERT INTO triage.tickets (subject, description, tags) VALUES (''s'', ''d'', ''{{a,b}}'')'),
		(format('UPDATE triage.tickets SET tags = ''{{a,NULL}}'' WHERE id = %s', :a))) c (command);
-- What the table's constraints say, too, but without a hint and with the whole row.
SELECT is(pg_temp.refusal(format('UPDATE triage.tickets SET %s WHERE id = %s', c.change, :a)), c.refusal, left(c.change, 60))
	FROM (VALUES
		('tags = ''{a,NULL}''', '23514 | a tag must not be NULL | array_remove(tags, NULL) takes the NULLs out.'),
		('tags = ''{a,""}''', '23514 | a tag has 1 to 100 characters, not all of them blank | Tags are short labels; longer values belong into custom_fields.'),
		('tags = ARRAY [''a'', repeat(''ä'', 101)]', '23514 | a tag has 1 to 100 characters, not all of them blank | Tags are short labels; longer values belong into custom_fields.'),
		('tags = ''{" "}''', '23514 | a tag has 1 to 100 characters, not all of them blank | Tags are short labels; longer values belong into custom_fields.'),
		('tags = ARRAY [repeat(E''x\n'', 51)]', '23514 | a tag has 1 to 100 characters, not all of them blank | Tags are short labels; longer values belong into custom_fields.'),
		('tags = array_fill(''x''::text, ''{101}'')', '23514 | too many tags: 101 | A ticket has at most 100 tags.'),
		('tags = array_fill(repeat(''ä'', 100), ''{100}'')', 'ok'),
		('tags = ''{}''', 'ok'),
		('source = ''''', '23514 | source has 1 to 100 characters, not 0 | Name the channel, such as ''email'', or leave it away for ''api''.'),
		('source = repeat(''ä'', 101)', '23514 | source has 1 to 100 characters, not 101 | Name the channel, such as ''email'', or leave it away for ''api''.'),
		('source = repeat(''ä'', 100)', 'ok'),
		('external_id = ''''', '23514 | external_id has 1 to 1000 characters, not 0 | Leave it NULL when the source gives none.'),
		('external_id = repeat(''x'', 1001)', '23514 | external_id has 1 to 1000 characters, not 1001 | Leave it NULL when the source gives none.'),
		('custom_fields = ''["a"]''', '23514 | custom fields are a JSON object, not array | Write them like {"plan": "pro", "seats": 5}.'),
		('custom_fields = ''null''', '23514 | custom fields are a JSON object, not null | Write them like {"plan": "pro", "seats": 5}.'),
		('custom_fields = jsonb_build_object(''a'', repeat(''x'', 65519))', 'ok'),
		('custom_fields = jsonb_build_object(''a'', repeat(''x'', 65520))',
			'23514 | custom fields are too large: 65537 bytes | A ticket''s custom fields hold at most 65536 bytes together; attach larger values as files.')) c (change, refusal);
SELECT is(pg_temp.refusal(format('INSERT INTO triage.tickets (description, %s) VALUES (''d'', %L)', c.field, c.value)), c.refusal, 'in a new row: ' || c.field)
	FROM (VALUES
		('source', '', '23514 | source has 1 to 100 characters, not 0 | Name the channel, such as ''email'', or leave it away for ''api''.'),
		('external_id', '', '23514 | external_id has 1 to 1000 characters, not 0 | Leave it NULL when the source gives none.'),
		('tags', '{NULL}', '23514 | a tag must not be NULL | array_remove(tags, NULL) takes the NULLs out.'),
		('custom_fields', '1', '23514 | custom fields are a JSON object, not number | Write them like {"plan": "pro", "seats": 5}.')) c (field, value, refusal);
UPDATE triage.tickets SET tags = '{a,b}', source = 'api', custom_fields = '{}' WHERE id = :a;
SELECT is(pg_temp.refusal(format('SELECT triage.update_ticket(%s, ''{"tags": [["a"]]}'')', :a)),
	'22023 | key "tags" must be a JSON array of strings | The keys are: subject, description, language, priority, category, status, resolution, tags, custom_fields, requester_id, requester_email, assignee_id.', 'in JSON they are strings');
SELECT is((SELECT count(*) FROM triage.people), 0::bigint, 'nothing was written');
SELECT lives_ok(format('SELECT triage.remove_tags(%s, ''{{b,c}}'')', :a), 'what is taken away may be written in any way');
SELECT is((SELECT t.tags FROM triage.tickets t WHERE t.id = :a), '{a}', 'and is');
SELECT is(pg_temp.refusal('SELECT triage.set_taxonomy(''A'', ''b'', keywords => ''{{a,b}}'')'),
	'22023 | keywords must be a one-dimensional array | Write them like {login,password}, without further braces.', 'keywords are a list, too');
SELECT is(pg_temp.refusal('SELECT triage.set_taxonomy(''A'', ''b'', keywords => ''{a,NULL}'')'),
	'23514 | keywords must be at most 500, none of them NULL | array_remove(keywords, NULL) takes the NULLs out; a few telling words serve best.', 'of words');
SELECT is(pg_temp.refusal('SELECT triage.add_consumer(''c'', ''{{ticket.created}}'')'),
	'22023 | topics must be a one-dimensional array | Write them like {ticket.created,comment.created}, without further braces.', 'and topics');

-- Texts have limits ----------------------------------------------------------------------------------------------------

SELECT triage.start_session() AS s \gset
SELECT triage.post_message(:s, 'hello') AS m \gset
SELECT triage.add_comment(:a, 'x', author_role => 'agent') AS c \gset
SELECT triage.set_taxonomy('A', 'b');
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name) VALUES ('A', 'b', 'a') RETURNING id AS k \gset
CREATE TEMP TABLE before AS SELECT (SELECT count(*) FROM triage.people) AS people, (SELECT count(*) FROM triage.tickets) AS tickets;
SELECT is(pg_temp.refusal(c.command) , c.refusal, c.command)
	FROM (VALUES
		('SELECT triage.create_ticket(''s'', ''d'', requester_email => repeat(''x'', 100000))', '23514 | requester_email has at most 320 characters, not 100000 | Give the address alone, without a name.'),
		('SELECT triage.create_ticket(''s'', ''d'', ''new'', repeat(''x'', 321))', '23514 | email has at most 320 characters, not 321 | Give the address alone, without a name.'),
		('SELECT triage.create_ticket(''s'', ''d'', language => repeat(U&''\00E4'', 36))', '23514 | language has at most 35 characters, not 36 | Give a language''s tag, such as de or pt-BR.'),
		(format('SELECT triage.update_ticket(%s, jsonb_build_object(''requester_email'', repeat(''x'', 321)))', :a), '23514 | requester_email has at most 320 characters, not 321 | Give the address alone, without a name.'),
		(format('SELECT triage.update_ticket(%s, jsonb_build_object(''language'', repeat(''x'', 36)))', :a), '23514 | language has at most 35 characters, not 36 | Give a language''s tag, such as de or pt-BR.'),
		(format('SELECT triage.update_ticket(%s, jsonb_build_object(''requester_id'', ''new'', ''requester_email'', repeat(''x'', 321)))', :a), '23514 | email has at most 320 characters, not 321 | Give the address alone, without a name.'),
		('INSERT INTO triage.tickets (description, requester_email) VALUES (''d'', repeat(''x'', 321))', '23514 | requester_email has at most 320 characters, not 321 | Give the address alone, without a name.'),
		('SELECT triage.start_session(''new'', customer_email => repeat(''x'', 321))', '23514 | email has at most 320 characters, not 321 | Give the address alone, without a name.'),
		('SELECT triage.start_session(language => repeat(''x'', 36))', '23514 | language has at most 35 characters, not 36 | Give a language''s tag, such as de or pt-BR.'),
		('SELECT triage.start_session(metadata => ''null'')', '23514 | metadata must be a JSON object, not null | Write it like {"page": "/pricing"}.'),
		(format('SELECT triage.post_message(%s, ''x'', language => repeat(''x'', 36))', :s), '23514 | language has at most 35 characters, not 36 | Give a language''s tag, such as de or pt-BR.'),
		(format('SELECT triage.post_message(%s, ''x'', metadata => ''[]'')', :s), '23514 | metadata must be a JSON object, not array | Write it like {"page": "/pricing"}.'),
		(format('SELECT triage.rename_cluster(%s, ''x'', repeat(''x'', 4001))', :k), '23514 | cluster_summary has at most 4000 characters, not 4001 | Say what the problem is; the issues have the rest.'),
		(format('SELECT triage.set_pm_status(%s, ''reviewing'', repeat(''x'', 20001))', :k), '23514 | pm_notes has at most 20000 characters, not 20001 | Keep longer texts elsewhere, and say where they are.'),
		('SELECT triage.set_taxonomy(''A'', ''c'', repeat(''x'', 2001))', '23514 | description has at most 2000 characters, not 2001 | A sentence or two tell the model what belongs there.')) c (command, refusal);
SELECT is(pg_temp.refusal(format('SELECT triage.%s, ''https://x/?signature=1'', %s)', f.name, a.arguments)), a.refusal, f.name || ' ' || a.arguments)
	FROM (VALUES (format('attach_file(%s', :m)), (format('attach_to_comment(%s', :c))) f (name),
		(VALUES ('NULL', '22004 | file_name must not be null | It is what people see; without one, the end of the URL will do.'),
			('''''', '23514 | file_name has 1 to 500 characters, not 0 | It is what people see; the end of a path will do.'),
			('repeat(''x'', 501)', '23514 | file_name has 1 to 500 characters, not 501 | It is what people see; the end of a path will do.'),
			('''x'', ''''', '23514 | file_type has 1 to 200 characters, not 0 | Give a media type such as image/png, or NULL.'),
			('''x'', byte_size => -1', '23514 | byte_size must not be negative, as -1 is | Leave it NULL when it is not known.')) a (arguments, refusal);
SELECT is(pg_temp.refusal(format('SELECT triage.attach_to_comment(%s, ''x'', E''a\nb'')', :c)),
	'23514 | name and type of a file must not contain control characters | Line breaks and tabs are such characters, too.', 'a name has one line');
SELECT results_eq('SELECT (SELECT count(*) FROM triage.people), (SELECT count(*) FROM triage.tickets)', 'SELECT * FROM before', 'nothing was written');

-- NULL where a value is needed -----------------------------------------------------------------------------------------

SELECT is(pg_temp.refusal(c.command), '22004 | ' || c.refusal, c.command)
	FROM (VALUES
		('SELECT triage.claim_jobs(NULL)', 'max_jobs, lease, provider and kinds must not be null | Each has a default, which stands for an argument that is left out.'),
		('SELECT triage.claim_jobs(lease => NULL)', 'max_jobs, lease, provider and kinds must not be null | Each has a default, which stands for an argument that is left out.'),
		('SELECT triage.claim_jobs(provider => NULL)', 'max_jobs, lease, provider and kinds must not be null | Each has a default, which stands for an argument that is left out.'),
		('SELECT triage.claim_jobs(kinds => NULL)', 'max_jobs, lease, provider and kinds must not be null | Each has a default, which stands for an argument that is left out.'),
		('SELECT triage.run_pending(NULL)', 'max_jobs must not be null | A one-shot worker ends after so many jobs, or when the queue is empty.'),
		('SELECT triage.set_syncing(NULL)', 'on must not be null | Say true where a copy begins, and false where it ends.')) c (command, refusal);
SELECT is(triage.ensure_person('of no role', NULL), 'customer', 'a person of no role is a customer');
SELECT isnt_empty('SELECT FROM triage.top_clusters(only_visible => false, only_regressed => NULL)', 'a flag that is NULL leaves no cluster out');

-- Lengths of time that no date can bear, and limits below nothing -------------------------------------------------------

SELECT is(pg_temp.refusal(format('SELECT triage.wait_for_triage(%s, NULL)', :a)),
	'22004 | timeout must not be NULL | Leave it away to wait up to a minute; zero looks once and does not wait.', 'a timeout of NULL is not a negative one');
SELECT is(pg_temp.refusal(format('SELECT triage.wait_for_triage(%s, ''100000000 years'')', :a)), pg_temp.refusal(format('SELECT triage.wait_for_triage(%s)', :a)),
	'a wait may be as long as it will');
SELECT is(triage.purge_deleted('100000000 years'), 0::bigint, 'nothing was deleted so long ago');
SELECT lives_ok('SELECT triage.doctor(''-100000000 years'')', 'a transaction may last as long as it will');
SELECT is(pg_temp.refusal(c.command), '22023 | ' || c.refusal, c.command)
	FROM (VALUES
		('SELECT * FROM triage.run_stats(bucket => ''36526 days'')', 'bucket must be from a second to 36525 days, and not in months | For instance ''1 minute'', ''1 hour'' or ''1 day''.'),
		('SELECT * FROM triage.run_stats(bucket => ''2147483647 days'')', 'bucket must be from a second to 36525 days, and not in months | For instance ''1 minute'', ''1 hour'' or ''1 day''.'),
		('SELECT triage.escalate_unanswered(-1)', 'max_sessions must be 0 or more, not -1 | It bounds what one call hands over.'),
		('SELECT triage.escalate_unanswered(NULL)', 'max_sessions must be 0 or more, not NULL | It bounds what one call hands over.'),
		-- 2^64 microseconds and a minute
		('SELECT triage.claim_jobs(lease => ''7116799 months 12 days 28969.551616 seconds'')', 'lease must be between one second and one day | Choose a lease longer than the longest call you make.')) c (command, refusal);

-- What JSON holds --------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.refusal('SELECT triage.set_mining_settings(''{"regression_grace": "soon"}'')'),
	'22023 | mining setting "regression_grace" must be an interval from 0 to a year | For example "1 day" or "12 hours".', 'an interval that is none');

DELETE FROM triage.ai_jobs;
SELECT triage.request_session_summary(:s);
CREATE TEMP TABLE claimed AS SELECT c.job_id, c.fence, (c.request ->> 'version')::bigint AS version FROM triage.claim_jobs(kinds => '{summarize}') c;
SELECT is(pg_temp.refusal(format('SELECT triage.complete_job(%s, %s, ''{"summary": "x", "version": %s}'')', c.job_id, c.fence, v.version)),
	'22023 | answer is not usable: its version is not that of a request | Copy the number version from the request that claim_jobs() returned.', v.version)
	FROM claimed c, (VALUES ('1e400'), ('9223372036854775808'), ('1.5'), ('"1"'), ('null')) v (version);
SELECT is(triage.complete_job(c.job_id, c.fence, jsonb_build_object('summary', 'x', 'version', c.version)), true, 'the version that was asked is taken') FROM claimed c;

-- Comments and messages, in a plain INSERT ----------------------------------------------------------------------------------

SELECT triage.create_ticket('secret', 'text of the ticket', 'carl', external_id => 'comments') AS written \gset
SELECT c.id AS shut FROM triage.create_ticket('secret', 'text of the ticket', 'carl', external_id => 'shut') c (id), triage.close_ticket(c.id) \gset
SELECT triage.start_session() AS session \gset
-- the relation that the error names, too
CREATE FUNCTION pg_temp.blamed(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	relation text;
	attribute text;
	violated text;
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS relation = TABLE_NAME, attribute = COLUMN_NAME, violated = CONSTRAINT_NAME;
	RETURN concat_ws(' ', relation, nullif(attribute, ''), nullif(violated, ''));
END
$$;
SELECT is(pg_temp.refusal(i.command) || ' | ' || pg_temp.blamed(i.command), c.refusal, format('ticket %s, %s: %s', t.name, c.field, left(c.value, 20)))
	FROM (VALUES ('open', :written::bigint), ('closed', :shut)) t (name, id),
		(VALUES
			('source', '', '23514 | source has 1 to 100 characters, not 0 | Name the channel, such as ''email'', or leave it away for ''api''. | ticket_comments ticket_comments_source_length'),
			('source', repeat('ä', 101), '23514 | source has 1 to 100 characters, not 101 | Name the channel, such as ''email'', or leave it away for ''api''. | ticket_comments ticket_comments_source_length'),
			('source', NULL, '23502 | source must not be NULL | Name the channel, such as ''email'', or leave it away for ''api''. | ticket_comments source'),
			('external_id', '', '23514 | external_id has 1 to 1000 characters, not 0 | Leave it NULL when the source gives none. | ticket_comments ticket_comments_external_id_length'),
			('external_id', repeat('x', 1001), '23514 | external_id has 1 to 1000 characters, not 1001 | Leave it NULL when the source gives none. | ticket_comments ticket_comments_external_id_length'),
			('created_at', '-infinity', '23514 | created_at must not be infinite | Leave it away when the time is not known, and it is that of the transaction. | ticket_comments created_at'),
			('created_at', 'infinity', '23514 | created_at must not be infinite | Leave it away when the time is not known, and it is that of the transaction. | ticket_comments created_at')) c (field, value, refusal),
		format('INSERT INTO triage.ticket_comments (ticket_id, content, %I) VALUES (%s, ''x'', %L)', c.field, t.id, c.value) i (command);
SELECT is(pg_temp.refusal(i.command) || ' | ' || pg_temp.blamed(i.command),
		'23514 | created_at must not be infinite | Leave it away when the time is not known, and it is that of the transaction. | ' || c.blamed, i.command)
	FROM (VALUES
			('INSERT INTO triage.ticket_comments (ticket_id, author_role, content, created_at) VALUES (%1$s, ''agent'', ''x'', ''-infinity'')', 'ticket_comments created_at'),
			('INSERT INTO triage.ticket_comments (ticket_id, visibility, content, created_at) VALUES (%1$s, ''internal'', ''x'', ''infinity'')', 'ticket_comments created_at'),
			('INSERT INTO triage.chat_messages (session_id, content, created_at) VALUES (%2$s, ''x'', ''infinity'')', 'chat_messages created_at')) c (command, blamed),
		format(c.command, :written, :session) i (command);
SELECT is_empty(format('SELECT FROM triage.ticket_comments c WHERE c.ticket_id IN (%s, %s)', :written, :shut), 'no comment was stored');
SELECT is(pg_temp.refusal(format('INSERT INTO triage.ticket_comments (ticket_id, content, source, external_id, created_at) VALUES (%s, ''x'', repeat(''ä'', 100), repeat(''x'', 1000), ''1999-12-31'')', :written)),
	'ok', 'a long source and id, and an old date, are taken');

-- Imports ------------------------------------------------------------------------------------------------------------------

CREATE TABLE pg_temp.old (id text PRIMARY KEY, subject text, ticket text, content text);
SELECT is(pg_temp.refusal(c.command), c.refusal, c.command)
	FROM (VALUES
		('CALL triage.import_tickets(''pg_temp.old'', source => '''', commit_batches => false)', '23514 | source has 1 to 100 characters, not 0 | Leave it NULL for the name of the table.'),
		('CALL triage.import_tickets(''pg_temp.old'', source => repeat(''x'', 101), commit_batches => false)', '23514 | source has 1 to 100 characters, not 101 | Leave it NULL for the name of the table.'),
		('CALL triage.import_comments(''pg_temp.old'', ticket_source => '''', commit_batches => false)', '23514 | ticket_source has 1 to 100 characters, not 0 | It is the source under which the tickets were imported.'),
		('SELECT triage.import_columns(''pg_temp.old'', target => ''people'')', '22023 | there is no import of ''people'' | It is of tickets, comments or history.'),
		('SELECT triage.import_columns(''pg_temp.old'', target => NULL)', '22023 | there is no import of NULL | It is of tickets, comments or history.'),
		('SELECT triage.import_start(''tickets'', ''pg_temp.old'', NULL, NULL, ''x'', ''y'', false, 10)',
			'22023 | an import of tickets has no ticket_source | It says where comments and history find their tickets; source is what new ones get.')) c (command, refusal);
SELECT is_empty('SELECT FROM triage.imports', 'and none began');

-- URLs that can be called nowhere ------------------------------------------------------------------------------------------

SELECT is(pg_temp.refusal(format(c.command, u.url)), '22023 | base_url is not a URL that can be called: ' || u.why
		|| ' | It is written https://host/path or http://host:port/path, and no entry of triage.allowed_origins would help.', format(c.command, u.url))
	FROM (VALUES ('SELECT triage.set_provider(''p'', ''openai'', ''%s'', ''m'')'), ('SELECT triage.set_provider(''p'', ''openai'', ''%s'', ''m'', enabled => false)'),
			('SELECT triage.add_zendesk_source(base_url => ''%s'', email => ''a@b.c'', secret => ''s'')')) c (command),
		(VALUES ('http://127.0.0.1:99999/v1', 'the port must be a number from 1 to 65535'), ('http://127.1/v1', 'an IPv4 address must be four decimal numbers'),
			('https://a..b', 'the host has an empty part')) u (url, why);

-- The SQLSTATEs that doc/clients.md has -----------------------------------------------------------------------------------

SELECT triage.create_ticket('Printer', 'jams') AS closed \gset
SELECT triage.close_ticket(:closed) > 0;
SELECT is(pg_temp.outcome(format(c.command, :closed)), c.sqlstate, c.command)
	FROM (VALUES
		('SELECT triage.update_ticket(%s, ''{"priority": "huge"}'')', '22023'),
		('SELECT triage.update_ticket(%s, ''{"colour": "red"}'')', '22023'),
		('SELECT triage.create_ticket(''x'', ''x'', priority => ''huge'')', '22P02'),
		('INSERT INTO triage.tickets (subject, priority) VALUES (''x'', ''huge'')', '22P02'),
		('UPDATE triage.tickets SET status = ''done'' WHERE id = %s', '22P02'),
		('SELECT triage.list_tickets(statuses => ''{done}'')', '22P02'),
		('SELECT triage.add_comment(%s, ''x'', author_role => ''agent'')', '55000'),
		('SELECT triage.request_triage(%s)', '55000')) c (command, sqlstate);

-- Sessions that read strings in another way -------------------------------------------------------------------------------

SELECT triage.create_ticket('Printer', 'jams') AS ticket \gset
SELECT triage.start_session() AS session \gset
SET standard_conforming_strings = off;
SET escape_string_warning = off;
SELECT lives_ok(format('SELECT triage.add_tags(%s, ARRAY[''vip''])', :ticket), 'a tag without a capital S is no blank one');
SELECT lives_ok(format('SELECT triage.add_comment(%s, ''hello'', author_role => ''agent'')', :ticket), 'nor is a comment');
SELECT lives_ok(format('SELECT triage.post_message(%s, ''hello'')', :session), 'nor a message');
SELECT is(triage.html_escape(E'a<\x01'), 'a&lt;&#xFFFD;', 'control characters are found');
RESET standard_conforming_strings;

SELECT finish();
ROLLBACK;
