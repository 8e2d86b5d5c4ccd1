-- The model names a cluster: when it has 3, 10, 30 and 100 issues, unless a person has named it.
--
-- Called by the worker like the functions of match_issues.sql.

CREATE FUNCTION triage.ask_cluster_name(tenant_id text, cluster_id bigint) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	stages CONSTANT int[] := '{3,10,30,100}';
	cluster record;
	issues int;
	stage int;
BEGIN
	SELECT c.name_is_manual, c.named_at_count, c.merged_into_id, c.archived_at INTO cluster
		FROM triage.issue_clusters c
		WHERE c.tenant_id = ask_cluster_name.tenant_id AND c.id = ask_cluster_name.cluster_id;
	IF NOT FOUND OR cluster.name_is_manual OR cluster.merged_into_id IS NOT NULL OR cluster.archived_at IS NOT NULL
		OR cluster.named_at_count >= 100 OR NOT triage.has_model()
	THEN
		RETURN false;
	END IF;
	-- no further than the last stage: a large cluster is not counted with each issue
	SELECT count(*) INTO issues
		FROM (SELECT FROM triage.issue_clusters c
				JOIN triage.extracted_issues i ON i.tenant_id = c.tenant_id AND i.cluster_id = c.id
				WHERE c.tenant_id = ask_cluster_name.tenant_id
					AND (c.id = ask_cluster_name.cluster_id OR c.merged_into_id = ask_cluster_name.cluster_id)
					AND i.superseded_at IS NULL
				LIMIT 100) x;
	SELECT max(s) INTO stage FROM unnest(stages) s WHERE s <= issues;
	IF stage IS NULL OR stage <= cluster.named_at_count THEN
		RETURN false;
	END IF;
	-- so that one is asked for once a stage, whatever becomes of the answer
	UPDATE triage.issue_clusters c
		SET named_at_count = stage
		WHERE c.tenant_id = ask_cluster_name.tenant_id AND c.id = ask_cluster_name.cluster_id;
	DELETE FROM triage.ai_dead_letters d
		WHERE d.tenant_id = ask_cluster_name.tenant_id AND d.cluster_id = ask_cluster_name.cluster_id;
	INSERT INTO triage.ai_jobs AS j (tenant_id, cluster_id, kind, priority)
		VALUES (ask_cluster_name.tenant_id, ask_cluster_name.cluster_id, 'name_cluster', 'low')
		ON CONFLICT (tenant_id, cluster_id, kind) WHERE cluster_id IS NOT NULL DO UPDATE
			SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0, run_at = excluded.run_at;
	PERFORM triage.wake_worker();
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.ask_cluster_name(text, bigint) IS
	'asks the model for the name of a locked cluster when it has reached 3, 10, 30 or 100 current issues, those merged into it included, since it was last asked; not for one that a person named, that is merged or archived, nor without a provider other than builtin; returns whether it did; raises nothing';
REVOKE ALL ON FUNCTION triage.ask_cluster_name(text, bigint) FROM PUBLIC;

-- Spread over time and weight, so that a name does not only fit the last few; what reads the same is shown once.
CREATE FUNCTION triage.read_name_cluster(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[], labels text[], label_notes text[])
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	most_each CONSTANT int := 7;
BEGIN
	RETURN QUERY
		WITH member AS (
			SELECT DISTINCT ON (i.fingerprint) i.id, i.reported_at, i.severity,
					format('%s, %s: %s', i.issue_type, i.severity, i.summary) || coalesce(E'\n' || left(i.detail, 300), '') AS text
				FROM triage.issue_clusters c
				JOIN triage.extracted_issues i ON i.tenant_id = c.tenant_id AND i.cluster_id = c.id
				WHERE c.tenant_id = read_name_cluster.tenant_id
					AND (c.id = read_name_cluster.cluster_id OR c.merged_into_id = read_name_cluster.cluster_id)
					AND i.superseded_at IS NULL AND i.summary <> '[erased]'
				ORDER BY i.fingerprint, i.id),
		spread AS (
			(SELECT m.* FROM member m ORDER BY m.reported_at DESC, m.id DESC LIMIT most_each)
			UNION (SELECT m.* FROM member m ORDER BY m.reported_at, m.id LIMIT most_each)
			UNION (SELECT m.* FROM member m ORDER BY m.severity DESC, m.reported_at DESC, m.id DESC LIMIT most_each))
		SELECT c.named_at_count::bigint, format('%s/%s', c.category, c.subcategory), s.speakers, s.texts, '{}'::text[], '{}'::text[]
			FROM triage.issue_clusters c
			CROSS JOIN LATERAL (
				SELECT array_agg('issue'::text ORDER BY p.reported_at, p.id) AS speakers,
						array_agg(p.text ORDER BY p.reported_at, p.id) AS texts
					FROM spread p) s
			WHERE c.tenant_id = read_name_cluster.tenant_id AND c.id = read_name_cluster.cluster_id
				AND NOT c.name_is_manual AND c.merged_into_id IS NULL AND c.archived_at IS NULL AND s.texts IS NOT NULL;
END
$$;
COMMENT ON FUNCTION triage.read_name_cluster(text, bigint, bigint, bigint) IS
	'for the worker: what a name_cluster job is about; tenant_id, cluster_id: whose and which; ticket_id, session_id: not used; heading: category/subcategory; texts: the newest, the oldest and the most severe of its current issues, each of speaker issue, oldest first; labels, label_notes: empty; version: the number of issues it is named at; no row when no name is wanted any more; raises nothing';
REVOKE ALL ON FUNCTION triage.read_name_cluster(text, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.lock_name_cluster(tenant_ids text[], ticket_ids bigint[], session_ids bigint[], cluster_ids bigint[],
		versions bigint[])
	RETURNS TABLE (n int, state text)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	cluster record;
BEGIN
	FOR item IN
		SELECT u.tenant_id, u.cluster_id, u.version, u.n::int AS n
			FROM unnest(tenant_ids, cluster_ids, versions) WITH ORDINALITY u (tenant_id, cluster_id, version, n)
			ORDER BY u.cluster_id, u.tenant_id
	LOOP
		n := item.n;
		state := NULL;
		SELECT c.name_is_manual, c.merged_into_id, c.archived_at, c.named_at_count INTO cluster
			FROM triage.issue_clusters c
			WHERE c.tenant_id = item.tenant_id AND c.id = item.cluster_id
			FOR NO KEY UPDATE SKIP LOCKED;
		IF FOUND THEN
			state := CASE WHEN cluster.name_is_manual OR cluster.merged_into_id IS NOT NULL OR cluster.archived_at IS NOT NULL
					OR cluster.named_at_count <> item.version
				THEN 'stale' ELSE 'current' END;
		ELSIF NOT EXISTS (
			SELECT FROM triage.issue_clusters c WHERE c.tenant_id = item.tenant_id AND c.id = item.cluster_id)
		THEN
			state := 'gone';
		END IF;
		IF state IS NOT NULL THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.lock_name_cluster(text[], bigint[], bigint[], bigint[], bigint[]) IS
	'for the worker, before it stores names: locks the clusters, in the order of ids, passing over what others hold; arrays: tenant, ticket and session (not used), cluster and version as read_name_cluster() returned it, of each job; returns the position and current, stale (a person named it, it was merged or archived, or it has grown to the next stage) or gone (deleted), and no row for what others hold; raises nothing';
REVOKE ALL ON FUNCTION triage.lock_name_cluster(text[], bigint[], bigint[], bigint[], bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.store_name_cluster(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint, run_id bigint,
		version bigint, provider text, model text, answer jsonb)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_name CONSTANT text := left(btrim(regexp_replace(answer ->> 'name', '[[:space:]]+', ' ', 'g')), 200);
	old_name text;
BEGIN
	SELECT c.cluster_name INTO old_name
		FROM triage.issue_clusters c
		WHERE c.tenant_id = store_name_cluster.tenant_id AND c.id = store_name_cluster.cluster_id
			AND NOT c.name_is_manual
		FOR NO KEY UPDATE;
	IF NOT FOUND OR coalesce(new_name, '') = '' THEN
		RETURN;
	END IF;
	UPDATE triage.issue_clusters c
		SET cluster_name = new_name, cluster_summary = nullif(left(store_name_cluster.answer ->> 'summary', 4000), '')
		WHERE c.tenant_id = store_name_cluster.tenant_id AND c.id = store_name_cluster.cluster_id;
	PERFORM triage.add_cluster_event(tenant_id, 'named', cluster_id, NULL, 'model', NULL, run_id,
		jsonb_build_object('from', old_name, 'to', new_name, 'issues', version, 'provider', provider, 'model', model));
END
$$;
COMMENT ON FUNCTION triage.store_name_cluster(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) IS
	'for the worker: gives a cluster that lock_name_cluster() locked the name and the summary that the model found; tenant_id, cluster_id: whose and which; ticket_id, session_id: not used; run_id: the call; version: as read_name_cluster() said; provider, model: who answered; answer: an object with name and summary; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.store_name_cluster(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.give_up_name_cluster(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint,
		class triage.run_outcome, message text)
	RETURNS void
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	-- nothing hangs on a name: the cluster keeps the one it has, and is asked about again at its next stage
$$;
COMMENT ON FUNCTION triage.give_up_name_cluster(text, bigint, bigint, bigint, triage.run_outcome, text) IS
	'for the worker, when a name was given up: nothing follows from it but the dead letter; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.give_up_name_cluster(text, bigint, bigint, bigint, triage.run_outcome, text) FROM PUBLIC;
