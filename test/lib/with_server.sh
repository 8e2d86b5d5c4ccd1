#!/bin/bash
# with_server.sh [--quiet] [--preload] [--no-server] SCRIPT [ARGUMENT...]
#
# Builds the extension into a throw-away PostgreSQL and runs SCRIPT (a path below the checkout) against it: current
# directory is a copy of the checkout, PATH finds that server's programs, and libpq's environment leads to database
# "triage", where the extension is installed.  --no-server: only SANDBOX, TREE_BIN, FAKE_MODEL and PATH; the script
# starts its own servers (test/lib/server.sh).  OUTER_DIR is where the caller stood, for results worth keeping.
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/sandbox.sh"
sandbox_enter "$top" test/lib/with_server.sh "$@"
. test/lib/server.sh

quiet='' preload='' server=yes
while :; do
	case ${1:-} in
		--quiet) quiet=yes ;;
		--preload) preload=yes ;;
		--no-server) server= ;;
		*) break ;;
	esac
	shift
done
script=${1:?usage: with_server.sh [--quiet] [--preload] [--no-server] SCRIPT}
shift
[ -x "$script" ] || { echo "$script is missing or not executable" >&2; exit 1; }

[ -n "$quiet" ] || echo "Building ..." >&2
TREE_BIN=$(test/lib/tree.sh "$PG_CONFIG" "$SANDBOX/tree" 2>"$SANDBOX/log/build.log") || { cat "$SANDBOX/log/build.log" >&2; exit 1; }
export TREE_BIN PATH=$TREE_BIN:$PATH
if [ -e test/e2e/fake_model.c ]; then
	export FAKE_MODEL=$SANDBOX/fake_model
	gcc -std=c11 -D_GNU_SOURCE -O2 -o "$FAKE_MODEL" test/e2e/fake_model.c -lm
fi
if [ -e test/e2e/fake_zendesk.c ]; then
	export FAKE_ZENDESK=$SANDBOX/fake_zendesk
	gcc -std=c11 -D_GNU_SOURCE -O2 -pthread -o "$FAKE_ZENDESK" test/e2e/fake_zendesk.c
fi
if [ -n "$server" ]; then
	echo "shared_preload_libraries = '${preload:+triage}'" >"$SANDBOX/tmp/preload.conf"
	server_start main "$SANDBOX/tmp/preload.conf"
	createdb triage
	export PGDATABASE=triage
	psql -Xqc 'CREATE EXTENSION triage'
fi
"$script" "$@"
