import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openBrokenUpstreamSite, v2Of } from '../../helpers/broken-upstream-site.ts'
import { nothingWrongIsKept } from '../../helpers/kept-content.ts'
import { pullOutcome, wordsFor } from '../../helpers/pull-outcome.ts'
import { requestFailures } from '../../helpers/request-failures.ts'
import { digestOfBytes, tinyImage, type TinyImage } from '../../helpers/tiny-image.ts'
import {
  htmlPage,
  otherBytes,
  redirectLoop,
  reset,
  stalled,
  status,
  tooMany,
  truncated,
  withBody,
  type Fault,
} from '../../helpers/upstream/faults.ts'

const [here, there, both] = [tinyImage('here'), tinyImage('there'), tinyImage('both')]
const layerOf = ({ blobs: [, layer] }: TinyImage) => digestOfBytes(layer ?? '')

const broken: Readonly<Record<string, readonly [fault: Fault, manifest: string, blob: string]>> = {
  'says nothing': [stalled('head'), '404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'],
  'stops in the middle': [stalled(5), '404 MANIFEST_UNKNOWN', '200 MISS'],
  'breaks off before its head': [reset('head'), '404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'],
  'breaks off': [truncated(5), '404 MANIFEST_UNKNOWN', '200 MISS'],
  'sends other bytes': [otherBytes, '404 MANIFEST_UNKNOWN', '200 broken'],
  'sends a page': [htmlPage, '404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'],
  'answers 403': [status(403), '404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'],
  'answers 500': [status(500), '404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'],
  'has had enough': [tooMany(), '429 TOOMANYREQUESTS', '429 TOOMANYREQUESTS'],
  'redirects for ever': [redirectLoop, '404 MANIFEST_UNKNOWN', '404 BLOB_UNKNOWN'],
  'sends junk': [withBody('[{"tags":7}]'), '404 MANIFEST_UNKNOWN', '200 broken'],
}

for (const [title, [fault, manifest, blob]] of Object.entries(broken))
  test(`what is local is answered by a virtual repository of which the remote member ${title}`, async () => {
    const members = ['docker-local', 'hub']
    await using site = await openBrokenUpstreamSite({
      repositories: { all: { type: 'virtual', members, deployTo: 'docker-local' } },
    })
    const { upstream, registry } = site
    const hosted = registry.admin.at(v2Of('docker-local'))
    for (const [tag, image] of [
      ['here', here],
      ['both', both],
    ] as const)
      await hosted.push('team/app', tag, image)
    for (const [tag, image] of [
      ['there', there],
      ['both', tinyImage('both, there')],
    ] as const)
      upstream.content.push('team/app', tag, image)
    for (const kind of ['manifest', 'blob', 'tags', 'catalog', 'referrers'] as const) upstream.break(kind, fault)
    const all = (path: string) => pullOutcome(registry.socket, `${v2Of('all')}/${path}`)
    const ask = async (path: string) => wordsFor(await all(`team/app/${path}`))

    for (const [tag, image] of [
      ['here', here],
      ['both', both],
    ] as const) {
      const found = await all(`team/app/manifests/${tag}`)
      assert.ok(found.body.equals(image.manifest))
      assert.equal(await ask(`manifests/${image.digest}`), '200')
      assert.equal(await ask(`blobs/${layerOf(image)}`), '200')
    }
    // Nobody had to be asked for any of these.
    assert.deepEqual(upstream.requests, [])
    assert.deepEqual(JSON.parse((await all('team/app/tags/list')).body.toString()), {
      name: 'team/app',
      tags: ['both', 'here'],
    })
    assert.deepEqual(JSON.parse((await all('_catalog')).body.toString()), { repositories: ['team/app'] })
    assert.equal(await ask(`referrers/${here.digest}`), '200')
    const pushed = await registry.admin.at(v2Of('all')).putManifest('team/app', 'again', here)
    assert.equal(pushed.status, 201, pushed.body.toString())

    assert.equal(await ask('manifests/there'), manifest)
    assert.equal(await ask(`manifests/${there.digest}`), manifest)
    assert.equal(await ask(`blobs/${layerOf(there)}`), blob)
    await nothingWrongIsKept(registry.dataDirectory)
    assert.deepEqual(requestFailures(registry), [])
  })

test('with hardFail a remote member that comes first is not passed over, and one that comes last is not asked', async () => {
  await using site = await openBrokenUpstreamSite({
    remote: { hardFail: true },
    repositories: {
      first: { type: 'virtual', members: ['hub', 'docker-local'] },
      last: { type: 'virtual', members: ['docker-local', 'hub'] },
    },
  })
  const { upstream, registry } = site
  await registry.admin.at(v2Of('docker-local')).push('team/app', '1', here)
  upstream.break('manifest', status(500))
  const ask = async (key: string) => wordsFor(await pullOutcome(registry.socket, `${v2Of(key)}/team/app/manifests/1`))
  assert.equal(await ask('first'), '503 UNAVAILABLE')
  assert.equal(await ask('last'), '200')
})
