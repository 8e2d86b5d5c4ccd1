-- The tables.  They are ordinary tables, not members of the extension (see install.sql for why), so this function
-- must be safe to run again: on tables restored from a dump, and on those of an older schema_version.
--
-- Conventions: tenant_id is the first column of every tenant table and part of every key; foreign keys are written
-- (tenant_id, x_id).  Vocabulary of times: timestamptz, always.

CREATE FUNCTION triage.install_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE TABLE IF NOT EXISTS triage.schema_version (
		version      int NOT NULL CONSTRAINT schema_version_pkey PRIMARY KEY,
		installed_at timestamptz NOT NULL DEFAULT now());

	CREATE TABLE IF NOT EXISTS triage.worker_control (
		id         boolean NOT NULL DEFAULT true CONSTRAINT worker_control_pkey PRIMARY KEY,
		stopped_at timestamptz,
		stopped_by text,
		paused_at  timestamptz,
		paused_by  text,
		pause_reason text,
		CONSTRAINT worker_control_pause_reason_length CHECK (length(pause_reason) <= 200),
		CONSTRAINT worker_control_one_row CHECK (id));

	-- no row: nobody has said where it is
	CREATE TABLE IF NOT EXISTS triage.home (
		id                boolean NOT NULL DEFAULT true CONSTRAINT home_pkey PRIMARY KEY,
		system_identifier bigint NOT NULL,
		database_oid      bigint NOT NULL,
		table_oid         bigint NOT NULL,
		written_in        bigint NOT NULL,
		adopted_at        timestamptz NOT NULL DEFAULT now(),
		adopted_by        text NOT NULL,
		CONSTRAINT home_one_row CHECK (id));

	CREATE TABLE IF NOT EXISTS triage.tenants (
		id         text NOT NULL CONSTRAINT tenants_pkey PRIMARY KEY,
		name       text NOT NULL DEFAULT '',
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT tenants_id_length CHECK (length(id) BETWEEN 1 AND 200),
		CONSTRAINT tenants_name_length CHECK (length(name) <= 500));

	-- A regrole: it follows a role that is renamed, and a new role of an old name is not taken for that one.
	CREATE TABLE IF NOT EXISTS triage.role_tenants (
		tenant_id text NOT NULL CONSTRAINT role_tenants_tenant_fkey REFERENCES triage.tenants (id),
		role      regrole NOT NULL,
		CONSTRAINT role_tenants_pkey PRIMARY KEY (role, tenant_id));

	-- What customers belong to.  Keyed as people are: by the id that the application or the source gives.
	CREATE TABLE IF NOT EXISTS triage.organizations (
		tenant_id  text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT organizations_tenant_fkey REFERENCES triage.tenants (id),
		id         text NOT NULL,
		name       text NOT NULL,
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT organizations_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT organizations_id_length CHECK (length(id) BETWEEN 1 AND 200),
		CONSTRAINT organizations_name_length CHECK (length(name) BETWEEN 1 AND 500));

	CREATE TABLE IF NOT EXISTS triage.people (
		tenant_id    text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT people_tenant_fkey REFERENCES triage.tenants (id),
		id           text NOT NULL,
		role         triage.person_role NOT NULL DEFAULT 'customer',
		display_name text,
		email        text,
		language     text,
		created_at   timestamptz NOT NULL DEFAULT now(),
		erased_at    timestamptz,
		organization_id text,
		CONSTRAINT people_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT people_organization_fkey FOREIGN KEY (tenant_id, organization_id)
			REFERENCES triage.organizations (tenant_id, id),
		CONSTRAINT people_id_length CHECK (length(id) BETWEEN 1 AND 200),
		CONSTRAINT people_display_name_length CHECK (length(display_name) <= 500),
		-- 64 + @ + 255: the longest address SMTP can carry (RFC 3696, erratum 1690, allows 320 in all)
		CONSTRAINT people_email_length CHECK (length(email) <= 320),
		CONSTRAINT people_language_length CHECK (length(language) <= 35));
	CREATE INDEX IF NOT EXISTS people_organization ON triage.people (tenant_id, organization_id)
		WHERE organization_id IS NOT NULL;

	CREATE TABLE IF NOT EXISTS triage.ticket_categories (
		tenant_id   text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT ticket_categories_tenant_fkey REFERENCES triage.tenants (id),
		category    text NOT NULL,
		description text NOT NULL DEFAULT '',
		keywords    text[] NOT NULL DEFAULT '{}',
		is_active   boolean NOT NULL DEFAULT true,
		CONSTRAINT ticket_categories_pkey PRIMARY KEY (tenant_id, category),
		-- the name goes to the model as an enum label
		CONSTRAINT ticket_categories_name CHECK (category ~ '^[a-z][a-z0-9_]{0,62}$'),
		CONSTRAINT ticket_categories_description_length CHECK (length(description) <= 2000),
		CONSTRAINT ticket_categories_keywords CHECK (array_position(keywords, NULL) IS NULL AND cardinality(keywords) <= 500));

	CREATE TABLE IF NOT EXISTS triage.prompts (
		tenant_id   text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT prompts_tenant_fkey REFERENCES triage.tenants (id),
		kind        triage.job_kind NOT NULL,
		version     int NOT NULL,
		system_text text NOT NULL,
		is_active   boolean NOT NULL DEFAULT true,
		created_at  timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT prompts_pkey PRIMARY KEY (tenant_id, kind, version),
		CONSTRAINT prompts_version_positive CHECK (version > 0),
		CONSTRAINT prompts_system_text_length CHECK (length(system_text) BETWEEN 1 AND 50000));

	CREATE TABLE IF NOT EXISTS triage.providers (
		name          text NOT NULL CONSTRAINT providers_pkey PRIMARY KEY,
		api           triage.provider_api NOT NULL,
		base_url      text,
		model         text,
		secret        text,
		max_in_flight int,
		timeout_ms    int NOT NULL DEFAULT 60000,
		rank          int NOT NULL DEFAULT 100,
		enabled       boolean NOT NULL DEFAULT true,
		updated_at    timestamptz NOT NULL DEFAULT now(),
		requests_per_minute int,
		tokens_per_minute   int,
		paused_at     timestamptz,
		paused_by     text,
		pause_reason  text,
		max_output_tokens int,
		max_tokens_field  text NOT NULL DEFAULT 'max_completion_tokens',
		CONSTRAINT providers_max_output_tokens CHECK (max_output_tokens BETWEEN 1 AND 10000000),
		CONSTRAINT providers_max_tokens_field CHECK (max_tokens_field IN ('max_completion_tokens', 'max_tokens')),
		CONSTRAINT providers_name CHECK (name ~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$'),
		CONSTRAINT providers_openai_complete CHECK (api <> 'openai' OR (base_url IS NOT NULL AND model IS NOT NULL)),
		CONSTRAINT providers_base_url CHECK (base_url ~ '^https?://[^[:space:][:cntrl:]@?#]+$' AND length(base_url) <= 2000),
		CONSTRAINT providers_model_length CHECK (length(model) BETWEEN 1 AND 200),
		CONSTRAINT providers_secret_name CHECK (secret ~ '^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,254}$'),
		CONSTRAINT providers_max_in_flight CHECK (max_in_flight BETWEEN 1 AND 4096),
		CONSTRAINT providers_timeout CHECK (timeout_ms BETWEEN 100 AND 3600000),
		CONSTRAINT providers_requests_per_minute CHECK (requests_per_minute > 0),
		CONSTRAINT providers_tokens_per_minute CHECK (tokens_per_minute > 0),
		CONSTRAINT providers_pause CHECK ((paused_at IS NULL) = (paused_by IS NULL)
			AND (pause_reason IS NULL OR (paused_at IS NOT NULL AND length(pause_reason) BETWEEN 1 AND 500))));

	-- What tokens cost, per million.  like_pattern: model_pattern as LIKE reads it, so that it is translated once.
	CREATE TABLE IF NOT EXISTS triage.model_prices (
		model_pattern text NOT NULL,
		provider      text NOT NULL DEFAULT '*',
		valid_from    timestamptz NOT NULL DEFAULT now(),
		input         numeric NOT NULL,
		cached_input  numeric NOT NULL,
		cache_write   numeric NOT NULL,
		output        numeric NOT NULL,
		currency      text NOT NULL,
		like_pattern  text GENERATED ALWAYS AS
			(replace(replace(replace(replace(model_pattern, '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')) STORED,
		CONSTRAINT model_prices_pkey PRIMARY KEY (model_pattern, provider, valid_from),
		CONSTRAINT model_prices_model_pattern_length CHECK (length(model_pattern) BETWEEN 1 AND 200),
		CONSTRAINT model_prices_provider CHECK (provider ~ '^([*]|[a-zA-Z0-9][a-zA-Z0-9._-]{0,62})$'),
		CONSTRAINT model_prices_valid_from_finite CHECK (valid_from < 'infinity'),
		-- NaN is greater than any number; and no AND inside another, which a restored table would print otherwise
		CONSTRAINT model_prices_amounts CHECK (least(input, cached_input, cache_write, output) >= 0
			AND greatest(input, cached_input, cache_write, output) <= 1e12),
		CONSTRAINT model_prices_digits CHECK (greatest(scale(input), scale(cached_input), scale(cache_write), scale(output)) <= 12),
		CONSTRAINT model_prices_currency CHECK (currency ~ '^[A-Z]{3}$'));

	-- Whatever model a provider is asked for, its replies name the one that answered, whose price counts.
	CREATE TABLE IF NOT EXISTS triage.provider_models (
		provider    text NOT NULL,
		asked_model text NOT NULL,
		model       text NOT NULL,
		first_seen  timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT provider_models_pkey PRIMARY KEY (provider, asked_model, model));

	-- Budgets.  Global like providers and prices, though a budget may be one tenant's: hence tenant, not tenant_id.
	CREATE TABLE IF NOT EXISTS triage.budgets (
		tenant      text CONSTRAINT budgets_of_tenant_fkey REFERENCES triage.tenants (id),
		id          bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT budgets_pkey PRIMARY KEY,
		period      triage.budget_period NOT NULL,
		spend_limit numeric NOT NULL,
		currency    text NOT NULL,
		updated_at  timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT budgets_scope_key UNIQUE NULLS NOT DISTINCT (tenant, period),
		CONSTRAINT budgets_spend_limit CHECK (spend_limit BETWEEN 0 AND 1e15),
		CONSTRAINT budgets_currency CHECK (currency ~ '^[A-Z]{3}$'));
	-- No CHECK on its amounts: a row is written by INSERT ... ON CONFLICT, whose proposed row holds differences.  No
	-- foreign key to budgets, here and below: an answer must be stored though its budget is dropped at this moment.
	CREATE TABLE IF NOT EXISTS triage.budget_usage (
		budget       bigint NOT NULL,
		period_start timestamptz NOT NULL,
		reserved     numeric NOT NULL DEFAULT 0,
		spent        numeric NOT NULL DEFAULT 0,
		unsettled    numeric NOT NULL DEFAULT 0,
		excess       numeric NOT NULL DEFAULT 0,
		excess_at    timestamptz,
		CONSTRAINT budget_usage_pkey PRIMARY KEY (budget, period_start))
		WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
	-- What a claim may cost at most, until it is known.  In a table of its own, so that a claim without budgets stays
	-- as cheap as it is; and without a foreign key to the job, which may be withdrawn while its call is in the air.
	CREATE TABLE IF NOT EXISTS triage.budget_reservations (
		tenant          text NOT NULL,
		job             bigint NOT NULL,
		fence           int NOT NULL,
		budget          bigint NOT NULL,
		period_start    timestamptz NOT NULL,
		amount          numeric NOT NULL,
		ticket          bigint,
		provider        text NOT NULL,
		reserved_at     timestamptz NOT NULL,
		expires_at      timestamptz NOT NULL,
		unsettled_since timestamptz,
		session         bigint,
		kind            triage.job_kind NOT NULL DEFAULT 'triage',
		cluster         bigint,
		input_tokens    bigint NOT NULL DEFAULT 0,
		output_tokens   int NOT NULL DEFAULT 0,
		raised          numeric NOT NULL DEFAULT 0,
		CONSTRAINT budget_reservations_pkey PRIMARY KEY (job, fence, tenant, budget),
		CONSTRAINT budget_reservations_amount CHECK (amount >= 0),
		CONSTRAINT budget_reservations_one_subject CHECK (num_nonnulls(ticket, session, cluster) = 1))
		WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
	CREATE INDEX IF NOT EXISTS budget_reservations_open ON triage.budget_reservations (expires_at)
		WHERE unsettled_since IS NULL;
	CREATE INDEX IF NOT EXISTS budget_reservations_of_budget ON triage.budget_reservations (budget);

	-- The columns a result or an agent changes stand last and together: an update then logs little more than
	-- what changed.  None of category, priority, version and updated_at is in an index, so that the update that
	-- a result makes stays HOT; the fillfactor leaves room for it on the page.
	CREATE TABLE IF NOT EXISTS triage.tickets (
		tenant_id           text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT tickets_tenant_fkey REFERENCES triage.tenants (id),
		id                  bigint GENERATED ALWAYS AS IDENTITY,
		public_id           uuid NOT NULL DEFAULT gen_random_uuid(),
		source              text NOT NULL DEFAULT 'api',
		external_id         text,
		requester_id        text,
		requester_email     text,
		language            text,
		subject             text NOT NULL DEFAULT '',
		description         text NOT NULL,
		custom_fields       jsonb NOT NULL DEFAULT '{}',
		tags                text[] NOT NULL DEFAULT '{}',
		search              tsvector,
		created_at          timestamptz NOT NULL DEFAULT now(),
		status              triage.ticket_status NOT NULL DEFAULT 'open',
		resolution          triage.ticket_resolution,
		handler             triage.ticket_handler NOT NULL DEFAULT 'human',
		priority            triage.ticket_priority NOT NULL DEFAULT 'medium',
		priority_is_manual  boolean NOT NULL DEFAULT false,
		category_is_manual  boolean NOT NULL DEFAULT false,
		category            text,
		assignee_id         text,
		waiting_since       timestamptz,
		first_response_at   timestamptz,
		resolved_at         timestamptz,
		closed_at           timestamptz,
		deleted_at          timestamptz,
		updated_at          timestamptz NOT NULL DEFAULT now(),
		version             int NOT NULL DEFAULT 1,
		CONSTRAINT tickets_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT tickets_public_id_key UNIQUE (public_id, tenant_id),
		CONSTRAINT tickets_external_id_key UNIQUE (tenant_id, source, external_id),
		CONSTRAINT tickets_requester_fkey FOREIGN KEY (tenant_id, requester_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT tickets_assignee_fkey FOREIGN KEY (tenant_id, assignee_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT tickets_category_fkey FOREIGN KEY (tenant_id, category) REFERENCES triage.ticket_categories (tenant_id, category),
		-- what is about a ticket is about no session and no cluster: 0 stands for none of them
		CONSTRAINT tickets_id_not_zero CHECK (id <> 0),
		CONSTRAINT tickets_source_length CHECK (length(source) BETWEEN 1 AND 100),
		CONSTRAINT tickets_external_id_length CHECK (length(external_id) BETWEEN 1 AND 1000),
		-- 998: the longest line of an e-mail, and so the longest subject (RFC 5322, 2.1.1)
		CONSTRAINT tickets_subject_length CHECK (length(subject) <= 998),
		-- octet_length reads a toasted value's header only: a CHECK runs on every update
		CONSTRAINT tickets_description_length CHECK (octet_length(description) <= 1048576),
		CONSTRAINT tickets_text_not_empty CHECK (subject ~ '\S' OR description ~ '\S'),
		CONSTRAINT tickets_requester_email_length CHECK (length(requester_email) <= 320),
		CONSTRAINT tickets_language_length CHECK (length(language) <= 35),
		CONSTRAINT tickets_tags_no_null CHECK (array_position(tags, NULL) IS NULL),
		-- No longer than 100 characters each, said without a look at them one by one: these run on every update, and most
		-- tickets have none.  What is stored compressed counts as less than when it was written.
		CONSTRAINT tickets_tags_limits CHECK (cardinality(tags) = 0 OR (cardinality(tags) <= 100 AND '' <> ALL (tags)
			AND array_to_string(tags, E'\n') !~ '[^\n]{101}')),
		CONSTRAINT tickets_custom_fields_size CHECK (pg_column_size(custom_fields) <= 65536),
		CONSTRAINT tickets_custom_fields_object CHECK (jsonb_typeof(custom_fields) = 'object'),
		CONSTRAINT tickets_resolution_when_finished CHECK ((status IN ('resolved', 'closed')) = (resolution IS NOT NULL)),
		CONSTRAINT tickets_resolved_at_when_finished CHECK ((status IN ('resolved', 'closed')) = (resolved_at IS NOT NULL)),
		CONSTRAINT tickets_assigned_to_people CHECK (handler = 'human' OR assignee_id IS NULL),
		-- an infinite time is a date that somebody could not read, and what is computed of it fails
		CONSTRAINT tickets_times_finite CHECK (isfinite(created_at) AND isfinite(updated_at) AND isfinite(waiting_since)
			AND isfinite(first_response_at) AND isfinite(resolved_at) AND isfinite(closed_at) AND isfinite(deleted_at)),
		CONSTRAINT tickets_closed_at_when_closed CHECK ((status = 'closed') = (closed_at IS NOT NULL)))
		WITH (fillfactor = 50);
	CREATE INDEX IF NOT EXISTS tickets_inbox ON triage.tickets (tenant_id, waiting_since, id)
		WHERE status NOT IN ('resolved', 'closed') AND deleted_at IS NULL;
	CREATE INDEX IF NOT EXISTS tickets_assignee ON triage.tickets (tenant_id, assignee_id, created_at, id)
		WHERE assignee_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS tickets_mine ON triage.tickets (tenant_id, assignee_id, created_at, id)
		WHERE assignee_id IS NOT NULL AND status NOT IN ('resolved', 'closed') AND deleted_at IS NULL;
	-- Ascending, though lists begin with the newest: an index that grows at its end is cheaper to add to, and its pages
	-- stay full.
	CREATE INDEX IF NOT EXISTS tickets_created ON triage.tickets (tenant_id, created_at, id);
	CREATE INDEX IF NOT EXISTS tickets_open ON triage.tickets (tenant_id, created_at, id)
		WHERE status NOT IN ('resolved', 'closed') AND deleted_at IS NULL;
	CREATE INDEX IF NOT EXISTS tickets_requester ON triage.tickets (tenant_id, requester_id, created_at, id)
		WHERE requester_id IS NOT NULL;
	-- erase_person() looks for the tickets that came by mail
	CREATE INDEX IF NOT EXISTS tickets_requester_email ON triage.tickets (tenant_id, lower(requester_email))
		WHERE requester_id IS NULL AND requester_email IS NOT NULL;
	CREATE INDEX IF NOT EXISTS tickets_deleted ON triage.tickets (deleted_at) WHERE deleted_at IS NOT NULL;
	CREATE INDEX IF NOT EXISTS tickets_tags ON triage.tickets USING gin (tags) WHERE tags <> '{}';
	CREATE INDEX IF NOT EXISTS tickets_search ON triage.tickets USING gin (search);

	CREATE TABLE IF NOT EXISTS triage.ticket_comments (
		tenant_id   text NOT NULL DEFAULT triage.current_tenant(),
		id          bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id   bigint NOT NULL,
		author_id   text,
		author_role triage.person_role NOT NULL,
		visibility  triage.comment_visibility NOT NULL DEFAULT 'public',
		content     text NOT NULL,
		source      text NOT NULL DEFAULT 'api',
		external_id text,
		created_at  timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT ticket_comments_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ticket_comments_external_id_key UNIQUE (tenant_id, source, external_id),
		CONSTRAINT ticket_comments_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_comments_author_fkey FOREIGN KEY (tenant_id, author_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT ticket_comments_content_length CHECK (octet_length(content) <= 1048576),
		CONSTRAINT ticket_comments_content_not_empty CHECK (content ~ '\S'),
		CONSTRAINT ticket_comments_source_length CHECK (length(source) BETWEEN 1 AND 100),
		CONSTRAINT ticket_comments_external_id_length CHECK (length(external_id) BETWEEN 1 AND 1000));
	CREATE INDEX IF NOT EXISTS ticket_comments_ticket ON triage.ticket_comments (tenant_id, ticket_id, created_at, id);
	CREATE INDEX IF NOT EXISTS ticket_comments_author ON triage.ticket_comments (tenant_id, author_id)
		WHERE author_id IS NOT NULL;
	PERFORM triage.install_comment_tables();

	CREATE TABLE IF NOT EXISTS triage.ticket_history (
		tenant_id    text NOT NULL,
		id           bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id    bigint NOT NULL,
		field        text NOT NULL,
		old_value    jsonb,
		new_value    jsonb,
		changed_by   text NOT NULL,
		session_role text NOT NULL,
		created_at   timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT ticket_history_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ticket_history_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE);
	CREATE INDEX IF NOT EXISTS ticket_history_ticket ON triage.ticket_history (tenant_id, ticket_id, id);

	CREATE TABLE IF NOT EXISTS triage.ticket_assignments (
		tenant_id     text NOT NULL,
		id            bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id     bigint NOT NULL,
		agent_id      text NOT NULL,
		assigned_by   text NOT NULL,
		assigned_at   timestamptz NOT NULL DEFAULT now(),
		unassigned_at timestamptz,
		CONSTRAINT ticket_assignments_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ticket_assignments_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_assignments_agent_fkey FOREIGN KEY (tenant_id, agent_id) REFERENCES triage.people (tenant_id, id),
		CONSTRAINT ticket_assignments_order CHECK (unassigned_at >= assigned_at));
	CREATE UNIQUE INDEX IF NOT EXISTS ticket_assignments_current ON triage.ticket_assignments (tenant_id, ticket_id)
		WHERE unassigned_at IS NULL;
	CREATE INDEX IF NOT EXISTS ticket_assignments_ticket ON triage.ticket_assignments (tenant_id, ticket_id, id);
	CREATE INDEX IF NOT EXISTS ticket_assignments_agent ON triage.ticket_assignments (tenant_id, agent_id, assigned_at);

	PERFORM triage.install_chat_tables();
	PERFORM triage.install_mining_tables();
	PERFORM triage.install_trend_tables();
	PERFORM triage.install_sync_tables();

	-- The queue.  A job is about a ticket, a chat session or a cluster.  A row is pending while lease_until is NULL and running while it lies ahead; a finished row is
	-- deleted.  fence, attempts and the lease are in no index, so a claim is a HOT update (a claimed row is a third
	-- longer than a new one: a page has room for both of all its rows); dead entries at the head of the index are what slows a claim, hence the autovacuum settings.
	CREATE TABLE IF NOT EXISTS triage.ai_jobs (
		tenant_id     text NOT NULL DEFAULT triage.current_tenant(),
		id            bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id     bigint,
		session_id    bigint,
		kind          triage.job_kind NOT NULL DEFAULT 'triage',
		priority      triage.ticket_priority NOT NULL DEFAULT 'medium',
		run_at        timestamptz NOT NULL DEFAULT now(),
		created_at    timestamptz NOT NULL DEFAULT now(),
		lease_until   timestamptz,
		claimed_at    timestamptz,
		fence         int NOT NULL DEFAULT 0,
		attempts      smallint NOT NULL DEFAULT 0,
		slot          smallint,
		provider      text,
		cluster_id    bigint,
		CONSTRAINT ai_jobs_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ai_jobs_one_per_ticket UNIQUE (tenant_id, ticket_id, kind),
		CONSTRAINT ai_jobs_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_jobs_session_fkey FOREIGN KEY (tenant_id, session_id)
			REFERENCES triage.chat_sessions (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_jobs_cluster_fkey FOREIGN KEY (tenant_id, cluster_id)
			REFERENCES triage.issue_clusters (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_jobs_one_subject CHECK (num_nonnulls(ticket_id, session_id, cluster_id) = 1))
		WITH (fillfactor = 40, vacuum_truncate = off, autovacuum_vacuum_scale_factor = 0,
			autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0,
			autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 50000);
	CREATE UNIQUE INDEX IF NOT EXISTS ai_jobs_one_per_session ON triage.ai_jobs (tenant_id, session_id, kind)
		WHERE session_id IS NOT NULL;
	CREATE UNIQUE INDEX IF NOT EXISTS ai_jobs_one_per_cluster ON triage.ai_jobs (tenant_id, cluster_id, kind)
		WHERE cluster_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS ai_jobs_order ON triage.ai_jobs (priority, run_at, id);

	CREATE TABLE IF NOT EXISTS triage.ai_dead_letters (
		tenant_id  text NOT NULL,
		id         bigint NOT NULL,
		ticket_id  bigint,
		session_id bigint,
		kind       triage.job_kind NOT NULL,
		priority   triage.ticket_priority NOT NULL,
		fence      int NOT NULL,
		attempts   smallint NOT NULL,
		class      triage.run_outcome NOT NULL,
		message    text NOT NULL,
		created_at timestamptz NOT NULL,
		failed_at  timestamptz NOT NULL DEFAULT now(),
		cluster_id bigint,
		CONSTRAINT ai_dead_letters_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ai_dead_letters_one_per_ticket UNIQUE (tenant_id, ticket_id, kind),
		CONSTRAINT ai_dead_letters_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_dead_letters_session_fkey FOREIGN KEY (tenant_id, session_id)
			REFERENCES triage.chat_sessions (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_dead_letters_cluster_fkey FOREIGN KEY (tenant_id, cluster_id)
			REFERENCES triage.issue_clusters (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ai_dead_letters_one_subject CHECK (num_nonnulls(ticket_id, session_id, cluster_id) = 1));
	CREATE UNIQUE INDEX IF NOT EXISTS ai_dead_letters_one_per_cluster ON triage.ai_dead_letters (tenant_id, cluster_id, kind)
		WHERE cluster_id IS NOT NULL;
	CREATE UNIQUE INDEX IF NOT EXISTS ai_dead_letters_one_per_session ON triage.ai_dead_letters (tenant_id, session_id, kind)
		WHERE session_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS ai_dead_letters_failed ON triage.ai_dead_letters (failed_at);

	-- No foreign key to tickets: the money was spent, whatever became of the ticket.
	CREATE TABLE IF NOT EXISTS triage.ai_runs (
		tenant_id      text NOT NULL,
		id             bigint GENERATED ALWAYS AS IDENTITY,
		job_id         bigint NOT NULL,
		ticket_id      bigint,
		session_id     bigint,
		kind           triage.job_kind NOT NULL,
		fence          int NOT NULL,
		provider       text,
		model          text,
		prompt_version int,
		outcome        triage.run_outcome NOT NULL,
		http_status    int,
		request_id     text,
		error          text,
		input_tokens   int,
		cached_tokens  int,
		output_tokens  int,
		cache_write_tokens int,
		cost           numeric,
		currency       text,
		price          jsonb,
		latency_ms     int,
		started_at     timestamptz,
		finished_at    timestamptz NOT NULL DEFAULT now(),
		cluster_id     bigint,
		CONSTRAINT ai_runs_pkey PRIMARY KEY (id, tenant_id));
	CREATE INDEX IF NOT EXISTS ai_runs_session ON triage.ai_runs (tenant_id, session_id, id) WHERE session_id IS NOT NULL;
	CREATE INDEX IF NOT EXISTS ai_runs_cluster ON triage.ai_runs (tenant_id, cluster_id, id) WHERE cluster_id IS NOT NULL;
	-- what extraction has cost so far, for extraction_progress
	CREATE INDEX IF NOT EXISTS ai_runs_extract ON triage.ai_runs (tenant_id, id) WHERE kind = 'extract_issues';
	CREATE INDEX IF NOT EXISTS ai_runs_ticket ON triage.ai_runs (tenant_id, ticket_id, id);
	CREATE INDEX IF NOT EXISTS ai_runs_finished ON triage.ai_runs USING brin (finished_at);

	PERFORM triage.install_handoff_tables();

	-- NULLS NOT DISTINCT makes one index serve three ends: one current result a ticket, its history, the cascade.
	CREATE TABLE IF NOT EXISTS triage.ticket_ai_results (
		tenant_id       text NOT NULL,
		id              bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id       bigint NOT NULL,
		run_id          bigint,
		ticket_version  int NOT NULL,
		category        text NOT NULL,
		urgency         triage.ticket_priority NOT NULL,
		sentiment_score int NOT NULL,
		needs_human     boolean,
		confidence      numeric(3,2),
		language        text,
		summary         text,
		draft_reply     text NOT NULL,
		processed_at    timestamptz NOT NULL DEFAULT now(),
		superseded_at   timestamptz,
		CONSTRAINT ticket_ai_results_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ticket_ai_results_one_current UNIQUE NULLS NOT DISTINCT (tenant_id, ticket_id, superseded_at),
		CONSTRAINT ticket_ai_results_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_ai_results_category_fkey FOREIGN KEY (tenant_id, category)
			REFERENCES triage.ticket_categories (tenant_id, category),
		CONSTRAINT ticket_ai_results_sentiment CHECK (sentiment_score BETWEEN 1 AND 10),
		CONSTRAINT ticket_ai_results_confidence CHECK (confidence BETWEEN 0 AND 1),
		CONSTRAINT ticket_ai_results_draft_length CHECK (length(draft_reply) <= 20000),
		CONSTRAINT ticket_ai_results_summary_length CHECK (length(summary) <= 4000),
		CONSTRAINT ticket_ai_results_language_length CHECK (length(language) <= 35));
	CREATE INDEX IF NOT EXISTS ticket_ai_results_superseded ON triage.ticket_ai_results (superseded_at)
		WHERE superseded_at IS NOT NULL;

	-- At least a day: '90' is an interval, of 90 seconds.
	CREATE TABLE IF NOT EXISTS triage.retention (
		target text NOT NULL CONSTRAINT retention_pkey PRIMARY KEY,
		keep   interval,
		CONSTRAINT retention_target CHECK (target IN ('ai_runs', 'ai_dead_letters', 'superseded_results', 'deleted_tickets', 'archived_sessions',
			'events', 'sync_runs', 'budget_usage', 'asked_events')),
		CONSTRAINT retention_keep_range CHECK (keep BETWEEN '1 day' AND '1000 years'));
	PERFORM triage.install_event_tables();
	PERFORM triage.install_review_tables();
END
$install$;
COMMENT ON FUNCTION triage.install_tables() IS
	'part of install(): creates the tables and indexes that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_tables() FROM PUBLIC;
