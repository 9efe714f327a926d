import type { Digest } from '../domain/digest.ts'
import type { ImageName, ImageRef, MayTake, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { Referrer } from '../domain/referrer.ts'
import type { Manifest, ManifestContents } from '../domain/manifest.ts'
import type { UploadId } from './blob-store.ts'
import type { AccessStore } from './access-store.ts'
import type { Garbage } from './garbage.ts'
import type { ImageCache } from './image-cache.ts'
import type { ImageSearch } from './image-search.ts'
import type { Integrity } from './integrity.ts'
import type { LayerContents } from './layer-contents.ts'
import type { Properties } from './properties.ts'
import type { StoredItems } from './stored-items.ts'
import type { V1Images } from './v1-images.ts'

export type { ImageRef, MayTake }

/** `next` is the last item of this page when there are more, to be passed as `after`. */
export interface Page<item> {
  readonly items: readonly item[]
  readonly next: item | undefined
}

/**
 * What a lookup is for. To `rely` on it: somebody is told that it is there, and garbage collection leaves it alone for its whole
 * time of grace from now on.
 */
export type Use = 'read' | 'rely'

export interface ReferrerQuery {
  readonly subject: Digest
  readonly artifactType: string | undefined
  readonly after: Digest | undefined
  readonly limit: number
}

export interface LinkOptions {
  /** The upload that has become the blob; it ends with this. Throws BLOB_UPLOAD_UNKNOWN when it has ended. */
  readonly upload?: UploadId | undefined
  /** Throws DENIED, with the numbers, when the repository would then have more than so many bytes in blobs. */
  readonly maxRepositoryBytes?: number | undefined
}

export interface UploadOptions {
  /** Name of who begins it. */
  readonly principal?: string | undefined
  /** Throws TOOMANYREQUESTS, with the numbers, when the principal has begun so many that have not ended. */
  readonly maxUploads?: number | undefined
  /** The blob of another registry that comes in by it; see {@link ImageCache.findFetch}. */
  readonly fetches?: Digest | undefined
  /** Throws DENIED, with the numbers, when the repository has so many bytes in blobs already. */
  readonly maxRepositoryBytes?: number | undefined
}

/** What refers to what. Each method is one transaction. */
export interface Images {
  findManifest(of: ImageRef, reference: Reference, use?: Use): Promise<Manifest | undefined>
  /**
   * Keeps the bytes, moves `tags` to them and records what `contents` names, all or nothing, durably. Throws
   * MANIFEST_BLOB_UNKNOWN, with the missing digests in its detail, when the image has not all that the manifest requires;
   * TAG_FIXED for a tag that is on another manifest and may not be taken from it.
   */
  putManifest(
    of: ImageRef,
    manifest: Manifest,
    contents: ManifestContents,
    tags: readonly Tag[],
    mayTake?: MayTake,
  ): Promise<void>
  /**
   * Removes a tag alone, or a manifest with all tags on it. Throws DENIED while another manifest of the image names it, TAG_FIXED when
   * one of the tags may not be taken from it.
   */
  deleteManifest(of: ImageRef, reference: Reference, mayTake?: MayTake): Promise<boolean>
  /** Whether it has anything: manifests, blobs, or an upload that has begun. */
  hasImage(of: ImageRef): Promise<boolean>
  /**
   * False when there was no such image. Nothing of it is there any more when this resolves; its space comes back later. Throws
   * TAG_FIXED when one of its tags may not be taken; asking that costs what it has of them.
   */
  deleteImage(of: ImageRef, mayTake?: MayTake): Promise<boolean>
  /** All images of the repository, or none. Resolves with how many there were. */
  deleteImages(repository: RepositoryKey, mayTake?: (image: ImageName) => MayTake): Promise<number>
  /** Undefined when there is no such image. In byte order. */
  listTags(of: ImageRef, after: string | undefined, limit: number): Promise<Page<Tag> | undefined>
  /**
   * Tags that hold the manifest or blob: those on it, and those on what names it or is its subject, however far away. Costs what the
   * image has of these.
   */
  tagsHolding(of: ImageRef, digest: Digest): Promise<readonly Tag[]>
  /** Images that have a manifest, in byte order. */
  listImages(repository: RepositoryKey, after: string | undefined, limit: number): Promise<Page<ImageName>>
  /** In the order of their digests; `next` is a digest. */
  listReferrers(of: ImageRef, query: ReferrerQuery): Promise<{ items: readonly Referrer[]; next: Digest | undefined }>
  /** Records that the image has this blob. Its bytes must be durable already (invariant 1). */
  linkBlob(of: ImageRef, digest: Digest, size: number, options?: LinkOptions): Promise<void>
  /** Gives the image the blob that another one has. False when `from` has none. */
  mountBlob(of: ImageRef, digest: Digest, from: ImageRef, options?: LinkOptions): Promise<boolean>
  /** Size of the blob, undefined unless the image has it. */
  findBlob(of: ImageRef, digest: Digest, use?: Use): Promise<{ readonly size: number } | undefined>
  /** Images that have the blob, in no particular order. */
  imagesWithBlob(digest: Digest, limit: number): Promise<readonly ImageRef[]>
  /** False when the image has no such blob. Throws DENIED while a manifest of the image names it. */
  unlinkBlob(of: ImageRef, digest: Digest): Promise<boolean>
  /** Bytes of the blobs that the repository's images have, each counted once. */
  repositoryBytes(repository: RepositoryKey): Promise<number>
}

/** Which image an upload belongs to, and what it is about to become. */
export interface UploadOwners {
  addUpload(of: ImageRef, id: UploadId, options?: UploadOptions): Promise<void>
  ownsUpload(of: ImageRef, id: UploadId): Promise<boolean>
  /**
   * The upload is about to become this blob, whose bytes it has: from now on garbage collection leaves the blob alone until the
   * upload is removed. False while the blob's bytes are being deleted: to be asked again. Throws BLOB_UPLOAD_UNKNOWN.
   */
  expectBlob(id: UploadId, digest: Digest): Promise<boolean>
  removeUpload(id: UploadId): Promise<void>
  /** The upload has become a blob that no image is to have: it ends, and the blob is garbage. Throws BLOB_UPLOAD_UNKNOWN. */
  releaseBlob(id: UploadId, digest: Digest, size: number): Promise<void>
  /** Those that have not ended. */
  countUploads(principal: string): Promise<number>
  listUploadOwners(): Promise<readonly UploadOwner[]>
  /** Undefined when it has ended. */
  findUploadOwner(id: UploadId): Promise<UploadOwner | undefined>
}

export interface UploadOwner {
  readonly id: UploadId
  /** Undefined when the image has been deleted. */
  readonly of: ImageRef | undefined
  readonly startedAt: Date
  readonly expected: Digest | undefined
}

export type MetadataStore = Images &
  LayerContents &
  UploadOwners &
  ImageCache &
  Properties &
  ImageSearch &
  StoredItems &
  V1Images &
  Garbage &
  Integrity &
  AccessStore &
  AsyncDisposable
