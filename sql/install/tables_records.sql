-- Tables of imports: what was brought in from the application's own tables, how far it got, and what was wrong with rows.

CREATE FUNCTION triage.install_records_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	-- columns: as import_columns() made it of what the caller said.  last_key: up to which row of source_table, in the
	-- order of its key, everything was read; so an import that was cut short goes on where it was.
	CREATE TABLE IF NOT EXISTS triage.imports (
		tenant_id      text NOT NULL DEFAULT triage.current_tenant()
			CONSTRAINT imports_tenant_fkey REFERENCES triage.tenants (id),
		id             bigint GENERATED ALWAYS AS IDENTITY,
		target         text NOT NULL,
		source_table   text NOT NULL,
		source         text NOT NULL,
		ticket_source  text,
		columns        jsonb NOT NULL,
		labels         jsonb NOT NULL DEFAULT '{}',
		request_triage boolean NOT NULL DEFAULT false,
		batch_size     int NOT NULL DEFAULT 1000,
		last_key       text,
		rows_imported  bigint NOT NULL DEFAULT 0,
		rows_skipped   bigint NOT NULL DEFAULT 0,
		rows_failed    bigint NOT NULL DEFAULT 0,
		started_by     text NOT NULL DEFAULT current_user,
		started_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
		updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
		finished_at    timestamptz,
		CONSTRAINT imports_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT imports_target CHECK (target IN ('tickets', 'comments', 'history')),
		CONSTRAINT imports_source_length CHECK (length(source) BETWEEN 1 AND 100),
		CONSTRAINT imports_ticket_source_length CHECK (length(ticket_source) BETWEEN 1 AND 100),
		CONSTRAINT imports_ticket_source_when_needed CHECK ((target = 'tickets') = (ticket_source IS NULL)),
		CONSTRAINT imports_columns_object CHECK (jsonb_typeof(columns) = 'object'),
		CONSTRAINT imports_labels_object CHECK (jsonb_typeof(labels) = 'object'),
		CONSTRAINT imports_batch_size CHECK (batch_size BETWEEN 1 AND 10000));
	CREATE INDEX IF NOT EXISTS imports_tenant ON triage.imports (tenant_id, id);

	-- person: whose row it was, since message may quote from it; erase_person() goes by that.  No foreign key: the row
	-- was turned down, maybe together with its person.
	CREATE TABLE IF NOT EXISTS triage.import_errors (
		tenant_id  text NOT NULL DEFAULT triage.current_tenant(),
		id         bigint GENERATED ALWAYS AS IDENTITY,
		import_id  bigint NOT NULL,
		row_key    text,
		person     text,
		state      text NOT NULL,
		message    text NOT NULL,
		created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
		CONSTRAINT import_errors_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT import_errors_import_fkey FOREIGN KEY (tenant_id, import_id)
			REFERENCES triage.imports (tenant_id, id) ON DELETE CASCADE,
		CONSTRAINT import_errors_state CHECK (state ~ '^[0-9A-Z]{5}$'),
		CONSTRAINT import_errors_message_length CHECK (length(message) <= 1000));
	CREATE INDEX IF NOT EXISTS import_errors_import ON triage.import_errors (tenant_id, import_id, id);

	COMMENT ON TABLE triage.imports IS
		'one row for each run of import_tickets(), import_comments() and import_history(): how far it is, or what came of it; delete rows when you like';
	COMMENT ON COLUMN triage.imports.id IS 'what import_batch() takes';
	COMMENT ON COLUMN triage.imports.target IS 'tickets, comments or history';
	COMMENT ON COLUMN triage.imports.source_table IS 'the table or view that is read';
	COMMENT ON COLUMN triage.imports.source IS 'what the rows have in their column source';
	COMMENT ON COLUMN triage.imports.ticket_source IS 'under which source the tickets of comments and history were imported';
	COMMENT ON COLUMN triage.imports.columns IS 'which of its columns became which of triage''s';
	COMMENT ON COLUMN triage.imports.labels IS 'how words of the source table were translated, beside the common ones';
	COMMENT ON COLUMN triage.imports.request_triage IS 'whether the model was to be asked about open tickets';
	COMMENT ON COLUMN triage.imports.batch_size IS 'rows read at a time';
	COMMENT ON COLUMN triage.imports.last_key IS 'the key up to which rows were read; null: none yet';
	COMMENT ON COLUMN triage.imports.rows_imported IS 'rows brought in';
	COMMENT ON COLUMN triage.imports.rows_skipped IS 'rows that were here already';
	COMMENT ON COLUMN triage.imports.rows_failed IS 'rows turned down, each with a row of import_errors';
	COMMENT ON COLUMN triage.imports.started_by IS 'the role that began it, with whose rights source_table is read: no other may go on with it';
	COMMENT ON COLUMN triage.imports.started_at IS 'when it was begun';
	COMMENT ON COLUMN triage.imports.updated_at IS 'when its last batch was done';
	COMMENT ON COLUMN triage.imports.finished_at IS 'when every row had been read; null: it runs, or was cut short';
	COMMENT ON TABLE triage.import_errors IS 'rows that an import turned down, and why; the next import tries them again';
	COMMENT ON COLUMN triage.import_errors.id IS 'numbers the errors';
	COMMENT ON COLUMN triage.import_errors.import_id IS 'the import that met it';
	COMMENT ON COLUMN triage.import_errors.row_key IS 'the row''s id in its table; null: it has none';
	COMMENT ON COLUMN triage.import_errors.person IS 'requester or author of the row, or MD5 of the requester''s address in lower case where there is no id; erase_person() blanks the messages about his rows';
	COMMENT ON COLUMN triage.import_errors.state IS 'SQLSTATE';
	COMMENT ON COLUMN triage.import_errors.message IS 'what is wrong with it; may quote a value';
	COMMENT ON COLUMN triage.import_errors.created_at IS 'when it was met';
	COMMENT ON COLUMN triage.people.erased_at IS 'set: erase_person() blanked name, address and texts';
END
$install$;
COMMENT ON FUNCTION triage.install_records_tables() IS
	'part of install(): creates the tables of imports that are not there yet; takes nothing, returns nothing; raises what CREATE TABLE raises';
REVOKE ALL ON FUNCTION triage.install_records_tables() FROM PUBLIC;
