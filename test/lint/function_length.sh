#!/bin/bash
# No function is longer than a screen: at most 60 lines between its braces.
. "$(dirname "$0")/../lib/lint.sh"

find src -name '*.c' | LC_ALL=C sort | xargs awk '
	FNR == 1                  { inside = 0; signature = "" }
	/^\{/ && signature ~ /\)$/ { inside = 1; start = FNR; next }
	/^\}/ && inside           { if (FNR - start - 1 > 60) print FILENAME ":" start ": " FNR - start - 1 " lines"; inside = 0 }
	/[^[:space:]]/            { signature = $0; sub(/[[:space:]]+$/, "", signature) }
' | none 'functions of at most 60 lines'
lint_end
