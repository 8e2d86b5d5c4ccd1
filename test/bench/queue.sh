# queue.sh: a deep queue, an old snapshot, and the database's part alone (sourced by run.sh)

part_queue()
{
	heading 'The queue'
	claim_depth
	old_snapshot
	database_alone
}

# A claim of 100, undone, so that every one of them meets the same queue.
claim_depth()
{
	local shallow deep count=1000000
	[ -z "${QUICK:-}" ] || count=100000
	worker_stop
	echo 'BEGIN; SELECT count(*) FROM triage.claim_jobs(100); ROLLBACK;' >"$SANDBOX/tmp/claim.pgbench"
	load_fast 1000 true
	shallow=$(claim_ms)
	load_fast "$count" true
	deep=$(claim_ms)
	row "claim of 100 with $count pending, ms" "$deep" "with 1000 $shallow" "$(calc "$deep / $shallow")" '<= 1.5' \
		"$(calc "$deep / $shallow")" '<=' 1.5
}

claim_ms()
{
	pgbench -n -c 1 -t 300 -f "$SANDBOX/tmp/claim.pgbench" 2>"$SANDBOX/log/pgbench" | sed -n 's/^latency average = \([0-9.]*\) ms/\1/p'
}

# A minute of full load, with and without a transaction that has been looking at the tables since before it.
old_snapshot()
{
	local seconds=60 count plain_rate
	[ -z "${QUICK:-}" ] || seconds=8
	setting triage.max_in_flight 256
	fake_config 0
	measure_worker 5000
	count=$((rate * seconds * 3 / 2))
	load_seconds "$count" "$seconds"
	plain_rate=$rate
	coproc SNAPSHOT { psql -XAtq; }
	load_seconds "$count" "$seconds" SNAPSHOT
	at_least "latency 0, old snapshot for $seconds s: tickets/s" "$rate" "without $plain_rate" "$(calc "$rate / $plain_rate")" 0.7
	info '  of them in the last quarter' "$(calc "$late_rate" %.0f)" "without $plain_rate" "$(calc "$late_rate / $plain_rate")"
}

load_seconds()					# load_seconds COUNT SECONDS [SNAPSHOT]: sets rate and late_rate
{
	worker_stop
	load_fast "$1" false
	if [ -n "${3:-}" ]; then
		echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM triage.ai_jobs;' >&"${SNAPSHOT[1]}"
		read -r _ <&"${SNAPSHOT[0]}"
	fi
	worker_start
	sleep "$2"
	worker_stop
	[ "$(sql 'SELECT EXISTS (SELECT FROM triage.ai_jobs)')" = t ] || { echo 'the queue ran empty: the load was not full' >&2; return 1; }
	if [ -n "${3:-}" ]; then
		echo 'COMMIT; \q' >&"${SNAPSHOT[1]}"
		wait "$SNAPSHOT_PID" || true
	fi
	read -r rate late_rate <<<"$(psql -XAtq -F ' ' -c "SELECT round(count(*) / extract(epoch FROM max(finished_at) - min(started_at))),
		count(*) FILTER (WHERE finished_at > until - span / 4) / extract(epoch FROM min(span) / 4)
		FROM (SELECT max(finished_at) AS until, max(finished_at) - min(started_at) AS span FROM triage.ai_runs) AS whole, triage.ai_runs
		WHERE outcome = 'succeeded'")"
}

# The same tables through the protocol for external workers, one client, no HTTP.  Row by row where the worker writes
# sets, so this is no lower bound of its cost, but what the database does when nobody talks to a model.
database_alone()
{
	local answer='{"category": "other", "urgency": "medium", "sentiment_score": 5, "draft_reply": "Hello, thank you for writing. We are looking into your message and will be back soon.", "summary": "A customer asks.", "language": "en", "confidence": 0.9, "needs_human": false}' count
	count=$((tickets / 100 * 100))
	worker_stop
	load_fast "$count" false
	sql "SELECT category FROM triage.ticket_categories ORDER BY category LIMIT 1" >"$SANDBOX/tmp/category"
	answer=${answer/other/$(cat "$SANDBOX/tmp/category")}
	echo "SELECT count(triage.complete_job(c.job_id, c.fence, '$answer')) FROM triage.claim_jobs(100) AS c;" >"$SANDBOX/tmp/alone.pgbench"
	rate=$(pgbench -n -c 1 -t "$((count / 100))" -f "$SANDBOX/tmp/alone.pgbench" 2>"$SANDBOX/log/pgbench" |
		sed -n 's/^tps = \([0-9.]*\) (without.*/\1/p')
	[ "$(sql "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded'")" -eq "$count" ] || { cat "$SANDBOX/log/pgbench" >&2; return 1; }
	info 'claim_jobs + complete_job, 1 client: tickets/s' "$(calc "$rate * 100" %.0f)"
}
