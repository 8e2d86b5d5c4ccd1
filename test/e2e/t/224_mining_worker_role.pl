# A worker with a role of its own mines the tickets of all tenants, each from its own taxonomy, with that role's rights.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Mining;
use Triage;

my $model = start_model();
my $node = start_server('mining_role', preload => 1, model => $model, conf => 'triage.max_attempts = 2');

prepare_mining($node);
sql($node, <<'SQL');
CREATE ROLE "the worker" LOGIN;
SELECT triage.grant_access('the worker', 'worker');
SELECT triage.create_tenant('acme');
SET triage.tenant = 'acme';
SELECT triage.set_taxonomy('Shop', 'checkout', 'Paying.');
SELECT triage.set_mining_settings('{"join_score": 1, "candidate_score": 0.01}');
SQL
$node->append_conf('postgresql.conf', "triage.worker_role = 'the worker'");
$node->reload;
wait_for($node, "SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'triage worker'", 'the worker', 'the role serves');

my @tenants = ([ 'default', 'PAYROLL/errors' ], [ 'acme', 'Shop/checkout' ]);
for my $n (1 .. 4)
{
	for (@tenants)
	{
		my ($tenant, $area) = @$_;
		my $text = report_of('', [ "Paying fails with error $n, TOKEN-$tenant", $area ]);
		sql($node, "SET triage.tenant = '$tenant'; INSERT INTO triage.tickets (subject, description) VALUES ('n$n', \$\$$text\$\$);
			SELECT triage.extract_issues((SELECT max(id) FROM triage.tickets WHERE tenant_id = '$tenant'))");
	}
	all_done($node, what => 'both tickets are mined');
}
is(sql($node, q(SELECT i.tenant_id, i.category || '/' || i.subcategory, count(*), count(DISTINCT i.cluster_id), min(c.cluster_name)
	FROM triage.extracted_issues i JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id GROUP BY 1, 2 ORDER BY 1)),
	"acme|Shop/checkout|4|1|Cluster about TOKEN-acme\ndefault|PAYROLL/errors|4|1|Cluster about TOKEN-default",
	'each tenant has its issues in its own areas and its own cluster, which is named');
is(sql($node, q(SELECT tenant_id, kind, count(*) FROM triage.ai_runs WHERE outcome = 'succeeded' GROUP BY 1, 2 ORDER BY 1, 2)),
	join("\n", map { ("$_->[0]|extract_issues|4", "$_->[0]|match_issues|3", "$_->[0]|name_cluster|1") } reverse @tenants), 'by so many calls');
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters)), 0, 'nothing failed');

# an area of another tenant is none
sql($node, "SET triage.tenant = 'acme'; INSERT INTO triage.tickets (subject, description) VALUES ('alien', \$\$@{[ report_of('', [ 'x' ]) ]}\$\$);
	SELECT triage.extract_issues((SELECT max(id) FROM triage.tickets WHERE tenant_id = 'acme'))");
all_done($node, what => 'it is given up');
is(sql($node, 'SELECT d.tenant_id, d.kind, d.class, d.message FROM triage.ai_dead_letters d'),
	q(acme|extract_issues|unusable_answer|the answer's issues[0].area is unknown: "PAYROLL/errors"), 'an area of another tenant is refused');

my $cluster = sql($node, q(SELECT id FROM triage.issue_clusters WHERE tenant_id = 'acme'));
sql($node, "INSERT INTO triage.ai_jobs (tenant_id, cluster_id, kind, fence, attempts, lease_until, claimed_at, slot, provider)
	VALUES ('acme', $cluster, 'name_cluster', 1, 1, now() - interval '1 minute', now() - interval '2 minutes', -1, 'fake')");
all_done($node, what => 'a lease of a cluster that ended is freed');
is(job_runs($node, "r.cluster_id = $cluster AND r.tenant_id = 'acme'"), 'name_cluster succeeded, name_cluster lost, name_cluster succeeded', 'with its run');

done_testing();
