# What an administrator does to work that is under way: withdraw it, hold it, let it go on, put it first.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

# more than the ways to withdraw a call, so that there is room for another attempt
my $PLACES = 12;
my $model = start_model();

sub runs_of
{
	my ($node, $id) = @_;
	return sql($node, "SELECT coalesce(string_agg(outcome::text, ' ' ORDER BY outcome::text), 'none') FROM triage.ai_runs WHERE ticket_id = $id");
}

# Runs the statements; returns when they began, in seconds since 1970 by the server's clock.
sub began
{
	my ($node, $statements) = @_;
	return (split /\n/, sql($node, "SELECT extract(epoch FROM clock_timestamp());\n$statements"))[0];
}

# Withdraws one call after the other, in each of the ways, and looks when the model sees it end, whether its run is
# written, and whether the place goes to another call.
sub withdraw
{
	my ($preload) = @_;
	my $name = $preload ? 'preloaded' : 'not preloaded';
	my %way = (
		cancelled => 'SELECT triage.cancel_job(id) FROM triage.ai_jobs WHERE ticket_id = %d',
		resolved => 'SELECT triage.resolve_ticket(%d)',
		closed => 'SELECT triage.close_ticket(%d)',
		softdeleted => 'SELECT triage.delete_ticket(%d)',
		harddeleted => 'DELETE FROM triage.tickets WHERE id = %d',
		edited => q(UPDATE triage.tickets SET description = replace(description, 'Please', 'Do') WHERE id = %d),
		again => 'SELECT triage.request_triage(%d)');
	my @ways = sort keys %way;
	my $asked_again = 0;

	$model->reset;
	my $node = start_server($preload ? 'preloaded' : 'plain', preload => $preload, model => $model,
		conf => "triage.max_in_flight = $PLACES\n", provider => { timeout_ms => 120000 });
	add_tickets($node, map { [ $_, 'hang' ] } @ways, 'untouched');
	$model->wait_for_in_flight(8);
	my $untouched = id_of($node, 'untouched');
	sql($node, "SELECT triage.assign_ticket($untouched, 'ann'); SELECT triage.update_ticket($untouched, '{\"status\": \"in_progress\", \"priority\": \"low\"}')");

	for my $way (@ways)
	{
		my $attempts = 0;

		within(1, "$name, $way: the call is cut off", sub {
				my $token = $way . ($attempts++ || '');

				add_tickets($node, [ $token, 'hang' ]) if $token ne $way;
				$model->wait_for_requests(1, $token);
				my $id = id_of($node, $token);
				my $began = began($node, sprintf($way{$way}, $id));
				my $took = $model->cut_off_at($token) - $began;
				wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE ticket_id = $id", 1, "the run of the call of $token");
				is(sql($node, "SELECT outcome, http_status, cost, input_tokens, error ~ '^cancelled in the air', started_at <= finished_at FROM triage.ai_runs WHERE ticket_id = $id"),
					'stale||||t|t', "$name, $way: the call has its run, stale and of unknown cost");
				$asked_again++ if $way =~ /^(edited|again)$/;
				return $took;
			});
	}

	# five are gone; those that were asked again hang again, and so does the one that nobody withdrew
	$model->wait_for_in_flight(1 + $asked_again);
	is(runs_of($node, $untouched), 'none', "$name: another status, assignee and priority cut nothing off");
	is(sql($node, "SELECT count(*) FROM triage.ai_jobs WHERE lease_until > now()"), 1 + $asked_again, "$name: the calls in the air have their leases");

	# a full air: the place of a withdrawn call is free for another
	add_tickets($node, map { [ "full$_", 'hang' ] } 1 .. $PLACES - 1 - $asked_again);
	$model->wait_for_in_flight($PLACES);
	# claimed ahead of their calls, and withdrawn before: never called
	add_tickets($node, map { "ahead$_" } 1 .. 40);
	wait_for($node, "SELECT count(*) > $PLACES FROM triage.ai_jobs WHERE lease_until > now()", 't', 'claims ahead of need');
	sql($node, q(DELETE FROM triage.tickets WHERE external_id LIKE 'TOKEN-ahead%'));
	add_tickets($node, 'waiting');
	sql($node, 'SELECT triage.close_ticket(' . id_of($node, 'full1') . ')');
	wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'waiting'), 'processed', 'the ticket that waited');
	pass("$name: and gets the place of a call that was cut off");

	is(sql($node, 'SELECT triage.cancel_job(-1)'), 'f', "$name: there is no job -1 to cancel");
	sql($node, "UPDATE triage.tickets SET status = 'resolved' WHERE external_id ~ '^TOKEN-(untouched|edited|again|full)' AND status NOT IN ('closed', 'resolved')");
	$model->wait_for_in_flight(0);
	wait_for($node, 'SELECT count(*) FROM triage.ai_runs', $model->requests, 'the last runs');
	is(scalar(grep { $_->{token} =~ /ahead/ } $model->log), 0, "$name: what was claimed and withdrawn before its call is not called");
	sql($node, q(SELECT triage.delete_ticket(id) FROM triage.tickets WHERE external_id ~ '^TOKEN-cancelled'));		# nobody asks about it any more
	is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 0, "$name: many at once");
	sent_equals_runs($node, $model, $name);
	ledger_is_sound($node, $name);
	return $node;
}

sub activity
{
	my ($node) = @_;
	return sql($node, "SELECT activity FROM triage.worker_status WHERE type = 'triage worker' AND database = current_database()");
}

sub wait_for_activity
{
	my ($node, $wanted, $what) = @_;
	return wait_until(sub { my $seen = activity($node); return (scalar($seen =~ $wanted), $seen) }, $what);
}

# pause() and resume()
sub hold
{
	my ($node, $name) = @_;

	$model->reset;
	add_tickets($node, map { [ "air$_", "latency=$HELD" ] } 1 .. $PLACES);
	$model->wait_for_in_flight($PLACES);
	add_tickets($node, map { "next$_" } 1 .. 20);
	wait_for($node, "SELECT count(*) > $PLACES FROM triage.ai_jobs WHERE lease_until > now()", 't', 'claims ahead of need');
	my $began = began($node, "SELECT triage.pause('moving house')");
	wait_for_activity($node, qr/; paused: moving house$/, 'the pause');
	my $knew = sql($node, q(SELECT extract(epoch FROM state_change) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = current_database()));
	cmp_ok($knew - $began, '<=', 1, sprintf('%s: the worker knows of the pause within a second (%.3f s), and shows the reason', $name, $knew - $began));
	wait_for($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until > now()', $PLACES, 'what was claimed and not called goes back');
	$model->release;
	wait_for($node, q(SELECT count(*) FROM triage.ai_state s JOIN triage.tickets t ON t.id = s.ticket_id WHERE t.external_id LIKE 'TOKEN-air%' AND ai_state = 'processed'),
		$PLACES, 'the answers of the calls in the air');
	add_tickets($node, 'late', 'edited3');
	my $edited = id_of($node, 'edited3');
	sql($node, "UPDATE triage.tickets SET subject = 'edit $_' WHERE id = $edited") for 1 .. 3;
	is(sql($node, 'SELECT count(*), sum(attempts), count(lease_until) FROM triage.ai_jobs'), '22|0|0', "$name: the rest waits, no try spent, and tickets are enqueued");
	is(sqlstate($node, 'SELECT triage.run_pending(5, true)'), '55000', "$name: run_pending() refuses");

	$node->restart;
	add_tickets($node, 'afterwards');
	wait_for_activity($node, qr/^0 calls in flight; paused: moving house$/, 'a pause that outlives a restart');
	is(scalar($model->log), $PLACES, "$name: no call was made meanwhile");
	is(sql($node, 'SELECT triage.resume()'), 't', "$name: resumed");
	all_done($node);
	is(scalar($model->log('edited3')), 1, "$name: a ticket edited three times while its job waited is asked about once");
	unlike(activity($node), qr/paused/, "$name: the pause is over");
	ledger_is_sound($node, "$name, paused");
	return;
}

# triage.enabled
sub kill_switch
{
	my ($node, $name) = @_;
	my $requests;

	$node->safe_psql('postgres', 'CREATE DATABASE other');
	sql($node, "CREATE EXTENSION triage; SELECT triage.create_ticket('Invoice', 'My invoice is wrong')", 'other');
	all_done($node, database => 'other');
	add_tickets($node, [ 'flying', "latency=$HELD" ]);
	$model->wait_for_requests(1, 'flying');
	$node->append_conf('postgresql.conf', 'triage.enabled = off');
	$node->reload;
	wait_for_activity($node, qr/; triage\.enabled is off$/, 'the kill switch');
	add_tickets($node, 'forbidden');
	sql($node, "SELECT triage.create_ticket('Invoice', 'Another one')", 'other');
	$model->release;
	wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'flying'), 'processed', 'the call in the air');
	$requests = $model->requests;
	like(sql_error($node, 'SELECT triage.run_pending(5, true)'), qr/55000: .*triage\.enabled is off.*HINT: .*pg_reload_conf/s, "$name: run_pending() says what is off and how to put it on");
	is(sql($node, 'SELECT count(*) FROM triage.claim_jobs(10)'), 0, "$name: nor can another worker claim");
	is(sql($node, 'SELECT pending FROM triage.queue_stats'), 1, "$name: off: nothing is claimed");
	is(sql($node, 'SELECT pending FROM triage.queue_stats', 'other'), 1, "$name: nor in another database, which needs no network");
	is($model->requests, $requests, "$name: and no call was made");
	$node->append_conf('postgresql.conf', 'triage.enabled = on');
	$node->reload;
	all_done($node);
	all_done($node, database => 'other');
	pass("$name: on again: the rest is done in both");
	ledger_is_sound($node, "$name, switched off");
	return;
}

# Nobody wakes a one-shot worker: it looks for itself.
sub oneshot
{
	my ($node, $name) = @_;

	$model->reset;
	sql($node, 'SELECT triage.worker_stop()');
	wait_for_worker($node, 0);
	my $attempts = 0;
	return within(1, "$name: a one-shot worker cuts off its call", sub {
			my $token = 'oneshot' . ++$attempts;

			add_tickets($node, [ $token, 'hang' ]);
			my $run = start_sql($node, 'SELECT triage.run_pending(10, true)');
			$model->wait_for_requests(1, $token);
			my $began = began($node, 'SELECT triage.close_ticket(' . id_of($node, $token) . ')');
			my $took = $model->cut_off_at($token) - $began;
			is($run->(), 1, "$name: a one-shot worker whose call is withdrawn ends");
			is(runs_of($node, id_of($node, $token)), 'stale', "$name: and leaves its run");
			return $took;
		});
}

for my $preload (1, 0)
{
	my $node = withdraw($preload);
	my $name = $preload ? 'preloaded' : 'not preloaded';
	hold($node, $name);
	kill_switch($node, $name);
	oneshot($node, $name);
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal|could not (?!send data to client)/, 'the server log is clean');
}
done_testing();
