import { RegistryError } from '../domain/errors.ts'
import type { BlobStore, UploadId } from '../storage/blob-store.ts'
import { settleUpload, type Storage } from './upload-recovery.ts'

/** Removes the uploads that nobody has touched since `since`. Resolves with how many there were. */
export async function expireUploads(storage: Storage, since: Date): Promise<number> {
  const { blobs, metadata } = storage
  let expired = 0
  for await (const { id, modifiedAt } of blobs.listUploads()) {
    if (modifiedAt > since || !(await discardUnlessWritten(blobs, id))) continue
    await metadata.removeUpload(id)
    expired += 1
  }
  for (const owner of await metadata.listUploadOwners())
    if (owner.startedAt <= since && (await blobs.size(owner.id)) === undefined) await settleUpload(storage, owner)
  return expired
}

/** False while a request writes to it: however slow that is, the upload is not abandoned. */
async function discardUnlessWritten(blobs: BlobStore, id: UploadId): Promise<boolean> {
  try {
    await blobs.discard(id)
    return true
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'BLOB_UPLOAD_INVALID') return false
    throw error
  }
}
