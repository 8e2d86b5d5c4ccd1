# An OpenAI-compatible provider: every ticket gets the answer to its own text, and every call is accounted for.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Triage;

my $model = start_model(latency_ms => 30, jitter_ms => 25);
my $node = start_server('openai', preload => 1, model => $model, conf => 'triage.max_in_flight = 50', provider => { timeout_ms => 60000 });

# the first are kept until all places are taken
$model->config(latency_ms => $HELD);
add_tickets($node, map { "a$_" } 1 .. 200);
$model->wait_for_in_flight(50);
$model->release(latency_ms => 30);
all_done($node, what => '200 tickets');
ledger_is_sound($node, '200 tickets');
sent_equals_runs($node, $model, '200 tickets');
is($model->requests, 200, 'one request a ticket');
is($model->stats->{max_in_flight}, 50, 'triage.max_in_flight calls were in the air at once, and no more');
is(sql($node, q(SELECT count(*) FROM triage.ticket_ai_results WHERE superseded_at IS NULL)), 200, '200 current results');

# those that were held may have been answered the moment they came
is(sql($node, <<'SQL'), 'succeeded|fake|fake-model|1|200|t|t|t|200', 'the runs say who answered, how, and what it took');
SELECT outcome, provider, model, prompt_version, http_status, bool_and(input_tokens > 100 AND cached_tokens = input_tokens / 2),
		bool_and(output_tokens > 10), bool_and(latency_ms BETWEEN 0 AND 20000 AND finished_at >= started_at AND error IS NULL)
			AND count(*) FILTER (WHERE latency_ms >= 4) >= 150,
		count(DISTINCT request_id)
	FROM triage.ai_runs WHERE request_id ~ '^req-[0-9]+$'
	GROUP BY 1, 2, 3, 4, 5
SQL

# what the result holds and what it did to the ticket
add_tickets($node, [ 'full', 'category=technical urgency=urgent sentiment=9' ], [ 'minimal', 'answer=minimal category=billing urgency=low' ]);
all_done($node);
is(sql($node, <<'SQL'), 'technical|urgent|9|f|0.90|en|A customer asks about TOKEN-full.|1', 'a full answer is stored in full');
SELECT r.category, r.urgency, r.sentiment_score, r.needs_human, r.confidence, r.language, r.summary, r.ticket_version
	FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-full'
SQL
is(sql($node, <<'SQL'), 'billing|low|5|t', 'an answer of the four required fields leaves the others NULL');
SELECT r.category, r.urgency, r.sentiment_score, num_nulls(r.needs_human, r.confidence, r.language, r.summary) = 4
	FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id WHERE t.external_id = 'TOKEN-minimal'
SQL
is(sql($node, <<'SQL'), 'technical|urgent|f|f|2', 'category and priority are set, not as a person\'s choice, and the version counts');
SELECT category, priority, category_is_manual, priority_is_manual, version FROM triage.tickets WHERE external_id = 'TOKEN-full'
SQL
is(sql($node, <<'SQL'), qq(category|null|"technical"|triage\npriority|"medium"|"urgent"|triage), 'the history names triage for both');
SELECT h.field, coalesce(h.old_value::text, 'null'), h.new_value, h.changed_by
	FROM triage.ticket_history h JOIN triage.tickets t ON t.id = h.ticket_id WHERE t.external_id = 'TOKEN-full' ORDER BY h.field
SQL

# a person's choice stays
sql($node, <<'SQL');
INSERT INTO triage.tickets (external_id, description, category, priority) VALUES
	('TOKEN-person', 'TOKEN-person [[fake category=technical urgency=urgent]]', 'general', 'low'),
	('TOKEN-half', 'TOKEN-half [[fake category=technical urgency=urgent]]', NULL, 'high')
SQL
all_done($node);
is(sql($node, <<'SQL'), "TOKEN-half|technical|high|technical|urgent\nTOKEN-person|general|low|technical|urgent", 'what a person set is not overwritten; the result says what the model thought');
SELECT t.external_id, t.category, t.priority, r.category, r.urgency
	FROM triage.tickets t JOIN triage.ticket_ai_results r ON r.ticket_id = t.id
	WHERE t.external_id IN ('TOKEN-person', 'TOKEN-half') ORDER BY 1
SQL
is(sql($node, <<'SQL'), '', 'and no history was written for it');
SELECT h.* FROM triage.ticket_history h JOIN triage.tickets t ON t.id = h.ticket_id WHERE t.external_id = 'TOKEN-person'
SQL

# The request carries the schema: left to itself the fake model answers with the first label that the schema offers.
sql($node, q(INSERT INTO triage.ticket_categories (category, description) VALUES ('aa_first', 'before all others')));
add_tickets($node, 'schema1');
all_done($node);
sql($node, q(UPDATE triage.ticket_categories SET is_active = false WHERE category = 'aa_first'));
add_tickets($node, 'schema2');
all_done($node);
is(sql($node, <<'SQL'), "TOKEN-schema1|aa_first\nTOKEN-schema2|billing", 'the schema offers the live categories: a new one at once, an inactive one no more');
SELECT external_id, category FROM triage.tickets WHERE external_id LIKE 'TOKEN-schema%' ORDER BY 1
SQL

# tenants have their own categories and their own prompt
sql($node, <<'SQL');
SELECT triage.create_tenant('acme', 'Acme');
UPDATE triage.ticket_categories SET is_active = false WHERE tenant_id = 'acme';
INSERT INTO triage.ticket_categories (tenant_id, category, description) VALUES ('acme', 'rockets', 'what flies');
INSERT INTO triage.prompts (tenant_id, kind, version, system_text) VALUES ('acme', 'triage', 7, 'You sort letters about rockets.');
SET triage.tenant = 'acme';
INSERT INTO triage.tickets (external_id, description) VALUES ('TOKEN-acme', 'TOKEN-acme')
SQL
all_done($node);
is(sql($node, <<'SQL'), 'acme|rockets|7|succeeded', 'another tenant\'s ticket is asked with its categories and its prompt');
SELECT r.tenant_id, r.category, n.prompt_version, n.outcome
	FROM triage.ticket_ai_results r JOIN triage.ai_runs n ON n.id = r.run_id AND n.tenant_id = r.tenant_id
	WHERE r.draft_reply ~ 'TOKEN-acme'
SQL

# asked again by hand: the new answer supersedes the old one
my $full = id_of($node, 'full');
sql($node, "SELECT triage.request_triage($full)");
all_done($node);
is(sql($node, <<SQL), '2|1|1', 'asked again: two results, the old one superseded');
SELECT count(*), count(*) FILTER (WHERE superseded_at IS NULL), count(DISTINCT superseded_at)
	FROM triage.ticket_ai_results WHERE ticket_id = $full
SQL

# A text that is hard to carry.
sql($node, <<'SQL');
INSERT INTO triage.tickets (external_id, subject, description) VALUES
	('TOKEN-odd', E'quotes " and \\ back\\slashes \u001f', E'TOKEN-odd caf\u00e9 \U0001F600 </ticket> \t\n{"role":"system"} ' || repeat(E'\u4e16', 1000)),
	('TOKEN-long', 'long', 'TOKEN-long ' || repeat('word ', 200000))
SQL
all_done($node);
ledger_is_sound($node, 'hard texts');
is(sql($node, q(SELECT count(*) FROM triage.ticket_ai_results r JOIN triage.tickets t ON t.id = r.ticket_id
	WHERE t.external_id IN ('TOKEN-odd', 'TOKEN-long'))), 2, 'control characters, other scripts and a text of one megabyte are answered');
sent_equals_runs($node, $model, 'in the end');
is(sql($node, q(SELECT count(*) FROM triage.ai_runs WHERE outcome <> 'succeeded')), 0, 'nothing failed');

is(sql($node, 'SELECT claimed = written, written, retried, failed, stale, in_flight FROM triage.worker_counters()'),
	't|' . $model->requests . '|0|0|0|0', 'the worker counted the same');
$node->stop;
unlike(log_since($node), qr/PANIC|was terminated by signal|WARNING|could not (?!send data to client)/, 'the server log is clean');
done_testing();
