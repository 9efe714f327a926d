import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { pacedBody } from '../../../../registry/repositories/upstream/paced-body.ts'
import type { UpstreamFailure } from '../../../../registry/repositories/upstream/upstream.ts'
import { failing } from './upstreams.ts'

test('a body that has broken off before anybody reads it fails as one that does later', async () => {
  const source = new PassThrough()
  const failures: UpstreamFailure[] = []
  const body = pacedBody(source, {
    what: 'a blob',
    length: 10,
    limits: { silenceMs: 1000, windowMs: 1000, bytesPerSecond: 1 },
    now: Date.now,
    received: () => {},
    failed: (failure) => void failures.push(failure),
  })
  const failed = once(body, 'error')
  source.write('a part')
  source.destroy(new Error('reset'))
  await failed
  await assert.rejects(buffer(body), failing('unreachable', /^a blob broke off: reset$/))
  assert.equal(failures.length, 1)
})
