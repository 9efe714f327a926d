import type { Generated, Kysely } from 'kysely'
import type { Digest } from '../domain/digest.ts'
import type { ImageName, RepositoryKey, Tag } from '../domain/names.ts'
import type { PropertyName, PropertyValue } from '../domain/property.ts'
import type { V1ImageId } from '../domain/v1-image.ts'
import type { Realm, TokenKind } from './access-store.ts'
import type { UploadId } from './blob-store.ts'
import type { Packing } from './layer-contents.ts'

/** The tables, as the last of `migrations/` leaves them. Only parsed values are ever written, so they are read as such. */
export interface MetadataSchema {
  images: { id: Generated<number>; repository: RepositoryKey; name: ImageName }
  /** `deleting`: no image has it, and its bytes are about to go. `quarantined`: its bytes turned out to be wrong. */
  blobs: { digest: Digest; size: number; state: Generated<BlobState> }
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
  /**
   * `expected`: the blob that it is about to become, which garbage collection then leaves alone. `fetched`: the blob of another registry
   * whose bytes come in by it.
   */
  uploads: {
    id: UploadId
    image_id: number
    started_at: string
    principal: string
    expected: Digest | null
    fetched: Digest | null
  }
  /** Manifests of other registries; their image may not have all that they name. */
  cached_manifests: { image_id: number; digest: Digest; repository: RepositoryKey; used_at: string }
  /** What people have said; one row for each value. */
  image_properties: { image_id: number; name: PropertyName; value: PropertyValue }
  tag_properties: { image_id: number; tag: Tag; name: PropertyName; value: PropertyValue }
  v1_images: {
    image_id: number
    id: V1ImageId
    digest: Digest
    parent: V1ImageId | null
    layer: Digest
    checksum: Digest
    tarsum: string | null
  }
  v1_pushes: {
    repository: RepositoryKey
    image: ImageName
    principal: string
    id: V1ImageId
    is_open: 0 | 1
    touched_at: string
    json: Uint8Array | null
    layer: Digest | null
    layer_size: number | null
    checksum: Digest | null
    tarsum: string | null
    tarsum_v1: string | null
    is_tarsum_certain: 0 | 1
  }
  layer_contents: { digest: Digest; diff_id: Digest; packing: Packing; in_gzip: Digest | null }
  manifest_reviews: { image_id: number; digest: Digest; repository: RepositoryKey; since: string }
  link_reviews: { image_id: number; digest: Digest; since: string }
  blob_reviews: { digest: Digest; since: string }
  repository_usage: { repository: RepositoryKey; bytes: number }
  users: {
    name: string
    kind: 'user' | 'robot'
    realm: Realm
    password_hash: string | null
    admin: 0 | 1
    email: string | null
    realm_groups: string
    last_login: string | null
  }
  groups: { name: string; description: string; auto_join: 0 | 1; admins: 0 | 1 }
  group_members: { group_name: string; user_name: string }
  permission_targets: { name: string; repositories: string; includes: string; excludes: string }
  permission_grants: { target_name: string; holder_kind: 'user' | 'group'; holder_name: string; actions: string }
  access_tokens: {
    id: string
    kind: TokenKind
    user_name: string
    secret_hash: string
    scope: string
    stands_alone: 0 | 1
    password_stamp: string | null
    description: string
    issued_at: string
    expires_at: string | null
    last_used_at: string | null
  }
  signing_keys: { id: string; jwk: string; made_at: string }
  access_version: { only_row: 1; version: number }
  secrets: { name: string; value: string }
}

export type BlobState = 'kept' | 'deleting' | 'quarantined'

/** The database, or a transaction on it. */
export type MetadataDatabase = Kysely<MetadataSchema>
