-- Budgets: limits of what calls may cost.  set_budget() and drop_budget() run as the owner, since a new budget counts
-- what the period's runs have cost already; whoever is granted them decides what may be spent.
--
-- Periods are those of the calendar in UTC.

CREATE FUNCTION triage.budget_period_end(period triage.budget_period, period_start timestamptz) RETURNS timestamptz
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (period_start AT TIME ZONE 'UTC' + CASE period WHEN 'day' THEN interval '1 day' ELSE interval '1 month' END)
		AT TIME ZONE 'UTC';
END
$$;
COMMENT ON FUNCTION triage.budget_period_end(triage.budget_period, timestamptz) IS
	'the first moment of the period after the one that begins at period_start';
REVOKE ALL ON FUNCTION triage.budget_period_end(triage.budget_period, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.least_request_tokens() RETURNS int
	LANGUAGE c IMMUTABLE STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_least_request_tokens';
COMMENT ON FUNCTION triage.least_request_tokens() IS
	'how many input tokens a budget reserves for the shortest request: what a call may cost at most begins with them';
REVOKE ALL ON FUNCTION triage.least_request_tokens() FROM PUBLIC;

CREATE FUNCTION triage.provider_terms(provider text, at timestamptz DEFAULT now())
	RETURNS TABLE (api text, model text, max_output_tokens int, updated_at timestamptz, currency text,
		input_price numeric, output_price numeric)
	LANGUAGE plpgsql STABLE ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- 0.000001: a multiplication is exact
	RETURN QUERY
		SELECT p.api::text, p.model, p.max_output_tokens, p.updated_at, c.currency,
				trim_scale(greatest(c.input, c.cached_input, c.cache_write, d.input) * 0.000001),
				trim_scale(greatest(c.output, d.output) * 0.000001)
			FROM triage.providers p
			LEFT JOIN LATERAL triage.price_of(p.model, p.name, at) c ON p.api <> 'builtin'
			-- a cost in another currency is no budget's here
			LEFT JOIN LATERAL (
				SELECT max(greatest(k.input, k.cached_input, k.cache_write)) AS input, max(k.output) AS output
					FROM triage.provider_models m
					CROSS JOIN LATERAL triage.price_of(m.model, m.provider, at, m.asked_model) k
					WHERE m.provider = p.name AND m.asked_model = p.model AND k.currency = c.currency) d ON true
			WHERE p.name = provider_terms.provider;
END
$$;
COMMENT ON FUNCTION triage.provider_terms(text, timestamptz) IS
	'what bounds the cost of a call of a provider: the dearest price of an input token and of an output token, each of one token, of the model that it is asked for and of those that its replies have named (provider_models), and its limit of output tokens; nulls where that is not known; no row when there is no such provider';
REVOKE ALL ON FUNCTION triage.provider_terms(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.set_output_limit(provider text, max_output_tokens int, field text DEFAULT 'max_completion_tokens')
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF max_output_tokens NOT BETWEEN 1 AND 10000000 THEN
		RAISE EXCEPTION 'max_output_tokens must be between 1 and 10000000, not %', max_output_tokens
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL leaves it to the endpoint.';
	ELSIF field IS NULL OR field NOT IN ('max_completion_tokens', 'max_tokens') THEN
		RAISE EXCEPTION 'field must be max_completion_tokens or max_tokens'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use the name that the endpoint gives to its limit of output tokens.';
	END IF;
	UPDATE triage.providers p
		SET max_output_tokens = set_output_limit.max_output_tokens, max_tokens_field = field
		WHERE p.name = set_output_limit.provider;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'provider "%" does not exist', coalesce(left(provider, 100), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = 'triage.providers lists them.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.set_output_limit(text, int, text) IS
	'limits the length of a provider''s answers; a budget asks for such a limit; max_output_tokens: 1 to 10000000, reasoning included, sent with each request; NULL: not sent; field: what the endpoint calls it, max_completion_tokens or max_tokens; an answer that is cut short by it is an unusable one, and billed; returns nothing; raises 22023 for values that do not fit, 42704 when there is no such provider, 42501 without rights on triage.providers';
REVOKE ALL ON FUNCTION triage.set_output_limit(text, int, text) FROM PUBLIC;

CREATE FUNCTION triage.check_budget(period triage.budget_period, tenant text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF period IS NULL THEN
		RAISE EXCEPTION 'period must not be NULL'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is day or month.';
	ELSIF tenant IS NOT NULL AND NOT EXISTS (SELECT FROM triage.tenants t WHERE t.id = check_budget.tenant) THEN
		RAISE EXCEPTION 'tenant "%" does not exist', left(tenant, 100)
			USING ERRCODE = 'undefined_object', HINT = 'NULL stands for all tenants together.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_budget(triage.budget_period, text) IS
	'checks the arguments that name a budget; returns nothing; raises 22023 when period is null, 42704 when there is no such tenant';
REVOKE ALL ON FUNCTION triage.check_budget(triage.budget_period, text) FROM PUBLIC;

CREATE FUNCTION triage.set_budget(period triage.budget_period, spend_limit numeric, currency text, tenant text DEFAULT NULL)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	start CONSTANT timestamptz := date_trunc(period::text, now(), 'UTC');
	budget record;
	uncovered text;
BEGIN
	PERFORM triage.check_budget(period, tenant);
	IF NOT coalesce(spend_limit BETWEEN 0 AND 1e15, false) THEN
		RAISE EXCEPTION 'spend_limit must be between 0 and 1e15'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'With 0 nothing that costs something is called.';
	ELSIF currency IS NULL OR currency !~ '^[A-Z]{3}$' THEN
		RAISE EXCEPTION 'currency must be a code of ISO 4217'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'That is three capitals, such as EUR.';
	END IF;

	SELECT b.id, b.currency INTO budget
		FROM triage.budgets b
		WHERE b.tenant IS NOT DISTINCT FROM set_budget.tenant AND b.period = set_budget.period
		FOR UPDATE;
	IF NOT FOUND THEN
		-- no run may be written between the sum and the commit: it would count in neither
		LOCK TABLE triage.ai_runs IN SHARE MODE;
		INSERT INTO triage.budgets (tenant, period, spend_limit, currency)
			VALUES (set_budget.tenant, set_budget.period, set_budget.spend_limit, set_budget.currency)
			RETURNING id, budgets.currency INTO budget;
		INSERT INTO triage.budget_usage (budget, period_start, spent)
			SELECT budget.id, start, coalesce(sum(r.cost), 0)
				FROM triage.ai_runs r
				WHERE r.finished_at >= start AND r.currency = set_budget.currency
					AND (set_budget.tenant IS NULL OR r.tenant_id = set_budget.tenant);
		-- while there is no budget nobody keeps them: the dearest that answered of late, asked for what is asked for now
		INSERT INTO triage.provider_models (provider, asked_model, model)
			SELECT p.name, p.model, r.model
				FROM triage.ai_runs r JOIN triage.providers p ON p.name = r.provider
				WHERE r.finished_at >= now() - interval '1 day' AND r.started_at >= p.updated_at AND r.model <> p.model
					AND p.api <> 'builtin'
				GROUP BY p.name, p.model, r.model
				ORDER BY max(r.cost) DESC NULLS LAST LIMIT 100
			ON CONFLICT DO NOTHING;
	ELSIF budget.currency <> set_budget.currency THEN
		RAISE EXCEPTION 'this budget is in %', budget.currency
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Its amounts are not converted: drop it with triage.drop_budget and set it anew.';
	ELSE
		UPDATE triage.budgets b SET spend_limit = set_budget.spend_limit, updated_at = now() WHERE b.id = budget.id;
	END IF;

	SELECT string_agg(p.name, ', ' ORDER BY p.rank, p.name) INTO uncovered
		FROM triage.providers p, triage.provider_terms(p.name) t
		WHERE p.enabled AND p.api <> 'builtin' AND (t.input_price = 0 AND t.output_price = 0) IS NOT TRUE
			AND (t.currency IS DISTINCT FROM set_budget.currency OR t.max_output_tokens IS NULL);
	IF uncovered IS NOT NULL THEN
		RAISE WARNING 'not called under this budget: %', uncovered
			USING HINT = format('A call whose cost has no known bound cannot keep to a limit. Give the model a price in %s (triage.set_price) and the provider a limit of output tokens (triage.set_output_limit).', set_budget.currency);
	END IF;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.set_budget(triage.budget_period, numeric, text, text) IS
	'limits what calls may cost, or changes the limit; period: day or month of the calendar in UTC; spend_limit: 0 to 1e15 in currency; currency: ISO 4217; tenant: whose calls, NULL those of all tenants together; a new budget counts what the period''s runs have cost so far; calls whose cost is not bounded by a price in this currency and a limit of output tokens are not made while it stands, and a warning names their providers; returns nothing; raises 22023 for values that do not fit, 42704 when there is no such tenant, 55000 when the budget is in another currency';
REVOKE ALL ON FUNCTION triage.set_budget(triage.budget_period, numeric, text, text) FROM PUBLIC;

CREATE FUNCTION triage.drop_budget(period triage.budget_period, tenant text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_id bigint;
BEGIN
	PERFORM triage.check_budget(period, tenant);
	DELETE FROM triage.budgets b
		WHERE b.tenant IS NOT DISTINCT FROM drop_budget.tenant AND b.period = drop_budget.period
		RETURNING b.id INTO found_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no such budget'
			USING ERRCODE = 'undefined_object', HINT = 'triage.budgets lists them.';
	END IF;
	DELETE FROM triage.budget_reservations r WHERE r.budget = found_id;
	DELETE FROM triage.budget_usage u WHERE u.budget = found_id;
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.drop_budget(triage.budget_period, text) IS
	'lifts a limit and forgets what was counted under it; tenant: NULL for the budget of all tenants; returns nothing; raises 42704 when there is no such budget or tenant';
REVOKE ALL ON FUNCTION triage.drop_budget(triage.budget_period, text) FROM PUBLIC;

CREATE FUNCTION triage.write_off(period triage.budget_period, tenant text DEFAULT NULL) RETURNS numeric
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_id bigint;
	written_off numeric;
BEGIN
	PERFORM triage.check_budget(period, tenant);
	SELECT b.id INTO found_id
		FROM triage.budgets b
		WHERE b.tenant IS NOT DISTINCT FROM write_off.tenant AND b.period = write_off.period
		FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no such budget'
			USING ERRCODE = 'undefined_object', HINT = 'triage.budgets lists them.';
	END IF;
	WITH gone AS (
		DELETE FROM triage.budget_reservations r
			WHERE r.budget = found_id AND r.unsettled_since IS NOT NULL
			RETURNING r.period_start, r.amount
	), sums AS (
		SELECT g.period_start, sum(g.amount) AS amount FROM gone g GROUP BY g.period_start
	), changed AS (
		UPDATE triage.budget_usage u SET unsettled = u.unsettled - s.amount
			FROM sums s WHERE u.budget = found_id AND u.period_start = s.period_start
			RETURNING s.amount
	)
	SELECT coalesce(sum(c.amount), 0) INTO written_off FROM changed c;
	PERFORM triage.wake_worker();
	RETURN written_off;
END
$$;
COMMENT ON FUNCTION triage.write_off(triage.budget_period, text) IS
	'takes back what a budget counts as unsettled, when the bill has shown that it was not charged; tenant: NULL for the budget of all tenants; returns the amount; raises 42704 when there is no such budget or tenant';
REVOKE ALL ON FUNCTION triage.write_off(triage.budget_period, text) FROM PUBLIC;
