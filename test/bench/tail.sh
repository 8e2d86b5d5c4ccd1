# tail.sh: does one slow answer slow the others? (sourced by run.sh)
#
# 1 % of the answers take 5 s.  A slow call keeps its place in the air, so where all places are taken throughput must
# fall, to in_flight / mean latency: of this the worker is to reach the same share as without the tail.  So it is at 256,
# where neither needs a whole processor.  At 2000 there are places to spare, and a processor is too little with the tail
# and without: there the rates themselves are compared.  (What the tail takes there, some hundredths, is mostly the kernel's
# waking of the model's process, which on this loopback the sender pays for.)
#
# Rates are of the steady part: from the time when slow calls are as many as they will be, to the last request's start; it
# lasts some 10 s.  Runs with and without the tail take turns, the medians count.

part_tail()
{
	local slow=5000 settle=6 count=40000 rounds=3 mean
	[ -z "${QUICK:-}" ] || { slow=1000; settle=1.5; count=10000; rounds=1; }
	heading "A tail of slow answers: 1 % take $((slow / 1000)) s, the others 50 ms; in the steady state"
	mean=$(calc "0.99 * 50 + 0.01 * $slow" %.1f)

	tail_rounds 256 $((2 * count)) "$count"
	at_least '256 in flight: share of in flight/mean' "$(calc "$with / (256000 / $mean)" %.3f)" \
		"without $(calc "$without / (256000 / 50)" %.3f)" "$(calc "$with / $without * $mean / 50")" 0.95
	at_least '  latency of the others, p95, ms' "$others_with" "without $others_without" \
		"$(calc "$others_without / $others_with")" 0.9

	tail_rounds 2000 $((4 * count)) $((4 * count))
	at_least '2000 in flight, with the tail: tickets/s' "$with" "without $without" "$(calc "$with / $without")" 0.95
}

# tail_rounds IN_FLIGHT COUNT COUNT-WITH: sets without and with (tickets/s), others_without and others_with
tail_rounds()
{
	local round rates=() tail_rates=() others_of=() tail_others_of=()
	setting triage.max_in_flight "$1"
	for round in $(seq "$rounds"); do
		fake_config 50
		measure_steady "$2" "$settle"
		rates+=("$rate") others_of+=("$others")
		fake_config 50 1 "$slow"
		measure_steady "$3" "$settle"
		tail_rates+=("$rate") tail_others_of+=("$others")
	done
	without=$(median "${rates[@]}") with=$(median "${tail_rates[@]}")
	others_without=$(median "${others_of[@]}") others_with=$(median "${tail_others_of[@]}")
}

# measure_steady COUNT SETTLE: sets rate, and others (p95 of the latency of those that are not slow, ms)
measure_steady()
{
	worker_stop
	load_fast "$1" false
	worker_start
	wait_until 'SELECT NOT EXISTS (SELECT FROM triage.ai_jobs)' 300
	worker_stop
	read -r rate others <<<"$(psql -XAtq -F ' ' -c "SELECT round(count(*) / extract(epoch FROM max(until) - max(since))),
			percentile_disc(0.95) WITHIN GROUP (ORDER BY latency_ms) FILTER (WHERE latency_ms < $slow)
		FROM (SELECT min(started_at) + interval '$2 s' AS since, max(started_at) AS until FROM triage.ai_runs) AS part
		JOIN triage.ai_runs r ON r.finished_at BETWEEN since AND until")"
	[ -n "$others" ] || { echo "the run was over before $2 s: more tickets are needed" >&2; return 1; }
}
