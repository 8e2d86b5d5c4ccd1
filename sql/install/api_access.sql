-- Who may do what: the levels that grant_access() hands out, and the tenants that a role is held to.
--
-- Roles belong to the whole cluster and are the administrator's: none is created here.  Nothing is granted to PUBLIC, and
-- TRIGGER to nobody: what a trigger does, it does with the rights of whoever writes, the worker included.

-- The one list.  Each function (trigger functions aside), table and view of the schema stands in it; a test compares it
-- with the catalogs.  reader is part of agent, agent of admin; worker and consumer stand beside them; owner is granted to nobody.
CREATE FUNCTION triage.access_list() RETURNS TABLE (level text, kind text, name text, privileges text)
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT v.level, v.kind, u.name, v.privileges
		FROM (VALUES
			('reader', 'function', 'EXECUTE',
				'current_tenant current_actor check_schema written_here search_tickets list_tickets wait_for_triage '
				'worker_counters health run_stats explain_ticket explain_job explain_results explain_runs prompt_sha256 '
				'hold_reason'),
			('reader', 'relation', 'SELECT',
				'tenants people ticket_categories tickets ticket_comments ticket_history ticket_assignments ai_jobs '
				'ai_dead_letters ai_runs ticket_ai_results '
				'ai_state inbox dashboard queue_stats worker_status worker_stats ai_failures'),
			('reader', 'relation', 'SELECT', 'ai_feedback ai_quality ai_calibration'),
			('reader', 'function', 'EXECUTE', 'ai_assisted text_similarity'),

			('reader', 'relation', 'SELECT', 'chat_sessions chat_messages chat_attachments chat_tickets chat_overview'),
			('reader', 'function', 'EXECUTE', 'conversation search_messages'),

			('reader', 'function', 'EXECUTE', 'chat_settings_of'),
			('reader', 'relation', 'SELECT', 'ticket_escalations conversation_summaries chat_settings support_tickets'),

			('reader', 'function', 'EXECUTE', 'report_html report_backlog report_backlog_section report_cluster_facts report_clusters_section report_costs report_curve report_days report_key report_keys report_latency report_mix_section report_outcomes_section report_period report_quotes report_trend report_volume report_volume_section '
				'html_chart html_date html_duration html_escape html_money html_number html_row html_section html_shares html_style html_table html_text svg_bar svg_bars svg_scale svg_sparkline'),
			('owner', 'function', '', 'demo_clusters demo_issues load_demo_issues remove_demo_issues'),

			('agent', 'function', 'EXECUTE',
				'escalate_session escalate_ticket take_over_session hand_back_to_ai request_summary request_session_summary'),
			('agent', 'function', 'EXECUTE',
				'create_ticket update_ticket assign_ticket unassign_ticket resolve_ticket close_ticket reopen_ticket '
				'delete_ticket add_comment request_triage lock_ticket check_tenant check_category '
				'check_ticket_changes ensure_person ensure_agent'),
			('agent', 'function', 'EXECUTE', 'accept_draft edit_draft reject_draft correct_result'),
			('agent', 'relation', 'INSERT, UPDATE', 'tickets people'),
			('agent', 'relation', 'INSERT', 'ticket_comments'),
			('agent', 'relation', 'INSERT, UPDATE', 'chat_sessions'),
			('agent', 'relation', 'INSERT', 'chat_messages chat_attachments chat_tickets'),
			-- a message's search column is computed with it
			('agent', 'function', 'EXECUTE', 'ts_config'),
			('agent', 'function', 'EXECUTE', 'start_session post_message attach_file end_session archive_session link_session '
				'lock_chat check_message ensure_author'),
			('worker', 'function', 'EXECUTE', 'read_chat_reply lock_chat_reply store_chat_reply give_up_chat_reply'),

			('reader', 'function', 'EXECUTE', 'top_clusters rank_clusters report_edge cluster_report cluster_quotes quote_is_public'),
			('reader', 'relation', 'SELECT', 'cluster_trends cluster_counts cluster_deltas cluster_daily cluster_customers cluster_totals'),
			('admin', 'function', 'EXECUTE', 'fold_trends rebuild_trends trend_differences customer_key'),
			('owner', 'function', '', 'install_trend_tables install_trend_triggers install_trend_views fold_lock'),

			('worker', 'function', 'EXECUTE', 'issue_candidates'),
			('owner', 'function', '', 'trigram_similarities issue_terms quote_words candidate_query'),

			('reader', 'function', 'EXECUTE', 'tickets_tagged'),
			('reader', 'relation', 'SELECT', 'comment_edits comment_attachments ticket_links '
				'linked_tickets helpdesk_tickets ticket_timeline'),
			('agent', 'function', 'EXECUTE', 'receive_reply edit_comment redact_comment attach_to_comment add_tags remove_tags '
				'set_custom_fields link_tickets unlink_tickets follow_ups comment_role check_external_id check_comment_text '
				'check_file check_tags check_custom_fields check_length check_chat_details'),
			('agent', 'relation', 'INSERT', 'comment_attachments'),
			('agent', 'relation', 'INSERT, DELETE', 'ticket_links'),
			('admin', 'function', 'EXECUTE', 'check_integrity orphans'),

			('admin', 'function', 'EXECUTE',
				'create_tenant origin_refusal cancel_job retry_failed '
				'run_pending worker_start worker_stop adopt home_refusal waiting_databases wake_worker pause resume reprioritise pause_provider resume_provider '
				'provider_gates open_gate doctor reap_jobs apply_retention schedule_maintenance unschedule_maintenance '
				'maintenance_jobs purge_run_details check_pg_cron set_price drop_price price_of set_budget '
				'drop_budget write_off check_budget provider_terms budget_period_end least_request_tokens'),
			('admin', 'function', 'EXECUTE', 'set_chat_settings escalate_unanswered'),
			('worker', 'function', 'EXECUTE', 'escalate_unanswered'),
			('admin', 'relation', 'INSERT, UPDATE, DELETE', 'chat_settings'),
			('admin', 'relation', 'SELECT', 'worker_control schema_version retention provider_status budgets budget_usage budget_reservations '
				'budget_status provider_models'),
			('admin', 'function', 'EXECUTE', 'add_consumer drop_consumer read_events confirm_events pending_events'),
			('admin', 'relation', 'SELECT', 'events event_consumers event_consumers_status'),
			('admin', 'relation', 'SELECT, INSERT, UPDATE, DELETE', 'model_prices'),
			('admin', 'relation', 'INSERT, UPDATE, DELETE', 'ticket_categories'),
			('admin', 'relation', 'SELECT, INSERT, UPDATE (is_active)', 'prompts'),
			-- where texts and keys go is the owner's to say: of a provider an administrator writes the pause only
			('admin', 'relation', 'SELECT, UPDATE (paused_at, paused_by, pause_reason)', 'providers'),
			('owner', 'function', '', 'set_provider drop_provider check_provider_endpoint set_output_limit'),
			('admin', 'relation', 'UPDATE (name)', 'tenants'),

			('reader', 'function', 'EXECUTE', 'syncing'),
			('admin', 'function', 'EXECUTE',
				'import_tickets import_comments resume_import import_start import_batch import_progress import_columns '
				'preview_import import_guesses import_word import_words import_read import_sieve import_try import_store_tickets '
				'import_store_comments check_import_labels squash set_syncing check_commit purge_deleted erase_person erasure_list'),
			-- not who began it, nor what it reads once it is begun: else whoever goes on with it is made to read a trap
			('admin', 'relation', 'SELECT, INSERT (tenant_id, target, source_table, source, ticket_source, columns, labels, request_triage, batch_size), '
				'UPDATE (last_key, rows_imported, rows_skipped, rows_failed, updated_at, finished_at), DELETE', 'imports'),
			('admin', 'relation', 'SELECT, INSERT, DELETE', 'import_errors'),
			('owner', 'function', '', 'install_records_tables purge_tickets erase_tickets import_history import_store_history'),
			('reader', 'relation', 'SELECT', 'organizations sync_state synced_tickets zendesk_tickets sync_state_overview'),
			('agent', 'relation', 'INSERT, UPDATE', 'organizations'),
			('admin', 'function', 'EXECUTE', 'sync_now pause_source resume_source'),
			('admin', 'relation', 'SELECT', 'sync_sources sync_runs sync_status'),
			('worker', 'function', 'EXECUTE', 'claim_sync next_sync store_sync_tickets store_sync_comments fail_sync revive_sync take_over_sync'),
			('owner', 'function', '', 'install_sync_tables install_sync_views add_zendesk_source drop_source check_zendesk_source check_sync_source '
				'health_sync doctor_sync sync_lost sync_pace sync_fit sync_wait sync_errors sync_store_people sync_normal_tickets '
				'sync_store_tickets sync_try_tickets sync_store_comments sync_store_files sync_comment_text sync_try_comments sync_extract fail_sync_comments'),
			-- a program that reads the outbox, and needs nothing else
			('consumer', 'function', 'EXECUTE', 'read_events confirm_events'),

			-- what the worker's own SQL needs, and the same protocol for a worker that is not part of the server
			('worker', 'function', 'EXECUTE',
				'current_tenant score_categories ts_config claim_jobs complete_job fail_job reap_jobs price_of provider_terms '
				'budget_period_end'),
			('worker', 'function', 'EXECUTE',
				'read_summarize lock_summarize store_summarize give_up_summarize escalate_for follow_chat_reply chat_settings_of'),
			('worker', 'relation', 'SELECT', 'chat_settings'),
			('worker', 'relation', 'SELECT', 'chat_tickets'),
			('worker', 'relation', 'SELECT', 'schema_version worker_control providers prompts ticket_categories'),
			('worker', 'relation', 'SELECT, UPDATE (category, priority)', 'tickets'),
			('worker', 'relation', 'SELECT, UPDATE, DELETE', 'ai_jobs'),
			('worker', 'relation', 'SELECT, INSERT, UPDATE', 'ai_dead_letters ticket_ai_results'),
			('worker', 'relation', 'SELECT, INSERT', 'ai_runs'),
			-- the UPDATE is for its lock
			('worker', 'relation', 'SELECT, UPDATE (updated_at)', 'chat_sessions'),
			('worker', 'relation', 'SELECT, UPDATE (updated_at)', 'issue_clusters'),
			('worker', 'relation', 'SELECT', 'model_prices'),
			('worker', 'relation', 'SELECT, INSERT', 'provider_models'),
			-- the UPDATE is for its lock
			('worker', 'relation', 'SELECT, UPDATE (updated_at)', 'budgets'),
			('worker', 'relation', 'SELECT, INSERT, UPDATE', 'budget_usage'),
			('worker', 'relation', 'SELECT, INSERT, UPDATE, DELETE', 'budget_reservations'),

			('reader', 'relation', 'SELECT', 'issue_clusters cluster_exclusions cluster_events'),
			('agent', 'function', 'EXECUTE', 'assign_issue unassign_issue split_cluster merge_clusters unmerge_cluster '
				'rename_cluster set_pm_status archive_cluster unarchive_cluster suggest_merges pm_status_follows'),
			('agent', 'relation', 'UPDATE (pm_status, pm_notes, fixed_at)', 'issue_clusters'),
			('admin', 'function', 'EXECUTE', 'delete_cluster place_unclustered cluster_contradictions'),
			('worker', 'function', 'EXECUTE', 'read_match_issues lock_match_issues store_match_issues give_up_match_issues '
				'read_name_cluster lock_name_cluster store_name_cluster give_up_name_cluster'),
			('owner', 'function', '', 'install_cluster_triggers install_cluster_comments cluster_algorithm has_model issue_category_key lock_issue_category lock_merges live_cluster is_excluded add_cluster_event note_unplaced note_regression put_issue new_cluster gather_issues '
				'exact_place decide_issue resolve_label lock_places pair_issues settle_issues place_issues candidate_note asked_issues ask_cluster_name lock_cluster check_live_cluster lock_issues take_out_issue check_issue check_cluster_name erase_clusters'),

			('owner', 'function', '',
				'install uninstall write_home in_extension_script install_tables install_triggers install_views install_policies install_comments '
				'install_column_comments load_default_vocabulary enum_labels '
				'health_worker health_queue health_providers health_runs health_failures health_prompts health_budgets latest_runs library_state '
				'provider_troubles said_in_public queue_head secret_refusal doctor_schema doctor_vacuum doctor_worker doctor_providers '
				'doctor_maintenance clause_of expected_constraints expected_objects exposed_origins listed_origins url_refusal '
				'access_list access_levels clear_access set_worker_policies grant_access revoke_access allow_tenant disallow_tenant'),
			('owner', 'function', '', 'load_demo remove_demo check_place_for_demo load_demo_people load_demo_tickets load_demo_history load_demo_comments load_demo_conversations load_demo_escalations demo_tickets '
				'demo_scenarios demo_number demo_pick demo_customer demo_fill'),
			('owner', 'function', '',
				'install_event_tables install_event_triggers install_event_views install_review_tables install_review_triggers '
				'install_review_views emit_event event_generation held_to_tenants committed_snapshot lock_consumer first_event '
				'next_batch trim_events health_events reviewer lock_result check_draft_is_open check_corrections'),
			('owner', 'relation', '', 'event_generations'),
			('owner', 'function', '', 'install_chat_tables install_chat_comments install_chat_triggers install_chat_views '
				'request_chat_reply call_off_chat_reply follow_messages follow_messages_ticket request_chat_summary'),
			('owner', 'function', '',
				'install_handoff_tables install_handoff_views install_handoff_comments set_handler close_by_client is_handed_over '
				'conversation_trouble check_conversation ask_summary add_escalation origin_session record_handoff '
				'open_ticket_of reason_text check_escalation hand_to_people agent_spoke take_over_for mark_turn handoff_cause handoff_reason '
				'deflect_session ticket_talk'),
			('reader', 'function', 'EXECUTE', 'mining_settings_of quote_occurs plain_summary issue_fingerprint analyzed_at'),
			('reader', 'relation', 'SELECT', 'issue_taxonomy mining_settings extracted_issues ticket_extractions extraction_progress'),
			('agent', 'function', 'EXECUTE', 'extract_issues'),
			('admin', 'function', 'EXECUTE', 'load_taxonomy set_taxonomy deactivate_taxonomy check_taxonomy_name set_mining_settings extract_all '
				'estimate_extraction extraction_contradictions'),
			('admin', 'relation', 'INSERT, UPDATE, DELETE', 'issue_taxonomy mining_settings'),
			('worker', 'function', 'EXECUTE', 'read_extract_issues lock_extract_issues store_extract_issues give_up_extract_issues'),
			('owner', 'function', '', 'install_extraction_comments install_extraction_views install_extraction_triggers content_versions '
				'enqueue_mining request_extraction changed_tickets check_taxonomy_there check_extract_all tickets_to_extract clip_middle '
				'quote_in_ticket issue_customer issues_of_answer reword_issues extract_finished forget_quotes install_mining_tables'),
			('owner', 'function', '', 'install_comment_tables install_ticket_views lock_comment check_created_at follow_up say_in_chat message_text'),
			('owner', 'relation', '', 'role_tenants home')) v (level, kind, privileges, names),
			unnest(string_to_array(v.names, ' ')) u (name)
$$;
COMMENT ON FUNCTION triage.access_list() IS
	'what each level of grant_access() may do, besides what the levels it contains may: kind function or relation, the name in schema triage, the privileges; level owner names what is granted to nobody; raises nothing';
REVOKE ALL ON FUNCTION triage.access_list() FROM PUBLIC;

CREATE FUNCTION triage.access_levels(level text) RETURNS text[]
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE level
		WHEN 'reader' THEN RETURN '{reader}';
		WHEN 'agent' THEN RETURN '{reader,agent}';
		WHEN 'admin' THEN RETURN '{reader,agent,admin}';
		WHEN 'worker' THEN RETURN '{worker}';
		WHEN 'consumer' THEN RETURN '{consumer}';
		ELSE
			RAISE EXCEPTION 'there is no access level "%"', coalesce(left(level, 100), 'NULL')
				USING ERRCODE = 'invalid_parameter_value', HINT = 'The levels are: reader, agent, admin, worker, consumer.';
	END CASE;
END
$$;
COMMENT ON FUNCTION triage.access_levels(text) IS
	'the levels that a level of grant_access() is made of, itself included; raises 22023 for a level that does not exist';
REVOKE ALL ON FUNCTION triage.access_levels(text) FROM PUBLIC;

-- A worker serves all tenants, which row security lets nobody but the owner: so it has a policy of its own on each table.
CREATE FUNCTION triage.set_worker_policies(role name, wanted boolean) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target record;
	roles text;
BEGIN
	FOR target IN
		SELECT c.relname, p.polroles IS NOT NULL AS present, coalesce(p.polroles, '{}') AS roles
			FROM pg_class c
			LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'worker'
			WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p') AND c.relrowsecurity
				AND wanted IS DISTINCT FROM (
					(SELECT r.oid FROM pg_roles r WHERE r.rolname = set_worker_policies.role) = ANY (p.polroles))
				AND (p.polroles IS NOT NULL OR wanted AND EXISTS (
					SELECT FROM triage.access_list() l
						WHERE l.level = 'worker' AND l.kind = 'relation' AND l.name = c.relname))
			ORDER BY c.relname
	LOOP
		-- before the first: each policy locks its table against everything, and writers of tickets lock this one first
		LOCK TABLE triage.tickets IN ACCESS EXCLUSIVE MODE;
		SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname) INTO roles
			FROM pg_roles r
			WHERE (r.oid = ANY (target.roles) AND r.rolname <> set_worker_policies.role)
				OR (wanted AND r.rolname = set_worker_policies.role);
		IF roles IS NULL THEN
			EXECUTE format('DROP POLICY worker ON triage.%I', target.relname);
		ELSIF target.present THEN
			EXECUTE format('ALTER POLICY worker ON triage.%I TO %s', target.relname, roles);
		ELSE
			EXECUTE format('CREATE POLICY worker ON triage.%I TO %s USING (true) WITH CHECK (true)', target.relname, roles);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.set_worker_policies(name, boolean) IS
	'part of grant_access() and revoke_access(): puts a role into policy "worker" of each table that a worker uses, or takes it out; raises what CREATE POLICY raises';
REVOKE ALL ON FUNCTION triage.set_worker_policies(name, boolean) FROM PUBLIC;

CREATE FUNCTION triage.clear_access(role name) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $$
DECLARE
	owner oid;
BEGIN
	PERFORM triage.check_schema();
	SELECT e.extowner INTO owner FROM pg_extension e WHERE e.extname = 'triage';
	IF NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION 'only the owner of extension "triage" can grant and revoke access to it'
			USING ERRCODE = 'insufficient_privilege',
				HINT = format('Call it as role "%s" or as a superuser.', pg_get_userbyid(owner));
	ELSIF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = clear_access.role) THEN
		RAISE EXCEPTION 'role "%" does not exist', coalesce(role, 'NULL')
			USING ERRCODE = 'undefined_object',
				HINT = CASE WHEN role = 'public' THEN 'Nothing of triage is granted to PUBLIC: name a role.'
					ELSE 'The name is taken as it is, upper and lower case told apart. Create it with CREATE ROLE first.' END;
	ELSIF EXISTS (
		SELECT FROM pg_class c
			WHERE c.relnamespace = 'triage'::regnamespace AND pg_get_userbyid(c.relowner) = clear_access.role)
		OR pg_get_userbyid(owner) = role
	THEN
		RAISE EXCEPTION 'role "%" owns triage and needs no grant', role
			USING ERRCODE = 'invalid_grant_operation', HINT = 'Let the application connect as a role of its own.';
	END IF;
	-- two at once would meet in the same rows of the catalogs; the worker's transactions are not in the way
	LOCK TABLE triage.schema_version IN SHARE ROW EXCLUSIVE MODE;
	EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA triage FROM %I CASCADE', role);
	EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA triage FROM %I CASCADE', role);
	EXECUTE format('REVOKE ALL ON ALL ROUTINES IN SCHEMA triage FROM %I CASCADE', role);
	EXECUTE format('REVOKE ALL ON SCHEMA triage FROM %I CASCADE', role);
END
$$;
COMMENT ON FUNCTION triage.clear_access(name) IS
	'part of grant_access() and revoke_access(): checks the role and takes from it every right on the schema, its policies aside; raises as they do';
REVOKE ALL ON FUNCTION triage.clear_access(name) FROM PUBLIC;

CREATE FUNCTION triage.revoke_access(role name) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.clear_access(role);
	PERFORM triage.set_worker_policies(role, false);
END
$$;
COMMENT ON FUNCTION triage.revoke_access(name) IS
	'takes from a role every right on schema triage and what is in it, those granted by hand too; rights that it has as a member of another role, and its rows of role_tenants, stay; returns nothing; raises 42704 when there is no such role, 0LP01 for the owner, 42501 when the caller is not the owner';
REVOKE ALL ON FUNCTION triage.revoke_access(name) FROM PUBLIC;

CREATE FUNCTION triage.grant_access(role name, level text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $$
DECLARE
	levels CONSTANT text[] := triage.access_levels(level);
	item record;
BEGIN
	-- the level is all that the role has afterwards, whatever it had before
	PERFORM triage.clear_access(role);
	EXECUTE format('GRANT USAGE ON SCHEMA triage TO %I', role);
	FOR item IN
		SELECT p.oid::regprocedure AS routine
			FROM triage.access_list() l
			JOIN pg_proc p ON p.pronamespace = 'triage'::regnamespace AND p.proname = l.name
			WHERE l.kind = 'function' AND l.level = ANY (levels)
	LOOP
		EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO %I', item.routine, role);
	END LOOP;
	FOR item IN
		SELECT l.name, l.privileges
			FROM triage.access_list() l
			WHERE l.kind = 'relation' AND l.level = ANY (levels)
	LOOP
		EXECUTE format('GRANT %s ON triage.%I TO %I', item.privileges, item.name, role);
	END LOOP;
	PERFORM triage.set_worker_policies(role, level = 'worker');
END
$$;
COMMENT ON FUNCTION triage.grant_access(name, text) IS
	'gives a role the rights of one level, and takes back whatever else it had in schema triage; level: reader (views, tables, search), agent (reader, and tickets and comments), admin (agent, and tenants, vocabulary, prices, budgets, pauses, queue and worker), worker (for triage.worker_role and external workers: all tenants), consumer (read_events and confirm_events, and nothing else); to be called again after an update of the extension; returns nothing; raises 22023 for a level that does not exist, 42704 when there is no such role, 0LP01 for the owner, 42501 when the caller is not the owner';
REVOKE ALL ON FUNCTION triage.grant_access(name, text) FROM PUBLIC;

-- Tenants --------------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.allow_tenant(role name, tenant_id text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = allow_tenant.role) THEN
		RAISE EXCEPTION 'role "%" does not exist', coalesce(role, 'NULL')
			USING ERRCODE = 'undefined_object',
				HINT = 'The name is taken as it is, upper and lower case told apart. Create it with CREATE ROLE first.';
	ELSIF NOT EXISTS (SELECT FROM triage.tenants t WHERE t.id = allow_tenant.tenant_id) THEN
		RAISE EXCEPTION 'tenant "%" does not exist', coalesce(left(tenant_id, 200), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = 'Create it with triage.create_tenant first.';
	END IF;
	INSERT INTO triage.role_tenants (tenant_id, role)
		VALUES (allow_tenant.tenant_id, quote_ident(allow_tenant.role)::regrole)
		ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION triage.allow_tenant(name, text) IS
	'holds a role to the tenants that were allowed to it, of which this is one; a role without any may have all; returns nothing; raises 42704 when there is no such role or tenant, 42501 without rights on triage.role_tenants';
REVOKE ALL ON FUNCTION triage.allow_tenant(name, text) FROM PUBLIC;

CREATE FUNCTION triage.disallow_tenant(role name, tenant_id text) RETURNS boolean
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	remaining bigint;
BEGIN
	PERFORM triage.check_schema();
	DELETE FROM triage.role_tenants t
		WHERE t.tenant_id = disallow_tenant.tenant_id AND t.role = to_regrole(quote_ident(disallow_tenant.role));
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	SELECT count(*) INTO remaining
		FROM triage.role_tenants t WHERE t.role = to_regrole(quote_ident(disallow_tenant.role));
	IF remaining = 0 THEN
		RAISE NOTICE 'role "%" is not held to any tenant now', role
			USING HINT = 'A role that triage.role_tenants does not list may choose its tenant freely; triage.revoke_access takes its rights.';
	END IF;
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.disallow_tenant(name, text) IS
	'takes a tenant from those that a role is held to, with a NOTICE when none is left: the role may then have all; returns whether it was one of them; raises 42501 without rights on triage.role_tenants';
REVOKE ALL ON FUNCTION triage.disallow_tenant(name, text) FROM PUBLIC;
