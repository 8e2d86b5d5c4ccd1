# Zendesk.pm: what the end-to-end tests of sync share: the fake Zendesk, sources that lead to it, and the comparison of
# every row here with what it says is true there
package Zendesk;

use strict;
use warnings;
use Exporter 'import';
use HTTP::Tiny;
use PostgreSQL::Test::Utils ();
use JSON::PP ();
use Test::More;
use Triage;

our @EXPORT = qw(start_zendesk start_sync_server add_source copied copy_is_exact last_run hurry write_secret);

# The names of Zendesk's words here.
my %status = (new => 'open', open => 'in_progress', pending => 'pending', hold => 'on_hold', solved => 'resolved', closed => 'closed');
my %priority = (low => 'low', normal => 'medium', high => 'high', urgent => 'urgent');

my @fakes;

# start_zendesk(tickets => 5000, ...): settings as POST /fill takes them
sub start_zendesk
{
	my (%settings) = @_;
	my $self = bless { port => 0 }, 'Zendesk';

	die "FAKE_ZENDESK does not name the fake's program\n" unless $ENV{FAKE_ZENDESK} && -x $ENV{FAKE_ZENDESK};
	push @fakes, $self;
	$self->start;
	$self->fill(%settings);
	return $self;
}

END
{
	my $status = $?;
	$_->stop for @fakes;
	$? = $status;
}

# A secret's file in the directory that the server is told of.
sub write_secret
{
	my ($directory, $name, $contents) = @_;
	my $file = "$directory/$name";

	open(my $out, '>', "$file.new") or die "$file.new: $!";
	chmod 0600, "$file.new" or die "$file.new: $!";
	print $out $contents;
	close $out or die "$file.new: $!";
	rename "$file.new", $file or die "$file: $!";
	return;
}

my $secrets;

# start_sync_server(NAME, FAKE, conf => ...): may call the fake, and has the key for it; the directory of the secrets beside it
sub start_sync_server
{
	my ($name, $zendesk, %option) = @_;
	my $conf = delete $option{conf} // '';
	my $origins = delete $option{origins} // $zendesk->origin;

	$secrets //= PostgreSQL::Test::Utils::tempdir();
	write_secret($secrets, 'zendesk', "the-secret-of-zendesk\n");
	my $node = start_server($name, preload => 1, %option,
		conf => "triage.secrets_directory = '$secrets'\ntriage.allowed_origins = '$origins'\n$conf");
	return ($node, $secrets);
}

# What waits for a time is due now; what rests is not.
sub hurry
{
	my ($node) = @_;
	return sql($node, <<'SQL');
UPDATE triage.sync_state SET next_run_at = now() WHERE next_run_at < 'infinity';
UPDATE triage.synced_tickets SET comments_due_at = now() WHERE comments_due_at IS NOT NULL AND comments_slot IS NULL;
SELECT triage.wake_worker();
SQL
}

# add_source(NODE, FAKE, argument => value, ...): fast, unless the test says otherwise
sub add_source
{
	my ($node, $zendesk, %option) = @_;
	my %arguments = (base_url => $zendesk->origin, email => 'admin@example.com', secret => 'zendesk', start_time => '2020-01-01',
		requests_per_minute => 6000, comment_requests_per_minute => 100000, poll_interval => '1 hour', timeout_ms => 20000, %option);
	my $list = join(', ', map { "$_ => " . (defined $arguments{$_} ? "'$arguments{$_}'" : 'NULL') } sort keys %arguments);

	return sql($node, "SELECT triage.add_zendesk_source($list)");
}

# Until the tickets are all here, and the comments of all that are to have them.
sub copied
{
	my ($node, %option) = @_;

	return wait_for($node, <<'SQL', 't', $option{what} // 'everything is copied', %option);
SELECT bool_and(t.sync_completed_at IS NOT NULL AND t.requested_at IS NULL) FILTER (WHERE t.stream = 'tickets')
	AND NOT EXISTS (SELECT FROM triage.synced_tickets c WHERE c.comments_due_at IS NOT NULL)
	FROM triage.sync_state t
SQL
}

# A line of JSON for each row of the query.
sub rows
{
	my ($node, $query) = @_;
	my $json = JSON::PP->new->utf8;

	return map { $json->decode($_) } split /\n/, sql($node, "SELECT to_jsonb(q) FROM ($query) AS q");
}

sub describe
{
	my ($row) = @_;
	return JSON::PP->new->utf8->canonical->encode($row);
}

# Differences between two lists of rows by their ids, at most ten.
sub differences
{
	my ($here, $there) = @_;
	my (%here, @different);

	for my $row (@$here)
	{
		push @different, "doubled here: " . describe($row) if $here{ $row->{id} };
		$here{ $row->{id} } = $row;
	}
	for my $row (@$there)
	{
		my $mine = delete $here{ $row->{id} };

		push @different, defined $mine ? 'here ' . describe($mine) . ' there ' . describe($row) : 'missing here: ' . describe($row)
		  if !defined $mine || describe($mine) ne describe($row);
	}
	push @different, map { "only here: $_" } keys %here;
	return join("\n", @different > 10 ? @different[ 0 .. 9 ] : @different);
}

# Every ticket, person and comment here is what it is there, and there is no other.
sub copy_is_exact
{
	my ($node, $zendesk, $name, %option) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my @tickets = rows($node, <<'SQL');
SELECT t.external_id AS id, t.deleted_at IS NOT NULL AS deleted, t.status::text, t.priority::text,
	extract(epoch FROM t.created_at)::bigint AS created, extract(epoch FROM s.source_updated_at)::bigint AS updated,
	t.requester_id AS requester, t.subject, t.description, array_to_string(t.tags, ',') AS tags, coalesce(p.organization_id, '') AS organization
	FROM triage.tickets t
	JOIN triage.synced_tickets s ON s.tenant_id = t.tenant_id AND s.ticket_id = t.id
	LEFT JOIN triage.people p ON p.tenant_id = t.tenant_id AND p.id = t.requester_id
	WHERE t.source = 'zendesk'
SQL
	my @truth = $zendesk->truth;

	for my $row (@truth)
	{
		$row->{status} = $status{ $row->{status} } // '';
		$row->{priority} = $priority{ $row->{priority} // '' } // 'medium';
		$row->{requester} = "zendesk:$row->{requester}";
		$row->{organization} = $row->{organization} ? "zendesk:$row->{organization}" : '';
	}
	# what else a deleted ticket keeps is nobody's concern
	for my $row (@tickets, @truth)
	{
		delete @$row{qw(status priority subject description tags)} if $row->{deleted};
	}
	is(differences(\@tickets, \@truth), '', "$name: every ticket is what it is there, once");
	is(scalar @tickets, scalar @truth, "$name: as many tickets");
	return if exists $option{comments} && !$option{comments};

	my @comments = rows($node, <<'SQL');
SELECT c.external_id AS id, t.external_id AS ticket, c.author_id AS author, c.visibility = 'public' AS public,
	extract(epoch FROM c.created_at)::bigint AS created, c.content AS body
	FROM triage.ticket_comments c
	JOIN triage.tickets t ON t.tenant_id = c.tenant_id AND t.id = c.ticket_id
	WHERE t.source = 'zendesk' AND t.deleted_at IS NULL
SQL
	my @true_comments = $zendesk->true_comments;

	$_->{author} = "zendesk:$_->{author}" for @true_comments;
	is(differences(\@comments, \@true_comments), '', "$name: every comment is what it is there, once");
	is(scalar @comments, scalar @true_comments, "$name: as many comments");
	return;
}

# The last row of sync_runs, or the last with the outcome.
sub last_run
{
	my ($node, $columns, $condition) = @_;
	return sql($node, "SELECT $columns FROM triage.sync_runs" . ($condition ? " WHERE $condition" : '') . ' ORDER BY id DESC LIMIT 1');
}

################################################ the fake ################################################

# Again on the port it had, if it ran before.
sub start
{
	my ($self) = @_;
	my $pid = open(my $out, '-|', $ENV{FAKE_ZENDESK}, '--port', $self->{port}) // die "could not start the fake Zendesk: $!\n";
	my $line = <$out> // die "the fake Zendesk did not start\n";

	($self->{port}) = $line =~ /^port (\d+)$/ or die "the fake Zendesk said: $line";
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

sub origin { return "http://127.0.0.1:$_[0]{port}" }

sub ask
{
	my ($self, $method, $path, %form) = @_;
	my $http = HTTP::Tiny->new(timeout => 20, keep_alive => 0);
	my $answer = $http->request($method, $self->origin . $path,
		{ content => $http->www_form_urlencode(\%form), headers => { Connection => 'close' } });

	die "$method $path at the fake Zendesk: $answer->{status} $answer->{content}\n" unless $answer->{success};
	return $answer->{content};
}

# no limits, unless the test says otherwise
sub fill
{
	my ($self, %settings) = @_;
	return $self->ask(POST => '/fill', step => 1, age => 3600, per_minute => 100000, account_per_minute => 1000000,
		basic => 'admin@example.com/token:the-secret-of-zendesk', %settings);
}

sub config { my ($self, %settings) = @_; return $self->ask(POST => '/config', %settings) }
sub fault  { my ($self, %fault) = @_; return $self->ask(POST => '/fault', %fault) }
sub update { my ($self, %update) = @_; return $self->ask(POST => '/update', %update) }
sub reset { return $_[0]->ask(POST => '/reset') }

sub truth         { return map { JSON::PP::decode_json($_) } split /\n/, $_[0]->ask(GET => '/truth') }
sub true_comments { return map { JSON::PP::decode_json($_) } split /\n/, $_[0]->ask(GET => '/truth/comments') }

# The requests, oldest first: { at_ms, stream, status, auth, what }; of one stream only, if given.
sub log
{
	my ($self, $stream) = @_;
	my @lines = map { my @f = split ' ', $_, 6; { at_ms => $f[1], stream => $f[2], status => $f[3], auth => $f[4], what => $f[5] } }
	  split /\n/, $self->ask(GET => '/log');
	return grep { !defined $stream || $_->{stream} eq $stream } @lines;
}

sub wait_for_requests
{
	my ($self, $count, $stream) = @_;
	return Triage::wait_until(sub { my $n = $self->log($stream); return ($n >= $count, "$n requests") }, "request $count at the fake Zendesk");
}

1;
