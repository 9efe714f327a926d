import type { Digest } from '../domain/digest.ts'
import type { ImageRef, Tag } from '../domain/names.ts'
import type { Manifest } from '../domain/manifest.ts'

/** `quarantined`: its bytes are wrong or gone. It is no longer there for anybody, until it is pushed again. */
export type Judgement = 'kept' | 'quarantined'

export interface StoredBlob {
  readonly digest: Digest
  readonly size: number
  readonly state: Judgement
}

/** A place in an image where a blob is missed. */
export interface BlobHolder {
  readonly of: ImageRef
  /** The manifests that cannot be pulled whole without it, and indexes of those; none when the image has the blob alone. */
  readonly manifests: readonly { readonly digest: Digest; readonly tags: readonly Tag[] }[]
}

/** A manifest where it is kept; `place` is to be passed as `after`. */
export interface PlacedManifest {
  readonly of: ImageRef
  readonly manifest: Manifest
  readonly place: { readonly imageId: number; readonly digest: Digest }
}

/** What is known of the bytes that are kept, for those who look whether they are still right. Each method is one transaction. */
export interface Integrity {
  /** In the order of their digests, without those that are being deleted. */
  listStoredBlobs(after: Digest | undefined, limit: number): Promise<readonly StoredBlob[]>
  /** Whether there is such a blob, or an upload is about to become it. */
  isBlobKnown(digest: Digest): Promise<boolean>
  isQuarantined(digest: Digest): Promise<boolean>
  /**
   * Runs `judge` while nobody else can change anything, so it must be quick; what it resolves with is the blob's state from then
   * on, undefined changes nothing. `expected`: an upload is about to become the blob, and may at any moment. False, and `judge`
   * does not run, when there is no such blob or it is being deleted.
   */
  judgeBlob(
    digest: Digest,
    judge: (blob: { readonly state: Judgement; readonly expected: boolean }) => Promise<Judgement | undefined>,
  ): Promise<boolean>
  listHolders(digest: Digest): Promise<readonly BlobHolder[]>
  /** All manifests, in the order of their places. */
  listPlacedManifests(after: PlacedManifest['place'] | undefined, limit: number): Promise<readonly PlacedManifest[]>
}
