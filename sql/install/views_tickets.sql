-- The views of tickets: under the names that a seed of the project gave its columns, their links, and all that happened.

CREATE FUNCTION triage.install_ticket_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- Each link from both sides, under a name for each direction.
	CREATE OR REPLACE VIEW triage.linked_tickets WITH (security_invoker = true) AS
		SELECT l.tenant_id, l.ticket_id, l.kind::text AS relation, l.other_id, o.subject AS other_subject,
				o.status AS other_status, l.created_by, l.created_at, l.id AS link_id
			FROM triage.ticket_links l
			JOIN triage.tickets o ON o.tenant_id = l.tenant_id AND o.id = l.other_id AND o.deleted_at IS NULL
		UNION ALL
		SELECT l.tenant_id, l.other_id,
				CASE l.kind
					WHEN 'duplicate_of' THEN 'duplicated_by'
					WHEN 'caused_by' THEN 'cause_of'
					WHEN 'followup_of' THEN 'followed_up_by'
					ELSE l.kind::text END,
				l.ticket_id, o.subject, o.status, l.created_by, l.created_at, l.id
			FROM triage.ticket_links l
			JOIN triage.tickets o ON o.tenant_id = l.tenant_id AND o.id = l.ticket_id AND o.deleted_at IS NULL;

	CREATE OR REPLACE VIEW triage.helpdesk_tickets WITH (security_invoker = true) AS
		SELECT t.id, t.subject AS title, t.description, t.priority, t.category, t.status,
				(SELECT s.session_id FROM triage.chat_tickets s
					WHERE s.tenant_id = t.tenant_id AND s.ticket_id = t.id AND s.relation = 'origin'
					ORDER BY s.id LIMIT 1) AS conversation_id,
				t.assignee_id AS assigned_to, t.requester_id AS created_by,
				triage.ai_assisted(t.id, t.tenant_id) AS ai_assisted,
				t.created_at, t.updated_at, t.resolved_at, t.deleted_at, t.tenant_id
			FROM triage.tickets t;

	-- One entry a row, in columns that all kinds share.  A further kind is a further branch, whose first condition on a
	-- ticket must be one that an index on (tenant_id, ticket_id) serves.
	CREATE OR REPLACE VIEW triage.ticket_timeline WITH (security_invoker = true) AS
		SELECT t.tenant_id, t.id AS ticket_id, t.created_at AS happened_at, 'created' AS kind, t.id AS entry_id,
				t.requester_id AS actor, NULL::triage.comment_visibility AS visibility, t.subject AS content,
				jsonb_build_object('source', t.source, 'external_id', t.external_id) AS details
			FROM triage.tickets t
		UNION ALL
		SELECT c.tenant_id, c.ticket_id, c.created_at, 'comment', c.id, c.author_id, c.visibility, c.content,
				jsonb_build_object('author_role', c.author_role, 'source', c.source,
					'edited_at', (SELECT max(e.edited_at) FROM triage.comment_edits e
						WHERE e.tenant_id = c.tenant_id AND e.comment_id = c.id),
					'attachments', (SELECT coalesce(jsonb_agg(jsonb_build_object('file_name', a.file_name, 'file_url', a.file_url,
							'file_type', a.file_type, 'byte_size', a.byte_size) ORDER BY a.id), '[]')
						FROM triage.comment_attachments a
						WHERE a.tenant_id = c.tenant_id AND a.comment_id = c.id))
			FROM triage.ticket_comments c
		UNION ALL
		-- whom a ticket was assigned to is told by the log of assignments
		SELECT h.tenant_id, h.ticket_id, h.created_at, 'change', h.id, h.changed_by, NULL, h.field,
				jsonb_build_object('old', h.old_value, 'new', h.new_value, 'session_role', h.session_role)
			FROM triage.ticket_history h
			WHERE h.field <> 'assignee_id'
		UNION ALL
		SELECT a.tenant_id, a.ticket_id, a.assigned_at, 'assignment', a.id, a.assigned_by, NULL, a.agent_id,
				jsonb_build_object('unassigned_at', a.unassigned_at)
			FROM triage.ticket_assignments a
		UNION ALL
		SELECT r.tenant_id, r.ticket_id, r.processed_at, 'ai_result', r.id, 'triage', NULL, r.summary,
				jsonb_build_object('category', r.category, 'urgency', r.urgency, 'sentiment_score', r.sentiment_score,
					'needs_human', r.needs_human, 'confidence', r.confidence, 'draft_reply', r.draft_reply,
					'superseded_at', r.superseded_at)
			FROM triage.ticket_ai_results r
		UNION ALL
		SELECT l.tenant_id, l.ticket_id, l.created_at, 'link', l.link_id, l.created_by, NULL, l.other_subject,
				jsonb_build_object('relation', l.relation, 'other_id', l.other_id)
			FROM triage.linked_tickets l
		UNION ALL
		SELECT o.tenant_id, o.ticket_id, m.created_at, 'message', m.id,
				coalesce(m.author_id, CASE m.role WHEN 'assistant' THEN 'triage' END), NULL, m.content,
				jsonb_build_object('role', m.role, 'session_id', m.session_id,
					'attachments', (SELECT coalesce(jsonb_agg(jsonb_build_object('file_name', f.file_name, 'file_url', f.file_url,
							'file_type', f.file_type, 'byte_size', f.byte_size) ORDER BY f.id), '[]')
						FROM triage.chat_attachments f
						WHERE f.tenant_id = m.tenant_id AND f.message_id = m.id))
			FROM triage.chat_tickets o
			JOIN triage.chat_messages m ON m.tenant_id = o.tenant_id AND m.session_id = o.session_id
			WHERE o.relation = 'origin' AND m.comment_id IS NULL
		UNION ALL
		SELECT e.tenant_id, e.ticket_id, e.created_at, 'escalation', e.id, e.created_by, NULL, e.reason,
				jsonb_build_object('cause', e.cause, 'session_id', e.session_id, 'session_role', e.session_role)
			FROM triage.ticket_escalations e;

	COMMENT ON VIEW triage.linked_tickets IS 'links between tickets, each from both sides; those to deleted tickets are left out';
	COMMENT ON COLUMN triage.linked_tickets.ticket_id IS 'the ticket; ask by it';
	COMMENT ON COLUMN triage.linked_tickets.relation IS 'what it is to the other: duplicate_of, duplicated_by, caused_by, cause_of, followup_of, followed_up_by, related';
	COMMENT ON COLUMN triage.linked_tickets.other_id IS 'the other ticket';
	COMMENT ON COLUMN triage.linked_tickets.other_subject IS 'its subject';
	COMMENT ON COLUMN triage.linked_tickets.other_status IS 'its status';
	COMMENT ON COLUMN triage.linked_tickets.created_by IS 'the actor who linked them';
	COMMENT ON COLUMN triage.linked_tickets.created_at IS 'when they were linked';
	COMMENT ON COLUMN triage.linked_tickets.link_id IS 'id of the row in ticket_links';

	COMMENT ON VIEW triage.helpdesk_tickets IS 'tickets under the column names of a plain helpdesk model; deleted ones too, with deleted_at';
	COMMENT ON COLUMN triage.helpdesk_tickets.id IS 'tickets.id';
	COMMENT ON COLUMN triage.helpdesk_tickets.title IS 'tickets.subject';
	COMMENT ON COLUMN triage.helpdesk_tickets.description IS 'as in tickets';
	COMMENT ON COLUMN triage.helpdesk_tickets.priority IS 'as in tickets';
	COMMENT ON COLUMN triage.helpdesk_tickets.category IS 'as in tickets; null until a result or a person sets it';
	COMMENT ON COLUMN triage.helpdesk_tickets.status IS 'as in tickets';
	COMMENT ON COLUMN triage.helpdesk_tickets.conversation_id IS 'the chat session that the ticket came from; null: it came another way';
	COMMENT ON COLUMN triage.helpdesk_tickets.assigned_to IS 'tickets.assignee_id';
	COMMENT ON COLUMN triage.helpdesk_tickets.created_by IS 'tickets.requester_id: the person who asks';
	COMMENT ON COLUMN triage.helpdesk_tickets.ai_assisted IS 'whether the customer was sent something that the AI wrote';
	COMMENT ON COLUMN triage.helpdesk_tickets.created_at IS 'as in tickets';
	COMMENT ON COLUMN triage.helpdesk_tickets.updated_at IS 'as in tickets';
	COMMENT ON COLUMN triage.helpdesk_tickets.resolved_at IS 'as in tickets';
	COMMENT ON COLUMN triage.helpdesk_tickets.deleted_at IS 'set: delete_ticket() hid it';

	COMMENT ON VIEW triage.ticket_timeline IS 'all that happened to a ticket, one entry a row; ask by ticket_id, by tenant_id too where row security does not bind, and order by happened_at, entry_id';
	COMMENT ON COLUMN triage.ticket_timeline.ticket_id IS 'the ticket';
	COMMENT ON COLUMN triage.ticket_timeline.happened_at IS 'when it happened';
	COMMENT ON COLUMN triage.ticket_timeline.kind IS 'created, comment, message (of the conversation that the ticket began as; a comment that is shown there is a comment), change (of a column), assignment, escalation, ai_result or link';
	COMMENT ON COLUMN triage.ticket_timeline.entry_id IS 'id of the row it is about, in the table of its kind';
	COMMENT ON COLUMN triage.ticket_timeline.actor IS 'who did it: a person''s id or an actor; of an ai_result and of the AI''s message: triage; null: not known';
	COMMENT ON COLUMN triage.ticket_timeline.visibility IS 'of a comment: whether the customer sees it; else null';
	COMMENT ON COLUMN triage.ticket_timeline.content IS 'the subject, the comment''s or the message''s text, the changed column''s name, the agent''s id, the escalation''s reason, the result''s summary or the other ticket''s subject';
	COMMENT ON COLUMN triage.ticket_timeline.details IS 'what else is known, by kind; a change has old and new, a comment its attachments and edited_at, a message its role and attachments, an escalation its cause';
END
$install$;
COMMENT ON FUNCTION triage.install_ticket_views() IS
	'part of install(): creates the views of tickets, or replaces them by this version''s, with their comments; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_ticket_views() FROM PUBLIC;
