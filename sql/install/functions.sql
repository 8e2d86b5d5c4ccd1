-- Functions that tables, policies and triggers rest on.

CREATE FUNCTION triage.current_tenant() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'triage_current_tenant';
COMMENT ON FUNCTION triage.current_tenant() IS
	'the tenant this session works for: setting triage.tenant; when that is empty, the one tenant that role_tenants lists for the session''s role, or "default"; raises 42501 when it lists others, for the role that logged in or the one that was taken with SET ROLE';

CREATE FUNCTION triage.current_actor() RETURNS text
	LANGUAGE c STABLE PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'triage_current_actor';
COMMENT ON FUNCTION triage.current_actor() IS
	'who the audit trail says is acting: setting triage.actor, or the session user when that is empty; raises nothing';

CREATE FUNCTION triage.written_here(xid) RETURNS boolean
	LANGUAGE c STABLE STRICT
	AS 'MODULE_PATHNAME', 'triage_written_here';
COMMENT ON FUNCTION triage.written_here(xid) IS
	'whether a row version with this xmin was written by the current transaction or one of its subtransactions; raises nothing';

CREATE FUNCTION triage.enum_labels() RETURNS TABLE (type_name text, "position" int, label text)
	LANGUAGE c IMMUTABLE
	AS 'MODULE_PATHNAME', 'triage_enum_labels';
COMMENT ON FUNCTION triage.enum_labels() IS
	'the labels that the library knows of the enums it shares with SQL, for the test that compares them; raises nothing';

CREATE FUNCTION triage.origin_refusal(base_url text) RETURNS text
	LANGUAGE c STABLE STRICT
	AS 'MODULE_PATHNAME', 'triage_origin_refusal';
COMMENT ON FUNCTION triage.origin_refusal(text) IS
	'why the worker would not call this URL, going by setting triage.allowed_origins alone; null when it would; nothing is looked up or connected; raises nothing';

CREATE FUNCTION triage.url_refusal(base_url text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_url_refusal';
COMMENT ON FUNCTION triage.url_refusal(text) IS
	'why this URL would not be called whatever triage.allowed_origins lists; null when an entry of it may let it through; raises nothing';

CREATE FUNCTION triage.check_schema() RETURNS void
	LANGUAGE c STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_check_schema';
COMMENT ON FUNCTION triage.check_schema() IS
	'returns when the tables are there and fit the library, else raises 55000 (object_not_in_prerequisite_state) with the call that helps';

CREATE FUNCTION triage.wake_worker() RETURNS void
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'triage_wake_worker';
COMMENT ON FUNCTION triage.wake_worker() IS
	'wakes this database''s worker when the current transaction commits; starts one if none runs and triage.autostart is on; raises nothing';

CREATE FUNCTION triage.tickets_before() RETURNS trigger
	LANGUAGE c
	AS 'MODULE_PATHNAME', 'triage_tickets_before';
COMMENT ON FUNCTION triage.tickets_before() IS
	'trigger of tickets: state machine, times that follow from the status, version, manual flags, search; raises 23514 (check_violation) for a transition that is not allowed';

CREATE FUNCTION triage.tickets_after_insert() RETURNS trigger
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_tickets_after_insert';
COMMENT ON FUNCTION triage.tickets_after_insert() IS
	'trigger of tickets: requests triage of what a statement inserted, logs assignments, wakes the worker at commit';

CREATE FUNCTION triage.tickets_after_update() RETURNS trigger
	LANGUAGE c SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_tickets_after_update';
COMMENT ON FUNCTION triage.tickets_after_update() IS
	'trigger of tickets: writes the history of what a statement changed, logs assignments, requests triage of a changed text and of a reopened ticket without a result, calls off the job of a finished or deleted ticket';

CREATE FUNCTION triage.table_changed() RETURNS trigger
	LANGUAGE c
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_table_changed';
COMMENT ON FUNCTION triage.table_changed() IS
	'trigger of role_tenants and event_consumers: has all sessions read the table anew when the transaction commits; raises nothing';

CREATE FUNCTION triage.tickets_after_delete() RETURNS trigger
	LANGUAGE c
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_tickets_after_delete';
COMMENT ON FUNCTION triage.tickets_after_delete() IS
	'trigger of tickets: wakes the worker at commit, which cuts off the calls that are in the air for deleted tickets; raises nothing';

CREATE FUNCTION triage.append_only() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- a cascade passes: the ticket is gone already when its history goes
	IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'ticket_history' THEN
		IF NOT EXISTS (SELECT FROM triage.tickets t WHERE t.id = OLD.ticket_id AND t.tenant_id = OLD.tenant_id) THEN
			RETURN OLD;
		END IF;
	END IF;
	-- so does the owner's purge of what table retention no longer keeps
	IF TG_OP = 'DELETE' AND TG_TABLE_NAME IN ('ai_runs', 'sync_runs')
		AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE')
	THEN
		IF EXISTS (SELECT FROM triage.retention r WHERE r.target = TG_TABLE_NAME AND OLD.finished_at < now() - r.keep) THEN
			RETURN OLD;
		END IF;
	END IF;
	-- and the owner's erasure of a person's text, which blanks that and changes nothing else
	IF TG_OP = 'UPDATE' AND pg_has_role((SELECT c.relowner FROM pg_class c WHERE c.oid = TG_RELID), 'USAGE') THEN
		IF TG_TABLE_NAME = 'ticket_history' THEN
			IF to_jsonb(NEW) - '{old_value,new_value}'::text[] = to_jsonb(OLD) - '{old_value,new_value}'::text[]
				AND (NEW.old_value IS NOT DISTINCT FROM OLD.old_value OR (NEW.old_value = '"[erased]"' AND OLD.old_value IS NOT NULL))
				AND (NEW.new_value IS NOT DISTINCT FROM OLD.new_value OR (NEW.new_value = '"[erased]"' AND OLD.new_value IS NOT NULL))
			THEN
				RETURN NEW;
			END IF;
		ELSIF TG_TABLE_NAME = 'ai_runs' THEN
			IF to_jsonb(NEW) - 'error' = to_jsonb(OLD) - 'error' AND NEW.error = '[erased]' AND OLD.error IS NOT NULL THEN
				RETURN NEW;
			END IF;
		END IF;
	END IF;
	RAISE EXCEPTION 'table "%" is append-only', TG_TABLE_NAME
		USING ERRCODE = 'insufficient_privilege',
			HINT = CASE TG_TABLE_NAME WHEN 'sync_runs' THEN 'How long its rows are kept is in triage.retention.'
				ELSE 'The audit trail and the ledger of calls are not to be changed.' END;
END
$$;
COMMENT ON FUNCTION triage.append_only() IS
	'trigger of ticket_history, ai_runs and sync_runs: lets a deleted ticket''s history go with it, lets the owner delete runs that table retention no longer keeps and blank text for erase_person(), and raises 42501 (insufficient_privilege) for every other UPDATE, DELETE or TRUNCATE';

CREATE FUNCTION triage.prompts_immutable() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION 'prompt version % cannot be changed or deleted', OLD.version
		USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'Results name the version that produced them. Insert a new version, or set is_active.';
END
$$;
COMMENT ON FUNCTION triage.prompts_immutable() IS
	'trigger of prompts: raises 55000 when the text, kind, tenant or version of a prompt is changed, or a prompt is deleted';

CREATE FUNCTION triage.providers_changed() RETURNS trigger
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- the worker goes by this: a provider that was left alone is tried again at once
	NEW.updated_at := clock_timestamp();
	PERFORM triage.wake_worker();
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION triage.providers_changed() IS
	'trigger of providers: sets updated_at and wakes the worker at commit; raises nothing';
