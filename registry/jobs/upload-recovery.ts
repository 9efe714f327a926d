import { RegistryError } from '../domain/errors.ts'
import type { RepositoryKey } from '../domain/names.ts'
import type { BlobStore, UploadId } from '../storage/blob-store.ts'
import type { MetadataStore } from '../storage/metadata-store.ts'

export interface Storage {
  readonly blobs: BlobStore
  readonly metadata: MetadataStore
}

/** What the blobs of a repository may have in bytes; undefined: no limit. */
export type QuotaOf = (repository: RepositoryKey) => number | undefined

/**
 * Before the first request: ends what a killed process was in the middle of. An upload of which both the bytes and the row are there
 * goes on; one that had become a blob becomes one; of all others the other half is removed.
 */
export async function recoverUploads(storage: Storage, quotaOf: QuotaOf): Promise<void> {
  const { blobs, metadata } = storage
  const owners = await metadata.listUploadOwners()
  for (const { id } of owners) if ((await blobs.size(id)) === undefined) await settleUpload(storage, id, quotaOf)
  const owned = new Set(owners.map(({ id }) => id))
  for await (const { id } of blobs.listUploads()) if (!owned.has(id)) await blobs.discard(id)
}

/** An upload that no request uses and whose bytes are no longer its own: they are a blob, or gone. */
export async function settleUpload({ blobs, metadata }: Storage, id: UploadId, quotaOf: QuotaOf): Promise<void> {
  const owner = await metadata.findUploadOwner(id)
  if (!owner) return
  const { of, expected } = owner
  const blob = expected && (await blobs.stat(expected))
  // What lies there may still be the bytes that were found to be wrong.
  if (!blob || (await metadata.isQuarantined(expected))) return metadata.removeUpload(id)
  if (!of) return metadata.releaseBlob(id, expected, blob.size)
  try {
    // The digest was verified and the caller allowed to push before the bytes came to lie there.
    await metadata.linkBlob(of, expected, blob.size, { upload: id, maxRepositoryBytes: quotaOf(of.repository) })
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'DENIED') throw error
    await metadata.releaseBlob(id, expected, blob.size)
  }
}
