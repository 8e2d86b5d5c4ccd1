# Settings of a database or a role that would trip a worker are not its own; and nothing of SQL needs preloading.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();

for my $preload (1, 0)
{
	my $mode = $preload ? 'preloaded' : 'not preloaded';
	$model->reset;
	my $node = start_server("settings$preload", preload => $preload, no_extension => 1, model => $model);

	sql($node, 'CREATE DATABASE odd');
	sql($node, 'CREATE EXTENSION triage', 'odd');
	use_model($node, $model, database => 'odd');
	sql($node, q(SELECT triage.worker_stop()), 'odd');
	wait_for_worker($node, 0, 'odd');
	sql($node, q(SELECT triage.create_tenant('acme')), 'odd');
	sql($node, "ALTER DATABASE odd SET $_") for (
		q(statement_timeout = '1ms'), q(lock_timeout = '1ms'), q(idle_in_transaction_session_timeout = '1ms'),
		q(default_transaction_read_only = on), q(default_transaction_isolation = 'repeatable read'),
		q(default_transaction_deferrable = on), q(session_replication_role = 'replica'), q(search_path = 'nowhere'),
		q(row_security = off), q(DateStyle = 'German'), q(IntervalStyle = 'sql_standard'), q(TimeZone = 'Asia/Kathmandu'),
		q(client_min_messages = 'error'), q(extra_float_digits = '-15'), q(bytea_output = 'escape'),
		q(standard_conforming_strings = off), q(quote_all_identifiers = on), q(transform_null_equals = on),
		q(triage.tenant = 'acme'), q(triage.actor = 'somebody'), q(triage.auto_triage = off), q(work_mem = '64kB'),
		q(enable_indexscan = off), q(enable_tidscan = off), q(enable_sort = off), q(plan_cache_mode = 'force_custom_plan'));

	# what a connection asks for comes before what its database says
	local $ENV{PGOPTIONS} = join ' ', map { "-c $_" } qw(statement_timeout=0 lock_timeout=0 idle_in_transaction_session_timeout=0
		default_transaction_read_only=off session_replication_role=origin row_security=on
		search_path=public standard_conforming_strings=on triage.tenant= triage.actor= triage.auto_triage=on);
	my $run = sub { return sql($node, $_[0], 'odd') };
	$run->(q(SELECT triage.worker_start()));
	$run->(q(INSERT INTO triage.tickets (external_id, subject, description)
		SELECT 'TOKEN-s' || i, 'About TOKEN-s' || i, 'TOKEN-s' || i || CASE WHEN i = 9 THEN ' [[fake status=500 times=1]]' ELSE '' END FROM generate_series(1, 20) i));
	wait_until(sub { my $n = $run->(q(SELECT count(*) FROM triage.ai_jobs)); return ($n == 0, $n) }, "$mode: the tickets");
	is($run->(q(SELECT count(*) FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id
		WHERE t.tenant_id = 'default' AND r.tenant_id = 'default' AND r.draft_reply ~ (t.external_id || '\M'))), 20, "$mode: every ticket has its answer");
	is($run->(q(SELECT DISTINCT changed_by FROM triage.ticket_history WHERE field = 'category')), 'triage', "$mode: the history was written, by triage");
	is($run->(q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'transient')), 1, "$mode: and a failure");
	is($run->(q(SELECT triage.worker_stop())), 't', "$mode: it heeds worker_stop()");
	wait_for_worker($node, 0, 'odd');
	$run->(q(CREATE TABLE public.seen (pattern text);
		CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (regexp_replace('a  pattern', '\s+', '-')); RETURN NULL; END $$;
		CREATE TRIGGER look AFTER INSERT ON triage.ticket_ai_results FOR EACH ROW EXECUTE FUNCTION public.look()));
	$run->(q(INSERT INTO triage.tickets (description, external_id) VALUES ('TOKEN-one', 'TOKEN-one')));
	is($run->(q(SELECT triage.run_pending(5, true))), 1, "$mode: so does a one-shot worker its work");
	is($run->('SELECT pattern FROM public.seen'), 'a-pattern', "$mode: patterns in functions mean what they say");
	$node->stop;
	unlike(log_since($node), qr/triage worker could not/, "$mode: the worker complained about nothing");
}
done_testing();
