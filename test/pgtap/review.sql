-- Review: drafts are sent, edited and rejected, labels corrected, and what became of them can be read.
\ir prepare.psql
SELECT no_plan();

CREATE FUNCTION pg_temp.told(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || regexp_replace(SQLERRM, '\d+', 'N', 'g');
END
$$;
-- A ticket with a result, as a worker stores it; returns the result.
CREATE FUNCTION pg_temp.answered(name text, confidence float8 DEFAULT 0.9, model text DEFAULT 'm1',
	draft text DEFAULT 'Dear Carl, please turn the printer off and on again.') RETURNS bigint
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket CONSTANT bigint := triage.create_ticket(name, 'It jams.', 'carl', external_id => name);
	job record;
BEGIN
	PERFORM triage.reprioritise(ticket, 'urgent');
	SELECT * INTO STRICT job FROM triage.claim_jobs(1);
	PERFORM triage.complete_job(job.job_id, job.fence, jsonb_build_object('category', 'technical', 'urgency', 'low', 'sentiment_score', 3,
		'draft_reply', draft, 'confidence', confidence), model);
	RETURN (SELECT r.id FROM triage.ticket_ai_results r WHERE r.ticket_id = job.ticket_id AND r.superseded_at IS NULL);
END
$$;
CREATE FUNCTION pg_temp.comment(id bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT format('%s %s %s %s %s: %s', c.visibility, c.author_role, c.author_id, c.source, c.external_id, c.content)
		FROM triage.ticket_comments c WHERE c.id = comment.id
$$;
INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('bob', 'agent'), ('boss', 'admin'), ('carl', 'customer');

-- Accepting ----------------------------------------------------------------------------------------------------------

SELECT pg_temp.answered('a') AS a \gset
SELECT is(triage.ai_assisted(pg_temp.ticket('a')), false, 'a ticket with a draft that nobody sent is not ai_assisted [seed 53]');
SELECT is((SELECT concat_ws(' ', i.result_id = :a, i.draft_verdict) FROM triage.inbox i JOIN triage.ticket_ai_results r ON r.ticket_id = i.id WHERE r.id = :a), 't', 'the inbox names the result, which nobody has looked at');
SELECT triage.accept_draft(:a, 'ann') AS sent \gset
SELECT is((SELECT concat_ws(' ', i.result_id = :a, i.draft_verdict) FROM triage.inbox i JOIN triage.ticket_ai_results r ON r.ticket_id = i.id WHERE r.id = :a), 't accepted', 'and what became of its draft');
SELECT is(pg_temp.comment(:sent), 'public agent ann draft : Dear Carl, please turn the printer off and on again.',
	'an accepted draft is the agent''s public comment, and says where it came from [seed 121]');
SELECT is((SELECT (f.verdict, f.person_id, f.comment_id, f.similarity, f.corrections)::text FROM triage.ai_feedback f WHERE f.result_id = :a),
	format('(accepted,ann,%s,1.000,{})', :sent), 'and the verdict is on record');
SELECT is(triage.ai_assisted(pg_temp.ticket('a')), true, 'the ticket is ai_assisted [seed 53]');
SELECT is((SELECT t.first_response_at IS NOT NULL FROM triage.tickets t WHERE t.external_id = 'a'), true, 'the comment did to it what a comment does');
SELECT is(pg_temp.told(format(c.command, :a)), '55000 the draft of result N was sent already', c.command || ' of a draft that was sent')
	FROM (VALUES ('SELECT triage.accept_draft(%s, ''ann'')'), ('SELECT triage.accept_draft(%s, ''bob'')'),
		('SELECT triage.edit_draft(%s, ''x'', ''bob'')'), ('SELECT triage.reject_draft(%s, ''x'', ''bob'')')) AS c (command);
SELECT is((SELECT count(*) FROM triage.ticket_comments c WHERE c.ticket_id = pg_temp.ticket('a')), 1::bigint, 'there is one comment');

-- what came in under the same source and the result's number is another comment
SELECT pg_temp.answered('i') AS i \gset
SELECT triage.set_syncing(true);
INSERT INTO triage.ticket_comments (ticket_id, author_role, content, source, external_id) VALUES (pg_temp.ticket('i'), 'agent', 'imported', 'draft', :i);
SELECT triage.set_syncing(false);
SELECT triage.accept_draft(:i, 'ann') AS sent \gset
SELECT is(pg_temp.comment(:sent), 'public agent ann draft : Dear Carl, please turn the printer off and on again.', 'a comment that was imported is not taken for the draft');
SELECT is((SELECT count(*) FROM triage.ticket_comments c WHERE c.ticket_id = pg_temp.ticket('i')), 2::bigint, 'which is sent beside it');

-- Editing ------------------------------------------------------------------------------------------------------------

SELECT pg_temp.answered('e') AS e \gset
SELECT triage.edit_draft(:e, 'Dear Carl, please turn the printer off. Ann', 'boss') AS sent \gset
SELECT is(pg_temp.comment(:sent), 'public admin boss draft : Dear Carl, please turn the printer off. Ann', 'an edited draft is sent in its last wording');
SELECT is((SELECT (f.verdict, f.similarity)::text FROM triage.ai_feedback f WHERE f.result_id = :e), '(edited,0.778)', 'with how much was left of it');
SELECT is(triage.ai_assisted(pg_temp.ticket('e')), true, 'that is ai_assisted, too [seed 53]');
SELECT pg_temp.answered('same') AS same \gset
SELECT triage.edit_draft(:same, 'Dear Carl, please turn the printer off and on again.', 'ann') AS sent \gset
SELECT is((SELECT (f.verdict, f.similarity)::text FROM triage.ai_feedback f WHERE f.result_id = :same), '(accepted,1.000)', 'an edit without a change is an acceptance');
SELECT pg_temp.answered('blank') AS blank \gset
UPDATE triage.ticket_ai_results SET draft_reply = ' ' WHERE id = :blank;		-- no model's answer is stored that is
SELECT is(pg_temp.told(format('SELECT triage.accept_draft(%s, ''ann'')', :blank)), '23514 a comment must not be blank', 'an empty draft cannot be sent');
SELECT is(pg_temp.told(format('SELECT triage.edit_draft(%s, NULL, ''ann'')', :blank)), '23514 a comment must not be blank', 'nor can nothing');
SELECT is((SELECT count(*) FROM triage.ai_feedback f WHERE f.result_id = :blank), 0::bigint, 'and nothing is on record');

-- Rejecting ----------------------------------------------------------------------------------------------------------

SELECT pg_temp.answered('r') AS r \gset
SELECT lives_ok(format('SELECT triage.reject_draft(%s, ''We do not repair printers.'', ''ann'')', :r), 'a draft is rejected');
SELECT is((SELECT (f.verdict, f.person_id, f.reason, f.comment_id, f.similarity)::text FROM triage.ai_feedback f WHERE f.result_id = :r),
	'(rejected,ann,"We do not repair printers.",,)', 'for a reason, and not sent');
SELECT is(triage.ai_assisted(pg_temp.ticket('r')), false, 'its ticket is not ai_assisted [seed 53]');
SELECT is(pg_temp.told(format('SELECT triage.accept_draft(%s, ''ann'')', :r)), '55000 person "ann" has rejected the draft of result N already', 'who rejected it does not send it');
SELECT is(pg_temp.told(format('SELECT triage.reject_draft(%s, repeat(''x'', 2001), ''bob'')', :r)), '23514 reason is too long: N characters', 'a reason has an end');
SELECT lives_ok(format('SELECT triage.reject_draft(%s, person_id => ''bob'')', :r), 'somebody else may reject it, too, without a reason');
SELECT lives_ok(format('SELECT triage.accept_draft(%s, ''boss'')', :r), 'or send it');
SELECT is((SELECT string_agg(f.person_id || ' ' || f.verdict, ', ' ORDER BY f.id) FROM triage.ai_feedback f WHERE f.result_id = :r),
	'ann rejected, bob rejected, boss accepted', 'once a person');

-- Correcting ---------------------------------------------------------------------------------------------------------

SELECT pg_temp.answered('c') AS c \gset
SELECT t.version AS version FROM triage.tickets t WHERE t.external_id = 'c' \gset
SET LOCAL triage.actor = 'ann';
SELECT is(triage.correct_result(:c, '{"category": "billing", "urgency": "high", "sentiment_score": 8}'), :version + 1, 'labels are corrected');
SELECT is((SELECT (t.category, t.category_is_manual, t.priority, t.priority_is_manual)::text FROM triage.tickets t WHERE t.external_id = 'c'),
	'(billing,t,high,t)', 'the ticket has them, as a person''s choice');
SELECT is((SELECT string_agg(DISTINCT h.changed_by, ' ') FROM triage.ticket_history h WHERE h.ticket_id = pg_temp.ticket('c') AND h.new_value IN ('"billing"', '"high"')),
	'ann', 'of this person');
SELECT is((SELECT f.person_id || ' ' || f.corrections::text FROM triage.ai_feedback f WHERE f.result_id = :c),
	'ann {"urgency": "high", "category": "billing", "sentiment_score": 8}', 'and what was wrong is on record');
SELECT triage.correct_result(:c, '{"urgency": "low", "sentiment_score": 7.0}');
SELECT is((SELECT f.corrections::text FROM triage.ai_feedback f WHERE f.result_id = :c), '{"category": "billing", "sentiment_score": 7}',
	'said anew of some labels, it counts for these; what the result says is no correction');
SELECT is((SELECT (t.category, t.priority)::text FROM triage.tickets t WHERE t.external_id = 'c'), '(billing,low)', 'the ticket follows');
SELECT triage.accept_draft(:c);
SELECT is((SELECT (f.verdict, f.person_id, f.corrections)::text FROM triage.ai_feedback f WHERE f.result_id = :c),
	'(accepted,ann,"{""category"": ""billing"", ""sentiment_score"": 7}")', 'a verdict beside corrections of the same person; the actor is who reviews');
SELECT is(triage.correct_result(:c, '{}'), (SELECT t.version FROM triage.tickets t WHERE t.external_id = 'c'), 'nothing to correct changes nothing');
RESET triage.actor;
SELECT is(pg_temp.told(format('SELECT triage.correct_result(%s, %L, ''ann'')', :c, v.corrections)), v.told, coalesce(v.corrections, 'NULL'))
	FROM (VALUES (NULL, '22023 corrections must be a JSON object'), ('[]', '22023 corrections must be a JSON object'),
		('{"priority": "high"}', '22023 a result has no key "priority" that can be corrected'),
		('{"urgency": "huge"}', '22023 "huge" is not a value of key "urgency"'), ('{"urgency": null}', '22023 key "urgency" cannot be a JSON null'),
		('{"sentiment_score": "3"}', '22023 key "sentiment_score" cannot be a JSON string'),
		('{"sentiment_score": 0}', '22023 "N" is not a value of key "sentiment_score"'), ('{"sentiment_score": 2.5}', '22023 "N.N" is not a value of key "sentiment_score"'),
		('{"sentiment_score": 1e99}', '22023 "' || repeat('N', 1) || '" is not a value of key "sentiment_score"'),
		('{"category": "gardening"}', '23503 category "gardening" does not exist')) AS v (corrections, told);

-- Who and what -------------------------------------------------------------------------------------------------------

SELECT pg_temp.answered('w') AS w \gset
CREATE TABLE pg_temp.call (command text);
INSERT INTO pg_temp.call VALUES ('SELECT triage.accept_draft(%s, %L)'), ('SELECT triage.edit_draft(%s, ''x'', %L)'),
	('SELECT triage.reject_draft(%s, ''x'', %L)'), ('SELECT triage.correct_result(%s, ''{"urgency": "high"}'', %L)');
SELECT is(pg_temp.told(format(c.command, :w, 'carl')), '23514 person "carl" is no agent and cannot review results', c.command || ' by a customer') FROM pg_temp.call c;
SELECT is(pg_temp.told(format(c.command, -1, 'ann')), 'P0002 result -N does not exist', c.command || ' of no result') FROM pg_temp.call c;
SELECT triage.create_tenant('other');
SET LOCAL triage.tenant = 'other';
SELECT is(pg_temp.told(format(c.command, :w, 'ann')), 'P0002 result N does not exist', c.command || ' of another tenant''s, though its caller is the owner') FROM pg_temp.call c;
RESET triage.tenant;
SELECT pg_temp.answered('d') AS d \gset
SELECT triage.delete_ticket(pg_temp.ticket('d'));
SELECT is(pg_temp.told(format(c.command, :d, 'ann')), 'P0002 ticket N does not exist', c.command || ' of a deleted ticket''s') FROM pg_temp.call c;
SELECT triage.update_ticket(pg_temp.ticket('w'), '{"subject": "more"}');
SELECT triage.reprioritise(pg_temp.ticket('w'), 'urgent');
SELECT triage.complete_job(j.job_id, j.fence, '{"category": "billing", "urgency": "low", "sentiment_score": 3, "draft_reply": "newer"}') FROM triage.claim_jobs(1) j;
SELECT is(pg_temp.told(format(c.command, :w, 'ann')), '55000 result N is superseded', c.command || ' of a superseded one') FROM pg_temp.call c;
SELECT pg_temp.answered('z') AS z \gset
SELECT triage.close_ticket(pg_temp.ticket('z'));
SELECT is(pg_temp.told(format('SELECT triage.accept_draft(%s, ''ann'')', :z)), '55000 ticket N is closed and takes no public comment', 'a closed ticket takes no draft');

CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SELECT pg_temp.answered('role') AS role \gset
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.outcome(format('SELECT triage.accept_draft(%s, ''ann'')', :role)), 'ok', 'an agent''s role reviews');
SELECT is(pg_temp.outcome('UPDATE triage.ai_feedback SET verdict = ''rejected'''), '42501', 'but writes no feedback by itself');
SELECT isnt_empty('SELECT FROM triage.ai_quality', 'and reads what became of it');
RESET ROLE;

-- What became of them [W21] ------------------------------------------------------------------------------------------

DELETE FROM triage.tickets;
SET LOCAL session_replication_role = replica;		-- the ledger is append-only
DELETE FROM triage.ai_runs;
RESET session_replication_role;
SELECT is((SELECT count(*) FROM triage.ai_feedback), 0::bigint, 'feedback goes with its ticket');
SELECT triage.accept_draft(pg_temp.answered('1', 0.95), 'ann');
SELECT triage.edit_draft(pg_temp.answered('2', 0.9), 'please turn the printer', 'ann');
SELECT triage.reject_draft(pg_temp.answered('3', 1), 'no', 'ann');
SELECT pg_temp.answered('4', 0.55) AS four \gset
SELECT triage.correct_result(:four, '{"category": "billing", "sentiment_score": 9}', 'ann');
SELECT triage.correct_result(:four, '{"category": "general"}', 'bob');
SELECT pg_temp.answered('5', 0.5);
SELECT triage.accept_draft(pg_temp.answered('6', 0.2, 'm2'), 'ann');
SELECT is((SELECT string_agg(concat_ws(' ', q.model, q.kind, q.answers, q.results, q.accepted, q.edited, q.rejected, q.accepted_share, q.edited_share,
			q.rejected_share, q.unreviewed_share, q.mean_similarity, q.looked_at, q.category_corrected, q.urgency_corrected, q.sentiment_corrected), E'\n' ORDER BY q.model)
		FROM triage.ai_quality q WHERE q.provider = 'external'),
	E'm1 triage 5 5 1 1 1 0.2000 0.2000 0.2000 0.4000 0.786 4 0.2500 0.0000 0.2500\nm2 triage 1 1 1 0 0 1.0000 0.0000 0.0000 0.0000 1.000 1 0.0000 0.0000 0.0000',
	'ai_quality counts verdicts and corrections by model [seed 121]');
INSERT INTO triage.ai_dead_letters (tenant_id, id, session_id, kind, priority, fence, attempts, class, message, created_at)
	SELECT 'default', -7, triage.start_session(), 'chat_reply', 'high', 3, 1, 'refused', 'x', now();
INSERT INTO triage.ai_runs (tenant_id, job_id, session_id, kind, fence, provider, model, prompt_version, outcome, error, finished_at)
	SELECT 'default', v.job, 1, v.kind::triage.job_kind, 3, 'talker', 'm', 1, v.outcome::triage.run_outcome, CASE WHEN v.outcome <> 'succeeded' THEN 'x' END, now()
		FROM (VALUES (-5, 'chat_reply', 'succeeded'), (-6, 'chat_reply', 'succeeded'), (-7, 'chat_reply', 'refused'), (-8, 'chat_reply', 'stale'),
			(-9, 'summarize', 'succeeded'), (-10, 'summarize', 'unusable_answer')) AS v (job, kind, outcome);
SELECT results_eq($$SELECT q.kind::text, q.answers, q.refused, q.unusable_answers, q.given_up, q.results, q.rejected, q.looked_at, q.unreviewed_share
		FROM triage.ai_quality q WHERE q.provider = 'talker' ORDER BY q.kind$$,
	$$VALUES ('chat_reply', 3::bigint, 1::bigint, 0::bigint, 1::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::numeric),
		('summarize', 2, 0, 1, 0, NULL, NULL, NULL, NULL)$$, 'and answers of each kind, of which only tickets'' are reviewed');
SELECT is((SELECT string_agg(concat_ws(' ', c.model, c.confidence_from, c.confidence_to, c.results, c.looked_at, c.uncorrected, coalesce(c.uncorrected_share::text, '-')), ', '
			ORDER BY c.model, c.confidence_from) FROM triage.ai_calibration c),
	'm1 0.5 0.6 2 1 0 0.0000, m1 0.9 1.0 3 3 3 1.0000, m2 0.2 0.3 1 1 1 1.0000', 'ai_calibration compares confidence with corrections');
UPDATE triage.retention SET keep = '1 day' WHERE target = 'superseded_results';
SELECT triage.update_ticket(t.id, '{"subject": "again"}') FROM triage.tickets t WHERE t.external_id IN ('1', '5');
SELECT triage.complete_job(j.job_id, j.fence, '{"category": "billing", "urgency": "low", "sentiment_score": 3, "draft_reply": "newer"}') FROM triage.claim_jobs(2) j;
UPDATE triage.ticket_ai_results SET superseded_at = now() - interval '2 days' WHERE superseded_at IS NOT NULL;
SELECT is((SELECT r.deleted FROM triage.apply_retention() r WHERE r.target = 'superseded_results'), 1::bigint,
	'a superseded result that somebody reviewed is kept, one that nobody did is not');

SELECT is(triage.text_similarity(a, b), s, format('%L and %L', a, b))
	FROM (VALUES ('', '', 1.0::float8), ('a b', 'B a!', 1), ('a b c d', 'a b c e', 0.75), ('a', '', 0), (NULL, 'a', NULL)) AS v (a, b, s);
SELECT is(triage.ai_assisted(-1), false, 'no ticket is not ai_assisted');
SELECT triage.add_comment(pg_temp.ticket('4'), 'from the bot', author_role => 'ai', visibility => 'internal');
SELECT is(triage.ai_assisted(pg_temp.ticket('4')), false, 'a note of the AI, which the customer does not see, does not count [seed 53]');
SELECT triage.add_comment(pg_temp.ticket('4'), 'from the bot', author_role => 'ai');
SELECT is(triage.ai_assisted(pg_temp.ticket('4')), true, 'a public comment of the AI does [seed 53]');

SELECT finish();
ROLLBACK;
