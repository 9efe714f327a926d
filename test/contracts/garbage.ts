import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manifest, ManifestContents } from '../../registry/domain/manifest.ts'
import { parseTag } from '../../registry/domain/names.ts'
import { newUploadId } from '../../registry/domain/upload-id.ts'
import type { ImageRef, MetadataStore } from '../../registry/storage/metadata-store.ts'
import { sha256 } from './blob-store.ts'
import { ref } from './metadata-store.ts'

export interface GarbageFixture extends AsyncDisposable {
  /** A store whose clock stands at `clock.now`. */
  readonly store: MetadataStore
  readonly clock: { now: Date }
}

const app = ref('docker-local', 'app')
const other = ref('docker-local', 'other')
const noon = new Date('2026-01-01T12:00:00Z')
const later = (minutes: number): Date => new Date(noon.getTime() + minutes * 60_000)

/** What every metadata store does about garbage. */
export function garbageContract(setUp: (clock: { now: Date }) => Promise<GarbageFixture>): void {
  const contract = (name: string, body: (store: MetadataStore, clock: { now: Date }) => Promise<void>): void => {
    test(name, async () => {
      const clock = { now: noon }
      await using fixture = await setUp(clock)
      await body(fixture.store, fixture.clock)
    })
  }
  const at = (clock: { now: Date }, minutes: number): void => {
    clock.now = later(minutes)
  }

  contract('a manifest without tag is unheld since it was pushed', async (store) => {
    await push(store, app, 'one', [])
    assert.deepEqual(await store.findUnheldManifests(app.repository, later(-1), 10), [])
    const found = { of: app, digest: sha256('one'), size: 3, since: noon }
    assert.deepEqual(await store.findUnheldManifests(app.repository, noon, 10), [found])
    assert.deepEqual(await store.findUnheldManifests(ref('docker-prod', 'app').repository, noon, 10), [])
    assert.deepEqual(await store.collectManifests(app.repository, noon, 10), { reviewed: 1, removed: [found] })
    assert.equal(await store.findManifest(app, { digest: sha256('one') }), undefined)
  })

  contract('a manifest is held by a tag, by an index and by its subject, and by nothing else', async (store) => {
    await push(store, app, 'tagged', ['v1'])
    await push(store, app, 'child', [])
    await push(store, app, 'index', ['v2'], { entries: [sha256('child')] })
    await push(store, app, 'signature', [], { subject: sha256('tagged') })
    await push(store, app, 'dangling', [], { subject: sha256('never pushed') })
    const { removed } = await store.collectManifests(app.repository, noon, 10)
    assert.deepEqual(digests(removed), [sha256('dangling')])
    assert.deepEqual(await store.countReviews(), { manifests: 0, links: 0, blobs: 0 })
  })

  contract('what an index held is unheld when the index goes, and not before', async (store, clock) => {
    await push(store, app, 'child', [])
    await push(store, app, 'index', ['v1'], { entries: [sha256('child')] })
    at(clock, 1)
    await store.deleteManifest(app, { tag: parseTag('v1') })
    assert.deepEqual(digests((await store.collectManifests(app.repository, later(1), 10)).removed), [sha256('index')])
    at(clock, 2)
    assert.deepEqual(await store.findUnheldManifests(app.repository, later(0), 10), [])
    assert.deepEqual(digests((await store.collectManifests(app.repository, later(1), 10)).removed), [sha256('child')])
  })

  contract('what was held is not forgotten when it is looked at together with what held it', async (store, clock) => {
    for (const [minutes, content] of [
      [0, 'child'],
      [1, 'index'],
      [2, 'child'],
    ] as const) {
      at(clock, minutes)
      await push(store, app, content, [], content === 'index' ? { entries: [sha256('child')] } : {})
    }
    at(clock, 10)
    const together = await store.collectManifests(app.repository, later(2), 10)
    assert.deepEqual([together.reviewed, digests(together.removed)], [2, [sha256('index')]])
    assert.deepEqual(digests(await store.findUnheldManifests(app.repository, later(9), 10)), [])
    assert.deepEqual(digests(await store.findUnheldManifests(app.repository, later(10), 10)), [sha256('child')])
  })

  contract('deleting what was never there gives what refers to it no new time', async (store, clock) => {
    await push(store, app, 'dangling', [], { subject: sha256('never pushed') })
    at(clock, 60)
    assert.equal(await store.deleteManifest(app, { digest: sha256('never pushed') }), false)
    const [found] = await store.findUnheldManifests(app.repository, noon, 10)
    assert.equal(found?.digest, sha256('dangling'))
  })

  contract('what refers to a subject is unheld when the subject goes', async (store, clock) => {
    await push(store, app, 'subject', ['v1'])
    await push(store, app, 'signature', [], { subject: sha256('subject') })
    await push(store, app, 'of signature', [], { subject: sha256('signature') })
    await store.collectManifests(app.repository, noon, 10)
    at(clock, 1)
    await store.deleteManifest(app, { digest: sha256('subject') })
    assert.deepEqual(digests((await store.collectManifests(app.repository, later(1), 10)).removed), [
      sha256('signature'),
    ])
    assert.deepEqual(digests((await store.collectManifests(app.repository, later(1), 10)).removed), [
      sha256('of signature'),
    ])
  })

  contract('a tag that moves leaves its manifest unheld from then on', async (store, clock) => {
    await push(store, app, 'one', ['latest'])
    at(clock, 5)
    await push(store, app, 'two', ['latest'])
    assert.deepEqual(await store.findUnheldManifests(app.repository, later(4), 10), [])
    const [found] = await store.findUnheldManifests(app.repository, later(5), 10)
    assert.deepEqual([found?.digest, found?.since], [sha256('one'), later(5)])
  })

  contract('a manifest that is tagged again is held again', async (store) => {
    await push(store, app, 'one', [])
    await push(store, app, 'one', ['v1'])
    assert.deepEqual(await store.findUnheldManifests(app.repository, noon, 10), [])
    assert.deepEqual(await store.collectManifests(app.repository, noon, 10), { reviewed: 1, removed: [] })
    assert.deepEqual(await store.collectManifests(app.repository, noon, 10), { reviewed: 0, removed: [] })
  })

  contract('whoever is told that a manifest is there while it is collected has it', async (store) => {
    for (const content of ['one', 'two', 'three']) {
      await push(store, app, content, [])
      const reference = { digest: sha256(content) }
      const [told] = await Promise.all([
        store.findManifest(app, reference, 'rely'),
        store.collectManifests(app.repository, noon, 10),
      ])
      assert.equal((await store.findManifest(app, reference))?.digest, told?.digest)
    }
  })

  contract('a manifest whose bytes another one names as a blob is collected after that one', async (store, clock) => {
    await push(store, app, 'one', [])
    await store.linkBlob(app, sha256('one'), 3)
    await push(store, app, 'of one', ['v1'], { blobs: [sha256('one')] })
    await store.collectManifests(app.repository, noon, 10)
    at(clock, 1)
    await store.deleteManifest(app, { digest: sha256('of one') })
    assert.deepEqual(digests((await store.collectManifests(app.repository, later(1), 10)).removed), [sha256('one')])
  })

  contract("what a deleted image had is nobody's, whatever queue it is in", async (store) => {
    await push(store, app, 'one', [])
    await store.linkBlob(app, sha256('a'), 7)
    await store.deleteImage(app)
    assert.deepEqual(await store.findUnheldManifests(app.repository, noon, 10), [])
    assert.deepEqual(await store.findUnheldLinks(noon, 10), [])
    assert.deepEqual(await store.collectManifests(app.repository, noon, 10), { reviewed: 0, removed: [] })
    assert.deepEqual(await store.collectLinks(noon, 10), { reviewed: 0, removed: [] })
    while ((await store.clearDeletedImages(1)).reviewed > 0) continue
    assert.deepEqual(await store.countReviews(), { manifests: 0, links: 0, blobs: 1 })
  })

  contract('a deleted image is cleared to its end, however much its manifests name', async (store) => {
    for (const count of [1, 20, 21, 39, 999]) {
      const layers = Array.from({ length: count }, (_, layer) => sha256(`layer ${layer}`))
      for (const layer of layers) await store.linkBlob(app, layer, 1)
      for (const content of ['one', 'two']) await push(store, app, content, [], { blobs: layers })
      await store.deleteImage(app)
      for (let rounds = 0; (await store.clearDeletedImages(50)).reviewed > 0; rounds++) assert.ok(rounds < 50)
      assert.deepEqual(await store.countReviews(), { manifests: 0, links: 0, blobs: count })
      await store.condemnBlobs(noon, 1000)
      await store.forgetBlobs(await store.listCondemnedBlobs(1000))
    }
  })

  contract('manifests that name very much are collected in more than one transaction', async (store) => {
    const layers = Array.from({ length: 2000 }, (_, layer) => sha256(`layer ${layer}`))
    for (const layer of layers) await store.linkBlob(app, layer, 1)
    for (const content of ['one', 'two', 'three']) await push(store, app, content, [], { blobs: layers })
    assert.equal((await store.collectManifests(app.repository, noon, 50)).reviewed, 1)
    assert.equal((await store.collectManifests(app.repository, noon, 50)).reviewed, 1)
    await store.deleteImage(app)
    assert.ok((await store.clearDeletedImages(50)).reviewed >= 50)
    assert.equal((await store.collectManifests(app.repository, noon, 50)).reviewed, 0)
  })

  contract(
    'whoever relies on an unheld manifest or blob begins its time anew; whoever reads does not',
    async (store, clock) => {
      await push(store, app, 'one', [])
      await store.linkBlob(app, sha256('a'), 7)
      at(clock, 5)
      await store.findManifest(app, { digest: sha256('one') })
      await store.findBlob(app, sha256('a'))
      assert.equal((await store.findUnheldManifests(app.repository, later(4), 10)).length, 1)
      assert.equal((await store.findUnheldLinks(later(4), 10)).length, 1)
      assert.ok(await store.findManifest(app, { digest: sha256('one') }, 'rely'))
      assert.deepEqual(await store.findBlob(app, sha256('a'), 'rely'), { size: 7 })
      assert.deepEqual(await store.findUnheldManifests(app.repository, later(4), 10), [])
      assert.deepEqual(await store.findUnheldLinks(later(4), 10), [])
      assert.equal(await store.findBlob(other, sha256('a'), 'rely'), undefined)
      assert.equal(await store.findManifest(other, { digest: sha256('one') }, 'rely'), undefined)
    },
  )

  contract('a blob leaves an image in which no manifest names it', async (store, clock) => {
    for (const blob of ['used', 'unused']) await store.linkBlob(app, sha256(blob), 7)
    await push(store, app, 'one', ['v1'], { blobs: [sha256('used')] })
    assert.deepEqual(await store.findUnheldLinks(noon, 10), [
      { of: app, digest: sha256('unused'), size: 7, since: noon },
    ])
    const { removed } = await store.collectLinks(noon, 10)
    assert.deepEqual(digests(removed), [sha256('unused')])
    assert.equal(await store.findBlob(app, sha256('unused')), undefined)
    assert.ok(await store.findBlob(app, sha256('used')))

    at(clock, 1)
    await store.deleteManifest(app, { digest: sha256('one') })
    assert.ok(await store.findBlob(app, sha256('used')))
    assert.deepEqual(digests((await store.collectLinks(later(1), 10)).removed), [sha256('used')])
  })

  contract('a blob is condemned when no image has it, and found by nobody then', async (store, clock) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.linkBlob(other, sha256('a'), 7)
    await store.unlinkBlob(app, sha256('a'))
    assert.deepEqual(await store.condemnBlobs(noon, 10), { reviewed: 1, removed: [] })
    at(clock, 1)
    await store.unlinkBlob(other, sha256('a'))
    assert.deepEqual(await store.condemnBlobs(noon, 10), { reviewed: 0, removed: [] })
    const condemned = { digest: sha256('a'), size: 7, since: later(1) }
    assert.deepEqual(await store.findUnheldBlobs(later(1), 10), [condemned])
    assert.deepEqual(await store.condemnBlobs(later(1), 10), { reviewed: 1, removed: [condemned] })
    assert.deepEqual(await store.listCondemnedBlobs(10), [sha256('a')])
    await assert.rejects(store.linkBlob(app, sha256('a'), 7), { code: 'UNAVAILABLE' })
    assert.equal(await store.mountBlob(app, sha256('a'), other), false)

    await store.forgetBlobs([sha256('a')])
    assert.deepEqual(await store.listCondemnedBlobs(10), [])
    await store.linkBlob(app, sha256('a'), 7)
    assert.ok(await store.findBlob(app, sha256('a')))
  })

  contract('a blob that could not be deleted is kept, and reviewed again', async (store, clock) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.unlinkBlob(app, sha256('a'))
    await store.condemnBlobs(noon, 10)
    at(clock, 1)
    await store.reprieveBlob(sha256('a'))
    assert.deepEqual(await store.listCondemnedBlobs(10), [])
    assert.equal((await store.condemnBlobs(later(1), 10)).removed.length, 1)
  })

  contract('an upload that is about to become a blob holds it', async (store, clock) => {
    const id = newUploadId()
    await store.linkBlob(app, sha256('a'), 7)
    await store.unlinkBlob(app, sha256('a'))
    await store.addUpload(other, id)
    assert.equal(await store.expectBlob(id, sha256('a')), true)
    at(clock, 1)
    assert.deepEqual((await store.condemnBlobs(later(1), 10)).removed, [])
    await store.removeUpload(id)
    assert.equal((await store.condemnBlobs(later(1), 10)).removed.length, 1)
    await store.addUpload(other, id)
    assert.equal(await store.expectBlob(id, sha256('a')), false)
    await store.forgetBlobs([sha256('a')])
    assert.equal(await store.expectBlob(id, sha256('a')), true)
  })

  contract('an upload ends with the blob that it became, once', async (store) => {
    const [first, second] = [newUploadId(), newUploadId()]
    for (const id of [first, second]) await store.addUpload(app, id, { principal: 'bob' })
    assert.equal(await store.countUploads('bob'), 2)
    await store.linkBlob(app, sha256('a'), 7, { upload: first })
    assert.equal(await store.countUploads('bob'), 1)
    await assert.rejects(store.linkBlob(app, sha256('b'), 7, { upload: first }), { code: 'BLOB_UPLOAD_UNKNOWN' })
    assert.equal(await store.findBlob(app, sha256('b')), undefined)

    await store.releaseBlob(second, sha256('b'), 7)
    await assert.rejects(store.releaseBlob(second, sha256('b'), 7), { code: 'BLOB_UPLOAD_UNKNOWN' })
    assert.deepEqual(digests((await store.condemnBlobs(noon, 10)).removed), [sha256('b')])
  })

  contract('uploads are listed with their image and what they are to become', async (store) => {
    const id = newUploadId()
    await store.addUpload(app, id, { principal: 'bob' })
    const owner = { id, of: app, startedAt: noon, expected: undefined }
    assert.deepEqual(await store.listUploadOwners(), [owner])
    await store.expectBlob(id, sha256('a'))
    await store.deleteImage(app)
    assert.deepEqual(await store.listUploadOwners(), [{ ...owner, of: undefined, expected: sha256('a') }])
  })

  contract('a deleted image is gone at once, and what it had bit by bit', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.linkBlob(other, sha256('a'), 7)
    await store.linkBlob(app, sha256('b'), 5)
    await push(store, app, 'one', ['v1'], { blobs: [sha256('a'), sha256('b')] })
    await push(store, app, 'index', ['all'], { entries: [sha256('one')] })
    assert.equal(await store.deleteImage(app), true)
    assert.equal(await store.deleteImage(app), false)
    assert.equal(await store.listTags(app, undefined, 10), undefined)
    assert.equal(await store.findManifest(app, { digest: sha256('one') }), undefined)
    assert.equal(await store.findBlob(app, sha256('b')), undefined)
    assert.deepEqual(await store.imagesWithBlob(sha256('a'), 10), [other])
    assert.equal(await store.repositoryBytes(app.repository), 7)

    await push(store, app, 'another', ['v1'])
    while ((await store.clearDeletedImages(1)).reviewed > 0);
    assert.ok(await store.findManifest(app, { tag: parseTag('v1') }))
    assert.deepEqual(digests((await store.condemnBlobs(noon, 10)).removed), [sha256('b')])
  })

  contract('a repository is emptied at once, and others keep what they share with it', async (store) => {
    const prod = ref('docker-prod', 'app')
    for (const image of [app, other, prod]) await store.linkBlob(image, sha256('a'), 7)
    assert.equal(await store.deleteImages(app.repository), 2)
    assert.equal(await store.repositoryBytes(app.repository), 0)
    assert.equal(await store.repositoryBytes(prod.repository), 7)
    while ((await store.clearDeletedImages(10)).reviewed > 0);
    assert.deepEqual((await store.condemnBlobs(noon, 10)).removed, [])
    assert.ok(await store.findBlob(prod, sha256('a')))
  })

  contract('a repository counts each of its blobs once', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.linkBlob(app, sha256('a'), 7)
    await store.mountBlob(other, sha256('a'), app)
    await store.linkBlob(other, sha256('b'), 5)
    assert.equal(await store.repositoryBytes(app.repository), 12)
    await store.unlinkBlob(app, sha256('a'))
    assert.equal(await store.repositoryBytes(app.repository), 12)
    await store.collectLinks(noon, 10)
    assert.equal(await store.repositoryBytes(app.repository), 0)
  })

  contract('a quota refuses what would be more, says the numbers, and records nothing', async (store) => {
    const maxRepositoryBytes = 10
    await store.linkBlob(app, sha256('a'), 7, { maxRepositoryBytes })
    await store.linkBlob(other, sha256('a'), 7, { maxRepositoryBytes })
    await assert.rejects(store.linkBlob(app, sha256('b'), 4, { maxRepositoryBytes }), {
      code: 'DENIED',
      detail: { repository: 'docker-local', quota: 10, used: 7, size: 4 },
    })
    assert.equal(await store.repositoryBytes(app.repository), 7)
    assert.equal(await store.findBlob(app, sha256('b')), undefined)
    await store.linkBlob(app, sha256('c'), 3, { maxRepositoryBytes })
  })

  contract('a repository whose quota is used up lets no upload begin', async (store) => {
    await store.linkBlob(app, sha256('a'), 7)
    await store.addUpload(app, newUploadId(), { maxRepositoryBytes: 8 })
    await assert.rejects(store.addUpload(app, newUploadId(), { maxRepositoryBytes: 7 }), {
      code: 'DENIED',
      detail: { repository: 'docker-local', quota: 7, used: 7 },
    })
    await store.addUpload(ref('docker-prod', 'app'), newUploadId(), { maxRepositoryBytes: 7 })
    assert.equal((await store.listUploadOwners()).length, 2)
  })

  contract('a mount keeps to the quota too, and what the repository has already is free', async (store) => {
    const prod = ref('docker-prod', 'app')
    await store.linkBlob(app, sha256('a'), 7)
    await assert.rejects(store.mountBlob(prod, sha256('a'), app, { maxRepositoryBytes: 6 }), { code: 'DENIED' })
    assert.equal(await store.findBlob(prod, sha256('a')), undefined)
    assert.equal(await store.repositoryBytes(prod.repository), 0)
    assert.equal(await store.mountBlob(other, sha256('a'), app, { maxRepositoryBytes: 6 }), true)
  })

  contract(
    'a principal begins no more uploads than allowed, even at once, and may again when one ends',
    async (store) => {
      const options = { principal: 'bob', maxUploads: 2 }
      const ids = Array.from({ length: 5 }, () => newUploadId())
      const begun = await Promise.allSettled(ids.map((id) => store.addUpload(app, id, options)))
      const refused = begun.filter((result) => result.status === 'rejected')
      assert.equal(refused.length, 3)
      for (const { reason } of refused) {
        assert.equal(reason.code, 'TOOMANYREQUESTS')
        assert.deepEqual(reason.detail, { uploads: 2, maxUploads: 2 })
      }
      assert.equal(await store.countUploads('bob'), 2)
      await store.addUpload(app, newUploadId(), { ...options, principal: 'eve' })

      const [first, second] = (await store.listUploadOwners()).map(({ id }) => id).filter((id) => ids.includes(id))
      assert.ok(first && second)
      await store.removeUpload(first)
      await store.linkBlob(app, sha256('a'), 7, { upload: second })
      assert.equal(await store.countUploads('bob'), 0)
      await store.addUpload(app, newUploadId(), options)
    },
  )

  contract('an image that has nothing left is none', async (store) => {
    const id = newUploadId()
    await store.addUpload(app, id)
    await store.removeUpload(id)
    assert.equal(await store.deleteImage(app), false)
    await store.linkBlob(app, sha256('a'), 7)
    await store.collectLinks(noon, 10)
    assert.equal(await store.deleteImage(app), false)
  })

  contract('no more than a batch is reviewed at once, the longest unheld first', async (store, clock) => {
    for (const [minute, name] of ['a', 'b', 'c'].entries()) {
      at(clock, minute)
      await push(store, app, name, [])
    }
    const first = await store.collectManifests(app.repository, later(2), 2)
    assert.deepEqual([first.reviewed, digests(first.removed)], [2, [sha256('a'), sha256('b')]])
    assert.equal((await store.collectManifests(app.repository, later(2), 2)).reviewed, 1)
  })
}

async function push(
  store: MetadataStore,
  of: ImageRef,
  content: string,
  tags: readonly string[],
  contents: Partial<ManifestContents> = {},
): Promise<void> {
  const manifest: Manifest = { digest: sha256(content), mediaType: 'application/x', bytes: Buffer.from(content) }
  const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }
  await store.putManifest(of, manifest, { ...nothing, ...contents }, tags.map(parseTag))
}

function digests(found: readonly { readonly digest: string }[]): readonly string[] {
  return found.map(({ digest }) => digest)
}
