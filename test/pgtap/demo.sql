-- load_demo() and remove_demo(): what is loaded, what it leaves alone, and that nothing of it stays.
\ir prepare.psql
SELECT no_plan();

-- Rows of each tenant table, by tenant.
CREATE FUNCTION pg_temp.contents(tenant text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	item record;
	rows bigint;
	found text := '';
BEGIN
	FOR item IN
		SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
			-- but what waits to be added up to a cluster's counts: it comes to nothing
			WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind = 'r' AND c.relname <> 'cluster_deltas' ORDER BY c.relname
	LOOP
		EXECUTE format('SELECT count(*) FROM triage.%I WHERE tenant_id = $1', item.relname) INTO rows USING tenant;
		found := found || item.relname || ' ' || rows || ', ';
	END LOOP;
	RETURN found;
END
$$;
CREATE FUNCTION pg_temp.triggers() RETURNS text LANGUAGE sql AS
	$$ SELECT string_agg(g.tgrelid::regclass::text || ' ' || g.tgname || ' ' || g.tgenabled::text, ', ' ORDER BY g.tgrelid, g.tgname)
		FROM pg_trigger g WHERE NOT g.tgisinternal AND g.tgrelid::regclass::text ~ '^triage' $$;
-- Seed 000's name for where a ticket stands.
CREATE FUNCTION pg_temp.state(status triage.ticket_status, resolution triage.ticket_resolution, handler triage.ticket_handler, assignee text) RETURNS text
	LANGUAGE sql AS
$$ SELECT CASE WHEN resolution = 'closed_by_client' THEN 'CLOSED_BY_CLIENT' WHEN resolution IS NOT NULL THEN 'CLOSED_RESOLVED'
	WHEN handler = 'ai' THEN 'OPEN_AI_HANDLING' WHEN assignee IS NULL THEN 'PENDING_HUMAN_ASSIGNMENT' ELSE 'ACTIVE_HUMAN_CHAT' END $$;

SELECT triage.create_tenant(t) FROM unnest('{show,again,fifty,used,listed,bare}'::text[]) AS t;
SELECT pg_temp.triggers() AS triggers \gset
SELECT pg_temp.contents('show') AS empty \gset
SELECT pg_temp.contents('default') AS others \gset

-- What is loaded ---------------------------------------------------------------------------------------------------------------

SET LOCAL triage.tenant = 'show';
SELECT is(triage.load_demo(), 200, 'two hundred tickets [seed 93]');
SELECT cmp_ok((SELECT count(*) FROM triage.demo_scenarios()), '>=', 60::bigint, 'sixty scenarios at least [seed 93]');
SELECT is((SELECT count(DISTINCT (s.subject, s.description)) FROM triage.demo_scenarios() s), (SELECT count(*) FROM triage.demo_scenarios()),
	'each another one [seed 93]');
SELECT is((SELECT count(DISTINCT t.description) FROM triage.tickets t WHERE t.tenant_id = 'show'), 200::bigint, 'no text comes twice [seed 93]');
SELECT is_empty($$SELECT t.subject FROM triage.tickets t WHERE t.tenant_id = 'show' AND concat(t.subject, t.description) ~ '[{}]'
	UNION ALL SELECT c.content FROM triage.ticket_comments c WHERE c.tenant_id = 'show' AND c.content ~ '[{}]'
	UNION ALL SELECT r.draft_reply FROM triage.ticket_ai_results r WHERE r.tenant_id = 'show' AND concat(r.draft_reply, r.summary) ~ '[{}]'$$,
	'and no place was left open');
SELECT set_eq('SELECT DISTINCT category FROM triage.tickets WHERE tenant_id = ''show'' AND category IS NOT NULL',
	'SELECT category FROM triage.ticket_categories WHERE tenant_id = ''show''', 'all categories [seed 94]');
SELECT is_empty($$SELECT c.category, p.priority FROM triage.ticket_categories c, unnest(enum_range(NULL::triage.ticket_priority)) AS p (priority)
	WHERE c.tenant_id = 'show' AND NOT EXISTS (SELECT FROM triage.tickets t WHERE t.tenant_id = 'show' AND t.category = c.category AND t.priority = p.priority)$$,
	'each with all priorities [seed 94]');
SELECT set_eq('SELECT DISTINCT status FROM triage.tickets WHERE tenant_id = ''show''', 'SELECT unnest(enum_range(NULL::triage.ticket_status))',
	'all statuses [seed 94]');
SELECT set_eq('SELECT DISTINCT role::text FROM triage.people WHERE tenant_id = ''show''', '{admin,agent,customer}'::text[], 'people of all roles [seed 95]');
SELECT is(pg_temp.contents('default'), :'others', 'nothing beside the tenant');
SELECT cmp_ok((SELECT count(*) FROM triage.ticket_comments c WHERE c.tenant_id = 'show'), '>', 200::bigint, 'comments [seed 93] [seed 105]');
SELECT set_eq('SELECT DISTINCT author_role::text || '' '' || visibility FROM triage.ticket_comments WHERE tenant_id = ''show''',
	'{customer public,agent public,agent internal,ai public}'::text[], 'of customers, agents and the AI, public and internal');

-- It asks nothing of a model, and says of no model that it answered
SELECT is((SELECT count(*) FROM triage.ai_jobs), 0::bigint, 'no job');
SELECT is((SELECT count(*) FROM triage.ai_runs), 0::bigint, 'no run');
SELECT is((SELECT count(*) FROM triage.ai_dead_letters), 0::bigint, 'no failure');
SELECT cmp_ok((SELECT count(*) FROM triage.ticket_ai_results r WHERE r.tenant_id = 'show' AND r.run_id IS NULL), '>', 180::bigint, 'results, without a run');
SELECT is((SELECT count(*) FROM triage.ticket_ai_results r WHERE r.run_id IS NOT NULL), 0::bigint, 'all of them');
SELECT is((SELECT count(*) FROM triage.run_stats()), 0::bigint, 'statistics of calls count none');
SELECT is((SELECT count(*) FROM triage.tickets t WHERE t.tenant_id = 'show' AND t.source <> 'demo'), 0::bigint, 'each ticket says that it is of the demonstration');

-- As if it had happened
SELECT is_empty($$SELECT t.id FROM triage.tickets t WHERE t.tenant_id = 'show' AND NOT EXISTS (SELECT FROM triage.ticket_assignments a
	WHERE a.tenant_id = t.tenant_id AND a.ticket_id = t.id AND a.unassigned_at IS NULL AND a.agent_id = t.assignee_id) AND t.assignee_id IS NOT NULL$$,
	'whoever has a ticket is in the log of assignments');
SELECT cmp_ok((SELECT count(*) FROM triage.ticket_assignments a WHERE a.tenant_id = 'show' AND a.unassigned_at IS NOT NULL), '>', 5::bigint, 'some had another agent before [seed 105]');
SELECT is_empty($$SELECT t.id FROM triage.tickets t CROSS JOIN LATERAL (SELECT h.new_value FROM triage.ticket_history h
		WHERE h.tenant_id = t.tenant_id AND h.ticket_id = t.id AND h.field = 'status' ORDER BY h.id DESC LIMIT 1) h
	WHERE t.tenant_id = 'show' AND h.new_value <> to_jsonb(t.status)$$, 'the history ends where the ticket stands');
SELECT is_empty($$SELECT h.id FROM (SELECT h.*, lag(h.new_value, 1, '"open"') OVER (PARTITION BY h.ticket_id ORDER BY h.id) AS before
		FROM triage.ticket_history h WHERE h.tenant_id = 'show' AND h.field = 'status') h WHERE h.old_value IS DISTINCT FROM h.before$$, 'and goes step by step [seed 105]');
SELECT is_empty($$SELECT t.id FROM triage.tickets t WHERE t.tenant_id = 'show' AND t.version <> 1 + (SELECT count(DISTINCT h.created_at) FROM triage.ticket_history h
	WHERE h.tenant_id = t.tenant_id AND h.ticket_id = t.id)$$, 'a version for each change');
SELECT is_empty($$SELECT 1 FROM triage.tickets t JOIN triage.ticket_history h ON h.tenant_id = t.tenant_id AND h.ticket_id = t.id
	WHERE t.tenant_id = 'show' AND NOT h.created_at BETWEEN t.created_at AND now()
	UNION ALL SELECT 1 FROM triage.tickets t JOIN triage.ticket_comments c ON c.tenant_id = t.tenant_id AND c.ticket_id = t.id
	WHERE t.tenant_id = 'show' AND NOT c.created_at BETWEEN t.created_at AND coalesce(t.closed_at, now())
	UNION ALL SELECT 1 FROM triage.tickets t WHERE t.tenant_id = 'show' AND NOT t.updated_at BETWEEN t.created_at AND now()$$, 'nothing before its ticket, nothing in the future');
SELECT is_empty($$SELECT t.id FROM triage.tickets t JOIN (SELECT c.ticket_id, min(c.created_at) AS first FROM triage.ticket_comments c
		WHERE c.tenant_id = 'show' AND c.visibility = 'public' AND c.author_role = 'agent' GROUP BY c.ticket_id) c ON c.ticket_id = t.id
	WHERE t.first_response_at > c.first$$, 'no agent replied before the first response');
-- what the trigger would have made of the same text
CREATE TABLE pg_temp.made AS SELECT t.id, t.search FROM triage.tickets t WHERE t.tenant_id = 'show';
SET LOCAL triage.auto_triage = off;
UPDATE triage.tickets SET description = description || ' ' WHERE tenant_id = 'show';
SELECT is_empty('SELECT t.id FROM triage.tickets t JOIN pg_temp.made m ON m.id = t.id WHERE m.search IS DISTINCT FROM t.search', 'they can be searched like any other [seed 85]');
SET LOCAL triage.auto_triage = on;
SELECT cmp_ok((SELECT count(*) FROM triage.search_tickets('refund')), '>=', 3::bigint, 'and are found');

-- The same call makes the same
SET LOCAL triage.tenant = 'again';
SELECT triage.load_demo();
CREATE FUNCTION pg_temp.tickets_of(tenant text) RETURNS TABLE (line text) LANGUAGE sql AS $$
	SELECT concat_ws('|', t.external_id, t.subject, t.status, t.resolution, t.handler, t.priority, t.category, t.assignee_id, t.requester_id)
		FROM triage.tickets t WHERE t.tenant_id = tenant $$;
SELECT bag_eq('SELECT pg_temp.tickets_of(''again'')', 'SELECT pg_temp.tickets_of(''show'')', 'the same call makes the same tickets');

-- From fifty tickets on
SET LOCAL triage.tenant = 'fifty';
SELECT triage.add_consumer('relay');
SELECT triage.load_demo(50);
SELECT is_empty('SELECT FROM triage.events', 'a consumer of events is told of none of it');
SELECT triage.drop_consumer('relay');
SELECT set_eq('SELECT DISTINCT pg_temp.state(status, resolution, handler, assignee_id) FROM triage.tickets WHERE tenant_id = ''fifty''',
	'{OPEN_AI_HANDLING,PENDING_HUMAN_ASSIGNMENT,ACTIVE_HUMAN_CHAT,CLOSED_RESOLVED,CLOSED_BY_CLIENT}'::text[],
	'fifty tickets show the five states [seed 13] [seed 14] [seed 15] [seed 16] [seed 17]');
SELECT is((SELECT count(DISTINCT t.status) FROM triage.tickets t WHERE t.tenant_id = 'fifty'), 7::bigint, 'and all statuses');
SELECT is((SELECT count(DISTINCT t.category) FROM triage.tickets t WHERE t.tenant_id = 'fifty'), 5::bigint, 'and all categories');

-- Conversations
SELECT set_eq('SELECT DISTINCT status FROM triage.support_tickets WHERE tenant_id = ''fifty''', 'SELECT unnest(enum_range(NULL::triage.support_status))',
	'fifty tickets have conversations in all five states [seed 13] [seed 14] [seed 15] [seed 16] [seed 17]');
SELECT cmp_ok((SELECT count(*) FROM triage.support_tickets s WHERE s.tenant_id = 'show' AND s.escalation_reason IS NOT NULL AND s.initial_summary IS NOT NULL), '>', 20::bigint,
	'some were handed over to people, with the reason and a summary [seed 37] [seed 38]');
SELECT set_eq('SELECT DISTINCT role::text FROM triage.chat_messages WHERE tenant_id = ''show''', '{user,assistant,agent}'::text[], 'customers, the AI and agents speak');
SELECT is_empty($$SELECT 1 FROM triage.chat_messages m JOIN triage.chat_sessions s ON s.tenant_id = m.tenant_id AND s.id = m.session_id
	WHERE m.tenant_id = 'show' AND NOT m.created_at BETWEEN s.created_at AND coalesce(s.ended_at, now())$$, 'within their session');
SELECT is_empty($$SELECT m.id FROM triage.chat_messages m WHERE m.tenant_id = 'show' AND (m.content ~ '[{}]' OR m.run_id IS NOT NULL)$$, 'no place is left open, and no run named');
SELECT is((SELECT count(*) FROM triage.ai_jobs), 0::bigint, 'no reply or summary is asked for');
SELECT is_empty($$SELECT s.id FROM triage.support_tickets s WHERE s.tenant_id = 'show' AND s.status IN ('PENDING_HUMAN_ASSIGNMENT', 'ACTIVE_HUMAN_CHAT')
	AND (s.escalation_reason IS NULL OR s.initial_summary IS NULL)$$, 'whoever waits for people, or has them, was handed over for a reason [seed 14] [seed 15]');
SELECT is_empty($$SELECT o.id FROM triage.chat_overview o JOIN triage.support_tickets s ON s.conversation_id = o.id AND s.tenant_id = o.tenant_id
	WHERE o.tenant_id = 'show' AND (o.messages < 2 OR o.summary IS DISTINCT FROM CASE WHEN s.escalation_reason IS NOT NULL THEN s.initial_summary END)$$,
	'the list of conversations has their messages and summaries [seed 38]');
SELECT set_eq($$SELECT DISTINCT l.kind FROM triage.ticket_timeline l JOIN triage.support_tickets s ON s.id = l.ticket_id AND s.tenant_id = l.tenant_id
	WHERE l.tenant_id = 'show'$$, '{created,comment,message,escalation,change,assignment,ai_result}'::text[], 'and their timelines all that happened [seed 58]');
-- Product issues -------------------------------------------------------------------------------------------------------------

SELECT is((SELECT count(*) FROM triage.issue_clusters c WHERE c.tenant_id = 'show'), (SELECT count(*) FROM triage.demo_clusters()), 'clusters of product issues');
SELECT is_empty($$SELECT x.subject FROM triage.demo_issues() x
	WHERE NOT EXISTS (SELECT FROM triage.demo_scenarios() s WHERE s.subject = x.subject AND strpos(s.description, x.quote) > 0)$$, 'of scenarios that are there, in their own words');
SELECT is_empty('SELECT x.subject FROM triage.demo_issues() x GROUP BY x.subject HAVING count(*) > 1', 'which report one problem each');
SELECT set_eq('SELECT x.cluster FROM triage.demo_issues() x', 'SELECT c.cluster FROM triage.demo_clusters() c', 'one of the clusters');
SELECT is_empty($$SELECT i.id FROM triage.extracted_issues i JOIN triage.issue_clusters c ON c.tenant_id = i.tenant_id AND c.id = i.cluster_id
		JOIN triage.tickets t ON t.tenant_id = i.tenant_id AND t.id = i.ticket_id
		JOIN triage.demo_clusters() d ON d.name = c.cluster_name
	WHERE i.tenant_id = 'show' AND NOT EXISTS (SELECT FROM triage.demo_issues() x
		WHERE x.cluster = d.cluster AND t.subject LIKE regexp_replace(x.subject, '\{[a-z]+\}', '%', 'g'))$$, 'and each issue is of a ticket that reports its cluster''s problem');
SELECT is_empty($$SELECT i.id FROM triage.extracted_issues i WHERE i.tenant_id = 'show' AND i.representative_quote ~ 'quick work'$$, 'thanks are no problem');
SELECT is_empty($$SELECT c.cluster_name FROM triage.issue_clusters c LEFT JOIN triage.extracted_issues i ON i.tenant_id = c.tenant_id AND i.cluster_id = c.id
	WHERE c.tenant_id = 'show' GROUP BY c.id, c.cluster_name HAVING count(i.id) < 3 OR count(DISTINCT i.customer) < 2$$, 'each large enough to be shown');
SELECT is_empty($$SELECT i.id FROM triage.extracted_issues i JOIN triage.tickets t ON t.tenant_id = i.tenant_id AND t.id = i.ticket_id
	WHERE i.tenant_id = 'show' AND (NOT i.quote_verified OR strpos(t.description, i.representative_quote) = 0 OR i.reported_at <> t.created_at OR concat(i.summary, i.representative_quote) ~ '[{}]')$$,
	'with quotes that stand in the tickets');
SELECT triage.create_tenant('visited');
INSERT INTO triage.chat_sessions (tenant_id) VALUES ('visited');
SET LOCAL triage.tenant = 'visited';
SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), '55000', 'a tenant with a conversation is refused');

-- They can be worked with [seed 96] ------------------------------------------------------------------------------------------------

SET LOCAL triage.tenant = 'show';
SELECT min(t.id) AS done FROM triage.tickets t WHERE t.tenant_id = 'show' AND t.status = 'resolved' \gset
SELECT lives_ok(format('SELECT triage.add_comment(%s, ''it is back'', ''demo-customer-1'')', :done), 'a customer''s answer');
SELECT is((SELECT t.status::text FROM triage.tickets t WHERE t.id = :done), 'in_progress', 'reopens a ticket');
SELECT lives_ok(format('SELECT triage.assign_ticket(%s, ''demo-agent-ida'')', :done), 'which can be assigned');
SELECT lives_ok(format('SELECT triage.resolve_ticket(%s)', :done), 'and resolved');
SELECT lives_ok('SELECT triage.request_triage(t.id) FROM triage.tickets t WHERE t.tenant_id = ''show'' AND t.status = ''open'' ORDER BY t.id LIMIT 1',
	'who asks a model, gets a job');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.kind = 'triage'), 1::bigint, 'that one');

-- Where it is refused --------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), '55000', 'where it is already');
SET LOCAL triage.tenant = 'used';
SELECT triage.create_ticket('mine', 'a real one', external_id => 'demo-x', source => 'demo') AS mine \gset
SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), '55000', 'beside a ticket');
SELECT is(triage.remove_demo(), 0::bigint, 'which is not taken for one of the demonstration');
SELECT triage.delete_ticket(:mine);
SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), '55000', 'beside one that was deleted');
SET LOCAL triage.tenant = 'listed';
INSERT INTO triage.people (tenant_id, id) VALUES ('listed', 'carl');
SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), '55000', 'beside people');
SET LOCAL triage.tenant = 'nowhere';
SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), 'P0002', 'for a tenant that does not exist');
SET LOCAL triage.tenant = 'bare';
DELETE FROM triage.ticket_categories WHERE tenant_id = 'bare' AND category = 'billing';
SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), '23503', 'without the categories');
SELECT is(pg_temp.outcome('SELECT triage.load_demo(' || n || ')'), '22023', 'for so many tickets: ' || n) FROM unnest('{0,-1,10001,NULL::int}'::text[]) AS n;
CREATE ROLE regress_triage_admin;
SELECT triage.grant_access('regress_triage_admin', 'admin');
SET LOCAL ROLE regress_triage_admin;
SELECT is(pg_temp.outcome('SELECT triage.load_demo()'), '42501', 'for an admin, who is not the owner');
SELECT is(pg_temp.outcome('SELECT triage.remove_demo()'), '42501', 'who cannot remove it either');
RESET ROLE;

-- Triggers stay as they were -----------------------------------------------------------------

SELECT is(pg_temp.triggers(), :'triggers', 'all triggers are on again');
SELECT triage.load_default_vocabulary('bare');
CREATE TABLE pg_temp.rung (tickets bigint);
CREATE FUNCTION pg_temp.ring() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO pg_temp.rung VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER "100% host's" AFTER INSERT ON triage.tickets FOR EACH ROW EXECUTE FUNCTION pg_temp.ring();
CREATE TRIGGER off AFTER INSERT ON triage.tickets FOR EACH ROW EXECUTE FUNCTION pg_temp.ring();
ALTER TABLE triage.tickets DISABLE TRIGGER off;
SELECT pg_temp.triggers() AS triggers \gset
SELECT triage.load_demo(1);
SELECT is((SELECT count(*) FROM pg_temp.rung), 0::bigint, 'the application''s own trigger is not told of them');
SELECT is(pg_temp.triggers(), :'triggers', 'is on again, and one that was off is off');
SELECT is((SELECT count(*) FROM triage.tickets t WHERE t.tenant_id = 'bare'), 1::bigint, 'one ticket can be had too');

-- What remains ----------------------------------------------------------------------------------------------------------------------

SET LOCAL triage.tenant = 'show';
SELECT triage.create_ticket('mine', 'a real one', 'demo-customer-2') AS mine \gset
-- what people do with the demonstration's rows makes them no rows of their own
SELECT s.customer_id AS talker, s.id AS talk FROM triage.chat_sessions s WHERE s.tenant_id = 'show' AND s.customer_id <> 'demo-customer-2' ORDER BY s.id LIMIT 1 \gset
SELECT triage.erase_person(:'talker');
UPDATE triage.chat_sessions SET metadata = '{"page": "/"}' WHERE tenant_id = 'show' AND id = (SELECT max(x.id) FROM triage.chat_sessions x WHERE x.tenant_id = 'show' AND x.customer_id <> 'demo-customer-2');
SELECT is(triage.remove_demo(), 200::bigint, 'all are removed');
SELECT is((SELECT string_agg(p.id, ' ') FROM triage.people p WHERE p.tenant_id = 'show'), 'demo-customer-2', 'but a person whom another ticket names');
SELECT is((SELECT string_agg(t.subject, ' ') FROM triage.tickets t WHERE t.tenant_id = 'show'), 'mine', 'and that ticket');
SELECT is((SELECT count(*) FROM triage.tickets t WHERE t.tenant_id = 'again'), 200::bigint, 'another tenant''s stay');
DELETE FROM triage.tickets WHERE id = :mine;
SELECT is(triage.remove_demo(), 0::bigint, 'a second time there is nothing left');
SELECT is(pg_temp.contents('show'), :'empty', 'and the tenant is as it was before');
SELECT is(triage.load_demo(10), 10, 'so that it can be filled again');

SELECT finish();
ROLLBACK;
