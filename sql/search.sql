-- search_tickets: words, phrases, negation, languages, rank.
\set ECHO none
\set tenant search
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

SELECT triage.create_ticket('Printer jams', 'It eats the paper', external_id => 'jam') > 0,
	triage.create_ticket('Order', 'I ordered two printers and some ink', external_id => 'order') > 0,
	triage.create_ticket('Papiere fehlen', 'Die Drucker drucken nicht', language => 'de', external_id => 'drucker') > 0,
	triage.create_ticket('Error ECONNREFUSED', 'from host db-7.example.org', external_id => 'error') > 0,
	triage.create_ticket('Printer', 'deleted', external_id => 'deleted') > 0;
SELECT triage.delete_ticket(pg_temp.ticket('deleted')) > 0 AS deleted;

CREATE FUNCTION pg_temp.found(query text, language text DEFAULT NULL, max_rows int DEFAULT 50) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(t.external_id, ' ' ORDER BY s.rank DESC, s.id DESC)
		FROM triage.search_tickets(query, max_rows, language) s JOIN triage.tickets t ON t.id = s.id
$$;
SELECT pg_temp.found('printer') AS subject_before_text;
SELECT pg_temp.found('printers jamming') AS stems;
SELECT pg_temp.found('"the paper"') AS phrase;
SELECT pg_temp.found('"paper eats"') AS no_phrase;
SELECT pg_temp.found('ink or jam') AS either;
SELECT pg_temp.found('printer -papers') AS without;
SELECT pg_temp.found('econnrefused') AS as_it_stands;
SELECT pg_temp.found('db-7.example.org') AS host;
SELECT pg_temp.found('Papier Drucker', 'de') AS german, pg_temp.found('Papier', 'en') AS not_german;
SELECT pg_temp.found('the') AS stop_word, pg_temp.found('') AS empty, pg_temp.found(NULL) AS "null",
	pg_temp.found('''":*&|!<(') AS punctuation;
SELECT pg_temp.found('printer', max_rows => 1) AS best, pg_temp.found('printer', max_rows => 0) AS none;

-- the words follow the text and its language
SELECT triage.update_ticket(pg_temp.ticket('order'), '{"subject": "Cancelled", "description": "never mind"}') > 0 AS updated;
SELECT pg_temp.found('printer') AS one_less, pg_temp.found('cancel') AS new_words;
-- those of another tenant are not found
SET triage.tenant = 'default';
SELECT pg_temp.found('econnrefused') AS none;
