-- What people decide of clusters.  It is never overwritten by what was decided without them, and it teaches: what was taken
-- out of a cluster does not come back to it, nor does what reads the same.
--
-- A merge moves no issue: it says where a cluster's issues count, so that its undo is exact.  Locks as in clusters.sql.

CREATE FUNCTION triage.lock_cluster(cluster_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	current_version int;
BEGIN
	SELECT c.version INTO current_version
		FROM triage.issue_clusters c
		WHERE c.id = lock_cluster.cluster_id AND c.tenant_id = triage.current_tenant()
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'cluster % does not exist', coalesce(cluster_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Clusters of other tenants cannot be reached.';
	END IF;
	IF expected_version <> current_version THEN
		RAISE EXCEPTION 'cluster % was changed since it was read', cluster_id
			USING ERRCODE = 'serialization_failure',
				DETAIL = format('Expected version %s, current version is %s.', expected_version, current_version),
				HINT = 'Read the cluster again, decide anew, and retry with its current version.';
	END IF;
	RETURN current_version;
END
$$;
COMMENT ON FUNCTION triage.lock_cluster(bigint, int) IS
	'locks a cluster of the current tenant until the transaction ends; expected_version: the version the caller read, NULL accepts any; returns the current version; raises P0002 when there is no such cluster, 40001 when its version is another one';
REVOKE ALL ON FUNCTION triage.lock_cluster(bigint, int) FROM PUBLIC;

CREATE FUNCTION triage.check_live_cluster(tenant_id text, cluster_id bigint) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cluster record;
BEGIN
	SELECT c.merged_into_id, c.archived_at INTO cluster
		FROM triage.issue_clusters c
		WHERE c.tenant_id = check_live_cluster.tenant_id AND c.id = check_live_cluster.cluster_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'cluster % does not exist', coalesce(cluster_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Clusters of other tenants cannot be reached.';
	ELSIF cluster.merged_into_id IS NOT NULL THEN
		RAISE EXCEPTION 'cluster % is merged into cluster %', cluster_id, cluster.merged_into_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('Name cluster %s, or undo the merge with triage.unmerge_cluster(%s) first.', cluster.merged_into_id, cluster_id);
	ELSIF cluster.archived_at IS NOT NULL THEN
		RAISE EXCEPTION 'cluster % is archived', cluster_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = format('Bring it back with triage.unarchive_cluster(%s) first.', cluster_id);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_live_cluster(text, bigint) IS
	'checks that a cluster takes part in what people decide; returns nothing; raises P0002 when there is none, 55000 when it is merged or archived';
REVOKE ALL ON FUNCTION triage.check_live_cluster(text, bigint) FROM PUBLIC;

-- Whoever is placing an issue into one of these clusters has done so before this returns, or has not looked yet.
CREATE FUNCTION triage.lock_issues(tenant_id text, issue_ids bigint[], cluster_ids bigint[]) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	most_attempts CONSTANT int := 5;
	places bigint[];
BEGIN
	PERFORM FROM triage.tickets t
		WHERE t.tenant_id = lock_issues.tenant_id AND t.id IN (
			SELECT i.ticket_id FROM triage.extracted_issues i
				WHERE i.tenant_id = lock_issues.tenant_id AND i.id = ANY (issue_ids))
		ORDER BY t.id
		FOR NO KEY UPDATE;
	PERFORM triage.lock_merges(tenant_id, false);
	FOR attempt IN 1 .. most_attempts LOOP
		places := ARRAY (
			SELECT i.cluster_id FROM triage.extracted_issues i
				WHERE i.tenant_id = lock_issues.tenant_id AND i.id = ANY (issue_ids) AND i.cluster_id IS NOT NULL);
		-- a block of its own: what was locked in vain is let go with it, else the next attempt would lock out of order
		BEGIN
			PERFORM FROM triage.issue_clusters c
				WHERE c.tenant_id = lock_issues.tenant_id AND c.id IN (
					SELECT unnest(ARRAY[p.id, p.merged_into_id])
						FROM triage.issue_clusters p
						WHERE p.tenant_id = lock_issues.tenant_id AND p.id = ANY (places || cluster_ids))
				ORDER BY c.id
				FOR NO KEY UPDATE;
			PERFORM FROM triage.extracted_issues i
				WHERE i.tenant_id = lock_issues.tenant_id AND i.id = ANY (issue_ids)
				ORDER BY i.id
				FOR NO KEY UPDATE;
			-- as one half of a pair an issue finds its cluster without its ticket
			IF EXISTS (
				SELECT FROM triage.extracted_issues i
					WHERE i.tenant_id = lock_issues.tenant_id AND i.id = ANY (issue_ids) AND i.cluster_id IS NOT NULL AND i.cluster_id <> ALL (places))
			THEN
				RAISE EXCEPTION USING ERRCODE = 'TG001', MESSAGE = 'an issue has found a cluster meanwhile';
			END IF;
			RETURN;
		EXCEPTION WHEN SQLSTATE 'TG001' THEN
			NULL;
		END;
	END LOOP;
	RAISE EXCEPTION 'the clusters of the issues keep changing'
		USING ERRCODE = 'serialization_failure', HINT = 'Try again.';
END
$$;
COMMENT ON FUNCTION triage.lock_issues(text, bigint[], bigint[]) IS
	'locks issues, before them their clusters and those given, with what these are merged into, and before them their tickets, each in the order of ids; which cluster is merged into which stays as it is; returns nothing; raises 40001 when clusters change faster than it can look';
REVOKE ALL ON FUNCTION triage.lock_issues(text, bigint[], bigint[]) FROM PUBLIC;

-- From a cluster, and from what it is merged into: neither is to have it.
CREATE FUNCTION triage.take_out_issue(tenant_id text, issue_id bigint, details jsonb) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	issue record;
BEGIN
	SELECT i.cluster_id, i.fingerprint, c.merged_into_id INTO issue
		FROM triage.extracted_issues i
		JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
		WHERE i.tenant_id = take_out_issue.tenant_id AND i.id = take_out_issue.issue_id;
	INSERT INTO triage.cluster_exclusions (tenant_id, cluster_id, fingerprint, created_by, created_at)
		SELECT take_out_issue.tenant_id, u.id, issue.fingerprint, triage.current_actor(), clock_timestamp()
			FROM unnest(ARRAY[issue.cluster_id, issue.merged_into_id]) u (id)
			WHERE u.id IS NOT NULL
		ON CONFLICT DO NOTHING;
	PERFORM triage.add_cluster_event(tenant_id, 'left', issue.cluster_id, issue_id, 'human', NULL, NULL, details);
END
$$;
COMMENT ON FUNCTION triage.take_out_issue(text, bigint, jsonb) IS
	'remembers that a locked issue, and what reads like it, does not belong to the cluster it is in, and logs that it left; the issue itself is for the caller to change; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.take_out_issue(text, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.check_issue(tenant_id text, issue_id bigint) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	issue record;
BEGIN
	SELECT i.superseded_at INTO issue
		FROM triage.extracted_issues i
		WHERE i.tenant_id = check_issue.tenant_id AND i.id = check_issue.issue_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'issue % does not exist', coalesce(issue_id::text, 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Issues of other tenants cannot be reached.';
	ELSIF issue.superseded_at IS NOT NULL THEN
		RAISE EXCEPTION 'issue % was superseded', issue_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Its ticket was read again: decide about the current issues.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_issue(text, bigint) IS
	'checks that an issue is there and current; returns nothing; raises P0002 when there is none, 55000 when it was superseded';
REVOKE ALL ON FUNCTION triage.check_issue(text, bigint) FROM PUBLIC;

-- Issues ------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.assign_issue(issue_id bigint, cluster_id bigint) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	issue record;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_issues(tenant, ARRAY[issue_id], ARRAY[cluster_id]);
	PERFORM triage.check_issue(tenant, issue_id);
	PERFORM triage.check_live_cluster(tenant, cluster_id);
	SELECT i.cluster_id, i.fingerprint, i.assigned_by, coalesce(c.merged_into_id, c.id) AS live_id INTO issue
		FROM triage.extracted_issues i
		LEFT JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
		WHERE i.tenant_id = tenant AND i.id = issue_id;
	IF issue.cluster_id = cluster_id AND issue.assigned_by = 'human' THEN
		RETURN;
	END IF;
	IF issue.live_id <> cluster_id THEN
		PERFORM triage.take_out_issue(tenant, issue_id, jsonb_build_object('to', cluster_id));
	ELSIF issue.cluster_id <> cluster_id THEN
		PERFORM triage.add_cluster_event(tenant, 'left', issue.cluster_id, issue_id, 'human', NULL, NULL,
			jsonb_build_object('to', cluster_id));
	END IF;
	-- what was once said against it is taken back
	DELETE FROM triage.cluster_exclusions e
		USING triage.issue_clusters c
		WHERE e.tenant_id = tenant AND e.fingerprint = issue.fingerprint
			AND c.tenant_id = e.tenant_id AND c.id = e.cluster_id AND cluster_id IN (c.id, c.merged_into_id);
	PERFORM triage.put_issue(tenant, issue_id, cluster_id, 'human', NULL);
	PERFORM triage.gather_issues(tenant, issue_id);
	PERFORM triage.ask_cluster_name(tenant, cluster_id);
END
$$;
COMMENT ON FUNCTION triage.assign_issue(bigint, bigint) IS
	'puts an issue into a cluster by a person''s decision, which sticks; the cluster it was in, if any, never gets it back by itself, nor what reads the same, and what was said against the new one is taken back; what reads the same and has no cluster comes along; returns nothing; raises P0002 when there is no such issue or cluster, 55000 when the issue was superseded or the cluster is merged or archived';
REVOKE ALL ON FUNCTION triage.assign_issue(bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.unassign_issue(issue_id bigint, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_issues(tenant, ARRAY[issue_id], '{}');
	PERFORM triage.check_issue(tenant, issue_id);
	IF NOT EXISTS (
		SELECT FROM triage.extracted_issues i WHERE i.tenant_id = tenant AND i.id = issue_id AND i.cluster_id IS NOT NULL)
	THEN
		RAISE EXCEPTION 'issue % is in no cluster', issue_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'There is nothing to take it out of.';
	END IF;
	PERFORM triage.take_out_issue(tenant, issue_id, jsonb_build_object('reason', triage.reason_text(reason)));
	UPDATE triage.extracted_issues i
		SET cluster_id = NULL, assigned_by = NULL, assignment_score = NULL, assigned_at = NULL, algorithm = NULL
		WHERE i.tenant_id = tenant AND i.id = issue_id;
END
$$;
COMMENT ON FUNCTION triage.unassign_issue(bigint, text) IS
	'"not this": takes an issue out of its cluster, which never gets it back by itself, nor what reads the same; other clusters may have it; reason: for the log, cut at 1000 characters; returns nothing; raises P0002 when there is no such issue, 55000 when it was superseded or is in no cluster';
REVOKE ALL ON FUNCTION triage.unassign_issue(bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.split_cluster(cluster_id bigint, issue_ids bigint[], name text) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	wanted CONSTANT bigint[] := ARRAY (SELECT DISTINCT u.id FROM unnest(issue_ids) u (id) WHERE u.id IS NOT NULL ORDER BY 1);
	stranger bigint;
	new_id bigint;
	moved bigint;
BEGIN
	PERFORM triage.check_schema();
	IF wanted = '{}' THEN
		RAISE EXCEPTION 'no issues are given'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Name the issues that are to make up the new cluster.';
	END IF;
	PERFORM triage.check_cluster_name(name);
	PERFORM triage.lock_issues(tenant, wanted, ARRAY[cluster_id]);
	PERFORM triage.check_live_cluster(tenant, cluster_id);
	SELECT u.id INTO stranger
		FROM unnest(wanted) u (id)
		WHERE NOT EXISTS (
			SELECT FROM triage.extracted_issues i
				JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
				WHERE i.tenant_id = tenant AND i.id = u.id AND i.superseded_at IS NULL AND cluster_id IN (c.id, c.merged_into_id))
		ORDER BY u.id LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'issue % is not in cluster %', stranger, cluster_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Only current issues of the cluster, or of one that is merged into it, can be split off.';
	ELSIF NOT EXISTS (
		SELECT FROM triage.extracted_issues i
			JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
			WHERE i.tenant_id = tenant AND i.id <> ALL (wanted) AND i.superseded_at IS NULL AND cluster_id IN (c.id, c.merged_into_id))
	THEN
		RAISE EXCEPTION 'nothing would be left in cluster %', cluster_id
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give it another name with triage.rename_cluster().';
	END IF;
	new_id := triage.new_cluster(tenant, wanted[1], 'human', jsonb_build_object('split_from', cluster_id));
	UPDATE triage.issue_clusters c
		SET cluster_name = btrim(name), name_is_manual = true
		WHERE c.tenant_id = tenant AND c.id = new_id;
	FOREACH moved IN ARRAY wanted LOOP
		PERFORM triage.take_out_issue(tenant, moved, jsonb_build_object('to', new_id));
		PERFORM triage.put_issue(tenant, moved, new_id, 'human', NULL, NULL, jsonb_build_object('split_from', cluster_id));
	END LOOP;
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.split_cluster(bigint, bigint[], text) IS
	'makes a new cluster of some of a cluster''s current issues, by a person''s decision, which sticks: what reads like them goes there from now on; name: 1 to 200 characters; returns the new cluster''s id; raises P0002 when there is no such cluster, 55000 when it is merged or archived or an issue is not in it, 22023 when no issues are given or none would be left, 23514 for a name that is empty or too long';
REVOKE ALL ON FUNCTION triage.split_cluster(bigint, bigint[], text) FROM PUBLIC;

-- Merging -----------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.merge_clusters(source_id bigint, target_id bigint, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	along bigint[];
BEGIN
	PERFORM triage.check_schema();
	IF source_id = target_id THEN
		RAISE EXCEPTION 'cluster % cannot be merged into itself', source_id
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Name another cluster as the target.';
	END IF;
	PERFORM triage.lock_merges(tenant, true);
	along := ARRAY (SELECT c.id FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.merged_into_id = source_id ORDER BY c.id);
	PERFORM FROM triage.issue_clusters c
		WHERE c.tenant_id = tenant AND c.id = ANY (along || source_id || target_id)
		ORDER BY c.id
		FOR NO KEY UPDATE;
	IF EXISTS (
		SELECT FROM triage.issue_clusters c
			WHERE c.tenant_id = tenant AND c.id = source_id AND c.merge_parent_id = target_id)
	THEN
		RETURN;							-- asked twice
	END IF;
	PERFORM triage.check_live_cluster(tenant, source_id);
	PERFORM triage.check_live_cluster(tenant, target_id);
	UPDATE triage.issue_clusters c
		SET merged_into_id = target_id, merge_parent_id = CASE WHEN c.id = source_id THEN target_id ELSE c.merge_parent_id END
		WHERE c.tenant_id = tenant AND c.id = ANY (along || source_id);
	PERFORM triage.add_cluster_event(tenant, 'merged', source_id, NULL, 'human', NULL, NULL,
		jsonb_build_object('into', target_id, 'along', nullif(to_jsonb(along), '[]'), 'reason', triage.reason_text(reason)));
	PERFORM triage.add_cluster_event(tenant, 'merged', target_id, NULL, 'human', NULL, NULL,
		jsonb_build_object('from', source_id, 'along', nullif(to_jsonb(along), '[]'), 'reason', triage.reason_text(reason)));
	DELETE FROM triage.ai_jobs j WHERE j.tenant_id = tenant AND j.cluster_id = source_id;
	PERFORM triage.ask_cluster_name(tenant, target_id);
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.merge_clusters(bigint, bigint, text) IS
	'merges one cluster into another: its issues, and those of what was merged into it before, count there from now on, and new ones go there; no issue is moved, so unmerge_cluster() restores exactly what was; reason: for the log, cut at 1000 characters; a merge that is there already changes nothing; returns nothing; raises P0002 when there is no such cluster, 55000 when one of them is merged or archived, 22023 when both are the same';
REVOKE ALL ON FUNCTION triage.merge_clusters(bigint, bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.unmerge_cluster(cluster_id bigint, reason text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	cluster record;
	along bigint[];
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_merges(tenant, true);
	SELECT c.merged_into_id, c.merge_parent_id INTO cluster
		FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.id = cluster_id;
	IF NOT FOUND THEN
		PERFORM triage.check_live_cluster(tenant, cluster_id);
	ELSIF cluster.merged_into_id IS NULL THEN
		RAISE EXCEPTION 'cluster % is not merged', cluster_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'There is no merge to undo.';
	END IF;
	-- what had been merged into it, directly or by way of others, was its own before, and is again
	WITH RECURSIVE below AS (
		SELECT c.id FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.merge_parent_id = cluster_id
		UNION
		SELECT c.id FROM below b JOIN triage.issue_clusters c ON c.tenant_id = tenant AND c.merge_parent_id = b.id)
		SELECT coalesce(array_agg(b.id ORDER BY b.id), '{}') INTO along FROM below b;
	PERFORM FROM triage.issue_clusters c
		WHERE c.tenant_id = tenant AND c.id = ANY (along || cluster_id || cluster.merged_into_id)
		ORDER BY c.id
		FOR NO KEY UPDATE;
	UPDATE triage.issue_clusters c
		SET merged_into_id = CASE WHEN c.id <> cluster_id THEN cluster_id END,
			merge_parent_id = CASE WHEN c.id <> cluster_id THEN c.merge_parent_id END
		WHERE c.tenant_id = tenant AND c.id = ANY (along || cluster_id);
	-- whoever was about to place an issue there looks again
	UPDATE triage.issue_clusters c
		SET version = c.version + 1, updated_at = now()
		WHERE c.tenant_id = tenant AND c.id = cluster.merged_into_id;
	PERFORM triage.add_cluster_event(tenant, 'unmerged', cluster_id, NULL, 'human', NULL, NULL,
		jsonb_build_object('out_of', cluster.merged_into_id, 'along', nullif(to_jsonb(along), '[]'), 'reason', triage.reason_text(reason)));
	PERFORM triage.add_cluster_event(tenant, 'unmerged', cluster.merged_into_id, NULL, 'human', NULL, NULL,
		jsonb_build_object('from', cluster_id, 'along', nullif(to_jsonb(along), '[]'), 'reason', triage.reason_text(reason)));
	PERFORM triage.ask_cluster_name(tenant, cluster_id);
END
$$;
COMMENT ON FUNCTION triage.unmerge_cluster(bigint, text) IS
	'undoes a merge: the cluster is on its own again, with its issues, its name and status, and with what was merged into it before; what came in after the merge stays with the target; suggest_merges() does not name the two again; reason: for the log, cut at 1000 characters; returns nothing; raises P0002 when there is no such cluster, 55000 when it is not merged';
REVOKE ALL ON FUNCTION triage.unmerge_cluster(bigint, text) FROM PUBLIC;

-- The cluster itself ------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_cluster_name(name text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF coalesce(name !~ '[^[:space:]]', true) OR length(btrim(name)) > 200 THEN
		RAISE EXCEPTION 'a cluster''s name must have 1 to 200 characters'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'issue_clusters',
				CONSTRAINT = 'issue_clusters_cluster_name_length', HINT = 'Longer texts go into its summary.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_cluster_name(text) IS
	'checks a name that a person gives a cluster; returns nothing; raises 23514 when it is NULL, blank, or above 200 characters';
REVOKE ALL ON FUNCTION triage.check_cluster_name(text) FROM PUBLIC;

CREATE FUNCTION triage.rename_cluster(cluster_id bigint, name text, summary text DEFAULT NULL, expected_version int DEFAULT NULL)
	RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	old_name text;
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_cluster_name(name);
	PERFORM triage.check_length('issue_clusters', 'cluster_summary', summary, 0, 4000, 'Say what the problem is; the issues have the rest.');
	PERFORM triage.lock_cluster(cluster_id, expected_version);
	SELECT c.cluster_name INTO old_name FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.id = cluster_id;
	UPDATE triage.issue_clusters c
		SET cluster_name = btrim(name), cluster_summary = coalesce(summary, c.cluster_summary), name_is_manual = true
		WHERE c.tenant_id = tenant AND c.id = cluster_id
		RETURNING c.version INTO new_version;
	PERFORM triage.add_cluster_event(tenant, 'named', cluster_id, NULL, 'human', NULL, NULL,
		jsonb_build_object('from', old_name, 'to', btrim(name)));
	-- the worker cuts off the call, if one is in the air
	DELETE FROM triage.ai_jobs j WHERE j.tenant_id = tenant AND j.cluster_id = rename_cluster.cluster_id;
	PERFORM triage.wake_worker();
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.rename_cluster(bigint, text, text, int) IS
	'names a cluster by hand, after which the model names it no more; name: 1 to 200 characters; summary: at most 4000, NULL leaves it; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such cluster, 40001 when its version is another one, 23514 for a name that is empty or a text that is too long';
REVOKE ALL ON FUNCTION triage.rename_cluster(bigint, text, text, int) FROM PUBLIC;

CREATE FUNCTION triage.set_pm_status(cluster_id bigint, status triage.pm_status, notes text DEFAULT NULL,
		expected_version int DEFAULT NULL)
	RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	IF status IS NULL THEN
		RAISE EXCEPTION 'status must not be null'
			USING ERRCODE = 'null_value_not_allowed',
				HINT = format('The statuses are: %s.', array_to_string(enum_range(NULL::triage.pm_status), ', '));
	END IF;
	PERFORM triage.check_length('issue_clusters', 'pm_notes', notes, 0, 20000, 'Keep longer texts elsewhere, and say where they are.');
	PERFORM triage.lock_cluster(cluster_id, expected_version);
	UPDATE triage.issue_clusters c
		SET pm_status = status, pm_notes = coalesce(notes, c.pm_notes)
		WHERE c.tenant_id = tenant AND c.id = cluster_id
		RETURNING c.version INTO new_version;
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.set_pm_status(bigint, triage.pm_status, text, int) IS
	'records what product management has decided of a cluster; status: new and reviewing go to any but new, acknowledged to reviewing, fixed, wont_fix, fixed to reviewing, acknowledged, wont_fix, wont_fix to reviewing, acknowledged; fixed sets fixed_at and begins a new watch for regressions; notes: at most 20000 characters, NULL leaves them; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such cluster, 40001 when its version is another one, 23514 for a transition that is not allowed and for notes that are too long, 22004 when status is null';
REVOKE ALL ON FUNCTION triage.set_pm_status(bigint, triage.pm_status, text, int) FROM PUBLIC;

CREATE FUNCTION triage.archive_cluster(cluster_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_cluster(cluster_id, expected_version);
	IF NOT EXISTS (
		SELECT FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.id = cluster_id AND c.archived_at IS NOT NULL)
	THEN
		PERFORM triage.check_live_cluster(tenant, cluster_id);
	END IF;
	UPDATE triage.issue_clusters c
		SET archived_at = coalesce(c.archived_at, now())
		WHERE c.tenant_id = tenant AND c.id = cluster_id
		RETURNING c.version INTO new_version;
	DELETE FROM triage.ai_jobs j WHERE j.tenant_id = tenant AND j.cluster_id = archive_cluster.cluster_id;
	PERFORM triage.wake_worker();
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.archive_cluster(bigint, int) IS
	'puts a cluster away: it keeps its issues and gets no new ones, so that what comes up again becomes a cluster of its own; archiving twice changes nothing; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such cluster, 40001 when its version is another one, 55000 when it is merged';
REVOKE ALL ON FUNCTION triage.archive_cluster(bigint, int) FROM PUBLIC;

CREATE FUNCTION triage.unarchive_cluster(cluster_id bigint, expected_version int DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	new_version int;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.lock_cluster(cluster_id, expected_version);
	UPDATE triage.issue_clusters c
		SET archived_at = NULL
		WHERE c.tenant_id = tenant AND c.id = cluster_id
		RETURNING c.version INTO new_version;
	PERFORM triage.ask_cluster_name(tenant, cluster_id);
	RETURN new_version;
END
$$;
COMMENT ON FUNCTION triage.unarchive_cluster(bigint, int) IS
	'brings an archived cluster back; one that is not archived stays as it is; expected_version: the version the caller read, NULL accepts any; returns the new version; raises P0002 when there is no such cluster, 40001 when its version is another one';
REVOKE ALL ON FUNCTION triage.unarchive_cluster(bigint, int) FROM PUBLIC;

CREATE FUNCTION triage.delete_cluster(cluster_id bigint, expected_version int DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	issues CONSTANT bigint[] := ARRAY (
		SELECT i.id FROM triage.extracted_issues i WHERE i.tenant_id = tenant AND i.cluster_id = delete_cluster.cluster_id);
	other bigint;
BEGIN
	PERFORM triage.check_schema();
	PERFORM FROM triage.tickets t
		WHERE t.tenant_id = tenant AND t.id IN (
			SELECT i.ticket_id FROM triage.extracted_issues i WHERE i.tenant_id = tenant AND i.id = ANY (issues))
		ORDER BY t.id
		FOR NO KEY UPDATE;
	PERFORM triage.lock_merges(tenant, true);
	PERFORM triage.lock_cluster(cluster_id, expected_version);
	SELECT c.id INTO other
		FROM triage.issue_clusters c
		WHERE c.tenant_id = tenant AND (c.merged_into_id = cluster_id OR c.merge_parent_id = cluster_id)
		ORDER BY c.id LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'cluster % was merged into cluster %', other, cluster_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Undo the merge with triage.unmerge_cluster(), or delete what was merged first.';
	ELSIF EXISTS (
		SELECT FROM triage.extracted_issues i
			WHERE i.tenant_id = tenant AND i.cluster_id = delete_cluster.cluster_id AND i.id <> ALL (issues))
	THEN
		RAISE EXCEPTION 'cluster % has got another issue while it was to be deleted', cluster_id
			USING ERRCODE = 'serialization_failure', HINT = 'Look at it, and try again.';
	END IF;
	DELETE FROM triage.issue_clusters c WHERE c.tenant_id = tenant AND c.id = cluster_id;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.delete_cluster(bigint, int) IS
	'deletes a cluster with its history; its issues stay, without a cluster, until place_unclustered() or the next reading of their ticket; expected_version: the version the caller read, NULL accepts any; returns nothing; raises P0002 when there is no such cluster, 40001 when its version is another one or it has got an issue meanwhile, 55000 when others are merged into it';
REVOKE ALL ON FUNCTION triage.delete_cluster(bigint, int) FROM PUBLIC;

-- Suggestions: two clusters each of which is among the other's nearest.  A person decides.
CREATE FUNCTION triage.suggest_merges(max_pairs int DEFAULT 20)
	RETURNS TABLE (cluster_id bigint, cluster_name text, other_id bigint, other_name text, score real)
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	IF max_pairs IS NULL OR max_pairs < 1 THEN
		RAISE EXCEPTION 'max_pairs must be positive, not %', coalesce(max_pairs::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It bounds how many pairs are returned.';
	END IF;
	RETURN QUERY
	WITH live AS (
		SELECT c.tenant_id, c.id, c.cluster_name, n.issue_ids
			FROM triage.issue_clusters c
			CROSS JOIN LATERAL (
				-- one member alone may be the odd one
				SELECT array_agg(m.id) AS issue_ids, max(m.reported_at) AS reported_at
					FROM (
						SELECT i.id, i.reported_at
							FROM triage.extracted_issues i
							WHERE i.tenant_id = c.tenant_id AND i.cluster_id = c.id AND i.superseded_at IS NULL
							ORDER BY i.reported_at DESC, i.id DESC LIMIT 3) m) n
			WHERE c.tenant_id = triage.current_tenant() AND c.merged_into_id IS NULL AND c.archived_at IS NULL
				AND n.issue_ids IS NOT NULL
			-- each is three looks at the index: those that people are about to see
			ORDER BY n.reported_at DESC, c.id DESC
			LIMIT 500),
	near AS (
		SELECT l.id, l.cluster_name, k.cluster_id AS other_id, max(k.score) AS score
			FROM live l
			CROSS JOIN LATERAL unnest(l.issue_ids) i (id)
			CROSS JOIN LATERAL (
				SELECT x.cluster_id, x.score
					FROM triage.issue_candidates(l.tenant_id, i.id) x
					WHERE x.cluster_id IS NOT NULL AND x.cluster_id <> l.id
					ORDER BY x.score DESC, x.cluster_id LIMIT 5) k
			GROUP BY 1, 2, 3)
	SELECT a.id, a.cluster_name, b.id, b.cluster_name, least(a.score, b.score)
		FROM near a
		JOIN near b ON b.id = a.other_id AND b.other_id = a.id AND a.id < b.id
		WHERE least(a.score, b.score) >= (SELECT s.candidate_score FROM triage.mining_settings_of(triage.current_tenant()) s)
			AND NOT EXISTS (
				SELECT FROM triage.cluster_events e
					WHERE e.tenant_id = triage.current_tenant() AND e.event = 'unmerged'
						AND (e.cluster_id = a.id AND (e.details ->> 'from')::bigint = b.id
							OR e.cluster_id = b.id AND (e.details ->> 'from')::bigint = a.id))
		ORDER BY least(a.score, b.score) DESC, a.id, b.id
		LIMIT max_pairs;
END
$$;
COMMENT ON FUNCTION triage.suggest_merges(int) IS
	'pairs of live clusters each of which is among the five nearest of one of the other''s three newest issues, of the 500 clusters with the latest reports, and that nobody has parted before; score: 0 to 1, the lower of both ways, best first; max_pairs: at most so many; nothing is merged by itself; returns them; raises 22023 unless max_pairs is positive';
REVOKE ALL ON FUNCTION triage.suggest_merges(int) FROM PUBLIC;

-- A name that was made of a person's words is made anew of what is left; what a person wrote stays.
CREATE FUNCTION triage.erase_clusters(tenant_id text, ticket_ids bigint[]) RETURNS TABLE (relation text, erased bigint)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	blank CONSTANT text := '[erased]';
	own CONSTANT bigint[] := ARRAY (
		SELECT i.id FROM triage.extracted_issues i
			WHERE i.tenant_id = erase_clusters.tenant_id AND i.ticket_id = ANY (ticket_ids));
	affected bigint[];
	named bigint[];
	target bigint;
BEGIN
	-- those they are in or have been in, and what these are merged into
	affected := ARRAY (
		SELECT DISTINCT unnest(ARRAY[c.id, c.merged_into_id])
			FROM triage.issue_clusters c
			WHERE c.tenant_id = erase_clusters.tenant_id AND c.id IN (
				SELECT i.cluster_id FROM triage.extracted_issues i
					WHERE i.tenant_id = erase_clusters.tenant_id AND i.id = ANY (own)
				UNION ALL
				SELECT e.cluster_id FROM triage.cluster_events e
					WHERE e.tenant_id = erase_clusters.tenant_id AND e.issue_id = ANY (own)));
	named := ARRAY (
		SELECT c.id FROM triage.issue_clusters c
			WHERE c.tenant_id = erase_clusters.tenant_id AND c.id = ANY (affected) AND NOT c.name_is_manual
			ORDER BY c.id
			FOR NO KEY UPDATE);
	-- what has been read of the issues must not be stored when it comes back
	DELETE FROM triage.ai_jobs j WHERE j.tenant_id = erase_clusters.tenant_id AND j.cluster_id = ANY (affected);
	UPDATE triage.issue_clusters c
		SET cluster_name = coalesce(left(n.summary, 200), blank), cluster_summary = NULL, named_at_count = 0
		FROM unnest(named) u (id)
		LEFT JOIN LATERAL (
			SELECT i.summary
				FROM triage.extracted_issues i
				WHERE i.tenant_id = erase_clusters.tenant_id AND i.cluster_id = u.id AND i.superseded_at IS NULL
					AND i.id <> ALL (own)
				ORDER BY i.reported_at DESC, i.id DESC
				LIMIT 1) n ON true
		WHERE c.tenant_id = erase_clusters.tenant_id AND c.id = u.id
			AND (c.cluster_name <> coalesce(left(n.summary, 200), blank) OR c.cluster_summary IS NOT NULL);
	relation := 'issue_clusters';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;
	FOREACH target IN ARRAY named LOOP
		PERFORM triage.ask_cluster_name(tenant_id, target);
	END LOOP;

	-- append-only: see cluster_events_append_only()
	UPDATE triage.cluster_events e
		SET details = e.details || jsonb_strip_nulls(jsonb_build_object(
			'reason', CASE WHEN e.details ? 'reason' AND e.issue_id IS NOT NULL THEN blank END,
			'from', CASE WHEN e.details ? 'from' AND e.event = 'named' THEN blank END,
			'to', CASE WHEN e.details ? 'to' AND e.event = 'named' AND e.assigner <> 'human' THEN blank END))
		WHERE e.tenant_id = erase_clusters.tenant_id
			AND (e.issue_id = ANY (own) AND e.assigner IN ('model', 'human') AND e.details ->> 'reason' <> blank
				OR e.issue_id IS NULL AND e.cluster_id = ANY (affected) AND e.event = 'named'
					AND (e.details ->> 'from' <> blank OR e.assigner <> 'human' AND e.details ->> 'to' <> blank));
	relation := 'cluster_events';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.erase_clusters(text, bigint[]) IS
	'part of erase_person(): names and summaries that were made of the issues of these locked tickets give way to the newest summary that is left, or to [erased], and the model is asked anew; the reasons and former names in the log are blanked; what people wrote as a name stays; returns how many rows were changed where; raises nothing';
REVOKE ALL ON FUNCTION triage.erase_clusters(text, bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.cluster_contradictions(tenant text)
	RETURNS TABLE (tenant_id text, ticket_id bigint, problem text, detail text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT c.tenant_id, NULL::bigint, 'cluster'::text, format('cluster %s is merged into %s, which is merged itself', c.id, r.id)
			FROM triage.issue_clusters c
			JOIN triage.issue_clusters r ON r.tenant_id = c.tenant_id AND r.id = c.merged_into_id
			WHERE (tenant IS NULL OR c.tenant_id = tenant) AND r.merged_into_id IS NOT NULL
		UNION ALL
		SELECT c.tenant_id, NULL, 'cluster', format('cluster %s was merged with %s, and they do not count in the same', c.id, p.id)
			FROM triage.issue_clusters c
			JOIN triage.issue_clusters p ON p.tenant_id = c.tenant_id AND p.id = c.merge_parent_id
			WHERE (tenant IS NULL OR c.tenant_id = tenant) AND c.merged_into_id <> coalesce(p.merged_into_id, p.id)
		UNION ALL
		SELECT i.tenant_id, i.ticket_id, 'cluster', format('issue %s is in cluster %s against what was said of it', i.id, i.cluster_id)
			FROM triage.cluster_exclusions e
			JOIN triage.extracted_issues i ON i.tenant_id = e.tenant_id AND i.fingerprint = e.fingerprint AND i.cluster_id = e.cluster_id
			WHERE (tenant IS NULL OR e.tenant_id = tenant) AND i.superseded_at IS NULL
				AND i.assigned_by <> 'human' AND i.assigned_at > e.created_at;
END
$$;
COMMENT ON FUNCTION triage.cluster_contradictions(text) IS
	'part of check_integrity(): what contradicts itself in the clusters of a tenant, or with NULL of all that row security shows; raises nothing';
REVOKE ALL ON FUNCTION triage.cluster_contradictions(text) FROM PUBLIC;
