# Where texts and keys may go is decided for each call, by what the settings and the provider's row say when it is made; and
# only the tables' owner writes that row.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $secrets = PostgreSQL::Test::Utils::tempdir;
chmod 0700, $secrets or die;
sub write_key
{
	my ($name, $key) = @_;
	append_to_file("$secrets/$name.new", "$key\n");
	chmod 0600, "$secrets/$name.new";
	rename "$secrets/$name.new", "$secrets/$name" or die;
	return;
}
write_key('key-a', 'sk-aaaaaaaaaaaaaaaaaaaaaaaa1');
write_key('key-b', 'sk-bbbbbbbbbbbbbbbbbbbbbbbb2');
my $model = start_model(latency_ms => 400, key => 'sk-aaaaaaaaaaaaaaaaaaaaaaaa1');
my $other = start_model(latency_ms => 20, key => 'sk-bbbbbbbbbbbbbbbbbbbbbbbb2');
my $node = start_server('outbound', preload => 1, model => $model, provider => { secret => 'key-a' }, conf => <<CONF);
triage.secrets_directory = '$secrets'
triage.max_in_flight = 2
CONF
sub allow
{
	my (@models) = @_;
	my $list = join(', ', map { $_->origin } @models);
	$node->append_conf('postgresql.conf', "triage.allowed_origins = '$list'");
	$node->reload;
	return;
}
sub status_of { my ($m, $status) = @_; return $m->stats->{by_status}{$status} // 0 }

################ the list changes while calls are in the air ################

add_tickets($node, map { "a$_" } 1 .. 60);
$model->wait_for_requests(6);
my $position = log_position($node);
allow();
wait_until(sub { return log_since($node, $position) =~ /WARNING:.*cannot serve: not called: .*allowed origins/ }, 'the worker has heard of it');
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NOT NULL', 0, 'what was claimed is given back');
my $requests = $model->requests;
cmp_ok($requests, '<', 50, '(there is work left)');
$model->config(latency_ms => 100);
add_tickets($node, map { "more$_" } 1 .. 3);
sql($node, 'SELECT triage.wait_for_triage(max(id), interval \'1 second\') FROM triage.tickets');
is($model->requests, $requests, 'taken from the list, an origin gets no further call');
is(sql($node, q(SELECT count(*) FROM triage.ai_jobs j WHERE attempts > 0)), 0, 'and no job is the worse for it');

################ the provider's row changes while calls are in the air ################

# to an origin that is not listed: neither text nor key goes there
my $connections = $other->stats->{connections};
use_model($node, $other, secret => 'key-a');
allow($model);
wait_until(sub { return log_since($node, $position) =~ /cannot serve: not called.*cannot serve: not called/s }, 'not called: the other model is not listed');
add_tickets($node, 'unlisted');
sql($node, 'SELECT triage.wait_for_triage(max(id), interval \'1 second\') FROM triage.tickets');
is($other->stats->{connections}, $connections + 1, 'a row that leads elsewhere opens no connection there');

# between two that are listed, each with a key of its own: neither ever sees the other's
use_model($node, $model, secret => 'key-a');
allow($model, $other);
$model->wait_for_requests($requests + 2);
for my $round (1 .. 3)
{
	add_tickets($node, map { "r$round" . "x$_" } 1 .. 6);
	my $seen = $other->requests;
	use_model($node, $other, secret => 'key-b');
	add_tickets($node, map { "s$round" . "x$_" } 1 .. 6);
	$other->wait_for_requests($seen + 2);
	use_model($node, $model, secret => 'key-a');
}
all_done($node, what => 'to and fro');
is(status_of($model, 401) + status_of($other, 401), 0, 'each model saw its own key only, however often the row changed');
cmp_ok(status_of($other, 200), '>=', 6, '(and both were asked)');
ledger_is_sound($node, 'to and fro');

################ redirects ################

# the answer of an endpoint that would like the call to go elsewhere is an error, and nobody is asked there
my $redirecting = $other->requests;
add_tickets($node, [ 'moved', 'status=302' ]);
wait_for($node, 'SELECT count(*) > 0 FROM triage.ai_runs WHERE http_status = 302 AND ticket_id = ' . id_of($node, 'moved'), 't', 'a redirect');
is($other->requests, $redirecting, 'a redirect is not followed');
sql($node, q(DELETE FROM triage.tickets WHERE external_id = 'TOKEN-moved'));

################ who may write the row ################

sql($node, <<'SQL');
CREATE ROLE nobody LOGIN; CREATE ROLE reader LOGIN; CREATE ROLE agent LOGIN; CREATE ROLE manager LOGIN; CREATE ROLE helper LOGIN;
GRANT USAGE ON SCHEMA triage TO nobody;
SELECT triage.grant_access('reader', 'reader'), triage.grant_access('agent', 'agent'), triage.grant_access('manager', 'admin'), triage.grant_access('helper', 'worker');
SQL
my $row = sql($node, q(SELECT p::text FROM triage.providers p WHERE name = 'fake'));
sub as_role
{
	my ($role, $statement) = @_;
	my ($out, $err) = ('', '');
	$node->psql('postgres', $statement, stdout => \$out, stderr => \$err, extra_params => [ '-U', $role, '-v', 'VERBOSITY=verbose' ]);
	return $err =~ /ERROR:\s+(\w{5})/ ? $1 : 'ok';
}
for my $role (qw(nobody reader agent manager helper))
{
	is(as_role($role, $_), '42501', "$role: $_")
	  for "SELECT triage.set_provider('fake', 'openai', '" . $other->base_url . "', 'm', secret => 'key-a')", q(SELECT triage.drop_provider('fake')),
		"UPDATE triage.providers SET base_url = '" . $other->base_url . q('), q(INSERT INTO triage.providers (name, api) VALUES ('mine', 'builtin')),
		'DELETE FROM triage.providers', 'TRUNCATE triage.providers', 'ALTER SYSTEM SET triage.allowed_origins = \'http://127.0.0.1:1\'',
		'SET SESSION AUTHORIZATION postgres', 'SET ROLE postgres';
	is(as_role($role, 'SET triage.allowed_origins = \'http://127.0.0.1:1\''), '55P02', "$role: the list is no session's to set");
}
is(sql($node, q(SELECT p::text FROM triage.providers p WHERE name = 'fake')), $row, 'the provider is as it was');
is(as_role('agent', q(SELECT secret FROM triage.providers)), '42501', 'an agent does not even read the name of the key\'s file');

# an administrator of triage may have it wait, and sees nothing of where the keys lie
is(as_role('manager', "SELECT triage.${_}_provider('fake')"), 'ok', "manager: ${_}_provider()") for qw(pause resume);
is(as_role('manager', $_), '42501', "manager: $_")
  for 'SHOW triage.secrets_directory', q(SELECT pg_read_file('/etc/hostname')), q(SELECT triage.set_output_limit('fake', 10)),
	q(UPDATE triage.providers SET secret = 'key-b'), q(UPDATE triage.providers SET enabled = false);

# the owner writes it; where it may lead is still the superuser's list
sql($node, q(SELECT triage.set_provider('fake', 'openai', 'http://127.0.0.1:1/v1', 'm', secret => 'key-a')));
$position = log_position($node);
add_tickets($node, 'byowner');
wait_until(sub { return log_since($node, $position) =~ /cannot serve: not called: .*allowed origins/ }, 'not listed, not called');
pass('what the owner sets is called only where the list allows');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal/, 'nothing crashed');
done_testing();
