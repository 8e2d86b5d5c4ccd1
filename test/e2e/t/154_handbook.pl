# doc/operations.md: the statements for the administrator run as they stand, the exporter's queries return the columns that
# are named beside them, the alerts use metrics that are exported, and the table of checks is complete.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $handbook = slurp_file('doc/operations.md');
my ($asking, $alerts) = map { $handbook =~ /^## \Q$_\E\n(.*?)(?=^## |\z)/ms ? $1 : die "no section $_" } 'Asking the server', 'Alerts';
my $model = start_model();
my $node = start_server('handbook', preload => 1, model => $model);

add_tickets($node, 'one', [ 'two', 'status=400' ]);
all_done($node);

################ statements ################

my @statements = ($asking =~ /^\| [^|]+ \| (.*) \|$/mg);
@statements = map { /`(SELECT [^`]*;)`/g } @statements;
push @statements, map { split /(?<=;)\n/ } "$asking$alerts" =~ /^```sql\n(.*?)^```/msg;
cmp_ok(scalar @statements, '>=', 14, 'the handbook has statements');
my $one = id_of($node, 'one');
for my $statement (@statements)
{
	$statement =~ s/explain_ticket\(42\)/explain_ticket($one)/;
	is(sql_error($node, $statement), '', $statement =~ s/\s+/ /gr);
}

################ the exporter ################

my ($exporter, $rules) = $alerts =~ /^```yaml\n(.*?)^```/msg;
my %metric;
for my $part (split /^(?=\w)/m, $exporter)
{
	my ($name, $query) = $part =~ /^(\w+):\n  query: "(.*)"\n/ or die "unreadable: $part";
	my @columns = $part =~ /^    - (\w+): \{usage: "(?:LABEL|GAUGE|COUNTER)", description: "[^"]+"\}$/mg;
	is(scalar(@columns), scalar(() = $part =~ /^    - /mg), "$name: each metric is well formed");
	is(sql_error($node, "SET ROLE triage_monitoring; SELECT " . join(', ', @columns) . " FROM ($query) q"), '', "$name: its query runs in that role, and has these columns");
	is(sql($node, "SELECT count(*) FROM json_object_keys((SELECT row_to_json(q) FROM ($query) q LIMIT 1)) k"), scalar(@columns), "$name: and no others")
	  if $name ne 'triage_calls';
	$metric{"${name}_$_"} = 1 for $part =~ /^    - (\w+): \{usage: "(?:GAUGE|COUNTER)"/mg;
}
cmp_ok(sql($node, "SET ROLE triage_monitoring; SELECT count(*) FROM triage.health()"), '>', 10, 'the role for monitoring sees every check');
is(sql($node, "SET ROLE triage_monitoring; SELECT claimed FROM triage.worker_stats WHERE slot = 0"), 2, 'and what the worker counted');
is(sqlstate($node, "SET ROLE triage_monitoring; SELECT * FROM triage.$_"), '42501', "and not $_") for 'tickets', 'providers', 'doctor()', 'secret_refusal(\'x\')';

my @used = $rules =~ /\b(triage_\w+)/g;
cmp_ok(scalar @used, '>=', 7, 'the alerts use metrics');
is(join(' ', grep { !$metric{$_} } @used), '', 'which are exported');

################ the table of checks ################

my @checks = $asking =~ /^\| `([a-z]+)(?: NAME)?` \| /mg;
is(join(' ', sort keys %{ { map { $_ => 1 } @checks } }),
	sql($node, q(SELECT string_agg(n, ' ' ORDER BY n COLLATE "C") FROM (SELECT DISTINCT split_part(check_name, ' ', 1) AS n FROM triage.health()) c)),
	'the table names each check of health(), and no others');
$node->stop;
done_testing();
