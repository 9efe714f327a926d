import { setTimeout } from 'node:timers/promises'
import type { Digest } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { Blobs, BlobStore, UploadId } from '../storage/blob-store.ts'
import type { ImageRef, Images, LinkOptions, UploadOwners } from '../storage/metadata-store.ts'
import type { BlobHandle } from './repository.ts'

const deletionCheckMs = 50
const deletionChecks = 100

/** A blob that is kept. */
export function blobOf(blobs: Blobs, digest: Digest, size: number): BlobHandle {
  return { size, open: (range) => blobs.open(digest, range), path: () => blobs.path(digest) }
}

interface Storage {
  readonly blobs: BlobStore
  readonly metadata: Images & UploadOwners
}

interface FinishOptions extends Pick<LinkOptions, 'maxRepositoryBytes'> {
  /** Called as soon as the bytes have turned out to be right. */
  readonly tell?: () => void
}

/**
 * The bytes that have come in become a blob that the image has: bytes before names. Throws DIGEST_INVALID, and the upload goes on; DENIED
 * when that is beyond `maxRepositoryBytes`, and it has ended.
 */
export async function finishUpload(
  { blobs, metadata }: Storage,
  of: ImageRef,
  id: UploadId,
  expected: Digest,
  { maxRepositoryBytes, tell }: FinishOptions = {},
): Promise<void> {
  using verified = await blobs.verify(id, expected, tell)
  await expectBlob(metadata, id, expected)
  await verified.place()
  try {
    await metadata.linkBlob(of, expected, verified.size, { maxRepositoryBytes, upload: id })
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'DENIED')
      await metadata.releaseBlob(id, expected, verified.size)
    throw error
  }
}

/**
 * From here on garbage collection leaves the blob alone; if it is just deleting the same one, that is a matter of moments. Whoever
 * finds the upload gone and the blob there later takes one for the other: so the bytes have been verified before.
 */
async function expectBlob(metadata: UploadOwners, id: UploadId, digest: Digest): Promise<void> {
  for (let attempt = 0; attempt < deletionChecks; attempt++) {
    if (await metadata.expectBlob(id, digest)) return
    await setTimeout(deletionCheckMs)
  }
  throw new RegistryError('UNAVAILABLE', { message: 'the blob is just being deleted: try again', detail: { digest } })
}
