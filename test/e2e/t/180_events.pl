# The outbox under load: eight writers and the worker at once, one reader: as many events as changes, each once, and
# those of one ticket in the order in which they happened.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $WRITERS = 8;
my $ROUNDS = 120;
my $model = start_model(latency_ms => 5, jitter_ms => 5);
my $node = start_server('events', preload => 1, model => $model, conf => 'triage.max_in_flight = 64');

# a worker without rights on the outbox, which tells of what it stores all the same
sql($node, q(CREATE ROLE the_worker LOGIN; SELECT triage.grant_access('the_worker', 'worker')));
sql($node, q(ALTER SYSTEM SET triage.worker_role = 'the_worker'));
sql($node, 'SELECT pg_reload_conf()');
sql($node, <<'SQL');
CREATE TABLE public.taken (position bigint PRIMARY KEY, id bigint, topic text, ticket_id bigint, object_id bigint, version int);
CREATE TABLE public.stop (at timestamptz);
SELECT triage.add_consumer('relay');
SQL

# What a relay does: read, keep, confirm, in one transaction.  A batch that is not yet confirmed is read again.
my $reader = start_sql($node, <<'SQL');
DO $$
DECLARE
	stopping boolean;
	last_position bigint;
	taken bigint;
BEGIN
	LOOP
		stopping := EXISTS (SELECT FROM public.stop);
		INSERT INTO public.taken SELECT e.position, e.id, e.topic, e.ticket_id, e.object_id, e.version
			FROM triage.read_events('relay', 37) e;
		GET DIAGNOSTICS taken = ROW_COUNT;
		IF taken > 0 THEN
			SELECT max(position) INTO last_position FROM public.taken;
			-- now and then it fails before it confirms
			IF random() < 0.1 THEN
				ROLLBACK;
				CONTINUE;
			END IF;
			PERFORM triage.confirm_events('relay', last_position);
		END IF;
		COMMIT;
		EXIT WHEN taken = 0 AND stopping;
		PERFORM pg_sleep(0.002);
	END LOOP;
END
$$
SQL

# Transactions of different lengths, some rolled back, with and without a savepoint, several on the same tickets.
my @writers = map {
	start_sql($node, <<SQL)
DO \$\$
BEGIN
	FOR i IN 1 .. $ROUNDS LOOP
		INSERT INTO triage.tickets (external_id, subject, description)
			VALUES ('TOKEN-w$_' || 'r' || i, 'About TOKEN-w$_' || 'r' || i, 'TOKEN-w$_' || 'r' || i);
		PERFORM pg_sleep(random() * 0.005);
		BEGIN
			UPDATE triage.tickets SET custom_fields = jsonb_build_object('n', i, 'w', $_)
				WHERE id = (SELECT id FROM triage.tickets WHERE id <= 10 ORDER BY random() LIMIT 1);
			IF random() < 0.2 THEN
				RAISE EXCEPTION 'undone';
			END IF;
		EXCEPTION WHEN raise_exception THEN
			NULL;
		END;
		PERFORM pg_sleep(random() * 0.005);
		IF random() < 0.15 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;
	END LOOP;
END
\$\$
SQL
} 1 .. $WRITERS;
$_->() for @writers;
all_done($node, what => 'the tickets are triaged');
sql($node, 'INSERT INTO public.stop VALUES (now())');
$reader->();

cmp_ok(sql($node, 'SELECT count(*) FROM public.taken'), '>', 2 * $WRITERS * $ROUNDS, 'the reader has had a lot');
is(sql($node, 'SELECT count(*), count(DISTINCT id), max(position) FROM public.taken'),
	sql($node, 'SELECT count(*), count(*), count(*) FROM triage.events'), 'every event was taken, once, and positions have no gap');
is(sql($node, q(SELECT count(*) FROM public.taken WHERE topic = 'ticket.created')), sql($node, 'SELECT count(*) FROM triage.tickets'),
	'as many created as there are tickets');
is(sql($node, q(SELECT count(*) FROM public.taken WHERE topic = 'ticket.updated')), sql($node, 'SELECT sum(version - 1) FROM triage.tickets'),
	'as many updated as there were changes');
is(sql($node, q(SELECT count(*), count(DISTINCT object_id) FROM public.taken WHERE topic = 'result.stored')),
	sql($node, 'SELECT count(*), count(*) FROM triage.ticket_ai_results'), 'as many results stored as there are results');
is(sql($node, <<'SQL'), '', 'a ticket\'s events come in the order in which it changed');
SELECT k.ticket_id, k.versions FROM (
		SELECT ticket_id, array_agg(version ORDER BY position) AS versions FROM public.taken
			WHERE topic IN ('ticket.created', 'ticket.updated') GROUP BY ticket_id) k
	JOIN triage.tickets t ON t.id = k.ticket_id
	WHERE k.versions <> ARRAY (SELECT generate_series(1, t.version)) ORDER BY 1 LIMIT 5
SQL
is(sql($node, 'SELECT count(*) FROM public.taken a JOIN public.taken b ON b.position > a.position AND b.id < a.id LIMIT 1') > 0, 1,
	'(some came to the reader in another order than they were written)');
is(sql($node, q(SELECT pending, lag FROM triage.event_consumers_status)), '0|00:00:00', 'nothing is left');
ledger_is_sound($node, 'beside the reader');
is(sql($node, q(SELECT usename FROM pg_stat_activity WHERE backend_type = 'triage worker')), 'the_worker', '(the worker was the role it should be)');

$model->config(latency_ms => 0);
sql($node, q(SELECT triage.add_consumer('failures', '{job.failed}')));
add_tickets($node, [ 'bad', 'status=400' ]);
all_done($node);
is(sql($node, q(SELECT topic, labels, actor, ticket_id FROM triage.read_events('failures'))),
	'job.failed|{"kind": "triage", "class": "bad_request", "attempts": 1}|triage|' . id_of($node, 'bad'), 'what is given up is told');

# conversations: of customers and of the AI, whose messages a worker without rights on the outbox writes
sql($node, q(SELECT triage.add_consumer('talk', '{chat.session_started,chat.message_posted}')));
my @talkers = map {
	start_sql($node, <<SQL)
DO \$\$
DECLARE
	s bigint := triage.start_session('TOKEN-talker$_');
BEGIN
	FOR i IN 1 .. 10 LOOP
		PERFORM triage.post_message(s, 'TOKEN-talk$_' || 'x' || i);
		COMMIT;
		PERFORM pg_sleep(random() * 0.05);
	END LOOP;
END
\$\$
SQL
} 1 .. 4;
$_->() for @talkers;
all_done($node);
is(sql($node, q(SELECT count(*), count(DISTINCT object_id) FROM triage.read_events('talk', 1000) WHERE topic = 'chat.message_posted')),
	sql($node, 'SELECT count(*), count(*) FROM triage.chat_messages'), 'as many messages posted as there are messages');
is(sql($node, q(SELECT string_agg(DISTINCT labels ->> 'role', ' ') FROM triage.read_events('talk', 1000))), 'assistant user', 'the bot\'s, too');
is(sql($node, q(SELECT count(*) FROM triage.read_events('talk', 1000) WHERE topic = 'chat.session_started')), 4, 'each after its session\'s start');

$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|deadlock|WARNING/, 'the server log is clean');
done_testing();
