#!/bin/bash
# Prints how well the builtin provider does on test/data/labelled_tickets.csv (run by `make eval-builtin`).
set -euo pipefail
cd "$(dirname "$0")/../.."
database=eval_builtin
psql -XAtqc "CREATE DATABASE $database"
export PGDATABASE=$database
psql -XAtqc 'CREATE EXTENSION triage'
psql -Xq -v csv="$PWD/test/data/labelled_tickets.csv" -f test/eval/builtin.sql
psql -Xq -P footer=off <<'SQL'
\echo 'The builtin provider on the labelled set (test/data/labelled_tickets.md), beside the majority class'
SELECT * FROM accuracy ORDER BY what;
\echo 'Sentiment, 1 calm to 10 furious: mean distance to the label, beside the best constant'
SELECT round(avg(abs(sentiment_score - got_sentiment)), 2) AS mean_error,
	round((SELECT min(e) FROM (SELECT avg(abs(a.sentiment_score - c)) AS e FROM answered a, generate_series(1, 10) c GROUP BY c) m), 2)
		AS best_constant_error,
	round(avg((abs(sentiment_score - got_sentiment) <= 1)::int), 3) AS within_one
FROM answered;
\echo 'Category: label down, answer across'
SELECT category AS label, count(*) FILTER (WHERE got_category = 'billing') AS billing,
	count(*) FILTER (WHERE got_category = 'bug_report') AS bug_report,
	count(*) FILTER (WHERE got_category = 'feature_request') AS feature_request,
	count(*) FILTER (WHERE got_category = 'general') AS general,
	count(*) FILTER (WHERE got_category = 'technical') AS technical
FROM answered GROUP BY 1 ORDER BY 1;
\echo 'Urgency: label down, answer across'
SELECT urgency AS label, count(*) FILTER (WHERE got_urgency = 'low') AS low, count(*) FILTER (WHERE got_urgency = 'medium') AS medium,
	count(*) FILTER (WHERE got_urgency = 'high') AS high, count(*) FILTER (WHERE got_urgency = 'urgent') AS urgent
FROM answered GROUP BY 1 ORDER BY 1;
SQL
