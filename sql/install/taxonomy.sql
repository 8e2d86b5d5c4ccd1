-- The product taxonomy that issues are sorted into, and the settings of mining: rows of a tenant, with what is so unless
-- it says otherwise.
--
-- A tenant has no taxonomy until it loads or makes one; without an active pair nothing is ever asked of the model.

-- The taxonomy -------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.check_taxonomy_name(category text, subcategory text) RETURNS void
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF category IS NULL OR category !~ '^[A-Za-z][A-Za-z0-9_]{0,49}$' OR subcategory IS NULL
		OR subcategory !~ '^[A-Za-z][A-Za-z0-9_]{0,49}$'
	THEN
		RAISE EXCEPTION 'category and subcategory are names of 1 to 50 ASCII letters, digits and underscores that begin with a letter'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'They go to the model as the label category/subcategory; describe them in description.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.check_taxonomy_name(text, text) IS
	'checks that a pair of the taxonomy has names that can be labels; returns nothing; raises 22023 when it has not';
REVOKE ALL ON FUNCTION triage.check_taxonomy_name(text, text) FROM PUBLIC;

CREATE FUNCTION triage.set_taxonomy(category text, subcategory text, description text DEFAULT NULL, keywords text[] DEFAULT NULL,
	is_active boolean DEFAULT true)
	RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_tenant();
	PERFORM triage.check_taxonomy_name(category, subcategory);
	IF is_active IS NULL THEN
		RAISE EXCEPTION 'is_active must be true or false'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'false: no further issue gets this label; those that have it keep it.';
	ELSIF array_ndims(keywords) > 1 THEN
		RAISE EXCEPTION 'keywords must be a one-dimensional array'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Write them like {login,password}, without further braces.';
	ELSIF array_position(keywords, NULL) IS NOT NULL OR cardinality(keywords) > 500 THEN
		RAISE EXCEPTION 'keywords must be at most 500, none of them NULL'
			USING ERRCODE = 'check_violation', SCHEMA = 'triage', TABLE = 'issue_taxonomy', CONSTRAINT = 'issue_taxonomy_keywords',
				HINT = 'array_remove(keywords, NULL) takes the NULLs out; a few telling words serve best.';
	END IF;
	PERFORM triage.check_length('issue_taxonomy', 'description', description, 0, 2000, 'A sentence or two tell the model what belongs there.');
	INSERT INTO triage.issue_taxonomy AS x (tenant_id, category, subcategory, description, keywords, is_active)
		VALUES (triage.current_tenant(), set_taxonomy.category, set_taxonomy.subcategory, coalesce(set_taxonomy.description, ''),
			coalesce(set_taxonomy.keywords, '{}'), set_taxonomy.is_active)
		ON CONFLICT ON CONSTRAINT issue_taxonomy_pkey DO UPDATE
			SET description = coalesce(set_taxonomy.description, x.description),
				keywords = coalesce(set_taxonomy.keywords, x.keywords), is_active = excluded.is_active;
END
$$;
COMMENT ON FUNCTION triage.set_taxonomy(text, text, text, text[], boolean) IS
	'adds a pair to the current tenant''s taxonomy of product issues, or changes it; category, subcategory: 1 to 50 ASCII letters, digits and underscores; description: what belongs there, for the model, at most 2000 characters; keywords: for text search, at most 500; NULL leaves what is there; is_active: whether issues may get it; returns nothing; raises 22023 for names that cannot be labels and for keywords that are an array of arrays, 23514 when description or keywords are too many or one is NULL, 23503 when the tenant does not exist, 42501 without rights on the table';
REVOKE ALL ON FUNCTION triage.set_taxonomy(text, text, text, text[], boolean) FROM PUBLIC;

CREATE FUNCTION triage.deactivate_taxonomy(category text, subcategory text DEFAULT NULL) RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	changed int;
BEGIN
	PERFORM triage.check_schema();
	IF NOT EXISTS (
		SELECT FROM triage.issue_taxonomy x
			WHERE x.tenant_id = triage.current_tenant() AND x.category = deactivate_taxonomy.category
				AND (deactivate_taxonomy.subcategory IS NULL OR x.subcategory = deactivate_taxonomy.subcategory))
	THEN
		RAISE EXCEPTION 'the taxonomy has no %', coalesce(quote_literal(left(concat_ws('/', category, subcategory), 200)), 'NULL')
			USING ERRCODE = 'no_data_found', HINT = 'triage.issue_taxonomy lists it.';
	END IF;
	UPDATE triage.issue_taxonomy x
		SET is_active = false
		WHERE x.tenant_id = triage.current_tenant() AND x.category = deactivate_taxonomy.category AND x.is_active
			AND (deactivate_taxonomy.subcategory IS NULL OR x.subcategory = deactivate_taxonomy.subcategory);
	GET DIAGNOSTICS changed = ROW_COUNT;
	RETURN changed;
END
$$;
COMMENT ON FUNCTION triage.deactivate_taxonomy(text, text) IS
	'takes a pair of the current tenant''s taxonomy, or with subcategory NULL a whole category, out of what the model may choose; issues and clusters that have it keep it, and set_taxonomy() brings it back; returns how many were active; raises P0002 when there is none such, 42501 without rights on the table';
REVOKE ALL ON FUNCTION triage.deactivate_taxonomy(text, text) FROM PUBLIC;

CREATE FUNCTION triage.load_taxonomy(name text DEFAULT 'timekeeping') RETURNS int
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	loaded int;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_tenant();
	IF name IS DISTINCT FROM 'timekeeping' THEN
		RAISE EXCEPTION 'there is no taxonomy "%"', coalesce(left(name, 100), 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'There is one, timekeeping. Make your own with set_taxonomy().';
	END IF;
	INSERT INTO triage.issue_taxonomy (tenant_id, category, subcategory, description, keywords)
		SELECT triage.current_tenant(), v.category, v.subcategory, v.description, string_to_array(v.keywords, '|')
			FROM (VALUES
				('TIME_AND_ATTENDANCE', 'hardware_issues',
					'Time clocks, terminals, kiosks, tablets and readers as devices: offline, frozen, blank screen, no power, no connection, wrong clock time, firmware. When the device works and a punch is still wrong or missing, it is punch_in_out; when it does not know a finger or a face, biometric_registration.',
					'time clock|terminal|kiosk|tablet|device|hardware|reader|badge reader|card reader|scanner|screen|touchscreen|blank screen|frozen|offline|disconnected|power|power supply|cable|battery|reboot|restart|firmware|network|wifi|ethernet|sync|printer'),
				('TIME_AND_ATTENDANCE', 'punch_in_out',
					'Recording work time as it happens: clocking in and out, breaks and meals, by clock, web or phone, also by location. Punches that are refused, lost, doubled, late or on the wrong job or day. Repairing recorded time afterwards is corrections.',
					'punch|punch in|punch out|clock in|clock out|clocking|check in|check out|missed punch|duplicate punch|double punch|lost punch|break|meal|lunch|geofence|gps|location|mobile app|shift|late|early|rounding|overtime alert|job code|badge'),
				('TIME_AND_ATTENDANCE', 'biometric_registration',
					'The reader does not know somebody at the clock: finger, face, palm or hand not read, taken for another person, has to be tried many times, or is lost after an update. Putting a person''s biometrics into the system for the first time, and consent to it, is biometric_enrollment.',
					'biometric|biometrics|fingerprint|finger|thumb|face|facial recognition|face id|palm|hand|scan|scanner|not recognized|not recognised|recognition|unreadable|rejected|false match|retry|template|re-register|register again|cold fingers|gloves|mask'),
				('TIME_AND_ATTENDANCE', 'pto',
					'Time off: vacation, sick leave and other absences, their requests, approvals, balances, accruals, carry-over, policies and holiday calendars. What an absence is paid is pay_runs.',
					'pto|time off|vacation|leave|sick|sick leave|absence|day off|holiday|holidays|balance|accrual|accrue|accrued|carryover|carry over|rollover|request|approve|approval|deny|policy|calendar|fmla|maternity|parental|unpaid leave|bereavement|hours remaining'),
				('TIME_AND_ATTENDANCE', 'reporting',
					'Reports, exports, dashboards and views of hours, attendance, overtime and absences: missing, wrong, slow, hard to read, or not offered. Reports about pay are PAYROLL/reporting.',
					'report|reporting|timesheet report|attendance report|hours report|overtime report|export|csv|excel|spreadsheet|pdf|dashboard|chart|filter|column|date range|totals|summary|schedule report|print|download|custom report|labor cost'),
				('TIME_AND_ATTENDANCE', 'corrections',
					'Changing recorded time afterwards: editing timesheets, adding forgotten punches, approving and locking periods, who may change what, and the trace of changes.',
					'correction|correct|edit|adjust|adjustment|fix time|timesheet|time card|timecard|missing hours|forgot to punch|add punch|delete punch|approve timesheet|manager approval|supervisor|lock|locked|unlock|pay period|audit|history|change request|retroactive'),
				('PAYROLL', 'pay_runs',
					'Running payroll: starting, previewing, approving, correcting, cancelling a pay run; wrong or missing hours, rates, overtime, bonuses or back pay in it; pay stubs; off-cycle runs and schedules. An error message that stops a run is errors; money that does not arrive is direct_deposits.',
					'payroll|pay run|run payroll|payrun|paycheck|pay check|pay stub|payslip|wage|wages|salary|rate|hourly rate|overtime|bonus|commission|back pay|retro pay|off cycle|gross|net pay|pay period|pay schedule|pay date|preview|submit payroll|approve payroll|void'),
				('PAYROLL', 'tax_questions',
					'Taxes on pay: withholding, tax forms and filings, rates, jurisdictions, exemptions, year-end statements, notices of authorities.',
					'tax|taxes|withholding|withheld|w-2|w2|w-4|w4|1099|941|940|form|filing|file|irs|federal|state tax|local tax|fica|medicare|social security|unemployment|futa|suta|exempt|exemption|allowance|year end|tax notice|tax rate|tax id|ein'),
				('PAYROLL', 'direct_deposits',
					'Paying wages to bank accounts: late, missing, returned or split deposits, account and routing numbers, verification, pre-notes, change of bank.',
					'direct deposit|deposit|bank|bank account|account number|routing number|ach|transfer|funds|paid late|not received|missing deposit|returned|rejected deposit|split deposit|prenote|pre-note|verification|verify account|pay card|savings|checking'),
				('PAYROLL', 'reporting',
					'Reports, exports, journals and statements about pay: payroll registers, cost, tax and deduction reports, export to accounting. Reports about hours are TIME_AND_ATTENDANCE/reporting.',
					'payroll report|payroll register|register|journal|general ledger|gl|export|accounting|quickbooks|csv|excel|pdf|labor cost|cost center|department totals|summary|year to date|ytd|download|reconcile|reconciliation|earnings report|deduction report'),
				('PAYROLL', 'errors',
					'Payroll stops or fails: error messages and codes, validation that cannot be passed, runs that hang, crash or time out, totals that do not add up by the software''s fault.',
					'payroll error|error|error code|error message|failed|failure|fails|crash|stuck|hang|hangs|timeout|timed out|exception|validation|invalid|cannot submit|unable to submit|processing|negative net pay|mismatch|does not add up|duplicate payment|500'),
				('SETTINGS', 'employee_registration',
					'Employees in the system: adding, importing, inviting, changing, moving, rehiring and ending them; log-ins, roles and permissions of employees and managers; departments, positions and locations.',
					'employee|add employee|new employee|new hire|onboarding|register|registration|invite|invitation|import employees|profile|rehire|terminate|termination|deactivate|department|position|location|manager|supervisor|role|permission|permissions|login|password|account|email address|employee id|duplicate employee'),
				('SETTINGS', 'biometric_enrollment',
					'Setting up biometrics: enrolling a person''s finger, face or hand for the first time, consent and privacy forms, who may enroll, copying templates to other clocks, deleting them, switching biometrics on or off. Not being recognised later is biometric_registration.',
					'enroll|enrol|enrollment|enrolment|biometric enrollment|enroll fingerprint|enroll face|consent|consent form|privacy|bipa|gdpr|opt out|opt in|template|templates|transfer template|copy to clock|delete biometric|enable biometric|disable biometric|setup wizard'),
				('SETTINGS', 'deductions',
					'Setting up what is taken from pay: benefits, insurance, retirement plans, loans, garnishments, their amounts, limits, order, start and end.',
					'deduction|deductions|benefit|benefits|insurance|health insurance|dental|401k|401(k)|retirement|pension|hsa|fsa|garnishment|child support|loan|union dues|pre-tax|post-tax|pretax|employer match|contribution|percentage|limit|arrears|deduction code')
				) v (category, subcategory, description, keywords)
		ON CONFLICT ON CONSTRAINT issue_taxonomy_pkey DO NOTHING;
	GET DIAGNOSTICS loaded = ROW_COUNT;
	RETURN loaded;
END
$$;
COMMENT ON FUNCTION triage.load_taxonomy(text) IS
	'gives the current tenant a taxonomy of product issues; name: timekeeping, the 14 pairs of a product for time, attendance and payroll; pairs that are there already stay as they are; returns how many were added; raises 22023 for another name, 23503 when the tenant does not exist, 42501 without rights on the table';
REVOKE ALL ON FUNCTION triage.load_taxonomy(text) FROM PUBLIC;

-- Settings -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.mining_settings_of(tenant_id text)
	RETURNS TABLE (extract_on_resolve boolean, extract_on_sync boolean, summary_language text, min_issues int,
		min_customers int, join_score real, candidate_score real, regression_grace interval)
	LANGUAGE plpgsql STABLE ROWS 1
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT t.is_there AND coalesce(s.extract_on_resolve, true), t.is_there AND coalesce(s.extract_on_sync, true),
				coalesce(s.summary_language, 'en'), coalesce(s.min_issues, 3), coalesce(s.min_customers, 2),
				coalesce(s.join_score, 0.7), coalesce(s.candidate_score, 0.1), coalesce(s.regression_grace, '1 day')
			-- without a taxonomy there is nothing to ask
			FROM (SELECT EXISTS (
					SELECT FROM triage.issue_taxonomy x
						WHERE x.tenant_id = mining_settings_of.tenant_id AND x.is_active) AS is_there) t
			LEFT JOIN triage.mining_settings s ON s.tenant_id = mining_settings_of.tenant_id;
END
$$;
COMMENT ON FUNCTION triage.mining_settings_of(text) IS
	'the settings of mining that hold for a tenant: what its row of mining_settings says, and the default where that is null or there is none; extract_on_resolve and extract_on_sync are false while the tenant has no active taxonomy; one row; raises nothing';
REVOKE ALL ON FUNCTION triage.mining_settings_of(text) FROM PUBLIC;

CREATE FUNCTION triage.set_mining_settings(settings jsonb) RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	keys CONSTANT text := 'extract_on_resolve, extract_on_sync, summary_language, min_issues, min_customers, join_score, '
		'candidate_score, regression_grace';
	entry record;
	now_set record;
	grace interval;
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.check_tenant();
	IF jsonb_typeof(settings) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'settings must be a JSON object'
			USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys it may have: %s.', keys);
	END IF;
	FOR entry IN
		SELECT c.key, c.value, a.json_type, a.low, a.high, a.whole
			FROM jsonb_each(settings) c
			LEFT JOIN (VALUES
				('extract_on_resolve', 'boolean', NULL::numeric, NULL::numeric, false),
				('extract_on_sync', 'boolean', NULL, NULL, false),
				('summary_language', 'string', NULL, NULL, false),
				('min_issues', 'number', 1, 1000, true),
				('min_customers', 'number', 1, 1000, true),
				('join_score', 'number', 0, 1, false),
				('candidate_score', 'number', 0, 1, false),
				('regression_grace', 'string', NULL, NULL, false)) a (key, json_type, low, high, whole)
				ON a.key = c.key
			ORDER BY c.key
	LOOP
		IF entry.json_type IS NULL THEN
			RAISE EXCEPTION 'there is no mining setting "%"', left(entry.key, 100)
				USING ERRCODE = 'invalid_parameter_value', HINT = format('The keys are: %s.', keys);
		ELSIF jsonb_typeof(entry.value) NOT IN ('null', entry.json_type) THEN
			RAISE EXCEPTION 'mining setting "%" must be a JSON %, not %', entry.key, entry.json_type, jsonb_typeof(entry.value)
				USING ERRCODE = 'invalid_parameter_value', HINT = 'null stands for the default.';
		ELSIF jsonb_typeof(entry.value) = 'number' AND ((entry.value #>> '{}')::numeric NOT BETWEEN entry.low AND entry.high
			OR entry.whole AND (entry.value #>> '{}')::numeric <> trunc((entry.value #>> '{}')::numeric))
		THEN
			RAISE EXCEPTION 'mining setting "%" must be % from % to %', entry.key,
					CASE WHEN entry.whole THEN 'a whole number' ELSE 'a number' END, entry.low, entry.high
				USING ERRCODE = 'invalid_parameter_value', HINT = 'null stands for the default.';
		ELSIF entry.key = 'summary_language' AND entry.value #>> '{}' !~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$' THEN
			RAISE EXCEPTION 'mining setting "summary_language" must be a language tag'
				USING ERRCODE = 'invalid_parameter_value', HINT = 'For example en, de or pt-BR.';
		ELSIF entry.key = 'regression_grace' THEN
			BEGIN
				grace := entry.value #>> '{}';
			EXCEPTION WHEN data_exception THEN
				grace := '-1 second';
			END;
			IF grace NOT BETWEEN '0' AND '1 year' THEN
				RAISE EXCEPTION 'mining setting "regression_grace" must be an interval from 0 to a year'
					USING ERRCODE = 'invalid_parameter_value', HINT = 'For example "1 day" or "12 hours".';
			END IF;
		END IF;
	END LOOP;

	INSERT INTO triage.mining_settings (tenant_id) VALUES (triage.current_tenant()) ON CONFLICT DO NOTHING;
	SELECT * INTO now_set
		FROM triage.mining_settings s WHERE s.tenant_id = triage.current_tenant() FOR UPDATE;
	-- a key that is absent leaves its setting as it is
	UPDATE triage.mining_settings s
		SET extract_on_resolve = CASE WHEN settings ? 'extract_on_resolve' THEN (settings ->> 'extract_on_resolve')::boolean
				ELSE now_set.extract_on_resolve END,
			extract_on_sync = CASE WHEN settings ? 'extract_on_sync' THEN (settings ->> 'extract_on_sync')::boolean
				ELSE now_set.extract_on_sync END,
			summary_language = CASE WHEN settings ? 'summary_language' THEN settings ->> 'summary_language'
				ELSE now_set.summary_language END,
			min_issues = CASE WHEN settings ? 'min_issues' THEN (settings ->> 'min_issues')::numeric::int
				ELSE now_set.min_issues END,
			min_customers = CASE WHEN settings ? 'min_customers' THEN (settings ->> 'min_customers')::numeric::int
				ELSE now_set.min_customers END,
			-- a score has three decimals, and what is smaller than a real can be is an error
			join_score = CASE WHEN settings ? 'join_score' THEN round((settings ->> 'join_score')::numeric, 6)::real
				ELSE now_set.join_score END,
			candidate_score = CASE WHEN settings ? 'candidate_score' THEN round((settings ->> 'candidate_score')::numeric, 6)::real
				ELSE now_set.candidate_score END,
			regression_grace = CASE WHEN settings ? 'regression_grace' THEN (settings ->> 'regression_grace')::interval
				ELSE now_set.regression_grace END,
			updated_at = now()
		WHERE s.tenant_id = triage.current_tenant();
END
$$;
COMMENT ON FUNCTION triage.set_mining_settings(jsonb) IS
	'sets settings of the current tenant''s mining; settings: a JSON object of extract_on_resolve, extract_on_sync (booleans), summary_language (a language tag), min_issues, min_customers (1 to 1000), join_score, candidate_score (0 to 1), regression_grace (an interval, at most a year); a key that is absent stays as it is, null stands for the default; see table mining_settings; returns nothing; raises 22023 naming the key, 23503 when the tenant does not exist, 42501 without rights on the table';
REVOKE ALL ON FUNCTION triage.set_mining_settings(jsonb) FROM PUBLIC;

-- Comments -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.install_extraction_comments() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $install$
DECLARE
	item record;
BEGIN
	COMMENT ON TABLE triage.issue_taxonomy IS
		'what product issues are sorted into: pairs of category and subcategory, and what belongs there; load_taxonomy() and set_taxonomy() write it; a pair that issues have cannot be deleted, deactivate_taxonomy() takes it out of use';
	COMMENT ON TABLE triage.mining_settings IS
		'when issues are extracted and how they are clustered, by tenant; null and a missing row stand for the default, see mining_settings_of(); set_mining_settings() writes it';
	COMMENT ON TABLE triage.extracted_issues IS
		'the product issues that tickets report, as the model found them; those without superseded_at are current';
	COMMENT ON TABLE triage.ticket_extractions IS
		'when a ticket was last looked at for product issues, also where none was found; written with the answer, never by hand';
	COMMENT ON VIEW triage.extraction_progress IS
		'how far extraction has come: what waits, runs, is done and failed, what was found, and what it has cost; a row a tenant';
	FOR item IN
		SELECT v.relation, v.name, v.comment
		FROM (VALUES
			('issue_taxonomy', 'category', 'the first level, in the spelling of the model''s label'),
			('issue_taxonomy', 'subcategory', 'the second level; the model''s label is category/subcategory'),
			('issue_taxonomy', 'description', 'what belongs there and what does not, for the model and for people'),
			('issue_taxonomy', 'keywords', 'words and phrases that point there, for text search'),
			('issue_taxonomy', 'is_active', 'false: no further issue gets it'),
			('mining_settings', 'extract_on_resolve', 'a ticket that is resolved or closed is looked at, once for what stands in it; default: true'),
			('mining_settings', 'extract_on_sync', 'a ticket that is copied from elsewhere is looked at when its text changed; default: true'),
			('mining_settings', 'summary_language', 'language tag in which summaries and details are written, whatever the ticket''s; default: en'),
			('mining_settings', 'min_issues', 'a cluster is shown from so many issues on; default: 3'),
			('mining_settings', 'min_customers', 'and from so many customers; default: 2'),
			('mining_settings', 'join_score', 'from this score of issue_candidates() on an issue joins without being asked about; default: see mining_settings_of()'),
			('mining_settings', 'candidate_score', 'below this score a candidate is none; default: see mining_settings_of()'),
			('mining_settings', 'regression_grace', 'a report so long after a fix, or later, says that it came back; default: 1 day'),
			('mining_settings', 'updated_at', 'when a setting was last set'),
			('extracted_issues', 'id', 'grows in the order of writing'),
			('extracted_issues', 'public_id', 'for use outside the database'),
			('extracted_issues', 'ticket_id', 'the ticket that reports it'),
			('extracted_issues', 'cluster_id', 'the cluster it belongs to; null: none yet'),
			('extracted_issues', 'run_id', 'the call that gave it last; no foreign key, runs may be purged'),
			('extracted_issues', 'category', 'of the taxonomy'),
			('extracted_issues', 'subcategory', 'of the taxonomy'),
			('extracted_issues', 'issue_type', 'what kind of issue it is'),
			('extracted_issues', 'severity', 'how bad it is for this customer'),
			('extracted_issues', 'summary', 'the problem in one sentence, worded so that two tickets about one problem read alike'),
			('extracted_issues', 'detail', 'what this ticket adds; null: nothing'),
			('extracted_issues', 'representative_quote', 'the customer''s words, as the model copied them; null: none'),
			('extracted_issues', 'quote_verified', 'the quote occurs in the ticket, see quote_occurs(); false: it does not, or there is none'),
			('extracted_issues', 'confidence', 'how sure the model says it is, 0 to 1; not calibrated; null: not said'),
			('extracted_issues', 'customer', 'who reports it, for counting: org: and the id of the organization that the requester had when the issue was last found or the requester changed, else person: and the requester''s, else email: and the address; erased: and a ticket''s id after erase_person(); null: nobody known'),
			('extracted_issues', 'fingerprint', 'of category, subcategory and summary, see issue_fingerprint()'),
			('extracted_issues', 'assigned_by', 'how it came to its cluster; null: it is in none'),
			('extracted_issues', 'assignment_score', 'the score it came there with; null: none was needed'),
			('extracted_issues', 'assigned_at', 'when it came there'),
			('extracted_issues', 'algorithm', 'version of the rules that put it there'),
			('extracted_issues', 'reported_at', 'when the ticket was made: the clock of trends'),
			('extracted_issues', 'extracted_at', 'when it was first found'),
			('extracted_issues', 'superseded_at', 'when a later look did not find it any more, or its ticket was deleted; null: it is current'),
			('extracted_issues', 'search', 'words of the summary, stemmed as English, for text search'),
			('ticket_extractions', 'ticket_id', 'the ticket'),
			('ticket_extractions', 'content_version', 'names what stood in subject, description, comments and conversation, see content_versions()'),
			('ticket_extractions', 'issues', 'how many issues were found'),
			('ticket_extractions', 'provider', 'who found them'),
			('ticket_extractions', 'model', 'which model, as it calls itself'),
			('ticket_extractions', 'analyzed_at', 'when the last successful look was stored'),
			('extraction_progress', 'tenant_id', 'the tenant'),
			('extraction_progress', 'pending', 'tickets that wait, those for another try included'),
			('extraction_progress', 'running', 'tickets that the model is looking at'),
			('extraction_progress', 'done', 'tickets that were looked at'),
			('extraction_progress', 'failed', 'tickets that were given up, see retry_failed()'),
			('extraction_progress', 'issues', 'current issues'),
			('extraction_progress', 'cost', 'of all calls so far whose cost is known; null: none is, or they are in several currencies'),
			('extraction_progress', 'currency', 'of cost'),
			('extraction_progress', 'unpriced_calls', 'calls whose cost is not known, those of provider builtin aside'),
			('extraction_progress', 'last_analyzed_at', 'when the last answer was stored')
		) AS v (relation, name, comment)
	LOOP
		EXECUTE format('COMMENT ON COLUMN triage.%I.%I IS %L', item.relation, item.name, item.comment);
	END LOOP;
END
$install$;
COMMENT ON FUNCTION triage.install_extraction_comments() IS
	'part of install(): comments the tables and the view of extraction and their columns; takes nothing, returns nothing; raises what COMMENT raises';
REVOKE ALL ON FUNCTION triage.install_extraction_comments() FROM PUBLIC;
