"""SQLAlchemy's asyncio side over asyncpg: the tables of issue mining as mapped classes, and a wait that holds up nobody."""

import asyncio
import os
import sys
import warnings

from sqlalchemy import MetaData, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import declarative_base, relationship, selectinload

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
from tap import equal, ok, test  # noqa: E402

NAMES = ("issue_taxonomy", "tickets", "issue_clusters", "extracted_issues")


def mapped(connection):
    metadata = MetaData(schema="triage")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of indexes over expressions
        metadata.reflect(connection, only=NAMES)
    base = declarative_base(metadata=metadata)
    tables = {name: metadata.tables[f"triage.{name}"] for name in NAMES}

    class Ticket(base):
        __table__ = tables["tickets"]
        issues = relationship("Issue", viewonly=True, back_populates="ticket")

    class Cluster(base):
        __table__ = tables["issue_clusters"]
        issues = relationship("Issue", viewonly=True, back_populates="cluster")

    class Issue(base):
        __table__ = tables["extracted_issues"]
        ticket = relationship("Ticket", viewonly=True, back_populates="issues")
        cluster = relationship("Cluster", viewonly=True, back_populates="issues")

    return Ticket, Cluster, Issue


async def body():
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://").replace("app@", os.environ["PGUSER"] + "@")
    engine = create_async_engine(url)

    async def command(statement):
        async with engine.begin() as connection:
            return (await connection.execute(text(statement))).scalar_one()

    async with engine.begin() as connection:
        Ticket, Cluster, Issue = await connection.run_sync(mapped)
        await connection.execute(text("SELECT triage.load_taxonomy()"))
    # without a worker it waits for as long as we like
    await command("SELECT triage.worker_stop()")
    while await command("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'triage worker' AND datname = current_database()"):
        await asyncio.sleep(0.05)
    waited_for = await command("SELECT triage.create_ticket('slow', 'x')")
    done = []

    async def wait():
        done.append("waited: " + await command(f"SELECT triage.wait_for_triage({waited_for}, '2 min')::text"))

    async def mine():
        async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
            ticket = Ticket(subject="Pay run stops", description="It stops at 90 %.", source="api", external_id="async")
            cluster = Cluster(category="PAYROLL", subcategory="pay_runs", cluster_name="Pay runs stop")
            session.add_all([ticket, cluster])
            await session.flush()
            session.add_all([Issue(ticket_id=ticket.id, cluster_id=cluster.id, assigned_by="human", category="PAYROLL", subcategory="pay_runs", issue_type="bug",
                                   severity=severity, summary=f"It stops, {severity}", fingerprint=b"x", reported_at=func.now()) for severity in ("high", "low")])
            await session.flush()
            for one in (ticket, cluster):
                await session.refresh(one)
        done.append("mined")
        await command("SELECT triage.worker_start()")
        return ticket, cluster

    _, (ticket, cluster) = await asyncio.gather(wait(), mine())
    equal(done, ["mined", "waited: processed"], "two sessions at once: one writes while another waits for the AI [seed 268]")
    ok(cluster.public_id is not None and cluster.pm_status == "new" and cluster.created_at is not None, "the server's defaults come back [seed 268]", vars(cluster))

    async with AsyncSession(engine) as session:
        found = (await session.execute(select(Cluster).where(Cluster.id == cluster.id).options(selectinload(Cluster.issues).selectinload(Issue.ticket)))).scalar_one()
        equal(sorted(issue.severity for issue in found.issues), ["high", "low"], "a cluster has many issues [seed 249] [seed 268]")
        equal({issue.ticket.subject for issue in found.issues}, {"Pay run stops"}, "each of one ticket [seed 231] [seed 268]")
        try:
            session.add(Issue(ticket_id=ticket.id, category="PAYROLL", subcategory="pto", issue_type="bug", severity="low", summary="x", fingerprint=b"x",
                              reported_at=func.now()))
            await session.flush()
            ok(False, "a subcategory of another category is refused by the database [seed 268]", "it was stored")
        except IntegrityError as error:
            equal(error.orig.__cause__.constraint_name, "extracted_issues_taxonomy_fkey", "a subcategory of another category is refused by the database [seed 268]")
        await session.rollback()
        await session.delete(await session.get(Ticket, (ticket.id, ticket.tenant_id)))
        await session.commit()
        equal((await session.execute(select(func.count()).select_from(Issue).where(Issue.ticket_id == ticket.id))).scalar_one(), 0,
              "a ticket takes its issues along [seed 215] [seed 268]")
        equal((await session.execute(select(func.count()).select_from(Cluster).where(Cluster.id == cluster.id))).scalar_one(), 1, "the cluster stays [seed 268]")
    await engine.dispose()


test(lambda: asyncio.run(body()))
