-- What the builtin provider asks of text search: the best category of each ticket.  The rest of its answer (urgency,
-- mood, draft) is made of words alone, in src/core/builtin.c.

-- Called for every ticket that is written, hence the short way for English first; plpgsql because a function with its
-- path pinned is never inlined, and an SQL function that is not costs several times as much.
CREATE FUNCTION triage.ts_config(language text) RETURNS regconfig
	LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF language IS NULL OR language = 'en' THEN
		RETURN 'pg_catalog.english'::regconfig;
	END IF;
	-- "C": in a Turkish locale the small letter of I is not i; both "de-AT" and "de_AT" are met with
	RETURN CASE split_part(translate(lower(language COLLATE "C"), '_', '-'), '-', 1)
		WHEN 'de' THEN 'pg_catalog.german'::regconfig
		WHEN 'fr' THEN 'pg_catalog.french'::regconfig
		WHEN 'es' THEN 'pg_catalog.spanish'::regconfig
		WHEN 'it' THEN 'pg_catalog.italian'::regconfig
		WHEN 'pt' THEN 'pg_catalog.portuguese'::regconfig
		WHEN 'nl' THEN 'pg_catalog.dutch'::regconfig
		WHEN 'ru' THEN 'pg_catalog.russian'::regconfig
		WHEN 'sv' THEN 'pg_catalog.swedish'::regconfig
		WHEN 'da' THEN 'pg_catalog.danish'::regconfig
		WHEN 'fi' THEN 'pg_catalog.finnish'::regconfig
		WHEN 'no' THEN 'pg_catalog.norwegian'::regconfig
		WHEN 'nb' THEN 'pg_catalog.norwegian'::regconfig
		WHEN 'nn' THEN 'pg_catalog.norwegian'::regconfig
		WHEN 'hu' THEN 'pg_catalog.hungarian'::regconfig
		WHEN 'ro' THEN 'pg_catalog.romanian'::regconfig
		WHEN 'tr' THEN 'pg_catalog.turkish'::regconfig
		ELSE CASE WHEN lower(language COLLATE "C") LIKE 'en%'
			THEN 'pg_catalog.english'::regconfig ELSE 'pg_catalog.simple'::regconfig END
	END;
END
$$;
COMMENT ON FUNCTION triage.ts_config(text) IS
	'the text search configuration for a language tag such as de or pt-BR: english for NULL and en*, simple for a language that PostgreSQL has no stemmer for; raises nothing';
REVOKE ALL ON FUNCTION triage.ts_config(text) FROM PUBLIC;

-- How a ticket is scored.  Each category has lexemes: those of its name and keywords weigh 1, those that only its
-- description has 0.2.  What several categories have is shared among them in proportion to the squares of these
-- weights, so a word that is a keyword of each decides nothing, while a keyword stays strong beside another category's
-- description that happens to use it; what is left of the latter (under 0.02) is dropped.  A ticket's lexeme counts
-- once, and once more when the subject has it too, however often it is repeated.
--
-- The planner knows nothing of how many lexemes a tsvector holds, and a generic plan made while the tables were small
-- stays cached in the worker; so the plan is pinned: everything is joined by hash, the set-returning functions stand in
-- the select list rather than in a join, and the tables are read by their keys however small they are.
CREATE FUNCTION triage.score_categories(tenant_ids text[], ticket_ids bigint[])
	RETURNS TABLE (tenant_id text, ticket_id bigint, category text, best real, second real)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET enable_seqscan = off
	SET enable_nestloop = off
	SET enable_mergejoin = off
	SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH ticket AS MATERIALIZED (
		SELECT t.id, t.tenant_id, t.language, t.search
		FROM triage.tickets AS t
		WHERE t.id = ANY (ticket_ids)
			AND (t.tenant_id, t.id) IN (SELECT u.tenant_id, u.id FROM unnest(tenant_ids, ticket_ids) AS u (tenant_id, id))),
	candidate AS MATERIALIZED (
		SELECT c.tenant_id, c.category, c.keywords, c.description,
			dense_rank() OVER (ORDER BY c.category COLLATE "C") AS number
		FROM triage.ticket_categories AS c
		WHERE c.tenant_id = ANY (ARRAY(SELECT DISTINCT tenant_id FROM ticket)) AND c.is_active),
	vocabulary AS MATERIALIZED (
		SELECT c.tenant_id, coalesce(min(c.number) FILTER (WHERE c.category = 'general'), min(c.number)) AS fallback,
			string_agg(concat_ws(E'\n', c.category, array_to_string(c.keywords, ' '), c.description), E'\n\n'
				ORDER BY c.number) AS content
		FROM candidate AS c
		GROUP BY c.tenant_id),
	-- tickets whose words are compared with the same lexemes; tenants that kept the default categories share one
	family AS MATERIALIZED (
		SELECT f.tenant_id, f.content, f.language, triage.ts_config(f.language) AS config, row_number() OVER () AS family
		FROM (
			SELECT min(v.tenant_id) AS tenant_id, v.content, t.language
			FROM ticket AS t JOIN vocabulary AS v USING (tenant_id)
			GROUP BY v.content, t.language) AS f),
	word AS (
		SELECT f.family, c.number, unnest(
			setweight(to_tsvector(f.config, replace(c.category, '_', ' ') || ' ' || array_to_string(c.keywords, ' ')), 'A')
			|| setweight(to_tsvector(f.config, c.description), 'D')) AS entry
		FROM candidate AS c JOIN family AS f USING (tenant_id)),
	weighed AS (
		-- the keywords come first, so a lexeme of both counts as theirs
		SELECT w.family, w.number, (w.entry).lexeme,
			CASE WHEN (w.entry).weights[1] = 'A' THEN 1::float8 ELSE 0.2::float8 END AS weight
		FROM word AS w),
	shared AS (
		SELECT family, number, lexeme,
			weight * weight * weight / sum(weight * weight) OVER (PARTITION BY family, lexeme) AS weight
		FROM weighed),
	term AS MATERIALIZED (
		SELECT family, number, lexeme, weight FROM shared WHERE weight > 0.02::float8),
	said AS (
		SELECT t.id, f.family,
			t.tenant_id, unnest(tsvector_to_array(t.search) || tsvector_to_array(ts_filter(t.search, '{a}'))) AS lexeme
		FROM ticket AS t JOIN vocabulary AS v USING (tenant_id)
			JOIN family AS f ON v.content = f.content AND coalesce(t.language, '') = coalesce(f.language, '')),
	score AS (
		SELECT s.tenant_id, s.id, term.number, sum(term.weight) AS score
		FROM said AS s JOIN term USING (family, lexeme)
		GROUP BY s.tenant_id, s.id, term.number),
	ranked AS (
		SELECT DISTINCT ON (tenant_id, id) tenant_id, id, number, score,
			lead(score) OVER (PARTITION BY tenant_id, id ORDER BY score DESC, number) AS second
		FROM score
		ORDER BY tenant_id, id, score DESC, number)
	SELECT t.tenant_id, t.id, c.category, coalesce(r.score, 0)::real, coalesce(r.second, 0)::real
	FROM ticket AS t JOIN vocabulary AS v USING (tenant_id) LEFT JOIN ranked AS r USING (tenant_id, id)
		JOIN (SELECT DISTINCT number, category FROM candidate) AS c ON c.number = coalesce(r.number, v.fallback);
END
$$;
COMMENT ON FUNCTION triage.score_categories(text[], bigint[]) IS
	'for each of the tickets (pairs of tenant and id; up to 128 at once) the active category of its tenant that text search finds most of in it, with its score and the runner-up''s (no unit, 0 or more); best is 0 when nothing matched, and the category then "general" or the first by name; no row for a ticket that does not exist or whose tenant has no active category; raises nothing of its own';
REVOKE ALL ON FUNCTION triage.score_categories(text[], bigint[]) FROM PUBLIC;
