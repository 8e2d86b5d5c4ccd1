# Everything there is comes over: 5,000 tickets with their people, organizations and comments; then what changes
use strict;
use warnings;
use Test::More;
use Triage;
use Zendesk;

my $zendesk = start_zendesk(tickets => 5000, comments => 1, gzip => 1);
my ($node) = start_sync_server('sync', $zendesk);

add_source($node, $zendesk);
copied($node, limit => 180);
copy_is_exact($node, $zendesk, 'full import [seed 264]');

my @requests = $zendesk->log('tickets');
is(scalar @requests, 5, 'five pages of a thousand');
like($requests[0]{what}, qr/^start_time=1577836800$/, 'the first is asked for by time');
like($_->{what}, qr/^cursor=MTU3%7C/, 'the others by cursor, escaped') for @requests[ 1 .. 4 ];
is(scalar(grep { $_->{auth} ne 'basic' } $zendesk->log), 0, 'each with Basic authorization');
is(scalar(grep { $_->{status} != 200 } $zendesk->log), 0, 'none was refused');
my @comments = $zendesk->log('comments');
is(scalar @comments, 5000, 'comments are asked for once a ticket');

is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 0, 'nothing is sent to a model for it');
is(sql($node, "SELECT count(*) FROM triage.sync_runs WHERE outcome <> 'succeeded'"), 0, 'every request is on record as a success');
is(sql($node, 'SELECT sum(tickets_received) FROM triage.sync_runs'), 5000, 'and what it brought');
is(sql($node, "SELECT count(*) FROM triage.organizations"), 50, 'organizations');

# What changes there: new versions, a deletion, a comment, the same tickets twice, and pages that repeat.
$zendesk->reset;
$zendesk->config(overlap => 3);
$zendesk->update(first => 1001, every => 50, ago => 300);
$zendesk->update(first => 1051, every => 100, ago => 200);
$zendesk->update(first => 1002, every => 500, ago => 150, deleted => 1);
$zendesk->update(first => 1003, every => 500, ago => 150, comment => 1);
sql($node, "SELECT triage.sync_now('zendesk')");
copied($node, what => 'changes are copied');
copy_is_exact($node, $zendesk, 'after changes [seed 264]');
is(scalar(grep { $_->{what} =~ /^start_time/ } $zendesk->log), 0, 'goes on from the cursor it had');
my %asked;
$asked{ $_->{what} }++ for $zendesk->log('comments');
ok(keys %asked < 200, 'asks only for comments of tickets that changed: ' . keys %asked);

# Nothing new: the cursor repeats itself, and one request is all it takes.
$zendesk->reset;
sql($node, "SELECT triage.sync_now('zendesk')");
copied($node, what => 'a look that finds nothing');
is(scalar $zendesk->log, 1, 'a stream that has ended is asked once a look');
is(sql($node, "SELECT state FROM triage.sync_status WHERE stream = 'tickets'"), 'current', 'and is current');

$node->stop;
done_testing();
