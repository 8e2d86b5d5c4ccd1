-- A next version that never was, for test/e2e/t/125_extension_update.pl: what an update script of triage looks like.
-- Functions are changed here; tables are changed by install(), which the script calls at its end.

ALTER FUNCTION triage.install_tables() RENAME TO install_tables_1;
CREATE FUNCTION triage.install_tables() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	PERFORM triage.install_tables_1();
	ALTER TABLE triage.tickets ADD COLUMN IF NOT EXISTS satisfaction int
		CONSTRAINT tickets_satisfaction CHECK (satisfaction BETWEEN 1 AND 5);
	CREATE TABLE IF NOT EXISTS triage.surveys (
		tenant_id text NOT NULL,
		id        bigint GENERATED ALWAYS AS IDENTITY,
		ticket_id bigint NOT NULL,
		CONSTRAINT surveys_pkey PRIMARY KEY (id, tenant_id),
		CONSTRAINT surveys_ticket_fkey FOREIGN KEY (tenant_id, ticket_id)
			REFERENCES triage.tickets (tenant_id, id) ON DELETE CASCADE);
	UPDATE triage.tickets SET satisfaction = 3 WHERE satisfaction IS NULL AND status = 'closed';
END
$install$;
REVOKE ALL ON FUNCTION triage.install_tables() FROM PUBLIC;

CREATE FUNCTION triage.rate_ticket(ticket_id bigint, satisfaction int) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	UPDATE triage.tickets t SET satisfaction = rate_ticket.satisfaction WHERE t.id = rate_ticket.ticket_id;
END
$$;
REVOKE ALL ON FUNCTION triage.rate_ticket(bigint, int) FROM PUBLIC;

DO $$
BEGIN
	EXECUTE replace(pg_get_functiondef('triage.install()'::regprocedure),
		'current_version CONSTANT int := 1', 'current_version CONSTANT int := 2');
	IF current_setting('row_security')::boolean THEN
		PERFORM triage.install();
	END IF;
END
$$;
