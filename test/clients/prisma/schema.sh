#!/bin/bash
# schema.sh: prints a Prisma schema of what is installed in the database that libpq's environment leads to.
#
# Prisma's own introspection does the same with an engine that it downloads; this asks the catalogs.  Two things are on
# purpose: every default is dbgenerated(), since Prisma sends any other one itself with each INSERT, and then it is
# Prisma's clock and Prisma's idea of the tenant; and a type that Prisma does not know is Unsupported, so that the
# client leaves the column out.
set -euo pipefail

cat <<'HEAD'
// The tables and views of schema triage for Prisma.  Made by test/clients/prisma/schema.sh; do not edit.
//
// Not for migrations: CREATE EXTENSION triage and its updates own these objects.  See doc/clients.md.

generator client {
  provider        = "prisma-client-js"
  engineType      = "client"
  previewFeatures = ["views"]
}

datasource db {
  provider = "postgresql"
  url      = env("DATABASE_URL")
  schemas  = ["triage"]
}
HEAD

psql -XAtq -v ON_ERROR_STOP=1 <<'SQL'
SET search_path = pg_catalog, pg_temp;

CREATE FUNCTION pg_temp.pascal(name text) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN replace(initcap(replace(name, '_', ' ')), ' ', '');
CREATE FUNCTION pg_temp.camel(name text) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN lower(left(pg_temp.pascal(name), 1)) || substr(pg_temp.pascal(name), 2);
CREATE FUNCTION pg_temp.quoted(value text) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN '"' || replace(replace(value, '\', '\\'), '"', '\"') || '"';
-- a label that is no word, such as ticket.created, gets a name that is one
CREATE FUNCTION pg_temp.label(label text) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN regexp_replace(label, '\W', '_', 'g') || CASE WHEN label ~ '\W' THEN format(' @map(%s)', pg_temp.quoted(label)) ELSE '' END;
CREATE FUNCTION pg_temp.remark(comment text, indent text) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN coalesce(regexp_replace(comment, '^', indent || '/// ', 'gn') || E'\n', '');

CREATE TEMP VIEW columns AS
	SELECT a.attrelid, a.attnum, a.attname, pg_temp.camel(a.attname) AS field,
			CASE e.typtype WHEN 'e' THEN pg_temp.pascal(e.typname)
				ELSE coalesce(m.prisma, format('Unsupported(%s)', pg_temp.quoted(format_type(a.atttypid, a.atttypmod)))) END
				|| CASE WHEN t.typelem <> 0 AND t.typlen = -1 AND (e.typtype = 'e' OR m.prisma IS NOT NULL) THEN '[]'
					WHEN a.attnotnull THEN '' ELSE '?' END AS type,
			CASE
				WHEN a.attidentity <> '' THEN ' @default(autoincrement())'
				WHEN a.attgenerated <> '' THEN ' @default(dbgenerated())'
				WHEN d.oid IS NOT NULL THEN
					format(' @default(dbgenerated(%s))', pg_temp.quoted(pg_get_expr(d.adbin, d.adrelid)))
				-- a trigger fills it in, which the catalogs do not tell
				WHEN a.attrelid = 'triage.ticket_comments'::regclass AND a.attname = 'author_role' THEN ' @default(dbgenerated())'
				ELSE '' END AS initial,
			CASE e.typname
				WHEN 'uuid' THEN ' @db.Uuid'
				WHEN 'int2' THEN ' @db.SmallInt'
				WHEN 'date' THEN ' @db.Date'
				WHEN 'float4' THEN ' @db.Real'
				WHEN 'timestamptz' THEN ' @db.Timestamptz(6)'
				WHEN 'numeric' THEN ' @db.Decimal' || coalesce(substring(format_type(a.atttypid, a.atttypmod) FROM '\(.*\)'), '')
				ELSE '' END AS native,
			col_description(a.attrelid, a.attnum) AS comment
		FROM pg_attribute a
		JOIN pg_type t ON t.oid = a.atttypid
		JOIN pg_type e ON e.oid = CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE t.oid END
		LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
		LEFT JOIN (VALUES ('text', 'String'), ('uuid', 'String'), ('int8', 'BigInt'), ('int4', 'Int'), ('int2', 'Int'),
			('bool', 'Boolean'), ('timestamptz', 'DateTime'), ('date', 'DateTime'), ('numeric', 'Decimal'), ('jsonb', 'Json'),
			('float4', 'Float'), ('float8', 'Float'), ('bytea', 'Bytes')) m (typname, prisma)
			ON m.typname = e.typname AND e.typnamespace = 'pg_catalog'::regnamespace
		WHERE a.attnum > 0 AND NOT a.attisdropped;

-- A table whose rows Prisma cannot address, for the type of a key's column, is none of its tables.
CREATE TEMP VIEW relations AS
	SELECT c.oid, c.relname, c.relkind, pg_temp.pascal(c.relname) AS model, obj_description(c.oid, 'pg_class') AS comment
		FROM pg_class c
		WHERE c.relnamespace = 'triage'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
			AND NOT EXISTS (SELECT FROM pg_constraint p
				JOIN columns k ON k.attrelid = p.conrelid AND k.attnum = ANY (p.conkey)
				WHERE p.conrelid = c.oid AND p.contype = 'p' AND k.type LIKE 'Unsupported%');

-- A foreign key is a field on either side: named after the constraint here, after this table there.  Where its columns are
-- a key of this table too, Prisma wants them in that key's order.
CREATE TEMP VIEW keys AS
	SELECT k.*, coalesce(nullif(k.stem, ''), 'parent')
				|| CASE WHEN EXISTS (SELECT FROM columns c WHERE c.attrelid = k.conrelid AND c.field = k.stem) THEN 'Row' ELSE '' END AS forward,
			pg_temp.camel(k.child) || CASE WHEN count(*) OVER (PARTITION BY k.conrelid, k.confrelid) > 1
				THEN 'By' || upper(left(k.stem, 1)) || substr(k.stem, 2) ELSE '' END
				|| CASE WHEN EXISTS (SELECT FROM columns c WHERE c.attrelid = k.confrelid AND c.field = pg_temp.camel(k.child)) THEN 'Rows' ELSE '' END AS backward
		FROM (
			SELECT f.conname, f.conrelid, f.confrelid, f.confdeltype, f.confupdtype, r.relname AS child,
					pg_temp.camel(regexp_replace(regexp_replace(f.conname, '^' || r.relname || '_', ''), '_fkey$', '')) AS stem,
					ARRAY(SELECT n.attnum FROM unnest(f.conkey) WITH ORDINALITY n (attnum, position)
						ORDER BY array_position(q.conkey, n.attnum), n.position) AS conkey,
					ARRAY(SELECT n.refnum FROM unnest(f.conkey, f.confkey) WITH ORDINALITY n (attnum, refnum, position)
						ORDER BY array_position(q.conkey, n.attnum), n.position) AS confkey
				FROM pg_constraint f
				LEFT JOIN LATERAL (
					SELECT q.conkey FROM pg_constraint q
						WHERE q.conrelid = f.conrelid AND q.contype IN ('p', 'u') AND q.conkey @> f.conkey AND q.conkey <@ f.conkey
						ORDER BY q.contype, q.conname LIMIT 1) q ON true
				JOIN relations r ON r.oid = f.conrelid
				JOIN relations p ON p.oid = f.confrelid
				WHERE f.contype = 'f' AND f.conparentid = 0) k;

CREATE FUNCTION pg_temp.fields(relation oid, numbers int2[]) RETURNS text LANGUAGE sql STABLE
	RETURN '[' || (SELECT string_agg(c.field, ', ' ORDER BY n.position)
		FROM unnest(numbers) WITH ORDINALITY n (attnum, position)
		JOIN columns c ON c.attrelid = relation AND c.attnum = n.attnum) || ']';
CREATE FUNCTION pg_temp.action(code "char") RETURNS text LANGUAGE sql IMMUTABLE
	RETURN CASE code WHEN 'c' THEN 'Cascade' WHEN 'n' THEN 'SetNull' WHEN 'd' THEN 'SetDefault' WHEN 'r' THEN 'Restrict'
		ELSE 'NoAction' END;

SELECT E'\n' || pg_temp.remark(obj_description(t.oid, 'pg_type'), '') || format(E'enum %s {\n%s\n\n  @@map(%s)\n  @@schema("triage")\n}',
		pg_temp.pascal(t.typname), string_agg('  ' || pg_temp.label(e.enumlabel), E'\n' ORDER BY e.enumsortorder), pg_temp.quoted(t.typname))
	FROM pg_type t
	JOIN pg_enum e ON e.enumtypid = t.oid
	WHERE t.typnamespace = 'triage'::regnamespace
	GROUP BY t.oid
	ORDER BY t.typname;

SELECT E'\n' || pg_temp.remark(r.comment, '') || CASE r.relkind WHEN 'v' THEN 'view ' ELSE 'model ' END || r.model || E' {\n'
		|| (SELECT string_agg(pg_temp.remark(c.comment, '  ') || '  ' || c.field || ' ' || c.type
					|| CASE WHEN u.conname IS NULL THEN '' ELSE format(' @id(map: %s)', pg_temp.quoted(u.conname)) END
					|| c.initial || CASE WHEN c.field = c.attname THEN '' ELSE format(' @map(%s)', pg_temp.quoted(c.attname)) END
					|| CASE WHEN c.type LIKE 'Unsupported%' THEN '' ELSE c.native END, E'\n' ORDER BY c.attnum)
				FROM columns c
				LEFT JOIN pg_constraint u ON u.conrelid = r.oid AND u.contype = 'p' AND u.conkey = ARRAY[c.attnum]
				-- a view has no key, so Prisma reads all of its columns, and fails on one of a type that it does not know
				WHERE c.attrelid = r.oid AND NOT (r.relkind = 'v' AND c.type LIKE 'Unsupported%'))
		|| coalesce(E'\n\n' || (SELECT string_agg(line, E'\n' ORDER BY line COLLATE "C") FROM (
			SELECT format('  %s %s%s @relation(%s, fields: %s, references: %s, onDelete: %s, onUpdate: %s)', k.forward, p.model,
						CASE WHEN (SELECT bool_and(a.attnotnull) FROM pg_attribute a
							WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)) THEN '' ELSE '?' END,
						pg_temp.quoted(k.conname), pg_temp.fields(k.conrelid, k.conkey), pg_temp.fields(k.confrelid, k.confkey),
						pg_temp.action(k.confdeltype), pg_temp.action(k.confupdtype)) AS line
				FROM keys k
				JOIN relations p ON p.oid = k.confrelid
				WHERE k.conrelid = r.oid
			UNION ALL
			SELECT format('  %s %s%s @relation(%s)', k.backward, ch.model,
						CASE WHEN EXISTS (SELECT FROM pg_constraint q WHERE q.conrelid = k.conrelid AND q.contype IN ('p', 'u')
							AND q.conkey @> k.conkey AND q.conkey <@ k.conkey) THEN '?' ELSE '[]' END, pg_temp.quoted(k.conname))
				FROM keys k
				JOIN relations ch ON ch.oid = k.conrelid
				WHERE k.confrelid = r.oid) f), '')
		|| coalesce(E'\n\n' || (SELECT string_agg(format('  @@%s(%s, map: %s)', CASE q.contype WHEN 'p' THEN 'id' ELSE 'unique' END,
						pg_temp.fields(r.oid, q.conkey), pg_temp.quoted(q.conname)), E'\n' ORDER BY q.contype, q.conname)
				FROM pg_constraint q
				WHERE q.conrelid = r.oid AND (q.contype = 'u' OR (q.contype = 'p' AND cardinality(q.conkey) > 1))), '')
		|| format(E'\n\n  @@map(%s)\n  @@schema("triage")\n}', pg_temp.quoted(r.relname))
	FROM relations r
	ORDER BY r.relkind, r.relname;
SQL
