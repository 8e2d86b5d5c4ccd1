-- Comments, and what they do to their ticket.
\set ECHO none
\set tenant comments
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

CREATE VIEW pg_temp.state AS
	SELECT t.external_id AS ticket, t.status, t.handler, t.waiting_since IS NOT NULL AS waiting,
			t.first_response_at IS NOT NULL AS answered, t.version
		FROM triage.tickets t
		WHERE t.tenant_id = 'comments'
		ORDER BY t.external_id;
INSERT INTO triage.tickets (tenant_id, subject, description, external_id, handler) VALUES ('comments', 's', 'd', 'a', 'ai');
SELECT * FROM pg_temp.state;

-- the customer waits already: nothing to change
SELECT triage.add_comment(pg_temp.ticket('a'), 'Hello?', 'c1') > 0 AS added;
SELECT * FROM pg_temp.state;
-- where the AI answers, its reply ends the wait, and is no first response
SELECT triage.add_comment(pg_temp.ticket('a'), 'Have you tried ...', author_role => 'ai') > 0 AS added;
SELECT * FROM pg_temp.state;
-- a note changes nothing
SELECT triage.add_comment(pg_temp.ticket('a'), 'odd one', 'ann', 'agent', 'internal') > 0 AS added;
SELECT * FROM pg_temp.state;
SELECT triage.add_comment(pg_temp.ticket('a'), 'No, a person please', 'c1') > 0 AS added;
SELECT * FROM pg_temp.state;
-- an agent answers: from now on people do
SELECT triage.add_comment(pg_temp.ticket('a'), 'Here I am', 'ann', 'agent') > 0 AS added;
SELECT * FROM pg_temp.state;
SELECT triage.add_comment(pg_temp.ticket('a'), 'and again', 'ann', 'agent') > 0 AS added;
SELECT * FROM pg_temp.state;
-- where people answer, what a machine says leaves the customer waiting
SELECT triage.add_comment(pg_temp.ticket('a'), 'thanks, but', 'c1') > 0,
	triage.add_comment(pg_temp.ticket('a'), 'We got your message', author_role => 'ai') > 0;
SELECT * FROM pg_temp.state;

-- the customer's answer brings a ticket back, to its agent if it has one
SELECT triage.update_ticket(pg_temp.ticket('a'), '{"status": "pending"}');
SELECT triage.add_comment(pg_temp.ticket('a'), 'my answer', 'c1') > 0 AS added;
SELECT * FROM pg_temp.state;
SELECT triage.assign_ticket(pg_temp.ticket('a'), 'ann');
SELECT triage.resolve_ticket(pg_temp.ticket('a'));
SELECT * FROM pg_temp.state;
-- a plain INSERT does the same
INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (pg_temp.ticket('a'), 'not solved');
SELECT * FROM pg_temp.state;
SELECT triage.update_ticket(pg_temp.ticket('a'), '{"status": "review"}');
SELECT triage.add_comment(pg_temp.ticket('a'), 'hurry', 'c1') > 0 AS added;
SELECT status FROM pg_temp.state;

-- closed is closed: what its customer writes goes on elsewhere (test/pgtap/conversation.sql)
SELECT triage.close_ticket(pg_temp.ticket('a'));
SELECT * FROM pg_temp.outcome($$SELECT triage.add_comment(pg_temp.ticket('a'), 'one more thing', 'ann', 'agent')$$);
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.ticket_comments (ticket_id, content, author_role) VALUES (pg_temp.ticket('a'), 'x', 'ai')$$);
SELECT triage.add_comment(pg_temp.ticket('a'), 'for the files', 'ann', visibility => 'internal') > 0 AS added;
SELECT * FROM pg_temp.state;
SELECT * FROM pg_temp.outcome($$INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (-1, 'x')$$);

-- the same delivery twice is one comment, also when the ticket is closed since
SELECT triage.create_ticket('s', 'd', external_id => 'b') > 0 AS created;
SELECT triage.add_comment(pg_temp.ticket('b'), 'mail', 'c2', source => 'email', external_id => '<1@example.org>') AS first \gset
SELECT triage.close_ticket(pg_temp.ticket('b'));
SELECT triage.add_comment(pg_temp.ticket('b'), 'mail', 'c2', source => 'email', external_id => '<1@example.org>') = :first AS same;
SELECT triage.create_ticket('s', 'd', external_id => 'c') > 0 AS created;
SELECT * FROM pg_temp.outcome($$SELECT triage.add_comment(pg_temp.ticket('c'), 'x', source => 'email', external_id => '<1@example.org>')$$);

-- authors become known; a known one's role is that of the comment unless another is said
SELECT triage.add_comment(pg_temp.ticket('c'), 'I look into it', 'ann') > 0 AS added;
SELECT p.id, p.role FROM triage.people p WHERE p.tenant_id = 'comments' ORDER BY 1;
SELECT t.external_id AS ticket, c.author_id, c.author_role, c.visibility, c.content
	FROM triage.ticket_comments c JOIN triage.tickets t ON t.id = c.ticket_id
	WHERE c.tenant_id = 'comments'
	ORDER BY c.id;
