# explain_ticket() through a ticket's life: tries that failed, an answer that came too late, a worker that died, a person
# who knew better, the second answer, and the end.
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('explain', preload => 1, model => $model, conf => "triage.max_attempts = 3\ntriage.poll_interval = 500ms", provider => { timeout_ms => 60000 });

sub explain { return decode_json(sql($node, 'SELECT triage.explain_ticket(' . id_of($node, $_[0]) . ')')) }
sub outcomes { return join ' ', map { $_->{outcome} } @{ $_[0]{runs} } }

################ two failures, then an answer ################

wait_for_worker($node);
add_tickets($node, [ 'life', 'status=500 times=2' ]);
all_done($node);
my $e = explain('life');
is(outcomes($e), 'transient transient succeeded', 'two tries failed, the third is the answer');
is($e->{ai_state}, 'processed', 'the state');
is($e->{job}, undef, 'no job is left');
is($e->{result}{run}{run_id}, $e->{runs}[2]{run_id}, 'the answer is that of the last call');
is_deeply([ map { $_->{http_status} } @{ $e->{runs} } ], [ 500, 500, 200 ], 'what the endpoint said each time');
is_deeply([ @{ $e->{result}{run} }{qw(provider prompt_version)} ], [ 'fake', 1 ], 'whose answer to which prompt');
is($e->{result}{run}{prompt_sha256}, sql($node, q(SELECT encode(sha256(convert_to(system_text, 'UTF8')), 'hex') FROM triage.prompts WHERE tenant_id = 'default' AND kind = 'triage')),
	'and the text of that prompt');
ok($e->{result}{run}{input_tokens} > 0 && $e->{result}{run}{output_tokens} > 0, 'its tokens');
is($e->{result}{run}{cost}, undef, 'its cost, which nobody knows without a price');
like($e->{result}{run}{request_id}, qr/./, 'the name that the endpoint gave the call');
ok($e->{runs}[0]{finished_at} le $e->{runs}[1]{started_at}, 'the times are in order');
is(join(' ', sort map { $_->{field} } @{ $e->{result}{applied} }), join(' ', 'category', $e->{ticket}{priority} ne 'medium' ? 'priority' : ()),
	'what it changed on the ticket');

################ a person knows better ################

my $other = $e->{result}{category} eq 'general' ? 'billing' : 'general';
sql($node, "SET triage.actor = 'ann'; SELECT triage.update_ticket(" . id_of($node, 'life') . ", '{\"category\": \"$other\"}')");
$e = explain('life');
is_deeply([ map { [ @{$_}{qw(field from to by)} ] } @{ $e->{result}{overridden} } ], [ [ 'category', $e->{result}{category}, $other, 'ann' ] ], 'who changed what');
is_deeply($e->{result}{not_applied}, [], 'which is told once');

################ asked again: one answer too late, then another ################

$model->config(latency_ms => $HELD);
sql($node, 'SELECT triage.request_triage(' . id_of($node, 'life') . ')');
$model->wait_for_requests(4, 'life');
$e = explain('life');
is_deeply([ @{ $e->{job} }{qw(state waits_because provider)} ], [ 'processing', undef, 'fake' ], 'while the call is in the air: who has it');
$model->config(latency_ms => 0);
sql($node, "UPDATE triage.tickets SET description = 'TOKEN-life, and now for something else' WHERE external_id = 'TOKEN-life'");
all_done($node);
wait_until(sub { my $o = outcomes(explain('life')); return ($o =~ /stale/ && $o =~ /succeeded$|stale$/, $o) }, 'the late answer');
$e = explain('life');
like(outcomes($e), qr/^transient transient succeeded (stale succeeded|succeeded stale)$/, 'the late answer is there, as stale');
is(scalar @{ $e->{superseded} }, 1, 'the first answer is superseded');
is($e->{superseded}[0]{overridden}[0]{by}, 'ann', 'and keeps who overrode it');
is_deeply($e->{result}{not_applied}, [ $e->{result}{category} eq $other ? () : 'category' ], 'the new one left the label that a person chose');
is($e->{ticket}{category}, $other, 'which stands');

################ a worker that died ################

$model->config(latency_ms => $HELD);
add_tickets($node, 'lost');
$model->wait_for_requests(1, 'lost');
# a claim is committed asynchronously: this commit takes it to the disk
sql($node, 'CREATE TABLE public.t ()');
$model->config(latency_ms => 0);
kill_worker($node);
all_done($node);
$e = explain('lost');
is(outcomes($e), 'lost succeeded', 'a call of which no answer came, and the one after it');
is($e->{runs}[0]{cost}, undef, 'whose cost is not known');
like($e->{runs}[0]{error}, qr/lease ended/, 'and why');

################ given up, and why others wait ################

add_tickets($node, [ 'never', 'status=500' ]);
all_done($node);
$e = explain('never');
is_deeply([ @{ $e->{failure} }{qw(class attempts)}, $e->{ai_state}, $e->{result} ], [ 'transient', 3, 'ai_failed', undef ], 'a ticket that was given up');
like($e->{failure}{message}, qr/./, 'with the reason');
like($e->{failure}{what_to_do}, qr/retry_failed/, 'and what to do');
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
add_tickets($node, 'waits');
like(explain('waits')->{job}{waits_because}, qr/^the worker was stopped by /, 'stopped by hand');
is(sql($node, q(SELECT triage.fail_job(job_id, fence, 'transient', 'no answer', retry_after => '1 hour') FROM triage.claim_jobs(1))), 'retry', '(a try that failed)');
sql($node, 'SELECT triage.worker_start()');
wait_for_worker($node);
$e = explain('waits');
is($e->{job}{waits_because}, 'its last try ended as transient', 'after a try that failed');
is($e->{job}{attempts}, 1, 'which is counted');
is(outcomes($e), 'transient', 'and told');
ok($e->{job}{next_try_at} gt sql($node, 'SELECT to_jsonb(now() + interval \'30 minutes\') #>> \'{}\''), 'when it is tried again');
sql($node, q(SET triage.auto_triage = off; INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-later', 'x');
	INSERT INTO triage.ai_jobs (tenant_id, ticket_id, run_at) SELECT tenant_id, id, now() + interval '1 hour' FROM triage.tickets WHERE external_id = 'TOKEN-later'));
is(explain('later')->{job}{waits_because}, 'its time has not come', 'a job for later');
sql($node, 'SELECT triage.request_triage(' . id_of($node, 'later') . ')');
sql($node, 'SELECT triage.request_triage(' . id_of($node, 'waits') . ')');
all_done($node);
$model->config(status => 401);
sql($node, q(UPDATE triage.providers SET enabled = false WHERE name = 'builtin'));
add_tickets($node, 'unpaid');
wait_until(sub { my $j = explain('unpaid')->{job}; return (($j->{waits_because} // '') =~ /^provider fake cannot serve: .*401/, encode_json($j)) },
	'the reason why it waits');
is(explain('unpaid')->{job}{attempts}, 0, 'a refused key costs no try');
$node->stop;
done_testing();
