-- What the schema of the issue miner asks for (test/seeds/items.tsv, 197 to 268), item by item: the columns of its four
-- tables, their keys, indexes and values.  What is done with them is in sync.sql, extract.sql, clusters.sql and trends.sql.
\ir prepare.psql
\ir seeds.psql
SELECT no_plan();

-- Columns ------------------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.about(c.relation, c.name), c.about, format('%s.%s %s', c.relation, c.name, c.items))
	FROM (VALUES
		('zendesk_tickets', 'id', 'bigint', '[seed 197] [seed 198]'),
		('zendesk_tickets', 'public_id', 'uuid', '[seed 198]'),
		('tickets', 'public_id', 'uuid NOT NULL DEFAULT gen_random_uuid()', '[seed 198]'),
		('zendesk_tickets', 'zendesk_ticket_id', 'bigint', '[seed 199]'),
		('zendesk_tickets', 'subject', 'text', '[seed 200]'),
		('zendesk_tickets', 'description', 'text', '[seed 201]'),
		('zendesk_tickets', 'internal_notes', 'text', '[seed 202]'),
		('zendesk_tickets', 'public_comments', 'text', '[seed 203]'),
		('zendesk_tickets', 'requester_email', 'text', '[seed 204]'),
		('zendesk_tickets', 'requester_org_name', 'text', '[seed 205]'),
		('zendesk_tickets', 'zendesk_org_id', 'bigint', '[seed 206]'),
		('zendesk_tickets', 'tags', 'jsonb', '[seed 207]'),
		('zendesk_tickets', 'status', 'triage.ticket_status', '[seed 208]'),
		('zendesk_tickets', 'priority', 'triage.ticket_priority', '[seed 209]'),
		('zendesk_tickets', 'ticket_created_at', 'timestamp with time zone', '[seed 210]'),
		('tickets', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 210]'),
		('zendesk_tickets', 'ticket_updated_at', 'timestamp with time zone', '[seed 211]'),
		('synced_tickets', 'source_updated_at', 'timestamp with time zone NOT NULL', '[seed 211]'),
		('zendesk_tickets', 'synced_at', 'timestamp with time zone', '[seed 212]'),
		('synced_tickets', 'synced_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 212]'),
		('zendesk_tickets', 'analyzed_at', 'timestamp with time zone', '[seed 213]'),
		('extracted_issues', 'id', 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY', '[seed 216] [seed 217]'),
		('extracted_issues', 'public_id', 'uuid NOT NULL DEFAULT gen_random_uuid()', '[seed 217]'),
		('extracted_issues', 'ticket_id', 'bigint NOT NULL', '[seed 218]'),
		('extracted_issues', 'cluster_id', 'bigint', '[seed 219]'),
		('extracted_issues', 'category', 'text NOT NULL', '[seed 220]'),
		('extracted_issues', 'subcategory', 'text NOT NULL', '[seed 221]'),
		('extracted_issues', 'issue_type', 'triage.issue_type NOT NULL', '[seed 222]'),
		('extracted_issues', 'severity', 'triage.issue_severity NOT NULL', '[seed 223]'),
		('extracted_issues', 'summary', 'text NOT NULL', '[seed 224]'),
		('extracted_issues', 'detail', 'text', '[seed 225]'),
		('extracted_issues', 'representative_quote', 'text', '[seed 226]'),
		('extracted_issues', 'confidence', 'numeric(3,2)', '[seed 227]'),
		('extracted_issues', 'extracted_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 228]'),
		('issue_clusters', 'id', 'bigint NOT NULL GENERATED ALWAYS AS IDENTITY', '[seed 232] [seed 233]'),
		('issue_clusters', 'public_id', 'uuid NOT NULL DEFAULT gen_random_uuid()', '[seed 233]'),
		('issue_clusters', 'category', 'text NOT NULL', '[seed 234]'),
		('issue_clusters', 'subcategory', 'text NOT NULL', '[seed 234]'),
		('issue_clusters', 'cluster_name', 'text NOT NULL', '[seed 235]'),
		('issue_clusters', 'cluster_summary', 'text', '[seed 236]'),
		('cluster_trends', 'issue_count', 'integer', '[seed 237]'),
		('cluster_trends', 'unique_customers', 'integer', '[seed 238]'),
		('cluster_trends', 'first_seen', 'timestamp with time zone', '[seed 239]'),
		('cluster_trends', 'last_seen', 'timestamp with time zone', '[seed 239]'),
		('cluster_trends', 'count_7d', 'integer', '[seed 240]'),
		('cluster_trends', 'count_prior_7d', 'integer', '[seed 240]'),
		('cluster_trends', 'trend_pct', 'numeric', '[seed 241]'),
		('cluster_trends', 'is_active', 'boolean', '[seed 242]'),
		('issue_clusters', 'pm_status', 'triage.pm_status NOT NULL DEFAULT ''new''::triage.pm_status', '[seed 243]'),
		('issue_clusters', 'pm_notes', 'text', '[seed 244]'),
		('issue_clusters', 'created_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 245]'),
		('issue_clusters', 'updated_at', 'timestamp with time zone NOT NULL DEFAULT now()', '[seed 245]'),
		('sync_state_overview', 'id', 'text', '[seed 250] [seed 251]'),
		('sync_state_overview', 'last_ticket_updated_at', 'timestamp with time zone', '[seed 252]'),
		('sync_state_overview', 'tickets_synced', 'bigint', '[seed 253]'),
		('sync_state_overview', 'issues_extracted', 'bigint', '[seed 254]'),
		('sync_state_overview', 'sync_completed_at', 'timestamp with time zone', '[seed 255]')) c (relation, name, about, items);
SELECT is(pg_temp.primary_key(k.relation), k.def, format('the key of %s %s', k.relation, k.item))
	FROM (VALUES ('tickets', 'PRIMARY KEY (id, tenant_id)', '[seed 198]'), ('extracted_issues', 'PRIMARY KEY (id, tenant_id)', '[seed 217]'),
		('issue_clusters', 'PRIMARY KEY (id, tenant_id)', '[seed 233]'), ('sync_state', 'PRIMARY KEY (tenant_id, source, stream)', '[seed 250] [seed 251]'),
		('issue_taxonomy', 'PRIMARY KEY (tenant_id, category, subcategory)', '[seed 221]')) k (relation, def, item);
SELECT is(pg_temp.refers(k.relation, k.col), k.def, format('%s.%s refers to what it names %s', k.relation, k.col, k.items))
	FROM (VALUES
		('extracted_issues', 'ticket_id', 'FOREIGN KEY (tenant_id, ticket_id) REFERENCES triage.tickets(tenant_id, id) ON DELETE CASCADE', '[seed 215] [seed 218] [seed 231] [seed 263]'),
		('extracted_issues', 'cluster_id', 'FOREIGN KEY (tenant_id, cluster_id) REFERENCES triage.issue_clusters(tenant_id, id)', '[seed 219] [seed 231] [seed 249]'),
		('extracted_issues', 'subcategory', 'FOREIGN KEY (tenant_id, category, subcategory) REFERENCES triage.issue_taxonomy(tenant_id, category, subcategory)', '[seed 220] [seed 221] [seed 229]'),
		('issue_clusters', 'subcategory', 'FOREIGN KEY (tenant_id, category, subcategory) REFERENCES triage.issue_taxonomy(tenant_id, category, subcategory)', '[seed 234]'),
		('synced_tickets', 'ticket_id', 'FOREIGN KEY (tenant_id, ticket_id) REFERENCES triage.tickets(tenant_id, id) ON DELETE CASCADE', '[seed 197]'))
		k (relation, col, def, items);

-- Values -------------------------------------------------------------------------------------------------------------------------

SELECT triage.load_taxonomy() AS loaded \gset
SELECT results_eq('SELECT DISTINCT x.category FROM triage.issue_taxonomy x ORDER BY 1', $$VALUES ('PAYROLL'), ('SETTINGS'), ('TIME_AND_ATTENDANCE')$$,
	'the three categories, and no other [seed 256]');
SELECT set_eq(format('SELECT x.subcategory FROM triage.issue_taxonomy x WHERE x.category = %L', v.category), v.subcategories, format('the subcategories of %s, and no other %s', v.category, v.item))
	FROM (VALUES
		('TIME_AND_ATTENDANCE', '{hardware_issues,punch_in_out,biometric_registration,pto,reporting,corrections}'::text[], '[seed 257]'),
		('PAYROLL', '{pay_runs,tax_questions,direct_deposits,reporting,errors}', '[seed 258]'),
		('SETTINGS', '{employee_registration,biometric_enrollment,deductions}', '[seed 259]')) v (category, subcategories, item);
SELECT set_eq(format('SELECT unnest(enum_range(NULL::triage.%I))::text', v.type), v.labels, format('the values of %s %s', v.type, v.items))
	FROM (VALUES
		('issue_type', '{bug,friction,ux_confusion,feature_request,documentation_gap,data_issue}'::text[], '[seed 222] [seed 260]'),
		('issue_severity', '{critical,high,medium,low}', '[seed 223] [seed 261]'),
		('pm_status', '{new,reviewing,acknowledged,fixed,wont_fix}', '[seed 243] [seed 246] [seed 262]')) v (type, labels, items);

-- Rows ---------------------------------------------------------------------------------------------------------------------------

SELECT triage.create_ticket('stamp', 'The terminal rejects my finger.', 'carl', external_id => 'a', request_triage => false) AS ticket \gset
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name) VALUES ('PAYROLL', 'errors', repeat('n', 200)) RETURNING id AS cluster \gset
INSERT INTO triage.extracted_issues (ticket_id, category, subcategory, issue_type, severity, summary, confidence, fingerprint, reported_at, cluster_id, assigned_by)
	SELECT :ticket, v.category, v.subcategory, 'bug', 'low', repeat('s', 500), v.confidence, 'x', now(), :cluster, 'human'
		FROM (VALUES ('PAYROLL', 'reporting', 0.00), ('TIME_AND_ATTENDANCE', 'reporting', 1.00), ('SETTINGS', 'deductions', NULL)) v (category, subcategory, confidence);
SELECT min(i.id) AS issue, count(*) AS issues FROM triage.extracted_issues i WHERE i.ticket_id = :ticket AND i.cluster_id = :cluster \gset
SELECT is(:issues, 3, 'a ticket has many issues, a cluster too; a summary of 500 and a name of 200 characters fit [seed 224] [seed 227] [seed 231] [seed 235] [seed 249] [seed 263]');
SELECT is((SELECT count(DISTINCT i.category) FROM triage.extracted_issues i WHERE i.subcategory = 'reporting'), 2::bigint, 'two categories have a subcategory of the same name [seed 257] [seed 258]');
SELECT is(pg_temp.outcome(format(c.command, :issue, :cluster)), c.outcome, c.items || ' ' || c.command)
	FROM (VALUES
		('[seed 218]', 'UPDATE triage.extracted_issues SET ticket_id = NULL WHERE id = %s', '23502'),
		('[seed 218]', 'UPDATE triage.extracted_issues SET ticket_id = -1 WHERE id = %s', '23503 extracted_issues_ticket_fkey'),
		('[seed 219]', 'UPDATE triage.extracted_issues SET cluster_id = -1 WHERE id = %s', '23503 extracted_issues_cluster_fkey'),
		('[seed 220]', 'UPDATE triage.extracted_issues SET category = NULL WHERE id = %s', '23502'),
		('[seed 220] [seed 229] [seed 256]', 'UPDATE triage.extracted_issues SET category = ''GARDEN'' WHERE id = %s', '23503 extracted_issues_taxonomy_fkey'),
		('[seed 221]', 'UPDATE triage.extracted_issues SET subcategory = NULL WHERE id = %s', '23502'),
		('[seed 221]', 'UPDATE triage.extracted_issues SET category = ''SETTINGS'', subcategory = ''pto'' WHERE id = %s', '23503 extracted_issues_taxonomy_fkey'),
		('[seed 222]', 'UPDATE triage.extracted_issues SET issue_type = NULL WHERE id = %s', '23502'),
		('[seed 222] [seed 229] [seed 260]', 'UPDATE triage.extracted_issues SET issue_type = ''rant'' WHERE id = %s', '22P02'),
		('[seed 223]', 'UPDATE triage.extracted_issues SET severity = NULL WHERE id = %s', '23502'),
		('[seed 223] [seed 229] [seed 261]', 'UPDATE triage.extracted_issues SET severity = ''urgent'' WHERE id = %s', '22P02'),
		('[seed 224]', 'UPDATE triage.extracted_issues SET summary = NULL WHERE id = %s', '23502'),
		('[seed 224]', 'UPDATE triage.extracted_issues SET summary = repeat(''s'', 501) WHERE id = %s', '23514 extracted_issues_summary_length'),
		('[seed 227] [seed 229]', 'UPDATE triage.extracted_issues SET confidence = 1.01 WHERE id = %s', '23514 extracted_issues_confidence'),
		('[seed 227] [seed 229]', 'UPDATE triage.extracted_issues SET confidence = -0.01 WHERE id = %s', '23514 extracted_issues_confidence'),
		('[seed 225] [seed 226] [seed 227]', 'UPDATE triage.extracted_issues SET detail = NULL, representative_quote = NULL, confidence = NULL WHERE id = %s', 'ok'),
		('[seed 234]', 'UPDATE triage.issue_clusters SET category = NULL WHERE id = %2$s', '23502'),
		('[seed 234]', 'UPDATE triage.issue_clusters SET subcategory = ''pto'' WHERE id = %2$s', '23503 issue_clusters_taxonomy_fkey'),
		('[seed 235]', 'UPDATE triage.issue_clusters SET cluster_name = NULL WHERE id = %2$s', '23502'),
		('[seed 235]', 'UPDATE triage.issue_clusters SET cluster_name = repeat(''n'', 201) WHERE id = %2$s', '23514 issue_clusters_cluster_name_length'),
		('[seed 236] [seed 244]', 'UPDATE triage.issue_clusters SET cluster_summary = NULL, pm_notes = NULL WHERE id = %2$s', 'ok'),
		('[seed 243]', 'UPDATE triage.issue_clusters SET pm_status = NULL WHERE id = %2$s', '23502'),
		('[seed 246] [seed 262]', 'UPDATE triage.issue_clusters SET pm_status = ''done'' WHERE id = %2$s', '22P02'),
		('[seed 199]', 'INSERT INTO triage.tickets (description, source, external_id) SELECT ''x'', t.source, t.external_id FROM triage.tickets t WHERE t.external_id = ''a''', '23505 tickets_external_id_key'),
		('[seed 250]', 'INSERT INTO triage.sync_state (tenant_id, source, stream) VALUES (''default'', ''nowhere'', ''tickets'')', '23503 sync_state_source_fkey')) c (items, command, outcome);
UPDATE triage.issue_clusters SET updated_at = '2001-01-01', cluster_summary = 'what it is' WHERE id = :cluster;
SELECT cmp_ok((SELECT c.updated_at FROM triage.issue_clusters c WHERE c.id = :cluster), '>=', now(), 'an update sets updated_at, whoever the client is [seed 245]');
DELETE FROM triage.issue_clusters WHERE id = :cluster;
SELECT is((SELECT count(*) FROM triage.extracted_issues i WHERE i.ticket_id = :ticket AND i.cluster_id IS NULL), 3::bigint,
	'a cluster that is deleted leaves its issues, without one [seed 219] [seed 231] [seed 263]');
DELETE FROM triage.tickets WHERE id = :ticket;
SELECT is((SELECT count(*) FROM triage.extracted_issues i WHERE i.ticket_id = :ticket), 0::bigint, 'a ticket takes its issues along [seed 215] [seed 218] [seed 263]');

-- Indexes ------------------------------------------------------------------------------------------------------------------------

SELECT triage.add_zendesk_source('acme', 'admin@example.com', 'key');
SET LOCAL session_replication_role = replica;
INSERT INTO triage.tickets (description, source, external_id, created_at) SELECT 'x', 'zendesk', n, now() - n * interval '1 hour' FROM generate_series(1, 3000) n;
INSERT INTO triage.synced_tickets (tenant_id, ticket_id, source, external_number, source_updated_at, generated_at)
	SELECT t.tenant_id, t.id, t.source, t.external_id::bigint, t.created_at, 1 FROM triage.tickets t WHERE t.source = 'zendesk';
INSERT INTO triage.ticket_extractions (tenant_id, ticket_id, content_version, issues, analyzed_at) SELECT t.tenant_id, t.id, 1, 1, t.created_at FROM triage.tickets t WHERE t.source = 'zendesk';
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name)
	SELECT x.category, x.subcategory, 'cluster ' || n FROM generate_series(1, 100) n, triage.issue_taxonomy x;
-- what was once, and is of no interest any more
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name, archived_at)
	SELECT x.category, x.subcategory, 'old cluster ' || n, now() FROM generate_series(1, 300) n, triage.issue_taxonomy x;
INSERT INTO triage.extracted_issues (ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at, cluster_id, assigned_by)
	SELECT t.id, c.category, c.subcategory, 'bug', (enum_range(NULL::triage.issue_severity))[1 + t.id % 4], 'x', 'x', t.created_at, c.id, 'exact'
		FROM (SELECT t.id, t.created_at, row_number() OVER (ORDER BY t.id) AS n FROM triage.tickets t WHERE t.source = 'zendesk') t
		JOIN (SELECT c.*, row_number() OVER (ORDER BY c.id) AS n FROM triage.issue_clusters c WHERE c.archived_at IS NULL) c ON c.n = 1 + t.n % 1400;
SET LOCAL session_replication_role = origin;
ANALYZE triage.tickets, triage.synced_tickets, triage.ticket_extractions, triage.issue_clusters, triage.extracted_issues;
SELECT i.ticket_id AS ticket, i.cluster_id AS cluster FROM triage.extracted_issues i ORDER BY i.id LIMIT 1 OFFSET 1500 \gset
SELECT is(pg_temp.path(format(q.query, :ticket, :cluster)), q.path, format('%s %s', q.name, q.items))
	FROM (VALUES
		('a ticket by its number there', '[seed 199] [seed 214]', 'tickets_external_id_key',
			'SELECT * FROM triage.tickets t WHERE t.tenant_id = ''default'' AND t.source = ''zendesk'' AND t.external_id = ''77'''),
		('as a number', '[seed 199] [seed 214]', 'synced_tickets_number', 'SELECT * FROM triage.synced_tickets s WHERE s.tenant_id = ''default'' AND s.external_number = 77'),
		('what changed last', '[seed 211] [seed 214]', 'synced_tickets_updated',
			'SELECT * FROM triage.synced_tickets s WHERE s.tenant_id = ''default'' AND s.source = ''zendesk'' ORDER BY s.source_updated_at DESC LIMIT 20'),
		('what was analysed last', '[seed 213] [seed 214]', 'ticket_extractions_analyzed',
			'SELECT * FROM triage.ticket_extractions e WHERE e.tenant_id = ''default'' ORDER BY e.analyzed_at DESC LIMIT 20'),
		('a ticket''s issues', '[seed 215] [seed 218]', 'extracted_issues_ticket', 'SELECT * FROM triage.extracted_issues i WHERE i.tenant_id = ''default'' AND i.ticket_id = %1$s'),
		('a cluster''s issues', '[seed 219] [seed 230]', 'extracted_issues_cluster', 'SELECT * FROM triage.extracted_issues i WHERE i.tenant_id = ''default'' AND i.cluster_id = %2$s'),
		('issues by category and severity', '[seed 220] [seed 221] [seed 223] [seed 230]', 'extracted_issues_category',
			'SELECT * FROM triage.extracted_issues i WHERE i.tenant_id = ''default'' AND i.category = ''PAYROLL'' AND i.subcategory = ''errors'' AND i.severity = ''critical'''),
		('the newest issues', '[seed 228] [seed 230]', 'extracted_issues_reported',
			'SELECT * FROM triage.extracted_issues i WHERE i.tenant_id = ''default'' AND i.superseded_at IS NULL ORDER BY i.reported_at DESC LIMIT 20'),
		('live clusters by category', '[seed 234] [seed 247]', 'issue_clusters_category',
			'SELECT * FROM triage.issue_clusters c WHERE c.tenant_id = ''default'' AND c.category = ''PAYROLL'' AND c.subcategory = ''errors'' AND c.merged_into_id IS NULL AND c.archived_at IS NULL'))
		q (name, items, path, query);
SELECT triage.rebuild_trends();
SELECT results_eq('SELECT t.id FROM triage.top_clusters(''issue_count'', only_visible => false, max_rows => 40) t',
	'SELECT t.id FROM triage.cluster_trends t WHERE t.tenant_id = ''default'' AND t.is_active ORDER BY t.issue_count DESC, t.id DESC LIMIT 40',
	'the active clusters with the most issues come first [seed 237] [seed 242] [seed 248]');

-- Tenants, and migrations --------------------------------------------------------------------------------------------------------

SELECT is((SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relname IN
		('extracted_issues', 'issue_clusters', 'issue_taxonomy', 'sync_state', 'tickets') AND c.relkind = 'r' AND c.relrowsecurity
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),
	'extracted_issues issue_clusters issue_taxonomy sync_state tickets', 'the tables are ordinary ones that a migration tool sees, each with row security [seed 267]');
SELECT is((SELECT max(v.version) FROM triage.schema_version v), 1, 'and their version is on record, for the extension''s updates to go by [seed 267]');
SELECT finish();
ROLLBACK;
