# From CREATE EXTENSION to a triaged ticket, with the library preloaded and no setting but that.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $node = start_server('install', preload => 1, no_extension => 1);
my $state = "SELECT ai_state FROM triage.ai_state WHERE ticket_id = ";

is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage launcher'"), 1, 'the launcher runs');
is(worker_pid($node), '', 'no worker where the extension is not installed');

sql($node, 'CREATE EXTENSION triage');
wait_for_worker($node);
pass('CREATE EXTENSION brings a worker, without a restart');

# a ticket, from the function to the result
my $id = sql($node, <<'SQL');
SELECT triage.create_ticket('I was charged twice', 'My invoice shows the same payment two times, please refund one.',
	requester_id => 'user-1', requester_email => 'ada@example.com')
SQL
is(sql($node, "SELECT triage.wait_for_triage($id)"), 'processed', 'wait_for_triage sees the result');
is(sql($node, <<SQL), 'builtin|200|t|t|t', 'the builtin provider answered, and says so');
SELECT n.provider, coalesce(n.http_status, 200), n.outcome = 'succeeded', n.finished_at >= n.started_at, n.prompt_version = 1
	FROM triage.ai_runs n JOIN triage.ticket_ai_results r ON r.run_id = n.id AND r.tenant_id = n.tenant_id
	WHERE r.ticket_id = $id
SQL
is(sql($node, <<SQL), 'billing|t|t|t', 'the result has a category, a sentiment, a draft, and names the version it read');
SELECT category, sentiment_score BETWEEN 1 AND 10, draft_reply LIKE '%charged twice%', ticket_version = 1
	FROM triage.ticket_ai_results WHERE ticket_id = $id AND superseded_at IS NULL
SQL
is(sql($node, "SELECT status, category FROM triage.dashboard WHERE id = $id"), 'processed|billing', 'the dashboard shows it');
is(sql($node, "SELECT category, category_is_manual FROM triage.tickets WHERE id = $id"), 'billing|f',
	'the ticket took the category from the result');
is(sql($node, <<SQL), 'category|null|"billing"|triage', 'the history says that triage set it');
SELECT field, coalesce(old_value::text, 'null'), new_value, changed_by FROM triage.ticket_history
	WHERE ticket_id = $id AND field = 'category'
SQL

# What an ORM does: a plain INSERT, into the columns it knows.
my $plain = sql($node, <<'SQL');
INSERT INTO triage.tickets (subject, description)
	VALUES ('Cannot log in', 'The login page says that my password is wrong since this morning.') RETURNING id
SQL
wait_for($node, "$state $plain", 'processed', 'a plain INSERT is triaged');
is(sql($node, <<SQL), sql($node, <<SQL2), 'a plain INSERT leaves the same as create_ticket(): default columns, job, run, result, history');
SELECT t.tenant_id, t.status, t.handler, t.version, t.search IS NOT NULL, t.waiting_since = t.created_at, t.public_id IS NOT NULL,
		(SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = t.id),
		(SELECT count(*) FROM triage.ai_runs n WHERE n.ticket_id = t.id),
		(SELECT count(*) FROM triage.ticket_ai_results r WHERE r.ticket_id = t.id),
		(SELECT string_agg(DISTINCT h.changed_by, ',') FROM triage.ticket_history h WHERE h.ticket_id = t.id)
	FROM triage.tickets t WHERE t.id = $plain
SQL
SELECT t.tenant_id, t.status, t.handler, t.version, t.search IS NOT NULL, t.waiting_since = t.created_at, t.public_id IS NOT NULL,
		(SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = t.id),
		(SELECT count(*) FROM triage.ai_runs n WHERE n.ticket_id = t.id),
		(SELECT count(*) FROM triage.ticket_ai_results r WHERE r.ticket_id = t.id),
		(SELECT string_agg(DISTINCT h.changed_by, ',') FROM triage.ticket_history h WHERE h.ticket_id = t.id)
	FROM triage.tickets t WHERE t.id = $id
SQL2

# A ticket that is rolled back is never heard of; one statement with many rows brings all of them.
sql($node, "BEGIN; INSERT INTO triage.tickets (external_id, description) VALUES ('gone', 'never committed'); ROLLBACK");
my $began = time;
sql($node, <<'SQL');
INSERT INTO triage.tickets (external_id, description)
	SELECT 'bulk-' || i, 'The invoice number ' || i || ' is wrong.' FROM generate_series(1, 300) i
SQL
all_done($node);
cmp_ok(time - $began, '<', 60, 'well above a hundred tickets a minute, and seven [seed 157] [seed 158]');
is(sql($node, <<'SQL'), '300|300', 'a statement with 300 rows brings 300 results');
SELECT count(*), count(DISTINCT r.ticket_id) FROM triage.ticket_ai_results r
	JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id LIKE 'bulk-%' AND r.superseded_at IS NULL
SQL
is(sql($node, 'SELECT count(*), count(DISTINCT ticket_id) FROM triage.ai_runs'), '302|302', 'one run each, and none for what was rolled back');
ledger_is_sound($node, 'builtin');

# A second database has a worker of its own.
sql($node, 'CREATE DATABASE second');
sql($node, 'CREATE EXTENSION triage', 'second');
wait_for_worker($node, 1, 'second');
my $other = sql($node, "SELECT triage.create_ticket('Refund', 'I want my money back for this invoice.')", 'second');
is(sql($node, "SELECT triage.wait_for_triage($other)", 'second'), 'processed', 'a second database is served by its own worker');
isnt(worker_pid($node), worker_pid($node, 'second'), 'which is another process');

# After a restart the launcher brings both back, and they find what was left.
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
my $left = sql($node, "SELECT triage.create_ticket('Left', 'This was written while nobody looked: my invoice is wrong.')");
$node->restart;
wait_for_worker($node, 1, 'second');
is(sql($node, "$state $left"), 'pending', 'a worker that was stopped stays stopped across a restart');
sql($node, 'SELECT triage.worker_start()');
wait_for($node, "$state $left", 'processed', 'what was left is triaged');
pass('worker_start() has the work that was left done');

# Uninstalled, the worker leaves.
sql($node, "SELECT triage.uninstall(confirm => 'delete all tickets')", 'second');
sql($node, 'DROP EXTENSION triage', 'second');
wait_for_worker($node, 0, 'second');
is(sql($node, "SELECT count(*) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'triage')", 'second'),
	0, 'uninstall() and DROP EXTENSION leave no relation and no worker [seed 76] [seed 139]');

$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING/, 'the server log is clean');
done_testing();
