-- The views, ordinary objects like the tables, and the comments on both.  All are security_invoker: who reads them sees
-- what row security and the grants on the tables show.

CREATE FUNCTION triage.install_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
DECLARE
	-- What the AI's work on ticket t has come to: the only place that says so.  Joins, not a function: the planner
	-- then looks the three rows up by their unique indexes, for the rows of a page only.  LATERAL, with a LIMIT that keeps
	-- it so, where a table is now empty and now full: by statistics of the empty one the planner reads all of the queue.
	ai_joins CONSTANT text := $sql$
		LEFT JOIN LATERAL (
			SELECT x.id, x.lease_until FROM triage.ai_jobs x
				WHERE x.tenant_id = t.tenant_id AND x.ticket_id = t.id AND x.kind = 'triage' LIMIT 1) j ON true
		LEFT JOIN LATERAL (
			SELECT x.id FROM triage.ai_dead_letters x
				WHERE x.tenant_id = t.tenant_id AND x.ticket_id = t.id AND x.kind = 'triage' LIMIT 1) d ON true
		LEFT JOIN triage.ticket_ai_results r
			ON r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.superseded_at IS NULL
	$sql$;
	ai_state CONSTANT text := $sql$
		CASE
			WHEN j.lease_until > now() THEN 'processing'
			WHEN j.id IS NOT NULL THEN 'pending'
			WHEN d.id IS NOT NULL THEN 'ai_failed'
			WHEN r.id IS NOT NULL THEN 'processed'
			ELSE 'none'
		END
	$sql$;
BEGIN
	EXECUTE format($view$
		CREATE OR REPLACE VIEW triage.ai_state WITH (security_invoker = true) AS
			SELECT t.tenant_id, t.id AS ticket_id, %s AS ai_state
				FROM triage.tickets t %s
	$view$, ai_state, ai_joins);

	EXECUTE format($view$
		CREATE OR REPLACE VIEW triage.inbox WITH (security_invoker = true) AS
			SELECT t.id, t.public_id, t.tenant_id, t.subject, t.status, t.handler, t.priority, t.category, t.assignee_id,
					t.requester_id, t.requester_email, t.tags, t.waiting_since, now() - t.waiting_since AS waiting_for,
					t.created_at, t.updated_at, t.version, %s AS ai_state, r.urgency, r.sentiment_score, r.needs_human,
					r.confidence, r.summary, r.draft_reply,
					coalesce(s.summary, r.summary) AS initial_summary, s.customer_request, s.open_questions,
					coalesce(s.sentiment_score, r.sentiment_score) AS mood,
					(SELECT e.cause FROM triage.ticket_escalations e
						WHERE e.tenant_id = t.tenant_id AND e.ticket_id = t.id ORDER BY e.id DESC LIMIT 1) AS escalation_cause,
					(SELECT e.reason FROM triage.ticket_escalations e
						WHERE e.tenant_id = t.tenant_id AND e.ticket_id = t.id ORDER BY e.id DESC LIMIT 1) AS escalation_reason,
					r.id AS result_id,
					(SELECT f.verdict FROM triage.ai_feedback f
						WHERE f.tenant_id = t.tenant_id AND f.result_id = r.id AND f.verdict IS NOT NULL
						ORDER BY f.id DESC LIMIT 1) AS draft_verdict
				FROM triage.tickets t %s
				LEFT JOIN triage.conversation_summaries s
					ON s.tenant_id = t.tenant_id AND s.ticket_id = t.id AND s.superseded_at IS NULL
				WHERE t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL
	$view$, ai_state, ai_joins);

	EXECUTE format($view$
		CREATE OR REPLACE VIEW triage.dashboard WITH (security_invoker = true) AS
			SELECT t.id, t.requester_email AS email,
					CASE WHEN t.description ~ '\S' THEN t.description ELSE t.subject END AS content,
					CASE
						WHEN t.status IN ('resolved', 'closed') THEN 'resolved'
						ELSE coalesce(nullif(%s, 'none'), 'pending')
					END AS status,
					t.created_at, t.updated_at, coalesce(t.category, r.category) AS category, r.sentiment_score, r.urgency,
					r.draft_reply, r.processed_at, t.tenant_id
				FROM triage.tickets t %s
				WHERE t.deleted_at IS NULL
	$view$, ai_state, ai_joins);

	PERFORM triage.install_handoff_views();

	CREATE OR REPLACE VIEW triage.queue_stats WITH (security_invoker = true) AS
		SELECT tenant_id, kind,
				coalesce(j.pending, 0) AS pending, coalesce(j.running, 0) AS running, coalesce(j.delayed, 0) AS delayed,
				j.oldest_due_seconds, coalesce(d.dead, 0) AS dead, j.next_run_at
			FROM (
				SELECT a.tenant_id, a.kind,
						count(*) FILTER (WHERE NOT a.leased AND a.run_at <= now()) AS pending,
						count(*) FILTER (WHERE a.leased) AS running,
						count(*) FILTER (WHERE NOT a.leased AND a.run_at > now()) AS delayed,
						extract(epoch FROM now() - min(a.run_at) FILTER (WHERE NOT a.leased AND a.run_at <= now()))
							AS oldest_due_seconds,
						min(a.run_at) FILTER (WHERE NOT a.leased) AS next_run_at
					FROM (SELECT q.tenant_id, q.kind, q.run_at, coalesce(q.lease_until > now(), false) AS leased
							FROM triage.ai_jobs q) a
					GROUP BY a.tenant_id, a.kind) j
			FULL JOIN (
				SELECT l.tenant_id, l.kind, count(*) AS dead
					FROM triage.ai_dead_letters l
					GROUP BY l.tenant_id, l.kind) d USING (tenant_id, kind);

	-- least: what the cheapest call reserves.  With less than that left, the budget is used up.
	CREATE OR REPLACE VIEW triage.budget_status WITH (security_invoker = true) AS
		SELECT b.tenant, b.period, n.period_start, triage.budget_period_end(b.period, n.period_start) AS resets_at,
				b.currency, b.spend_limit, n.spent, n.reserved, n.unsettled,
				b.spend_limit - n.spent - n.reserved - n.unsettled AS remaining,
				coalesce(b.spend_limit - n.spent - n.reserved - n.unsettled < c.least,
					b.spend_limit <= n.spent + n.reserved + n.unsettled) AS exhausted,
				c.uncovered_providers, n.excess, n.excess_at
			FROM triage.budgets b
			CROSS JOIN LATERAL (
				SELECT s.period_start, coalesce(u.spent, 0) AS spent, coalesce(u.reserved, 0) AS reserved,
						coalesce(u.unsettled, 0) AS unsettled, coalesce(u.excess, 0) AS excess, u.excess_at
					FROM (SELECT date_trunc(b.period::text, now(), 'UTC') AS period_start) s
					LEFT JOIN triage.budget_usage u ON u.budget = b.id AND u.period_start = s.period_start) n
			CROSS JOIN LATERAL (
				-- what costs nothing is called under any budget
				SELECT min(CASE WHEN f.free THEN 0 ELSE triage.least_request_tokens() * t.input_price + t.max_output_tokens * t.output_price END)
							FILTER (WHERE f.free OR t.currency = b.currency) AS least,
						coalesce(array_agg(p.name ORDER BY p.rank, p.name) FILTER
							(WHERE NOT f.free AND (t.currency IS DISTINCT FROM b.currency OR t.max_output_tokens IS NULL)), '{}') AS uncovered_providers
					FROM triage.providers p
					CROSS JOIN LATERAL triage.provider_terms(p.name) t
					CROSS JOIN LATERAL (SELECT coalesce(t.input_price = 0 AND t.output_price = 0, false) AS free) f
					WHERE p.enabled AND p.api <> 'builtin') c;

	CREATE OR REPLACE VIEW triage.worker_status WITH (security_invoker = true) AS
		SELECT a.pid, a.backend_type AS type, a.datname AS database, a.backend_start AS started_at,
				coalesce(nullif(a.query, ''), a.state, a.wait_event) AS activity,
				c.in_flight, c.claimed, c.written, c.retried, c.failed, c.stale
			FROM pg_stat_activity a
			LEFT JOIN triage.worker_counters() c ON c.pid = a.pid
			WHERE a.backend_type LIKE 'triage%';

	-- What a row says comes before what its gate says; without preload there is no gate to ask.
	CREATE OR REPLACE VIEW triage.provider_status WITH (security_invoker = true) AS
		SELECT p.name, p.api, p.model, p.rank, p.enabled,
				CASE WHEN NOT p.enabled THEN 'disabled'
					WHEN p.paused_at IS NOT NULL THEN 'paused by hand'
					WHEN triage.origin_refusal(p.base_url) IS NOT NULL THEN 'not listed'
					ELSE coalesce(g.state, 'serving') END AS state,
				coalesce(p.paused_at, g.since) AS since, g.closed_until,
				CASE WHEN p.paused_at IS NOT NULL THEN p.pause_reason
					ELSE coalesce(triage.origin_refusal(p.base_url), g.reason) END AS reason,
				g.in_flight, g.failures_in_a_row, p.requests_per_minute, p.tokens_per_minute, g.calls, g.last_success_at
			FROM triage.providers p
			LEFT JOIN LATERAL triage.provider_gates(p.base_url, p.model, p.secret) g ON true;

	-- From both sides: who may not see the processes sees the counters, and without shared memory there are only processes.
	CREATE OR REPLACE VIEW triage.worker_stats WITH (security_invoker = true) AS
		SELECT pid, a.type, c.slot, coalesce(c.started_at, a.backend_start) AS started_at, c.in_flight, c.claimed, c.written,
				c.retried, c.failed, c.stale, c.runs_succeeded, c.runs_throttled, c.runs_account, c.runs_misconfigured,
				c.runs_bad_request, c.runs_refused, c.runs_transient, c.runs_unusable_answer, c.runs_stale, c.runs_lost,
				c.bytes_sent, c.bytes_received, c.wakes, c.wake_mean_ms, c.wake_max_ms
			FROM (SELECT s.pid, s.backend_type AS type, s.backend_start
					FROM pg_stat_activity s
					WHERE s.backend_type IN ('triage worker', 'triage one-shot worker') AND s.datname = current_database()) a
			FULL JOIN triage.worker_counters() c USING (pid);

	-- A job that waits after a failed try is known by its last run, whatever claimed it and gave it back uncalled since.
	-- The same of tickets, of sessions and of clusters: each finds its runs through an index of its own.
	EXECUTE 'CREATE OR REPLACE VIEW triage.ai_failures WITH (security_invoker = true) AS' || (SELECT string_agg(format($view$
		SELECT d.tenant_id, d.ticket_id, d.id AS job_id, 'failed' AS state, d.attempts::int AS attempts, d.class,
				d.message, NULL::timestamptz AS next_try_at, d.failed_at, r.provider, r.model, d.kind, d.session_id,
				d.cluster_id
			FROM triage.ai_dead_letters d
			LEFT JOIN LATERAL (
				SELECT x.provider, x.model
					FROM triage.ai_runs x
					WHERE x.tenant_id = d.tenant_id AND x.%1$I = d.%1$I AND x.job_id = d.id
					ORDER BY x.id DESC LIMIT 1) r ON true
			WHERE d.%1$I IS NOT NULL
		UNION ALL
		SELECT j.tenant_id, j.ticket_id, j.id, 'retrying', j.attempts::int, r.outcome, r.error, j.run_at, r.finished_at,
				r.provider, r.model, j.kind, j.session_id, j.cluster_id
			FROM triage.ai_jobs j
			JOIN LATERAL (
				SELECT x.outcome, x.error, x.finished_at, x.provider, x.model
					FROM triage.ai_runs x
					WHERE x.tenant_id = j.tenant_id AND x.%1$I = j.%1$I AND x.job_id = j.id
					ORDER BY x.id DESC LIMIT 1) r ON r.outcome NOT IN ('succeeded', 'stale')
			-- never claimed, so never failed: the bulk of a long queue, told apart without a look at the runs
			WHERE j.fence > 0 AND (j.lease_until IS NULL OR j.lease_until <= now()) AND j.%1$I IS NOT NULL
		$view$, s.subject), 'UNION ALL' ORDER BY s.n)
		FROM unnest('{ticket_id,session_id,cluster_id}'::text[]) WITH ORDINALITY s (subject, n));

	PERFORM triage.install_event_views();
	PERFORM triage.install_review_views();
	PERFORM triage.install_chat_views();
	PERFORM triage.install_ticket_views();
	PERFORM triage.install_trend_views();
END
$install$;
COMMENT ON FUNCTION triage.install_views() IS
	'part of install(): creates the views, or replaces them by this version''s; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_views() FROM PUBLIC;

CREATE FUNCTION triage.install_comments() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	COMMENT ON TABLE triage.schema_version IS 'which version of the tables this is; install() brings it up to date';
	COMMENT ON TABLE triage.home IS
		'one row: the database whose tickets are worked on; elsewhere this is a copy, and no model is called until adopt()';
	COMMENT ON COLUMN triage.home.table_oid IS 'of this table; with written_in it tells a pg_upgrade from a restored dump';
	COMMENT ON TABLE triage.worker_control IS 'one row: whether worker_stop() holds this database''s worker off, and whether pause() holds its work';
	COMMENT ON COLUMN triage.worker_control.stopped_at IS 'set: no worker runs until worker_start()';
	COMMENT ON TABLE triage.retention IS 'how long what is over is kept, for all tenants; for ever until the owner says otherwise; apply_retention() goes by it';
	COMMENT ON COLUMN triage.retention.target IS 'events: those that all their consumers have confirmed, since they were written; sync_runs: requests of sync, since they were written; asked_events: what the model was asked of issues (events of kind asked in cluster_events), since it was asked; budget_usage: what was taken from budgets, since the period ended, but not while a reservation of it is open or unsettled; ai_runs: runs since they finished (they are the record of what was spent); ai_dead_letters: jobs given up, since they failed (their ticket then counts as never asked about); superseded_results: results and summaries, since another took their place, but no result that somebody reviewed; archived_sessions: chat sessions with their messages and what is on record of their escalations, since they were archived, unless their ticket is not finished; deleted_tickets: tickets, since delete_ticket() hid them, with comments, results, history and assignments';
	COMMENT ON COLUMN triage.retention.keep IS 'NULL: for ever; else a day at least';
	COMMENT ON TABLE triage.tenants IS 'customers of the application, kept apart from each other; tenant default is there for those who need no more';

	COMMENT ON TABLE triage.role_tenants IS 'the tenants that a role is held to; a role without a row may have any; allow_tenant() and disallow_tenant() write it';
	COMMENT ON COLUMN triage.role_tenants.role IS 'the role that logs in, or is taken with SET ROLE; roles that it is a member of do not count';

	COMMENT ON TABLE triage.people IS 'requesters, agents and authors, known by the id that the application itself gives them';
	COMMENT ON COLUMN triage.people.id IS 'the application''s own id of its user, as text';
	COMMENT ON COLUMN triage.people.role IS 'a customer cannot be assigned a ticket';

	COMMENT ON TABLE triage.ticket_categories IS 'a tenant''s categories; the model must answer with one that is active';
	COMMENT ON COLUMN triage.ticket_categories.description IS 'tells the model what belongs here';
	COMMENT ON COLUMN triage.ticket_categories.keywords IS 'words and phrases that api builtin looks for';
	COMMENT ON COLUMN triage.ticket_categories.is_active IS 'false: not offered to the model; tickets keep it';

	COMMENT ON TABLE triage.prompts IS 'instructions to the model, by tenant and kind; the highest active version is used';
	COMMENT ON COLUMN triage.prompts.system_text IS 'the system message; the ticket''s text never becomes part of it';

	COMMENT ON TABLE triage.providers IS 'endpoints and models, for all tenants; set_provider() and drop_provider() write it';
	COMMENT ON COLUMN triage.providers.base_url IS 'ends before /chat/completions; its origin must be in triage.allowed_origins';
	COMMENT ON COLUMN triage.providers.secret IS 'name of the file in triage.secrets_directory that holds the key; never the key';
	COMMENT ON COLUMN triage.providers.max_in_flight IS 'calls at once; NULL: the setting triage.max_in_flight alone limits them';
	COMMENT ON COLUMN triage.providers.timeout_ms IS 'of a whole call, in milliseconds';
	COMMENT ON COLUMN triage.providers.rank IS
		'the lowest enabled one is asked first, and while it cannot serve the next; from 1000 on only while none below is enabled';
	COMMENT ON COLUMN triage.providers.requests_per_minute IS 'at most so many, over all workers; NULL: no limit';
	COMMENT ON COLUMN triage.providers.tokens_per_minute IS
		'at most so many, estimated before a call and counted after it, over all workers; NULL: no limit';
	COMMENT ON COLUMN triage.providers.paused_at IS 'set: pause_provider() was called, and resume_provider() not since';
	COMMENT ON COLUMN triage.providers.paused_by IS 'the actor who paused it';
	COMMENT ON COLUMN triage.providers.pause_reason IS 'what pause_provider() was told';
	COMMENT ON COLUMN triage.providers.max_output_tokens IS 'sent with each request, reasoning included; set_output_limit() writes it; NULL: not sent, and under a budget the provider is not called';
	COMMENT ON COLUMN triage.providers.max_tokens_field IS 'what the endpoint calls that limit';

	COMMENT ON TABLE triage.model_prices IS
		'what models cost, for all tenants; set_price() and drop_price() write it; ships empty, and a model without a row has cost NULL, never 0';
	COMMENT ON COLUMN triage.model_prices.model_pattern IS
		'the model''s name, case and all; * stands for any characters; of the patterns that match, the one with the most characters other than * counts';
	COMMENT ON COLUMN triage.model_prices.provider IS 'only calls of this provider; *: of any';
	COMMENT ON COLUMN triage.model_prices.valid_from IS 'for calls that start at this time or later; of the rows that are valid the latest counts';
	COMMENT ON COLUMN triage.model_prices.input IS 'per million input tokens that come neither from nor go into a cache';
	COMMENT ON COLUMN triage.model_prices.cached_input IS 'per million input tokens read from the endpoint''s cache';
	COMMENT ON COLUMN triage.model_prices.cache_write IS 'per million input tokens that the endpoint puts into its cache';
	COMMENT ON COLUMN triage.model_prices.output IS 'per million output tokens, reasoning included';
	COMMENT ON COLUMN triage.model_prices.currency IS 'ISO 4217, such as EUR';
	COMMENT ON COLUMN triage.model_prices.like_pattern IS 'model_pattern as LIKE reads it';

	COMMENT ON TABLE triage.provider_models IS 'which models replies have named that were asked for another one: under a budget a claim reserves at the dearest price of them; kept while there are budgets, for each provider and model it is asked for up to 100 and whichever is dearer than these';
	COMMENT ON COLUMN triage.provider_models.provider IS 'whose replies';
	COMMENT ON COLUMN triage.provider_models.asked_model IS 'what was asked for; rows of what is not asked for any more are not looked at';
	COMMENT ON COLUMN triage.provider_models.model IS 'what answered, by the reply';
	COMMENT ON COLUMN triage.provider_models.first_seen IS 'when it was first heard of, under a budget';
	COMMENT ON TABLE triage.budgets IS 'limits of what calls may cost; set_budget() and drop_budget() write it';
	COMMENT ON COLUMN triage.budgets.id IS 'names it in budget_usage and budget_reservations';
	COMMENT ON COLUMN triage.budgets.tenant IS 'whose calls; NULL: those of all tenants together';
	COMMENT ON COLUMN triage.budgets.period IS 'of the calendar, in UTC';
	COMMENT ON COLUMN triage.budgets.spend_limit IS 'spent, reserved and unsettled together stay within it, in currency';
	COMMENT ON COLUMN triage.budgets.currency IS 'ISO 4217; a price in another currency is no price here';
	COMMENT ON COLUMN triage.budgets.updated_at IS 'when the limit was last set';
	COMMENT ON TABLE triage.budget_usage IS 'what was taken from each budget, by period; claims and writes keep it';
	COMMENT ON COLUMN triage.budget_usage.budget IS 'the budget''s id';
	COMMENT ON COLUMN triage.budget_usage.period_start IS 'first moment of the period';
	COMMENT ON COLUMN triage.budget_usage.reserved IS 'the most that calls under way can cost';
	COMMENT ON COLUMN triage.budget_usage.spent IS 'the known cost of calls claimed in this period';
	COMMENT ON COLUMN triage.budget_usage.unsettled IS 'the most that calls can have cost of which nobody knows whether they were billed';
	COMMENT ON COLUMN triage.budget_usage.excess IS 'the part of spent that was not reserved when the calls were claimed: a dearer model answered, the limit of output tokens was not kept, or the claim is older than the budget';
	COMMENT ON COLUMN triage.budget_usage.excess_at IS 'when such a call was last written; NULL: never';
	COMMENT ON TABLE triage.budget_reservations IS 'what a claim has reserved, one row a claim and budget, until its cost is known; those with unsettled_since wait for a person, see write_off()';
	COMMENT ON COLUMN triage.budget_reservations.tenant IS 'the job''s tenant';
	COMMENT ON COLUMN triage.budget_reservations.job IS 'the job''s id; it may be gone';
	COMMENT ON COLUMN triage.budget_reservations.fence IS 'of the claim';
	COMMENT ON COLUMN triage.budget_reservations.budget IS 'the budget''s id';
	COMMENT ON COLUMN triage.budget_reservations.period_start IS 'the period it was taken from';
	COMMENT ON COLUMN triage.budget_reservations.amount IS 'the most that the call can cost';
	COMMENT ON COLUMN triage.budget_reservations.ticket IS 'the job''s ticket; it may be gone';
	COMMENT ON COLUMN triage.budget_reservations.session IS 'or its chat session';
	COMMENT ON COLUMN triage.budget_reservations.cluster IS 'or its cluster';
	COMMENT ON COLUMN triage.budget_reservations.kind IS 'what the job asks of the model';
	COMMENT ON COLUMN triage.budget_reservations.provider IS 'for whom the claim was made';
	COMMENT ON COLUMN triage.budget_reservations.input_tokens IS 'as many of them as the call can take at most';
	COMMENT ON COLUMN triage.budget_reservations.output_tokens IS 'the provider''s limit when the claim was made';
	COMMENT ON COLUMN triage.budget_reservations.raised IS 'the part of amount that was added after the claim, when a reply named a dearer model';
	COMMENT ON COLUMN triage.budget_reservations.reserved_at IS 'when the claim was made';
	COMMENT ON COLUMN triage.budget_reservations.expires_at IS 'when the claim''s lease ends; some minutes later it counts as unsettled';
	COMMENT ON COLUMN triage.budget_reservations.unsettled_since IS 'since when nobody knows whether the call was billed; NULL: it is under way';

	COMMENT ON TABLE triage.tickets IS 'one row for each thing a customer asks; a plain INSERT enqueues and audits as create_ticket() does';
	COMMENT ON COLUMN triage.tickets.public_id IS 'to be shown outside, as in URLs: unlike id it cannot be guessed';
	COMMENT ON COLUMN triage.tickets.source IS 'where it came from, such as api or email; with external_id it names a ticket once';
	COMMENT ON COLUMN triage.tickets.external_id IS 'its id at the source, such as a Message-ID';
	COMMENT ON COLUMN triage.tickets.requester_email IS 'address given with the ticket; may differ from the person''s';
	COMMENT ON COLUMN triage.tickets.language IS 'of the text, such as de; chooses the text search configuration';
	COMMENT ON COLUMN triage.tickets.custom_fields IS 'a JSON object of the application''s own';
	COMMENT ON COLUMN triage.tickets.search IS 'the words of subject and description; a trigger keeps it; search_tickets() reads it';
	COMMENT ON COLUMN triage.tickets.status IS 'where it stands in people''s work; resolved may reopen, closed is final';
	COMMENT ON COLUMN triage.tickets.resolution IS 'how it ended; set exactly when status is resolved or closed';
	COMMENT ON COLUMN triage.tickets.handler IS 'who answers the customer';
	COMMENT ON COLUMN triage.tickets.priority_is_manual IS 'a person set the priority, so a result leaves it alone';
	COMMENT ON COLUMN triage.tickets.category_is_manual IS 'a person set the category, so a result leaves it alone';
	COMMENT ON COLUMN triage.tickets.category IS 'NULL until a person or a result sets it';
	COMMENT ON COLUMN triage.tickets.assignee_id IS 'the agent who has it; ticket_assignments tells who had it when';
	COMMENT ON COLUMN triage.tickets.waiting_since IS 'since when the customer waits for an answer; NULL: answered';
	COMMENT ON COLUMN triage.tickets.first_response_at IS 'when an agent first answered in public';
	COMMENT ON COLUMN triage.tickets.deleted_at IS
		'set by delete_ticket(); inbox, dashboard, support_tickets and linked_tickets (as the other ticket) then leave it out, and functions do not find it; ai_state, chat_overview, helpdesk_tickets, ticket_timeline, zendesk_tickets and the table itself still show it';
	COMMENT ON COLUMN triage.tickets.version IS 'one more at each change; pass it as expected_version to change only what was read';

	COMMENT ON TABLE triage.ticket_comments IS 'what was said on a ticket, in public or among agents';
	COMMENT ON COLUMN triage.ticket_comments.author_role IS 'what the author was when it was written; decides what the comment does to the ticket; when it is not given, the role of the author in people, else customer, or agent of a note';
	COMMENT ON COLUMN triage.ticket_comments.visibility IS 'internal: a note that the customer does not see';
	COMMENT ON COLUMN triage.ticket_comments.external_id IS 'its id at the source; with source it names a comment once';

	COMMENT ON TABLE triage.ticket_history IS 'who changed what on a ticket, one row a column; written by a trigger, never changed';
	COMMENT ON COLUMN triage.ticket_history.field IS 'name of the column that changed';
	COMMENT ON COLUMN triage.ticket_history.changed_by IS 'triage.actor, which the session claims; else the session''s role; triage: a result';
	COMMENT ON COLUMN triage.ticket_history.session_role IS 'the role that was logged in: a fact, where changed_by is a claim';

	COMMENT ON TABLE triage.ticket_assignments IS 'who had a ticket from when to when; written by a trigger on tickets.assignee_id';
	COMMENT ON COLUMN triage.ticket_assignments.assigned_by IS 'the actor who assigned it';
	COMMENT ON COLUMN triage.ticket_assignments.unassigned_at IS 'NULL: the agent has it now';

	COMMENT ON TABLE triage.ai_jobs IS 'AI work that waits or runs, one row a ticket and kind; finished work has no row here, its history is ai_runs';
	COMMENT ON COLUMN triage.ai_jobs.run_at IS 'not before this time; a retry lies ahead';
	COMMENT ON COLUMN triage.ai_jobs.lease_until IS 'running while this lies ahead; then, and when NULL, anyone may claim it';
	COMMENT ON COLUMN triage.ai_jobs.fence IS 'counts claims and withdrawals; an answer that comes with another number is stale';
	COMMENT ON COLUMN triage.ai_jobs.attempts IS 'calls made since the last request; counted before the call';
	COMMENT ON COLUMN triage.ai_jobs.slot IS 'the worker that holds the lease';

	COMMENT ON TABLE triage.ai_dead_letters IS 'jobs that were given up; retry_failed() puts those back that are about something open';
	COMMENT ON COLUMN triage.ai_dead_letters.id IS 'the job''s id';
	COMMENT ON COLUMN triage.ai_dead_letters.class IS 'how the last try ended';

	COMMENT ON TABLE triage.ai_runs IS 'one row for each call to a model, never changed; stays when its ticket goes, for the money was spent';
	COMMENT ON COLUMN triage.ai_runs.fence IS 'of the claim that made the call';
	COMMENT ON COLUMN triage.ai_runs.error IS 'what went wrong, in words; NULL when it succeeded';
	COMMENT ON COLUMN triage.ai_runs.cached_tokens IS 'the part of input_tokens that the endpoint had cached';
	COMMENT ON COLUMN triage.ai_runs.cache_write_tokens IS 'the part of input_tokens that the endpoint put into its cache';
	COMMENT ON COLUMN triage.ai_runs.cost IS 'of the call, by the price that stood when it was written; where that gives none, what the reply itself said (usage.cost); NULL: not known, be it the price or the tokens';
	COMMENT ON COLUMN triage.ai_runs.currency IS 'of cost, ISO 4217; USD where the reply said what it cost; NULL: no price was found, or api builtin, which costs nothing';
	COMMENT ON COLUMN triage.ai_runs.price IS 'the row of model_prices that cost was computed with, as it was then; NULL with a cost: the reply said it';
	COMMENT ON COLUMN triage.ai_runs.latency_ms IS 'from request to answer, in milliseconds';
	COMMENT ON COLUMN triage.ai_runs.request_id IS 'the endpoint''s own id of the call, for its support';

	COMMENT ON TABLE triage.ticket_ai_results IS 'answers that were accepted; the one without superseded_at is current';
	COMMENT ON COLUMN triage.ticket_ai_results.ticket_version IS 'of the ticket that the model was shown';
	COMMENT ON COLUMN triage.ticket_ai_results.urgency IS 'the model''s view, on the scale of ticket_priority';
	COMMENT ON COLUMN triage.ticket_ai_results.sentiment_score IS '1 (calm) to 10 (furious)';
	COMMENT ON COLUMN triage.ticket_ai_results.needs_human IS 'the model thinks a person should answer; NULL: not said';
	COMMENT ON COLUMN triage.ticket_ai_results.confidence IS '0 to 1, the model''s own; NULL: not said';
	COMMENT ON COLUMN triage.ticket_ai_results.draft_reply IS 'a proposal; never sent by itself';

	COMMENT ON VIEW triage.ai_state IS 'each ticket''s AI state: processing, pending, ai_failed, processed or none';
	COMMENT ON COLUMN triage.ai_state.ai_state IS
		'processing: a worker holds its job; pending: its job waits; ai_failed: given up; processed: it has a current result; none: nothing was asked';
	COMMENT ON VIEW triage.inbox IS
		'open tickets with what the AI says of them; ORDER BY waiting_since, id is the order of the index, longest wait first';
	COMMENT ON COLUMN triage.inbox.waiting_for IS 'how long the customer has waited for an answer; NULL: answered';
	COMMENT ON COLUMN triage.inbox.ai_state IS 'as in view ai_state';
	COMMENT ON COLUMN triage.inbox.sentiment_score IS '1 (calm) to 10 (furious)';
	COMMENT ON VIEW triage.dashboard IS 'all tickets that are not deleted, with one status for people''s and the AI''s work';
	COMMENT ON COLUMN triage.dashboard.status IS
		'resolved when it is resolved or closed; else pending (also when nothing was asked), processing, processed or ai_failed';
	COMMENT ON COLUMN triage.dashboard.content IS 'the description, or the subject where that is blank';
	COMMENT ON COLUMN triage.dashboard.sentiment_score IS '1 (calm) to 10 (furious)';
	COMMENT ON VIEW triage.queue_stats IS 'the queue in numbers, by tenant and kind';
	COMMENT ON COLUMN triage.queue_stats.pending IS 'jobs that could run now';
	COMMENT ON COLUMN triage.queue_stats.running IS 'jobs under a lease';
	COMMENT ON COLUMN triage.queue_stats.delayed IS 'jobs whose time lies ahead: retries mostly';
	COMMENT ON COLUMN triage.queue_stats.oldest_due_seconds IS 'for how long the oldest pending job has been due';
	COMMENT ON COLUMN triage.queue_stats.dead IS
		'jobs that were given up: rows of ai_dead_letters; retry_failed() puts back those whose ticket is not deleted or, but for extract_issues and match_issues, finished, whose session is active, or whose cluster is neither merged nor archived; the others count until what they are about is reopened and tried again, or until apply_retention() deletes them by the keep that retention has for ai_dead_letters';
	COMMENT ON COLUMN triage.queue_stats.next_run_at IS 'when the next job that nobody holds is due; in the past when some are pending';
	COMMENT ON VIEW triage.budget_status IS 'each budget in its current period';
	COMMENT ON COLUMN triage.budget_status.tenant IS 'whose calls; NULL: those of all tenants together';
	COMMENT ON COLUMN triage.budget_status.period IS 'of the calendar, in UTC';
	COMMENT ON COLUMN triage.budget_status.period_start IS 'first moment of the period';
	COMMENT ON COLUMN triage.budget_status.resets_at IS 'first moment of the next period, when all of spend_limit is there again';
	COMMENT ON COLUMN triage.budget_status.currency IS 'of the amounts, ISO 4217';
	COMMENT ON COLUMN triage.budget_status.spend_limit IS 'see set_budget()';
	COMMENT ON COLUMN triage.budget_status.spent IS 'known cost';
	COMMENT ON COLUMN triage.budget_status.reserved IS 'the most that calls under way can cost';
	COMMENT ON COLUMN triage.budget_status.unsettled IS 'the most that calls can have cost of which nobody knows whether they were billed; see write_off()';
	COMMENT ON COLUMN triage.budget_status.remaining IS 'what new claims may still reserve; below zero when a call cost more than its bound';
	COMMENT ON COLUMN triage.budget_status.excess IS 'the part of spent that was not reserved when the calls were claimed; the limit is passed by this much at most';
	COMMENT ON COLUMN triage.budget_status.excess_at IS 'when such a call was last written; NULL: never';
	COMMENT ON COLUMN triage.budget_status.exhausted IS 'what remains does not cover one more call: jobs wait, or a provider that costs nothing serves';
	COMMENT ON COLUMN triage.budget_status.uncovered_providers IS
		'enabled providers that are not called under this budget, as the cost of a call has no bound: no price in its currency, or no limit of output tokens; those whose price is 0 are called';
	COMMENT ON VIEW triage.worker_status IS
		'the worker''s processes on this server and their counters since they started; who is not in pg_read_all_stats sees only processes of roles it is a member of';
	COMMENT ON VIEW triage.provider_status IS
		'each provider and whether it serves; what its gate says (since, closed_until, reason, in_flight, failures_in_a_row, calls, last_success_at) counts for all databases of the server that use the same account, and is null unless the library is preloaded';
	COMMENT ON COLUMN triage.provider_status.state IS
		'serving; disabled; paused by hand; not listed: its origin is not in triage.allowed_origins; paused: key, account, model or URL were refused; throttled: it asked to wait; unreachable: no connection; failing: five calls in a row failed; probing: one call is on its way that decides';
	COMMENT ON COLUMN triage.provider_status.since IS 'when it got into its state; null: it was never in another since the server started';
	COMMENT ON COLUMN triage.provider_status.closed_until IS 'not called before this time';
	COMMENT ON COLUMN triage.provider_status.reason IS 'why it does not serve, in words';
	COMMENT ON COLUMN triage.provider_status.in_flight IS 'calls on their way';
	COMMENT ON COLUMN triage.provider_status.failures_in_a_row IS 'server errors, timeouts and cut connections since the last answer; five close the gate';
	COMMENT ON COLUMN triage.provider_status.calls IS 'calls since the server started';
	COMMENT ON COLUMN triage.provider_status.last_success_at IS 'when it last gave an answer that could be used';
	COMMENT ON VIEW triage.worker_stats IS
		'what each worker process of this database did since it started; all but pid, type and started_at is null unless the library is preloaded; type is null for who may not see the process';
	COMMENT ON VIEW triage.ai_failures IS 'what failed, and what waits after a failed try';
	COMMENT ON COLUMN triage.ai_failures.state IS 'failed: given up; retrying: will be tried again at next_try_at';
	COMMENT ON COLUMN triage.ai_failures.class IS 'how the last try ended';
	COMMENT ON COLUMN triage.ai_failures.message IS 'what went wrong, in words';
END
$install$;
COMMENT ON FUNCTION triage.install_comments() IS
	'part of install(): comments the tables, views and columns; takes nothing, returns nothing; raises what COMMENT raises';
REVOKE ALL ON FUNCTION triage.install_comments() FROM PUBLIC;
