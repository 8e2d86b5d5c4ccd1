# assign.sh: what it takes to find the candidates of one issue, and to place it, at 1,000 and at 10,000 live clusters
# (sourced by run.sh)
#
# The texts are Banking77's, each with the name of one of 180 parts of a product in it: a cluster is one intent in one part,
# with five members on average, few with many.  So words are as common as they are in real reports, and grow as common with
# the table.  There is one database of each size, and they take turns, five rounds, of which the best counts: what else the
# machine does can only add.  A placing is rolled back, so that the issue is new for the next: a commit's wait for the disk
# is not in it.  BENCH_CLUSTERS="1000 10000".

assign_load()					# assign_load CLUSTERS: database assign_CLUSTERS
{
	local began=$SECONDS
	createdb "assign_$1"
	PGDATABASE=assign_$1 psql -Xq -v ON_ERROR_STOP=1 -v clusters="$1" -v csv="$PWD/test/data/banking77.csv" \
		-c 'SET client_min_messages = warning' -c 'CREATE EXTENSION triage' -c 'CREATE EXTENSION pg_trgm' -f test/bench/assign.sql >/dev/null
	info "loading $1 clusters, s" "$((SECONDS - began))" "$(PGDATABASE=assign_$1 sql 'SELECT count(*) FROM triage.extracted_issues') issues"
}

# Sets p50 and p95 of the statement in ms; the first calls warm up.
assign_measure()				# assign_measure CLUSTERS STATEMENT
{
	local calls=300 most
	[ -z "${QUICK:-}" ] || calls=100
	most=$(PGDATABASE=assign_$1 sql 'SELECT count(*) FROM bench.newcomer')
	printf '%s\n' '\set n random(1, :most)' "$2" >"$SANDBOX/tmp/assign.sql"
	rm -f "$SANDBOX"/tmp/assign.log.*
	pgbench -n -M prepared -c 1 -t "$calls" -D most="$most" -l --log-prefix="$SANDBOX/tmp/assign.log" \
		-f "$SANDBOX/tmp/assign.sql" "assign_$1" >"$SANDBOX/log/assign" 2>&1 || { cat "$SANDBOX/log/assign" >&2; return 1; }
	read -r p50 p95 < <(awk -v skip=$((calls / 10)) 'NR > skip { print $3 / 1000 }' "$SANDBOX"/tmp/assign.log.* | sort -g |
		awk '{ v[NR] = $1 } END { printf "%.2f %.2f\n", v[int(NR * 0.5) + 1], v[int(NR * 0.95) + 1] }')
}

part_assign()
{
	local small large name statement round small50 small95 large50 large95 s50 l50 l95 ratio
	read -r small large <<<"${BENCH_CLUSTERS:-1000 10000}"
	heading "Assigning one issue: 50th/95th percentile in ms, $large live clusters against $small"
	worker_stop
	assign_load "$small"
	assign_load "$large"
	while IFS='|' read -r name statement; do
		small50=() small95=() large50=() large95=()
		for round in 1 2 3 4 5; do
			assign_measure "$small" "$statement"
			small50+=("$p50") small95+=("$p95")
			assign_measure "$large" "$statement"
			large50+=("$p50") large95+=("$p95")
		done
		s50=$(least "${small50[@]}") l50=$(least "${large50[@]}") l95=$(least "${large95[@]}")
		ratio=$(calc "$l50 / $s50")
		row "$name" "$l50/$l95" "$s50/$(least "${small95[@]}")" '' 'p95 <= 10 ms' "$l95" '<=' 10
		row '  growth of the median' '' '' "$ratio" '<= 2' "$ratio" '<=' 2
	done <<-'STATEMENTS'
		finding candidates|SELECT * FROM triage.issue_candidates('default', (SELECT issue_id FROM bench.newcomer WHERE n = :n));
		placing an issue: find, decide, write|BEGIN; SELECT triage.place_issues('default', (SELECT ticket_id FROM bench.newcomer WHERE n = :n)); ROLLBACK;
	STATEMENTS
	info 'own cluster among ten candidates, of what has one' "$(PGDATABASE=assign_$small sql 'SELECT bench.found()')" \
		"$(PGDATABASE=assign_$large sql 'SELECT bench.found()')"
	dropdb "assign_$small"
	dropdb "assign_$large"
}
