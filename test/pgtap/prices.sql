-- Prices: which row counts for a call, and what its run then costs, to the last digit.
\ir prepare.psql
SELECT plan(57);

-- What price_of() chooses: the row's pattern and provider, and its input price.
CREATE FUNCTION pg_temp.chosen(model text, provider text DEFAULT 'acme', at timestamptz DEFAULT now(), asked text DEFAULT NULL)
	RETURNS text
	LANGUAGE sql
AS $$
	SELECT coalesce((SELECT format('%s by %s: %s', p.model_pattern, p.for_provider, p.input) FROM triage.price_of(model, provider, at, asked) p), 'unknown')
$$;

SELECT is((SELECT count(*) FROM triage.model_prices), 0::bigint, 'no price list is shipped');
SELECT is(pg_temp.chosen('small'), 'unknown', 'without prices nothing is known');

-- The pattern ----------------------------------------------------------------------------------------------------------

SELECT triage.set_price('small', 1, 2, 'EUR');
SELECT triage.set_price('small-*', 3, 4, 'EUR');
SELECT triage.set_price('small-v?_%-*-new', 5, 6, 'EUR');
SELECT triage.set_price('*-large', 7, 8, 'EUR');
SELECT is(pg_temp.chosen('small'), 'small by *: 1', 'a name without a star is itself');
SELECT is(pg_temp.chosen('smaller'), 'unknown', 'and nothing longer');
SELECT is(pg_temp.chosen('SMALL'), 'unknown', 'case counts');
SELECT is(pg_temp.chosen('small-2026-01-01'), 'small-* by *: 3', 'a star at the end stands for any characters');
SELECT is(pg_temp.chosen('small-'), 'small-* by *: 3', 'none among them');
SELECT is(pg_temp.chosen('x-large'), '*-large by *: 7', 'a star may stand at the beginning');
SELECT is(pg_temp.chosen('small-v?_%-1-new'), 'small-v?_%-*-new by *: 5', 'or in the middle');
SELECT is(pg_temp.chosen('small-v12x-1-new'), 'small-* by *: 3', 'what means something to LIKE means itself');
SELECT is(pg_temp.chosen('small-large'), '*-large by *: 7', 'of two patterns the one with more characters');
SELECT triage.set_price('a\b*', 9, 9, 'EUR');
SELECT is(pg_temp.chosen('a\bc'), 'a\b* by *: 9', 'a backslash is a character');
SELECT triage.set_price('small*', 11, 11, 'EUR');
SELECT is(pg_temp.chosen('small'), 'small by *: 1', 'a name counts more than a pattern with as many characters');
SELECT triage.set_price('*', 0.01, 0.01, 'EUR');
SELECT is(pg_temp.chosen('anything'), '* by *: 0.01', 'a lone star is the last resort');
SELECT is(pg_temp.chosen(''), '* by *: 0.01', 'also of a call that names no model');
SELECT is(pg_temp.chosen(NULL), '* by *: 0.01', 'or NULL');
SELECT triage.drop_price('*');

-- The provider ---------------------------------------------------------------------------------------------------------

SELECT triage.set_price('small', 20, 20, 'EUR', provider => 'acme');
SELECT is(pg_temp.chosen('small'), 'small by acme: 20', 'a row that names the provider counts more than one that does not');
SELECT is(pg_temp.chosen('small', 'other'), 'small by *: 1', 'for that provider only');
SELECT is(pg_temp.chosen('small', NULL), 'small by *: 1', 'and not for nobody');
SELECT triage.set_price('*', 21, 21, 'EUR', provider => 'acme');
SELECT is(pg_temp.chosen('small-1'), 'small-* by *: 3', 'but the pattern comes first');

-- The time -------------------------------------------------------------------------------------------------------------

SELECT triage.set_price('timed', 1, 1, 'EUR', valid_from => '2026-01-01 00:00+00');
SELECT triage.set_price('timed', 2, 2, 'EUR', valid_from => '2026-02-01 00:00+00');
SELECT is(pg_temp.chosen('timed', 'x', '2025-12-31 23:59:59.999999+00'), 'unknown', 'before the first row nothing is known');
SELECT is(pg_temp.chosen('timed', 'x', '2026-01-01 00:00+00'), 'timed by *: 1', 'a row counts from its first moment on');
SELECT is(pg_temp.chosen('timed', 'x', '2026-01-31 23:59:59.999999+00'), 'timed by *: 1', 'until the next');
SELECT is(pg_temp.chosen('timed', 'x', '2026-02-01 00:00+00'), 'timed by *: 2', 'which then counts');
SELECT triage.set_price('timed', 3, 3, 'EUR', valid_from => '2026-02-01 00:00+00');
SELECT is(pg_temp.chosen('timed'), 'timed by *: 3', 'the same pattern, provider and time again replaces the row');
SELECT triage.set_price('timed*', 4, 4, 'EUR', valid_from => '-infinity');
SELECT is(pg_temp.chosen('timed', 'x', '2020-01-01 00:00+00'), 'timed* by *: 4', 'what is not valid yet is passed over for a shorter pattern');

-- The model that was asked ---------------------------------------------------------------------------------------------

SELECT is(pg_temp.chosen('dated-2026', 'x', now(), 'small'), 'small by *: 1', 'an unknown answer is priced as what was asked');
SELECT is(pg_temp.chosen('small-1', 'x', now(), 'timed'), 'small-* by *: 3', 'what answered comes first');
SELECT is(pg_temp.chosen('dated-2026', 'x', now(), 'neither'), 'unknown', 'neither known');

-- set_price() and drop_price() -----------------------------------------------------------------------------------------

SELECT is((SELECT m.cached_input || ' ' || m.cache_write FROM triage.model_prices m WHERE m.model_pattern = 'small-*'), '3 3', 'what is not said of the cache is as input');
SELECT is(pg_temp.outcome(format('SELECT triage.set_price(%s)', c.arguments)), '22023', c.arguments)
	FROM (VALUES ('NULL, 1, 1, ''EUR'''), (''''', 1, 1, ''EUR'''), ('''m'', NULL, 1, ''EUR'''), ('''m'', 1, -1, ''EUR'''), ('''m'', ''NaN'', 1, ''EUR'''),
		('''m'', 1, ''infinity'', ''EUR'''), ('''m'', 1, 0.0000000000001, ''EUR'''), ('''m'', 1, 1, ''eur'''), ('''m'', 1, 1, NULL'),
		('''m'', 1, 1, ''EUR'', provider => ''a b'''), ('''m'', 1, 1, ''EUR'', valid_from => ''infinity''')) AS c (arguments);
SELECT is(pg_temp.outcome('INSERT INTO triage.model_prices VALUES (''m'', ''*'', now(), ''NaN'', 1, 1, 1, ''EUR'')'), '23514 model_prices_amounts', 'the table refuses it too');
SELECT is(triage.drop_price('timed', valid_from => '2026-01-01 00:00+00'), 1::bigint, 'one row can be dropped');
SELECT is(triage.drop_price('timed'), 1::bigint, 'or all of a pattern');
SELECT is(pg_temp.outcome('SELECT triage.drop_price(''timed'')'), '42704', 'what is not there cannot');

-- What a run costs -----------------------------------------------------------------------------------------------------

DELETE FROM triage.model_prices;
SELECT triage.set_price('exact', 0.1, 0.7, 'EUR', cached_input => 0.01, cache_write => 0.125);
SELECT triage.set_price('local', 0, 0, 'EUR');
-- A claimed and finished ticket's run: cost, currency and pattern.
CREATE FUNCTION pg_temp.run_of(model text, input int DEFAULT NULL, cached int DEFAULT NULL, output int DEFAULT NULL, written int DEFAULT NULL)
	RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket bigint := triage.create_ticket('x', 'x');
	job record;
BEGIN
	SELECT * INTO job FROM triage.claim_jobs(1) c;
	IF NOT triage.complete_job(job.job_id, job.fence, '{"category": "billing", "urgency": "low", "sentiment_score": 1, "draft_reply": "x"}',
			model, input, cached, output, written) THEN
		RETURN 'stale';
	END IF;
	RETURN (SELECT concat_ws(' ', coalesce(r.cost::text, 'unknown'), r.currency, r.price->>'model') FROM triage.ai_runs r WHERE r.ticket_id = ticket);
END
$$;
SELECT is(pg_temp.run_of('exact', 1, 0, 0), '0.0000001 EUR exact', 'one token, exactly');
SELECT is(pg_temp.run_of('exact', 2147483647, 0, 2147483647), '1717.9869176 EUR exact', 'as many as can be, exactly');
SELECT is(pg_temp.run_of('exact', 4020, 1000, 100, 2000), '0.000432 EUR exact', 'cached and cache-write tokens are part of the input');
SELECT is(pg_temp.run_of('exact', 10, 2147483647, 0, 2147483647), '289.910292345 EUR exact', 'more cached ones than there are cost what is said');
SELECT is(pg_temp.run_of('exact', 100, NULL, NULL), 'unknown EUR exact', 'without all its tokens a cost is not known, though the price is');
SELECT is(pg_temp.run_of('exact'), 'unknown EUR exact', 'nor without any');
SELECT is(pg_temp.run_of('nobody', 1, 1, 1), 'unknown', 'an unknown model costs NULL, not 0');
SELECT is(pg_temp.run_of('local'), '0 EUR local', 'a price of 0 is a cost of 0, whatever it took');
SELECT is((SELECT r.price FROM triage.ai_runs r WHERE r.cost = 0.000432),
	(SELECT jsonb_build_object('model', 'exact', 'provider', '*', 'valid_from', m.valid_from, 'input', 0.1, 'cached_input', 0.01, 'cache_write', 0.125,
		'output', 0.7, 'currency', 'EUR') FROM triage.model_prices m WHERE m.model_pattern = 'exact'), 'the run keeps the price it was computed with');

-- Who reports no model is taken to have asked the provider's.
SELECT triage.set_provider('priced', 'openai', 'http://127.0.0.1:1/v1', 'exact', enabled => false);
SELECT triage.create_ticket('no model', 'x');
SELECT is((SELECT triage.fail_job(c.job_id, c.fence, 'transient', 'x', '0 seconds', NULL, 1, 0, 0) FROM triage.claim_jobs(1, provider => 'priced') c),
	'retry', 'a failure reported without a model');
SELECT is((SELECT concat_ws(' ', r.model, r.cost, r.currency, r.outcome) FROM triage.ai_runs r ORDER BY r.id DESC LIMIT 1), 'exact 0.0000001 EUR transient',
	'costs what the provider''s model costs');
UPDATE triage.ai_jobs SET run_at = now();
SELECT triage.complete_job(c.job_id, c.fence, '{"category": "billing", "urgency": "low", "sentiment_score": 1, "draft_reply": "x"}', NULL, 2, 0, 0)
	FROM triage.claim_jobs(1, provider => 'priced') c;
SELECT is((SELECT concat_ws(' ', r.model, r.cost, r.currency, r.outcome) FROM triage.ai_runs r ORDER BY r.id DESC LIMIT 1), 'exact 0.0000002 EUR succeeded',
	'and so does an answer');

SELECT finish();
ROLLBACK;
