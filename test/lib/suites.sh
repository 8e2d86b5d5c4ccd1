# shellcheck shell=bash
# suites.sh: the suites of test/run.sh (sourced).  suite_X runs suite X and calls tap_program, tap_file or report for
# each result; run_suite prints what came out.

STRICT="-std=c11 -D_GNU_SOURCE -Isrc -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -pthread"
SANITIZE="-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
LIBS="$(pkg-config --libs libcurl json-c) -lm"
LIB_CFLAGS=$(pkg-config --cflags libcurl json-c)
export ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1

################################################ counting ################################################

run_suite()
{
	local suite=$1 line
	passed=0 failed=0 skipped=0 details=$SANDBOX/log/$1.details
	: >"$details"
	local start=${EPOCHREALTIME/./}
	"suite_$suite"
	local took=$(((${EPOCHREALTIME/./} - start) / 100000))
	if [ $((passed + failed)) -eq 0 ]; then
		failed=1
		echo "nothing was run" >>"$details"
	fi
	line=$(printf '%-10s %5d passed %4d failed %6d.%d s' "$suite" "$passed" "$failed" $((took / 10)) $((took % 10)))
	[ "$skipped" -eq 0 ] || line="$line  ($skipped skipped)"
	echo "$line"
	[ ! -s "$details" ] || sed 's/^/    /' "$details"
	total_passed=$((total_passed + passed)) total_failed=$((total_failed + failed))
}

# report ok|failed WHAT [FILE-WITH-OUTPUT]
report()
{
	if [ "$1" = ok ]; then
		passed=$((passed + 1))
		return
	fi
	failed=$((failed + 1))
	echo "FAILED: $2" >>"$details"
	[ -z "${3:-}" ] || tail -"${4:-60}" "$3" | sed 's/^/  /' >>"$details"
}

# Counts the TAP in FILE, output of a program that ended with STATUS.  Status, plan and results must agree.
tap_file()						# tap_file NAME FILE STATUS
{
	local name=$1 file=$2 status=$3 counts ok not_ok skip trouble
	counts=$(LC_ALL=C awk -v status="$status" '
		/^ok([ \t]|$)/     { n++; if (tolower($0) ~ /# *skip/) skip++; else ok++ }
		/^not ok([ \t]|$)/ { n++; if (tolower($0) ~ /# *todo/) skip++; else bad++ }
		/^1\.\.[0-9]+/     { planned = 1; split($0, w, /\.\.|[ \t]/); plan = w[2] + 0; if (plan == 0 && tolower($0) ~ /# *skip/) skip++ }
		/^Bail out!/       { trouble = "bailed out" }
		END {
			if (!planned) trouble = "no plan: it did not get to its end"
			else if (plan != n) trouble = "planned " plan " tests, ran " n + 0
			else if (status != 0 && !bad) trouble = "exit status " status
			print ok + 0, bad + 0, skip + 0, trouble
		}' "$file")
	read -r ok not_ok skip trouble <<<"$counts"
	passed=$((passed + ok)) failed=$((failed + not_ok)) skipped=$((skipped + skip))
	[ "$skip" -eq 0 ] || grep -iE '^(ok|not ok|1\.\.0).*# *(skip|todo)' "$file" | sed "s|^|$name: |" >>"$details" || true
	if [ -n "$trouble" ]; then
		failed=$((failed + 1))
		echo "FAILED: $name: $trouble" >>"$details"
		last_words "$file" >>"$details"
		[ "$not_ok" -gt 0 ] || tail -40 "$file" | sed 's/^/  /' >>"$details"
	fi
	if [ "$not_ok" -gt 0 ]; then
		echo "FAILED: $name:" >>"$details"
		# each failing line with the diagnostics that follow it
		awk '/^not ok/ { show = 1; print; next } /^(ok |1\.\.)/ { show = 0 } show' "$file" | head -80 | sed 's/^/  /' >>"$details"
		return 1
	fi
	[ -z "$trouble" ]
}

# What a program died of, if it said so: Triage.pm has it say so, and tap_run when its time was over.
last_words()					# last_words FILE
{
	awk '/^# (died: |stopped after )|^Bail out!/ { show = 12 } /^# (Tests were run|Looks like)/ { show = 0 } show-- > 0' "$1" | sed 's/^/  /'
}

tap_program()					# tap_program NAME COMMAND...
{
	tap_run "$@"
	tap_count "$1"
}

# The two halves of it: the program's run, which may be in the background, and the counting of what it said.
tap_run()						# tap_run NAME COMMAND...
{
	local out=$SANDBOX/log/$suite.${1//\//_} status=0
	shift
	timeout --kill-after=10 "${TEST_TIMEOUT:-300}" "$@" >"$out" 2>&1 </dev/null || status=$?
	[ "$status" -ne 124 ] || echo "# stopped after ${TEST_TIMEOUT:-300} seconds" >>"$out"
	echo "$status" >"$out.status"
}

tap_count()						# tap_count NAME
{
	local out=$SANDBOX/log/$suite.${1//\//_}
	tap_file "$1" "$out" "$(cat "$out.status")"
}

# Files of the suite: those that TESTS names, or all.
selected()						# selected FILE...
{
	local file base
	for file; do
		[ -e "$file" ] || continue
		base=${file##*/}
		base=${base%.*}
		[ -z "${TESTS:-}" ] || [[ " $TESTS " == *" $base "* ]] || continue
		echo "$file"
	done
}

################################################ building ################################################

# The extension in its copied server, once for all suites that need it.  Warnings are errors here.
need_tree()
{
	if [ -z "${TREE_BIN:-}" ]; then
		local start=$SECONDS
		if ! TREE_BIN=$(test/lib/tree.sh "$PG_CONFIG" "$SANDBOX/tree" WERROR=1 2>"$SANDBOX/log/build"); then
			TREE_BIN=none
			grep -E 'error|warning|missing|Error' "$SANDBOX/log/build" >"$SANDBOX/log/build.errors" || cp "$SANDBOX/log/build" "$SANDBOX/log/build.errors"
		else
			echo "build      $("$TREE_BIN/postgres" --version | sed 's/.*) //'), $(gcc --version | head -1)  $((SECONDS - start)) s"
		fi
	fi
	[ "$TREE_BIN" != none ] || { report failed "the extension does not build" "$SANDBOX/log/build.errors" 30; return 1; }
}

need_fake_model()
{
	export FAKE_MODEL=$SANDBOX/fake_model
	[ ! -e test/e2e/fake_model.c ] || [ -x "$FAKE_MODEL" ] ||
		gcc $STRICT -O2 -o "$FAKE_MODEL" test/e2e/fake_model.c -lm >"$SANDBOX/log/fake_model" 2>&1 ||
		{ report failed "test/e2e/fake_model.c does not compile" "$SANDBOX/log/fake_model"; return 1; }
	export FAKE_ZENDESK=$SANDBOX/fake_zendesk
	[ ! -e test/e2e/fake_zendesk.c ] || [ -x "$FAKE_ZENDESK" ] ||
		gcc $STRICT -O2 -o "$FAKE_ZENDESK" test/e2e/fake_zendesk.c >"$SANDBOX/log/fake_zendesk" 2>&1 ||
		{ report failed "test/e2e/fake_zendesk.c does not compile" "$SANDBOX/log/fake_zendesk"; return 1; }
}

# compile_core DIRECTORY COMPILER FLAG...: core and net, without any server header, as DIRECTORY/core.a
compile_core()
{
	local dir=$1 status=0
	shift
	mkdir -p "$dir"
	printf '%s\n' src/core/*.c src/net/*.c |
		xargs -P2 -I{} sh -c 'out=$1/$(echo "$2" | tr / _).o; shift; file=$1; shift; exec "$@" -c -o "$out" "$file"' \
			- "$dir" {} "$@" $STRICT $LIB_CFLAGS >"$dir/log" 2>&1 || status=$?
	[ "$status" -eq 0 ] && ar rcs "$dir/core.a" "$dir"/*.o && return
	report failed "src/core and src/net do not compile by themselves ($1)" "$dir/log"
	return 1
}

# compile_tests DIRECTORY FILE... -- COMPILER FLAG...: each FILE with core.a to DIRECTORY/<name>
compile_tests()
{
	local dir=$1 files=() file
	shift
	while [ "$1" != -- ]; do
		files+=("$1")
		shift
	done
	shift
	[ ${#files[@]} -gt 0 ] || return 0
	printf '%s\n' "${files[@]}" |
		xargs -P2 -I{} sh -c 'dir=$1; file=$2; libs=$3; shift 3; name=$(basename "$file" .c)
			"$@" -o "$dir/$name" "$file" "$dir/core.a" $libs >"$dir/$name.log" 2>&1 || rm -f "$dir/$name"' \
			- "$dir" {} "$LIBS" "$@" $STRICT $LIB_CFLAGS
	for file in "${files[@]}"; do
		file=$(basename "$file" .c)
		[ -x "$dir/$file" ] || report failed "$file does not compile" "$dir/$file.log"
	done
}

################################################ suites ################################################

suite_lint()
{
	local file
	for file in $(selected test/lint/*.sh test/lint/*.pl); do
		tap_program "$(basename "$file")" env PG_CONFIG="$PG_CONFIG" "$file" || true
	done
}

suite_unit()
{
	local dir=$SANDBOX/unit file
	need_fake_model || return 0
	compile_core "$dir" gcc $SANITIZE || return 0
	compile_tests "$dir" $(selected test/unit/test_*.c) -- gcc $SANITIZE
	for file in $(selected test/unit/test_*.c); do
		file=$(basename "$file" .c)
		[ ! -x "$dir/$file" ] || tap_program "$file" "$dir/$file" || true
	done
}

suite_valgrind()
{
	local dir=$SANDBOX/valgrind file
	need_fake_model || return 0
	compile_core "$dir" gcc -g -O1 || return 0
	compile_tests "$dir" $(selected test/unit/test_*.c) -- gcc -g -O1
	for file in $(selected test/unit/test_*.c); do
		file=$(basename "$file" .c)
		if [ "$file" = test_secret ]; then
			skipped=$((skipped + 1))
			echo "skipped: test_secret: valgrind does not know the system call openat2, which it is about" >>"$details"
			continue
		fi
		[ ! -x "$dir/$file" ] ||
			TEST_TIMEOUT=1200 tap_program "$file" valgrind --quiet --error-exitcode=99 --leak-check=full \
				--errors-for-leak-kinds=definite,indirect "$dir/$file" || true
	done
}

suite_fuzz()
{
	local dir=$SANDBOX/fuzz clang name seconds=${FUZZ_SECONDS:-20}
	local flags="-g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined"
	local files
	files=$(selected test/fuzz/fuzz_*.c)
	[ -n "$files" ] || return 0
	clang=$(ls /usr/bin/clang-[0-9]* 2>/dev/null | sort -V | tail -1) || true
	compile_core "$dir" "${clang:-clang}" $flags || return 0
	compile_tests "$dir" $files -- "${clang:-clang}" -Wno-missing-prototypes ${flags/fuzzer-no-link/fuzzer}
	for name in $files; do basename "$name" .c; done |
		xargs -P2 -I{} sh -c '[ -x "$1/$2" ] || exit 0; mkdir -p "$1/$2.corpus"; cd "$1" || exit
			"./$2" -max_total_time="$3" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$1/$2." \
				"$1/$2.corpus" "$4/good" "$4/bad" "$4/errors" "$4/kinds" "$4/zendesk" >"$1/$2.out" 2>&1; echo $? >"$1/$2.status"' \
			- "$dir" {} "$seconds" "$PWD/test/data"
	for name in $files; do
		name=$(basename "$name" .c)
		[ -x "$dir/$name" ] || continue
		if [ "$(cat "$dir/$name.status")" = 0 ]; then
			report ok "$name"
		else
			for file in "$dir/$name".{crash,leak,oom,timeout,slow-unit}-*; do
				[ ! -e "$file" ] || { echo "the input, base64:"; base64 "$file" | head -50; } >>"$dir/$name.out"
			done
			report failed "$name" "$dir/$name.out" 100
		fi
	done
}

# regress_like SUITE PROGRAM INPUTDIR TEST...
regress_like()
{
	local name=$1 program=$2 input=$3 status=0 out=$SANDBOX/log/$1.out result=$SANDBOX/$1
	shift 3
	[ $# -gt 0 ] || return 0
	need_tree || return 0
	if ! server_start "$name" "test/$name/postgresql.conf" 2>"$out"; then
		report failed "the server does not start" "$out"
		return 0
	fi
	mkdir -p "$result"
	timeout --kill-after=10 1200 "$program" --inputdir="$input" --outputdir="$result" --bindir="$TREE_BIN" \
		--host="$PGHOST" --port="$PGPORT" --user=postgres --dbname="contrib_$name" "$@" >"$out" 2>&1 || status=$?
	local line
	while IFS= read -r line; do
		case $line in
			"not ok "* | test*...*FAILED* | " "*...*FAILED*) report failed "$(awk '$1 == "test" { print $2; next } $1 == "not" { print $5; next } { print $1 }' <<<"$line")" ;;
			"ok "* | test*...\ ok* | " "*...\ ok*) report ok test ;;
		esac
	done <"$out"
	if [ "$failed" -gt 0 ] && [ -s "$result/regression.diffs" ]; then
		head -200 "$result/regression.diffs" | sed 's/^/  /' >>"$details"
	elif [ "$status" -ne 0 ]; then
		[ "$failed" -gt 0 ] || report failed "$name ended with status $status" "$out"
		tail -20 "$SANDBOX/log/server.$name.log" | sed 's/^/  /' >>"$details"
	fi
	server_stop "$name" || report failed "the server did not stop within a minute" "$SANDBOX/log/server.$name.log"
	panic_check "$name"
}

# A crash that the tests' own output does not show.
panic_check()
{
	local log=$SANDBOX/log/server.$1.log
	if grep -qE 'PANIC|was terminated by signal|AddressSanitizer|runtime error:' "$log"; then
		grep -nE -A15 'PANIC|was terminated by signal|AddressSanitizer|runtime error:' "$log" >"$log.crash"
		report failed "the server's log shows a crash" "$log.crash"
	fi
}

make_list() { make -s "print-$1" PG_CONFIG="$PG_CONFIG"; }
chosen()						# chosen TEST...: those of the list that TESTS names
{
	local test
	for test; do
		[ -z "${TESTS:-}" ] || [[ " $TESTS " == *" $test "* ]] || continue
		echo "$test"
	done
}
pgxs_test() { echo "$(dirname "$("$PG_CONFIG" --pgxs)")/../../src/test/$1"; }

suite_regress()
{
	regress_like regress "$(pgxs_test regress)/pg_regress" . $(chosen $(make_list REGRESS))
}

suite_isolation()
{
	regress_like isolation "$(pgxs_test isolation)/pg_isolation_regress" test/isolation $(chosen $(make_list ISOLATION))
}

suite_pgtap()
{
	local file name files status
	files=$(selected test/pgtap/*.sql)
	[ -n "$files" ] || return 0
	need_tree || return 0
	if ! server_start pgtap test/pgtap/postgresql.conf 2>"$SANDBOX/log/pgtap.start"; then
		report failed "the server does not start" "$SANDBOX/log/pgtap.start"
		return 0
	fi
	# what an earlier run of this suite (suite_sanitized runs it again) says of its databases is not about these
	rm -f "$SANDBOX"/tmp/pgtap.*
	# The databases of the tests are made while others run: each test works in one session, and leaves a core idle.
	for file in $files; do
		name=$(basename "$file" .sql)
		status=0
		createdb "$name" && psql -Xqv ON_ERROR_STOP=1 -d "$name" -c 'CREATE EXTENSION triage' -c 'CREATE EXTENSION pgtap' || status=$?
		echo "$status" >"$SANDBOX/tmp/pgtap.$name"
	done >"$SANDBOX/log/pgtap.create" 2>&1 &
	for file in $files; do
		name=$(basename "$file" .sql)
		while [ ! -s "$SANDBOX/tmp/pgtap.$name" ]; do sleep 0.02; done
		if [ "$(cat "$SANDBOX/tmp/pgtap.$name")" -eq 0 ]; then
			tap_program "$name" psql -XAtqv ON_ERROR_STOP=1 -d "$name" -f "$file" || true
		else
			report failed "$name: CREATE EXTENSION" "$SANDBOX/log/pgtap.create"
		fi
	done
	wait
	server_stop pgtap || report failed "the server did not stop within a minute" "$SANDBOX/log/server.pgtap.log"
	panic_check pgtap
}

# PostgreSQL::Test::Cluster programs: each starts the servers it wants.  They wait more than they work, so E2E_JOBS of
# them run at a time; those that measure a time have the machine to themselves.
suite_e2e()
{
	local file files alone=008_transactions_and_pickup jobs=0
	files=$(selected test/e2e/t/*.pl)
	[ -n "$files" ] || return 0
	need_tree || return 0
	need_fake_model || return 0
	for file in $files; do
		[ "$(basename "$file" .pl)" != "$alone" ] || continue
		[ "$jobs" -lt "${E2E_JOBS:-3}" ] || { wait -n; jobs=$((jobs - 1)); }
		TEST_TIMEOUT=${TEST_TIMEOUT:-600} cluster_run "$(basename "$file" .pl)" "$file" &
		jobs=$((jobs + 1))
	done
	wait
	[ -z "$(selected "test/e2e/t/$alone.pl")" ] || cluster_run "$alone" "test/e2e/t/$alone.pl"
	for file in $files; do
		cluster_count "$(basename "$file" .pl)" || true
	done
}

# A program of PostgreSQL::Test::Cluster; when it fails, the ends of its servers' logs are shown.
cluster_run()					# cluster_run NAME FILE
{
	local name=$1 file=$2
	mkdir -p "$SANDBOX/e2e/$name"
	tap_run "$name" env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE PATH="$TREE_BIN:$PATH" \
		PERL5LIB="$(pgxs_test perl):$PWD/test/e2e/lib:$PWD/test/e2e" PG_REGRESS="$(pgxs_test regress)/pg_regress" \
		TESTDIR="$SANDBOX/e2e/$name" TESTDATADIR="$SANDBOX/e2e/$name/tmp_check" TESTLOGDIR="$SANDBOX/e2e/$name/tmp_check/log" \
		PG_TEST_PORT_DIR="$SANDBOX/ports" PG_TEST_TIMEOUT_DEFAULT="${PG_TEST_TIMEOUT_DEFAULT:-120}" TREE_BIN="$TREE_BIN" \
		PG_CONFIG="$TREE_BIN/pg_config" perl "$file"
}

cluster_count()					# cluster_count NAME
{
	local name=$1 log
	tap_count "$name" && return
	for log in "$SANDBOX/e2e/$name"/tmp_check/log/*; do
		[ -f "$log" ] || continue
		echo "  the end of ${log##*/}:" >>"$details"
		tail -30 "$log" | sed 's/^/  | /' >>"$details"
	done
	return 1
}

# One server, one model, everything that can go wrong; SOAK_SECONDS and SEED choose how long and in which order.
suite_soak()
{
	need_tree || return 0
	need_fake_model || return 0
	PG_TEST_TIMEOUT_DEFAULT=120 TEST_TIMEOUT=$((6 * ${SOAK_SECONDS:-60} + 600)) cluster_run soak test/soak/soak.pl
	cluster_count soak || true
	grep '^# ' "$SANDBOX/log/$suite.soak" | sed 's/^#/    /' || true
}

# What the product was asked for, item by item, and the tests that prove it: those whose name carries "[seed N]", as the
# suites before this one have left them.  An item with a remark in the last column asks for nothing.
suite_seeds()
{
	local table=$SANDBOX/log/seeds.table line
	if ! ls "$SANDBOX"/log/pgtap.*.status >/dev/null 2>&1 || ! ls "$SANDBOX"/log/e2e.*.status >/dev/null 2>&1; then
		report failed "seeds needs what other suites have said: test/run.sh pgtap e2e seeds"
		return 0
	fi
	LC_ALL=C awk -F '\t' '
		FILENAME != items {
			ok = /^ok /
			if (!ok && !/^not ok /) next
			from = FILENAME
			sub(/.*\/log\//, "", from)
			line = $0
			while (match(line, /\[seed [0-9]+\]/)) {
				n = substr(line, RSTART + 6, RLENGTH - 7)
				line = substr(line, RSTART + RLENGTH)
				tests[n]++
				if (!ok) bad[n]++
				if (!((n, from) in seen)) where[n] = where[n] (where[n] == "" ? "" : " ") from
				seen[n, from] = 1
			}
			next
		}
		{
			known[$1] = 1
			if ($4 != "") state = "--  " $4
			else if (!($1 in tests)) state = "MISSING"
			else state = (bad[$1] ? "FAILED" : "ok") "  " where[$1]
			printf "%3d  %s  %-70.70s  %s\n", $1, $2, $3, state
		}
		END { for (n in tests) if (!(n in known)) print n "  ?    there is no such item  MISSING  " where[n] }
		' items=test/seeds/items.tsv $(ls "$SANDBOX"/log/{unit,pgtap,e2e,clients}.* 2>/dev/null | grep -v '\.status$') test/seeds/items.tsv >"$table"
	while IFS= read -r line; do
		case $line in
			*"  MISSING"* | *"  FAILED"*) report failed "$line" ;;
			*) report ok "$line" ;;
		esac
	done <"$table"
	sed 's/^/    /' "$table"
}

# What people use a database with: ORMs, drivers and a pooler, from the package registries.  Those of crud/ run twice, the
# second time through the pooler.  What cannot be installed is a failure.
suite_clients()
{
	local dir=$SANDBOX/clients file name run environment=()
	need_tree || return 0
	if ! server_start clients test/clients/postgresql.conf >"$SANDBOX/log/clients.start" 2>&1 ||
		! createdb clients 2>"$SANDBOX/log/clients.start" || ! export PGDATABASE=clients ||
		! psql -Xqv ON_ERROR_STOP=1 -c 'CREATE EXTENSION triage' 2>"$SANDBOX/log/clients.start"; then
		report failed "the server with the extension does not start" "$SANDBOX/log/clients.start"
	elif ! timeout --kill-after=10 900 test/clients/setup.sh "$dir" >"$dir.env" 2>"$SANDBOX/log/clients.setup"; then
		report failed "test/clients/setup.sh" "$SANDBOX/log/clients.setup"
	else
		mapfile -t environment <"$dir.env"
		for file in $(selected test/clients/t/* test/clients/crud/*); do
			name=$(basename "${file%.*}")
			run=node
			[ "${file##*.}" != py ] || run=$(sed -n 's/^PYTHON=//p' "$dir.env")
			tap_program "$name" env -C "$dir" "${environment[@]}" "$run" "${file#test/clients/}" || true
			[[ $file != */crud/* ]] || tap_program "$name-pooled" env -C "$dir" "${environment[@]}" \
				DATABASE_URL="$(sed -n 's/^POOLED_URL=//p' "$dir.env")" "$run" "${file#test/clients/}" || true
		done
	fi
	server_stop clients || report failed "the server did not stop within a minute" "$SANDBOX/log/server.clients.log"
	panic_check clients
}

# The benchmark, whose targets count as tests; its table is shown.  BENCH_TICKETS and BENCH_ROWS as for make bench.
suite_bench()
{
	local out=$SANDBOX/log/bench status=0
	need_tree || return 0
	need_fake_model || return 0
	rm -rf "$SANDBOX"/{data,template}
	timeout --kill-after=10 "${BENCH_TIMEOUT:-3600}" env TREE_BIN="$TREE_BIN" PATH="$TREE_BIN:$PATH" BENCH_TICKETS="${BENCH_TICKETS:-20000}" \
		test/bench/run.sh >"$out" 2>"$out.errors" || status=$?
	passed=$(grep -c 'reached$' "$out" || true)
	failed=$(grep -c 'MISSED$' "$out" || true)
	[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || report failed "the benchmark ended with status $status" "$out.errors"
	sed 's/^/    /' "$out"
}

# The regression, pgTAP and end-to-end tests and a soak once more, with the extension built under AddressSanitizer and
# UndefinedBehaviorSanitizer.  The server itself is the ordinary one, with the runtimes loaded before it; what they watch
# is the extension's own memory, malloc() in the whole process, and every string and memory function.
suite_sanitized()
{
	local plain=${TREE_BIN:-} log
	local flags="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
	local early=$SANDBOX/asan_early.so
	make -s clean PG_CONFIG="$PG_CONFIG" >/dev/null
	if ! gcc $STRICT -shared -fPIC -o "$early" test/lib/asan_early.c 2>"$SANDBOX/log/sanitized.build" ||
		! TREE_BIN=$(test/lib/tree.sh "$PG_CONFIG" "$SANDBOX/sanitized" PG_CFLAGS="$flags" PG_LDFLAGS=-fsanitize=address,undefined \
			2>>"$SANDBOX/log/sanitized.build"); then
		report failed "the extension does not build with sanitizers" "$SANDBOX/log/sanitized.build"
		TREE_BIN=$plain
		return 0
	fi
	sanitize_server "$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $early"
	rm -rf "$SANDBOX"/{regress,e2e,data,template}
	sees_errors
	suite_regress
	suite_pgtap
	suite_isolation
	PG_TEST_TIMEOUT_DEFAULT=180 TEST_TIMEOUT=1800 suite_e2e
	SOAK_SECONDS=${SANITIZED_SOAK_SECONDS:-60} suite_soak
	for log in "$SANDBOX"/e2e/*/tmp_check/log/*.log; do
		[ ! -e "$log" ] || ! grep -qE 'runtime error:|AddressSanitizer' "$log" || report failed "${log##*/} shows an error that a sanitizer saw" "$log" 200
	done
	TREE_BIN=$plain
}

# A program of its own in front of the server, so that psql, perl and shells do not carry the runtimes.  Leaks are not
# looked for: a server process ends without freeing anything.  A local's address tells the server how deep its stack is,
# so locals stay on it.  A library that a test has loaded into the server comes after the runtimes.
sanitize_server()
{
	mv "$TREE_BIN/postgres" "$TREE_BIN/postgres.real"
	cat >"$TREE_BIN/postgres" <<-SCRIPT
		#!/bin/bash
		export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1
		LD_PRELOAD="$1\${LD_PRELOAD:+ \$LD_PRELOAD}" exec -a "\$0" "\$0.real" "\$@"
	SCRIPT
	chmod +x "$TREE_BIN/postgres"
}

# Is the library that will be loaded one that a sanitizer watches, and does the server stand with the runtime in it?
sees_errors()
{
	local out=$SANDBOX/log/sanitized.runtime
	nm -D "$("$TREE_BIN/pg_config" --pkglibdir)/triage.so" >"$out"
	if grep -q __asan_report "$out" && timeout 60 "$TREE_BIN/postgres" --version >>"$out" 2>&1; then
		report ok "the server runs with AddressSanitizer"
	else
		report failed "the server does not run with AddressSanitizer" "$out"
	fi
}
