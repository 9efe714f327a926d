import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { emptyLayerDigest } from '../../registry/domain/schema1/empty-layer.ts'
import { signSchema1 } from '../../registry/domain/schema1/signatures.ts'
import { descriptor, digestOfBytes, type TinyImage } from './tiny-image.ts'

export const signedType = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
export const unsignedType = 'application/vnd.docker.distribution.manifest.v1+json'
export const dockerImage = 'application/vnd.docker.distribution.manifest.v2+json'

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** An image as docker 1.6 to 1.9 push it: signed, with schemaVersion at the end, and two layers. The digest is that of what is signed. */
export function schema1Image(content: string, key: KeyObject = privateKey): TinyImage & { readonly payload: Buffer } {
  const blobs = ['base', 'top'].map((layer) => gzipSync(`${layer} of ${content}`))
  const [base, top] = ['base', 'top'].map((layer) => hash('sha256', `${layer} of ${content}`))
  const compat = [{ id: top, parent: base }, { id: base }].map((json) => ({ v1Compatibility: JSON.stringify(json) }))
  const fsLayers = blobs.map((blob) => ({ blobSum: digestOfBytes(blob) })).toReversed()
  const body = { name: 'old', tag: '1', architecture: 'amd64', fsLayers, history: compat, schemaVersion: 1 }
  const payload = Buffer.from(JSON.stringify(body, null, 3))
  const manifest = Buffer.from(signSchema1(payload, key, new Date('2015-06-01T12:00:00Z')))
  return { mediaType: signedType, manifest, digest: digestOfBytes(payload), blobs, payload }
}

/** An image as docker builds it today: two layers and, between them, a step without one. `more`: further fields of the configuration. */
export function dockerBuilt(content: string, more: Readonly<Record<string, unknown>> = {}): TinyImage {
  const tars = ['base', 'top'].map((layer) => Buffer.from(`${layer} of ${content}`))
  const layers = tars.map((tar) => gzipSync(tar))
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['sh', '-c', 'echo <&>'] },
      rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOfBytes(tar)) },
      history: [{ created_by: 'ADD' }, { created_by: 'ENV', empty_layer: true }, { created_by: 'RUN' }],
      ...more,
    }),
  )
  const body = {
    schemaVersion: 2,
    mediaType: dockerImage,
    config: descriptor('application/vnd.docker.container.image.v1+json', config),
    layers: layers.map((layer) => descriptor('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)),
  }
  const manifest = Buffer.from(JSON.stringify(body, null, 3))
  return { mediaType: dockerImage, manifest, digest: digestOfBytes(manifest), blobs: [config, ...layers] }
}

/** What {@link dockerBuilt} becomes in schema 1, the top one first. */
export function schema1LayersOf({ blobs: [, base, top] }: TinyImage): readonly string[] {
  return [digestOfBytes(top ?? ''), emptyLayerDigest, digestOfBytes(base ?? '')]
}
