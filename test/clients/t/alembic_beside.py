"""Alembic's autogenerate beside schema triage."""

import os
import sys

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import BigInteger, Column, MetaData, Table, create_engine

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from tap import equal, ok, test  # noqa: E402


def body():
    engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://").replace("app@", os.environ["PGUSER"] + "@"))
    mine = MetaData()
    Table("invoices", mine, Column("id", BigInteger, primary_key=True))

    def changes(**options):
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            return [(change[0], change[1].schema, change[1].name) for change in compare_metadata(context, mine) if change[0].endswith("_table")]

    equal(changes(), [("add_table", None, "invoices")], "by default autogenerate makes the application's tables and leaves triage alone")
    ok(("remove_table", "triage", "tickets") in changes(include_schemas=True), "include_schemas alone would drop the tickets")
    equal(changes(include_schemas=True, include_name=lambda name, kind, parents: kind != "schema" or name != "triage"),
          [("add_table", None, "invoices")], "with include_name it does not")


test(body)
