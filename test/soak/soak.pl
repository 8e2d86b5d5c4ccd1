# Everything goes wrong at once, for as long as SOAK_SECONDS says; afterwards the ledger must balance.
#
# Eight submitters work on a server whose model makes every kind of mistake, while this program kills and stops things in
# an order that SEED decides (printed; SEED=n repeats it).  Then it lets the queue run empty and draws the balance from
# three independent sources: what the submitters were told, what the tables say, and what the model served.
use strict;
use warnings;
use FindBin;
use IPC::Run ();
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use Triage;

my $SECONDS = $ENV{SOAK_SECONDS} || 60;
my $SEED = $ENV{SEED} || int(rand(1_000_000)) + 1;
my $SUBMITTERS = 8;
my $IN_AIR = 40;
my $directory = PostgreSQL::Test::Utils::tempdir;
my ($keys, $crashes, $kills) = (0, 0, 0);
my @beside;						# sessions that run beside the soak

srand($SEED);
note("SEED=$SEED, $SECONDS seconds");
mkdir "$directory/secrets", 0700 or die;

my $model = start_model(latency_ms => 60, jitter_ms => 40);
write_key();
my $node = start_server('soak', preload => 1, model => $model, conf => <<CONF, provider => { timeout_ms => 3000, secret => 'key' });
triage.max_in_flight = $IN_AIR
triage.max_attempts = 4
triage.secrets_directory = '$directory/secrets'
autovacuum_naptime = 5s
CONF
sql($node, <<'SQL');
CREATE SCHEMA soak;
CREATE TABLE soak.deleted (id bigint, token text);
CREATE TABLE soak.cancelled (ticket_id bigint);
CREATE TABLE soak.acked (token text);
CREATE TABLE soak.served (seq bigint, at_ms numeric, token text, status int, kind text);
SQL
# builtin answers without the model, so it has no place in this ledger
sql($node, q(UPDATE triage.providers SET enabled = false WHERE api = 'builtin'));
my $has_prices = exists_function('set_price');
my $has_budgets = exists_function('set_budget');
sql($node, q(SELECT triage.set_price('fake-model', 2.5, 10, 'USD', cached_input => 1.25))) if $has_prices;
sql($node, q(SELECT triage.set_output_limit('fake', 400); SELECT triage.set_budget('month', 1000000, 'USD'))) if $has_budgets;

sub exists_function { return sql($node, "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'triage'::regnamespace AND p.proname = '$_[0]'") }

################################################ what is done to it ################################################

# The model wants a new key; the file gets it a little later, and the server is told.
sub write_key
{
	my $file = "$directory/secrets/key";
	my $key = sprintf('soak-key-%d', ++$keys);

	$model->config(key => $key);
	sleep(0.3) if $keys > 1;
	append_to_file("$file.new", "$key\n");
	chmod 0600, "$file.new" or die;
	rename "$file.new", $file or die;
	return;
}

# After what only a person can mend.
sub mended
{
	$node->reload if -e $node->data_dir . '/postmaster.pid';
	Triage::try_sql($node, q(SELECT triage.resume_provider('fake'))) if exists_already('resume_provider');
	return;
}

my %exists;
sub exists_already { my ($name) = @_; return $exists{$name} //= exists_function($name) }
exists_already('resume_provider');

sub pid_of
{
	my ($type) = @_;
	my ($out) = Triage::try_sql($node, "SELECT pid FROM pg_stat_activity WHERE backend_type = '$type' LIMIT 1");
	return $out =~ /^(\d+)$/ ? $1 : undef;
}

sub terminate { Triage::try_sql($node, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = '$_[0]'"); return }

# All requests for a while.
sub model_says
{
	my ($seconds, %settings) = @_;
	$model->config(%settings);
	sleep($seconds);
	$model->config(map { $_ => $_ eq 'retry_after' ? '' : 0 } keys %settings);
	return;
}

# A session of its own, which a crash may end.
sub run_beside
{
	my ($statements) = @_;
	push @beside, IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), map { ('-c', $_) } split /; /, $statements ],
		'<', '/dev/null', '>', '/dev/null', '2>&1');
	return;
}

sub outage
{
	my ($ms) = @_;
	$model->config(outage_ms => $ms);
	sleep($ms / 1000);
	wait_until(sub { return eval { $model->stats; 1 } }, 'the end of the outage');
	return;
}

my %disturbances = (
	'worker killed' => sub {
		my $pid = pid_of('triage worker') // return 0;
		$crashes++;
		return $kills += kill('KILL', $pid);
	},
	'worker terminated'   => sub { terminate('triage worker'); return 1 },
	'launcher terminated' => sub { terminate('triage launcher'); return 1 },
	'restart, fast'       => sub { $node->stop('fast'); $node->start; return 1 },
	'restart, immediate'  => sub { $crashes++; $node->stop('immediate'); $node->start; return 1 },
	'outage'              => sub { outage(1000 + int(rand 1500)); return 1 },
	'all throttled'       => sub { model_says(1, status => 429, retry_after => 1); return 1 },
	'all failing'         => sub { model_says(0.7, status => 500); return 1 },
	'all hanging'         => sub { model_says(0.5, hang => 1); return 1 },
	'slow model'          => sub { model_says(1.5, slow_percent => 30, slow_ms => 4000); return 1 },
	'key rotated'         => sub { write_key(); mended(); return 1 },
	'model unknown'       => sub { model_says(0.3, status => 404); mended(); return 1 },
	'provider set anew'   => sub {
		eval { use_model($node, $model, timeout_ms => 3000, secret => 'key'); 1 } or return 0;
		Triage::try_sql($node, q(SELECT triage.set_output_limit('fake', 400))) if $has_budgets;
		return 1;
	},
	'failed ones again'   => sub { Triage::try_sql($node, 'SELECT triage.retry_failed(max_jobs => 50)'); return 1 },
	'old snapshot' => sub {
		run_beside('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM triage.ai_jobs; SELECT pg_sleep(8); COMMIT');
		return 1;
	},
	'tickets locked' => sub {
		run_beside('BEGIN; SELECT count(*) FROM (SELECT FROM triage.tickets WHERE id IN (SELECT ticket_id FROM triage.ai_jobs LIMIT 30) '
			  . q(ORDER BY id FOR UPDATE) . ') t; SELECT pg_sleep(2); COMMIT');
		return 1;
	});
my %done = map { $_ => 0 } keys %disturbances;

my @submitters = map {
	IPC::Run::start([ $^X, "$FindBin::Bin/submitter.pl", $node->connstr('postgres'), $_, $SEED, $directory ], '<', '/dev/null', '>', "$directory/out.$_", '2>&1')
} 1 .. $SUBMITTERS;

my $began = time();
my @order;
while (time() - $began < $SECONDS || grep { $done{$_} == 0 } keys %done)
{
	@order = shuffle(sort keys %disturbances) unless @order;
	my $name = shift @order;
	$done{$name} += $disturbances{$name}->() ? 1 : 0;
	sleep(0.2 + rand(1.2));
	die "after four times its length: never done: @{[ grep { $done{$_} == 0 } keys %done ]}\n" if time() - $began > 4 * $SECONDS + 60;
}

################################################ quiet again ################################################

append_to_file("$directory/stop", '');
$_->finish for @submitters;
is(join('', map { slurp_file("$directory/out.$_") } 1 .. $SUBMITTERS), '', 'the submitters came to their end');
is(join('', map { slurp_file("$directory/errors.$_") } 1 .. $SUBMITTERS), '', 'and met no error but lost connections');
eval { $_->finish; 1 } or 1 for @beside;
wait_until(sub { my ($out, $err) = Triage::try_sql($node, 'SELECT 1'); return $out eq '1' ? 1 : (0, $err) }, 'the server');
mended();
# a crash may have come between the two statements that set the provider anew
sql($node, q(SELECT triage.set_output_limit('fake', 400))) if $has_budgets;
# Tickets that fail each time, alone in the queue, cannot be told from an outage, and none is given up in one: so others
# come along, and an operator has the provider tried at once, where the pauses between two probes have grown to a minute.
my $late = 0;
wait_until(sub {
		my $left = sql($node, 'SELECT count(*) FROM triage.ai_jobs');
		return 1 if $left == 0;
		$late++;
		sql($node, "INSERT INTO triage.tickets (external_id, subject, description) VALUES ('TOKEN-late$late', 'TOKEN-late$late', 'x')"), mended()
		  if $late % 30 == 0;
		return (0, "$left jobs");
	}, 'the queue is empty', 400);
wait_for_worker($node);

################################################ the balance ################################################

append_to_file("$directory/served", join('', map { s/ /\t/gr . "\n" } split /\n/, $model->ask(GET => '/log')));
append_to_file("$directory/acked", join('', map { slurp_file("$directory/acked.$_") } 1 .. $SUBMITTERS));
chmod 0644, "$directory/served", "$directory/acked";
sql($node, "COPY soak.served FROM '$directory/served'; COPY soak.acked FROM '$directory/acked'");
sql($node, <<'SQL');
CREATE TABLE soak.ticket AS
	SELECT t.id, t.external_id AS token, substring(t.subject FROM 'TOKEN-\w+') AS text_token,
			CASE
				WHEN t.deleted_at IS NOT NULL THEN 'deleted'
				WHEN t.status IN ('resolved', 'closed') THEN 'closed'
				WHEN EXISTS (SELECT FROM triage.ai_jobs j WHERE j.tenant_id = t.tenant_id AND j.ticket_id = t.id) THEN 'still waiting'
				WHEN EXISTS (SELECT FROM triage.ai_failures f WHERE f.tenant_id = t.tenant_id AND f.ticket_id = t.id AND f.state = 'failed' AND f.message <> '') THEN 'failed'
				WHEN r.id IS NOT NULL THEN 'answered'
				WHEN EXISTS (SELECT FROM soak.cancelled c WHERE c.ticket_id = t.id) THEN 'cancelled'
				ELSE 'unaccounted for'
			END AS fate,
			r.draft_reply
		FROM triage.tickets t
		LEFT JOIN triage.ticket_ai_results r ON r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.superseded_at IS NULL
	UNION ALL
	SELECT d.id, d.token, NULL, 'deleted', NULL FROM soak.deleted d;
CREATE UNIQUE INDEX ON soak.ticket (token);
CREATE TABLE soak.served_run AS
	SELECT s.*, k.id AS ticket_id, n.id AS run_id, n.ticket_id AS run_ticket_id, n.http_status
		FROM soak.served s
		LEFT JOIN soak.ticket k ON k.token = regexp_replace(s.token, 'e[0-9]+$', '')
		LEFT JOIN triage.ai_runs n ON n.request_id = 'req-' || s.seq;
-- calls of which no answer came back, by ticket: those the model served, and the runs that say so
CREATE TABLE soak.unanswered AS
	SELECT coalesce(s.ticket_id, n.ticket_id) AS ticket_id, coalesce(s.n, 0) AS served, coalesce(n.n, 0) AS runs
		FROM (SELECT ticket_id, count(*) AS n FROM soak.served_run WHERE run_id IS NULL GROUP BY 1) s
		FULL JOIN (SELECT ticket_id, count(*) AS n FROM triage.ai_runs WHERE request_id IS NULL AND started_at IS NOT NULL GROUP BY 1) n
			USING (ticket_id);
SQL

sub none_of
{
	my ($query, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sql($node, "$query LIMIT 10"), '', $name);
}

none_of(q(SELECT * FROM soak.ticket WHERE fate IN ('still waiting', 'unaccounted for')), 'every ticket is answered, failed for all to see, closed, deleted or cancelled');
none_of('SELECT a.token FROM soak.acked a LEFT JOIN soak.ticket k USING (token) WHERE k.token IS NULL', 'no ticket that was confirmed is gone');
none_of(q(SELECT * FROM soak.ticket k WHERE fate = 'answered' AND draft_reply !~ (text_token || '\M')
	AND NOT EXISTS (SELECT FROM soak.cancelled c WHERE c.ticket_id = k.id)), 'each current result answers the text that its ticket has now');
none_of(q(SELECT k.token, r.draft_reply FROM triage.ticket_ai_results r JOIN soak.ticket k ON k.id = r.ticket_id
	WHERE r.draft_reply !~ (k.token || '(e[0-9]+)?\M')), 'every result, superseded ones too, holds the token of its own ticket');
none_of(q(SELECT r.id, n.outcome FROM triage.ticket_ai_results r LEFT JOIN triage.ai_runs n ON n.id = r.run_id AND n.ticket_id = r.ticket_id
	WHERE n.outcome IS DISTINCT FROM 'succeeded'), 'every result has its run, which succeeded');
none_of(q(SELECT n.id FROM triage.ai_runs n JOIN triage.tickets t ON t.id = n.ticket_id
	LEFT JOIN (SELECT run_id, count(*) AS n FROM triage.ticket_ai_results GROUP BY 1) r ON r.run_id = n.id
	WHERE n.outcome = 'succeeded' AND r.n IS DISTINCT FROM 1), 'and every run that succeeded its result');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NOT NULL'), 0, 'no lease outlives its time');

none_of(q(SELECT seq, count(*) FROM soak.served_run GROUP BY 1 HAVING count(*) > 1), 'no request has two runs');
none_of('SELECT * FROM soak.served_run WHERE run_id IS NOT NULL AND (ticket_id <> run_ticket_id OR status <> http_status)',
	'each run with an answer is a request that the model served, for the same ticket, with the same status');
none_of(q(SELECT n.id, n.request_id FROM triage.ai_runs n LEFT JOIN soak.served s ON n.request_id = 'req-' || s.seq
	WHERE n.request_id IS NOT NULL AND s.seq IS NULL), 'and none has an answer that the model did not give');
none_of(q(SELECT id, outcome, http_status FROM triage.ai_runs WHERE started_at IS NOT NULL AND request_id IS NULL
	AND (http_status IS NOT NULL OR outcome NOT IN ('lost', 'transient', 'stale') OR input_tokens IS NOT NULL OR cost IS NOT NULL OR coalesce(error, '') = '')),
	'a run without an answer says why and claims nothing else');
my $unseen = sql($node, 'SELECT coalesce(sum(greatest(served - runs, 0)), 0) FROM soak.unanswered');
cmp_ok($unseen, '<=', $crashes * $IN_AIR, 'each request without an answer is seen as a run, but for those in the air at a crash');
none_of(q(SELECT id FROM triage.ai_runs WHERE outcome = 'lost' AND (error IS NULL OR request_id IS NOT NULL)), 'a lost run says that it is lost');

print_table();
money_balances();
log_is_clean();
$node->stop;
done_testing();

# What the runs say they cost is what their tokens cost at the price that was set; what is not known is NULL, not 0.
sub money_balances
{
	unless ($has_prices)
	{
		note('no prices table');
		return;
	}
	none_of(q(SELECT id, outcome, cost, input_tokens, cached_tokens, output_tokens FROM triage.ai_runs
		WHERE model = 'fake-model' AND input_tokens IS NOT NULL AND cost IS DISTINCT FROM
			((input_tokens - coalesce(cached_tokens, 0)) * 2.5 + coalesce(cached_tokens, 0) * 1.25 + output_tokens * 10) / 1e6),
		'each call costs what its tokens cost');
	none_of('SELECT id, outcome, cost FROM triage.ai_runs WHERE input_tokens IS NULL AND cost > 0', 'and what is not known costs nothing known');
	unless ($has_budgets)
	{
		note('no budgets table');
		return;
	}
	is(sql($node, 'SELECT sum(spent) = (SELECT sum(cost) FROM triage.ai_runs) FROM triage.budget_usage'), 't',
		'the budget was charged what the runs cost');
	none_of(q(SELECT b.job, b.fence, b.amount, r.outcome, r.cost FROM triage.budget_reservations b
		JOIN triage.ai_runs r ON r.tenant_id = b.tenant AND r.job_id = b.job AND r.fence = b.fence
		WHERE r.cost IS NOT NULL OR b.unsettled_since IS NULL),
		'no call is both charged and unsettled, and none that has a run is still reserved for');
	none_of(q(SELECT * FROM (SELECT u.budget, sum(u.reserved) AS reserved, sum(u.unsettled) AS unsettled FROM triage.budget_usage u GROUP BY 1) u
		FULL JOIN (SELECT b.budget, coalesce(sum(b.amount) FILTER (WHERE b.unsettled_since IS NULL), 0) AS reserved,
			coalesce(sum(b.amount) FILTER (WHERE b.unsettled_since IS NOT NULL), 0) AS unsettled FROM triage.budget_reservations b GROUP BY 1) b USING (budget)
		WHERE u.reserved <> coalesce(b.reserved, 0) OR u.unsettled <> coalesce(b.unsettled, 0) OR u.budget IS NULL),
		'what is reserved or unsettled is the sum of its reservations');
	# a call that was made either has a known cost, or was turned away, or is unsettled: nothing is forgotten
	none_of(q(SELECT r.id, r.outcome, r.http_status FROM triage.ai_runs r
		WHERE r.cost IS NULL AND r.started_at IS NOT NULL AND (r.outcome IN ('lost', 'stale', 'succeeded', 'refused', 'unusable_answer') OR r.http_status IN (502, 504))
			AND NOT EXISTS (SELECT FROM triage.budget_reservations b WHERE b.tenant = r.tenant_id AND b.job = r.job_id AND b.fence = r.fence AND b.unsettled_since IS NOT NULL)),
		'each call of unknown cost that may have been billed is unsettled');
	none_of(q(SELECT r.id, r.outcome, r.http_status FROM triage.ai_runs r
		JOIN triage.budget_reservations b ON b.tenant = r.tenant_id AND b.job = r.job_id AND b.fence = r.fence
		WHERE r.outcome IN ('throttled', 'account', 'misconfigured', 'bad_request') OR (r.outcome = 'transient' AND r.http_status IN (500, 503, 529))),
		'and none that was turned away');
	my $alone = sql($node, q(SELECT count(*) FROM triage.budget_reservations b
		WHERE NOT EXISTS (SELECT FROM triage.ai_runs r WHERE r.tenant_id = b.tenant AND r.job_id = b.job AND r.fence = b.fence)));
	cmp_ok($alone, '<=', $crashes * $IN_AIR, 'what is reserved and has no run was in the air at a crash');
	money_is_seen();
	return;
}

# What an operator is told is what the tables say.
sub money_is_seen
{
	is(sql($node, q(SELECT sum(s.cost) = (SELECT sum(u.spent) FROM triage.budget_usage u) FROM triage.run_stats(now() - interval '1 day', bucket => '1 day') s WHERE s.currency = 'USD')), 't',
		'run_stats() has what the budget was charged');
	is(sql($node, q(SELECT sum((e.explanation #>> '{cost,USD}')::numeric) = (SELECT sum(r.cost) FROM triage.ai_runs r WHERE r.ticket_id IN (SELECT k.id FROM soak.ticket k WHERE k.fate <> 'deleted'))
		FROM soak.ticket k, triage.explain_ticket(k.id) AS e (explanation) WHERE k.fate <> 'deleted')), 't', 'explain_ticket() has what each ticket cost');
	my $unsettled = sql($node, 'SELECT round(unsettled, 4) FROM triage.budget_status');
	like(sql($node, q(SELECT what FROM triage.health() WHERE check_name = 'budgets')), $unsettled == 0 ? qr/(?<!nobody knows)$/ : qr/; \Q$unsettled\E USD may have been spent/,
		'health() has what is unsettled');
	return if $unsettled == 0;
	is(sql($node, q(SELECT round(triage.write_off('month'), 4))), $unsettled, 'all of it can be written off');
	unlike(sql($node, q(SELECT what FROM triage.health() WHERE check_name = 'budgets')), qr/may have been spent/, 'and is not told any more');
	return;
}

# Every line of a level that somebody is woken by must be one that this program caused.
sub log_is_clean
{
	my @expected = (
		qr/terminating connection (because of crash of another server process|due to (administrator command|immediate shutdown command|unexpected postmaster exit))/,
		qr/terminating background worker "triage.*" due to administrator command/,
		qr/terminating autovacuum process due to administrator command/,
		# the server's words for a stop that meets a client while it connects
		qr/canceling authentication due to timeout/,
		qr/the database system is (starting up|shutting down|in recovery mode|not yet accepting connections|not accepting connections)/,
		qr/triage provider "fake" cannot serve: .*(HTTP 40[14]|could not connect|connection ended early|calls in a row failed)/);
	my $log = log_since($node);
	my @alien;

	for my $line (grep { /\b(WARNING|ERROR|FATAL|PANIC):/ } split /\n/, $log)
	{
		push @alien, $line unless grep { $line =~ $_ } @expected;
	}
	is(join("\n", @alien[ 0 .. ($#alien < 9 ? $#alien : 9) ]), '', 'no warning, error or panic in the log but those that were provoked');
	is(scalar(() = $log =~ /terminated by signal (?!9\b)/g), 0, 'no process died of itself');
	cmp_ok(scalar(() = $log =~ /terminated by signal 9\b/g), '<=', $kills, 'none was killed but by this program');
	return;
}

sub print_table
{
	my $rows = sql($node, q(SELECT 'tickets: ' || fate, count(*) FROM soak.ticket GROUP BY 1
		UNION ALL SELECT 'tickets confirmed', count(*) FROM soak.acked
		UNION ALL SELECT 'requests served by the model', count(*) FROM soak.served
		UNION ALL SELECT 'runs: answered', count(*) FROM triage.ai_runs WHERE request_id IS NOT NULL
		UNION ALL SELECT 'runs: no answer came, served', coalesce(sum(least(served, runs)), 0) FROM soak.unanswered
		UNION ALL SELECT 'runs: no answer came, not served', coalesce(sum(greatest(runs - served, 0)), 0) FROM soak.unanswered
		UNION ALL SELECT 'requests without a run (crash)', coalesce(sum(greatest(served - runs, 0)), 0) FROM soak.unanswered
		UNION ALL SELECT 'runs: ' || outcome, count(*) FROM triage.ai_runs GROUP BY outcome
		UNION ALL SELECT 'results, superseded ones included', count(*) FROM triage.ticket_ai_results
		UNION ALL SELECT 'runs with a known cost', count(cost) FROM triage.ai_runs
		ORDER BY 1));
	note(sprintf('%-36s %7d', split /\|/)) for split /\n/, $rows;
	note(sprintf('%-36s %7s', 'USD spent, reserved, unsettled', join(' ', split /\|/, sql($node,
		'SELECT sum(spent)::numeric(9, 4), sum(reserved)::numeric(9, 4), sum(unsettled)::numeric(9, 4) FROM triage.budget_usage'))))
	  if $has_budgets;
	note(sprintf('%-36s %7d', "done: $_", $done{$_})) for sort keys %done;
	return;
}
