import type { Digest } from '../domain/digest.ts'
import type { Manifest, ManifestContents } from '../domain/manifest.ts'
import type { ImageRef, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { UploadId } from './blob-store.ts'

/** So much later than it was noted a manifest may have been used last: not every pull has to write. */
export const usePrecisionMs = 3_600_000

/**
 * Images of other registries, which need not be here whole: of what a manifest names, some has been fetched. Blobs are linked and found as
 * those of other images are ({@link Images}). Each method is one transaction.
 */
export interface ImageCache {
  /** Keeps the bytes, whatever of `contents` is here, and moves `tag` to them. */
  cacheManifest(of: ImageRef, manifest: Manifest, contents: ManifestContents, tag: Tag | undefined): Promise<void>
  /** When the tag last moved; undefined when there is no such tag. */
  findTagTime(of: ImageRef, tag: Tag): Promise<Date | undefined>
  /** A manifest of the image that names the digest; undefined when none does. */
  findNaming(of: ImageRef, digest: Digest): Promise<Manifest | undefined>
  /** An image of the same repository that has the blob. */
  findHolder(repository: RepositoryKey, digest: Digest): Promise<ImageRef | undefined>
  /** The upload by which the image was getting the blob when that was given up or the process killed. */
  findFetch(of: ImageRef, digest: Digest): Promise<UploadId | undefined>
  /** Removes a tag, or a manifest with its tags, also one that another manifest names: it can be had again. */
  uncacheManifest(of: ImageRef, reference: Reference): Promise<boolean>
  /** The manifest was asked for at that time. */
  noteUse(of: ImageRef, digest: Digest, at: Date): Promise<void>
  /** Removes those, with their tags, that were cached and last asked for before `since`; at most `limit`. Resolves with what they were. */
  removeUnused(
    repository: RepositoryKey,
    since: Date,
    limit: number,
  ): Promise<readonly { readonly of: ImageRef; readonly digest: Digest }[]>
}
