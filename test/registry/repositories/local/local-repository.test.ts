import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { parseImageName, parseTag, type ImageName } from '../../../../registry/domain/names.ts'
import { LocalRepository } from '../../../../registry/repositories/local/local-repository.ts'
import type { PushTarget } from '../../../../registry/repositories/repository.ts'
import { allOf, sha256, sha512, streamOf, unknownUpload } from '../../../contracts/blob-store.ts'
import { keyOf } from '../../../contracts/metadata-store.ts'
import { temporaryStorage } from '../storage.ts'

const app = parseImageName('team/app')
const other = parseImageName('team/other')
const tag = parseTag('1.0')
const mediaType = 'application/vnd.oci.image.manifest.v1+json'

async function setUp() {
  const storage = await temporaryStorage()
  const local = new LocalRepository(keyOf('docker-local'), storage)
  const prod = new LocalRepository(keyOf('docker-prod'), storage)
  return { storage, local, prod, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() }
}

test('an image that was pushed can be pulled', async () => {
  await using it = await setUp()
  const { local } = it
  const manifest = await pushImage(local, app)

  assert.equal(local.pushTarget, local)
  assert.equal((await local.manifest(app, { tag }))?.digest, manifest.digest)
  assert.equal(
    Buffer.from((await local.manifest(app, { digest: manifest.digest }))?.bytes ?? []).toString(),
    manifest.bytes.toString(),
  )
  assert.deepEqual(await local.tags(app, undefined, 10), { items: [tag], next: undefined })
  assert.deepEqual(await local.images(undefined, 10), { items: [app], next: undefined })

  const blob = await local.blob(app, sha256('layer'))
  assert.equal(blob?.size, 5)
  assert.equal(await text((await blob?.open(undefined)) ?? []), 'layer')
  assert.equal(await text((await blob?.open({ first: 1, last: 2 })) ?? []), 'ay')
  assert.equal(await readFile(blob?.path() ?? '', 'utf8'), 'layer')
})

test('it is known when a tag has moved', async () => {
  await using it = await setUp()
  const before = Date.now()
  await pushImage(it.local, app)
  const time = await it.local.tagTime(app, tag)
  assert.ok(time && time.getTime() >= before && time.getTime() <= Date.now())
  assert.equal(await it.local.tagTime(other, tag), undefined)
  assert.equal(await it.local.tagTime(app, parseTag('2.0')), undefined)
})

test('a blob is not there for an image that it is not linked to, however well its digest is known', async () => {
  await using it = await setUp()
  await pushBlob(it.local, app, 'layer')
  assert.equal(await it.local.blob(other, sha256('layer')), undefined)
  assert.equal(await it.prod.blob(app, sha256('layer')), undefined)
})

test('a manifest that names what only another image has is refused', async () => {
  await using it = await setUp()
  const manifest = await pushImage(it.local, app)
  await assert.rejects(it.local.putManifest(other, manifest, [tag]), { code: 'MANIFEST_BLOB_UNKNOWN' })
  await assert.rejects(it.prod.putManifest(app, manifest, [tag]), { code: 'MANIFEST_BLOB_UNKNOWN' })
  assert.equal(await it.local.tags(other, undefined, 10), undefined)
})

test('a manifest that cannot be read is refused', async () => {
  await using it = await setUp()
  const bytes = Buffer.from('{}')
  await assert.rejects(it.local.putManifest(app, { digest: sha256(bytes), mediaType, bytes }, [tag]), {
    code: 'MANIFEST_INVALID',
  })
})

test('an upload knows how far it came, and its parts are put together', async () => {
  await using it = await setUp()
  const id = await it.local.begin(app, 'sha256')
  assert.equal(await it.local.received(app, id), 0)
  assert.equal(await it.local.append(app, id, 0, streamOf('la')), 2)
  await assert.rejects(it.local.append(app, id, 0, streamOf('la')), { code: 'BLOB_UPLOAD_INVALID' })
  assert.equal(await it.local.append(app, id, 2, streamOf('yer')), 5)
  assert.equal(await it.local.received(app, id), 5)
  await it.local.finish(app, id, sha512('layer'))
  assert.equal((await it.local.blob(app, sha512('layer')))?.size, 5)
  await assert.rejects(it.local.received(app, id), { code: 'BLOB_UPLOAD_UNKNOWN' })
})

test('an upload with a wrong digest links nothing and can be finished with the right one', async () => {
  await using it = await setUp()
  const id = await it.local.begin(app, 'sha256')
  await it.local.append(app, id, 0, streamOf('layer'))
  await assert.rejects(it.local.finish(app, id, sha256('other')), { code: 'DIGEST_INVALID' })
  assert.equal(await it.local.blob(app, sha256('other')), undefined)
  await it.local.finish(app, id, sha256('layer'))
  assert.ok(await it.local.blob(app, sha256('layer')))
})

test('an upload is unknown to every image but its own', async () => {
  await using it = await setUp()
  const id = await it.local.begin(app, 'sha256')
  const strangers: readonly (readonly [PushTarget, ImageName])[] = [
    [it.local, other],
    [it.prod, app],
  ]
  for (const [target, image] of strangers) await refusesUpload(target, image, id)
  assert.equal(await it.local.received(app, id), 0)
})

test('an upload that nobody began is unknown', async () => {
  await using it = await setUp()
  await refusesUpload(it.local, app, unknownUpload())
})

test('a cancelled upload is gone', async () => {
  await using it = await setUp()
  const id = await it.local.begin(app, 'sha256')
  await it.local.append(app, id, 0, streamOf('layer'))
  await it.local.cancel(app, id)
  await refusesUpload(it.local, app, id)
  assert.deepEqual(await allOf(it.storage.blobs.listUploads()), [])
})

test('an upload whose bytes were lost is unknown', async () => {
  await using it = await setUp()
  const id = await it.local.begin(app, 'sha256')
  await it.storage.blobs.discard(id)
  await refusesUpload(it.local, app, id)
})

test('an upload that cannot be recorded leaves no file', async () => {
  await using it = await setUp()
  await it.storage.metadata[Symbol.asyncDispose]()
  await assert.rejects(it.local.begin(app, 'sha256'))
  assert.deepEqual(await allOf(it.storage.blobs.listUploads()), [])
})

test('a mounted blob is shared, and unlinked from one image alone', async () => {
  await using it = await setUp()
  await pushBlob(it.local, app, 'layer')
  assert.equal(await it.prod.mount(other, sha256('layer'), { repository: it.local.key, image: app }), true)
  assert.equal((await it.prod.blob(other, sha256('layer')))?.size, 5)

  assert.equal(await it.local.deleteBlob(app, sha256('layer')), true)
  assert.equal(await it.local.deleteBlob(app, sha256('layer')), false)
  assert.equal(await it.local.blob(app, sha256('layer')), undefined)
  assert.ok(await it.prod.blob(other, sha256('layer')))
})

test('a blob that the source does not have is not mounted', async () => {
  await using it = await setUp()
  await pushBlob(it.local, app, 'layer')
  assert.equal(await it.local.mount(app, sha256('layer'), { repository: it.local.key, image: other }), false)
  assert.equal(await it.prod.mount(app, sha256('layer'), { repository: it.prod.key, image: app }), false)
  assert.equal(await it.prod.blob(app, sha256('layer')), undefined)
})

test('a blob whose bytes were lost is not mounted', async () => {
  await using it = await setUp()
  await pushBlob(it.local, app, 'layer')
  await it.storage.blobs.delete([sha256('layer')])
  assert.equal(await it.prod.mount(app, sha256('layer'), { repository: it.local.key, image: app }), false)
  assert.equal(await it.prod.blob(app, sha256('layer')), undefined)
})

test('a blob in use is not deleted before its manifest', async () => {
  await using it = await setUp()
  const { digest } = await pushImage(it.local, app)
  await assert.rejects(it.local.deleteBlob(app, sha256('layer')), { code: 'DENIED' })
  assert.equal(await it.local.deleteManifest(app, { tag }), true)
  assert.equal(await it.local.manifest(app, { tag }), undefined)
  assert.equal(await it.local.deleteManifest(app, { digest }), true)
  assert.equal(await it.local.deleteBlob(app, sha256('layer')), true)
})

async function pushBlob(target: PushTarget, image: ImageName, content: string) {
  const id = await target.begin(image, 'sha256', 'bob')
  await target.append(image, id, 0, streamOf(content))
  await target.finish(image, id, sha256(content))
  return { mediaType: 'application/octet-stream', digest: sha256(content), size: content.length }
}

async function pushImage(target: PushTarget, image: ImageName) {
  const config = await pushBlob(target, image, '{}')
  const layer = await pushBlob(target, image, 'layer')
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] }))
  const manifest = { digest: sha256(bytes), mediaType, bytes }
  await target.putManifest(image, manifest, [tag])
  return manifest
}

async function refusesUpload(target: PushTarget, image: ImageName, id: Parameters<PushTarget['received']>[1]) {
  const unknown = { code: 'BLOB_UPLOAD_UNKNOWN' }
  await assert.rejects(target.received(image, id), unknown)
  await assert.rejects(target.append(image, id, 0, streamOf('x')), unknown)
  await assert.rejects(target.finish(image, id, sha256('')), unknown)
  await assert.rejects(target.cancel(image, id), unknown)
}
