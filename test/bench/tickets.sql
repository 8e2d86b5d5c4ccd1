-- What the benchmark loads: tickets of about 1 kB, the same ones in every run.
CREATE SCHEMA bench;

CREATE FUNCTION bench.description(i bigint) RETURNS text
	LANGUAGE sql IMMUTABLE
	RETURN 'Since the update of last week the export of order ' || i || ' stops with error code ' || (i * 7919) % 1000 ||
		'. ' || repeat('We restarted the application, cleared the cache and tried a second account, without success. ', 9) ||
		'Please tell us by ' || (ARRAY['Monday', 'Wednesday', 'Friday'])[1 + i % 3] || ' what we can do; customer ' ||
		(i * 104729) % 100000 || ' is waiting.';

-- labels: none, so that the result sets category and priority; manual, so that it sets neither
CREATE PROCEDURE bench.load(tickets bigint, labels text)
	LANGUAGE plpgsql
AS $$
BEGIN
	-- the ledgers refuse TRUNCATE; a replica's session is not asked
	SET LOCAL session_replication_role = replica;
	SET LOCAL client_min_messages = warning;
	TRUNCATE triage.tickets, triage.ai_runs RESTART IDENTITY CASCADE;
	SET LOCAL session_replication_role = origin;
	INSERT INTO triage.tickets (subject, description, requester_email, category, category_is_manual, priority_is_manual)
		SELECT 'Export of order ' || i || ' fails', bench.description(i), 'customer' || i % 1000 || '@example.com',
			CASE labels WHEN 'manual' THEN (SELECT min(category) FROM triage.ticket_categories) END,
			labels = 'manual', labels = 'manual'
		FROM generate_series(1, tickets) AS i;
END
$$;

-- Without triggers, for a queue of a million: what it costs to fill is not what is measured.
CREATE PROCEDURE bench.load_fast(tickets bigint, small boolean)
	LANGUAGE plpgsql
AS $$
BEGIN
	CALL bench.load(0, 'none');
	SET LOCAL session_replication_role = replica;
	INSERT INTO triage.tickets (subject, description)
		SELECT 'Export of order ' || i || ' fails', CASE WHEN small THEN 'See above.' ELSE bench.description(i) END
		FROM generate_series(1, tickets) AS i;
	INSERT INTO triage.ai_jobs (tenant_id, ticket_id, priority)
		SELECT t.tenant_id, t.id, t.priority FROM triage.tickets t ORDER BY t.id;
	SET LOCAL session_replication_role = origin;
END
$$;
