# Who says when sync works: pause, drop, the kill switch, stop, a copied database; and sync beside the AI's jobs
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use Triage;
use Zendesk;

my $zendesk = start_zendesk(tickets => 40);
my $model = start_model(latency_ms => 5);
my ($node) = start_sync_server('control', $zendesk, origins => $zendesk->origin . ', ' . $model->origin);

sub requests { return scalar(() = $zendesk->log) }

# What a model was asked for and did not get; imported tickets were never asked about.
my $unanswered = <<'SQL';
SELECT t.external_id FROM triage.tickets t
	LEFT JOIN triage.ticket_ai_results r ON r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.superseded_at IS NULL
	WHERE t.external_id ~ '^TOKEN-' AND (r.id IS NULL OR r.draft_reply !~ (t.external_id || '\M'))
SQL

# What was in the air when somebody said stop is over.
sub comes_to_rest
{
	return wait_for($node, 'SELECT count(*) FROM triage.sync_state WHERE lease_until IS NOT NULL', 0, 'the end of the request in the air');
}

sub worker_says
{
	my ($pattern) = @_;
	return wait_for($node, "SELECT activity ~ '$pattern' FROM triage.worker_status WHERE type = 'triage worker' AND database = current_database()", 't', "activity $pattern");
}

sub is_quiet
{
	my ($name, $seconds) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $before = requests();

	sleep($seconds // 1.2);
	is(requests() - $before, 0, $name);
	return;
}

sub in_the_air
{
	$zendesk->fault(stream => 'tickets', answer => 'hang');
	my $before = requests();
	sql($node, "SELECT triage.sync_now('zendesk')");
	$zendesk->wait_for_requests($before + 1);
	return;
}

sub asks_again
{
	my ($name, $before) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(Triage::wait_until(sub { return requests() > $before }, $name), $name);
}

add_source($node, $zendesk, include_comments => 'false', poll_interval => '1 second');
copied($node);
my $n = requests();
asks_again('it asks again after poll_interval, and nobody wakes it', $n);

# the switches
sql($node, "SELECT triage.pause_source('zendesk', 'moving house')");
comes_to_rest();
is_quiet('a paused source is not asked', 1.5);
$n = requests();
sql($node, "SELECT triage.resume_source('zendesk')");
asks_again('a resumed one is', $n);
sql($node, "SELECT triage.pause('all quiet')");
worker_says('paused: all quiet');
comes_to_rest();
is_quiet('pause() holds sync too', 1.5);
$n = requests();
sql($node, 'SELECT triage.resume()');
asks_again('resume() lets it go on', $n);
$node->append_conf('postgresql.conf', 'triage.enabled = off');
$node->reload;
worker_says('triage.enabled is off');
comes_to_rest();
is_quiet('triage.enabled holds it', 1.5);
$n = requests();
$node->append_conf('postgresql.conf', 'triage.enabled = on');
$node->reload;
asks_again('and lets it go on', $n);
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
is_quiet('without a worker nothing is asked');
$n = requests();
sql($node, 'SELECT triage.worker_start()');
asks_again('with one it is', $n);

# what is in the air when somebody says stop
sql($node, "UPDATE triage.sync_sources SET poll_interval = '1 hour'");
in_the_air();
my $before = time();
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
cmp_ok(time() - $before, '<', 10, 'a worker does not wait for a page to stop');
is(sql($node, "SELECT outcome FROM triage.sync_runs ORDER BY id DESC LIMIT 1"), 'lost', 'the request is on record as lost');
is(sql($node, "SELECT count(*) FROM triage.sync_state WHERE lease_until IS NOT NULL"), 0, 'and given back');
sql($node, 'SELECT triage.worker_start()');
copied($node, what => 'what was given back is asked for again');
in_the_air();
sql($node, "SELECT triage.pause_source('zendesk')");
sql($node, "SELECT triage.resume_source('zendesk')");
copied($node, what => 'a source that was paused and resumed while it was asked');
in_the_air();
$node->restart;
copied($node, what => 'a restart in between');
copy_is_exact($node, $zendesk, 'after all that [seed 264]', comments => 0);

# the AI's jobs are served while a source hangs, and while pages are stored
$node->append_conf('postgresql.conf', 'triage.poll_interval = 60s');
$node->reload;
use_model($node, $model);
in_the_air();
add_tickets($node, map { "H$_" } 1 .. 20);
all_done($node, what => 'the queue while a source hangs', limit => 15);
is(sql($node, $unanswered), '', 'each got its answer');
is(sql($node, "SELECT count(*) FROM triage.sync_state WHERE lease_until IS NOT NULL"), 1, 'the source still hangs');
sql($node, "SELECT triage.drop_source('zendesk')");
is(sql($node, "SELECT count(*) FROM triage.sync_sources"), 0, 'a source is dropped while it is asked');

$zendesk->fill(tickets => 3000, comments => 2, description_bytes => 3000);
$zendesk->reset;
$model->config(latency_ms => 300);
my $retried = sql($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome <> 'succeeded'");
add_source($node, $zendesk, name => 'large', include_comments => 'false');
for my $batch (1 .. 10)
{
	add_tickets($node, map { "B${batch}x$_" } 1 .. 10);
	sleep 0.2;
}
wait_for($node, "SELECT count(*) FROM triage.synced_tickets WHERE source = 'large'", 3000, 'the pages are stored');
all_done($node, what => 'the queue beside them');
is(sql($node, $unanswered), '', 'each got its answer beside large pages');
is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome <> 'succeeded'"), $retried, 'no answer was lost');
sent_equals_runs($node, $model, 'beside large pages');

# a copy of the database copies nothing
sql($node, "SELECT triage.drop_source('large')");
add_source($node, $zendesk, name => 'home', include_comments => 'false', poll_interval => '1 second');
wait_for($node, "SELECT sync_completed_at IS NOT NULL FROM triage.sync_state WHERE source = 'home' AND stream = 'tickets'", 't', 'a source at home');
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, 'CREATE DATABASE copy TEMPLATE postgres', 'template1');
sql($node, "SELECT triage.wake_worker(); UPDATE triage.worker_control SET stopped_at = NULL, stopped_by = NULL", 'copy');
is_quiet('a copy of the database asks nobody', 2.5);
$n = requests();
sql($node, 'SELECT triage.worker_start()');
asks_again('the original does', $n);
sql($node, 'DROP DATABASE copy WITH (FORCE)');

# uninstalled while a request is in the air
$zendesk->fault(stream => 'tickets', answer => 'hang');
$n = requests();
$zendesk->wait_for_requests($n + 1);
sql($node, "SELECT triage.uninstall(confirm => 'delete all tickets'); DROP EXTENSION triage");
sql($node, 'CREATE EXTENSION triage');
wait_for_worker($node, 1);
is(sql($node, 'SELECT count(*) FROM triage.sync_runs'), 0, 'what was asked for before means nothing to the tables made anew');

$node->stop;
done_testing();
