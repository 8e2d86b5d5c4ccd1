-- CREATE EXTENSION, what belongs to it, and the way back.
SET triage.autostart = off;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS triage;

-- the extension owns code; tables and views are ordinary
SELECT DISTINCT d.classid::regclass AS member
	FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
	WHERE e.extname = 'triage' AND d.deptype = 'e'
	ORDER BY 1;

-- it can be installed again, and that changes nothing
CREATE TEMP TABLE before AS
	SELECT c.oid, c.relname, c.relkind FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace;
SELECT triage.install();
SELECT count(*) AS differences
	FROM before b
	FULL JOIN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace) c USING (oid)
	WHERE b.oid IS NULL OR c.oid IS NULL;

-- nothing is open to PUBLIC
SELECT p.oid::regprocedure AS open_function
	FROM pg_proc p
	WHERE p.pronamespace = 'triage'::regnamespace
		AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0)
	ORDER BY 1;
SELECT c.oid::regclass AS open_relation
	FROM pg_class c
	WHERE c.relnamespace = 'triage'::regnamespace
		AND EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0)
	ORDER BY 1;
-- all is commented, and no SQL function looks into the caller's search_path
SELECT p.oid::regprocedure AS function_without_comment
	FROM pg_proc p
	WHERE p.pronamespace = 'triage'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
	ORDER BY 1;
SELECT p.oid::regprocedure AS function_without_search_path
	FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	-- a procedure that commits can have none
	WHERE p.pronamespace = 'triage'::regnamespace AND l.lanname IN ('sql', 'plpgsql') AND p.prokind <> 'p'
		AND NOT coalesce(p.proconfig, '{}') && '{"search_path=pg_catalog, pg_temp"}'
	ORDER BY 1;
SELECT c.oid::regclass AS relation_without_comment
	FROM pg_class c
	WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'v')
		AND obj_description(c.oid, 'pg_class') IS NULL
	ORDER BY 1;
SELECT t.oid::regtype AS type_without_comment
	FROM pg_type t
	WHERE t.typnamespace = 'triage'::regnamespace AND t.typtype = 'e' AND obj_description(t.oid, 'pg_type') IS NULL
	ORDER BY 1;

-- tickets are not lost by accident
DO $$
BEGIN
	DROP EXTENSION triage;
EXCEPTION WHEN dependent_objects_still_exist THEN
	RAISE WARNING '%: %', SQLSTATE, SQLERRM;
END
$$;
DO $$
BEGIN
	PERFORM triage.uninstall('yes');
EXCEPTION WHEN OTHERS THEN
	RAISE WARNING '%: %', SQLSTATE, SQLERRM;
END
$$;
SELECT count(*) > 0 AS still_there FROM triage.ticket_categories;

-- the way back, and in again
SELECT triage.uninstall(confirm => 'delete all tickets');
SELECT count(*) AS relations_left FROM pg_class c WHERE c.relnamespace = 'triage'::regnamespace;
DROP EXTENSION triage;
SELECT n.nspname AS schema, count(p.oid) AS functions_left
	FROM pg_namespace n LEFT JOIN pg_proc p ON p.pronamespace = n.oid
	WHERE n.nspname = 'triage'
	GROUP BY n.nspname;
CREATE EXTENSION triage;
SELECT c.category FROM triage.ticket_categories c WHERE c.tenant_id = 'default' ORDER BY 1;
