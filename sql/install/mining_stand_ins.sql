-- Plain stand-ins for what other parts of issue mining bring; this file goes away with their arrival.

CREATE FUNCTION triage.mining_settings_of(tenant_id text)
	RETURNS TABLE (extract_on_resolve boolean, extract_on_sync boolean, summary_language text, min_issues int, min_customers int,
		join_score real, candidate_score real, regression_grace interval)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(m.extract_on_resolve, false), coalesce(m.extract_on_sync, false), coalesce(m.summary_language, 'en'),
			coalesce(m.min_issues, 3), coalesce(m.min_customers, 2), coalesce(m.join_score, 0.8), coalesce(m.candidate_score, 0.2),
			coalesce(m.regression_grace, '0')
		FROM (SELECT) one LEFT JOIN triage.mining_settings m ON m.tenant_id = mining_settings_of.tenant_id
$$;
COMMENT ON FUNCTION triage.mining_settings_of(text) IS 'stand-in';
REVOKE ALL ON FUNCTION triage.mining_settings_of(text) FROM PUBLIC;

CREATE FUNCTION triage.issue_fingerprint(category text, subcategory text, summary text) RETURNS bytea
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sha256(convert_to(category || '/' || subcategory || '/' || lower(btrim(regexp_replace(summary, '\s+', ' ', 'g'))), 'UTF8'))
$$;
COMMENT ON FUNCTION triage.issue_fingerprint(text, text, text) IS 'stand-in';
REVOKE ALL ON FUNCTION triage.issue_fingerprint(text, text, text) FROM PUBLIC;

CREATE FUNCTION triage.issue_candidates(tenant_id text, issue_id bigint, max_candidates int DEFAULT 10)
	RETURNS TABLE (label text, cluster_id bigint, issue_id bigint, score real, name text, summary text, quotes text[])
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH me AS (
		SELECT i.* FROM triage.extracted_issues i WHERE i.tenant_id = $1 AND i.id = $2),
	scored AS (
		SELECT r.id AS cluster_id, CASE WHEN i.cluster_id IS NULL THEN i.id END AS issue_id, i.summary, i.representative_quote,
				r.cluster_name, r.cluster_summary,
				(SELECT count(*) FILTER (WHERE a = ANY (tsvector_to_array(me.search)))::real / greatest(count(*) + cardinality(tsvector_to_array(me.search))
					- count(*) FILTER (WHERE a = ANY (tsvector_to_array(me.search))), 1) FROM unnest(tsvector_to_array(i.search)) a) AS score
			FROM me JOIN triage.extracted_issues i ON i.tenant_id = me.tenant_id AND i.id <> me.id AND i.superseded_at IS NULL
			LEFT JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
			LEFT JOIN triage.issue_clusters r ON r.tenant_id = i.tenant_id AND r.id = coalesce(c.merged_into_id, c.id)
			WHERE r.archived_at IS NULL AND NOT EXISTS (
				SELECT FROM triage.cluster_exclusions e
					WHERE e.tenant_id = me.tenant_id AND e.fingerprint = me.fingerprint AND e.cluster_id = r.id))
	SELECT coalesce('C' || s.cluster_id, 'I' || s.issue_id), s.cluster_id, s.issue_id, max(s.score)::real,
			coalesce(max(s.cluster_name), max(s.summary)), max(s.cluster_summary),
			(array_agg(coalesce(s.representative_quote, s.summary) ORDER BY s.score DESC))[1:2]
		FROM scored s
		WHERE s.score > 0
		GROUP BY s.cluster_id, s.issue_id
		ORDER BY max(s.score) DESC, s.cluster_id NULLS LAST, s.issue_id
		LIMIT $3
$$;
COMMENT ON FUNCTION triage.issue_candidates(text, bigint, int) IS 'stand-in';
REVOKE ALL ON FUNCTION triage.issue_candidates(text, bigint, int) FROM PUBLIC;
