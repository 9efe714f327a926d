import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Digest } from '../../../../registry/domain/digest.ts'
import type { Upstream } from '../../../../registry/repositories/upstream/upstream.ts'
import { UpstreamFailure } from '../../../../registry/repositories/upstream/upstream.ts'
import * as faults from '../../../helpers/upstream/faults.ts'
import type { Fault } from '../../../helpers/upstream/faults.ts'
import { digestOfBytes, tinyImage } from '../../../helpers/tiny-image.ts'
import { bytesOf, clientOf, digest, failing, image, latest, startUpstream } from './upstreams.ts'

/** Of an answer: all of it, or the kind of failure. */
type Outcome = 'right' | 'other bytes' | 'absent' | 'unreachable' | 'limited' | 'refused' | 'wrong'

const cases: readonly (readonly [name: string, fault: Fault, manifest: Outcome, blob: Outcome])[] = [
  ['nothing', (answer) => answer, 'right', 'right'],
  ['the connection ends at once', faults.truncated(0), 'unreachable', 'unreachable'],
  ['the connection ends in the middle', faults.truncated(100), 'unreachable', 'unreachable'],
  ['the connection is reset before the answer', faults.reset('head'), 'unreachable', 'unreachable'],
  ['the connection is reset in the middle', faults.reset(100), 'unreachable', 'unreachable'],
  ['no answer comes', faults.stalled('head'), 'unreachable', 'unreachable'],
  ['no byte comes', faults.stalled(0), 'unreachable', 'unreachable'],
  ['nothing more comes in the middle', faults.stalled(100), 'unreachable', 'unreachable'],
  ['a byte comes now and then', faults.dripping(1, 50), 'unreachable', 'unreachable'],
  ['more is announced than comes', faults.wrongLength(5), 'unreachable', 'unreachable'],
  ['less is announced than comes', faults.wrongLength(-5), 'wrong', 'other bytes'],
  ['other bytes', faults.otherBytes, 'wrong', 'other bytes'],
  ['no length is announced', faults.chunked, 'right', 'right'],
  ['no ranges', faults.withoutRanges, 'right', 'right'],
  ['a page', faults.htmlPage, 'wrong', 'wrong'],
  ['no JSON', faults.withBody('not found'), 'wrong', 'other bytes'],
  ['no manifest', faults.withBody('{}'), 'wrong', 'other bytes'],
  ['401', faults.status(401), 'refused', 'refused'],
  ['401 and a challenge that nobody can read', faults.status(401, { 'www-authenticate': '"' }), 'refused', 'refused'],
  ['403', faults.status(403), 'refused', 'refused'],
  ['404', faults.status(404), 'absent', 'absent'],
  ['400', faults.status(400), 'wrong', 'wrong'],
  ['204', faults.status(204), 'wrong', 'wrong'],
  ['304', faults.status(304), 'wrong', 'wrong'],
  ['429', faults.tooMany(), 'limited', 'limited'],
  ['429 until', faults.tooMany('120'), 'limited', 'limited'],
  ['500', faults.status(500), 'unreachable', 'unreachable'],
  ['503', faults.status(503), 'unreachable', 'unreachable'],
  ['503 until', faults.status(503, { 'retry-after': '7' }), 'limited', 'limited'],
  ['a redirect without a place', faults.status(307), 'wrong', 'wrong'],
  ['a redirect to no URL', faults.redirected(() => 'http://['), 'wrong', 'wrong'],
  ['a redirect to another protocol', faults.redirected(() => 'file:///etc/passwd'), 'wrong', 'wrong'],
  ['a redirect with credentials', faults.redirected(() => 'http://a:b@127.0.0.1/'), 'wrong', 'wrong'],
  ['a redirect to itself', faults.redirectLoop, 'wrong', 'wrong'],
  [
    'a redirect without end',
    faults.redirected((path) => `${path}${path.includes('?') ? '1' : '?1'}`),
    'wrong',
    'wrong',
  ],
  ['a redirect to where nobody listens', faults.redirected(() => 'http://127.0.0.1:1/'), 'unreachable', 'unreachable'],
]

describe('what an upstream does wrong, and what becomes of it', () => {
  for (const [name, fault, ofManifest, ofBlob] of cases) {
    test(`${name}: a manifest is ${ofManifest}, a blob ${ofBlob}`, async (t) => {
      const { upstream, client, wanted, whole } = await brokenUpstream(t)
      // By tag, with the digest announced, and by digest.
      const { digest: right } = tinyImage('a')
      upstream.break('manifest', fault)
      upstream.break('blob', fault)
      assert.equal(await outcomeOf(async () => (await client.manifest(image, latest))?.digest, right), ofManifest)
      const asked = async () => (await client.manifest(image, { digest: digest(right) }))?.digest
      assert.equal(await outcomeOf(asked, right), ofManifest)
      assert.equal(await outcomeOf(() => blobBytes(client, wanted), whole), ofBlob)

      upstream.heal()
      assert.equal(await outcomeOf(() => blobBytes(client, wanted), whole), 'right')
    })
  }
})

test('a length of 429 is told as the upstream says it, in seconds or as a date', async (t) => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  const { upstream, client } = await brokenUpstream(t, () => now)
  const waits: readonly (readonly [string | undefined, number | undefined])[] = [
    [undefined, undefined],
    ['120', 120],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    ['99999999', 86_400],
  ]
  for (const [header, seconds] of waits) {
    upstream.heal()
    upstream.break('manifest', faults.tooMany(header))
    await assert.rejects(client.manifest(image, latest), (error) => {
      assert.ok(error instanceof UpstreamFailure)
      assert.equal(error.retryAfterSeconds, seconds)
      return failing('limited')(error)
    })
  }
})

test('an upstream that is down is unreachable, and is asked again when it is back', async (t) => {
  const { upstream, client } = await brokenUpstream(t)
  await client.manifest(image, latest)
  await upstream.stop()
  await assert.rejects(client.manifest(image, latest), failing('unreachable', /refused|reset|closed/))
  await upstream.start()
  assert.ok(await client.manifest(image, latest))
})

test('a connection that was kept and ends when it is used is replaced at once', async (t) => {
  const { upstream, client } = await brokenUpstream(t)
  await client.manifest(image, latest)
  upstream.break('manifest', faults.reset('head'), 1)
  assert.ok(await client.manifest(image, latest))
  assert.equal(upstream.count('GET', 'manifest'), 3)
})

test('a blob that breaks off has given what came before, and goes on from there', async (t) => {
  const { upstream, client } = await brokenUpstream(t)
  const size = 300_000
  const wanted = digest(await upstream.content.pattern(image, size))
  upstream.break('blob', faults.truncated(200_000), 1)
  const parts: Buffer[] = []
  const blob = await client.blob(image, wanted, 0)
  assert.ok(blob)
  await assert.rejects(
    async () => {
      for await (const chunk of blob.bytes as AsyncIterable<Buffer>) parts.push(chunk)
    },
    failing('unreachable', /broke off/),
  )
  const got = Buffer.concat(parts)
  assert.ok(got.length > 0 && got.length <= 200_000)
  const rest = await bytesOf(await client.blob(image, wanted, got.length))
  assert.equal(digestOfBytes(Buffer.concat([got, rest])), wanted)
})

test('who gives up on a blob ends its connection, and nothing counts as failed', async (t) => {
  const { upstream, client, observed } = await brokenUpstream(t)
  const held = faults.gate(100)
  upstream.break('blob', held.fault)
  const blob = await client.blob(image, digest(await upstream.content.pattern(image, 100_000)), 0)
  await held.reached
  blob?.bytes.destroy(new Error('nobody wants it any more'))
  held.open()
  await assert.rejects(bytesOf(blob), /nobody wants it/)
  assert.deepEqual(observed.outcomes, ['200'])
})

async function brokenUpstream(t: TestContext, now = Date.now) {
  const upstream = await startUpstream(t)
  upstream.content.push(image, 'latest', tinyImage('a'))
  const whole = 'b'.repeat(500)
  const wanted = digest(upstream.content.blob(image, Buffer.from(whole)))
  const slowest = { bytesPerSecond: 1024, windowMs: 200 }
  const { client, observed } = await clientOf(t, upstream.url, { socketTimeoutMillis: 300 }, { slowest, now })
  return { upstream, client, observed, wanted, whole }
}

async function blobBytes(client: Upstream, wanted: Digest): Promise<string | undefined> {
  const blob = await client.blob(image, wanted, 0)
  return blob && (await bytesOf(blob)).toString('latin1')
}

async function outcomeOf(ask: () => Promise<string | undefined>, right: string): Promise<Outcome> {
  try {
    const found = await ask()
    return found === undefined ? 'absent' : found === right ? 'right' : 'other bytes'
  } catch (error) {
    assert.ok(error instanceof UpstreamFailure, String(error))
    return error.kind
  }
}
