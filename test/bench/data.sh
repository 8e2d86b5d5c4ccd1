#!/bin/bash
# data.sh: a helpdesk of ROWS tickets to look at (make bench-data)
#
#   ROWS=1000000   how many tickets
#   BACKLOG=5000   about how many of them are not finished
#   PGURI=...      load it there: a database with extension triage and no tickets, as a superuser
#   KEEP=1         without PGURI: leave the throw-away server running
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/sandbox.sh"

# empty, as make passes it, is unset
rows=${ROWS:-1000000} backlog=${BACKLOG:-5000}
[[ $rows =~ ^[1-9][0-9]{0,8}$ && $backlog =~ ^[0-9]{1,9}$ ]] || { echo "bench-data: ROWS and BACKLOG are numbers" >&2; exit 1; }

load()							# load [OPTION-OF-PSQL...]
{
	local began=$SECONDS
	psql -Xq "$@" -v ON_ERROR_STOP=1 -f "$top/test/bench/bulk.sql" -c "CALL bench.bulk($rows, $backlog)" -c 'VACUUM ANALYZE'
	echo "$((SECONDS - began)) seconds"
	psql -Xq "$@" -P pager=off -P footer=off -c "SELECT c.relname AS table, c.reltuples::bigint AS rows,
			pg_size_pretty(pg_table_size(c.oid)) AS table_size, pg_size_pretty(pg_indexes_size(c.oid)) AS index_size
		FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind = 'r' AND c.reltuples > 100 ORDER BY c.reltuples DESC"
}

if [ -n "${PGURI:-}" ]; then
	load -d "$PGURI"
	exit
fi
if [ -z "${SANDBOX:-}" ]; then
	# here KEEP means the running server
	export DATA_KEEP=${KEEP:-}
	unset KEEP
fi
sandbox_enter "$top" test/bench/data.sh
. test/lib/server.sh
top=$SANDBOX/src
TREE_BIN=$(test/lib/tree.sh "$PG_CONFIG" "$SANDBOX/tree" 2>"$SANDBOX/log/build") || { cat "$SANDBOX/log/build" >&2; exit 1; }
printf '%s\n' 'shared_buffers = 256MB' 'max_wal_size = 4GB' 'triage.autostart = off' >"$SANDBOX/tmp/data.conf"
server_start data "$SANDBOX/tmp/data.conf"
createdb triage
export PGDATABASE=triage
psql -Xqc 'CREATE EXTENSION triage'
load
if [ -n "${DATA_KEEP:-}" ]; then
	touch "$SANDBOX/leave-running"
	# the outer process may be another user's, who asks needs the superuser's name only
	chmod 755 "$SANDBOX" "$SANDBOX/run" "$SANDBOX/run/data"
	echo "The server is left running: psql -h $PGHOST -U postgres triage"
	echo "To remove it: $TREE_BIN/pg_ctl -D $SANDBOX/data/data -m immediate stop; rm -r $SANDBOX"
fi
