-- Roles that are held to tenants: what role_tenants lists for the session's role is all that current_tenant() gives it, by
-- every door, for the role that logged in and for the one taken with SET ROLE.
\ir prepare.psql
SELECT plan(54);

CREATE ROLE regress_triage_one;				-- tenant one
CREATE ROLE regress_triage_both;			-- tenants one and two
CREATE ROLE regress_triage_default;			-- tenants one and default
CREATE ROLE regress_triage_free;			-- not listed
CREATE ROLE regress_triage_group;			-- not listed either, but regress_triage_one is a member
GRANT regress_triage_group TO regress_triage_one;
SELECT triage.create_tenant('one'), triage.create_tenant('two');
SELECT triage.grant_access(v.role, 'agent')
	FROM (VALUES ('regress_triage_one'), ('regress_triage_both'), ('regress_triage_default'), ('regress_triage_free'), ('regress_triage_group')) v (role);
SELECT triage.allow_tenant(v.role, v.tenant)
	FROM (VALUES ('regress_triage_one', 'one'), ('regress_triage_both', 'one'), ('regress_triage_both', 'two'),
		('regress_triage_default', 'one'), ('regress_triage_default', 'default')) v (role, tenant);
INSERT INTO triage.tickets (tenant_id, external_id, description) VALUES ('one', 'one', 'parrot'), ('two', 'two', 'parrot'), ('default', 'default', 'parrot');
SELECT pg_temp.ticket('one') AS one, pg_temp.ticket('two') AS two \gset
INSERT INTO triage.chat_sessions (tenant_id) VALUES ('two') RETURNING id AS chat \gset
INSERT INTO triage.chat_sessions (tenant_id, status, ended_at) VALUES ('two', 'archived', now()) RETURNING id AS archived \gset

CREATE FUNCTION pg_temp.told(command text) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE command INTO answer;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;

-- The tenant of a role -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.tenant(login text, taken text, wanted text) RETURNS text
	LANGUAGE plpgsql
AS $$
BEGIN
	EXECUTE format('SET LOCAL SESSION AUTHORIZATION regress_triage_%s', login);
	IF taken IS NOT NULL THEN
		EXECUTE format('SET LOCAL ROLE regress_triage_%s', taken);
	END IF;
	PERFORM set_config('triage.tenant', wanted, true);
	RETURN pg_temp.told('SELECT triage.current_tenant()');
END
$$;
CREATE TABLE pg_temp.expected (login text, taken text, wanted text, tenant text);
INSERT INTO pg_temp.expected VALUES
	('one', NULL, '', 'one'),
	('one', NULL, 'one', 'one'),
	('one', NULL, 'two', '42501 role "regress_triage_one" may not work for tenant "two"'),
	('one', NULL, 'default', '42501 role "regress_triage_one" may not work for tenant "default"'),
	('one', NULL, 'One', '42501 role "regress_triage_one" may not work for tenant "One"'),
	('one', NULL, 'nowhere', '42501 role "regress_triage_one" may not work for tenant "nowhere"'),
	('both', NULL, '', '42501 role "regress_triage_both" may not work for tenant "default"'),
	('both', NULL, 'one', 'one'),
	('both', NULL, 'two', 'two'),
	('both', NULL, 'default', '42501 role "regress_triage_both" may not work for tenant "default"'),
	('default', NULL, '', 'default'),
	('default', NULL, 'one', 'one'),
	('default', NULL, 'two', '42501 role "regress_triage_default" may not work for tenant "two"'),
	('free', NULL, '', 'default'),
	('free', NULL, 'two', 'two'),
	('free', NULL, 'nowhere', 'nowhere'),
	-- who logged in stays held, whatever role he takes
	('one', 'group', '', 'one'),
	('one', 'group', 'two', '42501 role "regress_triage_one" may not work for tenant "two"');
SELECT is(pg_temp.tenant(e.login, e.taken, e.wanted), e.tenant,
		format('logged in as %s%s, tenant "%s"', e.login, ', then ' || e.taken, e.wanted))
	FROM pg_temp.expected e;
RESET SESSION AUTHORIZATION;
-- one that logged in and is free holds himself by SET ROLE: what PostgREST does for each request
GRANT regress_triage_one, regress_triage_both TO regress_triage_free;
GRANT regress_triage_both TO regress_triage_one;
INSERT INTO pg_temp.expected VALUES
	('free', 'one', '', 'one'),
	('free', 'one', 'two', '42501 role "regress_triage_one" may not work for tenant "two"'),
	('one', 'both', '', 'one'),
	('one', 'both', 'two', '42501 role "regress_triage_one" may not work for tenant "two"');
SELECT is(pg_temp.tenant(e.login, e.taken, e.wanted), e.tenant, format('logged in as %s, then %s, tenant "%s"', e.login, e.taken, e.wanted))
	FROM pg_temp.expected e WHERE e.taken IN ('one', 'both');
RESET SESSION AUTHORIZATION;
RESET triage.tenant;
SELECT is(triage.current_tenant(), 'default', 'the owner is not listed, and as before');

-- Every door ---------------------------------------------------------------------------------------------------------------------

SET LOCAL SESSION AUTHORIZATION regress_triage_one;
SELECT is((SELECT string_agg(t.external_id, ' ') FROM triage.tickets t), 'one', 'without any setting it sees its tenant''s tickets');
SELECT is((SELECT string_agg(s.id::text, ' ') FROM triage.search_tickets('parrot') s), :'one', 'and finds them');
SELECT is((SELECT t.id FROM triage.create_ticket('x', 'x', external_id => 'new') t (id)), pg_temp.ticket('new'), 'writes one');
INSERT INTO triage.tickets (external_id, description) VALUES ('plain', 'x');
SELECT is((SELECT string_agg(DISTINCT t.tenant_id, ' ') FROM triage.tickets t WHERE t.external_id IN ('new', 'plain')), 'one', 'which is its tenant''s');
SELECT is(pg_temp.told('INSERT INTO triage.tickets (tenant_id, description) VALUES (''two'', ''x'')'),
	'42501 new row violates row-level security policy for table "tickets"', 'another tenant''s it cannot write');
SELECT is(pg_temp.told(format('INSERT INTO triage.chat_messages (tenant_id, session_id, content) VALUES (''two'', %s, ''x'')', v.id)),
		'42501 new row violates row-level security policy for table "chat_messages"', 'nor learn of its chats: ' || v.name)
	FROM (VALUES ('active', :chat), ('archived', :archived), ('none', 0)) v (name, id);
SELECT is(pg_temp.told(format('INSERT INTO triage.chat_tickets (tenant_id, session_id, ticket_id) VALUES (''two'', %s, %s)', :chat, :two)),
	'42501 new row violates row-level security policy for table "chat_tickets"', 'nor link them');
SET LOCAL triage.tenant = 'two';
SELECT is(pg_temp.told(v.command), '42501 role "regress_triage_one" may not work for tenant "two"', v.command)
	FROM (VALUES ('SELECT count(*) FROM triage.tickets'), ('SELECT count(*) FROM triage.inbox'), ('SELECT count(*) FROM triage.ticket_history'),
		('SELECT count(*) FROM triage.search_tickets(''parrot'')'), ('SELECT count(*) FROM triage.list_tickets()'),
		('SELECT triage.create_ticket(''x'', ''x'')'), ('SELECT triage.request_triage(1)'), ('SELECT triage.add_comment(1, ''x'')'),
		('UPDATE triage.tickets SET subject = ''x'''), ('INSERT INTO triage.tickets (description) VALUES (''x'')'),
		('INSERT INTO triage.people (id) VALUES (''x'')')) AS v (command);
RESET SESSION AUTHORIZATION;
RESET triage.tenant;

-- Changes count at once, and are undone with their transaction --------------------------------------------------------------------

SELECT is(pg_temp.tenant('free', NULL, 'two'), 'two', 'not listed: any tenant');
RESET SESSION AUTHORIZATION;
SAVEPOINT before;
SELECT triage.allow_tenant('regress_triage_free', 'one');
SELECT is(pg_temp.tenant('free', NULL, 'two'), '42501 role "regress_triage_free" may not work for tenant "two"', 'listed: at once no more');
RESET SESSION AUTHORIZATION;
UPDATE triage.role_tenants SET tenant_id = 'two' WHERE role = 'regress_triage_free'::regrole;
SELECT is(pg_temp.tenant('free', NULL, 'two'), 'two', 'plain SQL on the table counts too');
RESET SESSION AUTHORIZATION;
ROLLBACK TO before;
SELECT is(pg_temp.tenant('free', NULL, 'one') || pg_temp.tenant('free', NULL, 'two'), 'onetwo', 'rolled back: free again');
RESET SESSION AUTHORIZATION;
ALTER ROLE regress_triage_one RENAME TO regress_triage_uno;
SELECT is(pg_temp.tenant('uno', NULL, 'two'), '42501 role "regress_triage_uno" may not work for tenant "two"', 'another name frees nobody');
RESET SESSION AUTHORIZATION;

SELECT is(triage.disallow_tenant('regress_triage_both', 'two'), true, 'disallow_tenant() says that it was listed');
SELECT is(triage.disallow_tenant('regress_triage_both', 'two'), false, 'or was not');
SELECT is(pg_temp.tenant('both', NULL, ''), 'one', 'one is left, which is now the role''s own');
RESET SESSION AUTHORIZATION;
SELECT lives_ok($$SELECT triage.allow_tenant('regress_triage_both', 'one')$$, 'allowed twice is no error');
SELECT is(pg_temp.told($$SELECT triage.allow_tenant('regress_triage_who', 'one')$$), '42704 role "regress_triage_who" does not exist', 'no such role');
SELECT is(pg_temp.told($$SELECT triage.allow_tenant('regress_triage_free', 'three')$$), '42704 tenant "three" does not exist', 'no such tenant');

SELECT finish();
ROLLBACK;
