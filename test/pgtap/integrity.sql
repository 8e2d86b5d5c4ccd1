-- check_integrity(): nothing to say where the triggers and constraints did their work, and each kind of contradiction that
-- comes in without them.
\ir prepare.psql
SELECT no_plan();

CREATE FUNCTION pg_temp.found() RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(format('%s %s: %s', t.external_id, i.problem, regexp_replace(i.detail, '\d{4}-\S+ \S+|\d+', 'N', 'g')), '; ' ORDER BY i.problem, i.detail)
		FROM triage.check_integrity() i LEFT JOIN triage.tickets t ON t.id = i.ticket_id
$$;
SELECT is(pg_temp.found(), NULL, '[seed 91] an empty helpdesk is sound');

SELECT triage.create_tenant('other');
SELECT triage.create_ticket('printer', 'jams', 'carl', external_id => 'a') AS a \gset
SELECT triage.create_ticket('paper', 'none', 'carl', external_id => 'b') AS b \gset
SELECT triage.assign_ticket(:a, 'ann'), triage.assign_ticket(:a, 'bob'), triage.unassign_ticket(:a), triage.assign_ticket(:a, 'ann');
SELECT triage.edit_comment(triage.add_comment(:a, 'x', 'carl'), 'y'), triage.add_comment(:a, 'x', 'ann', 'agent');
SELECT triage.attach_to_comment(triage.add_comment(:a, 'z', 'carl'), '/x', 'x'), triage.link_tickets(:a, 'related', :b);
SELECT triage.resolve_ticket(:a), triage.reopen_ticket(:a), triage.close_ticket(:a), triage.add_comment(:a, 'again', 'carl');
INSERT INTO triage.tickets (external_id, description, status, assignee_id) VALUES ('c', 'x', 'closed', 'ann'), ('d', 'x', 'review', NULL);
SELECT triage.create_ticket('x', 'x', external_id => 'e') AS e \gset
SELECT triage.complete_job(j.job_id, j.fence, '{"category": "billing", "urgency": "low", "sentiment_score": 1, "draft_reply": "x"}') FROM triage.claim_jobs(2) j;
SELECT triage.delete_ticket(:e);
SELECT is(pg_temp.found(), NULL, '[seed 91] so is one that is worked in');

-- Each contradiction, put there behind the triggers' backs
CREATE FUNCTION pg_temp.after(VARIADIC commands text[]) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	command text;
	answer text;
BEGIN
	BEGIN
		SET LOCAL session_replication_role = replica;
		ALTER TABLE triage.tickets DROP CONSTRAINT tickets_resolution_when_finished, DROP CONSTRAINT tickets_resolved_at_when_finished,
			DROP CONSTRAINT tickets_closed_at_when_closed;
		FOREACH command IN ARRAY commands LOOP
			EXECUTE command;
		END LOOP;
		answer := pg_temp.found();
		RAISE EXCEPTION 'undo' USING ERRCODE = 'TR000';
	EXCEPTION WHEN SQLSTATE 'TR000' THEN
		RETURN answer;
	END;
END
$$;
SELECT is(pg_temp.after(c.command), c.found, c.command)
	FROM (VALUES
		('UPDATE triage.tickets SET assignee_id = ''bob'' WHERE external_id = ''a''', 'a assignment log: assignee is bob, the log says ann'),
		('UPDATE triage.tickets SET assignee_id = NULL WHERE external_id = ''a''', 'a assignment log: assignee is nobody, the log says ann'),
		('DELETE FROM triage.ticket_assignments WHERE unassigned_at IS NULL AND ticket_id = pg_temp.ticket(''a'')', 'a assignment log: assignee is ann, the log says nobody'),
		('UPDATE triage.ticket_assignments SET unassigned_at = ''infinity'' WHERE unassigned_at IS NOT NULL AND agent_id = ''bob''', 'a assignment log: assignment N begins before the one before it has ended'),
		('UPDATE triage.tickets SET resolution = ''spam'' WHERE external_id = ''d''', 'd resolution: status is review, resolution spam'),
		('UPDATE triage.tickets SET resolution = NULL WHERE external_id = ''c''', 'c resolution: status is closed, resolution none'),
		('UPDATE triage.tickets SET resolved_at = now() WHERE external_id = ''d''', 'd times: status is review, resolved_at N'),
		('UPDATE triage.tickets SET closed_at = NULL WHERE external_id = ''c''', 'c times: status is closed, closed_at none'),
		('UPDATE triage.tickets SET waiting_since = now() WHERE external_id = ''c''', 'c times: status is closed, and somebody waits since N'),
		('UPDATE triage.tickets SET version = 0 WHERE external_id = ''d''', 'd version: version is N'),
		('UPDATE triage.tickets SET search = NULL WHERE external_id = ''d''', 'd search: no search finds it: an update of its subject or description mends that'),
		('WITH s AS (INSERT INTO triage.chat_sessions (status, ended_at) VALUES (''archived'', now()) RETURNING id) INSERT INTO triage.ai_jobs (session_id, kind) SELECT s.id, ''chat_reply'' FROM s',
			' job: job N is to answer in chat session N, which is archived'),
		('WITH s AS (INSERT INTO triage.chat_sessions DEFAULT VALUES RETURNING id), j AS (INSERT INTO triage.ai_jobs (session_id, kind) SELECT s.id, ''chat_reply'' FROM s RETURNING *)
			INSERT INTO triage.ai_dead_letters (tenant_id, id, session_id, kind, priority, fence, attempts, class, message, created_at)
				SELECT j.tenant_id, -2, j.session_id, j.kind, j.priority, 1, 1, ''refused'', ''x'', now() FROM j', ' job: job N waits, and -N was given up'),
		('INSERT INTO triage.synced_tickets (tenant_id, ticket_id, source, source_updated_at, generated_at) SELECT ''default'', pg_temp.ticket(''c''), ''zendesk'', now(), 1',
			'c orphan: a row of synced_tickets refers to a row of triage.sync_sources that is not there (synced_tickets_source_fkey); c sync: it is copied from zendesk, and its source is api'),
		('INSERT INTO triage.ai_jobs (ticket_id) SELECT pg_temp.ticket(''c'')', 'c job: job N is for a ticket that is closed'),
		('INSERT INTO triage.ai_jobs (ticket_id) SELECT pg_temp.ticket(''e'')', 'e job: job N is for a ticket that is deleted'),
		('INSERT INTO triage.ai_dead_letters (tenant_id, id, ticket_id, kind, priority, fence, attempts, class, message, created_at)
			SELECT j.tenant_id, -1, j.ticket_id, j.kind, j.priority, 1, 1, ''refused'', ''x'', now() FROM triage.ai_jobs j WHERE j.ticket_id = pg_temp.ticket(''d'')', 'd job: job N waits, and -N was given up'),
		('UPDATE triage.ticket_comments SET ticket_id = -1 WHERE content = ''z''', ' orphan: a row of ticket_comments refers to a row of triage.tickets that is not there (ticket_comments_ticket_fkey)'),
		('UPDATE triage.comment_attachments SET comment_id = -1', ' orphan: a row of comment_attachments refers to a row of triage.ticket_comments that is not there (comment_attachments_comment_fkey)'),
		('UPDATE triage.tickets SET requester_id = ''nobody'' WHERE external_id = ''b''', 'b orphan: a row of tickets refers to a row of triage.people that is not there (tickets_requester_fkey)')) c (command, found);

-- What a copy says of the future contradicts nothing
SELECT triage.set_syncing(true);
INSERT INTO triage.tickets (external_id, description, assignee_id, updated_at) VALUES ('future', 'x', 'ann', now() + interval '1 day');
SELECT triage.set_syncing(false);
SELECT triage.assign_ticket(pg_temp.ticket('future'), 'bob');
SELECT is(pg_temp.found(), NULL, 'a copy whose clock is fast, and is assigned here');

-- Whose
SET LOCAL session_replication_role = replica;
INSERT INTO triage.tickets (tenant_id, external_id, description, assignee_id) VALUES ('other', 'foreign', 'x', 'nobody');
RESET session_replication_role;
SELECT is(pg_temp.found(), NULL, 'another tenant''s are not told');
SELECT results_eq('SELECT DISTINCT i.tenant_id, i.problem FROM triage.check_integrity(all_tenants => true) i ORDER BY 2', $$VALUES ('other', 'assignment log'), ('other', 'orphan'), ('other', 'search')$$, 'unless they are asked for');
CREATE ROLE regress_triage_admin;
SELECT triage.grant_access('regress_triage_admin', 'admin');
SET LOCAL ROLE regress_triage_admin;
SELECT is((SELECT count(*) FROM triage.check_integrity(all_tenants => true)), 0::bigint, 'and row security shows them');
RESET ROLE;

SELECT finish();
ROLLBACK;
