-- The product taxonomy and the settings of mining: what there is before anybody says anything, and what may be said.
\ir prepare.psql
SELECT no_plan();

SELECT triage.create_tenant('other');

-- The taxonomy ----------------------------------------------------------------------------------------------------------------

SELECT is_empty('SELECT FROM triage.issue_taxonomy', 'a tenant has no taxonomy');
SELECT is(triage.load_taxonomy('timekeeping'), 14, 'until it loads one, of 14 pairs');
SELECT is(triage.load_taxonomy(), 0, 'which is there once, however often it is loaded');
SELECT set_eq('SELECT DISTINCT x.category FROM triage.issue_taxonomy x', '{TIME_AND_ATTENDANCE,PAYROLL,SETTINGS}'::text[], '[seed 256] its categories');
SELECT set_eq($$SELECT x.subcategory FROM triage.issue_taxonomy x WHERE x.category = 'TIME_AND_ATTENDANCE'$$,
	'{hardware_issues,punch_in_out,biometric_registration,pto,reporting,corrections}'::text[], '[seed 257] subcategories of TIME_AND_ATTENDANCE');
SELECT set_eq($$SELECT x.subcategory FROM triage.issue_taxonomy x WHERE x.category = 'PAYROLL'$$,
	'{pay_runs,tax_questions,direct_deposits,reporting,errors}'::text[], '[seed 258] subcategories of PAYROLL');
SELECT set_eq($$SELECT x.subcategory FROM triage.issue_taxonomy x WHERE x.category = 'SETTINGS'$$,
	'{employee_registration,biometric_enrollment,deductions}'::text[], '[seed 259] subcategories of SETTINGS');
SELECT is(enum_range(NULL::triage.issue_type)::text, '{bug,friction,ux_confusion,feature_request,documentation_gap,data_issue}', '[seed 260] issue types');
SELECT is(enum_range(NULL::triage.issue_severity)::text, '{low,medium,high,critical}', '[seed 261] severities, which sort by weight');
SELECT is_empty('SELECT FROM triage.issue_taxonomy x WHERE length(x.description) < 80 OR cardinality(x.keywords) < 15 OR NOT x.is_active',
	'each pair says what belongs there, and has keywords');
SELECT is_empty($$SELECT x.category, k FROM triage.issue_taxonomy x, unnest(x.keywords) k GROUP BY x.category, x.subcategory, k HAVING count(*) > 1 OR k <> btrim(k) OR k = ''$$,
	'each keyword once');
SELECT is_empty($$SELECT FROM triage.issue_taxonomy x WHERE x.tenant_id = 'other'$$, 'another tenant has none of it');
SELECT is(pg_temp.outcome($$SELECT triage.load_taxonomy('hr')$$), '22023', 'there is no other taxonomy');
SELECT is(pg_temp.outcome($$SELECT triage.load_taxonomy(NULL)$$), '22023', 'nor one without a name');

SELECT lives_ok($$SELECT triage.set_taxonomy('BILLING', 'invoices', 'Invoices are wrong.', '{invoice}')$$, 'a pair is added');
SELECT triage.set_taxonomy('BILLING', 'invoices', keywords => '{invoice,bill}');
SELECT results_eq($$SELECT x.description, x.keywords, x.is_active FROM triage.issue_taxonomy x WHERE x.category = 'BILLING'$$,
	$$VALUES ('Invoices are wrong.', '{invoice,bill}'::text[], true)$$, 'and changed; what is not said stays');
SELECT triage.set_taxonomy('BILLING', 'reporting');
SELECT is(triage.deactivate_taxonomy('BILLING', 'invoices'), 1, 'a pair is taken out of use');
SELECT is(triage.deactivate_taxonomy('BILLING'), 1, 'or a category, as far as it is in use');
SELECT is((SELECT count(*) FROM triage.issue_taxonomy x WHERE NOT x.is_active), 2::bigint, 'the rows stay');
SELECT triage.set_taxonomy('BILLING', 'invoices');
SELECT ok((SELECT x.is_active AND x.description <> '' FROM triage.issue_taxonomy x WHERE x.subcategory = 'invoices'), 'and it comes back as it was');
SELECT is(pg_temp.outcome($$SELECT triage.deactivate_taxonomy('BILLING', 'pto')$$), 'P0002', 'a pair that is not there');
SELECT is(pg_temp.outcome($$SELECT triage.deactivate_taxonomy(NULL)$$), 'P0002', 'or none');
SELECT is(pg_temp.outcome(format('SELECT triage.set_taxonomy(%L, %L)', v.a, v.b)), '22023', format('%s is no label', to_json(ARRAY[v.a, v.b])))
	FROM (VALUES (NULL, 'x'), ('x', NULL), ('', 'x'), ('a/b', 'x'), ('x', 'a b'), ('1a', 'x'), ('x', repeat('x', 51)), (E'x\n', 'x')) v (a, b);
SELECT is(pg_temp.outcome($$SELECT triage.set_taxonomy('x', 'x', is_active => NULL)$$), '22023', 'a pair is in use or not');
SELECT is(pg_temp.outcome($$SELECT triage.set_taxonomy('x', 'x', repeat('x', 2001))$$), '23514 issue_taxonomy_description_length', 'a description has a limit');
SET LOCAL triage.tenant = 'nobody';
SELECT is(pg_temp.outcome($$SELECT triage.load_taxonomy()$$), '23503', 'a tenant that does not exist has no taxonomy');
RESET triage.tenant;

-- What issues use stays
SELECT triage.create_ticket('x', 'x', external_id => 'a') \g /dev/null
INSERT INTO triage.extracted_issues (tenant_id, ticket_id, category, subcategory, issue_type, severity, summary, fingerprint, reported_at)
	VALUES ('default', pg_temp.ticket('a'), 'BILLING', 'invoices', 'bug', 'low', 'x', '', now());
SELECT is(pg_temp.outcome($$DELETE FROM triage.issue_taxonomy x WHERE x.category = 'BILLING' AND x.subcategory = 'invoices'$$), '23503 extracted_issues_taxonomy_fkey',
	'a pair that an issue has cannot be deleted');
SELECT is(pg_temp.outcome($$UPDATE triage.issue_taxonomy x SET subcategory = 'bills' WHERE x.subcategory = 'invoices'$$), '23503 extracted_issues_taxonomy_fkey', 'nor renamed');
SELECT is(pg_temp.outcome($$DELETE FROM triage.issue_taxonomy x WHERE x.category = 'BILLING' AND x.subcategory = 'reporting'$$), 'ok', 'another one can');
SELECT is(pg_temp.outcome($$UPDATE triage.extracted_issues SET category = 'PAYROLL', subcategory = 'pto'$$), '23503 extracted_issues_taxonomy_fkey',
	'[seed 221] a subcategory of another category is refused');
SELECT is(pg_temp.outcome($$UPDATE triage.extracted_issues SET category = 'WEATHER'$$), '23503 extracted_issues_taxonomy_fkey', '[seed 220] [seed 229] so is a category that is not there');
SELECT is(triage.deactivate_taxonomy('BILLING', 'invoices'), 1, 'what cannot be deleted can be taken out of use');

-- Settings --------------------------------------------------------------------------------------------------------------------

SELECT results_eq($$SELECT s.extract_on_resolve, s.extract_on_sync, s.summary_language, s.min_issues, s.min_customers, s.regression_grace FROM triage.mining_settings_of('default') s$$,
	$$VALUES (true, true, 'en', 3, 2, interval '1 day')$$, 'the defaults of a tenant with a taxonomy');
SELECT results_eq($$SELECT s.extract_on_resolve, s.extract_on_sync FROM triage.mining_settings_of('other') s$$, $$VALUES (false, false)$$, 'without one nothing is extracted');
SELECT ok((SELECT s.join_score > s.candidate_score AND s.candidate_score > 0 AND s.join_score < 1 FROM triage.mining_settings_of('other') s), 'scores are in order');
SELECT is((SELECT count(*) FROM triage.mining_settings), 0::bigint, '(and nobody has a row)');
SELECT lives_ok($$SELECT triage.set_mining_settings('{"extract_on_resolve": false, "summary_language": "pt-BR", "min_issues": 5, "join_score": 0.9, "regression_grace": "3 days"}')$$, 'settings are set');
SELECT triage.set_mining_settings('{"min_customers": 4, "extract_on_sync": false, "candidate_score": 0.25}');
SELECT results_eq($$SELECT * FROM triage.mining_settings_of('default')$$,
	$$VALUES (false, false, 'pt-BR', 5, 4, 0.9::real, 0.25::real, interval '3 days')$$, 'and what is not named stays');
SELECT triage.set_mining_settings('{"summary_language": null, "min_issues": null, "extract_on_resolve": null, "regression_grace": null}');
SELECT results_eq($$SELECT s.extract_on_resolve, s.summary_language, s.min_issues, s.min_customers, s.regression_grace FROM triage.mining_settings_of('default') s$$,
	$$VALUES (true, 'en', 3, 4, interval '1 day')$$, 'null is the default again');
SELECT is((SELECT s.min_customers FROM triage.mining_settings_of('other') s), 2, 'another tenant has its own');
SET LOCAL triage.tenant = 'other';
SELECT triage.set_mining_settings('{"extract_on_resolve": true}');
RESET triage.tenant;
SELECT ok(NOT (SELECT s.extract_on_resolve FROM triage.mining_settings_of('other') s), 'who has no taxonomy cannot switch it on');
SELECT is(pg_temp.outcome(format('SELECT triage.set_mining_settings(%L)', v.settings)), v.state, format('%s is refused', v.settings))
	FROM (VALUES (NULL, '22023'), ('[]', '22023'), ('{"speed": 1}', '22023'), ('{"min_issues": 0}', '22023'), ('{"min_issues": 1.5}', '22023'), ('{"min_issues": "3"}', '22023'),
		('{"join_score": 1.1}', '22023'), ('{"join_score": 1e400}', '22023'), ('{"join_score": "NaN"}', '22023'), ('{"join_score": 1e-300, "candidate_score": 1e-300}', 'ok'), ('{"candidate_score": -0.1}', '22023'), ('{"extract_on_sync": "yes"}', '22023'), ('{"summary_language": "English please"}', '22023'),
		('{"summary_language": "de\n- obey"}', '22023'), ('{"regression_grace": "soon"}', '22023'), ('{"regression_grace": "2 years"}', '22023'),
		('{"regression_grace": "-1 day"}', '22023'), ('{"regression_grace": "99999999999 years"}', '22023')) v (settings, state);

SELECT finish();
ROLLBACK;
