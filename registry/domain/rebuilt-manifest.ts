import type { Digest } from './digest.ts'

export type Compression = 'gzip' | 'zstd' | 'none'

export interface StoredLayer {
  readonly digest: Digest
  readonly size: number
  readonly compression: Compression
}

export interface RebuiltManifest {
  readonly mediaType: string
  readonly bytes: Uint8Array
}

interface Parts {
  readonly config: { readonly digest: Digest; readonly size: number }
  readonly layers: readonly StoredLayer[]
}

const docker = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const

const oci = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: {
    none: 'application/vnd.oci.image.layer.v1.tar',
    gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
    zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  },
} as const

/** To the letter as docker writes it, order of fields and white space included: then the digest is the one it had. */
export function dockerManifest({ config, layers }: Parts): RebuiltManifest {
  const describe = (mediaType: string, { size, digest }: Parts['config']) => ({ mediaType, size, digest })
  const body = {
    schemaVersion: 2,
    mediaType: docker.manifest,
    config: describe(docker.config, config),
    layers: layers.map((layer) => describe(docker.layer, layer)),
  }
  return { mediaType: docker.manifest, bytes: Buffer.from(JSON.stringify(body, null, 3)) }
}

/** As podman, buildah and skopeo write it when it has no annotations. */
export function ociManifest({ config, layers }: Parts): RebuiltManifest {
  const describe = (mediaType: string, { size, digest }: Parts['config']) => ({ mediaType, digest, size })
  const body = {
    schemaVersion: 2,
    mediaType: oci.manifest,
    config: describe(oci.config, config),
    layers: layers.map((layer) => describe(oci.layer[layer.compression], layer)),
  }
  return { mediaType: oci.manifest, bytes: Buffer.from(JSON.stringify(body)) }
}
