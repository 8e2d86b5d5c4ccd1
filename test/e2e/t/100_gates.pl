# A provider in trouble is left alone, by all workers of all databases, and no ticket pays for it.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Triage;

my $KEY = 'sk-e2e-gates-0123456789';
my $secrets = PostgreSQL::Test::Utils::tempdir;
chmod 0700, $secrets or die;

# As an editor or a deployment does it: a new file is renamed over the old one.
sub write_key
{
	my ($name, $key) = @_;
	append_to_file("$secrets/.$name.new", "$key\n");
	chmod 0600, "$secrets/.$name.new" or die;
	rename "$secrets/.$name.new", "$secrets/$name" or die;
	return;
}

write_key('key', $KEY);
my $model = start_model();
my %provider = (secret => 'key', timeout_ms => 3000);
my $node = start_server('gates', preload => 1, model => $model, provider => \%provider, conf => <<CONF);
triage.secrets_directory = '$secrets'
triage.max_attempts = 3
CONF
sql($node, 'CREATE DATABASE other');
sql($node, 'CREATE EXTENSION triage', 'other');
use_model($node, $model, %provider, database => 'other');

sub state_of { return sql($node, q(SELECT state FROM triage.provider_status WHERE name = 'fake'), $_[0]) }

sub wait_for_state
{
	my ($state, $database) = @_;
	return wait_for($node, q(SELECT state FROM triage.provider_status WHERE name = 'fake'), $state, "state $state", database => $database);
}

sub add_elsewhere
{
	my @tokens = @_;
	return sql($node, 'INSERT INTO triage.tickets (external_id, description) VALUES '
		  . join(', ', map { "('TOKEN-$_', 'About TOKEN-$_')" } @tokens), 'other');
}

sub all_is_done
{
	all_done($node);
	all_done($node, database => 'other');
	return;
}

sub warnings_since { return log_since($node, $_[0]) =~ /(WARNING:  triage provider.*)/g }

################ serving ################

add_tickets($node, 'warm');
add_elsewhere('warm2');
all_is_done();
is(sql($node, q(SELECT name, api, model, rank, enabled, state, closed_until IS NULL, reason IS NULL, in_flight, failures_in_a_row, calls,
	last_success_at BETWEEN now() - interval '5 minutes' AND clock_timestamp() FROM triage.provider_status WHERE name = 'fake')),
	'fake|openai|fake-model|100|t|serving|t|t|0|0|2|t', 'a provider that serves, with the calls of both databases');

################ throttled ################

# token => how long to wait is said; by the response, in seconds
my $http_date = sub { my @t = gmtime(time() + 4); return POSIX::strftime('%a, %d %b %Y %H:%M:%S GMT', @t) };

for my $notation ('seconds', 'date')
{
	my ($before, $wait) = (sql($node, 'SELECT count(*) FROM triage.ai_runs'), $notation eq 'date' ? 2.5 : 3);

	$model->reset;
	$model->config(status => 429, retry_after => $notation eq 'date' ? $http_date->() : 3);
	add_tickets($node, "limit$notation");
	$model->wait_for_requests(1);
	$model->config(status => 0, retry_after => '');
	wait_for_state('throttled');
	is(state_of('other'), 'throttled', "Retry-After in $notation: the other database knows");
	is(sql($node, q(SELECT closed_until > since + interval '1 second', reason ~ '429' FROM triage.provider_status WHERE name = 'fake')), 't|t',
		'until when, and why');
	add_tickets($node, map { "$notation$_" } 1 .. 5);
	add_elsewhere(map { "else$notation$_" } 1 .. 5);
	all_is_done();
	my @asked = map { $_->{at_ms} } $model->log;
	is(scalar(@asked), 12, 'each is asked once it is over, and the throttled one again');
	is(scalar(grep { $_ > $asked[0] && $_ < $asked[0] + 1000 * $wait } @asked), 0, "and nobody before: no call within $wait s from either database");
	is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'throttled' AND ticket_id = " . id_of($node, "limit$notation")), 1, 'the throttled call has its run');
	wait_for_state('serving');
}
is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, 'no ticket was given up');

# without a hint: one second, two, four
$model->reset;
$model->config(status => 429);
add_tickets($node, 'nohint');
wait_for($node, q(SELECT closed_until - now() > interval '2.5 seconds' FROM triage.provider_status WHERE name = 'fake'), 't', 'the third wait');
$model->config(status => 0);
all_done($node);
my @asked = map { $_->{at_ms} } $model->log;
is(scalar(@asked), 4, 'without a hint: asked four times');
is(scalar(grep { $asked[$_] - $asked[ $_ - 1 ] < 1000 * 2**($_ - 1) } 1 .. 3), 0, 'with twice the wait each time');
is(sql($node, q(SELECT string_agg(outcome::text, ' ' ORDER BY id) FROM triage.ai_runs WHERE ticket_id = ) . id_of($node, 'nohint')),
	'throttled throttled throttled succeeded', 'three times throttled with three attempts: none was spent');

################ the key ################

my $position = log_position($node);
$model->reset;
$model->config(status => 401);
add_tickets($node, map { "key$_" } 1 .. 20);
wait_for_state('paused');
wait_for($node, 'SELECT count(*), max(attempts) FROM triage.ai_jobs WHERE lease_until IS NULL', '20|0', '401: all jobs are back, no attempt spent');
add_elsewhere('keyelse');
$model->config(status => 0);
wait_for($node, q(SELECT activity ~ 'paused: HTTP 401' FROM triage.worker_status WHERE type = 'triage worker' AND database = 'other'), 't',
	'the activity of the other database\'s worker', database => 'other');
pass('401: the other database\'s worker says why it does not call');
my $refused = $model->requests;
sleep(1.5);						# long enough for several looks at the key's file, which did not change
is($model->requests, $refused, '401: no call while the key is the same');
is(scalar(warnings_since($position)), 1, '401: one warning');
write_key('key', "$KEY-new");
all_is_done();
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 0, '401: with a new key file all are served, without a word to the server');
wait_for_state('serving');
is(scalar(warnings_since($position)), 1, '401: and still one warning');
like(log_since($node, $position), qr/LOG:  triage provider "fake" serves again/, 'that it serves again is in the log');
unlike(log_since($node), qr/\Q$KEY\E/, 'the key is not');

# a key file that is missing, then there
use_model($node, $model, secret => 'later', timeout_ms => 3000);
add_tickets($node, 'later');
wait_for_state('paused');
is(sql($node, q(SELECT reason FROM triage.provider_status WHERE name = 'fake')) =~ /no file "later"/ ? 1 : 0, 1, 'a missing key file is named');
write_key('later', $KEY);
all_done($node);
pass('a key file that appears is noticed');
use_model($node, $model, %provider);

# by hand, and by a changed row
for my $way ('SELECT triage.resume_provider(\'fake\')', q(UPDATE triage.providers SET rank = rank + 1 WHERE name = 'fake'))
{
	my $token = $way =~ /resume/ ? 'resumed' : 'changed';
	$model->config(status => 402);
	add_tickets($node, $token);
	wait_for_state('paused');
	$model->config(status => 0);
	sql($node, $way);
	all_done($node);
	pass("$token: the pause ends at once");
}

# still refused after resume_provider(): one call, and paused again
$model->config(status => 401);
add_tickets($node, map { "again$_" } 1 .. 5);
wait_for_state('paused');
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NULL', 5, 'all jobs are back');
$model->reset;
$position = log_position($node);
sql($node, q(SELECT triage.resume_provider('fake')));
$model->wait_for_requests(1);
wait_until(sub { return scalar(warnings_since($position)) == 1 }, 'the warning');
wait_for_state('paused');
cmp_ok($model->requests, '<=', 2, 'resumed too early: a call or two, not one for each job');
$model->config(status => 0);
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);

################ one ticket that is always refused ################

$model->reset;
add_tickets($node, [ 'poison', 'status=403' ]);
my $poison = id_of($node, 'poison');
$model->wait_for_requests(1, 'poison');
add_tickets($node, map { "healthy$_" } 1 .. 5);
wait_for($node, "SELECT class, attempts, message ~ 'refused for this ticket.*403' FROM triage.ai_dead_letters WHERE ticket_id = $poison", 'bad_request|1|t',
	'the ticket that alone is refused is given up');
all_done($node);
pass('a ticket that alone gets a 403 fails for itself');
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 1, 'and no other');
wait_for_state('serving');
my $calls = () = $model->log('poison');
cmp_ok($calls, '<=', 3, "after $calls calls");

# but when nobody is served it is the account
$model->config(status => 403);
add_tickets($node, map { "forbidden$_" } 1 .. 5);
wait_for_state('paused');
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 1, '403 for all: the provider is paused and no ticket given up');
$model->config(status => 0);
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 1, 'and all are served later');

# before anybody was served that cannot be told; then the probe is another ticket's
use_model($node, $model, %provider, model => 'fresh');
sql($node, q(INSERT INTO triage.tickets (external_id, description, priority) VALUES ('TOKEN-urgent', 'TOKEN-urgent [[fake status=403]]', 'urgent')));
wait_for_state('paused');
add_tickets($node, map { "patient$_" } 1 .. 5);
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NULL', 6, 'all wait');
$model->reset;
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);
like(($model->log)[0]{token}, qr/patient/, 'the probe is not the call of the job that closed the gate, though that is the first in the queue');
is(sql($node, q(SELECT count(*) FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id ~ 'patient')), 5, 'the others are served');
is(sql($node, q(SELECT class FROM triage.ai_dead_letters WHERE ticket_id = ) . id_of($node, 'urgent')), 'bad_request', 'and it fails for itself');
sql($node, q(DELETE FROM triage.tickets WHERE external_id = 'TOKEN-urgent'));
use_model($node, $model, %provider);

################ server errors: an outage fails no ticket ################

$model->reset;
$position = log_position($node);
$model->config(status => 500);
add_tickets($node, map { "outage$_" } 1 .. 40);
wait_for_state('failing');
is(sql($node, q(SELECT failures_in_a_row, reason ~ '^5 calls in a row failed.*HTTP 500' FROM triage.provider_status WHERE name = 'fake')), '5|t',
	'five failures in a row close the gate');
wait_for($node, q(SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NOT NULL), 0, 'all jobs are back');
my $in_burst = $model->requests;
wait_for($node, q(SELECT closed_until - now() > interval '2.5 seconds' FROM triage.provider_status WHERE name = 'fake'), 't', 'the third probe has failed');
cmp_ok($model->requests, '<=', $in_burst + 4, 'then it is probed with one call at a time');
cmp_ok(sql($node, 'SELECT sum(attempts) FROM triage.ai_jobs'), '<=', 4, 'four attempts are spent, and none after that');
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 1, 'no ticket is given up in the outage');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 40, 'all wait');
is(sql($node, 'SELECT count(DISTINCT ticket_id) = count(*) FROM (SELECT ticket_id FROM triage.ai_runs WHERE outcome = \'transient\' ORDER BY id DESC LIMIT 3) probes'), 't',
	'each probe is another ticket\'s');
is(scalar(warnings_since($position)), 1, 'one warning');
my $in_flight_before = $model->requests;
$model->config(status => 0, latency_ms => 300);
$model->reset;
$model->wait_for_requests(1);
is($model->stats->{max_in_flight}, 1, 'the probe goes alone');
$model->wait_for_requests(10);
cmp_ok($model->stats->{max_in_flight}, '>', 5, 'and its success opens the gate to all');
$model->config(latency_ms => 0);
all_done($node);
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 1, 'after the outage all are served');
like(log_since($node, $position), qr/LOG:  triage provider "fake" serves again/, 'which is said');

# a ticket that is tried first, and alone makes the provider fail, does not keep it closed
$model->config(status => 500);
add_tickets($node, map { "behind$_" } 1 .. 15);
wait_for_state('failing');
sql($node, q(INSERT INTO triage.tickets (external_id, description, priority) VALUES ('TOKEN-stubborn', 'TOKEN-stubborn [[fake status=500]]', 'urgent')));
$model->config(status => 0);
wait_for($node, q(SELECT count(*) FROM triage.tickets t JOIN triage.ticket_ai_results r ON r.ticket_id = t.id WHERE t.external_id ~ 'behind'), 15,
	'the others are served');
pass('a ticket that alone makes the provider fail stands back for another\'s probe');
all_done($node);
is(sql($node, q(SELECT class, attempts FROM triage.ai_dead_letters WHERE ticket_id = ) . id_of($node, 'stubborn')), 'transient|3',
	'and is given up after its attempts');

# nor do several of them: one that was never tried goes first
sql($node, q(INSERT INTO triage.tickets (external_id, description, priority)
	SELECT 'TOKEN-head' || i, 'TOKEN-head' || i || ' [[fake status=500]]', 'urgent' FROM generate_series(1, 6) i));
wait_for_state('failing');
$model->reset;
add_tickets($node, 'fresh');
wait_for($node, 'SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = ' . id_of($node, 'fresh'), 1, 'it is served');
my @asked = map { $_->{token} } $model->log;
my ($turn) = grep { $asked[$_] eq 'TOKEN-fresh' } 0 .. $#asked;
cmp_ok($turn, '<=', 1, 'tickets at the head that always fail do not each take a probe first');
# alone they are an outage, and wait
sql($node, q(DELETE FROM triage.tickets WHERE external_id ~ 'TOKEN-head'));
add_tickets($node, 'after');
all_done($node);

# nor does a ticket that is alone in an outage use up its tries
sql($node, q(ALTER SYSTEM SET triage.max_attempts = 5));
sql($node, 'SELECT pg_reload_conf()');
$model->config(status => 503);
add_tickets($node, 'alone');
wait_for_state('failing');
wait_for($node, q(SELECT closed_until - now() > interval '1.5 seconds' FROM triage.provider_status WHERE name = 'fake'), 't', 'probes fail');
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters WHERE ticket_id = ) . id_of($node, 'alone')), 0, 'a ticket alone in an outage is not given up');
$model->config(status => 0);
all_done($node);
is(sql($node, q(SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = ) . id_of($node, 'alone')), 1, 'and is served after it');
sql($node, q(ALTER SYSTEM SET triage.max_attempts = 3));
sql($node, 'SELECT pg_reload_conf()');

# no connection: the same, from the first failure on
$model->stop;
$position = log_position($node);
add_tickets($node, map { "down$_" } 1 .. 5);
wait_for_state('unreachable');
is(state_of('other'), 'unreachable', 'no connection: the other database knows');
wait_for($node, 'SELECT count(*), max(attempts) FROM triage.ai_jobs WHERE lease_until IS NULL', '5|0', 'no connection: no attempt spent');
$model->start;
all_done($node);
is(scalar(warnings_since($position)), 1, 'one warning');

################ TLS ################

# an endpoint that speaks no TLS, as one whose certificate is refused: somebody has to mend it, and nothing is spent meanwhile
my $plain = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die "no socket: $!\n";
my $server = fork() // die "no process: $!\n";
if ($server == 0)
{
	alarm 300;
	while (my $client = $plain->accept)
	{
		sysread($client, my $hello, 1000);
		syswrite($client, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
	}
	POSIX::_exit(0);
}
my $tls = 'https://127.0.0.1:' . $plain->sockport;
$node->append_conf('postgresql.conf', "triage.allowed_origins = '" . $model->origin . ", $tls'");
$node->reload;
$position = log_position($node);
use_model($node, $model, %provider, base_url => "$tls/v1");
add_tickets($node, map { "tls$_" } 1 .. 5);
wait_for_state('paused');
like(sql($node, q(SELECT reason FROM triage.provider_status WHERE name = 'fake')), qr/TLS/, 'TLS that fails pauses the provider');
wait_for($node, 'SELECT count(*), max(attempts) FROM triage.ai_jobs WHERE lease_until IS NULL', '5|0', 'TLS: no attempt spent');
is(scalar(warnings_since($position)), 1, 'TLS: one warning');
is(sql($node, q(SELECT level FROM triage.health() WHERE check_name = 'providers')), 'critical', 'TLS: health() is critical');
kill 'KILL', $server;
waitpid $server, 0;
use_model($node, $model, %provider);
all_done($node);

################ by hand ################

sql($node, q(SELECT triage.pause_provider('fake', 'too dear')));
$model->reset;
add_tickets($node, 'byhand');
wait_for($node, q(SELECT activity ~ 'paused by hand: too dear' FROM triage.worker_status WHERE type = 'triage worker' AND database = current_database()), 't', 'the activity says so');
is(sql($node, q(SELECT state, reason FROM triage.provider_status WHERE name = 'fake')), 'paused by hand|too dear', 'so does provider_status');
is(state_of('other'), 'serving', 'the other database\'s provider is not paused with it');
$node->restart;
wait_for_worker($node, 1);
add_tickets($node, 'byhand2');
is(state_of(), 'paused by hand', 'the pause outlasts a restart');
is(sql($node, 'SELECT count(*), max(attempts) FROM triage.ai_jobs'), '2|0', 'its jobs wait');
is($model->requests, 0, 'uncalled');
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);
is($model->requests, 2, 'resumed, they are served');

ledger_is_sound($node, 'gates');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|could not (claim|write)/, 'nothing crashed');
done_testing();
