-- The schema: every table column by column, and the rules that all tables, views and functions keep.
--
-- A rule is a view of what breaks it, which must be empty.  At the end, objects that break each rule are made, to show
-- that the rules see them.
\ir prepare.psql
SELECT plan(146);
-- definitions print schema-qualified
SET LOCAL search_path = pg_catalog, public, pg_temp;

-- Tables, column by column ---------------------------------------------------------------------------------------------

CREATE TABLE pg_temp.expected_table (name text, columns text);
INSERT INTO pg_temp.expected_table VALUES
	('chat_settings', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		bot_enabled boolean NOT NULL DEFAULT true
		auto_close boolean NOT NULL DEFAULT false
		summarize_on_handoff boolean NOT NULL DEFAULT true
		min_confidence numeric(3,2) DEFAULT 0.3
		unsure_below numeric(3,2) DEFAULT 0.6
		max_sentiment integer DEFAULT 8
		max_failed_turns integer DEFAULT 3
		max_replies integer DEFAULT 30
		reply_delay_ms integer NOT NULL DEFAULT 0
		history_messages integer NOT NULL DEFAULT 50
		max_wait_ms integer DEFAULT 120000
		updated_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('conversation_summaries', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint
		session_id bigint
		run_id bigint
		summary text NOT NULL
		customer_request text
		open_questions text[] NOT NULL DEFAULT '{}'::text[]
		sentiment_score integer
		language text
		up_to_message bigint NOT NULL DEFAULT 0
		created_at timestamp with time zone NOT NULL DEFAULT now()
		superseded_at timestamp with time zone$$),
	('issue_clusters', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		public_id uuid NOT NULL DEFAULT gen_random_uuid()
		category text NOT NULL
		subcategory text NOT NULL
		cluster_name text NOT NULL
		cluster_summary text
		name_is_manual boolean NOT NULL DEFAULT false
		named_at_count integer NOT NULL DEFAULT 0
		pm_status triage.pm_status NOT NULL DEFAULT 'new'::triage.pm_status
		pm_notes text
		fixed_at timestamp with time zone
		regressed_at timestamp with time zone
		merged_into_id bigint
		merge_parent_id bigint
		archived_at timestamp with time zone
		version integer NOT NULL DEFAULT 1
		created_at timestamp with time zone NOT NULL DEFAULT now()
		updated_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('cluster_exclusions', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		cluster_id bigint NOT NULL
		fingerprint bytea NOT NULL
		created_by text NOT NULL
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('cluster_events', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		cluster_id bigint
		issue_id bigint
		event triage.cluster_event NOT NULL
		assigner triage.issue_assigner
		score real
		algorithm integer
		run_id bigint
		details jsonb NOT NULL DEFAULT '{}'::jsonb
		actor text NOT NULL
		session_role text NOT NULL
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('issue_taxonomy', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		category text NOT NULL
		subcategory text NOT NULL
		description text NOT NULL DEFAULT ''::text
		keywords text[] NOT NULL DEFAULT '{}'::text[]
		is_active boolean NOT NULL DEFAULT true$$),
	('mining_settings', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		extract_on_resolve boolean
		extract_on_sync boolean
		summary_language text
		min_issues integer
		min_customers integer
		join_score real
		candidate_score real
		regression_grace interval
		updated_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('extracted_issues', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		public_id uuid NOT NULL DEFAULT gen_random_uuid()
		ticket_id bigint NOT NULL
		cluster_id bigint
		run_id bigint
		category text NOT NULL
		subcategory text NOT NULL
		issue_type triage.issue_type NOT NULL
		severity triage.issue_severity NOT NULL
		summary text NOT NULL
		detail text
		representative_quote text
		quote_verified boolean NOT NULL DEFAULT false
		confidence numeric(3,2)
		customer text
		fingerprint bytea NOT NULL
		assigned_by triage.issue_assigner
		assignment_score real
		assigned_at timestamp with time zone
		algorithm integer
		reported_at timestamp with time zone NOT NULL
		extracted_at timestamp with time zone NOT NULL DEFAULT now()
		superseded_at timestamp with time zone
		search tsvector DEFAULT to_tsvector('english'::regconfig, summary)$$),
	('cluster_deltas', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		cluster_id bigint NOT NULL
		day date NOT NULL
		severity triage.issue_severity NOT NULL
		customer_key uuid
		issues integer NOT NULL
		first_at timestamp with time zone
		last_at timestamp with time zone
		has_removals boolean NOT NULL$$),
	('cluster_daily', $$tenant_id text NOT NULL
		cluster_id bigint NOT NULL
		day date NOT NULL
		low integer NOT NULL
		medium integer NOT NULL
		high integer NOT NULL
		critical integer NOT NULL$$),
	('cluster_customers', $$tenant_id text NOT NULL
		cluster_id bigint NOT NULL
		customer_key uuid NOT NULL
		issues integer NOT NULL$$),
	('cluster_totals', $$tenant_id text NOT NULL
		cluster_id bigint NOT NULL
		low integer NOT NULL
		medium integer NOT NULL
		high integer NOT NULL
		critical integer NOT NULL
		customers integer NOT NULL
		first_at timestamp with time zone
		last_at timestamp with time zone
		recent integer[] NOT NULL DEFAULT '{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0}'::integer[]
		recent_day date NOT NULL DEFAULT '2000-01-01'::date
		has_later boolean NOT NULL DEFAULT false$$),
	('ticket_extractions', $$tenant_id text NOT NULL
		ticket_id bigint NOT NULL
		content_version bigint NOT NULL
		issues integer NOT NULL
		provider text
		model text
		analyzed_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('ticket_escalations', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint NOT NULL
		session_id bigint
		cause triage.escalation_cause NOT NULL
		reason text
		up_to_message bigint
		created_by text NOT NULL
		session_role text NOT NULL
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('ai_dead_letters', $$tenant_id text NOT NULL
		id bigint NOT NULL
		ticket_id bigint
		session_id bigint
		kind triage.job_kind NOT NULL
		priority triage.ticket_priority NOT NULL
		fence integer NOT NULL
		attempts smallint NOT NULL
		class triage.run_outcome NOT NULL
		message text NOT NULL
		created_at timestamp with time zone NOT NULL
		failed_at timestamp with time zone NOT NULL DEFAULT now()
		cluster_id bigint$$),
	('ai_feedback', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		result_id bigint NOT NULL
		person_id text NOT NULL
		verdict triage.feedback_verdict
		comment_id bigint
		similarity numeric(4,3)
		corrections jsonb NOT NULL DEFAULT '{}'::jsonb
		reason text
		created_at timestamp with time zone NOT NULL DEFAULT now()
		updated_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('events', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		generation integer NOT NULL
		xid xid8 NOT NULL DEFAULT pg_current_xact_id()
		topic triage.event_topic NOT NULL
		ticket_id bigint
		session_id bigint
		object_id bigint
		version integer
		actor text NOT NULL
		labels jsonb NOT NULL DEFAULT '{}'::jsonb
		created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()$$),
	('event_generations', $$generation integer NOT NULL
		system_identifier bigint NOT NULL
		began_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('event_consumers', $$tenant text
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		name text NOT NULL
		topics text[]
		generation integer NOT NULL
		seen pg_snapshot NOT NULL
		batch pg_snapshot
		batch_after bigint NOT NULL DEFAULT 0
		confirmed bigint NOT NULL DEFAULT 0
		delivered bigint NOT NULL DEFAULT 0
		created_at timestamp with time zone NOT NULL DEFAULT now()
		created_by text NOT NULL
		read_at timestamp with time zone
		confirmed_at timestamp with time zone$$),
	('ai_jobs', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint
		session_id bigint
		kind triage.job_kind NOT NULL DEFAULT 'triage'::triage.job_kind
		priority triage.ticket_priority NOT NULL DEFAULT 'medium'::triage.ticket_priority
		run_at timestamp with time zone NOT NULL DEFAULT now()
		created_at timestamp with time zone NOT NULL DEFAULT now()
		lease_until timestamp with time zone
		claimed_at timestamp with time zone
		fence integer NOT NULL DEFAULT 0
		attempts smallint NOT NULL DEFAULT 0
		slot smallint
		provider text
		cluster_id bigint$$),
	('ai_runs', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		job_id bigint NOT NULL
		ticket_id bigint
		session_id bigint
		kind triage.job_kind NOT NULL
		fence integer NOT NULL
		provider text
		model text
		prompt_version integer
		outcome triage.run_outcome NOT NULL
		http_status integer
		request_id text
		error text
		input_tokens integer
		cached_tokens integer
		output_tokens integer
		cache_write_tokens integer
		cost numeric
		currency text
		price jsonb
		latency_ms integer
		started_at timestamp with time zone
		finished_at timestamp with time zone NOT NULL DEFAULT now()
		cluster_id bigint$$),
	('imports', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		target text NOT NULL
		source_table text NOT NULL
		source text NOT NULL
		ticket_source text
		columns jsonb NOT NULL
		labels jsonb NOT NULL DEFAULT '{}'::jsonb
		request_triage boolean NOT NULL DEFAULT false
		batch_size integer NOT NULL DEFAULT 1000
		last_key text
		rows_imported bigint NOT NULL DEFAULT 0
		rows_skipped bigint NOT NULL DEFAULT 0
		rows_failed bigint NOT NULL DEFAULT 0
		started_by text NOT NULL DEFAULT CURRENT_USER
		started_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
		updated_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()
		finished_at timestamp with time zone$$),
	('import_errors', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		import_id bigint NOT NULL
		row_key text
		person text
		state text NOT NULL
		message text NOT NULL
		created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()$$),
	('chat_attachments', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		message_id bigint NOT NULL
		file_url text NOT NULL
		file_name text NOT NULL
		file_type text NOT NULL
		byte_size bigint
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('chat_messages', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		session_id bigint NOT NULL
		role triage.message_role NOT NULL DEFAULT 'user'::triage.message_role
		author_id text
		content text NOT NULL
		language text
		metadata jsonb
		client_id text
		run_id bigint
		comment_id bigint
		created_at timestamp with time zone NOT NULL DEFAULT now()
		search tsvector DEFAULT to_tsvector(triage.ts_config(language), "left"(content, 100000))$$),
	('chat_sessions', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		public_id uuid NOT NULL DEFAULT gen_random_uuid()
		customer_id text
		language text
		status triage.session_status NOT NULL DEFAULT 'active'::triage.session_status
		metadata jsonb NOT NULL DEFAULT '{}'::jsonb
		created_at timestamp with time zone NOT NULL DEFAULT now()
		updated_at timestamp with time zone NOT NULL DEFAULT now()
		ended_at timestamp with time zone
		context_start bigint$$),
	('chat_tickets', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		session_id bigint NOT NULL
		ticket_id bigint NOT NULL
		relation triage.session_link NOT NULL DEFAULT 'origin'::triage.session_link
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('comment_edits', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		comment_id bigint NOT NULL
		old_content text NOT NULL
		edited_by text NOT NULL
		session_role text NOT NULL
		edited_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('comment_attachments', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		comment_id bigint NOT NULL
		source text NOT NULL DEFAULT 'api'::text
		file_url text NOT NULL
		file_name text NOT NULL
		file_type text NOT NULL DEFAULT 'application/octet-stream'::text
		byte_size bigint
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('ticket_links', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint NOT NULL
		kind triage.ticket_link_kind NOT NULL
		other_id bigint NOT NULL
		created_by text NOT NULL DEFAULT triage.current_actor()
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('home', $$id boolean NOT NULL DEFAULT true
		system_identifier bigint NOT NULL
		database_oid bigint NOT NULL
		table_oid bigint NOT NULL
		written_in bigint NOT NULL
		adopted_at timestamp with time zone NOT NULL DEFAULT now()
		adopted_by text NOT NULL$$),
	('budget_reservations', $$tenant text NOT NULL
		job bigint NOT NULL
		fence integer NOT NULL
		budget bigint NOT NULL
		period_start timestamp with time zone NOT NULL
		amount numeric NOT NULL
		ticket bigint
		provider text NOT NULL
		reserved_at timestamp with time zone NOT NULL
		expires_at timestamp with time zone NOT NULL
		unsettled_since timestamp with time zone
		session bigint
		kind triage.job_kind NOT NULL DEFAULT 'triage'::triage.job_kind
		cluster bigint
		input_tokens bigint NOT NULL DEFAULT 0
		output_tokens integer NOT NULL DEFAULT 0
		raised numeric NOT NULL DEFAULT 0$$),
	('budget_usage', $$budget bigint NOT NULL
		period_start timestamp with time zone NOT NULL
		reserved numeric NOT NULL DEFAULT 0
		spent numeric NOT NULL DEFAULT 0
		unsettled numeric NOT NULL DEFAULT 0
		excess numeric NOT NULL DEFAULT 0
		excess_at timestamp with time zone$$),
	('provider_models', $$provider text NOT NULL
		asked_model text NOT NULL
		model text NOT NULL
		first_seen timestamp with time zone NOT NULL DEFAULT now()$$),
	('budgets', $$tenant text
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		period triage.budget_period NOT NULL
		spend_limit numeric NOT NULL
		currency text NOT NULL
		updated_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('model_prices', $$model_pattern text NOT NULL
		provider text NOT NULL DEFAULT '*'::text
		valid_from timestamp with time zone NOT NULL DEFAULT now()
		input numeric NOT NULL
		cached_input numeric NOT NULL
		cache_write numeric NOT NULL
		output numeric NOT NULL
		currency text NOT NULL
		like_pattern text DEFAULT replace(replace(replace(replace(model_pattern, '\'::text, '\\'::text), '%'::text, '\%'::text), '_'::text, '\_'::text), '*'::text, '%'::text)$$),
	('people', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id text NOT NULL
		role triage.person_role NOT NULL DEFAULT 'customer'::triage.person_role
		display_name text
		email text
		language text
		created_at timestamp with time zone NOT NULL DEFAULT now()
		erased_at timestamp with time zone
		organization_id text$$),
	('organizations', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id text NOT NULL
		name text NOT NULL
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('sync_sources', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		name text NOT NULL
		base_url text NOT NULL
		auth triage.sync_auth NOT NULL
		email text
		secret text NOT NULL
		start_time timestamp with time zone NOT NULL
		page_size integer NOT NULL DEFAULT 1000
		poll_interval interval NOT NULL DEFAULT '00:01:00'::interval
		timeout_ms integer NOT NULL DEFAULT 60000
		include_comments boolean NOT NULL DEFAULT true
		requests_per_minute integer NOT NULL DEFAULT 10
		comment_requests_per_minute integer NOT NULL DEFAULT 300
		support_type_scope text
		paused_at timestamp with time zone
		paused_by text
		pause_reason text
		created_at timestamp with time zone NOT NULL DEFAULT now()
		updated_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('sync_state', $$tenant_id text NOT NULL
		source text NOT NULL
		stream triage.sync_stream NOT NULL
		cursor text
		last_ticket_updated_at timestamp with time zone
		sync_completed_at timestamp with time zone
		restart_at timestamp with time zone
		next_run_at timestamp with time zone NOT NULL DEFAULT now()
		paced_until timestamp with time zone NOT NULL DEFAULT now()
		resting_since timestamp with time zone
		lease_until timestamp with time zone
		fence integer NOT NULL DEFAULT 0
		slot smallint
		requested_at timestamp with time zone
		consecutive_failures integer NOT NULL DEFAULT 0
		last_outcome triage.run_outcome
		last_http_status integer
		last_error text$$),
	('sync_runs', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		source text NOT NULL
		stream triage.sync_stream NOT NULL
		outcome triage.run_outcome NOT NULL
		http_status integer
		error text
		tickets_received integer NOT NULL DEFAULT 0
		tickets_upserted integer NOT NULL DEFAULT 0
		tickets_deleted integer NOT NULL DEFAULT 0
		comments_upserted integer NOT NULL DEFAULT 0
		retry_after_ms bigint
		latency_ms integer
		started_at timestamp with time zone
		finished_at timestamp with time zone NOT NULL DEFAULT clock_timestamp()$$),
	('synced_tickets', $$tenant_id text NOT NULL
		ticket_id bigint NOT NULL
		source text NOT NULL
		external_number bigint
		source_updated_at timestamp with time zone NOT NULL
		generated_at bigint NOT NULL
		synced_at timestamp with time zone NOT NULL DEFAULT now()
		details jsonb NOT NULL DEFAULT '{}'::jsonb
		copied jsonb NOT NULL DEFAULT '{}'::jsonb
		comments_due_at timestamp with time zone
		comments_cursor text
		comments_synced_at timestamp with time zone
		comments_failures integer NOT NULL DEFAULT 0
		comments_fence integer NOT NULL DEFAULT 0
		comments_slot smallint$$),
	('prompts', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		kind triage.job_kind NOT NULL
		version integer NOT NULL
		system_text text NOT NULL
		is_active boolean NOT NULL DEFAULT true
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('providers', $$name text NOT NULL
		api triage.provider_api NOT NULL
		base_url text
		model text
		secret text
		max_in_flight integer
		timeout_ms integer NOT NULL DEFAULT 60000
		rank integer NOT NULL DEFAULT 100
		enabled boolean NOT NULL DEFAULT true
		updated_at timestamp with time zone NOT NULL DEFAULT now()
		requests_per_minute integer
		tokens_per_minute integer
		paused_at timestamp with time zone
		paused_by text
		pause_reason text
		max_output_tokens integer
		max_tokens_field text NOT NULL DEFAULT 'max_completion_tokens'::text$$),
	('retention', $$target text NOT NULL
		keep interval$$),
	('role_tenants', $$tenant_id text NOT NULL
		role regrole NOT NULL$$),
	('schema_version', $$version integer NOT NULL
		installed_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('tenants', $$id text NOT NULL
		name text NOT NULL DEFAULT ''::text
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('ticket_ai_results', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint NOT NULL
		run_id bigint
		ticket_version integer NOT NULL
		category text NOT NULL
		urgency triage.ticket_priority NOT NULL
		sentiment_score integer NOT NULL
		needs_human boolean
		confidence numeric(3,2)
		language text
		summary text
		draft_reply text NOT NULL
		processed_at timestamp with time zone NOT NULL DEFAULT now()
		superseded_at timestamp with time zone$$),
	('ticket_assignments', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint NOT NULL
		agent_id text NOT NULL
		assigned_by text NOT NULL
		assigned_at timestamp with time zone NOT NULL DEFAULT now()
		unassigned_at timestamp with time zone$$),
	('ticket_categories', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		category text NOT NULL
		description text NOT NULL DEFAULT ''::text
		keywords text[] NOT NULL DEFAULT '{}'::text[]
		is_active boolean NOT NULL DEFAULT true$$),
	('ticket_comments', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint NOT NULL
		author_id text
		author_role triage.person_role NOT NULL
		visibility triage.comment_visibility NOT NULL DEFAULT 'public'::triage.comment_visibility
		content text NOT NULL
		source text NOT NULL DEFAULT 'api'::text
		external_id text
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('ticket_history', $$tenant_id text NOT NULL
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		ticket_id bigint NOT NULL
		field text NOT NULL
		old_value jsonb
		new_value jsonb
		changed_by text NOT NULL
		session_role text NOT NULL
		created_at timestamp with time zone NOT NULL DEFAULT now()$$),
	('tickets', $$tenant_id text NOT NULL DEFAULT triage.current_tenant()
		id bigint NOT NULL GENERATED ALWAYS AS IDENTITY
		public_id uuid NOT NULL DEFAULT gen_random_uuid()
		source text NOT NULL DEFAULT 'api'::text
		external_id text
		requester_id text
		requester_email text
		language text
		subject text NOT NULL DEFAULT ''::text
		description text NOT NULL
		custom_fields jsonb NOT NULL DEFAULT '{}'::jsonb
		tags text[] NOT NULL DEFAULT '{}'::text[]
		search tsvector
		created_at timestamp with time zone NOT NULL DEFAULT now()
		status triage.ticket_status NOT NULL DEFAULT 'open'::triage.ticket_status
		resolution triage.ticket_resolution
		handler triage.ticket_handler NOT NULL DEFAULT 'human'::triage.ticket_handler
		priority triage.ticket_priority NOT NULL DEFAULT 'medium'::triage.ticket_priority
		priority_is_manual boolean NOT NULL DEFAULT false
		category_is_manual boolean NOT NULL DEFAULT false
		category text
		assignee_id text
		waiting_since timestamp with time zone
		first_response_at timestamp with time zone
		resolved_at timestamp with time zone
		closed_at timestamp with time zone
		deleted_at timestamp with time zone
		updated_at timestamp with time zone NOT NULL DEFAULT now()
		version integer NOT NULL DEFAULT 1$$),
	('worker_control', $$id boolean NOT NULL DEFAULT true
		stopped_at timestamp with time zone
		stopped_by text
		paused_at timestamp with time zone
		paused_by text
		pause_reason text$$);

CREATE TEMP VIEW actual_table AS
	SELECT c.relname AS name, string_agg(concat(a.attname, ' ', format_type(a.atttypid, a.atttypmod),
			CASE WHEN a.attnotnull THEN ' NOT NULL' END,
			CASE WHEN a.attidentity = 'a' THEN ' GENERATED ALWAYS AS IDENTITY' END,
			' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)), E'\n' ORDER BY a.attnum) AS columns
		FROM pg_class c
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p')
		GROUP BY c.oid;
SELECT set_eq($$SELECT name FROM actual_table$$, $$SELECT name FROM expected_table$$, 'these are the tables');
SELECT is(a.columns, regexp_replace(e.columns, '\n\s+', E'\n', 'g'), 'columns of ' || e.name)
	FROM expected_table e LEFT JOIN actual_table a ON a.name = e.name ORDER BY e.name;

-- Views, by their columns' names -----------------------------------------------------------------------------------------

CREATE TABLE pg_temp.expected_view (name text, columns text);
INSERT INTO pg_temp.expected_view VALUES
	('ai_failures', 'tenant_id ticket_id job_id state attempts class message next_try_at failed_at provider model kind session_id cluster_id'),
	('ai_state', 'tenant_id ticket_id ai_state'),
	('ai_quality', 'tenant_id kind provider model prompt_version answers refused unusable_answers given_up results accepted edited rejected '
		'accepted_share edited_share rejected_share unreviewed_share mean_similarity looked_at category_corrected urgency_corrected '
		'sentiment_corrected first_at last_at last_error'),
	('ai_calibration', 'tenant_id kind provider model prompt_version confidence_from confidence_to results looked_at uncorrected uncorrected_share'),
	('event_consumers_status', 'tenant name topics confirmed pending oldest_pending_at lag read_at confirmed_at created_at created_by'),
	('chat_overview', 'id public_id tenant_id customer_id language status has_ticket ticket_id ticket_status handler assignee_id messages '
		'last_message_id last_role last_message last_message_at waiting_since reply_state created_at updated_at ended_at summary'),
	('dashboard', 'id email content status created_at updated_at category sentiment_score urgency draft_reply processed_at tenant_id'),
	('inbox', 'id public_id tenant_id subject status handler priority category assignee_id requester_id requester_email tags '
		'waiting_since waiting_for created_at updated_at version ai_state urgency sentiment_score needs_human confidence summary draft_reply '
		'initial_summary customer_request open_questions mood escalation_cause escalation_reason result_id draft_verdict'),
	('cluster_trends', 'id public_id category subcategory cluster_name cluster_summary issue_count unique_customers first_seen last_seen '
		'count_7d count_prior_7d trend_pct is_active pm_status pm_notes created_at updated_at worst_severity is_regressed is_visible '
		'fixed_at regressed_at merged_into_id archived_at tenant_id'),
	('cluster_counts', 'tenant_id cluster_id issues low medium high critical customers first_at last_at count_7d count_prior_7d'),
	('extraction_progress', 'tenant_id pending running done failed issues cost currency unpriced_calls last_analyzed_at'),
	('sync_status', 'tenant_id source stream base_url state reason stopped_since due_at last_outcome last_http_status last_error consecutive_failures copied '
		'waiting oldest_waiting last_ticket_updated_at sync_completed_at lag'),
	('sync_state_overview', 'id last_ticket_updated_at tickets_synced issues_extracted sync_completed_at tenant_id'),
	('zendesk_tickets', 'id public_id zendesk_ticket_id subject description internal_notes public_comments requester_email requester_org_name zendesk_org_id '
		'tags status priority ticket_created_at ticket_updated_at synced_at analyzed_at source deleted_at tenant_id'),
	('support_tickets', 'id conversation_id client_id assigned_to_id status escalation_reason initial_summary opened_at assigned_at closed_at tenant_id'),
	('linked_tickets', 'tenant_id ticket_id relation other_id other_subject other_status created_by created_at link_id'),
	('helpdesk_tickets', 'id title description priority category status conversation_id assigned_to created_by ai_assisted created_at updated_at '
		'resolved_at deleted_at tenant_id'),
	('ticket_timeline', 'tenant_id ticket_id happened_at kind entry_id actor visibility content details'),
	('budget_status', 'tenant period period_start resets_at currency spend_limit spent reserved unsettled remaining exhausted uncovered_providers excess excess_at'),
	('provider_status', 'name api model rank enabled state since closed_until reason in_flight failures_in_a_row requests_per_minute tokens_per_minute calls last_success_at'),
	('queue_stats', 'tenant_id kind pending running delayed oldest_due_seconds dead next_run_at'),
	('worker_stats', 'pid type slot started_at in_flight claimed written retried failed stale runs_succeeded runs_throttled runs_account '
		'runs_misconfigured runs_bad_request runs_refused runs_transient runs_unusable_answer runs_stale runs_lost bytes_sent bytes_received '
		'wakes wake_mean_ms wake_max_ms'),
	('worker_status', 'pid type database started_at activity in_flight claimed written retried failed stale');
CREATE TEMP VIEW actual_view AS
	SELECT c.relname AS name, string_agg(a.attname, ' ' ORDER BY a.attnum) AS columns
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('v', 'm')
		GROUP BY c.oid;
SELECT set_eq($$SELECT name FROM actual_view$$, $$SELECT name FROM expected_view$$, 'these are the views');
SELECT is(a.columns, e.columns, 'columns of ' || e.name)
	FROM expected_view e LEFT JOIN actual_view a ON a.name = e.name ORDER BY e.name;

-- Enums, whose order is their weight ---------------------------------------------------------------------------------------

SELECT is((SELECT string_agg(l.enumlabel, ' ' ORDER BY l.enumsortorder) FROM pg_enum l
		WHERE l.enumtypid = to_regtype('triage.' || e.name)), e.labels, 'labels of ' || e.name)
	FROM (VALUES
		('budget_period', 'day month'),
		('comment_visibility', 'public internal'),
		('event_topic', 'ticket.created ticket.updated ticket.status_changed ticket.assigned ticket.escalated ticket.handed_back ticket.deleted '
			'ticket.purged comment.created comment.edited result.stored result.corrected job.failed draft.accepted draft.edited draft.rejected '
			'chat.session_started chat.message_posted chat.session_ended chat.session_archived person.erased '
			'ticket.copied comment.copied cluster.status_changed cluster.regressed'),
		('feedback_verdict', 'accepted edited rejected'),
		('health_level', 'ok warning critical'),
		('job_kind', 'triage chat_reply summarize extract_issues match_issues name_cluster'),
		('session_status', 'active resolved archived'),
		('message_role', 'user assistant agent system'),
		('session_link', 'origin followup related'),
		('escalation_cause', 'customer_request low_confidence missing_knowledge policy negative_sentiment repeated_failure '
			'ai_failed usage_limit agent_takeover'),
		('support_status', 'OPEN_AI_HANDLING PENDING_HUMAN_ASSIGNMENT ACTIVE_HUMAN_CHAT CLOSED_RESOLVED CLOSED_BY_CLIENT'),
		('pm_status', 'new reviewing acknowledged fixed wont_fix'),
		('issue_assigner', 'exact lexical model human'),
		('cluster_event', 'created joined left named merged unmerged status_changed regressed archived unarchived noted asked unplaced'),
		('issue_type', 'bug friction ux_confusion feature_request documentation_gap data_issue'),
		('issue_severity', 'low medium high critical'),
		('person_role', 'customer agent admin ai system'),
		('provider_api', 'openai builtin'),
		('run_outcome', 'succeeded throttled account misconfigured bad_request refused transient unusable_answer stale lost'),
		('ticket_handler', 'ai human'),
		('ticket_link_kind', 'duplicate_of caused_by followup_of related'),
		('ticket_priority', 'low medium high urgent'),
		('sync_auth', 'token oauth'),
		('sync_stream', 'tickets comments'),
		('ticket_resolution', 'resolved closed_by_client merged deflected abandoned spam'),
		('ticket_status', 'open in_progress pending on_hold review resolved closed')) AS e (name, labels);
SELECT is((SELECT count(*) FROM pg_type t WHERE t.typnamespace = 'triage'::regnamespace AND t.typtype <> 'c' AND t.typelem = 0), 26::bigint,
	'and there are no other types');

-- Rules ------------------------------------------------------------------------------------------------------------------------

CREATE TEMP VIEW tenant_table AS
	SELECT c.oid, c.relname, c.relrowsecurity, a.attnum AS tenant_attnum, a.attnotnull AS tenant_not_null, a.atttypid AS tenant_type
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p');
SELECT set_eq($$SELECT relname FROM tenant_table$$,
	$$SELECT name FROM expected_table WHERE name NOT IN ('home', 'schema_version', 'worker_control', 'tenants', 'providers', 'retention', 'model_prices', 'provider_models', 'budgets', 'budget_usage',
		'budget_reservations', 'event_consumers', 'event_generations')$$,
	'every table is a tenant table, but for those that are global');

-- keys as the names of their columns, in order
CREATE TEMP VIEW key AS
	SELECT k.conname, k.conrelid, k.contype, k.confrelid, k.confdeltype, k.confupdtype,
			ARRAY (SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY u (n, o)
					JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o) AS columns,
			ARRAY (SELECT a.attname FROM unnest(k.confkey) WITH ORDINALITY u (n, o)
					JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.o) AS referenced
		FROM pg_constraint k
		WHERE k.connamespace = 'triage'::regnamespace;
-- indexes likewise; an expression's column has no name
CREATE TEMP VIEW index_columns AS
	SELECT i.indexrelid, i.indrelid, i.indisunique, i.indpred, pg_get_expr(i.indpred, i.indrelid) AS predicate,
			ARRAY (SELECT a.attname FROM unnest(i.indkey::int2[]) WITH ORDINALITY u (n, o)
					LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n
					WHERE u.o <= i.indnkeyatts ORDER BY u.o) AS columns
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p');

CREATE TEMP VIEW tenant_id_not_first AS
	SELECT relname AS offender FROM tenant_table WHERE tenant_attnum <> 1 OR NOT tenant_not_null OR tenant_type <> 'text'::regtype;
CREATE TEMP VIEW unique_without_tenant AS
	SELECT i.indexrelid::regclass::text AS offender
		FROM index_columns i JOIN tenant_table t ON t.oid = i.indrelid
		WHERE i.indisunique AND NOT coalesce('tenant_id' = ANY (i.columns), false);
CREATE TEMP VIEW primary_key_otherwise AS
	SELECT t.relname AS offender
		FROM tenant_table t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attname = 'id'
		LEFT JOIN key k ON k.conrelid = t.oid AND k.contype = 'p'
		WHERE k.columns IS DISTINCT FROM '{id,tenant_id}'
	UNION ALL
	SELECT c.relname FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p')
			AND NOT EXISTS (SELECT FROM key k WHERE k.conrelid = c.oid AND k.contype = 'p');
CREATE TEMP VIEW foreign_key_otherwise AS
	SELECT k.conname::text AS offender
		FROM key k JOIN tenant_table t ON t.oid = k.conrelid
		WHERE k.contype = 'f' AND CASE
			WHEN k.confrelid = 'triage.tenants'::regclass THEN k.columns <> '{tenant_id}'
			WHEN k.confrelid = 'triage.issue_taxonomy'::regclass THEN k.columns <> '{tenant_id,category,subcategory}'
			ELSE cardinality(k.columns) <> 2 OR k.columns[1] <> 'tenant_id' OR k.referenced[1] <> 'tenant_id' END;
CREATE TEMP VIEW unreferenced_id AS
	-- ai_runs outlives its ticket and its job; a result may outlive its run; a client_id is the application's
	SELECT a.attrelid::regclass || '.' || a.attname AS offender
		FROM pg_attribute a JOIN tenant_table t ON t.oid = a.attrelid
		WHERE a.attname ~ '_id$' AND a.attname NOT IN ('tenant_id', 'public_id', 'external_id', 'request_id', 'run_id', 'client_id')
			AND t.relname <> 'ai_runs'
			-- so does an event outlive what it is about
			AND t.relname <> 'events'
			-- the roll-up of trends locks nothing of what it counts
			AND t.relname NOT IN ('cluster_deltas', 'cluster_daily', 'cluster_customers', 'cluster_totals')
			AND NOT EXISTS (SELECT FROM key k WHERE k.conrelid = a.attrelid AND k.contype = 'f' AND a.attname = ANY (k.columns));
CREATE TEMP VIEW exclusion_or_set_null AS
	SELECT k.conname::text AS offender FROM key k
		WHERE k.contype = 'x' OR k.confdeltype IN ('n', 'd') OR k.confupdtype IN ('n', 'd');
CREATE TEMP VIEW constraint_without_name AS
	-- as PostgreSQL would have named it
	SELECT k.conname::text AS offender
		FROM key k JOIN pg_class c ON c.oid = k.conrelid
		WHERE k.conname NOT LIKE c.relname || '\_%'
			OR k.contype = 'c' AND k.conname ~ '_check\d*$'
			OR k.contype = 'f' AND k.conname ~ ('^' || c.relname || '_' || array_to_string(k.columns, '_') || '_fkey\d*$')
			OR k.contype = 'u' AND k.conname ~ ('^' || c.relname || '_' || array_to_string(k.columns, '_') || '_key\d*$');
CREATE TEMP VIEW foreign_key_without_index AS
	-- of two keys the index is left out on purpose: a category is seldom deleted, and the label that a result sets on a
	-- ticket must be in no index, so that the update stays within its page; likewise tenants are not deleted by the way
	SELECT k.conname::text AS offender
		FROM key k
		WHERE k.contype = 'f' AND k.conname NOT IN ('tickets_category_fkey', 'ticket_ai_results_category_fkey')
			AND k.confrelid <> 'triage.tenants'::regclass
			AND NOT EXISTS (
				SELECT FROM index_columns i
					WHERE i.indrelid = k.conrelid AND i.columns[1:cardinality(k.columns)] <@ k.columns
						AND i.columns[1:cardinality(k.columns)] @> k.columns
						-- a partial index serves when it has all rows that the key can match
						AND (i.indpred IS NULL OR i.predicate = format('(%s IS NOT NULL)', k.columns[2])));
CREATE TEMP VIEW index_on_moving_column AS
	SELECT format('%s.%s', d.refobjid::regclass, a.attname) AS offender
		FROM pg_depend d
		JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
		JOIN pg_class i ON i.oid = d.objid AND i.relkind IN ('i', 'I')
		WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
			AND (d.refobjid, a.attname) IN (
				SELECT to_regclass('triage.' || m.name), unnest(m.columns)::name
					FROM (VALUES ('tickets', '{category,priority,updated_at,version,category_is_manual,priority_is_manual}'::text[]),
						('ai_jobs', '{lease_until,claimed_at,fence,attempts,slot,provider}')) AS m (name, columns));
CREATE TEMP VIEW table_without_row_security AS
	SELECT t.relname AS offender
		FROM pg_class t
		WHERE t.relnamespace = 'triage'::regnamespace AND (t.relname = 'tenants' OR t.oid IN (SELECT oid FROM tenant_table))
			AND NOT (t.relrowsecurity AND EXISTS (
				SELECT FROM pg_policy p
					WHERE p.polrelid = t.oid AND p.polcmd = '*' AND p.polpermissive AND p.polroles = '{0}'
						AND pg_get_expr(p.polqual, t.oid) LIKE '%current_tenant()%'
						AND pg_get_expr(p.polwithcheck, t.oid) LIKE '%current_tenant()%'));
CREATE TEMP VIEW view_of_its_owner AS
	SELECT c.relname AS offender FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('v', 'm') AND NOT coalesce(c.reloptions @> '{security_invoker=true}', false);
CREATE TEMP VIEW uncommented AS
	SELECT p.oid::regprocedure::text AS offender FROM pg_proc p
		WHERE p.pronamespace = 'triage'::regnamespace AND coalesce(obj_description(p.oid, 'pg_proc'), '') !~ '\S'
	UNION ALL
	SELECT c.relname FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND coalesce(obj_description(c.oid, 'pg_class'), '') !~ '\S'
	UNION ALL
	SELECT t.typname FROM pg_type t
		WHERE t.typnamespace = 'triage'::regnamespace AND t.typtype IN ('e', 'd') AND coalesce(obj_description(t.oid, 'pg_type'), '') !~ '\S';
CREATE TEMP VIEW open_to_public AS
	SELECT p.oid::regprocedure::text AS offender
		FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
		WHERE p.pronamespace = 'triage'::regnamespace AND g.grantee = 0
	UNION ALL
	SELECT c.relname FROM pg_class c, aclexplode(c.relacl) g WHERE c.relnamespace = 'triage'::regnamespace AND g.grantee = 0
	UNION ALL
	SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid, aclexplode(a.attacl) g
		WHERE c.relnamespace = 'triage'::regnamespace AND g.grantee = 0
	UNION ALL
	SELECT n.nspname FROM pg_namespace n, aclexplode(n.nspacl) g WHERE n.nspname = 'triage' AND g.grantee = 0;
CREATE TEMP VIEW search_path_not_pinned AS
	-- these in C run no SQL of their own
	SELECT p.oid::regprocedure::text AS offender
		FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
		WHERE p.pronamespace = 'triage'::regnamespace
			AND NOT coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)
			-- a procedure that commits can have none: it names everything in full
			AND NOT (p.prokind = 'p' AND p.proname IN ('import_tickets', 'import_comments', 'import_history', 'resume_import'))
			AND NOT (l.lanname = 'c' AND p.proname IN ('set_syncing', 'syncing', 'check_commit'))
			AND NOT (l.lanname = 'c' AND NOT p.prosecdef
				AND p.proname IN ('current_tenant', 'current_actor', 'written_here', 'wake_worker', 'tickets_before', 'enum_labels', 'in_extension_script', 'waiting_databases', 'origin_refusal',
					'open_gate', 'provider_gates'));
CREATE TEMP VIEW membership AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		WHERE d.deptype = 'e' AND e.extname = 'triage';
CREATE TEMP VIEW member_otherwise AS
	SELECT 'a member: ' || c.relname AS offender FROM pg_class c JOIN membership m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	UNION ALL
	SELECT 'no member: ' || p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace = 'triage'::regnamespace AND NOT EXISTS (SELECT FROM membership m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
	UNION ALL
	SELECT 'no member: ' || t.typname FROM pg_type t
		WHERE t.typnamespace = 'triage'::regnamespace AND t.typtype IN ('e', 'd')
			AND NOT EXISTS (SELECT FROM membership m WHERE m.classid = 'pg_type'::regclass AND m.objid = t.oid);
CREATE TEMP VIEW row_type_in_signature AS
	-- such a function could not be restored before the table
	SELECT p.oid::regprocedure::text AS offender
		FROM pg_proc p, unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]) || p.prorettype) AS u (type)
		JOIN pg_type t ON t.oid = u.type LEFT JOIN pg_type e ON e.oid = t.typelem
		WHERE p.pronamespace = 'triage'::regnamespace AND 'c' IN (t.typtype, e.typtype);
CREATE TEMP VIEW body_bound_to_tables AS
	SELECT p.oid::regprocedure::text AS offender FROM pg_proc p
		WHERE p.pronamespace = 'triage'::regnamespace AND p.prosqlbody IS NOT NULL;
CREATE TEMP VIEW time_without_zone AS
	SELECT a.attrelid::regclass || '.' || a.attname AS offender
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relnamespace = 'triage'::regnamespace AND a.attnum > 0 AND a.atttypid IN ('timestamp'::regtype, 'time'::regtype, 'timetz'::regtype);
CREATE TEMP VIEW trigger_not_enabled AS
	SELECT t.tgname AS offender FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'triage'::regnamespace AND t.tgenabled <> 'O';

CREATE TABLE pg_temp.rule (number int GENERATED ALWAYS AS IDENTITY, name text, says text);
INSERT INTO pg_temp.rule (name, says) VALUES
	('tenant_id_not_first', 'tenant_id is the first column of each tenant table, text and not null'),
	('unique_without_tenant', 'each unique index of a tenant table has tenant_id'),
	('primary_key_otherwise', 'the primary key is (id, tenant_id) wherever there is an id, and there is one everywhere'),
	('foreign_key_otherwise', 'a foreign key of a tenant table is written (tenant_id, x_id)'),
	('unreferenced_id', 'each x_id has its foreign key'),
	('exclusion_or_set_null', 'no EXCLUDE and no SET NULL or SET DEFAULT action'),
	('constraint_without_name', 'each constraint has a name that somebody gave it, beginning with its table''s'),
	('foreign_key_without_index', 'each foreign key has an index on its side'),
	('index_on_moving_column', 'what a claim or a result changes is in no index and no index''s predicate'),
	('table_without_row_security', 'each tenant table, and tenants, has row security with the tenant''s policy'),
	('view_of_its_owner', 'each view is security_invoker'),
	('uncommented', 'each function, table, view and type is commented'),
	('open_to_public', 'nothing is granted to PUBLIC'),
	('search_path_not_pinned', 'each function pins its search_path, but for those in C that run no SQL'),
	('member_otherwise', 'functions and types are members of the extension, relations are not'),
	('row_type_in_signature', 'no function names a table''s row type in its signature'),
	('body_bound_to_tables', 'no function''s body depends on tables'),
	('time_without_zone', 'times have a zone'),
	('trigger_not_enabled', 'each trigger is enabled, and none fires while a replica or a restore loads data');
SELECT is_empty(format('SELECT offender FROM %I', r.name), r.says) FROM rule r ORDER BY r.number;

-- The rules see what breaks them ---------------------------------------------------------------------------------------------

CREATE TABLE triage.wrong (
	id bigint NOT NULL UNIQUE,
	tenant_id text,
	ticket_id bigint,
	comment_id bigint,
	mood int CHECK (mood > 0),
	at timestamp,
	FOREIGN KEY (ticket_id, tenant_id) REFERENCES triage.tickets (id, tenant_id) ON DELETE SET NULL (ticket_id));
CREATE INDEX wrong_category ON triage.tickets (tenant_id, id) WHERE category IS NOT NULL;
CREATE TABLE triage.wrong_member ();
ALTER EXTENSION triage ADD TABLE triage.wrong_member;
CREATE VIEW triage.wrong_view AS SELECT FROM triage.tickets;
CREATE FUNCTION triage.wrong(triage.wrong) RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM triage.tickets; END;
CREATE TRIGGER wrong BEFORE INSERT ON triage.wrong FOR EACH ROW EXECUTE FUNCTION triage.append_only();
ALTER TABLE triage.wrong ENABLE ALWAYS TRIGGER wrong;
SELECT isnt_empty(format('SELECT offender FROM %I', r.name), 'the rule sees a break: ' || r.name) FROM rule r ORDER BY r.number;

SELECT finish();
ROLLBACK;
