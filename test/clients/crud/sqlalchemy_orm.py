"""SQLAlchemy's ORM over psycopg2, with classes made from the catalogs; version_id_col makes a stale write an error."""

import os
import re
import sys
from contextlib import contextmanager

from sqlalchemy import FetchedValue, MetaData, Table, create_engine, event, select, text
from sqlalchemy.exc import DataError
from sqlalchemy.ext.automap import automap_base, generate_relationship
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from lifecycle import lifecycle  # noqa: E402
from tap import equal, ok, refusal, test  # noqa: E402

engine = create_engine(os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg2://"), pool_size=2)
metadata = MetaData(schema="triage")
for name in ("tickets", "people", "ticket_comments", "ticket_ai_results"):
    Table(name, metadata, autoload_with=engine)
inbox = Table("inbox", metadata, autoload_with=engine)

Base = automap_base(metadata=metadata)


class Ticket(Base):
    __table__ = metadata.tables["triage.tickets"]
    __mapper_args__ = {"version_id_col": __table__.c.version, "version_id_generator": False, "eager_defaults": True}


# what the trigger sets at each change; the ORM then reads it back
for name in ("version", "updated_at", "priority_is_manual", "category_is_manual", "resolved_at", "closed_at", "waiting_since"):
    Ticket.__table__.c[name].server_onupdate = FetchedValue(for_update=True)


# every key holds tenant_id: a relationship that writes would write that, too
def to_read(*arguments, **options):
    options = {name: value for name, value in options.items() if name not in ("cascade", "passive_deletes")}
    return generate_relationship(*arguments, **options, viewonly=True)


Base.prepare(generate_relationship=to_read)
Result = Base.classes.ticket_ai_results
Person = Base.classes.people


@event.listens_for(Session, "after_begin")
def speak_for(session, transaction, connection):
    for name, value in session.info.items():
        connection.execute(text("SELECT set_config(:name, :value, true)"), {"name": f"triage.{name}", "value": value})


class Client:
    @contextmanager
    def transaction(self, settings):
        with Session(engine, info=settings) as session, session.begin():
            yield session

    def call(self, tx, statement, *values):
        return tx.execute(text(re.sub(r"\$(\d+)", r":p\1", statement)), {f"p{n}": value for n, value in enumerate(values, 1)}).mappings().all()

    def wait(self, id):
        with self.transaction({}) as tx:
            self.call(tx, "SELECT triage.wait_for_triage($1)", id)

    def get(self, tx, id):
        return tx.execute(select(Ticket).where(Ticket.id == id)).scalar_one()

    def as_row(self, row):
        return {column.key: getattr(row, column.key) for column in row.__table__.columns}

    def insert(self, tx, row):
        ticket = Ticket(**row)
        tx.add(ticket)
        tx.flush()
        return self.as_row(ticket)

    def list(self, tx):
        return tx.execute(select(Ticket.id, Ticket.status, Ticket.priority).where(Ticket.status.notin_(["resolved", "closed"]), Ticket.deleted_at.is_(None))
                          .order_by(Ticket.waiting_since, Ticket.id)).mappings().all()

    def update(self, tx, id, priority):
        ticket = self.get(tx, id)
        ticket.priority = priority
        tx.flush()
        return {name: getattr(ticket, name) for name in ("version", "priority", "priority_is_manual")}

    def set_status(self, tx, id, status):
        self.get(tx, id).status = status

    def result(self, tx, id):
        return self.as_row(tx.execute(select(Result).where(Result.ticket_id == id, Result.superseded_at.is_(None))).scalar_one())

    def remove(self, tx, id):
        tx.execute(text("DELETE FROM triage.tickets WHERE id = :id"), {"id": id})

    def with_id(self, tx, id):
        tx.add(Ticket(id=id, tenant_id="default", description="mine"))

    def code(self, error):
        return error.orig.pgcode

    def hint(self, error):
        return error.orig.diag.message_hint


def body():
    client = Client()
    lifecycle(client)

    with client.transaction({"actor": "anna"}) as tx:
        tx.add(Person(id=f"user-{os.getpid()}", display_name="Mia"))
        tx.flush()
        ticket = Ticket(description="help", requester_id=f"user-{os.getpid()}", tags=["vip"], custom_fields={"plan": "gold"})
        tx.add(ticket)
        tx.flush()
        equal([ticket.tags, ticket.custom_fields], [["vip"], {"plan": "gold"}], "text[] and jsonb are lists and dicts")
        seen = tx.execute(select(inbox.c.ai_state, inbox.c.tenant_id).where(inbox.c.id == ticket.id)).one()
        equal(tuple(seen), ("pending", "default"), "a view is read like a table")
        id = ticket.id
    client.wait(id)
    with Session(engine) as one, Session(engine) as other:
        first, second = client.get(one, id), client.get(other, id)
        read = first.version
        first.priority, second.priority = "urgent", "low"
        one.commit()
        ok(isinstance(refusal(other.commit), StaleDataError), "version_id_col: the second of two writers is told (StaleDataError)")
        equal(client.get(one, id).version, read + 1, "and the first one reads the version that the database counted")
    status = Ticket.__table__.c.status.type
    equal([status.schema, status.name, len(status.enums)], ["triage", "ticket_status", 7], "enum columns know their labels [seed 36]")
    wrong = refusal(lambda: client.transaction({}).__enter__().execute(Ticket.__table__.insert().values(description="x", status="nonsense")))
    ok(isinstance(wrong, DataError) and wrong.orig.pgcode == "22P02", "another label is refused [seed 36]", wrong)
    with client.transaction({}) as tx:
        client.call(tx, "SELECT triage.delete_ticket($1)", id)


test(body)
