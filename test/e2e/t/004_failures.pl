# What a provider can do wrong: each failure has its class, is counted, is seen, and never leaves half an answer.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('failures', preload => 1, model => $model, conf => 'triage.max_attempts = 3',
	provider => { timeout_ms => 1500 });

sub runs_of { return sql($node, "SELECT string_agg(outcome::text, ' ' ORDER BY id) FROM triage.ai_runs WHERE ticket_id = " . id_of($node, $_[0])) }

################ faults that concern one ticket ################

# token => directives, the class of the dead letter, its attempts, a part of its message
my %given_up = (
	e400         => [ 'status=400',           'bad_request',     1, 'not valid' ],
	e422         => [ 'status=422',           'bad_request',     1, '.' ],
	refusal      => [ 'answer=refusal',       'refused',         1, 'cannot help' ],
	filter       => [ 'answer=contentfilter', 'refused',         1, 'filter' ],
	e500         => [ 'status=500',           'transient',       3, 'server had an error' ],
	length       => [ 'answer=length',        'unusable_answer', 2, 'truncated' ],
	notjson      => [ 'answer=notjson',       'unusable_answer', 3, '.' ],
	truncated    => [ 'answer=truncated',     'unusable_answer', 3, '.' ],
	wrongtypes   => [ 'answer=wrongtypes',    'unusable_answer', 3, 'category' ],
	unknownlabel => [ 'answer=unknownlabel',  'unusable_answer', 3, 'category' ],
	outofrange   => [ 'answer=outofrange',    'unusable_answer', 3, 'sentiment_score' ],
	huge         => [ 'answer=huge',          'bad_request',     1, 'too large' ],
	deep         => [ 'answer=deep',          'unusable_answer', 3, '.' ],
	empty        => [ 'answer=empty',         'unusable_answer', 3, '.' ],
	badutf8      => [ 'answer=badutf8',       'unusable_answer', 3, '.' ],
	error200     => [ 'answer=error200',      'transient',       3, 'server had an error' ]);

# token => directives, the classes of its runs
my %recovers = (
	e500twice  => [ 'status=500 times=2',               'transient transient succeeded' ],
	e503later  => [ 'status=503 retry_after=1 times=1', 'throttled succeeded' ],
	e200later  => [ 'answer=error200 code=rate_limit_exceeded retry_after=1 times=1', 'throttled succeeded' ],
	notjson1   => [ 'answer=notjson times=1',           'unusable_answer succeeded' ],
	garbage    => [ 'garbage times=1',                  'transient succeeded' ],
	cut        => [ 'cut times=1',                      'transient succeeded' ],
	hang       => [ 'hang times=1',                     'transient succeeded' ],
	fenced     => [ 'answer=fenced',                    'succeeded' ],
	good       => [ '',                                 'succeeded' ]);

add_tickets($node, (map { [ $_, $given_up{$_}[0] ] } sort keys %given_up), (map { [ $_, $recovers{$_}[0] ] } sort keys %recovers),
	[ 'nul', 'answer=nul' ]);
wait_for($node, q(SELECT count(*) > 0 FROM triage.ai_failures WHERE state = 'retrying' AND class = 'transient' AND message <> ''
	AND next_try_at > failed_at AND provider = 'fake' AND attempts BETWEEN 1 AND 2), 't', 'a retry is seen while it waits');
pass('what waits after a failed try is seen in ai_failures, with its next try');
all_done($node, what => 'every faulty answer has been dealt with');

for my $token (sort keys %given_up)
{
	my ($directives, $class, $attempts, $message) = @{ $given_up{$token} };
	my $id = id_of($node, $token);
	is(sql($node, "SELECT class, attempts, message <> '', message ~* '\Q$message\E' OR '$message' = '.' FROM triage.ai_dead_letters WHERE ticket_id = $id"),
		"$class|$attempts|t|t", "$directives: given up as $class after $attempts");
	is(runs_of($token), join(' ', ($class) x $attempts), "$directives: each call has its run");
}
is(runs_of($_), $recovers{$_}[1], "$recovers{$_}[0]: the runs") for sort keys %recovers;
is(sql($node, "SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = " . id_of($node, $_)), 1, "$_: then one result")
  for sort keys %recovers;
is(sql($node, q(SELECT string_agg(DISTINCT f.state || ' ' || f.class || ' ' || f.provider || ' ' || f.model, ',') FROM triage.ai_failures f
	WHERE ticket_id = ) . id_of($node, 'e500')), 'failed transient fake fake-model', 'ai_failures names class, provider and model');
is(sql($node, q(SELECT string_agg(DISTINCT status, ',') FROM triage.dashboard d JOIN triage.ai_dead_letters l ON l.ticket_id = d.id)),
	'ai_failed', 'the dashboard says ai_failed');
is(sql($node, 'SELECT count(*) FROM triage.ai_failures'), sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 'all are seen in ai_failures');
is(sql($node, 'SELECT dead, pending, running, delayed FROM triage.queue_stats'),
	sql($node, 'SELECT count(*) FROM triage.ai_dead_letters') . '|0|0|0', 'and counted in queue_stats');
is(sql($node, q(SELECT count(*) FROM triage.tickets t JOIN triage.ai_dead_letters d ON d.ticket_id = t.id WHERE t.version <> 1 OR t.category IS NOT NULL)),
	0, 'a failed answer changed nothing on its ticket');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE http_status IS NULL AND outcome = 'transient')), 2, 'where no HTTP answer came, the run has no status');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'unusable_answer' AND http_status = 200 AND input_tokens > 0)) >= 20 ? 1 : 0,
	1, 'an unusable answer was paid for too: its tokens are kept');

# A NUL in a text: PostgreSQL cannot store it, so it is either left out or the answer is not used; never cut off there.
my $nul = sql($node, 'SELECT (SELECT draft_reply FROM triage.ticket_ai_results WHERE ticket_id = t.id), (SELECT class FROM triage.ai_dead_letters WHERE ticket_id = t.id) FROM triage.tickets t WHERE t.id = ' . id_of($node, 'nul'));
like($nul, qr/^(before.{0,3}after TOKEN-nul\||\|unusable_answer$)/, 'a NUL in the answer does not truncate it');

is(sql($node, q(SELECT min(s.started_at - f.started_at) >= '1 second' FROM triage.ai_runs f JOIN triage.ai_runs s USING (ticket_id)
	WHERE f.outcome = 'throttled' AND s.outcome = 'succeeded' AND ticket_id = ) . id_of($node, 'e200later')), 't',
	'what an error inside a success asked for was waited for');
is(sql($node, q(SELECT prompt_version, answers, refused, unusable_answers, given_up, results, last_error FROM triage.ai_quality)),
	sql($node, q(SELECT 1, count(*), count(*) FILTER (WHERE outcome = 'refused'), count(*) FILTER (WHERE outcome = 'unusable_answer'),
		(SELECT count(*) FROM triage.ai_dead_letters WHERE class IN ('refused', 'unusable_answer')), (SELECT count(*) FROM triage.ticket_ai_results),
		(array_agg(error ORDER BY id DESC) FILTER (WHERE outcome <> 'succeeded'))[1]
		FROM triage.ai_runs WHERE outcome IN ('succeeded', 'refused', 'unusable_answer'))),
	'ai_quality tells the refused and unusable answers of each model and prompt version');

ledger_is_sound($node, 'faults');
sent_equals_runs($node, $model, 'faults');

# the fault is lifted, and the failed are brought back
my $id = sql($node, q(INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-lifted', 'TOKEN-lifted') RETURNING id));
all_done($node);
$model->config(status => 500);
sql($node, "SELECT triage.request_triage($id)");
wait_for($node, "SELECT class, attempts FROM triage.ai_dead_letters WHERE ticket_id = $id", 'transient|3', 'given up');
$model->config(status => 0);
is(sql($node, q(SELECT triage.retry_failed(class => 'account'))), 0, 'retry_failed() of a class that none has');
is(sql($node, q(SELECT triage.retry_failed(class => 'transient', max_jobs => 100))), 3, 'retry_failed() brings back those of one class');
# others are served meanwhile: alone, two tickets that fail for themselves look like an outage
my $others = 0;
wait_until(
	sub {
		add_tickets($node, 'other' . ++$others);
		my $left = sql($node, q(SELECT count(*) FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id WHERE t.external_id !~ 'other'));
		return ($left == 0, $left);
	},
	'tried again');
all_done($node);
is(sql($node, "SELECT (SELECT count(*) FROM triage.ai_dead_letters WHERE ticket_id = $id), (SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = $id AND superseded_at IS NULL), (SELECT count(*) FROM triage.ticket_ai_results WHERE ticket_id = $id)"),
	'0|1|2', 'and the one whose fault was lifted has a new result');
is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters WHERE ticket_id = " . id_of($node, 'e500')), 1, 'the one still at fault is given up again');

################ faults that concern the provider ################

# throttled: waits as long as it was told, and burns no attempt
$model->reset;
my $before = sql($node, 'SELECT coalesce(max(id), 0) FROM triage.ai_runs');
add_tickets($node, [ 'throttled', 'status=429 retry_after=1 times=3' ]);
all_done($node);
is(runs_of('throttled'), 'throttled throttled throttled succeeded', 'three times throttled with max_attempts = 3: no attempt burnt');
my @asked = $model->log('throttled');
is(scalar(grep { $asked[$_]{at_ms} - $asked[ $_ - 1 ]{at_ms} < 1000 } 1 .. $#asked), 0, 'Retry-After was waited for');
is(sql($node, "SELECT count(*) FROM triage.ai_dead_letters WHERE ticket_id = " . id_of($node, 'throttled')), 0, 'and it is no failure');

# the key is refused: nothing fails, it is said once, and goes on after a reload
my $position = log_position($node);
$model->config(status => 401);
add_tickets($node, map { "key$_" } 1 .. 20);
wait_for($node, q(SELECT count(*) > 0 FROM triage.ai_runs WHERE outcome = 'account' AND http_status = 401), 't', 'the key is refused');
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NULL', 20, 'all jobs are back');
is(sql($node, 'SELECT count(*), max(attempts) FROM triage.ai_jobs'), '20|0', '401: all jobs stay pending, with no attempt burnt');
is(sql($node, q(SELECT count(*) FROM triage.ai_dead_letters WHERE class = 'account')), 0, '401: none is given up');
wait_until(sub { log_since($node, $position) =~ /WARNING/ }, 'a warning in the log');
my @warnings = log_since($node, $position) =~ /(WARNING:.*)/g;
is(scalar(@warnings), 1, '401: one warning in the log');
like($warnings[0], qr/provider "fake" cannot serve: .*key/i, '401: which names the provider and the reason');
$model->config(status => 0);
$node->reload;
add_tickets($node, 'newkey');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'newkey'), 'processed', 'the provider serves again');
pass('401: a reload ends the pause');
sql($node, q(SELECT triage.request_triage(ticket_id) FROM triage.ai_jobs));
all_done($node);
ledger_is_sound($node, 'provider faults');

is(sql($node, 'SELECT count(*) FROM triage.ai_runs WHERE id > ' . $before), $model->requests, 'as many runs as requests, failures included');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal/, 'nothing crashed');

################ down, then up ################

# max_attempts = 1: an outage says nothing about a ticket, so it burns no attempt
my $down = start_server('down', model => $model, conf => 'triage.max_attempts = 1', provider => { timeout_ms => 2000 });
$model->reset;
add_tickets($down, 'up');
all_done($down);
$model->stop;
$position = log_position($down);
add_tickets($down, map { "down$_" } 1 .. 10);
wait_for($down, q(SELECT count(*) > 0 FROM triage.ai_runs WHERE outcome = 'transient' AND error ~* 'connect' AND http_status IS NULL), 't', 'a call failed');
wait_for($down, 'SELECT count(*) FROM triage.ai_jobs WHERE lease_until IS NULL', 10, 'all jobs are back');
is(sql($down, 'SELECT count(*), max(attempts) FROM triage.ai_jobs'), '10|0', 'while the provider is down its jobs wait, with no attempt burnt');
is(scalar(() = log_since($down, $position) =~ /WARNING:/g), 1, 'which is said once');
$model->start;
all_done($down);
is(sql($down, q(SELECT count(*) FROM triage.ai_dead_letters)), 0, 'up again: none was given up');
ledger_is_sound($down, 'down, then up');
is(sql($down, q(SELECT count(*) FROM triage.ai_runs WHERE outcome = 'succeeded')), 11, 'and each has its answer');
$down->stop;
done_testing();
