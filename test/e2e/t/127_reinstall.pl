# uninstall(), DROP EXTENSION and CREATE EXTENSION, again and again, idle and while calls are in the air.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Triage;

my $model = start_model();
my $UNINSTALL = q(SELECT triage.uninstall(confirm => 'delete all tickets'));

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	my $node = start_server("again$preload", preload => $preload, no_extension => 1, model => $model, conf => 'triage.max_in_flight = 30');
	my $position = log_position($node);
	my $slowest = 0;

	for my $round (1 .. 8)
	{
		my $busy = $round % 2;
		my $prefix = "p${preload}r$round";

		sql($node, 'CREATE EXTENSION triage');
		use_model($node, $model, timeout_ms => 60000);
		$model->reset;
		$model->config(latency_ms => $busy ? 20000 : 0);
		add_tickets($node, map { "$prefix-$_" } 1 .. 30);
		$busy ? $model->wait_for_in_flight(30) : all_done($node);
		my $began = time();
		if ($round <= 4)
		{
			sql($node, $UNINSTALL);
			sql($node, 'DROP EXTENSION triage');
		}
		else
		{
			# all of it in one transaction, the new one too, and once for nothing
			sql($node, "BEGIN; $UNINSTALL; DROP EXTENSION triage; ROLLBACK") if $round == 6;
			is(sql($node, 'SELECT count(*) FROM triage.tickets'), 30, "$mode, round $round: what is rolled back was not done") if $round == 6;
			sql($node, "BEGIN; $UNINSTALL; DROP EXTENSION triage; CREATE EXTENSION triage; COMMIT");
			use_model($node, $model, timeout_ms => 60000);
			$model->config(latency_ms => 0);
			add_tickets($node, "$prefix-new");
			all_done($node);
			is(sql($node, 'SELECT count(*) FROM triage.ticket_ai_results'), 1, "$mode, round $round: the new one began empty, and works");
			is(sql($node, 'SELECT count(*) FROM triage.ai_runs'), 1, "$mode, round $round: an answer to the old one's tickets is not stored in the new one");
			sql($node, "$UNINSTALL; DROP EXTENSION triage");
		}
		my $took = time() - $began;
		$slowest = $took if $took > $slowest;
		$model->wait_for_in_flight(0);
		is(sql($node, q(SELECT count(*) FROM pg_class WHERE relnamespace = 'triage'::regnamespace)), 0, "$mode, round $round: nothing is left");
		wait_for_worker($node, 0) unless $round % 3;
	}
	wait_for_worker($node, 0);
	cmp_ok($slowest, '<', 15, sprintf('%s: the slowest round took %.1f s', $mode, $slowest));

	# one session: that it asked for a worker a moment ago does not keep it from asking for the next
	my $anew = "$UNINSTALL; DROP EXTENSION triage; CREATE EXTENSION triage; INSERT INTO triage.tickets (description) VALUES ('it crashes')";
	my $wait = q(SELECT 'state: ' || triage.wait_for_triage(1, '20 s'));
	is_deeply([ sql($node, "CREATE EXTENSION triage; INSERT INTO triage.tickets (description) VALUES ('it crashes'); $wait; "
		. "$anew; $wait; SELECT triage.worker_stop(); $anew; $wait; $UNINSTALL; DROP EXTENSION triage") =~ /^state: (.*)$/mg ],
		[ ('processed') x 3 ], "$mode: a session may begin anew at once");
	$node->stop;
	my $log = log_since($node, $position);
	unlike($log, qr/PANIC|was terminated by signal|WARNING/, "$mode: the server log is clean");
	unlike($log, qr/cache lookup failed|could not open relation/, "$mode: nobody stumbled over what is gone");
}
done_testing();
