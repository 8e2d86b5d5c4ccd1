# The worker ends soon when it is told to, whatever holds up what it writes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

# The server waits for nobody else; one that does not go down ends the test, and not after an hour.
sub stops_fast
{
	my ($node, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	local $ENV{PGCTLTIMEOUT} = 40;
	my $stopped = $node->stop('fast', fail_ok => 1);

	ok($stopped, "$name: the server stops");
	$node->stop('immediate') unless $stopped;
	return;
}

################ a commit that waits for a standby which does not answer ################

sub waits_for_standby
{
	my ($node, $not_pid) = @_;
	wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND wait_event = 'SyncRep' AND pid <> $not_pid", 1,
		'the worker waits for a standby');
	return worker_pid($node);
}

{
	my $model = start_model();
	local $ENV{PGOPTIONS} = '-c synchronous_commit=local';
	my $node = start_server('standby', preload => 1, model => $model, conf => "wal_level = replica\nmax_wal_senders = 2\nsynchronous_standby_names = 'nobody'", provider => { timeout_ms => 120000 });

	add_tickets($node, map { "a$_" } 1 .. 5);
	my $pid = waits_for_standby($node, 0);
	is(sql($node, "SELECT pg_terminate_backend($pid, 20000)"), 't', 'waiting for a standby: the worker ends when it is terminated');

	# its successor has one call in the air, whose run is yet to be written
	add_tickets($node, (map { "b$_" } 1 .. 5), [ 'air', 'latency=600000 times=1' ]);
	waits_for_standby($node, $pid);
	$model->wait_for_requests(1, 'air');
	add_tickets($node, map { "c$_" } 1 .. 5);
	stops_fast($node, 'waiting for a standby');
	is($model->requests, 11, 'nothing more was asked on the way down');

	$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
	$node->start;
	all_done($node);
	ledger_is_sound($node, 'after the wait for a standby');
	sent_equals_runs($node, $model, 'after the wait for a standby');
	is(sql($node, "SELECT string_agg(t.external_id, ', ') FROM triage.ai_runs r JOIN triage.tickets t ON t.tenant_id = r.tenant_id AND t.id = r.ticket_id WHERE r.outcome = 'lost'"),
		'TOKEN-air', 'no call is lost but the one in the air');
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal/, 'nothing crashed');
}

################ a trigger that takes for ever: cancelled once, it is met again by the give-back ################

{
	my $model = start_model();
	my $node = start_server('trigger', preload => 1, model => $model, provider => { timeout_ms => 120000 });

	sql($node, <<'SQL');
CREATE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(3600); RETURN NEW; END';
CREATE TRIGGER sleep BEFORE INSERT ON triage.ticket_ai_results FOR EACH ROW EXECUTE FUNCTION sleep();
SQL
	add_tickets($node, (map { "t$_" } 1 .. 5), [ 'air', 'latency=600000 times=1' ]);
	wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND wait_event = 'PgSleep'", 1, 'the trigger sleeps');
	$model->wait_for_requests(1, 'air');
	stops_fast($node, 'a slow trigger');
	like(log_since($node), qr/could not write answers: canceling statement due to statement timeout/, 'the log says what could not be written');
	# or it would sleep again, and the DROP wait for it
	$node->append_conf('postgresql.conf', 'triage.enabled = off');
	$node->start;
	sql($node, 'DROP FUNCTION sleep() CASCADE');
	$node->append_conf('postgresql.conf', 'triage.enabled = on');
	$node->reload;
	all_done($node);
	ledger_is_sound($node, 'after the slow trigger');
	sent_equals_runs($node, $model, 'after the slow trigger');
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal/, 'a slow trigger: nothing crashed');
}
done_testing();
