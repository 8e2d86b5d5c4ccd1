-- Candidates: which clusters an issue is offered, in which order, with which score, and how much is read for it.
\ir prepare.psql
SELECT no_plan();

INSERT INTO triage.tenants (id, name) VALUES ('other', 'Other');
INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory)
	VALUES ('default', 'CLOCK', 'punch'), ('default', 'CLOCK', 'reporting'), ('default', 'PAY', 'reporting'), ('other', 'CLOCK', 'punch');
SELECT triage.create_ticket('x', 'x', external_id => 'one') AS one, triage.create_ticket('y', 'y', external_id => 'two') AS two \gset

-- An issue; its own ticket unless one is named.
CREATE FUNCTION pg_temp.issue(summary text, cluster bigint DEFAULT NULL, category text DEFAULT 'CLOCK', subcategory text DEFAULT 'punch',
	ticket bigint DEFAULT NULL, tenant text DEFAULT 'default') RETURNS bigint
	LANGUAGE plpgsql
AS $$
DECLARE
	made bigint;
BEGIN
	IF ticket IS NULL THEN
		PERFORM set_config('triage.tenant', tenant, true);
		ticket := triage.create_ticket('x', 'x');
		PERFORM set_config('triage.tenant', '', true);
	END IF;
	INSERT INTO triage.extracted_issues (tenant_id, ticket_id, cluster_id, assigned_by, category, subcategory, issue_type, severity, summary,
			fingerprint, reported_at)
		VALUES (tenant, ticket, cluster, CASE WHEN cluster IS NOT NULL THEN 'human'::triage.issue_assigner END, category, subcategory, 'bug', 'low',
			summary, sha256(convert_to(summary, 'UTF8')), now())
		RETURNING id INTO made;
	RETURN made;
END
$$;
CREATE FUNCTION pg_temp.cluster(name text, category text DEFAULT 'CLOCK', subcategory text DEFAULT 'punch') RETURNS bigint
	LANGUAGE sql
AS $$
	INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name, cluster_summary)
		VALUES ('default', category, subcategory, name, 'About ' || name) RETURNING id
$$;
-- What an issue is offered, in order.
CREATE FUNCTION pg_temp.offered(issue bigint, most int DEFAULT 10) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(coalesce(c.name, 'issue: ' || c.summary), ', ' ORDER BY c.n)
		FROM triage.issue_candidates('default', issue, most) WITH ORDINALITY c (label, cluster_id, issue_id, score, name, summary, quotes, n)
$$;

-- What is offered ------------------------------------------------------------------------------------------------------

SELECT pg_temp.cluster('terminal') AS terminal, pg_temp.cluster('export') AS export, pg_temp.cluster('merged') AS merged \gset
SELECT pg_temp.issue('The terminal rejects the badge of night workers', :terminal) AS best,
	pg_temp.issue('The terminal is dark', :terminal),
	pg_temp.issue('Badge export lists workers twice', :export) AS exported,
	pg_temp.issue('The terminal rejects the badge of night workers') AS asking \gset

SELECT is(pg_temp.offered(:asking), 'terminal, export', 'clusters whose members share words are offered, the closest first');
SELECT results_eq(format($$SELECT label, cluster_id, issue_id, score, summary, quotes FROM triage.issue_candidates('default', %s) LIMIT 1$$, :asking),
	format($$SELECT 'C%1$s', %1$s::bigint, NULL::bigint, 1::real, 'About terminal',
		ARRAY['The terminal rejects the badge of night workers', 'The terminal is dark']$$, :terminal),
	'a cluster has its label, the score of its best member, name, summary and two of its members');
UPDATE triage.extracted_issues SET representative_quote = repeat('o', 400) WHERE id = :best;
SELECT is((SELECT array_agg(length(q)) FROM triage.issue_candidates('default', :asking) c, unnest(c.quotes) q WHERE c.cluster_id = :terminal),
	'{300,20}', 'the customer''s own words go before the summary, clipped');
SELECT is((SELECT count(*) FROM triage.issue_candidates('default', :asking) c WHERE c.score > 0 AND c.score <= 1), 2::bigint,
	'a score is more than 0, and 1 at most');
SELECT is(pg_temp.offered(pg_temp.issue('Nothing alike')), NULL, 'nothing is offered where no word is shared');
SELECT is(pg_temp.offered(pg_temp.issue('the of and')), NULL, 'nor to an issue without words');
SELECT is(pg_temp.offered(-1), NULL, 'nor to an issue that is not there');
SELECT pg_temp.issue($$it's a 'badge' \ & | ! () :* <->$$) AS odd \gset
SELECT is(pg_temp.offered(:odd), 'terminal, export, issue: The terminal rejects the badge of night workers',
	'what is syntax in a query is no syntax in a summary');
UPDATE triage.extracted_issues SET superseded_at = now() WHERE id = :odd;

SELECT pg_temp.issue('Overtime is rounded wrongly', ticket => :one) AS lonely,
	pg_temp.issue('Overtime is rounded down', ticket => :one) AS sibling, pg_temp.issue('Overtime rounded', ticket => :two) AS third \gset
SELECT is(pg_temp.offered(:third), 'issue: Overtime is rounded down, issue: Overtime is rounded wrongly',
	'issues without a cluster are offered, the newest first where all else is equal');
SELECT results_eq(format($$SELECT label, cluster_id, issue_id FROM triage.issue_candidates('default', %s, 1)$$, :third),
	format($$SELECT 'I%1$s', NULL::bigint, %1$s::bigint$$, :sibling), 'with their own label');
SELECT is(pg_temp.offered(:lonely), 'issue: Overtime rounded', 'another issue of the same ticket is another problem');
UPDATE triage.extracted_issues SET superseded_at = now() WHERE id = :third;
SELECT is(pg_temp.offered(:lonely), NULL, 'what was superseded is not offered');
SELECT pg_temp.issue('Overtime is rounded wrongly', tenant => 'other') AS foreign \gset
SELECT is(pg_temp.offered(:lonely), NULL, 'nor what is another tenant''s');
SELECT is((SELECT count(*) FROM triage.issue_candidates('other', :lonely)), 0::bigint, 'nor anything to an issue of another tenant');

-- Merged, archived, taken out ------------------------------------------------------------------------------------------------

SELECT pg_temp.issue('Badge rejects workers at night', :merged) AS moved \gset
SELECT triage.merge_clusters(:merged, :export);
SELECT is((SELECT array_agg(c.score ORDER BY c.score) FROM triage.issue_candidates('default', :moved) c WHERE c.cluster_id = :export),
	(SELECT array_agg(c.score) FROM triage.issue_candidates('default', :moved) c WHERE c.name = 'export'), '(one candidate for both)');
SELECT results_eq(format($$SELECT cluster_id, quotes[1] FROM triage.issue_candidates('default', %s) WHERE cluster_id IN (%s, %s)$$, :asking, :merged, :export),
	format($$SELECT %s::bigint, 'Badge rejects workers at night'$$, :export), 'the members of a merged cluster speak for the one it was merged into');
INSERT INTO triage.cluster_exclusions (tenant_id, cluster_id, fingerprint, created_by)
	SELECT 'default', :merged, i.fingerprint, 'ann' FROM triage.extracted_issues i WHERE i.id = :asking;
SELECT is(pg_temp.offered(:asking), 'terminal', 'what was taken out of a cluster is offered neither it nor its target');
SELECT is(pg_temp.offered(pg_temp.issue('The terminal rejects the badge of all night workers')), 'terminal, issue: The terminal rejects the badge of night workers, export',
	'another issue is');
UPDATE triage.issue_clusters SET archived_at = now() WHERE id = :export;
SELECT is(pg_temp.offered(pg_temp.issue('Export lists it twice')), NULL, 'a cluster that was archived is not offered, nor through one merged into it');

-- Categories -----------------------------------------------------------------------------------------------------------------------

SELECT pg_temp.issue('Vacation balance of my team is wrong', pg_temp.cluster('same')), pg_temp.issue('Vacation balance of my team is missing', pg_temp.cluster('category', 'CLOCK', 'reporting'), 'CLOCK', 'reporting'),
	pg_temp.issue('Vacation balance of my team is missing today', pg_temp.cluster('any', 'PAY', 'reporting'), 'PAY', 'reporting') \gset
SELECT is(pg_temp.offered(pg_temp.issue('Vacation balance of my team is missing today')), 'same, category, any',
	'the same category and subcategory first, then the same category, then any, however close');
SELECT is(count(*), 12::bigint, '(twelve more of the same category)') FROM generate_series(1, 12) g, LATERAL (SELECT pg_temp.issue('Vacation ' || g, pg_temp.cluster('far' || g))) f;
SELECT pg_temp.issue('My vacation balance of the team') AS vacation \gset
SELECT is(count(*), 10::bigint, 'ten at most') FROM triage.issue_candidates('default', :vacation) c;
SELECT throws_ok(format('SELECT triage.issue_candidates(''default'', %s, %s)', :vacation, v.most), '22023', NULL, v.most || ' is no number of candidates') FROM (VALUES ('0'), ('-1'), ('NULL')) v (most);
SELECT is((SELECT array_agg(c.name ORDER BY c.name) FROM triage.issue_candidates('default', :vacation) c WHERE c.name NOT LIKE 'far%' AND c.name IS NOT NULL),
	'{any,category,same}', 'of ten places three are for the closest, whatever their category');

-- Trigrams ---------------------------------------------------------------------------------------------------------------------

SELECT triage.trigram_similarities('{abc}', 'abc') IS NULL AS without \gset
SELECT ok(:'without'::boolean, '(pg_trgm is not installed)');
CREATE SCHEMA "Odd ""place";
CREATE EXTENSION pg_trgm SCHEMA "Odd ""place";
SELECT is(triage.trigram_similarities('{word,wort,other}', 'word'), ARRAY[1, 0.42857143, 0]::real[], 'trigrams are compared wherever pg_trgm stands');
SET LOCAL quote_all_identifiers = on;
SELECT is(triage.trigram_similarities('{word}', 'word'), ARRAY[1]::real[], 'and however the database writes names');
RESET quote_all_identifiers;
SELECT pg_temp.issue('Kiosk freezes') AS kiosk, pg_temp.issue('Kiosk freezing sometimes') AS freezing \gset
SELECT cmp_ok((SELECT c.score FROM triage.issue_candidates('default', :kiosk) c WHERE c.issue_id = :freezing), '<',
	(2 / sqrt(2 * 3))::real, 'the score is the mean of words and trigrams');
-- A function that somebody gave the extension is not the extension's.
CREATE SCHEMA trap;
CREATE FUNCTION trap.similarity(text, text) RETURNS real LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
ALTER EXTENSION pg_trgm DROP FUNCTION "Odd ""place".similarity(text, text);
ALTER EXTENSION pg_trgm ADD FUNCTION trap.similarity(text, text);
SELECT is(triage.trigram_similarities('{word}', 'word'), NULL, 'a function that was slipped into pg_trgm is not called');

-- How much is read -----------------------------------------------------------------------------------------------------------------

INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
	SELECT 'default', :two, 'CLOCK', 'punch', 'bug', 'low', format('common%s ordinary%s rare%s', g % 2, g % 3, g % 1000), sha256(g::text::bytea), now()
	FROM generate_series(1, 6000) g;
ANALYZE triage.extracted_issues;
CREATE FUNCTION pg_temp.query(words text, most_rows int) RETURNS text
	LANGUAGE sql
AS $$
	SELECT replace(triage.candidate_query('default', to_tsvector('english', words), most_rows)::text, to_hex(hashtext('default')), '')
$$;
SELECT is(pg_temp.query('common1 ordinary1 rare7', 100000), $$'rare7' | 'ordinary1' | 'common1'$$, 'each word by itself where few issues have it');
SELECT is(pg_temp.query('common1 ordinary1 rare7', 1000), $$'rare7'$$, 'not those that many have');
SELECT is(pg_temp.query('common1 ordinary1 rare7', 1500), $$'rare7' | 'ordinary1' & 'common1'$$, 'which count together');
SELECT is(pg_temp.query('common1 ordinary1', 10), $$'ordinary1' & 'common1'$$, 'and alone if there is nothing else');
SELECT is(pg_temp.query('', 10), NULL, 'no query without words');
SELECT cmp_ok((SELECT count(*) FROM triage.extracted_issues i WHERE i.superseded_at IS NULL
	AND triage.issue_terms(i.tenant_id, i.search) @@ triage.candidate_query('default', to_tsvector('english', 'common1 ordinary1 rare7'), 1500)), '<=', 1500::bigint,
	'and so the rows are as few as was asked for');

SELECT finish();
ROLLBACK;
