-- Functions that run as the owner, called by an agent who has put operators, functions, tables, types and casts of his own
-- in front of everything.  Each of his says so when it runs; none may.
\ir prepare.psql
SELECT no_plan();

SELECT is_empty($$SELECT p.oid::regprocedure FROM pg_proc p
	WHERE p.pronamespace = 'triage'::regnamespace AND p.prosecdef
		AND NOT coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)$$, 'every function that runs as its owner pins its search_path');
SELECT cmp_ok((SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'triage'::regnamespace AND p.prosecdef), '>=', 17::bigint, '(there are such)');

CREATE ROLE regress_triage_mallory;
SELECT triage.grant_access('regress_triage_mallory', 'agent');
-- more than an agent gets: every one of them is attacked
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA triage TO regress_triage_mallory;
GRANT SELECT, INSERT, UPDATE ON triage.imports, triage.import_errors TO regress_triage_mallory;
GRANT CREATE ON SCHEMA public TO regress_triage_mallory;
SELECT triage.create_ticket('parrot', 'dead', 'carl', external_id => 'victim') AS victim \gset
INSERT INTO triage.people (id, email) VALUES ('eve', 'eve@example.com');
SELECT triage.create_ticket('waiting', 'x', external_id => 'waiting') AS waiting \gset
-- drafts enough for each search_path, and an event that is there to be read
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply)
	SELECT 'default', triage.create_ticket('draft', 'x'), 1, 'billing', 'low', 1, 'It rests.' FROM generate_series(1, 20);
SELECT triage.add_consumer('trapped', all_tenants => true);
UPDATE triage.event_consumers SET seen = '1:1:';
INSERT INTO triage.events (tenant_id, generation, xid, topic, actor) VALUES ('default', 1, '3', 'ticket.created', 'ann');
SELECT triage.add_comment(:victim, 'x', 'carl') AS comment \gset
SELECT triage.load_taxonomy();
SELECT triage.add_zendesk_source('acme', 'a@example.com', 'key', requests_per_minute => 1000000, comment_requests_per_minute => 1000000);

INSERT INTO triage.chat_sessions (id) OVERRIDING SYSTEM VALUE VALUES (-777001), (-777002), (-777003);
INSERT INTO triage.chat_messages (id, session_id, role, content) OVERRIDING SYSTEM VALUE VALUES (-777001, -777001, 'system', 'x'), (-777002, -777002, 'system', 'x');
INSERT INTO triage.tickets (id, description, handler) OVERRIDING SYSTEM VALUE VALUES (777003, 'x', 'human');
INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (-777003, 777003);
INSERT INTO triage.tickets (id, description) OVERRIDING SYSTEM VALUE VALUES (777004, 'x');
INSERT INTO triage.issue_clusters (id, category, subcategory, cluster_name) OVERRIDING SYSTEM VALUE SELECT i, 'PAYROLL', 'errors', 'x' FROM generate_series(-777005, -777001) i;
INSERT INTO triage.extracted_issues (id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at, cluster_id, assigned_by) OVERRIDING SYSTEM VALUE
	SELECT i, 777004, 'PAYROLL', 'errors', 'bug', 'low', 'red green blue ' || i, i::text::bytea, now(), CASE WHEN i < 777005 THEN - i END, CASE WHEN i < 777005 THEN 'human'::triage.issue_assigner END
		FROM generate_series(777001, 777005) i;

SET LOCAL ROLE regress_triage_mallory;
-- The traps --------------------------------------------------------------------------------------------------------------------

CREATE TABLE pg_temp.trap (place text);
INSERT INTO pg_temp.trap VALUES ('pg_temp'), ('public');
DO $$
DECLARE
	place text;
	item record;
BEGIN
	FOR place IN SELECT t.place FROM pg_temp.trap t LOOP
		-- functions by the names and types of those that the bodies use
		FOR item IN
			SELECT DISTINCT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result
				FROM pg_proc p
				WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND p.provariadic = 0 AND p.prorettype NOT IN ('internal'::regtype, 'trigger'::regtype)
					AND p.proname IN ('now', 'clock_timestamp', 'length', 'octet_length', 'websearch_to_tsquery', 'ts_rank', 'set_config', 'current_setting',
						'pg_sleep', 'lower', 'split_part', 'to_regclass', 'text', 'enum_range', 'jsonb_typeof', 'jsonb_each', 'array_to_string', 'unnest',
						'int4', 'int8', 'textlike', 'texteq', 'to_tsvector', 'position', 'quote_literal', 'string_to_array', 'rtrim', 'pg_has_role', 'to_jsonb')
					AND NOT p.proargtypes::oid[] && ARRAY ['internal'::regtype::oid]
		LOOP
			EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by %s'' USING ERRCODE = ''TR666''; END $f$',
				place, item.proname, item.arguments, item.result, item.proname);
		END LOOP;
		FOR item IN
			SELECT o.oprname, format_type(o.oprleft, NULL) AS l, format_type(o.oprright, NULL) AS r, format_type(o.oprresult, NULL) AS result, o.oid
				FROM pg_operator o
				WHERE o.oprnamespace = 'pg_catalog'::regnamespace AND o.oprkind = 'b'
					AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '||', '~', '!~', '~*', '@@', '+', '-', '?', '->', '->>', '&&')
					AND o.oprleft IN ('text'::regtype, 'int4'::regtype, 'int8'::regtype, 'tsvector'::regtype, 'tsquery'::regtype, 'jsonb'::regtype,
						'timestamptz'::regtype, 'anyenum'::regtype, 'oid'::regtype, 'bool'::regtype, 'anyarray'::regtype)
					AND o.oprright NOT IN ('anycompatible'::regtype, 'anynonarray'::regtype, 'anyelement'::regtype)
		LOOP
			EXECUTE format('CREATE FUNCTION %I.%I(%s, %s) RETURNS %s LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by operator %s'' USING ERRCODE = ''TR666''; END $f$',
				place, 'op_' || item.oid, item.l, item.r, item.result, item.oprname);
			EXECUTE format('CREATE OPERATOR %1$I.%2$s (FUNCTION = %1$I.%3$I, LEFTARG = %4$s, RIGHTARG = %5$s)', place, item.oprname, 'op_' || item.oid, item.l, item.r);
		END LOOP;
		-- exact for enums, which pg_catalog meets only as anyenum
		EXECUTE format('CREATE FUNCTION %I.op_status(triage.ticket_status, triage.ticket_status) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by enum ='' USING ERRCODE = ''TR666''; END $f$', place);
		EXECUTE format('CREATE OPERATOR %1$I.= (FUNCTION = %1$I.op_status, LEFTARG = triage.ticket_status, RIGHTARG = triage.ticket_status)', place);
		EXECUTE format('CREATE FUNCTION %I.op_priority(triage.ticket_priority, triage.ticket_priority) RETURNS boolean LANGUAGE plpgsql AS $f$ BEGIN RAISE EXCEPTION ''trapped by enum >'' USING ERRCODE = ''TR666''; END $f$', place);
		EXECUTE format('CREATE OPERATOR %1$I.> (FUNCTION = %1$I.op_priority, LEFTARG = triage.ticket_priority, RIGHTARG = triage.ticket_priority)', place);
	END LOOP;
	-- tables and types by our names and the catalogs', empty or with a constraint that cannot be met
	FOR item IN
		SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'v')
		UNION SELECT unnest('{pg_class, pg_roles, pg_extension, pg_proc, pg_type, pg_enum}'::name[])
	LOOP
		EXECUTE format('CREATE TEMP TABLE %I (trapped int CHECK (trapped IS NULL AND trapped IS NOT NULL))', item.relname);
	END LOOP;
	FOR item IN
		SELECT t.typname FROM pg_catalog.pg_type t WHERE t.typnamespace = 'triage'::regnamespace AND t.typtype = 'e'
		UNION SELECT unnest('{text, int8, int4, bool, name, tsquery, regconfig, timestamptz}'::name[])
	LOOP
		EXECUTE format('CREATE DOMAIN pg_temp.%I AS pg_catalog.text CHECK (false)', item.typname);
		EXECUTE format('CREATE DOMAIN public.%I AS pg_catalog.text CHECK (false)', item.typname);
	END LOOP;
END
$$;

-- pgTAP itself is not to be trapped
SET LOCAL search_path = pg_catalog, public, pg_temp;

-- Do the traps work? -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.attacked(command pg_catalog.text, path pg_catalog.text) RETURNS pg_catalog.text
	LANGUAGE plpgsql
	SET search_path = pg_catalog		-- what is set inside ends with it
AS $$
BEGIN
	PERFORM pg_catalog.set_config('search_path', path, true);
	EXECUTE command;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN pg_catalog.concat_ws(' ', SQLSTATE, CASE WHEN SQLSTATE OPERATOR(pg_catalog.=) 'TR666' OR SQLERRM OPERATOR(pg_catalog.~) 'trapped' THEN SQLERRM END);
END
$$;
CREATE TABLE pg_temp.path (path pg_catalog.text);
INSERT INTO pg_temp.path VALUES ('pg_temp, public, pg_catalog'), ('public, pg_temp, triage, pg_catalog'), ('triage, public, pg_catalog, pg_temp');
SELECT public.is(pg_temp.attacked('SELECT now()', 'public, pg_temp, pg_catalog'), 'TR666 trapped by now', '(a function in front is called');
SELECT public.is(pg_temp.attacked('SELECT 1 = 1', 'public, pg_temp, pg_catalog'), 'TR666 trapped by operator =', 'so is an operator');
SELECT public.is(pg_temp.attacked('SELECT ''open''::triage.ticket_status = ''open''::triage.ticket_status', 'public, pg_catalog'), 'TR666 trapped by enum =', 'of enums too');
SELECT public.is(pg_temp.attacked('INSERT INTO tickets VALUES (1)', 'pg_catalog, pg_temp'), '23514 new row for relation "tickets" violates check constraint "tickets_trapped_check"', 'a temporary table');
SELECT public.is(pg_temp.attacked('SELECT ''x''::text', 'public, pg_catalog'), '23514', 'and a type)');

-- Every function that runs as the owner, and those that are part of them ---------------------------------------------------------

CREATE TABLE pg_temp.call (command pg_catalog.text, outcome pg_catalog.text);
INSERT INTO pg_temp.call VALUES
	('SELECT triage.search_tickets(''parrot''::pg_catalog.text)', 'ok'),
	('SELECT triage.search_tickets(''parrot -dead''::pg_catalog.text, 5, ''de''::pg_catalog.text)', 'ok'),
	('SELECT triage.request_triage($victim)', 'ok'),
	('SELECT triage.cancel_job(1)', 'ok'),
	('SELECT triage.retry_failed()', 'ok'),
	('SELECT triage.create_tenant(pg_catalog.gen_random_uuid()::pg_catalog.text)', 'ok'),
	('SELECT triage.claim_jobs(1)', 'ok'),
	('SELECT triage.complete_job(j.job_id, j.fence, ''{"category": "billing", "urgency": "low", "sentiment_score": 1, "draft_reply": "x"}''::pg_catalog.jsonb) FROM triage.claim_jobs(1) j', 'ok'),
	('SELECT triage.fail_job(j.job_id, j.fence, ''refused'', ''x''::pg_catalog.text) FROM triage.claim_jobs(1) j', 'ok'),
	('SELECT triage.reap_jobs()', 'ok'),
	('SELECT triage.worker_start()', 'ok'),
	('SELECT triage.worker_stop()', 'ok'),
	('SELECT triage.worker_counters()', 'ok'),
	('SELECT triage.check_schema()', 'ok'),
	('SELECT triage.reprioritise($victim, ''urgent'')', 'ok'),
	('SELECT triage.pause(''x''::pg_catalog.text)', 'ok'),
	('SELECT triage.hold_reason()', 'ok'),
	('SELECT triage.resume()', 'ok'),
	('SELECT triage.prompt_sha256(1)', 'ok'),
	('SELECT triage.health()', 'ok'),
	('SELECT triage.doctor()', 'ok'),
	('SELECT triage.apply_retention()', 'ok'),
	-- procedures cannot pin their search_path
	('CALL triage.import_tickets(''triage.tickets''::pg_catalog.regclass, source => pg_catalog.gen_random_uuid()::pg_catalog.text, commit_batches => false)', 'ok'),
	('CALL triage.resume_import(-1, false)', 'P0002'),
	('SELECT triage.adopt()', 'ok'),
	('SELECT triage.purge_deleted(''1 day'')', 'ok'),
	('SELECT triage.erase_person(''eve''::pg_catalog.text)', 'ok'),
	('SELECT triage.home_refusal()', 'ok'),
	('SELECT triage.set_budget(''day'', 1, ''EUR''::pg_catalog.text)', 'ok'),
	('SELECT triage.write_off(''day'')', 'ok'),
	('SELECT triage.drop_budget(''month'')', '42704'),
	('SELECT triage.accept_draft(r.id, ''ann''::pg_catalog.text) FROM triage.ticket_ai_results r WHERE r.superseded_at IS NULL AND NOT EXISTS (SELECT FROM triage.ai_feedback f WHERE f.result_id OPERATOR(pg_catalog.=) r.id) ORDER BY r.id LIMIT 1', 'ok'),
	('SELECT triage.edit_draft(r.id, ''It is dead.''::pg_catalog.text, ''ann''::pg_catalog.text) FROM triage.ticket_ai_results r WHERE r.superseded_at IS NULL AND NOT EXISTS (SELECT FROM triage.ai_feedback f WHERE f.result_id OPERATOR(pg_catalog.=) r.id) ORDER BY r.id LIMIT 1', 'ok'),
	('SELECT triage.reject_draft(r.id, ''x''::pg_catalog.text, ''ann''::pg_catalog.text) FROM triage.ticket_ai_results r WHERE r.superseded_at IS NULL AND NOT EXISTS (SELECT FROM triage.ai_feedback f WHERE f.result_id OPERATOR(pg_catalog.=) r.id) ORDER BY r.id LIMIT 1', 'ok'),
	('SELECT triage.correct_result(r.id, ''{"category": "technical", "sentiment_score": 2}''::pg_catalog.jsonb, ''ann''::pg_catalog.text) FROM triage.ticket_ai_results r WHERE r.superseded_at IS NULL AND NOT EXISTS (SELECT FROM triage.ai_feedback f WHERE f.result_id OPERATOR(pg_catalog.=) r.id) ORDER BY r.id LIMIT 1', 'ok'),
	('SELECT triage.read_events(''trapped''::pg_catalog.text)', 'ok'),
	('SELECT triage.confirm_events(''trapped''::pg_catalog.text, 1)', 'ok'),
	('SELECT triage.pending_events(1)', 'ok'),
	('SELECT triage.add_consumer(''other''::pg_catalog.text, ''{ticket.created}''::pg_catalog.text[]), triage.drop_consumer(''other''::pg_catalog.text)', 'ok'),
	('SELECT triage.escalate_session(''-777001'', ''policy'', ''x''::pg_catalog.text)', 'ok'),
	('SELECT triage.escalate_for(''default''::pg_catalog.text, ''-777001'', ''policy'', ''y''::pg_catalog.text)', 'ok'),
	('SELECT triage.escalate_unanswered(''1'')', 'ok'),
	('SELECT triage.follow_chat_reply(''default''::pg_catalog.text, ''-777002'', ''-777002'', ''{"action": "escalate", "confidence": 0.1}''::pg_catalog.jsonb)', 'ok'),
	('SELECT triage.take_over_session(''-777002'', ''ann''::pg_catalog.text)', 'ok'),
	('SELECT triage.hand_back_to_ai(777003)', 'ok'),
	('SELECT triage.escalate_ticket(777003, ''policy'', ''x''::pg_catalog.text)', 'ok'),
	('SELECT triage.request_summary(777003)', 'ok'),
	('SELECT triage.request_session_summary(''-777001'')', 'ok'),
	('SELECT triage.read_summarize(''default''::pg_catalog.text, 777003, NULL, NULL)', 'ok'),
	('SELECT triage.read_summarize(''default''::pg_catalog.text, NULL, ''-777001'', NULL)', 'ok'),
	('SELECT triage.lock_summarize(''{default,default}'', ''{777003,NULL}'', ''{NULL,-777001}'', ''{NULL}'', ''{0,0}'')', 'ok'),
	('SELECT triage.store_summarize(''default''::pg_catalog.text, 777003, NULL, NULL, 1, 0, NULL, NULL, ''{"summary": "x", "open_questions": ["y"]}''::pg_catalog.jsonb)', 'ok'),
	('SELECT triage.set_chat_settings(''{"max_replies": 3}''::pg_catalog.jsonb)', '42501'),
	('SELECT triage.extract_issues(777003)', 'ok'),
	('SELECT triage.rebuild_trends()', 'ok'), ('SELECT triage.fold_trends()', 'ok'),
	('SELECT triage.extract_all()', 'ok'),
	('SELECT triage.estimate_extraction(again => true)', 'ok'),
	('SELECT triage.read_extract_issues(''default''::pg_catalog.text, 777003, NULL, NULL)', 'ok'),
	('SELECT triage.lock_extract_issues(''{default}'', ''{777003}'', ''{NULL}'', ''{NULL}'', ''{0}'')', 'ok'),
	('SELECT triage.store_extract_issues(''default''::pg_catalog.text, 777003, NULL, NULL, 1, 0, NULL, NULL, ''{"issues": [{"area": "PAYROLL/errors", "issue_type": "bug", "severity": "low", "summary": "x", "quote": "x"}]}''::pg_catalog.jsonb)', 'ok'),
	('SELECT triage.issue_candidates(''default''::pg_catalog.text, 777005)', 'ok'),
	('SELECT triage.read_match_issues(''default''::pg_catalog.text, 777004, NULL, NULL)', 'ok'),
	('SELECT triage.lock_match_issues(''{default}'', ''{777004}'', ''{NULL}'', ''{NULL}'', ''{0}'')', 'ok'),
	('SELECT triage.give_up_match_issues(''default''::pg_catalog.text, 777004, NULL, NULL, ''refused'', ''x''::pg_catalog.text)', 'ok'),
	('SELECT triage.store_match_issues(''default''::pg_catalog.text, 777004, NULL, NULL, 1, r.version, ''p''::pg_catalog.text, ''m''::pg_catalog.text, ''{"matches": [{"issue": 1, "cluster": "none"}]}''::pg_catalog.jsonb)
		FROM triage.read_match_issues(''default''::pg_catalog.text, 777004, NULL, NULL) r', 'ok'),
	('SELECT triage.read_name_cluster(''default''::pg_catalog.text, NULL, NULL, -777001)', 'ok'),
	('SELECT triage.lock_name_cluster(''{default}'', ''{NULL}'', ''{NULL}'', ''{-777001}'', ''{0}'')', 'ok'),
	('SELECT triage.store_name_cluster(''default''::pg_catalog.text, NULL, NULL, -777001, 1, 0, ''p''::pg_catalog.text, ''m''::pg_catalog.text, ''{"name": "x", "summary": "y"}''::pg_catalog.jsonb)', 'ok'),
	('SELECT triage.assign_issue(777002, -777001), triage.delete_cluster(triage.split_cluster(-777001, ''{777002}''::pg_catalog.int8[], ''x''::pg_catalog.text))', 'ok'),
	('SELECT triage.assign_issue(777002, -777001), triage.unassign_issue(777002, ''x''::pg_catalog.text)', 'ok'),
	('SELECT triage.merge_clusters(-777003, -777004, ''x''::pg_catalog.text), triage.unmerge_cluster(-777003)', 'ok'),
	('SELECT triage.archive_cluster(-777002), triage.unarchive_cluster(-777002)', 'ok'),
	('SELECT triage.rename_cluster(-777002, ''y''::pg_catalog.text, ''z''::pg_catalog.text)', 'ok'),
	('SELECT triage.set_pm_status(-777002, ''fixed'', ''x''::pg_catalog.text), triage.set_pm_status(-777002, ''reviewing'')', 'ok'),
	('SELECT triage.place_unclustered()', 'ok'),
	('SELECT triage.suggest_merges()', 'ok'),
	('SELECT triage.store_sync_tickets(c.tenant_id, c.source, c.fence, ''{"tickets": [{"id": "1", "created_at": 1, "updated_at": 2, "generated_at": 2, "subject": "x", "description": "x", "status": "open", "priority": "high", "requester_id": "1", "assignee_id": "2", "tags": ["a"], "custom_fields": {"1": 2}}, {"id": "2", "created_at": "x"}], "users": [{"id": "1", "name": "x", "email": "x@example.com", "organization_id": "9"}, {"id": "2", "role": "agent"}], "organizations": [{"id": "9", "name": "x"}], "skipped": ["x"], "after_cursor": "c", "wait_ms": 0}''::pg_catalog.jsonb, 200, 1, pg_catalog.now()) FROM triage.take_over_sync(0), triage.claim_sync(0, 1) c WHERE c.ticket_external_id IS NULL', 'ok'),
	('SELECT triage.store_sync_comments(c.tenant_id, c.source, c.fence, c.ticket_external_id, ''{"comments": [{"id": "1", "author_id": "1", "body": "x", "created_at": 1, "attachments": [{"file_name": "x", "content_url": "https://example.org/x"}]}, {"id": "2", "created_at": "x"}], "users": [], "has_more": true, "after_cursor": "c"}''::pg_catalog.jsonb, 200, 1, pg_catalog.now()) FROM triage.take_over_sync(0), triage.claim_sync(0, 4) c WHERE c.ticket_external_id IS NOT NULL', 'ok'),
	('SELECT triage.fail_sync(c.tenant_id, c.source, c.stream, c.fence, c.ticket_external_id, ''transient'', 500, ''x''::pg_catalog.text, NULL, true, 1, pg_catalog.now()) FROM triage.take_over_sync(0), triage.claim_sync(0, 4) c', 'ok'),
	('SELECT triage.next_sync(), triage.revive_sync(NULL, NULL)', 'ok'),
	('SELECT triage.sync_now(), triage.pause_source(''zendesk''::pg_catalog.text, ''x''::pg_catalog.text), triage.resume_source(''zendesk''::pg_catalog.text)', 'ok'),
	('SELECT triage.load_taxonomy()', '42501'),
	('SELECT triage.set_mining_settings(''{"min_issues": 3}''::pg_catalog.jsonb)', '42501'),
	-- first, so that there is a session for what follows
	('SELECT triage.post_message(triage.start_session(''p''::pg_catalog.text, true), ''x''::pg_catalog.text, ''user'', NULL, ''c''::pg_catalog.text)', 'ok'),
	('SELECT triage.add_comment(l.ticket_id, ''x''::pg_catalog.text, ''p''::pg_catalog.text) FROM triage.chat_tickets l WHERE l.relation OPERATOR(pg_catalog.=) ''origin''', 'ok'),
	('SELECT triage.search_messages(''parrot''::pg_catalog.text)', 'ok'),
	('SELECT triage.read_chat_reply(''default''::pg_catalog.text, NULL, 1, NULL)', 'ok'),
	('SELECT triage.lock_chat_reply(''{default}'', ''{1}'', ''{1}'', ''{NULL}'', ''{1}'')', 'ok'),
	('SELECT triage.store_chat_reply(''default''::pg_catalog.text, NULL, s.id, NULL, 1, 1, ''p''::pg_catalog.text, ''m''::pg_catalog.text, ''{"reply": "x", "action": "answer"}''::pg_catalog.jsonb) FROM (SELECT pg_catalog.max(s.id) AS id FROM triage.chat_sessions s) s', 'ok'),
	('SELECT triage.give_up_chat_reply(''default''::pg_catalog.text, NULL, s.id, NULL, ''refused'', ''x''::pg_catalog.text) FROM (SELECT pg_catalog.max(s.id) AS id FROM triage.chat_sessions s) s', 'ok'),
	('SELECT triage.tickets_tagged(''{a}''::pg_catalog.text[], 5)', 'ok'),
	('SELECT triage.edit_comment((SELECT pg_catalog.max(c.id) FROM triage.ticket_comments c), pg_catalog.gen_random_uuid()::pg_catalog.text)', 'ok'),
	('SELECT triage.attach_to_comment((SELECT pg_catalog.max(c.id) FROM triage.ticket_comments c), ''https://example.org/''::pg_catalog.text, ''x''::pg_catalog.text)', 'ok'),
	('SELECT triage.redact_comment((SELECT pg_catalog.max(c.id) FROM triage.ticket_comments c))', 'ok'),
	-- divides by zero when all is done: the ticket must not stay closed
	('SELECT pg_catalog.int8div(1, pg_catalog.int8mi(r.comment_id, r.comment_id)) FROM triage.close_ticket($victim) v, '
		'LATERAL triage.receive_reply(pg_catalog.int8larger($victim, pg_catalog.int8(v)), ''x''::pg_catalog.text) r', '22012'),
	-- their triggers
	('INSERT INTO triage.chat_messages (session_id, content) SELECT pg_catalog.max(s.id), ''x'' FROM triage.chat_sessions s', 'ok'),
	('INSERT INTO triage.chat_tickets (session_id, ticket_id, relation) SELECT triage.start_session(), $victim, ''related''', 'ok'),
	('UPDATE triage.chat_sessions SET status = ''resolved'' WHERE status OPERATOR(pg_catalog.=) ''active''', 'ok'),
	('INSERT INTO triage.tickets (description, assignee_id) VALUES (''x'', NULL)', 'ok'),
	('UPDATE triage.tickets SET subject = ''other'', status = ''in_progress''', 'ok'),
	('INSERT INTO triage.ticket_comments (ticket_id, content, author_role) VALUES ($victim, ''x'', ''customer'')', 'ok'),
	-- and what runs as the caller, who must not be led astray either
	('SELECT triage.create_ticket(''x''::pg_catalog.text, ''x''::pg_catalog.text, ''p''::pg_catalog.text)', 'ok'),
	('SELECT triage.update_ticket($victim, ''{"subject": "x", "tags": ["a"]}''::pg_catalog.jsonb)', 'ok'),
	('SELECT triage.assign_ticket($victim, ''ann''::pg_catalog.text)', 'ok'),
	('SELECT triage.resolve_ticket($victim)', 'ok'),
	('SELECT triage.link_session(triage.start_session(), $victim)', 'ok'),
	('SELECT triage.end_session(triage.start_session(''p''::pg_catalog.text, true), true)', 'ok'),
	('SELECT triage.conversation(pg_catalog.max(s.id)) FROM triage.chat_sessions s', 'ok'),
	('SELECT triage.list_tickets()', 'ok'),
	('SELECT triage.list_tickets(tags => ''{a}''::pg_catalog.text[])', 'ok'),
	('SELECT triage.add_tags($victim, ''{b}''::pg_catalog.text[])', 'ok'),
	('SELECT triage.remove_tags($victim, ''{b}''::pg_catalog.text[])', 'ok'),
	('SELECT triage.set_custom_fields($victim, ''{"a": 1, "b": null}''::pg_catalog.jsonb)', 'ok'),
	('SELECT triage.check_integrity()', 'ok'),
	('SELECT triage.add_comment($victim, ''x''::pg_catalog.text, ''p''::pg_catalog.text)', 'ok');
SELECT public.is(t.outcome, c.outcome, pg_catalog.format('%s, search_path %s', c.command, p.path))
	FROM pg_temp.call c CROSS JOIN pg_temp.path p,
		LATERAL (SELECT pg_temp.attacked(pg_catalog.replace(c.command, '$victim', :'victim'), p.path) AS outcome) t;
RESET ROLE;
SELECT public.is_empty($$SELECT p.proname FROM pg_catalog.pg_proc p
	WHERE p.pronamespace = 'triage'::regnamespace AND p.prosecdef AND p.prorettype <> 'trigger'::regtype
		AND NOT EXISTS (SELECT FROM pg_temp.call c WHERE c.command ~ ('triage\.' || p.proname || '\('))$$, 'each function that runs as its owner was attacked');
SELECT public.is_empty($$SELECT e.message FROM triage.import_errors e WHERE e.state = 'TR666' OR e.message ~ 'trapped'$$, 'nor was an import trapped where it catches what a row raises');
SELECT public.isnt_empty('SELECT FROM triage.imports i WHERE i.rows_imported > 0', '(it had rows)');
SELECT public.isnt_empty('SELECT FROM triage.sync_runs r WHERE r.' || c || ' > 0', '(so had sync: ' || c || ')') FROM unnest(ARRAY['tickets_upserted', 'comments_upserted']) c;
SELECT public.is((SELECT pg_catalog.string_agg(DISTINCT c.relowner::regrole::pg_catalog.text, ' ') FROM pg_catalog.pg_class c WHERE c.relnamespace = 'triage'::regnamespace),
	current_user::pg_catalog.text, 'and no object of the schema has another owner now');

SELECT public.finish();
ROLLBACK;
