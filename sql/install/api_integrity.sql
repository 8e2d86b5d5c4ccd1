-- check_integrity(): what contradicts itself in the tables, though constraints and triggers should not let it.
--
-- It finds what came in while they were off: a restore with --disable-triggers, session_replication_role, a superuser's
-- repair.  Whether they are all there and on is doctor()'s question.

CREATE FUNCTION triage.check_integrity(all_tenants boolean DEFAULT false)
	RETURNS TABLE (tenant_id text, ticket_id bigint, problem text, detail text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tenant CONSTANT text := CASE WHEN all_tenants THEN NULL ELSE triage.current_tenant() END;
BEGIN
	PERFORM triage.check_schema();
	RETURN QUERY
		SELECT t.tenant_id, t.id, 'assignment log'::text,
				format('assignee is %s, the log says %s', coalesce(t.assignee_id, 'nobody'), coalesce(a.agent_id, 'nobody'))
			FROM triage.tickets t
			LEFT JOIN triage.ticket_assignments a
				ON a.tenant_id = t.tenant_id AND a.ticket_id = t.id AND a.unassigned_at IS NULL
			WHERE (tenant IS NULL OR t.tenant_id = tenant) AND t.assignee_id IS DISTINCT FROM a.agent_id
		UNION ALL
		SELECT a.tenant_id, a.ticket_id, 'assignment log',
				format('assignment %s begins before the one before it has ended', a.id)
			FROM (SELECT s.tenant_id, s.ticket_id, s.id, s.assigned_at,
						lag(coalesce(s.unassigned_at, 'infinity'))
							OVER (PARTITION BY s.tenant_id, s.ticket_id ORDER BY s.assigned_at, s.id) AS free_at
					FROM triage.ticket_assignments s
					WHERE tenant IS NULL OR s.tenant_id = tenant) a
			WHERE a.assigned_at < a.free_at
		UNION ALL
		SELECT t.tenant_id, t.id, p.problem, p.detail
			FROM triage.tickets t
			CROSS JOIN LATERAL (VALUES
				((t.resolution IS NOT NULL) <> (t.status IN ('resolved', 'closed')), 'resolution',
					format('status is %s, resolution %s', t.status, coalesce(t.resolution::text, 'none'))),
				((t.resolved_at IS NOT NULL) <> (t.status IN ('resolved', 'closed')), 'times',
					format('status is %s, resolved_at %s', t.status, coalesce(t.resolved_at::text, 'none'))),
				((t.closed_at IS NOT NULL) <> (t.status = 'closed'), 'times',
					format('status is %s, closed_at %s', t.status, coalesce(t.closed_at::text, 'none'))),
				(t.waiting_since IS NOT NULL AND t.status IN ('resolved', 'closed'), 'times',
					format('status is %s, and somebody waits since %s', t.status, t.waiting_since)),
				(t.search IS NULL, 'search', 'no search finds it: an update of its subject or description mends that'),
				(t.version < 1, 'version', format('version is %s', t.version))) p (wrong, problem, detail)
			WHERE (tenant IS NULL OR t.tenant_id = tenant) AND p.wrong
		UNION ALL
		SELECT j.tenant_id, j.ticket_id, 'job', format('job %s is for a ticket that is %s', j.id,
				CASE WHEN t.deleted_at IS NULL THEN t.status::text ELSE 'deleted' END)
			FROM triage.ai_jobs j
			JOIN triage.tickets t ON t.tenant_id = j.tenant_id AND t.id = j.ticket_id
			WHERE (tenant IS NULL OR j.tenant_id = tenant) AND j.kind = 'triage'
				AND (t.status IN ('resolved', 'closed') OR t.deleted_at IS NOT NULL)
		UNION ALL
		SELECT j.tenant_id, j.ticket_id, 'job', format('job %s waits, and %s was given up', j.id, d.id)
			FROM triage.ai_jobs j
			JOIN triage.ai_dead_letters d ON d.tenant_id = j.tenant_id AND d.ticket_id = j.ticket_id AND d.kind = j.kind
			WHERE tenant IS NULL OR j.tenant_id = tenant
		UNION ALL
		SELECT j.tenant_id, NULL, 'job', format('job %s is to answer in chat session %s, which is archived', j.id, j.session_id)
			FROM triage.ai_jobs j
			JOIN triage.chat_sessions s ON s.tenant_id = j.tenant_id AND s.id = j.session_id
			WHERE (tenant IS NULL OR j.tenant_id = tenant) AND j.kind = 'chat_reply' AND s.status = 'archived'
		UNION ALL
		SELECT c.tenant_id, c.ticket_id, 'sync', format('it is copied from %s, and its source is %s', c.source, t.source)
			FROM triage.synced_tickets c
			JOIN triage.tickets t ON t.tenant_id = c.tenant_id AND t.id = c.ticket_id
			WHERE (tenant IS NULL OR c.tenant_id = tenant) AND (t.source <> c.source OR t.external_id IS NULL)
		UNION ALL
		SELECT j.tenant_id, NULL, 'job', format('job %s waits, and %s was given up', j.id, d.id)
			FROM triage.ai_jobs j
			JOIN triage.ai_dead_letters d ON d.tenant_id = j.tenant_id AND d.session_id = j.session_id AND d.kind = j.kind
			WHERE tenant IS NULL OR j.tenant_id = tenant
		UNION ALL
		SELECT j.tenant_id, NULL, 'job', format('job %s waits, and %s was given up', j.id, d.id)
			FROM triage.ai_jobs j
			JOIN triage.ai_dead_letters d ON d.tenant_id = j.tenant_id AND d.cluster_id = j.cluster_id AND d.kind = j.kind
			WHERE tenant IS NULL OR j.tenant_id = tenant;
	RETURN QUERY SELECT * FROM triage.orphans(tenant);
	RETURN QUERY SELECT * FROM triage.extraction_contradictions(tenant);
	RETURN QUERY SELECT * FROM triage.cluster_contradictions(tenant);
	RETURN QUERY SELECT d.tenant_id, NULL::bigint, 'trends'::text, d.detail FROM triage.trend_differences(tenant) d;
END
$$;
COMMENT ON FUNCTION triage.check_integrity(boolean) IS
	'what contradicts itself in the tables, empty where all is well: the log of assignments against tickets.assignee_id, resolution and times against status, jobs of tickets and chats that are over, tickets that no search finds, rows that refer to nothing, issues of deleted tickets and issues that are there twice, counts of clusters that the roll-up of trends has otherwise; all_tenants: as far as row security shows them, not only the current one; reads every ticket; detail says what was found; raises nothing';
REVOKE ALL ON FUNCTION triage.check_integrity(boolean) FROM PUBLIC;

-- Dynamic, from the catalogs: a table that is added later is looked at too.
CREATE FUNCTION triage.orphans(tenant text) RETURNS TABLE (tenant_id text, ticket_id bigint, problem text, detail text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fk record;
BEGIN
	FOR fk IN
		SELECT k.conname, c.relname, k.confrelid::regclass AS parent,
				string_agg(format('p.%I = c.%I', r.attname, a.attname), ' AND ' ORDER BY u.place) AS same,
				string_agg(format('c.%I IS NOT NULL', a.attname), ' AND ' ORDER BY u.place) AS complete,
				EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = k.conrelid AND t.attname = 'ticket_id') AS of_ticket
			FROM pg_constraint k
			JOIN pg_class c ON c.oid = k.conrelid
			CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY u (here, there, place)
			JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.here
			JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = u.there
			WHERE k.contype = 'f' AND k.connamespace = 'triage'::regnamespace
				AND has_table_privilege(k.conrelid, 'SELECT') AND has_table_privilege(k.confrelid, 'SELECT')
				AND EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = k.conrelid AND t.attname = 'tenant_id')
			GROUP BY k.oid, k.conname, k.conrelid, c.relname, k.confrelid
			ORDER BY c.relname, k.conname
	LOOP
		RETURN QUERY EXECUTE format('SELECT c.tenant_id, %s, ''orphan'', %L::text FROM triage.%I c
				WHERE ($1 IS NULL OR c.tenant_id = $1) AND %s AND NOT EXISTS (SELECT FROM %s p WHERE %s)',
				CASE WHEN fk.relname = 'tickets' THEN 'c.id' WHEN fk.of_ticket THEN 'c.ticket_id' ELSE 'NULL::bigint' END,
				format('a row of %s refers to a row of %s that is not there (%s)', fk.relname, fk.parent, fk.conname),
				fk.relname, fk.complete, fk.parent, fk.same)
			USING tenant;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.orphans(text) IS
	'part of check_integrity(): the rows of a tenant, or with NULL of all that row security shows, that refer to rows that are not there; raises nothing';
REVOKE ALL ON FUNCTION triage.orphans(text) FROM PUBLIC;
