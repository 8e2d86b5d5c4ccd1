# pg_upgrade: no worker while it works, everything there afterwards, and the database knows that it is no copy.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

# From this major version to itself: what is tried here is the way the tables take, not the server's own changes.
my $model = start_model();
my $NO_PROCESS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'triage%'";

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	my $old = start_server("old$preload", preload => $preload, model => $model);

	$model->reset;
	add_tickets($old, map { "u$_" } 1 .. 10);
	all_done($old);
	sql($old, "SELECT triage.assign_ticket(1, 'anna'), triage.add_comment(2, 'hello', 'anna'), triage.resolve_ticket(3)");
	# ids of tables that a restore could not hit by accident
	sql($old, 'CREATE DATABASE second');
	sql($old, 'CREATE EXTENSION triage', 'second');
	sql($old, 'SELECT triage.worker_stop()');
	sql($old, 'SELECT triage.worker_stop()', 'second');
	wait_for($old, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker'", 0, 'no workers');
	add_tickets($old, map { "wait$_" } 1 .. 3);
	sql($old, 'UPDATE triage.worker_control SET stopped_at = NULL');

	################ binary upgrade mode ################

	$old->stop;
	$old->command_ok([ 'pg_ctl', '-w', '-D', $old->data_dir, '-l', $old->logfile, '-o', '-b', 'start' ], "$mode: a server in binary upgrade mode");
	is(sql($old, $NO_PROCESS), 0, "$mode: no process of triage runs in it");
	sql($old, "INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-b', 'TOKEN-b')");
	is(sqlstate($old, 'SELECT triage.run_pending(1, true)'), '55000', "$mode: no one-shot worker is started");
	sql($old, 'SELECT triage.worker_start()');
	sql($old, 'SELECT pg_sleep(1.5)');
	is(sql($old, $NO_PROCESS), 0, "$mode: none is started either");
	is(sql($old, 'SELECT count(*), sum(attempts) FROM triage.ai_jobs'), '4|0', "$mode: what waits, waits");
	$old->command_ok([ 'pg_ctl', '-w', '-D', $old->data_dir, '-m', 'fast', 'stop' ], 'stopped');
	is($model->requests, 10, "$mode: nothing was sent to the model");

	################ pg_upgrade ################

	my $new = PostgreSQL::Test::Cluster->new("new$preload");
	$new->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
	$new->append_conf('postgresql.conf', "triage.allowed_origins = '" . $model->origin . "'\nmax_worker_processes = 16");
	$new->append_conf('postgresql.conf', "shared_preload_libraries = 'triage'") if $preload;
	my $bin = $ENV{TREE_BIN};
	chdir PostgreSQL::Test::Utils::tempdir_short() or die;
	$new->command_ok([ 'pg_upgrade', '--no-sync', '-b', $bin, '-B', $bin, '-d', $old->data_dir, '-D', $new->data_dir, '-s', $new->host,
		'-p', $old->port, '-P', $new->port ], "$mode: pg_upgrade");
	is($model->requests, 10, "$mode: pg_upgrade sends nothing to the model");

	my $position = log_position($new) // 0;
	$new->start;
	is(sql($new, 'SELECT count(*) FROM triage.tickets'), 14, "$mode: the tickets are there");
	isnt(sql($new, 'SELECT system_identifier FROM pg_control_system()'),
		slurp_identifier($old), "$mode: the cluster is another one");
	is(sql($new, 'SELECT triage.home_refusal() IS NULL'), 't', "$mode: and the database at home in it");
	add_tickets($new, 'new') unless $preload;
	all_done($new);
	pass("$mode: " . ($preload ? 'by itself' : 'with the next ticket') . ' the worker does what waited');
	is(sql($new, q(SELECT h.system_identifier = s.system_identifier FROM triage.home h, pg_control_system() s)), 't', "$mode: which it has written down");
	wait_until(sub { return log_since($new, $position) =~ /pg_upgrade, and is at home there/ }, 'the log to say so');
	is($model->requests, 14 + !$preload, "$mode: each ticket was asked about once");
	ledger_is_sound($new, "$mode, upgraded");
	is(sql($new, 'SELECT triage.home_refusal() IS NULL', 'second'), 't', "$mode: the second database as well");

	# a dump of the old one is a copy all the same
	$old->start;
	my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
	$old->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $old->connstr('second') ], 'a dump of the old cluster');
	$old->stop;
	sql($new, 'DROP DATABASE second WITH (FORCE)');
	sql($new, 'CREATE DATABASE second TEMPLATE template0');
	$new->command_ok([ 'pg_restore', '--exit-on-error', '-d', $new->connstr('second'), $dump ], 'restored in the new one');
	is(sql($new, 'SELECT triage.home_refusal()', 'second'), 'the tables were copied from another database', "$mode: a restored dump is a copy");
	$new->stop;
	unlike(log_since($new), qr/PANIC|was terminated by signal/, "$mode: nothing crashed");
}

sub slurp_identifier
{
	my ($node) = @_;
	my ($out) = run_command([ 'pg_controldata', $node->data_dir ]);
	return $out =~ /Database system identifier:\s+(\d+)/ ? $1 : die "no identifier in $out";
}
done_testing();
