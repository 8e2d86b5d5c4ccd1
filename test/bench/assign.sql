-- :clusters live clusters with their issues, and 300 issues that come in (assign.sh).
CREATE SCHEMA bench;
CREATE TABLE bench.pattern (text text, label text, split text);
\set copy '\\copy bench.pattern FROM ' :'csv' ' (FORMAT csv, HEADER true)'
:copy
SELECT setseed(0.5);
SELECT triage.pause('the benchmark calls by itself');
SELECT triage.set_syncing(true);
INSERT INTO triage.issue_taxonomy (category, subcategory)
	SELECT 'AREA' || a, 'part' || p FROM generate_series(1, 3) a, generate_series(1, 5) p;
CREATE TABLE bench.intent AS
	SELECT row_number() OVER (ORDER BY label) - 1 AS n, label, array_agg(left(text, 300) ORDER BY text) AS texts FROM bench.pattern GROUP BY label;
CREATE TABLE bench.part AS
	SELECT n, (string_to_array('mobile desktop kiosk browser overseas business joint student premium shared offline legacy', ' '))[1 + n % 12] || ' '
		|| (string_to_array('wallet statement dashboard invoice voucher widget reminder scanner calendar ledger receipt profile export import directory', ' '))[1 + n / 12 % 15] AS name
	FROM generate_series(0, 179) n;
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name)
	SELECT 'AREA' || 1 + i.n % 3, 'part' || 1 + i.n % 5, left(i.label || ' in ' || p.name, 200)
	FROM generate_series(0, :clusters - 1) c JOIN bench.intent i ON i.n = c % 77 JOIN bench.part p ON p.n = c / 77 ORDER BY c;
CREATE TABLE bench.text AS
	SELECT row_number() OVER (ORDER BY random()) AS n, t.*
	FROM (
		SELECT k.id AS cluster_id, k.category, k.subcategory, (i.texts)[1 + floor(random() * cardinality(i.texts))::int]
				|| (ARRAY[' in the ', ' with the ', ' on my ', ' using the '])[1 + floor(random() * 4)::int] || p.name AS summary
		FROM (SELECT c.*, row_number() OVER (ORDER BY c.id) - 1 AS c, 1 + floor(-5 * ln(random() + 1e-9))::int AS members FROM triage.issue_clusters c) k
			JOIN bench.intent i ON i.n = k.c % 77 JOIN bench.part p ON p.n = k.c / 77, generate_series(1, k.members)) t;
INSERT INTO triage.tickets (subject, description, source, external_id)
	SELECT left(summary, 200), 'x', 'bench', n::text FROM bench.text ORDER BY n;
-- the last 300 are those that come in
INSERT INTO triage.extracted_issues (tenant_id, ticket_id, cluster_id, assigned_by, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
	SELECT 'default', t.id, c.cluster_id, c.assigner, x.category, x.subcategory, 'bug', 'low', x.summary,
		triage.issue_fingerprint(x.category, x.subcategory, x.summary), now() - (100000 - x.n) * interval '1 minute'
	FROM bench.text x JOIN triage.tickets t ON t.source = 'bench' AND t.external_id = x.n::text
		LEFT JOIN LATERAL (SELECT x.cluster_id, 'human'::triage.issue_assigner AS assigner WHERE x.n <= (SELECT max(n) - 300 FROM bench.text)) c ON true
	ORDER BY x.n;
CREATE TABLE bench.newcomer AS
	SELECT row_number() OVER (ORDER BY i.id) AS n, i.id AS issue_id, i.ticket_id, x.cluster_id
	FROM triage.extracted_issues i JOIN triage.tickets t ON t.id = i.ticket_id JOIN bench.text x ON x.n::text = t.external_id
	WHERE i.cluster_id IS NULL;
ALTER TABLE bench.newcomer ADD PRIMARY KEY (n);

-- a model, to leave the doubtful to
INSERT INTO triage.providers (name, api, base_url, model) VALUES ('nobody', 'openai', 'http://127.0.0.1:9', 'none');
CREATE FUNCTION bench.found() RETURNS text
	LANGUAGE sql
AS $$
	SELECT round(avg((EXISTS (SELECT FROM triage.issue_candidates('default', w.issue_id) c WHERE c.cluster_id = w.cluster_id))::int), 3)
	FROM bench.newcomer w WHERE EXISTS (SELECT FROM triage.extracted_issues i WHERE i.cluster_id = w.cluster_id)
$$;
SELECT triage.set_syncing(false);
VACUUM ANALYZE;
