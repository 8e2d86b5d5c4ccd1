# make demo, as far as its script goes once the extension is built: with builtin, with a model that wants a key, and with one
# that is not there.
use strict;
use warnings;
use File::Path qw(remove_tree);
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $KEY = 'demo-0123456789abcdefghij';
my $data = "$ENV{SANDBOX}/data/demo";
my $model = start_model(latency_ms => 800, key => $KEY);
my $secret = PostgreSQL::Test::Utils::tempdir . '/key';
append_to_file($secret, "$KEY\n");

# demo(VARIABLE => value, ...): (exit status, all that it printed)
sub demo
{
	my (%with) = @_;
	my $out = '';
	local %ENV = (%ENV, DEADLINE => 60, %with);
	delete $ENV{SANDBOX} if $with{outside};

	# descriptor 9 is where the outer half of the script leaves the key's file
	my $harness = IPC::Run::start([ 'bash', '-c', 'exec 9<"$1"; exec bash test/demo/demo.sh', 'demo', $secret ], '<', \undef, '>', \$out, '2>&1', IPC::Run::timeout(120));
	IPC::Run::finish($harness);
	return ($harness->result(0), $out);
}

# The rows of the table that stands under a heading.
sub rows
{
	my ($out, $heading) = @_;
	my ($part) = $out =~ /^== \Q$heading\E[^\n]*\n(.*?)(?=^== |\z)/ms or return ();
	return grep { /\|/ && !/^\s*(id|role|status|ticket|cluster|provider) +\|/ } split /\n/, $part;
}

################ builtin ################

my ($status, $out) = demo();
is($status, 0, 'make demo succeeds') or diag($out);
like($out, qr/^Provider: builtin .*not a language model/m, 'it says what builtin is');
like($out, qr/^pending 12, processing 0, processed 0\n(.*\n)*pending 0, processing 0, processed 12$/m, 'a dozen tickets go from pending to processed before one\'s eyes');
my @inbox = rows($out, 'The inbox');
is(scalar(@inbox), 12, 'the inbox has all twelve');
is(scalar(grep { /^ +\d+ \| .+ \| (technical|billing|general|feature_request|bug_report) +\| (low|medium|high|urgent) +\| +\d+ \| \S.*\.\.\.$/ } @inbox), 12,
	'each with category, urgency, sentiment and draft');
like($out, qr/^To:      \S+@\S+\nSubject: Re: .+\n\n\S/m, 'one draft is shown in full');
like($out, qr/^ agent +\| /m, 'a conversation, in which a person takes over');
cmp_ok(scalar(rows($out, 'Product issues')), '>', 3, 'product issues and a cluster');
like((rows($out, 'What it took'))[0], qr/^ builtin +\| builtin-1 \| succeeded +\| +\d+ \| +\d+ \| +\d+ \|.*\| +0$/, 'what it took: calls, latency, cost');
cmp_ok(scalar(grep { /^ +\d+ \| [\d:.]+ +\| [\d:.]+ +\| [\d:.]+ +\| +\d+ \| succeeded/ } rows($out, 'From pending over')), '>=', 12, 'and when each ticket was what');
like($out, qr/^  make demo PROVIDER_URL=http:\S+ MODEL=/m, 'how to point it at a real model');
like($out, qr/^== Done: the server is stopped and its files are removed/m, 'and its end');
ok(!-e "$data/postmaster.pid", 'no server is left');
remove_tree($data);

################ a model that wants a key, and a server that stays ################

($status, $out) = demo(PROVIDER_URL => $model->base_url, MODEL => 'demo-model', SECRET_FILE => $secret, DEMO_KEEP => 1);
unlink("$ENV{SANDBOX}/leave-running");	# that is said to the outer half, which here belongs to the tests
is($status, 0, 'make demo with PROVIDER_URL, MODEL, SECRET_FILE and KEEP succeeds') or diag($out);
like($out, qr/^pending 12, processing 0, processed 0\n(.*\n)*pending \d+, processing [1-9]\d*, processed \d+\n(.*\n)*pending 0, processing 0, processed 12$/m,
	'tickets are seen going from pending over processing to processed');
like($out, qr/^ demo +\| \S+ +\| succeeded +\| +\d+ \| +\d+ \| +\d+ \| +[1-9]\d* \| +[1-9]\d* \| no price set$/m, 'the model answered, and its tokens are counted');
unlike($out, qr/\Q$KEY\E/, 'the key is not printed');
my ($psql, $stop) = $out =~ /^  (\S+\/psql -h \S+ -U postgres helpdesk)\n.*\n  (\S+\/pg_ctl -D \S+ -m fast stop) && rm -rf /m;
is(IPC::Run::run([ split(' ', $psql // 'false'), '-XAtqc', 'SELECT count(*) FROM triage.dashboard WHERE created_at > now() - interval \'1 hour\'' ], '>', \my $count), 1,
	'the psql line that is printed leads to the server');
cmp_ok($count, '>=', 12, 'where the tickets are');
ok(IPC::Run::run([ split ' ', $stop // 'false' ], '>', \my $stopped), 'and the other line stops it');
remove_tree($data, "$ENV{SANDBOX}/secrets");	# for check-all, which comes by twice

################ what goes wrong is said ################

($status, $out) = demo(PROVIDER_URL => 'http://127.0.0.1:1/v1', MODEL => 'demo-model', DEADLINE => 6);
is($status, 1, 'a model that is not there: make demo fails');
like($out, qr/^The provider is left alone for a while: .*connect/mi, 'and says so while it waits');
like($out, qr/^== Not every ticket got its answer; why/m, 'and at its end');
ok(!-e "$data/postmaster.pid", 'no server is left');
remove_tree($data);

for my $case (
	[ { MODEL => 'm' }, qr/go with PROVIDER_URL/, 'MODEL alone' ],
	[ { PROVIDER_URL => 'http://127.0.0.1:1/v1' }, qr/needs MODEL=name/, 'PROVIDER_URL alone' ],
	[ { PROVIDER_URL => 'ollama', MODEL => 'm' }, qr/must begin with http/, 'a URL that is none' ],
	[ { PROVIDER_URL => 'http://127.0.0.1:1/v1', MODEL => 'm', SECRET_FILE => '/no/such/file' }, qr/cannot read SECRET_FILE/, 'a key file that is not there' ])
{
	my ($with, $message, $name) = @$case;
	($status, $out) = demo(%$with, outside => 1);
	is($status, 1, "$name is refused");
	like($out, $message, "$name: which is said, and nothing else is done");
}
done_testing();
