# Triage.pm: what the end-to-end tests share: servers, the fake model, waiting, the ledger
#
# Nothing here sleeps and hopes: wait_for() asks again until the answer is the wanted one, and dies at its deadline with
# the answer it saw last.  The time limit is PG_TEST_TIMEOUT_DEFAULT, in seconds.
package Triage;

use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  start_server with_clock set_clock sql start_sql hold_lock sql_error sqlstate wait_for wait_until within
  start_model use_model add_tickets id_of $HELD
  external_worker worker_pid wait_for_worker kill_worker all_done ledger_is_sound sent_equals_runs log_since log_position
);

# A latency that no test lives to see the end of: such an answer comes when the test says $model->release.
our $HELD = 600000;

my $POLL_SECONDS = 0.03;
my $TIMEOUT = $PostgreSQL::Test::Utils::timeout_default;

# What ends a program goes to its output too, not to its log alone; what a session of background_psql() is asked and says,
# to neither.
$SIG{__DIE__} = sub { diag("died: $_[0]") unless $^S // 1 };
{
	no warnings qw(once redefine);
	*PostgreSQL::Test::BackgroundPsql::note = sub { };
}

################################################ servers ################################################

# start_server(NAME, preload => 1, conf => "...", model => $model): a running server with the extension in database
# postgres.  The worker may call the model, if one is given, from the start.
sub start_server
{
	my ($name, %option) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $origins = $option{model} ? $option{model}->origin : '';

	$node->init(extra => [ '--locale=C', '--encoding=UTF8' ]);
	$node->append_conf('postgresql.conf', <<CONF);
restart_after_crash = on
log_statement = none
max_connections = 50
max_worker_processes = 16
shared_buffers = 64MB
timezone = 'UTC'
autovacuum_naptime = 1h
triage.allowed_origins = '$origins'
CONF
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'triage'") if $option{preload};
	$node->append_conf('postgresql.conf', $option{conf}) if $option{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION triage') unless $option{no_extension};
	use_model($node, $option{model}, %{ $option{provider} // {} }) if $option{model} && !$option{no_extension};
	return $node;
}

my $clock;

# with_clock(CODE): what CODE starts has a clock of its own, and what that starts.
sub with_clock
{
	my ($start) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $library = "$dir/clock_offset.so";

	(my $source = __FILE__) =~ s{[^/]*$}{clock_offset.c};
	system('gcc', '-shared', '-fPIC', '-O1', '-o', $library, $source, '-ldl') == 0 or die "$source does not compile\n";
	$clock = "$dir/clock";
	set_clock(0);
	local $ENV{LD_PRELOAD} = $library;
	local $ENV{CLOCK_OFFSET} = $clock;
	return $start->();
}

# So many seconds before or after the time of day; written in place, for it is mapped.
sub set_clock
{
	my ($offset) = @_;

	open my $file, '+>>', $clock or die "$clock: $!\n";
	truncate $file, 8;
	close $file;
	open $file, '+<', $clock or die "$clock: $!\n";
	syswrite $file, pack('q', $offset) or die "$clock: $!\n";
	close $file or die "$clock: $!\n";
	return;
}

# What the statements print, one line a row; dies with the server's message when one fails.
sub sql
{
	my ($node, $statement, $database) = @_;
	return $node->safe_psql($database // 'postgres', $statement);
}

# start_sql(NODE, STATEMENT): runs it beside the test; the code returned waits for its end and returns what it printed.
sub start_sql
{
	my ($node, $statement, $database) = @_;
	my ($out, $err) = ('', '');
	# as an argument: what stands in a pipe is written only when somebody waits for the end
	my $psql = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database // 'postgres'), '-c', $statement ],
		'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout($TIMEOUT));

	return sub {
		IPC::Run::finish($psql) or die "$statement: $err\n";
		chomp $out;
		return $out;
	};
}

# hold_lock(NODE, STATEMENT): runs it in a transaction that stays open, with its locks, until the code returned is called.
sub hold_lock
{
	my ($node, $statement, $database) = @_;
	my $session = $node->background_psql($database // 'postgres');

	$session->query_safe('BEGIN');
	$session->query_safe($statement);
	return sub {
		$session->query_safe('COMMIT');
		$session->quit;
		return;
	};
}

# (standard output, standard error) of statements that may fail.
sub try_sql
{
	my ($node, $statement, $database) = @_;
	my ($out, $err) = ('', '');

	eval {
		$node->psql($database // 'postgres', $statement, stdout => \$out, stderr => \$err, on_error_stop => 1,
			extra_params => [ '-v', 'VERBOSITY=verbose' ]);
		1;
	} or $err .= $@;
	return ($out, $err);
}

# The whole error that the statements end with, '' when they do not fail.
sub sql_error
{
	my ($node, $statement, $database) = @_;
	my (undef, $err) = try_sql($node, $statement, $database);
	return $err =~ /ERROR:|FATAL:/ ? $err : '';
}

sub sqlstate
{
	my ($node, $statement, $database) = @_;
	return sql_error($node, $statement, $database) =~ /(?:ERROR|FATAL):\s+([0-9A-Z]{5}):/ ? $1 : 'none';
}

# wait_until(CODE, WHAT): until CODE returns true, which is returned.
sub wait_until
{
	my ($check, $what, $limit) = @_;
	my $deadline = time() + ($limit // $TIMEOUT);

	while (1)
	{
		my ($done, $seen) = $check->();
		return $done if $done;
		die "timed out waiting for $what" . (defined $seen ? ": saw last: $seen\n" : "\n") if time() > $deadline;
		sleep($POLL_SECONDS);
	}
}

# wait_for(NODE, QUERY, EXPECTED, WHAT): a server that is down or starting counts as another answer.
sub wait_for
{
	my ($node, $query, $expected, $what, %option) = @_;

	return wait_until(
		sub {
			my ($out, $err) = try_sql($node, $query, $option{database});
			my $seen = $err =~ /ERROR|FATAL|error:/ ? $err : $out;
			return ($err !~ /ERROR|FATAL|error:/ && $out eq $expected, $seen);
		},
		$what,
		$option{limit});
}

# within(SECONDS, NAME, CODE): CODE does it and returns how long it took, by the clocks of those who did it.  What else
# runs on the machine makes that longer and never shorter, so the bound is the one that was promised, and an attempt that
# missed it is made again, twice at most: who is too slow misses it each time.
sub within
{
	my ($seconds, $name, $attempt) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @took;

	do { push @took, $attempt->() } until $took[-1] <= $seconds || @took == 3;
	return ok($took[-1] <= $seconds, sprintf('%s, within %g s (%s)', $name, $seconds, join(', ', map { sprintf '%.3f', $_ } @took)));
}

sub log_position
{
	my ($node) = @_;
	return -s $node->logfile;
}

sub log_since
{
	my ($node, $position) = @_;
	return slurp_file($node->logfile, $position // 0);
}

################################################ the worker ################################################

sub worker_pid
{
	my ($node, $database) = @_;
	return sql($node, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = current_database()",
		$database);
}

sub wait_for_worker
{
	my ($node, $wanted, $database) = @_;
	return wait_for($node,
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = current_database()",
		$wanted // 1, 'number of workers', database => $database);
}

# kill -9; until the server has noticed, it still looks as if nothing had happened.
sub kill_worker
{
	my ($node) = @_;
	my $pid = worker_pid($node);

	kill 'KILL', $pid;
	return wait_for($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND pid <> $pid", 1,
		'the server recovers and a worker is back');
}

################################################ tickets ################################################

# One INSERT: each row is [token, directives for the model], or a token; the token is external_id and in the text.
sub add_tickets
{
	my ($node, @tickets) = @_;
	my @rows = map {
		my ($token, $directives) = ref $_ ? @$_ : ($_, '');
		"('TOKEN-$token', 'About TOKEN-$token', 'Please look at TOKEN-$token. "
		  . ($directives ? "[[fake $directives]]" : '') . "')"
	} @tickets;
	return sql($node, 'INSERT INTO triage.tickets (external_id, subject, description) VALUES ' . join(', ', @rows));
}

sub id_of
{
	my ($node, $token) = @_;
	return sql($node, "SELECT id FROM triage.tickets WHERE external_id = 'TOKEN-$token'");
}

sub all_done
{
	my ($node, %option) = @_;
	return wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, $option{what} // 'the queue is empty', %option);
}

# What a worker of one's own does in a session, five times: claims so many jobs, and answers each as the model, for so many
# output tokens (SQL); one whose ticket is locked goes back.
sub external_worker
{
	my ($jobs, $model, $output_tokens) = @_;
	return <<SQL;
DO \$\$
DECLARE
	job record;
BEGIN
	FOR i IN 1 .. 5 LOOP
		FOR job IN SELECT c.job_id, c.fence, c.subject FROM triage.claim_jobs($jobs, '1 hour', 'fake') c LOOP
			COMMIT;
			BEGIN
				PERFORM triage.complete_job(job.job_id, job.fence, jsonb_build_object('category', 'billing', 'urgency', 'low',
					'sentiment_score', 3, 'draft_reply', job.subject), '$model', 100, 50, $output_tokens);
			EXCEPTION WHEN lock_not_available THEN
				PERFORM triage.fail_job(job.job_id, job.fence, 'throttled', 'its ticket is locked');
			END;
		END LOOP;
		COMMIT;
	END LOOP;
END
\$\$
SQL
}

# What must hold whatever happened: every open ticket has exactly one current result, with its own token in it, or a dead
# letter that says why; nothing is claimed for ever.
sub ledger_is_sound
{
	my ($node, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	is(sql($node, <<'SQL'), '', "$name: every ticket has one current result or a reason");
SELECT t.external_id, r.n, d.n
	FROM triage.tickets t
	CROSS JOIN LATERAL (SELECT count(*) AS n FROM triage.ticket_ai_results r
		WHERE r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.superseded_at IS NULL) r
	CROSS JOIN LATERAL (SELECT count(*) AS n FROM triage.ai_dead_letters d
		WHERE d.tenant_id = t.tenant_id AND d.ticket_id = t.id AND d.message <> '') d
	WHERE t.deleted_at IS NULL AND t.status NOT IN ('resolved', 'closed') AND r.n + d.n <> 1
	ORDER BY t.id LIMIT 10
SQL
	is(sql($node, <<'SQL'), '', "$name: every result is the answer to its own ticket");
SELECT t.external_id, r.draft_reply
	FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.tenant_id = r.tenant_id AND t.id = r.ticket_id
	WHERE t.external_id ~ '^TOKEN-' AND r.draft_reply !~ (t.external_id || '\M')
	ORDER BY t.id LIMIT 10
SQL
	is(sql($node, <<'SQL'), '', "$name: every result has its run, which succeeded");
SELECT r.id, r.ticket_id, n.outcome
	FROM triage.ticket_ai_results r
	LEFT JOIN triage.ai_runs n ON n.tenant_id = r.tenant_id AND n.id = r.run_id AND n.ticket_id = r.ticket_id
	WHERE n.outcome IS DISTINCT FROM 'succeeded'
	LIMIT 10
SQL
	is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until < clock_timestamp()'),
		0, "$name: no lease outlives its time");
	return;
}

# Without a crash: as many runs as requests that the model served.
sub sent_equals_runs
{
	my ($node, $model, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(sql($node, 'SELECT count(*) FROM triage.ai_runs WHERE started_at IS NOT NULL'),
		$model->requests, "$name: as many runs as requests at the model");
}

sub use_model
{
	my ($node, $model, %option) = @_;
	my $database = delete $option{database};
	my %arguments = (name => 'fake', api => 'openai', base_url => $model->base_url, model => 'fake-model',
		timeout_ms => 10000, %option);
	my $list = join(', ', map { "$_ => " . (defined $arguments{$_} ? "'$arguments{$_}'" : 'NULL') } sort keys %arguments);

	return sql($node, "SELECT triage.set_provider($list)", $database);
}

################################################ the fake model ################################################

my @models;

# start_model(latency_ms => 50, ...): settings as POST /config takes them
sub start_model
{
	my (%settings) = @_;
	my $self = bless { port => 0 }, 'Triage::Model';

	die "FAKE_MODEL does not name the fake model's program\n" unless $ENV{FAKE_MODEL} && -x $ENV{FAKE_MODEL};
	push @models, $self;
	$self->start;
	$self->config(%settings) if %settings;
	return $self;
}

END
{
	my $status = $?;
	$_->stop for @models;
	$? = $status;
}

package Triage::Model;

use Test::More;

# Again on the port it had, if it ran before.
sub start
{
	my ($self) = @_;
	my $pid = open(my $out, '-|', $ENV{FAKE_MODEL}, '--port', $self->{port}) // die "could not start the fake model: $!\n";
	my $line = <$out> // die "the fake model did not start\n";

	($self->{port}) = $line =~ /^port (\d+)$/ or die "the fake model said: $line";
	$self->{pid} = $pid;
	$self->{out} = $out;
	return $self;
}

sub stop
{
	my ($self) = @_;
	my $pid = delete $self->{pid} // return;

	kill 'KILL', $pid;
	close(delete $self->{out});		# waits for it
	return;
}

sub origin   { return "http://127.0.0.1:$_[0]{port}" }
sub base_url { return $_[0]->origin . '/v1' }

sub ask
{
	my ($self, $method, $path, $content) = @_;
	my $answer = HTTP::Tiny->new(timeout => 20, keep_alive => 0)->request($method, $self->origin . $path,
		{ content => $content // '', headers => { Connection => 'close' } });

	die "$method $path at the fake model: $answer->{status} $answer->{content}\n" unless $answer->{success};
	return $answer->{content};
}

sub config
{
	my ($self, %settings) = @_;
	return $self->ask(POST => '/config', join('&', map { "$_=$settings{$_}" } sort keys %settings));
}

# What is being waited for is answered now; settings for what comes after.
sub release  { my ($self, %settings) = @_; return $self->config(%settings, release => 1) }
sub reset    { return $_[0]->ask(POST => '/reset') }
sub stats    { return JSON::PP::decode_json($_[0]->ask(GET => '/stats')) }
sub requests { return $_[0]->stats->{requests} }

# The last request's body, as it came.
sub last_body { return $_[0]->ask(GET => '/body') }

# The requests served, oldest first: { at_ms, token, status, kind }; of one token only, if given.
sub log
{
	my ($self, $token) = @_;
	my @lines = map { my @f = split ' '; { at_ms => $f[1], token => $f[2], status => $f[3], kind => $f[4] } }
	  split /\n/, $self->ask(GET => '/log');
	return grep { !defined $token || $_->{token} eq "TOKEN-$token" } @lines;
}

# A time of the log, in seconds since 1970.
sub epoch { my ($self, $at_ms) = @_; return $self->stats->{started_at_us} / 1e6 + $at_ms / 1000 }

# When the caller of the token's request, the first that was cut off, was seen to be gone.
sub cut_off_at
{
	my ($self, $token) = @_;
	my ($at_ms) = Triage::wait_until(sub { return $self->ask(GET => '/gone') =~ /^(\S+) TOKEN-$token$/m ? $1 : 0 }, "the end of the call of $token");
	return $self->epoch($at_ms);
}

sub wait_for_requests
{
	my ($self, $count, $token) = @_;
	return Triage::wait_until(sub { my $n = $self->log($token); return ($n >= $count, "$n requests") },
		"request $count" . (defined $token ? " for $token" : ''));
}

sub wait_for_in_flight
{
	my ($self, $count) = @_;
	return Triage::wait_until(sub { my $n = $self->stats->{in_flight}; return ($n == $count, "$n in flight") },
		"$count calls in flight");
}

1;
