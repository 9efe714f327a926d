import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { test } from 'node:test'
import { openBrokenUpstreamSite, v2Of } from '../../helpers/broken-upstream-site.ts'
import { nothingWrongIsKept } from '../../helpers/kept-content.ts'
import { pullOutcome, wordsFor } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'
import { gate, stalled } from '../../helpers/upstream/faults.ts'

// So long that whoever waited for it would be seen to hang.
const remote = { socketTimeoutMillis: 600_000 }

test('a stop breaks off what comes in from another registry and keeps it; after the restart it goes on', async () => {
  await using site = await openBrokenUpstreamSite({ remote })
  const { upstream, registry } = site
  const size = 3_000_000
  const digest = await upstream.content.pattern('team/app', size)
  const path = `${v2Of('hub')}/team/app/blobs/${digest}`
  const held = gate(2_000_000)
  upstream.break('blob', held.fault, 1)

  const sent = request({ socketPath: registry.socket, path, agent: false, headers: { host: 'registry.test' } })
  sent.end()
  const [reading] = (await once(sent, 'response')) as [IncomingMessage]
  const others = Array.from({ length: 3 }, () => pullOutcome(registry.socket, path))
  let received = 0
  for await (const chunk of reading.iterator({ destroyOnReturn: false })) {
    received += (chunk as Buffer).length
    if (received >= 1_500_000) break
  }
  reading.on('error', () => undefined)
  reading.resume()
  await registry.running.stop()
  for (const outcome of await Promise.all(others)) assert.equal(wordsFor(outcome), '200 broken')
  assert.equal((await registry.uploads()).length, 1)
  assert.deepEqual(
    registry.log.filter(({ msg }) => String(msg).includes('offline')),
    [],
  )

  await registry.restart()
  const again = await pullOutcome(registry.socket, path)
  assert.deepEqual([wordsFor(again), digestOfBytes(again.body)], ['200 MISS', digest])
  const from = /^bytes=(\d+)-$/.exec(upstream.requests.at(-1)?.headers.range ?? '')?.[1]
  assert.ok(Number(from) >= 1_500_000, `it went on from ${from}`)
  assert.deepEqual(await registry.uploads(), [])
  await nothingWrongIsKept(registry.dataDirectory)
  assert.deepEqual(requestFailures(registry), [])
  held.open()
})

test('a stop waits for no answer of another registry', async () => {
  await using site = await openBrokenUpstreamSite({ remote })
  const { upstream, registry } = site
  const image = tinyImage('one')
  upstream.content.push('team/app', '1', image)
  const held = gate('head')
  upstream.break('manifest', held.fault)
  upstream.break('blob', stalled('head'))
  upstream.break('tags', stalled('head'))
  const [, layer = Buffer.alloc(0)] = image.blobs
  const waiting = ['manifests/1', `blobs/${digestOfBytes(layer)}`, 'tags/list'].map((path) =>
    pullOutcome(registry.socket, `${v2Of('hub')}/team/app/${path}`),
  )
  await held.reached
  while (upstream.requests.length < 3) await new Promise(setImmediate)
  await registry.running.stop()
  for (const outcome of await Promise.all(waiting)) assert.match(wordsFor(outcome), /^(404|503) /)
  assert.deepEqual(requestFailures(registry), [])
  await registry.restart()
  upstream.heal()
  assert.equal(wordsFor(await pullOutcome(registry.socket, `${v2Of('hub')}/team/app/manifests/1`)), '200 MISS')
})
