# Replies name the model that answered.  When that is dearer than the one that was asked, calls that are claimed from then on
# reserve its price, whoever claims them; and what a reply says it cost counts where no price is known.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

# One output token costs 1 EUR, an answer has 1000 at most, input is next to nothing: a call costs some 1000 EUR at most.
my $model = start_model(latency_ms => 10);
my $node = start_server('models', preload => 1, model => $model, conf => "max_connections = 100\ntriage.max_in_flight = 20");

sub status
{
	my ($columns) = @_;
	return sql($node, "SELECT $columns FROM triage.budget_status");
}

# The limit is passed by what is counted as excess, and by no more.
sub money_is_sound
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(sql($node, <<'SQL'), 't|t|t|0|t', "$name: the budget is the sum of the runs, and passed by the excess at most");
SELECT s.spent = (SELECT sum(r.cost) FROM triage.ai_runs r), s.reserved = 0, s.unsettled = 0, (SELECT count(*) FROM triage.budget_reservations),
		s.remaining + s.excess >= 0
	FROM triage.budget_status s
SQL
}

sub claim_at_once
{
	my ($count) = @_;
	my @sessions = map { start_sql($node, q(SELECT job_id, fence FROM triage.claim_jobs(1, '1 hour', 'fake'))) } 1 .. $count;

	return grep { $_ ne '' } map { $_->() } @sessions;
}

sub complete
{
	my ($claim, $as, $tokens) = @_;
	my ($job, $fence) = split /\|/, $claim;

	return start_sql($node, <<"SQL");
SELECT triage.complete_job($job, $fence, '{"category": "billing", "urgency": "low", "sentiment_score": 3, "draft_reply": "x"}', '$as', 100, 50, $tokens)
SQL
}

sql($node, <<'SQL');
UPDATE triage.providers SET enabled = false WHERE name = 'builtin';
SELECT triage.set_price('fake-*', 0.01, 1000000, 'EUR'), triage.set_price('large-*', 0.1, 10000000, 'EUR'), triage.set_price('huge-*', 1, 100000000, 'EUR');
SELECT triage.set_output_limit('fake', 1000), triage.set_budget('month', 1e12, 'EUR'), triage.worker_stop();
SQL
wait_for_worker($node, 0);
add_tickets($node, map { "many$_" } 1 .. 200);

################################################ the first that is dearer ################################################

my $amount = sql($node, q(BEGIN; SELECT FROM triage.claim_jobs(1, '1 hour', 'fake'); SELECT max(amount) FROM triage.budget_reservations; ROLLBACK));
sql($node, "SELECT triage.set_budget('month', 10 * $amount + 0.001, 'EUR')");
my @claims = claim_at_once(50);
is(scalar @claims, 10, 'of fifty claimers ten have a job each, at the price of the model that is asked for');
is(complete(shift @claims, 'large-1', 1000)->(), 't', 'the first answer comes from a dearer one');
is(status('excess > 8.9 * 1000 AND excess < 9.1 * 1000, spent > 9990, excess_at IS NOT NULL'), 't|t|t', 'what it cost beyond its reservation is counted');
is(status("reserved > 89 * $amount, remaining < 0, exhausted"), 't|t|t', 'the calls under way are taken to cost as much');
is(sql($node, q(SELECT provider, asked_model, model FROM triage.provider_models)), 'fake|fake-model|large-1', 'it is remembered');
is(claim_at_once(50), 0, 'fifty claimers have no job any more');
like(sql($node, q(SELECT level || ' ' || what FROM triage.health() WHERE check_name = 'budgets')), qr/^critical .*; 8999\.\d+ EUR were spent beyond what calls had reserved/,
	'health() tells');
is(sql($node, q(SELECT detail FROM triage.doctor() WHERE finding = 'dearer model')),
	'provider fake is asked for model fake-model and answers as large-1, which costs more: under a budget its calls reserve as much', 'so does doctor()');
$_->() for map { complete($_, 'large-1', 1000) } @claims;
money_is_sound('all have answered');
is(status('excess > 89 * 1000 AND excess < 91 * 1000'), 't', 'the excess is what was not reserved when they were claimed');

################################################ and those after it ################################################

my $excess = status('excess');
my $dear = sql($node, q(SELECT triage.set_budget('month', 1e12, 'EUR'); BEGIN; SELECT FROM triage.claim_jobs(1, '1 hour', 'fake'); SELECT max(amount) FROM triage.budget_reservations; ROLLBACK));
$dear =~ s/\s//g;
cmp_ok($dear, '>', 9.9 * $amount, "a call is reserved for at $dear");
sql($node, "SELECT triage.set_budget('month', s.spent + 3.5 * $dear, 'EUR') FROM triage.budget_status s");
@claims = claim_at_once(50);
is(scalar @claims, 3, 'of fifty claimers three have a job each, at the price of the model that answers');
$_->() for map { complete($_, 'large-1', 1000) } @claims;
money_is_sound('the dearer model is known');
is(status('remaining >= 0'), 't', 'the limit holds');
is(status('excess'), $excess, 'nothing was spent that was not reserved');

################################################ learnt while others claim ################################################

# 24 sessions claim and answer over and over as a model that is dearer still: at most one call of each was claimed before
# the first of them was written
my $external = external_worker(1, 'huge-1', 1000);
sql($node, "SELECT triage.set_budget('month', s.spent + 1000 * $dear, 'EUR') FROM triage.budget_status s");
$_->() for map { start_sql($node, $external) } 1 .. 24;
my $calls = sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE model = 'huge-1'));
cmp_ok($calls, '>', 48, "$calls calls were made");
money_is_sound('24 sessions');
cmp_ok(status("ceil((excess - $excess) / 90000)"), '<=', 24, 'only the calls that were claimed before the first answer had reserved less');

################################################ the worker ################################################

# asked for another model, it starts anew
sql($node, q(SELECT triage.set_price('small-*', 0.01, 1000000, 'EUR')));
use_model($node, $model, model => 'small-model');
sql($node, "SELECT triage.set_budget('month', s.spent + 1.5 * $amount, 'EUR') FROM triage.budget_status s");
sql($node, q(DELETE FROM triage.ai_jobs));
add_tickets($node, [ 'as_large', 'model=large-1' ]);
sql($node, q(SELECT triage.worker_start()));
all_done($node, what => 'the worker asks for the small one');
is(sql($node, q(SELECT string_agg(model, ' ') FROM triage.provider_models WHERE asked_model = 'small-model')), 'large-1', 'and remembers what answered');
sql($node, "SELECT triage.set_budget('month', s.spent + 5 * $amount, 'EUR') FROM triage.budget_status s");
add_tickets($node, [ 'held', 'model=large-1' ]);
wait_until(
	sub {
		my $seen = sql($node, q(SELECT string_agg(activity, ' ') FROM triage.worker_status WHERE type = 'triage worker'));
		return (scalar($seen =~ /the budget is used up/), $seen);
	}, 'what covers five calls of the small one covers none of the large one');
sql($node, "SELECT triage.set_budget('month', s.spent + 11 * $amount, 'EUR') FROM triage.budget_status s");
all_done($node, what => 'what covers one is enough');
is(status("remaining >= 0"), 't', 'and the limit holds');

################################################ what a reply says it cost ################################################

sql($node, q(SELECT triage.drop_budget('month')));
sql($node, q(SELECT triage.drop_price(m.model_pattern) FROM triage.model_prices m));
add_tickets($node, [ 'charged', 'cost=0.00021' ], [ 'negative', 'cost=-1' ], [ 'untold', '' ]);
all_done($node, what => 'no price is known');
is(sql($node, <<'SQL'), "charged|0.00021|USD|t\nnegative|||t\nuntold|||t", 'a run costs what its reply says, in USD, or nobody knows what');
SELECT substr(t.external_id, 7), r.cost, r.currency, r.price IS NULL
	FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id ~ 'charged|negative|untold' ORDER BY 1
SQL
sql($node, q(SELECT triage.set_price('small-*', 0, 1000000, 'USD'), triage.set_budget('month', 1e12, 'USD')));
add_tickets($node, [ 'both', 'cost=0.5' ]);
all_done($node, what => 'a price is known');
is(sql($node, q(SELECT r.cost = r.output_tokens, r.price->>'model' FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-both')),
	't|small-*', 'then it counts, and not what the reply says');
money_is_sound_in_usd('a price');

# the price goes while the call is in the air: the budget takes what the reply says
add_tickets($node, [ 'repriced', 'cost=0.5 latency=1500' ]);
$model->wait_for_in_flight(1);
cmp_ok(status('reserved'), '>=', 1000, 'reserved at the price');
sql($node, q(SELECT triage.drop_price('small-*')));
all_done($node, what => 'its price is gone');
is(sql($node, q(SELECT r.cost, r.currency FROM triage.ai_runs r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-repriced')), '0.5|USD', 'it cost what the reply says');
money_is_sound_in_usd('no price any more');

$node->stop;
unlike(log_since($node), qr/PANIC|deadlock/, 'no deadlock came of it');
done_testing();

sub money_is_sound_in_usd
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	return is(status(q(spent = (SELECT sum(r.cost) FROM triage.ai_runs r WHERE r.currency = 'USD'), reserved = 0, unsettled = 0)), 't|t|t', "$name: the budget is the sum of the runs");
}
