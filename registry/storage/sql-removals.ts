import type { Digest } from '../domain/digest.ts'
import type { RepositoryKey, Tag } from '../domain/names.ts'
import type { MetadataDatabase } from './metadata-schema.ts'
import { dropIfEmpty } from './sql-image-id.ts'
import { shrinkUsage } from './sql-repository-usage.ts'
import { reviewBlob, reviewManifest, reviewWhatItHolds } from './sql-reviews.ts'

/**
 * Everything that takes something away goes through here, whoever asks for it, so that nothing which loses its last holder is ever
 * forgotten. Each is a part of the caller's transaction, and false when there was no such thing.
 */

export async function removeTag(db: MetadataDatabase, imageId: number, tag: Tag, at: string): Promise<boolean> {
  const [removed] = await db
    .deleteFrom('tags')
    .where('image_id', '=', imageId)
    .where('name', '=', tag)
    .returning('digest')
    .execute()
  if (!removed) return false
  await reviewManifest(db, imageId, removed.digest, at)
  return true
}

/** Its tags and its references go with it (`on delete cascade`), and the image when nothing else is in it. */
export async function removeManifest(
  db: MetadataDatabase,
  imageId: number,
  digest: Digest,
  at: string,
): Promise<boolean> {
  const named = db.selectFrom('manifests').where('image_id', '=', imageId).where('digest', '=', digest).select('digest')
  // Also what was never there may have referrers, which then lose nothing.
  if (!(await named.executeTakeFirst())) return false
  await reviewWhatItHolds(db, imageId, digest, at)
  await db.deleteFrom('manifests').where('image_id', '=', imageId).where('digest', '=', digest).execute()
  await dropIfEmpty(db, imageId)
  return true
}

/** What removing it takes, in manifests of up to twenty references: a manifest can have ten thousands. */
export async function weightOf(db: MetadataDatabase, imageId: number, manifest: Digest): Promise<number> {
  const counted = await db
    .selectFrom('manifest_references')
    .select((it) => it.fn.countAll<number>().as('references'))
    .where('image_id', '=', imageId)
    .where('manifest_digest', '=', manifest)
    .executeTakeFirstOrThrow()
  return Math.max(1, Math.ceil(counted.references / 20))
}

/** The first of them, and as many more as `limit` ordinary ones would weigh. */
export async function upToWeight<row extends { readonly image_id: number; readonly digest: Digest }>(
  db: MetadataDatabase,
  rows: readonly row[],
  limit: number,
): Promise<readonly row[]> {
  const taken: row[] = []
  let weight = 0
  for (const row of rows) {
    weight += await weightOf(db, row.image_id, row.digest)
    if (taken.length > 0 && weight > limit) break
    taken.push(row)
  }
  return taken
}

/** Also the image, when nothing else is in it. */
export async function removeLink(
  db: MetadataDatabase,
  imageId: number,
  repository: RepositoryKey,
  digest: Digest,
  at: string,
): Promise<boolean> {
  const removed = db.deleteFrom('image_blobs').where('image_id', '=', imageId).where('digest', '=', digest)
  if ((await removed.executeTakeFirstOrThrow()).numDeletedRows === 0n) return false
  await shrinkUsage(db, repository, digest)
  await reviewBlob(db, digest, at)
  await dropIfEmpty(db, imageId)
  return true
}
