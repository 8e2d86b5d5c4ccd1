-- trends.sql: issues in clusters for trends.sh: CALL bench.mine(issues, clusters)
--
-- Few clusters are large and most are small (the largest has one issue in 22), customers and days likewise by chance, over
-- the last half year; one cluster in fifty is merged into another.  As fast as it goes: without triggers and foreign keys,
-- indexes made afterwards, and the roll-up counted by rebuild_trends().
SET client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS bench;

CREATE OR REPLACE FUNCTION bench.draw(i bigint, purpose int) RETURNS float8
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	RETURN (hashint8extended(i, purpose) & 2147483647) / 2147483648.0::float8;

CREATE OR REPLACE PROCEDURE bench.mine(issues bigint, clusters int)
	LANGUAGE plpgsql
AS $$
DECLARE
	put_away text[];
	item record;
BEGIN
	SET LOCAL session_replication_role = replica;
	INSERT INTO triage.issue_taxonomy (category, subcategory) SELECT 'AREA_' || n, 'all' FROM generate_series(0, 19) n;
	INSERT INTO triage.tickets (id, description) OVERRIDING SYSTEM VALUE SELECT n, 'The clock stops' FROM generate_series(1, issues / 100 + 1) n;
	INSERT INTO triage.issue_clusters (id, category, subcategory, cluster_name, cluster_summary, pm_status, fixed_at, regressed_at)
			OVERRIDING SYSTEM VALUE
		SELECT n, 'AREA_' || n % 20, 'all', 'Cluster ' || n, repeat('What these reports have in common. ', 5),
				CASE n % 10 WHEN 0 THEN 'fixed' WHEN 1 THEN 'reviewing' ELSE 'new' END::triage.pm_status,
				CASE n % 10 WHEN 0 THEN now() - interval '30 days' END, CASE n % 30 WHEN 0 THEN now() - interval '5 days' END
			FROM generate_series(1, clusters) n;
	UPDATE triage.issue_clusters c SET merged_into_id = c.id - 1, merge_parent_id = c.id - 1 WHERE c.id % 50 = 7;
	FOR item IN
		SELECT i.indexrelid::regclass AS name, pg_get_indexdef(i.indexrelid) AS definition
			FROM pg_index i
			WHERE i.indrelid = 'triage.extracted_issues'::regclass
				AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid)
	LOOP
		put_away := put_away || item.definition;
		EXECUTE format('DROP INDEX %s', item.name);
	END LOOP;
	INSERT INTO triage.extracted_issues (id, ticket_id, cluster_id, category, subcategory, issue_type, severity, summary, customer,
			fingerprint, assigned_by, assigned_at, reported_at, superseded_at) OVERRIDING SYSTEM VALUE
		SELECT n, 1 + n % (issues / 100), 1 + floor(clusters * bench.draw(n, 1) ^ 3)::int, 'AREA_' || n % 20, 'all', 'bug',
				(enum_range(NULL::triage.issue_severity))[1 + floor(bench.draw(n, 2) ^ 2 * 4)::int], 'The clock stops',
				'org:' || floor(bench.draw(n, 3) ^ 2 * 20000), sha256('x'), 'model', now(), now() - bench.draw(n, 4) * interval '180 days',
				CASE WHEN n % 20 = 0 THEN now() END
			FROM generate_series(1, issues) n;
	PERFORM setval(pg_get_serial_sequence('triage.extracted_issues', 'id'), issues),
		setval(pg_get_serial_sequence('triage.issue_clusters', 'id'), clusters),
		setval(pg_get_serial_sequence('triage.tickets', 'id'), issues / 100 + 1);
	FOREACH item.definition IN ARRAY put_away LOOP
		EXECUTE item.definition;
	END LOOP;
END
$$;
