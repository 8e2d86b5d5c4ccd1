-- Extraction: which tickets are looked at for product issues, what the model is told of one, and what becomes of its answer.
--
-- Everything is as the ticket reads at one time, which content_versions() names: an answer about another text is stale,
-- and a text that was looked at is not looked at again unless somebody asks.  Functions that take a tenant are called by
-- the worker, by triggers and by sync.  Locks: the ticket, then jobs.

-- Quotes and summaries -----------------------------------------------------------------------------------------------

CREATE FUNCTION triage.quote_occurs(quote text, source text) RETURNS boolean
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_quote_occurs';
COMMENT ON FUNCTION triage.quote_occurs(text, text) IS
	'whether the quote stands in the source, letter by letter, in upper and lower case as written; white space of any kind and length, the shape of quotation marks, dashes and ellipses, and characters that cannot be seen make no difference; false for a quote of which nothing can be seen; NULL when either is; raises nothing';
REVOKE ALL ON FUNCTION triage.quote_occurs(text, text) FROM PUBLIC;

CREATE FUNCTION triage.plain_summary(summary text) RETURNS text
	LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_plain_summary';
COMMENT ON FUNCTION triage.plain_summary(text) IS
	'a summary without what makes no difference to its meaning: white space and typography as quote_occurs() takes them, ASCII letters small, no apostrophes, no punctuation but inside numbers; raises nothing';
REVOKE ALL ON FUNCTION triage.plain_summary(text) FROM PUBLIC;

CREATE FUNCTION triage.issue_fingerprint(category text, subcategory text, summary text) RETURNS bytea
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sha256(convert_to(category || '/' || subcategory || E'\n' || triage.plain_summary(summary), 'UTF8'))
$$;
COMMENT ON FUNCTION triage.issue_fingerprint(text, text, text) IS
	'what is the same for two issues that read alike: SHA-256 of category, subcategory and plain_summary(); NULL when one of them is; raises nothing';
REVOKE ALL ON FUNCTION triage.issue_fingerprint(text, text, text) FROM PUBLIC;

-- What a ticket reads as ---------------------------------------------------------------------------------------------

-- Of all that was said, not only of what the model is shown of it; by a sum, so that a thousand tickets are one query.
-- The plan is pinned: to plan anew for each ticket takes longer than to look, and by index is right for one and for all.
CREATE FUNCTION triage.content_versions(tenant_id text, ticket_ids bigint[])
	RETURNS TABLE (ticket_id bigint, content_version bigint)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET plan_cache_mode = force_generic_plan
	SET enable_seqscan = off
	SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		WITH ticket AS MATERIALIZED (
			SELECT t.id, t.subject, t.description
				FROM triage.tickets t
				WHERE t.tenant_id = content_versions.tenant_id AND t.id = ANY (content_versions.ticket_ids)),
		part AS (
			SELECT t.id, hashtextextended(t.subject || E'\n' || t.description, 0) AS hash FROM ticket t
			UNION ALL
			SELECT c.ticket_id, hashtextextended(concat_ws(E'\n', c.id, c.visibility, c.author_role, c.content), 1)
				FROM triage.ticket_comments c
				WHERE c.tenant_id = content_versions.tenant_id AND c.ticket_id = ANY (content_versions.ticket_ids)
			UNION ALL
			SELECT o.ticket_id, hashtextextended(concat_ws(E'\n', m.id, m.role, m.content), 2)
				FROM triage.chat_tickets o
				JOIN triage.chat_messages m ON m.tenant_id = o.tenant_id AND m.session_id = o.session_id
				WHERE o.tenant_id = content_versions.tenant_id AND o.ticket_id = ANY (content_versions.ticket_ids)
					AND o.relation = 'origin' AND m.comment_id IS NULL)
		-- 52 bits: a program that reads JSON numbers as double keeps them all
		SELECT p.id, mod(sum(p.hash & 4503599627370495), 4503599627370496)::bigint
			FROM part p
			WHERE p.id IN (SELECT t.id FROM ticket t)
			GROUP BY p.id;
END
$$;
COMMENT ON FUNCTION triage.content_versions(text, bigint[]) IS
	'names what stands in tickets: a number, 0 or more, that is another one when subject, description, a comment or a message of the conversation it began as is; no row for a ticket that does not exist; raises nothing';
REVOKE ALL ON FUNCTION triage.content_versions(text, bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.analyzed_at(tenant_id text, ticket_id bigint) RETURNS timestamptz
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT x.analyzed_at
		FROM triage.ticket_extractions x
		WHERE x.tenant_id = analyzed_at.tenant_id AND x.ticket_id = analyzed_at.ticket_id
$$;
COMMENT ON FUNCTION triage.analyzed_at(text, bigint) IS
	'when a ticket was last looked at for product issues with success, also where none was found; NULL: never; raises nothing';
REVOKE ALL ON FUNCTION triage.analyzed_at(text, bigint) FROM PUBLIC;

-- What is asked for --------------------------------------------------------------------------------------------------

-- ask_again: also where a job waits or runs, whose answer then counts for nothing.
CREATE FUNCTION triage.enqueue_mining(tenant_id text, kind triage.job_kind, ticket_ids bigint[], ask_again boolean)
	RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	asked bigint;
BEGIN
	DELETE FROM triage.ai_dead_letters d
		WHERE d.tenant_id = enqueue_mining.tenant_id AND d.ticket_id = ANY (enqueue_mining.ticket_ids)
			AND d.kind = enqueue_mining.kind;
	IF ask_again THEN
		INSERT INTO triage.ai_jobs AS j (tenant_id, ticket_id, kind, priority)
			SELECT enqueue_mining.tenant_id, u.id, enqueue_mining.kind, 'low'
				FROM unnest(enqueue_mining.ticket_ids) u (id)
			ON CONFLICT (tenant_id, ticket_id, kind) DO UPDATE
				SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0, run_at = excluded.run_at;
	ELSE
		-- one that runs reads what has changed, or is found stale
		INSERT INTO triage.ai_jobs (tenant_id, ticket_id, kind, priority)
			SELECT enqueue_mining.tenant_id, u.id, enqueue_mining.kind, 'low'
				FROM unnest(enqueue_mining.ticket_ids) u (id)
			ON CONFLICT (tenant_id, ticket_id, kind) DO NOTHING;
	END IF;
	GET DIAGNOSTICS asked = ROW_COUNT;
	IF asked > 0 THEN
		PERFORM triage.wake_worker();
	END IF;
	RETURN asked;
END
$$;
COMMENT ON FUNCTION triage.enqueue_mining(text, triage.job_kind, bigint[], boolean) IS
	'part of all that asks for extract_issues or match_issues: makes the jobs, in the order of the ids; ask_again: those that are there begin anew; returns how many were made or begin anew; raises 23503 when a ticket does not exist';
REVOKE ALL ON FUNCTION triage.enqueue_mining(text, triage.job_kind, bigint[], boolean) FROM PUBLIC;

CREATE FUNCTION triage.request_extraction(tenant_id text, ticket_ids bigint[]) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	changed bigint[];
BEGIN
	IF NOT (SELECT s.extract_on_sync FROM triage.mining_settings_of(request_extraction.tenant_id) s) THEN
		RETURN 0;
	END IF;
	changed := triage.changed_tickets(tenant_id, ARRAY (
		SELECT t.id FROM triage.tickets t
			WHERE t.tenant_id = request_extraction.tenant_id AND t.id = ANY (request_extraction.ticket_ids)
				AND t.deleted_at IS NULL));
	RETURN triage.enqueue_mining(tenant_id, 'extract_issues', changed, false);
END
$$;
COMMENT ON FUNCTION triage.request_extraction(text, bigint[]) IS
	'for sync: has the model look at tickets whose text changed since the last look that succeeded; nothing where extract_on_sync is off, the taxonomy is empty, the ticket is deleted or a job waits for it; returns how many jobs were made; raises nothing';
REVOKE ALL ON FUNCTION triage.request_extraction(text, bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.changed_tickets(tenant_id text, ticket_ids bigint[]) RETURNS bigint[]
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	seen bigint[];
BEGIN
	-- what was never looked at need not be read to know that
	seen := ARRAY (
		SELECT x.ticket_id FROM triage.ticket_extractions x
			WHERE x.tenant_id = changed_tickets.tenant_id AND x.ticket_id = ANY (changed_tickets.ticket_ids));
	RETURN ARRAY (
		SELECT u.id FROM unnest(changed_tickets.ticket_ids) u (id)
			WHERE u.id NOT IN (SELECT unnest(seen))
		UNION
		SELECT v.ticket_id
			FROM triage.content_versions(changed_tickets.tenant_id, seen) v
			JOIN triage.ticket_extractions x ON x.tenant_id = changed_tickets.tenant_id AND x.ticket_id = v.ticket_id
			WHERE x.content_version <> v.content_version
		ORDER BY 1);
END
$$;
COMMENT ON FUNCTION triage.changed_tickets(text, bigint[]) IS
	'those of a tenant''s tickets that were never looked at for issues, or read otherwise since; in the order of their ids; raises nothing';
REVOKE ALL ON FUNCTION triage.changed_tickets(text, bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.check_taxonomy_there() RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM triage.issue_taxonomy x WHERE x.tenant_id = triage.current_tenant() AND x.is_active) THEN
		RAISE EXCEPTION 'tenant "%" has no active taxonomy', triage.current_tenant()
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'SELECT triage.load_taxonomy(''timekeeping''), or make your own with set_taxonomy().';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_taxonomy_there() IS
	'checks that the current tenant has something to sort issues into; returns nothing; raises 55000 when it has not';
REVOKE ALL ON FUNCTION triage.check_taxonomy_there() FROM PUBLIC;

CREATE FUNCTION triage.extract_issues(ticket_id bigint) RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_taxonomy_there();
	PERFORM triage.lock_ticket(ticket_id);
	PERFORM triage.enqueue_mining(triage.current_tenant(), 'extract_issues', ARRAY[ticket_id], true);
	RETURN (SELECT j.id FROM triage.ai_jobs j
		WHERE j.tenant_id = triage.current_tenant() AND j.ticket_id = extract_issues.ticket_id AND j.kind = 'extract_issues');
END
$$;
COMMENT ON FUNCTION triage.extract_issues(bigint) IS
	'has the model look at a ticket for product issues, or look again, whatever its status; what it finds is in extracted_issues; returns the job''s id; raises P0002 when there is no such ticket, 55000 when the tenant has no active taxonomy';
REVOKE ALL ON FUNCTION triage.extract_issues(bigint) FROM PUBLIC;

CREATE FUNCTION triage.check_extract_all(max_tickets int) RETURNS void
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	IF max_tickets < 1 THEN
		RAISE EXCEPTION 'max_tickets must be positive, not %', max_tickets
			USING ERRCODE = 'invalid_parameter_value', HINT = 'NULL is as many as there are.';
	END IF;
	PERFORM triage.check_taxonomy_there();
END
$$;
COMMENT ON FUNCTION triage.check_extract_all(int) IS
	'part of extract_all() and estimate_extraction(): checks their arguments; returns nothing; raises as they do';
REVOKE ALL ON FUNCTION triage.check_extract_all(int) FROM PUBLIC;

CREATE FUNCTION triage.tickets_to_extract(tenant_id text, since timestamptz, max_tickets int, again boolean) RETURNS bigint[]
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	chosen bigint[];
BEGIN
	chosen := ARRAY (
		SELECT t.id FROM triage.tickets t
			WHERE t.tenant_id = tickets_to_extract.tenant_id AND t.deleted_at IS NULL
				AND t.resolution IS DISTINCT FROM 'spam'
				AND (since IS NULL OR t.created_at >= since)
				AND NOT EXISTS (
					SELECT FROM triage.ai_jobs j
						WHERE j.tenant_id = tickets_to_extract.tenant_id AND j.ticket_id = t.id AND j.kind = 'extract_issues')
			ORDER BY t.created_at DESC, t.id DESC);
	IF NOT coalesce(again, false) THEN
		chosen := ARRAY (
			SELECT u.id
				FROM unnest(chosen) WITH ORDINALITY u (id, place)
				JOIN (SELECT unnest(triage.changed_tickets(tickets_to_extract.tenant_id, chosen)) AS id) c ON c.id = u.id
				ORDER BY u.place);
	END IF;
	RETURN chosen[:coalesce(max_tickets, cardinality(chosen))];
END
$$;
COMMENT ON FUNCTION triage.tickets_to_extract(text, timestamptz, int, boolean) IS
	'part of extract_all() and estimate_extraction(): which tickets they are about, the newest first; raises nothing';
REVOKE ALL ON FUNCTION triage.tickets_to_extract(text, timestamptz, int, boolean) FROM PUBLIC;

CREATE FUNCTION triage.extract_all(since timestamptz DEFAULT NULL, max_tickets int DEFAULT NULL, again boolean DEFAULT false)
	RETURNS bigint
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_extract_all(max_tickets);
	RETURN triage.enqueue_mining(triage.current_tenant(), 'extract_issues', ARRAY (
		SELECT u.id FROM unnest(triage.tickets_to_extract(triage.current_tenant(), since, max_tickets, again)) u (id)
			ORDER BY u.id), false);
END
$$;
COMMENT ON FUNCTION triage.extract_all(timestamptz, int, boolean) IS
	'has the model look for product issues at the current tenant''s tickets made since then (NULL: all), the newest first and max_tickets at most (NULL: all): those that were never looked at or read otherwise since, and with again => true the others too; not at deleted tickets, spam and those that a job waits for; estimate_extraction() tells the cost before, view extraction_progress how far it is; returns how many jobs were made; raises 22023 when max_tickets is not positive, 55000 when the tenant has no active taxonomy';
REVOKE ALL ON FUNCTION triage.extract_all(timestamptz, int, boolean) FROM PUBLIC;

CREATE FUNCTION triage.estimate_extraction(since timestamptz DEFAULT NULL, max_tickets int DEFAULT NULL,
	again boolean DEFAULT false)
	RETURNS TABLE (tickets bigint, input_tokens bigint, output_tokens bigint, cost numeric, currency text, provider text,
		model text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	-- a token is about so many bytes of text; a request has so many tokens beside its texts, an answer so many
	bytes_a_token CONSTANT numeric := 4;
	frame CONSTANT int := 400;
	usual_answer CONSTANT int := 250;
	chosen bigint[];
	told bigint;			-- bytes of the tickets, as far as the model is shown them
	asked bigint;			-- bytes of prompt and labels, with each request
BEGIN
	PERFORM triage.check_extract_all(max_tickets);
	chosen := triage.tickets_to_extract(tenant, since, max_tickets, again);
	tickets := cardinality(chosen);
	SELECT coalesce(sum(octet_length(t.subject) + least(octet_length(t.description) + least(coalesce(c.bytes, 0), 21000), 28000)), 0)
		INTO told
		FROM unnest(chosen) u (id)
		JOIN triage.tickets t ON t.tenant_id = tenant AND t.id = u.id
		LEFT JOIN (
			SELECT c.ticket_id, sum(least(octet_length(c.content), 3000) + 60) AS bytes
				FROM triage.ticket_comments c
				WHERE c.tenant_id = tenant
				GROUP BY c.ticket_id) c ON c.ticket_id = u.id;
	SELECT coalesce((SELECT octet_length(p.system_text) FROM triage.prompts p
			WHERE p.tenant_id = tenant AND p.kind = 'extract_issues' AND p.is_active ORDER BY p.version DESC LIMIT 1), 0)
		-- once as labels of the schema, once with what they mean
		+ sum(octet_length(x.description) + 2 * (octet_length(x.category) + octet_length(x.subcategory) + 8))
		INTO asked
		FROM triage.issue_taxonomy x
		WHERE x.tenant_id = tenant AND x.is_active;
	input_tokens := ceil((told + tickets * asked) / bytes_a_token) + tickets * frame;
	output_tokens := tickets * coalesce((
		SELECT ceil(avg(r.output_tokens)) FROM (
			SELECT r.output_tokens FROM triage.ai_runs r
				WHERE r.tenant_id = tenant AND r.kind = 'extract_issues' AND r.outcome = 'succeeded'
					AND r.output_tokens IS NOT NULL
				ORDER BY r.id DESC LIMIT 200) r)::bigint, usual_answer);
	SELECT p.name, p.model,
			round(input_tokens * c.input / 1000000 + output_tokens * c.output / 1000000, 6), c.currency
		INTO provider, model, cost, currency
		FROM triage.providers p
		LEFT JOIN LATERAL triage.price_of(p.model, p.name) c ON p.api <> 'builtin'
		WHERE p.enabled AND p.paused_at IS NULL
		ORDER BY p.rank, p.name
		LIMIT 1;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.estimate_extraction(timestamptz, int, boolean) IS
	'what extract_all() with the same arguments would take, before it is called: how many tickets, their tokens (bytes by four; of answers as long as the last 200 were, else 250), and what that costs with the provider that is first in turn, by model_prices; cost and currency null: no price is known, or the provider is builtin, which reads no tokens; provider null: none is enabled; one row; raises as extract_all() does';
REVOKE ALL ON FUNCTION triage.estimate_extraction(timestamptz, int, boolean) FROM PUBLIC;

CREATE FUNCTION triage.install_extraction_views() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
	SET client_min_messages = warning
AS $install$
BEGIN
	CREATE OR REPLACE VIEW triage.extraction_progress WITH (security_invoker = true) AS
		SELECT t.id AS tenant_id, j.pending, j.running, x.done, d.failed, i.issues,
				CASE WHEN r.currencies <= 1 THEN r.cost END AS cost,
				CASE WHEN r.currencies <= 1 THEN r.currency END AS currency, r.unpriced_calls, x.last_analyzed_at
			FROM triage.tenants t
			CROSS JOIN LATERAL (
				SELECT count(*) FILTER (WHERE j.lease_until IS NULL OR j.lease_until <= now()) AS pending,
						count(*) FILTER (WHERE j.lease_until > now()) AS running
					FROM triage.ai_jobs j WHERE j.tenant_id = t.id AND j.kind = 'extract_issues') j
			CROSS JOIN LATERAL (
				SELECT count(*) AS done, max(x.analyzed_at) AS last_analyzed_at
					FROM triage.ticket_extractions x WHERE x.tenant_id = t.id) x
			CROSS JOIN LATERAL (
				SELECT count(*) AS failed
					FROM triage.ai_dead_letters d WHERE d.tenant_id = t.id AND d.kind = 'extract_issues') d
			CROSS JOIN LATERAL (
				SELECT count(*) AS issues
					FROM triage.extracted_issues i WHERE i.tenant_id = t.id AND i.superseded_at IS NULL) i
			CROSS JOIN LATERAL (
				SELECT sum(r.cost) AS cost, count(DISTINCT r.currency) AS currencies, min(r.currency) AS currency,
						count(*) FILTER (WHERE r.cost IS NULL AND r.input_tokens IS NOT NULL) AS unpriced_calls
					FROM triage.ai_runs r WHERE r.tenant_id = t.id AND r.kind = 'extract_issues') r;
END
$install$;
COMMENT ON FUNCTION triage.install_extraction_views() IS
	'part of install(): creates or replaces view extraction_progress; takes nothing, returns nothing; raises what CREATE VIEW raises';
REVOKE ALL ON FUNCTION triage.install_extraction_views() FROM PUBLIC;

-- For the worker -----------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.clip_middle(content text, max_bytes int) RETURNS text
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	kept int;			-- characters, of which two thirds at the beginning
BEGIN
	IF octet_length(content) <= max_bytes THEN
		RETURN content;
	END IF;
	kept := length(content)::bigint * max_bytes / octet_length(content);
	RETURN left(content, kept * 2 / 3) || format(E'\n[... %s characters left out here ...]\n', length(content) - kept)
		|| right(content, kept - kept * 2 / 3);
END
$$;
COMMENT ON FUNCTION triage.clip_middle(text, int) IS
	'a text of at most about max_bytes: of a longer one its beginning and its end, with a note between them of how much is missing; raises nothing';
REVOKE ALL ON FUNCTION triage.clip_middle(text, int) FROM PUBLIC;

-- Bounded, so that the worker leaves out nothing more: of a conversation that is too long it would drop the oldest text,
-- and here that is the description.
CREATE FUNCTION triage.read_extract_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint)
	RETURNS TABLE (version bigint, heading text, speakers text[], texts text[], labels text[], label_notes text[])
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	max_items CONSTANT int := 200;
	-- in bytes: of a text, of all but the description, of all; with what stands around each
	max_text CONSTANT int := 3000;
	max_texts CONSTANT int := 21000;
	max_bytes CONSTANT int := 28000;
	around CONSTANT int := 128;
BEGIN
	RETURN QUERY
		WITH ticket AS (
			SELECT t.subject, t.description
				FROM triage.tickets t
				WHERE t.tenant_id = read_extract_issues.tenant_id AND t.id = read_extract_issues.ticket_id
					-- of what erase_person() left nothing can be told; its issues stay as they are
					AND t.deleted_at IS NULL AND t.description <> '[erased]'),
		talk AS (
			SELECT k.speaker, k.content, k.n,
					sum(least(octet_length(k.content), max_text + 64) + around) OVER (ORDER BY k.n) AS bytes
				FROM (
					SELECT k.speaker, k.content, row_number() OVER () AS n
						FROM triage.ticket_talk(read_extract_issues.tenant_id, read_extract_issues.ticket_id, max_items) k) k),
		shown AS (
			SELECT k.speaker, triage.clip_middle(k.content, max_text) AS content, k.content AS whole, k.bytes, k.n
				FROM talk k WHERE k.bytes <= max_texts),
		item AS (
			-- of a ticket that was opened from a conversation it is the first message
			SELECT 0 AS part, 0::bigint AS n, 'customer' AS speaker, triage.clip_middle(t.description,
					max_bytes - coalesce((SELECT max(k.bytes)::int FROM shown k), 0)) AS content
				FROM ticket t WHERE t.description ~ '[^[:space:]]' AND NOT EXISTS (
					SELECT FROM shown k WHERE k.speaker = 'customer' AND k.whole = t.description)
			UNION ALL
			SELECT 1, 0, 'system', format('Language of summary and detail: %s', s.summary_language)
				FROM triage.mining_settings_of(read_extract_issues.tenant_id) s WHERE s.summary_language <> 'en'
			UNION ALL
			SELECT 2, 0, 'system', format('Of what was said next, %s is left out here.',
					CASE WHEN k.hidden = 1 THEN '1 text' ELSE k.hidden || ' texts' END
					|| CASE WHEN k.listed = max_items THEN ' or more' ELSE '' END)
				FROM (SELECT count(*) FILTER (WHERE k.bytes > max_texts) AS hidden, count(*) AS listed FROM talk k) k
				WHERE k.hidden > 0 OR k.listed = max_items
			UNION ALL
			SELECT 3, -k.n, k.speaker, k.content FROM shown k)
		SELECT v.content_version, t.subject, i.speakers, i.texts, x.labels, x.notes
			FROM ticket t
			CROSS JOIN triage.content_versions(read_extract_issues.tenant_id, ARRAY[read_extract_issues.ticket_id]) v
			CROSS JOIN (SELECT coalesce(array_agg(i.speaker ORDER BY i.part, i.n), '{}') AS speakers,
					coalesce(array_agg(i.content ORDER BY i.part, i.n), '{}') AS texts FROM item i) i
			CROSS JOIN (
				SELECT array_agg(x.category || '/' || x.subcategory ORDER BY x.category, x.subcategory) AS labels,
						-- a model reads what is meant, builtin looks for words
						array_agg(CASE WHEN m.is_there THEN x.description
								ELSE concat_ws(E'\n', x.description, array_to_string(x.keywords, ', ')) END
							ORDER BY x.category, x.subcategory) AS notes
					FROM triage.issue_taxonomy x
					CROSS JOIN (SELECT triage.has_model() AS is_there) m
					WHERE x.tenant_id = read_extract_issues.tenant_id AND x.is_active
					HAVING count(*) > 0) x;
END
$$;
COMMENT ON FUNCTION triage.read_extract_issues(text, bigint, bigint, bigint) IS
	'for the worker: what the model is told of a ticket; version: see content_versions(); heading: its subject; speakers: customer, assistant, agent, note (internal), system; texts: the description, then what was said, oldest first, long ones without their middle, and of many the latest; labels: category/subcategory of the active taxonomy, label_notes: what belongs there, with the keywords where only builtin is enabled; no row when the ticket is deleted or erased, or the taxonomy empty; raises nothing';
REVOKE ALL ON FUNCTION triage.read_extract_issues(text, bigint, bigint, bigint) FROM PUBLIC;

CREATE FUNCTION triage.lock_extract_issues(tenant_ids text[], ticket_ids bigint[], session_ids bigint[], cluster_ids bigint[],
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
			state := CASE
				WHEN ticket.deleted_at IS NOT NULL THEN 'gone'
				WHEN item.version = (
					SELECT v.content_version FROM triage.content_versions(item.tenant_id, ARRAY[item.ticket_id]) v) THEN 'current'
				ELSE 'stale' END;
		ELSIF NOT EXISTS (
			SELECT FROM triage.tickets t WHERE t.tenant_id = item.tenant_id AND t.id = item.ticket_id)
		THEN
			state := 'gone';
		END IF;
		-- Its issues may be new in any category.  An answer by itself waits for these when it is stored, in their order; one
		-- among others would ask for them out of order, and is put off instead.
		IF state = 'current' AND cardinality(ticket_ids) > 1 THEN
			CONTINUE WHEN NOT (
				SELECT coalesce(bool_and(pg_try_advisory_xact_lock(triage.issue_category_key(item.tenant_id, c.category))), true)
					FROM (SELECT DISTINCT x.category FROM triage.issue_taxonomy x WHERE x.tenant_id = item.tenant_id) c);
		END IF;
		IF state IS NOT NULL THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.lock_extract_issues(text[], bigint[], bigint[], bigint[], bigint[]) IS
	'for the worker, before it writes issues: locks their tickets, and of several the categories that issues may be new in; n: the position in the arrays; state: current; stale: the ticket reads otherwise than what the model was told; gone: there is no such ticket, or it is deleted; no row: somebody else has one of them locked; raises nothing';
REVOKE ALL ON FUNCTION triage.lock_extract_issues(text[], bigint[], bigint[], bigint[], bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.quote_in_ticket(tenant_id text, ticket_id bigint, quote text) RETURNS boolean
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- each text by itself: a quote does not begin in one and end in another
	RETURN quote IS NOT NULL AND (
		EXISTS (SELECT FROM triage.tickets t
			WHERE t.tenant_id = quote_in_ticket.tenant_id AND t.id = quote_in_ticket.ticket_id
				AND (triage.quote_occurs(quote, t.description) OR triage.quote_occurs(quote, t.subject)))
		OR EXISTS (SELECT FROM triage.ticket_comments c
			WHERE c.tenant_id = quote_in_ticket.tenant_id AND c.ticket_id = quote_in_ticket.ticket_id
				AND triage.quote_occurs(quote, c.content))
		OR EXISTS (SELECT FROM triage.chat_tickets o
			JOIN triage.chat_messages m ON m.tenant_id = o.tenant_id AND m.session_id = o.session_id
			WHERE o.tenant_id = quote_in_ticket.tenant_id AND o.ticket_id = quote_in_ticket.ticket_id
				AND o.relation = 'origin' AND triage.quote_occurs(quote, m.content)));
END
$$;
COMMENT ON FUNCTION triage.quote_in_ticket(text, bigint, text) IS
	'part of store_extract_issues(): whether the quote occurs in a ticket''s subject, description, comments or conversation; raises nothing';
REVOKE ALL ON FUNCTION triage.quote_in_ticket(text, bigint, text) FROM PUBLIC;

CREATE FUNCTION triage.forget_quotes(tenant_id text, ticket_ids bigint[]) RETURNS bigint
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	forgotten bigint;
BEGIN
	UPDATE triage.extracted_issues i
		SET representative_quote = NULL, quote_verified = false
		WHERE i.tenant_id = forget_quotes.tenant_id AND i.ticket_id = ANY (forget_quotes.ticket_ids) AND i.quote_verified
			AND NOT triage.quote_in_ticket(i.tenant_id, i.ticket_id, i.representative_quote);
	GET DIAGNOSTICS forgotten = ROW_COUNT;
	RETURN forgotten;
END
$$;
COMMENT ON FUNCTION triage.forget_quotes(text, bigint[]) IS
	'part of redact_comment(), erase_person() and sync: removes the verified quotes of issues that stand in their tickets no more; returns how many; raises nothing';
REVOKE ALL ON FUNCTION triage.forget_quotes(text, bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.issues_of_answer(answer jsonb)
	RETURNS TABLE (place bigint, category text, subcategory text, issue_type triage.issue_type, severity triage.issue_severity,
		summary text, detail text, quote text, confidence numeric, fingerprint bytea)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
		SELECT DISTINCT ON (i.fingerprint) i.place, i.category, i.subcategory, i.issue_type, i.severity, i.summary, i.detail,
				i.quote, i.confidence, i.fingerprint
			FROM (
				SELECT a.place, p.category, p.subcategory, (a.issue ->> 'issue_type')::triage.issue_type AS issue_type,
						(a.issue ->> 'severity')::triage.issue_severity AS severity, a.issue ->> 'summary' AS summary,
						nullif(a.issue ->> 'detail', '') AS detail, nullif(a.issue ->> 'quote', '') AS quote,
						round((a.issue ->> 'confidence')::numeric, 2) AS confidence,
						triage.issue_fingerprint(p.category, p.subcategory, a.issue ->> 'summary') AS fingerprint
					FROM jsonb_array_elements(answer -> 'issues') WITH ORDINALITY a (issue, place)
					CROSS JOIN LATERAL (VALUES (split_part(a.issue ->> 'area', '/', 1), split_part(a.issue ->> 'area', '/', 2)))
						p (category, subcategory)) i
			-- what it says twice it says once, as the worse
			ORDER BY i.fingerprint, i.severity DESC, i.place;
END
$$;
COMMENT ON FUNCTION triage.issues_of_answer(jsonb) IS
	'part of store_extract_issues(): the issues of an accepted answer, each once; raises 22P02 for a type or severity that does not exist';
REVOKE ALL ON FUNCTION triage.issues_of_answer(jsonb) FROM PUBLIC;

-- What a person said of an issue outlives another wording of it: the row takes the new words, where the area has one that
-- is new, or another area one that is alike.  The likest is taken.  Without any the row stays as it is.
CREATE FUNCTION triage.reword_issues(tenant_id text, ticket_id bigint, answer jsonb) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	alike CONSTANT real := 0.5;					-- as much of the wording in common, for one that is said to be of another area
	item record;
	found_again record;
BEGIN
	FOR item IN
		SELECT i.id, i.category, i.subcategory, i.summary
			FROM triage.extracted_issues i
			WHERE i.tenant_id = reword_issues.tenant_id AND i.ticket_id = reword_issues.ticket_id AND i.superseded_at IS NULL
				AND i.assigned_by = 'human'
				AND i.fingerprint NOT IN (SELECT a.fingerprint FROM triage.issues_of_answer(answer) a)
			ORDER BY i.id
	LOOP
		SELECT a.category, a.subcategory, a.summary, a.fingerprint INTO found_again
			FROM triage.issues_of_answer(answer) a
			CROSS JOIN LATERAL (SELECT (a.category, a.subcategory) = (item.category, item.subcategory) AS same_area,
				triage.text_similarity(a.summary, item.summary) AS likeness) l
			WHERE (l.same_area OR l.likeness >= alike) AND NOT EXISTS (
				SELECT FROM triage.extracted_issues i
					WHERE i.tenant_id = reword_issues.tenant_id AND i.ticket_id = reword_issues.ticket_id
						AND i.superseded_at IS NULL AND i.fingerprint = a.fingerprint)
			ORDER BY l.same_area DESC, l.likeness DESC, a.place
			LIMIT 1;
		IF FOUND THEN
			UPDATE triage.extracted_issues i
				SET category = found_again.category, subcategory = found_again.subcategory, summary = found_again.summary,
					fingerprint = found_again.fingerprint
				WHERE i.tenant_id = reword_issues.tenant_id AND i.id = item.id;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.reword_issues(text, bigint, jsonb) IS
	'part of store_extract_issues(): gives issues that a person put into their cluster the words in which the answer has them now; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.reword_issues(text, bigint, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.issue_customer(tenant_id text, ticket_id bigint) RETURNS text
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce('org:' || p.organization_id, 'person:' || t.requester_id, 'email:' || lower(t.requester_email))
		FROM triage.tickets t
		LEFT JOIN triage.people p ON p.tenant_id = t.tenant_id AND p.id = t.requester_id
		WHERE t.tenant_id = issue_customer.tenant_id AND t.id = issue_customer.ticket_id
$$;
COMMENT ON FUNCTION triage.issue_customer(text, bigint) IS
	'part of store_extract_issues(), and of the trigger of tickets when the requester changes: who reports a ticket''s issues, for counting customers: the requester''s organization, else the requester, else the address; NULL: not known; raises nothing';
REVOKE ALL ON FUNCTION triage.issue_customer(text, bigint) FROM PUBLIC;

CREATE FUNCTION triage.store_extract_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint, run_id bigint,
	version bigint, provider text, model text, answer jsonb)
	RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	ticket record;
BEGIN
	SELECT t.created_at, triage.issue_customer(t.tenant_id, t.id) AS customer INTO ticket
		FROM triage.tickets t
		WHERE t.tenant_id = store_extract_issues.tenant_id AND t.id = store_extract_issues.ticket_id;
	PERFORM triage.reword_issues(store_extract_issues.tenant_id, store_extract_issues.ticket_id, answer);

	-- the same issue: its row stays, with its cluster and since when it is known
	UPDATE triage.extracted_issues i
		SET run_id = store_extract_issues.run_id, issue_type = a.issue_type, severity = a.severity, detail = a.detail,
			representative_quote = a.quote,
			quote_verified = triage.quote_in_ticket(store_extract_issues.tenant_id, store_extract_issues.ticket_id, a.quote),
			confidence = a.confidence, customer = ticket.customer
		FROM triage.issues_of_answer(answer) a
		WHERE i.tenant_id = store_extract_issues.tenant_id AND i.ticket_id = store_extract_issues.ticket_id
			AND i.superseded_at IS NULL AND i.fingerprint = a.fingerprint;
	UPDATE triage.extracted_issues i
		SET superseded_at = clock_timestamp()
		WHERE i.tenant_id = store_extract_issues.tenant_id AND i.ticket_id = store_extract_issues.ticket_id
			AND i.superseded_at IS NULL AND i.assigned_by IS DISTINCT FROM 'human'
			AND i.fingerprint NOT IN (SELECT a.fingerprint FROM triage.issues_of_answer(answer) a);
	INSERT INTO triage.extracted_issues (tenant_id, ticket_id, run_id, category, subcategory, issue_type, severity, summary,
			detail, representative_quote, quote_verified, confidence, customer, fingerprint, reported_at)
		SELECT store_extract_issues.tenant_id, store_extract_issues.ticket_id, store_extract_issues.run_id, a.category,
				a.subcategory, a.issue_type, a.severity, a.summary, a.detail, a.quote,
				triage.quote_in_ticket(store_extract_issues.tenant_id, store_extract_issues.ticket_id, a.quote), a.confidence,
				ticket.customer, a.fingerprint, ticket.created_at
			FROM triage.issues_of_answer(answer) a
			WHERE NOT EXISTS (
				SELECT FROM triage.extracted_issues i
					WHERE i.tenant_id = store_extract_issues.tenant_id AND i.ticket_id = store_extract_issues.ticket_id
						AND i.superseded_at IS NULL AND i.fingerprint = a.fingerprint)
			ORDER BY a.place;

	INSERT INTO triage.ticket_extractions AS x (tenant_id, ticket_id, content_version, issues, provider, model, analyzed_at)
		SELECT store_extract_issues.tenant_id, store_extract_issues.ticket_id, store_extract_issues.version, count(*),
				store_extract_issues.provider, store_extract_issues.model, clock_timestamp()
			FROM triage.issues_of_answer(answer)
		ON CONFLICT ON CONSTRAINT ticket_extractions_pkey DO UPDATE
			SET content_version = excluded.content_version, issues = excluded.issues, provider = excluded.provider,
				model = excluded.model, analyzed_at = excluded.analyzed_at;
	PERFORM triage.place_issues(store_extract_issues.tenant_id, store_extract_issues.ticket_id);
END
$$;
COMMENT ON FUNCTION triage.store_extract_issues(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) IS
	'for the worker: stores what the model found in its locked ticket; issues that read as before keep their rows, what is not found any more is superseded, unless a person has put it into its cluster; then finds clusters for them; answer: as the model gave it; version: as read_extract_issues() said; returns nothing; raises 23503 for an area that is not in the taxonomy, 23514 for what is out of range, 22P02 for a type or severity that does not exist';
REVOKE ALL ON FUNCTION triage.store_extract_issues(text, bigint, bigint, bigint, bigint, bigint, text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION triage.give_up_extract_issues(tenant_id text, ticket_id bigint, session_id bigint, cluster_id bigint,
	class triage.run_outcome, message text)
	RETURNS void
	LANGUAGE sql
	SET search_path = pg_catalog, pg_temp
AS $$
	-- the issues of an earlier look stay; the dead letter shows in extraction_progress, and retry_failed() asks again
$$;
COMMENT ON FUNCTION triage.give_up_extract_issues(text, bigint, bigint, bigint, triage.run_outcome, text) IS
	'for the worker, when an extraction was given up: nothing follows from it but the dead letter; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.give_up_extract_issues(text, bigint, bigint, bigint, triage.run_outcome, text) FROM PUBLIC;

CREATE FUNCTION triage.extraction_contradictions(tenant text)
	RETURNS TABLE (tenant_id text, ticket_id bigint, problem text, detail text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT i.tenant_id, i.ticket_id, 'issue'::text, format('issue %s is current, and its ticket is deleted', i.id)
			FROM triage.extracted_issues i
			JOIN triage.tickets t ON t.tenant_id = i.tenant_id AND t.id = i.ticket_id
			WHERE (tenant IS NULL OR i.tenant_id = tenant) AND i.superseded_at IS NULL AND t.deleted_at IS NOT NULL
		UNION ALL
		SELECT i.tenant_id, i.ticket_id, 'issue', format('issue %s is current %s times', min(i.id), count(*))
			FROM triage.extracted_issues i
			WHERE (tenant IS NULL OR i.tenant_id = tenant) AND i.superseded_at IS NULL
			GROUP BY i.tenant_id, i.ticket_id, i.fingerprint
			HAVING count(*) > 1
		UNION ALL
		SELECT i.tenant_id, i.ticket_id, 'issue', format('issue %s has a verified quote, and none', i.id)
			FROM triage.extracted_issues i
			WHERE (tenant IS NULL OR i.tenant_id = tenant) AND i.quote_verified AND i.representative_quote IS NULL;
END
$$;
COMMENT ON FUNCTION triage.extraction_contradictions(text) IS
	'part of check_integrity(): what contradicts itself in the issues of a tenant, or with NULL of all that row security shows; raises nothing';
REVOKE ALL ON FUNCTION triage.extraction_contradictions(text) FROM PUBLIC;

-- Triggers; those of tickets: src/pg/tickets_extract.c -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.extract_finished(tenant_id text, ticket_ids bigint[]) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (SELECT s.extract_on_resolve FROM triage.mining_settings_of(extract_finished.tenant_id) s) THEN
		PERFORM triage.enqueue_mining(tenant_id, 'extract_issues', triage.changed_tickets(tenant_id, ARRAY (
			SELECT t.id FROM triage.tickets t
				WHERE t.tenant_id = extract_finished.tenant_id AND t.id = ANY (extract_finished.ticket_ids)
					AND t.resolution <> 'spam')), false);
	END IF;
END
$$;
COMMENT ON FUNCTION triage.extract_finished(text, bigint[]) IS
	'part of the triggers of tickets: has the model look for product issues at tickets that were resolved or closed, unless they read the same when they were last looked at; returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.extract_finished(text, bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.ticket_comments_extract() RETURNS trigger
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- what runs was told less, or something else; what waits will be told
	UPDATE triage.ai_jobs j
		SET fence = j.fence + 1, lease_until = NULL, slot = NULL, attempts = 0, run_at = now()
		FROM (SELECT DISTINCT c.tenant_id, c.ticket_id FROM told_comments c) c
		WHERE j.tenant_id = c.tenant_id AND j.ticket_id = c.ticket_id AND j.kind = 'extract_issues'
			AND j.lease_until IS NOT NULL;
	IF FOUND THEN
		PERFORM triage.wake_worker();
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION triage.ticket_comments_extract() IS
	'trigger of ticket_comments: has a look for product issues that runs begin anew when its ticket gets a comment or one is edited; raises nothing';
REVOKE ALL ON FUNCTION triage.ticket_comments_extract() FROM PUBLIC;

CREATE FUNCTION triage.install_extraction_triggers() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
BEGIN
	CREATE OR REPLACE TRIGGER ticket_comments_extract_new
		AFTER INSERT ON triage.ticket_comments
		REFERENCING NEW TABLE AS told_comments
		FOR EACH STATEMENT EXECUTE FUNCTION triage.ticket_comments_extract();
	CREATE OR REPLACE TRIGGER ticket_comments_extract_edited
		AFTER UPDATE ON triage.ticket_comments
		REFERENCING NEW TABLE AS told_comments
		FOR EACH STATEMENT EXECUTE FUNCTION triage.ticket_comments_extract();
END
$install$;
COMMENT ON FUNCTION triage.install_extraction_triggers() IS
	'part of install(): creates or replaces the triggers of extraction; takes nothing, returns nothing';
REVOKE ALL ON FUNCTION triage.install_extraction_triggers() FROM PUBLIC;
