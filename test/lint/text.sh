#!/bin/bash
# The text of the repository: nothing of a developer's machine, nothing postponed, a readable change log.
. "$(dirname "$0")/../lib/lint.sh"

project_files | grep -v '^test/data/' | xargs grep -InE '/(work|root|home)/' | none 'no paths of somebody'"'"'s machine'
project_files | grep -v '^test/data/' | xargs grep -InE '\b(T[O]DO|F[I]XME)\b' | grep -v '^test/lib/suites.sh' | none 'nothing left to do later'
grep -nE '(^|[^E'"'"'])'"'"'([^'"'"'\\]|'"'"''"'"')*\\' sql/install/*.sql | grep -vE 'sql/install/(tables|views|header)' |
	none 'a string with a backslash is E'"'"'...'"'"': a session may read the others with standard_conforming_strings off'
LC_ALL=C grep -n '[^ -~[:space:]]' sql/install/*.sql triage.control | none 'the install script is ASCII: a server reads it in the database'"'"'s encoding'
awk 'length > 120 { print FILENAME ":" FNR ": " length " characters" }' CHANGELOG.md 2>&1 | none 'lines of CHANGELOG.md have at most 120 characters'
project_files | grep -E '\.(c|h|sql|sh|pl|pm|md|json)$' | grep -vE '^(test/data|expected|test/isolation/expected)/' |
	xargs grep -nE '[[:blank:]]+$' | none 'no white space at the ends of lines'
project_files | grep -E '\.[ch]$' | xargs grep -nE '^  +[^ *]' | none 'C is indented with tabs'
lint_end
