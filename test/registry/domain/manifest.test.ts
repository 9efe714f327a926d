import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { sha256 } from '../../contracts/blob-store.ts'
import { RegistryError } from '../../../registry/domain/errors.ts'
import { foreignUrls, isSchema1, parseManifest, sizeNamed } from '../../../registry/domain/manifest.ts'

const dockerImage = 'application/vnd.docker.distribution.manifest.v2+json'
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json'
const ociImage = 'application/vnd.oci.image.manifest.v1+json'
const ociIndex = 'application/vnd.oci.image.index.v1+json'
const unknown = 'application/vnd.example.thing+json'
const images = [dockerImage, ociImage]
const indexes = [dockerList, ociIndex]

const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((digit) => `sha256:${digit.repeat(64)}`)
const layer = (digest: unknown, more = {}) => ({ mediaType: 'application/x.layer', digest, size: 5, ...more })
const config = { mediaType: 'application/x.config', digest: a, size: 2 }
const image = { schemaVersion: 2, config, layers: [layer(b), layer(c)] }
const nothing = { blobs: [], entries: [], subject: undefined, artifactType: undefined }

const parse = (mediaType: string, body: unknown) => parseManifest(mediaType, Buffer.from(JSON.stringify(body)))
const refuses = (mediaType: string, body: unknown, message: string | RegExp) =>
  assert.throws(() => parse(mediaType, body), { code: 'MANIFEST_INVALID', message })

for (const mediaType of images) {
  test(`${mediaType} names its config and its layers`, () => {
    assert.deepEqual(parse(mediaType, { ...image, mediaType }), {
      blobs: [a, b, c],
      entries: [],
      subject: undefined,
      artifactType: 'application/x.config',
    })
  })
}

for (const mediaType of indexes) {
  test(`${mediaType} names its entries`, () => {
    const body = { schemaVersion: 2, mediaType, manifests: [layer(a), layer(b)] }
    assert.deepEqual(parse(mediaType, body), { ...nothing, entries: [a, b] })
  })
}

test('an index may be empty', () => {
  assert.deepEqual(parse(ociIndex, { schemaVersion: 2, manifests: [] }), nothing)
  assert.deepEqual(parse(ociIndex, { schemaVersion: 2, manifests: null }), nothing)
})

test('an index may name an index, and blobs with their platform and annotations', () => {
  const body = {
    schemaVersion: 2,
    artifactType: 'application/x.index',
    manifests: [
      { mediaType: ociIndex, digest: a, size: 3 },
      { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: b, size: 3, annotations: { x: 'y' } },
    ],
    subject: layer(d),
  }
  assert.deepEqual(parse(ociIndex, body), {
    ...nothing,
    entries: [a, b],
    subject: d,
    artifactType: 'application/x.index',
  })
})

test('an artifact has a type of its own, a subject, and may have no layers', () => {
  const body = { schemaVersion: 2, artifactType: 'application/x.sbom', config, subject: layer(d) }
  const contents = { blobs: [a], entries: [], subject: d, artifactType: 'application/x.sbom' }
  assert.deepEqual(parse(ociImage, body), contents)
  assert.deepEqual(parse(ociImage, { ...body, layers: [] }), contents)
  assert.deepEqual(parse(ociImage, { ...body, layers: null }), contents)
  assert.deepEqual(parse(ociImage, { ...body, artifactType: '' }).artifactType, 'application/x.config')
})

test('a layer that is named twice is needed once', () => {
  assert.deepEqual(parse(ociImage, { ...image, layers: [layer(b), layer(b), layer(a)] }).blobs, [a, b])
})

test('layers that may not be distributed, or are elsewhere, need not be here', () => {
  const layers = [
    layer(b, { mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip' }),
    layer(c, { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip' }),
    layer(d, { urls: ['https://example.com/layer'] }),
  ]
  assert.deepEqual(parse(ociImage, { ...image, layers }).blobs, [a])
  assert.deepEqual(parse(ociImage, { ...image, layers: [layer(b, { urls: [] })] }).blobs, [a, b])
})

test('digests may be sha512', () => {
  const digest = `sha512:${'0'.repeat(128)}`
  assert.deepEqual(parse(ociImage, { ...image, layers: [layer(digest)] }).blobs, [a, digest])
})

test('fields that nobody knows do not matter', () => {
  assert.deepEqual(parse(ociImage, { ...image, custom: { deep: [1, { x: null }] } }).blobs, [a, b, c])
})

test('a media type that differs from the Content-Type is refused', () => {
  for (const mediaType of [dockerImage, 7, null])
    refuses(ociImage, { ...image, mediaType }, `mediaType: expected ${ociImage}, as the Content-Type says, or none`)
  refuses(unknown, { ...image, mediaType: ociImage }, /^mediaType: expected/)
})

test('what is an image to one client and an index to another is refused', () => {
  refuses(ociImage, { ...image, manifests: [] }, 'manifests: an image manifest has no such field')
  refuses(ociIndex, { schemaVersion: 2, manifests: [], config }, 'config: an index has no such field')
  refuses(ociIndex, { schemaVersion: 2, manifests: [], layers: [] }, 'layers: an index has no such field')
})

test('a manifest of schema 1 names its layers, signed or not', () => {
  const [one, two] = [sha256('one'), sha256('two')]
  const fsLayers = [one, two, one].map((blobSum) => ({ blobSum }))
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 1, name: 'a', fsLayers, history: [], signatures: [] }))
  for (const mediaType of [
    'application/vnd.docker.distribution.manifest.v1+json',
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'application/json',
  ]) {
    assert.deepEqual(parseManifest(mediaType, bytes).blobs, [one, two])
    assert.ok(isSchema1(mediaType, bytes))
  }
  refuses('application/json', { schemaVersion: 1, fsLayers: [{}] }, /^fsLayers\[0\]\.blobSum: expected sha256/)
})

test('a manifest says how large what it names is, and where else it lies', () => {
  const [layer, elsewhere] = [sha256('layer'), sha256('elsewhere')]
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config,
      layers: [
        { digest: layer, size: 7, mediaType: 'application/vnd.oci.image.layer.v1.tar' },
        { digest: elsewhere, size: 9, urls: ['https://example.com/layer', 5] },
      ],
    }),
  )
  const manifest = { digest: sha256('it'), mediaType: ociImage, bytes }
  assert.equal(sizeNamed(manifest, layer), 7)
  assert.equal(sizeNamed(manifest, sha256('another')), undefined)
  assert.deepEqual([...foreignUrls(manifest)], [[elsewhere, ['https://example.com/layer']]])
})

const malformed: readonly (readonly [what: string, body: unknown, message: string])[] = [
  ['no object', [], 'expected a JSON object'],
  ['no version', { ...image, schemaVersion: undefined }, 'schemaVersion: expected 2'],
  ['another version', { ...image, schemaVersion: '2' }, 'schemaVersion: expected 2'],
  [
    'no config',
    { ...image, config: undefined },
    'config: expected a descriptor, an object with mediaType, digest and size',
  ],
  ['no list of layers', { ...image, layers: {} }, 'layers: expected a list of descriptors'],
  [
    'a layer that is no object',
    { ...image, layers: [layer(b), 'x'] },
    'layers[1]: expected a descriptor, an object with mediaType, digest and size',
  ],
  [
    'a bad digest',
    { ...image, layers: [layer('sha256:x')] },
    'layers[0].digest: expected sha256:<64 hex digits> or sha512:<128 hex digits>',
  ],
  [
    'a negative size',
    { ...image, layers: [layer(b, { size: -1 })] },
    'layers[0].size: expected a non-negative integer',
  ],
  ['a broken size', { ...image, layers: [layer(b, { size: 1.5 })] }, 'layers[0].size: expected a non-negative integer'],
  [
    'a size in words',
    { ...image, layers: [layer(b, { size: '5' })] },
    'layers[0].size: expected a non-negative integer',
  ],
  [
    'a numeric media type',
    { ...image, layers: [layer(b, { mediaType: 5 })] },
    'layers[0].mediaType: expected a string',
  ],
  [
    'a bad subject',
    { ...image, subject: {} },
    'subject.digest: expected sha256:<64 hex digits> or sha512:<128 hex digits>',
  ],
  ['a numeric artifact type', { ...image, artifactType: 5 }, 'artifactType: expected a string'],
]
for (const [what, body, message] of malformed) {
  test(`an image manifest with ${what} is refused`, () => {
    for (const mediaType of images) refuses(mediaType, body, message)
  })
}

test('an index without a list is refused', () => {
  for (const mediaType of indexes) refuses(mediaType, { schemaVersion: 2 }, 'manifests: expected a list of descriptors')
})

test('what is not JSON is refused under a known media type and kept under another', () => {
  for (const bytes of [Buffer.from('{'), Buffer.from([0x22, 0xff, 0x22]), Buffer.alloc(0), Buffer.from('[]')]) {
    assert.throws(() => parseManifest(ociImage, bytes), {
      code: 'MANIFEST_INVALID',
      message: /^expected a JSON object/,
    })
    assert.deepEqual(parseManifest(unknown, bytes), nothing)
  }
})

test('what nests too deep is refused, however large', () => {
  const bytes = Buffer.from(`{"annotations":${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}}`)
  assert.throws(() => parseManifest(ociImage, bytes), { message: 'expected JSON that nests at most 64 deep' })
  assert.deepEqual(parseManifest(unknown, bytes), nothing)
})

test('brackets in a string do not nest', () => {
  const body = { ...image, annotations: { brackets: '[{"\\'.repeat(100) } }
  assert.deepEqual(parse(ociImage, body).blobs, [a, b, c])
})

test('an unknown media type names what its shape says', () => {
  assert.deepEqual(parse(unknown, image).blobs, [a, b, c])
  assert.deepEqual(parse(unknown, { schemaVersion: 2, manifests: [layer(b)] }).entries, [b])
})

test('an unknown media type of an unknown shape names nothing', () => {
  for (const body of [
    {},
    { ...image, schemaVersion: 3 },
    { ...image, manifests: [] },
    { ...image, layers: ['x'] },
    { ...image, subject: 'x' },
    { schemaVersion: 2, manifests: 'x' },
    { schemaVersion: 2, config: 'x', layers: [] },
    'text',
    null,
  ])
    assert.deepEqual(parse(unknown, body), nothing)
})

test('no bytes do more than be refused', () => {
  const mediaType = fc.constantFrom(...images, ...indexes, unknown)
  const descriptor = fc.oneof(
    fc.constant(config),
    fc.record({ digest: fc.anything(), size: fc.anything() }),
    fc.anything(),
  )
  const body = fc.oneof(
    fc.jsonValue(),
    fc.record(
      {
        schemaVersion: fc.constantFrom(1, 2),
        mediaType: fc.oneof(mediaType, fc.anything()),
        config: descriptor,
        layers: fc.oneof(fc.array(descriptor), fc.anything()),
        manifests: fc.oneof(fc.array(descriptor), fc.anything()),
        subject: descriptor,
        artifactType: fc.anything(),
      },
      { requiredKeys: [] },
    ),
  )
  const bytes = fc.oneof(
    fc.uint8Array(),
    body.map((value) => Buffer.from(JSON.stringify(value, plain) ?? '')),
  )
  fc.assert(
    fc.property(mediaType, bytes, (mediaType, bytes) => {
      try {
        const { blobs, entries } = parseManifest(mediaType, bytes)
        assert.ok(blobs.length === 0 || entries.length === 0)
      } catch (error) {
        assert.ok(error instanceof RegistryError && error.code === 'MANIFEST_INVALID', String(error))
      }
    }),
    { numRuns: 2000 },
  )
})

/** For `JSON.stringify`, which has no word for such numbers. */
function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
