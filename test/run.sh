#!/bin/bash
# run.sh [--all] [SUITE...]
#
# Runs test suites in a sandbox and counts.  No argument: every suite of `make check`; --all: the slow ones as well.
# TESTS="name ..." runs only these of a suite's files (without directory and ending).  KEEP=1 keeps the sandbox.
# The last line is "N passed, N failed"; the exit status is 1 when anything failed or a suite had nothing to run.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/test/lib/sandbox.sh"
sandbox_enter "$top" test/run.sh "$@"
. test/lib/server.sh
. test/lib/suites.sh

DEFAULT="lint unit fuzz regress pgtap isolation e2e seeds soak"
SLOW="clients valgrind sanitized bench"

if [ "${1:-}" = --all ]; then
	export FUZZ_SECONDS=${FUZZ_SECONDS:-300} SOAK_SECONDS=${SOAK_SECONDS:-600}
	set -- $DEFAULT $SLOW
elif [ $# -eq 0 ]; then
	set -- $DEFAULT
fi

total_passed=0 total_failed=0 began=$SECONDS
for suite; do
	if ! declare -F "suite_$suite" >/dev/null; then
		echo "no suite \"$suite\": $DEFAULT $SLOW" >&2
		exit 2
	fi
done
for suite; do
	run_suite "$suite"
done
echo "$((SECONDS - began)) seconds"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
