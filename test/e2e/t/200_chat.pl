# The AI in a chat: it answers, once, what the customer said last, and is silent when people have it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('chat', preload => 1, no_extension => 1, model => $model);
sql($node, 'CREATE EXTENSION triage');

# what was said in a session, oldest first
sub said
{
	my ($session) = @_;
	return sql($node, "SELECT string_agg(role || ': ' || content, ' / ' ORDER BY id) FROM triage.chat_messages WHERE session_id = $session");
}

sub start
{
	my ($arguments) = @_;
	return sql($node, 'SELECT triage.start_session(' . ($arguments // q('carl')) . ')');
}

sub post
{
	my ($session, $text, $role) = @_;
	return sql($node, "SELECT triage.post_message($session, '$text', '" . ($role // 'user') . "'" . (($role // '') eq 'agent' ? ", 'ann'" : '') . ')');
}

sub runs_of
{
	my ($session) = @_;
	return sql($node, "SELECT string_agg(outcome::text, ' ' ORDER BY id) FROM triage.ai_runs WHERE session_id = $session AND kind = 'chat_reply'");
}

sub answered
{
	my ($session, $name) = @_;
	return wait_for($node, "SELECT count(*) FROM triage.ai_jobs WHERE session_id = $session AND kind = 'chat_reply'", 0, $name // "the reply in session $session");
}

sub handler_of
{
	my ($session) = @_;
	return sql($node, "SELECT handler FROM triage.chat_overview WHERE id = $session");
}

################ without a model ################

my $plain = start();
post($plain, 'Hello, is anybody there?');
answered($plain);
is(handler_of($plain), 'human', 'builtin, which is no language model, hands the conversation to people [seed 14] [seed 37]');
like(said($plain), qr{^user: Hello, is anybody there\? / assistant: \S}, 'and says so');
is(sql($node, "SELECT count(*) FROM triage.chat_tickets WHERE session_id = $plain AND relation = 'origin'"), 1, 'in a ticket that it opened');

################ with one ################

use_model($node, $model, timeout_ms => 60000);
sql($node, q(SELECT triage.add_consumer('relay', '{chat.session_started,chat.message_posted,chat.session_ended,ticket.escalated}')));
my $s = start(q('carl', open_ticket => true));
post($s, 'TOKEN-hello My printer jams');
all_done($node);
is(said($s), 'user: TOKEN-hello My printer jams / assistant: About TOKEN-hello: we hear you.', 'the model answers [seed 13] [seed 37]');
is(sql($node, <<SQL), 'fake|fake-model|answer|0.9|succeeded|t', 'with the message stands who gave it, and its run');
SELECT m.metadata ->> 'provider', m.metadata ->> 'model', m.metadata ->> 'action', m.metadata ->> 'confidence', r.outcome, r.session_id = m.session_id
	FROM triage.chat_messages m JOIN triage.ai_runs r ON r.tenant_id = m.tenant_id AND r.id = m.run_id
	WHERE m.session_id = $s AND m.role = 'assistant'
SQL
is(handler_of($s), 'ai', 'the AI still has it');
sql($node, "INSERT INTO triage.chat_messages (session_id, content) VALUES ($s, 'TOKEN-more It blinks')");
answered($s);
is(said($s), 'user: TOKEN-hello My printer jams / assistant: About TOKEN-hello: we hear you. / user: TOKEN-more It blinks / assistant: About TOKEN-more: we hear you.',
	'a plain INSERT is answered as well, in its turn');
like($model->last_body, qr/TOKEN-hello My printer jams.*About TOKEN-hello: we hear you.*TOKEN-more It blinks/s, 'the model was told the conversation, in order');

################ while the call is in the air ################

# asked about, and the call has begun
sub in_the_air
{
	my ($token, $arguments) = @_;
	my $session = start($arguments);
	post($session, "TOKEN-$token [[fake latency=$HELD]]");
	# a ticket is triaged at the same time
	$model->wait_for_requests($arguments ? 2 : 1, $token);
	return $session;
}

my $taken = in_the_air('taken');
post($taken, 'I am with you', 'agent');
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE session_id = $taken", 1, 'the run of the call that was cut off');
is(runs_of($taken), 'stale', 'the agent writes while the AI thinks: its answer is not wanted any more');
is(said($taken), "user: TOKEN-taken [[fake latency=$HELD]] / agent: I am with you", 'and not appended');
is(handler_of($taken), 'human', 'the agent has the conversation [seed 15]');

my $twice = in_the_air('once');
post($twice, 'TOKEN-twice [[fake latency=0]] and it smokes');
answered($twice);
is(said($twice), "user: TOKEN-once [[fake latency=$HELD]] / user: TOKEN-twice [[fake latency=0]] and it smokes / assistant: About TOKEN-twice: we hear you.",
	'a further message while the AI thinks: one reply to both');
# twice a second at most the worker looks for calls to cut off, so the second one may be answered first
wait_for($node, "SELECT string_agg(outcome::text, ' ' ORDER BY outcome) FROM triage.ai_runs WHERE session_id = $twice", 'succeeded stale',
	'the answer to the first alone is stale');
pass('the answer to the first alone is stale');

my $ended = in_the_air('ended', q('carl', open_ticket => true));
is(sql($node, "SELECT triage.end_session($ended, by_client => true)"), 't', 'the client ends it while the AI thinks');
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE session_id = $ended", 1, 'the run of the call that was cut off');
is(said($ended), "user: TOKEN-ended [[fake latency=$HELD]]", 'no answer is appended');
is(sql($node, "SELECT ticket_status || ' ' || status FROM triage.chat_overview WHERE id = $ended"), 'resolved resolved', 'and both are over [seed 17]');

my $gone = in_the_air('gone');
sql($node, "DELETE FROM triage.chat_sessions WHERE id = $gone");
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE session_id = $gone", 1, 'the run of a deleted session');
is(runs_of($gone), 'stale', 'a deleted session: the money was spent, and that is all');

################ what the answer says ################

my $escalated = start();
post($escalated, 'TOKEN-person [[fake action=escalate cause=customer_request]] I want a person');
answered($escalated);
is(handler_of($escalated), 'human', 'the model hands over [seed 14] [seed 37]');
like(said($escalated), qr{ / assistant: About TOKEN-person: we hear you\.$}, 'its message is appended before');
post($escalated, 'TOKEN-after hello?');
is(sql($node, "SELECT count(*) FROM triage.ai_jobs WHERE session_id = $escalated AND kind = 'chat_reply'"), 0, 'after that the AI is asked nothing more');

my $refused = start();
post($refused, 'TOKEN-refused [[fake status=400]] hello');
wait_for($node, "SELECT handler FROM triage.chat_overview WHERE id = $refused", 'human', 'the session whose reply failed');
is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters WHERE session_id = $refused AND kind = 'chat_reply'"), 1, 'a reply that is given up is on record');
is(sql($node, "SELECT count(*) FROM triage.chat_messages WHERE session_id = $refused AND role = 'assistant'"), 0, 'and nothing was said');

sql($node, q(SELECT triage.end_session(id, by_client => true) FROM triage.chat_sessions WHERE id = ) . $escalated);
is(sql($node, <<SQL), 'chat.session_started, chat.message_posted user, chat.message_posted assistant, ticket.escalated customer_request, chat.message_posted user, chat.session_ended closed_by_client', 'a consumer is told of it, in order');
SELECT string_agg(concat_ws(' ', e.topic, coalesce(e.labels ->> 'role', e.labels ->> 'cause', e.labels ->> 'resolution')), ', ' ORDER BY e.position)
	FROM triage.read_events('relay', 1000) e WHERE e.session_id = $escalated
SQL
is(sql($node, q(SELECT count(*) FROM triage.read_events('relay', 1000) WHERE topic = 'ticket.escalated' AND session_id = ) . $refused . q( AND labels ->> 'cause' = 'ai_failed')), 1,
	'and that the AI failed');
sql($node, q(SELECT triage.drop_consumer('relay')));

################ a crash ################

my $SESSIONS = 40;
sql($node, <<SQL);
WITH s AS (INSERT INTO triage.chat_sessions (metadata) SELECT jsonb_build_object('crash', i) FROM generate_series(1, $SESSIONS) i RETURNING id, metadata)
INSERT INTO triage.chat_messages (session_id, content) SELECT s.id, 'TOKEN-c' || (s.metadata ->> 'crash') || ' [[fake latency=' || (s.metadata ->> 'crash')::int * 40 || ']]' FROM s
SQL
my $crashed = "FROM triage.chat_messages m JOIN triage.chat_sessions s ON s.tenant_id = m.tenant_id AND s.id = m.session_id WHERE s.metadata ? 'crash' AND m.role = 'assistant'";
wait_until(sub { my $n = sql($node, "SELECT count(*) $crashed"); return ($n > 5, $n) }, 'some answers');
kill 'KILL', worker_pid($node);
wait_for($node, "SELECT count(*) FROM triage.ai_jobs WHERE kind = 'chat_reply'", 0, 'all replies after the crash');
is(sql($node, "SELECT count(*), count(DISTINCT m.session_id) $crashed"), "$SESSIONS|$SESSIONS", 'after kill -9 every session has one answer, and not two');
is(sql($node, "SELECT count(*) $crashed AND m.content <> format('About TOKEN-c%s: we hear you.', s.metadata ->> 'crash')"), 0, 'each its own');

is(sql($node, <<'SQL'), '', 'every answer has its run, which succeeded');
SELECT m.id, r.outcome
	FROM triage.chat_messages m LEFT JOIN triage.ai_runs r ON r.tenant_id = m.tenant_id AND r.id = m.run_id AND r.session_id = m.session_id
	WHERE m.role = 'assistant' AND r.outcome IS DISTINCT FROM 'succeeded'
SQL
$node->stop;
done_testing();
