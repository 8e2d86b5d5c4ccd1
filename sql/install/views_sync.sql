-- The views of sync, and the comments on its tables.

CREATE FUNCTION triage.install_sync_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE OR REPLACE VIEW triage.sync_status WITH (security_invoker = true) AS
		SELECT s.tenant_id, s.name AS source, t.stream, s.base_url,
				CASE
					WHEN s.paused_at IS NOT NULL THEN 'paused'
					WHEN t.stream = 'comments' AND NOT s.include_comments THEN 'off'
					WHEN t.resting_since IS NOT NULL THEN 'resting'
					WHEN t.consecutive_failures > 0 THEN 'failing'
					WHEN n.in_the_air > 0 THEN 'running'
					WHEN t.stream = 'comments' AND n.waiting > 0 OR t.stream = 'tickets' AND t.sync_completed_at IS NULL THEN 'catching up'
					ELSE 'current' END AS state,
				CASE WHEN s.paused_at IS NULL THEN coalesce(s.pause_reason, t.last_error) ELSE coalesce(s.pause_reason, 'paused by ' || s.paused_by) END
					AS reason,
				coalesce(s.paused_at, t.resting_since) AS stopped_since,
				CASE WHEN s.paused_at IS NULL AND t.next_run_at < 'infinity'
					THEN greatest(t.next_run_at, t.paced_until, CASE t.stream WHEN 'tickets' THEN t.lease_until ELSE n.next_due END) END AS due_at,
				t.last_outcome, t.last_http_status, t.last_error, t.consecutive_failures,
				n.copied, n.waiting, n.oldest_waiting, t.last_ticket_updated_at, t.sync_completed_at,
				CASE t.stream WHEN 'tickets' THEN now() - t.sync_completed_at ELSE now() - n.oldest_waiting END AS lag
			FROM triage.sync_sources s
			JOIN triage.sync_state t ON t.tenant_id = s.tenant_id AND t.source = s.name
			CROSS JOIN LATERAL (
				SELECT count(*) AS copied, NULL::bigint AS waiting, NULL::timestamptz AS next_due, NULL::timestamptz AS oldest_waiting,
						(t.lease_until > now())::int AS in_the_air
					FROM triage.synced_tickets c WHERE c.tenant_id = s.tenant_id AND c.source = s.name AND t.stream = 'tickets'
					HAVING t.stream = 'tickets'
				UNION ALL
				SELECT count(*) FILTER (WHERE c.comments_synced_at IS NOT NULL), count(c.comments_due_at), min(c.comments_due_at),
						min(c.synced_at) FILTER (WHERE c.comments_due_at IS NOT NULL), count(c.comments_slot)::int
					FROM triage.synced_tickets c WHERE c.tenant_id = s.tenant_id AND c.source = s.name AND t.stream = 'comments'
					HAVING t.stream = 'comments') n;

	CREATE OR REPLACE VIEW triage.sync_state_overview WITH (security_invoker = true) AS
		SELECT t.source AS id, t.last_ticket_updated_at,
				(SELECT count(*) FROM triage.synced_tickets c WHERE c.tenant_id = t.tenant_id AND c.source = t.source) AS tickets_synced,
				(SELECT count(*)
					FROM triage.synced_tickets c
					JOIN triage.extracted_issues i ON i.tenant_id = c.tenant_id AND i.ticket_id = c.ticket_id AND i.superseded_at IS NULL
					WHERE c.tenant_id = t.tenant_id AND c.source = t.source) AS issues_extracted,
				t.sync_completed_at, t.tenant_id
			FROM triage.sync_state t
			WHERE t.stream = 'tickets';

	CREATE OR REPLACE VIEW triage.zendesk_tickets WITH (security_invoker = true) AS
		SELECT t.id, t.public_id, s.external_number AS zendesk_ticket_id,
				t.subject, t.description, c.internal_notes, c.public_comments,
				coalesce(t.requester_email, p.email) AS requester_email, o.name AS requester_org_name,
				CASE WHEN g.id ~ '^[0-9]{1,18}$' THEN g.id::bigint END AS zendesk_org_id,
				to_jsonb(t.tags) AS tags, t.status, t.priority, t.created_at AS ticket_created_at, s.source_updated_at AS ticket_updated_at,
				s.synced_at,
				x.analyzed_at,
				s.source, t.deleted_at, t.tenant_id
			FROM triage.synced_tickets s
			JOIN triage.tickets t ON t.tenant_id = s.tenant_id AND t.id = s.ticket_id
			LEFT JOIN triage.ticket_extractions x ON x.tenant_id = t.tenant_id AND x.ticket_id = t.id
			LEFT JOIN triage.people p ON p.tenant_id = t.tenant_id AND p.id = t.requester_id
			-- the ticket's own organization, else its requester's
			CROSS JOIN LATERAL (
				SELECT coalesce(s.details ->> 'organization_id', substr(p.organization_id, length(s.source) + 2)) AS id) g
			LEFT JOIN triage.organizations o ON o.tenant_id = t.tenant_id AND o.id = s.source || ':' || g.id
			CROSS JOIN LATERAL (
				SELECT string_agg(k.content, E'\n\n' ORDER BY k.created_at, k.id) FILTER (WHERE k.visibility = 'internal') AS internal_notes,
						string_agg(k.content, E'\n\n' ORDER BY k.created_at, k.id) FILTER (WHERE k.visibility = 'public') AS public_comments
					FROM triage.ticket_comments k
					WHERE k.tenant_id = t.tenant_id AND k.ticket_id = t.id) c;

	COMMENT ON TABLE triage.organizations IS 'what customers belong to, such as companies; of the application or of a source of sync';
	COMMENT ON TABLE triage.sync_sources IS 'where tickets are copied from; only the owner of the tables writes it, by add_zendesk_source() and drop_source()';
	COMMENT ON TABLE triage.sync_state IS 'how far each stream of a source has come, and when it is asked next';
	COMMENT ON TABLE triage.sync_runs IS 'one row for each request of sync, never changed; kept for as long as table retention says';
	COMMENT ON TABLE triage.synced_tickets IS 'what the source of a copied ticket says of it beside the ticket''s own row; goes with the ticket, and with the source when drop_source() ends it';
	COMMENT ON VIEW triage.sync_status IS 'each stream of each source: how it is, when it is due, what was wrong last, and how far behind it is; counts every copied ticket';
	COMMENT ON VIEW triage.sync_state_overview IS 'each source''s progress in five columns';
	COMMENT ON VIEW triage.zendesk_tickets IS 'tickets that are copied from a source, in one row each with their comments as two texts; ask by id or zendesk_ticket_id';
	COMMENT ON COLUMN triage.organizations.id IS 'the application''s own id, or source:id of a source of sync';
	COMMENT ON COLUMN triage.organizations.name IS 'as people see it';
	COMMENT ON COLUMN triage.organizations.created_at IS 'when first seen';
	COMMENT ON COLUMN triage.people.organization_id IS 'the organization the person belongs to; null: not known';
	COMMENT ON COLUMN triage.sync_sources.name IS 'the source that its tickets carry, and what the ids of its people and organizations begin with';
	COMMENT ON COLUMN triage.sync_sources.base_url IS 'address of the account, without /api';
	COMMENT ON COLUMN triage.sync_sources.auth IS 'how requests say who asks';
	COMMENT ON COLUMN triage.sync_sources.email IS 'whose token it is; null for oauth';
	COMMENT ON COLUMN triage.sync_sources.secret IS 'name of the token''s file in triage.secrets_directory';
	COMMENT ON COLUMN triage.sync_sources.start_time IS 'tickets that changed since then are copied';
	COMMENT ON COLUMN triage.sync_sources.page_size IS 'tickets asked for at a time';
	COMMENT ON COLUMN triage.sync_sources.poll_interval IS 'how long to wait once all that changed has been read';
	COMMENT ON COLUMN triage.sync_sources.timeout_ms IS 'of a request, in milliseconds';
	COMMENT ON COLUMN triage.sync_sources.include_comments IS 'whether comments are copied, which takes a request for each ticket that changed';
	COMMENT ON COLUMN triage.sync_sources.requests_per_minute IS 'requests for tickets, at most';
	COMMENT ON COLUMN triage.sync_sources.comment_requests_per_minute IS 'requests for comments, at most';
	COMMENT ON COLUMN triage.sync_sources.support_type_scope IS 'whose tickets are asked for: all, agent or ai_agent; null: what the source does without being told';
	COMMENT ON COLUMN triage.sync_sources.paused_at IS 'when it was paused by hand; null: it is not';
	COMMENT ON COLUMN triage.sync_sources.paused_by IS 'the actor who paused it';
	COMMENT ON COLUMN triage.sync_sources.pause_reason IS 'for people';
	COMMENT ON COLUMN triage.sync_sources.created_at IS 'when it was added';
	COMMENT ON COLUMN triage.sync_sources.updated_at IS 'when it was last changed';
	COMMENT ON COLUMN triage.sync_state.source IS 'the source';
	COMMENT ON COLUMN triage.sync_state.stream IS 'what is copied';
	COMMENT ON COLUMN triage.sync_state.cursor IS 'where the source says to go on; it alone can read it';
	COMMENT ON COLUMN triage.sync_state.last_ticket_updated_at IS 'the source''s time of the newest ticket that came; for people: the worker goes by the cursor';
	COMMENT ON COLUMN triage.sync_state.sync_completed_at IS 'when all that had changed was last here; null: never yet';
	COMMENT ON COLUMN triage.sync_state.restart_at IS 'from when to read without a cursor, after the source has rejected it; null: from start_time';
	COMMENT ON COLUMN triage.sync_state.next_run_at IS 'when there is something to ask for; infinity while the stream rests';
	COMMENT ON COLUMN triage.sync_state.paced_until IS 'not before, for the sake of the source''s limits';
	COMMENT ON COLUMN triage.sync_state.resting_since IS 'since when nothing is asked for, because the source refuses the key or cannot be called; see resume_source()';
	COMMENT ON COLUMN triage.sync_state.lease_until IS 'until when a worker waits for a page of tickets; comments have theirs in synced_tickets';
	COMMENT ON COLUMN triage.sync_state.fence IS 'raised by each claim; a page that was claimed under another is stale';
	COMMENT ON COLUMN triage.sync_state.slot IS 'the worker that holds the lease';
	COMMENT ON COLUMN triage.sync_state.requested_at IS 'when sync_now() last asked for it';
	COMMENT ON COLUMN triage.sync_state.consecutive_failures IS 'requests that failed since the last that did not';
	COMMENT ON COLUMN triage.sync_state.last_outcome IS 'how the last request ended; null: there was none';
	COMMENT ON COLUMN triage.sync_state.last_http_status IS 'of the last request; null: no HTTP answer';
	COMMENT ON COLUMN triage.sync_state.last_error IS 'what was wrong with it, in words; null: nothing';
	COMMENT ON COLUMN triage.sync_runs.id IS 'grows in the order of writing';
	COMMENT ON COLUMN triage.sync_runs.source IS 'the source that was asked';
	COMMENT ON COLUMN triage.sync_runs.stream IS 'what it was asked for';
	COMMENT ON COLUMN triage.sync_runs.outcome IS 'how the request ended';
	COMMENT ON COLUMN triage.sync_runs.http_status IS 'null: no HTTP answer';
	COMMENT ON COLUMN triage.sync_runs.error IS 'what went wrong, in words, or which rows of a page were left out and why; null: nothing';
	COMMENT ON COLUMN triage.sync_runs.tickets_received IS 'tickets on the page';
	COMMENT ON COLUMN triage.sync_runs.tickets_upserted IS 'those of them that were new or newer than what was here';
	COMMENT ON COLUMN triage.sync_runs.tickets_deleted IS 'those of them that are deleted at the source';
	COMMENT ON COLUMN triage.sync_runs.comments_upserted IS 'comments that were new or changed';
	COMMENT ON COLUMN triage.sync_runs.retry_after_ms IS 'how long the source asked to wait, in milliseconds; null: it did not say';
	COMMENT ON COLUMN triage.sync_runs.latency_ms IS 'from request to answer, in milliseconds';
	COMMENT ON COLUMN triage.sync_runs.started_at IS 'when the request was made; null: not known';
	COMMENT ON COLUMN triage.sync_runs.finished_at IS 'when the run was written';
	COMMENT ON COLUMN triage.synced_tickets.ticket_id IS 'the ticket';
	COMMENT ON COLUMN triage.synced_tickets.source IS 'where it is copied from';
	COMMENT ON COLUMN triage.synced_tickets.external_number IS 'the ticket''s external_id as a number, for whoever asks by it; null: it is none';
	COMMENT ON COLUMN triage.synced_tickets.source_updated_at IS 'when it last changed, by the source''s clock, but never ahead of ours';
	COMMENT ON COLUMN triage.synced_tickets.generated_at IS 'the version of the source''s export, in seconds since 1970; the highest is the newest';
	COMMENT ON COLUMN triage.synced_tickets.synced_at IS 'when that version came';
	COMMENT ON COLUMN triage.synced_tickets.details IS 'what the source says beside what a ticket has columns for: its own words for status and priority, ids, type, channel, and notes of what did not fit';
	COMMENT ON COLUMN triage.synced_tickets.copied IS 'what the ticket had from the source when it was last copied, texts as their MD5: what differs from it since was changed here';
	COMMENT ON COLUMN triage.synced_tickets.comments_due_at IS 'when its comments are to be fetched, or until when a worker is at it; null: they are not';
	COMMENT ON COLUMN triage.synced_tickets.comments_cursor IS 'where the source says to go on with its comments; null: from the first';
	COMMENT ON COLUMN triage.synced_tickets.comments_synced_at IS 'when all of its comments were last here; null: never yet';
	COMMENT ON COLUMN triage.synced_tickets.comments_failures IS 'requests for its comments that failed since the last that did not';
	COMMENT ON COLUMN triage.synced_tickets.comments_fence IS 'raised by each claim; comments that were claimed under another are stale';
	COMMENT ON COLUMN triage.synced_tickets.comments_slot IS 'the worker that waits for its comments; null: none';
	COMMENT ON COLUMN triage.sync_status.source IS 'name of the source';
	COMMENT ON COLUMN triage.sync_status.stream IS 'what is copied';
	COMMENT ON COLUMN triage.sync_status.base_url IS 'where from';
	COMMENT ON COLUMN triage.sync_status.state IS 'paused (by hand); off (comments are not wanted); resting (the key is refused, or it cannot be called: see reason); failing (the last request failed, another follows); running (a request is on its way); catching up (there is more to read); current';
	COMMENT ON COLUMN triage.sync_status.reason IS 'why it is paused, rests or fails';
	COMMENT ON COLUMN triage.sync_status.stopped_since IS 'since when it is paused or rests';
	COMMENT ON COLUMN triage.sync_status.due_at IS 'when it is asked next; null: not before somebody does something';
	COMMENT ON COLUMN triage.sync_status.last_outcome IS 'how the last request ended';
	COMMENT ON COLUMN triage.sync_status.last_http_status IS 'of the last request';
	COMMENT ON COLUMN triage.sync_status.last_error IS 'what was wrong with it';
	COMMENT ON COLUMN triage.sync_status.consecutive_failures IS 'requests that failed since the last that did not';
	COMMENT ON COLUMN triage.sync_status.copied IS 'tickets copied, or tickets whose comments were';
	COMMENT ON COLUMN triage.sync_status.waiting IS 'tickets whose comments are to be fetched';
	COMMENT ON COLUMN triage.sync_status.oldest_waiting IS 'when the oldest of them came';
	COMMENT ON COLUMN triage.sync_status.last_ticket_updated_at IS 'the source''s time of the newest ticket here';
	COMMENT ON COLUMN triage.sync_status.sync_completed_at IS 'when all that had changed was last here';
	COMMENT ON COLUMN triage.sync_status.lag IS 'of tickets: how long ago all was here that had changed; of comments: how long the oldest have been waiting';
	COMMENT ON COLUMN triage.sync_state_overview.id IS 'the source, which is its natural key';
	COMMENT ON COLUMN triage.sync_state_overview.last_ticket_updated_at IS 'the source''s time of the newest ticket here; null: none yet';
	COMMENT ON COLUMN triage.sync_state_overview.tickets_synced IS 'tickets copied from it';
	COMMENT ON COLUMN triage.sync_state_overview.issues_extracted IS 'current issues found in them';
	COMMENT ON COLUMN triage.sync_state_overview.sync_completed_at IS 'when all that had changed was last here; null until the first time';
	COMMENT ON COLUMN triage.zendesk_tickets.id IS 'tickets.id';
	COMMENT ON COLUMN triage.zendesk_tickets.public_id IS 'the uuid to be shown outside';
	COMMENT ON COLUMN triage.zendesk_tickets.zendesk_ticket_id IS 'the id it has at the source';
	COMMENT ON COLUMN triage.zendesk_tickets.subject IS 'as in tickets';
	COMMENT ON COLUMN triage.zendesk_tickets.description IS 'as in tickets: the text of its first comment';
	COMMENT ON COLUMN triage.zendesk_tickets.internal_notes IS 'its internal comments in order of time, with an empty line between them; null: none';
	COMMENT ON COLUMN triage.zendesk_tickets.public_comments IS 'its public comments in order of time, with an empty line between them; null: none';
	COMMENT ON COLUMN triage.zendesk_tickets.requester_email IS 'address of who asks';
	COMMENT ON COLUMN triage.zendesk_tickets.requester_org_name IS 'name of the ticket''s organization, else of its requester''s';
	COMMENT ON COLUMN triage.zendesk_tickets.zendesk_org_id IS 'the id that organization has at the source';
	COMMENT ON COLUMN triage.zendesk_tickets.tags IS 'as an array of JSON';
	COMMENT ON COLUMN triage.zendesk_tickets.status IS 'as in tickets; synced_tickets.details has the source''s own word';
	COMMENT ON COLUMN triage.zendesk_tickets.priority IS 'as in tickets';
	COMMENT ON COLUMN triage.zendesk_tickets.ticket_created_at IS 'when it was made, by the source''s clock';
	COMMENT ON COLUMN triage.zendesk_tickets.ticket_updated_at IS 'when it last changed, by the source''s clock';
	COMMENT ON COLUMN triage.zendesk_tickets.synced_at IS 'when that version came';
	COMMENT ON COLUMN triage.zendesk_tickets.analyzed_at IS 'when issues were last looked for in it; null: never';
	COMMENT ON COLUMN triage.zendesk_tickets.source IS 'the source it is copied from';
	COMMENT ON COLUMN triage.zendesk_tickets.deleted_at IS 'set: it is deleted, at the source or here';
END
$install$;
COMMENT ON FUNCTION triage.install_sync_views() IS
	'part of install(): creates the views of sync, or replaces them by this version''s, and comments them and its tables; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_sync_views() FROM PUBLIC;
