# A dump restored into a new database is the same database: to the byte, and to the model.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model();
my $node = start_server('dump', no_extension => 1, model => $model);
my $dir = PostgreSQL::Test::Utils::tempdir;

# The whole of a database as text, without the random key that pg_dump protects its script with.
sub dumped
{
	my ($database) = @_;
	my ($out, $err);

	IPC::Run::run([ 'pg_dump', '-d', $node->connstr($database) ], '>', \$out, '2>', \$err) or die "pg_dump $database: $err\n";
	$out =~ s/^\\(un)?restrict .*\n//mg;
	return $out;
}

sub same
{
	my ($got, $expected, $name) = @_;
	return ok(1, $name) if $got eq $expected;
	my @got = split /\n/, $got;
	my @expected = split /\n/, $expected;
	my ($line) = grep { ($got[$_] // '') ne ($expected[$_] // '') } 0 .. ($#got > $#expected ? $#got : $#expected);
	ok(0, $name);
	diag("first difference in line $line:\n     got: " . ($got[$line] // 'end') . "\nexpected: " . ($expected[$line] // 'end'));
}

sub counts
{
	my ($database) = @_;
	return join ' ', map { "$_=" . sql($node, "SELECT count(*) FROM triage.$_", $database) }
	  qw(tenants people ticket_categories prompts providers tickets ticket_comments ticket_history ticket_assignments ai_jobs
	  ai_dead_letters ai_runs ticket_ai_results role_tenants schema_version worker_control retention home model_prices provider_models budgets budget_usage
	  ai_feedback events event_consumers event_generations
	  comment_edits comment_attachments ticket_links imports import_errors
	  organizations sync_sources sync_state sync_runs synced_tickets
	  issue_taxonomy mining_settings extracted_issues ticket_extractions
	  issue_clusters cluster_exclusions cluster_events
	  cluster_deltas cluster_daily cluster_customers cluster_totals
	  ticket_escalations conversation_summaries chat_settings chat_sessions chat_messages chat_attachments chat_tickets);
}

################ a database with something of everything ################

sql($node, 'CREATE DATABASE original; CREATE ROLE app LOGIN; CREATE ROLE "The Worker" LOGIN; CREATE ROLE acme_app LOGIN');
sql($node, 'CREATE EXTENSION triage', 'original');
use_model($node, $model, database => 'original');
sql($node, <<'SQL', 'original');
SELECT triage.create_tenant('acme', 'Acme');
SELECT triage.grant_access('app', 'admin'), triage.grant_access('The Worker', 'worker'), triage.grant_access('acme_app', 'agent'), triage.allow_tenant('acme_app', 'acme');
SELECT triage.set_price('fake-*', 1.5, 0.000000000001, 'EUR'), triage.set_price('a_b%*', 1, 1, 'EUR'), triage.set_output_limit('fake', 1000), triage.set_budget('day', 1e15, 'EUR', 'acme');
INSERT INTO triage.ticket_categories (category, description, keywords) VALUES ('own', 'a category of our own', '{own}');
INSERT INTO triage.prompts (kind, version, system_text) VALUES ('triage', 2, 'Sort the ticket.');
INSERT INTO triage.tickets (external_id, subject, description)
	SELECT 'TOKEN-d' || i, 'About TOKEN-d' || i, E'TOKEN-d\\' || i || E' caf\u00e9 \t tab' FROM generate_series(1, 40) i;
INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-bad', 'TOKEN-bad [[fake status=400]]');
SET triage.tenant = 'acme';
SELECT triage.create_ticket('Tenant', 'TOKEN-acme', requester_id => 'user-1', requester_email => 'a@example.com', external_id => 'TOKEN-acme')
SQL
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, 'the tickets are triaged', database => 'original');
sql($node, <<'SQL', 'original');
SELECT triage.assign_ticket(1, 'agent-1'), triage.add_comment(1, 'On it.', 'agent-1');
SELECT triage.update_ticket(2, '{"subject": "new TOKEN-d2"}'), triage.resolve_ticket(3), triage.delete_ticket(4);
SELECT triage.resolve_ticket(5), triage.close_ticket(5);
SELECT triage.unassign_ticket(1);
INSERT INTO triage.chat_sessions (language) VALUES ('de'), (NULL);
INSERT INTO triage.chat_messages (session_id, role, content, language) VALUES (1, 'system', E'Die Drucker sind caf\u00e9\t\\.', 'de'), (2, 'system', 'hello', NULL);
INSERT INTO triage.chat_attachments (message_id, file_url, file_name, file_type) VALUES (1, 'https://files.example/1', 'a.pdf', 'application/pdf');
INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) VALUES (1, 1, 'related');
INSERT INTO triage.ticket_escalations (tenant_id, ticket_id, session_id, cause, reason, created_by, session_role) VALUES ('default', 1, 1, 'policy', E'caf\u00e9\t\\.', 'x', 'x');
INSERT INTO triage.conversation_summaries (tenant_id, session_id, summary, open_questions) VALUES ('default', 1, 'so far', ARRAY['a, b?', 'c" d?']);
SELECT triage.set_chat_settings('{"max_replies": 7, "max_sentiment": null}');
SELECT triage.load_taxonomy(), triage.set_mining_settings('{"summary_language": "de", "extract_on_sync": false}');
INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
	VALUES ('default', 1, 'PAYROLL', 'errors', 'bug', 'low', E'caf\u00e9\t\\.', triage.issue_fingerprint('PAYROLL', 'errors', 'x'), now());
INSERT INTO triage.issue_clusters (category, subcategory, cluster_name, pm_status) VALUES ('PAYROLL', 'errors', E'caf\u00e9\t\\.', 'fixed'), ('PAYROLL', 'errors', 'second', 'new');
SELECT triage.assign_issue(i.id, 1), triage.merge_clusters(1, 2, E'caf\u00e9\t\\.') FROM triage.extracted_issues i;
INSERT INTO triage.cluster_exclusions (cluster_id, fingerprint, created_by) VALUES (2, 'x', 'x');
INSERT INTO triage.ticket_extractions (tenant_id, ticket_id, content_version, issues) VALUES ('default', 1, 1, 1);
UPDATE triage.extracted_issues SET customer = 'one';
SELECT triage.fold_trends();
UPDATE triage.extracted_issues SET severity = 'high';
SELECT triage.edit_comment(1, 'On it!', 'agent-1'), triage.attach_to_comment(1, 'https://example.org/a', 'a'), triage.link_tickets(1, 'related', 2), triage.add_tags(1, '{vip}');
ALTER TABLE triage.tickets ADD COLUMN crm_reference text DEFAULT 'none', ADD COLUMN seats int CHECK (seats > 0);
UPDATE triage.tickets SET crm_reference = 'C-' || id WHERE id < 10;
CREATE INDEX tickets_crm ON triage.tickets (crm_reference);
CREATE TABLE public.invoices (id int PRIMARY KEY, tenant_id text DEFAULT 'default', ticket_id bigint,
	status triage.ticket_status, FOREIGN KEY (ticket_id, tenant_id) REFERENCES triage.tickets (id, tenant_id));
INSERT INTO public.invoices VALUES (1, 'default', 1, 'open');
CREATE VIEW public.vips AS SELECT id, subject, crm_reference FROM triage.tickets WHERE priority = 'urgent'
SQL
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, 'the edited one too', database => 'original');
is(sql($node, 'SELECT triage.worker_stop()', 'original'), 't', 'the worker is stopped');
wait_for_worker($node, 0, 'original');
sql($node, q(INSERT INTO triage.tickets (external_id, description) SELECT 'TOKEN-wait' || i, 'TOKEN-wait' || i FROM generate_series(1, 5) i), 'original');

# one page of tickets and one of comments, and nobody asks for more
sql($node, "SELECT triage.add_zendesk_source(base_url => '@{[ $model->origin ]}', email => 'a\@example.com', secret => 'key')", 'original');
is(sql($node, <<'SQL', 'original'), 'tickets|stored', 'a page of sync');
SELECT c.stream, triage.store_sync_tickets(c.tenant_id, c.source, c.fence, '{"tickets": [{"id": "77", "created_at": 1700000000, "updated_at": 1700000100, "generated_at": 1700000100,
		"subject": "Synced", "description": "caf\u00e9\t\\.", "status": "open", "requester_id": "1"}], "after_cursor": "c\t\\.", "end_of_stream": true,
		"users": [{"id": "1", "name": "Carla", "email": "carla@example.com", "role": "end-user", "organization_id": "9"}],
		"organizations": [{"id": "9", "name": "Example Ltd"}]}', 200, 5, clock_timestamp())
	FROM triage.claim_sync(0, 1) c
SQL
is(sql($node, <<'SQL', 'original'), 'comments|stored', 'and its comments');
SELECT c.stream, triage.store_sync_comments(c.tenant_id, c.source, c.fence, c.ticket_external_id, '{"comments": [{"id": "3", "author_id": "1", "body": "it goes on", "public": true,
		"created_at": 1700000300}], "users": [], "has_more": false}', 200, 5, clock_timestamp())
	FROM triage.claim_sync(0, 1) c
SQL
sql($node, q(SELECT triage.pause_source('zendesk', 'it is copied')), 'original');

my $counts = counts('original');
like($counts, qr/ tickets=48 .*ticket_assignments=1 ai_jobs=5 ai_dead_letters=1 .* organizations=1 sync_sources=1 sync_state=2 sync_runs=2 synced_tickets=1 .* extracted_issues=1 /,
	"there is something of everything: $counts");
is(sql($node, 'SELECT count(*) FROM triage.check_integrity(true)', 'original'), 0, 'and nothing in it contradicts itself');
is(sql($node, q(SELECT count(*) > 0 FROM triage.ticket_ai_results WHERE superseded_at IS NOT NULL), 'original'), 't', 'a superseded result as well');

################ two ways to restore ################

my $original = dumped('original');
my $requests = $model->requests;
sql($node, "CREATE DATABASE $_ TEMPLATE template0") for qw(plain directory);
$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", '-d', $node->connstr('original') ], 'pg_dump');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', "$dir/plain.sql" ], 'a plain dump goes in without an error');
$node->command_ok([ 'pg_dump', '-Fd', '-j4', '-f', "$dir/directory", '-d', $node->connstr('original') ], 'pg_dump -Fd -j4');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-j4', '-d', $node->connstr('directory'), "$dir/directory" ], 'a directory goes in with four jobs');

for my $database (qw(plain directory))
{
	same(dumped($database), $original, "$database: a dump of the restored database is the same to the byte");
	is(counts($database), $counts, "$database: as many rows in every table");
	is(sql($node, "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'triage%' AND datname = '$database'"), 0, "$database: no worker was started by the restore");
	is(sql($node, q(SELECT string_agg(t.issue_count || ' ' || t.worst_severity, ',') || ' ' || (SELECT count(*) FROM triage.trend_differences(NULL))
			FROM triage.top_clusters(only_visible => false) t), $database), '1 high 0', "$database: the roll-up of trends is what the issues say");
	is(sql($node, 'SELECT count(*) FROM triage.check_integrity(true)', $database), 0, "$database: nothing contradicts itself");
	is(sql($node, q(SELECT concat_ws(' ', s.state, z.zendesk_ticket_id, z.requester_org_name, z.public_comments) FROM triage.sync_status s, triage.zendesk_tickets z WHERE s.stream = 'tickets'), $database),
		'paused 77 Example Ltd it goes on', "$database: a source is paused as it was, with what it brought");
	is(sql($node, 'SELECT triage.install()', $database), '', "$database: install() has no objection");
	same(dumped($database), $original, "$database: and changes nothing");
	is(sql($node, <<'SQL', $database), '49|C-7|none', "$database: the sequence goes on, the user's column and its default are there");
INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-after', 'TOKEN-after');
SELECT max(id), (SELECT crm_reference FROM triage.tickets WHERE id = 7), (SELECT crm_reference FROM triage.tickets WHERE id = max(t.id))
	FROM triage.tickets t
SQL
	is(sql($node, q(SET SESSION AUTHORIZATION acme_app; SELECT string_agg(external_id, ' ') FROM triage.tickets), $database), 'TOKEN-acme',
		"$database: a role has its rights, and is held to its tenant");
	is(sqlstate($node, q(SET SESSION AUTHORIZATION acme_app; SET triage.tenant = 'default'; SELECT FROM triage.tickets), $database), '42501', "$database: and to no other");
}
is($model->requests, $requests, 'nothing was sent to the model');

# a copy asks nothing until it is told to
for my $database (qw(plain directory))
{
	is(sql($node, 'SELECT triage.home_refusal()', $database), 'the tables were copied from another database', "$database: it knows that it is a copy");
	is(sqlstate($node, 'SELECT triage.worker_start()', $database), '55000', "$database: no worker is started in it");
	is(sqlstate($node, 'SELECT triage.run_pending(10, true)', $database), '55000', "$database: not for once either");
}
is($model->requests, $requests, 'still nothing was sent to the model');

# as if a role had been missing, which costs all rows of the table
like((Triage::try_sql($node, q(SET log_min_messages = error; BEGIN; DELETE FROM triage.role_tenants; SELECT triage.adopt(); ROLLBACK), 'directory'))[1],
	qr/WARNING:  (01000: )?no role is held to a tenant.*HINT:.*allow_tenant/s, 'adopt() tells when no role is held to a tenant any more');

# what waited is done, once; what was done is not done again
is(sql($node, 'SELECT triage.adopt()', 'plain'), '', 'told that it is the one to work on its tickets');
sql($node, 'SELECT triage.worker_start()', 'plain');
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, 'the restored jobs', database => 'plain');
is($model->requests, $requests + 6, 'started there, the worker asks about what waited, and nothing else');
is(scalar($model->log('d7')), 1, 'a processed ticket is never sent again');
is(sql($node, q(SELECT count(*) FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id AND t.tenant_id = r.tenant_id
	WHERE t.external_id LIKE 'TOKEN-wait%' AND r.draft_reply ~ (t.external_id || '\M')), 'plain'), 5, 'and stores the answers');
is(sql($node, q(SELECT triage.retry_failed()), 'plain'), 1, 'a dead letter is brought back there');
wait_for($node, 'SELECT count(*) FROM triage.ai_jobs', 0, 'and tried', database => 'plain');
sql($node, 'SELECT triage.worker_stop()', 'plain');
wait_for_worker($node, 0, 'plain');

################ and away with it ################

is(sqlstate($node, 'DROP EXTENSION triage', 'plain'), '2BP01', 'DROP EXTENSION is refused while tables use its types');
is(sqlstate($node, q(SELECT triage.uninstall('yes')), 'plain'), '22023', 'uninstall() wants to be told what it does');
is(sqlstate($node, q(SELECT triage.uninstall('delete all tickets')), 'plain'), '2BP01', 'and is refused while others\' objects rest on its tables');
is(counts('plain') =~ / tickets=49 /, 1, 'nothing was deleted by what was refused');
sql($node, q(DROP VIEW public.vips; DROP TABLE public.invoices; SELECT triage.uninstall(confirm => 'delete all tickets'); DROP EXTENSION triage), 'plain');
is(sql($node, q(SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'triage'), 'plain'), 0, '[seed 76] [seed 267] uninstall() and DROP EXTENSION leave nothing');
sql($node, 'DROP SCHEMA IF EXISTS triage; CREATE EXTENSION triage', 'plain');
my $again = sql($node, "SELECT triage.create_ticket('Again', 'The invoice is wrong')", 'plain');
is($again, 1, '[seed 72] [seed 267] CREATE EXTENSION begins anew');
is(sql($node, "SELECT triage.wait_for_triage($again)", 'plain'), 'processed', 'and works');

$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING/, 'the server log is clean');
done_testing();
