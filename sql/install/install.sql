-- install() and uninstall(): the tables are ordinary tables that live beside the extension, not in it.
--
-- Were they members, a restore would fire their triggers while it loads them (every ticket sent to the model again),
-- pg_restore -j would lose rows, a user's own column would break it, and DROP EXTENSION would delete all tickets.
-- So CREATE EXTENSION calls install() and install() takes what it made out of the extension again.  A dump contains
-- the tables like any others; while one is restored (row_security is off) the script leaves their place free.

CREATE FUNCTION triage.install() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
DECLARE
	current_version CONSTANT int := 1;
	me oid := (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user);
	foreign_object record;
	member record;
	present boolean := to_regclass('triage.schema_version') IS NOT NULL;
	homeless boolean := to_regclass('triage.home') IS NULL;
	found_version int;
BEGIN
	-- whose the schema is may drop our tables and put his own in their place, triggers and all, and functions beside ours
	IF (SELECT n.nspowner <> me AND NOT r.rolsuper FROM pg_namespace n JOIN pg_roles r ON r.oid = n.nspowner WHERE n.nspname = 'triage') THEN
		RAISE EXCEPTION 'schema "triage" is owned by role "%"',
				(SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n WHERE n.nspname = 'triage')
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Look at what is in it. Drop it, or make it yours with ALTER SCHEMA triage OWNER TO CURRENT_USER.';
	END IF;
	-- somebody else's table in our place would run with our triggers' rights, or ours with his
	SELECT c.relname, pg_get_userbyid(c.relowner) AS owner INTO foreign_object
	FROM pg_class c
	WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND c.relowner <> me
	ORDER BY c.relname LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'relation "triage.%" is owned by role "%"', foreign_object.relname, foreign_object.owner
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Run triage.install() as the owner of the tables, or remove what does not belong to triage.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'triage' AND e.extowner = me) THEN
		RAISE EXCEPTION 'only the owner of extension "triage" can install its tables'
			USING ERRCODE = 'insufficient_privilege', HINT = format('Its owner is role "%s".',
				(SELECT pg_get_userbyid(e.extowner) FROM pg_extension e WHERE e.extname = 'triage'));
	END IF;
	IF present THEN
		-- First what writers lock first, in their order: each of the statements below wants a lock on one more table, and
		-- with the locks of an earlier one would meet theirs.
		IF to_regclass('triage.chat_attachments') IS NOT NULL AND to_regclass('triage.chat_messages') IS NOT NULL THEN
			LOCK TABLE triage.chat_attachments, triage.chat_messages IN EXCLUSIVE MODE;
		END IF;
		IF to_regclass('triage.ticket_comments') IS NOT NULL AND to_regclass('triage.tickets') IS NOT NULL THEN
			LOCK TABLE triage.ticket_comments, triage.tickets IN EXCLUSIVE MODE;
		END IF;
		SELECT max(v.version) INTO found_version FROM triage.schema_version v;
		IF found_version > current_version THEN
			RAISE EXCEPTION 'the tables are of version %, this extension knows version %', found_version, current_version
				USING ERRCODE = 'object_not_in_prerequisite_state',
					HINT = 'Run ALTER EXTENSION triage UPDATE.';
		END IF;
	END IF;

	-- Inside an extension's script the server lets CREATE ... IF NOT EXISTS and OR REPLACE find the extension's own
	-- objects only, so that nobody's trap is taken for one of them.  Whose these are was seen above.
	IF triage.in_extension_script() THEN
		FOR member IN
			SELECT c.oid::regclass AS name, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
			FROM pg_class c
			WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT EXISTS (
				SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		LOOP
			EXECUTE format('ALTER EXTENSION triage ADD %s %s', member.kind, member.name);
		END LOOP;
	END IF;
	PERFORM triage.install_tables();
	PERFORM triage.install_records_tables();
	PERFORM triage.install_triggers();
	PERFORM triage.install_cluster_triggers();
	PERFORM triage.install_views();
	PERFORM triage.install_sync_views();
	PERFORM triage.install_extraction_views();
	PERFORM triage.install_policies();
	PERFORM triage.install_comments();
	PERFORM triage.install_chat_comments();
	PERFORM triage.install_handoff_comments();
	PERFORM triage.install_extraction_comments();
	PERFORM triage.install_cluster_comments();
	PERFORM triage.install_column_comments();
	EXECUTE 'REVOKE ALL ON ALL TABLES IN SCHEMA triage FROM PUBLIC';

	INSERT INTO triage.schema_version (version) VALUES (current_version) ON CONFLICT DO NOTHING;
	INSERT INTO triage.worker_control (id) VALUES (true) ON CONFLICT DO NOTHING;
	-- for ever, until the administrator says otherwise
	INSERT INTO triage.retention (target)
		VALUES ('ai_runs'), ('ai_dead_letters'), ('superseded_results'), ('deleted_tickets'), ('archived_sessions') ON CONFLICT DO NOTHING;
	-- these are copies, which all who want them have read
	INSERT INTO triage.retention (target, keep) VALUES ('events', '7 days') ON CONFLICT DO NOTHING;
	INSERT INTO triage.retention (target, keep) VALUES ('sync_runs', '30 days') ON CONFLICT DO NOTHING;
	INSERT INTO triage.tenants (id, name) VALUES ('default', 'Default tenant') ON CONFLICT DO NOTHING;
	-- a copy's home stays where it was, or unknown, until somebody calls adopt()
	IF homeless THEN
		PERFORM triage.write_home();
	END IF;
	PERFORM triage.load_default_vocabulary('default');
	-- ranked last: whatever the DBA adds serves before it
	INSERT INTO triage.providers (name, api, rank) VALUES ('builtin', 'builtin', 1000) ON CONFLICT DO NOTHING;

	FOR member IN
		SELECT c.oid::regclass AS name,
			CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
		FROM pg_depend d
			JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
			JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
		WHERE d.deptype = 'e' AND e.extname = 'triage'
	LOOP
		EXECUTE format('ALTER EXTENSION triage DROP %s %s', member.kind, member.name);
	END LOOP;
	PERFORM triage.wake_worker();
END
$install$;
COMMENT ON FUNCTION triage.install() IS
	'creates the tables, indexes, triggers, policies and views, and brings those of an older version or a restored dump up to date; can be run again; takes and returns nothing; raises 55000 when schema triage or relations in it belong to another role or are newer, 42501 when the caller does not own the extension';
REVOKE ALL ON FUNCTION triage.install() FROM PUBLIC;

CREATE FUNCTION triage.uninstall(confirm text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $uninstall$
BEGIN
	IF confirm IS DISTINCT FROM 'delete all tickets' THEN
		RAISE EXCEPTION 'uninstall was not confirmed'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'SELECT triage.uninstall(confirm => ''delete all tickets'') deletes every table of triage and all data in them.';
	END IF;
	-- every transaction of the worker begins with this table: no other lock of it can be in the way after this one
	IF to_regclass('triage.schema_version') IS NOT NULL THEN
		LOCK TABLE triage.schema_version IN ACCESS EXCLUSIVE MODE;
	END IF;
	-- ours by name, and RESTRICT: what others hang on them is reported and not dropped
	DROP VIEW IF EXISTS triage.chat_overview;
	DROP VIEW IF EXISTS triage.extraction_progress;
	DROP VIEW IF EXISTS triage.budget_status, triage.inbox, triage.dashboard, triage.queue_stats, triage.worker_status, triage.worker_stats, triage.ai_failures,
		triage.event_consumers_status,
		triage.ai_quality, triage.ai_calibration,
		triage.ai_state, triage.provider_status;
	DROP TABLE IF EXISTS triage.import_errors, triage.imports;
	DROP VIEW IF EXISTS triage.support_tickets;
	DROP VIEW IF EXISTS triage.zendesk_tickets, triage.sync_state_overview, triage.sync_status;
	DROP VIEW IF EXISTS triage.helpdesk_tickets, triage.ticket_timeline, triage.linked_tickets;
	DROP TABLE IF EXISTS triage.comment_edits, triage.comment_attachments, triage.ticket_links;
	DROP TABLE IF EXISTS triage.events, triage.event_consumers, triage.event_generations, triage.ai_feedback;
	DROP VIEW IF EXISTS triage.cluster_trends, triage.cluster_counts;
	DROP TABLE IF EXISTS triage.cluster_deltas, triage.cluster_daily, triage.cluster_customers, triage.cluster_totals;
	DROP TABLE IF EXISTS triage.sync_runs, triage.sync_state, triage.synced_tickets, triage.cluster_events,
		triage.cluster_exclusions, triage.ticket_extractions, triage.extracted_issues;
	DROP TABLE IF EXISTS triage.ticket_ai_results, triage.ai_runs, triage.ai_dead_letters, triage.ai_jobs,
		triage.ticket_escalations, triage.conversation_summaries, triage.chat_settings,
		triage.chat_tickets, triage.chat_attachments, triage.chat_messages, triage.chat_sessions,
		triage.ticket_assignments, triage.ticket_history, triage.ticket_comments, triage.tickets, triage.providers,
		triage.budget_reservations, triage.budget_usage, triage.budgets, triage.model_prices,
		triage.prompts, triage.ticket_categories, triage.people, triage.organizations, triage.sync_sources,
		triage.issue_clusters, triage.mining_settings, triage.issue_taxonomy, triage.role_tenants, triage.tenants,
		triage.worker_control, triage.retention, triage.home, triage.schema_version;
	PERFORM triage.wake_worker();
END
$uninstall$;
COMMENT ON FUNCTION triage.uninstall(text) IS
	'drops the tables and views with all their data, after which DROP EXTENSION triage succeeds; confirm must be ''delete all tickets'', else 22023 (invalid_parameter_value); returns nothing; raises 2BP01 (dependent_objects_still_exist) when others'' objects depend on them';
REVOKE ALL ON FUNCTION triage.uninstall(text) FROM PUBLIC;

-- pg_dump's archives set row_security off before their first statement: then the tables come from the archive.
DO $$
BEGIN
	IF current_setting('row_security')::boolean THEN
		PERFORM triage.install();
	ELSE
		RAISE NOTICE 'tables of extension "triage" are not created because row_security is off, as in a restore'
			USING HINT = 'If this is no restore, run SELECT triage.install().';
	END IF;
END
$$;
