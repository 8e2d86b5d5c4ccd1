-- report_html(): a page that shows how support is doing, made of what its caller may read.
--
-- One function a section; each reads what it shows and writes it with the functions of html.sql.  All run with the caller's
-- rights and read only what level reader may, so row security holds.  The period is whole days of the session's time zone;
-- long ones are shown by week or month, and every list has an end, so the page stays a page however long the tables are.

CREATE FUNCTION triage.report_period(since interval) RETURNS TABLE (begins date, unit text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- roughly first: what is far too long cannot be taken from a date
	IF since IS NULL OR since > '11 years' OR since < '-11 years' OR now() - since >= now() OR now() - since < now() - interval '10 years' THEN
		RAISE EXCEPTION 'since must be longer than nothing and at most 10 years, not %', coalesce(since::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It says how far back the report looks, such as interval ''30 days''.';
	END IF;
	unit := CASE WHEN now() - since < now() - interval '2 years' THEN 'month' WHEN now() - since < now() - interval '92 days' THEN 'week' ELSE 'day' END;
	-- the current day, week or month is the last of them
	begins := least(date_trunc(unit, now()::timestamp), date_trunc(unit, (now() - since)::timestamp + ('1 ' || unit)::interval))::date;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION triage.report_period(interval) IS
	'part of report_html(): the first day of the period, and whether it is shown by day, week (from 92 days on) or month (from two years on); raises 22023 unless since is positive and at most 10 years';
REVOKE ALL ON FUNCTION triage.report_period(interval) FROM PUBLIC;

CREATE FUNCTION triage.report_days(begins date, unit text) RETURNS TABLE (day date)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT generate_series(begins::timestamp, now()::timestamp, ('1 ' || unit)::interval)::date
$$;
COMMENT ON FUNCTION triage.report_days(date, text) IS 'part of report_html(): the first day of each day, week or month of the period; raises nothing';
REVOKE ALL ON FUNCTION triage.report_days(date, text) FROM PUBLIC;

-- All are counted in an index, then those that were deleted are taken off: category and status lie in the table, a count
-- does not have to.
CREATE FUNCTION triage.report_volume(tenant text, begins date, unit text) RETURNS TABLE (day date, created bigint, unfinished bigint)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT d.day, coalesce(sum(n.created), 0)::bigint, coalesce(sum(n.unfinished), 0)::bigint
			FROM triage.report_days(begins, unit) d
			LEFT JOIN (
				SELECT date_trunc(unit, t.created_at::timestamp)::date AS day, count(*) AS created, 0 AS unfinished
					FROM triage.tickets t WHERE t.tenant_id = tenant AND t.created_at >= begins GROUP BY 1
				UNION ALL
				SELECT date_trunc(unit, t.created_at::timestamp)::date, - count(*), 0
					FROM triage.tickets t WHERE t.tenant_id = tenant AND t.created_at >= begins AND t.deleted_at IS NOT NULL GROUP BY 1
				UNION ALL
				SELECT date_trunc(unit, t.created_at::timestamp)::date, 0, count(*)
					FROM triage.tickets t
					WHERE t.tenant_id = tenant AND t.created_at >= begins AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL
					GROUP BY 1) n ON n.day = d.day
			GROUP BY d.day ORDER BY d.day;
END
$$;
COMMENT ON FUNCTION triage.report_volume(text, date, text) IS
	'part of report_html(): tickets created in each day, week or month of the period, and how many of them are open now; raises nothing';
REVOKE ALL ON FUNCTION triage.report_volume(text, date, text) FROM PUBLIC;

CREATE FUNCTION triage.report_volume_section(tenant text, begins date, unit text) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	content text;
BEGIN
	SELECT CASE WHEN sum(v.created) > 0 THEN triage.html_chart('volume', 'Tickets created', 'In full colour: still open.', unit, array_agg(v.day ORDER BY v.day),
				array_agg(format('%s: %s created, %s still open', triage.html_date(v.day, unit), v.created, v.unfinished) ORDER BY v.day),
				array_agg(v.created::numeric ORDER BY v.day), array_agg(v.unfinished::numeric ORDER BY v.day),
				triage.svg_scale(max(v.created)), triage.html_number(triage.svg_scale(max(v.created))), '{Created,Still open}',
				string_agg(triage.html_row(triage.html_date(v.day, unit), ARRAY[triage.html_number(v.created), triage.html_number(v.unfinished)]), '' ORDER BY v.day))
			ELSE '<p class="none">No ticket was created in this period.</p>' END
		INTO content
		FROM triage.report_volume(tenant, begins, unit) v;
	RETURN triage.html_section('volume-section', 'Volume', content);
END
$$;
COMMENT ON FUNCTION triage.report_volume_section(text, date, text) IS 'part of report_html(): tickets created by day; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_volume_section(text, date, text) FROM PUBLIC;

CREATE FUNCTION triage.report_backlog(tenant text) RETURNS TABLE (place int, label text, tickets bigint)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT a.place, a.label, count(t.id)
			FROM (VALUES (1, 'less than 4 hours', interval '0', interval '4 hours'), (2, '4 to 24 hours', '4 hours', '1 day'), (3, '1 to 3 days', '1 day', '3 days'),
				(4, '3 to 7 days', '3 days', '7 days'), (5, '1 to 4 weeks', '7 days', '28 days'), (6, 'more than 4 weeks', '28 days', NULL), (7, 'not waiting for us', NULL, NULL))
				AS a (place, label, from_age, to_age)
			LEFT JOIN (
				SELECT x.id, CASE WHEN x.waiting_since IS NOT NULL THEN greatest(now() - x.waiting_since, interval '0') END AS age
					FROM triage.tickets x
					WHERE x.tenant_id = tenant AND x.status NOT IN ('resolved', 'closed') AND x.deleted_at IS NULL) t
				ON t.age >= a.from_age AND (t.age < a.to_age OR a.to_age IS NULL) OR t.age IS NULL AND a.from_age IS NULL
			GROUP BY a.place, a.label ORDER BY a.place;
END
$$;
COMMENT ON FUNCTION triage.report_backlog(text) IS
	'part of report_html(): open tickets by how long they have waited for an answer; raises nothing';
REVOKE ALL ON FUNCTION triage.report_backlog(text) FROM PUBLIC;

CREATE FUNCTION triage.report_backlog_section(tenant text) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ages text;
	oldest text;
	total bigint;
BEGIN
	SELECT sum(b.tickets), triage.html_shares('backlog', 'Open tickets by how long they have waited', '{Waiting,Tickets}',
				array_agg(b.label ORDER BY b.place), array_agg(b.tickets ORDER BY b.place))
		INTO total, ages
		FROM triage.report_backlog(tenant) b;
	IF coalesce(total, 0) = 0 THEN
		RETURN triage.html_section('backlog-section', 'Backlog', '<p class="none">No ticket is open.</p>');
	END IF;
	SELECT string_agg(triage.html_row('#' || o.id, ARRAY[format('<bdi>%s</bdi>', coalesce(nullif(triage.html_text(o.subject, 90), ''), '(no subject)')),
				o.priority::text, format('<bdi>%s</bdi>', coalesce(triage.html_text(o.assignee_id, 30), 'nobody')),
				triage.html_duration(extract(epoch FROM greatest(now() - o.waiting_since, '0')))]), '' ORDER BY o.waiting_since, o.id)
		INTO oldest
		FROM (
			SELECT t.id, t.subject, t.priority, t.assignee_id, t.waiting_since
				FROM triage.tickets t
				WHERE t.tenant_id = tenant AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL AND t.waiting_since IS NOT NULL
				ORDER BY t.waiting_since, t.id LIMIT 5) o;
	RETURN triage.html_section('backlog-section', 'Backlog', ages
		|| CASE WHEN oldest IS NULL THEN '<p class="none">Nobody waits for an answer.</p>'
			ELSE format('<div class="words">%s</div>', triage.html_table('oldest', 'Waiting longest', '{Ticket,Subject,Priority,Assignee,Waiting for}', oldest)) END);
END
$$;
COMMENT ON FUNCTION triage.report_backlog_section(text) IS
	'part of report_html(): what is open, and the five tickets that wait longest; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_backlog_section(text) FROM PUBLIC;

CREATE FUNCTION triage.report_outcomes_section(tenant text, begins date) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	outcomes text;
	queue text;
BEGIN
	SELECT triage.html_shares('outcomes', 'Calls to models, by how they ended', '{Outcome,Calls}',
				array_agg(replace(o.outcome::text, '_', ' ') ORDER BY o.runs DESC, o.outcome), array_agg(o.runs ORDER BY o.runs DESC, o.outcome))
		INTO outcomes
		FROM (
			SELECT r.outcome, count(*) AS runs
				FROM triage.ai_runs r
				WHERE r.tenant_id = tenant AND r.finished_at >= begins
				GROUP BY r.outcome) o
		HAVING count(*) > 0;
	SELECT format('<p>In the queue now: %s waiting, %s running, %s to be tried later. Given up: %s.</p>', triage.html_number(coalesce(sum(q.pending), 0)),
				triage.html_number(coalesce(sum(q.running), 0)), triage.html_number(coalesce(sum(q.delayed), 0)), triage.html_number(coalesce(sum(q.dead), 0)))
		INTO queue
		FROM triage.queue_stats q
		WHERE q.tenant_id = tenant;
	RETURN triage.html_section('outcomes-section', 'AI outcomes', queue
		|| coalesce(outcomes, '<p class="none">No model was called in this period.</p>'));
END
$$;
COMMENT ON FUNCTION triage.report_outcomes_section(text, date) IS
	'part of report_html(): how the calls of the period ended, and what stands in the queue; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_outcomes_section(text, date) FROM PUBLIC;

-- Of succeeded runs only: a refusal is quick and a time-out slow, and neither says how long an answer takes.
CREATE FUNCTION triage.report_latency(tenant text, begins date, unit text) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	chart text;
BEGIN
	SELECT CASE WHEN sum(l.answers) > 0 THEN triage.html_chart('latency', 'Latency of answers', 'Full colour: median. Tint: 95th percentile.', unit,
				array_agg(l.day ORDER BY l.day),
				array_agg(format('%s: median %s, 95th percentile %s', triage.html_date(l.day, unit), triage.html_duration(l.p50), triage.html_duration(l.p95)) ORDER BY l.day),
				array_agg(l.p95 ORDER BY l.day), array_agg(l.p50 ORDER BY l.day), triage.svg_scale(max(l.p95)), triage.html_duration(triage.svg_scale(max(l.p95))),
				'{Answers,Median,95th percentile}',
				string_agg(triage.html_row(triage.html_date(l.day, unit), ARRAY[triage.html_number(l.answers), triage.html_duration(l.p50), triage.html_duration(l.p95)]), '' ORDER BY l.day))
			ELSE '<p class="none">No model answered in this period.</p>' END
		INTO chart
		FROM (
			SELECT d.day, coalesce(n.answers, 0) AS answers, n.p50, n.p95
				FROM triage.report_days(begins, unit) d
				LEFT JOIN (
					SELECT date_trunc(unit, r.finished_at::timestamp)::date AS day, count(*) AS answers,
							(percentile_disc(0.5) WITHIN GROUP (ORDER BY r.latency_ms))::numeric / 1000 AS p50,
							(percentile_disc(0.95) WITHIN GROUP (ORDER BY r.latency_ms))::numeric / 1000 AS p95
						FROM triage.ai_runs r
						WHERE r.tenant_id = tenant AND r.finished_at >= begins AND r.outcome = 'succeeded' AND r.latency_ms IS NOT NULL
						GROUP BY 1) n ON n.day = d.day) l;
	RETURN chart;
END
$$;
COMMENT ON FUNCTION triage.report_latency(text, date, text) IS
	'part of report_html(): how long answers took, by day; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_latency(text, date, text) FROM PUBLIC;

-- One chart a currency: amounts of different ones are never added.  What builtin answers costs nothing, in none.
CREATE FUNCTION triage.report_costs(tenant text, begins date, unit text) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	charts text;
BEGIN
	WITH spent AS (
		SELECT r.currency, date_trunc(unit, r.finished_at::timestamp)::date AS day, sum(r.cost) AS cost, count(*) AS runs
			FROM triage.ai_runs r
			WHERE r.tenant_id = tenant AND r.finished_at >= begins AND r.cost IS NOT NULL AND r.currency IS NOT NULL
			GROUP BY 1, 2
	), currencies AS (
		SELECT s.currency, sum(s.cost) AS total, triage.svg_scale(max(s.cost)) AS top,
				row_number() OVER (ORDER BY sum(s.runs) DESC, s.currency) AS place
			FROM spent s GROUP BY s.currency ORDER BY place LIMIT 10
	)
	SELECT string_agg(c.chart, '' ORDER BY c.place) INTO charts
		FROM (
			SELECT u.place, triage.html_chart('cost-' || u.place, 'Cost in ' || left(u.currency, 10), triage.html_money(u.total) || ' in all.', unit,
					array_agg(d.day ORDER BY d.day),
					array_agg(format('%s: %s', triage.html_date(d.day, unit), triage.html_money(coalesce(s.cost, 0))) ORDER BY d.day),
					array_agg(coalesce(s.cost, 0) ORDER BY d.day), NULL, u.top, triage.html_money(u.top), '{Calls,Cost}',
					string_agg(triage.html_row(triage.html_date(d.day, unit), ARRAY[triage.html_number(coalesce(s.runs, 0)), triage.html_money(coalesce(s.cost, 0))]), '' ORDER BY d.day)) AS chart
				FROM currencies u
				CROSS JOIN triage.report_days(begins, unit) d
				LEFT JOIN spent s ON s.day = d.day AND s.currency = u.currency
				GROUP BY u.place, u.currency, u.total, u.top) c;
	RETURN coalesce(charts, '<p class="none">No cost is known: no call was made, or no model has a price.</p>');
END
$$;
COMMENT ON FUNCTION triage.report_costs(text, date, text) IS
	'part of report_html(): what calls cost by day, for each currency (the ten with the most calls); returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_costs(text, date, text) FROM PUBLIC;

-- A person's choice of category comes before the AI's; urgency is the AI's alone.
CREATE FUNCTION triage.report_mix_section(tenant text, begins date) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tables text;
BEGIN
	WITH mix AS (
		SELECT grouping(coalesce(t.category, r.category)) AS by_urgency, coalesce(t.category, r.category) AS category, r.urgency, count(*) AS tickets
			FROM triage.tickets t
			LEFT JOIN triage.ticket_ai_results r ON r.tenant_id = t.tenant_id AND r.ticket_id = t.id AND r.superseded_at IS NULL
			WHERE t.tenant_id = tenant AND t.created_at >= begins AND t.deleted_at IS NULL
			GROUP BY GROUPING SETS ((coalesce(t.category, r.category)), (r.urgency))
	), ranked AS (
		SELECT m.by_urgency, m.tickets,
				CASE m.by_urgency WHEN 1 THEN coalesce(m.urgency::text, 'not rated') ELSE coalesce(replace(m.category, '_', ' '), 'none yet') END AS label,
				row_number() OVER (PARTITION BY m.by_urgency ORDER BY m.urgency DESC NULLS LAST, m.tickets DESC, m.category) AS place
			FROM mix m
	)
	SELECT string_agg(m.html, '' ORDER BY m.by_urgency DESC) INTO tables
		FROM (
			SELECT k.by_urgency, triage.html_shares(CASE k.by_urgency WHEN 1 THEN 'urgency' ELSE 'categories' END,
					CASE k.by_urgency WHEN 1 THEN 'By urgency' ELSE 'By category' END, ARRAY[CASE k.by_urgency WHEN 1 THEN 'Urgency' ELSE 'Category' END, 'Tickets'],
					array_agg(k.label ORDER BY k.place), array_agg(k.tickets ORDER BY k.place)) AS html
				FROM ranked k
				WHERE k.place <= 30
				GROUP BY k.by_urgency) m;
	RETURN triage.html_section('mix-section', 'What tickets are about',
		CASE WHEN tables IS NULL THEN '<p class="none">No ticket was created in this period.</p>' ELSE format('<div class="pair">%s</div>', tables) END);
END
$$;
COMMENT ON FUNCTION triage.report_mix_section(text, date) IS
	'part of report_html(): tickets of the period by urgency and by category (the 30 largest); returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_mix_section(text, date) FROM PUBLIC;

-- What customers wrote, word for word, the newest first; none twice, and nothing that only agents can read.
CREATE FUNCTION triage.report_quotes(cluster_id bigint) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT string_agg(format('<blockquote dir="auto">%s <span class="note">ticket %s, %s</span></blockquote>', triage.html_text(q.quote, 300), q.ticket_id,
				triage.html_date(q.reported_at::date)), '' ORDER BY q.reported_at DESC, q.issue_id DESC)
			FROM (
				SELECT * FROM (
					SELECT DISTINCT ON (n.quote) n.issue_id, n.ticket_id, n.reported_at, n.quote
						FROM triage.cluster_quotes(report_quotes.cluster_id, 6) n
						WHERE n.quote_verified AND n.quote ~ '[^[:space:]]'
						ORDER BY n.quote, n.reported_at DESC, n.issue_id DESC) d
					ORDER BY d.reported_at DESC, d.issue_id DESC LIMIT 2) q);
END
$$;
COMMENT ON FUNCTION triage.report_quotes(bigint) IS
	'part of report_html(): the two newest quotes that cluster_quotes() has of a cluster and that were found in their tickets; returns HTML, NULL without any; raises nothing';
REVOKE ALL ON FUNCTION triage.report_quotes(bigint) FROM PUBLIC;

-- By the cluster's index, for the days there are: as in report_edge(), the order leaves the planner no other, whatever it
-- knows of the table.  What counts is what cluster_trends counts.
CREATE FUNCTION triage.report_curve(tenant text, cluster_ids bigint[], begins date, unit text) RETURNS bigint[]
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
	SET enable_sort = off
AS $$
BEGIN
	RETURN ARRAY (
		SELECT coalesce(n.issues, 0)
			FROM triage.report_days(begins, unit) d
			LEFT JOIN (
				SELECT date_trunc(unit, i.reported_at::timestamp)::date AS day, count(*) AS issues
					FROM unnest(cluster_ids) AS c (id)
					CROSS JOIN LATERAL (
						SELECT x.reported_at, x.ticket_id
							FROM triage.extracted_issues x
							WHERE x.tenant_id = tenant AND x.cluster_id BETWEEN c.id AND c.id AND x.reported_at >= begins AND x.superseded_at IS NULL
							ORDER BY x.cluster_id, x.reported_at OFFSET 0) i
					WHERE NOT EXISTS (SELECT FROM triage.tickets t WHERE t.tenant_id = tenant AND t.id = i.ticket_id AND t.deleted_at IS NOT NULL)
					GROUP BY 1) n ON n.day = d.day
			ORDER BY d.day);
END
$$;
COMMENT ON FUNCTION triage.report_curve(text, bigint[], date, text) IS
	'part of report_html(): how many current issues of these clusters were reported in each day, week or month of the period; raises nothing';
REVOKE ALL ON FUNCTION triage.report_curve(text, bigint[], date, text) FROM PUBLIC;

CREATE FUNCTION triage.report_cluster_facts(category text, subcategory text, issue_count bigint, customers bigint, first_seen timestamptz, issues numeric,
	severity text, status text) RETURNS text
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat_ws(' &#183; ', format('<bdi>%s</bdi>', triage.html_text(replace(lower(category || ' / ' || subcategory), '_', ' '), 100)),
		format('%s %s of %s %s since %s, %s in this period', triage.html_number(issue_count), CASE issue_count WHEN 1 THEN 'issue' ELSE 'issues' END,
			triage.html_number(customers), CASE customers WHEN 1 THEN 'customer' ELSE 'customers' END, triage.html_date(first_seen::date), triage.html_number(issues)),
		triage.html_escape(severity), CASE status WHEN 'wont_fix' THEN 'will not be fixed' ELSE triage.html_escape(status) END)
$$;
COMMENT ON FUNCTION triage.report_cluster_facts(text, text, bigint, bigint, timestamptz, numeric, text, text) IS
	'part of report_html(): what stands below a cluster''s name; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_cluster_facts(text, text, bigint, bigint, timestamptz, numeric, text, text) FROM PUBLIC;

CREATE FUNCTION triage.report_trend(count_7d bigint, count_prior_7d bigint, trend_pct numeric) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<strong>%s</strong> in 7 days, %s in the 7 before<br />', triage.html_number(count_7d), triage.html_number(count_prior_7d))
		|| CASE WHEN count_7d = count_prior_7d THEN 'steady' WHEN count_prior_7d = 0 THEN 'new' WHEN trend_pct >= 1000 THEN 'more than tenfold'
			ELSE format('%s %s %%', CASE WHEN trend_pct > 0 THEN 'up' ELSE 'down' END, triage.html_number(abs(trend_pct))) END
$$;
COMMENT ON FUNCTION triage.report_trend(bigint, bigint, numeric) IS
	'part of report_html(): the issues of the last 7 days and of the 7 before in words; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_trend(bigint, bigint, numeric) FROM PUBLIC;

-- Of the hundred with the most issues of late and the hundred with the most of all, those with the most in the period.  By
-- the roll-up: cluster_trends reads every issue, and on tables that were never analyzed once for each cluster.
CREATE FUNCTION triage.report_clusters_section(tenant text, begins date, unit text) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	max_clusters CONSTANT int := 20;
	item record;
	items text := '';
BEGIN
	FOR item IN
		SELECT t.*, m.members, k.curve, (SELECT sum(x) FROM unnest(k.curve) AS u (x)) AS issues
			FROM (
				SELECT DISTINCT ON (c.id) c.id, c.category, c.subcategory, c.cluster_name, c.cluster_summary, c.issue_count, c.unique_customers,
						c.first_seen, c.count_7d, c.count_prior_7d, c.trend_pct, c.pm_status, c.worst_severity, c.is_regressed
					FROM unnest('{count_7d,issue_count}'::text[]) AS o (order_by)
					CROSS JOIN LATERAL triage.top_clusters(o.order_by, max_rows => 100) c
					ORDER BY c.id) t
			CROSS JOIN LATERAL (SELECT ARRAY (SELECT t.id UNION ALL
				SELECT x.id FROM triage.issue_clusters x WHERE x.tenant_id = tenant AND x.merged_into_id = t.id) AS members) m
			CROSS JOIN LATERAL (SELECT triage.report_curve(tenant, m.members, begins, unit) AS curve) k
			ORDER BY issues DESC, t.id LIMIT max_clusters
	LOOP
		CONTINUE WHEN item.issues = 0;
		items := items || format('<li id="cluster-%s"><div><h3><bdi>%s</bdi>%s</h3><p class="facts">%s</p>%s%s</div><p class="curve">%s%s</p></li>', item.id,
			triage.html_text(item.cluster_name, 100), CASE WHEN item.is_regressed THEN ' <span class="flag">came back</span>' ELSE '' END,
			triage.report_cluster_facts(item.category, item.subcategory, item.issue_count, item.unique_customers, item.first_seen, item.issues,
				item.worst_severity::text, item.pm_status::text),
			coalesce(format('<p><bdi>%s</bdi></p>', triage.html_text(item.cluster_summary, 300)), ''),
			coalesce(triage.report_quotes(item.id), ''),
			triage.svg_sparkline(format('%s: issues by %s, %s in all', left(item.cluster_name, 100), unit, item.issues), item.curve),
			triage.report_trend(item.count_7d, item.count_prior_7d, item.trend_pct));
	END LOOP;
	RETURN triage.html_section('clusters-section', 'Product issues',
		CASE WHEN items = '' THEN '<p class="none">No cluster of product issues is large enough to be shown, or none was reported in this period.</p>'
			ELSE format('<p class="note">The clusters with the most issues in this period, %s at most. Bars: issues by %s.</p><ol class="issues">%s</ol>',
				max_clusters, unit, items) END);
END
$$;
COMMENT ON FUNCTION triage.report_clusters_section(text, date, text) IS
	'part of report_html(): the clusters that most issues were reported of, with trend and quotes; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_clusters_section(text, date, text) FROM PUBLIC;

CREATE FUNCTION triage.report_key(label text, figure text, remark text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<div><dt>%s</dt><dd>%s</dd><dd>%s</dd></div>', triage.html_escape(label), coalesce(triage.html_escape(figure), '&#8211;'), triage.html_escape(remark))
$$;
COMMENT ON FUNCTION triage.report_key(text, text, text) IS 'part of report_html(): one of the figures at the top; all three are escaped; raises nothing';
REVOKE ALL ON FUNCTION triage.report_key(text, text, text) FROM PUBLIC;

CREATE FUNCTION triage.report_keys(tenant text, begins date, unit text) RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	created CONSTANT numeric := (SELECT sum(v.created) FROM triage.report_volume(tenant, begins, unit) v);
	backlog record;
	runs record;
	costs text[];
BEGIN
	SELECT count(*) AS unfinished, count(t.waiting_since) AS waiting, min(t.waiting_since) AS oldest
		INTO backlog
		FROM triage.tickets t
		WHERE t.tenant_id = tenant AND t.status NOT IN ('resolved', 'closed') AND t.deleted_at IS NULL;
	SELECT count(*) AS calls, count(*) FILTER (WHERE r.outcome = 'succeeded') AS answered,
			(percentile_disc(0.5) WITHIN GROUP (ORDER BY r.latency_ms) FILTER (WHERE r.outcome = 'succeeded'))::numeric / 1000 AS p50,
			(percentile_disc(0.95) WITHIN GROUP (ORDER BY r.latency_ms) FILTER (WHERE r.outcome = 'succeeded'))::numeric / 1000 AS p95
		INTO runs
		FROM triage.ai_runs r
		WHERE r.tenant_id = tenant AND r.finished_at >= begins;
	costs := ARRAY (
		SELECT left(r.currency, 10) || ' ' || triage.html_money(sum(r.cost))
			FROM triage.ai_runs r
			WHERE r.tenant_id = tenant AND r.finished_at >= begins AND r.cost IS NOT NULL AND r.currency IS NOT NULL
			GROUP BY r.currency ORDER BY count(*) DESC, r.currency LIMIT 4);
	RETURN format('<dl class="keys">%s</dl>', concat(
		triage.report_key('Tickets created', triage.html_number(created), 'in this period'),
		triage.report_key('Open now', triage.html_number(backlog.unfinished), triage.html_number(backlog.waiting) || ' waiting for an answer'),
		triage.report_key('Waiting longest', triage.html_duration(extract(epoch FROM greatest(now() - backlog.oldest, '0'))),
			CASE WHEN backlog.oldest IS NULL THEN 'nobody waits' ELSE 'since ' || triage.html_date(backlog.oldest::date) END),
		triage.report_key('AI answered', round(100.0 * runs.answered / nullif(runs.calls, 0), 1) || ' %', 'of ' || triage.html_number(runs.calls) || ' calls'),
		triage.report_key('Median answer', triage.html_duration(runs.p50), CASE WHEN runs.p95 IS NULL THEN 'no answer yet' ELSE '95 in 100 within ' || triage.html_duration(runs.p95) END),
		triage.report_key('AI cost', costs[1], CASE WHEN costs[2] IS NOT NULL THEN 'and ' || array_to_string(costs[2:], ', ') WHEN costs[1] IS NULL THEN 'none is known' ELSE 'in this period' END)));
END
$$;
COMMENT ON FUNCTION triage.report_keys(text, date, text) IS 'part of report_html(): the figures at the top of the page; returns HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.report_keys(text, date, text) FROM PUBLIC;

CREATE FUNCTION triage.report_html(since interval DEFAULT '30 days') RETURNS text
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
DECLARE
	tenant CONSTANT text := triage.current_tenant();
	title text := 'Support report';
	period record;
BEGIN
	PERFORM triage.check_schema();
	SELECT p.* INTO period FROM triage.report_period(since) p;
	SELECT title || ': ' || coalesce(nullif(btrim(n.name), ''), n.id) INTO title FROM triage.tenants n WHERE n.id = tenant;
	RETURN concat(
		-- the policy first: it holds for what stands behind it
		E'<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml">\n<head>',
		E'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''" />',
		E'<meta charset="utf-8" /><meta name="viewport" content="width=device-width, initial-scale=1" /><meta name="color-scheme" content="light dark" />',
		format(E'<title>%s</title>\n<style>%s</style></head>\n<body>', triage.html_text(coalesce(title, 'Support report: ' || tenant), 120), triage.html_style()),
		format(E'<header><h1><bdi>%s</bdi></h1><p>%s to %s. Made on %s at %s (%s).</p></header>\n<main>', triage.html_text(coalesce(title, 'Support report: ' || tenant), 120),
			triage.html_date(period.begins), triage.html_date(now()::date), triage.html_date(now()::date), to_char(now(), 'HH24:MI'),
			triage.html_escape(current_setting('TimeZone'))),
		triage.report_keys(tenant, period.begins, period.unit), E'\n',
		triage.report_volume_section(tenant, period.begins, period.unit),
		triage.report_backlog_section(tenant),
		triage.report_mix_section(tenant, period.begins),
		triage.report_clusters_section(tenant, period.begins, period.unit),
		triage.report_outcomes_section(tenant, period.begins),
		triage.html_section('runs-section', 'Latency and cost', format('<div class="pair"><div>%s</div><div>%s</div></div>',
			triage.report_latency(tenant, period.begins, period.unit), triage.report_costs(tenant, period.begins, period.unit))),
		E'</main>\n<footer>Made by triage from the tables of tenant <bdi>', triage.html_text(tenant, 100), E'</bdi>. Nothing in this page is loaded from elsewhere.</footer>\n</body>\n</html>\n');
END
$$;
COMMENT ON FUNCTION triage.report_html(interval) IS
	'a page for a browser or a printer, complete in itself and without script: volume by day, backlog and oldest waiting, urgency and category, the product issues reported most with trend and quotes, AI outcomes, latency and cost; of the current tenant, from what the caller may read (level reader); since: how far back it looks, in whole days of the session''s time zone, shown by week from 92 days on and by month from two years on; returns the page, to be written as UTF-8; raises 22023 unless since is positive and at most 10 years';
REVOKE ALL ON FUNCTION triage.report_html(interval) FROM PUBLIC;
