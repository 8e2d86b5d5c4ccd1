#!/usr/bin/perl
# submitter.pl CONNECTION NUMBER SEED DIRECTORY
#
# One of the soak's clients: inserts tickets, edits, comments, closes, deletes, asks again and cancels, until
# DIRECTORY/stop is there.  Each statement is a transaction of its own.  A server that is away is tried again; what a lost
# connection did not confirm may or may not have happened.  What was confirmed stands in DIRECTORY/acked.NUMBER: a
# ticket's token a line.
#
# A token is in subject and text of its ticket: TOKEN-s<submitter>n<number>, and e<edit> behind it once it was edited.
# What goes wrong with its calls is said by the text too (see the fake model).
use strict;
use warnings;
use IPC::Run ();
use Time::HiRes qw(sleep);

my ($connection, $number, $seed, $directory) = @ARGV;
my $DEPTH = 300;				# jobs in the queue: no more tickets are added then
my $BULK = 20;
my @mine;						# tokens that were tried
my %edits;
my $next = 0;

srand($seed * 100 + $number);

# Per cent of the tickets, and what the model does with them; the rest gets an answer.
my @faults = (
	[ 1, 'status=429 times=2' ], [ 1, 'status=429 retry_after=1 times=1' ],
	[ 3, 'status=500 times=1' ], [ 1, 'status=500' ], [ 2, 'status=503 retry_after=1 times=1' ], [ 1, 'status=503 times=1' ],
	[ 2, 'answer=truncated times=1' ], [ 1, 'answer=notjson' ], [ 1, 'answer=notjson times=2' ], [ 1, 'garbage times=1' ],
	[ 1, 'hang times=1' ], [ 2, 'latency=1500' ], [ 2, 'reset times=1' ], [ 2, 'cut times=1' ],
	[ 2, 'answer=refusal' ], [ 1, 'answer=contentfilter' ], [ 2, 'answer=length times=1' ], [ 1, 'answer=length' ],
	[ 2, 'answer=unknownlabel times=1' ], [ 1, 'answer=wrongtypes times=1' ], [ 1, 'answer=outofrange times=1' ],
	[ 2, 'answer=error200 times=1' ], [ 1, 'answer=error200 code=rate_limit_exceeded retry_after=1 times=1' ],
	[ 1, 'status=400' ], [ 1, 'status=413' ], [ 1, 'answer=huge' ], [ 1, 'answer=deep times=1' ], [ 1, 'answer=empty times=1' ],
	[ 1, 'answer=badutf8 times=1' ]);

sub fault
{
	my $at = rand(100);
	for my $fault (@faults)
	{
		return "[[fake $fault->[1]]]" if ($at -= $fault->[0]) < 0;
	}
	return '';
}

sub text { my ($token) = @_; return "Please look at $token. " . fault() }

sub new_token { my $token = "TOKEN-s${number}n" . ++$next; push @mine, $token; return $token }
sub any_token { return @mine ? $mine[ int(rand @mine) ] : 'TOKEN-none' }

my $OPEN = "t.deleted_at IS NULL AND t.status NOT IN ('resolved', 'closed')";

sub insert_one
{
	my $token = new_token();
	my $text = text($token);
	return "INSERT INTO triage.tickets (external_id, subject, description) VALUES ('$token', 'About $token', '$text') RETURNING 'ACK ' || external_id;"
	  if rand() < 0.5;
	# the function's id confirms; its ticket is found by the token like any other
	return "SELECT 'ACK $token' FROM triage.create_ticket('About $token', '$text', external_id => '$token');";
}

sub insert_many
{
	my @rows = map { my $token = new_token(); "('$token', 'About $token', '" . text($token) . "')" } 1 .. $BULK;
	return 'INSERT INTO triage.tickets (external_id, subject, description) VALUES ' . join(', ', @rows) . " RETURNING 'ACK ' || external_id;";
}

sub edit
{
	my $token = any_token();
	my $edited = $token . 'e' . ++$edits{$token};
	my $text = text($edited);
	return "UPDATE triage.tickets t SET subject = 'About $edited', description = '$text' WHERE t.external_id = '$token' AND $OPEN;";
}

sub call_on_open
{
	my ($call) = @_;
	my $token = any_token();
	return "SELECT $call FROM triage.tickets t WHERE t.external_id = '$token' AND $OPEN;";
}

sub hard_delete
{
	my $token = any_token();
	return "WITH gone AS (DELETE FROM triage.tickets t WHERE t.external_id = '$token' RETURNING t.id, t.external_id)"
	  . ' INSERT INTO soak.deleted SELECT id, external_id FROM gone;';
}

sub cancel
{
	my $token = any_token();
	return 'INSERT INTO soak.cancelled SELECT j.ticket_id FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id'
	  . " WHERE t.external_id = '$token' AND triage.cancel_job(j.id);";
}

my @operations = (
	[ 34, \&insert_one ], [ 3, \&insert_many ], [ 16, \&edit ],
	[ 12, sub { call_on_open(q(triage.add_comment(t.id, 'Any news?', author_id => 'c1', author_role => 'customer'))) } ],
	[ 8,  sub { call_on_open(q(triage.add_comment(t.id, 'Looking into it.', author_id => 'a1', author_role => 'agent', visibility => 'internal'))) } ],
	[ 4,  sub { call_on_open('triage.resolve_ticket(t.id)') } ],
	[ 3,  sub { call_on_open('triage.close_ticket(t.id)') } ],
	[ 2,  sub { call_on_open('triage.delete_ticket(t.id)') } ],
	[ 2,  \&hard_delete ],
	[ 8,  sub { call_on_open('triage.request_triage(t.id)') } ],
	[ 5,  \&cancel ],
	[ 3,  sub { call_on_open(q(triage.update_ticket(t.id, '{"priority": "urgent"}'))) } ]);

sub operation
{
	my ($full) = @_;
	while (1)
	{
		my $at = rand(100);
		for my $operation (@operations)
		{
			next if ($at -= $operation->[0]) >= 0;
			last if $full && ($operation->[1] == \&insert_one || $operation->[1] == \&insert_many);
			return $operation->[1]->();
		}
	}
}

my $full = 0;
open(my $acked, '>', "$directory/acked.$number") or die "$directory/acked.$number: $!\n";
$acked->autoflush(1);
open(my $errors, '>', "$directory/errors.$number") or die "$directory/errors.$number: $!\n";
$errors->autoflush(1);
until (-e "$directory/stop")
{
	my ($out, $err) = ('', '');
	my $file = "$directory/script.$number";
	my $script = join("\n", "SELECT 'DEPTH ' || count(*) FROM triage.ai_jobs;", map { operation($full) } 1 .. 2 + int(rand 5));

	open(my $in, '>', $file) or die "$file: $!\n";
	print $in "$script\n";
	close $in or die "$file: $!\n";
	IPC::Run::run([ 'psql', '-XAtq', '-d', $connection, '-f', $file ], '<', '/dev/null', '>', \$out, '2>', \$err);
	$full = $1 > $DEPTH if $out =~ /^DEPTH (\d+)$/m;
	print $acked "$_\n" for $out =~ /^ACK (\S+)$/mg;
	# the server's own words, without those of a connection that broke
	print $errors "$_\n" for $err =~ /^(.*ERROR:.*)$/mg;
	sleep(rand(0.4));
}
