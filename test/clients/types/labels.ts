// What the compiler accepts, and must not: each @ts-expect-error is an error of its own when the line below has none.

import { PrismaClient, TicketStatus } from '@prisma/client'
import { drizzle } from 'drizzle-orm/node-postgres'
import { eq } from 'drizzle-orm'
import { peopleInTriage as people, ticketsInTriage as tickets } from '../drizzle/triage/schema'

export async function prisma(client: PrismaClient) {
  const ticket = await client.tickets.create({ data: { description: 'help', priority: 'high', status: TicketStatus.open } })
  const id: bigint = ticket.id
  const tags: string[] = ticket.tags
  const category: string | null = ticket.category
  // @ts-expect-error no such label
  await client.tickets.create({ data: { description: 'help', priority: 'huge' } })
  // @ts-expect-error a description is needed
  await client.tickets.create({ data: { subject: 'help' } })
  // @ts-expect-error the id is the database's, and no number
  const number: number = ticket.id
  // @ts-expect-error a label of another enum
  await client.tickets.findMany({ where: { status: 'customer' } })
  // @ts-expect-error a column that Prisma has no type for is not there
  ticket.search
  return { id, tags, category, number }
}

export async function drizzled(db: ReturnType<typeof drizzle>) {
  const [ticket] = await db.insert(tickets).values({ description: 'help', priority: 'high', status: 'open' }).returning()
  const id: number = ticket.id
  const tags: string[] = ticket.tags
  const category: string | null = ticket.category
  const resolution: 'resolved' | 'closed_by_client' | 'merged' | 'deflected' | 'abandoned' | 'spam' | null = ticket.resolution
  // @ts-expect-error no such label
  await db.insert(tickets).values({ description: 'help', priority: 'huge' })
  // @ts-expect-error a description is needed
  await db.insert(tickets).values({ subject: 'help' })
  // @ts-expect-error the id is the database's
  await db.insert(tickets).values({ id: 7, description: 'help' })
  // @ts-expect-error a label of another enum
  await db.select().from(tickets).where(eq(tickets.status, 'customer'))
  await db.insert(people).values({ id: 'user-17', role: 'agent' })
  return { id, tags, category, resolution }
}
