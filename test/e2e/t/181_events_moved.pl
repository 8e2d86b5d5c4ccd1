# The outbox in another place: a restored dump, in the same cluster and in another whose transaction ids begin anew, and
# a subscriber.  What was not confirmed comes there, what was confirmed does not, and what happens there follows.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $node = start_server('origin', no_extension => 1, conf => "wal_level = logical\nmax_wal_senders = 5");
sql($node, 'CREATE DATABASE original');
# ids far beyond those of a fresh cluster
sql($node, 'DO $$ BEGIN FOR i IN 1 .. 5000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
sql($node, <<'SQL', 'original');
CREATE EXTENSION triage;
SELECT triage.worker_stop();
SELECT triage.add_consumer('relay', '{ticket.created}');
SELECT triage.add_consumer('idle');
SELECT triage.add_consumer('done', '{ticket.created}');
SQL

sub add
{
	my ($where, $database, @names) = @_;
	sql($where, "INSERT INTO triage.tickets (external_id, description) VALUES ('$_', 'x')", $database) for @names;
	return;
}

# "position: ticket" of what the consumer is given
sub events
{
	my ($where, $database, $consumer, $max) = @_;
	$max //= 100;
	return sql($where, "SELECT string_agg(e.position || ' ' || t.external_id, ', ' ORDER BY e.position)
		FROM triage.read_events('$consumer', $max) e JOIN triage.tickets t ON t.id = e.ticket_id WHERE e.topic = 'ticket.created'", $database);
}

# a transaction that was passed over and has committed since, a batch of which a part is confirmed, and what came after
add($node, 'original', 'a');
my $old = $node->background_psql('original');
$old->query_safe(q(BEGIN; INSERT INTO triage.tickets (external_id, description) VALUES ('late', 'x')));
add($node, 'original', qw(b c d));
is(events($node, 'original', 'relay'), '1 a, 2 b, 3 c, 4 d', 'read where it was written');
sql($node, q(SELECT triage.confirm_events('relay', 2)), 'original');
$old->query_safe('COMMIT');
$old->quit;
add($node, 'original', 'e');
events($node, 'original', 'done');
sql($node, q(SELECT triage.confirm_events('done', 6)), 'original');

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('original') ], 'it is dumped');

################ another cluster ################

my $other = start_server('other', no_extension => 1);
cmp_ok(sql($other, 'SELECT pg_current_xact_id()'), '<', sql($node, 'SELECT min(xid::text::bigint) FROM triage.events', 'original'),
	'(a transaction there has a lesser id than any that wrote an event)');
for my $database (qw(first second))
{
	sql($other, "CREATE DATABASE $database");
	$other->command_ok([ 'pg_restore', '-d', $other->connstr($database), $dump ], "restored to another cluster, $database");
}

# first: something happens before anybody reads
add($other, 'first', 'f');
is(events($other, 'first', 'relay'), '3 c, 4 d', 'the batch under way is finished first');
sql($other, q(SELECT triage.confirm_events('relay', 4)), 'first');
is(events($other, 'first', 'relay', 1), '5 late', 'then comes what was not read');
is(events($other, 'first', 'relay'), '5 late, 6 e', 'all of it');
add($other, 'first', 'g');
sql($other, q(SELECT triage.confirm_events('relay', 6)), 'first');
is(events($other, 'first', 'relay'), '7 f, 8 g', 'then what happened here');
sql($other, q(SELECT triage.confirm_events('relay', 8)), 'first');
is(events($other, 'first', 'relay'), '', 'and no more');
add($other, 'first', 'h');
is(events($other, 'first', 'relay'), '9 h', 'until something happens');
is(events($other, 'first', 'idle'), '1 a, 2 late, 3 b, 4 c, 5 d, 6 e', 'who had read nothing has it all');
sql($other, q(SELECT triage.confirm_events('idle', 6)), 'first');
is(events($other, 'first', 'idle'), '7 f, 8 g, 9 h', 'and the rest');
is(events($other, 'first', 'done'), '7 f, 8 g, 9 h', 'who had read all has what is new only');
is(sql($other, 'SELECT count(*), count(DISTINCT system_identifier) FROM triage.event_generations', 'first'), '2|2', 'the new cluster was noticed once');
sql($other, q(SELECT triage.confirm_events('done', 9), triage.confirm_events('idle', 9), triage.confirm_events('relay', 9)), 'first');
is(sql($other, 'SELECT string_agg(pending::text, \' \') FROM triage.event_consumers_status', 'first'), '0 0 0', 'nobody is behind');
sql($other, q(UPDATE triage.events SET created_at = now() - interval '8 days'), 'first');
is(sql($other, q(SELECT deleted FROM triage.apply_retention() WHERE target = 'events'), 'first'), 9, 'and events of both are deleted in time');

# second: read before anything happens
is(events($other, 'second', 'done'), '', 'nothing is new');
is(sql($other, q(SELECT pending FROM triage.event_consumers_status WHERE name = 'relay'), 'second'), 4, 'how far behind a consumer is stays known');
is(events($other, 'second', 'relay'), '3 c, 4 d', 'the batch is finished here, too');
sql($other, q(SELECT triage.confirm_events('relay', 4)), 'second');
add($other, 'second', 'f');
is(events($other, 'second', 'relay'), '5 late, 6 e', 'one cluster\'s events at a time');
sql($other, q(SELECT triage.confirm_events('relay', 6)), 'second');
is(events($other, 'second', 'relay'), '7 f', 'in their order');
is(events($other, 'second', 'done'), '7 f', 'for the others as well');

################ and back again, and beside the original ################

$other->command_ok([ 'pg_dump', '-Fc', '-f', "$dump.back", '-d', $other->connstr('second') ], 'dumped once more');
sql($node, 'CREATE DATABASE back; CREATE DATABASE beside; CREATE DATABASE template_of TEMPLATE original');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('back'), "$dump.back" ], 'and restored to where it came from');
add($node, 'back', 'g');
is(events($node, 'back', 'relay'), '7 f', 'ids that were used here before do not come back');
sql($node, q(SELECT triage.confirm_events('relay', 7)), 'back');
is(events($node, 'back', 'relay'), '8 g', 'three generations in a row');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('beside'), $dump ], 'the first dump, restored beside its original');
for my $database (qw(beside template_of))
{
	add($node, $database, 'f');
	is(events($node, $database, 'relay'), '3 c, 4 d', "$database: the batch");
	sql($node, q(SELECT triage.confirm_events('relay', 4)), $database);
	is(events($node, $database, 'relay'), '5 late, 6 e, 7 f', "$database: the rest, and what is new, of one cluster");
	is(sql($node, 'SELECT count(*) FROM triage.event_generations', $database), 1, "$database: one generation");
}

################ a subscriber ################

sql($other, 'CREATE DATABASE subscriber');
sql($other, 'CREATE EXTENSION triage; SELECT triage.worker_stop()', 'subscriber');
sql($node, 'CREATE PUBLICATION outbox FOR TABLE triage.events, triage.event_consumers, triage.event_generations, triage.tickets', 'original');
sql($other, q(CREATE SUBSCRIPTION outbox CONNECTION $c$) . $node->connstr('original') . q($c$ PUBLICATION outbox), 'subscriber');
wait_for($other, q(SELECT count(*) FILTER (WHERE srsubstate <> 'r') FROM pg_subscription_rel), 0, 'the first copy', database => 'subscriber');
is(sqlstate($other, q(SELECT * FROM triage.read_events('relay')), 'subscriber'), '55000', 'nothing is read while a subscription fills the table');
add($node, 'original', 'f');
wait_for($other, q(SELECT count(*) FROM triage.tickets WHERE external_id = 'f'), 1, 'replication', database => 'subscriber');
sql($other, q(DROP SUBSCRIPTION outbox; SELECT setval('triage.events_id_seq', 1000), setval('triage.tickets_id_seq', 1000)), 'subscriber');
add($other, 'subscriber', 'g');
is(events($other, 'subscriber', 'relay'), '3 c, 4 d', 'afterwards the batch is read here');
sql($other, q(SELECT triage.confirm_events('relay', 4)), 'subscriber');
is(events($other, 'subscriber', 'relay'), '5 late, 6 e, 7 f', 'what was replicated');
sql($other, q(SELECT triage.confirm_events('relay', 7)), 'subscriber');
is(events($other, 'subscriber', 'relay'), '8 g', 'and what is new');

$_->stop for $node, $other;
done_testing();
