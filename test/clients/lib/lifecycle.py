"""What an application does with a ticket, the same for each client of Python; see lifecycle.mjs for the parts of a client."""

import uuid
from decimal import Decimal

from tap import equal, ok, refusal

TEXT = {"subject": "I was charged twice", "description": "My invoice shows the same payment two times, please refund one."}


def lifecycle(client):
    def inside(body, tenant=None):
        with client.transaction({"actor": "anna", **({"tenant": tenant} if tenant else {})}) as tx:
            return body(tx)

    def call(statement, *values):
        return inside(lambda tx: client.call(tx, statement, *values))

    def wait(id):
        return call("SELECT triage.wait_for_triage($1) AS state", id)[0]["state"]

    def shape(id):
        return call("SELECT checks.shape($1) AS shape", id)[0]["shape"]

    # create
    row = inside(lambda tx: client.insert(tx, TEXT))
    id = row["id"]
    ok(isinstance(id, int), "an id is an int", type(id))
    ok(isinstance(row["public_id"], uuid.UUID) or uuid.UUID(row["public_id"]), "the database makes the public id")
    equal([row["tenant_id"], row["status"], row["priority"], row["version"]], ["default", "open", "medium", 1], "and the other defaults")
    equal(wait(id), "processed", "an INSERT enqueues, and wakes the worker")
    twin = call("SELECT triage.create_ticket($1, $2) AS id", TEXT["subject"], TEXT["description"])[0]["id"]
    wait(twin)
    equal(shape(id), shape(twin), "it does all that create_ticket() does")

    # list
    listed = [dict(one) for one in inside(client.list)]
    equal([one for one in listed if one["id"] == id], [{"id": id, "status": "open", "priority": "high"}], "the list has it, with what the AI made of it")

    # update
    before = call("SELECT version FROM triage.tickets WHERE id = $1", id)[0]["version"]
    changed = dict(inside(lambda tx: client.update(tx, id, "urgent")))
    equal(changed, {"version": before + 1, "priority": "urgent", "priority_is_manual": True},
          "an UPDATE counts the version, and the choice is a person's")
    history = call("SELECT field, new_value, changed_by, session_role FROM triage.ticket_history WHERE ticket_id = $1 ORDER BY id DESC LIMIT 1", id)
    equal([dict(one) for one in history], [{"field": "priority", "new_value": "urgent", "changed_by": "anna", "session_role": "app"}],
          "and the history says who made it")

    # the AI's result
    result = inside(lambda tx: client.result(tx, id))
    equal([result["category"], result["urgency"], result["sentiment_score"]], ["billing", "high", 3], "the AI result: labels and score")
    ok(isinstance(result["confidence"], Decimal) and 0 < result["confidence"] <= 1, "its confidence is a Decimal", result["confidence"])
    ok("I was charged twice" in result["draft_reply"], "and its draft", result["draft_reply"])

    # errors
    stale = refusal(lambda: call("SELECT triage.update_ticket($1, '{\"priority\": \"low\"}', expected_version => 1)", id))
    equal(client.code(stale), "40001", "a stale version is told as 40001")
    ok("Read the ticket again" in client.hint(stale), "with a hint", client.hint(stale))
    inside(lambda tx: client.set_status(tx, id, "closed"))
    final = refusal(lambda: inside(lambda tx: client.set_status(tx, id, "open")))
    equal(client.code(final), "23514", "an illegal transition is told as 23514")
    ok("Closed is final" in client.hint(final), "with a hint", client.hint(final))
    equal(client.code(refusal(lambda: inside(lambda tx: client.with_id(tx, 7)))), "428C9", "an INSERT may not choose the id")

    # delete
    equal(client.code(refusal(lambda: inside(lambda tx: client.remove(tx, id)))), "42501", "an agent may not DELETE")
    call("SELECT triage.delete_ticket($1)", id)
    call("SELECT triage.delete_ticket($1)", twin)
    equal(call("SELECT id FROM triage.dashboard WHERE id IN ($1, $2)", id, twin), [], "delete_ticket() hides it")

    # tenants
    theirs = inside(lambda tx: client.insert(tx, TEXT), "acme")
    equal(theirs["tenant_id"], "acme", "a transaction works for the tenant that it names")
    equal([one["id"] for one in inside(client.list, "acme")], [theirs["id"]], "and sees that tenant only")
    ok(all(one["id"] != theirs["id"] for one in inside(client.list)), "the next one sees its own")
    inside(lambda tx: client.call(tx, "SELECT triage.delete_ticket($1)", theirs["id"]), "acme")
    equal(call("SELECT current_setting('triage.tenant') AS tenant")[0]["tenant"], "", "nothing stays behind on the connection")
