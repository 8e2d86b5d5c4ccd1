# Key files as an administrator meets them: what is refused and how it is said, mounts and exchanges as Kubernetes makes
# them, and a key that is replaced while the worker runs.
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my ($OLD, $NEW) = ('sk-old-0123456789abcdefghijkl', 'sk-new-0123456789abcdefghijkl');
my $secrets = PostgreSQL::Test::Utils::tempdir;
chmod 0700, $secrets or die;
sub write_file
{
	my ($name, $content, $mode) = @_;
	unlink "$secrets/$name";
	append_to_file("$secrets/$name", $content);
	chmod $mode // 0600, "$secrets/$name" or die;
	return;
}
sub directory { my ($name) = @_; mkdir "$secrets/$name", 0700 or die; return }

my $model = start_model(key => $OLD);
my $node = start_server('keys', preload => 1, model => $model, conf => "triage.secrets_directory = '$secrets'");

sub warning_for
{
	my ($secret) = @_;
	my $position = log_position($node);
	use_model($node, $model, secret => $secret);
	add_tickets($node, 'w' . $secret =~ s/[\W_]//gr);
	return wait_until(sub { my ($w) = log_since($node, $position) =~ /WARNING:\s+triage provider "fake" cannot serve: (.*)/; return $w }, "a warning about $secret");
}

# A second server runs beside it all: its key is replaced, and nobody reloads.
write_file('rotated', "$OLD\n");
my $rotating = start_model(key => $OLD);
my $beside = start_server('beside', preload => 1, model => $rotating, provider => { secret => 'rotated' }, conf => "triage.secrets_directory = '$secrets'");
add_tickets($beside, 'before');
all_done($beside, what => 'with the first key');
$rotating->config(key => $NEW);
my $rotation = log_position($beside);
add_tickets($beside, 'denied');
wait_until(sub { return log_since($beside, $rotation) =~ /WARNING:.*cannot serve: .*401/ }, 'the first key is refused');
write_file('rotated', "$NEW\n");
my $rotated_at = time();

################ refused, each with its reason ################

write_file('ten_megabytes', 'x' x (10 * 1024 * 1024));
write_file('readable', "$OLD\n", 0640);
write_file('world', "$OLD\n", 0644);
write_file('executable', "$OLD\n", 0700);
write_file('closed', "$OLD\n", 0000);
write_file('blank', " \n\t\n");
write_file('empty', '');
write_file('two', "$OLD\n$NEW\n");
write_file('binary', "$OLD\x00\xff\n");
POSIX::mkfifo("$secrets/fifo", 0600) or die;
directory('directory');
my $outside = PostgreSQL::Test::Utils::tempdir;
append_to_file("$outside/key", "$OLD\n");
chmod 0600, "$outside/key";
symlink "$outside/key", "$secrets/absolute" or die;
symlink '../' . ($outside =~ s/.*\///r) . '/key', "$secrets/relative" or die;
symlink '/proc/self/environ', "$secrets/proc" or die;
symlink 'nowhere', "$secrets/dangling" or die;
symlink 'circle', "$secrets/circle" or die;
for (
	[ 'missing', qr/no file "missing" in directory "\Q$secrets\E"/ ],
	[ 'ten_megabytes', qr/file "ten_megabytes" is larger than 8192 bytes/ ],
	[ 'readable', qr/file "readable" has mode 0640; it must be 0600 or stricter/ ],
	[ 'world', qr/file "world" has mode 0644; it must be 0600 or stricter/ ],
	[ 'executable', qr/file "executable" has mode 0700; it must be 0600 or stricter/ ],
	[ 'closed', qr/could not open file "closed" in directory "\Q$secrets\E": Permission denied/ ],
	[ 'blank', qr/file "blank" is empty/ ],
	[ 'empty', qr/file "empty" is empty/ ],
	[ 'two', qr/file "two" holds a space, a line break or another character that cannot stand in a key/ ],
	[ 'binary', qr/file "binary" holds a space, a line break or another character that cannot stand in a key/ ],
	[ 'fifo', qr/file "fifo" is not a regular file/ ],
	[ 'directory', qr/file "directory" is not a regular file/ ],
	[ 'absolute', qr/file "absolute" is a symbolic link that leads out of directory "\Q$secrets\E"/ ],
	[ 'relative', qr/file "relative" is a symbolic link that leads out of directory "\Q$secrets\E"/ ],
	[ 'proc', qr/file "proc" is a symbolic link that leads out of directory "\Q$secrets\E"/ ],
	[ 'dangling', qr/no file "dangling" in directory/ ],
	[ 'circle', qr/file "circle" is a symbolic link that leads out of directory/ ])
{
	my ($secret, $reason) = @$_;
	like(warning_for($secret), qr/^not called: $reason/, "$secret: the log says why");
}
is($model->requests, 0, 'no call was made without a key');
is(sql($node, 'SELECT count(*) FROM triage.ai_runs'), 0, 'nor counted as one');
is(sql($node, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, 'nor is any ticket given up');
is(sql($node, 'SELECT count(*) FROM triage.ai_jobs WHERE attempts > 0'), 0, 'or the worse for it');

################ read ################

# with and without a line's end, of this system or another
for ([ 'bare', $OLD ], [ 'line', "$OLD\n" ], [ 'crlf', "$OLD\r\n" ], [ 'lines', "$OLD \n\n" ], [ 'strict', "$OLD\n", 0400 ])
{
	write_file(@$_);
	use_model($node, $model, secret => $_->[0]);
	add_tickets($node, "r$_->[0]");
	wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, "r$_->[0]"), 'processed', "a key file: $_->[0]");
	pass("$_->[0]: the key is read");
}

# as Kubernetes mounts a secret: name -> ..data/name, ..data -> ..time; and exchanges it by renaming one link
directory('..2026_01');
write_file('..2026_01/mounted', "$OLD\n");
symlink '..2026_01', "$secrets/..data" or die;
symlink '..data/mounted', "$secrets/mounted" or die;
use_model($node, $model, secret => 'mounted');
add_tickets($node, 'mounted');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'mounted'), 'processed', 'a mounted secret');
pass('a secret as Kubernetes mounts it is read');
directory('..2026_02');
write_file('..2026_02/mounted', "$NEW\n");
symlink '..2026_02', "$secrets/..data_tmp" or die;
rename "$secrets/..data_tmp", "$secrets/..data" or die;
$model->config(key => $NEW);
my $refused = $model->stats->{by_status}{401} // 0;
my $position = log_position($node);
$node->reload;
wait_until(sub { return log_since($node, $position) =~ /received SIGHUP/ }, 'the reload');
wait_for($node, q(SELECT triage.create_ticket('x', 'TOKEN-exchanged', external_id => 'TOKEN-exchanged') > 0), 't', 'a ticket');
wait_for($node, 'SELECT ai_state FROM triage.ai_state WHERE ticket_id = ' . id_of($node, 'exchanged'), 'processed', 'after the exchange');
pass('exchanged in place, the new key is read at the reload');
cmp_ok(($model->stats->{by_status}{401} // 0) - $refused, '<=', 1, 'without a series of refused calls');
all_done($node, what => 'all that had waited');
ledger_is_sound($node, 'keys');

################ what was replaced beside it ################

wait_for($beside, 'SELECT count(*) FROM triage.ai_jobs', 0, 'the replaced key', limit => 90);
cmp_ok(sql($beside, 'SELECT extract(epoch FROM max(finished_at)) FROM triage.ai_runs') - $rotated_at, '<', 100, 'a key that was refused is read again by itself');
is(sql($beside, 'SELECT count(*) FROM triage.ai_dead_letters'), 0, 'and no ticket was lost over it');
ledger_is_sound($beside, 'rotation');
$_->stop for $node, $beside;
unlike(log_since($_), qr/\Q$OLD\E|\Q$NEW\E|PANIC|was terminated by signal/, 'no key in the log, no crash: ' . $_->name) for $node, $beside;
done_testing();
