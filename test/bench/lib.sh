# lib.sh: what the rows of the benchmark share (sourced by run.sh)
#
# A row prints a line as soon as it is known: what, measured, against what, ratio, target, reached or missed.  Rates
# of the worker are taken from the database's own clock, first request to last result; the floor is measured between
# them, so that what else the machine does hits both.

reached=0 missed=0

heading()						# heading TEXT
{
	printf '\n%s\n' "$1"
	printf '  %-46s %14s %26s %7s   %s\n' '' measured against ratio target
}

# row WHAT MEASURED AGAINST RATIO TARGET OPERATOR NUMBER: reached when RATIO-or-MEASURED OPERATOR NUMBER holds
# NUMBER of "-" makes it information only.
row()
{
	local what=$1 measured=$2 against=$3 ratio=$4 target=$5 value=$6 operator=$7 bound=$8 verdict=
	if [ "$bound" != - ]; then
		if holds "$value $operator $bound"; then
			verdict=reached
			reached=$((reached + 1))
		else
			verdict=MISSED
			missed=$((missed + 1))
		fi
	fi
	printf '  %-46s %14s %26s %7s   %s\n' "$what" "$measured" "$against" "$ratio" "${target:+$target  }$verdict"
}

info() { row "$1" "$2" "${3:-}" "${4:-}" '' '' '' -; }
at_least() { row "$1" "$2" "$3" "$4" ">= $5" "$4" '>=' "$5"; }		# WHAT MEASURED AGAINST RATIO BOUND
at_most() { row "$1" "$2" "$3" '' "<= $4${5:+ $5}" "$2" '<=' "$4"; }	# WHAT MEASURED AGAINST BOUND [UNIT]

calc() { awk "BEGIN { printf \"${2:-%.2f}\", $1 }"; }
holds() { awk "BEGIN { exit !($1) }"; }

# Servers ------------------------------------------------------------------------------------------------------------

# bench_server NAME [LINE...]: a server as it is run for real, with the lines added to its settings; database "triage"
bench_server()
{
	local name=$1
	shift
	{
		echo 'fsync = on'
		echo 'synchronous_commit = on'
		# what a server with a few GB of memory is given; a page that is read from the kernel's cache costs more than a hit
		echo 'shared_buffers = 1GB'
		echo 'max_wal_size = 4GB'
		echo "triage.allowed_origins = '$origin, $capture_origin'"
		printf '%s\n' "$@"
	} >"$SANDBOX/tmp/$name.conf"
	server_start "$name" "$SANDBOX/tmp/$name.conf"
	createdb triage
	export PGDATABASE=triage
	psql -Xqc 'CREATE EXTENSION triage' -f test/bench/tickets.sql
	set_provider "$origin"
}

sql() { psql -XAtq -v ON_ERROR_STOP=1 -c "$1"; }

set_provider()					# set_provider ORIGIN
{
	sql "SELECT triage.set_provider('bench', 'openai', '$1/v1', 'fake', rank => 1)" >/dev/null
}

# setting NAME VALUE: for all sessions, now
setting()
{
	psql -Xq -v ON_ERROR_STOP=1 -c "LOAD 'triage'" -c "ALTER SYSTEM SET $1 = '$2'" -c 'SELECT pg_reload_conf()' >/dev/null
	sleep 0.1
}

# The fake model -----------------------------------------------------------------------------------------------------

fake_start()
{
	local tries
	: >"$SANDBOX/tmp/fake.port"
	# a model is elsewhere: here it must not push the worker off its processor at each request that comes in
	chrt --batch 0 "$FAKE_MODEL" --port 0 >"$SANDBOX/tmp/fake.port" &
	for tries in {1..50}; do
		fake_port=$(sed -n 's/^port //p' "$SANDBOX/tmp/fake.port")
		[ -z "$fake_port" ] || break
		sleep 0.1
	done
	origin=http://127.0.0.1:$fake_port
}

fake()							# fake GET|POST PATH [BODY]: prints the body of the answer
{
	local body=${3:-}
	exec {fake_fd}<>"/dev/tcp/127.0.0.1/$fake_port"
	printf '%s %s HTTP/1.1\r\nHost: fake\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" "${#body}" "$body" >&"$fake_fd"
	sed '1,/^\r$/d' <&"$fake_fd"
	exec {fake_fd}>&-
}

fake_config() { fake POST /config "latency_ms=$1&slow_percent=${2:-0}&slow_ms=${3:-0}" >/dev/null; fake POST /reset >/dev/null; }

fake_stat() { fake GET /stats | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"; }

# The body of a request as the worker sends it, for the floor.
capture_request()				# capture_request FILE
{
	local tries
	perl test/bench/capture.pl "$capture_port" "$1" &
	set_provider "$capture_origin"
	load_tickets 1
	worker_start
	for tries in {1..100}; do
		[ ! -s "$1" ] || break
		sleep 0.1
	done
	worker_stop
	set_provider "$origin"
	[ -s "$1" ] || { echo 'no request was captured' >&2; return 1; }
}

# The worker ---------------------------------------------------------------------------------------------------------

worker_pid() { sql "SELECT pid FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = current_database()"; }

worker_start()
{
	local tries
	sql 'SELECT triage.worker_start()' >/dev/null
	for tries in {1..200}; do
		pid=$(worker_pid)
		[ -z "$pid" ] || return 0
		sleep 0.02
	done
	echo 'the worker did not start' >&2
	return 1
}

worker_stop()
{
	local tries
	sql 'SELECT triage.worker_stop()' >/dev/null
	for tries in {1..200}; do
		[ -n "$(worker_pid)" ] || return 0
		sleep 0.05
	done
	echo 'the worker did not stop' >&2
	return 1
}

# User and system time of a process, and how long it was ready and had no processor, in microseconds.
cpu_us()
{
	if [ -r "/proc/$1/schedstat" ]; then
		awk '{ printf "%d %d\n", $1 / 1000, $2 / 1000 }' "/proc/$1/schedstat"
	else
		awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000000 / hz, 0 }' "/proc/$1/stat"
	fi
}

rss_anon_kb() { sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"; }

# load_tickets COUNT [LABELS]: nothing but these tickets, all pending; LABELS "manual": set by a person.  The checkpoint
# comes before them, since a ticket is triaged soon after it came in: no page of its has to go into the WAL as a whole.
load_tickets()
{
	psql -Xq -v ON_ERROR_STOP=1 -c 'CHECKPOINT' -c "CALL bench.load($1, '${2:-none}')" -c 'SELECT pg_stat_reset()' -c 'ANALYZE' >/dev/null
}

# load_fast COUNT SMALL: the same without the triggers; SMALL (true, false): a text of a few words
load_fast()
{
	psql -Xq -v ON_ERROR_STOP=1 -c "CALL bench.load_fast($1, $2)" -c 'VACUUM ANALYZE' -c 'CHECKPOINT'
}

# wait_until QUERY SECONDS: a session of its own that asks again and again, so that asking costs little
wait_until()
{
	local query=$1 deadline=$((SECONDS + $2)) answer=
	coproc ASK { psql -XAtq 2>&1; }
	while :; do
		echo "$query;" >&"${ASK[1]}"
		read -r answer <&"${ASK[0]}"
		[ "$answer" != t ] || break
		sleep 0.25
		if [ "$SECONDS" -gt "$deadline" ]; then
			echo "gave up after $2 s: $query (last answer: $answer)" >&2
			sql 'SELECT * FROM triage.queue_stats; SELECT outcome, error, count(*) FROM triage.ai_runs GROUP BY 1, 2' >&2
			return 1
		fi
	done
	echo '\q' >&"${ASK[1]}"
	wait "$ASK_PID" 2>/dev/null || true
}

# Sets start_us: the CPU of a worker that comes and finds nothing to do, the least of three.
start_us=
measure_start()
{
	local i used starts=()
	worker_stop
	load_tickets 0
	for i in 1 2 3; do
		worker_start
		wait_until "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid" 30
		read -r used _ <<<"$(cpu_us "$pid")"
		starts+=("$used")
		worker_stop
	done
	start_us=$(least "${starts[@]}")
}

# measure_worker COUNT [LABELS]: sets rate (per second), cpu and queued (us a ticket: on a processor, and waiting for
# one; what a worker takes that finds nothing to do is no ticket's), wal (bytes a ticket), batch (answers a write
# transaction)
measure_worker()
{
	local count=$1 before after used waited seconds
	[ -n "$start_us" ] || measure_start
	worker_stop
	load_tickets "$count" "${2:-none}"
	before=$(sql 'SELECT pg_current_wal_insert_lsn()')
	worker_start
	wait_until 'SELECT NOT EXISTS (SELECT FROM triage.ai_jobs)' "${3:-300}"
	read -r used waited <<<"$(cpu_us "$pid")"
	after=$(sql 'SELECT pg_current_wal_insert_lsn()')
	worker_stop
	[ "$(sql "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded'")" -eq "$count" ] ||
		{ echo 'not every ticket got its answer' >&2; return 1; }
	read -r seconds rate batch wal <<<"$(psql -XAtq -F ' ' -c "SELECT s, $count / s, $count::float8 / b,
		('$after'::pg_lsn - '$before'::pg_lsn) / $count
		FROM (SELECT extract(epoch FROM max(finished_at) - min(started_at)) AS s, count(DISTINCT xmin::text) AS b
			FROM triage.ai_runs) AS r")"
	cpu=$(calc "($used - $start_us) / $count" %.0f)
	queued=$(calc "$waited / $count" %.0f)
	rate=$(calc "$rate" %.0f)
	batch=$(calc "$batch" %.1f)
	wal=$(calc "$wal" %.0f)
}

# measure_floor COUNT IN_FLIGHT: sets floor_rate and floor_cpu
measure_floor()
{
	local line
	line=$("$SANDBOX/tmp/floor" --url "$origin/v1/chat/completions" --body "$body_file" --requests "$1" --in-flight "$2")
	floor_rate=$(sed 's/.*per_second=\([0-9]*\).*/\1/' <<<"$line")
	floor_cpu=$(sed 's/.*cpu_us_per_request=\([0-9]*\).*/\1/' <<<"$line")
}

least() { printf '%s\n' "$@" | sort -g | head -1; }
median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }
