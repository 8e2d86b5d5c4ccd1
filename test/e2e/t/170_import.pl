# An import beside a worker: it commits as it goes, shows how far it is, survives its session, and asks the model nothing.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('import', preload => 1, model => $model);

sql($node, <<'SQL');
CREATE TABLE old_tickets (id bigint PRIMARY KEY, title text, body text, user_id text, email text, assigned_to text, status text,
	priority text, created_at timestamp, updated_at timestamp);
INSERT INTO old_tickets SELECT i, 'About TOKEN-h' || i, 'TOKEN-h' || i, 'u' || i % 10, 'u' || i % 10 || '@example.com',
		CASE WHEN i % 3 = 0 THEN 'agent-1' END, (ARRAY['new', 'pending', 'solved', 'closed'])[1 + i % 4], 'normal',
		'2024-01-01'::timestamp + i * interval '1 hour', '2024-06-01'::timestamp + i * interval '1 hour'
	FROM generate_series(1, 2000) i;
-- as slow to read as a table of a foreign server
CREATE VIEW slow_tickets AS SELECT o.*, pg_sleep(0.002)::text AS waited FROM old_tickets o;
SQL

################ cut short, and gone on with ################

my $import = start_sql($node, q(CALL triage.import_tickets('slow_tickets', '{"custom_fields": ["waited"]}', batch_size => 100)));
wait_for($node, 'SELECT rows_imported BETWEEN 100 AND 1900 AND finished_at IS NULL FROM triage.imports', 't', 'the import is on its way');
pass('another session sees how far an import is [seed 75]');
is(sql($node, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'CALL triage.import_tickets%'"), 1, 'its session is ended');
eval { $import->() };
like($@, qr/terminating connection|server closed the connection/, 'it was cut short');
my $imported = sql($node, 'SELECT count(*) FROM triage.tickets');
is($imported % 100, 0, "batches are whole: $imported tickets");
is(sql($node, 'SELECT rows_imported FROM triage.imports'), $imported, 'and counted with their transaction');
like(sql($node, 'CALL triage.resume_import(1)'), qr/^1\|2000\|0\|0$/, 'it is gone on with where it was');
is(sql($node, "SELECT count(*), count(DISTINCT external_id) FROM triage.tickets"), '2000|2000', 'every ticket is here once');
is(sql($node, 'SELECT finished_at IS NOT NULL FROM triage.imports'), 't', 'and the import is finished');

################ nothing was set off ################

is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 0, 'no job');
is(sql($node, 'SELECT count(*) FROM triage.ticket_history'), 0, 'no change');
is($model->requests, 0, 'no call');
is(sql($node, "SELECT count(*) FROM triage.tickets WHERE updated_at > '2025-01-01'"), 0, 'no date of today');
is(sql($node, "CALL triage.import_tickets('old_tickets', source => 'slow_tickets')"), '2|0|2000|0', 'the same rows under the same source are skipped');
is(sqlstate($node, "BEGIN; CALL triage.import_tickets('old_tickets'); COMMIT"), '25001', 'inside a transaction block it cannot commit, and says so');
like(sql($node, "BEGIN; CALL triage.import_tickets('old_tickets', source => 'once', commit_batches => false); ROLLBACK; SELECT count(*) FROM triage.tickets WHERE source = 'once'"),
	qr/^\d+\|2000\|0\|0\n0$/, 'there it can do without: a trial that is rolled back');

################ two at a time ################

my @both = map { start_sql($node, "CALL triage.import_tickets('old_tickets', source => 'both', batch_size => 50)") } 1, 2;
my @counts = map { [ split /\|/, $_->() ] } @both;
is($counts[0][1] + $counts[1][1], 2000, 'two sessions at once import every row once');
is($counts[0][3] + $counts[1][3], 0, 'and neither trips over the other');
is(sql($node, "SELECT count(*), count(DISTINCT external_id) FROM triage.tickets WHERE source = 'both'"), '2000|2000', 'none twice');

################ asked to, the model looks at what is open ################

sql($node, "CREATE VIEW few AS SELECT * FROM old_tickets WHERE id <= 20");
sql($node, "DELETE FROM triage.tickets; CALL triage.import_tickets('few', request_triage => true)");
all_done($node);
is($model->requests, 10, 'the ten that are not finished were sent');
is(sql($node, "SELECT count(*) FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.status IN ('open', 'pending') AND r.draft_reply ~ ('TOKEN-h' || t.external_id || '\\M')"),
	10, 'and answered');
is(sql($node, "SELECT string_agg(DISTINCT priority::text, ' ') FROM triage.tickets"), 'medium', 'the priority that people gave stayed');

################ and back ################

sql($node, q(DROP VIEW slow_tickets, few; SELECT triage.uninstall(confirm => 'delete all tickets'); DROP EXTENSION triage));
is(sql($node, "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('triage')"), 0, '[seed 76] rolled back, nothing of triage is left');
is(sql($node, 'SELECT count(*), count(DISTINCT title) FROM old_tickets'), '2000|2000', '[seed 76] and the application\'s own tickets are as they were');
done_testing();
