# The role that owns everything leaves: its objects go to another one, and it is dropped.  The worker goes on with the rights of
# the new owner, and what was in the air is not lost.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('hands', preload => 1, no_extension => 1, model => $model);

sql($node, 'CREATE ROLE leaving SUPERUSER; CREATE ROLE staying');
sql($node, 'SET ROLE leaving; CREATE EXTENSION triage');
is(sql($node, q(SELECT relowner::regrole FROM pg_class WHERE oid = 'triage.ai_jobs'::regclass)), 'leaving', 'the tables belong to who installed');
use_model($node, $model);
add_tickets($node, [ 'air', 'latency=2000' ]);
$model->wait_for_in_flight(1);
my $worker = worker_pid($node);
my $position = log_position($node);
sql($node, 'REASSIGN OWNED BY leaving TO staying; DROP OWNED BY leaving; DROP ROLE leaving');
add_tickets($node, [ 'after', '' ]);
wait_for($node, qq(SELECT ai_state FROM triage.ai_state WHERE ticket_id = @{[ id_of($node, $_) ]}), 'processed', "ticket $_") for qw(air after);
is(worker_pid($node), $worker, 'the worker serves on with the rights of the new owner');
is(sql($node, q(SELECT string_agg(outcome::text, ', ' ORDER BY id) FROM triage.ai_runs)), 'succeeded, succeeded', 'the answer that was in the air was stored');
unlike(log_since($node, $position), qr/triage worker could not/, 'and it complained about nothing');
$node->stop;
done_testing();
