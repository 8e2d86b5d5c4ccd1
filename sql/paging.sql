-- list_tickets: filters, order, pages.
\set ECHO none
\set tenant paging
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

-- ten tickets; four of them share a time, so that only (created_at, id) is an order
INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('c1', 'customer');
INSERT INTO triage.tickets (external_id, subject, description, created_at, priority, category, assignee_id, requester_id)
	SELECT 't' || i, 'ticket ' || i, 'text', timestamptz '2025-01-01' + least(i, 7) * interval '1 hour',
			CASE WHEN i % 4 = 0 THEN 'high' ELSE 'low' END::triage.ticket_priority,
			CASE WHEN i % 2 = 0 THEN 'billing' END,
			CASE WHEN i % 5 = 0 THEN 'ann' END, CASE WHEN i > 8 THEN 'c1' END
		FROM generate_series(1, 10) i;
SELECT triage.resolve_ticket(pg_temp.ticket('t2')) > 0, triage.close_ticket(pg_temp.ticket('t4')) > 0,
	triage.delete_ticket(pg_temp.ticket('t6')) > 0;

CREATE FUNCTION pg_temp.names(ids bigint[]) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(t.external_id, ' ' ORDER BY u.ord)
		FROM unnest(ids) WITH ORDINALITY u (id, ord) JOIN triage.tickets t ON t.id = u.id
$$;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets())) AS "all";
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(include_finished => false))) AS not_finished;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(statuses => '{resolved,closed}'))) AS finished;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(statuses => '{open,resolved}', priorities => '{low}'))) AS open_or_resolved_low;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(categories => '{billing,technical}'))) AS billing;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(assignee => 'ann'))) AS ann;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(requester => 'c1', unassigned => true))) AS c1_unassigned;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(statuses => '{}'))) AS none;
SELECT pg_temp.names(ARRAY (SELECT id FROM triage.list_tickets(max_rows => 0))) AS none;
SELECT subject, status, priority, category, assignee_id, requester_id, ai_state, version
	FROM triage.list_tickets(max_rows => 2);

-- walking the pages meets each ticket once, in order, also when new ones come in between
DO $$
DECLARE
	row record;
	last_created_at timestamptz;
	last_id bigint;
	names text[] := '{}';
	pages int := 0;
	more boolean;
BEGIN
	LOOP
		more := false;
		FOR row IN
			SELECT l.id, l.created_at, l.subject
				FROM triage.list_tickets(after_created_at => last_created_at, after_id => last_id, max_rows => 2) l
		LOOP
			names := names || row.subject;
			last_created_at := row.created_at;
			last_id := row.id;
			more := true;
		END LOOP;
		EXIT WHEN NOT more OR pages > 10;
		pages := pages + 1;
		PERFORM triage.create_ticket('late comer', 'text');
	END LOOP;
	RAISE WARNING '% pages: %', pages, array_to_string(names, ', ');
END
$$;
