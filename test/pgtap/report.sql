-- report_html(): what it shows, of whom, to whom; and that whatever comes from outside is text.  What a browser makes of it:
-- test/e2e/t/240_report.pl.
\ir prepare.psql
SELECT no_plan();

-- Text ---------------------------------------------------------------------------------------------------------------

SELECT is(triage.html_escape(v.raw), v.html, 'escaped: ' || v.name)
	FROM (VALUES ('plain', 'printer', 'printer'), ('nothing', '', ''), ('unknown', NULL, NULL),
		('the five', '<a href="x" b=''y''>&', '&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;'),
		('what is escaped already', '&lt;&#60;', '&amp;lt;&amp;#60;'),
		('the end of a style', '</style><script>alert(1)</script>', '&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;'),
		('a comment and a CDATA section', '<!-- ]]> -->', '&lt;!-- ]]&gt; --&gt;'),
		('what XML forbids', E'a\x01b\x08\x0b\x0c\x0e\x1f\x7fc', 'a' || repeat('&#xFFFD;', 1) || 'b' || repeat('&#xFFFD;', 6) || 'c'),
		('line ends and tabs stay', E'a\tb\r\nc', E'a\tb\r\nc'), ('beyond ASCII', 'für 猫 🐈', 'für 猫 🐈')) AS v (name, raw, html);
SELECT is(triage.html_text(v.raw, v.max), v.html, format('%s characters of %s', v.max, translate(v.raw, E'\n', ' ')))
	FROM (VALUES ('four', 4, 'four'), ('fives', 4, 'fiv&#8230;'), ('a b c d', 4, 'a b&#8230;'), ('ab  cd', 4, 'ab&#8230;'), (E' a\n\n b ', 9, 'a b'), ('<<<<', 4, '&lt;&lt;&lt;&lt;'),
		('&&&&&', 4, '&amp;&amp;&amp;&#8230;'), ('', 4, ''), (NULL, 4, NULL)) AS v (raw, max, html);
SELECT is(length(triage.html_text(repeat('x', 1000000), 90)), 89 + 7, 'a megabyte is cut');
SELECT is(triage.html_number(v.n), v.html, 'number ' || v.html) FROM (VALUES (0, '0'), (999, '999'), (1234567.0, '1,234,567'), (-12000, '-12,000'), (1e15, '1,000,000,000,000,000')) AS v (n, html);
SELECT is(triage.html_money(v.n), v.html, 'amount ' || v.html) FROM (VALUES (0, '0.00'), (0.5, '0.50'), (0.0123, '0.0123'), (0.00001, '0.00'), (1, '1.00'), (1234.567, '1,234.57')) AS v (n, html);
SELECT is(triage.html_duration(v.s), v.html, 'time span ' || v.html)
	FROM (VALUES (0, '0 ms'), (0.0404, '40 ms'), (0.9999, '1.0 s'), (1.24, '1.2 s'), (59.94, '59.9 s'), (61, '1 min'), (3599, '59 min'), (3600, '1 h 0 min'),
		(86399, '23 h 59 min'), (90000, '1 d 1 h'), (1209600, '14 days'), (864000000, '10,000 days')) AS v (s, html);
SELECT is(triage.html_date('2026-03-05', v.unit), v.html, v.html) FROM (VALUES ('day', '5 Mar 2026'), ('week', 'week of 5 Mar 2026'), ('month', 'Mar 2026')) AS v (unit, html);
SELECT is(triage.svg_scale(v.n), v.top, 'scale of ' || coalesce(v.n::text, 'nothing'))
	FROM (VALUES (NULL, 1), (0, 1), (1, 1), (7, 8), (35, 40), (101, 150), (0.0123, 0.015), (1e9 + 1, 1.5e9)) AS v (n, top);
SELECT cmp_ok(triage.svg_scale(n), '>=', n, n || ' fits on its scale') FROM unnest('{0.001,0.999,3,9.99,10,99999,123456789}'::numeric[]) AS n;
SELECT is(strpos(triage.svg_bars('"><b>', '<i>', '</desc>', '{"</title><script>"}', '{1}', NULL, 1), v.html), 0, 'a chart lets nothing in: ' || v.html)
	FROM (VALUES ('<b>'), ('<i>'), ('</desc></desc>'), ('<script>'), ('"><b')) AS v (html);
SELECT is((SELECT count(*) FROM regexp_matches(triage.svg_bars('x', 't', 'd', '{a,b,c,d}', '{1,NULL,0,2}', '{1,1,0,1}', 2), '<rect class="(full|whole)"', 'g')), 4::bigint,
	'a bar for what is there, and its part');

-- The period ---------------------------------------------------------------------------------------------------------

CREATE FUNCTION pg_temp.period(since interval) RETURNS text LANGUAGE sql AS
	$$ SELECT concat_ws(' ', p.unit, (SELECT count(*) FROM triage.report_days(p.begins, p.unit)), now()::date - p.begins) FROM triage.report_period(since) p $$;
SELECT is(pg_temp.period(v.since), v.period, 'since ' || v.since)
	FROM (VALUES (interval '1 microsecond', 'day 1 0'), ('6 hours', 'day 1 0'), ('1 day', 'day 1 0'), ('2 days', 'day 2 1'), ('30 days', 'day 30 29'), ('92 days', 'day 92 91')) AS v (since, period);
SELECT matches(pg_temp.period(v.since), v.period, 'since ' || v.since)
	FROM (VALUES (interval '93 days', '^week 1[34] '), ('1 year', '^week 5[23] '), ('730 days', '^week 10[45] '), ('3 years', '^month 36 '), ('10 years', '^month 120 ')) AS v (since, period);
SELECT is(pg_temp.outcome(format('SELECT triage.report_html(%L)', v.since)), '22023', 'not since ' || coalesce(v.since::text, 'NULL'))
	FROM unnest(ARRAY['0', '-1 day', '10 years 1 day', '3700 days', '100000 years', '-100000 years', '1 month -40 days', NULL]::interval[]) AS v (since);
SELECT lives_ok($$SELECT triage.report_html('10 years')$$, 'ten years are allowed');

-- Nothing to show ----------------------------------------------------------------------------------------------------

SELECT triage.create_tenant('empty');
SET LOCAL triage.tenant = 'empty';
SELECT triage.report_html() AS page \gset
SELECT is(strpos(:'page', v.words) > 0, true, 'said of nothing: ' || v.words)
	FROM (VALUES ('No ticket was created in this period.'), ('No ticket is open.'), ('No model was called in this period.'), ('No model answered in this period.'), ('No cost is known'),
		('No cluster of product issues'), ('nobody waits'), ('none is known')) AS v (words);
SELECT is(strpos(:'page', '<figure>') > 0, false, 'and no chart of it');
SELECT alike(left(:'page', 300), E'<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head><meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''" />%',
	'the policy comes first in head');
SELECT is((SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'triage'::regnamespace AND p.proname ~ '^(report|html|svg)_' AND (p.prosecdef OR p.provolatile = 'v')), 0::bigint,
	'nothing of it runs as the owner, or writes');

-- What is shown ------------------------------------------------------------------------------------------------------

SELECT triage.create_tenant('one'), triage.create_tenant('two');
-- a ticket of so many days ago, with a result
CREATE FUNCTION pg_temp.filed(tenant text, name text, days int, subject text DEFAULT 'printer', status triage.ticket_status DEFAULT 'open') RETURNS bigint
	LANGUAGE sql
AS $$
	INSERT INTO triage.tickets (tenant_id, external_id, subject, description, created_at, waiting_since, category)
		VALUES (tenant, name, subject, 'It jams.', now() - make_interval(days => days), now() - make_interval(days => days), 'billing') RETURNING id
$$;
CREATE FUNCTION pg_temp.run(tenant text, days int, outcome triage.run_outcome, latency int DEFAULT NULL, cost numeric DEFAULT NULL, currency text DEFAULT NULL) RETURNS void
	LANGUAGE sql
AS $$
	INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, outcome, latency_ms, cost, currency, started_at, finished_at)
		VALUES (tenant, 1, 1, 'triage', 1, outcome, latency, cost, currency, now() - make_interval(days => days), now() - make_interval(days => days))
$$;
SET LOCAL triage.tenant = 'one';
ALTER TABLE triage.tickets DISABLE TRIGGER USER;
SELECT pg_temp.filed('one', 'a', 0), pg_temp.filed('one', 'b', 3), pg_temp.filed('one', 'c', 3, 'a "quoted" & <b>bold</b> subject'), pg_temp.filed('one', 'old', 200), pg_temp.filed('one', 'gone', 3);
SELECT pg_temp.filed('two', 'theirs', 3, 'SECRET OF TWO');
UPDATE triage.tickets SET deleted_at = now() WHERE external_id = 'gone';
UPDATE triage.tickets SET status = 'resolved', resolution = 'resolved', resolved_at = now(), waiting_since = NULL WHERE external_id = 'b';
UPDATE triage.tickets SET category = NULL WHERE external_id = 'a';
ALTER TABLE triage.tickets ENABLE TRIGGER USER;
INSERT INTO triage.ticket_ai_results (tenant_id, ticket_id, ticket_version, category, urgency, sentiment_score, draft_reply)
	SELECT 'one', pg_temp.ticket(v.ticket), 1, v.category, v.urgency::triage.ticket_priority, 1, 'x' FROM (VALUES ('a', 'technical', 'urgent'), ('b', 'technical', 'low')) AS v (ticket, category, urgency);
SELECT pg_temp.run('one', 1, 'succeeded', 1000, 0.5, 'USD'), pg_temp.run('one', 1, 'succeeded', 3000, 0.25, 'USD'), pg_temp.run('one', 1, 'throttled'), pg_temp.run('one', 2, 'succeeded', 2000, 7, 'EUR'),
	pg_temp.run('one', 200, 'lost'), pg_temp.run('two', 1, 'refused', 1, 1000, 'CHF');

CREATE FUNCTION pg_temp.volume(since interval) RETURNS SETOF text LANGUAGE sql AS
	$$ SELECT concat_ws(' ', now()::date - v.day, v.created, v.unfinished)
		FROM triage.report_period(since) p, triage.report_volume(triage.current_tenant(), p.begins, p.unit) v WHERE v.created <> 0 ORDER BY v.day $$;
SELECT results_eq($$SELECT pg_temp.volume('30 days')$$, ARRAY['3 2 1', '0 1 1'], 'tickets by day, without the deleted one; and which are open');
SELECT is((SELECT count(*) FROM triage.report_volume('one', now()::date - 29, 'day')), 30::bigint, 'days without a ticket are there');
SELECT is((SELECT sum(v.created) FROM triage.report_period('1 year') p, triage.report_volume('one', p.begins, p.unit) v), 4::numeric, 'by week the same, and the old one');
SELECT results_eq($$SELECT label, tickets FROM triage.report_backlog('one') WHERE tickets > 0$$, $$VALUES ('less than 4 hours', 1::bigint), ('3 to 7 days', 1), ('more than 4 weeks', 1)$$,
	'the backlog by age, the resolved one not in it');

SELECT triage.report_html() AS page \gset
SELECT is(strpos(:'page', v.html) > 0, true, 'shown: ' || v.html)
	FROM (VALUES ('<dt>Tickets created</dt><dd>3</dd>'), ('<dt>Open now</dt><dd>3</dd><dd>3 waiting for an answer</dd>'), ('<dt>Waiting longest</dt><dd>200 days</dd>'),
		('<dt>AI answered</dt><dd>75.0 %</dd><dd>of 4 calls</dd>'), ('<dt>Median answer</dt><dd>2.0 s</dd><dd>95 in 100 within 3.0 s</dd>'),
		('<dt>AI cost</dt><dd>USD 0.75</dd><dd>and EUR 7.00</dd>'), ('<bdi>succeeded</bdi></th><td>3</td>'), ('<bdi>throttled</bdi></th><td>1</td>'),
		('<strong>Cost in USD</strong> 0.75 in all.'), ('<strong>Cost in EUR</strong> 7.00 in all.'), ('median 1.0 s, 95th percentile 3.0 s'),
		('<bdi>billing</bdi></th><td>2</td>'), ('<bdi>technical</bdi></th><td>1</td>'), ('<bdi>urgent</bdi></th><td>1</td>'), ('<bdi>not rated</bdi></th><td>1</td>'),
		('a &quot;quoted&quot; &amp; &lt;b&gt;bold&lt;/b&gt; subject')) AS v (html);
SELECT is(strpos(:'page', v.html) > 0, false, 'not shown: ' || v.html)
	FROM (VALUES ('SECRET OF TWO'), ('CHF'), ('refused'), ('lost'), ('<b>')) AS v (html);

SET LOCAL timezone = 'Pacific/Kiritimati';
SELECT results_eq($$SELECT sum(created) FROM triage.report_period('30 days') p, triage.report_volume('one', p.begins, p.unit)$$, '{3}'::numeric[], 'in another time zone days begin elsewhere');
SELECT is(strpos(triage.report_html(), '(Pacific/Kiritimati)') > 0, true, 'which it says');
SET LOCAL timezone = 'UTC';

-- Clusters -----------------------------------------------------------------------------------------------------------

-- an issue reported so many days ago of a ticket of its own; a cluster
CREATE FUNCTION pg_temp.cluster(name text, status triage.pm_status DEFAULT 'new') RETURNS bigint
	LANGUAGE sql
AS $$
	INSERT INTO triage.issue_clusters (tenant_id, category, subcategory, cluster_name, cluster_summary, pm_status, fixed_at)
		VALUES ('one', 'PAYROLL', 'pay_runs', name, 'Summary of ' || name, status, CASE status WHEN 'fixed' THEN now() - interval '20 days' END) RETURNING id
$$;
CREATE FUNCTION pg_temp.issue(cluster bigint, days int, customer text, quote text DEFAULT NULL, verified boolean DEFAULT true) RETURNS void
	LANGUAGE sql
AS $$
	INSERT INTO triage.extracted_issues (tenant_id, ticket_id, cluster_id, category, subcategory, issue_type, severity, summary, representative_quote, quote_verified, customer,
			fingerprint, assigned_by, reported_at)
		VALUES ('one', pg_temp.ticket('a'), cluster, 'PAYROLL', 'pay_runs', 'bug', 'high', 'x', quote, verified, customer, sha256(convert_to(random()::text, 'UTF8')), 'human',
			now() - make_interval(days => days))
$$;
INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory) VALUES ('one', 'PAYROLL', 'pay_runs') ON CONFLICT DO NOTHING;
SELECT pg_temp.cluster('Pay <run> stops') AS shown \gset
SELECT pg_temp.cluster('Emerging') AS small \gset
SELECT pg_temp.cluster('Merged one') AS merged \gset
SELECT pg_temp.cluster('Quiet one') AS quiet \gset
SELECT pg_temp.issue(:shown, 1, 'p1', 'It <stops> & "waits"'), pg_temp.issue(:shown, 2, 'p2', 'never written', false), pg_temp.issue(:shown, 9, 'p3', 'It <stops> & "waits"'),
	pg_temp.issue(:small, 1, 'p1', 'emerging quote'), pg_temp.issue(:merged, 1, 'p4', 'said in the merged one'),
	pg_temp.issue(:quiet, 300, 'p1', 'long ago'), pg_temp.issue(:quiet, 300, 'p2'), pg_temp.issue(:quiet, 300, 'p3');
SELECT triage.merge_clusters(:merged, :shown, 'the same');
SELECT is(triage.report_curve('one', ARRAY[:shown, :merged]::bigint[], now()::date - 9, 'day'), '{1,0,0,0,0,0,0,1,2,0}'::bigint[], 'issues by day, those of the merged cluster too');
SELECT triage.report_html() AS page \gset
SELECT is(strpos(:'page', v.html) > 0, true, 'shown: ' || v.html)
	FROM (VALUES ('<bdi>Pay &lt;run&gt; stops</bdi>'), ('payroll / pay runs'), ('4 issues of 4 customers since'), ('4 in this period'), ('It &lt;stops&gt; &amp; &quot;waits&quot;'),
		('said in the merged one'), ('Summary of Pay &lt;run&gt; stops'), ('<strong>3</strong> in 7 days, 1 in the 7 before<br />up 200 %')) AS v (html);
SELECT is(strpos(:'page', v.html) > 0, false, 'not shown: ' || v.html)
	FROM (VALUES ('<run>'), ('Emerging'), ('emerging quote'), ('never written'), ('Quiet one'), ('Merged one')) AS v (html);
SELECT is((SELECT count(*) FROM regexp_matches(:'page', '<blockquote', 'g')), 2::bigint, 'each quote once, two at most');
SELECT is(strpos(triage.report_html('2 years'), 'Quiet one') > 0, true, 'what was reported in the period only');
-- a quote that stands in an internal note, and in a public comment
INSERT INTO triage.ticket_comments (tenant_id, ticket_id, author_role, visibility, content) VALUES ('one', pg_temp.ticket('c'), 'agent', 'internal', 'They never pay, let them wait.'),
	('one', pg_temp.ticket('c'), 'customer', 'public', 'Please mend it.');
SELECT pg_temp.issue(:shown, 0, 'p5', 'let them wait'), pg_temp.issue(:shown, 0, 'p5', 'Please mend it');
UPDATE triage.extracted_issues SET ticket_id = pg_temp.ticket('c') WHERE customer = 'p5';
SELECT results_eq($$SELECT v.words FROM unnest('{let them wait,Please mend it}'::text[]) v (words) WHERE strpos(triage.report_html(), v.words) > 0$$, '{Please mend it}'::text[],
	'no internal note is quoted');
-- On a table of which the planner knows nothing: the issues of one cluster are not looked for among those of all.
SELECT pg_temp.cluster('Large one') AS large \gset
SELECT pg_temp.issue(:large, 1, 'p' || g % 3, 'said ' || g) FROM generate_series(1, 400) g;
CREATE FUNCTION pg_temp.issues_read(command text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	SELECT coalesce(s.seq_tup_read, 0) + coalesce(s.idx_tup_fetch, 0) INTO before FROM pg_stat_xact_user_tables s WHERE s.relid = 'triage.extracted_issues'::regclass;
	EXECUTE command;
	RETURN (SELECT coalesce(s.seq_tup_read, 0) + coalesce(s.idx_tup_fetch, 0) - before FROM pg_stat_xact_user_tables s WHERE s.relid = 'triage.extracted_issues'::regclass);
END
$$;
SELECT cmp_ok(pg_temp.issues_read(format(v.command, :merged)), '<', 20::bigint, v.command)
	FROM (VALUES ('SELECT triage.report_curve(''one'', ARRAY[%s]::bigint[], now()::date - 9, ''day'')'), ('SELECT triage.report_quotes(%s)')) v (command);
SELECT cmp_ok(pg_temp.issues_read('SELECT triage.report_html()'), '<', 2000::bigint, 'nor once for each cluster');
UPDATE triage.extracted_issues SET superseded_at = now() WHERE customer = 'p5';
SELECT triage.add_comment(pg_temp.ticket('b'), 'Between us: they never paid', 'ida', 'agent', visibility => 'internal') AS note \gset
SELECT triage.add_comment(pg_temp.ticket('b'), 'My pay run never ends', 'carl') AS answer \gset
UPDATE triage.extracted_issues SET ticket_id = pg_temp.ticket('b'), representative_quote = CASE customer WHEN 'p1' THEN 'they never paid' ELSE 'My pay run never ends' END
	WHERE cluster_id = :shown AND customer IN ('p1', 'p3');
SELECT triage.report_html() AS page \gset
SELECT is(strpos(:'page', v.html) > 0, v.shown, 'a quote from ' || v.place)
	FROM (VALUES ('they never paid', false, 'an internal note is not shown'), ('My pay run never ends', true, 'a public comment is')) AS v (html, shown, place);

-- To whom ------------------------------------------------------------------------------------------------------------

CREATE ROLE regress_triage_reader;
CREATE ROLE regress_triage_agent;
CREATE ROLE regress_triage_held;
CREATE ROLE regress_triage_consumer;
SELECT triage.grant_access('regress_triage_reader', 'reader'), triage.grant_access('regress_triage_agent', 'agent'), triage.grant_access('regress_triage_held', 'reader'),
	triage.grant_access('regress_triage_consumer', 'consumer');
SELECT triage.allow_tenant('regress_triage_held', 'two');
SELECT regexp_replace(triage.report_html(), 'at \d\d:\d\d', '') AS page \gset
SET LOCAL ROLE regress_triage_reader;
SELECT is(regexp_replace(triage.report_html(), 'at \d\d:\d\d', ''), :'page', 'a reader sees what the owner sees');
SET LOCAL triage.tenant = 'two';
SELECT is(strpos(triage.report_html(), 'quoted') > 0, false, 'and of another tenant the other''s');
SELECT is(strpos(triage.report_html(), 'SECRET OF TWO') > 0, true, 'that is what it has');
SET LOCAL triage.tenant = 'one';
SET LOCAL ROLE regress_triage_agent;
SELECT is(regexp_replace(triage.report_html(), 'at \d\d:\d\d', ''), :'page', 'an agent, too');
SET LOCAL ROLE regress_triage_held;
SELECT is(pg_temp.outcome('SELECT triage.report_html()'), '42501', 'a role that is held to another tenant sees nothing of this one');
SET LOCAL ROLE regress_triage_consumer;
SELECT is(pg_temp.outcome('SELECT triage.report_html()'), '42501', 'who may only read events cannot call it');
RESET ROLE;

SELECT finish();
ROLLBACK;
