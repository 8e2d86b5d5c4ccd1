# Providers stand in for each other by rank, and each run says who answered.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $first = start_model();
my $second = start_model();
my $origins = join(', ', $first->origin, $second->origin);
my $node = start_server('failover', preload => 1, conf => "triage.allowed_origins = '$origins'\ntriage.max_attempts = 3");

sub set_providers
{
	my (%option) = @_;
	use_model($node, $first, name => 'first', rank => 10, %option);
	use_model($node, $second, name => 'second', rank => 20, %option);
	return;
}

sub state_of { return sql($node, "SELECT state FROM triage.provider_status WHERE name = '$_[0]'") }
sub wait_for_state { return wait_for($node, "SELECT state FROM triage.provider_status WHERE name = '$_[0]'", $_[1], "$_[0] is $_[1]") }

# Who gave the answers to the tickets whose tokens begin so: "name count, ..."
sub answered
{
	my ($prefix) = @_;
	return sql($node, <<SQL);
SELECT string_agg(x.provider || ' ' || x.n, ', ' ORDER BY x.provider) FROM (
	SELECT n.provider, count(*) AS n FROM triage.ai_runs n JOIN triage.tickets t ON t.id = n.ticket_id
		WHERE t.external_id ~ '^TOKEN-$prefix\[0-9]+\$' AND n.outcome = 'succeeded' GROUP BY 1) x
SQL
}

sub serve
{
	my ($prefix, $count) = @_;
	add_tickets($node, map { "$prefix$_" } 1 .. $count);
	all_done($node);
	return answered($prefix);
}

################ by rank ################

set_providers(timeout_ms => 2000);
is(serve('rank', 10), 'first 10', 'the lowest rank serves');
is($second->requests, 0, 'the next is not asked');
sql($node, q(UPDATE triage.providers SET rank = 5 WHERE name = 'second'));
is(serve('swap', 10), 'second 10', 'a changed rank counts at once');
sql($node, q(UPDATE triage.providers SET rank = 20 WHERE name = 'second'));

################ throttled, and back ################

$_->reset for $first, $second;
$first->config(status => 429, retry_after => 60);
is(serve('busy', 20), 'second 20', 'while the first asks to wait the second serves');
is(state_of('first') . ' ' . state_of('second'), 'throttled serving', 'which provider_status tells');
my $throttled = $first->requests;
is(serve('still', 10), 'second 10', 'the next ones go to the second at once');
is($first->requests, $throttled, 'and the first is left alone');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE provider = 'first' AND outcome = 'throttled')), $throttled, 'a throttled call is the first\'s run');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs n JOIN triage.tickets t ON t.id = n.ticket_id WHERE n.provider = 'second' AND t.external_id ~ 'busy')),
	20, 'and the answer the second\'s');
$first->config(status => 0, retry_after => '');
# 100 waits for the end; here the wait is cut short
sql($node, q(SELECT triage.resume_provider('first')));
add_tickets($node, 'probed');
all_done($node);
wait_for_state('first', 'serving');
is(serve('back', 10), 'first 10', 'then the first serves again');

################ refused, broken, out of reach, paused by hand ################

$first->config(status => 401);
is(serve('key', 20), 'second 20', 'a key that is refused: the second serves');
is(state_of('first'), 'paused', 'and the first is paused');
$first->config(status => 0);
sql($node, q(SELECT triage.resume_provider('first')));
# one probe goes first; what comes with it is the second's
add_tickets($node, 'probe');
all_done($node);
wait_for_state('first', 'serving');
is(serve('newkey', 10), 'first 10', 'resumed, the first serves again');

$first->config(status => 500);
is(serve('broken', 60), 'second 60', 'ten failures in a row: the second serves');
is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, 'and no ticket is given up');
$first->config(status => 0);
wait_until(sub { add_tickets($node, 'trial' . int(1e9 * rand())); all_done($node); my $s = state_of('first'); return ($s eq 'serving', $s) }, 'a probe opens the first');
is(serve('mended', 10), 'first 10', 'mended, the first serves again');

$first->stop;
is(serve('down', 20), 'second 20', 'no connection: the second serves');
$first->start;
wait_until(sub { add_tickets($node, 'up' . int(1e9 * rand())); all_done($node); my $s = state_of('first'); return ($s eq 'serving', $s) }, 'a probe opens the first');

sql($node, q(SELECT triage.pause_provider('first')));
is(serve('paused', 10), 'second 10', 'paused by hand: the second serves');
sql($node, q(SELECT triage.resume_provider('first')));
is(serve('resumed', 10), 'first 10', 'and the first again');

# an origin that is no longer listed
use_model($node, $first, name => 'first', rank => 10, base_url => 'http://127.0.0.1:1/v1');
is(serve('unlisted', 10), 'second 10', 'an origin that is not listed: the second serves');
is(state_of('first'), 'not listed', 'and provider_status says why');
set_providers(timeout_ms => 60000);

################ claimed for one that closes ################

$_->reset for $first, $second;
# what is held has its answer already: to wait
$first->config(latency_ms => $HELD, status => 429, retry_after => 30);
sql($node, q(UPDATE triage.providers SET max_in_flight = 4 WHERE name = 'first'));
add_tickets($node, map { "ready$_" } 1 .. 40);
$first->wait_for_in_flight(4);
$first->release(latency_ms => 0);
all_done($node);
is($first->stats->{max_in_flight}, 4, 'max_in_flight holds');
my ($one, $two) = answered('ready') =~ /^(?:first (\d+), )?second (\d+)$/;
is(($one // 0) + $two, 40, 'jobs claimed for a provider that closes go to the next');
cmp_ok($two, '>=', 32, 'without having been called');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE started_at IS NOT NULL AND provider = 'first')) >= $first->requests ? 1 : 0, 1, 'no call without its run');
$first->config(status => 0, retry_after => '', latency_ms => 0);
sql($node, q(SELECT triage.resume_provider('first')));

################ builtin ################

$_->config(status => 401) for $first, $second;
add_tickets($node, 'alone');
wait_for_state('first', 'paused');
wait_for_state('second', 'paused');
is(sql($node, 'SELECT count(*), max(attempts) FROM triage.ai_jobs'), '1|0', 'ranked 1000, builtin does not stand in for others: the job waits');
sql($node, q(SELECT triage.set_provider('builtin', 'builtin', rank => 900)));
all_done($node);
is(sql($node, q(SELECT n.provider FROM triage.ai_runs n JOIN triage.tickets t ON t.id = n.ticket_id WHERE t.external_id = 'TOKEN-alone' AND n.outcome = 'succeeded')),
	'builtin', 'ranked below 1000 it does: nothing waits');
is(serve('last', 20), 'builtin 20', 'builtin is the last resort');
$_->config(status => 0) for $first, $second;
sql($node, q(SELECT triage.resume_provider('first'), triage.resume_provider('second')));
add_tickets($node, 'probe2');
all_done($node);
wait_for_state('first', 'serving');
is(serve('again', 10), 'first 10', 'and steps back when a better one serves');
sql($node, q(SELECT triage.set_provider('builtin', 'builtin', rank => 1000)));
sql($node, q(UPDATE triage.providers SET enabled = false WHERE name <> 'builtin'));
is(serve('reserve', 5), 'builtin 5', 'from rank 1000 on it serves while none before it is enabled');

is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 0, 'no ticket was given up');
is(sql($node, 'SELECT count(*) FROM triage.ai_runs n JOIN triage.tickets t ON t.id = n.ticket_id WHERE n.outcome = \'succeeded\' GROUP BY n.ticket_id HAVING count(*) > 1'), '',
	'no ticket was answered twice');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|could not (claim|write)/, 'nothing crashed');

################ without preload ################

my $plain = start_server('plain', conf => "triage.allowed_origins = '$origins'");
$_->reset for $first, $second;
use_model($plain, $first, name => 'first', rank => 10);
use_model($plain, $second, name => 'second', rank => 20);
$first->config(status => 429, retry_after => 60);
add_tickets($plain, map { "plain$_" } 1 .. 10);
all_done($plain);
is(sql($plain, q(SELECT string_agg(DISTINCT provider, ' ') FROM triage.ai_runs WHERE outcome = 'succeeded')), 'second', 'without preload: the worker has gates of its own');
is(sql($plain, q(SELECT state, since, closed_until, reason, in_flight, failures_in_a_row, calls, last_success_at FROM triage.provider_status WHERE name = 'first')),
	'serving|||||||', 'which provider_status cannot see');
sql($plain, q(SELECT triage.pause_provider('second', 'x')));
is(sql($plain, q(SELECT state, reason FROM triage.provider_status WHERE name = 'second')), 'paused by hand|x', 'but it tells what the table says');
$plain->stop;
done_testing();
