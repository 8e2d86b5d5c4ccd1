# Maintenance by pg_cron, the real one with its scheduler running; and what is said where it is not.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $SCHEDULE = 'SELECT triage.schedule_maintenance()';

################ without pg_cron ################

my $node = start_server('cron', conf => "cron.use_background_workers = on\n");
like(sql_error($node, $SCHEDULE), qr/0A000: .*"pg_cron" is not available.*HINT: .*triage\.reap_jobs\(\).*triage\.apply_retention\(\).*triage\.run_pending/s,
	'without pg_cron: said, with the statements to run');
is(sql($node, 'SELECT triage.unschedule_maintenance()'), 0, 'nothing to unschedule');
is(sql($node, 'SELECT count(*) FROM triage.maintenance_jobs()'), 0, 'no jobs');
is(sqlstate($node, 'SELECT triage.purge_run_details()'), '0A000', 'nothing to purge');

# loaded, not installed; and for another database
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'triage, pg_cron'\ncron.database_name = 'postgres'");
$node->restart;
like(sql_error($node, $SCHEDULE), qr/55000: .*not installed in this database.*HINT: .*CREATE EXTENSION pg_cron/s, 'loaded but not installed: said');
sql($node, 'CREATE EXTENSION pg_cron; CREATE DATABASE "it\'s other"');
is(sql($node, q(SELECT extversion FROM pg_extension WHERE extname = 'pg_cron')) ne '', 1, 'pg_cron is here');
sql($node, 'CREATE EXTENSION triage', "it's other");
my $error = sql_error($node, $SCHEDULE, "it's other");
like($error, qr/55000: .*serves database "postgres", not this one/, 'in another database: said');
my ($hint) = $error =~ /In that database run (.*;)$/m;
sql($node, $hint);
is(sql($node, q(SELECT jobname, schedule, command, database FROM cron.job ORDER BY jobname)), <<'JOBS' =~ s/\n$//r, 'the hint is what to run there');
triage reap it's other|* * * * *|SELECT triage.reap_jobs()|it's other
triage retention it's other|*/10 * * * *|SELECT triage.apply_retention()|it's other
JOBS
is(sql($node, 'SELECT count(*) FROM triage.maintenance_jobs()'), 0, 'and none of this database');

################ scheduling ################

sub jobs { return sql($node, "SELECT jobid, jobname, schedule, command, active FROM cron.job WHERE jobname ~ '^triage' AND database = 'postgres' ORDER BY jobname") }

sql($node, q(SELECT cron.schedule('mine', '* * * * *', 'SELECT 1'), cron.schedule('triage reap of mine', '0 0 1 1 *', 'SELECT 2')));
is(sql($node, 'SELECT * FROM triage.schedule_maintenance()'), <<'JOBS' =~ s/\n$//r, 'the jobs, five fields each');
triage reap|* * * * *|SELECT triage.reap_jobs()
triage retention|*/10 * * * *|SELECT triage.apply_retention(10000)
triage purge|17 3 * * *|SELECT triage.purge_run_details('7 days')
JOBS
my $before = jobs();
sql($node, $SCHEDULE);
is(jobs(), $before, 'twice: the same jobs');
is(sql($node, "SELECT count(*) FROM triage.schedule_maintenance(run_pending => '*/5 * * * *', max_jobs => 20, retention => NULL, reap => '*/2 * * * *')"), 3, 'changed');
is(sql($node, 'SELECT job_name, schedule, command FROM triage.maintenance_jobs()'), <<'JOBS' =~ s/\n$//r, 'in place; NULL takes a job away; run_pending on demand');
triage purge|17 3 * * *|SELECT triage.purge_run_details('7 days')
triage reap|*/2 * * * *|SELECT triage.reap_jobs()
triage run_pending|*/5 * * * *|SELECT triage.run_pending(20)
JOBS
$before = jobs();
like(sql_error($node, "SELECT triage.schedule_maintenance(reap => '0 * * * *', retention => 'every other Tuesday')"), qr/invalid schedule/, 'a schedule that pg_cron does not know');
is(sqlstate($node, "SELECT triage.schedule_maintenance($_)"), '22023', "$_ is refused") for 'max_rows => 0', 'max_jobs => NULL', "keep_details => '-1 day'";
is(jobs(), $before, 'changes nothing');

################ the scheduler runs them ################

sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, <<'SQL');
SELECT triage.create_ticket('Invoice ' || i, 'My invoice is wrong') FROM generate_series(1, 3) i;
SELECT count(*) FROM triage.claim_jobs(1, lease => '1 second');
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, finished_at)
	SELECT 'default', -i, -i, 'triage', 1, 'succeeded', now() - i * interval '1 year' FROM generate_series(1, 5) i;
UPDATE triage.retention SET keep = '30 months' WHERE target = 'ai_runs';
SELECT triage.schedule_maintenance(reap => '* * * * *', retention => '* * * * *', purge => '* * * * *', run_pending => '* * * * *')
SQL
wait_for($node, q(SELECT count(*) > 0 FROM cron.job_run_details d JOIN cron.job j USING (jobid) WHERE j.jobname = 'mine' AND d.status = 'succeeded'), 't',
	'the next minute', limit => 150);
wait_for($node, q(SELECT count(DISTINCT job_name) FROM triage.maintenance_jobs() WHERE last_status = 'succeeded'), 4, 'all four to have run', limit => 150);
is(sql($node, q(SELECT job_name, last_status, last_message <> '', active, last_start > now() - interval '5 minutes' FROM triage.maintenance_jobs())), <<'JOBS' =~ s/\n$//r, 'and it is told');
triage purge|succeeded|t|t|t
triage reap|succeeded|t|t|t
triage retention|succeeded|t|t|t
triage run_pending|succeeded|t|t|t
JOBS
wait_for($node, 'SELECT count(*) FROM triage.ai_runs WHERE job_id < 0', 2, 'retention to take what is older than it keeps', limit => 150);
wait_for($node, "SELECT count(*) FROM triage.ai_runs WHERE outcome = 'lost'", 1, 'the lease that was over to be reaped', limit => 150);
wait_for($node, "SELECT count(*) FROM triage.ticket_ai_results", 3, 'the tickets, without a resident worker', limit => 150);
is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = 'postgres'"), 0, 'which nobody started');

# what the runs left: ours by age, others' not at all
sql($node, q(SELECT cron.unschedule('mine')));
sql($node, q(SELECT triage.schedule_maintenance(reap => '0 0 1 1 *', retention => '0 0 1 1 *', purge => '0 0 1 1 *')));
my $ours = 'jobid IN (SELECT job_id FROM triage.maintenance_jobs())';
wait_for($node, q(SELECT count(*) FROM cron.job_run_details WHERE status NOT IN ('succeeded', 'failed')), 0, 'nothing runs');
my $others = sql($node, "SELECT count(*) FROM cron.job_run_details WHERE NOT ($ours)");
cmp_ok($others, '>=', 2, 'other jobs have left something too, and so has run_pending, which is no job any more');
sql($node, "UPDATE cron.job_run_details SET start_time = start_time - interval '8 days', end_time = end_time - interval '8 days'");
sql($node, "UPDATE cron.job_run_details SET start_time = NULL, end_time = NULL, status = 'failed' WHERE runid = (SELECT min(runid) FROM cron.job_run_details WHERE $ours)");
my $old = sql($node, "SELECT count(*) FROM cron.job_run_details WHERE $ours");
is(sql($node, "SELECT triage.purge_run_details('9 days')"), 1, 'a run without times is old');
is(sql($node, 'SELECT triage.purge_run_details()'), $old - 1, 'what is older than a week goes');
is(sql($node, "SELECT count(*) FILTER (WHERE $ours), count(*) FILTER (WHERE NOT ($ours)) FROM cron.job_run_details"), "0|$others", 'of these jobs only');

# another role's jobs of the same names are its own
sql($node, <<'SQL');
CREATE ROLE keeper LOGIN;
GRANT USAGE ON SCHEMA triage, cron TO keeper;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA triage TO keeper;
SET SESSION AUTHORIZATION keeper;
SELECT triage.schedule_maintenance()
SQL
is(sql($node, q(SELECT username, count(*) FROM cron.job WHERE jobname IN ('triage reap', 'triage retention', 'triage purge') GROUP BY 1 ORDER BY 1)),
	"keeper|3\npostgres|3", 'a role has jobs of its own');
is(sql($node, 'SET SESSION AUTHORIZATION keeper; SELECT triage.unschedule_maintenance()'), 3, 'and takes away its own');

sql($node, 'GRANT USAGE ON SCHEMA triage TO keeper; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA triage TO keeper', "it's other");
like(sql_error($node, "SET SESSION AUTHORIZATION keeper; $SCHEDULE", "it's other"), qr/55000: .*not installed in this database.*cron\.schedule_in_database/s,
	'who may not read which database pg_cron serves is told both ways');

is(sql($node, 'SELECT triage.unschedule_maintenance()'), 3, 'taken away');
is(sql($node, 'SELECT triage.unschedule_maintenance()'), 0, 'once');
is(sql($node, 'SELECT string_agg(jobname, $$, $$ ORDER BY jobname) FROM cron.job'), q(triage reap it's other, triage reap of mine, triage retention it's other),
	'others\' jobs stay, whatever they are called');
$node->stop;
done_testing();
