# Statements that want a database for themselves: the worker makes room in time, and is back afterwards.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();

# A database with a worker, with calls in the air if $busy.
sub database
{
	my ($node, $name, $busy) = @_;

	sql($node, "CREATE DATABASE $name");
	sql($node, 'CREATE EXTENSION triage', $name);
	use_model($node, $model, database => $name, timeout_ms => 60000);
	$model->config(latency_ms => $busy ? 30000 : 0);
	sql($node, "INSERT INTO triage.tickets (external_id, description) SELECT 'TOKEN-$name' || i, 'TOKEN-$name' || i FROM generate_series(1, 20) i", $name);
	wait_for_worker($node, 1, $name);
	$model->wait_for_in_flight(20) if $busy;
	wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, 'the tickets', database => $name) unless $busy;
	return;
}

# Runs the statement: (its error, when it began and ended), by the clock of the server.
sub timed
{
	my ($node, $statement) = @_;
	my $clock = 'SELECT extract(epoch FROM clock_timestamp())';
	my ($out, $error) = Triage::try_sql($node, "$clock;\n$statement;\n$clock");

	return ($error, split /\n/, $out);
}

# Runs the statement, for which a worker has to leave its database, and looks when it had: by the clock of the server, from
# the statement's begin to the line in the log about the worker's end, or to the statement's own end where there is none.
# The server itself would give up after five seconds.
sub makes_room
{
	my ($node, $statement, $name) = @_;
	my ($database) = $statement =~ /DATABASE (?:copy TEMPLATE )?(\w+)/;
	my $pid = sql($node, "SELECT pid FROM pg_stat_activity WHERE backend_type ~ '^triage .*worker\$' AND datname = '$database'");
	my $position = log_position($node);
	my ($error, $began, $ended) = timed($node, $statement);

	like($pid, qr/^\d+$/, "$name: a worker is in the way");
	is($error, '', "$name: done") or return;
	my ($gone) = log_since($node, $position) =~ /^(\d+\.\d+) \[\d+\] LOG:  background worker "[^"]*" \(PID $pid\) exited/m;
	$gone = $ended if !defined $gone || $gone > $ended;
	return cmp_ok($gone - $began, '<=', 2, sprintf('%s: the worker has left within 2 s (%.2f s; the statement took %.2f s)', $name, $gone - $began, $ended - $began));
}

# The same for a statement that waits for an answer of every process, and makes none leave.
sub lets_go
{
	my ($node, $statement, $name) = @_;
	my ($error, $began, $ended) = timed($node, $statement);

	is($error, '', "$name: done") or return;
	return cmp_ok($ended - $began, '<=', 2, sprintf('%s: within 2 s (%.2f s)', $name, $ended - $began));
}

# What was in the air there is asked again and answered.
sub works_on
{
	my ($node, $database, $name) = @_;

	# those that it asked again already, and those that it will
	$model->release(latency_ms => 0);
	wait_for_worker($node, 1, $database);
	wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, "$name: the rest is done", database => $database);
	is(sql($node, 'SELECT count(*), count(DISTINCT ticket_id) FROM triage.ticket_ai_results WHERE superseded_at IS NULL', $database),
		'20|20', "$name: the worker is back, and every ticket has its result");
	return;
}

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	my $node = start_server("ddl$preload", preload => $preload, no_extension => 1, model => $model,
		conf => "triage.max_in_flight = 20\nlog_line_prefix = '%n [%p] '");
	my $position = log_position($node);
	my $place = PostgreSQL::Test::Utils::tempdir;

	sql($node, "CREATE TABLESPACE elsewhere LOCATION '$place'");
	for my $busy (0, 1)
	{
		my $name = "$mode, " . ($busy ? 'calls in the air' : 'idle');

		database($node, 'one', $busy);
		# a tablespace in which something was: every process has to say that it has let go of it
		my $spare = PostgreSQL::Test::Utils::tempdir;
		sql($node, $_) for "CREATE TABLESPACE spare LOCATION '$spare'", 'CREATE TABLE spare TABLESPACE spare AS SELECT 1', 'DROP TABLE spare';
		lets_go($node, 'DROP TABLESPACE spare', "$name, drop of a tablespace");
		is($model->stats->{in_flight}, 20, "$name: for which no call is given up") if $busy;
		makes_room($node, 'ALTER DATABASE one RENAME TO two', "$name, rename");
		works_on($node, 'two', "$name, rename");
		makes_room($node, 'ALTER DATABASE two SET TABLESPACE elsewhere', "$name, another tablespace");
		works_on($node, 'two', "$name, another tablespace");
		makes_room($node, 'CREATE DATABASE copy TEMPLATE two', "$name, as a template");
		works_on($node, 'two', "$name, as a template");
		makes_room($node, 'DROP DATABASE two', "$name, drop");
		is(sql($node, 'SELECT count(*), triage.home_refusal() FROM triage.tickets', 'copy'), '20|the tables were copied from another database',
			"$name: the copy is whole, and knows what it is");
		sql($node, 'DROP DATABASE copy');

		database($node, 'one', $busy);
		makes_room($node, 'CREATE DATABASE copy TEMPLATE one STRATEGY file_copy', "$name, busy template");
		works_on($node, 'one', "$name, busy template");
		$model->config(latency_ms => 30000);
		sql($node, 'SELECT triage.request_triage(id) FROM triage.tickets', 'one');
		$model->wait_for_in_flight(20);
		makes_room($node, 'DROP DATABASE one WITH (FORCE)', "$name, drop with force");
		sql($node, 'DROP DATABASE copy');
		$model->wait_for_in_flight(0);

		if (!$busy)
		{
			# a statement that fails, since somebody else is there too
			database($node, 'one', $busy);
			my $session = $node->background_psql('one');
			is(sqlstate($node, 'ALTER DATABASE one RENAME TO two'), '55006', "$name: renaming fails because of another session");
			works_on($node, 'one', "$name, failed rename");
			$session->quit;
			sql($node, 'DROP DATABASE one');
			next;
		}

		# a one-shot worker makes room too
		database($node, 'one', $busy);
		sql($node, 'SELECT triage.worker_stop()', 'one');
		wait_for_worker($node, 0, 'one');
		$model->wait_for_in_flight(0);
		sql($node, 'SELECT triage.run_pending(20)', 'one');
		$model->wait_for_in_flight(20);
		makes_room($node, 'DROP DATABASE one', "$name, drop with a one-shot worker");
		$model->wait_for_in_flight(0);

		database($node, 'one', $busy);
		$model->config(latency_ms => 0);
		# closed to connections, for instance to have nobody in it while it is copied
		sql($node, 'ALTER DATABASE one ALLOW_CONNECTIONS false');
		wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE datname = 'one'", 0, "$name: the worker leaves a closed database", limit => 30);
		pass("$name: the worker leaves a database that is closed to connections");
		sql($node, 'ALTER DATABASE one ALLOW_CONNECTIONS true');
		sql($node, "INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-open', 'TOKEN-open')", 'one');
		wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, "$name: open again", database => 'one', limit => 30);
		pass("$name: open again, it is served again");

		# closed and emptied by force: nobody tries to come in
		my $closed = log_position($node);
		sql($node, 'ALTER DATABASE one ALLOW_CONNECTIONS false');
		sql($node, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'one'");
		sql($node, 'SELECT pg_sleep(2.5)');
		my @refusals = log_since($node, $closed) =~ /FATAL: .*/g;
		cmp_ok(scalar @refusals, '<=', 1, "$name: a worker does not knock at a closed door again and again");
		sql($node, 'DROP DATABASE one');
	}

	# a session of the dropped database's time, and the log: one refusal a drop at most, none later
	my $quiet = log_position($node);
	sql($node, 'SELECT pg_sleep(2.5)');
	unlike(log_since($node, $quiet), qr/FATAL|triage/, "$mode: nobody starts workers for databases that are gone");
	is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker'"), 0, "$mode: and none runs");
	$node->stop;
	unlike(log_since($node, $position), qr/PANIC|was terminated by signal|WARNING/, "$mode: the server log is clean");
}
done_testing();
