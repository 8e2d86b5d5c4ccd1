-- Retention, and the jobs of pg_cron that keep a database tidy.

CREATE FUNCTION triage.apply_retention(max_rows int DEFAULT 10000) RETURNS TABLE (target text, deleted bigint)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule record;
	results bigint;
	summaries bigint;
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
						-- what people said of a model is kept as long as the ticket
						AND NOT EXISTS (SELECT FROM triage.ai_feedback f WHERE f.tenant_id = r.tenant_id AND f.result_id = r.id)
						LIMIT max_rows FOR UPDATE SKIP LOCKED));
				GET DIAGNOSTICS results = ROW_COUNT;
				DELETE FROM triage.conversation_summaries x WHERE x.ctid = ANY (ARRAY (
					SELECT s.ctid FROM triage.conversation_summaries s WHERE s.superseded_at < rule.before
						LIMIT max_rows - results FOR UPDATE SKIP LOCKED));
				GET DIAGNOSTICS summaries = ROW_COUNT;
				results := results + summaries;
				DELETE FROM triage.extracted_issues x WHERE x.ctid = ANY (ARRAY (
					SELECT i.ctid FROM triage.extracted_issues i WHERE i.superseded_at < rule.before
						-- those of a deleted ticket go with it, or come back with it
						AND EXISTS (
							SELECT FROM triage.tickets t
								WHERE t.tenant_id = i.tenant_id AND t.id = i.ticket_id AND t.deleted_at IS NULL)
						LIMIT max_rows - results FOR UPDATE OF i SKIP LOCKED));
			WHEN 'archived_sessions' THEN
				-- nothing changes an archived session, so updated_at is when it was archived
				DELETE FROM triage.chat_sessions x WHERE x.ctid = ANY (ARRAY (
					SELECT s.ctid FROM triage.chat_sessions s
						WHERE s.status = 'archived' AND s.updated_at < rule.before
							-- who works on the ticket reads the conversation
							AND NOT EXISTS (
								SELECT FROM triage.chat_tickets l
									JOIN triage.tickets t ON t.tenant_id = l.tenant_id AND t.id = l.ticket_id
									WHERE l.tenant_id = s.tenant_id AND l.session_id = s.id AND l.relation = 'origin'
										AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL)
						LIMIT max_rows FOR UPDATE OF s SKIP LOCKED));
			WHEN 'sync_runs' THEN
				DELETE FROM triage.sync_runs x WHERE x.ctid = ANY (ARRAY (
					SELECT r.ctid FROM triage.sync_runs r WHERE r.finished_at < rule.before
						LIMIT max_rows FOR UPDATE SKIP LOCKED));
			WHEN 'budget_usage' THEN
				-- not while a call may still be settled, or a person may write it off; of a dropped budget the period is not known
				DELETE FROM triage.budget_usage x WHERE x.ctid = ANY (ARRAY (
					SELECT u.ctid FROM triage.budget_usage u LEFT JOIN triage.budgets b ON b.id = u.budget
						WHERE triage.budget_period_end(coalesce(b.period, 'month'), u.period_start) < rule.before
							AND NOT EXISTS (
								SELECT FROM triage.budget_reservations r WHERE r.budget = u.budget AND r.period_start = u.period_start)
						LIMIT max_rows FOR UPDATE OF u SKIP LOCKED));
			WHEN 'asked_events' THEN
				-- what the answer did is an event of its own, with what there was to choose from
				DELETE FROM triage.cluster_events x WHERE x.ctid = ANY (ARRAY (
					SELECT e.ctid FROM triage.cluster_events e WHERE e.event = 'asked' AND e.created_at < rule.before
						LIMIT max_rows FOR UPDATE SKIP LOCKED));
			WHEN 'events' THEN
				deleted := triage.trim_events(rule.before, max_rows);
				target := rule.target;
				RETURN NEXT;
				CONTINUE;
			WHEN 'deleted_tickets' THEN
				deleted := triage.purge_tickets(rule.before, NULL, max_rows);
		END CASE;
		IF rule.target <> 'deleted_tickets' THEN
			GET DIAGNOSTICS deleted = ROW_COUNT;
		END IF;
		IF rule.target = 'superseded_results' THEN
			deleted := deleted + results;
		END IF;
		target := rule.target;
		RETURN NEXT;
	END LOOP;
	-- what a quiet database has gathered since anybody came by
	PERFORM triage.fold_trends();
END
$$;
COMMENT ON FUNCTION triage.apply_retention(int) IS
	'deletes of all tenants what table retention says is kept long enough, at most max_rows of each target; call it again until it deletes nothing; returns a row for each target that is not kept for ever; raises 22023 unless max_rows is positive';
REVOKE ALL ON FUNCTION triage.apply_retention(int) FROM PUBLIC;

-- pg_cron: what follows names its schema and tables only in bodies, and so can be created without it.

CREATE FUNCTION triage.check_pg_cron() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cron_database text;
BEGIN
	IF EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
		RETURN;
	END IF;
	BEGIN
		cron_database := current_setting('cron.database_name', true);
	EXCEPTION WHEN insufficient_privilege THEN
		-- loaded, but who may not read the setting cannot be told for which database
		cron_database := '';
	END;
	IF cron_database IS NULL THEN
		RAISE EXCEPTION 'extension "pg_cron" is not available on this server'
			USING ERRCODE = 'feature_not_supported',
				HINT = 'Let another scheduler run SELECT triage.reap_jobs(); every minute and SELECT triage.apply_retention(); '
					'every ten; and SELECT triage.run_pending(500); every minute if no worker is kept.';
	ELSIF cron_database IN ('', current_database()) THEN
		RAISE EXCEPTION 'extension "pg_cron" is not installed in this database'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Run CREATE EXTENSION pg_cron; where it cannot be here, schedule SELECT triage.reap_jobs() and '
					'SELECT triage.apply_retention() in its own database with cron.schedule_in_database().';
	END IF;
	RAISE EXCEPTION 'extension "pg_cron" serves database "%", not this one', cron_database
		USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = format('In that database run SELECT cron.schedule_in_database(%L, ''* * * * *'', ''SELECT triage.reap_jobs()'', %L), '
				'cron.schedule_in_database(%L, ''*/10 * * * *'', ''SELECT triage.apply_retention()'', %2$L);',
				'triage reap ' || current_database(), current_database(), 'triage retention ' || current_database());
END
$$;
COMMENT ON FUNCTION triage.check_pg_cron() IS
	'returns when extension pg_cron is installed in this database, else raises 0A000 (not available on the server) or 55000 (it is, but not here) with the statements to run instead';
REVOKE ALL ON FUNCTION triage.check_pg_cron() FROM PUBLIC;

CREATE FUNCTION triage.maintenance_jobs()
	RETURNS TABLE (job_id bigint, job_name text, schedule text, command text, active boolean, last_start timestamptz,
		last_status text, last_message text)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
		RETURN;
	END IF;
	-- a name is unique among one role's jobs; row security shows a role its own
	RETURN QUERY
		SELECT j.jobid, j.jobname::text, j.schedule, j.command, j.active, d.start_time, d.status, d.return_message
			FROM cron.job j
			LEFT JOIN LATERAL (
				SELECT r.start_time, r.status, r.return_message
					FROM cron.job_run_details r WHERE r.jobid = j.jobid ORDER BY r.runid DESC LIMIT 1) d ON true
			WHERE j.jobname IN ('triage reap', 'triage retention', 'triage purge', 'triage run_pending')
				AND j.database = current_database() AND j.username = current_user
			ORDER BY j.jobname;
END
$$;
COMMENT ON FUNCTION triage.maintenance_jobs() IS
	'the jobs that schedule_maintenance() gave to pg_cron for the calling role, with the start, status and message of each one''s last run; no rows without pg_cron; raises 42501 without rights on schema cron';
REVOKE ALL ON FUNCTION triage.maintenance_jobs() FROM PUBLIC;

CREATE FUNCTION triage.schedule_maintenance(
	reap text DEFAULT '* * * * *',
	retention text DEFAULT '*/10 * * * *',
	purge text DEFAULT '17 3 * * *',
	run_pending text DEFAULT NULL,
	max_rows int DEFAULT 10000,
	max_jobs int DEFAULT 500,
	keep_details interval DEFAULT '7 days')
	RETURNS TABLE (job_name text, schedule text, command text)
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job record;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_pg_cron();
	IF max_rows IS NULL OR max_rows < 1 OR max_jobs IS NULL OR max_jobs < 1 OR keep_details IS NULL OR keep_details < '0' THEN
		RAISE EXCEPTION 'max_rows and max_jobs must be positive, keep_details must not be negative'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL is for a schedule: that job is then not run.';
	END IF;
	FOR job IN
		SELECT v.name, v.schedule, v.command
			FROM (VALUES
				('triage reap', reap, 'SELECT triage.reap_jobs()'),
				('triage retention', retention, format('SELECT triage.apply_retention(%s)', max_rows)),
				('triage purge', purge, format('SELECT triage.purge_run_details(%L)', keep_details)),
				('triage run_pending', run_pending, format('SELECT triage.run_pending(%s)', max_jobs))) AS v (name, schedule, command)
	LOOP
		IF job.schedule IS NULL THEN
			PERFORM cron.unschedule(m.job_id) FROM triage.maintenance_jobs() m WHERE m.job_name = job.name;
			CONTINUE;
		END IF;
		-- of the same name and role: changed in place
		PERFORM cron.schedule(job.name, job.schedule, job.command);
		job_name := job.name;
		schedule := job.schedule;
		command := job.command;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.schedule_maintenance(text, text, text, text, int, int, interval) IS
	'gives pg_cron the jobs of this database, to run as the calling role, or changes those it has: reap, retention, purge and run_pending are schedules of five fields in GMT, NULL for a job that is not to be (reap_jobs(); apply_retention(max_rows); purge_run_details(keep_details); run_pending(max_jobs), for a database that keeps no worker); returns the jobs; raises 0A000 or 55000 without pg_cron in this database, 22023 for what is out of range';
REVOKE ALL ON FUNCTION triage.schedule_maintenance(text, text, text, text, int, int, interval) FROM PUBLIC;

CREATE FUNCTION triage.purge_run_details(keep interval DEFAULT '7 days') RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	purged bigint;
BEGIN
	PERFORM triage.check_pg_cron();
	-- a run that a restart cut short has no times
	DELETE FROM cron.job_run_details d
		WHERE d.jobid IN (SELECT m.job_id FROM triage.maintenance_jobs() m)
			AND d.status IN ('succeeded', 'failed')
			AND coalesce(d.end_time, d.start_time, '-infinity') < now() - purge_run_details.keep;
	GET DIAGNOSTICS purged = ROW_COUNT;
	RETURN purged;
END
$$;
COMMENT ON FUNCTION triage.purge_run_details(interval) IS
	'deletes from cron.job_run_details what the runs of maintenance_jobs() left there longer than keep ago, and nothing of other jobs; returns the number of rows; raises 0A000 or 55000 without pg_cron in this database';
REVOKE ALL ON FUNCTION triage.purge_run_details(interval) FROM PUBLIC;

CREATE FUNCTION triage.unschedule_maintenance() RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job bigint;
	removed int := 0;
BEGIN
	FOR job IN SELECT m.job_id FROM triage.maintenance_jobs() m LOOP
		PERFORM cron.unschedule(job);
		DELETE FROM cron.job_run_details d WHERE d.jobid = job;
		removed := removed + 1;
	END LOOP;
	RETURN removed;
END
$$;
COMMENT ON FUNCTION triage.unschedule_maintenance() IS
	'takes the jobs of schedule_maintenance() from pg_cron again, with what their runs left in cron.job_run_details; returns their number, 0 without pg_cron; raises 42501 without rights on schema cron';
REVOKE ALL ON FUNCTION triage.unschedule_maintenance() FROM PUBLIC;
