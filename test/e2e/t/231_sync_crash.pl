# kill -9 of the worker and an immediate stop of the server after any request: nothing is lost, nothing is doubled, no
# request is repeated that was answered and stored, and the pace is kept all the while
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep);
use Triage;
use Zendesk;

my $APART_MS = 200;
my $zendesk = start_zendesk(tickets => 300, comments => 2, latency_ms => 10);
my ($node) = start_sync_server('crash', $zendesk);
my $kills = 0;
my $stops = 0;

srand(20);
add_source($node, $zendesk, page_size => 15, requests_per_minute => 60000 / $APART_MS, comment_requests_per_minute => 3000);

my $left = "SELECT count(*) FROM triage.sync_state WHERE stream = 'tickets' AND sync_completed_at IS NULL OR EXISTS (
	SELECT FROM triage.synced_tickets WHERE comments_due_at IS NOT NULL)";

# Each time after a request more or a few: while it is in the air, while its page is written, or between two.
my $seen = 0;
my $updates = 0;
for my $round (1 .. 16)
{
	my $wanted = $seen + 1 + int(rand(12));

	# what changes on the way comes over as well
	$updates += $zendesk->update(first => 1001 + $round, every => 40, ago => 70) if $round % 4 == 0;
	last if Triage::wait_until(
		sub {
			$seen = () = $zendesk->log;
			return ('more', '') if $seen >= $wanted;
			return ('all', '') if eval { sql($node, $left) } eq '0';
			return (0, "$seen requests");
		},
		"request $wanted") eq 'all';
	sleep(rand(0.03));
	$seen = () = $zendesk->log;
	if ($round % 4 == 3)
	{
		$node->stop('immediate');
		$node->start;
		$stops++;
	}
	else
	{
		kill_worker($node);
		$kills++;
	}
	wait_for_worker($node);
	hurry($node);
}
diag("$kills workers killed, $stops stops, $updates updates on the way");
# fewer, the longer the server takes to come back: meanwhile all may be copied
cmp_ok($kills, '>=', 4, 'workers were killed');
cmp_ok($stops, '>=', 1, 'the server was stopped');

sql($node, "SELECT triage.sync_now('zendesk')");
copied($node, what => 'everything is copied after all');
copy_is_exact($node, $zendesk, 'after the crashes [seed 264]');

# A page is asked for again only when nothing of it was stored: then the cursor was the same.
my @pages = $zendesk->log('tickets');
my @starts = grep { $pages[$_]{what} =~ /^start_time/ } 0 .. $#pages;
my $first_cursor = (grep { $pages[$_]{what} =~ /^cursor/ } 0 .. $#pages)[0];
ok(!(grep { $_ > $first_cursor } @starts), 'the stream never began again');
my @places = map { /MTU3%7C(\d+)%7C/ ? $1 : 0 } map { $_->{what} } @pages;
ok(!(grep { $places[$_] < $places[ $_ - 1 ] } 1 .. $#places), 'and never went back');

# ten in a row, for what is measured there has the journeys in it
my @ten = map { $pages[$_]{at_ms} - $pages[ $_ - 9 ]{at_ms} } 9 .. $#pages;
my ($least) = sort { $a <=> $b } @ten;
cmp_ok($least, '>=', 9 * $APART_MS - 500, 'requests for tickets kept the pace, dead workers or not');

is(sql($node, "SELECT count(*) FROM triage.sync_state WHERE lease_until IS NOT NULL"), 0, 'nothing is claimed for ever');
# comments that were on their way when their ticket's next version came are stale, and asked for anew
is(sql($node, "SELECT string_agg(DISTINCT outcome::text, ' ' ORDER BY outcome::text) FROM triage.sync_runs WHERE outcome <> 'lost' AND (stream, outcome) <> ('comments', 'stale')"),
	'succeeded', 'requests succeeded or were lost');

$node->stop;
done_testing();
