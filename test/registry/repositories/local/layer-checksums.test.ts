import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { LayerChecksums, type LayerSums } from '../../../../registry/repositories/local/layer-checksums.ts'
import { blocksOf, layerTar, type TarEntry } from '../../../helpers/layer-tar.ts'
import { tarVectors, vectorJson, type TarVector } from './tar-vectors.ts'

const file: TarEntry = { name: 'file', content: 'content' }

for (const { name, tar, sums } of tarVectors)
  test(`the tarsums of an archive with ${name} are those of docker, however it is compressed and cut`, async () => {
    const expected = tarsums(sums)
    for (const layer of [tar, gzipSync(tar), zstdCompressSync(tar)])
      assert.deepEqual((await sumsOf(inPieces(layer, 100_000))).tarsums, expected)
    assert.deepEqual((await sumsOf(inPieces(gzipSync(tar), 7))).tarsums, expected)
    assert.deepEqual((await sumsOf(inPieces(tar, 13))).tarsums, expected)
  })

test('without the JSON of an image the tarsum is that of the archive alone', async () => {
  const { tarsums: actual } = await sumsOf([vector('a directory and a file').tar], Buffer.alloc(0))
  assert.deepEqual(
    actual,
    tarsums([
      'c1b23d95cbfd44f1cf1c5b3658ad737bf9b1270f88cc4168c49283d17ec6673b',
      '95b88fab72509bbb871417c8d38e3390d8f847b9e5de4f850ca70dbd2b89d5e5',
    ]),
  )
})

test('the payload checksum covers the JSON, a newline and the layer as it came', async () => {
  // (printf '{"id":"x"}\n\n'; cat layer) | sha256sum, of the layer of an image that has only metadata.
  const layer = Buffer.from('1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000', 'hex')
  const { payload, tarsums: empty } = await sumsOf([layer])
  assert.equal(payload, 'sha256:330833d36e6a6b9ddee3093c8600538f108dabe47ebde756ba5f93097118f4fc')
  assert.deepEqual(empty, tarsums(vector('no entry').sums))
})

test('a sparse file that docker wrote out with its zeros has the tarsum of the file it read', async () => {
  const content = Buffer.alloc(4096)
  content.write('middle', 1000)
  content.write('..', 3000)
  const written = layerTar([{ name: 'sparse', typeflag: 'S', content }])
  assert.deepEqual((await sumsOf([written])).tarsums, tarsums(vector('a sparse file of GNU tar').sums))
})

test('the bytes go on as they came', async () => {
  const layer = gzipSync(layerTar([{ name: 'noise', content: 'abc'.repeat(100_000) }]))
  const checksums = new LayerChecksums(vectorJson)
  assert.deepEqual(await buffer(checksums.watch(Readable.from(inPieces(layer, 1000)))), layer)
})

const noTars: Readonly<Record<string, Buffer>> = {
  'is text': Buffer.from('hello '.repeat(1000)),
  'is shorter than a header': Buffer.from('x'),
  'is compressed by xz': Buffer.from('fd377a585a000004', 'hex'),
  'is broken gzip': Buffer.concat([gzipSync(layerTar([file])).subarray(0, 20), Buffer.alloc(50_000, 1)]),
  'is gzip that ends too early': gzipSync(layerTar([file, { name: 'noise', content: 'x'.repeat(5000) }])).subarray(
    0,
    -20,
  ),
  'ends within a file': layerTar([file]).subarray(0, 515),
  'ends within a header': layerTar([file, file]).subarray(0, 1500),
  'has a wrong header checksum': changed(layerTar([file]), 3),
  'has zeros between its entries': Buffer.concat([...blocksOf(file), Buffer.alloc(512), ...blocksOf(file)]),
  'has a number that is none': layerTar([{ ...file, records: { uid: 'root' } }]),
  'has a size beyond everything': layerTar([{ ...file, records: { size: '9223372036854775807' } }]),
  'has a negative size': layerTar([{ ...file, records: { size: '-1' } }]),
  'has records that are none': layerTar([{ name: 'x', typeflag: 'x', content: '5 a\n' }, file]),
  'has records without an end': layerTar([{ name: 'x', typeflag: 'x', content: '99 a=b\n' }, file]),
  'has records of a megabyte and more': layerTar([{ ...file, records: { comment: 'x'.repeat(1024 * 1024) } }]),
  'claims a long name of a terabyte': layerTar([{ name: 'x', typeflag: 'L', size: 0o77777777777 }]),
  'has overlapping parts of a sparse file': layerTar([sparse('0,6,3,2', 4096)]),
  'has a part beyond the end of a sparse file': layerTar([sparse('0,6,10,2', 11)]),
  'has a sparse file of more zeros than are read': layerTar([sparse('0,6,10,2', 1024 ** 4)]),
  'has entries that are ordered by sum and by place at once': layerTar(
    Array.from({ length: 20 }, (_, number) => ({
      ...file,
      name: number % 2 === 0 ? 'twin' : `n${number}`,
      mtime: number,
    })),
  ),
}
for (const [what, layer] of Object.entries(noTars))
  test(`a layer that ${what} has no tarsums, and goes on whole`, { timeout: 20_000 }, async () => {
    const checksums = new LayerChecksums(vectorJson)
    assert.deepEqual(await buffer(checksums.watch(Readable.from(inPieces(layer, 1000)))), layer)
    assert.equal((await checksums.finish()).tarsums, undefined)
  })

test(
  'what follows the archive changes no tarsum, nor does a second member of its compression',
  { timeout: 20_000 },
  async () => {
    const { tar, sums } = vector('a directory and a file')
    const garbage = Buffer.alloc(1_000_000, 'garbage')
    const layers = [
      Buffer.concat([tar, garbage]),
      gzipSync(Buffer.concat([tar, garbage])),
      Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ]
    for (const layer of layers) {
      const { tarsums: actual } = await sumsOf(inPieces(layer, 10_000))
      assert.deepEqual(actual, tarsums(sums))
    }
  },
)

test('whatever follows the compression of a layer goes on too', { timeout: 20_000 }, async () => {
  const layer = Buffer.concat([gzipSync(layerTar([file])), Buffer.alloc(1_000_000, 'garbage')])
  for (const length of [100, 10_000, layer.length]) {
    const checksums = new LayerChecksums(vectorJson)
    assert.deepEqual(await buffer(checksums.watch(Readable.from(inPieces(layer, length)))), layer)
    await checksums.finish()
  }
})

test('bytes that break off pass on their error', { timeout: 20_000 }, async () => {
  const broken = new Error('the client is gone')
  async function* breakingOff() {
    yield gzipSync(layerTar([file])).subarray(0, 40)
    throw broken
  }
  const checksums = new LayerChecksums(vectorJson)
  await assert.rejects(buffer(checksums.watch(breakingOff())), broken)
  assert.equal((await checksums.finish()).tarsums, undefined)
})

test('whoever stops reading ends the bytes and the checksums', { timeout: 20_000 }, async () => {
  const bytes = Readable.from(inPieces(gzipSync(layerTar([{ ...file, content: 'x'.repeat(100_000) }])), 10))
  const checksums = new LayerChecksums(vectorJson)
  for await (const chunk of checksums.watch(bytes)) if (chunk.length > 0) break
  assert.equal(bytes.destroyed, true)
  assert.equal((await checksums.finish()).tarsums, undefined)
})

test('a quarter of a gigabyte of zeros in a quarter of a megabyte costs no memory', { timeout: 120_000 }, async () => {
  const megabytes = 256
  const [header = Buffer.alloc(0)] = blocksOf({ name: 'zeros', size: megabytes * 1024 ** 2 })
  async function* bomb() {
    yield gzipSync(header)
    const member = gzipSync(Buffer.alloc(1024 ** 2))
    for (let sent = 0; sent < megabytes; sent++) yield member
  }
  const before = process.memoryUsage().rss
  let peak = before
  const checksums = new LayerChecksums(vectorJson)
  for await (const chunk of checksums.watch(bomb()))
    if (chunk.length > 0) peak = Math.max(peak, process.memoryUsage().rss)
  assert.match((await checksums.finish()).tarsums?.v0 ?? '', /^tarsum\+sha256:/)
  assert.ok(peak - before < 128 * 1024 ** 2, `${peak - before} bytes more`)
})

async function sumsOf(bytes: Iterable<Uint8Array>, json = vectorJson): Promise<LayerSums> {
  const checksums = new LayerChecksums(json)
  await buffer(checksums.watch(Readable.from(bytes)))
  return checksums.finish()
}

function* inPieces(bytes: Buffer, length: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length)
}

function vector(name: string): TarVector {
  const found = tarVectors.find((vector) => vector.name === name)
  assert.ok(found, name)
  return found
}

function tarsums([v0, v1]: TarVector['sums'], isV0Certain = true): LayerSums['tarsums'] {
  return { v0: `tarsum+sha256:${v0}`, v1: `tarsum.v1+sha256:${v1}`, isV0Certain }
}

function changed(bytes: Buffer, at: number): Buffer {
  bytes.writeUInt8(0xff, at)
  return bytes
}

function sparse(map: string, size: number): TarEntry {
  const records = { 'GNU.sparse.major': '0', 'GNU.sparse.minor': '1', 'GNU.sparse.map': map }
  return { ...file, content: '12345678', records: { ...records, 'GNU.sparse.size': String(size) } }
}
