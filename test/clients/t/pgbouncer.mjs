// Tenants through pgbouncer in transaction mode: two clients whose transactions alternate on one server connection.

import pg from 'pg'
import { is, ok, refusal, test } from '../lib/tap.mjs'

const POOLED = process.env.POOLED_URL
const ONE = POOLED.replace(/@\/[^?]*/, '@/one')

async function client(url) {
  const one = new pg.Client({ connectionString: url })
  await one.connect()
  return one
}

const value = async (client, sql, values) => Object.values((await client.query(sql, values)).rows[0])[0]

async function as(client, tenant, body) {
  await client.query('BEGIN')
  await client.query(`SET LOCAL triage.tenant = '${tenant}'`)
  const result = await body()
  await client.query('COMMIT')
  return result
}

await test(async () => {
  const a = await client(ONE)
  const b = await client(ONE)
  is(await value(a, 'SELECT pg_backend_pid()'), await value(b, 'SELECT pg_backend_pid()'), 'two clients share one server connection')

  const made = { default: [], acme: [] }
  for (let round = 0; round < 5; round += 1)
    for (const [one, tenant] of [[a, 'acme'], [b, 'default']])
      made[tenant].push(await as(one, tenant, () => value(one, `INSERT INTO triage.tickets (description) VALUES ($1) RETURNING id`, [`${tenant} ${round}`])))
  const owners = (one, tenant) => as(one, tenant, async () => (await one.query(
    'SELECT DISTINCT tenant_id FROM triage.tickets UNION SELECT DISTINCT tenant_id FROM triage.inbox')).rows.map((row) => row.tenant_id))
  is([await owners(a, 'acme'), await owners(b, 'default'), await owners(b, 'acme'), await owners(a, 'default')],
    [['acme'], ['default'], ['acme'], ['default']], 'SET LOCAL: each transaction sees the tenant that it names [seed 87]')
  is(await value(b, 'SELECT triage.current_tenant()'), 'default', 'and nothing of it stays on the connection [seed 87]')
  is(await as(a, 'acme', () => value(a, 'SELECT count(*)::int FROM triage.tickets WHERE id = ANY ($1)', [made.default])), 0,
    'the ids of another tenant find nothing')
  const foreign = await refusal(() => as(a, 'acme', () => a.query('INSERT INTO triage.ticket_comments (ticket_id, content) VALUES ($1, \'x\')', [made.default[0]])))
  ok(['P0002', '23503'].includes(foreign?.code), 'and cannot be referred to', foreign?.message)
  await a.query('ROLLBACK')

  const broken = await refusal(() => as(a, 'acme', () => a.query('SELECT 1/0')))
  is(broken?.code, '22012', 'a transaction that fails')
  await a.query('ROLLBACK')
  is(await value(b, 'SELECT triage.current_tenant()'), 'default', 'leaves no tenant behind either')

  await a.query("SELECT set_config('triage.tenant', 'acme', true), set_config('triage.actor', 'anna', true)")
  is(await value(a, 'SELECT triage.current_tenant()'), 'default', 'SET LOCAL outside of a transaction is gone with its statement')

  // why SET is not for a pool
  await a.query("SET triage.tenant = 'acme'")
  is(await value(b, 'SELECT triage.current_tenant()'), 'acme', 'a plain SET leaks to the next client of the connection: do not use it [seed 87]')
  await b.query('RESET triage.tenant')
  is(await value(a, 'SELECT triage.current_tenant()'), 'default', 'until somebody takes it back')

  // a role that is held to its tenant cannot be led astray by what another client left
  const held = await client(ONE.replace('app@', 'acme_app@'))
  const held2 = await client(ONE.replace('app@', 'acme_app@'))
  is(await value(held, 'SELECT triage.current_tenant()'), 'acme', 'a role held to a tenant needs no setting')
  await held.query("SET triage.tenant = 'default'")
  is((await refusal(() => held2.query('SELECT count(*) FROM triage.tickets')))?.code, '42501', 'and a leaked setting is refused, not followed [seed 87]')
  await held2.query('RESET triage.tenant')
  is((await held2.query('SELECT DISTINCT tenant_id FROM triage.tickets')).rows, [{ tenant_id: 'acme' }], 'its rows are those of its tenant')

  // many transactions at once, over few connections
  const pool = new pg.Pool({ connectionString: POOLED, max: 12 })
  const seen = await Promise.all(Array.from({ length: 120 }, async (_, n) => {
    const tenant = n % 3 ? 'acme' : 'default'
    const one = await pool.connect()
    try {
      return [tenant, ...await owners(one, tenant)]
    } finally {
      one.release()
    }
  }))
  ok(seen.every(([tenant, ...found]) => found.length === 1 && found[0] === tenant), '120 transactions of 12 clients on two connections see their own tenant only [seed 87]',
    JSON.stringify(seen))

  // a wait occupies a server connection, and the worker does not need the pool
  is(await as(a, 'acme', () => value(a, 'SELECT triage.wait_for_triage($1)', [made.acme[0]])), 'processed', 'what was committed through the pooler is triaged')
  for (const [one, tenant] of [[a, 'acme'], [b, 'default']])
    for (const id of made[tenant]) await as(one, tenant, () => one.query('SELECT triage.delete_ticket($1)', [id]))
  for (const one of [a, b, held, held2]) await one.end()
  await pool.end()
})
