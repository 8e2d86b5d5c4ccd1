# tail.sh: does one slow answer slow the others? (sourced by run.sh)
#
# 1 % of the answers take 5 s.  A slow call keeps its place in the air, so where all places are taken throughput must
# fall, to in_flight / mean latency: that is the reference at 256, and at 1000, where it is about what one processor
# can do.  At 2000 there are places to spare, and the reference is the worker without the tail.  Rates are of the steady
# part: from the time when slow calls are as many as they will be, to the last request's start; it lasts some 10 s.  At
# 2000 runs with and without the tail take turns, the median counts.  (What is left there is mostly the kernel's waking
# of the model's process, which on this loopback the sender pays for.)

part_tail()
{
	local slow=5000 settle=6 count=40000 rounds=3 mean round with=() without=()
	[ -z "${QUICK:-}" ] || { slow=1000; settle=1.5; count=10000; rounds=1; }
	heading "A tail of slow answers: 1 % take $((slow / 1000)) s, the others 50 ms; tickets/s in the steady state"
	mean=$(calc "0.99 * 50 + 0.01 * $slow" %.1f)

	setting triage.max_in_flight 256
	fake_config 50 1 "$slow"
	measure_steady "$count" "$settle"
	at_least '256 in flight, with the tail' "$rate" "in flight/mean $(calc "256000 / $mean" %.0f)" \
		"$(calc "$rate / (256000 / $mean)")" 0.9

	setting triage.max_in_flight 1000
	measure_steady "$((4 * count))" "$settle"
	at_least '1000 in flight, with the tail' "$rate" "in flight/mean $(calc "1000000 / $mean" %.0f)" \
		"$(calc "$rate / (1000000 / $mean)")" 0.9

	setting triage.max_in_flight 2000
	for round in $(seq "$rounds"); do
		fake_config 50
		measure_steady "$((4 * count))" "$settle"
		without+=("$rate")
		fake_config 50 1 "$slow"
		measure_steady "$((4 * count))" "$settle"
		with+=("$rate")
	done
	at_least '2000 in flight, with the tail' "$(median "${with[@]}")" "without $(median "${without[@]}")" \
		"$(calc "$(median "${with[@]}") / $(median "${without[@]}")")" 0.95
}

measure_steady()				# measure_steady COUNT SETTLE: sets rate
{
	worker_stop
	load_fast "$1" false
	worker_start
	wait_until 'SELECT NOT EXISTS (SELECT FROM triage.ai_jobs)' 300
	worker_stop
	rate=$(sql "SELECT round(count(*) / extract(epoch FROM max(until) - max(since)))
		FROM (SELECT min(started_at) + interval '$2 s' AS since, max(started_at) AS until FROM triage.ai_runs) AS part
		JOIN triage.ai_runs r ON r.finished_at BETWEEN since AND until")
	[ -n "$rate" ] || { echo "the run was over before $2 s: more tickets are needed" >&2; return 1; }
}
