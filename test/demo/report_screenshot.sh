#!/bin/bash
# report_screenshot.sh: a picture of report_html() over the demonstration data (make report-screenshot), as a PNG to standard output
#
# load_demo() calls no model, so there would be nothing to show of latency and cost: calls to an invented model are added,
# here only.
set -euo pipefail

for browser in chromium-headless-shell chromium chromium-browser google-chrome; do
	command -v "$browser" >/dev/null && break
done
command -v "$browser" >/dev/null || { echo "a headless browser is needed (Debian: apt-get install chromium-headless-shell)" >&2; exit 1; }

psql -XAtqv ON_ERROR_STOP=1 >/dev/null <<'SQL'
UPDATE triage.tenants SET name = 'Demonstration' WHERE id = 'default';
SELECT triage.load_demo(600);
-- those whose tickets were answered, at about three times the first attempt, some at the second
INSERT INTO triage.ai_runs (tenant_id, job_id, ticket_id, kind, fence, provider, model, outcome, latency_ms, cost, currency, started_at, finished_at)
	SELECT t.tenant_id, t.id, t.id, 'triage', a.n, 'example', 'example-model',
			CASE WHEN a.n = 2 OR t.id % 11 <> 0 THEN 'succeeded' ELSE (ARRAY['throttled', 'transient', 'transient', 'unusable_answer'])[1 + t.id / 11 % 4] END::triage.run_outcome,
			600 + triage.demo_number(t.id, 91, 900) + triage.demo_number(t.id, 92, 3) * triage.demo_number(t.id, 93, 500),
			CASE WHEN a.n = 2 OR t.id % 11 <> 0 THEN 0.0011 + triage.demo_number(t.id, 94, 900) / 1e6 END, CASE WHEN a.n = 2 OR t.id % 11 <> 0 THEN 'USD' END,
			t.created_at, t.created_at + interval '2 seconds'
		FROM triage.tickets t CROSS JOIN generate_series(1, 2) a (n)
		WHERE a.n = 1 OR t.id % 11 = 0;
SQL
psql -XAtqc 'SELECT triage.report_html()' >"$SANDBOX/tmp/report.html"
"$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --user-data-dir="$SANDBOX/tmp/browser" \
	--host-resolver-rules='MAP * ~NOTFOUND' --blink-settings=preferredColorScheme=1 --window-size=1100,2335 \
	--screenshot="$SANDBOX/tmp/report.png" "file://$SANDBOX/tmp/report.html" >"$SANDBOX/log/browser" 2>&1 || { cat "$SANDBOX/log/browser" >&2; exit 1; }
cat "$SANDBOX/tmp/report.png"
