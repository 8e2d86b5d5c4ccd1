// The generated and pulled types under the TypeScript compiler.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { is, test } from '../lib/tap.mjs'

function complaints(...files) {
  const { stdout, status } = spawnSync('node_modules/.bin/tsc', ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2022',
    '--module', 'preserve', '--moduleResolution', 'bundler', '--types', 'node', ...files], { encoding: 'utf8' })
  return status === 0 ? '' : stdout
}

await test(async () => {
  is(complaints('types/labels.ts'), '', 'labels, ids and required columns are checked by the compiler, for Prisma and Drizzle [seed 36]')
  is(complaints('drizzle/triage/schema.ts', 'drizzle/triage/relations.ts'), '', 'what was pulled and mended compiles [seed 196]')
  writeFileSync('types/wrong.ts', "import { ticketsInTriage as t } from '../drizzle/triage/schema'\nexport const a: typeof t.$inferInsert = { description: 'x', status: 'nonsense' }\n")
  is(/nonsense/.test(complaints('types/wrong.ts')), true, 'and the compiler is one that complains')
})
