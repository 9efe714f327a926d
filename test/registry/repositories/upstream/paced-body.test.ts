import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test, type TestContext } from 'node:test'
import { pacedBody } from '../../../../registry/repositories/upstream/paced-body.ts'
import type { UpstreamFailure } from '../../../../registry/repositories/upstream/upstream.ts'
import { failing } from './upstreams.ts'

test('a reader may take as long as it likes', async (t) => {
  const { body, pass, failures } = started(t, Readable.from([Buffer.alloc(1_000_000), Buffer.alloc(1_000_000)]))
  await once(body, 'readable')
  pass(1_000_000)
  assert.equal((await buffer(body)).length, 2_000_000)
  assert.deepEqual(failures, [])
})

test('a source may not, while the reader waits', async (t) => {
  const source = new PassThrough()
  const { body, pass, failures } = started(t, source)
  const read = assert.rejects(buffer(body), failing('unreachable', /what broke off: nothing came for 15000 ms/))
  pass(14_999)
  assert.deepEqual(failures, [])
  pass(1)
  await read
  assert.ok(source.destroyed)
  assert.deepEqual(failures, ['unreachable'])
})

test('bytes are counted, and must be as many as there must be', async (t) => {
  const chunks = () => Readable.from([Buffer.from('1234'), Buffer.from('567')])
  const right = started(t, chunks(), 7)
  assert.equal((await buffer(right.body)).toString(), '1234567')
  assert.deepEqual(right.received, [4, 3])
  for (const [length, come] of [
    [6, 7],
    [8, 7],
    [3, 4],
  ] as const) {
    const message = new RegExp(`${length} bytes were announced, and ${come} have come`)
    await assert.rejects(buffer(started(t, chunks(), length).body), failing('unreachable', message))
  }
})

test('a reader that gives up ends the source, and is no failure', async (t) => {
  const source = new PassThrough()
  const { body, failures } = started(t, source)
  body.destroy()
  await once(body, 'close')
  assert.ok(source.destroyed)
  assert.deepEqual(failures, [])
})

function started(t: TestContext, source: Readable, length?: number) {
  t.mock.timers.reset()
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = 0
  const received: number[] = []
  const failures: string[] = []
  const body = pacedBody(source, {
    what: 'what',
    length,
    limits: { silenceMs: 15_000, bytesPerSecond: 1024, windowMs: 30_000 },
    now: () => now,
    received: (bytes) => void received.push(bytes),
    failed: ({ kind }: UpstreamFailure) => void failures.push(kind),
  })
  const pass = (ms: number) => {
    now += ms
    t.mock.timers.tick(1000)
  }
  return { body, pass, received, failures }
}
