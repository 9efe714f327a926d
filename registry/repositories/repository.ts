import type { Readable } from 'node:stream'
import type { ByteRange } from '../../wire/byte-range.ts'
import type { Digest, DigestAlgorithm } from '../domain/digest.ts'
import type { Manifest } from '../domain/manifest.ts'
import type { ImageName, Reference, RepositoryKey, Tag } from '../domain/names.ts'
import type { UploadId } from '../storage/blob-store.ts'
import type { Page } from '../storage/metadata-store.ts'

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
  manifest(image: ImageName, reference: Reference): Promise<Manifest | undefined>
  blob(image: ImageName, digest: Digest): Promise<BlobHandle | undefined>
  tags(image: ImageName, after: string | undefined, limit: number): Promise<Page<Tag> | undefined>
  images(after: string | undefined, limit: number): Promise<Page<ImageName>>
}

export interface PushTarget {
  /** Throws MANIFEST_INVALID, MANIFEST_BLOB_UNKNOWN. */
  putManifest(image: ImageName, manifest: Manifest, tags: readonly Tag[]): Promise<void>
  deleteManifest(image: ImageName, reference: Reference): Promise<boolean>
  deleteBlob(image: ImageName, digest: Digest): Promise<boolean>
  /** False when `from` has no such blob: the client then uploads it. The caller has checked that `from` may be read. */
  mount(
    image: ImageName,
    digest: Digest,
    from: { readonly repository: RepositoryKey; readonly image: ImageName },
  ): Promise<boolean>
  begin(image: ImageName, algorithm: DigestAlgorithm): Promise<UploadId>
  /** Bytes received so far. Throws BLOB_UPLOAD_UNKNOWN when `id` is not an upload of this image; so do the four below. */
  received(image: ImageName, id: UploadId): Promise<number>
  append(image: ImageName, id: UploadId, offset: number, bytes: Readable): Promise<number>
  finish(image: ImageName, id: UploadId, expected: Digest): Promise<void>
  cancel(image: ImageName, id: UploadId): Promise<void>
}
