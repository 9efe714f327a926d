import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { Digest } from '../../../registry/domain/digest.ts'
import { parseImageName } from '../../../registry/domain/names.ts'
import { contentOf, packInGzip } from '../../../registry/repositories/layer-contents.ts'
import { LocalRepository } from '../../../registry/repositories/local/local-repository.ts'
import { allOf, sha256, streamOf } from '../../contracts/blob-store.ts'
import { keyOf } from '../../contracts/metadata-store.ts'
import { rot } from '../../helpers/rot.ts'
import { temporaryStorage } from './storage.ts'

const app = parseImageName('team/app')
const tar = Buffer.concat([Buffer.from('as if it were a tar'), Buffer.alloc(300_000, 'some bytes of a file ')])

/** As the tools of the first versions of docker packed it. */
function packedBy(tool: string): Buffer {
  return execFileSync(tool, ['--stdout'], { input: tar })
}

const packed: Readonly<Record<string, () => Buffer>> = {
  none: () => tar,
  gzip: () => gzipSync(tar),
  zstd: () => zstdCompressSync(tar),
  bzip2: () => packedBy('bzip2'),
  xz: () => packedBy('xz'),
}

async function setUp() {
  const storage = await temporaryStorage()
  const local = new LocalRepository(keyOf('docker-local'), storage)
  const push = async (bytes: Buffer): Promise<{ digest: Digest; size: number }> => {
    const digest = sha256(bytes)
    const upload = await local.begin(app, 'sha256')
    await local.append(app, upload, 0, streamOf(bytes))
    await local.finish(app, upload, digest)
    return { digest, size: bytes.length }
  }
  return { storage, local, push, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() }
}

for (const [packing, bytes] of Object.entries(packed))
  test(`a layer in ${packing} is known by its bytes as they are unpacked, and can be had in gzip`, async () => {
    await using it = await setUp()
    const layer = await it.push(bytes())
    const content = await contentOf(it.storage, layer)
    assert.deepEqual(content, { digest: layer.digest, diffId: sha256(tar), packing, inGzip: undefined })

    const target = { target: it.local, image: parseImageName('team/other'), principal: 'alice' }
    const first = await packInGzip(it.storage, content, target)
    const blob = await it.local.blob(target.image, first.digest)
    const inGzip = await buffer((await blob?.open(undefined)) ?? streamOf(''))
    assert.deepEqual([inGzip.length, sha256(inGzip)], [first.size, first.digest])
    assert.deepEqual([inGzip.subarray(4, 8), inGzip[9]], [Buffer.alloc(4), 255], 'no time and no operating system')
    assert.ok(gunzipSync(inGzip).equals(tar))

    assert.deepEqual(await packInGzip(it.storage, content, target), first, 'the same whenever it is packed')
    assert.equal((await contentOf(it.storage, layer)).inGzip, first.digest)
    assert.deepEqual(await allOf(it.storage.blobs.listUploads()), [])
  })

test('a layer that has been read once is not read again', async () => {
  await using it = await setUp()
  const layer = await it.push(gzipSync(tar))
  const content = await contentOf(it.storage, layer)
  await rot(it.storage.blobs.path(layer.digest))
  assert.deepEqual(await contentOf(it.storage, layer), content)
})

test('a layer that is damaged, or is packed otherwise than it begins, has no content that could be named', async () => {
  await using it = await setUp()
  const begun = await it.push(Buffer.concat([Buffer.from('BZh9'), Buffer.alloc(5000, 'no block')]))
  await assert.rejects(contentOf(it.storage, begun), { code: 'MANIFEST_INVALID', message: /no bzip2/ })
  const short = await it.push(packedBy('xz').subarray(0, -20))
  await assert.rejects(contentOf(it.storage, short), { code: 'MANIFEST_INVALID', message: /no xz/ })
  const plain = await it.push(tar)
  await rot(it.storage.blobs.path(plain.digest))
  await assert.rejects(contentOf(it.storage, plain), { code: 'MANIFEST_INVALID', message: /damaged$/ })
})

test('a layer that turns out to be damaged while it is packed anew leaves no upload behind', async () => {
  await using it = await setUp()
  const layer = await it.push(packedBy('bzip2'))
  const content = await contentOf(it.storage, layer)
  await rot(it.storage.blobs.path(layer.digest))
  await assert.rejects(packInGzip(it.storage, content, { target: it.local, image: app, principal: undefined }))
  assert.deepEqual(await allOf(it.storage.blobs.listUploads()), [])
})
