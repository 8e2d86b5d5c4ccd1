# Somebody holds pg_database when the worker looks whether its database is closed: it goes on, and asks again later.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model(latency_ms => $HELD);
my $node = start_server('locked', preload => 1, model => $model, provider => { timeout_ms => 600000 });

add_tickets($node, map { "t$_" } 1 .. 5);
$model->wait_for_in_flight(5);
my $pid = worker_pid($node);

# nobody can connect meanwhile; a look that came between the first two has what it asks for, and is asked again
my $session = $node->background_psql('postgres');
my $met = wait_until(
	sub {
		$session->query_safe('ALTER DATABASE postgres CONNECTION LIMIT 40');
		$session->query_safe('BEGIN');
		$session->query_safe('LOCK TABLE pg_database');
		my $waited = $session->query_safe(<<SQL);
SET LOCAL client_min_messages = error;
CREATE TEMP TABLE seen (n int) ON COMMIT DROP;
DO \$\$
DECLARE
	until timestamptz := clock_timestamp() + '20 s';
BEGIN
	WHILE clock_timestamp() < until AND NOT EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND relation = 'pg_database'::regclass AND NOT granted) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	INSERT INTO seen SELECT count(*) FROM pg_locks WHERE pid = $pid AND relation = 'pg_database'::regclass AND NOT granted;
	WHILE clock_timestamp() < until AND EXISTS (SELECT FROM pg_locks WHERE pid = $pid AND relation = 'pg_database'::regclass AND NOT granted) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
END
\$\$;
SELECT n FROM seen;
SQL
		$session->query_safe('COMMIT');
		return $waited;
	},
	'a look that waits for the lock');
$session->quit;
is($met, 1, 'the worker waited for the lock');
$model->release(latency_ms => 0);
all_done($node);
is(worker_pid($node), $pid, 'and is still the same');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'lost')), 0, 'no call was lost');
sent_equals_runs($node, $model, 'in the end');
$node->stop;
done_testing();
