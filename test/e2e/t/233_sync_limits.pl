# How fast a source is asked, whose clock counts, and what keeps it from being asked at all: origins, addresses, redirects,
# keys; and that no key comes to light
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep);
use Triage;
use Zendesk;

my $zendesk = start_zendesk(tickets => 60);
my ($node, $secrets) = start_sync_server('limits', $zendesk);

sub gaps
{
	my @at = map { $_->{at_ms} } @_;
	return map { $at[$_] - $at[ $_ - 1 ] } 1 .. $#at;
}

# Nothing is asked for a while.
sub is_quiet
{
	my ($name, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = () = $zendesk->log;

	sleep($seconds // 1.5);
	is(scalar(() = $zendesk->log) - $before, 0, $name);
	return;
}

sub state_of { return sql($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = '$_[0]'") }

# The pace: ten a minute unless somebody says otherwise, counted from start to start
is(sql($node, "SELECT column_default FROM information_schema.columns WHERE table_schema = 'triage' AND table_name = 'sync_sources' AND column_name = 'requests_per_minute'"),
	10, 'ten requests a minute by default [seed 264]');
add_source($node, $zendesk, page_size => 10, requests_per_minute => 120, include_comments => 'false');
copied($node);
my @gaps = gaps($zendesk->log('tickets'));
is(scalar @gaps, 5, 'six pages');
# a journey may take a little longer than the one before
is(scalar(grep { $_ < 250 } @gaps), 0, 'about half a second apart, for 120 a minute: ' . join(' ', map { int } @gaps));
my $all = 0;
$all += $_ for @gaps;
cmp_ok($all, '>=', 2200, 'and no more of them in all');
copy_is_exact($node, $zendesk, 'paced [seed 264]', comments => 0);

# A source that counts finds nothing to refuse, and what it says of the account's budget is obeyed.
$zendesk->fill(tickets => 60, per_minute => 10, window_ms => 1000);
sql($node, "UPDATE triage.sync_sources SET requests_per_minute = 600; UPDATE triage.sync_state SET cursor = NULL; SELECT triage.sync_now('zendesk')");
$zendesk->reset;
copied($node, what => 'all is asked for again');
is(scalar(grep { $_->{status} == 429 } $zendesk->log), 0, 'who keeps to the limit is not refused');
$zendesk->fill(tickets => 60, account_per_minute => 1, window_ms => 3000);
$zendesk->reset;
sql($node, "UPDATE triage.sync_state SET cursor = NULL; SELECT triage.sync_now('zendesk')");
$zendesk->wait_for_requests(1);
is_quiet('an account without budget is left alone', 1.5);
$zendesk->config(account_per_minute => 100000);
copied($node, what => 'the rest after that');
is(scalar(grep { $_->{status} == 429 } $zendesk->log), 0, 'without being refused');

# Their clock: behind ours, so that our start is too close to their now; and ahead of it.
$zendesk->fill(tickets => 20, clock_offset => -600, age => 700, step => 1);
$zendesk->reset;
sql($node, "SELECT triage.drop_source('zendesk')");
add_source($node, $zendesk, name => 'behind', start_time => sql($node, "SELECT now() - interval '3 minutes'"), include_comments => 'false');
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE source = 'behind' AND stream = 'tickets'", 'transient', 'a start too close to their now');
like(last_run($node, 'error', "source = 'behind'"), qr/Too recent/, 'says so');
$zendesk->config(clock_offset => 0);
hurry($node);
copied($node, what => 'it heals by itself');
sql($node, "SELECT triage.drop_source('behind')");
$zendesk->fill(tickets => 20, clock_offset => 3600, age => 120, step => 1);
add_source($node, $zendesk, name => 'ahead', include_comments => 'false');
copied($node, what => 'a source from the future');
is(sql($node, "SELECT count(*) FROM triage.synced_tickets WHERE source = 'ahead' AND source_updated_at > now()"), 0, 'what has not come here yet is now');
$zendesk->update(first => 1001, every => 5, ago => 61);
sql($node, "SELECT triage.sync_now('ahead')");
copied($node, what => 'what changes there');
is(sql($node, "SELECT count(*) FROM triage.tickets WHERE source = 'ahead' AND subject ~ 'version 2'"), 4, 'and the newer by their clock wins');
sql($node, "SELECT triage.drop_source('ahead')");

# Keys: refused, mended by a new file alone, and never asked in between
$zendesk->fill(tickets => 20);
$zendesk->reset;
write_secret($secrets, 'zendesk', 'the-wrong-key-of-somebody');
my $log = log_position($node);
add_source($node, $zendesk, include_comments => 'false');
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'account', 'a key that is refused');
like(last_run($node, 'error'), qr/authenticate/, 'in their words');
is(sql($node, "SELECT state FROM triage.sync_status WHERE stream = 'tickets' AND source = 'zendesk'"), 'resting', 'the stream rests');
is_quiet('and is not asked again');
is(scalar(() = log_since($node, $log) =~ /WARNING:.*rests/g), 1, 'one WARNING');
write_secret($secrets, 'zendesk', 'the-secret-of-zendesk');
copied($node, what => 'a new key file is enough');
$zendesk->config(forbidden => 1);
sql($node, "SELECT triage.sync_now('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'account', '403');
like(last_run($node, 'error'), qr/You do not have access to this page/, '403 in their words');
$zendesk->config(forbidden => 0);
sql($node, "SELECT triage.resume_source('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'succeeded', 'resume_source() has it tried again');
copied($node);

# A file that is not there, or that others can read, is no key
$zendesk->reset;
unlink "$secrets/zendesk" or die $!;
sql($node, "SELECT triage.sync_now('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'misconfigured', 'no key file');
like(last_run($node, 'error'), qr/no file "zendesk"/, 'says which');
is(scalar(() = $zendesk->log), 0, 'nothing was asked');
write_secret($secrets, 'zendesk', 'the-secret-of-zendesk');
copied($node, what => 'the file is there again');
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'succeeded', 'and that is enough');

# A key that the source repeats does not come to light
$zendesk->fault(stream => 'tickets', answer => 'echo', status => 400);
sql($node, "SELECT triage.sync_now('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'bad_request', 'a refusal that repeats the key');
like(last_run($node, 'error'), qr/you sent/, 'is told of');
unlike(last_run($node, 'error'), qr/the-secret-of-zendesk|YWRtaW5A|secret-of/, 'without the key');
unlike(log_since($node, 0), qr/the-secret-of-zendesk|dGhlLXNlY3JldC1vZi16ZW5kZXNr/, 'nor is it in the server\'s log');
hurry($node);
copied($node);

# A redirect is not followed
$zendesk->reset;
$zendesk->fault(stream => 'tickets', status => 302);
sql($node, "SELECT triage.sync_now('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'misconfigured', 'a redirect');
like(last_run($node, 'error'), qr/redirects are not followed/, 'is told of');
is(scalar(() = $zendesk->log), 1, 'and not followed');
sql($node, "SELECT triage.resume_source('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'succeeded', 'again');

# Origins: what is not listed is not asked; listing it is enough
$zendesk->reset;
$node->append_conf('postgresql.conf', "triage.allowed_origins = 'https://elsewhere.example'");
$node->reload;
sql($node, "SELECT triage.sync_now('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'misconfigured', 'an origin that is not listed');
my $refused = sql($node, 'SELECT count(*) FROM triage.sync_runs');
sleep 2.2;
is(sql($node, 'SELECT count(*) FROM triage.sync_runs'), $refused, 'it rests until somebody does something');
like(last_run($node, 'error'), qr/triage\.allowed_origins|not listed|origin/, 'says so');
is(scalar(() = $zendesk->log), 0, 'nothing was asked');
$node->append_conf('postgresql.conf', "triage.allowed_origins = '" . $zendesk->origin . ", http://localhost.localdomain:1, http://192.0.2.1'");
$node->reload;
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'succeeded', 'once it is listed');

# Which file a stream waits for is not forgotten because the other stream is served
add_source($node, $zendesk);
copied($node);
$zendesk->fault(stream => 'tickets', status => 401);
sql($node, "SELECT triage.sync_now('zendesk')");
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'account', 'tickets are refused');
sql($node, "UPDATE triage.synced_tickets SET comments_due_at = now(); SELECT triage.wake_worker()");
wait_for($node, "SELECT count(*) FROM triage.synced_tickets WHERE comments_due_at IS NOT NULL", 0, 'comments are not');
write_secret($secrets, 'zendesk', 'the-secret-of-zendesk');
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'zendesk'", 'succeeded', 'a new key file has tickets tried again');

# An address that http may not reach, though its origin is listed
add_source($node, $zendesk, name => 'public', base_url => 'http://192.0.2.1', include_comments => 'false');
wait_for($node, "SELECT last_outcome FROM triage.sync_state WHERE stream = 'tickets' AND source = 'public'", 'misconfigured', 'a public address by http');
like(last_run($node, 'error', "source = 'public'"), qr/address|http/, 'is refused before it is connected to');
sql($node, "SELECT triage.drop_source('public')");

# A database that has no character for all that comes
sql($node, 'CREATE DATABASE latin ENCODING LATIN1 TEMPLATE template0', 'template1');
sql($node, 'CREATE EXTENSION triage', 'latin');
sql($node, "SELECT triage.add_zendesk_source(base_url => '" . $zendesk->origin . "', email => 'admin\@example.com', secret => 'zendesk', start_time => '2020-01-01', requests_per_minute => 6000, include_comments => false)", 'latin');
wait_for($node, 'SELECT count(*) FROM triage.synced_tickets', 20, 'a database in Latin 1', database => 'latin');
is(sql($node, "SELECT convert_from(convert_to(subject, 'LATIN1'), 'LATIN1') = U&'Ticket 1001, version 1 ? \"quoted\" ? caf\\00e9' FROM triage.tickets WHERE external_id = '1001'", 'latin'),
	't', 'gets question marks, and what it has characters for');
sql($node, 'SELECT triage.worker_stop()', 'latin');

# OAuth
sql($node, "SELECT triage.drop_source('zendesk')");
$zendesk->fill(tickets => 20, basic => '', bearer => 'an-oauth-token-0123456789');
$zendesk->reset;
write_secret($secrets, 'oauth', 'an-oauth-token-0123456789');
add_source($node, $zendesk, name => 'oauth', auth => 'oauth', email => undef, secret => 'oauth');
wait_for($node, "SELECT count(*) FROM triage.synced_tickets WHERE source = 'oauth' AND comments_due_at IS NULL", 20, 'a bearer token');
is(scalar(grep { $_->{auth} ne 'bearer' } $zendesk->log), 0, 'with each request');

$node->stop;
done_testing();
