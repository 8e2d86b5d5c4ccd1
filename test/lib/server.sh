# shellcheck shell=bash
# server.sh: throw-away servers inside the sandbox (sourced by bash scripts)
#
# Needs SANDBOX (sandbox.sh) and TREE_BIN, the program directory that tree.sh printed.  No TCP: each server listens on
# a socket in a directory of its own, so any number of runs live side by side.

server_template()				# one initdb for all servers of a run
{
	[ ! -d "$SANDBOX/template" ] || return 0
	"$TREE_BIN/initdb" -D "$SANDBOX/template" --username=postgres --auth=trust --encoding=UTF8 --locale=C --no-sync \
		>"$SANDBOX/log/initdb.log" 2>&1 || { cat "$SANDBOX/log/initdb.log" >&2; return 1; }
	# fsync off: these servers need to survive a killed process, not a power cut
	cat >>"$SANDBOX/template/postgresql.conf" <<-CONF
		listen_addresses = ''
		max_connections = 50
		max_worker_processes = 16
		shared_buffers = 64MB
		fsync = off
		log_min_messages = warning
		log_line_prefix = '%m [%p] %b %q%a '
		timezone = 'UTC'
	CONF
}

# server_start NAME [SETTINGS-FILE]: starts it and points libpq's environment at it
server_start()
{
	local name=$1 settings=${2:-} data=$SANDBOX/data/$1 place
	server_template || return 1
	mkdir -p "$SANDBOX/data" "$SANDBOX/run/$name"
	cp -a "$SANDBOX/template" "$data"
	echo "unix_socket_directories = '$SANDBOX/run/$name'" >>"$data/postgresql.conf"
	[ -z "$settings" ] || [ ! -e "$settings" ] || cat "$settings" >>"$data/postgresql.conf"
	if ! "$TREE_BIN/pg_ctl" -D "$data" -l "$SANDBOX/log/server.$name.log" -w -t 60 start >"$SANDBOX/log/pg_ctl.$name.log" 2>&1; then
		tail -n 30 "$SANDBOX/log/pg_ctl.$name.log" "$SANDBOX/log/server.$name.log" >&2
		return 1
	fi
	export PGHOST=$SANDBOX/run/$name PGPORT=5432 PGUSER=postgres PGDATABASE=postgres PATH=$TREE_BIN:$PATH

	# the extension that CREATE EXTENSION would take is the one just built
	place=$(psql -XAtqc "SELECT setting FROM pg_config WHERE name IN ('PKGLIBDIR', 'SHAREDIR')") || return 1
	if grep -qv "^$SANDBOX/" <<<"$place"; then
		printf 'server %s would load files from outside the sandbox:\n%s\n' "$name" "$place" >&2
		return 1
	fi
}

server_stop()					# server_stop NAME
{
	"$TREE_BIN/pg_ctl" -D "$SANDBOX/data/$1" -m fast -w -t 60 stop >>"$SANDBOX/log/pg_ctl.$1.log" 2>&1
}
