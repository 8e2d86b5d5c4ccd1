# pickup.sh: from COMMIT to the request at the model, on a worker that has nothing else to do (sourced by run.sh)
#
# Two clocks of one machine: pgbench's when the INSERT's answer arrived, which is after the commit, and the model
# server's when the request was read.  Both count microseconds of the same system clock.  The worker is woken before
# the client hears of its commit, so a figure may be below nothing.

part_pickup()
{
	heading 'Pick-up: from the client having its COMMIT to the request at the model, ms; single INSERTs with pauses'
	pickup_mode 'preloaded'
	server_stop main
	bench_server plain
	sql 'SELECT triage.worker_stop()' >/dev/null
	pickup_mode 'not preloaded'
	server_stop plain
	server_start main "$SANDBOX/tmp/main.conf"
	export PGDATABASE=triage
}

pickup_mode()
{
	local mode=$1 count=300 p50 p95 most
	[ -z "${QUICK:-}" ] || count=100
	setting triage.max_in_flight 64
	worker_stop
	load_tickets 0
	fake_config 0
	worker_start
	cat >"$SANDBOX/tmp/pickup.pgbench" <<-'SQL'
		\set i :i + 1
		\sleep 20 ms
		INSERT INTO triage.tickets (subject, description) VALUES ('Order ' || :i, 'Where is it? TOKEN-' || :i);
	SQL
	rm -f "$SANDBOX"/tmp/pickup.log*
	pgbench -n -c 1 -t "$count" -D i=0 -f "$SANDBOX/tmp/pickup.pgbench" -l --log-prefix="$SANDBOX/tmp/pickup.log" \
		>"$SANDBOX/log/pickup.out" 2>&1 || { cat "$SANDBOX/log/pickup.out" >&2; return 1; }
	wait_until "SELECT count(*) = $count FROM triage.ai_runs" 30
	pickup_delays >"$SANDBOX/tmp/pickup.delays"
	[ "$(wc -l <"$SANDBOX/tmp/pickup.delays")" -eq "$count" ] || { echo 'the log of the model lacks requests' >&2; return 1; }
	p50=$(sed -n "$((count / 2))p" "$SANDBOX/tmp/pickup.delays")
	p95=$(sed -n "$((count * 95 / 100))p" "$SANDBOX/tmp/pickup.delays")
	most=$(tail -1 "$SANDBOX/tmp/pickup.delays")
	at_most "$mode: p50" "$p50" "of $count" 1 ms
	at_most "$mode: p95" "$p95" "longest $most" 5 ms
	worker_stop
}

# Milliseconds from the answer to the i-th transaction to the request with token i, sorted.
pickup_delays()
{
	{
		awk '{ printf "commit %d %.0f\n", NR, $5 * 1000000 + $6 }' "$SANDBOX"/tmp/pickup.log.*
		fake GET /log | awk -v start="$(fake_stat started_at_us)" \
			'{ sub("TOKEN-", "", $3); printf "request %d %.0f\n", $3, start + $2 * 1000 }'
	} | awk '$1 == "commit" { at[$2] = $3 } $1 == "request" { printf "%.3f\n", ($3 - at[$2]) / 1000 }' | sort -g
}
