import type { Readable } from 'node:stream'
import type { ByteRange } from '../../wire/byte-range.ts'
import type { Digest, DigestAlgorithm } from '../domain/digest.ts'
import type { UploadId } from '../domain/upload-id.ts'

export type { UploadId }

/** Bytes by digest; knows no names. */
export interface Blobs {
  /** Undefined when there is no such blob. */
  stat(digest: Digest): Promise<{ readonly size: number } | undefined>
  /** The bytes, whole or in part. Throws BLOB_UNKNOWN. The caller consumes or destroys the stream. */
  open(digest: Digest, range: ByteRange | undefined): Promise<Readable>
  /** Absolute path of the file that holds the bytes; undefined when this store has no local files. */
  path(digest: Digest): string | undefined
  /** Resolves with how many of them there were; durable when it does. Rejects when one cannot be deleted; others may be gone then. */
  delete(digests: readonly Digest[]): Promise<number>
  listBlobs(): AsyncIterable<Digest>
}

/** Bytes on their way in. Uploads outlive a restart; nothing but {@link VerifiedUpload.place} makes a blob. */
export interface Uploads {
  /**
   * Throws STORAGE_FULL, with the numbers, when the store has no room for so many bytes more; to be asked before bytes are
   * let in. Those whose number nobody knows are checked on their way, by {@link Uploads.append}.
   */
  admit(bytes: number): Promise<void>
  /** `algorithm` is a guess at what will be asked of `verify`, so that the bytes need be read only once. */
  begin(algorithm: DigestAlgorithm): Promise<UploadId>
  /** Bytes received so far; undefined when there is no such upload. */
  size(id: UploadId): Promise<number | undefined>
  /**
   * Adds `bytes` at `offset` and resolves with the new size, or rejects: with BLOB_UPLOAD_INVALID, storing nothing, when
   * `offset` is not the current size or another append runs; with STORAGE_FULL; with the stream's own error when it
   * breaks off, and then what came in before stays and can be continued. `tell` is called with how many can be read, each time that
   * there are more, and soon also when they come slowly; STORAGE_FULL may take some of these back. With it, nobody waits for the disk:
   * what came in is durable only after {@link Uploads.verify}.
   */
  append(id: UploadId, offset: number, bytes: AsyncIterable<Uint8Array>, tell?: (size: number) => void): Promise<number>
  /** The digest of what it has, by the algorithm that it was begun with. Throws BLOB_UPLOAD_UNKNOWN, and BLOB_UPLOAD_INVALID while it is used. */
  digest(id: UploadId): Promise<Digest>
  /**
   * Resolves when the bytes are those of `expected`, and durable. Until that is disposed of, all others who want to use the upload
   * are told BLOB_UPLOAD_INVALID. Rejects with DIGEST_INVALID, and keeps the upload, when they have another digest. `tell` is called when
   * they are the right bytes, before they are durable.
   */
  verify(id: UploadId, expected: Digest, tell?: () => void): Promise<VerifiedUpload>
  /** Gives the space back. False when there was no such upload. Throws BLOB_UPLOAD_INVALID while it is used or held. */
  discard(id: UploadId): Promise<boolean>
  /** Until that is disposed of nobody discards it, used or not. Throws BLOB_UPLOAD_INVALID when another uses or holds it. */
  hold(id: UploadId): Disposable
  /** What is in it, also later when it has become a blob or was discarded. Undefined when there is no such upload. The caller closes it. */
  readUpload(id: UploadId): Promise<UploadReader | undefined>
  /** Absolute path of the file that its bytes come into; undefined when this store has no local files. */
  uploadPath(id: UploadId): string | undefined
  listUploads(): AsyncIterable<{ readonly id: UploadId; readonly modifiedAt: Date }>
}

export interface UploadReader extends AsyncDisposable {
  /** Fills `into`, as far as there are bytes, with those from `position` on. Resolves with how many these are. */
  read(into: Uint8Array, position: number): Promise<number>
}

export interface VerifiedUpload extends Disposable {
  readonly size: number
  /** Makes the upload the blob, durably (rename, directory fsync) before it resolves. */
  place(): Promise<void>
}

export type BlobStore = Blobs & Uploads & AsyncDisposable
