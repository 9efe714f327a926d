import assert from 'node:assert/strict'
import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { pacedBody } from '../../../../registry/repositories/upstream/paced-body.ts'
import { failing } from './upstreams.ts'

function watched(source: Readable) {
  const failed: string[] = []
  const body = pacedBody(source, {
    what: 'the layer',
    length: 10,
    limits: { silenceMs: 1000, bytesPerSecond: 1, windowMs: 1000 },
    now: Date.now,
    received: () => undefined,
    failed: ({ kind }) => void failed.push(kind),
  })
  return { body, failed }
}

test('what breaks off before anybody reads is told as a failure of the upstream, once', async () => {
  const source = new PassThrough()
  const { body, failed } = watched(source)
  const closed = once(body, 'close').catch(() => undefined)
  source.destroy(new Error('other side closed'))
  await closed
  await assert.rejects(buffer(body), failing('unreachable', /^the layer broke off: other side closed$/))
  assert.deepEqual(failed, ['unreachable'])
})

for (const [title, end] of [
  ['breaks off', (source: PassThrough) => source.destroy(new Error('other side closed'))],
  ['ends too early', (source: PassThrough) => source.end()],
] as const)
  test(`what has come before a body ${title} is read first`, async () => {
    const source = new PassThrough()
    const { body, failed } = watched(source)
    for (const part of ['abc', 'def']) {
      source.write(part)
      while (body.readableLength < (part === 'abc' ? 3 : 6)) await setImmediate()
    }
    end(source)
    await setImmediate()
    let read = ''
    const reading = async () => {
      for await (const chunk of body) read += String(chunk)
    }
    await assert.rejects(reading, failing('unreachable', /^the layer broke off: /))
    assert.equal(read, 'abcdef')
    assert.deepEqual(failed, ['unreachable'])
  })

test('who stops reading ends the source at once, though nothing comes', async () => {
  const source = new PassThrough()
  const { body } = watched(source)
  const ended = once(source, 'close')
  await setImmediate()
  body.destroy()
  await ended
})
