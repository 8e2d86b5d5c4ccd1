# What people do to a ticket while its call is in the air.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('inflight', preload => 1, model => $model, provider => { timeout_ms => 120000 });

# the outcomes of a ticket's runs, sorted
sub runs_of
{
	my ($id) = @_;
	return sql($node, "SELECT string_agg(outcome::text, ' ' ORDER BY outcome::text) FROM triage.ai_runs WHERE ticket_id = $id");
}

sub result_of
{
	my ($id) = @_;
	return sql($node, <<SQL);
SELECT count(*), count(*) FILTER (WHERE superseded_at IS NULL), coalesce(substring(min(draft_reply) from 'TOKEN-[a-z0-9]+'), '-')
	FROM triage.ticket_ai_results WHERE ticket_id = $id
SQL
}

################ edits, ends and labels ################

my @cases = qw(subject description both status assignee tags closed resolved softdeleted harddeleted category priority again cancelled);
sql($node, join('', map { "INSERT INTO triage.tickets (external_id, subject, description) VALUES " .
	"('TOKEN-$_', 'a ticket', 'TOKEN-$_ [[fake latency=$HELD category=technical urgency=high]]');" } @cases));
$model->wait_for_in_flight(scalar @cases);
my %id = map { $_ => id_of($node, $_) } @cases;

sql($node, <<SQL);
UPDATE triage.tickets SET external_id = 'TOKEN-subjectnew', subject = 'TOKEN-subjectnew', description = description WHERE id = $id{subject};
UPDATE triage.tickets SET external_id = 'TOKEN-descriptionnew', description = 'TOKEN-descriptionnew' WHERE id = $id{description};
SELECT triage.update_ticket($id{both}, '{"subject": "other", "description": "TOKEN-bothnew"}');
UPDATE triage.tickets SET external_id = 'TOKEN-bothnew' WHERE id = $id{both};
SELECT triage.update_ticket($id{status}, '{"status": "in_progress"}');
SELECT triage.assign_ticket($id{assignee}, 'agent-1');
UPDATE triage.tickets SET tags = '{vip}', custom_fields = '{"plan": "gold"}' WHERE id = $id{tags};
SELECT triage.resolve_ticket($id{closed}), triage.close_ticket($id{closed});
SELECT triage.resolve_ticket($id{resolved});
SELECT triage.delete_ticket($id{softdeleted});
DELETE FROM triage.tickets WHERE id = $id{harddeleted};
SET triage.actor = 'agent-1';
SELECT triage.update_ticket($id{category}, '{"category": "general"}');
SELECT triage.update_ticket($id{priority}, '{"priority": "urgent"}');
RESET triage.actor;
SELECT triage.request_triage($id{again});
SELECT triage.cancel_job(id) FROM triage.ai_jobs WHERE ticket_id = $id{cancelled}
SQL
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE ticket_id IN (' . join(',', @id{qw(closed resolved softdeleted harddeleted cancelled)}) . ')'),
	0, 'what ended has no job any more');
# nine are cut off; of the four of them that are asked about again, two are kept once more
wait_for($node, 'SELECT count(*) FILTER (WHERE http_status IS NULL), count(*) FILTER (WHERE http_status = 200) FROM triage.ai_runs', '9|2', 'the runs of what changed');
$model->wait_for_in_flight(@cases - 9 + 2);
$model->release;
wait_for($node, 'SELECT count(*) FROM triage.ai_runs', @cases + 4, 'every call has its run');
all_done($node);

is(runs_of($id{$_}), 'stale succeeded', "$_ edited: the first call is stale, the second counts") for qw(subject description both again);
is(result_of($id{$_}), "1|1|TOKEN-${_}new", "$_ edited: one result, for the new text") for qw(subject description both);
is(result_of($id{again}), '1|1|TOKEN-again', 'asked again: one result');
is(sql($node, "SELECT ticket_version FROM triage.ticket_ai_results WHERE ticket_id = $id{description}"), 2, 'which names the version it was asked about');
is(scalar($model->log($_)), 1, "$_: one call with the text of the time") for qw(description both descriptionnew bothnew);
is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'stale' AND http_status IS NULL AND cost IS NULL AND error ~ '^cancelled in the air'"), 9,
	'a call without a purpose was cut off: its run says so, and that its cost is not known');

for my $case (qw(status assignee tags category priority))
{
	is(runs_of($id{$case}), 'succeeded', "$case changed: the answer is not stale");
	is(result_of($id{$case}), "1|1|TOKEN-$case", "$case changed: and is stored");
}
is(sql($node, "SELECT status, category FROM triage.tickets WHERE id = $id{status}"), 'in_progress|technical', 'the status that was set stays');
is(sql($node, "SELECT assignee_id, category FROM triage.tickets WHERE id = $id{assignee}"), 'agent-1|technical', 'the assignee too');
is(sql($node, "SELECT tags, custom_fields->>'plan', category FROM triage.tickets WHERE id = $id{tags}"), '{vip}|gold|technical', 'and tags and fields');
is(sql($node, "SELECT category, priority FROM triage.tickets WHERE id = $id{category}"), 'general|high',
	'a category set by a person meanwhile survives; the priority, which none set, is taken');
is(sql($node, "SELECT category, priority FROM triage.tickets WHERE id = $id{priority}"), 'technical|urgent', 'a priority likewise');
is(sql($node, "SELECT changed_by, new_value FROM triage.ticket_history WHERE ticket_id = $id{category} AND field = 'category'"),
	'agent-1|"general"', 'and the history has the person\'s change only');

for my $case (qw(closed resolved softdeleted harddeleted cancelled))
{
	is(runs_of($id{$case}), 'stale', "$case: the call is stale, and has its run");
	is(result_of($id{$case}), '0|0|-', "$case: no result");
}
is(sql($node, "SELECT status, version FROM triage.tickets WHERE id = $id{closed}"), 'closed|3', 'a closed ticket is left as it was closed');
is(sql($node, "SELECT count(*) FROM triage.ticket_history WHERE changed_by = 'triage' AND ticket_id IN ($id{closed}, $id{resolved}, $id{softdeleted})"),
	0, 'no history by triage on what ended');

# reopened, it is asked about again
sql($node, "SELECT triage.reopen_ticket($id{resolved})");
$model->wait_for_in_flight(1);
$model->release;
all_done($node);
is(result_of($id{resolved}), '1|1|TOKEN-resolved', 'reopened: asked about again');

################ an agent's open transaction ################

add_tickets($node, map { [ $_, "latency=$HELD" ] } qw(locked edited labelled), map { "other$_" } 1 .. 30);
$model->wait_for_in_flight(33);
%id = (%id, map { $_ => id_of($node, $_) } qw(locked edited labelled));
my $agent = $node->background_psql('postgres');
$agent->query_safe('BEGIN');
$agent->query_safe("SELECT id FROM triage.tickets WHERE id = $id{locked} FOR UPDATE");
$agent->query_safe("UPDATE triage.tickets SET description = 'TOKEN-edited but no more' WHERE id = $id{edited}");
$agent->query_safe("UPDATE triage.tickets SET category = 'general' WHERE id = $id{labelled}");
$model->release;
wait_for($node, q(SELECT count(*) FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id LIKE 'TOKEN-other%'),
	30, 'the others\' results');
pass('an open transaction on three tickets does not hold up the results of thirty others');
is($model->stats->{in_flight}, 0, 'all answers are here');
is(sql($node, "SELECT count(*) FROM triage.ai_jobs WHERE lease_until > now() + interval '5 s'"), 3, 'the three wait, under their lease');
is(sql($node, "SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id IN ($id{locked}, $id{edited}, $id{labelled})"), 0, 'and are not written yet');
add_tickets($node, 'meanwhile');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'meanwhile'), 'processed', 'a new ticket is served meanwhile');
$agent->query_safe('COMMIT');
$agent->quit;
all_done($node);
is(result_of($id{locked}), '1|1|TOKEN-locked', 'the lock gone, the answer that waited is stored');
is(scalar($model->log('locked')), 1, 'without a second call');
is(runs_of($id{edited}), 'stale succeeded', 'the transaction edited the text: the answer that waited is stale');
is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE ticket_id = $id{edited} AND outcome = 'stale' AND http_status = 200 AND input_tokens > 0 AND error <> ''"), 1,
	'it was paid for: its run has tokens and says why');
is(result_of($id{edited}), '1|1|TOKEN-edited', 'and asked for anew');
is(sql($node, "SELECT category, category_is_manual FROM triage.tickets WHERE id = $id{labelled}"), 'general|t', 'the transaction set a category: it survives');
is(result_of($id{labelled}), '1|1|TOKEN-labelled', 'and the answer is stored beside it');

sql($node, "SELECT triage.delete_ticket($id{cancelled})");		# nothing is asked about it any more, which is right
ledger_is_sound($node, 'changes in flight');
sent_equals_runs($node, $model, 'changes in flight');
is(sql($node, 'SELECT count(*) FROM triage.ai_failures'), 0, 'none of this is a failure');
is(sql($node, 'SELECT stale, failed FROM triage.worker_counters()'), '10|0', 'the worker counted the stale answers');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING|deadlock|could not (?!send data to client)/, 'the server log is clean');
done_testing();
