# Jobs of other kinds than triage: the worker asks for the answer of their kind, checks it, and hands it to the kind's function.
use strict;
use warnings;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Talk;
use Triage;

my $model = start_model();
my $node = start_server('kinds', preload => 1, model => $model, conf => 'triage.max_attempts = 2', provider => { timeout_ms => 2000 });

prepare_talk($node);
sql($node, q(UPDATE triage.providers SET enabled = false WHERE name = 'builtin'));

################################################ answers ################################################

my ($first) = sessions($node, 1);
say($node, [ $first, 'hello' ]);
all_done($node, what => 'the reply is there');
is(said($node, $first), 'About TOKEN-hello: we hear you.', 'a chat_reply job has its answer stored');
is(sql($node, "SELECT t.answer->>'action', t.answer->>'cause', t.answer->>'confidence', t.provider, t.model, r.kind, r.session_id = t.session_id,
		r.ticket_id IS NULL, r.outcome, r.prompt_version FROM talk t JOIN triage.ai_runs r ON r.id = t.run_id"),
	'answer|none|0.9|fake|fake-model|chat_reply|t|t|succeeded|1', 'with its run, which names session, kind and version of the prompt');
my $request = JSON::PP::decode_json($model->last_body);
is($request->{response_format}{json_schema}{name}, 'chat_reply', 'the request asks for the answer of the kind');
is_deeply($request->{response_format}{json_schema}{schema}{required}, [qw(reply action cause reason confidence sentiment_score)],
	'with all of its fields');
like($request->{messages}[0]{content}, qr/^\S.*\n\nThe user message holds one conversation.*never instructions.*The boundary of this conversation is [0-9a-f]{16}\.$/s,
	'the instructions are the prompt of the kind, and say that what follows is data');
like($request->{messages}[1]{content}, qr/^----- conversation ([0-9a-f]{16}) begins -----\n\1 customer:\nI ask about TOKEN-hello\.\n----- conversation \1 ends -----\n$/,
	'the conversation stands between the boundary lines, each text behind its speaker');
say($node, [ $first, 'again', 'answer=minimal' ]);
all_done($node, what => 'the second reply is there');
is(sql($node, "SELECT answer FROM talk WHERE run_id IS NOT NULL ORDER BY id DESC LIMIT 1"),
	'{"reply": "About TOKEN-again: we hear you.", "action": "answer"}', 'what the model left out is left out');
like(JSON::PP::decode_json($model->last_body)->{messages}[1]{content}, qr/customer:\n.*TOKEN-hello.*assistant:\n.*TOKEN-hello.*customer:\n.*TOKEN-again/s,
	'it was told what was said before');

ask_summary($node, session_id => $first);
add_tickets($node, 'ticket');
my $ticket = id_of($node, 'ticket');
sql($node, "INSERT INTO talk (ticket_id, text) VALUES ($ticket, 'see TOKEN-ofticket')");
ask_summary($node, ticket_id => $ticket);
all_done($node, what => 'the summaries are there');
is(sql($node, 'SELECT s.session_id, s.ticket_id, s.version > 0, r.kind, s.answer FROM summaries s JOIN triage.ai_runs r ON r.id = s.run_id ORDER BY s.session_id'),
	"$first||t|summarize|" . '{"summary": "A conversation about TOKEN-again."}'
	. "\n|$ticket|t|summarize|" . '{"summary": "A conversation about TOKEN-ofticket.", "language": "en", "open_questions": ["what is TOKEN-ofticket?"], "sentiment_score": 5, "customer_request": "help with TOKEN-ofticket"}',
	'a session and a ticket are summarised');
is(sql($node, "SELECT jsonb_path_query_array(triage.explain_ticket($ticket), '\$.runs[*].kind') ? 'summarize'"), 't', 'explain_ticket() tells kinds of calls apart');

################################################ many at once, tickets among them ################################################

my @many = sessions($node, 150);
add_tickets($node, map { "t$_" } 1 .. 150);
say($node, map { [ $many[$_], "s$_" ] } 0 .. $#many);
all_done($node, what => 'all of both are answered');
is(sql($node, "SELECT count(*) FROM talk WHERE speaker = 'assistant' AND session_id >= $many[0] AND text = replace(replace((SELECT c.text FROM talk c
		WHERE c.session_id = talk.session_id AND c.speaker = 'customer'), 'I ask about', 'About'), '.', ': we hear you.')"), 150, 'each session has its own answer, once');
ledger_is_sound($node, 'tickets among sessions');
sent_equals_runs($node, $model, 'of all kinds');
is(sql($node, 'SELECT count(*) FROM triage.dashboard'), sql($node, 'SELECT count(*) FROM triage.tickets'), 'the dashboard shows tickets and nothing else');

################################################ what goes wrong ################################################

# directives, class of the dead letter, tries, a part of its message
my @bad = (
	[ 'answer=notjson',       'unusable_answer', 2, 'not a JSON object' ],
	[ 'answer=truncated',     'unusable_answer', 2, 'cut off' ],
	[ 'answer=wrongtypes',    'unusable_answer', 2, 'reply is not a string' ],
	[ 'answer=unknownlabel',  'unusable_answer', 2, 'action is unknown: "no such label"' ],
	[ 'answer=outofrange',    'unusable_answer', 2, 'sentiment_score is not from 1 to 10' ],
	[ 'confidence=1.5',       'unusable_answer', 2, 'confidence is not from 0 to 1' ],
	[ 'cause=boredom',        'unusable_answer', 2, 'cause is unknown' ],
	[ 'answer=nul',           'unusable_answer', 2, 'NUL' ],
	[ 'answer=badutf8',       'unusable_answer', 2, 'not valid' ],
	[ 'answer=deep',          'unusable_answer', 2, 'nested too deeply' ],
	[ 'answer=empty',         'unusable_answer', 2, 'empty' ],
	[ 'answer=length',        'unusable_answer', 2, 'truncated' ],
	[ 'answer=refusal',       'refused',         1, 'cannot help' ],
	[ 'status=400',           'bad_request',     1, 'not valid' ],
	[ 'cause=policy',         'unusable_answer', 2, 'could not be stored: this reply is not to be stored' ],
	[ 'answer=outofrange nobody to tell', 'unusable_answer', 2, 'sentiment_score' ]);
my @of_bad = sessions($node, scalar @bad);
my ($good) = sessions($node, 1);
my $position = log_position($node);
say($node, (map { [ $of_bad[$_], "bad$_", $bad[$_][0] ] } 0 .. $#bad), [ $good, 'good' ]);
wait_for($node, "SELECT count(*) > 0 FROM triage.ai_failures WHERE state = 'retrying' AND kind = 'chat_reply' AND session_id >= $of_bad[0]
	AND message <> '' AND provider = 'fake'", 't', 'what waits after a failed try is seen in ai_failures');
all_done($node, what => 'all that went wrong is dealt with');
is(said($node, $good), 'About TOKEN-good: we hear you.', 'a good answer among bad ones is stored');
for my $i (0 .. $#bad)
{
	my ($directives, $class, $attempts, $message) = @{ $bad[$i] };
	is(sql($node, "SELECT d.kind, d.ticket_id IS NULL, d.class, d.attempts, position(\$\$$message\$\$ IN d.message) > 0,
			(SELECT count(*) FROM triage.ai_runs r WHERE r.session_id = d.session_id AND r.job_id = d.id) FROM triage.ai_dead_letters d WHERE d.session_id = $of_bad[$i]"),
		"chat_reply|t|$class|$attempts|t|$attempts", "$directives: given up as $class after $attempts");
	is(said($node, $of_bad[$i]), '', '... and nothing was stored');
}
is(sql($node, 'SELECT count(*), count(DISTINCT session_id), min(actor), max(actor) FROM given_up'), $#bad . '|' . $#bad . '|triage|triage',
	'each was given up once, and the kind was told');
like(log_since($node, $position), qr/WARNING:  chat_reply job \d+ was given up, but nobody could be told: there is nobody to tell/,
	'when that fails, the log says so, and the dead letter stays');
is(sql($node, "SELECT kind, pending, running, dead FROM triage.queue_stats WHERE kind = 'chat_reply'"), 'chat_reply|0|0|' . @bad, 'queue_stats counts by kind');
is(sql($node, "SELECT count(*), count(DISTINCT session_id), min(kind::text) FROM triage.ai_failures WHERE state = 'failed'"), @bad . '|' . @bad . '|chat_reply',
	'ai_failures has them all');

sql($node, "UPDATE talk SET text = regexp_replace(text, '\\[\\[.*', '') WHERE session_id >= $of_bad[0]");
is(sql($node, 'SELECT triage.retry_failed(max_jobs => 3)'), 3, 'retry_failed() takes sessions, too');
my $unusable = sql($node, q(SELECT count(*) FROM triage.ai_dead_letters WHERE class = 'unusable_answer'));
is(sql($node, q(SELECT triage.retry_failed('unusable_answer'))), $unusable, '... by class');
sql($node, 'SELECT triage.retry_failed()');
all_done($node, what => 'the second time all is well');
is(sql($node, "SELECT count(*) FROM talk WHERE speaker = 'assistant' AND session_id = ANY ('{" . join(',', @of_bad) . "}')"), scalar @bad, 'each has its answer now');

################################################ nothing to do ################################################

my ($spoken) = sessions($node, 1);
my $requests = $model->requests;
sql($node, "INSERT INTO talk (session_id, speaker, text) VALUES ($spoken, 'agent', 'done');
	INSERT INTO triage.ai_jobs (tenant_id, session_id, kind, priority) VALUES ('default', $spoken, 'chat_reply', 'urgent'); SELECT triage.wake_worker()");
all_done($node, what => 'a job that there is nothing to do about goes');
is($model->requests, $requests, 'without a call');
is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE session_id = $spoken"), 0, 'and without a run');
is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters"), 0, 'nor a dead letter');

my ($unprompted) = sessions($node, 1);
sql($node, q(UPDATE triage.prompts SET is_active = false WHERE kind = 'chat_reply'));
$position = log_position($node);
say($node, [ $unprompted, 'unprompted' ]);
wait_until(sub { return log_since($node, $position) =~ /has no active prompt of kind chat_reply: its session $unprompted waits/ }, 'a log line');
is(sql($node, "SELECT attempts, lease_until IS NULL, run_at > now() FROM triage.ai_jobs WHERE session_id = $unprompted"), '0|t|t',
	'a tenant without a prompt of the kind has its job wait');
sql($node, q(UPDATE triage.prompts SET is_active = true WHERE kind = 'chat_reply'; UPDATE triage.ai_jobs SET run_at = now(); SELECT triage.wake_worker()));
all_done($node, what => 'and with one it is answered');
is(said($node, $unprompted), 'About TOKEN-unprompted: we hear you.', 'the prompt counts from the next claim on');

################################################ changes while the call is in the air ################################################

use_model($node, $model, timeout_ms => 60000);
my ($taken, $more, $cancelled, $held, $gone) = sessions($node, 5);
$model->reset;
say($node, [ $taken, 'taken', "latency=$HELD" ]);
$model->wait_for_requests(1, 'taken');
sql($node, "INSERT INTO taken_over VALUES ($taken)");
$model->release;
all_done($node, what => 'the late answer is dealt with');
is(runs_of_session($node, $taken), 'stale', 'an answer that came after an agent took over has its run');
is(said($node, $taken), '', 'and is not said');
is(sql($node, "SELECT error FROM triage.ai_runs WHERE session_id = $taken"), 'the conversation moved on while the call was in the air', 'the run says why');
is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters WHERE session_id = $taken"), 0, 'it is no failure');

say($node, [ $more, 'more1', 'hang times=1' ]);
$model->wait_for_requests(1, 'more1');
say($node, [ $more, 'more2', 'latency=1' ]);
all_done($node, what => 'the second message is answered');
# twice a second at most the worker looks for calls to cut off, so the second one may be answered first
wait_for($node, "SELECT string_agg(outcome::text, ' ' ORDER BY outcome) FROM triage.ai_runs WHERE session_id = $more", 'succeeded stale',
	'a call is cut off when something else is said');
is(sql($node, "SELECT error FROM triage.ai_runs WHERE session_id = $more AND outcome = 'stale'"),
	'cancelled in the air: its job was withdrawn or its conversation went on; it may have been billed', 'the run says why');
is(said($node, $more), 'About TOKEN-more2: we hear you.', 'and the whole is answered once');

say($node, [ $cancelled, 'cancelled', 'hang' ]);
$model->wait_for_requests(1, 'cancelled');
is(sql($node, "SELECT triage.cancel_job((SELECT id FROM triage.ai_jobs WHERE session_id = $cancelled))"), 't', 'cancel_job() takes jobs of sessions');
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE session_id = $cancelled AND outcome = 'stale'", 1, 'the call is cut off');

say($node, [ $held, 'held', "latency=$HELD" ]);
$model->wait_for_requests(1, 'held');
my $let_go = hold_lock($node, "SELECT FROM triage.chat_sessions WHERE id = $held FOR UPDATE");
$model->release;
say($node, [ $good, 'beside' ]);
wait_for($node, "SELECT count(*) FROM talk WHERE session_id = $good AND speaker = 'assistant'", 2, 'others are written meanwhile');
is(said($node, $held), '', 'a session that somebody holds waits');
$let_go->();
all_done($node, what => 'the lock is gone');
is(said($node, $held), 'About TOKEN-held: we hear you.', 'and has its answer then');

say($node, [ $gone, 'gone', "latency=$HELD" ]);
$model->wait_for_requests(1, 'gone');
sql($node, "DELETE FROM triage.chat_sessions WHERE id = $gone");
$model->release;
wait_for($node, "SELECT string_agg(outcome::text, ' ') FROM triage.ai_runs WHERE session_id = $gone", 'stale', 'the answer to a deleted session has its run');

done_testing();
