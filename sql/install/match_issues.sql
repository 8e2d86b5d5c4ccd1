-- The model's judgement: which of its candidates an issue belongs with.
--
-- Called by the worker, which knows kinds of jobs but nothing of issues; with the owner's rights, the tenant as an argument,
-- and granted to workers only.  What each issue was put before the model with is on record as an event (asked), whose
-- number is the job's version: so an answer counts for exactly the issues, and the candidates, that it was given for.

-- In the words of people: the name, what it is about, and what customers said.
CREATE FUNCTION triage.candidate_note(name text, summary text, quotes text[]) RETURNS text
	LANGUAGE sql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(E'\n', left(name, 200), CASE WHEN summary IS DISTINCT FROM name THEN left(summary, 400) END,
		(SELECT string_agg(format('- %s', left(q.quote, 200)), E'\n' ORDER BY q.n)
			FROM unnest(quotes[1:2]) WITH ORDINALITY q (quote, n)
			WHERE q.quote IS DISTINCT FROM name AND q.quote IS DISTINCT FROM summary))
$$;
COMMENT ON FUNCTION triage.candidate_note(text, text, text[]) IS
	'what the model is told of a candidate: its name, its summary and at most two quotes, each cut, and none that says the same as another; raises nothing';
REVOKE ALL ON FUNCTION triage.candidate_note(text, text, text[]) FROM PUBLIC;

CREATE FUNCTION triage.read_match_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[], labels text[], label_notes text[])
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	most_issues CONSTANT int := 10;
	most_labels CONSTANT int := 40;				-- of all issues together, so that a call stays small
	asked CONSTANT bigint := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
	floor_score CONSTANT real := (SELECT s.candidate_score FROM triage.mining_settings_of(read_match_issues.tenant_id) s);
	waiting bigint[];
	item record;
	found record;
BEGIN
	waiting := ARRAY (
		SELECT i.id
			FROM triage.extracted_issues i
			JOIN triage.tickets t ON t.tenant_id = i.tenant_id AND t.id = i.ticket_id
			WHERE i.tenant_id = read_match_issues.tenant_id AND i.ticket_id = read_match_issues.ticket_id
				AND i.cluster_id IS NULL AND i.superseded_at IS NULL AND i.summary <> '[erased]' AND t.deleted_at IS NULL
			ORDER BY i.id
			LIMIT most_issues);
	version := asked;
	heading := '';
	speakers := '{}';
	texts := '{}';
	labels := '{none}';
	label_notes := ARRAY['none of these: another problem'];
	FOR item IN
		SELECT i.id, format('%s/%s, %s: %s', i.category, i.subcategory, i.issue_type, i.summary)
				|| coalesce(E'\n' || left(i.detail, 500), '') AS text
			FROM triage.extracted_issues i
			WHERE i.tenant_id = read_match_issues.tenant_id AND i.id = ANY (waiting)
			ORDER BY i.id
	LOOP
		SELECT coalesce(array_agg(k.label ORDER BY k.n), '{}') AS labels,
				coalesce(array_agg(triage.candidate_note(k.name, k.summary, k.quotes) ORDER BY k.n), '{}') AS notes
			INTO found
			FROM triage.issue_candidates(read_match_issues.tenant_id, item.id,
					greatest(most_labels / cardinality(waiting), 4)) WITH ORDINALITY
				k (label, cluster_id, issue_id, score, name, summary, quotes, n)
			WHERE k.score >= floor_score AND k.n <= 10;
		IF found.labels = '{}' THEN
			PERFORM triage.note_unplaced(tenant_id, item.id, 'lexical', NULL, NULL,
				jsonb_build_object('reason', 'what it was like is gone'));
			CONTINUE;
		END IF;
		speakers := speakers || 'issue'::text;
		texts := texts || item.text;
		PERFORM triage.add_cluster_event(tenant_id, 'asked', NULL, item.id, 'model', NULL, NULL,
			jsonb_build_object('ask', asked, 'position', cardinality(texts), 'labels', to_jsonb('none'::text || found.labels)));
		SELECT labels || coalesce(array_agg(u.label ORDER BY u.n), '{}'), label_notes || coalesce(array_agg(u.note ORDER BY u.n), '{}')
			INTO labels, label_notes
			FROM unnest(found.labels, found.notes) WITH ORDINALITY u (label, note, n)
			WHERE u.label <> ALL (labels);
	END LOOP;
	IF texts <> '{}' THEN
		RETURN NEXT;
	END IF;
END
$$;
COMMENT ON FUNCTION triage.read_match_issues(text, bigint, bigint, bigint) IS
	'for the worker: what a match_issues job is about; tenant_id, ticket_id: whose and which; session_id, cluster_id: not used; texts: the ticket''s current issues without a cluster that are like something, at most ten, each of speaker issue; labels: none, then the candidates of all of them; label_notes: what each of these is; version: the number under which events of kind asked say which issue had which position and candidates; no row when there is nothing to judge; raises nothing';
REVOKE ALL ON FUNCTION triage.read_match_issues(text, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.asked_issues(tenant_id text, ticket_id bigint, version bigint)
	RETURNS TABLE (issue_id bigint, "position" int, labels jsonb, is_current boolean, is_placed boolean)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT i.id, (e.details ->> 'position')::int, e.details -> 'labels', i.superseded_at IS NULL, i.cluster_id IS NOT NULL
		FROM triage.extracted_issues i
		JOIN triage.cluster_events e ON e.tenant_id = i.tenant_id AND e.issue_id = i.id
		WHERE i.tenant_id = asked_issues.tenant_id AND i.ticket_id = asked_issues.ticket_id
			AND e.event = 'asked' AND e.details -> 'ask' = to_jsonb(asked_issues.version)
$$;
COMMENT ON FUNCTION triage.asked_issues(text, bigint, bigint) IS
	'the issues that read_match_issues() put before the model under this version, with what has become of them; raises nothing';
REVOKE ALL ON FUNCTION triage.asked_issues(text, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.lock_match_issues(tenant_ids text[], ticket_ids bigint[], session_ids bigint[], cluster_ids bigint[],
		versions bigint[])
	RETURNS TABLE (n int, state text)
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	ticket record;
BEGIN
	FOR item IN
		SELECT u.tenant_id, u.ticket_id, u.version, u.n::int AS n
			FROM unnest(tenant_ids, ticket_ids, versions) WITH ORDINALITY u (tenant_id, ticket_id, version, n)
			ORDER BY u.ticket_id, u.tenant_id
	LOOP
		n := item.n;
		state := NULL;
		SELECT t.deleted_at INTO ticket
			FROM triage.tickets t
			WHERE t.tenant_id = item.tenant_id AND t.id = item.ticket_id
			FOR NO KEY UPDATE SKIP LOCKED;
		IF FOUND THEN
			state := CASE WHEN ticket.deleted_at IS NOT NULL THEN 'gone'
				-- one that was extracted anew, or all that have found a cluster meanwhile
				WHEN (SELECT coalesce(bool_and(a.is_current) AND bool_or(NOT a.is_placed), false)
						FROM triage.asked_issues(item.tenant_id, item.ticket_id, item.version) a) THEN 'current'
				ELSE 'stale' END;
		ELSIF NOT EXISTS (
			SELECT FROM triage.tickets t WHERE t.tenant_id = item.tenant_id AND t.id = item.ticket_id)
		THEN
			state := 'gone';
		END IF;
		-- What is new in these categories will be locked, too.  An answer by itself waits for that; one among others is put
		-- off, so that it does not hold them up, nor lock out of order.
		IF state = 'current' AND cardinality(ticket_ids) > 1 THEN
			CONTINUE WHEN NOT (
				SELECT bool_and(pg_try_advisory_xact_lock(triage.issue_category_key(item.tenant_id, c.category)))
					FROM (SELECT DISTINCT i.category
							FROM triage.extracted_issues i
							WHERE i.tenant_id = item.tenant_id AND i.ticket_id = item.ticket_id
								AND i.superseded_at IS NULL AND i.cluster_id IS NULL) c);
		END IF;
		IF state IS NOT NULL THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.lock_match_issues(text[], bigint[], bigint[], bigint[], bigint[]) IS
	'for the worker, before it stores judgements: locks their tickets, in the order of ids, and the categories of their issues, passing over what others hold; arrays: tenant, ticket, session and cluster (not used) and version as read_match_issues() returned it, of each job; returns the position and current (locked, and the issues are those that were asked about), stale (an issue was superseded, or all have a cluster by now) or gone (the ticket was deleted), and no row for what others hold; raises nothing';
REVOKE ALL ON FUNCTION triage.lock_match_issues(text[], bigint[], bigint[], bigint[], bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.store_match_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint, run_id bigint,
		version bigint, provider text, model text, answer jsonb)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	choices jsonb;
	silent bigint;
BEGIN
	-- a position that is named twice: what was said of it first
	SELECT jsonb_object_agg(c.issue_id::text, c.said) INTO choices
		FROM (SELECT DISTINCT ON (a.issue_id) a.issue_id,
					jsonb_build_object('cluster', m.match -> 'cluster', 'confidence', m.match -> 'confidence',
						'reason', m.match -> 'reason', 'labels', a.labels) AS said
				FROM triage.asked_issues(store_match_issues.tenant_id, store_match_issues.ticket_id, store_match_issues.version) a
				JOIN jsonb_array_elements(answer -> 'matches') WITH ORDINALITY m (match, n)
					ON (m.match ->> 'issue')::numeric = a."position"
				ORDER BY a.issue_id, m.n) c;
	PERFORM triage.settle_issues(tenant_id, ARRAY[ticket_id], coalesce(choices, '{}'), run_id);
	FOR silent IN
		SELECT a.issue_id
			FROM triage.asked_issues(store_match_issues.tenant_id, store_match_issues.ticket_id, store_match_issues.version) a
			WHERE a.is_current AND NOT a.is_placed AND NOT coalesce(choices ? a.issue_id::text, false)
			ORDER BY a.issue_id
	LOOP
		PERFORM triage.note_unplaced(tenant_id, silent, 'model', NULL, run_id,
			jsonb_build_object('reason', 'the answer does not name it', 'provider', provider));
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.store_match_issues(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) IS
	'for the worker: does what the model said of the issues of a ticket that lock_match_issues() locked: each that has no cluster yet joins the candidate that was chosen, provided it was one of its own, or with none becomes a cluster of its own, unless something alike came up meanwhile, about which the model is asked anew; the others stay as they are, which is logged; tenant_id, ticket_id: whose and which; session_id, cluster_id: not used; run_id: the call; version: as read_match_issues() said; provider, model: who answered; answer: {"matches": [{"issue", "cluster", "confidence", "reason"}]}; returns nothing; raises 40001 when clusters change faster than it can look';
REVOKE ALL ON FUNCTION triage.store_match_issues(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.give_up_match_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint,
		class triage.run_outcome, message text)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	waiting bigint;
BEGIN
	FOR waiting IN
		SELECT i.id
			FROM triage.extracted_issues i
			WHERE i.tenant_id = give_up_match_issues.tenant_id AND i.ticket_id = give_up_match_issues.ticket_id
				AND i.cluster_id IS NULL AND i.superseded_at IS NULL
			ORDER BY i.id
	LOOP
		PERFORM triage.note_unplaced(tenant_id, waiting, 'model', NULL, NULL,
			jsonb_build_object('reason', 'the model gave no usable answer', 'class', class));
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.give_up_match_issues(text, bigint, bigint, bigint, triage.run_outcome, text) IS
	'for the worker, when a judgement was given up: the issues stay without a cluster, which is logged; retry_failed() or place_unclustered() asks again; tenant_id, ticket_id: whose and which; session_id, cluster_id: not used; class, message: how the last try ended; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.give_up_match_issues(text, bigint, bigint, bigint, triage.run_outcome, text) FROM PUBLIC;
