import { buffer } from 'node:stream/consumers'
import { readImageConfig } from '../../domain/image-config.ts'
import { configDigest, type Manifest } from '../../domain/manifest.ts'
import type { ImageRef, Tag } from '../../domain/names.ts'
import type { Property } from '../../domain/property.ts'
import { property } from './property-list.ts'
import type { ViewStorage } from './viewed-repository.ts'

/** No honest configuration of an image is larger; it is read whole. */
const maxConfigBytes = 4 * 1024 * 1024

export interface PlacedManifest {
  readonly of: ImageRef
  /** Undefined where it lies by its digest. */
  readonly tag: Tag | undefined
  readonly manifest: Manifest
}

/** What Artifactory says of a manifest. */
export async function manifestProperties(
  storage: ViewStorage,
  { of, tag, manifest }: PlacedManifest,
): Promise<readonly Property[]> {
  const labels = Object.entries(await labelsOf(storage, of, manifest))
  return [
    property('docker.manifest', tag ?? manifest.digest),
    property('docker.manifest.digest', manifest.digest),
    property('docker.manifest.type', manifest.mediaType),
    property('docker.repoName', of.image),
    ...labels.map(([name, value]) => property(`docker.label.${name}`, value)),
  ]
}

/** Those of the configuration, where the image has that. */
async function labelsOf(
  { blobs, metadata }: ViewStorage,
  of: ImageRef,
  manifest: Manifest,
): Promise<Readonly<Record<string, string>>> {
  const digest = configDigest(manifest)
  const config = digest && (await metadata.findBlobOf(of, manifest.digest, digest))
  if (!config || config.size > maxConfigBytes) return {}
  const bytes = await buffer(await blobs.open(config.digest, undefined))
  return readImageConfig(bytes)?.labels ?? {}
}
