import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { digestOf, type Digest } from '../../registry/domain/digest.ts'
import type { Manifest } from '../../registry/domain/manifest.ts'
import type { ImageName } from '../../registry/domain/names.ts'
import type { V1Image, V1ImageId } from '../../registry/domain/v1-image.ts'
import { schema2FromV1 } from '../../registry/domain/v1-to-schema2.ts'
import type { PackedLayer, PackedLayers, RawLayer } from './packed-layers.ts'
import type { Source } from './source.ts'
import { checkedV1Layer, openV1Layer, readV1Chain } from './v1-chain.ts'
import type { V1Images } from './v1-images.ts'

/** Images of the V1 API as docker converts them: of the schema 2 of Docker, a layer for each of their images. */
export function convertedImages(v1: V1Images, layers: PackedLayers): Source {
  const made = new Map<Digest, Uint8Array>()
  const manifests = new Map<Digest, Manifest>()

  const convert = async (image: ImageName, id: V1ImageId): Promise<Manifest> => {
    const chain = await readV1Chain(v1, image, id)
    const packed: { json: Uint8Array; blob: PackedLayer; diffId: Digest }[] = []
    for (const one of chain) {
      const blob = await layers.pack(rawLayer(v1, image, one))
      packed.push({ json: one.json, blob, diffId: blob.diffId })
    }
    const { config, manifest } = schema2FromV1(
      packed.map(({ blob: { digest, size }, ...one }) => ({ ...one, blob: { digest, size } })),
    )
    made.set(digestOf('sha256', hash('sha256', config, 'hex')), config)
    const digest = digestOf('sha256', hash('sha256', manifest.bytes, 'hex'))
    const converted = { digest, ...manifest }
    manifests.set(digest, converted)
    return converted
  }

  return {
    name: v1.name,
    v1,
    ...(v1.problems && { problems: v1.problems }),
    images: () => v1.images(),
    tags: async (image) => {
      const tags = await v1.tags(image)
      return tags && [...tags.keys()].sort()
    },
    // To know it is to read all layers.
    digest: async () => undefined,
    async manifest(image, reference) {
      if ('digest' in reference) return manifests.get(reference.digest)
      const id = (await v1.tags(image))?.get(reference.tag)
      return id && (await convert(image, id))
    },
    async blob(_image, digest) {
      const config = made.get(digest)
      return config ? { size: config.length, bytes: Readable.from([config]) } : await layers.open(digest)
    },
    referrers: async () => [],
    async [Symbol.asyncDispose]() {
      await layers[Symbol.asyncDispose]()
      await v1[Symbol.asyncDispose]()
    },
  }
}

function rawLayer(v1: V1Images, image: ImageName, one: V1Image): RawLayer {
  return {
    key: `${v1.name} ${one.id} ${one.digest}`,
    open: () => openV1Layer(v1, image, one),
    check: (bytes) => checkedV1Layer(v1, image, one, bytes),
  }
}
