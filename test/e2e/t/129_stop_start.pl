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
done_testing();
