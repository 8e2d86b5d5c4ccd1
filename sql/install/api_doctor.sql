-- doctor(): what is wrong, and the SQL that mends it.  Unlike health() it may take its time, and is for a person who
-- can act: the statements it offers want the owner's or a superuser's rights.  It changes nothing by itself.
--
-- What install() makes is read out of the text of its own parts, so that there is no second list to keep: a test
-- compares what is read there with what is in the catalogs, and drops each object to see that it comes back.

CREATE FUNCTION triage.exposed_origins() RETURNS TABLE (origin text)
	LANGUAGE c STABLE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_exposed_origins';
COMMENT ON FUNCTION triage.exposed_origins() IS
	'the entries of triage.allowed_origins that are http and not loopback by their spelling: keys and tickets travel there unencrypted; raises nothing';
REVOKE ALL ON FUNCTION triage.exposed_origins() FROM PUBLIC;

-- In C, since current_setting() refuses the setting to an owner who is no superuser.
CREATE FUNCTION triage.listed_origins() RETURNS text
	LANGUAGE c STABLE
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_listed_origins';
COMMENT ON FUNCTION triage.listed_origins() IS
	'part of doctor(): triage.allowed_origins as it is set, null when it lists none; raises nothing';
REVOKE ALL ON FUNCTION triage.listed_origins() FROM PUBLIC;

-- What install() makes -----------------------------------------------------------------------------------------------

CREATE FUNCTION triage.clause_of(txt text) RETURNS text
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	depth int := 0;
	quoted boolean := false;
	c text;
BEGIN
	FOR i IN 1 .. length(txt) LOOP
		c := substr(txt, i, 1);
		IF c = '''' THEN
			quoted := NOT quoted;
		ELSIF NOT quoted THEN
			IF depth = 0 AND c IN (',', ')') THEN
				RETURN left(txt, i - 1);
			END IF;
			depth := depth + CASE c WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END;
		END IF;
	END LOOP;
	RETURN txt;
END
$$;
COMMENT ON FUNCTION triage.clause_of(text) IS
	'part of doctor(): the text up to the comma or parenthesis that ends the clause it begins with; raises nothing';
REVOKE ALL ON FUNCTION triage.clause_of(text) FROM PUBLIC;

CREATE FUNCTION triage.expected_constraints(statement text) RETURNS TABLE (name text, definition text)
	LANGUAGE plpgsql IMMUTABLE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	head text;
	rest text := statement;
	col text;
BEGIN
	WHILE rest ~ E'\\mCONSTRAINT\\s' LOOP
		head := substring(rest FROM E'^(.*?)\\mCONSTRAINT\\s');
		name := substring(rest FROM E'\\mCONSTRAINT\\s+(\\w+)');
		rest := substr(rest, length(head) + 1);
		rest := regexp_replace(rest, E'^CONSTRAINT\\s+\\w+', '');
		definition := btrim(regexp_replace(triage.clause_of(rest), '[[:space:]]+', ' ', 'g'));
		-- written behind a column: its name follows the last comma before it
		col := substring(head FROM E'[(,]\\s*(\\w+)\\s[^,]*$');
		definition := CASE
			WHEN definition LIKE 'REFERENCES %' THEN format('FOREIGN KEY (%I) %s', col, definition)
			WHEN definition IN ('PRIMARY KEY', 'UNIQUE') THEN format('%s (%I)', definition, col)
			ELSE definition END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION triage.expected_constraints(text) IS
	'part of doctor(): the named constraints in the text of a CREATE TABLE, as ALTER TABLE ... ADD CONSTRAINT wants them; raises nothing';
REVOKE ALL ON FUNCTION triage.expected_constraints(text) FROM PUBLIC;

CREATE FUNCTION triage.expected_objects() RETURNS TABLE (kind text, relation text, name text, remedy text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	WITH statement AS (
		SELECT btrim(s.txt, E' \t\n') AS txt
			FROM pg_proc p,
				regexp_split_to_table(regexp_replace(p.prosrc, E'--[^\\n]*', '', 'g'), E';\\s*\\n') AS s (txt)
			WHERE p.pronamespace = 'triage'::regnamespace
				AND p.proname LIKE E'install\\_%'
	), made AS (
		SELECT s.txt, m.found
			FROM statement s,
				regexp_match(s.txt, E'CREATE (?:OR REPLACE )?(UNIQUE INDEX|INDEX|TABLE|TRIGGER|VIEW) (?:IF NOT EXISTS )?(?:triage\\.)?(\\w+)') AS m (found)
			WHERE m.found IS NOT NULL
	)
	SELECT CASE m.found[1] WHEN 'UNIQUE INDEX' THEN 'index' ELSE lower(m.found[1]) END,
			coalesce(CASE WHEN m.found[1] NOT IN ('TABLE', 'VIEW') THEN substring(m.txt FROM E'\\sON triage\\.(\\w+)') END, m.found[2]),
			m.found[2],
			CASE
				WHEN m.found[1] LIKE '%INDEX' THEN regexp_replace(m.txt, '^.*?(CREATE (?:UNIQUE )?INDEX) IF NOT EXISTS', E'\\1 CONCURRENTLY IF NOT EXISTS')
				WHEN m.found[1] = 'TRIGGER' THEN substring(m.txt FROM 'CREATE OR REPLACE TRIGGER.*')
				ELSE 'SELECT triage.install()' END || ';'
		FROM made m
	UNION ALL
	SELECT 'constraint', m.found[2], c.name, format('ALTER TABLE triage.%I ADD CONSTRAINT %I %s;', m.found[2], c.name, c.definition)
		FROM made m, triage.expected_constraints(m.txt) c
		WHERE m.found[1] = 'TABLE'
$$;
COMMENT ON FUNCTION triage.expected_objects() IS
	'part of doctor(): the tables, views, constraints, indexes and triggers that install() makes, with the statement that makes each again; raises nothing';
REVOKE ALL ON FUNCTION triage.expected_objects() FROM PUBLIC;

-- The parts of doctor() --------------------------------------------------------------------------------------------------

CREATE FUNCTION triage.doctor_schema() RETURNS TABLE (finding text, detail text, fix_sql text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	-- keys before what refers to them
	(SELECT 'missing ' || e.kind, format('%s %s of %s is not there', e.kind, e.name, e.relation), e.remedy
		FROM triage.expected_objects() e
		WHERE CASE e.kind
			WHEN 'constraint' THEN NOT EXISTS (SELECT FROM pg_constraint c
				WHERE c.conrelid = to_regclass(format('triage.%I', e.relation)) AND c.conname = e.name)
			WHEN 'trigger' THEN NOT EXISTS (SELECT FROM pg_trigger t
				WHERE t.tgrelid = to_regclass(format('triage.%I', e.relation)) AND t.tgname = e.name)
			ELSE to_regclass(format('triage.%I', e.name)) IS NULL END
		ORDER BY e.kind = 'trigger', e.remedy LIKE '%FOREIGN KEY%', e.relation, e.name)
	UNION ALL
	SELECT 'invalid index', format('index %s of %s is not valid: it costs writes and serves nothing', i.indexrelid::regclass, i.indrelid::regclass),
			format('REINDEX INDEX CONCURRENTLY %s;', i.indexrelid::regclass)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
		WHERE c.relnamespace = 'triage'::regnamespace AND NOT i.indisvalid
	UNION ALL
	SELECT 'constraint not validated', format('constraint %s of %s does not speak for the rows that were there before it', k.conname, k.conrelid::regclass),
			-- from 18 on a foreign key can be NOT ENFORCED, and nothing validates it until it is again
			format(CASE WHEN to_jsonb(k) ->> 'conenforced' = 'false' THEN 'ALTER TABLE %s ALTER CONSTRAINT %I ENFORCED;'
				ELSE 'ALTER TABLE %s VALIDATE CONSTRAINT %I;' END, k.conrelid::regclass, k.conname)
		FROM pg_constraint k
		WHERE k.connamespace = 'triage'::regnamespace AND NOT k.convalidated
	UNION ALL
	SELECT DISTINCT 'disabled trigger',
			CASE WHEN t.tgisinternal THEN format('foreign keys of %s are not checked', t.tgrelid::regclass)
				ELSE format('trigger %s of %s does not fire', t.tgname, t.tgrelid::regclass) END,
			format('ALTER TABLE %s ENABLE TRIGGER %s;', t.tgrelid::regclass,
				CASE WHEN t.tgisinternal THEN 'ALL' ELSE quote_ident(t.tgname) END)
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'triage'::regnamespace AND t.tgenabled NOT IN ('O', 'A')
	UNION ALL
	SELECT 'no row security', format('a role with rights on %s sees the rows of all tenants', c.oid::regclass),
			format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY; SELECT triage.install();', c.oid::regclass)
		FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p')
			AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
			AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid))
	UNION ALL
	SELECT 'older version', format('extension triage is of version %s, the server has %s', e.extversion, a.default_version),
			'ALTER EXTENSION triage UPDATE;'
		FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname
		WHERE e.extname = 'triage' AND e.extversion <> a.default_version
$$;
COMMENT ON FUNCTION triage.doctor_schema() IS
	'part of doctor(): what is missing, invalid or switched off of what install() makes; raises nothing';
REVOKE ALL ON FUNCTION triage.doctor_schema() FROM PUBLIC;

CREATE FUNCTION triage.doctor_vacuum(pinned_for interval) RETURNS TABLE (finding text, detail text, fix_sql text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'old transaction', format('process %s (role %s, %s) has been in a transaction for %s, and vacuum keeps what it may still see: %s transactions; its last statement began %s',
				a.pid, a.usename, a.state, date_trunc('second', clock_timestamp() - a.xact_start),
				greatest(age(a.backend_xmin), age(a.backend_xid)), a.query_start),
			format('SELECT %s(%s);', CASE WHEN a.state = 'active' THEN 'pg_cancel_backend' ELSE 'pg_terminate_backend' END, a.pid)
		FROM pg_stat_activity a
		WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.backend_type <> 'autovacuum worker'
			AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
			AND clock_timestamp() - a.xact_start > pinned_for		-- not the other way round: there may be no such date
	UNION ALL
	SELECT 'prepared transaction', format('prepared transaction %L of role %s waits since %s, and vacuum keeps what it may still see: %s transactions',
				x.gid, x.owner, x.prepared, age(x.transaction)),
			format('ROLLBACK PREPARED %L;', x.gid)
		FROM pg_prepared_xacts x
		WHERE x.database = current_database() AND clock_timestamp() - x.prepared > pinned_for
	UNION ALL
	SELECT 'replication slot', format('slot %s is %s', s.slot_name, CASE WHEN s.active THEN 'in use' ELSE 'not in use, and keeps WAL until the disk is full' END)
				|| coalesce('; vacuum keeps what its reader may still see: ' || age(s.xmin) || ' transactions', ''),
			CASE WHEN s.active THEN '-- on the standby: SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start;'
				ELSE format('SELECT pg_drop_replication_slot(%L);', s.slot_name) END
		FROM pg_replication_slots s
		WHERE NOT s.active OR age(s.xmin) > 100000
	UNION ALL
	SELECT 'standby feedback', format('standby %s (process %s) holds an old snapshot through hot_standby_feedback: %s transactions',
				r.application_name, r.pid, age(r.backend_xmin)),
			'-- on the standby: SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start;'
		FROM pg_stat_replication r
		WHERE age(r.backend_xmin) > 100000
	UNION ALL
	SELECT 'autovacuum off', 'setting autovacuum or track_counts is off: nothing cleans the queue',
			'ALTER SYSTEM SET autovacuum = on; ALTER SYSTEM SET track_counts = on; SELECT pg_reload_conf();'
		WHERE NOT current_setting('autovacuum')::boolean OR NOT current_setting('track_counts')::boolean
	UNION ALL
	SELECT 'autovacuum off', format('autovacuum leaves %s alone', c.oid::regclass),
			format('ALTER TABLE %s RESET (autovacuum_enabled);', c.oid::regclass)
		FROM pg_class c, pg_options_to_table(c.reloptions) o
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind = 'r'
			AND o.option_name = 'autovacuum_enabled' AND NOT o.option_value::boolean
	UNION ALL
	SELECT 'queue settings', 'ai_jobs has lost storage settings that keep claims fast: ' || string_agg(w.option, ', '),
			format('ALTER TABLE triage.ai_jobs SET (%s);', string_agg(w.option, ', '))
		FROM pg_class c, unnest(ARRAY['fillfactor = 40', 'vacuum_truncate = off', 'autovacuum_vacuum_scale_factor = 0',
			'autovacuum_vacuum_threshold = 10000', 'autovacuum_vacuum_cost_delay = 0']) AS w (option)
		WHERE c.oid = 'triage.ai_jobs'::regclass AND NOT EXISTS (
			SELECT FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = split_part(w.option, ' ', 1))
		HAVING count(*) > 0
	UNION ALL
	SELECT 'dead rows', format('ai_jobs has %s dead rows beside %s live ones: a claim walks over them', s.n_dead_tup, s.n_live_tup),
			'VACUUM (ANALYZE) triage.ai_jobs;'
		FROM pg_stat_all_tables s
		WHERE s.relid = 'triage.ai_jobs'::regclass AND s.n_dead_tup > 50000 AND s.n_dead_tup > s.n_live_tup
	UNION ALL
	SELECT 'old statistics', format('the planner knows %s as it was %s changed rows ago', s.relid::regclass, s.n_mod_since_analyze),
			format('ANALYZE %s;', s.relid::regclass)
		FROM pg_stat_all_tables s
		WHERE s.schemaname = 'triage' AND s.relname <> 'ai_jobs'
			AND s.n_mod_since_analyze > greatest(s.n_live_tup / 2, 50000)
$$;
COMMENT ON FUNCTION triage.doctor_vacuum(interval) IS
	'part of doctor(): what keeps vacuum from its work, and what has been left undone; pinned_for: how long a transaction may last; raises nothing';
REVOKE ALL ON FUNCTION triage.doctor_vacuum(interval) FROM PUBLIC;

CREATE FUNCTION triage.doctor_worker() RETURNS TABLE (finding text, detail text, fix_sql text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'not preloaded', 'workers do not start with the server, and nothing counts what they do',
			'-- in postgresql.conf, beside what is there, then restart: shared_preload_libraries = ''triage'''
		FROM triage.library_state() s WHERE NOT s.preloaded
	UNION ALL
	SELECT 'not at home', format('no model is called from here: %s', triage.home_refusal()), 'SELECT triage.adopt(); -- unless this is a copy'
		WHERE triage.home_refusal() IS NOT NULL
	UNION ALL
	SELECT 'switched off', 'triage.enabled is off: no model is called from any database of this server',
			'ALTER SYSTEM SET triage.enabled = on; SELECT pg_reload_conf();'
		WHERE NOT current_setting('triage.enabled')::boolean
	UNION ALL
	SELECT 'paused', format('paused by %s at %s', c.paused_by, c.paused_at) || coalesce(': ' || c.pause_reason, ''), 'SELECT triage.resume();'
		FROM triage.worker_control c WHERE c.paused_at IS NOT NULL
	UNION ALL
	SELECT 'worker stopped', format('stopped by %s at %s', c.stopped_by, c.stopped_at), 'SELECT triage.worker_start();'
		FROM triage.worker_control c WHERE c.stopped_at IS NOT NULL
	UNION ALL
	SELECT 'worker slots', format('all %s of max_worker_processes are in use, and none by a worker of this database', current_setting('max_worker_processes')),
			format('ALTER SYSTEM SET max_worker_processes = %s; -- then restart', current_setting('max_worker_processes')::int + 8)
		FROM triage.library_state() s
		WHERE NOT s.worker_running
			AND NOT EXISTS (SELECT FROM triage.worker_control c WHERE c.stopped_at IS NOT NULL)
			AND (triage.waiting_databases() > 0 OR (SELECT count(*) FROM pg_stat_activity a
				WHERE a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer',
					'checkpointer', 'walwriter', 'walsender', 'walreceiver', 'walsummarizer', 'startup', 'archiver', 'logger',
					'io worker', 'slotsync worker')) >= current_setting('max_worker_processes')::int)
	UNION ALL
	SELECT 'superuser owner', format('the tables belong to superuser %s, and the worker works as their owner', r.rolname),
			format('CREATE ROLE triage_worker LOGIN; GRANT CONNECT ON DATABASE %I TO triage_worker; SELECT triage.grant_access(''triage_worker'', ''worker''); ALTER SYSTEM SET triage.worker_role = ''triage_worker''; SELECT pg_reload_conf();', current_database())
		FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
		WHERE c.oid = 'triage.ai_jobs'::regclass
			-- whoever is not a superuser may not read the setting, and need not
			AND CASE WHEN r.rolsuper THEN current_setting('triage.worker_role') = '' ELSE false END
	UNION ALL
	SELECT 'lease too short', format('%s jobs are claimed for less than a call to provider %s may take (%s ms)', count(*), p.name, p.timeout_ms),
			format('-- claim with triage.claim_jobs(lease => %L, provider => %L)', make_interval(secs => 2 * p.timeout_ms / 1000 + 30), p.name)
		FROM triage.ai_jobs j JOIN triage.providers p ON p.name = j.provider
		WHERE j.lease_until < j.claimed_at + make_interval(secs => p.timeout_ms / 1000.0)
		GROUP BY p.name, p.timeout_ms
$$;
COMMENT ON FUNCTION triage.doctor_worker() IS
	'part of doctor(): what keeps the worker from running, or makes it run with more rights or less time than it should; raises nothing';
REVOKE ALL ON FUNCTION triage.doctor_worker() FROM PUBLIC;

CREATE FUNCTION triage.doctor_providers() RETURNS TABLE (finding text, detail text, fix_sql text)
	LANGUAGE sql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'no provider', 'no provider is enabled: every job waits', 'UPDATE triage.providers SET enabled = true WHERE name = ''builtin'';'
		WHERE NOT EXISTS (SELECT FROM triage.providers p WHERE p.enabled)
	UNION ALL
	SELECT 'origin refused', format('provider %s: %s', p.name, triage.origin_refusal(p.base_url)),
			CASE WHEN triage.url_refusal(p.base_url) IS NULL
				THEN format('ALTER SYSTEM SET triage.allowed_origins = %L; SELECT pg_reload_conf();',
					concat_ws(', ', triage.listed_origins(), substring(p.base_url FROM '^https?://[^/]+')))
				ELSE format('UPDATE triage.providers SET base_url = ... WHERE name = %L; -- it can be called nowhere', p.name) END
		FROM triage.providers p WHERE p.enabled AND triage.origin_refusal(p.base_url) IS NOT NULL
	UNION ALL
	SELECT 'key file', format('provider %s: %s', p.name, triage.secret_refusal(p.secret)),
			format('-- in the shell, as the server''s user, in triage.secrets_directory: install -m 600 KEYFILE %s; then SELECT pg_reload_conf();', p.secret)
		FROM triage.providers p WHERE p.enabled AND triage.secret_refusal(p.secret) IS NOT NULL
	UNION ALL
	SELECT 'provider paused', format('provider %s does not serve: %s', t.name, t.what), format('SELECT triage.resume_provider(%L);', t.name)
		FROM triage.provider_troubles() t JOIN triage.providers p USING (name)
		WHERE NOT t.serves AND NOT t.soon AND NOT t.unpriced AND triage.origin_refusal(p.base_url) IS NULL AND triage.secret_refusal(p.secret) IS NULL
	UNION ALL
	SELECT 'no price', format('nobody has said what model %s of provider %s costs: its calls have no cost, and no budget lets them be made', p.model, p.name),
			format('SELECT triage.set_price(%L, input => ..., output => ..., currency => ...); -- per million tokens', p.model)
		FROM triage.providers p
		WHERE p.enabled AND p.api <> 'builtin' AND NOT EXISTS (SELECT FROM triage.price_of(p.model, p.name))
	UNION ALL
	SELECT 'dearer model', format('provider %s is asked for model %s and answers as %s, which costs more: under a budget its calls reserve as much', p.name, p.model,
				string_agg(m.model, ', ' ORDER BY m.model)),
			format('UPDATE triage.providers SET model = ... WHERE name = %L; -- another one, if that is not what was wanted', p.name)
		FROM triage.providers p
		JOIN triage.provider_models m ON m.provider = p.name AND m.asked_model = p.model
		CROSS JOIN LATERAL triage.price_of(p.model, p.name) c
		CROSS JOIN LATERAL triage.price_of(m.model, p.name, now(), p.model) k
		WHERE p.enabled AND k.currency = c.currency
			AND (greatest(k.input, k.cached_input, k.cache_write) > greatest(c.input, c.cached_input, c.cache_write) OR k.output > c.output)
		GROUP BY p.name, p.model
	UNION ALL
	SELECT 'not under budget', format('provider %s is not called while there is a budget: its answers'' length has no limit', p.name),
			format('SELECT triage.set_output_limit(%L, 2000);', p.name)
		FROM triage.providers p
		WHERE p.enabled AND p.api <> 'builtin' AND p.max_output_tokens IS NULL AND EXISTS (SELECT FROM triage.budgets)
	UNION ALL
	SELECT 'unencrypted origin', format('triage.allowed_origins lists %s: tickets and keys travel there in clear', e.origin),
			'-- let the endpoint speak https, or put a TLS proxy before it; then ALTER SYSTEM SET triage.allowed_origins = ...'
		FROM triage.exposed_origins() e
	UNION ALL
	SELECT 'no prompt', format('tenant %s has no active prompt of kind %s: its %s wait for a language model', t.id, k.kind,
				CASE k.kind WHEN 'triage' THEN 'tickets' WHEN 'chat_reply' THEN 'customers' ELSE 'summaries' END),
			CASE WHEN EXISTS (SELECT FROM triage.prompts p WHERE p.tenant_id = t.id AND p.kind = k.kind)
				THEN format('UPDATE triage.prompts SET is_active = true WHERE tenant_id = %1$L AND kind = %2$L AND version = (SELECT max(version) FROM triage.prompts WHERE tenant_id = %1$L AND kind = %2$L);',
					t.id, k.kind)
				ELSE format('SELECT triage.load_default_vocabulary(%L);', t.id) END
		FROM triage.tenants t
		CROSS JOIN unnest(enum_range(NULL::triage.job_kind)) AS k (kind)
		WHERE (t.id = triage.current_tenant() OR NOT triage.held_to_tenants())
			AND NOT EXISTS (SELECT FROM triage.prompts p WHERE p.tenant_id = t.id AND p.kind = k.kind AND p.is_active)
			-- who has no chat needs no prompt for one
			AND (k.kind = 'triage' OR EXISTS (SELECT FROM triage.ai_jobs j WHERE j.tenant_id = t.id AND j.kind = k.kind))
	UNION ALL
	SELECT 'no category', format('tenant %s has no active category: its tickets wait', t.id),
			format('SELECT triage.load_default_vocabulary(%L); UPDATE triage.ticket_categories SET is_active = true WHERE tenant_id = %1$L;', t.id)
		FROM triage.tenants t
		WHERE (t.id = triage.current_tenant() OR NOT triage.held_to_tenants())
			AND NOT EXISTS (SELECT FROM triage.ticket_categories c WHERE c.tenant_id = t.id AND c.is_active)
$$;
COMMENT ON FUNCTION triage.doctor_providers() IS
	'part of doctor(): what keeps providers from being called, or tenants'' tickets from being asked about; raises nothing';
REVOKE ALL ON FUNCTION triage.doctor_providers() FROM PUBLIC;

CREATE FUNCTION triage.doctor_maintenance() RETURNS TABLE (finding text, detail text, fix_sql text)
	LANGUAGE plpgsql STABLE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- its tables are named in statements that are not planned without it
	IF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'pg_cron') THEN
		RETURN;
	END IF;
	RETURN QUERY
		SELECT 'no maintenance', format('pg_cron is here, and has no job %s for this database', n.name),
				'SELECT * FROM triage.schedule_maintenance();'
			FROM (VALUES ('triage reap'), ('triage retention')) AS n (name)
			WHERE NOT EXISTS (SELECT FROM cron.job j
				WHERE j.jobname = n.name AND j.database = current_database() AND j.active);
	RETURN QUERY
		SELECT 'maintenance failed', format('the last run of %s, at %s, failed: %s', j.jobname, d.start_time, d.return_message),
				'SELECT * FROM triage.maintenance_jobs();'
			FROM cron.job j
			CROSS JOIN LATERAL (
				SELECT r.start_time, r.status, r.return_message
					FROM cron.job_run_details r
					WHERE r.jobid = j.jobid AND r.status IN ('succeeded', 'failed') ORDER BY r.runid DESC LIMIT 1) d
			WHERE j.jobname IN ('triage reap', 'triage retention', 'triage purge', 'triage run_pending')
				AND j.database = current_database() AND d.status = 'failed';
END
$$;
COMMENT ON FUNCTION triage.doctor_maintenance() IS
	'part of doctor(): whether pg_cron, if it is in this database, has the jobs of schedule_maintenance(), and how they went; raises nothing';
REVOKE ALL ON FUNCTION triage.doctor_maintenance() FROM PUBLIC;

CREATE FUNCTION triage.doctor(pinned_for interval DEFAULT '5 minutes')
	RETURNS TABLE (finding text, detail text, fix_sql text)
	LANGUAGE plpgsql STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	SET jit = off
AS $$
BEGIN
	BEGIN
		PERFORM triage.check_schema();
	EXCEPTION
		WHEN lock_not_available THEN
			RAISE;
		WHEN object_not_in_prerequisite_state THEN
			finding := 'tables';
			detail := SQLERRM;
			fix_sql := 'SELECT triage.install();';
			RETURN NEXT;
			RETURN;
	END;
	RETURN QUERY SELECT * FROM triage.doctor_schema();
	RETURN QUERY SELECT * FROM triage.doctor_worker();
	RETURN QUERY SELECT * FROM triage.doctor_providers();
	RETURN QUERY SELECT * FROM triage.doctor_maintenance();
	RETURN QUERY SELECT * FROM triage.doctor_sync();
	RETURN QUERY SELECT * FROM triage.doctor_vacuum(coalesce(pinned_for, '5 minutes'));
END
$$;
COMMENT ON FUNCTION triage.doctor(interval) IS
	'what is wrong in this database and the SQL (or shell command) that mends it, one row a finding, none when nothing was found; a statement for triage.allowed_origins adds one origin to the list as it is now, so after one call doctor() again before the next; pinned_for: a transaction older than this is reported, 5 minutes if not given; for superusers and administrators: it reads the key files as the worker does and looks at other sessions, for which the owner of triage wants pg_read_all_stats unless it is a superuser; raises nothing';
REVOKE ALL ON FUNCTION triage.doctor(interval) FROM PUBLIC;
