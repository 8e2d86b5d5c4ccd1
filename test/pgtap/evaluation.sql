-- The metrics of make eval, on cases small enough to be computed by hand.
\ir prepare.psql
SELECT no_plan();
\ir ../eval/metrics.sql

CREATE FUNCTION pg_temp.measured(clusters text[], labels text[]) RETURNS text
	LANGUAGE sql
AS $$
	TRUNCATE eval.answer;
	INSERT INTO eval.answer SELECT u.n, u.c, u.l FROM unnest(clusters, labels) WITH ORDINALITY u (c, l, n);
	SELECT format('ARI %s P %s R %s F %s clusters %s singletons %s', round(m.ari::numeric, 4), round(m.precision_b3::numeric, 4),
		round(m.recall_b3::numeric, 4), round(m.f_b3::numeric, 4), m.clusters, round(m.singletons::numeric, 4)) FROM eval.metrics() m
$$;

SELECT is(pg_temp.measured('{1,1,2,2}', '{a,a,b,b}'), 'ARI 1.0000 P 1.0000 R 1.0000 F 1.0000 clusters 2 singletons 0.0000', 'clusters that are the labels');
SELECT is(pg_temp.measured('{2,2,1,1}', '{a,a,b,b}'), 'ARI 1.0000 P 1.0000 R 1.0000 F 1.0000 clusters 2 singletons 0.0000', 'by whatever name');
SELECT is(pg_temp.measured('{1,1,1,1}', '{a,a,b,b}'), 'ARI 0.0000 P 0.5000 R 1.0000 F 0.6667 clusters 1 singletons 0.0000', 'one cluster of all');
SELECT is(pg_temp.measured('{NULL,NULL,NULL,NULL}', '{a,a,b,b}'), 'ARI 0.0000 P 1.0000 R 0.5000 F 0.6667 clusters 4 singletons 1.0000',
	'all by themselves: what has no cluster is not together');
-- Three clusters of 3, 2 and 1, labels of 2, 3 and 1.  Pairs: 2 in both, 4 and 4, of 15; by chance 16/15; (2 - 16/15) / (4 - 16/15) = 7/22.
-- B-cubed: 2 * 2/3 + 1/3 + 2 * 1 + 1 = 14/3 of 6 for precision; for recall 2 * 1 + 1/3 + 2 * 2/3 + 1 = 14/3 of 6.
SELECT is(pg_temp.measured('{1,1,1,2,2,3}', '{a,a,b,b,b,c}'), 'ARI 0.3182 P 0.7778 R 0.7778 F 0.7778 clusters 3 singletons 0.1667', 'a case between');
-- One of 4 and an item alone; labels of 3 and 2.  Pairs: 3 in both, 6 and 4, of 10; by chance 2.4; 0.6 / 2.6.
-- Precision: 3 * 3/4 + 1/4 + 1 = 3.5 of 5; recall: 3 * 1 + 1/2 + 1/2 = 4 of 5; F: 2 * 0.7 * 0.8 / 1.5.
SELECT is(pg_temp.measured('{1,1,1,1,NULL}', '{a,a,a,b,b}'), 'ARI 0.2308 P 0.7000 R 0.8000 F 0.7467 clusters 2 singletons 0.2000', 'and an uneven one');
-- Two of two, crosswise: 0 pairs in both, 2 and 2 of 6; by chance 2/3; -2/3 / 4/3.
SELECT is(pg_temp.measured('{1,1,2,2}', '{a,b,a,b}'), 'ARI -0.5000 P 0.5000 R 0.5000 F 0.5000 clusters 2 singletons 0.0000', 'worse than chance is below 0');

SELECT finish();
ROLLBACK;
