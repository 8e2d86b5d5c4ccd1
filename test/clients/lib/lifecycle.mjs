// lifecycle.mjs: what an application does with a ticket, the same for each client of node.
//
// The client says how it does it:
//   transaction(settings, body)  body(tx) in a transaction with SET LOCAL triage.<name> for each of settings
//   insert(tx, row)              a ticket, by the client's own means; returns the row as the client sees it
//   list(tx)                     id, status, priority of the open tickets, oldest first
//   update(tx, id, priority)     by the client's own means; returns version, priority, priorityIsManual
//   setStatus(tx, id, status)    likewise
//   result(tx, id)               the current AI result, with its ticket's category
//   call(tx, sql, values)        rows of a statement
//   remove(tx, id)               DELETE
//   withId(tx, id)               INSERT that names the id
//   code(error), hint(error)     of an error as the client reports it; hintOf40001: whether that one has its hint
//   id(value)                    what an id looks like

import { is, ok, refusal } from './tap.mjs'

const TEXT = { subject: 'I was charged twice', description: 'My invoice shows the same payment two times, please refund one.' }

export async function lifecycle(client) {
  const anna = { actor: 'anna' }
  const inside = (body, settings = anna) => client.transaction(settings, body)
  const wait = (id) => inside((tx) => client.call(tx, 'SELECT triage.wait_for_triage($1::bigint) AS state', [id]))
  const shape = async (id) => (await inside((tx) => client.call(tx, 'SELECT checks.shape($1::bigint) AS shape', [id])))[0].shape
  const version = async (id) =>
    (await inside((tx) => client.call(tx, 'SELECT version FROM triage.tickets WHERE id = $1::bigint', [id])))[0].version

  // create
  const row = await inside((tx) => client.insert(tx, TEXT))
  ok(typeof row.id === client.idType, `an id is a ${client.idType}`, typeof row.id)
  ok(/^[0-9a-f-]{36}$/.test(row.publicId), 'the database makes the public id')
  is([row.tenantId, row.status, row.priority, row.version], ['default', 'open', 'medium', 1], 'and the other defaults')
  is((await wait(row.id))[0].state, 'processed', 'an INSERT enqueues, and wakes the worker')

  const [{ id: twin }] = await inside((tx) =>
    client.call(tx, 'SELECT triage.create_ticket($1, $2) AS id', [TEXT.subject, TEXT.description]))
  await wait(twin)
  is(await shape(row.id), await shape(twin), 'it does all that create_ticket() does')

  // list
  const listed = await inside((tx) => client.list(tx))
  is(listed.filter((one) => String(one.id) === String(row.id)), [{ id: row.id, status: 'open', priority: 'high' }],
    'the list has it, with what the AI made of it')

  // update
  const before = await version(row.id)
  const changed = await inside((tx) => client.update(tx, row.id, 'urgent'))
  is(changed, { version: before + 1, priority: 'urgent', priorityIsManual: true }, 'an UPDATE counts the version, and the choice is a person\'s')
  const history = await inside((tx) => client.call(tx,
    'SELECT field, new_value, changed_by, session_role FROM triage.ticket_history WHERE ticket_id = $1::bigint ORDER BY id DESC LIMIT 1', [row.id]))
  is(history, [{ field: 'priority', new_value: 'urgent', changed_by: 'anna', session_role: 'app' }], 'and the history says who made it')

  // the AI's result
  const result = await inside((tx) => client.result(tx, row.id))
  is([result.category, result.urgency, result.sentimentScore], ['billing', 'high', 3], 'the AI result: labels and score')
  ok(Number(result.confidence) > 0 && Number(result.confidence) <= 1, 'its confidence', result.confidence)
  ok(result.draftReply.includes('I was charged twice'), 'and its draft', result.draftReply)

  // errors
  const stale = await refusal(() => inside((tx) =>
    client.call(tx, 'SELECT triage.update_ticket($1::bigint, \'{"priority": "low"}\', expected_version => 1)', [row.id])))
  is(client.code(stale), '40001', 'a stale version is told as 40001')
  if (client.hintOf40001 !== false) ok(/Read the ticket again/.test(client.hint(stale)), 'with a hint', client.hint(stale))
  await inside((tx) => client.setStatus(tx, row.id, 'closed'))
  const final = await refusal(() => inside((tx) => client.setStatus(tx, row.id, 'open')))
  is(client.code(final), '23514', 'an illegal transition is told as 23514')
  ok(/Closed is final/.test(client.hint(final)), 'with a hint', client.hint(final))
  is(client.code(await refusal(() => inside((tx) => client.withId(tx, 7)))), '428C9', 'an INSERT may not choose the id')

  // delete
  is(client.code(await refusal(() => inside((tx) => client.remove(tx, row.id)))), '42501', 'an agent may not DELETE')
  await inside((tx) => client.call(tx, 'SELECT triage.delete_ticket($1::bigint)', [row.id]))
  await inside((tx) => client.call(tx, 'SELECT triage.delete_ticket($1::bigint)', [twin]))
  const gone = await inside((tx) => client.call(tx, 'SELECT FROM triage.dashboard WHERE id IN ($1::bigint, $2::bigint)', [row.id, twin]))
  is(gone.length, 0, 'delete_ticket() hides it')

  // tenants
  const acme = { actor: 'anna', tenant: 'acme' }
  const theirs = await inside((tx) => client.insert(tx, TEXT), acme)
  is(theirs.tenantId, 'acme', 'a transaction works for the tenant that it names')
  is((await inside((tx) => client.list(tx), acme)).map((one) => String(one.id)), [String(theirs.id)], 'and sees that tenant only')
  ok((await inside((tx) => client.list(tx))).every((one) => String(one.id) !== String(theirs.id)), 'the next one sees its own')
  await inside((tx) => client.call(tx, 'SELECT triage.delete_ticket($1::bigint)', [theirs.id]), acme)
  is((await inside((tx) => client.call(tx, 'SELECT current_setting(\'triage.tenant\') AS tenant')))[0].tenant, '', 'nothing stays behind on the connection')
}
