# memory.sh: the worker's own memory, at 1000 calls in flight and over many tickets (sourced by run.sh)

part_memory()
{
	local count=200000 early= late peak=0 now done_count
	[ -z "${QUICK:-}" ] || count=20000
	heading "Memory of the worker (RssAnon) over $count tickets, 1000 in flight, 50 ms"
	setting triage.max_in_flight 1000
	fake_config 50
	worker_stop
	load_fast "$count" false
	worker_start
	while :; do
		done_count=$(sql 'SELECT count(*) FROM triage.ai_runs')
		[ "$done_count" -lt "$count" ] || break
		now=$(rss_anon_kb "$pid")
		[ "$now" -le "$peak" ] || peak=$now
		# warm: the allocator has met every size at once that a thousand calls ask for, and plans were made anew as the
		# tables grew; what leaks grows on
		[ -n "$early" ] || [ "$done_count" -lt $((count / 2)) ] || early=$now
		sleep 0.5
	done
	late=$(rss_anon_kb "$pid")
	worker_stop
	at_most 'most' "$(calc "$peak / 1024" %.1f)" '' 150 MB
	row 'at the end' "$(calc "$late / 1024" %.1f)" "halfway $(calc "$early / 1024" %.1f)" \
		"$(calc "$late / $early")" '<= 1.02' "$(calc "$late / $early" %.4f)" '<=' 1.02
}
