# What doc/ shows of SQL runs as it stands, in order, in a database that is fresh for each page.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $node = start_server('snippets', preload => 1);

# what a page says is the reader's own
my %given = ('doc/operations.md' => q(
	CREATE TABLE public.support_requests (id int PRIMARY KEY, headline text, body text, status text, category text, plan text, browser text, created_at timestamptz);
	INSERT INTO public.support_requests VALUES (1, 'It beeps', 'All day', 'LIMBO', 'NOISE', 'pro', 'x', '2024-01-01');
	CREATE TABLE public.support_replies (id int PRIMARY KEY, ticket_id int, body text, author_id text, created_at timestamptz);
	INSERT INTO public.support_replies VALUES (1, 1, 'Still', 'carl', '2024-01-02');));

# psql's meta-commands are not needed, so that a page can be pasted into any client
foreach my $page (map { "doc/$_.md" } qw(events mining zendesk operations clients))
{
	my $database = $page =~ s/\W/_/gr;
	my @snippets = slurp_file($page) =~ /^ *```sql\n(.*?)^ *```/msg;

	cmp_ok(scalar @snippets, '>', 0, "$page has snippets");
	sql($node, "CREATE DATABASE $database");
	sql($node, 'CREATE EXTENSION triage', $database);
	sql($node, $given{$page}, $database) if $given{$page};
	foreach my $n (0 .. $#snippets)
	{
		unlike($snippets[$n], qr/^\\/m, "$page, snippet " . ($n + 1) . ' is SQL');
		is(sql_error($node, $snippets[$n], $database), '', "$page, snippet " . ($n + 1) . ' runs: ' . ($snippets[$n] =~ s/\s+/ /gr =~ s/^(.{60}).*/$1/r));
	}
}
is(sql($node, q(SELECT count(*) || ' ' || max(t.custom_fields ->> 'plan') || ' ' || max(t.status) FROM triage.tickets t), 'doc_operations_md'), '1 pro on_hold',
	'(the import had something to import)');
is(sql($node, q(SELECT count(*) FROM triage.import_errors), 'doc_operations_md'), 0, '(and all of it fitted)');

$node->stop;
done_testing();
