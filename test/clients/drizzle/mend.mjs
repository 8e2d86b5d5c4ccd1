// mend.mjs DIRECTORY: puts right what `drizzle-kit pull` (0.31) wrote into DIRECTORY.
//
// schema.ts is no TypeScript where a default is the empty string or a function, or a type is not known to Drizzle.
// relations.ts takes the first column of each composite key only, and would join all rows of a tenant: it is written
// anew, one relation for each side of a foreign key, named after the constraint here and after this table there.

import { readFileSync, writeFileSync } from 'node:fs'

const directory = process.argv[2]
const schema = readFileSync(`${directory}/schema.ts`, 'utf8')
  .replaceAll(".default(')", ".default('')")
  .replaceAll('.default([""])', '.default([])')
  .replace(/\.default\((?!['"`\d[{-]|true\b|false\b|sql`)((?:[^()]|\([^()]*\))*)\)/g, '.default(sql`$1`)')
  .replace(/\bunknown\(/g, 'text(')
writeFileSync(`${directory}/schema.ts`, schema)

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase())
const tables = {}
for (const [, variable, name, text] of schema.matchAll(/^export const (\w+) = triage\.table\("(\w+)", \{$([^]*?)^\}?\]?\);$/gm))
  tables[variable] = { name, text, columns: [...text.matchAll(/^\t(\w+): /gm)].map((match) => match[1]), relations: [] }
for (const [variable, { name, text, columns, relations }] of Object.entries(tables)) {
  const keys = [...text.replaceAll('table.', `${variable}.`).matchAll(/columns: \[(.*)\],\s*foreignColumns: \[(.*)\],\s*name: "(\w+)"/g)]
    .map(([, from, to, key]) => ({ from, to, key, target: to.split('.')[0], stem: camel(key.replace(`${name}_`, '').replace(/_fkey$/, '')) }))
  for (const { from, to, key, target, stem } of keys) {
    const alone = keys.filter((other) => other.target === target).length === 1
    relations.push(`${columns.includes(stem) ? `${stem}Row` : stem}: one(${target}, { fields: [${from}], references: [${to}], relationName: '${key}' })`)
    const many = alone ? camel(name) : `${camel(name)}By${stem[0].toUpperCase()}${stem.slice(1)}`
    tables[target].relations.push(`${tables[target].columns.includes(many) ? `${many}Rows` : many}: many(${variable}, { relationName: '${key}' })`)
  }
}
writeFileSync(`${directory}/relations.ts`, `import { relations } from 'drizzle-orm'\nimport * as schema from './schema'\n\n` +
  `const { ${Object.keys(tables).join(', ')} } = schema\n` +
  Object.entries(tables).filter(([, table]) => table.relations.length).map(([variable, table]) =>
    `\nexport const ${variable}Relations = relations(${variable}, ({ one, many }) => ({\n  ${table.relations.join(',\n  ')}\n}))\n`).join(''))
