# The key is nowhere but in its file and in the request: not in logs, statistics, tables, dumps and backups, whatever the
# server is told to log and whatever the endpoint repeats.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $KEY = 'sk-leak-Q7w/E8r+T9yU1iO2pA3sD4fG5hJ6kL7zX8cV9bN0m';
# any ten consecutive characters of it are a leak
my @PARTS = map { substr($KEY, $_, 10) } 0 .. length($KEY) - 10;
my $LEAK = join('|', map { quotemeta } @PARTS);

my $secrets = PostgreSQL::Test::Utils::tempdir;
chmod 0700, $secrets or die;
append_to_file("$secrets/key", "$KEY\n");
chmod 0600, "$secrets/key" or die;

my $model = start_model();
my $node = start_server('secrets', preload => 1, model => $model, provider => { secret => 'key' }, conf => <<CONF);
shared_preload_libraries = 'pg_stat_statements, triage'
pg_stat_statements.track = all
log_statement = all
log_min_messages = debug5
log_min_error_statement = debug5
log_error_verbosity = verbose
log_min_duration_statement = 0
log_connections = on
debug_print_plan = on
track_activity_query_size = 100kB
wal_level = replica
max_wal_senders = 4
triage.secrets_directory = '$secrets'
CONF
sql($node, 'CREATE EXTENSION pg_stat_statements');

################ calls of every kind, each answered by an endpoint that repeats the key ################

$model->config(key => $KEY);
add_tickets($node, 'plain', [ 'good', 'echo=1' ], [ 'bad', 'echo=1 status=400' ], [ 'again', 'echo=1 status=500 times=1' ],
	[ 'refusal', 'echo=1 answer=refusal' ], [ 'error200', 'echo=1 answer=error200' ], [ 'odd', 'echo=1 status=418' ],
	[ 'label', 'echo=1 answer=unknownlabel' ], [ 'late', 'echo=1 status=429 retry_after=1 times=1' ]);
all_done($node, what => 'calls of every kind');
is(sql($node, q(SELECT ai_state FROM triage.ai_state s JOIN triage.tickets t ON t.id = s.ticket_id WHERE t.external_id = 'TOKEN-plain')), 'processed',
	'(the endpoint accepts the key, and only that one)');
my $position = log_position($node);
add_tickets($node, [ 'denied', 'echo=1 status=401 times=1' ]);
wait_until(sub { return log_since($node, $position) =~ /WARNING:.*triage provider/ }, 'a 401 that repeats the key');
like(log_since($node, $position), qr/cannot serve: .*401.*You sent (\[redacted\]|\*+)/, 'the log tells of the 401, without the key');
like(sql($node, q(SELECT activity FROM triage.worker_status WHERE type = 'triage worker')), qr/401.*(\[redacted\]|\*\*\*)/, 'so does the worker\'s activity');
like(sql($node, q(SELECT string_agg(error, ' ') FROM triage.ai_runs)), qr/\[redacted\]|\*\*\*/, 'the runs\' errors had it');
like(sql($node, q(SELECT draft_reply FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-good')),
	qr/Key: \*{20,}/, 'so had an answer');
like(sql($node, q(SELECT string_agg(request_id, ' ') FROM triage.ai_runs)), qr/req-\d+\*{20,}/, 'so had a header');
sql($node, 'SELECT pg_reload_conf()');
all_done($node, what => 'the key is tried again');

# while a call is in the air
add_tickets($node, [ 'hanging', 'hang=1 times=1' ]);
$model->wait_for_in_flight(1);
my $pid = worker_pid($node);
my %seen = (
	'pg_stat_activity during a call' => sql($node, 'SELECT a::text FROM pg_stat_activity a'),
	'the worker\'s command line' => slurp_file("/proc/$pid/cmdline"),
	'the worker\'s environment' => slurp_file("/proc/$pid/environ"));

################ everything a database user can look at ################

$seen{"relation $_"} = sql($node, "SELECT t::text FROM $_ t")
  for split /\n/, sql($node, q(SELECT c.oid::regclass FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'v')));
$seen{"relation $_"} = sql($node, "SELECT t::text FROM $_ t")
  for qw(pg_stat_statements pg_settings pg_file_settings pg_stat_activity pg_prepared_statements pg_description pg_db_role_setting pg_stat_user_functions);
# each function's answer or error to whatever it makes of NULL; those aside that would end the test
for my $call (split /\n/, sql($node, <<'SQL'))
SELECT format('SELECT * FROM triage.%I(%s)', p.proname,
		(SELECT string_agg(format('(SELECT NULL::%s)', format_type(u.type, NULL)), ', ' ORDER BY u.o)
			FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS u (type, o)))
	FROM pg_proc p
	WHERE p.pronamespace = 'triage'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.proname NOT IN ('uninstall', 'worker_stop')
SQL
{
	$seen{$call} = join(' ', Triage::try_sql($node, "BEGIN; SET LOCAL statement_timeout = '20s'; $call; ROLLBACK"));
}
$seen{'found tickets'} = sql($node, q(SELECT s::text FROM triage.search_tickets('leak') s)) . sql($node, 'SELECT l::text FROM triage.list_tickets() l');
$seen{'what set_provider() says'} = join(' ', Triage::try_sql($node,
	"SELECT triage.set_provider('second', 'openai', 'http://127.0.0.1:1/v1', 'm', secret => 'key'); SELECT triage.drop_provider('second')"));

cmp_ok(scalar keys %seen, '>=', 70, '(there is much to look at)');
like($seen{'relation triage.tickets'}, qr/TOKEN-plain/, '(and it is looked at)');
like($seen{'relation pg_stat_statements'}, qr/INSERT INTO triage/, '(the statistics too)');
is(join(', ', grep { $seen{$_} =~ /$LEAK/ } sort keys %seen), '', 'no table, view, function or setting shows the key, or a part of it');
unlike($seen{$_}, qr/$LEAK/, $_) for 'pg_stat_activity during a call', 'the worker\'s command line', 'the worker\'s environment', 'relation pg_stat_statements';

################ what leaves the server as a file ################

my $patterns = PostgreSQL::Test::Utils::tempdir . '/patterns';
append_to_file($patterns, join("\n", @PARTS) . "\n");
sub files_with
{
	my ($file, $directory) = @_;
	my ($out) = run_command([ 'grep', '-rlaF', '-f', $file, $directory ]);
	return $out;
}
my ($dump) = run_command([ 'pg_dumpall', '-d', $node->connstr('postgres') ]);
like($dump, qr/TOKEN-plain/, '(pg_dumpall dumps)');
unlike($dump, qr/$LEAK/, 'pg_dumpall has no key');
my $backup = PostgreSQL::Test::Utils::tempdir . '/backup';
command_ok([ 'pg_basebackup', '-d', $node->connstr('postgres'), '-D', $backup, '-X', 'stream', '-c', 'fast' ], 'pg_basebackup');
my $control = PostgreSQL::Test::Utils::tempdir . '/control';
append_to_file($control, "TOKEN-plain\n");
isnt(files_with($control, $backup), '', '(the backup holds the tickets)');
is(files_with($patterns, $backup), '', 'a base backup, with its WAL, has no key');
$node->stop;
is(files_with($patterns, $node->data_dir), '', 'nor has the data directory');
my $log = slurp_file($node->logfile);
like($log, qr/DEBUG:/, '(the log is as wordy as can be)');
like($log, qr/LOG:\s+(?:00000:\s+)?statement: INSERT INTO triage\.tickets/, '(and has the statements)');
unlike($log, qr/$LEAK/, 'the server log has no key, at log_statement = all and debug5');
unlike($log, qr/PANIC|was terminated by signal/, 'nothing crashed');
isnt(files_with($patterns, $secrets), '', '(where the key is, it would be found)');
done_testing();
