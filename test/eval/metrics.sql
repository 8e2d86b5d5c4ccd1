-- How well a clustering fits labels, for eval.answer (item, cluster, label): what has no cluster (NULL) is one by itself.
-- Read by clusters.sh and by test/pgtap/evaluation.sql, which computes small cases by hand.
CREATE SCHEMA eval;
CREATE TABLE eval.answer (item bigint PRIMARY KEY, cluster text, label text NOT NULL);

CREATE FUNCTION eval.metrics(OUT ari float8, OUT precision_b3 float8, OUT recall_b3 float8, OUT f_b3 float8, OUT clusters bigint,
		OUT singletons float8)
	LANGUAGE sql STABLE
AS $$
	WITH item AS (SELECT coalesce('c' || a.cluster, 'i' || a.item) AS cluster, a.label FROM eval.answer a),
	cell AS (SELECT i.cluster, i.label, count(*)::float8 AS n FROM item i GROUP BY 1, 2),
	cluster AS (SELECT c.cluster, sum(c.n) AS n FROM cell c GROUP BY 1),
	label AS (SELECT c.label, sum(c.n) AS n FROM cell c GROUP BY 1),
	-- pairs that are together: in both, by cluster, by label, at all
	pairs AS (
		SELECT (SELECT sum(c.n * (c.n - 1) / 2) FROM cell c) AS both, (SELECT sum(c.n * (c.n - 1) / 2) FROM cluster c) AS clustered,
			(SELECT sum(l.n * (l.n - 1) / 2) FROM label l) AS labelled, count(*)::float8 * (count(*) - 1) / 2 AS total
		FROM item),
	-- adjusted Rand index: how far it is from what chance gives to what the best can give; 1 where both are the same
	rand AS (
		SELECT CASE WHEN (p.clustered + p.labelled) / 2 = p.clustered * p.labelled / nullif(p.total, 0) OR p.total = 0 THEN
					CASE WHEN p.both = p.clustered AND p.both = p.labelled THEN 1 ELSE 0 END
				ELSE (p.both - p.clustered * p.labelled / p.total)
					/ ((p.clustered + p.labelled) / 2 - p.clustered * p.labelled / p.total) END AS ari
		FROM pairs p),
	-- B-cubed: for each item, what share of its cluster has its label, and what share of its label is in its cluster
	cubed AS (
		SELECT sum(c.n * c.n / k.n) / sum(c.n) AS precision, sum(c.n * c.n / l.n) / sum(c.n) AS recall
		FROM cell c JOIN cluster k USING (cluster) JOIN label l USING (label))
	SELECT r.ari, b.precision, b.recall, 2 * b.precision * b.recall / (b.precision + b.recall),
		(SELECT count(*) FROM cluster), (SELECT count(*) FILTER (WHERE k.n = 1) FROM cluster k)::float8 / (SELECT count(*) FROM item)
	FROM rand r, cubed b
$$;
