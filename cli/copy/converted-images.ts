import { createHash, hash } from 'node:crypto'
import { Readable } from 'node:stream'
import { digestOf, type Digest } from '../../registry/domain/digest.ts'
import type { Manifest } from '../../registry/domain/manifest.ts'
import type { ImageName } from '../../registry/domain/names.ts'
import { parseV1Image, type V1Image, type V1ImageId } from '../../registry/domain/v1-image.ts'
import { schema2FromV1 } from '../../registry/domain/v1-to-schema2.ts'
import type { PackedLayer, PackedLayers } from './packed-layers.ts'
import type { Source } from './source.ts'
import type { V1Images } from './v1-images.ts'

/** docker stops at 127 layers. */
const maxAncestors = 1024

/** Images of the V1 API as docker converts them: of the schema 2 of Docker, a layer for each of their images. */
export function convertedImages(v1: V1Images, layers: PackedLayers): Source {
  const made = new Map<Digest, Uint8Array>()
  const manifests = new Map<Digest, Manifest>()

  const convert = async (image: ImageName, id: V1ImageId): Promise<Manifest> => {
    const chain = await ancestry(v1, image, id)
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

/** The base image first. By what each image says of its parent: lists of ancestors are made from that. */
async function ancestry(v1: V1Images, image: ImageName, top: V1ImageId): Promise<readonly V1Image[]> {
  const chain: V1Image[] = []
  for (let id: V1ImageId | undefined = top; id !== undefined;) {
    const json: Uint8Array | undefined = await v1.json(image, id)
    if (!json) throw new Error(`the source has no image ${id}`)
    const one: V1Image = parseV1Image(json)
    if (one.id !== id) throw new Error(`the source's image ${id} says that it is ${one.id}`)
    chain.unshift(one)
    if (chain.length > maxAncestors) throw new Error(`the image ${top} has more than ${maxAncestors} ancestors`)
    id = one.parent
  }
  return chain
}

function rawLayer(v1: V1Images, image: ImageName, { id, json, digest }: V1Image) {
  return {
    key: `${v1.name} ${id} ${digest}`,
    async open() {
      const layer = await v1.layer(image, id)
      if (layer) return layer
      throw new Error(`the source has no layer of the image ${id}`)
    },
    async *check(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      const checksums = (await v1.checksums(image, id)).filter((text) => /^sha256:[0-9a-f]{64}$/.test(text))
      const hash = createHash('sha256').update(json).update('\n')
      for await (const chunk of bytes) {
        hash.update(chunk)
        yield chunk
      }
      const actual = `sha256:${hash.digest('hex')}`
      if (checksums.length > 0 && !checksums.includes(actual))
        throw new Error(
          `the source's image ${id} is corrupt: JSON and layer are ${actual}, not ${checksums.join(' or ')}`,
        )
    },
  }
}
