# Several databases: names that lead nowhere, too few background worker slots, workers that die, and who is connected.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Triage;

my $WORKERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker'";

sub add
{
	my ($node, $database, $name) = @_;
	return sql($node, "SELECT triage.create_ticket('$name', 'The invoice of this month is wrong.')", $database);
}

sub done
{
	my ($node, $database, $what) = @_;
	return wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, $what, database => $database);
}

sub said
{
	my ($text, $pattern) = @_;
	my @all = $text =~ /$pattern/g;
	return scalar @all;
}

################ more databases than slots ################

# one for the launcher, two for somebody else's workers or ours
my $node = start_server('databases', preload => 1, no_extension => 1,
	conf => "max_worker_processes = 2\nmax_parallel_workers = 0\nmax_logical_replication_workers = 0\ntriage.databases = 'one, two, three, nosuch, \"Typo\"'");
my $position = log_position($node);

is(sql($node, q(SELECT count(*), count(datid) FROM pg_stat_activity WHERE backend_type = 'triage launcher')), '1|0',
	'the launcher is connected to no database');
for my $database (qw(one two three))
{
	sql($node, "CREATE DATABASE $database");
	sql($node, 'CREATE EXTENSION triage', $database);
	add($node, $database, 'first');
}
is(sql($node, 'SELECT triage.waiting_databases() > 0', 'one'), 't', 'waiting_databases() counts those that have none');
my ($idle) = grep { worker_pid($node, $_) eq '' } qw(one two three);
like(sql($node, q(SELECT level, what FROM triage.health() WHERE check_name = 'worker'), $idle), qr/^(warning|critical)\|no slot of max_worker_processes \(2\) is free|^ok\|/,
	'health() says so there');
done($node, $_, "the tickets of $_") for qw(one two three);
pass('one slot, three databases: all are served in turn');
cmp_ok(sql($node, $WORKERS), '<=', 1, 'never by more than one worker');

add($node, $_, 'second') for qw(two one);
done($node, $_, "the second tickets of $_") for qw(two one);
pass('and so they are when each has a new ticket');
my $log = log_since($node, $position);
is(said($log, qr/WARNING:  no background worker slot is free for the triage worker of database "/), 1, 'the log says once that slots are missing');
like($log, qr/HINT:  Increase max_worker_processes \(now 2\)/, 'and what to do');
is(said(log_since($node), qr/WARNING:  database "nosuch" in setting "triage\.databases" does not exist/), 1, 'and once that a name leads nowhere');
is(said(log_since($node), qr/WARNING:  database "Typo" in setting/), 1, 'each of them');
cmp_ok(said($log, qr/background worker "triage worker".* exited/), '<=', 30, 'and processes are not started by the dozen');

sql($node, 'DROP DATABASE three');

# with room again each has its own
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$position = log_position($node);
$node->restart;
wait_for($node, $WORKERS, 2, 'a worker each');
add($node, $_, 'roomy') for qw(one two);
done($node, $_, "roomy $_") for qw(one two);
my @pids = sort(worker_pid($node, 'one'), worker_pid($node, 'two'));
is(sql($node, "SELECT pg_sleep(4) IS NOT NULL"), 't', 'longer than a turn');
is_deeply([ sort(worker_pid($node, 'one'), worker_pid($node, 'two')) ], \@pids, 'nobody takes turns when there is room');
unlike(log_since($node, $position), qr/no background worker slot/, 'and nothing is complained about');
is(sql($node, 'SELECT triage.waiting_databases()', 'one'), 0, 'nobody waits');
is(sqlstate($node, q(ALTER SYSTEM SET triage.databases = 'one,,two')), '22023', 'a list that is none is refused');

# a database that is created later; one that the setting does not name asks for itself
sql($node, 'CREATE DATABASE nosuch');
sql($node, 'CREATE EXTENSION triage', 'nosuch');
add($node, 'nosuch', 'late');
done($node, 'nosuch', 'a database that is named before it exists');
sql($node, 'CREATE DATABASE unnamed');
sql($node, 'CREATE EXTENSION triage', 'unnamed');
add($node, 'unnamed', 'unnamed');
done($node, 'unnamed', 'a database that is not named');
pass('a database that is named before it exists, and one that is not named but has tickets, are served too');
sql($node, "DROP DATABASE $_") for qw(nosuch unnamed);

################ workers that die ################

# whoever kills each worker as soon as it is there gets fewer and fewer of them
my ($began, $killed) = (time(), 0);
$position = log_position($node);
while (time() - $began < 7)
{
	$killed += sql($node, q(SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'triage worker'), 'one');
}
my $started = said(log_since($node, $position), qr/background worker "triage worker" \(PID \d+\) exited/);
cmp_ok($started, '<=', 10, "two databases whose workers are killed at once: $started starts in seven seconds");
cmp_ok($started, '>=', 2, 'but not none');
wait_for($node, $WORKERS, 2, 'both are back');
add($node, $_, 'back') for qw(one two);
done($node, $_, "back $_") for qw(one two);
pass('left alone, they work again');

# committing sessions do not get round the back-off
$position = log_position($node);
$began = time();
while (time() - $began < 4)
{
	sql($node, q(SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'triage worker'), 'one');
	add($node, 'one', 'insistent');
}
$started = said(log_since($node, $position), qr/background worker "triage worker" \(PID \d+\) exited/);
cmp_ok($started, '<=', 10, "with tickets committed all the while: $started starts");
done($node, 'one', 'the insistent tickets');

# the launcher itself
my $launcher = q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'triage launcher');
wait_for($node, $WORKERS, 2, 'both have their worker');
my $old = sql($node, $launcher);
my $worker = worker_pid($node, 'two');
# what a DROP DATABASE that was interrupted leaves
sql($node, 'CREATE DATABASE three');
sql($node, q(UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'three'));
$position = log_position($node);
sql($node, "SELECT pg_terminate_backend($old)");
wait_for($node, "SELECT count(*) FROM ($launcher AND pid <> $old) l", 1, 'another launcher');
is(worker_pid($node, 'two'), $worker, 'a launcher that comes back leaves the workers at work');
add($node, 'two', 'another');
done($node, 'two', 'the ticket after');
unlike(log_since($node, $position), qr/FATAL:  (?!terminating)/, 'and starts none in a database that nobody can connect to');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal/, 'nothing crashed');

################ without preload ################

$node = start_server('noslot', conf => "max_worker_processes = 0\nmax_parallel_workers = 0\nmax_logical_replication_workers = 0");
$position = log_position($node);
my $session = $node->background_psql('postgres');
my $until = time() + 2;
while (time() < $until)
{
	$session->query_safe(q(INSERT INTO triage.tickets (description) VALUES ('no slot')));
}
$session->quit;
is(said(log_since($node, $position), qr/no background worker slot is free for the triage worker of this database/), 1,
	'not preloaded, no slot: a session says so once, whatever it commits');
is(sqlstate($node, 'SELECT triage.run_pending(1)'), '53400', 'run_pending() is refused');
$node->append_conf('postgresql.conf', 'max_worker_processes = 4');
$node->restart;
add($node, 'postgres', 'now');
all_done($node);
pass('with a slot all of it is done');

# a worker whose start fails: the queue refuses what it does first
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, <<'SQL');
INSERT INTO triage.tickets (description) VALUES ('claimed'), ('free');
UPDATE triage.ai_jobs SET slot = 0, lease_until = now() + interval '3 seconds', claimed_at = now(), fence = 1, attempts = 1
	WHERE ticket_id = (SELECT min(ticket_id) FROM triage.ai_jobs);
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF OLD.lease_until IS NOT NULL AND NEW.lease_until IS NULL THEN RAISE EXCEPTION 'not this way'; END IF;
	RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE UPDATE ON triage.ai_jobs FOR EACH ROW EXECUTE FUNCTION public.refuse()
SQL
$position = log_position($node);
sql($node, 'SELECT triage.worker_start()');
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 1, 'the free one is done all the same');
wait_until(sub { return said(log_since($node, $position), qr/could not free what its predecessor had claimed: not this way/) >= 2 }, 'tried again');
is(said(log_since($node, $position), qr/exited with exit code/), 0, 'a worker that cannot take over what its predecessor held serves on');
sql($node, 'DROP TRIGGER refuse ON triage.ai_jobs');
all_done($node);
pass('and does so later');

# killed as soon as it is there, while sessions commit
is(sql($node, 'SELECT triage.waiting_databases() IS NULL'), 't', 'without preload nobody counts who waits');
$position = log_position($node);
$began = time();
my $tickets = 0;
while (time() - $began < 4)
{
	$tickets++;
	sql($node, q(SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'triage worker'));
	add($node, 'postgres', 'insistent');
}
$started = said(log_since($node, $position), qr/background worker "triage worker" \(PID \d+\) exited/);
cmp_ok($started, '<=', $tickets + 8, "not preloaded: $started starts in four seconds, one for each session that commits a ticket and one a second");
all_done($node);
pass('left alone, it works again');
$node->stop;
done_testing();
