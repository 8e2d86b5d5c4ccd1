// The Prisma schema against the catalogs: what Prisma itself makes of it (its description of the data model, which
// setup.sh had it write down), column by column.

import { readFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { catalogs, mapped, without } from '../lib/catalogs.mjs'
import { is, ok, test } from '../lib/tap.mjs'

const TYPES = { text: 'String', uuid: 'String', int8: 'BigInt', int4: 'Int', int2: 'Int', bool: 'Boolean', timestamptz: 'DateTime',
  date: 'DateTime', numeric: 'Decimal', jsonb: 'Json', float4: 'Float', float8: 'Float', bytea: 'Bytes' }
const pascal = (name) => name.replace(/(^|_)(\w)/g, (_, begin, letter) => letter.toUpperCase())

await test(async () => {
  const { enums, relations } = await catalogs()
  const model = JSON.parse(readFileSync(process.env.DMMF))

  ok(model.models.length > 10, 'the schema is one that Prisma accepts [seed 35]')
  const made = execFileSync('prisma/schema.sh', { env: { ...process.env }, encoding: 'utf8' })
  ok(made === readFileSync('prisma/schema.prisma', 'utf8'), 'prisma/schema.prisma is up to date; make prisma-schema writes it')

  is(Object.fromEntries(model.enums.map((one) => [one.dbName, one.values.map((value) => value.dbName ?? value.name)]).sort()),
    Object.fromEntries(Object.entries(enums).sort()), 'each enum with its labels, in order [seed 36]')

  // what Prisma has no type for: a key with such a column, or a view's column, is left out
  const known = (column) => column.enum || column.type in TYPES
  relations.ticket_comments.columns.author_role.initial = true // by a trigger
  const reachable = without(relations, (relation) => relation.primaryKey.some((name) => !known(relation.columns[name])))
  is(Object.keys(relations).filter((name) => !(name in reachable)), ['role_tenants'], 'all but one table can be addressed')
  const models = Object.fromEntries(model.models.map((one) => [one.dbName, one]))
  is(Object.keys(models).sort(), Object.keys(reachable).sort(), 'each other table and view is a model')

  for (const [name, relation] of Object.entries(reachable)) {
    if (!models[name]) continue
    const { fields, primaryKey, uniqueIndexes } = models[name]
    const scalars = fields.filter((field) => field.kind === 'scalar' || field.kind === 'enum')
    const column = Object.fromEntries(fields.map((field) => [field.name, field.dbName ?? field.name]))

    is(Object.fromEntries(scalars.map((field) => [column[field.name], {
      type: field.type, list: field.isList, required: field.isRequired, initial: field.hasDefaultValue
    }])), mapped(without(relation.columns, (one) => !known(one)), (one) => ({
      type: one.enum ? pascal(one.type) : TYPES[one.type], list: one.array, required: one.array || !one.nullable, initial: one.initial
    })), `${name}: columns, types, nullability, defaults`)
    ok(scalars.every((field) => !field.hasDefaultValue || ['dbgenerated', 'autoincrement'].includes(field.default.name)),
      `${name}: every default is the database's`)

    const ids = primaryKey ? primaryKey.fields : fields.filter((field) => field.isId).map((field) => field.name)
    is(ids.map((field) => column[field]), relation.primaryKey, `${name}: primary key`)
    is(uniqueIndexes.map((index) => index.fields.map((field) => column[field])).sort(), Object.values(relation.uniques).sort(), `${name}: unique keys`)

    // a relation of one to one lists them in the order of its own table's key
    const paired = ({ columns, references, ...rest }) => ({ ...rest, pairs: columns.map((one, n) => [one, references[n]]).sort() })
    const keys = fields.filter((field) => field.kind === 'object' && field.relationFromFields.length)
    is(Object.fromEntries(keys.map((field) => {
      const target = model.models.find((one) => one.name === field.type)
      return [field.relationName, paired({
        columns: field.relationFromFields.map((from) => column[from]),
        table: target.dbName,
        references: field.relationToFields.map((to) => target.fields.find((one) => one.name === to).dbName ?? to),
        onDelete: field.relationOnDelete === 'Cascade' ? 'cascade' : 'no action'
      })]
    }).sort()), Object.fromEntries(Object.entries(relation.foreignKeys).map(([key, one]) => [key, paired(one)]).sort()), `${name}: foreign keys, their columns in pairs`)
  }
})
