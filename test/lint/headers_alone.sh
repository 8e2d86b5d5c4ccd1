#!/bin/bash
# Each header compiles as a file of its own; those of core and net without the server's headers.
. "$(dirname "$0")/../lib/lint.sh"

server=$("${PG_CONFIG:-pg_config}" --includedir-server)
flags="-std=c11 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -fsyntax-only -x c"
for header in src/core/*.h src/net/*.h; do
	gcc $flags "$header" 2>&1 | none "$header"
done
for header in src/pg/*.h; do
	gcc $flags -std=gnu11 -isystem "$server" -include postgres.h "$header" 2>&1 | none "$header"
done
lint_end
