import { hash } from 'node:crypto'

/** An image of a few bytes: what a client would push. */
export interface TinyImage {
  readonly mediaType: string
  readonly manifest: Buffer
  /** Of the manifest. */
  readonly digest: string
  readonly blobs: readonly Buffer[]
}

export const ociManifest = 'application/vnd.oci.image.manifest.v1+json'

/** Another `content` makes another image; `more` are further fields of the manifest. */
export function tinyImage(content: string, more: Readonly<Record<string, unknown>> = {}): TinyImage {
  const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', comment: content }))
  const layer = Buffer.from(`layer of ${content}`)
  const body = {
    schemaVersion: 2,
    mediaType: ociManifest,
    config: descriptor('application/vnd.oci.image.config.v1+json', config),
    layers: [descriptor('application/vnd.oci.image.layer.v1.tar', layer)],
    ...more,
  }
  // Spaces that no serialiser would put there show whether the bytes are kept as they came.
  const manifest = Buffer.from(JSON.stringify(body, null, 3))
  return { mediaType: ociManifest, manifest, digest: digestOfBytes(manifest), blobs: [config, layer] }
}

export function descriptor(mediaType: string, bytes: Uint8Array) {
  return { mediaType, digest: digestOfBytes(bytes), size: bytes.length }
}

export function digestOfBytes(bytes: Uint8Array | string, algorithm: 'sha256' | 'sha512' = 'sha256'): string {
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}`
}
