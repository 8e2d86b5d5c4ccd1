# throughput.sh: tickets a second and CPU a ticket, by latency of the model and calls in flight (sourced by run.sh)
#
# Ideal: in_flight / latency, nothing lost between an answer and the next request.  Whole waves, so that the last one
# is full like the others, and some seconds of them, so that the first and the last weigh little.  Three runs, at latency
# 0 five, floor and worker in turn.  Of rates and ratios the median counts, of CPU the least: what else runs on the
# machine, or beside it on the same host, takes the caches away and makes it more, by a third within minutes, and never
# less.  "queued": how long the worker was ready and had no processor; where that is much, the machine is busy and the
# rate says little.

part_throughput()
{
	local latency in_flight
	heading 'Throughput: tickets/s from the first request to the last result'
	for latency in 0 50 500; do
		for in_flight in 64 256 1000; do
			throughput_cell "$latency" "$in_flight"
		done
	done
}

throughput_cell()
{
	local latency=$1 in_flight=$2 count runs=3 i ideal name="$1 ms, $2 in flight"
	local rates=() floors=() ratios=() cpus=() floor_cpus=() waits=()
	count=$((4 * tickets))
	[ "$latency" -eq 0 ] || count=$((in_flight * 8000 / latency))
	[ "$count" -ge "$tickets" ] || count=$tickets
	[ "$count" -le $((8 * tickets)) ] || count=$((8 * tickets))
	count=$(((count + in_flight - 1) / in_flight * in_flight))
	[ "$latency" -gt 0 ] || runs=5
	[ -z "${QUICK:-}" ] || runs=1
	setting triage.max_in_flight "$in_flight"
	for ((i = 0; i < runs; i++)); do
		fake_config "$latency"
		# a second or so, also where nothing is waited for; where much is, what it reaches does not vary
		[ "$latency" -gt 0 ] && [ "$i" -gt 0 ] || measure_floor $((latency > 0 ? count : 2 * count)) "$in_flight"
		fake_config "$latency"
		measure_worker "$count"
		rates+=("$rate") floors+=("$floor_rate") ratios+=("$(calc "$rate / $floor_rate" %.3f)")
		cpus+=("$cpu") floor_cpus+=("$floor_cpu") waits+=("$queued")
	done
	rate=$(median "${rates[@]}") floor_rate=$(median "${floors[@]}")
	cpu=$(least "${cpus[@]}") floor_cpu=$(least "${floor_cpus[@]}") queued=$(least "${waits[@]}")
	if [ "$latency" -eq 0 ]; then
		at_least "$name" "$rate" "floor $floor_rate" "$(calc "$(median "${ratios[@]}")")" 0.3
	else
		ideal=$(calc "$in_flight * 1000 / $latency" %.0f)
		info "$name: floor against ideal" "$floor_rate" "ideal $ideal" "$(calc "$floor_rate / $ideal")"
		if holds "$ideal * 150 > 1000000"; then
			info "$name (more than one processor at 150 us)" "$rate" "ideal $ideal" "$(calc "$rate / $ideal")"
		elif holds "$floor_rate >= 0.9 * $ideal"; then
			at_least "$name" "$rate" "ideal $ideal" "$(calc "$rate / $ideal")" 0.9
		else
			info "$name (the floor does not reach 0.9)" "$rate" "floor $floor_rate" "$(calc "$rate / $floor_rate")"
		fi
	fi
	at_most "$name: CPU of the worker, us/ticket" "$cpu" "floor $floor_cpu, queued $queued" 150 us
	info "$name: answers a write transaction" "$batch"
	info "$name: most calls at once" "$(fake_stat max_in_flight)"
}
