import type { Digest } from '../../domain/digest.ts'
import type { ImageName, ImageRef, Reference, RepositoryKey } from '../../domain/names.ts'
import type { ImageCache } from '../../storage/image-cache.ts'
import type { Images } from '../../storage/metadata-store.ts'
import type { Removal } from '../repository.ts'

/** Takes away what is cached. It is had again when somebody asks for it. */
export class CacheRemoval implements Removal {
  readonly #repository: RepositoryKey
  readonly #metadata: Images & ImageCache
  /** The name that is kept for an image. */
  readonly #kept: (image: ImageName) => ImageName

  constructor(repository: RepositoryKey, metadata: Images & ImageCache, kept: (image: ImageName) => ImageName) {
    this.#repository = repository
    this.#metadata = metadata
    this.#kept = kept
  }

  async deleteManifest(image: ImageName, reference: Reference): Promise<boolean> {
    return this.#metadata.uncacheManifest(this.#of(image), reference)
  }

  async deleteBlob(image: ImageName, digest: Digest): Promise<boolean> {
    return this.#metadata.unlinkBlob(this.#of(image), digest)
  }

  async hasManifest(image: ImageName, reference: Reference): Promise<boolean> {
    return (await this.#metadata.findManifest(this.#of(image), reference)) !== undefined
  }

  async hasImage(image: ImageName): Promise<boolean> {
    return this.#metadata.hasImage(this.#of(image))
  }

  async deleteImage(image: ImageName): Promise<boolean> {
    return this.#metadata.deleteImage(this.#of(image))
  }

  async deleteImages(): Promise<number> {
    return this.#metadata.deleteImages(this.#repository)
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.#repository, image: this.#kept(image) }
  }
}
