-- What the seeds leave to the database, over the tables of issue mining and sync: defaults it fills in, values it refuses,
-- rows that go with others; whoever writes, by whatever client.
\ir prepare.psql
SELECT no_plan();

SELECT triage.create_ticket('payroll', 'x', 'carl', external_id => 'a', request_triage => false) AS ticket \gset
INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ('PAYROLL', 'pay_runs') ON CONFLICT DO NOTHING;

-- Server defaults ----------------------------------------------------------------------------------------------------

INSERT INTO triage.issue_clusters (category, subcategory, cluster_name) VALUES ('PAYROLL', 'pay_runs', 'Pay run stops') RETURNING id AS cluster \gset
INSERT INTO triage.extracted_issues (ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
	VALUES (:ticket, 'PAYROLL', 'pay_runs', 'bug', 'high', 'x', 'x', now()) RETURNING id AS issue \gset
SELECT results_eq($$SELECT c.tenant_id, c.public_id IS NOT NULL, c.pm_status::text, c.created_at = now(), c.updated_at = now(), c.version FROM triage.issue_clusters c WHERE c.id = $$ || :cluster,
	$$VALUES ('default', true, 'new', true, true, 1)$$, 'a cluster has by default what the application leaves out [seed 268]');
SELECT results_eq($$SELECT i.tenant_id, i.public_id IS NOT NULL, i.extracted_at = now(), i.quote_verified, i.superseded_at IS NULL FROM triage.extracted_issues i WHERE i.id = $$ || :issue,
	$$VALUES ('default', true, true, false, true)$$, 'so has an issue [seed 268]');
SELECT is_empty($$SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind = 'r' AND a.attname IN ('public_id', 'created_at', 'updated_at', 'extracted_at') AND a.attnotnull AND NOT a.atthasdef
		AND c.relname IN ('issue_clusters', 'extracted_issues', 'issue_taxonomy', 'organizations', 'sync_sources', 'cluster_events', 'cluster_exclusions', 'tickets')$$,
	'ids for the outside and times are the server''s, in every table of the seed [seed 268]');

-- Validation ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.refused(relation text, id bigint, change text) RETURNS text LANGUAGE sql AS
	$$ SELECT pg_temp.outcome(format('UPDATE triage.%I SET %s WHERE id = %s', relation, change, id)) $$;
SELECT is(pg_temp.refused(v.relation, CASE v.relation WHEN 'issue_clusters' THEN :cluster ELSE :issue END, v.change), v.outcome, v.change || ' is refused [seed 268]')
	FROM (VALUES
		('extracted_issues', 'category = ''GARDENING''', '23503 extracted_issues_taxonomy_fkey'),
		('extracted_issues', 'subcategory = ''reporting''', '23503 extracted_issues_taxonomy_fkey'),
		('extracted_issues', 'issue_type = ''rant''', '22P02'),
		('extracted_issues', 'severity = ''awful''', '22P02'),
		('extracted_issues', 'confidence = 1.01', '23514 extracted_issues_confidence'),
		('extracted_issues', 'confidence = -0.01', '23514 extracted_issues_confidence'),
		('extracted_issues', 'summary = ''''', '23514 extracted_issues_summary_length'),
		('extracted_issues', 'summary = repeat(''x'', 501)', '23514 extracted_issues_summary_length'),
		('extracted_issues', 'summary = NULL', '23502'),
		('extracted_issues', 'ticket_id = -1', '23503 extracted_issues_ticket_fkey'),
		('extracted_issues', 'cluster_id = -1, assigned_by = ''human''', '23503 extracted_issues_cluster_fkey'),
		('issue_clusters', 'cluster_name = repeat(''x'', 201)', '23514 issue_clusters_cluster_name_length'),
		('issue_clusters', 'cluster_name = NULL', '23502'),
		('issue_clusters', 'pm_status = ''solved''', '22P02'),
		('issue_clusters', 'category = ''GARDENING''', '23503 issue_clusters_taxonomy_fkey')) AS v (relation, change, outcome);
SELECT is(pg_temp.outcome(v.command), v.outcome, v.command || ' is refused [seed 268]')
	FROM (VALUES
		('INSERT INTO triage.tickets (subject, description) VALUES (repeat(''x'', 999), ''x'')', '23514 tickets_subject_length'),
		('INSERT INTO triage.tickets (description, status) VALUES (''x'', ''new'')', '22P02'),
		('INSERT INTO triage.tickets (description, source, external_id) VALUES (''x'', ''api'', ''a'')', '23505 tickets_external_id_key')) AS v (command, outcome);

-- Cascades -----------------------------------------------------------------------------------------------------------

SELECT triage.add_comment(:ticket, 'more of it', 'carl') AS comment \gset
UPDATE triage.extracted_issues SET cluster_id = :cluster, assigned_by = 'human' WHERE id = :issue;
INSERT INTO triage.cluster_exclusions (cluster_id, fingerprint, created_by) VALUES (:cluster, 'y', 'ann');
SELECT lives_ok('DELETE FROM triage.tickets WHERE id = ' || :ticket, 'a ticket is deleted [seed 268]');
SELECT is((SELECT count(*) FROM triage.extracted_issues i WHERE i.ticket_id = :ticket), 0::bigint, 'and its issues with it [seed 268]');
SELECT is((SELECT count(*) FROM triage.ticket_comments c WHERE c.ticket_id = :ticket), 0::bigint, 'and its comments [seed 268]');
SELECT is((SELECT count(*) FROM triage.issue_clusters c WHERE c.id = :cluster), 1::bigint, 'but not the cluster [seed 268]');
SELECT lives_ok('DELETE FROM triage.issue_clusters WHERE id = ' || :cluster, 'which goes, too, when it is deleted [seed 268]');
SELECT is((SELECT count(*) FROM triage.cluster_exclusions e WHERE e.cluster_id = :cluster), 0::bigint, 'with what was said of it [seed 268]');

SELECT finish();
ROLLBACK;
