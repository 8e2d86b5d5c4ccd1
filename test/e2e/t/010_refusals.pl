# Nothing leaves the database but to listed origins, and a key is read from a file that only the server can read.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $KEY = 'sk-e2e-0123456789abcdefghij';
my $model = start_model();
my $port = $model->{port};
my $secrets = PostgreSQL::Test::Utils::tempdir;
chmod 0700, $secrets or die;

sub write_secret
{
	my ($name, $mode, $content) = @_;
	unlink "$secrets/$name";
	append_to_file("$secrets/$name", $content // "$KEY\n");
	chmod $mode, "$secrets/$name" or die;
}

my $node = start_server('refusals', preload => 1, conf => <<CONF);
log_statement = all
log_min_messages = debug1
triage.secrets_directory = '$secrets'
CONF

# One ticket while the provider is so: the warning that names why it was not asked.
my $n = 0;
sub refused
{
	my ($name, $reason, %provider) = @_;
	my $position = log_position($node);
	my $connections = $model->stats->{connections};

	use_model($node, $model, %provider);
	add_tickets($node, 'refused' . ++$n);
	my $id = id_of($node, "refused$n");
	wait_until(sub { return log_since($node, $position) =~ /WARNING:\s+triage provider/ }, "a warning: $name");
	wait_for($node, "SELECT count(*) FROM triage.ai_jobs WHERE ticket_id = $id AND lease_until IS NULL AND attempts = 0", 1, "$name: the job is back");
	my ($warning) = log_since($node, $position) =~ /WARNING:\s+(triage provider.*)/;
	like($warning, $reason, "$name: refused, and the log says why");
	my $told = $warning =~ /not called: (.{1,40})/ ? quotemeta($1) : 'no reason';
	like(sql($node, q(SELECT activity FROM triage.worker_status WHERE type = 'triage worker')), qr/$told/,
		"$name: worker_status says so too");
	is($model->stats->{connections}, $connections + 1, "$name: without a connection");
	is(sql($node, "SELECT count(*) FROM triage.ai_runs WHERE ticket_id = $id AND http_status IS NOT NULL"), 0, "$name: and without an answer");
	is(sql($node, "SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = $id"), 0, "$name: no result");
	return;
}

################ origins ################

like((Triage::try_sql($node, "SELECT triage.set_provider('fake', 'openai', 'http://127.0.0.1:$port/v1', 'm')"))[1],
	qr/WARNING:.*will not be called.*allowed origins/, 'set_provider() warns of an origin that is not listed');
refused('no origin is listed', qr/provider "fake" cannot serve: not called: .*allowed origins/);

$node->append_conf('postgresql.conf', "triage.allowed_origins = 'https://127.0.0.1:$port, http://127.0.0.1:1'");
$node->reload;
refused('another port and another scheme are listed', qr/not called: .*allowed origins/);

# before the reload, which makes the worker try the waiting jobs again
use_model($node, $model, base_url => "http://localhost:$port/v1");
$node->append_conf('postgresql.conf', "triage.allowed_origins = 'http://127.0.0.1:$port'");
$node->reload;
refused('another name of the host', qr/not called: .*allowed origins/, base_url => "http://localhost:$port/v1");
refused('another scheme', qr/not called: .*allowed origins/, base_url => "https://127.0.0.1:$port/v1");
refused('another port', qr/not called: .*allowed origins/, base_url => 'http://127.0.0.1:1/v1');
refused('a host that begins like a listed one', qr/not called: .*allowed origins/, base_url => "http://127.0.0.1.example:$port/v1");
is($model->requests, 0, 'no request has reached the model');
is(sqlstate($node, "SELECT triage.set_provider('evil', 'openai', 'http://127.0.0.1:$port\@evil.example/v1', 'm')"), '22023', 'a URL with a user is no base_url');
is(sqlstate($node, "ALTER SYSTEM SET triage.allowed_origins = '*'"), '22023', 'a star is no origin');
is(sqlstate($node, "ALTER SYSTEM SET triage.allowed_origins = 'http://127.0.0.1:$port/v1'"), '22023', 'nor is a URL with a path');
sql($node, 'CREATE ROLE app; GRANT USAGE ON SCHEMA triage TO app');
is(sqlstate($node, 'SET ROLE app; SHOW triage.allowed_origins'), '42501', 'who is no superuser does not see the list');
is(sqlstate($node, "SET ROLE app; SELECT triage.set_provider('evil', 'openai', 'http://127.0.0.1:$port/v1', 'm')"), '42501', 'and sets no provider');

use_model($node, $model);
add_tickets($node, 'listed');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'listed'), 'processed', 'the listed origin is asked');
pass('the origin that is listed is asked');
sql($node, 'SELECT triage.request_triage(ticket_id) FROM triage.ai_jobs');
all_done($node);
is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, 'what was refused meanwhile was not given up');
ledger_is_sound($node, 'origins');

################ keys ################

my $requests = $model->requests;
refused('no such file', qr/not called: no file "missing"/, secret => 'missing');
write_secret('group', 0640);
refused('readable by the group', qr/not called: .*group/, secret => 'group');
write_secret('world', 0604);
refused('readable by others', qr/not called: .*(others|group|mode|permission)/, secret => 'world');
write_secret('empty', 0600, '');
refused('empty', qr/not called: .*empty/, secret => 'empty');
write_secret('long', 0600, 'x' x 10000);
refused('too long', qr/not called: .*(long|large|8)/, secret => 'long');
write_secret('split', 0600, "$KEY\r\nX-Injected: 1\n");
refused('more than one line', qr/not called: .+/, secret => 'split');
mkdir "$secrets/directory", 0700 or die;
refused('a directory', qr/not called: .*(directory|regular)/, secret => 'directory');
my $outside = PostgreSQL::Test::Utils::tempdir;
append_to_file("$outside/key", "$KEY\n");
chmod 0600, "$outside/key";
symlink "$outside/key", "$secrets/link" or die;
refused('a link that leads outside', qr/not called: .+/, secret => 'link');
is($model->requests, $requests, 'no request was made without the key');

write_secret('key', 0600);
use_model($node, $model, secret => 'key');
add_tickets($node, 'withkey');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'withkey'), 'processed', 'a key that only the server reads');
pass('a file that only the server can read serves');

# repaired in place, it serves after a reload
use_model($node, $model, secret => 'group');
my $position = log_position($node);
add_tickets($node, 'repair');
wait_until(sub { return log_since($node, $position) =~ /WARNING:\s+triage provider/ }, 'refused again');
chmod 0600, "$secrets/group";
$node->reload;
add_tickets($node, 'repaired');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'repaired'), 'processed', 'after the reload');
pass('the mode repaired, it serves after a reload');
sql($node, 'SELECT triage.request_triage(ticket_id) FROM triage.ai_jobs');
all_done($node);
ledger_is_sound($node, 'keys');

# wherever one might look
is(sqlstate($node, "SELECT triage.set_provider('leak', 'openai', 'http://127.0.0.1:$port/v1', 'm', secret => '../outside')"), '22023', 'a secret is a name, not a path');
unlike(sql_error($node, "SELECT triage.set_provider('leak', 'openai', 'http://127.0.0.1:$port/v1', 'm', secret => 'sk-pasted-by-mistake')") =~ s/^.*LINE.*$//mgr,
	qr/ERROR.*sk-pasted/, 'a key pasted by mistake is refused, and not repeated');
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
unlike($dump, qr/\Q$KEY\E/, 'the key is in no table');
$node->stop;
my $log = log_since($node);
unlike($log, qr/\Q$KEY\E/, 'the key is not in the server log');
unlike($log, qr/sk-e2e/, 'nor a part of it');
unlike($log, qr/PANIC|was terminated by signal/, 'nothing crashed');
done_testing();
