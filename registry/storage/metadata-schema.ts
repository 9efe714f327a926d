import type { Generated, Kysely } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'
import type { UploadId } from './blob-store.ts'

/** The tables, as the last of `migrations/` leaves them. Only parsed values are ever written, so they are read as such. */
export interface MetadataSchema {
  images: { id: Generated<number>; repository: RepositoryKey; name: ImageName }
  blobs: { digest: Digest; size: number }
  image_blobs: { image_id: number; digest: Digest }
  manifests: {
    image_id: number
    digest: Digest
    media_type: string
    bytes: Uint8Array
    subject: Digest | null
    artifact_type: string | null
    pushed_at: string
  }
  /** `entry`: a manifest, or a blob that stands in for one, that an index names. */
  manifest_references: { image_id: number; manifest_digest: Digest; digest: Digest; kind: 'blob' | 'entry' }
  tags: { image_id: number; name: Tag; digest: Digest; updated_at: string }
  uploads: { id: UploadId; image_id: number; started_at: string }
  users: { name: string; password_hash: string; admin: 0 | 1 }
  secrets: { name: string; value: string }
}

/** The database, or a transaction on it. */
export type MetadataDatabase = Kysely<MetadataSchema>
