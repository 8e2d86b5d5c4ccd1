# sync.sh: copying tickets from a source: tickets/s from the fake Zendesk to the tables, and the memory of large pages
# (sourced by run.sh)
#
# The rate is from the first request to the last commit, with
# nothing but the pace of the source out of the way; the first page meets empty tables and the last a full one.

part_sync()
{
	local count=20000 large=2000 kb before peak
	[ -z "${QUICK:-}" ] || count=3000 large=1000
	worker_stop
	zendesk_start
	mkdir -p "$SANDBOX/secrets"
	(umask 077; printf 'the-secret-of-zendesk' >"$SANDBOX/secrets/zendesk")
	setting triage.secrets_directory "$SANDBOX/secrets"
	setting triage.allowed_origins "$origin, $zendesk_origin"

	heading "Tickets copied from a source, pages of 1000, $count tickets"
	sync_run "$count" 800
	at_least 'tickets/s, about 1 kB each' "$(calc "$sync_rate" %.0f)" 'target 1000' "$(calc "$sync_rate / 1000")" 1
	info 'CPU of the worker, us a ticket' "$sync_cpu"
	sync_run $((count / 4)) 8000
	info 'tickets/s, about 8 kB each' "$(calc "$sync_rate" %.0f)"

	heading 'Memory of the worker (RssAnon), pages of 1000 tickets of 20 kB each'
	sync_run "$large" 20000
	at_most 'most' "$(calc "$sync_peak / 1024" %.1f)" '' 350 MB
	at_most 'afterwards' "$(calc "$sync_after / 1024" %.1f)" '' 50 MB
	sql "SELECT triage.drop_source('bench')" >/dev/null
	kill "$zendesk_pid"
	worker_start
}

zendesk_start()
{
	local tries
	: >"$SANDBOX/tmp/zendesk.port"
	"$FAKE_ZENDESK" >"$SANDBOX/tmp/zendesk.port" &
	zendesk_pid=$!
	for tries in {1..50}; do
		zendesk_port=$(sed -n 's/^port //p' "$SANDBOX/tmp/zendesk.port")
		[ -z "$zendesk_port" ] || break
		sleep 0.1
	done
	zendesk_origin=http://127.0.0.1:$zendesk_port
}

zendesk()						# zendesk PATH FORM
{
	local fake_port=$zendesk_port
	fake POST "$1" "$2" >/dev/null
}

# sync_run COUNT BYTES: a fresh source of so many tickets; sets sync_rate, sync_cpu (us a ticket), sync_peak, sync_after (kB)
sync_run()
{
	local count=$1 used now
	worker_stop
	psql -Xq -v ON_ERROR_STOP=1 -c "SELECT triage.drop_source(name) FROM triage.sync_sources" -c "CALL bench.load(0, 'none')" \
		-c 'SELECT pg_stat_reset()' -c 'CHECKPOINT' >/dev/null
	zendesk /fill "tickets=$count&description_bytes=$2&step=1&age=600&per_minute=1000000&account_per_minute=10000000"
	sql "SELECT triage.add_zendesk_source(base_url => '$zendesk_origin', name => 'bench', email => 'a@example.com', secret => 'zendesk',
		start_time => '2020-01-01', requests_per_minute => 1000000, poll_interval => '1 day', include_comments => false)" >/dev/null
	worker_start
	sync_peak=0
	while [ "$(sql "SELECT count(*) FROM triage.synced_tickets")" -lt "$count" ]; do
		now=$(rss_anon_kb "$pid")
		[ "$now" -le "$sync_peak" ] || sync_peak=$now
		sleep 0.05
	done
	wait_until "SELECT sync_completed_at IS NOT NULL FROM triage.sync_state WHERE stream = 'tickets'" 60
	read -r used _ <<<"$(cpu_us "$pid")"
	sleep 0.5
	sync_after=$(rss_anon_kb "$pid")
	sync_cpu=$(calc "$used / $count" %.0f)
	sync_rate=$(sql "SELECT $count / extract(epoch FROM max(finished_at) - min(started_at)) FROM
		(SELECT * FROM triage.sync_runs WHERE outcome = 'succeeded' ORDER BY id DESC LIMIT ceil($count / 1000.0)) AS r")
}
