# What goes wrong for one ticket, tenant or session leaves the others alone.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('neighbours', preload => 1, model => $model, conf => "triage.poll_interval = '1s'");

################ a lock in one tenant ################

sql($node, q(SELECT triage.create_tenant('other')));
my $admin = $node->background_psql('postgres');
$admin->query_safe(q(BEGIN; DELETE FROM triage.ticket_categories WHERE tenant_id = 'other' AND category = 'billing'));
sql($node, q(SET triage.tenant = 'other';
	INSERT INTO triage.tickets (subject, description, external_id) VALUES ('TOKEN-other', '[[fake category=billing]]', 'other')));
add_tickets($node, map { "mine$_" } 1 .. 40);
wait_for($node, q(SELECT count(*) FROM triage.ticket_ai_results WHERE tenant_id = 'default'), 40,
	'the results of a tenant that holds no lock');
pass('an open transaction on a category of one tenant does not stop the results of another');
is(sql($node, q(SELECT count(*) FROM triage.ticket_ai_results WHERE tenant_id = 'other')), 0, 'its own ticket waits');
$admin->query_safe('ROLLBACK');
$admin->quit;
wait_for($node, q(SELECT draft_reply ~ 'TOKEN-other' FROM triage.ticket_ai_results WHERE tenant_id = 'other'), 't',
	'the answer that waited for the lock');
is($model->requests, 41, 'and nothing was asked twice');

################ a tenant without a prompt ################

sql($node, q(UPDATE triage.prompts SET is_active = false WHERE tenant_id = 'other'));
my $position = log_position($node);
sql($node, q(SET triage.tenant = 'other';
	INSERT INTO triage.tickets (subject, description, external_id) VALUES ('TOKEN-prompt', 'x', 'prompt')));
wait_until(sub { return log_since($node, $position) =~ /tenant "other" has no active prompt/ }, 'the log to say so');
wait_for($node, q(SELECT attempts FROM triage.ai_jobs WHERE tenant_id = 'other' AND lease_until IS NULL), 0,
	'the job to go back with its attempt');
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 0, 'a ticket without a prompt is no dead letter');
sql($node, q(INSERT INTO triage.prompts (tenant_id, kind, version, system_text) VALUES ('other', 'triage', 2, 'Sort.');
	UPDATE triage.ai_jobs SET run_at = now() WHERE tenant_id = 'other'; SELECT triage.wake_worker()));
wait_for($node, q(SELECT prompt_version FROM triage.ai_runs WHERE tenant_id = 'other' ORDER BY id DESC LIMIT 1), 2,
	'a run with the new prompt');
pass('it is answered with the new version, once there is one');

################ a cancelled worker ################

my $pid = worker_pid($node);
is(sql($node, "SELECT pg_cancel_backend($pid)"), 't', 'a cancel is sent to the worker');
add_tickets($node, 'cancelled');
all_done($node);
is(worker_pid($node), $pid, 'and leaves it at work');

################ a one-shot worker whose last job fails ################

sql($node, 'SELECT triage.worker_stop()');
wait_until(sub { return worker_pid($node) eq '' }, 'no worker');
add_tickets($node, [ 'again', 'status=500 times=1' ]);
is(sql($node, q(SET statement_timeout = '30s'; SELECT triage.run_pending(1, true))), 1,
	'a one-shot worker ends when its last job goes back to the queue');
is(sql($node, q(SELECT outcome FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-again')),
	'transient', 'whose failure it wrote');

################ stop and start in one breath ################

sql($node, 'SELECT triage.worker_start()');
# the job above goes first: its second call must not be in the air together with a round's own
all_done($node);
for my $round (1 .. 3)
{
	$model->config(latency_ms => $HELD);
	add_tickets($node, "breath$round");
	$model->wait_for_in_flight(1);
	$model->config(latency_ms => 0);
	sql($node, 'SELECT triage.worker_stop()');
	sql($node, 'SELECT triage.worker_start()');
	# either the worker was gone in between and the call is made again, or it never noticed and is still waiting
	wait_for($node, q(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker'), 1, 'a worker');
	wait_until(sub { $model->release; return sql($node, 'SELECT count(*) FROM triage.ai_jobs') == 0 }, "the job of round $round");
	pass("round $round: after worker_stop() and worker_start() one runs");
}
ledger_is_sound($node, 'in the end');

$node->stop;
done_testing();
