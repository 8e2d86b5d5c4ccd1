// catalogs.mjs: what is installed in schema triage, as the catalogs tell it, to compare what clients made of it.
//
// { enums: { name: [label] },
//   relations: { name: { view, columns: { name: { type, array, enum, nullable, generated, identity } },
//                        primaryKey: [column], uniques: { name: [column] },
//                        foreignKeys: { name: { columns, table, references, onDelete } } } } }

import pg from 'pg'

const columnsOf = (relation, numbers) => `(SELECT array_agg(a.attname::text ORDER BY n.position)
  FROM unnest(${numbers}) WITH ORDINALITY n (attnum, position)
  JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = n.attnum)`

export async function catalogs() {
  const client = new pg.Client({ host: process.env.PGHOST, port: Number(process.env.PGPORT), user: process.env.PGUSER, database: process.env.PGDATABASE })
  await client.connect()
  const rows = async (sql) => (await client.query(sql)).rows
  const result = { enums: {}, relations: {} }
  for (const row of await rows(`SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
      FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = 'triage'::regnamespace GROUP BY t.typname`))
    result.enums[row.typname] = row.labels
  for (const row of await rows(`SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'triage'`))
    result.relations[row.table_name] = { view: row.table_type === 'VIEW', columns: {}, primaryKey: [], uniques: {}, foreignKeys: {} }
  for (const row of await rows(`SELECT table_name, column_name, data_type, udt_schema, udt_name, is_nullable, is_generated, is_identity,
      column_default FROM information_schema.columns WHERE table_schema = 'triage' ORDER BY table_name, ordinal_position`)) {
    const array = row.data_type === 'ARRAY'
    result.relations[row.table_name].columns[row.column_name] = {
      type: array ? row.udt_name.replace(/^_/, '') : row.udt_name,
      array,
      enum: row.udt_schema === 'triage',
      nullable: row.is_nullable === 'YES',
      generated: row.is_generated === 'ALWAYS',
      identity: row.is_identity === 'YES',
      initial: row.column_default !== null || row.is_identity === 'YES' || row.is_generated === 'ALWAYS'
    }
  }
  for (const row of await rows(`SELECT c.conname, c.contype, r.relname, p.relname AS target, c.confdeltype,
      ${columnsOf('c.conrelid', 'c.conkey')} AS columns, ${columnsOf('c.confrelid', 'c.confkey')} AS refs
      FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid LEFT JOIN pg_class p ON p.oid = c.confrelid
      WHERE c.connamespace = 'triage'::regnamespace AND c.contype IN ('p', 'u', 'f') AND c.conparentid = 0`)) {
    const relation = result.relations[row.relname]
    if (row.contype === 'p') relation.primaryKey = row.columns
    if (row.contype === 'u') relation.uniques[row.conname] = row.columns
    if (row.contype === 'f')
      relation.foreignKeys[row.conname] = { columns: row.columns, table: row.target, references: row.refs, onDelete: row.confdeltype === 'c' ? 'cascade' : 'no action' }
  }
  await client.end()
  return result
}

export const mapped = (object, change) => Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value, name)]))
export const without = (object, drop) => Object.fromEntries(Object.entries(object).filter(([name, value]) => !drop(value, name)))
