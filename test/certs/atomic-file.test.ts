import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { removeLeftovers, replaceFile } from '../../certs/atomic-file.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

test('leftovers are cleared away while others write their files', async () => {
  await using temporary = await temporaryDirectory()
  const file = join(temporary.path, 'server.crt')
  const writing = Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let turn = 0; turn < 25; turn++) await replaceFile(file, `turn ${turn}`, 0o644)
    }),
  )
  const clearing = (async () => {
    for (let turn = 0; turn < 200; turn++) await removeLeftovers(temporary.path, 60_000)
  })()
  await Promise.all([writing, clearing])
  assert.equal(await readFile(file, 'utf8'), 'turn 24')
  assert.deepEqual(await readdir(temporary.path), ['server.crt'])
})
