#!/bin/bash
# doc/architecture.md and README.md name files that exist.
. "$(dirname "$0")/../lib/lint.sh"

for document in doc/architecture.md README.md; do
	[ -f "$document" ] || { echo 'no such file' | none "$document"; continue; }
	grep -oE '\b(src|sql|test|doc|expected|\.ci)/[A-Za-z0-9_*./-]*[A-Za-z0-9_*]' "$document" | LC_ALL=C sort -u | while read -r path; do
		[ "$path" != sql/triage--1.0.sql ] || continue
		compgen -G "$path" >/dev/null || echo "$path"
	done | none "files named in $document exist"
done
lint_end
