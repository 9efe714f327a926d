import type { BlobStore } from '../storage/blob-store.ts'
import type { MetadataStore, UploadOwner } from '../storage/metadata-store.ts'

export interface Storage {
  readonly blobs: BlobStore
  readonly metadata: MetadataStore
}

/**
 * Before the first request: ends what a killed process was in the middle of. An upload of which both the bytes and the row are there
 * goes on; one that had become a blob becomes one; of all others the other half is removed.
 */
export async function recoverUploads({ blobs, metadata }: Storage): Promise<void> {
  const owners = await metadata.listUploadOwners()
  for (const owner of owners)
    if ((await blobs.size(owner.id)) === undefined) await settleUpload({ blobs, metadata }, owner)
  const owned = new Set(owners.map(({ id }) => id))
  for await (const { id } of blobs.listUploads()) if (!owned.has(id)) await blobs.discard(id)
}

/** An upload whose bytes are no longer its own: they are a blob, or gone. */
export async function settleUpload({ blobs, metadata }: Storage, { id, of, expected }: UploadOwner): Promise<void> {
  const blob = expected && (await blobs.stat(expected))
  // What lies there may still be the bytes that were found to be wrong.
  if (!blob || (await metadata.isQuarantined(expected))) return metadata.removeUpload(id)
  // The digest was verified and the caller allowed to push before the bytes came to lie there.
  if (of) return metadata.linkBlob(of, expected, blob.size, { upload: id })
  return metadata.releaseBlob(id, expected, blob.size)
}
