import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { after, beforeEach, test } from 'node:test'
import { openBrokenUpstreamSite, v2Of } from '../../helpers/broken-upstream-site.ts'
import { descriptorsFallTo, openDescriptors } from '../../helpers/open-descriptors.ts'
import { pullOutcome, wordsFor } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { digestOfBytes } from '../../helpers/tiny-image.ts'
import { gate, otherBytes, reset, stalled, status, truncated, type Fault } from '../../helpers/upstream/faults.ts'

// Nothing is kept: what the upstream does comes to the client as it comes here.
const site = await openBrokenUpstreamSite({ remote: { storeArtifactsLocally: false } })
after(() => site[Symbol.asyncDispose]())
const { upstream, registry } = site
const size = 900_000
const digest = await upstream.content.pattern('team/app', size)
const path = `${v2Of('hub')}/team/app/blobs/${digest}`
beforeEach(() => upstream.heal())

/** Whether there is such a blob is asked by HEAD first, which works. */
const onlyGet: (fault: Fault) => Fault = (fault) => {
  let asked = 0
  return (answer, path) => (asked++ === 0 ? answer : fault(answer, path))
}

for (const [title, fault, words] of [
  ['fails', status(500), '404 BLOB_UNKNOWN'],
  ['wants to be left alone', status(429, { 'retry-after': '0' }), '429 TOOMANYREQUESTS'],
  ['is silent', stalled('head'), '404 BLOB_UNKNOWN'],
  ['breaks off before the first byte', truncated(0), '200 broken'],
  ['breaks off in the middle', reset(400_000), '200 broken'],
  ['is silent in the middle', stalled(400_000), '200 broken'],
  ['sends other bytes', otherBytes, '200 broken'],
] as const)
  test(`an upstream that ${title} after it was asked for the blob is no failure of the registry`, async () => {
    upstream.break('blob', onlyGet(fault))
    const outcome = await pullOutcome(registry.socket, path)
    assert.equal(wordsFor(outcome), words)
    assert.ok(outcome.body.length < size)
    upstream.heal()
    const healed = await pullOutcome(registry.socket, path)
    assert.deepEqual([wordsFor(healed), digestOfBytes(healed.body)], ['200 MISS', digest])
    assert.deepEqual(requestFailures(registry), [])
    assert.deepEqual(await registry.uploads(), [])
  })

test('a client that leaves before the first byte leaves no connection to the upstream behind', async () => {
  const before = openDescriptors().length
  const held = gate(0)
  upstream.break('blob', onlyGet(held.fault))
  for (let n = 0; n < 20; n++) {
    const sent = request({ socketPath: registry.socket, path, agent: false, headers: { host: 'registry.test' } })
    sent.on('error', () => undefined)
    sent.end()
    await once(sent, 'response')
    sent.destroy()
  }
  held.open()
  await descriptorsFallTo(before + 4)
})
