# What an administrator does to work that is under way: withdraw it, hold it, let it go on, put it first.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Triage;

my $model = start_model();

sub runs_of
{
	my ($node, $id) = @_;
	return sql($node, "SELECT coalesce(string_agg(outcome::text, ' ' ORDER BY outcome::text), 'none') FROM triage.ai_runs WHERE ticket_id = $id");
}

# Withdraws one call after the other, of three that hang in three places, and looks when its run is written and whether
# the place goes to another call.
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
		edited => q(UPDATE triage.tickets SET description = 'TOKEN-edited [[fake hang]] other' WHERE id = %d),
		again => 'SELECT triage.request_triage(%d)');
	my @ways = sort keys %way;
	my @took;

	$model->reset;
	my $node = start_server($preload ? 'preloaded' : 'plain', preload => $preload, model => $model,
		conf => "triage.max_in_flight = 8\n", provider => { timeout_ms => 120000 });
	add_tickets($node, map { [ $_, 'hang' ] } @ways, 'untouched');
	$model->wait_for_in_flight(8);
	my $untouched = id_of($node, 'untouched');
	sql($node, "SELECT triage.assign_ticket($untouched, 'ann'); SELECT triage.update_ticket($untouched, '{\"status\": \"in_progress\", \"priority\": \"low\"}')");

	for my $way (@ways)
	{
		my $id = id_of($node, $way);
		sql($node, sprintf($way{$way}, $id));
		my $began = time();
		wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE ticket_id = $id", 1, "the run of the call of $way");
		push @took, time() - $began;
		is(sql($node, "SELECT outcome, http_status, cost, input_tokens, error ~ '^cancelled in the air', started_at <= finished_at FROM triage.ai_runs WHERE ticket_id = $id"),
			'stale||||t|t', "$name, $way: the call has its run, stale and of unknown cost");
	}
	@took = sort { $a <=> $b } @took;
	cmp_ok($took[ int(@took / 2) ], '<', 1, "$name: a call is cut off within a second (" . join(' ', map { sprintf '%.2f', $_ } @took) . ')');

	# five are gone; the two that were asked again hang again, and so does the one that nobody withdrew
	$model->wait_for_in_flight(3);
	is(runs_of($node, $untouched), 'none', "$name: another status, assignee and priority cut nothing off");
	is(sql($node, "SELECT count(*) FROM triage.ai_jobs WHERE lease_until > now()"), 3, "$name: the calls in the air have their leases");

	# a full air: the place of a withdrawn call is free for another
	add_tickets($node, map { [ "full$_", 'hang' ] } 1 .. 5);
	$model->wait_for_in_flight(8);
	# claimed ahead of their calls, and withdrawn before: never called
	add_tickets($node, map { "ahead$_" } 1 .. 40);
	wait_for($node, 'SELECT count(*) > 8 FROM triage.ai_jobs WHERE lease_until > now()', 't', 'claims ahead of need');
	sql($node, q(DELETE FROM triage.tickets WHERE external_id LIKE 'TOKEN-ahead%'));
	add_tickets($node, 'waiting');
	sql($node, 'SELECT triage.close_ticket(' . id_of($node, 'full1') . ')');
	wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'waiting'), 'processed', 'the ticket that waited');
	pass("$name: and gets the place of a call that was cut off");

	is(sql($node, 'SELECT triage.cancel_job(-1)'), 'f', "$name: there is no job -1 to cancel");
	sql($node, "UPDATE triage.tickets SET status = 'resolved' WHERE external_id IN ('TOKEN-untouched', 'TOKEN-edited', 'TOKEN-again') OR external_id LIKE 'TOKEN-full%' AND status <> 'closed'");
	$model->wait_for_in_flight(0);
	wait_for($node, 'SELECT count(*) FROM triage.ai_runs', $model->requests, 'the last runs');
	is(scalar(grep { $_->{token} =~ /ahead/ } $model->log), 0, "$name: what was claimed and withdrawn before its call is not called");
	sql($node, 'SELECT triage.delete_ticket(' . id_of($node, 'cancelled') . ')');		# nobody asks about it any more
	is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 0, "$name: many at once");
	sent_equals_runs($node, $model, $name);
	ledger_is_sound($node, $name);
	return $node;
}

for my $preload (1, 0)
{
	my $node = withdraw($preload);
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal|could not/, 'the server log is clean');
}
done_testing();
