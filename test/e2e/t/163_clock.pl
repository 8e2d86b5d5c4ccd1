# A clock that is set back by an hour: nothing waits for an hour.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Triage;

my $model = start_model();
my $node = with_clock(sub { start_server('clock', preload => 1, model => $model, conf => 'triage.poll_interval = 2s') });

add_tickets($node, 'before');
all_done($node);
cmp_ok(abs(sql($node, 'SELECT extract(epoch FROM clock_timestamp())') - time), '<', 60, 'the server has the time of day');

################ the worker ################

set_clock(-3600);
cmp_ok(time - sql($node, 'SELECT extract(epoch FROM clock_timestamp())'), '>', 3500, 'the clock is set back');
my $started = time;
add_tickets($node, 'after');
all_done($node);
cmp_ok(time - $started, '<', 30, 'a ticket is triaged soon after');

################ a closed gate ################

set_clock(0);
$model->config(status => 503);
add_tickets($node, map { "outage$_" } 1 .. 6);
wait_for($node, "SELECT count(*) > 0 FROM triage.provider_status WHERE state = 'failing'", 't', 'an outage closes the gate');
set_clock(-3600);
$model->config(status => 0);
# back-off of jobs is a time too, written in rows: due by the clock as it is now
sql($node, 'UPDATE triage.ai_jobs SET run_at = now()');
sql($node, 'SELECT triage.wake_worker()');
$started = time;
all_done($node);
cmp_ok(time - $started, '<', 30, 'the gate opens as soon as it would have');

################ the launcher ################

set_clock(0);
sql($node, 'SELECT 1');
kill_worker($node);
set_clock(-3600);
$started = time;
kill_worker($node);
add_tickets($node, 'last');
all_done($node);
cmp_ok(time - $started, '<', 60, 'a worker that died is started again');

################ more accounts than there are gates ################

# a row that changes is another account; those that nobody calls any more make room minutes later, not hours
set_clock(0);
$node->poll_query_until('postgres', 'SELECT true') or die "the server did not come back\n";
sql($node, "SELECT triage.set_provider('p' || n, 'openai', '" . $model->base_url . "', 'm', rank => n) FROM generate_series(1, 15) n");
my $full = q(SELECT count(*) > 0 FROM triage.worker_status WHERE activity ~ 'more than 256 provider accounts');
for my $round (1 .. 20)
{
	sql($node, "UPDATE triage.providers SET model = name || '-$round' WHERE api = 'openai'");
	add_tickets($node, "account$round");
	wait_for($node, "SELECT NOT EXISTS (SELECT FROM triage.ai_jobs) OR ($full)", 't', "accounts, round $round");
	last if sql($node, $full) eq 't';
}
is(sql($node, $full), 't', 'the 257th account within minutes is told to wait');
set_clock(360);
all_done($node);
pass('and is served when an old one was forgotten');
ledger_is_sound($node, 'clock');
$node->stop;
done_testing();
