# Several claimers at once, in C and in SQL: each job is done once, and the fence decides whose answer counts.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $TICKETS = 2000;
my $model = start_model(jitter_ms => 15);
my $node = start_server('workers', preload => 1, model => $model, conf => 'triage.max_in_flight = 64', provider => { timeout_ms => 60000 });

################ the resident worker beside one-shot workers ################

sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, <<SQL);
INSERT INTO triage.tickets (external_id, subject, description, priority)
	SELECT 'TOKEN-w' || i, 'About TOKEN-w' || i, 'TOKEN-w' || i,
			(enum_range(NULL::triage.ticket_priority))[1 + i % 4]
		FROM generate_series(1, $TICKETS) i
SQL
# each has begun before the first answer comes
$model->config(latency_ms => $HELD);
my @oneshots = map { start_sql($node, 'SELECT triage.run_pending(300, true)') } 1 .. 3;
$model->wait_for_in_flight(3 * 64);
sql($node, 'SELECT triage.worker_start()');
$model->release(latency_ms => 20);
my @worked = map { $_->() } @oneshots;
all_done($node, what => "$TICKETS jobs");
ledger_is_sound($node, 'four workers');
is($model->requests, $TICKETS, 'no job was asked about twice');
is(sql($node, "SELECT count(*), count(DISTINCT ticket_id), count(*) FILTER (WHERE outcome = 'succeeded') FROM triage.ai_runs"),
	join('|', ($TICKETS) x 3), 'one run each');
is(sql($node, 'SELECT count(*), count(*) FILTER (WHERE superseded_at IS NULL) FROM triage.ticket_ai_results'), "$TICKETS|$TICKETS", 'one result each');
is(sql($node, 'SELECT written FROM triage.worker_counters() WHERE slot = 0') + $worked[0] + $worked[1] + $worked[2],
	$TICKETS, "the resident worker and the one-shots (@worked) share them without overlap");
is(scalar(grep { $_ > 0 && $_ <= 300 } @worked), 3, 'each one-shot did some, and none more than it was told');

################ an external worker, in SQL ################

sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
add_tickets($node, map { "ext$_" } 1 .. 6);
my $before = sql($node, 'SELECT max(id) FROM triage.ai_runs');
my $answer = q('{"category": "billing", "urgency": "high", "sentiment_score": 3, "draft_reply": "About %s, thank you.", "confidence": 0.5}');

my @claimed = map { [ split /\|/ ] } split /\n/, sql($node,
	q(SELECT job_id, fence, ticket_id, attempts, ticket_version, subject FROM triage.claim_jobs(3, '1 hour', 'outside') ORDER BY job_id));
is_deeply([ map { "@$_[1, 3, 4]" } @claimed ], [ ('1 1 1') x 3 ], 'claim_jobs() claims, with a fence and a counted attempt');
like($claimed[0][5], qr/About TOKEN-ext/, 'and gives the text');
is(sql($node, q(SELECT count(*) FROM triage.claim_jobs(100, '1 hour', 'other'))), 3, 'another claimer gets the others');
is(sql($node, q(SELECT count(*) FROM triage.claim_jobs(100))), 0, 'and then there are none');

# in time
my ($job, $fence, $ticket) = @{ $claimed[0] };
my $good = sprintf($answer, 'TOKEN-ext');
is(sql($node, "SELECT triage.complete_job($job, $fence + 1, $good)"), 'f', 'complete_job() with a fence that never was is refused');
is(sqlstate($node, "SELECT triage.complete_job($job, $fence, '{\"category\": \"no such\"}')"), '22023', 'and an answer that is not usable');
is(sqlstate($node, "SELECT triage.complete_job($job, $fence, NULL)"), '22004', 'and none at all');
is(sql($node, "SELECT triage.complete_job($job, $fence, " . sprintf($answer, sql($node, "SELECT external_id FROM triage.tickets WHERE id = $ticket")) . ", 'outer-model', 100, 40, 20)"),
	't', 'complete_job() with the right one is accepted');
is(sql($node, "SELECT triage.complete_job($job, $fence, $good)"), 'f', 'but once');
is(sql($node, <<SQL), 'succeeded|outside|outer-model|100|40|20|billing|high|3|0.50|billing|high', 'run, result and ticket are written as by the worker');
SELECT n.outcome, n.provider, n.model, n.input_tokens, n.cached_tokens, n.output_tokens, r.category, r.urgency, r.sentiment_score,
		r.confidence, t.category, t.priority
	FROM triage.ai_runs n JOIN triage.ticket_ai_results r ON r.run_id = n.id JOIN triage.tickets t ON t.id = r.ticket_id
	WHERE n.ticket_id = $ticket AND n.id > $before
SQL

# too late
sql($node, 'UPDATE triage.ai_jobs SET lease_until = now() WHERE id IN (' . join(', ', map { $_->[0] } @claimed[ 1, 2 ]) . ')');
is(sql($node, 'SELECT triage.reap_jobs()'), 2, 'reap_jobs() returns both to the queue');
is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE id > $before AND outcome = 'lost' AND cost IS NULL"), 2, 'each leaves a lost run');
my @again = map { [ split /\|/ ] } split /\n/, sql($node,
	q(SELECT job_id, fence, ticket_id, attempts FROM triage.claim_jobs(10, '1 hour', 'second') ORDER BY job_id));
is_deeply([ map { "@$_[0, 1, 3]" } @again ], [ map { "$_->[0] 2 2" } @claimed[ 1, 2 ] ], 'another takes over, with the next fence');
is(sql($node, "SELECT triage.complete_job($claimed[1][0], $claimed[1][1], $good)"), 'f', 'the late answer of the first is refused');
is(sql($node, "SELECT triage.fail_job($claimed[1][0], $claimed[1][1], 'transient', 'late')"), 'stale', 'and so is its failure');
is(sql($node, "SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = $claimed[1][2]"), 0, 'nothing of it was stored');
is(sql($node, "SELECT triage.complete_job($again[0][0], $again[0][1], " . sprintf($answer, sql($node, "SELECT external_id FROM triage.tickets WHERE id = $again[0][2]")) . ')'),
	't', 'the answer of the second counts');

# fail_job
is(sql($node, "SELECT triage.fail_job($again[1][0], $again[1][1], 'transient', 'it rained')"), 'retry', 'fail_job(): a passing failure is tried again');
is(sql($node, "SELECT state, class, message, attempts FROM triage.ai_failures WHERE ticket_id = $again[1][2]"), 'retrying|transient|it rained|2', 'and seen');
is(sqlstate($node, "SELECT triage.fail_job($again[1][0], 2, 'succeeded', 'no')"), '22023', 'a job cannot fail with success');
my $third = wait_until(sub { my $row = sql($node, q(SELECT job_id || '|' || fence FROM triage.claim_jobs(1, '1 hour', 'third'))); return ($row, 'none due') },
	'the retry is due');
is($third, "$again[1][0]|3", 'it is claimed once more');
is(sql($node, "SELECT triage.fail_job($again[1][0], 3, 'refused', 'it would not')"), 'failed', 'fail_job(): one that will not pass is given up');
is(sql($node, "SELECT class, message, attempts FROM triage.ai_dead_letters WHERE ticket_id = $again[1][2]"), 'refused|it would not|3', 'as a dead letter');
is(sqlstate($node, q(SELECT * FROM triage.claim_jobs(0))), '22023', 'claim_jobs(0) is refused');
is(sqlstate($node, q(SELECT * FROM triage.claim_jobs(129))), '22023', 'and more than a batch');
is(sqlstate($node, q(SELECT * FROM triage.claim_jobs(1, '1 ms'))), '22023', 'and a lease that cannot be kept');

# what an external worker let go, the worker takes up by itself; what it still holds, not
add_tickets($node, 'dropped');
is(sql($node, q(SELECT count(*) FROM triage.claim_jobs(1, '1 second', 'outside'))), 1, 'claimed from outside and dropped');
my $requests = $model->requests;
sql($node, 'SELECT triage.worker_start()');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'dropped'), 'processed', 'the worker takes over', limit => 20);
is(sql($node, 'SELECT string_agg(provider || \' \' || outcome, \', \' ORDER BY id) FROM triage.ai_runs WHERE ticket_id = ' . id_of($node, 'dropped')),
	'outside lost, fake succeeded', 'the worker takes over what an external one dropped');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until > now()'), 3, 'and leaves alone what another still holds');
is($model->requests, $requests + 1, 'with one call');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING|deadlock|could not (?!send data to client)/, 'the server log is clean');
done_testing();
