#!/bin/bash
# What is in the directories and what the Makefile names are the same, and no test file escapes the runner.
. "$(dirname "$0")/../lib/lint.sh"

same()							# same NAME LIST FILE...: LIST in the Makefile = base names of FILE...
{
	local name=$1 list=$2
	shift 2
	diff <(make_list "$list" | LC_ALL=C sort) \
		<(for file; do [ ! -e "$file" ] || basename "${file%.*}"; done | LC_ALL=C sort) |
		sed -n "s/^< \(.*\)/\1: in $list, but there is no such file/p; s/^> \(.*\)/\1: not in $list/p" | none "$name"
}

same 'src/core is what CORE says' CORE src/core/*.c
same 'src/net is what NET says' NET src/net/*.c
same 'src/pg is what PG says' PG src/pg/*.c
same 'sql/install is what INSTALL_PARTS says' INSTALL_PARTS sql/install/*.sql
regress=$(find sql -maxdepth 1 -name '*.sql' ! -name 'triage--*')
same 'sql/*.sql is what REGRESS says' REGRESS $regress
same 'expected/*.out is what REGRESS says' REGRESS expected/*.out
same 'test/isolation/specs is what ISOLATION says' ISOLATION test/isolation/specs/*.spec
same 'test/isolation/expected is what ISOLATION says' ISOLATION test/isolation/expected/*.out
for list in CORE NET PG; do
	diff <(make_list $list) <(make_list $list | LC_ALL=C sort) | sed -n "s/^[<>]/$list:/p"
done | none 'lists of sources are sorted'

# Patterns that test/run.sh looks for; anything else beside them would never run.
stray() { find "$1" -maxdepth 1 -type f ! -name "$2" ! -name '*.conf' ! -name '*.md' 2>/dev/null | grep -vE "${3:-^$}"; }
{
	stray test/unit 'test_*.c' '\.h$'
	stray test/fuzz 'fuzz_*.c' '\.h$|\.dict$'
	stray test/pgtap '*.sql' '\.psql$'
	stray test/e2e/t '*.pl'
	stray test/lint '*.sh'
	find test/isolation -mindepth 1 -maxdepth 1 -type f ! -name postgresql.conf
} | none 'every test file is one that the runner finds'
find test/lint test/e2e/t -type f ! -perm -u+x | grep '/lint/' | none 'checks are executable'
lint_end
