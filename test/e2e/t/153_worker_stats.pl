# What the worker counts and says of itself: worker_stats, and pg_stat_activity while it idles, claims, writes and rests.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('stats', preload => 1, model => $model, conf => "triage.max_attempts = 2\ntriage.poll_interval = 500ms",
	provider => { timeout_ms => 60000 });
my $stats = 'FROM triage.worker_stats WHERE slot = 0';

sub activity_is
{
	my ($wanted, $name, $state) = @_;
	return ok(wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND query ~ '$wanted' AND state = '$state'", 1, $name), $name);
}

################ counters ################

wait_for_worker($node);
is(sql($node, "SELECT type, claimed, written, runs_succeeded, wakes, wake_mean_ms IS NULL, started_at <= now(), bytes_sent $stats"),
	'triage worker|0|0|0|0|t|t|0', 'a worker that has done nothing');
activity_is('^0 calls in flight$', 'idle, it says so', 'idle');

add_tickets($node, 'one');
all_done($node);
wait_for($node, "SELECT written $stats", 1, 'the answer is counted');
is(sql($node, "SELECT claimed, written, runs_succeeded, wakes $stats"), '1|1|1|1', 'one ticket: one claim, one run, one result, one wake-up');
is(sql($node, "SELECT wake_mean_ms > 0 AND wake_mean_ms = wake_max_ms AND wake_max_ms < 60000 $stats"), 't', 'and how long the wake-up took');
is(sql($node, "SELECT bytes_sent > 1000 AND bytes_received > 100 $stats"), 't', 'and what went over the wire');
my ($sent, $received) = split /\|/, sql($node, "SELECT bytes_sent, bytes_received $stats");

add_tickets($node, map { "more$_" } 1 .. 3);
all_done($node);
wait_for($node, "SELECT written $stats", 4, 'the answers are counted');
is(sql($node, "SELECT wakes = 2 AND wake_max_ms >= wake_mean_ms $stats"), 't', 'three tickets of one commit are one wake-up');
is(sql($node, "SELECT bytes_sent > 3.5 * $sent AND bytes_received > 3.5 * $received $stats"), 't', 'four times the bytes');

add_tickets($node, [ 'bad', 'status=400' ], [ 'server', 'status=500' ], [ 'refuses', 'answer=refusal' ], [ 'nonsense', 'answer=notjson' ],
	[ 'busy', 'status=429 retry_after=1 times=1' ]);
all_done($node, what => 'every fault has been dealt with');
wait_for($node, "SELECT written $stats", 5, 'the throttled one has its answer');
is(sql($node, "SELECT runs_succeeded, runs_bad_request, runs_transient, runs_refused, runs_unusable_answer, runs_throttled, runs_account, runs_misconfigured, runs_lost $stats"),
	sql($node, q(SELECT string_agg(n::text, '|' ORDER BY o) FROM unnest('{succeeded,bad_request,transient,refused,unusable_answer,throttled,account,misconfigured,lost}'::text[])
		WITH ORDINALITY AS c (class, o), LATERAL (SELECT count(*) AS n FROM triage.ai_runs r WHERE r.outcome::text = c.class) x)),
	'by class it counts what the ledger of runs has');
is(sql($node, "SELECT failed, retried $stats"), '4|3', 'four were given up, after one retry of two of them; the throttled one went back once');

$model->config(latency_ms => $HELD);
add_tickets($node, 'edited');
$model->wait_for_requests(1, 'edited');
is(sql($node, "SELECT in_flight $stats"), 1, 'a call in the air');
activity_is('^1 calls in flight$', 'waiting for it, the worker is idle and says so', 'idle');
$model->config(latency_ms => 0);
sql($node, "UPDATE triage.tickets SET description = 'something else' WHERE external_id = 'TOKEN-edited'");
all_done($node);
wait_for($node, "SELECT stale, runs_stale $stats", '1|1', 'an answer that came too late');
ok(1, 'a stale answer is counted');

sql($node, q(SET triage.auto_triage = off; INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-lost', 'About TOKEN-lost')));
sql($node, q(INSERT INTO triage.ai_jobs (tenant_id, ticket_id, slot, fence, attempts, claimed_at, lease_until, provider)
	SELECT 'default', id, -1, 1, 1, now() - interval '2 minutes', now() - interval '1 minute', 'gone' FROM triage.tickets WHERE external_id = 'TOKEN-lost'));
all_done($node, what => 'the lost job has been found and done');
wait_for($node, "SELECT runs_lost $stats", '1', 'a lost call');
ok(1, 'a lease that ended is counted');

################ activity ################

my $hold = $node->background_psql('postgres');
$hold->query_safe('BEGIN; LOCK TABLE triage.ai_jobs IN EXCLUSIVE MODE');
sql($node, 'SELECT pg_reload_conf()');
activity_is('^claiming jobs; 0 calls in flight$', 'claiming, it says so', 'active');
$hold->query_safe('COMMIT');
$model->config(latency_ms => $HELD);
add_tickets($node, 'held');
$model->wait_for_requests(1, 'held');
$hold->query_safe('BEGIN; LOCK TABLE triage.ai_runs IN EXCLUSIVE MODE');
$model->release(latency_ms => 0);
activity_is('^writing answers; 0 calls in flight$', 'writing, it says so', 'active');
$hold->query_safe('COMMIT');
$hold->quit;
all_done($node);
activity_is('^0 calls in flight$', 'and then it idles again', 'idle');
$model->config(status => 401, latency_ms => 0);
add_tickets($node, 'refused');
activity_is('provider paused: .*401', 'a provider that is left alone is named with the reason', 'idle');
$node->stop;

################ without shared memory ################

my $plain = start_server('plain', model => $model);
$model->config(status => 0);
add_tickets($plain, 'plain');
all_done($plain);
is(sql($plain, "SELECT type, pid IS NOT NULL, started_at IS NOT NULL, slot IS NULL, claimed IS NULL, runs_succeeded IS NULL, wake_max_ms IS NULL FROM triage.worker_stats"),
	'triage worker|t|t|t|t|t|t', 'not preloaded: the process is there, nothing was counted');
$plain->stop;
done_testing();
