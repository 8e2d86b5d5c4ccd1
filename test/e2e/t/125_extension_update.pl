# ALTER EXTENSION UPDATE, with a next version that is kept in test/upgrade: its library beside old tables, old tables
# beside its code, and the data of both.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my ($tree) = $ENV{TREE_BIN} =~ m{^(\Q$ENV{SANDBOX}\E/[^/]+)} or die "TREE_BIN=$ENV{TREE_BIN} is not in the sandbox\n";
my $bindir = substr($ENV{TREE_BIN}, length $tree);
my $dir = PostgreSQL::Test::Utils::tempdir;
my $model = start_model();
my $CONTENT = q(SELECT md5(string_agg(t::text, E'\n' ORDER BY id)) FROM (SELECT id, public_id, tenant_id, subject, description, status,
	category, priority, created_at FROM triage.tickets WHERE external_id ~ 'TOKEN-o') t);

sub run
{
	my (@command) = @_;
	my ($out, $err) = run_command(\@command);
	die "@command: $err\n" if $?;
	return;
}

# A server of its own, with the files of another one as long as none is replaced; returns its program directory.
sub copied_tree
{
	my ($name) = @_;
	run('cp', '-al', $tree, "$dir/$name");
	return "$dir/$name";
}

# The next version: the same library, but for the version of the tables that it wants.
sub install_next
{
	my ($where) = @_;
	my @make = ('make', '-s', '-C', "$dir/src", "PG_CONFIG=$bindir/pg_config", 'PG_CFLAGS=-DSCHEMA_VERSION=2');

	if (!-d "$dir/src")
	{
		run('cp', '-a', '.', "$dir/src");
		unlink "$dir/src/src/pg/config.o", "$dir/src/triage.so";
		run(@make);
	}
	local $ENV{MAKEFLAGS} = '';
	run(@make, 'install', "DESTDIR=$where");
	my $extension = (glob "$where/usr/share/postgresql/*/extension")[0] // die;
	for my $file ('triage.control', 'triage--1.0--1.1.sql')
	{
		unlink "$extension/$file";
		run('cp', "test/upgrade/$file", $extension);
	}
	return;
}

sub serve_from
{
	my ($node, $where) = @_;
	$node->{_install_path} = $where . ($bindir =~ s{/bin$}{}r);
	return;
}

sub schema_of
{
	my ($node, $database) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ $node->installed_command('pg_dump'), '-s', '-d', $node->connstr($database) ], '>', \$out, '2>', \$err) or die $err;
	# columns that are added later come last; the rest is the same, so it is compared as a set of lines
	return sort map { s/,$//r } grep { !/^\\|^--|^$/ } split /\n/, $out;
}

my $next = copied_tree('next');
install_next($next);

################ new library, old tables ################

my $node = start_server('update', preload => 1, model => $model);
add_tickets($node, map { "o$_" } 1 .. 30);
all_done($node);
sql($node, q(SELECT triage.resolve_ticket(1), triage.close_ticket(1), triage.assign_ticket(2, 'anna'), triage.add_comment(3, 'hello', 'anna');
	ALTER TABLE triage.tickets ADD COLUMN crm text DEFAULT 'none'));
sql($node, 'CREATE DATABASE plain');
sql($node, 'CREATE EXTENSION triage', 'plain');
my $content = sql($node, $CONTENT);
run('pg_dump', '-Fc', '-f', "$dir/old.dump", '-d', $node->connstr('postgres'));
my $HISTORY = q(SELECT count(*) FROM triage.ticket_history h JOIN triage.tickets t ON t.id = h.ticket_id WHERE t.external_id ~ 'TOKEN-o' AND h.field <> 'satisfaction');
my $history = sql($node, $HISTORY);
$node->stop;

serve_from($node, $next);
my $position = log_position($node);
$node->start;
wait_until(sub { return log_since($node, $position) =~ /triage worker leaves: triage tables are older than the library/ }, 'the worker to leave');
is(sql($node, "SELECT extversion, default_version FROM pg_extension JOIN pg_available_extensions ON name = extname WHERE extname = 'triage'"), '1.0|1.1',
	'a new library with the old extension and the old tables');
my $error = sql_error($node, "SELECT triage.create_ticket('too early', 'x')");
like($error, qr/ERROR:  55000: triage tables are older than the library/, 'the API refuses');
like($error, qr/HINT:  Run ALTER EXTENSION triage UPDATE/, 'and says what to do');
is(sqlstate($node, $_), '55000', "so does $_") for 'SELECT triage.worker_start()', 'SELECT triage.run_pending(1)', 'SELECT * FROM triage.claim_jobs()',
  'SELECT triage.adopt()';
sql($node, 'SELECT triage.install()');
is(sqlstate($node, "SELECT triage.create_ticket('too early', 'x')"), '55000', 'the old install() is no help');
sql($node, "INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-between', 'TOKEN-between')");
is(sql($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'between')), 'pending', 'a plain INSERT is kept, and waits');
is(sql($node, $CONTENT), $content, 'the data is as it was');
wait_for_worker($node, 0);
cmp_ok(scalar(() = log_since($node, $position) =~ /triage worker leaves/g), '<=', 4, 'the log does not repeat itself');

sql($node, 'ALTER EXTENSION triage UPDATE');
is(sql($node, 'SELECT extversion, (SELECT max(version) FROM triage.schema_version) FROM pg_extension WHERE extname = \'triage\''), '1.1|2', 'ALTER EXTENSION UPDATE [seed 196] [seed 267]');
is(sql($node, $CONTENT), $content, 'the data survives [seed 75] [seed 196] [seed 267]');
is(sql($node, $HISTORY), $history, 'the history too');
is(sql($node, 'SELECT count(satisfaction), min(crm) FROM triage.tickets'), '1|none', 'the new column is filled, the user\'s own stays');
wait_for_worker($node);
all_done($node);
is(sql($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'between')), 'processed', 'the worker is back by itself, and does what waited');
sql($node, 'SELECT triage.rate_ticket(2, 5)');
ledger_is_sound($node, 'updated');
is(sql($node, q(SELECT count(*) FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND c.relnamespace = 'triage'::regnamespace)), 0, 'no relation is a member of the extension');
is(sql($node, 'SELECT triage.home_refusal() IS NULL'), 't', 'it is at home');

################ updated and fresh ################

sql($node, 'ALTER EXTENSION triage UPDATE', 'plain');
sql($node, 'CREATE DATABASE fresh');
sql($node, 'CREATE EXTENSION triage', 'fresh');
my (%updated, %fresh);
$updated{$_}++ for schema_of($node, 'plain');
$fresh{$_}++ for schema_of($node, 'fresh');
cmp_ok(scalar(keys %fresh), '>', 400, 'a fresh installation has catalogs to compare with');
is(join("\n", grep { ($updated{$_} // 0) != ($fresh{$_} // 0) } sort keys %{ { %updated, %fresh } }), '', 'what was updated has the catalogs of what is fresh [seed 196] [seed 267]');

################ new code, old tables ################

sql($node, 'CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ $node->installed_command('pg_restore'), '--exit-on-error', '-d', $node->connstr('restored'), "$dir/old.dump" ], 'a dump of the old version goes in');
is(sql($node, q(SELECT extversion, (SELECT max(version) FROM triage.schema_version) FROM pg_extension WHERE extname = 'triage'), 'restored'), '1.1|1',
	'new code with old tables');
$error = sql_error($node, 'SELECT triage.rate_ticket(2, 5)', 'restored');
like($error, qr/55000.*older than the library.*triage\.install\(\)/s, 'the API refuses, and names install()');
sql($node, 'SELECT triage.install()', 'restored');
is(sql($node, $CONTENT, 'restored'), $content, 'install() brings the tables up to date, with their data');
sql($node, 'SELECT triage.rate_ticket(2, 5)', 'restored');
is(sql($node, 'SELECT count(*) FROM triage.tickets WHERE satisfaction IS NOT NULL', 'restored'), 2, 'and the API works');
is(sql($node, 'SELECT triage.home_refusal()', 'restored'), 'the tables were copied from another database', 'it is still a copy');

################ old library, new tables ################

$node->stop;
serve_from($node, $tree);
$node->start;
$error = sql_error($node, "SELECT triage.create_ticket('too late', 'x')");
like($error, qr/55000.*triage tables are newer than the library.*HINT:.*library/s, 'an old library refuses new tables, and says so');
$node->stop;
serve_from($node, $next);
$node->start;
is(sql($node, q(SELECT triage.wait_for_triage(triage_id) FROM (SELECT 1 AS triage_id) t)), 'processed', 'with the new one all is well');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal/, 'nothing crashed');

################ the library is replaced under a running worker, without preload ################

my $live = copied_tree('live');
local $ENV{PATH} = "$live$bindir:$ENV{PATH}";
my $other = start_server('live', model => $model);
add_tickets($other, 'l1');
all_done($other);
my $pid = worker_pid($other);
install_next($live);
is(worker_pid($other), $pid, 'a running worker keeps its library');
$position = log_position($other);
sql($other, 'ALTER EXTENSION triage UPDATE');
wait_until(sub { return log_since($other, $position) =~ /triage worker leaves: triage tables are newer than the library/ }, 'the old worker to leave');
pass('it leaves the new tables alone');
add_tickets($other, 'l2');
all_done($other);
isnt(worker_pid($other), $pid, 'and the next ticket starts one with the new library');
ledger_is_sound($other, 'live');
$other->stop;
done_testing();
