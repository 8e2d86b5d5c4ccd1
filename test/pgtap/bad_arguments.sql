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
SELECT is(pg_temp.refusal(format('SELECT triage.update_ticket(%s, ''{"tags": [["a"]]}'')', :a)),
	'22023 | key "tags" must be a JSON array of strings | The keys are: subject, description, language, priority, category, status, resolution, tags, custom_fields, requester_id, requester_email, assignee_id.', 'in JSON they are strings');
SELECT is((SELECT count(*) FROM triage.people), 0::bigint, 'nothing was written');
SELECT lives_ok(format('SELECT triage.remove_tags(%s, ''{{b,c}}'')', :a), 'what is taken away may be written in any way');
SELECT is((SELECT t.tags FROM triage.tickets t WHERE t.id = :a), '{a}', 'and is');
SELECT is(pg_temp.refusal('SELECT triage.set_taxonomy(''A'', ''b'', keywords => ''{{a,b}}'')'),
	'22023 | keywords must be a one-dimensional array | Write them like {login,password}, without further braces.', 'keywords are a list, too');
SELECT is(pg_temp.refusal('SELECT triage.set_taxonomy(''A'', ''b'', keywords => ''{a,NULL}'')'),
	'23514 | keywords must be at most 500, none of them NULL | array_remove(keywords, NULL) takes the NULLs out; a few telling words serve best.', 'of words');

SELECT finish();
ROLLBACK;
