"""SQLAlchemy's reflection of the schema against the catalogs."""

import os
import sys
import warnings

from sqlalchemy import MetaData, create_engine, exc, text

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from tap import equal, test  # noqa: E402

# of columns that an application has no business with
UNKNOWN = {"regrole", "xid8", "pg_lsn", "pg_snapshot", "regconfig"}


def enum_of(column):
    kind = getattr(column.type, "item_type", column.type)
    return kind if hasattr(kind, "enums") else None


def body():
    engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://").replace("app@", os.environ["PGUSER"] + "@"))
    metadata = MetaData(schema="triage")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        metadata.reflect(engine, views=True)
    reflected = {table.name: table for table in metadata.tables.values()}
    with engine.connect() as connection:
        columns, nullable, identity = {}, {}, {}
        for row in connection.execute(text("""
                SELECT table_name, column_name, is_nullable = 'YES' AS nullable, coalesce(identity_generation, '') AS identity,
                       CASE WHEN udt_schema = 'triage' THEN regexp_replace(udt_name, '^_', '') ELSE '' END AS enum, udt_name
                  FROM information_schema.columns WHERE table_schema = 'triage' ORDER BY ordinal_position""")):
            columns.setdefault(row.table_name, []).append(row.column_name)
            nullable.setdefault(row.table_name, {})[row.column_name] = (row.nullable, row.identity == "ALWAYS", row.enum)
        labels = {row.name: list(row.labels) for row in connection.execute(text("""
                SELECT t.typname AS name, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
                  FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = 'triage'::regnamespace GROUP BY 1"""))}
        primary = {row.relname: list(row.key) for row in connection.execute(text("""
                SELECT c.conrelid::regclass::text AS relation, r.relname, array_agg(a.attname::text ORDER BY n.position) AS key
                  FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid, unnest(c.conkey) WITH ORDINALITY n (attnum, position), pg_attribute a
                 WHERE c.contype = 'p' AND c.connamespace = 'triage'::regnamespace AND a.attrelid = c.conrelid AND a.attnum = n.attnum GROUP BY 1, 2"""))}
        foreign = {}
        for row in connection.execute(text("""
                SELECT r.relname, c.conname, f.relname AS target, array_agg(a.attname::text ORDER BY n.position) AS key,
                       array_agg(b.attname::text ORDER BY n.position) AS refs
                  FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid JOIN pg_class f ON f.oid = c.confrelid,
                       unnest(c.conkey, c.confkey) WITH ORDINALITY n (attnum, refnum, position), pg_attribute a, pg_attribute b
                 WHERE c.contype = 'f' AND c.connamespace = 'triage'::regnamespace AND a.attrelid = c.conrelid AND a.attnum = n.attnum
                   AND b.attrelid = c.confrelid AND b.attnum = n.refnum GROUP BY 1, 2, 3""")):
            foreign.setdefault(row.relname, {})[row.conname] = (list(row.key), row.target, list(row.refs))

    equal(sorted(reflected), sorted(columns), "each table and view is reflected")
    missed = {str(one.message) for one in caught if issubclass(one.category, exc.SAWarning) and "Did not recognize type" in str(one.message)}
    equal([one for one in missed if not any(name in one for name in UNKNOWN)], [], "with types that SQLAlchemy knows, but for some inner ones")
    for name in sorted(columns):
        table = reflected[name]
        equal([column.name for column in table.columns], columns[name], f"{name}: columns")
        equal({column.name: (column.nullable, column.identity is not None and column.identity.always, enum_of(column).name if enum_of(column) is not None else "")
               for column in table.columns}, nullable[name], f"{name}: nullability, identities, enums")
        equal({enum_of(column).name: list(enum_of(column).enums) for column in table.columns if enum_of(column) is not None},
              {enum: labels[enum] for _, _, enum in nullable[name].values() if enum}, f"{name}: labels [seed 36]")
        if name in primary:
            equal([column.name for column in table.primary_key.columns], primary[name], f"{name}: primary key")
            equal({key.name: ([one.parent.name for one in key.elements], key.referred_table.name, [one.column.name for one in key.elements])
                   for key in table.foreign_key_constraints}, foreign.get(name, {}), f"{name}: foreign keys, their columns in pairs")


test(body)
