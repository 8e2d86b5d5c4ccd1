-- Holding work, letting it go on, putting it first.  As the owner: no application role may write these tables.

CREATE FUNCTION triage.pause(reason text DEFAULT NULL) RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	was_paused boolean;
BEGIN
	PERFORM triage.check_schema();
	reason := nullif(btrim(regexp_replace(reason, '[[:space:][:cntrl:]]+', ' ', 'g')), '');
	IF length(reason) > 200 THEN
		RAISE EXCEPTION 'reason is too long: % characters', length(reason)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It may have at most 200.';
	END IF;
	SELECT c.paused_at IS NOT NULL INTO was_paused FROM triage.worker_control c FOR UPDATE;
	-- a second pause has another reason, and the time of the first
	INSERT INTO triage.worker_control AS c (id, paused_at, paused_by, pause_reason)
		VALUES (true, now(), triage.current_actor(), pause.reason)
		ON CONFLICT ON CONSTRAINT worker_control_pkey DO UPDATE
			SET paused_at = coalesce(c.paused_at, excluded.paused_at), paused_by = excluded.paused_by,
				pause_reason = excluded.pause_reason;
	PERFORM triage.wake_worker();
	RETURN NOT coalesce(was_paused, false);
END
$$;
COMMENT ON FUNCTION triage.pause(text) IS
	'holds this database''s AI work when the transaction commits, over restarts too, until resume(): the worker stays and writes what is in the air, nothing new is claimed or called, claim_jobs() returns nothing, run_pending() refuses; tickets go on being enqueued; reason: shown in worker_status, at most 200 characters; returns whether it was not paused before; raises 22023 when reason is too long';
REVOKE ALL ON FUNCTION triage.pause(text) FROM PUBLIC;

CREATE FUNCTION triage.resume() RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	UPDATE triage.worker_control c
		SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
		WHERE c.paused_at IS NOT NULL;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM triage.wake_worker();
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.resume() IS
	'undoes pause() when the transaction commits; returns whether it was paused; raises nothing of its own';
REVOKE ALL ON FUNCTION triage.resume() FROM PUBLIC;

CREATE FUNCTION triage.reprioritise(ticket_id bigint, priority triage.ticket_priority) RETURNS boolean
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket_status triage.ticket_status;
BEGIN
	PERFORM triage.check_schema();
	IF priority IS NULL THEN
		RAISE EXCEPTION 'priority must not be NULL'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = format('The values are: %s.', array_to_string(enum_range(NULL::triage.ticket_priority), ', '));
	END IF;
	PERFORM triage.lock_ticket(ticket_id);
	SELECT t.status INTO ticket_status
		FROM triage.tickets t
		WHERE t.id = reprioritise.ticket_id AND t.tenant_id = triage.current_tenant();
	IF ticket_status IN ('resolved', 'closed') THEN
		RAISE EXCEPTION 'ticket % is %', ticket_id, ticket_status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'A finished ticket has no job.';
	END IF;
	-- behind the jobs that have this priority already: a claimer has walked past what is older
	UPDATE triage.ai_jobs j
		SET priority = reprioritise.priority,
			run_at = CASE WHEN j.priority = reprioritise.priority THEN j.run_at ELSE greatest(j.run_at, now()) END
		WHERE j.ticket_id = reprioritise.ticket_id AND j.tenant_id = triage.current_tenant()
			AND (j.lease_until IS NULL OR j.lease_until <= now());
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	PERFORM triage.wake_worker();
	RETURN true;
END
$$;
COMMENT ON FUNCTION triage.reprioritise(bigint, triage.ticket_priority) IS
	'sets the priority of a ticket''s pending jobs, of whatever kind, behind those that have it already; the ticket''s own priority stays; returns whether a job was pending; raises P0002 when there is no such ticket, 55000 when it is resolved or closed, 22023 when priority is NULL';
REVOKE ALL ON FUNCTION triage.reprioritise(bigint, triage.ticket_priority) FROM PUBLIC;
