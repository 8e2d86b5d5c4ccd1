-- What the schema of the AI triage hub asks for (test/seeds/items.tsv, 108 to 160), item by item: its tables, values,
-- indexes, trigger, rollback and its eight queries, over the names that they have here.
\ir prepare.psql
\ir seeds.psql
SELECT no_plan();
CREATE FUNCTION pg_temp.state(external_id text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT d.status FROM triage.dashboard d WHERE d.id = pg_temp.ticket(external_id)
$$;

-- Tables and columns ---------------------------------------------------------------------------------------------------------

SELECT alike(pg_temp.columns('dashboard'), 'id bigint, email text, content text, status text, created_at timestamp with time zone, '
	'updated_at timestamp with time zone, %', 'tickets has its columns in the dashboard [seed 108]');
SELECT is(pg_temp.about('tickets', 'id') || ', ' || pg_temp.primary_key('tickets'),
	'bigint NOT NULL GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (id, tenant_id)', 'its id counts up by itself [seed 109]');
INSERT INTO triage.tickets (external_id, description, created_at) VALUES ('a', 'I was charged twice.', '2026-02-06 10:30Z') RETURNING id AS a \gset
INSERT INTO triage.tickets (external_id, description, requester_email) VALUES ('b', 'It crashes.', repeat('x', 255)) RETURNING id AS b \gset
SELECT is(:b::bigint, :a + 1::bigint, 'from ticket to ticket [seed 109]');
SELECT is(pg_temp.outcome('INSERT INTO triage.tickets (id, description) VALUES (7, ''x'')'), '428C9', 'and is nobody else''s choice [seed 109]');
SELECT results_eq('SELECT d.email FROM triage.dashboard d ORDER BY d.id', ARRAY[NULL, repeat('x', 255)], 'a ticket needs no email, and has room for 255 characters [seed 110]');
SELECT is(pg_temp.outcome('INSERT INTO triage.tickets (description, requester_email) VALUES (''x'', repeat(''x'', 321))'), '23514 tickets_requester_email_length',
	'but not for any number [seed 110]');
SELECT is(pg_temp.about('tickets', 'description'), 'text NOT NULL', 'content is required [seed 111]');
SELECT is(pg_temp.outcome('INSERT INTO triage.tickets (requester_email) VALUES (''a@example.com'')'), '23502', 'a ticket without one is refused [seed 111]');
SELECT is(d.content, 'I was charged twice.', 'the dashboard shows it [seed 111]') FROM triage.dashboard d WHERE d.id = :a;
SELECT is(pg_temp.about('tickets', 'status'), 'triage.ticket_status NOT NULL DEFAULT ''open''::triage.ticket_status', 'the status is required, with a default [seed 112]');
SELECT is(pg_temp.state('b'), 'pending', 'which the dashboard shows as pending [seed 112]');
SELECT is(pg_temp.about('tickets', c.name), 'timestamp with time zone NOT NULL DEFAULT now()', format('%s is required, and now by default [seed %s]', c.name, c.item))
	FROM (VALUES ('created_at', 113), ('updated_at', 114)) c (name, item);
SELECT is(d.created_at, '2026-02-06 10:30Z', 'created_at is what was given [seed 113]') FROM triage.dashboard d WHERE d.id = :a;

SELECT is((SELECT string_agg(concat_ws(' ', c.name, pg_temp.about('ticket_ai_results', c.name)), ', ') FROM (VALUES ('id'), ('ticket_id'), ('category'), ('sentiment_score'),
		('urgency'), ('draft_reply'), ('processed_at')) c (name)),
	'id bigint NOT NULL GENERATED ALWAYS AS IDENTITY, ticket_id bigint NOT NULL, category text NOT NULL, sentiment_score integer NOT NULL, '
	'urgency triage.ticket_priority NOT NULL, draft_reply text NOT NULL, processed_at timestamp with time zone NOT NULL DEFAULT now()',
	'ticket_ai_results has its columns, all of them required [seed 115] [seed 122]');
SELECT is(pg_temp.primary_key('ticket_ai_results'), 'PRIMARY KEY (id, tenant_id)', 'its id is the key [seed 116]');
SELECT is(pg_temp.refers('ticket_ai_results', 'ticket_id'), 'FOREIGN KEY (tenant_id, ticket_id) REFERENCES triage.tickets(tenant_id, id) ON DELETE CASCADE',
	'a result belongs to a ticket, and goes with it [seed 117] [seed 151]');

-- Query 3, with the two columns that there are beside the seed's: whose result it is, and of which version of the text.
CREATE FUNCTION pg_temp.result(ticket bigint, category text, sentiment_score text, urgency text, draft_reply text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT pg_temp.outcome(format($q$INSERT INTO triage.ticket_ai_results (ticket_id, category, sentiment_score, urgency, draft_reply, tenant_id, ticket_version)
		VALUES (%L, %L, %L, %L, %L, 'default', 1) RETURNING id$q$, ticket, category, sentiment_score, urgency, draft_reply))
$$;
SELECT is(pg_temp.result(r.ticket, r.category, r.sentiment, r.urgency, r.draft), r.outcome, format('%s [seed %s]', r.name, r.item))
	FROM (VALUES
		(-1, 'billing', '5', 'low', 'x', '23503 ticket_ai_results_ticket_fkey', 'no result without its ticket', 117),
		(NULL, 'billing', '5', 'low', 'x', '23502', 'nor of none', 117),
		(:a, NULL, '5', 'low', 'x', '23502', 'none without a category', 118),
		(:a, 'gardening', '5', 'low', 'x', '23503 ticket_ai_results_category_fkey', 'none with one that there is not', 118),
		(:a, 'billing', NULL, 'low', 'x', '23502', 'none without a sentiment', 119),
		(:a, 'billing', '0', 'low', 'x', '23514 ticket_ai_results_sentiment', 'none with 0', 119),
		(:a, 'billing', '11', 'low', 'x', '23514 ticket_ai_results_sentiment', 'none with 11', 119),
		(:a, 'billing', '5.5', 'low', 'x', '22P02', 'none between two numbers', 119),
		(:a, 'billing', '5', NULL, 'x', '23502', 'none without an urgency', 120),
		(:a, 'billing', '5', 'critical', 'x', '22P02', 'none with one that there is not', 120),
		(:a, 'billing', '5', 'low', NULL, '23502', 'none without a draft', 121),
		(:a, 'billing', '1', 'low', 'x', 'ok', 'a sentiment of 1 is one', 119),
		(:b, 'billing', '10', 'low', 'x', 'ok', 'so is 10', 119),
		(:a, 'technical', '1', 'low', 'x', '23505 ticket_ai_results_one_current', 'a ticket has one result', 117)) r (ticket, category, sentiment, urgency, draft, outcome, name, item);
SELECT is((SELECT r.processed_at FROM triage.ticket_ai_results r WHERE r.ticket_id = :a), now(), 'processed_at is set [seed 122]');
SELECT is((SELECT r.id - lag(r.id) OVER (ORDER BY r.id) FROM triage.ticket_ai_results r ORDER BY r.id DESC LIMIT 1), 1::bigint, 'ids count up [seed 116]');
UPDATE triage.ticket_ai_results r SET superseded_at = now() WHERE r.ticket_id = :a;
SELECT is(pg_temp.result(:a, 'technical', '2', 'high', 'y'), 'ok', 'another one takes its place [seed 150]');
SELECT results_eq(format('SELECT r.category, r.superseded_at IS NULL FROM triage.ticket_ai_results r WHERE r.ticket_id = %s ORDER BY r.id', :a),
	$$VALUES ('billing', false), ('technical', true)$$, 'one is current, the other is history [seed 150]');
SELECT is(pg_temp.outcome('UPDATE triage.ticket_ai_results SET superseded_at = NULL'), '23505 ticket_ai_results_one_current', 'two cannot be [seed 150]');
DELETE FROM triage.tickets t WHERE t.id = :a;
SELECT is_empty(format('SELECT FROM triage.ticket_ai_results r WHERE r.ticket_id = %s', :a), 'a ticket that is deleted leaves no result behind [seed 151]');
DELETE FROM triage.tickets;

-- The five states, and the queries of worker and API ----------------------------------------------------------------------------

INSERT INTO triage.tickets (external_id, description, requester_email, created_at, updated_at)
	SELECT 't' || i, 'complaint ' || i, i || '@example.com', '2026-02-06 10:30Z'::timestamptz + i * interval '1 minute', '2026-02-06 11:00Z'
		FROM generate_series(1, 12) i;
SELECT is(pg_temp.state('t1'), 'pending', 'a new ticket waits for the AI [seed 125]');
SELECT results_eq($$SELECT id, email, content, created_at FROM triage.dashboard WHERE status = 'pending' ORDER BY created_at ASC LIMIT 10$$,
	$$SELECT pg_temp.ticket('t' || i), i || '@example.com', 'complaint ' || i, '2026-02-06 10:30Z'::timestamptz + i * interval '1 minute' FROM generate_series(1, 10) i$$,
	'query 1 fetches the ten oldest that are pending [seed 140]');
CREATE TABLE pg_temp.claimed AS SELECT c.job_id, c.fence, c.ticket_id, c.description FROM triage.claim_jobs(5) c;
SELECT results_eq('SELECT c.ticket_id, c.description FROM pg_temp.claimed c ORDER BY c.job_id', $$SELECT pg_temp.ticket('t' || i), 'complaint ' || i FROM generate_series(1, 5) i$$,
	'claim_jobs() fetches the oldest and takes them [seed 140]');
SELECT results_eq($$SELECT d.id FROM triage.dashboard d WHERE d.status = 'processing' ORDER BY d.id$$, 'SELECT c.ticket_id FROM pg_temp.claimed c ORDER BY 1',
	'they are processing, in the same statement [seed 126] [seed 141]');
SELECT is((SELECT c.ticket_id FROM triage.claim_jobs(1) c), pg_temp.ticket('t6'), 'nobody else gets them [seed 141]');

SELECT is((SELECT count(*) FROM triage.ticket_ai_results), 0::bigint, 'tickets are there before their results [seed 148] [seed 123]');
SELECT is((SELECT triage.complete_job(c.job_id, c.fence, '{"category": "billing", "sentiment_score": 7, "urgency": "high", "draft_reply": "Dear customer"}')
	FROM pg_temp.claimed c WHERE c.ticket_id = pg_temp.ticket('t1')), true, 'a worker hands in its answer');
SELECT results_eq($$SELECT r.category, r.sentiment_score, r.urgency, r.draft_reply, r.id IS NOT NULL FROM triage.ticket_ai_results r WHERE r.ticket_id = pg_temp.ticket('t1')$$,
	$$VALUES ('billing', 7, 'high'::triage.ticket_priority, 'Dear customer', true)$$, 'which is inserted as the result [seed 142]');
SELECT is(pg_temp.state('t1'), 'processed', 'with it the ticket is processed [seed 127] [seed 143]');
SELECT is((SELECT triage.fail_job(c.job_id, c.fence, 'refused', 'it will not') FROM pg_temp.claimed c WHERE c.ticket_id = pg_temp.ticket('t2')), 'failed', 'a worker gives up');
SELECT is(pg_temp.state('t2'), 'ai_failed', 'the ticket is ai_failed [seed 129]');
SELECT results_eq($$SELECT f.ticket_id, f.class, f.message FROM triage.ai_failures f WHERE f.state = 'failed'$$,
	$$VALUES (pg_temp.ticket('t2'), 'refused'::triage.run_outcome, 'it will not')$$, 'for people to see why [seed 129]');
SELECT is_empty($$SELECT FROM triage.ticket_ai_results r WHERE r.ticket_id = pg_temp.ticket('t2')$$, 'it has no result [seed 148]');
SELECT ok(triage.resolve_ticket(pg_temp.ticket('t2')) IS NOT NULL, 'and can be worked on by hand [seed 129]');
SELECT is(pg_temp.state('t2'), 'resolved', 'what an agent has resolved is resolved [seed 128]');

CREATE FUNCTION pg_temp.resolved(id bigint) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket record;
BEGIN
	EXECUTE 'UPDATE triage.tickets SET status = ''resolved'' WHERE id = $1 RETURNING *' INTO ticket USING id;
	RETURN concat_ws(' ', ticket.external_id, ticket.status, ticket.resolution, ticket.resolved_at IS NOT NULL);
END
$$;
SELECT is(pg_temp.resolved(pg_temp.ticket('t1')), 't1 resolved resolved t', 'query 7 resolves a ticket and returns it [seed 146]');
SELECT is(pg_temp.state('t1'), 'resolved', 'as the dashboard says [seed 128] [seed 146]');
SELECT is(pg_temp.resolved(-1), 'f', 'and none where there is none [seed 146]');

UPDATE triage.ai_jobs j SET lease_until = now() - interval '1 second' WHERE j.ticket_id = pg_temp.ticket('t3');
UPDATE triage.tickets t SET subject = t.subject WHERE t.external_id = 't3';
SELECT is(triage.reap_jobs(), 1::bigint, 'query 8: what is stuck is reset [seed 147]');
SELECT is(concat_ws(' ', pg_temp.state('t3'), pg_temp.state('t4'), pg_temp.state('t5')), 'pending processing processing',
	'however young its last update; what a worker holds is left to it, however old [seed 147]');
SELECT is((SELECT n.outcome::text FROM triage.ai_runs n WHERE n.ticket_id = pg_temp.ticket('t3')), 'lost', 'and it is on record [seed 147]');

SELECT results_eq($$SELECT t.id, t.email, t.content, t.status, t.created_at, t.updated_at, r.category, r.sentiment_score, r.urgency, r.draft_reply, r.processed_at
		FROM triage.dashboard t LEFT JOIN triage.ticket_ai_results r ON t.id = r.ticket_id ORDER BY t.created_at DESC LIMIT 50 OFFSET 0$$,
	$$SELECT d.id, d.email, d.content, d.status, d.created_at, d.updated_at, d.category, d.sentiment_score, d.urgency, d.draft_reply, d.processed_at
		FROM generate_series(12, 1, -1) i JOIN triage.dashboard d ON d.id = pg_temp.ticket('t' || i) ORDER BY i DESC$$,
	'query 5 lists all, the newest first, with their results; the dashboard is that join [seed 123] [seed 144]');
SELECT results_eq('SELECT t.id FROM triage.dashboard t ORDER BY t.created_at DESC LIMIT 50 OFFSET 10', $$VALUES (pg_temp.ticket('t2')), (pg_temp.ticket('t1'))$$,
	'and what is behind an offset [seed 144]');
SELECT results_eq($$SELECT t.email, t.content, t.status, t.category, t.sentiment_score, t.urgency, t.draft_reply, t.processed_at >= now()
		FROM triage.dashboard t WHERE t.id = pg_temp.ticket('t1')$$,
	$$VALUES ('1@example.com', 'complaint 1', 'resolved', 'billing', 7, 'high'::triage.ticket_priority, 'Dear customer', true)$$, 'query 6 gets one [seed 145]');
SELECT triage.complete_job(c.job_id, c.fence, '{"category": "technical", "sentiment_score": 3, "urgency": "low", "draft_reply": "x"}') AS done,
		triage.fail_job(d.job_id, d.fence, 'refused', 'no') AS given_up
	FROM pg_temp.claimed c, pg_temp.claimed d WHERE c.ticket_id = pg_temp.ticket('t4') AND d.ticket_id = pg_temp.ticket('t5') \gset
SELECT set_eq('SELECT DISTINCT d.status FROM triage.dashboard d', '{pending,processing,processed,resolved,ai_failed}'::text[], 'there are five states [seed 124]');
INSERT INTO triage.tickets (external_id, description, status, deleted_at)
	SELECT concat_ws(' ', 'every', s, d.deleted), 'x', s, CASE d.deleted WHEN 'deleted' THEN now() END
		FROM unnest(enum_range(NULL::triage.ticket_status)) s, (VALUES (NULL), ('deleted')) d (deleted);
DELETE FROM triage.ai_jobs j USING triage.tickets t WHERE t.id = j.ticket_id AND t.external_id = 'every in_progress';
SELECT is_empty($$SELECT d.status FROM triage.dashboard d WHERE d.status NOT IN ('pending', 'processing', 'processed', 'resolved', 'ai_failed') OR d.status IS NULL$$,
	'and no other, whatever becomes of a ticket [seed 124]');

-- Values -------------------------------------------------------------------------------------------------------------------------

SELECT results_eq($$SELECT c.category FROM triage.ticket_categories c WHERE c.tenant_id = 'default' AND c.is_active AND c.category IN ('billing', 'technical', 'feature_request') ORDER BY 1$$,
	'{billing,feature_request,technical}'::text[], 'the three categories are there from the start [seed 130]');
SELECT results_eq($$SELECT l.label::text FROM unnest(enum_range(NULL::triage.ticket_priority)) l (label) WHERE l.label::text IN ('high', 'medium', 'low') ORDER BY l.label DESC$$,
	'{high,medium,low}'::text[], 'the three urgencies are, and sort by weight [seed 131]');
SELECT is((SELECT string_agg(concat_ws(' ', t.typname, t.typtype), ', ' ORDER BY t.typname) FROM pg_type t WHERE t.oid IN
		(SELECT a.atttypid FROM pg_attribute a WHERE (a.attrelid, a.attname) IN (('triage.tickets'::regclass, 'status'), ('triage.ticket_ai_results'::regclass, 'urgency')))),
	'ticket_priority e, ticket_status e', 'what code branches on are enum types [seed 149]');
SELECT is(pg_temp.outcome('UPDATE triage.tickets SET status = ''solved'''), '22P02', 'which refuse what they do not know [seed 149]');
SELECT ok(obj_description(t.oid, 'pg_type') <> '', format('%s says what it is [seed 149]', t.typname))
	FROM pg_type t WHERE t.oid IN ('triage.ticket_status'::regtype, 'triage.ticket_priority'::regtype) ORDER BY t.typname;

-- The example ----------------------------------------------------------------------------------------------------------------------

DELETE FROM triage.tickets;
SELECT triage.create_ticket('', 'I was charged twice for my subscription this month. Please refund the duplicate charge.', requester_email => 'user@example.com',
	external_id => 'example') AS example \gset
SELECT is((SELECT jsonb_build_object('id', d.id, 'email', d.email, 'content', d.content, 'status', d.status, 'created_at', d.created_at = now(), 'updated_at', d.updated_at = now())
		FROM triage.dashboard d WHERE d.id = :example),
	jsonb_build_object('id', :example, 'email', 'user@example.com', 'content', 'I was charged twice for my subscription this month. Please refund the duplicate charge.',
		'status', 'pending', 'created_at', true, 'updated_at', true), 'the sample ticket [seed 153]');
SELECT E'Dear valued customer,\n\nThank you for bringing this to our attention. I sincerely apologize for the duplicate charge on your subscription. '
	|| E'I\'ve escalated this to our billing team, and you should see the refund processed within 3-5 business days.\n\n'
	|| E'If you have any questions, please don\'t hesitate to reach out.\n\nBest regards,\nSupport Team' AS draft \gset
SELECT is(triage.complete_job(c.job_id, c.fence, jsonb_build_object('category', 'billing', 'sentiment_score', 7, 'urgency', 'high', 'draft_reply', :'draft')), true,
	'the sample result is an answer that is accepted [seed 154]') FROM triage.claim_jobs(1) c;
SELECT is((SELECT jsonb_build_object('status', d.status, 'category', d.category, 'sentiment_score', d.sentiment_score, 'urgency', d.urgency, 'draft_reply', d.draft_reply)
		FROM triage.dashboard d WHERE d.id = :example),
	jsonb_build_object('status', 'processed', 'category', 'billing', 'sentiment_score', 7, 'urgency', 'high', 'draft_reply', :'draft'),
	'and stored with all its paragraphs [seed 153] [seed 154]');

-- Trigger ----------------------------------------------------------------------------------------------------------------------------

SELECT is((SELECT concat_ws(' ', pg_get_function_result(p.oid), p.prokind) FROM pg_proc p WHERE p.oid = to_regproc('triage.tickets_before')), 'trigger f',
	'a function keeps updated_at [seed 136]');
SELECT alike((SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE t.tgrelid = 'triage.tickets'::regclass AND t.tgfoid = to_regproc('triage.tickets_before')),
	'% BEFORE INSERT OR UPDATE ON triage.tickets FOR EACH ROW EXECUTE FUNCTION triage.tickets_before()', 'for each row, before the update [seed 137]');
INSERT INTO triage.tickets (external_id, description, updated_at) VALUES ('old', 'x', '2001-01-01');
UPDATE triage.tickets t SET subject = 'y' WHERE t.external_id = 'old';
SELECT cmp_ok((SELECT t.updated_at FROM triage.tickets t WHERE t.external_id = 'old'), '>=', now(), 'an update sets it [seed 114] [seed 136] [seed 137]');
UPDATE triage.tickets t SET updated_at = '2001-01-01' WHERE t.external_id = 'old';
SELECT cmp_ok((SELECT t.updated_at FROM triage.tickets t WHERE t.external_id = 'old'), '>=', now(), 'whatever the client would have it be [seed 114] [seed 137]');

-- Indexes ------------------------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome('INSERT INTO triage.tickets (description) SELECT ''complaint '' || i FROM generate_series(1, 4000) i'), 'ok', 'a ticket is its text [seed 155]');
SELECT is((SELECT count(*) FROM triage.ai_jobs j JOIN triage.tickets t ON t.id = j.ticket_id WHERE t.description LIKE 'complaint %'), 4000::bigint,
	'thousands in one statement wait for the AI [seed 155]');
INSERT INTO triage.ticket_ai_results (ticket_id, category, sentiment_score, urgency, draft_reply, tenant_id, ticket_version)
	SELECT t.id, 'billing', 1, 'low', 'x', 'default', 1 FROM triage.tickets t WHERE t.description LIKE 'complaint %' AND t.id % 2 = 0;
UPDATE triage.tickets t SET status = 'resolved' WHERE t.description LIKE 'complaint %' AND t.id % 10 > 0;
INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
	SELECT t.tenant_id, -t.id, t.id, 'triage', 'low', 1, 1, 'refused', 'x', t.created_at FROM triage.tickets t WHERE t.description LIKE 'complaint %';
ANALYZE triage.tickets, triage.ai_jobs, triage.ticket_ai_results, triage.ai_dead_letters;
SELECT is(pg_temp.path('SELECT * FROM triage.ai_jobs j WHERE j.priority = ''medium'' AND j.run_at <= now() ORDER BY j.run_at, j.id LIMIT 10 FOR UPDATE SKIP LOCKED'),
	'ai_jobs_order', 'what is pending, the oldest first [seed 134] [seed 140] [seed 152] [seed 159]');
-- the rest as an agent, who has one tenant's rows
CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.path(q.query), q.path, format('%s %s', q.name, q.items))
	FROM (VALUES
		('open tickets, who waits longest first', '[seed 132] [seed 152] [seed 159]', 'tickets_inbox',
			'SELECT * FROM triage.tickets t WHERE t.tenant_id = ''default'' AND t.status NOT IN (''resolved'', ''closed'') AND t.deleted_at IS NULL ORDER BY t.waiting_since LIMIT 50'),
		('tickets, the newest first', '[seed 133] [seed 152] [seed 159]', 'tickets_created',
			'SELECT * FROM triage.tickets t WHERE t.tenant_id = ''default'' ORDER BY t.created_at DESC LIMIT 50'),
		('those of a status, the newest first', '[seed 134]', 'tickets_created',
			'SELECT * FROM triage.tickets t WHERE t.tenant_id = ''default'' AND t.status = ''open'' ORDER BY t.created_at DESC LIMIT 50'),
		('the result of a ticket', '[seed 135] [seed 159]', 'ticket_ai_results_one_current',
			'SELECT * FROM triage.ticket_ai_results r WHERE r.tenant_id = ''default'' AND r.ticket_id = 5'),
		('query 5', '[seed 144] [seed 159]', 'ai_dead_letters_one_per_ticket, ai_jobs_one_per_ticket, ticket_ai_results_one_current, tickets_created',
			'SELECT * FROM triage.dashboard t ORDER BY t.created_at DESC LIMIT 50'),
		('query 6', '[seed 145] [seed 159]', 'ai_dead_letters_one_per_ticket, ai_jobs_one_per_ticket, ticket_ai_results_one_current, tickets_pkey',
			'SELECT * FROM triage.dashboard t WHERE t.id = 5')) q (name, items, path, query);
RESET ROLE;

-- Migration and rollback ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.missing() RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(concat_ws(' ', o.kind, o.name), ', ' ORDER BY o.kind, o.name)
		FROM (VALUES ('type', 'ticket_status'), ('type', 'ticket_priority'), ('table', 'ticket_categories'), ('table', 'tickets'), ('table', 'ticket_ai_results'),
				('index', 'tickets_inbox'), ('index', 'tickets_created'), ('index', 'ai_jobs_order'), ('index', 'ticket_ai_results_one_current'),
				('function', 'tickets_before'), ('trigger', 'tickets_before')) o (kind, name)
		WHERE NOT CASE o.kind
			WHEN 'type' THEN to_regtype('triage.' || o.name) IS NOT NULL
			WHEN 'function' THEN to_regproc('triage.' || o.name) IS NOT NULL
			WHEN 'trigger' THEN EXISTS (SELECT FROM pg_trigger t WHERE t.tgname = o.name AND t.tgrelid = to_regclass('triage.tickets'))
			ELSE to_regclass('triage.' || o.name) IS NOT NULL END
$$;
CREATE FUNCTION pg_temp.left_over() RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT (SELECT count(*) FROM pg_class c WHERE c.relnamespace = to_regnamespace('triage'))
		+ (SELECT count(*) FROM pg_proc p WHERE p.pronamespace = to_regnamespace('triage'))
		+ (SELECT count(*) FROM pg_type t WHERE t.typnamespace = to_regnamespace('triage'))
$$;
SELECT is(pg_temp.missing(), NULL, 'CREATE EXTENSION has made types, tables, indexes, function and trigger [seed 138]');
SELECT is(pg_temp.outcome('DROP EXTENSION triage'), '2BP01', 'no rollback while there are tickets [seed 139]');
SELECT is(pg_temp.outcome('SELECT triage.uninstall(''yes'')'), '22023', 'but on demand [seed 139]');
SELECT is(pg_temp.outcome('SELECT triage.uninstall(''delete all tickets'')'), 'ok', 'tables with index and trigger, [seed 139]');
SELECT is(pg_temp.outcome('DROP EXTENSION triage'), 'ok', 'functions and types [seed 139]');
SELECT is(pg_temp.left_over(), 0::bigint, 'nothing is left [seed 76] [seed 139]');
SELECT is(pg_temp.outcome('CREATE EXTENSION triage'), 'ok', 'and the migration runs again [seed 138]');
SELECT is(concat_ws(' ', pg_temp.missing(), (SELECT count(*) FROM triage.tickets)), '0', 'from nothing [seed 138]');
SELECT finish();
ROLLBACK;
