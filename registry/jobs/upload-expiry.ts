import { RegistryError } from '../domain/errors.ts'
import type { BlobStore, UploadId } from '../storage/blob-store.ts'
import { settleUpload, type QuotaOf, type Storage } from './upload-recovery.ts'

/** Removes the uploads that nobody has touched since `since`. Resolves with how many there were. */
export async function expireUploads(storage: Storage, since: Date, quotaOf: QuotaOf): Promise<number> {
  const { blobs, metadata } = storage
  let expired = 0
  for await (const { id, modifiedAt } of blobs.listUploads()) {
    if (modifiedAt > since || (await discardUnlessUsed(blobs, id)) !== 'discarded') continue
    await metadata.removeUpload(id)
    expired += 1
  }
  for (const { id, startedAt } of await metadata.listUploadOwners()) {
    if (startedAt > since || (await blobs.size(id)) !== undefined) continue
    if ((await discardUnlessUsed(blobs, id)) === 'absent') await settleUpload(storage, id, quotaOf)
  }
  return expired
}

/** However slow a request is that uses it, the upload is not abandoned; and one that is just becoming a blob has no bytes either. */
async function discardUnlessUsed(blobs: BlobStore, id: UploadId): Promise<'discarded' | 'absent' | 'used'> {
  try {
    return (await blobs.discard(id)) ? 'discarded' : 'absent'
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'BLOB_UPLOAD_INVALID') return 'used'
    throw error
  }
}
