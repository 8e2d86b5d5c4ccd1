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
		SELECT t.id, t.public_id, CASE WHEN t.external_id ~ '^[0-9]{1,18}$' THEN t.external_id::bigint END AS zendesk_ticket_id,
				t.subject, t.description, c.internal_notes, c.public_comments,
				coalesce(t.requester_email, p.email) AS requester_email, o.name AS requester_org_name,
				CASE WHEN g.id ~ '^[0-9]{1,18}$' THEN g.id::bigint END AS zendesk_org_id,
				to_jsonb(t.tags) AS tags, t.status, t.priority, t.created_at AS ticket_created_at, s.source_updated_at AS ticket_updated_at,
				s.synced_at,
				(SELECT max(r.finished_at) FROM triage.ai_runs r
					WHERE r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.kind = 'extract_issues' AND r.outcome = 'succeeded') AS analyzed_at,
				s.source, t.deleted_at, t.tenant_id
			FROM triage.synced_tickets s
			JOIN triage.tickets t ON t.tenant_id = s.tenant_id AND t.id = s.ticket_id
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
END
$install$;
COMMENT ON FUNCTION triage.install_sync_views() IS
	'part of install(): creates the views of sync, or replaces them by this version''s, and comments them and its tables; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_sync_views() FROM PUBLIC;
