# A worker with a role of its own answers sessions of all tenants, and frees leases of theirs, with that role's rights.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Talk;
use Triage;

my $model = start_model();
my $node = start_server('kinds_role', preload => 1, model => $model);

prepare_talk($node);
sql($node, <<'SQL');
CREATE ROLE "the worker" LOGIN;
SELECT triage.grant_access('the worker', 'worker');
DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = 'triage'::regnamespace AND p.proname ~ '^(read|lock|store|give_up)_(chat_reply|summarize)$' LOOP
		EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO "the worker"', f);
	END LOOP;
END $$;
SELECT triage.create_tenant('acme');
INSERT INTO triage.prompts (tenant_id, kind, version, system_text) VALUES ('acme', 'chat_reply', 1, 'Answer.') ON CONFLICT DO NOTHING;
SQL
$node->append_conf('postgresql.conf', "triage.worker_role = 'the worker'");
$node->reload;
wait_for($node, "SELECT DISTINCT usename FROM pg_stat_activity WHERE backend_type = 'triage worker'", 'the worker', 'the role serves');

my ($one) = sessions($node, 1);
my $other = sql($node, "INSERT INTO triage.chat_sessions (tenant_id) VALUES ('acme') RETURNING id");
sql($node, "INSERT INTO talk (tenant_id, session_id, text) VALUES ('acme', $other, 'TOKEN-other');
	INSERT INTO triage.ai_jobs (tenant_id, session_id, kind) VALUES ('acme', $other, 'chat_reply')");
say($node, [ $one, 'one' ], [ $one, 'refused', 'answer=refusal' ]);
all_done($node, what => 'two tenants have their answers');
is(said($node, $other), 'About TOKEN-other: we hear you.', 'a session is answered');
is(sql($node, "SELECT session_id, class FROM given_up"), "$one|refused", 'and given up');

my ($lost) = sessions($node, 1);
sql($node, "INSERT INTO talk (session_id, text) VALUES ($lost, 'TOKEN-lost');
	INSERT INTO triage.ai_jobs (tenant_id, session_id, kind, fence, attempts, lease_until, claimed_at, slot, provider)
		VALUES ('default', $lost, 'chat_reply', 1, 1, now() - interval '1 minute', now() - interval '2 minutes', -1, 'fake')");
all_done($node, what => 'a lease of a session that ended is freed');
is(runs_of_session($node, $lost), 'lost succeeded', 'with its run');
is(said($node, $lost), 'About TOKEN-lost: we hear you.', 'and its answer comes all the same');

done_testing();
