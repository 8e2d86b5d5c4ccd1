# A copy of a database has its pending jobs too, and does not ask a model about them: only one of the two does.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $COPY = 'the tables were copied from another database';
my $PENDING = 'SELECT count(*) FROM triage.ai_jobs WHERE attempts = 0 AND lease_until IS NULL';
my $WORKERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'triage%worker' AND datname = current_database()";
my $dir = PostgreSQL::Test::Utils::tempdir;

sub has_home
{
	my ($node, $database) = @_;
	return sql($node, q(SELECT count(*), count(*) FILTER (WHERE system_identifier = (SELECT system_identifier FROM pg_control_system())
		AND database_oid = (SELECT oid FROM pg_database WHERE datname = current_database())) FROM triage.home), $database);
}

# Three tickets that wait: the copy's to ask about, if it would.
sub pending
{
	my ($node, $database, $prefix) = @_;
	sql($node, "SET triage.autostart = off; INSERT INTO triage.tickets (external_id, description)
		SELECT 'TOKEN-$prefix' || i, 'TOKEN-$prefix' || i FROM generate_series(1, 3) i", $database);
	return;
}

# Nothing that would make another database call the model does so here: a ticket, worker_start(), a one-shot run.
sub keeps_still
{
	my ($node, $database, $why, $name) = @_;
	my $requests = $model->requests;
	my $jobs = sql($node, $PENDING, $database);
	my $position = log_position($node);

	is(sql($node, 'SELECT triage.home_refusal()', $database), $why, "$name: it says why");
	like(sql($node, q(SELECT level, what FROM triage.health() WHERE check_name = 'worker'), $database), qr/^warning\|no model is called from this database: \Q$why\E/,
		"$name: so does health()");
	sql($node, "INSERT INTO triage.tickets (description) VALUES ('in a copy')", $database) for 1 .. 2;
	my $error = sql_error($node, 'SELECT triage.worker_start()', $database);
	like($error, qr/ERROR:  55000: no model is called from this database: \Q$why\E/, "$name: worker_start() is refused");
	like($error, qr/HINT:.*(adopt\(\)|publication)/, "$name: with what to do");
	is(sqlstate($node, 'SELECT triage.run_pending(10, true)', $database), '55000', "$name: so is run_pending()");
	is(sql($node, $PENDING, $database), $jobs + 2, "$name: what waits, waits, unclaimed");
	is($model->requests, $requests, "$name: nothing was sent to the model");
	is(sql($node, $WORKERS, $database), 0, "$name: no worker runs");
	cmp_ok(scalar(() = log_since($node, $position) =~ /triage worker leaves/g), '<=', 1, "$name: the log repeats nothing");
	like(log_since($node, $position), qr/no triage worker is started in this database: \Q$why\E\n.*HINT:/, "$name: but says so");
	return;
}

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	my $node = start_server("home$preload", preload => $preload, no_extension => 1, model => $model, conf => "wal_level = logical\nmax_wal_senders = 5\nmax_replication_slots = 5");

	sql($node, 'CREATE DATABASE original');
	sql($node, 'CREATE EXTENSION triage', 'original');
	use_model($node, $model, database => 'original');
	is(has_home($node, 'original'), '1|1', "$mode: CREATE EXTENSION says where it is at home");
	is(sql($node, 'SELECT triage.home_refusal() IS NULL', 'original'), 't', "$mode: and is");
	sql($node, 'SELECT triage.worker_stop()', 'original');
	wait_for($node, $WORKERS, 0, 'no worker', database => 'original');
	pending($node, 'original', "o$preload");

	################ a template copy ################

	sql($node, 'CREATE DATABASE template_copy TEMPLATE original');
	sql($node, 'UPDATE triage.worker_control SET stopped_at = NULL', 'template_copy');
	keeps_still($node, 'template_copy', $COPY, "$mode, template copy");

	# a server that starts looks into every database
	if ($preload)
	{
		my $position = log_position($node);
		$node->restart;
		wait_until(sub { return log_since($node, $position) =~ /triage worker leaves: \Q$COPY\E/ }, 'the worker to say that it leaves');
		like(log_since($node, $position), qr/HINT:  .*SELECT triage\.adopt\(\)/, "$mode, template copy: after a restart the log says what to do");
		wait_for($node, $WORKERS, 0, 'and leaves', database => 'template_copy');
		is($model->requests, 0, "$mode, template copy: nothing was sent to the model");
	}

	################ another name for it, another for the original ################

	sql($node, 'ALTER DATABASE original RENAME TO renamed');
	is(sql($node, 'SELECT triage.home_refusal() IS NULL', 'renamed'), 't', "$mode: a renamed database stays at home");
	sql($node, 'ALTER DATABASE renamed RENAME TO original');

	################ told to ################

	my $before = $model->requests;
	sql($node, 'SELECT triage.adopt()', 'template_copy');
	wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, 'the jobs of the copy', database => 'template_copy');
	is($model->requests - $before, 5, "$mode: adopted, it asks about what waits");
	is(has_home($node, 'template_copy'), '1|1', "$mode: and is at home");
	is(sql($node, 'SELECT triage.home_refusal() IS NULL', 'original'), 't', "$mode: as is the original");
	is(sql($node, $PENDING, 'original'), 3, "$mode: whose jobs still wait");

	################ a dump, restored ################

	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/dump$preload", '-d', $node->connstr('original') ], 'pg_dump');
	sql($node, 'CREATE DATABASE restored TEMPLATE template0');
	$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), "$dir/dump$preload" ], 'pg_restore');
	sql($node, 'UPDATE triage.worker_control SET stopped_at = NULL', 'restored');
	keeps_still($node, 'restored', $COPY, "$mode, restored");
	sql($node, 'SELECT triage.install()', 'restored');
	keeps_still($node, 'restored', $COPY, "$mode, restored, after install()");

	# into a database of the same oid in another cluster
	my $oid = sql($node, "SELECT oid FROM pg_database WHERE datname = 'original'");
	my $other = start_server("other$preload", preload => $preload, no_extension => 1, model => $model);
	sql($other, "CREATE DATABASE original TEMPLATE template0 OID $oid");
	$other->command_ok([ 'pg_restore', '--exit-on-error', '-d', $other->connstr('original'), "$dir/dump$preload" ], 'pg_restore elsewhere');
	sql($other, 'UPDATE triage.worker_control SET stopped_at = NULL', 'original');
	keeps_still($other, 'original', $COPY, "$mode, restored in another cluster under the same oid");
	$other->stop;

	# over itself
	$node->command_ok([ 'pg_restore', '--clean', '--if-exists', '--exit-on-error', '-d', $node->connstr('original'), "$dir/dump$preload" ], 'pg_restore --clean');
	is(sql($node, 'SELECT triage.home_refusal() IS NULL', 'original'), 't', "$mode: restored over itself it is at home");

	################ without data, and a running worker that learns it ################

	sql($node, 'CREATE DATABASE bare TEMPLATE template0');
	my ($schema) = run_command([ 'pg_dump', '-s', '-d', $node->connstr('original') ]);
	$node->safe_psql('bare', $schema);
	sql($node, 'SELECT triage.install()', 'bare');
	keeps_still($node, 'bare', 'this database was never said to be the one that works on its tickets', "$mode, tables without rows");
	sql($node, 'SELECT triage.adopt()', 'bare');
	wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, 'the jobs, by builtin', database => 'bare');
	wait_for($node, $WORKERS, 1, 'a worker', database => 'bare');
	sql($node, "UPDATE triage.home SET database_oid = 1; INSERT INTO triage.tickets (description) VALUES ('moved away')", 'bare');
	wait_for($node, $WORKERS, 0, 'a worker leaves when its database is not at home any more', database => 'bare');
	is(sql($node, 'SELECT count(*) FROM triage.ai_jobs', 'bare'), 1, "$mode: without taking the ticket along");
	sql($node, "SELECT triage.worker_stop()", 'bare');

	################ a subscriber ################

	if ($preload)
	{
		sql($node, 'CREATE DATABASE subscriber TEMPLATE template0');
		$node->safe_psql('subscriber', $schema);
		sql($node, 'CREATE PUBLICATION p FOR ALL TABLES', 'original');
		sql($node, "SELECT pg_create_logical_replication_slot('s', 'pgoutput')", 'original');
		my $connection = $node->connstr('original');
		sql($node, "CREATE SUBSCRIPTION s CONNECTION '" . ($connection =~ s/'/''/gr) . "' PUBLICATION p WITH (create_slot = false, slot_name = 's')", 'subscriber');
		wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 3, 'the jobs arrive', database => 'subscriber');
		wait_for($node, "SELECT count(*) FROM pg_subscription_rel WHERE srsubstate <> 'r'", 0, 'all tables are copied', database => 'subscriber');
		sql($node, 'UPDATE triage.worker_control SET stopped_at = NULL', 'original');
		wait_for($node, 'SELECT count(*) FROM triage.worker_control WHERE stopped_at IS NULL', 1, 'that the worker is not stopped', database => 'subscriber');
		# sequences are not replicated
		sql($node, q(SELECT setval(c.oid, 1000) FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace = 'triage'::regnamespace), 'subscriber');
		my $filled = 'table triage.ai_jobs is filled by a subscription';
		keeps_still($node, 'subscriber', $filled, 'subscriber');
		sql($node, 'SELECT triage.adopt()', 'subscriber');
		keeps_still($node, 'subscriber', $filled, 'subscriber, adopted');
		sql($node, 'ALTER SUBSCRIPTION s DISABLE; ALTER SUBSCRIPTION s SET (slot_name = NONE); DROP SUBSCRIPTION s', 'subscriber');
		is(sql($node, 'SELECT triage.home_refusal() IS NULL', 'subscriber'), 't', 'the subscription dropped, what was adopted is at home');
		sql($node, "SELECT pg_drop_replication_slot('s')");
	}

	################ who may ################

	sql($node, 'CREATE ROLE app; GRANT USAGE ON SCHEMA triage TO app', 'original');
	is(sqlstate($node, 'SET ROLE app; SELECT triage.adopt()', 'original'), '42501', "$mode: adopt() is not for everybody");
	sql($node, 'GRANT EXECUTE ON FUNCTION triage.adopt() TO app', 'original');
	is(sqlstate($node, 'SET ROLE app; SELECT triage.adopt()', 'original'), 'none', "$mode: granted, it is");
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal/, "$mode: nothing crashed");
}
done_testing();
