-- The roll-up of trends: what cluster_trends says of a cluster, added up, so that a page of the clusters with the most
-- reports need not read every issue.
--
-- Who changes an issue appends rows to cluster_deltas, and locks nothing: two workers that add to one hot cluster do not
-- wait for each other, in whatever order they meet it.  fold_trends() adds these rows to cluster_daily, cluster_customers
-- and cluster_totals, one fold at a time; a reader adds what is not folded yet.  All is kept by the cluster that an issue
-- names, and a merge changes nothing here: who reads follows merged_into_id.  No CHECK on the counts: a row is written by
-- INSERT ... ON CONFLICT, whose proposed row holds differences.  No foreign keys: they would lock what is counted.

CREATE FUNCTION triage.install_trend_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- Rows come and go: old row versions are what slows a reader.
	CREATE TABLE IF NOT EXISTS triage.cluster_deltas (
		tenant_id    text NOT NULL,
		id           bigint GENERATED ALWAYS AS IDENTITY,
		cluster_id   bigint NOT NULL,
		day          date NOT NULL,
		severity     triage.issue_severity NOT NULL,
		customer_key uuid,
		issues       int NOT NULL,
		first_at     timestamptz,
		last_at      timestamptz,
		has_removals boolean NOT NULL,
		CONSTRAINT cluster_deltas_pkey PRIMARY KEY (id, tenant_id))
		WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
	CREATE TABLE IF NOT EXISTS triage.cluster_daily (
		tenant_id  text NOT NULL,
		cluster_id bigint NOT NULL,
		day        date NOT NULL,
		low        int NOT NULL,
		medium     int NOT NULL,
		high       int NOT NULL,
		critical   int NOT NULL,
		CONSTRAINT cluster_daily_pkey PRIMARY KEY (tenant_id, cluster_id, day))
		WITH (fillfactor = 80);
	CREATE TABLE IF NOT EXISTS triage.cluster_customers (
		tenant_id    text NOT NULL,
		cluster_id   bigint NOT NULL,
		customer_key uuid NOT NULL,
		issues       int NOT NULL,
		CONSTRAINT cluster_customers_pkey PRIMARY KEY (tenant_id, cluster_id, customer_key))
		WITH (fillfactor = 80);
	CREATE TABLE IF NOT EXISTS triage.cluster_totals (
		tenant_id  text NOT NULL,
		cluster_id bigint NOT NULL,
		low        int NOT NULL,
		medium     int NOT NULL,
		high       int NOT NULL,
		critical   int NOT NULL,
		customers  int NOT NULL,
		first_at   timestamptz,
		last_at    timestamptz,
		-- Counts of the last days, added up: [15] to the end of recent_day, [14] to the end of the day before, and so on.  So what
		-- seven days have is a difference, also on a later day, and nothing has to be written at midnight.
		recent     int[] NOT NULL DEFAULT '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}',
		recent_day date NOT NULL DEFAULT '2000-01-01',
		has_later  boolean NOT NULL DEFAULT false,
		CONSTRAINT cluster_totals_pkey PRIMARY KEY (tenant_id, cluster_id))
		WITH (fillfactor = 50);
END
$install$;
COMMENT ON FUNCTION triage.install_trend_tables() IS
	'part of install(): creates the tables of the roll-up of trends that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_trend_tables() FROM PUBLIC;

-- A customer in 16 bytes, and not by name: what extracted_issues.customer says is personal, and erased there.
CREATE FUNCTION triage.customer_key(customer text) RETURNS uuid
	LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN encode(substr(sha256(convert_to(customer, 'UTF8')), 1, 16), 'hex')::uuid;
END
$$;
COMMENT ON FUNCTION triage.customer_key(text) IS
	'by which the roll-up of trends tells customers apart; customer: as in extracted_issues; returns half of its SHA-256, NULL for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.customer_key(text) FROM PUBLIC;

-- The triggers -------------------------------------------------------------------------------------------------------

-- An issue counts while it is current and in a cluster; those of a deleted ticket are current no more.  Statement-level, with
-- what changed grouped: what an UPDATE leaves as it was cancels out.  No joins: a plan that was made for one row must serve
-- a million, and the other way round.
CREATE FUNCTION triage.count_issues() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fold_is_due boolean;
BEGIN
	CASE TG_OP
		WHEN 'INSERT' THEN
			WITH delta AS (
				INSERT INTO triage.cluster_deltas
						(tenant_id, cluster_id, day, severity, customer_key, issues, first_at, last_at, has_removals)
					SELECT i.tenant_id, i.cluster_id, (i.reported_at AT TIME ZONE 'UTC')::date, i.severity,
							triage.customer_key(i.customer), count(*), min(i.reported_at), max(i.reported_at), false
						FROM new_issues i
						WHERE i.cluster_id IS NOT NULL AND i.superseded_at IS NULL
						GROUP BY 1, 2, 3, 4, i.customer
					RETURNING id)
				SELECT bool_or(d.id % 256 = 0) INTO fold_is_due FROM delta d;
		WHEN 'DELETE' THEN
			WITH delta AS (
				INSERT INTO triage.cluster_deltas (tenant_id, cluster_id, day, severity, customer_key, issues, has_removals)
					SELECT i.tenant_id, i.cluster_id, (i.reported_at AT TIME ZONE 'UTC')::date, i.severity,
							triage.customer_key(i.customer), - count(*), true
						FROM old_issues i
						WHERE i.cluster_id IS NOT NULL AND i.superseded_at IS NULL
						GROUP BY 1, 2, 3, 4, i.customer
					RETURNING id)
				SELECT bool_or(d.id % 256 = 0) INTO fold_is_due FROM delta d;
		WHEN 'UPDATE' THEN
			-- a report that moved within its day changes no count, but perhaps the first or the last
			WITH delta AS (
				INSERT INTO triage.cluster_deltas
						(tenant_id, cluster_id, day, severity, customer_key, issues, first_at, last_at, has_removals)
					SELECT i.tenant_id, i.cluster_id, (i.reported_at AT TIME ZONE 'UTC')::date, i.severity,
							triage.customer_key(i.customer), sum(i.n),
							min(i.reported_at) FILTER (WHERE i.n > 0), max(i.reported_at) FILTER (WHERE i.n > 0), bool_or(i.n < 0)
						FROM (SELECT -1 AS n, o.tenant_id, o.cluster_id, o.reported_at, o.severity, o.customer
								FROM old_issues o
								WHERE o.cluster_id IS NOT NULL AND o.superseded_at IS NULL
							UNION ALL
							SELECT 1, w.tenant_id, w.cluster_id, w.reported_at, w.severity, w.customer
								FROM new_issues w
								WHERE w.cluster_id IS NOT NULL AND w.superseded_at IS NULL) i
						GROUP BY 1, 2, 3, 4, i.customer
						HAVING sum(i.n) <> 0
							OR min(i.reported_at) FILTER (WHERE i.n > 0) <> min(i.reported_at) FILTER (WHERE i.n < 0)
							OR max(i.reported_at) FILTER (WHERE i.n > 0) <> max(i.reported_at) FILTER (WHERE i.n < 0)
					RETURNING id)
				SELECT bool_or(d.id % 256 = 0) INTO fold_is_due FROM delta d;
	END CASE;
	-- Every now and then whoever comes by folds what has gathered; nobody waits for it.  Not above READ COMMITTED, where
	-- another's fold since this transaction's snapshot would be an error.
	IF fold_is_due AND current_setting('transaction_isolation') IN ('read committed', 'read uncommitted') THEN
		PERFORM triage.fold_trends(20000);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.count_issues() IS
	'trigger of extracted_issues: notes in cluster_deltas by how much a statement changed the counts of clusters, and folds them every 256 rows of it; raises nothing';
REVOKE ALL ON FUNCTION triage.count_issues() FROM PUBLIC;

-- Everything that was counted is gone, and nobody who has not committed can be in the table.
CREATE FUNCTION triage.forget_issues() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(triage.fold_lock());
	DELETE FROM triage.cluster_deltas;
	DELETE FROM triage.cluster_daily;
	DELETE FROM triage.cluster_customers;
	DELETE FROM triage.cluster_totals;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.forget_issues() IS 'trigger of extracted_issues: empties the roll-up of trends when the table is truncated; raises nothing';
REVOKE ALL ON FUNCTION triage.forget_issues() FROM PUBLIC;

CREATE FUNCTION triage.install_trend_triggers() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	CREATE OR REPLACE TRIGGER extracted_issues_counted_insert
		AFTER INSERT ON triage.extracted_issues
		REFERENCING NEW TABLE AS new_issues
		FOR EACH STATEMENT EXECUTE FUNCTION triage.count_issues();
	CREATE OR REPLACE TRIGGER extracted_issues_counted_update
		AFTER UPDATE ON triage.extracted_issues
		REFERENCING OLD TABLE AS old_issues NEW TABLE AS new_issues
		FOR EACH STATEMENT EXECUTE FUNCTION triage.count_issues();
	CREATE OR REPLACE TRIGGER extracted_issues_counted_delete
		AFTER DELETE ON triage.extracted_issues
		REFERENCING OLD TABLE AS old_issues
		FOR EACH STATEMENT EXECUTE FUNCTION triage.count_issues();
	CREATE OR REPLACE TRIGGER extracted_issues_forgotten
		AFTER TRUNCATE ON triage.extracted_issues
		FOR EACH STATEMENT EXECUTE FUNCTION triage.forget_issues();
END
$install$;
COMMENT ON FUNCTION triage.install_trend_triggers() IS
	'part of install(): creates or replaces the triggers that keep the roll-up of trends; takes nothing, returns nothing';
REVOKE ALL ON FUNCTION triage.install_trend_triggers() FROM PUBLIC;

-- Folding ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.fold_lock() RETURNS bigint
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT hashtextextended('triage.fold_trends', 0)
$$;
COMMENT ON FUNCTION triage.fold_lock() IS 'the key of the advisory lock that fold_trends() holds to the end of its transaction; raises nothing';
REVOKE ALL ON FUNCTION triage.fold_lock() FROM PUBLIC;

-- The lock first, in a statement of its own: the next one's snapshot then sees all of the fold before.
CREATE FUNCTION triage.fold_trends(max_rows int DEFAULT 100000) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	today CONSTANT date := (now() AT TIME ZONE 'UTC')::date;
	folded bigint;
	tenants text[];
	clusters bigint[];
	have_removals boolean[];
	empty_days tid[];
	empty_customers tid[];
BEGIN
	IF max_rows IS NULL OR max_rows < 1 THEN
		RAISE EXCEPTION 'max_rows must be positive, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It bounds what one call folds.';
	END IF;
	IF NOT pg_try_advisory_xact_lock(triage.fold_lock()) THEN
		RETURN 0;
	END IF;
	WITH gone AS (
			DELETE FROM triage.cluster_deltas d
				WHERE d.ctid = ANY (ARRAY (SELECT x.ctid FROM triage.cluster_deltas x ORDER BY x.id LIMIT max_rows))
				RETURNING d.tenant_id, d.cluster_id, d.day, d.severity, d.customer_key, d.issues, d.first_at, d.last_at, d.has_removals),
		day AS (
			INSERT INTO triage.cluster_daily AS c (tenant_id, cluster_id, day, low, medium, high, critical)
				SELECT g.tenant_id, g.cluster_id, g.day,
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'low'), 0),
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'medium'), 0),
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'high'), 0),
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'critical'), 0)
					FROM gone g GROUP BY g.tenant_id, g.cluster_id, g.day
				ON CONFLICT ON CONSTRAINT cluster_daily_pkey DO UPDATE
					SET low = c.low + excluded.low, medium = c.medium + excluded.medium, high = c.high + excluded.high,
						critical = c.critical + excluded.critical
				RETURNING c.ctid AS place, (c.low, c.medium, c.high, c.critical) = (0, 0, 0, 0) AS is_empty),
		change AS (
			SELECT g.tenant_id, g.cluster_id, g.customer_key, sum(g.issues)::int AS issues
				FROM gone g
				WHERE g.customer_key IS NOT NULL
				GROUP BY g.tenant_id, g.cluster_id, g.customer_key
				HAVING sum(g.issues) <> 0),
		customer AS (
			INSERT INTO triage.cluster_customers AS c (tenant_id, cluster_id, customer_key, issues)
				SELECT h.tenant_id, h.cluster_id, h.customer_key, h.issues FROM change h
				ON CONFLICT ON CONSTRAINT cluster_customers_pkey DO UPDATE SET issues = c.issues + excluded.issues
				RETURNING c.ctid AS place, c.tenant_id, c.cluster_id, c.customer_key, c.issues),
		total AS (
			INSERT INTO triage.cluster_totals AS c (tenant_id, cluster_id, low, medium, high, critical, customers, first_at, last_at)
				SELECT g.tenant_id, g.cluster_id,
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'low'), 0),
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'medium'), 0),
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'high'), 0),
						coalesce(sum(g.issues) FILTER (WHERE g.severity = 'critical'), 0),
						coalesce(min(n.customers), 0), min(g.first_at), max(g.last_at)
					FROM gone g
					LEFT JOIN (
						-- a customer who came to the cluster, or has no issue in it any more
						SELECT h.tenant_id, h.cluster_id, sum((c.issues > 0)::int - (c.issues - h.issues > 0)::int) AS customers
							FROM change h
							JOIN customer c ON (c.tenant_id, c.cluster_id, c.customer_key) = (h.tenant_id, h.cluster_id, h.customer_key)
							GROUP BY h.tenant_id, h.cluster_id) n
						ON n.tenant_id = g.tenant_id AND n.cluster_id = g.cluster_id
					GROUP BY g.tenant_id, g.cluster_id
				ON CONFLICT ON CONSTRAINT cluster_totals_pkey DO UPDATE
					SET low = c.low + excluded.low, medium = c.medium + excluded.medium, high = c.high + excluded.high,
						critical = c.critical + excluded.critical, customers = c.customers + excluded.customers,
						first_at = least(c.first_at, excluded.first_at), last_at = greatest(c.last_at, excluded.last_at)),
		touched AS (
			SELECT g.tenant_id, g.cluster_id, bool_or(g.has_removals) AS has_removals FROM gone g GROUP BY g.tenant_id, g.cluster_id)
		SELECT (SELECT count(*) FROM gone),
				(SELECT array_agg(t.tenant_id ORDER BY t.tenant_id, t.cluster_id) FROM touched t),
				(SELECT array_agg(t.cluster_id ORDER BY t.tenant_id, t.cluster_id) FROM touched t),
				(SELECT array_agg(t.has_removals ORDER BY t.tenant_id, t.cluster_id) FROM touched t),
				(SELECT array_agg(y.place) FROM day y WHERE y.is_empty),
				(SELECT array_agg(u.place) FROM customer u WHERE u.issues = 0)
			INTO folded, tenants, clusters, have_removals, empty_days, empty_customers;

	-- nobody else changes these tables, so the rows are still where they were
	DELETE FROM triage.cluster_daily c WHERE c.ctid = ANY (empty_days);
	DELETE FROM triage.cluster_customers c WHERE c.ctid = ANY (empty_customers);
	DELETE FROM triage.cluster_totals c
		USING unnest(tenants, clusters) m (tenant_id, cluster_id)
		WHERE c.tenant_id = m.tenant_id AND c.cluster_id = m.cluster_id
			AND (c.low, c.medium, c.high, c.critical, c.customers) = (0, 0, 0, 0, 0);
	-- The first and the last cannot be computed from what went.  What somebody adds meanwhile may be in it already, and
	-- does no harm when its delta comes; what somebody takes out comes with a delta that leads here again.
	UPDATE triage.cluster_totals c
		SET first_at = CASE WHEN m.has_removals THEN triage.report_edge(c.tenant_id, c.cluster_id, false) ELSE c.first_at END,
			last_at = CASE WHEN m.has_removals THEN triage.report_edge(c.tenant_id, c.cluster_id, true) ELSE c.last_at END,
			recent_day = today,
			recent = (SELECT array_agg(r.upto ORDER BY r.n)
				FROM (SELECT n, sum(coalesce(d.low + d.medium + d.high + d.critical, 0)) OVER (ORDER BY n)::int AS upto
						FROM generate_series(-14, 0) n
						LEFT JOIN triage.cluster_daily d
							ON d.tenant_id = m.tenant_id AND d.cluster_id = m.cluster_id AND d.day = today + n) r),
			has_later = EXISTS (
				SELECT FROM triage.cluster_daily d WHERE d.tenant_id = m.tenant_id AND d.cluster_id = m.cluster_id AND d.day > today)
		FROM unnest(tenants, clusters, have_removals) m (tenant_id, cluster_id, has_removals)
		WHERE c.tenant_id = m.tenant_id AND c.cluster_id = m.cluster_id;
	RETURN folded;
END
$$;
COMMENT ON FUNCTION triage.fold_trends(int) IS
	'adds what was noted in cluster_deltas to the roll-up of trends, of all tenants; nobody has to call it, but a call after a bulk load spares the next readers the work; max_rows: at most so many rows of it; returns how many, 0 also when another transaction is at it; raises 22023 unless max_rows is positive';
REVOKE ALL ON FUNCTION triage.fold_trends(int) FROM PUBLIC;

-- Along the index by cluster and time, so that few rows are read: BETWEEN and the order by cluster_id leave the planner no
-- other index that has the order, such as the one by time, which would be walked through the reports of all clusters.
CREATE FUNCTION triage.report_edge(tenant text, cluster bigint, latest boolean) RETURNS timestamptz
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET jit = off
	SET enable_sort = off
AS $$
BEGIN
	IF latest THEN
		RETURN (SELECT i.reported_at FROM triage.extracted_issues i
			WHERE i.tenant_id = tenant AND i.cluster_id BETWEEN cluster AND cluster AND i.superseded_at IS NULL
			ORDER BY i.cluster_id DESC, i.reported_at DESC LIMIT 1);
	END IF;
	RETURN (SELECT i.reported_at FROM triage.extracted_issues i
		WHERE i.tenant_id = tenant AND i.cluster_id BETWEEN cluster AND cluster AND i.superseded_at IS NULL
		ORDER BY i.cluster_id, i.reported_at LIMIT 1);
END
$$;
COMMENT ON FUNCTION triage.report_edge(text, bigint, boolean) IS
	'when a cluster''s own issues, without those of clusters merged into it, were reported first, or with latest last; tenant and cluster: ids; NULL without any; raises nothing';
REVOKE ALL ON FUNCTION triage.report_edge(text, bigint, boolean) FROM PUBLIC;

-- All counts as rows of cluster_deltas, in one statement: what its snapshot does not see yet comes with deltas of its own,
-- so nobody who writes is waited for.
CREATE FUNCTION triage.rebuild_trends(all_tenants boolean DEFAULT false) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := CASE WHEN all_tenants THEN NULL ELSE triage.current_tenant() END;
	counted bigint;
BEGIN
	PERFORM triage.check_schema();
	IF all_tenants AND triage.held_to_tenants() THEN
		RAISE EXCEPTION 'role "%" may not count the issues of all tenants', session_user
			USING ERRCODE = 'insufficient_privilege', HINT = 'triage.role_tenants holds it to some: count those of one tenant.';
	END IF;
	PERFORM pg_advisory_xact_lock(triage.fold_lock());
	WITH deltas AS (DELETE FROM triage.cluster_deltas x WHERE tenant IS NULL OR x.tenant_id = tenant),
		days AS (DELETE FROM triage.cluster_daily x WHERE tenant IS NULL OR x.tenant_id = tenant),
		customers AS (DELETE FROM triage.cluster_customers x WHERE tenant IS NULL OR x.tenant_id = tenant),
		totals AS (DELETE FROM triage.cluster_totals x WHERE tenant IS NULL OR x.tenant_id = tenant),
		fresh AS (
			INSERT INTO triage.cluster_deltas
					(tenant_id, cluster_id, day, severity, customer_key, issues, first_at, last_at, has_removals)
				SELECT i.tenant_id, i.cluster_id, (i.reported_at AT TIME ZONE 'UTC')::date, i.severity,
						triage.customer_key(i.customer), count(*), min(i.reported_at), max(i.reported_at), false
					FROM triage.extracted_issues i
					WHERE (tenant IS NULL OR i.tenant_id = tenant) AND i.cluster_id IS NOT NULL AND i.superseded_at IS NULL
					GROUP BY 1, 2, 3, 4, i.customer
				RETURNING issues)
		SELECT coalesce(sum(f.issues), 0) INTO counted FROM fresh f;
	WHILE triage.fold_trends(1000000) > 0 LOOP
	END LOOP;
	RETURN counted;
END
$$;
COMMENT ON FUNCTION triage.rebuild_trends(boolean) IS
	'counts the roll-up of trends anew from the issues, after a restore with --disable-triggers or when check_integrity() finds it wrong; nobody who writes waits for it; all_tenants: not only the current one; returns how many issues count; raises 42501 for all tenants when role_tenants holds the role to some, 40001 above READ COMMITTED when it was folded meanwhile';
REVOKE ALL ON FUNCTION triage.rebuild_trends(boolean) FROM PUBLIC;
