import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { bunzip2 } from '../../../registry/storage/bunzip2.ts'

const plain = Buffer.alloc(4_000_000)
const packed = execFileSync('bzip2', ['--stdout'], { input: plain })

function unpacked(bytes: Buffer, maxAtOnce?: number): Promise<Buffer> {
  return buffer(bunzip2(Readable.from([bytes]), maxAtOnce))
}

test('what was packed by bzip2 is unpacked', async () => {
  assert.ok((await unpacked(packed)).equals(plain))
})

test('what makes too much of a few bytes is not unpacked on', async () => {
  await assert.rejects(unpacked(packed, 1_000_000), { cause: new Error('more than 1000000 bytes at once') })
})

test('what breaks off is refused', async () => {
  await assert.rejects(unpacked(packed.subarray(0, -10)), { message: 'not in bzip2' })
})
