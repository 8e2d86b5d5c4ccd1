-- Triggers of clusters and their log, and what their columns mean.  The tables themselves: tables_mining.sql.

CREATE FUNCTION triage.pm_status_follows(previous triage.pm_status, next triage.pm_status) RETURNS boolean
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT next = ANY (CASE previous
		WHEN 'new' THEN '{reviewing,acknowledged,fixed,wont_fix}'::triage.pm_status[]
		WHEN 'reviewing' THEN '{acknowledged,fixed,wont_fix}'
		WHEN 'acknowledged' THEN '{reviewing,fixed,wont_fix}'
		WHEN 'fixed' THEN '{reviewing,acknowledged,wont_fix}'
		WHEN 'wont_fix' THEN '{reviewing,acknowledged}' END)
$$;
COMMENT ON FUNCTION triage.pm_status_follows(triage.pm_status, triage.pm_status) IS
	'whether a cluster''s pm_status may go from the first to the second; no status follows itself; raises nothing';
REVOKE ALL ON FUNCTION triage.pm_status_follows(triage.pm_status, triage.pm_status) FROM PUBLIC;

CREATE FUNCTION triage.issue_clusters_before() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		IF NEW.pm_status = 'fixed' THEN
			NEW.fixed_at := coalesce(NEW.fixed_at, now());
		END IF;
		RETURN NEW;
	END IF;
	IF NEW.pm_status <> OLD.pm_status THEN
		IF NOT triage.pm_status_follows(OLD.pm_status, NEW.pm_status) THEN
			RAISE EXCEPTION 'cluster % cannot go from % to %', OLD.id, OLD.pm_status, NEW.pm_status
				USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'issue_clusters', COLUMN = 'pm_status',
					HINT = CASE NEW.pm_status WHEN 'new' THEN 'What was looked at is not new any more.'
						ELSE 'Move the cluster to reviewing first.' END;
		END IF;
		IF NEW.pm_status = 'fixed' THEN
			-- a time that was given with it is when the fix came out
			IF NEW.fixed_at IS NOT DISTINCT FROM OLD.fixed_at THEN
				NEW.fixed_at := now();
			END IF;
			NEW.regressed_at := NULL;
		END IF;
	END IF;
	-- of an earlier fix
	IF NEW.regressed_at < NEW.fixed_at THEN
		NEW.regressed_at := NULL;
	END IF;
	IF (NEW.cluster_name, NEW.cluster_summary, NEW.name_is_manual, NEW.pm_status, NEW.pm_notes, NEW.fixed_at, NEW.regressed_at,
			NEW.merged_into_id, NEW.merge_parent_id, NEW.archived_at, NEW.category, NEW.subcategory)
		IS DISTINCT FROM
		(OLD.cluster_name, OLD.cluster_summary, OLD.name_is_manual, OLD.pm_status, OLD.pm_notes, OLD.fixed_at, OLD.regressed_at,
			OLD.merged_into_id, OLD.merge_parent_id, OLD.archived_at, OLD.category, OLD.subcategory)
	THEN
		NEW.version := OLD.version + 1;
		NEW.updated_at := now();
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.issue_clusters_before() IS
	'trigger of issue_clusters: the state machine of pm_status, fixed_at and regressed_at when it becomes fixed, version, updated_at; raises 23514 (check_violation) for a transition that is not allowed';
REVOKE ALL ON FUNCTION triage.issue_clusters_before() FROM PUBLIC;

CREATE FUNCTION triage.issue_clusters_after() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.pm_status <> OLD.pm_status THEN
		PERFORM triage.add_cluster_event(NEW.tenant_id, 'status_changed', NEW.id, NULL, 'human', NULL, NULL,
			jsonb_build_object('from', OLD.pm_status, 'to', NEW.pm_status,
				'notes', CASE WHEN NEW.pm_notes IS DISTINCT FROM OLD.pm_notes THEN NEW.pm_notes END));
		PERFORM triage.emit_event(NEW.tenant_id, 'cluster.status_changed', NULL, NULL, NEW.id,
			jsonb_build_object('from', OLD.pm_status, 'to', NEW.pm_status));
	ELSIF NEW.pm_notes IS DISTINCT FROM OLD.pm_notes THEN
		PERFORM triage.add_cluster_event(NEW.tenant_id, 'noted', NEW.id, NULL, 'human', NULL, NULL,
			jsonb_build_object('notes', NEW.pm_notes));
	END IF;
	IF (NEW.archived_at IS NULL) <> (OLD.archived_at IS NULL) THEN
		PERFORM triage.add_cluster_event(NEW.tenant_id,
			CASE WHEN NEW.archived_at IS NULL THEN 'unarchived' ELSE 'archived' END::triage.cluster_event, NEW.id, NULL, 'human');
	END IF;
	-- the fix came out some time ago: what was reported since then may say that it was none
	IF NEW.pm_status = 'fixed' AND NEW.fixed_at < now() AND NEW.fixed_at IS DISTINCT FROM OLD.fixed_at AND NEW.regressed_at IS NULL THEN
		PERFORM triage.note_regression(NEW.tenant_id, NEW.id, first.id)
			FROM (
				SELECT i.id
					FROM triage.extracted_issues i
					WHERE i.tenant_id = NEW.tenant_id AND i.cluster_id = NEW.id AND i.superseded_at IS NULL
						AND i.reported_at > NEW.fixed_at + (
							SELECT s.regression_grace FROM triage.mining_settings_of(NEW.tenant_id) s)
					ORDER BY i.reported_at, i.id
					LIMIT 1) first;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.issue_clusters_after() IS
	'trigger of issue_clusters: logs what a person changed, by function or by UPDATE: status, notes, archiving; and sees whether a cluster whose fixed_at was set back has regressed since; raises nothing';
REVOKE ALL ON FUNCTION triage.issue_clusters_after() FROM PUBLIC;

-- What a foreign key's SET NULL would do, which cannot leave the tenant as it is everywhere.
CREATE FUNCTION triage.issue_clusters_deleted() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.cluster_events (tenant_id, issue_id, event, assigner, details, actor, session_role)
		SELECT i.tenant_id, i.id, 'unplaced', 'human', jsonb_build_object('reason', 'its cluster was deleted', 'cluster', OLD.id),
				triage.current_actor(), session_user
			FROM triage.extracted_issues i
			WHERE i.tenant_id = OLD.tenant_id AND i.cluster_id = OLD.id AND i.superseded_at IS NULL
			ORDER BY i.id;
	UPDATE triage.extracted_issues i
		SET cluster_id = NULL, assigned_by = NULL, assignment_score = NULL, assigned_at = NULL, algorithm = NULL
		WHERE i.tenant_id = OLD.tenant_id AND i.cluster_id = OLD.id;
	RETURN OLD;
END
$$;
COMMENT ON FUNCTION triage.issue_clusters_deleted() IS
	'trigger of issue_clusters: leaves the issues of a cluster that is deleted without one, and logs it; raises nothing';
REVOKE ALL ON FUNCTION triage.issue_clusters_deleted() FROM PUBLIC;

CREATE FUNCTION triage.cluster_events_append_only() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- cascades pass: the cluster or the issue is gone already when what is logged of it goes
	IF TG_OP = 'DELETE' AND NOT (
		(OLD.cluster_id IS NULL OR EXISTS (
			SELECT FROM triage.issue_clusters c WHERE c.tenant_id = OLD.tenant_id AND c.id = OLD.cluster_id))
		AND (OLD.issue_id IS NULL OR EXISTS (
			SELECT FROM triage.extracted_issues i WHERE i.tenant_id = OLD.tenant_id AND i.id = OLD.issue_id)))
	THEN
		RETURN OLD;
	END IF;
	-- so does the owner's purge of what table retention no longer keeps
	IF TG_OP = 'DELETE' AND OLD.event = 'asked' AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
		AND EXISTS (SELECT FROM triage.retention r WHERE r.target = 'asked_events' AND OLD.created_at < now() - r.keep)
	THEN
		RETURN OLD;
	END IF;
	-- and the owner's erasure of what quotes a customer, which changes nothing else
	IF TG_OP = 'UPDATE' AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
		AND to_jsonb(NEW) - 'details' = to_jsonb(OLD) - 'details'
		AND NEW.details - '{reason,from,to}'::text[] = OLD.details - '{reason,from,to}'::text[]
		AND coalesce(NEW.details -> 'reason', '"[erased]"') IN (OLD.details -> 'reason', '"[erased]"')
		AND coalesce(NEW.details -> 'from', '"[erased]"') IN (OLD.details -> 'from', '"[erased]"')
		AND coalesce(NEW.details -> 'to', '"[erased]"') IN (OLD.details -> 'to', '"[erased]"')
	THEN
		RETURN NEW;
	END IF;
	RAISE EXCEPTION 'table "%" is append-only', TG_TABLE_NAME
		USING ERRCODE = 'insufficient_privilege', HINT = 'The log of decisions is not to be changed.';
END
$$;
COMMENT ON FUNCTION triage.cluster_events_append_only() IS
	'trigger of cluster_events: lets what is logged of a deleted cluster or issue go with it, lets the owner delete events of kind asked that table retention no longer keeps and blank texts for erase_person(), and raises 42501 (insufficient_privilege) for every other UPDATE, DELETE or TRUNCATE';
REVOKE ALL ON FUNCTION triage.cluster_events_append_only() FROM PUBLIC;

CREATE FUNCTION triage.install_cluster_triggers() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	CREATE OR REPLACE TRIGGER issue_clusters_before
		BEFORE INSERT OR UPDATE ON triage.issue_clusters
		FOR EACH ROW EXECUTE FUNCTION triage.issue_clusters_before();
	CREATE OR REPLACE TRIGGER issue_clusters_after
		AFTER UPDATE ON triage.issue_clusters
		FOR EACH ROW WHEN (OLD.pm_status <> NEW.pm_status OR OLD.pm_notes IS DISTINCT FROM NEW.pm_notes
			OR OLD.archived_at IS DISTINCT FROM NEW.archived_at OR OLD.fixed_at IS DISTINCT FROM NEW.fixed_at)
		EXECUTE FUNCTION triage.issue_clusters_after();
	CREATE OR REPLACE TRIGGER issue_clusters_deleted
		BEFORE DELETE ON triage.issue_clusters
		FOR EACH ROW EXECUTE FUNCTION triage.issue_clusters_deleted();
	CREATE OR REPLACE TRIGGER cluster_events_append_only
		BEFORE UPDATE OR DELETE ON triage.cluster_events
		FOR EACH ROW EXECUTE FUNCTION triage.cluster_events_append_only();
	CREATE OR REPLACE TRIGGER cluster_events_no_truncate
		BEFORE TRUNCATE ON triage.cluster_events
		FOR EACH STATEMENT EXECUTE FUNCTION triage.cluster_events_append_only();
END
$install$;
COMMENT ON FUNCTION triage.install_cluster_triggers() IS
	'part of install(): creates or replaces the triggers of clusters and their log; takes nothing, returns nothing';
REVOKE ALL ON FUNCTION triage.install_cluster_triggers() FROM PUBLIC;

CREATE FUNCTION triage.install_cluster_comments() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
DECLARE
	item record;
BEGIN
	COMMENT ON TABLE triage.issue_clusters IS
		'the problems that issues report, and what product management has decided of each; how many issues, of whom and since when is in cluster_trends; new ones, merges and names are written by functions only';
	COMMENT ON TABLE triage.cluster_exclusions IS
		'"not this": what reads like this does not come to this cluster by itself, nor to one that it is merged into; unassign_issue(), assign_issue() and split_cluster() write it';
	COMMENT ON TABLE triage.cluster_events IS
		'what happened to clusters and to issues on their way to one, each decision with its reason; append-only, and gone with its cluster or issue; what the model was asked goes when table retention says so';
	FOR item IN
		SELECT v.relation, v.name, v.comment
		FROM (VALUES
			('issue_clusters', 'tenant_id', 'whose it is'),
			('issue_clusters', 'id', 'grows in the order of writing'),
			('issue_clusters', 'public_id', 'to be shown outside'),
			('issue_clusters', 'category', 'of its first issue'),
			('issue_clusters', 'subcategory', 'of its first issue'),
			('issue_clusters', 'cluster_name', 'until it is named: its first issue''s summary, cut at 200 characters'),
			('issue_clusters', 'cluster_summary', 'what the problem is; null: not named yet'),
			('issue_clusters', 'name_is_manual', 'whether a person named it, so that the model does not'),
			('issue_clusters', 'named_at_count', 'the stage (3, 10, 30 or 100 issues) at which the model was last asked for a name; 0: never'),
			('issue_clusters', 'pm_status', 'what product management has decided'),
			('issue_clusters', 'pm_notes', 'why, in their words'),
			('issue_clusters', 'fixed_at', 'when it was last declared fixed, or when the fix came out; null: never'),
			('issue_clusters', 'regressed_at', 'when an issue was reported for the first time after fixed_at and the grace time; null: none was, or it was declared fixed again'),
			('issue_clusters', 'merged_into_id', 'the live cluster that its issues count in; null: it is one itself'),
			('issue_clusters', 'merge_parent_id', 'the cluster that it was merged with, which may itself have been merged since; an undo goes by it'),
			('issue_clusters', 'archived_at', 'when it was put away; null: it is not'),
			('issue_clusters', 'version', 'to be handed to expected_version'),
			('issue_clusters', 'created_at', 'when it was made; when it was first reported is in cluster_trends'),
			('issue_clusters', 'updated_at', 'when it last changed; its issues do not count'),
			('cluster_exclusions', 'tenant_id', 'whose it is'),
			('cluster_exclusions', 'id', 'grows in the order of writing'),
			('cluster_exclusions', 'cluster_id', 'the cluster'),
			('cluster_exclusions', 'fingerprint', 'of the issue that was taken out of it, see issue_fingerprint()'),
			('cluster_exclusions', 'created_by', 'the actor who took it out'),
			('cluster_exclusions', 'created_at', 'when'),
			('cluster_events', 'tenant_id', 'whose it is'),
			('cluster_events', 'id', 'grows in the order of writing'),
			('cluster_events', 'cluster_id', 'the cluster; null: the issue was left without one'),
			('cluster_events', 'issue_id', 'the issue; null: the cluster itself is concerned'),
			('cluster_events', 'event', 'what happened'),
			('cluster_events', 'assigner', 'who decided; null: nobody'),
			('cluster_events', 'score', '0 to 1: of exact and lexical how alike, of model its own confidence; null: there is none'),
			('cluster_events', 'algorithm', 'version of the rules that decided, see cluster_algorithm(); null: a person did'),
			('cluster_events', 'run_id', 'the call that gave the answer; no foreign key, runs may be purged'),
			('cluster_events', 'details', 'a JSON object: reason, and by event label and labels (what the model could choose from), from, to, into, along (clusters that a merge took along), notes'),
			('cluster_events', 'actor', 'triage for what was decided without a person; else setting triage.actor, which the session claims, or the session''s role'),
			('cluster_events', 'session_role', 'the role that was logged in'),
			('cluster_events', 'created_at', 'when')) v (relation, name, comment)
	LOOP
		EXECUTE format('COMMENT ON COLUMN triage.%I.%I IS %L', item.relation, item.name, item.comment);
	END LOOP;
END
$install$;
COMMENT ON FUNCTION triage.install_cluster_comments() IS
	'part of install(): comments the tables of clusters and their columns; takes nothing, returns nothing; raises what COMMENT raises';
REVOKE ALL ON FUNCTION triage.install_cluster_comments() FROM PUBLIC;
