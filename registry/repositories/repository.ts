import type { Readable } from 'node:stream'
import type { ByteRange } from '../../wire/byte-range.ts'
import type { Digest, DigestAlgorithm } from '../domain/digest.ts'
import type { Manifest, ManifestContents } from '../domain/manifest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { Action } from '../domain/permissions.ts'
import type { ReferrerDescriptor } from '../domain/referrer.ts'
import type { TagSet } from '../domain/tag-set.ts'
import type { UploadId } from '../storage/blob-store.ts'
import type { ImageRef, MayTake, Page, ReferrerQuery, Use } from '../storage/metadata-store.ts'

export interface Lookup {
  /** Default: read. */
  readonly use?: Use | undefined
  /** `here`: among what this registry has; no other is asked. Default: anywhere. */
  readonly from?: 'here' | 'anywhere' | undefined
}

/**
 * How a cache comes to have what it answers with. `hit`: it is known to be what the upstream has. `stale`: it was that when the
 * upstream could last be asked.
 */
export type CacheState =
  { readonly kind: 'hit' } | { readonly kind: 'miss' } | { readonly kind: 'stale'; readonly because: string }

export interface FoundManifest extends Manifest {
  /** Undefined for what is hosted here. */
  readonly cache?: CacheState | undefined
}

/** A blob's file that is still being written. */
export interface Growth {
  /** Absolute path; `undefined` when the store has no local files. The file may be moved to its blob's path at any moment. */
  readonly path: string | undefined
  /** Where it is moved to; `undefined` like `path`. */
  readonly blobPath: string | undefined
  /**
   * How many bytes can be read, each time there are more; all of them only when they have been verified. Throws when they never
   * will be. Whoever stops listening has no part in it any more.
   */
  available(): AsyncIterable<number>
  /** Resolves when it has become a blob that the image has: somewhat later. Rejects with a RegistryError when it never will. */
  kept(): Promise<void>
}

export interface BlobHandle {
  readonly size: number
  /** Of a blob that is still coming in, each part as soon as it is there; breaks off when the blob turns out to be wrong. */
  open(range: ByteRange | undefined): Promise<Readable>
  /** Absolute path of a local file with the bytes, for a gateway that can send it itself. */
  path(): string | undefined
  /** Undefined when all of it is there, or nothing is kept of it. */
  readonly growth?: Growth | undefined
  readonly cache?: CacheState | undefined
}

/** Who asks. */
export interface Reader {
  /** The tags that it may do this with; `through` is the virtual repositories that it came by. */
  tagsOf(action: Action, of: ImageRef, through: readonly RepositoryKey[]): Promise<TagSet>
  /** Those of an image that a remote repository may fetch for it when they are not cached. */
  mayFetch(of: ImageRef, through: readonly RepositoryKey[]): Promise<TagSet>
  /** The registry that the client takes this one for a mirror of (`?ns=`). A remote that caches another one has nothing for it. */
  readonly namespace: string | undefined
}

/** The one interface that http/ knows. Absence is undefined; a refusal is a RegistryError. */
export interface Repository {
  readonly key: RepositoryKey
  readonly kind: 'local' | 'remote' | 'virtual'
  /** Of a virtual one: the member that is changed when this one is asked to be. All others are changed themselves. */
  readonly deployTo?: Repository | undefined
  /** local: itself. virtual: its local member for deployment. remote: none. */
  readonly pushTarget: PushTarget | undefined
  /** Where what is here can be deleted. local: itself. remote: its cache. virtual: its local member for deployment. */
  readonly removal: Removal | undefined
  /** For those to whom it is not the same for everybody. What a local repository has they may see is for the caller to look at. */
  seenBy(reader: Reader): Repository
  manifest(image: ImageName, reference: Reference, lookup?: Lookup): Promise<FoundManifest | undefined>
  blob(image: ImageName, digest: Digest, lookup?: Lookup): Promise<BlobHandle | undefined>
  /** When the tag last moved, as far as that is known here; undefined when there is no such tag here. */
  tagTime(image: ImageName, tag: Tag): Promise<Date | undefined>
  /** `from`: see {@link Lookup}. */
  tags(
    image: ImageName,
    after: string | undefined,
    limit: number,
    from?: Lookup['from'],
  ): Promise<Page<Tag> | undefined>
  images(after: string | undefined, limit: number): Promise<Page<ImageName>>
  /** Tags that the manifest or blob can be come to by. */
  tagsHolding(image: ImageName, digest: Digest): Promise<readonly Tag[]>
  referrers(image: ImageName, query: ReferrerQuery): Promise<ReferrerPage>
  /** Where in this registry the blob of the image lies, for {@link PushTarget.mount}. */
  holders(image: ImageName, digest: Digest): Promise<readonly ImageRef[]>
}

export interface ReferrerPage {
  /** In the order of their digests. */
  readonly items: readonly ReferrerDescriptor[]
  readonly next: Digest | undefined
}

/** What of the image is for the one who pushes. Undefined: all of it. */
export interface PushRights {
  /** Whether a tag may be taken from what it is on. Else TAG_FIXED is thrown. */
  readonly mayTake?: MayTake | undefined
  /** Whether a manifest or blob of the image may be named; what may not is as if the image did not have it. */
  readonly mayName?: ((digest: Digest) => Promise<boolean>) | undefined
}

export interface Removal {
  /** Throws TAG_FIXED, and DENIED for an immutable tag; so do the deletions of images. */
  deleteManifest(image: ImageName, reference: Reference, mayTake?: MayTake): Promise<boolean>
  deleteBlob(image: ImageName, digest: Digest): Promise<boolean>
  hasManifest(image: ImageName, reference: Reference): Promise<boolean>
  /** Also when all that it has are blobs, or an upload. */
  hasImage(image: ImageName): Promise<boolean>
  /** With all its tags, manifests and blobs. False when there was no such image. */
  deleteImage(image: ImageName): Promise<boolean>
  /** All of them. Resolves with how many there were. */
  deleteImages(): Promise<number>
}

export interface PushTarget {
  /** Resolves with what it names. Throws MANIFEST_INVALID, MANIFEST_UNVERIFIED, MANIFEST_BLOB_UNKNOWN, TAG_FIXED, and DENIED for an immutable tag. */
  putManifest(
    image: ImageName,
    manifest: Manifest,
    tags: readonly Tag[],
    rights?: PushRights,
  ): Promise<ManifestContents>
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
