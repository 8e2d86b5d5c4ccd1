"""psycopg 3, with nothing on top.  prepare_threshold=None: a statement prepared on one connection of a pooler is missing on the next."""

import os
import re
import sys
from contextlib import contextmanager

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lifecycle import lifecycle  # noqa: E402
from tap import equal, test  # noqa: E402

connection = psycopg.connect(os.environ["DATABASE_URL"], row_factory=dict_row, prepare_threshold=None, autocommit=True)


class Client:
    @contextmanager
    def transaction(self, settings):
        with connection.transaction():
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, true)", (f"triage.{name}", value))
            yield connection

    def call(self, tx, statement, *values):
        cursor = tx.execute(re.sub(r"\$\d+", "%s", statement), values)
        return cursor.fetchall() if cursor.description is not None else []

    def insert(self, tx, row):
        return self.call(tx, "INSERT INTO triage.tickets (subject, description) VALUES ($1, $2)"
                         " RETURNING id, public_id, tenant_id, status, priority, version", row["subject"], row["description"])[0]

    def list(self, tx):
        return self.call(tx, "SELECT id, status, priority FROM triage.inbox ORDER BY waiting_since, id")

    def update(self, tx, id, priority):
        return self.call(tx, "UPDATE triage.tickets SET priority = $1 WHERE id = $2 RETURNING version, priority, priority_is_manual", priority, id)[0]

    def set_status(self, tx, id, status):
        self.call(tx, "UPDATE triage.tickets SET status = $1 WHERE id = $2", status, id)

    def result(self, tx, id):
        return self.call(tx, "SELECT * FROM triage.ticket_ai_results WHERE ticket_id = $1 AND superseded_at IS NULL", id)[0]

    def remove(self, tx, id):
        self.call(tx, "DELETE FROM triage.tickets WHERE id = $1", id)

    def with_id(self, tx, id):
        self.call(tx, "INSERT INTO triage.tickets (id, description) VALUES ($1, 'mine')", id)

    def code(self, error):
        return error.sqlstate

    def hint(self, error):
        return error.diag.message_hint


def body():
    client = Client()
    lifecycle(client)
    with client.transaction({}) as tx:
        row = client.call(tx, "INSERT INTO triage.tickets (description, tags, custom_fields) VALUES ('x', $1, $2) RETURNING id, tags, custom_fields",
                          ["a", "b"], Jsonb({"plan": "gold"}))[0]
        equal([row["tags"], row["custom_fields"]], [["a", "b"], {"plan": "gold"}], "text[] and jsonb are lists and dicts")
        client.call(tx, "SELECT triage.delete_ticket($1)", row["id"])
    states = []
    for _ in range(12):
        with client.transaction({"tenant": "acme"}) as tx:
            states.append(client.call(tx, "SELECT triage.current_tenant() AS tenant")[0]["tenant"])
    equal(states, ["acme"] * 12, "a statement that is used again and again works on any connection of the pooler [seed 87]")


test(body)
