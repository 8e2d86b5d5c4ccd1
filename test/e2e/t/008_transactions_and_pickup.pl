# No transaction while a call is in the air, a wake-up for every commit, and what wait_for_triage() refuses.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Triage;

my $model = start_model();

# A poll every minute finds nothing in time: what is picked up sooner was picked up by its wake-up.
my $conf = "triage.poll_interval = '1min'";

sub median { my @sorted = sort { $a <=> $b } @_; return $sorted[ @sorted / 2 ] }

# Milliseconds from the commit of a ticket to the request at the model, one ticket at a time: a second commit would hide that
# the first woke nobody.
sub pickups
{
	my ($node, $prefix, $count) = @_;
	my $started = $model->stats->{started_at_us} / 1000;
	my @took;

	for my $i (1 .. $count)
	{
		my $committed = sql($node, "INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-$prefix$i', 'TOKEN-$prefix$i'); "
			. 'SELECT extract(epoch FROM clock_timestamp()) * 1000');
		$model->wait_for_requests(1, "$prefix$i");
		push @took, $started + ($model->log("$prefix$i"))[0]{at_ms} - $committed;
	}
	return @took;
}

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	my $node = start_server("pickup$preload", preload => $preload, model => $model, conf => $conf, provider => { timeout_ms => 60000 });

	################ the wake-up ################

	add_tickets($node, 'first');
	all_done($node);
	$model->reset;
	my @took = pickups($node, "p$preload", 25);
	my $median = median(@took);
	# bounds for a loaded machine; the benchmark measures
	ok($median < 25, sprintf('%s: a commit is picked up at once (median %.1f ms) [seed 156]', $mode, $median));
	is(scalar(grep { $_ > 5000 } @took), 0, "$mode: each of them within 5 s [seed 156]");
	all_done($node);

	# in a session with many statements, and one that waits for its commit
	$model->reset;
	my $late = $node->background_psql('postgres');
	$late->query_safe('BEGIN');
	$late->query_safe("INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-late', 'TOKEN-late')");
	add_tickets($node, 'early');
	wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'early'), 'processed', 'the early one');
	is(scalar($model->log('late')), 0, "$mode: what is not committed is not sent");
	$late->query_safe('COMMIT');
	$late->quit;
	eval { wait_until(sub { return scalar $model->log('late') }, 'the late one', 3) };
	is(scalar($model->log('late')), 1, "$mode: a transaction that began before others were served and commits after them is picked up by its own wake-up");
	sql($node, 'SELECT triage.request_triage(id) FROM triage.tickets WHERE external_id = \'TOKEN-late\'');
	all_done($node);

	# again and again, the commits so near to each other that the second wake-up comes while the first one's look is over
	my ($first, $second) = map { $node->background_psql('postgres') } 1 .. 2;
	for my $i (1 .. 25)
	{
		$first->query_safe("BEGIN; INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-under$i', 'TOKEN-under$i')");
		$second->query_safe("INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-over$i', 'TOKEN-over$i')");
		sleep(0.001 * ($i % 6));
		$first->query_safe('COMMIT');
		wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, "$mode: round $i of two transactions that overlap", limit => 20);
	}
	$_->quit for $first, $second;
	pass("$mode: of transactions that overlap each is picked up by its own wake-up");

	# a subtransaction that is undone, a transaction that is: nobody is woken for nothing, and nothing is sent
	$model->reset;
	sql($node, q(BEGIN; SAVEPOINT s; INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-undone', 'TOKEN-undone');
		ROLLBACK TO s; INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-kept', 'TOKEN-kept'); COMMIT));
	$model->wait_for_requests(1, 'kept');
	all_done($node);
	is(scalar($model->log('undone')), 0, "$mode: what was rolled back to a savepoint is not sent, the rest is");

	################ while calls are in the air ################

	$model->reset;
	$model->config(latency_ms => $HELD);
	add_tickets($node, map { "slow$_" } 1 .. 20);
	$model->wait_for_in_flight(20);
	my (@held, $waiting, $before);
	for (1 .. 30)
	{
		# one that waits for its sockets must hold nothing; it may by chance be met at its work
		my ($xid, $xmin, $xact, $state, $event) = split /\|/, sql($node, <<'SQL'), -1;
SELECT backend_xid IS NOT NULL, backend_xmin IS NOT NULL, xact_start IS NOT NULL, state, wait_event
	FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = current_database()
SQL
		next unless $event eq 'Extension';
		$waiting++;
		# the view reads the wait last: what one look met was a transaction that ended meanwhile, what the next meets, too, is held
		my $holds = "$xid$xmin$xact$state" ne 'fffidle';
		push @held, "xid $xid xmin $xmin transaction $xact $state" if $holds && $before;
		$before = $holds;
	}
	is($model->stats->{in_flight}, 20, "$mode: the calls are in the air all the while");
	ok($waiting > 20, "$mode: the worker waits ($waiting of 30 looks)");
	is("@held", '', "$mode: it holds no transaction id, no snapshot and no transaction meanwhile");
	is(sql($node, q(SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.backend_type = 'triage worker' AND l.locktype NOT IN ('advisory'))),
		0, "$mode: and no lock but the one that makes it the only one");
	like(sql($node, q(SELECT activity FROM triage.worker_status WHERE type = 'triage worker')), qr/20 calls in flight/, "$mode: worker_status tells what it does");

	################ wait_for_triage ################

	my $slow = id_of($node, 'slow1');
	is(sql($node, "SELECT triage.wait_for_triage($slow, '0')"), 'processing', "$mode: a time-out of zero looks once");
	is(sql($node, "SELECT triage.wait_for_triage($slow, '50 ms')"), 'processing', "$mode: a time-out is kept");
	my $waits = start_sql($node, "SELECT triage.wait_for_triage($slow)");
	$model->release(latency_ms => 0);
	is($waits->(), 'processed', "$mode: it sees the result that another transaction commits");
	is(sqlstate($node, "SELECT triage.wait_for_triage(triage.create_ticket('own', 'own'))"), '25001', "$mode: refused on a ticket of the same statement");
	is(sqlstate($node, "BEGIN; SELECT triage.create_ticket('own', 'own'); SELECT triage.wait_for_triage((SELECT max(id) FROM triage.tickets))"),
		'25001', "$mode: and of the same transaction");
	is(sqlstate($node, "BEGIN; SELECT triage.request_triage($slow); SELECT triage.wait_for_triage($slow)"), '25001', "$mode: and when it was asked about in it");
	is(sqlstate($node, "BEGIN ISOLATION LEVEL $_; SELECT triage.wait_for_triage($slow)"), '25001', "$mode: and at $_")
	  for 'REPEATABLE READ', 'SERIALIZABLE';
	is(sqlstate($node, "SELECT triage.wait_for_triage($slow, '-1 s')"), '22023', "$mode: a negative time-out");
	is(sqlstate($node, 'SELECT triage.wait_for_triage(987654)'), 'P0002', "$mode: a ticket that is not there");

	all_done($node);
	ledger_is_sound($node, $mode);
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING|could not (?!send data to client)/, "$mode: the server log is clean");
}
done_testing();
