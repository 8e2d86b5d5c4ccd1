-- Which clusters an issue may belong to: the live clusters, and the issues without one, that read most like it.
--
-- Two signals, each a similarity from 0 to 1: the words that two summaries share (cosine over their lexemes, no idf: it
-- buys nothing here), and, where pg_trgm is installed, their trigrams, which forgive spelling and word forms.  Their mean
-- is the score, so that one number serves the order, the thresholds of mining_settings and the log.  Words choose a pool
-- and trigrams judge it: an index of trigrams finds hardly anything more and has to be read at length.  A further signal,
-- such as embeddings, would be one more array beside them.

-- The extension may stand in any schema, which need not be the owner's: only a function that the extension brought and
-- that is written in C, so that a superuser made it, is called with the owner's rights.
CREATE FUNCTION triage.trigram_similarities(texts text[], other text) RETURNS real[]
	LANGUAGE plpgsql STABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	place name;
	similarities real[];
BEGIN
	SELECT n.nspname INTO place
		FROM pg_extension e
			JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
				AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
			JOIN pg_proc p ON p.oid = d.objid
			JOIN pg_namespace n ON n.oid = p.pronamespace
			JOIN pg_language l ON l.oid = p.prolang
		WHERE e.extname = 'pg_trgm' AND p.proname = 'similarity' AND l.lanname = 'c'
			AND p.pronargs = 2 AND p.proargtypes[0] = 'text'::regtype AND p.proargtypes[1] = 'text'::regtype;
	IF FOUND THEN
		EXECUTE format('SELECT array_agg(%I.similarity(u.text, $2) ORDER BY u.n) FROM unnest($1) WITH ORDINALITY u (text, n)', place)
			INTO similarities USING texts, other;
	END IF;
	RETURN similarities;
END
$$;
COMMENT ON FUNCTION triage.trigram_similarities(text[], text) IS
	'how much each of the texts has in common with another, by pg_trgm, wherever that is installed; returns an array as long, of 0 to 1, or NULL without pg_trgm; raises nothing';
REVOKE ALL ON FUNCTION triage.trigram_similarities(text[], text) FROM PUBLIC;

-- The words of an issue as its index knows them: with the tenant before them, for a list of all tenants' issues with a
-- word would be read and thrown away.  The tenant's hash is short, and who shares it is told apart by tenant_id.
CREATE FUNCTION triage.issue_terms(tenant_id text, words tsvector) RETURNS tsvector
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_to_tsvector(ARRAY (SELECT to_hex(hashtext(tenant_id)) || u.word FROM unnest(tsvector_to_array(words)) u (word)))
$$;
COMMENT ON FUNCTION triage.issue_terms(text, tsvector) IS
	'words as the index extracted_issues_terms keeps them, with a hash of their tenant before them; tenant_id: whose; words: those of extracted_issues.search; raises nothing';
REVOKE ALL ON FUNCTION triage.issue_terms(text, tsvector) FROM PUBLIC;

-- Words as a text that can be cast to tsquery.
CREATE FUNCTION triage.quote_words(words text[]) RETURNS text[]
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT array_agg('''' || replace(replace(u.word, E'\\', E'\\\\'), '''', '''''') || '''' ORDER BY u.n)
		FROM unnest(words) WITH ORDINALITY u (word, n)
$$;
COMMENT ON FUNCTION triage.quote_words(text[]) IS
	'words as they are written in a tsquery, in the same order; words: lexemes; returns NULL for none; raises nothing';
REVOKE ALL ON FUNCTION triage.quote_words(text[]) FROM PUBLIC;

-- Which issues are worth a look.  Every one that shares a word would be the best answer, and a common word stands in a
-- tenth of them.  So each word by itself as long as all of them together lead to no more than most_rows issues, the rarest
-- first, and of the others two together: an issue that shares nothing but one common word with another is not like it.
-- How common a word is, the planner's statistics know; how often two meet is taken to be chance.
CREATE FUNCTION triage.candidate_query(tenant_id text, words tsvector, most_rows int) RETURNS tsquery
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	most_words CONSTANT int := 16;
	total float8;
	terms text[];
	shares float8[];							-- of all issues, that have the word
	common int := 1;							-- the first word that does not stand alone
	found_rows float8 := 0;
	query text := '';
BEGIN
	SELECT greatest(c.reltuples, 0) INTO total FROM pg_class c WHERE c.oid = to_regclass('triage.extracted_issues_terms');
	WITH known AS MATERIALIZED (
		SELECT s.most_common_elems::text::text[] AS elements, s.most_common_elem_freqs AS shares
			FROM pg_stats s
			WHERE s.schemaname = 'triage' AND s.tablename = 'extracted_issues_terms'),
	measured AS (
		-- behind the shares of the listed stand the least and the greatest of them: what is not listed is rarer
		SELECT u.term, coalesce(k.share, (SELECT n.shares[cardinality(n.shares) - 1] / 2 FROM known n), 0) AS share
			FROM unnest(tsvector_to_array(triage.issue_terms(candidate_query.tenant_id, candidate_query.words))) u (term)
			LEFT JOIN (SELECT e.* FROM known n, unnest(n.elements, n.shares) e (term, share)) k ON k.term = u.term
			ORDER BY 2, 1
			LIMIT most_words)
	SELECT triage.quote_words(array_agg(m.term ORDER BY m.share, m.term)), array_agg(m.share ORDER BY m.share, m.term)
		INTO terms, shares
		FROM measured m;
	IF terms IS NULL THEN
		RETURN NULL;
	END IF;
	WHILE common <= cardinality(terms) AND found_rows + shares[common] * total <= most_rows LOOP
		found_rows := found_rows + shares[common] * total;
		query := query || '|' || terms[common];
		common := common + 1;
	END LOOP;
	FOR b IN common + 1 .. cardinality(terms) LOOP
		FOR a IN common .. b - 1 LOOP
			CONTINUE WHEN found_rows + shares[a] * shares[b] * total > most_rows;
			found_rows := found_rows + shares[a] * shares[b] * total;
			query := query || '|' || terms[a] || '&' || terms[b];
		END LOOP;
	END LOOP;
	IF query = '' THEN
		query := '|' || array_to_string(terms[:3], '&');
	END IF;
	RETURN substr(query, 2)::tsquery;
END
$$;
COMMENT ON FUNCTION triage.candidate_query(text, tsvector, int) IS
	'the query over the index extracted_issues_terms for issues that share words with one; tenant_id, words: its tenant and its search; most_rows: how many it may find, as far as can be foreseen; returns NULL without words; raises nothing';
REVOKE ALL ON FUNCTION triage.candidate_query(text, tsvector, int) FROM PUBLIC;

CREATE FUNCTION triage.issue_candidates(tenant_id text, of_issue_id bigint, max_candidates int DEFAULT 10)
	RETURNS TABLE (label text, cluster_id bigint, issue_id bigint, score real, name text, summary text, quotes text[])
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	most_rows CONSTANT int := 800;				-- that are ranked, about
	most_members CONSTANT int := 3;				-- of a cluster, that are looked at closely
	pool_size CONSTANT int := 80;
	compared CONSTANT int := 250;				-- characters whose trigrams are looked at
	quote_length CONSTANT int := 300;
	me record;
	words text[];
	alternatives tsquery;						-- its words, for ts_rank
	query tsquery;
	barred bigint[];
	pool record;
	spellings real[];
BEGIN
	IF max_candidates IS NULL OR max_candidates < 1 THEN
		RAISE EXCEPTION 'max_candidates must be positive, not %', coalesce(max_candidates::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It bounds how many candidates are returned.';
	END IF;
	SELECT i.ticket_id, i.category, i.subcategory, i.fingerprint, i.summary, i.search INTO me
		FROM triage.extracted_issues i
		WHERE i.tenant_id = issue_candidates.tenant_id AND i.id = of_issue_id;
	words := tsvector_to_array(me.search);
	IF coalesce(cardinality(words), 0) = 0 THEN
		RETURN;
	END IF;
	alternatives := array_to_string(triage.quote_words(words), '|')::tsquery;
	query := triage.candidate_query(issue_candidates.tenant_id, me.search, most_rows);
	-- what was taken out of a cluster is not offered it again, nor what that was merged into
	barred := ARRAY (
		SELECT unnest(ARRAY[c.id, c.merged_into_id])
			FROM triage.cluster_exclusions x
			JOIN triage.issue_clusters c ON c.tenant_id = x.tenant_id AND c.id = x.cluster_id
			WHERE x.tenant_id = issue_candidates.tenant_id AND x.fingerprint = me.fingerprint);

	WITH matched AS MATERIALIZED (
		SELECT i.id, i.cluster_id, i.ticket_id, i.summary,
				-- ts_rank of a query of alternatives is the share of them that is found, times 6 / pi squared
				least(1, ts_rank('{1, 1, 1, 1}', i.search, alternatives) * pi() * pi() / 6 * cardinality(words)
					/ sqrt(cardinality(words) * length(i.search))) AS similarity
			FROM triage.extracted_issues i
			WHERE i.tenant_id = issue_candidates.tenant_id AND i.superseded_at IS NULL
				AND triage.issue_terms(i.tenant_id, i.search) @@ query AND i.id <> of_issue_id AND i.summary <> '[erased]'
			LIMIT 3 * most_rows),
	closest AS (
		SELECT r.*
			FROM (
				SELECT m.*, row_number() OVER (PARTITION BY coalesce(m.cluster_id, -m.id) ORDER BY m.similarity DESC, m.id DESC) AS n
					FROM matched m) r
			WHERE r.n <= most_members
			ORDER BY r.similarity DESC, r.id DESC
			LIMIT 2 * pool_size),
	live AS (
		SELECT l.id, coalesce(t.id, c.id) AS cluster_id, l.similarity, l.summary
			FROM closest l
			LEFT JOIN triage.issue_clusters c ON c.tenant_id = issue_candidates.tenant_id AND c.id = l.cluster_id
			LEFT JOIN triage.issue_clusters t ON t.tenant_id = issue_candidates.tenant_id AND t.id = c.merged_into_id
			WHERE CASE
				-- two issues of one ticket are two problems
				WHEN l.cluster_id IS NULL THEN l.ticket_id <> me.ticket_id
				ELSE CASE WHEN t.id IS NULL THEN c.archived_at ELSE t.archived_at END IS NULL
					AND coalesce(t.id, c.id) <> ALL (barred) END
			ORDER BY l.similarity DESC, l.id DESC
			LIMIT pool_size)
	SELECT array_agg(l.id) AS ids, array_agg(l.cluster_id) AS clusters, array_agg(l.similarity) AS similarities,
			array_agg(left(l.summary, compared)) AS summaries
		INTO pool
		FROM live l;
	spellings := triage.trigram_similarities(pool.summaries, left(me.summary, compared));

	RETURN QUERY
	WITH scored AS (
		SELECT u.id, u.cluster_id,
				-- Words alone promise more than they keep: lowered, so that a threshold means the same without pg_trgm (as
				-- many wrong joins on the training part, see doc/evaluation.md); what has the same words stays 1.
				round(CASE WHEN spellings IS NULL THEN u.wording * (0.6 + 0.4 * u.wording * u.wording)
					ELSE (u.wording + u.spelling) / 2 END::numeric, 3)::real AS score
			FROM unnest(pool.ids, pool.clusters, pool.similarities, spellings) u (id, cluster_id, wording, spelling)),
	candidates AS (
		SELECT s.cluster_id, CASE WHEN s.cluster_id IS NULL THEN s.id END AS issue_id, max(s.score) AS score,
				(array_agg(s.id ORDER BY s.score DESC, s.id DESC))[:2] AS best
			FROM scored s
			GROUP BY 1, 2),
	placed AS (
		SELECT k.*, c.cluster_name, coalesce(c.cluster_summary, i.summary) AS summary,
				CASE WHEN coalesce(c.category, i.category) <> me.category THEN 2
					WHEN coalesce(c.subcategory, i.subcategory) <> me.subcategory THEN 1 ELSE 0 END AS distance
			FROM candidates k
			LEFT JOIN triage.issue_clusters c ON c.tenant_id = issue_candidates.tenant_id AND c.id = k.cluster_id
			LEFT JOIN triage.extracted_issues i ON i.tenant_id = issue_candidates.tenant_id AND i.id = k.issue_id),
	-- The same pair comes first, but not alone: the model may have named the wrong one.
	chosen AS (
		SELECT r.*
			FROM (SELECT p.*, row_number() OVER (ORDER BY p.distance, p.score DESC, p.cluster_id, p.issue_id) AS n FROM placed p) r
			ORDER BY r.n > max_candidates * 7 / 10, r.score DESC, r.n
			LIMIT max_candidates)
	SELECT CASE WHEN h.cluster_id IS NULL THEN 'I' || h.issue_id ELSE 'C' || h.cluster_id END, h.cluster_id, h.issue_id,
			h.score, h.cluster_name, h.summary,
			ARRAY (
				SELECT left(coalesce(q.representative_quote, q.summary), quote_length)
					FROM unnest(h.best) WITH ORDINALITY b (id, n)
					JOIN triage.extracted_issues q ON q.tenant_id = issue_candidates.tenant_id AND q.id = b.id
					ORDER BY b.n)
		FROM chosen h
		ORDER BY h.distance, h.score DESC, h.n;
END
$$;
COMMENT ON FUNCTION triage.issue_candidates(text, bigint, int) IS
	'what an issue may belong to; tenant_id, of_issue_id: whose and which; max_candidates: most that are returned; returns live clusters (merged ones as what they were merged into; label C and the id) and issues without a cluster (label I and the id), those of the same category and subcategory first, then of the same category, each with its best member''s similarity from 0 to 1, its name, its summary and up to two quotes; what was taken out of a cluster is not offered it again; no row when nothing reads like it, or there is no such issue; raises 22023 unless max_candidates is positive';
REVOKE ALL ON FUNCTION triage.issue_candidates(text, bigint, int) FROM PUBLIC;
