import type { Readable } from 'node:stream'
import type { Digest, DigestAlgorithm } from '../domain/digest.ts'
import { RegistryError } from '../domain/errors.ts'
import { parseManifest, type Manifest } from '../domain/manifest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { BlobStore, UploadId } from '../storage/blob-store.ts'
import type { ImageRef, Images, Page, UploadOwners } from '../storage/metadata-store.ts'
import type { BlobHandle, PushTarget, Repository } from './repository.ts'

/** What a local repository stands on. Both are shared by all of them. */
export interface Storage {
  readonly blobs: BlobStore
  readonly metadata: Images & UploadOwners
}

/** Hosts images. Bytes before names: a blob is durable before the image is said to have it. */
export class LocalRepository implements Repository, PushTarget {
  readonly key: RepositoryKey
  readonly kind = 'local'
  readonly #blobs: BlobStore
  readonly #metadata: Images & UploadOwners

  constructor(key: RepositoryKey, { blobs, metadata }: Storage) {
    this.key = key
    this.#blobs = blobs
    this.#metadata = metadata
  }

  get pushTarget(): PushTarget {
    return this
  }

  async manifest(image: ImageName, reference: Reference): Promise<Manifest | undefined> {
    return this.#metadata.findManifest(this.#of(image), reference)
  }

  /** Bytes are shared, access is not: what the image is not linked to is not there, whoever else has it. */
  async blob(image: ImageName, digest: Digest): Promise<BlobHandle | undefined> {
    const found = await this.#metadata.findBlob(this.#of(image), digest)
    return found && this.#handle(digest, found.size)
  }

  async tags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined> {
    return this.#metadata.listTags(this.#of(image), after, limit)
  }

  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    return this.#metadata.listImages(this.key, after, limit)
  }

  async putManifest(image: ImageName, manifest: Manifest, tags: readonly Tag[]): Promise<void> {
    const contents = parseManifest(manifest.mediaType, manifest.bytes)
    await this.#metadata.putManifest(this.#of(image), manifest, contents, tags)
  }

  async deleteManifest(image: ImageName, reference: Reference): Promise<boolean> {
    return this.#metadata.deleteManifest(this.#of(image), reference)
  }

  async deleteBlob(image: ImageName, digest: Digest): Promise<boolean> {
    return this.#metadata.unlinkBlob(this.#of(image), digest)
  }

  async mount(image: ImageName, digest: Digest, from: ImageRef): Promise<boolean> {
    const linked = await this.#metadata.findBlob(from, digest)
    const kept = linked && (await this.#blobs.stat(digest))
    if (!kept) return false
    await this.#metadata.linkBlob(this.#of(image), digest, kept.size)
    return true
  }

  async begin(image: ImageName, algorithm: DigestAlgorithm): Promise<UploadId> {
    const id = await this.#blobs.begin(algorithm)
    try {
      await this.#metadata.addUpload(this.#of(image), id)
    } catch (error) {
      await this.#blobs.discard(id)
      throw error
    }
    return id
  }

  async received(image: ImageName, id: UploadId): Promise<number> {
    await this.#own(image, id)
    const size = await this.#blobs.size(id)
    if (size === undefined) throw uploadUnknown(id)
    return size
  }

  async append(image: ImageName, id: UploadId, offset: number, bytes: Readable): Promise<number> {
    await this.#own(image, id)
    return this.#blobs.append(id, offset, bytes)
  }

  async finish(image: ImageName, id: UploadId, expected: Digest): Promise<void> {
    await this.#own(image, id)
    const { size } = await this.#blobs.commit(id, expected)
    await this.#metadata.linkBlob(this.#of(image), expected, size)
    await this.#metadata.removeUpload(id)
  }

  async cancel(image: ImageName, id: UploadId): Promise<void> {
    await this.#own(image, id)
    const discarded = await this.#blobs.discard(id)
    await this.#metadata.removeUpload(id)
    if (!discarded) throw uploadUnknown(id)
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.key, image }
  }

  /** An upload's id opens nothing by itself: who may push to one image must not write to another's. */
  async #own(image: ImageName, id: UploadId): Promise<void> {
    if (!(await this.#metadata.ownsUpload(this.#of(image), id))) throw uploadUnknown(id)
  }

  #handle(digest: Digest, size: number): BlobHandle {
    return { size, open: (range) => this.#blobs.open(digest, range), path: () => this.#blobs.path(digest) }
  }
}

function uploadUnknown(id: UploadId): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id } })
}
