# capture.pl PORT FILE: takes one HTTP request on the loopback interface, writes its body to FILE, refuses it
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $file) = @ARGV;
my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 8, ReuseAddr => 1)
	or die "could not listen: $!";
my $client = $listener->accept or die "could not accept: $!";
my ($head, $body) = ('', '');
while ($head !~ /\r\n\r\n\z/)
{
	read($client, my $byte, 1) or die 'request ended early';
	$head .= $byte;
}
my ($length) = $head =~ /^content-length: *(\d+)/mi or die 'no length';
read($client, $body, $length) == $length or die 'request ended early';
print $client "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
close $client;
open my $out, '>', "$file.new" or die "$file: $!";
print $out $body;
close $out or die "$file: $!";
rename "$file.new", $file or die "$file: $!";
