# Jobs about sessions over crashes, under budgets and without a model: nothing is lost, said twice, or called unpaid.
use strict;
use warnings;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Talk;
use Triage;

my $model = start_model();
my $node = start_server('kinds_crash', preload => 1, model => $model, conf => 'triage.max_attempts = 3', provider => { timeout_ms => 60000 });

prepare_talk($node);
sql($node, q(UPDATE triage.providers SET enabled = false WHERE name = 'builtin'));

################################################ the worker dies ################################################

my @air = sessions($node, 20);
$model->config(latency_ms => $HELD);
say($node, map { [ $air[$_], "air$_" ] } 0 .. $#air);
add_tickets($node, 'beside');
$model->wait_for_in_flight(21);
$model->config(latency_ms => 5);
kill_worker($node);
all_done($node, what => 'a successor has answered all');
is(sql($node, "SELECT count(*), count(DISTINCT session_id) FROM talk WHERE speaker = 'assistant'"), '20|20', 'each session has one reply');
is(sql($node, "SELECT kind, count(*), count(session_id), count(ticket_id) FROM triage.ai_runs WHERE outcome = 'succeeded' GROUP BY 1 ORDER BY 1"),
	"triage|1|0|1\nchat_reply|20|20|0", 'each has one run that succeeded');
# a claim is committed without waiting for the disk: a crash right after it knows nothing of it
is(sql($node, "SELECT bool_and(kind = 'triage' AND session_id IS NULL AND ticket_id IS NOT NULL OR kind = 'chat_reply' AND session_id IS NOT NULL AND ticket_id IS NULL),
	count(*) <= 21, count(*) = count(DISTINCT job_id) FROM triage.ai_runs WHERE outcome = 'lost'"), 't|t|t', 'and a lost one at most, of its kind');
ledger_is_sound($node, 'after the crash');

# with the tries spent it is given up, by whoever frees the lease
my ($spent, $nobody) = sessions($node, 2);
sql($node, q(SELECT triage.worker_stop()));
wait_for_worker($node, 0);
sql($node, "INSERT INTO talk (session_id, text) VALUES ($spent, 'x'), ($nobody, 'nobody to tell');
	INSERT INTO triage.ai_jobs (tenant_id, session_id, kind, fence, attempts, lease_until, claimed_at, slot, provider)
		SELECT 'default', s, 'chat_reply', 3, 3, now() - interval '1 minute', now() - interval '2 minutes', -1, 'fake' FROM unnest(ARRAY[$spent, $nobody]) s");
my $let_go = hold_lock($node, "SELECT FROM triage.chat_sessions WHERE id = $spent FOR UPDATE");
is(sql($node, 'SELECT triage.reap_jobs()'), 1, 'a session that somebody holds is left for the next time');
$let_go->();
is(sql($node, 'SELECT triage.reap_jobs()'), 1, 'and then its turn comes');
is(sql($node, "SELECT session_id, kind, class, attempts FROM triage.ai_dead_letters ORDER BY 1"), "$spent|chat_reply|lost|3\n$nobody|chat_reply|lost|3",
	'lost for the last time is given up, also when nobody can be told');
is(sql($node, 'SELECT session_id, class FROM given_up'), "$spent|lost", 'the kind is told');
sql($node, 'DELETE FROM triage.ai_dead_letters; TRUNCATE given_up');

################################################ budgets ################################################

# an output token costs 1 EUR, an answer has 1000 at most, input is next to nothing
sql($node, q(SELECT triage.set_price('fake-*', 0.01, 1000000, 'EUR', cached_input => 0.001);
	SELECT triage.set_output_limit('fake', 1000); SELECT triage.set_budget('month', 1000000, 'EUR')));
my ($paid) = sessions($node, 1);
sql($node, "BEGIN; " . Talk::say_sql($paid, 'paid') . 'COMMIT');
is(sql($node, q(BEGIN; SELECT kind, session_id IS NOT NULL, ticket_id FROM triage.claim_jobs(1, '1 hour', 'fake', '{chat_reply}');
		SELECT kind, session IS NOT NULL, ticket, amount > 1000 AND amount < 1001 FROM triage.budget_reservations; ROLLBACK)),
	"chat_reply|t|\nchat_reply|t||t", 'a claim of a session reserves what its call can cost at most');
sql($node, q(SELECT triage.worker_start()));
all_done($node, what => 'it is answered under the budget');
is(sql($node, "SELECT s.spent = r.cost, s.reserved = 0, (SELECT count(*) FROM triage.budget_reservations) FROM triage.budget_status s, triage.ai_runs r WHERE r.session_id = $paid"),
	't|t|0', 'and settled by what it cost');
# who waits for a budget's row holds nothing else: leases that ended were freed, and settled, before
sql($node, q(SELECT triage.worker_stop()));
wait_for_worker($node, 0);
add_tickets($node, 'ended');
sql($node, q(UPDATE triage.ai_jobs SET fence = 1, attempts = 1, lease_until = now() - interval '1 minute', claimed_at = now() - interval '2 minutes',
	slot = -1, provider = 'fake'));
my $let_budget_go = hold_lock($node, 'SELECT FROM triage.budgets FOR NO KEY UPDATE');
sql($node, q(SELECT triage.worker_start()));
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'lost' AND ticket_id = " . id_of($node, 'ended'), 1, 'the lease is freed');
pass('leases are freed while somebody holds a budget');
$let_budget_go->();
all_done($node, what => 'and the job is done when it is let go');

sql($node, "SELECT triage.set_budget('month', s.spent + 1000, 'EUR') FROM triage.budget_status s");
say($node, [ $paid, 'unpaid' ]);
wait_until(sub { my $seen = sql($node, q(SELECT string_agg(activity, ' ') FROM triage.worker_status WHERE type = 'triage worker'));
	return (scalar($seen =~ /budget/), $seen) }, 'the worker says that the budget is used up');
is(sql($node, "SELECT attempts FROM triage.ai_jobs WHERE session_id = $paid"), 0, 'what a budget does not cover is not called');
sql($node, q(SELECT triage.drop_budget('month')));
all_done($node, what => 'without the budget it is');

################################################ no model ################################################

sql($node, q(UPDATE triage.providers SET enabled = (name = 'builtin'); INSERT INTO triage.ticket_categories (category) VALUES ('other') ON CONFLICT DO NOTHING));
my ($plain) = sessions($node, 1);
my $requests = $model->requests;
sql($node, "INSERT INTO talk (session_id, text) VALUES ($plain, 'Mein Drucker ist kaputt und ich habe die Nase voll!'), ($plain, 'Wann kommt jemand? Bitte eilig.')");
sql($node, "INSERT INTO triage.ai_jobs (tenant_id, session_id, kind) VALUES ('default', $plain, 'chat_reply'); SELECT triage.wake_worker()");
all_done($node, what => 'builtin has answered');
ask_summary($node, session_id => $plain);
all_done($node, what => 'and summarised');
is($model->requests, $requests, 'without a call');
is(sql($node, "SELECT answer - 'reply', provider, model, text LIKE 'Vielen Dank%' FROM talk WHERE session_id = $plain AND speaker = 'assistant'"),
	'{"cause": "missing_knowledge", "action": "escalate", "reason": "no language model is configured"}|builtin|builtin-1|t',
	'builtin leaves the conversation to a person, in the language of the customer');
my $summary = JSON::PP::decode_json(sql($node, "SELECT answer FROM summaries WHERE session_id = $plain"));
like($summary->{summary}, qr/Subject: About all this\nThe customer began with: Mein Drucker.*\nThe customer's latest message: Wann kommt.*\n3 messages/s, 'its summary quotes');
is_deeply($summary->{open_questions}, ['Wann kommt jemand?'], 'and has the questions');
is($summary->{language}, 'de', 'and the language');
is(sql($node, "SELECT count(*), sum(cost) FROM triage.ai_runs WHERE session_id = $plain"), '2|0', 'its runs cost nothing');

done_testing();
