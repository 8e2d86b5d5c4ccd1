#!/bin/bash
# clusters.sh: how well issues are put into clusters, on a labelled set (run by `make eval`; doc/evaluation.md says what
# the figures mean).  Each mode and order has a database of its own, two at a time.  Ends with 1 when a floor is missed.
#   EVAL_TUNE=1       instead: the training part under thresholds, to choose the defaults of mining_settings by
#   EVAL_ORDERS=5     arrival orders; EVAL_ROWS=3080 texts of the part in each
set -euo pipefail
cd "$(dirname "$0")/../.."
orders=${EVAL_ORDERS:-5} rows=${EVAL_ROWS:-3080} began=$SECONDS
template=eval_template out=$SANDBOX/tmp/eval
mkdir -p "$out"

prepare()
{
	psql -Xqd postgres -c "CREATE DATABASE $template" -c "ALTER DATABASE $template SET jit = off" \
		-c "ALTER SYSTEM SET autovacuum = off" -c 'SELECT pg_reload_conf()' >"$out/prepare"
	PGDATABASE=$template psql -Xq -v ON_ERROR_STOP=1 -v csv="$PWD/test/data/banking77.csv" <<-'SQL'
		SET client_min_messages = warning;
		CREATE EXTENSION triage;
		CREATE EXTENSION pg_trgm;
		SELECT triage.pause('the evaluation judges by itself') \g (format=unaligned tuples_only=on) /dev/null
		\i test/eval/metrics.sql
		CREATE TABLE eval.utterance (text text NOT NULL, label text NOT NULL, split text NOT NULL);
		\set copy '\\copy eval.utterance FROM ' :'csv' ' (FORMAT csv, HEADER true)'
		:copy
		\i test/eval/clusters.sql
		VACUUM ANALYZE;
	SQL
	# no worker may stay in a database that is copied
	psql -XAtqd postgres -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$template'" >"$out/prepare"
}

# unit NAME MODE TRIGRAMS SPLIT SEED SETTINGS: writes NAME|SEED|figures
unit()
{
	local database=eval_$BASHPID
	psql -Xqd postgres -c "CREATE DATABASE $database TEMPLATE $template"
	PGDATABASE=$database psql -XAtq -F '|' -v ON_ERROR_STOP=1 -v mode="$2" -v trigrams="$3" -v split="$4" -v seed="$5" -v rows="$rows" \
		-v settings="$6" >"$out/$1.$5.row" 2>"$out/$1.$5.err" <<-'SQL' || { cat "$out/$1.$5.err" >&2; return 1; }
		SET triage.autostart = off;
		SET client_min_messages = warning;
		SELECT :'trigrams' = 'no' AS without \gset
		\if :without
			DROP EXTENSION pg_trgm;
		\endif
		SELECT triage.set_mining_settings(:'settings') \gset ignored
		CALL eval.load(:'split', :seed, :rows);
		CALL eval.run(:'mode');
		SELECT :'mode', r.* FROM eval.report() r;
		SELECT :'mode' = 'judge' AS judged \gset
		\if :judged
			CALL eval.merge();
			CALL eval.gather(:'mode');
			SELECT 'merged', r.* FROM eval.report() r;
		\endif
	SQL
	sed -i "/|/!d; s/^$2|/$1|$5|/; s/^merged|/$1, merges judged|$5|/" "$out/$1.$5.row"
	psql -Xqd postgres -c "DROP DATABASE $database"
}

# all_units SPLIT ORDERS LINE...: each line NAME|MODE|TRIGRAMS|SETTINGS; two at a time
all_units()
{
	local split=$1 last=$2 line seed name mode trigrams settings running=0
	shift 2
	for line; do
		IFS='|' read -r name mode trigrams settings <<<"$line"
		for ((seed = 1; seed <= last; seed++)); do
			if [ "$running" -ge 2 ]; then
				wait -n
				running=$((running - 1))
			fi
			unit "$name" "$mode" "$trigrams" "$split" "$seed" "$settings" &
			running=$((running + 1))
		done
	done
	while [ "$running" -gt 0 ]; do
		wait -n
		running=$((running - 1))
	done
}

# Gathers what the units wrote, and says what is the same for every order.
summary()						# summary SPLIT
{
	PGDATABASE=$template psql -Xq -v ON_ERROR_STOP=1 -v split="$1" -v rows="$rows" <<-SQL
		CREATE TABLE eval.result (mode text, seed int, ari float8, precision_b3 float8, recall_b3 float8, f_b3 float8, clusters bigint,
			singletons float8, recall_10 float8, calls float8, naming float8, merging float8, by_itself float8);
		\\copy eval.result FROM PROGRAM 'cat $out/*.row' (DELIMITER '|', NULL '')
	SQL
}

baselines()
{
	PGDATABASE=$template psql -Xq -v ON_ERROR_STOP=1 -v rows="$rows" <<-'SQL'
		INSERT INTO eval.answer SELECT row_number() OVER (), NULL, label FROM eval.utterance WHERE split = 'test' LIMIT :rows;
		INSERT INTO eval.result SELECT 'all singletons', 0, m.* FROM eval.metrics() m;
		UPDATE eval.answer SET cluster = 'one';
		INSERT INTO eval.result SELECT 'one cluster', 0, m.* FROM eval.metrics() m;
	SQL
}

table()							# the lines of eval.result in the order of the names given
{
	PGDATABASE=$template psql -X -P footer=off -P null= -v names="$1" <<-'SQL'
		SELECT r.mode, format('%s ± %s', round(avg(r.ari)::numeric, 3), round(coalesce(stddev(r.ari), 0)::numeric, 3)) AS "ARI",
			format('%s ± %s', round(avg(r.precision_b3)::numeric, 3), round(coalesce(stddev(r.precision_b3), 0)::numeric, 3)) AS "B3 precision",
			round(avg(r.recall_b3)::numeric, 3) AS "recall", format('%s ± %s', round(avg(r.f_b3)::numeric, 3), round(coalesce(stddev(r.f_b3), 0)::numeric, 3)) AS "F",
			round(avg(r.clusters)) AS clusters, round(avg(r.singletons)::numeric, 3) AS singletons,
			CASE WHEN avg(r.recall_10) IS NOT NULL THEN format('%s ± %s', round(avg(r.recall_10)::numeric, 3), round(coalesce(stddev(r.recall_10), 0)::numeric, 3)) END AS "recall@10",
			round(avg(r.calls)) AS "calls/1000", round(avg(r.naming)) AS "naming/1000", round(avg(r.merging)) AS "pairs/1000"
		FROM eval.result r JOIN unnest(string_to_array(:'names', '|')) WITH ORDINALITY n (mode, n) USING (mode)
		GROUP BY r.mode, n.n ORDER BY n.n;
	SQL
}

# floor WHAT MODE COLUMN LEAST: the mean over the orders
missed=0
floor()
{
	local got
	got=$(PGDATABASE=$template psql -XAtqc "SELECT round(avg($3)::numeric, 4) FROM eval.result WHERE mode = '$2'")
	if awk "BEGIN { exit !(\"$got\" != \"\" && \"$got\" + 0 >= $4) }"; then
		printf '%-56s %8s  >= %s  reached\n' "$1" "$got" "$4"
	else
		printf '%-56s %8s  >= %s  MISSED\n' "$1" "${got:-nothing}" "$4"
		missed=$((missed + 1))
	fi
}

prepare
if [ -n "${EVAL_TUNE:-}" ]; then
	lines=() names=
	for score in 0.5 0.55 0.6 0.65 0.7; do
		for trigrams in yes no; do
			lines+=("join_score $score, trigrams $trigrams|lexical|$trigrams|{\"join_score\": $score}")
			names+="|join_score $score, trigrams $trigrams"
		done
	done
	for score in 0.6 0.7 0.8 0.9; do
		lines+=("join_score $score, judged|judge|yes|{\"join_score\": $score}")
		names+="|join_score $score, judged|join_score $score, judged, merges judged"
	done
	for score in 0 0.1 0.2 0.3; do
		lines+=("candidate_score $score, judged|judge|yes|{\"candidate_score\": $score}")
		names+="|candidate_score $score, judged"
	done
	printf 'Banking77, %s texts of the training part, %s orders (seeds 1 to %s)\n\n' "$rows" "$orders" "$orders"
	all_units train "$orders" "${lines[@]}"
	summary train
	table "${names#|}"
	exit
fi

printf 'Banking77, test part, %s texts in %s arrival orders (seeds 1 to %s); mean and standard deviation over the orders\n\n' \
	"$rows" "$orders" "$orders"
all_units test "$orders" 'perfect judge|judge|yes|{}' 'lexical only|lexical|no|{}' \
	'lexical with trigrams|lexical|yes|{}' 'gold clusters|gold|yes|{}'
summary test
baselines
table 'all singletons|one cluster|lexical only|lexical with trigrams|perfect judge|perfect judge, merges judged|gold clusters'
floor 'candidate recall@10 with trigrams, gold clusters' 'gold clusters' recall_10 0.94
floor 'B-cubed precision, lexical only' 'lexical only' precision_b3 0.85
floor 'B-cubed precision, lexical with trigrams' 'lexical with trigrams' precision_b3 0.85
printf '%s seconds\n' "$((SECONDS - began))"
[ "$missed" -eq 0 ]
