# Erasing a person: no byte of the text is left in the database's files, and none comes back with a late answer.
use strict;
use warnings;
use File::Find;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $SECRET = 'TOKEN-xyzzysecret';		# the fake model repeats a token in its answer
my $model = start_model();
my $node = start_server('erase', preload => 1, model => $model, conf => "full_page_writes = on\n", provider => { timeout_ms => 60000 });

# Which files of the database hold the text, in whatever case: heaps, their TOAST, indexes.
sub files_with
{
	my ($text) = @_;
	my %name = map { split /\|/, $_, 2 } split /\n/, sql($node, "SELECT pg_relation_filenode(oid), relname FROM pg_class WHERE pg_relation_filenode(oid) IS NOT NULL");
	my @found;

	find(sub {
			return unless -f $_ && /^(\d+)/;
			my ($filenode, $content) = ($1, slurp_file($_));
			push @found, ($name{$filenode} // $_) if $content =~ /\Q$text\E/i;
		}, $node->data_dir . '/base/' . sql($node, 'SELECT oid FROM pg_database WHERE datname = current_database()'));
	my %once = map { $_ => 1 } @found;
	return join ' ', sort keys %once;
}

################ text everywhere ################

sql($node, <<SQL);
INSERT INTO triage.people (id, role, display_name, email) VALUES ('jane', 'customer', 'Jane xyzzysecret', 'jane\@xyzzysecret.example');
SELECT triage.create_ticket('xyzzysecret', '$SECRET', 'jane', 'jane\@xyzzysecret.example', external_id => 'TOKEN-done', custom_fields => '{"x": "xyzzysecret"}');
-- long and not to be compressed: it goes to a TOAST table, in pieces of 2 kB
INSERT INTO triage.tickets (external_id, description, requester_id)
	SELECT 'TOKEN-long', string_agg(md5(i::text) || ' xyzzysecret ' || md5((-i)::text), ' '), 'jane' FROM generate_series(1, 2000) i;
SELECT triage.create_ticket('bystander', 'TOKEN-plughkept', 'joe', external_id => 'TOKEN-joe')
SQL
all_done($node);
sql($node, <<SQL);
SELECT triage.add_comment(id, 'I am xyzzysecret', 'jane') FROM triage.tickets WHERE external_id IN ('TOKEN-done', 'TOKEN-joe');
SELECT triage.add_comment(id, 'Dear Ms xyzzysecret', 'ann', 'agent') FROM triage.tickets WHERE external_id = 'TOKEN-done';
SELECT triage.update_ticket(id, '{"subject": "xyzzysecret changed", "requester_email": "j\@xyzzysecret.example"}') FROM triage.tickets WHERE external_id = 'TOKEN-done'
SQL
all_done($node);
# what an agent did with it, a conversation with the bot and its handover, a product issue, a row of an import, one of a sync
sql($node, <<SQL);
SELECT triage.edit_comment(c.id, 'still xyzzysecret', 'jane'), triage.attach_to_comment(c.id, 'https://files.example/xyzzysecret', 'xyzzysecret.png')
	FROM triage.ticket_comments c JOIN triage.tickets t ON t.id = c.ticket_id WHERE t.external_id = 'TOKEN-done' AND c.author_id = 'jane';
SELECT triage.reject_draft(r.id, 'not to xyzzysecret', 'ann')
	FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-done' AND r.superseded_at IS NULL;
SELECT triage.load_taxonomy();
INSERT INTO triage.tickets (external_id, subject, description, requester_id)
	VALUES ('TOKEN-issue', 'pay', E'Says xyzzysecret.\nISSUE PAYROLL/errors|bug|high|The pay run stops for $SECRET|Says xyzzysecret.', 'jane');
SELECT triage.extract_issues(id) FROM triage.tickets WHERE external_id = 'TOKEN-issue';
SELECT triage.attach_file(triage.post_message(triage.start_session('jane', open_ticket => true, metadata => '{"page": "xyzzysecret"}'), '$SECRET'),
	'https://files.example/xyzzysecret', 'xyzzysecret.png', 'image/png');
CREATE TABLE old (id int PRIMARY KEY, title text, user_id text, "createdAt" text);
INSERT INTO old VALUES (1, 'x', 'jane', 'xyzzysecret at noon');
CALL triage.import_tickets('old');
DROP TABLE old;
INSERT INTO triage.sync_sources (name, base_url, auth, email, secret, start_time) VALUES ('zendesk', 'https://127.0.0.1:1', 'token', 'a\@b', 's', now());
INSERT INTO triage.synced_tickets (tenant_id, ticket_id, source, source_updated_at, generated_at, details, copied)
	SELECT tenant_id, id, 'zendesk', now(), 1, '{"recipient": "xyzzysecret"}', '{"subject": "xyzzysecret"}' FROM triage.tickets WHERE external_id = 'TOKEN-done'
SQL
all_done($node);
sql($node, <<SQL);
SELECT triage.escalate_session(id, 'customer_request', 'calls herself xyzzysecret') FROM triage.chat_sessions;
SELECT triage.unassign_issue(id, 'is only xyzzysecret again') FROM triage.extracted_issues
SQL
all_done($node);
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, "SELECT triage.create_ticket('xyzzysecret', 'TOKEN-bad', 'jane', external_id => 'TOKEN-bad')");
sql($node, "SELECT triage.fail_job(j.job_id, j.fence, 'bad_request', 'cannot read xyzzysecret') FROM triage.claim_jobs() j");
sql($node, 'SELECT triage.worker_start()');
like(sql($node, "SELECT string_agg(draft_reply, ' ') FROM triage.ticket_ai_results"), qr/$SECRET/, 'the model quoted it');
like(sql($node, "SELECT error FROM triage.ai_runs WHERE outcome = 'bad_request'"), qr/xyzzysecret/, 'so did an endpoint that refused it');
sql($node, 'ANALYZE');
sql($node, 'CHECKPOINT');
my $full = files_with('xyzzysecret');
like($full, qr/pg_statistic/, "the files are full of it: $full");
is(join(' ', grep { $full !~ /\b$_\b/ } split /\n/, sql($node, "SELECT DISTINCT relation FROM triage.erasure_list() WHERE fate = 'erased' ORDER BY 1")), '',
	'those of every table that erase_person() is said to blank');
my $runs = sql($node, 'SELECT count(*), sum(input_tokens), sum(cost) FROM triage.ai_runs');

################ while the worker is at it ################

sql($node, "SELECT triage.create_ticket('xyzzysecret', 'TOKEN-air xyzzysecret [[fake latency=$HELD]]', 'jane', external_id => 'TOKEN-air')");
$model->wait_for_in_flight(1);
# one that a worker outside has claimed, and will answer for when it is too late
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
sql($node, "SELECT triage.create_ticket('xyzzysecret', 'TOKEN-out$_', 'jane', priority => 'urgent', external_id => 'TOKEN-out$_')") for 1, 2;
my @claimed = split /\n/, sql($node, 'SELECT job_id, fence FROM triage.claim_jobs(2)');
is(scalar @claimed, 2, 'two are claimed by a worker outside');
sql($node, 'SELECT triage.worker_start()');
wait_for_worker($node);
$model->wait_for_in_flight(1);

is(sql($node, "SELECT erased FROM triage.erase_person('jane') WHERE relation = 'ai_jobs'"), 3, 'jobs about the person are called off');
$model->wait_for_in_flight(0);
pass('the call in the air is cut off');
my ($job1, $fence1) = split /\|/, $claimed[0];
my ($job2, $fence2) = split /\|/, $claimed[1];
is(sql($node, qq(SELECT triage.complete_job($job1, $fence1, '{"category": "billing", "urgency": "low", "sentiment_score": 1, "draft_reply": "Dear xyzzysecret"}'))),
	'f', 'an answer that comes later is not stored');
is(sql($node, "SELECT triage.fail_job($job2, $fence2, 'bad_request', 'cannot read xyzzysecret')"), 'stale', 'nor is what an endpoint says later');
all_done($node);
is(sql($node, "SELECT count(*) FROM triage.ai_jobs"), 0, 'and the model is not asked about what was erased');

################ nothing is left ################

is(sql($node, "SELECT count(*) FROM triage.erase_person('jane') WHERE erased > 0 AND relation <> 'ai_runs'"), 0, 'a second time there is nothing to do');
sql($node, 'SELECT triage.worker_stop()');
wait_for_worker($node, 0);
# the statistics of columns hold values, too
sql($node, 'ANALYZE');
sql($node, 'VACUUM FULL');
sql($node, 'CHECKPOINT');
is(files_with('xyzzysecret'), '', 'after VACUUM FULL no file of the database holds the text');
like(files_with('plughkept'), qr/ticket_ai_results tickets/, 'another person\'s is there as it was: ' . files_with('plughkept'));
is(sql($node, "SELECT count(*), sum(input_tokens), sum(cost) FROM triage.ai_runs WHERE id <= (SELECT count(*) FROM triage.ai_runs) AND outcome <> 'stale' AND outcome <> 'lost'"), $runs, 'what was spent is still known');
is(sql($node, "SELECT string_agg(DISTINCT subject, ' ') FROM triage.tickets WHERE requester_id = 'jane' AND subject <> ''"), '[erased]', 'the tickets are there, blank');
is(sql($node, "SELECT count(*) FROM triage.search_tickets('xyzzysecret')"), 0, 'and not found by what they said');
done_testing();
