# Rows on their way to the tables stay in memory, however little of it work_mem grants: no temporary file is left open.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $node = start_server('work_mem', conf => "work_mem = '64kB'\ntriage.autostart = off");
my ($out, $err);

# four bytes for each character of a draft, and as many of them as a draft may have
add_tickets($node, 'long');
$node->psql('postgres', q(SELECT triage.complete_job(j.job_id, j.fence, jsonb_build_object('category', 'billing', 'urgency', 'high',
	'sentiment_score', 2, 'draft_reply', repeat(chr(128512), 20000))) FROM triage.claim_jobs(1) j), stdout => \$out, stderr => \$err);
is($out, 't', 'an answer larger than work_mem is stored');
is($err, '', 'without a word');
is(sql($node, 'SELECT octet_length(r.draft_reply) FROM triage.ticket_ai_results r'), 80000, 'all of it');
$node->stop;
unlike(log_since($node), qr/WARNING|temporary file leak/, 'the server log is clean');
done_testing();
