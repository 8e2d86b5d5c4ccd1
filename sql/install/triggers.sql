-- The triggers.  CREATE OR REPLACE, so that install() can run again.

CREATE FUNCTION triage.install_triggers() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	CREATE OR REPLACE TRIGGER tickets_before
		BEFORE INSERT OR UPDATE ON triage.tickets
		FOR EACH ROW EXECUTE FUNCTION triage.tickets_before();
	CREATE OR REPLACE TRIGGER tickets_closed_by_client
		AFTER UPDATE ON triage.tickets
		FOR EACH ROW WHEN (NEW.resolution = 'closed_by_client' AND OLD.resolution IS DISTINCT FROM NEW.resolution)
		EXECUTE FUNCTION triage.check_closed_by_client();
	CREATE OR REPLACE TRIGGER tickets_after_insert
		AFTER INSERT ON triage.tickets
		REFERENCING NEW TABLE AS new_tickets
		FOR EACH STATEMENT EXECUTE FUNCTION triage.tickets_after_insert();
	CREATE OR REPLACE TRIGGER tickets_after_update
		AFTER UPDATE ON triage.tickets
		REFERENCING OLD TABLE AS old_tickets NEW TABLE AS new_tickets
		FOR EACH STATEMENT EXECUTE FUNCTION triage.tickets_after_update();
	CREATE OR REPLACE TRIGGER tickets_after_delete
		AFTER DELETE ON triage.tickets
		REFERENCING OLD TABLE AS old_tickets
		FOR EACH STATEMENT EXECUTE FUNCTION triage.tickets_after_delete();

	CREATE OR REPLACE TRIGGER ticket_comments_before
		BEFORE INSERT ON triage.ticket_comments
		FOR EACH ROW EXECUTE FUNCTION triage.ticket_comments_before();
	CREATE OR REPLACE TRIGGER ticket_comments_after
		AFTER INSERT ON triage.ticket_comments
		FOR EACH ROW EXECUTE FUNCTION triage.ticket_comments_after();

	CREATE OR REPLACE TRIGGER ticket_history_append_only
		BEFORE UPDATE OR DELETE ON triage.ticket_history
		FOR EACH ROW EXECUTE FUNCTION triage.append_only();
	CREATE OR REPLACE TRIGGER ticket_history_no_truncate
		BEFORE TRUNCATE ON triage.ticket_history
		FOR EACH STATEMENT EXECUTE FUNCTION triage.append_only();
	CREATE OR REPLACE TRIGGER ai_runs_append_only
		BEFORE UPDATE OR DELETE ON triage.ai_runs
		FOR EACH ROW EXECUTE FUNCTION triage.append_only();
	CREATE OR REPLACE TRIGGER ai_runs_no_truncate
		BEFORE TRUNCATE ON triage.ai_runs
		FOR EACH STATEMENT EXECUTE FUNCTION triage.append_only();

	CREATE OR REPLACE TRIGGER role_tenants_changed
		AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON triage.role_tenants
		FOR EACH STATEMENT EXECUTE FUNCTION triage.table_changed();
	CREATE OR REPLACE TRIGGER providers_changed
		BEFORE INSERT OR UPDATE ON triage.providers
		FOR EACH ROW EXECUTE FUNCTION triage.providers_changed();
	CREATE OR REPLACE TRIGGER prompts_immutable
		BEFORE DELETE OR UPDATE OF tenant_id, kind, version, system_text ON triage.prompts
		FOR EACH ROW EXECUTE FUNCTION triage.prompts_immutable();
	PERFORM triage.install_event_triggers();
	PERFORM triage.install_review_triggers();
	PERFORM triage.install_trend_triggers();

	PERFORM triage.install_chat_triggers();
	PERFORM triage.install_extraction_triggers();
END
$install$;
COMMENT ON FUNCTION triage.install_triggers() IS
	'part of install(): creates or replaces the triggers; takes nothing, returns nothing';
REVOKE ALL ON FUNCTION triage.install_triggers() FROM PUBLIC;
