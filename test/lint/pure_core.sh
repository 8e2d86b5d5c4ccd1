#!/bin/bash
# src/core keeps no state: its objects have no writable data.
. "$(dirname "$0")/../lib/lint.sh"

object=$(mktemp)
trap 'rm -f "$object"' EXIT
for file in src/core/*.c; do
	gcc -std=c11 -D_GNU_SOURCE -Isrc -fno-pie -fno-common -w $(pkg-config --cflags json-c) -c -o "$object" "$file" || echo "$file: does not compile"
	nm "$object" | awk -v file="$file" '$(NF - 1) ~ /^[bBdDsS]$/ { print file ": " $NF }'
done | none 'no global or static variables in src/core'
lint_end
