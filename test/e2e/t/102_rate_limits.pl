# Limits per minute hold over all workers; what response headers say is heeded; without limits nothing waits.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Triage;

my $model = start_model();
my $node = start_server('limits', preload => 1, model => $model, provider => { max_in_flight => 8 });
sql($node, 'CREATE DATABASE other');
sql($node, 'CREATE EXTENSION triage', 'other');
use_model($node, $model, database => 'other', max_in_flight => 8);

sub both_done { all_done($node, database => $_) for 'postgres', 'other' }

sub add_both
{
	my ($prefix, $count) = @_;
	sql($node, "INSERT INTO triage.tickets (external_id, description) SELECT 'TOKEN-$prefix' || i, 'TOKEN-$prefix' || i FROM generate_series(1, $count) i", $_)
	  for 'postgres', 'other';
	return;
}

# The most requests in any window of so many milliseconds.
sub most_within
{
	my ($ms) = @_;
	my @at = sort { $a <=> $b } map { $_->{at_ms} } $model->log;
	my ($most, $from) = (0, 0);
	for my $to (0 .. $#at)
	{
		$from++ while $at[$to] - $at[$from] >= $ms;
		$most = $to - $from + 1 if $to - $from + 1 > $most;
	}
	return $most;
}

################ max_in_flight, over both databases ################

$model->config(latency_ms => 200);
add_both('air', 30);
both_done();
is($model->stats->{max_in_flight}, 8, 'max_in_flight holds over the workers of both databases');

# who has hundreds waiting leaves a place to who has one
$model->config(latency_ms => 100);
use_model($node, $model, database => $_, max_in_flight => 2) for 'postgres', 'other';
sql($node, "INSERT INTO triage.tickets (external_id, description) SELECT 'TOKEN-many' || i, 'TOKEN-many' || i FROM generate_series(1, 200) i");
wait_for($node, 'SELECT count(*) > 10 FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id ~ $$^TOKEN-many$$', 't', 'the first of many');
sql($node, "INSERT INTO triage.tickets (external_id, description) SELECT 'TOKEN-few' || i, 'TOKEN-few' || i FROM generate_series(1, 3) i", 'other');
all_done($node, database => 'other');
cmp_ok(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), '>', 100, 'a database with many tickets does not keep all places from another');
is($model->stats->{max_in_flight}, 8, 'and no more are in the air than before');
use_model($node, $model, database => $_, max_in_flight => 8) for 'postgres', 'other';
both_done();
$model->config(latency_ms => 0);

################ requests per minute ################

# 600 a minute: ten a second, and a burst of fifty; what a minute obeys, ten seconds obey in proportion
use_model($node, $model, database => $_, requests_per_minute => 600) for 'postgres', 'other';
$model->reset;
my $began = time();
add_both('minute', 60);
both_done();
my $took = time() - $began;
is($model->requests, 120, 'each was asked once');
cmp_ok($took, '>=', 6.5, sprintf('120 requests at 600 a minute take 7 seconds beyond the burst (%.1f)', $took));
cmp_ok($took, '<', 15, 'and not much more');
# some more may arrive together than set out together
cmp_ok(most_within(1000), '<=', 60 + 5, 'in no second more than the burst and a second\'s worth');
cmp_ok(most_within(5000), '<=', 100 + 5, 'nor in any five');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome <> 'succeeded')), 0, 'a limit is no failure');
is(sql($node, q(SELECT requests_per_minute, tokens_per_minute, state FROM triage.provider_status WHERE name = 'fake')), '600||serving', 'provider_status shows the limit');

# what a small limit allows: the first at once, the second a second later
use_model($node, $model, database => $_, requests_per_minute => 60) for 'postgres', 'other';
sleep(5);						# the burst fills
$model->reset;
$began = time();
add_tickets($node, map { "small$_" } 1 .. 8);
wait_for($node, q(SELECT activity ~ 'limit per minute' FROM triage.worker_status WHERE type = 'triage worker' AND database = current_database()), 't', 'the activity tells');
pass('the worker says what it waits for');
all_done($node);
cmp_ok(time() - $began, '>=', 2.5, 'at 60 a minute the burst is five');
cmp_ok(most_within(900), '<=', 6, 'then one a second');
is(sql($node, q(SELECT max(attempts) FROM triage.ai_jobs)), '', 'nothing is left');

# a worker that was told how many to do waits for the limit
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
add_tickets($node, map { "oneshot$_" } 1 .. 8);
is(sql($node, 'SELECT triage.run_pending(7, true)') >= 7 ? 1 : 0, 1, 'run_pending() waits for the limit');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 1, 'and does as many as it was told');
sql($node, 'SELECT triage.worker_start()');
all_done($node);

################ tokens per minute ################

use_model($node, $model, database => $_, tokens_per_minute => 300000) for 'postgres', 'other';
add_tickets($node, 'probe');
all_done($node);
$model->reset;
my $retried = sql($node, q(SELECT retried FROM triage.worker_counters()));
$began = time();
add_tickets($node, map { "token$_" } 1 .. 30);
all_done($node);
$took = time() - $began;
my $tokens = sql($node, q(SELECT sum(n.input_tokens + n.output_tokens) FROM triage.ai_runs n JOIN triage.tickets t ON t.id = n.ticket_id WHERE t.external_id ~ 'token'));
# 25000 are the burst, and the last call may go into debt
cmp_ok($took, '>=', ($tokens - 25000 - 5000) / 5000, sprintf('tokens: %d in %.1f s at 5000 a second and a burst of 25000', $tokens, $took));
cmp_ok($took, '<', $tokens / 5000 + 5, 'the limit is used up: it goes by what the replies say was used');
cmp_ok(sql($node, q(SELECT retried FROM triage.worker_counters())) - $retried, '<', 60, 'and few jobs are claimed in vain');

################ headers ################

use_model($node, $model, database => $_) for 'postgres', 'other';
add_tickets($node, 'free');
all_done($node);
for my $kind ('requests', 'tokens')
{
	$model->reset;
	$model->config("remaining_$kind" => 0, "reset_$kind" => $kind eq 'tokens' ? '2500ms' : '2.5s');
	add_tickets($node, "head$kind");
	all_done($node);
	$model->config("remaining_$kind" => '', "reset_$kind" => '');
	is(sql($node, q(SELECT state, closed_until > now(), reason ~ 'nothing is left' FROM triage.provider_status WHERE name = 'fake')), 'throttled|t|t', "remaining $kind: 0 closes the gate");
	add_both("after$kind", 5);
	both_done();
	my @at = sort { $a <=> $b } map { $_->{at_ms} } $model->log;
	cmp_ok($at[1] - $at[0], '>=', 2400, "$kind: nobody calls before the reset");
	is(scalar(@at), 11, 'then each is asked once');
}
# some are left
$model->reset;
$model->config(remaining_requests => 1, reset_requests => '2s', latency_ms => 100);
add_tickets($node, 'left');
all_done($node);
$model->config(remaining_requests => '', reset_requests => '');
add_tickets($node, map { "some$_" } 1 .. 6);
all_done($node);
my @at = sort { $a <=> $b } map { $_->{at_ms} } $model->log;
cmp_ok($at[2] - $at[0], '>=', 1900, 'one was left: two calls, and the third after the reset');
$model->config(latency_ms => 0);
# nonsense is not believed
$model->config(remaining_requests => 0, reset_requests => '-1', remaining_tokens => 'none', reset_tokens => '1h');
$model->reset;
add_tickets($node, map { "nonsense$_" } 1 .. 20);
all_done($node);
is($model->requests, 20, 'headers that make no sense are ignored');
$model->config(remaining_requests => '', reset_requests => '', remaining_tokens => '', reset_tokens => '');
# a long one, ended by hand
$model->config(remaining_requests => 0, reset_requests => '1h');
add_tickets($node, 'long');
all_done($node);
$model->config(remaining_requests => '', reset_requests => '');
add_tickets($node, 'longafter');
wait_for($node, q(SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NULL), 1, 'it waits');
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);
pass('resume_provider() ends such a wait');

ledger_is_sound($node, 'limits');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING|could not (claim|write)/, 'the server log is clean');
done_testing();
