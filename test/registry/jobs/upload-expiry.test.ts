import assert from 'node:assert/strict'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import type { UploadId } from '../../../registry/domain/upload-id.ts'
import { expireUploads } from '../../../registry/jobs/upload-expiry.ts'
import type { Storage } from '../../../registry/jobs/upload-recovery.ts'
import { LocalRepository } from '../../../registry/repositories/local/local-repository.ts'
import { allOf, sha256, streamOf, commit } from '../../contracts/blob-store.ts'
import { ref } from '../../contracts/metadata-store.ts'
import { temporaryStorage } from '../repositories/storage.ts'

const app = ref('docker-local', 'app')
const yesterday = new Date(Date.now() - 86_400_000)
const anHourLater = new Date(yesterday.getTime() + 3_600_000)
const everything = new Date(Date.now() + 86_400_000)

async function begin({ blobs, metadata }: Storage): Promise<UploadId> {
  const id = await blobs.begin('sha256')
  await metadata.addUpload(app, id)
  return id
}

async function uploadsIn({ blobs, metadata }: Storage) {
  const files = (await allOf(blobs.listUploads())).map(({ id }) => id)
  return { files, rows: (await metadata.listUploadOwners()).map(({ id }) => id) }
}

test('an upload that nobody has touched for long is removed with its bytes; others stay', async () => {
  await using storage = await temporaryStorage()
  const [old, recent] = [await begin(storage), await begin(storage)]
  for (const id of [old, recent]) await storage.blobs.append(id, 0, streamOf('hel'))
  await utimes(join(storage.directory, 'uploads', old), yesterday, yesterday)
  assert.equal(await expireUploads(storage, anHourLater, () => undefined), 1)
  assert.deepEqual(await uploadsIn(storage), { files: [recent], rows: [recent] })
  assert.equal(await storage.blobs.append(recent, 3, streamOf('lo')), 5)
})

test('a chunk keeps an upload however long ago it was begun', async () => {
  await using storage = await temporaryStorage()
  const id = await begin(storage)
  await utimes(join(storage.directory, 'uploads', id), yesterday, yesterday)
  await storage.blobs.append(id, 0, streamOf('hel'))
  assert.equal(await expireUploads(storage, anHourLater, () => undefined), 0)
  assert.deepEqual(await uploadsIn(storage), { files: [id], rows: [id] })
})

test('an upload that a request is writing to is left alone, and hinders no other from going', async () => {
  await using storage = await temporaryStorage()
  const ids = [await begin(storage), await begin(storage), await begin(storage)]
  const writing = new Map(
    (await allOf(storage.blobs.listUploads())).slice(0, 2).map(({ id }) => {
      const bytes = new PassThrough()
      return [id, { bytes, appended: storage.blobs.append(id, 0, bytes) }]
    }),
  )
  assert.equal(await expireUploads(storage, everything, () => undefined), 1)
  assert.deepEqual((await uploadsIn(storage)).rows, ids.filter((id) => writing.has(id)).sort())
  for (const { bytes, appended } of writing.values()) {
    bytes.end('hello')
    assert.equal(await appended, 5)
  }
})

test('a row whose bytes have become a blob gives it to its image', async () => {
  await using storage = await temporaryStorage()
  const id = await begin(storage)
  await storage.blobs.append(id, 0, streamOf('hello'))
  await storage.metadata.expectBlob(id, sha256('hello'))
  await commit(storage.blobs, id, sha256('hello'))
  assert.equal(await expireUploads(storage, everything, () => undefined), 0)
  assert.deepEqual(await storage.metadata.findBlob(app, sha256('hello')), { size: 5 })
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})

test('a push that is just ending is left alone, however long ago it began: its blob is there and it is told so', async () => {
  await using storage = await temporaryStorage()
  const { blobs, metadata } = storage
  let expiries = 0
  const expire = async () => {
    expiries += 1
    assert.equal(await expireUploads(storage, everything, () => undefined), 0)
  }
  const interrupted = {
    ...metadata,
    expectBlob: async (...all: Parameters<typeof metadata.expectBlob>) => {
      await expire()
      const expected = await metadata.expectBlob(...all)
      await expire()
      return expected
    },
    linkBlob: async (...all: Parameters<typeof metadata.linkBlob>) => {
      await expire()
      await metadata.linkBlob(...all)
    },
  }
  const repository = new LocalRepository(app.repository, { blobs, metadata: interrupted })
  const id = await repository.begin(app.image, 'sha256')
  await repository.append(app.image, id, 0, streamOf('hello'))
  await repository.finish(app.image, id, sha256('hello'))
  assert.equal(expiries, 3)
  assert.deepEqual(await metadata.findBlob(app, sha256('hello')), { size: 5 })
  assert.deepEqual(await uploadsIn(storage), { files: [], rows: [] })
})
