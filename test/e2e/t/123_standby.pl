# A streaming standby has the queue and leaves it alone; promoted, it works it off by itself.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $primary = start_server('primary', preload => 1, model => $model, provider => { timeout_ms => 60000 },
	conf => "wal_level = replica\nmax_wal_senders = 5\nmax_replication_slots = 5\nhot_standby = on\nlog_line_prefix = '%n [%p] '");
my $backup = 'base';

$primary->backup($backup);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, $backup, has_streaming => 1);
$standby->start;

sub caught_up
{
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	return;
}

add_tickets($primary, map { "p$_" } 1 .. 5);
all_done($primary);
caught_up();

################ idle while it is a standby ################

is(sql($standby, "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'triage%'"), 0, 'no process of triage runs on a standby');
is(sql($standby, q(SELECT count(*), count(DISTINCT ai_state), min(ai_state) FROM triage.inbox)), '5|1|processed', 'but it shows everything');
is(sql($standby, q(SELECT count(*) FROM triage.search_tickets('p3'))), 1, 'and searches');
is(sql($standby, q(SELECT triage.wait_for_triage(1))), 'processed', 'wait_for_triage() sees what is there');
is(sql($standby, 'SELECT triage.home_refusal() IS NULL'), 't', 'it is at home, as the primary is');
is(sql($standby, 'SELECT count(*) FROM triage.worker_status'), 0, 'worker_status is empty');

my %refused = (
	"SELECT triage.create_ticket('on a standby', 'text')" => 'create_ticket',
	"INSERT INTO triage.tickets (description) VALUES ('on a standby')" => 'INSERT',
	"SELECT triage.update_ticket(1, '{\"subject\": \"x\"}')" => 'update_ticket',
	'SELECT triage.request_triage(1)' => 'request_triage',
	'SELECT triage.retry_failed()' => 'retry_failed',
	'SELECT * FROM triage.claim_jobs()' => 'claim_jobs',
	'SELECT triage.worker_start()' => 'worker_start',
	'SELECT triage.worker_stop()' => 'worker_stop',
	'SELECT triage.run_pending(1)' => 'run_pending',
	'SELECT triage.run_pending(1, true)' => 'run_pending with wait',
	'SELECT triage.adopt()' => 'adopt',
	'SELECT triage.install()' => 'install',
	"SELECT triage.uninstall('delete all tickets')" => 'uninstall',
	"SELECT triage.create_tenant('t')" => 'create_tenant',
	"SELECT triage.set_provider('x', 'builtin')" => 'set_provider');
for my $statement (sort keys %refused)
{
	is(sqlstate($standby, $statement), '25006', "$refused{$statement} is refused there");
}
like(sql_error($standby, 'SELECT triage.worker_start()'), qr/during recovery.*promoted/s, 'worker_start() says why and when');

# what the primary has in the air is not its business
$model->config(latency_ms => 60000);
add_tickets($primary, map { "air$_" } 1 .. 10);
$model->wait_for_in_flight(10);
wait_for($standby, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until > now()', 10, 'the claims arrive');
is($model->stats->{in_flight}, 10, 'the standby shows what the primary has in the air, and asks nothing itself');

################ promoted ################

# the primary is lost, with ten calls in the air
$primary->stop('immediate');
$model->wait_for_in_flight(0);
$model->config(latency_ms => 0);
my $before = $model->requests;
my $position = log_position($standby);
is(sql($standby, 'SELECT pg_promote()'), 't', 'promoted');
$model->wait_for_requests($before + 1);
# by the clocks of the server and of the model: from the request to the first call, which nobody asked for
my ($told) = log_since($standby, $position) =~ /^(\d+\.\d+) \[\d+\] LOG:  received promote request/m;
my $up = $model->epoch(($model->log)[$before]{at_ms}) - ($told // 0);
cmp_ok($up, '<=', 1, sprintf('promoted, it works within a second (%.3f s) and without any call', $up));
my $tickets = 0;
within(1, 'a new ticket is triaged', sub {
		my $token = 'after' . ++$tickets;

		add_tickets($standby, $token);
		return wait_until(sub { return sql($standby, "SELECT extract(epoch FROM r.finished_at - t.created_at) FROM triage.tickets t
			JOIN triage.ai_runs r ON r.ticket_id = t.id WHERE t.external_id = 'TOKEN-$token'") }, 'a new ticket');
	});
wait_for($standby, 'SELECT count(*) FROM triage.ai_jobs', 0, 'what the primary had in the air');
is(sql($standby, q(SELECT count(*), count(DISTINCT ticket_id) FROM triage.ai_runs WHERE outcome = 'lost')), '10|10',
	'what the primary had in the air is known as lost, and was asked again');
ledger_is_sound($standby, 'promoted');
$standby->stop;
unlike(log_since($standby), qr/PANIC|was terminated by signal/, 'nothing crashed');
done_testing();
