import type { ImageName, ImageRef, RepositoryKey, Tag } from '../../domain/names.ts'
import { imageUnknown, type V1ImageId } from '../../domain/v1-image.ts'
import type { BlobStore } from '../../storage/blob-store.ts'
import type { KeptV1Image, V1Images } from '../../storage/v1-images.ts'
import { blobOf } from '../kept-blobs.ts'
import type { BlobHandle } from '../repository.ts'
import type { LocalRepository } from './local-repository.ts'
import { V1Pushes } from './v1-pushes.ts'
import type { V1Reader } from './v1-reader.ts'

export type { KeptV1Image }

/** A local repository by the V1 API, in which images have ids of their own. What an image name has of them are its manifests. */
export class V1Repository {
  readonly local: LocalRepository
  readonly pushes: V1Pushes
  readonly #blobs: BlobStore
  readonly #metadata: V1Images

  constructor(local: LocalRepository, storage: { readonly blobs: BlobStore; readonly metadata: V1Images }) {
    this.local = local
    this.pushes = new V1Pushes(local, storage)
    this.#blobs = storage.blobs
    this.#metadata = storage.metadata
  }

  get key(): RepositoryKey {
    return this.local.key
  }

  /** The image, in an image name where the reader may see it. One whose layer is lost is not there: who pushes it sends it again. */
  async find(id: V1ImageId, reader: V1Reader): Promise<KeptV1Image | undefined> {
    for (const kept of await this.#metadata.findV1Images(this.key, id))
      if (!kept.isLost && (await reader.mayRead(kept.of.image, kept.digest))) return kept
    return undefined
  }

  /** As it was pushed, byte for byte. Throws MANIFEST_UNKNOWN when the image has gone meanwhile. */
  async json({ of, id, digest }: KeptV1Image): Promise<Uint8Array> {
    const manifest = await this.local.manifest(of.image, { digest })
    if (!manifest) throw imageUnknown(id)
    return manifest.bytes
  }

  /** The image itself first, the base image last. */
  async ancestry({ of, id }: KeptV1Image): Promise<readonly KeptV1Image[]> {
    return this.#metadata.v1Ancestry(of, id)
  }

  layer({ layer }: KeptV1Image): BlobHandle {
    return blobOf(this.#blobs, layer.digest, layer.size)
  }

  async tag(image: ImageName, tag: Tag): Promise<V1ImageId | undefined> {
    return this.#metadata.findV1Tag(this.#of(image), tag)
  }

  async tags(image: ImageName): Promise<readonly { readonly tag: Tag; readonly id: V1ImageId }[]> {
    return this.#metadata.listV1Tags(this.#of(image))
  }

  async images(image: ImageName, after: V1ImageId | undefined, limit: number): Promise<readonly KeptV1Image[]> {
    return this.#metadata.listV1Images(this.#of(image), after, limit)
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.key, image }
  }
}
