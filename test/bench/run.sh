#!/bin/bash
# run.sh: the benchmark (make bench): throughput, CPU, WAL, pick-up, memory, depth of the queue, cost of an INSERT,
# lists and searches of a million tickets
#
# Each figure stands beside a floor or a reference measured in the same run, since machines differ and are not idle.
#   BENCH_TICKETS=5000   tickets a measurement (about; whole waves of calls)
#   BENCH_ROWS='throughput wal ...'   only these parts, see below
#   QUICK=1              a short run, for whoever changes the benchmark; its figures say little
set -euo pipefail
. test/lib/server.sh
. test/bench/lib.sh

tickets=${BENCH_TICKETS:-5000}
[ -z "${QUICK:-}" ] || tickets=${BENCH_TICKETS:-1000}
parts=(throughput wal tail pickup insert queue memory listing)
parts+=(sync)
for part in "${parts[@]}"; do
	. "test/bench/$part.sh"
done

gcc -std=c11 -D_GNU_SOURCE -O2 -o "$SANDBOX/tmp/floor" test/bench/floor.c -lcurl -ljson-c
fake_start
capture_port=$(perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1)->sockport')
capture_origin=http://127.0.0.1:$capture_port
body_file=$SANDBOX/tmp/body.json

bench_server main "shared_preload_libraries = 'triage'"
capture_request "$body_file"
printf 'PostgreSQL %s, %s processors, about %s tickets a measurement; a request has %s bytes\n' \
	"$(sql 'SHOW server_version')" "$(nproc)" "$tickets" "$(stat -c %s "$body_file")"
for part in ${BENCH_ROWS:-${parts[*]}}; do
	"part_$part"
done
printf '\n%s targets reached, %s missed\n' "$reached" "$missed"
[ "$missed" -eq 0 ]
