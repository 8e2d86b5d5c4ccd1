# A worker that has nothing to do does nothing: no CPU time, whatever it waits for.
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Triage;

my $model = start_model();
my $node = start_server('idle', preload => 1, model => $model, conf => "triage.max_in_flight = 5\ntriage.poll_interval = '200ms'",
	provider => { timeout_ms => 120000 });

# CPU time of the worker in a second, in per cent.  The second is what is measured, not a wait for something to happen.
sub cpu_percent
{
	my ($pid) = @_;
	my $ticks = sub { my @f = split ' ', slurp_file("/proc/$pid/stat") =~ s/^.*\) //sr; return $f[11] + $f[12] };
	my $began = time();
	my $before = $ticks->();

	sleep(1);
	return 100 * ($ticks->() - $before) / POSIX::sysconf(POSIX::_SC_CLK_TCK()) / (time() - $began);
}

sub rests
{
	my ($name) = @_;
	my $percent = cpu_percent(worker_pid($node));
	return ok($percent < 15, sprintf('%s: the worker rests (%.0f %% CPU)', $name, $percent));
}

add_tickets($node, 'warm');
all_done($node);
rests('an empty queue');

$model->config(latency_ms => $HELD);
add_tickets($node, map { "full$_" } 1 .. 20);
$model->wait_for_in_flight(5);
sleep(0.5);						# beyond the poll interval
rests('all places in the air taken, and more jobs waiting');
is($model->stats->{in_flight}, 5, 'which they were all the time');

# A stop is heeded at once, though no place in the air is free.
is(sql($node, 'SELECT triage.worker_stop()'), 't', 'stopped');
eval { wait_until(sub { return worker_pid($node) eq '' }, 'no worker', 5) };
is(worker_pid($node), '', 'a worker whose places in the air are all taken heeds worker_stop()');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NOT NULL'), 0, 'and gives its jobs back');
$model->config(latency_ms => 0);
sql($node, 'SELECT triage.worker_start()');
all_done($node);

# an answer that waits for a locked ticket
my $agent = $node->background_psql('postgres');
add_tickets($node, [ 'locked', "latency=$HELD" ]);
$model->wait_for_in_flight(1);
$agent->query_safe('BEGIN; SELECT id FROM triage.tickets FOR UPDATE');
$model->release;
$model->wait_for_in_flight(0);
rests('an answer waits for a locked ticket');
$agent->query_safe('ROLLBACK');
all_done($node);

# a table that somebody locks
$agent->query_safe('BEGIN; LOCK TABLE triage.ai_jobs IN ACCESS EXCLUSIVE MODE');
rests('the queue is locked by somebody');
$agent->query_safe('ROLLBACK');
$agent->quit;

# no provider, and one that cannot serve
sql($node, q(UPDATE triage.providers SET enabled = false));
add_tickets($node, 'nobody');
rests('no provider is enabled');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE attempts = 0'), 1, 'without a provider a job waits');
my $position = log_position($node);
use_model($node, $model, base_url => 'http://127.0.0.1:1/v1', timeout_ms => 60000);
wait_until(sub { return log_since($node, $position) =~ /WARNING/ }, 'the refusal');
rests('the provider cannot serve');
use_model($node, $model, timeout_ms => 60000);
sql($node, 'SELECT triage.request_triage(ticket_id) FROM triage.ai_jobs');
all_done($node);

# plans are kept, until the tables outgrow them
sql($node, 'ALTER DATABASE postgres SET log_min_messages = debug1');
sql($node, 'SELECT triage.worker_stop()');
wait_until(sub { return worker_pid($node) eq '' }, 'no worker');
$position = log_position($node);
sql($node, 'SELECT triage.worker_start()');
my $made = sub { return () = log_since($node, $position) =~ /DEBUG:  triage worker makes its plans anew/g };
wait_until(sub { return $made->() == 1 }, 'the first plans');
sleep(11);						# two looks at the sizes: nothing else tells that they were had
is(scalar($made->()), 1, 'a worker keeps its plans');
sql($node, q(INSERT INTO triage.tickets (description) SELECT 'TOKEN-many' || i || '.' FROM generate_series(1, 1000) AS i));
all_done($node);
wait_until(sub { return $made->() >= 2 }, 'the plans of larger tables');
pass('and plans anew when its tables have grown');
ledger_is_sound($node, 'idle');
$node->stop;
done_testing();
