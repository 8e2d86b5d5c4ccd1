#!/bin/bash
# demo.sh: triage on a throw-away server, from CREATE EXTENSION to an inbox with drafts.
#
#   PROVIDER_URL  base URL of an OpenAI-compatible API, up to and without /chat/completions; empty: the builtin provider
#   MODEL         the model's name there
#   SECRET_FILE   file with the API key, if it needs one
#   KEEP=1        leave the server running
#   DEADLINE      seconds to wait for the answers (300)
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/sandbox.sh"

die() { echo "demo: $*" >&2; exit 1; }

if [ -z "${SANDBOX:-}" ]; then
	if [ -n "${PROVIDER_URL:-}" ]; then
		[[ $PROVIDER_URL =~ ^https?://[^/]+ ]] || die "PROVIDER_URL must begin with http:// or https://, not \"$PROVIDER_URL\""
		[ -n "${MODEL:-}" ] || die 'PROVIDER_URL needs MODEL=name as well'
		if [ -n "${SECRET_FILE:-}" ]; then
			[ -r "$SECRET_FILE" ] || die "cannot read SECRET_FILE $SECRET_FILE"
			# by descriptor: the server's user may not be able to read it, and it belongs in no environment
			exec 9<"$SECRET_FILE"
		fi
	elif [ -n "${MODEL:-}${SECRET_FILE:-}" ]; then
		die 'MODEL and SECRET_FILE go with PROVIDER_URL=...'
	fi
	# in this script KEEP means the running server, which leave-running below takes care of
	export DEMO_KEEP=${KEEP:-}
	unset KEEP
	[ "$(id -u)" -ne 0 ] || export DEMO_ROOT=1
fi
sandbox_enter "$top" test/demo/demo.sh
. test/lib/server.sh

say() { printf '\n== %s\n' "$*"; }
sql() { psql -XAtqv ON_ERROR_STOP=1 "$@"; }
show() { psql -Xqv ON_ERROR_STOP=1 -P pager=off -P footer=off "$@"; }

say 'Building the extension and copying PostgreSQL to a temporary directory (half a minute on two processors)'
[ -n "${TREE_BIN:-}" ] || TREE_BIN=$(test/lib/tree.sh "$PG_CONFIG" "$SANDBOX/tree" 2>"$SANDBOX/log/build") || { cat "$SANDBOX/log/build" >&2; die 'the build failed'; }

settings=$SANDBOX/tmp/demo.conf
echo "shared_preload_libraries = 'triage'" >"$settings"
secret=NULL
if [ -n "${PROVIDER_URL:-}" ]; then
	[[ $PROVIDER_URL =~ ^https?://[^/]+ ]]
	echo "triage.allowed_origins = '${BASH_REMATCH[0]//\'/\'\'}'" >>"$settings"
	if [ -n "${SECRET_FILE:-}" ]; then
		mkdir -m 700 "$SANDBOX/secrets"
		(umask 077 && cat <&9 >"$SANDBOX/secrets/demo")
		exec 9<&-
		echo "triage.secrets_directory = '$SANDBOX/secrets'" >>"$settings"
		secret="'demo'"
	fi
fi
server_start demo "$settings"
createdb helpdesk
export PGDATABASE=helpdesk
echo "$(psql -XAtqc 'SHOW server_version'), socket in $PGHOST, no TCP port"

say 'CREATE EXTENSION triage'
show -c 'CREATE EXTENSION triage'
if [ -n "${PROVIDER_URL:-}" ]; then
	sql -v url="$PROVIDER_URL" -v model="$MODEL" -v secret="$secret" <<-'SQL' >/dev/null
		SELECT triage.set_provider('demo', 'openai', base_url => :'url', model => :'model', secret => :secret, rank => 1);
	SQL
	echo "Provider: $MODEL at $PROVIDER_URL"
else
	echo 'Provider: builtin (scores words, inside the database: no network, no key, and not a language model)'
fi

say 'Submitting tickets with triage.create_ticket(), while the worker is held'
# Held, so that there is a queue to look at: it would have answered before the next statement.
sql <<'SQL' >/dev/null
SELECT triage.worker_stop();
CREATE TEMP TABLE mail (subject text, description text, requester_email text, source text);
\copy mail FROM 'test/demo/tickets.csv' WITH (FORMAT csv, HEADER)
SELECT triage.create_ticket(subject, description, requester_email => requester_email, source => source) FROM mail;
SQL
submitted=$(sql -c 'SELECT count(*) FROM triage.dashboard')

say "$submitted tickets; triage.worker_start(): the worker takes them from here"
# A line for each change, and one every five seconds.  One session that looks all the time: builtin needs a millisecond a
# ticket, so nothing slower would see a ticket being processed.
told=
while IFS= read -r line; do
	case $line in
		*'pause: '*)
			echo "The provider is left alone for a while: ${line#*pause: }"
			;;
		*) echo "${line#*INFO:  }" ;;
	esac
	[ -n "$told" ] || sql -c 'SELECT triage.worker_start()' >/dev/null
	told=yes
done < <(psql -XAtqv ON_ERROR_STOP=1 -v VERBOSITY=terse -v deadline="${DEADLINE:-300}" 2>&1 <<'SQL'
SELECT set_config('demo.deadline', :'deadline', false) AS unused \gset
DO $$
DECLARE
	began CONSTANT timestamptz := clock_timestamp();
	seconds int := current_setting('demo.deadline')::int;
	spoke timestamptz;
	counts record;
	paused text;
	line text;
	told text;
	told_of_pause text;
BEGIN
	LOOP
		SELECT count(*) FILTER (WHERE d.status = 'pending') AS pending, count(*) FILTER (WHERE d.status = 'processing') AS processing,
				count(*) FILTER (WHERE d.status = 'processed') AS processed, count(*) FILTER (WHERE d.status = 'ai_failed') AS gave_up
			INTO counts
			FROM triage.dashboard d;
		line := format('pending %s, processing %s, processed %s', counts.pending, counts.processing, counts.processed)
			|| CASE WHEN counts.gave_up > 0 THEN format(', given up %s', counts.gave_up) ELSE '' END;
		IF line IS DISTINCT FROM told THEN
			RAISE INFO '%', line;
			told := line;
			spoke := clock_timestamp();
		ELSIF clock_timestamp() > spoke + interval '5 s' THEN
			RAISE INFO '% (% s)', line, round(extract(epoch FROM clock_timestamp() - began));
			spoke := clock_timestamp();
		END IF;
		EXIT WHEN counts.pending + counts.processing = 0 OR clock_timestamp() > began + seconds * interval '1 s';
		SELECT substring(w.activity FROM 'provider paused: (.*)') INTO paused
			FROM triage.worker_status w
			WHERE w.type = 'triage worker' AND w.database = current_database();
		IF paused <> coalesce(told_of_pause, '') THEN
			RAISE INFO 'pause: %', paused;
			-- worth a few more tries, not five minutes
			IF told_of_pause IS NULL THEN
				seconds := least(seconds, 20 + extract(epoch FROM clock_timestamp() - began)::int);
			END IF;
			told_of_pause := paused;
		END IF;
		COMMIT;						-- the clock of the next look is now() again
		PERFORM pg_sleep(CASE WHEN clock_timestamp() < began + interval '3 s' THEN 0.001 ELSE 0.05 END);
	END LOOP;
END
$$;
SQL
)
counts=$(sql -F ' ' -c "SELECT count(*) FILTER (WHERE status IN ('pending', 'processing')), count(*) FILTER (WHERE status = 'ai_failed')
	FROM triage.dashboard")
read -r left gave_up <<<"$counts"
status=0
if [ "$left" -gt 0 ] || [ "$gave_up" -gt 0 ]; then
	status=1
	say 'Not every ticket got its answer; why (view triage.ai_failures):'
	show -c 'SELECT ticket_id, state, attempts, class, message, next_try_at FROM triage.ai_failures ORDER BY ticket_id LIMIT 12'
	grep -E 'WARNING|ERROR|FATAL|PANIC' "$SANDBOX/log/server.demo.log" | tail -10 || true
fi

say 'The inbox (view triage.inbox), most urgent first'
show <<'SQL'
SELECT id, left(subject, 38) AS subject, category, urgency, sentiment_score AS sentiment,
		left(regexp_replace(draft_reply, '\s+', ' ', 'g'), 44) || '...' AS draft
	FROM triage.inbox
	ORDER BY urgency DESC NULLS LAST, sentiment_score DESC NULLS LAST, id;
SQL

say 'One draft in full'
sql <<'SQL'
SELECT format(E'To:      %s\nSubject: Re: %s\n\n%s', requester_email, subject, draft_reply)
	FROM triage.inbox
	WHERE draft_reply IS NOT NULL
	ORDER BY urgency DESC NULLS LAST, sentiment_score DESC NULLS LAST, id
	LIMIT 1;
SQL

if [ "$status" -eq 0 ]; then
	say 'A conversation: the bot answers, until a person does'
	session=$(sql -c "SELECT triage.start_session('ada', open_ticket => true)")
	sql -c "SELECT triage.post_message($session, 'Good morning, my invoice for October is missing. Where can I find it?')" >/dev/null
	for ((i = 0; i < 600; i++)); do
		[ "$(sql -c "SELECT count(*) FROM triage.ai_jobs WHERE session_id = $session")" -gt 0 ] || break
		sleep 0.1
	done
	sql <<SQL >/dev/null
SELECT triage.take_over_session($session, 'anna');
SELECT triage.post_message($session, 'Good morning, this is Anna. I have just sent it to you again.', role => 'agent', author_id => 'anna');
SQL
	show <<SQL
SELECT role, left(content, 110) AS message FROM triage.conversation($session);
SELECT status, assigned_to_id, escalation_reason FROM triage.support_tickets WHERE conversation_id = $session;
SQL
fi

if [ "$status" -eq 0 ]; then
	say 'Product issues: what tickets say of the product, in a taxonomy of your own'
	sql <<'SQL' >/dev/null
SELECT triage.set_taxonomy(v.category, v.subcategory, v.description)
	FROM (VALUES
		('APP', 'display', 'screens, keyboard, buttons, what covers what'),
		('APP', 'sign_in', 'login, password, who can see records'),
		('BILLING', 'charges', 'debits, prices, plans, what was collected twice'),
		('REPORTS', 'files', 'reports, totals, spreadsheets, what is missing from a file')) v (category, subcategory, description);
-- more of the same, so that there is something to put together
SELECT triage.create_ticket(v.subject, v.description, requester_email => v.email, request_triage => false)
	FROM (VALUES
		('Keyboard covers the send button', 'On my phone I cannot see the send button: the keyboard is above it.', 'piet@example.net'),
		('The keyboard covers the send button', 'Since the update the keyboard lies over the button. I have to close it each time.', 'amal@example.com'))
		v (subject, description, email);
SELECT triage.extract_all();
SQL
	for ((i = 0; i < 10 * ${DEADLINE:-300}; i++)); do
		[ "$(sql -c "SELECT count(*) FROM triage.ai_jobs WHERE kind <> 'triage'")" -gt 0 ] || break
		sleep 0.1
	done
	show <<'SQL'
SELECT i.ticket_id AS ticket, lower(i.category || '/' || i.subcategory) AS area, i.issue_type AS type, i.severity, left(i.summary, 60) AS summary,
		left(c.cluster_name, 40) AS cluster
	FROM triage.extracted_issues i LEFT JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
	WHERE i.superseded_at IS NULL
	ORDER BY i.cluster_id, i.severity DESC, i.ticket_id
	LIMIT 7;
SELECT cluster_name AS cluster, issue_count AS issues, unique_customers AS customers, count_7d AS last_7_days, pm_status FROM triage.top_clusters();
SQL
	sql -c 'SELECT triage.report_html()' >"$SANDBOX/report.html"
	[ -n "${PROVIDER_URL:-}" ] || echo 'builtin goes by words alone, here too: it finds one issue in a ticket at most, and puts together what reads nearly the same.'
	echo "A page of all this (triage.report_html()): $SANDBOX/report.html$([ -n "${DEMO_KEEP:-}" ] || echo ' (make demo KEEP=1 leaves it there)')"
fi

say 'What it took (table triage.ai_runs: one row for each call)'
show <<'SQL'
SELECT provider, model, outcome, count(*) AS calls, round(avg(latency_ms)) AS avg_latency_ms, max(latency_ms) AS max_latency_ms,
		sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, coalesce(sum(cost)::text, 'no price set') AS cost
	FROM triage.ai_runs
	GROUP BY provider, model, outcome
	ORDER BY provider, model, outcome;
SQL

say 'From pending over processing to processed, ticket by ticket'
show <<'SQL'
SELECT r.ticket_id AS ticket, to_char(t.created_at, 'HH24:MI:SS.MS') AS "pending since", to_char(r.started_at, 'HH24:MI:SS.MS') AS "processing since",
		to_char(r.finished_at, 'HH24:MI:SS.MS') AS "answered at", r.latency_ms, r.outcome, r.input_tokens, r.output_tokens, r.cost
	FROM triage.ai_runs r JOIN triage.tickets t ON t.tenant_id = r.tenant_id AND t.id = r.ticket_id
	WHERE r.kind = 'triage'
	ORDER BY r.id
	LIMIT 20;
SQL

if [ -z "${PROVIDER_URL:-}" ]; then
	say 'With a real model'
	echo '  make demo PROVIDER_URL=http://127.0.0.1:11434/v1 MODEL=<name>                          a local server, such as Ollama'
	echo '  make demo PROVIDER_URL=https://<host>/v1 MODEL=<name> SECRET_FILE=<file with the key>  any OpenAI-compatible API'
fi
if [ -n "${DEMO_KEEP:-}" ]; then
	touch "$SANDBOX/leave-running"
	# the outer process may be another user's: whoever asks needs the superuser's name only, the socket trusts it
	chmod 755 "$SANDBOX" "$SANDBOX/run" "$SANDBOX/run/demo"
	run_as=
	[ -z "${DEMO_ROOT:-}" ] || run_as="setpriv --reuid=$(id -un) --regid=$(id -gn) --clear-groups "
	say 'The server keeps running'
	echo "  $TREE_BIN/psql -h $PGHOST -U postgres helpdesk"
	echo "stop it and remove everything:"
	echo "  $run_as$TREE_BIN/pg_ctl -D $SANDBOX/data/demo -m fast stop && rm -rf $SANDBOX"
else
	server_stop demo
	say 'Done: the server is stopped and its files are removed (make demo KEEP=1 keeps it running)'
fi
exit "$status"
