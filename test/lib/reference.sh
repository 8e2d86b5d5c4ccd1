#!/bin/bash
# reference.sh: writes doc/reference.md to standard output, from the catalogs of the server that libpq's environment
# leads to, where the extension is installed.  `make reference` calls it; test/e2e/t/090_reference.pl compares.
#
# What it prints depends on the extension only: no oid, no clock, no version of the server.
# A function that the list below does not place, or a name there that is no function, is an error.
set -euo pipefail

psql -XAtqv ON_ERROR_STOP=1 <<'SQL'
SET client_min_messages = error;
SET search_path = pg_catalog;
SET intervalstyle = postgres;
-- without the library its settings are not known
LOAD 'triage';

-- id: for the list below; position: where it stands
CREATE TEMP TABLE chapter (id int PRIMARY KEY, position serial, title text, intro text);
INSERT INTO chapter (id, title, intro) VALUES
	(1, 'Tickets', 'What an application calls.'),
	(10, 'Chat and handover', 'Conversations with a customer, answered by the AI or by people, and how they change hands.'),
	(2, 'AI work', 'Asking for triage, waiting for it, putting failed work back.'),
	(9, 'Events and review', 'The outbox: what happened, for programs outside the database. What people make of the AI''s answers.'),
	(13, 'Product issues', 'What tickets report about the product: the taxonomy, extraction, and what came of it.'),
	(14, 'Clusters', 'Which issues are the same problem, how many there are and since when, and what product management decides of it.'),
	(12, 'Report', 'A page of figures for a browser or a printer.'),
	(15, 'Sync', 'Tickets that are copied from another system for as long as it is in use, and what the worker calls for that.'),
	(11, 'Import and erasure', 'Tickets from another system, and what is to be gone for good.'),
	(3, 'External workers', 'The queue''s protocol in SQL, for a worker that is not part of the server.'),
	(4, 'Worker', 'Starting, stopping and looking at the background worker.'),
	(5, 'Tenants and providers', 'What an administrator sets up.'),
	(6, 'Installation', ''),
	(7, 'Internal functions', 'Called by the functions, triggers, policies and views above; not meant to be called otherwise.'),
	(8, 'Trigger functions', '');

CREATE TEMP TABLE place (chapter int, position serial, name text);
INSERT INTO place (chapter, name)
	SELECT v.chapter, unnest(string_to_array(v.names, ' '))
		FROM (VALUES
			(1, 'create_ticket update_ticket add_comment assign_ticket unassign_ticket resolve_ticket close_ticket '
				'reopen_ticket delete_ticket search_tickets list_tickets'),
			(7, 'read_summarize lock_summarize store_summarize give_up_summarize escalate_for follow_chat_reply agent_spoke take_over_for'),
			(7, 'install_handoff_tables install_handoff_views install_handoff_comments set_handler close_by_client is_handed_over check_closed_by_client conversation_trouble '
				'check_conversation ask_summary add_escalation origin_session record_handoff open_ticket_of reason_text '
				'check_escalation hand_to_people mark_turn handoff_cause handoff_reason deflect_session ticket_talk'),
			(1, 'receive_reply edit_comment redact_comment attach_to_comment add_tags remove_tags set_custom_fields link_tickets unlink_tickets'),
			(6, 'check_integrity'),
			(7, 'comment_role check_comment_text check_created_at check_custom_fields check_external_id check_length check_chat_details check_file check_tags follow_up follow_ups say_in_chat message_text '
				'install_comment_tables install_ticket_views lock_comment orphans tickets_tagged'),
			(2, 'request_triage wait_for_triage cancel_job reprioritise retry_failed'),
			(10, 'start_session post_message attach_file conversation search_messages link_session end_session archive_session'),
			(10, 'escalate_session escalate_ticket take_over_session hand_back_to_ai request_summary request_session_summary'),
			(10, 'set_chat_settings chat_settings_of escalate_unanswered'),
			(7, 'read_chat_reply lock_chat_reply store_chat_reply give_up_chat_reply'),
			(14, 'top_clusters cluster_report cluster_quotes fold_trends rebuild_trends'),
			(7, 'install_trend_tables install_trend_triggers install_trend_views quote_is_public rank_clusters report_edge fold_lock customer_key trend_differences'),
			(7, 'issue_candidates trigram_similarities issue_terms quote_words candidate_query'),
			(3, 'claim_jobs complete_job fail_job reap_jobs'),
			(4, 'worker_start worker_stop pause resume run_pending worker_counters waiting_databases adopt home_refusal health doctor explain_ticket run_stats'),
			(5, 'create_tenant set_provider drop_provider pause_provider resume_provider provider_gates set_price drop_price price_of set_output_limit set_budget drop_budget write_off origin_refusal current_tenant current_actor'),
			(5, 'grant_access revoke_access allow_tenant disallow_tenant access_list'),
			(14, 'assign_issue unassign_issue split_cluster merge_clusters unmerge_cluster rename_cluster set_pm_status archive_cluster unarchive_cluster suggest_merges '
				'delete_cluster place_unclustered'),
			(7, 'read_match_issues lock_match_issues store_match_issues give_up_match_issues read_name_cluster lock_name_cluster store_name_cluster give_up_name_cluster '
				'install_cluster_triggers install_cluster_comments cluster_algorithm has_model issue_category_key lock_issue_category lock_merges live_cluster is_excluded add_cluster_event note_unplaced note_regression put_issue new_cluster gather_issues pm_status_follows '
				'exact_place decide_issue resolve_label lock_places pair_issues settle_issues place_issues candidate_note asked_issues ask_cluster_name lock_cluster check_live_cluster lock_issues take_out_issue check_issue check_cluster_name erase_clusters cluster_contradictions'),
			(13, 'load_taxonomy set_taxonomy deactivate_taxonomy set_mining_settings mining_settings_of extract_issues extract_all estimate_extraction '
				'analyzed_at quote_occurs issue_fingerprint plain_summary'),
			(7, 'install_mining_tables install_extraction_comments install_extraction_views install_extraction_triggers content_versions enqueue_mining '
				'request_extraction changed_tickets check_taxonomy_name check_taxonomy_there check_extract_all tickets_to_extract clip_middle quote_in_ticket issue_customer '
				'issues_of_answer reword_issues extract_finished forget_quotes read_extract_issues lock_extract_issues store_extract_issues give_up_extract_issues '
				'extraction_contradictions'),
			(9, 'add_consumer read_events confirm_events drop_consumer'),
			(9, 'accept_draft edit_draft reject_draft correct_result ai_assisted text_similarity'),
			(7, 'install_event_tables install_event_triggers install_event_views install_review_tables install_review_triggers '
				'install_review_views emit_event event_generation held_to_tenants committed_snapshot lock_consumer first_event '
				'next_batch trim_events pending_events health_events reviewer lock_result check_draft_is_open check_corrections'),
			(6, 'install uninstall apply_retention schedule_maintenance unschedule_maintenance maintenance_jobs purge_run_details'),
			(12, 'report_html'),
			(7, 'report_backlog report_backlog_section report_cluster_facts report_clusters_section report_costs report_curve report_days report_key report_keys report_latency report_mix_section report_outcomes_section report_period report_quotes report_trend report_volume report_volume_section '
				'html_chart html_date html_duration html_escape html_money html_number html_row html_section html_shares html_style html_table html_text svg_bar svg_bars svg_scale svg_sparkline'),
			(6, 'load_demo remove_demo'),
			(7, 'demo_clusters demo_issues load_demo_issues remove_demo_issues'),
			(7, 'check_place_for_demo load_demo_people load_demo_tickets load_demo_history load_demo_comments load_demo_conversations load_demo_escalations demo_tickets demo_scenarios demo_number demo_pick demo_customer demo_fill'),
			(11, 'import_tickets import_comments import_history resume_import import_start import_batch import_progress preview_import import_columns import_word'),
			(11, 'purge_deleted erase_person erasure_list'),
			(15, 'add_zendesk_source drop_source sync_now pause_source resume_source'),
			(15, 'claim_sync next_sync store_sync_tickets store_sync_comments fail_sync revive_sync take_over_sync'),
			(7, 'install_sync_tables install_sync_views check_zendesk_source check_sync_source health_sync doctor_sync sync_lost sync_pace '
				'sync_fit sync_wait sync_errors sync_store_people sync_normal_tickets sync_store_tickets sync_try_tickets '
				'sync_store_comments sync_store_files sync_comment_text sync_try_comments sync_extract fail_sync_comments'),
			(6, 'set_syncing syncing check_commit'),
			(7, 'install_records_tables purge_tickets erase_tickets import_guesses import_words import_read import_sieve import_try '
				'import_store_tickets import_store_comments import_store_history check_import_labels squash'),
			(7, 'budget_period_end check_budget access_levels clear_access set_worker_policies clause_of doctor_maintenance doctor_providers doctor_schema doctor_vacuum doctor_worker expected_constraints expected_objects '
				'explain_job explain_results explain_runs exposed_origins health_budgets health_failures health_prompts health_providers health_queue '
				'health_runs health_worker hold_reason latest_runs library_state listed_origins url_refusal prompt_sha256 provider_troubles said_in_public queue_head secret_refusal '
				'check_category check_pg_cron check_provider_endpoint check_schema check_tenant check_ticket_changes ensure_agent '
				'ensure_person enum_labels in_extension_script install_column_comments install_comments install_policies install_tables install_triggers install_views '
				'install_chat_tables install_chat_comments install_chat_triggers install_chat_views lock_chat check_message ensure_author '
				'request_chat_reply call_off_chat_reply follow_messages follow_messages_ticket request_chat_summary '
				'least_request_tokens load_default_vocabulary lock_ticket open_gate provider_terms score_categories ts_config wake_worker write_home written_here')) v (chapter, names);

CREATE TEMP TABLE func AS
	SELECT p.oid, p.proname::text AS name, p.prorettype = 'trigger'::regtype AS is_trigger, p.prosecdef AS is_definer,
			coalesce(obj_description(p.oid, 'pg_proc'), '') AS comment
		FROM pg_proc p
		WHERE p.pronamespace = 'triage'::regnamespace AND p.prokind IN ('f', 'p');
INSERT INTO place (chapter, name)
	SELECT 8, f.name FROM func f WHERE f.is_trigger ORDER BY f.name COLLATE "C";

DO $$
DECLARE
	misplaced text;
BEGIN
	SELECT string_agg(coalesce(f.name, p.name), ', ') INTO misplaced
		FROM func f FULL JOIN place p ON p.name = f.name
		WHERE f.name IS NULL OR p.name IS NULL;
	IF misplaced IS NOT NULL THEN
		RAISE EXCEPTION 'test/lib/reference.sh and the catalogs disagree about these functions: %', misplaced
			USING ERRCODE = 'data_exception';
	END IF;
END
$$;

-- Text for a cell or a paragraph of Markdown.
CREATE FUNCTION pg_temp.md(txt text) RETURNS text LANGUAGE sql AS
	$$ SELECT replace(replace(replace(coalesce(txt, ''), '&', '&amp;'), '<', '&lt;'), '|', '\|') $$;
CREATE FUNCTION pg_temp.short_type(txt text) RETURNS text LANGUAGE sql AS
	$$ SELECT replace(txt, 'timestamp with time zone', 'timestamptz') $$;
CREATE FUNCTION pg_temp.short_default(txt text) RETURNS text LANGUAGE sql AS
	$$ SELECT regexp_replace(txt, '^(NULL|''[^'']*'')::[a-z_. ]+(\[\])?$', '\1') $$;

-- One argument or column a line where the whole would not fit into one.
CREATE FUNCTION pg_temp.listed(head text, parts text[], tail text, indent text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE
		WHEN length(head || array_to_string(parts, ', ') || tail) <= 110 THEN head || array_to_string(parts, ', ') || tail
		ELSE head || indent || array_to_string(parts, ',' || indent) || tail END
$$;
CREATE FUNCTION pg_temp.signature(func oid) RETURNS text LANGUAGE sql AS $$
	WITH arg AS (
		SELECT a.n, a.mode, concat_ws(' ', nullif(p.proargnames[a.n], ''), pg_temp.short_type(format_type(a.type, NULL)),
				'DEFAULT ' || pg_temp.short_default(pg_get_function_arg_default(p.oid, a.n::int))) AS text
			FROM pg_proc p,
				unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes) WITH ORDINALITY a (type, mode, n)
			WHERE p.oid = func)
	SELECT pg_temp.listed(CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE '' END || 'triage.' || p.proname || '(',
			coalesce((SELECT array_agg(CASE arg.mode WHEN 'b' THEN 'INOUT ' WHEN 'o' THEN 'OUT ' ELSE '' END || arg.text ORDER BY arg.n)
				FROM arg WHERE coalesce(arg.mode, 'i') <> 't'), '{}'), ')', E'\n\t')
		|| CASE WHEN p.prokind = 'p' THEN ''
			WHEN p.proretset
			THEN pg_temp.listed(E'\n\tRETURNS TABLE (', (SELECT array_agg(arg.text ORDER BY arg.n) FROM arg WHERE arg.mode = 't'), ')',
				E'\n\t\t')
			ELSE ' RETURNS ' || pg_temp.short_type(format_type(p.prorettype, NULL)) END
		FROM pg_proc p WHERE p.oid = func
$$;

\qecho '# Reference'
\qecho ''
\qecho 'Written by `make reference` from the catalogs; a test compares. Everything lives in schema `triage`.'
\qecho ''
\qecho '[Functions](#functions) · [Tables](#tables) · [Views](#views) · [Types](#types) · [Settings](#settings)'
\qecho ''
\qecho '## Functions'
\qecho ''
\qecho 'A function''s text says what its arguments mean, what it returns and which SQLSTATEs it raises. Five more can come'
\qecho 'from almost any of them: 42501 (no right), 55000 (the tables are missing or of another version), 22P02 (not a label'
\qecho 'of an enum type), 40001 (a concurrent change) and 40P01 (a deadlock).'

SELECT CASE WHEN p.position = min(p.position) OVER (PARTITION BY c.id)
			THEN format(E'\n### %s\n', c.title) || CASE WHEN c.intro <> '' THEN E'\n' || c.intro || E'\n' ELSE '' END
			ELSE '' END
		|| E'\n```sql\n' || pg_temp.signature(f.oid) || E'\n```\n' || pg_temp.md(upper(left(f.comment, 1)) || substr(f.comment, 2)) || '.'
		|| CASE WHEN f.is_definer THEN ' Runs with its owner''s rights.' ELSE '' END
	FROM place p JOIN chapter c ON c.id = p.chapter JOIN func f ON f.name = p.name
	ORDER BY c.position, p.position, f.oid::regprocedure::text COLLATE "C";

CREATE TEMP TABLE rel AS
	SELECT c.oid, c.relname::text AS name, c.relkind, coalesce(obj_description(c.oid, 'pg_class'), '') AS comment
		FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v');
CREATE FUNCTION pg_temp.columns(rel oid, is_view boolean) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN is_view THEN E'| column | type | |\n|---|---|---|\n'
			ELSE E'| column | type | null | default | |\n|---|---|---|---|---|\n' END
		|| string_agg('| ' || array_to_string(ARRAY['`' || a.attname || '`', pg_temp.short_type(format_type(a.atttypid, a.atttypmod))]
				|| CASE WHEN is_view THEN '{}'::text[]
					ELSE ARRAY[CASE WHEN a.attnotnull THEN '' ELSE 'yes' END,
						CASE WHEN a.attidentity <> '' THEN 'identity'
							ELSE coalesce('`' || pg_temp.short_default(pg_get_expr(d.adbin, d.adrelid)) || '`', '') END] END
				|| pg_temp.md(col_description(a.attrelid, a.attnum)), ' | ') || ' |', E'\n' ORDER BY a.attnum)
		FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		WHERE a.attrelid = rel AND a.attnum > 0 AND NOT a.attisdropped
$$;
\qecho ''
\qecho '## Tables'
\qecho ''
\qecho 'Ordinary tables, created by `triage.install()`. `tenant_id` is part of every key of a tenant''s table.'
SELECT format(E'\n### %s\n\n%s.\n\n%s', r.name, pg_temp.md(upper(left(r.comment, 1)) || substr(r.comment, 2)), pg_temp.columns(r.oid, false))
	FROM rel r WHERE r.relkind <> 'v' ORDER BY r.name COLLATE "C";
\qecho ''
\qecho '## Views'
\qecho ''
\qecho 'All are `security_invoker`: they show what the reader may see in the tables.'
SELECT format(E'\n### %s\n\n%s.\n\n%s', r.name, pg_temp.md(upper(left(r.comment, 1)) || substr(r.comment, 2)), pg_temp.columns(r.oid, true))
	FROM rel r WHERE r.relkind = 'v' ORDER BY r.name COLLATE "C";
\qecho ''
\qecho '## Types'
\qecho ''
\qecho '| type | labels, in order | |'
\qecho '|---|---|---|'
SELECT format('| `%s` | %s | %s |', t.typname,
		(SELECT string_agg('`' || e.enumlabel || '`', ', ' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
		pg_temp.md(obj_description(t.oid, 'pg_type')))
	FROM pg_type t
	WHERE t.typnamespace = 'triage'::regnamespace AND t.typtype = 'e'
	ORDER BY t.typname COLLATE "C";
\qecho ''
\qecho '## Settings'
\qecho ''
\qecho '`user`: anybody, in a session. `superuser`: a superuser, in a session. `sighup`: in postgresql.conf or with ALTER'
\qecho 'SYSTEM, then `SELECT pg_reload_conf()`.'
\qecho ''
\qecho '| setting | type | default | range | context | |'
\qecho '|---|---|---|---|---|---|'
SELECT format('| `%s` | %s | %s | %s | %s | %s |', s.name, s.vartype || coalesce(', ' || s.unit, ''),
		CASE WHEN s.boot_val = '' THEN 'empty' ELSE '`' || s.boot_val || '`' END,
		coalesce(s.min_val || ' to ' || s.max_val, ''), s.context,
		pg_temp.md(concat_ws(' ', s.short_desc, s.extra_desc)))
	FROM pg_settings s
	WHERE s.name LIKE 'triage.%'
	ORDER BY s.name COLLATE "C";
SQL
