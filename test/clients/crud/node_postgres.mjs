// node-postgres, with nothing on top: bigint arrives as a string, and a statement has no name, which a pooler needs.

import pg from 'pg'
import { lifecycle } from '../lib/lifecycle.mjs'
import { is, test } from '../lib/tap.mjs'

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 })

async function transaction(settings, body) {
  const connection = await pool.connect()
  try {
    await connection.query('BEGIN')
    for (const [name, value] of Object.entries(settings))
      await connection.query('SELECT set_config($1, $2, true)', [`triage.${name}`, value])
    const result = await body(connection)
    await connection.query('COMMIT')
    return result
  } catch (error) {
    await connection.query('ROLLBACK')
    throw error
  } finally {
    connection.release()
  }
}

const rows = async (tx, sql, values) => (await tx.query(sql, values)).rows
const first = async (...args) => (await rows(...args))[0]

await test(async () => {
  await lifecycle({
    transaction,
    idType: 'string',
    insert: (tx, row) => first(tx, `INSERT INTO triage.tickets (subject, description) VALUES ($1, $2)
      RETURNING id, public_id AS "publicId", tenant_id AS "tenantId", status, priority, version`, [row.subject, row.description]),
    list: (tx) => rows(tx, 'SELECT id, status, priority FROM triage.inbox ORDER BY waiting_since, id'),
    update: (tx, id, priority) => first(tx, `UPDATE triage.tickets SET priority = $2 WHERE id = $1
      RETURNING version, priority, priority_is_manual AS "priorityIsManual"`, [id, priority]),
    setStatus: (tx, id, status) => rows(tx, 'UPDATE triage.tickets SET status = $2 WHERE id = $1', [id, status]),
    result: (tx, id) => first(tx, `SELECT category, urgency, sentiment_score AS "sentimentScore", confidence, draft_reply AS "draftReply"
      FROM triage.ticket_ai_results WHERE ticket_id = $1 AND superseded_at IS NULL`, [id]),
    call: rows,
    remove: (tx, id) => rows(tx, 'DELETE FROM triage.tickets WHERE id = $1', [id]),
    withId: (tx, id) => rows(tx, 'INSERT INTO triage.tickets (id, description) VALUES ($1, \'mine\')', [id]),
    code: (error) => error?.code,
    hint: (error) => error?.hint
  })

  // jsonb and arrays arrive as objects and arrays, and go the same way
  const [row] = await transaction({}, (tx) => rows(tx, `INSERT INTO triage.tickets (description, tags, custom_fields) VALUES ('x', $1, $2)
    RETURNING id, tags, custom_fields`, [['a', 'b'], { plan: 'gold' }]))
  is([row.tags, row.custom_fields], [['a', 'b'], { plan: 'gold' }], 'text[] and jsonb are arrays and objects')
  await transaction({}, (tx) => rows(tx, 'SELECT triage.delete_ticket($1)', [row.id]))
})
