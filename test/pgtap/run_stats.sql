-- run_stats(): calls by stretches of time, found without reading those of other times.
\ir prepare.psql
SELECT no_plan();

INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, latency_ms, input_tokens, cached_tokens, output_tokens, cost, finished_at)
	SELECT tenant, i, i, 'triage', 1, p, m, o::triage.run_outcome, l, t, t / 2, t * 2, c, timestamptz '2026-05-01 10:00:00+00' + at::interval
		FROM (VALUES
			(1, 'default', 'acme', 'm', 'succeeded', 100, 10, 0.5, '0'),
			(2, 'default', 'acme', 'm', 'succeeded', 200, 20, 0.25, '59.999 seconds'),
			(3, 'default', 'acme', 'm', 'throttled', 300, NULL, NULL, '30 seconds'),
			(4, 'default', 'acme', 'n', 'refused', 400, 5, 0.125, '30 seconds'),
			(5, 'default', 'acme', 'm', 'lost', NULL, NULL, NULL, '1 minute'),
			(6, 'default', 'other', 'm', 'unusable_answer', 1, 1, 1, '1 hour'),
			(7, 'elsewhere', 'acme', 'm', 'succeeded', 1, 1, 1, '30 seconds')) AS v (i, tenant, p, m, o, l, t, c, at);

SELECT is((SELECT count(*) FROM triage.run_stats('2026-05-01 10:00:00+00') WHERE currency IS NOT NULL), 0::bigint, 'no price, no currency');
SELECT results_eq($$SELECT to_char(bucket_start AT TIME ZONE 'UTC', 'HH24:MI'), provider, model, calls, succeeded, throttled, refused, lost, p50_ms, p95_ms,
		input_tokens, cached_tokens, output_tokens, cost, unknown_cost
	FROM triage.run_stats('2026-05-01 10:00:00+00', '2026-05-01 10:02:00+00') WHERE provider = 'acme'$$,
	$$VALUES ('10:00', 'acme', 'm', 4::bigint, 3::bigint, 1::bigint, 0::bigint, 0::bigint, 100, 300, 31::bigint, 15::bigint, 62::bigint, 1.75, 1::bigint),
		('10:00', 'acme', 'n', 1, 0, 0, 1, 0, 400, 400, 5, 2, 10, 0.125, 0),
		('10:01', 'acme', 'm', 1, 0, 0, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, 1)$$,
	'by minute, provider and model; the owner sees all tenants');
SELECT results_eq($$SELECT to_char(bucket_start AT TIME ZONE 'UTC', 'HH24:MI'), sum(calls)::int
	FROM triage.run_stats('2026-05-01 10:00:00+00', '2026-05-01 12:00:00+00', '1 hour') GROUP BY 1 ORDER BY 1$$,
	$$VALUES ('10:00', 6), ('11:00', 1)$$, 'by hour');
SELECT is((SELECT sum(calls) FROM triage.run_stats('2026-05-01 10:00:00+00', '2026-05-01 11:00:00+00', '1 day')), 6::numeric, 'the end is not included');
SELECT is((SELECT sum(calls) FROM triage.run_stats('2026-05-01 10:00:30+00', '2026-05-01 10:00:31+00')), 3::numeric, 'the beginning is');
SELECT is((SELECT count(DISTINCT bucket_start) FROM triage.run_stats('2026-05-01 10:00:30+00', '2026-05-01 10:01:29+00')), 2::bigint,
	'stretches begin at whole minutes, whatever is asked');
SELECT is((SELECT unusable_answer FROM triage.run_stats('2026-05-01 10:00:00+00', bucket => '1 day') WHERE provider = 'other'), 1::bigint, 'until now when no end is given');
SELECT is_empty('SELECT * FROM triage.run_stats()', 'nothing in the last hour');
SELECT is((SELECT count(*) FROM pg_proc p, unnest(enum_range(NULL::triage.run_outcome)) o
		WHERE p.oid = 'triage.run_stats'::regproc AND o::text = ANY (p.proargnames)), 10::bigint, 'each outcome has its column');

SELECT is(pg_temp.outcome(c.call), '22023', c.call)
	FROM (VALUES ('SELECT * FROM triage.run_stats(bucket => ''0'')'), ('SELECT * FROM triage.run_stats(bucket => ''1 month'')'),
		('SELECT * FROM triage.run_stats(bucket => ''1 year'')'), ('SELECT * FROM triage.run_stats(bucket => NULL)'),
		('SELECT * FROM triage.run_stats(bucket => ''-1 minute'')'),
		('SELECT * FROM triage.run_stats(''-infinity'')'), ('SELECT * FROM triage.run_stats(NULL)'),
		('SELECT * FROM triage.run_stats(now(), now() - interval ''1 hour'')'), ('SELECT * FROM triage.run_stats(now(), NULL)')) AS c (call);

-- Currencies are not added up
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, cost, currency, finished_at)
	SELECT 'default', i, i, 'triage', 1, 'acme', 'm', 'succeeded', i, CASE WHEN i < 3 THEN 'EUR' ELSE 'USD' END, '2026-04-01 10:00:00+00' FROM generate_series(1, 3) i;
SELECT results_eq($$SELECT currency, calls, cost FROM triage.run_stats('2026-04-01 10:00:00+00', '2026-04-01 10:01:00+00')$$,
	$$VALUES ('EUR', 2::bigint, 3.0), ('USD', 1, 3.0)$$, 'each currency has its row');

-- A tenant's own -------------------------------------------------------------------------------------------------------------------

CREATE ROLE regress_triage_reader;
GRANT USAGE ON SCHEMA triage TO regress_triage_reader;
GRANT SELECT ON triage.ai_runs TO regress_triage_reader;
GRANT EXECUTE ON FUNCTION triage.run_stats(timestamptz, timestamptz, interval), triage.current_tenant() TO regress_triage_reader;
SET LOCAL ROLE regress_triage_reader;
SELECT is((SELECT sum(calls) FROM triage.run_stats('2026-05-01 10:00:00+00')), 6::numeric, 'others see their tenant''s');
RESET ROLE;

-- What it costs --------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.blocks(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT JSON) ' || query INTO plan;
	RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::bigint + (plan #>> '{0,Plan,Shared Read Blocks}')::bigint;
END
$$;
-- a thousand hours of 60 calls, in order
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, latency_ms, finished_at)
	SELECT 'default', i, i, 'triage', 1, 'acme', 'm', 'succeeded', 100, timestamptz '2026-06-01 00:00:00+00' + i * interval '1 minute'
		FROM generate_series(0, 59999) i;
SELECT brin_summarize_new_values('triage.ai_runs_finished') > 0;
ANALYZE triage.ai_runs;
SELECT is((SELECT sum(calls) FROM triage.run_stats('2026-06-10 00:00:00+00', '2026-06-10 01:00:00+00')), 60::numeric, 'one hour of a thousand');
SELECT cmp_ok(pg_temp.blocks($$SELECT * FROM triage.run_stats('2026-06-10 00:00:00+00', '2026-06-10 01:00:00+00')$$), '<',
	pg_relation_size('triage.ai_runs') / 8192 / 2, 'is found by its time, without reading the rest');

SELECT finish();
ROLLBACK;
