import type { Digest } from '../domain/digest.ts'

/** Where the bytes of blobs go that turned out to be wrong. */
export interface Quarantine {
  /** Another text after the blob has been committed again; undefined when there is no such blob. */
  version(digest: Digest): Promise<string | undefined>
  /** Takes the bytes away from the blob, durably, and keeps them where a person can look at them. False when there are none, or they
   * have to stay where they are. */
  putAside(digest: Digest): Promise<boolean>
}
