-- Records: deleting tickets for good, and erasing a person.  Bringing in tickets that exist already is in api_import.sql.
--
-- These functions run as the owner, since no application role may delete tickets or touch history.  Hence the tenant
-- predicate in every statement, and no dynamic SQL.

-- Deleting for good ----------------------------------------------------------------------------------------------------

-- The one place that deletes tickets.  What hangs on a ticket goes with it, by cascade; runs stay: the money was spent.
CREATE FUNCTION triage.purge_tickets(deleted_before timestamptz, tenant text, max_rows int) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	purged bigint;
	of_tenants text[];
	ids bigint[];
	cluster_tenants text[];
	cluster_ids bigint[];
BEGIN
	-- A ticket that somebody holds, to take it back from the deleted ones perhaps, is left for the next time.  What was
	-- taken back meanwhile no longer fits the condition, which is looked at again under the lock.
	SELECT array_agg(l.tenant_id), array_agg(l.id) INTO of_tenants, ids
		FROM (SELECT t.tenant_id, t.id FROM triage.tickets t
				WHERE t.deleted_at < deleted_before AND (purge_tickets.tenant IS NULL OR t.tenant_id = purge_tickets.tenant)
				LIMIT max_rows FOR UPDATE SKIP LOCKED) l;
	-- A session's messages are its ticket's thread.  One that goes on in another ticket stays; a
	-- trigger archives it.
	DELETE FROM triage.chat_sessions s
		USING triage.chat_tickets o, unnest(of_tenants, ids) d (tenant_id, id)
		WHERE o.tenant_id = d.tenant_id AND o.ticket_id = d.id AND o.relation = 'origin'
			AND s.tenant_id = o.tenant_id AND s.id = o.session_id
			AND NOT EXISTS (SELECT FROM triage.chat_tickets l
				WHERE l.tenant_id = s.tenant_id AND l.session_id = s.id
					AND (l.tenant_id, l.ticket_id) NOT IN (SELECT u.tenant_id, u.id FROM unnest(of_tenants, ids) u (tenant_id, id)));
	-- a cluster that nobody has named yet carries what one of these tickets was said to be about
	SELECT array_agg(l.tenant_id), array_agg(l.id) INTO cluster_tenants, cluster_ids
		FROM (SELECT c.tenant_id, c.id FROM triage.issue_clusters c
				WHERE NOT c.name_is_manual AND c.cluster_summary IS NULL AND (c.tenant_id, c.id, c.cluster_name) IN (
					SELECT i.tenant_id, i.cluster_id, left(i.summary, 200)
						FROM unnest(of_tenants, ids) d (tenant_id, id)
						JOIN triage.extracted_issues i ON i.tenant_id = d.tenant_id AND i.ticket_id = d.id)
				ORDER BY c.id FOR NO KEY UPDATE) l;
	DELETE FROM triage.tickets x
		USING unnest(of_tenants, ids) d (tenant_id, id)
		WHERE x.tenant_id = d.tenant_id AND x.id = d.id;
	GET DIAGNOSTICS purged = ROW_COUNT;
	UPDATE triage.issue_clusters c
		SET cluster_name = coalesce((
			SELECT left(i.summary, 200) FROM triage.extracted_issues i
				WHERE i.tenant_id = c.tenant_id AND i.cluster_id = c.id AND i.superseded_at IS NULL
				ORDER BY i.reported_at DESC, i.id DESC LIMIT 1), '[erased]')
		FROM unnest(cluster_tenants, cluster_ids) u (tenant_id, id)
		WHERE c.tenant_id = u.tenant_id AND c.id = u.id;
	RETURN purged;
END
$$;
COMMENT ON FUNCTION triage.purge_tickets(timestamptz, text, int) IS
	'part of purge_deleted() and apply_retention(): deletes at most max_rows tickets that delete_ticket() hid before that time, of one tenant or, with NULL, of all, and what hangs on them, the chat sessions that they began as and names that clusters have of them included; returns how many; raises nothing';
REVOKE ALL ON FUNCTION triage.purge_tickets(timestamptz, text, int) FROM PUBLIC;

CREATE FUNCTION triage.purge_deleted(older_than interval DEFAULT '30 days', max_rows int DEFAULT 10000) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF older_than IS NULL OR older_than < '0' THEN
		RAISE EXCEPTION 'older_than must not be negative'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Zero is every deleted ticket.';
	ELSIF max_rows IS NULL OR max_rows < 1 THEN
		RAISE EXCEPTION 'max_rows must be positive, not %', coalesce(max_rows::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It bounds what one call deletes.';
	END IF;
	-- the clock, not the transaction's begin: with '0' what this transaction hid goes, too
	RETURN triage.purge_tickets(clock_timestamp() - least(older_than, '1000 years'), triage.current_tenant(), max_rows);
END
$$;
COMMENT ON FUNCTION triage.purge_deleted(interval, int) IS
	'deletes for good the tickets of the current tenant that delete_ticket() hid longer than older_than ago, with comments, history, assignments, results and jobs, and with the chat sessions that they began as (one with other tickets is archived instead); ai_runs stay; at most max_rows, what somebody holds is skipped: call it again until it returns 0; returns how many; raises 22023 when older_than is negative or max_rows not positive; apply_retention() does the same for all tenants by schedule';
REVOKE ALL ON FUNCTION triage.purge_deleted(interval, int) FROM PUBLIC;

-- Erasing a person -----------------------------------------------------------------------------------------------------

-- Every column of the schema that can hold free text, and what becomes of it.  A test compares with the catalogs: a column
-- that is not listed fails it, and so does one that is said to be erased and is not.
CREATE FUNCTION triage.erasure_list() RETURNS TABLE (relation text, col text, fate text, why text)
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT v.relation, u.col, v.fate, v.why
		FROM (VALUES
			('people', 'erased', 'name and address', 'display_name email'),
			('people', 'kept', 'the application''s own id, and a label', 'id language'),
			('tickets', 'erased', 'of tickets that the person requested, and others'' that have the person''s words for their text', 'subject description requester_email custom_fields search'),
			('tickets', 'kept', 'ids and labels', 'source external_id requester_id assignee_id category language tags'),
			('ticket_comments', 'erased', 'by the person, and all comments on tickets that the person requested', 'content'),
			('ticket_comments', 'kept', 'ids and labels', 'author_id source external_id'),
			('comment_edits', 'erased', 'of those comments', 'old_content'),
			('comment_edits', 'kept', 'who edited', 'edited_by session_role'),
			('comment_attachments', 'erased', 'of those comments; the files are the application''s', 'file_url file_name'),
			('comment_attachments', 'kept', 'labels', 'source file_type'),
			('ticket_history', 'erased', 'of those tickets, but for fields that hold ids, times and labels', 'old_value new_value'),
			('ticket_history', 'kept', 'ids and labels', 'field changed_by session_role'),
			('ticket_assignments', 'kept', 'ids', 'agent_id assigned_by'),
			('ticket_links', 'kept', 'an id', 'created_by'),
			('ai_jobs', 'kept', 'the jobs themselves are called off', 'provider'),
			('ai_dead_letters', 'erased', 'may quote the ticket', 'message'),
			('ai_runs', 'erased', 'may quote the ticket', 'error'),
			('ai_runs', 'kept', 'of the call', 'provider model request_id currency price'),
			('ticket_ai_results', 'erased', 'made of the ticket''s text', 'summary draft_reply'),
			('ticket_ai_results', 'kept', 'labels', 'category language'),
			('ai_feedback', 'erased', 'by the person, and on results of those tickets', 'reason'),
			('ai_feedback', 'kept', 'an id and labels', 'person_id corrections'),
			('event_consumers', 'kept', 'set-up', 'tenant name topics seen batch created_by'),
			('chat_sessions', 'erased', 'of the person''s sessions', 'metadata'),
			('chat_sessions', 'kept', 'an id and a label', 'customer_id language'),
			('chat_messages', 'erased', 'by the person, and all messages of the person''s sessions', 'content metadata search'),
			('chat_messages', 'kept', 'ids and labels', 'author_id language client_id'),
			('chat_attachments', 'erased', 'of those messages; the files are the application''s', 'file_url file_name'),
			('chat_attachments', 'kept', 'a media type', 'file_type'),
			('ticket_escalations', 'erased', 'by the person, and of those tickets and sessions', 'reason'),
			('ticket_escalations', 'kept', 'who escalated', 'created_by session_role'),
			('conversation_summaries', 'erased', 'of those tickets and sessions', 'summary customer_request open_questions'),
			('conversation_summaries', 'kept', 'a label', 'language'),
			('issue_taxonomy', 'kept', 'vocabulary', 'category subcategory description keywords'),
			('mining_settings', 'kept', 'set-up', 'summary_language'),
			('extracted_issues', 'erased', 'of those tickets; and quotes of what the person wrote elsewhere', 'summary detail representative_quote search customer'),
			('extracted_issues', 'kept', 'labels, and the hash of what is erased', 'category subcategory fingerprint'),
			('issue_clusters', 'erased', 'made of the issues of those tickets, unless a person wrote it', 'cluster_name cluster_summary'),
			('issue_clusters', 'kept', 'labels, and what product management wrote', 'category subcategory pm_notes'),
			('cluster_exclusions', 'kept', 'the hash of what is erased, and an id', 'fingerprint created_by'),
			('cluster_events', 'erased', 'why an issue of those tickets went where it did, and the names its clusters had', 'details'),
			('cluster_events', 'kept', 'who decided', 'actor session_role'),
			('ticket_extractions', 'kept', 'of the call', 'provider model'),
			('events', 'kept', 'ids and labels; no text ever stands there', 'actor labels xid'),
			('import_errors', 'erased', 'about the person''s rows; may quote them', 'message'),
			('import_errors', 'kept', 'ids or the hash of an address, and a SQLSTATE', 'row_key person state'),
			('imports', 'kept', 'names of tables and columns, labels, ids', 'target source_table source ticket_source columns labels last_key started_by'),
			('people', 'kept', 'an id', 'organization_id'),
			('organizations', 'kept', 'no person''s', 'id name'),
			('sync_sources', 'kept', 'set-up', 'name base_url email secret support_type_scope paused_by pause_reason'),
			('sync_state', 'kept', 'of the request', 'source cursor last_error'),
			('sync_runs', 'kept', 'of the request; rows that were left out are named by their ids', 'source error'),
			('synced_tickets', 'erased', 'of tickets that the person requested', 'details copied'),
			('synced_tickets', 'kept', 'of the request', 'source comments_cursor'),
			('tenants', 'kept', 'no person''s', 'id name'),
			('role_tenants', 'kept', 'no person''s', ''),
			('ticket_categories', 'kept', 'vocabulary', 'category description keywords'),
			('prompts', 'kept', 'vocabulary', 'system_text'),
			('providers', 'kept', 'set-up', 'name base_url model secret max_tokens_field paused_by pause_reason'),
			('model_prices', 'kept', 'set-up', 'model_pattern provider currency like_pattern'),
			('provider_models', 'kept', 'set-up', 'provider asked_model model'),
			('budgets', 'kept', 'set-up', 'tenant currency'),
			('budget_reservations', 'kept', 'ids', 'tenant provider'),
			('worker_control', 'kept', 'set-up', 'stopped_by paused_by pause_reason'),
			('home', 'kept', 'set-up', 'adopted_by'),
			('retention', 'kept', 'set-up', 'target')) v (relation, fate, why, cols),
			unnest(string_to_array(v.cols, ' ')) u (col)
	UNION ALL
	-- each tenant table has it
	SELECT '*', 'tenant_id', 'kept', 'no person''s'
$$;
COMMENT ON FUNCTION triage.erasure_list() IS
	'every column of triage''s tables that can hold free text, and what erase_person() does with it: fate erased or kept; relation * is each table; raises nothing';
REVOKE ALL ON FUNCTION triage.erasure_list() FROM PUBLIC;

-- Lock order is that of everybody: tickets, sessions, jobs.  A worker that holds a ticket is waited for, and what it wrote
-- is then seen and erased; one that comes later finds its job gone, so that its answer is stale and stores no text.
CREATE FUNCTION triage.erase_person(person_id text) RETURNS TABLE (relation text, erased bigint)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	person CONSTANT text := $1;
	blank CONSTANT text := '[erased]';
	address text;
	own bigint[];			-- tickets that the person requested
	worded bigint[];		-- others', whose text is the person's
	texts bigint[];			-- both
	talks bigint[];			-- the person's chat sessions
	said bigint[];			-- comments or messages that are erased, for what hangs on them
	heard bigint[];			-- tickets on which the person wrote, or in whose conversation
	quotes bigint := 0;
	letters bigint := 0;	-- what was erased of AI work on sessions and clusters
	grouped bigint[];
	runs bigint := 0;
	jobs bigint := 0;
BEGIN
	PERFORM triage.check_schema();
	SELECT lower(p.email) INTO address FROM triage.people p WHERE p.tenant_id = tenant AND p.id = person;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'person % does not exist', coalesce(quote_literal(left(person, 200)), 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'Persons are known by the id that the application gives them.';
	END IF;
	-- Twice: whoever writes in the person's name at this moment holds his row, so that what they write is here once that
	-- is locked, and is erased too.
	FOR pass IN 1 .. 2 LOOP
		-- A ticket that came with an address and nobody's id is the person's whose address it is; one without either, and
		-- a session without a customer, that of the person whom the other of the two names.
		-- A closed ticket's follow-up begins with the comment that opened it, and a conversation's ticket with what was said.
		SELECT coalesce(array_agg(l.id) FILTER (WHERE l.requested), '{}'),
				coalesce(array_agg(l.id) FILTER (WHERE NOT l.requested), '{}')
			INTO own, worded
			FROM (SELECT t.id, k.requested
					FROM (
						SELECT x.id, bool_or(x.requested) AS requested
							FROM (
								SELECT r.id, true AS requested FROM triage.tickets r
									WHERE r.tenant_id = tenant AND r.requester_id = person
								UNION ALL
								SELECT r.id, true FROM triage.tickets r
									WHERE r.tenant_id = tenant AND r.requester_id IS NULL AND lower(r.requester_email) = address
								UNION ALL
								SELECT c.ticket_id, true FROM triage.chat_sessions s
									JOIN triage.chat_tickets c
										ON c.tenant_id = s.tenant_id AND c.session_id = s.id AND c.relation = 'origin'
									WHERE s.tenant_id = tenant AND s.customer_id = person
								UNION ALL
								SELECT c.ticket_id, false FROM triage.ticket_comments c
									JOIN triage.tickets r ON r.tenant_id = c.tenant_id AND r.id = c.ticket_id
									WHERE c.tenant_id = tenant AND c.author_id = person AND c.content <> blank
										-- it may have been edited since
										AND (r.description = c.content OR EXISTS (
											SELECT FROM triage.ticket_history h
												WHERE h.tenant_id = tenant AND h.ticket_id = r.id AND h.field = 'description'
													AND h.old_value = to_jsonb(c.content)))
								UNION ALL
								SELECT c.ticket_id, false FROM triage.chat_messages m
									JOIN triage.chat_tickets c
										ON c.tenant_id = m.tenant_id AND c.session_id = m.session_id AND c.relation = 'origin'
									JOIN triage.tickets r ON r.tenant_id = c.tenant_id AND r.id = c.ticket_id
									WHERE m.tenant_id = tenant AND m.author_id = person AND m.role = 'user' AND m.content <> blank
										-- 20000: where open_ticket_of() cuts it off
										AND (strpos(r.description, m.content) > 0 OR length(r.description) = 20000 OR EXISTS (
											SELECT FROM triage.ticket_history h
												WHERE h.tenant_id = tenant AND h.ticket_id = r.id AND h.field = 'description'
													AND strpos(h.old_value #>> '{}', m.content) > 0))) x
							GROUP BY x.id) k
					JOIN triage.tickets t ON t.id = k.id
					WHERE t.tenant_id = tenant AND (t.requester_id = person OR t.requester_id IS NULL OR NOT k.requested)
					ORDER BY t.id FOR NO KEY UPDATE OF t) l;
		talks := ARRAY (
			SELECT s.id FROM triage.chat_sessions s
				WHERE s.tenant_id = tenant AND (s.customer_id = person OR s.customer_id IS NULL) AND s.id IN (
					SELECT x.id FROM triage.chat_sessions x WHERE x.tenant_id = tenant AND x.customer_id = person
					UNION ALL
					SELECT c.session_id FROM triage.chat_tickets c
						WHERE c.tenant_id = tenant AND c.ticket_id = ANY (own) AND c.relation = 'origin')
				ORDER BY s.id FOR NO KEY UPDATE);
		IF pass = 1 THEN
			PERFORM FROM triage.people p WHERE p.tenant_id = tenant AND p.id = person FOR UPDATE;
		END IF;
	END LOOP;

	texts := own || worded;
	relation := 'tickets';
	erased := triage.erase_tickets(tenant, own) + triage.erase_tickets(tenant, worded, whole => false);
	RETURN NEXT;

	said := ARRAY (
		SELECT c.id FROM triage.ticket_comments c
			WHERE c.tenant_id = tenant AND (c.ticket_id = ANY (own) OR c.author_id = person));
	heard := ARRAY (SELECT DISTINCT c.ticket_id FROM triage.ticket_comments c WHERE c.tenant_id = tenant AND c.id = ANY (said));
	UPDATE triage.ticket_comments c SET content = blank
		WHERE c.tenant_id = tenant AND c.id = ANY (said) AND c.content <> blank;
	relation := 'ticket_comments';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	relation := 'comment_edits';
	UPDATE triage.comment_edits e SET old_content = blank
		WHERE e.tenant_id = tenant AND e.comment_id = ANY (said) AND e.old_content NOT IN ('', blank);
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	relation := 'comment_attachments';
	UPDATE triage.comment_attachments a SET file_url = 'erased:', file_name = blank
		WHERE a.tenant_id = tenant AND a.comment_id = ANY (said) AND a.file_name <> blank;
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	UPDATE triage.chat_sessions s SET metadata = '{}'
		WHERE s.tenant_id = tenant AND s.id = ANY (talks) AND s.metadata <> '{}';
	relation := 'chat_sessions';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	said := ARRAY (
		SELECT m.id FROM triage.chat_messages m
			WHERE m.tenant_id = tenant AND (m.session_id = ANY (talks) OR m.author_id = person));
	heard := heard || ARRAY (
		SELECT DISTINCT o.ticket_id
			FROM triage.chat_messages m
			JOIN triage.chat_tickets o ON o.tenant_id = m.tenant_id AND o.session_id = m.session_id AND o.relation = 'origin'
			WHERE m.tenant_id = tenant AND m.id = ANY (said));
	UPDATE triage.chat_messages m SET content = blank, metadata = CASE WHEN m.metadata IS NOT NULL THEN '{}'::jsonb END
		WHERE m.tenant_id = tenant AND m.id = ANY (said) AND (m.content <> blank OR m.metadata <> '{}');
	relation := 'chat_messages';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	UPDATE triage.chat_attachments a SET file_url = 'erased:', file_name = blank
		WHERE a.tenant_id = tenant AND a.message_id = ANY (said) AND a.file_name <> blank;
	relation := 'chat_attachments';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	-- clusters too: an answer that could not be used may be quoted, and it may quote an issue
	grouped := ARRAY (
		SELECT DISTINCT i.cluster_id FROM triage.extracted_issues i
			WHERE i.tenant_id = tenant AND i.ticket_id = ANY (texts) AND i.cluster_id IS NOT NULL);
	UPDATE triage.ai_dead_letters d SET message = blank
		WHERE d.tenant_id = tenant AND (d.session_id = ANY (talks) OR d.cluster_id = ANY (grouped)) AND d.message <> blank;
	GET DIAGNOSTICS letters = ROW_COUNT;
	UPDATE triage.ai_runs r SET error = blank
		WHERE r.tenant_id = tenant AND (r.session_id = ANY (talks) OR r.cluster_id = ANY (grouped)) AND r.error <> blank;
	GET DIAGNOSTICS runs = ROW_COUNT;
	DELETE FROM triage.ai_jobs j WHERE j.tenant_id = tenant AND j.session_id = ANY (talks);
	GET DIAGNOSTICS jobs = ROW_COUNT;

	UPDATE triage.ticket_escalations e SET reason = blank
		WHERE e.tenant_id = tenant AND (e.ticket_id = ANY (own) OR e.session_id = ANY (talks) OR e.created_by = person)
			AND e.reason <> blank;
	relation := 'ticket_escalations';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	UPDATE triage.conversation_summaries c
		SET summary = blank, customer_request = CASE WHEN c.customer_request IS NOT NULL THEN blank END, open_questions = '{}'
		WHERE c.tenant_id = tenant AND (c.ticket_id = ANY (texts) OR c.session_id = ANY (talks))
			AND (c.summary <> blank OR c.customer_request <> blank OR c.open_questions <> '{}');
	relation := 'conversation_summaries';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	UPDATE triage.ticket_ai_results r
		SET summary = CASE WHEN r.summary IS NOT NULL THEN blank END, draft_reply = blank
		WHERE r.tenant_id = tenant AND r.ticket_id = ANY (texts) AND (r.draft_reply <> blank OR r.summary <> blank);
	relation := 'ticket_ai_results';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	RETURN QUERY SELECT c.relation, c.erased FROM triage.erase_clusters(tenant, texts) c;

	-- who reported them stays one customer for the counts, and nobody knows which; an organization is no person
	UPDATE triage.extracted_issues i
		SET summary = blank, detail = CASE WHEN i.detail IS NOT NULL THEN blank END,
			representative_quote = CASE WHEN i.representative_quote IS NOT NULL THEN blank END,
			quote_verified = false,
			customer = CASE WHEN i.customer LIKE 'email:%' AND i.ticket_id = ANY (own) THEN 'erased:' || own[1] ELSE i.customer END
		WHERE i.tenant_id = tenant AND i.ticket_id = ANY (texts)
			AND (i.summary <> blank OR i.detail <> blank OR i.representative_quote <> blank
				OR i.customer LIKE 'email:%' AND i.ticket_id = ANY (own));
	relation := 'extracted_issues';
	GET DIAGNOSTICS erased = ROW_COUNT;
	quotes := triage.forget_quotes(tenant, heard);
	erased := erased + quotes;
	RETURN NEXT;
	-- or these tickets would be looked at again, and nothing be found in them any more
	UPDATE triage.ticket_extractions x SET content_version = v.content_version
		FROM triage.content_versions(tenant, texts) v
		WHERE x.tenant_id = tenant AND x.ticket_id = v.ticket_id;

	UPDATE triage.ai_feedback f SET reason = blank
		FROM triage.ticket_ai_results r
		WHERE f.tenant_id = tenant AND r.tenant_id = tenant AND r.id = f.result_id AND (r.ticket_id = ANY (texts) OR f.person_id = person)
			AND f.reason <> blank;
	relation := 'ai_feedback';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	-- append-only tables let their owner do this and nothing else: see append_only()
	UPDATE triage.ticket_history h
		SET old_value = CASE WHEN h.old_value IS NOT NULL THEN to_jsonb(blank) END,
			new_value = CASE WHEN h.new_value IS NOT NULL THEN to_jsonb(blank) END
		WHERE h.tenant_id = tenant AND h.ticket_id = ANY (texts)
			AND h.field NOT IN ('status', 'resolution', 'handler', 'priority', 'category', 'assignee_id', 'requester_id',
				'tags', 'language', 'source', 'external_id', 'public_id', 'created_at', 'resolved_at', 'closed_at', 'deleted_at')
			AND (h.ticket_id = ANY (own) OR h.field IN ('subject', 'description'))
			AND (h.old_value <> to_jsonb(blank) OR h.new_value <> to_jsonb(blank));
	relation := 'ticket_history';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	UPDATE triage.ai_dead_letters d SET message = blank
		WHERE d.tenant_id = tenant AND d.ticket_id = ANY (texts) AND d.message <> blank;
	relation := 'ai_dead_letters';
	GET DIAGNOSTICS erased = ROW_COUNT;
	erased := erased + letters;
	RETURN NEXT;

	UPDATE triage.ai_runs r SET error = blank
		WHERE r.tenant_id = tenant AND r.ticket_id = ANY (texts) AND r.error <> blank;
	relation := 'ai_runs';
	GET DIAGNOSTICS erased = ROW_COUNT;
	erased := erased + runs;
	RETURN NEXT;

	-- what has been read of the ticket must not be sent any more, nor what comes back be stored
	DELETE FROM triage.ai_jobs j WHERE j.tenant_id = tenant AND j.ticket_id = ANY (texts);
	relation := 'ai_jobs';
	GET DIAGNOSTICS erased = ROW_COUNT;
	erased := erased + jobs;
	RETURN NEXT;
	IF erased > 0 THEN
		PERFORM triage.wake_worker();
	END IF;

	-- nor are their comments fetched; an answer that is on its way is stale
	UPDATE triage.synced_tickets s
		SET details = '{}', copied = '{}', comments_due_at = NULL, comments_slot = NULL, comments_cursor = NULL,
			comments_fence = s.comments_fence + 1
		WHERE s.tenant_id = tenant AND s.ticket_id = ANY (own)
			AND (s.details <> '{}' OR s.copied <> '{}' OR s.comments_due_at IS NOT NULL);
	relation := 'synced_tickets';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	UPDATE triage.import_errors e SET message = blank
		WHERE e.tenant_id = tenant AND e.person IN ($1, md5(address)) AND e.message <> blank;
	relation := 'import_errors';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;

	UPDATE triage.people p SET display_name = NULL, email = NULL, erased_at = coalesce(p.erased_at, now())
		WHERE p.tenant_id = tenant AND p.id = person
			AND (p.erased_at IS NULL OR p.display_name IS NOT NULL OR p.email IS NOT NULL);
	relation := 'people';
	GET DIAGNOSTICS erased = ROW_COUNT;
	RETURN NEXT;
	-- for those who keep copies
	PERFORM triage.emit_event(tenant, 'person.erased', NULL, labels => jsonb_build_object('person', person));
END
$$;
COMMENT ON FUNCTION triage.erase_person(text) IS
	'blanks what a person of the current tenant wrote and what was written about him: name and address; the tickets that he requested, deleted ones too, with their comments, history, results and errors; his comments, messages and reasons elsewhere, and the text of tickets that were opened from them; calls off the AI''s work on these tickets; ids, times, labels and costs stay, and erasure_list() says which columns are which; can be run again; returns how many rows it changed of each table; not reached: write-ahead log, backups, replicas until they have replayed it, server logs, statistics of statements, columns that you added, the old row versions until VACUUM, and what the planner knows of columns until ANALYZE; raises P0002 when there is no such person';
REVOKE ALL ON FUNCTION triage.erase_person(text) FROM PUBLIC;

CREATE FUNCTION triage.erase_tickets(tenant text, ids bigint[], whole boolean DEFAULT true) RETURNS bigint
	LANGUAGE c STRICT
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_erase_tickets';
COMMENT ON FUNCTION triage.erase_tickets(text, bigint[], boolean) IS
	'part of erase_person(): blanks the text of these tickets and writes into their history that it was, not what it was; whole: address and custom fields too, and a subject that is not of the text; returns how many had any';
REVOKE ALL ON FUNCTION triage.erase_tickets(text, bigint[], boolean) FROM PUBLIC;
