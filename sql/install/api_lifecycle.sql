-- Which database works on its tickets: the one that install() was called in, not its copies.

CREATE FUNCTION triage.write_home() RETURNS void
	LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO triage.home AS h (id, system_identifier, database_oid, table_oid, written_in, adopted_at, adopted_by)
		SELECT true, s.system_identifier, d.oid::bigint, 'triage.home'::regclass::oid::bigint, 0, now(), triage.current_actor()
			FROM pg_control_system() s, pg_database d
			WHERE d.datname = current_database()
		ON CONFLICT ON CONSTRAINT home_pkey DO UPDATE
			SET system_identifier = excluded.system_identifier, database_oid = excluded.database_oid,
				table_oid = excluded.table_oid, adopted_at = excluded.adopted_at, adopted_by = excluded.adopted_by;
	-- this version of the row has the same xmin, for both are written by one transaction
	UPDATE triage.home SET written_in = xmin::text::bigint;
END
$$;
COMMENT ON FUNCTION triage.write_home() IS
	'part of install() and adopt(): writes this database into triage.home; takes and returns nothing; raises nothing';
REVOKE ALL ON FUNCTION triage.write_home() FROM PUBLIC;

CREATE FUNCTION triage.adopt() RETURNS void
	LANGUAGE plpgsql SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM triage.check_schema();
	PERFORM triage.write_home();
	PERFORM triage.wake_worker();
	-- a restore loses all rows of the table when one of its roles is missing, and then nobody is held
	IF (SELECT count(*) FROM triage.tenants) > 1 AND NOT EXISTS (SELECT FROM triage.role_tenants) THEN
		RAISE WARNING 'no role is held to a tenant: every role may have any'
			USING HINT = 'Where roles were held before the restore, create them and call triage.allow_tenant for each: its rows are lost when one of their roles is missing.';
	END IF;
END
$$;
COMMENT ON FUNCTION triage.adopt() IS
	'says that this database, which may be a restored or otherwise made copy, is the one whose tickets are worked on; what is pending in it is then sent to its providers, unless worker_stop() holds; warns when there are several tenants and role_tenants holds nobody to any, as after a restore without its roles; takes and returns nothing; raises 55000 when the tables do not fit, 25006 on a standby';
REVOKE ALL ON FUNCTION triage.adopt() FROM PUBLIC;

CREATE FUNCTION triage.home_refusal() RETURNS text
	LANGUAGE c STABLE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp
	AS 'MODULE_PATHNAME', 'triage_home_refusal';
COMMENT ON FUNCTION triage.home_refusal() IS
	'why no model is called from this database: it is a copy, or its queue is filled by a subscription; null when it is at home, see adopt(); raises 55000 when the tables do not fit';
REVOKE ALL ON FUNCTION triage.home_refusal() FROM PUBLIC;

CREATE FUNCTION triage.waiting_databases() RETURNS int
	LANGUAGE c STABLE
	AS 'MODULE_PATHNAME', 'triage_waiting_databases';
COMMENT ON FUNCTION triage.waiting_databases() IS
	'how many databases of the server want a worker and have none because max_worker_processes is used up; null unless the library is preloaded; raises nothing';
REVOKE ALL ON FUNCTION triage.waiting_databases() FROM PUBLIC;

CREATE FUNCTION triage.in_extension_script() RETURNS boolean
	LANGUAGE c STABLE
	AS 'MODULE_PATHNAME', 'triage_in_extension_script';
COMMENT ON FUNCTION triage.in_extension_script() IS
	'part of install(): whether a script of CREATE EXTENSION or ALTER EXTENSION UPDATE is running; raises nothing';
REVOKE ALL ON FUNCTION triage.in_extension_script() FROM PUBLIC;
