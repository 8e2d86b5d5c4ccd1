-- The tables of issue mining: the product's taxonomy, the issues found in tickets, and the clusters they belong to.
--
-- Counts and trends are no columns here: they are facts of extracted_issues, see trends.sql.

CREATE FUNCTION triage.install_mining_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- Two levels; the pair goes to the model as one label, category/subcategory.
	CREATE TABLE IF NOT EXISTS triage.issue_taxonomy (
		tenant_id   text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT issue_taxonomy_tenant_fkey REFERENCES triage.tenants (id),
		category    text NOT NULL,
		subcategory text NOT NULL,
		description text NOT NULL DEFAULT '',
		keywords    text[] NOT NULL DEFAULT '{}',
		is_active   boolean NOT NULL DEFAULT true,
		CONSTRAINT issue_taxonomy_pkey PRIMARY KEY (tenant_id, category, subcategory),
		CONSTRAINT issue_taxonomy_category CHECK (category ~ '^[A-Za-z][A-Za-z0-9_]{0,49}$'),
		CONSTRAINT issue_taxonomy_subcategory CHECK (subcategory ~ '^[A-Za-z][A-Za-z0-9_]{0,49}$'),
		CONSTRAINT issue_taxonomy_description_length CHECK (length(description) <= 2000),
		CONSTRAINT issue_taxonomy_keywords CHECK (array_position(keywords, NULL) IS NULL AND cardinality(keywords) <= 500));

	-- What a tenant set.  A setting that is NULL, and that of a tenant without a row, is as mining_settings_of() says.
	CREATE TABLE IF NOT EXISTS triage.mining_settings (
		tenant_id          text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT mining_settings_tenant_fkey REFERENCES triage.tenants (id),
		extract_on_resolve boolean,
		extract_on_sync    boolean,
		summary_language   text,
		min_issues         int,
		min_customers      int,
		join_score         real,
		candidate_score    real,
		regression_grace   interval,
		updated_at         timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT mining_settings_pkey PRIMARY KEY (tenant_id),
		-- it stands in what the model is told
		CONSTRAINT mining_settings_summary_language CHECK (summary_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$'),
		CONSTRAINT mining_settings_min_issues CHECK (min_issues BETWEEN 1 AND 1000),
		CONSTRAINT mining_settings_min_customers CHECK (min_customers BETWEEN 1 AND 1000),
		CONSTRAINT mining_settings_join_score CHECK (join_score BETWEEN 0 AND 1),
		CONSTRAINT mining_settings_candidate_score CHECK (candidate_score BETWEEN 0 AND 1),
		CONSTRAINT mining_settings_regression_grace CHECK (regression_grace BETWEEN '0' AND '1 year'));

	-- A merged cluster keeps its row and its issues, so that the merge can be undone.  merged_into_id is one level deep: the
	-- live cluster that counts its issues now; merge_parent_id is the one that was named as the target, and an undo goes by it.
	CREATE TABLE IF NOT EXISTS triage.issue_clusters (
		tenant_id       text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT issue_clusters_tenant_fkey REFERENCES triage.tenants (id),
		id              bigint GENERATED ALWAYS AS IDENTITY,
		public_id       uuid NOT NULL DEFAULT gen_random_uuid(),
		category        text NOT NULL,
		subcategory     text NOT NULL,
		cluster_name    text NOT NULL,
		cluster_summary text,
		name_is_manual  boolean NOT NULL DEFAULT false,
		named_at_count  int NOT NULL DEFAULT 0,
		pm_status       triage.pm_status NOT NULL DEFAULT 'new',
		pm_notes        text,
		fixed_at        timestamptz,
		regressed_at    timestamptz,
		merged_into_id  bigint,
		merge_parent_id bigint,
		archived_at     timestamptz,
		version         int NOT NULL DEFAULT 1,
		created_at      timestamptz NOT NULL DEFAULT now(),
		updated_at      timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT issue_clusters_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT issue_clusters_public_id_key UNIQUE (public_id, tenant_id),
		CONSTRAINT issue_clusters_taxonomy_fkey FOREIGN KEY (tenant_id, category, subcategory)
			REFERENCES triage.issue_taxonomy (tenant_id, category, subcategory),
		CONSTRAINT issue_clusters_merged_into_fkey FOREIGN KEY (tenant_id, merged_into_id)
			REFERENCES triage.issue_clusters (tenant_id, id),
		CONSTRAINT issue_clusters_merge_parent_fkey FOREIGN KEY (tenant_id, merge_parent_id)
			REFERENCES triage.issue_clusters (tenant_id, id),
		CONSTRAINT issue_clusters_cluster_name_length CHECK (length(cluster_name) BETWEEN 1 AND 200),
		CONSTRAINT issue_clusters_cluster_summary_length CHECK (length(cluster_summary) <= 4000),
		CONSTRAINT issue_clusters_pm_notes_length CHECK (length(pm_notes) <= 20000),
		CONSTRAINT issue_clusters_merged_elsewhere CHECK (merged_into_id <> id AND merge_parent_id <> id
			AND (merged_into_id IS NULL) = (merge_parent_id IS NULL)),
		CONSTRAINT issue_clusters_named_at_count CHECK (named_at_count >= 0),
		CONSTRAINT issue_clusters_fixed_at_when_fixed CHECK (pm_status <> 'fixed' OR fixed_at IS NOT NULL));
	CREATE INDEX IF NOT EXISTS issue_clusters_category ON triage.issue_clusters (tenant_id, category, subcategory)
		WHERE merged_into_id IS NULL AND archived_at IS NULL;
	CREATE INDEX IF NOT EXISTS issue_clusters_taxonomy ON triage.issue_clusters (tenant_id, category, subcategory);
	CREATE INDEX IF NOT EXISTS issue_clusters_merged ON triage.issue_clusters (tenant_id, merged_into_id)
		WHERE merged_into_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS issue_clusters_merge_parent ON triage.issue_clusters (tenant_id, merge_parent_id)
		WHERE merge_parent_id IS NOT NULL;

	-- reported_at, the ticket's own time, is the clock of trends: an import of last year's tickets is no spike.
	CREATE TABLE IF NOT EXISTS triage.extracted_issues (
		tenant_id            text NOT NULL DEFAULT triage.current_tenant(),
		id                   bigint GENERATED ALWAYS AS IDENTITY,
		public_id            uuid NOT NULL DEFAULT gen_random_uuid(),
		ticket_id            bigint NOT NULL,
		cluster_id           bigint,
		run_id               bigint,
		category             text NOT NULL,
		subcategory          text NOT NULL,
		issue_type           triage.issue_type NOT NULL,
		severity             triage.issue_severity NOT NULL,
		summary              text NOT NULL,
		detail               text,
		representative_quote text,
		quote_verified       boolean NOT NULL DEFAULT false,
		confidence           numeric(3,2),
		customer             text,
		fingerprint          bytea NOT NULL,
		assigned_by          triage.issue_assigner,
		assignment_score     real,
		assigned_at          timestamptz,
		algorithm            int,
		reported_at          timestamptz NOT NULL,
		extracted_at         timestamptz NOT NULL DEFAULT now(),
		superseded_at        timestamptz,
		search               tsvector GENERATED ALWAYS AS (to_tsvector('pg_catalog.english', summary)) STORED,
		CONSTRAINT extracted_issues_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT extracted_issues_public_id_key UNIQUE (public_id, tenant_id),
		CONSTRAINT extracted_issues_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT extracted_issues_cluster_fkey FOREIGN KEY (tenant_id, cluster_id)
			REFERENCES triage.issue_clusters (tenant_id, id),
		CONSTRAINT extracted_issues_taxonomy_fkey FOREIGN KEY (tenant_id, category, subcategory)
			REFERENCES triage.issue_taxonomy (tenant_id, category, subcategory),
		CONSTRAINT extracted_issues_summary_length CHECK (length(summary) BETWEEN 1 AND 500),
		CONSTRAINT extracted_issues_detail_length CHECK (length(detail) <= 4000),
		CONSTRAINT extracted_issues_quote_length CHECK (length(representative_quote) <= 2000),
		CONSTRAINT extracted_issues_confidence CHECK (confidence BETWEEN 0 AND 1),
		CONSTRAINT extracted_issues_customer_length CHECK (length(customer) <= 400),
		CONSTRAINT extracted_issues_assigned_when_clustered CHECK ((cluster_id IS NULL) = (assigned_by IS NULL)));
	CREATE INDEX IF NOT EXISTS extracted_issues_ticket ON triage.extracted_issues (tenant_id, ticket_id);
	CREATE INDEX IF NOT EXISTS extracted_issues_cluster ON triage.extracted_issues (tenant_id, cluster_id, reported_at)
		WHERE cluster_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS extracted_issues_fingerprint ON triage.extracted_issues (tenant_id, fingerprint, id)
		WHERE superseded_at IS NULL;
	CREATE INDEX IF NOT EXISTS extracted_issues_category ON triage.extracted_issues (tenant_id, category, subcategory, severity);
	CREATE INDEX IF NOT EXISTS extracted_issues_reported ON triage.extracted_issues (tenant_id, reported_at)
		WHERE superseded_at IS NULL;
	CREATE INDEX IF NOT EXISTS extracted_issues_unclustered ON triage.extracted_issues (tenant_id, fingerprint, id)
		WHERE cluster_id IS NULL AND superseded_at IS NULL;
	-- no list of what is still to be put in order: every look for candidates would read it
	CREATE INDEX IF NOT EXISTS extracted_issues_terms ON triage.extracted_issues
		USING gin (triage.issue_terms(tenant_id, search)) WITH (fastupdate = off) WHERE superseded_at IS NULL;

	CREATE INDEX IF NOT EXISTS extracted_issues_superseded ON triage.extracted_issues (superseded_at)
		WHERE superseded_at IS NOT NULL;

	-- That a ticket was looked at, also where nothing was found.  Not in ai_runs, which may be purged.
	CREATE TABLE IF NOT EXISTS triage.ticket_extractions (
		tenant_id       text NOT NULL,
		ticket_id       bigint NOT NULL,
		content_version bigint NOT NULL,
		issues          int NOT NULL,
		provider        text,
		model           text,
		analyzed_at     timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT ticket_extractions_pkey PRIMARY KEY (ticket_id, tenant_id),
		CONSTRAINT ticket_extractions_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_extractions_issues CHECK (issues >= 0));
	CREATE INDEX IF NOT EXISTS ticket_extractions_analyzed ON triage.ticket_extractions (tenant_id, analyzed_at);

	-- "Not this": what a person took out of a cluster does not come back to it by itself, nor does what reads the same.
	CREATE TABLE IF NOT EXISTS triage.cluster_exclusions (
		tenant_id   text NOT NULL DEFAULT triage.current_tenant(),
		id          bigint GENERATED ALWAYS AS IDENTITY,
		cluster_id  bigint NOT NULL,
		fingerprint bytea NOT NULL,
		created_by  text NOT NULL,
		created_at  timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT cluster_exclusions_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT cluster_exclusions_pair_key UNIQUE (tenant_id, fingerprint, cluster_id),
		CONSTRAINT cluster_exclusions_cluster_fkey FOREIGN KEY (tenant_id, cluster_id)
			REFERENCES triage.issue_clusters (tenant_id, id) ON DELETE CASCADE);
	CREATE INDEX IF NOT EXISTS cluster_exclusions_cluster ON triage.cluster_exclusions (tenant_id, cluster_id);

	-- Append-only: every automatic decision with its reason, score and algorithm, and every person's.  What is about an issue
	-- goes with it, as a ticket's history goes with the ticket; no cluster: what was decided left the issue without one.
	CREATE TABLE IF NOT EXISTS triage.cluster_events (
		tenant_id  text NOT NULL,
		id         bigint GENERATED ALWAYS AS IDENTITY,
		cluster_id bigint,
		issue_id   bigint,
		event      triage.cluster_event NOT NULL,
		assigner   triage.issue_assigner,
		score      real,
		algorithm  int,
		run_id     bigint,
		details    jsonb NOT NULL DEFAULT '{}',
		actor      text NOT NULL,
		session_role text NOT NULL,
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT cluster_events_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT cluster_events_details_object CHECK (jsonb_typeof(details) = 'object'),
		CONSTRAINT cluster_events_subject CHECK (num_nonnulls(cluster_id, issue_id) > 0),
		CONSTRAINT cluster_events_cluster_fkey FOREIGN KEY (tenant_id, cluster_id)
			REFERENCES triage.issue_clusters (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT cluster_events_issue_fkey FOREIGN KEY (tenant_id, issue_id)
			REFERENCES triage.extracted_issues (tenant_id, id) ON DELETE CASCADE);
	CREATE INDEX IF NOT EXISTS cluster_events_cluster ON triage.cluster_events (tenant_id, cluster_id, id)
		WHERE cluster_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS cluster_events_issue ON triage.cluster_events (tenant_id, issue_id, id)
		WHERE issue_id IS NOT NULL;
	-- for retention: these are the most, and of use for a moment
	CREATE INDEX IF NOT EXISTS cluster_events_asked ON triage.cluster_events (created_at) WHERE event = 'asked';
END
$install$;
COMMENT ON FUNCTION triage.install_mining_tables() IS
	'part of install(): creates the tables of issue mining that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_mining_tables() FROM PUBLIC;
