# The worker or the whole server goes away with a hundred calls in the air: nothing is lost, nothing is answered twice, and
# every call that was made is accounted for.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use Triage;

my $IN_AIR = 100;
my $TICKETS = 150;
my $model = start_model();
my $conf = "triage.max_in_flight = $IN_AIR";
my $rounds = 0;

# survives($node, NAME, CODE, $exact): CODE takes the worker away while $IN_AIR calls are in the air.
sub survives
{
	my ($node, $name, $take_away, $exact) = @_;
	my $round = ++$rounds;
	my $before = sql($node, 'SELECT coalesce(max(id), 0) FROM triage.ai_runs');

	$model->reset;
	$model->config(latency_ms => $HELD);
	add_tickets($node, map { "r${round}n$_" } 1 .. $TICKETS);
	$model->wait_for_in_flight($IN_AIR);
	is(sql($node, 'SELECT running, pending FROM triage.queue_stats') =~ /^(\d+)\|(\d+)$/ && $1 >= $IN_AIR && $1 + $2 == $TICKETS,
		1, "$name: the queue shows what runs");
	# a claim commits asynchronously: without this the crash might undo it
	sql($node, 'CREATE TABLE flushed (); DROP TABLE flushed');
	# what the model has served before, at once when the calls come again
	$model->config(latency_ms => 20);
	$take_away->($node);
	all_done($node, what => "$name: all tickets are done");

	ledger_is_sound($node, $name);
	is(sql($node, "SELECT count(*), count(DISTINCT ticket_id) FROM triage.ticket_ai_results WHERE superseded_at IS NULL AND run_id > $before"),
		"$TICKETS|$TICKETS", "$name: one result a ticket");
	is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, "$name: nothing was given up");

	my ($runs, $lost) = split /\|/, sql($node, "SELECT count(*), count(*) FILTER (WHERE outcome = 'lost') FROM triage.ai_runs WHERE id > $before");
	my $requests = $model->requests;
	is($requests, $TICKETS + $IN_AIR, "$name: what was in the air was asked again, and nothing else");
	if ($exact)
	{
		is($runs, $requests, "$name: as many runs as requests");
		is($lost, $IN_AIR, "$name: each call that was given up is a lost run");
	}
	else
	{
		ok(abs($runs - $requests) <= $IN_AIR, "$name: runs ($runs) and requests ($requests) differ by the calls in the air at most");
		# a job that was claimed ahead may have been called for all that the queue knows
		ok($lost > 0 && $lost <= $IN_AIR * 1.5, "$name: the lost calls are seen ($lost runs)");
	}
	is(sql($node, <<SQL), '', "$name: a lost run says so, has no cost and no tokens, and its ticket was asked again");
SELECT n.id, n.error FROM triage.ai_runs n
	WHERE n.id > $before AND n.outcome = 'lost' AND (n.error IS NULL OR n.cost IS NOT NULL OR n.input_tokens IS NOT NULL
		OR NOT EXISTS (SELECT FROM triage.ai_runs m WHERE m.ticket_id = n.ticket_id AND m.outcome = 'succeeded' AND m.fence > n.fence))
	LIMIT 5
SQL
	return;
}

# Its children notice by themselves; until they are gone the server does not start again.
sub kill_postmaster
{
	my ($node) = @_;

	my @pids = (slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/, split /\n/, sql($node, 'SELECT pid FROM pg_stat_activity'));

	$node->kill9;
	wait_until(sub { my @left = grep { kill 0, $_ } @pids; return (!@left, "@left") }, 'the end of all processes');
	$node->start;
	return;
}

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	my $node = start_server("crash$preload", preload => $preload, model => $model, conf => $conf, provider => { timeout_ms => 90000 });

	survives($node, "$mode, worker killed", \&kill_worker, 0);
	survives($node, "$mode, worker terminated",
		sub { sql($_[0], "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'triage worker'") }, 1);
	# the postmaster signals a process and its group: every stop of a server is asked for twice
	survives($node, "$mode, worker terminated with insistence",
		sub { my $pid = worker_pid($_[0]); for (1 .. 50) { kill 'TERM', $pid; usleep(100) } }, 1);
	survives($node, "$mode, worker stopped and started",
		sub { sql($_[0], 'SELECT triage.worker_stop()'); wait_for_worker($_[0], 0); sql($_[0], 'SELECT triage.worker_start()') }, 1);
	if ($preload)
	{
		survives($node, 'server stopped fast', sub { $_[0]->stop('fast'); $_[0]->start }, 1);
		survives($node, 'server stopped immediately', sub { $_[0]->stop('immediate'); $_[0]->start }, 0);
		survives($node, 'postmaster killed', \&kill_postmaster, 0);
	}
	$node->stop;
	unlike(log_since($node), qr/PANIC|signal 11|signal 6/, "$mode: no crash but those that were made");
}
done_testing();
