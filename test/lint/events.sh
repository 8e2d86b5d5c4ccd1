#!/bin/bash
# doc/events.md has a table of the topics: those of type triage.event_topic and no others, each written by something.
. "$(dirname "$0")/../lib/lint.sh"

topics=$(perl -0777 -ne 'print "$_\n" for ((/CREATE TYPE triage\.event_topic AS ENUM\s*\((.*?)\);/s)[0] // "") =~ /\x27([^\x27]+)\x27/g' \
	sql/install/tables_events.sql | LC_ALL=C sort)
[ -n "$topics" ] || echo 'none found in sql/install/tables_events.sql' | none 'there are topics'
told=$(grep -E '^\| `' doc/events.md | cut -d'|' -f2 | grep -oE '`[^`]+`' | tr -d '`' | LC_ALL=C sort)
diff <(echo "$topics") <(echo "$told") | none 'the topics in doc/events.md are those of triage.event_topic'
# those of drafts are put together from the verdict
for topic in $(grep -v '^draft\.' <<<"$topics"); do
	grep -qrF -e "\"$topic\"" -e "'$topic'" src/pg sql/install --include='*.c' --include='api_*.sql' --include='chat_*.sql' --include='*clusters.sql' || echo "$topic"
done | none 'each topic is written somewhere'
lint_end
