-- What `make eval` does in each of its databases: issues arrive one by one and are placed by the product's own functions.
-- The judge stands where the model does, between read_match_issues() and store_match_issues(), and answers from the labels.

-- The texts of a split in an order that the seed decides, at most so many of them; a ticket each.
CREATE TABLE eval.arrival (n int PRIMARY KEY, label text NOT NULL, summary text NOT NULL, ticket_id bigint NOT NULL, issue_id bigint);
CREATE INDEX arrival_issue ON eval.arrival (issue_id);
CREATE TABLE eval.looked (n int NOT NULL, known boolean NOT NULL, offered boolean NOT NULL, score real);
CREATE TABLE eval.progress (calls int NOT NULL, merges_judged int NOT NULL);
INSERT INTO eval.progress VALUES (0, 0);

CREATE PROCEDURE eval.load(split text, seed bigint, most int)
	LANGUAGE sql
AS $$
	SELECT triage.set_syncing(true);
	INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ('BANK', 'any');
	INSERT INTO triage.tickets (subject, description, source, external_id)
		SELECT left(u.text, 200), 'x', 'eval', u.n::text
		FROM (SELECT t.text, row_number() OVER (ORDER BY hashtextextended(t.text, load.seed), t.text) AS n
			FROM eval.utterance t WHERE t.split = load.split) u
		WHERE u.n <= load.most ORDER BY u.n;
	INSERT INTO eval.arrival (n, label, summary, ticket_id)
		SELECT u.n, u.label, left(u.text, 500), t.id
		FROM (SELECT t.text, t.label, row_number() OVER (ORDER BY hashtextextended(t.text, load.seed), t.text) AS n
			FROM eval.utterance t WHERE t.split = load.split) u
		JOIN triage.tickets t ON t.source = 'eval' AND t.external_id = u.n::text;
	DELETE FROM triage.ai_jobs;
	SELECT triage.set_syncing(false);
	ANALYZE triage.tickets, eval.arrival
$$;

CREATE FUNCTION eval.arrive(n int) RETURNS bigint
	LANGUAGE sql
AS $$
	WITH made AS (
		INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
			SELECT 'default', a.ticket_id, 'BANK', 'any', 'friction', 'medium', a.summary,
				triage.issue_fingerprint('BANK', 'any', a.summary), timestamptz '2025-01-01 00:00:00+00' + a.n * interval '1 minute'
			FROM eval.arrival a WHERE a.n = arrive.n
			RETURNING id)
	UPDATE eval.arrival a SET issue_id = m.id FROM made m WHERE a.n = arrive.n RETURNING a.issue_id
$$;

-- What most issues of a candidate are about; of an issue, what it is about.
CREATE FUNCTION eval.label_of(candidate text) RETURNS text
	LANGUAGE sql STABLE
AS $$
	SELECT CASE left(candidate, 1)
		WHEN 'I' THEN (SELECT a.label FROM eval.arrival a WHERE a.issue_id = substr(candidate, 2)::bigint)
		WHEN 'C' THEN (
			SELECT a.label
			FROM triage.issue_clusters c
				JOIN triage.extracted_issues i ON i.tenant_id = c.tenant_id AND i.cluster_id = c.id
				JOIN eval.arrival a ON a.issue_id = i.id
			WHERE c.tenant_id = 'default' AND substr(candidate, 2)::bigint IN (c.id, c.merged_into_id)
			GROUP BY a.label ORDER BY count(*) DESC, a.label LIMIT 1) END
$$;

-- One call of the model for a ticket's job, if it comes to one; of several right labels the first, which is the likest.
CREATE FUNCTION eval.judge(n int) RETURNS void
	LANGUAGE plpgsql
AS $$
DECLARE
	arrived eval.arrival;
	question record;
	answer text;
BEGIN
	SELECT * INTO arrived FROM eval.arrival a WHERE a.n = judge.n;
	DELETE FROM triage.ai_jobs j WHERE j.ticket_id = arrived.ticket_id AND j.kind = 'match_issues';
	SELECT * INTO question FROM triage.read_match_issues('default', arrived.ticket_id, NULL, NULL);
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT l.label INTO answer
		FROM unnest(question.labels) WITH ORDINALITY l (label, n)
		WHERE eval.label_of(l.label) = arrived.label
		ORDER BY l.n LIMIT 1;
	UPDATE eval.progress SET calls = calls + 1;
	INSERT INTO eval.looked
		SELECT judge.n, EXISTS (SELECT FROM eval.arrival a WHERE a.n < judge.n AND a.label = arrived.label), answer IS NOT NULL, NULL;
	PERFORM triage.store_match_issues('default', arrived.ticket_id, NULL, NULL, NULL, question.version, 'judge', 'labels',
		jsonb_build_object('matches', jsonb_build_array(jsonb_build_object('issue', 1, 'cluster', coalesce(answer, 'none')))));
END
$$;

-- The judge on the pairs that suggest_merges() names, until it names none that is right.
CREATE PROCEDURE eval.merge()
	LANGUAGE plpgsql
AS $$
DECLARE
	pair record;
	judged text[] := '{}';
	merged int;
BEGIN
	FOR round IN 1 .. 20 LOOP
		merged := 0;
		FOR pair IN SELECT m.cluster_id, m.other_id FROM triage.suggest_merges(1000) m LOOP
			CONTINUE WHEN format('%s %s', pair.cluster_id, pair.other_id) = ANY (judged);
			-- merged a moment ago, as part of another pair
			CONTINUE WHEN EXISTS (
				SELECT FROM triage.issue_clusters c WHERE c.id IN (pair.cluster_id, pair.other_id) AND c.merged_into_id IS NOT NULL);
			judged := judged || format('%s %s', pair.cluster_id, pair.other_id);
			UPDATE eval.progress SET merges_judged = merges_judged + 1;
			IF eval.label_of('C' || pair.cluster_id) = eval.label_of('C' || pair.other_id) THEN
				PERFORM triage.merge_clusters(pair.other_id, pair.cluster_id);
				merged := merged + 1;
			END IF;
		END LOOP;
		COMMIT;
		EXIT WHEN merged = 0;
	END LOOP;
END
$$;

-- lexical: no model; judge: a perfect one, which sees what its own errors have made; gold: the clusters are the labels, whatever is answered, so that only the retrieval counts.
CREATE PROCEDURE eval.run(mode text)
	LANGUAGE plpgsql
AS $$
DECLARE
	arrived record;
	gold record;
	issue bigint;
BEGIN
	INSERT INTO triage.providers (name, api, base_url, model, enabled)
		VALUES ('judge', 'openai', 'http://127.0.0.1:9', 'labels', mode = 'judge');
	FOR arrived IN SELECT a.n, a.label, a.ticket_id FROM eval.arrival a ORDER BY a.n LOOP
		issue := eval.arrive(arrived.n);
		IF mode = 'gold' THEN
			SELECT a.issue_id, i.cluster_id INTO gold
				FROM eval.arrival a JOIN triage.extracted_issues i ON i.id = a.issue_id
				WHERE a.label = arrived.label AND a.n < arrived.n LIMIT 1;
			INSERT INTO eval.looked
				SELECT arrived.n, gold.cluster_id IS NOT NULL, count(*) > 0, max(c.score)
				FROM triage.issue_candidates('default', issue) c WHERE c.cluster_id = gold.cluster_id;
			PERFORM triage.put_issue('default', issue, coalesce(gold.cluster_id, triage.new_cluster('default', issue, 'human')), 'human', NULL);
		ELSE
			PERFORM triage.place_issues('default', arrived.ticket_id);
			FOR again IN 1 .. 5 LOOP
				EXIT WHEN NOT EXISTS (SELECT FROM triage.ai_jobs j WHERE j.ticket_id = arrived.ticket_id AND j.kind = 'match_issues');
				PERFORM eval.judge(arrived.n);
			END LOOP;
		END IF;
		-- as autovacuum would
		IF arrived.n % 250 = 0 THEN
			ANALYZE triage.extracted_issues, triage.issue_clusters, triage.cluster_events;
		END IF;
		COMMIT;
	END LOOP;
	CALL eval.gather(mode);
END
$$;

CREATE PROCEDURE eval.gather(mode text)
	LANGUAGE sql
AS $$
	DELETE FROM eval.answer;
	INSERT INTO eval.answer
		SELECT a.n, CASE WHEN mode = 'gold' THEN CASE WHEN NOT l.known OR l.offered THEN a.label END
				ELSE coalesce(c.merged_into_id, c.id)::text END, a.label
		FROM eval.arrival a
			JOIN triage.extracted_issues i ON i.id = a.issue_id
			LEFT JOIN triage.issue_clusters c ON c.id = i.cluster_id
			LEFT JOIN eval.looked l ON l.n = a.n AND mode = 'gold'
$$;

-- One line: what make eval gathers.  Naming is a call at 3, 10, 30 and 100 issues.
CREATE FUNCTION eval.report() RETURNS TABLE (ari float8, precision_b3 float8, recall_b3 float8, f_b3 float8, clusters bigint, singletons float8,
		recall_10 float8, calls float8, naming float8, merging float8, by_itself float8)
	LANGUAGE sql
AS $$
	SELECT m.*, l.recall, p.calls * 1000.0 / n.total, (
			SELECT coalesce(sum((SELECT count(*) FROM unnest('{3,10,30,100}'::int[]) u (least) WHERE k.n >= u.least)), 0)
			FROM (SELECT count(*) AS n FROM eval.answer a WHERE a.cluster IS NOT NULL GROUP BY a.cluster) k) * 1000.0 / n.total,
		p.merges_judged * 1000.0 / n.total,
		(SELECT count(*) FROM triage.extracted_issues i WHERE i.assigned_by IN ('exact', 'lexical'))::float8 / n.total
	FROM eval.metrics() m, eval.progress p,
		(SELECT avg(l.offered::int) FILTER (WHERE l.known) AS recall FROM eval.looked l) l,
		(SELECT count(*)::float8 AS total FROM eval.answer) n
$$;
