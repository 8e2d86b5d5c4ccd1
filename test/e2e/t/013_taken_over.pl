# A worker that was held up (stopped, swapped out, suspended with its machine) comes back with answers to claims that others
# have taken over meanwhile: one by another worker of ours, which has finished it, one by an external worker, which has not.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('takenover', preload => 1, model => $model);
my $answer = q('{"category": "billing", "urgency": "low", "sentiment_score": 3, "draft_reply": "This is about TOKEN-outside."}');

sub runs_of
{
	my ($token) = @_;
	return sql($node, 'SELECT string_agg(provider || \' \' || outcome, \', \' ORDER BY id) FROM triage.ai_runs WHERE ticket_id = ' . id_of($node, $token));
}

add_tickets($node, [ 'oneshot', 'latency=800' ], [ 'outside', 'latency=800' ], [ 'kept', 'latency=800' ]);
$model->wait_for_in_flight(3);
my $worker = worker_pid($node);
kill 'STOP', $worker or die;
$model->wait_for_in_flight(0);			# the answers are on their way to a worker that does not read them

# its leases end, but for one
sql($node, q(UPDATE triage.ai_jobs j SET lease_until = clock_timestamp() - interval '1 ms' FROM triage.tickets t
	WHERE t.id = j.ticket_id AND t.external_id IN ('TOKEN-oneshot', 'TOKEN-outside')));
my $outside = id_of($node, 'outside');
# the other one is not due meanwhile
sql($node, "UPDATE triage.ai_jobs SET run_at = now() + interval '1 hour' WHERE ticket_id = $outside");
is(sql($node, 'SELECT triage.run_pending(1, true)'), 1, 'another worker takes over one of the jobs and finishes it');
sql($node, "UPDATE triage.ai_jobs SET run_at = now() WHERE ticket_id = $outside");
is(sql($node, 'SELECT triage.reap_jobs()'), 1, 'the lease of the other has ended, too');
sql($node, "UPDATE triage.ai_jobs SET run_at = now() WHERE ticket_id = $outside");
my ($job, $fence) = split /\|/, sql($node, q(SELECT job_id, fence FROM triage.claim_jobs(10, '1 hour', 'outside')));
is($fence, 2, 'an external worker takes it over, with the next fence');

kill 'CONT', $worker or die;
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'kept'), 'processed', 'the worker goes on');
wait_for($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'stale'), 2, 'the late answers have their runs');
is(worker_pid($node), $worker, 'it is the same worker');
is(runs_of('kept'), 'fake succeeded', 'the answer to a claim that is still its own counts');
is(runs_of('oneshot'), 'fake lost, fake succeeded, fake stale', 'the late answer to a job that is done is stale');
is(sql($node, 'SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = ' . id_of($node, 'oneshot')), 1, 'and its result is that of who took over');
is(runs_of('outside'), 'fake lost, fake stale', 'the late answer to a job in other hands is stale too');
is(sql($node, "SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = $outside"), 0, 'nothing of it is stored');
is(sql($node, "SELECT fence, lease_until > now() FROM triage.ai_jobs WHERE ticket_id = $outside"), '2|t', 'and the job stays in those hands');
is(sql($node, "SELECT triage.complete_job($job, $fence, $answer)"), 't', 'whose answer counts');
all_done($node);
ledger_is_sound($node, 'taken over');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE provider = 'fake' AND outcome <> 'lost')), $model->requests, 'each answer of the model has its run');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING|deadlock/, 'the server log is clean');
done_testing();
