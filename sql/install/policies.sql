-- Row security: a session sees the rows of its tenant.  It guards against an application's mistakes, not against hostile
-- SQL (a session may set triage.tenant) unless role_tenants holds its role to some; the tables' owner is not bound by it,
-- and a worker's role has a policy of its own (api_access.sql).

CREATE FUNCTION triage.install_policies() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
DECLARE
	tenant_tables CONSTANT name[] := '{people, ticket_categories, prompts, tickets, ticket_comments, ticket_history, '
		'imports, import_errors, '
		'events, ai_feedback, '
		'ticket_assignments, ai_jobs, ai_dead_letters, ai_runs, ticket_ai_results, role_tenants, '
		'chat_sessions, chat_messages, chat_attachments, chat_tickets, '
		'ticket_escalations, conversation_summaries, chat_settings, '
		'organizations, issue_taxonomy, mining_settings, issue_clusters, extracted_issues, cluster_exclusions, cluster_events, '
		'ticket_extractions, '
		'sync_sources, sync_state, sync_runs, synced_tickets}';
	comment_tables CONSTANT name[] := '{comment_edits, comment_attachments, ticket_links}';
	target name;
	key name;
BEGIN
	FOREACH target IN ARRAY tenant_tables || comment_tables || name 'tenants' LOOP
		key := CASE target WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END;
		-- a table that has it already is left alone: both commands lock the table against everything
		IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = format('triage.%I', target)::regclass) THEN
			EXECUTE format('ALTER TABLE triage.%I ENABLE ROW LEVEL SECURITY', target);
		END IF;
		IF NOT EXISTS (
			SELECT FROM pg_policy p WHERE p.polrelid = format('triage.%I', target)::regclass AND p.polname = 'tenant')
		THEN
			-- the sub-select is evaluated once a query, not once a row
			EXECUTE format('CREATE POLICY tenant ON triage.%I '
				'USING (%I = (SELECT triage.current_tenant())) WITH CHECK (%2$I = (SELECT triage.current_tenant()))',
				target, key);
		END IF;
	END LOOP;
	-- a budget of all tenants is everybody's to see, a tenant's own only that tenant's
	FOREACH target IN ARRAY ARRAY['budgets', 'budget_usage', 'budget_reservations',
		'event_consumers']::name[] LOOP
		IF NOT (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = format('triage.%I', target)::regclass) THEN
			EXECUTE format('ALTER TABLE triage.%I ENABLE ROW LEVEL SECURITY', target);
		END IF;
		IF NOT EXISTS (
			SELECT FROM pg_policy p WHERE p.polrelid = format('triage.%I', target)::regclass AND p.polname = 'tenant')
		THEN
			EXECUTE format('CREATE POLICY tenant ON triage.%I USING (%s)', target, CASE target
				WHEN 'budgets' THEN 'tenant IS NULL OR tenant = (SELECT triage.current_tenant())'
				WHEN 'event_consumers' THEN 'tenant IS NULL OR tenant = (SELECT triage.current_tenant())'
				WHEN 'budget_usage' THEN 'EXISTS (SELECT FROM triage.budgets b WHERE b.id = budget)'
				ELSE 'tenant = (SELECT triage.current_tenant())' END);
		END IF;
	END LOOP;
END
$install$;
COMMENT ON FUNCTION triage.install_policies() IS
	'part of install(): enables row security on each tenant table and creates its policy where there is none; takes nothing, returns nothing; raises what ALTER TABLE and CREATE POLICY raise';
REVOKE ALL ON FUNCTION triage.install_policies() FROM PUBLIC;
