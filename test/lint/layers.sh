#!/bin/bash
# Who may include what: core knows only itself, net knows core, the server stays in src/pg.
. "$(dirname "$0")/../lib/lint.sh"

# Files that own a table's SQL, and the one with the helpers that they share.
SPI_FILES='tickets_(handler|log|row|shape)|budget|builtin_provider|chat_events|config|control|erase|events|home|jobs|kinds|pause|prices|queue|rows|spi_util|store|sync_queue'
# No clock, no files, no environment.  arpa/inet.h: for inet_pton, which only reads text.
CORE_LIBC='arpa/inet|assert|ctype|errno|float|inttypes|limits|math|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|time'
IMPURE='(time|clock|clock_gettime|gettimeofday|localtime|fopen|open|read|write|printf|fprintf|puts|getenv|setlocale|rand|random|abort|exit)'

includes() { grep -nE '^[[:space:]]*#[[:space:]]*include' -r "$@" --include='*.[ch]'; }

includes src/core | grep -vE "include (\"core/[a-z0-9_]+\.h\"|<($CORE_LIBC)\.h>|<json(-c/json[a-z_]*)?\.h>)" |
	none 'src/core includes core, json-c and the pure part of libc'
includes src/core | grep -E '<json' | grep -vE '^src/core/(verdict|classify|json_read|fields|zendesk_page)\.[ch]:' | none 'json-c only in core/verdict.c, classify.c, json_read, fields.c and zendesk_page.c'
includes src/net src/pg src/triage.c | grep -E '<json' | none 'no json-c outside src/core'
grep -nE "(^|[^a-z0-9_>.])${IMPURE}[[:space:]]?\(" -r src/core --include='*.c' | grep -vE ':[[:space:]]*(/?\*|//)' |
	none 'src/core has no clock, no input and output, no environment'
includes src/net | grep -vE 'include ("(core|net)/[a-z0-9_]+\.h"|<[a-z0-9_/]+\.h>)' | none 'src/net includes core, net and system headers'
includes src/core src/pg src/triage.c | grep -E '<curl' | none 'curl/curl.h only in src/net'
includes src | grep -E '"executor/spi\.h"' | grep -vE "^src/pg/($SPI_FILES)\.[ch]:" | none "executor/spi.h only in the files of src/pg that own SQL"
grep -n 'PG_VERSION_NUM' -r src | grep -v '^src/pg/compat.h:' | none 'PG_VERSION_NUM only in src/pg/compat.h'
includes src/triage.c | grep -E '"' | grep -vE '"(postgres|fmgr|miscadmin|pg/[a-z0-9_]+)\.h"' | none 'src/triage.c includes src/pg only'
for file in src/triage.c src/pg/*.c; do
	grep -E '^#include' "$file" | head -1 | grep -qx '#include "postgres.h"' || echo "$file"
done | none 'server files include postgres.h first'
lint_end
