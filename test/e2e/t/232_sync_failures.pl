# Everything that can come instead of a page: what is made of it, what is shown, and that the copy is whole in the end
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep);
use Triage;
use Zendesk;

my $zendesk = start_zendesk(tickets => 60, comments => 2, no_retry_after => 'x');
my ($node) = start_sync_server('failures', $zendesk);

# Is the last run of the outcome, and does it say so?
sub last_is
{
	my ($outcome, $status, $error, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	wait_for($node, "SELECT count(*) > 0 FROM triage.sync_runs WHERE outcome = '$outcome'", 't', "$name: a run $outcome");
	is(last_run($node, "coalesce(http_status::text, '-')", "outcome = '$outcome'"), $status, "$name: status");
	like(last_run($node, 'error', "outcome = '$outcome'"), $error, "$name: reason");
	return;
}

# From the failure that was recorded last to the next request; a moment passes between the two clocks that are read.
sub seconds_to_wait
{
	my ($stream) = @_;
	return sql($node, <<SQL);
SELECT extract(epoch FROM s.next_run_at - r.finished_at)::numeric(9, 1)
	FROM triage.sync_state s, (SELECT finished_at FROM triage.sync_runs WHERE stream = '$stream' AND outcome <> 'succeeded' ORDER BY id DESC LIMIT 1) r
	WHERE s.stream = '$stream'
SQL
}

# One request of the stream meets the fault; then it goes on.
sub meets
{
	my ($stream, $fault, $outcome, $status, $error, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = sql($node, 'SELECT coalesce(max(id), 0) FROM triage.sync_runs');
	my $cursor = sql($node, "SELECT cursor FROM triage.sync_state WHERE stream = 'tickets'");
	my $kept = $stream eq 'tickets' && ($fault->{answer} // '') ne 'expired';
	my $same = $kept ? "(SELECT cursor = \$\$$cursor\$\$ FROM triage.sync_state WHERE stream = 'tickets')" : 'NULL';

	$zendesk->fault(stream => $stream, %$fault);
	$zendesk->update(first => 1001, every => 30, ago => 100, comment => 1);
	sql($node, "SELECT triage.sync_now('zendesk')");
	# the cursor in the same look: a moment later it goes on
	wait_for($node, "SELECT concat_ws(' ', outcome, coalesce(http_status::text, '-'), $same) FROM triage.sync_runs WHERE id > $before AND outcome <> 'succeeded' ORDER BY id LIMIT 1",
		"$outcome $status" . ($kept ? ' t' : ''), $name);
	pass("$name: the cursor has not moved") if $kept;
	like(sql($node, "SELECT error FROM triage.sync_runs WHERE id > $before AND outcome <> 'succeeded' ORDER BY id LIMIT 1"), $error, "$name: says why");
	return;
}

sub goes_on
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	hurry($node);
	Triage::wait_until(
		sub {
			hurry($node);
			my $left = sql($node, "SELECT (SELECT count(*) FROM triage.synced_tickets WHERE comments_due_at IS NOT NULL) + (SELECT count(*) FROM triage.sync_state WHERE stream = 'tickets' AND (last_outcome <> 'succeeded' OR requested_at IS NOT NULL))");
			return ($left == 0, "$left left");
		},
		"$name: all is copied");
	# the look that was hurried last is over, or it would meet the next fault before that is asked for
	wait_for($node, "SELECT count(*) FROM triage.sync_state WHERE stream = 'tickets' AND (lease_until IS NOT NULL OR next_run_at <= clock_timestamp())", 0, "$name: at rest");
	return;
}

add_source($node, $zendesk, page_size => 20, timeout_ms => 1000);
copied($node);

# 429, with the header and without: it waits as long as it is told, or a minute
meets('tickets', { status => 429, retry_after => 7 }, 'throttled', 429, qr/429/, '429 with Retry-After');
my $wait = seconds_to_wait('tickets');
ok($wait > 4 && $wait <= 7, "waits as long as it says: $wait s");
is(last_run($node, 'retry_after_ms', "outcome = 'throttled'"), 7000, 'and that is on record');
goes_on('429 with Retry-After');
meets('tickets', { status => 429 }, 'throttled', 429, qr/429/, '429 without Retry-After');
$wait = seconds_to_wait('tickets');
ok($wait > 50 && $wait <= 60, "waits a minute: $wait s");
goes_on('429 without Retry-After');
meets('comments', { status => 429, retry_after => 93 }, 'throttled', 429, qr/429/, '429 to comments');
$wait = seconds_to_wait('comments');
ok($wait > 80 && $wait <= 93, "comments wait: $wait s");
goes_on('429 to comments');

# what passes
meets('tickets', { status => 503, retry_after => 5 }, 'transient', 503, qr/503/, '503');
$wait = seconds_to_wait('tickets');
ok($wait > 2 && $wait <= 5, "503 waits as long as it says: $wait s");
goes_on('503');
meets('tickets', { status => 500 }, 'transient', 500, qr/500/, '500');
$wait = seconds_to_wait('tickets');
ok($wait > 1 && $wait <= 30, "500 backs off: $wait s");
goes_on('500');
meets('tickets', { status => 409 }, 'transient', 409, qr/409/, '409');
goes_on('409');
meets('comments', { status => 502, body => '<html>' }, 'transient', 502, qr/502/, '502');
goes_on('502');
meets('tickets', { answer => 'cut' }, 'transient', 200, qr/./, 'a cut connection');
goes_on('a cut connection');
meets('comments', { answer => 'reset', times => 12 }, 'transient', '-', qr/./, 'no answer');
goes_on('no answer');
meets('tickets', { answer => 'garbage', times => 3 }, 'transient', '-', qr/./, 'what is no HTTP');
goes_on('what is no HTTP');
meets('tickets', { answer => 'hang' }, 'transient', '-', qr/tim/i, 'a hang');
goes_on('a hang');

# what is no page, or not the page it was
for my $case (
	[ 'tickets', 'truncated', qr/cut off/ ], [ 'tickets', 'notjson', qr/not a JSON object/ ], [ 'tickets', 'html', qr/not a JSON object/ ],
	[ 'tickets', 'no_tickets', qr/no array "tickets": the schema has changed/ ], [ 'tickets', 'no_cursor', qr/no "after_cursor"/ ],
	[ 'tickets', 'no_end', qr/no "end_of_stream"/ ], [ 'tickets', 'no_status', qr/it has no status\): the schema has changed/ ],
	[ 'tickets', 'no_description', qr/field "description": the schema has changed/ ],
	[ 'comments', 'no_comments', qr/no array "comments"/ ], [ 'comments', 'no_public', qr/it has no public/ ])
{
	my ($stream, $answer, $error) = @$case;

	meets($stream, { answer => $answer, times => $answer eq 'no_tickets' ? 3 : 1 }, 'unusable_answer', 200, $error, "answer $answer");
	if ($answer eq 'no_tickets')
	{
		Triage::wait_until(
			sub {
				hurry($node);
				my $n = sql($node, "SELECT consecutive_failures FROM triage.sync_state WHERE stream = 'tickets'");
				return ($n >= 3, "$n failures");
			},
			'three failures in a row');
		like(sql($node, "SELECT what FROM triage.health() WHERE check_name = 'sync' AND level > 'ok'"), qr/schema has changed/, 'health() tells of it');
	}
	goes_on("answer $answer");
}
copy_is_exact($node, $zendesk, 'after failures [seed 264]');

# the cursor: rejected once, then from an hour before the last ticket
$zendesk->reset;
meets('tickets', { answer => 'expired' }, 'bad_request', 400, qr/cursor has expired.*cursor was rejected/i, 'an expired cursor');
goes_on('an expired cursor');
my @pages = $zendesk->log('tickets');
like($pages[0]{what}, qr/^cursor/, 'it was asked with the cursor');
like($pages[1]{what}, qr/^start_time=/, 'then by time');
my ($start) = $pages[1]{what} =~ /=(\d+)/;
my $last = (sort { $b <=> $a } map { $_->{updated} } $zendesk->truth)[0];
cmp_ok($start, '>=', $last - 3700, 'not from the beginning');
copy_is_exact($node, $zendesk, 'after an expired cursor [seed 264]');

# a page larger than is taken is asked for in parts; 70 MB need their time
sql($node, 'UPDATE triage.sync_sources SET timeout_ms = 20000');
$zendesk->reset;
meets('tickets', { answer => 'huge' }, 'transient', 200, qr/the page is larger than \d+ bytes; instead of 20 tickets the next page is asked for 10/, 'a page too large');
goes_on('a page too large');
meets('tickets', { answer => 'heavy' }, 'transient', 200, qr/the page would take more than \d+ bytes of memory to read; instead of \d+ tickets the next page is asked for \d+/, 'a page too heavy');
goes_on('a page too heavy');
# nor is one tried again and again that the server has no memory for
sql($node, <<'SQL');
CREATE FUNCTION public.little_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT count(*) FROM n) > 2 THEN
		RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200';
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER little_memory AFTER UPDATE ON triage.tickets REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION public.little_memory();
SQL
$zendesk->update(first => 1001, ago => 95, every => 2);
sql($node, "SELECT triage.sync_now('zendesk')");
goes_on('a page that there is no memory for');
like(last_run($node, 'error', "outcome = 'transient'"), qr/the page could not be stored: out of memory; instead of \d+ tickets the next page is asked for \d+/, 'is asked for in parts');
sql($node, 'DROP FUNCTION public.little_memory() CASCADE');

# one bad ticket does not stop the others
$zendesk->config(bad_ticket => 1031);
$zendesk->update(first => 1001, every => 30, ago => 90);
goes_on('a bad ticket');
sql($node, "SELECT triage.sync_now('zendesk')");
wait_for($node, "SELECT count(*) > 0 FROM triage.sync_runs WHERE outcome = 'succeeded' AND error ~ 'ticket 1031: created_at is not a time'", 't', 'the bad ticket is named');
goes_on('the rest of its page');
is(sql($node, "SELECT count(*) FROM triage.tickets t JOIN triage.synced_tickets s ON s.ticket_id = t.id WHERE t.external_id IN ('1001') AND t.subject ~ 'version " . (grep { $_->{id} == 1001 } $zendesk->truth)[0]{subject} =~ s/.*version (\d+).*/$1/r . "'"),
	1, 'the others came over');
# mended there, it comes over like any other change
$zendesk->config(bad_ticket => 0);
$zendesk->update(first => 1031, ago => 80);

# a stream that says it goes on and never does is not asked for ever
$zendesk->config(end => 'never');
sql($node, "SELECT triage.sync_now('zendesk')");
goes_on('a stream without end');
$zendesk->reset;
sleep 1;
cmp_ok(scalar $zendesk->log, '<=', 1, 'a cursor that repeats itself ends the look');
$zendesk->config(end => 'null');
sql($node, "SELECT triage.sync_now('zendesk')");
goes_on('a null cursor');
$zendesk->reset;
sleep 1;
cmp_ok(scalar $zendesk->log, '<=', 1, 'a cursor that is null ends the look');
isnt(sql($node, "SELECT cursor FROM triage.sync_state WHERE stream = 'tickets'"), '', 'and the one there is stays');
$zendesk->config(end => '');
sql($node, "SELECT triage.sync_now('zendesk')");
goes_on('the end');
copy_is_exact($node, $zendesk, 'in the end [seed 264]');

$node->stop;
done_testing();
