# Mining over crashes, under budgets, with little room, and without a model: nothing is lost, doubled, or called unpaid.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Mining;
use Triage;

my $model = start_model();
my $node = start_server('mining_crash', preload => 1, model => $model, conf => 'triage.max_attempts = 5', provider => { timeout_ms => 5000 });

prepare_mining($node);

# what has to be there after so many tickets, whatever happened on the way: [seed 216] is that each is extracted once
sub all_mined
{
	my ($count, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(sql($node, "SELECT count(*), count(DISTINCT ticket_id), count(cluster_id), count(DISTINCT run_id) FROM triage.extracted_issues WHERE superseded_at IS NULL"),
		join('|', ($count) x 4), "$name: each ticket has its issue once, with its run and its cluster");
	is(sql($node, "SELECT i.cluster_id FROM triage.extracted_issues i GROUP BY 1 HAVING count(DISTINCT substring(i.summary FROM 'TOKEN-\\w+')) > 1"), '', "$name: no two problems are one");
	is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, "$name: nothing was given up");
	is(sql($node, q(SELECT count(*) FROM triage.ai_jobs WHERE lease_until < clock_timestamp())), 0, "$name: no lease outlives its time");
	is(sql($node, 'SELECT count(*) FROM triage.check_integrity(true)'), 0, "$name: the tables agree");
}

sub reports { return map { ("report$_" => [ '', [ "Error $_ stops payroll, TOKEN-r" . $_ % 4 ] ]) } @_ }

################################################ the worker dies ################################################

$model->config(latency_ms => 20000);
add_reports($node, reports(1 .. 20));
$model->wait_for_in_flight(20);
$model->config(latency_ms => 100);
kill_worker($node);
for my $n (1 .. 3)
{
	# in the middle of whatever it does: judgements, names
	wait_for($node, "SELECT count(*) > " . $n * 4 . " FROM triage.ai_runs WHERE outcome = 'succeeded'", 't', 'work goes on');
	wait_for_worker($node);
	kill_worker($node);
}
$model->config(latency_ms => 2);
all_done($node, what => 'a successor has mined all');
all_mined(20, 'after the crashes');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs r WHERE r.kind = 'extract_issues' AND r.outcome = 'succeeded')), 20, 'no answer was stored twice');

################################################ a lease that ends for the last time ################################################

sql($node, q(SELECT triage.worker_stop()));
wait_for_worker($node, 0);
my $cluster = sql($node, q(SELECT min(id) FROM triage.issue_clusters));
sql($node, "INSERT INTO triage.ai_jobs (tenant_id, cluster_id, kind, priority, fence, attempts, lease_until, claimed_at, slot, provider)
	VALUES ('default', $cluster, 'name_cluster', 'low', 5, 5, now() - interval '1 minute', now() - interval '2 minutes', -1, 'fake')");
my $let_go = hold_lock($node, "SELECT FROM triage.issue_clusters WHERE id = $cluster FOR UPDATE");
is(sql($node, 'SELECT triage.reap_jobs()'), 0, 'a cluster that somebody holds is left for the next time');
$let_go->();
is(sql($node, 'SELECT triage.reap_jobs()'), 1, 'and then its turn comes');
is(sql($node, "SELECT cluster_id = $cluster, ticket_id, kind, class, attempts FROM triage.ai_dead_letters"), 't||name_cluster|lost|5', 'lost for the last time is given up');
is(sql($node, "SELECT cluster_id = $cluster, ticket_id, outcome FROM triage.ai_runs ORDER BY id DESC LIMIT 1"), 't||lost', 'with its run');
sql($node, q(DELETE FROM triage.ai_dead_letters));

################################################ budgets ################################################

# an output token costs 1 EUR, an answer has 1000 at most, input is next to nothing
sql($node, q(SELECT triage.set_price('fake-*', 0.01, 1000000, 'EUR', cached_input => 0.001);
	SELECT triage.set_output_limit('fake', 1000); SELECT triage.set_budget('month', 1000000, 'EUR')));
sql($node, "INSERT INTO triage.ai_jobs (tenant_id, cluster_id, kind, priority) VALUES ('default', $cluster, 'name_cluster', 'low')");
is(sql($node, q(BEGIN; SELECT kind, cluster_id IS NOT NULL, ticket_id, session_id FROM triage.claim_jobs(1, '1 hour', 'fake', '{name_cluster}');
		SELECT kind, cluster IS NOT NULL, ticket, session, amount > 1000 AND amount < 1001 FROM triage.budget_reservations; ROLLBACK)),
	"name_cluster|t||\nname_cluster|t|||t", 'a claim of a cluster reserves what its call can cost at most');
add_reports($node, reports(21));
sql($node, q(SELECT triage.worker_start()));
all_done($node, what => 'all is done under the budget');
is(sql($node, "SELECT s.spent = (SELECT sum(r.cost) FROM triage.ai_runs r), s.spent > 0, s.reserved = 0, (SELECT count(*) FROM triage.budget_reservations) FROM triage.budget_status s"),
	't|t|t|0', 'and settled by what it cost');
is(sql($node, "SELECT outcome, cost > 0 FROM triage.ai_runs WHERE cluster_id = $cluster ORDER BY id DESC LIMIT 1"), 'succeeded|t', 'a name has its cost');
sql($node, "SELECT triage.set_budget('month', s.spent + 500, 'EUR') FROM triage.budget_status s");
my $requests = $model->requests;
add_reports($node, reports(22));
wait_until(sub { my $seen = sql($node, q(SELECT string_agg(activity, ' ') FROM triage.worker_status WHERE type = 'triage worker'));
	return (scalar($seen =~ /budget/), $seen) }, 'the worker says that the budget is used up');
is($model->requests, $requests, 'what a budget does not cover is not called');
sql($node, q(SELECT triage.drop_budget('month')));
all_done($node, what => 'without the budget it is');
all_mined(22, 'in the end');

################################################ no model ################################################

sql($node, q(UPDATE triage.providers SET enabled = (name = 'builtin'); SELECT triage.set_mining_settings('{"join_score": 0.3}')));
$requests = $model->requests;
sql($node, q(INSERT INTO triage.tickets (subject, description, requester_email) VALUES
	('Fingerprint is not recognized at the clock', E'Hello,\nsince yesterday the reader does not know my finger. It is urgent!', 'a@example.com'),
	('Fingerprint not recognized at our clock', 'The reader rejects every thumb.', 'b@example.com'),
	('Good morning', 'I would like to thank you.', 'c@example.com');
	SELECT triage.extract_all()));
all_done($node, what => 'builtin has looked at them');
is($model->requests, $requests, 'without a call');
is(sql($node, q(SELECT t.requester_email, i.category || '/' || i.subcategory, i.issue_type, i.severity, i.summary, i.quote_verified, i.confidence, i.assigned_by
	FROM triage.extracted_issues i JOIN triage.tickets t ON t.id = i.ticket_id JOIN triage.ai_runs r ON r.id = i.run_id AND r.provider = 'builtin' AND r.cost = 0
	WHERE i.superseded_at IS NULL AND t.requester_email ~ '^[abc]@' ORDER BY 1)),
	"a\@example.com|TIME_AND_ATTENDANCE/biometric_registration|friction|high|Fingerprint is not recognized at the clock|t||lexical\n"
	. "b\@example.com|TIME_AND_ATTENDANCE/biometric_registration|friction|medium|Fingerprint not recognized at our clock|t||lexical",
	'it finds an issue where the words are, and none where they are not; what reads nearly the same is one cluster');
is(sql($node, q(SELECT count(*) FROM triage.ai_jobs)), 0, 'nothing waits for a model');

done_testing();
