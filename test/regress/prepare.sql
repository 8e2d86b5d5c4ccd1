-- What each regression test begins with.  psql variable `tenant`: a tenant of the test's own, which keeps it apart from
-- what other tests leave behind.  Tests print no ids: they name tickets by external_id.

SET triage.autostart = off;			-- no worker: jobs stay as the test puts them
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION IF NOT EXISTS triage;
SELECT set_config('triage.tenant', :'tenant', false) AS unused \gset
SELECT triage.create_tenant(:'tenant') AS unused \gset
SET triage.actor = 'tester';

-- Runs a command and tells how it ended: ok, or SQLSTATE and message, then DETAIL and HINT.
CREATE FUNCTION pg_temp.outcome(command text) RETURNS SETOF text
	LANGUAGE plpgsql
AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN NEXT 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT SQLSTATE || ': ' || regexp_replace(message, '\m(ticket|job) \d+', '\1 N', 'g');
	IF detail <> '' AND detail NOT LIKE 'Failing row%' THEN
		RETURN NEXT '  detail: ' || detail;
	END IF;
	IF hint <> '' THEN
		RETURN NEXT '  hint: ' || hint;
	END IF;
END
$$;

CREATE FUNCTION pg_temp.ticket(external_id text) RETURNS bigint
	LANGUAGE sql
AS $$
	SELECT t.id
		FROM triage.tickets t
		WHERE t.tenant_id = triage.current_tenant() AND t.external_id = ticket.external_id
$$;
