-- Accuracy of the builtin provider on the labelled set, beside the majority class.
-- Needs: the extension, a worker, :csv = path of labelled_tickets.csv as the client sees it.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
SELECT count(*) = 0 AS empty FROM triage.tickets \gset
\if :empty
\else
	\warn 'this database has tickets already'
	\quit
\endif
CREATE TABLE labelled (
	subject text, description text, category text, urgency triage.ticket_priority, sentiment_score int,
	id bigint GENERATED ALWAYS AS IDENTITY);
\set copy '\\copy labelled (subject, description, category, urgency, sentiment_score) FROM ' :'csv' ' (FORMAT csv, HEADER true)'
:copy
INSERT INTO triage.tickets (subject, description, source, external_id)
SELECT subject, description, 'labelled', id FROM labelled ORDER BY id;
DO $$
DECLARE
	deadline timestamptz := clock_timestamp() + interval '60 seconds';
BEGIN
	WHILE EXISTS (SELECT FROM triage.ai_jobs) LOOP
		IF clock_timestamp() > deadline THEN
			RAISE EXCEPTION 'the labelled set was not processed in time: % jobs left', (SELECT count(*) FROM triage.ai_jobs);
		END IF;
		COMMIT;
		PERFORM pg_sleep(0.05);
	END LOOP;
END
$$;
CREATE TABLE answered AS
SELECT l.category, r.category AS got_category, l.urgency, r.urgency AS got_urgency,
	l.sentiment_score, r.sentiment_score AS got_sentiment
FROM labelled l
	JOIN triage.tickets t ON t.source = 'labelled' AND t.external_id = l.id::text
	JOIN triage.ticket_ai_results r ON r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.superseded_at IS NULL;
CREATE VIEW accuracy AS
WITH labels AS (
	SELECT 'category' AS what, category AS label, got_category AS got FROM answered
	UNION ALL SELECT 'urgency', urgency::text, got_urgency::text FROM answered),
per_label AS (
	SELECT n.what, n.label, count(*) FILTER (WHERE l.label = n.label) AS support,
		count(*) FILTER (WHERE l.got = n.label) AS said, count(*) FILTER (WHERE l.label = n.label AND l.got = n.label) AS hit
	FROM (SELECT DISTINCT what, label FROM labels) n JOIN labels l ON l.what = n.what
	GROUP BY 1, 2)
SELECT p.what, sum(p.support) AS tickets,
	round(sum(p.hit)::numeric / sum(p.support), 3) AS accuracy,
	round(avg(2.0 * p.hit / nullif(p.support + p.said, 0)), 3) AS macro_f1,
	round(max(p.support)::numeric / sum(p.support), 3) AS majority_accuracy
FROM per_label p GROUP BY 1;
