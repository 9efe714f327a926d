import { algorithmOf, type Digest } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import type { BlobStore, UploadId } from '../../storage/blob-store.ts'
import type { ImageCache } from '../../storage/image-cache.ts'
import type { ImageRef, Images, UploadOwners } from '../../storage/metadata-store.ts'
import { finishUpload } from '../kept-blobs.ts'

export interface FetchStorage {
  readonly blobs: BlobStore
  readonly metadata: Images & UploadOwners & ImageCache
}

/** What is to be fetched, and which image is to have it. */
export interface Wanted {
  readonly of: ImageRef
  readonly digest: Digest
}

/** The upload by which a blob of another registry comes in. Until it is disposed of, it is not taken for abandoned. */
export class FetchedUpload implements Disposable {
  readonly id: UploadId
  readonly #storage: FetchStorage
  readonly #wanted: Wanted
  readonly #hold: Disposable
  #size = 0

  private constructor(storage: FetchStorage, wanted: Wanted, id: UploadId) {
    this.#storage = storage
    this.#wanted = wanted
    this.id = id
    this.#hold = storage.blobs.hold(id)
  }

  static async begin(storage: FetchStorage, wanted: Wanted): Promise<FetchedUpload> {
    const { of, digest } = wanted
    const id = await storage.blobs.begin(algorithmOf(digest))
    const upload = new FetchedUpload(storage, wanted, id)
    try {
      await storage.metadata.addUpload(of, id, { fetches: digest })
    } catch (error) {
      await upload.discard()
      throw error
    }
    return upload
  }

  /** One that was given up, now or by a process that has been killed. Undefined when there is none to go on with. */
  static async find(storage: FetchStorage, wanted: Wanted): Promise<FetchedUpload | undefined> {
    const id = await storage.metadata.findFetch(wanted.of, wanted.digest)
    if (id === undefined) return undefined
    const upload = holdUnlessUsed(() => new FetchedUpload(storage, wanted, id))
    if (!upload || (await upload.#measure())) return upload
    upload[Symbol.dispose]() // it has become a blob or is gone, which its expiry settles
    return undefined
  }

  /** Bytes received so far. */
  get size(): number {
    return this.#size
  }

  async append(bytes: AsyncIterable<Uint8Array>, tell: (size: number) => void): Promise<void> {
    try {
      await this.#storage.blobs.append(this.id, this.#size, bytes, tell)
    } finally {
      await this.#measure()
    }
  }

  /** The image has the blob then. Throws DIGEST_INVALID, and the upload goes on. `tell` is called when it turns out to be right. */
  async finish(tell?: () => void): Promise<void> {
    const { of, digest } = this.#wanted
    await finishUpload(this.#storage, of, this.id, digest, { ...(tell && { tell }) })
  }

  /** Disposes of it too. */
  async discard(): Promise<void> {
    this[Symbol.dispose]()
    // One that has become a blob already stays known, so that recovery finds the blob.
    if (await this.#storage.blobs.discard(this.id)) await this.#storage.metadata.removeUpload(this.id)
  }

  [Symbol.dispose](): void {
    this.#hold[Symbol.dispose]()
  }

  async #measure(): Promise<boolean> {
    const size = await this.#storage.blobs.size(this.id)
    this.#size = size ?? 0
    return size !== undefined
  }
}

/** It is just being removed, when it is used: nobody else goes on with it. */
function holdUnlessUsed(hold: () => FetchedUpload): FetchedUpload | undefined {
  try {
    return hold()
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'BLOB_UPLOAD_INVALID') return undefined
    throw error
  }
}
