# Two answers to the same job in one write: the withdrawn claim's and the current one's.  Under load answers are gathered,
# and a ticket that is edited meanwhile is asked about again before they are written.  The fence, not the job, tells them
# apart.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $TICKETS = 160;
my $model = start_model();
my $node = start_server('batch', preload => 1, model => $model, conf => 'triage.max_in_flight = 400', provider => { timeout_ms => 60000 });

# calls that keep the worker busy, so that it gathers
add_tickets($node, map { [ "busy$_", "latency=$HELD" ] } 1 .. 100);
$model->wait_for_in_flight(100);
my $first = sql($node, 'SELECT max(id) + 1 FROM triage.tickets');
add_tickets($node, map { [ "t$_", 'latency=300' . ($_ % 4 ? '' : ' cut times=1') ] } 1 .. $TICKETS);
# edits spread over the time in which the answers come; the new answer is there at once
sql($node, join('; ', map { my $e = "e$_";
	"SELECT pg_sleep(0.012); UPDATE triage.tickets SET external_id = external_id || '$e', subject = 'About ' || external_id || '$e', "
	  . "description = 'Now ' || external_id || '$e [[fake latency=0]]' WHERE id >= $first AND id % 40 = $_" } 0 .. 39));
$model->release;
all_done($node);

is(sql($node, "SELECT count(*) >= 1 FROM triage.ai_runs WHERE outcome = 'stale'"), 't', 'answers came late');
is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded' AND ticket_id >= $first") >= $TICKETS ? 1 : 0, 1, 'and others in time');
is(sql($node, <<SQL), '', 'each current result answers the text that its ticket has now');
SELECT t.id, t.subject, r.draft_reply FROM triage.tickets t
	LEFT JOIN triage.ticket_ai_results r ON r.ticket_id = t.id AND r.superseded_at IS NULL
	WHERE t.id >= $first AND r.draft_reply !~ (substring(t.subject FROM 'TOKEN-\\w+') || '\\M') IS NOT FALSE LIMIT 10
SQL
is(sql($node, <<SQL), '', 'each result has its run: that succeeded, under the last fence');
SELECT r.id, r.ticket_id, n.id, n.outcome, n.fence FROM triage.ticket_ai_results r LEFT JOIN triage.ai_runs n ON n.id = r.run_id
	WHERE r.superseded_at IS NULL AND (n.outcome IS DISTINCT FROM 'succeeded' OR n.ticket_id <> r.ticket_id
		OR n.fence <> (SELECT max(m.fence) FROM triage.ai_runs m WHERE m.job_id = n.job_id)) LIMIT 10
SQL
is(sql($node, <<SQL), '', 'and each run that succeeded its result');
SELECT n.id, n.ticket_id FROM triage.ai_runs n WHERE n.outcome = 'succeeded'
	AND NOT EXISTS (SELECT FROM triage.ticket_ai_results r WHERE r.run_id = n.id) LIMIT 10
SQL
is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, 'none was given up');
sent_equals_runs($node, $model, 'two claims in one batch');
$node->stop;
done_testing();
