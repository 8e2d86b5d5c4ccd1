# shellcheck shell=bash
# sandbox.sh: one private directory for everything a test run or a demonstration makes (sourced by bash scripts)
#
# sandbox_enter copies the checkout into a fresh directory and runs the calling script again, from the copy: as user
# postgres when we are root (initdb refuses root, and that user need not be able to read the checkout), as ourselves
# otherwise.  The outer process only waits; however the inner one ends, it stops what still runs out of the
# directory and removes it.  KEEP=1 keeps the files.  A script that creates $SANDBOX/leave-running keeps all.
#
#   $SANDBOX/src   copy of the checkout      $SANDBOX/tree  a PostgreSQL with triage      $SANDBOX/run  sockets
#   $SANDBOX/tmp   TMPDIR                    $SANDBOX/log   output of everything

sandbox_enter()					# sandbox_enter SCRIPT ARGUMENT...   SCRIPT: path below the checkout
{
	if [ -n "${SANDBOX:-}" ]; then
		cd "$SANDBOX/src" || exit
		return
	fi

	local top=$1 script=$2 as=() status=0 pg_config
	shift 2
	# PGXS is found through this one; absolute, because the inner script has another directory.
	pg_config=$(command -v "${PG_CONFIG:-pg_config}") || {
		echo "${PG_CONFIG:-pg_config} not found; see make help" >&2
		exit 1
	}
	local base=${TMPDIR:-/tmp} user
	if [ "$(id -u)" -eq 0 ]; then
		user=postgres
		id "$user" >/dev/null 2>&1 || user=nobody
		as=(setpriv "--reuid=$user" "--regid=$(id -g "$user")" --init-groups --)
		"${as[@]}" test -w "$base" || base=/tmp
	fi
	# a short path: sockets go below it, and their names are limited to 107 bytes
	[ ${#base} -le 40 ] || base=/tmp
	sandbox_dir=$(mktemp -d "$base/triage.XXXXXX")
	sandbox_pid=
	trap sandbox_close EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM

	mkdir "$sandbox_dir"/{src,run,tmp,log}
	sandbox_copy "$top" "$sandbox_dir/src"
	[ ${#as[@]} -eq 0 ] || chown -R "$user:" "$sandbox_dir"

	# A settled environment: nothing of the caller's server, locale or make leaks into the tests.
	unset "${!PG@}" MAKEFLAGS MFLAGS MAKELEVEL LANGUAGE LC_ALL CDPATH
	# its own process group, so that all of it can be stopped
	set -m
	"${as[@]}" env SANDBOX="$sandbox_dir" TMPDIR="$sandbox_dir/tmp" HOME="$sandbox_dir/tmp" LANG=C.UTF-8 \
		PG_CONFIG="$pg_config" OUTER_DIR="$PWD" \
		bash "$sandbox_dir/src/$script" "$@" </dev/null &
	sandbox_pid=$!
	set +m
	wait "$sandbox_pid" || status=$?
	exit "$status"
}

# What git would commit if it were asked now, or else everything but build products.
sandbox_copy()
{
	local from=$1 to=$2
	if [ -d "$from/.git" ] && git -C "$from" rev-parse >/dev/null 2>&1; then
		(cd "$from" && git ls-files --cached --others --exclude-standard -z |
			while IFS= read -r -d '' file; do [ -f "$file" ] && printf '%s\0' "$file"; done |
			tar --create --null --files-from=- --file=-) | tar --extract --directory="$to" --file=-
	else
		tar --create --directory="$from" --exclude=./.git --exclude='*.o' --exclude='*.so' --exclude='*.new' \
			--exclude='./sql/triage--*.sql' --file=- . | tar --extract --directory="$to" --file=-
	fi
}

# Processes whose program lies in the sandbox: the servers and helpers started there, and nobody else's.
sandbox_processes()
{
	local exe
	for exe in /proc/[0-9]*/exe; do
		case $(readlink "$exe" 2>/dev/null) in
			"$sandbox_dir"/*) exe=${exe#/proc/}; echo "${exe%/exe}" ;;
		esac
	done
}

sandbox_close()
{
	local status=$? pids
	trap - EXIT
	trap '' INT TERM HUP
	[ -z "$sandbox_pid" ] || kill -TERM -- "-$sandbox_pid" 2>/dev/null || true
	[ ! -e "$sandbox_dir/leave-running" ] || exit "$status"

	pids=$(sandbox_processes)
	if [ -n "$pids" ]; then
		# QUIT: immediate shutdown for a postmaster, which takes its children along
		kill -QUIT $pids 2>/dev/null || true
		for _ in {1..50}; do
			[ -n "$(sandbox_processes)" ] || break
			sleep 0.1
		done
		pids=$(sandbox_processes)
		[ -z "$pids" ] || kill -KILL $pids 2>/dev/null || true
	fi
	if [ -n "${KEEP:-}" ]; then
		echo "kept: $sandbox_dir" >&2
	else
		rm -rf "$sandbox_dir" || { sleep 1; rm -rf "$sandbox_dir"; }
	fi
	exit "$status"
}
