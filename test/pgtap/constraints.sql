-- Every CHECK, UNIQUE, PRIMARY KEY and FOREIGN KEY refuses what it is there for, under its name; and no more than that.
\ir prepare.psql
SELECT plan(442);

-- The rows that the cases start from -------------------------------------------------------------------------------------

SELECT triage.create_tenant('other');
INSERT INTO triage.people (tenant_id, id, role) VALUES ('default', 'ann', 'agent'), ('default', 'carl', 'customer'), ('other', 'olga', 'agent');
INSERT INTO triage.ticket_categories (tenant_id, category) VALUES ('default', 'spare'), ('other', 'gardening');
INSERT INTO triage.tickets (tenant_id, external_id, description, requester_id, assignee_id, category) VALUES
	('default', 'a', 'x', 'carl', 'ann', 'billing'), ('default', 'b', 'x', NULL, NULL, NULL), ('other', 'foreign', 'x', NULL, NULL, NULL);
INSERT INTO triage.ticket_comments (ticket_id, content, external_id, author_id)
	VALUES (pg_temp.ticket('a'), 'x', 'a', 'carl'), (pg_temp.ticket('a'), 'x', 'b', NULL);
UPDATE triage.ticket_comments SET content = 'y' WHERE external_id = 'a';
INSERT INTO triage.comment_attachments (comment_id, file_url, file_name)
	SELECT c.id, 'https://example.org/x', 'x' FROM triage.ticket_comments c WHERE c.external_id = 'a';
INSERT INTO triage.ticket_links (ticket_id, kind, other_id) VALUES (pg_temp.ticket('a'), 'duplicate_of', pg_temp.ticket('b'));
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply)
	VALUES ('default', pg_temp.ticket('a'), 1, 'billing', 'low', 1, 'x');
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome) VALUES ('default', 1, 1, 'triage', 1, 'succeeded');
INSERT INTO triage.model_prices VALUES ('m', '*', '2026-01-01', 1, 1, 1, 1, 'EUR');
INSERT INTO triage.provider_models (provider, asked_model, model) VALUES ('p', 'm', 'm-1');
INSERT INTO triage.budgets (period, spend_limit, currency) VALUES ('day', 1, 'EUR');
INSERT INTO triage.budget_usage (budget, period_start) SELECT id, '2026-01-01 00:00+00' FROM triage.budgets;
INSERT INTO triage.budget_reservations SELECT 'default', 1, 1, id, '2026-01-01 00:00+00', 1, 1, 'p', now(), now() FROM triage.budgets;
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('default', -1, pg_temp.ticket('a'), 'triage', 'low', 1, 1, 'refused', 'x', now());
INSERT INTO triage.chat_sessions (tenant_id, language, customer_id) VALUES ('default', 'x-a', 'carl'), ('default', 'x-b', NULL), ('other', 'x-foreign', NULL);
CREATE FUNCTION pg_temp.session(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT s.id FROM triage.chat_sessions s WHERE s.language = 'x-' || name $$;
INSERT INTO triage.chat_messages (session_id, role, author_id, content, client_id)
	VALUES (pg_temp.session('a'), 'system', NULL, 'a', 'a'), (pg_temp.session('a'), 'system', 'carl', 'b', 'b');
INSERT INTO triage.chat_messages (tenant_id, session_id, role, content) VALUES ('other', pg_temp.session('foreign'), 'system', 'foreign');
CREATE FUNCTION pg_temp.message(content text) RETURNS bigint LANGUAGE sql AS $$ SELECT m.id FROM triage.chat_messages m WHERE m.content = message.content $$;
INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) VALUES (pg_temp.message('a'), 'https://files.example/1', 'a.pdf', 'application/pdf');
INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (pg_temp.session('a'), pg_temp.ticket('a'));
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (pg_temp.session('a'), pg_temp.ticket('b'), 'related');
INSERT INTO triage.ai_jobs (session_id, kind) VALUES (pg_temp.session('a'), 'chat_reply'), (pg_temp.session('a'), 'summarize');
INSERT INTO triage.ai_dead_letters (tenant_id, id, session_id, kind, priority, fence, attempts, class, message, created_at)
	VALUES ('default', -3, pg_temp.session('a'), 'chat_reply', 'low', 1, 1, 'refused', 'x', now());
INSERT INTO triage.providers (name, api, base_url, model) VALUES ('p', 'openai', 'http://127.0.0.1:1/v1', 'm');
INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, session_id, cause, created_by, session_role)
	VALUES ('default', pg_temp.ticket('a'), pg_temp.session('a'), 'policy', 'x', 'x');
INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, session_id, summary)
	VALUES ('default', pg_temp.ticket('a'), NULL, 'x'), ('default', NULL, pg_temp.session('a'), 'x');
INSERT INTO triage.chat_settings (tenant_id) VALUES ('default');
INSERT INTO triage.organizations (tenant_id, id, name) VALUES ('default', 'o', 'x'), ('other', 'foreign', 'x');
INSERT INTO triage.sync_sources (tenant_id, name, base_url, auth, email, secret, start_time)
	VALUES ('default', 'z', 'https://a.zendesk.com', 'token', 'a@b', 's', '2026-01-01 00:00+00'), ('other', 'foreign', 'https://b.zendesk.com', 'token', 'a@b', 's', '2026-01-01 00:00+00');
INSERT INTO triage.sync_state (tenant_id, source, stream) VALUES ('default', 'z', 'tickets');
INSERT INTO triage.sync_runs (tenant_id, source, stream, outcome) VALUES ('default', 'z', 'tickets', 'succeeded');
INSERT INTO triage.synced_tickets (tenant_id, ticket_id, source, source_updated_at, generated_at) VALUES ('default', pg_temp.ticket('a'), 'z', now(), 1);
INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory) VALUES ('default', 'A', 'b'), ('default', 'A', 'spare'), ('other', 'O', 'b');
INSERT INTO triage.mining_settings (tenant_id) VALUES ('default');
INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name) VALUES ('other', 'O', 'b', 'foreign'), ('default', 'A', 'b', 'a');
INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
	VALUES ('default', pg_temp.ticket('a'), 'A', 'b', 'bug', 'low', 'x', '', now());
INSERT INTO triage.ticket_extractions (tenant_id, ticket_id, content_version, issues) VALUES ('default', pg_temp.ticket('a'), 1, 1);
CREATE FUNCTION pg_temp.cluster(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT c.id FROM triage.issue_clusters c WHERE c.cluster_name = name $$;
INSERT INTO triage.cluster_exclusions (cluster_id, fingerprint, created_by) VALUES (pg_temp.cluster('a'), 'x', 'ann');
INSERT INTO triage.cluster_events (tenant_id, cluster_id, event, actor, session_role) VALUES ('default', pg_temp.cluster('a'), 'created', 'ann', 'ann');
UPDATE triage.tickets SET tags = '{x}' WHERE external_id = 'a';		-- a row of history
INSERT INTO triage.imports (target, source_table, source, columns) VALUES ('tickets', 't', 't', '{}');
INSERT INTO triage.import_errors (import_id, state, message) SELECT id, '22023', 'x' FROM triage.imports;
INSERT INTO triage.ai_feedback (tenant_id, result_id, person_id, verdict, comment_id, similarity)
	SELECT 'default', r.id, 'ann', 'accepted', c.id, 1 FROM triage.ticket_ai_results r, triage.ticket_comments c WHERE c.external_id = 'a';
INSERT INTO triage.event_generations (generation, system_identifier) VALUES (1, 1);
INSERT INTO triage.event_consumers (name, topics, generation, seen, created_by) VALUES ('c', '{ticket.created}', 1, '1:1:', 'ann');
INSERT INTO triage.events (tenant_id, generation, topic, actor) VALUES ('default', 1, 'ticket.created', 'ann');

-- What is refused --------------------------------------------------------------------------------------------------------

CREATE TABLE pg_temp.refused (number int GENERATED ALWAYS AS IDENTITY, name text, command text);
INSERT INTO pg_temp.refused (name, command) VALUES
	('schema_version_pkey', $$INSERT INTO triage.schema_version (version) SELECT version FROM triage.schema_version$$),
	('home_pkey', $$INSERT INTO triage.home SELECT * FROM triage.home$$),
	('home_one_row', $$UPDATE triage.home SET id = false$$),
	('worker_control_pkey', $$INSERT INTO triage.worker_control (id) VALUES (true)$$),
	('worker_control_one_row', $$INSERT INTO triage.worker_control (id) VALUES (false)$$),
	('worker_control_pause_reason_length', $$UPDATE triage.worker_control SET pause_reason = repeat('x', 201)$$),

	('retention_pkey', $$INSERT INTO triage.retention (target) VALUES ('ai_runs')$$),
	('retention_target', $$INSERT INTO triage.retention (target) VALUES ('tickets')$$),
	('retention_keep_range', $$UPDATE triage.retention SET keep = '23 hours'$$),
	('retention_keep_range', $$UPDATE triage.retention SET keep = '1001 years'$$),

	('organizations_pkey', $$INSERT INTO triage.organizations SELECT * FROM triage.organizations$$),
	('organizations_tenant_fkey', $$INSERT INTO triage.organizations (tenant_id, id, name) VALUES ('nowhere', 'x', 'x')$$),
	('organizations_id_length', $$UPDATE triage.organizations SET id = '' WHERE id = 'o'$$),
	('organizations_id_length', $$UPDATE triage.organizations SET id = repeat('x', 201) WHERE id = 'o'$$),
	('organizations_name_length', $$UPDATE triage.organizations SET name = ''$$),
	('organizations_name_length', $$UPDATE triage.organizations SET name = repeat('x', 501)$$),
	('people_organization_fkey', $$UPDATE triage.people SET organization_id = 'foreign' WHERE id = 'carl'$$),
	('sync_sources_pkey', $$INSERT INTO triage.sync_sources SELECT * FROM triage.sync_sources$$),
	('sync_sources_tenant_fkey', $$INSERT INTO triage.sync_sources (tenant_id, name, base_url, auth, secret, start_time) VALUES ('nowhere', 'z', 'https://a', 'oauth', 's', now())$$),
	('sync_sources_name', $$UPDATE triage.sync_sources SET name = 'Z' WHERE name = 'foreign'$$),
	('sync_sources_name', $$UPDATE triage.sync_sources SET name = repeat('x', 51) WHERE name = 'foreign'$$),
	('sync_sources_base_url', $$UPDATE triage.sync_sources SET base_url = 'ftp://a.zendesk.com'$$),
	('sync_sources_base_url', $$UPDATE triage.sync_sources SET base_url = 'https://me:pw@a.zendesk.com'$$),
	('sync_sources_base_url', $$UPDATE triage.sync_sources SET base_url = 'https://' || repeat('x', 1993)$$),
	('sync_sources_start_time_finite', $$UPDATE triage.sync_sources SET start_time = '-infinity'$$),
	('sync_sources_email', $$UPDATE triage.sync_sources SET email = NULL$$),
	('sync_sources_email', $$UPDATE triage.sync_sources SET auth = 'oauth'$$),
	('sync_sources_email', $$UPDATE triage.sync_sources SET email = repeat('x', 321)$$),
	('sync_sources_secret_name', $$UPDATE triage.sync_sources SET secret = '../x'$$),
	('sync_sources_page_size', $$UPDATE triage.sync_sources SET page_size = 1001$$),
	('sync_sources_page_size', $$UPDATE triage.sync_sources SET page_size = 0$$),
	('sync_sources_requests_per_minute', $$UPDATE triage.sync_sources SET requests_per_minute = 0$$),
	('sync_sources_requests_per_minute', $$UPDATE triage.sync_sources SET requests_per_minute = 1000001$$),
	('sync_sources_comment_requests_per_minute', $$UPDATE triage.sync_sources SET comment_requests_per_minute = 0$$),
	('sync_sources_comment_requests_per_minute', $$UPDATE triage.sync_sources SET comment_requests_per_minute = 1000001$$),
	('sync_sources_poll_interval', $$UPDATE triage.sync_sources SET poll_interval = '0.9 seconds'$$),
	('sync_sources_poll_interval', $$UPDATE triage.sync_sources SET poll_interval = '32 days'$$),
	('sync_sources_timeout', $$UPDATE triage.sync_sources SET timeout_ms = 99$$),
	('sync_sources_timeout', $$UPDATE triage.sync_sources SET timeout_ms = 3600001$$),
	('sync_sources_support_type_scope', $$UPDATE triage.sync_sources SET support_type_scope = 'none'$$),
	('sync_sources_pause', $$UPDATE triage.sync_sources SET paused_at = now()$$),
	('sync_sources_pause', $$UPDATE triage.sync_sources SET pause_reason = 'x'$$),
	('sync_sources_pause', $$UPDATE triage.sync_sources SET paused_at = now(), paused_by = 'x', pause_reason = repeat('x', 501)$$),
	('sync_state_pkey', $$INSERT INTO triage.sync_state SELECT * FROM triage.sync_state$$),
	('sync_state_source_fkey', $$UPDATE triage.sync_state SET source = 'foreign'$$),
	('sync_runs_pkey', $$INSERT INTO triage.sync_runs OVERRIDING SYSTEM VALUE SELECT * FROM triage.sync_runs$$),
	('synced_tickets_pkey', $$INSERT INTO triage.synced_tickets SELECT * FROM triage.synced_tickets$$),
	('synced_tickets_ticket_fkey', $$UPDATE triage.synced_tickets SET ticket_id = pg_temp.ticket('foreign')$$),
	('synced_tickets_source_fkey', $$UPDATE triage.synced_tickets SET source = 'foreign'$$),
	('synced_tickets_details_object', $$UPDATE triage.synced_tickets SET details = '[]'$$),
	('synced_tickets_copied_object', $$UPDATE triage.synced_tickets SET copied = '[]'$$),

	('imports_pkey', $$INSERT INTO triage.imports OVERRIDING SYSTEM VALUE SELECT * FROM triage.imports$$),
	('imports_tenant_fkey', $$INSERT INTO triage.imports (tenant_id, target, source_table, source, columns) VALUES ('nowhere', 'tickets', 't', 't', '{}')$$),
	('imports_target', $$UPDATE triage.imports SET target = 'people', ticket_source = 'x'$$),
	('imports_source_length', $$UPDATE triage.imports SET source = ''$$),
	('imports_source_length', $$UPDATE triage.imports SET source = repeat('x', 101)$$),
	('imports_ticket_source_length', $$UPDATE triage.imports SET target = 'comments', ticket_source = repeat('x', 101)$$),
	('imports_ticket_source_when_needed', $$UPDATE triage.imports SET ticket_source = 'x'$$),
	('imports_columns_object', $$UPDATE triage.imports SET columns = '[]'$$),
	('imports_labels_object', $$UPDATE triage.imports SET labels = '[]'$$),
	('imports_batch_size', $$UPDATE triage.imports SET batch_size = 0$$),
	('imports_batch_size', $$UPDATE triage.imports SET batch_size = 10001$$),
	('import_errors_pkey', $$INSERT INTO triage.import_errors OVERRIDING SYSTEM VALUE SELECT * FROM triage.import_errors$$),
	('import_errors_import_fkey', $$INSERT INTO triage.import_errors (import_id, state, message) VALUES (-1, '22023', 'x')$$),
	('import_errors_state', $$UPDATE triage.import_errors SET state = ''$$),
	('import_errors_message_length', $$UPDATE triage.import_errors SET message = repeat('x', 1001)$$),

	('tenants_pkey', $$INSERT INTO triage.tenants (id) VALUES ('default')$$),
	('tenants_id_length', $$INSERT INTO triage.tenants (id) VALUES ('')$$),
	('tenants_id_length', $$INSERT INTO triage.tenants (id) VALUES (repeat('x', 201))$$),
	('tenants_name_length', $$INSERT INTO triage.tenants (id, name) VALUES ('x', repeat('x', 501))$$),

	('role_tenants_pkey', $$INSERT INTO triage.role_tenants (tenant_id, role) VALUES ('default', 'pg_monitor'), ('default', 'pg_monitor')$$),
	('role_tenants_tenant_fkey', $$INSERT INTO triage.role_tenants (tenant_id, role) VALUES ('nowhere', 'pg_monitor')$$),

	('people_pkey', $$INSERT INTO triage.people (id) VALUES ('ann')$$),
	('people_tenant_fkey', $$INSERT INTO triage.people (tenant_id, id) VALUES ('nowhere', 'ann')$$),
	('people_id_length', $$INSERT INTO triage.people (id) VALUES ('')$$),
	('people_id_length', $$INSERT INTO triage.people (id) VALUES (repeat('x', 201))$$),
	('people_display_name_length', $$UPDATE triage.people SET display_name = repeat('x', 501)$$),
	('people_email_length', $$UPDATE triage.people SET email = repeat('x', 321)$$),
	('people_language_length', $$UPDATE triage.people SET language = repeat('x', 36)$$),

	('ticket_categories_pkey', $$INSERT INTO triage.ticket_categories (category) VALUES ('billing')$$),
	('ticket_categories_tenant_fkey', $$INSERT INTO triage.ticket_categories (tenant_id, category) VALUES ('nowhere', 'billing')$$),
	('ticket_categories_name', $$INSERT INTO triage.ticket_categories (category) VALUES ('Billing')$$),
	('ticket_categories_name', $$INSERT INTO triage.ticket_categories (category) VALUES ('7up')$$),
	('ticket_categories_name', $$INSERT INTO triage.ticket_categories (category) VALUES ('')$$),
	('ticket_categories_name', $$INSERT INTO triage.ticket_categories (category) VALUES (E'billing\n')$$),
	('ticket_categories_name', $$INSERT INTO triage.ticket_categories (category) VALUES (repeat('x', 64))$$),
	('ticket_categories_description_length', $$UPDATE triage.ticket_categories SET description = repeat('x', 2001)$$),
	('ticket_categories_keywords', $$UPDATE triage.ticket_categories SET keywords = '{a,NULL}'$$),
	('ticket_categories_keywords', $$UPDATE triage.ticket_categories SET keywords = array_fill('x'::text, '{501}')$$),

	('prompts_pkey', $$INSERT INTO triage.prompts (kind, version, system_text) VALUES ('triage', 1, 'x')$$),
	('prompts_tenant_fkey', $$INSERT INTO triage.prompts (tenant_id, kind, version, system_text) VALUES ('nowhere', 'triage', 1, 'x')$$),
	('prompts_version_positive', $$INSERT INTO triage.prompts (kind, version, system_text) VALUES ('triage', 0, 'x')$$),
	('prompts_system_text_length', $$INSERT INTO triage.prompts (kind, version, system_text) VALUES ('triage', 2, '')$$),
	('prompts_system_text_length', $$INSERT INTO triage.prompts (kind, version, system_text) VALUES ('triage', 2, repeat('x', 50001))$$),

	('providers_pkey', $$INSERT INTO triage.providers (name, api) VALUES ('builtin', 'builtin')$$),
	('providers_name', $$INSERT INTO triage.providers (name, api) VALUES ('', 'builtin')$$),
	('providers_name', $$INSERT INTO triage.providers (name, api) VALUES ('a b', 'builtin')$$),
	('providers_name', $$INSERT INTO triage.providers (name, api) VALUES ('.a', 'builtin')$$),
	('providers_openai_complete', $$UPDATE triage.providers SET base_url = NULL WHERE name = 'p'$$),
	('providers_openai_complete', $$UPDATE triage.providers SET model = NULL WHERE name = 'p'$$),
	('providers_base_url', $$UPDATE triage.providers SET base_url = 'ftp://127.0.0.1/' WHERE name = 'p'$$),
	('providers_base_url', $$UPDATE triage.providers SET base_url = 'http://user:key@127.0.0.1/' WHERE name = 'p'$$),
	('providers_base_url', $$UPDATE triage.providers SET base_url = 'http://127.0.0.1/?key=x' WHERE name = 'p'$$),
	('providers_base_url', $$UPDATE triage.providers SET base_url = 'http://127.0.0.1/#x' WHERE name = 'p'$$),
	('providers_base_url', $$UPDATE triage.providers SET base_url = E'http://127.0.0.1/\r\nHost: x' WHERE name = 'p'$$),
	('providers_base_url', $$UPDATE triage.providers SET base_url = 'http://' || repeat('x', 1994) WHERE name = 'p'$$),
	('providers_model_length', $$UPDATE triage.providers SET model = '' WHERE name = 'p'$$),
	('providers_model_length', $$UPDATE triage.providers SET model = repeat('x', 201) WHERE name = 'p'$$),
	('providers_secret_name', $$UPDATE triage.providers SET secret = '../key' WHERE name = 'p'$$),
	('providers_secret_name', $$UPDATE triage.providers SET secret = '.key' WHERE name = 'p'$$),
	('providers_secret_name', $$UPDATE triage.providers SET secret = '' WHERE name = 'p'$$),
	('providers_max_in_flight', $$UPDATE triage.providers SET max_in_flight = 0$$),
	('providers_max_in_flight', $$UPDATE triage.providers SET max_in_flight = 4097$$),
	('providers_timeout', $$UPDATE triage.providers SET timeout_ms = 99$$),
	('providers_timeout', $$UPDATE triage.providers SET timeout_ms = 3600001$$),
	('providers_max_output_tokens', $$UPDATE triage.providers SET max_output_tokens = 0$$),
	('providers_max_output_tokens', $$UPDATE triage.providers SET max_output_tokens = 10000001$$),
	('providers_max_tokens_field', $$UPDATE triage.providers SET max_tokens_field = 'n'$$),
	('budgets_pkey', $$INSERT INTO triage.budgets (id, period, spend_limit, currency) OVERRIDING SYSTEM VALUE SELECT id, 'month', 1, 'EUR' FROM triage.budgets$$),
	('budgets_scope_key', $$INSERT INTO triage.budgets (period, spend_limit, currency) VALUES ('day', 1, 'EUR')$$),
	('budgets_of_tenant_fkey', $$UPDATE triage.budgets SET tenant = 'nobody'$$),
	('budgets_spend_limit', $$UPDATE triage.budgets SET spend_limit = -0.01$$),
	('budgets_spend_limit', $$UPDATE triage.budgets SET spend_limit = 'NaN'$$),
	('budgets_currency', $$UPDATE triage.budgets SET currency = 'euro'$$),
	('budget_usage_pkey', $$INSERT INTO triage.budget_usage SELECT * FROM triage.budget_usage$$),
	('budget_reservations_pkey', $$INSERT INTO triage.budget_reservations SELECT * FROM triage.budget_reservations$$),
	('budget_reservations_one_subject', $$UPDATE triage.budget_reservations SET session = 1$$),
	('budget_reservations_amount', $$UPDATE triage.budget_reservations SET amount = -1$$),
	('provider_models_pkey', $$INSERT INTO triage.provider_models SELECT * FROM triage.provider_models$$),
	('model_prices_pkey', $$INSERT INTO triage.model_prices VALUES ('m', '*', '2026-01-01', 1, 1, 1, 1, 'EUR')$$),
	('model_prices_model_pattern_length', $$UPDATE triage.model_prices SET model_pattern = ''$$),
	('model_prices_model_pattern_length', $$UPDATE triage.model_prices SET model_pattern = repeat('x', 201)$$),
	('model_prices_provider', $$UPDATE triage.model_prices SET provider = ''$$),
	('model_prices_provider', $$UPDATE triage.model_prices SET provider = '**'$$),
	('model_prices_valid_from_finite', $$UPDATE triage.model_prices SET valid_from = 'infinity'$$),
	('model_prices_amounts', $$UPDATE triage.model_prices SET input = -0.01$$),
	('model_prices_amounts', $$UPDATE triage.model_prices SET output = 'NaN'$$),
	('model_prices_amounts', $$UPDATE triage.model_prices SET cached_input = 1e12 + 1$$),
	('model_prices_amounts', $$UPDATE triage.model_prices SET cache_write = -1$$),
	('model_prices_digits', $$UPDATE triage.model_prices SET input = 0.0000000000001$$),
	('model_prices_currency', $$UPDATE triage.model_prices SET currency = 'eur'$$),
	('model_prices_currency', $$UPDATE triage.model_prices SET currency = 'EURO'$$),
	('providers_requests_per_minute', $$UPDATE triage.providers SET requests_per_minute = 0$$),
	('providers_tokens_per_minute', $$UPDATE triage.providers SET tokens_per_minute = 0$$),
	('providers_pause', $$UPDATE triage.providers SET paused_at = now()$$),
	('providers_pause', $$UPDATE triage.providers SET paused_by = 'ann'$$),
	('providers_pause', $$UPDATE triage.providers SET pause_reason = 'x'$$),
	('providers_pause', $$UPDATE triage.providers SET paused_at = now(), paused_by = 'ann', pause_reason = repeat('x', 501)$$),

	('tickets_pkey', $$INSERT INTO triage.tickets (id, description) OVERRIDING SYSTEM VALUE SELECT pg_temp.ticket('a'), 'x'$$),
	('tickets_tenant_fkey', $$INSERT INTO triage.tickets (tenant_id, description) VALUES ('nowhere', 'x')$$),
	('tickets_public_id_key', $$UPDATE triage.tickets SET public_id = '00000000-0000-0000-0000-000000000000' WHERE tenant_id = 'default'$$),
	('tickets_external_id_key', $$INSERT INTO triage.tickets (external_id, description) VALUES ('a', 'x')$$),
	('tickets_requester_fkey', $$UPDATE triage.tickets SET requester_id = 'olga' WHERE external_id = 'a'$$),
	('tickets_requester_fkey', $$DELETE FROM triage.people WHERE id = 'carl'$$),
	('tickets_assignee_fkey', $$UPDATE triage.tickets SET assignee_id = 'olga' WHERE external_id = 'b'$$),
	('tickets_category_fkey', $$UPDATE triage.tickets SET category = 'gardening' WHERE external_id = 'a'$$),
	('tickets_source_length', $$UPDATE triage.tickets SET source = ''$$),
	('tickets_source_length', $$UPDATE triage.tickets SET source = repeat('x', 101)$$),
	('tickets_external_id_length', $$UPDATE triage.tickets SET external_id = '' WHERE external_id = 'a'$$),
	('tickets_external_id_length', $$UPDATE triage.tickets SET external_id = repeat('x', 1001) WHERE external_id = 'a'$$),
	('tickets_subject_length', $$UPDATE triage.tickets SET subject = repeat('x', 999)$$),
	('tickets_description_length', $$UPDATE triage.tickets SET description = repeat('x', 1048577)$$),
	('tickets_description_length', $$UPDATE triage.tickets SET description = repeat('ä', 524289)$$),
	('tickets_text_not_empty', $$UPDATE triage.tickets SET subject = ' ', description = E'\t\n'$$),
	('tickets_requester_email_length', $$UPDATE triage.tickets SET requester_email = repeat('x', 321)$$),
	('tickets_language_length', $$UPDATE triage.tickets SET language = repeat('x', 36)$$),
	('tickets_tags_no_null', $$UPDATE triage.tickets SET tags = '{a,NULL}'$$),
	('tickets_tags_limits', $$UPDATE triage.tickets SET tags = array_fill('x'::text, '{101}')$$),
	('tickets_tags_limits', $$UPDATE triage.tickets SET tags = ARRAY ['a', repeat('ä', 101)]$$),
	('tickets_tags_limits', $$UPDATE triage.tickets SET tags = '{a,""}'$$),
	('tickets_custom_fields_size', $$UPDATE triage.tickets SET custom_fields = jsonb_build_object('x', repeat('x', 65536))$$),
	('tickets_custom_fields_object', $$UPDATE triage.tickets SET custom_fields = '[]'$$),
	('tickets_custom_fields_object', $$UPDATE triage.tickets SET custom_fields = 'null'$$),

	('ticket_comments_pkey', $$UPDATE triage.ticket_comments SET id = DEFAULT WHERE external_id = 'b';
		INSERT INTO triage.ticket_comments (id, ticket_id, content) OVERRIDING SYSTEM VALUE SELECT id, ticket_id, 'x' FROM triage.ticket_comments$$),
	('ticket_comments_external_id_key', $$UPDATE triage.ticket_comments SET external_id = 'a' WHERE external_id = 'b'$$),
	-- an INSERT meets the trigger first, which says that the ticket does not exist
	('ticket_comments_ticket_fkey', $$UPDATE triage.ticket_comments SET ticket_id = pg_temp.ticket('foreign')$$),
	('ticket_comments_author_fkey', $$INSERT INTO triage.ticket_comments (ticket_id, content, author_id) SELECT pg_temp.ticket('a'), 'x', 'olga'$$),
	('ticket_comments_content_not_empty', $$INSERT INTO triage.ticket_comments (ticket_id, content) SELECT pg_temp.ticket('a'), E' \n'$$),
	('ticket_comments_content_length', $$INSERT INTO triage.ticket_comments (ticket_id, content) SELECT pg_temp.ticket('a'), repeat('x', 1048577)$$),
	('ticket_comments_source_length', $$UPDATE triage.ticket_comments SET source = ''$$),
	('ticket_comments_source_length', $$UPDATE triage.ticket_comments SET source = repeat('x', 101)$$),
	('ticket_comments_external_id_length', $$UPDATE triage.ticket_comments SET external_id = '' WHERE external_id = 'a'$$),
	('ticket_comments_external_id_length', $$UPDATE triage.ticket_comments SET external_id = repeat('x', 1001) WHERE external_id = 'a'$$),

	('comment_edits_pkey', $$INSERT INTO triage.comment_edits (tenant_id, id, comment_id, old_content, edited_by, session_role) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, comment_id, 'x', 'x', 'x' FROM triage.comment_edits$$),
	('comment_edits_comment_fkey', $$INSERT INTO triage.comment_edits (tenant_id, comment_id, old_content, edited_by, session_role)
		SELECT 'other', c.id, 'x', 'x', 'x' FROM triage.ticket_comments c WHERE c.external_id = 'a'$$),
	('comment_attachments_pkey', $$INSERT INTO triage.comment_attachments (id, comment_id, file_url, file_name) OVERRIDING SYSTEM VALUE
		SELECT id, comment_id, 'x', 'x' FROM triage.comment_attachments$$),
	('comment_attachments_comment_fkey', $$INSERT INTO triage.comment_attachments (tenant_id, comment_id, file_url, file_name)
		SELECT 'other', c.id, 'x', 'x' FROM triage.ticket_comments c WHERE c.external_id = 'a'$$),
	('comment_attachments_file_url_length', $$UPDATE triage.comment_attachments SET file_url = ''$$),
	('comment_attachments_file_url_length', $$UPDATE triage.comment_attachments SET file_url = repeat('x', 2001)$$),
	('comment_attachments_file_url_safe', $$UPDATE triage.comment_attachments SET file_url = 'JavaScript:alert(1)'$$),
	('comment_attachments_file_url_safe', $$UPDATE triage.comment_attachments SET file_url = ' https://example.org/'$$),
	('comment_attachments_file_name_length', $$UPDATE triage.comment_attachments SET file_name = ''$$),
	('comment_attachments_file_name_printable', $$UPDATE triage.comment_attachments SET file_name = E'a\nb'$$),
	('comment_attachments_file_type_printable', $$UPDATE triage.comment_attachments SET file_type = E'a\nb'$$),
	('comment_attachments_file_name_length', $$UPDATE triage.comment_attachments SET file_name = repeat('x', 501)$$),
	('comment_attachments_file_type_length', $$UPDATE triage.comment_attachments SET file_type = ''$$),
	('comment_attachments_file_type_length', $$UPDATE triage.comment_attachments SET file_type = repeat('x', 201)$$),
	('comment_attachments_source_length', $$UPDATE triage.comment_attachments SET source = ''$$),
	('comment_attachments_byte_size', $$UPDATE triage.comment_attachments SET byte_size = -1$$),

	('ticket_links_pkey', $$INSERT INTO triage.ticket_links (id, ticket_id, kind, other_id) OVERRIDING SYSTEM VALUE
		SELECT id, ticket_id, 'caused_by', other_id FROM triage.ticket_links$$),
	('ticket_links_pair_key', $$INSERT INTO triage.ticket_links (ticket_id, kind, other_id) SELECT ticket_id, kind, other_id FROM triage.ticket_links$$),
	('ticket_links_ticket_fkey', $$UPDATE triage.ticket_links SET ticket_id = pg_temp.ticket('foreign')$$),
	('ticket_links_other_fkey', $$UPDATE triage.ticket_links SET other_id = pg_temp.ticket('foreign')$$),
	('ticket_links_not_self', $$UPDATE triage.ticket_links SET other_id = ticket_id$$),
	('ticket_links_related_order', $$UPDATE triage.ticket_links SET kind = 'related', ticket_id = other_id, other_id = ticket_id$$),

	('ticket_history_pkey', $$INSERT INTO triage.ticket_history (tenant_id, id, ticket_id, field, changed_by, session_role) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, ticket_id, 'x', 'x', 'x' FROM triage.ticket_history$$),
	('ticket_history_ticket_fkey', $$INSERT INTO triage.ticket_history (tenant_id, ticket_id, field, changed_by, session_role)
		SELECT 'default', pg_temp.ticket('foreign'), 'x', 'x', 'x'$$),

	('ticket_assignments_pkey', $$INSERT INTO triage.ticket_assignments (tenant_id, id, ticket_id, agent_id, assigned_by, unassigned_at) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, ticket_id, 'ann', 'x', now() FROM triage.ticket_assignments$$),
	('ticket_assignments_ticket_fkey', $$INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by)
		SELECT 'default', pg_temp.ticket('foreign'), 'ann', 'x'$$),
	('ticket_assignments_agent_fkey', $$UPDATE triage.ticket_assignments SET agent_id = 'olga'$$),
	('ticket_assignments_order', $$UPDATE triage.ticket_assignments SET unassigned_at = assigned_at - interval '1 second'$$),
	('ticket_assignments_current', $$INSERT INTO triage.ticket_assignments (tenant_id, ticket_id, agent_id, assigned_by)
		SELECT 'default', pg_temp.ticket('a'), 'carl', 'x'$$),

	('ai_jobs_pkey', $$INSERT INTO triage.ai_jobs (tenant_id, id, ticket_id) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, ticket_id FROM triage.ai_jobs WHERE ticket_id IS NOT NULL$$),
	('ai_jobs_one_per_ticket', $$INSERT INTO triage.ai_jobs (ticket_id) SELECT pg_temp.ticket('a')$$),
	('ai_jobs_ticket_fkey', $$UPDATE triage.ai_jobs SET tenant_id = 'other' WHERE ticket_id = pg_temp.ticket('a')$$),
	('ai_dead_letters_pkey', $$INSERT INTO triage.ai_dead_letters SELECT * FROM triage.ai_dead_letters$$),
	('ai_dead_letters_one_per_ticket', $$INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
		SELECT tenant_id, -2, ticket_id, kind, priority, fence, attempts, class, message, created_at FROM triage.ai_dead_letters
			WHERE ticket_id IS NOT NULL$$),
	('ai_dead_letters_ticket_fkey', $$UPDATE triage.ai_dead_letters SET ticket_id = pg_temp.ticket('foreign') WHERE ticket_id IS NOT NULL$$),
	('ai_dead_letters_session_fkey', $$UPDATE triage.ai_dead_letters SET session_id = pg_temp.session('foreign') WHERE session_id IS NOT NULL$$),
	('ai_dead_letters_one_subject', $$UPDATE triage.ai_dead_letters SET session_id = pg_temp.session('a')$$),
	('ai_dead_letters_one_subject', $$UPDATE triage.ai_dead_letters SET ticket_id = NULL, session_id = NULL$$),
	('ai_dead_letters_one_per_session', $$INSERT INTO triage.ai_dead_letters (tenant_id, id, session_id, kind, priority, fence, attempts, class, message, created_at)
		SELECT tenant_id, -4, session_id, kind, priority, fence, attempts, class, message, created_at FROM triage.ai_dead_letters WHERE session_id IS NOT NULL$$),
	('ai_jobs_session_fkey', $$UPDATE triage.ai_jobs SET session_id = pg_temp.session('foreign') WHERE kind = 'chat_reply'$$),
	('ai_jobs_one_subject', $$UPDATE triage.ai_jobs SET ticket_id = pg_temp.ticket('a') WHERE kind = 'chat_reply'$$),
	('ai_jobs_one_subject', $$INSERT INTO triage.ai_jobs (kind) VALUES ('chat_reply')$$),
	('cluster_deltas_pkey', $$INSERT INTO triage.cluster_deltas (tenant_id, id, cluster_id, day, severity, issues, has_removals) OVERRIDING SYSTEM VALUE SELECT 'default', 1, 1, '2000-01-01', 'low', 1, false FROM generate_series(1, 2)$$),
	('cluster_daily_pkey', $$INSERT INTO triage.cluster_daily SELECT 'default', 1, '2000-01-01', 1, 0, 0, 0 FROM generate_series(1, 2)$$),
	('cluster_customers_pkey', $$INSERT INTO triage.cluster_customers SELECT 'default', 1, '00000000-0000-0000-0000-000000000000', 1 FROM generate_series(1, 2)$$),
	('cluster_totals_pkey', $$INSERT INTO triage.cluster_totals (tenant_id, cluster_id, low, medium, high, critical, customers) SELECT 'default', 1, 0, 0, 0, 0, 0 FROM generate_series(1, 2)$$),
	('ai_jobs_cluster_fkey', $$INSERT INTO triage.ai_jobs (cluster_id, kind) VALUES (pg_temp.cluster('foreign'), 'name_cluster')$$),
	('ai_jobs_one_per_cluster', $$INSERT INTO triage.ai_jobs (cluster_id, kind) SELECT pg_temp.cluster('a'), 'name_cluster' FROM generate_series(1, 2)$$),
	('ai_jobs_one_subject', $$INSERT INTO triage.ai_jobs (ticket_id, cluster_id, kind) VALUES (pg_temp.ticket('a'), pg_temp.cluster('a'), 'name_cluster')$$),
	('ai_dead_letters_cluster_fkey', $$UPDATE triage.ai_dead_letters SET session_id = NULL, cluster_id = pg_temp.cluster('foreign') WHERE session_id IS NOT NULL$$),
	('ai_dead_letters_one_per_cluster', $$INSERT INTO triage.ai_dead_letters (tenant_id, id, cluster_id, kind, priority, fence, attempts, class, message, created_at)
		SELECT 'default', -10 - i, pg_temp.cluster('a'), 'name_cluster', 'low', 1, 1, 'refused', 'x', now() FROM generate_series(1, 2) i$$),
	('budget_reservations_one_subject', $$UPDATE triage.budget_reservations SET cluster = 1$$),
	('ai_jobs_one_per_session', $$UPDATE triage.ai_jobs SET kind = 'summarize' WHERE kind = 'chat_reply'$$),

	('chat_sessions_pkey', $$INSERT INTO triage.chat_sessions (id) OVERRIDING SYSTEM VALUE SELECT pg_temp.session('a')$$),
	('chat_sessions_tenant_fkey', $$INSERT INTO triage.chat_sessions (tenant_id) VALUES ('nowhere')$$),
	('chat_sessions_public_id_key', $$UPDATE triage.chat_sessions SET public_id = '00000000-0000-0000-0000-000000000000' WHERE tenant_id = 'default'$$),
	('chat_sessions_customer_fkey', $$UPDATE triage.chat_sessions SET customer_id = 'olga' WHERE id = pg_temp.session('a')$$),
	('chat_sessions_id_not_zero', $$INSERT INTO triage.chat_sessions (id) OVERRIDING SYSTEM VALUE VALUES (0)$$),
	('chat_sessions_language_length', $$INSERT INTO triage.chat_sessions (language) VALUES (repeat('x', 36))$$),
	('chat_sessions_metadata_object', $$INSERT INTO triage.chat_sessions (metadata) VALUES ('[]')$$),
	('chat_sessions_ended_at_when_over', $$INSERT INTO triage.chat_sessions (status) VALUES ('resolved')$$),
	('chat_sessions_ended_at_when_over', $$INSERT INTO triage.chat_sessions (ended_at) VALUES (now())$$),

	('chat_messages_pkey', $$INSERT INTO triage.chat_messages (id, session_id, role, content) OVERRIDING SYSTEM VALUE SELECT pg_temp.message('b'), pg_temp.session('a'), 'system', 'x'$$),
	('chat_messages_client_id_key', $$INSERT INTO triage.chat_messages (session_id, role, content, client_id) SELECT pg_temp.session('a'), 'system', 'x', 'a'$$),
	-- an INSERT meets the trigger first, which says that the session does not exist
	('chat_messages_session_fkey', $$UPDATE triage.chat_messages SET session_id = pg_temp.session('foreign') WHERE content = 'a'$$),
	('chat_messages_comment_fkey', $$INSERT INTO triage.chat_messages (session_id, role, content, comment_id) SELECT pg_temp.session('a'), 'system', 'x', 0$$),
	('chat_messages_author_fkey', $$INSERT INTO triage.chat_messages (session_id, role, content, author_id) SELECT pg_temp.session('a'), 'system', 'x', 'olga'$$),
	('chat_messages_content_length', $$INSERT INTO triage.chat_messages (session_id, role, content) SELECT pg_temp.session('a'), 'system', repeat('x', 262145)$$),
	('chat_messages_content_not_empty', $$INSERT INTO triage.chat_messages (session_id, role, content) SELECT pg_temp.session('a'), 'system', E' \n'$$),
	('chat_messages_language_length', $$INSERT INTO triage.chat_messages (session_id, role, content, language) SELECT pg_temp.session('a'), 'system', 'x', repeat('x', 36)$$),
	('chat_messages_metadata_object', $$INSERT INTO triage.chat_messages (session_id, role, content, metadata) SELECT pg_temp.session('a'), 'system', 'x', '[]'$$),
	('chat_messages_client_id_length', $$INSERT INTO triage.chat_messages (session_id, role, content, client_id) SELECT pg_temp.session('a'), 'system', 'x', ''$$),
	('chat_messages_client_id_length', $$INSERT INTO triage.chat_messages (session_id, role, content, client_id) SELECT pg_temp.session('a'), 'system', 'x', repeat('x', 201)$$),

	('chat_attachments_pkey', $$INSERT INTO triage.chat_attachments (id, message_id, file_url, file_name, file_type) OVERRIDING SYSTEM VALUE
		SELECT id, message_id, file_url, file_name, file_type FROM triage.chat_attachments$$),
	('chat_attachments_message_fkey', $$UPDATE triage.chat_attachments SET message_id = pg_temp.message('foreign')$$),
	('chat_attachments_file_url_length', $$UPDATE triage.chat_attachments SET file_url = 'https://' || repeat('x', 1993)$$),
	('chat_attachments_file_url_safe', $$UPDATE triage.chat_attachments SET file_url = 'javascript:alert(1)'$$),
	('chat_attachments_file_url_safe', $$UPDATE triage.chat_attachments SET file_url = 'DATA:text/html,x'$$),
	('chat_attachments_file_url_safe', $$UPDATE triage.chat_attachments SET file_url = E'java\nscript:alert(1)'$$),
	('chat_attachments_file_url_safe', $$UPDATE triage.chat_attachments SET file_url = ' javascript:alert(1)'$$),
	('chat_attachments_file_url_safe', $$UPDATE triage.chat_attachments SET file_url = E'\001javascript:alert(1)'$$),
	('chat_attachments_file_url_safe', $$UPDATE triage.chat_attachments SET file_url = '1:x'$$),
	('chat_attachments_file_name_length', $$UPDATE triage.chat_attachments SET file_name = ''$$),
	('chat_attachments_file_name_length', $$UPDATE triage.chat_attachments SET file_name = repeat('x', 501)$$),
	('chat_attachments_file_type_length', $$UPDATE triage.chat_attachments SET file_type = ''$$),
	('chat_attachments_file_type_length', $$UPDATE triage.chat_attachments SET file_type = repeat('x', 201)$$),
	('chat_attachments_byte_size', $$UPDATE triage.chat_attachments SET byte_size = -1$$),

	('chat_tickets_pkey', $$INSERT INTO triage.chat_tickets (id, session_id, ticket_id, relation) OVERRIDING SYSTEM VALUE
		SELECT id, pg_temp.session('b'), ticket_id, 'related' FROM triage.chat_tickets$$),
	('chat_tickets_pair_key', $$INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) SELECT pg_temp.session('a'), pg_temp.ticket('a'), 'related'$$),
	('chat_tickets_one_origin', $$UPDATE triage.chat_tickets SET relation = 'origin'$$),
	('chat_tickets_one_session', $$INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (pg_temp.session('b'), pg_temp.ticket('a'))$$),
	('chat_tickets_session_fkey', $$UPDATE triage.chat_tickets SET session_id = pg_temp.session('foreign')$$),
	('chat_tickets_ticket_fkey', $$UPDATE triage.chat_tickets SET ticket_id = pg_temp.ticket('foreign') WHERE relation = 'origin'$$),
	('ai_runs_pkey', $$INSERT INTO triage.ai_runs (tenant_id, id, job_id, ticket_id, kind, fence, outcome) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, 1, 1, 'triage', 1, 'lost' FROM triage.ai_runs$$),

	('tickets_assigned_to_people', $$INSERT INTO triage.tickets (external_id, description, handler) VALUES ('of the AI', 'x', 'ai');
		ALTER TABLE triage.tickets DISABLE TRIGGER tickets_before; UPDATE triage.tickets SET assignee_id = 'ann' WHERE external_id = 'of the AI'$$),
	('ticket_escalations_pkey', $$INSERT INTO triage.ticket_escalations OVERRIDING SYSTEM VALUE SELECT * FROM triage.ticket_escalations$$),
	('ticket_escalations_ticket_fkey', $$UPDATE triage.ticket_escalations SET ticket_id = pg_temp.ticket('foreign')$$),
	('ticket_escalations_session_fkey', $$UPDATE triage.ticket_escalations SET session_id = pg_temp.session('foreign')$$),
	('ticket_escalations_reason_length', $$UPDATE triage.ticket_escalations SET reason = ''$$),
	('ticket_escalations_reason_length', $$UPDATE triage.ticket_escalations SET reason = repeat('x', 1001)$$),
	('conversation_summaries_pkey', $$INSERT INTO triage.conversation_summaries (tenant_id, id, ticket_id, summary, superseded_at) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, ticket_id, summary, now() FROM triage.conversation_summaries WHERE ticket_id IS NOT NULL$$),
	('conversation_summaries_ticket_fkey', $$UPDATE triage.conversation_summaries SET ticket_id = pg_temp.ticket('foreign') WHERE ticket_id IS NOT NULL$$),
	('conversation_summaries_session_fkey', $$UPDATE triage.conversation_summaries SET session_id = pg_temp.session('foreign') WHERE session_id IS NOT NULL$$),
	('conversation_summaries_one_subject', $$UPDATE triage.conversation_summaries SET session_id = pg_temp.session('a')$$),
	('conversation_summaries_one_subject', $$UPDATE triage.conversation_summaries SET session_id = NULL, ticket_id = NULL$$),
	('conversation_summaries_one_per_ticket', $$INSERT INTO triage.conversation_summaries (tenant_id, ticket_id, summary) SELECT 'default', pg_temp.ticket('a'), 'x'$$),
	('conversation_summaries_one_per_session', $$INSERT INTO triage.conversation_summaries (tenant_id, session_id, summary) SELECT 'default', pg_temp.session('a'), 'x'$$),
	('conversation_summaries_summary_length', $$UPDATE triage.conversation_summaries SET summary = ''$$),
	('conversation_summaries_summary_length', $$UPDATE triage.conversation_summaries SET summary = repeat('x', 4001)$$),
	('conversation_summaries_customer_request_length', $$UPDATE triage.conversation_summaries SET customer_request = repeat('x', 1001)$$),
	('conversation_summaries_open_questions', $$UPDATE triage.conversation_summaries SET open_questions = '{a, NULL}'$$),
	('conversation_summaries_open_questions', $$UPDATE triage.conversation_summaries SET open_questions = array_fill('a'::text, '{11}')$$),
	('conversation_summaries_sentiment', $$UPDATE triage.conversation_summaries SET sentiment_score = 0$$),
	('conversation_summaries_sentiment', $$UPDATE triage.conversation_summaries SET sentiment_score = 11$$),
	('conversation_summaries_language_length', $$UPDATE triage.conversation_summaries SET language = repeat('x', 36)$$),
	('issue_clusters_pkey', $$INSERT INTO triage.issue_clusters (id, category, subcategory, cluster_name) OVERRIDING SYSTEM VALUE VALUES (pg_temp.cluster('a'), 'A', 'b', 'x')$$),
	('issue_clusters_tenant_fkey', $$INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name) VALUES ('nowhere', 'A', 'b', 'x')$$),
	('issue_clusters_public_id_key', $$INSERT INTO triage.issue_clusters (public_id, category, subcategory, cluster_name) SELECT public_id, 'A', 'b', 'x' FROM triage.issue_clusters WHERE cluster_name = 'a'$$),
	('issue_clusters_taxonomy_fkey', $$UPDATE triage.issue_clusters SET category = 'O' WHERE cluster_name = 'a'$$),
	('issue_clusters_merged_into_fkey', $$UPDATE triage.issue_clusters SET merged_into_id = pg_temp.cluster('foreign'), merge_parent_id = pg_temp.cluster('foreign') WHERE cluster_name = 'a'$$),
	('issue_clusters_merge_parent_fkey', $$INSERT INTO triage.issue_clusters (category, subcategory, cluster_name, merged_into_id, merge_parent_id) VALUES ('A', 'b', 'x', pg_temp.cluster('a'), pg_temp.cluster('foreign'))$$),
	('issue_clusters_merged_elsewhere', $$UPDATE triage.issue_clusters SET merged_into_id = id, merge_parent_id = id$$),
	('issue_clusters_merged_elsewhere', $$UPDATE triage.issue_clusters SET merge_parent_id = pg_temp.cluster('foreign') WHERE cluster_name = 'a'$$),
	('issue_clusters_cluster_name_length', $$UPDATE triage.issue_clusters SET cluster_name = ''$$),
	('issue_clusters_cluster_name_length', $$UPDATE triage.issue_clusters SET cluster_name = repeat('x', 201)$$),
	('issue_clusters_cluster_summary_length', $$UPDATE triage.issue_clusters SET cluster_summary = repeat('x', 4001)$$),
	('issue_clusters_pm_notes_length', $$UPDATE triage.issue_clusters SET pm_notes = repeat('x', 20001)$$),
	('issue_clusters_named_at_count', $$UPDATE triage.issue_clusters SET named_at_count = -1$$),
	('issue_clusters_fixed_at_when_fixed', $$UPDATE triage.issue_clusters SET pm_status = 'fixed'; UPDATE triage.issue_clusters SET fixed_at = NULL$$),
	('cluster_exclusions_pkey', $$INSERT INTO triage.cluster_exclusions (id, cluster_id, fingerprint, created_by) OVERRIDING SYSTEM VALUE SELECT id, cluster_id, 'y', 'ann' FROM triage.cluster_exclusions$$),
	('cluster_exclusions_pair_key', $$INSERT INTO triage.cluster_exclusions (cluster_id, fingerprint, created_by) SELECT cluster_id, fingerprint, 'bob' FROM triage.cluster_exclusions$$),
	('cluster_exclusions_cluster_fkey', $$UPDATE triage.cluster_exclusions SET cluster_id = pg_temp.cluster('foreign')$$),
	('cluster_events_pkey', $$INSERT INTO triage.cluster_events (tenant_id, id, cluster_id, event, actor, session_role) OVERRIDING SYSTEM VALUE SELECT tenant_id, id, cluster_id, event, actor, session_role FROM triage.cluster_events$$),
	('cluster_events_details_object', $$INSERT INTO triage.cluster_events (tenant_id, cluster_id, event, actor, session_role, details) SELECT tenant_id, cluster_id, event, 'x', 'x', '[]' FROM triage.cluster_events$$),
	('cluster_events_subject', $$INSERT INTO triage.cluster_events (tenant_id, event, actor, session_role) VALUES ('default', 'unplaced', 'x', 'x')$$),
	('cluster_events_cluster_fkey', $$INSERT INTO triage.cluster_events (tenant_id, cluster_id, event, actor, session_role) VALUES ('default', pg_temp.cluster('foreign'), 'created', 'x', 'x')$$),
	('cluster_events_issue_fkey', $$INSERT INTO triage.cluster_events (tenant_id, issue_id, event, actor, session_role) VALUES ('other', (SELECT i.id FROM triage.extracted_issues i WHERE i.tenant_id = 'default'), 'unplaced', 'x', 'x')$$),
	('issue_taxonomy_pkey', $$INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory) VALUES ('default', 'A', 'b')$$),
	('issue_taxonomy_tenant_fkey', $$INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory) VALUES ('nowhere', 'A', 'b')$$),
	('issue_taxonomy_category', $$INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ('A/b', 'c')$$),
	('issue_taxonomy_category', $$INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES (repeat('x', 51), 'c')$$),
	('issue_taxonomy_subcategory', $$INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ('A', '')$$),
	('issue_taxonomy_description_length', $$UPDATE triage.issue_taxonomy SET description = repeat('x', 2001)$$),
	('issue_taxonomy_keywords', $$UPDATE triage.issue_taxonomy SET keywords = '{a,NULL}'$$),
	('issue_taxonomy_keywords', $$UPDATE triage.issue_taxonomy SET keywords = array_fill('x'::text, '{501}')$$),
	('mining_settings_pkey', $$INSERT INTO triage.mining_settings (tenant_id) VALUES ('default')$$),
	('mining_settings_tenant_fkey', $$INSERT INTO triage.mining_settings (tenant_id) VALUES ('nowhere')$$),
	('mining_settings_summary_language', $$UPDATE triage.mining_settings SET summary_language = 'plain English'$$),
	('mining_settings_min_issues', $$UPDATE triage.mining_settings SET min_issues = 0$$),
	('mining_settings_min_customers', $$UPDATE triage.mining_settings SET min_customers = 1001$$),
	('mining_settings_join_score', $$UPDATE triage.mining_settings SET join_score = 1.01$$),
	('mining_settings_candidate_score', $$UPDATE triage.mining_settings SET candidate_score = -0.01$$),
	('mining_settings_regression_grace', $$UPDATE triage.mining_settings SET regression_grace = '1 year 1 day'$$),
	('extracted_issues_pkey', $$INSERT INTO triage.extracted_issues (tenant_id, id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at FROM triage.extracted_issues$$),
	('extracted_issues_public_id_key', $$INSERT INTO triage.extracted_issues (public_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
		SELECT public_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at FROM triage.extracted_issues$$),
	('extracted_issues_ticket_fkey', $$UPDATE triage.extracted_issues SET ticket_id = pg_temp.ticket('foreign')$$),
	('extracted_issues_cluster_fkey', $$UPDATE triage.extracted_issues SET assigned_by = 'human', cluster_id = (SELECT c.id FROM triage.issue_clusters c WHERE c.tenant_id = 'other')$$),
	('extracted_issues_taxonomy_fkey', $$UPDATE triage.extracted_issues SET category = 'O'$$),
	('extracted_issues_summary_length', $$UPDATE triage.extracted_issues SET summary = ''$$),
	('extracted_issues_summary_length', $$UPDATE triage.extracted_issues SET summary = repeat('x', 501)$$),
	('extracted_issues_detail_length', $$UPDATE triage.extracted_issues SET detail = repeat('x', 4001)$$),
	('extracted_issues_quote_length', $$UPDATE triage.extracted_issues SET representative_quote = repeat('x', 2001)$$),
	('extracted_issues_confidence', $$UPDATE triage.extracted_issues SET confidence = 1.01$$),
	('extracted_issues_customer_length', $$UPDATE triage.extracted_issues SET customer = repeat('x', 401)$$),
	('extracted_issues_assigned_when_clustered', $$UPDATE triage.extracted_issues SET assigned_by = 'human'$$),
	('extracted_issues_assigned_when_clustered', $$UPDATE triage.extracted_issues SET cluster_id = (SELECT c.id FROM triage.issue_clusters c WHERE c.tenant_id = 'default')$$),
	('ticket_extractions_pkey', $$INSERT INTO triage.ticket_extractions (tenant_id, ticket_id, content_version, issues) SELECT tenant_id, ticket_id, 1, 1 FROM triage.ticket_extractions$$),
	('ticket_extractions_ticket_fkey', $$UPDATE triage.ticket_extractions SET ticket_id = pg_temp.ticket('foreign')$$),
	('ticket_extractions_issues', $$UPDATE triage.ticket_extractions SET issues = -1$$),
	('chat_settings_pkey', $$INSERT INTO triage.chat_settings (tenant_id) VALUES ('default')$$),
	('chat_settings_tenant_fkey', $$INSERT INTO triage.chat_settings (tenant_id) VALUES ('nowhere')$$),
	('chat_settings_min_confidence', $$UPDATE triage.chat_settings SET min_confidence = 1.01$$),
	('chat_settings_unsure_below', $$UPDATE triage.chat_settings SET unsure_below = -0.01$$),
	('chat_settings_max_sentiment', $$UPDATE triage.chat_settings SET max_sentiment = 11$$),
	('chat_settings_max_failed_turns', $$UPDATE triage.chat_settings SET max_failed_turns = 0$$),
	('chat_settings_max_replies', $$UPDATE triage.chat_settings SET max_replies = 0$$),
	('chat_settings_reply_delay', $$UPDATE triage.chat_settings SET reply_delay_ms = 60001$$),
	('chat_settings_history_messages', $$UPDATE triage.chat_settings SET history_messages = 1$$),
	('chat_settings_max_wait', $$UPDATE triage.chat_settings SET max_wait_ms = 999$$),
	('tickets_id_not_zero', $$INSERT INTO triage.tickets (id, description) OVERRIDING SYSTEM VALUE VALUES (0, 'x')$$),
	('tickets_times_finite', $$UPDATE triage.tickets SET waiting_since = 'infinity'$$),
	('tickets_times_finite', $$UPDATE triage.tickets SET created_at = '-infinity'$$),

	('ticket_ai_results_pkey', $$INSERT INTO triage.ticket_ai_results (tenant_id, id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply, superseded_at)
		OVERRIDING SYSTEM VALUE SELECT tenant_id, id, ticket_id, 1, category, 'low', 1, 'x', now() FROM triage.ticket_ai_results$$),
	('ticket_ai_results_one_current', $$INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply)
		SELECT tenant_id, ticket_id, 2, category, 'low', 1, 'x' FROM triage.ticket_ai_results$$),
	('ticket_ai_results_ticket_fkey', $$UPDATE triage.ticket_ai_results SET ticket_id = pg_temp.ticket('foreign')$$),
	('ticket_ai_results_category_fkey', $$UPDATE triage.ticket_ai_results SET category = 'gardening'$$),
	('ticket_ai_results_sentiment', $$UPDATE triage.ticket_ai_results SET sentiment_score = 0$$),
	('ticket_ai_results_sentiment', $$UPDATE triage.ticket_ai_results SET sentiment_score = 11$$),
	('ticket_ai_results_confidence', $$UPDATE triage.ticket_ai_results SET confidence = -0.01$$),
	('ticket_ai_results_confidence', $$UPDATE triage.ticket_ai_results SET confidence = 1.01$$),
	('ticket_ai_results_draft_length', $$UPDATE triage.ticket_ai_results SET draft_reply = repeat('x', 20001)$$),
	('ticket_ai_results_summary_length', $$UPDATE triage.ticket_ai_results SET summary = repeat('x', 4001)$$),
	('ai_feedback_pkey', $$INSERT INTO triage.ai_feedback (tenant_id, id, result_id, person_id) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, result_id, 'carl' FROM triage.ai_feedback$$),
	('ai_feedback_person_key', $$INSERT INTO triage.ai_feedback (tenant_id, result_id, person_id) SELECT tenant_id, result_id, person_id FROM triage.ai_feedback$$),
	('ai_feedback_sent_key', $$INSERT INTO triage.ai_feedback (tenant_id, result_id, person_id, verdict, comment_id, similarity)
		SELECT tenant_id, result_id, 'carl', verdict, comment_id, 1 FROM triage.ai_feedback$$),
	('ai_feedback_result_fkey', $$UPDATE triage.ai_feedback SET result_id = -1$$),
	('ai_feedback_person_fkey', $$UPDATE triage.ai_feedback SET person_id = 'olga'$$),
	('ai_feedback_comment_fkey', $$UPDATE triage.ai_feedback SET comment_id = -1$$),
	('ai_feedback_sent', $$UPDATE triage.ai_feedback SET comment_id = NULL, similarity = NULL$$),
	('ai_feedback_sent', $$UPDATE triage.ai_feedback SET verdict = 'rejected'$$),
	('ai_feedback_sent', $$UPDATE triage.ai_feedback SET verdict = NULL$$),
	('ai_feedback_sent', $$UPDATE triage.ai_feedback SET similarity = NULL$$),
	('ai_feedback_similarity', $$UPDATE triage.ai_feedback SET similarity = 1.001$$),
	('ai_feedback_similarity', $$UPDATE triage.ai_feedback SET similarity = -0.001$$),
	('ai_feedback_corrections', $$UPDATE triage.ai_feedback SET corrections = '[]'$$),
	('ai_feedback_reason_length', $$UPDATE triage.ai_feedback SET reason = repeat('x', 2001)$$),

	('event_generations_pkey', $$INSERT INTO triage.event_generations SELECT * FROM triage.event_generations$$),
	('events_pkey', $$INSERT INTO triage.events (tenant_id, id, generation, topic, actor) OVERRIDING SYSTEM VALUE
		SELECT tenant_id, id, generation, topic, actor FROM triage.events$$),
	('events_labels_object', $$UPDATE triage.events SET labels = '[]'$$),
	('event_consumers_pkey', $$INSERT INTO triage.event_consumers (id, name, generation, seen, created_by) OVERRIDING SYSTEM VALUE
		SELECT id, 'd', 1, '1:1:', 'ann' FROM triage.event_consumers$$),
	('event_consumers_name_key', $$INSERT INTO triage.event_consumers (name, generation, seen, created_by) VALUES ('c', 1, '1:1:', 'ann')$$),
	('event_consumers_of_tenant_fkey', $$UPDATE triage.event_consumers SET tenant = 'nowhere'$$),
	('event_consumers_name', $$UPDATE triage.event_consumers SET name = ''$$),
	('event_consumers_name', $$UPDATE triage.event_consumers SET name = 'a b'$$),
	('event_consumers_topics', $$UPDATE triage.event_consumers SET topics = '{}'$$),
	('event_consumers_topics', $$UPDATE triage.event_consumers SET topics = '{NULL}'$$),
	('event_consumers_position', $$UPDATE triage.event_consumers SET confirmed = 1$$),
	('event_consumers_position', $$UPDATE triage.event_consumers SET confirmed = -1, delivered = 0$$),

	('ticket_ai_results_language_length', $$UPDATE triage.ticket_ai_results SET language = repeat('x', 36)$$);

SELECT is(pg_temp.outcome(r.command), concat_ws(' ', CASE
			WHEN r.name LIKE '%\_fkey' THEN '23503'
			WHEN r.name ~ '_(pkey|key|one_per_ticket|one_per_session|one_per_cluster|one_origin|one_session|one_current|assignments_current)$' THEN '23505'
			ELSE '23514' END, r.name),
		left(regexp_replace(r.command, '\s+', ' ', 'g'), 120))
	FROM pg_temp.refused r
	ORDER BY r.number;

-- The trigger puts these right before the constraint sees them, so it is kept out: as for a logical replica, or a restore.
SET LOCAL session_replication_role = replica;
SELECT is(pg_temp.outcome(format('UPDATE triage.tickets SET %s WHERE external_id = ''a''', c.change)), '23514 ' || c.name, c.change)
	FROM (VALUES
		('tickets_resolution_when_finished', 'resolution = ''spam'''),
		('tickets_resolved_at_when_finished', 'resolved_at = now()'),
		('tickets_closed_at_when_closed', 'closed_at = now()'),
		('tickets_closed_at_when_closed', 'status = ''closed'', resolution = ''spam'', resolved_at = now()')) AS c (name, change);
RESET session_replication_role;

SELECT set_eq(
	$$SELECT name FROM pg_temp.refused
		UNION VALUES ('tickets_resolution_when_finished'), ('tickets_resolved_at_when_finished'), ('tickets_closed_at_when_closed')$$,
	$$SELECT conname::text FROM pg_constraint WHERE connamespace = 'triage'::regnamespace AND contype IN ('c', 'u', 'p', 'f', 'x')
		UNION SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
			WHERE c.relnamespace = 'triage'::regnamespace AND i.indisunique$$,
	'each constraint and each unique index has its case here');

-- What is not refused: the last value on the right side of a limit ------------------------------------------------------------

SELECT is(pg_temp.outcome(command), 'ok', left(command, 120))
	FROM (VALUES
		($$INSERT INTO triage.tenants (id, name) VALUES (repeat('x', 200), repeat('x', 500))$$),
		($$INSERT INTO triage.people (id, display_name, email, language) VALUES (repeat('ä', 200), repeat('ä', 500), repeat('x', 320), repeat('x', 35))$$),
		($$INSERT INTO triage.people (tenant_id, id) VALUES ('other', 'ann')$$),
		($$UPDATE triage.organizations SET name = repeat('ä', 500) WHERE id = 'o'$$),
		($$UPDATE triage.people SET organization_id = 'o' WHERE id = 'carl'$$),
		($$UPDATE triage.sync_sources SET auth = 'oauth', email = NULL, page_size = 1, poll_interval = '31 days', timeout_ms = 100, requests_per_minute = 1000000, support_type_scope = 'all', base_url = 'http://127.0.0.1:1' WHERE name = 'z'$$),
		($$DELETE FROM triage.sync_sources WHERE name = 'foreign'$$),
		($$UPDATE triage.imports SET batch_size = 10000, source = repeat('x', 100)$$),
		($$INSERT INTO triage.ticket_categories (category, description, keywords) VALUES ('x' || repeat('_', 62), repeat('x', 2000), array_fill('x'::text, '{500}'))$$),
		($$DELETE FROM triage.ticket_categories WHERE category = 'spare'$$),
		($$INSERT INTO triage.prompts (kind, version, system_text) VALUES ('triage', 2, repeat('x', 50000))$$),
		($$UPDATE triage.providers SET timeout_ms = 100, max_in_flight = 4096, secret = 'openai.key-1', base_url = 'https://[::1]:8443/v1' WHERE name = 'p'$$),
		($$UPDATE triage.model_prices SET model_pattern = repeat('ä', 200), provider = 'a', valid_from = '-infinity', input = 1e12, output = 0, cache_write = 0.000000000001$$),
		($$UPDATE triage.tickets SET subject = repeat('ä', 998), description = ' ', source = repeat('x', 100), requester_email = repeat('x', 320),
			tags = '{}', language = repeat('x', 35) WHERE external_id = 'a'$$),
		($$UPDATE triage.tickets SET subject = '', description = repeat('ä', 524288) WHERE external_id = 'a'$$),
		($$INSERT INTO triage.tickets (external_id, source, description) VALUES ('a', 'email', 'x')$$),
		($$INSERT INTO triage.tickets (external_id, tenant_id, description) VALUES ('a', 'other', 'x')$$),
		($$INSERT INTO triage.tickets (description) VALUES ('no external id'), ('again none')$$),
		($$INSERT INTO triage.chat_messages (session_id, role, content, client_id, language) SELECT pg_temp.session('b'), 'system', repeat('x', 262144), 'a', repeat('x', 35)$$),
		($$UPDATE triage.chat_attachments SET file_url = 'https://' || repeat('x', 1992), file_name = repeat('ä', 500), file_type = repeat('x', 200), byte_size = 0$$),
		($$UPDATE triage.conversation_summaries SET summary = repeat('ä', 4000), customer_request = repeat('ä', 1000), open_questions = array_fill('a'::text, '{10}'), sentiment_score = 10$$),
		($$UPDATE triage.issue_clusters SET cluster_name = repeat('ä', 200), cluster_summary = repeat('ä', 4000), pm_notes = repeat('ä', 20000) WHERE cluster_name = 'foreign'$$),
		($$INSERT INTO triage.issue_clusters (category, subcategory, cluster_name, pm_status, merged_into_id, merge_parent_id) VALUES ('A', 'b', 'x', 'fixed', pg_temp.cluster('a'), pg_temp.cluster('a')); DELETE FROM triage.issue_clusters WHERE cluster_name = 'x'$$),
		($$INSERT INTO triage.issue_taxonomy (category, subcategory, description, keywords) VALUES (repeat('x', 50), 'B' || repeat('_', 49), repeat('ä', 2000), array_fill('x'::text, '{500}'))$$),
		($$DELETE FROM triage.issue_taxonomy WHERE subcategory = 'spare'$$),
		($$UPDATE triage.mining_settings SET summary_language = 'zh-Hans-CN', min_issues = 1000, min_customers = 1, join_score = 1, candidate_score = 0, regression_grace = '1 year'$$),
		($$UPDATE triage.extracted_issues SET summary = repeat('ä', 500), detail = repeat('ä', 4000), representative_quote = repeat('ä', 2000), confidence = 1, customer = repeat('x', 400)$$),
		($$UPDATE triage.extracted_issues SET assigned_by = 'human', cluster_id = (SELECT c.id FROM triage.issue_clusters c WHERE c.tenant_id = 'default')$$),
		($$UPDATE triage.chat_settings SET min_confidence = NULL, unsure_below = NULL, max_sentiment = NULL, max_failed_turns = NULL, max_replies = NULL$$),
		($$UPDATE triage.tickets SET tags = array_fill(repeat('ä', 100), '{100}'), custom_fields = jsonb_build_object('x', repeat('x', 65000)) WHERE external_id = 'a'$$),
		($$UPDATE triage.comment_attachments SET file_url = 'https://example.org/' || repeat('x', 1980), file_name = repeat('ä', 500), byte_size = 0$$),
		($$UPDATE triage.comment_attachments SET file_url = '/uploads/2026/a:b.png', byte_size = NULL$$),
		($$INSERT INTO triage.ticket_links (ticket_id, kind, other_id) SELECT ticket_id, 'related', other_id FROM triage.ticket_links$$),
		($$UPDATE triage.ticket_comments SET content = repeat('x', 1048576), external_id = repeat('x', 1000) WHERE external_id = 'a'$$),
		($$UPDATE triage.ticket_ai_results SET sentiment_score = 10, confidence = 1, draft_reply = repeat('ä', 20000), summary = repeat('ä', 4000)$$)
	) AS c (command);

SELECT finish();
ROLLBACK;
