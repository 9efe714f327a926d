import { hash } from 'node:crypto'
import type { Digest } from '../../domain/digest.ts'
import type { ImageRef } from '../../domain/names.ts'
import { memoryCache } from '../../storage/memory-cache.ts'

/**
 * Which blobs and manifests who may push to a part of an image has sent to it: these are no secret to them, though what others keep in
 * the same image may have the same bytes.
 */
export interface ShownContent {
  /** `by`: undefined for anonymous. */
  note(by: string | undefined, of: ImageRef, digest: Digest): Promise<void>
  has(by: string | undefined, of: ImageRef, digest: Digest): Promise<boolean>
}

const maxRemembered = 50_000
/** From the first blob of a push to its manifest. */
const rememberMs = 24 * 60 * 60_000

/** Of this process. Whoever is not known any more sends the bytes again. */
export function openShownContent(): ShownContent {
  const shown = memoryCache<true>(maxRemembered)
  const keyOf = (by: string | undefined, { repository, image }: ImageRef, digest: Digest): string =>
    hash('sha256', JSON.stringify([by, repository, image, digest]), 'base64')
  return {
    async note(by, of, digest) {
      await shown.set(keyOf(by, of, digest), true, rememberMs)
    },
    has: async (by, of, digest) => (await shown.get(keyOf(by, of, digest))) === true,
  }
}
