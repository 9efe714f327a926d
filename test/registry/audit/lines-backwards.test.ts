import assert from 'node:assert/strict'
import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as fc from 'fast-check'
import { linesBackwards } from '../../../registry/audit/lines-backwards.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

const directory = await temporaryDirectory()
after(() => directory[Symbol.asyncDispose]())
const file = join(directory.path, 'lines')

async function linesOf(content: string | Uint8Array, pieceBytes?: number): Promise<readonly string[]> {
  await writeFile(file, content)
  await using handle = await open(file)
  const lines: string[] = []
  for await (const line of linesBackwards(handle, pieceBytes)) lines.push(line)
  return lines
}

test('whatever a file holds and however it is read, its lines come from the last to the first', async () => {
  const line = fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.constant(''))
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 10 }), fc.integer({ min: 1, max: 40 }), async (lines, pieceBytes) => {
      const content = lines.join('\n')
      const expected = content.split('\n').filter(Boolean).toReversed()
      assert.deepEqual(await linesOf(content, pieceBytes), expected)
    }),
  )
})

test('a line longer than any event is left out, and those around it are not', async () => {
  const long = 'x'.repeat(256 * 1024)
  assert.deepEqual(await linesOf(`a\n${long}y\nb\n`), ['b', 'a'])
  assert.deepEqual(await linesOf(`a\n${long}\nb\n`), ['b', long, 'a'])
  assert.deepEqual(await linesOf(`${long}y`), [])
})

test('a file that is longer than a string can be is read to its beginning', async () => {
  await writeFile(file, 'first\n')
  await using handle = await open(file, 'r+')
  await handle.truncate(600 * 1024 * 1024) // all zeros, and takes no room
  await handle.write('\nlast\n', 600 * 1024 * 1024)
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const lines: string[] = []
  for await (const line of linesBackwards(handle, 1024 * 1024)) {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    lines.push(line)
  }
  assert.deepEqual(lines, ['last', 'first'])
  assert.ok(most < 256 * 1024 * 1024, `${most} bytes`)
})
