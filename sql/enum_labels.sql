-- The library's lists of labels are the enums', in their order.
SET triage.autostart = off;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS triage;

SELECT l.type_name, string_agg(l.label, ' ' ORDER BY l.position) AS labels
	FROM triage.enum_labels() l
	GROUP BY l.type_name
	ORDER BY l.type_name;
SELECT type_name, position, l.label AS library, e.label AS enum
	FROM triage.enum_labels() l
	FULL JOIN (
		SELECT t.typname::text AS type_name, row_number() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder)::int AS position,
				e.enumlabel::text AS label
			FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
			WHERE t.typnamespace = 'triage'::regnamespace
				AND t.typname IN (SELECT k.type_name FROM triage.enum_labels() k)) e USING (type_name, position)
	WHERE l.label IS DISTINCT FROM e.label
	ORDER BY type_name, position;
