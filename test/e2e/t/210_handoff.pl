# A conversation from the bot to an agent and back, with a worker and a model: why it is handed over, what the agent then
# reads, and that the AI says nothing more once people have it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('handoff', preload => 1, no_extension => 1, model => $model);
sql($node, 'CREATE EXTENSION triage');
use_model($node, $model, timeout_ms => 60000);

sub start { return sql($node, "SELECT triage.start_session('carl', open_ticket => true)") }

sub post
{
	my ($session, $text, $role) = @_;
	return sql($node, "SELECT triage.post_message($session, '$text', '" . ($role // 'user') . "'" . (($role // '') eq 'agent' ? ", 'ann'" : '') . ')');
}

# the conversation's ticket in the columns of the first seed
sub ticket
{
	my ($session, $columns) = @_;
	return sql($node, "SELECT $columns FROM triage.support_tickets WHERE conversation_id = $session");
}

sub answered
{
	my ($session) = @_;
	return wait_for($node, "SELECT count(*) FROM triage.ai_jobs WHERE session_id = $session AND kind = 'chat_reply'", 0, "the reply in session $session");
}

sub summarised
{
	my ($session) = @_;
	return wait_for($node, "SELECT count(*) FROM triage.conversation_summaries s JOIN triage.support_tickets t ON t.id = s.ticket_id WHERE t.conversation_id = $session",
		1, "the summary of session $session");
}

################ the whole way, as a customer and an agent see it ################

# 1. The customer opens a conversation; the bot has it.
my $chat = start();
is(ticket($chat, 'status, client_id, assigned_to_id, escalation_reason, closed_at'), 'OPEN_AI_HANDLING|carl|||', 'a conversation begins with the bot [seed 6] [seed 13] [seed 37]');
post($chat, 'TOKEN-printer My printer jams');
answered($chat);
is(sql($node, "SELECT content FROM triage.chat_messages WHERE session_id = $chat AND role = 'assistant'"), 'About TOKEN-printer: we hear you.', 'it answers [seed 13] [seed 37]');
is(ticket($chat, 'status'), 'OPEN_AI_HANDLING', 'and still has it');

# 2. What the bot does not know it hands over: the conversation waits for an agent.
post($chat, 'TOKEN-warranty [[fake action=escalate cause=missing_knowledge]] Is that under warranty?');
wait_for($node, "SELECT status FROM triage.support_tickets WHERE conversation_id = $chat", 'PENDING_HUMAN_ASSIGNMENT', 'the escalation');
is(ticket($chat, 'escalation_reason, assigned_to_id, assigned_at'), 'because of TOKEN-warranty||', 'escalated, with the reason, and nobody has it yet [seed 7] [seed 14] [seed 37]');

# 3. Who opens it reads what happened so far.
summarised($chat);
is(ticket($chat, 'initial_summary'), 'A conversation about TOKEN-warranty.', 'a summary is there for whoever takes it over [seed 8] [seed 38]');
is(sql($node, "SELECT i.initial_summary, i.customer_request, i.open_questions, i.mood, i.escalation_cause FROM triage.inbox i JOIN triage.support_tickets t ON t.id = i.id WHERE t.conversation_id = $chat"),
	'A conversation about TOKEN-warranty.|help with TOKEN-warranty|{"what is TOKEN-warranty?"}|5|missing_knowledge',
	'in the inbox, with what is wanted, what is open and the mood [seed 38]');
like($model->last_body, qr/TOKEN-printer My printer jams.*About TOKEN-printer: we hear you.*Is that under warranty/s, 'made of the whole conversation');

# 4. An agent takes it over and writes; the bot is silent.
is(sql($node, "SELECT triage.take_over_session($chat, 'ann')"), ticket($chat, 'id'), 'an agent takes over');
is(ticket($chat, 'status, assigned_to_id, assigned_at IS NOT NULL'), 'ACTIVE_HUMAN_CHAT|ann|t', 'and has it [seed 5] [seed 10] [seed 15] [seed 37]');
post($chat, 'It is. I send you a new one', 'agent');
post($chat, 'Great, thank you');
is(sql($node, "SELECT count(*) FROM triage.ai_jobs WHERE session_id = $chat"), 0, 'the AI is asked nothing more');

# 5. It ends: resolved by the agent here, by the client in another one.
is(sql($node, "SELECT triage.end_session($chat)"), 't', 'the conversation ends');
is(ticket($chat, 'status, closed_at IS NOT NULL'), 'CLOSED_RESOLVED|t', 'resolved [seed 11] [seed 16] [seed 37]');
my $left = start();
post($left, 'TOKEN-left Never mind');
answered($left);
is(sql($node, "SELECT triage.end_session($left, by_client => true)"), 't', 'another one is ended by its client');
is(ticket($left, 'status'), 'CLOSED_BY_CLIENT', 'which is told apart [seed 17] [seed 37]');

################ the other causes ################

my $unsure = start();
post($unsure, 'TOKEN-unsure [[fake confidence=0.1]] hm?');
wait_for($node, "SELECT status FROM triage.support_tickets WHERE conversation_id = $unsure", 'PENDING_HUMAN_ASSIGNMENT', 'low confidence');
is(sql($node, "SELECT e.cause, e.reason FROM triage.ticket_escalations e WHERE e.session_id = $unsure"), 'low_confidence|the AI\'s confidence in its answer is 0.1', 'an answer that the model is not sure of hands over [seed 14]');
summarised($unsure);
is(ticket($unsure, 'initial_summary'), 'A conversation about TOKEN-unsure.', 'with a summary [seed 38]');

my $furious = start();
post($furious, 'TOKEN-furious [[fake sentiment=10]] THIS IS A SCANDAL');
wait_for($node, "SELECT status FROM triage.support_tickets WHERE conversation_id = $furious", 'PENDING_HUMAN_ASSIGNMENT', 'negative sentiment');
is(sql($node, "SELECT e.cause FROM triage.ticket_escalations e WHERE e.session_id = $furious"), 'negative_sentiment', 'so does a furious customer [seed 14]');

my $failed = start();
post($failed, 'TOKEN-failed [[fake status=400]] hello');
wait_for($node, "SELECT status FROM triage.support_tickets WHERE conversation_id = $failed", 'PENDING_HUMAN_ASSIGNMENT', 'a model that fails');
like(sql($node, "SELECT e.cause || ' ' || e.reason FROM triage.ticket_escalations e WHERE e.session_id = $failed"), qr/^ai_failed bad_request: \S/, 'and a model that fails [seed 14]');
is(sql($node, "SELECT changed_by FROM triage.ticket_history h JOIN triage.support_tickets t ON t.id = h.ticket_id WHERE t.conversation_id = $failed AND h.field = 'handler'"),
	'triage', 'the history says that it was the machine');

################ a summary that fails ################

is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters WHERE kind = 'summarize' AND ticket_id = " . ticket($failed, 'id')), 1, 'a summary that is given up is on record')
  if wait_for($node, "SELECT count(*) FROM triage.ai_jobs WHERE kind = 'summarize' AND ticket_id = " . ticket($failed, 'id'), 0, 'the end of the summary');
is(ticket($failed, 'status'), 'PENDING_HUMAN_ASSIGNMENT', 'and changes nothing else');

################ people act while the model thinks ################

my $taken = start();
post($taken, "TOKEN-taken [[fake latency=$HELD]] help");
$model->wait_for_requests(2, 'taken');	# the ticket is triaged at the same time
is(sql($node, "SELECT triage.escalate_session($taken, 'customer_request', 'calls us')"), ticket($taken, 'id'), 'escalated while the AI thinks');
wait_for($node, "SELECT outcome FROM triage.ai_runs WHERE session_id = $taken", 'stale', 'the run of the late answer');
is(sql($node, "SELECT count(*) FROM triage.chat_messages WHERE session_id = $taken AND role = 'assistant'"), 0, 'its answer is not said [seed 14]');

my $replied = start();
post($replied, "TOKEN-replied [[fake latency=$HELD]] help");
$model->wait_for_requests(2, 'replied');
sql($node, "INSERT INTO triage.ticket_comments (ticket_id, author_id, author_role, content) VALUES (" . ticket($replied, 'id') . ", 'ann', 'agent', 'I do it')");
wait_for($node, "SELECT outcome FROM triage.ai_runs WHERE session_id = $replied", 'stale', 'the run of the late answer');
is(sql($node, "SELECT count(*) FROM triage.chat_messages WHERE session_id = $replied AND role = 'assistant'"), 0, 'nor where an agent has replied on the ticket meanwhile [seed 15]');
is(ticket($replied, 'status, escalation_reason'), 'ACTIVE_HUMAN_CHAT|agent_takeover', 'who has it');

################ back to the bot ################

post($replied, 'TOKEN-back [[fake latency=0]] Anybody there?');
sql($node, 'SELECT triage.hand_back_to_ai(' . ticket($replied, 'id') . ')');
answered($replied);
is(sql($node, "SELECT content FROM triage.chat_messages WHERE session_id = $replied AND role = 'assistant'"), 'About TOKEN-back: we hear you.', 'handed back, the bot answers what was not answered');
is(ticket($replied, 'status, assigned_to_id'), 'OPEN_AI_HANDLING|', 'and has it [seed 13]');

################ nobody answers ################

# the endpoint is down, and then calls are held by hand: no attempt is spent, so no letter comes of it; the customer waits all the same
sql($node, q(SELECT triage.set_chat_settings('{"max_wait_ms": 1500}')));
foreach my $case ([ 'down', "SELECT triage.pause_provider('fake')", "SELECT triage.resume_provider('fake')" ], [ 'held', "SELECT triage.pause('night')", 'SELECT triage.resume()' ])
{
	my ($name, $break, $mend) = @$case;

	sql($node, $break);
	my $waiting = start();
	post($waiting, "TOKEN-$name Anybody there?");
	wait_for($node, "SELECT status FROM triage.support_tickets WHERE conversation_id = $waiting", 'PENDING_HUMAN_ASSIGNMENT', "$name: people hear who waits too long [seed 37]");
	is(ticket($waiting, 'escalation_reason'), 'no answer within 2 seconds', "$name: and why");
	sql($node, $mend);
	summarised($waiting);
	is(sql($node, "SELECT count(*) FROM triage.chat_messages WHERE session_id = $waiting AND role = 'assistant'"), 0, "$name: the bot says nothing afterwards");
}
sql($node, q(SELECT triage.set_chat_settings('{"max_wait_ms": null}')));

################ a session's rolling summary ################

my $long = start();
post($long, 'TOKEN-first It began in May');
answered($long);
sql($node, "SELECT triage.request_session_summary($long)");
wait_for($node, "SELECT count(*) FROM triage.conversation_summaries WHERE session_id = $long", 1, 'the first summary');
post($long, 'TOKEN-second And now it smokes');
answered($long);
sql($node, "SELECT triage.request_session_summary($long)");
wait_for($node, "SELECT count(*) FROM triage.conversation_summaries WHERE session_id = $long AND superseded_at IS NULL AND up_to_message = (SELECT max(id) FROM triage.chat_messages WHERE session_id = $long)",
	1, 'the second');
is(sql($node, "SELECT count(*), count(*) FILTER (WHERE superseded_at IS NULL) FROM triage.conversation_summaries WHERE session_id = $long"), '2|1', 'a second summary takes the first one\'s place');
my $body = $model->last_body;
like($body, qr/A conversation about TOKEN-first\..*And now it smokes/s, 'made of the first');
unlike($body, qr/It began in May/, 'and of what was said since, not of what it covers');

is(sql($node, <<'SQL'), '', 'every summary has its run, which succeeded');
SELECT s.id, r.outcome
	FROM triage.conversation_summaries s LEFT JOIN triage.ai_runs r ON r.tenant_id = s.tenant_id AND r.id = s.run_id AND r.kind = 'summarize'
	WHERE r.outcome IS DISTINCT FROM 'succeeded'
SQL
$node->stop;
done_testing();
