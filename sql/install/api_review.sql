-- Review: what an agent does with a result's draft and labels.
--
-- These run as the owner, because no application role writes feedback: what ai_quality says rests on it.  Every statement
-- writes the tenant predicate out.  Lock order: the ticket first, as the worker does, which stores a newer result under
-- the same lock; so a draft is judged that is still the current one, and of two who send it one is told that it is sent.

CREATE FUNCTION triage.text_similarity(a text, b text) RETURNS float8
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_text_similarity';
COMMENT ON FUNCTION triage.text_similarity(text, text) IS
	'how much two texts have in common, 0 to 1: twice the number of words that are in both, by the number of words of both (Dice''s coefficient; a word that stands n times counts n times; case of ASCII letters, punctuation and order do not count; of scripts written without spaces each character is a word); two texts without words: 1; raises nothing';
REVOKE ALL ON FUNCTION triage.text_similarity(text, text) FROM PUBLIC;

CREATE FUNCTION triage.reviewer(person_id text) RETURNS text
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	person CONSTANT text := coalesce(person_id, triage.current_actor());
BEGIN
	IF triage.ensure_person(person, 'agent') NOT IN ('agent', 'admin') THEN
		RAISE EXCEPTION 'person "%" is no agent and cannot review results', person
			USING ERRCODE = 'check_violation',
				HINT = 'Pass the agent''s id as person_id, or set triage.actor to it; the role is in triage.people.';
	END IF;
	RETURN person;
END
$$;
COMMENT ON FUNCTION triage.reviewer(text) IS
	'part of the functions of review: the agent who reviews, NULL is the actor, created on first sight; returns the id; raises 23514 when the person is neither agent nor admin, 22023 when the id has not 1 to 200 characters';
REVOKE ALL ON FUNCTION triage.reviewer(text) FROM PUBLIC;

-- The ticket's lock is taken before anything of the result is believed.
CREATE FUNCTION triage.lock_result(result_id bigint) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket bigint;
	current_id bigint;
BEGIN
	PERFORM triage.check_schema();
	SELECT r.ticket_id INTO ticket
		FROM triage.ticket_ai_results r
		WHERE r.id = lock_result.result_id AND r.tenant_id = triage.current_tenant();
	IF NOT FOUND THEN
		RAISE EXCEPTION 'result % does not exist', coalesce(result_id::text, 'NULL')
			USING ERRCODE = 'no_data_found',
				HINT = 'Results are in triage.ticket_ai_results; those of other tenants cannot be reached.';
	END IF;
	PERFORM triage.lock_ticket(ticket);
	SELECT r.id INTO current_id
		FROM triage.ticket_ai_results r
		WHERE r.ticket_id = ticket AND r.tenant_id = triage.current_tenant() AND r.superseded_at IS NULL;
	IF current_id IS DISTINCT FROM result_id THEN
		RAISE EXCEPTION 'result % is superseded', result_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = format('The current result of ticket %s is %s.', ticket, coalesce(current_id::text, 'none')),
				HINT = 'Look at the current one: the ticket has changed since.';
	END IF;
	RETURN ticket;
END
$$;
COMMENT ON FUNCTION triage.lock_result(bigint) IS
	'part of the functions of review: locks the ticket of a result until the transaction ends; returns the ticket''s id; raises P0002 when there is no such result or its ticket is deleted, 55000 when the result is superseded';
REVOKE ALL ON FUNCTION triage.lock_result(bigint) FROM PUBLIC;

CREATE FUNCTION triage.check_draft_is_open(result_id bigint, person text) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	f record;
BEGIN
	SELECT x.person_id, x.verdict, x.comment_id INTO f
		FROM triage.ai_feedback x
		WHERE x.result_id = check_draft_is_open.result_id AND x.tenant_id = triage.current_tenant()
			AND (x.comment_id IS NOT NULL OR (x.person_id = person AND x.verdict IS NOT NULL))
		ORDER BY x.comment_id LIMIT 1;		-- the one that was sent before one's own
	IF f.comment_id IS NOT NULL THEN
		RAISE EXCEPTION 'the draft of result % was sent already', result_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = format('Person "%s" sent it as comment %s.', f.person_id, f.comment_id),
				HINT = 'Read the ticket anew; triage.add_comment writes another reply.';
	ELSIF FOUND THEN
		RAISE EXCEPTION 'person "%" has rejected the draft of result % already', person, result_id
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'A person judges a draft once; triage.add_comment writes another reply.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_draft_is_open(bigint, text) IS
	'part of the functions of review: returns when a draft was neither sent nor judged by this person; raises 55000 otherwise';
REVOKE ALL ON FUNCTION triage.check_draft_is_open(bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.edit_draft(result_id bigint, final_text text, person_id text DEFAULT NULL) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket CONSTANT bigint := triage.lock_result(result_id);
	person CONSTANT text := triage.reviewer(person_id);
	draft text;
	sent_as bigint;
BEGIN
	PERFORM triage.check_draft_is_open(result_id, person);
	SELECT r.draft_reply INTO STRICT draft
		FROM triage.ticket_ai_results r
		WHERE r.id = edit_draft.result_id AND r.tenant_id = triage.current_tenant();
	IF draft = '[erased]' THEN
		RAISE EXCEPTION 'the draft of result % was erased', result_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'triage.add_comment writes another reply.';
	END IF;
	-- Without an external id: a comment that came in under that source and this number is not what is sent here.  The lock
	-- and ai_feedback keep the draft from being sent twice.
	sent_as := triage.add_comment(ticket, final_text, author_id => person,
		author_role => (SELECT p.role FROM triage.people p WHERE p.id = person AND p.tenant_id = triage.current_tenant()),
		source => 'draft');
	INSERT INTO triage.ai_feedback AS f (tenant_id, result_id, person_id, verdict, comment_id, similarity)
		VALUES (triage.current_tenant(), edit_draft.result_id, person,
			CASE WHEN final_text = draft THEN 'accepted' ELSE 'edited' END::triage.feedback_verdict, sent_as,
			triage.text_similarity(lower(draft), lower(final_text)))
		ON CONFLICT ON CONSTRAINT ai_feedback_person_key DO UPDATE
			SET verdict = excluded.verdict, comment_id = excluded.comment_id, similarity = excluded.similarity, updated_at = now();
	RETURN sent_as;
END
$$;
COMMENT ON FUNCTION triage.edit_draft(bigint, text, text) IS
	'sends the draft of a ticket''s current result with another wording: a public comment of the agent, with source draft, and records the verdict edited with the similarity of both texts (accepted, if nothing was changed); person_id: the agent, NULL is the actor, created on first sight; returns the comment''s id; raises P0002 when there is no such result or its ticket is deleted, 55000 when the result is superseded, its draft was sent already, erased, or rejected by this person, or the ticket is closed, 23514 for a blank text or a person who is no agent';
REVOKE ALL ON FUNCTION triage.edit_draft(bigint, text, text) FROM PUBLIC;

CREATE FUNCTION triage.accept_draft(result_id bigint, person_id text DEFAULT NULL) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN triage.edit_draft(result_id, (
		SELECT r.draft_reply
			FROM triage.ticket_ai_results r
			WHERE r.id = accept_draft.result_id AND r.tenant_id = triage.current_tenant()), person_id);
END
$$;
COMMENT ON FUNCTION triage.accept_draft(bigint, text) IS
	'sends the draft of a ticket''s current result as it is: a public comment of the agent, with source draft, and records the verdict accepted; person_id: the agent, NULL is the actor, created on first sight; returns the comment''s id; raises P0002 when there is no such result or its ticket is deleted, 55000 when the result is superseded, its draft was sent already, erased, or rejected by this person, or the ticket is closed, 23514 for a blank draft or a person who is no agent';
REVOKE ALL ON FUNCTION triage.accept_draft(bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.reject_draft(result_id bigint, reason text DEFAULT NULL, person_id text DEFAULT NULL) RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket CONSTANT bigint := triage.lock_result(result_id);
	person CONSTANT text := triage.reviewer(person_id);
BEGIN
	IF length(reason) > 2000 THEN
		RAISE EXCEPTION 'reason is too long: % characters', length(reason)
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'ai_feedback', CONSTRAINT = 'ai_feedback_reason_length',
				HINT = 'It holds at most 2000 characters.';
	END IF;
	PERFORM triage.check_draft_is_open(result_id, person);
	INSERT INTO triage.ai_feedback AS f (tenant_id, result_id, person_id, verdict, reason)
		VALUES (triage.current_tenant(), reject_draft.result_id, person, 'rejected', reject_draft.reason)
		ON CONFLICT ON CONSTRAINT ai_feedback_person_key DO UPDATE
			SET verdict = excluded.verdict, reason = excluded.reason, updated_at = now();
END
$$;
COMMENT ON FUNCTION triage.reject_draft(bigint, text, text) IS
	'records that an agent will not send the draft of a ticket''s current result; another agent still may; reason: for people, at most 2000 characters; person_id: the agent, NULL is the actor, created on first sight; returns nothing; raises P0002 when there is no such result or its ticket is deleted, 55000 when the result is superseded, its draft was sent already, or rejected by this person, 23514 for a person who is no agent or a longer reason';
REVOKE ALL ON FUNCTION triage.reject_draft(bigint, text, text) FROM PUBLIC;

CREATE FUNCTION triage.check_corrections(corrections jsonb) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keys CONSTANT text := 'The keys are: category and urgency (strings), sentiment_score (a whole number from 1 to 10).';
	entry record;
BEGIN
	IF jsonb_typeof(corrections) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'corrections must be a JSON object' USING ERRCODE = 'invalid_parameter_value', HINT = keys;
	END IF;
	FOR entry IN SELECT c.key, c.value, jsonb_typeof(c.value) AS json_type FROM jsonb_each(corrections) c ORDER BY c.key LOOP
		IF NOT entry.key = ANY ('{category,urgency,sentiment_score}') THEN
			RAISE EXCEPTION 'a result has no key "%" that can be corrected', left(entry.key, 100)
				USING ERRCODE = 'invalid_parameter_value', HINT = keys;
		ELSIF entry.json_type <> (CASE entry.key WHEN 'sentiment_score' THEN 'number' ELSE 'string' END) THEN
			RAISE EXCEPTION 'key "%" cannot be a JSON %', entry.key, entry.json_type
				USING ERRCODE = 'invalid_parameter_value', HINT = keys;
		ELSIF entry.key = 'urgency' AND NOT (entry.value #>> '{}') = ANY (enum_range(NULL::triage.ticket_priority)::text[])
			OR entry.key = 'sentiment_score' AND NOT (entry.value #>> '{}')::numeric = ANY ('{1,2,3,4,5,6,7,8,9,10}'::numeric[])
		THEN
			RAISE EXCEPTION '"%" is not a value of key "%"', left(entry.value #>> '{}', 100), entry.key
				USING ERRCODE = 'invalid_parameter_value',
					HINT = CASE entry.key WHEN 'urgency'
						THEN format('The values are: %s.', array_to_string(enum_range(NULL::triage.ticket_priority), ', ')) ELSE keys END;
		END IF;
	END LOOP;
	PERFORM triage.check_category(corrections ->> 'category');
END
$$;
COMMENT ON FUNCTION triage.check_corrections(jsonb) IS
	'checks correct_result()''s corrections; returns nothing; raises 22023 naming the key, with what is allowed as hint, 23503 for an unknown category';
REVOKE ALL ON FUNCTION triage.check_corrections(jsonb) FROM PUBLIC;

CREATE FUNCTION triage.correct_result(result_id bigint, corrections jsonb, person_id text DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket CONSTANT bigint := triage.lock_result(result_id);
	person CONSTANT text := triage.reviewer(person_id);
	answered jsonb;
BEGIN
	PERFORM triage.check_corrections(corrections);
	IF corrections ? 'sentiment_score' THEN		-- 7.0 is 7
		corrections := corrections || jsonb_build_object('sentiment_score', (corrections ->> 'sentiment_score')::numeric::int);
	END IF;
	SELECT jsonb_build_object('category', r.category, 'urgency', r.urgency, 'sentiment_score', r.sentiment_score) INTO STRICT answered
		FROM triage.ticket_ai_results r
		WHERE r.id = correct_result.result_id AND r.tenant_id = triage.current_tenant();
	-- what the person says now counts, and what says the same as the result is no correction
	INSERT INTO triage.ai_feedback AS f (tenant_id, result_id, person_id, corrections)
		VALUES (triage.current_tenant(), correct_result.result_id, person, (
			SELECT coalesce(jsonb_object_agg(c.key, c.value), '{}')
				FROM jsonb_each(correct_result.corrections) c WHERE c.value <> answered -> c.key))
		ON CONFLICT ON CONSTRAINT ai_feedback_person_key DO UPDATE
			SET corrections = (f.corrections - ARRAY (SELECT jsonb_object_keys(correct_result.corrections))) || excluded.corrections,
				updated_at = now();
	RETURN triage.update_ticket(ticket, jsonb_strip_nulls(jsonb_build_object(
		'category', corrections -> 'category', 'priority', corrections -> 'urgency')));
END
$$;
COMMENT ON FUNCTION triage.correct_result(bigint, jsonb, text) IS
	'records which labels of a ticket''s current result are wrong, and sets the ticket''s category and priority as a person''s choice; corrections: a JSON object of category, urgency, sentiment_score, each with the right value; one that the result has already says that it was right, and {} that all were; what the person said of a label before is replaced; person_id: the agent, NULL is the actor, created on first sight; returns the ticket''s version; raises 22023 for an unknown key, type or value, 23503 for an unknown category, P0002 when there is no such result or its ticket is deleted, 55000 when the result is superseded, 23514 for a person who is no agent';
REVOKE ALL ON FUNCTION triage.correct_result(bigint, jsonb, text) FROM PUBLIC;

CREATE FUNCTION triage.ai_assisted(ticket_id bigint, tenant_id text DEFAULT triage.current_tenant()) RETURNS boolean
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (
		SELECT FROM triage.ticket_comments c
			WHERE c.tenant_id = ai_assisted.tenant_id AND c.ticket_id = ai_assisted.ticket_id AND c.visibility = 'public'
				AND (c.author_role = 'ai' OR EXISTS (
					SELECT FROM triage.ai_feedback f WHERE f.tenant_id = c.tenant_id AND f.comment_id = c.id)))
		-- a conversation's messages are its ticket's thread
		OR EXISTS (
			SELECT FROM triage.chat_tickets o
				JOIN triage.chat_messages m ON m.tenant_id = o.tenant_id AND m.session_id = o.session_id
				WHERE o.tenant_id = ai_assisted.tenant_id AND o.ticket_id = ai_assisted.ticket_id AND o.relation = 'origin'
					AND m.role = 'assistant')
$$;
COMMENT ON FUNCTION triage.ai_assisted(bigint, text) IS
	'whether the customer of a ticket has read something that a model wrote: a public comment of the AI, one that was a draft, edited or not, or the AI''s message in the conversation that the ticket began as; false, too, when there is no such ticket; tenant_id: whose ticket; raises nothing';
REVOKE ALL ON FUNCTION triage.ai_assisted(bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.ai_feedback_event() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ticket bigint;
BEGIN
	SELECT r.ticket_id INTO ticket
		FROM triage.ticket_ai_results r WHERE r.id = NEW.result_id AND r.tenant_id = NEW.tenant_id;
	IF NEW.verdict IS NOT NULL AND OLD.verdict IS NULL THEN		-- OLD is NULL for a new row
		PERFORM triage.emit_event(NEW.tenant_id, 'draft.' || NEW.verdict, ticket, object_id => NEW.result_id,
			labels => jsonb_strip_nulls(jsonb_build_object('person', NEW.person_id, 'comment', NEW.comment_id, 'similarity', NEW.similarity)));
	END IF;
	IF NEW.corrections <> coalesce(OLD.corrections, '{}') THEN
		PERFORM triage.emit_event(NEW.tenant_id, 'result.corrected', ticket, object_id => NEW.result_id,
			labels => jsonb_build_object('person', NEW.person_id, 'fields', ARRAY (SELECT jsonb_object_keys(NEW.corrections))));
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.ai_feedback_event() IS
	'trigger of ai_feedback: writes the events of a verdict and of corrections, if a consumer wants them; raises nothing';
REVOKE ALL ON FUNCTION triage.ai_feedback_event() FROM PUBLIC;
