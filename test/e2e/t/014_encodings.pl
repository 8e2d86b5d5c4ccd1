# Databases in other encodings than UTF-8: what the database has no character for is put otherwise, and so are bytes that are no
# text; an answer that the tables refuse is a failure that is seen; none of it stops the worker.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('encodings', preload => 1, no_extension => 1, model => $model);

# one ticket by builtin, whose draft quotes the subject with typographic marks
sub draft
{
	my ($database, $subject) = @_;
	my $id = sql($node, "SELECT triage.create_ticket($subject, 'My invoice is wrong, please refund one payment.')", $database);
	is(sql($node, "SELECT triage.wait_for_triage($id, '30 s')", $database), 'processed', "$database: a ticket is processed by builtin");
	return sql($node, "SELECT encode(convert_to(draft_reply, getdatabaseencoding()), 'escape') FROM triage.ticket_ai_results WHERE ticket_id = $id", $database);
}

my %encoding = (latin => 'LATIN1', ascii => 'SQL_ASCII', japanese => 'EUC_JP');
for my $database (sort keys %encoding)
{
	sql($node, "CREATE DATABASE $database ENCODING '$encoding{$database}' LOCALE 'C' TEMPLATE template0", 'template1');
	sql($node, 'CREATE EXTENSION triage', $database);
}
like(draft('latin', q(convert_from('\x636166e9', 'LATIN1'))), qr/'caf\\351'/, 'latin: in plain marks, with the letters that the encoding has');
like(draft('japanese', q('Invoice')), qr/\\241\\310Invoice\\241\\311/, 'japanese: in those of the encoding');
like(draft('ascii', q('Invoice')), qr/\\342\\200\\234Invoice\\342\\200\\235/, 'ascii: as it came');

# an answer that the tables refuse, whatever the parser thought of it
my $worker = worker_pid($node, 'latin');
use_model($node, $model, database => 'latin');
sql($node, "ALTER TABLE triage.ticket_ai_results ADD CONSTRAINT ours CHECK (draft_reply !~ 'TOKEN-refused')", 'latin');
sql($node, "INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-refused', 'TOKEN-refused'), ('TOKEN-taken', 'TOKEN-taken ' || chr(233))", 'latin');
wait_for($node, q(SELECT class, message FROM triage.ai_failures f JOIN triage.tickets t ON t.id = f.ticket_id WHERE t.external_id = 'TOKEN-refused' AND f.state = 'failed'),
	'unusable_answer|the answer could not be stored: new row for relation "ticket_ai_results" violates check constraint "ours"', 'the refusal', database => 'latin');
pass('an answer that the tables refuse is a failure that says so');
wait_for($node, q(SELECT a.ai_state FROM triage.ai_state a JOIN triage.tickets t ON t.id = a.ticket_id WHERE t.external_id = 'TOKEN-taken'), 'processed', 'its neighbour',
	database => 'latin');
is(worker_pid($node, 'latin'), $worker, 'and leaves the worker at its work');

# what keeps a provider from serving, in pg_stat_activity: read by whoever looks, in any database
sql($node, $_, 'japanese') for q(SELECT triage.set_provider('builtin', 'builtin', enabled => false)),
	q(SELECT triage.set_provider('other', 'openai', base_url => 'http://127.0.0.1:9', model => 'm')),
	q(SELECT triage.pause_provider('other', convert_from('\xe4bf9de5ae88', 'UTF8'))),
	q(INSERT INTO triage.tickets (description) VALUES ('waits'));
for my $reader (qw(japanese postgres))
{
	wait_for($node, q(SELECT substring(convert_from(convert_to(string_agg(query, ' '), 'UTF8'), 'UTF8') FROM 'by hand: \S+') FROM pg_stat_activity WHERE backend_type = 'triage worker'),
		'by hand: ??????', "what $reader reads", database => $reader);
}
pass('the reason of a pause can be read in pg_stat_activity in databases of any encoding');

# a text that is no text
use_model($node, $model, database => 'ascii');
sql($node, q{INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-bytes', E'TOKEN-bytes \xff\xc3('), ('TOKEN-text', E'TOKEN-text \xc3\xa4')}, 'ascii');
wait_for($node, q(SELECT string_agg(t.external_id || ' ' || a.ai_state, ', ' ORDER BY t.id) FROM triage.tickets t JOIN triage.ai_state a ON a.ticket_id = t.id WHERE t.external_id IS NOT NULL),
	'TOKEN-bytes processed, TOKEN-text processed', 'both', database => 'ascii');
pass('bytes that are no text do not keep a ticket from being processed');
sql($node, q(SELECT triage.set_provider('other', 'openai', base_url => 'http://127.0.0.1:9', model => E'm\xff', rank => 200)), 'ascii');
sql($node, q(SELECT triage.pause_provider('other', E'caf\xe9')), 'ascii');
sql($node, q(INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-paused', 'TOKEN-paused')), 'ascii');
wait_for($node, q(SELECT a.ai_state FROM triage.tickets t JOIN triage.ai_state a ON a.ticket_id = t.id WHERE t.external_id = 'TOKEN-paused'),
	'processed', 'a ticket beside a provider with such a row', database => 'ascii');
is(sql($node, q(SELECT state FROM triage.provider_status WHERE name = 'other'), 'ascii'), 'paused by hand',
	'nor does a provider whose row has such bytes, and its status can be read');
sql($node, 'SELECT triage.worker_stop()', 'ascii');
wait_for_worker($node, 0, 'ascii');
sql($node, q(SELECT triage.request_triage(id) FROM triage.tickets WHERE external_id ~ 'TOKEN'), 'ascii');
is(sql($node, q(SELECT string_agg(encode(description::bytea, 'escape'), ', ' ORDER BY ticket_id) FROM triage.claim_jobs(10)), 'ascii'), 'TOKEN-bytes ??(, TOKEN-text \303\244, TOKEN-paused',
	'nor from being claimed by an external worker, who gets question marks for them');

unlike(log_since($node), qr/PANIC|was terminated by signal|exited with exit code/, 'no worker has died');
$node->stop;
done_testing();
