-- The state machine of a ticket, and what follows from a change of status.
\set ECHO none
\set tenant lifecycle
\getenv source PG_ABS_SRCDIR
\set prepare :source '/test/regress/prepare.sql'
\i :prepare
\set ECHO all

-- who may follow whom
CREATE FUNCTION pg_temp.may_follow(old triage.ticket_status, new triage.ticket_status) RETURNS boolean
	LANGUAGE plpgsql
AS $$
DECLARE
	ticket bigint := triage.create_ticket('s', 'd', request_triage => false);
BEGIN
	IF old <> 'open' THEN
		PERFORM triage.update_ticket(ticket, jsonb_build_object('status', old));
	END IF;
	PERFORM triage.update_ticket(ticket, jsonb_build_object('status', new));
	RETURN (SELECT t.status = new FROM triage.tickets t WHERE t.id = ticket);
EXCEPTION WHEN check_violation THEN
	RETURN false;
END
$$;
SELECT o AS "from", string_agg(n::text, ' ' ORDER BY n) AS "to"
	FROM unnest(enum_range(NULL::triage.ticket_status)) o, unnest(enum_range(NULL::triage.ticket_status)) n
	WHERE o <> n AND pg_temp.may_follow(o, n)
	GROUP BY o
	ORDER BY o;

-- a plain UPDATE meets the same machine
SELECT triage.create_ticket('Printer', 'It jams', external_id => 'a') > 0 AS created;
UPDATE triage.tickets SET status = 'pending' WHERE id = pg_temp.ticket('a');
SELECT * FROM pg_temp.outcome($$UPDATE triage.tickets SET status = 'review' WHERE id = pg_temp.ticket('a')$$);

-- resolution and times come and go with the status
CREATE VIEW pg_temp.state AS
	SELECT t.external_id AS ticket, t.status, t.resolution, t.resolved_at IS NOT NULL AS resolved,
			t.closed_at IS NOT NULL AS closed, t.waiting_since IS NOT NULL AS waiting, t.version,
			(SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = t.id) AS jobs
		FROM triage.tickets t
		WHERE t.tenant_id = 'lifecycle' AND t.external_id IS NOT NULL
		ORDER BY t.external_id;
SELECT * FROM pg_temp.state;
SELECT triage.resolve_ticket(pg_temp.ticket('a'));
SELECT * FROM pg_temp.state;
SELECT triage.resolve_ticket(pg_temp.ticket('a')) AS again_is_no_change;
SELECT triage.resolve_ticket(pg_temp.ticket('a'), 'spam') AS other_resolution;
SELECT triage.reopen_ticket(pg_temp.ticket('a'));
SELECT * FROM pg_temp.state;
SELECT triage.reopen_ticket(pg_temp.ticket('a')) AS again_is_no_change;
SELECT triage.resolve_ticket(pg_temp.ticket('a'), 'deflected');
SELECT triage.close_ticket(pg_temp.ticket('a')) AS keeps_the_resolution;
SELECT * FROM pg_temp.state;
SELECT triage.close_ticket(pg_temp.ticket('a')) AS again_is_no_change;
SELECT * FROM pg_temp.outcome($$SELECT triage.reopen_ticket(pg_temp.ticket('a'))$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.resolve_ticket(pg_temp.ticket('a'))$$);
SELECT * FROM pg_temp.outcome($$UPDATE triage.tickets SET status = 'open' WHERE id = pg_temp.ticket('a')$$);

-- the version guards against changes that were not seen
SELECT triage.create_ticket('Router', 'No light', external_id => 'b') > 0 AS created;
SELECT triage.update_ticket(pg_temp.ticket('b'), '{"subject": "Router is dead"}', expected_version => 1);
SELECT * FROM pg_temp.outcome($$SELECT triage.update_ticket(pg_temp.ticket('b'), '{"subject": "x"}', expected_version => 1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.assign_ticket(pg_temp.ticket('b'), 'ann', expected_version => 1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.unassign_ticket(pg_temp.ticket('b'), 1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.resolve_ticket(pg_temp.ticket('b'), expected_version => 1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.close_ticket(pg_temp.ticket('b'), expected_version => 1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.reopen_ticket(pg_temp.ticket('b'), 1)$$);
SELECT * FROM pg_temp.outcome($$SELECT triage.delete_ticket(pg_temp.ticket('b'), 1)$$);
SELECT t.subject, t.status, t.assignee_id, t.version FROM triage.tickets t WHERE t.id = pg_temp.ticket('b');
SELECT triage.update_ticket(pg_temp.ticket('b'), '{}') AS no_change;

-- all that can be changed at once; null clears
SELECT triage.update_ticket(pg_temp.ticket('b'), '{"description": "No light at all", "language": "en", "priority": "urgent",
	"category": "technical", "status": "on_hold", "tags": ["vip", "lan"], "custom_fields": {"floor": 3},
	"requester_id": "c1", "requester_email": "c1@example.org", "assignee_id": "ann"}');
SELECT t.subject, t.description, t.language, t.priority, t.category, t.status, t.handler, t.tags, t.custom_fields,
		t.requester_id, t.requester_email, t.assignee_id, t.priority_is_manual, t.category_is_manual
	FROM triage.tickets t WHERE t.id = pg_temp.ticket('b') \gx
SELECT triage.update_ticket(pg_temp.ticket('b'), '{"language": null, "category": null, "requester_id": null,
	"requester_email": null, "assignee_id": null, "tags": [], "status": "resolved", "resolution": "abandoned"}');
SELECT t.language, t.category, t.requester_id, t.requester_email, t.assignee_id, t.tags, t.resolution
	FROM triage.tickets t WHERE t.id = pg_temp.ticket('b') \gx

-- a person's choice of label is marked as such, the model's is not; medium said by a person is a choice
SELECT triage.create_ticket('s', 'd', external_id => 'm1') > 0, triage.create_ticket('s', 'd', priority => 'medium', external_id => 'm2') > 0,
	triage.create_ticket('s', 'd', category => 'billing', external_id => 'm3') > 0, triage.create_ticket('s', 'd', external_id => 'm4') > 0,
	triage.create_ticket('s', 'd', external_id => 'm5') > 0;
SELECT triage.update_ticket(pg_temp.ticket('m4'), '{"priority": "medium"}');
SET triage.actor = 'triage';
UPDATE triage.tickets SET category = 'general', priority = 'low' WHERE id = pg_temp.ticket('m5');
SET triage.actor = 'tester';
SELECT t.external_id, t.priority, t.priority_is_manual, t.category, t.category_is_manual
	FROM triage.tickets t WHERE t.tenant_id = 'lifecycle' AND t.external_id LIKE 'm%' ORDER BY 1;

-- soft deletion: hidden, its job gone, the row there
SELECT triage.delete_ticket(pg_temp.ticket('m1'));
SELECT * FROM pg_temp.outcome($$SELECT triage.delete_ticket(pg_temp.ticket('m1'))$$);
SELECT t.deleted_at IS NOT NULL AS deleted, (SELECT count(*) FROM triage.ai_jobs j WHERE j.ticket_id = t.id) AS jobs
	FROM triage.tickets t WHERE t.id = pg_temp.ticket('m1');

-- the same delivery twice makes one ticket, also when it was deleted since
SELECT pg_temp.ticket('m1') AS m1 \gset
SELECT triage.create_ticket('again', 'd', external_id => 'm1') = :m1 AS same,
	triage.create_ticket('again', 'd', source => 'email', external_id => 'm1') <> :m1 AS another;
-- request_triage => false asks nothing, and leaves the setting as it was
SHOW triage.auto_triage;
SELECT triage.create_ticket('s', 'd', external_id => 'q', request_triage => false) > 0 AS created;
SHOW triage.auto_triage;
SELECT ticket, jobs FROM pg_temp.state WHERE ticket IN ('m2', 'q');
