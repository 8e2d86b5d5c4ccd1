# What goes wrong while tickets are mined: bad answers, outages, edits and people's decisions while a call is in the air.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Mining;
use Triage;

my $model = start_model();
my $node = start_server('mining_failures', preload => 1, model => $model, conf => 'triage.max_attempts = 2', provider => { timeout_ms => 3000 });

prepare_mining($node);

sub ticket { return sql($node, "SELECT id FROM triage.tickets WHERE requester_email = '$_[0]\@example.com'") }

sub letter
{
	my ($condition) = @_;
	return sql($node, "SELECT d.kind, d.class, d.attempts, (SELECT count(*) FROM triage.ai_runs r WHERE r.job_id = d.id AND r.kind = d.kind) FROM triage.ai_dead_letters d WHERE $condition");
}

################################################ answers that cannot be used ################################################

# directives, class of the dead letter, tries, a part of its message
my @bad = (
	[ 'answer=notjson',      'unusable_answer', 2, 'not a JSON object' ],
	[ 'answer=truncated',    'unusable_answer', 2, 'cut off' ],
	[ 'answer=wrongtypes',   'unusable_answer', 2, 'issues is not an array' ],
	[ 'answer=unknownlabel', 'unusable_answer', 2, 'issues[0].area is unknown: "no such label"' ],
	[ 'answer=outofrange',   'unusable_answer', 2, 'issues[0].confidence is not from 0 to 1' ],
	[ 'answer=deep',         'unusable_answer', 2, 'nested too deeply' ],
	[ 'answer=badutf8',      'unusable_answer', 2, 'not valid' ],
	[ 'answer=empty',        'unusable_answer', 2, 'empty' ],
	[ 'answer=length',       'unusable_answer', 2, 'truncated' ],
	[ 'answer=refusal',      'refused',         1, 'cannot help' ],
	[ 'status=400',          'bad_request',     1, 'not valid' ],
	[ 'status=500',          'transient',       2, 'server had an error' ]);
add_reports($node, map { ("bad$_" => [ "kind=extract_issues $bad[$_][0]", [ "Something is amiss, TOKEN-bad$_" ] ]) } 0 .. $#bad);
wait_for($node, "SELECT count(*) > 0 FROM triage.ai_failures WHERE state = 'retrying' AND kind = 'extract_issues' AND provider = 'fake'", 't',
	'what waits after a failed try is seen in ai_failures');
all_done($node, what => 'all that went wrong is dealt with');
for my $i (0 .. $#bad)
{
	my ($directives, $class, $attempts, $message) = @{ $bad[$i] };
	my $ticket = ticket("bad$i");

	is(letter("d.ticket_id = $ticket"), "extract_issues|$class|$attempts|$attempts", "$directives: given up as $class after $attempts");
	is(sql($node, "SELECT CASE WHEN position(\$\$$message\$\$ IN d.message) > 0 THEN 't' ELSE d.message END FROM triage.ai_dead_letters d WHERE d.ticket_id = $ticket"), 't', '... which says why');
}
is(sql($node, 'SELECT count(*) FROM triage.extracted_issues'), 0, 'and nothing was stored');
is(sql($node, "SELECT kind, pending, running, dead FROM triage.queue_stats"), 'extract_issues|0|0|' . @bad, 'queue_stats counts them');
sql($node, "SELECT triage.resolve_ticket(" . ticket('bad0') . "); UPDATE triage.tickets SET deleted_at = now() WHERE id = " . ticket('bad1')
	. "; UPDATE triage.tickets SET description = regexp_replace(description, '\\[\\[.*', '')");
all_done($node, what => 'a ticket that is resolved is looked at again');
is(sql($node, "SELECT triage.retry_failed('refused')"), 1, 'retry_failed() takes them by class');
is(sql($node, "SELECT triage.retry_failed()"), @bad - 3, 'those of a deleted ticket are left out');
all_done($node, what => 'the second time all is well');
is(sql($node, "SELECT count(*), count(DISTINCT ticket_id) FROM triage.extracted_issues WHERE superseded_at IS NULL"), (@bad - 1) . '|' . (@bad - 1), 'each has its issue now');

add_reports($node, patient => [ 'kind=extract_issues status=500 times=1', [ 'The kiosk shows a blank page, TOKEN-patient', 'TIME_AND_ATTENDANCE/hardware_issues' ] ]);
all_done($node, what => 'the provider is up again');
is(job_runs($node, q(r.kind = 'extract_issues' AND r.ticket_id = ) . ticket('patient')), 'extract_issues transient, extract_issues succeeded', 'an outage costs a try, and the next one stores');

################################################ judgements ################################################

my @bad_matches = (
	[ 'answer=notjson',      'unusable_answer', 2, 'not a JSON object' ],
	[ 'answer=wrongtypes',   'unusable_answer', 2, 'matches is not an array' ],
	[ 'answer=unknownlabel', 'unusable_answer', 2, 'matches[0].cluster is unknown: "no such label"' ],
	[ 'answer=outofrange',   'unusable_answer', 2, 'matches[0].issue is not from 1 to 1' ],
	[ 'status=500',          'transient',       2, 'server had an error' ]);
add_reports($node, map { ("match$_" => [ '', [ "The kiosk stays blank $_, TOKEN-match$_ [[fake kind=match_issues $bad_matches[$_][0]]]", 'TIME_AND_ATTENDANCE/hardware_issues' ] ]) } 0 .. $#bad_matches);
all_done($node, what => 'all judgements that went wrong are dealt with');
for my $i (0 .. $#bad_matches)
{
	my ($directives, $class, $attempts, $message) = @{ $bad_matches[$i] };
	my $ticket = ticket("match$i");

	is(letter("d.ticket_id = $ticket"), "match_issues|$class|$attempts|$attempts", "$directives: a judgement is given up as $class");
	is(sql($node, "SELECT CASE WHEN position(\$\$$message\$\$ IN d.message) > 0 THEN 't' ELSE d.message END FROM triage.ai_dead_letters d WHERE d.ticket_id = $ticket"), 't', '... which says why');
	is(sql($node, "SELECT count(*), count(cluster_id) FROM triage.extracted_issues WHERE ticket_id = $ticket"), '1|0', '... and the issue stays without a cluster');
}
add_reports($node, other => [ '', [ 'A blank kiosk, as TOKEN-patient', 'TIME_AND_ATTENDANCE/hardware_issues' ] ]);
all_done($node, what => 'a good one beside them');
is(issues_of($node, ticket('other')), 'A blank kiosk, as TOKEN-patient|model|The kiosk shows a blank page, TOKEN-patient', 'is placed');

################################################ names ################################################

add_reports($node, map { ("name$_" => [ '', [ "Deposit number $_ came twice, TOKEN-name [[fake kind=name_cluster answer=notjson]]", 'PAYROLL/direct_deposits' ] ]) } 1);
add_reports($node, map { ("name$_" => [ '', [ "Deposit number $_ came twice, TOKEN-name", 'PAYROLL/direct_deposits' ] ]) } 2 .. 3);
all_done($node, what => 'no name comes');
my $cluster = sql($node, q(SELECT DISTINCT cluster_id FROM triage.extracted_issues WHERE summary LIKE '%TOKEN-name%'));
is(letter("d.cluster_id = $cluster"), 'name_cluster|unusable_answer|2|2', 'a name is given up');
is(sql($node, "SELECT kind, state, class, ticket_id, session_id, cluster_id, provider, model FROM triage.ai_failures WHERE cluster_id IS NOT NULL"),
	"name_cluster|failed|unusable_answer|||$cluster|fake|fake-model", 'ai_failures says of which cluster');
is(sql($node, 'SELECT count(*) FROM triage.check_integrity(true)'), 0, 'the tables agree');
sql($node, "SELECT triage.archive_cluster($cluster)");
is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters WHERE cluster_id = $cluster"), sql($node, "SELECT count(*) - (SELECT triage.retry_failed()) * 0 FROM triage.ai_dead_letters WHERE cluster_id = $cluster"),
	'of an archived cluster it is not tried again');
all_done($node, what => 'but judgements are');
sql($node, "SELECT triage.unarchive_cluster($cluster); UPDATE triage.extracted_issues SET summary = regexp_replace(summary, ' \\[\\[.*', '') WHERE cluster_id = $cluster");
is(sql($node, 'SELECT triage.retry_failed() > 0'), 't', 'of a live one it is');
all_done($node, what => 'the name is there');
is(sql($node, "SELECT cluster_name FROM triage.issue_clusters WHERE id = $cluster"), 'Cluster about TOKEN-name', 'and has its name');
is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters WHERE cluster_id IS NOT NULL"), 0, 'its letter is gone');

################################################ changes while the call is in the air ################################################

sub request_name
{
	sql($node, "UPDATE triage.extracted_issues SET summary = regexp_replace(summary, ' \\[\\[.*|\$', ' [[fake kind=name_cluster latency=$HELD]]') WHERE cluster_id = $cluster;
		INSERT INTO triage.ai_jobs (tenant_id, cluster_id, kind, priority) VALUES ('default', $cluster, 'name_cluster', 'low'); SELECT triage.wake_worker()");
	$model->wait_for_in_flight(1);
}

use_model($node, $model, timeout_ms => 60000);
add_reports($node, edited => [ "kind=extract_issues latency=$HELD", [ 'The old text, TOKEN-old' ] ]);
$model->wait_for_in_flight(1);
my $edited = ticket('edited');
sql($node, "UPDATE triage.tickets SET description = \$\$@{[ report_of('', [ 'The new text, TOKEN-new' ]) ]}\$\$ WHERE id = $edited");
all_done($node, what => 'the edited ticket is looked at anew');
# the look at the new text may be written before the one that is cut off
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE ticket_id = $edited AND outcome = 'stale'", 1, 'the look at the old text is cut off');
is(join(', ', sort split /, /, job_runs($node, "r.ticket_id = $edited AND r.kind = 'extract_issues'")), 'extract_issues stale, extract_issues succeeded', 'an answer to the old text is stale');
is(sql($node, "SELECT string_agg(summary, ', ') FROM triage.extracted_issues WHERE ticket_id = $edited"), 'The new text, TOKEN-new', 'and its issues are never stored');
like(sql($node, "SELECT error FROM triage.ai_runs WHERE ticket_id = $edited AND outcome = 'stale'"), qr/ticket (moved on|changed)/, 'the run says why');

add_reports($node, finished => [ "kind=extract_issues latency=$HELD", [ 'It was resolved meanwhile, TOKEN-finished' ] ], dropped => [ 'kind=extract_issues hang', [ 'It was deleted meanwhile, TOKEN-dropped' ] ]);
$model->wait_for_in_flight(2);
sql($node, 'SELECT triage.resolve_ticket(' . ticket('finished') . '); UPDATE triage.tickets SET deleted_at = now() WHERE id = ' . ticket('dropped'));
$model->release;
all_done($node, what => 'both are dealt with');
is(issues_of($node, ticket('finished')) =~ /^It was resolved meanwhile, TOKEN-finished\|/, 1, 'a ticket that is resolved meanwhile keeps its extraction');
wait_for($node, 'SELECT string_agg(outcome::text, $$ $$) FROM triage.ai_runs WHERE ticket_id = ' . ticket('dropped'), 'stale', 'the call for a deleted one is cut off');
is(sql($node, 'SELECT count(*) FROM triage.extracted_issues WHERE ticket_id = ' . ticket('dropped')), 0, 'and stores nothing');

add_reports($node, held => [ "kind=extract_issues latency=$HELD", [ 'Somebody holds the ticket, TOKEN-held' ] ]);
$model->wait_for_in_flight(1);
my $let_go = hold_lock($node, 'SELECT FROM triage.tickets WHERE id = ' . ticket('held') . ' FOR UPDATE');
$model->release;
add_reports($node, beside => [ '', [ 'Nobody holds this one, TOKEN-beside' ] ]);
wait_for($node, 'SELECT count(*) FROM triage.extracted_issues WHERE ticket_id = ' . ticket('beside'), 1, 'others are written meanwhile');
is(sql($node, 'SELECT count(*) FROM triage.extracted_issues WHERE ticket_id = ' . ticket('held')), 0, 'before the ticket is let go');
$let_go->();
all_done($node, what => 'the lock is gone');
is(sql($node, 'SELECT summary FROM triage.extracted_issues WHERE ticket_id = ' . ticket('held')), 'Somebody holds the ticket, TOKEN-held', 'then it is written');

add_reports($node, again => [ '', [ 'A kiosk goes blank at noon, TOKEN-again [[fake kind=match_issues latency=' . $HELD . ']]', 'TIME_AND_ATTENDANCE/hardware_issues' ] ]);
$model->wait_for_requests(2, 'again');
my $again = ticket('again');
sql($node, "UPDATE triage.tickets SET description = \$\$@{[ report_of('', [ 'A terminal goes dark at noon, TOKEN-again', 'TIME_AND_ATTENDANCE/hardware_issues' ]) ]}\$\$ WHERE id = $again;
	SELECT triage.extract_issues($again)");
all_done($node, what => 'the new issue is judged');
wait_for($node, "SELECT string_agg(outcome::text, ' ' ORDER BY outcome) FROM triage.ai_runs WHERE ticket_id = $again AND kind = 'match_issues'", 'succeeded stale',
	'a judgement of what was superseded meanwhile is stale');
is(sql($node, "SELECT summary, assigned_by FROM triage.extracted_issues WHERE ticket_id = $again AND cluster_id IS NOT NULL"), 'A terminal goes dark at noon, TOKEN-again|model', 'the new one has a place');

request_name();
sql($node, "SELECT triage.rename_cluster($cluster, 'By hand')");
$model->release;
all_done($node, what => 'the late name is dealt with');
is(sql($node, "SELECT cluster_name FROM triage.issue_clusters WHERE id = $cluster"), 'By hand', 'a name by hand stays');
wait_for($node, "SELECT string_agg(outcome::text, ' ' ORDER BY id) FROM triage.ai_runs WHERE cluster_id = $cluster AND outcome IN ('stale', 'succeeded')", 'succeeded stale', 'the run of the late one');

sql($node, "UPDATE triage.issue_clusters SET name_is_manual = false WHERE id = $cluster");
request_name();
is(sql($node, "SELECT triage.cancel_job(id) FROM triage.ai_jobs WHERE cluster_id = $cluster"), 't', 'cancel_job() takes jobs of clusters');
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE cluster_id = $cluster AND outcome = 'stale'", 2, 'the call is cut off');
$model->wait_for_in_flight(0);

request_name();
sql($node, "SELECT triage.unassign_issue(id) FROM triage.extracted_issues WHERE cluster_id = $cluster; SELECT triage.delete_cluster($cluster)");
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE cluster_id = $cluster AND outcome = 'stale'", 3, 'the call for a cluster that is gone is cut off');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 0, 'its job went with it');

################################################ nothing to choose from ################################################

sql($node, q(UPDATE triage.issue_taxonomy SET is_active = false));
my $requests = $model->requests;
sql($node, "INSERT INTO triage.ai_jobs (tenant_id, ticket_id, kind) VALUES ('default', $edited, 'extract_issues'); SELECT triage.wake_worker()");
all_done($node, what => 'without a taxonomy there is nothing to do');
is($model->requests, $requests, 'no call is made');
sql($node, q(CREATE OR REPLACE FUNCTION triage.read_extract_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[], labels text[], label_notes text[])
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
	$$ SELECT v.content_version, '', '{customer}'::text[], '{x}'::text[], '{}'::text[], '{}'::text[] FROM triage.content_versions($1, ARRAY[$2]) v $$));
sql($node, "DELETE FROM triage.ai_dead_letters; INSERT INTO triage.ai_jobs (tenant_id, ticket_id, kind) VALUES ('default', $edited, 'extract_issues'); SELECT triage.wake_worker()");
all_done($node, what => 'what cannot be asked is given up');
is(sql($node, 'SELECT kind, class, message FROM triage.ai_dead_letters'), 'extract_issues|bad_request|not asked: there are no labels to choose from', 'a job without labels ends with its reason');
is($model->requests, $requests, 'without a call');
is(sql($node, "SELECT count(*) FROM triage.ai_runs r JOIN triage.ai_dead_letters d ON d.id = r.job_id"), 0, 'and without a run, so nothing is billed');
sent_equals_runs($node, $model, 'of all kinds');

done_testing();
