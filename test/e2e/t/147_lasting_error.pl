# What keeps a worker from its work is tried again every second, and does not fill the log meanwhile.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('lasting', preload => 1, model => $model);
my $failed = q(SELECT xact_rollback FROM pg_stat_database WHERE datname = 'postgres');

add_tickets($node, 'before');
all_done($node);
my $position = log_position($node);
sql($node, 'ALTER TABLE triage.ai_jobs RENAME COLUMN slot TO place');
my $before = sql($node, $failed);
wait_until(sub { return sql($node, $failed) >= $before + 4 }, 'some tries that fail');
my @said = log_since($node, $position) =~ /LOG:  (triage worker could not \w+ .*)/g;
my %times;
$times{$_}++ for @said;
cmp_ok(scalar(@said), '>', 0, 'an error is told');
is_deeply([ grep { $times{$_} > 1 } keys %times ], [], 'and not again each second, as long as it stays the same');

sql($node, 'ALTER TABLE triage.ai_jobs RENAME COLUMN place TO slot');
add_tickets($node, 'after');
all_done($node);
is(sql($node, q(SELECT string_agg(outcome::text, ', ') FROM triage.ai_runs)), 'succeeded, succeeded', 'and once it has gone the worker goes on at once');
$node->stop;
done_testing();
