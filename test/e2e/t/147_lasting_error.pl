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

# what the worker said that it could not do, and how often
sub complaints
{
	my ($position) = @_;
	my %times;

	$times{$_}++ for log_since($node, $position) =~ /LOG:  (triage worker could not [^:]+: .*)/g;
	return \%times;
}

sub is_told_once
{
	my ($change, $name, $least) = @_;
	my $position = log_position($node);
	my $before = sql($node, $failed);

	sql($node, $change);
	wait_until(sub { return sql($node, $failed) >= $before + 8 }, 'some tries that fail');
	my $times = complaints($position);
	cmp_ok(scalar(keys %$times), '>=', $least, "$name: it is told");
	is_deeply([ grep { $times->{$_} > 1 } keys %$times ], [], "$name: and not again each second, as long as it stays the same");
	return;
}

add_tickets($node, 'before');
all_done($node);
is_told_once('ALTER TABLE triage.ai_jobs RENAME COLUMN slot TO place', 'a column', 1);
sql($node, 'ALTER TABLE triage.ai_jobs RENAME COLUMN place TO slot');
# several errors that take turns
is_told_once('ALTER TABLE triage.worker_control RENAME TO wc', 'a table', 2);
sql($node, 'ALTER TABLE triage.wc RENAME TO worker_control');
add_tickets($node, 'after');
all_done($node);
is(sql($node, q(SELECT string_agg(outcome::text, ', ') FROM triage.ai_runs)), 'succeeded, succeeded', 'and once it has gone the worker goes on at once');

################ rows that a constraint refuses, each with other details ################

my $position = log_position($node);
sql($node, 'ALTER TABLE triage.ticket_ai_results ADD CONSTRAINT refused CHECK (false) NOT VALID');
add_tickets($node, map { "refused$_" } 1 .. 10);
wait_for($node, q(SELECT count(DISTINCT ticket_id) FROM triage.ai_runs WHERE error ~ 'could not be stored.*"refused"'), 10, 'answers that are refused');
my $times = complaints($position);
is(scalar(keys %$times), 1, 'they are one error');
is_deeply([ values %$times ], [1], 'which is told once');
unlike(log_since($node, $position), qr/Failing row|TOKEN-/, 'and nothing of what is in the rows');
sql($node, 'ALTER TABLE triage.ticket_ai_results DROP CONSTRAINT refused');

################ a lease that cannot be freed ################

$position = log_position($node);
sql($node, q(CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RAISE 'this run is refused'; END $f$));
sql($node, q(SET triage.auto_triage = off; INSERT INTO triage.tickets (external_id, description)
	SELECT 'TOKEN-ended' || n, 'About TOKEN-ended' || n FROM generate_series(1, 300) n));
sql($node, "CREATE TRIGGER refuse BEFORE INSERT ON triage.ai_runs FOR EACH ROW WHEN (NEW.outcome = 'lost' AND NEW.ticket_id IN (" .
	id_of($node, 'ended1') . ', ' . id_of($node, 'ended200') . ')) EXECUTE FUNCTION public.refuse()');
sql($node, q(INSERT INTO triage.ai_jobs (tenant_id, ticket_id, slot, fence, attempts, claimed_at, lease_until, provider)
	SELECT 'default', id, -1, 1, 1, now() - interval '2 minutes', now() - interval '1 minute', 'gone' FROM triage.tickets WHERE external_id ~ 'TOKEN-ended' ORDER BY id));
wait_for($node, q(SELECT count(DISTINCT ticket_id) FROM triage.ai_runs WHERE outcome = 'lost'), 298, 'the leases of all others to be freed');
wait_for($node, q(SELECT string_agg(external_id, ' ' ORDER BY external_id) FROM triage.ai_jobs JOIN triage.tickets t ON t.id = ticket_id), 'TOKEN-ended1 TOKEN-ended200',
	'all but those that cannot be');
is_deeply([ values %{ complaints($position) } ], [1], 'leases that cannot be freed are one error, which is told once');
sql($node, 'DROP TRIGGER refuse ON triage.ai_runs');
all_done($node);
is(sql($node, q(SELECT count(*), count(DISTINCT ticket_id) FROM triage.ai_runs WHERE outcome = 'lost')), '300|300', 'each has one lost run in the end');
$node->stop;
done_testing();
