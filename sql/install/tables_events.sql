-- The outbox: what happened, for programs outside the database, and how far each of them has read.
--
-- An event carries ids, labels, the actor and the ticket's version, never a text that somebody wrote: what is read once
-- cannot be erased.  The C side (src/pg/events.c) writes it in the transaction that it tells of, and writes nothing
-- while no consumer wants its topic.
--
-- No event is missed when transactions commit out of order, because a position is not an id but a snapshot: a consumer
-- has seen what was committed in it, and its next batch is what was not committed then and is now.  An old transaction
-- that is still open holds nobody up; what it wrote comes with a later batch.

CREATE TYPE triage.event_topic AS ENUM
	('ticket.created', 'ticket.updated', 'ticket.status_changed', 'ticket.assigned', 'ticket.escalated', 'ticket.handed_back',
	 'ticket.deleted', 'ticket.purged',
	 'comment.created', 'comment.edited',
	 'result.stored', 'result.corrected', 'job.failed',
	 'draft.accepted', 'draft.edited', 'draft.rejected',
	 'chat.session_started', 'chat.message_posted', 'chat.session_ended', 'chat.session_archived',
	 'person.erased',
	 'ticket.copied', 'comment.copied',
	 'cluster.status_changed', 'cluster.regressed');
COMMENT ON TYPE triage.event_topic IS
	'what an event tells of; object_id and labels by topic: ticket.created (status, priority, category), ticket.updated (fields: the columns that changed), ticket.status_changed (from, to, resolution), ticket.assigned (from, to), ticket.escalated (the escalation; cause), ticket.handed_back (to the AI), ticket.deleted (by delete_ticket), ticket.purged (the row is gone), comment.created and comment.edited (the comment; visibility, author_role), result.stored (the result; category, urgency, sentiment_score, needs_human, confidence), result.corrected (the result; person, fields), job.failed (the job; kind, class, attempts), draft.accepted, draft.edited and draft.rejected (the result; person, comment, similarity), chat.session_started and chat.session_archived, chat.message_posted (the message; role), chat.session_ended (status, and the ticket''s resolution, which says who ended it), person.erased (person), ticket.copied (status, priority, category) and comment.copied (the comment; visibility, author_role): what set_syncing() covers, as imports, whether new here or changed, and then no other topic tells of it; cluster.status_changed (the cluster; from, to) and cluster.regressed (the cluster; issue)';

CREATE FUNCTION triage.install_event_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- Transaction ids of two clusters cannot be compared, and a restored dump brings those of its origin along.  So each
	-- event and each consumer says to which count of clusters its ids belong; a row is added where the identifier is new.
	CREATE TABLE IF NOT EXISTS triage.event_generations (
		generation        int NOT NULL CONSTRAINT event_generations_pkey PRIMARY KEY,
		system_identifier bigint NOT NULL,
		began_at          timestamptz NOT NULL DEFAULT now());

	-- No foreign keys: an event outlives what it is about.
	CREATE TABLE IF NOT EXISTS triage.events (
		tenant_id  text NOT NULL,
		id         bigint GENERATED ALWAYS AS IDENTITY,
		generation int NOT NULL,
		xid        xid8 NOT NULL DEFAULT pg_current_xact_id(),
		topic      triage.event_topic NOT NULL,
		ticket_id  bigint,
		session_id bigint,
		object_id  bigint,
		version    int,
		actor      text NOT NULL,
		labels     jsonb NOT NULL DEFAULT '{}',
		created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
		CONSTRAINT events_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT events_labels_object CHECK (jsonb_typeof(labels) = 'object'));
	CREATE INDEX IF NOT EXISTS events_feed ON triage.events (generation, xid);
	CREATE INDEX IF NOT EXISTS events_created ON triage.events USING brin (created_at);

	-- Global like budgets, though a consumer may be one tenant's: hence tenant, not tenant_id.
	CREATE TABLE IF NOT EXISTS triage.event_consumers (
		tenant       text CONSTRAINT event_consumers_of_tenant_fkey REFERENCES triage.tenants (id),
		id           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT event_consumers_pkey PRIMARY KEY,
		name         text NOT NULL,
		topics       text[],
		generation   int NOT NULL,
		seen         pg_snapshot NOT NULL,
		batch        pg_snapshot,
		batch_after  bigint NOT NULL DEFAULT 0,
		confirmed    bigint NOT NULL DEFAULT 0,
		delivered    bigint NOT NULL DEFAULT 0,
		created_at   timestamptz NOT NULL DEFAULT now(),
		created_by   text NOT NULL,
		read_at      timestamptz,
		confirmed_at timestamptz,
		CONSTRAINT event_consumers_name_key UNIQUE NULLS NOT DISTINCT (tenant, name),
		CONSTRAINT event_consumers_name CHECK (name ~ '^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$'),
		CONSTRAINT event_consumers_topics CHECK (cardinality(topics) > 0 AND array_position(topics, NULL) IS NULL),
		CONSTRAINT event_consumers_position CHECK (confirmed BETWEEN 0 AND delivered))
		WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

	COMMENT ON TABLE triage.event_generations IS
		'the clusters that the outbox has lived in, counted; a row is added when the first event is written, or read, in a cluster with another identifier';
	COMMENT ON COLUMN triage.event_generations.generation IS 'counts from 1';
	COMMENT ON COLUMN triage.event_generations.system_identifier IS 'the cluster''s, as pg_control_system() shows it';
	COMMENT ON COLUMN triage.event_generations.began_at IS 'when that was noticed';

	COMMENT ON TABLE triage.events IS
		'the outbox: what happened, in the transaction in which it happened; written only while a consumer wants the topic, read with read_events()';
	COMMENT ON COLUMN triage.events.id IS 'grows in the order of writing, which is not the order of committing: no position to read from';
	COMMENT ON COLUMN triage.events.generation IS 'of the cluster that xid belongs to, see event_generations';
	COMMENT ON COLUMN triage.events.xid IS 'the transaction that wrote it';
	COMMENT ON COLUMN triage.events.topic IS 'what it tells of';
	COMMENT ON COLUMN triage.events.ticket_id IS 'the ticket, which may be gone; NULL: none is concerned';
	COMMENT ON COLUMN triage.events.session_id IS 'the chat session, which may be gone; NULL: none is concerned';
	COMMENT ON COLUMN triage.events.object_id IS 'the comment, message, escalation, result or job, by topic; NULL: the event is about the ticket or session itself';
	COMMENT ON COLUMN triage.events.version IS 'the ticket''s after the change; NULL: not known, or no ticket';
	COMMENT ON COLUMN triage.events.actor IS 'triage.actor, which the session claims; else the session''s role; triage: a result';
	COMMENT ON COLUMN triage.events.labels IS 'a JSON object by topic, see type event_topic; never a text that somebody wrote';
	COMMENT ON COLUMN triage.events.created_at IS 'when it was written, somewhat before it was committed';

	COMMENT ON TABLE triage.event_consumers IS
		'who reads the outbox, and how far each has come; add_consumer(), read_events(), confirm_events() and drop_consumer() write it';
	COMMENT ON COLUMN triage.event_consumers.tenant IS 'whose events; NULL: those of all tenants';
	COMMENT ON COLUMN triage.event_consumers.id IS 'internal';
	COMMENT ON COLUMN triage.event_consumers.name IS 'by which it is called';
	COMMENT ON COLUMN triage.event_consumers.topics IS 'which it wants; NULL: all';
	COMMENT ON COLUMN triage.event_consumers.generation IS 'of the cluster that seen and batch belong to';
	COMMENT ON COLUMN triage.event_consumers.seen IS 'all events of transactions that had committed in this snapshot are confirmed';
	COMMENT ON COLUMN triage.event_consumers.batch IS 'the events under way: committed in this snapshot and not in seen; NULL: none';
	COMMENT ON COLUMN triage.event_consumers.batch_after IS 'id of the last event of the batch that is confirmed';
	COMMENT ON COLUMN triage.event_consumers.confirmed IS 'position of the last event that is confirmed: how many it has confirmed in all';
	COMMENT ON COLUMN triage.event_consumers.delivered IS 'position of the last event that was read';
	COMMENT ON COLUMN triage.event_consumers.created_at IS 'when it was added';
	COMMENT ON COLUMN triage.event_consumers.created_by IS 'the actor who added it';
	COMMENT ON COLUMN triage.event_consumers.read_at IS 'when it last read, give or take a minute when there was nothing';
	COMMENT ON COLUMN triage.event_consumers.confirmed_at IS 'when it last confirmed';
END
$install$;
COMMENT ON FUNCTION triage.install_event_tables() IS
	'part of install(): creates the tables of the outbox that are not there yet, and comments them; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_event_tables() FROM PUBLIC;

CREATE FUNCTION triage.install_event_triggers() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	-- not for a change of position
	CREATE OR REPLACE TRIGGER event_consumers_changed
		AFTER INSERT OR UPDATE OF tenant, topics OR DELETE OR TRUNCATE ON triage.event_consumers
		FOR EACH STATEMENT EXECUTE FUNCTION triage.table_changed();
	CREATE OR REPLACE TRIGGER ticket_comments_event
		AFTER INSERT ON triage.ticket_comments
		FOR EACH ROW EXECUTE FUNCTION triage.ticket_comments_event();
	CREATE OR REPLACE TRIGGER ticket_comments_edited_event
		AFTER UPDATE OF content ON triage.ticket_comments
		FOR EACH ROW WHEN (OLD.content IS DISTINCT FROM NEW.content)
		EXECUTE FUNCTION triage.ticket_comments_event();
	CREATE OR REPLACE TRIGGER chat_sessions_started_event
		AFTER INSERT ON triage.chat_sessions
		FOR EACH ROW EXECUTE FUNCTION triage.chat_sessions_event();
	CREATE OR REPLACE TRIGGER chat_sessions_over_event
		AFTER UPDATE ON triage.chat_sessions
		FOR EACH ROW WHEN (OLD.status <> NEW.status AND NEW.status <> 'active')
		EXECUTE FUNCTION triage.chat_sessions_event();
	CREATE OR REPLACE TRIGGER chat_messages_event
		AFTER INSERT ON triage.chat_messages
		FOR EACH ROW EXECUTE FUNCTION triage.chat_messages_event();
	CREATE OR REPLACE TRIGGER ticket_escalations_event
		AFTER INSERT ON triage.ticket_escalations
		FOR EACH ROW EXECUTE FUNCTION triage.ticket_escalations_event();
END
$install$;
COMMENT ON FUNCTION triage.install_event_triggers() IS
	'part of install(): creates or replaces the triggers of the outbox; takes nothing, returns nothing';
REVOKE ALL ON FUNCTION triage.install_event_triggers() FROM PUBLIC;

CREATE FUNCTION triage.install_event_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE OR REPLACE VIEW triage.event_consumers_status WITH (security_invoker = true) AS
		SELECT c.tenant, c.name, c.topics, c.confirmed, p.pending, p.oldest AS oldest_pending_at,
				coalesce(now() - p.oldest, '0') AS lag, c.read_at, c.confirmed_at, c.created_at, c.created_by
			FROM triage.event_consumers c
			CROSS JOIN LATERAL triage.pending_events(c.id) p;
	COMMENT ON VIEW triage.event_consumers_status IS 'each consumer of events, and how far behind it is';
	COMMENT ON COLUMN triage.event_consumers_status.tenant IS 'whose events; NULL: those of all tenants';
	COMMENT ON COLUMN triage.event_consumers_status.name IS 'by which it is called';
	COMMENT ON COLUMN triage.event_consumers_status.topics IS 'which it wants; NULL: all';
	COMMENT ON COLUMN triage.event_consumers_status.confirmed IS 'position of the last event that it has confirmed';
	COMMENT ON COLUMN triage.event_consumers_status.pending IS 'events that it has not confirmed; 10000 stands for that many or more';
	COMMENT ON COLUMN triage.event_consumers_status.oldest_pending_at IS 'when the oldest of these was written; NULL: there are none';
	COMMENT ON COLUMN triage.event_consumers_status.lag IS 'how long ago that was; above a day health() says so';
	COMMENT ON COLUMN triage.event_consumers_status.read_at IS 'when it last read, give or take a minute when there was nothing';
	COMMENT ON COLUMN triage.event_consumers_status.confirmed_at IS 'when it last confirmed';
	COMMENT ON COLUMN triage.event_consumers_status.created_at IS 'when it was added';
	COMMENT ON COLUMN triage.event_consumers_status.created_by IS 'the actor who added it';
END
$install$;
COMMENT ON FUNCTION triage.install_event_views() IS
	'part of install(): creates the views of the outbox, or replaces them; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_event_views() FROM PUBLIC;
