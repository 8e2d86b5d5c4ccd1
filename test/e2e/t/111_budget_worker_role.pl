# A worker with a role of its own keeps to budgets with that role's rights, for all tenants.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model(latency_ms => 10);
my $node = start_server('budget_role', preload => 1, model => $model);

sql($node, <<'SQL');
CREATE ROLE "the worker" LOGIN;
SELECT triage.grant_access('the worker', 'worker');
SELECT triage.create_tenant('acme');
SELECT triage.set_price('fake-*', 0.01, 1000000, 'EUR'), triage.set_output_limit('fake', 1000);
SELECT triage.set_budget('month', 1000000, 'EUR'), triage.set_budget('day', 500000, 'EUR', tenant => 'acme');
SQL
$node->append_conf('postgresql.conf', "triage.worker_role = 'the worker'");
$node->reload;
wait_for($node, "SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'triage worker'", 'the worker', 'the role serves');
add_tickets($node, map { "r$_" } 1 .. 20);
sql($node, q(INSERT INTO triage.tickets (tenant_id, external_id, description) SELECT 'acme', 'TOKEN-a' || i, 'TOKEN-a' || i FROM generate_series(1, 10) i));
all_done($node, what => 'the tickets of two tenants');
is(sql($node, <<'SQL'), "all|t|t|t\nacme|t|t|t", 'what was spent is the sum of the runs, and nothing is reserved');
SELECT coalesce(s.tenant, 'all'), s.reserved = 0, s.unsettled = 0,
		s.spent = (SELECT sum(r.cost) FROM triage.ai_runs r WHERE s.tenant IS NULL OR r.tenant_id = s.tenant)
	FROM triage.budget_status s ORDER BY s.tenant NULLS FIRST
SQL
sql($node, q(SELECT triage.set_budget('month', 0, 'EUR')));
my $requests = $model->requests;
add_tickets($node, 'held');
wait_until(
	sub {
		my $seen = sql($node, q(SELECT string_agg(activity, ' ') FROM triage.worker_status WHERE type = 'triage worker'));
		return (scalar($seen =~ /the budget is used up/), $seen);
	}, 'the limit holds for it');
is($model->requests, $requests, 'nothing was asked');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs'), 1, 'the job waits');

$node->stop;
unlike(log_since($node), qr/permission denied|PANIC|row-level security/, 'it lacked no right');
done_testing();
