// Prisma over its adapter for node-postgres; the client was generated from prisma/schema.prisma.

import { PrismaClient } from '@prisma/client'
import { PrismaPg } from '@prisma/adapter-pg'
import { lifecycle } from '../lib/lifecycle.mjs'
import { is, ok, refusal, test } from '../lib/tap.mjs'

const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.DATABASE_URL, max: 2 }) })

function transaction(settings, body) {
  return prisma.$transaction(async (tx) => {
    for (const [name, value] of Object.entries(settings))
      await tx.$executeRaw`SELECT set_config(${`triage.${name}`}, ${value}, true)`
    return body(tx)
  }, { maxWait: 60000, timeout: 120000 })
}

const tenantOf = async (tx) => (await tx.$queryRaw`SELECT triage.current_tenant() AS tenant`)[0].tenant
const key = async (tx, id) => ({ id_tenantId: { id, tenantId: await tenantOf(tx) } })

// An error of the database comes as a DriverAdapterError, one of a raw query inside a P2010.
const cause = (error) => error?.cause ?? error?.meta?.driverAdapterError?.cause

await test(async () => {
  await lifecycle({
    transaction,
    idType: 'bigint',
    insert: (tx, row) => tx.tickets.create({ data: row }),
    list: (tx) => tx.tickets.findMany({
      where: { status: { notIn: ['resolved', 'closed'] }, deletedAt: null },
      orderBy: [{ waitingSince: 'asc' }, { id: 'asc' }],
      select: { id: true, status: true, priority: true }
    }),
    update: async (tx, id, priority) => tx.tickets.update({
      where: await key(tx, id), data: { priority }, select: { version: true, priority: true, priorityIsManual: true }
    }),
    setStatus: async (tx, id, status) => tx.tickets.update({ where: await key(tx, id), data: { status } }),
    result: async (tx, id) => (await tx.tickets.findUniqueOrThrow({
      where: await key(tx, id), include: { ticketAiResults: { where: { supersededAt: null } } }
    })).ticketAiResults[0],
    call: (tx, sql, values = []) => tx.$queryRawUnsafe(sql, ...values),
    remove: async (tx, id) => tx.tickets.delete({ where: await key(tx, id) }),
    withId: (tx, id) => tx.tickets.create({ data: { id: BigInt(id), description: 'mine' } }),
    code: (error) => cause(error)?.originalCode,
    hint: (error) => cause(error)?.hint,
    hintOf40001: false
  })

  await transaction({ actor: 'anna' }, async (tx) => {
    await tx.people.create({ data: { id: `user-${process.pid}`, displayName: 'Ada' } })
    const ticket = await tx.tickets.create({ data: { description: 'help', requesterId: `user-${process.pid}`, tags: ['vip'], customFields: { plan: 'gold' } } })
    const stale = await refusal(async () => tx.tickets.update({ where: { ...await key(tx, ticket.id), version: 99 }, data: { priority: 'low' } }))
    is(stale?.code, 'P2025', 'a version in the where clause finds a stale row as P2025')
    const read = await tx.tickets.findUniqueOrThrow({ where: await key(tx, ticket.id), include: { requester: true, ticketComments: true } })
    is([read.requester.displayName, read.tags, read.customFields, read.ticketComments], ['Ada', ['vip'], { plan: 'gold' }, []],
      'composite foreign keys are relations, text[] and jsonb arrays and objects')
    const seen = await tx.inbox.findFirst({ where: { id: ticket.id }, orderBy: { waitingSince: 'asc' } })
    is([seen.id, seen.aiState], [ticket.id, 'pending'], 'a view is read like a table')
    const commented = await tx.ticketComments.create({ data: { ticketId: ticket.id, authorId: `user-${process.pid}`, content: 'and please soon' } })
    is([commented.tenantId, commented.authorRole, commented.visibility], ['default', 'customer', 'public'], 'a comment is a row with typed labels')
    await tx.$queryRaw`SELECT triage.delete_ticket(${ticket.id})`
  })
  const raw = await refusal(() => prisma.$queryRaw`SELECT triage.create_ticket('', '')`)
  is([raw?.code, raw?.meta?.driverAdapterError?.cause?.originalCode], ['P2010', '23514'], 'a raw call tells the SQLSTATE inside of a P2010')
  ok(raw?.meta?.driverAdapterError?.cause?.hint, 'and the hint')
  const wrong = await refusal(() => prisma.tickets.create({ data: { description: 'x', status: 'nonsense' } }))
  is(wrong?.name, 'PrismaClientValidationError', 'a label that the enum has not is refused before it is sent [seed 36]')
  ok(/Expected TicketStatus/.test(wrong?.message), 'and the error names the enum', wrong?.message)
  await prisma.$disconnect()
})
