-- The tables of sync: where tickets are copied from, how far each stream has come, and what each request brought.
--
-- A stream's row of sync_state is its job: due at next_run_at, claimed by a lease, and fenced, as jobs of the AI are.

CREATE FUNCTION triage.install_sync_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE TABLE IF NOT EXISTS triage.sync_sources (
		tenant_id     text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT sync_sources_tenant_fkey REFERENCES triage.tenants (id),
		name          text NOT NULL,
		base_url      text NOT NULL,
		auth          triage.sync_auth NOT NULL,
		email         text,
		secret        text NOT NULL,
		start_time    timestamptz NOT NULL,
		page_size     int NOT NULL DEFAULT 1000,
		poll_interval interval NOT NULL DEFAULT '1 minute',
		timeout_ms    int NOT NULL DEFAULT 60000,
		include_comments boolean NOT NULL DEFAULT true,
		requests_per_minute         int NOT NULL DEFAULT 10,
		comment_requests_per_minute int NOT NULL DEFAULT 300,
		support_type_scope text,
		paused_at     timestamptz,
		paused_by     text,
		pause_reason  text,
		created_at    timestamptz NOT NULL DEFAULT now(),
		updated_at    timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT sync_sources_pkey PRIMARY KEY (tenant_id, name),
		-- also the source of its tickets, and what the ids of its people and organizations begin with
		CONSTRAINT sync_sources_name CHECK (name ~ '^[a-z][a-z0-9_-]{0,49}$'),
		CONSTRAINT sync_sources_base_url CHECK (base_url ~ '^https?://[^[:space:][:cntrl:]@?#]+$' AND length(base_url) <= 2000),
		CONSTRAINT sync_sources_start_time_finite CHECK (isfinite(start_time)),
		CONSTRAINT sync_sources_email CHECK ((auth = 'token') = (email IS NOT NULL) AND length(email) <= 320),
		CONSTRAINT sync_sources_secret_name CHECK (secret ~ '^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,254}$'),
		CONSTRAINT sync_sources_page_size CHECK (page_size BETWEEN 1 AND 1000),
		CONSTRAINT sync_sources_requests_per_minute CHECK (requests_per_minute BETWEEN 1 AND 1000000),
		CONSTRAINT sync_sources_comment_requests_per_minute CHECK (comment_requests_per_minute BETWEEN 1 AND 1000000),
		CONSTRAINT sync_sources_poll_interval CHECK (poll_interval BETWEEN '1 second' AND '31 days'),
		CONSTRAINT sync_sources_timeout CHECK (timeout_ms BETWEEN 100 AND 3600000),
		CONSTRAINT sync_sources_support_type_scope CHECK (support_type_scope IN ('all', 'agent', 'ai_agent')),
		CONSTRAINT sync_sources_pause CHECK ((paused_at IS NULL) = (paused_by IS NULL)
			AND (pause_reason IS NULL OR (paused_at IS NOT NULL AND length(pause_reason) BETWEEN 1 AND 500))));

	-- an account's limits hold for all sources that call it, those of other tenants, too
	CREATE INDEX IF NOT EXISTS sync_sources_account ON triage.sync_sources (base_url);

	-- next_run_at: when there is something to do; infinity while the stream rests, because the source refuses the key or
	-- cannot be called at all.  paced_until: not before, whatever there is to do, for the sake of the source's limits.
	CREATE TABLE IF NOT EXISTS triage.sync_state (
		tenant_id              text NOT NULL,
		source                 text NOT NULL,
		stream                 triage.sync_stream NOT NULL,
		cursor                 text,
		last_ticket_updated_at timestamptz,
		sync_completed_at      timestamptz,
		restart_at             timestamptz,
		next_run_at            timestamptz NOT NULL DEFAULT now(),
		paced_until            timestamptz NOT NULL DEFAULT now(),
		resting_since          timestamptz,
		lease_until            timestamptz,
		fence                  int NOT NULL DEFAULT 0,
		slot                   smallint,
		requested_at           timestamptz,
		consecutive_failures   int NOT NULL DEFAULT 0,
		last_outcome           triage.run_outcome,
		last_http_status       int,
		last_error             text,
		CONSTRAINT sync_state_pkey PRIMARY KEY (tenant_id, source, stream),
		CONSTRAINT sync_state_source_fkey FOREIGN KEY (tenant_id, source)
			REFERENCES triage.sync_sources (tenant_id, name) ON DELETE CASCADE)
		WITH (fillfactor = 50);

	-- Append-only: one row a request.
	CREATE TABLE IF NOT EXISTS triage.sync_runs (
		tenant_id         text NOT NULL,
		id                bigint GENERATED ALWAYS AS IDENTITY,
		source            text NOT NULL,
		stream            triage.sync_stream NOT NULL,
		outcome           triage.run_outcome NOT NULL,
		http_status       int,
		error             text,
		tickets_received  int NOT NULL DEFAULT 0,
		tickets_upserted  int NOT NULL DEFAULT 0,
		tickets_deleted   int NOT NULL DEFAULT 0,
		comments_upserted int NOT NULL DEFAULT 0,
		retry_after_ms    bigint,
		latency_ms        int,
		started_at        timestamptz,
		finished_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
		CONSTRAINT sync_runs_pkey PRIMARY KEY (id, tenant_id));
	CREATE INDEX IF NOT EXISTS sync_runs_stream ON triage.sync_runs (tenant_id, source, stream, id);
	CREATE INDEX IF NOT EXISTS sync_runs_finished ON triage.sync_runs USING brin (finished_at);
	-- pages that were stored but for some of their rows
	CREATE INDEX IF NOT EXISTS sync_runs_left_out ON triage.sync_runs (finished_at) WHERE error IS NOT NULL AND outcome = 'succeeded';

	-- What the source says of a ticket beside what the ticket's own row holds; and copied, what of the ticket's row was the
	-- source's word when it was last copied: what differs from that since was changed here.  A row is also the job of
	-- fetching the ticket's comments: due at comments_due_at, which is the end of the lease while a worker is at it.
	CREATE TABLE IF NOT EXISTS triage.synced_tickets (
		tenant_id         text NOT NULL,
		ticket_id         bigint NOT NULL,
		source            text NOT NULL,
		external_number   bigint,
		source_updated_at timestamptz NOT NULL,
		generated_at      bigint NOT NULL,
		synced_at         timestamptz NOT NULL DEFAULT now(),
		details           jsonb NOT NULL DEFAULT '{}',
		copied            jsonb NOT NULL DEFAULT '{}',
		comments_due_at   timestamptz,
		comments_cursor   text,
		comments_synced_at timestamptz,
		comments_failures int NOT NULL DEFAULT 0,
		comments_fence    int NOT NULL DEFAULT 0,
		comments_slot     smallint,
		CONSTRAINT synced_tickets_pkey PRIMARY KEY (ticket_id, tenant_id),
		CONSTRAINT synced_tickets_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT synced_tickets_source_fkey FOREIGN KEY (tenant_id, source)
			REFERENCES triage.sync_sources (tenant_id, name),
		CONSTRAINT synced_tickets_details_object CHECK (jsonb_typeof(details) = 'object'),
		CONSTRAINT synced_tickets_copied_object CHECK (jsonb_typeof(copied) = 'object'))
		WITH (fillfactor = 80);
	CREATE INDEX IF NOT EXISTS synced_tickets_updated ON triage.synced_tickets (tenant_id, source, source_updated_at);
	CREATE INDEX IF NOT EXISTS synced_tickets_number ON triage.synced_tickets (tenant_id, external_number);
	CREATE INDEX IF NOT EXISTS synced_tickets_comments_due ON triage.synced_tickets (tenant_id, source, comments_due_at)
		WHERE comments_due_at IS NOT NULL;
	CREATE INDEX IF NOT EXISTS synced_tickets_in_the_air ON triage.synced_tickets (tenant_id, source)
		WHERE comments_slot IS NOT NULL;

	CREATE OR REPLACE TRIGGER sync_runs_append_only
		BEFORE UPDATE OR DELETE ON triage.sync_runs
		FOR EACH ROW EXECUTE FUNCTION triage.append_only();
	CREATE OR REPLACE TRIGGER sync_runs_no_truncate
		BEFORE TRUNCATE ON triage.sync_runs
		FOR EACH STATEMENT EXECUTE FUNCTION triage.append_only();
END
$install$;
COMMENT ON FUNCTION triage.install_sync_tables() IS
	'part of install(): creates the tables of sync that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_sync_tables() FROM PUBLIC;
