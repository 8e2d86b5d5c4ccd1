-- Clusters: how issues get there, what the model is asked and what its answer does, and what people decide.
\ir prepare.psql
SELECT no_plan();

INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ('PAYROLL', 'errors'), ('PAYROLL', 'reporting'), ('SETTINGS', 'deductions');
-- alike is the share of words in common: of four words, three and more join, one and more are candidates
INSERT INTO triage.mining_settings (join_score, candidate_score, regression_grace) VALUES (0.7, 0.2, '1 day');
SELECT triage.create_tenant('other');

-- An issue of a ticket by that name, which is made on first sight; not placed yet.
CREATE FUNCTION pg_temp.add_issue(name text, summary text, reported timestamptz DEFAULT now(), category text DEFAULT 'PAYROLL',
	severity triage.issue_severity DEFAULT 'low')
	RETURNS bigint
	LANGUAGE plpgsql
AS $$
DECLARE
	new_id bigint;
BEGIN
	INSERT INTO triage.tickets (external_id, description, created_at) SELECT name, summary, reported
		WHERE pg_temp.ticket(name) IS NULL;
	INSERT INTO triage.extracted_issues (ticket_id, category, subcategory, issue_type, severity, summary, customer, fingerprint, reported_at)
		VALUES (pg_temp.ticket(name), category, CASE category WHEN 'PAYROLL' THEN 'errors' ELSE 'deductions' END, 'bug', severity, summary,
			name, triage.issue_fingerprint(category, CASE category WHEN 'PAYROLL' THEN 'errors' ELSE 'deductions' END, summary), reported)
		RETURNING id INTO new_id;
	RETURN new_id;
END
$$;
CREATE FUNCTION pg_temp.place(name text) RETURNS int LANGUAGE sql AS $$ SELECT triage.place_issues('default', pg_temp.ticket(name)) $$;
CREATE FUNCTION pg_temp.new_issue(name text, summary text, reported timestamptz DEFAULT now(), category text DEFAULT 'PAYROLL')
	RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	new_id CONSTANT bigint := pg_temp.add_issue(name, summary, reported, category);
BEGIN
	PERFORM pg_temp.place(name);
	RETURN new_id;
END
$$;
CREATE FUNCTION pg_temp.issue(name text) RETURNS bigint LANGUAGE sql AS $$
	SELECT i.id FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket(name) AND i.superseded_at IS NULL ORDER BY i.id LIMIT 1 $$;
CREATE FUNCTION pg_temp.cluster_of(name text) RETURNS bigint LANGUAGE sql AS $$
	SELECT i.cluster_id FROM triage.extracted_issues i WHERE i.id = pg_temp.issue(name) $$;
-- how an issue was placed, in one line
CREATE FUNCTION pg_temp.state(name text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', coalesce(i.assigned_by::text, 'none'), round(i.assignment_score::numeric, 2), i.algorithm)
		FROM triage.extracted_issues i WHERE i.id = pg_temp.issue(name) $$;
-- the last event of an issue, or of a cluster itself
CREATE FUNCTION pg_temp.last_event(issue bigint, cluster bigint DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', e.event, e.assigner, round(e.score::numeric, 2), e.algorithm, e.actor, e.details ->> 'reason')
		FROM triage.cluster_events e
		WHERE CASE WHEN issue IS NULL THEN e.cluster_id = cluster AND e.issue_id IS NULL ELSE e.issue_id = issue END
		ORDER BY e.id DESC LIMIT 1 $$;
CREATE FUNCTION pg_temp.jobs(wanted triage.job_kind) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM triage.ai_jobs j WHERE j.kind = wanted $$;
SET triage.actor = 'pia';

-- Without a model ------------------------------------------------------------------------------------------------------------

SELECT pg_temp.new_issue('a1', 'alpha bravo charlie delta');
SELECT is(pg_temp.state('a1'), 'none', 'an issue that is like nothing stays without a cluster');
SELECT is(pg_temp.last_event(pg_temp.issue('a1')), 'unplaced lexical 1 triage nothing is alike above candidate_score', 'which is logged, with the algorithm');
SELECT pg_temp.new_issue('a2', '  Alpha bravo, charlie delta.');
SELECT is(pg_temp.state('a2'), 'exact 1.00 1', 'what reads the same as another joins it [seed 249] [seed 266]');
SELECT is(pg_temp.state('a1') || ' ' || (pg_temp.cluster_of('a1') = pg_temp.cluster_of('a2')), 'exact 1.00 1 true', 'two that had none become a cluster');
SELECT pg_temp.cluster_of('a1') AS a \gset
SELECT is((SELECT (c.category, c.subcategory, c.cluster_name, c.cluster_summary, c.name_is_manual, c.pm_status, c.version)::text FROM triage.issue_clusters c WHERE c.id = :a),
	'(PAYROLL,errors,"alpha bravo charlie delta",,f,new,1)', 'which carries the summary of the first [seed 232] [seed 234] [seed 235] [seed 236]');
SELECT is((SELECT string_agg(e.event::text, ' ' ORDER BY e.id) FROM triage.cluster_events e WHERE e.cluster_id = :a), 'created joined joined', 'all of that is logged');
SELECT pg_temp.new_issue('a3', 'delta charlie bravo alpha');
SELECT is(pg_temp.state('a3') || ' ' || pg_temp.cluster_of('a3'), 'lexical 1.00 1 ' || :a, 'what is alike above join_score joins [seed 266]');
SELECT is(pg_temp.last_event(pg_temp.issue('a3')), 'joined lexical 1.00 1 triage is alike above join_score', 'with its reason and score');
SELECT pg_temp.new_issue('b1', 'alpha bravo xray yankee');
SELECT is(pg_temp.state('b1'), 'none', 'what is alike below it does not');
SELECT is(pg_temp.last_event(pg_temp.issue('b1')), 'unplaced lexical 0.35 1 triage is alike, but not above join_score', 'for that reason');
SELECT is(pg_temp.jobs('match_issues'), 0::bigint, 'nobody is asked');
SELECT pg_temp.new_issue('b2', 'xray yankee alpha bravo');
SELECT is(pg_temp.state('b1') || ', ' || pg_temp.state('b2'), 'lexical 1.00 1, lexical 1.00 1', 'two that are alike and had none become a cluster');
SELECT ok(pg_temp.cluster_of('b1') <> :a, 'of their own');
SELECT count(*) AS events FROM triage.cluster_events \gset
SELECT is(pg_temp.place('b1') + pg_temp.place('a1') + pg_temp.place('nowhere'), 0, 'what has a cluster keeps it');
SELECT is((SELECT count(*) FROM triage.cluster_events), :events::bigint, 'and nothing is logged');
SELECT pg_temp.new_issue('c1', 'golf hotel india juliett');
SELECT is(pg_temp.place('c1') + pg_temp.place('c1'), 0, 'what has none is looked at again');
SELECT is((SELECT count(*) FROM triage.cluster_events e WHERE e.issue_id = pg_temp.issue('c1')), 1::bigint, 'and logged once for a reason');
SELECT pg_temp.add_issue('d1', 'kilo lima mike november'), pg_temp.add_issue('d1', 'kilo lima mike november oscar'), pg_temp.place('d1');
SELECT is_empty($$SELECT FROM triage.extracted_issues i WHERE i.ticket_id = pg_temp.ticket('d1') AND i.cluster_id IS NOT NULL$$, 'two issues of one ticket are two problems');
SELECT pg_temp.new_issue('other area', 'alpha bravo charlie delta', category => 'SETTINGS');
SELECT is(pg_temp.state('other area') || ' ' || pg_temp.cluster_of('other area'), 'lexical 1.00 1 ' || :a, 'the area may be another one: the model may have named the wrong one');
SET LOCAL triage.tenant = 'other';
INSERT INTO triage.issue_taxonomy (category, subcategory) VALUES ('PAYROLL', 'errors');
SELECT pg_temp.add_issue('foreign', 'alpha bravo charlie delta');
SELECT is(triage.place_issues('other', pg_temp.ticket('foreign')), 0, 'another tenant''s issues are no candidates');
RESET triage.tenant;

-- With a model ---------------------------------------------------------------------------------------------------------------

INSERT INTO triage.providers (name, api, base_url, model) VALUES ('p', 'openai', 'http://127.0.0.1:1/v1', 'm');
SELECT pg_temp.new_issue('e1', 'quebec romeo sierra tango');
SELECT is(pg_temp.state('e1'), 'lexical 1', 'with a model, what is like nothing is a cluster of its own');
SELECT is(pg_temp.jobs('match_issues'), 0::bigint, 'for which nobody is asked');
SELECT pg_temp.cluster_of('e1') AS e \gset
-- three issues of one ticket: like a and e, like c1, like nothing
SELECT pg_temp.add_issue('m', 'alpha bravo quebec romeo') AS m1, pg_temp.add_issue('m', 'golf hotel zulu uniform') AS m2, pg_temp.add_issue('m', 'papa whiskey') AS m3 \gset
SELECT is(pg_temp.place('m'), 1, 'what is like something waits for the model''s judgement');
SELECT is((SELECT string_agg((j.ticket_id = pg_temp.ticket('m')) || ' ' || j.priority, ' ') FROM triage.ai_jobs j WHERE j.kind = 'match_issues'), 'true low', 'with one job for the ticket');
SELECT j.fence AS fence FROM triage.ai_jobs j WHERE j.kind = 'match_issues' \gset
SELECT pg_temp.place('m');
SELECT is((SELECT j.fence FROM triage.ai_jobs j WHERE j.kind = 'match_issues'), :fence + 1, 'asked again, an answer that is on its way is stale');

SELECT * FROM triage.read_match_issues('default', pg_temp.ticket('m'), NULL, NULL) \gset
SELECT is(:'speakers'::text[] || :'texts'::text[], ARRAY['issue', 'issue', 'PAYROLL/errors, bug: alpha bravo quebec romeo', 'PAYROLL/errors, bug: golf hotel zulu uniform'], 'the model is told of those that are like something');
SELECT is((:'labels'::text[])[1], 'none', 'it may choose none');
SELECT set_eq(format('SELECT unnest(%L::text[])', :'labels'), ARRAY['none', 'C' || :a, 'C' || :e, 'C' || pg_temp.cluster_of('b1'), 'I' || pg_temp.issue('c1')], 'or a candidate of any of them, clusters and issues');
SELECT is((:'label_notes'::text[])[array_position(:'labels'::text[], 'C' || :a)], E'alpha bravo charlie delta\n- delta charlie bravo alpha', 'which are described by name, summary and quotes');
SELECT set_eq(format($$SELECT jsonb_array_elements_text(e.details -> 'labels') FROM triage.cluster_events e WHERE e.event = 'asked' AND e.issue_id = %s$$, :m2),
	ARRAY['none', 'I' || pg_temp.issue('c1')], 'what each could choose from is on record');
SELECT results_eq(format('SELECT * FROM triage.lock_match_issues(%L, %L, NULL, NULL, %L)', '{default,default,default}', ARRAY[pg_temp.ticket('m'), -1, pg_temp.ticket('m')], ARRAY[:version, 0, :version - 1]),
	$$VALUES (2, 'gone'), (1, 'current'), (3, 'stale')$$, 'an answer to what was asked is current');
CREATE FUNCTION pg_temp.answer(name text, version bigint, matches text, run bigint DEFAULT 7) RETURNS void LANGUAGE sql AS $$
	SELECT triage.store_match_issues('default', pg_temp.ticket(name), NULL, NULL, run, version, 'p', 'm', jsonb_build_object('matches', matches::jsonb)) $$;
SELECT pg_temp.answer('m', :version, format('[{"issue": 1, "cluster": "C%s", "confidence": 0.9, "reason": "the same"}, {"issue": 2, "cluster": "C%1$s"}, {"issue": 1, "cluster": "none"}, {"issue": 3, "cluster": "none"}]', :e));
SELECT is((SELECT (i.cluster_id, i.assigned_by, i.assignment_score, i.algorithm)::text FROM triage.extracted_issues i WHERE i.id = :m1), format('(%s,model,0.9,1)', :e), 'the chosen candidate has it [seed 266]');
SELECT is((SELECT (e.event, e.assigner, e.score, e.algorithm, e.run_id, e.details)::text FROM triage.cluster_events e WHERE e.issue_id = :m1 ORDER BY e.id DESC LIMIT 1),
	format('(joined,model,0.9,1,7,"{""label"": ""C%s"", ""reason"": ""the same""}")', :e), 'with the model''s reason, confidence and run');
SELECT is((SELECT i.cluster_id FROM triage.extracted_issues i WHERE i.id = :m2), NULL, 'what was a candidate of another issue only is refused');
SELECT is(pg_temp.last_event(:m2), 'unplaced model 1 triage the model chose what was not among its candidates', 'which is logged');
SELECT is((SELECT string_agg(a.state, ' ') FROM triage.lock_match_issues('{default}', ARRAY[pg_temp.ticket('m')], NULL, NULL, ARRAY[:version]) a), 'current', '(one of them still has no cluster)');
SELECT triage.assign_issue(:m2, :a);
SELECT is((SELECT string_agg(a.state, ' ') FROM triage.lock_match_issues('{default}', ARRAY[pg_temp.ticket('m')], NULL, NULL, ARRAY[:version]) a), 'stale', 'once all have one, an answer is stale');
SELECT pg_temp.answer('m', :version, '[{"issue": 1, "cluster": "none"}, {"issue": 2, "cluster": "none"}]');
SELECT is((SELECT array_agg(i.cluster_id ORDER BY i.id) FROM triage.extracted_issues i WHERE i.id IN (:m1, :m2)), ARRAY[:e, :a]::bigint[], 'and overwrites nothing, a person''s decision least of all');
SELECT is_empty($$SELECT FROM triage.read_match_issues('default', pg_temp.ticket('m'), NULL, NULL)$$, 'nothing is left to judge');
DELETE FROM triage.ai_jobs;

-- one issue, asked about; what is answered comes later
CREATE FUNCTION pg_temp.ask(name text, summary text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_temp.new_issue(name, summary);
	RETURN (SELECT r.version FROM triage.read_match_issues('default', pg_temp.ticket(name), NULL, NULL) r);
END
$$;
SELECT pg_temp.ask('n1', 'alpha bravo one two') AS v \gset
SELECT pg_temp.answer('n1', :v, '[{"issue": 1, "cluster": "none", "confidence": 0.8, "reason": "another thing"}]');
SELECT is(pg_temp.state('n1') || ' ' || pg_temp.last_event(pg_temp.issue('n1')), 'model 0.80 1 joined model 0.80 1 triage another thing', 'none: a cluster of its own');
SELECT is((SELECT count(*) FROM triage.extracted_issues i WHERE i.cluster_id = pg_temp.cluster_of('n1')), 1::bigint, 'with this issue alone');
SELECT pg_temp.ask('n2', 'alpha bravo three four') AS v \gset
SELECT pg_temp.answer('n2', :v, '[]');
SELECT is(pg_temp.state('n2') || ' ' || pg_temp.last_event(pg_temp.issue('n2')), 'none unplaced model 1 triage the answer does not name it', 'what the answer leaves out stays as it is');
SELECT pg_temp.ask('n3', 'three four five six') AS v \gset
SELECT pg_temp.answer('n3', :v, format('[{"issue": 1, "cluster": "I%s"}]', pg_temp.issue('n2')));
SELECT is(pg_temp.state('n2') || ', ' || pg_temp.state('n3') || ' ' || (pg_temp.cluster_of('n2') = pg_temp.cluster_of('n3')), 'model 1, model 1 true', 'the choice of an issue makes a cluster of both');
SELECT pg_temp.ask('n4', 'alpha bravo twentyone seven') AS v \gset
-- as another session does that does not see the first one
SELECT pg_temp.add_issue('n5', 'seven alpha bravo twentyone');
SELECT triage.put_issue('default', i, triage.new_cluster('default', i, 'model'), 'model', NULL) FROM pg_temp.issue('n5') i;
SELECT pg_temp.answer('n4', :v, '[{"issue": 1, "cluster": "none"}]');
SELECT is(pg_temp.state('n4') || ' ' || (pg_temp.cluster_of('n4') = pg_temp.cluster_of('n5')), 'lexical 1.00 1 true', 'none of what was shown, and something alike has come up since: they join');
SELECT pg_temp.ask('n6', 'alpha bravo eight nine') AS v \gset
SELECT pg_temp.new_issue('n7', 'eight nine ten eleven'), pg_temp.jobs('match_issues') AS before \gset
DELETE FROM triage.ai_jobs;
SELECT pg_temp.answer('n6', :v, '[{"issue": 1, "cluster": "none"}]');
SELECT is(pg_temp.state('n6') || ' ' || pg_temp.jobs('match_issues'), 'none 1', 'and what is a little alike is put before the model, too');
SELECT r.version AS v FROM triage.read_match_issues('default', pg_temp.ticket('n6'), NULL, NULL) r \gset
SELECT pg_temp.answer('n6', :v, '[{"issue": 1, "cluster": "none"}]');
SELECT is(pg_temp.state('n6'), 'model 1', 'once');
SELECT pg_temp.ask('n8', 'quebec romeo twelve thirteen') AS v \gset
UPDATE triage.extracted_issues SET superseded_at = now() WHERE id = pg_temp.issue('n8') RETURNING id AS n8 \gset
SELECT is((SELECT string_agg(a.state, ' ') FROM triage.lock_match_issues('{default}', ARRAY[pg_temp.ticket('n8')], NULL, NULL, ARRAY[:v]) a), 'stale', 'an answer about what was superseded is stale');
SELECT pg_temp.ask('n9', 'quebec romeo fourteen fifteen') AS v \gset
SELECT triage.give_up_match_issues('default', pg_temp.ticket('n9'), NULL, NULL, 'refused', 'x');
SELECT is(pg_temp.state('n9') || ' ' || pg_temp.last_event(pg_temp.issue('n9')), 'none unplaced model 1 triage the model gave no usable answer', 'given up: the issue stays as it is, which is logged');
SELECT triage.delete_ticket(pg_temp.ticket('n9'));
SELECT is((SELECT string_agg(a.state, ' ') FROM triage.lock_match_issues('{default}', ARRAY[pg_temp.ticket('n9')], NULL, NULL, ARRAY[:v]) a), 'gone', 'an answer about a deleted ticket goes nowhere');
SELECT is_empty($$SELECT FROM triage.read_match_issues('default', pg_temp.ticket('n9'), NULL, NULL)$$, 'and it is not asked about');
DELETE FROM triage.ai_jobs;
SELECT pg_temp.add_issue('many', 'alpha bravo ' || i) FROM generate_series(101, 112) i;
SELECT pg_temp.place('many');
SELECT is((SELECT (cardinality(r.texts), cardinality(r.labels) <= 41, cardinality(r.labels) = cardinality(r.label_notes))::text FROM triage.read_match_issues('default', pg_temp.ticket('many'), NULL, NULL) r), '(10,t,t)', 'ten issues at most are judged at once, and the candidates are few');
UPDATE triage.extracted_issues SET superseded_at = now() WHERE ticket_id = pg_temp.ticket('many');
DELETE FROM triage.ai_jobs;

-- A name -----------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.fill(prefix text, summary text, first int, last int) RETURNS void LANGUAGE sql AS $$
	SELECT count(pg_temp.new_issue(prefix || i, summary, now() + i * interval '1 minute')) FROM generate_series(first, last) i $$;
SELECT pg_temp.fill('name', 'red green blue', 1, 2), pg_temp.cluster_of('name1') AS n \gset
SELECT is(pg_temp.jobs('name_cluster'), 0::bigint, 'two issues need no name');
SELECT pg_temp.fill('name', 'red green blue', 3, 3);
SELECT is((SELECT string_agg(concat_ws(' ', j.cluster_id, j.ticket_id, j.priority), ' ') FROM triage.ai_jobs j WHERE j.kind = 'name_cluster'), :n || ' low', 'three do');
SELECT is((SELECT (r.version, r.heading, r.speakers, r.texts, r.labels, r.label_notes)::text FROM triage.read_name_cluster('default', NULL, NULL, :n) r),
	'(3,PAYROLL/errors,{issue},"{""bug, low: red green blue""}",{},{})', 'what reads the same is told once');
SELECT pg_temp.new_issue('name severe', 'blue green red', now() - interval '1 year') AS severe \gset
UPDATE triage.extracted_issues SET severity = 'critical', detail = 'it burns' WHERE id = :severe;
SELECT is((SELECT r.texts FROM triage.read_name_cluster('default', NULL, NULL, :n) r), ARRAY[E'bug, critical: blue green red\nit burns', 'bug, low: red green blue'], 'with the oldest first');
SELECT results_eq(format('SELECT * FROM triage.lock_name_cluster(%L, NULL, NULL, %L, %L)', '{default,default,default}', ARRAY[:n, -1, :n], '{3,3,10}'),
	$$VALUES (2, 'gone'), (1, 'current'), (3, 'stale')$$, 'a name for the issues it had then is current');
SELECT triage.store_name_cluster('default', NULL, NULL, :n, 9, 3, 'p', 'm', jsonb_build_object('name', E' Colours\n are wrong ', 'summary', 'All of them.'));
SELECT is((SELECT (c.cluster_name, c.cluster_summary, c.name_is_manual, c.named_at_count, c.version)::text FROM triage.issue_clusters c WHERE c.id = :n), '("Colours are wrong","All of them.",f,3,2)', 'it is stored');
SELECT is((SELECT (e.event, e.assigner, e.run_id, e.actor, e.details ->> 'from', e.details ->> 'to')::text FROM triage.cluster_events e WHERE e.cluster_id = :n AND e.issue_id IS NULL ORDER BY e.id DESC LIMIT 1),
	'(named,model,9,triage,"red green blue","Colours are wrong")', 'and logged');
SELECT triage.store_name_cluster('default', NULL, NULL, :n, 9, 3, 'p', 'm', jsonb_build_object('name', repeat('x', 300), 'summary', ''));
SELECT is((SELECT (length(c.cluster_name), c.cluster_summary)::text FROM triage.issue_clusters c WHERE c.id = :n), '(200,)', 'one that is too long is cut');
DELETE FROM triage.ai_jobs;
SELECT pg_temp.fill('name', 'red green blue', 5, 9);
SELECT is(pg_temp.jobs('name_cluster'), 0::bigint, 'nine issues need no other name than four');
SELECT pg_temp.fill('name', 'red green blue', 10, 10);
SELECT is((SELECT (pg_temp.jobs('name_cluster'), c.named_at_count)::text FROM triage.issue_clusters c WHERE c.id = :n), '(1,10)', 'ten do');
SELECT is(triage.rename_cluster(:n, '  Colours ', 'By hand'), 4, 'a person names it');
SELECT is((SELECT (c.cluster_name, c.cluster_summary, c.name_is_manual, pg_temp.jobs('name_cluster'))::text FROM triage.issue_clusters c WHERE c.id = :n), '(Colours,"By hand",t,0)', 'which calls the model off');
SELECT is((SELECT string_agg(l.state, ' ') FROM triage.lock_name_cluster('{default}', NULL, NULL, ARRAY[:n], '{10}') l), 'stale', 'its answer is stale');
SELECT triage.store_name_cluster('default', NULL, NULL, :n, 9, 10, 'p', 'm', '{"name": "x", "summary": "x"}');
SELECT pg_temp.fill('name', 'red green blue', 11, 30);
SELECT is((SELECT (c.cluster_name, pg_temp.jobs('name_cluster'))::text FROM triage.issue_clusters c WHERE c.id = :n), '(Colours,0)', 'and it is never asked again');
SELECT is_empty(format('SELECT FROM triage.read_name_cluster(''default'', NULL, NULL, %s)', :n), 'nor told of it');
SELECT is(pg_temp.outcome(format('SELECT triage.rename_cluster(%s, %L)', :n, v.name)), '23514 issue_clusters_cluster_name_length', 'no such name: ' || coalesce(left(v.name, 5), 'NULL'))
	FROM (VALUES (' '), (NULL), (repeat('x', 201))) v (name);
SELECT is(pg_temp.outcome(format('SELECT triage.rename_cluster(%s, ''x'', expected_version => 1)', :n)), '40001', 'nor for a version that is over');

-- "Not this" ---------------------------------------------------------------------------------------------------------------------

SELECT triage.unassign_issue(pg_temp.issue('a3'), ' another thing ');
SELECT is(pg_temp.state('a3') || ' ' || pg_temp.last_event(pg_temp.issue('a3')), 'none left human pia another thing', 'not this: the issue is in no cluster');
SELECT pg_temp.place('a3');
SELECT is(pg_temp.cluster_of('a3') IS NOT DISTINCT FROM :a, false, 'it does not return');
SELECT pg_temp.new_issue('a4', 'delta charlie bravo alpha');
SELECT is(pg_temp.cluster_of('a4') IS NOT DISTINCT FROM :a, false, 'nor does what reads the same');
SELECT is(pg_temp.cluster_of('a4'), pg_temp.cluster_of('a3'), '(they are alike)');
SELECT pg_temp.new_issue('a5', 'alpha bravo charlie delta');
SELECT is(pg_temp.cluster_of('a5'), :a::bigint, 'what reads otherwise does');
SELECT is(pg_temp.outcome(format('SELECT triage.unassign_issue(%s)', pg_temp.issue('c1'))), '55000', 'what is in no cluster cannot leave it');
SELECT pg_temp.ask('x1', 'alpha bravo sixteen seventeen') AS v \gset
INSERT INTO triage.cluster_exclusions (cluster_id, fingerprint, created_by) SELECT :a, i.fingerprint, 'pia' FROM triage.extracted_issues i WHERE i.id = pg_temp.issue('x1');
SELECT pg_temp.answer('x1', :v, format('[{"issue": 1, "cluster": "C%s"}]', :a));
SELECT is(pg_temp.state('x1') || ' ' || pg_temp.last_event(pg_temp.issue('x1')), 'none unplaced model 1 triage what the model chose is no longer open to it', 'the model''s choice does not count against it');
SELECT ok(NOT ('C' || :a) = ANY (r.labels), 'nor is it offered again') FROM triage.read_match_issues('default', pg_temp.ticket('x1'), NULL, NULL) r;
SELECT triage.assign_issue(pg_temp.issue('x1'), :a);
SELECT is(pg_temp.state('x1') || ' ' || (SELECT count(*) FROM triage.cluster_exclusions x JOIN triage.extracted_issues i USING (fingerprint) WHERE i.id = pg_temp.issue('x1')), 'human 0', 'a person takes it back');
SELECT is(pg_temp.last_event(pg_temp.issue('x1')), 'joined human pia', 'and is the one who decided');
SELECT pg_temp.add_issue('x2', 'alpha bravo sixteen seventeen');
SELECT triage.assign_issue(pg_temp.issue('x1'), :e);
SELECT is(pg_temp.state('x2') || ' ' || pg_temp.cluster_of('x2'), 'exact 1.00 1 ' || :e, 'what reads the same and has no cluster comes along');
SELECT is((SELECT array_agg(x.cluster_id) FROM triage.cluster_exclusions x JOIN triage.extracted_issues i USING (fingerprint) WHERE i.id = pg_temp.issue('x1')), ARRAY[:a]::bigint[], 'moved by hand, it does not come back to where it was');
SELECT count(*) AS events FROM triage.cluster_events \gset
SELECT triage.assign_issue(pg_temp.issue('x1'), :e);
SELECT is((SELECT count(*) FROM triage.cluster_events), :events::bigint, 'said twice, it is done once');
SELECT is(pg_temp.place('x1') || ' ' || pg_temp.state('x1'), '0 human', 'and sticks');
SELECT is(pg_temp.outcome(format('SELECT triage.assign_issue(%L, %L)', v.issue, v.cluster)), v.code, v.name)
	FROM (VALUES (:n8, :a, '55000', 'what was superseded cannot be assigned'), (-1, :a, 'P0002', 'nor what is not there'), (NULL, :a, 'P0002', 'nor nothing'),
		(pg_temp.issue('x1'), -1, 'P0002', 'nor to what is not there'), (pg_temp.issue('foreign'), :a, 'P0002', 'nor another tenant''s')) v (issue, cluster, code, name);

-- Merging --------------------------------------------------------------------------------------------------------------------------

SELECT pg_temp.new_issue('u1', 'uno'), pg_temp.new_issue('u2', 'dos'), pg_temp.new_issue('u3', 'tres');
SELECT pg_temp.cluster_of('u1') AS ca, pg_temp.cluster_of('u2') AS cb, pg_temp.cluster_of('u3') AS cc \gset
CREATE TABLE pg_temp.abc AS SELECT unnest(ARRAY[:ca, :cb, :cc]::bigint[]) AS id;
CREATE FUNCTION pg_temp.tree() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s>%s>%s', c.cluster_name, coalesce(r.cluster_name, '-'), coalesce(p.cluster_name, '-')), ' ' ORDER BY c.id)
		FROM triage.issue_clusters c LEFT JOIN triage.issue_clusters r ON r.id = c.merged_into_id LEFT JOIN triage.issue_clusters p ON p.id = c.merge_parent_id
		WHERE c.id IN (SELECT id FROM pg_temp.abc) $$;
SELECT triage.merge_clusters(:ca, :cb, 'the same');
SELECT is(pg_temp.tree(), 'uno>dos>dos dos>->- tres>->-', 'a cluster is merged into another one');
SELECT is((SELECT string_agg(concat_ws(' ', e.event, e.actor, e.details ->> 'reason', e.details ->> 'into' = :cb::text, e.details ->> 'from' = :ca::text), ', ' ORDER BY e.id) FROM triage.cluster_events e WHERE e.event = 'merged'),
	'merged pia the same t, merged pia the same t', 'which is in the log of both, with the reason');
SELECT is(pg_temp.cluster_of('u1'), :ca::bigint, 'no issue is moved');
SELECT pg_temp.new_issue('u4', 'uno');
SELECT is(pg_temp.cluster_of('u4'), :cb::bigint, 'new ones go to the target');
SELECT triage.merge_clusters(:cb, :cc);
SELECT is(pg_temp.tree(), 'uno>tres>dos dos>tres>tres tres>->-', 'what was merged goes along, one level deep');
SELECT is(pg_temp.outcome(format('SELECT triage.merge_clusters(%s, %s)', v.source, v.target)), v.code, v.name)
	FROM (VALUES (:cb, :cc, 'ok', 'asked twice, it is done once'), (:ca, :cc, '55000', 'what is merged cannot be merged elsewhere'), (:cc, :ca, '55000', 'nor be a target'),
		(:cc, :cc, '22023', 'nor can a cluster be its own'), (:cc, -1, 'P0002', 'nor what is not there'), (-1, :cc, 'P0002', 'either way')) v (source, target, code, name);
SELECT is(pg_temp.outcome(format('SELECT triage.assign_issue(%s, %s)', pg_temp.issue('x1'), :ca)), '55000', 'nothing is assigned to what is merged');
SELECT triage.unassign_issue(pg_temp.issue('u1'));
SELECT pg_temp.new_issue('u5', 'uno');
SELECT is((SELECT array_agg(x.cluster_id ORDER BY x.id) FROM triage.cluster_exclusions x JOIN triage.extracted_issues i USING (fingerprint) WHERE i.id = pg_temp.issue('u1')), ARRAY[:ca, :cc]::bigint[], 'not this: neither of what it was in, nor of what that is merged into');
SELECT ok(pg_temp.cluster_of('u5') <> ALL (ARRAY[:ca, :cb, :cc]::bigint[]), 'so it comes to none of them');
SELECT triage.assign_issue(pg_temp.issue('u1'), :cc);
SELECT is_empty(format('SELECT FROM triage.cluster_exclusions x WHERE x.cluster_id IN (%s, %s, %s)', :ca, :cb, :cc), 'taken back, for all of them');
SELECT triage.unmerge_cluster(:cb, 'they differ');
SELECT is(pg_temp.tree(), 'uno>dos>dos dos>->- tres>->-', 'the undo of a merge is exact: what had been merged before is so again');
SELECT is((SELECT string_agg(concat_ws(' ', e.cluster_id = :cb, e.details ->> 'reason', e.details -> 'along'), ', ' ORDER BY e.id) FROM triage.cluster_events e WHERE e.event = 'unmerged'), format('t they differ [%s], f they differ [%1$s]', :ca), 'and logged');
SELECT is(pg_temp.cluster_of('u4'), :cb::bigint, 'the issues are where they were');
SELECT triage.merge_clusters(:cb, :cc);
SELECT triage.unmerge_cluster(:ca);
SELECT is(pg_temp.tree(), 'uno>->- dos>tres>tres tres>->-', 'the one below can leave first');
SELECT triage.merge_clusters(:ca, :cc), triage.unmerge_cluster(:cb);
SELECT is(pg_temp.tree(), 'uno>tres>tres dos>->- tres>->-', 'what was merged anew since stays there');
SELECT is(pg_temp.outcome(format('SELECT triage.unmerge_cluster(%s)', v.id)), v.code, v.name)
	FROM (VALUES (:cb, '55000', 'what is not merged cannot be parted'), (-1, 'P0002', 'nor what is not there')) v (id, code, name);
SELECT pg_temp.ask('u6', 'dos veinte zwanzig') AS v \gset
SELECT triage.merge_clusters(:cb, :cc);
SELECT pg_temp.answer('u6', :v, format('[{"issue": 1, "cluster": "C%s"}]', :cb));
SELECT is(pg_temp.cluster_of('u6'), :cc::bigint, 'the model''s choice of what was merged meanwhile goes to the target');
SELECT pg_temp.ask('u7', 'tres treinta thirty') AS v \gset
SELECT triage.archive_cluster(:cc);
SELECT pg_temp.answer('u7', :v, format('[{"issue": 1, "cluster": "C%s"}]', :cc));
SELECT is(pg_temp.state('u7'), 'none', 'and of what was archived, nowhere');
SELECT pg_temp.new_issue('u8', 'tres');
SELECT ok(pg_temp.cluster_of('u8') IS DISTINCT FROM :cc, 'an archived cluster gets no more issues');
SELECT is(pg_temp.outcome(format(v.command, :cc, :a)), '55000', v.command || ' needs one that is not archived')
	FROM (VALUES ('SELECT triage.merge_clusters(%1$s, %2$s)'), ('SELECT triage.merge_clusters(%2$s, %1$s)'), ('SELECT triage.assign_issue(pg_temp.issue(''x1''), %1$s)'),
		('SELECT triage.split_cluster(%1$s, ARRAY[pg_temp.issue(''u3'')], ''x'')')) v (command);
SELECT is(triage.archive_cluster(:cc), triage.unarchive_cluster(:cc) - 1, 'archived and brought back');
SELECT is((SELECT string_agg(e.event::text, ' ' ORDER BY e.id) FROM triage.cluster_events e WHERE e.cluster_id = :cc AND e.event IN ('archived', 'unarchived')), 'archived unarchived', 'once each');
SELECT is(pg_temp.outcome(format('SELECT triage.archive_cluster(%s)', :cb)), '55000', 'what is merged is not archived by itself');

-- Splitting --------------------------------------------------------------------------------------------------------------------------

SELECT triage.split_cluster(:n, ARRAY[pg_temp.issue('name1'), pg_temp.issue('name2'), pg_temp.issue('name2'), NULL], ' Only red ') AS s \gset
SELECT is((SELECT (c.cluster_name, c.name_is_manual, c.category, c.pm_status)::text FROM triage.issue_clusters c WHERE c.id = :s), '("Only red",t,PAYROLL,new)', 'a part becomes a cluster of its own');
SELECT is(pg_temp.state('name1') || ' ' || (pg_temp.cluster_of('name1') = :s) || ' ' || (SELECT count(*) FROM triage.extracted_issues i WHERE i.cluster_id = :s), 'human true 2', 'with these issues');
SELECT pg_temp.new_issue('name31', 'red green blue');
SELECT is(pg_temp.cluster_of('name31'), :s::bigint, 'and what reads like them goes there');
SELECT is(pg_temp.outcome(format('SELECT triage.split_cluster(%s, %L, %L)', v.cluster, v.issues, v.name)), v.code, v.says)
	FROM (VALUES (:n, ARRAY[pg_temp.issue('name1')], 'x', '55000', 'not of another cluster''s issues'), (:s, '{}', 'x', '22023', 'not of none'), (:s, NULL, 'x', '22023', 'nor of nothing'),
		(:s, ARRAY[pg_temp.issue('name1'), pg_temp.issue('name2'), pg_temp.issue('name31')], 'x', '22023', 'not of all'), (-1, ARRAY[pg_temp.issue('name1')], 'x', 'P0002', 'not of what is not there'),
		(:s, ARRAY[pg_temp.issue('name1')], ' ', '23514 issue_clusters_cluster_name_length', 'not without a name')) v (cluster, issues, name, code, says);

-- pm_status ----------------------------------------------------------------------------------------------------------------------------

CREATE TABLE pg_temp.may (previous triage.pm_status, next triage.pm_status[]);
INSERT INTO pg_temp.may VALUES ('new', '{reviewing,acknowledged,fixed,wont_fix}'), ('reviewing', '{acknowledged,fixed,wont_fix}'), ('acknowledged', '{reviewing,fixed,wont_fix}'),
	('fixed', '{reviewing,acknowledged,wont_fix}'), ('wont_fix', '{reviewing,acknowledged}');
SELECT is(enum_range(NULL::triage.pm_status)::text, '{new,reviewing,acknowledged,fixed,wont_fix}', 'the statuses [seed 243] [seed 246] [seed 262]');
CREATE FUNCTION pg_temp.transition(previous triage.pm_status, next triage.pm_status, by_function boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	id bigint;
BEGIN
	INSERT INTO triage.issue_clusters (category, subcategory, cluster_name, pm_status) VALUES ('PAYROLL', 'errors', 'x', previous) RETURNING issue_clusters.id INTO id;
	RETURN pg_temp.outcome(CASE WHEN by_function THEN format('SELECT triage.set_pm_status(%s, %L)', id, next) ELSE format('UPDATE triage.issue_clusters SET pm_status = %L WHERE id = %s', next, id) END);
END
$$;
SELECT is(pg_temp.transition(m.previous, n, f), CASE WHEN n = ANY (m.next) OR n = m.previous THEN 'ok' ELSE '23514' END,
		format('%s to %s %s [seed 243]', m.previous, n, CASE WHEN f THEN 'by set_pm_status()' ELSE 'by UPDATE' END))
	FROM pg_temp.may m, unnest(enum_range(NULL::triage.pm_status)) n, (VALUES (true), (false)) b (f);
SELECT is(c.pm_status::text, 'new', 'a cluster begins as new [seed 243]') FROM triage.issue_clusters c WHERE c.id = :a;
SELECT is(triage.set_pm_status(:a, 'reviewing', 'looked at', 1), 2, 'with notes, and the version that was read [seed 244]');
SELECT is((SELECT (c.pm_status, c.pm_notes, c.updated_at = now())::text FROM triage.issue_clusters c WHERE c.id = :a), '(reviewing,"looked at",t)', 'both are kept [seed 244] [seed 245]');
SELECT is(pg_temp.outcome(format('SELECT triage.set_pm_status(%s, ''fixed'', expected_version => 1)', :a)), '40001', 'another version is refused');
SELECT is(pg_temp.outcome(format('SELECT triage.set_pm_status(%s, NULL)', :a)), '22004', 'so is no status');
SELECT is(pg_temp.outcome('SELECT triage.set_pm_status(-1, ''fixed'')'), 'P0002', 'and no cluster');
SELECT is(triage.set_pm_status(:a, 'reviewing', 'again'), 3, 'notes alone');
SELECT triage.set_pm_status(:a, 'acknowledged');
SELECT is((SELECT string_agg(concat_ws(' ', e.event, e.actor, e.details ->> 'from', e.details ->> 'to', e.details ->> 'notes'), ', ' ORDER BY e.id) FROM triage.cluster_events e WHERE e.cluster_id = :a AND e.event IN ('noted', 'status_changed')),
	'status_changed pia new reviewing looked at, noted pia again, status_changed pia reviewing acknowledged', 'all of it is in the log');

-- Regression ---------------------------------------------------------------------------------------------------------------------------

SELECT triage.add_consumer('pm', '{cluster.regressed,cluster.status_changed}');
SELECT pg_temp.new_issue('r1', 'broken thing', now() - interval '9 days'), pg_temp.cluster_of('r1') AS r \gset
SELECT triage.set_pm_status(:r, 'fixed');
SELECT is((SELECT (c.fixed_at = now(), c.regressed_at)::text FROM triage.issue_clusters c WHERE c.id = :r), '(t,)', 'fixed, at a time');
SELECT pg_temp.new_issue('r2', 'broken thing', now() - interval '1 hour'), pg_temp.new_issue('r3', 'broken thing', now() + interval '1 day');
SELECT is((SELECT c.regressed_at FROM triage.issue_clusters c WHERE c.id = :r), NULL, 'what was reported before, or within the grace, is no regression, whenever it is read');
SELECT pg_temp.new_issue('r4', 'broken thing', now() + interval '25 hours'), pg_temp.new_issue('r5', 'broken thing', now() + interval '30 hours');
SELECT is((SELECT (c.pm_status, c.regressed_at = now() + interval '25 hours')::text FROM triage.issue_clusters c WHERE c.id = :r), '(fixed,t)', 'what was reported later is one');
SELECT is((SELECT string_agg(concat_ws(' ', e.actor, (e.details ->> 'issue')::bigint = pg_temp.issue('r4')), ', ') FROM triage.cluster_events e WHERE e.cluster_id = :r AND e.event = 'regressed'), 'triage t', 'once, and it is logged');
SELECT results_eq('SELECT e.topic::text, e.object_id, e.labels FROM triage.events e ORDER BY e.id', format($$VALUES ('cluster.status_changed', %1$s::bigint, '{"from": "new", "to": "fixed"}'::jsonb), ('cluster.regressed', %1$s, '{"issue": %2$s}')$$, :r, pg_temp.issue('r4')),
	'programs outside are told');
SELECT triage.drop_consumer('pm');
SELECT triage.set_pm_status(:r, 'reviewing');
SELECT ok((SELECT c.regressed_at IS NOT NULL FROM triage.issue_clusters c WHERE c.id = :r), 'that stays so while it is looked at');
SELECT triage.set_pm_status(:r, 'fixed');
SELECT is((SELECT (c.fixed_at = now(), c.regressed_at)::text FROM triage.issue_clusters c WHERE c.id = :r), '(t,)', 'fixed again, the watch begins anew');
SELECT pg_temp.new_issue('r6', 'broken thing', now() + interval '40 hours');
SELECT ok((SELECT c.regressed_at IS NOT NULL FROM triage.issue_clusters c WHERE c.id = :r), 'and it can regress again');
SELECT pg_temp.new_issue('r7', 'unlike the rest', now() + interval '40 hours'), pg_temp.new_issue('r8', 'somewhere else', now()), pg_temp.cluster_of('r8') AS r8 \gset
SELECT triage.set_pm_status(:r8, 'fixed'), triage.assign_issue(pg_temp.issue('r7'), :r8);
SELECT ok((SELECT c.regressed_at IS NOT NULL FROM triage.issue_clusters c WHERE c.id = :r8), 'also by what a person puts there');
UPDATE triage.issue_clusters SET fixed_at = now() + interval '3 days' WHERE id = :r8;
SELECT is((SELECT c.regressed_at FROM triage.issue_clusters c WHERE c.id = :r8), NULL, 'a later fix takes that back');
UPDATE triage.issue_clusters SET pm_status = 'reviewing' WHERE id = :r8;
UPDATE triage.issue_clusters SET pm_status = 'fixed', fixed_at = '2026-01-01' WHERE id = :r8;
SELECT is((SELECT c.fixed_at FROM triage.issue_clusters c WHERE c.id = :r8), '2026-01-01', 'when the fix came out can be given');
SELECT is((SELECT c.regressed_at FROM triage.issue_clusters c WHERE c.id = :r8), now(), 'and what was reported since then is a regression, the first of it');
SELECT is((SELECT count(*) FROM triage.cluster_events e WHERE e.cluster_id = :r8 AND e.event = 'regressed' AND (e.details ->> 'issue')::bigint = pg_temp.issue('r8')), 1::bigint, 'which is logged');
UPDATE triage.issue_clusters SET fixed_at = now() + interval '3 days' WHERE id = :r8;
UPDATE triage.issue_clusters SET fixed_at = now() - interval '1 hour' WHERE id = :r8;
SELECT is((SELECT c.regressed_at FROM triage.issue_clusters c WHERE c.id = :r8), now() + interval '40 hours', 'not what was reported within the grace');

-- Deleting -----------------------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome(format('SELECT triage.delete_cluster(%s)', :cc)), '55000', 'a cluster that others are merged into is not deleted');
SELECT matches(pg_temp.outcome(format('DELETE FROM triage.issue_clusters WHERE id = %s', :cc)), '^23503 issue_clusters_merge', 'not by DELETE, either');
SELECT is(pg_temp.outcome(format('SELECT triage.delete_cluster(%s, 1)', :r)), '40001', 'nor one that has changed');
SELECT pg_temp.issue('r1') AS r1 \gset
SELECT triage.delete_cluster(:r);
SELECT is((SELECT (i.cluster_id, i.assigned_by, i.assignment_score, i.assigned_at, i.algorithm)::text FROM triage.extracted_issues i WHERE i.id = :r1), '(,,,,)', 'the issues of a deleted cluster stay, without one [seed 263]');
SELECT is(pg_temp.last_event(:r1), 'unplaced human pia its cluster was deleted', 'and why is logged');
SELECT is_empty(format('SELECT FROM triage.cluster_events WHERE cluster_id = %s', :r), 'its own log is gone with it');
DELETE FROM triage.issue_clusters WHERE id = :r8;
SELECT is(pg_temp.state('r8'), 'none', 'a plain DELETE does the same [seed 263]');
SELECT ok(triage.place_unclustered() > 0, 'issues without a cluster are looked at again');
SELECT is(pg_temp.outcome('SELECT triage.place_unclustered(0)'), '22023', 'of one ticket at least');
SELECT ok(pg_temp.cluster_of('r1') = pg_temp.cluster_of('r6'), 'and find each other');
SELECT is(pg_temp.outcome('SELECT triage.delete_cluster(-1)'), 'P0002', 'what is not there is not deleted');
DELETE FROM triage.tickets WHERE external_id = 'r6';
SELECT is_empty('SELECT FROM triage.cluster_events e WHERE e.issue_id IS NOT NULL AND NOT EXISTS (SELECT FROM triage.extracted_issues i WHERE i.id = e.issue_id)', 'what is logged of an issue goes with it');

-- Suggestions ----------------------------------------------------------------------------------------------------------------------------

SELECT pg_temp.ask('g1', 'papa whiskey lobster clam oyster') AS v \gset
SELECT pg_temp.answer('g1', :v, '[{"issue": 1, "cluster": "none"}]');
SELECT pg_temp.cluster_of('g1') AS g1 \gset
SELECT is((SELECT (s.cluster_name, s.other_name, round(s.score::numeric, 2))::text FROM triage.suggest_merges() s WHERE :g1 IN (s.cluster_id, s.other_id)), '("papa whiskey","papa whiskey lobster clam oyster",0.48)', 'clusters that are nearest to each other may be the same');
SELECT is((SELECT count(*) FROM triage.suggest_merges(1)), 1::bigint, 'as many as are wanted');
SELECT is(pg_temp.outcome(format('SELECT triage.suggest_merges(%s)', v.pairs)), '22023', v.pairs || ' pairs are no number of them') FROM (VALUES ('0'), ('-1'), ('NULL')) v (pairs);
SELECT triage.merge_clusters(s.cluster_id, s.other_id), triage.unmerge_cluster(s.cluster_id) FROM triage.suggest_merges() s WHERE s.other_name = 'papa whiskey lobster clam oyster';
SELECT is_empty('SELECT FROM triage.suggest_merges() s WHERE s.other_name = ''papa whiskey lobster clam oyster''', 'what a person parted is not suggested again');

-- What the model was asked is kept for a month ----------------------------------------------------------------------------------------

SELECT is((SELECT r.deleted FROM triage.apply_retention() r WHERE r.target = 'asked_events'), 0::bigint, 'what the model was asked is kept for a while');
SELECT count(*) AS asked FROM triage.cluster_events e WHERE e.event = 'asked' \gset
SELECT count(*) AS others FROM triage.cluster_events e WHERE e.event <> 'asked' \gset
ALTER TABLE triage.cluster_events DISABLE TRIGGER cluster_events_append_only;
UPDATE triage.cluster_events SET created_at = created_at - interval '31 days';
ALTER TABLE triage.cluster_events ENABLE TRIGGER cluster_events_append_only;
SELECT pg_temp.ask('g9', 'quebec romeo papa whiskey lobster') AS v \gset
SELECT is(pg_temp.outcome('DELETE FROM triage.cluster_events WHERE event <> ''asked'''), '42501', 'of what was decided nothing goes, be it ever so old');
SELECT is((SELECT r.deleted FROM triage.apply_retention(1) r WHERE r.target = 'asked_events'), 1::bigint, 'what was asked goes in batches');
SELECT is((SELECT r.deleted FROM triage.apply_retention() r WHERE r.target = 'asked_events'), :asked - 1::bigint, 'all that is old enough');
SELECT ok((SELECT count(*) FILTER (WHERE e.event <> 'asked') >= :others AND bool_and(e.created_at > now() - interval '1 day') FILTER (WHERE e.event = 'asked') FROM triage.cluster_events e),
	'and nothing else');
SELECT is(pg_temp.outcome('DELETE FROM triage.cluster_events WHERE event = ''asked'''), '42501', 'what is younger cannot be deleted');
SELECT pg_temp.answer('g9', :v, '[{"issue": 1, "cluster": "none"}]');
SELECT isnt(pg_temp.cluster_of('g9'), NULL, 'an answer finds what it was asked');

-- Erased: what is left of such issues reads alike, and they are not -------------------------------------------------------------------

INSERT INTO triage.people (id, role) VALUES ('erased1', 'customer'), ('erased2', 'customer');
SELECT pg_temp.add_issue('y1', 'quebec romeo sierra'), pg_temp.add_issue('y2', 'tango uniform victor'), pg_temp.add_issue('y3', 'erased data comes back');
UPDATE triage.tickets SET requester_id = 'erased' || right(external_id, 1) WHERE external_id IN ('y1', 'y2');
SELECT triage.erase_person('erased1'), triage.erase_person('erased2');
SELECT is(triage.place_unclustered() > 0, true, '(others are placed)');
SELECT is(pg_temp.state('y1') || pg_temp.state('y2'), 'nonenone', 'issues that were erased are not put together');
SELECT is_empty(format('SELECT FROM triage.issue_candidates(''default'', %s) k WHERE k.issue_id IN (%s, %s)', pg_temp.issue('y3'), pg_temp.issue('y1'), pg_temp.issue('y2')), 'nor offered to others');
SELECT is_empty($$SELECT FROM triage.issue_clusters c WHERE c.cluster_name = '[erased]'$$, 'and no cluster is named so');
SELECT triage.assign_issue(pg_temp.issue('y1'), pg_temp.cluster_of('y3'));
SELECT is_empty(format('SELECT FROM triage.read_name_cluster(''default'', NULL, NULL, %s) r, unnest(r.texts) t (text) WHERE t.text ~ ''\[erased\]''', pg_temp.cluster_of('y3')), 'nor is the model told of them');

-- Who may --------------------------------------------------------------------------------------------------------------------------------

SELECT is(pg_temp.outcome(c.command), '42501', c.command)
	FROM (VALUES ('UPDATE triage.cluster_events SET actor = ''x'''), ('DELETE FROM triage.cluster_events'), ('TRUNCATE triage.cluster_events'), ('UPDATE triage.cluster_events SET details = ''{"reason": "mine"}'' WHERE event = ''joined''')) c (command);
SELECT is((SELECT count(*) FROM triage.issue_clusters c WHERE c.public_id IS NULL), 0::bigint, 'each has an id to be shown outside [seed 233]');
SELECT has_index('triage', 'issue_clusters', 'issue_clusters_category', ARRAY['tenant_id', 'category', 'subcategory'], 'live clusters by category [seed 247]');
SELECT fk_ok('triage', 'extracted_issues', ARRAY['tenant_id', 'cluster_id'], 'triage', 'issue_clusters', ARRAY['tenant_id', 'id'], 'an issue has one cluster, a cluster many [seed 249] [seed 263]');
CREATE ROLE regress_triage_agent;
SELECT triage.grant_access('regress_triage_agent', 'agent');
SET LOCAL ROLE regress_triage_agent;
SELECT is(pg_temp.outcome(format('UPDATE triage.issue_clusters SET pm_status = ''wont_fix'', pm_notes = ''by UPDATE'' WHERE id = %s', :a)), 'ok', 'an agent may set status and notes by UPDATE');
SELECT is(pg_temp.outcome(format('UPDATE triage.issue_clusters SET merged_into_id = NULL WHERE id = %s', :a)), '42501', 'and nothing else');
SELECT is(pg_temp.outcome('UPDATE triage.extracted_issues SET cluster_id = NULL'), '42501', 'nor move issues');
SELECT is(pg_temp.outcome(format('SELECT triage.set_pm_status(%s, ''reviewing'')', :a)), 'ok', 'functions he may call');
SET LOCAL triage.tenant = 'other';
SELECT is(pg_temp.outcome(format(v.command, :a)), 'P0002', v.command || ' finds nothing in another tenant')
	FROM (VALUES ('SELECT triage.set_pm_status(%s, ''fixed'')'), ('SELECT triage.rename_cluster(%s, ''x'')'), ('SELECT triage.archive_cluster(%s)'), ('SELECT triage.unarchive_cluster(%s)'),
		('SELECT triage.unmerge_cluster(%s)'), ('SELECT triage.merge_clusters(%s, -1)'), ('SELECT triage.split_cluster(%s, ''{1}'', ''x'')'), ('SELECT triage.assign_issue(1, %s)')) v (command);
SELECT is_empty('SELECT FROM triage.suggest_merges()', 'nor are its clusters suggested');
RESET ROLE;
RESET triage.tenant;
SELECT is((SELECT (e.actor, e.session_role = session_user, e.details ->> 'notes')::text FROM triage.cluster_events e WHERE e.cluster_id = :a AND e.details ->> 'to' = 'wont_fix'), '(pia,t,"by UPDATE")', 'an UPDATE is logged like the function');

SELECT finish();
ROLLBACK;
