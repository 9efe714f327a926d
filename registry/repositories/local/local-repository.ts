import { Readable } from 'node:stream'
import type { AntPattern } from '../../domain/ant-pattern.ts'
import type { Digest, DigestAlgorithm } from '../../domain/digest.ts'
import { RegistryError } from '../../domain/errors.ts'
import { isSchema1, parseManifest, type Manifest, type ManifestContents } from '../../domain/manifest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../../domain/names.ts'
import { describeReferrer } from '../../domain/referrer.ts'
import { emptyLayer, emptyLayerDigest } from '../../domain/schema1/empty-layer.ts'
import type { BlobStore, UploadId } from '../../storage/blob-store.ts'
import type { ImageCache } from '../../storage/image-cache.ts'
import type { ImageRef, Images, MayTake, Page, ReferrerQuery, UploadOwners } from '../../storage/metadata-store.ts'
import { blobOf, finishUpload } from '../kept-blobs.ts'
import { bringBlob } from '../whole-blob.ts'
import { ImmutableTags } from './immutable-tags.ts'
import { checkSchema1 } from './pushed-schema1.ts'
import type { BlobHandle, Lookup, PushRights, PushTarget, ReferrerPage, Removal, Repository } from '../repository.ts'

/** A base layer may be in thousands of images; one that the caller may read is hardly behind all of these. */
const maxMountSources = 200

type LocalMetadata = Images & UploadOwners & Pick<ImageCache, 'findTagTime'>

/** What a local repository stands on. Both are shared by all of them. */
export interface Storage {
  readonly blobs: BlobStore
  readonly metadata: LocalMetadata
}

/** Undefined: no limit. */
export interface LocalLimits {
  /** Of the blobs that all its images have, each counted once. */
  readonly quotaBytes?: number | undefined
  /** Unfinished ones, in all repositories together. */
  readonly uploadsPerUser?: number | undefined
  /** Tags that are neither moved nor deleted once they are there. */
  readonly immutableTags?: AntPattern | undefined
  /** Image manifests of schema 1 are refused. */
  readonly blockPushingSchema1?: boolean | undefined
}

/** Hosts images. Bytes before names: a blob is durable before the image is said to have it. */
export class LocalRepository implements Repository, PushTarget, Removal {
  readonly key: RepositoryKey
  readonly kind = 'local'
  readonly #blobs: BlobStore
  readonly #metadata: LocalMetadata
  readonly #limits: LocalLimits
  readonly #immutable: ImmutableTags | undefined

  constructor(key: RepositoryKey, { blobs, metadata }: Storage, limits: LocalLimits = {}) {
    this.key = key
    this.#blobs = blobs
    this.#metadata = metadata
    this.#limits = limits
    this.#immutable = limits.immutableTags && new ImmutableTags(key, limits.immutableTags)
  }

  get pushTarget(): PushTarget {
    return this
  }

  get removal(): Removal {
    return this
  }

  seenBy(): Repository {
    return this
  }

  async manifest(image: ImageName, reference: Reference, { use }: Lookup = {}): Promise<Manifest | undefined> {
    return this.#metadata.findManifest(this.#of(image), reference, use)
  }

  /** Bytes are shared, access is not: what the image is not linked to is not there, whoever else has it. */
  async blob(image: ImageName, digest: Digest, { use }: Lookup = {}): Promise<BlobHandle | undefined> {
    const found = await this.#metadata.findBlob(this.#of(image), digest, use)
    return found && blobOf(this.#blobs, digest, found.size)
  }

  async tagTime(image: ImageName, tag: Tag): Promise<Date | undefined> {
    return this.#metadata.findTagTime(this.#of(image), tag)
  }

  async tags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined> {
    return this.#metadata.listTags(this.#of(image), after, limit)
  }

  async images(after: string | undefined, limit: number): Promise<Page<ImageName>> {
    return this.#metadata.listImages(this.key, after, limit)
  }

  async referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage> {
    const { items, next } = await this.#metadata.listReferrers(this.#of(image), query)
    return { items: items.map(describeReferrer), next }
  }

  async holders(image: ImageName): Promise<readonly ImageRef[]> {
    return [this.#of(image)]
  }

  async tagsHolding(image: ImageName, digest: Digest) {
    return this.#metadata.tagsHolding(this.#of(image), digest)
  }

  async putManifest(
    image: ImageName,
    manifest: Manifest,
    tags: readonly Tag[],
    { mayTake = always, mayName }: PushRights = {},
  ): Promise<ManifestContents> {
    if (isSchema1(manifest.mediaType, manifest.bytes)) this.#checkSchema1(manifest)
    const contents = parseManifest(manifest.mediaType, manifest.bytes)
    const named = [...contents.blobs, ...contents.entries]
    if (mayName)
      await refuseHidden(
        named.filter((digest) => digest !== emptyLayerDigest),
        mayName,
      )
    if (contents.blobs.includes(emptyLayerDigest)) await this.#keepEmptyLayer(image)
    await this.keepingImmutable(image, mayTake, (mayTake) =>
      this.#metadata.putManifest(this.#of(image), manifest, contents, tags, mayTake),
    )
    return contents
  }

  /** Docker 1.8 and 1.9 are told that it is there before they pull it, and would not push it then. */
  async #keepEmptyLayer(image: ImageName): Promise<void> {
    if (await this.blob(image, emptyLayerDigest, { use: 'rely' })) return
    await bringBlob(this, {
      image,
      principal: undefined,
      algorithm: 'sha256',
      append: (upload) => this.append(image, upload, 0, Readable.from([emptyLayer])),
      digest: async () => emptyLayerDigest,
    })
  }

  async deleteManifest(image: ImageName, reference: Reference, mayTake: MayTake = always): Promise<boolean> {
    return this.keepingImmutable(image, mayTake, (mayTake) =>
      this.#metadata.deleteManifest(this.#of(image), reference, mayTake),
    )
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
    // Without such tags none needs looking at.
    if (!this.#immutable) return this.#metadata.deleteImage(this.#of(image))
    return this.#immutable.keep(image, always, (mayTake) => this.#metadata.deleteImage(this.#of(image), mayTake))
  }

  async deleteImages(): Promise<number> {
    if (!this.#immutable) return this.#metadata.deleteImages(this.key)
    return this.#immutable.keepAll((mayTake) => this.#metadata.deleteImages(this.key, mayTake))
  }

  async mount(image: ImageName, digest: Digest, from: ImageRef): Promise<boolean> {
    if (!(await this.#blobs.stat(digest))) return false
    return this.#metadata.mountBlob(this.#of(image), digest, from, { maxRepositoryBytes: this.#limits.quotaBytes })
  }

  async mountSources(digest: Digest): Promise<readonly ImageRef[]> {
    return this.#metadata.imagesWithBlob(digest, maxMountSources)
  }

  async admit(bytes: number): Promise<void> {
    return this.#blobs.admit(bytes)
  }

  async begin(image: ImageName, algorithm: DigestAlgorithm, principal?: string): Promise<UploadId> {
    const { uploadsPerUser: maxUploads, quotaBytes: maxRepositoryBytes } = this.#limits
    await this.admit(0)
    const id = await this.#blobs.begin(algorithm)
    try {
      await this.#metadata.addUpload(this.#of(image), id, { principal, maxUploads, maxRepositoryBytes })
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

  async append(image: ImageName, id: UploadId, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<number> {
    await this.#own(image, id)
    return this.#blobs.append(id, offset, bytes)
  }

  async finish(image: ImageName, id: UploadId, expected: Digest): Promise<void> {
    await this.#own(image, id)
    const maxRepositoryBytes = this.#limits.quotaBytes
    await finishUpload({ blobs: this.#blobs, metadata: this.#metadata }, this.#of(image), id, expected, {
      maxRepositoryBytes,
    })
  }

  async cancel(image: ImageName, id: UploadId): Promise<void> {
    await this.#own(image, id)
    // One that has become a blob already stays known, so that recovery finds the blob.
    if (!(await this.#blobs.discard(id))) throw uploadUnknown(id)
    await this.#metadata.removeUpload(id)
  }

  /** For what may move or take a tag. */
  async keepingImmutable<result>(
    image: ImageName,
    mayTake: MayTake,
    change: (mayTake: MayTake) => Promise<result>,
  ): Promise<result> {
    return this.#immutable ? this.#immutable.keep(image, mayTake, change) : change(mayTake)
  }

  #checkSchema1(manifest: Manifest): void {
    if (!this.#limits.blockPushingSchema1) return checkSchema1(manifest)
    const message = `${this.key} takes no image manifests of schema 1 (blockPushingSchema1): expected Docker schema 2 or an OCI manifest`
    throw new RegistryError('MANIFEST_INVALID', { message })
  }

  #of(image: ImageName): ImageRef {
    return { repository: this.key, image }
  }

  /** An upload's id opens nothing by itself: who may push to one image must not write to another's. */
  async #own(image: ImageName, id: UploadId): Promise<void> {
    if (!(await this.#metadata.ownsUpload(this.#of(image), id))) throw uploadUnknown(id)
  }
}

function always(): boolean {
  return true
}

async function refuseHidden(named: readonly Digest[], mayName: (digest: Digest) => Promise<boolean>): Promise<void> {
  const missing: Digest[] = []
  for (const digest of new Set(named)) if (!(await mayName(digest))) missing.push(digest)
  if (missing.length > 0) throw new RegistryError('MANIFEST_BLOB_UNKNOWN', { detail: { missing: missing.sort() } })
}

function uploadUnknown(id: UploadId): RegistryError {
  return new RegistryError('BLOB_UPLOAD_UNKNOWN', { detail: { upload: id } })
}
