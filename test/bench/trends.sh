# trends.sh: trends of clusters at 1,000,000 issues in 10,000 clusters (sourced by run.sh): pages of top_clusters() as a
# reader's role, with row security, against the view that reads every issue; what an issue costs with and without the
# triggers that keep the roll-up.  BENCH_ISSUES=1000000.

# name | statement; :n is a number from 0 to 19
trend_pages()
{
	cat <<-'QUERIES'
		by count_7d|SELECT * FROM triage.top_clusters();
		by issue_count|SELECT * FROM triage.top_clusters('issue_count');
		by trend|SELECT * FROM triage.top_clusters('trend');
		by last_seen|SELECT * FROM triage.top_clusters('last_seen');
		by count_7d, a page further on|SELECT * FROM triage.top_clusters(after_value => 4, after_id => 100 * :n);
		of a category and two states|SELECT * FROM triage.top_clusters(categories => ARRAY['AREA_' || :n], pm_statuses => '{new,reviewing}');
		regressed, also those not visible yet|SELECT * FROM triage.top_clusters(only_visible => false, only_regressed => true);
	QUERIES
}

part_trends()
{
	local issues=${BENCH_ISSUES:-1000000} clusters began name query
	[ -z "${QUICK:-}" ] || issues=${BENCH_ISSUES:-100000}
	clusters=$((issues / 100))
	heading "Trends of $clusters clusters with $issues issues: 50th/95th percentile in ms, a page has 50 clusters"
	worker_stop
	createdb trends
	psql -Xqc 'CREATE ROLE bench_reader LOGIN'
	began=$SECONDS
	PGDATABASE=trends psql -Xq -v ON_ERROR_STOP=1 -c 'SET client_min_messages = warning' -c 'CREATE EXTENSION triage' \
		-c 'SET triage.autostart = off' -f test/bench/trends.sql -c "CALL bench.mine($issues, $clusters)" \
		-c "SELECT triage.grant_access('bench_reader', 'reader')" >/dev/null
	info 'loading, s' "$((SECONDS - began))"
	began=$(date +%s%N)
	PGDATABASE=trends sql 'SELECT triage.rebuild_trends()' >/dev/null
	info 'rebuild_trends(), s' "$(calc "($(date +%s%N) - $began) / 1e9" %.1f)"
	PGDATABASE=trends psql -Xqc 'VACUUM ANALYZE' -c CHECKPOINT
	info 'the roll-up, against the issues' "$(PGDATABASE=trends sql "SELECT pg_size_pretty(sum(pg_total_relation_size('triage.cluster_' || n)))
		FROM unnest('{daily,customers,totals,deltas}'::text[]) n")" "$(PGDATABASE=trends sql "SELECT pg_size_pretty(pg_total_relation_size('triage.extracted_issues'))")"
	while IFS='|' read -r name query; do
		trend_row "$name" "$query" 300
	done < <(trend_pages)
	trend_exact
	trend_inserts
	dropdb trends
}

trend_measure()					# trend_measure QUERY CALLS: sets p50 and p95; the first calls warm up
{
	[ -z "${QUICK:-}" ] || set -- "$1" 100
	printf '%s\n' '\set n random(0, 19)' "$1" >"$SANDBOX/tmp/trends.sql"
	rm -f "$SANDBOX"/tmp/trends.log.*
	PGUSER=bench_reader pgbench -n -M prepared -c 1 -t "$2" -l --log-prefix="$SANDBOX/tmp/trends.log" \
		-f "$SANDBOX/tmp/trends.sql" trends >"$SANDBOX/log/trends" 2>&1 || { cat "$SANDBOX/log/trends" >&2; return 1; }
	read -r p50 p95 < <(awk -v skip=$(($2 / 10)) 'NR > skip { print $3 / 1000 }' "$SANDBOX"/tmp/trends.log.* | sort -g |
		awk '{ v[NR] = $1 } END { printf "%.1f %.1f\n", v[int(NR * 0.5) + 1], v[int(NR * 0.95) + 1] }')
}

# The best of three rounds: what else the machine does can only add.
trend_row()						# trend_row NAME QUERY CALLS
{
	local round best50=() best95=()
	for round in 1 2 3; do
		trend_measure "$2" "$3"
		best50+=("$p50") best95+=("$p95")
	done
	p50=$(least "${best50[@]}") p95=$(least "${best95[@]}")
	row "$1" "$p50/$p95" '' '' 'p95 <= 50 ms' "$p95" '<=' 50
}

trend_exact()
{
	trend_measure 'SELECT * FROM triage.cluster_trends WHERE is_active AND is_visible ORDER BY count_7d DESC, id DESC LIMIT 50;' 10
	info 'the view, which reads every issue' "$p50/$p95"
	trend_measure 'SELECT * FROM triage.cluster_trends WHERE id = 1 + 37 * :n;' 20
	info 'the view, of one cluster' "$p50/$p95"
}

# Issues of one hot cluster, and of all, from one session and from four; then with a counter's row for each cluster and
# day instead of the deltas, as a trigger would keep it that is written first.
trend_inserts()
{
	local seconds=5 clients target plain with counter issue
	[ -z "${QUICK:-}" ] || seconds=1
	issue="INSERT INTO triage.extracted_issues (ticket_id, cluster_id, category, subcategory, issue_type, severity, summary, customer,
		fingerprint, assigned_by, reported_at) VALUES (1 + :i % $clusters, TARGET, 'AREA_1', 'all', 'bug', 'low', 'The clock stops',
		'org:' || :i, sha256('x'), 'model', now());"
	PGDATABASE=trends psql -Xq -v ON_ERROR_STOP=1 <<-'SQL'
		CREATE TABLE bench.counter (cluster_id bigint, day date, issues int, PRIMARY KEY (cluster_id, day)) WITH (fillfactor = 50);
		CREATE FUNCTION bench.count_issue() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			INSERT INTO bench.counter AS c SELECT n.cluster_id, n.reported_at::date, count(*) FROM new_issues n GROUP BY 1, 2 ORDER BY 1, 2
				ON CONFLICT (cluster_id, day) DO UPDATE SET issues = c.issues + excluded.issues;
			RETURN NULL;
		END $$;
		CREATE TRIGGER bench_counter AFTER INSERT ON triage.extracted_issues REFERENCING NEW TABLE AS new_issues
			FOR EACH STATEMENT EXECUTE FUNCTION bench.count_issue();
		ALTER TABLE triage.extracted_issues DISABLE TRIGGER bench_counter;
	SQL
	for target in 'one hot cluster|77' "all clusters|1 + :i % $clusters"; do
		for clients in 1 4; do
			printf '%s\n' '\set i random(1, 1000000)' "${issue/TARGET/${target#*|}}" >"$SANDBOX/tmp/trends.insert"
			trend_triggers DISABLE DISABLE
			plain=$(trend_rate "$clients" "$seconds")
			trend_triggers ENABLE DISABLE
			with=$(trend_rate "$clients" "$seconds")
			trend_triggers DISABLE ENABLE
			counter=$(trend_rate "$clients" "$seconds")
			info "issues/s, ${target%|*}, $clients client(s)" "$with" "no triggers $plain" "$(calc "$with / $plain")"
			info '  with a counter row instead' "$counter" "no triggers $plain" "$(calc "$counter / $plain")"
		done
	done
	trend_triggers ENABLE DISABLE
	PGDATABASE=trends sql 'SELECT triage.rebuild_trends()' >/dev/null
	PGDATABASE=trends psql -Xqc 'VACUUM ANALYZE'
	PGUSER=postgres pgbench -n -M prepared -c 1 -R 200 -T 60 -f "$SANDBOX/tmp/trends.insert" trends >/dev/null 2>&1 &
	trend_row 'by count_7d, while 200 issues/s come in' 'SELECT * FROM triage.top_clusters();' 100
	kill %% && wait %% 2>/dev/null || true
	[ -z "$(PGDATABASE=trends sql "SELECT FROM triage.trend_differences('default') LIMIT 1")" ] ||
		{ echo 'the roll-up differs from the issues' >&2; return 1; }
}

trend_triggers()				# trend_triggers DELTAS COUNTER: each ENABLE or DISABLE
{
	PGDATABASE=trends psql -Xqc "ALTER TABLE triage.extracted_issues $1 TRIGGER extracted_issues_counted_insert" \
		-c "ALTER TABLE triage.extracted_issues $2 TRIGGER bench_counter"
}

trend_rate()					# trend_rate CLIENTS SECONDS
{
	pgbench -n -M prepared -c "$1" -j 1 -T "$2" -f "$SANDBOX/tmp/trends.insert" trends 2>"$SANDBOX/log/pgbench" |
		sed -n 's/^tps = \([0-9]*\).*(without.*/\1/p'
}
