# Somebody's trigger or setting refuses rows that the worker writes: one row keeps no other from being written, and what
# no other answer could mend is not asked of the model again.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('refused', preload => 1, model => $model, conf => 'triage.max_attempts = 3');

sub refuse
{
	my ($state) = @_;
	sql($node, <<~SQL);
		CREATE OR REPLACE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN
			IF new.draft_reply ~ 'TOKEN-vip' THEN RAISE EXCEPTION 'not for you' USING ERRCODE = '$state'; END IF;
			RETURN NULL;
		END \$\$;
		CREATE OR REPLACE TRIGGER refuse AFTER INSERT ON triage.ticket_ai_results FOR EACH ROW EXECUTE FUNCTION public.refuse();
		SQL
	return;
}

sub left { return sql($node, q(SELECT coalesce(string_agg(t.external_id, ', ' ORDER BY t.id), '') FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id)) }

# An error that may pass, of some rows only
foreach my $state ('42501', '55000', '58030')
{
	my $before = $model->requests;
	refuse($state);
	sql($node, 'SELECT triage.worker_stop()');
	my @vips = map { "vip$state-$_" } 1 .. 3;
	add_tickets($node, (map { "a$state-$_" } 1 .. 10), @vips, (map { "z$state-$_" } 1 .. 10));
	sql($node, 'SELECT triage.worker_start()');
	wait_until(sub { return left() eq join(', ', map { "TOKEN-$_" } @vips) }, "$state: all but those that are refused are written");
	is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), '0', "$state: nothing is given up, for it may pass");
	sql($node, 'DROP TRIGGER refuse ON triage.ticket_ai_results');
	all_done($node);
	is($model->requests - $before, 23, "$state: each was asked once");
}
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome <> 'succeeded')), '0', 'and each answer was kept');

# One that does not pass and is no verdict on the answer: the model is not asked again
refuse('0A000');
my $before = $model->requests;
add_tickets($node, 'vip', 'other');
wait_until(sub { return left() eq '' }, 'an error of the code around: given up');
is($model->requests - $before, 2, 'after one call each');
like(sql($node, q(SELECT message FROM triage.ai_dead_letters)), qr/the answer could not be stored: not for you/, 'with the reason');

# Another answer may please a constraint
refuse('23514');
$before = $model->requests;
add_tickets($node, 'vip2');
wait_until(sub { return sql($node, 'SELECT count(*) FROM triage.ai_dead_letters') eq '2' }, 'an answer that a constraint refuses: given up');
is($model->requests - $before, 3, 'after all attempts');
$node->stop;
done_testing();
