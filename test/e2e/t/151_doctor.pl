# doctor()'s findings that need other sessions, committed rows, a standby or a restart.  The rest is in
# test/pgtap/doctor.sql.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $secrets = PostgreSQL::Test::Utils::tempdir_short();
my $node = start_server('doctor', preload => 1, model => $model,
	conf => "max_prepared_transactions = 2\nwal_level = replica\nmax_wal_senders = 4\nmax_replication_slots = 4\ntriage.secrets_directory = '$secrets'");
my $own = q('superuser owner', 'not preloaded');

# What doctor() finds, besides what is so in each of these servers.
sub findings
{
	my ($arguments) = @_;
	return sql($node, "SELECT coalesce(string_agg(DISTINCT finding, ', '), '') FROM triage.doctor(@{[$arguments // '']}) WHERE finding NOT IN ($own)");
}

# The finding is there; doing as it says, away it goes.
sub found_and_mended
{
	my ($finding, $detail, $name, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $arguments = $option{arguments} // '';

	wait_for($node, "SELECT DISTINCT finding FROM triage.doctor($arguments) WHERE finding = '$finding'", $finding, $name);
	is(findings($arguments), $finding, "$name: found, and nothing else");
	like(sql($node, "SELECT detail FROM triage.doctor($arguments) WHERE finding = '$finding' LIMIT 1"), $detail, "$name: says what");
	my $fix = sql($node, "SELECT fix_sql FROM triage.doctor($arguments) WHERE finding = '$finding'");
	$option{mend} ? $option{mend}->($fix) : sql($node, $fix);
	ok(wait_for($node, "SELECT coalesce(string_agg(DISTINCT finding, ', '), '') FROM triage.doctor($arguments) WHERE finding NOT IN ($own)", '', $name),
		"$name: mended by what it says");
	return;
}

wait_for_worker($node);
like(findings(), qr/^no price$/, 'nothing is wrong but that nobody knows what a call costs');
sql($node, q(SELECT triage.set_price('fake-*', 1, 2, 'EUR')));
is(findings(), '', 'nothing is wrong');

################ what pins vacuum ################

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
is(findings(), '', 'a transaction of some seconds is not too long');
found_and_mended('old transaction', qr/^process \d+ \(role \S+, idle in transaction\) .* for 00:00:/, 'a forgotten session', arguments => "'0'");
eval { $session->quit };

sql($node, q(BEGIN; CREATE TABLE public.t (); PREPARE TRANSACTION 'it''s mine'));
is(findings(), '', 'a transaction prepared just now may be a commit in two phases');
found_and_mended('prepared transaction', qr/^prepared transaction 'it''s mine' of role \S+ waits since /, 'a prepared transaction', arguments => "'0'");

sql($node, q(SELECT pg_create_physical_replication_slot('left_over', true)));
found_and_mended('replication slot', qr/^slot left_over is not in use, and keeps WAL until the disk is full$/, 'a slot that nobody uses');

################ indexes, vacuum, statistics ################

sql($node, q(CREATE TABLE triage.mine (id int); INSERT INTO triage.mine VALUES (1), (1)));
like(sql_error($node, 'CREATE UNIQUE INDEX CONCURRENTLY mine_id ON triage.mine (id)'), qr/could not create unique index/, '(an index that could not be built)');
found_and_mended('invalid index', qr/^index triage\.mine_id of triage\.mine is not valid/, 'a failed CREATE INDEX CONCURRENTLY',
	mend => sub { sql($node, 'DELETE FROM triage.mine WHERE ctid = (SELECT min(ctid) FROM triage.mine)'); sql($node, $_[0]) });
sql($node, 'DROP TABLE triage.mine');

sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
found_and_mended('worker stopped', qr/^stopped by \S+ at /, 'a worker that was stopped');
wait_for_worker($node);
sql($node, <<'SQL');
SET triage.auto_triage = off;
SET session_replication_role = replica;
INSERT INTO triage.tickets (description) SELECT 'x' FROM generate_series(1, 60000);
INSERT INTO triage.ai_jobs (tenant_id, ticket_id, run_at) SELECT 'default', id, now() + interval '1 day' FROM triage.tickets;
DELETE FROM triage.ai_jobs;
SQL
wait_for($node, q(SELECT string_agg(finding, ', ' ORDER BY finding) FROM triage.doctor() WHERE finding IN ('dead rows', 'old statistics')),
	'dead rows, old statistics', 'dead rows and changed ones are counted');
like(sql($node, q(SELECT detail FROM triage.doctor() WHERE finding = 'old statistics')), qr/^the planner knows triage\.tickets as it was 6\d{4} changed rows ago$/, 'old statistics are named');
sql($node, sql($node, q(SELECT fix_sql FROM triage.doctor() WHERE finding = 'old statistics')));
found_and_mended('dead rows', qr/^ai_jobs has 6\d{4} dead rows beside 0 live ones/, 'dead rows in the queue');

################ origins and keys ################

$node->append_conf('postgresql.conf', "triage.allowed_origins = '" . $model->origin . ", http://10.0.0.5:8000, https://api.example.com'");
$node->reload;
found_and_mended('unencrypted origin', qr/^triage\.allowed_origins lists http:\/\/10\.0\.0\.5:8000: /, 'an origin without TLS',
	mend => sub { $node->append_conf('postgresql.conf', "triage.allowed_origins = '" . $model->origin . "'"); $node->reload });

my $two = $model->origin . ', https://api.example.com:8443';
$node->append_conf('postgresql.conf', "triage.allowed_origins = '$two'");
$node->reload;
wait_for($node, 'SHOW triage.allowed_origins', $two, 'two origins are listed');
sql($node, q(SELECT triage.set_provider('third', 'openai', 'https://third.example.com/v1', 'fake-3', rank => 900)));
found_and_mended('origin refused', qr/^provider third: the URL's origin is not among the allowed origins$/, 'a third origin');
is(sql($node, 'SHOW triage.allowed_origins'), "$two, https://third.example.com", 'and the two are still listed');
sql($node, q(SELECT triage.drop_provider('third')));
sql($node, q(SELECT triage.add_zendesk_source('fourth', 'a@example.com', 'fourth', now())));
is(sql($node, q(SELECT fix_sql FROM triage.doctor() WHERE finding = 'origin refused')),
	"ALTER SYSTEM SET triage.allowed_origins = '$two, https://third.example.com, https://fourth.zendesk.com'; SELECT pg_reload_conf();", 'so it is with a source');
sql($node, q(SELECT triage.drop_source('zendesk')));
sql($node, 'ALTER SYSTEM RESET triage.allowed_origins');
$node->append_conf('postgresql.conf', "triage.allowed_origins = '" . $model->origin . "'");
$node->reload;
wait_for($node, 'SHOW triage.allowed_origins', $model->origin, 'one origin is listed again');

open(my $file, '>', "$secrets/acme") or die;
print $file "sk-doctor\n";
close $file;
chmod 0640, "$secrets/acme";
use_model($node, $model, timeout_ms => 5000, secret => 'acme');
found_and_mended('key file', qr/^provider fake: file "acme" has mode 0640; it must be 0600 or stricter$/, 'a key file that the group may read',
	mend => sub { chmod 0600, "$secrets/acme" });
unlink "$secrets/acme";
found_and_mended('key file', qr/^provider fake: no file "acme" in triage\.secrets_directory$/, 'a key file that is not there',
	mend => sub { use_model($node, $model, timeout_ms => 5000) });

################ a standby ################

$node->backup('one');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'one', has_streaming => 1);
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nwal_receiver_status_interval = 1\nmax_standby_streaming_delay = -1");
$standby->start;
$node->wait_for_catchup('standby');
is(sql($standby, q(SELECT level, what FROM triage.health() WHERE check_name = 'worker')), 'ok|this server is a standby: its worker starts when it is promoted', 'health() answers on a standby');
is(sql($standby, "SELECT count(*) FROM triage.doctor() WHERE finding NOT IN ($own)"), 0, 'so does doctor()');
my $reader = $standby->background_psql('postgres', on_error_stop => 0);
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM triage.tickets');
wait_for($node, 'SELECT count(*) FROM pg_stat_replication WHERE backend_xmin IS NOT NULL', 1, 'the standby tells what it sees');
sql($node, 'CREATE TABLE public.t ()');
sql($node, 'DO $$ BEGIN FOR i IN 1 .. 100100 LOOP BEGIN INSERT INTO public.t DEFAULT VALUES; EXCEPTION WHEN division_by_zero THEN END; END LOOP; END $$');
found_and_mended('standby feedback', qr/^standby standby \(process \d+\) holds an old snapshot .* 1\d{5} transactions$/, 'a standby with an old snapshot',
	mend => sub { $reader->query_safe('COMMIT') });
eval { $reader->quit };
$standby->stop;
$node->stop;

################ pg_cron ################

$node = start_server('scheduled', preload => 1, conf => "shared_preload_libraries = 'triage, pg_cron'\ncron.database_name = 'postgres'\n"
	. "cron.use_background_workers = on\ncron.launch_active_jobs = off");
wait_for_worker($node);
is(findings(), '', 'pg_cron that is not in this database is left alone');
sql($node, 'CREATE EXTENSION pg_cron');
is(sql($node, q(SELECT count(*) FROM triage.doctor() WHERE finding = 'no maintenance')), 2, 'pg_cron without the jobs of maintenance');
sql($node, sql($node, q(SELECT DISTINCT fix_sql FROM triage.doctor() WHERE finding = 'no maintenance')));
is(findings(), '', 'mended by what it says');
sql($node, q(UPDATE cron.job SET active = false WHERE jobname = 'triage reap'));
is(sql($node, q(SELECT detail FROM triage.doctor() WHERE finding = 'no maintenance')), 'pg_cron is here, and has no job triage reap for this database', 'a job that is switched off');
sql($node, q(UPDATE cron.job SET active = true));
sql($node, q(INSERT INTO cron.job_run_details (jobid, runid, database, username, command, status, return_message, start_time)
	SELECT jobid, r, 'postgres', 'postgres', command, s, m, now() FROM cron.job, (VALUES (1000001, 'succeeded', 'SELECT 1'), (1000002, 'failed', 'ERROR: no such luck')) AS d (r, s, m)
		WHERE jobname = 'triage retention'));
like(sql($node, q(SELECT detail FROM triage.doctor() WHERE finding = 'maintenance failed')), qr/^the last run of triage retention, at .*, failed: ERROR: no such luck$/, 'a job whose last run failed');
sql($node, q(UPDATE cron.job_run_details SET status = 'succeeded' WHERE runid = 1000002));
is(findings(), '', 'until it runs well again');
$node->stop;

################ no slot left for the worker ################

# the logical replication launcher and triage's own take the two
my $full = start_server('full', preload => 1, model => $model, conf => 'max_worker_processes = 2');
$node = $full;
wait_for($full, q(SELECT finding || ': ' || detail FROM triage.doctor() WHERE finding = 'worker slots'),
	'worker slots: all 2 of max_worker_processes are in use, and none by a worker of this database', 'no slot is left');
pass('a server without a slot for the worker');
add_tickets($full, 'waits');
sql($full, q(UPDATE triage.ai_jobs SET run_at = now() - interval '2 minutes'));
is(sql($full, q(SELECT level FROM triage.health() WHERE check_name = 'worker')), 'critical', 'health() says so as soon as jobs wait');
is(sql($full, q(SELECT fix_sql FROM triage.doctor() WHERE finding = 'worker slots')), 'ALTER SYSTEM SET max_worker_processes = 10; -- then restart', 'what to do');
sql($full, 'ALTER SYSTEM SET max_worker_processes = 10');
$full->restart;
all_done($full, what => 'with slots the ticket is done');
sql($full, q(SELECT triage.set_price('fake-*', 1, 2, 'EUR')));
is(findings(), '', 'mended by what it says');
$full->stop;

################ whom the worker works as ################

my $role = start_server('role', preload => 1, no_extension => 1);
$node = $role;
sql($role, 'CREATE EXTENSION triage');
wait_for_worker($role);
my $fix = sql($role, q(SELECT fix_sql FROM triage.doctor() WHERE finding = 'superuser owner'));
like($fix, qr/triage\.worker_role/, 'a superuser owns the tables');
sql($role, $_) for split /(?<=;)/, $fix;
wait_for($role, q(SELECT count(*) FROM triage.doctor()), 0, 'nothing is left to find');
wait_for($role, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND usename = 'triage_worker'), 1, 'the worker works as a role of its own');
add_tickets($role, 'one');
all_done($role);
pass('mended by what it says, and the worker works');
$role->stop;
done_testing();
