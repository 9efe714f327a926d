import type { Digest } from '../domain/digest.ts'
import type { ImageRef, RepositoryKey } from '../domain/names.ts'

/**
 * What nothing holds any more, found by queues of review: what loses something that held it (a tag, an index, a subject, a manifest, an
 * image) is queued with the time, and looked at when that is long enough ago. What is held then leaves the queue; what is told to
 * somebody in the meantime begins its time anew (`Use`). Each method is one short transaction over at most `limit` reviews.
 *
 * Three kinds, of which each can make the next: a manifest without tag that no index names and whose subject is gone; a blob in an
 * image where no manifest names it; a blob that no image has.
 */
export interface Garbage {
  /** The manifests that {@link Garbage.collectManifests} would remove; the longest unheld first. */
  findUnheldManifests(repository: RepositoryKey, since: Date, limit: number): Promise<readonly UnheldManifest[]>
  /** Removes those that have been unheld since `since` or longer. */
  collectManifests(repository: RepositoryKey, since: Date, limit: number): Promise<Reviewed<UnheldManifest>>

  findUnheldLinks(since: Date, limit: number): Promise<readonly UnheldLink[]>
  /** Takes the blobs from the images. */
  collectLinks(since: Date, limit: number): Promise<Reviewed<UnheldLink>>

  findUnheldBlobs(since: Date, limit: number): Promise<readonly UnheldBlob[]>
  /** Marks them as being deleted. From then on nobody is told that they are there, and nobody can come to have them. */
  condemnBlobs(since: Date, limit: number): Promise<Reviewed<UnheldBlob>>
  /** Marked as being deleted, by now or before a crash. */
  listCondemnedBlobs(limit: number): Promise<readonly Digest[]>
  /** The bytes of condemned blobs are gone, durably. */
  forgetBlobs(digests: readonly Digest[]): Promise<void>
  /** The bytes of a condemned blob could not be deleted: it is kept, and reviewed again later. */
  reprieveBlob(digest: Digest): Promise<void>

  /** Takes a part of what deleted images had. `reviewed` counts what it had to do with; 0 when nothing is left. */
  clearDeletedImages(limit: number): Promise<{ readonly reviewed: number }>

  /** How many reviews wait in each queue. */
  countReviews(): Promise<{ readonly manifests: number; readonly links: number; readonly blobs: number }>
}

/** As many as `limit` reviews: there may be more that are due. */
export interface Reviewed<removed> {
  readonly reviewed: number
  readonly removed: readonly removed[]
}

export interface UnheldManifest {
  readonly of: ImageRef
  readonly digest: Digest
  readonly size: number
  readonly since: Date
}

export interface UnheldLink {
  readonly of: ImageRef
  readonly digest: Digest
  readonly since: Date
}

export interface UnheldBlob {
  readonly digest: Digest
  readonly size: number
  readonly since: Date
}
