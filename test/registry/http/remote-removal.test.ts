import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBrokenUpstreamSite, v2Of, type BrokenUpstreamSite } from '../../helpers/broken-upstream-site.ts'
import { nothingWrongIsKept } from '../../helpers/kept-content.ts'
import { pullOutcome, wordsFor } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { descriptor, digestOfBytes, tinyImage } from '../../helpers/tiny-image.ts'
import { gate } from '../../helpers/upstream/faults.ts'

const layer = Buffer.alloc(2_000_000, 'layer.')
const [config = Buffer.alloc(0)] = tinyImage('one').blobs
const image = tinyImage('one', { layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)] })
const at = `${v2Of('hub')}/team/app`
const paths = [
  `${at}/manifests/1`,
  `${at}/blobs/${digestOfBytes(config)}`,
  `${at}/blobs/${digestOfBytes(layer)}`,
] as const

const del = async ({ registry }: BrokenUpstreamSite, path: string) => (await registry.admin.ask('DELETE', path)).status
const collect = async ({ registry }: BrokenUpstreamSite) => {
  const answer = await registry.admin.ask('POST', '/artifactory/api/system/storage/gc')
  assert.equal(answer.status, 200)
}

const removals: Readonly<Record<string, (site: BrokenUpstreamSite) => Promise<void>>> = {
  'garbage is collected': async (site) => {
    for (let round = 0; round < 3; round++) await collect(site)
  },
  'its manifest is deleted': async (site) => {
    assert.equal(await del(site, `${at}/manifests/${image.digest}`), 202)
    await collect(site)
  },
  'its image is deleted': async (site) => {
    assert.equal(await del(site, '/artifactory/hub/team/app'), 204)
  },
  'its image is deleted, and what it had': async (site) => {
    assert.equal(await del(site, '/artifactory/hub/team/app'), 204)
    for (let round = 0; round < 3; round++) await collect(site)
  },
  'all of the repository is deleted, and what it had': async (site) => {
    assert.equal(await del(site, '/artifactory/hub'), 204)
    for (let round = 0; round < 3; round++) await collect(site)
  },
}

for (const [title, remove] of Object.entries(removals))
  test(`a blob comes in while ${title}`, async () => {
    await using site = await openBrokenUpstreamSite({ section: { garbageCollection: { grace: '0s', every: '1h' } } })
    const { upstream, registry } = site
    upstream.content.push('team/app', '1', { ...image, blobs: [config, layer] })
    for (const path of paths.slice(0, 2)) assert.equal(wordsFor(await pullOutcome(registry.socket, path)), '200 MISS')
    const held = gate(1_000_000)
    upstream.break('blob', held.fault, 1)
    const coming = Array.from({ length: 4 }, () => pullOutcome(registry.socket, paths[2]))
    await held.reached
    await remove(site)
    held.open()
    const outcomes = (await Promise.all(coming)).map(wordsFor)
    for (const words of outcomes) assert.match(words, /^200 (MISS|broken)$/)

    await collect(site)
    for (const path of paths) {
      const outcome = await pullOutcome(registry.socket, path)
      assert.ok(outcome.isWhole && outcome.status === 200, wordsFor(outcome))
      if (path === paths[2]) assert.ok(outcome.body.equals(layer))
    }
    assert.deepEqual(await registry.uploads(), [])
    await nothingWrongIsKept(registry.dataDirectory)
    assert.deepEqual(requestFailures(registry), [])
  })
