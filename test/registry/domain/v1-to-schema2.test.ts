import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { schema2FromV1 } from '../../../registry/domain/v1-to-schema2.ts'
import { sha256 } from '../../contracts/blob-store.ts'

/** What docker's own code makes of V1 images: see v1-conversion/main.go. */
type Vector = { readonly images: readonly string[] } & ({ readonly config: string } | { readonly error: string })

const file = new URL('v1-conversion/vectors.ndjson', import.meta.url)
const vectors = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector)

function convert(images: readonly string[]) {
  return schema2FromV1(
    images.map((json, place) => ({
      json: Buffer.from(json),
      blob: { digest: sha256(`gzip ${place}`), size: 100 + place },
      diffId: sha256(`layer ${place}`),
    })),
  )
}

test('a V1 image becomes to the letter the configuration that docker makes of it', () => {
  let compared = 0
  for (const vector of vectors) {
    if (!('config' in vector)) continue
    const { config } = convert(vector.images)
    assert.equal(Buffer.from(config).toString(), vector.config, vector.images.join('\n'))
    compared += 1
  }
  assert.ok(compared > 400, `${compared}`)
})

test('a V1 image that docker cannot read is refused, and the message names the field', () => {
  let refused = 0
  for (const vector of vectors) {
    if (!('error' in vector)) continue
    assert.throws(
      () => convert(vector.images),
      { code: 'MANIFEST_INVALID', message: /^the JSON of the image: [^:]+: expected / },
      vector.images.join('\n'),
    )
    refused += 1
  }
  assert.ok(refused > 400, `${refused}`)
})

test('the manifest is the one that docker would push: the configuration, and the layers from the base up', () => {
  const { config, manifest } = convert(['{"id":"a"}', '{"id":"b"}'])
  assert.equal(manifest.mediaType, 'application/vnd.docker.distribution.manifest.v2+json')
  const layer = 'application/vnd.docker.image.rootfs.diff.tar.gzip'
  assert.deepEqual(JSON.parse(Buffer.from(manifest.bytes).toString()), {
    schemaVersion: 2,
    mediaType: manifest.mediaType,
    config: {
      mediaType: 'application/vnd.docker.container.image.v1+json',
      size: config.length,
      digest: `sha256:${hash('sha256', config, 'hex')}`,
    },
    layers: [
      { mediaType: layer, size: 100, digest: sha256('gzip 0') },
      { mediaType: layer, size: 101, digest: sha256('gzip 1') },
    ],
  })
})

test('an image without layers is none', () => {
  assert.throws(() => convert([]), { code: 'MANIFEST_INVALID' })
})
