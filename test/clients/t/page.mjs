// doc/clients.md, as it stands: its files are written out and its programs run, in the order of the page.
//
// "run: NAME" and "file: NAME" before a block name it; a program has to print the comment at the end of its last line.
// "part of: FILE" says that each line of the block is one of that file's, in that order.

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { catalogs } from '../lib/catalogs.mjs'
import { is, ok, test } from '../lib/tap.mjs'

const page = readFileSync('clients.md', 'utf8')
const blocks = [...page.matchAll(/<!-- (run|file|part of): (\S+) -->\n```\w+\n([^]*?)```/g)]
  .map(([, what, name, text]) => ({ what, name, text }))

function run(name, text) {
  const env = { ...process.env, OWNER_URL: process.env.DATABASE_URL.replace('app@', `${process.env.PGUSER}@`) }
  const at = (...command) => spawnSync(command[0], command.slice(1), { cwd: 'page', env, encoding: 'utf8', timeout: 200000 })
  const kind = name.split('.').pop()
  // SQLAlchemy says of each index on an expression that it passes it over; the page says so, too
  if (kind === 'py') return at(process.env.PYTHON, '-W', 'error', '-W', 'ignore:Skipped unsupported reflection of expression-based index', name)
  if (kind === 'mjs') return at('node', name)
  if (kind === 'sh') return at('bash', '-euo', 'pipefail', name)
  execFileSync('node_modules/.bin/esbuild', [`page/${name}`, '--bundle', '--format=esm', '--packages=external', '--log-level=warning', `--outfile=page/${name}.mjs`])
  return at('node', `${name}.mjs`)
}

await test(async () => {
  is((page.match(/^```(js|ts|python|sh|prisma)$/gm) ?? []).length, blocks.length, 'each program on the page has a name to run it by')
  is(blocks.filter(({ what }) => what === 'run').length, 7, 'programs of five clients, and what prepares them')
  mkdirSync('page')
  cpSync('drizzle/mend.mjs', 'page/mend.mjs')
  const before = await catalogs()
  for (const { what, name, text } of blocks) {
    if (what === 'part of') {
      const lines = readFileSync(name, 'utf8').split('\n')
      let place = 0
      for (const line of text.trimEnd().split('\n')) place = lines.findIndex((one, n) => n >= place && one.includes(line.trim())) + 1 || Infinity
      ok(place !== Infinity, `${name} has what the page shows of it`)
      continue
    }
    writeFileSync(`page/${name}`, text)
    if (what === 'file') continue
    const { status, stdout, stderr } = run(name, text)
    is(status, 0, `${name} runs`)
    if (status !== 0) console.log(`${stdout}${stderr}`.replace(/^/gm, '# '))
    const expected = text.trimEnd().split('\n').pop().match(/\s(?:\/\/|#) (.*)$/)
    if (expected) is(stdout, `${expected[1]}\n`, `${name} prints what it says`)
    else ok(name.endsWith('.sh'), `${name} prepares`)
  }
  ok(!page.split('\n').some((line) => /^(const|import)/.test(line) && line.length > 170), 'its lines can be read')

  const migration = readdirSync('page/migrations').filter((name) => name.endsWith('.sql'))
  const sql = migration.map((name) => readFileSync(`page/migrations/${name}`, 'utf8')).join('')
  is(sql.match(/CREATE \w+|DROP \w+|ALTER TABLE "\w+"/g), ['CREATE TABLE', 'ALTER TABLE "refunds"'], 'Drizzle\'s migration makes the application\'s table, and nothing else [seed 196]')
  ok(/REFERENCES "triage"."tickets"\("tenant_id","id"\)/.test(sql), 'which refers to tickets by both columns of the key [seed 196]', sql)
  is(await catalogs(), before, 'and generate, migrate and push leave schema triage as it was [seed 196]')
})
