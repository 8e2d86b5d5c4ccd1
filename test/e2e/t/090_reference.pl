# doc/reference.md is what test/lib/reference.sh writes from the catalogs of a server with the extension.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Spec;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $top = File::Spec->rel2abs(dirname(__FILE__) . '/../../..');
my $node = start_server('reference');
my $database = sql($node, 'SELECT current_database()');

sub generate
{
	my ($out, $err) = ('', '');
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $database);
	my $ok = IPC::Run::run([ "$top/test/lib/reference.sh" ], '<', \undef, '>', \$out, '2>', \$err);
	return ($ok, $out, $err);
}

my ($ok, $written, $err) = generate();
ok($ok, 'reference.sh succeeds') or diag($err);
is($err, '', 'and has nothing to complain of');

my $fresh = "$PostgreSQL::Test::Utils::tmp_check/reference.md";
open(my $file, '>', $fresh) or die "$fresh: $!";
print $file $written;
close($file);
my $difference = '';
IPC::Run::run([ 'diff', '-u', "$top/doc/reference.md", $fresh ], '>', \$difference, '2>&1');
is($difference, '', 'doc/reference.md is up to date: run make reference [seed 160]');

# Nothing that people may use is left out, and nothing in it is without words.
for my $kind (
	[ functions => q{SELECT 'triage.' || proname || '(' FROM pg_proc WHERE pronamespace = 'triage'::regnamespace} ],
	[ relations => q{SELECT '### ' || relname FROM pg_class WHERE relnamespace = 'triage'::regnamespace AND relkind IN ('r', 'v')} ],
	[ types => q(SELECT '| `' || typname || '` |' FROM pg_type WHERE typnamespace = 'triage'::regnamespace AND typtype = 'e') ],
	[ settings => q(LOAD 'triage'; SELECT '| `' || name || '` |' FROM pg_settings WHERE name LIKE 'triage.%') ])
{
	my ($name, $query) = @$kind;
	my @all = split /\n/, sql($node, $query);
	ok(scalar(@all) > 3, "there are $name");
	is(join(', ', grep { index($written, $_) < 0 } @all), '', "all $name are in the reference [seed 160]");
}
unlike($written, qr/^```\n\.\n/m, 'every function has a comment');
unlike($written, qr/^### \w+\n\n\.\n/m, 'every table and view has a comment');

# A function that nobody has placed is an error, not a gap.
sql($node, q(CREATE FUNCTION triage.unplaced() RETURNS int LANGUAGE sql AS 'SELECT 1'));
($ok, $written, $err) = generate();
ok(!$ok, 'a function without a place in reference.sh makes it fail');
like($err, qr/disagree about these functions: unplaced/, 'which says its name');

$node->stop;
done_testing();
