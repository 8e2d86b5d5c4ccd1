-- Every column that a reader of the tables and views meets says what it is.
\ir prepare.psql
SELECT plan(2);

CREATE FUNCTION pg_temp.uncommented() RETURNS SETOF text
	LANGUAGE sql
AS $$
	SELECT c.relname || '.' || a.attname
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'v') AND col_description(c.oid, a.attnum) IS NULL
$$;
SELECT is_empty('SELECT pg_temp.uncommented()', 'every column of a table or view has a comment');
ALTER TABLE triage.tickets ADD COLUMN planted int;
SELECT results_eq('SELECT pg_temp.uncommented()', $$VALUES ('tickets.planted')$$, 'and one without would be seen');

SELECT finish();
ROLLBACK;
