-- Budgets as tables: periods, what a new budget counts, what bounds a call, and who sees which.
\ir prepare.psql
SELECT plan(59);

-- Periods are those of the calendar in UTC, whatever the session's zone ------------------------------------------------------

SET LOCAL timezone = 'America/New_York';
SELECT is(triage.budget_period_end(p.period::triage.budget_period, p.start::timestamptz), p.wanted::timestamptz, p.period || ' from ' || p.start)
	FROM (VALUES
		('day', '2026-03-08 00:00+00', '2026-03-09 00:00+00'),
		('day', '2026-11-01 00:00+00', '2026-11-02 00:00+00'),
		('day', '2026-12-31 00:00+00', '2027-01-01 00:00+00'),
		('month', '2026-01-01 00:00+00', '2026-02-01 00:00+00'),
		('month', '2028-02-01 00:00+00', '2028-03-01 00:00+00'),
		('month', '2026-03-01 00:00+00', '2026-04-01 00:00+00'),
		('month', '2026-12-01 00:00+00', '2027-01-01 00:00+00')) AS p (period, start, wanted);
SELECT triage.set_budget('day', 5, 'EUR'), triage.set_budget('month', 50, 'EUR');
SELECT is((SELECT b.period_start FROM triage.budget_status b WHERE b.period = 'day'), date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', 'today begins in UTC');
SELECT is((SELECT b.period_start FROM triage.budget_status b WHERE b.period = 'month'), date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', 'so does the month');
RESET timezone;
SET LOCAL timezone = 'UTC';
SELECT triage.drop_budget('day'), triage.drop_budget('month');
SELECT is_empty('SELECT FROM triage.budget_usage', 'a dropped budget leaves nothing');

-- What a new budget counts ---------------------------------------------------------------------------------------------------

SELECT triage.create_tenant('one'), triage.create_tenant('two');
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, cost, currency, finished_at)
	SELECT r.tenant, 1, 1, 'triage', 1, 'succeeded', r.cost, r.currency, r.finished_at
		FROM (VALUES ('one', 1.25, 'EUR', now()), ('one', 2, 'USD', now()), ('two', 4.000000000001, 'EUR', now()), ('one', NULL, 'EUR', now()), ('one', 0, NULL, now()),
			('one', 8, 'EUR', date_trunc('month', now(), 'UTC')), ('one', 16, 'EUR', date_trunc('month', now(), 'UTC') - interval '1 microsecond')) AS r (tenant, cost, currency, finished_at);
SELECT triage.set_budget('month', 100, 'EUR');
SELECT triage.set_budget('month', 100, 'EUR', tenant => 'one');
SELECT triage.set_budget('month', 100, 'USD', tenant => 'two');
SELECT is((SELECT b.spent FROM triage.budget_status b WHERE b.tenant IS NULL), 13.250000000001, 'the period''s runs in its currency, exactly');
SELECT is((SELECT b.spent FROM triage.budget_status b WHERE b.tenant = 'one'), 9.25, 'a tenant''s own');
SELECT is((SELECT b.spent FROM triage.budget_status b WHERE b.tenant = 'two'), 0::numeric, 'nothing in another currency');
SELECT triage.set_budget('month', 9, 'EUR', tenant => 'one');
SELECT is((SELECT concat_ws(' ', b.spend_limit, b.spent, b.remaining, b.exhausted) FROM triage.budget_status b WHERE b.tenant = 'one'), '9 9.25 -0.25 t',
	'a changed limit counts nothing anew, and may lie below what was spent');

-- What was taken in other periods
INSERT INTO triage.budget_usage (budget, period_start, spent, reserved, unsettled)
	SELECT b.id, d.start, 1000, 1000, 1000
		FROM triage.budgets b, (VALUES (date_trunc('month', now(), 'UTC') - interval '1 month'), (date_trunc('month', now(), 'UTC') + interval '1 month')) AS d (start);
SELECT is((SELECT concat_ws(' ', b.spent, b.reserved, b.unsettled) FROM triage.budget_status b WHERE b.tenant = 'one'), '9.25 0 0', 'does not count in this one');

-- What bounds a call -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.terms() RETURNS text
	LANGUAGE sql
AS $$
	SELECT concat_ws(' ', t.api, t.model, coalesce(t.currency, '-'), coalesce(t.input_price::text, '-'), coalesce(t.output_price::text, '-'),
			coalesce(t.max_output_tokens::text, '-')) FROM triage.provider_terms('p') t
$$;
SELECT is(pg_temp.terms(), NULL, 'no provider, no terms');
SELECT triage.set_provider('p', 'openai', 'http://127.0.0.1:1/v1', 'm-1');
SELECT is(pg_temp.terms(), 'openai m-1 - - - -', 'a provider alone has no bound');
SELECT is((SELECT b.uncovered_providers FROM triage.budget_status b WHERE b.tenant IS NULL), '{p}', 'and is not covered; builtin needs no cover');
SELECT triage.set_price('m-*', 2, 3, 'EUR', cached_input => 1, cache_write => 2.5);
SELECT is(pg_temp.terms(), 'openai m-1 EUR 0.0000025 0.000003 -', 'the dearest price of an input token, each of one token');
SELECT is((SELECT b.uncovered_providers FROM triage.budget_status b WHERE b.tenant IS NULL), '{p}', 'a price alone is no bound');
SELECT triage.set_output_limit('p', 500);
SELECT is(pg_temp.terms(), 'openai m-1 EUR 0.0000025 0.000003 500', 'with a limit of output tokens there is one');
SELECT is((SELECT string_agg(coalesce(b.tenant, 'all') || b.uncovered_providers::text, ' ' ORDER BY b.tenant NULLS FIRST) FROM triage.budget_status b), 'all{} one{} two{p}', 'in that currency');
SELECT is((SELECT p.max_tokens_field FROM triage.providers p WHERE p.name = 'p'), 'max_completion_tokens', 'under the name that most endpoints know');
SELECT triage.set_provider('p', 'openai', 'http://127.0.0.1:1/v1', 'm-2');
SELECT is(pg_temp.terms(), 'openai m-2 EUR 0.0000025 0.000003 500', 'a provider that is set anew keeps its limit');
-- what answered counts as well, if it was asked for the same
SAVEPOINT named;
SELECT triage.set_price('l-*', 20, 1, 'EUR'), triage.set_price('x-*', 1, 300, 'EUR'), triage.set_price('d-*', 1000, 1000, 'USD');
INSERT INTO triage.provider_models (provider, asked_model, model) VALUES ('p', 'm-1', 'x-1'), ('q', 'm-2', 'x-1'), ('p', 'm-2', 'd-1'), ('p', 'm-2', 'unknown');
SELECT is(pg_temp.terms(), 'openai m-2 EUR 0.0000025 0.000003 500', 'not what answered for another model or provider, is priced in another currency, or not at all');
INSERT INTO triage.provider_models (provider, asked_model, model) VALUES ('p', 'm-2', 'l-1'), ('p', 'm-2', 'x-1');
SELECT is(pg_temp.terms(), 'openai m-2 EUR 0.00002 0.0003 500', 'of what answered the dearest, for input and output');
SELECT is((SELECT d.detail FROM triage.doctor() d WHERE d.finding = 'dearer model'),
	'provider p is asked for model m-2 and answers as l-1, x-1, which costs more: under a budget its calls reserve as much', 'doctor() says so');
ROLLBACK TO named;
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, provider, model, started_at, finished_at)
	SELECT 'one', 1, 1, 'triage', 1, 'succeeded', r.provider, r.model, r.started_at, r.started_at
		FROM (VALUES ('p', 'm-2', clock_timestamp()), ('p', 'm-2-dated', clock_timestamp()), ('p', 'before', now() - interval '1 hour'),
			('builtin', 'x', clock_timestamp()), ('nobody', 'x', clock_timestamp())) AS r (provider, model, started_at);
SELECT triage.set_budget('day', 5, 'EUR'), triage.drop_budget('day');
SELECT results_eq('SELECT provider, asked_model, model FROM triage.provider_models', $$VALUES ('p', 'm-2', 'm-2-dated')$$, 'a new budget looks up what answered of late');
DELETE FROM triage.provider_models;
SELECT triage.set_budget('month', 13.250000000001 + (triage.least_request_tokens() * 2.5 + 500 * 3) / 1e6, 'EUR');
SELECT is((SELECT b.exhausted FROM triage.budget_status b WHERE b.tenant IS NULL), false, 'what is left covers the shortest call');
SELECT triage.set_budget('month', 13.250000000000 + (triage.least_request_tokens() * 2.5 + 500 * 3) / 1e6, 'EUR');
SELECT is((SELECT b.exhausted FROM triage.budget_status b WHERE b.tenant IS NULL), true, 'a trillionth less does not');

SAVEPOINT priced;
SELECT triage.set_price('m-*', 0, 0, 'USD'), triage.set_output_limit('p', NULL);
SELECT is((SELECT string_agg(DISTINCT b.uncovered_providers::text, ' ') FROM triage.budget_status b), '{}', 'a model that costs nothing needs no cover, in any currency');
SELECT triage.set_budget('month', 0, 'EUR');
SELECT is((SELECT b.exhausted FROM triage.budget_status b WHERE b.tenant IS NULL), true, 'but what was spent beyond the limit stays so');
ROLLBACK TO priced;

-- Who sees which -----------------------------------------------------------------------------------------------------------------

INSERT INTO triage.budget_reservations (tenant, job, fence, budget, period_start, amount, ticket, provider, reserved_at, expires_at)
	SELECT t.tenant, 1, 1, b.id, now(), 1, 1, 'p', now(), now() FROM triage.budgets b, (VALUES ('one'), ('two')) AS t (tenant);
CREATE ROLE regress_triage_reader;
CREATE ROLE regress_triage_caller;
GRANT USAGE ON SCHEMA triage TO regress_triage_reader, regress_triage_caller;
GRANT SELECT ON ALL TABLES IN SCHEMA triage TO regress_triage_reader;
GRANT EXECUTE ON FUNCTION triage.current_tenant(), triage.budget_period_end, triage.least_request_tokens, triage.provider_terms, triage.price_of TO regress_triage_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA triage TO regress_triage_caller;
SET LOCAL ROLE regress_triage_reader;
SET LOCAL triage.tenant = 'one';
SELECT is((SELECT string_agg(coalesce(b.tenant, 'all'), ' ' ORDER BY b.tenant NULLS FIRST) FROM triage.budget_status b), 'all one', 'a session sees the budget of all and its tenant''s own');
SELECT is((SELECT count(DISTINCT u.budget) FROM triage.budget_usage u), 2::bigint, 'and what was taken from these');
SELECT is((SELECT string_agg(DISTINCT r.tenant, ' ') FROM triage.budget_reservations r), 'one', 'but only its own reservations');
SELECT is(pg_temp.outcome('SELECT triage.set_budget(''month'', 1, ''EUR'')'), '42501', 'it sets none');
SELECT is(pg_temp.outcome('SELECT triage.write_off(''month'')'), '42501', 'writes none off');
SELECT is(pg_temp.outcome('SELECT triage.set_price(''m'', 1, 1, ''EUR'')'), '42501', 'and sets no price');
SELECT is(pg_temp.outcome('UPDATE triage.budget_usage SET spent = 0'), '42501', 'nor writes the tables');
SET LOCAL ROLE regress_triage_caller;
SELECT is(pg_temp.outcome('SELECT triage.set_price(''m'', 1, 1, ''EUR'')'), '42501', 'set_price() needs rights on the table');
SELECT is(pg_temp.outcome('SELECT triage.drop_price(''m-*'')'), '42501', 'so does drop_price()');
SELECT is(pg_temp.outcome('SELECT triage.set_output_limit(''p'', 1)'), '42501', 'and set_output_limit()');
SELECT is(pg_temp.outcome('SELECT triage.set_budget(''day'', 1, ''EUR'')'), 'ok', 'set_budget() is for whom it was granted');

-- How many calls fit is no number of its own type's range ----------------------------------------------------------------------

RESET ROLE;
SELECT triage.set_price('m-2', 1e-12, 1e-12, 'EUR');
SELECT count(triage.drop_budget(b.period, b.tenant)::text) FROM triage.budgets b WHERE b.currency <> 'EUR';
UPDATE triage.budget_usage SET spent = 1e9;
SELECT is(pg_temp.outcome('SELECT FROM triage.claim_jobs(1, provider => ''p'')'), 'ok', 'a budget overdrawn by a billion times a billion calls is used up, and no error');

-- What is remembered of what answers ----------------------------------------------------------------------------------------------

UPDATE triage.budget_usage SET spent = 0;
DELETE FROM triage.budget_reservations;
DELETE FROM triage.provider_models;
SELECT triage.set_budget('day', 1000, 'EUR'), triage.set_budget('month', 1000, 'EUR');
SELECT triage.set_price('m-2', 1, 1, 'EUR'), triage.set_price('dear', 2, 2, 'EUR'), triage.set_price('dearer', 1, 3, 'EUR');
INSERT INTO triage.provider_models (provider, asked_model, model) SELECT 'p', 'm-2', 'name-' || i FROM generate_series(1, 99) i;
CREATE FUNCTION pg_temp.answered_by(model text) RETURNS text
	LANGUAGE plpgsql
AS $$
BEGIN
	PERFORM triage.create_ticket('x', 'x');
	IF (SELECT count(*) FROM triage.claim_jobs(1, provider => 'p') c
			WHERE triage.complete_job(c.job_id, c.fence, '{"category": "billing", "urgency": "low", "sentiment_score": 1, "draft_reply": "x"}', model, 1, 0, 1)) <> 1 THEN
		RETURN 'not claimed';
	END IF;
	RETURN (SELECT string_agg(m.model, ' ' ORDER BY m.model) FROM triage.provider_models m WHERE m.model !~ '^name-');
END
$$;
SELECT is(pg_temp.answered_by('m-2'), NULL, 'what was asked for need not be remembered');
SELECT is(pg_temp.answered_by('cheap'), 'cheap', 'what answered for it is');
SELECT is(pg_temp.answered_by('other'), 'cheap', 'a hundred names at most');
SELECT is(pg_temp.answered_by('dear'), 'cheap dear', 'but a dearer one in any case');
SELECT is(pg_temp.answered_by('dear'), 'cheap dear', 'once');
SELECT is(pg_temp.answered_by('dearer'), 'cheap dear dearer', 'dearer by its output, too');
SELECT is((SELECT concat_ws(' ', t.input_price, t.output_price) FROM triage.provider_terms('p') t), '0.000002 0.000003', 'a claim reserves for the dearest of each');
SELECT is((SELECT bool_and(u.reserved = 0 AND u.unsettled = 0 AND u.excess = 0) FROM triage.budget_usage u WHERE u.spent > 0), true, 'none of these cost more than was reserved');

-- Retention ------------------------------------------------------------------------------------------------------------------------

DELETE FROM triage.budget_usage;
SELECT id AS day FROM triage.budgets WHERE period = 'day' AND tenant IS NULL \gset
SELECT id AS month FROM triage.budgets WHERE period = 'month' AND tenant IS NULL \gset
INSERT INTO triage.budget_usage (budget, period_start, spent)
	SELECT v.budget, v.start, v.n
		FROM (VALUES (1, :day, date_trunc('day', now(), 'UTC') - interval '12 days'), (2, :day, date_trunc('day', now(), 'UTC') - interval '9 days'),
			(3, :day, date_trunc('day', now(), 'UTC') - interval '20 days'), (4, :month, date_trunc('month', now(), 'UTC') - interval '3 months'),
			(5, :month, date_trunc('month', now(), 'UTC')), (6, 0, now() - interval '60 days'), (7, 0, now() - interval '20 days')) AS v (n, budget, start);
INSERT INTO triage.budget_reservations (tenant, job, fence, budget, period_start, amount, ticket, provider, reserved_at, expires_at, unsettled_since)
	SELECT 'one', 1, 1, u.budget, u.period_start, 1, 1, 'p', now(), now(), now() FROM triage.budget_usage u WHERE u.spent = 3;
SELECT is_empty('SELECT FROM triage.apply_retention() WHERE target = ''budget_usage''', 'what was taken from budgets is kept for ever');
SELECT is((SELECT count(*) FROM triage.budget_usage), 7::bigint, '(all of it)');
UPDATE triage.retention SET keep = '10 days' WHERE target = 'budget_usage';
SELECT is((SELECT r.deleted FROM triage.apply_retention(1) r WHERE r.target = 'budget_usage'), 1::bigint, 'or as long as the administrator says, in batches');
SELECT is((SELECT r.deleted FROM triage.apply_retention() r WHERE r.target = 'budget_usage'), 2::bigint, 'until nothing is left to delete');
SELECT is((SELECT string_agg(u.spent::text, ' ' ORDER BY u.spent) FROM triage.budget_usage u), '2 3 5 7', 'not what ended since, nor what is not settled');
SELECT is((SELECT r.deleted FROM triage.apply_retention() r WHERE r.target = 'budget_usage'), 0::bigint, 'and nothing more');
SELECT triage.write_off('day');
SELECT is((SELECT r.deleted FROM triage.apply_retention() r WHERE r.target = 'budget_usage'), 1::bigint, 'what was written off is settled');

SELECT finish();
ROLLBACK;
