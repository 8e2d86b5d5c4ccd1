# listing.sh: what lists and searches take at 10,000 and at 1,000,000 tickets (sourced by run.sh)
#
# As an agent's role, so with row security, warm, statements prepared; the data are bulk.sql's.  There is one database of
# each size, and they take turns, five rounds, of which the best counts: what else the machine does can only add.  Tickets
# that are asked for by id are a hundred of the newest, so that both have them at hand.  BENCH_SIZES="10000 1000000".

# name | most that the 95th percentile may be, in ms | most that the median may grow | statement
# :id is a ticket of tenant "default", :n a number from 0 to 39
listing_queries()
{
	cat <<-'QUERIES'
		inbox, first page|5|1.5|SELECT * FROM triage.inbox ORDER BY waiting_since, id LIMIT 50;
		my open tickets|5|1.5|SELECT * FROM triage.list_tickets(assignee => 'agent' || :n, include_finished => false);
		open, by status, priority, category|5|1.5|SELECT * FROM triage.list_tickets(statuses => '{open}', priorities => '{high,urgent}', categories => '{billing}');
		  so that all open ones are read|5|1.5|SELECT * FROM triage.list_tickets(statuses => '{review}', priorities => '{urgent}', categories => '{feature_request}');
		all tickets, first page|5|1.5|SELECT * FROM triage.list_tickets();
		all tickets, a page deep inside|5|1.5|SELECT * FROM triage.list_tickets(after_created_at => timestamptz '2023-01-01 00:00:00+00' + :n * interval '20 days', after_id => 0);
		a customer's tickets|5|1.5|SELECT * FROM triage.list_tickets(requester => 'customer' || :n);
		dashboard, first page, with OFFSET|5|1.5|SELECT * FROM triage.dashboard ORDER BY created_at DESC LIMIT 50 OFFSET 0;
		ticket by id|5|1.5|SELECT * FROM triage.tickets WHERE id = :id;
		ticket by public_id|5|1.5|SELECT * FROM triage.tickets WHERE public_id = md5('ticket' || :id)::uuid;
		comments of a ticket|5|1.5|SELECT * FROM triage.ticket_comments WHERE ticket_id = :id ORDER BY created_at, id;
		search, a word of a dozen tickets|5|1.5|SELECT * FROM triage.search_tickets(bench.rare_word(:id, :rows));
		search, a word of one ticket in 70|50|-|SELECT * FROM triage.search_tickets('bakobaba');
		search, a word of one ticket in 10|50|-|SELECT * FROM triage.search_tickets('refund');
		search, a word of four tickets in 10|50|1.5|SELECT * FROM triage.search_tickets('order');
		search, two common words|50|-|SELECT * FROM triage.search_tickets('order month');
	QUERIES
	listing_extra "$1" triage.ticket_timeline \
		'timeline of a ticket|5|1.5|SELECT * FROM triage.ticket_timeline WHERE ticket_id = :id ORDER BY happened_at, entry_id;'
	listing_extra "$1" triage.chat_overview \
		'conversations, newest first|5|1.5|SELECT * FROM triage.chat_overview ORDER BY updated_at DESC, id DESC LIMIT 50;'
	listing_extra "$1" triage.chat_messages \
		'search in chats, a rare word|5|1.5|SELECT * FROM triage.search_messages(bench.rare_word(:id, :rows));' \
		'search in chats, a common word|50|-|SELECT * FROM triage.search_messages('\''order'\'');'
}

listing_extra()					# listing_extra DATABASE RELATION LINE...: where there is such a relation
{
	[ -z "$(PGDATABASE=$1 sql "SELECT to_regclass('$2')")" ] || printf '%s\n' "${@:3}"
}

part_listing()
{
	local small large name bound growth query
	read -r small large <<<"${BENCH_SIZES:-10000 1000000}"
	[ -z "${QUICK:-}" ] || [ -n "${BENCH_SIZES:-}" ] || large=50000
	heading "Lists and searches as an agent: 50th/95th percentile in ms, $large tickets against $small"
	worker_stop
	psql -Xqc 'CREATE ROLE bench_agent LOGIN'
	listing_load "$small"
	listing_load "$large"
	while IFS='|' read -r name bound growth query; do
		listing_row "$name" "$bound" "$growth" "$query" "$small" "$large"
	done < <(listing_queries "listing_$large")
	dropdb "listing_$small"
	dropdb "listing_$large"
}

listing_load()					# listing_load ROWS: database listing_ROWS, with so many tickets
{
	local began=$SECONDS
	createdb "listing_$1"
	PGDATABASE=listing_$1 psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION triage' \
		-c "SELECT triage.grant_access('bench_agent', 'agent')" -f test/bench/bulk.sql \
		-c 'GRANT USAGE ON SCHEMA bench TO bench_agent' -c 'SET client_min_messages = warning' -c "CALL bench.bulk($1)" \
		-c 'VACUUM ANALYZE' -c CHECKPOINT >/dev/null
	info "loading $1 tickets, s" "$((SECONDS - began))" \
		"$(PGDATABASE=listing_$1 sql 'SELECT pg_size_pretty(pg_database_size(current_database()))')"
}

# Sets p50 and p95; the first calls warm up.
listing_measure()				# listing_measure ROWS QUERY
{
	local calls=300
	[ -z "${QUICK:-}" ] || calls=100
	printf '%s\n' "\\set id $1 - 10 * random(10, 109)" '\set n random(0, 39)' "$2" >"$SANDBOX/tmp/listing.sql"
	rm -f "$SANDBOX"/tmp/listing.log.*
	PGUSER=bench_agent pgbench -n -M prepared -c 1 -t "$calls" -D rows="$1" -l --log-prefix="$SANDBOX/tmp/listing.log" \
		-f "$SANDBOX/tmp/listing.sql" "listing_$1" >"$SANDBOX/log/listing" 2>&1 || { cat "$SANDBOX/log/listing" >&2; return 1; }
	read -r p50 p95 < <(awk -v skip=$((calls / 10)) 'NR > skip { print $3 / 1000 }' "$SANDBOX"/tmp/listing.log.* | sort -g |
		awk '{ v[NR] = $1 } END { printf "%.2f %.2f\n", v[int(NR * 0.5) + 1], v[int(NR * 0.95) + 1] }')
}

least() { printf '%s\n' "$@" | sort -g | head -1; }

listing_row()					# listing_row NAME BOUND GROWTH QUERY SMALL LARGE
{
	local round small50=() small95=() large50=() large95=() s50 l50 l95 ratio
	for round in 1 2 3 4 5; do
		listing_measure "$5" "$4"
		small50+=("$p50") small95+=("$p95")
		listing_measure "$6" "$4"
		large50+=("$p50") large95+=("$p95")
	done
	s50=$(least "${small50[@]}") l50=$(least "${large50[@]}") l95=$(least "${large95[@]}")
	ratio=$(calc "$l50 / $s50")
	row "$1" "$l50/$l95" "$s50/$(least "${small95[@]}")" '' "p95 <= $2 ms" "$l95" '<=' "$2"
	# a list's rows are as many at any size; the matches of a word are more
	[ "$3" = - ] || row '  growth of the median' '' '' "$ratio" "<= $3" "$ratio" '<=' "$3"
}
