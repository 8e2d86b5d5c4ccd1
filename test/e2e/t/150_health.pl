# health() on a server that works: each trouble that an operator meets shows up, says what to do, and goes away again.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $secrets = PostgreSQL::Test::Utils::tempdir_short();
my $key = "sk-health-$$-0123456789";
my $node = start_server('health', preload => 1, model => $model, conf => "triage.secrets_directory = '$secrets'\ntriage.max_attempts = 1",
	provider => { timeout_ms => 5000 });
my @said;

sub health
{
	my ($column, $check) = @_;
	return sql($node, "SELECT $column FROM triage.health() WHERE check_name = '$check'");
}

# The check comes to this level; then what it says, and that it says what to do.
sub comes_to
{
	my ($check, $level, $what, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	wait_for($node, "SELECT level FROM triage.health() WHERE check_name = '$check'", $level, "$check is $level");
	my $said = health('what', $check);
	push @said, sql($node, 'SELECT h::text FROM triage.health() h'), sql($node, 'SELECT d::text FROM triage.doctor() d');
	like($said, $what, "$name: $check is $level and says so");
	ok($level eq 'ok' || health('what_to_do', $check) ne '', "$name: and what to do");
	return;
}

sub all_ok
{
	my ($name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok(wait_for($node, q(SELECT string_agg(check_name || ': ' || what, '; ') FROM triage.health() WHERE level <> 'ok'), '', $name), $name);
}

################ a server where all is well ################

wait_for_worker($node);
all_ok('fresh and preloaded, everything is ok');
add_tickets($node, map { "good$_" } 1 .. 20);
all_done($node);
# what a call costs nobody has said
comes_to('prices', 'warning', qr/\bfake-model\b/, 'a model without a price');
like(health('what', 'answers'), qr/^20 of the latest 20 calls in the last hour succeeded$/, 'the answers are told');
like(health('what', 'latency'), qr/took \d+ ms at most, the timeout is 5000 ms$/, 'and how fast they came');

################ a lock ################

my $hold = $node->background_psql('postgres');
$hold->query_safe('BEGIN; LOCK TABLE triage.ai_runs IN ACCESS EXCLUSIVE MODE');
my $locked = sql($node, q(SELECT string_agg(check_name || ' ' || level || ' ' || what, E'\n') FROM triage.health() WHERE check_name IN ('tables', 'queue')));
like($locked, qr/^tables critical somebody has locked a table/m, 'a lock is told, not waited for');
like($locked, qr/^queue ok/m, 'and what could be checked is');
$hold->query_safe('COMMIT');
$hold->quit;

################ the worker ################

sql($node, q(SET triage.actor = 'ann'; SELECT triage.worker_stop()));
wait_for_worker($node, 0);
comes_to('worker', 'warning', qr/stopped by ann/, 'stopped by hand');
is(health('since = (SELECT stopped_at FROM triage.worker_control)', 'worker'), 't', 'since when');
sql($node, 'SELECT triage.worker_start()');
comes_to('worker', 'ok', qr/runs/, 'started');

$node->append_conf('postgresql.conf', 'triage.enabled = off');
$node->reload;
comes_to('enabled', 'warning', qr/any database of this server/, 'the switch for all databases');
like(sql($node, q(SELECT string_agg(finding, ', ') FROM triage.doctor())), qr/switched off/, 'doctor() says so too');
$node->append_conf('postgresql.conf', 'triage.enabled = on');
$node->reload;
comes_to('enabled', 'ok', qr/may be called/, 'switched on');

################ the provider ################

$model->config(status => 401);
add_tickets($node, 'unauthorized');
comes_to('provider fake', 'critical', qr/401/, 'a key that is refused');
is(health('since > now() - interval \'1 minute\'', 'provider fake'), 't', 'since when');
comes_to('providers', 'critical', qr/no provider whose turn it is/, 'with only builtin in reserve');
$model->config(status => 0);
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);
comes_to('provider fake', 'ok', qr/./, 'resumed');

$model->config(status => 429, retry_after => 60);
add_tickets($node, 'throttled');
comes_to('provider fake', 'warning', qr/asked to wait until 20.*429/, 'an endpoint that is busy');
comes_to('providers', 'warning', qr/asked to wait/, 'and nobody else');
$model->config(status => 0);
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);
comes_to('provider fake', 'ok', qr/./, 'the wait is over');

$model->stop;
add_tickets($node, 'unreachable');
comes_to('provider fake', 'warning', qr/^unreachable: .*connect/i, 'an endpoint that is down');
comes_to('providers', 'critical', qr/no provider whose turn it is/, 'and nobody else');
$model->start;
sql($node, q(SELECT triage.resume_provider('fake')));
all_done($node);
comes_to('provider fake', 'ok', qr/./, 'mended');
comes_to('providers', 'ok', qr/fake/, 'mended');

################ the key file ################

open(my $file, '>', "$secrets/acme") or die;
print $file "$key\n";
close $file;
chmod 0600, "$secrets/acme";
use_model($node, $model, timeout_ms => 5000, secret => 'acme');
add_tickets($node, 'withkey');
all_done($node);
comes_to('provider fake', 'ok', qr/./, 'a key of mode 0600');
chmod 0644, "$secrets/acme";
comes_to('provider fake', 'critical', qr/mode 0644/, 'a key that others may read');
chmod 0600, "$secrets/acme";
rename "$secrets/acme", "$secrets/moved";
comes_to('provider fake', 'critical', qr/no file "acme" in triage\.secrets_directory/, 'a key that is not there');
symlink '/etc/passwd', "$secrets/acme";
comes_to('provider fake', 'critical', qr/leads out of triage\.secrets_directory/, 'a key that is elsewhere');
unlink "$secrets/acme";
rename "$secrets/moved", "$secrets/acme";
comes_to('provider fake', 'ok', qr/./, 'the key is back');

################ a budget that no call of the only provider can keep to ################

sql($node, q(SELECT triage.set_budget('month', 100, 'EUR')));
comes_to('provider fake', 'warning', qr/^not called under the budget of all tenants/, 'a provider without a price');
comes_to('providers', 'critical', qr/no provider whose turn it is/, 'and nobody else');
like(health('what_to_do', 'provider fake'), qr/set_price.*set_output_limit/, 'and how it gets a place under the budget');
sql($node, q(SELECT triage.set_price('fake-model', 1, 2, 'EUR'), triage.set_output_limit('fake', 1000)));
comes_to('provider fake', 'ok', qr/./, 'with price and limit');
comes_to('providers', 'ok', qr/fake/, 'with price and limit');
sql($node, q(SELECT triage.drop_budget('month'), triage.set_output_limit('fake', NULL)));

################ failures, slowness, origins ################

add_tickets($node, [ 'bad1', 'status=400' ], [ 'bad2', 'answer=refusal' ]);
all_done($node);
comes_to('failures', 'warning', qr/^2 jobs were given up in the last hour, 2 in the last day: 1 bad_request, 1 refused$/, 'dead letters');
is(health('since <= now()', 'failures'), 't', 'since when');
add_tickets($node, map { [ "worse$_", 'status=400' ] } 1 .. 30);
all_done($node);
comes_to('failures', 'critical', qr/31 bad_request/, 'more failures than answers');
comes_to('answers', 'critical', qr/mostly bad_request/, 'likewise');
sql($node, 'DELETE FROM triage.ai_dead_letters');
comes_to('failures', 'ok', qr/^0 jobs/, 'without dead letters');

$node->append_conf('postgresql.conf', "triage.allowed_origins = ''");
$node->reload;
comes_to('provider fake', 'critical', qr/allowed origins/, 'an origin that is not listed any more');
$node->append_conf('postgresql.conf', "triage.allowed_origins = '" . $model->origin . "'");
$node->reload;
comes_to('provider fake', 'ok', qr/./, 'listed again');

################ what it must not say ################

my $all = join("\n", @said);
unlike($all, qr/\Q$key\E/, 'no answer of health() or doctor() has the key in it');
unlike($all, qr/\Q$secrets\E/, 'or the directory');
unlike(log_since($node), qr/\Q$key\E/, 'nor has the log');

################ what it costs ################

sql($node, <<'SQL');
SELECT triage.worker_stop();
SET triage.auto_triage = off;
INSERT INTO triage.tickets (description) SELECT 'x' FROM generate_series(1, 50000);
INSERT INTO triage.ai_jobs (tenant_id, ticket_id, priority) SELECT 'default', id, (enum_range(NULL::triage.ticket_priority))[1 + id % 4] FROM triage.tickets ORDER BY id DESC LIMIT 50000;
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, latency_ms)
	SELECT 'default', i, i, 'triage', 1, 'fake', 'fake-model', 'succeeded', 100 FROM generate_series(1, 100000) i;
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	SELECT 'default', -id, id, 'triage', 'low', 1, 1, 'refused', 'x', now() FROM triage.tickets ORDER BY id DESC LIMIT 50000;
SQL
my $plan = sql($node, "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, SUMMARY OFF) SELECT * FROM triage.health()");
my ($hit) = $plan =~ /shared hit=(\d+)/;
my ($read) = $plan =~ /read=(\d+)/;
cmp_ok(($hit // 0) + ($read // 0), '<', 12000, 'with 50,000 jobs and failures and 100,000 calls it looks at a few thousand pages');
like(health('what', 'queue'), qr/^no job is due|, 5\d{4} in the queue/, 'and knows how long the queue is');
$node->stop;
done_testing();
