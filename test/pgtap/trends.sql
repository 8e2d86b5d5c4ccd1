-- Trends of clusters: what the view says, that the roll-up says the same whatever happens to the issues, and what a page
-- of the top clusters holds.
\ir prepare.psql
SELECT no_plan();

SELECT triage.create_tenant('other');
INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory)
	VALUES ('default', 'TIME', 'clock'), ('default', 'PAY', 'runs'), ('other', 'TIME', 'clock');
-- the middle of today, so that no report below is of another day than it says
SELECT date_trunc('day', now()) + interval '12 hours' AS noon \gset

CREATE FUNCTION pg_temp.cluster(name text, tenant text DEFAULT 'default', category text DEFAULT 'TIME') RETURNS bigint
	LANGUAGE sql
AS $$
	INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name)
		VALUES (tenant, category, CASE category WHEN 'TIME' THEN 'clock' ELSE 'runs' END, name) RETURNING id
$$;
CREATE FUNCTION pg_temp.ticket_of(tenant text DEFAULT 'default') RETURNS bigint
	LANGUAGE sql
AS $$
	INSERT INTO triage.tickets (tenant_id, description) VALUES (tenant, 'x') RETURNING id
$$;
CREATE FUNCTION pg_temp.issue(ticket bigint, cluster bigint, at timestamptz, customer text DEFAULT 'one',
	severity triage.issue_severity DEFAULT 'low', tenant text DEFAULT 'default', quote text DEFAULT NULL, verified boolean DEFAULT false)
	RETURNS bigint
	LANGUAGE sql
AS $$
	INSERT INTO triage.extracted_issues (tenant_id, ticket_id, cluster_id, category, subcategory, issue_type, severity, summary,
			customer, fingerprint, assigned_by, reported_at, representative_quote, quote_verified)
		VALUES (tenant, ticket, cluster, 'TIME', 'clock', 'bug', severity, 'the clock stops', customer, sha256('x'),
			CASE WHEN cluster IS NOT NULL THEN 'human'::triage.issue_assigner END, at, quote, verified)
		RETURNING id
$$;

-- Everything that the view and the pages of top_clusters say of a tenant's clusters, where they differ
CREATE FUNCTION pg_temp.of_pages(ordered_by text, page_size int)
	RETURNS TABLE (place bigint, id bigint, value numeric, says jsonb)
	LANGUAGE plpgsql
AS $$
DECLARE
	last record;
	rows_of_page int;
BEGIN
	place := 0;
	LOOP
		rows_of_page := 0;
		FOR last IN
			SELECT t.id, t.sort_value, to_jsonb(t) - 'sort_value' AS says
				FROM triage.top_clusters(ordered_by, only_visible => false, include_archived => true, max_rows => page_size,
					after_value => of_pages.value, after_id => of_pages.id) t
		LOOP
			place := place + 1;
			rows_of_page := rows_of_page + 1;
			says := last.says;
			id := last.id;
			value := last.sort_value;
			RETURN NEXT;
		END LOOP;
		EXIT WHEN rows_of_page < page_size;
	END LOOP;
END
$$;
CREATE FUNCTION pg_temp.of_view(ordered_by text) RETURNS TABLE (place bigint, id bigint, value numeric, says jsonb)
	LANGUAGE sql
AS $$
	SELECT row_number() OVER (ORDER BY v.value DESC NULLS LAST, v.id DESC), v.id, v.value, v.says
		FROM (SELECT t.id, to_jsonb(t) - 'tenant_id' - 'merged_into_id' AS says,
					CASE ordered_by WHEN 'count_7d' THEN t.count_7d WHEN 'issue_count' THEN t.issue_count WHEN 'trend' THEN t.trend_pct
						ELSE extract(epoch FROM t.last_seen) END AS value
				FROM triage.cluster_trends t
				WHERE t.tenant_id = triage.current_tenant() AND t.merged_into_id IS NULL) v
$$;
CREATE FUNCTION pg_temp.differences(ordered_by text DEFAULT 'issue_count', page_size int DEFAULT 10) RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(format('%s: view %s, page %s', coalesce(v.id, p.id), v, p), E'\n')
		FROM pg_temp.of_view(ordered_by) v
		FULL JOIN pg_temp.of_pages(ordered_by, page_size) p ON p.place = v.place
		WHERE (v.id, v.value, v.says) IS DISTINCT FROM (p.id, p.value, p.says)
$$;
-- which clusters a page would show, filtered
CREATE FUNCTION pg_temp.filtered_differences() RETURNS text
	LANGUAGE sql
AS $$
	SELECT string_agg(format('%s: view %s, page %s', f.name, f.seen, f.page), E'\n')
		FROM (
			SELECT 'visible' AS name,
					ARRAY (SELECT t.id FROM triage.cluster_trends t WHERE t.tenant_id = triage.current_tenant() AND t.is_active AND t.is_visible
						ORDER BY t.count_7d DESC, t.id DESC) AS seen,
					ARRAY (SELECT t.id FROM triage.top_clusters(max_rows => 1000) t) AS page
			UNION ALL
			SELECT 'regressed',
					ARRAY (SELECT t.id FROM triage.cluster_trends t WHERE t.tenant_id = triage.current_tenant() AND t.is_active AND t.is_regressed
						ORDER BY t.last_seen DESC NULLS LAST, t.id DESC),
					ARRAY (SELECT t.id FROM triage.top_clusters('last_seen', only_visible => false, only_regressed => true, max_rows => 1000) t)
			UNION ALL
			SELECT 'category and status',
					ARRAY (SELECT t.id FROM triage.cluster_trends t WHERE t.tenant_id = triage.current_tenant() AND t.is_active
							AND t.category = 'PAY' AND t.pm_status IN ('new', 'fixed') ORDER BY t.trend_pct DESC NULLS LAST, t.id DESC),
					ARRAY (SELECT t.id FROM triage.top_clusters('trend', '{PAY}', '{new,fixed}', only_visible => false, max_rows => 1000) t)) f
		WHERE f.seen <> f.page
$$;

-- What the view says ---------------------------------------------------------------------------------------------------

SELECT pg_temp.cluster('clock stops') AS a, pg_temp.cluster('clock is late') AS b, pg_temp.cluster('empty') AS c,
	pg_temp.cluster('elsewhere', 'other') AS d \gset
SELECT pg_temp.ticket_of() AS t1, pg_temp.ticket_of() AS t2, pg_temp.ticket_of() AS t3, pg_temp.ticket_of('other') AS t4 \gset
SELECT pg_temp.issue(:t1, :a, :'noon', 'one', 'low') AS i1, pg_temp.issue(:t1, :a, :'noon'::timestamptz - interval '6 days', 'one', 'high') AS i2,
	pg_temp.issue(:t2, :a, :'noon'::timestamptz - interval '7 days', 'two', 'medium') AS i3,
	pg_temp.issue(:t2, :a, :'noon'::timestamptz - interval '13 days', 'three', 'medium') AS i4,
	pg_temp.issue(:t2, :a, :'noon'::timestamptz - interval '14 days', NULL, 'medium') AS i5,
	pg_temp.issue(:t3, :b, :'noon'::timestamptz - interval '1 day', 'two', 'critical') AS i6,
	pg_temp.issue(:t3, NULL, :'noon', 'two', 'critical') AS i7,
	pg_temp.issue(:t4, :d, :'noon', 'one', 'low', 'other') AS i8 \gset

CREATE FUNCTION pg_temp.said(cluster bigint) RETURNS text LANGUAGE sql AS
	$$ SELECT concat_ws(' ', t.issue_count, t.unique_customers, t.count_7d, t.count_prior_7d, coalesce(t.trend_pct::text, 'new'), t.worst_severity,
			CASE WHEN t.is_active THEN 'active' END, CASE WHEN t.is_visible THEN 'visible' END, CASE WHEN t.is_regressed THEN 'regressed' END)
		FROM triage.cluster_trends t WHERE t.id = cluster $$;
SELECT is((SELECT string_agg(a.attname, ' ' ORDER BY a.attnum) FROM pg_attribute a
		WHERE a.attrelid = 'triage.cluster_trends'::regclass AND a.attnum <= 18),
	'id public_id category subcategory cluster_name cluster_summary issue_count unique_customers first_seen last_seen count_7d count_prior_7d '
	'trend_pct is_active pm_status pm_notes created_at updated_at',
	'cluster_trends begins with the columns of the issue_clusters that was asked for [seed 237] [seed 238] [seed 239] [seed 240] [seed 241] [seed 242]');
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high active visible',
	'issues, customers (one without a name is none), 7 days, the 7 before [seed 237] [seed 238] [seed 240]');
SELECT is((SELECT (t.first_seen, t.last_seen)::text FROM triage.cluster_trends t WHERE t.id = :a),
	(SELECT (:'noon'::timestamptz - interval '14 days', :'noon'::timestamptz)::text), 'first and last report, by the ticket''s time [seed 239]');
SELECT is(pg_temp.said(:b), '1 1 1 0 new critical active', 'nothing before: no trend; below the least number: not visible [seed 241]');
SELECT is(pg_temp.said(:c), '0 0 0 0 new active', 'a cluster without issues');
SELECT is((SELECT t.first_seen FROM triage.cluster_trends t WHERE t.id = :c), NULL, 'was never seen');

-- the edges of the seven days
SELECT pg_temp.cluster('edges') AS e \gset
SELECT count(pg_temp.issue(:t1, :e, date_trunc('day', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + v.offset_by))
	FROM (VALUES ('1 day'::interval), ('1 day'::interval - '1 microsecond'::interval), ('-6 days'), (- '6 days'::interval - '1 microsecond'::interval),
		('-13 days'), (- '13 days'::interval - '1 microsecond'::interval)) v (offset_by);
SELECT is(pg_temp.said(:e), '6 1 2 2 0.00 low active', 'days begin and end at midnight in UTC; what is dated later counts, but in no seven days yet [seed 240]');
SET LOCAL timezone = 'Pacific/Auckland';
SELECT is(pg_temp.said(:e), '6 1 2 2 0.00 low active', 'whatever the session''s time zone is');
SELECT is(pg_temp.differences(), NULL, 'and the roll-up agrees');
SET LOCAL timezone = 'UTC';

-- a trend beyond what numeric(5,2) could hold
SELECT pg_temp.cluster('burst') AS f \gset
SELECT pg_temp.issue(:t1, :f, :'noon'::timestamptz - interval '8 days') \gset
INSERT INTO triage.extracted_issues (ticket_id, cluster_id, category, subcategory, issue_type, severity, summary, fingerprint, assigned_by, reported_at)
	SELECT :t1, :f, 'TIME', 'clock', 'bug', 'low', 'x', sha256('x'), 'exact', :'noon' FROM generate_series(1, 300);
SELECT is((SELECT t.trend_pct FROM triage.cluster_trends t WHERE t.id = :f), 29900.00, 'a trend has no upper end [seed 241]');

-- what does not count
UPDATE triage.extracted_issues SET superseded_at = now() WHERE id = :i2;
SELECT is(pg_temp.said(:a), '4 3 1 2 -50.00 medium active visible', 'a superseded issue does not count, and the worst severity follows');
UPDATE triage.tickets SET deleted_at = now() WHERE id = :t2;
SELECT is(pg_temp.said(:a), '1 1 1 0 new low active', 'nor does one of a deleted ticket');
UPDATE triage.tickets SET deleted_at = NULL WHERE id = :t2;
UPDATE triage.extracted_issues SET superseded_at = NULL WHERE id = :i2;
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high active visible', 'both can come back');

-- merging
UPDATE triage.issue_clusters SET merged_into_id = :a, merge_parent_id = :a WHERE id = :b;
SELECT is(pg_temp.said(:a), '6 3 3 2 50.00 critical active visible', 'a merged cluster counts in its target, a customer of both once [seed 238] [seed 242]');
SELECT is(pg_temp.said(:b), '0 0 0 0 new', 'and is not active itself [seed 242]');
SELECT is(pg_temp.differences(), NULL, 'and the roll-up agrees');
SELECT is((SELECT count(*) FROM triage.top_clusters(only_visible => false, include_archived => true) t WHERE t.id = :b), 0::bigint,
	'a merged cluster is on no page [seed 248]');
UPDATE triage.issue_clusters SET merged_into_id = NULL, merge_parent_id = NULL WHERE id = :b;
SELECT is(pg_temp.said(:a) || ', ' || pg_temp.said(:b), '5 3 2 2 0.00 high active visible, 1 1 1 0 new critical active', 'until the merge is undone');
UPDATE triage.issue_clusters SET archived_at = now() WHERE id = :a;
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high visible', 'an archived cluster is not active [seed 242]');
SELECT is((SELECT array_agg(t.id) FROM triage.top_clusters(include_archived => true) t), ARRAY[:a::bigint], 'and listed on request only [seed 248]');
SELECT is_empty('SELECT * FROM triage.top_clusters()', '(not otherwise)');
UPDATE triage.issue_clusters SET archived_at = NULL WHERE id = :a;

-- regressed
UPDATE triage.issue_clusters SET pm_status = 'fixed', fixed_at = now() - interval '1 hour' WHERE id = :a;
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high active visible', 'fixed');
UPDATE triage.issue_clusters SET regressed_at = now() - interval '3 days' WHERE id = :a;
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high active visible', 'a report from before the fix is none of after it');
UPDATE triage.issue_clusters SET regressed_at = now() WHERE id = :a;
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high active visible regressed', 'regressed');

-- how many make a cluster visible is the tenant's to say
INSERT INTO triage.mining_settings (min_issues, min_customers) VALUES (6, NULL);
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high active regressed', 'the tenant''s least number of issues');
SELECT is(pg_temp.filtered_differences(), NULL, 'is the pages'' too');
UPDATE triage.mining_settings SET min_issues = NULL, min_customers = 1;
SELECT is(pg_temp.said(:f), '301 1 300 1 29900.00 low active visible', 'and of customers');
SELECT is(pg_temp.filtered_differences(), NULL, 'is the pages'' too');
UPDATE triage.mining_settings SET min_customers = NULL;
SELECT is(pg_temp.said(:a), '5 3 2 2 0.00 high active visible regressed', 'NULL is the default');

-- Pages ------------------------------------------------------------------------------------------------------------------

SELECT results_eq($$SELECT cluster_name FROM triage.top_clusters('issue_count', only_visible => false)$$,
	$$VALUES ('burst'), ('edges'), ('clock stops'), ('clock is late'), ('empty')$$, 'ordered by issues [seed 248]');
SELECT is(pg_temp.outcome($$SELECT triage.top_clusters('name')$$), '22023', 'no other order');
SELECT is(pg_temp.outcome($$SELECT triage.top_clusters(max_rows => 1001)$$), '22023', 'no larger page');
SELECT is(pg_temp.outcome($$SELECT triage.top_clusters(after_value => 1)$$), '22023', 'a key is two values');
SELECT is(pg_temp.outcome($$SELECT triage.top_clusters(after_value => 'NaN', after_id => 1)$$), '22023', 'nor one after what is no number');
SELECT is_empty($$SELECT triage.top_clusters(max_rows => 0)$$, 'an empty page');
SET LOCAL triage.tenant = 'other';
SELECT results_eq($$SELECT cluster_name FROM triage.top_clusters('issue_count', only_visible => false)$$, $$VALUES ('elsewhere')$$,
	'each tenant sees its own');
SET LOCAL triage.tenant = '';

-- A cluster on one page -----------------------------------------------------------------------------------------------------------

SELECT pg_temp.cluster('report') AS r, pg_temp.cluster('merged') AS s \gset
INSERT INTO triage.organizations (id, name) VALUES ('acme', 'Acme Ltd');
INSERT INTO triage.people (id, organization_id) VALUES ('pat', 'acme');
INSERT INTO triage.tickets (external_id, subject, description, requester_id) VALUES
	('said', 'Clock', 'The clock stops at noon. It is annoying.', 'pat'), ('commented', 'Clock', 'Help', NULL), ('noted', 'Clock', 'Help', NULL),
	('worded', 'Clock', 'Help', NULL), ('chatted', 'Clock', 'Help', NULL);
INSERT INTO triage.ticket_comments (ticket_id, content, visibility, author_role) VALUES
	(pg_temp.ticket('commented'), 'My punches are lost', 'public', 'customer'),
	(pg_temp.ticket('commented'), 'Sales says they will leave us', 'internal', 'agent'),
	(pg_temp.ticket('noted'), 'The secret cause is the firmware', 'internal', 'agent');
INSERT INTO triage.chat_sessions (metadata) VALUES ('{"name": "report"}') RETURNING id AS chat \gset
INSERT INTO triage.chat_messages (session_id, role, content) VALUES (:chat, 'user', 'Nobody can clock in'), (:chat, 'system', 'A hidden hint');
INSERT INTO triage.chat_tickets (session_id, ticket_id) VALUES (:chat, pg_temp.ticket('chatted'));
SELECT count(pg_temp.issue(pg_temp.ticket(v.ticket), CASE v.ticket WHEN 'commented' THEN :s ELSE :r END, :'noon'::timestamptz - v.ago, v.customer, v.severity, 'default', v.quote, v.verified))
	FROM (VALUES
		('said', interval '1 day', 'one', 'high'::triage.issue_severity, 'The  clock stops at noon', true),
		('said', '2 days', 'one', 'low', 'It is annoying', true),
		('commented', '8 days', 'two', 'low', 'My punches are lost', true),
		('commented', '9 days', 'three', 'low', 'Sales says they will leave us', true),
		('noted', '1 day', 'four', 'low', 'The secret cause is the firmware', true),
		('noted', '1 day', 'five', 'low', 'The hidden cause is the firmware', false),
		('worded', '1 hour', 'six', 'critical', 'Clocks are bad', false),
		('chatted', '30 days', 'seven', 'low', 'Nobody can clock in', true),
		('chatted', '30 days', 'eight', 'low', 'A hidden hint', true)) v (ticket, ago, customer, severity, quote, verified);
UPDATE triage.issue_clusters SET merged_into_id = :r, merge_parent_id = :r WHERE id = :s;
SELECT results_eq(format('SELECT item, value, happened_at FROM triage.cluster_report(%s) WHERE section = ''quote''', :r),
	format($$VALUES ('The  clock stops at noon', 'in the ticket', %1$L::timestamptz - interval '1 day'), ('My punches are lost', 'in the ticket', %1$L::timestamptz - interval '8 days'),
		('Nobody can clock in', 'in the ticket', %1$L::timestamptz - interval '30 days'), ('Clocks are bad', 'in the model''s words', %1$L::timestamptz - interval '1 hour')$$, :'noon'),
	'quotes: those in the ticket first, then the newest, one a customer, none from internal notes');
SELECT triage.add_cluster_event('default', 'joined', :r, (SELECT max(i.id) FROM triage.extracted_issues i WHERE i.cluster_id = :r), 'model', 0.9,
	details => '{"reason": "Sales says it is the secret firmware", "label": "firmware"}');
SELECT isnt_empty(format($$SELECT FROM triage.cluster_report(%s) WHERE section = 'event' AND value = 'by triage {"label": "firmware"}'$$, :r), 'what a model decided is told');
SELECT is_empty(format($$SELECT FROM triage.cluster_report(%s) r WHERE r::text ~* 'secret|hidden|sales says'$$, :r), 'internal notes are nowhere on the page, nor what a model read in them');
SELECT results_eq(format('SELECT item, amount FROM triage.cluster_report(%s) WHERE section = ''counts'' AND amount IS NOT NULL', :r),
	$$VALUES ('issues', 9::bigint), ('customers', 8), ('last 7 days', 5), ('7 days before', 2)$$, 'the counts, those of the merged cluster too');
SELECT results_eq(format('SELECT amount FROM triage.cluster_report(%s) WHERE section = ''week''', :r),
	$$VALUES (5::bigint), (2), (0), (0), (2), (0), (0), (0), (0), (0), (0), (0)$$, 'twelve weeks');
SELECT results_eq(format('SELECT item, value FROM triage.cluster_report(%s) WHERE section = ''severity''', :r),
	$$VALUES ('critical', '11 %'), ('high', '11 %'), ('low', '78 %')$$, 'severities, the worst first');
SELECT results_eq(format('SELECT item, amount FROM triage.cluster_report(%s) WHERE section = ''type''', :r), $$VALUES ('bug', 9::bigint)$$, 'types');
SELECT results_eq(format('SELECT item, value, amount FROM triage.cluster_report(%s) WHERE section = ''organization''', :r),
	$$VALUES ('Acme Ltd', 'acme', 2::bigint)$$, 'organizations');
SELECT results_eq(format('SELECT DISTINCT item, value FROM triage.cluster_report(%s) WHERE section = ''merged''', :r),
	$$VALUES ('merged', 'TIME/clock')$$, 'what is merged into it');
SELECT set_eq(format('SELECT ticket_id, amount FROM triage.cluster_report(%s) WHERE section = ''ticket''', :r),
	$$SELECT t.id, v.n FROM (VALUES ('said', 2::bigint), ('commented', 2), ('noted', 2), ('worded', 1), ('chatted', 2)) v (name, n)
		JOIN triage.tickets t ON t.external_id = v.name$$, 'tickets');
SELECT triage.set_pm_status(:r, 'acknowledged', 'next sprint');
SELECT isnt_empty(format($$SELECT FROM triage.cluster_report(%s) WHERE section = 'event' AND item = 'status_changed' AND value ~ 'next sprint'$$, :r), 'events');
SELECT results_eq(format('SELECT item, value, amount FROM triage.cluster_report(%s)', :s), format('SELECT item, value, amount FROM triage.cluster_report(%s)', :r),
	'a merged cluster''s page is its target''s');
SELECT is(pg_temp.outcome('SELECT triage.cluster_report(-1)'), 'P0002', 'no such cluster');
SELECT is(pg_temp.outcome(format('SELECT triage.cluster_report(%s)', :d)), 'P0002', 'nor one of another tenant');
SELECT is(pg_temp.outcome(format('SELECT triage.cluster_quotes(%s, 101)', :r)), '22023', 'quotes by the hundred');
DELETE FROM triage.tickets WHERE external_id IS NOT NULL;

-- Thousands of changes at random -------------------------------------------------------------------------------------------

SELECT setseed(0.42);
CREATE FUNCTION pg_temp.any_cluster() RETURNS bigint LANGUAGE sql AS
	$$ SELECT c.id FROM triage.issue_clusters c WHERE c.tenant_id = 'default' ORDER BY random() LIMIT 1 $$;
CREATE FUNCTION pg_temp.any_issue() RETURNS bigint LANGUAGE sql AS
	$$ SELECT i.id FROM triage.extracted_issues i WHERE i.tenant_id = 'default' ORDER BY random() LIMIT 1 $$;
-- A day is over: everything is a day older, and nothing was written.  The tables are filled anew, without the old versions
-- of rows, which one long transaction cannot get rid of otherwise.
CREATE FUNCTION pg_temp.pass_a_day() RETURNS void
	LANGUAGE plpgsql
AS $$
DECLARE
	target text;
	columns text;
	older text;
BEGIN
	SET LOCAL session_replication_role = replica;
	FOREACH target IN ARRAY '{extracted_issues,cluster_deltas,cluster_daily,cluster_customers,cluster_totals}'::text[] LOOP
		SELECT string_agg(a.attname, ', '), string_agg(a.attname || CASE WHEN a.attname IN ('day', 'recent_day') THEN ' - 1'
				WHEN a.attname IN ('reported_at', 'first_at', 'last_at') THEN ' - interval ''1 day''' ELSE '' END, ', ')
			INTO columns, older
			FROM pg_attribute a
			WHERE a.attrelid = ('triage.' || target)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
		EXECUTE format('CREATE TEMP TABLE kept AS SELECT * FROM triage.%I', target);
		EXECUTE format('TRUNCATE triage.%I CASCADE', target);
		EXECUTE format('INSERT INTO triage.%I (%s) %s SELECT %s FROM kept', target, columns,
			CASE WHEN target IN ('extracted_issues', 'cluster_deltas') THEN 'OVERRIDING SYSTEM VALUE' ELSE '' END, older);
		DROP TABLE kept;
	END LOOP;
	SET LOCAL session_replication_role = origin;
END
$$;
CREATE FUNCTION pg_temp.change_something() RETURNS void
	LANGUAGE plpgsql
AS $$
DECLARE
	dice CONSTANT int := floor(random() * 100);
	chosen CONSTANT bigint := pg_temp.any_issue();
	another bigint;
	target CONSTANT bigint := pg_temp.any_cluster();
	ticket bigint := (SELECT t.id FROM triage.tickets t WHERE t.tenant_id = 'default' ORDER BY random() LIMIT 1);
BEGIN
	CASE
		WHEN dice < 30 THEN
			INSERT INTO triage.extracted_issues (ticket_id, cluster_id, category, subcategory, issue_type, severity, summary, customer,
					fingerprint, assigned_by, reported_at, superseded_at)
				SELECT ticket, target, 'TIME', 'clock', 'bug', (enum_range(NULL::triage.issue_severity))[1 + floor(random() * 4)], 'x',
						CASE WHEN random() < 0.9 THEN 'customer ' || floor(random() * 12) END, sha256('x'), 'exact',
						now() + interval '1 day' - random() * interval '20 days', CASE WHEN random() < 0.1 THEN now() END
					FROM generate_series(1, 1 + floor(random() * 4)::int);
		WHEN dice < 40 THEN
			UPDATE triage.extracted_issues SET cluster_id = target, assigned_by = 'human' WHERE id = chosen;
		WHEN dice < 44 THEN
			UPDATE triage.extracted_issues SET cluster_id = NULL, assigned_by = NULL WHERE id = chosen;
		WHEN dice < 50 THEN
			UPDATE triage.extracted_issues SET superseded_at = CASE WHEN superseded_at IS NULL THEN now() END WHERE id = chosen;
		WHEN dice < 54 THEN
			UPDATE triage.extracted_issues SET severity = 'critical' WHERE id = chosen;
		WHEN dice < 58 THEN
			UPDATE triage.extracted_issues SET reported_at = reported_at + (random() - 0.5) * interval '6 hours' WHERE cluster_id = target;
		WHEN dice < 61 THEN
			UPDATE triage.extracted_issues SET customer = 'customer ' || floor(random() * 12) WHERE id = chosen;
		WHEN dice < 64 THEN
			UPDATE triage.extracted_issues SET ticket_id = ticket WHERE id = chosen;
		WHEN dice < 66 THEN
			UPDATE triage.extracted_issues SET detail = 'y', severity = CASE WHEN id % 3 = 0 THEN 'high' ELSE severity END WHERE cluster_id = target;
		WHEN dice < 76 THEN
			another := pg_temp.any_issue();
			DELETE FROM triage.extracted_issues WHERE id IN (chosen, another);
		WHEN dice < 81 THEN
			another := pg_temp.any_cluster();
			UPDATE triage.issue_clusters c SET merged_into_id = target, merge_parent_id = target
				WHERE c.id = another AND c.tenant_id = 'default' AND c.merged_into_id IS NULL AND c.id <> target
					AND (SELECT t.merged_into_id IS NULL FROM triage.issue_clusters t WHERE t.id = target)
					AND NOT EXISTS (SELECT FROM triage.issue_clusters s WHERE s.merged_into_id = c.id);
		WHEN dice < 85 THEN
			UPDATE triage.issue_clusters SET merged_into_id = NULL, merge_parent_id = NULL WHERE id = target;
		WHEN dice < 88 THEN
			UPDATE triage.issue_clusters SET archived_at = CASE WHEN archived_at IS NULL THEN now() END,
				pm_status = CASE WHEN random() < 0.5 THEN 'fixed' ELSE pm_status END, fixed_at = now(), regressed_at = CASE WHEN random() < 0.5 THEN now() END
				WHERE id = target;
		WHEN dice < 93 THEN
			UPDATE triage.tickets SET deleted_at = CASE WHEN deleted_at IS NULL THEN now() END WHERE id = ticket;
		WHEN dice < 95 THEN
			DELETE FROM triage.tickets WHERE id = ticket;
			INSERT INTO triage.tickets (description) VALUES ('another') RETURNING id INTO ticket;
		WHEN dice < 99 THEN
			PERFORM triage.fold_trends(1 + floor(random() * 30)::int);
		ELSE
			PERFORM pg_temp.pass_a_day();
	END CASE;
END
$$;
SELECT count(pg_temp.cluster('cluster ' || n, category => CASE n % 3 WHEN 0 THEN 'PAY' ELSE 'TIME' END)) FROM generate_series(1, 20) n;
SELECT count(pg_temp.ticket_of()) FROM generate_series(1, 40);
-- looks now and then, and at the end
CREATE FUNCTION pg_temp.change_and_compare(changes int, every int) RETURNS text
	LANGUAGE plpgsql
AS $$
DECLARE
	trouble text;
BEGIN
	FOR n IN 1 .. changes LOOP
		PERFORM pg_temp.change_something();
		IF n % every = 0 THEN
			trouble := coalesce(pg_temp.differences((ARRAY['count_7d', 'issue_count', 'trend', 'last_seen'])[1 + floor(random() * 4)::int]),
				pg_temp.filtered_differences());
			IF trouble IS NOT NULL THEN
				RETURN format('after %s changes: %s', n, trouble);
			END IF;
		END IF;
	END LOOP;
	RETURN NULL;
END
$$;
SELECT is(pg_temp.change_and_compare(2000, 40), NULL, '2000 changes at random, days passing between them: pages and view agree all the way [seed 240] [seed 248]');
SELECT cmp_ok((SELECT count(*) FROM triage.extracted_issues i JOIN triage.tickets t ON t.id = i.ticket_id
		WHERE i.superseded_at IS NULL AND i.cluster_id IS NOT NULL), '>', 100::bigint, '(with issues that count)');
SELECT cmp_ok((SELECT count(*) FROM triage.issue_clusters WHERE merged_into_id IS NOT NULL), '>', 2::bigint, '(merged clusters)');
SELECT cmp_ok((SELECT count(*) FROM triage.cluster_deltas), '>', 0::bigint, '(deltas that are not folded)');
SELECT cmp_ok((SELECT count(*) FROM triage.cluster_daily), '>', 50::bigint, '(and many that are)');
SELECT is(pg_temp.differences(o.by), NULL, 'the end, by ' || o.by) FROM unnest('{count_7d,issue_count,trend,last_seen}'::text[]) o (by);
SELECT is_empty($$SELECT * FROM triage.trend_differences('default')$$, 'the roll-up has nothing against itself');
SELECT cmp_ok(triage.fold_trends(), '>', 0::bigint, 'what is left is folded');
SELECT is(pg_temp.differences(), NULL, 'and nothing looks different');
SELECT is_empty($$SELECT FROM triage.cluster_daily d WHERE (d.low, d.medium, d.high, d.critical) = (0, 0, 0, 0)
	UNION ALL SELECT FROM triage.cluster_customers c WHERE c.issues <= 0$$, 'nobody is kept who has nothing');
SELECT is(triage.fold_trends(), 0::bigint, 'nothing is left to fold');
SELECT is(pg_temp.outcome('SELECT triage.fold_trends(0)'), '22023', 'a fold takes some rows at least');

-- What is wrong is seen, and made good ------------------------------------------------------------------------------------------

SET LOCAL session_replication_role = replica;
UPDATE triage.cluster_daily SET high = high + 1 WHERE ctid = (SELECT ctid FROM triage.cluster_daily WHERE tenant_id = 'default' LIMIT 1);
DELETE FROM triage.cluster_customers WHERE ctid = (SELECT ctid FROM triage.cluster_customers WHERE tenant_id = 'default' LIMIT 1);
UPDATE triage.cluster_totals SET first_at = first_at - interval '1 hour' WHERE cluster_id = (SELECT max(x.cluster_id) FROM triage.cluster_totals x
	WHERE x.tenant_id = 'default' AND x.cluster_id NOT IN (:a, :f) AND x.low + x.medium + x.high + x.critical > 0);
UPDATE triage.extracted_issues SET severity = 'low' WHERE tenant_id = 'other';
UPDATE triage.extracted_issues SET cluster_id = :f, assigned_by = 'human' WHERE cluster_id = :a;
SET LOCAL session_replication_role = origin;
SELECT isnt_empty($$SELECT FROM triage.check_integrity() c WHERE c.problem = 'trends' AND c.detail ~ 'issues on'$$, 'check_integrity sees a wrong day');
SELECT isnt_empty($$SELECT FROM triage.check_integrity() c WHERE c.problem = 'trends' AND c.detail ~ 'customer'$$, 'a wrong customer');
SELECT isnt_empty($$SELECT FROM triage.check_integrity() c WHERE c.problem = 'trends' AND c.detail ~ 'report'$$, 'a wrong first report');
SELECT isnt(pg_temp.differences(), NULL, 'and a page is wrong');
SELECT is(triage.rebuild_trends(), (SELECT sum(t.issue_count)::bigint FROM triage.cluster_trends t WHERE t.tenant_id = 'default'), 'rebuild_trends counts them all');
SELECT is_empty($$SELECT FROM triage.check_integrity() c WHERE c.problem = 'trends'$$, 'and then nothing is wrong');
SELECT is(pg_temp.differences(), NULL, 'on no page');
SELECT is_empty($$SELECT FROM triage.check_integrity(true) c WHERE c.problem = 'trends' AND c.tenant_id = 'default'$$, '(nor when all tenants are asked for)');
SELECT is(triage.rebuild_trends(true), (SELECT sum(t.issue_count)::bigint FROM triage.cluster_trends t), 'of all tenants');
SELECT is(pg_temp.change_and_compare(300, 20), NULL, 'and it goes on from there');

-- rows that go with what they belong to
UPDATE triage.issue_clusters SET merged_into_id = NULL, merge_parent_id = NULL;
DELETE FROM triage.extracted_issues WHERE cluster_id = :a;
SELECT triage.fold_trends();
SELECT is_empty(format('SELECT FROM triage.cluster_totals t WHERE t.cluster_id = %s UNION ALL SELECT FROM triage.cluster_daily d WHERE d.cluster_id = %1$s
	UNION ALL SELECT FROM triage.cluster_customers c WHERE c.cluster_id = %1$s', :a), 'a cluster without issues has no rows in the roll-up');
-- the log of clusters, which goes with it, does not go by itself
ALTER TABLE triage.cluster_events DISABLE TRIGGER cluster_events_no_truncate;
TRUNCATE triage.extracted_issues CASCADE;
SELECT is((SELECT sum(t.issue_count) FROM triage.top_clusters(only_visible => false) t), 0::bigint, 'none is left when the table is truncated');
SELECT is(pg_temp.differences(), NULL, 'as the view says');
SELECT is(pg_temp.change_and_compare(100, 10), NULL, 'and it goes on from there');

SELECT finish();
ROLLBACK;
