import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manifest, ManifestContents } from '../../registry/domain/manifest.ts'
import { parseTag } from '../../registry/domain/names.ts'
import { newUploadId } from '../../registry/domain/upload-id.ts'
import type { ImageRef, MetadataStore } from '../../registry/storage/metadata-store.ts'
import { sha256 } from './blob-store.ts'
import type { GarbageFixture } from './garbage.ts'
import { ref } from './metadata-store.ts'

const app = ref('docker-hub', 'app')
const other = ref('docker-hub', 'other')
const elsewhere = ref('quay', 'app')
const noon = new Date('2026-01-01T12:00:00Z')
const later = (minutes: number): Date => new Date(noon.getTime() + minutes * 60_000)

/** What every metadata store does about images of other registries. */
export function imageCacheContract(setUp: (clock: { now: Date }) => Promise<GarbageFixture>): void {
  const contract = (name: string, body: (store: MetadataStore, clock: { now: Date }) => Promise<void>): void => {
    test(name, async () => {
      await using fixture = await setUp({ now: noon })
      await body(fixture.store, fixture.clock)
    })
  }

  contract('a manifest is cached without what it names, and found by tag and digest', async (store) => {
    await cache(store, app, 'one', 'v1', { blobs: [sha256('layer')], entries: [sha256('entry')] })
    for (const reference of [{ tag: parseTag('v1') }, { digest: sha256('one') }])
      assert.equal((await store.findManifest(app, reference))?.digest, sha256('one'))
    assert.equal(await store.findBlob(app, sha256('layer')), undefined)
    assert.equal(await store.unlinkBlob(app, sha256('layer')), false)
    assert.equal(await store.deleteManifest(app, { digest: sha256('entry') }), false)
    assert.equal(await store.findManifest(other, { digest: sha256('one') }), undefined)
  })

  contract('a cached tag moves, and what it was on stays until it goes unused', async (store) => {
    await cache(store, app, 'one', 'v1')
    await cache(store, app, 'two', 'v1')
    assert.equal((await store.findManifest(app, { tag: parseTag('v1') }))?.digest, sha256('two'))
    assert.equal((await store.findManifest(app, { digest: sha256('one') }))?.digest, sha256('one'))
    assert.equal((await store.countReviews()).manifests, 1)
  })

  contract('the time of a tag is when it last moved', async (store, clock) => {
    assert.equal(await store.findTagTime(app, parseTag('v1')), undefined)
    await cache(store, app, 'one', 'v1')
    clock.now = later(1)
    await cache(store, app, 'one', 'v1')
    assert.deepEqual(await store.findTagTime(app, parseTag('v1')), noon)
    await cache(store, app, 'two', 'v1')
    assert.deepEqual(await store.findTagTime(app, parseTag('v1')), later(1))
    assert.equal(await store.findTagTime(other, parseTag('v1')), undefined)
  })

  contract('a manifest that names a digest is found in its image alone', async (store) => {
    await cache(store, app, 'one', undefined, { blobs: [sha256('layer')] })
    await cache(store, app, 'index', undefined, { entries: [sha256('one')] })
    assert.equal((await store.findNaming(app, sha256('layer')))?.digest, sha256('one'))
    assert.equal(Buffer.from((await store.findNaming(app, sha256('one')))?.bytes ?? []).toString(), 'index')
    assert.equal(await store.findNaming(app, sha256('index')), undefined)
    assert.equal(await store.findNaming(other, sha256('layer')), undefined)
  })

  contract('an image of the same repository that has a blob is found; a quarantined blob nobody has', async (store) => {
    await store.linkBlob(app, sha256('layer'), 5)
    assert.deepEqual(await store.findHolder(other.repository, sha256('layer')), app)
    assert.equal(await store.findHolder(elsewhere.repository, sha256('layer')), undefined)
    await store.judgeBlob(sha256('layer'), async () => 'quarantined')
    assert.equal(await store.findHolder(other.repository, sha256('layer')), undefined)
  })

  contract('an upload that fetches a blob is found by it, the last one first, until it ends', async (store, clock) => {
    const [first, second, pushed] = [newUploadId(), newUploadId(), newUploadId()]
    await store.addUpload(app, pushed)
    await store.addUpload(app, first, { fetches: sha256('layer') })
    assert.equal(await store.findFetch(app, sha256('layer')), first)
    clock.now = later(1)
    await store.addUpload(app, second, { fetches: sha256('layer') })
    assert.equal(await store.findFetch(app, sha256('layer')), second)
    assert.equal(await store.findFetch(app, sha256('another')), undefined)
    assert.equal(await store.findFetch(other, sha256('layer')), undefined)
    await store.linkBlob(app, sha256('layer'), 5, { upload: second })
    await store.removeUpload(first)
    assert.equal(await store.findFetch(app, sha256('layer')), undefined)
  })

  contract(
    'a cached manifest is removed also while another names it, and what it alone held is garbage',
    async (store) => {
      await store.linkBlob(app, sha256('layer'), 5)
      await cache(store, app, 'one', 'v1', { blobs: [sha256('layer')] })
      await cache(store, app, 'index', 'v2', { entries: [sha256('one')] })
      assert.deepEqual((await store.collectLinks(noon, 10)).removed, [])
      assert.equal(await store.uncacheManifest(app, { digest: sha256('one') }), true)
      assert.equal(await store.uncacheManifest(app, { digest: sha256('one') }), false)
      assert.equal(await store.findManifest(app, { tag: parseTag('v1') }), undefined)
      const [link] = (await store.collectLinks(noon, 10)).removed
      assert.deepEqual([link?.of, link?.digest], [app, sha256('layer')])
      assert.equal((await store.condemnBlobs(noon, 10)).removed.length, 1)
    },
  )

  contract('a cached tag is removed alone', async (store) => {
    await cache(store, app, 'one', 'v1')
    assert.equal(await store.uncacheManifest(app, { tag: parseTag('v1') }), true)
    assert.equal(await store.uncacheManifest(app, { tag: parseTag('v1') }), false)
    assert.equal(await store.uncacheManifest(other, { tag: parseTag('v1') }), false)
    assert.ok(await store.findManifest(app, { digest: sha256('one') }))
  })

  contract('what nobody asked for in a while goes, the longest unused first, with its tags', async (store, clock) => {
    await cache(store, app, 'one', 'v1')
    clock.now = later(1)
    await cache(store, other, 'two', 'v2')
    await cache(store, app, 'used', undefined)
    await cache(store, elsewhere, 'one', 'v1')
    await store.noteUse(app, sha256('used'), later(9))
    await store.noteUse(app, sha256('used'), later(3)) // told late
    assert.deepEqual(await store.removeUnused(app.repository, noon, 10), [])
    assert.deepEqual(await store.removeUnused(app.repository, later(5), 1), [{ of: app, digest: sha256('one') }])
    assert.deepEqual(await store.removeUnused(app.repository, later(5), 9), [{ of: other, digest: sha256('two') }])
    assert.deepEqual(await store.removeUnused(app.repository, later(9), 9), [])
    assert.equal(await store.findTagTime(app, parseTag('v1')), undefined)
    assert.equal(await store.hasImage(other), false)
    assert.ok(await store.findManifest(elsewhere, { tag: parseTag('v1') }))
    assert.equal((await store.removeUnused(app.repository, later(10), 9)).length, 1)
  })

  contract('caching a manifest again is a use of it', async (store, clock) => {
    await cache(store, app, 'one', 'v1')
    clock.now = later(5)
    await cache(store, app, 'one', 'v1')
    assert.deepEqual(await store.removeUnused(app.repository, later(5), 9), [])
    assert.equal((await store.removeUnused(app.repository, later(6), 9)).length, 1)
  })

  contract('what an unused manifest held alone is garbage, and an index loses its entry', async (store, clock) => {
    await store.linkBlob(app, sha256('layer'), 5)
    await cache(store, app, 'one', undefined, { blobs: [sha256('layer')] })
    clock.now = later(1)
    await cache(store, app, 'index', 'v1', { entries: [sha256('one')] })
    assert.deepEqual((await store.collectLinks(later(1), 10)).removed, [])
    await store.removeUnused(app.repository, later(1), 9)
    assert.equal((await store.collectLinks(later(1), 10)).removed.length, 1)
    assert.ok(await store.findManifest(app, { tag: parseTag('v1') }))
  })

  contract('manifests that name very much are removed a few at a time', async (store) => {
    const blobs = Array.from({ length: 200 }, (_, index) => sha256(`${index}`))
    for (const name of ['one', 'two', 'three']) await cache(store, app, name, undefined, { blobs })
    assert.equal((await store.removeUnused(app.repository, later(1), 20)).length, 2)
    assert.equal((await store.removeUnused(app.repository, later(1), 5)).length, 1)
  })

  contract('what was pushed does not go for want of use, nor what an image had that was deleted', async (store) => {
    await store.putManifest(app, manifest('pushed'), nothing, [parseTag('v1')])
    await store.noteUse(app, sha256('pushed'), noon)
    await cache(store, other, 'cached', 'v1')
    await store.deleteImage(other)
    assert.deepEqual(await store.removeUnused(app.repository, later(9), 9), [])
    while ((await store.clearDeletedImages(9)).reviewed > 0) continue
    assert.deepEqual(await store.removeUnused(app.repository, later(9), 9), [])
  })

  contract('pushing a manifest that was only cached is refused unless all that it names is there', async (store) => {
    const contents = { ...nothing, blobs: [sha256('layer')] }
    await store.cacheManifest(app, manifest('one'), contents, undefined)
    const refusal = { code: 'MANIFEST_BLOB_UNKNOWN', detail: { missing: [sha256('layer')] } }
    await assert.rejects(store.putManifest(app, manifest('one'), contents, [parseTag('v1')]), refusal)
    await store.linkBlob(app, sha256('layer'), 5)
    await store.putManifest(app, manifest('one'), contents, [parseTag('v1')])
    assert.deepEqual(await store.removeUnused(app.repository, later(9), 9), [])
  })
}

const nothing: ManifestContents = { blobs: [], entries: [], subject: undefined, artifactType: undefined }

function manifest(content: string): Manifest {
  return { digest: sha256(content), mediaType: 'application/vnd.example+json', bytes: Buffer.from(content) }
}

async function cache(
  store: MetadataStore,
  of: ImageRef,
  content: string,
  tag: string | undefined,
  contents: Partial<ManifestContents> = {},
): Promise<void> {
  await store.cacheManifest(of, manifest(content), { ...nothing, ...contents }, tag === undefined ? tag : parseTag(tag))
}
