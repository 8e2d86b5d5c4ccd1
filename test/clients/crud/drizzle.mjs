// drizzle-orm over node-postgres, with the schema that drizzle-kit pulled and drizzle/mend.mjs mended.

import { drizzle } from 'drizzle-orm/node-postgres'
import { and, asc, eq, isNull, notInArray, sql } from 'drizzle-orm'
import pg from 'pg'
import { lifecycle } from '../lib/lifecycle.mjs'
import { is, test } from '../lib/tap.mjs'
import * as schema from '../drizzle/triage/schema.js'
import * as relations from '../drizzle/triage/relations.js'

const { ticketsInTriage: tickets, ticketAiResultsInTriage: results, inboxInTriage: inbox, peopleInTriage: people,
  ticketCommentsInTriage: comments } = schema
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 2 })
const db = drizzle(pool, { schema: { ...schema, ...relations } })

function transaction(settings, body) {
  return db.transaction(async (tx) => {
    for (const [name, value] of Object.entries(settings)) await tx.execute(sql`SELECT set_config(${`triage.${name}`}, ${value}, true)`)
    return body(tx)
  })
}

// $1, $2 of a statement as drizzle's parameters
function statement(text, values = []) {
  const parts = text.split(/\$(\d+)/)
  return sql.join(parts.map((part, n) => n % 2 ? sql`${values[part - 1]}` : sql.raw(part)))
}

await test(async () => {
  await lifecycle({
    transaction,
    idType: 'number',
    insert: async (tx, row) => (await tx.insert(tickets).values(row).returning())[0],
    list: (tx) => tx.select({ id: tickets.id, status: tickets.status, priority: tickets.priority }).from(tickets)
      .where(and(notInArray(tickets.status, ['resolved', 'closed']), isNull(tickets.deletedAt)))
      .orderBy(asc(tickets.waitingSince), asc(tickets.id)),
    update: async (tx, id, priority) => (await tx.update(tickets).set({ priority }).where(eq(tickets.id, id))
      .returning({ version: tickets.version, priority: tickets.priority, priorityIsManual: tickets.priorityIsManual }))[0],
    setStatus: (tx, id, status) => tx.update(tickets).set({ status }).where(eq(tickets.id, id)),
    result: async (tx, id) => (await tx.select().from(results).where(and(eq(results.ticketId, id), isNull(results.supersededAt))))[0],
    call: async (tx, text, values) => (await tx.execute(statement(text, values))).rows,
    remove: (tx, id) => tx.delete(tickets).where(eq(tickets.id, id)),
    withId: (tx, id) => tx.insert(tickets).values({ id, description: 'mine' }),
    code: (error) => error?.cause?.code,
    hint: (error) => error?.cause?.hint
  })

  await transaction({ actor: 'anna' }, async (tx) => {
    await tx.insert(people).values({ id: `user-${process.pid}`, displayName: 'Tom' }).onConflictDoNothing()
    const [ticket] = await tx.insert(tickets).values({ description: 'help', requesterId: `user-${process.pid}`, tags: ['vip'], customFields: { plan: 'gold' } }).returning()
    const stale = await tx.update(tickets).set({ priority: 'low' }).where(and(eq(tickets.id, ticket.id), eq(tickets.version, 99))).returning()
    is(stale, [], 'a version in the where clause finds no stale row')
    await tx.insert(comments).values({ ticketId: ticket.id, authorId: `user-${process.pid}`, content: 'and please soon' })
    const read = await tx.query.ticketsInTriage.findFirst({ where: eq(tickets.id, ticket.id), with: { requester: true, ticketComments: true } })
    is([read.requester.displayName, read.tags, read.customFields, read.ticketComments.map((one) => [one.tenantId, one.authorRole, one.visibility])],
      ['Tom', ['vip'], { plan: 'gold' }, [['default', 'customer', 'public']]],
      'composite foreign keys are relations, text[] and jsonb arrays and objects, enums their labels')
    const [seen] = await tx.select().from(inbox).where(eq(inbox.id, ticket.id))
    is([seen.id, seen.aiState, seen.tags], [ticket.id, 'pending', ['vip']], 'a view is read like a table')
    await tx.execute(sql`SELECT triage.delete_ticket(${ticket.id})`)
  })
  is(tickets.status.enumValues, ['open', 'in_progress', 'pending', 'on_hold', 'review', 'resolved', 'closed'], 'enum columns know their labels [seed 36]')
  is(tickets.id.generatedIdentity?.type, 'always', 'the id is known as an identity')
  await pool.end()
})
