import type { Digest, DigestAlgorithm } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import type { ImageName } from '../domain/names.ts'
import type { UploadId } from '../domain/upload-id.ts'
import type { PushTarget } from './repository.ts'

/** A blob that comes in at one go, and what it comes to. */
export interface WholeBlob {
  readonly image: ImageName
  /** Name of who brings it; undefined for nobody. */
  readonly principal: string | undefined
  readonly algorithm: DigestAlgorithm
  /** Appends all the bytes to the upload, and resolves with how many there were. */
  readonly append: (upload: UploadId) => Promise<number>
  /** What they are to be. Asked for when all have come. */
  readonly digest: (upload: UploadId) => Promise<Digest>
}

/** Gives the image the blob. Nobody goes on with the upload when that fails, so it ends then. Throws what a push throws. */
export async function bringBlob(
  target: Pick<PushTarget, 'begin' | 'finish' | 'cancel'>,
  { image, principal, algorithm, append, digest }: WholeBlob,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const upload = await target.begin(image, algorithm, principal)
  try {
    const size = await append(upload)
    const brought = await digest(upload)
    await target.finish(image, upload, brought)
    return { digest: brought, size }
  } catch (error) {
    await giveUp(target, image, upload)
    throw error
  }
}

async function giveUp(target: Pick<PushTarget, 'cancel'>, image: ImageName, upload: UploadId): Promise<void> {
  try {
    await target.cancel(image, upload)
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error // it has ended by itself
  }
}
