import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { pacedBody } from '../../../../registry/repositories/upstream/paced-body.ts'
import { failing } from './upstreams.ts'

test('what breaks off before anybody reads is told as a failure of the upstream, once', async () => {
  const failed: string[] = []
  const source = new PassThrough()
  const body = pacedBody(source, {
    what: 'the layer',
    length: 10,
    limits: { silenceMs: 1000, bytesPerSecond: 1, windowMs: 1000 },
    now: Date.now,
    received: () => undefined,
    failed: ({ kind }) => void failed.push(kind),
  })
  const closed = once(body, 'close').catch(() => undefined)
  source.destroy(new Error('other side closed'))
  await closed
  await assert.rejects(buffer(body), failing('unreachable', /^the layer broke off: other side closed$/))
  assert.deepEqual(failed, ['unreachable'])
})
