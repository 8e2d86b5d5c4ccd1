# Ends of every kind, of an idle worker and of one with 200 calls in the air: in time, and with everything accounted for.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Triage;

my $IN_AIR = 200;
my $model = start_model();
# dynamic shared memory as files of the server's own: what a session leaks there stays, and is nobody else's
my $conf = "triage.max_in_flight = $IN_AIR\nlog_line_prefix = '%n [%p] '\ndynamic_shared_memory_type = mmap";
my $round = 0;

sub fill_the_air
{
	my ($node) = @_;

	$round++;
	$model->reset;
	$model->config(latency_ms => 60000);
	sql($node, "INSERT INTO triage.tickets (external_id, description)
		SELECT 'TOKEN-r${round}n' || i, 'TOKEN-r${round}n' || i FROM generate_series(1, $IN_AIR) i");
	$model->wait_for_in_flight($IN_AIR);
	return;
}

sub gone
{
	my ($pid) = @_;
	return wait_until(sub { return !kill(0, $pid) }, "the end of process $pid");
}

# When the server was told to stop, when the worker's end was noticed, and when it was down, by the server's own clock.
sub stop_times
{
	my ($node, $position, $pid) = @_;
	my $log = log_since($node, $position);

	return map { $log =~ /^(\d+\.\d+) \[\d+\] LOG:  $_/m ? $1 : die "the log does not say: $_\n" } 'received fast shutdown request',
	  "background worker \"triage worker\" \\(PID $pid\\) exited", 'database system is shut down';
}

# One stop, and what it left behind; returns the seconds from the request to the end of the server.
sub stop_fast
{
	my ($node, $preload, $busy, $name) = @_;

	sql($node, 'SELECT triage.worker_start()');
	wait_for_worker($node);
	fill_the_air($node) if $busy;
	my $pid = worker_pid($node);
	my $position = log_position($node);
	my $before = sql($node, 'SELECT clock_timestamp()');
	$node->stop('fast');
	my ($told, $gone, $down) = stop_times($node, $position, $pid);
	note(sprintf('%s: the worker was gone after %.3f s', $name, $gone - $told));
	# autostart does not matter: nothing is committed before the look
	$model->config(latency_ms => 0);
	$node->start;
	if ($busy)
	{
		is(sql($node, "SELECT count(*), count(*) FILTER (WHERE attempts = 0 OR fence > 1) FROM triage.ai_jobs WHERE slot IS NULL OR fence > 1"), "$IN_AIR|$IN_AIR",
			"$name: every lease was given back, with its attempt") unless $preload;
		is(sql($node, "SELECT count(*), bool_and(finished_at <= to_timestamp($gone)) FROM triage.ai_runs WHERE outcome = 'lost' AND finished_at > '$before'"),
			"$IN_AIR|t", "$name: each call has its lost run, written before the end");
	}
	sql($node, 'SELECT triage.worker_start()');
	all_done($node);
	return $down - $told;
}

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	my $node = start_server("stop$preload", preload => $preload, model => $model, conf => $conf, provider => { timeout_ms => 120000 });

	################ fast ################

	for my $busy (0, 1)
	{
		my $name = "$mode, stop -m fast, " . ($busy ? "$IN_AIR calls in the air" : 'idle');

		within(1, "$name: the server is down", sub { return stop_fast($node, $preload, $busy, $name) });
	}

	################ immediate, kill -9 of the postmaster: idle (006 has the calls in the air) ################

	wait_for_worker($node);
	my $pid = worker_pid($node);
	$node->stop('immediate');
	gone($pid);
	$node->start;
	pass("$mode: an idle worker goes with an immediate stop");

	sql($node, 'SELECT triage.worker_start()');
	wait_for_worker($node);
	fill_the_air($node) unless $preload;
	$pid = worker_pid($node);
	my @all = split /\n/, sql($node, 'SELECT pid FROM pg_stat_activity');
	my $began = time();
	kill 'KILL', slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	gone($pid);
	cmp_ok(time() - $began, '<', 5, "$mode: the worker leaves when the postmaster is gone");
	gone($_) for @all;
	$node->{_pid} = undef;
	unlink $node->data_dir . '/postmaster.pid';
	$model->config(latency_ms => 0);
	$node->start;
	sql($node, 'SELECT triage.worker_start()');
	all_done($node);
	ledger_is_sound($node, "$mode, after the postmaster");

	################ SIGHUP, with calls in the air ################

	fill_the_air($node);
	$pid = worker_pid($node);
	my $position = log_position($node);
	my $lost = sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'lost'));
	$node->append_conf('postgresql.conf', "triage.max_in_flight = 50\ntriage.poll_interval = '100ms'");
	$node->reload;
	wait_until(sub { return log_since($node, $position) =~ /parameter "triage\.max_in_flight" changed/ }, 'the reload');
	kill 'HUP', $pid for 1 .. 50;
	is($model->stats->{in_flight}, $IN_AIR, "$mode: a reload leaves the calls in the air alone");
	is(worker_pid($node), $pid, "$mode: and the worker too");
	is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'lost')), $lost, "$mode: nothing is lost");
	$node->append_conf('postgresql.conf', "triage.max_in_flight = $IN_AIR");
	$node->reload;
	sql($node, 'SELECT triage.worker_stop()');
	wait_for_worker($node, 0);
	$model->wait_for_in_flight(0);

	################ a session that waits for a one-shot worker, and is called away ################

	my $segments = sub { my @all = glob($node->data_dir . '/pg_dynshmem/*'); return scalar @all };
	$model->config(latency_ms => $HELD);
	my $before = $segments->();
	for my $way ('time-out', 'cancel', 'terminate')
	{
		my $oneshot = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage one-shot worker'";
		my $jobs = sql($node, 'SELECT count(*) FROM triage.ai_jobs');

		if ($way eq 'time-out')
		{
			is(sqlstate($node, "SET statement_timeout = '700ms'; SELECT triage.run_pending(20, true)"), '57014', "$mode, $way: the session gets its error");
		}
		else
		{
			my $session = $node->background_psql('postgres', on_error_stop => 0);
			my $session_pid = $session->query_safe('SELECT pg_backend_pid()');
			$session->query_until(qr/started/, "\\echo started\nSELECT triage.run_pending(20, true);\n");
			wait_for($node, $oneshot, 1, 'the one-shot worker');
			$model->wait_for_in_flight(20);
			sql($node, $way eq 'cancel' ? "SELECT pg_cancel_backend($session_pid)" : "SELECT pg_terminate_backend($session_pid)");
			wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE pid = $session_pid AND state = 'active'", 0, "$way: the session is free");
			eval { $session->quit };
			pass("$mode, $way: the session is free");
		}
		# it may not even have begun when its session is called away
		$model->wait_for_in_flight(20);
		$model->release;
		wait_for($node, 'SELECT count(*), count(lease_until) FROM triage.ai_jobs', ($jobs - 20) . '|0', "$mode, $way: its work");
		wait_for($node, $oneshot, 0, "$way: the one-shot worker ends");
		pass("$mode, $way: it has done its work, and holds nothing");
	}
	$model->config(latency_ms => 0);
	for (1 .. 20)
	{
		sql_error($node, "SET statement_timeout = '5ms'; SELECT triage.run_pending(1, true)");
	}
	wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage one-shot worker'", 0, 'all one-shot workers end');
	# one may not even have begun
	wait_until(sub { my $n = $segments->(); return ($n <= $before + 5, "$n, and $before before") }, 'an end of the shared memory');
	pass("$mode: no shared memory is left behind");
	like(sql($node, 'SELECT triage.run_pending(1000, true)'), qr/^\d+$/, "$mode: and the next one is waited for to its end");
	all_done($node, what => "$mode: everything is done");
	ledger_is_sound($node, "$mode, in the end");
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal (6|11)/, "$mode: nothing crashed");
}
done_testing();
