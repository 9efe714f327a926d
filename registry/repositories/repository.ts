import type { Readable } from 'node:stream'
import type { ByteRange } from '../../wire/byte-range.ts'
import type { Digest, DigestAlgorithm } from '../domain/digest.ts'
import type { Manifest, ManifestContents } from '../domain/manifest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { Referrer } from '../domain/referrer.ts'
import type { UploadId } from '../storage/blob-store.ts'
import type { ImageRef, MayTake, Page, ReferrerQuery, Use } from '../storage/metadata-store.ts'

export interface BlobHandle {
  readonly size: number
  open(range: ByteRange | undefined): Promise<Readable>
  /** Absolute path of a local file with the bytes, for a gateway that can send it itself. */
  path(): string | undefined
}

/** The one interface that http/ knows. Absence is undefined; a refusal is a RegistryError. */
export interface Repository {
  readonly key: RepositoryKey
  readonly kind: 'local' | 'remote' | 'virtual'
  /** local: itself. virtual: its local member for deployment. remote: none. */
  readonly pushTarget: PushTarget | undefined
  manifest(image: ImageName, reference: Reference, use?: Use): Promise<Manifest | undefined>
  blob(image: ImageName, digest: Digest, use?: Use): Promise<BlobHandle | undefined>
  tags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined>
  images(after: string | undefined, limit: number): Promise<Page<ImageName>>
  /** Tags that the manifest or blob can be come to by. */
  tagsHolding(image: ImageName, digest: Digest): Promise<readonly Tag[]>
  referrers(
    image: ImageName,
    query: ReferrerQuery,
  ): Promise<{ readonly items: readonly Referrer[]; readonly next: Digest | undefined }>
}

/** What of the image is for the one who pushes. Undefined: all of it. */
export interface PushRights {
  /** Whether a tag may be taken from what it is on. Else TAG_FIXED is thrown. */
  readonly mayTake?: MayTake | undefined
  /** Whether a manifest or blob of the image may be named; what may not is as if the image did not have it. */
  readonly mayName?: ((digest: Digest) => Promise<boolean>) | undefined
}

export interface PushTarget {
  /** Resolves with what it names. Throws MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN, TAG_FIXED, and DENIED for an immutable tag. */
  putManifest(
    image: ImageName,
    manifest: Manifest,
    tags: readonly Tag[],
    rights?: PushRights,
  ): Promise<ManifestContents>
  /** Throws TAG_FIXED, and DENIED for an immutable tag; so do the deletions of images. */
  deleteManifest(image: ImageName, reference: Reference, mayTake?: MayTake): Promise<boolean>
  deleteBlob(image: ImageName, digest: Digest): Promise<boolean>
  /** Also when all that it has are blobs, or an upload. */
  hasImage(image: ImageName): Promise<boolean>
  /** With all its tags, manifests and blobs. False when there was no such image. */
  deleteImage(image: ImageName): Promise<boolean>
  /** All of them. Resolves with how many there were. */
  deleteImages(): Promise<number>
  /**
   * False when `from` has no such blob: the client then uploads it. The caller has checked that `from` may be read. Throws
   * DENIED when that is beyond the quota.
   */
  mount(image: ImageName, digest: Digest, from: ImageRef): Promise<boolean>
  /** Some of the images, in any repository, that {@link PushTarget.mount} could take the blob from. */
  mountSources(digest: Digest): Promise<readonly ImageRef[]>
  /** Throws STORAGE_FULL when there is no room for so many bytes more: to be asked before a client is let send them. */
  admit(bytes: number): Promise<void>
  /** `principal` is the name of who pushes. Throws STORAGE_FULL, TOOMANYREQUESTS, and DENIED when the quota is used up. */
  begin(image: ImageName, algorithm: DigestAlgorithm, principal: string | undefined): Promise<UploadId>
  /** Bytes received so far. Throws BLOB_UPLOAD_UNKNOWN when `id` is not an upload of this image; so do the four below. */
  received(image: ImageName, id: UploadId): Promise<number>
  /** Throws STORAGE_FULL, also half-way; what came in is taken back then. */
  append(image: ImageName, id: UploadId, offset: number, bytes: AsyncIterable<Uint8Array>): Promise<number>
  /** Throws DENIED when the blob is beyond the quota; the upload has ended then. */
  finish(image: ImageName, id: UploadId, expected: Digest): Promise<void>
  cancel(image: ImageName, id: UploadId): Promise<void>
}
