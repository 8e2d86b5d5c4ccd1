-- Comments: what they do to their ticket, where a closed ticket's customer lands, editing, removing, attachments.
\ir prepare.psql
SELECT no_plan();

INSERT INTO triage.people (id, role) VALUES ('ann', 'agent'), ('root', 'admin'), ('bot', 'ai'), ('carl', 'customer'), ('carla', 'customer');
CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
CREATE FUNCTION pg_temp.state(ticket_id bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT concat_ws(' ', t.status, CASE WHEN t.waiting_since IS NOT NULL THEN 'waiting' END,
			CASE WHEN t.first_response_at IS NOT NULL THEN 'answered' END, 'v' || t.version)
		FROM triage.tickets t WHERE t.id = state.ticket_id
$$;
-- a refusal in words
CREATE FUNCTION pg_temp.refusal(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, regexp_replace(SQLERRM, '\d+', 'N', 'g'), nullif(hint, ''));
END
$$;
GRANT EXECUTE ON FUNCTION pg_temp.refusal(text) TO PUBLIC;

-- A comment has a ticket and an author --------------------------------------------------------------------------------------------

SELECT triage.create_ticket('printer', 'jams', 'carl', 'carl@example.org', external_id => 'a') AS a \gset
SELECT triage.add_comment(:a, 'hello', 'carl') AS c \gset
SELECT results_eq(format('SELECT c.ticket_id, c.author_id, c.author_role::text, c.visibility::text, c.content, c.created_at = now() FROM triage.ticket_comments c WHERE c.id = %s', :c),
	format($$VALUES (%s::bigint, 'carl', 'customer', 'public', 'hello', true)$$, :a), '[seed 59] [seed 60] a comment has its ticket, author, text and time');
SELECT is(pg_temp.outcome('INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (-1, ''x'')'), 'P0002', '[seed 61] [seed 80] [seed 91] a comment belongs to a ticket');
SELECT is(pg_temp.outcome(format('INSERT INTO triage.ticket_comments (ticket_id, author_id, content) VALUES (%s, ''nobody'', ''x'')', :a)),
	'23503 ticket_comments_author_fkey', '[seed 61] [seed 80] [seed 91] and to a person who is known');
SELECT is(pg_temp.refusal(format('SELECT triage.add_comment(%s, %L, ''carl'')', :a, E' \n')), '23514 | a comment must not be blank | Give it a character that is not white space.',
	'[seed 92] [seed 99] no blank comment');
SELECT is(pg_temp.refusal(format('SELECT triage.add_comment(%s, repeat(''x'', 1048577), ''carl'')', :a)), '23514 | comment is too long: N bytes | A comment holds at most 1048576 bytes; split it.',
	'[seed 92] [seed 99] none above a mebibyte');
SELECT is(pg_temp.refusal(format('SELECT triage.add_comment(%s, ''x'', external_id => '''')', :a)),
	'23514 | external_id has N to N characters, not N | Leave it NULL when the source gives none.', 'an empty external id is told apart from none');
SELECT is(pg_temp.refusal(format('SELECT triage.add_comment(%s, ''x'', source => '''')', :a)),
	'23514 | source has N to N characters, not N | Name the channel, such as ''email'', or leave it away for ''api''.', 'and an empty source from none');

-- What a comment does -----------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.state(:a), 'open waiting v1', 'a customer who waits goes on waiting');
SELECT triage.add_comment(:a, 'odd one', 'ann', visibility => 'internal');
SELECT is(pg_temp.state(:a), 'open waiting v1', 'a note of an agent''s changes nothing');
SELECT triage.add_comment(:a, 'try this', 'ann');
SELECT is(pg_temp.state(:a), 'open answered v2', 'an agent''s public comment is the first response and ends the wait');
CREATE FUNCTION pg_temp.reopens(status text, assignee text, comment text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket bigint := triage.create_ticket('x', 'x', 'carl');
BEGIN
	IF assignee IS NOT NULL THEN
		PERFORM triage.assign_ticket(ticket, assignee);
	END IF;
	PERFORM triage.add_comment(ticket, 'answer', 'ann');
	PERFORM triage.update_ticket(ticket, jsonb_build_object('status', status));
	EXECUTE replace(comment, '$ticket', ticket::text);
	RETURN regexp_replace(pg_temp.state(ticket), ' v\d+', '');
END
$$;
SELECT is(pg_temp.reopens(s.status, a.assignee, c.command),
		CASE c.who WHEN 'customer' THEN CASE WHEN s.status = 'review' THEN 'review' WHEN a.assignee IS NULL THEN 'open' ELSE 'in_progress' END || ' waiting answered'
			ELSE s.status || ' answered' END,
		format('%s, %s: %s', s.status, coalesce('assigned', a.assignee), c.command))
	FROM (VALUES ('pending'), ('on_hold'), ('resolved'), ('review')) s (status),
		(VALUES ('ann'), (NULL)) a (assignee),
		(VALUES ('customer', 'SELECT triage.add_comment($ticket, ''x'', ''carl'')'), ('customer', 'SELECT triage.receive_reply($ticket, ''x'', ''carl'')'),
			('customer', 'INSERT INTO triage.ticket_comments (ticket_id, content) VALUES ($ticket, ''x'')'),
			('customer', 'INSERT INTO triage.ticket_comments (ticket_id, content, author_id) VALUES ($ticket, ''x'', ''carl'')'),
			('agent', 'INSERT INTO triage.ticket_comments (ticket_id, content, author_id) VALUES ($ticket, ''x'', ''ann'')'),
			('agent', 'INSERT INTO triage.ticket_comments (ticket_id, content, author_id, author_role) VALUES ($ticket, ''x'', ''root'', NULL)'),
			('agent', 'INSERT INTO triage.ticket_comments (ticket_id, content, visibility) VALUES ($ticket, ''x'', ''internal'')'),
			('agent', 'SELECT triage.add_comment($ticket, ''x'', ''ann'')'), ('agent', 'SELECT triage.add_comment($ticket, ''x'', ''ann'', visibility => ''internal'')'),
			('agent', 'INSERT INTO triage.ticket_comments (ticket_id, content, author_role) VALUES ($ticket, ''x'', ''admin'')'),
			('customer''s note', 'SELECT triage.add_comment($ticket, ''x'', ''carl'', visibility => ''internal'')')) c (who, command);

-- Whose role a comment has when its writer does not say.
SELECT triage.create_ticket('whose', 'role', 'carl', external_id => 'whose') AS w \gset
INSERT INTO triage.tenants (id) VALUES ('elsewhere');
INSERT INTO triage.people (tenant_id, id, role) VALUES ('elsewhere', 'carl', 'agent');
INSERT INTO triage.ticket_comments (ticket_id, author_id, content) VALUES (:w, 'ann', 'plain answer');
SELECT is(pg_temp.state(:w), 'open answered v2', 'an agent''s answer in a plain INSERT is the first response and ends the wait');
CREATE FUNCTION pg_temp.role_of(ticket_id bigint, author text, visibility triage.comment_visibility) RETURNS text
	LANGUAGE sql
AS $$
	INSERT INTO triage.ticket_comments (ticket_id, author_id, content, visibility) VALUES (ticket_id, author, 'x', visibility)
		RETURNING author_role::text
$$;
SELECT is(array_agg(pg_temp.role_of(:w, a.author, v.visibility) ORDER BY a.author, v.visibility), a.roles, coalesce(a.author, 'nobody') || ': public, a note')
	FROM (VALUES ('carl', '{customer,customer}'::text[]), ('ann', '{agent,agent}'), ('root', '{admin,admin}'), ('bot', '{ai,ai}'), (NULL, '{customer,agent}')) a (author, roles),
		(VALUES ('public'::triage.comment_visibility), ('internal')) v (visibility)
	GROUP BY a.author, a.roles;
SELECT triage.set_syncing(true);
SELECT is(pg_temp.role_of(:w, 'ann', 'public'), 'agent', 'a copy has a role as well');
SELECT triage.set_syncing(false);
SELECT is(pg_temp.outcome(format('INSERT INTO triage.ticket_comments (ticket_id, author_id, content) VALUES (%s, ''ann'', ''x'')', c.id)), '55000',
		'an agent''s plain INSERT makes no follow-up of a closed ticket')
	FROM triage.create_ticket('shut', 'x', 'carl') c (id), triage.close_ticket(c.id);

-- A closed ticket's customer ------------------------------------------------------------------------------------------------------

SELECT triage.create_ticket('invoice', 'wrong', 'carl', 'carl@example.org', 'high', 'billing', source => 'email', external_id => 'm1', language => 'en') AS closed \gset
UPDATE triage.tickets SET priority_is_manual = false WHERE id = :closed;
SELECT triage.close_ticket(:closed);
SELECT pg_temp.state(:closed) AS closed_state \gset
SELECT r.comment_id AS f_comment, r.landed_on AS f, r.is_follow_up FROM triage.receive_reply(:closed, 'wrong again', 'carl', 'email', 'm2') r \gset
SELECT ok(:f <> :closed AND :'is_follow_up', 'what its customer writes begins a follow-up ticket, and the caller is told');
SELECT results_eq(format('SELECT t.subject, t.description, t.requester_id, t.requester_email, t.priority::text, t.category, t.language, t.source, t.status::text, t.assignee_id,
		t.priority_is_manual, t.category_is_manual, t.waiting_since IS NOT NULL FROM triage.tickets t WHERE t.id = %s', :f),
	$$VALUES ('invoice', 'wrong again', 'carl', 'carl@example.org', 'high', 'billing', 'en', 'email', 'open', NULL::text, false, true, true)$$,
	'it has the requester, the labels and the text');
SELECT results_eq(format('SELECT c.ticket_id, c.author_id, c.content, c.source, c.external_id FROM triage.ticket_comments c WHERE c.id = %s', :f_comment),
	format($$VALUES (%s::bigint, 'carl', 'wrong again', 'email', 'm2')$$, :f), 'and the comment, with its name at the source');
SELECT results_eq(format('SELECT l.kind::text, l.other_id FROM triage.ticket_links l WHERE l.ticket_id = %s', :f),
	format($$VALUES ('followup_of', %s::bigint)$$, :closed), 'it is linked to the closed one');
SELECT is((SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = :f), 1::bigint, 'and is triaged like any other');
SELECT is(pg_temp.state(:closed), :'closed_state', 'while the closed one is as it was');
SELECT is((SELECT count(*) FROM triage.ticket_comments c WHERE c.ticket_id = :closed), 0::bigint, 'without a comment more');
SELECT results_eq(format('SELECT r.comment_id, r.landed_on, r.is_follow_up FROM triage.receive_reply(%s, ''wrong again'', ''carl'', ''email'', ''m2'') r', :closed),
	format('VALUES (%s::bigint, %s::bigint, true)', :f_comment, :f), 'the same delivery again is the same comment');
SELECT is(triage.add_comment(:closed, 'wrong again', 'carl', source => 'email', external_id => 'm2'), :f_comment::bigint, 'by add_comment() too');
SELECT is(pg_temp.outcome(format('INSERT INTO triage.ticket_comments (ticket_id, content, source, external_id) VALUES (%s, ''x'', ''email'', ''m2'')', :closed)),
	'23505 ticket_comments_external_id_key', 'a plain INSERT is refused');
SELECT count(*) AS tickets FROM triage.tickets \gset
INSERT INTO triage.ticket_comments (ticket_id, content, source, external_id) VALUES (:closed, 'x', 'email', 'm2') ON CONFLICT DO NOTHING;
SELECT is((SELECT count(*) FROM triage.tickets), :tickets::bigint, 'and no ticket is made for what is not stored');
SELECT is((SELECT r.landed_on FROM triage.receive_reply(:closed, 'and', 'carl') r), :f::bigint, 'what comes later goes to the follow-up that is open');
INSERT INTO triage.ticket_comments (ticket_id, content) VALUES (:closed, 'plain') RETURNING ticket_id AS plain \gset
SELECT is(:plain::bigint, :f::bigint, 'so does a plain INSERT, whose RETURNING tells');
SELECT triage.resolve_ticket(:f);
SELECT triage.add_comment(:closed, 'no', 'carl');
SELECT is(pg_temp.state(:f), 'open waiting v' || (SELECT t.version FROM triage.tickets t WHERE t.id = :f), 'and reopens it');
SELECT triage.close_ticket(:f);
SELECT r.landed_on AS g FROM triage.receive_reply(:closed, 'still', 'carl') r \gset
SELECT ok(:g NOT IN (:f, :closed), 'when it is closed as well, a further one begins');
SELECT r.landed_on AS h FROM triage.receive_reply(:f, 'x', 'carl') r \gset
SELECT ok(:h NOT IN (:f, :g, :closed), 'for each of the closed ones its own');
SELECT triage.delete_ticket(:g), triage.delete_ticket(:h);
SELECT ok((SELECT r.landed_on NOT IN (:g, :h) FROM triage.receive_reply(:closed, 'x', 'carl') r), 'a deleted one takes nothing');
SELECT triage.create_ticket('circle', 'x') AS round \gset
SELECT triage.create_ticket('circle', 'y') AS rounder \gset
SELECT triage.link_tickets(:round, 'followup_of', :rounder);
INSERT INTO triage.ticket_links (ticket_id, kind, other_id) VALUES (:rounder, 'followup_of', :round);
SELECT triage.close_ticket(:round), triage.close_ticket(:rounder);
SELECT ok((SELECT r.landed_on NOT IN (:round, :rounder) FROM triage.receive_reply(:round, 'x') r), 'links in a circle are walked once');
SELECT is(pg_temp.refusal(format(c.command, :closed)), '55000 | ticket N is closed and takes no public comment | Create a follow-up ticket, or make the comment an internal one.', c.command)
	FROM (VALUES ('SELECT triage.add_comment(%s, ''x'', ''ann'')'), ('SELECT triage.add_comment(%s, ''x'', author_role => ''ai'')'),
		('INSERT INTO triage.ticket_comments (ticket_id, content, author_role) VALUES (%s, ''x'', ''system'')')) c (command);
SELECT is(pg_temp.outcome(format('SELECT triage.add_comment(%s, ''for the files'', ''ann'', visibility => ''internal'')', :closed)), 'ok', 'a note goes on a closed ticket');
SELECT is(pg_temp.outcome(format('SELECT triage.receive_reply(%s, ''x'')', -1)), 'P0002', 'no reply to a ticket that is not there');
SET LOCAL ROLE regress_triage_agent;
SELECT ok((SELECT r.is_follow_up FROM triage.receive_reply(:rounder, 'as an agent''s role', 'carl') r), 'an agent''s role may do all this');
RESET ROLE;

-- Editing -----------------------------------------------------------------------------------------------------------------------

SELECT triage.add_comment(:a, 'first', 'carl') AS c \gset
SELECT pg_temp.state(:a) AS a_state \gset
SELECT triage.edit_comment(:c, 'second', 'carl'), triage.edit_comment(:c, 'third', 'ann'), triage.edit_comment(:c, 'third', 'ann');
SELECT is((SELECT c.content FROM triage.ticket_comments c WHERE c.id = :c), 'third', 'a comment is edited');
SELECT results_eq(format('SELECT e.old_content, e.edited_by, e.session_role = session_user, e.edited_at = now() FROM triage.comment_edits e WHERE e.comment_id = %s ORDER BY e.id', :c),
	$$VALUES ('first', 'carl', true, true), ('second', 'ann', true, true)$$, 'what it said is kept, with who and when');
SELECT is(current_setting('triage.actor', true), '', 'and the actor is who it was');
SELECT is(pg_temp.state(:a), :'a_state', 'the ticket is not touched');
SELECT is(pg_temp.refusal(format('SELECT triage.edit_comment(%s, ''x'', %L)', :c, p.id)),
		format('42501 | person "%s" may not change comment N | Its author may, and people whose role in triage.people is agent or admin.', p.id), p.id || ' may not edit it')
	FROM (VALUES ('carla'), ('bot'), ('unknown')) p (id);
SELECT is(pg_temp.outcome(format('SELECT triage.edit_comment(%s, ''fourth'', %L)', :c, p.id)), 'ok', coalesce(p.id, 'the application') || ' may')
	FROM (VALUES ('root'), ('carl'), (NULL)) p (id);
SET LOCAL triage.actor = 'carla';
SELECT is(pg_temp.outcome(format('SELECT triage.edit_comment(%s, ''x'')', :c)), '42501', 'an actor who is a customer is taken for one');
SET LOCAL triage.actor = 'ann';
SELECT triage.edit_comment(:c, 'fifth');
SELECT is((SELECT e.edited_by FROM triage.comment_edits e WHERE e.comment_id = :c ORDER BY e.id DESC LIMIT 1), 'ann', 'and one who is an agent for that');
RESET triage.actor;
UPDATE triage.ticket_comments SET content = 'sixth' WHERE id = :c;
SELECT is((SELECT e.old_content FROM triage.comment_edits e WHERE e.comment_id = :c ORDER BY e.id DESC LIMIT 1), 'fifth', 'a plain UPDATE keeps the text too');
SELECT is(pg_temp.refusal(format('SELECT triage.edit_comment(%s, '''')', :c)), '23514 | a comment must not be blank | Give it a character that is not white space.', 'no blank text');
SELECT is(pg_temp.outcome(c.command), c.outcome, c.command)
	FROM (VALUES ('SELECT triage.edit_comment(-1, ''x'')', 'P0002'), ('SELECT triage.edit_comment(NULL, ''x'')', 'P0002'), ('SELECT triage.redact_comment(-1)', 'P0002'),
		('UPDATE triage.comment_edits SET old_content = ''forged''', '42501'), ('UPDATE triage.comment_edits SET old_content = '''', edited_by = ''x''', '42501'),
		('DELETE FROM triage.comment_edits', '42501'), ('TRUNCATE triage.comment_edits', '42501')) c (command, outcome);
SELECT is(pg_temp.outcome(format('UPDATE triage.comment_edits SET old_content = ''[erased]'' WHERE comment_id = %s', :c)), 'ok', 'the owner may take a text away');
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.outcome(format('SELECT triage.edit_comment(%s, ''seventh'', ''ann'')', :c)), 'ok', 'an agent''s role may edit by the function');
SELECT is(pg_temp.outcome(c.command), '42501', 'an agent''s role: no ' || c.command)
	FROM (VALUES ('UPDATE triage.ticket_comments SET content = ''x'''), ('DELETE FROM triage.ticket_comments'), ('UPDATE triage.comment_edits SET old_content = '''''),
		('INSERT INTO triage.comment_edits (tenant_id, comment_id, old_content, edited_by, session_role) VALUES (''default'', 1, ''x'', ''x'', ''x'')')) c (command);
RESET ROLE;
-- gone with its ticket
SELECT triage.create_ticket('x', 'x') AS gone \gset
SELECT triage.edit_comment(triage.add_comment(:gone, 'x', 'carl'), 'y');
DELETE FROM triage.tickets WHERE id = :gone;
SELECT is_empty('SELECT FROM triage.comment_edits e WHERE NOT EXISTS (SELECT FROM triage.ticket_comments c WHERE c.id = e.comment_id)', '[seed 90] a ticket''s comments and their edits go with it');

-- Attachments ---------------------------------------------------------------------------------------------------------------------

SELECT triage.attach_to_comment(:c, 'https://files.example.org/a.png?x=1#y', 'a.png', 'image/png', 12345) AS file \gset
SELECT results_eq(format('SELECT a.comment_id, a.file_name, a.file_type, a.byte_size FROM triage.comment_attachments a WHERE a.id = %s', :file),
	format($$VALUES (%s::bigint, 'a.png', 'image/png', 12345::bigint)$$, :c), 'a file is noted');
SELECT is(triage.attach_to_comment(:c, 'https://files.example.org/a.png?x=1#y', 'again.png'), :file::bigint, 'once');
SELECT is(pg_temp.outcome(format('SELECT triage.attach_to_comment(%s, %L, ''x'')', :c, u.url)), 'ok', 'may be attached: ' || u.url)
	FROM (VALUES ('http://127.0.0.1/x'), ('s3://bucket/key'), ('/uploads/x'), ('uploads/a:b'), ('?file=a:b'), ('x'), ('//cdn.example.org/x'), ('cid:1'), ('FTP://x'), ('#data:x')) u (url);
SELECT is(pg_temp.outcome(format('SELECT triage.attach_to_comment(%s, %L, ''x'')', :c, u.url)) || ' '
		|| pg_temp.outcome(format('INSERT INTO triage.comment_attachments (comment_id, file_url, file_name) VALUES (%s, %L, ''x'')', :c, u.url)),
		'22023 23514 comment_attachments_file_url_safe', 'refused, by the function and the table: ' || quote_literal(u.url))
	FROM (VALUES ('javascript:alert(1)'), ('JavaScript:alert(1)'), ('javascript://x%0aalert(1)'), (' javascript:alert(1)'), (E'java\tscript:alert(1)'), (E'java\nscript:alert(1)'),
		(E'\x01javascript:alert(1)'), ('data:text/html,x'), ('DATA:text/html;base64,x'), ('vbscript:x'), ('blob:https://x/y'), ('about:blank'), (U&'\200Bjavascript:x'),
		('java%73cript:x'), (':x'), ('http ://x'), ('https://x/a b')) u (url);
SELECT is(pg_temp.refusal(format('SELECT triage.attach_to_comment(%s, ''javascript:alert(1)'', ''x'')', :c)),
	'22023 | a file''s URL must not have scheme "javascript" | Give an http or https URL, that of an object store, or a path.', 'with a word on it');
SELECT is(pg_temp.outcome(c.command), c.outcome, c.command)
	FROM (VALUES ('SELECT triage.attach_to_comment(-1, ''x'', ''x'')', 'P0002'),
		(format('SELECT triage.attach_to_comment(%s, NULL, ''x'')', :c), '22023'), (format('SELECT triage.attach_to_comment(%s, ''y'', '''')', :c), '23514 comment_attachments_file_name_length'),
		(format('SELECT triage.attach_to_comment(%s, ''y'', ''x'', byte_size => -1)', :c), '23514 comment_attachments_byte_size')) c (command, outcome);
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.outcome(format('SELECT triage.attach_to_comment(%s, ''y'', ''y'')', :c)), 'ok', 'an agent''s role may attach');
SELECT is(pg_temp.outcome(format('INSERT INTO triage.comment_attachments (comment_id, file_url, file_name) VALUES (%s, ''z'', ''z'')', :c)), 'ok', 'by a plain INSERT as well');
RESET ROLE;

-- Removing a text for good ----------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome(format('SELECT triage.redact_comment(%s, %L)', :c, p.id)), '42501', p.id || ' may not remove a text')
	FROM (VALUES ('carl'), ('carla'), ('unknown')) p (id);
SELECT triage.redact_comment(:c, 'ann');
SELECT is((SELECT c.content || ' ' || c.author_id FROM triage.ticket_comments c WHERE c.id = :c), '[removed] carl', 'the comment stays, without its text');
SELECT is((SELECT string_agg(DISTINCT e.old_content, ',') FROM triage.comment_edits e WHERE e.comment_id = :c), '', 'nothing of what it said stays');
SELECT is((SELECT e.edited_by FROM triage.comment_edits e WHERE e.comment_id = :c ORDER BY e.id DESC LIMIT 1), 'ann', 'who removed it does');
SELECT is_empty(format('SELECT FROM triage.comment_attachments a WHERE a.comment_id = %s', :c), 'its files are not referred to any more');
SELECT triage.delete_ticket(:a);
SELECT is(pg_temp.outcome(format('SELECT triage.edit_comment(%s, ''x'')', :c)), 'P0002', 'comments of a deleted ticket are out of reach');

-- Who wrote it ------------------------------------------------------------------------------------------------------------------------

SELECT triage.create_ticket('w', 'x', 'carl', external_id => 'w', request_triage => false) AS w \gset
SELECT triage.resolve_ticket(:w) AS f;
CREATE FUNCTION pg_temp.wrote(comment bigint) RETURNS text
	LANGUAGE sql
AS $$
	SELECT concat_ws(' ', c.author_id, c.author_role, t.status) FROM triage.ticket_comments c JOIN triage.tickets t ON t.id = c.ticket_id WHERE c.id = comment
$$;
SELECT is(pg_temp.refusal(format('SELECT triage.add_comment(%s, ''x'')', :w)),
	'22023 | cannot tell who wrote the comment | Pass author_id or author_role, or set triage.actor to a person; triage.receive_reply() is for what a customer wrote.',
	'a reply of nobody is not taken for the customer''s');
SELECT is((SELECT t.status FROM triage.tickets t WHERE t.id = :w), 'resolved', 'and reopens nothing');
SET LOCAL triage.actor = 'newcomer';
SELECT is(pg_temp.outcome(format('SELECT triage.add_comment(%s, ''x'')', :w)), '22023', 'nor is that of an actor who is not known');
SELECT is(pg_temp.wrote(triage.add_comment(:w, 'x', visibility => 'internal')), 'agent resolved', 'a note without author is an agent''s');
SELECT is(pg_temp.wrote(triage.add_comment(:w, 'x', 'newcomer', visibility => 'internal')), 'newcomer agent resolved', 'and an author of a note who is not known, too');
SET LOCAL triage.actor = 'ann';
SELECT is(pg_temp.wrote(triage.add_comment(:w, 'x')), 'ann agent resolved', 'without author it is the actor''s');
SET LOCAL triage.actor = 'carl';
SELECT is(pg_temp.wrote(triage.add_comment(:w, 'x')), 'carl customer open', 'whoever that is');
RESET triage.actor;
SELECT is(pg_temp.wrote(triage.add_comment(:w, 'x', 'stranger')), 'stranger customer open', 'a named author who is not known is created as a customer');
SELECT is(pg_temp.wrote((triage.receive_reply(:w, 'x')).comment_id), 'customer open', 'a visitor''s reply has a function of its own');

-- Another tenant's --------------------------------------------------------------------------------------------------------------------

SELECT triage.create_tenant('other');
SELECT triage.add_comment(triage.create_ticket('x', 'x'), 'mine', 'carl') AS mine \gset
SET LOCAL triage.tenant = 'other';
SELECT is(pg_temp.outcome(format(c.command, :mine)), 'P0002', c.command || ', of another tenant, even as the owner')
	FROM (VALUES ('SELECT triage.edit_comment(%s, ''x'')'), ('SELECT triage.redact_comment(%s)'), ('SELECT triage.attach_to_comment(%s, ''x'', ''x'')')) c (command);

SELECT finish();
ROLLBACK;
