import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Digest } from '../../registry/domain/digest.ts'
import { parseTag } from '../../registry/domain/names.ts'
import { newUploadId } from '../../registry/domain/upload-id.ts'
import type { Judgement, PlacedManifest } from '../../registry/storage/integrity.ts'
import type { ImageRef, MetadataStore } from '../../registry/storage/metadata-store.ts'
import { sha256 } from './blob-store.ts'
import { ref, type MetadataStoreFixture } from './metadata-store.ts'

const app = ref('docker-local', 'app')
const other = ref('docker-prod', 'other')
const both: readonly ImageRef[] = [app, other]

/** What every metadata store does about blobs whose bytes may be wrong. */
export function integrityContract(setUp: () => Promise<MetadataStoreFixture>): void {
  const contract = (
    name: string,
    body: (store: MetadataStore, fixture: MetadataStoreFixture) => Promise<void>,
  ): void => {
    test(name, async () => {
      await using fixture = await setUp()
      await using store = await fixture.open()
      await body(store, fixture)
    })
  }

  contract('a quarantined blob is there for nobody, in no image', async (store) => {
    for (const holder of both) await store.linkBlob(holder, sha256('a'), 7)
    await quarantine(store, 'a')
    for (const holder of both)
      for (const use of uses) assert.equal(await store.findBlob(holder, sha256('a'), use), undefined)
    assert.equal(await store.mountBlob(ref('docker-local', 'new'), sha256('a'), app), false)
    assert.deepEqual(await store.imagesWithBlob(sha256('a'), 10), [])
    await assert.rejects(putManifest(store, app, 'one', ['a']), { code: 'MANIFEST_BLOB_UNKNOWN' })
    assert.equal(await store.isQuarantined(sha256('a')), true)
  })

  contract('a quarantined blob that is pushed to one image is there again in all', async (store) => {
    for (const holder of both) await store.linkBlob(holder, sha256('a'), 7)
    const bytes = await store.repositoryBytes(app.repository)
    await quarantine(store, 'a')
    const id = newUploadId()
    await store.addUpload(app, id)
    assert.equal(await store.expectBlob(id, sha256('a')), true)
    await store.linkBlob(app, sha256('a'), 7, { upload: id })
    for (const holder of both) assert.deepEqual(await store.findBlob(holder, sha256('a')), { size: 7 })
    assert.equal(await store.repositoryBytes(app.repository), bytes)
  })

  contract('a quarantined blob is healed by a push that its image may not have for its quota', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await quarantine(store, 'a')
    const id = newUploadId()
    await store.addUpload(other, id)
    await assert.rejects(store.linkBlob(other, sha256('a'), 7, { upload: id, maxRepositoryBytes: 1 }), {
      code: 'DENIED',
    })
    assert.equal(await store.isQuarantined(sha256('a')), true)
    await store.releaseBlob(id, sha256('a'), 7)
    assert.deepEqual(await store.findBlob(app, sha256('a')), { size: 7 })
  })

  contract('a quarantined blob that no image has is garbage', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await quarantine(store, 'a')
    await store.unlinkBlob(app, sha256('a'))
    assert.equal((await store.condemnBlobs(new Date(Date.now() + 1000), 10)).removed.length, 1)
    assert.deepEqual(await store.listStoredBlobs(undefined, 10), [])
    assert.equal(await judge(store, 'a', 'kept'), undefined)
    await store.forgetBlobs([sha256('a')])
    assert.equal(await store.isBlobKnown(sha256('a')), false)
  })

  contract('blobs are listed in the order of their digests, with their state', async (store) => {
    const names = ['a', 'b', 'c']
    for (const name of names) await store.linkBlob(app, sha256(name), 7)
    await quarantine(store, 'b')
    const all = names
      .map((name) => ({ digest: sha256(name), size: 7, state: name === 'b' ? 'quarantined' : 'kept' }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1))
    assert.deepEqual(await store.listStoredBlobs(undefined, 10), all)
    assert.deepEqual(await store.listStoredBlobs(all[0]?.digest, 1), all.slice(1, 2))
    assert.deepEqual(await store.listStoredBlobs(all[2]?.digest, 1), [])
  })

  contract('a judge is told the state and of uploads, and may leave all as it is', async (store) => {
    assert.equal(await judge(store, 'a', 'quarantined'), undefined)
    await store.linkBlob(app, sha256('a'), 7)
    assert.deepEqual(await judge(store, 'a', undefined), { state: 'kept', expected: false })
    assert.equal(await store.isQuarantined(sha256('a')), false)
    const id = newUploadId()
    await store.addUpload(app, id)
    await store.expectBlob(id, sha256('a'))
    assert.deepEqual(await judge(store, 'a', 'quarantined'), { state: 'kept', expected: true })
    assert.deepEqual(await judge(store, 'a', 'kept'), { state: 'quarantined', expected: true })
    assert.deepEqual(await store.findBlob(app, sha256('a')), { size: 7 })
  })

  contract(
    'while a judge looks, no push comes to expect the blob, in this process or another',
    async (store, fixture) => {
      await using beside = await fixture.open()
      await using reader = await fixture.open()
      await store.linkBlob(app, sha256('a'), 7)
      const ids = [newUploadId(), newUploadId()] as const
      for (const id of ids) await store.addUpload(app, id)
      const order: string[] = []
      const said = async (word: string, done: Promise<unknown>) => {
        await done
        order.push(word)
      }
      const pushes: Promise<void>[] = []
      await store.judgeBlob(sha256('a'), async () => {
        pushes.push(said('expected', store.expectBlob(ids[0], sha256('a'))))
        pushes.push(said('expected', beside.expectBlob(ids[1], sha256('a'))))
        await reader.isQuarantined(sha256('a')) // reading goes on
        order.push('judged')
        return undefined
      })
      await Promise.all(pushes)
      assert.deepEqual(order, ['judged', 'expected', 'expected'])
    },
  )

  contract('a blob is known while there is one, and while an upload is about to become it', async (store) => {
    const id = newUploadId()
    await store.addUpload(app, id)
    assert.equal(await store.isBlobKnown(sha256('a')), false)
    await store.expectBlob(id, sha256('a'))
    assert.equal(await store.isBlobKnown(sha256('a')), true)
    await store.linkBlob(app, sha256('a'), 7, { upload: id })
    assert.equal(await store.isBlobKnown(sha256('a')), true)
  })

  contract('who misses a blob is told with manifests, indexes of those, and tags', async (store) => {
    for (const holder of both) await store.linkBlob(holder, sha256('a'), 7)
    await store.linkBlob(app, sha256('b'), 7)
    await putManifest(store, app, 'one', ['a'], ['v1', 'latest'])
    await putManifest(store, app, 'two', ['a', 'b'])
    await putManifest(store, app, 'unhurt', ['b'], ['v2'])
    await putManifest(store, app, 'index', [], ['all'], ['two'])
    const manifests = [
      { digest: sha256('index'), tags: ['all'] },
      { digest: sha256('one'), tags: ['latest', 'v1'] },
      { digest: sha256('two'), tags: [] },
    ].sort((a, b) => (a.digest < b.digest ? -1 : 1))
    assert.deepEqual(await store.listHolders(sha256('a')), [
      { of: app, manifests },
      { of: other, manifests: [] },
    ])
    assert.deepEqual(await store.listHolders(sha256('c')), [])
    await store.deleteImage(app)
    assert.deepEqual(await store.listHolders(sha256('a')), [{ of: other, manifests: [] }])
  })

  contract('all manifests are listed, page by page, without those of deleted images', async (store) => {
    for (const content of ['one', 'two']) for (const holder of both) await putManifest(store, holder, content, [])
    await putManifest(store, ref('docker-local', 'gone'), 'three', [])
    await store.deleteImage(ref('docker-local', 'gone'))
    const found: string[] = []
    let after: PlacedManifest['place'] | undefined
    do {
      const page = await store.listPlacedManifests(after, 3)
      found.push(...page.map(({ of, manifest }) => `${of.image} ${Buffer.from(manifest.bytes).toString()}`))
      after = page.at(-1)?.place
    } while (after)
    assert.deepEqual(found.sort(), ['app one', 'app two', 'other one', 'other two'])
  })
}

const uses = ['read', 'rely'] as const

async function quarantine(store: MetadataStore, content: string): Promise<void> {
  assert.ok(await judge(store, content, 'quarantined'))
}

/** What the judge was told; undefined when there was nothing to judge. */
async function judge(store: MetadataStore, content: string, judgement: Judgement | undefined) {
  let told: { readonly state: Judgement; readonly expected: boolean } | undefined
  const judged = await store.judgeBlob(sha256(content), async (blob) => {
    told = blob
    return judgement
  })
  assert.equal(judged, told !== undefined)
  return told
}

async function putManifest(
  store: MetadataStore,
  of: ImageRef,
  content: string,
  blobs: readonly string[],
  tags: readonly string[] = [],
  entries: readonly string[] = [],
): Promise<Digest> {
  const manifest = { digest: sha256(content), mediaType: 'application/x', bytes: Buffer.from(content) }
  const named = { blobs: blobs.map(sha256), entries: entries.map(sha256), subject: undefined, artifactType: undefined }
  await store.putManifest(of, manifest, named, tags.map(parseTag))
  return manifest.digest
}
