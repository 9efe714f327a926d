import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { UploadId } from '../../../registry/domain/upload-id.ts'
import { recoverUploads, type Storage } from '../../../registry/jobs/upload-recovery.ts'
import { LocalRepository } from '../../../registry/repositories/local/local-repository.ts'
import { allOf, sha256, streamOf, commit } from '../../contracts/blob-store.ts'
import { keyOf, ref } from '../../contracts/metadata-store.ts'
import { temporaryStorage } from '../repositories/storage.ts'

const app = ref('docker-local', 'app')
const hello = sha256('hello')

/** As far as a push of `hello` to `app` has come when the process is killed. */
async function received(storage: Storage, content = 'hello'): Promise<UploadId> {
  const id = await storage.blobs.begin('sha256')
  await storage.metadata.addUpload(app, id)
  await storage.blobs.append(id, 0, streamOf(content))
  return id
}

async function pushTo(repository: LocalRepository, content: string): Promise<void> {
  const id = await repository.begin(app.image, 'sha256')
  await repository.append(app.image, id, 0, streamOf(content))
  await repository.finish(app.image, id, sha256(content))
}

async function committed(storage: Storage): Promise<UploadId> {
  const id = await received(storage)
  await storage.metadata.expectBlob(id, hello)
  await commit(storage.blobs, id, hello)
  return id
}

async function uploadsIn({ blobs, metadata }: Storage) {
  const files = (await allOf(blobs.listUploads())).map(({ id }) => id)
  return { files, rows: (await metadata.listUploadOwners()).map(({ id }) => id) }
}

test('an upload of which bytes and row are there goes on, whether or not it was about to end', async () => {
  await using storage = await temporaryStorage()
  const ids = [await received(storage), await received(storage)].sort()
  for (const id of ids.slice(0, 1)) await storage.metadata.expectBlob(id, hello)
  await recoverUploads(storage, () => undefined)
  const { files, rows } = await uploadsIn(storage)
  assert.deepEqual([[...files].sort(), rows], [ids, ids])
  for (const id of ids) assert.deepEqual(await commit(storage.blobs, id, hello), { size: 5 })
})

test('bytes that no image knows of are removed', async () => {
  await using storage = await temporaryStorage()
  await storage.blobs.begin('sha256')
  await recoverUploads(storage, () => undefined)
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})

test('a row whose bytes are gone is removed, also when they were to become a blob', async () => {
  await using storage = await temporaryStorage()
  const ids = [await received(storage), await received(storage)]
  for (const id of ids.slice(0, 1)) await storage.metadata.expectBlob(id, hello)
  for (const id of ids) await storage.blobs.discard(id)
  await recoverUploads(storage, () => undefined)
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
  assert.equal(await storage.metadata.findBlob(app, hello), undefined)
})

test('a blob that lies in place is given to the image that it was pushed to', async () => {
  await using storage = await temporaryStorage()
  await committed(storage)
  assert.equal(await storage.metadata.findBlob(app, hello), undefined)
  await recoverUploads(storage, () => undefined)
  assert.deepEqual(await storage.metadata.findBlob(app, hello), { size: 5 })
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})

test('a blob whose image has been deleted meanwhile becomes garbage', async () => {
  await using storage = await temporaryStorage()
  await committed(storage)
  await storage.metadata.deleteImage(app)
  await recoverUploads(storage, () => undefined)
  assert.equal(await storage.metadata.findBlob(app, hello), undefined)
  assert.deepEqual(await storage.metadata.countReviews(), { manifests: 0, links: 0, blobs: 1 })
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})

test('a digest that was only claimed gives nobody the blob of another image', async () => {
  await using storage = await temporaryStorage()
  const secret = new LocalRepository(keyOf('secret'), storage)
  await pushTo(secret, 'hello')
  const id = await received(storage, 'other bytes')
  const repository = new LocalRepository(app.repository, storage)
  await assert.rejects(repository.finish(app.image, id, hello), { code: 'DIGEST_INVALID' })
  await storage.blobs.discard(id) // as far as a cancel has come when the process is killed
  await recoverUploads(storage, () => undefined)
  assert.equal(await storage.metadata.findBlob(app, hello), undefined)
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})

test('what a killed push has put beyond the quota becomes garbage', async () => {
  await using storage = await temporaryStorage()
  await committed(storage)
  await recoverUploads(storage, (key) => (key === app.repository ? 4 : undefined))
  assert.equal(await storage.metadata.findBlob(app, hello), undefined)
  assert.equal(await storage.metadata.repositoryBytes(app.repository), 0)
  assert.deepEqual(await storage.metadata.countReviews(), { manifests: 0, links: 0, blobs: 1 })
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})

test('a fetch of a blob that was killed on its way goes on where it was', async () => {
  await using storage = await temporaryStorage()
  const id = await storage.blobs.begin('sha256')
  await storage.metadata.addUpload(app, id, { fetches: hello })
  await storage.blobs.append(id, 0, streamOf('hel'))
  await recoverUploads(storage, () => undefined)
  assert.equal(await storage.metadata.findFetch(app, hello), id)
  assert.equal(await storage.blobs.size(id), 3)
})

test('a fetched blob that lies in place is given to its image, and fetched no more', async () => {
  await using storage = await temporaryStorage()
  const id = await storage.blobs.begin('sha256')
  await storage.metadata.addUpload(app, id, { fetches: hello })
  await storage.blobs.append(id, 0, streamOf('hello'))
  await storage.metadata.expectBlob(id, hello)
  await commit(storage.blobs, id, hello)
  await recoverUploads(storage, () => undefined)
  assert.deepEqual(await storage.metadata.findBlob(app, hello), { size: 5 })
  assert.equal(await storage.metadata.findFetch(app, hello), undefined)
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})

test('recovery that is itself broken off is done again', async () => {
  await using storage = await temporaryStorage()
  const [first, second] = [await committed(storage), await committed(storage)].sort()
  const disk = new Error('the disk is gone')
  const broken: Storage = {
    ...storage,
    metadata: {
      ...storage.metadata,
      linkBlob: async (of, digest, size, options) => {
        if (options?.upload === second) throw disk
        await storage.metadata.linkBlob(of, digest, size, options)
      },
    },
  }
  await assert.rejects(
    recoverUploads(broken, () => undefined),
    disk,
  )
  assert.deepEqual((await uploadsIn(storage)).rows, [second])
  assert.notEqual(first, second)
  await recoverUploads(storage, () => undefined)
  assert.deepEqual(await storage.metadata.findBlob(app, hello), { size: 5 })
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})
