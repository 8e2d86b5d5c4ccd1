# A source that means harm: answers that never end, mean nothing, or weigh too much; and the AI's calls beside them
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);
use Triage;
use Zendesk;

# Speaks what it is told to; a child, so that it may be slow.
my $listener = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1', ReuseAddr => 1) or die $!;
my $origin = 'http://127.0.0.1:' . $listener->sockport;
my $mode_file = PostgreSQL::Test::Utils::tempdir() . '/mode';
my $server;

sub mode
{
	my ($mode) = @_;
	open(my $out, '>', "$mode_file.new") or die $!;
	print $out $mode;
	close $out;
	rename "$mode_file.new", $mode_file;
	return;
}

sub current_mode { open(my $in, '<', $mode_file) or return ''; local $/; return scalar <$in> }

sub ok_reply { my ($body, $head) = @_; return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" . ($head // '') . 'Content-Length: ' . length($body) . "\r\nConnection: close\r\n\r\n$body" }

sub ticket { my ($id, $more) = @_; my $name = $id =~ s/"//gr; return qq({"id":$id,"created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-01T00:00:00Z","generated_timestamp":1704067200,"subject":"S$name","description":"D","status":"open","priority":"normal","requester_id":1) . ($more // '') . '}' }

sub page { my ($tickets, $more) = @_; return '{"tickets":[' . join(',', @$tickets) . '],"after_cursor":"c' . int(rand 1e9) . '","end_of_stream":true' . ($more // '') . '}' }

sub answer
{
	my ($socket, $request) = @_;
	my $mode = current_mode();

	if ($mode eq 'trickle') { print $socket "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"; for (1 .. 200) { print $socket ' ' or return; $socket->flush; sleep 0.1 } }
	elsif ($mode eq 'trickle_head') { print $socket "HTTP/1.1 200 OK\r\n"; for (1 .. 200) { print $socket "X-$_: y\r\n" or return; $socket->flush; sleep 0.1 } }
	elsif ($mode eq 'close') { return }
	elsif ($mode eq 'endless') { print $socket "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"; my $chunk = "10000\r\n" . (' ' x 65536) . "\r\n"; for (1 .. 100000) { print $socket $chunk or return } }
	elsif ($mode eq 'headers') { print $socket "HTTP/1.1 200 OK\r\n"; for (1 .. 100000) { print $socket "X-$_: " . ('y' x 1000) . "\r\n" or return } }
	elsif ($mode eq '999') { print $socket "HTTP/1.1 999 What\r\nContent-Length: 2\r\n\r\n{}" }
	elsif ($mode eq '600') { print $socket "HTTP/1.1 600 What\r\nRetry-After: -5\r\nContent-Length: 2\r\n\r\n{}" }
	elsif ($mode eq '429') { print $socket "HTTP/1.1 429 No\r\nRetry-After: 99999999999999999999\r\nContent-Length: 0\r\n\r\n" }
	elsif ($mode eq '100s') { print $socket "HTTP/1.1 100 Continue\r\n\r\n" x 5000; print $socket ok_reply(page([ ticket(1) ])) }
	elsif ($mode eq 'cursor') { print $socket ok_reply(page([ ticket(2) ]) =~ s/"c\d+"/'"' . ('x' x 30000) . '"'/er) }
	elsif ($mode eq 'users') { print $socket ok_reply(page([ ticket(3) ], ',"users":[' . join(',', map { qq({"id":$_,"name":"\\u0000 \\ud800\\t$_","email":"a\\u0000\@b"}) } 1 .. 20000) . ']')) }
	elsif ($mode eq 'odd')
	{
		print $socket ok_reply(page([
			ticket(4, ',"status":"open\\u0000x"'), ticket(5, ',"custom_fields":[{"id":1,"value":1e308},{"id":2,"value":1e400},{"id":3,"value":123456789012345678901234567890},{"id":4,"value":"\\u0000"},{"id":1,"value":{"\\u0000":{"":[[[[[[[[1]]]]]]]]}}}]'),
			ticket(6, ',"tags":["a\\u0000","\\udc00"," ",null,{}]'), ticket(7, ',"updated_at":"9999-12-31T23:59:59Z","generated_timestamp":253402300799'),
			ticket(8, ',"subject":"' . "\xff\xfe\xc0\x80\xed\xa0\x80" . '","description":"' . "\xf4\x90\x80\x80" . '"'), ticket(8), ticket('"9"', ',"requester_id":"-1","assignee_id":"1"'),
			ticket(10, ',"priority":"urgent\\u0000","via":{"channel":"\\u0000"},"type":"task\\u0000"'), ticket('"10"'), ticket(-3), ticket(0), ticket('1e3'), 'null', '[]', '7', '{}', ticket(11, ',"id":12'),
		], ',"users":[{"id":1,"name":"' . ('n' x 5000) . '","role":"admin\\u0000","organization_id":"77"},{"id":1,"name":7,"email":["x"]},null,{"id":{}}],"organizations":[{"id":77,"name":"\\u0000"},{"id":77,"name":" "},[]]')) }
	else { print $socket ok_reply(page([ ticket(1) ])) }
	return;
}

mode('');
$server = fork() // die $!;
if ($server == 0)
{
	$SIG{CHLD} = 'IGNORE';
	$SIG{PIPE} = 'IGNORE';
	while (my $socket = $listener->accept)
	{
		next if fork();
		my $request = '';
		while ($request !~ /\r\n\r\n/) { sysread($socket, $request, 65536, length $request) or last }
		answer($socket, $request);
		close $socket;
		POSIX::_exit(0);
	}
	POSIX::_exit(0);
}
END { my $status = $?; kill 'KILL', $server if $server; $? = $status }

my $model = start_model(latency_ms => 5);
my $secrets = PostgreSQL::Test::Utils::tempdir();
Zendesk::write_secret($secrets, 'zendesk', "the-secret-of-zendesk\n");
my $node = start_server('hostile', preload => 1, conf => "triage.secrets_directory = '$secrets'\ntriage.allowed_origins = '$origin, " . $model->origin . "'\n");
use_model($node, $model);
my $workers = sub { sql($node, "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type ~ 'triage worker'") };

sql($node, "SELECT triage.add_zendesk_source(base_url => '$origin', email => 'a\@b.c', secret => 'zendesk', start_time => '2020-01-01', include_comments => false, requests_per_minute => 100000, poll_interval => '1 hour', timeout_ms => 2000)");
wait_for($node, "SELECT count(*) FROM triage.synced_tickets", 1, 'an honest page');
my $worker = $workers->();

sub meets
{
	my ($mode, $outcome, $error) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = sql($node, 'SELECT coalesce(max(id), 0) FROM triage.sync_runs');

	mode($mode);
	my $began = time;
	sql($node, "UPDATE triage.sync_state SET next_run_at = now(), last_outcome = NULL, resting_since = NULL; SELECT triage.sync_now('zendesk')");
	add_tickets($node, "$mode-1", "$mode-2");
	wait_for($node, "SELECT outcome FROM triage.sync_runs WHERE id > $before ORDER BY id LIMIT 1", $outcome, "$mode: outcome");
	like(sql($node, "SELECT error FROM triage.sync_runs WHERE id > $before ORDER BY id LIMIT 1"), $error, "$mode: error");
	cmp_ok(time - $began, '<', 12, "$mode: in time");
	all_done($node, what => "$mode: the AI's jobs");
	mode('');
	$before = sql($node, 'SELECT max(id) FROM triage.sync_runs');
	sql($node, "UPDATE triage.sync_state SET next_run_at = now(), last_outcome = NULL, resting_since = NULL; SELECT triage.sync_now('zendesk')");
	wait_for($node, "SELECT outcome FROM triage.sync_runs WHERE id > $before ORDER BY id DESC LIMIT 1", 'succeeded', "$mode: goes on");
	is($workers->(), $worker, "$mode: same worker");
	return;
}

meets('trickle', 'transient', qr/tim/i);
meets('trickle_head', 'transient', qr/tim/i);
meets('close', 'transient', qr/./);
meets('endless', 'transient', qr/larger/);
meets('headers', 'transient', qr/./);
meets('999', 'transient', qr/999/);
meets('600', 'transient', qr/600/);
meets('429', 'throttled', qr/429/);
meets('100s', 'succeeded', qr/^$/);
meets('cursor', 'unusable_answer', qr/has more than 8000 bytes/);
meets('users', 'succeeded', qr/^$/);
meets('odd', 'succeeded', qr/left out/);
is(sql($node, "SELECT string_agg(external_id, ' ' ORDER BY external_id::int) FROM triage.tickets WHERE source = 'zendesk'"), '1 3 5 6 7 8 9 10 12', 'what can be read is here');
is(sql($node, "SELECT count(*) FROM triage.synced_tickets WHERE source_updated_at > now()"), 0, 'nothing of a time to come');
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'triage' AND state = 'idle in transaction'"), 0, 'nothing is left open');

# an external id that somebody changed
sql($node, "UPDATE triage.sync_sources SET include_comments = true; UPDATE triage.tickets SET external_id = 'not digits' WHERE source = 'zendesk' AND external_id = '1'; UPDATE triage.synced_tickets SET comments_due_at = now() WHERE ticket_id = (SELECT id FROM triage.tickets WHERE external_id = 'not digits'); SELECT triage.wake_worker()");
wait_for($node, "SELECT outcome FROM triage.sync_runs WHERE stream = 'comments' ORDER BY id LIMIT 1", 'bad_request', 'a ticket whose number was changed');
is(sql($node, "SELECT count(*) FROM triage.sync_state WHERE resting_since IS NOT NULL"), 0, 'does not stop the others');

$node->stop;
done_testing();
