# triage.worker_role: the worker's session is a role's from its start: it serves all tenants with that role's rights, and a
# role that cannot serve is said so and waited for, not met once a second.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $WORKER = q(FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = current_database());

sub with_role
{
	my ($node, $role) = @_;
	$node->append_conf('postgresql.conf', "triage.worker_role = '$role'");
	$node->reload;
	return;
}

sub ticket_of
{
	my ($node, $tenant, $token) = @_;
	return sql($node, "SET triage.tenant = '$tenant'; INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-$token', 'TOKEN-$token')");
}

for my $preload (1, 0)
{
	my $how = $preload ? 'preloaded' : 'not preloaded';
	my $model = start_model();
	my $node = start_server("role$preload", preload => $preload, model => $model);

	sql($node, <<'SQL');
CREATE ROLE "the worker" LOGIN;
SELECT triage.grant_access('the worker', 'worker');
SELECT triage.create_tenant('acme'), triage.create_tenant('umbrella');
SQL
	with_role($node, 'the worker');
	ticket_of($node, 'acme', 'acme1');
	ticket_of($node, 'umbrella', 'umbrella1');
	add_tickets($node, 'default1');
	all_done($node, what => "$how: three tenants' tickets");
	wait_for($node, "SELECT DISTINCT usename $WORKER", 'the worker', "$how: the session's role");
	is(sql($node, q(SELECT string_agg(t.tenant_id || ' ' || r.tenant_id || ' ' || t.external_id, ', ' ORDER BY t.tenant_id)
			FROM triage.tickets t JOIN triage.ticket_ai_results r ON r.ticket_id = t.id AND r.draft_reply ~ t.external_id)),
		'acme acme TOKEN-acme1, default default TOKEN-default1, umbrella umbrella TOKEN-umbrella1', "$how: each tenant's ticket is triaged, as the tenant's");
	ledger_is_sound($node, $how);
	is(sql($node, q(SELECT string_agg(DISTINCT changed_by || ' ' || session_role, ', ') FROM triage.ticket_history)), 'triage the worker',
		"$how: the history says as whom");

	# every other thing a worker writes: failures, returns, superseded results, losses, builtin's answers
	add_tickets($node, [ 'bad', 'status=400' ], [ 'again', 'status=500 times=1' ]);
	sql($node, q(SELECT triage.request_triage(id) FROM triage.tickets WHERE external_id = 'TOKEN-default1'));
	all_done($node, what => "$how: a failure, a retry, a second result");
	add_tickets($node, [ 'lost', 'latency=0 hang=1 times=1' ]);
	$model->wait_for_in_flight(1);
	sql($node, 'CREATE TABLE flushed ()');		# a claim commits asynchronously: without this the crash might undo it
	kill 'KILL', worker_pid($node);
	wait_for($node, 'SELECT triage.worker_start() IS NOT NULL', 't', "$how: the server is back");
	wait_for($node, q(SELECT string_agg(DISTINCT outcome::text, ' ' ORDER BY outcome::text) FROM triage.ai_runs), 'bad_request lost succeeded transient',
		"$how: the runs of all that");
	all_done($node, what => "$how: the lost one");
	sql($node, q(UPDATE triage.providers SET enabled = name = 'builtin'));
	ticket_of($node, 'acme', 'builtin');
	all_done($node, what => "$how: builtin");
	is(sql($node, q(SELECT tenant_id || ' ' || provider FROM triage.ai_runs ORDER BY id DESC LIMIT 1)), 'acme builtin', "$how: builtin answers under the role too");
	is(sql($node, q(SELECT triage.run_pending(1, wait => true))), 0, "$how: a one-shot worker starts as the role");
	unlike(log_since($node), qr/permission denied/, "$how: the rights of level worker are enough");

	# an application that has level agent, from its ticket to the answer
	sql($node, q(UPDATE triage.providers SET enabled = true; CREATE ROLE app LOGIN; SELECT triage.grant_access('app', 'agent'), triage.allow_tenant('app', 'acme')));
	$node->psql('postgres', q(SELECT triage.create_ticket('Hello', 'TOKEN-app', 'user-1', external_id => 'TOKEN-app')), extra_params => [ '-U', 'app' ]);
	my ($out) = ('');
	$node->psql('postgres', q(SELECT triage.wait_for_triage(id) || ' ' || tenant_id FROM triage.tickets WHERE external_id = 'TOKEN-app'), stdout => \$out,
		extra_params => [ '-U', 'app' ]);
	is($out, 'processed acme', "$how: a role of level agent, held to a tenant, is served");

	# another role, while it runs
	sql($node, q(CREATE ROLE second LOGIN; SELECT triage.grant_access('second', 'worker')));
	with_role($node, 'second');
	wait_for($node, "SELECT DISTINCT usename $WORKER", 'second', "$how: after a reload the worker comes back as the other role");
	pass("$how: a reload changes the role");

	# roles that cannot serve: each is named with its reason, no worker runs, nobody restarts one for ever
	my $needs_login = $node->pg_version < 17;
	sql($node, 'CREATE ROLE bare LOGIN; CREATE ROLE nologin; CREATE ROLE boss LOGIN SUPERUSER; CREATE ROLE locked LOGIN; '
		  . q(SELECT triage.grant_access('nologin', 'worker'), triage.grant_access('boss', 'worker'), triage.grant_access('locked', 'worker'); )
		  . 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
	for (
		[ 'nobody here', qr/role "nobody here": it does not exist/ ],
		($needs_login ? [ 'nologin', qr/role "nologin": it has not the attribute LOGIN/ ] : ()),
		[ 'boss', qr/role "boss": it is a superuser/ ],
		[ 'locked', qr/role "locked": it has no right to connect to the database/ ])
	{
		my ($role, $reason) = @$_;
		my $position = log_position($node);
		with_role($node, $role);
		wait_for_worker($node, 0);
		ticket_of($node, 'default', "waits$_") for 1 .. 3;
		wait_until(sub { return log_since($node, $position) =~ $reason }, "$how, $role: said in the log");
		is(sql($node, "SELECT count(*) $WORKER"), 0, "$how, $role: no worker serves");
		my $log = log_since($node, $position);
		cmp_ok(() = $log =~ /cannot serve database/g, '<=', 8, "$how, $role: and not a line for each try");
		like($log, qr/HINT:.*triage\.worker_role.*grant_access\('\Q$role\E', 'worker'\)/, "$how, $role: with what to do");
		unlike($log, qr/FATAL/, "$how, $role: nothing was started to fail");
		sql($node, q(DELETE FROM triage.tickets WHERE external_id ~ 'waits'));
	}
	sql($node, 'GRANT CONNECT ON DATABASE postgres TO PUBLIC');
	unless ($needs_login)
	{
		with_role($node, 'nologin');
		ticket_of($node, 'default', 'nologin');
		all_done($node, what => "$how: from 17 on, a role that nobody can log in as");
		is(sql($node, "SELECT DISTINCT usename $WORKER"), 'nologin', "$how: serves, too");
	}
	my $position = log_position($node);
	with_role($node, 'bare');
	ticket_of($node, 'default', 'bare');
	wait_until(sub { return log_since($node, $position) =~ /role "bare": it has no right to use schema triage/ }, "$how: a role without rights is named");
	like(sql_error($node, 'SELECT triage.run_pending(1)'), qr/55000: no triage worker can serve this database as its configured role: it has no right/,
		"$how: run_pending() raises the same");
	is(sql($node, 'SELECT count(*) FROM triage.ai_runs WHERE ticket_id = ' . id_of($node, 'bare')), 0, "$how: without rights nothing is done");

	# granted, it serves: with the next ticket, or when the launcher looks again
	sql($node, q(SELECT triage.grant_access('bare', 'worker')));
	ticket_of($node, 'default', 'granted');
	all_done($node, what => "$how: what waited is done once the role may");
	is(sql($node, "SELECT DISTINCT usename $WORKER"), 'bare', "$how: as the role that could not");

	# revoked while it serves: it says so once and leaves
	$position = log_position($node);
	sql($node, q(SELECT triage.revoke_access('bare')));
	ticket_of($node, 'default', 'revoked');
	wait_until(sub { return log_since($node, $position) =~ /role "bare": it has no right to use schema triage/ }, "$how: revoked while it serves");
	wait_for_worker($node, 0);
	ticket_of($node, 'default', "revoked$_") for 1 .. 3;
	is(sql($node, "SELECT count(*) $WORKER"), 0, "$how: a worker whose rights are revoked leaves, and is not started again");
	cmp_ok(() = log_since($node, $position) =~ /permission denied/g, '<=', 5, "$how: without a line for each try");

	# unset: the owner's rights again
	with_role($node, '');
	ticket_of($node, 'acme', 'unset');
	all_done($node, what => "$how: without a role");
	wait_for($node, "SELECT usename <> 'bare' $WORKER", 't', "$how: the session is nobody's again");
	ledger_is_sound($node, "$how, in the end");
	$node->stop;
	unlike(log_since($node), qr/PANIC|was terminated by signal (?!9)/, "$how: nothing crashed");
	$model->stop;
}
done_testing();
