# A budget holds: against fifty claimers at once, in the worker, over a crash, and from one period to the next.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

# One output token costs 1 EUR, an answer has 1000 at most, input is next to nothing: a call costs some 1000 EUR at most.
my $model = start_model(latency_ms => 10);
my $node = start_server('budget', preload => 1, model => $model, conf => "max_connections = 100\ntriage.max_in_flight = 20",
	provider => { timeout_ms => 60000 });

sub status
{
	my ($columns) = @_;
	return sql($node, "SELECT $columns FROM triage.budget_status WHERE tenant IS NULL AND period = 'month'");
}

# What was spent is what the runs say, nothing is reserved once all is quiet, and the limit holds.
sub money_is_sound
{
	my ($name, $unsettled) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(sql($node, <<'SQL'), 't|t|' . ($unsettled // 0) . '|t', "$name: the budget is the sum of the runs, and was kept");
SELECT s.spent = (SELECT sum(r.cost) FROM triage.ai_runs r WHERE r.currency = 'EUR'), s.reserved = 0,
		(SELECT count(*) FROM triage.budget_reservations), s.remaining >= 0
	FROM triage.budget_status s WHERE s.tenant IS NULL AND s.period = 'month'
SQL
}

# What the worker says that it does.
sub wait_for_activity
{
	my ($pattern, $what) = @_;

	return wait_until(
		sub {
			my $seen = sql($node, q(SELECT string_agg(activity, ' ') FROM triage.worker_status WHERE type = 'triage worker'));
			return (scalar($seen =~ $pattern), $seen);
		}, $what);
}

################################################ no bound, no call ################################################

sql($node, q(UPDATE triage.providers SET enabled = false WHERE name = 'builtin'));
my $position = log_position($node);
sql($node, q(SELECT triage.set_budget('month', 1000000, 'EUR')));
add_tickets($node, 'unbounded');
wait_for_activity(qr/provider "fake" has no price, and so no place under a budget/, 'the worker says why it does not call');
is(sql($node, q(SELECT uncovered_providers, exhausted FROM triage.budget_status)), '{fake}|f', 'so does budget_status');
like(log_since($node, $position), qr/WARNING:  triage calls are held back by a budget: provider "fake" has no price/, 'and the log');
sql($node, q(SELECT triage.set_price('fake-*', 0.01, 1000000, 'EUR', cached_input => 0.001)));
wait_for_activity(qr/has no limit of output tokens/,
	'a price alone is no bound');
is($model->requests, 0, 'nothing was asked');
sql($node, q(SELECT triage.set_output_limit('fake', 1000)));
all_done($node, what => 'with both the call is made');
money_is_sound('the first call');
is(sql($node, q(SELECT currency, price->>'output', cost BETWEEN 1 AND 1000 FROM triage.ai_runs)), 'EUR|1000000|t', 'its run has cost, currency and price');

################################################ fifty claimers ################################################

sql($node, q(SELECT triage.worker_stop()));
wait_for_worker($node, 0);
add_tickets($node, map { "many$_" } 1 .. 200);
my $amount = sql($node, q(BEGIN; SELECT FROM triage.claim_jobs(1, '1 hour', 'fake'); SELECT max(amount) FROM triage.budget_reservations; ROLLBACK));
cmp_ok($amount, '>', 1000, "a call costs $amount at most");
sql($node, "SELECT triage.set_budget('month', s.spent + 10 * $amount + 0.000001, 'EUR') FROM triage.budget_status s");
my @sessions = map { start_sql($node, q(SELECT job_id, fence FROM triage.claim_jobs(1, '1 hour', 'fake'))) } 1 .. 50;
my @claims = grep { $_ ne '' } map { $_->() } @sessions;
is(scalar @claims, 10, 'of fifty claimers at once ten have a job each, since the budget covers ten calls');
is(status("reserved > 9.9 * $amount, remaining >= 0, exhausted"), 't|t|t', 'all of it is reserved, and not more');
is(sql($node, q(SELECT count(*) FROM triage.ai_jobs WHERE attempts > 0)), 10, 'the others counted no try');

@sessions = map {
	my ($job, $fence) = split /\|/;
	start_sql($node, "SELECT triage.fail_job($job, $fence, 'throttled', 'not called')")
} @claims;
$_->() for @sessions;
money_is_sound('claims given back');

# each claims up to ten, and finishes some of what it has, over and over
my $spent_before = sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded'));
my $external = external_worker(10, 'fake-model', '700 + (random() * 300)::int');
@sessions = map { start_sql($node, $external) } 1 .. 16;
$_->() for @sessions;
cmp_ok(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded')), '>', $spent_before, 'sixteen workers spend at once');
money_is_sound('sixteen workers');

################################################ the worker ################################################

# stops at the limit, goes on when it is raised
sql($node, q(UPDATE triage.ai_jobs SET run_at = now() WHERE lease_until IS NULL));
sql($node, "SELECT triage.set_budget('month', s.spent + 6 * $amount, 'EUR') FROM triage.budget_status s");
$model->reset;
sql($node, q(SELECT triage.worker_start()));
wait_for_activity(qr/provider paused: the budget is used up, until \d{4}-\d\d-01 00:00:00\+00/,
	'the worker comes to the limit and says until when it waits');
money_is_sound('at the limit');
is(status('exhausted'), 't', 'the budget is exhausted');
my $requests = $model->requests;
cmp_ok($requests, '>=', 6, "it made use of what its calls did not cost ($requests calls)");
my $waiting = sql($node, q(SELECT count(*) FROM triage.ai_jobs));
cmp_ok($waiting, '>', 0, "$waiting jobs wait");
is(sql($node, q(SELECT count(*) FROM triage.ai_jobs WHERE attempts > 0 OR lease_until IS NOT NULL)), 0, 'without a try counted');

# it does not go round in circles meanwhile
my $claims_before = sql($node, q(SELECT claimed FROM triage.worker_counters()));
my $fences = sql($node, q(SELECT sum(fence) FROM triage.ai_jobs));
add_tickets($node, map { "more$_" } 1 .. 20);
wait_for($node, q(SELECT count(*) FROM triage.ai_jobs), $waiting + 20, 'twenty more tickets wait');
is($model->requests, $requests, 'no call was made for them');
is(sql($node, q(SELECT claimed FROM triage.worker_counters())), $claims_before, 'nor a claim');
is(sql($node, q(SELECT sum(fence) FROM triage.ai_jobs)), $fences, 'nor one tried');

sql($node, q(SELECT triage.set_budget('month', 100000000, 'EUR')));
all_done($node, what => 'a higher limit is work for the worker at once');
money_is_sound('after the limit was raised');
ledger_is_sound($node, 'after the limit was raised');

# with one-shot workers and external ones beside it the limit holds as well
sql($node, "SELECT triage.set_budget('month', s.spent + 3 * $amount, 'EUR') FROM triage.budget_status s");
add_tickets($node, map { "shared$_" } 1 .. 150);
@sessions = map { start_sql($node, q(SELECT triage.run_pending(60, wait => true))) } 1 .. 3;
push @sessions, map { start_sql($node, $external) } 1 .. 8;
$_->() for @sessions;
wait_for_activity(qr/the budget is used up/, 'everybody together comes to the limit');
money_is_sound('all kinds of claimers');
cmp_ok(sql($node, q(SELECT count(*) FROM triage.ai_jobs)), '>', 0, 'and jobs wait');
sql($node, q(SELECT triage.set_budget('month', 100000000, 'EUR')));
all_done($node, what => 'a higher limit again');
ledger_is_sound($node, 'all kinds of claimers');

# a call that nobody waits for any more is cut off, and who knows what was billed
$model->config(latency_ms => $HELD);
add_tickets($node, 'edited', 'deleted');
$model->wait_for_in_flight(2);
cmp_ok(status('reserved'), '>=', 2000, 'two calls under way are reserved');
$model->config(latency_ms => 10);
sql($node, q(UPDATE triage.tickets SET description = description || ' changed' WHERE external_id = 'TOKEN-edited'));
sql($node, q(DELETE FROM triage.tickets WHERE external_id = 'TOKEN-deleted'));
wait_for($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'stale' AND cost IS NULL), 2, 'both calls are cut off');
all_done($node);
money_is_sound('withdrawn calls', 2);
sql($node, q(SELECT triage.write_off('month')));

################################################ faults ################################################

add_tickets($node, [ 'busy', 'status=429 times=1' ], [ 'broken', 'status=500 times=1' ], [ 'cut', 'cut=1 times=1' ], [ 'bad', 'status=400' ],
	[ 'junk', 'answer=notjson times=1' ]);
all_done($node, what => 'faults');
is(sql($node, <<'SQL'), 'transient|1', 'of these only the call that was cut short may have been billed without being counted');
SELECT r.outcome, count(*) FROM triage.budget_reservations b JOIN triage.ai_runs r ON r.tenant_id = b.tenant AND r.job_id = b.job AND r.fence = b.fence
	WHERE b.unsettled_since IS NOT NULL GROUP BY 1
SQL
money_is_sound('faults', 1);
cmp_ok(status('unsettled'), '>=', 1000, 'it is shown as unsettled');
cmp_ok(sql($node, q(SELECT triage.write_off('month'))), '>=', 1000, 'and can be written off');
money_is_sound('written off');

################################################ a crash ################################################

$model->config(latency_ms => $HELD);
add_tickets($node, map { "crash$_" } 1 .. 5);
$model->wait_for_in_flight(5);
my $reserved = status('reserved');
$model->config(latency_ms => 10);
kill_worker($node);
all_done($node, what => 'after the crash');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'lost')), 5, 'five runs are lost');
is(status('unsettled'), $reserved, 'and what they had reserved is unsettled: a crash releases nothing');
money_is_sound('a crash', 5);

# a server that stops gives its jobs back, but who knows what was billed
sql($node, q(SELECT triage.write_off('month')));
$model->config(latency_ms => $HELD);
add_tickets($node, 'stopped');
$model->wait_for_in_flight(1);
$model->config(latency_ms => 10);
$node->restart;
all_done($node, what => 'after the restart');
money_is_sound('a restart', 1);
sql($node, q(SELECT triage.write_off('month')));

################################################ builtin ################################################

# ranked after the provider, it serves what the budget leaves nothing for; a tenant's budget is that tenant's
sql($node, q(SELECT triage.create_tenant('small')));
sql($node, q(SELECT triage.set_budget('day', 0, 'EUR', tenant => 'small')));
$requests = $model->requests;
sql($node, q(INSERT INTO triage.tickets (tenant_id, external_id, description) VALUES ('small', 'TOKEN-held', 'TOKEN-held')));
add_tickets($node, 'free');
wait_for($node, q(SELECT string_agg(t.external_id, ' ') FROM triage.ai_jobs j JOIN triage.tickets t ON t.tenant_id = j.tenant_id AND t.id = j.ticket_id),
	'TOKEN-held', 'a tenant whose budget is used up waits, another does not');
wait_for_activity(qr/a tenant's budget is used up, until \d{4}-\d\d-\d\d 00:00:00\+00/, 'and the worker says so');
is($model->requests, $requests + 1, 'one call was made');
sql($node, q(UPDATE triage.providers SET enabled = true, rank = 999 WHERE name = 'builtin'));
all_done($node, what => 'builtin takes it');
is(sql($node, q(SELECT provider, outcome, cost FROM triage.ai_runs WHERE tenant_id = 'small')), 'builtin|succeeded|0', 'and it costs nothing');
add_tickets($node, 'still_paid');
all_done($node);
is(sql($node, q(SELECT r.provider FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-still_paid')), 'fake',
	'the other tenant\'s calls go on');
sql($node, q(SELECT triage.set_budget('month', 0, 'EUR')));
add_tickets($node, map { "last$_" } 1 .. 30);
all_done($node, what => 'the budget of all is used up: builtin takes everything');
is(sql($node, q(SELECT DISTINCT r.provider FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id ~ 'TOKEN-last')), 'builtin', 'all of it');

# what is left is something, but covers no job that is there
sql($node, q(UPDATE triage.providers SET enabled = false WHERE name = 'builtin'));
sql($node, q(SELECT triage.drop_price('fake-*')));
sql($node, q(SELECT triage.set_price('fake-*', 1000000, 0.01, 'EUR')));
sql($node, q(SELECT triage.set_budget('month', s.spent + s.unsettled + triage.least_request_tokens() + 100, 'EUR') FROM triage.budget_status s WHERE s.tenant IS NULL));
$requests = $model->requests;
add_tickets($node, 'too_dear');
wait_for_activity(qr/what is left of the budget covers none of the jobs that are due/, 'less than one job is left');
is(status('exhausted'), 'f', '(though a shorter one could be called)');
is(sql($node, q(SELECT attempts, lease_until IS NULL FROM triage.ai_jobs)), '0|t', 'the job waits, without a try counted');
sql($node, q(UPDATE triage.providers SET enabled = true, rank = 999 WHERE name = 'builtin'));
all_done($node, what => 'builtin takes it');
is($model->requests, $requests, 'no call was made');
sql($node, q(SELECT triage.set_price('fake-*', 0.01, 1000000, 'EUR')));

################################################ periods ################################################

# what was taken in another period does not count in this one
sql($node, q(UPDATE triage.providers SET enabled = false WHERE name = 'builtin'));
sql($node, q(SELECT triage.set_budget('month', 2000, 'EUR')));
sql($node, q(UPDATE triage.budget_usage SET spent = 1500 WHERE budget = (SELECT id FROM triage.budgets WHERE period = 'month')));
add_tickets($node, 'next_month');
wait_for_activity(qr/the budget is used up/, 'this month there is nothing left');
sql($node, q(UPDATE triage.budget_usage SET period_start = period_start - interval '1 month' WHERE budget = (SELECT id FROM triage.budgets WHERE period = 'month')));
sql($node, q(SELECT triage.worker_start()));
all_done($node, what => 'in the next there is');
is(status('spent = (SELECT r.cost FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = \'TOKEN-next_month\')'), 't',
	'and it begins with that call');

$node->stop;
unlike(log_since($node, $position), qr/PANIC|deadlock/, 'no deadlock came of it');
done_testing();
