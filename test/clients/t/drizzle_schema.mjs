// What drizzle-kit pulled, once mended, against the catalogs.

import { getTableConfig, getViewConfig, isPgEnum, isPgSchema, PgTable, PgView } from 'drizzle-orm/pg-core'
import { createTableRelationsHelpers, extractTablesRelationalConfig, getTableColumns, is as isA } from 'drizzle-orm'
import { readFileSync } from 'node:fs'
import { catalogs, mapped } from '../lib/catalogs.mjs'
import { is, ok, test } from '../lib/tap.mjs'
import * as schema from '../drizzle/triage/schema.js'
import * as relationsModule from '../drizzle/triage/relations.js'

const TYPES = { int8: 'bigint', int4: 'integer', int2: 'smallint', bool: 'boolean', timestamptz: 'timestamp with time zone', float4: 'real', float8: 'double precision' }
// which it says in the file; mended, they are text
const UNKNOWN = [...readFileSync('drizzle/triage/schema.ts', 'utf8').matchAll(/failed to parse database type '([^']*)'/g)].map((match) => match[1])
const sorted = (list) => [...list].sort()

await test(async () => {
  const { enums, relations } = await catalogs()
  const objects = Object.values(schema)
  is(Object.fromEntries(objects.filter(isPgEnum).map((one) => [one.enumName, one.enumValues]).sort()), Object.fromEntries(Object.entries(enums).sort()),
    'each enum with its labels, in order [seed 36]')
  const tables = Object.fromEntries(objects.filter((one) => isA(one, PgTable)).map((one) => [getTableConfig(one).name, getTableConfig(one)]))
  const views = Object.fromEntries(objects.filter((one) => isA(one, PgView)).map((one) => [getViewConfig(one).name, getViewConfig(one).selectedFields]))
  const names = (view) => sorted(Object.keys(relations).filter((name) => relations[name].view === view))
  ok(['tickets', 'people', 'ticket_ai_results'].every((name) => Object.values(relations[name].columns).filter((one) => UNKNOWN.includes(one.type)).length <= 1),
    'an application meets no type that Drizzle does not know, but for the search column')
  is(sorted(Object.keys(tables)), names(false), 'each table was pulled')
  is(sorted(Object.keys(views)), names(true), 'each view was pulled')

  const config = extractTablesRelationalConfig({ ...schema, ...relationsModule }, createTableRelationsHelpers)
  for (const [name, relation] of Object.entries(relations)) {
    const columns = relation.view ? Object.values(views[name]) : tables[name].columns
    is(Object.fromEntries(columns.map((one) => [one.name, {
      type: (one.baseColumn ?? one).getSQLType().replace(/\(.*/, ''), array: one.columnType === 'PgArray', nullable: !one.notNull
    }])), mapped(relation.columns, (one) => ({
      type: UNKNOWN.includes(one.type) || (one.array && one.enum) ? 'text' : TYPES[one.type] ?? one.type,
      // an array of a view is pulled as its element; the driver returns the array all the same
      array: one.array && !relation.view,
      nullable: one.nullable
    })), `${name}: columns, types, nullability`)
    if (relation.view) continue

    const table = tables[name]
    is(sorted(columns.filter((one) => one.generatedIdentity?.type === 'always').map((one) => one.name)),
      sorted(Object.keys(relation.columns).filter((one) => relation.columns[one].identity)), `${name}: identity columns`)
    const primary = table.primaryKeys[0]?.columns ?? columns.filter((one) => one.primary)
    is(sorted(primary.map((one) => one.name)), sorted(relation.primaryKey), `${name}: primary key`)
    is(Object.fromEntries(table.uniqueConstraints.map((one) => [one.name, sorted(one.columns.map((each) => each.name))]).sort()),
      Object.fromEntries(Object.entries(mapped(relation.uniques, sorted)).sort()), `${name}: unique keys`)
    const keys = Object.fromEntries(table.foreignKeys.map((one) => {
      const { name: key, columns: from, foreignColumns: to, foreignTable } = one.reference()
      return [key, { columns: from.map((each) => each.name), table: getTableConfig(foreignTable).name, references: to.map((each) => each.name),
        onDelete: one.onDelete ?? 'no action' }]
    }).sort())
    is(keys, Object.fromEntries(Object.entries(relation.foreignKeys).sort()), `${name}: foreign keys, their columns in pairs`)

    const one = Object.values(config.tables).find((each) => each.dbName === name).relations
    is(Object.fromEntries(Object.values(one).filter((each) => each.config?.fields).map((each) => [each.relationName, {
      columns: each.config.fields.map((field) => field.name), table: getTableConfig(each.referencedTable).name,
      references: each.config.references.map((field) => field.name), onDelete: keys[each.relationName]?.onDelete
    }]).sort()), keys, `${name}: relations hold all columns of their keys`)
  }
})
