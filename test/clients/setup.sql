-- What the programs need in the database beside the extension.

CREATE ROLE app LOGIN;
SELECT triage.grant_access('app', 'agent');
CREATE ROLE acme_app LOGIN;
SELECT triage.grant_access('acme_app', 'agent');
SELECT triage.create_tenant('acme', 'Acme Ltd.');
SELECT triage.allow_tenant('acme_app', 'acme');

-- All that a ticket has come to, without what differs between two tickets of the same text: ids and times.
CREATE SCHEMA checks;
CREATE FUNCTION checks.shape(ticket bigint) RETURNS jsonb
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
	SELECT jsonb_build_object(
		'ticket', (SELECT to_jsonb(t) - '{id,public_id,created_at,updated_at,waiting_since}'::text[]
				|| jsonb_build_object('waits', t.waiting_since = t.created_at)
			FROM triage.tickets t WHERE t.id = ticket),
		'history', (SELECT jsonb_agg(to_jsonb(h) - '{id,ticket_id,created_at}'::text[] ORDER BY h.id)
			FROM triage.ticket_history h WHERE h.ticket_id = ticket),
		'jobs', (SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = ticket),
		'runs', (SELECT jsonb_agg(jsonb_build_array(r.kind, r.provider, r.outcome, r.fence) ORDER BY r.id)
			FROM triage.ai_runs r WHERE r.ticket_id = ticket),
		'results', (SELECT jsonb_agg(to_jsonb(a) - '{id,ticket_id,run_id,processed_at}'::text[] ORDER BY a.id)
			FROM triage.ticket_ai_results a WHERE a.ticket_id = ticket))
$$;
GRANT USAGE ON SCHEMA checks TO app;
GRANT EXECUTE ON FUNCTION checks.shape(bigint) TO app;
