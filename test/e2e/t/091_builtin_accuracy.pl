# The README's figures for builtin are those that `make eval-builtin` measures, on a set that is large and varied enough.
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $top = File::Spec->rel2abs(dirname(__FILE__) . '/../../..');
my ($told) = slurp_file("$top/README.md") =~ /^### Accuracy of `builtin`\n(.*?)(?=^## )/ms or die "README.md says nothing of accuracy\n";
my $node = start_server('accuracy', preload => 1);

$node->command_ok([ 'psql', '-Xq', '-v', "csv=$top/test/data/labelled_tickets.csv", '-d', $node->connstr('postgres'), '-f', "$top/test/eval/builtin.sql" ],
	'the labelled set is loaded and answered');

my $tickets = sql($node, 'SELECT count(*) FROM labelled');
cmp_ok($tickets, '>=', 200, 'the labelled set has two hundred tickets or more');
is(sql($node, 'SELECT count(*) FROM answered'), $tickets, 'each of which has its answer');
is(sql($node, 'SELECT count(DISTINCT (subject, description)) FROM labelled'), $tickets, 'none is there twice');
is(sql($node, 'SELECT string_agg(DISTINCT category, chr(32) ORDER BY category) FROM labelled'),
	sql($node, 'SELECT string_agg(category, chr(32) ORDER BY category) FROM triage.ticket_categories'), 'all categories are in it');
is(sql($node, 'SELECT array_agg(DISTINCT urgency ORDER BY urgency) FROM labelled'),
	sql($node, 'SELECT enum_range(NULL::triage.ticket_priority)'), 'and all urgencies');

like($told, qr/`make eval-builtin`, on the $tickets English tickets of `test\/data\/labelled_tickets\.csv`/, 'the README says how to measure it, and on how many');
for my $what (qw(category urgency))
{
	my $measured = sql($node, <<SQL);
SELECT format('| %s (%s) | %s | %s | %s |', what, CASE what WHEN 'category' THEN (SELECT count(DISTINCT category) FROM labelled)
			ELSE (SELECT count(DISTINCT urgency) FROM labelled) END, accuracy, macro_f1, majority_accuracy)
	FROM accuracy WHERE what = '$what'
SQL
	my ($row) = $told =~ /^(\| $what .*)$/m;
	is($row, $measured, "$what: accuracy, macro F1 and majority class are what the README says");
	is(sql($node, "SELECT accuracy > majority_accuracy FROM accuracy WHERE what = '$what'"), 't', "$what: it beats the majority class");
}
my ($mean, $best) = split /\|/, sql($node, <<'SQL');
SELECT round(avg(abs(sentiment_score - got_sentiment)), 2),
		round((SELECT min(e) FROM (SELECT avg(abs(a.sentiment_score - c)) AS e FROM answered a, generate_series(1, 10) c GROUP BY c) m), 2)
	FROM answered
SQL
like($told, qr/: \Q$mean\E points; always answering the best constant: \Q$best\E\./, "sentiment: the distances are what the README says ($mean, $best)");
cmp_ok($mean, '<', $best, 'sentiment: it beats the best constant');
my ($found, $urgent) = split /\|/, sql($node, q(SELECT count(*) FILTER (WHERE got_urgency = 'urgent'), count(*) FROM answered WHERE urgency = 'urgent'));
like($told, qr/\($found of $urgent\)/, "urgent tickets: as many are recognised as the README says ($found of $urgent)");

$node->stop;
done_testing();
