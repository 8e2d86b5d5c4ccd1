# A worker that could not reach its table until its leases were over (somebody locked it, the machine slept) still holds the
# answers: it does not pay for them twice.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = with_clock(sub { start_server('leases', preload => 1, model => $model, conf => 'triage.poll_interval = 1s', provider => { timeout_ms => 120000 }) });
my $running = 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until > clock_timestamp()';

################ the table is locked for longer than a lease lasts ################

add_tickets($node, (map { [ "answered$_", 'latency=4000' ] } 1 .. 10), map { [ "air$_", "latency=$HELD" ] } 1 .. 10);
$model->wait_for_in_flight(20);
my $unlock = hold_lock($node, 'LOCK triage.ai_jobs IN ACCESS EXCLUSIVE MODE');
$model->wait_for_in_flight(10);
set_clock(400);
$unlock->();
wait_for($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded'), 10, 'the answers that came meanwhile');
wait_for($node, $running, 10, 'the leases of the calls in the air');

################ and somebody holds one of the jobs ################

my $position = log_position($node);
my $free = hold_lock($node, 'SELECT FROM triage.ai_jobs WHERE ticket_id = ' . id_of($node, 'air1') . ' FOR UPDATE');
set_clock(800);
wait_for($node, $running, 9, 'the leases of the others');
unlike(log_since($node, $position), qr/could not/, 'nobody waits for it');
$free->();
wait_for($node, $running, 10, 'its lease');
$model->release;
all_done($node);
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome <> 'succeeded')), 0, 'no run is lost or stale');
is($model->requests, 20, 'each ticket was asked about once');
sent_equals_runs($node, $model, 'own leases');
ledger_is_sound($node, 'own leases');
$node->stop;
done_testing();
