# insert.sh: what the triggers cost an INSERT (sourced by run.sh)
#
# The reference is a table of the same columns, defaults, constraints, indexes and storage parameters, without triggers
# and so without foreign keys.  synchronous_commit off shows the work itself; on, the disk has its say.  The worker is
# stopped, the jobs pile up.  Both tables hold 10,000 rows at first.  Reference and tickets take turns, three rounds, the
# median.

part_insert()
{
	local commit clients seconds=8
	[ -z "${QUICK:-}" ] || seconds=2
	heading 'INSERT INTO tickets, all triggers, against the same table without triggers: rows/s'
	worker_stop
	load_tickets 10000
	psql -Xq -v ON_ERROR_STOP=1 <<-SQL
		SET client_min_messages = warning;
		DROP TABLE IF EXISTS bench.plain;
		CREATE TABLE bench.plain (LIKE triage.tickets INCLUDING ALL)
			WITH ($(sql "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE oid = 'triage.tickets'::regclass"));
		INSERT INTO bench.plain OVERRIDING SYSTEM VALUE SELECT * FROM triage.tickets;
		SELECT setval(pg_get_serial_sequence('bench.plain', 'id'), 1000000) \\g /dev/null
		VACUUM ANALYZE;
	SQL
	insert_script one triage.tickets 1
	insert_script one bench.plain 1
	sed -e 's/requester_email)/requester_email, search)/' -e "s/'customer@example.com'/&, setweight(to_tsvector('english', 'Export of order ' || :i), 'A') || setweight(to_tsvector('english', bench.description(:i)), 'B')/" \
		"$SANDBOX/tmp/insert.one.bench" >"$SANDBOX/tmp/insert.one.search"
	insert_script many triage.tickets 100
	insert_script many bench.plain 100
	for commit in on off; do
		for clients in 1 8; do
			insert_compare one "$clients" "$commit" "$seconds" 1 0.4
		done
	done
	info 'no triggers, search made by the statement, off' \
		"$(calc "$(insert_rate one search 1 off "$seconds")" %.0f)"
	insert_compare many 1 on "$seconds" 100 -
}

# The text is a literal, so that making it costs neither side anything.
insert_script()					# insert_script NAME TABLE ROWS
{
	cat >"$SANDBOX/tmp/insert.$1.${2%%.*}" <<-SQL
		\\set i random(1, 1000000)
		INSERT INTO $2 (subject, description, requester_email)
			SELECT 'Export of order ' || :i, '$(sql 'SELECT bench.description(4711)')', 'customer@example.com'
			$([ "$3" -eq 1 ] || echo "FROM generate_series(1, $3)");
	SQL
}

insert_rate()					# insert_rate NAME SCHEMA CLIENTS COMMIT SECONDS
{
	PGOPTIONS="-c synchronous_commit=$4" pgbench -n -M prepared -c "$3" -j 1 -T "$5" -f "$SANDBOX/tmp/insert.$1.$2" 2>"$SANDBOX/log/pgbench" |
		sed -n 's/^tps = \([0-9.]*\) (without.*/\1/p'
}

insert_compare()				# insert_compare NAME CLIENTS COMMIT SECONDS ROWS BOUND
{
	local round with=() without=() with_rate without_rate what="$2 client(s), synchronous_commit $3" rows=$5
	[ "$rows" -eq 1 ] || what="$rows rows a statement, $what"
	for round in 1 2 3; do
		without+=("$(insert_rate "$1" bench "$2" "$3" "$4")")
		with+=("$(insert_rate "$1" triage "$2" "$3" "$4")")
	done
	with_rate=$(calc "$(median "${with[@]}") * $rows" %.0f)
	without_rate=$(calc "$(median "${without[@]}") * $rows" %.0f)
	if [ "$6" = - ]; then
		info "$what" "$with_rate" "no triggers $without_rate" "$(calc "$with_rate / $without_rate")"
	else
		at_least "$what" "$with_rate" "no triggers $without_rate" "$(calc "$with_rate / $without_rate")" "$6"
	fi
}
