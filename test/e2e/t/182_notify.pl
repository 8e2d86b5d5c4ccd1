# NOTIFY triage: off, throttled over all sessions, throttled within one.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $node;
my $listener;

# How many notifications came since this was asked last.
sub heard
{
	my $out = $listener->query_safe('SELECT 1');
	return scalar(() = $out =~ /Asynchronous notification "triage" received/g);
}

sub interval
{
	my ($ms) = @_;
	sql($node, "ALTER SYSTEM SET triage.notify_interval = $ms");
	sql($node, 'SELECT pg_reload_conf()');
	wait_for($node, q(SELECT setting FROM pg_settings WHERE name = 'triage.notify_interval'), $ms, 'the setting');
	return;
}

my $insert = q(INSERT INTO triage.tickets (description) VALUES ('x'));

for my $preload (1, 0)
{
	my $name = $preload ? 'preloaded' : 'not preloaded';

	$node = start_server($preload ? 'preloaded' : 'plain', preload => $preload, conf => 'triage.autostart = off');
	sql($node, q(CREATE DATABASE other));
	sql($node, q(CREATE EXTENSION triage; SELECT triage.add_consumer('relay', '{ticket.created}')), 'other');
	sql($node, q(LOAD 'triage'; SELECT triage.worker_stop()));
	$listener = $node->background_psql('postgres');
	$listener->query_safe(q(LOAD 'triage'; LISTEN triage));

	interval(0) if $preload;
	sql($node, ($preload ? '' : "LOAD 'triage'; SET triage.notify_interval = 0; ") . $insert);
	is(heard(), 0, "$name: without a consumer nobody is told");
	sql($node, q(SELECT triage.add_consumer('relay', '{ticket.created}')));
	if ($preload)
	{
		sql($node, $insert) for 1 .. 3;
		is(heard(), 3, "$name, 0: each commit tells");
		sql($node, "BEGIN; $insert; $insert; COMMIT");
		is(heard(), 1, "$name, 0: once");
		sql($node, "BEGIN; $insert; ROLLBACK; UPDATE triage.tickets SET subject = 'not wanted'");
		is(heard(), 0, "$name, 0: not what is rolled back, or not wanted");
		interval(-1);
		sql($node, $insert) for 1 .. 3;
		is(heard(), 0, "$name, -1: never");
		interval(600000);
		sql($node, $insert) for 1 .. 5;
		is(heard(), 0, "$name, ten minutes: the last one counts, whichever session sent it");
		sql($node, $insert, 'other') for 1 .. 3;
		is(heard(), 0, "$name: another database's are not heard here");
		interval(200);
		my $began = time();
		sql($node, $insert) for 1 .. 30;
		my $most = 2 + 5 * (time() + 1 - $began);
		my $heard = heard();
		cmp_ok($heard, '>=', 1, "$name, 200 ms: told now and then");
		cmp_ok($heard, '<=', $most, "$name, 200 ms: and not more often");
	}
	else
	{
		sql($node, "LOAD 'triage'; SET triage.notify_interval = 600000; " . join('; ', ($insert) x 5));
		sql($node, "LOAD 'triage'; SET triage.notify_interval = 600000; DO \$\$ BEGIN FOR i IN 1 .. 5 LOOP $insert; COMMIT; END LOOP; END \$\$");
		is(heard(), 2, "$name: each session counts for itself");
	}
	is(sqlstate($node, q(LOAD 'triage'; CREATE ROLE app; SET ROLE app; SET triage.notify_interval = 0)), '42501', "$name: an application does not choose");
	$listener->quit;
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING/, "$name: the server log is clean");
}
done_testing();
