import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { withOutages } from '../../../../registry/repositories/upstream/outages.ts'
import { tinyImage } from '../../../helpers/tiny-image.ts'
import * as faults from '../../../helpers/upstream/faults.ts'
import { clientOf, digest, failing, image, latest, startUpstream } from './upstreams.ts'

test('an upstream that cannot be reached is left alone, and whoever asks is told why and until when', async (t) => {
  const { upstream, outer, clock, noticed } = await watched(t)
  await upstream.stop()
  await assert.rejects(outer.manifest(image, latest), failing('unreachable', /the connection is refused/))
  await upstream.start()
  const said = /offline until 2026-01-01T00:05:00\.000Z: the connection is refused$/
  clock.now += 4999
  await assert.rejects(outer.manifest(image, latest), failing('unreachable', said))
  await assert.rejects(outer.manifestHead(image, latest), failing('unreachable', said))
  await assert.rejects(outer.blob(image, digest(tinyImage('a').digest), 0), failing('unreachable', said))
  await assert.rejects(outer.tags(image), failing('unreachable', said))
  await assert.rejects(outer.images(), failing('unreachable', said))
  assert.equal(upstream.requests.length, 0)
  assert.deepEqual(noticed, ['offline'])
})

test('it is looked for while it is asked, now and then, and taken back when it answers', async (t) => {
  const { upstream, outer, clock, noticed, online } = await watched(t)
  await upstream.stop()
  await assert.rejects(outer.manifest(image, latest), failing('unreachable'))
  await upstream.start()
  const held = faults.gate('head')
  upstream.break('ping', held.fault)
  clock.now += 5000
  await Promise.all(
    Array.from({ length: 20 }, () => assert.rejects(outer.manifest(image, latest), failing('unreachable'))),
  )
  await held.reached
  assert.deepEqual(
    upstream.requests.map(({ url }) => url),
    ['/v2/'],
  )
  clock.now += 5000
  await assert.rejects(outer.manifest(image, latest), failing('unreachable'))
  held.open()
  await online
  assert.ok(await outer.manifest(image, latest))
  assert.equal(upstream.count('GET', 'ping'), 1)
  assert.deepEqual(noticed, ['offline', 'online'])
})

test('one that answers with 500 is not back, and one that asks who we are is', async (t) => {
  const { upstream, outer, client, clock, online } = await watched(t)
  await upstream.stop()
  await assert.rejects(outer.manifest(image, latest), failing('unreachable'))
  await upstream.start()
  upstream.break('ping', faults.status(502), 1)
  await assert.rejects(client.probe(), failing('unreachable', /502/))
  upstream.break('ping', faults.status(401))
  clock.now += 5000
  await assert.rejects(outer.manifest(image, latest), failing('unreachable'))
  await online
  assert.ok(await outer.manifest(image, latest))
})

test('a failure of what was asked before it came back says nothing new', async (t) => {
  const { upstream, outer, clock, noticed } = await watched(t)
  const held = faults.gate('head')
  upstream.break('manifest', held.fault, 1)
  // Its connection ends without an answer, and is asked for once more.
  upstream.break('manifest', faults.reset('head'), 2)
  const late = assert.rejects(outer.manifest(image, latest), failing('unreachable', /reset/))
  await held.reached
  upstream.break('tags', faults.reset('head'), 2)
  await assert.rejects(outer.tags(image), failing('unreachable', /reset/))
  clock.now += 300_000
  assert.ok(await outer.tags(image))
  held.open()
  await late
  assert.deepEqual(noticed, ['offline', 'online'])
  assert.ok(await outer.manifest(image, latest))
})

test('when the time is over it is asked again, and left alone again', async (t) => {
  const { upstream, outer, clock, noticed } = await watched(t)
  await upstream.stop()
  await assert.rejects(outer.manifest(image, latest), failing('unreachable', /refused$/))
  clock.now += 300_000
  await assert.rejects(outer.manifest(image, latest), failing('unreachable', /refused$/))
  await assert.rejects(outer.manifest(image, latest), failing('unreachable', /until 2026-01-01T00:10:00/))
  clock.now += 300_000
  await upstream.start()
  assert.ok(await outer.manifest(image, latest))
  assert.deepEqual(noticed, ['offline', 'offline', 'online'])
})

test('with a period of 0 it is never left alone', async (t) => {
  const { upstream, outer } = await watched(t, 0)
  await upstream.stop()
  await assert.rejects(outer.manifest(image, latest), failing('unreachable', /refused$/))
  await assert.rejects(outer.manifest(image, latest), failing('unreachable', /refused$/))
})

test('one broken image makes no outage, three failures in a row do', async (t) => {
  const { upstream, outer } = await watched(t)
  upstream.break('manifest', faults.status(500))
  for (let round = 0; round < 3; round++) {
    await assert.rejects(outer.manifest(image, latest), failing('unreachable', /answered with 500$/))
    await assert.rejects(outer.manifest(image, latest), failing('unreachable', /answered with 500$/))
    assert.ok(await outer.tags(image))
  }
  for (let round = 0; round < 3; round++)
    await assert.rejects(outer.manifest(image, latest), failing('unreachable', /answered with 500$/))
  await assert.rejects(outer.tags(image), failing('unreachable', /offline until .* answered with 500$/))
})

test('where the upstream leads may be down, and itself is not', async (t) => {
  const { upstream, outer } = await watched(t)
  upstream.break(
    'blob',
    faults.redirected(() => 'http://127.0.0.1:1/'),
  )
  await assert.rejects(outer.blob(image, digest(tinyImage('a').digest), 0), failing('unreachable'))
  for (let round = 0; round < 4; round++)
    await assert.rejects(outer.foreign(new URL('http://127.0.0.1:1/'), 0), failing('unreachable'))
  assert.ok(await outer.manifest(image, latest))
})

test('what is wrong or refused or absent makes no outage', async (t) => {
  const { upstream, outer } = await watched(t)
  for (const fault of [faults.status(403), faults.htmlPage, faults.status(404)]) {
    upstream.heal()
    upstream.break('manifest', fault)
    for (let round = 0; round < 4; round++) await outer.manifest(image, latest).catch(() => undefined)
    assert.ok(await outer.tags(image))
  }
})

const limits: readonly (readonly [retryAfter: string | undefined, seconds: number])[] = [
  [undefined, 5],
  ['30', 30],
  ['86400', 3600],
]
for (const [retryAfter, seconds] of limits) {
  test(`an upstream that wants to be left alone for ${retryAfter ?? 'a while'} is, for ${seconds} s`, async (t) => {
    const { upstream, outer, clock } = await watched(t)
    upstream.break('manifest', faults.tooMany(retryAfter), 1)
    await assert.rejects(outer.manifest(image, latest), failing('limited', /429$/))
    clock.now += 1000 * seconds - 1500
    await assert.rejects(outer.tags(image), (error) => {
      assert.equal((error as { readonly retryAfterSeconds?: number }).retryAfterSeconds, 2)
      return failing('limited', /left alone for 2 s: it answered with 429$/)(error)
    })
    assert.equal(upstream.requests.length, 1)
    clock.now += 1500
    assert.ok(await outer.manifest(image, latest))
  })
}

async function watched(t: TestContext, assumedOfflinePeriodSecs = 300) {
  const clock = { now: Date.parse('2026-01-01T00:00:00Z') }
  const upstream = await startUpstream(t)
  upstream.content.push(image, 'latest', tinyImage('a'))
  const { client } = await clientOf(t, upstream.url)
  const noticed: string[] = []
  const online = Promise.withResolvers<void>()
  const outer = withOutages(client, {
    assumedOfflinePeriodSecs,
    now: () => clock.now,
    noticed(change) {
      noticed.push(change)
      if (change === 'online') online.resolve()
    },
  })
  return { upstream, client, outer, clock, noticed, online: online.promise }
}
