import { readDescriptor } from '../descriptor.ts'
import type { Digest } from '../digest.ts'
import { isObject, parseJson } from '../json.ts'
import { indexTypes, imageTypes } from '../manifest-media-type.ts'
import { platformEntries, type Manifest } from '../manifest.ts'

const configTypes: ReadonlySet<string | undefined> = new Set([
  'application/vnd.docker.container.image.v1+json',
  'application/vnd.oci.image.config.v1+json',
])
/** Those that docker 1.6 can unpack. */
const layerTypes: ReadonlySet<string | undefined> = new Set([
  'application/vnd.docker.image.rootfs.diff.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.oci.image.layer.v1.tar+gzip',
])

/** What an image is made of that may be told in schema 1, or why it may not. */
export type ImageParts = { readonly config: Digest; readonly layers: readonly Digest[] } | { readonly problem: string }

export function isIndex({ mediaType }: Manifest): boolean {
  return indexTypes.some((type) => type === mediaType)
}

export function imageParts({ mediaType, bytes }: Manifest): ImageParts {
  const json = parseJson(bytes)
  if (!imageTypes.some((type) => type === mediaType) || !('value' in json) || !isObject(json.value))
    return { problem: `it is no image but ${mediaType}` }
  const config = readDescriptor(json.value.config)
  if ('problem' in config || !configTypes.has(config.mediaType))
    return { problem: 'its configuration is not that of an image' }
  const layers: Digest[] = []
  for (const listed of Array.isArray(json.value.layers) ? json.value.layers : []) {
    const layer = readDescriptor(listed)
    if ('problem' in layer) return { problem: 'it has a layer without a digest' }
    if (layer.foreign) return { problem: 'it has a layer that may not be distributed' }
    if (!layerTypes.has(layer.mediaType)) return { problem: `it has a layer of the type ${layer.mediaType}` }
    layers.push(layer.digest)
  }
  return { config: config.digest, layers }
}

/** Old clients run on Linux, and know of one image for each tag. Undefined when none is for them. */
export function entryForOldClients(index: Manifest): Digest | undefined {
  const linux = platformEntries(index).filter(({ platform }) => platform?.startsWith('linux/'))
  return (linux.find(({ platform }) => platform === 'linux/amd64') ?? linux[0])?.digest
}
