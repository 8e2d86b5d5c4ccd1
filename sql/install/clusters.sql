-- Clusters: which issues report the same problem.  What is decided without a person: how an issue gets to its cluster.
--
-- An issue is placed once.  The same fingerprint joins; a candidate that is alike above join_score joins; what lies between
-- candidate_score and that is the model's to judge (match_issues.sql), and without a model it stays where it is.  Each
-- decision is an event with its reason, score and algorithm, and none touches what a person has decided.
--
-- Locks: ticket, then the tenant's structure of merges (people's functions only), then the categories that new topics may
-- come up in, then clusters in the order of ids, then issues, then jobs.  Only a live cluster is joined, under its lock.

CREATE FUNCTION triage.cluster_algorithm() RETURNS int
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- counted up with each change of what issue_candidates() finds and scores, or of how decide_issue() decides
	SELECT 1
$$;
COMMENT ON FUNCTION triage.cluster_algorithm() IS
	'the version of the rules by which issues are placed, kept with each automatic decision; a new version applies to what comes after it, and moves nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.cluster_algorithm() FROM PUBLIC;

CREATE FUNCTION triage.has_model() RETURNS boolean
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM triage.providers p WHERE p.enabled AND p.api <> 'builtin')
$$;
COMMENT ON FUNCTION triage.has_model() IS
	'whether a provider other than builtin is enabled, which a judgement can be asked of; raises nothing';
REVOKE ALL ON FUNCTION triage.has_model() FROM PUBLIC;

CREATE FUNCTION triage.issue_category_key(tenant_id text, category text) RETURNS bigint
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT hashtextextended(format('triage.issue_clusters %s %s', tenant_id, category), 0)
$$;
COMMENT ON FUNCTION triage.issue_category_key(text, text) IS
	'the key of the advisory lock on what is new in a category of a tenant''s taxonomy; raises nothing';
REVOKE ALL ON FUNCTION triage.issue_category_key(text, text) FROM PUBLIC;

-- Two workers that meet the same new topic at once: the second waits here, and then finds what the first has made of it.
CREATE FUNCTION triage.lock_issue_category(tenant_id text, category text) RETURNS void
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT pg_advisory_xact_lock(triage.issue_category_key(tenant_id, category))
$$;
COMMENT ON FUNCTION triage.lock_issue_category(text, text) IS
	'locks what is new in a category of a tenant''s taxonomy until the transaction ends; raises 55P03 when lock_timeout is over';
REVOKE ALL ON FUNCTION triage.lock_issue_category(text, text) FROM PUBLIC;

CREATE FUNCTION triage.lock_merges(tenant_id text, exclusive boolean) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key CONSTANT bigint := hashtextextended(format('triage.issue_clusters.merged_into_id %s', tenant_id), 0);
BEGIN
	IF exclusive THEN
		PERFORM pg_advisory_xact_lock(key);
	ELSE
		PERFORM pg_advisory_xact_lock_shared(key);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.lock_merges(text, boolean) IS
	'locks which of a tenant''s clusters is merged into which until the transaction ends: exclusive to change it, else so that it stays as it is; raises 55P03 when lock_timeout is over';
REVOKE ALL ON FUNCTION triage.lock_merges(text, boolean) FROM PUBLIC;

CREATE FUNCTION triage.live_cluster(tenant_id text, cluster_id bigint) RETURNS bigint
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT r.id
		FROM triage.issue_clusters c
		JOIN triage.issue_clusters r ON r.tenant_id = c.tenant_id AND r.id = coalesce(c.merged_into_id, c.id)
		WHERE c.tenant_id = live_cluster.tenant_id AND c.id = live_cluster.cluster_id
			AND r.merged_into_id IS NULL AND r.archived_at IS NULL
$$;
COMMENT ON FUNCTION triage.live_cluster(text, bigint) IS
	'the cluster that takes the issues of this one: itself, or what it was merged into; NULL when that is archived, or there is none; raises nothing';
REVOKE ALL ON FUNCTION triage.live_cluster(text, bigint) FROM PUBLIC;

-- What was said of a cluster goes for all that it is merged with.
CREATE FUNCTION triage.is_excluded(tenant_id text, cluster_id bigint, fingerprint bytea) RETURNS boolean
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (
		SELECT FROM triage.cluster_exclusions e
			JOIN triage.issue_clusters c ON c.tenant_id = e.tenant_id AND c.id = e.cluster_id
			WHERE e.tenant_id = is_excluded.tenant_id AND e.fingerprint = is_excluded.fingerprint
				AND is_excluded.cluster_id IN (c.id, c.merged_into_id))
$$;
COMMENT ON FUNCTION triage.is_excluded(text, bigint, bytea) IS
	'whether a person took what reads like this out of the live cluster cluster_id, or out of one that is merged into it; raises nothing';
REVOKE ALL ON FUNCTION triage.is_excluded(text, bigint, bytea) FROM PUBLIC;

CREATE FUNCTION triage.add_cluster_event(tenant_id text, event triage.cluster_event, cluster_id bigint,
		issue_id bigint DEFAULT NULL, assigner triage.issue_assigner DEFAULT NULL, score real DEFAULT NULL,
		run_id bigint DEFAULT NULL, details jsonb DEFAULT '{}')
	RETURNS void
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO triage.cluster_events (tenant_id, cluster_id, issue_id, event, assigner, score, algorithm, run_id, details,
			actor, session_role)
		VALUES (add_cluster_event.tenant_id, add_cluster_event.cluster_id, add_cluster_event.issue_id, add_cluster_event.event,
			add_cluster_event.assigner, add_cluster_event.score,
			CASE WHEN add_cluster_event.assigner <> 'human' THEN triage.cluster_algorithm() END,
			add_cluster_event.run_id, jsonb_strip_nulls(coalesce(add_cluster_event.details, '{}')),
			CASE WHEN add_cluster_event.assigner <> 'human' THEN 'triage' ELSE triage.current_actor() END, session_user)
$$;
COMMENT ON FUNCTION triage.add_cluster_event(text, triage.cluster_event, bigint, bigint, triage.issue_assigner, real, bigint, jsonb) IS
	'writes a row of cluster_events; assigner: who decided, the actor is triage unless it is human or NULL; score: 0 to 1; details: a JSON object, keys with null are left out; returns nothing; raises 23503 when there is no such cluster or issue';
REVOKE ALL ON FUNCTION triage.add_cluster_event(text, triage.cluster_event, bigint, bigint, triage.issue_assigner, real, bigint, jsonb) FROM PUBLIC;

-- Once for a reason: an issue that is looked at again and again does not fill the log.
CREATE FUNCTION triage.note_unplaced(tenant_id text, issue_id bigint, assigner triage.issue_assigner, score real, run_id bigint,
		details jsonb)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	last_one record;
BEGIN
	SELECT e.event, e.details INTO last_one
		FROM triage.cluster_events e
		WHERE e.tenant_id = note_unplaced.tenant_id AND e.issue_id = note_unplaced.issue_id
		ORDER BY e.id DESC LIMIT 1;
	IF last_one.event = 'unplaced' AND last_one.details = jsonb_strip_nulls(note_unplaced.details) THEN
		RETURN;
	END IF;
	PERFORM triage.add_cluster_event(tenant_id, 'unplaced', NULL, issue_id, assigner, score, run_id, details);
END
$$;
COMMENT ON FUNCTION triage.note_unplaced(text, bigint, triage.issue_assigner, real, bigint, jsonb) IS
	'logs that an issue was left without a cluster, unless the last event of the issue says the same; details: a JSON object with the reason; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.note_unplaced(text, bigint, triage.issue_assigner, real, bigint, jsonb) FROM PUBLIC;

-- By the ticket's own time: an issue from before the fix says nothing of it, whenever it is read.
CREATE FUNCTION triage.note_regression(tenant_id text, cluster_id bigint, issue_id bigint) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reported timestamptz;
BEGIN
	UPDATE triage.issue_clusters c
		SET regressed_at = i.reported_at
		FROM triage.extracted_issues i
		WHERE c.tenant_id = note_regression.tenant_id AND c.id = note_regression.cluster_id
			AND i.tenant_id = c.tenant_id AND i.id = note_regression.issue_id
			AND c.pm_status = 'fixed' AND c.regressed_at IS NULL
			AND i.reported_at > c.fixed_at + (
				SELECT s.regression_grace FROM triage.mining_settings_of(note_regression.tenant_id) s)
		RETURNING i.reported_at INTO reported;
	IF FOUND THEN
		PERFORM triage.add_cluster_event(tenant_id, 'regressed', cluster_id, NULL, 'exact', NULL, NULL,
			jsonb_build_object('issue', issue_id, 'reported_at', reported));
		PERFORM triage.emit_event(tenant_id, 'cluster.regressed', NULL, NULL, cluster_id, jsonb_build_object('issue', issue_id));
	END IF;
END
$$;
COMMENT ON FUNCTION triage.note_regression(text, bigint, bigint) IS
	'marks a fixed cluster as regressed, once, if this issue was reported later than fixed_at and the tenant''s regression_grace; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.note_regression(text, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.put_issue(tenant_id text, issue_id bigint, cluster_id bigint, assigner triage.issue_assigner, score real,
		run_id bigint DEFAULT NULL, details jsonb DEFAULT '{}')
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE triage.extracted_issues i
		SET cluster_id = put_issue.cluster_id, assigned_by = put_issue.assigner, assignment_score = put_issue.score,
			assigned_at = clock_timestamp(),
			algorithm = CASE WHEN put_issue.assigner <> 'human' THEN triage.cluster_algorithm() END
		WHERE i.tenant_id = put_issue.tenant_id AND i.id = put_issue.issue_id;
	PERFORM triage.add_cluster_event(tenant_id, 'joined', cluster_id, issue_id, assigner, score, run_id, details);
	PERFORM triage.note_regression(tenant_id, cluster_id, issue_id);
END
$$;
COMMENT ON FUNCTION triage.put_issue(text, bigint, bigint, triage.issue_assigner, real, bigint, jsonb) IS
	'puts a locked issue into a locked live cluster, logs it, and sees whether the cluster has regressed; score: 0 to 1; run_id: the call that said so; details: a JSON object for the log; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.put_issue(text, bigint, bigint, triage.issue_assigner, real, bigint, jsonb) FROM PUBLIC;

-- Until the model or a person names it, a cluster carries its first issue's summary.
CREATE FUNCTION triage.new_cluster(tenant_id text, issue_id bigint, assigner triage.issue_assigner, details jsonb DEFAULT '{}')
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	new_id bigint;
BEGIN
	INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name)
		SELECT i.tenant_id, i.category, i.subcategory, left(i.summary, 200)
			FROM triage.extracted_issues i
			WHERE i.tenant_id = new_cluster.tenant_id AND i.id = new_cluster.issue_id
		RETURNING id INTO new_id;
	PERFORM triage.add_cluster_event(tenant_id, 'created', new_id, NULL, assigner, NULL, NULL, details);
	RETURN new_id;
END
$$;
COMMENT ON FUNCTION triage.new_cluster(text, bigint, triage.issue_assigner, jsonb) IS
	'makes an empty cluster with the category and the summary of an issue; returns its id; raises nothing';
REVOKE ALL ON FUNCTION triage.new_cluster(text, bigint, triage.issue_assigner, jsonb) FROM PUBLIC;

-- What reads the same and was left without a cluster, because somebody held it then or there was none, comes along.
CREATE FUNCTION triage.gather_issues(tenant_id text, issue_id bigint) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	other record;
	gathered int := 0;
BEGIN
	-- not awaited: whoever holds one may wait for us
	FOR other IN
		SELECT o.id, i.cluster_id
			FROM triage.extracted_issues i
			JOIN triage.extracted_issues o ON o.tenant_id = i.tenant_id AND o.fingerprint = i.fingerprint
			WHERE i.tenant_id = gather_issues.tenant_id AND i.id = gather_issues.issue_id AND i.cluster_id IS NOT NULL
				AND o.cluster_id IS NULL AND o.superseded_at IS NULL
			ORDER BY o.id
			FOR NO KEY UPDATE OF o SKIP LOCKED
	LOOP
		PERFORM triage.put_issue(tenant_id, other.id, other.cluster_id, 'exact', 1, NULL,
			jsonb_build_object('reason', 'reads the same', 'with_issue', issue_id));
		gathered := gathered + 1;
	END LOOP;
	RETURN gathered;
END
$$;
COMMENT ON FUNCTION triage.gather_issues(text, bigint) IS
	'puts what reads the same as an issue and has no cluster into the locked cluster that it was just put into, passing over what others hold; returns how many these were; raises nothing';
REVOKE ALL ON FUNCTION triage.gather_issues(text, bigint) FROM PUBLIC;

-- Deciding --------------------------------------------------------------------------------------------------------------

-- The newest that reads the same: where a person moved such issues, the older place is excluded.
CREATE FUNCTION triage.exact_place(tenant_id text, issue_id bigint, OUT cluster_id bigint, OUT other_id bigint)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	print CONSTANT bytea := (
		SELECT i.fingerprint FROM triage.extracted_issues i
			WHERE i.tenant_id = exact_place.tenant_id AND i.id = exact_place.issue_id);
BEGIN
	SELECT r.id INTO cluster_id
		FROM triage.extracted_issues i
		JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
		JOIN triage.issue_clusters r ON r.tenant_id = c.tenant_id AND r.id = coalesce(c.merged_into_id, c.id)
		WHERE i.tenant_id = exact_place.tenant_id AND i.fingerprint = print AND i.superseded_at IS NULL
			AND r.archived_at IS NULL AND NOT triage.is_excluded(exact_place.tenant_id, r.id, print)
		ORDER BY i.id DESC
		LIMIT 1;
	IF cluster_id IS NULL THEN
		SELECT i.id INTO other_id
			FROM triage.extracted_issues i
			WHERE i.tenant_id = exact_place.tenant_id AND i.fingerprint = print AND i.superseded_at IS NULL
				AND i.cluster_id IS NULL AND i.summary <> '[erased]' AND i.ticket_id <> (
					SELECT m.ticket_id FROM triage.extracted_issues m
						WHERE m.tenant_id = exact_place.tenant_id AND m.id = exact_place.issue_id)
			ORDER BY i.id
			LIMIT 1;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.exact_place(text, bigint) IS
	'where what reads the same as an issue is: the live cluster, else the issue without one; both NULL when there is none, or a person said that it does not belong there; raises nothing';
REVOKE ALL ON FUNCTION triage.exact_place(text, bigint) FROM PUBLIC;

-- action: join (cluster_id), pair (other_id: the two become a cluster), found (a cluster of its own), ask (the model), leave.
CREATE FUNCTION triage.decide_issue(tenant_id text, issue_id bigint, choice jsonb DEFAULT NULL,
		OUT action text, OUT cluster_id bigint, OUT other_id bigint, OUT assigner triage.issue_assigner, OUT score real,
		OUT details jsonb)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	settings record;
	best record;
	chosen record;
BEGIN
	details := '{}';
	SELECT e.cluster_id, e.other_id INTO cluster_id, other_id FROM triage.exact_place(tenant_id, issue_id) e;
	IF num_nonnulls(cluster_id, other_id) > 0 THEN
		action := CASE WHEN cluster_id IS NULL THEN 'pair' ELSE 'join' END;
		assigner := 'exact';
		score := 1;
		details := jsonb_build_object('reason', 'reads the same');
		RETURN;
	END IF;

	SELECT s.join_score, s.candidate_score INTO settings FROM triage.mining_settings_of(decide_issue.tenant_id) s;
	IF choice ->> 'cluster' <> 'none' THEN
		SELECT p.cluster_id, p.other_id INTO chosen FROM triage.resolve_label(tenant_id, issue_id, choice ->> 'cluster') p;
		assigner := 'model';
		score := (choice ->> 'confidence')::real;
		details := jsonb_build_object('reason', choice ->> 'reason', 'label', choice ->> 'cluster');
		IF NOT coalesce(choice -> 'labels' ? (choice ->> 'cluster'), false) THEN
			action := 'leave';
			details := details || jsonb_build_object('reason', 'the model chose what was not among its candidates');
		ELSIF num_nonnulls(chosen.cluster_id, chosen.other_id) = 0 THEN
			action := 'leave';
			details := details || jsonb_build_object('reason', 'what the model chose is no longer open to it');
		ELSE
			cluster_id := chosen.cluster_id;
			other_id := chosen.other_id;
			action := CASE WHEN cluster_id IS NULL THEN 'pair' ELSE 'join' END;
		END IF;
		RETURN;
	END IF;

	-- The score of a candidate that was put before the model counts no more: it said none.
	SELECT k.label, k.cluster_id, k.issue_id, k.score INTO best
		FROM triage.issue_candidates(decide_issue.tenant_id, decide_issue.issue_id) k
		WHERE NOT EXISTS (
			SELECT FROM jsonb_array_elements_text(coalesce(choice -> 'labels', '[]')) l (label)
				CROSS JOIN LATERAL triage.resolve_label(decide_issue.tenant_id, decide_issue.issue_id, l.label) p
				WHERE p.cluster_id = k.cluster_id OR p.other_id = k.issue_id)
		ORDER BY k.score DESC, k.cluster_id NULLS LAST, k.issue_id
		LIMIT 1;
	score := best.score;
	IF best.score >= settings.join_score THEN
		action := CASE WHEN best.cluster_id IS NULL THEN 'pair' ELSE 'join' END;
		cluster_id := best.cluster_id;
		other_id := CASE WHEN best.cluster_id IS NULL THEN best.issue_id END;
		assigner := 'lexical';
		details := jsonb_build_object('reason', 'is alike above join_score', 'join_score', settings.join_score);
	ELSIF best.score >= settings.candidate_score THEN
		action := CASE WHEN triage.has_model() THEN 'ask' ELSE 'leave' END;
		assigner := 'lexical';
		details := jsonb_build_object('reason', CASE WHEN choice IS NULL
				THEN 'is alike, but not above join_score' ELSE 'something alike came up meanwhile' END,
			'label', best.label, 'join_score', settings.join_score);
	ELSIF choice IS NOT NULL THEN
		action := 'found';
		assigner := 'model';
		score := (choice ->> 'confidence')::real;
		details := jsonb_build_object('reason', coalesce(choice ->> 'reason', 'the model chose none'));
	ELSE
		action := CASE WHEN triage.has_model() THEN 'found' ELSE 'leave' END;
		assigner := 'lexical';
		details := jsonb_build_object('reason', 'nothing is alike above candidate_score',
			'candidate_score', settings.candidate_score);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.decide_issue(text, bigint, jsonb) IS
	'what is to become of an issue without a cluster; choice: NULL, or what the model said of it, an object with cluster (a label), labels (what it could choose from) and, if said, confidence and reason; returns an action: join (cluster_id), pair (a cluster of it and other_id), found (a cluster of its own), ask (the model), leave; and by whom, with which score (0 to 1) and why; raises nothing';
REVOKE ALL ON FUNCTION triage.decide_issue(text, bigint, jsonb) FROM PUBLIC;

-- A label of match_issues is resolved when it is used: what it stood for may have been merged, or have found its cluster.
CREATE FUNCTION triage.resolve_label(tenant_id text, issue_id bigint, label text, OUT cluster_id bigint, OUT other_id bigint)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target record;
BEGIN
	IF label ~ '^C[0-9]{1,18}$' THEN
		cluster_id := triage.live_cluster(tenant_id, substr(label, 2)::bigint);
	ELSIF label ~ '^I[0-9]{1,18}$' THEN
		SELECT i.id, i.cluster_id INTO target
			FROM triage.extracted_issues i
			WHERE i.tenant_id = resolve_label.tenant_id AND i.id = substr(label, 2)::bigint
				AND i.id <> resolve_label.issue_id AND i.superseded_at IS NULL;
		IF target.cluster_id IS NOT NULL THEN
			cluster_id := triage.live_cluster(tenant_id, target.cluster_id);
		ELSE
			other_id := target.id;
		END IF;
	END IF;
	IF triage.is_excluded(tenant_id, cluster_id, (
		SELECT i.fingerprint FROM triage.extracted_issues i
			WHERE i.tenant_id = resolve_label.tenant_id AND i.id = resolve_label.issue_id))
	THEN
		cluster_id := NULL;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.resolve_label(text, bigint, text) IS
	'what a label of match_issues (C and a cluster''s id, or I and that of an issue without one) stands for now, for this issue: a live cluster, or an issue that has none; both NULL when it is gone or archived, or a person said that the issue does not belong there; raises nothing';
REVOKE ALL ON FUNCTION triage.resolve_label(text, bigint, text) FROM PUBLIC;

-- Doing -----------------------------------------------------------------------------------------------------------------

-- Locks what the plan joins and looks again: what was merged, parted, archived or excluded while this waited makes the plan
-- void.
CREATE FUNCTION triage.lock_places(tenant_id text, plan jsonb) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	targets CONSTANT bigint[] := ARRAY (
		SELECT DISTINCT p.cluster_id FROM jsonb_to_recordset(plan) p (cluster_id bigint)
			WHERE p.cluster_id IS NOT NULL ORDER BY 1);
BEGIN
	IF targets = '{}' THEN
		RETURN true;
	END IF;
	-- a block of its own: what was locked in vain is let go with it, else the next attempt would lock out of order
	BEGIN
		PERFORM FROM triage.issue_clusters c
			WHERE c.tenant_id = lock_places.tenant_id AND c.id = ANY (targets)
			ORDER BY c.id
			FOR NO KEY UPDATE;
		IF EXISTS (
			SELECT FROM jsonb_to_recordset(plan) p (issue_id bigint, cluster_id bigint, version int)
				JOIN triage.extracted_issues i ON i.tenant_id = lock_places.tenant_id AND i.id = p.issue_id
				LEFT JOIN triage.issue_clusters c ON c.tenant_id = lock_places.tenant_id
					AND c.id = triage.live_cluster(lock_places.tenant_id, p.cluster_id)
				WHERE p.cluster_id IS NOT NULL
					AND (c.id IS DISTINCT FROM p.cluster_id OR c.version IS DISTINCT FROM p.version
						OR triage.is_excluded(lock_places.tenant_id, p.cluster_id, i.fingerprint)))
		THEN
			RAISE EXCEPTION USING ERRCODE = 'TG001', MESSAGE = 'what an issue was to join has changed';
		END IF;
	EXCEPTION WHEN SQLSTATE 'TG001' THEN
		RETURN false;
	END;
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.lock_places(text, jsonb) IS
	'locks the clusters that a plan of settle_issues() joins, in the order of ids; returns whether all of them can be joined now that nobody can change them, and holds none if not; raises 55P03 when lock_timeout is over';
REVOKE ALL ON FUNCTION triage.lock_places(text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.pair_issues(tenant_id text, issue_id bigint, other_id bigint, assigner triage.issue_assigner, score real,
		run_id bigint, details jsonb)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	other record;
	target bigint;
BEGIN
	-- not awaited: whoever holds it may wait for us
	SELECT i.cluster_id INTO other
		FROM triage.extracted_issues i
		WHERE i.tenant_id = pair_issues.tenant_id AND i.id = pair_issues.other_id AND i.superseded_at IS NULL
		FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	IF other.cluster_id IS NULL THEN
		target := triage.new_cluster(tenant_id, other_id, assigner, jsonb_build_object('issues', jsonb_build_array(other_id, issue_id)));
		PERFORM triage.put_issue(tenant_id, other_id, target, assigner, score, run_id,
			details || jsonb_build_object('with_issue', issue_id));
	ELSE
		-- placed since it was looked at, as an issue of the same ticket may be, a moment ago
		SELECT c.id INTO target
			FROM triage.issue_clusters c
			WHERE c.tenant_id = pair_issues.tenant_id AND c.id = triage.live_cluster(pair_issues.tenant_id, other.cluster_id)
			FOR NO KEY UPDATE SKIP LOCKED;
		IF NOT FOUND OR triage.live_cluster(tenant_id, target) IS DISTINCT FROM target OR triage.is_excluded(tenant_id, target, (
			SELECT i.fingerprint FROM triage.extracted_issues i
				WHERE i.tenant_id = pair_issues.tenant_id AND i.id = pair_issues.issue_id))
		THEN
			RETURN NULL;
		END IF;
	END IF;
	PERFORM triage.put_issue(tenant_id, issue_id, target, assigner, score, run_id,
		details || jsonb_build_object('with_issue', other_id));
	RETURN target;
END
$$;
COMMENT ON FUNCTION triage.pair_issues(text, bigint, bigint, triage.issue_assigner, real, bigint, jsonb) IS
	'puts an issue together with another one: into its cluster if it has one by now, else into a new one of both; returns the cluster, NULL when the other one is gone or held by somebody; raises nothing';
REVOKE ALL ON FUNCTION triage.pair_issues(text, bigint, bigint, triage.issue_assigner, real, bigint, jsonb) FROM PUBLIC;

-- All of them at once, so that whatever is locked is locked in its order.
CREATE FUNCTION triage.settle_issues(tenant_id text, ticket_ids bigint[], choices jsonb DEFAULT NULL, run_id bigint DEFAULT NULL)
	RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	most_attempts CONSTANT int := 5;
	waiting bigint[];
	category text;
	plan jsonb;
	step record;
	target bigint;
	touched bigint[] := '{}';
	placed int := 0;
	asks bigint[] := '{}';
	alone boolean;				-- no need to lock what others may come up with
	decided boolean;			-- under the locks that it takes
BEGIN
	PERFORM FROM triage.tickets t
		WHERE t.tenant_id = settle_issues.tenant_id AND t.id = ANY (ticket_ids)
		ORDER BY t.id
		FOR NO KEY UPDATE;
	waiting := ARRAY (
		SELECT i.id
			FROM triage.extracted_issues i
			WHERE i.tenant_id = settle_issues.tenant_id AND i.ticket_id = ANY (ticket_ids)
				AND i.superseded_at IS NULL AND i.cluster_id IS NULL AND coalesce(choices ? i.id::text, true)
				-- of what erase_person() left nothing can be told: all of it reads alike
				AND i.summary <> '[erased]'
			ORDER BY i.id);
	IF waiting = '{}' THEN
		RETURN 0;
	END IF;
	-- Whoever does not find the very same may meet a new topic: nobody else looks for it in these categories meanwhile.
	alone := NOT EXISTS (
		SELECT FROM unnest(waiting) w (id) WHERE (triage.exact_place(settle_issues.tenant_id, w.id)).cluster_id IS NULL);
	FOR attempt IN 1 .. most_attempts LOOP
		IF NOT alone THEN
			FOR category IN
				SELECT DISTINCT i.category
					FROM triage.extracted_issues i
					WHERE i.tenant_id = settle_issues.tenant_id AND i.id = ANY (waiting)
					ORDER BY 1
			LOOP
				PERFORM triage.lock_issue_category(tenant_id, category);
			END LOOP;
		END IF;
		SELECT jsonb_agg(to_jsonb(d) || jsonb_build_object('issue_id', w.id, 'version', c.version) ORDER BY w.id),
				NOT alone OR bool_and(d.action = 'join' AND d.assigner = 'exact')
			INTO plan, decided
			FROM unnest(waiting) w (id)
			CROSS JOIN LATERAL triage.decide_issue(settle_issues.tenant_id, w.id, choices -> w.id::text) d
			LEFT JOIN triage.issue_clusters c ON c.tenant_id = settle_issues.tenant_id AND c.id = d.cluster_id;
		alone := false;
		CONTINUE WHEN NOT decided;
		EXIT WHEN triage.lock_places(tenant_id, plan);
		IF attempt = most_attempts THEN
			RAISE EXCEPTION 'the clusters that the issues of ticket % belong to keep changing', array_to_string(ticket_ids[:3], ', ')
				USING ERRCODE = 'serialization_failure', HINT = 'Try again.';
		END IF;
	END LOOP;

	FOR step IN
		SELECT p.*, i.ticket_id
			FROM jsonb_to_recordset(plan) p (issue_id bigint, action text, cluster_id bigint, other_id bigint,
				assigner triage.issue_assigner, score real, details jsonb)
			JOIN triage.extracted_issues i ON i.tenant_id = settle_issues.tenant_id AND i.id = p.issue_id
			ORDER BY p.issue_id
	LOOP
		-- taken a moment ago as the other one of a pair
		CONTINUE WHEN EXISTS (
			SELECT FROM triage.extracted_issues i
				WHERE i.tenant_id = settle_issues.tenant_id AND i.id = step.issue_id AND i.cluster_id IS NOT NULL);
		target := NULL;
		IF step.action = 'join' THEN
			target := step.cluster_id;
			PERFORM triage.put_issue(tenant_id, step.issue_id, target, step.assigner, step.score, run_id, step.details);
		ELSIF step.action = 'pair' THEN
			target := triage.pair_issues(tenant_id, step.issue_id, step.other_id, step.assigner, step.score, run_id, step.details);
			IF target IS NULL THEN
				PERFORM triage.note_unplaced(tenant_id, step.issue_id, step.assigner, step.score, run_id,
					jsonb_build_object('reason', 'the issue that it is like was being changed', 'with_issue', step.other_id));
			END IF;
		ELSIF step.action = 'found' THEN
			target := triage.new_cluster(tenant_id, step.issue_id, step.assigner,
				jsonb_build_object('issues', jsonb_build_array(step.issue_id)));
			PERFORM triage.put_issue(tenant_id, step.issue_id, target, step.assigner, step.score, run_id, step.details);
		ELSIF step.action = 'ask' THEN
			asks := asks || step.ticket_id;
		ELSE
			PERFORM triage.note_unplaced(tenant_id, step.issue_id, step.assigner, step.score, run_id, step.details);
		END IF;
		IF target IS NOT NULL THEN
			touched := touched || target;
			PERFORM triage.gather_issues(tenant_id, step.issue_id);
		END IF;
	END LOOP;
	placed := (SELECT count(*)
		FROM triage.extracted_issues i
		WHERE i.tenant_id = settle_issues.tenant_id AND i.id = ANY (waiting) AND i.cluster_id IS NOT NULL);
	IF asks <> '{}' THEN
		PERFORM triage.enqueue_mining(tenant_id, 'match_issues', ARRAY (SELECT DISTINCT u.id FROM unnest(asks) u (id) ORDER BY u.id), true);
	END IF;
	FOR target IN SELECT DISTINCT u.id FROM unnest(touched) u (id) ORDER BY u.id LOOP
		PERFORM triage.ask_cluster_name(tenant_id, target);
	END LOOP;
	RETURN placed;
END
$$;
COMMENT ON FUNCTION triage.settle_issues(text, bigint[], jsonb, bigint) IS
	'part of place_issues(), place_unclustered() and store_match_issues(): decides of the tickets'' current issues without a cluster what is to become of them, and does it; choices: NULL for all of them, or an object of what the model said by issue id, see decide_issue(), for these; run_id: the call; returns how many have a cluster now; raises 40001 when clusters change faster than it can look';
REVOKE ALL ON FUNCTION triage.settle_issues(text, bigint[], jsonb, bigint) FROM PUBLIC;

CREATE FUNCTION triage.place_issues(tenant_id text, ticket_id bigint) RETURNS int
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT triage.settle_issues(place_issues.tenant_id, ARRAY[place_issues.ticket_id])
$$;
COMMENT ON FUNCTION triage.place_issues(text, bigint) IS
	'finds clusters for the current issues of a ticket that have none: the same fingerprint, or a candidate alike above join_score; else, if a provider other than builtin is enabled, what is like nothing becomes a cluster of its own and what is like something is put before the model with one match_issues job; without a model the rest stays without a cluster, and two that are alike become one; what has a cluster keeps it; locks the ticket; returns how many were placed; raises 40001 when clusters change faster than it can look';
REVOKE ALL ON FUNCTION triage.place_issues(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.place_unclustered(max_tickets int DEFAULT 1000) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
BEGIN
	PERFORM triage.check_schema();
	IF max_tickets < 1 THEN
		RAISE EXCEPTION 'max_tickets must be positive, not %', max_tickets
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL is as many as there are.';
	END IF;
	RETURN triage.settle_issues(tenant, ARRAY (
		SELECT DISTINCT i.ticket_id
			FROM triage.extracted_issues i
			WHERE i.tenant_id = tenant AND i.cluster_id IS NULL AND i.superseded_at IS NULL
			ORDER BY 1 DESC LIMIT max_tickets));
END
$$;
COMMENT ON FUNCTION triage.place_unclustered(int) IS
	'looks again for clusters for the current tenant''s issues that have none, as place_issues() does: after a model was added, a threshold was changed or a cluster was deleted; max_tickets: of so many tickets, the newest first, NULL of all; asks the model where it has to; returns how many issues were placed at once; raises 22023 when max_tickets is not positive, 40001 when clusters change faster than it can look';
REVOKE ALL ON FUNCTION triage.place_unclustered(int) FROM PUBLIC;
