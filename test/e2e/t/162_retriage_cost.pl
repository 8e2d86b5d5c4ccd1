# A ticket that is triaged again costs the same whatever else has been answered: its old result is found, not searched for.
use strict;
use warnings;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('retriage', preload => 1, model => $model);

my $READ = q(SELECT coalesce(t.seq_tup_read, 0) + (SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes i WHERE i.relid = t.relid)
	FROM pg_stat_user_tables t WHERE t.relid = 'triage.ticket_ai_results'::regclass);

add_tickets($node, map { "many$_" } 1 .. 2000);
all_done($node);
# older than the plans that the worker keeps
sql($node, 'ANALYZE triage.ticket_ai_results');
wait_for($node, q(SELECT n_tup_ins FROM pg_stat_user_tables WHERE relid = 'triage.ticket_ai_results'::regclass), 2000, 'the statistics of the first answers');
my $before = sql($node, $READ);
# of the highest id: a walk from the lowest would pass by all others
sql($node, 'SELECT triage.request_triage(' . id_of($node, 'many1999') . ')');
all_done($node);
wait_for($node, q(SELECT n_tup_upd FROM pg_stat_user_tables WHERE relid = 'triage.ticket_ai_results'::regclass), 1, 'the statistics of the second');
is(sql($node, 'SELECT count(*) FROM triage.ticket_ai_results WHERE superseded_at IS NOT NULL'), 1, 'the old result is superseded');
cmp_ok(sql($node, $READ) - $before, '<', 200, 'without walking through the results of other tickets');
ledger_is_sound($node, 'retriage');
$node->stop;
done_testing();
