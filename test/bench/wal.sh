# wal.sh: what a ticket writes between claim and result (sourced by run.sh)
#
# full_page_writes off: with them the figure would be how long ago the last checkpoint was.  autovacuum off: its WAL
# comes at a time of its own.

part_wal()
{
	heading 'WAL from claim to result, bytes a ticket (full_page_writes off), and HOT updates'
	setting full_page_writes off
	setting autovacuum off
	setting triage.max_in_flight 64
	fake_config 0
	measure_worker "$tickets" manual
	at_most 'labels set by people: no ticket update' "$wal" '' 1500 B
	info '  CPU of the worker, us/ticket' "$cpu"
	info '  HOT claims (ai_jobs)' "$(hot_share ai_jobs)"
	measure_worker "$tickets"
	at_most 'ticket update and its history' "$wal" '' 2500 B
	info '  CPU of the worker, us/ticket' "$cpu"
	info '  HOT claims (ai_jobs)' "$(hot_share ai_jobs)"
	row '  HOT ticket updates' "$(hot_share tickets)" '' '' '>= 0.90' "$(hot_share tickets)" '>=' 0.90
	setting full_page_writes on
	setting autovacuum on
}

# Since load_tickets set the counters to nothing; the worker, which has stopped, has reported its own.
hot_share()
{
	sql "SELECT coalesce(round(n_tup_hot_upd::numeric / nullif(n_tup_upd, 0), 2)::text, 'none')
		FROM pg_stat_user_tables WHERE schemaname = 'triage' AND relname = '$1'"
}
