#!/bin/bash
# Settings stand in alphabetical order in the source and are documented for the administrator.
. "$(dirname "$0")/../lib/lint.sh"

settings=$(perl -0777 -ne 'print "$1\n" while /DefineCustom\w+Variable\(\s*"([^"]+)"/g' src/pg/guc.c)
[ -n "$settings" ] || echo 'none found in src/pg/guc.c' | none 'there are settings'
diff <(echo "$settings") <(LC_ALL=C sort <<<"$settings") | none 'settings are sorted in src/pg/guc.c'
grep -v '^triage\.' <<<"$settings" | none 'settings begin with triage.'
for setting in $settings; do
	grep -qF -- "$setting" README.md doc/reference.md || echo "$setting"
done | none 'each setting is in README.md or doc/reference.md'
grep -ohE '`triage\.[a-z_]+`' README.md | tr -d '`' | LC_ALL=C sort -u | while read -r name; do
	grep -qxF "$name" <<<"$settings" || grep -qrE "(TABLE|VIEW|FUNCTION|TYPE|PROCEDURE)( IF NOT EXISTS)? $name\>" sql/install || echo "$name"
done | none 'each name in README.md exists'
lint_end
