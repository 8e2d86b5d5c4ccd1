# Nothing preloaded: the first enqueue starts the worker; start, stop, one-shot runs, restart.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $node = start_server('selfstart');

sub create
{
	my ($subject) = @_;
	return sql($node, "SELECT triage.create_ticket('$subject', 'The invoice of this month is wrong.')");
}

sub state_of
{
	my ($id) = @_;
	return "SELECT ai_state FROM triage.ai_state WHERE ticket_id = $id";
}

is(sql($node, 'SHOW shared_preload_libraries'), '', 'nothing is preloaded');

# a plain INSERT, in a session that has never called a function of triage
my $first = sql($node, "INSERT INTO triage.tickets (subject, description) VALUES ('First', 'My invoice is wrong') RETURNING id");
wait_for($node, state_of($first), 'processed', 'the first ticket is triaged');
pass('the first INSERT starts a worker that triages it');
wait_for_worker($node);
my $pid = worker_pid($node);
my $second = create('Second');
is(sql($node, "SELECT triage.wait_for_triage($second)"), 'processed', 'the next one is triaged too');
is(worker_pid($node), $pid, 'by the same worker');

# many sessions at once on a server without a worker: one worker survives
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, 'SELECT triage.worker_start()');
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = \'triage worker\'');
my @sessions = map { $node->background_psql('postgres') } 1 .. 8;
$_->query_safe('BEGIN; INSERT INTO triage.tickets (description) VALUES (\'at once\')') for @sessions;
$_->query_safe('COMMIT') for @sessions;
$_->quit for @sessions;
all_done($node);
wait_for_worker($node, 1);
is(sql($node, q(SELECT count(*), count(DISTINCT ticket_id) FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id
	WHERE t.description = 'at once')), '8|8', 'eight sessions at once: eight results, one worker');

# stopped
is(sql($node, 'SELECT triage.worker_stop()'), 't', 'worker_stop() says that one ran');
wait_for_worker($node, 0);
is(sql($node, 'SELECT triage.worker_stop()'), 'f', 'and then that none did');
my @kept = map { create("Kept $_") } 1 .. 12;
# the one that was terminated comes back a second later, by the postmaster, and leaves again
wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'triage%'", 0, 'an INSERT starts none while stopped');
pass('an INSERT starts none that stays while stopped');
is(sql($node, 'SELECT pending, running FROM triage.queue_stats'), '12|0', 'the tickets wait');

# one-shot runs, as a scheduler starts them
is(sqlstate($node, 'SELECT triage.run_pending(0)'), '22023', 'run_pending(0) is refused');
is(sqlstate($node, 'SELECT triage.run_pending(-1, true)'), '22023', 'and a negative number');
is(sqlstate($node, 'SELECT triage.run_pending(NULL)'), '22004', 'and NULL');
sql($node, 'CREATE ROLE plain; GRANT USAGE ON SCHEMA triage TO plain');
is(sqlstate($node, 'SET ROLE plain; SELECT triage.run_pending(1)'), '42501', 'a role without the right may not run');
is(sqlstate($node, 'SET ROLE plain; SELECT triage.worker_stop()'), '42501', 'nor stop the worker');
is(sqlstate($node, 'SET ROLE plain; SELECT * FROM triage.claim_jobs()'), '42501', 'nor claim jobs');
is(sql($node, 'SELECT pending FROM triage.queue_stats'), 12, 'nothing was worked off by what was refused');

is(sql($node, 'SELECT triage.run_pending(10, true)'), 10, 'run_pending(10, true) returns how many it worked off');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 2, 'and left the rest');
is(sql($node, 'SELECT triage.run_pending(10, true)'), 2, 'a second run finds two');
is(sql($node, 'SELECT triage.run_pending(10, true)'), 0, 'a third nothing');
my $later = create('Later');
is(sql($node, 'SELECT triage.run_pending(10)'), 0, 'without wait it returns at once');
wait_for($node, state_of($later), 'processed', 'and works all the same');
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker'"), 0, 'no resident worker came of it');

# brought back
my $back = create('Back');
is(sql($node, 'SELECT triage.worker_start()'), 't', 'worker_start() says that none ran');
wait_for($node, state_of($back), 'processed', 'the worker is back');
wait_for_worker($node);
is(sql($node, 'SELECT triage.worker_start()'), 'f', 'and then that one does');

# the worker is terminated by hand: the postmaster starts it again
$pid = worker_pid($node);
sql($node, "SELECT pg_terminate_backend($pid)");
wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND pid <> $pid", 1,
	'a terminated worker comes back');
pass('a worker that was terminated comes back by itself');

# after a restart nothing runs until the next enqueue: there is nobody to start it
sql($node, 'SET triage.autostart = off; SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, 'UPDATE triage.worker_control SET stopped_at = NULL');
my $asleep = sql($node, "SET triage.autostart = off; SELECT triage.create_ticket('Asleep', 'My invoice is wrong')");
$node->restart;
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'triage%'"), 0, 'after a restart no worker runs');
is(sql($node, state_of($asleep)), 'pending', 'and what waits, waits');
my $waking = create('Waking');
wait_for($node, state_of($waking), 'processed', 'the next enqueue starts the worker');
wait_for($node, state_of($asleep), 'processed', 'which works off what waited');
pass('the next enqueue starts it, and it finds what waited');

ledger_is_sound($node, 'self-started');
is(sql($node, 'SELECT count(*) FROM triage.ai_runs'), sql($node, 'SELECT count(*) FROM triage.tickets'), 'one run for each ticket');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING/, 'the server log is clean');
done_testing();
