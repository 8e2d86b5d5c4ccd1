-- Trends of clusters: the view that reads every issue, and the page of the top clusters that reads the roll-up instead
-- (tables_trends.sql) and says the same.
--
-- A cluster's issues are its own and those of the clusters merged into it.  Days are days in UTC: the last seven are today
-- and the six before it, so that whole days can be added up.  What is dated after today counts, but in no seven days yet.

CREATE FUNCTION triage.install_trend_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
DECLARE
	-- a sub-select, so that it is computed once and not for each issue
	day_start CONSTANT text := $sql$(SELECT (date_trunc('day', now() AT TIME ZONE 'UTC') + interval '%s days') AT TIME ZONE 'UTC')$sql$;
BEGIN
	EXECUTE format($view$
		CREATE OR REPLACE VIEW triage.cluster_trends WITH (security_invoker = true) AS
			SELECT c.id, c.public_id, c.category, c.subcategory, c.cluster_name, c.cluster_summary,
					coalesce(f.issue_count, 0)::int AS issue_count,
					coalesce(f.unique_customers, 0)::int AS unique_customers,
					f.first_seen, f.last_seen,
					coalesce(f.count_7d, 0)::int AS count_7d,
					coalesce(f.count_prior_7d, 0)::int AS count_prior_7d,
					round(100.0 * (f.count_7d - f.count_prior_7d) / nullif(f.count_prior_7d, 0), 2) AS trend_pct,
					c.merged_into_id IS NULL AND c.archived_at IS NULL AS is_active,
					c.pm_status, c.pm_notes, c.created_at, c.updated_at,
					f.worst_severity,
					c.pm_status = 'fixed' AND c.regressed_at IS NOT NULL AND c.regressed_at >= c.fixed_at AS is_regressed,
					coalesce(f.issue_count, 0) >= coalesce(s.min_issues, 3)
						AND coalesce(f.unique_customers, 0) >= coalesce(s.min_customers, 2) AS is_visible,
					c.fixed_at, c.regressed_at, c.merged_into_id, c.archived_at, c.tenant_id
				FROM triage.issue_clusters c
				LEFT JOIN triage.mining_settings s ON s.tenant_id = c.tenant_id
				LEFT JOIN (
					SELECT i.tenant_id, coalesce(m.merged_into_id, m.id) AS cluster_id,
							count(*) AS issue_count, count(DISTINCT i.customer) AS unique_customers,
							min(i.reported_at) AS first_seen, max(i.reported_at) AS last_seen, max(i.severity) AS worst_severity,
							count(*) FILTER (WHERE i.reported_at >= %1$s AND i.reported_at < %3$s) AS count_7d,
							count(*) FILTER (WHERE i.reported_at >= %2$s AND i.reported_at < %1$s) AS count_prior_7d
						FROM triage.extracted_issues i
						JOIN triage.issue_clusters m ON m.tenant_id = i.tenant_id AND m.id = i.cluster_id
						WHERE i.superseded_at IS NULL
						GROUP BY i.tenant_id, coalesce(m.merged_into_id, m.id)) f
					ON f.tenant_id = c.tenant_id AND f.cluster_id = c.id
	$view$, format(day_start, -6), format(day_start, -13), format(day_start, 1));

	-- What seven days have is read from recent, unless issues are dated later than that is written for.
	EXECUTE format($view$
		CREATE OR REPLACE VIEW triage.cluster_counts WITH (security_invoker = true) AS
			SELECT t.tenant_id, t.cluster_id, t.low + t.medium + t.high + t.critical AS issues, t.low, t.medium, t.high, t.critical,
					t.customers, t.first_at, t.last_at,
					CASE WHEN t.has_later OR t.recent_day > %1$s THEN (
							SELECT coalesce(sum(d.low + d.medium + d.high + d.critical), 0)::int FROM triage.cluster_daily d
								WHERE d.tenant_id = t.tenant_id AND d.cluster_id = t.cluster_id AND d.day BETWEEN %1$s - 6 AND %1$s)
						ELSE t.recent[15] - t.recent[least(15, 8 + %1$s - t.recent_day)] END AS count_7d,
					CASE WHEN t.has_later OR t.recent_day > %1$s THEN (
							SELECT coalesce(sum(d.low + d.medium + d.high + d.critical), 0)::int FROM triage.cluster_daily d
								WHERE d.tenant_id = t.tenant_id AND d.cluster_id = t.cluster_id AND d.day BETWEEN %1$s - 13 AND %1$s - 7)
						ELSE t.recent[least(15, 8 + %1$s - t.recent_day)] - t.recent[least(15, 1 + %1$s - t.recent_day)] END AS count_prior_7d
				FROM triage.cluster_totals t
	$view$, $sql$(SELECT (now() AT TIME ZONE 'UTC')::date)$sql$);

	COMMENT ON VIEW triage.cluster_counts IS 'what the roll-up has of each cluster, as far as it is added up and without the clusters merged into it; see top_clusters()';
	COMMENT ON COLUMN triage.cluster_counts.cluster_id IS 'the cluster that the issues name, merged or not';
	COMMENT ON COLUMN triage.cluster_counts.issues IS 'of all severities';
	COMMENT ON COLUMN triage.cluster_counts.low IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_counts.medium IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_counts.high IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_counts.critical IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_counts.customers IS 'different customers';
	COMMENT ON COLUMN triage.cluster_counts.first_at IS 'when the first was reported';
	COMMENT ON COLUMN triage.cluster_counts.last_at IS 'when the last was reported';
	COMMENT ON COLUMN triage.cluster_counts.count_7d IS 'reported today or on one of the six days before, in UTC';
	COMMENT ON COLUMN triage.cluster_counts.count_prior_7d IS 'reported on the seven days before those';

	COMMENT ON VIEW triage.cluster_trends IS
		'each cluster with its counts, read from the issues and so always current and exact; issues of clusters merged into it are its own, superseded issues and those of deleted tickets do not count; the last 7 days are today and the six days before, in UTC; reads every issue: for a page of a large table see top_clusters()';
	COMMENT ON COLUMN triage.cluster_trends.id IS 'names the cluster';
	COMMENT ON COLUMN triage.cluster_trends.public_id IS 'names it outside of the database';
	COMMENT ON COLUMN triage.cluster_trends.category IS 'where in the taxonomy it is';
	COMMENT ON COLUMN triage.cluster_trends.subcategory IS 'where in its category it is';
	COMMENT ON COLUMN triage.cluster_trends.cluster_name IS 'what it is called';
	COMMENT ON COLUMN triage.cluster_trends.cluster_summary IS 'what its issues have in common';
	COMMENT ON COLUMN triage.cluster_trends.pm_status IS 'what product management has decided of it';
	COMMENT ON COLUMN triage.cluster_trends.pm_notes IS 'what product management notes of it';
	COMMENT ON COLUMN triage.cluster_trends.created_at IS 'when it was made';
	COMMENT ON COLUMN triage.cluster_trends.updated_at IS 'when it was changed last; new issues do not change it';
	COMMENT ON COLUMN triage.cluster_trends.fixed_at IS 'when it was fixed last';
	COMMENT ON COLUMN triage.cluster_trends.regressed_at IS 'when an issue was reported again after that';
	COMMENT ON COLUMN triage.cluster_trends.merged_into_id IS 'the cluster it is merged into, where its issues count';
	COMMENT ON COLUMN triage.cluster_trends.archived_at IS 'since when it is archived';
	COMMENT ON COLUMN triage.cluster_trends.issue_count IS 'current issues; 0 for a cluster that is merged into another, where they count';
	COMMENT ON COLUMN triage.cluster_trends.unique_customers IS 'different customers among them: organizations, or else requesters, or else addresses; an issue without any of these adds none';
	COMMENT ON COLUMN triage.cluster_trends.first_seen IS 'when the first of them was reported, by the ticket''s own time';
	COMMENT ON COLUMN triage.cluster_trends.last_seen IS 'when the last of them was reported';
	COMMENT ON COLUMN triage.cluster_trends.count_7d IS 'reported today or on one of the six days before, in UTC';
	COMMENT ON COLUMN triage.cluster_trends.count_prior_7d IS 'reported on the seven days before those';
	COMMENT ON COLUMN triage.cluster_trends.trend_pct IS 'by how much count_7d is above or below count_prior_7d, in per cent; NULL: nothing was reported before';
	COMMENT ON COLUMN triage.cluster_trends.is_active IS 'neither merged into another cluster nor archived';
	COMMENT ON COLUMN triage.cluster_trends.worst_severity IS 'the worst of the current issues; NULL without any';
	COMMENT ON COLUMN triage.cluster_trends.is_regressed IS 'it is fixed, and was reported again since';
	COMMENT ON COLUMN triage.cluster_trends.is_visible IS 'it has the min_issues issues of min_customers customers from which the tenant''s settings show a cluster; one with less is emerging';

	COMMENT ON TABLE triage.cluster_deltas IS 'by how much the counts of clusters changed since they were last added up; fold_trends() empties it';
	COMMENT ON COLUMN triage.cluster_deltas.id IS 'grows in the order of writing';
	COMMENT ON COLUMN triage.cluster_deltas.cluster_id IS 'the cluster that the issues name, merged or not';
	COMMENT ON COLUMN triage.cluster_deltas.day IS 'when they were reported, in UTC';
	COMMENT ON COLUMN triage.cluster_deltas.severity IS 'how bad they are';
	COMMENT ON COLUMN triage.cluster_deltas.customer_key IS 'whose they are, see customer_key()';
	COMMENT ON COLUMN triage.cluster_deltas.issues IS 'how many came; below 0: went';
	COMMENT ON COLUMN triage.cluster_deltas.first_at IS 'the first report among those that came';
	COMMENT ON COLUMN triage.cluster_deltas.last_at IS 'the last report among those that came';
	COMMENT ON COLUMN triage.cluster_deltas.has_removals IS 'whether any went, so that the cluster''s first and last report may be others';
	COMMENT ON TABLE triage.cluster_daily IS 'how many issues of a cluster were reported on a day, as far as they are added up; without those of clusters merged into it';
	COMMENT ON COLUMN triage.cluster_daily.day IS 'a day in UTC';
	COMMENT ON COLUMN triage.cluster_daily.low IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_daily.medium IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_daily.high IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_daily.critical IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_daily.cluster_id IS 'the cluster that the issues name, merged or not';
	COMMENT ON TABLE triage.cluster_customers IS 'how many issues of a cluster each customer reported, as far as they are added up';
	COMMENT ON COLUMN triage.cluster_customers.cluster_id IS 'the cluster that the issues name, merged or not';
	COMMENT ON COLUMN triage.cluster_customers.customer_key IS 'the customer, see customer_key()';
	COMMENT ON COLUMN triage.cluster_customers.issues IS 'current issues';
	COMMENT ON TABLE triage.cluster_totals IS 'how many issues a cluster has, as far as they are added up';
	COMMENT ON COLUMN triage.cluster_totals.cluster_id IS 'the cluster that the issues name, merged or not';
	COMMENT ON COLUMN triage.cluster_totals.low IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_totals.medium IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_totals.high IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_totals.critical IS 'issues of this severity';
	COMMENT ON COLUMN triage.cluster_totals.customers IS 'different customers, the rows of cluster_customers';
	COMMENT ON COLUMN triage.cluster_totals.first_at IS 'when the first was reported';
	COMMENT ON COLUMN triage.cluster_totals.last_at IS 'when the last was reported';
	COMMENT ON COLUMN triage.cluster_totals.recent IS 'how many were reported in the days to the end of recent_day ([15]), of the day before ([14]) and so on; counted from 14 days before it';
	COMMENT ON COLUMN triage.cluster_totals.recent_day IS 'the last day in recent, in UTC: when it was written';
	COMMENT ON COLUMN triage.cluster_totals.has_later IS 'whether issues are dated after recent_day, so that recent does not say all';
END
$install$;
COMMENT ON FUNCTION triage.install_trend_views() IS
	'part of install(): creates the view of trends, or replaces it by this version''s, and the comments on it and on the tables of the roll-up; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_trend_views() FROM PUBLIC;

-- Pages --------------------------------------------------------------------------------------------------------------

-- Which clusters are on the page, in order.  Merged ones are followed here.  No nested loops but those that the words ask
-- for: by statistics of tables that were empty a moment ago the planner would go through all clusters for each of them.
CREATE FUNCTION triage.rank_clusters(
	tenant text,
	order_by text,
	categories text[],
	pm_statuses triage.pm_status[],
	only_visible boolean,
	only_regressed boolean,
	include_archived boolean,
	after_value numeric,
	after_id bigint,
	max_rows int,
	least_issues int,
	least_customers int)
	RETURNS TABLE (place bigint, id bigint, value numeric)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET enable_nestloop = off
	SET jit = off
AS $$
DECLARE
	today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
	RETURN QUERY
	WITH pending AS MATERIALIZED (
			SELECT d.cluster_id, d.day, d.customer_key, d.issues, d.last_at, d.has_removals
				FROM triage.cluster_deltas d WHERE d.tenant_id = tenant),
		-- customers who came to a cluster, or have no issue in it any more, since it was added up
		turnover AS MATERIALIZED (
			SELECT n.cluster_id, sum((coalesce(c.issues, 0) + n.issues > 0)::int - (coalesce(c.issues, 0) > 0)::int)::int AS customers
				FROM (SELECT p.cluster_id, p.customer_key, sum(p.issues) AS issues
						FROM pending p WHERE p.customer_key IS NOT NULL GROUP BY p.cluster_id, p.customer_key) n
				LEFT JOIN LATERAL (
					SELECT x.issues FROM triage.cluster_customers x
						WHERE x.tenant_id = tenant AND x.cluster_id = n.cluster_id AND x.customer_key = n.customer_key LIMIT 1) c ON true
				GROUP BY n.cluster_id),
		fresh AS MATERIALIZED (
			SELECT p.cluster_id, sum(p.issues)::int AS issues, max(p.last_at) AS last_at, bool_or(p.has_removals) AS has_removals,
					sum(p.issues) FILTER (WHERE p.day BETWEEN today - 6 AND today)::int AS count_7d,
					sum(p.issues) FILTER (WHERE p.day BETWEEN today - 13 AND today - 7)::int AS count_prior_7d
				FROM pending p GROUP BY p.cluster_id),
		-- what is merged into a cluster, and the most customers that one of these has
		joined AS MATERIALIZED (
			SELECT m.merged_into_id AS cluster_id, sum(coalesce(t.issues, 0) + coalesce(f.issues, 0))::int AS issues,
					max(coalesce(t.customers, 0) + coalesce(n.customers, 0)) AS customers,
					max(CASE WHEN f.has_removals THEN triage.report_edge(tenant, m.id, true) ELSE greatest(t.last_at, f.last_at) END) AS last_at,
					sum(coalesce(t.count_7d, 0) + coalesce(f.count_7d, 0))::int AS count_7d,
					sum(coalesce(t.count_prior_7d, 0) + coalesce(f.count_prior_7d, 0))::int AS count_prior_7d
				FROM triage.issue_clusters m
				-- these are few, and so looked up
				LEFT JOIN LATERAL (
					SELECT * FROM triage.cluster_counts x WHERE x.tenant_id = tenant AND x.cluster_id = m.id LIMIT 1) t ON true
				LEFT JOIN fresh f ON f.cluster_id = m.id
				LEFT JOIN turnover n ON n.cluster_id = m.id
				WHERE m.tenant_id = tenant AND m.merged_into_id IS NOT NULL
				GROUP BY m.merged_into_id),
		candidate AS (
			SELECT c.id,
					CASE order_by
						WHEN 'count_7d' THEN a.count_7d
						WHEN 'issue_count' THEN a.issues
						WHEN 'trend' THEN round(100.0 * (a.count_7d - a.count_prior_7d) / nullif(a.count_prior_7d, 0), 2)
						ELSE extract(epoch FROM greatest(j.last_at,
							CASE WHEN f.has_removals THEN triage.report_edge(tenant, c.id, true) ELSE greatest(t.last_at, f.last_at) END)) END AS value
				FROM triage.issue_clusters c
				LEFT JOIN triage.cluster_counts t ON t.tenant_id = tenant AND t.cluster_id = c.id
				LEFT JOIN fresh f ON f.cluster_id = c.id
				LEFT JOIN turnover n ON n.cluster_id = c.id
				LEFT JOIN joined j ON j.cluster_id = c.id
				CROSS JOIN LATERAL (
					SELECT coalesce(t.issues, 0) + coalesce(f.issues, 0) + coalesce(j.issues, 0) AS issues,
						coalesce(t.count_7d, 0) + coalesce(f.count_7d, 0) + coalesce(j.count_7d, 0) AS count_7d,
						coalesce(t.count_prior_7d, 0) + coalesce(f.count_prior_7d, 0) + coalesce(j.count_prior_7d, 0) AS count_prior_7d) a
				WHERE c.tenant_id = tenant AND c.merged_into_id IS NULL AND (include_archived OR c.archived_at IS NULL)
					AND (categories IS NULL OR c.category = ANY (categories))
					AND (pm_statuses IS NULL OR c.pm_status = ANY (pm_statuses))
					AND (only_regressed IS NOT TRUE OR c.pm_status = 'fixed' AND c.regressed_at >= c.fixed_at)
					AND (NOT only_visible OR a.issues >= least_issues AND CASE
						WHEN greatest(coalesce(t.customers, 0) + coalesce(n.customers, 0), j.customers) >= least_customers THEN true
						WHEN j.cluster_id IS NULL THEN false
						-- none of these clusters has enough by itself, so all of them have few
						ELSE least_customers <= (
							SELECT count(*)
								FROM (SELECT
									FROM (
										SELECT c.id
										UNION ALL
										SELECT m.id FROM triage.issue_clusters m WHERE m.tenant_id = tenant AND m.merged_into_id = c.id) m
									CROSS JOIN LATERAL (
										SELECT x.customer_key, x.issues
											FROM triage.cluster_customers x WHERE x.tenant_id = tenant AND x.cluster_id = m.id
										UNION ALL
										SELECT p.customer_key, p.issues FROM pending p WHERE p.customer_key IS NOT NULL AND p.cluster_id = m.id) k
									GROUP BY k.customer_key HAVING sum(k.issues) > 0) u) END))
		SELECT row_number() OVER (), r.id, r.value
			FROM (SELECT k.id, k.value
				FROM candidate k
				WHERE after_id IS NULL
					OR CASE WHEN after_value IS NULL THEN k.value IS NULL AND k.id < after_id
						ELSE k.value IS NULL OR (k.value, k.id) < (after_value, after_id) END
				ORDER BY k.value DESC NULLS LAST, k.id DESC
				LIMIT max_rows) r;
END
$$;
COMMENT ON FUNCTION triage.rank_clusters(text, text, text[], triage.pm_status[], boolean, boolean, boolean, numeric, bigint, int, int, int) IS
	'part of top_clusters(), which says what the arguments are; tenant: an id; least_issues, least_customers: from how many on a cluster is visible; returns the page''s clusters and what they are ordered by; raises nothing';
REVOKE ALL ON FUNCTION triage.rank_clusters(text, text, text[], triage.pm_status[], boolean, boolean, boolean, numeric, bigint, int, int, int) FROM PUBLIC;

-- Two statements: which clusters are on the page, then what is shown of them.  STABLE: both see what the caller sees.
CREATE FUNCTION triage.top_clusters(
	order_by text DEFAULT 'count_7d',
	categories text[] DEFAULT NULL,
	pm_statuses triage.pm_status[] DEFAULT NULL,
	only_visible boolean DEFAULT true,
	only_regressed boolean DEFAULT false,
	include_archived boolean DEFAULT false,
	after_value numeric DEFAULT NULL,
	after_id bigint DEFAULT NULL,
	max_rows int DEFAULT 50)
	RETURNS TABLE (
		id bigint,
		public_id uuid,
		category text,
		subcategory text,
		cluster_name text,
		cluster_summary text,
		issue_count int,
		unique_customers int,
		first_seen timestamptz,
		last_seen timestamptz,
		count_7d int,
		count_prior_7d int,
		trend_pct numeric,
		is_active boolean,
		pm_status triage.pm_status,
		pm_notes text,
		created_at timestamptz,
		updated_at timestamptz,
		worst_severity triage.issue_severity,
		is_regressed boolean,
		is_visible boolean,
		fixed_at timestamptz,
		regressed_at timestamptz,
		archived_at timestamptz,
		sort_value numeric)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
	least_issues int;
	least_customers int;
	page bigint[];
	page_values numeric[];
BEGIN
	PERFORM triage.check_schema();
	IF order_by IS NULL OR order_by NOT IN ('count_7d', 'issue_count', 'trend', 'last_seen') THEN
		RAISE EXCEPTION 'clusters cannot be ordered by "%"', coalesce(left(order_by, 100), 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Order them by count_7d, issue_count, trend or last_seen.';
	ELSIF max_rows IS NULL OR max_rows NOT BETWEEN 0 AND 1000 THEN
		RAISE EXCEPTION 'max_rows must be between 0 and 1000, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'For the next page, pass sort_value and id of the last row as after_value and after_id.';
	ELSIF after_value = 'NaN' OR after_value IS NOT NULL AND after_id IS NULL THEN
		RAISE EXCEPTION 'after_value and after_id must name a row together'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Pass sort_value and id of the last row of the page before, or neither.';
	END IF;
	SELECT coalesce(min(s.min_issues), 3), coalesce(min(s.min_customers), 2) INTO least_issues, least_customers
		FROM triage.mining_settings s WHERE s.tenant_id = tenant;

	SELECT array_agg(k.id ORDER BY k.place), array_agg(k.value ORDER BY k.place) INTO page, page_values
		FROM triage.rank_clusters(tenant, order_by, categories, pm_statuses, only_visible, only_regressed, include_archived,
			after_value, after_id, max_rows, least_issues, least_customers) k;

	RETURN QUERY
		WITH pending AS MATERIALIZED (
				SELECT d.cluster_id, d.day, d.severity, d.customer_key, d.issues, d.first_at, d.last_at, d.has_removals
					FROM triage.cluster_deltas d WHERE d.tenant_id = tenant),
			fresh AS MATERIALIZED (
				SELECT p.cluster_id, bool_or(p.has_removals) AS has_removals, min(p.first_at) AS first_at, max(p.last_at) AS last_at,
						sum(p.issues) FILTER (WHERE p.severity = 'low') AS low, sum(p.issues) FILTER (WHERE p.severity = 'medium') AS medium,
						sum(p.issues) FILTER (WHERE p.severity = 'high') AS high,
						sum(p.issues) FILTER (WHERE p.severity = 'critical') AS critical,
						sum(p.issues) FILTER (WHERE p.day BETWEEN today - 6 AND today) AS count_7d,
						sum(p.issues) FILTER (WHERE p.day BETWEEN today - 13 AND today - 7) AS count_prior_7d
					FROM pending p GROUP BY p.cluster_id),
			-- the page's clusters, and those that are merged into them
			member AS MATERIALIZED (
				SELECT u.place, u.id AS cluster_id, m.id
					FROM unnest(page) WITH ORDINALITY u (id, place)
					CROSS JOIN LATERAL (
						SELECT u.id
						UNION ALL
						SELECT x.id FROM triage.issue_clusters x WHERE x.tenant_id = tenant AND x.merged_into_id = u.id) m),
			counts AS MATERIALIZED (
				SELECT m.place, coalesce(sum(t.low), 0) + coalesce(sum(f.low), 0) AS low,
						coalesce(sum(t.medium), 0) + coalesce(sum(f.medium), 0) AS medium,
						coalesce(sum(t.high), 0) + coalesce(sum(f.high), 0) AS high,
						coalesce(sum(t.critical), 0) + coalesce(sum(f.critical), 0) AS critical,
						coalesce(sum(t.count_7d), 0) + coalesce(sum(f.count_7d), 0) AS count_7d,
						coalesce(sum(t.count_prior_7d), 0) + coalesce(sum(f.count_prior_7d), 0) AS count_prior_7d,
						min(CASE WHEN f.has_removals THEN triage.report_edge(tenant, m.id, false) ELSE least(t.first_at, f.first_at) END) AS first_at,
						max(CASE WHEN f.has_removals THEN triage.report_edge(tenant, m.id, true) ELSE greatest(t.last_at, f.last_at) END) AS last_at,
						sum(t.customers) FILTER (WHERE m.id = m.cluster_id) AS customers
					FROM member m
					LEFT JOIN fresh f ON f.cluster_id = m.id
					LEFT JOIN LATERAL (
						SELECT * FROM triage.cluster_counts x WHERE x.tenant_id = tenant AND x.cluster_id = m.id LIMIT 1) t ON true
					GROUP BY m.place),
			-- Customers of the cluster itself are counted already; of those merged into it, the ones that it does not have.
			-- Whoever came or went since all was added up is looked up.
			joined AS MATERIALIZED (
				SELECT m.place, x.customers
					FROM (SELECT DISTINCT o.place, o.cluster_id FROM member o WHERE o.id <> o.cluster_id) m
					CROSS JOIN LATERAL (
						SELECT count(*) AS customers
							FROM (SELECT s.customer_key
									FROM member o
									CROSS JOIN LATERAL (
										SELECT y.customer_key FROM triage.cluster_customers y
											WHERE y.tenant_id = tenant AND y.cluster_id = o.id AND y.issues > 0 OFFSET 0) s
									WHERE o.place = m.place AND o.id <> o.cluster_id
								EXCEPT
								SELECT y.customer_key FROM triage.cluster_customers y
									WHERE y.tenant_id = tenant AND y.cluster_id = m.cluster_id AND y.issues > 0) k) x),
			turnover AS MATERIALIZED (
				SELECT n.place, sum((n.folded + n.issues > 0)::int - (n.folded > 0)::int) AS customers
					FROM (SELECT g.place, g.issues, coalesce((
								SELECT sum(x.issues)
									FROM member o
									CROSS JOIN LATERAL (
										SELECT s.issues FROM triage.cluster_customers s
											WHERE s.tenant_id = tenant AND s.cluster_id = o.id AND s.customer_key = g.customer_key LIMIT 1) x
									WHERE o.place = g.place), 0) AS folded
							FROM (SELECT m.place, p.customer_key, sum(p.issues) AS issues
									FROM pending p JOIN member m ON m.id = p.cluster_id
									WHERE p.customer_key IS NOT NULL
									GROUP BY m.place, p.customer_key) g) n
					GROUP BY n.place)
			SELECT c.id, c.public_id, c.category, c.subcategory, c.cluster_name, c.cluster_summary,
					a.issues::int, a.customers::int, s.first_at, s.last_at, s.count_7d::int, s.count_prior_7d::int,
					round(100.0 * (s.count_7d - s.count_prior_7d) / nullif(s.count_prior_7d, 0), 2),
					c.merged_into_id IS NULL AND c.archived_at IS NULL,
					c.pm_status, c.pm_notes, c.created_at, c.updated_at,
					CASE WHEN s.critical > 0 THEN 'critical' WHEN s.high > 0 THEN 'high' WHEN s.medium > 0 THEN 'medium'
						WHEN s.low > 0 THEN 'low' END::triage.issue_severity,
					c.pm_status = 'fixed' AND c.regressed_at IS NOT NULL AND c.regressed_at >= c.fixed_at,
					a.issues >= least_issues AND a.customers >= least_customers,
					c.fixed_at, c.regressed_at, c.archived_at, page_values[s.place]
				FROM counts s
				JOIN LATERAL (
					SELECT * FROM triage.issue_clusters x WHERE x.tenant_id = tenant AND x.id = page[s.place] LIMIT 1) c ON true
				LEFT JOIN joined j ON j.place = s.place
				LEFT JOIN turnover n ON n.place = s.place
				CROSS JOIN LATERAL (
					SELECT s.low + s.medium + s.high + s.critical AS issues,
						coalesce(s.customers, 0) + coalesce(j.customers, 0) + coalesce(n.customers, 0) AS customers) a
				ORDER BY s.place;
END
$$;
COMMENT ON FUNCTION triage.top_clusters(text, text[], triage.pm_status[], boolean, boolean, boolean, numeric, bigint, int) IS
	'a page of the current tenant''s clusters, with what cluster_trends says of them, from the roll-up; order_by: count_7d, issue_count, trend (in per cent; those with nothing before come last) or last_seen, each downwards; categories, pm_statuses: any of these, NULL all; only_visible false: those below the tenant''s min_issues and min_customers too; only_regressed: only those that are fixed and were reported again; include_archived: those too, while merged ones are never listed; after_value and after_id: sort_value (which may be NULL) and id of the last row of the page before; max_rows: 0 to 1000; sort_value is what they are ordered by, of last_seen the seconds since 1970; raises 22023 when max_rows or order_by is none of these, or after_value comes without after_id';
REVOKE ALL ON FUNCTION triage.top_clusters(text, text[], triage.pm_status[], boolean, boolean, boolean, numeric, bigint, int) FROM PUBLIC;

-- Checks -------------------------------------------------------------------------------------------------------------

-- One statement: issues and deltas are written together, so in one snapshot they agree.
CREATE FUNCTION triage.trend_differences(tenant text) RETURNS TABLE (tenant_id text, cluster_id bigint, detail text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH fact AS MATERIALIZED (
			SELECT i.tenant_id, i.cluster_id, (i.reported_at AT TIME ZONE 'UTC')::date AS day, i.severity,
					triage.customer_key(i.customer) AS customer_key, count(*) AS issues, min(i.reported_at) AS first_at, max(i.reported_at) AS last_at
				FROM triage.extracted_issues i
				WHERE ($1 IS NULL OR i.tenant_id = $1) AND i.cluster_id IS NOT NULL AND i.superseded_at IS NULL
				GROUP BY 1, 2, 3, 4, i.customer),
		pending AS MATERIALIZED (
			SELECT * FROM triage.cluster_deltas d WHERE $1 IS NULL OR d.tenant_id = $1),
		day AS (
			SELECT x.tenant_id, x.cluster_id, x.day, x.severity, sum(x.facts) AS facts, sum(x.counted) AS counted
				FROM (SELECT f.tenant_id, f.cluster_id, f.day, f.severity, f.issues AS facts, 0 AS counted FROM fact f
					UNION ALL
					SELECT p.tenant_id, p.cluster_id, p.day, p.severity, 0, p.issues FROM pending p
					UNION ALL
					SELECT d.tenant_id, d.cluster_id, d.day, v.severity, 0, v.issues
						FROM triage.cluster_daily d
						CROSS JOIN LATERAL (VALUES ('low'::triage.issue_severity, d.low), ('medium', d.medium), ('high', d.high),
							('critical', d.critical)) v (severity, issues)
						WHERE $1 IS NULL OR d.tenant_id = $1) x
				GROUP BY x.tenant_id, x.cluster_id, x.day, x.severity
				HAVING sum(x.facts) <> sum(x.counted)),
		customer AS (
			SELECT x.tenant_id, x.cluster_id, x.customer_key, sum(x.facts) AS facts, sum(x.counted) AS counted
				FROM (SELECT f.tenant_id, f.cluster_id, f.customer_key, f.issues AS facts, 0 AS counted FROM fact f
					UNION ALL
					SELECT p.tenant_id, p.cluster_id, p.customer_key, 0, p.issues FROM pending p
					UNION ALL
					SELECT c.tenant_id, c.cluster_id, c.customer_key, 0, c.issues
						FROM triage.cluster_customers c WHERE $1 IS NULL OR c.tenant_id = $1) x
				WHERE x.customer_key IS NOT NULL
				GROUP BY x.tenant_id, x.cluster_id, x.customer_key
				HAVING sum(x.facts) <> sum(x.counted)),
		-- against the other tables of the roll-up, which were compared with the issues
		total AS (
			SELECT x.tenant_id, x.cluster_id, sum(x.low) AS low, sum(x.medium) AS medium, sum(x.high) AS high, sum(x.critical) AS critical,
					sum(x.customers) AS customers
				FROM (SELECT t.tenant_id, t.cluster_id, t.low, t.medium, t.high, t.critical, t.customers
						FROM triage.cluster_totals t WHERE $1 IS NULL OR t.tenant_id = $1
					UNION ALL
					SELECT d.tenant_id, d.cluster_id, - d.low, - d.medium, - d.high, - d.critical, 0
						FROM triage.cluster_daily d WHERE $1 IS NULL OR d.tenant_id = $1
					UNION ALL
					SELECT c.tenant_id, c.cluster_id, 0, 0, 0, 0, -1
						FROM triage.cluster_customers c WHERE ($1 IS NULL OR c.tenant_id = $1) AND c.issues > 0) x
				GROUP BY x.tenant_id, x.cluster_id
				HAVING (sum(x.low), sum(x.medium), sum(x.high), sum(x.critical), sum(x.customers)) <> (0, 0, 0, 0, 0)),
		week AS (
			SELECT t.tenant_id, t.cluster_id, t.recent[15] - t.recent[1] AS counted, d.issues
				FROM triage.cluster_totals t
				CROSS JOIN LATERAL (
					SELECT coalesce(sum(y.low + y.medium + y.high + y.critical), 0) AS issues
						FROM triage.cluster_daily y
						WHERE y.tenant_id = t.tenant_id AND y.cluster_id = t.cluster_id AND y.day BETWEEN t.recent_day - 13 AND t.recent_day) d
				WHERE ($1 IS NULL OR t.tenant_id = $1) AND d.issues <> t.recent[15] - t.recent[1]),
		edge AS (
			SELECT f.tenant_id, f.cluster_id, f.first_at, f.last_at, t.first_at AS first_counted, t.last_at AS last_counted
				FROM (SELECT g.tenant_id, g.cluster_id, min(g.first_at) AS first_at, max(g.last_at) AS last_at
						FROM fact g GROUP BY g.tenant_id, g.cluster_id) f
				JOIN triage.cluster_totals t ON t.tenant_id = f.tenant_id AND t.cluster_id = f.cluster_id
				WHERE (f.first_at, f.last_at) IS DISTINCT FROM (t.first_at, t.last_at)
					AND NOT EXISTS (SELECT FROM pending p WHERE p.tenant_id = f.tenant_id AND p.cluster_id = f.cluster_id))
	SELECT d.tenant_id, d.cluster_id,
			format('cluster %s has %s %s issues on %s, the roll-up says %s', d.cluster_id, d.facts, d.severity, d.day, d.counted)
		FROM day d
	UNION ALL
	SELECT c.tenant_id, c.cluster_id, format('cluster %s has %s issues of customer %s, the roll-up says %s', c.cluster_id, c.facts,
			c.customer_key, c.counted)
		FROM customer c
	UNION ALL
	SELECT t.tenant_id, t.cluster_id, format('the totals of cluster %s are above its days and customers by %s low, %s medium, %s high, '
			'%s critical, %s customers', t.cluster_id, t.low, t.medium, t.high, t.critical, t.customers)
		FROM total t
	UNION ALL
	SELECT w.tenant_id, w.cluster_id, format('the last 14 days of cluster %s have %s issues, its totals say %s', w.cluster_id, w.issues, w.counted)
		FROM week w
	UNION ALL
	SELECT e.tenant_id, e.cluster_id, format('cluster %s has reports from %s to %s, the roll-up says %s to %s', e.cluster_id, e.first_at,
			e.last_at, e.first_counted, e.last_counted)
		FROM edge e
$$;
COMMENT ON FUNCTION triage.trend_differences(text) IS
	'part of check_integrity(): where the roll-up of trends and the issues differ, of a tenant, or with NULL of all that row security shows; rebuild_trends() makes it good; reads every issue; raises nothing';
REVOKE ALL ON FUNCTION triage.trend_differences(text) FROM PUBLIC;

-- One page about a cluster --------------------------------------------------------------------------------------------

-- An issue keeps the quote, not where it stands.  So a quote is shown when a text that the customer can see has it; a
-- wording of the model's own only where there is no internal note that it could repeat.
CREATE FUNCTION triage.quote_is_public(tenant_id text, ticket_id bigint, quote text) RETURNS boolean
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN quote IS NOT NULL AND (
		EXISTS (SELECT FROM triage.tickets t
			WHERE t.tenant_id = quote_is_public.tenant_id AND t.id = quote_is_public.ticket_id
				AND (triage.quote_occurs(quote, t.description) OR triage.quote_occurs(quote, t.subject)))
		OR EXISTS (SELECT FROM triage.ticket_comments c
			WHERE c.tenant_id = quote_is_public.tenant_id AND c.ticket_id = quote_is_public.ticket_id
				AND c.visibility = 'public' AND triage.quote_occurs(quote, c.content))
		OR EXISTS (SELECT FROM triage.chat_tickets o
			JOIN triage.chat_messages m ON m.tenant_id = o.tenant_id AND m.session_id = o.session_id
			WHERE o.tenant_id = quote_is_public.tenant_id AND o.ticket_id = quote_is_public.ticket_id
				AND o.relation = 'origin' AND m.role <> 'system' AND triage.quote_occurs(quote, m.content))
		OR NOT EXISTS (SELECT FROM triage.ticket_comments c
				WHERE c.tenant_id = quote_is_public.tenant_id AND c.ticket_id = quote_is_public.ticket_id AND c.visibility = 'internal')
			AND NOT EXISTS (SELECT FROM triage.chat_tickets o
				JOIN triage.chat_messages m ON m.tenant_id = o.tenant_id AND m.session_id = o.session_id
				WHERE o.tenant_id = quote_is_public.tenant_id AND o.ticket_id = quote_is_public.ticket_id
					AND o.relation = 'origin' AND m.role = 'system'));
END
$$;
COMMENT ON FUNCTION triage.quote_is_public(text, bigint, text) IS
	'whether an issue''s quote may be shown to people outside the helpdesk: it occurs in the ticket''s subject, description, public comments or conversation, or the ticket has no internal note that it could come from; false for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.quote_is_public(text, bigint, text) FROM PUBLIC;

-- Verified ones first, then the newest, one of each customer.  Texts are compared one by one until there are enough.
CREATE FUNCTION triage.cluster_quotes(cluster_id bigint, max_rows int DEFAULT 10)
	RETURNS TABLE (issue_id bigint, ticket_id bigint, quote text, quote_verified boolean, customer text, reported_at timestamptz)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
	SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	issue record;
	seen text[] := '{}';
	found_quotes int := 0;
BEGIN
	IF max_rows IS NULL OR max_rows NOT BETWEEN 0 AND 100 THEN
		RAISE EXCEPTION 'max_rows must be between 0 and 100, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'All issues of a cluster are rows of triage.extracted_issues.';
	END IF;
	FOR issue IN
		SELECT i.id, i.ticket_id, i.representative_quote AS quote, i.quote_verified, i.customer, i.reported_at
			FROM (SELECT cluster_quotes.cluster_id AS id UNION ALL
				SELECT c.id FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.merged_into_id = cluster_quotes.cluster_id) c
			-- from the end of each cluster's index, as in report_edge(): a large cluster is not read to its beginning
			CROSS JOIN LATERAL (
				SELECT n.* FROM triage.extracted_issues n
					WHERE n.tenant_id = tenant AND n.cluster_id BETWEEN c.id AND c.id
						AND n.superseded_at IS NULL AND n.representative_quote IS NOT NULL
					ORDER BY n.cluster_id DESC, n.reported_at DESC
					LIMIT 500) i
			ORDER BY i.quote_verified DESC, i.reported_at DESC, i.id DESC
	LOOP
		EXIT WHEN found_quotes >= max_rows;
		IF coalesce(issue.customer, 'ticket ' || issue.ticket_id) = ANY (seen)
			OR NOT triage.quote_is_public(tenant, issue.ticket_id, issue.quote)
		THEN
			CONTINUE;
		END IF;
		seen := seen || coalesce(issue.customer, 'ticket ' || issue.ticket_id);
		found_quotes := found_quotes + 1;
		RETURN QUERY SELECT issue.id, issue.ticket_id, issue.quote, issue.quote_verified, issue.customer, issue.reported_at;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.cluster_quotes(bigint, int) IS
	'what customers of the current tenant say in a cluster''s issues, and in those of clusters merged into it: one quote a customer, those found in the ticket first, then the newest, none from internal notes, see quote_is_public(); max_rows: 0 to 100; looks at the newest 500 of each cluster; raises 22023 when max_rows is out of range';
REVOKE ALL ON FUNCTION triage.cluster_quotes(bigint, int) FROM PUBLIC;

CREATE FUNCTION triage.cluster_report(cluster_id bigint)
	RETURNS TABLE (section text, item text, value text, amount bigint, ticket_id bigint, happened_at timestamptz)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
	target bigint;
	seen record;
	members bigint[];
BEGIN
	PERFORM triage.check_schema();
	SELECT coalesce(c.merged_into_id, c.id) INTO target
		FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.id = cluster_report.cluster_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'cluster % does not exist', coalesce(cluster_report.cluster_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'SELECT id, cluster_name FROM triage.top_clusters() lists clusters.';
	END IF;
	SELECT * INTO seen FROM triage.cluster_trends t WHERE t.tenant_id = tenant AND t.id = target;
	members := ARRAY (SELECT c.id FROM triage.issue_clusters c
		WHERE c.tenant_id = tenant AND (c.id = target OR c.merged_into_id = target) ORDER BY c.id);

	RETURN QUERY VALUES
		('cluster', 'name', seen.cluster_name, target, NULL::bigint, seen.created_at),
		('cluster', 'summary', seen.cluster_summary, NULL, NULL, NULL),
		('cluster', 'area', seen.category || '/' || seen.subcategory, NULL, NULL, NULL),
		('cluster', 'status', concat_ws(', ', seen.pm_status::text, CASE WHEN seen.is_regressed THEN 'regressed' END,
			CASE WHEN seen.archived_at IS NOT NULL THEN 'archived' END, CASE WHEN NOT seen.is_visible THEN 'emerging' END), NULL, NULL, NULL),
		('cluster', 'notes', seen.pm_notes, NULL, NULL, NULL),
		('cluster', 'fixed', NULL, NULL, NULL, seen.fixed_at),
		('cluster', 'regressed', NULL, NULL, NULL, CASE WHEN seen.is_regressed THEN seen.regressed_at END),
		('counts', 'issues', NULL, seen.issue_count, NULL, NULL),
		('counts', 'customers', NULL, seen.unique_customers, NULL, NULL),
		('counts', 'last 7 days', coalesce(to_char(seen.trend_pct, 'FMSG999999990') || ' %', 'nothing before'), seen.count_7d, NULL, NULL),
		('counts', '7 days before', NULL, seen.count_prior_7d, NULL, NULL),
		('counts', 'first report', NULL, NULL, NULL, seen.first_seen),
		('counts', 'last report', NULL, NULL, NULL, seen.last_seen),
		('counts', 'worst severity', seen.worst_severity::text, NULL, NULL, NULL);
	RETURN QUERY
		SELECT 'merged', m.cluster_name, m.category || '/' || m.subcategory, m.id, NULL::bigint, m.created_at
			FROM triage.issue_clusters m WHERE m.tenant_id = tenant AND m.merged_into_id = target ORDER BY m.id;
	-- weeks as the last seven days are counted, the last one first
	RETURN QUERY
		SELECT 'week', to_char(today - 7 * n - 6, 'YYYY-MM-DD') || ' to ' || to_char(today - 7 * n, 'YYYY-MM-DD'),
				repeat('#', ceil(20.0 * w.issues / greatest(max(w.issues) OVER (), 1))::int), w.issues, NULL::bigint, NULL::timestamptz
			FROM generate_series(0, 11) n
			CROSS JOIN LATERAL (
				SELECT count(*) AS issues
					FROM triage.extracted_issues i
					WHERE i.tenant_id = tenant AND i.cluster_id = ANY (members) AND i.superseded_at IS NULL
						AND i.reported_at >= (today - 7 * n - 6)::timestamp AT TIME ZONE 'UTC'
						AND i.reported_at < (today - 7 * n + 1)::timestamp AT TIME ZONE 'UTC') w
			ORDER BY n;
	RETURN QUERY
		SELECT x.section, x.item, round(100.0 * x.issues / sum(x.issues) OVER (PARTITION BY x.section)) || ' %', x.issues, NULL::bigint,
				NULL::timestamptz
			FROM (SELECT 'severity' AS section, i.severity::text AS item, - max(array_position(enum_range(i.severity), i.severity)) AS place,
						count(*) AS issues
					FROM triage.extracted_issues i
					WHERE i.tenant_id = tenant AND i.cluster_id = ANY (members) AND i.superseded_at IS NULL
					GROUP BY i.severity
				UNION ALL
				SELECT 'type', i.issue_type::text, - count(*), count(*)
					FROM triage.extracted_issues i
					WHERE i.tenant_id = tenant AND i.cluster_id = ANY (members) AND i.superseded_at IS NULL
					GROUP BY i.issue_type) x
			ORDER BY x.section, x.place, x.item;
	RETURN QUERY
		SELECT 'quote', q.quote, CASE WHEN q.quote_verified THEN 'in the ticket' ELSE 'in the model''s words' END, q.issue_id, q.ticket_id,
				q.reported_at
			FROM triage.cluster_quotes(target) q;
	RETURN QUERY
		SELECT 'organization', o.name, o.id, count(*), NULL::bigint, max(i.reported_at)
			FROM triage.extracted_issues i
			JOIN triage.tickets t ON t.tenant_id = tenant AND t.id = i.ticket_id
			JOIN triage.people p ON p.tenant_id = tenant AND p.id = t.requester_id
			JOIN triage.organizations o ON o.tenant_id = tenant AND o.id = p.organization_id
			WHERE i.tenant_id = tenant AND i.cluster_id = ANY (members) AND i.superseded_at IS NULL
			GROUP BY o.id, o.name
			ORDER BY count(*) DESC, o.name, o.id
			LIMIT 20;
	RETURN QUERY
		SELECT 'ticket', t.subject, t.status::text, count(*), t.id, t.created_at
			FROM triage.extracted_issues i
			JOIN triage.tickets t ON t.tenant_id = tenant AND t.id = i.ticket_id
			WHERE i.tenant_id = tenant AND i.cluster_id = ANY (members) AND i.superseded_at IS NULL
			GROUP BY t.id, t.subject, t.status, t.created_at
			ORDER BY t.created_at DESC, t.id DESC
			LIMIT 20;
	RETURN QUERY
		-- a model's reason may repeat what it read in an internal note
		SELECT 'event', e.event::text,
				concat_ws(' ', 'by', e.actor, nullif(CASE e.assigner WHEN 'model' THEN e.details - 'reason' ELSE e.details END, '{}')::text),
				e.id, NULL::bigint, e.created_at
			FROM triage.cluster_events e
			WHERE e.tenant_id = tenant AND e.cluster_id = ANY (members)
			ORDER BY e.id DESC
			LIMIT 20;
END
$$;
COMMENT ON FUNCTION triage.cluster_report(bigint) IS
	'a cluster on one page, as rows: section cluster (name, summary, area, status, notes), counts, merged (what was merged into it), week (the last 12 times seven days), severity, type, quote (at most 10, see cluster_quotes(); amount is the issue), organization, ticket and event (20 each; amount is how many issues of it, or the event); a cluster that is merged is reported as what it is merged into; internal notes do not appear, nor does what a model gave as its reason; raises P0002 when there is no such cluster';
REVOKE ALL ON FUNCTION triage.cluster_report(bigint) FROM PUBLIC;
