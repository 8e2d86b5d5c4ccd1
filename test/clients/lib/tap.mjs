// tap.mjs: results as TAP, for the programs of test/clients.

import { isDeepStrictEqual, inspect } from 'node:util'

let count = 0
let failed = 0

export function ok(good, name, ...details) {
  count += 1
  if (!good) failed += 1
  console.log(`${good ? 'ok' : 'not ok'} ${count} - ${name}`)
  if (!good) for (const detail of details) console.log(String(detail).replace(/^/gm, '# '))
}

export function is(got, expected, name) {
  ok(isDeepStrictEqual(got, expected), name, `got: ${inspect(got, { depth: 9 })}`, `expected: ${inspect(expected, { depth: 9 })}`)
}

// What ACTION throws; undefined when it does not.
export async function refusal(action) {
  try {
    await action()
  } catch (error) {
    return error
  }
}

// Runs BODY and ends the program: an exception is a failure of its own, and the plan is what was run.
export async function test(body) {
  try {
    await body()
  } catch (error) {
    ok(false, 'the program gets to its end', error.stack, inspect(error, { depth: 3 }))
  }
  console.log(`1..${count}`)
  process.exit(failed ? 1 : 0)
}
