# worker_start() right after worker_stop(): whatever the worker is doing at that moment, there is one afterwards.
use strict;
use warnings;
use Test::More;
use Triage;

foreach my $preload (0, 1)
{
	my $name = $preload ? 'preloaded' : 'not_preloaded';
	my $node = start_server($name, preload => $preload);
	my $made = 0;

	wait_for_worker($node);
	foreach my $round (1 .. 25)
	{
		# the pause moves worker_start() through what the worker does when it leaves
		sql($node, "SELECT triage.worker_stop(); SELECT triage.create_ticket('Round $round', 'x', external_id => 'round $round');
			SELECT pg_sleep(0.0004 * $round); SELECT triage.worker_start()");
		$made++;
		wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded'", $made, "answers of round $round, $name");
	}
	is($made, 25, "$name: started after each stop");
	$node->stop;
	unlike(log_since($node, 0), qr/PANIC|was terminated by signal/, 'nothing crashed');
}

# A session that has seen a worker knows when it is gone, and starts another.
my $node = start_server('long_session');
my $session = $node->background_psql('postgres');
$session->query_safe("SELECT triage.create_ticket('One', 'x')");
wait_for($node, "SELECT count(*) FROM triage.ai_runs", 1, 'the first answer');
$session->query_safe("SELECT triage.create_ticket('Two', 'x')");
wait_for($node, "SELECT count(*) FROM triage.ai_runs", 2, 'the second');
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
# as an administrator who mends what a worker left for: nobody starts one
sql($node, 'UPDATE triage.worker_control SET stopped_at = NULL, stopped_by = NULL');
$session->query_safe("SELECT triage.create_ticket('Three', 'x')");
wait_for($node, "SELECT count(*) FROM triage.ai_runs", 3, 'a ticket of the same session starts a worker');
pass('a long session starts a worker anew');
$session->quit;
$node->stop;
done_testing();
