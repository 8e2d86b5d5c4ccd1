-- The tables beside comments and tickets: what comments said before they were edited, what is attached to them, and how
-- tickets are linked with each other.

CREATE FUNCTION triage.install_comment_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE TABLE IF NOT EXISTS triage.comment_edits (
		tenant_id    text NOT NULL,
		id           bigint GENERATED ALWAYS AS IDENTITY,
		comment_id   bigint NOT NULL,
		old_content  text NOT NULL,
		edited_by    text NOT NULL,
		session_role text NOT NULL,
		edited_at    timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT comment_edits_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT comment_edits_comment_fkey FOREIGN KEY (tenant_id, comment_id)
			REFERENCES triage.ticket_comments (tenant_id, id) ON DELETE CASCADE);
	CREATE INDEX IF NOT EXISTS comment_edits_comment ON triage.comment_edits (tenant_id, comment_id, id);

	-- A browser drops control characters and blanks from a URL before it looks for the scheme: none may be in it, and what
	-- stands before the first colon must be a scheme, and not one that runs or holds a document.
	CREATE TABLE IF NOT EXISTS triage.comment_attachments (
		tenant_id  text NOT NULL DEFAULT triage.current_tenant(),
		id         bigint GENERATED ALWAYS AS IDENTITY,
		comment_id bigint NOT NULL,
		source     text NOT NULL DEFAULT 'api',
		file_url   text NOT NULL,
		file_name  text NOT NULL,
		file_type  text NOT NULL DEFAULT 'application/octet-stream',
		byte_size  bigint,
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT comment_attachments_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT comment_attachments_comment_fkey FOREIGN KEY (tenant_id, comment_id)
			REFERENCES triage.ticket_comments (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT comment_attachments_file_url_length CHECK (length(file_url) BETWEEN 1 AND 2000),
		CONSTRAINT comment_attachments_file_url_safe CHECK (file_url !~ '[[:cntrl:][:space:]]'
			AND file_url ~ '^([a-zA-Z][a-zA-Z0-9+.-]*:|[^:]*$|[^:]*[/?#])'
			AND file_url !~* '^(javascript|data|vbscript|blob|filesystem|about):'),
		CONSTRAINT comment_attachments_file_name_length CHECK (length(file_name) BETWEEN 1 AND 500),
		CONSTRAINT comment_attachments_file_name_printable CHECK (file_name !~ '[[:cntrl:]]'),
		CONSTRAINT comment_attachments_file_type_length CHECK (length(file_type) BETWEEN 1 AND 200),
		CONSTRAINT comment_attachments_file_type_printable CHECK (file_type !~ '[[:cntrl:]]'),
		CONSTRAINT comment_attachments_source_length CHECK (length(source) BETWEEN 1 AND 100),
		CONSTRAINT comment_attachments_byte_size CHECK (byte_size >= 0));
	CREATE INDEX IF NOT EXISTS comment_attachments_comment ON triage.comment_attachments (tenant_id, comment_id, id);

	CREATE TABLE IF NOT EXISTS triage.ticket_links (
		tenant_id  text NOT NULL DEFAULT triage.current_tenant(),
		id         bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id  bigint NOT NULL,
		kind       triage.ticket_link_kind NOT NULL,
		other_id   bigint NOT NULL,
		created_by text NOT NULL DEFAULT triage.current_actor(),
		created_at timestamptz NOT NULL DEFAULT now(),
		CONSTRAINT ticket_links_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT ticket_links_pair_key UNIQUE (tenant_id, ticket_id, kind, other_id),
		CONSTRAINT ticket_links_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_links_other_fkey FOREIGN KEY (tenant_id, other_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT ticket_links_not_self CHECK (ticket_id <> other_id),
		-- related has no direction: the one way round, so that it is not there twice
		CONSTRAINT ticket_links_related_order CHECK (kind <> 'related' OR ticket_id < other_id));
	CREATE INDEX IF NOT EXISTS ticket_links_other ON triage.ticket_links (tenant_id, other_id);

	CREATE OR REPLACE TRIGGER ticket_comments_edited
		AFTER UPDATE OF content ON triage.ticket_comments
		FOR EACH ROW WHEN (OLD.content IS DISTINCT FROM NEW.content) EXECUTE FUNCTION triage.ticket_comments_edited();
	CREATE OR REPLACE TRIGGER ticket_comments_changed
		AFTER UPDATE OF content, visibility ON triage.ticket_comments
		FOR EACH ROW WHEN (OLD.content IS DISTINCT FROM NEW.content OR OLD.visibility <> NEW.visibility)
		EXECUTE FUNCTION triage.ticket_comments_changed();
	CREATE OR REPLACE TRIGGER comment_edits_append_only
		BEFORE UPDATE OR DELETE ON triage.comment_edits
		FOR EACH ROW EXECUTE FUNCTION triage.comment_edits_append_only();
	CREATE OR REPLACE TRIGGER comment_edits_no_truncate
		BEFORE TRUNCATE ON triage.comment_edits
		FOR EACH STATEMENT EXECUTE FUNCTION triage.comment_edits_append_only();

	COMMENT ON TABLE triage.comment_edits IS 'what comments said before they were edited: one row an edit, written by a trigger; append-only';
	COMMENT ON COLUMN triage.comment_edits.id IS 'grows in the order of writing';
	COMMENT ON COLUMN triage.comment_edits.comment_id IS 'the comment that was edited';
	COMMENT ON COLUMN triage.comment_edits.old_content IS 'its text before; empty when it was removed for good, see redact_comment()';
	COMMENT ON COLUMN triage.comment_edits.edited_by IS 'who edited it: the person named to edit_comment(), else setting triage.actor, else the session user; a claim';
	COMMENT ON COLUMN triage.comment_edits.session_role IS 'the role that was logged in; a fact';
	COMMENT ON COLUMN triage.comment_edits.edited_at IS 'start of the transaction that edited it';

	COMMENT ON TABLE triage.comment_attachments IS 'files that belong to comments; the files themselves are kept elsewhere';
	COMMENT ON COLUMN triage.comment_attachments.id IS 'grows in the order of writing';
	COMMENT ON COLUMN triage.comment_attachments.comment_id IS 'the comment it belongs to';
	COMMENT ON COLUMN triage.comment_attachments.source IS 'api: attached here; else the source that the comment came with it from';
	COMMENT ON COLUMN triage.comment_attachments.file_url IS 'where the file is: a URL or a path; none that a browser would execute (javascript:, data: and the like)';
	COMMENT ON COLUMN triage.comment_attachments.file_name IS 'as people see it';
	COMMENT ON COLUMN triage.comment_attachments.file_type IS 'media type, as the uploader said it; not checked';
	COMMENT ON COLUMN triage.comment_attachments.byte_size IS 'in bytes; null: not known';
	COMMENT ON COLUMN triage.comment_attachments.created_at IS 'when it was attached';

	COMMENT ON TABLE triage.ticket_links IS 'links between tickets, each stored once; view linked_tickets shows them from both sides';
	COMMENT ON COLUMN triage.ticket_links.id IS 'grows in the order of writing';
	COMMENT ON COLUMN triage.ticket_links.ticket_id IS 'the ticket that the link says something about';
	COMMENT ON COLUMN triage.ticket_links.kind IS 'what ticket_id is to other_id';
	COMMENT ON COLUMN triage.ticket_links.other_id IS 'the ticket it is linked to; of related ones the one with the higher id';
	COMMENT ON COLUMN triage.ticket_links.created_by IS 'the actor who linked them';
	COMMENT ON COLUMN triage.ticket_links.created_at IS 'when they were linked';
END
$install$;
COMMENT ON FUNCTION triage.install_comment_tables() IS
	'part of install(): creates the tables beside comments and links that are not there yet, with their triggers and comments; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_comment_tables() FROM PUBLIC;
