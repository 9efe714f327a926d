import type { Digest } from '../domain/digest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { Manifest, ManifestContents } from '../domain/manifest.ts'
import type { UploadId } from './blob-store.ts'

/** `next` is the last item of this page when there are more, to be passed as `after`. */
export interface Page<item> {
  readonly items: readonly item[]
  readonly next: item | undefined
}

/** One image in one repository. */
export interface ImageRef {
  readonly repository: RepositoryKey
  readonly image: ImageName
}

/** What refers to what. Each method is one transaction. */
export interface Images {
  findManifest(of: ImageRef, reference: Reference): Promise<Manifest | undefined>
  /**
   * Keeps the bytes, moves `tags` to them and records what `contents` names, all or nothing, durably. Throws
   * MANIFEST_BLOB_UNKNOWN, with the missing digests in its detail, when the image has not all that the manifest requires.
   */
  putManifest(of: ImageRef, manifest: Manifest, contents: ManifestContents, tags: readonly Tag[]): Promise<void>
  /** Removes a tag alone, or a manifest with all tags on it. Throws DENIED while another manifest of the image names it. */
  deleteManifest(of: ImageRef, reference: Reference): Promise<boolean>
  /** Undefined when there is no such image. In byte order. */
  listTags(of: ImageRef, after: string | undefined, limit: number): Promise<Page<Tag> | undefined>
  /** Images that have a manifest, in byte order. */
  listImages(repository: RepositoryKey, after: string | undefined, limit: number): Promise<Page<ImageName>>
  /** Records that the image has this blob. Its bytes must be durable already (invariant 1). */
  linkBlob(of: ImageRef, digest: Digest, size: number): Promise<void>
  /** Size of the blob, undefined unless the image has it. */
  findBlob(of: ImageRef, digest: Digest): Promise<{ readonly size: number } | undefined>
  /** False when the image has no such blob. Throws DENIED while a manifest of the image names it. */
  unlinkBlob(of: ImageRef, digest: Digest): Promise<boolean>
}

/** Which image an upload belongs to. */
export interface UploadOwners {
  addUpload(of: ImageRef, id: UploadId): Promise<void>
  ownsUpload(of: ImageRef, id: UploadId): Promise<boolean>
  removeUpload(id: UploadId): Promise<void>
}

export interface UserRecord {
  readonly name: string
  /** As `identity/passwords.ts` encodes it; says its own parameters. */
  readonly passwordHash: string
  readonly admin: boolean
}

export interface Users {
  findUser(name: string): Promise<UserRecord | undefined>
  /** False when the name is taken. */
  addUser(user: UserRecord): Promise<boolean>
  setPassword(name: string, passwordHash: string): Promise<boolean>
  removeUser(name: string): Promise<boolean>
  listUsers(): Promise<readonly UserRecord[]>
}

/** Small values that the product makes once and keeps, such as the token signing key. */
export interface Secrets {
  /** The kept value; when there is none, `make`'s is kept and returned. */
  secret(name: string, make: () => Promise<string>): Promise<string>
}

export type MetadataStore = Images & UploadOwners & Users & Secrets & AsyncDisposable
