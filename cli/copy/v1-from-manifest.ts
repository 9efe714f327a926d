import { Readable } from 'node:stream'
import { readDescriptor } from '../../registry/domain/descriptor.ts'
import type { Digest } from '../../registry/domain/digest.ts'
import { isObject, parseJson } from '../../registry/domain/json.ts'
import { payloadOf } from '../../registry/domain/manifest-digest.ts'
import { isIndex, isSchema1, platformEntries, type Manifest } from '../../registry/domain/manifest.ts'
import type { ImageName } from '../../registry/domain/names.ts'
import { emptyLayer } from '../../registry/domain/schema1/empty-layer.ts'
import { parseSchema1 } from '../../registry/domain/schema1/schema1.ts'
import { diffIdsIn, v1FromConfig } from '../../registry/domain/v1-from-config.ts'
import { parseV1Image } from '../../registry/domain/v1-image.ts'
import type { PackedLayers } from './packed-layers.ts'
import type { Source } from './source.ts'
import type { FindPushable, V1Pushable, V1Step } from './v1-pushable.ts'
import { verifying } from './verified.ts'

const maxConfigBytes = 8 * 1024 * 1024
const usualPlatform = 'linux/amd64'

/** Images of the V2 API as docker makes them ones of the V1 API. `platform`: which one of several; default: linux/amd64. */
export function fromManifests(source: Source, layers: PackedLayers, platform: string | undefined): FindPushable {
  return async (image, reference) => {
    const found = await source.manifest(image, reference)
    if (!found) return undefined
    const from = { source, layers, image }
    const manifest = isIndex(found) ? await entryOf(from, found, platform ?? usualPlatform) : found
    return isSchema1(manifest.mediaType, manifest.bytes) ? fromSchema1(from, manifest) : await fromImage(from, manifest)
  }
}

interface From {
  readonly source: Source
  readonly layers: PackedLayers
  readonly image: ImageName
}

async function entryOf({ source, image }: From, index: Manifest, wanted: string): Promise<Manifest> {
  const entries = platformEntries(index).filter(({ platform }) => platform !== undefined)
  // `linux/arm` stands for all its variants.
  const entry = entries.find(({ platform = '' }) => platform === wanted || platform.startsWith(`${wanted}/`))
  if (!entry)
    throw new Error(
      `it has no image for ${wanted}, but for ${entries.map(({ platform }) => platform).join(', ') || 'none'}: say which by --platform`,
    )
  const manifest = await source.manifest(image, { digest: entry.digest })
  if (manifest && !isIndex(manifest)) return manifest
  throw new Error(`the source has no image manifest ${entry.digest}`)
}

async function fromImage(from: From, { mediaType, bytes }: Manifest): Promise<V1Pushable> {
  const named = namedIn(bytes)
  if (!named) throw new Error(`it is no image of which the V1 API could have one, but ${mediaType}`)
  const config = await readConfig(from, named.config)
  const [images, diffIds] = [v1FromConfig(config), diffIdsIn(config)]
  if (diffIds.length !== named.layers.length)
    throw new Error(`its configuration names ${diffIds.length} layers, and there are ${named.layers.length}`)
  const steps = images.map((image, index): V1Step => {
    const layer = named.layers[index]
    return {
      image,
      open: layer ? () => openLayer(from, layer, diffIds[index]) : async () => Readable.from([emptyLayer]),
    }
  })
  return pushable(steps)
}

/** They hold images of the V1 API, the top one first; docker leaves out those that come twice. */
function fromSchema1(from: From, { mediaType, bytes }: Manifest): V1Pushable {
  const steps = parseSchema1(payloadOf(mediaType, bytes)).layers.map(({ blobSum, v1Compatibility }): V1Step => ({
    image: parseV1Image(Buffer.from(v1Compatibility)),
    open: () => openLayer(from, blobSum, undefined),
  }))
  return pushable(steps.filter(({ image }, index) => image.id !== steps[index + 1]?.image.id).toReversed())
}

function pushable(steps: readonly V1Step[]): V1Pushable {
  const top = steps.at(-1)
  if (!top) throw new Error('it has no layers')
  return { top: top.image.id, steps: async () => steps }
}

function namedIn(manifest: Uint8Array) {
  const parsed = parseJson(manifest)
  const body = 'value' in parsed && isObject(parsed.value) ? parsed.value : {}
  const config = readDescriptor(body.config)
  const layers = (Array.isArray(body.layers) ? (body.layers as readonly unknown[]) : []).map(readDescriptor)
  const digests = layers.flatMap((layer) => ('digest' in layer ? [layer.digest] : []))
  return 'digest' in config && digests.length === layers.length ? { config: config.digest, layers: digests } : undefined
}

async function readConfig({ source, image }: From, digest: Digest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of verifying(digest)(await openBlob({ source, image }, digest))) {
    size += chunk.length
    if (size > maxConfigBytes) throw new Error(`its configuration has more than ${maxConfigBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/**
 * In gzip, which docker of before unpacks. It is read whole before any of it is sent: an image whose configuration told something else of its
 * layers would be taken for the one that it tells of by all that come after it.
 */
async function openLayer(from: From, digest: Digest, diffId: Digest | undefined): Promise<Readable> {
  const { layers } = from
  const packed = await layers.pack({
    key: `blob ${digest}`,
    open: () => openBlob(from, digest),
    check: verifying(digest),
  })
  if (diffId !== undefined && packed.diffId !== diffId)
    throw new Error(
      `the source's layer ${digest} is ${packed.diffId} unpacked, and not ${diffId} as the configuration says`,
    )
  const layer = await layers.open(packed.digest)
  if (layer) return layer.bytes
  throw new Error(`the layer ${digest} was packed, and is gone`)
}

async function openBlob({ source, image }: Pick<From, 'source' | 'image'>, digest: Digest): Promise<Readable> {
  const blob = await source.blob(image, digest)
  if (blob) return blob.bytes
  throw new Error(`the source has no blob ${digest}`)
}
