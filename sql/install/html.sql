-- What report.sql writes its page with: text made harmless, numbers and times made readable, charts as inline SVG.
--
-- Pure: no table, no setting but the time zone.  Whatever comes from outside goes through html_escape() or html_text(), in
-- text and in attributes alike, and never into the style.  The markup is ASCII and well-formed XML, so that a strict parser
-- can say whether it is sound.  A chart is stretched to the width there is, so its words stand beside it, not in it.

CREATE FUNCTION triage.html_escape(value text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- the control characters last: XML has no way to write them, so they show as what cannot be read
	SELECT regexp_replace(replace(replace(replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'), '''', '&#39;'),
		E'[\\x01-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f]', '&#xFFFD;', 'g')
$$;
COMMENT ON FUNCTION triage.html_escape(text) IS
	'a text as HTML and XML show it, between tags as well as inside quoted attributes; NULL for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.html_escape(text) FROM PUBLIC;

CREATE FUNCTION triage.html_text(value text, max_characters int) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT triage.html_escape(CASE WHEN length(t.line) > max_characters THEN rtrim(left(t.line, max_characters - 1)) ELSE t.line END)
			|| CASE WHEN length(t.line) > max_characters THEN '&#8230;' ELSE '' END
		-- a text may be a megabyte: what is squeezed is a piece of it
		FROM (SELECT btrim(regexp_replace(left(value, 4 * max_characters), '[[:space:]]+', ' ', 'g')) AS line) t
$$;
COMMENT ON FUNCTION triage.html_text(text, int) IS
	'a text on one line, escaped, and cut to max_characters with an ellipsis where it is longer; NULL for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.html_text(text, int) FROM PUBLIC;

CREATE FUNCTION triage.html_number(amount numeric) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT btrim(to_char(amount, 'FM999,999,999,999,999,990'))
$$;
COMMENT ON FUNCTION triage.html_number(numeric) IS 'a whole number with its thousands apart; NULL for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.html_number(numeric) FROM PUBLIC;

CREATE FUNCTION triage.html_money(amount numeric) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- tokens cost fractions of a cent: below 1 two digits more
	SELECT btrim(to_char(round(amount, CASE WHEN abs(amount) >= 1 THEN 2 ELSE 4 END), 'FM999,999,999,999,990.0099'))
$$;
COMMENT ON FUNCTION triage.html_money(numeric) IS 'an amount of money with two digits, below 1 with up to four; NULL for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.html_money(numeric) FROM PUBLIC;

CREATE FUNCTION triage.html_duration(seconds numeric) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN seconds < 0.9995 THEN round(seconds * 1000) || ' ms'
		WHEN seconds < 59.95 THEN round(seconds, 1) || ' s'
		WHEN seconds < 3600 THEN floor(seconds / 60) || ' min'
		WHEN seconds < 86400 THEN format('%s h %s min', floor(seconds / 3600), floor(seconds % 3600 / 60))
		WHEN seconds < 1209600 THEN format('%s d %s h', floor(seconds / 86400), floor(seconds % 86400 / 3600))
		ELSE triage.html_number(floor(seconds / 86400)) || ' days' END
$$;
COMMENT ON FUNCTION triage.html_duration(numeric) IS
	'a time span in seconds, in the unit that fits it, rounded down from a minute on; NULL for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.html_duration(numeric) FROM PUBLIC;

CREATE FUNCTION triage.html_date(day date, unit text DEFAULT 'day') RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE unit WHEN 'month' THEN '' WHEN 'week' THEN 'week of ' ELSE '' END
		|| CASE unit WHEN 'month' THEN '' ELSE extract(day FROM day) || ' ' END
		|| ('{Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec}'::text[])[extract(month FROM day)::int] || ' ' || extract(year FROM day)
$$;
COMMENT ON FUNCTION triage.html_date(date, text) IS
	'a date in words, or the week (unit week) or month (month) that begins with it; NULL for NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.html_date(date, text) FROM PUBLIC;

-- What a scale ends with: not more than half as much again, and easy to read.
CREATE FUNCTION triage.svg_scale(greatest_amount numeric) RETURNS numeric
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN coalesce(greatest_amount, 0) <= 0 THEN 1 ELSE (
		SELECT min(s.step * p.power)
			FROM (SELECT 10 ^ floor(log(greatest_amount)) AS power) p, unnest('{1,1.5,2,2.5,3,4,5,6,8,10}'::numeric[]) AS s (step)
			WHERE s.step * p.power >= greatest_amount) END
$$;
COMMENT ON FUNCTION triage.svg_scale(numeric) IS
	'a round number, not below greatest_amount, for a scale to end with; 1 where there is nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.svg_scale(numeric) FROM PUBLIC;

CREATE FUNCTION triage.svg_bar(class text, place bigint, share numeric) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- what is there at all can be seen
	SELECT CASE WHEN share > 0 THEN format('<rect class="%s" x="%s" y="%s" width="8" height="%s"/>', triage.html_escape(class), place * 10 - 9,
		round(100 - h.height, 2), round(h.height, 2)) ELSE '' END
		FROM (SELECT greatest(least(share, 1) * 100, 1) AS height) h
$$;
COMMENT ON FUNCTION triage.svg_bar(text, bigint, numeric) IS
	'one bar of svg_bars(): class of its style, place from 1, share of the scale; nothing for 0 and NULL; raises nothing';
REVOKE ALL ON FUNCTION triage.svg_bar(text, bigint, numeric) FROM PUBLIC;

CREATE FUNCTION triage.svg_bars(id text, title text, description text, tips text[], amounts numeric[], parts numeric[], top numeric) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<svg class="chart" viewBox="0 0 %s 100" preserveAspectRatio="none" role="img" aria-labelledby="%2$s-title %2$s-desc">'
			'<title id="%2$s-title">%3$s</title><desc id="%2$s-desc">%4$s</desc>',
			cardinality(amounts) * 10, triage.html_escape(id), triage.html_escape(title), triage.html_escape(description))
		|| coalesce((
			SELECT string_agg(format('<g><title>%s</title><rect class="hit" x="%s" width="10" height="100"/>', triage.html_escape(b.tip), b.n * 10 - 10)
					|| triage.svg_bar(CASE WHEN parts IS NULL THEN 'full' ELSE 'whole' END, b.n, b.amount / top)
					|| triage.svg_bar('full', b.n, b.part / top) || '</g>', '' ORDER BY b.n)
				FROM unnest(amounts, parts, tips) WITH ORDINALITY AS b (amount, part, tip, n)
				WHERE b.amount IS NOT NULL), '')
		|| '</svg>'
$$;
COMMENT ON FUNCTION triage.svg_bars(text, text, text, text[], numeric[], numeric[], numeric) IS
	'a bar chart as wide as its place; id: unique in the page; amounts: one bar each, NULL leaves a gap; tips: what is said of each; parts: the share of each that is drawn darker, NULL for none; top: where the scale ends; returns SVG; raises nothing';
REVOKE ALL ON FUNCTION triage.svg_bars(text, text, text, text[], numeric[], numeric[], numeric) FROM PUBLIC;

CREATE FUNCTION triage.svg_sparkline(title text, counts bigint[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<svg class="spark" viewBox="0 0 %s 100" preserveAspectRatio="none" role="img" aria-label="%s"><title>%2$s</title>%3$s</svg>',
		cardinality(counts) * 10, triage.html_escape(title), coalesce((
			SELECT string_agg(triage.svg_bar('full', c.n, c.count::numeric / c.top), '' ORDER BY c.n)
				FROM (SELECT u.*, max(u.count) OVER () AS top FROM unnest(counts) WITH ORDINALITY AS u (count, n)) c
				WHERE c.count > 0), ''))
$$;
COMMENT ON FUNCTION triage.svg_sparkline(text, bigint[]) IS
	'a small bar chart without a scale, for a cell of a table; title: what it shows, in words; returns SVG; raises nothing';
REVOKE ALL ON FUNCTION triage.svg_sparkline(text, bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.html_table(id text, caption text, heads text[], body text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<div class="wide"><table id="%s"><caption>%s</caption><thead><tr>%s</tr></thead><tbody>%s</tbody></table></div>',
		triage.html_escape(id), triage.html_escape(caption),
		(SELECT string_agg(format('<th scope="col">%s</th>', triage.html_escape(h.head)), '' ORDER BY h.n)
			FROM unnest(heads) WITH ORDINALITY AS h (head, n)), coalesce(body, ''))
$$;
COMMENT ON FUNCTION triage.html_table(text, text, text[], text) IS
	'a table with caption and column heads, which are escaped; body: its rows as HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.html_table(text, text, text[], text) FROM PUBLIC;

-- A chart with its words: heading, end of the scale, first and last day, and the same figures as a table.
CREATE FUNCTION triage.html_chart(id text, title text, description text, unit text, days date[], words text[], amounts numeric[], parts numeric[],
	top numeric, top_text text, columns text[], figures text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<figure><figcaption><strong>%s</strong> %s</figcaption><div class="plot"><span class="top">%s</span>%s</div>'
			'<div class="axis"><span>%s</span><span>%s</span></div>',
			triage.html_escape(title), triage.html_escape(description), triage.html_escape(top_text),
			triage.svg_bars(id, title, description, words, amounts, parts, top),
			triage.html_escape(triage.html_date(days[1], unit)), triage.html_escape(triage.html_date(days[cardinality(days)], unit)))
		|| format('<details><summary>Figures by %s</summary>%s</details></figure>', triage.html_escape(unit),
			triage.html_table(id || '-table', title || ' by ' || unit, initcap(unit) || columns, figures))
$$;
COMMENT ON FUNCTION triage.html_chart(text, text, text, text, date[], text[], numeric[], numeric[], numeric, text, text[], text) IS
	'svg_bars() with heading, scale and the figures as a table; unit: day, week or month; words: of each bar; columns: heads of the table after the first; figures: its rows as HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.html_chart(text, text, text, text, date[], text[], numeric[], numeric[], numeric, text, text[], text) FROM PUBLIC;

CREATE FUNCTION triage.html_row(head text, cells text[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<tr><th scope="row">%s</th>%s</tr>', head,
		(SELECT string_agg(format('<td>%s</td>', coalesce(c.cell, '&#8211;')), '' ORDER BY c.n) FROM unnest(cells) WITH ORDINALITY AS c (cell, n)))
$$;
COMMENT ON FUNCTION triage.html_row(text, text[]) IS
	'a row of a table; head and cells are HTML already, escaped by the caller; NULL shows as a dash; raises nothing';
REVOKE ALL ON FUNCTION triage.html_row(text, text[]) FROM PUBLIC;

-- Counts with their shares, each with a bar, which is longest for the greatest.
CREATE FUNCTION triage.html_shares(id text, caption text, heads text[], labels text[], counts bigint[]) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('<div class="bars">%s</div>', triage.html_table(id, caption, heads || 'Share'::text, string_agg(
			triage.html_row(format('<bdi>%s</bdi>', triage.html_text(c.label, 40)), ARRAY[triage.html_number(c.count), format(
				'<div class="share"><span>%s %%</span><svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">%s</svg></div>',
				CASE c.count WHEN 0 THEN '0' ELSE round(100.0 * c.count / c.total, 1)::text END,
				CASE WHEN c.count > 0 THEN format('<rect class="full" width="%s" height="10"/>', greatest(round(100.0 * c.count / c.most, 2), 0.5)) ELSE '' END)]),
			'' ORDER BY c.n)))
		FROM (
			SELECT u.*, sum(u.count) OVER () AS total, max(u.count) OVER () AS most
				FROM unnest(labels, counts) WITH ORDINALITY AS u (label, count, n)) c
$$;
COMMENT ON FUNCTION triage.html_shares(text, text, text[], text[], bigint[]) IS
	'a table of counts with the share of each in their sum, as a number and as a bar; heads: of the first two columns; labels are escaped; raises nothing';
REVOKE ALL ON FUNCTION triage.html_shares(text, text, text[], text[], bigint[]) FROM PUBLIC;

CREATE FUNCTION triage.html_section(id text, title text, content text) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'<section id="%s" aria-labelledby="%1$s-heading"><h2 id="%1$s-heading">%s</h2>%s</section>\n',
		triage.html_escape(id), triage.html_escape(title), content)
$$;
COMMENT ON FUNCTION triage.html_section(text, text, text) IS 'a section of the page: id and title are escaped, content is HTML; raises nothing';
REVOKE ALL ON FUNCTION triage.html_section(text, text, text) FROM PUBLIC;

-- One accent; a tint of it is the whole where the accent is a part.  Text has a contrast of 5 : 1 at least on its ground.
CREATE FUNCTION triage.html_style() RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
	SET search_path = pg_catalog, pg_temp
AS $style$
	SELECT $css$
:root { color-scheme: light dark; --ground: #fcfcfa; --text: #1c1e21; --muted: #5c626b; --rule: #e3e3de; --accent: #2b5bc7; --tint: #a6bdee; }
@media (prefers-color-scheme: dark) {
	:root { --ground: #131518; --text: #e7e9ec; --muted: #9da4ae; --rule: #2a2e34; --accent: #82a8ff; --tint: #435c95; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 64rem; padding: 3rem 1.5rem 2rem; background: var(--ground); color: var(--text); overflow-wrap: break-word;
	font: 1rem/1.55 -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, system-ui, sans-serif; font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: 2.1rem; line-height: 1.15; letter-spacing: -0.02em; }
h2 { margin: 0 0 1.25rem; font-size: 1.3rem; line-height: 1.25; letter-spacing: -0.01em; }
p { margin: 0 0 1rem; max-width: 44rem; }
header p { margin: 0.5rem 0 0; color: var(--muted); }
section { padding: 2.25rem 0 2.5rem; border-top: 1px solid var(--rule); }
footer { padding: 1.5rem 0; border-top: 1px solid var(--rule); color: var(--muted); font-size: 0.85rem; }
.note, .none { color: var(--muted); }
.keys { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1.5rem 2rem; margin: 2.25rem 0 2.5rem; }
.keys dt { color: var(--muted); font-size: 0.85rem; }
.keys dd { margin: 0; font-size: 1.75rem; font-weight: 600; line-height: 1.3; letter-spacing: -0.02em; }
.keys dd + dd { color: var(--muted); font-size: 0.85rem; font-weight: 400; line-height: 1.4; letter-spacing: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); gap: 2rem 3.5rem; }
.pair > * { min-width: 0; }
figure { margin: 0; }
figure + figure, .bars + .words, .bars + p { margin-top: 2.25rem; }
figcaption { margin-bottom: 1.5rem; color: var(--muted); font-size: 0.9rem; }
figcaption strong, caption { color: var(--text); font-weight: 600; }
.plot { position: relative; border-top: 1px dashed var(--rule); border-bottom: 1px solid var(--muted); }
.plot .top { position: absolute; top: -1.35rem; color: var(--muted); font-size: 0.8rem; }
.chart { display: block; width: 100%; height: 9rem; }
.axis { display: flex; justify-content: space-between; margin-top: 0.3rem; color: var(--muted); font-size: 0.8rem; }
.full { fill: var(--accent); }
.whole { fill: var(--tint); }
.hit { fill: transparent; }
g:hover .hit { fill: var(--rule); }
.share { display: grid; grid-template-columns: 3.6rem 1fr; gap: 0.9rem; align-items: center; }
.share svg { width: 100%; height: 0.55rem; }
.spark { display: block; width: 100%; height: 2.25rem; margin-bottom: 0.4rem; border-bottom: 1px solid var(--rule); }
details { margin-top: 0.9rem; font-size: 0.9rem; }
summary { color: var(--muted); cursor: pointer; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
.wide { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 0.92rem; }
caption { padding-bottom: 0.6rem; text-align: left; }
th, td { padding: 0.4rem 0 0.4rem 1.25rem; border-bottom: 1px solid var(--rule); text-align: right; vertical-align: baseline; font-weight: 400; }
th:first-child { padding-left: 0; text-align: left; }
thead th { color: var(--muted); font-size: 0.8rem; }
.bars td:last-child { width: 52%; }
.bars thead th:last-child { text-align: left; padding-left: 2.6rem; }
.words td, .words th { text-align: left; }
.words th:first-child, .words td:last-child, .bars th:first-child { white-space: nowrap; }
.issues { margin: 0; padding: 0; list-style: none; }
.issues > li { display: grid; grid-template-columns: minmax(0, 1fr) 12.5rem; gap: 0.25rem 2.5rem; padding: 1.5rem 0; border-bottom: 1px solid var(--rule); }
.issues > li:last-child { border-bottom: 0; padding-bottom: 0; }
.issues h3 { margin: 0; font-size: 1.05rem; line-height: 1.35; }
.issues p { margin: 0.15rem 0 0; }
.issues .facts, .issues .note { color: var(--muted); font-size: 0.88rem; }
.issues .curve { color: var(--muted); font-size: 0.8rem; }
.issues .curve strong { color: var(--text); font-weight: 600; }
.flag { padding: 0.05rem 0.45rem; border: 1px solid currentColor; border-radius: 1rem; color: var(--accent); font-size: 0.75rem; font-weight: 600; white-space: nowrap; }
blockquote { margin: 0.6rem 0 0; padding-left: 0.9rem; border-left: 2px solid var(--tint); max-width: 44rem; font-size: 0.95rem; }
blockquote .note { white-space: nowrap; }
@media (min-width: 56rem) { .keys { grid-template-columns: repeat(6, auto); } }
@media (max-width: 34rem) {
	body { padding: 2rem 1.1rem 1rem; }
	h1 { font-size: 1.65rem; }
	.keys { grid-template-columns: 1fr 1fr; gap: 1.25rem; }
	.keys dd { font-size: 1.4rem; }
	.chart { height: 7rem; }
	.issues > li { grid-template-columns: minmax(0, 1fr); }
	.issues .curve { max-width: 16rem; margin-top: 0.75rem; }
	th, td { padding-left: 0.8rem; }
}
@media print {
	:root { color-scheme: light; --ground: #fff; --text: #000; --muted: #444; --rule: #ccc; --accent: #2b5bc7; --tint: #a6bdee; }
	body { max-width: none; padding: 0; font-size: 0.85rem; }
	svg { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
	details:not([open]) { display: none; }
	h2, caption, figcaption { break-after: avoid; }
	figure, tr, .issues > li { break-inside: avoid; }
}
@media (prefers-reduced-motion: no-preference) { .hit { transition: fill 0.1s; } }
$css$
$style$;
COMMENT ON FUNCTION triage.html_style() IS 'the style of the page: a constant, in which nothing from outside ever stands; raises nothing';
REVOKE ALL ON FUNCTION triage.html_style() FROM PUBLIC;
