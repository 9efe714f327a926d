import type { Digest } from '../domain/digest.ts'
import type { Manifest } from '../domain/manifest.ts'
import type { ImageRef, Reference, RepositoryKey } from '../domain/names.ts'
import type { V1ImageId } from '../domain/v1-image.ts'

export interface StoredManifest extends Manifest {
  readonly pushedAt: Date
  /** Whether it is to be found by its digest alone: no tag is on it, or an index names it. */
  readonly standsAlone: boolean
}

export interface HeldBlob {
  readonly digest: Digest
  readonly size: number
}

/** What of an image is there, for those who show it piece by piece. */
export interface StoredItems {
  findStoredManifest(of: ImageRef, reference: Reference): Promise<StoredManifest | undefined>
  /** Blobs that the manifest names, as far as the image has them, in the order of their digests. */
  listBlobsOf(of: ImageRef, manifest: Digest, after: Digest | undefined, limit: number): Promise<readonly HeldBlob[]>
  /** Undefined unless the manifest names the blob and the image has it. */
  findBlobOf(of: ImageRef, manifest: Digest, blob: Digest): Promise<HeldBlob | undefined>
  /** Those that stand alone, among the `limit` manifests that come after `after` in the order of their digests. */
  listStandingAlone(
    of: ImageRef,
    after: Digest | undefined,
    limit: number,
  ): Promise<{ readonly items: readonly Digest[]; readonly next: Digest | undefined }>
  /** The first id of a V1 image that comes after the text, in any image name of the repository. */
  nextV1Image(repository: RepositoryKey, after: string): Promise<V1ImageId | undefined>
}
