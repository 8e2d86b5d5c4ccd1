-- Access levels: what the role of each level may call, read and write, tried out and compared with a table kept here.  A
-- function, table or view that the table lacks fails the test, and so does one that access_list() does not place.
\ir prepare.psql
SELECT no_plan();

CREATE ROLE regress_triage_nobody;
CREATE ROLE regress_triage_reader;
CREATE ROLE regress_triage_agent;
CREATE ROLE regress_triage_admin;
CREATE ROLE regress_triage_worker LOGIN;
CREATE ROLE regress_triage_consumer;
GRANT USAGE ON SCHEMA triage TO regress_triage_nobody;
SELECT triage.grant_access('regress_triage_reader', 'reader');
SELECT triage.grant_access('regress_triage_agent', 'agent');
SELECT triage.grant_access('regress_triage_admin', 'admin');
SELECT triage.grant_access('regress_triage_worker', 'worker');
SELECT triage.grant_access('regress_triage_consumer', 'consumer');
CREATE TABLE pg_temp.who (level text);
INSERT INTO pg_temp.who VALUES ('nobody'), ('reader'), ('agent'), ('admin'), ('worker'), ('consumer');

-- What is expected -------------------------------------------------------------------------------------------------------------

-- who may call it, separated by blanks
CREATE TABLE pg_temp.callable (name text, by text);
INSERT INTO pg_temp.callable
	SELECT unnest(string_to_array(v.names, ' ')), v.by
		FROM (VALUES
			('reader agent admin worker', 'current_tenant'),
			('reader agent admin', 'current_actor check_schema written_here search_tickets list_tickets wait_for_triage worker_counters '
				'health run_stats explain_ticket explain_job explain_results explain_runs prompt_sha256 hold_reason'),
			('agent admin', 'create_ticket update_ticket assign_ticket unassign_ticket resolve_ticket close_ticket reopen_ticket delete_ticket '
				'add_comment request_triage lock_ticket check_tenant check_category check_ticket_changes ensure_person ensure_agent'),
			('reader agent admin', 'tickets_tagged'),
			('reader agent admin', 'report_html report_backlog report_backlog_section report_cluster_facts report_clusters_section report_costs report_curve report_days report_key report_keys report_latency report_mix_section report_outcomes_section report_period report_quotes report_trend report_volume report_volume_section '
				'html_chart html_date html_duration html_escape html_money html_number html_row html_section html_shares html_style html_table html_text svg_bar svg_bars svg_scale svg_sparkline'),
			('', 'demo_clusters demo_issues load_demo_issues remove_demo_issues'),
			('agent admin', 'receive_reply edit_comment redact_comment attach_to_comment add_tags remove_tags set_custom_fields link_tickets '
				'unlink_tickets follow_ups comment_role check_external_id check_comment_text check_file check_tags check_custom_fields '
				'check_length check_chat_details'),
			('admin', 'check_integrity orphans'),
			('', 'install_comment_tables install_ticket_views lock_comment check_created_at follow_up say_in_chat message_text'),
			('', 'set_provider drop_provider check_provider_endpoint set_output_limit'),
			('admin', 'create_tenant origin_refusal cancel_job retry_failed '
				'run_pending worker_start worker_stop adopt home_refusal waiting_databases wake_worker pause resume reprioritise pause_provider resume_provider provider_gates '
				'open_gate doctor apply_retention schedule_maintenance unschedule_maintenance maintenance_jobs purge_run_details check_pg_cron '
				'set_price drop_price set_budget drop_budget write_off check_budget least_request_tokens'),
			('reader agent admin', 'ai_assisted text_similarity'),
			('agent admin', 'accept_draft edit_draft reject_draft correct_result'),
			('admin consumer', 'read_events confirm_events'),
			('admin', 'add_consumer drop_consumer pending_events'),
			('', 'install_event_tables install_event_triggers install_event_views install_review_tables install_review_triggers '
				'install_review_views emit_event event_generation held_to_tenants committed_snapshot lock_consumer first_event '
				'next_batch trim_events health_events reviewer lock_result check_draft_is_open check_corrections'),
			('admin worker', 'price_of provider_terms budget_period_end'),
			('admin worker', 'reap_jobs'),
			('reader agent admin', 'syncing'),
			('admin', 'import_tickets import_comments resume_import import_start import_batch import_progress import_columns preview_import import_guesses import_word import_words import_read import_sieve import_try import_store_tickets import_store_comments check_import_labels squash set_syncing check_commit purge_deleted erase_person erasure_list'),
			('', 'install_records_tables purge_tickets erase_tickets import_history import_store_history'),
			('agent admin worker', 'ts_config'),
			('reader agent admin', 'top_clusters rank_clusters report_edge cluster_report cluster_quotes quote_is_public'),
			('admin', 'fold_trends rebuild_trends trend_differences customer_key'),
			('', 'install_trend_tables install_trend_triggers install_trend_views fold_lock'),
			('worker', 'issue_candidates'),
			('', 'trigram_similarities issue_terms quote_words candidate_query'),
			('worker', 'score_categories claim_jobs complete_job fail_job'),
			('agent admin', 'assign_issue unassign_issue split_cluster merge_clusters unmerge_cluster rename_cluster set_pm_status archive_cluster unarchive_cluster suggest_merges pm_status_follows'),
			('admin', 'delete_cluster place_unclustered cluster_contradictions'),
			('worker', 'read_match_issues lock_match_issues store_match_issues give_up_match_issues read_name_cluster lock_name_cluster store_name_cluster give_up_name_cluster'),
			('', 'install_cluster_triggers install_cluster_comments cluster_algorithm has_model issue_category_key lock_issue_category lock_merges live_cluster is_excluded add_cluster_event note_unplaced note_regression put_issue new_cluster gather_issues '
				'exact_place decide_issue resolve_label lock_places pair_issues settle_issues place_issues candidate_note asked_issues ask_cluster_name lock_cluster check_live_cluster lock_issues take_out_issue check_issue check_cluster_name erase_clusters'),
			('', 'load_demo remove_demo check_place_for_demo load_demo_people load_demo_tickets load_demo_history load_demo_comments load_demo_conversations load_demo_escalations demo_tickets '
				'demo_scenarios demo_number demo_pick demo_customer demo_fill'),
			('', 'install uninstall write_home in_extension_script install_tables install_triggers install_views install_policies install_comments '
				'install_column_comments load_default_vocabulary enum_labels health_worker health_queue health_providers health_runs '
				'health_failures health_prompts health_budgets latest_runs library_state provider_troubles said_in_public queue_head secret_refusal doctor_schema doctor_vacuum '
				'doctor_worker doctor_providers doctor_maintenance clause_of expected_constraints expected_objects exposed_origins listed_origins url_refusal access_list access_levels clear_access set_worker_policies '
				'grant_access revoke_access allow_tenant disallow_tenant'),
			('reader agent admin', 'conversation search_messages'),
			('agent admin', 'start_session post_message attach_file end_session archive_session link_session lock_chat check_message '
				'ensure_author'),
			('worker', 'read_chat_reply lock_chat_reply store_chat_reply give_up_chat_reply'),
			('reader agent admin worker', 'chat_settings_of'),
			('agent admin', 'escalate_session escalate_ticket take_over_session hand_back_to_ai request_summary request_session_summary'),
			('admin', 'set_chat_settings'),
			('admin', 'sync_now pause_source resume_source'),
			('worker', 'claim_sync next_sync store_sync_tickets store_sync_comments fail_sync revive_sync take_over_sync'),
			('', 'install_sync_tables install_sync_views add_zendesk_source drop_source check_zendesk_source check_sync_source '
				'health_sync doctor_sync sync_lost sync_pace sync_fit sync_wait sync_errors sync_store_people sync_normal_tickets '
				'sync_store_tickets sync_try_tickets sync_store_comments sync_store_files sync_comment_text sync_try_comments sync_extract fail_sync_comments'),
			('admin worker', 'escalate_unanswered'),
			('worker', 'read_summarize lock_summarize store_summarize give_up_summarize escalate_for follow_chat_reply'),
			('reader agent admin', 'mining_settings_of quote_occurs plain_summary issue_fingerprint analyzed_at'),
			('agent admin', 'extract_issues'),
			('admin', 'load_taxonomy set_taxonomy deactivate_taxonomy check_taxonomy_name set_mining_settings extract_all estimate_extraction extraction_contradictions'),
			('worker', 'read_extract_issues lock_extract_issues store_extract_issues give_up_extract_issues'),
			('', 'install_extraction_comments install_extraction_views install_extraction_triggers content_versions enqueue_mining request_extraction '
				'changed_tickets check_taxonomy_there check_extract_all tickets_to_extract clip_middle quote_in_ticket issue_customer issues_of_answer reword_issues extract_finished forget_quotes install_mining_tables'),
			('', 'install_handoff_tables install_handoff_views install_handoff_comments set_handler close_by_client is_handed_over '
				'conversation_trouble check_conversation ask_summary add_escalation origin_session record_handoff '
				'open_ticket_of reason_text check_escalation hand_to_people agent_spoke take_over_for mark_turn handoff_cause '
				'handoff_reason deflect_session ticket_talk'),
			('', 'install_chat_tables install_chat_comments install_chat_triggers install_chat_views request_chat_reply '
				'call_off_chat_reply follow_messages follow_messages_ticket request_chat_summary')) v (by, names);

-- r SELECT, a INSERT, w UPDATE of that column, d DELETE, D TRUNCATE, t TRIGGER
CREATE TABLE pg_temp.usable (name text, col text, reader text, agent text, admin text, worker text);
INSERT INTO pg_temp.usable VALUES
	('tickets',            'category',      'r', 'raw', 'raw', 'rw'),
	('tickets',            'priority',      'r', 'raw', 'raw', 'rw'),
	('tickets',            'subject',       'r', 'raw', 'raw', 'r'),
	('tickets',            'tenant_id',     'r', 'raw', 'raw', 'r'),
	('people',             'email',         'r', 'raw', 'raw', ''),
	('ticket_comments',    'content',       'r', 'ra',  'ra',  ''),
	('comment_edits',      'old_content',   'r', 'r',   'r',   ''),
	('comment_attachments', 'file_url',     'r', 'ra',  'ra',  ''),
	('ticket_links',       'kind',          'r', 'rad', 'rad', ''),
	('linked_tickets',     NULL,            'r', 'r',   'r',   ''),
	('helpdesk_tickets',   NULL,            'r', 'r',   'r',   ''),
	('ticket_timeline',    NULL,            'r', 'r',   'r',   ''),
	('ticket_history',     'changed_by',    'r', 'r',   'r',   ''),
	('ticket_history',     'session_role',  'r', 'r',   'r',   ''),
	('ticket_assignments', 'assigned_by',   'r', 'r',   'r',   ''),
	('ai_jobs',            'priority',      'r', 'r',   'r',   'rwd'),
	('ai_dead_letters',    'message',       'r', 'r',   'r',   'raw'),
	('ai_runs',            'cost',          'r', 'r',   'r',   'ra'),
	('ticket_ai_results',  'draft_reply',   'r', 'r',   'r',   'raw'),
	('ticket_categories',  'description',   'r', 'r',   'rawd', 'r'),
	('tenants',            'name',          'r', 'r',   'rw',  ''),
	('tenants',            'id',            'r', 'r',   'r',   ''),
	('prompts',            'is_active',     '',  '',    'raw', 'r'),
	('prompts',            'system_text',   '',  '',    'ra',  'r'),
	('providers',          'base_url',      '',  '',    'r',   'r'),
	('providers',          'secret',        '',  '',    'r',   'r'),
	('providers',          'enabled',       '',  '',    'r',   'r'),
	('providers',          'paused_at',     '',  '',    'rw',  'r'),
	('worker_control',     'stopped_at',    '',  '',    'r',   'r'),
	('schema_version',     'version',       '',  '',    'r',   'r'),
	('role_tenants',       'role',          '',  '',    '',    ''),
	('retention',          'keep',          '',  '',    'r',   ''),
	('imports',            'last_key',      '',  '',    'rawd', ''),
	('import_errors',      'message',       '',  '',    'rad', ''),
	('organizations',      'name',          'r', 'raw', 'raw', ''),
	('sync_sources',       'base_url',      '',  '',    'r',   ''),
	('sync_state',         'cursor',        'r', 'r',   'r',   ''),
	('sync_runs',          'error',         '',  '',    'r',   ''),
	('synced_tickets',     'details',       'r', 'r',   'r',   ''),
	('sync_status',        NULL,            '',  '',    'r',   ''),
	('sync_state_overview', NULL,           'r', 'r',   'r',   ''),
	('zendesk_tickets',    NULL,            'r', 'r',   'r',   ''),
	('provider_status',    NULL,            '',  '',    'r',   ''),
	('worker_stats',       NULL,            'r', 'r',   'r',   ''),
	('ai_quality',         NULL,            'r', 'r',   'r',   ''),
	('ai_calibration',     NULL,            'r', 'r',   'r',   ''),
	('ai_feedback',        'verdict',       'r', 'r',   'r',   ''),
	('events',             'labels',        '',  '',    'r',   ''),
	('event_consumers',    'seen',          '',  '',    'r',   ''),
	('event_consumers_status', NULL,        '',  '',    'r',   ''),
	('event_generations',  'generation',    '',  '',    '',    ''),
	('home',               'database_oid',  '',  '',    '',    ''),
	('model_prices',       'input',         '',  '',    'rawd', 'r'),
	('provider_models',    'model',         '',  '',    'r',   'ra'),
	('budgets',            'spend_limit',   '',  '',    'r',   'r'),
	('budgets',            'updated_at',    '',  '',    'r',   'rw'),
	('budget_usage',       'spent',         '',  '',    'r',   'raw'),
	('budget_reservations', 'amount',       '',  '',    'r',   'rawd'),
	('budget_status',      NULL,            '',  '',    'r',   ''),
	('chat_sessions',      'status',        'r', 'raw', 'raw', 'r'),
	('chat_messages',      'content',       'r', 'ra',  'ra',  ''),
	('chat_attachments',   'file_url',      'r', 'ra',  'ra',  ''),
	('chat_tickets',       'relation',      'r', 'ra',  'ra',  'r'),
	('chat_overview',      NULL,            'r', 'r',   'r',   ''),
	('ticket_escalations', 'reason',        'r', 'r',   'r',   ''),
	('conversation_summaries', 'summary',   'r', 'r',   'r',   ''),
	('chat_settings',      'bot_enabled',   'r', 'r',   'rawd', 'r'),
	('issue_clusters',     'pm_status',     'r', 'rw',  'rw',  'r'),
	('issue_clusters',     'pm_notes',      'r', 'rw',  'rw',  'r'),
	('issue_clusters',     'fixed_at',      'r', 'rw',  'rw',  'r'),
	('issue_clusters',     'cluster_name',  'r', 'r',   'r',   'r'),
	('issue_clusters',     'updated_at',    'r', 'r',   'r',   'rw'),
	('cluster_exclusions', 'fingerprint',   'r', 'r',   'r',   ''),
	('cluster_events',     'details',       'r', 'r',   'r',   ''),
	('issue_taxonomy',     'description',   'r', 'r',   'rawd', ''),
	('mining_settings',    'min_issues',    'r', 'r',   'rawd', ''),
	('extracted_issues',   'summary',       'r', 'r',   'r',   ''),
	('ticket_extractions', 'analyzed_at',   'r', 'r',   'r',   ''),
	('extraction_progress', NULL,           'r', 'r',   'r',   ''),
	('cluster_trends',     NULL,            'r', 'r',   'r',   ''),
	('cluster_counts',     NULL,            'r', 'r',   'r',   ''),
	('cluster_deltas',     'issues',        'r', 'r',   'r',   ''),
	('cluster_daily',      'low',           'r', 'r',   'r',   ''),
	('cluster_customers',  'issues',        'r', 'r',   'r',   ''),
	('cluster_totals',     'customers',     'r', 'r',   'r',   ''),
	('support_tickets',    NULL,            'r', 'r',   'r',   ''),
	('ai_state',           NULL,            'r', 'r',   'r',   ''),
	('inbox',              NULL,            'r', 'r',   'r',   ''),
	('dashboard',          NULL,            'r', 'r',   'r',   ''),
	('queue_stats',        NULL,            'r', 'r',   'r',   ''),
	('worker_status',      NULL,            'r', 'r',   'r',   ''),
	('ai_failures',        NULL,            'r', 'r',   'r',   '');

-- Nothing is forgotten ---------------------------------------------------------------------------------------------------------

CREATE TEMP VIEW actual_function AS
	SELECT DISTINCT p.proname::text AS name FROM pg_proc p
		WHERE p.pronamespace = 'triage'::regnamespace AND p.prorettype <> 'trigger'::regtype;
CREATE TEMP VIEW actual_relation AS
	SELECT c.relname::text AS name FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f');
SELECT set_eq('SELECT name FROM pg_temp.callable', 'SELECT name FROM actual_function', 'this test knows every function, and no others');
SELECT set_eq('SELECT name FROM pg_temp.usable', 'SELECT name FROM actual_relation', 'this test knows every table and view, and no others');
SELECT set_eq($$SELECT l.name FROM triage.access_list() l WHERE l.kind = 'function'$$, 'SELECT name FROM actual_function',
	'access_list() places every function, and no others');
SELECT set_eq($$SELECT l.name FROM triage.access_list() l WHERE l.kind = 'relation'$$, 'SELECT name FROM actual_relation',
	'access_list() places every table and view, and no others');
SELECT is_empty($$SELECT l.name FROM triage.access_list() l WHERE l.level NOT IN ('worker', 'consumer')
		GROUP BY l.kind, l.name HAVING bool_or(l.level = 'owner') AND count(*) > 1
			OR l.kind = 'function' AND count(*) > 1$$, 'a function has one level, and what is the owner''s no other');
CREATE FUNCTION triage.planted() RETURNS void LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT';
CREATE VIEW triage.planted AS SELECT;
SELECT set_has('SELECT name FROM actual_function', $$VALUES ('planted')$$, '(a function that nobody placed would be seen');
SELECT set_has('SELECT name FROM actual_relation', $$VALUES ('planted')$$, 'and a view)');
DROP FUNCTION triage.planted();
DROP VIEW triage.planted;

-- Functions, called as each role -----------------------------------------------------------------------------------------------

-- a call with NULL for each argument; from a sub-select, or a strict function would not be called
CREATE TABLE pg_temp.call AS
	SELECT p.proname::text AS name, format(CASE p.prokind WHEN 'p' THEN 'CALL triage.%I(%s)' ELSE 'SELECT * FROM triage.%I(%s)' END, p.proname,
			(SELECT string_agg(format(CASE p.prokind WHEN 'p' THEN 'NULL::%s' ELSE '(SELECT NULL::%s)' END, format_type(u.type, NULL)), ', ' ORDER BY u.o)
				FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u (type, o))) AS command
		FROM pg_proc p
		WHERE p.pronamespace = 'triage'::regnamespace AND p.prorettype <> 'trigger'::regtype;

-- denied: for want of a right on this object; within: on another one; else allowed, whatever else came of it
CREATE FUNCTION pg_temp.try(role text, command text, object text) RETURNS text
	LANGUAGE plpgsql
AS $$
BEGIN
	BEGIN
		EXECUTE format('SET LOCAL ROLE regress_triage_%s', role);
		EXECUTE command;
		RAISE EXCEPTION 'done' USING ERRCODE = 'TR000';
	EXCEPTION WHEN OTHERS THEN
		RETURN CASE
			WHEN SQLSTATE <> '42501' THEN 'allowed'
			WHEN SQLERRM ~ ('^(permission denied for (function|procedure|table|view|relation)|must be owner of (table|view|relation)) ' || object || '$') THEN 'denied'
			ELSE 'within: ' || SQLERRM END;
	END;
END
$$;
SELECT is(pg_temp.try(w.level, k.command, k.name),
		CASE WHEN w.level = ANY (string_to_array(c.by, ' ')) THEN 'allowed' ELSE 'denied' END,
		format('%s is %s to %s', k.command, CASE WHEN w.level = ANY (string_to_array(c.by, ' ')) THEN 'open' ELSE 'closed' END, w.level))
	FROM pg_temp.call k JOIN pg_temp.callable c ON c.name = k.name CROSS JOIN pg_temp.who w
	ORDER BY k.command, w.level;

-- Tables and views, used as each role ----------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.rights(role text, relation text, col text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT coalesce(string_agg(CASE t.outcome WHEN 'allowed' THEN c.letter ELSE c.letter || ' ' || t.outcome || ' ' END, '' ORDER BY c.position)
				FILTER (WHERE t.outcome <> 'denied'), '')
		FROM (VALUES (1, 'r', 'SELECT count(*) FROM triage.%1$I'), (2, 'a', 'INSERT INTO triage.%1$I DEFAULT VALUES'),
			(3, 'w', 'UPDATE triage.%1$I SET %2$I = NULL WHERE false'), (4, 'd', 'DELETE FROM triage.%1$I WHERE false'),
			(5, 'D', 'TRUNCATE triage.%1$I CASCADE'),
			(6, 't', 'CREATE TRIGGER mine BEFORE INSERT ON triage.%1$I FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()')) AS c (position, letter, command),
			LATERAL (SELECT pg_temp.try(role, format(c.command, relation, col), relation) AS outcome) t
		WHERE col IS NOT NULL OR c.letter = 'r'
$$;
SELECT is(pg_temp.rights(w.level, u.name, u.col),
		CASE w.level WHEN 'reader' THEN u.reader WHEN 'agent' THEN u.agent WHEN 'admin' THEN u.admin WHEN 'worker' THEN u.worker ELSE '' END,
		format('%s: what %s may do', concat_ws('.', u.name, u.col), w.level))
	FROM pg_temp.usable u CROSS JOIN pg_temp.who w
	ORDER BY u.name, u.col, w.level;
SELECT is_empty($$SELECT s.relname, g.grantee::regrole FROM pg_class s, aclexplode(s.relacl) g
		WHERE s.relnamespace = 'triage'::regnamespace AND s.relkind = 'S' AND g.grantee <> s.relowner$$, 'no sequence is granted to anybody');
SELECT is_empty($$SELECT c.relname, g.grantee::regrole, g.privilege_type FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid,
			aclexplode(c.relacl || a.attacl) g
		WHERE c.relnamespace = 'triage'::regnamespace AND g.grantee <> c.relowner AND g.privilege_type IN ('TRIGGER', 'TRUNCATE', 'REFERENCES')$$,
	'TRIGGER, TRUNCATE and REFERENCES are granted to nobody');
SELECT is_empty($$SELECT c.relname, g.grantee::regrole, g.privilege_type FROM pg_class c, aclexplode(c.relacl) g
		WHERE c.oid IN ('triage.ticket_history'::regclass, 'triage.ticket_assignments'::regclass, 'triage.ai_jobs'::regclass, 'triage.ai_runs'::regclass)
			AND g.grantee NOT IN (c.relowner, 'regress_triage_worker'::regrole) AND g.privilege_type <> 'SELECT'$$,
	'history, assignments, jobs and runs are written by no application''s role');
SELECT is_empty($$SELECT 1 FROM pg_namespace n, aclexplode(n.nspacl) g WHERE n.nspname = 'triage'
		AND (g.grantee = 0 OR g.grantee <> n.nspowner AND (g.privilege_type <> 'USAGE' OR g.is_grantable))$$, 'of the schema they have USAGE, and PUBLIC nothing');
SELECT is_empty($$SELECT p.proname FROM pg_proc p, aclexplode(p.proacl) g WHERE p.pronamespace = 'triage'::regnamespace
		AND (g.grantee = 0 OR g.grantee <> p.proowner AND (g.is_grantable OR p.prorettype = 'trigger'::regtype))$$,
	'no function is PUBLIC''s, none can be passed on, and no trigger function is granted');

-- A level is enough for its work -----------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.as_role(role text, command text) RETURNS text
	LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE regress_triage_%s', role);
	EXECUTE command;
	RESET ROLE;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT triage.create_ticket('printer', 'jams', 'carl', external_id => 'a') AS a \gset
SELECT is(pg_temp.as_role(v.level, replace(v.command, '$a', :a::text)), 'ok', v.level || ': ' || v.command)
	FROM (VALUES
		('reader', 'SELECT * FROM triage.search_tickets(''printer'')'), ('reader', 'SELECT * FROM triage.list_tickets()'),
		('reader', 'SELECT triage.wait_for_triage(t.id, ''0'') FROM triage.tickets t WHERE t.external_id = ''waiting'''),
		('agent', 'SELECT triage.create_ticket(''x'', ''x'', ''eve'', category => ''billing'', priority => ''low'', external_id => ''b'')'),
		('agent', 'INSERT INTO triage.tickets (description, requester_id) VALUES (''x'', ''eve'')'),
		('agent', 'SELECT triage.update_ticket($a, ''{"subject": "y", "assignee_id": "ann"}'')'),
		('agent', 'SELECT triage.add_comment($a, ''x'', ''ann'', ''agent'')'), ('agent', 'SELECT triage.request_triage($a)'),
		('agent', 'SELECT triage.unassign_ticket($a)'), ('agent', 'SELECT triage.assign_ticket($a, ''bob'')'),
		('agent', 'SELECT triage.resolve_ticket($a)'), ('agent', 'SELECT triage.reopen_ticket($a)'), ('agent', 'SELECT triage.close_ticket($a)'),
		('agent', 'SELECT triage.delete_ticket($a)'), ('agent', 'UPDATE triage.people SET email = ''eve@example.com'' WHERE id = ''eve'''),
		('admin', 'SELECT triage.create_tenant(''new'', ''New'')'), ('admin', 'UPDATE triage.tenants SET name = ''D'''),
		('admin', 'INSERT INTO triage.ticket_categories (category) VALUES (''new'')'), ('admin', 'DELETE FROM triage.ticket_categories WHERE category = ''new'''),
		('admin', 'INSERT INTO triage.prompts (kind, version, system_text) VALUES (''triage'', 2, ''x'')'),
		('admin', 'UPDATE triage.prompts SET is_active = false WHERE version = 2'),
		('admin', 'SELECT triage.pause_provider(''builtin'', ''too simple'')'), ('admin', 'SELECT triage.resume_provider(''builtin'')'),
		('admin', 'SELECT triage.cancel_job(1)'), ('admin', 'SELECT triage.retry_failed()'), ('admin', 'SELECT triage.worker_stop()'),
		('admin', 'SELECT triage.worker_start()'), ('admin', 'SELECT triage.create_ticket(''x'', ''x'')'),
		('worker', 'SELECT triage.complete_job(j.job_id, j.fence, ''{"category": "billing", "urgency": "low", "sentiment_score": 1, "draft_reply": "x"}'') '
			'FROM triage.claim_jobs(1) j'),
		('worker', 'SELECT triage.fail_job(j.job_id, j.fence, ''refused'', ''x'') FROM triage.claim_jobs(1) j'), ('worker', 'SELECT triage.reap_jobs()')
	) AS v (level, command);

-- What an agent says of himself is a claim; who was logged in is a fact ----------------------------------------------------------

SET LOCAL SESSION AUTHORIZATION regress_triage_agent;
SET LOCAL triage.actor = 'the boss';
SELECT triage.create_ticket('x', 'x', external_id => 'forged') AS forged \gset
SELECT triage.update_ticket(:forged, '{"subject": "forged"}') AS version \gset
SELECT is((SELECT h.changed_by || ', ' || h.session_role FROM triage.ticket_history h WHERE h.ticket_id = :forged AND h.field = 'subject'),
	'the boss, regress_triage_agent', 'triage.actor is a claim that an agent may make, the session''s role stands beside it');
SELECT is(pg_temp.outcome('INSERT INTO triage.ticket_history (tenant_id, ticket_id, field, changed_by, session_role) VALUES (''default'', 1, ''x'', ''x'', ''x'')'),
	'42501', 'and no line of history is written by hand');
RESET SESSION AUTHORIZATION;
RESET triage.actor;

-- Giving and taking back -------------------------------------------------------------------------------------------------------

CREATE ROLE "Regress triage ""odd""";
CREATE TEMP VIEW grants_of AS
	SELECT g.grantee::regrole AS role, format('%s %s %s', x.object, g.privilege_type, g.is_grantable) AS what
		FROM (
			SELECT n.nspname::text AS object, n.nspacl AS acl FROM pg_namespace n WHERE n.nspname = 'triage'
			UNION ALL SELECT c.relname, c.relacl FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace
			UNION ALL SELECT c.relname || '.' || a.attname, a.attacl FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'triage'::regnamespace
			UNION ALL SELECT p.oid::regprocedure::text, p.proacl FROM pg_proc p WHERE p.pronamespace = 'triage'::regnamespace) x, aclexplode(x.acl) g
	UNION ALL
	SELECT r.role, format('%s policy %s', p.polrelid::regclass, p.polname) FROM pg_policy p, unnest(p.polroles::regrole[]) r (role);
CREATE FUNCTION pg_temp.has_what(a text, b text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT g.what FROM grants_of g WHERE g.role = quote_ident(a)::regrole) a FULL JOIN
		(SELECT g.what FROM grants_of g WHERE g.role = quote_ident(b)::regrole) b USING (what) WHERE a IS NULL OR b IS NULL
$$;
CREATE FUNCTION pg_temp.becomes(level text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM triage.grant_access('Regress triage "odd"', level);
	RETURN pg_temp.has_what('Regress triage "odd"', 'regress_triage_' || level);
END
$$;
SELECT is(pg_temp.becomes(v.level), 0::bigint, 'a role with an odd name, whatever it was before, is ' || v.level)
	FROM unnest('{admin, reader, worker, worker, agent}'::text[]) v (level);
GRANT ALL ON triage.tickets TO "Regress triage ""odd""" WITH GRANT OPTION;
SET LOCAL ROLE "Regress triage ""odd""";
GRANT SELECT ON triage.tickets TO regress_triage_nobody;
RESET ROLE;
GRANT EXECUTE ON FUNCTION triage.install() TO "Regress triage ""odd""";
GRANT USAGE ON SEQUENCE triage.tickets_id_seq TO "Regress triage ""odd""";
SELECT triage.revoke_access('Regress triage "odd"');
SELECT is_empty($$SELECT what FROM grants_of WHERE role = '"Regress triage ""odd"""'::regrole$$, 'revoke_access() leaves nothing, by whomever it was granted');
SELECT is(pg_temp.try('nobody', 'SELECT count(*) FROM triage.tickets', 'tickets'), 'denied', 'nor what the role had passed on');
SELECT lives_ok($$SELECT triage.revoke_access('Regress triage "odd"')$$, 'to take nothing back is no error');
SELECT lives_ok('DROP ROLE "Regress triage ""odd"""', 'and the role can be dropped');
SELECT results_eq($$SELECT DISTINCT r.role::text FROM pg_policy p, unnest(p.polroles::regrole[]) r (role) WHERE p.polname = 'worker'$$,
	$$VALUES ('regress_triage_worker')$$, 'the worker that stays keeps its policies');

CREATE FUNCTION pg_temp.told(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(hint, ''));
END
$$;
SELECT is(pg_temp.told(v.command), v.told, v.command)
	FROM (VALUES
		($$SELECT triage.grant_access('regress_triage_nobody', 'boss')$$, '22023 | there is no access level "boss" | The levels are: reader, agent, admin, worker, consumer.'),
		($$SELECT triage.grant_access('regress_triage_nobody', 'owner')$$, '22023 | there is no access level "owner" | The levels are: reader, agent, admin, worker, consumer.'),
		($$SELECT triage.grant_access('regress_triage_nobody', NULL)$$, '22023 | there is no access level "NULL" | The levels are: reader, agent, admin, worker, consumer.'),
		($$SELECT triage.grant_access('Nobody', 'agent')$$,
			'42704 | role "Nobody" does not exist | The name is taken as it is, upper and lower case told apart. Create it with CREATE ROLE first.'),
		($$SELECT triage.grant_access(NULL, 'agent')$$,
			'42704 | role "NULL" does not exist | The name is taken as it is, upper and lower case told apart. Create it with CREATE ROLE first.'),
		($$SELECT triage.grant_access('public', 'reader')$$, '42704 | role "public" does not exist | Nothing of triage is granted to PUBLIC: name a role.'),
		($$SELECT triage.revoke_access('public')$$, '42704 | role "public" does not exist | Nothing of triage is granted to PUBLIC: name a role.'),
		($$SELECT triage.grant_access(current_user, 'agent')$$,
			format('0LP01 | role "%s" owns triage and needs no grant | Let the application connect as a role of its own.', current_user)),
		($$SELECT triage.revoke_access(current_user)$$,
			format('0LP01 | role "%s" owns triage and needs no grant | Let the application connect as a role of its own.', current_user))
	) AS v (command, told);
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA triage TO regress_triage_admin;
SELECT is(pg_temp.as_role('admin', $$SELECT triage.grant_access('regress_triage_admin', 'worker')$$),
	'42501 only the owner of extension "triage" can grant and revoke access to it', 'who may call it but is not the owner gives nobody anything');
SELECT is(pg_temp.as_role('admin', $$SELECT triage.revoke_access('regress_triage_agent')$$),
	'42501 only the owner of extension "triage" can grant and revoke access to it', 'and takes nothing');
SELECT is(pg_temp.as_role('admin', $$SELECT triage.disallow_tenant('regress_triage_admin', 'default')$$),
	'42501 permission denied for table role_tenants', 'nor can it free itself of its tenants');

SELECT finish();
ROLLBACK;
