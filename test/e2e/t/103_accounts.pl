# More accounts than there are gates: the provider without one waits and says so, the others serve.
use strict;
use warnings;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('accounts', preload => 1, model => $model, conf => 'triage.poll_interval = 1s');

add_tickets($node, 'first');
all_done($node);

# with the one above that makes 256: each name of a model is an account of its own; the worker has looked at one when its gate is there
sql($node, "SELECT triage.set_provider('many', 'openai', '" . $model->origin . "/v1', 'm0', rank => 0)");
sql($node, <<'SQL');
DO $$
DECLARE
	url CONSTANT text := (SELECT p.base_url FROM triage.providers p WHERE p.name = 'many');
	deadline CONSTANT timestamptz := clock_timestamp() + interval '120 seconds';
BEGIN
	FOR i IN 1 .. 254 LOOP
		UPDATE triage.providers SET model = 'm' || i WHERE name = 'many';
		COMMIT;
		WHILE NOT EXISTS (SELECT FROM triage.provider_gates(url, 'm' || i, '')) LOOP
			IF clock_timestamp() > deadline THEN
				RAISE EXCEPTION 'no gate for account %', i;
			END IF;
			PERFORM pg_sleep(0.002);
			COMMIT;
		END LOOP;
	END LOOP;
END
$$
SQL
my $from = log_position($node);
sql($node, "UPDATE triage.providers SET model = 'one too many' WHERE name = 'many'");
add_tickets($node, 'second');
all_done($node);
is(sql($node, "SELECT DISTINCT provider FROM triage.ai_runs"), sql($node, "SELECT name FROM triage.providers WHERE rank > 0 AND api = 'openai'"),
	'the next provider serves while the first has no gate');
is(sql($node, "SELECT count(*) FROM triage.provider_gates('" . $model->origin . "/v1', 'one too many', '')"), 0, 'the account has none');

sql($node, "UPDATE triage.providers SET enabled = false WHERE rank > 0");
add_tickets($node, 'third');
wait_for($node, q(SELECT query LIKE '%more than 256 provider accounts are in use%' FROM pg_stat_activity WHERE backend_type = 'triage worker'), 't',
	'without another one the worker says why it waits');
sql($node, "UPDATE triage.providers SET model = 'm7' WHERE name = 'many'");
all_done($node);
is(sql($node, q(SELECT r.provider || ' ' || r.outcome FROM triage.ai_runs r ORDER BY r.id DESC LIMIT 1)), 'many succeeded', 'an account that has a gate serves at once');
unlike(log_since($node, $from), qr/ERROR|could not/, 'nothing of it is an error');
ledger_is_sound($node, 'accounts');
$node->stop;
done_testing();
