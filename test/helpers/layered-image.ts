import { gzipSync, zstdCompressSync } from 'node:zlib'
import { layerTar } from './layer-tar.ts'
import { descriptor, digestOfBytes, ociManifest, type TinyImage } from './tiny-image.ts'

const packings = {
  'tar+gzip': gzipSync,
  'tar+zstd': zstdCompressSync,
  tar: (tar: Buffer) => tar,
} as const

export interface LayeredImage extends TinyImage {
  readonly config: Buffer
  /** As they are in the image, the lowest first. */
  readonly layers: readonly Buffer[]
  readonly diffIds: readonly string[]
}

/** An image of layers that unpack, the first ones of which it has in common with others that are `on` the same. */
export function layeredImage(
  name: string,
  { on = ['base'], packed = 'tar+gzip', more = {} }: LayeredImageOptions = {},
): LayeredImage {
  const tars = [...on, name].map((layer) => layerTar([{ name: `file-of-${layer}`, content: `content of ${layer}` }]))
  const diffIds = tars.map((tar) => digestOfBytes(tar))
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['sh', '-c', `echo <${name}>`] },
      created: '2024-05-01T12:00:00.5Z',
      history: tars.map(() => ({ created_by: 'COPY' })),
      rootfs: { type: 'layers', diff_ids: diffIds },
      ...more,
    }),
  )
  const layers = tars.map((tar) => packings[packed](tar))
  const mediaType = ociManifest
  const body = {
    schemaVersion: 2,
    mediaType,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: layers.map((layer) => descriptor(`application/vnd.oci.image.layer.v1.${packed}`, layer)),
  }
  const manifest = Buffer.from(JSON.stringify(body))
  return { mediaType, manifest, digest: digestOfBytes(manifest), blobs: [config, ...layers], config, layers, diffIds }
}

interface LayeredImageOptions {
  readonly on?: readonly string[]
  readonly packed?: keyof typeof packings
  /** Further fields of the configuration, or others. */
  readonly more?: object
}
