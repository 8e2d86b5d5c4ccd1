-- A ticket's states: each of the 49 changes of status, and what follows from a change.
\ir prepare.psql
SELECT plan(50 + 47 + 4);

-- From each status to each other one, by plain UPDATE -----------------------------------------------------------------

CREATE TABLE pg_temp.machine (old triage.ticket_status, allowed triage.ticket_status[]);
INSERT INTO pg_temp.machine VALUES
	('open',        '{open, in_progress, pending, on_hold, review, resolved, closed}'),
	('in_progress', '{open, in_progress, pending, on_hold, review, resolved, closed}'),
	('pending',     '{open, in_progress, pending, on_hold, resolved, closed}'),
	('on_hold',     '{open, in_progress, pending, on_hold, resolved, closed}'),
	('review',      '{in_progress, pending, review, resolved, closed}'),
	('resolved',    '{open, in_progress, resolved, closed}'),
	('closed',      '{closed}');

CREATE FUNCTION pg_temp.change(old triage.ticket_status, new triage.ticket_status) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket bigint;
	reached triage.ticket_status;
BEGIN
	INSERT INTO triage.tickets (description, status) VALUES ('x', old) RETURNING id INTO ticket;
	UPDATE triage.tickets SET status = new WHERE id = ticket RETURNING status INTO reached;
	RETURN 'now ' || reached;
EXCEPTION WHEN check_violation THEN
	RETURN regexp_replace(SQLERRM, '\d+', 'N');
END
$$;

SELECT is(pg_temp.change(m.old, n.new),
		CASE WHEN n.new = ANY (m.allowed) THEN 'now ' || n.new
			ELSE format('ticket N cannot go from %s to %s', m.old, n.new) END,
		format('%s to %s', m.old, n.new))
	FROM pg_temp.machine m, unnest(enum_range(NULL::triage.ticket_status)) AS n (new)
	ORDER BY m.old, n.new;

-- What follows from the status -----------------------------------------------------------------------------------------

CREATE TEMP VIEW state AS
	SELECT t.external_id, concat_ws(' ', t.status, coalesce(t.resolution::text, '-'),
			CASE WHEN t.resolved_at IS NOT NULL THEN 'resolved_at' END,
			CASE WHEN t.closed_at IS NOT NULL THEN 'closed_at' END,
			CASE WHEN t.waiting_since IS NOT NULL THEN 'waiting' END) AS state
		FROM triage.tickets t;
CREATE FUNCTION pg_temp.state(external_id text) RETURNS text
	LANGUAGE sql
AS $$ SELECT s.state FROM pg_temp.state s WHERE s.external_id = state.external_id $$;

INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('bob', 'agent'), ('carl', 'customer');
INSERT INTO triage.tickets (external_id, description) VALUES ('a', 'x');
SELECT is(pg_temp.state('a'), 'open - waiting', 'a new ticket is open and its customer waits');
SELECT is(waiting_since, created_at, 'since it was created') FROM triage.tickets WHERE external_id = 'a';
UPDATE triage.tickets SET status = 'resolved' WHERE external_id = 'a';
SELECT is(pg_temp.state('a'), 'resolved resolved resolved_at', 'resolved: resolution and time are set, nobody waits');
UPDATE triage.tickets SET resolution = 'spam' WHERE external_id = 'a';
SELECT is(pg_temp.state('a'), 'resolved spam resolved_at', 'the resolution may be another one');
UPDATE triage.tickets SET resolution = NULL WHERE external_id = 'a';
SELECT is(pg_temp.state('a'), 'resolved resolved resolved_at', 'but not none');
UPDATE triage.tickets SET status = 'open' WHERE external_id = 'a';
SELECT is(pg_temp.state('a'), 'open -', 'a reopened ticket has neither resolution nor times');
SELECT throws_ok($$UPDATE triage.tickets SET resolution = 'spam' WHERE external_id = 'a'$$, '23514',
	'a ticket that is open has no resolution', 'a resolution is refused while it is open');
UPDATE triage.tickets SET resolved_at = now(), closed_at = now() WHERE external_id = 'a';
SELECT is(pg_temp.state('a'), 'open -', 'nor can they be set while it is open');
UPDATE triage.tickets SET status = 'resolved', resolution = 'deflected', resolved_at = '2020-02-02' WHERE external_id = 'a';
SELECT is(pg_temp.state('a'), 'resolved deflected resolved_at', 'what the UPDATE says of the resolution holds');
SELECT is(resolved_at, '2020-02-02', 'so does the time it gives, as an import does') FROM triage.tickets WHERE external_id = 'a';
UPDATE triage.tickets SET status = 'closed' WHERE external_id = 'a';
SELECT is(pg_temp.state('a'), 'closed deflected resolved_at closed_at', 'closed: one time more, the resolution stays');
SELECT is(resolved_at, '2020-02-02', 'and the time it was resolved') FROM triage.tickets WHERE external_id = 'a';
SELECT is(pg_temp.outcome($$UPDATE triage.tickets SET closed_at = NULL WHERE external_id = 'a'$$), 'ok', 'a closed ticket can be updated');
SELECT is(pg_temp.state('a'), 'closed deflected resolved_at closed_at', 'but keeps its times');

INSERT INTO triage.tickets (external_id, description, status, resolution) VALUES ('b', 'x', 'closed', 'abandoned'), ('c', 'x', 'resolved', NULL);
SELECT is(pg_temp.state('b'), 'closed abandoned resolved_at closed_at', 'a ticket may begin closed');
SELECT is(pg_temp.state('c'), 'resolved resolved resolved_at', 'or resolved');
INSERT INTO triage.tickets (external_id, description, closed_at) VALUES ('d', 'x', now());
SELECT is(pg_temp.state('d'), 'open - waiting', 'an open one begins without a time of its end, whatever the INSERT says');
SELECT is(pg_temp.outcome($$UPDATE triage.tickets SET status = NULL WHERE external_id = 'd'$$), '23502', 'no status is no status');

-- 0 stands for no ticket: under a budget a job about one of that id would keep all others from being claimed
SELECT throws_ok($$INSERT INTO triage.tickets (id, description) OVERRIDING SYSTEM VALUE VALUES (0, 'y')$$, '23514',
	'a ticket cannot have the id 0', 'an id that stands for none is refused');

-- an answer to a ticket without a version that counts could not be stored
SELECT throws_ok($$INSERT INTO triage.tickets (subject, description, version) VALUES ('x', 'y', -7)$$, '23514',
	'the version of a ticket must be at least 1, not -7', 'a version that is no count is refused');
INSERT INTO triage.tickets (subject, description, external_id, version) VALUES ('x', 'y', 'counted out', 2147483646);
UPDATE triage.tickets SET subject = 'xx' WHERE external_id = 'counted out';
SELECT is((SELECT version FROM triage.tickets WHERE external_id = 'counted out'), 2147483647, 'a version counts up to the last number');
UPDATE triage.tickets SET subject = 'xxx' WHERE external_id = 'counted out';
SELECT is((SELECT version FROM triage.tickets WHERE external_id = 'counted out'), 1, 'and begins again after it');

SELECT throws_ok($$UPDATE triage.tickets SET status = 'open' WHERE external_id = 'b'$$, '23514',
	format('ticket %s cannot go from closed to open', pg_temp.ticket('b')), 'the refusal names ticket and statuses');
SELECT is(pg_temp.outcome($$UPDATE triage.tickets SET status = 'pending' WHERE external_id IN ('b', 'd')$$), '23514',
	'one refused row refuses the statement');
SELECT is(pg_temp.state('d'), 'open - waiting', 'and leaves the others as they were');
INSERT INTO triage.tickets (external_id, source, description) VALUES ('d', 'api', 'x')
	ON CONFLICT ON CONSTRAINT tickets_external_id_key DO UPDATE SET status = 'review';
SELECT is(pg_temp.state('d'), 'review - waiting', 'ON CONFLICT DO UPDATE meets the same machine: allowed');
SELECT is(pg_temp.outcome($$INSERT INTO triage.tickets (external_id, source, description) VALUES ('d', 'api', 'x')
	ON CONFLICT ON CONSTRAINT tickets_external_id_key DO UPDATE SET status = 'open'$$), '23514', 'and refused');

-- Assigning ------------------------------------------------------------------------------------------------------------

INSERT INTO triage.tickets (external_id, description, assignee_id, status) VALUES
	('e', 'x', NULL, 'open'), ('f', 'x', 'ann', 'open'), ('g', 'x', NULL, 'pending'), ('h', 'x', NULL, 'open'), ('i', 'x', NULL, 'open');
SELECT is(pg_temp.state('f'), 'in_progress - waiting', 'a ticket that begins with an agent is in progress');
UPDATE triage.tickets SET assignee_id = 'ann' WHERE external_id IN ('e', 'g');
SELECT is(pg_temp.state('e'), 'in_progress - waiting', 'assigning takes an open ticket');
SELECT is(pg_temp.state('g'), 'pending - waiting', 'and leaves another status alone');
UPDATE triage.tickets SET assignee_id = 'ann', status = 'on_hold' WHERE external_id = 'h';
SELECT is(pg_temp.state('h'), 'on_hold - waiting', 'a status given with the agent holds');
UPDATE triage.tickets SET status = 'open' WHERE external_id = 'e';
SELECT is(pg_temp.state('e'), 'open - waiting', 'a ticket may be put back to open and keep its agent');
UPDATE triage.tickets SET assignee_id = 'bob' WHERE external_id = 'e';
SELECT is(pg_temp.state('e'), 'in_progress - waiting', 'the next agent takes it again');
SELECT triage.unassign_ticket(pg_temp.ticket('e')) AS version \gset
SELECT is(pg_temp.state('e'), 'open - waiting', 'unassign_ticket() gives it back');
SELECT triage.assign_ticket(pg_temp.ticket('e'), 'ann') AS version \gset
SELECT is(pg_temp.state('e'), 'in_progress - waiting', 'assign_ticket() takes it');
SELECT is(pg_temp.outcome($$SELECT triage.assign_ticket(pg_temp.ticket('e'), 'carl')$$), '23514', 'a customer cannot have it');

-- Labels that a person chose -------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.manual(external_id text) RETURNS text
	LANGUAGE sql
AS $$
	SELECT concat_ws(' ', coalesce(t.category, '-'), CASE WHEN t.category_is_manual THEN '(manual)' END,
			t.priority, CASE WHEN t.priority_is_manual THEN '(manual)' END)
		FROM triage.tickets t WHERE t.external_id = manual.external_id
$$;
INSERT INTO triage.tickets (external_id, description, category, priority) VALUES
	('k', 'x', NULL, 'medium'), ('l', 'x', 'billing', 'medium'), ('m', 'x', NULL, 'low');
SELECT is(pg_temp.manual('k'), '- medium', 'labels left at their defaults are nobody''s choice');
SELECT is(pg_temp.manual('l'), 'billing (manual) medium', 'a category given is a person''s');
SELECT is(pg_temp.manual('m'), '- low (manual)', 'so is a priority');
UPDATE triage.tickets SET category = 'general', priority = 'high' WHERE external_id = 'k';
SELECT is(pg_temp.manual('k'), 'general (manual) high (manual)', 'so is a change of either');
UPDATE triage.tickets SET category_is_manual = false, priority_is_manual = false WHERE external_id = 'k';
SELECT is(pg_temp.manual('k'), 'general high', 'a person may give the choice back');
UPDATE triage.tickets SET category = 'billing', category_is_manual = false WHERE external_id = 'k';
SELECT is(pg_temp.manual('k'), 'billing (manual) high', 'a flag that was off and is said to be off does not keep a change from being a person''s');
UPDATE triage.tickets SET category = 'general', category_is_manual = false WHERE external_id = 'k';
SELECT is(pg_temp.manual('k'), 'general high', 'one that was on can be taken off with the change');
SET LOCAL triage.actor = 'triage';
UPDATE triage.tickets SET category = 'technical', priority = 'urgent' WHERE external_id IN ('l', 'm');
INSERT INTO triage.tickets (external_id, description, category, priority) VALUES ('n', 'x', 'billing', 'urgent');
SELECT is(pg_temp.manual('n'), 'billing (manual) urgent (manual)', 'who only calls himself triage is a person');
SELECT is(pg_temp.manual('m'), 'technical (manual) urgent (manual)', 'with a change too: only a result is the model''s choice');
RESET triage.actor;
SELECT triage.create_ticket('x', 'x', external_id => 'o', priority => 'medium') AS id \gset
SELECT is(pg_temp.manual('o'), '- medium (manual)', 'create_ticket(): said is said, even the default');

-- Version, time, search --------------------------------------------------------------------------------------------------

INSERT INTO triage.tickets (external_id, subject, description, language) VALUES ('v', 'Printers', 'jammed', NULL), ('w', 'Häuser', 'x', 'de');
UPDATE triage.tickets SET version = 100, updated_at = '2000-01-01', search = 'nonsense' WHERE external_id = 'v';
SELECT is(version, 2, 'the version counts the changes, whatever an UPDATE says') FROM triage.tickets WHERE external_id = 'v';
SELECT ok(updated_at > '2000-01-01', 'updated_at cannot be set') FROM triage.tickets WHERE external_id = 'v';
SELECT is(search::text, $$'jam':2B 'printer':1A$$, 'nor can the words for the search') FROM triage.tickets WHERE external_id = 'v';
UPDATE triage.tickets SET subject = 'Laptops' WHERE external_id = 'v';
SELECT is(search::text, $$'jam':2B 'laptop':1A$$, 'which follow the text') FROM triage.tickets WHERE external_id = 'v';
SELECT ok(search @@ to_tsquery('german', 'haus'), 'in its language') FROM triage.tickets WHERE external_id = 'w';
UPDATE triage.tickets SET language = 'en' WHERE external_id = 'w';
SELECT ok(NOT search @@ to_tsquery('german', 'haus'), 'and follow the language') FROM triage.tickets WHERE external_id = 'w';

SELECT finish();
ROLLBACK;
