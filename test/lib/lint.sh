# shellcheck shell=bash
# lint.sh: TAP for the checks in test/lint (sourced by bash scripts)
#
# A check collects what it does not like as lines of text and hands them to `none`.  lint_end prints the plan.

set -uo pipefail
shopt -s lastpipe					# "... | none" counts in this shell
cd "$(dirname "$0")/../.." || exit 1
lint_count=0 lint_failed=0

none()							# none NAME < OFFENDERS: passes when standard input is empty
{
	local found
	found=$(cat)
	lint_count=$((lint_count + 1))
	if [ -z "$found" ]; then
		echo "ok $lint_count - $1"
	else
		lint_failed=1
		echo "not ok $lint_count - $1"
		sed 's/^/#   /' <<<"$found"
	fi
}

lint_end()
{
	echo "1..$lint_count"
	exit "$lint_failed"
}

make_list() { make -s "print-$1" PG_CONFIG="${PG_CONFIG:-pg_config}" | tr ' ' '\n' | sed '/^$/d'; }

# Files of the project as text: no build products, nothing of git's.
project_files()
{
	find . -path ./.git -prune -o -type f ! -name '*.o' ! -name '*.so' ! -name '*.bc' ! -name '*.new' ! -path './sql/triage--*.sql' -print |
		sed 's|^\./||' | LC_ALL=C sort
}
