# An external worker works off jobs of sessions by the same protocol.
use strict;
use warnings;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Talk;
use Triage;

my $node = start_server('kinds_external', preload => 0);

prepare_talk($node);
sql($node, q(SELECT triage.worker_stop()));
wait_for_worker($node, 0);

sub claim
{
	my ($kinds, $more) = @_;
	return [ split /\|/, sql($node, "SELECT job_id, fence, kind, session_id, ticket_id, request FROM triage.claim_jobs(1, '1 hour', 'outside', '{$kinds}')"
		. ($more // '')), -1 ];
}

my ($one, $two, $over) = sessions($node, 3);
add_tickets($node, 'ticket');
my $ticket = id_of($node, 'ticket');
say($node, [ $one, 'one' ]);
ask_summary($node, session_id => $two);
sql($node, "INSERT INTO talk (session_id, text) VALUES ($two, 'a'); INSERT INTO talk (session_id, speaker, text) VALUES ($two, 'agent', 'b')");

is(sql($node, 'SELECT kind, ticket_id, subject, session_id, request FROM triage.claim_jobs(128)'), "triage|$ticket|About TOKEN-ticket||",
	'claim_jobs() claims triage jobs unless it is told otherwise');
my $claim = claim('summarize');
is("@$claim[2, 3, 4]", "summarize $two ", 'or those of a kind');
is_deeply(JSON::PP::decode_json($claim->[5]), { version => 3, heading => 'About all this', speakers => [ 'customer', 'agent' ], texts => [ 'a', 'b' ] },
	'with what the model is to be told');
like(sql_error($node, "SELECT triage.complete_job($claim->[0], $claim->[1], '{}')"), qr/22023.*answer is not usable: the answer has no summary/s,
	'its answer is checked as the worker checks it');
is(sql($node, qq(SELECT triage.complete_job($claim->[0], $claim->[1], '{"summary": "S", "open_questions": ["", "q"], "junk": 1}', 'm', 10, 0, 20))), 't',
	'and stored');
is(sql($node, 'SELECT s.version, s.answer, r.outcome, r.provider, r.model, r.output_tokens, r.kind FROM summaries s JOIN triage.ai_runs r ON r.id = s.run_id'),
	'3|{"summary": "S", "open_questions": ["q"]}|succeeded|outside|m|20|summarize', 'without what was not asked for');

$claim = claim('chat_reply,summarize');
is("@$claim[2, 3]", "chat_reply $one", 'several kinds at a time');
is(sql($node, "SELECT triage.fail_job($claim->[0], $claim->[1], 'transient', 'no answer', '0 seconds')"), 'retry', 'fail_job() takes jobs of sessions');
sql($node, "UPDATE triage.ai_jobs SET run_at = now()");
$claim = claim('chat_reply');
my $let_go = hold_lock($node, "SELECT FROM triage.chat_sessions WHERE id = $one FOR UPDATE");
like(sql_error($node, qq(SELECT triage.complete_job($claim->[0], $claim->[1], '{"reply": "R", "action": "answer"}'))),
	qr/55P03.*the session of this job is locked/s, 'a session that somebody holds is told of');
$let_go->();
is(sql($node, qq(SELECT triage.complete_job($claim->[0], $claim->[1], '{"reply": "R", "action": "answer"}'))), 't', 'later it works');
is(said($node, $one), 'R', 'the reply is said');
is(sql($node, qq(SELECT triage.complete_job($claim->[0], $claim->[1], '{"reply": "R", "action": "answer"}'))), 'f', 'once');

say($node, [ $one, 'two' ]);
$claim = claim('chat_reply');
say($node, [ $one, 'three' ]);
is(sql($node, qq(SELECT triage.complete_job($claim->[0], $claim->[1], '{"reply": "late", "action": "answer"}'))), 'f', 'an answer to what was said before is stale');
$claim = claim('chat_reply');
sql($node, "INSERT INTO taken_over VALUES ($one)");
is(sql($node, qq(SELECT triage.complete_job($claim->[0], $claim->[1], '{"reply": "late", "action": "answer"}', 'm', 1, 0, 2))), 'f',
	'an answer that nobody waits for any more is not said');
is(sql($node, "SELECT outcome, output_tokens, error FROM triage.ai_runs WHERE session_id = $one ORDER BY id DESC LIMIT 1"),
	'stale|2|nobody waits for the answer any more', 'its run is kept');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE session_id IS NOT NULL'), 0, 'the job is gone');

say($node, [ $over, 'over' ], [ $two, 'next' ]);
sql($node, "INSERT INTO taken_over VALUES ($over)");
$claim = claim('chat_reply');
is($claim->[3], $two, 'what there is nothing to do about is passed over');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE session_id IS NOT NULL'), 1, 'and goes');
is(sql($node, "SELECT triage.fail_job($claim->[0], $claim->[1], 'refused', 'no')"), 'failed', 'a failure for good');
is(sql($node, 'SELECT session_id, class, message FROM given_up'), "$two|refused|no", 'is told to the kind');

ask_summary($node, ticket_id => $ticket);
is(sql($node, "SELECT triage.reprioritise($ticket, 'low')"), 't', "reprioritise() moves a ticket's jobs of any kind");
is(sql($node, "SELECT kind, priority FROM triage.ai_jobs WHERE ticket_id = $ticket AND lease_until IS NULL"), 'summarize|low', 'those that wait');
is(sqlstate($node, "SELECT triage.claim_jobs(kinds => '{$_}')"), '22023', "kinds {$_} is refused") for '', 'nonsense', 'NULL', 'triage,NULL';

# under a budget a failure that tells its tokens is settled, at the price of the model that its provider was to be asked
sql($node, <<'SQL');
SELECT triage.set_provider('paid', 'openai', 'http://127.0.0.1:1/v1', 'paid-1', enabled => false), triage.set_output_limit('paid', 10),
	triage.set_price('paid-1', 1000000, 1000000, 'EUR'), triage.set_budget('month', 1000000, 'EUR');
SQL
add_tickets($node, 'paid');
my ($job, $fence) = split /\|/, sql($node, "SELECT job_id, fence FROM triage.claim_jobs(1, '1 hour', 'paid')");
is(sql($node, "SELECT triage.fail_job($job, $fence, 'unusable_answer', 'no JSON', input_tokens => 10, output_tokens => 5)"), 'retry', 'a failure that was billed');
is(sql($node, 'SELECT spent, reserved, unsettled FROM triage.budget_status'), '15|0|0', 'leaves nothing unsettled, though it names no model');

done_testing();
