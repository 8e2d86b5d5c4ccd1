-- Prices: what an administrator fills in, and how a call finds its price.  They run as the caller: only who may write
-- the table decides what a call is said to cost.
--
-- A run keeps the cost and the price it was written with; ai_runs is append-only, so a price that comes late changes
-- no run that is there.

CREATE FUNCTION triage.set_price(
	model_pattern text,
	input numeric,
	output numeric,
	currency text,
	cached_input numeric DEFAULT NULL,
	cache_write numeric DEFAULT NULL,
	provider text DEFAULT '*',
	valid_from timestamptz DEFAULT now())
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	amount numeric;
BEGIN
	PERFORM triage.check_schema();
	cached_input := coalesce(cached_input, input);
	cache_write := coalesce(cache_write, input);
	IF model_pattern IS NULL OR length(model_pattern) NOT BETWEEN 1 AND 200 THEN
		RAISE EXCEPTION 'a pattern for models has 1 to 200 characters'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use the model''s name, with * for any characters, such as ''small-model*''.';
	ELSIF provider IS NULL OR provider !~ '^([*]|[a-zA-Z0-9][a-zA-Z0-9._-]{0,62})$' THEN
		RAISE EXCEPTION 'provider is neither * nor a provider''s name'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out for a price that counts with any provider.';
	ELSIF currency IS NULL OR currency !~ '^[A-Z]{3}$' THEN
		RAISE EXCEPTION 'currency must be a code of ISO 4217'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'That is three capitals, such as EUR.';
	ELSIF NOT coalesce(valid_from < 'infinity', false) THEN
		RAISE EXCEPTION 'valid_from must be a time, or -infinity'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Left out, it is the start of this transaction.';
	END IF;
	FOREACH amount IN ARRAY ARRAY[input, output, cached_input, cache_write] LOOP
		IF NOT coalesce(amount BETWEEN 0 AND 1e12 AND scale(amount) <= 12, false) THEN
			RAISE EXCEPTION 'a price must be between 0 and 1e12, with at most 12 decimals'
				USING ERRCODE = 'invalid_parameter_value', HINT = 'It is per million tokens; 0 is for models that cost nothing.';
		END IF;
	END LOOP;

	INSERT INTO triage.model_prices (model_pattern, provider, valid_from, input, cached_input, cache_write, output, currency)
		VALUES (set_price.model_pattern, set_price.provider, set_price.valid_from, set_price.input, set_price.cached_input,
			set_price.cache_write, set_price.output, set_price.currency)
		ON CONFLICT ON CONSTRAINT model_prices_pkey DO UPDATE
			SET input = excluded.input, cached_input = excluded.cached_input, cache_write = excluded.cache_write,
				output = excluded.output, currency = excluded.currency;
	-- jobs may have waited for it
	PERFORM triage.wake_worker();
END
$$;
COMMENT ON FUNCTION triage.set_price(text, numeric, numeric, text, numeric, numeric, text, timestamptz) IS
	'says what a model costs, or replaces what was said for the same pattern, provider and time; model_pattern: its name, * stands for any characters; input, output, cached_input, cache_write: per million tokens, 0 to 1e12; cached_input and cache_write NULL: as input; currency: ISO 4217; provider: whose calls, * anybody''s; valid_from: for calls that start then or later, default now: so an earlier row keeps counting for earlier calls; returns nothing; raises 22023 for values that do not fit, 42501 without rights on triage.model_prices';
REVOKE ALL ON FUNCTION triage.set_price(text, numeric, numeric, text, numeric, numeric, text, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.drop_price(model_pattern text, provider text DEFAULT '*', valid_from timestamptz DEFAULT NULL)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dropped bigint;
BEGIN
	PERFORM triage.check_schema();
	DELETE FROM triage.model_prices m
		WHERE m.model_pattern = drop_price.model_pattern AND m.provider = drop_price.provider
			AND (drop_price.valid_from IS NULL OR m.valid_from = drop_price.valid_from);
	GET DIAGNOSTICS dropped = ROW_COUNT;
	IF dropped = 0 THEN
		RAISE EXCEPTION 'there is no such price'
			USING ERRCODE = 'undefined_object', HINT = 'triage.model_prices lists them.';
	END IF;
	RETURN dropped;
END
$$;
COMMENT ON FUNCTION triage.drop_price(text, text, timestamptz) IS
	'removes the prices of a pattern; provider: as given to set_price(); valid_from: only the row of that time, NULL all; runs keep the cost they have; returns the number of rows; raises 42704 when there is none, 42501 without rights on triage.model_prices';
REVOKE ALL ON FUNCTION triage.drop_price(text, text, timestamptz) FROM PUBLIC;

CREATE FUNCTION triage.price_of(
	model text,
	provider text DEFAULT NULL,
	at timestamptz DEFAULT now(),
	asked_model text DEFAULT NULL)
	RETURNS TABLE (model_pattern text, for_provider text, valid_from timestamptz, input numeric, cached_input numeric,
		cache_write numeric, output numeric, currency text)
	LANGUAGE plpgsql STABLE ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT m.model_pattern, m.provider, m.valid_from, m.input, m.cached_input, m.cache_write, m.output, m.currency
			FROM triage.model_prices m
			WHERE m.provider IN ('*', price_of.provider) AND m.valid_from <= at
				AND (coalesce(model, '') LIKE m.like_pattern OR asked_model LIKE m.like_pattern)
			ORDER BY coalesce(model, '') LIKE m.like_pattern DESC, length(replace(m.model_pattern, '*', '')) DESC,
				strpos(m.model_pattern, '*'), m.provider = '*', m.valid_from DESC, m.model_pattern
			LIMIT 1;
END
$$;
COMMENT ON FUNCTION triage.price_of(text, text, timestamptz, text) IS
	'finds the price of a call, per million tokens: of the rows of model_prices that match model and provider and were valid at that time the one whose pattern has the most characters other than *, then one without *, then one that names the provider, then the latest; asked_model: counts where nothing is said of model, as for a dated name of what was asked; returns no row when the price is not known';
REVOKE ALL ON FUNCTION triage.price_of(text, text, timestamptz, text) FROM PUBLIC;
