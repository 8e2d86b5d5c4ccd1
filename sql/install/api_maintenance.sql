-- Retention, and the jobs of pg_cron that keep a database tidy.

CREATE FUNCTION triage.apply_retention(max_rows int DEFAULT 10000) RETURNS TABLE (target text, deleted bigint)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule record;
BEGIN
	PERFORM triage.check_schema();
	IF max_rows IS NULL OR max_rows < 1 THEN
		RAISE EXCEPTION 'max_rows must be positive, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It bounds what one call deletes of each target.';
	END IF;
	FOR rule IN
		SELECT r.target, now() - r.keep AS before FROM triage.retention r WHERE r.keep IS NOT NULL ORDER BY r.target
	LOOP
		-- what somebody holds is left for the next time
		CASE rule.target
			WHEN 'ai_runs' THEN
				DELETE FROM triage.ai_runs x WHERE x.ctid = ANY (ARRAY (
					SELECT r.ctid FROM triage.ai_runs r WHERE r.finished_at < rule.before
						LIMIT max_rows FOR UPDATE SKIP LOCKED));
			WHEN 'ai_dead_letters' THEN
				DELETE FROM triage.ai_dead_letters x WHERE x.ctid = ANY (ARRAY (
					SELECT d.ctid FROM triage.ai_dead_letters d WHERE d.failed_at < rule.before
						LIMIT max_rows FOR UPDATE SKIP LOCKED));
			WHEN 'superseded_results' THEN
				DELETE FROM triage.ticket_ai_results x WHERE x.ctid = ANY (ARRAY (
					SELECT r.ctid FROM triage.ticket_ai_results r WHERE r.superseded_at < rule.before
						LIMIT max_rows FOR UPDATE SKIP LOCKED));
			WHEN 'deleted_tickets' THEN
				DELETE FROM triage.tickets x WHERE x.ctid = ANY (ARRAY (
					SELECT t.ctid FROM triage.tickets t WHERE t.deleted_at < rule.before
						LIMIT max_rows FOR UPDATE SKIP LOCKED));
		END CASE;
		GET DIAGNOSTICS deleted = ROW_COUNT;
		target := rule.target;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.apply_retention(int) IS
	'deletes of all tenants what table retention says is kept long enough, at most max_rows of each target; call it again until it deletes nothing; returns a row for each target that is not kept for ever; raises 22023 unless max_rows is positive';
REVOKE ALL ON FUNCTION triage.apply_retention(int) FROM PUBLIC;
