# An external worker works off the kinds of issue mining by the same protocol, also under a role of its own.
use strict;
use warnings;
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Mining;
use Triage;

my $node = start_server('mining_external', preload => 0);

sql($node, q(SELECT triage.worker_stop()));
wait_for_worker($node, 0);
# a provider that is there for those who ask whether there is a model; nothing calls it
sql($node, q(SELECT triage.set_provider(name => 'outside', api => 'openai', base_url => 'http://127.0.0.1:9/v1', model => 'm')));
prepare_mining($node);

# (job, fence, request) of the one job of the kind that is due
sub claim
{
	my ($kind) = @_;
	my @row = split /\|/, sql($node, "SELECT job_id, fence, kind, coalesce(ticket_id, cluster_id), request FROM triage.claim_jobs(1, '1 hour', 'outside', '{$kind}')"), 5;
	is($row[2], $kind, "a job of kind $kind is claimed");
	return ($row[0], $row[1], JSON::PP::decode_json($row[4]), $row[3]);
}

sub complete
{
	my ($job, $fence, $answer) = @_;
	return sql($node, "SELECT triage.complete_job($job, $fence, \$answer\$" . JSON::PP::encode_json($answer) . "\$answer\$, 'm', 10, 0, 20)");
}

sub refusal
{
	my ($job, $fence, $answer) = @_;
	return sql_error($node, "SELECT triage.complete_job($job, $fence, \$answer\$" . JSON::PP::encode_json($answer) . "\$answer\$)");
}

sub issue
{
	my ($summary, %more) = @_;
	return { area => 'PAYROLL/errors', issue_type => 'bug', severity => 'high', summary => $summary, %more };
}

is(sqlstate($node, "SELECT triage.claim_jobs(kinds => '{extract_issue}')"), '22023', 'a kind that does not exist is refused');

################################################ extract_issues ################################################

add_reports($node, first => [ '', [ 'x' ] ]);
my ($job, $fence, $request, $ticket) = claim('extract_issues');
is_deeply([ sort keys %$request ], [qw(heading label_notes labels speakers texts version)], 'the request has what the model is to be told');
is_deeply($request->{speakers}, ['customer'], 'texts with who wrote them');
is(scalar @{ $request->{labels} }, 14, 'the labels that an area may be');
is(scalar @{ $request->{label_notes} }, 14, 'and what each means');
like(refusal($job, $fence, {}), qr/22023.*the answer has no issues/s, 'its answer is checked as the worker checks it');
like(refusal($job, $fence, { issues => [ issue('s', area => 'PAYROLL') ] }), qr/22023.*issues\[0\]\.area is unknown: "PAYROLL"/s, 'against the labels');
is(sql($node, "SELECT triage.fail_job($job, $fence, 'transient', 'no answer', '0 seconds')"), 'retry', 'fail_job() takes the kind');
sql($node, 'UPDATE triage.ai_jobs SET run_at = now()');
($job, $fence, $request) = claim('extract_issues');
is(complete($job, $fence, { version => $request->{version}, issues => [ issue('A payroll run stops', quote => 'I report this.', junk => 1), issue('A tax form is missing') ] }), 't', 'and stored');
is(sql($node, "SELECT i.summary, i.quote_verified, r.kind, r.provider, r.model, r.output_tokens FROM triage.extracted_issues i JOIN triage.ai_runs r ON r.id = i.run_id ORDER BY i.id"),
	"A payroll run stops|t|extract_issues|outside|m|20\nA tax form is missing|f|extract_issues|outside|m|20", 'with its run');
is(complete($job, $fence, { issues => [] }), 'f', 'once');

sql($node, "SELECT triage.extract_issues($ticket)");
($job, $fence, $request) = claim('extract_issues');
sql($node, "UPDATE triage.tickets SET description = 'Other words.' WHERE id = $ticket");
is(complete($job, $fence, { version => $request->{version}, issues => [] }), 'f', 'an answer to another text is stale');
is(sql($node, "SELECT count(*) FROM triage.extracted_issues WHERE superseded_at IS NULL"), 2, 'and supersedes nothing');
($job, $fence, $request) = claim('extract_issues');
is(complete($job, $fence, { version => $request->{version}, issues => [ issue('A payroll run stops') ] }), 't', 'the text of now is asked about again');
is(sql($node, "SELECT string_agg(summary, ', ') FROM triage.extracted_issues WHERE superseded_at IS NULL"), 'A payroll run stops', 'and its answer counts');

################################################ match_issues ################################################

my $cluster = sql($node, 'SELECT cluster_id FROM triage.extracted_issues WHERE superseded_at IS NULL');
add_reports($node, second => [ '', [ 'x' ] ]);
($job, $fence, $request) = claim('extract_issues');
complete($job, $fence, { issues => [ issue('The payroll run hangs'), issue('No run of payroll ends'), issue('The payroll never stops') ] });
($job, $fence, $request, $ticket) = claim('match_issues');
is_deeply($request->{speakers}, [ ('issue') x 3 ], 'the issues are texts');
is_deeply($request->{labels}, [ 'none', "C$cluster" ], 'the labels are candidates');
my @answer = (version => $request->{version});
like(refusal($job, $fence, { matches => [] }), qr/22023.*version is not that of a request/s, 'numbers count for the request that they were given in, which an answer has to name');
like(refusal($job, $fence, { version => 'x', matches => [] }), qr/22023.*version is not that of a request/s, 'by its number');
like(refusal($job, $fence, { @answer, matches => [ { issue => 4, cluster => 'none' } ] }), qr/22023.*issue is not from 1 to 3/s, 'an issue that was not asked about is refused');
like(refusal($job, $fence, { @answer, matches => [ { issue => 1, cluster => 'C0' } ] }), qr/22023.*cluster is unknown: "C0"/s, 'and a cluster that is no candidate');
is(complete($job, $fence, { @answer, matches => [ { issue => 2, cluster => "C$cluster", reason => 'the same' }, { issue => 2, cluster => 'none' }, { issue => 1, cluster => 'none' } ] }), 't', 'an answer may leave issues out');
is(sql($node, "SELECT summary, assigned_by, cluster_id = $cluster FROM triage.extracted_issues WHERE ticket_id = $ticket ORDER BY id"),
	"The payroll run hangs|model|f\nNo run of payroll ends|model|t\nThe payroll never stops||", 'each issue is where its number says');
add_reports($node, third => [ '', [ 'x' ] ]);
($job, $fence) = claim('extract_issues');
complete($job, $fence, { issues => [ issue('Payroll stops at noon') ] });
($job, $fence, $request, $ticket) = claim('match_issues');
@answer = (version => $request->{version});
sql($node, "SELECT triage.assign_issue(id, $cluster) FROM triage.extracted_issues WHERE ticket_id = $ticket");
is(complete($job, $fence, { @answer, matches => [ { issue => 1, cluster => 'none' } ] }), 'f', 'what a person placed meanwhile stays');
is(sql($node, "SELECT assigned_by, cluster_id = $cluster FROM triage.extracted_issues WHERE ticket_id = $ticket"), 'human|t', 'where it is');

################################################ name_cluster ################################################

($job, $fence, $request, my $named) = claim('name_cluster');
is($named, $cluster, 'of the cluster that has three issues');
is_deeply($request->{speakers}, [ ('issue') x 3 ], 'its issues are texts');
is($request->{heading}, 'PAYROLL/errors', 'under their area');
my $let_go = hold_lock($node, "SELECT FROM triage.issue_clusters WHERE id = $cluster FOR UPDATE");
like(refusal($job, $fence, { name => 'N', summary => 'S' }), qr/55P03.*the cluster of this job is locked/s, 'a cluster that somebody holds is told of');
$let_go->();
is(complete($job, $fence, { name => 'Payroll stops', summary => 'It stops.' }), 't', 'later it works');
is(sql($node, "SELECT cluster_name, cluster_summary FROM triage.issue_clusters WHERE id = $cluster"), 'Payroll stops|It stops.', 'it has its name');
sql($node, "INSERT INTO triage.ai_jobs (tenant_id, cluster_id, kind) VALUES ('default', $cluster, 'name_cluster')");
($job, $fence) = claim('name_cluster');
is(sql($node, "SELECT triage.fail_job($job, $fence, 'refused', 'no')"), 'failed', 'a failure for good');
is(sql($node, 'SELECT kind, cluster_id, class, message FROM triage.ai_dead_letters'), "name_cluster|$cluster|refused|no", 'is its dead letter');
is(sql($node, 'SELECT triage.retry_failed()'), 1, 'retry_failed() brings it back');
sql($node, "UPDATE triage.ai_jobs SET lease_until = NULL");
($job, $fence) = claim('name_cluster');
sql($node, "SELECT triage.rename_cluster($cluster, 'Mine')");
is(complete($job, $fence, { name => 'N', summary => 'S' }), 'f', 'a name that a person gave meanwhile stays');
is(sql($node, "SELECT cluster_name FROM triage.issue_clusters WHERE id = $cluster"), 'Mine', 'as it is');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 0, 'no job is left');

################################################ nothing to choose from ################################################

sql($node, "SELECT triage.extract_issues($ticket); CREATE OR REPLACE FUNCTION triage.read_extract_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[], labels text[], label_notes text[])
	LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
	\$\$ SELECT v.content_version, '', '{customer}'::text[], '{x}'::text[], '{a,a}'::text[], '{x,y}'::text[] FROM triage.content_versions(\$1, ARRAY[\$2]) v \$\$");
is(sql($node, "SELECT count(*) FROM triage.claim_jobs(1, '1 hour', 'outside', '{extract_issues}')"), 0, 'what no model can be asked is not given out');
is(sql($node, 'SELECT kind, class, message FROM triage.ai_dead_letters'), 'extract_issues|bad_request|not asked: a label to choose from is there twice', 'and given up with its reason');

done_testing();
