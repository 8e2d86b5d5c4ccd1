// dmmf.mjs: a generator that writes down what Prisma made of a schema, to the file that DMMF names.

import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  let result = null
  if (method === 'getManifest') result = { manifest: { prettyName: 'a description', defaultOutput: '.' } }
  else writeFileSync(process.env.DMMF, JSON.stringify(params.dmmf.datamodel))
  process.stderr.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\n')
})
