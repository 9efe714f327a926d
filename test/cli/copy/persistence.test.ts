import assert from 'node:assert/strict'
import { test } from 'node:test'
import { persistently } from '../../../cli/copy/persistence.ts'
import { UpstreamFailure } from '../../../registry/repositories/upstream/upstream.ts'

async function waits(...failures: readonly Error[]) {
  const [pauses, left] = [[] as number[], [...failures]]
  const work = async () => {
    const failure = left.shift()
    if (failure) throw failure
    return 'done'
  }
  const wait = async (seconds: number) => void pauses.push(seconds)
  const outcome = await persistently(work, wait).catch((error: unknown) => error)
  return { outcome, pauses }
}

test('what could not be reached is asked again after longer pauses, and in the end given up', async () => {
  const gone = new UpstreamFailure('unreachable', 'gone')
  assert.deepEqual(await waits(gone, gone, gone), { outcome: 'done', pauses: [1, 2, 4] })
  assert.deepEqual(await waits(gone, gone, gone, gone, gone), { outcome: gone, pauses: [1, 2, 4, 8] })
})

test('a registry that asks for patience gets it, unless it asks for hours', async () => {
  const limited = (retryAfterSeconds: number) => new UpstreamFailure('limited', 'too many', { retryAfterSeconds })
  assert.deepEqual(await waits(limited(30)), { outcome: 'done', pauses: [30] })
  assert.deepEqual((await waits(limited(21_600))).pauses, [])
})

test('what would be no better a second time is not asked again', async () => {
  assert.deepEqual((await waits(new UpstreamFailure('refused', 'no'))).pauses, [])
  assert.deepEqual((await waits(new Error('corrupt'))).pauses, [])
})
